"""Sends what is not known yet, and keeps every answer as it comes. Knows nothing of scores.

Three things end it early: a budget, an interrupt, and a server of which nothing more can be expected. In each case what
was answered is kept, and what was not is said to be unanswered: never a score of 0.
"""

import _thread
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptforge.backends.base import Answer, Backend, BackendError, Request, Usage
from promptforge.backends.lanes import Lanes, wait_for
from promptforge.bench.keeping import Answers, Keeper, Outcome
from promptforge.bench.pace import Pace
from promptforge.bench.plan import Job, with_limit_doubled
from promptforge.bench.results import NOT_SENT, State
from promptforge.bench.retries import LONGEST_WAIT_S, in_the_end, wait_s

__all__ = ["Limits", "Progress", "Target", "execute"]

GIVE_UP_AFTER = 3
"""So many requests in a row without an answer, and nothing more is sent to that model."""
_LOOK_S = 0.05
"""How often an interrupt, the time budget and what has come are looked for."""
_OF_THE_SERVER = frozenset(
    ["unreachable", "timed_out", "endless", "server", "overloaded", "rate_limited", "not_json", "no_choice"]
)
"""What says something of the server, not of one request: so many in a row, and nothing more can be expected of it."""
_HOPELESS = frozenset(["no_key", "auth", "not_found", "not_http"])
"""What will not change from one request to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model that is asked."""

    model: str
    backend: Backend
    concurrency: int = 1
    most: int | None = None
    """With more than `concurrency`, the number in flight is found out by trying."""
    head_start_s: float | None = None
    """How long the first request is alone at most; None: until it is answered."""
    cost_usd: Callable[[Usage], float | None] = lambda usage: None
    timeout_s: float = 120.0
    streamed: bool = False
    """Whether answers are streamed, so that the time to the first token is known."""

    @property
    def free(self) -> bool:
        """Whether its answers are known to cost nothing."""
        return self.cost_usd(Usage(input_tokens=1, output_tokens=1)) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to stop sending."""

    seconds: float | None = None
    tokens: int | None = None
    usd: float | None = None


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a run is; read by whoever shows it."""

    total: int = 0
    inherited: int = 0
    sent: int = 0
    failed: int = 0
    tokens: int = 0
    usd: float = 0.0
    started: float = field(default_factory=time.monotonic)
    stopped: str = ""
    """Why nothing more is sent, or nothing."""

    @property
    def done(self) -> int:
        """Requests of which something came."""
        return self.inherited + self.sent + self.failed


def execute(
    jobs: Sequence[Job],
    targets: Mapping[str, Target],
    known: Mapping[str, Outcome],
    answers: Answers,
    *,
    run: str,
    limits: Limits,
    now: Callable[[], str],
    stop: threading.Event,
    progress: Progress | None = None,
    arrived: Callable[[Job, Outcome], object] = lambda job, outcome: None,
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[dict[str, Outcome], str]:
    """The outcome of each job by its identity, and why the run was cut short, or nothing.

    `known` are the outcomes of earlier runs. Setting `stop` ends it after the requests in flight are given up.
    `arrived` is told of each outcome that comes, in this thread, while it waits for the others. `meanwhile` is called
    once, when requests are under way: for what will be needed, but not before an answer is there.
    """
    outcomes: dict[str, Outcome] = {}
    waiting: dict[str, Job] = {}
    for job in jobs:
        if job.barred:
            outcomes[job.identity] = Outcome(state="not_applicable", message=job.barred, fault="barred")
        elif job.identity in known:
            outcomes[job.identity] = known[job.identity]
        else:
            waiting.setdefault(job.identity, job)
    progress = progress or Progress()
    progress.total += len(waiting) + len(known)
    progress.inherited += len(known)
    sender = _Sender(targets, limits, now, stop, progress, outcomes, arrived, meanwhile)
    sender.send(list(waiting.values()), answers, run)
    for identity in waiting:
        if identity not in outcomes:
            outcomes[identity] = Outcome(state="failed", fault="not_sent", message=f"{NOT_SENT}{progress.stopped}")
    return outcomes, progress.stopped


@dataclass(slots=True)
class _Sender:
    """What the lanes of one run share."""

    targets: Mapping[str, Target]
    limits: Limits
    now: Callable[[], str]
    stop: threading.Event
    progress: Progress
    outcomes: dict[str, Outcome]
    arrived: Callable[[Job, Outcome], object]
    meanwhile: Callable[[], object]
    news: deque[tuple[Job, Outcome]] = field(default_factory=deque)
    """What came of requests, until it is passed on: some at a time, since to wake for each one costs more."""
    bell: threading.Event = field(default_factory=threading.Event)
    """Rung when the first request is answered, and when a thread has ended."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    halt: threading.Event = field(default_factory=threading.Event)
    """Nothing more is to be sent: a budget, an interrupt, or a failure of our own."""
    problem: BaseException | None = None
    keeper: Keeper = field(init=False)

    def send(self, jobs: Sequence[Job], answers: Answers, run: str) -> None:
        by_model: dict[str, list[Job]] = {}
        for job in jobs:
            by_model.setdefault(job.model, []).append(job)
        self.keeper = Keeper(answers, run, self.fail)
        for model, some in by_model.items():  # one model at a time: two local ones would fight for the machine
            if not self.halt.is_set():
                self._send_to(self.targets[model], some)
        if self.problem is not None:
            raise self.problem

    def _send_to(self, target: Target, jobs: Sequence[Job]) -> None:
        line = _Line(target, self, jobs)
        lanes = min(target.most or target.concurrency, len(jobs))
        try:
            # The first is alone: it loads the model, fills the cache, and tells whether there is anybody at all.
            line.start(1)
            if target.head_start_s != 0:
                self._use_the_time(line)
                self._hear(line, lambda: line.begun or not line.busy, target.head_start_s)
            line.start(lanes - 1)
            self._use_the_time(line)
            self._hear(line, lambda: not line.busy)
        except BaseException:  # a second interrupt, or a mistake of ours: nobody waits for what is in flight
            self._stop_for("interrupted")
            self.stop.set()
            raise
        for job in line.rest if line.over else ():
            # The outcome of those that were not sent is the reason why.
            self.outcomes[job.identity] = replace(line.last, message=f"{NOT_SENT}{line.last.message}")
            self.progress.failed += 1

    def _use_the_time(self, line: "_Line") -> None:
        line.waits(_LOOK_S)  # first the requests, then what can be done until they are answered
        work, self.meanwhile = self.meanwhile, lambda: None
        work()

    def _hear(self, line: "_Line", over: Callable[[], bool], most_s: float | None = None) -> None:
        """Pass on what comes until it is over; an interrupt and the time budget are seen meanwhile."""
        until = float("inf") if most_s is None else time.monotonic() + most_s
        while not over() and (left_s := until - time.monotonic()) > 0:
            self.bell.wait(min(_LOOK_S, left_s))
            self.bell.clear()
            while self.news and line.waits(_LOOK_S):
                self.arrived(*self.news.popleft())
            if self.stop.is_set():
                self._stop_for("interrupted")
            if self.out_of_time():
                self.stop.set()  # nobody waits for what is in flight
        while self.news:
            self.arrived(*self.news.popleft())

    def _stop_for(self, reason: str) -> None:
        with self.lock:
            self.progress.stopped = self.progress.stopped or reason
            self.halt.set()

    def out_of_time(self) -> bool:
        """Whether the time budget is used up; then nothing more is sent."""
        most_s, elapsed_s = self.limits.seconds, time.monotonic() - self.progress.started
        if most_s is None or elapsed_s <= most_s:
            return False
        self._stop_for(f"the time budget of {most_s:g} s is used up")
        return True

    def check_limits(self, target: Target) -> None:
        """Stop when a budget is used up; who may spend nothing may still ask what is free."""
        progress, limits = self.progress, self.limits
        self.out_of_time()
        if limits.tokens is not None and progress.tokens >= limits.tokens:
            self._stop_for(f"the budget of {limits.tokens:,} tokens is used up")
        if limits.usd is not None and progress.usd >= limits.usd and (progress.usd or not target.free):
            self._stop_for(f"the budget of ${limits.usd:g} is used up")

    def fail(self, problem: BaseException) -> None:
        """End the run with what went wrong."""
        self.problem = self.problem or problem
        self._stop_for(str(problem))
        self.stop.set()

    def keep(self, job: Job, outcome: Outcome) -> None:
        """Have an answer written down, and count it; what cannot be written ends the run."""
        if outcome.answer is not None:
            self.keeper.keep(job.identity, outcome)
        self.news.append((job, outcome))
        with self.lock:
            self.outcomes[job.identity] = outcome
            if outcome.answer is None:
                self.progress.failed += 1
                return
            self.progress.sent += 1
            usage, cost = outcome.answer.usage, outcome.cost_usd
            if cost is None or usage.input_tokens is None or usage.output_tokens is None:
                usage = _at_least(outcome.answer, job)
            self.progress.tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)
            self.progress.usd += (self.targets[job.model].cost_usd(usage) or 0.0) if cost is None else cost


class _Line:
    """The requests to one model."""

    def __init__(self, target: Target, sender: _Sender, jobs: Sequence[Job]) -> None:
        self.target, self.sender = target, sender
        self.pace = Pace(target.concurrency, most=target.most)
        self.rest = iter(jobs)
        self.begun = self.over = False
        """Whether something came of the first request; whether nothing more can be expected."""
        self.last = Outcome(state="failed")
        self.busy = 0
        """How many lanes are at work."""
        self._lanes = Lanes(sender.keeper.flush) if getattr(target.backend, "shares_thread", False) else None
        """Of a backend that shares one thread among them; any other one needs a thread for each."""
        self._in_a_row = 0
        self._lock = threading.Lock()

    def waits(self, most_s: float) -> bool:
        """Wait until nobody has anything to do but to wait for the server, so that whoever asks holds nobody up."""
        if self._lanes is not None:
            return self._lanes.idle.wait(most_s)
        time.sleep(0)  # a thread that has a request to send goes first: it would wait 5 ms for its turn
        return True

    def start(self, lanes: int) -> None:
        """So many more requests in flight at once. A thread that hangs does not keep the process alive."""
        for _ in range(lanes):
            with self._lock:
                self.busy += 1
            if self._lanes is not None:
                self._lanes.start(self._work)
            else:  # Thread.start waits until it runs: 5 ms each while others do
                _thread.start_new_thread(self._work, ())

    def _work(self) -> None:
        try:
            while not (self.sender.halt.is_set() or self.over) and (job := self._next()) is not None:
                self._ask(job)
                if not self.begun:
                    self.begun = True
                    self.sender.bell.set()
        except BaseException as problem:  # a mistake of ours: it is raised where the run was started
            self.sender.fail(problem)
        finally:
            with self._lock:
                self.busy -= 1
            self.sender.bell.set()

    def _next(self) -> Job | None:
        with self._lock:
            return next(self.rest, None)

    def _ask(self, job: Job) -> None:
        """One request with its retries; what comes of it is kept."""
        self.sender.check_limits(self.target)
        outcome = self._with_retries(job.request)
        if outcome is None:
            return  # stopped meanwhile: it was not answered, and is not said to have failed
        self.sender.keep(job, outcome if outcome.at else replace(outcome, at=self.sender.now()))
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if outcome.fault in _OF_THE_SERVER else 0
            if outcome.fault in _HOPELESS or self._in_a_row >= GIVE_UP_AFTER:
                self.last, self.over = outcome, True

    def _with_retries(self, request: Request) -> Outcome | None:
        """What came of a request; None when the run was stopped meanwhile."""
        first = self._asked(request)
        if first is None:
            return None
        if isinstance(first, BackendError):
            return _failed(first)
        if first.finish == "length" and (longer := with_limit_doubled(request)):
            return self._whole(first, self._asked(longer))
        state: State = "truncated" if first.finish == "length" else "answered"
        return Outcome(state=state, answer=first, cost_usd=self.target.cost_usd(first.usage), at=self.sender.now())

    def _asked(self, request: Request) -> Answer | BackendError | None:
        """The answer, or why there is none in the end; None when the run was stopped."""
        attempt, waited_s = 0, 0.0
        while True:
            try:
                answer = self._once(request)
            except BackendError as problem:
                pause_s = wait_s(problem, attempt)
                if pause_s is None:
                    return in_the_end(problem, attempt, waited_s, alone=self.pace.most == 1)
                attempt += 1
                waited_s += pause_s
                if wait_for(self.sender.halt, pause_s) or self.sender.stop.is_set():
                    return None
                continue
            return replace(answer, retries=attempt) if answer and attempt else answer

    def _once(self, request: Request) -> Answer | None:
        """Send once, when the pace allows; None when the run was stopped."""
        sender = self.sender
        if sender.halt.is_set() or not self.pace.enter(sender.stop):
            return None
        answered, refused, retry_after_s = True, False, None
        try:
            if self.target.streamed:
                return self.target.backend.stream(request, _unheard, timeout_s=self.target.timeout_s, stop=sender.stop)
            return self.target.backend.answer(request, timeout_s=self.target.timeout_s, stop=sender.stop)
        except BackendError as problem:
            if sender.stop.is_set():
                return None
            answered, refused = False, problem.fault in ("rate_limited", "overloaded")
            if (problem.retry_after_s or 0.0) <= LONGEST_WAIT_S:
                retry_after_s = problem.retry_after_s
            raise
        finally:
            self.pace.leave(answered=answered, refused=refused, retry_after_s=retry_after_s)

    def _whole(self, first: Answer, again: Answer | BackendError | None) -> Outcome | None:
        """An answer that was cut, asked for once more with twice the room, then taken as it is."""
        if again is None:
            return None  # stopped meanwhile: the next run asks for both anew
        if isinstance(again, BackendError) and again.retryable:
            return _failed(again)
        spent = self.target.cost_usd(first.usage)
        if isinstance(again, BackendError):  # it takes no longer answer: what was said is scored
            return Outcome(state="truncated", answer=first, cost_usd=spent)
        second = self.target.cost_usd(again.usage)
        spent = None if spent is None or second is None else spent + second
        answer = replace(again, retries=first.retries + again.retries + 1, usage=first.usage + again.usage)
        return Outcome(state="truncated" if again.finish == "length" else "answered", answer=answer, cost_usd=spent)


def _at_least(answer: Answer, job: Job) -> Usage:
    """What a budget counts: the server's own counts, and an estimate where it gives none."""
    usage = answer.usage
    given, said = usage.input_tokens, usage.output_tokens
    estimated = job.prompt_tokens + len(job.case.question) // 3
    return replace(
        usage,
        input_tokens=estimated if given is None else given,
        output_tokens=len(answer.text) // 3 if said is None else said,
    )


def _unheard(text: str) -> None:
    """Nobody reads along: the whole comes at the end."""


def _failed(problem: BackendError) -> Outcome:
    state: State = "timed_out" if problem.fault in ("timed_out", "endless") else "failed"
    return Outcome(state=state, fault=problem.fault, message=problem.message, hint=problem.hint)
