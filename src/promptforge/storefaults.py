"""SQLite's complaints in our terms: what happened to the history, and what to do."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from promptforge.errors import BusyError, InputError, PromptforgeError, WriteError
from promptforge.storerows import RowError

__all__ = ["RIGHTS", "UNREADABLE", "translated"]

RIGHTS = "give yourself the right to write there, or make room"
"""What to do where the history cannot be written."""
UNREADABLE = "it is its owner's alone, since prompts and answers may hold private facts: ask for the right to read it"
"""What to do where the history cannot be read either."""
_Make = Callable[[str, str], PromptforgeError]


def translated(problem: sqlite3.Error | RowError, path: Path) -> PromptforgeError:
    """The error to raise from one of SQLite's, or from a row that cannot be read."""
    said = str(problem)
    for kind, word, make in _TRANSLATIONS:
        if isinstance(problem, kind) and word in said:
            return make(str(path), said)
    return _damaged(str(path), said)


def _busy(place: str, said: str) -> PromptforgeError:
    return BusyError(f"{place} is held by another process", hint="wait for the other run to end, then try again")


def _full(place: str, said: str) -> PromptforgeError:
    return WriteError(f"{place}: no room left on the disk", hint="make room; every answer so far is kept")


def _no_right(place: str, said: str) -> PromptforgeError:
    return WriteError(f"{place} cannot be written: {said}", hint=RIGHTS)


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
