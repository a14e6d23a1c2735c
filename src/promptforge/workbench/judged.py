"""A run with what it shows: the scores of each arm, and the comparisons that its arms ask for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptforge.bench.arms import arm_scores
from promptforge.bench.compare import compare
from promptforge.bench.results import Arm, ArmScores, Comparison, Run
from promptforge.bench.worth import Worth, worths

__all__ = ["Judged", "judged", "pairs_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The judgement of a run."""

    scores: tuple[ArmScores, ...]
    comparisons: tuple[Comparison, ...]
    worths: tuple[Worth, ...] = ()
    """Of the sections, where the run left some out."""


def judged(run: Run) -> Judged:
    """The scores of each arm, and each pair of arms that belong together compared."""
    comparisons = tuple(compare(run, before, run, after) for before, after in pairs_of(run.arms))
    return Judged(
        scores=tuple(arm_scores(run, arm) for arm in run.arms),
        comparisons=comparisons,
        worths=worths(run, comparisons),
    )


def pairs_of(arms: Sequence[Arm]) -> Iterator[tuple[Arm, Arm]]:
    """(before, after): the older revision and the newer; base and enriched; an ablation and enriched; two models."""
    found = False
    for after in arms:
        for before in arms:
            if _belong(before, after):
                found = True
                yield before, after
    if not found and len(arms) > 1:
        for after in arms[1:]:
            yield arms[0], after


def _belong(before: Arm, after: Arm) -> bool:
    if before.model != after.model:
        return False
    if before.revision != after.revision:
        return bool(before.revision) and not after.revision and before.variant == after.variant
    return after.variant == "enriched" and before.variant != "enriched"
