"""The history: every answer as it arrived, and every run. Owns sqlite3.

One file, `.promptforge/history.db`, readable by its owner alone: prompts and answers may hold private facts. An answer
is kept the moment it arrives, so that a killed run costs at most the requests in flight. Safe for several threads and
for several processes at once.
"""

import json
import os
import sqlite3
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptforge.errors import BusyError, InputError, PromptforgeError, WriteError

__all__ = ["HISTORY", "RunHead", "Store", "StoredAnswer"]

HISTORY = ".promptforge/history.db"
_VERSION = 1
_PATIENCE_S = 10.0
"""How long another process may hold the file; it does so only to write an answer down, or to prune."""
_PUT = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)"

_SCHEMA = f"""
CREATE TABLE answers (identity TEXT PRIMARY KEY, run TEXT NOT NULL, at TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (id TEXT PRIMARY KEY, started TEXT NOT NULL, finished TEXT NOT NULL, suite TEXT NOT NULL,
                   head TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE servers (target TEXT PRIMARY KEY, said TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """An answer as it is kept."""

    run: str
    """The id of the run that asked."""
    at: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """A run without its results."""

    id: str
    started: str
    finished: str
    """Empty where it was cut short."""
    suite: str
    head: Mapping[str, Any]
    """What a list of runs shows: arms, counts, why it stopped."""


class Store:
    """An open history. Raises PromptforgeError, never an error of SQLite's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._unwritten: deque[tuple[str, str, str, bytes]] = deque()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as problem:
            raise WriteError(f"{path}: {(problem.strerror or str(problem)).lower()}", hint=_RIGHTS) from problem
        with self._translated():
            self._db = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(
                "PRAGMA synchronous = NORMAL"
            )  # kill -9 loses nothing; a power cut perhaps the last answers
            self._create()

    def _create(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.execute("BEGIN IMMEDIATE")  # of two first runs one makes the tables
            if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _SCHEMA.strip().split(";"):
                    self._db.execute(statement)
            self._db.execute("COMMIT")
        elif version != _VERSION:
            hint = "use the promptforge that wrote it, or move the file away: its answers are then asked again"
            raise InputError(f"{self.path} was written by another version of promptforge", hint=hint)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, self._translated():
            self._db.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- answers

    def answers(self, identities: Iterable[str]) -> dict[str, StoredAnswer]:
        """The answers that are known, by identity."""
        wanted = list(dict.fromkeys(identities))
        found: dict[str, StoredAnswer] = {}
        with self._lock, self._translated():
            for start in range(0, len(wanted), 500):
                some = wanted[start : start + 500]
                marks = ",".join("?" * len(some))
                rows = self._db.execute(
                    f"SELECT identity, run, at, body FROM answers WHERE identity IN ({marks})", some
                )
                found.update((i, StoredAnswer(run=run, at=at, body=_unpacked(body))) for i, run, at, body in rows)
        return found

    def put(self, identity: str, body: Mapping[str, Any], *, run: str, at: str) -> None:
        """Keep an answer, now. Of several threads that come at once one writes for all of them."""
        row = (identity, run, at, _packed(body))
        self._unwritten.append(row)
        with self._lock, self._translated():
            if any(other is row for other in tuple(self._unwritten)):  # a copy: others append meanwhile
                self._write()

    def _write(self) -> None:
        """All that is unwritten, or nothing: then each thread tries again, and hears of it."""
        rows = list(self._unwritten)
        if len(rows) == 1:
            self._db.execute(_PUT, rows[0])
        else:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_PUT, rows)
                self._db.execute("COMMIT")
            except sqlite3.Error:
                with suppress(sqlite3.Error):  # it may have been rolled back already
                    self._db.execute("ROLLBACK")
                raise
        for _ in rows:
            self._unwritten.popleft()

    def forget(self, identities: Sequence[str]) -> None:
        """Drop answers, so that they are asked again."""
        with self._lock, self._translated():
            self._db.executemany("DELETE FROM answers WHERE identity = ?", [(i,) for i in identities])

    # --- runs

    def put_run(self, head: RunHead, body: Mapping[str, Any]) -> None:
        """Keep a run, or what there is of it so far."""
        row = (head.id, head.started, head.finished, head.suite, json.dumps(head.head), _packed(body))
        with self._lock, self._translated():
            self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)

    def runs(self) -> tuple[RunHead, ...]:
        """All runs, the latest first."""
        with self._lock, self._translated():
            rows = self._db.execute(
                "SELECT id, started, finished, suite, head FROM runs ORDER BY started DESC, id DESC"
            )
            return tuple(
                RunHead(id=i, started=started, finished=finished, suite=suite, head=json.loads(head))
                for i, started, finished, suite, head in rows
            )

    def run(self, name: str) -> Mapping[str, Any]:
        """The body of a run, by its id, the beginning of it, or `latest`.

        Raises InputError when there is no such run, or when several begin so.
        """
        ids = [head.id for head in self.runs()]
        found = ids[:1] if name == "latest" else [i for i in ids if i == name] or [i for i in ids if i.startswith(name)]
        if not ids:
            raise InputError("there is no run yet", hint="make one: promptforge bench")
        if len(found) != 1:
            what = f"{len(found)} runs begin with '{name}'" if found else f"no run '{name}'"
            shown = ", ".join((found or ids)[:5])
            raise InputError(what, hint=f"name one of: {shown}" + (", …" if len(found or ids) > 5 else ""))
        with self._lock, self._translated():
            body = self._db.execute("SELECT body FROM runs WHERE id = ?", found).fetchone()[0]
            found_body: Mapping[str, Any] = _unpacked(body)
            return found_body

    # --- what servers said of themselves

    def said(self, target: str) -> str:
        """What a server said of itself when it was last reached, or nothing."""
        with self._lock, self._translated():
            row = self._db.execute("SELECT said FROM servers WHERE target = ?", (target,)).fetchone()
            return row[0] if row else ""

    def put_said(self, target: str, said: str, *, at: str) -> None:
        """Keep what a server says of itself."""
        with self._lock, self._translated():
            self._db.execute("INSERT OR REPLACE INTO servers VALUES (?, ?, ?)", (target, said, at))

    # --- moving and forgetting

    def export_lines(self) -> Iterator[str]:
        """Everything as lines of JSON, for another machine."""
        yield json.dumps({"promptforge": "history", "version": _VERSION})
        for table, columns in _TABLES.items():
            with self._lock, self._translated():
                rows = self._db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            for row in rows:
                values = [_unpacked(v) if isinstance(v, bytes) else v for v in row]
                yield json.dumps({table: values}, ensure_ascii=False)

    def import_lines(self, lines: Iterable[str], *, name: str) -> tuple[int, int]:
        """Take over what is not here yet; the number of answers and of runs that were new. All of it or nothing.

        Raises InputError when a line is not one of an exported history.
        """
        before = self._counts()
        with self._lock, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for number, line in enumerate(lines, 1):
                    self._import(number, line, name)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        after = self._counts()
        return after[0] - before[0], after[1] - before[1]

    def _import(self, number: int, line: str, name: str) -> None:
        try:
            entry = json.loads(line)
            if number == 1:
                fits = entry["version"] == _VERSION and entry["promptforge"] == "history"
            else:
                ((table, values),) = entry.items()
                row = [_packed(v) if isinstance(v, dict) else str(v) for v in values]
                fits = len(row) == len(_TABLES[table])
        except (ValueError, KeyError, TypeError, AttributeError):
            fits = False
        if not fits:
            what = "is no history, or of another version of promptforge" if number == 1 else "is damaged"
            hint = "write one with: promptforge history export FILE"
            raise InputError(f"{name}:{number}: the file {what}", hint=hint)
        if number > 1:
            marks = ",".join("?" * len(row))
            self._db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)

    def prune(self, *, before: str) -> tuple[int, int]:
        """Forget runs that started before a moment (ISO 8601), and the answers older than it; how many of each."""
        was = self._counts()
        with self._lock, self._translated():
            self._db.execute("DELETE FROM runs WHERE started < ?", (before,))
            self._db.execute("DELETE FROM answers WHERE at < ?", (before,))
            self._db.execute("VACUUM")
        now = self._counts()
        return was[0] - now[0], was[1] - now[1]

    def _counts(self) -> tuple[int, int]:
        with self._lock, self._translated():
            count = [self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("answers", "runs")]
            return count[0], count[1]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            raise _translate(problem, self.path) from problem


_TABLES: Mapping[str, Sequence[str]] = {
    "answers": ("identity", "run", "at", "body"),
    "runs": ("id", "started", "finished", "suite", "head", "body"),
    "servers": ("target", "said", "at"),
}
_RIGHTS = "give yourself the right to write there, or make room"


_SMALL = 1000
"""Bytes; a smaller body is kept as it is: with many threads, handing it to zlib costs more than it saves."""


def _packed(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return text if len(text) < _SMALL else zlib.compress(text, 1)


def _unpacked(body: bytes) -> Any:
    try:
        text = body if body.startswith(b"{") else zlib.decompress(body)
        return json.loads(text.decode("utf-8", "surrogatepass"))
    except (zlib.error, ValueError) as problem:
        raise sqlite3.DatabaseError("a row is damaged") from problem


_Make = Callable[[str, str], PromptforgeError]


def _busy(place: str, said: str) -> PromptforgeError:
    return BusyError(f"{place} is held by another process", hint="wait for the other run to end, then try again")


def _full(place: str, said: str) -> PromptforgeError:
    return WriteError(f"{place}: no room left on the disk", hint="make room; every answer so far is kept")


def _no_right(place: str, said: str) -> PromptforgeError:
    return WriteError(f"{place} cannot be written: {said}", hint=_RIGHTS)


def _damaged(place: str, said: str) -> PromptforgeError:
    hint = f"move it away (mv {place} {place}.damaged): a new one is made, and its answers are asked again"
    return InputError(f"{place} is damaged: {said}", hint=hint)


_TRANSLATIONS: Sequence[tuple[type[sqlite3.Error], str, _Make]] = (
    (sqlite3.OperationalError, "locked", _busy),
    (sqlite3.OperationalError, "busy", _busy),
    (sqlite3.OperationalError, "full", _full),
    (sqlite3.OperationalError, "readonly", _no_right),
    (sqlite3.OperationalError, "unable to open", _no_right),
    (sqlite3.OperationalError, "disk I/O error", _full),
    (sqlite3.Error, "", _damaged),
)
"""SQLite's complaint, by class and word, to ours."""


def _translate(problem: sqlite3.Error, path: Path) -> PromptforgeError:
    said = str(problem)
    for kind, word, make in _TRANSLATIONS:
        if isinstance(problem, kind) and word in said:
            return make(str(path), said)
    return _damaged(str(path), said)
