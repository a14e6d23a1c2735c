"""`bench`: send what a plan says and nobody knows yet, keep every answer, score all of it."""

import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptforge.bench.plan import Job
from promptforge.bench.record import plain_run
from promptforge.bench.results import Reply, Run, Score
from promptforge.bench.run import Outcome, Progress, execute
from promptforge.bench.score import score
from promptforge.errors import InputError
from promptforge.model import Model
from promptforge.store import HISTORY, RunHead, Store
from promptforge.workbench.planning import Plan, now_utc

__all__ = ["bench", "head_of", "open_store"]


def bench(
    plan: Plan,
    store: Store,
    *,
    stop: threading.Event,
    progress: Progress | None = None,
    now: Callable[[], str] = now_utc,
) -> Run:
    """Send what is not known, score all of it, and keep the run. What was answered is kept whatever happens."""
    started = now()
    run_id = f"{started[:19].replace('-', '').replace(':', '')}-{secrets.token_hex(2)}"
    outcomes, stopped = execute(
        plan.jobs,
        plan.targets,
        plan.known,
        store,
        run=run_id,
        limits=plan.asked.limits,
        now=now,
        stop=stop,
        progress=progress,
    )
    run = Run(
        id=run_id,
        suite=plan.suite.name,
        suite_digest=plan.suite.digest,
        categories=plan.suite.categories,
        started=started,
        finished="" if stopped else now(),
        command=plan.asked.command or " ".join(sys.argv),
        arms=plan.arms,
        cases=plan.records,
        replies=tuple(_replies(plan, outcomes)),
        repeats=plan.asked.repeats,
        notes=plan.notes,
        stopped=stopped,
        environment=plan.environment,
        models={name: _described(model, plan.said[name]) for name, model in plan.models.items()},
        private_values=plan.private_values,
        section_tokens=plan.section_tokens,
    )
    store.put_run(head_of(run), plain_run(run))
    return run


def _replies(plan: Plan, outcomes: Mapping[str, Outcome]) -> Iterable[Reply]:
    scored: dict[tuple[str, str, str], tuple[Outcome, Score | None]] = {}
    for job in plan.jobs:
        outcome = outcomes[job.identity]
        result = None
        if outcome.answer is not None:
            key = (job.identity, job.case.id, job.arm.revision)
            if key not in scored:
                scored[key] = _scored(plan, job, outcome)
            outcome, result = scored[key]
        yield Reply(
            arm=job.arm,
            case=job.case.id,
            agent=job.agent,
            repeat=job.repeat,
            state=outcome.state,
            identity=job.identity,
            answer=outcome.answer,
            score=result,
            fault=outcome.fault,
            message=f"{outcome.message} ({outcome.hint})" if outcome.hint else outcome.message,
            inherited=outcome.inherited,
            cost_usd=outcome.cost_usd,
        )


def _scored(plan: Plan, job: Job, outcome: Outcome) -> tuple[Outcome, Score | None]:
    """The score of an answer; none, and a failure, where a pattern of the suite does not come to an end on it."""
    known, cases = plan.scoring[job.arm.revision]
    assert outcome.answer is not None
    try:
        return outcome, score(cases[job.case.id], outcome.answer, known)
    except InputError as problem:
        return replace(outcome, state="failed", fault="pattern", message=problem.message, hint=problem.hint), None


def _described(model: Model, said: str) -> dict[str, Any]:
    kept = {k: v for k, v in model.settings.items() if k in ("backend", "base_url", "model", "params", "tier", "price")}
    return {**kept, "tier": model.tier, "says": said}


def head_of(run: Run) -> RunHead:
    """What a list of runs shows."""
    states: dict[str, int] = {}
    for reply in run.replies:
        states[reply.state] = states.get(reply.state, 0) + 1
    head = {"arms": [str(arm) for arm in run.arms], "cases": len(run.cases), "states": states, "stopped": run.stopped}
    return RunHead(id=run.id, started=run.started, finished=run.finished, suite=run.suite, head=head)


def open_store(root: Path) -> Store:
    """The project's history."""
    return Store(root / HISTORY)
