"""Writing a build so that a kill, a full disk or a second process never leaves half of it. One lock, one journal.

All files are first written beside their places; then a journal names the renames; then they are made. Whoever comes
after a kill finishes the journal before it reads.
"""

import errno
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Generic, TypeVar, cast

from promptforge.errors import BusyError, WriteError
from promptforge.files import TEMPORARY

__all__ = ["Later", "alone", "exclusive", "is_held", "private_folder", "replace_files"]

_JOURNAL = "pending.json"
_T = TypeVar("_T")


def private_folder(root: Path) -> Path:
    """`.promptforge`, which keeps what is nobody's business: made, and ignored by git, when it is missing."""
    folder = root / ".promptforge"
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as problem:
        raise _cannot(folder, problem) from problem
    return folder


class Later(Generic[_T]):
    """A result that is made meanwhile: reading, hashing and writing large files lets others work."""

    def __init__(self, work: Callable[[], _T]) -> None:
        self._work = work
        self._made: _T | None = None
        self._problem: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Later[_T]":
        return self

    def __exit__(self, *raised: object) -> None:
        self._thread.join()  # whatever happened meanwhile: what we hold must be held until the work is done

    def get(self) -> _T:
        """The result, or what was raised instead."""
        self._thread.join()
        if self._problem:
            raise self._problem
        return cast(_T, self._made)

    def _run(self) -> None:
        try:
            self._made = self._work()
        except BaseException as problem:
            self._problem = problem


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold the project alone; wait for another process that holds it. Finishes what a killed one left."""
    folder = private_folder(root)
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as problem:
        raise _cannot(folder / "lock", problem) from problem
    try:
        _wait_for(handle)
        _finish_journal(folder)
        yield
    finally:
        os.close(handle)


@contextmanager
def alone(root: Path, name: str, *, what: str, hint: str) -> Iterator[None]:
    """Hold a lock of the project without waiting for it: `.promptforge/NAME.lock`. Raises BusyError and WriteError.

    `what` is what holds it, in words: "another night of this project runs".
    """
    place = private_folder(root) / f"{name}.lock"
    try:
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as problem:
        raise _cannot(place, problem) from problem
    try:
        _take(handle, what, hint)
        yield
    finally:
        os.close(handle)


def is_held(root: Path, name: str) -> bool:
    """Whether a process holds this lock of the project just now."""
    if not (root / ".promptforge" / f"{name}.lock").exists():
        return False
    try:
        with alone(root, name, what="", hint=""):
            return False
    except BusyError:
        return True


def _take(handle: int, what: str, hint: str) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two at once are not noticed
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        holder = os.pread(handle, 40, 0).decode(errors="replace").strip()
        raise BusyError(what + (f": process {holder}" if holder else ""), hint=hint) from problem
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)


def _wait_for(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: renames are still atomic, only two builds at once may mix
        return
    fcntl.flock(handle, fcntl.LOCK_EX)


def _finish_journal(folder: Path) -> None:
    journal = folder / _JOURNAL
    with suppress(FileNotFoundError, ValueError, TypeError):
        moves = [(temporary, place) for temporary, place in json.loads(journal.read_bytes())]
        for place in [Path(place) for temporary, place in moves if not temporary]:
            _sweep(place.parent, f".{place.name}.")
        _rename(journal, [move for move in moves if move[0]])
    journal.unlink(missing_ok=True)
    _sweep(folder, "")


def _sweep(folder: Path, start: str) -> None:
    """Delete what a killed process had not yet put in its place."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name.startswith(start) and path.name.endswith(TEMPORARY):
                path.unlink()


def replace_files(root: Path, contents: Mapping[Path, tuple[bytes, bool]]) -> tuple[Path, ...]:
    """Write all the files or none: path to content, and whether only the owner may read it.

    Returns those that differed. Raises WriteError; then every file is as it was. Call it inside `exclusive`.
    """
    differing = {path: how for path, how in contents.items() if not _is_already(path, *how)}
    temporaries: list[tuple[str, str]] = []
    journal = private_folder(root) / _JOURNAL
    try:
        if differing:  # whoever comes after a kill now knows where to sweep
            journal.write_text(json.dumps([("", os.path.realpath(path)) for path in differing]))
        for path, (content, private) in differing.items():
            real = Path(os.path.realpath(path))
            if real.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(real))
            real.parent.mkdir(parents=True, exist_ok=True)
            temporaries.append((_write_beside(real, content, private), str(real)))
        if temporaries:
            os.replace(_write_beside(journal, json.dumps(temporaries).encode(), False), journal)
    except OSError as problem:
        for temporary, _ in temporaries:
            Path(temporary).unlink(missing_ok=True)
        journal.unlink(missing_ok=True)
        raise _cannot(Path(problem.filename or next(iter(differing))), problem) from problem
    _rename(journal, temporaries)
    return tuple(differing)


def _rename(journal: Path, temporaries: Sequence[tuple[str, str]]) -> None:
    """Make the renames that the journal names, and forget it. Raises WriteError where one of them cannot be made.

    What is on disk may then be of two builds; the locks say so to whoever reads it, and the next build mends it.
    """
    failed: OSError | None = None
    for temporary, place in temporaries:
        try:
            os.replace(temporary, place)
        except FileNotFoundError:
            continue  # renamed before a kill
        except OSError as problem:
            Path(temporary).unlink(missing_ok=True)
            failed = failed or problem
    journal.unlink(missing_ok=True)
    if failed:
        raise _cannot(Path(failed.filename2 or failed.filename), failed) from failed


def _is_already(path: Path, content: bytes, private: bool) -> bool:
    try:
        status = path.stat()
        too_open = private and status.st_mode & 0o077
        return status.st_size == len(content) and not too_open and path.read_bytes() == content
    except OSError:
        return False


def _write_beside(path: Path, content: bytes, private: bool) -> str:
    # Not by tempfile, which takes as long to load as the write takes.
    temporary = f"{path.parent}/.{path.name}.{os.getpid()}-{time.monotonic_ns()}{TEMPORARY}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            mask = os.umask(0)
            os.umask(mask)
            Path(temporary).chmod(0o666 & ~mask)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return temporary


def _cannot(path: Path, problem: OSError) -> WriteError:
    reason = (problem.strerror or str(problem)).lower()
    hints = {
        28: "free some space; the previous build is intact",
        13: "mend the permissions",
        30: "the disk is read-only",
    }
    hint = hints.get(problem.errno or 0, "the previous build is intact")
    return WriteError(f"cannot write {path}: {reason}", hint=hint)
