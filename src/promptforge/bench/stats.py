"""What a paired difference shows: the sign-flip test by clusters, its interval, and what a suite can see (design 5.1).

Owns numpy, which is loaded when something is computed. The rest is short arithmetic of the standard library;
SciPy and statsmodels check it in the tests, so that a comparison need not wait a second for their import.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from promptforge.bench.cases import TIERS
from promptforge.bench.results import Effect
from promptforge.errors import ExtraMissingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

__all__ = [
    "ALPHA",
    "DRAWS",
    "FlipTest",
    "Pair",
    "benjamini_hochberg",
    "cases_needed",
    "categories",
    "clusters",
    "fewest",
    "flip_test",
    "mcnemar",
    "overall",
    "p_better",
    "p_worse",
    "smallest_detectable",
    "tiers",
]

ALPHA = 0.05
DRAWS = 100_000
_EXACT = 20
"""So many clusters with a difference are tried in all patterns of signs: half a million, the other half mirrors it."""
_TOLERANCE = 1e-12
_POWER_Z = 0.84
"""Of the normal distribution at 80 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One case under both arms, repeats and agents averaged."""

    case: str
    category: str
    cluster: str
    before: float
    after: float
    tier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipTest:
    """The sign-flip test of a difference against `delta`."""

    estimate: float
    differing: int
    """Clusters that differ from what `delta` says."""
    p: float
    p_worse: float
    """One-sided: how often chance gives a difference this low."""
    p_better: float
    """One-sided: how often chance gives a difference this high."""
    exact: bool


# --- effects ----------------------------------------------------------------------------------------------------------


def overall(pairs: Sequence[Pair], *, alpha: float = ALPHA, seed: int = 0, draws: int = DRAWS) -> Effect:
    """The difference of the unweighted means over categories, tested and with its interval."""
    sums = _sums(pairs)
    if len(sums.x) <= _EXACT:
        a, b = _all_signs(sums.x), _all_signs(sums.w)
        test = _test(sums.x, seed=seed, draws=draws)
        spare = math.floor(alpha * len(a) + _TOLERANCE)
    else:
        a, b = _drawn_signs([sums.x, sums.w], seed=seed, draws=draws)
        test = _test(sums.x, seed=seed, draws=draws, drawn=a)
        spare = math.floor(alpha * (1 + draws) - 1 + _TOLERANCE)
    low, high = _with_verdict(*_interval(a, b, test.estimate, spare), test, alpha)
    effective = 1 / math.fsum(w * w for w in sums.w)
    discordance = effective * math.fsum(x * x for x in sums.x)
    too_few = test.differing < fewest(alpha)
    most = math.fsum(abs(x) for x in sums.x)
    seen = None if too_few else smallest_detectable(effective, discordance, most=most, alpha=alpha)
    return Effect(
        cases=len(pairs),
        clusters=len(sums.x),
        differing=test.differing,
        before=sums.before,
        after=sums.after,
        estimate=test.estimate,
        low=low,
        high=high,
        p=test.p,
        p_worse=test.p_worse,
        p_better=test.p_better,
        exact=test.exact,
        too_few=too_few,
        detectable=seen,
        effective=effective,
        discordance=discordance,
        most=most,
    )


def categories(pairs: Iterable[Pair], *, alpha: float = ALPHA, seed: int = 0, draws: int = DRAWS) -> dict[str, Effect]:
    """Each category by its own cases, in order of appearance, with p-values adjusted over this table."""
    grouped: dict[str, list[Pair]] = {}
    for pair in pairs:
        grouped.setdefault(pair.category, []).append(pair)
    effects = {name: overall(own, alpha=alpha, seed=seed, draws=draws) for name, own in grouped.items()}
    adjusted = benjamini_hochberg([effect.p for effect in effects.values()])
    return {name: replace(effect, p_adjusted=p) for (name, effect), p in zip(effects.items(), adjusted, strict=True)}


def tiers(pairs: Iterable[Pair], *, alpha: float = ALPHA, seed: int = 0, draws: int = DRAWS) -> dict[str, Effect]:
    """Each tier that has cases, weighted within itself as the whole is."""
    grouped: dict[str, list[Pair]] = {}
    for pair in pairs:
        grouped.setdefault(pair.tier, []).append(pair)
    order = [tier for tier in (*TIERS, *sorted(set(grouped) - set(TIERS))) if tier in grouped]
    return {tier: overall(grouped[tier], alpha=alpha, seed=seed, draws=draws) for tier in order}


def flip_test(pairs: Sequence[Pair], *, delta: float = 0.0, seed: int = 0, draws: int = DRAWS) -> FlipTest:
    """The test of the overall difference against `delta`, which a gate calls its smallest gain."""
    sums = _sums(pairs)
    shifted = [x - delta * w for x, w in zip(sums.x, sums.w, strict=True)]
    test = _test(shifted, seed=seed, draws=draws)
    return replace(test, estimate=math.fsum(sums.x))


def p_better(pairs: Sequence[Pair], *, above: float = 0.0, seed: int = 0, draws: int = DRAWS) -> float:
    """One-sided: small where the difference is shown to be above `above`."""
    return flip_test(pairs, delta=above, seed=seed, draws=draws).p_better


def p_worse(pairs: Sequence[Pair], *, below: float = 0.0, seed: int = 0, draws: int = DRAWS) -> float:
    """One-sided: small where the difference is shown to be below `below`."""
    return flip_test(pairs, delta=below, seed=seed, draws=draws).p_worse


def fewest(alpha: float = ALPHA, *, one_sided: bool = False) -> int:
    """How many clusters must differ before any outcome can be significant.

    >>> fewest(), fewest(one_sided=True)
    (6, 5)
    """
    count = 0
    while 2.0 ** ((0 if one_sided else 1) - count) > alpha:
        count += 1
    return count


# --- sums by cluster --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sums:
    """Weighted sums of each cluster. They stand by name, so that the order of the cases does not matter to a draw."""

    x: list[float]
    w: list[float]
    before: float
    after: float


def _sums(pairs: Sequence[Pair]) -> _Sums:
    if not pairs:
        raise ValueError("no pairs")
    if not find_spec("numpy"):
        raise ExtraMissingError("a test of a difference", "bench")
    sizes: dict[str, int] = {}
    for pair in pairs:
        sizes[pair.category] = sizes.get(pair.category, 0) + 1
    parts: dict[str, list[tuple[float, float]]] = {}
    weighted = []
    for pair in pairs:
        weight = 1 / (len(sizes) * sizes[pair.category])
        parts.setdefault(pair.cluster, []).append((weight * (pair.after - pair.before), weight))
        weighted.append((weight * pair.before, weight * pair.after))
    names = sorted(parts)
    return _Sums(  # fsum, because its result does not depend on the order
        x=[math.fsum(x for x, _ in parts[name]) for name in names],
        w=[math.fsum(w for _, w in parts[name]) for name in names],
        before=math.fsum(before for before, _ in weighted),
        after=math.fsum(after for _, after in weighted),
    )


# --- the test ---------------------------------------------------------------------------------------------------------


def _test(x: Sequence[float], *, seed: int, draws: int, drawn: "Numbers | None" = None) -> FlipTest:
    """Flip the sign of each cluster, and count how often the sum is as far from zero as it is."""
    import numpy as np

    total = math.fsum(x)
    differing = [value for value in x if abs(value) > _TOLERANCE]
    exact = len(differing) <= _EXACT
    if exact:
        half = _all_signs(differing)
        count: float = 2 * len(half)
        high = np.count_nonzero(half >= total - _TOLERANCE) + np.count_nonzero(-half >= total - _TOLERANCE)
        low = np.count_nonzero(half <= total + _TOLERANCE) + np.count_nonzero(-half <= total + _TOLERANCE)
        both = 2 * np.count_nonzero(np.abs(half) >= abs(total) - _TOLERANCE)
    else:
        sums = _drawn_signs([x], seed=seed, draws=draws)[0] if drawn is None else drawn
        count = 1 + draws  # what was seen is one of the patterns that chance may give
        high = 1 + np.count_nonzero(sums >= total - _TOLERANCE)
        low = 1 + np.count_nonzero(sums <= total + _TOLERANCE)
        both = 1 + np.count_nonzero(np.abs(sums) >= abs(total) - _TOLERANCE)
    return FlipTest(
        estimate=total,
        differing=len(differing),
        p=float(both / count),
        p_worse=float(low / count),
        p_better=float(high / count),
        exact=exact,
    )


def _all_signs(values: Sequence[float]) -> "Numbers":
    """The sums under every pattern of signs whose first sign is plus; the others are their negatives."""
    import numpy as np

    sums = np.array(values[:1] or [0.0], dtype=np.float64)
    for value in values[1:]:
        sums = np.concatenate((sums + value, sums - value))
    return sums


def _drawn_signs(columns: Sequence[Sequence[float]], *, seed: int, draws: int) -> "list[Numbers]":
    """The sums of each column under the same seeded random signs.

    One random byte is eight signs, and the 256 sums that it can give are made once: a tenth of a product's time, and
    the matrix of signs, 2 GB for 20,000 clusters, is never held. The same seed gives the same matrix for any values.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    signs = 1.0 - 2.0 * ((np.arange(256)[:, None] >> np.arange(8)) & 1)
    sums, found = [np.zeros(draws) for _ in columns], np.empty(draws)
    for start in range(0, len(columns[0]), 8):
        byte = generator.integers(0, 256, size=draws, dtype=np.uint8).astype(np.intp)
        for total, column in zip(sums, columns, strict=True):
            part = np.array(column[start : start + 8])
            if part.any():
                np.take(signs[:, : len(part)] @ part, byte, out=found, mode="clip")
                total += found
    return sums


# --- the interval -----------------------------------------------------------------------------------------------------


def _interval(a: "Numbers", b: "Numbers", estimate: float, spare: int) -> tuple[float, float]:
    """Every delta in [-1, 1] that the test would not reject, solved instead of searched.

    With a = Σ s·x and b = Σ s·w, a pattern of signs counts against delta where |a − delta·b| ≥ |D − delta|: between
    (D − a)/(1 − b) and (D + a)/(1 + b), the mean differences of the flipped clusters and of the others. D lies between
    them, so p falls on both sides of D, and the limits are order statistics of those means: outside them at most
    `spare` patterns count.
    """
    import numpy as np

    if spare < 0:
        return -1.0, 1.0
    some = np.abs(b) < 1 - 1e-9  # under one and the same sign for all, every delta is as extreme
    flipped = np.divide(estimate - a, 1 - b, out=np.full_like(a, -np.inf), where=some)
    others = np.divide(estimate + a, 1 + b, out=np.full_like(a, np.inf), where=some)
    low = float(np.partition(np.minimum(flipped, others), spare)[spare])
    high = -float(np.partition(-np.maximum(flipped, others), spare)[spare])
    return max(-1.0, low), min(1.0, high)


def _with_verdict(low: float, high: float, test: FlipTest, alpha: float) -> tuple[float, float]:
    """The interval holds 0 just where the test does not reject it: the test may be exact where the interval draws."""
    low, high = (0.0 if abs(limit) <= _TOLERANCE else limit for limit in (low, high))
    if test.p > alpha:
        return min(low, 0.0), max(high, 0.0)
    return (max(low, _TOLERANCE), high) if test.estimate > 0 else (low, min(high, -_TOLERANCE))


# --- what a suite can see ---------------------------------------------------------------------------------------------


def smallest_detectable(
    effective: float, discordance: float, *, most: float | None = None, alpha: float = ALPHA
) -> float | None:
    """About the smallest difference shown four times out of five; None: none at this discordance.

    `effective` is the number of independent cases, `most` what the differing ones can give (pass/fail: all of them).
    """
    most = discordance if most is None else most
    z, root = _z(alpha), math.sqrt(effective)
    if discordance <= 0 or root <= z:
        return None
    # δ·√n − z·√ψ = 0.84·√(ψ − δ²), squared, and its larger root
    scale, shift = effective + _POWER_Z**2, root * z * math.sqrt(discordance)
    rest = discordance * (z * z - _POWER_Z**2)
    delta = (shift + math.sqrt(max(0.0, shift * shift - scale * rest))) / scale
    return delta if delta <= most + _TOLERANCE else None


def cases_needed(
    gain: float, discordance: float, *, most: float | None = None, per_case: float = 1.0, alpha: float = ALPHA
) -> int | None:
    """About how many cases show a difference four times out of five; None: none do at this discordance.

    `per_case` is how many independent cases one case is worth: less than 1 where cases share facts.
    """
    most = discordance if most is None else most
    if gain == 0 or abs(gain) > most + _TOLERANCE:
        return None
    spread = math.sqrt(max(0.0, discordance - gain * gain))
    effective = ((_z(alpha) * math.sqrt(discordance) + _POWER_Z * spread) / gain) ** 2
    return math.ceil(effective / per_case - 1e-9)


def _z(alpha: float) -> float:
    from statistics import NormalDist  # it loads decimals and fractions: a few ms that not every command needs

    return NormalDist().inv_cdf(1 - alpha / 2)


# --- others -----------------------------------------------------------------------------------------------------------


def benjamini_hochberg(ps: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted for their number: the false discovery rate at which each would be called.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    (0.03, 0.04, 0.04)
    """
    adjusted = [1.0] * len(ps)
    least = 1.0
    for rank, at in reversed(list(enumerate(sorted(range(len(ps)), key=ps.__getitem__), 1))):
        least = min(least, ps[at] * len(ps) / rank)
        adjusted[at] = least
    return tuple(adjusted)


def mcnemar(fixed: int, broke: int) -> float:
    """The exact two-sided test of pass/fail cases, each its own cluster.

    >>> [mcnemar(flips, 0) for flips in (3, 4, 5, 6)]
    [0.25, 0.125, 0.0625, 0.03125]
    """
    count = fixed + broke
    ways = term = 1
    for at in range(min(fixed, broke)):
        term = term * (count - at) // (at + 1)
        ways += term
    return min(1.0, 2 * ways / (1 << count))


def clusters(facts_by_case: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The cluster of each case: cases that rest on a common fact, directly or through others, share one.

    A cluster is named after its first case by name, so that the order in a file does not matter.
    """
    parent: dict[str, str] = {case: case for case in facts_by_case}

    def top(case: str) -> str:
        while parent[case] != case:
            parent[case] = case = parent[parent[case]]
        return case

    owner: dict[str, str] = {}
    for case, facts in facts_by_case.items():
        for fact in facts:
            first, second = sorted((top(owner.setdefault(fact, case)), top(case)))
            parent[second] = first
    return {case: top(case) for case in facts_by_case}
