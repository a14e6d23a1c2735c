"""The suites of a project: read against what the compiler makes of its knowledge, and judged as `check` does."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from promptforge.bench.cases import Case, Suite
from promptforge.bench.shown import GivenAway, given_away, show
from promptforge.bench.suite import read_suites
from promptforge.compiler.allow import settle
from promptforge.compiler.build import Build
from promptforge.compiler.choose import Chooser
from promptforge.compiler.judge import secrets_in_suites
from promptforge.compiler.load import Loaded
from promptforge.compiler.where import conditions
from promptforge.document import Document
from promptforge.errors import UsageError
from promptforge.files import CONFIG, YAML
from promptforge.source import Diagnostic, did_you_mean, ordered
from promptforge.text import Renderer
from promptforge.yamlio import parse

__all__ = ["Suites", "agent_names", "judge_suites", "load_suites", "settled", "suite_named", "together"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suites:
    """The suites of a project, and what is wrong with them."""

    suites: Mapping[str, Suite] = field(default_factory=dict)
    """By name, in the order of the files."""
    given_away: Mapping[str, Mapping[str, GivenAway]] = field(default_factory=dict)
    """By suite and case; those with a reason of their own (`shown`) are among them."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By suite how many generated cases were left out, because an example gives them away."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """By place; those that an allowance silences are not among them."""


def load_suites(build: Build, *, thorough: bool = False) -> Suites:
    """The suites of the files that a build was made of. `thorough` also looks for unused allowances."""
    documents, found = _documents(build)
    if not documents and not found:
        return Suites()
    found += secrets_in_suites(documents.values())
    project = build.project
    chooser = Chooser(project)
    renderer = Renderer(project)
    suites, problems = read_suites(
        documents,
        project,
        renderer,
        agents=agent_names(build),
        conditions=lambda document, path, table, where: conditions(project.tables, document, path, table, where),
        select=lambda table, where: [
            project.tables[table].facts[n] for n in chooser.matching(project.tables[table], where)
        ],
    )
    found += problems
    shown = list(show(project.examples, renderer))
    away = {suite.name: given_away(suite.cases, shown) if shown else {} for suite in suites}
    kept, dropped = {}, {}
    for suite in suites:
        found += _said(suite, away[suite.name])
        cases = tuple(case for case in suite.cases if not (case.generated and case.id in away[suite.name]))
        dropped[suite.name] = len(suite.cases) - len(cases)
        kept[suite.name] = replace(suite, cases=cases)
    found += _unknown_protected(build, kept.values(), whole=not any(d.code < "PF2" for d in found))
    said = settled(build, documents, found, thorough)
    return Suites(suites=kept, given_away=away, dropped=dropped, diagnostics=said)


def suite_named(suites: Suites, name: str) -> Suite:
    """The suite of that name; without one, the only one. Raises UsageError."""
    known = suites.suites
    if not known:
        hint = "write suites/house.yaml; `promptforge init DIR` makes a project with one to learn from"
        raise UsageError("the project has no suite", hint=hint)
    if not name and len(known) > 1:
        raise UsageError(f"the project has several suites: {', '.join(known)}", hint="name one: --suite NAME")
    if name and name not in known:
        raise UsageError(f"no suite '{name}'", hint=did_you_mean(name, known))
    return known[name or next(iter(known))]


def agent_names(build: Build) -> set[str]:
    """The names of all agents, those of a wrong shape included: their cases are not to blame."""
    broken = [file for file in build.broken if file.startswith("agents/") and file.endswith(YAML)]
    hidden = {name for file in broken for name in _names_in(file, build.tree.files.get(file, b""))}
    shaped = [d.data for file, d in build.documents.items() if file.startswith("agents/") and isinstance(d.data, dict)]
    return {*build.project.agents, *hidden, *(str(data["name"]) for data in shaped if "name" in data)}


_NAME_LINE = re.compile(rb"^\s*name:\s*[\"']?([\w-]+)", re.MULTILINE)


def _names_in(file: str, content: bytes) -> Iterator[str]:
    """What the agent of a file that cannot be parsed is called, as far as its lines and its file's name show."""
    yield PurePosixPath(file).stem
    yield from (name.decode(errors="replace") for name in _NAME_LINE.findall(content)[:1])


def _documents(build: Build) -> tuple[dict[str, Document], list[Diagnostic]]:
    documents: dict[str, Document] = {}
    found: list[Diagnostic] = []
    for path in build.tree.under("suites"):
        document, problems = parse(path, build.tree.files[path])
        found += problems
        if document is not None:
            documents[path] = document
    return documents, found


def _said(suite: Suite, away: Mapping[str, GivenAway]) -> list[Diagnostic]:
    """What is said of the written cases that are given away, and of those that only claim to be."""
    found = []
    for case in suite.cases:
        if case.generated:
            continue
        reason = away.get(case.id)
        if reason and not case.shown:
            found.append(_given_away(case, reason))
        if case.shown and not reason:
            message = f"the case '{case.id}' is `shown`, but no example gives it away"
            found.append(Diagnostic(code="PF711", span=case.span, message=message, hint="delete the line `shown:`"))
    return found


def _unknown_protected(build: Build, suites: Iterable[Suite], *, whole: bool) -> Iterator[Diagnostic]:
    """Protected categories that no suite has: nothing would guard them. Said only where all suites can be read."""
    config = build.documents.get(CONFIG)
    known = {category for suite in suites for category in suite.categories}
    if config is None or not whole or not known:
        return
    for number, name in enumerate((build.project.config.settings.get("gate") or {}).get("protected", ())):
        if str(name) not in known:
            message = f"`gate: protected` names the category '{name}', which no suite has"
            place = config.span(("gate", "protected", number))
            yield Diagnostic(code="PF718", span=place, message=message, hint=did_you_mean(str(name), known))


def _given_away(case: Case, reason: GivenAway) -> Diagnostic:
    message = f"the case '{case.id}' is given away by the example '{reason.example}': {reason.why}"
    hint = "ask for something else, change the example, or say `shown: reason`; until then it does not count"
    related = ((reason.span, "the example"),)
    return Diagnostic(code="PF710", span=case.span, message=message, hint=hint, related=related)


def settled(
    build: Build, documents: Mapping[str, Document], found: Sequence[Diagnostic], thorough: bool
) -> tuple[Diagnostic, ...]:
    """What remains of what was found in further documents of a project, once allowances have been used."""
    unread = frozenset(d.span.file for d in found if d.code.startswith("PF1"))
    loaded = Loaded(
        broken=build.broken | unread,
        hidden_settings=build.hidden_settings,
        config=build.documents.get(CONFIG),
        knowledge={},
        agents={},
        fewshot={},
        schemas={},
        templates={},
        documents=documents,
    )
    return settle(ordered(found), loaded, build.project.config, thorough=thorough)


def judge_suites(build: Build, suites: Suites) -> tuple[Diagnostic, ...]:
    """All diagnostics of a project and of its suites."""
    return together([build.diagnostics, *([suites.diagnostics] if suites.suites else [])], suites.diagnostics)


def together(judged: Sequence[Collection[Diagnostic]], more: Iterable[Diagnostic] = ()) -> tuple[Diagnostic, ...]:
    """All that several looks at a project found, by place.

    An `ignore` of promptforge.yaml counts as unused only where none of those that judged whole files uses it.
    """
    unused = set.intersection(*({d for d in found if _is_unused_ignore(d)} for found in judged))
    every = (diagnostic for found in (*judged, more) for diagnostic in found)
    return ordered(d for d in every if not _is_unused_ignore(d) or d in unused)


def _is_unused_ignore(diagnostic: Diagnostic) -> bool:
    return diagnostic.code in ("PF601", "PF603") and diagnostic.span.file == CONFIG
