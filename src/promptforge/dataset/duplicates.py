"""Rows that say the same: exact copies, and near duplicates by an exact join of their sets of words. Pure.

Two rows are near duplicates when the Jaccard index of their runs of three words is 0.7 or more, on everything but
system prompts. The join finds every row that has such a partner: no sketch, no luck. What keeps it fast is that a
set's rarest runs must be shared (prefix filter), that sizes must be alike (length filter; sets are taken by size, so a
shorter prefix is kept than is asked for), and a signature of 192 bits that bounds what two sets can share.
"""

from array import array
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

__all__ = ["NEAR", "Copies", "Near", "Twin"]

NEAR = 0.7
"""From this Jaccard index on, two rows are near duplicates."""
_BUCKETS = 4_194_301
"""Of the counts of how common a run is: a prime; that two runs share one changes only the speed."""
_BITS = 191
_WORD_BITS = 21
_MOST_WORDS = 4_000
"""Words of a row that are compared; a longer row is compared by its beginning."""


class Copies:
    """Exact copies, white space and case aside, among so many rows."""

    def __init__(self, most: int) -> None:
        self._first: dict[bytes, int] = {}
        self._most = most
        self.rows = 0
        self.copies = 0

    def add(self, text: str) -> int | None:
        """The number of the row that this one is a copy of, or None; rows are numbered as they come."""
        number = self.rows
        self.rows += 1
        if number >= self._most:
            return None
        usual = " ".join(text.lower().split())
        digest = blake2b(usual.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        first = self._first.setdefault(digest, number)
        if first == number:
            return None
        self.copies += 1
        return first

    @property
    def complete(self) -> bool:
        """Whether all rows were compared."""
        return self.rows <= self._most


class Twin(NamedTuple):
    """Two rows that are alike, by their numbers."""

    row: int
    other: int
    jaccard: float


class Near:
    """Near duplicates among the rows that are given to it."""

    def __init__(self) -> None:
        self._words: dict[str, int] = {}
        self._common = array("I", bytes(4 * _BUCKETS))
        self._runs = array("Q")
        self._ends = array("Q")
        self._rows = array("Q")

    def add(self, row: int, text: str) -> None:
        """A row by its number. One without a word is not compared."""
        words = text.lower().split()
        if not words:
            return
        known = self._words
        ids = [known.setdefault(word, len(known) + 1) for word in words[:_MOST_WORDS]]
        runs = _runs_of(ids)
        common = self._common
        for run in runs:
            common[run % _BUCKETS] += 1
        self._runs.extend(runs)
        self._ends.append(len(self._runs))
        self._rows.append(row)

    def __len__(self) -> int:
        return len(self._rows)

    def twins(self) -> Iterator[Twin]:
        """Every row that has a partner, once, with one of its partners: the larger set of the two first."""
        self._words = {}
        yield from _Join(self._runs, self._ends, self._rows, self._common).twins()


def _runs_of(ids: list[int]) -> set[int]:
    """The runs of three words, each as one number; a shorter row is one run."""
    if len(ids) < 3:
        ids = [*ids, 0, 0][:3]
    return {
        (a << 2 * _WORD_BITS | b << _WORD_BITS | c) & 0xFFFF_FFFF_FFFF_FFFF
        for a, b, c in zip(ids, ids[1:], ids[2:], strict=False)
    }


class _Join:
    """The join itself: sets by size, each held against those before it."""

    def __init__(self, runs: "array[int]", ends: "array[int]", rows: "array[int]", common: "array[int]") -> None:
        self._runs, self._rows, self._common = runs, rows, common
        self._starts = array("Q", [0, *ends[:-1]]) if ends else array("Q")
        self._ends = ends
        self._signs: list[int] = []
        self._sizes = array("I", (end - start for start, end in zip(self._starts, ends, strict=True)))
        self._open: dict[int, list[int]] = {}
        """A run to the sets with it in their prefix that have no partner yet."""
        self._done: dict[int, list[int]] = {}
        self._paired = bytearray(len(rows))
        self._bounded, self._bounds = 0, [0]
        self._last: dict[int, int] = {}
        """The set that was found last with the same commonest run: a good guess for the next one of a template."""

    def twins(self) -> Iterator[Twin]:
        for start, end in zip(self._starts, self._ends, strict=True):
            bits = 0
            for run in self._runs[start:end]:
                bits |= 1 << run % _BITS
            self._signs.append(bits)
        for number in sorted(range(len(self._rows)), key=self._sizes.__getitem__):
            for one, other, jaccard in self._held_against(number):
                yield Twin(self._rows[one], self._rows[other], jaccard)

    def _held_against(self, number: int) -> Iterator[tuple[int, int, float]]:
        size = self._sizes[number]
        common = self._common
        mine = set(self._runs[self._starts[number] : self._ends[number]])
        ordered = sorted(mine, key=lambda run: (common[run % _BUCKETS], run))
        asked = [run for run in ordered[: size - _least(size) + 1] if common[run % _BUCKETS] > 1]
        found = list(self._partners(number, mine, asked, ordered[-1]))
        if found:
            yield number, *found[0]
        for other, jaccard in found:
            if not self._paired[other]:
                yield other, number, jaccard
                self._close(other)
        if found:
            self._paired[number] = 1
        # A later set is no smaller, and two sets of this size or more share more than the least: a shorter prefix does.
        kept = ordered[: size - -(-14 * size // 17) + 1]
        index = self._done if found else self._open
        for run in kept:
            if common[run % _BUCKETS] > 1:
                index.setdefault(run, []).append(number)

    def _partners(self, number: int, mine: set[int], asked: list[int], usual: int) -> Iterator[tuple[int, float]]:
        """All partners that have none yet; where there is none of these, one that has."""
        paired = False
        guess = self._last.get(usual)
        if guess is not None and (jaccard := self._alike(number, guess, mine)):
            paired = True
            yield guess, jaccard
        self._last[usual] = number
        fresh = {other for run in asked for other in self._open.get(run, ())}
        for other in self._like(number, fresh):
            if other != guess and (jaccard := self._alike(number, other, mine)):
                paired = True
                yield other, jaccard
        if not paired:
            known = {other for run in asked for other in self._done.get(run, ())}
            for other in self._like(number, known):
                if jaccard := self._alike(number, other, mine):
                    yield other, jaccard
                    return

    def _like(self, number: int, others: set[int]) -> list[int]:
        """Those that sizes and signatures let be partners."""
        if not others:
            return []
        size, bits, sizes, signs = self._sizes[number], self._signs[number], self._sizes, self._signs
        if size != self._bounded:
            self._bounded, self._bounds = size, _bounds(size)
        bounds = self._bounds
        return [other for other in others if (bits ^ signs[other]).bit_count() <= bounds[sizes[other]]]

    def _alike(self, number: int, other: int, mine: set[int]) -> float:
        """The Jaccard index where it is high enough, else 0."""
        shared = len(mine.intersection(self._runs[self._starts[other] : self._ends[other]]))
        union = len(mine) + self._sizes[other] - shared
        return shared / union if 10 * shared >= 7 * union else 0.0

    def _close(self, number: int) -> None:
        """A set has a partner now, and need be looked for only by those that find no other."""
        self._paired[number] = 1
        ordered = sorted(
            self._runs[self._starts[number] : self._ends[number]],
            key=lambda run: (self._common[run % _BUCKETS], run),
        )
        size = len(ordered)
        for run in ordered[: size - -(-14 * size // 17) + 1]:
            if (rest := self._open.get(run)) and number in rest:
                rest.remove(number)
                if not rest:
                    del self._open[run]
                self._done.setdefault(run, []).append(number)


def _bounds(size: int) -> list[int]:
    """By how many bits the signature of a partner may differ, by its size: up to this one's, as sets come by size.

    What two sets must share at least is 7/17 of both; each run that is in one of them alone may cost a bit.
    """
    least = _least(size)
    return [-1 if n < least else n + size - 2 * (-(-7 * (n + size) // 17)) for n in range(size + 1)]


def _least(size: int) -> int:
    """The size of the smallest set that can be a partner of one of this size."""
    return -(-7 * size // 10)
