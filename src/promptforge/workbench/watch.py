"""`build --watch`: a turn for the first build, and one after each save. Owns watchfiles."""

from collections.abc import Iterator
from pathlib import Path

from promptforge.errors import ExtraMissingError
from promptforge.files import wanted

__all__ = ["saves"]


def saves(root: Path) -> Iterator[bool]:
    """True at once, then False after each save of one of the project's files, until interrupted.

    Raises ExtraMissingError when watchfiles is not installed.
    """
    try:
        from watchfiles import watch
    except ImportError as problem:
        raise ExtraMissingError("build --watch", "watch") from problem

    def ours(change: object, path: str) -> bool:
        try:
            return wanted(Path(path).relative_to(root).as_posix())
        except ValueError:
            return False

    yield True
    for _ in watch(root, watch_filter=ours, raise_interrupt=True):
        yield False
