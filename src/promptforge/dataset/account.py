"""What came of a recipe: how many rows of each kind, what was missing, what was left out and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptforge.dataset.replayed import Broken
from promptforge.dataset.rows import Kind, Split

__all__ = ["REASONS", "Account"]

REASONS: Mapping[str, str] = {
    "expected": "print what a written case expects",
    "alike": "ask nearly what a written case asks",
    "fact": "would rest on a fact that has its share of the rows already",
    "tied": "would tie so many facts together that the split could not part them",
    "twice": "say what another row says, word for word",
    "clearance": "hold what the model may not see, or the agent is not told",
    "text": "cannot be rendered",
}
"""Why a row was left out, by the word that counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The books of a dataset: nothing that was asked for and is not there goes unsaid."""

    asked: int
    """Rows that the recipe asks for."""
    rows: int
    """Rows that were made; fewer only where a kind is short, and then every kind is."""
    kinds: Mapping[Kind, int]
    supply: Mapping[Kind, int]
    """Of kinds that were short: how many rows they can give."""
    categories: Mapping[tuple[Kind, str], int]
    sides: Mapping[Split, int] = field(default_factory=dict)
    sides_by_kind: Mapping[tuple[Split, Kind], int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    """By the words of REASONS."""
    cases: Mapping[str, int] = field(default_factory=dict)
    """Written cases that rows would have given away, and how many."""
    broken: tuple[Broken, ...] = ()
    """The first lines of replay files that are no rows."""
    broken_count: int = 0
    replay_rows: int = 0
    """Sound lines of the replay files."""
    most_of_a_fact: tuple[str, int] = ("", 0)
    """The fact that the most rows rest on, and how many."""
    notes: tuple[str, ...] = ()
    """What was missing and what was done about it; what weak categories were given; one sentence each."""
    paraphrased: int = 0
    paraphrases_dropped: Mapping[str, int] = field(default_factory=dict)
    """Why, and how many: their rows keep the wording of their template."""
