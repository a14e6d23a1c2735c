"""How often the judgement of the bench is right: many comparisons of arms whose truth is known.

    python benchmarks/judgement.py [--comparisons 10000] [--draws 10000] [--processes 2] [--seed 1]

Each comparison is made by promptforge's own code (`bench.stats.overall`) on answers that are drawn here. Arms that are
equal in probability must be called different at most at the nominal rate, 5 %, plus two standard errors; a truly better
arm must be called better as often as theory says (exact McNemar's power, over the number of cases that differ), to
three. The last columns are how many of the 95 % intervals hold the true difference, and the time. Fewer draws than the
100,000 of a real comparison leave the rates as they are, and take a tenth of the time. Ends with 1 where a bound is not
kept.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import binom

from promptforge.bench.stats import Pair, fewest, mcnemar, overall

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
CATEGORIES = 8
ALPHA = 0.05
BLOCK = 250
"""So many comparisons are one piece of work for a process."""


@dataclass(frozen=True)
class Scenario:
    """What is drawn, and what is true of it."""

    name: str
    cases: int
    draw: Draw
    """(before, after) of each cluster's cases, one row a comparison."""
    cluster: int = 1
    """Cases a cluster; `draw` gives them one after the other."""
    seen_as: int = 1
    """Cases a cluster as the test is told."""
    gain: float = 0.0
    theory: float | None = None
    uneven: bool = False
    """Categories of very unequal size."""
    misled: bool = False
    """Shown to warn: no bound is expected to hold."""


# --- what is drawn ----------------------------------------------------------------------------------------------------


def alike(rng: np.random.Generator, cases: int, *, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Both arms pass each case with the same probability, which differs from case to case."""
    p = rng.beta(2 * rate, 2 * (1 - rate), size=cases)
    return (rng.random(cases) < p).astype(float), (rng.random(cases) < p).astype(float)


def fractional(rng: np.random.Generator, cases: int, *, checks: int) -> tuple[np.ndarray, np.ndarray]:
    """Both arms meet each of a few checks with the same probability."""
    p = rng.beta(1.4, 0.6, size=cases)
    return rng.binomial(checks, p) / checks, rng.binomial(checks, p) / checks


def clustered(rng: np.random.Generator, cases: int, *, size: int, checks: int) -> tuple[np.ndarray, np.ndarray]:
    """Each arm knows a fact or does not, with the same probability; the cases of a fact mostly follow it."""
    knows = [np.repeat(rng.random(-(-cases // size)) < 0.6, size)[:cases] for _ in range(2)]
    before, after = (rng.binomial(checks, np.where(known, 0.9, 0.15)) / checks for known in knows)
    return before, after


def shifted(
    rng: np.random.Generator, cases: int, *, gain: float, discordance: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pass/fail cases of which a share differs, more of them for the better; the cases of a cluster go together."""
    units = -(-cases // size)
    kind = rng.random(units)
    up, down = (discordance + gain) / 2, (discordance - gain) / 2
    same = (rng.random(units) < 0.5).astype(float)
    before = np.where(kind < up, 0.0, np.where(kind < up + down, 1.0, same))
    after = np.where(kind < up, 1.0, np.where(kind < up + down, 0.0, same))
    return np.repeat(before, size)[:cases], np.repeat(after, size)[:cases]


def power(units: int, gain: float, discordance: float) -> float:
    """How often exact McNemar calls the better arm better."""
    total = 0.0
    for differ in range(units + 1):
        fixed = np.arange(differ + 1)
        called = np.array([mcnemar(int(f), differ - int(f)) <= ALPHA and 2 * f > differ for f in fixed])
        share = binom.pmf(fixed, differ, (discordance + gain) / (2 * discordance))
        total += float(binom.pmf(differ, units, discordance) * share[called].sum())
    return total


def scenarios() -> list[Scenario]:
    """Equal arms first, then better ones."""
    found = [
        Scenario("equal, pass/fail", 40, partial(alike, rate=0.7)),
        Scenario("equal, pass/fail", 109, partial(alike, rate=0.7)),
        Scenario("equal, pass/fail, uneven categories", 109, partial(alike, rate=0.7), uneven=True),
        Scenario("equal, 4 checks a case", 109, partial(fractional, checks=4)),
        Scenario("equal, 4 checks, uneven categories", 109, partial(fractional, checks=4), uneven=True),
        Scenario("equal, pass/fail, 3 cases a fact", 108, partial(clustered, size=3, checks=1), 3, 3),
        Scenario("equal, 4 checks, 3 cases a fact", 108, partial(clustered, size=3, checks=4), 3, 3),
        Scenario("equal, 4 checks, 9 cases a fact", 108, partial(clustered, size=9, checks=4), 9, 9, uneven=True),
        Scenario("the same, facts not seen", 108, partial(clustered, size=9, checks=4), 9, 1, uneven=True, misled=True),
    ]
    for gain, discordance in ((0.06, 0.15), (0.1, 0.2), (0.15, 0.25)):
        for cases, size in ((40, 1), (104, 1), (200, 1), (208, 2)):
            draw = partial(shifted, gain=gain, discordance=discordance, size=size)
            facts = f", {size} cases a fact" if size > 1 else ""
            name = f"better by {gain:g}, {discordance:.0%} differ{facts}"
            theory = power(cases // size, gain, discordance)
            found.append(Scenario(name, cases, draw, size, size, gain, theory))
    return found


# --- what is made of it -----------------------------------------------------------------------------------------------


def categories_of(scenario: Scenario) -> list[str]:
    """Of each case; clusters run on over the borders of categories where these are uneven."""
    if not scenario.uneven:
        return [f"k{at // scenario.cluster % CATEGORIES}" for at in range(scenario.cases)]
    shares = np.cumsum(np.geomspace(1, 12, CATEGORIES))
    ends = np.round(shares / shares[-1] * scenario.cases)
    return [f"k{int(np.searchsorted(ends, at, side='right'))}" for at in range(scenario.cases)]


def block(scenario: Scenario, count: int, draws: int, seed: tuple[int, ...]) -> tuple[int, int, int]:
    """(called better, called worse, intervals that hold the truth) of so many comparisons."""
    rng = np.random.default_rng(seed)
    categories = categories_of(scenario)
    better = worse = held = 0
    for _ in range(count):
        before, after = scenario.draw(rng, scenario.cases)
        pairs = [
            Pair(case=f"{at}", category=name, cluster=f"{at // scenario.seen_as:04}", before=b, after=a)
            for at, (name, b, a) in enumerate(zip(categories, before.tolist(), after.tolist(), strict=True))
        ]
        effect = overall(pairs, seed=int(rng.integers(2**31)), draws=draws)
        better += effect.shown and effect.estimate > 0
        worse += effect.shown and effect.estimate < 0
        held += effect.low - 1e-12 <= scenario.gain <= effect.high + 1e-12
    return better, worse, held


def judge(scenario: Scenario, better: int, worse: int, count: int) -> str:
    """Whether the bound is kept, to two standard errors."""
    if scenario.misled:
        return "(no bound)"
    if scenario.theory is None:
        bound = ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / count)
        return "kept" if (better + worse) / count <= bound else "BROKEN"
    error = math.sqrt(scenario.theory * (1 - scenario.theory) / count)
    return "kept" if abs(better / count - scenario.theory) <= 3 * error else "BROKEN"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--comparisons", type=int, default=10_000)
    options.add_argument("--draws", type=int, default=10_000)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--only", default="", metavar="TEXT", help="the scenarios whose name holds this")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    count = chosen.comparisons
    print(
        f"{count:,} comparisons each, {chosen.draws:,} draws, 5 % two-sided, at least {fewest()} clusters must differ\n"
    )
    print(f"{'arms':44}{'cases':>6}{'better':>9}{'worse':>9}{'theory':>9}  {'bound':11}{'interval holds':>14}{'s':>7}")
    kept = True
    with ProcessPoolExecutor(chosen.processes) as pool:
        for number, scenario in enumerate(scenarios()):
            if chosen.only not in scenario.name:
                continue
            start = time.perf_counter()
            sizes = [min(BLOCK, count - at) for at in range(0, count, BLOCK)]
            jobs = [
                pool.submit(block, scenario, size, chosen.draws, (chosen.seed, number, at))
                for at, size in enumerate(sizes)
            ]
            better, worse, held = (sum(part) for part in zip(*(job.result() for job in jobs), strict=True))
            bound = judge(scenario, better, worse, count)
            kept &= bound != "BROKEN"
            theory = f"{scenario.theory:9.1%}" if scenario.theory is not None else f"{'':9}"
            seconds = time.perf_counter() - start
            print(
                f"{scenario.name:44}{scenario.cases:6}{better / count:9.2%}{worse / count:9.2%}{theory}  {bound:11}"
                f"{held / count:14.1%}{seconds:7.1f}",
                flush=True,
            )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
