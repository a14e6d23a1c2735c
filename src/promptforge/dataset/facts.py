"""What can be asked about the facts that an agent's prompt holds: forward, back, twins, hops, and what is not there."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from promptforge.dataset.invented import Inventor
from promptforge.dataset.phrasings import DIRECTIONS, Direction, Pair, Phrasings
from promptforge.dataset.seeds import Learner, Seed, called
from promptforge.model import Fact, Table, canonical, written

__all__ = ["Lore"]

Tables = Mapping[str, Table]

_NEVER = frozenset(["sensitivity", "tags", "verified"])
_IDENTIFIERS = frozenset(["port", "mac", "ip", "tailscale", "entity", "network"])
_NAMING = frozenset(["codename", "name", "alias"])
_LONGEST_ANSWER, _LONGEST_NAME = 1000, 60
_MOST_WORDS = 5
"""A value of more words is a sentence: it is told, but neither asked for nor taken for another one's."""
_NEAR: Mapping[int, int] = {0: 100, 1: 0xFFFF, 2: 255}
"""How far two numbers, MACs or addresses may be apart and still be taken for each other."""
_NEAR_LETTERS = 3
"""So many first letters two words or names share at least."""


class Lore:
    """The facts of a project, with what only all of them together tell: which value is one fact's own, what is near."""

    def __init__(self, tables: Tables, phrasings: Phrasings, *, seed: int) -> None:
        self.tables, self._phrasings, self._seed = tables, phrasings, seed
        self._own: dict[tuple[str, str], Set[str]] = {}
        self._pairs: dict[tuple[str, str, str], Pair] = {}
        self._orders: dict[str, Mapping[str, tuple[int, ...]]] = {}
        self._inventor = Inventor(tables, seed=seed)

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
            if column != "notes" and self.own(table, fact, column) and _brief(fact.values[column]):
                yield self._seed_of(learner, "inverse", fact, column)
            if other := twins[column].get(fact.id):
                yield self._seed_of(learner, "twin", fact, column, other=other)
                yield self._seed_of(learner, "confirmed", fact, column)

    def _seed_of(self, learner: Learner, direction: Direction, fact: Fact, column: str, **more: Any) -> Seed:
        asked = more.get("other") if direction == "hops" else fact
        place = (direction, asked.table if asked else "*", column)
        pair = self._pairs.get(place) or self._pairs.setdefault(place, self._phrasings.of(*place))
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
        return _nameable(fact.values.get(column)) and fact.id in self._alone(table, column)

    def _alone(self, table: Table, column: str) -> Set[str]:
        """The ids of facts whose value of a column no other fact has."""
        key = (table.name, column)
        if key not in self._own:
            kind = table.kind(column)
            having: dict[object, str] = {}
            for fact in table.facts:
                for one in _listed(fact.values.get(column)):
                    value = canonical(one, kind)
                    having[value] = "" if value in having else fact.id
            self._own[key] = frozenset(having.values())
        return self._own[key]

    # --- twins

    def _twins(self, table: Table, facts: Sequence[Fact], column: str, learner: Learner) -> Mapping[str, Fact]:
        """Fact id to the fact whose value is most easily taken for its own."""
        if column in table.key or column in _NEVER or column == "notes" or table.columns[column].ref:
            return {}
        having = [
            f for f in facts if column in learner.held[f.id] and self.own(table, f, column) and _brief(f.values[column])
        ]
        by_value = table.kind(column) in _IDENTIFIERS
        order = _order_by(column, table.kind(column)) if by_value else self._order_of_keys(table)
        places = sorted(((order(fact), fact.key, fact) for fact in having), key=lambda place: place[:2])
        found = {}
        for at, (place, _, fact) in enumerate(places):
            beside = [places[n] for n in (at - 1, at + 1) if 0 <= n < len(places)]
            near = [(_distance(place, other), twin) for other, _, twin in beside if _near(place, other)]
            if near:
                found[fact.id] = min(near, key=lambda one: one[0])[1]
        return found

    def _order_of_keys(self, table: Table) -> "_Order":
        """The order of a table's keys, worked out once for all of its columns."""
        known = self._orders.get(table.name)
        if known is None:
            order = _order_of_keys(table)
            known = self._orders[table.name] = {fact.id: order(fact) for fact in table.facts}
        return lambda fact: known[fact.id]

    # --- hops

    def _hops(self, learner: Learner, table: Table, fact: Fact, via: str) -> Iterator[Seed]:
        """From a fact through its reference to what the other one says."""
        target = self.tables.get(table.columns[via].ref) if via in table.columns else None
        other = target.by_key.get(written(fact.values[via])) if target else None
        if target is None or other is None or other.id not in learner.held:
            return
        if called(fact, table).casefold() == called(other, target).casefold():
            return  # "start at bespin and go on to bespin" asks nothing
        own = [] if _stands_in(other, target, fact, table) else [""]  # "the host of port 22 of bespin" is told already
        clues = [*own, *(c for c in learner.held[fact.id] if self._is_clue(table, fact, c))]
        for column in learner.held[other.id]:
            if column in target.key or column in _NEVER or column == "notes":
                continue
            value = other.values.get(column)
            if value is not None and _nameable(value) and _brief(value) and written(value) != called(other, target):
                for clue in clues:
                    yield self._seed_of(learner, "hops", fact, column, other=other, via=via, clue=clue)

    def _is_clue(self, table: Table, fact: Fact, column: str) -> bool:
        telling = table.kind(column) in _IDENTIFIERS or column in _NAMING
        return telling and column not in table.key and self.own(table, fact, column)

    # --- what is in no fact

    def _unknown(
        self, learner: Learner, table: Table, fact: Fact, column: str, taken: set[tuple[str, str, object]]
    ) -> Iterator[Seed]:
        value = self._inventor.value(table, fact, column, taken)
        if value:
            yield self._seed_of(learner, "unknown", fact, column, value=value)


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


def _brief(value: Any) -> bool:
    """Whether it is a value that one quotes, and no sentence."""
    text = written(value)
    return len(text.split()) <= _MOST_WORDS and not any(mark in text for mark in (";", ", "))


def _stands_in(other: Fact, target: Table, fact: Fact, table: Table) -> bool:
    """Whether what a fact is called names the other one, too."""
    return called(other, target).casefold() in called(fact, table).casefold().split()


def _unknowable(table: Table, fact: Fact, column: str) -> bool:
    telling = table.kind(column) in _IDENTIFIERS - {"network"} or column in _NAMING
    if table.kind(column) == "port" and column not in table.key:
        return False  # any number may be somebody's SSH port: to ask whose it is means nothing
    return telling and _nameable(fact.values.get(column))


# --- what is near -----------------------------------------------------------------------------------------------------

_Order = Callable[[Fact], tuple[int, ...]]


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


def _near(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether one is easily taken for the other: numbers by their difference, words by how they begin."""
    if one[0] != other[0]:
        return False
    if one[0] in _NEAR:
        return abs(one[1] - other[1]) <= _NEAR[one[0]]
    return len(one) > _NEAR_LETTERS and one[: _NEAR_LETTERS + 1] == other[: _NEAR_LETTERS + 1]


def _distance(one: Sequence[Any], other: Sequence[Any]) -> tuple[int, int]:
    """How far two places are: numbers by their difference, words by where they begin to differ."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return (0, abs(a - b)) if one[0] < 3 and at == 1 else (len(one) - at, abs(a - b))
    return (0, abs(len(one) - len(other)))
