"""How often the interval of a single arm's OVERALL holds the truth: many suites whose true rates are known.

    python benchmarks/levels.py [--suites 10000] [--seed 1]

Each interval is made by promptforge's own code (`bench.levels.overall_level`: Wilson for each category, MOVER for their
mean) on answers that are drawn here, pass or fail, eight categories, no fact in common. It states what it finds, and
judges nothing: the formula is DESIGN 5.1's. 10,000 suites a row are exact to about half a percentage point.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from promptforge.bench.levels import Mark, overall_level

MIXED = (0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97)
SCENARIOS: Sequence[tuple[str, int, Sequence[float]]] = [
    *(
        (f"all categories {100 * rate:.0f} %", size, (rate,) * 8)
        for rate in (0.5, 0.7, 0.9, 0.97)
        for size in (5, 13, 40)
    ),
    *(("20 % to 97 %", size, MIXED) for size in (5, 13, 40)),
]
"""What the categories' true rates are, how many cases each has, and the rates."""


def coverage(rng: np.random.Generator, size: int, rates: Sequence[float], suites: int) -> tuple[float, float]:
    """The share of intervals that hold the true mean, and their mean width."""
    truth = sum(rates) / len(rates)
    held, width = 0, 0.0
    for passed in rng.binomial(size, rates, size=(suites, len(rates))):
        marks = [
            Mark(category=str(category), cluster=f"{category}-{case}", value=float(case < count))
            for category, count in enumerate(passed)
            for case in range(size)
        ]
        level = overall_level(marks)
        held += level.low <= truth <= level.high
        width += level.high - level.low
    return held / suites, width / suites


def main() -> int:
    """Print a row for each scenario."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--suites", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    print("| true rates | cases a category | interval holds the mean | mean width |\n| --- | ---: | ---: | ---: |")
    for name, size, rates in SCENARIOS:
        share, width = coverage(rng, size, rates, chosen.suites)
        print(f"| {name} | {size} | {100 * share:.1f} % | {width:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
