"""Texts with references: rendered, plain ones by hand and others in the sandbox, and what they read is recorded.

What a text *prints, tests, counts or filters on* decides who may see it (`Rendered.seen`); what it *reads*, misses
included, decides what it depends on (`Rendered.reads`). See `views.py`.
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from promptforge.model import Fact, Project, Rendered, Text, written
from promptforge.plaintext import plain_text
from promptforge.views import (
    MAX_OUTPUT,
    AgentView,
    FactView,
    Finder,
    Record,
    RuntimeName,
    TableView,
    TextError,
    Unset,
)

if TYPE_CHECKING:
    from promptforge.sandbox import Sandbox

__all__ = ["Renderer", "TextError"]

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Private-use characters around a line's number; a text that holds them is an error of its own (PF521)."""
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_LEADING_MARKS = re.compile(f"(?:{_OPEN}(\\d+){_CLOSE})+")

Clean = Callable[[str], str]
"""What is done to each printed text: `scan.neutralise`, so that no value can open a turn of the chat."""

_PRINTABLE = (str, int, float, Unset, FactView, TableView, AgentView)
"""What prints itself, or says why not; anything else would print where in memory it lies."""


def _finalize(clean: Clean) -> Callable[[object], object]:
    def finalize(value: object) -> object:
        """How an expression is printed: like a value in a table, and never none."""
        if value is None:
            raise TextError("PF404", "the value is none, so it cannot be printed", hint="test it first: {% if … %}")
        if isinstance(value, RuntimeName):
            return value.literal()
        if isinstance(value, (bool, list, tuple, dict)):
            value = written(value)
        if not isinstance(value, _PRINTABLE):
            kind = type(value).__name__.lower().replace("type", "function")
            raise TextError("PF405", f"a {kind} cannot be printed, only what it gives", hint="end with: | join(', ')")
        return clean(value) if isinstance(value, str) else value

    return finalize


class Renderer:
    """Renders the texts of one project. Jinja is loaded, and each text compiled, only once."""

    def __init__(self, project: Project, *, clean: Clean = str) -> None:
        self._tables = project.tables
        self._finder = Finder(project.tables)
        self._clean = clean
        self._runtime = project.config.runtime
        self._templates = project.templates
        self._shown = _finalize(clean)

    @cached_property
    def _sandbox(self) -> "Sandbox":
        from promptforge.sandbox import Sandbox  # Jinja only where a text needs it

        return Sandbox(self._templates, show=self._shown, shown_by=self._clean)

    def render(
        self, text: Text, *, agent: tuple[str, str | None] = ("", None), fact: Fact | None = None, **extra: object
    ) -> Rendered:
        """The text with its references filled in; `fact` is what it calls so. Raises TextError."""
        if text.literal:
            return Rendered(text=text.source)
        if text.path and (plain := self._plain(text.source, agent, fact, extra)) is not None:
            return plain
        record, extra = self._begin(fact, extra)
        if text.file and not text.path:
            record.reads[f"template:{text.file}"] = None
        self._sandbox.loaded()
        try:
            rendered = "".join(self._sandbox.pieces(text.source, {**self._context(record, agent), **extra}))
        except Exception as problem:
            raise self._sandbox.translated(problem, [*self._tables, *self._runtime]) from problem
        lines = () if text.path else self._lines(text.source, rendered, {**self._context(Record(), agent), **extra})
        record.reads.update((f"template:agents/templates/{name}", None) for name in self._sandbox.loaded())
        return _with_record(rendered, record, lines)

    def _begin(self, fact: Fact | None, extra: dict[str, object]) -> tuple[Record, dict[str, object]]:
        """A record for one rendering, and the names that it alone has."""
        record = Record()
        if fact is not None:
            record.reads[fact.id] = None
            extra = {**extra, "fact": FactView(fact, self._tables[fact.table], record)}
        return record, extra

    def _plain(
        self, source: str, agent: tuple[str, str | None], fact: Fact | None, extra: dict[str, object]
    ) -> Rendered | None:
        """The text without Jinja, where it holds plain references alone and nothing is wrong with them."""
        record, extra = self._begin(fact, extra)

        def named(name: str) -> object:
            if name in extra:
                return extra[name]
            if name == "agent":
                return AgentView(*agent, record)
            return RuntimeName(name) if name in self._runtime else TableView(self._tables[name], record)

        def one(table: str, wanted: Mapping[str, object]) -> FactView:
            return self._finder.one(record, table, wanted)

        try:
            rendered = plain_text(source, named, one, self._shown)
        except Exception:
            return None  # Jinja says what is wrong, and in which line
        return None if rendered is None or len(rendered) > MAX_OUTPUT else _with_record(rendered, record)

    def facts_by_line(self, text: Text, *, agent: tuple[str, str | None]) -> tuple[tuple[str, ...], ...]:
        """For each line of a template that renders the facts whose values print on it, where that can be told.

        Jinja gives a text piece by piece: what was read since the last piece, and stands in this one, was printed by
        it. A value that was read further up (`set`) counts where no other fact read so far has the same.
        """
        own = {str(value) for one in (text, *self._templates.values()) for value in self._data(one.source)}
        record, earlier, lines = Record(), Record(), [dict[str, None]()]
        for piece in self._sandbox.pieces(text.source, self._context(record, agent)):
            for number, part in enumerate(piece.split("\n")):
                if number:
                    lines.append({})
                found = {fact for fact, _ in record.printed(part)}
                if not found and piece not in own:
                    before = {fact for fact, _ in earlier.printed(part)}
                    found = before if len(before) == 1 else set()
                lines[-1].update(dict.fromkeys(sorted(found)))
            earlier.used.update(record.used)
            record.used.clear()
        return tuple(map(tuple, lines))

    def _data(self, source: str) -> list[str]:
        """A template's own text, in the pieces that it prints."""
        return [value for _, kind, value in self._sandbox.tokens(source) if kind == "data"]

    def _lines(self, source: str, rendered: str, context: Mapping[str, object]) -> tuple[int, ...]:
        """For each line of a rendered template its line in the source; nothing where it cannot be told.

        The template is rendered once more with a mark of its line before each run of its own text.
        """
        if _OPEN in source or _OPEN in rendered:
            return ()
        marked = []
        for line, kind, value in self._sandbox.tokens(source):
            if kind == "data":
                texts = str(value).split("\n")
                value = "\n".join(f"{_OPEN}{line + n}{_CLOSE}{text}" for n, text in enumerate(texts))
            marked.append(str(value))
        try:
            again = "".join(self._sandbox.pieces("".join(marked), context))
        except Exception:
            return ()
        if _MARK.sub("", again) != rendered:
            return ()
        found, last = [], 1
        for text in again.split("\n"):
            # Of the marks that a line starts with, the last one stands right before its text.
            first = _LEADING_MARKS.match(text)
            found.append(int(first[1]) if first else last)
            marks = _MARK.findall(text)
            last = int(marks[-1]) if marks else last
        return tuple(found)

    def _context(self, record: Record, agent: tuple[str, str | None]) -> dict[str, object]:
        def limited_range(*bounds: int) -> range:
            made = range(*bounds)
            record.step(len(made))
            return made

        def one(table: object, **wanted: object) -> FactView:
            return self._finder.one(record, table, wanted)

        context: dict[str, object] = {name: TableView(table, record) for name, table in self._tables.items()}
        context.update({name: RuntimeName(name) for name in self._runtime})
        return context | {"one": one, "range": limited_range, "agent": AgentView(*agent, record)}


def _with_record(rendered: str, record: Record, lines: tuple[int, ...] = ()) -> Rendered:
    return Rendered(
        text=rendered,
        seen=tuple(record.seen.values()),
        reads=tuple(record.reads),
        lines=lines,
        of_agent=record.of_agent,
        printed=record.printed(rendered),
        used=tuple(record.used),
    )
