"""What the facts are called, however it is spelled: codenames, services, names of devices, keys. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from promptforge.bench.spellings import tokens
from promptforge.model import Fact, Table, written

__all__ = ["Called", "Spoken", "usual", "words_of"]

_NAMING = frozenset(["codename", "name", "alias", "aliases", "service", "called", "title", "hostname"])
_IDENTIFIERS = frozenset(["port", "mac", "ip", "tailscale", "entity", "network"])
_LONGEST = 8
"""Words of the longest name."""
_OPENING, _CLOSING = "\"'*_`([{<“„«‘", "\"'*_`)]}>”»’.,;:!?…"


class Spoken(NamedTuple):
    """A name in a text."""

    facts: tuple[str, ...]
    """All that are called so."""
    plain: bool
    """Whether it is a word like any other when it is written without a capital: `Default`, but not `LEET`."""
    exact: bool
    """Whether it is spelled as in the tables."""
    start: int
    """Of its words, in the words of the text."""
    end: int


class Called:
    """Every name of every fact."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._facts: dict[str, tuple[str, ...]] = {}
        self._spelled: dict[str, set[str]] = {}
        self._lengths: dict[str, tuple[int, ...]] = {}
        """The first word of a name to how many words such names have."""
        self._ends: dict[str, tuple[int, ...]] = {}
        """The same of the last word."""
        referred = {column.ref for table in tables.values() for column in table.columns.values() if column.ref}
        self._places = {fact.id for name in referred if name in tables for fact in tables[name].facts}
        for table in tables.values():
            for fact in table.facts:
                for name in _names(fact, table):
                    self._learn(name, fact.id)

    def _learn(self, name: str, fact: str) -> None:
        words = words_of(name)
        key = " ".join(usual(word) for word in words)
        if not (0 < len(words) <= _LONGEST and len(key) > 1 and any(char.isalpha() for char in key)):
            return
        self._facts[key] = tuple(dict.fromkeys((*self._facts.get(key, ()), fact)))
        self._spelled.setdefault(key, set()).add(name)
        for index, word in ((self._lengths, words[0]), (self._ends, words[-1])):
            known = index.get(usual(word), ())
            index[usual(word)] = tuple(sorted({*known, len(words)}, reverse=True))

    def is_place(self, facts: Sequence[str]) -> bool:
        """Whether one of them is what other facts stand on: a port of a host is not the host's own."""
        return any(fact in self._places for fact in facts)

    def starts(self, facts: Collection[str]) -> Iterator[str]:
        """With which words, as `tokens` has them, the names of these facts begin."""
        for key, own in self._facts.items():
            if not set(own).isdisjoint(facts):
                yield from tokens(key)[:1]

    def run(self, words: Sequence[str], start: int, end: int) -> Spoken | None:
        """The name that words from one to another are, a possessive at its end aside."""
        key = " ".join([usual(word) for word in words[start:end]])
        facts = self._facts.get(key)
        if facts is None and key.endswith("'s"):
            key = key.removesuffix("'s")
            facts = self._facts.get(key)
        return self._spoken(key, facts, words, start, end) if facts else None

    def _spoken(self, key: str, facts: tuple[str, ...], words: Sequence[str], start: int, end: int) -> Spoken:
        text = " ".join(words[start:end]).replace("’", "'")
        spelled = self._spelled[key]
        exact = any(one in text for one in spelled)
        plain = key.isalpha() and not any(one.isupper() for one in spelled)
        return Spoken(facts, plain, exact, start, end)

    def before(self, words: Sequence[str], end: int) -> Spoken | None:
        """The longest name that ends there."""
        return self._longest(words, end, self._ends, True) if end else None

    def after(self, words: Sequence[str], start: int) -> Spoken | None:
        """The longest name that begins there."""
        return self._longest(words, start, self._lengths, False) if start < len(words) else None

    def _longest(
        self, words: Sequence[str], at: int, index: Mapping[str, tuple[int, ...]], back: bool
    ) -> Spoken | None:
        word = usual(words[at - 1 if back else at])
        for length in index.get(word) or index.get(word.removesuffix("'s"), ()):
            start, end = (at - length, at) if back else (at, at + length)
            if start >= 0 and end <= len(words) and (one := self.run(words, start, end)):
                return one
        return None

    def calls(self, text: str) -> bool:
        """Whether a text calls a fact by a name that is no common word, spelled as in the tables."""
        return any(one.exact and not one.plain for one in self.names(words_of(text[:4000])))

    def names(self, words: Sequence[str]) -> Iterator[Spoken]:
        """All names among the words, each the longest that begins where the one before it ended."""
        lengths, end = self._lengths, 0
        for at, word in enumerate(words):
            if at < end:
                continue
            first = usual(word)
            if (first in lengths or first.endswith("'s")) and (one := self.after(words, at)):
                end = one.end
                yield one


def _names(fact: Fact, table: Table) -> Iterator[str]:
    for column, value in fact.values.items():
        known = table.columns.get(column)
        own = column in table.key and not (known and known.ref)
        if (own or column in _NAMING) and table.kind(column) not in _IDENTIFIERS:
            for text in value if isinstance(value, (list, tuple)) else (value,):
                if text is not None and not isinstance(text, (bool, dict, list)):
                    yield written(text).strip()


def words_of(text: str) -> list[str]:
    """The words as they are written, their signs included."""
    return text.replace("’", "'").split()


def usual(word: str) -> str:
    """A word without case, quotes, emphasis and the signs at its end.

    >>> usual("**LEET+1**,"), usual("“Nice.”")
    ('leet+1', 'nice')
    """
    return word.lower().lstrip(_OPENING).rstrip(_CLOSING)
