"""Files of training rows, read as they come: no more of a file is held than one row, whatever its size.

What cannot be read is said with its file and line, and the rest is read on.
"""

import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from promptforge.dataset.shapes import MalformedError, Seen, conversation
from promptforge.errors import InputError
from promptforge.source import did_you_mean

__all__ = ["Broken", "Source", "rows_of", "sources"]

MAX_ROW = 64 * 2**20
"""Bytes of the longest row that is read."""
_CHUNK = 1 << 20
_SPLITS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid"}
_SPLITS |= {"eval": "valid", "dev": "valid", "test": "test"}
_SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".ndjson")
_NO_ROWS = (
    "dataset_info.json",
    "manifest.json",
    "facts.json",
    "knowledge.json",
    "job.json",
    "config.json",
    "adapter_config.json",
    "package.json",
)


class Broken(NamedTuple):
    """Something of a file that is no row."""

    file: str
    line: int
    reason: str
    """broken line, wrong encoding, blank line, byte order mark, missing key, unknown role, …"""
    message: str


class Source(NamedTuple):
    """A file to be read."""

    path: Path
    name: str
    """As it is called in messages."""
    split: str


def sources(paths: Iterable[Path]) -> tuple[Source, ...]:
    """The files that are named, and those of folders. Raises InputError where there is none."""
    found: list[Source] = []
    for path in paths:
        if path.is_dir():
            written = (path / "manifest.json").is_file()  # by promptforge: rows.jsonl says where rows come from
            inside = sorted(
                p
                for p in path.iterdir()
                if p.name.endswith(_SUFFIXES) and p.name not in _NO_ROWS and not (written and p.name == "rows.jsonl")
            )
            if not inside:
                raise InputError(f"{path}: no .jsonl or .json file in this folder", hint="name the files themselves")
            found += [Source(p, str(p), _split(p)) for p in inside if p.is_file()]
        elif path.is_file():
            found.append(Source(path, str(path), _split(path)))
        else:
            what = "not a regular file" if path.exists() else "no such file"
            raise InputError(f"{path}: {what}", hint=_near(path))
    return tuple(dict.fromkeys(found))


def _near(path: Path) -> str:
    """What to write where a name leads to nothing: the file of its folder that is called nearly so."""
    folder = path.parent
    there = sorted(p.name for p in folder.iterdir() if p.name.endswith(_SUFFIXES)) if folder.is_dir() else []
    close = did_you_mean(path.name, there) if there else ""
    return close or "name a file of JSON lines, or a folder with some: promptforge dataset audit FILE…"


def _split(path: Path) -> str:
    stem = path.name.partition(".")[0].lower()
    return _SPLITS.get(stem) or next((split for name, split in _SPLITS.items() if stem.endswith(f"_{name}")), "")


def rows_of(source: Source) -> Iterator[Seen | Broken]:
    """The rows of a file, and what of it is no row. Raises InputError where it cannot be opened."""
    name, line = source.name, 1
    try:
        with _opened(source.path) as stream:
            for line, record in _records(stream):
                if isinstance(record, Broken):
                    yield record._replace(file=name)
                    continue
                try:
                    yield conversation(record, name, line)
                except MalformedError as problem:
                    yield Broken(name, line, problem.reason, str(problem))
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        yield Broken(name, line, "broken archive", f"the gzip file is damaged from here on: {problem}")
    except OSError as problem:
        said = (problem.strerror or str(problem)).lower()
        raise InputError(f"{name}: {said}", hint="a file that can be read is needed") from problem


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as look:
        packed = look.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


_Record = tuple[int, Any]


def _records(stream: IO[bytes]) -> Iterator[_Record]:
    head = stream.read(4096)
    start = head.removeprefix(codecs.BOM_UTF8)
    if start is not head and head.startswith(codecs.BOM_UTF8):
        yield 1, Broken("", 1, "byte order mark", "the file begins with a byte order mark")
    joined: IO[bytes] = io.BufferedReader(_Joined(start, stream), _CHUNK)
    if encoding := _encoding(head):
        said = encoding[:6].upper()
        yield 1, Broken("", 1, "another encoding", f"the file is in {said}, and trainers read UTF-8")
        joined = io.BufferedReader(_Recoded(joined, encoding), _CHUNK)
        start = head.decode(encoding, "replace").lstrip("\ufeff").encode("utf-8", "replace")
    if start.lstrip()[:1] == b"[" or _pretty(start):
        yield from _values(joined)
    else:
        yield from _lines(joined)


def _encoding(head: bytes) -> str:
    """Another encoding than UTF-8, by a byte order mark or by the zeros beside the first signs; nothing where none."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    first = head[:4]
    if len(first) == 4 and first.count(0) >= 2:
        if first.count(0) == 3:
            return "utf-32-le" if first[0] else "utf-32-be"
        if first[1] == first[3] == 0 or first[0] == first[2] == 0:
            return "utf-16-le" if first[0] else "utf-16-be"
    return ""


_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class _Joined(io.RawIOBase):
    """A stream that begins with bytes which were read already."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)]
        if data:
            self._head = self._head[len(data) :]
        else:
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Recoded(_Joined):
    """A stream in another encoding, as UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        super().__init__(b"", stream)
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def readinto(self, buffer: Any) -> int:
        while not self._head:
            raw = self._stream.read(_CHUNK)
            self._head = self._decoder.decode(raw, not raw).encode("utf-8", "replace")
            if not raw:
                break
        data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _pretty(start: bytes) -> bool:
    """Whether the file begins with an object that is spread over lines."""
    first = start.lstrip().partition(b"\n")[0].strip()
    return first == b"{" or (first.startswith(b"{") and first.endswith(b",") and b"\n" in start)


# ---- Lines -----------------------------------------------------------------------------------------------------------


def _lines(stream: IO[bytes]) -> Iterator[_Record]:
    number = 0
    while raw := stream.readline(MAX_ROW):
        number += 1
        if len(raw) == MAX_ROW and not raw.endswith(b"\n"):
            while (rest := stream.readline(_CHUNK)) and not rest.endswith(b"\n"):
                pass
            yield number, Broken("", number, "too long", f"a line of more than {MAX_ROW >> 20} MB")
        elif not raw.strip():
            yield number, Broken("", number, "blank line", "a blank line")
        else:
            yield number, _parsed(raw, number)


def _why(problem: json.JSONDecodeError) -> str:
    """What json says, without the words that its own place would follow."""
    return problem.msg.lower().removesuffix(" at").removesuffix(" starting")


def _parsed(raw: bytes, number: int) -> Any:
    try:
        return json.loads(raw.decode("utf-8").rstrip())
    except UnicodeDecodeError as problem:
        byte = raw[problem.start]
        return Broken("", number, "wrong encoding", f"not UTF-8: byte 0x{byte:02x} at column {problem.start + 1}")
    except json.JSONDecodeError as problem:
        return Broken("", number, "broken line", f"no JSON: {_why(problem)} at column {problem.pos + 1}")
    except (ValueError, RecursionError) as problem:
        said = "nested too deeply" if isinstance(problem, RecursionError) else "a number that is too long"
        return Broken("", number, "broken line", f"no JSON: {said}")


# ---- An array, or objects spread over lines --------------------------------------------------------------------------

_NEXT_OBJECT = re.compile(r"\}\s*,\s*(?=\{)|\n\s*(?=\{)")
_BETWEEN = re.compile(r"[\s,\[\]]*")
_ESCAPED = re.compile("[\udc80-\udcff]")
_FRAYED = 16
"""So close to the end of what was read, a mistake may only be that the rest is missing."""


def _values(stream: IO[bytes]) -> Iterator[_Record]:
    """The items of an array, or objects one after another, decoded from a window that moves over the file."""
    text = _Window(stream)
    while True:
        text.skip(_BETWEEN)
        if text.done:
            return
        line = text.line
        try:
            value, bad = text.take()
            yield line, Broken("", line, "wrong encoding", "an item with bytes that are not UTF-8") if bad else value
        except json.JSONDecodeError as problem:
            said = "the file ends in the middle of it" if text.broken_off(problem.pos) else problem.msg.lower()
            yield line, Broken("", line, "broken line", f"no JSON: {said}")
            text.resume(problem.pos)
        except (ValueError, RecursionError):
            yield line, Broken("", line, "broken line", "no JSON: nested too deeply, or a number that is too long")
            text.resume(1)


class _Window:
    """The text of a file from the next item on; it grows only while an item is not complete."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._json = json.JSONDecoder()
        self._text, self._at, self._ended = "", 0, False
        self.line = 1
        self._more()

    @property
    def done(self) -> bool:
        return self._ended and self._at >= len(self._text)

    def _more(self) -> None:
        """Drop what was taken, and read as much again as is held."""
        self._text = self._text[self._at :]
        self._at = 0
        raw = self._stream.read(max(_CHUNK, len(self._text)))
        self._ended = not raw
        self._text += self._decoder.decode(raw, self._ended)

    def _move(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to

    def skip(self, pattern: re.Pattern[str]) -> None:
        while True:
            found = pattern.match(self._text, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._text) or self._ended:
                return
            self._more()

    def take(self) -> tuple[Any, bool]:
        """The next value, and whether some of its bytes are no UTF-8."""
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as problem:
                missing = problem.msg.startswith("Unterminated") or problem.pos >= len(self._text) - _FRAYED
                if not missing or self._ended or len(self._text) - self._at > MAX_ROW:
                    raise
                self._more()
                continue
            bad = bool(_ESCAPED.search(self._text, self._at, end))
            self._move(end)
            return value, bad

    def broken_off(self, at: int) -> bool:
        """Whether a mistake is that the file has no more of it."""
        return self._ended and at >= len(self._text.rstrip())

    def resume(self, at: int) -> None:
        """Go on at the next thing that looks like the start of an item."""
        at = max(at, self._at + 1)
        while True:
            if found := _NEXT_OBJECT.search(self._text, at):
                self._move(found.end())
                return
            self._move(max(self._at, len(self._text) - 4096))
            if self._ended:
                self._move(len(self._text))
                return
            self._more()
            at = self._at
