"""A report to a file of the user's: looked at before the work is done, and put there in whole or not at all."""

import os
import stat
import tempfile
from pathlib import Path

from promptforge.errors import UsageError, WriteError
from promptforge.files import TEMPORARY

__all__ = ["check_report", "write_report"]

_HINT = "name another place: --output FILE"


def check_report(path: Path, *, mark: str = "") -> None:
    """Refuse early what could not be written when the work is done. Raises UsageError, WriteError.

    With `mark`, a file that is there already must hold it near its beginning: it is not ours to replace otherwise.
    """
    try:
        mode = path.stat().st_mode if path.exists() else 0
        if stat.S_ISDIR(mode):
            raise UsageError(f"the output '{path}' is a folder", hint="name a file in it")
        if mode and not stat.S_ISREG(mode):
            raise UsageError(f"the output '{path}' is no regular file", hint=_HINT)
        if mode and mark and not _holds(path, mark):
            raise UsageError(f"{path} is there already, and promptforge did not write it", hint=_HINT)
        parent = path.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        handle, probe = tempfile.mkstemp(dir=parent, prefix=f".{path.name}.", suffix=TEMPORARY)
        os.close(handle)
        Path(probe).unlink()
    except OSError as problem:
        raise _cannot(path, problem) from problem


def _holds(path: Path, mark: str) -> bool:
    with path.open("rb") as file:
        return mark.encode() in file.read(4096)


def write_report(path: Path, text: str) -> None:
    """Replace the file in whole; only its owner may read it, as it quotes rows. Raises WriteError."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=TEMPORARY)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        os.replace(temporary, os.path.realpath(path))
    except OSError as problem:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise _cannot(path, problem) from problem


def _cannot(path: Path, problem: OSError) -> WriteError:
    return WriteError(f"cannot write {path}: {(problem.strerror or str(problem)).lower()}", hint=_HINT)
