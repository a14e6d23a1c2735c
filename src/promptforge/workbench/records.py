"""Cases as a run keeps them, so that a report needs no project."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from promptforge.bench.cases import Case, Check
from promptforge.bench.plan import Job
from promptforge.bench.results import Arm, CaseRecord
from promptforge.bench.score import pass_fail
from promptforge.bench.shown import GivenAway
from promptforge.bench.stats import clusters
from promptforge.bench.texts import filled_in
from promptforge.workbench.arms import AskedOf, Planner

__all__ = ["records"]


def records(sides: Sequence[AskedOf], jobs: Sequence[Job]) -> tuple[CaseRecord, ...]:
    """The cases that are asked, as the last revision has them, with what the prompts hold for them.

    Their agents are those that are asked: of two revisions, those whose prompts differ.
    """
    made: dict[str, CaseRecord] = {}
    for side in sides:
        for record in _records(side.cases.values(), side.arms, side.planner, side.away):
            older = made.get(record.id)
            given_away = record.given_away or (older.given_away if older else "")
            same = record.given_away == given_away
            made[record.id] = record if same else replace(record, given_away=given_away)
    return tuple(_clustered(list(_asked_of(made, jobs)), [side.cases for side in sides]))


def _asked_of(made: Mapping[str, CaseRecord], jobs: Sequence[Job]) -> Iterable[CaseRecord]:
    agents: dict[str, dict[str, None]] = {}
    for job in jobs:
        agents.setdefault(job.case.id, {})[job.agent] = None
    for id_, asked in agents.items():
        record = made[id_]
        names = tuple(name for name in record.agents if name in asked)
        yield record if names == record.agents else replace(record, agents=names)


def _records(
    cases: Iterable[Case], arms: Sequence[Arm], planner: Planner, away: Mapping[str, GivenAway]
) -> Iterable[CaseRecord]:
    for case in cases:
        yield CaseRecord(
            id=case.id,
            category=case.category,
            tier=case.tier,
            agents=case.agents,
            question=filled_in(case.question, case.vars),
            expected=tuple(_in_words(check) for check in case.checks),
            generated=case.generated,
            given_away=str(away.get(case.id, "")),
            shown=case.shown,
            pass_fail=len(case.agents) == 1 and pass_fail(case),
            rubric_only=not case.checks,
            file=case.span.file,
            line=case.span.line,
            held=planner.held(arms, case),
        )


def _clustered(kept: Sequence[CaseRecord], revisions: Iterable[Mapping[str, Case]]) -> list[CaseRecord]:
    """With the name of their cluster: cases whose checks print a value of a common fact."""
    facts: dict[str, set[str]] = {record.id: set() for record in kept}
    for cases in revisions:
        for id_ in facts:
            if id_ in cases:
                facts[id_].update(printed.fact for printed in cases[id_].expects)
    names = clusters(facts)
    return [replace(record, cluster=names[record.id]) for record in kept]


def _in_words(check: Check) -> str:
    """An expectation in words."""
    values = ", ".join(check.values)
    match check.kind:
        case "abstain":
            return "says that it does not know"
        case "refuse":
            return "refuses"
        case "answer":
            return "does not refuse"
        case "tool":
            arguments = ", ".join(f"{name}: {value}" for name, value in check.data["arguments"].items())
            return f"calls {check.data['name']}({arguments})"
        case "json":
            return "JSON of the given schema"
        case "only":
            return f"names no other {values}"
        case "none":
            return f"does not name: {values}"
    return f"{check.kind}: {values}"
