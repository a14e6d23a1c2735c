"""A report to a file of the user's: looked at before the work is done, and put there in whole or not at all."""

import os
import stat
import tempfile
from pathlib import Path

from promptforge.errors import UsageError, WriteError
from promptforge.files import INPUT_FOLDERS, TEMPORARY, is_own

__all__ = ["check_report", "refuse_own", "refuse_own_folder", "write_report"]

_HINT = "name another place: --output FILE"


def refuse_own(root: Path, path: Path) -> None:
    """Refuse to write over a file of the project: its inputs, its locks, its artifact. Raises UsageError."""
    real = Path(os.path.realpath(path))
    inside = _inside(root, real)
    artifact = real.name.endswith(".lock.json") or real.with_name(f"{real.stem}.lock.json").exists()
    if inside and (is_own(inside) or artifact):
        raise UsageError(f"the output '{path}' is one of the project's own files", hint="choose another place")


def refuse_own_folder(root: Path, folder: Path) -> None:
    """Refuse a folder that is the project, or one of those that hold its inputs. Raises UsageError."""
    inside = _inside(root, Path(os.path.realpath(folder)))
    if inside == "." or (inside or "").partition("/")[0] in (*INPUT_FOLDERS, ".promptforge", ".git"):
        raise UsageError(f"the output '{folder}' is where the project's own files are", hint="choose another place")


def _inside(root: Path, real: Path) -> str:
    """Its path in the project; nothing where it is outside."""
    try:
        return real.relative_to(os.path.realpath(root)).as_posix()
    except ValueError:
        return ""


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
