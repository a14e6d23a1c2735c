"""`bench`: send what a plan says and nobody knows yet, keep every answer, score all of it."""

import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from promptforge.backends.base import Answer
from promptforge.backends.keys import plain_url
from promptforge.bench.keeping import Outcome
from promptforge.bench.plan import Job
from promptforge.bench.record import plain_case, plain_reply, plain_run
from promptforge.bench.results import Arm, Reply, Run, Score
from promptforge.bench.run import Progress, execute
from promptforge.bench.served import notes_on_servers
from promptforge.errors import InputError
from promptforge.model import Model
from promptforge.store import HISTORY, RunHead, Store
from promptforge.workbench.environment import now_utc
from promptforge.workbench.planning import Plan
from promptforge.workbench.recording import take_over

__all__ = ["bench", "head_of", "open_store"]

_KILLED = "it did not end; what was answered is kept"


def bench(
    plan: Plan,
    store: Store,
    *,
    stop: threading.Event,
    progress: Progress | None = None,
    now: Callable[[], str] = now_utc,
    meanwhile: Callable[[], object] = lambda: None,
) -> Run:
    """Send what is not known, score all of it, and keep the run. What was answered is kept whatever happens.

    `meanwhile` is called while the first answers are waited for: for what the caller needs after the run.
    """
    started, progress = now(), progress or Progress()
    run_id = _begun(plan, store, started)
    replies = _Replies(plan)

    def ready() -> None:
        replies.get_ready()
        meanwhile()

    if plan.asked.record is not None:
        take_over(plan.jobs, plan.known, plan.targets)
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
        arrived=replies.of,
        meanwhile=ready,
    )
    run = _run(plan, run_id, started, stopped=stopped)
    made = tuple(replies.of(job, outcomes[job.identity]) for job in plan.jobs)
    notes = (*plan.notes, *_of_servers(plan, outcomes))
    run = replace(run, finished="" if stopped else now(), cases=plan.records, replies=made, notes=notes)
    if plan.judge is not None:
        from promptforge.workbench.judging import judged_by_rubric

        run = judged_by_rubric(
            plan.judge, run, plan.jobs, store, limits=plan.asked.limits, now=now, stop=stop, progress=progress
        )
    store.put_run(head_of(run), replies.plain_run(run))
    return run


def _begun(plan: Plan, store: Store, started: str) -> str:
    """The id of a run that begins: should it be killed, it is in the list of runs, and can be read."""
    run_id = f"{started[:19].replace('-', '').replace(':', '')}-{secrets.token_hex(2)}"
    blank = _run(plan, run_id, started, stopped=_KILLED)
    store.put_run(head_of(blank, plan.case_count), plain_run(blank))  # its cases would only make the start slower
    return run_id


def _run(plan: Plan, run_id: str, started: str, *, stopped: str) -> Run:
    """A run without what came of it."""
    return Run(
        id=run_id,
        suite=plan.suite.name,
        suite_digest=plan.suite.digest,
        categories=plan.suite.categories,
        started=started,
        command=plan.asked.command or " ".join(sys.argv),
        arms=plan.arms,
        cases=(),
        replies=(),
        repeats=plan.asked.repeats,
        notes=plan.notes,
        stopped=stopped,
        environment=plan.environment,
        models={
            name: _described(model, plan.said[name], plan.weights.get(name, "")) for name, model in plan.models.items()
        },
        private_values=plan.private_values,
        section_tokens=plan.section_tokens,
    )


def _of_servers(plan: Plan, outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """What the answers tell of the servers; those of models that need none tell nothing."""
    asked = {
        name: str(model.settings.get("model", ""))
        for name, model in plan.models.items()
        if model.backend not in ("reader", "replay")
    }
    models = {job.identity: job.model for job in plan.jobs}
    answers = ((models[identity], outcome.answer) for identity, outcome in outcomes.items())
    return notes_on_servers(asked, ((model, answer) for model, answer in answers if answer is not None))


class _Replies:
    """The replies of a run: most are scored, and made ready to be kept, while other answers are waited for."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._scoring = plan, plan.scoring
        self._cases: list[dict[str, Any]] | None = None
        self._made: dict[tuple[Arm, str, str, str, int], tuple[Outcome, Reply]] = {}
        self._plain: dict[int, dict[str, Any]] = {}
        """By the identity of the object, which `_made` keeps alive."""

    def of(self, job: Job, outcome: Outcome) -> Reply:
        """What came of a job, with its score where there is an answer."""
        key = (job.arm, job.case.id, job.agent, job.identity, job.repeat)
        if key not in self._made or self._made[key][0] is not outcome:
            reply = self._reply(job, outcome)
            self._made[key] = outcome, reply
            self._plain[id(reply)] = plain_reply(reply)
        return self._made[key][1]

    def get_ready(self) -> None:
        """Load what scores and judges, and make what is kept of the cases."""
        for name in ("bench.score", "bench.refusal", "bench.language", "workbench.judged"):
            import_module(f"promptforge.{name}")
        self._cases = [plain_case(case) for case in self._plan.records]

    def plain_run(self, run: Run) -> dict[str, Any]:
        """A run as it is kept."""
        return plain_run(run, plain=lambda reply: self._plain.get(id(reply)) or plain_reply(reply), cases=self._cases)

    def _reply(self, job: Job, outcome: Outcome) -> Reply:
        outcome, result = (outcome, None) if outcome.answer is None else self._scored(job, outcome, outcome.answer)
        return Reply(
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

    def _scored(self, job: Job, outcome: Outcome, answer: Answer) -> tuple[Outcome, Score | None]:
        """None, and a failure, where a pattern of the suite does not come to an end on the answer."""
        from promptforge.bench.score import score  # loaded while the first answers are waited for

        known, cases = self._scoring[job.arm.revision]
        try:
            return outcome, score(cases[job.case.id], answer, known)
        except InputError as problem:
            return replace(outcome, state="failed", fault="pattern", message=problem.message, hint=problem.hint), None


def _described(model: Model, said: str, weights: str) -> dict[str, Any]:
    kept = {k: v for k, v in model.settings.items() if k in ("backend", "base_url", "model", "params", "tier", "price")}
    if "base_url" in kept:
        kept["base_url"] = plain_url(kept["base_url"])
    return {**kept, "tier": model.tier, "says": said} | ({"weights": weights} if weights else {})


def head_of(run: Run, cases: int | None = None) -> RunHead:
    """What a list of runs shows; `cases`: how many, where the run does not hold them yet."""
    states: dict[str, int] = {}
    for reply in run.replies:
        states[reply.state] = states.get(reply.state, 0) + 1
    count = len(run.cases) if cases is None else cases
    head = {"arms": [str(arm) for arm in run.arms], "cases": count, "states": states, "stopped": run.stopped}
    return RunHead(id=run.id, started=run.started, finished=run.finished, suite=run.suite, head=head)


def open_store(root: Path) -> Store:
    """The project's history."""
    return Store(root / HISTORY)
