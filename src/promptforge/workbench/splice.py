"""A new lock from the old one: lines taken over, moved on or replaced, so that not all of it need be read or made.

It rests on two things that `lock` promises: each fact and each agent has a line of its own, and no text in them
holds an unescaped quote, so that what is searched for with its quotes is never found inside a text.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["Lock"]

_START, _FACTS, _AGENTS = b"{\n", b'\n"facts": {\n', b'\n},\n"agents": {\n'
_BETWEEN = b",\n"
_FILTERED = b'"filtered":{'
_OWN_PLACE = b',"row",'


class Lock:
    """The lines of a lock. Raises ValueError when they are not as `lock` writes them."""

    def __init__(self, content: bytes) -> None:
        facts = content.index(_FACTS)
        agents = content.index(_AGENTS, facts)
        self.head = content[len(_START) : facts].split(b"\n")
        self.facts = _members(content[facts + len(_FACTS) : agents])
        self._content, self._agents = content, agents + len(_AGENTS)
        self._ends = list(_line_ends(content, self._agents))
        self._starts = [self._agents, *(end + len(_BETWEEN) for end in self._ends[:-1])]
        self._changed: dict[int, bytes] = {}

    def text(self) -> bytes:
        """The lock as a file."""
        pieces: list[bytes | memoryview] = [_START, b"\n".join(self.head), _FACTS, _BETWEEN.join(self.facts), _AGENTS]
        at, content = self._agents, memoryview(self._content)
        for number, line in sorted(self._changed.items()):
            pieces += [content[at : self._starts[number]], line]
            at = self._ends[number]
        return b"".join([*pieces, content[at:]])

    def set_head(self, member: str) -> None:
        """Replace the line of the head that has this member's key."""
        line = member.encode() + b","
        key = line[: line.index(b": ") + 2]
        number = next(n for n, old in enumerate(self.head) if old.startswith(key))
        self.head[number] = line

    def get_head(self, key: str) -> Any:
        """The value of a line of the head."""
        start = json.dumps(key).encode() + b": "
        return next(json.loads(line[len(start) : -1]) for line in self.head if line.startswith(start))

    def set_agent(self, number: int, member: str) -> None:
        """Replace an agent's line."""
        self._changed[number] = member.encode()

    def get_agent(self, number: int) -> Mapping[str, Any]:
        """An agent as plain data."""
        found: Mapping[str, Any] = next(iter(json.loads(b"{" + self._line(number) + b"}").values()))
        return found

    def holders(self, ids: Iterable[str]) -> set[int]:
        """Numbers of the agents whose lines, as they were read, name one of the facts."""
        found: set[int] = set()
        for id_ in ids:
            needle = _quoted(id_)
            at = self._content.find(needle, self._agents)
            while at >= 0:
                number = bisect_right(self._starts, at) - 1
                found.add(number)
                at = self._content.find(needle, self._ends[number])
        return found

    def has_rows_elsewhere(self) -> bool:
        """Whether a row names a file and line of its own, so that its line must change where its fact moves."""
        return self._content.find(_OWN_PLACE, self._agents) >= 0

    def add_filtered(self, number: int, more: Mapping[int, int]) -> None:
        """Count more (or fewer) facts that the sections of an agent do not match."""
        line = self._line(number)
        start = line.rindex(_FILTERED) + len(_FILTERED) - 1
        end = line.index(b"}", start) + 1
        counts = {int(section): count for section, count in json.loads(line[start:end]).items()}
        for section, count in more.items():
            counts[section] = counts.get(section, 0) + count
        kept = ",".join(f'"{section}":{count}' for section, count in sorted(counts.items()) if count)
        self._changed[number] = line[:start] + b"{" + kept.encode() + b"}" + line[end:]

    def _line(self, number: int) -> bytes:
        return self._changed.get(number) or self._content[self._starts[number] : self._ends[number]]


def _members(lines: bytes) -> list[bytes]:
    return lines.split(_BETWEEN) if lines else []


def _line_ends(content: bytes, at: int) -> Iterator[int]:
    """Where each member ends that starts at `at` or below; the last one ends before the closing braces."""
    while (end := content.find(b"\n", at)) >= 0 and content[end - 1 : end] == b",":
        yield end - 1
        at = end + 1
    yield end


def _quoted(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()
