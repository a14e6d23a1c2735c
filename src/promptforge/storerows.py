"""What the history holds, as values: an answer, a run, a change of a champion, a night."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Crowning", "NightRow", "RunHead", "StoredAnswer"]


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
