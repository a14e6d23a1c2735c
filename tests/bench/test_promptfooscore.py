"""What promptfoo hands over for an answer, read as promptforge reads it, and the result that it is given."""

import json
import shutil
import sys
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from tests.bench.house import house

from promptforge.bench.elsewhere import plain_known
from promptforge.bench.promptfooscore import CASES, FACTS, FORM, answer_in, grade
from promptforge.errors import InputError

CALL = {"id": "1", "type": "function", "function": {"name": "ping", "arguments": '{"address": "192.0.2.10"}'}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An exported folder, as far as scoring needs it."""
    case = {
        "messages": [["user", "Which port?"]],
        "checks": [{"kind": "all", "values": ["1337", "LEET"]}],
        "vars": {},
        "tools": [],
    }
    suite = {"form": FORM, "promptforge": "0.1.0", "pass": 1.0, "cases": {"leet": case}}
    (tmp_path / CASES).write_text(json.dumps(suite))
    (tmp_path / FACTS).write_text(json.dumps(plain_known(house())))
    return tmp_path


def context(**response: Any) -> dict[str, Any]:
    return {"vars": {"case": "leet"}, "providerResponse": response}


@pytest.mark.parametrize(
    ("output", "response", "text", "calls", "finish"),
    [
        ("Port 1337.", {"finishReason": "stop"}, "Port 1337.", [], "stop"),
        ("Port 1337.", {}, "Port 1337.", [], "other"),
        ("Port 13", {"finishReason": "length"}, "Port 13", [], "length"),
        ("", {"finishReason": "stop"}, "", [], "stop"),
        ([CALL], {"finishReason": "tool_calls"}, "", ["ping"], "tool"),
        ({"role": "assistant", "content": "Done.", "tool_calls": [CALL, CALL]}, {}, "Done.", ["ping", "ping"], "tool"),
        ({"name": "ping", "arguments": "{}"}, {"finishReason": "function_call"}, "", ["ping"], "tool"),
        ("I will not.", {"isRefusal": True, "finishReason": "stop"}, "I will not.", [], "refusal"),
        ("Content filtered by provider", {"isRefusal": True}, "Content filtered by provider", [], "refusal"),
        (None, {}, "", [], "other"),
    ],
)
def test_every_form_of_an_output_is_an_answer(output, response, text, calls, finish):
    """A text, calls alone, a message with both, the older form of a call, a refusal, nothing."""
    answer = answer_in(output, response)
    assert (answer.text, [call.name for call in answer.tool_calls], answer.finish) == (text, calls, finish)


@pytest.mark.parametrize(
    ("output", "passed", "score", "reason"),
    [
        ("Port 1337 is LEET.", True, 1.0, "right"),
        ("Port 1337.", False, 0.5, "incomplete (all: missing: LEET)"),
        ("Port 31338.", False, 0.0, "made up (all: missing: 1337, LEET; made up: port 31338)"),
        ("", False, 0.0, "empty (all: the answer is empty)"),
    ],
)
def test_a_result_has_the_score_and_says_why(folder, output, passed, score, reason):
    """It passes with the full score, and the reason names what is missing, broken and made up."""
    assert grade(folder, output, context()) == {"pass": passed, "score": score, "reason": reason}


def test_half_the_score_passes_where_the_folder_says_so(folder):
    suite = json.loads((folder / CASES).read_text())
    (folder / CASES).write_text(json.dumps({**suite, "pass": 0.5}))
    assert grade(folder, "Port 1337.", context())["pass"]
    assert not grade(folder, "Port 1338.", context())["pass"]


def test_a_folder_of_another_version_is_refused(folder):
    """A case that is read wrong would be scored wrong: then rather not at all."""
    suite = json.loads((folder / CASES).read_text())
    (folder / CASES).write_text(json.dumps({**suite, "form": FORM + 1, "promptforge": "9.0"}))
    with pytest.raises(InputError, match=r"was written by another version of promptforge \(9\.0\)") as raised:
        grade(folder, "1337", context())
    assert raised.value.hint == "export the suite again: promptforge export promptfoo"


def test_the_script_in_the_folder_is_all_that_promptfoo_calls(folder, monkeypatch):
    """It scores by the files beside it; without promptforge it says what to do, and gives no score."""
    shutil.copy(str(files("promptforge") / "data" / "promptfoo" / "score.py.txt"), folder / "score.py")
    spec = spec_from_file_location("exported_score", folder / "score.py")
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.get_assert("1337, LEET", context())["pass"]
    monkeypatch.setitem(sys.modules, "promptforge.bench.promptfooscore", None)
    with pytest.raises(
        RuntimeError, match=r"has not the promptforge that wrote this .* PROMPTFOO_PYTHON=/path/to/python"
    ):
        script.get_assert("1337", context())
