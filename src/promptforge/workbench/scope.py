"""What a run is about: which cases are asked of which agents, on which models and with which variants."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from promptforge.artifact import Entry
from promptforge.bench.cases import TIERS, Case, Suite
from promptforge.bench.results import OWN
from promptforge.bench.run import Limits
from promptforge.compiler.build import Build
from promptforge.errors import UsageError
from promptforge.model import Config, Model
from promptforge.source import did_you_mean
from promptforge.workbench.suites import Suites, suite_named
from promptforge.workbench.variants import Compiled, check_variant, compile_for, names_of

__all__ = ["Asked", "Revision", "Scope", "scope_of"]

_NO_JUDGE = "name one in promptforge.yaml: `judge: MODEL`, of another family than the models that are judged"


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
    judged: bool = True
    """Whether a judge is opened, where cases have rubrics."""
    concurrency: int | None = None
    timeout_s: float = 120.0
    stream: bool = False
    """Measure the time to the first token, too."""
    limits: Limits = field(default_factory=Limits)
    record: Path | None = None
    """Where to write every exchange down, for `backend: replay`."""
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of the project: the files as they are (the empty name), or a git revision."""

    name: str
    build: Build
    suites: Suites


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
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


def scope_of(revisions: Sequence[Revision], asked: Asked) -> Scope:
    """Look up what is asked for. Raises UsageError where it is not there."""
    now = revisions[-1]
    suite = suite_named(now.suites, asked.suite)
    chosen = _chosen(suite, asked)
    models = _models(now.build, asked.models)
    cases = {r.name: _cases_of(r, suite, chosen) for r in revisions}
    compiled = _named({r.name: _compile(r.build, cases[r.name], models) for r in revisions})
    entries = [one.entry for by in compiled[now.name].values() for one in by.values() if one.entry]
    used = _used_models(compiled.values())
    judge, notes = _judge_named(now.build.project.config, chosen) if asked.judged else (None, ())
    return Scope(
        suite=suite,
        cases=cases,
        compiled=compiled,
        variants=_variants(asked, entries),
        models=used | ({judge.name: judge} if judge else {}),
        judge=judge,
        notes=notes,
    )


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


def _variants(asked: Asked, entries: Collection[Entry]) -> list[str]:
    variants = [check_variant(variant, entries) for variant in asked.variants]
    if asked.ablate:
        printed = [_printing(entry) for entry in entries]
        variants += ["enriched", *(f"without {name}" for name in names_of(printed))]
    return list(dict.fromkeys(variants))


def _printing(entry: Entry) -> Entry:
    """The agent with the sections alone that print something: what prints nothing cannot be missed."""
    printing = {segment.section for segment in entry.enriched.segments}
    return replace(entry, sections=tuple(one for number, one in enumerate(entry.sections) if number in printing))


def _judge_named(config: Config, cases: Iterable[Case]) -> tuple[Model | None, list[str]]:
    """The model that judges, and what is to be said where there are rubrics and none. Raises UsageError."""
    rubrics = sum(1 for case in cases if case.judge)
    name = config.settings.get("judge", "")
    if not rubrics:
        return None, []
    many = "1 case has a rubric" if rubrics == 1 else f"{rubrics} cases have a rubric"
    if not name:
        return None, [f"{many}, and nobody judges; {_NO_JUDGE}"]
    if name not in config.models:
        hint = did_you_mean(name, config.models) or _NO_JUDGE
        raise UsageError(f"promptforge.yaml says `judge: {name}`, and there is no such model", hint=hint)
    if config.models[name].backend == "reader":
        return None, [f"{many}, and {name} is no model that could judge; {_NO_JUDGE}"]
    return config.models[name], []
