"""Which fact a source means: by what stays the same when a name changes, the surest first; by its name last of all.

Facts are found by an id that an earlier import kept, by their MAC in any spelling, by their address, by host and port,
and by key. What several facts could be, and what only shares a name with a fact of another MAC, is in doubt.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from promptforge.compiler.builtin import BUILTIN, DEFAULTS, KEYS
from promptforge.model import Column, Fact, Table, canonical, written
from promptforge.sources.base import Seen
from promptforge.workbench.identities import Register

__all__ = ["Match", "Names", "columns_of", "key_of", "match"]

_KEYS = frozenset(["port", "entity_id", "alias", "key", "name"])
"""Kinds of identity that are the key itself."""
_UNSURE = _KEYS | {"ip", "dns"}
_ADDRESSES = ("lan_ip", "ip", "tailscale_ip")
_KIN = {"hosts": "devices", "devices": "hosts"}
_FIRST = {"sites": 0, "people": 0, "hosts": 1}
"""Tables that others name, before them."""


class Match(NamedTuple):
    """What a source shows, and the fact that it is."""

    seen: Seen
    """With its references as the project writes them, and its key accordingly."""
    fact: Fact | None = None
    """None where it is new, or in doubt."""
    by: str = ""
    """The kind of identity that told: mac, unique_id, key, …"""
    doubt: str = ""
    """Why nobody can tell which fact it is."""
    perhaps: tuple[Fact, ...] = ()
    """The facts that it might be."""
    held: str = ""
    """Why it cannot be added: what it names is in no table."""

    @property
    def is_new(self) -> bool:
        """Whether no fact is like it."""
        return self.fact is None and not self.doubt


def match(
    tables: Mapping[str, Table], seen: Sequence[Seen], register: Register, *, everything: bool = True
) -> tuple[Match, ...]:
    """Everything that was seen, in its order, with the fact that it is.

    Unless it is `everything` that is wanted, what is new and noise will not be there for others to name.
    """
    index = _Index(tables, register, {kind for one in seen for kind, _ in one.identity})
    names = Names(tables)
    matches: dict[int, Match] = {}
    for one in seen:
        index.claim(one)
    for one in seen:
        index.learn(one)
    for number, one in sorted(enumerate(seen), key=lambda pair: _FIRST.get(pair[1].table, 2)):
        resolved, held = names.resolve(one)
        made = index.find(resolved)._replace(held=held)
        matches[number] = made
        if made.fact is not None and made.fact.table == one.table:
            names.learn(one, made.fact.key)
        elif made.is_new and not held and (everything or not one.noise):
            names.learn(one, resolved.key)
    return tuple(_each_once([matches[number] for number in range(len(seen))]))


class Names:
    """What the facts that others refer to are called: by their key, their address, or as a source calls them."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._known: dict[tuple[str, str], set[str]] = {}
        for table in tables.values():
            kinds = [column for column in table.columns if table.kind(column) in ("ip", "tailscale") or column == "ssh"]
            for fact in table.facts if kinds and table.name == "hosts" else ():
                for column in kinds:
                    for value in _several(fact.values.get(column)):
                        self._learn(table.name, written(canonical(value, "ip")), fact.key)

    def learn(self, seen: Seen, key: str) -> None:
        """Remember what a source calls a fact."""
        self._learn(seen.table, seen.key, key)

    def _learn(self, table: str, name: str, key: str) -> None:
        self._known.setdefault((table, name.casefold()), set()).add(key)

    def key(self, table: str, name: object) -> str | None:
        """The key of the one fact that a name means."""
        text = written(name)
        known = self._tables.get(table)
        if known is not None and text in known.by_key:
            return known.by_key[text].key
        keys = self._known.get((table, written(canonical(text, "ip")).casefold()), set())
        return next(iter(keys)) if len(keys) == 1 else None

    def resolve(self, seen: Seen) -> tuple[Seen, str]:
        """A fact with its references written as the project writes them, and which one leads nowhere, in words."""
        columns = columns_of(self._tables, seen.table)
        values, held = dict(seen.values), ""
        for column, value in seen.values.items():
            ref = columns[column].ref if column in columns else ""
            if not ref or value is None or isinstance(value, (list, dict)) or not self._is_checked(ref):
                continue
            key = self.key(ref, value)
            if key is None:
                held = f"no '{written(value)}' in {ref}"
            else:
                values[column] = key
        if values == seen.values:
            return seen, held
        return Seen(
            table=seen.table,
            key=key_of(self._tables, seen.table, values) or seen.key,
            values=values,
            identity=tuple((kind, value) for kind, value in seen.identity if kind not in _KEYS),
            place=seen.place,
            noise=seen.noise,
            cleaned=seen.cleaned,
            guesses=seen.guesses,
        ), held

    def _is_checked(self, ref: str) -> bool:
        """Whether the compiler minds a reference into a table that leads nowhere."""
        return ref in self._tables or (ref in BUILTIN and ref != "people")


def columns_of(tables: Mapping[str, Table], table: str) -> Mapping[str, Column]:
    """The known columns of a table, also of one that has no fact yet."""
    return tables[table].columns if table in tables else BUILTIN.get(table, {})


def key_of(tables: Mapping[str, Table], table: str, values: Mapping[str, Any]) -> str:
    """The key that values make, as a fact has it; empty where one of its columns is missing."""
    columns = tables[table].key if table in tables else KEYS.get(table, ())
    defaults = DEFAULTS.get(table, {})
    parts = [written(values.get(column, defaults.get(column))) for column in columns]
    while len(parts) > 1 and parts[-1] == defaults.get(columns[len(parts) - 1]):
        parts.pop()
    return ":".join(parts) if all(parts) else ""


class _Index:
    """The facts by what identifies them."""

    def __init__(self, tables: Mapping[str, Table], register: Register, kinds: Collection[str]) -> None:
        self._tables = tables
        self._facts: dict[tuple[str, str], list[Fact]] = {}
        self._folded: dict[tuple[str, str], list[Fact]] = {}
        self._moved: dict[str, set[str]] = {}
        self._macs: dict[str, set[str]] = {}
        for table in tables.values():
            columns = list(_identifying(table, kinds))
            for fact in table.facts:
                self._folded.setdefault((table.name, fact.key.casefold()), []).append(fact)
                for column, kind in columns:
                    for value in _several(fact.values.get(column)):
                        self._put(kind, value, fact)
                for kind, value in register.get(fact.id, {}).items():
                    self._put(f"{table.name}.{kind}", value, fact)

    def _put(self, kind: str, value: object, fact: Fact) -> None:
        facts = self._facts.setdefault((kind, _comparable(kind, value)), [])
        if fact not in facts:
            facts.append(fact)

    def claim(self, seen: Seen) -> None:
        """Remember the addresses of what an id or a MAC tells for sure: its earlier ones may be another's by now."""
        sure = [self._with(seen.table, kind, value) for kind, value in seen.identity if kind not in _UNSURE]
        facts = next((facts for facts in sure if facts), ())
        addresses = {_comparable("ip", value) for value in (seen.values.get(column) for column in _ADDRESSES) if value}
        for fact in facts if addresses else ():
            self._moved.setdefault(fact.id, set()).update(addresses)

    def learn(self, seen: Seen) -> None:
        """Remember the MACs of facts that say none: what has another one is not they, even if these are not taken."""
        macs = {_comparable("mac", value) for kind, value in seen.identity if kind == "mac"}
        fact = self.find(seen).fact if macs else None
        if fact is not None and fact.values.get("mac") is None:
            self._macs.setdefault(fact.id, set()).update(macs)

    def find(self, seen: Seen) -> Match:
        """The fact that it is."""
        for kind, value in seen.identity:
            if kind in _KEYS:
                continue
            facts = [fact for fact in self._with(seen.table, kind, value) if not self._contradicts(seen, fact, kind)]
            if kind == "ip":
                facts = [
                    fact
                    for fact in facts
                    if _comparable("ip", value) in self._moved.get(fact.id, {_comparable("ip", value)})
                ]
            same = [fact for fact in facts if fact.table == seen.table] or facts
            if len(same) > 1:
                named = ", ".join(fact.id for fact in same[:3])
                return Match(seen, doubt=f"{len(same)} facts have its {kind}: {named}", perhaps=tuple(same))
            if same:
                return Match(seen, same[0], kind)
        return self._by_key(seen)

    def _with(self, table: str, kind: str, value: str) -> Iterable[Fact]:
        if kind in ("mac", "ip"):
            return self._facts.get((kind, _comparable(kind, value)), ())
        place = f"{table}.{kind}"
        # Home Assistant's unique ids are unique on their platform, which a person who wrote one down left out.
        return self._facts.get((place, value), []) or self._facts.get((place, value.partition(":")[2]), [])

    def _by_key(self, seen: Seen) -> Match:
        table = self._tables.get(seen.table)
        exact = table.by_key.get(seen.key) if table else None
        facts = [exact] if exact else self._folded.get((seen.table, seen.key.casefold()), [])
        if len(facts) != 1:
            return self._by_name_elsewhere(seen)
        fact = facts[0]
        if self._contradicts(seen, fact, ""):
            macs = ", ".join(value for kind, value in seen.identity if kind == "mac")
            mac = written(fact.values.get("mac"))
            return Match(seen, doubt=f"{fact.id} has the same name, but its MAC is {mac}, not {macs}", perhaps=(fact,))
        return Match(seen, fact, "key")

    def _by_name_elsewhere(self, seen: Seen) -> Match:
        """New, unless a host is called as the device, or the other way round: it may be one thing in two tables."""
        facts = self._folded.get((_KIN.get(seen.table, ""), seen.key.casefold()), [])
        macs = {_comparable("mac", value) for kind, value in seen.identity if kind == "mac"}
        others = [self._macs.get(fact.id, macs) for fact in facts]
        pairs = zip(facts, others, strict=True)
        facts = [f for f, its in pairs if not self._contradicts(seen, f, "") and not (macs and macs.isdisjoint(its))]
        return Match(seen, doubt=f"{facts[0].id} has the same name", perhaps=tuple(facts)) if facts else Match(seen)

    def _contradicts(self, seen: Seen, fact: Fact, by: str) -> bool:
        """Whether both say their MAC, and none of them is the same: an address or a name is then no proof."""
        if by not in ("", "ip", "dns"):
            return False
        macs = {_comparable("mac", value) for kind, value in seen.identity if kind == "mac"}
        known = {_comparable("mac", value) for value in _several(fact.values.get("mac"))}
        return bool(macs and known) and macs.isdisjoint(known)


def _identifying(table: Table, kinds: Collection[str]) -> Iterator[tuple[str, str]]:
    """Columns that identify a fact, with the kind of identity; a mapping file may name any column as one."""
    for column in table.columns:
        kind = table.kind(column)
        if kind == "mac":
            yield column, "mac"
        elif kind in ("ip", "tailscale"):
            yield column, "ip"
        elif column in kinds and column not in table.key:
            yield column, f"{table.name}.{column}"


def _comparable(kind: str, value: object) -> str:
    return written(canonical(value, kind)).casefold() if kind in ("mac", "ip") else written(value)


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else () if value is None else (value,)


def _each_once(matches: Sequence[Match]) -> Iterator[Match]:
    """No fact is two things: of several that were found to be it, the surest is, and the others are in doubt."""
    claims: dict[str, list[tuple[int, int]]] = {}
    for number, one in enumerate(matches):
        if one.fact is not None:
            claims.setdefault(one.fact.id, []).append((_rank(one), number))
    for number, one in enumerate(matches):
        others = sorted(claims[one.fact.id]) if one.fact is not None else []
        if one.fact is None or _wins(matches, number, others):
            yield one
            continue
        names = ", ".join(matches[other].seen.key for _, other in others[:3])
        yield Match(one.seen, doubt=f"several could be {one.fact.id}: {names}", perhaps=(one.fact,))


def _rank(one: Match) -> int:
    """How sure it is: ids of a source's own, then MACs, then addresses; a name comes last."""
    return {"mac": 1, "dns": 2, "ip": 3, "key": 4}.get(one.by, 0)


def _wins(matches: Sequence[Match], number: int, claims: Sequence[tuple[int, int]]) -> bool:
    surest = claims[0][1] == number and (len(claims) == 1 or claims[1][0] > claims[0][0])
    return surest or all(_alike(matches[other].seen, matches[number].seen) for _, other in claims)


def _alike(one: Seen, other: Seen) -> bool:
    return one.table == other.table and one.values == other.values
