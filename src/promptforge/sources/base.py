"""What every source has in common: facts as they were seen, with where they stood and what tells one from another.

A reader executes nothing and fetches nothing: it is given files. What it reads may be written by anybody (the name of a
guest's phone, the banner of a service), so nothing of it is trusted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from promptforge.errors import InputError

__all__ = ["Observation", "Seen", "Source", "SourceError"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A fact as a source shows it."""

    table: str
    """Where it would go: hosts, ports, devices, entities, or a table of a mapping's own."""
    key: str
    """What it would be called; unique in its table within one observation."""
    values: Mapping[str, Any]
    """Column to value, in the forms of knowledge files; what the source does not say is not there."""
    identity: tuple[tuple[str, str], ...] = ()
    """What stays the same when its name changes, the surest first: ("unique_id", …), ("mac", …), …"""
    place: str = ""
    """Where it stands in the dump: `states.json:17` or `status.json#/Peer/2`."""
    noise: str = ""
    """Why it is left out unless everything is asked for: `diagnostic entity`, `container bridge`; empty: it is not."""
    cleaned: tuple[str, ...] = ()
    """What was taken out of its texts, in words: `name: 2 invisible characters`."""
    guesses: Mapping[str, Any] = field(default_factory=dict)
    """Column to value that a new fact may start with, and that a known one is never compared with: a process's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one reading of a source saw."""

    source: str
    """The name of the source: tailscale, homeassistant, …"""
    files: tuple[str, ...]
    seen: tuple[Seen, ...]
    at: str = ""
    """The day of the dump, ISO 8601, where it says so."""
    whole: frozenset[str] = field(default=frozenset())
    """Tables of which it would show every fact that is there now; of the others absence means nothing."""
    notes: tuple[str, ...] = ()
    """What a person should know: lines that were passed over, with their reason."""
    within: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """Table to column to values: of a whole table, every fact that has these; the sockets of one host, by tcp."""


class SourceError(InputError):
    """A dump that cannot be read: the file, the place, the reason, and how it is made rightly."""


class Source(Protocol):
    """A kind of dump."""

    name: str
    """As the command line calls it."""
    about: str
    """One line, with the command that makes the dump."""
    options: tuple[str, ...]
    """What may be said beside the files, by its name: `host`."""

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """What the files show. Raises SourceError."""
