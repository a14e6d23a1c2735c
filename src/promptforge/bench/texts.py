"""The texts of a suite with their references filled in, and what each rested on. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from promptforge.bench.cases import Printed
from promptforge.bench.known import Known, known
from promptforge.document import Document, Path
from promptforge.model import Condition, Fact, Project, Rendered, Text, written
from promptforge.source import Diagnostic, Span, did_you_mean
from promptforge.text import Renderer, TextError

__all__ = ["Conditions", "Facts", "Seen", "Select", "Texts", "blanks", "filled_in", "many"]

Conditions = Callable[[Document, Path, str, Mapping[str, Any]], tuple[tuple[Condition, ...], Sequence[Diagnostic]]]
"""(document, path, table, where) -> what it asks for, and what is wrong with it: the compiler's own reading."""
Select = Callable[[str, Sequence[Condition]], Sequence[Fact]]
"""(table, conditions) -> the facts that match, in order."""


@dataclass(frozen=True, kw_only=True)  # without slots: what few suites need is made when it is asked for, and kept
class Facts:
    """What all suites of a project are read against."""

    project: Project
    renderer: Renderer
    conditions: Conditions
    select: Select

    @cached_property
    def known(self) -> Known:
        """The values that answers are held against."""
        return known(self.project.tables)


@dataclass(slots=True)
class Seen:
    """What the texts of one case, or of its question alone, rested on."""

    shows: dict[str, str] = field(default_factory=dict)
    reads: set[str] = field(default_factory=set)
    used: set[Printed] = field(default_factory=set)
    failed: bool = False

    def add(self, rendered: Rendered) -> None:
        """Take in what a text rested on."""
        self.shows.update((fact.id, fact.level) for fact in rendered.seen)
        self.reads.update(fact.id for fact in rendered.seen)
        self.reads.update(rendered.reads)
        self.used.update(Printed(*place) for place in rendered.used)


@dataclass(slots=True)
class Texts:
    """One suite's file while it is read: its texts, and what is wrong with it so far."""

    document: Document
    facts: Facts
    found: list[Diagnostic]

    @property
    def project(self) -> Project:
        """Whose suite it is."""
        return self.facts.project

    def say(self, code: str, path: Path, message: str, hint: str = "", *, key: bool = False, first: Path = ()) -> None:
        """Note what is wrong; `first` is the place that it is in conflict with."""
        place = self.document.span(path, key=key)
        related = ((self.document.span(first), "first here"),) if first else ()
        self.found.append(Diagnostic(code=code, span=place, message=message, hint=hint, related=related))

    def render(self, at: Path, source: Any, seen: Seen, fact: Fact | None = None) -> tuple[str, list[Printed]]:
        """A text with its references filled in, and the values that it prints."""
        text = Text(source=written(source), file=self.document.file, path=at)
        if text.literal:  # as most are: it rests on nothing
            return text.source, []
        try:
            rendered = self.facts.renderer.render(text, fact=fact)
        except TextError as problem:
            seen.failed = True
            if problem.code and not (fact and problem.code == "PF404"):
                line = self.document.text_line(at, problem.line)
                place = self.document.span(at)
                place = place if place.line == line else Span(file=self.document.file, line=line)
                self.found.append(Diagnostic(code=problem.code, span=place, message=problem.message, hint=problem.hint))
            return "", []
        seen.add(rendered)
        return rendered.text, [Printed(*place) for place in rendered.printed]

    def column_exists(self, at: Path, name: str, seen: Seen) -> None:
        """Say so where there is no `TABLE.COLUMN` of that name."""
        table_name, _, column = name.partition(".")
        table = self.project.tables.get(table_name)
        if table is None:
            self.say("PF302", at, f"no table '{table_name}'", did_you_mean(table_name, self.project.tables))
        elif column not in table.columns and not table.partial:
            self.say("PF303", at, f"{table_name} has no column '{column}'", did_you_mean(column, table.columns))
        seen.failed |= table is None or column not in table.columns


def blanks(text: str, names: Iterable[str]) -> list[str]:
    """Those of the runtime names that a text still has to be given.

    >>> blanks("Good morning, {{ user_name }}.", ["user_name", "day"])
    ['user_name']
    """
    return [name for name in names if _blank(name) in text]


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """A text with its runtime names filled in.

    >>> filled_in("Good morning, {{ user_name }}.", {"user_name": "Mara"})
    'Good morning, Mara.'
    """
    for name, value in variables.items():
        text = text.replace(_blank(name), value)
    return text


def _blank(name: str) -> str:
    return f"{{{{ {name} }}}}"


def many(value: Any) -> tuple[str, ...]:
    """One text or a list of them, as a list."""
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
