"""Cases as a run keeps them, so that a report needs no project."""

from collections.abc import Sequence

from promptforge.bench.cases import Case, Check
from promptforge.bench.plan import Job
from promptforge.bench.results import CaseRecord
from promptforge.bench.score import pass_fail
from promptforge.bench.stats import clusters
from promptforge.bench.texts import filled_in
from promptforge.workbench.arms import AskedOf

__all__ = ["records"]


def records(sides: Sequence[AskedOf], jobs: Sequence[Job]) -> tuple[CaseRecord, ...]:
    """The cases that are asked, as the last revision has them, with what the prompts hold for them.

    Their agents are those that are asked: of two revisions, those whose prompts differ.
    """
    asked: dict[str, set[str]] = {}
    for job in jobs:
        asked.setdefault(job.case.id, set()).add(job.agent)
    facts = [{id_: _facts(side.cases[id_]) for id_ in asked if id_ in side.cases} for side in sides]
    # Cases whose checks print a value of a common fact are one cluster.
    names = clusters({id_: set().union(*(own.get(id_, ()) for own in facts)) for id_ in asked})
    made: dict[str, CaseRecord] = {}
    for side, own in zip(sides, facts, strict=True):
        for id_, wanted in own.items():
            case, older = side.cases[id_], made.get(id_)
            made[id_] = CaseRecord(
                id=id_,
                category=case.category,
                tier=case.tier,
                agents=tuple(name for name in case.agents if name in asked[id_]),
                question=filled_in(case.question, case.vars),
                expected=tuple(_in_words(check) for check in case.checks),
                cluster=names[id_],
                generated=case.generated,
                given_away=str(side.away.get(id_, "")) or (older.given_away if older else ""),
                shown=case.shown,
                pass_fail=len(case.agents) == 1 and pass_fail(case),
                rubric_only=not case.checks,
                file=case.span.file,
                line=case.span.line,
                held=side.planner.held(side.arms, case, wanted),
            )
    return tuple(made[id_] for id_ in asked)


def _facts(case: Case) -> set[str]:
    """The facts that a case expects a value of."""
    return {printed.fact for check in case.checks if not check.veto for printed in check.printed}


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
