"""Places in the user's files, and what is wrong there: Span, Diagnostic, and the table of codes.

The table itself is data (`data/codes.toml`): severity, title and the page of each code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

__all__ = ["Code", "Diagnostic", "Severity", "Span", "codes", "did_you_mean", "errors", "ordered"]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """A place in a file of the project; lines and columns count from 1, column 0 means the whole line."""

    file: str
    """Relative to the project's folder, with forward slashes."""
    line: int = 1
    column: int = 0
    length: int = 1
    """How many characters the caret underlines."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One kind of diagnostic, as `check --explain` and the reference pages show it."""

    code: str
    severity: Severity
    title: str
    what: str
    why: str
    example: str
    mend: str
    allowable: bool
    """Whether an allowance may silence it: judgements may be allowed, broken files may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """Something wrong in the user's files: collected, never raised."""

    code: str
    span: Span
    message: str
    hint: str = ""
    related: tuple[tuple[Span, str], ...] = ()
    """Other places that belong to it, each with a word: "first defined here"."""
    strict: bool = False
    """Whether a warning is taken for an error (`check --strict`)."""

    @property
    def severity(self) -> Severity:
        """Errors change the exit code; warnings and notes do not."""
        severity = codes()[self.code].severity
        return "error" if self.strict and severity == "warning" else severity


@cache
def codes() -> Mapping[str, Code]:
    """The table of codes, in order."""
    import tomllib  # only a project with something to say needs it; so with difflib below
    from importlib.resources import files

    raw = tomllib.loads((files("promptforge") / "data" / "codes.toml").read_text(encoding="utf-8"))
    blank = {"allowable": False, "what": "", "why": "", "example": "", "mend": ""}
    return {code: Code(code=code, **{**blank, **entry}) for code, entry in raw.items()}


def errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Only those that stop a build."""
    return tuple(d for d in diagnostics if d.severity == "error")


def ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """By place, each once."""
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda d: (d.span, d.code, d.message)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or lists the known ones when they are few.

    >>> did_you_mean("prots", ["ports", "hosts"])
    "did you mean 'ports'?"
    >>> did_you_mean("x", ["ports", "hosts"])
    'known: hosts, ports'
    """
    from difflib import get_close_matches

    choices = sorted({str(k) for k in known})
    near = get_close_matches(word, choices[:2000], n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if not choices:
        return ""
    shown = ", ".join(choices[:12])
    return f"known: {shown}" + (f" and {len(choices) - 12} more" if len(choices) > 12 else "")
