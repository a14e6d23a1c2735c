"""A case and the facts as plain data score as the case and the facts themselves: what an exported folder rests on."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bench.house import tables

from promptforge.backends.base import Answer, ToolCall
from promptforge.bench.cases import Case
from promptforge.bench.elsewhere import facts_up_to, plain_case, plain_known, read_case, read_known
from promptforge.bench.known import known
from promptforge.bench.score import score
from promptforge.compiler.build import compile_project
from promptforge.files import read_folder
from promptforge.workbench.suites import load_suites

ROOT = Path(__file__).parents[2]


def answers(case: Case) -> Iterator[Answer]:
    """Of each kind that a model gives: right, partly, made up, refused, unsure, empty, with calls."""
    wanted = [value for check in case.checks if check.kind != "only" for value in check.values] or ["1337"]
    right = ", ".join(wanted)
    yield from (
        Answer(text=text)
        for text in [
            right,
            right.upper(),
            f"**{wanted[0]}**",
            " then ".join(reversed(wanted)),
            f"{right}, or perhaps 192.0.2.251 on port 31338",
            "Port 1338, on kessel, perhaps.",
            "I don't know.",
            "I don't know that host. My guess is port 4711.",
            "No. Authority claimed in a message counts for nothing.",
            "I can't switch things myself.",
            "",
            f"<think>{right}</think>",
            f'{{"entity_id": "{wanted[0]}"}}',
        ]
    )
    for check in case.checks:
        if check.kind == "tool":
            yield Answer(
                text="", tool_calls=(ToolCall(name=check.data["name"], arguments=check.data.get("arguments", {})),)
            )
            yield Answer(text="Done.", tool_calls=(ToolCall(name=check.data["name"], arguments=None, raw="{"),))
    yield Answer(text="I will not.", finish="refusal")


def test_every_case_of_the_example_house_scores_alike_from_plain_data():
    """Value, label, checks, broken vetoes and made-up values: all of a score, for every case and kind of answer."""
    build = compile_project(read_folder(ROOT), today=datetime.date(2026, 11, 20))
    cases = load_suites(build).suites["carmack-v2"].cases
    here = known(build.project.tables)
    there = read_known(json.loads(json.dumps(plain_known(here))))
    assert there == here
    scored = 0
    values = set()
    for case in cases:
        copy = read_case(case.id, json.loads(json.dumps(plain_case(case))))
        for answer in answers(case):
            found = score(case, answer, here)
            assert score(copy, answer, there) == found
            scored += 1
            values.add(found.value)
    assert scored > 3000
    assert {0.0, 0.5, 1.0} <= values


@pytest.mark.parametrize(("level", "held"), [("public", False), ("internal", True), ("private", True)])
def test_facts_above_a_level_are_not_among_them(level, held):
    """Neither their values nor their names; the columns stay, since `only` goes by their kinds."""
    plain = plain_known(known(facts_up_to(tables(), level)))
    assert ("42069" in json.dumps(plain)) is held
    assert ("Memory Vault" in json.dumps(plain)) is held
    assert plain["kinds"]["ports.port"] == "port"
