"""From a seed and the number of a wording to a question and its answer, and what both rest on. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from promptforge.bench.cases import Printed
from promptforge.dataset.rows import Row
from promptforge.dataset.seeds import Seed, called, column_words, table_words
from promptforge.dataset.wording import Wording, uses_fact
from promptforge.files import digest_of
from promptforge.model import Fact, Rendered, Table, Text, written
from promptforge.views import stands

__all__ = ["Maker", "Worded"]


class Worded(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str
    facts: tuple[str, ...]
    """Ids of the facts that both rest on."""
    asked: tuple[Printed, ...]
    """What the answer prints."""
    ask: Text
    reply: Text
    phrasing: str
    beyond: tuple[Fact, ...] = ()
    """Facts that a text with references of its own read, besides those that it was given."""


class Maker:
    """Words the seeds of one project."""

    def __init__(self, tables: Mapping[str, Table], wording: Wording) -> None:
        self._tables, self._wording = tables, wording

    def worded(self, seed: Seed, number: int) -> Worded:
        """The wording of this number, below `seed.pair.ways`. Raises TextError where a text cannot be rendered."""
        pair = seed.pair
        at = number % len(pair.ask)
        ask = pair.ask[at]
        # Each way to ask meets each way to answer once, and the first rounds already vary both.
        reply = pair.answer[(number // len(pair.ask) + at) % len(pair.answer)]
        names = self._names(seed) if seed.names is None else seed.names
        agent = seed.learner.as_text
        question, answer = self._wording.fill((ask, reply), names, seed.fact, agent)
        given = tuple(self._given(seed, ask, reply))
        if isinstance(question, str) and isinstance(answer, str):
            facts, beyond = tuple(dict.fromkeys(fact.id for fact in given)), ()
            asked = tuple(self._printed(seed, given, answer))
            return Worded(question, answer, facts, asked, ask, reply, pair.names[at], beyond)
        return self._rendered(seed, given, question, answer)._replace(ask=ask, reply=reply, phrasing=pair.names[at])

    def _rendered(self, seed: Seed, given: Sequence[Fact], question: Rendered | str, answer: Rendered | str) -> Worded:
        """Where the renderer was needed, it says what was read."""
        known = dict.fromkeys(fact.id for fact in given)
        beyond = {
            fact.id: fact
            for part in (question, answer)
            if isinstance(part, Rendered)
            for fact in part.seen
            if fact.id not in known
        }
        texts = [part.text if isinstance(part, Rendered) else part for part in (question, answer)]
        printed = [Printed(*place) for place in answer.printed] if isinstance(answer, Rendered) else []
        asked = tuple(dict.fromkeys([*self._printed(seed, given, texts[1]), *printed]))
        facts = tuple(dict.fromkeys([*known, *beyond]))
        nothing = Text("", "")
        return Worded(texts[0].strip(), texts[1].strip(), facts, asked, nothing, nothing, "", tuple(beyond.values()))

    def row(self, seed: Seed, number: int, question: str = "", phrasing: str = "") -> Row:
        """The row; `question` is what a model made of its own, if any, and `phrasing` the model."""
        made = self.worded(seed, number)
        return Row(
            id=row_id(seed, made),
            kind=seed.kind,
            category=seed.category,
            agent=seed.learner.name,
            messages=(
                ("system", seed.learner.system),
                ("user", question or made.question),
                ("assistant", made.answer),
            ),
            facts=made.facts,
            asked=made.asked,
            file=seed.file,
            line=seed.line,
            phrasing=phrasing or made.phrasing,
        )

    # --- names

    def _names(self, seed: Seed) -> dict[str, str]:
        fact = seed.fact
        if fact is None:
            return {}
        table = self._tables[fact.table]
        name = called(fact, table)
        names = {"name": name, "column": column_words(seed.column), "table": table_words(fact.table)}
        if seed.direction == "unset":
            return names
        if seed.direction == "unknown":
            return {**names, "value": seed.value}
        if seed.other is not None:
            names["other"] = called(seed.other, self._tables[seed.other.table])
        if seed.direction == "hops":
            assert seed.other is not None
            start = written(fact.values[seed.clue]) if seed.clue else name
            value = written(seed.other.values[seed.column])
            return {**names, "value": value, "via": column_words(seed.via), "start": start}
        names["value"] = names["claimed"] = written(fact.values[seed.column])
        if seed.direction == "twin":
            assert seed.other is not None
            names["claimed"] = names["other_value"] = written(seed.other.values[seed.column])
        return names

    # --- what it rests on

    def _given(self, seed: Seed, ask: Text, reply: Text) -> Iterator[Fact]:
        """The facts that a row rests on by what it is."""
        if seed.fact is not None and (seed.direction != "unknown" or uses_fact(ask) or uses_fact(reply)):
            yield seed.fact
        if seed.other is not None:
            yield seed.other

    def _printed(self, seed: Seed, given: Sequence[Fact], answer: str) -> Iterator[Printed]:
        """The values of these facts that stand in the answer."""
        folded = answer.casefold()
        wanted = [column for column in (seed.column, seed.via, seed.clue) if column]
        for fact in given:
            for column in dict.fromkeys((*wanted, *self._tables[fact.table].key)):
                value = fact.values.get(column)
                if value is not None and stands(value, folded):
                    yield Printed(fact.id, column)


def row_id(seed: Seed, made: Worded) -> str:
    """Of what a row is made of: not of its place among the others."""
    return f"{seed.kind}-{digest_of(chr(31).join((seed.identity, made.ask.source, made.reply.source)))[:16]}"
