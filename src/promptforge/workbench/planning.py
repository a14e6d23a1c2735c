"""What `bench` would send: the project's agents, with and without their knowledge, on a suite, and what it may cost."""

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from promptforge.backends.base import Backend, Usage
from promptforge.backends.opening import open_backend
from promptforge.backends.price import cost_usd
from promptforge.backends.replay import Recording
from promptforge.bench.cases import Case, Suite
from promptforge.bench.known import Known
from promptforge.bench.known import known as values_of
from promptforge.bench.plan import Job, in_order
from promptforge.bench.results import Arm, CaseRecord
from promptforge.bench.run import Limits, Outcome, Target, outcome_of
from promptforge.compiler.build import Build
from promptforge.errors import UsageError
from promptforge.files import digest_of
from promptforge.model import Model
from promptforge.source import did_you_mean
from promptforge.store import Store
from promptforge.workbench.ablation import section_tokens
from promptforge.workbench.arms import Planner
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.environment import environment
from promptforge.workbench.judging import Judge, Outlook, judge_named
from promptforge.workbench.prefixes import with_caching
from promptforge.workbench.records import clustered, records
from promptforge.workbench.suites import Suites
from promptforge.workbench.variants import Compiled, check_variant, compile_for, names_of

__all__ = ["Asked", "Estimate", "Plan", "Revision", "now_utc", "plan"]

OWN = "own"
"""The arm in which every agent is asked on its own model."""
_LIMIT_REQUESTS, _LIMIT_USD = 5000, 5.0
"""More needs --yes, where promptforge.yaml says nothing of `limits.bench`."""
_CLOUD_START, _CLOUD_MOST = 4, 64
"""How many requests are in flight at first to a model in the cloud, and at most."""
_HEAD_START_S = 0.05
"""Of the first request, where somebody says how many may be in flight: his server is up, and he knows it well."""
_ANSWER_TOKENS = 512
"""What an answer is taken to cost in an estimate where no `max_tokens` says it."""


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
class Estimate:
    """What is still to be sent, and what that may cost."""

    requests: int
    inherited: int
    from_runs: Mapping[str, int]
    """Run to how many of its answers are taken over."""
    barred: int
    input_tokens: int
    output_tokens: int
    """At most."""
    usd: float | None
    """At most; None where a model that is to be paid has no price."""
    by_model: Mapping[str, int]
    judging: Outlook = field(default_factory=Outlook)
    """What the judge adds to all this; counted apart."""
    over: str = ""
    """Which limit of promptforge.yaml it exceeds, or nothing."""


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


def plan(root: Path, revisions: Sequence[Revision], asked: Asked, store: Store, environ: Mapping[str, str]) -> Plan:
    """What a run would send. Raises UsageError when it asks for what is not there."""
    now = revisions[-1]
    suite = _suite(now.suites, asked.suite)
    cases = _chosen(suite, asked)
    models = _models(now.build, asked.models)
    own_cases = {r.name: _cases_of(r, suite, cases) for r in revisions}
    compiled = {r.name: _compile(r.build, own_cases[r.name], models) for r in revisions}
    entries = [one.entry for by in compiled[now.name].values() for one in by.values() if one.entry]
    variants = _variants(asked, entries)
    used = _used_models(compiled.values())
    judging, unjudged = judge_named(now.build.project.config, cases)
    used |= {judging.name: judging} if judging else {}
    backends = {name: open_backend(model, root=root, environ=environ) for name, model in used.items()}
    said = {name: _said(backend, store) for name, backend in backends.items()}
    identities = {name: {**backends[name].identity, "said": digest_of(text)} for name, text in said.items()}
    clearance = Clearance([revision.build for revision in revisions])
    jobs: list[Job] = []
    kept: dict[str, CaseRecord] = {}
    arms: list[Arm] = []
    for revision in revisions:
        planner = Planner(compiled[revision.name], used, identities, clearance, asked.repeats)
        own = [Arm(model=m, variant=v, revision=revision.name) for m in compiled[revision.name] for v in variants]
        arms += own
        jobs += planner.jobs(own, own_cases[revision.name])
        away = revision.suites.given_away.get(suite.name, {})
        kept.update((record.id, record) for record in records(own_cases[revision.name], own, planner, away))
    if len(revisions) > 1:
        jobs = _differing(jobs)
    jobs, pities = with_caching(jobs, used)
    known = {} if asked.fresh else _known(store, jobs)
    targets = {name: _target(model, clearance.guarded(backends[name], model), asked) for name, model in used.items()}
    scoring = {r.name: (values_of(r.build.project.tables), {c.id: c for c in own_cases[r.name]}) for r in revisions}
    ids = {job.case.id for job in jobs}
    judge = Judge.of(judging, targets, identities, clearance, used, scoring, arms, asked.fresh) if judging else None
    outlook = judge.outlook(jobs, known, store) if judge else Outlook()
    return Plan(
        asked=asked,
        suite=suite,
        arms=tuple(arms),
        jobs=tuple(in_order(jobs)),
        known=known,
        records=tuple(clustered([r for r in kept.values() if r.id in ids], [cases for _, cases in scoring.values()])),
        targets=targets,
        models=used,
        said=said,
        scoring=scoring,
        notes=(*_notes(now, suite, asked), *pities, *unjudged, *(judge.notes(jobs) if judge else ())),
        estimate=_estimate(jobs, known, used, now.build, outlook),
        judge=judge,
        private_values=tuple(clearance.private_values()),
        section_tokens=_section_tokens(compiled[now.name], variants, root),
        environment=environment(root, now.build),
    )


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
    compiled = {label: compile_for(build, agents, model) for label, model in models.items()}
    used = {one.model.name for one in compiled.get(OWN, {}).values()}
    if len(used) == 1:  # every agent has the same model: it has a name
        compiled = {used.pop(): compiled[OWN]}
    return compiled


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
    sent: dict[tuple[object, ...], list[str]] = {}
    for job in jobs:
        sent.setdefault(_place(job), []).append(job.identity)
    return [job for job in jobs if len(set(sent[_place(job)])) > 1]


def _place(job: Job) -> tuple[object, ...]:
    return job.arm.model, job.arm.variant, job.case.id, job.agent, job.repeat


def _known(store: Store, jobs: Sequence[Job]) -> dict[str, Outcome]:
    found = store.answers(job.identity for job in jobs if not job.barred)
    return {identity: outcome_of(one.body, run=one.run, at=one.at) for identity, one in found.items()}


def _target(model: Model, backend: Backend, asked: Asked) -> Target:
    price = model.settings.get("price")
    free = model.tier == "local" and not price

    def cost(usage: Usage) -> float | None:
        return 0.0 if free else cost_usd(usage, price)

    backend = Recording(backend, asked.record) if asked.record else backend
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


# --- what it may cost -----------------------------------------------------------------------------------------------


def _estimate(
    jobs: Sequence[Job], known: Mapping[str, Outcome], models: Mapping[str, Model], build: Build, judging: Outlook
) -> Estimate:
    sending = {job.identity: job for job in jobs if not job.barred and job.identity not in known}
    by_model: dict[str, int] = {}
    inputs = outputs = 0
    usd: float | None = 0.0
    for job in sending.values():
        model = models[job.model]
        by_model[job.model] = by_model.get(job.model, 0) + 1
        tokens = job.prompt_tokens + len(job.case.question) // 3 + 8
        answer = int(job.request.params.get("max_tokens", _ANSWER_TOKENS) or _ANSWER_TOKENS)
        inputs, outputs = inputs + tokens, outputs + answer
        cost = 0.0
        if model.tier == "cloud" or model.settings.get("price"):
            made = cost_usd(Usage(input_tokens=tokens, output_tokens=answer), model.settings.get("price"))
            usd, cost = (None, 0.0) if made is None or usd is None else (usd, made)
        usd = None if usd is None else usd + cost
    runs: dict[str, int] = {}
    for outcome in known.values():
        runs[outcome.inherited] = runs.get(outcome.inherited, 0) + 1
    return Estimate(
        requests=len(sending),
        inherited=len(known),
        from_runs=runs,
        barred=sum(1 for job in jobs if job.barred),
        input_tokens=inputs,
        output_tokens=outputs,
        usd=usd,
        by_model=by_model,
        judging=judging,
        over=_over(len(sending) + judging.requests, usd, judging.usd, build),
    )


def _over(requests: int, usd: float | None, judging_usd: float | None, build: Build) -> str:
    limits = build.project.config.settings.get("limits", {}).get("bench", {})
    most, most_usd = limits.get("requests", _LIMIT_REQUESTS), limits.get("usd", _LIMIT_USD)
    if requests > most:
        return f"{requests:,} requests are more than limits.bench.requests ({most:,})"
    usd = (usd or 0.0) + (judging_usd or 0.0)  # where a price is not known, what is known counts
    if usd > most_usd:
        return f"up to ${usd:.2f} is more than limits.bench.usd (${most_usd:g})"
    return ""


def _notes(now: Revision, suite: Suite, asked: Asked) -> Iterable[str]:
    if dropped := now.suites.dropped.get(suite.name):
        yield f"{dropped} generated cases were dropped: an example gives them away"
    away = [c for c in suite.cases if c.id in now.suites.given_away.get(suite.name, {}) and not c.shown]
    if away:
        names = ", ".join(case.id for case in away[:3]) + (", …" if len(away) > 3 else "")
        yield f"{len(away)} written cases are given away by examples and count in no score: {names}"
    if asked.smoke:
        yield "a smoke test: one case a category, far too few to judge by"


def now_utc() -> str:
    """The moment, ISO 8601 in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
