"""Rows that give a written case of a benchmark away: what a model answers after them is no evidence. Pure.

By fact and asked column, where the row says on what it rests, or where its answer prints the value that the case
expects and it names the fact. Else by wording: the same question, word for word, whatever the answer; or runs of three
words with identifiers masked, Jaccard 0.30 or more, and the same or no fact. Which fact a row is of its question says;
one that names none is of its answer's, where the case's own question names one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from promptforge.bench.cases import Case, Printed
from promptforge.bench.values import mentions
from promptforge.dataset.called import words_of
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
    named: bool
    """Whether its question names a fact."""


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
        self._by_question: dict[str, int] = {}
        for suite, of_suite in cases.items():
            for case in of_suite:
                if not case.generated:
                    self._learn(case, f"{suite}/{case.id}" if len(cases) > 1 else case.id)
        self._words = frozenset(namer.called.starts(self._by_fact.keys()))
        """The words with which names of facts begin of which a value is expected."""

    def _learn(self, case: Case, name: str) -> None:
        number = len(self.cases)
        facts = frozenset(place.fact for place in (*case.expects, *case.asked))
        runs = trigrams(case.question)
        named = bool(self._asked(case.question, self._namer.names(case.question)))
        self.cases.append(_Known(case, name, runs, facts, named))
        self._by_question.setdefault(_usual(case.question), number)
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
            places = list(self._printed(question, asked, answer, said))
        for place in places:
            for number in self._by_place.get(place, ()):
                known = self.cases[number]
                why = f"its answer prints the {place.column} of {place.fact}"
                return Given(known.name, known.case.tier, "fact", why)
        if (same := self._by_question.get(_usual(question))) is not None:
            known = self.cases[same]
            return Given(known.name, known.case.tier, "wording", "its question is the same, word for word")
        return self._alike(question, asked, said, frozenset(facts))

    def _printed(self, question: str, asked: Names, answer: str, said: Names) -> Iterable[Printed]:
        """The values that cases expect of the facts that are named, and that the answer prints.

        A port needs another value of its fact beside it: 5000 is a port of many. So does a word, which moreover must
        not be part of another value of the fact; one that several facts have must answer a question that names its
        fact. A name must answer one that tells of its fact by something else: "I am Windu" answers none about Windu.
        """
        sure = asked.sure | said.sure
        in_question = frozenset[str]() if self._words.isdisjoint(asked.words) else self._called(question)
        in_answer = frozenset[str]() if self._words.isdisjoint(said.words) else self._called(answer)
        for fact in {*(place.fact for place in sure), *in_question, *in_answer} & self._by_fact.keys():
            named = {self._namer.spelled.get(place) for place in sure if place.fact == fact}
            for place in self._by_fact[fact]:
                spelled = self._namer.spelled.get(place)
                if isinstance(spelled, tuple) and self._namer.is_identifier(place):
                    told = spelled[0] != "port" or named - {spelled} or fact in in_question or fact in in_answer
                    if told and (place in said.sure or self._mentions(answer, place)):
                        yield place
                    continue
                is_name = self._is_name(place)
                ours = self._by_value(fact, asked) or (fact in in_question and not is_name)
                if (ours or (spelled and fact in in_answer and not is_name)) and self._says(question, answer, place):
                    yield place

    def _is_name(self, place: Printed) -> bool:
        """Whether a value is what its fact is called: names stand in answers to every question."""
        record = self._namer.facts.get(place.fact)
        words = words_of(written(record.values.get(place.column))) if record else []
        spoken = self._namer.called.run(words, 0, len(words))
        return spoken is not None and place.fact in spoken.facts

    def _by_value(self, fact: str, asked: Names) -> bool:
        """Whether a question tells of a fact by something else than what it is called."""
        return any(place.fact == fact and not self._is_name(place) for place in asked.sure)

    def _called(self, text: str) -> frozenset[str]:
        """The facts that a text calls by name."""
        spoken = self._namer.called.names(words_of(text))
        return frozenset([fact for one in spoken if one.exact or not one.plain for fact in one.facts])

    def _says(self, question: str, answer: str, place: Printed) -> bool:
        """Whether an answer prints a word of a fact that its question does not hold, and not in other values of it."""
        if not self._mentions(answer, place) or self._mentions(question, place):
            return False
        record = self._namer.facts[place.fact]
        own, rest = written(record.values.get(place.column)), answer
        for column, value in record.values.items():
            text = written(value) if column != place.column and value is not None else ""
            if own.lower() in text.lower():
                rest = re.sub(re.escape(text), " ", rest, flags=re.IGNORECASE)
        return rest is answer or self._mentions(rest, place)

    def _mentions(self, text: str, place: Printed) -> bool:
        record = self._namer.facts.get(place.fact)
        value = written(record.values.get(place.column)) if record else ""
        form = self._namer.tables[record.table].kind(place.column) if record else ""
        return bool(value) and mentions(text, value, form)

    def _alike(self, question: str, asked: Names, said: Names, told: frozenset[str]) -> Given | None:
        alike = self._like(question)
        own = told or self._asked(question, asked) if alike else told
        for number, share in alike:
            known = self.cases[number]
            facts = own or (_facts(said) if known.named else frozenset())
            if not (facts and known.facts and facts.isdisjoint(known.facts)):
                why = f"its question is {share:.0%} alike, identifiers aside"
                return Given(known.name, known.case.tier, "wording", why)
        return None

    def _asked(self, question: str, asked: Names) -> frozenset[str]:
        """The facts that a question names, by their values or by what they are called."""
        return _facts(asked) | self._called(question)

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


def _facts(names: Names) -> frozenset[str]:
    """Everything that may be meant, values that several facts have included."""
    return frozenset([place.fact for place in (*names.sure, *names.maybe)])


def _usual(question: str) -> str:
    return " ".join(question.lower().split()).rstrip(" ?.!")
