"""A dataset: the rows of a recipe by side, each made when it is asked for."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptforge.dataset.account import Account
from promptforge.dataset.mix import Mixed, Stock
from promptforge.dataset.replayed import Reader
from promptforge.dataset.rows import SPLITS, Kind, Recipe, Row, Split
from promptforge.dataset.split import Sides

__all__ = ["Dataset", "counted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What a recipe gives."""

    recipe: Recipe
    account: Account
    stock: Stock
    mixed: Mixed
    sides: Sides
    root: Path
    """Where the replay files lie."""
    reworded: Mapping[int, str] = field(default_factory=dict)
    """By a row's number, the question as a model put it."""

    def rows(self, side: Split) -> Iterator[Row]:
        """The rows of a side, in an order that the seed decides; the same each time."""
        order = self.sides.rows(side)
        random.Random(f"{self.recipe.seed} {side}").shuffle(order)
        with Reader(self.root, self.stock.replays) as reader:
            for at in order:
                yield self.row(at, reader)

    def row(self, at: int, reader: Reader) -> Row:
        """The row of this number."""
        if self.mixed.is_replay(at):
            return reader.row(self.mixed.wordings[at])
        seed = self.stock.seeds[self.mixed.seeds[at]]
        question = self.reworded.get(at, "")
        return self.stock.maker.row(seed, self.mixed.wordings[at], question, self.recipe.paraphrase if question else "")

    def __iter__(self) -> Iterator[tuple[Split, Row]]:
        for side in SPLITS:
            for row in self.rows(side):
                yield side, row


def counted(mixed: Mixed, sides: Sides) -> tuple[dict[tuple[Kind, str], int], dict[tuple[Split, Kind], int]]:
    """Rows by kind and category, and by side and kind."""
    names = mixed.names
    categories = {names[stratum]: count for stratum, count in Counter(mixed.strata).items()}
    by_side: Counter[tuple[Split, Kind]] = Counter()
    for (side, stratum), count in Counter(zip(sides.of_row, mixed.strata, strict=True)).items():
        by_side[SPLITS[side], names[stratum][0]] += count
    return categories, dict(by_side)
