"""Which facts a text of a row names, and by which of their values: one pass over its words and identifiers. Pure.

A value names its fact when it tells of it alone: a codename, a MAC, a service that no other fact of the table has. A
port on two hosts names both, and neither for sure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from promptforge.bench.cases import Printed
from promptforge.bench.giveaways import values_of
from promptforge.bench.identifiers import DOMAINS, Found, identifiers
from promptforge.bench.spellings import tokens
from promptforge.bench.values import identity
from promptforge.dataset.called import Called
from promptforge.model import Fact, Table, written

__all__ = ["NOTHING", "THINGS", "Namer", "Names", "Thing", "leaves", "pieces"]

Thing = tuple[str, int | float | str]
"""A kind of identifier, and what it names."""
THINGS = ("port", "mac", "ip", "entity")
"""The kinds of identifiers that are compared with what the tables say."""
_FORMS = {"port": "port", "mac": "mac", "ip": "ip", "tailscale": "ip", "entity": "entity"}
_BOOKKEEPING = frozenset(["verified", "sensitivity", "tags"])
_PLACE_AFTER = re.compile(
    r"[\s`*]*(?:/(?:tcp|udp)\s*)?(?:on|of|at)\s+(?:the\s+|host\s+|machine\s+)*(\w[\w-]*)", re.IGNORECASE
)
_PLACE_BEFORE = re.compile(r"(\w[\w-]{0,62}):$")
_KEPT = 4096
_MOST_WORDS = 8
"""A value with more words is a sentence, and nobody quotes it whole."""


class Names(NamedTuple):
    """What a text names."""

    words: tuple[str, ...]
    """Without case and accents."""
    found: tuple[Found, ...]
    """Its identifiers."""
    sure: frozenset[Printed]
    """Values that belong to one fact of their table alone."""
    maybe: frozenset[Printed]
    """Values that several facts have."""

    @property
    def facts(self) -> frozenset[str]:
        """The facts that are named for sure."""
        return frozenset([place.fact for place in self.sure])

    def things(self, kind: str) -> frozenset[int | float | str]:
        """What its identifiers of a kind name."""
        return frozenset([one.value for one in self.found if one.kind == kind])


NOTHING = Names((), (), frozenset(), frozenset())
"""What a text names that need not be looked at."""


class Namer:
    """Knows the values of all facts."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.tables = tables
        self.called = Called(tables)
        self.facts: dict[str, Fact] = {fact.id: fact for table in tables.values() for fact in table.facts}
        self.things: dict[Thing, tuple[Printed, ...]] = {}
        """An identifier to the facts and columns that have it."""
        self._runs: dict[tuple[str, ...], list[tuple[str, Printed]]] = {}
        """Names by their words: what must stand in the text as it is, and the place."""
        self._lengths: dict[str, tuple[int, ...]] = {}
        """A word to how many words the names have that begin with it."""
        self.spelled: dict[Printed, object] = {}
        """A value as it is compared: two of a fact that are spelled alike are one."""
        self._known: dict[str, Names] = {}
        self._values: dict[tuple[str, str], frozenset[int | float | str]] = {}
        self._vocabularies: dict[str, frozenset[str]] = {}
        domains = set(DOMAINS)
        for table in tables.values():
            for fact in table.facts:
                domains.update(self._learn(table, fact))
        self._domains = frozenset(domains)

    def _learn(self, table: Table, fact: Fact) -> Iterator[str]:
        columns: dict[str, list[str]] = {}
        for column, whole in fact.values.items():
            if column not in _BOOKKEEPING:
                for text in leaves(whole):
                    columns.setdefault(text, []).append(column)
        for value in values_of(fact, table):
            place = Printed(fact.id, columns[value.text].pop(0) if columns.get(value.text) else "")
            known = identity(value.text, value.form)
            kind = _FORMS.get(value.form) or (known[0] if known and known[0] in THINGS else "")
            if known is not None and kind:
                thing = (kind, known[1])
                self.spelled[place] = thing
                self.things[thing] = (*self.things.get(thing, ()), place)
                if kind == "entity":
                    yield str(known[1]).partition(".")[0]
            elif known is None and value.own and value.tells:
                words = tokens(value.text)
                if 0 < len(words) <= _MOST_WORDS and _proper(value.text, words, place, table):
                    self.spelled[place] = words
                    exact = value.text if len(words) == 1 and value.text[:1].isupper() else ""
                    self._runs.setdefault(words, []).append((exact, place))
                    lengths = self._lengths.get(words[0], ())
                    self._lengths[words[0]] = tuple(sorted({*lengths, len(words)}))

    def names(self, text: str) -> Names:
        """What a text names; of texts that come again and again it is known."""
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[text] = self._names(text)
        return known

    def _names(self, text: str) -> Names:
        words, found = tokens(text), identifiers(text, self._domains)
        if "'" in text or "’" in text:  # Theo's: both `theos`, as in the name of a thing of his, and `theo`
            words = (*words, "", *tokens(text, apostrophes=True))
        sure: set[Printed] = set()
        maybe: set[Printed] = set()
        for one in found:
            places = self.things.get((one.kind, one.value), ())
            if len(places) == 1 and not self.elsewhere(text, one, places[0].fact):
                sure.update(places)
            else:
                maybe.update(places)
        if not self._lengths.keys().isdisjoint(words):
            self._spoken(text, words, sure)
        if maybe:
            settled = {place for place in maybe if self._told_apart(place, words)}
            if settled and len({place.fact for place in settled}) == 1:
                sure |= settled
                maybe -= settled
        return Names(words, found, frozenset(sure), frozenset(maybe))

    def _spoken(self, text: str, words: tuple[str, ...], sure: set[Printed]) -> None:
        """The names among the words."""
        known, lengths = self._runs, self._lengths
        for at, word in enumerate(words):
            for length in lengths.get(word, ()):
                for exact, place in known.get(words[at : at + length], ()):
                    if exact in text:
                        sure.add(place)

    def _told_apart(self, place: Printed, words: tuple[str, ...]) -> bool:
        """Whether a word beside a shared value says whose it is: the host of a port."""
        fact = self.facts[place.fact]
        table = self.tables[fact.table]
        others = [column for column in table.key if column != place.column]
        return any(
            run and _stands(run, words)
            for column in others
            if table.kind(column) not in _FORMS
            for run in [tokens(written(fact.values.get(column)))]
        )

    def elsewhere(self, text: str, thing: Found, fact: str) -> bool:
        """Whether the text says of a port that it is one of another host than the fact's."""
        if thing.kind != "port":
            return False
        said = []
        if after := _PLACE_AFTER.match(text, thing.end):
            said.append(after[1])
        if text[thing.start - 1 : thing.start] == ":" and (before := _PLACE_BEFORE.search(text[: thing.start][-64:])):
            said.append(before[1])
        known = self.vocabulary(fact) if said else frozenset()
        return any(word.lower() not in known and known.isdisjoint(tokens(word)) for word in said)

    def is_identifier(self, place: Printed) -> bool:
        """Whether a value is a port, an address, a MAC or an entity id, and no word."""
        spelled = self.spelled.get(place)
        return isinstance(spelled, tuple) and len(spelled) == 2 and spelled[0] in THINGS and spelled in self.things

    def values(self, fact: str, kind: str) -> frozenset[int | float | str]:
        """A fact's identifiers of a kind."""
        known = self._values.get((fact, kind))
        if known is None:
            known = self._values[fact, kind] = self._values_of(fact, kind)
        return known

    def _values_of(self, fact: str, kind: str) -> frozenset[int | float | str]:
        record = self.facts[fact]
        table = self.tables[record.table]
        found = set()
        for column, value in record.values.items():
            form = table.kind(column)
            if column in _BOOKKEEPING or _FORMS.get(form, kind) != kind:
                continue
            for text in leaves(value):
                known = identity(text, form)
                if known is not None and (form in _FORMS or known[0] == kind):
                    found.add(known[1])
        return frozenset(found)

    def vocabulary(self, fact: str) -> frozenset[str]:
        """Every word of a fact, and of the facts that it refers to."""
        known = self._vocabularies.get(fact)
        if known is None:
            known = self._vocabularies[fact] = self._vocabulary(fact)
        return known

    def _vocabulary(self, fact: str) -> frozenset[str]:
        record = self.facts[fact]
        table = self.tables[record.table]
        texts = [text for value in record.values.values() for text in leaves(value)]
        for column, value in record.values.items():
            known = table.columns.get(column)
            if known and known.ref in self.tables:
                other = self.tables[known.ref].by_key.get(written(value))
                texts += [text for value in other.values.values() for text in leaves(value)] if other else []
        return frozenset(word for text in texts for word in tokens(text))


def _proper(text: str, words: tuple[str, ...], place: Printed, table: Table) -> bool:
    """Whether it is a name and no common word: `relay` may be a key, but is said of much else."""
    if len(words) > 1 or text != text.lower() or any(char.isdigit() for char in text):
        return True
    return table.name == "hosts" and place.column in table.key


def leaves(value: object) -> Iterator[str]:
    """The texts of a value, those in lists and mappings one by one."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from leaves(inner)
    elif value is not None and not isinstance(value, bool) and (text := written(value).strip()):
        yield text


def _stands(run: tuple[str, ...], words: tuple[str, ...]) -> bool:
    length = len(run)
    at = -1
    while True:
        try:
            at = words.index(run[0], at + 1)
        except ValueError:
            return False
        if words[at : at + length] == run:
            return True


_PIECES = re.compile(r"(?<=[!?;])\s+|(?<=\.)\s+(?![a-z])|\n+")
"""A dot before a small letter is one of a name, or of a short form."""


def pieces(text: str) -> Iterable[str]:
    """The sentences of a text, roughly, as they are written."""
    return [piece for piece in _PIECES.split(text) if piece]
