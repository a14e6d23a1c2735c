"""A prompt cut into what can answer a question: rows of tables, worked examples, sentences. Pure.

It reads what is on the page, as a person would: Markdown tables, CSV under its header, `- key: value` lines, `Q:` and
`A:`, headings, prose. It knows no project and no compiler.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Passage", "example", "passages_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One thing that can answer."""

    kind: str
    """row, example or prose."""
    heading: str
    """What it stands under."""
    cells: tuple[tuple[str, str], ...] = ()
    """Of a row: (column, value), only those with a value."""
    asked: str = ""
    """Of an example: its question."""
    text: str = ""
    """Of an example its answer, of prose the sentence."""


_HEADING = re.compile(r"#{1,6}\s+(.*)")
_RULE = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
_COLUMN = re.compile(r"[A-Za-z][\w ./-]{0,40}")
_KV = re.compile(r'\s*([A-Za-z_]\w*): ("(?:[^"\\]|\\.)*"|[^"].*?)(?=, [A-Za-z_]\w*: |$)')
_SENTENCE = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]?[A-Z0-9])")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s+")


def passages_of(text: str) -> list[Passage]:
    """Everything in a prompt that can answer, in order."""
    return list(_Cutter(text.splitlines()).cut())


def example(asked: str, answer: str) -> Passage:
    """A worked example that was sent as messages."""
    return Passage(kind="example", heading="", asked=asked, text=answer)


class _Cutter:
    """Goes through the lines once."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.at = 0
        self.heading = ""

    def cut(self) -> Iterator[Passage]:
        while self.at < len(self.lines):
            line = self.lines[self.at].strip()
            following = self.lines[self.at + 1].strip() if self.at + 1 < len(self.lines) else ""
            if heading := _HEADING.fullmatch(line):
                self.heading = heading[1]
                self.at += 1
            elif "|" in line and "-" in following and _RULE.fullmatch(following):
                yield from self._table()
            elif line.startswith("Q:"):
                yield self._example()
            elif row := _key_values(line):
                yield self._row(row)
                self.at += 1
            elif _is_csv(line, following):
                yield from self._csv()
            else:
                self.at += 1
                yield from self._prose(line)

    def _row(self, cells: Sequence[tuple[str, str]]) -> Passage:
        return Passage(kind="row", heading=self.heading, cells=tuple((c, v) for c, v in cells if c and v))

    def _table(self) -> Iterator[Passage]:
        columns = _markdown_cells(self.lines[self.at])
        self.at += 2
        while self.at < len(self.lines) and "|" in self.lines[self.at]:
            yield self._row(list(zip(columns, _markdown_cells(self.lines[self.at]), strict=False)))
            self.at += 1

    def _csv(self) -> Iterator[Passage]:
        columns = _csv_cells(self.lines[self.at])
        self.at += 1
        while self.at < len(self.lines) and self.lines[self.at].strip():
            values = _csv_cells(self.lines[self.at])
            if len(values) != len(columns):
                return
            yield self._row(list(zip(columns, values, strict=True)))
            self.at += 1

    def _example(self) -> Passage:
        """A question and its answer; both may go over several lines, and an empty line or heading ends them."""
        parts: dict[str, list[str]] = {"Q": [], "A": []}
        part = "Q"
        first = self.at
        while self.at < len(self.lines):
            line = self.lines[self.at].strip()
            if not line or _HEADING.fullmatch(line) or (line.startswith("Q:") and self.at > first):
                break
            if line.startswith("A:"):
                part = "A"
            parts[part].append(line.removeprefix(f"{part}:").strip())
            self.at += 1
        return Passage(kind="example", heading=self.heading, asked=" ".join(parts["Q"]), text="\n".join(parts["A"]))

    def _prose(self, line: str) -> Iterator[Passage]:
        for sentence in _SENTENCE.split(_BULLET.sub("", line, count=1)):
            if sentence:
                yield Passage(kind="prose", heading=self.heading, text=sentence)


def _markdown_cells(line: str) -> list[str]:
    bare = line.strip().removeprefix("|").removesuffix("|")
    if "\\" not in bare:
        return [cell.strip() for cell in bare.split("|")]
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", bare)]


def _csv_cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error:
        return []


def _is_csv(line: str, following: str) -> bool:
    """Whether a line is the header of rows below it: names without spaces, as many as the next line has values."""
    if "," not in line or " " in line or not following:
        return False
    columns = _csv_cells(line)
    named = all(_COLUMN.fullmatch(column) for column in columns) and len(set(columns)) == len(columns)
    return named and len(_csv_cells(following)) == len(columns)


def _key_values(line: str) -> list[tuple[str, str]]:
    """The cells of `- key: value, key: value`; nothing where the line is something else."""
    if not line.startswith("- ") or ": " not in line:
        return []
    cells, at = [], 2
    while found := _KV.match(line, at):
        cells.append((found[1], _unquoted(found[2])))
        at = found.end()
        if at == len(line):
            return cells if len(cells) > 1 else []
        at += 2  # the comma and the blank
    return []


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value
