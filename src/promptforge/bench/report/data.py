"""What a report says of a run beyond its comparisons: counts, sums and medians, taken from the replies."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from promptforge.bench.report.figures import percentile
from promptforge.bench.report.redact import Redactor
from promptforge.bench.results import Arm, ArmScores, CaseRecord, Comparison, Effect, Reply, Run
from promptforge.bench.verdicts import NO_SMALLER
from promptforge.bench.worth import Worth, worths

__all__ = ["LABELS", "Findings", "Spent", "could_show", "findings", "reading"]

LABELS: Mapping[str, str] = {
    "made_up": "made-up value",
    "wrong": "wrong",
    "incomplete": "incomplete",
    "forbidden": "forbidden",
    "refused": "refused",
    "over_refused": "over-refused",
    "too_short": "too short",
    "wrong_language": "wrong language",
    "empty": "empty",
}
"""In the order of a report: what was invented first."""
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one arm cost. A sum or a median is None where no server said anything of the kind."""

    requests: int
    """Not counting those that do not apply."""
    states: Mapping[str, int]
    inherited: int
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost_usd: float | None
    """Of all answers that have a price, earlier runs' included."""
    spent_usd: float | None
    """Of this run alone."""
    unpriced: int
    """Answers without a price: the sums leave them out."""
    latency_s: tuple[float | None, float | None]
    """Median and 95th percentile; so below."""
    first_token_s: tuple[float | None, float | None]
    tokens_per_s: float | None
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """A run with what was counted in it, and the way its texts may be said."""

    run: Run
    comparisons: tuple[Comparison, ...]
    scores: Mapping[Arm, ArmScores]
    worths: tuple[Worth, ...]
    """Of the sections that the run left out."""
    spent: Mapping[Arm, Spent]
    labels: Mapping[str, Mapping[Arm, int]]
    """Answers of the cases that count, by why they fell short."""
    label_cases: Mapping[str, Mapping[Arm, int]]
    """Of how many cases these are."""
    made_up: tuple[tuple[str, Mapping[Arm, int]], ...]
    """Values that stand in no fact, the most frequent first."""
    unanswered: tuple[Reply, ...]
    means: Mapping[tuple[str, Arm], float]
    """The score of a case under an arm: the mean over its agents and repeats."""
    cases: Mapping[str, CaseRecord]
    names: Mapping[str, str]
    """Of each arm, by `str(arm)`: the parts of its name in which the arms of the run differ."""
    places: Mapping[str, int]
    """Of each case in the run, from 0."""
    say: Redactor
    """Every text of the run goes through it; the names of arms, agents, categories and labels do not."""

    def name(self, arm: Arm | str) -> str:
        """An arm's name, as short as it may be."""
        return self.names.get(str(arm), str(arm))

    def pair(self, comparison: Comparison) -> str:
        """The names of the two sides."""
        return f"{self.name(comparison.before)} → {self.name(comparison.after)}"


def findings(
    run: Run,
    comparisons: Sequence[Comparison] = (),
    scores: Iterable[ArmScores] = (),
    *,
    include_private: bool = False,
) -> Findings:
    """Count what a report says."""
    cases = {case.id: case for case in run.cases}
    counted = [reply for reply in run.replies if cases[reply.case].counts]
    private = () if include_private else (*run.private_values, *(v for case in run.cases for v in case.private))
    return Findings(
        run=run,
        comparisons=tuple(comparisons),
        scores={known.arm: known for known in scores},
        worths=worths(run, comparisons),
        spent={arm: _spent([reply for reply in run.replies if reply.arm == arm]) for arm in run.arms},
        labels=_labels(counted),
        label_cases=_label_cases(counted),
        made_up=_made_up(counted),
        unanswered=tuple(reply for reply in run.replies if reply.state in ("failed", "timed_out")),
        means=_means(run.replies),
        cases=cases,
        names=_names(run.arms),
        places={case: place for place, case in enumerate(cases)},
        say=Redactor(private),
    )


def reading(effect: Effect, *, reader: bool = False) -> str:
    """What a difference says, in a word or two: corrected for the number of categories where it is one of several.

    The reader is no model, so of its answers it is only said whether more of them are found.
    """
    if not effect.differing:
        return "nothing differs"
    if effect.too_few:
        return "too few differ"
    p = effect.p if effect.p_adjusted is None else effect.p_adjusted
    if p > 0.05 or effect.estimate == 0:
        return "not shown"
    if reader:
        return "more found" if effect.estimate > 0 else "fewer found"
    return "better" if effect.estimate > 0 else "worse"


def could_show(effect: Effect) -> str:
    """The smallest difference that the suite could show at 80 % power."""
    if effect.detectable is not None:
        return f"± {effect.detectable:.3f}"
    return NO_SMALLER if reading(effect) in ("better", "worse") else "none"


def _names(arms: Sequence[Arm]) -> Mapping[str, str]:
    parts = ("variant", "model", "revision")
    differing = [part for part in parts if len({getattr(arm, part) for arm in arms}) > 1]
    return {str(arm): " · ".join(filter(None, (getattr(arm, part) for part in differing))) or str(arm) for arm in arms}


def _spent(replies: Sequence[Reply]) -> Spent:
    answers = [(reply, reply.answer) for reply in replies if reply.answer is not None]
    paid = [reply for reply, _ in answers if reply.cost_usd is not None]
    latencies = [answer.latency_s for _, answer in answers if answer.latency_s > 0]
    firsts = [answer.first_token_s for _, answer in answers if answer.first_token_s is not None]
    rates = [
        answer.usage.output_tokens / (answer.latency_s - (answer.first_token_s or 0))
        for _, answer in answers
        if answer.usage.output_tokens and answer.latency_s > (answer.first_token_s or 0)
    ]
    usages = [answer.usage for _, answer in answers]
    return Spent(
        requests=sum(reply.state != "not_applicable" for reply in replies),
        states=Counter(str(reply.state) for reply in replies),
        inherited=sum(bool(reply.inherited) for reply in replies),
        input_tokens=_sum([usage.input_tokens for usage in usages]),
        output_tokens=_sum([usage.output_tokens for usage in usages]),
        cached_tokens=_sum([usage.cached_tokens for usage in usages]),
        cost_usd=_sum([reply.cost_usd for reply in paid]),
        spent_usd=_sum([0.0 if reply.inherited else reply.cost_usd for reply in paid]),
        unpriced=len(answers) - len(paid),
        latency_s=(percentile(latencies, 0.5), percentile(latencies, 0.95)),
        first_token_s=(percentile(firsts, 0.5), percentile(firsts, 0.95)),
        tokens_per_s=percentile(rates, 0.5),
        retries=sum(answer.retries for _, answer in answers),
    )


def _sum(values: Sequence[_Number | None]) -> _Number | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def _labels(replies: Sequence[Reply]) -> Mapping[str, Mapping[Arm, int]]:
    found: dict[str, Counter[Arm]] = {label: Counter() for label in LABELS}
    for reply in replies:
        if reply.score is not None and reply.score.label:
            found[reply.score.label][reply.arm] += 1
    return {label: counts for label, counts in found.items() if counts}


def _label_cases(replies: Sequence[Reply]) -> Mapping[str, Mapping[Arm, int]]:
    """Several agents, or repeats, may fall short of one case in the same way."""
    known = {
        (reply.score.label, reply.arm, reply.case): None
        for reply in replies
        if reply.score is not None and reply.score.label
    }
    found: dict[str, Counter[Arm]] = {}
    for label, arm, _ in known:
        found.setdefault(label, Counter())[arm] += 1
    return found


def _made_up(replies: Sequence[Reply]) -> tuple[tuple[str, Mapping[Arm, int]], ...]:
    found: dict[str, Counter[Arm]] = {}
    for reply in replies:
        for value in dict.fromkeys(reply.score.made_up if reply.score else ()):
            found.setdefault(value, Counter())[reply.arm] += 1
    return tuple(sorted(found.items(), key=lambda entry: (-sum(entry[1].values()), entry[0])))


def _means(replies: Sequence[Reply]) -> Mapping[tuple[str, Arm], float]:
    """Repeats of an agent first, then agents."""
    values: dict[tuple[str, Arm], dict[str, list[float]]] = {}
    for reply in replies:
        if reply.score is not None:
            values.setdefault((reply.case, reply.arm), {}).setdefault(reply.agent, []).append(reply.score.value)
    return {
        key: sum(sum(repeats) / len(repeats) for repeats in agents.values()) / len(agents)
        for key, agents in values.items()
    }
