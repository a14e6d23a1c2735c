"""OpenAI through its SDK: chat completions. Owns the openai package, which loads with the first request.

For any other server that speaks the same protocol there is `compatible`: it needs no SDK and costs less.
"""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from promptforge.backends.base import Answer, Request
from promptforge.backends.chat import Stream, answer_of, lacks
from promptforge.backends.complaints import ReportedError
from promptforge.backends.faults import Place, wrong_content
from promptforge.backends.provider import Provider
from promptforge.backends.sdk import Give, as_json, http_client, plain

__all__ = ["OpenAI"]


class OpenAI(Provider):
    """A model at OpenAI."""

    name = "openai"
    url = "https://api.openai.com/v1"
    path = "chat/completions"
    key_name = "OPENAI_API_KEY"
    own = ("model", "messages", "tools", "stream", "stream_options", "n")

    def _open(self, key: str) -> Any:
        import openai

        client = openai.OpenAI(api_key=key, base_url=self._base_url, max_retries=0, http_client=http_client(openai))
        _ = client.chat.completions.with_raw_response  # loads them
        return client

    def _body(self, request: Request) -> dict[str, Any]:
        system = [{"role": "system", "content": request.system}] if request.system else []
        turns = [{"role": role, "content": content} for role, content in request.messages]
        body: dict[str, Any] = {"model": self._model, "messages": system + turns}
        if request.tools:
            body["tools"] = [{"type": "function", "function": as_json(tool)} for tool in request.tools]
        return body

    def _send(self, client: Any, arguments: Mapping[str, Any]) -> Any:
        return client.chat.completions.with_raw_response.create(**arguments).http_response

    def _start(self, client: Any, arguments: Mapping[str, Any]) -> AbstractContextManager[Any]:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        stream: AbstractContextManager[Any] = client.chat.completions.create(**arguments, **options)
        return stream

    def _read(self, data: Any, place: Place, latency_s: float) -> Answer:
        if plain(data).get("error"):
            raise ReportedError(data)
        if lack := lacks(plain(data)):
            raise wrong_content(lack, place, body=str(data).encode())
        return _with_writes(answer_of(data, latency_s), plain(data.get("usage")))

    def _hear(self, pieces: Any, give: Give, place: Place, started: float) -> Answer:
        whole = Stream(give, lambda: time.perf_counter() - started)
        usage: dict[str, Any] = {}
        for piece in pieces:
            chunk = plain(piece, place.keys)
            usage = plain(chunk.get("usage")) or usage
            whole.add(chunk)
        if not whole.choices:
            raise wrong_content("stream", place)
        return _with_writes(whole.answer(), usage)


def _with_writes(answer: Answer, usage: Mapping[str, Any]) -> Answer:
    """The answer with the tokens that were written to the cache: newer models charge for them."""
    written = plain(usage.get("prompt_tokens_details")).get("cache_write_tokens")
    if not isinstance(written, int):
        return answer
    return replace(answer, usage=replace(answer.usage, cache_write_tokens=written))
