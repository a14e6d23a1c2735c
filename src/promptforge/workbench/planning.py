"""What `bench` would send: the project's agents, with and without their knowledge, on a suite, and what it may cost."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from promptforge.bench.cases import Case, Suite
from promptforge.bench.keeping import Outcome, known_outcomes
from promptforge.bench.known import Known
from promptforge.bench.known import known as values_of
from promptforge.bench.plan import Job, in_order
from promptforge.bench.results import Arm, CaseRecord
from promptforge.bench.run import Target
from promptforge.model import Model
from promptforge.store import Store
from promptforge.workbench.arms import AskedOf, Planner
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.costs import Estimate, Outlook, estimate
from promptforge.workbench.environment import environment
from promptforge.workbench.prefixes import with_caching
from promptforge.workbench.scope import Asked, Revision, Scope, scope_of
from promptforge.workbench.targets import Answering, open_models, target_of
from promptforge.workbench.variants import Compiled

if TYPE_CHECKING:
    from promptforge.workbench.judging import Judge

__all__ = ["Estimate", "Plan", "plan"]


@dataclass(frozen=True, kw_only=True)  # without slots: the records are made once requests are under way, and kept
class Plan:
    """A run before it is sent."""

    asked: Asked
    suite: Suite
    arms: tuple[Arm, ...]
    jobs: tuple[Job, ...]
    known: Mapping[str, Outcome]
    sides: Sequence[AskedOf]
    """What the records of the cases are made of, by revision."""
    targets: Mapping[str, Target]
    models: Mapping[str, Model]
    said: Mapping[str, str]
    scoring: Mapping[str, tuple[Known, Mapping[str, Case]]]
    """By revision: the values of its facts, and its cases by id."""
    notes: tuple[str, ...]
    estimate: Estimate
    judge: "Judge | None" = None
    private_values: tuple[str, ...] = ()
    section_tokens: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    """By model, the digest of its weights, as far as they are known here."""

    @cached_property
    def records(self) -> tuple[CaseRecord, ...]:
        """The cases that are asked, as the run keeps them."""
        from promptforge.workbench.records import records

        return records(self.sides, self.jobs)

    @property
    def case_count(self) -> int:
        """How many cases are asked."""
        return len({job.case.id for job in self.jobs})

    def close(self) -> None:
        """Give back the connections of its backends."""
        for target in self.targets.values():
            target.backend.close()


# --- planning -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Made:
    """What is made of the revisions, one after another."""

    jobs: list[Job] = field(default_factory=list)
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Of two revisions: why cases are left out, and how many."""
    arms: list[Arm] = field(default_factory=list)
    sides: list[AskedOf] = field(default_factory=list)


def plan(
    root: Path,
    revisions: Sequence[Revision],
    asked: Asked,
    store: Store,
    environ: Mapping[str, str],
    *,
    sending: bool = True,
) -> Plan:
    """What a run would send. Raises UsageError when it asks for what is not there.

    Without `sending` it can only be looked at, and a package that is missing is but a note.
    """
    scope = scope_of(revisions, asked)
    with ExitStack() as opened:
        answering = open_models(scope, root, store, environ, opened, sending=sending)
        made = _planned(root, revisions, scope, asked, store, answering, sending=sending)
        opened.pop_all()  # the plan closes them
        return made


def _planned(
    root: Path,
    revisions: Sequence[Revision],
    scope: Scope,
    asked: Asked,
    store: Store,
    answering: Answering,
    *,
    sending: bool,
) -> Plan:
    now = revisions[-1]
    clearance = Clearance([revision.build for revision in revisions])
    made = _made(revisions, scope, answering.identities, clearance, asked.repeats)
    jobs, pities = with_caching(made.jobs, scope.models)
    known = {} if asked.fresh else _known(store, jobs)
    targets = {name: target_of(m, answering, clearance, asked, sending=sending) for name, m in scope.models.items()}
    by_id = {revision: {case.id: case for case in cases} for revision, cases in scope.cases.items()}
    judge = _judge(scope, targets, answering, clearance, by_id, made.arms, asked) if scope.judge else None
    outlook = judge.outlook(jobs, known, store) if judge else Outlook()
    costs = estimate(jobs, known, scope.models, now.build, outlook)
    return Plan(
        asked=asked,
        suite=scope.suite,
        arms=tuple(made.arms),
        jobs=tuple(in_order(jobs)),
        known=known,
        sides=made.sides,
        targets=targets,
        models=scope.models,
        said=answering.said,
        scoring={r.name: (values_of(r.build.project.tables), by_id[r.name]) for r in revisions},
        notes=(
            *_notes(now, scope.suite, asked, made),
            *answering.notes,
            *pities,
            *scope.notes,
            *_notes_of(judge, jobs),
            *_without_price(asked, costs),
        ),
        estimate=costs,
        judge=judge,
        private_values=tuple(clearance.private_values()),
        section_tokens=_section_tokens(scope.compiled[now.name], scope.variants, root),
        environment=environment(root, now.build),
        weights=answering.weights,
    )


def _judge(
    scope: Scope,
    targets: Mapping[str, Target],
    answering: Answering,
    clearance: Clearance,
    cases: Mapping[str, Mapping[str, Case]],
    arms: Sequence[Arm],
    asked: Asked,
) -> "Judge":
    from promptforge.workbench.judging import Judge

    model = scope.judge
    assert model is not None  # made only where there is one
    return Judge(
        model=model,
        target=targets[model.name],
        identity=answering.identities[model.name],
        clearance=clearance,
        models=scope.models,
        cases=cases,
        arms=arms,
        fresh=asked.fresh,
    )


def _notes_of(judge: "Judge | None", jobs: Sequence[Job]) -> Iterable[str]:
    return judge.notes(jobs) if judge else ()


def _without_price(asked: Asked, costs: Estimate) -> Iterable[str]:
    if asked.limits.usd is not None and costs.unpriced:
        names = ", ".join(costs.unpriced)
        yield f"--max-usd counts only what has a price: promptforge.yaml gives none for {names}; see --max-tokens"


def _made(
    revisions: Sequence[Revision],
    scope: Scope,
    identities: Mapping[str, Mapping[str, str]],
    clearance: Clearance,
    repeats: int,
) -> _Made:
    made = _Made()
    for revision in revisions:
        compiled, cases = scope.compiled[revision.name], scope.cases[revision.name]
        planner = Planner(compiled, scope.models, identities, clearance, repeats)
        arms = [Arm(model=model, variant=v, revision=revision.name) for model in compiled for v in scope.variants]
        made.arms += arms
        made.jobs += planner.jobs(arms, cases)
        away = revision.suites.given_away.get(scope.suite.name, {})
        own = {case.id: case for case in cases}
        made.sides.append(AskedOf(cases=own, arms=arms, planner=planner, away=away))
    if len(revisions) > 1:
        kept = _differing(made.jobs)
        made.dropped = _dropped(made.jobs, kept)
        made.jobs = kept
    return made


def _section_tokens(
    compiled: Mapping[str, Mapping[str, Compiled]], variants: Sequence[str], root: Path
) -> dict[str, float]:
    """What each section costs, where a run leaves sections out."""
    if all(variant in ("base", "enriched") for variant in variants):
        return {}
    from promptforge.workbench.ablation import section_tokens

    return section_tokens((one for by_agent in compiled.values() for one in by_agent.values()), root)


def _differing(jobs: Sequence[Job]) -> list[Job]:
    """Of two revisions only what both ask and what differs: what is sent alike is answered alike."""
    sent: dict[tuple[object, ...], set[str]] = {}
    for job in jobs:
        sent.setdefault(_place(job), set()).add("" if job.barred else job.identity)
    return [job for job in jobs if len(sent[_place(job)]) > 1]


def _dropped(jobs: Sequence[Job], kept: Sequence[Job]) -> dict[str, int]:
    """Why cases are left out altogether: nothing that they send differs, or one revision does not ask them."""
    revisions: dict[str, set[str]] = {}
    for job in jobs:
        revisions.setdefault(job.case.id, set()).add(job.arm.revision)
    asked = {job.case.id for job in kept}
    away = Counter(len(found) > 1 for case, found in revisions.items() if case not in asked)
    reasons = {"nothing that they send differs": away[True], "only one of the two asks them": away[False]}
    return {why: count for why, count in reasons.items() if count}


def _place(job: Job) -> tuple[object, ...]:
    return job.arm.model, job.arm.variant, job.case.id, job.agent, job.repeat


def _known(store: Store, jobs: Sequence[Job]) -> dict[str, Outcome]:
    found = store.answers(job.identity for job in jobs if not job.barred)
    return known_outcomes(found)


def _notes(now: Revision, suite: Suite, asked: Asked, made: _Made) -> Iterable[str]:
    if made.dropped:
        compared = len({job.case.id for job in made.jobs})
        why = "; ".join(f"{count:,} because {reason}" for reason, count in made.dropped.items())
        whole = compared + sum(made.dropped.values())
        yield f"compared on {compared:,} of {whole:,} cases; left out: {why}"
    if dropped := now.suites.dropped.get(suite.name):
        yield f"generated cases that were dropped, because an example gives them away: {dropped}"
    away = [c for c in suite.cases if c.id in now.suites.given_away.get(suite.name, {}) and not c.shown]
    if away:
        names = ", ".join(case.id for case in away[:3]) + (f" and {len(away) - 3} more" if len(away) > 3 else "")
        yield f"written cases that count in no score, because an example gives them away: {names}"
    if asked.repeats > 1 and any(job.repeat and job.request.params.get("seed") == job.repeat for job in made.jobs):
        yield "with --repeats each request has a seed of its own: what was asked without one is asked anew"
    if asked.smoke:
        yield "a smoke test: one case a category, far too few to judge by"
