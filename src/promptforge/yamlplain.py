"""The YAML that people mostly write, read line by line three times as fast as from a parser's events.

Block mappings and lists, one-line values (plain, quoted, `[…]`, `{…}`), `|` texts and comments. Whatever goes beyond
that, or could be wrong, is left to `yamlio`: what is read here must come out as it does there (a property test says
so), so nothing is ever said here of a file.
"""

import re
from array import array
from functools import cached_property
from typing import Any

from promptforge.document import BLOCK_TEXT, SHIFT, plain_value

__all__ = ["read_plain"]

_DEEPEST = 32
"""Levels of blocks, and of brackets in a line, that are read here."""

_KEY = r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}+"
_LINE = re.compile(rf"( *+)(- ++)?+(?:({_KEY}):(?=[ \n])( *+))?([^\n]*)\n")
_NOT_PLAIN = frozenset("?:,[]{}#&*!|>'\"%@`-")
"""How a value starts that is not plain, or (`-`) may not be."""
_QUOTED = re.compile(r"""(?:"([^"\\]*)"|'([^']*)') *(?: #.*)?""")
_NEGATIVE = re.compile(r"-[0-9A-Za-z.]")
_MAY_MEAN = frozenset("-0123456789tfn")
"""How a plain value starts that may be no text."""

_IN_FLOW = r"[^:\#,\[\]{}?\n]*"
_FIRST = r"(?:[^\-?:,\[\]{}#&*!|>'\"%@`\ \n]|-(?=[0-9A-Za-z.]))"
_ITEM = re.compile(
    rf"""(?x)\ *+(?:({_KEY}):\ ++)?
    (?: ({_FIRST}{_IN_FLOW}(?:(?::(?=[^\ ,\[\]{{}}?\n])|(?<=[^\ ])\#){_IN_FLOW})*)
      | "([^"\\\n]*)" | '([^'\n]*)' | (?=([\[{{])) )"""
)
_WORDS = r"[A-Za-z0-9_.](?:[A-Za-z0-9_./-]|[ ](?=[A-Za-z0-9_.])|:(?=[A-Za-z0-9_]))*+"
_NEXT = re.compile(r" *([,\]}])")
_LINE_END = re.compile(r" *(?: #.*)?")
_RECORD = re.compile(rf"\{{{_KEY}: {_WORDS}(?:, {_KEY}: {_WORDS})*+\}}")
_LIST = re.compile(rf"\[{_WORDS}(?:, {_WORDS})*+\]")
_BLOCK_HEAD = re.compile(r"\|([-+]?) *")

Open = tuple[Any, int, bool]
"""A collection that is open: itself, its column, whether it is a mapping."""


class _UnusualError(Exception):
    """Something that is left to the parser."""


def read_plain(text: str) -> tuple[Any, "array[int]"] | None:
    """The data and positions of a file, as `Document` has them; nothing where the file must be parsed."""
    if not text.replace("\n", "").isprintable():
        return None  # tabs, control characters, odd line ends
    reader = _Reader(text if text.endswith("\n") else text + "\n", whole=text.endswith("\n"))
    try:
        data = reader.read()
    except _UnusualError:
        return None
    return (data, reader.positions) if data else None


def _plain(written: str) -> str:
    """A plain value without what stands behind it in its line."""
    value = written.partition(" #")[0].rstrip(" ")
    if ": " in value or value.endswith(":"):
        raise _UnusualError
    return value


def _is_more(value: str) -> bool:
    """Whether a line without a key or a dash is more than blank or a comment: it would go on from the line before."""
    if value and value[0] != "#":
        raise _UnusualError
    return False


class _Reader:
    """What was read so far: the place of each node, and the collections around the innermost one."""

    def __init__(self, text: str, *, whole: bool) -> None:
        self.text, self.whole = text, whole
        self.positions: array[int] = array("Q")
        self.outer: list[Open] = []

    @cached_property
    def lines(self) -> list[str]:
        """The lines as they are, for what is not told from their parts."""
        return self.text.split("\n")

    def read(self) -> Any:
        """The root mapping. The hot loop: no call for a line with a plain value."""
        add, outer = self.positions.append, self.outer
        container: Any = None
        column, is_mapping = -1, True
        pending, behind, after = "", 0, 0  # a key whose value does not stand in its line, and the place behind it
        for line, (spaces, dash, key, gap, value) in enumerate(_LINE.findall(self.text)):
            if line < after or not (key or dash or _is_more(value)):
                continue  # in a `|` text, blank, or a comment
            indent, place = len(spaces), line << SHIFT
            if pending:
                inner = (container, column, True)
                container, column, is_mapping = self._below(inner, indent, dash, pending, place, behind)
                pending = ""
            while column > indent:
                container, column, is_mapping = outer.pop()
            if not dash and (not is_mapping or column != indent):
                container, column, is_mapping = self._leave((container, column, is_mapping), indent, place)
            if dash:
                if is_mapping or column != indent:
                    raise _UnusualError
                if key:
                    outer.append((container, column, False))
                    container.append({})
                    container, column, is_mapping = container[-1], indent + len(dash), True
                    add(place | column)
            at = indent + len(dash)
            if key:
                if key in container:
                    raise _UnusualError
                add(place | at)
                at += len(key) + 1
                if not value or value[0] == "#":
                    pending, behind = key, place | at
                    continue
                at += len(gap)
            add(place | at)
            if not value or value[0] in _NOT_PLAIN:
                value, after = self._other(value, line, at, column)
            elif ":" in value or "#" in value or value[-1] == " " or value[0] in _MAY_MEAN:
                value = plain_value(_plain(value))
            if key:
                container[key] = value
            else:
                container.append(value)
        self._end(container, pending, behind)
        return outer[1][0] if len(outer) > 1 else container

    def _below(self, inner: Open, column: int, dash: str, key: str, place: int, behind: int) -> Open:
        """The value of a key: what is indented below it, a list that need not be, or nothing."""
        if column > inner[1] or (dash and column == inner[1]):
            return self._open(inner, column, dash, key, place)
        self._end(inner[0], key, behind)
        return inner

    def _end(self, container: Any, key: str, behind: int) -> None:
        if key:
            self.positions.append(behind)
            container[key] = None

    def _open(self, inner: Open, column: int, dash: str, key: str, place: int) -> Open:
        """The value of a key, below it."""
        if len(self.outer) >= _DEEPEST:
            raise _UnusualError
        made: Any = [] if dash else {}
        inner[0][key] = made
        self.outer.append(inner)
        self.positions.append(place | column)
        return made, column, not dash

    def _leave(self, inner: Open, column: int, place: int) -> Open:
        """The mapping that a key belongs to: around a list that is not indented, or the root."""
        if inner[1] == column:
            inner = self.outer.pop()
        elif inner[0] is None and not column:
            self.outer.append(inner)
            self.positions.append(place)
            inner = {}, 0, True
        if inner[1] != column or not inner[2]:
            raise _UnusualError
        return inner

    def _other(self, written: str, line: int, at: int, column: int) -> tuple[Any, int]:
        """A value that is not plain, whose place was added, and the line that goes on after it."""
        first = written[:1]
        if first not in ("[", "{"):
            if quoted := _QUOTED.fullmatch(written):
                return quoted[quoted.lastindex or 0], 0
            if first == "|":
                self.positions[-1] |= BLOCK_TEXT
                return self._block(written, line + 1, column)
            if _NEGATIVE.match(written):
                return plain_value(_plain(written)), 0
            raise _UnusualError
        if first == "{" and _RECORD.fullmatch(written):
            return self._record(written, line << SHIFT | at + 1), 0
        if first == "[" and _LIST.fullmatch(written):
            return self._list(written, line << SHIFT | at + 1), 0
        self.positions.pop()
        text = self.lines[line]
        value, after = self._flow(text, at, line << SHIFT, _DEEPEST)
        if not _LINE_END.fullmatch(text, after):
            raise _UnusualError
        return value, 0

    def _record(self, written: str, place: int) -> dict[str, Any]:
        """A mapping in braces as most facts are written: plain keys and values, one comma and space between."""
        made: dict[str, Any] = {}
        add = self.positions.append
        for pair in written[1:-1].split(", "):
            key, _, value = pair.partition(": ")
            add(place)
            add(place + len(key) + 2)
            place += len(pair) + 2
            if key in made:
                raise _UnusualError
            made[key] = plain_value(value) if value[0] in _MAY_MEAN else value
        return made

    def _list(self, written: str, place: int) -> list[Any]:
        """The same of a list in brackets: plain values, one comma and space between."""
        made: list[Any] = []
        for value in written[1:-1].split(", "):
            self.positions.append(place)
            place += len(value) + 2
            made.append(plain_value(value) if value[0] in _MAY_MEAN else value)
        return made

    def _block(self, head: str, first: int, column: int) -> tuple[str, int]:
        """A text of several lines; one of spaces alone that is shorter than the indent is left to the parser."""
        chomp, lines = _BLOCK_HEAD.fullmatch(head), self.lines
        indent = len(lines[first]) - len(lines[first].lstrip(" "))
        if chomp is None or indent <= column or len(lines[first]) == indent:
            raise _UnusualError
        end, pad = first + 1, " " * indent
        while end < len(lines) and (lines[end].startswith(pad) or not lines[end]):
            end += 1
        if end == len(lines):
            if not self.whole:
                raise _UnusualError
            end -= 1  # what stands after the last line's end is no line
        elif not lines[end].strip(" "):
            raise _UnusualError
        text = "\n".join([line[indent:] for line in lines[first:end]]) + "\n"
        if chomp[1] == "+":
            return text, end
        return text.rstrip("\n") + "\n" * (not chomp[1]), end

    def _flow(self, text: str, at: int, place: int, deepest: int) -> tuple[Any, int]:
        """A list or mapping in brackets that starts at a column of a line, and the column after it."""
        add = self.positions.append
        add(place | at)
        made: Any = {} if text[at] == "{" else []
        keyed = text[at] == "{"
        closing = "}" if keyed else "]"
        after = _NEXT.match(text, at + 1)
        if after is not None:
            if after[1] != closing:
                raise _UnusualError
            return made, after.end()
        at += 1
        while after is None or after[1] == ",":
            item = _ITEM.match(text, at)
            if item is None or (item[1] is not None) is not keyed or not deepest or (keyed and item[1] in made):
                raise _UnusualError
            key, value, double, single, _ = item.groups()
            if keyed:
                add(place | item.start(1))
            at = item.end()
            if value is not None:
                add(place | item.start(2))
                value = plain_value(value.rstrip(" "))
            elif double is None and single is None:
                value, at = self._flow(text, at, place, deepest - 1)
            else:
                add(place | item.start(item.lastindex or 0) - 1)
                value = double if single is None else single
            if keyed:
                made[key] = value
            else:
                made.append(value)
            after = _NEXT.match(text, at)
            if after is None:
                raise _UnusualError
            at = after.end()
        if after[1] != closing:
            raise _UnusualError
        return made, at
