"""How often `fleet` calls a model better in a category though none is, and how often it sees one that is.

    python benchmarks/categories.py [--tables 1000] [--cases 14] [--categories 8] [--seed 1]

Answers are drawn here and judged by promptforge's own code (`workbench.routing`). Of tables in which three models are
equal, at most 5 % plus two standard errors may say "better" anywhere. Ends with 1 where that is not kept.
"""

import argparse
import math
import random
import sys
from collections.abc import Mapping
from itertools import combinations

from promptforge.bench.stats import Pair, overall
from promptforge.workbench.routing import Duels, best_of

EQUAL = {"a": 0.7, "b": 0.7, "c": 0.7}
ONE_BETTER = {"a": 0.5, "b": 0.5, "c": 0.9}


def table(chance: random.Random, models: Mapping[str, float], categories: int, cases: int) -> Duels:
    """Every pair of every category; each model is right with its own probability."""
    effects = {}
    for number in range(categories):
        right = {model: [chance.random() < p for _ in range(cases)] for model, p in models.items()}
        for one, two in combinations(sorted(models), 2):
            both = zip(right[one], right[two], strict=True)
            pairs = [
                Pair(case=str(n), category="k", cluster=str(n), before=x, after=y) for n, (x, y) in enumerate(both)
            ]
            effects[f"k{number}", one, two] = overall(pairs)
    return Duels(effects=effects)


def main() -> int:
    """Print both tables, and whether the bound is kept."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tables", type=int, default=1000)
    options.add_argument("--cases", type=int, default=14)
    options.add_argument("--categories", type=int, default=8)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    chance = random.Random(asked.seed)
    alone = shown = 0
    for _ in range(asked.tables):
        found = table(chance, EQUAL, asked.categories, asked.cases)
        alone += any(one.shown for one in found.effects.values())
        shown += any(found.sign(*key) for key in found.effects)
    print(f"three equal models, {asked.categories} categories of {asked.cases} cases, {asked.tables} tables")
    print(f"  a pair that alone looks shown:   {alone / asked.tables:.1%}")
    print(f"  better anywhere, as fleet says it: {shown / asked.tables:.1%}")
    won = 0
    for _ in range(asked.tables // 10):
        found = table(chance, ONE_BETTER, asked.categories, asked.cases)
        won += sum(best_of(f"k{n}", [*ONE_BETTER], found).champion == "c" for n in range(asked.categories))
    share = won / (asked.tables // 10 * asked.categories)
    print(f"one is right 9 times of 10, two 5 times: categories with that champion: {share:.1%}")
    return int(shown / asked.tables > 0.05 + 2 * math.sqrt(0.05 * 0.95 / asked.tables))


if __name__ == "__main__":
    sys.exit(main())
