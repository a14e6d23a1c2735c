"""Edits of a knowledge file that leave every other byte as it is: values replaced, columns, facts and tables added.

Each edit is a splice of the text, at places that the two readers of YAML agree on. What came out is read again and
held against what was meant before anybody may have it.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from promptforge.document import Document, plain_value
from promptforge.emit import quoted
from promptforge.errors import InputError
from promptforge.roundtrip import LayoutError, Part, outline
from promptforge.yamlio import parse

__all__ = ["Row", "Sheet", "as_written"]

_BY_HAND = "change it by hand"
_WORD = r"[^\W\d_][\w./'@+()-]*(?: [\w./'@+()&-]+)*"
_ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?"
_MAC = r"(?=[\d:]*[A-Fa-f])[\dA-Fa-f]{2}(?::[\dA-Fa-f]{2}){5}"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PLAIN = re.compile(f"{_WORD}|{_ADDRESS}|{_MAC}")
_WORDS_OF_YAML = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


def as_written(value: object, *, quote: str = "") -> str:
    """A value on one line, as both our reader and one of YAML 1.2 read it back; a text in `quote`, if it can be.

    >>> as_written("Juno's lamp"), as_written("off"), as_written("00:00:5E:00:53:21"), as_written("10:22:33:44:55:10")
    ("Juno's lamp", '"off"', '00:00:5E:00:53:21', '"10:22:33:44:55:10"')
    >>> as_written([1337, "a, b"]), as_written(None), as_written("it's", quote="'")
    ('[1337, "a, b"]', 'null', "'it''s'")
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(as_written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{as_written(str(k))}: {as_written(v)}' for k, v in value.items())}}}"
    if not isinstance(value, str):
        return str(value) if isinstance(plain_value(str(value)), (int, float)) else quoted(str(value))
    if quote == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    plain = not quote and _PLAIN.fullmatch(value) and value.isprintable() and value.lower() not in _WORDS_OF_YAML
    return value if plain else quoted(value)


class Row(NamedTuple):
    """A new fact."""

    key: str
    values: Mapping[str, Any]
    remark: str = ""
    """A comment for the end of its line, `# …`."""


class _Splice(NamedTuple):
    """A piece of the text and what stands in its place."""

    start: int
    order: int
    """Of those at one place."""
    end: int
    text: str


class Sheet:
    """A knowledge file while it is edited. Its methods raise LayoutError where only a person should edit."""

    def __init__(self, file: str, content: bytes = b"") -> None:
        """A file, or without content a new one. Raises InputError where it cannot be read as tables."""
        self.file = file
        self._mark = content[:3] if content.startswith(b"\xef\xbb\xbf") else b""
        self.data: dict[str, Any] = {}
        self._document: Document | None = None
        if content.strip():
            self._document, found = parse(file, content)
            only_comments = any(d.code == "PF111" for d in found)
            if not only_comments and (self._document is None or not isinstance(self._document.data, dict)):
                why = next((f": {d.message}" for d in found if d.severity == "error"), ": it holds no tables")
                raise InputError(f"{file} cannot be edited{why}", hint="mend it first: promptforge check")
            if self._document is not None:
                self.data = copy.deepcopy(self._document.data)
        self.text = content.decode("utf-8-sig")
        self._old = copy.deepcopy(self.data)
        self._end_of_line = "\r\n" if "\r\n" in self.text else "\n"
        self._splices: list[_Splice] = []
        self._more: dict[str, dict[int, list[Any]]] = {}

    def change(self, table: str, at: str | int, values: Mapping[str, Any], *, key: str = "", remark: str = "") -> None:
        """Give columns of a fact other values, add those that it does not have, and with `key` call it otherwise.

        A key is what stands before a fact where the table is a mapping. Where one of it cannot be done, none is.
        A remark is a comment for the end of its line.
        """
        name, part = self._fact(table, at)
        splices = [self._renamed(name, part, key)] if key else []
        new: dict[str, Any] = {}
        for column, value in values.items():
            if entry := part.entry(column):
                splices.append(self._replaced(entry[1], value))
            else:
                new[column] = value
        if new:
            splices.append(self._with_columns(part, new))
        self._splices += [*splices, *self._remarked(part, remark)]
        self.data[table][at] = {**(self.data[table][at] or {}), **values} if values else self.data[table][at]
        if key:
            self.data[table] = {key if old == at else old: fact for old, fact in self.data[table].items()}

    def add(self, table: str, facts: Sequence["Row"], *, behind: int | None = None) -> None:
        """Add facts behind all of a table, or behind one of a list; a mapping puts the keys first."""
        if not facts:
            return
        body = self._old.get(table)
        behind = None if not body or self._in_brackets(table) else behind
        if body:
            self._add_behind(table, facts, behind)
        else:
            self._begin(table, facts)
        if self.is_mapping(table):
            self.data[table] = {**(self.data.get(table) or {}), **{row.key: dict(row.values) for row in facts}}
        else:
            place = len(body or ()) - 1 if behind is None else behind
            self._more.setdefault(table, {}).setdefault(place, []).extend(dict(row.values) for row in facts)

    def is_mapping(self, table: str) -> bool:
        """Whether facts of a table have their key before them in this file, or would have."""
        return isinstance(self._old[table], dict) if self._old.get(table) else table in _MAPPINGS

    def content(self) -> bytes:
        """The file with all edits. Raises LayoutError where it would not say what was meant."""
        pieces, at = [], 0
        for start, _, end, new in sorted(self._splices):
            pieces += [self.text[at:start], new]
            at = end
        content = self._mark + "".join([*pieces, self.text[at:]]).encode("utf-8", "replace")
        made, _ = parse(self.file, content)
        if self._splices and (made is None or not _is_same(made.data, self._meant())):
            message = f"{self.file} is written in a way that cannot be added to safely"
            raise LayoutError(message, hint="add it by hand, or name another file: --into knowledge/FILE.yaml")
        return content

    def _meant(self) -> dict[str, Any]:
        """The data with the new facts of its lists where they belong."""
        meant = dict(self.data)
        for table, more in self._more.items():
            facts = list(more.get(-1, ()))
            for number, fact in enumerate(meant.get(table) or ()):
                facts += [fact, *more.get(number, ())]
            meant[table] = facts
        return meant

    # --- where things stand -------------------------------------------------------------------------------------------

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        starts += [match.end() for match in re.finditer("\n", self.text)]
        return starts

    def _offset(self, place: tuple[int, int]) -> int:
        return self._starts[place[0] - 1] + place[1] - 1

    @cached_property
    def _tables(self) -> dict[str, tuple[int, int]]:
        """Where the key of each table stands, and where the next one's line begins."""
        assert self._document is not None
        offsets = [self._offset(place) for place in self._document.item_places(())]
        ends = [*(self._line(offset) for offset in offsets[1:]), len(self.text)]
        return dict(zip(self._old, zip(offsets, ends, strict=True), strict=True))

    def _line(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1

    def _items(self, table: str) -> dict[str | int, tuple[int, int]]:
        """Where each fact of a table, or its key, begins and ends at the latest."""
        if table not in self._known_items:
            assert self._document is not None
            offsets = [self._offset(place) for place in self._document.item_places((table,))]
            ends = [self._until(one, other) for one, other in pairwise(offsets)]
            body = self._old[table]
            names = list(body) if isinstance(body, dict) else range(len(body))
            places = zip(offsets, [*ends, self._tables[table][1]], strict=True)
            self._known_items[table] = dict(zip(names, places, strict=True))
        return self._known_items[table]

    @cached_property
    def _known_items(self) -> dict[str, dict[str | int, tuple[int, int]]]:
        return {}

    def _until(self, one: int, other: int) -> int:
        return max(self._line(other), one) if self._line(other) > one else other

    def _body(self, table: str) -> Part:
        """A table that stands in brackets, as a whole."""
        assert self._document is not None
        span = self._document.span((table,))
        return outline(self.text, self._offset((span.line, span.column)), self._tables[table][1])

    def _in_brackets(self, table: str) -> bool:
        assert self._document is not None
        span = self._document.span((table,))
        return self.text[self._offset((span.line, span.column))] in "[{"

    def _fact(self, table: str, at: str | int) -> tuple[Part | None, Part]:
        """A fact as it is written, and its key where the table is a mapping."""
        body = self._old[table]
        if self._in_brackets(table):
            number = list(body).index(at) if isinstance(body, dict) else int(at)
            key, fact = self._body(table).items[number]
        elif isinstance(body, dict):
            key, fact = self._entry(self._items(table)[at])
        else:
            key, fact = None, outline(self.text, *self._items(table)[at])
        empty = fact.kind == "scalar" and fact.start == fact.end
        if fact.marked or not (fact.kind == "mapping" or empty):
            raise LayoutError(f"{self._place(fact)}: the fact is not written out where it stands", hint=_BY_HAND)
        return key, fact

    def _entry(self, place: tuple[int, int]) -> tuple[Part | None, Part]:
        """The key that stands at a place, and its value."""
        whole = outline(self.text, *place)
        if whole.kind != "mapping" or not whole.items:
            raise LayoutError(f"{self._place(whole)}: the key is not written plainly", hint=_BY_HAND)
        return whole.items[0]

    def _place(self, part: Part) -> str:
        return f"{self.file}:{self.text.count(chr(10), 0, part.start) + 1}"

    # --- splices ------------------------------------------------------------------------------------------------------

    def _replaced(self, part: Part, value: Any) -> _Splice:
        written = self.text[part.start : part.end]
        if part.marked or part.style in ("|", ">") or "\n" in written or (part.kind != "scalar" and not part.flow):
            raise LayoutError(f"{self._place(part)}: the value is not written on one line", hint=_BY_HAND)
        if part.start == part.end:  # nothing stands there, right behind the colon
            return _Splice(part.start, _FIRST, part.end, " " + as_written(value))
        if not part.style and _DAY.fullmatch(written) and isinstance(value, str) and _DAY.fullmatch(value):
            return _Splice(part.start, 0, part.end, value)  # as the person writes days
        return _Splice(part.start, 0, part.end, as_written(value, quote=part.style))

    def _renamed(self, name: Part | None, fact: Part, key: str) -> _Splice:
        if name is None or name.marked or "\n" in self.text[name.start : name.end]:
            raise LayoutError(f"{self._place(fact)}: the key of the fact is not written plainly", hint=_BY_HAND)
        return _Splice(name.start, 0, name.end, as_written(key, quote=name.style))

    def _with_columns(self, fact: Part, new: Mapping[str, Any]) -> _Splice:
        columns = [f"{as_written(column)}: {as_written(value)}" for column, value in new.items()]
        if fact.kind == "scalar":  # `mini:` and no more
            return _Splice(fact.start, _FIRST, fact.end, f" {{{', '.join(columns)}}}")
        if not fact.items:
            return _Splice(fact.start, 0, fact.end, f"{{{', '.join(columns)}}}")
        if fact.flow:
            at = fact.items[-1][1].end
            return _Splice(at, 0, at, "".join(f", {column}" for column in columns))
        for key, value in reversed(fact.items):
            if key is not None and "\n" not in self.text[key.start : value.end]:
                at = self._line_end(value.end)
                first = fact.items[0][0]
                indent = " " * (first.start - self._line(first.start)) if first else ""
                return _Splice(at, 0, at, "".join(f"{self._end_of_line}{indent}{column}" for column in columns))
        raise LayoutError(f"{self._place(fact)}: no column of the fact stands on one line", hint=_BY_HAND)

    def _remarked(self, fact: Part, remark: str) -> Sequence[_Splice]:
        """The remark at the end of the first line of the fact that ends nothing but itself; else there is none."""
        ends = [fact.end] if fact.flow or fact.kind == "scalar" else []
        if not ends:
            ends = [value.end for key, value in fact.items if key and "\n" not in self.text[key.start : value.end]]
        at = self._line_end(ends[0]) if ends else 0
        return [_Splice(at, _REMARK, at, f"  {remark}")] if remark and ends else []

    def _line_end(self, offset: int) -> int:
        """Where the line of an offset ends; of an end behind a line's end, that line."""
        offset -= self.text[offset - 1 : offset] == "\n"
        end = self.text.find("\n", offset)
        end = len(self.text) if end < 0 else end
        return end - (self.text[end - 1 : end] == "\r" and end > offset)

    def _add_behind(self, table: str, facts: Sequence[Row], behind: int | None) -> None:
        body = self._old[table]
        order = len(self._splices) + 1
        if self._in_brackets(table):
            part = self._body(table)
            at = part.items[-1][1].end
            self._splices.append(_Splice(at, order, at, "".join(f", {self._flow(table, row)}" for row in facts)))
            remarks = "".join(f"  {row.remark}" for row in facts if row.remark)
            at = self._line_end(part.end)
            self._splices += [_Splice(at, _REMARK, at, remarks)] if remarks else []
            return
        last = next(reversed(body)) if isinstance(body, dict) else len(body) - 1 if behind is None else behind
        begin, end = self._items(table)[last]
        fact = self._entry((begin, end))[1] if isinstance(body, dict) else outline(self.text, begin, end)
        head = self.text[self._line(begin) : begin]
        if head.strip() != ("" if isinstance(body, dict) else "-"):
            raise LayoutError(f"{self._place(fact)}: the facts do not begin in lines of their own", hint=_BY_HAND)
        at = self._line_end(fact.end)
        below = ""  # where the columns of a mapping's fact begin that stand in lines of their own
        if fact.kind == "mapping" and not fact.flow and fact.items[0][0] is not None:
            below = " " * (fact.items[0][0].start - self._line(fact.items[0][0].start))
        rows = (self._row(table, head, below, row) for row in facts)
        self._splices.append(_Splice(at, order, at, "".join(self._end_of_line + row for row in rows)))

    def _row(self, table: str, head: str, below: str, row: Row) -> str:
        """A fact as the one before it is written: in brackets, or (`below`) each column in its line."""
        remark = f"  {row.remark}" if row.remark else ""
        if not below or not row.values:
            return f"{head}{self._flow(table, row)}{remark}"
        columns = [f"{as_written(column)}: {as_written(value)}" for column, value in row.values.items()]
        if self.is_mapping(table):
            first = f"{head}{as_written(row.key)}:{remark}"
            return self._end_of_line.join([first, *(below + column for column in columns)])
        return head + f"{self._end_of_line}{below}".join([columns[0] + remark, *columns[1:]])

    def _flow(self, table: str, row: Row) -> str:
        values = as_written(row.values)
        return f"{as_written(row.key)}: {values}" if self.is_mapping(table) else values

    def _begin(self, table: str, facts: Sequence[Row]) -> None:
        """The first facts of a table."""
        end = self._end_of_line
        head = "  " if table in _MAPPINGS else "  - "
        rows = end.join(self._row(table, head, "", row) for row in facts)
        if table not in self._old:
            at = len(self.text)
            gap = "" if not self.text else end if self.text.endswith("\n") else end * 2
            self._splices.append(_Splice(at, len(self._splices) + 1, at, f"{gap}{table}:{end}{rows}{end}"))
            return
        begin, until = self._tables[table]
        _, value = self._entry((begin, until))
        if value.marked or "#" in (inside := self.text[value.start : value.end]) or "\n" in inside:
            raise LayoutError(f"{self._place(value)}: the empty table is not written plainly", hint=_BY_HAND)
        if value.end > value.start:
            start = value.start - (self.text[value.start - 1] == " ")
            self._splices.append(_Splice(start, 0, value.end, ""))
        at = self._line_end(value.end)
        self._splices.append(_Splice(at, len(self._splices) + 1, at, end + rows))


_FIRST, _REMARK = -2, -1
"""What is put in at the end of a line, in this order: its value, a remark on it, and further lines."""
_MAPPINGS = frozenset(["sites", "hosts"])
"""Tables that begin as mappings, as the design shows them."""


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are read alike, and are of one kind; the order of columns apart."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, (str, bool)) or isinstance(other, (str, bool)) or one is None or other is None:
        return type(one) is type(other) and one == other
    return str(one) == str(other)
