"""A right and a wrong answer to a case, made from what it expects, and each tried by the scorer itself."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from promptforge.backends.base import Answer, ToolCall
from promptforge.bench.cases import Case, Check
from promptforge.bench.known import Known
from promptforge.bench.score import score
from promptforge.errors import InputError

__all__ = ["Answers", "answers_to", "message_of"]

_REFUSES = "I'm sorry, but I can't help with that."
_ABSTAINS = "I don't know."
_WRONG = ("The weather is fine today.", _REFUSES, _ABSTAINS, "Yes, of course, I will do that at once.", "[]")


class Answers(NamedTuple):
    """What a model may say to a case."""

    right: Answer
    wrong: Answer


def answers_to(case: Case, known: Known) -> Answers | None:
    """A right and a wrong answer; nothing where none can be made up (a pattern, a schema)."""
    right = next((one for one in _rights(case) if _value(case, one, known) == 1), None)
    wrong = next((one for one in map(_said, _WRONG) if _value(case, one, known) == 0), None)
    return Answers(right, wrong) if right and wrong else None


def _value(case: Case, answer: Answer, known: Known) -> float | None:
    try:
        return score(case, answer, known).value
    except InputError:
        return None


def _said(text: str, calls: tuple[ToolCall, ...] = ()) -> Answer:
    return Answer(text=text, tool_calls=calls, finish="tool" if calls else "stop")


def _rights(case: Case) -> Iterator[Answer]:
    """Answers that may be right, the shortest first."""
    checks = [check for check in case.checks if not check.veto]
    calls = tuple(_call(check) for check in checks if check.kind == "tool")
    texts = [text for check in checks for text in _texts(check)]
    yield _said(" ".join(texts) or ("" if calls else "It is so."), calls)
    yield _said("\n".join(texts), calls)
    yield _said(". ".join(texts) + ".", calls)


def _call(check: Check) -> ToolCall:
    arguments = dict(check.data.get("arguments") or {})
    return ToolCall(name=str(check.data.get("name", "")), arguments=arguments, raw=json.dumps(arguments, default=str))


def _texts(check: Check) -> Iterator[str]:
    match check.kind:
        case "all" | "order":
            yield from check.values
        case "any" | "equals":
            yield check.values[0]
        case "regex":
            yield check.values[0].strip("^$").replace("\\b", "").replace("\\", "")
        case "abstain":
            yield _ABSTAINS
        case "refuse":
            yield _REFUSES


def message_of(answer: Answer) -> dict[str, Any]:
    """An answer as a chat server sends it."""
    if not answer.tool_calls:
        return {"content": answer.text}
    calls = [
        {"id": f"call-{number}", "type": "function", "function": {"name": call.name, "arguments": call.raw}}
        for number, call in enumerate(answer.tool_calls)
    ]
    return {"content": answer.text or None, "tool_calls": calls}
