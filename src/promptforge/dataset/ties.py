"""Which facts are tied together by the rows that rest on several of them: such rows stay on one side of a split."""

from collections.abc import Iterable

__all__ = ["Ties"]


class Ties:
    """Union-find over facts, with the number of rows that rest on each group."""

    def __init__(self, *, small: int, most: int) -> None:
        """Groups of up to `small` rows are free; all larger ones together may have `most`, where a row can choose."""
        self._small, self._most = small, most
        self._numbers: dict[str, int] = {}
        self._parent: list[int] = []
        self._rows: list[int] = []
        self._large = 0

    def number(self, fact: str) -> int:
        """A fact's own number."""
        if fact not in self._numbers:
            self._numbers[fact] = len(self._parent)
            self._parent.append(len(self._parent))
            self._rows.append(0)
        return self._numbers[fact]

    def group(self, number: int) -> int:
        """The number of the group that a fact is in."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def may_tie(self, facts: Iterable[str]) -> bool:
        """Whether a row that rests on these leaves enough rows outside of large groups to be split."""
        groups = {self.group(self.number(fact)) for fact in facts}
        if len(groups) < 2:
            return True
        rows = sum(self._rows[group] for group in groups) + 1
        large = self._large - sum(self._rows[group] for group in groups if self._rows[group] > self._small)
        return rows <= self._small or large + rows <= self._most

    def add(self, facts: Iterable[str]) -> int:
        """Count a row that rests on these facts; the number of one of them, or -1 where there is none."""
        numbers = [self.number(fact) for fact in facts]
        if not numbers:
            return -1
        groups = [self.group(numbers[0])] if len(numbers) == 1 else list(dict.fromkeys(map(self.group, numbers)))
        first, rest = groups[0], groups[1:]
        self._large -= sum(self._rows[group] for group in groups if self._rows[group] > self._small)
        for group in rest:
            self._parent[group] = first
            self._rows[first] += self._rows[group]
        self._rows[first] += 1
        self._large += self._rows[first] if self._rows[first] > self._small else 0
        return numbers[0]
