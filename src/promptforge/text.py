"""Texts with references: rendered in a sandbox that records what was read. Owns jinja2.

What a text *prints, tests, counts or filters on* decides who may see it (`Rendered.seen`); what it *reads*, misses
included, decides what it depends on (`Rendered.reads`). So tables and facts are given to the text as proxies that
note every access. They have no public attribute of their own: `fact.items` is the column `items`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptforge.model import Fact, Project, Table, Text, canonical, written
from promptforge.source import did_you_mean

__all__ = ["Rendered", "Renderer", "TextError", "render_chat"]

MAX_OUTPUT = 1_000_000
"""Characters that one text may render to."""
MAX_STEPS = 200_000
"""Items of `range` and of tables that one text may run through."""


_OPEN, _CLOSE = "\ue000", "\ue001"
"""Private-use characters around a line's number; a text that holds them is an error of its own (PF521)."""
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_LEADING_MARKS = re.compile(f"(?:{_OPEN}(\\d+){_CLOSE})+")


class TextError(Exception):
    """A text cannot be rendered: where in it (line from 1, and the template's file if another), what, and a hint."""

    def __init__(self, code: str, message: str, *, hint: str = "", line: int = 1, template: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.line, self.template = code, message, hint, line, template


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
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


@dataclass(slots=True)
class _Record:
    """What one rendering has read so far."""

    seen: dict[str, Fact] = field(default_factory=dict)
    reads: dict[str, None] = field(default_factory=dict)
    of_agent: bool = False
    steps: int = 0

    def step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise TextError("PF405", f"the text runs through more than {MAX_STEPS:,} items", hint="loop over less")


class _Unset:
    """An unset column: none in every test, an error when printed."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, _Unset)

    def __hash__(self) -> int:
        return hash(None)

    def __str__(self) -> str:
        raise TextError(
            "PF404", f"{self._name} is not set, so it cannot be printed", hint="set it, or test it first: {% if … %}"
        )

    __repr__ = __str__


class _FactProxy:
    """A fact as a text sees it: `fact.x` and `fact['x']` are always the column x."""

    __slots__ = ("_fact", "_record", "_table")

    def __init__(self, fact: Fact, table: Table, record: _Record) -> None:
        self._fact, self._table, self._record = fact, table, record

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # Python and Jinja ask for protocols; a column never starts so
        return self[name]

    def __getitem__(self, name: object) -> object:
        fact, table = self._fact, self._table
        self._record.seen[fact.id] = fact
        if name in table.columns:
            value = fact.values.get(str(name))
            return _Unset(f"the column '{name}' of {table.name} '{fact.key}'") if value is None else value
        hint = did_you_mean(str(name), table.columns)
        raise TextError("PF303", f"{table.name} has no column '{name}'", hint=hint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _FactProxy) and other._fact is self._fact

    def __hash__(self) -> int:
        return hash(self._fact.id)

    def __str__(self) -> str:
        hint = f"name one: .{self._table.key[0]}"
        raise TextError("PF405", f"a whole fact of {self._table.name} cannot be printed, only a column", hint=hint)

    __repr__ = __str__


class _TableProxy:
    """A table as a text sees it: by key, or as a sequence of facts."""

    __slots__ = ("_record", "_table")

    def __init__(self, table: Table, record: _Record) -> None:
        self._table, self._record = table, record

    def _find(self, key: object) -> Fact | None:
        fact = self._table.by_key.get(written(key))
        self._record.reads[fact.id if fact else f"{self._table.name}/{written(key)}"] = None
        return fact

    def __getitem__(self, key: object) -> _FactProxy:
        fact = self._find(key)
        if fact is None:
            hint = did_you_mean(written(key), self._table.by_key)
            raise TextError("PF301", f"no '{written(key)}' in {self._table.name}", hint=hint)
        return _FactProxy(fact, self._table, self._record)

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not None

    def __iter__(self) -> Iterator[_FactProxy]:
        self._see_all()
        for fact in self._table.facts:
            self._record.step()
            yield _FactProxy(fact, self._table, self._record)

    def __len__(self) -> int:
        self._see_all()
        return len(self._table.facts)

    def _see_all(self) -> None:
        self._record.reads[f"table:{self._table.name}"] = None
        for fact in self._table.facts:
            self._record.seen[fact.id] = fact

    def __str__(self) -> str:
        hint = "loop over it, or name one: one('…', …)"
        raise TextError("PF405", f"the whole table {self._table.name} cannot be printed", hint=hint)

    __repr__ = __str__


class _AgentProxy:
    """`agent.name` and `agent.role`."""

    __slots__ = ("_record", "_values")

    def __init__(self, name: str, role: str | None, record: _Record) -> None:
        self._values, self._record = {"name": name, "role": role}, record

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # Python and Jinja ask for protocols; a column never starts so
        return self[name]

    def __getitem__(self, name: object) -> object:
        self._record.of_agent = True
        if name not in self._values:
            raise TextError("PF303", f"agent has no '{name}'", hint="there are agent.name and agent.role")
        value = self._values[str(name)]
        return _Unset(f"the role of agent '{self._values['name']}'") if value is None else value

    def __str__(self) -> str:
        raise TextError("PF405", "an agent cannot be printed, only its name or role", hint="write agent.name")

    __repr__ = __str__


def _one(tables: Mapping[str, Table], record: _Record, table: object, wanted: Mapping[str, object]) -> _FactProxy:
    """The only fact of a table that matches; the search itself shows nothing of the facts it passes over."""
    if isinstance(table, _TableProxy):
        table = table._table.name
    if not isinstance(table, str) or table not in tables:
        raise TextError("PF302", f"no table '{table}'", hint=did_you_mean(str(table), tables))
    found = tables[table]
    if not wanted:
        raise TextError("PF403", f"one('{table}') says not which", hint=f"one('{table}', {found.key[0]}='…')")
    for column in wanted:
        if column not in found.columns:
            hint = did_you_mean(column, found.columns)
            raise TextError("PF303", f"{table} has no column '{column}'", hint=hint)
    matches = [
        fact
        for fact in found.facts
        if all(_matches(fact.values.get(c), value, found.kind(c)) for c, value in wanted.items())
    ]
    record.reads[f"table:{table}"] = None
    if len(matches) != 1:
        asked = ", ".join(f"{column}={written(value)!r}" for column, value in wanted.items())
        if matches:
            keys = ", ".join(f"'{fact.key}'" for fact in matches[:4]) + ("…" if len(matches) > 4 else "")
            message, hint = (
                f"one('{table}', {asked}) matches {len(matches)} facts: {keys}",
                "add a column that tells them apart",
            )
        else:
            column, value = next(iter(wanted.items()))
            message = f"one('{table}', {asked}) matches no fact"
            hint = did_you_mean(written(value), {written(fact.values.get(column)) for fact in found.facts} - {""})
        raise TextError("PF403", message, hint=hint)
    record.reads[matches[0].id] = None
    return _FactProxy(matches[0], found, record)


def _matches(value: object, wanted: object, kind: str) -> bool:
    if isinstance(value, list):
        return any(canonical(item, kind) == canonical(wanted, kind) for item in value)
    if isinstance(wanted, _Unset):
        wanted = None
    return canonical(value, kind) == canonical(wanted, kind)


def _finalize(value: object) -> object:
    """How an expression is printed: like a value in a table, and never none."""
    if value is None:
        raise TextError("PF404", "the value is none, so it cannot be printed", hint="test it first: {% if … %}")
    if isinstance(value, (bool, list, tuple)):
        return written(value)
    return value


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox: strict, without its own loopholes for unbounded work."""

    intercepted_binops = frozenset(["*", "**", "%"])
    loaded: list[str]
    """Templates included so far in the rendering under way."""

    def _load_template(self, name: str, globals: Any) -> jinja2.Template:
        self.loaded.append(name)
        return super()._load_template(name, globals)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            raise TextError("PF405", "'%' on a text is not allowed", hint="use ~ to join texts")
        if operator != "%" and not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
            raise TextError("PF405", f"'{operator}' is only for numbers", hint="use ~ to join texts")
        if operator == "**" and (abs(left) > 1000 or abs(right) > 100):
            raise TextError("PF405", "the power is too large", hint="compute it beforehand")
        return super().call_binop(context, operator, left, right)

    def is_safe_callable(self, obj: Any) -> bool:
        # `"".format`, `.join` and the like are string methods; padding ones can make gigabytes.
        if getattr(obj, "__name__", "") in ("ljust", "rjust", "center", "zfill", "expandtabs", "format", "format_map"):
            return isinstance(getattr(obj, "__self__", None), str) is False
        return super().is_safe_callable(obj)


class _Loader(jinja2.BaseLoader):
    """Templates of the project, by their path below agents/templates."""

    def __init__(self, templates: Mapping[str, Text]) -> None:
        self.templates = templates

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        if template not in self.templates:
            hint = did_you_mean(template, self.templates)
            raise TextError("PF306", f"no template '{template}' in agents/templates", hint=hint)
        return self.templates[template].source, f"<template {template}>", lambda: True


class Renderer:
    """Renders the texts of one project. Jinja is loaded, and each text compiled, only once."""

    def __init__(self, project: Project) -> None:
        self._tables = project.tables
        self._runtime = project.config.runtime
        self._templates = project.templates
        self._environment = _Environment(
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            finalize=_finalize,
            loader=_Loader(project.templates),
        )
        environment = self._environment
        keep = ("dict", "namespace", "joiner", "cycler", "range")
        environment.globals = {name: environment.globals[name] for name in keep}
        environment.tests["none"] = lambda value: value is None or isinstance(value, _Unset)
        for name in ("pprint", "urlize", "random", "center", "indent", "wordwrap", "format", "xmlattr", "tojson"):
            environment.filters.pop(name, None)
        self._compiled: dict[str, jinja2.Template] = {}

    def render(self, text: Text, *, agent: tuple[str, str | None] = ("", None), **extra: object) -> Rendered:
        """The text with its references filled in. Raises TextError."""
        if text.literal:
            return Rendered(text=text.source)
        record = _Record()
        if text.file and not text.path:
            record.reads[f"template:{text.file}"] = None
        self._environment.loaded = []
        try:
            rendered = self._generate(text.source, {**self._context(record, agent), **extra})
        except Exception as problem:
            raise self._translate(problem) from problem
        lines = () if text.path else self._lines(text.source, rendered, {**self._context(_Record(), agent), **extra})
        record.reads.update((f"template:agents/templates/{name}", None) for name in self._environment.loaded)
        return Rendered(
            text=rendered,
            seen=tuple(record.seen.values()),
            reads=tuple(record.reads),
            lines=lines,
            of_agent=record.of_agent,
        )

    def _generate(self, source: str, context: Mapping[str, object]) -> str:
        template = self._compiled.get(source)
        if template is None:
            code = self._environment.compile(source, filename="<text>")
            template = jinja2.Template.from_code(self._environment, code, self._environment.globals)
            self._compiled[source] = template
        pieces: list[str] = []
        size = 0
        for piece in template.generate(**context):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_OUTPUT:
                _refuse_length()
        return "".join(pieces)

    def _lines(self, source: str, rendered: str, context: Mapping[str, object]) -> tuple[int, ...]:
        """For each line of a rendered template its line in the source; nothing where it cannot be told.

        The template is rendered once more with a mark of its line before each run of its own text.
        """
        if _OPEN in source or _OPEN in rendered:
            return ()
        marked = []
        for line, kind, value in self._environment.lex(source):
            if kind == "data":
                texts = str(value).split("\n")
                value = "\n".join(f"{_OPEN}{line + n}{_CLOSE}{text}" for n, text in enumerate(texts))
            marked.append(str(value))
        try:
            again = self._generate("".join(marked), context)
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

    def _context(self, record: _Record, agent: tuple[str, str | None]) -> dict[str, object]:
        def limited_range(*bounds: int) -> range:
            made = range(*bounds)
            record.step(len(made))
            return made

        def one(table: object, **wanted: object) -> _FactProxy:
            return _one(self._tables, record, table, wanted)

        context: dict[str, object] = {name: _TableProxy(table, record) for name, table in self._tables.items()}
        context.update({name: f"{{{{ {name} }}}}" for name in self._runtime})
        return context | {"one": one, "range": limited_range, "agent": _AgentProxy(*agent, record)}

    def _translate(self, problem: Exception) -> TextError:
        """A library's complaint in the user's terms, at the line of the user's text."""
        line, template = _where(problem)
        if isinstance(problem, TextError):
            problem.line, problem.template = line, template
            return problem
        for kind, code, message, hint in _TRANSLATIONS:
            if isinstance(problem, kind):
                said = str(problem)
                if isinstance(problem, jinja2.TemplateSyntaxError):
                    line, said = problem.lineno, problem.message or said
                    template = (problem.name or "") if problem.name in self._templates else template
                if isinstance(problem, jinja2.UndefinedError):
                    hint = self._undefined_hint(said) or hint
                return TextError(code, message.format(said), hint=hint, line=line, template=template)
        raise problem

    def _undefined_hint(self, said: str) -> str:
        name = said.split("'")[1] if said.count("'") >= 2 else ""
        known = [*self._tables, *self._runtime, "one", "agent"]
        return did_you_mean(name, known) if name else ""


_TRANSLATIONS: Sequence[tuple[type[Exception], str, str, str]] = (
    (
        jinja2.TemplateSyntaxError,
        "PF401",
        "the text is not valid Jinja: {}",
        "mend it, or wrap literal braces in {% raw %}",
    ),
    (jinja2.UndefinedError, "PF402", "{}", "see the names that a text may use: promptforge check --explain PF402"),
    (SecurityError, "PF405", "not allowed in a text: {}", "a text may read facts, test and loop"),
    (jinja2.TemplateRuntimeError, "PF405", "{}", "mend the expression"),
    (RecursionError, "PF405", "the text includes itself without end", "break the circle of includes"),
    (TypeError, "PF405", "the expression does not work: {}", "compare and combine values of one kind"),
    (ValueError, "PF405", "the expression does not work: {}", "check the values that it uses"),
    (ArithmeticError, "PF405", "the expression does not work: {}", "check the numbers that it uses"),
    (KeyError, "PF405", "no such item: {}", "check the name"),
    (AttributeError, "PF405", "the expression does not work: {}", "check the name after the dot"),
    (OverflowError, "PF405", "the expression does not work: {}", "use smaller numbers"),
    (MemoryError, "PF405", "the text needs too much memory", "print less"),
)


def _refuse_length() -> None:
    raise TextError("PF405", f"the text is over {MAX_OUTPUT:,} characters", hint="print less")


def _where(problem: BaseException) -> tuple[int, str]:
    """Line, and template if not the text itself, of the innermost frame that belongs to the user's text."""
    line, template = 1, ""
    traceback = problem.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if name == "<text>":
            line, template = traceback.tb_lineno, ""
        elif name.startswith("<template "):
            line, template = traceback.tb_lineno, name[len("<template ") : -1]
        traceback = traceback.tb_next
    return line, template


def render_chat(template: str, messages: Sequence[Mapping[str, str]], variables: Mapping[str, object]) -> str:
    """A chat template of a tokenizer, as transformers renders it. Raises ValueError when the template refuses."""

    def refuse(message: str) -> None:
        raise ValueError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: "2000-01-01"
    try:
        return environment.from_string(template).render(messages=list(messages), **variables)
    except (jinja2.TemplateError, RecursionError) as problem:
        raise ValueError(str(problem)) from problem
