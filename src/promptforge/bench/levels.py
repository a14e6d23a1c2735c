"""How well one arm does: Wilson intervals of its means, never used for a difference (design 5.1)."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from promptforge.bench.results import Level
from promptforge.bench.stats import ALPHA

__all__ = ["Mark", "category_levels", "effective_size", "overall_level", "wilson"]

_FULL = 1 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The score of one case under one arm, repeats and agents averaged."""

    category: str
    cluster: str
    value: float
    tier: str = ""


def wilson(mean: float, size: float, *, alpha: float = ALPHA) -> tuple[float, float]:
    """The interval of a rate over so many independent cases; of a fractional score it errs wide.

    >>> tuple(round(limit, 3) for limit in wilson(28 / 40, 40))
    (0.546, 0.819)
    """
    from statistics import NormalDist  # see there

    z = NormalDist().inv_cdf(1 - alpha / 2)
    scale = 1 + z * z / size
    centre = (mean + z * z / (2 * size)) / scale
    half = z * math.sqrt(mean * (1 - mean) / size + z * z / (4 * size * size)) / scale
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))


def effective_size(sizes: Iterable[int]) -> float:
    """The number of independent cases that clusters of these sizes are worth.

    >>> effective_size([1, 1, 1]), effective_size([3]), effective_size([2, 1, 1])
    (3.0, 1.0, 2.6666666666666665)
    """
    counted = list(sizes)
    return sum(counted) ** 2 / sum(size * size for size in counted)


def category_levels(marks: Iterable[Mark], *, alpha: float = ALPHA) -> dict[str, Level]:
    """The mean of each category with its interval, in order of appearance."""
    return {name: _level(own, alpha) for name, own in _grouped(marks).items()}


def overall_level(marks: Sequence[Mark], *, alpha: float = ALPHA) -> Level:
    """The unweighted mean over categories, with the interval that MOVER makes of those of the categories.

    Two categories that share a cluster are taken to move together wholly, any others not at all.
    """
    grouped = _grouped(marks)
    levels = [_level(own, alpha) for own in grouped.values()]
    shared = [{mark.cluster for mark in own} for own in grouped.values()]
    value = math.fsum(level.value for level in levels) / len(levels)
    down = _together([level.value - level.low for level in levels], shared)
    up = _together([level.high - level.value for level in levels], shared)
    return Level(
        value=value,
        low=max(0.0, value - down / len(levels)),
        high=min(1.0, value + up / len(levels)),
        cases=len(marks),
        effective=math.fsum(level.effective for level in levels),
        full=sum(level.full for level in levels),
    )


def _grouped(marks: Iterable[Mark]) -> dict[str, list[Mark]]:
    grouped: dict[str, list[Mark]] = {}
    for mark in marks:
        grouped.setdefault(mark.category, []).append(mark)
    return grouped


def _level(marks: Sequence[Mark], alpha: float) -> Level:
    sizes: dict[str, int] = {}
    for mark in marks:
        sizes[mark.cluster] = sizes.get(mark.cluster, 0) + 1
    effective = effective_size(sizes.values())
    value = math.fsum(mark.value for mark in marks) / len(marks)
    low, high = wilson(value, effective, alpha=alpha)
    full = sum(mark.value >= _FULL for mark in marks)
    return Level(value=value, low=low, high=high, cases=len(marks), effective=effective, full=full)


def _together(distances: Sequence[float], shared: Sequence[Collection[str]]) -> float:
    """The root of Σ ρ·d·d over all pairs of categories."""
    total = 0.0
    for one, (first, clusters) in enumerate(zip(distances, shared, strict=True)):
        for other, second in enumerate(distances):
            if one == other or not set(clusters).isdisjoint(shared[other]):
                total += first * second
    return math.sqrt(total)
