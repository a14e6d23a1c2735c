"""The history: every answer as it arrived, and every run. Owns sqlite3, with `storefile` and `storefaults`.

One file, `.promptforge/history.db`, readable by its owner alone: prompts and answers may hold private facts. An answer
is kept the moment it arrives, so that a killed run costs at most the requests in flight. Safe for several threads and
for several processes at once.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from promptforge.errors import InputError, WriteError
from promptforge.storefaults import translated
from promptforge.storefile import PATIENCE_S, VERSION, connect, number_of
from promptforge.storerows import Crowning, NightRow, RowError, RunHead, StoredAnswer, begins_id, packed, read, unpacked

__all__ = ["HISTORY", "Crowning", "NightRow", "RunHead", "Store", "StoredAnswer"]

HISTORY = ".promptforge/history.db"
_PUT = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)"
_LAST_LOOK = "max(coalesce(max(look), 0), count(*))"
"""Looks of two machines may have one number: all of them count."""


class Store:
    """An open history. Raises PromptforgeError, never an error of SQLite's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with self._translated():
            self._db = connect(path)
        self._number = number_of(path)

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
                found.update((i, StoredAnswer(run=run, at=at, body=unpacked(body))) for i, run, at, body in rows)
        return found

    def put(self, identity: str, body: Mapping[str, Any], *, run: str, at: str) -> None:
        """Keep an answer, now."""
        self.put_all([(identity, at, body)], run=run)

    def put_all(
        self, answers: Sequence[tuple[str, str, Mapping[str, Any]]], *, run: str, patience_s: float = PATIENCE_S
    ) -> None:
        """Keep (identity, time, body) of answers, now: all of them or none.

        Raises BusyError where another process holds the file longer than `patience_s`.
        """
        rows = [(identity, run, at, packed(body)) for identity, at, body in answers]
        with self._writing(), self._patient(patience_s):
            if len(rows) == 1:
                self._db.execute(_PUT, rows[0])
            elif rows:
                with self._at_once():
                    self._db.executemany(_PUT, rows)

    def forget(self, identities: Sequence[str]) -> None:
        """Drop answers, so that they are asked again."""
        with self._writing():
            self._db.executemany("DELETE FROM answers WHERE identity = ?", [(i,) for i in identities])

    # --- runs

    def put_run(self, head: RunHead, body: Mapping[str, Any]) -> None:
        """Keep a run, or what there is of it so far."""
        row = (head.id, head.started, head.finished, head.suite, json.dumps(head.head), packed(body))
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)

    def runs(self) -> tuple[RunHead, ...]:
        """All runs, the latest first."""
        with self._lock, self._translated():
            rows = self._db.execute(
                "SELECT id, started, finished, suite, head FROM runs ORDER BY started DESC, id DESC"
            )
            return tuple(
                RunHead(id=i, started=started, finished=finished, suite=suite, head=read(head))
                for i, started, finished, suite, head in rows
            )

    def run(self, name: str) -> Mapping[str, Any]:
        """The body of a run, by its id, the beginning of it (2026-11-20 is one, too), or `latest`.

        Raises InputError when there is no such run, or when several begin so.
        """
        if (body := self._body_of(name)) is not None:  # whoever reads all runs must not list all of them for each
            return body
        ids = [head.id for head in self.runs()]
        found = ids[:1] if name == "latest" else [i for i in ids if begins_id(name, i)]
        if not ids:
            raise InputError("there is no run yet", hint="make one: promptforge bench")
        if len(found) != 1:
            what = f"{len(found)} runs begin with '{name}'" if found else f"no run '{name}'"
            shown = ", ".join((found or ids)[:5])
            raise InputError(what, hint=f"name one of: {shown}" + (", …" if len(found or ids) > 5 else ""))
        if (body := self._body_of(found[0])) is None:
            raise InputError(f"the run {found[0]} was deleted just now", hint="name another one")
        return body

    def _body_of(self, id_: str) -> Mapping[str, Any] | None:
        with self._lock, self._translated():
            row = self._db.execute("SELECT body FROM runs WHERE id = ?", (id_,)).fetchone()
            body: Mapping[str, Any] | None = unpacked(row[0]) if row else None
            return body

    # --- what servers said of themselves

    def said(self, target: str) -> str:
        """What a server said of itself when it was last reached, or nothing."""
        with self._lock, self._translated():
            row = self._db.execute("SELECT said FROM servers WHERE target = ?", (target,)).fetchone()
            return row[0] if row else ""

    def put_said(self, target: str, said: str, *, at: str) -> None:
        """Keep what a server says of itself."""
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO servers VALUES (?, ?, ?)", (target, said, at))

    # --- champions and looks

    def crown(
        self, model: str, action: str, body: Mapping[str, Any], *, at: str, category: str = "", after: int | None = None
    ) -> bool:
        """Write down who is champion from now on: one row, there wholly or not at all, and never changed.

        With `after`, the number of the last change that the caller knows of (0: none), only where there was none
        since; false where there was one. Of two processes that know of the same one, one is refused.
        """
        row = (model, category, at, action, json.dumps(body, ensure_ascii=False), after)
        with self._writing():
            done = self._db.execute(
                "INSERT INTO champions (model, category, at, action, body) SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?6 IS NULL"
                " OR ?6 = (SELECT coalesce(max(number), 0) FROM champions WHERE model = ?1 AND category = ?2)",
                row,
            )
        return done.rowcount == 1

    def crownings(self) -> tuple[Crowning, ...]:
        """Every change of a champion, the oldest first."""
        with self._lock, self._translated():
            rows = self._db.execute("SELECT number, model, category, at, action, body FROM champions ORDER BY number")
            return tuple(
                Crowning(number=number, model=model, category=category, at=at, action=action, body=read(body))
                for number, model, category, at, action, body in rows
            )

    def look(self, suite: str, digest: str, evidence: str) -> int:
        """Which look at a suite of that digest this evidence is: the one it was, or the next one. Counts nothing."""
        with self._lock, self._translated():
            if known := self._known_look(suite, digest, evidence):
                return known
            last = self._db.execute(f"SELECT {_LAST_LOOK} FROM looks WHERE suite = ? AND digest = ?", (suite, digest))
            return int(last.fetchone()[0]) + 1

    def put_look(self, suite: str, digest: str, evidence: str, *, at: str) -> int:
        """Count a look at a suite, once for the same evidence; which one it is.

        In one transaction: of two processes that judge at once, no two have the same look.
        """
        with self._writing(), self._at_once():
            self._db.execute(
                f"INSERT OR IGNORE INTO looks SELECT ?1, ?2, ?3, {_LAST_LOOK} + 1, ?4 FROM looks"
                " WHERE suite = ?1 AND digest = ?2",
                (suite, digest, evidence, at),
            )
            return self._known_look(suite, digest, evidence)

    def _known_look(self, suite: str, digest: str, evidence: str) -> int:
        """The number of a look that was counted; 0 where it was not."""
        where = "suite = ? AND digest = ? AND evidence = ?"
        found = self._db.execute(f"SELECT look FROM looks WHERE {where}", (suite, digest, evidence)).fetchone()
        return int(found[0]) if found else 0

    # --- nights

    def begin_night(self, recipe: str, inputs: str, *, at: str) -> int:
        """Begin a night; its number."""
        row = (recipe, inputs, at)
        with self._writing():
            columns = "(recipe, inputs, started, finished, outcome, body)"
            done = self._db.execute(f"INSERT INTO nights {columns} VALUES (?, ?, ?, '', '', '{{}}')", row)
            return int(done.lastrowid or 0)

    def put_night(self, row: NightRow) -> None:
        """Keep how far a night is, or how it ended."""
        values = (row.finished, row.outcome, json.dumps(row.body), row.number)
        with self._writing():
            self._db.execute("UPDATE nights SET finished = ?, outcome = ?, body = ? WHERE number = ?", values)

    def nights(self) -> tuple[NightRow, ...]:
        """All nights, the latest first."""
        columns = "number, recipe, inputs, started, finished, outcome, body"
        with self._lock, self._translated():
            rows = self._db.execute(f"SELECT {columns} FROM nights ORDER BY number DESC")
            names = columns.split(", ")
            return tuple(NightRow(**{**dict(zip(names, row, strict=True)), "body": read(row[-1])}) for row in rows)

    # --- moving and forgetting

    def export_lines(self) -> Iterator[str]:
        """Everything as lines of JSON, for another machine."""
        yield json.dumps({"promptforge": "history", "version": VERSION})
        for table, columns in _TABLES.items():
            with self._lock, self._translated():
                rows = self._db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            for row in rows:
                with self._translated():
                    values = [unpacked(v) if isinstance(v, bytes) else v for v in row]
                yield json.dumps({table: values}, ensure_ascii=False)

    def import_lines(self, lines: Iterable[str], *, name: str) -> tuple[int, int]:
        """Take over what is not here yet; the number of answers and of runs that were new. All of it or nothing.

        Raises InputError when a line is not one of an exported history.
        """
        before = self._counts()
        with self._writing(), self._at_once():
            for number, line in enumerate(lines, 1):
                self._import(number, line, name)
        after = self._counts()
        return after[0] - before[0], after[1] - before[1]

    def _import(self, number: int, line: str, name: str) -> None:
        try:
            entry = json.loads(line)
            if number == 1:
                fits = entry["version"] in range(1, VERSION + 1) and entry["promptforge"] == "history"
            else:
                ((table, values),) = entry.items()
                row = [packed(v) if isinstance(v, dict) else str(v) for v in values]
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
        with self._writing():
            self._db.execute("DELETE FROM runs WHERE started < ?", (before,))
            self._db.execute("DELETE FROM answers WHERE at < ?", (before,))
            self._db.execute("VACUUM")
        now = self._counts()
        return was[0] - now[0], was[1] - now[1]

    def _counts(self) -> tuple[int, int]:
        with self._writing():
            count = [self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("answers", "runs")]
            return count[0], count[1]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """What is written into a file that was removed is lost when it is closed, and nobody says so: look first."""
        with self._lock, self._translated():
            if number_of(self.path) != self._number:
                hint = "run the same command again: what was answered since it began is asked anew"
                raise WriteError(f"{self.path} was removed or replaced while it was in use", hint=hint)
            yield

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """A transaction: all that is done in it or nothing, and nobody else writes meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # it may have been rolled back already
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _patient(self, patience_s: float) -> Iterator[None]:
        """How long another process may hold the file meanwhile."""
        if patience_s == PATIENCE_S:
            yield
            return
        self._db.execute(f"PRAGMA busy_timeout = {int(1000 * patience_s)}")
        try:
            yield
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {int(1000 * PATIENCE_S)}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, RowError) as problem:
            raise translated(problem, self.path) from problem


_TABLES: Mapping[str, Sequence[str]] = {
    "answers": ("identity", "run", "at", "body"),
    "runs": ("id", "started", "finished", "suite", "head", "body"),
    "servers": ("target", "said", "at"),
    "looks": ("suite", "digest", "evidence", "look", "at"),
}
"""What moves to another machine: not the champions, whose adapters stay where they are."""
