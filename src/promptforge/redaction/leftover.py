"""The last look: whether anything of the original is still there, in any spelling, before a byte of it is shown.

It does not ask how a value was replaced. It looks for what it was: numbers by what they mean, names as words, cells by
their place.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from promptforge.document import CONSTANTS
from promptforge.redaction.addresses import is_nobodys
from promptforge.redaction.broken import chunks, unescaped
from promptforge.redaction.layout import KEEP, NAME, TEXT, pieces
from promptforge.redaction.macs import digits_of
from promptforge.redaction.redaction import Redaction
from promptforge.redaction.shapes import is_public_host, parts_that_stay, plain_address, shapes
from promptforge.redaction.text import TAG
from promptforge.roundtrip import LayoutError

__all__ = ["Left", "left_over", "originals"]


class Left(NamedTuple):
    """Something of the original that would have been published."""

    file: str
    line: int
    kind: str
    """Never the value itself: what says it may be shown to anybody."""


def originals(redaction: Redaction, texts: Iterable[str]) -> frozenset[str]:
    """What is told by its form in the originals, as it is compared."""
    found = {value for text in texts for _, value in _shaped(text)}
    return frozenset(value for value in found if not redaction.names.is_format(value))


def left_over(redaction: Redaction, before: frozenset[str], files: Mapping[str, str]) -> Iterator[Left]:
    """Where in the redacted `files` something of `before`, or a name, still stands."""
    for path, text in files.items():
        for at, value in _shaped(text):
            if value in before:
                yield Left(path, text.count("\n", 0, at) + 1, "an address, MAC, host name or number")
        yield from (Left(path, text.count("\n", 0, at) + 1, kind) for at, kind in _named(redaction, path, text))


def _named(redaction: Redaction, path: str, text: str) -> Iterator[tuple[int, str]]:
    names = redaction.names
    for start, end, value, mode in _values(redaction, path, text):
        if mode == NAME:
            if value in names.exact and value not in names.exact.values():
                yield start, f"a name ({names.kind_of(value)})"
            continue
        whole = mode == TEXT and not any(sign.isspace() for sign in value)
        stay = list(parts_that_stay(value))
        for hit in names.find(value, whole=whole or mode == "tag"):
            if any(first <= hit.start and hit.end <= last for first, last in stay):
                continue
            yield start + min(hit.start, end - start), f"a name ({hit.kind})"


def _values(redaction: Redaction, path: str, text: str) -> Iterator[tuple[int, int, str, str]]:
    """Values as they are read, and what lies between them."""
    if path.endswith((".yaml", ".yml", ".json")):
        try:
            for piece in list(pieces(text, redaction.role_of(path))):
                plain = piece.part is not None and not piece.part.style and piece.part.value in CONSTANTS
                if piece.role.mode != KEEP and not plain:
                    value = piece.part.value if piece.part else text[piece.start : piece.end]
                    yield from _outside_tags(piece.start, piece.end, value, piece.role.mode)
            return
        except LayoutError:
            pass
        yield from _of_broken(redaction, path, text)
        return
    yield from _outside_tags(0, len(text), text, "comment")


def _of_broken(redaction: Redaction, path: str, text: str) -> Iterator[tuple[int, int, str, str]]:
    """Of knowledge what can be read as it is read; everything else line by line, also with its escapes read."""
    if not path.startswith("knowledge/") or path.endswith(".json"):
        yield from _lines(redaction, text, 0)
        return
    for chunk in chunks(text):
        if not chunk.good:
            yield from _lines(redaction, chunk.text, chunk.start)
            continue
        moved = chunk.start - len(chunk.head)
        for piece in pieces(chunk.head + chunk.text, redaction.role_of(path)):
            plain = piece.part is not None and not piece.part.style and piece.part.value in CONSTANTS
            if piece.role.mode != KEEP and not plain and piece.start >= len(chunk.head) - 1:
                value = (
                    piece.part.value
                    if piece.part
                    else chunk.text[piece.start - len(chunk.head) : piece.end - len(chunk.head)]
                )
                yield from _outside_tags(piece.start + moved, piece.end + moved, value, piece.role.mode)


def _lines(redaction: Redaction, text: str, at: int) -> Iterator[tuple[int, int, str, str]]:
    for line in text.splitlines(keepends=True):
        key, colon, rest = line.partition(":")
        known = colon and key.strip().removeprefix("- ").strip() in redaction.names.reserved
        shown = rest if known else line
        yield at + len(line) - len(shown), at + len(line), shown, "comment"
        if (plain := unescaped(shown)) != shown:
            yield at, at + len(line), plain, "comment"
        at += len(line)


def _outside_tags(start: int, end: int, value: str, mode: str) -> Iterator[tuple[int, int, str, str]]:
    if mode == NAME or "{" not in value:
        yield start, end, value, mode
        return
    for part in TAG.split(value):
        yield start, end, part, "tag" if part.startswith(("{{", "{%")) else mode


def _shaped(text: str) -> Iterator[tuple[int, str]]:
    for shape in shapes(text):
        match = shape.match
        if shape.kind in ("ipv4", "ipv6"):
            written, _, bits = match[0].partition("/")
            address = ipaddress.ip_address(written if ":" in written else plain_address(written))
            if not is_nobodys(address, int(bits) if bits else None):
                yield shape.start, address.compressed
        elif shape.kind in ("dashed", "arpa"):
            if not is_nobodys(address := ipaddress.ip_address(plain_address(match[0]))):
                yield shape.start, address.compressed
        elif shape.kind == "mac":
            yield shape.start, digits_of(match["mac"])
        elif shape.kind in ("uuid", "hex", "phone", "email"):
            yield shape.start, match[0].lower()
        elif shape.kind == "entity":
            yield shape.start, match["object"]
        elif shape.kind == "host" and not is_public_host(match[0]):
            yield shape.start, match[0].lower().rstrip(".")
        elif shape.kind == "url" and _names_a_host(match["urlhost"] or ""):
            yield shape.start, match["urlhost"].lower()


def _names_a_host(name: str) -> bool:
    return "." in name and not is_public_host(name) and not name.startswith(("127.", "0.0.0.0"))
