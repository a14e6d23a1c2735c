"""Scores what promptfoo got for an answer, as promptforge would have: called by the score.py of an exported folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptforge.backends.base import Answer
from promptforge.backends.chat import answer_of
from promptforge.bench.elsewhere import read_case, read_known
from promptforge.bench.results import Score
from promptforge.bench.score import score
from promptforge.errors import InputError

__all__ = ["CASES", "FACTS", "FORM", "answer_in", "grade"]

FORM = 1
"""Of the files of an exported folder."""
CASES, FACTS = "cases.json", "facts.json"
_FULL = 1 - 1e-9


def grade(folder: Path, output: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """The result of an assertion: {pass, score, reason}. Raises InputError for a folder of another version."""
    suite = json.loads((folder / CASES).read_text(encoding="utf-8"))
    if suite.get("form") != FORM:
        message = f"{folder / CASES} was written by another version of promptforge ({suite.get('promptforge')})"
        raise InputError(message, hint="export the suite again: promptforge export promptfoo")
    id_ = context["vars"]["case"]
    known = read_known(json.loads((folder / FACTS).read_text(encoding="utf-8")))
    answer = answer_in(output, context.get("providerResponse") or {})
    found = score(read_case(id_, suite["cases"][id_]), answer, known)
    return {"pass": found.value >= min(suite["pass"], _FULL), "score": found.value, "reason": _reason(found)}


def _reason(found: Score) -> str:
    said = [f"{kind}: {what}" for kind, met, what in found.checks if met < 1 and what]
    said += found.broken
    said += [f"made up: {', '.join(found.made_up)}"] if found.made_up else []
    label = found.label.replace("_", " ") or "right"
    return f"{label} ({'; '.join(said)})" if said else label


def answer_in(output: Any, response: Mapping[str, Any]) -> Answer:
    """The answer as promptfoo hands it on: a text, the calls alone, or a whole message with text and calls."""
    message: dict[str, Any] = {"content": output if isinstance(output, str) else ""}
    if isinstance(output, list):
        message["tool_calls"] = output
    elif isinstance(output, dict):
        message = dict(output) if {"content", "tool_calls"} & output.keys() else {"function_call": output}
    if response.get("isRefusal"):
        message["refusal"] = message.get("content") or "refused"
    return answer_of({"choices": [{"message": message, "finish_reason": response.get("finishReason")}]}, 0.0)
