"""What can be asked about the facts that an agent's prompt holds: forward, back, twins, hops, and what is not there."""

import ipaddress
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from promptforge.dataset.phrasings import DIRECTIONS, Direction, Phrasings
from promptforge.dataset.seeds import Learner, Seed, called
from promptforge.model import Fact, Table, canonical, written

__all__ = ["Lore"]

Tables = Mapping[str, Table]

_NEVER = frozenset(["sensitivity", "tags", "verified"])
_IDENTIFIERS = frozenset(["port", "mac", "ip", "tailscale", "entity", "network"])
_NAMING = frozenset(["codename", "name", "alias"])
_LONGEST_ANSWER, _LONGEST_NAME = 1000, 60
_FIRST = ("amber", "brass", "cedar", "copper", "dusty", "flint", "gilded", "hollow", "ivory", "mossy", "opal", "velvet")
_LAST = ("anvil", "beacon", "compass", "ferry", "harbour", "kettle", "lantern", "mirror", "otter", "quarry", "thimble")


class Lore:
    """The facts of a project, with what only all of them together tell: which value is one fact's own, what is near."""

    def __init__(self, tables: Tables, phrasings: Phrasings, *, seed: int) -> None:
        self.tables, self._phrasings, self._seed = tables, phrasings, seed
        self._counts: dict[tuple[str, str], Counter[object]] = {}
        self._known: set[object] | None = None

    def seeds(self, learner: Learner) -> Iterator[Seed]:
        """All that can be asked of an agent about the facts that it holds."""
        taken: set[tuple[str, str, object]] = set()
        for table in self.tables.values():
            facts = [fact for fact in table.facts if fact.id in learner.held]
            twins = {column: self._twins(table, facts, column, learner) for column in table.columns}
            for fact in facts:
                yield from self._of_fact(learner, table, fact, twins, taken)

    def _of_fact(
        self,
        learner: Learner,
        table: Table,
        fact: Fact,
        twins: Mapping[str, Mapping[str, Fact]],
        taken: set[tuple[str, str, object]],
    ) -> Iterator[Seed]:
        for column in learner.held[fact.id]:
            if column in _NEVER:
                continue
            if _unknowable(table, fact, column):
                yield from self._unknown(learner, table, fact, column, taken)
            if fact.values.get(column) is not None:
                yield from self._hops(learner, table, fact, column)
            if column in table.key:
                continue
            if fact.values.get(column) is None:
                if column != "notes":
                    yield self._seed_of(learner, "unset", fact, column)
                continue
            if not _tellable(fact.values[column]):
                continue
            yield self._seed_of(learner, "forward", fact, column)
            if self.own(table, fact, column):
                yield self._seed_of(learner, "inverse", fact, column)
            if other := twins[column].get(fact.id):
                yield self._seed_of(learner, "twin", fact, column, other=other)
                yield self._seed_of(learner, "confirmed", fact, column)

    def _seed_of(self, learner: Learner, direction: Direction, fact: Fact, column: str, **more: Any) -> Seed:
        asked = more.get("other") if direction == "hops" else fact
        pair = self._phrasings.of(direction, asked.table if asked else "*", column)
        return Seed(
            kind="infrastructure",
            category=DIRECTIONS[direction],
            direction=direction,
            learner=learner,
            pair=pair,
            fact=fact,
            column=column,
            file=fact.file,
            line=fact.line,
            **more,
        )

    # --- what is a fact's own

    def own(self, table: Table, fact: Fact, column: str) -> bool:
        """Whether a value is that fact's alone, among all facts of the table, also those that the agent may not see."""
        value = fact.values.get(column)
        return _nameable(value) and self._count(table, column)[canonical(value, table.kind(column))] == 1

    def _count(self, table: Table, column: str) -> Counter[object]:
        key = (table.name, column)
        if key not in self._counts:
            kind = table.kind(column)
            self._counts[key] = Counter(
                canonical(one, kind) for fact in table.facts for one in _listed(fact.values.get(column))
            )
        return self._counts[key]

    # --- twins

    def _twins(self, table: Table, facts: Sequence[Fact], column: str, learner: Learner) -> Mapping[str, Fact]:
        """Fact id to the fact whose value is most easily taken for its own."""
        if column in table.key or column in _NEVER or table.columns[column].ref:
            return {}
        having = [f for f in facts if column in learner.held[f.id] and self.own(table, f, column)]
        by_value = table.kind(column) in _IDENTIFIERS
        order = _order_by(column, table.kind(column)) if by_value else _order_of_keys(table)
        having.sort(key=lambda fact: (order(fact), fact.key))
        found = {}
        for at, fact in enumerate(having):
            beside = [having[n] for n in (at - 1, at + 1) if 0 <= n < len(having)]
            if beside:
                found[fact.id] = min(beside, key=lambda other: _distance(order(fact), order(other)))
        return found

    # --- hops

    def _hops(self, learner: Learner, table: Table, fact: Fact, via: str) -> Iterator[Seed]:
        """From a fact through its reference to what the other one says."""
        target = self.tables.get(table.columns[via].ref) if via in table.columns else None
        other = target.by_key.get(written(fact.values[via])) if target else None
        if target is None or other is None or other.id not in learner.held:
            return
        if called(fact, table).casefold() == called(other, target).casefold():
            return  # "start at bespin and go on to bespin" asks nothing
        clues = ["", *(c for c in learner.held[fact.id] if self._is_clue(table, fact, c))]
        for column in learner.held[other.id]:
            if column in target.key or column in _NEVER or column == "notes":
                continue
            if other.values.get(column) is not None and _nameable(other.values[column]):
                for clue in clues:
                    yield self._seed_of(learner, "hops", fact, column, other=other, via=via, clue=clue)

    def _is_clue(self, table: Table, fact: Fact, column: str) -> bool:
        telling = table.kind(column) in _IDENTIFIERS or column in _NAMING
        return telling and column not in table.key and self.own(table, fact, column)

    # --- what is in no fact

    def _unknown(
        self, learner: Learner, table: Table, fact: Fact, column: str, taken: set[tuple[str, str, object]]
    ) -> Iterator[Seed]:
        value = self._invented(table, fact, column, taken)
        if value:
            yield self._seed_of(learner, "unknown", fact, column, value=value)

    def _invented(self, table: Table, fact: Fact, column: str, taken: set[tuple[str, str, object]]) -> str:
        """A value of the same kind that stands in no fact of any table and is new; nothing where none is found."""
        if self._known is None:
            self._known = {key for t in self.tables.values() for key in _keys_of(t)}
        chance = random.Random(f"{self._seed} {fact.id} {column}")
        make = _MAKERS.get(table.kind(column), _words)
        for _ in range(20):
            value = make(chance, written(fact.values[column]))
            key = _folded(canonical(value, table.kind(column)))
            if value and key not in self._known and (table.name, column, key) not in taken:
                taken.add((table.name, column, key))
                return value
        return ""


# --- which values can be asked for ------------------------------------------------------------------------------------


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _tellable(value: Any) -> bool:
    """Whether it can be said in an answer."""
    if isinstance(value, (list, tuple)):
        return bool(value) and not any(isinstance(one, (list, dict)) or one is None for one in value)
    return not isinstance(value, dict) and 0 < len(written(value).strip()) <= _LONGEST_ANSWER


def _nameable(value: Any) -> bool:
    """Whether a question can name it: short, one line, one value."""
    if value is None or isinstance(value, (bool, list, tuple, dict)):
        return False
    text = written(value)
    return 0 < len(text.strip()) <= _LONGEST_NAME and len(text.splitlines()) == 1


def _unknowable(table: Table, fact: Fact, column: str) -> bool:
    telling = table.kind(column) in _IDENTIFIERS - {"network"} or column in _NAMING
    return telling and _nameable(fact.values.get(column))


def _folded(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


def _keys_of(table: Table) -> Iterator[object]:
    for fact in table.facts:
        for column, value in fact.values.items():
            kind = table.kind(column)
            for one in _listed(value):
                if not isinstance(one, dict):
                    yield _folded(canonical(one, kind))
                    yield _folded(written(one))


# --- what is near -----------------------------------------------------------------------------------------------------

_Order = Callable[[Fact], tuple[str, ...] | tuple[int, ...]]


def _sortable(value: object, kind: str) -> tuple[int, ...]:
    """Numbers, MACs and addresses by their number, words by their letters."""
    known = canonical(value, kind)
    if isinstance(known, (int, float)) and not isinstance(known, bool):
        return (0, int(known))
    text = str(known)
    if kind == "mac" and re.fullmatch(r"[0-9a-f]{12}", text):
        return (1, int(text, 16))
    if kind in ("ip", "tailscale"):
        try:
            return (2, int(ipaddress.ip_address(text)))
        except ValueError:
            pass
    return (3, *text.casefold().encode("utf-8", "surrogatepass")[:40])


def _order_by(column: str, kind: str) -> _Order:
    return lambda fact: _sortable(fact.values[column], kind)


def _order_of_keys(table: Table) -> _Order:
    """By the numbers of a key before its names: port 1337 is next to 1338, whatever the host."""

    def order(fact: Fact) -> tuple[int, ...]:
        parts = [_sortable(fact.values.get(column), table.kind(column)) for column in table.key]
        return tuple(number for part in sorted(parts, key=lambda part: part[0]) for number in part)

    return order


def _distance(one: Sequence[Any], other: Sequence[Any]) -> tuple[int, int]:
    """How far two places are: numbers by their difference, words by where they begin to differ."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return (0, abs(a - b)) if one[0] < 3 and at == 1 else (len(one) - at, abs(a - b))
    return (0, abs(len(one) - len(other)))


# --- what is invented -------------------------------------------------------------------------------------------------


def _port(chance: random.Random, like: str) -> str:
    near = int(like) + chance.choice([1, -1, 10, -10, 100, 111, 1000, -1000]) if like.isdigit() else 0
    return str(near if 0 < near < 65536 and chance.random() < 0.5 else chance.randrange(1024, 65536))


def _mac(chance: random.Random, like: str) -> str:
    """The last octets changed, spelled like its model."""
    digits = [at for at, char in enumerate(like) if char in "0123456789abcdefABCDEF"]
    if len(digits) != 12:
        return ""
    chars, upper = list(like), any(char.isupper() for char in like)
    for at in digits[-chance.choice([2, 2, 4]) :]:
        digit = f"{chance.randrange(16):x}"
        chars[at] = digit.upper() if upper else digit
    return "".join(chars)


def _ip(chance: random.Random, like: str) -> str:
    head, dot, _ = like.rpartition(".")
    if dot:
        return f"{head}.{chance.randrange(2, 255)}"
    head, colon, _ = like.rpartition(":")
    return f"{head}:{chance.randrange(2, 65535):x}" if colon else ""


def _entity(chance: random.Random, like: str) -> str:
    return f"{like.partition('.')[0]}.{chance.choice(_FIRST)}_{chance.choice(_LAST)}"


def _words(chance: random.Random, like: str) -> str:
    """Two words, written as its model is."""
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    number = f"-{chance.randrange(10, 10_000)}" if any(char.isdigit() for char in like) else ""
    if like[:1].islower():
        return f"{first}-{last}{number}"
    return f"{first.capitalize()} {last.capitalize()}{number.replace('-', ' ')}"


_MAKERS: Mapping[str, Callable[[random.Random, str], str]] = {
    "port": _port,
    "mac": _mac,
    "ip": _ip,
    "tailscale": _ip,
    "entity": _entity,
}
