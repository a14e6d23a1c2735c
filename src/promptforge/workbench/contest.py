"""One arm of a tournament: a model with an adapter or without, behind a fresh server, asked a whole suite."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from promptforge.backends.canary import CanaryAnswer, different
from promptforge.bench.evidence import Witness
from promptforge.bench.keeping import known_outcomes
from promptforge.bench.plan import identity_of
from promptforge.bench.results import Arm, Run
from promptforge.bench.run import Limits, Progress
from promptforge.compiler.build import Build
from promptforge.errors import UsageError
from promptforge.files import digest_of
from promptforge.model import Model
from promptforge.store import Store
from promptforge.workbench.adapters import Adapter
from promptforge.workbench.bench import bench
from promptforge.workbench.costs import Outlook, estimate
from promptforge.workbench.environment import now_utc
from promptforge.workbench.planning import Plan, plan
from promptforge.workbench.scope import Asked, Revision

__all__ = ["Bout", "Contender", "Contest", "Serve", "Served", "agents_of", "hold", "outlook", "witnesses"]


class Served(Protocol):
    """A server of ours that is ready."""

    @property
    def model(self) -> Model:
        """As requests need it."""

    @property
    def pid(self) -> int:
        """Of its first process."""

    @property
    def started(self) -> str:
        """When."""

    @property
    def canary(self) -> tuple[CanaryAnswer, ...]:
        """What it answered to the fixed requests."""

    def proof(self) -> None:
        """Return when the process that listens is still ours. Raises a PromptforgeError."""


Serve = Callable[[Model, Path | None], AbstractContextManager[Served]]
"""Starts a server of a model, with an adapter or without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Who is asked."""

    name: str
    """`untrained`, `champion`, `candidate`: the name of its arm in runs."""
    words: str
    """`the untrained model`, `the champion`, `the candidate`."""
    adapter: Path | None = None
    digest: str = ""
    variant: str = "enriched"
    seed: int | None = None
    """Of its training, where that is known."""
    new: bool = False
    """The candidate, in one of its trainings: not who was there before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What all of them are asked."""

    root: Path
    revision: Revision
    """The project as it is."""
    model: Model
    weights: str = ""
    """Their digest, or that of the files that the server is started with: of other ones no answer is inherited."""
    suite: str = ""
    agents: tuple[str, ...] = ()
    fresh: bool = False
    timeout_s: float = 120.0
    limits: Limits = field(default_factory=Limits)
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bout:
    """What came of one contender."""

    contender: Contender
    run: Run
    arm: Arm
    pid: int
    started: str
    canary: tuple[CanaryAnswer, ...]


def agents_of(revision: Revision, model: Model, adapter: Adapter, suite: str) -> tuple[str, ...]:
    """Who is asked: the agents that this model answers for, and those that the adapter was trained for.

    Where the suite asks none of them, everybody whom it asks.
    """
    suites = revision.suites.suites
    found = suites.get(suite) if suite else next(iter(suites.values()), None)
    asked = dict.fromkeys(agent for case in (found.cases if found else ()) for agent in case.agents)
    own = {
        name for name, agent in revision.build.project.agents.items() if agent.model and agent.model.name == model.name
    }
    return tuple(name for name in asked if name in own or name in adapter.agents)


def outlook(contest: Contest, contender: Contender, store: Store, environ: Mapping[str, str]) -> Plan:
    """What a contender would be sent, as far as that is known without its server. Close it."""
    return _planned(contest, contender, contest.model, store, environ, sending=False)


def hold(
    contest: Contest,
    contender: Contender,
    store: Store,
    environ: Mapping[str, str],
    *,
    serve: Serve,
    stop: threading.Event,
    progress: Progress | None = None,
) -> Bout:
    """Start the contender's server, ask it everything that is not known of this very adapter, and end it.

    Raises what the server raises; whatever was answered until then is kept.
    """
    with serve(contest.model, contender.adapter) as server:
        with closing(_planned(contest, contender, server.model, store, environ, sending=True)) as planned:
            witnessed = replace(planned, environment={**planned.environment, **_seen_of(server)})
            run = bench(witnessed, store, stop=stop, progress=progress)
        server.proof()  # it was ours to the end
        (arm,) = run.arms
        return Bout(contender=contender, run=run, arm=arm, pid=server.pid, started=server.started, canary=server.canary)


def _seen_of(server: Served) -> Mapping[str, str]:
    """What a run keeps of the server that answered: its process, and what it said to the canary requests."""
    said = {f"canary {number}": _said(one) for number, one in enumerate(server.canary, 1)}
    return {"server": f"process {server.pid}, started {server.started}", **said}


def _said(one: CanaryAnswer) -> str:
    again = "" if one.stable else f"; the second time: {one.again}"
    return f"{one.question.rpartition(chr(10))[2]} → {one.text}{again}"


def witnesses(others: Sequence[Bout], candidates: Sequence[Bout]) -> tuple[Witness, ...]:
    """What the servers showed: each one's canaries are held against those of the arms that it must differ from.

    A candidate from all others; and a champion from the untrained model, or it was asked without its adapter.
    """
    found = []
    for at, bout in enumerate(others):
        alike = tuple(o.contender.words for o in others[:at] if not different(o.canary, bout.canary))
        found.append(_witness(bout, alike))
    for bout in candidates:
        alike = tuple(o.contender.words for o in others if not different(o.canary, bout.canary))
        found.append(_witness(bout, alike))
    return tuple(found)


def _witness(bout: Bout, alike: tuple[str, ...]) -> Witness:
    return Witness(arm=bout.contender.words, pid=bout.pid, started=bout.started, alike=alike)


def _planned(
    contest: Contest, contender: Contender, served: Model, store: Store, environ: Mapping[str, str], *, sending: bool
) -> Plan:
    asked = Asked(
        suite=contest.suite,
        models=(contest.model.name,),
        variants=(contender.variant,),
        agents=contest.agents,
        fresh=contest.fresh,
        judged=False,  # a gate goes by scores alone: nobody's key is needed for it
        timeout_s=contest.timeout_s,
        limits=contest.limits,
        command=contest.command,
    )
    revision = replace(contest.revision, name=contender.name, build=_answering_at(contest.revision.build, served))
    planned = plan(contest.root, [revision], asked, store, environ, sending=sending)
    if not any(not job.barred for job in planned.jobs):
        planned.close()
        hint = f"clearance or the agents' privacy keeps everything from {contest.model.name}"
        raise UsageError(f"no case of {planned.suite.name} may be asked of '{contest.model.name}'", hint=hint)
    return _with_identity(planned, contest, contender, store, sending=sending)


def _answering_at(build: Build, served: Model) -> Build:
    """The project with the model where its server listens now: agents need not be compiled anew for that."""
    project = build.project
    models = {**project.config.models, served.name: served}
    agents = {
        name: replace(agent, model=served) if agent.model and agent.model.name == served.name else agent
        for name, agent in project.agents.items()
    }
    return replace(build, project=replace(project, config=replace(project.config, models=models), agents=agents))


def _with_identity(planned: Plan, contest: Contest, contender: Contender, store: Store, *, sending: bool) -> Plan:
    """A port is another one each time, and says nothing; the adapter is what tells one arm's answers from another's.

    What a server said of itself is part of it, too: before it runs, it is taken to say what it said the last time.
    """
    settings = contest.model.settings
    server = {
        "backend": contest.model.backend,
        "model": str(settings.get("model", "")),
        "serve": str(settings.get("serve", "")),
        "weights": contest.weights,
        "adapter": contender.digest,
    }
    place = f"tournament {sorted(server.items())}"
    if sending:
        store.put_said(place, planned.said.get(contest.model.name, ""), at=now_utc())
    server["said"] = digest_of(store.said(place))
    jobs = tuple(
        job if job.barred else replace(job, identity=identity_of(job.request, server, job.repeat))
        for job in planned.jobs
    )
    known = {} if contest.fresh else known_outcomes(store.answers(job.identity for job in jobs if not job.barred))
    about = {"arm": contender.words, "adapter": contender.digest or "none"}
    costs = estimate(jobs, known, planned.models, contest.revision.build, Outlook())
    return replace(planned, jobs=jobs, known=known, estimate=costs, environment={**planned.environment, **about})
