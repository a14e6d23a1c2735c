"""Questions in a model's words: what it is asked, and whether what it says may stand in a row. Pure; it sends nothing.

A question is taken over only where it names every value that the template's question named, no other identifier, and
not the answer. Otherwise the row keeps the template's wording: the mix does not change.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from promptforge.backends.base import Answer, Request
from promptforge.bench.reading import strip_reasoning
from promptforge.bench.values import identifiers, mentions
from promptforge.dataset.rows import Row
from promptforge.model import Table, written

__all__ = ["DROPPED", "checked", "request_for"]

DROPPED: Mapping[str, str] = {
    "unanswered": "no whole answer came",
    "form": "it was not one question",
    "same": "it was the question as it stood",
    "lost": "a value of the question was lost",
    "added": "it named an identifier that the question did not",
    "answer": "it gave the answer away",
    "alike": "it asked nearly what a written case asks",
    "twice": "another row asks the same",
    "clearance": "it held what may not be seen",
}
"""Why a paraphrase was not taken over, by the word that counts it."""
_MOST_TIMES = 3
"""A paraphrase is at most so many times as long as the question."""
_SYSTEM = (
    "You reword questions. Say the question that you are given in other words, as another person would ask it. Keep "
    "its meaning, and keep every name, number, address and id exactly as it is written. Do not answer it. Reply with "
    "the reworded question alone, on one line."
)


def request_for(row: Row, params: Mapping[str, Any]) -> Request:
    """What a model is asked: the question alone. Neither the agent's prompt nor the answer leaves the house."""
    return Request(system=_SYSTEM, messages=(("user", row.user),), params=params)


def checked(row: Row, answer: Answer | None, tables: Mapping[str, Table], keep: Sequence[str] = ()) -> tuple[str, str]:
    """The question in other words; or nothing, and the word of DROPPED that says why.

    `keep` are values that it must name though no fact has them.
    """
    if answer is None or answer.finish not in ("stop", "other"):
        return "", "unanswered"
    text = strip_reasoning(answer.text).strip().strip('"').strip()
    question = row.user
    if not text or len(text.splitlines()) > 1 or len(text) > _MOST_TIMES * max(len(question), 40):
        return "", "form"
    if text.casefold() == question.casefold():
        return "", "same"
    values = [*_values(row, tables), *((value, "") for value in keep if value)]
    for value, form in values:
        asked, kept = mentions(question, value, form), mentions(text, value, form)
        if asked and not kept:
            return "", "lost"
        if kept and not asked and mentions(row.assistant, value, form):
            return "", "answer"
    before = {(one.kind, one.value) for one in identifiers(question)}
    if any((one.kind, one.value) not in before for one in identifiers(text) if one.kind != "port"):
        return "", "added"
    if any(one not in {(k.kind, k.value) for k in identifiers(text)} for one in before if one[0] != "port"):
        return "", "lost"
    return text, ""


def _values(row: Row, tables: Mapping[str, Table]) -> list[tuple[str, str]]:
    """The values of the facts that a row rests on, with the kinds of their columns."""
    found: dict[tuple[str, str], None] = {}
    for name in row.facts:
        table = tables[name.split("/", 1)[0]]
        fact = table.by_key[name.split("/", 1)[1]]
        for column, value in fact.values.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None and not isinstance(one, (bool, dict)) and written(one).strip():
                    found[written(one).strip(), table.kind(column)] = None
    return list(found)
