"""Anthropic through its SDK: messages, with prompt caching where it pays. Owns the anthropic package, loaded late."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from promptforge.backends.base import Answer, Finish, Request, ToolCall, Usage
from promptforge.backends.complaints import ReportedError
from promptforge.backends.faults import Place, wrong_content
from promptforge.backends.provider import Provider
from promptforge.backends.sdk import Give, as_json, http_client, plain
from promptforge.model import Model

__all__ = ["CACHE_MINIMUM", "CACHE_MINIMUM_DEFAULT", "MAX_TOKENS", "Anthropic", "cache_minimum", "caching"]

MAX_TOKENS = 1024
"""The API insists on a limit; this one is sent where `params` has none."""
VERSION = "2023-06-01"
"""Of the API. Sent by name, for the SDK's own choice changes with the SDK: from 2.0 on it is 2026-10-21, which refuses
`temperature` for every model. A request must mean the same whatever is installed."""

CACHE_MINIMUM: Mapping[str, int] = {
    **dict.fromkeys(("opus-5", "fable-5", "mythos-5"), 512),
    **dict.fromkeys(("opus-4-8", "opus-4-1", "opus-4-0", "opus-4-20"), 1024),
    **dict.fromkeys(("sonnet-5", "sonnet-4", "3-7-sonnet", "3-5-sonnet"), 1024),
    **dict.fromkeys(("opus-4-7", "mythos-preview", "3-5-haiku", "haiku-3-5", "3-haiku"), 2048),
    **dict.fromkeys(("opus-4-6", "opus-4-5", "haiku-4-5"), 4096),
}
"""The shortest prefix that is cached, in tokens, by a part of the model's name.

From the provider's page on prompt caching (section "Cache limitations"), as it was in November 2026.
"""
CACHE_MINIMUM_DEFAULT = 4096
"""For a model that the table does not know: the highest minimum, so that no saving is promised that may not come."""

_EPHEMERAL = {"type": "ephemeral"}
_FINISHES: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool",
    "refusal": "refusal",
}


def cache_minimum(model_name: str) -> int:
    """The shortest prefix that the model caches, in tokens.

    >>> cache_minimum("claude-opus-4-6"), cache_minimum("claude-sonnet-4-5-20250929"), cache_minimum("other")
    (4096, 1024, 4096)
    """
    return next((tokens for part, tokens in CACHE_MINIMUM.items() if part in model_name), CACHE_MINIMUM_DEFAULT)


def caching(model_name: str, tokens: int, repeats: int) -> tuple[bool, str]:
    """Whether to cache a prefix of so many tokens that is sent so many times, and a warning where that is a pity.

    A write costs a quarter more than the input, a read a tenth of it: the second request pays for the first. Under the
    model's minimum the provider caches nothing and says nothing, so this says it.

    >>> caching("claude-opus-4-6", 5000, 40)
    (True, '')
    >>> caching("claude-opus-4-6", 5000, 1)
    (False, '')
    """
    minimum = cache_minimum(model_name)
    if repeats < 2 or tokens >= minimum:
        return repeats >= 2, ""
    warning = (
        f"the prompt has {tokens:,} tokens, and {model_name} caches from {minimum:,} on: "
        f"each of the {repeats:,} requests pays for all of it"
    )
    return False, warning


class Anthropic(Provider):
    """A model at Anthropic, or at a server that speaks its protocol (llama.cpp does)."""

    name = "anthropic"
    url = "https://api.anthropic.com"
    path = "v1/messages"
    key_name = "ANTHROPIC_API_KEY"
    own = ("model", "messages", "system", "tools", "stream")

    def __init__(self, model: Model, environ: Mapping[str, str]) -> None:
        settings = dict(model.settings)
        if settings.get("base_url"):
            # The SDK adds /v1 itself; most people write it, as for every other server.
            settings["base_url"] = str(settings["base_url"]).rstrip("/").removesuffix("/v1")
        super().__init__(replace(model, settings=settings), environ)

    @property
    def identity(self) -> Mapping[str, str]:
        """Backend, address, model and the version of the API; never the key."""
        return {**super().identity, "api_version": VERSION}

    def _open(self, key: str) -> Any:
        import anthropic

        client = anthropic.Anthropic(
            api_key=key,
            base_url=self._base_url,
            max_retries=0,
            http_client=http_client(anthropic),
            default_headers={"anthropic-version": VERSION},
        )
        client.auth_token = None  # older SDKs take ANTHROPIC_AUTH_TOKEN along, wherever the requests go
        _ = client.messages.with_raw_response  # loads them
        return client

    def _body(self, request: Request) -> dict[str, Any]:
        turns: list[dict[str, Any]] = [{"role": role, "content": content} for role, content in request.messages]
        body: dict[str, Any] = {"model": self._model, "messages": turns}
        body["max_tokens"] = request.params.get("max_tokens", MAX_TOKENS)
        if request.system:
            body["system"] = request.system
        if request.tools:
            body["tools"] = [_tool(as_json(tool)) for tool in request.tools]
        if request.cache_prefix is not None:
            if request.system:
                body["system"] = _marked(request.system)
            if request.cache_prefix:
                last = turns[request.cache_prefix - 1]
                last["content"] = _marked(last["content"])
        return body

    def _send(self, client: Any, arguments: Mapping[str, Any]) -> Any:
        return client.messages.with_raw_response.create(**arguments).http_response

    def _start(self, client: Any, arguments: Mapping[str, Any]) -> AbstractContextManager[Any]:
        stream: AbstractContextManager[Any] = client.messages.create(**arguments, stream=True)
        return stream

    def _read(self, data: Any, place: Place, latency_s: float) -> Answer:
        body = plain(data)
        if body.get("error"):
            raise ReportedError(body)
        content = body.get("content")
        if not isinstance(content, list):
            raise wrong_content("shape", place, body=json.dumps(data).encode())
        blocks = [plain(block) for block in content]
        reason = body.get("stop_reason")
        return Answer(
            text=_joined(blocks, "text"),
            reasoning=_joined(blocks, "thinking"),
            tool_calls=tuple(_call(block) for block in blocks if block.get("type") == "tool_use"),
            finish=_FINISHES.get(str(reason), "other"),
            usage=_usage(plain(body.get("usage"))),
            latency_s=latency_s,
            model=str(body.get("model") or ""),
        )

    def _hear(self, pieces: Any, give: Give, place: Place, started: float) -> Answer:
        heard = _Heard()
        first_token_s: float | None = None
        for piece in pieces:
            wrote = heard.take(plain(piece, place.keys), give)
            if wrote and first_token_s is None:
                first_token_s = time.perf_counter() - started
        if not heard.message:
            raise wrong_content("stream", place)
        answer = self._read(heard.whole(), place, time.perf_counter() - started)
        return replace(answer, first_token_s=first_token_s)


@dataclass(slots=True, kw_only=True)
class _Heard:
    """The events of a stream, put together to the message that would have come in one piece."""

    message: dict[str, Any] = field(default_factory=dict)
    blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)

    def take(self, event: Mapping[str, Any], give: Give) -> bool:
        """One event; whether it holds something that the model wrote."""
        index = _count(event.get("index")) or 0
        match event.get("type"):
            case "message_start":
                self.message = plain(event.get("message"))
                self.usage = plain(self.message.get("usage"))
            case "content_block_start":
                return self._start(index, plain(event.get("content_block")), give)
            case "content_block_delta":
                return self._add(index, plain(event.get("delta")), give)
            case "message_delta":
                self.message |= plain(event.get("delta"))
                # The last counts are the whole ones; those that it leaves out stand at the start.
                self.usage |= {name: tokens for name, tokens in plain(event.get("usage")).items() if tokens is not None}
        return False

    def whole(self) -> dict[str, Any]:
        """The message."""
        blocks = [self.blocks[index] for index in sorted(self.blocks)]
        for block in blocks:
            if written := block.pop("written", ""):
                block["input"] = written
        return {**self.message, "content": blocks, "usage": self.usage} if self.message else {}

    def _start(self, index: int, block: dict[str, Any], give: Give) -> bool:
        self.blocks[index] = block
        if text := block.get("text"):
            give(str(text))
        return bool(text) or block.get("type") == "tool_use"

    def _add(self, index: int, delta: Mapping[str, Any], give: Give) -> bool:
        names = {"text_delta": ("text", "text"), "thinking_delta": ("thinking", "thinking")}
        names["input_json_delta"] = ("partial_json", "written")
        if delta.get("type") not in names:
            return False
        source, target = names[str(delta["type"])]
        piece = str(delta.get(source) or "")
        block = self.blocks.setdefault(index, {"type": source})
        block[target] = str(block.get(target) or "") + piece
        if target == "text" and piece:
            give(piece)
        return bool(piece)


def _joined(blocks: Sequence[Mapping[str, Any]], kind: str) -> str:
    """The texts of the blocks of one kind, which stand under its name."""
    return "".join(str(block.get(kind) or "") for block in blocks if block.get("type") == kind)


def _call(block: Mapping[str, Any]) -> ToolCall:
    """A call; where it was streamed, its input is JSON text as the model wrote it."""
    given = block.get("input")
    raw = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    try:
        arguments = json.loads(raw)
    except (ValueError, RecursionError):
        arguments = None
    return ToolCall(
        name=str(block.get("name") or ""), arguments=arguments if isinstance(arguments, dict) else None, raw=raw
    )


def _marked(text: str) -> list[dict[str, Any]]:
    """A text as a block that ends a cached prefix."""
    return [{"type": "text", "text": text, "cache_control": _EPHEMERAL}]


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function as Anthropic wants it."""
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    described = {"description": tool["description"]} if tool.get("description") else {}
    return {"name": tool["name"], **described, "input_schema": schema}


def _usage(usage: Mapping[str, Any]) -> Usage:
    """All of the prompt: what was read from the cache and what was written to it are counted apart there."""
    fresh = _count(usage.get("input_tokens"))
    read, written = _count(usage.get("cache_read_input_tokens")), _count(usage.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=_count(usage.get("output_tokens")),
        cached_tokens=read,
        cache_write_tokens=written,
    )


def _count(value: Any) -> int | None:
    """A number as a server gives it; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
