"""YAML and JSON by place: each value is replaced where it stands, so that comments, order and layout stay.

What is not YAML is read as plain text, line by line; a key of the format at a line's beginning is then left alone.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from promptforge.document import CONSTANTS
from promptforge.emit import quoted
from promptforge.redaction.text import Redactor
from promptforge.roundtrip import LayoutError, Part, outline

__all__ = ["KEEP", "NAME", "TEXT", "Piece", "Place", "Role", "RoleOf", "pieces", "plain_text", "redact_layout"]

Place = tuple[str | int, ...]
KEEP, NAME, TEXT, COMMENT = "keep", "name", "text", "comment"


class Role(NamedTuple):
    """What a value is there for."""

    mode: str
    """keep: it belongs to the format; name: it names as a whole; text: anything may be in it."""
    column: str = ""
    """Its column or key, which tells a secret."""


RoleOf = Callable[[Place, str, bool], Role]
"""Asked with path, value, and whether it is a key."""


class Piece(NamedTuple):
    """A part of a file; all of them in order are the file."""

    role: Role
    part: Part | None
    """Of a value how it is written; nothing for what lies between values."""
    start: int
    end: int


def pieces(text: str, role_of: RoleOf) -> Iterator[Piece]:
    """The values of a file and what lies between them. `role_of` is asked with path, value, and whether it is a key.

    Raises LayoutError for what is no YAML.
    """
    at = 0
    root = outline(text, 0, len(text)) if text.strip() else Part("mapping", 0, 0)
    for part, role in sorted(_scalars(root, (), role_of), key=lambda found: found[0].start):
        if part.start > at:
            yield Piece(Role(COMMENT), None, at, part.start)
        yield Piece(role, part, part.start, part.end)
        at = max(at, part.end)
    if at < len(text):
        yield Piece(Role(COMMENT), None, at, len(text))


def _scalars(part: Part, path: Place, role_of: RoleOf) -> Iterator[tuple[Part, Role]]:
    if part.kind == "scalar":
        if part.end > part.start:
            yield part, role_of(path, part.value, False)
    elif part.kind == "mapping":
        for key, value in part.items:
            name = key.value if key is not None and key.kind == "scalar" else ""
            if key is not None and key.kind == "scalar" and key.end > key.start:
                yield key, role_of((*path, name), name, True)
            yield from _scalars(value, (*path, name), role_of)
    elif part.kind == "list":
        for number, (_, value) in enumerate(part.items):
            yield from _scalars(value, (*path, number), role_of)


def redact_layout(
    text: str, redactor: Redactor, role_of: RoleOf, *, otherwise: Callable[[str], str] | None = None
) -> tuple[str, bool]:
    """The file, redacted, and whether it was read as what it is; if not, it is done `otherwise`, or as plain text."""
    try:
        found = list(pieces(text, role_of))
    except LayoutError:
        return (otherwise(text) if otherwise else plain_text(text, redactor)), False
    made = []
    for role, part, start, end in found:
        raw = text[start:end]
        if role.mode == KEEP:
            made.append(raw)
        elif part is None:
            made.append(redactor.text(raw))
        else:
            made.append(_scalar(raw, part, role, redactor))
    return "".join(made), True


_MARKS = re.compile(r"(?:[&!]\S*\s+)+")


def _scalar(raw: str, part: Part, role: Role, redactor: Redactor) -> str:
    marks = _MARKS.match(raw) if part.marked else None
    if marks:  # an anchor may be a name, too
        return redactor.text(marks[0]) + _scalar(raw[marks.end() :], part._replace(marked=False), role, redactor)
    if not part.style and part.value in CONSTANTS:  # null is no value, though an entity may be called "null"
        return raw
    if role.mode == NAME:
        new = redactor.value(part.value)
    elif role.column == "api_key" and not part.value.startswith("env:"):
        redactor.note_secret(role.column, part.value)
        new = "env:REMOVED"
    elif part.style in ("|", ">"):
        return _block(raw, role, redactor)
    elif (part.style == '"' and "\\" in raw) or (part.style == "'" and "''" in raw):
        new = redactor.loose(part.value, column=role.column)
    else:
        head = raw[1:-1] if part.style else raw
        made = redactor.loose(head, column=role.column)
        return part.style + made + part.style if part.style else _plain(made, head)
    return raw if new == part.value else _written(new, part, raw)


def _block(raw: str, role: Role, redactor: Redactor) -> str:
    head, newline, body = raw.partition("\n")
    return redactor.text(head) + newline + redactor.loose(body, column=role.column)


_PLAIN = re.compile(r"[A-Za-z0-9_][\w.:/+@-]*(?<!:)")


def _written(new: str, part: Part, raw: str) -> str:
    """A new value in the old one's quotes."""
    if part.style == "'" and "\n" not in new and new.isprintable():
        return "'" + new.replace("'", "''") + "'"
    if not part.style and _PLAIN.fullmatch(new):
        return new
    if part.style in ("|", ">"):
        return quoted(new) + "\n" * (len(raw) - len(raw.rstrip("\n")))
    return quoted(new)


def _plain(new: str, old: str) -> str:
    """A plain value; in quotes where what was put in would end it or make it something else."""
    if new != old and (new.startswith(("<", "*", "&", "!", "|", ">", "%", "@", "`")) or new.endswith(":")):
        return new if new.startswith("<") else quoted(new)
    return new


_KEY = re.compile(r"^([ \t]*(?:- )?[ \t]*)([A-Za-z_]\w*)(?=:(?:\s|$))", re.MULTILINE)


_PAIR = re.compile(r"([A-Za-z_][\w-]{1,40})[\"']?\s{0,8}[:=]\s{0,8}[\"']?([^\s\"',{}\[\]]{4,200})")


def plain_text(text: str, redactor: Redactor) -> str:
    """A text that may be YAML with a mistake in it."""
    for column, value in _PAIR.findall(text):
        redactor.note_secret(column, value)
    made, at = [], 0
    for key in _KEY.finditer(text):
        if key[2] in redactor.names.reserved:
            made += [redactor.text(text[at : key.start(2)]), key[2]]
            at = key.end()
    return "".join([*made, redactor.text(text[at:])])
