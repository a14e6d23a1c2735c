"""Which row would give a written case away: it prints what the case expects, or asks nearly the same. Pure."""

from collections.abc import Collection, Iterable

from promptforge.bench.cases import Case, Printed
from promptforge.overlap import SIMILAR, trigrams

__all__ = ["WrittenCases"]


class WrittenCases:
    """The written cases of all suites, of every tier; a model is trained for all agents at once."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self._ids: list[str] = []
        self._runs: list[int] = []
        self._facts: list[frozenset[str]] = []
        self._places: dict[Printed, int] = {}
        self._with: dict[tuple[str, ...], list[int]] = {}
        self._without_facts = False
        for case in cases:
            if not case.generated:
                self._add(case)
        self._named = frozenset(fact for facts in self._facts for fact in facts)
        self.expected = frozenset(place.fact for place in self._places)
        """Facts of which some case expects a value."""

    def _add(self, case: Case) -> None:
        number = len(self._ids)
        self._ids.append(case.id)
        for place in case.expects:
            self._places.setdefault(place, number)
        facts = frozenset(fact for fact, _ in (*case.expects, *case.asked))
        self._facts.append(facts)
        self._without_facts |= not facts
        runs = trigrams(case.question)
        self._runs.append(len(runs))
        for run in runs:
            self._with.setdefault(run, []).append(number)

    def printed_in(self, asked: Iterable[Printed]) -> str:
        """The id of a case that expects one of these values of facts, or nothing."""
        if self._places:
            for place in asked:
                if (number := self._places.get(place)) is not None:
                    return self._ids[number]
        return ""

    def alike(self, question: str, facts: Collection[str]) -> str:
        """The id of a case that asks nearly the same, identifiers aside, of the same fact or of none; or nothing."""
        if not self._ids or (facts and not self._without_facts and self._named.isdisjoint(facts)):
            return ""
        runs = trigrams(question)
        if self._with.keys().isdisjoint(runs):
            return ""
        shared: dict[int, int] = {}
        for run in self._with.keys() & runs:
            for number in self._with[run]:
                shared[number] = shared.get(number, 0) + 1
        for number, common in sorted(shared.items()):
            own = self._facts[number]
            if own and facts and own.isdisjoint(facts):
                continue
            if common / (len(runs) + self._runs[number] - common) >= SIMILAR:
                return self._ids[number]
        return ""
