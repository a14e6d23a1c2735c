"""The few words with a server that we started: whether it is ready, and what it says to a fixed request."""

import json
import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from promptforge.backends.base import Answer, BackendError, Request
from promptforge.backends.chat import answer_of, as_object, body_of, lacks
from promptforge.backends.faults import Place, not_json, refusal, wrong_content
from promptforge.backends.keys import plain_url, read_key
from promptforge.backends.transport import Transport
from promptforge.backends.watch import Watch
from promptforge.model import Model

__all__ = ["Said", "Talk"]

_GLANCE_S = 5.0
"""A server that is busy loading may be slow to say so; one that says nothing is asked again."""
_BROKEN = re.compile(rb'"status":\s*"unavailable"')
"""How mlx_lm.server says that the thread which answers has died: it listens on, and never is ready again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer with what the tokens weighed."""

    answer: Answer
    tokens: tuple[str, ...] = ()
    logprobs: tuple[float, ...] | None = None
    """The natural logarithm of each token's probability; None where the server does not tell."""


class Talk:
    """Plain requests to `{base_url}`, without the bench's machinery."""

    def __init__(self, model: Model, environ: Mapping[str, str], *, stop: threading.Event | None = None) -> None:
        settings = model.settings
        self._base_url = str(settings["base_url"])
        self._model = str(settings.get("model", ""))
        self._key = str(settings.get("api_key", ""))
        self._environ = environ
        self._stop = stop
        self._transport = Transport(self._base_url, environ=environ)
        self._path = urlsplit(self._base_url).path.rstrip("/")

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    def state(self) -> Literal["ready", "loading", "broken", "unknown"]:
        """What it says of itself: by /health, else by the list of its models, whose body may well be empty."""
        for target in ("/health", f"{self._path}/models"):
            try:
                status, _, body, _ = self._exchange("GET", target, None, _GLANCE_S)
            except BackendError as problem:
                if problem.fault == "stopped":
                    raise
                return "loading"
            if status == 200:
                return "ready"
            if status == 503:
                return "broken" if _BROKEN.search(body) else "loading"
        return "unknown"

    def chat(self, question: str, *, params: Mapping[str, Any], timeout_s: float) -> Said:
        """Ask without a system prompt, which not every chat template takes. Raises BackendError."""
        request = Request(system="", messages=(("user", question),), params=params)
        body = body_of(request, self._model)
        status, headers, content, place = self._exchange("POST", f"{self._path}/chat/completions", body, timeout_s)
        if not 200 <= status < 300:
            raise refusal(status, headers, content, place)
        try:
            data = json.loads(content.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as problem:
            raise not_json(headers, content, place) from problem
        if lack := lacks(data):
            raise wrong_content(lack, place, body=content)
        tokens, weights = _weights(as_object(data["choices"][0]))
        return Said(answer=answer_of(data, 0.0), tokens=tokens, logprobs=weights)

    def _exchange(
        self, method: str, target: str, body: bytes | None, timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes, Place]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "promptforge"}
        keys: tuple[str, ...] = ()
        if self._key:
            keys = (read_key(self._key, self._environ),)
            headers["Authorization"] = f"Bearer {keys[0]}"
        place = Place(url=plain_url(self._base_url), model=self._model, key=self._key, keys=keys, timeout_s=timeout_s)
        watch = Watch(timeout_s=timeout_s, stop=self._stop)
        with self._transport.exchange(method, target, place=place, watch=watch, headers=headers, body=body) as response:
            return response.status, response.headers, response.body(), place


def _weights(choice: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[float, ...] | None]:
    """Tokens and their logarithms, in OpenAI's form; nothing where one of them is missing or no number."""
    listed = as_object(choice.get("logprobs")).get("content")
    entries = [as_object(entry) for entry in listed] if isinstance(listed, list) else []
    tokens = tuple(str(entry.get("id", entry.get("token", ""))) for entry in entries)
    weights = [entry.get("logprob") for entry in entries]
    numbers = tuple(float(w) for w in weights if isinstance(w, (int, float)) and math.isfinite(w))
    return (tokens, numbers) if numbers and len(numbers) == len(weights) else ((), None)
