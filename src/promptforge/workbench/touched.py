"""The cases of the suites that a change touches: their question or their expected answer differs, or broke."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from promptforge.bench.cases import Case
from promptforge.diff import CaseChange, FactChange
from promptforge.source import Diagnostic
from promptforge.workbench.suites import Suites

__all__ = ["new_errors", "touched_cases"]


def touched_cases(old: Suites, new: Suites, facts: Sequence[FactChange]) -> Iterator[CaseChange]:
    """The cases that differ between two readings of the suites; generated ones only when they come or go."""
    before, after = _cases(old), _cases(new)
    changed = _changed(facts)
    broken = {(d.span.file, d.span.line) for d in new.diagnostics if d.severity == "error"}
    for place in dict.fromkeys((*before, *after)):
        one, other = before.get(place), after.get(place)
        case = other or one
        assert case is not None
        if one is None or other is None:
            gone = other is None and any(file == case.span.file and line >= case.span.line for file, line in broken)
            change = "broken" if gone and not case.generated else "removed" if other is None else "added"
            yield _change(place, case, change, (), changed)
        elif what := _what(one, other):
            yield _change(place, other, "changed", what, changed)


def new_errors(old: Suites, new: Suites) -> tuple[Diagnostic, ...]:
    """What is wrong with the suites now that was not wrong before."""
    known = {(d.code, d.message) for d in old.diagnostics}
    return tuple(d for d in new.diagnostics if d.severity == "error" and (d.code, d.message) not in known)


def _cases(suites: Suites) -> Mapping[tuple[str, str], Case]:
    return {(suite.name, case.id): case for suite in suites.suites.values() for case in suite.cases}


def _changed(facts: Iterable[FactChange]) -> Mapping[str, str]:
    return {id_: fact.ids[0] for fact in facts for id_ in fact.ids}


def _what(one: Case, other: Case) -> tuple[str, ...]:
    asked = (one.messages, one.vars, one.agents) != (other.messages, other.vars, other.agents)
    expected = [(c.kind, c.values, c.data) for c in one.checks] != [(c.kind, c.values, c.data) for c in other.checks]
    return tuple(word for word, differs in (("question", asked), ("expected", expected)) if differs)


def _change(
    place: tuple[str, str], case: Case, change: str, what: tuple[str, ...], changed: Mapping[str, str]
) -> CaseChange:
    facts = tuple(sorted({changed[fact] for fact in case.reads if fact in changed}))
    return CaseChange(
        suite=place[0], id=place[1], change=change, what=what, file=case.span.file, line=case.span.line, facts=facts
    )
