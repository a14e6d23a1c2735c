"""What a table in an answer ties together: the one name of a row and its one port, address, MAC or entity id. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from promptforge.bench.identifiers import Found
from promptforge.dataset.called import Called, Spoken, words_of
from promptforge.dataset.naming import THINGS, Namer

__all__ = ["Tied", "tied_rows"]

_ROW = re.compile(r"^\s*\|(.+)\|\s*$", re.MULTILINE)
_RULE = re.compile(r"[\s|:-]+")
_PORT = re.compile(r"\bports?\b", re.IGNORECASE)
_OTHERS = re.compile(
    r"\b(?:gateway|router|dns|upstream|backup|reaches|uses|depends|old|former|was|next)\b", re.IGNORECASE
)
"""Headings of columns that tell of something else than the row's own fact."""
_MOST = 60


class Tied(NamedTuple):
    """A row that says of a name what it has."""

    kind: str
    thing: Found
    name: Spoken
    row: str


def tied_rows(namer: Namer, answer: str) -> Iterator[Tied]:
    """All rows that leave no doubt: with one name, and one identifier of a kind under a heading that fits it."""
    head: list[str] = []
    for number, found in enumerate(_ROW.finditer(answer)):
        cells = [cell.strip() for cell in found[1].split("|")]
        if number == 0 or len(cells) != len(head):
            head = cells
            continue
        if number <= _MOST and not _RULE.fullmatch(found[1]) and not any(map(_OTHERS.search, head)):
            yield from _of_row(namer, head, cells, found[0].strip())


def _of_row(namer: Namer, head: Sequence[str], cells: Sequence[str], row: str) -> Iterator[Tied]:
    spoken = [one for cell in cells if (one := _whole(namer.called, cell))]
    for kind in THINGS:
        things = [
            one
            for heading, cell in zip(head, cells, strict=True)
            for one in namer.names(cell).found
            if one.kind == kind and (kind != "port" or not cell.strip("`*").isdigit() or _PORT.search(heading))
        ]
        own = [one for one in spoken if any(namer.values(fact, kind) for fact in one.facts)]
        own = [one for one in own if kind != "port" or not namer.called.is_place(one.facts)]
        common = set(own[0].facts).intersection(*(one.facts for one in own[1:])) if own else set()
        if len({one.value for one in things}) == 1 and common:
            yield Tied(kind, things[0], own[0]._replace(facts=tuple(f for f in own[0].facts if f in common)), row)


def _whole(called: Called, cell: str) -> Spoken | None:
    """The name that a cell is, and nothing but it."""
    words = words_of(cell)
    name = called.run(words, 0, len(words)) if words else None
    return name if name and (name.exact or not name.plain) else None
