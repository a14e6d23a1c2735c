"""Where the parts of a fact stand in its file, so that an edit replaces these alone. Owns ruamel.yaml.

ruamel's own round trip keeps comments, but writes lists, long lines and brackets anew in its own way: of a file of a
hundred lines it changes the half. So only its parser is used, on the lines of one fact; what lies between the parts
that it names is never written by anybody.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from promptforge.errors import InputError

__all__ = ["LayoutError", "Part", "outline"]

_COLON = re.compile(r"\s*:")


class LayoutError(InputError):
    """Something is written in a way that is better changed by hand."""


class Part(NamedTuple):
    """A value as it is written."""

    kind: str
    """scalar, mapping, list or alias."""
    start: int
    end: int
    """Offsets in the text; of a mapping or list without brackets `end` is that of its last part."""
    flow: bool = False
    """Whether it stands in brackets."""
    style: str = ""
    """Of a scalar: its quote, `|` or `>`; empty for a plain one."""
    marked: bool = False
    """Whether it carries an anchor or a tag."""
    value: str = ""
    """Of a scalar."""
    items: "tuple[tuple[Part | None, Part], ...]" = ()
    """Key and value of a mapping's entries; a list's have no key."""

    def entry(self, key: str) -> "tuple[Part, Part] | None":
        """The key and the value of an entry of a mapping."""
        return next(((name, value) for name, value in self.items if name is not None and name.value == key), None)


def outline(text: str, start: int, end: int) -> Part:
    """The value that starts at an offset of a YAML text; `end` is where its lines end at the latest.

    Raises LayoutError where it cannot be read by itself.
    """
    from ruamel.yaml import YAML

    line = text.rfind("\n", 0, start) + 1
    fragment = " " * (start - line) + text[start:end]  # blank before it, so that columns mean what they mean there
    try:
        part = _part(iter(YAML(typ="safe", pure=True).parse(fragment)), line, text)
    except tuple(_complaints()) as problem:
        said = next(said for kind, said in _complaints().items() if isinstance(problem, kind))
        message = f"line {text.count(chr(10), 0, start) + 1}: {said}"
        raise LayoutError(message, hint="change it by hand") from problem
    if part is None:
        raise LayoutError(f"line {text.count(chr(10), 0, start) + 1}: there is no value", hint="change it by hand")
    return part


@cache
def _complaints() -> dict[type[Exception], str]:
    from ruamel.yaml.error import YAMLError, YAMLStreamError

    return {
        YAMLStreamError: "it cannot be read as text",
        YAMLError: "a YAML 1.2 reader takes it for something else",
        RecursionError: "it is nested too deeply",
    }


class _Open(NamedTuple):
    """A collection whose end was not yet seen."""

    event: Any
    parts: list[Part]


def _part(events: Iterator[Any], base: int, text: str) -> Part | None:
    """The first value of a stream of events; what comes after it is not looked at."""
    stack: list[_Open] = []
    for event in events:
        kind = type(event).__name__
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            stack.append(_Open(event, []))
            continue
        if kind in ("MappingEndEvent", "SequenceEndEvent"):
            made = _collection(stack.pop(), event, base, text)
        elif kind == "ScalarEvent":
            made = Part("scalar", *_place(event, event, base), style=event.style or "", value=event.value)
            made = made._replace(marked=_is_marked(event))
        elif kind == "AliasEvent":
            made = Part("alias", *_place(event, event, base), marked=True)
        else:
            continue
        if not stack:
            return made
        stack[-1].parts.append(made)
    return None


def _collection(opened: _Open, event: Any, base: int, text: str) -> Part:
    first, parts = opened
    if type(first).__name__ == "MappingStartEvent":
        parts[1::2] = [_behind(key, value, text) for key, value in zip(parts[::2], parts[1::2], strict=True)]
    flow = bool(first.flow_style)
    start, end = _place(first, event, base)
    end = end if flow or not parts else parts[-1].end
    marked = _is_marked(first)
    if type(first).__name__ == "SequenceStartEvent":
        return Part("list", start, end, flow, marked=marked, items=tuple((None, part) for part in parts))
    pairs = tuple(zip(parts[::2], parts[1::2], strict=True))
    return Part("mapping", start, end, flow, marked=marked, items=pairs)


def _behind(key: Part, value: Part, text: str) -> Part:
    """A value; of one that is not there the place behind its key's colon, for ruamel names that of what comes next."""
    if value.kind != "scalar" or value.style or value.value or value.marked:
        return value
    colon = _COLON.match(text, key.end)
    at = colon.end() if colon else key.end
    return value._replace(start=at, end=at)


def _is_marked(event: Any) -> bool:
    return event.anchor is not None or event.tag is not None


def _place(first: Any, last: Any, base: int) -> tuple[int, int]:
    return first.start_mark.index + base, last.end_mark.index + base
