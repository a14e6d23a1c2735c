"""`generate` of a suite -> cases made from facts: each question has one answer, and each case its fact. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from promptforge.bench.cases import Case, Check, Printed
from promptforge.bench.texts import Seen, Texts, many
from promptforge.document import Path
from promptforge.files import digest_of
from promptforge.model import Fact, written
from promptforge.source import did_you_mean

__all__ = ["generated_cases"]

Resolves = Callable[[Path, Mapping[str, Any]], bool]
"""(path, entry) -> whether its agents and its category are there; what is not is said."""


def generated_cases(
    texts: Texts, entries: Sequence[Any], tools: tuple[Mapping[str, Any], ...], resolves: Resolves
) -> Iterator[Case]:
    """The cases of all entries of `generate`. What is wrong is said, and gives none."""
    taken: set[str] = set()
    wrong = {part[:2] for part in texts.document.wrong}
    for number, entry in enumerate(entries):
        path: Path = ("generate", number)
        if path in wrong or not resolves(path, entry):
            continue
        facts = _facts(texts, path, entry)
        made = list(_unambiguous(_of_facts(texts, path, entry, facts or (), tools, taken)))
        hidden = any(table.partial for table in texts.project.tables.values())  # by a file that cannot be read
        if facts is not None and not made and not hidden:
            hint = "mend the where, or the columns that it asks for and about: their values may be unset"
            texts.say("PF709", path, "no case comes of it", hint)
        made.sort(key=lambda case: digest_of(f"{entry.get('seed', 0)} {case.id}"))
        yield from sorted(made[: entry.get("limit", len(made))], key=lambda case: case.id)


def _facts(texts: Texts, path: Path, entry: Mapping[str, Any]) -> Sequence[Fact] | None:
    name, before, tables = entry["table"], len(texts.found), texts.project.tables
    if name not in tables:
        texts.say("PF302", (*path, "table"), f"no table '{name}'", did_you_mean(name, tables))
        return None
    texts.column_exists((*path, "answer"), f"{name}.{entry['answer']}", Seen())
    where, problems = texts.facts.conditions(texts.document, (*path, "where"), name, entry.get("where", {}))
    texts.found.extend(problems)
    return None if len(texts.found) > before else texts.facts.select(name, where)


def _of_facts(
    texts: Texts,
    path: Path,
    entry: Mapping[str, Any],
    facts: Sequence[Fact],
    tools: tuple[Mapping[str, Any], ...],
    taken: set[str],
) -> Iterator[Case]:
    for fact in facts:
        asked, column = Seen(), entry["answer"]
        value = fact.values.get(column)
        text, printed = texts.render((*path, "ask"), entry["ask"], asked, fact)
        if value is None or asked.failed:
            continue
        id_ = f"{fact.id}.{column}"
        while id_ in taken:
            id_ += "'"
        taken.add(id_)
        place = Printed(fact.id, column)
        yield Case(
            id=id_,
            category=entry["category"],
            tier=entry.get("tier", "extended"),
            agents=tuple(dict.fromkeys(many(entry["agents"]))),
            messages=(("user", text.strip()),),
            checks=(_check(texts, fact, column, place),),
            tools=tools,
            generated=True,
            span=texts.document.span(path),
            asked=tuple(dict.fromkeys(printed)),
            reads=frozenset({*asked.reads, fact.id}),
            used=frozenset({*asked.used, place}),
            shows=tuple(asked.shows.items()),
            answer_shows=((fact.id, fact.level),),
        )


def _check(texts: Texts, fact: Fact, column: str, place: Printed) -> Check:
    value = fact.values[column]
    several = value if isinstance(value, list) else [value]
    form = texts.project.tables[fact.table].kind(column)
    values = tuple(written(one).strip() for one in several)
    return Check(kind="all", values=values, forms=(form,) * len(values), printed=(place,))


def _unambiguous(cases: Iterator[Case]) -> Iterator[Case]:
    """Only questions that have one answer: a codename on three hosts asks for none of them."""
    by_question: dict[str, list[Case]] = {}
    for case in cases:
        by_question.setdefault(case.question, []).append(case)
    for same in by_question.values():
        if len({case.checks[0].values for case in same}) == 1:
            yield same[0]
