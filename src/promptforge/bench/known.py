"""What the project knows, arranged for scoring: the values of each column, and every identifier of any fact. Pure.

It is made once for a run. Whether an answer made a value up, and which names of a column it uses, is then a look-up.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from promptforge.bench.ports import COUNTED
from promptforge.bench.reading import folded
from promptforge.bench.values import DOMAINS, Found, identifiers, identity, mentions
from promptforge.model import Table, written

__all__ = ["Known", "known", "loose_ports", "nobodys"]

Named = tuple[str, int | float | str]
"""A kind of identifier, and what it names."""

_MOST_WORDS = 8
"""A value with more words is a sentence, not a name that holds another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The values of all facts."""

    kinds: Mapping[str, str]
    """`TABLE.COLUMN` to the kind of the column."""
    words: Mapping[str, Mapping[str, tuple[str, ...]]]
    """`TABLE.COLUMN` to the first word of a value to the values that begin with it."""
    named: Mapping[str, Mapping[Named, str]]
    """`TABLE.COLUMN` to the identifiers among its values, and how each is written."""
    everywhere: frozenset[Named]
    """The identifiers in any value of any fact, notes included."""
    domains: frozenset[str]
    """Of entities: those of Home Assistant and those seen in the facts."""
    longer: Mapping[str, tuple[str, ...]]
    """A folded value to the longer values of its column that hold it: `bucket` to `Bucket Lid`."""
    values: frozenset[str]
    """All values of all columns, folded."""
    printed: Mapping[tuple[str, str], tuple[str, ...]]
    """The id of a fact and a column to what is written there."""

    def names(self, text: str, column: str) -> Iterator[str]:
        """The values of a column that a text names."""
        known = self.named.get(column)
        found = {(one.kind, one.value) for one in identifiers(text, self.domains)} if known else ()
        for name in found:
            if known and name in known:
                yield known[name]
        for first in self.words.get(column, {}).keys() & _starts(folded(text)):
            for value in self.words[column][first]:
                if mentions(text, value, "text", self.besides(value), self.values):
                    yield value

    def besides(self, value: str) -> tuple[str, ...]:
        """The longer names that hold a value."""
        return self.longer.get(folded(value).strip(), ())

    def holds(self, one: Found) -> bool:
        """Whether an identifier stands in some fact, or is one that belongs to everybody."""
        if (one.kind, one.value) in self.everywhere:
            return True
        if one.kind == "port":
            return ("number", one.value) in self.everywhere
        return nobodys(one)


def known(tables: Mapping[str, Table]) -> Known:
    """What the facts of these tables hold."""
    columns = {
        f"{table.name}.{column}": list(_values(table, column)) for table in tables.values() for column in table.columns
    }
    kinds = {f"{table.name}.{column}": table.kind(column) for table in tables.values() for column in table.columns}
    entities = [v for name, values in columns.items() if kinds[name] == "entity" for v in values]
    domains = DOMAINS | {v.partition(".")[0].lower() for v in entities}
    named: dict[str, dict[Named, str]] = {}
    words: dict[str, dict[str, tuple[str, ...]]] = {}
    longer: dict[str, tuple[str, ...]] = {}
    everywhere: set[Named] = set()
    for name, values in columns.items():
        named[name], words[name] = {}, {}
        for value in dict.fromkeys(values):
            if (made := identity(value, kinds[name])) is not None:
                named[name][made] = value
                everywhere.add(made)
            elif start := _first(folded(value).strip()):
                words[name][start] = (*words[name].get(start, ()), value)
            everywhere.update(_inside(value, domains))
        for short, long in _held(values):
            if long not in longer.get(short, ()):
                longer[short] = (*longer.get(short, ()), long)
    return Known(
        kinds=kinds,
        words=words,
        named=named,
        everywhere=frozenset(everywhere),
        domains=domains,
        longer=longer,
        values=frozenset(folded(value).strip() for values in columns.values() for value in values),
        printed={
            (fact.id, column): tuple(_written(fact.values[column]))
            for table in tables.values()
            for fact in table.facts
            for column in fact.values
        },
    )


def _values(table: Table, column: str) -> Iterator[str]:
    for fact in table.facts:
        yield from _written(fact.values.get(column))


def _written(value: object) -> Iterator[str]:
    for one in value if isinstance(value, (list, tuple)) else (value,):
        if one is not None and not isinstance(one, bool) and (text := written(one)):
            yield text


_MAY_HOLD = re.compile(r"\d|[:.]\w")


def _inside(value: str, domains: frozenset[str]) -> Iterator[Named]:
    if _MAY_HOLD.search(value):
        for one in identifiers(value, domains):
            yield one.kind, one.value
            if one.kind == "network":
                yield "ip", str(one.value).partition("/")[0]


_WORD = re.compile(r"\w+|[^\w\s]")


def _first(value: str) -> str:
    found = _WORD.search(value)
    return found[0] if found else ""


def _starts(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


def _held(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a folded value and a longer value of the same column that holds it."""
    split = {folded(value).strip(): value for value in values}
    for text, value in split.items():
        words = re.split(r"[\s-]+", text, maxsplit=_MOST_WORDS)
        if not 2 <= len(words) <= _MOST_WORDS:
            continue
        for start in range(len(words)):
            for end in range(start + 1, len(words) + 1):
                for joint in " -":
                    part = joint.join(words[start:end]).removesuffix("'s").rstrip(",;:")
                    if part != text and part in split:
                        yield part, value


def nobodys(one: Found) -> bool:
    """Whether it names nothing in particular: loopback, broadcast, multicast, a netmask. Nobody can have made it up."""
    if one.kind == "mac":
        return one.value in ("000000000000", "ffffffffffff")
    if one.kind != "ip":
        return False
    address = ipaddress.ip_address(str(one.value))
    return address.is_loopback or address.is_unspecified or address.is_multicast or str(one.value).startswith("255.")


_OR = re.compile(
    r"\s?/\s?|[\s,;.()*`\"'–—-]*(?:(?:or|either|perhaps|maybe|possibly|probably|likely|else|otherwise|no|not|it|is|it's"
    r"|could|might|may|be|also|then|alternatively|i|think|guess|mean|sorry|wait|actually|rather|oder|vielleicht|ou"
    r"|peut-être)\b[\s,;.()*`\"'–—-]*)+",
    re.IGNORECASE,
)
_YEARS = range(1900, 2100)


def loose_ports(text: str, column: str, known: Known) -> Iterator[Found]:
    """The numbers that are given for a port without the word, as in `either 7005 or 7002`.

    One that stands beside another as its alternative, and one of four digits or more that is the port of a fact.
    """
    found = identifiers(text, known.domains)
    ports = {one.start for one in found if one.kind == "port"}
    numbers = [one for one in found if one.kind == "number" and isinstance(one.value, int) and 1 <= one.value <= 65535]
    counted = {one.start for one in numbers if COUNTED.match(text, one.end)}
    pairs = [pair for pair in pairwise(numbers) if _OR.fullmatch(text[pair[0].end : pair[1].start])]
    beside = {one.start for pair in pairs if pair[1].start not in counted for one in pair}
    named = known.named.get(column, {})
    for one in numbers:
        port = one._replace(kind="port")
        if one.start in ports or one.start in counted:
            continue
        large = isinstance(one.value, int) and one.value >= 1000 and one.value not in _YEARS
        if one.start in beside or (large and (one.kind, one.value) in named):
            yield port
