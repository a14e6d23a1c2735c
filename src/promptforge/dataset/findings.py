"""What an audit finds: places, findings, and the audit with its verdict. Nothing here reads or writes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from promptforge.dataset.rows import KINDS, Kind, Share

__all__ = [
    "DEFAULT_LIMITS",
    "SHOWN",
    "Audit",
    "FileSeen",
    "Finding",
    "Length",
    "Level",
    "Limits",
    "Place",
    "Skewed",
    "Tally",
    "TrainerLimit",
    "Word",
]

SHOWN = 20
"""So many places of a kind are kept and shown; all are counted."""

Level = Literal["refuse", "flag", "note"]
Word = Literal["fine", "flagged", "refused"]


class Place(NamedTuple):
    """A row of a file, and what of it."""

    file: str
    line: int
    what: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f": {self.what}" if self.what else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an audit has to say."""

    rule: str
    """Its name, for programs: `kind.identity.most`, `contamination.fact`."""
    level: Level
    """What it does to the verdict: refuse, flag, or nothing."""
    text: str
    """In words, with the numbers."""
    limit: str = ""
    """What it is held against, and where that comes from."""
    hint: str = ""
    count: int = 0
    places: tuple[Place, ...] = ()
    """The first of them."""


class Tally:
    """Counts what is found by rule, and keeps the first places of each."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.places: dict[str, list[Place]] = {}

    def add(self, rule: str, file: str, line: int, what: str = "") -> None:
        """One more."""
        seen = self.counts.get(rule, 0)
        self.counts[rule] = seen + 1
        if seen < SHOWN:
            self.places.setdefault(rule, []).append(Place(file, line, what))

    def count(self, rule: str) -> int:
        """How many there are of a rule."""
        return self.counts.get(rule, 0)

    def at(self, rule: str) -> tuple[Place, ...]:
        """The first places of a rule."""
        return tuple(self.places.get(rule, ()))

    def under(self, prefix: str) -> tuple[str, ...]:
        """The rules whose names start so, in order of first sight."""
        return tuple(rule for rule in self.counts if rule.startswith(prefix))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a set is held against."""

    kinds: Mapping[Kind, Share]
    knowledge: float = 0.35
    """The least share of infrastructure and domain together; 0 asks for none."""
    max_share_per_fact: float = 0.02
    exact: float = 0.01
    """The largest share of rows that are exact copies of an earlier one."""
    near: float = 0.20
    """The largest share of rows that have a near duplicate."""
    source: str = "promptforge's defaults"
    """Where the limits of the kinds come from: a recipe's file, or the defaults."""
    batch_size: int = 4
    near_rows: int = 200_000
    """Near duplicates are looked for among so many rows; beyond them nothing is said."""
    exact_rows: int = 2_000_000


DEFAULT_LIMITS = Limits(
    kinds={
        "identity": Share(0.0, 0.30),
        "infrastructure": Share(),
        "domain": Share(),
        "jailbreak": Share(0.03, 0.15),
        "replay": Share(0.10, 1.0),
    }
)
"""Adjustable, and unproven but for the founder's own table: see docs/how-to/audit.md."""


class TrainerLimit(NamedTuple):
    """Where a trainer cuts a row."""

    trainer: str
    tokens: int
    why: str
    """`mlx_lm's default (max_seq_length)`, `the recipe's max_seq_length`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """What rows cost in tokens, and what a trainer would cut."""

    tokenizer: str
    exact: bool
    margin: str = ""
    counted: int = 0
    """Rows that were counted; of the others only a bound is known, which is below every limit."""
    longest: int = 0
    longest_at: Place | None = None
    median: int = 0
    p95: int = 0
    over: Mapping[str, int] = field(default_factory=dict)
    """By trainer how many rows are longer than its limit."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """By trainer how many answers would be cut off whole."""
    limits: tuple[TrainerLimit, ...] = ()
    places: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)


class Skewed(NamedTuple):
    """A fact or an identifier that many rows rest on."""

    name: str
    rows: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeen:
    """A file that was read."""

    file: str
    split: str
    """train, valid or test by its name, or nothing."""
    rows: int
    shapes: Mapping[str, int]
    """Rows by their shape."""
    set_aside: int = 0
    """Rows that could not be read."""
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All that is said of a set of rows."""

    files: tuple[FileSeen, ...]
    rows: int
    kinds: Mapping[Kind, int]
    rules: Mapping[str, int]
    """Which rule said of how many rows of which kind they are: `identity: asks who you are`."""
    limits: Limits
    findings: tuple[Finding, ...]
    """Those that refuse first, then those that flag, then notes."""
    compared: tuple[str, ...]
    """What was looked at, in words."""
    unchecked: tuple[str, ...]
    """What was not, and why."""
    length: Length | None
    skew: tuple[Skewed, ...]
    exact: int = 0
    near: int | None = None
    """None where it was not checked."""
    recipe: str = ""
    model: str = ""
    trainer: str = ""

    @property
    def word(self) -> Word:
        """The verdict."""
        levels = {finding.level for finding in self.findings}
        return "refused" if "refuse" in levels else "flagged" if "flag" in levels else "fine"

    def share(self, kind: Kind) -> float:
        """The share of a kind among all rows."""
        return self.kinds.get(kind, 0) / self.rows if self.rows else 0.0

    def of(self, levels: Iterable[Level]) -> tuple[Finding, ...]:
        """The findings of some levels."""
        wanted = frozenset(levels)
        return tuple(finding for finding in self.findings if finding.level in wanted)

    @property
    def shares(self) -> tuple[tuple[Kind, int, float], ...]:
        """Every kind with its rows and their share."""
        return tuple((kind, self.kinds.get(kind, 0), self.share(kind)) for kind in KINDS)
