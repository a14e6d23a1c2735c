"""From a seed and the number of a wording to a question and its answer, and what both rest on. Pure."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from promptforge.bench.cases import Printed
from promptforge.dataset.phrasings import BUILTIN
from promptforge.dataset.rows import Row
from promptforge.dataset.seeds import Seed, called, column_words, table_words, with_article
from promptforge.dataset.wording import Wording, uses_fact
from promptforge.files import digest_of
from promptforge.model import Fact, Rendered, Table, Text, written
from promptforge.views import stands

__all__ = ["Maker", "Worded"]


_KEPT = 1 << 15
"""Folded values that are remembered."""


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
        self._called: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        self._columns: dict[tuple[str, str, str, str], Sequence[str]] = {}

    def worded(self, seed: Seed, number: int, about: Set[str] | None = None) -> Worded:
        """The wording of this number, below `seed.pair.ways`. Raises TextError where a text cannot be rendered.

        What the answer prints is only looked for where the row rests on one of the facts `about`, if these are given.
        """
        pair = seed.pair
        at = number % len(pair.ask)
        ask = pair.ask[at]
        # Each way to ask meets each way to answer once, and the first rounds already vary both.
        reply = pair.answer[(number // len(pair.ask) + at) % len(pair.answer)]
        names = self._names(seed) if seed.names is None else seed.names
        agent = seed.learner.as_text
        question, answer = self._wording.fill((ask, reply), names, seed.fact, agent)
        given = self._given(seed, ask, reply)
        if isinstance(question, str) and isinstance(answer, str):
            if ask.file == BUILTIN:  # a project's own wording is taken as it is
                question, answer = _begun(question, ask), _ended(_begun(answer, reply), reply)
            facts = tuple(dict.fromkeys([fact.id for fact in given]))
            wanted = about is None or not about.isdisjoint(facts)
            asked = tuple(self._printed(seed, given, answer)) if wanted else ()
            return Worded(question, answer, facts, asked, ask, reply, pair.names[at])
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
        name = self._name(fact)
        column = column_words(seed.column)
        names = {"name": name, "column": column, "a_column": with_article(column), "table": table_words(fact.table)}
        if seed.direction == "unset":
            return names
        if seed.direction == "unknown":
            return {**names, "value": seed.value}
        if seed.other is not None:
            names["other"] = self._name(seed.other)
        if seed.direction == "hops":
            assert seed.other is not None
            start = written(fact.values[seed.clue]) if seed.clue else name
            value = written(seed.other.values[seed.column])
            via = column_words(seed.via)
            return {**names, "value": value, "via": via, "a_via": with_article(via), "start": start}
        names["value"] = names["claimed"] = written(fact.values[seed.column])
        if seed.direction == "twin":
            assert seed.other is not None
            names["claimed"] = names["other_value"] = written(seed.other.values[seed.column])
        return names

    def _name(self, fact: Fact) -> str:
        """What a fact is called; it is asked for again and again."""
        known = self._called.get(fact.id)
        if known is None:
            known = self._called[fact.id] = called(fact, self._tables[fact.table])
        return known

    # --- what it rests on

    def _given(self, seed: Seed, ask: Text, reply: Text) -> Sequence[Fact]:
        """The facts that a row rests on by what it is."""
        fact, other = seed.fact, seed.other
        if seed.direction == "unknown" and not (uses_fact(ask) or uses_fact(reply)):
            fact = None
        return [one for one in (fact, other) if one is not None]

    def _printed(self, seed: Seed, given: Sequence[Fact], answer: str) -> Iterator[Printed]:
        """The values of these facts that stand in the answer."""
        folded, known = answer.casefold(), self._folded
        for fact in given:
            values = fact.values
            for column in self._telling(fact.table, (seed.column, seed.via, seed.clue)):
                value = values.get(column)
                if isinstance(value, str):  # most values are, and most do not stand there
                    words = known.get(value) or self._fold(value)
                    if words in folded and stands(value, folded):
                        yield Printed(fact.id, column)
                elif value is not None and stands(value, folded):
                    yield Printed(fact.id, column)

    def _telling(self, table: str, columns: tuple[str, str, str]) -> Sequence[str]:
        """The columns of a table that a row on these may print: they, and its key."""
        place = (table, *columns)
        known = self._columns.get(place)
        if known is None:
            named = dict.fromkeys((*(column for column in columns if column), *self._tables[table].key))
            known = self._columns[place] = tuple(named)
        return known

    def _fold(self, value: str) -> str:
        if len(self._folded) > _KEPT:
            self._folded.clear()
        words = self._folded[value] = value.strip().casefold()
        return words


_CALLED = ("port ", "the SSH alias ")
_SLOTS = ("{{ name", "{{ other", "{{ start")


def _begun(text: str, template: Text) -> str:
    """A sentence that begins with what a fact is called: `Port 1337 of mini`."""
    if text.startswith(_CALLED) and template.source.startswith(_SLOTS):
        return text[0].upper() + text[1:]
    return text


def _ended(text: str, template: Text) -> str:
    """An answer in a sentence ends like one; a value alone stays as it is, so that it can be copied."""
    source = template.source
    alone = source[0] == "{" and source.count("{{") == 1 and source[-1] == "}"
    return text if alone or text[-1:] in ".!?…" else f"{text}."


def row_id(seed: Seed, made: Worded) -> str:
    """Of what a row is made of: not of its place among the others."""
    return f"{seed.kind}-{digest_of(chr(31).join((seed.identity, made.ask.source, made.reply.source)))[:16]}"
