"""`build --watch`: a turn for the first build, and one after each save. Owns watchfiles."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

from promptforge.errors import ExtraMissingError
from promptforge.files import wanted

__all__ = ["saves"]

_QUIET_MS = 20
"""A save counts as done when no file changed for so long: editors write, rename and touch in one go."""
_Found = set[str] | BaseException
"""The paths of a save, or what ended the looking."""
_WAKE_S = 0.5
"""Whoever waits looks up so often: on Windows Ctrl-C does not reach one who waits, and elsewhere one that comes in the
moment before the waiting begins does not."""


def saves(root: Path) -> Iterator[tuple[str, ...] | None]:
    """None at once, then the paths that were saved of the project's files, after each save, until interrupted.

    It looks from the start, so that a save during a build has a turn of its own; several have one together.
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

    over = threading.Event()
    found: SimpleQueue[_Found] = SimpleQueue()

    def look() -> None:
        try:
            for changes in watch(root, watch_filter=ours, step=_QUIET_MS, stop_event=over, raise_interrupt=False):
                found.put({Path(path).relative_to(root).as_posix() for _, path in changes})
        except Exception as problem:  # raised where somebody waits for it
            found.put(problem)

    threading.Thread(target=look, name="saves", daemon=True).start()
    try:
        yield None
        while True:
            yield tuple(sorted(_wait(found.get)))
    finally:
        over.set()


def _wait(get: Callable[..., _Found]) -> set[str]:
    """What was saved, once something was; whatever came in the meantime is one turn."""
    saved: set[str] = set()
    while True:
        try:
            found = get(block=False) if saved else get(timeout=_WAKE_S)
        except Empty:
            if saved:
                return saved
            continue
        if isinstance(found, BaseException):
            raise found
        saved |= found
