"""Train, valid and test: by fact, so that no fact is on two sides; by kind and category, so that each side has all.

Rows that rest on a common fact are one group, and groups that a row joins are one. A group goes as a whole. What is
kept from training is chosen first; the rest is trained on.
"""

import random
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from promptforge.dataset.mix import Mixed
from promptforge.dataset.recipe import batch_size
from promptforge.dataset.rows import KINDS, SPLITS, Kind, Recipe, Split
from promptforge.dataset.shares import dealt

__all__ = ["Sides", "split"]

Stratum = tuple[Kind, str]

_SEVERAL = 3
"""A category of which a side should have fewer rows may well be missing there: groups go as a whole."""


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
    """A side for every row: sizes and strata as near to the shares as whole groups allow; the same seed, the same."""
    sizes, notes = _sizes(recipe, len(mixed))
    groups, single = _groups(mixed, recipe.seed)
    sides = array("B", bytes(len(mixed)))
    kept: tuple[Split, ...] = ("valid", "test")
    for side in kept:
        target = _target(mixed, sizes[side])
        filling = _Filling(mixed, groups, single, target, sizes[side])
        filling.fill()
        for at in filling.rows:
            sides[at] = SPLITS.index(side)
        if len(filling.rows) != sizes[side]:
            asked = f"{side} has {len(filling.rows):,} rows rather than {sizes[side]:,}"
            notes.append(f"{asked}: rows that share a fact stay together")
        notes += _missing(side, target, Counter(mixed.names[mixed.strata[at]] for at in filling.rows))
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


def _target(mixed: Mixed, size: int) -> "Counter[Stratum]":
    """How many rows of each stratum a side is to have: by kind first, then in each kind by category."""
    strata: dict[Kind, dict[Stratum, float]] = {}
    for number, count in sorted(Counter(mixed.strata).items()):
        name = mixed.names[number]
        strata.setdefault(name[0], {})[name] = count
    kinds = dealt(size, {kind: sum(own.values()) for kind, own in strata.items()})
    return Counter({name: rows for kind, own in strata.items() for name, rows in dealt(kinds[kind], own).items()})


def _missing(side: Split, target: "Counter[Stratum]", got: "Counter[Stratum]") -> Iterator[str]:
    """What a side should have and has none of: a kind, or a category of which it should have several rows."""
    lacking = [name for name, count in target.items() if count and not got[name]]
    kinds = dict.fromkeys(kind for kind, _ in lacking if not any(got[name] for name in got if name[0] == kind))
    several = [name for name in lacking if name[0] not in kinds and target[name] >= _SEVERAL]
    names = [*kinds, *(f"{kind} ({category})" for kind, category in several)]
    if names:
        yield f"{side} has no row of {', '.join(names)}: rows that share a fact stay together, and no such group fits"


class _Filling:
    """Fills one side out of what there is, and takes out what it uses."""

    def __init__(
        self,
        mixed: Mixed,
        groups: list[list[int]],
        single: Mapping[int, list[int]],
        target: "Counter[Stratum]",
        size: int,
    ) -> None:
        self.rows: list[int] = []
        self._names, self._strata = mixed.names, mixed.strata
        self._groups, self._single = groups, single
        self._target = target.copy()
        self._kinds: Counter[Kind] = Counter()
        for (kind, _), count in target.items():
            self._kinds[kind] += count
        self._left = size

    def fill(self) -> None:
        """Rare kinds first; groups that overfill nothing; single rows; then what fills more than it overfills."""
        for kind in KINDS:
            if kind != "infrastructure":  # which is what nearly all groups hold, and so can wait
                self._take_rare(kind)
        self._take_groups(self._fits)
        self._take_single(lambda name: min(self._target[name], self._kinds[name[0]]))
        self._take_groups(lambda counts: not self._excess(counts))
        self._take_single(lambda name: self._kinds[name[0]])
        self._take_groups(self._nearer)
        self._take_groups(lambda counts: True)
        self._take_single(lambda name: self._left)

    def _take_rare(self, kind: Kind) -> None:
        """Rows of a kind that stand in groups alone, each with as few others as can be."""
        if any(self._names[number][0] == kind and rows for number, rows in self._single.items()):
            return
        most = max(1, self._left // 4)
        while self._kinds[kind] > 0:
            choices = [
                (self._excess(counts), -counts_of_kind, number)
                for number, counts in self._holding(kind)
                if (counts_of_kind := sum(count for name, count in counts.items() if name[0] == kind))
            ]
            best = min(choices, default=(most + 1, 0, 0))
            if best[0] > most:
                return
            self._take(best[2], self._counts(self._groups[best[2]]))

    def _holding(self, kind: Kind) -> Iterator[tuple[int, "Counter[Stratum]"]]:
        numbers = {number for number, name in enumerate(self._names) if name[0] == kind}
        for number, rows in enumerate(self._groups):
            if 0 < len(rows) <= self._left and not numbers.isdisjoint([self._strata[at] for at in rows]):
                yield number, self._counts(rows)

    def _take_groups(self, wish: Callable[["Counter[Stratum]"], bool]) -> None:
        for number, rows in enumerate(self._groups):
            if 0 < len(rows) <= self._left and wish(counts := self._counts(rows)):
                self._take(number, counts)

    def _take(self, number: int, counts: "Counter[Stratum]") -> None:
        rows = self._groups[number]
        self.rows += rows
        self._note(counts)
        self._groups[number] = []

    def _take_single(self, wanted: Callable[[Stratum], int]) -> None:
        for number, rows in self._single.items():
            name = self._names[number]
            count = max(min(self._left, len(rows), wanted(name)), 0)
            if count:
                self.rows += [rows.pop() for _ in range(count)]
                self._note(Counter({name: count}))

    def _note(self, counts: "Counter[Stratum]") -> None:
        self._target.subtract(counts)
        for (kind, _), count in counts.items():
            self._kinds[kind] -= count
            self._left -= count

    def _counts(self, rows: list[int]) -> "Counter[Stratum]":
        return Counter([self._names[self._strata[at]] for at in rows])

    def _of_kinds(self, counts: "Counter[Stratum]") -> "Counter[Kind]":
        found: Counter[Kind] = Counter()
        for (kind, _), count in counts.items():
            found[kind] += count
        return found

    def _fits(self, counts: "Counter[Stratum]") -> bool:
        """Whether so many rows of each stratum, and of each kind, are still wanted."""
        return not self._excess(counts) and all(self._target[name] >= count for name, count in counts.items())

    def _excess(self, counts: "Counter[Stratum]") -> int:
        """How many rows more than wanted a group would bring, kind by kind."""
        return sum(max(0, count - max(0, self._kinds[kind])) for kind, count in self._of_kinds(counts).items())

    def _nearer(self, counts: "Counter[Stratum]") -> bool:
        """Whether a group fills more than it overfills."""
        gain = sum(
            abs(self._kinds[kind]) - abs(self._kinds[kind] - count) for kind, count in self._of_kinds(counts).items()
        )
        return gain > 0
