"""The chat format of OpenAI, as a hundred servers speak it: a request as JSON, an answer out of JSON or of a stream.

Everything that a server may leave out may be missing here; nothing that it says of itself is believed.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from promptforge.backends.base import Answer, BackendError, Finish, Request, ToolCall, Usage

__all__ = ["Stream", "answer_of", "as_object", "body_of", "lacks"]

_OURS = ("messages", "model", "stream", "stream_options", "tools")
"""What no `params` may set: it would change what is asked, or how the answer comes."""


def body_of(request: Request, model: str, *, stream: bool = False) -> bytes:
    """The request as JSON; system first, params as they are. Raises BackendError for params that we set ourselves."""
    for name in request.params:
        if name in _OURS:
            message, hint = (
                f"`{name}` cannot stand in the params of a model",
                "take it out: promptforge sends that itself",
            )
            raise BackendError("rejected", message, hint=hint)
    body: dict[str, Any] = {"model": model} if model else {}
    messages = [{"role": "system", "content": request.system}] if request.system else []
    messages += [{"role": role, "content": content} for role, content in request.messages]
    body["messages"] = messages
    if request.tools:
        body["tools"] = [{"type": "function", "function": tool} for tool in request.tools]
    body.update(request.params)
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return _WRITTEN.encode(body).encode("ascii")


def _plain(value: object) -> object:
    """Read-only mappings and tuples of a frozen value."""
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, Iterable) else str(value)


_WRITTEN = json.JSONEncoder(default=_plain)


# ---- A whole answer --------------------------------------------------------------------------------------------------


def as_object(value: Any) -> Mapping[str, Any]:
    """The value, or an empty mapping where it is none."""
    return value if isinstance(value, dict) else {}


def lacks(data: Any) -> str:
    """What a body lacks to be an answer: it is no chat completion (`shape`), has no choice, or a message of nothing.

    Nothing where it lacks nothing: an empty text is an answer, too, but no text at all is none.
    """
    if not isinstance(data, dict) or not isinstance(data.get("choices"), list):
        return "shape"
    choice = as_object(data["choices"][0]) if data["choices"] else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        return "choices"
    content = message.get("content")
    if content is None:
        cut = choice.get("finish_reason") in ("content_filter", "length")  # Azure leaves the content out then
        said = "content" in message or any(name in message for name in _THOUGHTS)
        return "" if cut or said or any(message.get(name) for name in _OTHERS) else "message"
    parts = content if isinstance(content, list) else [content]
    kinds = (str, dict) if isinstance(content, list) else str
    return "" if all(isinstance(part, kinds) for part in parts) else "message"


_OTHERS = ("tool_calls", "function_call", "refusal")
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
"""What a message may hold instead of a text: also an empty thought is an answer without one."""


def answer_of(data: Mapping[str, Any], latency_s: float) -> Answer:
    """A chat completion with at least one choice as an Answer. `content: null` is how mlx_lm writes no text at all."""
    choice = data["choices"][0]
    message = choice["message"]
    text, thoughts = _texts(message.get("content"))
    refusal = message.get("refusal") if isinstance(message.get("refusal"), str) else ""
    calls = tuple(_call(entry) for entry in _calls(message))
    return Answer(
        text=text or refusal,
        reasoning=thoughts or _reasoning(message),
        tool_calls=calls,
        finish="refusal" if refusal else _finish(choice.get("finish_reason"), calls=bool(calls)),
        usage=_usage(data),
        latency_s=latency_s,
        model=_text(data.get("model")),
        fingerprint=_text(data.get("system_fingerprint")),
    )


def _texts(content: Any) -> tuple[str, str]:
    """Text and thoughts: some servers send a list of parts."""
    if not isinstance(content, list):
        return _text(content), ""
    said: list[str] = []
    thought: list[str] = []
    for part in content:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, dict) and part.get("type") == "thinking":
            inner = part.get("thinking")
            thought.append("".join(_texts(inner)) if isinstance(inner, list) else _text(inner))
        elif isinstance(part, dict):
            said.append(_text(part.get("text")) or _text(part.get("refusal")))
    return "".join(said), "".join(thought)


def _reasoning(message: Mapping[str, Any]) -> str:
    return next((value for name in ("reasoning_content", "reasoning") if (value := _text(message.get(name)))), "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _calls(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = message.get("tool_calls")
    functions = [as_object(entry).get("function", entry) for entry in listed] if isinstance(listed, list) else []
    if not functions and isinstance(message.get("function_call"), dict):  # the older form
        functions = [message["function_call"]]
    return [as_object(function) for function in functions]


def _call(function: Mapping[str, Any]) -> ToolCall:
    written = function.get("arguments", "")
    if isinstance(written, dict):  # not to the letter, but some send it
        return ToolCall(name=_text(function.get("name")), arguments=written, raw=json.dumps(written))
    raw = _text(written)
    try:
        read = json.loads(raw or "{}")
    except (ValueError, RecursionError):
        read = None
    return ToolCall(name=_text(function.get("name")), arguments=read if isinstance(read, dict) else None, raw=raw)


_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "refusal",
    "tool_calls": "tool",
    "function_call": "tool",
}


def _finish(reason: Any, *, calls: bool) -> Finish:
    finish = _FINISH.get(_text(reason), "other")
    return "tool" if calls and finish in ("stop", "other") else finish


def _usage(data: Mapping[str, Any]) -> Usage:
    """What the server counted; where llama.cpp leaves the usage out, its timings say the same."""
    usage, timings = as_object(data.get("usage")), as_object(data.get("timings"))
    details = as_object(usage.get("prompt_tokens_details"))
    cached = _first(details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), timings.get("cache_n"))
    given = _count(usage.get("prompt_tokens"))
    if given is None and (fresh := _count(timings.get("prompt_n"))) is not None:
        given = _count(fresh + (cached or 0))
    said = _first(usage.get("completion_tokens"), timings.get("predicted_n"))
    return Usage(input_tokens=given, output_tokens=said, cached_tokens=cached)


def _first(*values: Any) -> int | None:
    for value in values:
        if (count := _count(value)) is not None:
            return count
    return None


def _count(value: Any) -> int | None:
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
        return None
    return int(value)


# ---- A streamed answer -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Stream:
    """Puts an answer together from the pieces of a stream."""

    on_text: Callable[[str], None]
    clock: Callable[[], float]
    """Seconds since the request was sent."""
    first_token_s: float | None = None
    choices: bool = False
    _data: dict[str, Any] = field(default_factory=dict)
    _text: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)
    _refusal: list[str] = field(default_factory=list)
    _calls: dict[int, dict[str, str]] = field(default_factory=dict)
    _reason: Any = None

    def add(self, chunk: Mapping[str, Any]) -> None:
        """One chunk. The usage comes with the last one, or in one of its own without a choice, or not at all."""
        for name in ("model", "system_fingerprint", "usage", "timings"):
            if chunk.get(name):
                self._data[name] = chunk[name]
        choices = chunk.get("choices")
        choice = as_object(choices[0]) if isinstance(choices, list) and choices else None
        if choice is None:
            return
        self.choices = True
        self._reason = choice.get("finish_reason") or self._reason
        self._delta(as_object(choice.get("delta")) or as_object(choice.get("message")))

    def _delta(self, delta: Mapping[str, Any]) -> None:
        text, thoughts = _texts(delta.get("content"))
        thoughts = thoughts or _reasoning(delta)
        refusal = _text(delta.get("refusal"))
        calls = delta.get("tool_calls")
        if self.first_token_s is None and (text or thoughts or refusal or calls):
            self.first_token_s = self.clock()
        self._reasoning.append(thoughts)
        self._refusal.append(refusal)
        self._text.append(text)
        for position, entry in enumerate(calls if isinstance(calls, list) else ()):
            self._call(position, as_object(entry))
        if text or refusal:
            self.on_text(text or refusal)

    def _call(self, position: int, entry: Mapping[str, Any]) -> None:
        """The name comes once, the arguments in pieces."""
        index = entry.get("index")
        kept = self._calls.setdefault(index if isinstance(index, int) else position, {"name": "", "arguments": ""})
        function = as_object(entry.get("function"))
        kept["name"] = kept["name"] or _text(function.get("name"))
        arguments = function.get("arguments")
        kept["arguments"] += json.dumps(arguments) if isinstance(arguments, dict) else _text(arguments)

    def answer(self) -> Answer:
        """The whole."""
        message = {
            "content": "".join(self._text),
            "reasoning": "".join(self._reasoning),
            "refusal": "".join(self._refusal),
            "tool_calls": [{"function": self._calls[index]} for index in sorted(self._calls)],
        }
        choice = {"message": message, "finish_reason": self._reason}
        whole = answer_of({**self._data, "choices": [choice]}, self.clock())
        return replace(whole, first_token_s=self.first_token_s)
