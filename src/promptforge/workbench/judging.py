"""The judge of a run: which pairs of answers it is shown, whether it may see them, and what comes of its verdicts."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptforge.backends.base import Answer, Usage
from promptforge.backends.price import cost_usd
from promptforge.bench.cases import Case
from promptforge.bench.judging import asked_of, family_of, read, request_for, said_by, settle
from promptforge.bench.keeping import Outcome, known_outcomes
from promptforge.bench.plan import Job, identity_of
from promptforge.bench.results import Arm, Judgement, Reply, Run
from promptforge.bench.run import Limits, Progress, Target, execute
from promptforge.model import Model
from promptforge.store import Store
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.costs import Outlook
from promptforge.workbench.judged import pairs_of
from promptforge.workbench.recording import take_over

__all__ = ["Judge", "judged_by_rubric"]

_UNKNOWN_TOKENS = 1700
"""What a request to a judge is taken to have where its two answers are not known yet."""
_VERDICT_TOKENS = 256
"""What a verdict is taken to have where no `max_tokens` says it."""


Place = tuple[Arm, str, str, int]
"""Arm, case, agent, repeat: where a reply stands."""
_What = tuple[Job, Job] | tuple[str, str]
"""Both requests of a pair; or (fault, why)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Two requests whose answers are compared; or why they are not."""

    before: Job
    after: Job
    case: Case
    """As the later arm has it."""
    fault: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The judge of a plan."""

    model: Model
    target: Target
    identity: Mapping[str, str]
    clearance: Clearance
    models: Mapping[str, Model]
    """Who answers, by name."""
    cases: Mapping[str, Mapping[str, Case]]
    """By revision and id."""
    arms: Sequence[Arm]
    fresh: bool = False

    def notes(self, jobs: Sequence[Job]) -> Iterator[str]:
        """What is to be said before anything is sent: of whom it is no judge."""
        answering = dict.fromkeys(job.model for job in jobs if job.case.judge)
        for name in answering:
            model = self.models[name]
            own, judges = _families(model), _families(self.model)
            if model.backend == "reader":
                continue
            if self._same(model):
                shared = ", ".join(sorted(own & judges)) or self.model.name
                yield (
                    f"answers of {name} are not judged: {self.model.name} is of its own family ({shared}); "
                    "name a judge of another one in promptforge.yaml"
                )
            elif not own or not judges:
                who = " and ".join(m.name for m, known in ((model, own), (self.model, judges)) if not known)
                yield f"the name of {who} tells no family: {self.model.name} judges {name} all the same"

    def _same(self, model: Model) -> bool:
        named = model.settings.get("model")
        alike = model.name == self.model.name or (named is not None and named == self.model.settings.get("model"))
        return alike or bool(_families(model) & _families(self.model))

    # --- which pairs

    def pairs(self, jobs: Sequence[Job]) -> Iterator[_Pair]:
        """The pairs of requests whose answers a rubric compares."""
        by_place = {_place(job): job for job in jobs}
        for before, after in pairs_of(self.arms):
            for job in jobs:
                case = self.cases[after.revision].get(job.case.id)
                if job.arm != after or case is None or not case.judge:
                    continue
                other = by_place.get((before, job.case.id, job.agent, job.repeat))
                if other is not None and "reader" not in (self._backend(job), self._backend(other)):
                    fault, why = self._barred(other, job, case)
                    yield _Pair(before=other, after=job, case=case, fault=fault, why=why)

    def _backend(self, job: Job) -> str:
        return self.models[job.model].backend

    def _barred(self, before: Job, after: Job, case: Case) -> tuple[str, str]:
        """Why the judge is not shown this pair, whatever the answers are."""
        if before.barred or after.barred:
            return "unanswered", "one side was not asked"
        if asked_of(before.case) != asked_of(case) or before.case.judge != case.judge:
            return "unanswered", "the question or the rubric differs between the revisions"
        for job in (before, after):
            if self._same(self.models[job.model]):
                return "family", f"{self.model.name} is of the family of {job.model}"
        shown = {one: None for c in (before.case, case) for one in (*c.shows, *c.answer_shows)}
        why = (
            self.clearance.barred_agent(after.agent, self.model)
            or self.clearance.barred_facts(shown, self.model, "the case")
            or self.clearance.barred_texts([asked_of(case), case.judge], self.model)
        )
        return ("barred", why) if why else ("", "")

    # --- requests

    def requests(self, pair: _Pair, answers: tuple[Answer, Answer]) -> _What:
        """One request for each order; or (fault, why) where none is sent."""
        one, two = (said_by(answer) for answer in answers)
        if one == two:
            return "identical", "the answers are the same"
        for text, job in ((one, pair.before), (two, pair.after)):
            # Who was told a private fact may say it in any words, so its answer is looked at more strictly.
            strict = self.clearance.saw_more(self.models[job.model], self.model)
            if why := self.clearance.barred_texts([text], self.model, strict=strict):
                return "barred", why.replace("it holds", "an answer holds", 1)
        forth, back = (self._job(pair, texts) for texts in ((one, two), (two, one)))
        return forth, back

    def _job(self, pair: _Pair, answers: tuple[str, str]) -> Job:
        params = self.model.settings.get("params", {})
        request = request_for(asked_of(pair.case), pair.case.judge, answers, params)
        return replace(
            pair.after,
            model=self.model.name,
            request=request,
            identity=identity_of(request, self.identity, 0),
            prompt_tokens=(len(request.system) + len(request.messages[0][1])) // 3,
            barred=self.clearance.barred(request, self.model),
        )

    def known(self, store: Store, jobs: Iterable[Job]) -> dict[str, Outcome]:
        """The verdicts of earlier runs."""
        if self.fresh:
            return {}
        found = store.answers(job.identity for job in jobs if not job.barred)
        return known_outcomes(found)

    def outlook(self, jobs: Sequence[Job], answers: Mapping[str, Outcome], store: Store) -> Outlook:
        """What it will take, at most."""
        made: dict[str, Job] = {}
        blind = 0
        for pair in self.pairs(jobs):
            if pair.fault:
                continue
            one, two = (answers.get(job.identity) for job in (pair.before, pair.after))
            if one is None or two is None or one.answer is None or two.answer is None:
                blind += 2
            elif isinstance((asked := self.requests(pair, (one.answer, two.answer)))[0], Job):
                made.update((job.identity, job) for job in asked if isinstance(job, Job))
        known = self.known(store, made.values())
        sizes = [job.prompt_tokens for identity, job in made.items() if identity not in known]
        sizes += [_UNKNOWN_TOKENS] * blind
        costs = [self._cost(size) for size in sizes]
        usd = None if None in costs else sum(cost or 0.0 for cost in costs)
        return Outlook(requests=len(sizes), inherited=len(known), usd=usd)

    def _cost(self, tokens: int) -> float | None:
        price = self.model.settings.get("price")
        if self.model.tier == "local" and not price:
            return 0.0
        most = int(self.model.settings.get("params", {}).get("max_tokens", 0) or _VERDICT_TOKENS)
        return cost_usd(Usage(input_tokens=tokens, output_tokens=most), price)


def _families(model: Model) -> frozenset[str]:
    return family_of(model.name, str(model.settings.get("model", "")), model.backend)


def _place(job: Job) -> Place:
    return job.arm, job.case.id, job.agent, job.repeat


# --- judging --------------------------------------------------------------------------------------------------------


def judged_by_rubric(
    judge: Judge,
    run: Run,
    jobs: Sequence[Job],
    store: Store,
    *,
    limits: Limits,
    now: Callable[[], str],
    stop: threading.Event,
    progress: Progress,
) -> Run:
    """The run with what the judge says. Its requests are kept, retried, inherited and paid for like all others."""
    replies = {(r.arm, r.case, r.agent, r.repeat): r for r in run.replies}
    asked = [_asked(judge, pair, replies) for pair in judge.pairs(jobs)]
    if run.stopped:
        cut = f"the run was cut short: {run.stopped}"
        asked = [(p, ("unanswered", cut) if isinstance(what[0], Job) else what) for p, what in asked]
    sending = [job for _, what in asked for job in what if isinstance(job, Job)]
    known = judge.known(store, sending)
    targets = {judge.model.name: judge.target}
    if known:
        take_over(sending, known, targets)
    outcomes, stopped = execute(
        sending, targets, known, store, run=run.id, limits=limits, now=now, stop=stop, progress=progress
    )
    judgements = tuple(_judgement(pair, what, outcomes) for pair, what in asked)
    return replace(
        run,
        judge=judge.model.name,
        judgements=judgements,
        judge_stopped="" if run.stopped else stopped,
        replies=tuple(_with_marks(run.replies, judgements)),
    )


def _asked(judge: Judge, pair: _Pair, replies: Mapping[Place, Reply]) -> tuple[_Pair, _What]:
    if pair.fault:
        return pair, (pair.fault, pair.why)
    one, two = replies[_place(pair.before)].answer, replies[_place(pair.after)].answer
    if one is None or two is None:
        return pair, ("unanswered", "a side was not answered")
    return pair, judge.requests(pair, (one, two))


def _judgement(pair: _Pair, what: _What, outcomes: Mapping[str, Outcome]) -> Judgement:
    blank = Judgement(
        before=pair.before.arm,
        after=pair.after.arm,
        case=pair.case.id,
        agent=pair.after.agent,
        repeat=pair.after.repeat,
    )
    forth, back = what
    if isinstance(forth, str) or isinstance(back, str):
        return replace(blank, fault=forth, why=str(back))  # type: ignore[arg-type]  # one of its faults
    one, two = outcomes[forth.identity], outcomes[back.identity]
    if one.answer is None or two.answer is None:
        silent = one if one.answer is None else two
        fault = "barred" if silent.fault == "barred" else "failed"
        why = f"{silent.message} ({silent.hint})" if silent.hint else silent.message
        return replace(blank, fault=fault, why=why)  # type: ignore[arg-type]
    costs = (one.cost_usd, two.cost_usd)
    blank = replace(
        blank, cost_usd=None if None in costs else sum(cost or 0.0 for cost in costs), inherited=one.inherited
    )
    first, second = read(one.answer, forth.request), read(two.answer, back.request)
    if first is None or second is None:
        return replace(blank, fault="unread", why="the judge gave no verdict in the form that it was asked for")
    settled = settle(first, second)
    return replace(blank, winner=settled.winner, consistent=settled.consistent, why=settled.why)


def _with_marks(replies: Iterable[Reply], judgements: Iterable[Judgement]) -> Iterator[Reply]:
    """1 for the better answer, 0 for the other, a half for a tie; the mean where an answer was in several pairs."""
    marks: dict[Place, list[tuple[float, str]]] = {}
    for one in judgements:
        if one.winner:
            after = {"before": 0.0, "tie": 0.5, "after": 1.0}[one.winner]
            for arm, other, mark in ((one.before, one.after, 1 - after), (one.after, one.before, after)):
                marks.setdefault((arm, one.case, one.agent, one.repeat), []).append(
                    (mark, f"against {other}: {one.why}")
                )
    for reply in replies:
        own = marks.get((reply.arm, reply.case, reply.agent, reply.repeat))
        if own:
            mean = sum(mark for mark, _ in own) / len(own)
            reply = replace(reply, judged=mean, judged_why="\n".join(why for _, why in own))
        yield reply
