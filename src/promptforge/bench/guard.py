"""The last look before a text leaves: whether it holds the value of a fact that its reader may not see.

The compiler already decides by fact. This looks at the bytes once more, by value and in canonical form, for what no
reference explains: a persona or a question that quotes a private address by hand.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from promptforge.bench.identifiers import identifiers
from promptforge.bench.reading import folded
from promptforge.bench.values import identity
from promptforge.model import LEVELS, Fact, Table, written

__all__ = ["Guard"]

_NEVER = frozenset(["level", "date", "tags", "any"])
_WORDS = re.compile(r"\w+")


class Guard:
    """Knows the values of facts above a clearance that stand in no fact below it."""

    def __init__(self, tables: Mapping[str, Table], clearance: str) -> None:
        allowed = LEVELS[clearance]
        secret: dict[object, str] = {}
        known: set[object] = set()
        self.values: dict[str, str] = {}
        """As written, to the id of the fact: what a report redacts."""
        for table in tables.values():
            for fact in table.facts:
                above = LEVELS[fact.level] > allowed
                for value, form, telling in _values(fact, table):
                    name = _name(value, form)
                    if not above:
                        known.add(name)
                    elif telling:
                        secret.setdefault(name, fact.id)
                        self.values.setdefault(value, fact.id)
        for name in known:
            secret.pop(name, None)
        self.values = {value: fact for value, fact in self.values.items() if fact in secret.values()}
        self._identifiers = {name: fact for name, fact in secret.items() if isinstance(name, tuple)}
        self._words = {name: fact for name, fact in secret.items() if isinstance(name, str)}
        longest_first = sorted(self._words, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
        self._seen: dict[str, str] = {}

    def find(self, texts: Iterable[str]) -> str:
        """The id of a fact above the clearance whose value one of the texts holds, or nothing."""
        for text in texts:
            if text not in self._seen:
                self._seen[text] = self._look(text)
            if fact := self._seen[text]:
                return fact
        return ""

    def _look(self, text: str) -> str:
        if self._identifiers:
            for found in identifiers(text):
                if fact := self._identifiers.get((found.kind, found.value)):
                    return fact
        if self._words and (match := self._pattern.search(_even(text))):
            return self._words[match[0]]
        return ""


def _values(fact: Fact, table: Table) -> Iterator[tuple[str, str, bool]]:
    """Each value with its kind, and whether it tells of its fact: a name, an identifier, or words that are its own."""
    for column, value in fact.values.items():
        form = table.kind(column)
        if form in _NEVER or value is None or isinstance(value, (bool, dict)):
            continue
        for one in value if isinstance(value, list) else [value]:
            text = written(one).strip()
            yield text, form, _tells(text, form, key=column in table.key and not table.columns[column].ref)


def _tells(text: str, form: str, *, key: bool) -> bool:
    known = identity(text, form)
    if known is not None:
        return known[0] != "number" or len(re.sub(r"\D", "", text)) >= 4
    words = len(_WORDS.findall(text))
    return (key and len(text) >= 4) or (words >= 2 and len(text) >= 10)


def _name(value: str, form: str) -> object:
    return identity(value, form) or _even(value)


def _even(text: str) -> str:
    return " ".join(folded(text).split())
