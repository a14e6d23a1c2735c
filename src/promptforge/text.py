"""Texts with references: rendered in a sandbox that records what was read. Owns jinja2.

What a text *prints, tests, counts or filters on* decides who may see it (`Rendered.seen`); what it *reads*, misses
included, decides what it depends on (`Rendered.reads`). See `views.py`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import CodeType
from typing import Any

import jinja2
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptforge.model import Fact, Project, Rendered, Text, written
from promptforge.source import did_you_mean
from promptforge.views import AgentView, FactView, Finder, Record, RuntimeName, TableView, TextError, Unset, plain_text

__all__ = ["Renderer", "TextError", "render_chat"]

MAX_OUTPUT = 1_000_000
"""Characters that one text may render to."""

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Private-use characters around a line's number; a text that holds them is an error of its own (PF521)."""
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_LEADING_MARKS = re.compile(f"(?:{_OPEN}(\\d+){_CLOSE})+")

Clean = Callable[[str], str]
"""What is done to each printed text: `scan.neutralise`, so that no value can open a turn of the chat."""

_PRINTABLE = (str, int, float, jinja2.Undefined, Unset, FactView, TableView, AgentView)
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
        # Methods of texts that can make gigabytes from a line.
        if getattr(obj, "__name__", "") in _UNBOUNDED and isinstance(getattr(obj, "__self__", None), str):
            return False
        return super().is_safe_callable(obj)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Refuse `format`, whose widths make gigabytes."""
        if super().wrap_str_format(value) is not None:
            raise TextError("PF405", "'format' is not allowed in a text", hint="use ~ to join texts")
        return None

    def join_texts(self, parts: Iterable[object]) -> str:
        """What `~` and the filter join make: no more than a text may be long."""
        texts: list[str] = []
        size = 0
        for part in parts:
            texts.append(str(part))
            size += len(texts[-1])
            if size > MAX_OUTPUT:
                _refuse_length()
        return "".join(texts)


_UNBOUNDED = frozenset(
    ["ljust", "rjust", "center", "zfill", "expandtabs", "format", "format_map", "join", "replace", "translate"]
)


class _Generator(CodeGenerator):
    """Compiles `a ~ b` to a call of ours, which is bounded."""

    def visit_Concat(self, node: jinja2.nodes.Concat, frame: Any) -> None:
        self.write("environment.join_texts((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


_Environment.code_generator_class = _Generator

_CODE: dict[tuple[str, Clean], CodeType] = {}
"""Compiled texts by what cleaned their constants: `build --watch` renders the same ones anew at each save."""
_MOST_CODE = 2000


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

    def __init__(self, project: Project, *, clean: Clean = str) -> None:
        self._tables = project.tables
        self._finder = Finder(project.tables)
        self._clean = clean
        self._runtime = project.config.runtime
        self._templates = project.templates
        self._shown = _finalize(clean)
        self._environment = _Environment(
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            finalize=self._shown,
            loader=_Loader(project.templates),
        )
        environment = self._environment
        keep = ("dict", "namespace", "joiner", "cycler", "range")
        environment.globals = {name: environment.globals[name] for name in keep}
        environment.tests["none"] = lambda value: value is None or isinstance(value, Unset)
        environment.filters["join"] = _join
        environment.filters["replace"] = _replace
        for name in ("pprint", "urlize", "random", "center", "indent", "wordwrap", "format", "xmlattr", "tojson"):
            environment.filters.pop(name, None)
        self._compiled: dict[str, jinja2.Template] = {}

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
        self._environment.loaded = []
        try:
            rendered = "".join(self._pieces(text.source, {**self._context(record, agent), **extra}))
        except Exception as problem:
            raise self._translate(problem) from problem
        lines = () if text.path else self._lines(text.source, rendered, {**self._context(Record(), agent), **extra})
        record.reads.update((f"template:agents/templates/{name}", None) for name in self._environment.loaded)
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
        self._environment.loaded = []
        for piece in self._pieces(text.source, self._context(record, agent)):
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
        return [value for _, kind, value in self._environment.lex(source) if kind == "data"]

    def _pieces(self, source: str, context: Mapping[str, object]) -> Iterator[str]:
        template = self._compiled.get(source)
        if template is None:
            if len(_CODE) > _MOST_CODE:
                _CODE.clear()
            key = source, self._clean
            code = _CODE[key] = _CODE.get(key) or self._environment.compile(source, filename="<text>")
            template = jinja2.Template.from_code(self._environment, code, self._environment.globals)
            self._compiled[source] = template
        size = 0
        for piece in template.generate(**context):
            size += len(piece)
            if size > MAX_OUTPUT:
                _refuse_length()
            yield piece

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
            again = "".join(self._pieces("".join(marked), context))
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

    def _translate(self, problem: Exception) -> TextError:
        """A library's complaint in the user's terms, at the line of the user's text."""
        line, template = _where(problem)
        if isinstance(problem, TextError):
            problem.line, problem.template = line, template
            return problem
        for kind, code, message, hint in _TRANSLATIONS:
            if isinstance(problem, kind):
                said = problem.msg if isinstance(problem, SyntaxError) else str(problem)
                if isinstance(problem, jinja2.TemplateSyntaxError):
                    line, said = problem.lineno, problem.message or said
                    template = (problem.name or "") if problem.name in self._templates else template
                if isinstance(problem, jinja2.UndefinedError):
                    hint = (self._undefined_hint(said) if said.endswith("is undefined") else "") or hint
                return TextError(code, message.format(said), hint=hint, line=line, template=template)
        raise problem

    def _undefined_hint(self, said: str) -> str:
        name = said.split("'")[1] if said.count("'") >= 2 else ""
        known = [*self._tables, *self._runtime, "one", "agent"]
        return did_you_mean(name, known) if name else ""


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


_TRANSLATIONS: Sequence[tuple[type[Exception], str, str, str]] = (
    (
        jinja2.TemplateSyntaxError,
        "PF401",
        "the text is not valid Jinja: {}",
        "mend it, or wrap literal braces in {% raw %}",
    ),
    (SyntaxError, "PF401", "the text is not valid Jinja: {}", "give each name once, and use it as it can be used"),
    (jinja2.UndefinedError, "PF402", "{}", "see the names that a text may use: promptforge check --explain PF402"),
    (SecurityError, "PF405", "not allowed in a text: {}", "a text may read facts, test and loop"),
    (jinja2.TemplateRuntimeError, "PF405", "{}", "mend the expression"),
    (jinja2.TemplateNotFound, "PF306", "an include or import names no template", "name a file of agents/templates"),
    (jinja2.TemplateError, "PF405", "{}", "mend the expression"),
    (RecursionError, "PF405", "the text includes itself without end", "break the circle of includes"),
    (RuntimeError, "PF405", "the expression does not work: {}", "mend the expression"),
    (TypeError, "PF405", "the expression does not work: {}", "compare and combine values of one kind"),
    (ValueError, "PF405", "the expression does not work: {}", "check the values that it uses"),
    (ArithmeticError, "PF405", "the expression does not work: {}", "check the numbers that it uses"),
    (LookupError, "PF405", "no such item: {}", "check the name"),
    (AttributeError, "PF405", "the expression does not work: {}", "check the name after the dot"),
    (OverflowError, "PF405", "the expression does not work: {}", "use smaller numbers"),
    (MemoryError, "PF405", "the text needs too much memory", "print less"),
)


@jinja2.pass_environment
def _join(environment: _Environment, values: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """The filter join, bounded."""
    if attribute is not None:
        values = map(jinja2.filters.make_attrgetter(environment, attribute), values)
    parts = [part for value in values for part in (d, value)]
    return environment.join_texts(parts[1:])


def _replace(text: str, old: str, new: str) -> str:
    """The filter replace, bounded."""
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MAX_OUTPUT:
        _refuse_length()
    return text.replace(old, new)


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
