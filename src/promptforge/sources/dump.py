"""Files of dumps: opened within bounds, decoded, their JSON in pieces, and the complaint where they are wrong.

A dump may have 50,000 entities, so long lists are read element by element, never as a whole.
"""

import codecs
import json
import os
import re
import shlex
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from promptforge.sources.base import SourceError
from promptforge.sources.looks import DUMPS, HEAD, RAW, found_in, is_json

__all__ = [
    "Element",
    "dump_command",
    "elements",
    "head_of",
    "lines_of",
    "open_text",
    "read_json",
    "read_text",
    "shown",
    "wrong",
]

WHOLE = 64 << 20
"""Bytes of a dump that is read as a whole."""
STREAMED = 1 << 30
"""Bytes of a dump that is read piece by piece."""
LONGEST_LINE = 1 << 16
_CHUNK = 1 << 18
_LONGEST = 64 << 20
"""Characters of one element of a list."""
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Element(NamedTuple):
    """One value of a JSON file."""

    path: tuple[str, ...]
    """Of the list or mapping that holds it; of a single value its own path."""
    key: str | int | None
    """Its position or name in there; nothing for a single value."""
    value: Any

    @property
    def pointer(self) -> str:
        """Where it stands, for a person: `#/data/entities/17`. Odd signs of foreign names are not repeated."""
        parts = (*self.path, *([] if self.key is None else [self.key]))
        return "#" + "".join(f"/{_ODD.sub('?', str(part)[:40])}" for part in parts)


_ODD = re.compile(r"[^\w.:@-]", re.ASCII)


def shown(path: Path) -> str:
    """A file's path as places show it: as it was typed, or as an Include leads to it."""
    return "".join(c if c.isprintable() else "?" for c in str(path))


def wrong(source: str, path: Path, *, found: str = "", place: str = "") -> SourceError:
    """The complaint: what was expected and what was found, where, and how a right dump is made."""
    dump = DUMPS[source]
    where = f"{shown(path)}:{place}" if place and not place.startswith("#") else shown(path) + place
    found = found or _head_words(path, source)
    command = RAW.get((source, found), "").format(shlex.quote(shown(path))) or dump.command
    return SourceError(f"{where}: expected {dump.expected}, and found {found}", hint=f"make it with: {command}")


def dump_command(path: Path) -> str:
    """Of a file that only its own tool can resolve, such as a compose file: the command that makes a dump of it."""
    found = _head_words(path, "")
    return next((command for (_, words), command in RAW.items() if words == found), "").format(shlex.quote(shown(path)))


def _head_words(path: Path, source: str) -> str:
    """What the file seems to be."""
    with path.open("rb") as handle:
        raw = handle.read(HEAD)
    return found_in(raw, _decoded(raw), source)


def head_of(path: Path) -> str:
    """The beginning of a file as text, for a look at it."""
    _checked(path, STREAMED)
    with path.open("rb") as handle:
        return _decoded(handle.read(HEAD))


def _decoded(raw: bytes) -> str:
    return raw.decode(_encoding(raw), "replace")


def _encoding(raw: bytes) -> str:
    """PowerShell writes UTF-16 into files."""
    return next((name for bom, name in _BOMS if raw.startswith(bom)), "utf-8")


def _checked(path: Path, limit: int) -> None:
    """Only a regular file of bounded size is opened: a pipe would be waited for."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise SourceError(f"{shown(path)} is {kind}", hint="name the file that holds the dump")
        if status.st_size > limit:
            raise SourceError(
                f"{shown(path)} has {status.st_size:,} bytes, and the limit is {limit:,}",
                hint="dump less at once, and give several files",
            )
        if not os.access(path, os.R_OK):
            raise SourceError(f"{shown(path)} cannot be read: permission denied", hint="look at its owner and mode")
    except OSError as problem:
        raise SourceError(
            f"{shown(path)} cannot be read: {(problem.strerror or str(problem)).lower()}", hint="check its name"
        ) from problem


def open_text(path: Path, source: str, *, limit: int = STREAMED) -> TextIO:
    """The file, opened as text; bytes that are none become U+FFFD. An empty file is refused."""
    _checked(path, limit)
    with path.open("rb") as handle:
        raw = handle.read(HEAD)
    if not raw.strip(b"\xef\xbb\xbf \t\r\n\0"):
        raise wrong(source, path, found="an empty file")
    return path.open(encoding=_encoding(raw), errors="replace", newline=None)


def read_text(path: Path, source: str) -> str:
    """The whole file as text."""
    with open_text(path, source, limit=WHOLE) as handle:
        return handle.read()


def lines_of(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """Its lines with their numbers from 1, line ends taken off; a line that is too long is no line of a dump."""
    with open_text(path, source) as handle:
        number = 0
        while line := handle.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise wrong(source, path, found=f"a line of more than {LONGEST_LINE:,} characters", place=str(number))
            yield number, line.rstrip("\n")


# ---- JSON ------------------------------------------------------------------------------------------------------------


def read_json(path: Path, source: str) -> Any:
    """The whole file as JSON."""
    text = read_text(path, source)
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError as problem:
        raise wrong(source, path, found="JSON that is nested too deeply") from problem
    except json.JSONDecodeError as problem:
        raise _no_json(source, path, problem, len(text.rstrip())) from problem
    except ValueError as problem:  # a number with thousands of digits
        raise wrong(source, path, found=f"JSON that cannot be read ({problem})") from problem


def _no_number(word: str) -> None:
    """NaN and Infinity are no JSON, and no value of a fact: there is none."""


def _no_json(source: str, path: Path, problem: json.JSONDecodeError, length: int) -> SourceError:
    if not is_json(problem.doc[:HEAD]):
        return wrong(source, path)
    place = f"{problem.lineno}:{problem.colno}"
    if problem.pos >= length - 1 or problem.msg.startswith("Unterminated"):
        return wrong(source, path, found="the beginning of it: the file ends in the middle", place=place)
    return wrong(source, path, found=f"no valid JSON ({_words(problem.msg)})", place=place)


def _words(message: str) -> str:
    """What the parser says, within a sentence: `Invalid control character at` names no place of ours."""
    return f"{message[:1].lower()}{message[1:]}".removesuffix(" at")


def elements(path: Path, source: str, at: Collection[tuple[str, ...]]) -> Iterator[Element]:
    """The elements of the lists and mappings at some paths, one after the other, and the single values beside them.

    A mapping whose path is the beginning of a longer one is gone into.
    """
    with open_text(path, source) as handle:
        stream = _Stream(handle, path, source)
        if stream.peek() not in ("{", "["):
            raise wrong(source, path)
        yield from _walk(stream, frozenset(at), ())
        if stream.peek():
            raise stream.wrong("more after its end: it holds several documents")


def _walk(stream: "_Stream", at: frozenset[tuple[str, ...]], path: tuple[str, ...]) -> Iterator[Element]:
    opening = stream.peek()
    deeper = any(len(wanted) > len(path) and wanted[: len(path)] == path for wanted in at)
    if opening == "{" and deeper:
        for key in stream.names():
            yield from _walk(stream, at, (*path, key))
    elif opening == "{" and path in at:
        for key in stream.names():
            yield Element(path, key, stream.value())
    elif opening == "[" and path in at:
        for position in stream.positions():
            yield Element(path, position, stream.value())
    else:
        yield Element(path, None, stream.value())


class _Stream:
    """JSON text of which only a piece is held."""

    __slots__ = ("_at", "_buffer", "_decode", "_ended", "_handle", "_path", "_source")

    def __init__(self, handle: TextIO, path: Path, source: str) -> None:
        self._handle, self._path, self._source = handle, path, source
        self._buffer, self._at, self._ended = "", 0, False
        self._decode = json.JSONDecoder().raw_decode

    def peek(self) -> str:
        """The next sign, blanks passed over; nothing at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in " \t\r\n\ufeff":
                    return self._buffer[self._at]
                self._at += 1
            if not self._more():
                return ""

    def value(self) -> Any:
        """The next value as a whole."""
        if not self.peek():
            raise self.wrong(_CUT)
        while True:
            try:
                value, end = self._decode(self._buffer, self._at)
                if end < len(self._buffer) or not self._more():  # a number may go on
                    self._at = end
                    return value
            except RecursionError as problem:
                raise self.wrong("JSON that is nested too deeply") from problem
            except json.JSONDecodeError as problem:
                near_end = problem.pos >= len(self._buffer) - 16 or problem.msg.startswith("Unterminated")
                if not near_end:
                    raise self._invalid(problem.msg) from problem
                if not self._more():
                    raise self.wrong(_CUT) from problem
            except ValueError as problem:
                raise self.wrong("a number with thousands of digits") from problem

    def names(self) -> Iterator[str]:
        """The names of a mapping, each before its value."""
        for _ in self._parts("{", "}"):
            key = self.value()
            if not isinstance(key, str) or self.peek() != ":":
                raise self.wrong("no valid JSON (a name without a value)") if self.peek() else self.wrong(_CUT)
            self._at += 1
            yield key

    def positions(self) -> Iterator[int]:
        """The positions of a list, each before its value."""
        yield from self._parts("[", "]")

    def _parts(self, opening: str, closing: str) -> Iterator[int]:
        self._at += len(opening)
        count = 0
        while (sign := self.peek()) != closing:
            if count:
                if sign != ",":
                    raise self.wrong("no valid JSON (a comma is missing)") if sign else self.wrong(_CUT)
                self._at += 1
            elif not sign:
                raise self.wrong(_CUT)
            yield count
            count += 1
        self._at += 1

    def wrong(self, found: str) -> SourceError:
        """The complaint about what stands here."""
        return wrong(self._source, self._path, found=found)

    def _invalid(self, message: str) -> SourceError:
        return self.wrong(f"no valid JSON ({_words(message)})")

    def _more(self) -> bool:
        """Read on; what lies behind is forgotten."""
        if self._ended:
            return False
        rest = self._buffer[self._at :]
        if len(rest) > _LONGEST:
            raise self.wrong(f"one value of more than {_LONGEST:,} characters")
        piece = self._handle.read(max(_CHUNK, len(rest)))
        self._buffer, self._at, self._ended = rest + piece, 0, not piece
        return bool(piece)


_CUT = "the beginning of it: the file ends in the middle"
