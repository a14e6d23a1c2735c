"""Which fact a comment of a knowledge file stands beside."""

from bisect import bisect_right
from collections.abc import Mapping

from promptforge.document import Document
from promptforge.model import Fact, Table

__all__ = ["Beside"]


class Beside:
    """The facts of a project by the lines of their files."""

    __slots__ = ("_facts", "_lines")

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._facts: dict[str, dict[int, list[Fact]]] = {}
        for table in tables.values():
            for fact in table.facts:
                self._facts.setdefault(fact.file, {}).setdefault(fact.line, []).append(fact)
        self._lines: dict[str, tuple[list[int], list[str]]] = {}

    def facts(self, document: Document, line: int) -> tuple[Fact, ...]:
        """Those that a comment at a line is about: in whose lines it stands, or, alone on its line, the next ones.

        Usually it is one; several may share a line.
        """
        by_line = self._facts.get(document.file, {})
        if document.file not in self._lines:  # once a file: an import may leave a comment on each line
            self._lines[document.file] = sorted(by_line), document.text.split("\n")
        starts, lines = self._lines[document.file]
        at = bisect_right(starts, line) - 1
        if line <= len(lines) and lines[line - 1].lstrip().startswith("#"):
            at += 1
        return tuple(by_line[starts[at]]) if 0 <= at < len(starts) else ()
