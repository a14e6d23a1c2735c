"""Train, valid and test: by fact, so that no fact is on two sides; by kind and category, so that each side has all.

Rows that rest on a common fact are one group, and groups that a row joins are one. A group goes as a whole. What is
kept from training is chosen first; the rest is trained on.
"""

import random
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from promptforge.dataset.mix import Mixed
from promptforge.dataset.recipe import batch_size
from promptforge.dataset.rows import SPLITS, Recipe, Split
from promptforge.dataset.shares import dealt

__all__ = ["Sides", "split"]


class Sides(NamedTuple):
    """Which row is on which side."""

    of_row: "array[int]"
    """The number of its side in SPLITS."""
    notes: tuple[str, ...] = ()

    def rows(self, side: Split) -> list[int]:
        """The numbers of the rows of a side, in the order in which they were taken."""
        number = SPLITS.index(side)
        return [at for at, own in enumerate(self.of_row) if own == number]


def split(recipe: Recipe, mixed: Mixed) -> Sides:
    """A side for every row: sizes as near to the shares as whole groups allow; the same seed gives the same."""
    sizes, notes = _sizes(recipe, len(mixed))
    groups, single = _groups(mixed, recipe.seed)
    targets = _targets(mixed, sizes)
    sides = array("B", bytes(len(mixed)))
    kept: tuple[Split, ...] = ("valid", "test")
    for side in kept:
        chosen = list(_chosen(groups, single, mixed.strata, targets[side], sizes[side]))
        for at in chosen:
            sides[at] = SPLITS.index(side)
        if len(chosen) != sizes[side]:
            asked = f"{side} has {len(chosen):,} rows rather than {sizes[side]:,}"
            notes.append(f"{asked}: rows that share a fact stay together")
    return Sides(sides, tuple(notes))


def _sizes(recipe: Recipe, rows: int) -> tuple[dict[Split, int], list[str]]:
    """Rows a side, none below the trainer's batch."""
    wanted: dict[Split, float] = {"train": 1 - recipe.valid - recipe.test, "valid": recipe.valid, "test": recipe.test}
    sizes, notes = dealt(rows, wanted), []
    kept: tuple[Split, ...] = ("valid", "test")
    for side in kept:
        least = min(batch_size(recipe), rows // 3)
        if wanted[side] and sizes[side] < least:
            notes.append(f"{side} has {least} rows, not {sizes[side]}: a trainer takes {batch_size(recipe)} at once")
            sizes["train"] -= least - sizes[side]
            sizes[side] = least
    return sizes, notes


def _groups(mixed: Mixed, seed: int) -> tuple[list[list[int]], dict[int, list[int]]]:
    """Rows that stay together, larger groups first, so that small ones fill what is left; and by stratum the others."""
    groups: dict[int, list[int]] = {}
    single: dict[int, list[int]] = {}
    for at, (fact, stratum) in enumerate(zip(mixed.facts, mixed.strata, strict=True)):
        if fact < 0:
            single.setdefault(stratum, []).append(at)
        else:
            groups.setdefault(mixed.ties.group(fact), []).append(at)
    chance = random.Random(f"{seed} groups")
    order = [groups[group] for group in sorted(groups)]
    chance.shuffle(order)
    order.sort(key=len, reverse=True)
    for stratum in sorted(single):
        chance.shuffle(single[stratum])
    return order, single


def _targets(mixed: Mixed, sizes: Mapping[Split, int]) -> Mapping[Split, Counter[int]]:
    """For each side how many rows of each stratum."""
    strata = Counter(mixed.strata)
    return {side: Counter(dealt(sizes[side], dict(sorted(strata.items())))) for side in SPLITS}


def _chosen(
    groups: list[list[int]],
    single: Mapping[int, list[int]],
    strata: "array[int]",
    target: Counter[int],
    size: int,
) -> Iterator[int]:
    """The rows of a side, taken out of what there is.

    Groups that overfill no stratum; then single rows; then groups that fill more than they overfill; then what fits.
    """
    left = size
    for wish in (_fits, None, _nearer, _anything):
        if wish is None:
            for stratum, rows in single.items():
                count = max(min(left, len(rows), target[stratum]), 0)
                for _ in range(count):
                    yield rows.pop()
                target[stratum] -= count
                left -= count
            continue
        for number, rows in enumerate(groups):
            counts = Counter([strata[at] for at in rows]) if 0 < len(rows) <= left else None
            if counts and wish(counts, target):
                target.subtract(counts)
                left -= len(rows)
                yield from rows
                groups[number] = []
    for rows in single.values():
        while left and rows:
            yield rows.pop()
            left -= 1


def _fits(counts: Mapping[int, int], target: Mapping[int, int]) -> bool:
    """Whether so many rows of each stratum are still wanted."""
    return all(target[stratum] >= count for stratum, count in counts.items())


def _anything(counts: Mapping[int, int], target: Mapping[int, int]) -> bool:
    return True


def _nearer(counts: Mapping[int, int], target: Mapping[int, int]) -> bool:
    """Whether so many rows of each stratum fill more than they overfill."""
    gain = sum(abs(target[stratum]) - abs(target[stratum] - count) for stratum, count in counts.items())
    return gain > 0
