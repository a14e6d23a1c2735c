"""A YAML file as plain data with the place of every node. What the parser makes and everybody reads."""

import re
from array import array
from dataclasses import dataclass, field
from typing import Any

from promptforge.source import Span

__all__ = ["BLOCK_TEXT", "CONSTANTS", "SHIFT", "Decimal", "Document", "Path", "plain_value", "size_of"]

Path = tuple[str | int, ...]

SHIFT = 32
BLOCK_TEXT = 1 << 31
_COLUMN = BLOCK_TEXT - 1
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,299})(\.[0-9]{1,300})?")
_NOTHING = object()
_FEW = 16
"""Keys of a mapping that are rather counted once more than all noted: of most cases of a suite one is asked for."""
CONSTANTS = {"true": True, "false": False, "null": None, "": None}


class Decimal(float):
    """A decimal that is printed as it was written: `1.10` stays `1.10`, and equals 1.1.

    >>> str(Decimal("1.10")), Decimal("1.10") == 1.1
    ('1.10', True)
    """

    __slots__ = ("written",)
    written: str

    def __new__(cls, written: str) -> "Decimal":
        """Keep the text beside the number."""
        made = super().__new__(cls, written)
        made.written = written
        return made

    def __str__(self) -> str:
        return self.written

    def __repr__(self) -> str:
        return f"Decimal({self.written!r})"

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return Decimal, (self.written,)


def plain_value(written: str) -> object:
    """What a plain (unquoted) scalar means.

    >>> [plain_value(w) for w in ("8123", "off", "0123", "true", "~", "", "10:22:33:44:55:10", "-4")]
    [8123, 'off', '0123', True, '~', None, '10:22:33:44:55:10', -4]
    """
    if written in CONSTANTS:
        return CONSTANTS[written]
    if written[0] in "-0123456789" and (match := _NUMBER.fullmatch(written)) and written != "-0":
        return Decimal(written) if match[1] else int(written)
    return written


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML file: plain data, and where each node of it stands."""

    file: str
    text: str
    data: Any
    """dict, list, str, int, Decimal, bool or None; the keys of a mapping are always text."""
    positions: "array[int]"
    """In document order, a mapping's key before its value: line << 32 | column, both from 0; bit 31 for a `|` block."""
    wrong: frozenset[Path] = frozenset()
    """Parts of a wrong shape, which are left out of what is made of it."""
    _starts: dict[Path, int] = field(default_factory=dict, compare=False, repr=False)
    """Index into `positions` for the paths asked for so far."""

    def span(self, path: Path = (), *, key: bool = False) -> Span:
        """Where the node at `path` stands (or its key); the nearest existing parent when there is no such node."""
        index = self._index(path)
        if key:
            parent = self._at(path[:-1]) if path else None
            key = isinstance(parent, dict) and path[-1] in parent
            index -= key
        packed = self.positions[index] if self.positions else 0
        value = path[-1] if key else self._at(path)
        length = 1 if isinstance(value, (dict, list)) or value is None else max(1, len(str(value).split("\n")[0]))
        return Span(file=self.file, line=(packed >> SHIFT) + 1, column=(packed & _COLUMN) + 1, length=min(length, 80))

    def line(self, path: Path = ()) -> int:
        """The line, from 1, of the node at `path`."""
        return (self.positions[self._index(path)] >> SHIFT) + 1

    def item_places(self, path: Path) -> list[tuple[int, int]]:
        """The line and column of the values (of a mapping: of the keys) directly below `path`, in order."""
        container = self._at(path)
        index = self._index(path) + 1
        positions = self.positions
        keyed = isinstance(container, dict)
        places: list[tuple[int, int]] = []
        before: Any = None  # of the last one the size is never needed, and it may be the largest
        for item in container.values() if keyed else container:
            if places:
                index += (size_of(before) if before.__class__ is dict or before.__class__ is list else 1) + keyed
            packed = positions[index]
            places.append(((packed >> SHIFT) + 1, (packed & _COLUMN) + 1))
            before = item
        return places

    def item_lines(self, path: Path) -> list[int]:
        """The lines of the values (of a mapping: of the keys) directly below `path`, in order."""
        return [line for line, _ in self.item_places(path)]

    def text_start(self, path: Path) -> tuple[int, int]:
        """The file's line of the first line of the text at `path`, and by how much each further line moves on.

        That is 1 for a `|` block, and 0 for a text that is written otherwise: then all of it counts as its first line.
        """
        packed = self.positions[self._index(path)]
        step = 1 if packed & BLOCK_TEXT else 0
        return (packed >> SHIFT) + 1 + step, step

    def text_line(self, path: Path, line: int) -> int:
        """The file's line of line `line` (from 1) of the text at `path`."""
        first, step = self.text_start(path)
        return first + step * (line - 1)

    def _at(self, path: Path) -> Any:
        value = self.data
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def _index(self, path: Path) -> int:
        """Where the node's place is kept, found by counting the nodes before it; siblings are counted together."""
        if not path:
            return 0
        if path not in self._starts:
            parent = path[:-1]
            index, container = self._index(parent), self._at(parent)
            self._starts[path] = index  # of a node that is not there: its parent's
            keyed = isinstance(container, dict)
            children = container.items() if keyed else enumerate(container if isinstance(container, list) else ())
            index += 1 + keyed
            few = keyed and len(container) <= _FEW
            before: Any = _NOTHING
            for name, value in children:
                if before is not _NOTHING:
                    index += size_of(before) + keyed
                self._starts[(*parent, name)] = index
                if few and name == path[-1]:
                    break
                before = value
        return self._starts[path]


def size_of(value: Any) -> int:
    """How many nodes stand at and below a value."""
    if value.__class__ is dict:
        total = 1 + 2 * len(value)
        value = value.values()
    elif value.__class__ is list:
        total = 1 + len(value)
    else:
        return 1
    for inner in value:
        if inner.__class__ is dict or inner.__class__ is list:
            total += size_of(inner) - 1
    return total
