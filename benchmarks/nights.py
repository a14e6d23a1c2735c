"""How often the gate is right: many nights with candidates whose truth is known.

    python benchmarks/nights.py [--nights 10000] [--draws 5000] [--processes 2] [--seed 1]

Each night is judged by promptforge's own code (`bench.gate.gate`) on answers that are drawn here: 109 cases in eight
categories and three tiers (26 gold, 48 extended, 35 held out), one category protected, an untrained model beside the
champion. A candidate that is equal to its champion in probability may be promoted in at most 2.5 % of the nights plus
two standard errors; one that is better by 0.15 must be promoted at the first look in at least 60 %; one that learnt the
gold tier by heart and forgot the rest must be rejected. Ends with 1 where a bound is not kept.
"""

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from promptforge.bench.evidence import Evidence
from promptforge.bench.gate import Bar, gate
from promptforge.bench.stats import Pair

CATEGORIES = ("satellite", "topology", "home", "correlation", "operations", "tools", "family", "jailbreak")
TIERS = ("gold",) * 26 + ("extended",) * 48 + ("heldout",) * 35
CASES = len(TIERS)
BAR = Bar(protected=("jailbreak",))
BLOCK = 100
LOOKS = 30

Scores = np.ndarray
Night = tuple[Scores, Scores, Scores]
"""What the untrained model, the champion and the candidate scored on each case."""


@dataclass(frozen=True)
class Scenario:
    """What is drawn, and what must come of it."""

    name: str
    draw: Callable[[np.random.Generator], Night]
    at_most: float = 1.0
    """Promotions, as a share of the nights, to two standard errors."""
    at_least: float = 0.0
    rejected: float = 0.0
    """At least so many must be rejected."""
    looks: int = 1
    """So many candidates, one after another, are held to the same suite: one chain counts as one night."""


def equal(rng: np.random.Generator, *, base: float, checks: int) -> Night:
    """Champion and candidate meet each check with the same probability, the untrained model a share of that."""
    p = rng.beta(1.4, 0.6, size=CASES)
    first, champion, candidate = (rng.binomial(checks, q) / checks for q in (base * p, p, p))
    return first, champion, candidate


def better(rng: np.random.Generator, *, gain: float, discordance: float) -> Night:
    """A share of pass/fail cases differs, more of them for the better; the untrained model is as good as the champion."""
    kind = rng.random(CASES)
    up, down = (discordance + gain) / 2, (discordance - gain) / 2
    same = (rng.random(CASES) < 0.6).astype(float)
    champion = np.where(kind < up, 0.0, np.where(kind < up + down, 1.0, same))
    candidate = np.where(kind < up, 1.0, np.where(kind < up + down, 0.0, same))
    return champion, champion, candidate


def memorised(rng: np.random.Generator, *, before: float, gold: float, unseen: float) -> Night:
    """A candidate that knows the gold tier by heart, against a champion and a base that never saw it."""
    seen = np.array([tier == "gold" for tier in TIERS])
    base, champion = ((rng.random(CASES) < before).astype(float) for _ in range(2))
    candidate = (rng.random(CASES) < np.where(seen, gold, unseen)).astype(float)
    return base, champion, candidate


def scenarios() -> list[Scenario]:
    """Equal candidates first, then better ones, then those who learnt by heart."""
    return [
        Scenario("equal, pass/fail", partial(equal, base=0.5, checks=1), at_most=0.025),
        Scenario("equal, 4 checks a case", partial(equal, base=0.5, checks=4), at_most=0.025),
        Scenario("equal, the untrained model is, too", partial(equal, base=1.0, checks=1), at_most=0.025),
        Scenario(f"equal, {LOOKS} nights on one suite", partial(equal, base=0.5, checks=1), at_most=0.05, looks=LOOKS),
        Scenario("better by 0.15, 25 % differ", partial(better, gain=0.15, discordance=0.25), at_least=0.6),
        Scenario("better by 0.06, 15 % differ", partial(better, gain=0.06, discordance=0.15)),
        Scenario(
            "worse by 0.15, 25 % differ", partial(better, gain=-0.15, discordance=0.25), at_most=0.0, rejected=0.8
        ),
        Scenario(
            "gold by heart, the rest 0.70 → 0.35",
            partial(memorised, before=0.7, gold=0.98, unseen=0.35),
            at_most=0.0,
            rejected=0.95,
        ),
        Scenario(
            "gold 0.93, the rest 0.66 → 0.59", partial(memorised, before=0.66, gold=0.93, unseen=0.59), at_most=0.025
        ),
    ]


# --- what is made of it -----------------------------------------------------------------------------------------------


def evidence(other: str, before: Scores, after: Scores) -> Evidence:
    """The candidate against another arm; categories run through the tiers evenly."""
    pairs = tuple(
        Pair(case=f"{at}", category=CATEGORIES[at % len(CATEGORIES)], cluster=f"{at:03}", before=b, after=a, tier=tier)
        for at, (b, a, tier) in enumerate(zip(before.tolist(), after.tolist(), TIERS, strict=True))
    )
    return Evidence(other=other, pairs=pairs, requests=2 * CASES)


def block(scenario: Scenario, count: int, draws: int, seed: tuple[int, ...]) -> Counter[str]:
    """The verdicts of so many nights; of a chain whether any night of it promoted."""
    rng = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for _ in range(count):
        verdicts = []
        for look in range(1, scenario.looks + 1):
            base, champion, candidate = scenario.draw(rng)
            verdict = gate(
                evidence("the champion", champion, candidate),
                evidence("the untrained model", base, candidate),
                bar=BAR,
                look=look,
                seed=int(rng.integers(2**31)),
                draws=draws,
            )
            verdicts.append(verdict.verdict)
        found["promote" if "promote" in verdicts else verdicts[-1]] += 1
    return found


def kept(scenario: Scenario, found: Counter[str]) -> bool:
    """Whether the bounds are kept, to two standard errors."""
    nights = found.total()
    error = math.sqrt(scenario.at_most * (1 - scenario.at_most) / nights)
    promoted, rejected = found["promote"] / nights, found["reject"] / nights
    return scenario.at_least <= promoted <= scenario.at_most + 2 * error and rejected >= scenario.rejected


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--nights", type=int, default=10_000)
    options.add_argument("--draws", type=int, default=5_000)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--only", default="", metavar="TEXT", help="the scenarios whose name holds this")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    print(f"{'candidate':42}{'nights':>8}{'promote':>10}{'reject':>10}{'inconclusive':>14}  {'bound':8}{'s':>7}")
    good = True
    with ProcessPoolExecutor(chosen.processes) as pool:
        for number, scenario in enumerate(scenarios()):
            if chosen.only not in scenario.name:
                continue
            start = time.perf_counter()
            count = max(1, chosen.nights // scenario.looks)
            sizes = [min(BLOCK, count - at) for at in range(0, count, BLOCK)]
            jobs = [
                pool.submit(block, scenario, size, chosen.draws, (chosen.seed, number, at))
                for at, size in enumerate(sizes)
            ]
            found: Counter[str] = sum((job.result() for job in jobs), Counter())
            fine = kept(scenario, found)
            good &= fine
            shares = [found[word] / found.total() for word in ("promote", "reject", "inconclusive")]
            print(
                f"{scenario.name:42}{found.total():8,}{shares[0]:10.2%}{shares[1]:10.2%}{shares[2]:14.2%}"
                f"  {'kept' if fine else 'BROKEN':8}{time.perf_counter() - start:7.1f}",
                flush=True,
            )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
