"""What a source shows held against the facts: what is new, what differs and how, what is gone, what is in doubt.

Values are compared in their canonical form: a MAC in any spelling is the same MAC. Columns that a fact does not have
are no difference, only something that could be added.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptforge.model import Fact, Table, canonical, written
from promptforge.sources.base import Observation, Seen
from promptforge.workbench.identities import CALLED, Register, is_kept
from promptforge.workbench.matching import Match, Names, match

__all__ = ["Difference", "Held", "clashes", "compare_columns", "hold"]

_OTHER_NAMES = {"ip": "lan_ip", "lan_ip": "ip"}
"""One column in two tables: what DHCP shows as a device may be a host of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A fact that a source shows otherwise."""

    fact: Fact
    seen: Seen
    by: str
    """What told that it is this fact."""
    columns: Mapping[str, tuple[Any, Any]]
    """Column to the value of the project and that of the source."""
    unset: Mapping[str, Any]
    """Columns that the project leaves open, and what the source says."""
    new_key: str = ""
    """Where it is called otherwise now: its key there."""
    doubtful: bool = False
    """Whether only its name says that it is this fact, and its MAC says that it is not."""

    @property
    def differs(self) -> bool:
        """Whether the project says something else than the source."""
        return bool(self.columns or self.new_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One observation, held against the facts of a project."""

    observation: Observation
    new: tuple[Match, ...] = ()
    """Facts that no table has; some of them name what is in no table (`held`)."""
    differences: tuple[Difference, ...] = ()
    same: int = 0
    """How many facts are as they are shown."""
    doubtful: tuple[Match, ...] = ()
    not_seen: tuple[Fact, ...] = ()
    """Facts that the source would show if they were there."""
    noise: Mapping[str, int] = field(default_factory=dict)
    """What was left out of the new ones, by its reason."""
    cleaned: tuple[tuple[str, str], ...] = ()
    """Texts out of which something was taken: the place, and what."""
    ids: Register = field(default_factory=dict)
    """By fact what the source calls it, to be kept; those of new facts by the key that they would have."""
    met: frozenset[str] = frozenset()
    """The facts that were seen, by id."""
    shown: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By fact the columns that the source speaks of."""
    accepted: tuple[str, ...] = ()
    """Facts, and what is none, of which something differs and is known to: not among the others."""


def hold(tables: Mapping[str, Table], observation: Observation, register: Register, *, everything: bool) -> Held:
    """Hold what a source shows against the facts; with `everything` noise is taken for facts, too."""
    matches = match(tables, observation.seen, register, everything=everything)
    known = [one for one in matches if one.fact is not None]
    new = [one for one in matches if one.is_new and (everything or not one.seen.noise)]
    noise = Counter(one.seen.noise for one in matches if one.is_new and one.seen.noise and not everything)
    met = frozenset(one.fact.id for one in known if one.fact is not None)
    not_seen = tuple(_not_seen(tables, observation, met, matches))
    moved, new, not_seen = _moved(new, not_seen)
    differences = [*(_compared(tables, one, register) for one in known), *moved]
    doubts = [one for one in matches if one.doubt and (everything or not one.seen.noise)]
    taken = {id(one.seen) for one in (*known, *new, *doubts)} | {id(one.seen) for one in moved}
    cleaned = [(one.seen.place, words) for one in matches for words in one.seen.cleaned if id(one.seen) in taken]
    return Held(
        observation=observation,
        new=tuple(new),
        differences=tuple(_once(one for one in differences if one.differs or one.unset)),
        same=len(met) - len({one.fact.id for one in differences if (one.differs or one.unset) and one.by != "service"}),
        doubtful=tuple(doubts),
        not_seen=not_seen,
        noise=dict(sorted(noise.items())),
        cleaned=tuple(cleaned),
        ids=_ids(known, new),
        met=met,
        shown={one.fact.id: frozenset(one.seen.values) for one in known if one.fact is not None},
    )


def _once(differences: Iterator[Difference]) -> Iterator[Difference]:
    """Each fact once, also where a source shows it twice alike."""
    seen: set[str] = set()
    for one in differences:
        if one.fact.id not in seen:
            seen.add(one.fact.id)
            yield one


# --- one fact ---------------------------------------------------------------------------------------------------------


def _compared(tables: Mapping[str, Table], one: Match, register: Register) -> Difference:
    assert one.fact is not None
    table = tables[one.fact.table]
    differing, unset = compare_columns(table, one.fact, one.seen)
    new_key = "" if one.seen.table != table.name else _renamed(one.fact, one.seen, one.by, register)
    return Difference(fact=one.fact, seen=one.seen, by=one.by, columns=differing, unset=unset, new_key=new_key)


def compare_columns(table: Table, fact: Fact, seen: Seen) -> tuple[dict[str, tuple[Any, Any]], dict[str, Any]]:
    """What differs, and what the fact leaves open."""
    differing: dict[str, tuple[Any, Any]] = {}
    unset: dict[str, Any] = {}
    elsewhere = seen.table != table.name
    for name, value in seen.values.items():
        column = _OTHER_NAMES.get(name, name) if elsewhere and name not in table.declared else name
        if value is None or column in table.key or (elsewhere and (column not in table.declared or column == "name")):
            continue
        mine = fact.values.get(column)
        if mine is None:
            unset[column] = value
        elif not _is_equal(mine, value, table.kind(column)):
            differing[column] = (mine, value)
    return differing, unset


def _is_equal(mine: Any, theirs: Any, kind: str) -> bool:
    if isinstance(mine, list) and not isinstance(theirs, list):
        return any(_is_equal(one, theirs, kind) for one in mine)
    if isinstance(mine, list) and isinstance(theirs, list):
        return [canonical(one, kind) for one in mine] == [canonical(one, kind) for one in theirs]
    return canonical(mine, kind) == canonical(theirs, kind)


def _renamed(fact: Fact, seen: Seen, by: str, register: Register) -> str:
    """Its key there, where the source gave it another name since; a name of our own for it stays."""
    if not is_kept(by) or seen.key == fact.key:
        return ""
    ids = register.get(fact.id, {})
    if fact.table != "entities" and by in ids and ids.get(CALLED, fact.key) == seen.key:
        return ""  # it was called so before, and we call it otherwise
    if fact.table != "entities" and CALLED in ids:
        return ""  # we never called it as the source does
    return seen.key


def clashes(tables: Mapping[str, Table], differences: Sequence[Difference]) -> Iterator[tuple[str, str]]:
    """The facts, by id, whose new key is that of another fact which keeps it, with this in words."""
    leaving = {(one.fact.table, one.fact.key) for one in differences if one.new_key}
    taken: dict[tuple[str, str], str] = {}
    for one in differences:
        place = one.fact.table, one.new_key
        is_taken = taken.setdefault(place, one.fact.id) != one.fact.id
        if one.new_key and (is_taken or (one.new_key in tables[place[0]].by_key and place not in leaving)):
            yield one.fact.id, f"{one.fact.table} has a fact called '{one.new_key}' already"


def _ids(known: Sequence[Match], new: Sequence[Match]) -> Register:
    kept: dict[str, dict[str, str]] = {}
    for one in (*known, *new):
        ids = {kind: value for kind, value in one.seen.identity if is_kept(kind) and kind not in one.seen.values}
        if not ids:
            continue
        key = one.fact.key if one.fact is not None else one.seen.key
        if one.fact is not None and one.fact.table != one.seen.table:
            continue
        kept[f"{one.seen.table}/{key}"] = ids | ({CALLED: one.seen.key} if key != one.seen.key else {})
    return kept


# --- what is not there ------------------------------------------------------------------------------------------------


def _not_seen(
    tables: Mapping[str, Table], observation: Observation, met: frozenset[str], matches: Sequence[Match]
) -> Iterator[Fact]:
    """The facts of whole tables that nothing seen is, and nothing seen may be."""
    perhaps = {fact.id for one in matches for fact in one.perhaps}
    names = Names(tables)
    for one in matches:
        if one.fact is not None and one.fact.table == one.seen.table:
            names.learn(one.seen, one.fact.key)
    for name in sorted(observation.whole & tables.keys()):
        table = tables[name]
        within = {
            column: {_named(names, table, column, value) for value in values}
            for column, values in observation.within.get(name, {}).items()
        }
        for fact in table.facts:
            inside = all(_text(table, fact.values.get(column), column) in values for column, values in within.items())
            if inside and fact.id not in met and fact.id not in perhaps:
                yield fact


def _named(names: Names, table: Table, column: str, value: object) -> str:
    ref = table.columns[column].ref if column in table.columns else ""
    return _text(table, (names.key(ref, value) if ref else None) or value, column)


def _text(table: Table, value: object, column: str) -> str:
    return written(canonical(value, table.kind(column)))


def _moved(new: list[Match], not_seen: tuple[Fact, ...]) -> tuple[list[Difference], list[Match], tuple[Fact, ...]]:
    """A service that is not where it was and, by its name, listens on another port of its host: one fact, not two."""
    come: dict[tuple[str, str], list[Match]] = {}
    for one in new:
        for place in _places(one.seen.table, one.seen.values.get("host"), [one.seen.values, one.seen.guesses]):
            come.setdefault(place, []).append(one)
    gone: dict[tuple[str, str], list[Fact]] = {}
    for fact in not_seen:
        for place in _places(fact.table, fact.values.get("host"), [fact.values]):
            gone.setdefault(place, []).append(fact)
    pairs: dict[str, Difference] = {}
    taken: set[int] = set()
    for place, facts in gone.items():
        found = come.get(place, [])
        if len(facts) == 1 and len(found) == 1 and facts[0].id not in pairs and id(found[0].seen) not in taken:
            seen = found[0].seen
            taken.add(id(seen))
            moved = Difference(fact=facts[0], seen=seen, by="service", columns={}, unset={}, new_key=seen.key)
            pairs[facts[0].id] = moved
    left = [one for one in new if id(one.seen) not in taken]
    return list(pairs.values()), left, tuple(fact for fact in not_seen if fact.id not in pairs)


def _places(table: str, host: object, said: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """A service's host with each of its names."""
    names = {written(values.get(column)).casefold() for values in said for column in ("service", "codename")}
    return {(written(host), name) for name in names - {""}} if table == "ports" else set()
