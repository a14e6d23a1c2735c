"""What remains of the diagnostics: not what follows from a file that cannot be read, and not what the user accepts.

An allowance is for a line, `# promptforge: allow PF512 reason` at its end, or for a file:
`ignore: {PF331: [knowledge/lab.yaml]}` in promptforge.yaml. One that allows nothing is a warning. Those of `drift` are
for what sources show, which nobody knows here: only their form is looked at.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from promptforge.compiler.acceptance import as_acceptance, is_reason
from promptforge.compiler.beside import Beside
from promptforge.compiler.load import Loaded
from promptforge.document import Document
from promptforge.files import CONFIG
from promptforge.model import Config, Fact, Table
from promptforge.source import Diagnostic, Span, codes, did_you_mean, ordered
from promptforge.yamlio import comments

__all__ = ["misunderstood", "settle"]

_NAME = "promptforge:"
_FORMS = ("allow", "cleaned")
_WORD = "promptforge: allow"
_CODES = re.compile(r"(PF\d{3})\b[,\s]*")
_DRIFT = "drift"
_IN_TEMPLATE = re.compile(r"\{#-?\s*promptforge: allow\s+(.*?)\s*-?#\}")


@dataclass(slots=True, kw_only=True)
class _Allowance:
    code: str
    span: Span
    used: bool = False


def settle(
    diagnostics: Sequence[Diagnostic], loaded: Loaded, config: Config, *, thorough: bool
) -> tuple[Diagnostic, ...]:
    """What remains; with `thorough` also the allowances that allow nothing, where nothing is hidden from them."""
    diagnostics = [d for d in diagnostics if not _follows(d, loaded.hidden_settings)]
    said: list[Diagnostic] = []
    allowances = [a for a in _on_lines(loaded, said) if _may_allow(a, said)]
    by_line: dict[tuple[str, int, str], list[_Allowance]] = {}
    for allowance in allowances:
        by_line.setdefault((allowance.span.file, allowance.span.line, allowance.code), []).append(allowance)
    ignores = [a for a in _in_config(loaded, config) if _may_allow(a[0], said)]
    kept = [d for d in diagnostics if not _allowed(d, by_line, ignores)]
    if thorough and not loaded.broken:
        unused = [a for a in (*allowances, *(a for a, _ in ignores)) if not a.used]
        said += [_unused(allowance) for allowance in unused]
    return ordered([*kept, *said])


_AFTER: Mapping[str, frozenset[str]] = {
    "budget": frozenset(["PF413", "PF414"]),
    "clearance": frozenset(["PF410", "PF501"]),
    "models": frozenset(["PF305", "PF410", "PF413", "PF414", "PF501"]),
    "reserve": frozenset(["PF413", "PF414"]),
    "runtime": frozenset(["PF707"]),
    "sections": frozenset(["PF410", "PF411", "PF413", "PF501"]),
}
"""By key of promptforge.yaml what may only follow from its being unreadable."""


def _follows(diagnostic: Diagnostic, hidden: frozenset[str]) -> bool:
    """Whether it may not be the user's mistake, but only come of settings that could not be read."""
    if not hidden:
        return False
    if diagnostic.code == "PF402":
        return "runtime" in hidden and diagnostic.message.endswith("is undefined")
    return any(diagnostic.code in _AFTER.get(name, ()) for name in hidden)


def _allowed(
    diagnostic: Diagnostic,
    by_line: dict[tuple[str, int, str], list[_Allowance]],
    ignores: Sequence[tuple[_Allowance, tuple[str, ...]]],
) -> bool:
    used = list(by_line.get((diagnostic.span.file, diagnostic.span.line, diagnostic.code), ()))
    for allowance, files in ignores:
        if allowance.code == diagnostic.code and any(fnmatchcase(diagnostic.span.file, glob) for glob in files):
            used.append(allowance)
    for allowance in used:
        allowance.used = True
    return bool(used)


def _on_lines(loaded: Loaded, said: list[Diagnostic]) -> Iterator[_Allowance]:
    for document in loaded.documents.values():
        for line, column, rest in comments(document, _WORD):
            yield from _allowances(
                Span(file=document.file, line=line, column=column, length=len(_WORD) + 2), rest, said
            )
    for text in loaded.templates.values():
        if _WORD in text.source:
            for number, line_text in enumerate(text.source.split("\n")):
                if match := _IN_TEMPLATE.search(line_text):
                    place = Span(file=text.file, line=number + 1, column=match.start() + 1, length=len(match[0]))
                    yield from _allowances(place, match[1], said)


def _allowances(place: Span, rest: str, said: list[Diagnostic]) -> Iterator[_Allowance]:
    at, found = 0, []
    of_drift = as_acceptance(rest)
    if of_drift is not None and not is_reason(of_drift.reason):
        message, hint = "the acceptance gives no reason", "say why: `# promptforge: allow drift lan_ip=192.0.2.11 why`"
        said.append(Diagnostic(code="PF603", span=place, message=message, hint=hint))
    if of_drift is not None:
        return
    while match := _CODES.match(rest, at):
        found.append(match[1])
        at = match.end()
    if not found:
        message, hint = "the allowance names no code", "write `# promptforge: allow PF512 reason`"
        said.append(Diagnostic(code="PF603", span=place, message=message, hint=hint))
    elif not is_reason(rest[at:]):
        message, hint = "the allowance gives no reason", f"say why: `# promptforge: allow {found[0]} reason`"
        said.append(Diagnostic(code="PF603", span=place, message=message, hint=hint))
    for code in found:
        yield _Allowance(code=code, span=place)


def misunderstood(tables: Mapping[str, Table], documents: Mapping[str, Document]) -> Iterator[Diagnostic]:
    """What is addressed to us and does not say what its author means: an unknown word, a column that no fact has."""
    beside: Beside | None = None
    for document in documents.values():
        for line, column, rest in comments(document, _NAME):
            word = rest.partition(" ")[0]
            span = Span(file=document.file, line=line, column=column, length=len(_NAME) + 2)
            of_drift = as_acceptance(rest.removeprefix("allow").lstrip()) if word == "allow" else None
            if word not in _FORMS and not rest.startswith("allow"):  # `allowed` is told as an allowance without a code
                hint = did_you_mean(word, _FORMS)
                message = f"'promptforge: {word}' means nothing"
                yield Diagnostic(code="PF603", span=span, message=message, hint=hint)
            elif of_drift is not None and of_drift.pins and document.file.startswith("knowledge/"):
                beside = beside or Beside(tables)
                names = [name for name, _ in of_drift.pins]
                yield from _unknown_columns(tables, beside.facts(document, line), names, span)


def _unknown_columns(
    tables: Mapping[str, Table], facts: Sequence[Fact], names: Sequence[str], span: Span
) -> Iterator[Diagnostic]:
    """Pins of columns that none of the facts on a line can have."""
    known = {column for fact in facts for column in (*tables[fact.table].columns, *tables[fact.table].key)}
    for name in names:
        if facts and name not in known:
            message = f"the acceptance names the column '{name}', and {facts[0].table} has none of this name"
            yield Diagnostic(code="PF603", span=span, message=message, hint=did_you_mean(name, known))


def _in_config(loaded: Loaded, config: Config) -> Iterator[tuple[_Allowance, tuple[str, ...]]]:
    for code, files in config.ignore.items():
        assert loaded.config is not None  # config.ignore comes from there
        if code == _DRIFT:
            continue
        yield _Allowance(code=code, span=loaded.config.span(("ignore", code), key=True)), tuple(map(str, files))


def _may_allow(allowance: _Allowance, said: list[Diagnostic]) -> bool:
    known = codes()
    if allowance.code in known and known[allowance.code].allowable:
        return True
    if allowance.code not in known:
        message, hint = f"no diagnostic has the code '{allowance.code}'", "list them all: promptforge check --explain"
    else:
        message = f"{allowance.code} ({known[allowance.code].title}) cannot be allowed"
        hint = "mend what it says: the project cannot be compiled around it"
    said.append(Diagnostic(code="PF603", span=allowance.span, message=message, hint=hint))
    return False


def _unused(allowance: _Allowance) -> Diagnostic:
    word = "ignore" if allowance.span.file == CONFIG else "allowance"
    message, hint = f"the {word} of {allowance.code} allows nothing", "delete it"
    return Diagnostic(code="PF601", span=allowance.span, message=message, hint=hint)
