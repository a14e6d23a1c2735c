"""The file of the history: made, opened, brought up to date, and told from another one of its name."""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote_from_bytes

from promptforge.errors import InputError, WriteError
from promptforge.storefaults import RIGHTS, UNREADABLE

__all__ = ["PATIENCE_S", "VERSION", "connect", "number_of"]

VERSION = 3
PATIENCE_S = 10.0
"""How long another process may hold the file; it does so only to write an answer down, or to prune."""

_SCHEMAS: Sequence[str] = (
    """
CREATE TABLE answers (identity TEXT PRIMARY KEY, run TEXT NOT NULL, at TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (id TEXT PRIMARY KEY, started TEXT NOT NULL, finished TEXT NOT NULL, suite TEXT NOT NULL,
                   head TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE servers (target TEXT PRIMARY KEY, said TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;
""",
    """
CREATE TABLE champions (number INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, category TEXT NOT NULL,
                        at TEXT NOT NULL, action TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE looks (suite TEXT NOT NULL, digest TEXT NOT NULL, evidence TEXT NOT NULL, look INTEGER NOT NULL,
                    at TEXT NOT NULL, PRIMARY KEY (suite, digest, evidence)) WITHOUT ROWID;
""",
    """
CREATE TABLE nights (number INTEGER PRIMARY KEY AUTOINCREMENT, recipe TEXT NOT NULL, inputs TEXT NOT NULL,
                     started TEXT NOT NULL, finished TEXT NOT NULL, outcome TEXT NOT NULL, body TEXT NOT NULL);
""",
)
"""What each version adds to the one before it: an older history is brought up to date, and keeps all that it has."""


def connect(path: Path) -> sqlite3.Connection:
    """The history, made where there is none; whoever may only read it can read it.

    Raises InputError, WriteError, sqlite3.Error.
    """
    place, writable = _opened(path)
    try:
        return _connected(place, path, _create if writable else _refuse_older)
    except sqlite3.OperationalError as problem:
        # No room beside it, or no right: whoever only reads needs neither, where no log holds the newest rows.
        lacking = any(word in str(problem) for word in ("full", "readonly", "unable to open", "disk I/O"))
        if not (lacking and writable and path.stat().st_size) or _size(_log_of(path)):
            raise
        return _connected(f"{_uri(path)}?mode=ro&immutable=1", path, _refuse_older)


def _opened(path: Path) -> tuple[str, bool]:
    """Where SQLite finds the history, and whether it may write there; made where there is none.

    Whoever may only read it gets all that reads. Raises WriteError, InputError.
    """
    name = _uri(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return name, True
    except OSError as problem:
        said = (problem.strerror or str(problem)).lower()
        if os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids) and path.is_file():
            # Without its log nobody is writing; SQLite would want to make one, and this process may not.
            return f"{name}?mode=ro" + ("" if _log_of(path).exists() else "&immutable=1"), False
        if path.is_dir():
            raise InputError(f"{path} is a folder", hint="move it away: a new history is made") from problem
        if os.path.lexists(path):
            raise InputError(f"{path} cannot be read: {said}", hint=UNREADABLE) from problem
        raise WriteError(f"{path}: {said}", hint=RIGHTS) from problem


def _uri(path: Path) -> str:
    """As SQLite takes it: a share of Windows has no authority there (`file:////server/share/…`)."""
    name = quote_from_bytes(os.fsencode(path.absolute().as_posix()))
    return f"file://{'' if name.startswith('/') else '/'}{name}"


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def number_of(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connected(place: str, path: Path, get_ready: Callable[[sqlite3.Connection, Path], None]) -> sqlite3.Connection:
    db = sqlite3.connect(place, uri=True, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
    patient_until = time.monotonic() + PATIENCE_S
    try:
        while True:
            try:
                get_ready(db, path)
                return db
            except sqlite3.OperationalError as problem:
                # Where two make the file at once, SQLite refuses one of them without waiting.
                if "locked" not in str(problem) or time.monotonic() > patient_until:
                    raise
            if db.in_transaction:
                db.execute("ROLLBACK")
            time.sleep(0.01)
    except BaseException:
        db.close()
        raise


def _create(db: sqlite3.Connection, path: Path) -> None:
    if not path.stat().st_size:
        db.execute("PRAGMA synchronous = OFF")  # in a file that is just made there is nothing to lose
    db.execute("PRAGMA journal_mode = WAL")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version < VERSION:
        db.execute("BEGIN IMMEDIATE")  # of two first runs one makes the tables
        for number in range(db.execute("PRAGMA user_version").fetchone()[0], VERSION):
            for statement in _SCHEMAS[number].strip().split(";"):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    elif version != VERSION:
        hint = "use the promptforge that wrote it, or move the file away: its answers are then asked again"
        raise InputError(f"{path} was written by another version of promptforge", hint=hint)
    # To move the log into the file waits for the disk, and no answer can be written for 0.1 s and more: so rarely.
    db.execute("PRAGMA wal_autocheckpoint = 8000")  # pages: 32 MB
    db.execute("PRAGMA synchronous = NORMAL")  # kill -9 loses nothing; a power cut perhaps the last answers


def _refuse_older(db: sqlite3.Connection, path: Path) -> None:
    """A history that may only be read is of this version, or cannot be read at all."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        hint = "let somebody who may write there run: promptforge history list"
        raise InputError(f"{path} was written by another version, and you may only read it", hint=hint)
