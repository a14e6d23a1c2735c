"""The user's own rows: read line by line, however many there are, and of what is sound a seeded sample is taken.

Only places are held, and no more of them than are wanted: files of any size are read in bounded memory.
"""

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from promptforge.dataset.keys import Keys
from promptforge.dataset.rows import Row
from promptforge.errors import InputError

__all__ = ["SHOWN", "Broken", "Look", "Places", "Reader", "Replay", "lines_of", "parse_row", "sample"]

_BOM = b"\xef\xbb\xbf"
MAX_LINE = 16 * 2**20
"""Bytes of the longest line that is read; a longer one is passed over, and said."""
SHOWN = 20
"""So many broken lines are named; of all, the number."""
_MOST_CATEGORIES = 200
_ROLES = ("system", "user", "assistant")


class Broken(NamedTuple):
    """A line of a file that is no row, and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(slots=True)
class Places:
    """Where sampled rows stand, in the order of their keys."""

    files: Sequence[str]
    keyed: Keys = field(default_factory=lambda: Keys(b""))
    """What makes the keys."""
    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    file: "array[int]" = field(default_factory=lambda: array("H"))
    offset: "array[int]" = field(default_factory=lambda: array("Q"))
    size: "array[int]" = field(default_factory=lambda: array("L"))
    line: "array[int]" = field(default_factory=lambda: array("Q"))
    says: "array[int]" = field(default_factory=lambda: array("Q"))
    """What tells whether two rows say the same."""
    category: "array[int]" = field(default_factory=lambda: array("H"))
    """Its number in `categories`."""
    categories: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def key_of(self, content: bytes) -> int:
        """The key of a line: by it the sample is drawn, and a line is known again."""
        return self.keyed.of(content.strip())

    def number(self, category: str) -> int:
        """The number of a category. A file with one a row would make as many strata: the rest is called general."""
        known = category if category in self.categories or len(self.categories) < _MOST_CATEGORIES else ""
        return self.categories.setdefault(known or "general", len(self.categories))

    def add(self, *values: int) -> None:
        """One more place: key, file, offset, size, line, says, category."""
        key, file, offset, size, line, says, category = values
        self.keys.append(key)
        self.file.append(file)
        self.offset.append(offset)
        self.size.append(size)
        self.line.append(line)
        self.says.append(says)
        self.category.append(category)

    @property
    def _columns(self) -> tuple["array[int]", ...]:
        return self.keys, self.file, self.offset, self.size, self.line, self.says, self.category

    def keep(self, most: int) -> int:
        """Only so many, those with the smallest keys, in their order, none that says the same twice; how many did."""
        seen: set[int] = set()
        order: list[int] = []
        same = 0
        for at in sorted(range(len(self)), key=self.keys.__getitem__):  # of the same key those that were read first
            if self.says[at] in seen:
                same += 1
            elif len(order) < most:
                seen.add(self.says[at])
                order.append(at)
        self.keys, self.file, self.offset, self.size, self.line, self.says, self.category = (
            array(column.typecode, map(column.__getitem__, order)) for column in self._columns
        )
        return same


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A sample of the rows of some files, and what was wrong with the others."""

    places: Places
    sound: int = 0
    """How many lines are rows."""
    broken: tuple[Broken, ...] = ()
    """The first of them."""
    broken_count: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Sound lines that must not be taken, by the word that `look` gave."""
    given_away: Mapping[str, int] = field(default_factory=dict)
    """The cases that such rows resemble."""


Look = Callable[[Sequence[tuple[str, str]]], tuple[int, str, str]]
"""From messages to what tells whether two rows say the same; why they must not be taken, if so; and for which case."""


def sample(root: Path, files: Sequence[str], wanted: int, *, seed: int, look: Look | None = None) -> Replay:
    """The places of at most `wanted` rows, each as likely as any other; the same seed and files give the same."""
    places = Places(files, Keys(blake2b(str(seed).encode(), digest_size=8).digest()))
    broken: list[Broken] = []
    left_out: Counter[str] = Counter()
    given_away: Counter[str] = Counter()
    sound = count = 0
    last = 2**64
    for number, file in enumerate(files):
        for at, line, content in lines_of(root, file):
            try:
                messages, category = parse_row(content)
            except ValueError as problem:
                count += 1
                if len(broken) < SHOWN:
                    broken.append(Broken(file, line, str(problem)))
                continue
            sound += 1
            assert isinstance(content, bytes)  # of anything else it was said
            key = places.key_of(content)
            says, reason, case = look(messages) if look and key <= last else (key, "", "")
            if reason:
                left_out[reason] += 1
                given_away.update([case] if case else [])
            elif key <= last:
                places.add(key, number, at, len(content), line, says, places.number(category))
            if len(places) > 2 * wanted + 1024:
                left_out["twice"] += places.keep(wanted)
                last = places.keys[-1] if len(places) == wanted and wanted else last
    left_out["twice"] += places.keep(wanted)
    return Replay(
        places=places,
        sound=sound,
        broken=tuple(broken),
        broken_count=count,
        left_out=+left_out,
        given_away=given_away,
    )


def lines_of(root: Path, file: str) -> Iterator[tuple[int, int, bytes | str]]:
    """(offset, number, content) of each line that is not blank; instead of the content why it cannot be read."""
    try:
        with (root / file).open("rb") as handle:
            number, offset = 0, 0
            while content := handle.readline(MAX_LINE + 1):
                number += 1
                start, offset = offset, offset + len(content)
                if len(content) > MAX_LINE and not content.endswith(b"\n"):
                    offset += _rest_of_line(handle)
                    yield start, number, f"the line is longer than {MAX_LINE // 2**20} MB"
                elif content.strip():
                    yield start, number, content
    except OSError as problem:
        yield 0, 0, f"the file cannot be read: {(problem.strerror or str(problem)).lower()}"


def _rest_of_line(handle: BinaryIO) -> int:
    passed = 0
    while content := handle.readline(2**20):
        passed += len(content)
        if content.endswith(b"\n"):
            break
    return passed


# --- one row ----------------------------------------------------------------------------------------------------------


def parse_row(content: bytes | str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The messages of a line, and its category or nothing. Raises ValueError with the reason where it is no row.

    A text in place of the line is the reason why the line could not be read.
    """
    if isinstance(content, str):
        raise ValueError(content)  # noqa: TRY004  # of the file
    try:
        data = json.loads(content.removeprefix(_BOM).rstrip(b"\r\n").decode())
    except UnicodeDecodeError as problem:
        raise ValueError(f"byte 0x{content[problem.start]:02x} is not UTF-8") from problem
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"it is not JSON: {_why_no_json(problem)}") from problem
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004  # of the file
    messages = tuple(_messages(data))
    _check_order(messages)
    if b"\\u" in content:
        _check_characters(messages)
    category = data.get("category")
    return messages, category if isinstance(category, str) else ""


def _why_no_json(problem: ValueError | RecursionError) -> str:
    if not isinstance(problem, json.JSONDecodeError):
        return "nested too deeply"
    said = problem.msg.lower().removesuffix(" at").removesuffix(" starting")
    return f"{said}, at column {problem.colno:,}"


def _messages(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "messages" in data:
        if not isinstance(data["messages"], list) or not data["messages"]:
            raise ValueError("'messages' is no list of messages")
        made = data["messages"]
    elif "prompt" in data and "completion" in data:
        made = [{"role": "user", "content": data["prompt"]}, {"role": "assistant", "content": data["completion"]}]
    else:
        raise ValueError("it has neither 'messages' nor 'prompt' and 'completion'")
    for number, message in enumerate(made, 1):
        if not isinstance(message, dict):
            raise ValueError(f"message {number} is no object")  # noqa: TRY004  # of the file
        role, content = message.get("role"), message.get("content")
        if role not in _ROLES:
            raise ValueError(f"message {number} has the role {role!r}; known: {', '.join(_ROLES)}")
        if not isinstance(content, str) or not content or content.isspace():
            raise ValueError(f"message {number} ({role}) has no text")
        yield role, content


def _check_characters(messages: Sequence[tuple[str, str]]) -> None:
    """JSON can spell half a character, which no file can hold."""
    for number, (role, content) in enumerate(messages, 1):
        try:
            content.encode()
        except UnicodeEncodeError as problem:
            raise ValueError(f"message {number} ({role}) holds half a character") from problem


def _check_order(messages: Sequence[tuple[str, str]]) -> None:
    if len(messages) == 2 and messages[0][0] == "user" and messages[1][0] == "assistant":
        return  # nearly all of them
    roles = [role for role, _ in messages]
    turns = roles[1:] if roles[0] == "system" else roles
    if "system" in turns:
        raise ValueError("a system message stands after the first message")
    if not turns or len(turns) % 2 or any(role != _ROLES[1 + at % 2] for at, role in enumerate(turns)):
        raise ValueError(f"the turns are {', '.join(roles)}: user and assistant must alternate, the assistant last")


class Reader:
    """Rows by their place; each file is opened once."""

    def __init__(self, root: Path, places: Places) -> None:
        self._root, self._places = root, places
        self._open: dict[int, FileIO] = {}
        self._categories = [*places.categories]

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._open.values():
            handle.close()
        self._open.clear()

    def row(self, at: int) -> Row:
        """The row at this place. Raises InputError when the file is no longer what it was."""
        places = self._places
        number = places.file[at]
        file, line = places.files[number], places.line[at]
        try:
            if number not in self._open:
                self._open[number] = (self._root / file).open("rb", buffering=0)
            handle = self._open[number]
            handle.seek(places.offset[at])
            content = handle.read(places.size[at]).strip()
        except OSError as problem:
            content = (problem.strerror or str(problem)).encode()
        if places.key_of(content) != places.keys[at]:
            raise InputError(f"{file}:{line}: the file was changed while its rows were made", hint="make them again")
        messages, _ = parse_row(content)
        return Row(
            id=f"replay-{blake2b(content, digest_size=8).hexdigest()}",
            kind="replay",
            category=self._categories[places.category[at]],
            agent="",
            messages=messages,
            file=file,
            line=line,
            phrasing="as given",
        )
