"""A history to a file and back, so that another machine (CI) inherits its answers."""

import gzip
import os
from pathlib import Path

from promptforge.errors import InputError, WriteError
from promptforge.files import TEMPORARY
from promptforge.store import Store

__all__ = ["export_to", "import_from"]

_MAGIC = b"\x1f\x8b"


def export_to(store: Store, path: Path) -> int:
    """Write everything, compressed where the name ends in .gz; the number of lines. Raises WriteError."""
    made = path.with_name(path.name + TEMPORARY)
    count = 0
    try:
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            out = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw
            for line in store.export_lines():
                out.write(line.encode("utf-8", "surrogatepass") + b"\n")
                count += 1
            if out is not raw:
                out.close()
        os.replace(made, path)
    except OSError as problem:
        made.unlink(missing_ok=True)
        raise WriteError(
            f"{path}: {(problem.strerror or str(problem)).lower()}", hint="name another place"
        ) from problem
    return count


def import_from(store: Store, path: Path) -> tuple[int, int]:
    """Take over an exported history; how many answers and runs were new. Raises InputError."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no regular file", hint="name a file that history export wrote")
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _MAGIC
        with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as lines:
            return store.import_lines(lines, name=str(path))
    except (OSError, EOFError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        raise InputError(f"{path}: {why.lower()}", hint="name a file that history export wrote") from problem
