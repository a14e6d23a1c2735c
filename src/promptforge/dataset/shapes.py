"""One record of somebody's file -> a conversation, whatever trainer it was written for. Pure.

Known: messages (mlx, trl, axolotl, openai, OpenAI style for llamafactory), conversations (sharegpt), prompt and
completion (texts or messages), instruction (alpaca), text (with the marks of a chat template, or bare).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["MalformedError", "Seen", "conversation"]

_ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "function_call"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "ipython"), "tool"),
}
_TEXTS = frozenset(["role", "content", "from", "value", "name", "reasoning_content", "thinking"])
_CALLS = frozenset(["tool_calls", "tool_call_id", "function_call", "weight"])
_MESSAGE_KEYS = _TEXTS | _CALLS


class MalformedError(Exception):
    """A record that is no row: `reason` is what kind of thing is wrong."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Seen(NamedTuple):
    """A row as it was found."""

    file: str
    line: int
    shape: str
    messages: tuple[tuple[str, str], ...]
    """(role, content), with roles as everybody calls them: system, user, assistant, tool."""
    extra: Mapping[str, Any]
    """The record without its conversation: kind, meta, …"""
    odd: tuple[str, ...] = ()
    """What trainers stumble over: keys that nobody knows, weights, calls."""

    @property
    def question(self) -> str:
        """What is asked last."""
        return next((text for role, text in reversed(self.messages) if role == "user"), "")

    @property
    def answer(self) -> str:
        """What is answered last."""
        return next((text for role, text in reversed(self.messages) if role == "assistant"), "")

    @property
    def spoken(self) -> str:
        """Everything but system prompts."""
        return "\n".join([text for role, text in self.messages if role != "system"])


def conversation(record: object, file: str, line: int) -> Seen:
    """The row that a record is. Raises MalformedError."""
    if not isinstance(record, dict):
        raise MalformedError("not an object", f"a row is an object, this is {_kind(record)}")
    shape, messages, used, odd = _read(record)
    if not messages:
        raise MalformedError("empty", "a row without a message")
    extra = {key: value for key, value in record.items() if key not in used}
    return Seen(file, line, shape, tuple(messages), extra, tuple(odd))


_Read = tuple[str, list[tuple[str, str]], tuple[str, ...], list[str]]


def _read(record: dict[str, Any]) -> _Read:
    # The order of mlx_lm, which decides by line 1: prompt and completion, then messages, then text.
    if "prompt" in record and any(name in record for name in ("completion", "response")):
        return _completion(record)
    if "messages" in record:
        odd: list[str] = []
        shape, found = _turns(record["messages"], "messages", odd)
        if record.get("tools"):
            shape, odd = "tools", [*odd, "tools"]
        return shape, found, ("messages", "tools"), odd
    if "conversations" in record:
        return _sharegpt(record)
    if "instruction" in record:
        return _alpaca(record)
    if "text" in record:
        return "text", _marked(_text(record["text"], "text")), ("text",), []
    if "chosen" in record or "rejected" in record:
        raise MalformedError("missing key", "a pair of preferences (chosen, rejected), not a conversation")
    if "prompt" in record:
        raise MalformedError("missing key", "prompt without completion")
    keys = ", ".join(list(record)[:6]) or "none"
    known = "messages, conversations, prompt and completion, instruction, text"
    raise MalformedError("missing key", f"none of {known}; its keys: {keys}")


def _completion(record: dict[str, Any]) -> _Read:
    answer = "completion" if "completion" in record else "response"
    prompt, completion = record["prompt"], record[answer]
    if isinstance(prompt, list) and isinstance(completion, list):
        odd: list[str] = []
        found = [*_turns(prompt, "prompt", odd)[1], *_turns(completion, answer, odd)[1]]
        return "prompt-completion", found, ("prompt", answer, "tools"), odd
    turns = [("user", _text(prompt, "prompt")), ("assistant", _text(completion, answer))]
    return "completions", turns, ("prompt", answer), []


def _sharegpt(record: dict[str, Any]) -> _Read:
    odd: list[str] = []
    shape, found = _turns(record["conversations"], "conversations", odd)
    if (system := record.get("system")) not in (None, ""):
        found.insert(0, ("system", _text(system, "system")))
    return shape, found, ("conversations", "system", "tools"), odd


def _alpaca(record: dict[str, Any]) -> _Read:
    if "output" not in record:
        raise MalformedError("missing key", "instruction without output")
    found = []
    if record.get("system"):
        found.append(("system", _text(record["system"], "system")))
    for pair in record.get("history") or ():
        if not isinstance(pair, list) or len(pair) != 2:
            raise MalformedError("wrong type", "history holds pairs of question and answer")
        found += [("user", _text(pair[0], "history")), ("assistant", _text(pair[1], "history"))]
    question = _text(record["instruction"], "instruction")
    if record.get("input"):
        question += "\n" + _text(record["input"], "input")
    found += [("user", question), ("assistant", _text(record["output"], "output"))]
    return "alpaca", found, ("instruction", "input", "output", "system", "history"), []


# ---- Turns -----------------------------------------------------------------------------------------------------------


def _turns(turns: object, key: str, odd: list[str]) -> tuple[str, list[tuple[str, str]]]:
    if not isinstance(turns, list):
        raise MalformedError("wrong type", f"'{key}' is {_kind(turns)}, not a list of turns")
    found, sharegpt = [], False
    for turn in turns:
        if not isinstance(turn, dict):
            raise MalformedError("wrong type", f"a turn of '{key}' is {_kind(turn)}, not an object")
        role = turn.get("role")
        if role is None:
            role, sharegpt = turn.get("from"), True
        if role is None:
            raise MalformedError("missing key", f"a turn of '{key}' without role")
        known = _ROLES.get(role) if isinstance(role, str) else None
        if known is None:
            raise MalformedError("unknown role", f"the role {str(role)[:40]!r}")
        found.append((known, _content(turn, "value" if sharegpt else "content", odd)))
        if not turn.keys() <= _MESSAGE_KEYS:
            odd += [f"key:{name}" for name in turn if name not in _MESSAGE_KEYS]
        if "weight" in turn:
            odd.append(f"weight:{turn['weight']}")
    style = "sharegpt" if sharegpt else "messages" if key != "conversations" else "conversations"
    return style, found


def _content(turn: dict[str, Any], key: str, odd: list[str]) -> str:
    content = turn.get(key)
    if isinstance(content, str):
        text = content
    elif isinstance(content, list):
        text = "".join(_part(part) for part in content)
    elif content is None:
        text = ""
        if key not in turn and not (turn.get("tool_calls") or turn.get("function_call")):
            raise MalformedError("missing key", f"a turn without {key}")
    else:
        raise MalformedError("wrong type", f"{key} is {_kind(content)}, not a text")
    for name in ("tool_calls", "function_call"):
        if turn.get(name):
            odd.append("call")
            text = f"{text}\n{json.dumps(turn[name], ensure_ascii=False)}".strip()
    return text


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    raise MalformedError("wrong type", "a part of a content that is no text")


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise MalformedError("wrong type", f"'{key}' is {_kind(value)}, not a text")
    return value


def _kind(value: object) -> str:
    names: Sequence[tuple[type, str]] = (
        (bool, "true or false"),
        (str, "a text"),
        (list, "a list"),
        (dict, "an object"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "null" if value is None else "a number")


# ---- Text with the marks of a chat template --------------------------------------------------------------------------

_MARKS = (
    re.compile(r"<\|im_start\|>\s*(\w+)\n(.*?)(?:<\|im_end\|>|\Z)", re.DOTALL),
    re.compile(r"<\|start_header_id\|>\s*(\w+)\s*<\|end_header_id\|>\s*(.*?)(?:<\|eot_id\|>|\Z)", re.DOTALL),
    re.compile(r"<(?:start_of_turn>|\|turn>)\s*(\w+)\n(.*?)(?:<(?:end_of_turn>|turn\|>)|\Z)", re.DOTALL),
)
_INST = re.compile(r"\[INST\](.*?)\[/INST\](.*?)(?=</s>|\[INST\]|\Z)", re.DOTALL)


def _marked(text: str) -> list[tuple[str, str]]:
    """The turns of a text that a template has rendered; a bare text is one turn of the assistant."""
    for pattern in _MARKS:
        found = [(_ROLES.get(role, ""), content.strip()) for role, content in pattern.findall(text)]
        if found and all(role for role, _ in found):
            return found
    if "[INST]" in text and (pairs := _INST.findall(text)):
        return list(_instructions(pairs))
    return [("assistant", text)]


def _instructions(pairs: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for question, answer in pairs:
        yield "user", question.strip()
        yield "assistant", answer.strip()
