"""Rows that give a written case of a benchmark away: what a model answers after them is no evidence. Pure.

By fact and asked column, where the row says on what it rests, or where its answer prints the value that the case
expects and it names the fact. Else by wording: runs of three words with identifiers masked, Jaccard 0.30 or more, and
the same or no fact.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from promptforge.bench.cases import Case, Printed
from promptforge.bench.values import mentions
from promptforge.dataset.naming import Namer, Names
from promptforge.model import written
from promptforge.overlap import SIMILAR, trigrams

__all__ = ["Given", "Written"]

_KEPT = 4096


class Given(NamedTuple):
    """Why a row gives a case away."""

    case: str
    tier: str
    how: str
    """`fact` or `wording`."""
    why: str


class _Known(NamedTuple):
    case: Case
    name: str
    runs: frozenset[tuple[str, ...]]
    facts: frozenset[str]


class Written:
    """The written cases, arranged for being looked up."""

    def __init__(self, cases: Mapping[str, Sequence[Case]], namer: Namer) -> None:
        """`cases` by suite; generated ones are left out."""
        self._namer = namer
        self.cases: list[_Known] = []
        self._by_place: dict[Printed, list[int]] = {}
        self._by_fact: dict[str, list[Printed]] = {}
        self._known: dict[str, Sequence[tuple[int, float]]] = {}
        self._by_run: dict[tuple[str, ...], list[int]] = {}
        for suite, of_suite in cases.items():
            for case in of_suite:
                if not case.generated:
                    self._learn(case, f"{suite}/{case.id}" if len(cases) > 1 else case.id)

    def _learn(self, case: Case, name: str) -> None:
        number = len(self.cases)
        facts = frozenset(place.fact for place in (*case.expects, *case.asked))
        runs = trigrams(case.question)
        self.cases.append(_Known(case, name, runs, facts))
        for place in case.expects:
            self._by_place.setdefault(place, []).append(number)
            if place not in self._by_fact.setdefault(place.fact, []):
                self._by_fact[place.fact].append(place)
        for run in runs:
            self._by_run.setdefault(run, []).append(number)

    def given(
        self,
        question: str,
        asked: Names,
        answer: str,
        said: Names,
        *,
        agent: str = "",
        told: Iterable[Printed] | None = None,
        facts: Iterable[str] = (),
    ) -> Given | None:
        """The first case that a row gives away. `told` and `facts` are what the row says that it rests on."""
        if told is not None:
            places = list(told)
        else:
            places = list(self._printed(answer, said, asked.sure | said.sure))
        for place in places:
            for number in self._by_place.get(place, ()):
                known = self.cases[number]
                why = f"its answer prints the {place.column} of {place.fact}"
                return Given(known.name, known.case.tier, "fact", why)
        return self._alike(question, frozenset(facts) or _facts(asked, said))

    def _printed(self, answer: str, said: Names, sure: frozenset[Printed]) -> Iterable[Printed]:
        """The values that cases expect of the facts that are named, and that the answer prints.

        A word or a port needs another value of its fact beside it: who says "I am Windu" answers no question about
        Windu, and 5000 is a port of many.
        """
        for fact in {place.fact for place in sure} & self._by_fact.keys():
            named = {self._namer.spelled.get(place) for place in sure if place.fact == fact}
            for place in self._by_fact[fact]:
                spelled = self._namer.spelled.get(place)
                told = isinstance(spelled, tuple) and spelled[0] in ("mac", "ip", "entity") and len(spelled) == 2
                if (told or named - {spelled}) and (place in said.sure or self._mentions(answer, place)):
                    yield place

    def _mentions(self, answer: str, place: Printed) -> bool:
        record = self._namer.facts.get(place.fact)
        value = written(record.values.get(place.column)) if record else ""
        form = self._namer.tables[record.table].kind(place.column) if record else ""
        return bool(value) and mentions(answer, value, form)

    def _alike(self, question: str, facts: frozenset[str]) -> Given | None:
        for number, alike in self._like(question):
            known = self.cases[number]
            if not (facts and known.facts and facts.isdisjoint(known.facts)):
                why = f"its question is {alike:.0%} alike, identifiers aside"
                return Given(known.name, known.case.tier, "wording", why)
        return None

    def _like(self, question: str) -> Sequence[tuple[int, float]]:
        """The cases whose question is alike; of questions that come again and again it is known."""
        known = self._known.get(question)
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            runs = trigrams(question)
            shared = Counter(number for run in runs & self._by_run.keys() for number in self._by_run[run])
            alike = ((n, both / (len(runs) + len(self.cases[n].runs) - both)) for n, both in shared.items())
            known = self._known[question] = tuple(one for one in alike if one[1] >= SIMILAR)
        return known


def _facts(asked: Names, said: Names) -> frozenset[str]:
    """Everything that may be meant, values that several facts have included."""
    return frozenset(place.fact for names in (asked, said) for place in (*names.sure, *names.maybe))
