"""A folder that takes another's place in whole: whoever is killed leaves the old one or the new one.

Where the system can exchange two names at once (Linux, macOS), nobody ever sees the place empty. Elsewhere the old
folder first steps aside, and a kill just then leaves it aside, whole: it is found there, and the next write puts it
back. One writer at a time: call all of this while the project is held alone.
"""

import errno
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from promptforge.errors import WriteError
from promptforge.files import TEMPORARY

__all__ = ["aside", "replacing", "settle"]

_AT_CWD, _EXCHANGE = -100, 2
_CANNOT_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM)


@contextmanager
def replacing(folder: Path, *, private: bool = False, what: str = "dataset") -> Iterator[Path]:
    """An empty folder beside `folder`, which takes its place at the end, unless something is raised.

    `what` is in it, in a word. Raises WriteError; then everything is as it was.
    """
    place = Path(os.path.realpath(folder))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        settle(place)
        made = place.with_name(f".{place.name}.{os.getpid()}-{time.monotonic_ns()}{TEMPORARY}")
        made.mkdir(mode=0o700 if private else 0o777)
        try:
            yield made
            _put(made, place)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        hint = "free some space; " * (problem.errno == errno.ENOSPC) + f"the previous {what} is intact"
        raise WriteError(f"cannot write {folder}: {reason}", hint=hint) from problem


def settle(folder: Path) -> None:
    """Put back what a killed writer left aside, and delete what it had not finished."""
    name = re.compile(rf"\.{re.escape(folder.name)}\.(?:\d+-\d+|was){re.escape(TEMPORARY)}")
    old = aside(folder)
    if old.is_dir() and not folder.exists():
        old.rename(folder)
    for path in list(folder.parent.iterdir()):
        if name.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def aside(folder: Path) -> Path:
    """Where the old folder steps while the new one takes its place, if the two cannot be exchanged."""
    return folder.with_name(f".{folder.name}.was{TEMPORARY}")


def _put(made: Path, place: Path) -> None:
    _sync(made)
    if not place.exists():
        made.rename(place)
    elif not _exchange(made, place):
        place.rename(aside(place))
        try:
            made.rename(place)
        except OSError:
            aside(place).rename(place)
            raise
        shutil.rmtree(aside(place), ignore_errors=True)
    _sync(place.parent)


def _sync(folder: Path) -> None:
    """Make a folder's names outlast a power cut, where the system lets us."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once; False where the system or its file system cannot."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True) if sys.platform != "win32" else None
    names = (os.fsencode(one), os.fsencode(other))
    if call := getattr(library, "renameat2", None):  # Linux
        failed = call(_AT_CWD, names[0], _AT_CWD, names[1], _EXCHANGE)
    elif call := getattr(library, "renamex_np", None):  # macOS
        failed = call(*names, _EXCHANGE)
    else:
        return False
    if failed and (code := ctypes.get_errno()) not in _CANNOT_EXCHANGE:
        raise OSError(code, os.strerror(code), str(other))
    return not failed
