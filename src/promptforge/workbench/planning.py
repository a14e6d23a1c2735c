"""What `bench` would send: the project's agents, with and without their knowledge, on a suite, and what it may cost."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from promptforge.backends.base import Backend, Usage
from promptforge.backends.opening import open_backend
from promptforge.backends.price import cost_usd
from promptforge.bench.cases import TIERS, Case, Suite
from promptforge.bench.known import Known
from promptforge.bench.known import known as values_of
from promptforge.bench.plan import Job, in_order
from promptforge.bench.results import Arm, CaseRecord
from promptforge.bench.run import Limits, Outcome, Target, known_outcomes
from promptforge.compiler.build import Build
from promptforge.errors import ExtraMissingError, UsageError
from promptforge.files import digest_of
from promptforge.model import Model
from promptforge.source import did_you_mean
from promptforge.store import Store
from promptforge.workbench.ablation import section_tokens
from promptforge.workbench.arms import Planner
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.costs import Estimate, estimate
from promptforge.workbench.environment import environment, now_utc
from promptforge.workbench.judging import Judge, Outlook, judge_named
from promptforge.workbench.prefixes import with_caching
from promptforge.workbench.records import clustered, records
from promptforge.workbench.suites import Suites
from promptforge.workbench.variants import Compiled, check_variant, compile_for, names_of

__all__ = ["Asked", "Estimate", "Plan", "Revision", "plan"]

OWN = "own"
"""The arm in which every agent is asked on its own model."""
_CLOUD_START, _CLOUD_MOST = 4, 64
"""How many requests are in flight at first to a model in the cloud, and at most."""
_HEAD_START_S = 0.05
"""Of the first request, where somebody says how many may be in flight: his server is up, and he knows it well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for."""

    suite: str = ""
    models: tuple[str, ...] = ()
    variants: tuple[str, ...] = ("base", "enriched")
    agents: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    repeats: int = 1
    smoke: bool = False
    ablate: bool = False
    fresh: bool = False
    """Ask everything again."""
    concurrency: int | None = None
    timeout_s: float = 120.0
    stream: bool = False
    """Measure the time to the first token, too."""
    limits: Limits = field(default_factory=Limits)
    record: Path | None = None
    """Where to write every exchange down, for `backend: replay`."""
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run before it is sent."""

    asked: Asked
    suite: Suite
    arms: tuple[Arm, ...]
    jobs: tuple[Job, ...]
    known: Mapping[str, Outcome]
    records: tuple[CaseRecord, ...]
    targets: Mapping[str, Target]
    models: Mapping[str, Model]
    said: Mapping[str, str]
    scoring: Mapping[str, tuple[Known, Mapping[str, Case]]]
    """By revision: the values of its facts, and its cases by id."""
    notes: tuple[str, ...]
    estimate: Estimate
    judge: Judge | None = None
    private_values: tuple[str, ...] = ()
    section_tokens: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def close(self) -> None:
        """Give back the connections of its backends."""
        for target in self.targets.values():
            target.backend.close()


# --- planning -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of the project: the files as they are (the empty name), or a git revision."""

    name: str
    build: Build
    suites: Suites


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """What is asked, of whom."""

    suite: Suite
    cases: Mapping[str, list[Case]]
    """By revision."""
    compiled: Mapping[str, Mapping[str, Mapping[str, Compiled]]]
    """By revision, the arm's model, agent."""
    variants: Sequence[str]
    models: Mapping[str, Model]
    """All that answer, and the one that judges, by name; as they are sent to."""
    judge: Model | None
    notes: Sequence[str]


@dataclass(slots=True)
class _Made:
    """What is made of the revisions, one after another."""

    jobs: list[Job] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)
    records: dict[str, CaseRecord] = field(default_factory=dict)


def plan(root: Path, revisions: Sequence[Revision], asked: Asked, store: Store, environ: Mapping[str, str]) -> Plan:
    """What a run would send. Raises UsageError when it asks for what is not there."""
    now = revisions[-1]
    scope = _scope(revisions, asked)
    backends = {name: _open(name, scope, root, environ) for name in scope.models}
    said = {name: _said(backend, store) for name, backend in backends.items()}
    identities = {name: {**backends[name].identity, "said": digest_of(text)} for name, text in said.items()}
    clearance = Clearance([revision.build for revision in revisions])
    made = _made(revisions, scope, identities, clearance, asked.repeats)
    jobs, pities = with_caching(made.jobs, scope.models)
    known = {} if asked.fresh else _known(store, jobs)
    targets = {name: _target(m, clearance.guarded(backends[name], m), asked) for name, m in scope.models.items()}
    by_id = {revision: {case.id: case for case in cases} for revision, cases in scope.cases.items()}
    judge = None
    if scope.judge is not None:
        name = scope.judge.name
        judge = Judge(
            model=scope.judge,
            target=targets[name],
            identity=identities[name],
            clearance=clearance,
            models=scope.models,
            cases=by_id,
            arms=made.arms,
            fresh=asked.fresh,
        )
    return Plan(
        asked=asked,
        suite=scope.suite,
        arms=tuple(made.arms),
        jobs=tuple(in_order(jobs)),
        known=known,
        records=tuple(clustered(list(_asked_of(made.records, jobs)), by_id.values())),
        targets=targets,
        models=scope.models,
        said=said,
        scoring={r.name: (values_of(r.build.project.tables), by_id[r.name]) for r in revisions},
        notes=(*_notes(now, scope.suite, asked), *pities, *scope.notes, *(judge.notes(jobs) if judge else ())),
        estimate=estimate(
            jobs, known, scope.models, now.build, judge.outlook(jobs, known, store) if judge else Outlook()
        ),
        judge=judge,
        private_values=tuple(clearance.private_values()),
        section_tokens=_section_tokens(scope.compiled[now.name], scope.variants, root),
        environment=environment(root, now.build),
    )


def _asked_of(kept: Mapping[str, CaseRecord], jobs: Sequence[Job]) -> Iterable[CaseRecord]:
    """The cases with the agents that are asked: of two revisions, those whose prompts differ."""
    agents: dict[str, dict[str, None]] = {}
    for job in jobs:
        agents.setdefault(job.case.id, {})[job.agent] = None
    for id_, asked in agents.items():
        yield replace(kept[id_], agents=tuple(name for name in kept[id_].agents if name in asked))


def _scope(revisions: Sequence[Revision], asked: Asked) -> _Scope:
    now = revisions[-1]
    suite = _suite(now.suites, asked.suite)
    chosen = _chosen(suite, asked)
    models = _models(now.build, asked.models)
    cases = {r.name: _cases_of(r, suite, chosen) for r in revisions}
    compiled = _named({r.name: _compile(r.build, cases[r.name], models) for r in revisions})
    entries = [one.entry for by in compiled[now.name].values() for one in by.values() if one.entry]
    used = _used_models(compiled.values())
    judge, notes = judge_named(now.build.project.config, chosen)
    return _Scope(
        suite=suite,
        cases=cases,
        compiled=compiled,
        variants=_variants(asked, entries),
        models=used | ({judge.name: judge} if judge else {}),
        judge=judge,
        notes=notes,
    )


def _made(
    revisions: Sequence[Revision],
    scope: _Scope,
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
        for record in records(cases, arms, planner, away):
            older = made.records.get(record.id)
            given_away = record.given_away or (older.given_away if older else "")
            made.records[record.id] = replace(record, given_away=given_away)
    if len(revisions) > 1:
        made.jobs = _differing(made.jobs)
    return made


def _section_tokens(
    compiled: Mapping[str, Mapping[str, Compiled]], variants: Sequence[str], root: Path
) -> dict[str, float]:
    """What each section costs, where a run leaves sections out."""
    if all(variant in ("base", "enriched") for variant in variants):
        return {}
    return section_tokens((one for by_agent in compiled.values() for one in by_agent.values()), root)


def _suite(suites: Suites, name: str) -> Suite:
    if not suites.suites:
        hint = "write one: suites/house.yaml; its format is in docs/reference/files.md"
        raise UsageError("the project has no suite", hint=hint)
    if not name and len(suites.suites) > 1:
        raise UsageError("the project has several suites", hint=f"name one: --suite {next(iter(suites.suites))}")
    found = suites.suites.get(name) if name else next(iter(suites.suites.values()))
    if found is None:
        raise UsageError(f"no suite '{name}'", hint=did_you_mean(name, suites.suites))
    return found


def _chosen(suite: Suite, asked: Asked) -> list[Case]:
    cases = []
    for case in suite.cases:
        agents = tuple(a for a in case.agents if not asked.agents or any(fnmatchcase(a, g) for g in asked.agents))
        fits = (
            bool(agents)
            and (not asked.cases or any(fnmatchcase(case.id, glob) for glob in asked.cases))
            and (not asked.categories or case.category in asked.categories)
            and (not asked.tiers or case.tier in asked.tiers)
        )
        if fits:
            cases.append(_for(agents, case))
    if asked.smoke:
        first = {case.category: case for case in reversed(cases) if not case.generated}
        cases = [case for case in cases if first.get(case.category) is case]
    for name in asked.categories:
        if name not in suite.categories:
            raise UsageError(f"no category '{name}' in {suite.name}", hint=did_you_mean(name, suite.categories))
    for name in asked.tiers:
        if name not in TIERS:
            raise UsageError(f"no tier '{name}'", hint=did_you_mean(name, TIERS))
    for glob in asked.agents:
        known = {agent for case in suite.cases for agent in case.agents}
        if not any(fnmatchcase(agent, glob) for agent in known):
            raise UsageError(f"no case of {suite.name} asks an agent '{glob}'", hint=did_you_mean(glob, known))
    if not cases:
        raise UsageError(f"no case of {suite.name} is asked for", hint="look at --case, --category, --tier and --agent")
    return cases


def _cases_of(revision: Revision, suite: Suite, chosen: Sequence[Case]) -> list[Case]:
    """The chosen cases as a revision has them: each is judged by the facts of its own day."""
    own = revision.suites.suites.get(suite.name)
    if own is None:
        return []
    known = {case.id: case for case in own.cases}
    agents = revision.build.project.agents
    found = []
    for case in chosen:
        if case.id in known:
            asked = tuple(name for name in case.agents if name in agents)
            found += [_for(asked, known[case.id])] if asked else []
    return found


def _for(agents: tuple[str, ...], case: Case) -> Case:
    """The case for these agents alone."""
    return case if case.agents == agents else replace(case, agents=agents)


def _models(build: Build, names: Sequence[str]) -> dict[str, Model | None]:
    known = build.project.config.models
    for name in names:
        if name not in known:
            raise UsageError(f"no model '{name}' in promptforge.yaml", hint=did_you_mean(name, known))
    return {name: known[name] for name in names} if names else {OWN: None}


def _compile(build: Build, cases: Sequence[Case], models: Mapping[str, Model | None]) -> dict[str, dict[str, Compiled]]:
    agents = dict.fromkeys(agent for case in cases for agent in case.agents)
    return {label: compile_for(build, agents, model) for label, model in models.items()}


def _named(revisions: dict[str, dict[str, dict[str, Compiled]]]) -> dict[str, dict[str, dict[str, Compiled]]]:
    """Where every agent has the same model, in every revision, the arm has its name."""
    used = {one.model.name for by_arm in revisions.values() for one in by_arm.get(OWN, {}).values()}
    if len(used) != 1:
        return revisions
    (name,) = used
    return {revision: {name: by_arm[OWN]} if OWN in by_arm else by_arm for revision, by_arm in revisions.items()}


def _used_models(revisions: Iterable[Mapping[str, Mapping[str, Compiled]]]) -> dict[str, Model]:
    used: dict[str, Model] = {}
    for compiled in revisions:
        for by_agent in compiled.values():
            used.update((one.model.name, one.model) for one in by_agent.values())
    return used


def _variants(asked: Asked, entries: Collection[Any]) -> list[str]:
    variants = [check_variant(variant, entries) for variant in asked.variants]
    if asked.ablate:
        variants += ["enriched", *(f"without {name}" for name in names_of(entries))]
    return list(dict.fromkeys(variants))


def _open(name: str, scope: _Scope, root: Path, environ: Mapping[str, str]) -> Backend:
    """What answers for a model. A package that is missing is said with the agents that want it."""
    try:
        return open_backend(scope.models[name], root=root, environ=environ)
    except ExtraMissingError as problem:
        by_agent = [one for compiled in scope.compiled.values() for arm in compiled.values() for one in arm.items()]
        agents = dict.fromkeys(agent for agent, one in by_agent if one.model.name == name)
        asks = f", which {', '.join(agents)} would ask," if agents else ""
        hint = f"{problem.hint}; or ask others: --model NAME, --agent GLOB"
        raise UsageError(f"the model '{name}'{asks} needs a package that is not installed", hint=hint) from problem


def _said(backend: Backend, store: Store) -> str:
    """What the server says of itself, and when it cannot be reached what it last said."""
    probe = getattr(backend, "probe", None)
    target = str(sorted(backend.identity.items()))
    said = probe(timeout_s=3.0) if probe else {}
    if not said:
        return store.said(target)
    text = str(sorted(said.items()))
    store.put_said(target, text, at=now_utc())
    return text


def _differing(jobs: Sequence[Job]) -> list[Job]:
    """Of two revisions only what both ask and what differs: what is sent alike is answered alike."""
    sent: dict[tuple[object, ...], set[str]] = {}
    for job in jobs:
        sent.setdefault(_place(job), set()).add("" if job.barred else job.identity)
    return [job for job in jobs if len(sent[_place(job)]) > 1]


def _place(job: Job) -> tuple[object, ...]:
    return job.arm.model, job.arm.variant, job.case.id, job.agent, job.repeat


def _known(store: Store, jobs: Sequence[Job]) -> dict[str, Outcome]:
    found = store.answers(job.identity for job in jobs if not job.barred)
    return known_outcomes(found)


def _target(model: Model, backend: Backend, asked: Asked) -> Target:
    price = model.settings.get("price")
    free = model.tier == "local" and not price

    def cost(usage: Usage) -> float | None:
        return 0.0 if free else cost_usd(usage, price)

    if asked.record:
        from promptforge.backends.replay import Recording

        backend = Recording(backend, asked.record)
    start, most = (1, None) if model.tier == "local" else (_CLOUD_START, _CLOUD_MOST)
    if asked.concurrency:
        start, most = asked.concurrency, None
    return Target(
        model=model.name,
        backend=backend,
        concurrency=start,
        most=most,
        head_start_s=_HEAD_START_S if asked.concurrency else None,
        cost_usd=cost,
        streamed=asked.stream,
        timeout_s=asked.timeout_s,
    )


def _notes(now: Revision, suite: Suite, asked: Asked) -> Iterable[str]:
    if dropped := now.suites.dropped.get(suite.name):
        yield f"{dropped} generated cases were dropped: an example gives them away"
    away = [c for c in suite.cases if c.id in now.suites.given_away.get(suite.name, {}) and not c.shown]
    if away:
        names = ", ".join(case.id for case in away[:3]) + (", …" if len(away) > 3 else "")
        yield f"{len(away)} written cases are given away by examples and count in no score: {names}"
    if asked.smoke:
        yield "a smoke test: one case a category, far too few to judge by"
