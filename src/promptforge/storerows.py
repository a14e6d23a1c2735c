"""What the history holds, as values: an answer, a run, a change of a champion, a night; and its bodies as bytes."""

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Crowning", "NightRow", "RowError", "RunHead", "StoredAnswer", "begins_id", "packed", "read", "unpacked"]

_SMALL = 1000
"""Bytes; a smaller body is kept as it is: with many threads, handing it to zlib costs more than it saves."""
_DAY = re.compile(r"^(\d{4})-(\d\d)(?:-(\d\d))?")
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class RowError(ValueError):
    """A row that promptforge did not write so."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowning:
    """A change of a champion, as it is kept for ever."""

    number: int
    """Counted from 1 over all models."""
    model: str
    category: str
    """Empty: for all of them."""
    at: str
    action: str
    """`promote` or `rollback`."""
    body: Mapping[str, Any]
    """Who it is from now on: adapter, digest, run, why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightRow:
    """A night, as it is kept."""

    number: int
    recipe: str
    inputs: str
    started: str
    finished: str
    """Empty where it did not end."""
    outcome: str
    body: Mapping[str, Any]


def begins_id(name: str, id_: str) -> bool:
    """Whether a name is the beginning of a run's id, or of its day as people write it.

    >>> [begins_id(name, "20261120T101010-ab12") for name in ("2026-11", "2026-11-20", "20261120T10", "2026-11-21")]
    [True, True, True, False]
    """
    return id_.startswith((name, _DAY.sub(r"\1\2\3", name)))


def packed(body: Mapping[str, Any]) -> bytes:
    """A body as the history keeps it: JSON, compressed where that saves something."""
    text = _COMPACT.encode(body).encode("utf-8", "surrogatepass")
    return text if len(text) < _SMALL else zlib.compress(text, 1)


def unpacked(body: bytes) -> Any:
    """What `packed` was given. Raises RowError."""
    try:
        text = body if body.startswith(b"{") else zlib.decompress(body)
    except zlib.error as problem:
        raise RowError("a row is damaged") from problem
    return read(text)


def read(text: str | bytes) -> Any:
    """What a text of JSON says, half a character of UTF-16 in it or not. Raises RowError."""
    try:
        return json.loads(text if isinstance(text, str) else text.decode("utf-8", "surrogatepass"))
    except ValueError as problem:
        raise RowError("a row is damaged") from problem
