"""An edit within the facts of a list, read from its lines alone: of a thousand facts one is parsed, and not the file.

That is right only where nothing else in the file can have come to mean something else. So the changed lines must lie
in items of a block list, from the line of the first item's dash to that of an item which stands as it stood. What is
before them is read as ever, for it ends where a dash at the list's own column begins an item; what comes after them is
read as ever, for they parse by themselves as items of such a list, with every quote and bracket closed, and hold no
anchor, no mark of a document, and no line break but LF. Everything else is left to the parser.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from promptforge.compiler.scan import suspicious
from promptforge.document import Document
from promptforge.model import Fact, Table
from promptforge.yamlio import parse

__all__ = ["Patch", "find_patch"]

_DASH = re.compile(rb" *- ")
_BREAKS = re.compile(rb"[\r\0]|\xc2\x85|\xe2\x80[\xa8\xa9]")
_ELSEWHERE = re.compile(rb"&|promptforge: allow|^(?:---|\.\.\.|%)", re.MULTILINE)


class Patch(NamedTuple):
    """The facts of one table that were written anew, each in the place of one that was there."""

    was: Table
    now: Table
    before: Sequence[Fact]
    after: Sequence[Fact]


class _Lines(NamedTuple):
    """Some items of a list, old and new, and the facts that they were."""

    table: str
    start: int
    """The first line, from 1."""
    old: bytes
    new: bytes
    numbers: Sequence[int]
    """Of the facts in their table."""


Make = Callable[[str, Document], Table | None]
"""Makes a table of a document that holds it alone; nothing if anything is wrong with it."""


def find_patch(path: str, old: bytes, new: bytes, tables: Mapping[str, Table], make: Make) -> Patch | None:
    """What was written anew in a file, or nothing where only the whole file can tell.

    `tables` are those that the file names, as they were.
    """
    lines = None if _BREAKS.search(old) else _find_lines(path, old.split(b"\n"), new.split(b"\n"), tables)
    if lines is None or _items(path, lines, lines.old) is None or (document := _items(path, lines, lines.new)) is None:
        return None
    was, made = tables[lines.table], make(lines.table, document)
    if made is None or made.digest != was.digest or len(made.facts) != len(lines.numbers):
        return None
    before = [was.facts[number] for number in lines.numbers]
    pairs = list(zip(before, made.facts, strict=True))
    if not all(_are_alike(fact, other, lines.start) for fact, other in pairs):
        return None
    after = [other._replace(line=fact.line, at=fact.at) for fact, other in pairs]
    now = _patched(was, dict(zip(lines.numbers, after, strict=True)))
    return Patch(was=was, now=now, before=before, after=after) if now else None


def _items(path: str, lines: _Lines, text: bytes) -> Document | None:
    """Lines as a file of their own, if they are as many items as they were, and nothing besides."""
    if _BREAKS.search(text) or _ELSEWHERE.search(text):
        return None
    document, problems = parse(path, lines.table.encode() + b":\n" + text)
    if document is None or problems or suspicious(document.text) or list(document.data) != [lines.table]:
        return None
    items = document.data[lines.table]
    return document if isinstance(items, list) and len(items) == len(lines.numbers) else None


def _are_alike(fact: Fact, other: Fact, start: int) -> bool:
    """Whether a fact written anew stands where the old one stood, and has its columns: then no other fact changes."""
    same_place = isinstance(fact.at, int) and other.line + start - 2 == fact.line
    return same_place and list(other.values) == list(fact.values)


def _find_lines(path: str, old: Sequence[bytes], new: Sequence[bytes], tables: Mapping[str, Table]) -> _Lines | None:
    """The items that hold all the lines that differ."""
    differing = [n for n, (one, other) in enumerate(zip(old, new, strict=False), 1) if one != other]
    if len(old) != len(new) or not differing:
        return None
    facts = sorted((f.line, t.name, n) for t in tables.values() for n, f in enumerate(t.facts) if f.file == path)
    starts = [line for line, _, _ in facts]
    first, last = bisect_right(starts, differing[0]) - 1, bisect_right(starts, differing[-1])
    # The fact after them is one of the list, too: then they end where it begins, and not with another table.
    if first < 0 or len({name for _, name, _ in facts[first : last + 1]}) != 1:
        return None
    start = starts[first]
    end = starts[last] if last < len(facts) else len(new) + 1
    dash = _DASH.match(old[start - 1])
    if not dash or not new[start - 1].startswith(dash[0]) or (end <= len(old) and not old[end - 1].startswith(dash[0])):
        return None
    ending = b"\n" if end <= len(new) else b""
    return _Lines(
        table=facts[first][1],
        start=start,
        old=b"\n".join(old[start - 1 : end - 1]) + ending,
        new=b"\n".join(new[start - 1 : end - 1]) + ending,
        numbers=[number for _, _, number in facts[first:last]],
    )


def _patched(table: Table, facts: Mapping[int, Fact]) -> Table | None:
    """The table with some facts replaced, by their number; nothing where their keys clash."""
    now = list(table.facts)
    for number, fact in facts.items():
        now[number] = fact
    if all(table.facts[number].key == fact.key for number, fact in facts.items()):
        swapped = {id(table.facts[number]): fact for number, fact in facts.items()}
        by_key = {key: swapped.get(id(fact), fact) for key, fact in table.by_key.items()}
    else:
        by_key = {fact.key: fact for fact in now}
        if table.defaults or len(by_key) != len(now):
            return None
    return replace(table, facts=tuple(now), by_key=by_key)
