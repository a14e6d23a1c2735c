"""What a recipe takes from outside of its files, looked at before anything is made: replay files, and a run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from promptforge.compiler.build import Build
from promptforge.dataset.replayed import SHOWN, lines_of, parse_row
from promptforge.dataset.rows import Recipe
from promptforge.document import Document
from promptforge.errors import PromptforgeError
from promptforge.source import Diagnostic, Span
from promptforge.store import HISTORY, Store

__all__ = ["READ_MB", "broken_replays", "replay_files", "unknown_runs"]

READ_MB = 64
"""So much of all replay files is read: about a second."""


def replay_files(build: Build, patterns: Sequence[str]) -> list[str]:
    """The files that patterns match, in order, each once."""
    root = build.tree.root
    found: dict[str, None] = {}
    for pattern in patterns:
        if pattern.startswith("/") or ".." in pattern.split("/"):
            continue
        found.update((path.relative_to(root).as_posix(), None) for path in sorted(root.glob(pattern)) if path.is_file())
    return [*found]


def broken_replays(build: Build, recipes: Sequence[Recipe], *, read_mb: float = READ_MB) -> Iterator[Diagnostic]:
    """Lines of the replay files that are no rows; of each file the first few, and where reading stopped."""
    files = dict.fromkeys(file for recipe in recipes for file in replay_files(build, recipe.replay))
    left = int(read_mb * 2**20)
    for file in files:
        broken, read = 0, 0
        last: tuple[int, str] = (0, "")
        for _, line, content in lines_of(build.tree.root, file):
            if read >= left:
                yield _stopped(file, line, read_mb)
                break
            read += len(content)
            try:
                parse_row(content)
            except ValueError as problem:
                broken, last = broken + 1, (line, str(problem))
                if broken <= SHOWN:
                    yield _broken(file, *last)
        if broken > SHOWN:
            yield _broken(file, last[0], f"{last[1]}; {broken - SHOWN - 1:,} more before it are no rows either")
        left -= read


def _broken(file: str, line: int, reason: str) -> Diagnostic:
    hint = "mend the line or delete it; the others are used"
    return Diagnostic(code="PF810", span=Span(file=file, line=max(line, 1)), message=f"no row: {reason}", hint=hint)


def _stopped(file: str, line: int, read_mb: float) -> Diagnostic:
    message = f"from here on nothing was looked at: check reads {read_mb:g} MB of replay files"
    hint = f"to have all of it looked at: promptforge dataset audit {file}"
    return Diagnostic(code="PF812", span=Span(file=file, line=line), message=message, hint=hint)


def unknown_runs(root: Path, recipes: Sequence[Recipe], documents: Mapping[str, Document]) -> Iterator[Diagnostic]:
    """Runs that recipes name under `weak_from` and that the history does not hold. `latest` may be none yet."""
    naming = [recipe for recipe in recipes if recipe.weak_from not in ("", "latest")]
    if not naming:
        return
    known = _runs(root)
    for recipe in naming if known is not None else ():
        name, ids = recipe.weak_from, known or []
        meant = [run for run in ids if run == name] or [run for run in ids if run.startswith(name)]
        if len(meant) != 1:
            place = documents[recipe.file].span(("weak_from",))
            message = f"{len(meant)} runs begin with '{name}'" if meant else f"the history has no run '{name}'"
            hint = "see: promptforge history; or write: weak_from: latest"
            yield Diagnostic(code="PF811", span=place, message=message, hint=hint)


def _runs(root: Path) -> list[str] | None:
    """The ids of all runs; None where the history cannot be read, which whoever needs it says."""
    if not (root / HISTORY).exists():
        return []
    try:
        with Store(root / HISTORY) as store:
            return [run.id for run in store.runs()]
    except PromptforgeError:
        return None
