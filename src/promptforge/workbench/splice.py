"""A new lock from the old one: lines taken over, moved on or replaced, so that not all of it need be read or made.

It rests on two things that `artifact` promises: each fact and each agent has a line of its own, and no text in them
holds an unescaped quote, so that what is searched for with its quotes is never found inside a text.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

__all__ = ["Lock"]

_FACTS, _AGENTS, _END = b'\n"facts": {\n', b'\n},\n"agents": {\n', b"\n}\n}\n"
_FILTERED = b'"filtered":{'


class Lock:
    """The lines of a lock. Raises ValueError when they are not as `artifact` writes them."""

    def __init__(self, content: bytes) -> None:
        head, facts, rest = content.partition(_FACTS)
        self._content, self._at = rest, rest.index(_AGENTS)
        if not (facts and head.startswith(b"{\n") and rest.endswith(_END)):
            raise ValueError("not a lock")
        self.head = head[2:].split(b"\n")
        self.facts = _members(rest[: self._at])
        self.agents = _members(rest[self._at + len(_AGENTS) : -len(_END)])

    def text(self) -> bytes:
        """The lock as a file."""
        facts, agents = b",\n".join(self.facts), b",\n".join(self.agents)
        return b"{\n" + b"\n".join(self.head) + _FACTS + facts + _AGENTS + agents + _END

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

    def agent(self, number: int) -> Mapping[str, Any]:
        """An agent as plain data."""
        found: Mapping[str, Any] = next(iter(json.loads(b"{" + self.agents[number] + b"}").values()))
        return found

    def holders(self, ids: Iterable[str]) -> set[int]:
        """Numbers of the agents whose lines name one of the facts; call it before any line is changed."""
        start = self._at + len(_AGENTS)
        starts = [0, *accumulate(len(line) + 2 for line in self.agents)]
        found: set[int] = set()
        for id_ in ids:
            needle = _quoted(id_)
            at = self._content.find(needle, start)
            while at >= 0:
                number = bisect_right(starts, at - start) - 1
                found.add(number)
                at = self._content.find(needle, start + starts[number + 1])
        return found

    def move_rows(self, places: Mapping[str, tuple[str, int]]) -> None:
        """Let the rows of facts that only stand elsewhere now name their new file and line."""
        moved = {_quoted(id_): _quoted(file) + b",%d,0,[" % line for id_, (file, line) in places.items()}

        def move(row: re.Match[bytes]) -> bytes:
            to = moved.get(row[2])
            return row[0] if to is None else b'"row",' + to + row[2]

        for number, line in enumerate(self.agents):
            self.agents[number] = _ROW.sub(move, line)

    def add_filtered(self, number: int, more: Mapping[int, int]) -> None:
        """Count more (or fewer) facts that the sections of an agent do not match."""
        line = self.agents[number]
        start = line.rindex(_FILTERED) + len(_FILTERED) - 1
        end = line.index(b"}", start) + 1
        counts = {int(section): count for section, count in json.loads(line[start:end]).items()}
        for section, count in more.items():
            counts[section] = counts.get(section, 0) + count
        kept = ",".join(f'"{section}":{count}' for section, count in sorted(counts.items()) if count)
        self.agents[number] = line[:start] + b"{" + kept.encode() + b"}" + line[end:]


_ROW = re.compile(rb'"row",("(?:[^"\\]|\\.)*"),\d+,0,\[("(?:[^"\\]|\\.)*")')


def _members(lines: bytes) -> list[bytes]:
    return lines.split(b",\n") if lines else []


def _quoted(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()
