"""One arm of a run: its replies by case and agent, and what it scored."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from promptforge.bench.cases import TIERS
from promptforge.bench.levels import Mark, category_levels, overall_level
from promptforge.bench.results import Arm, ArmScores, CaseRecord, CaseScore, Reply, Run

__all__ = ["FULL", "Side", "arm_scores", "order_of"]

FULL = 1 - 1e-9
"""From here on a score is the full one, whatever a mean of floats makes of it."""
_SAID = ("answered", "truncated")
_T = TypeVar("_T")


def arm_scores(run: Run, arm: Arm) -> ArmScores:
    """What one arm scored, with intervals. A case barred for any arm of the run is left out for all of them."""
    side = Side.of(run, arm)
    others = [Side.of(run, other) for other in run.arms]
    found = _Found()
    for case, record in side.records.items():
        barred = [agent for agent in record.agents if any(other.barred(case, agent) for other in others)]
        found.not_applicable += [f"{case} × {agent}" for agent in barred]
        if agents := [agent for agent in record.agents if agent not in barred]:
            _add(found, record, side, agents)
    return _summed(found, side)


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
    if side.whole and not side.of_case(record.id, agents):
        return  # this arm was never meant to be asked
    if missing := [*side.missing(record.id, agents)]:
        found.unanswered += missing
        if record.counts:
            found.open_categories.add(record.category)
            found.open_tiers.add(record.tier)
        found.open_generated |= record.generated
        return
    value = side.score(record.id, agents)
    found.scores.append(CaseScore(case=record.id, value=value, replies=len(side.of_case(record.id, agents))))
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
            if reply.arm == arm:
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

    def missing(self, case: str, agents: Sequence[str]) -> Iterator[str]:
        """What was not answered, `case × agent × arm: why`."""
        for agent in agents:
            replies = self.replies.get((case, agent), ())
            for reply in replies:
                if reply.state not in _SAID or reply.score is None:
                    why = reply.message or reply.fault or reply.state.replace("_", " ")
                    yield f"{case} × {agent} × {self.arm}: {why}"
            for _ in range(self.run.repeats - len(replies)):
                yield f"{case} × {agent} × {self.arm}: not asked yet"
