"""What the example suite says of answers that a person would call right or wrong: each case tells one from the other.

The answers lie in `tests/carmack/`, a file for each category. A right one that fails is a case too narrow, or a scorer
that knows too few ways to say it; a wrong one that passes is worse, since nobody looks at it.
"""

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from promptforge.backends.base import Answer, ToolCall, Usage
from promptforge.bench.cases import Case
from promptforge.bench.score import Known, known, score
from promptforge.compiler.build import compile_project
from promptforge.files import read_folder
from promptforge.workbench.suites import load_suites
from promptforge.yamlio import parse

ROOT = Path(__file__).parents[1]
ANSWERS = Path(__file__).parent / "carmack"


class Said(NamedTuple):
    """An answer of the tables, and whether it is right."""

    case: str
    right: bool
    answer: Any


def _tables() -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for file in sorted(ANSWERS.glob("*.yaml")):
        document, problems = parse(f"tests/carmack/{file.name}", file.read_bytes())
        assert document is not None
        assert not problems
        assert not found.keys() & document.data.keys(), file.name
        found |= document.data
    return found


TABLES = _tables()


def _all() -> Iterator[Said]:
    for id_, sides in TABLES.items():
        for side in ("right", "wrong"):
            yield from (Said(id_, side == "right", answer) for answer in sides[side])


@pytest.fixture(scope="module")
def house() -> tuple[dict[str, Case], Known]:
    """The written cases, and what the house knows."""
    build = compile_project(read_folder(ROOT), today=datetime.date(2026, 11, 20))
    cases = load_suites(build).suites["carmack-v2"].cases
    return {case.id: case for case in cases if not case.generated}, known(build.project.tables)


def _answer(said: Any) -> Answer:
    text, calls = (said, []) if isinstance(said, str) else (said.get("text", ""), said.get("calls", []))
    made = [
        ToolCall(name=name, arguments=dict(arguments), raw=json.dumps(dict(arguments)))
        for call in calls
        for name, arguments in call.items()
    ]
    return Answer(text=text, tool_calls=tuple(made), finish="tool_calls" if made else "stop", usage=Usage())


def test_every_written_case_has_answers_of_both_kinds(house):
    cases, _ = house
    assert set(TABLES) == set(cases)
    assert [id_ for id_, sides in TABLES.items() if set(sides) != {"right", "wrong"} or not all(sides.values())] == []


def test_no_answer_stands_on_both_sides():
    for id_, sides in TABLES.items():
        written = [json.dumps(answer, sort_keys=True) for side in sides.values() for answer in side]
        assert len(written) == len(set(written)), id_


@pytest.mark.parametrize("id_", TABLES)
def test_a_right_answer_has_the_whole_score_and_a_wrong_one_never(house, id_):
    cases, facts = house
    marks = [(said, score(cases[id_], _answer(said.answer), facts)) for said in _all() if said.case == id_]
    unfair = [f"{said.answer}: {mark.checks} {mark.broken}" for said, mark in marks if said.right and mark.value != 1]
    fooled = [said.answer for said, mark in marks if not said.right and mark.value == 1]
    assert not unfair, "right, and below 1:\n" + "\n".join(unfair)
    assert not fooled, f"wrong, and 1: {fooled}"
