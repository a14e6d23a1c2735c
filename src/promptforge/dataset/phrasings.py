"""How generated rows are worded: the project's own templates, and the built-in ones where it has none. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

from promptforge.document import Document
from promptforge.model import Table, Text, written
from promptforge.schema import check_shape
from promptforge.source import Diagnostic, did_you_mean
from promptforge.yamlio import parse

__all__ = ["BUILTIN", "DIRECTIONS", "Direction", "Pair", "Phrasings", "builtin_phrasings", "read_phrasings"]

Direction = Literal[
    "forward",
    "inverse",
    "twin",
    "confirmed",
    "hops",
    "unknown",
    "unset",
    "who",
    "duty",
    "refuse",
    "refuse_one",
    "doubt",
    "other",
]
DIRECTIONS: Mapping[Direction, str] = {
    "forward": "forward",
    "inverse": "inverse",
    "twin": "twin",
    "confirmed": "twin",
    "hops": "hops",
    "unknown": "unknown",
    "unset": "unknown",
    **dict.fromkeys(("who", "duty", "refuse", "refuse_one", "doubt", "other"), "persona"),
}
"""Direction to the category of its rows."""
BUILTIN = "phrasings.yaml"
"""What a text that ships says its file is."""
_ANY = "*"


class Pair(NamedTuple):
    """Ways to ask for one thing, and ways to answer; any of the one goes with any of the other."""

    ask: tuple[Text, ...]
    answer: tuple[Text, ...]
    names: tuple[str, ...]
    """Of each way to ask, where it stands: `training/phrasings.yaml:12`, `built in: forward 3`."""

    @property
    def ways(self) -> int:
        """How many rows it can word of one thing."""
        return len(self.ask) * len(self.answer)


@dataclass(frozen=True, slots=True)
class Phrasings:
    """The pairs by direction, table and column; `*` stands for any."""

    pairs: Mapping[tuple[str, str, str], Pair]

    def of(self, direction: Direction, table: str = _ANY, column: str = _ANY) -> Pair:
        """The most particular wording. Any of the project's goes before those that are built in."""
        builtin = builtin_phrasings().pairs
        for pairs in (self.pairs, builtin):
            for key in ((direction, table, column), (direction, table, _ANY), (direction, _ANY, column)):
                if key in pairs:
                    return pairs[key]
            if (direction, _ANY, _ANY) in pairs:
                return pairs[direction, _ANY, _ANY]
        raise KeyError(direction)


@cache
def builtin_phrasings() -> Phrasings:
    """Those that ship."""
    from pkgutil import get_data

    document, _ = parse(BUILTIN, get_data("promptforge", f"data/{BUILTIN}") or b"")
    assert document is not None
    return Phrasings(dict(_pairs(document)))


def read_phrasings(
    documents: Sequence[Document], tables: Mapping[str, Table]
) -> tuple[Phrasings, tuple[Diagnostic, ...]]:
    """The project's own wording, and what is wrong with it; what is wrong is left out."""
    found: list[Diagnostic] = []
    pairs: dict[tuple[str, str, str], Pair] = {}
    for document in documents:
        problems, wrong = check_shape(document, "phrasings")
        found += problems
        if not wrong:
            found += _unknown_places(document, tables)
            pairs |= dict(_pairs(document))
    return Phrasings(pairs), tuple(found)


def _unknown_places(document: Document, tables: Mapping[str, Table]) -> Iterator[Diagnostic]:
    for number, entry in enumerate(document.data["phrasings"]):
        name, column = entry.get("table", _ANY), entry.get("column", _ANY)
        table = tables.get(name)
        if table is None and name != _ANY:
            place = document.span(("phrasings", number, "table"))
            hint = did_you_mean(name, tables)
            yield Diagnostic(code="PF302", span=place, message=f"no table '{name}'", hint=hint)
        elif table is not None and column not in (_ANY, *table.columns) and not table.partial:
            place = document.span(("phrasings", number, "column"))
            message, hint = f"{name} has no column '{column}'", did_you_mean(column, table.columns)
            yield Diagnostic(code="PF303", span=place, message=message, hint=hint)


def _pairs(document: Document) -> Iterator[tuple[tuple[str, str, str], Pair]]:
    for number, entry in enumerate(document.data["phrasings"]):
        ask = tuple(_texts(document, number, entry, "ask"))
        answer = tuple(_texts(document, number, entry, "answer"))
        key = (entry["direction"], entry.get("table", _ANY), entry.get("column", _ANY))
        yield key, Pair(ask, answer, tuple(_name(text, key) for text in ask))


def _texts(document: Document, number: int, entry: Mapping[str, Any], part: str) -> Iterator[Text]:
    for at, source in enumerate(entry[part]):
        path = ("phrasings", number, part, at)
        yield Text(written(source).strip(), document.file, path, document.line(path))


def _name(text: Text, key: tuple[str, str, str]) -> str:
    place = f"{text.file}:{text.line}"
    return place if text.file != BUILTIN else f"built in: {key[0]} {int(text.path[-1]) + 1}"
