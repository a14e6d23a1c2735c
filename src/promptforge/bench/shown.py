"""Cases that a worked example gives away: their answer would be no evidence (design 3.6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptforge.bench.cases import Case, Printed
from promptforge.model import Example, Text
from promptforge.overlap import SIMILAR, jaccard, trigrams
from promptforge.source import Span
from promptforge.text import Renderer, TextError

__all__ = ["GivenAway", "Shown", "given_away", "show"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An example as a model sees it."""

    id: str
    span: Span
    agents: tuple[str, ...]
    """For whom; empty means all."""
    printed: frozenset[Printed]
    """The values of facts that its answer prints."""
    facts: frozenset[str]
    """The ids of the facts that question or answer print a value of."""
    runs: frozenset[tuple[str, ...]]
    """Of its question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAway:
    """Why a case is given away."""

    example: str
    span: Span
    why: str

    def __str__(self) -> str:
        return f"example {self.example}, {self.span}: {self.why}"


def show(examples: Iterable[Example], renderer: Renderer) -> Iterator[Shown]:
    """The examples with what they print; one that cannot be rendered shows nothing, and is said elsewhere."""
    for example in examples:
        try:
            user, assistant = (_render(text, renderer) for text in (example.user, example.assistant))
        except TextError:
            continue
        printed = frozenset(Printed(*place) for place in assistant[1])
        facts = frozenset(fact for fact, _ in (*user[1], *assistant[1]))
        runs = trigrams(user[0])
        yield Shown(id=example.id, span=example.span, agents=example.agents, printed=printed, facts=facts, runs=runs)


def _render(text: Text, renderer: Renderer) -> tuple[str, tuple[tuple[str, str], ...]]:
    rendered = renderer.render(text)
    return rendered.text, rendered.printed


def given_away(cases: Sequence[Case], shown: Sequence[Shown]) -> Mapping[str, GivenAway]:
    """By the id of the case, the first example that gives it away to an agent that is asked."""
    by_place: dict[Printed, list[Shown]] = {}
    for example in shown:
        for place in example.printed:
            by_place.setdefault(place, []).append(example)
    found = {}
    for case in cases:
        if reason := _prints_it(case, by_place) or _is_alike(case, shown):
            found[case.id] = reason
    return found


def _meets(example: Shown, case: Case) -> bool:
    return not example.agents or not set(example.agents).isdisjoint(case.agents)


def _prints_it(case: Case, by_place: Mapping[Printed, Sequence[Shown]]) -> GivenAway | None:
    for place in case.expects:
        for example in by_place.get(place, ()):
            if _meets(example, case):
                why = f"its answer prints the {place.column} of {place.fact}"
                return GivenAway(example=example.id, span=example.span, why=why)
    return None


def _is_alike(case: Case, shown: Sequence[Shown]) -> GivenAway | None:
    runs = trigrams(case.question)
    facts = {fact for fact, _ in (*case.expects, *case.asked)}
    for example in shown:
        if not _meets(example, case) or (facts and example.facts and example.facts.isdisjoint(facts)):
            continue
        alike = jaccard(runs, example.runs)
        if alike >= SIMILAR:
            why = f"its question is {alike:.0%} alike, identifiers aside"
            return GivenAway(example=example.id, span=example.span, why=why)
    return None
