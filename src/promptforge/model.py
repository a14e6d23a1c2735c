"""The values that the stages hand to each other: facts, agents, sections, prompts. Nothing here reads or writes.

What a build makes by the thousand is a NamedTuple: a frozen dataclass takes three times as long to make.

The words are those of the design: a *table* holds *facts*, an *agent* has *sections*, a *prompt* is made of *segments*.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from promptforge.source import Span

__all__ = [
    "LEVELS",
    "Agent",
    "Column",
    "Condition",
    "Config",
    "Cut",
    "Example",
    "Fact",
    "Model",
    "Project",
    "Prompt",
    "Reader",
    "Rendered",
    "Section",
    "Segment",
    "Table",
    "Text",
    "canonical",
    "written",
]

Level = Literal["public", "internal", "private"]
LEVELS: Mapping[str, int] = {"public": 0, "internal": 1, "private": 2}


def written(value: object) -> str:
    """A value as it is printed: as it was written; lists joined by commas, nothing for null.

    >>> written(True), written(None), written([1, "a"]), written({"a": 1})
    ('true', '', '1, a', 'a: 1')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ", ".join(written(v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k}: {written(v)}" for k, v in value.items())
    return str(value)


_HEX12 = re.compile(r"[0-9a-f]{12}")
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,299})(?:\.[0-9]{1,300})?")


def canonical(value: object, kind: str = "text") -> object:
    """A value as it is compared: numbers by value however they are written, MACs and addresses by what they name.

    >>> canonical("00-00-5E-00-53-21", "mac") == canonical("0000.5e00.5321", "mac")
    True
    >>> canonical("1337") == canonical(1337), canonical(True) == canonical(1)
    (True, False)
    """
    if isinstance(value, str):
        if kind in ("mac", "ip", "tailscale"):
            return _canonical_mac(value) if kind == "mac" else _canonical_address(value)
        if value[:1] in "-0123456789" and _PLAIN.fullmatch(value):
            return float(value) if "." in value else int(value)
        return value
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int) and kind == "mac":
        return f"{value:012d}"
    if isinstance(value, (list, dict)):
        return written(value)
    return value


def _canonical_mac(value: str) -> str:
    parts = re.split(r"[:. -]", value.lower())
    digits = "".join(p.zfill(2) for p in parts) if len(parts) == 6 else "".join(parts)
    return digits if _HEX12.fullmatch(digits) else value


def _canonical_address(value: str) -> str:
    import ipaddress

    try:
        return ipaddress.ip_address(value).compressed
    except ValueError:
        return value


class Column(NamedTuple):
    """What is known of a column."""

    kind: str = "text"
    """text, port, mac, ip, network, tailscale, entity, date, level, tags or any."""
    ref: str = ""
    """The table whose facts it names."""
    about: str = ""
    """One line for the reader and for the editor."""


class Fact(NamedTuple):
    """One record of a table. A tuple rather than a dataclass: thousands are made in every build."""

    table: str
    key: str
    """The values of the key columns joined by `:`, trailing defaults left out."""
    values: Mapping[str, Any]
    """Column to value, in written order; defaults filled."""
    file: str
    line: int
    at: str | int
    """Its key in the table's mapping, or its position in the table's list."""
    level: str
    """Its sensitivity."""

    @property
    def path(self) -> tuple[str, str | int]:
        """Where it stands in its file's data."""
        return self.table, self.at

    @property
    def id(self) -> str:
        """How locks and reports name it: `ports/mini:1337`."""
        return f"{self.table}/{self.key}"

    @property
    def span(self) -> Span:
        """Where it stands."""
        return Span(file=self.file, line=self.line)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A table with its facts in order."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    """The known columns: built in, from the table's schema, and those seen in any fact."""
    declared: frozenset[str]
    """Those of them that are built in or in the table's schema."""
    defaults: Mapping[str, Any]
    """Defaults of key columns (`proto: tcp`)."""
    facts: tuple[Fact, ...]
    by_key: Mapping[str, Fact]
    """By the key as joined, with and without trailing defaults."""
    digest: str = ""
    """Of what shapes the table besides its facts: key, schema."""
    partial: bool = False
    """Whether a file that could not be read may hold more of it: what is missing is then not said."""

    def kind(self, column: str) -> str:
        """The kind of a column."""
        known = self.columns.get(column)
        return known.kind if known else "text"


class Text(NamedTuple):
    """A text with references, and where it stands."""

    source: str
    file: str
    path: tuple[str | int, ...] = ()
    """Of the node in its YAML file; empty for a template file."""
    line: int = 1
    """A line of the file near it: where its example starts."""

    @property
    def literal(self) -> bool:
        """Whether it holds no Jinja at all."""
        return "{" not in self.source or not ("{{" in self.source or "{%" in self.source or "{#" in self.source)


class Rendered(NamedTuple):
    """A text as it came out."""

    text: str
    seen: tuple[Fact, ...] = ()
    """Facts printed, tested, counted or filtered on, in order of first sight."""
    reads: tuple[str, ...] = ()
    """What it depends on: fact ids, `table:NAME` where a whole table was searched, `template:FILE`."""
    lines: tuple[int, ...] = ()
    """Of a template with references: the line of the template that each line of the text comes from."""
    of_agent: bool = False
    """Whether it used `agent`, so that it may differ from agent to agent."""
    printed: tuple[tuple[str, str], ...] = ()
    """(fact id, column) of the values that stand in the text; not those that were only looked up by, or tested."""
    used: tuple[tuple[str, str], ...] = ()
    """(fact id, column) of every value that was read."""


class Condition(NamedTuple):
    """One entry of a `where`."""

    path: tuple[str, ...]
    """A column, or columns through references; the last one is compared."""
    values: tuple[Any, ...]
    negate: bool = False


class Section(NamedTuple):
    """One part of an agent's prompt."""

    kind: Literal["persona", "table", "template", "fewshot"]
    name: str = ""
    """The table, or the template's file below agents/templates."""
    title: str = ""
    where: tuple[Condition, ...] = ()
    columns: tuple[str, ...] = ()
    form: str = ""
    """Of a table markdown, csv or kv; of the few-shot text or messages."""
    count: int = 0  # type: ignore[assignment]  # hides the method of tuples, which nobody calls
    tags: tuple[str, ...] = ()
    priority: int = 50
    required: bool = False
    file: str = ""
    path: tuple[str | int, ...] = ()
    """Where it is written: in the agent's file or in promptforge.yaml."""
    line: int = 1
    column: int = 0

    @property
    def span(self) -> Span:
        """Where it is written."""
        return Span(file=self.file, line=self.line, column=self.column)

    @property
    def label(self) -> str:
        """How it is named to the user."""
        return self.title or self.name or ("few-shot" if self.kind == "fewshot" else self.kind)


class Example(NamedTuple):
    """One worked question and answer."""

    id: str
    agents: tuple[str, ...]
    """For whom; empty means all."""
    tags: tuple[str, ...]
    user: Text
    assistant: Text
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One entry of `models`."""

    name: str
    backend: str
    tier: Literal["local", "cloud"]
    tokenizer: str = "estimate"
    context: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The whole entry as written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One member of the council."""

    name: str
    role: str | None
    model: Model | None
    privacy: Literal["any", "local"]
    budget_tokens: int
    budget_line: int
    """The line of its file where the budget stands, or 1."""
    form: str
    """How its tables are written unless a section says otherwise."""
    persona: str
    sections: tuple[Section, ...]
    file: str
    persona_start: tuple[int, int]
    """The line of the file where the persona's text starts, and the step from line to line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """promptforge.yaml with its defaults filled."""

    name: str
    output: str = "build/agent_prompts.yaml"
    budget_tokens: int | None = None
    reserve_tokens: int = 1024
    form: str = "markdown"
    models: Mapping[str, Model] = field(default_factory=dict)
    clearance: Mapping[str, str] = field(default_factory=lambda: {"local": "private", "cloud": "internal"})
    runtime: Mapping[str, int] = field(default_factory=dict)
    """Name to the most tokens that the consumer may fill in."""
    stale_after_days: int | None = None
    ignore: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The whole file as written, for those who need more of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything linked: names resolved, references checked."""

    config: Config
    tables: Mapping[str, Table]
    agents: Mapping[str, Agent]
    examples: tuple[Example, ...]
    templates: Mapping[str, Text]
    """By their path below agents/templates."""


class Reader(NamedTuple):
    """Whatever reads facts: a section, an example, a template, a case, a row. This is what `diff` joins."""

    kind: str
    id: str
    span: Span
    facts: frozenset[str]
    """The ids of the facts it rests on."""
    digest: str = ""
    """Of what was written, references not yet filled in."""
    broken: bool = False
    """Whether it cannot be rendered."""


class Segment(NamedTuple):
    """A run of bytes of a prompt and where it comes from; the segments of a prompt cover each byte once."""

    message: int
    """0 is the system prompt, 1 the first message."""
    start: int
    """Byte offset in the UTF-8 text of that message."""
    end: int
    first_line: int
    """Line of the prompt, from 1, that holds the first byte."""
    last_line: int
    section: int
    kind: str
    """persona, heading, row, example or template."""
    file: str
    line: int
    step: int
    """1 where each further line of it comes from the next line of the file, else 0."""
    facts: Sequence[str]
    """Ids of the facts that it rests on."""


class Cut(NamedTuple):
    """Something that was left out of a prompt, and why."""

    section: int
    what: str
    """A fact's id, `example:ID` or `template:FILE`."""
    why: Literal["budget", "clearance"]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One compiled variant of an agent."""

    system: str
    messages: tuple[tuple[str, str], ...] = ()
    """(role, content), where examples are sent as messages."""
    tokens: int = 0
    """The whole chat: system, messages and overhead, runtime names at their maximum."""
    segments: tuple[Segment, ...] = ()
    cuts: tuple[Cut, ...] = ()
    filtered: Mapping[int, int] = field(default_factory=dict)
    """Section to how many facts its `where` did not match."""
