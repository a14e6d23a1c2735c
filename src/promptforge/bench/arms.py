"""What a run asked, and what its arms scored: the replies of one by case and agent."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from promptforge.bench.cases import TIERS
from promptforge.bench.levels import Mark, category_levels, overall_level
from promptforge.bench.results import NOT_SENT, Arm, ArmScores, CaseRecord, CaseScore, Reply, Run

__all__ = [
    "FULL",
    "Account",
    "Reason",
    "Side",
    "account",
    "arm_scores",
    "asked_anew",
    "by_reason",
    "order_of",
]

FULL = 1 - 1e-9
"""From here on a score is the full one, whatever a mean of floats makes of it."""
_SAID = ("answered", "truncated")
_BYTES = re.compile(r"\b\d[\d,]* bytes?\b")
_T = TypeVar("_T")


def arm_scores(run: Run, arm: Arm) -> ArmScores:
    """What one arm scored, with intervals. A case barred for any arm of the run is left out for all of them."""
    side = Side.of(run, arm)
    barred = {place for other in run.arms for place in (side if other == arm else Side.of(run, other)).all_barred()}
    found = _Found()
    for case, record in side.records.items():
        agents = record.agents
        if barred:
            found.not_applicable += [f"{case} × {agent}" for agent in agents if (case, agent) in barred]
            agents = tuple(agent for agent in agents if (case, agent) not in barred)
        if agents:
            _add(found, record, side, agents)
    return _summed(found, side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The requests of a run. What several arms send alike is one request, and each of them has its answer."""

    replies: int
    """Places that an answer is for: arm, case, agent, repeat; not those that clearance bars."""
    requests: int
    """Without those that are the same."""
    inherited: int
    """Answered by earlier runs."""
    from_runs: Mapping[str, int]
    """These runs, and how many answers of each."""
    asked: int
    """Sent by this run, once or several times."""
    answered: int
    """Of these."""
    not_sent: int
    barred: int
    """Places that clearance bars."""
    spent_usd: float | None
    """By this run; None where no answer of it has a price."""
    unpriced: int
    """Answers of this run without a price."""

    @property
    def shared(self) -> int:
        """Places whose answer was made for another one."""
        return self.replies - self.requests


def account(run: Run) -> Account:
    """What was asked, what was known, and what was not sent: each request once, however many arms share it."""
    barred = sum(reply.state == "not_applicable" for reply in run.replies)
    once = {reply.identity: reply for reply in run.replies if reply.state != "not_applicable"}
    answered = [reply for reply in once.values() if reply.answer is not None and not reply.inherited]
    not_sent = sum(reply.answer is None and _never_sent(reply) for reply in once.values())
    from_runs = Counter(reply.inherited for reply in once.values() if reply.inherited)
    inherited = from_runs.total()
    priced = [reply.cost_usd for reply in answered if reply.cost_usd is not None]
    return Account(
        replies=len(run.replies) - barred,
        requests=len(once),
        inherited=inherited,
        from_runs=from_runs,
        asked=len(once) - inherited - not_sent,
        answered=len(answered),
        not_sent=not_sent,
        barred=barred,
        spent_usd=sum(priced) if priced or not answered else None,
        unpriced=len(answered) - len(priced),
    )


def _never_sent(reply: Reply) -> bool:
    return reply.fault == "not_sent" or reply.message.startswith(NOT_SENT)


def asked_anew(run: Run) -> bool:
    """Whether its command asks everything again, answered or not: then the same command goes on from nothing."""
    return "--fresh" in run.command.split()


class Reason(NamedTuple):
    """Why requests have no answer."""

    why: str
    requests: list[str]
    """Of which it is true."""
    not_sent: list[str]
    """Not sent because of it."""


def by_reason(unanswered: Iterable[tuple[str, str]]) -> list[Reason]:
    """(request, why) -> the requests of each reason, the most frequent first.

    Reasons that differ in how many bytes had come are one, in the words of the first.
    """
    groups: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    for request, why in unanswered:
        first = words.setdefault(_BYTES.sub("", why), why)
        cause = why.removeprefix(NOT_SENT)
        if cause != why:
            first = f"{why.removesuffix(cause)}{words.setdefault(_BYTES.sub('', cause), cause)}"
        groups.setdefault(first, []).append(request)
    reasons = {why: Reason(why, requests, []) for why, requests in groups.items()}
    for why in groups:
        cause = why.removeprefix(NOT_SENT)
        if cause != why and cause in reasons:
            reasons[cause].not_sent.extend(reasons.pop(why).requests)
    return sorted(reasons.values(), key=lambda one: -len(one.requests) - len(one.not_sent))


class _Found:
    """What is gathered of an arm, case by case."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.generated: list[Mark] = []
        self.scores: list[CaseScore] = []
        self.not_applicable: list[str] = []
        self.unanswered: list[str] = []
        self.open_categories: set[str] = set()
        self.open_tiers: set[str] = set()
        self.open_generated = False


def _add(found: _Found, record: CaseRecord, side: "Side", agents: Sequence[str]) -> None:
    replies = side.of_case(record.id, agents)
    if side.whole and not replies:
        return  # this arm was never meant to be asked
    if missing := [*side.missing(record.id, agents)]:
        found.unanswered += missing
        if record.counts:
            found.open_categories.add(record.category)
            found.open_tiers.add(record.tier)
        found.open_generated |= record.generated
        return
    value = side.score(record.id, agents)
    found.scores.append(CaseScore(case=record.id, value=value, replies=len(replies)))
    mark = Mark(category=record.category, cluster=record.cluster or record.id, value=value, tier=record.tier)
    if record.generated:
        found.generated.append(mark)
    elif record.counts:
        found.marks.append(mark)


def _summed(found: _Found, side: "Side") -> ArmScores:
    run, replies = side.run, [reply for own in side.replies.values() for reply in own]
    shown = [mark for mark in found.marks if mark.category not in found.open_categories]
    shown.sort(key=order_of(run.categories, lambda mark: mark.category))
    tiers = {tier: [mark for mark in found.marks if mark.tier == tier] for tier in TIERS}
    used = {mark.category for mark in found.marks} | found.open_categories
    labels = Counter(reply.score.label for reply in replies if reply.score and reply.score.label)
    return ArmScores(
        arm=side.arm,
        overall=overall_level(found.marks) if found.marks and not found.open_categories else None,
        categories=category_levels(shown),
        tiers={tier: overall_level(own) for tier, own in tiers.items() if own and tier not in found.open_tiers},
        generated=overall_level(found.generated) if found.generated and not found.open_generated else None,
        cases=tuple(found.scores),
        states=dict(Counter(reply.state for reply in replies)),
        labels=dict(labels.most_common()),
        declared=run.categories,
        empty_categories=tuple(name for name in run.categories if name not in used),
        not_applicable=tuple(found.not_applicable),
        unanswered=tuple(found.unanswered),
        reader=side.reader,
    )


def order_of(names: Sequence[str], key: Callable[[_T], str]) -> Callable[[_T], int]:
    """Sorts by the place in a list of names; what is not in it comes last."""
    places = {name: at for at, name in enumerate(names)}
    return lambda item: places.get(key(item), len(places))


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One arm of a run, by case and agent."""

    run: Run
    arm: Arm
    records: Mapping[str, CaseRecord]
    replies: Mapping[tuple[str, str], Sequence[Reply]]

    @classmethod
    def of(cls, run: Run, arm: Arm) -> "Side":
        """Of a request that was asked again the answer stands, else what came last."""
        latest: dict[tuple[str, str], dict[int, Reply]] = {}
        for reply in run.replies:
            if reply.arm is arm or reply.arm == arm:
                known = latest.setdefault((reply.case, reply.agent), {})
                if reply.repeat not in known or reply.state in _SAID or known[reply.repeat].state not in _SAID:
                    known[reply.repeat] = reply
        records = {record.id: record for record in run.cases}
        return cls(run=run, arm=arm, records=records, replies={key: [*own.values()] for key, own in latest.items()})

    @property
    def reader(self) -> bool:
        """Whether no model answered."""
        models = self.run.models
        own = [models[self.arm.model]] if self.arm.model in models else models.values()
        return any(model.get("backend") == "reader" for model in own)

    @property
    def whole(self) -> bool:
        """Whether everything that was planned was asked."""
        return bool(self.run.finished) and not self.run.stopped

    def of_case(self, case: str, agents: Iterable[str]) -> list[Reply]:
        """The replies of these agents."""
        return [reply for agent in agents for reply in self.replies.get((case, agent), ())]

    def score(self, case: str, agents: Sequence[str]) -> float:
        """The mean over these agents of the mean over repeats."""
        means = []
        for agent in agents:
            values = [reply.score.value for reply in self.replies[case, agent] if reply.score]
            means.append(sum(values) / len(values))
        return sum(means) / len(means)

    def barred(self, case: str, agent: str) -> bool:
        """Whether clearance kept the question, or the prompt, from this arm."""
        return any(reply.state == "not_applicable" for reply in self.replies.get((case, agent), ()))

    def all_barred(self) -> list[tuple[str, str]]:
        """Everything of which that is true: (case, agent)."""
        return [place for place, own in self.replies.items() if "not_applicable" in [reply.state for reply in own]]

    def missing(self, case: str, agents: Sequence[str]) -> Iterator[str]:
        """What was not answered, `case × agent × arm: why`; of several repeats with its number."""
        for agent in agents:
            replies = self.replies.get((case, agent), ())
            if len(replies) == self.run.repeats and not any(map(_why_missing, replies)):
                continue
            by_repeat = {reply.repeat: reply for reply in replies}
            for repeat in range(self.run.repeats):
                why = _why_missing(by_repeat.get(repeat))
                if why:
                    number = f" #{repeat + 1}" if self.run.repeats > 1 else ""
                    yield f"{case} × {agent} × {self.arm}{number}: {why}"


def _why_missing(reply: Reply | None) -> str:
    """Why there is no score, or nothing."""
    if reply is None:
        return "not asked yet"
    if reply.state in _SAID and reply.score is not None:
        return ""
    return reply.message or reply.fault or reply.state.replace("_", " ")
