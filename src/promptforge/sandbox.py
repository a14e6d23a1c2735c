"""Jinja behind a wall: strict, with bounds, and without the loopholes of its own sandbox. Owns jinja2."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import CodeType
from typing import Any

import jinja2
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError
from jinja2.filters import do_batch, sync_do_slice
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptforge.model import Text
from promptforge.source import did_you_mean
from promptforge.views import MAX_OUTPUT, TextError, Unset

__all__ = ["Sandbox", "render_chat"]

Show = Callable[[object], object]
"""How the value of an expression is printed."""


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
        # Methods of texts, and of what they encode to, that can make gigabytes from a line.
        owner = getattr(obj, "__self__", None)
        if getattr(obj, "__name__", "") in _UNBOUNDED and isinstance(owner, (str, bytes, bytearray)):
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

_ADDRESS = re.compile(r" (?:object )?at 0x[0-9a-fA-F]+")
_CODE: dict[tuple[str, object], CodeType] = {}
"""Compiled texts, and what their constants were cleaned by: `build --watch` renders the same ones anew at each save."""
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


class Sandbox:
    """Renders the texts of one project, each compiled only once."""

    def __init__(self, templates: Mapping[str, Text], *, show: Show, shown_by: object) -> None:
        """Templates that may be included; `shown_by` is equal where `show` prints alike: code is kept by it."""
        self._templates = templates
        self._shown_by = shown_by
        self._environment = environment = _Environment(
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            finalize=lambda value: value if isinstance(value, jinja2.Undefined) else show(value),
            loader=_Loader(templates),
        )
        keep = ("dict", "namespace", "joiner", "cycler", "range")
        environment.globals = {name: environment.globals[name] for name in keep}
        environment.tests["none"] = lambda value: value is None or isinstance(value, Unset)
        environment.filters["join"] = _join
        environment.filters["replace"] = _replace
        environment.filters["batch"] = _batch
        environment.filters["slice"] = _slice
        for name in ("pprint", "urlize", "random", "center", "indent", "wordwrap", "format", "xmlattr", "tojson"):
            environment.filters.pop(name, None)
        environment.loaded = []
        self._compiled: dict[str, jinja2.Template] = {}

    def pieces(self, source: str, context: Mapping[str, object]) -> Iterator[str]:
        """What a text prints, piece by piece. Raises whatever Jinja does: see `translated`."""
        template = self._compiled.get(source)
        if template is None:
            if len(_CODE) > _MOST_CODE:
                _CODE.clear()
            key = source, self._shown_by
            code = _CODE[key] = _CODE.get(key) or self._environment.compile(source, filename="<text>")
            template = jinja2.Template.from_code(self._environment, code, self._environment.globals)
            self._compiled[source] = template
        size = 0
        for piece in template.generate(**context):
            size += len(piece)
            if size > MAX_OUTPUT:
                _refuse_length()
            yield piece

    def loaded(self) -> list[str]:
        """The templates that were included since it was last asked."""
        names, self._environment.loaded = self._environment.loaded, []
        return names

    def tokens(self, source: str) -> Iterator[tuple[int, str, str]]:
        """A text as Jinja reads it: the line, the kind (`data`: printed as it is) and the source of each token."""
        return self._environment.lex(source)

    def translated(self, problem: Exception, names: Iterable[str]) -> TextError:
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
                    hint = (_undefined_hint(said, names) if said.endswith("is undefined") else "") or hint
                said = _ADDRESS.sub("", said)  # where in memory something lies differs from run to run
                return TextError(code, message.format(said), hint=hint, line=line, template=template)
        raise problem


def _undefined_hint(said: str, names: Iterable[str]) -> str:
    name = said.split("'")[1] if said.count("'") >= 2 else ""
    return did_you_mean(name, [*names, "one", "agent"]) if name else ""


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


def _batch(value: Iterable[Any], linecount: int, fill_with: Any = None) -> Iterator[list[Any]]:
    """The filter batch, bounded: it fills up the last group."""
    return do_batch(value, _grouped(linecount), fill_with)


def _slice(value: Collection[Any], slices: int, fill_with: Any = None) -> Iterator[list[Any]]:
    """The filter slice, bounded: it makes so many groups, empty ones too."""
    return sync_do_slice(value, _grouped(slices), fill_with)


def _grouped(number: int) -> int:
    if number > _MOST_GROUPED:
        raise TextError("PF405", f"{number:,} are too many to group by", hint=f"{_MOST_GROUPED:,} are the most")
    return number


_MOST_GROUPED = 10_000


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
