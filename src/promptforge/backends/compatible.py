"""Any OpenAI-compatible server over plain HTTP: mlx_lm, llama.cpp, vLLM, Ollama, LM Studio and the rest."""

import base64
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from promptforge.backends.base import Answer, BackendError, Request
from promptforge.backends.chat import Stream, answer_of, as_object, body_of, lacks
from promptforge.backends.faults import Place, no_answer, not_json, refusal, wrong_content
from promptforge.backends.keys import blank, plain_url, read_key
from promptforge.backends.sse import events, looks_like_events
from promptforge.backends.transport import Response, Transport
from promptforge.backends.watch import MAX_BYTES, Watch
from promptforge.files import digest_of
from promptforge.model import Model

__all__ = ["Compatible"]

_STREAM_BYTES = 4 * MAX_BYTES
"""Of a stream most is packaging, some 200 bytes a token."""


class Compatible:
    """A server that speaks OpenAI's chat format at `base_url`."""

    name = "compatible"
    shares_thread = True

    def __init__(self, model: Model, environ: Mapping[str, str]) -> None:
        settings = model.settings
        self._base_url = str(settings.get("base_url", ""))
        self._model = str(settings.get("model", ""))
        self._key = str(settings.get("api_key", ""))
        self._environ = environ
        if not self._base_url:
            message = f"the model '{model.name}' has no base_url"
            raise BackendError("unreachable", message, hint="write `base_url: http://HOST:PORT/v1` in promptforge.yaml")
        try:
            self._transport = Transport(self._base_url, environ=environ)
        except ValueError as problem:
            raise no_answer(problem, Place(url=plain_url(self._base_url))) from problem
        parts = urlsplit(self._base_url)
        self._path, self._query = parts.path.rstrip("/"), parts.query
        self._shown_url = plain_url(self._base_url)
        self._login = unquote(parts.netloc.rpartition("@")[0])

    @property
    def identity(self) -> Mapping[str, str]:
        """Backend, address and model; the version of the API where the address names one."""
        known = {"backend": self.name, "base_url": plain_url(self._base_url), "model": self._model}
        versions = [value for name, value in parse_qsl(self._query) if name in ("api-version", "version")]
        return known | ({"api_version": versions[0]} if versions else {})

    def answer(self, request: Request, *, timeout_s: float, stop: threading.Event | None = None) -> Answer:
        """Send once. Raises BackendError."""
        watch = Watch(timeout_s=timeout_s, stop=stop)
        with self._post(request, watch, stream=False) as (response, place):
            body = response.body()
            if looks_like_events(body[:_PEEK]):  # it streams, whether it was asked to or not
                return _streamed([body], place, watch, lambda text: None)
            return _whole(response, body, place, watch)

    def stream(
        self,
        request: Request,
        on_text: Callable[[str], None],
        *,
        timeout_s: float,
        stop: threading.Event | None = None,
    ) -> Answer:
        """Send once, handing over the text as it comes. A server that cannot stream answers all at once."""
        watch = Watch(timeout_s=timeout_s, stop=stop, max_bytes=_STREAM_BYTES)
        with self._post(request, watch, stream=True) as (response, place):
            start, pieces = _peek(response.pieces())
            if looks_like_events(start):
                return _streamed(pieces, place, watch, on_text)
            answer = _whole(response, b"".join(pieces), place, watch)
        if answer.text:
            on_text(answer.text)
        return answer

    def probe(self, timeout_s: float) -> Mapping[str, str]:
        """What the server says of itself, for the record: it proves nothing. Never fails: then it is empty."""
        watch = Watch(timeout_s=timeout_s)
        try:
            listed, server = self._get(f"{self._path}/models", watch)
        except BackendError:
            return {}
        found = {"server": server, **_listed(listed, self._model)}
        if "llama" in (server + json.dumps(listed)).lower():
            with suppress(BackendError):
                found |= _props(self._get("/props", watch)[0])
        return {name: value for name, value in found.items() if value}

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    @contextmanager
    def _post(self, request: Request, watch: Watch, *, stream: bool) -> Iterator[tuple[Response, Place]]:
        """The answer to a chat request, if it says yes."""
        place, headers = self._place(watch.timeout_s)
        body = body_of(request, self._model, stream=stream)
        query = f"?{self._query}" if self._query else ""
        target = f"{self._path}/chat/completions{query}"
        with self._transport.exchange("POST", target, place=place, watch=watch, headers=headers, body=body) as response:
            if not 200 <= response.status < 300:
                raise refusal(response.status, response.headers, response.body(), place)
            yield response, place

    def _get(self, target: str, watch: Watch) -> tuple[Any, str]:
        """What stands there as JSON, and the name of the server's program."""
        place, headers = self._place(watch.timeout_s)
        with self._transport.exchange("GET", target, place=place, watch=watch, headers=headers) as response:
            body = response.body()
            if response.status != 200:
                raise refusal(response.status, response.headers, body, place)
            return _loads(body), response.headers.get("server", "")

    def _place(self, timeout_s: float) -> tuple[Place, dict[str, str]]:
        """Where we go and with which headers; the key is read only now."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "promptforge"}
        keys: list[str] = []
        if self._key:
            keys.append(read_key(self._key, self._environ))
            headers["Authorization"] = f"Bearer {keys[0]}"
        elif self._login:
            keys += [self._login, self._login.partition(":")[2]]
            headers["Authorization"] = f"Basic {base64.b64encode(self._login.encode()).decode('ascii')}"
        place = Place(url=self._shown_url, model=self._model, key=self._key, keys=tuple(keys), timeout_s=timeout_s)
        return place, headers


# ---- What came back --------------------------------------------------------------------------------------------------


def _whole(response: Response, body: bytes, place: Place, watch: Watch) -> Answer:
    data = _loads(body, place.keys)
    if data is None:
        raise not_json(response.headers, body, place)
    _raise_error(data, place)
    if lack := lacks(data):
        raise wrong_content(lack, place, body=body)
    return answer_of(data, watch.elapsed_s())


def _loads(body: bytes, keys: Iterable[str] = ()) -> Any:
    """A body as JSON; None where it is none. A server that says our key back is not recorded saying it."""
    text = blank(body.decode("utf-8", "replace").removeprefix("\ufeff"), keys)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


_PEEK = 64


def _peek(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes that are no blanks, and all pieces."""
    taken: list[bytes] = []
    for piece in pieces:
        taken.append(piece)
        if len(b"".join(taken).lstrip()) >= len(b"event:"):
            break
    return b"".join(taken).lstrip()[:_PEEK], chain(taken, pieces)


def _streamed(pieces: Iterable[bytes], place: Place, watch: Watch, on_text: Callable[[str], None]) -> Answer:
    stream = Stream(on_text, watch.elapsed_s)
    for kind, data in events(pieces):
        if data.strip() == "[DONE]":
            break
        chunk = _loads(data.encode(), place.keys)
        if not isinstance(chunk, dict):
            raise not_json({}, data.encode(), place)
        _raise_error({"error": chunk.get("error", chunk)} if kind == "error" else chunk, place)
        stream.add(chunk)
    if not stream.choices:
        raise wrong_content("stream", place)
    answer = stream.answer()
    return replace(answer, text=blank(answer.text, place.keys), reasoning=blank(answer.reasoning, place.keys))


def _raise_error(data: Any, place: Place) -> None:
    """Some servers say HTTP 200 and then that it went wrong: before the answer, or in the middle of it."""
    if not isinstance(data, dict):
        return
    choices, error = data.get("choices"), data.get("error")
    choice = as_object(choices[0]) if isinstance(choices, list) and choices else {}
    if (error and not choices) or choice.get("finish_reason") == "error":
        error = error or choice.get("error")
        said = json.dumps({"error": error}).encode() if error else b""
        raise refusal(_status_in(error), {}, said, place, inside=True)


_KINDS = (("rate", 429), ("overload", 503), ("unavailable", 503), ("auth", 401), ("permission", 403), ("invalid", 400))


def _status_in(error: Any) -> int:
    """The status that an error means: its code where that is one, or what its type says."""
    code = as_object(error).get("code") or as_object(error).get("status")
    if isinstance(code, int) and 400 <= code < 600:
        return code
    kind = f"{as_object(error).get('type', '')} {code}".lower()
    return next((status for word, status in _KINDS if word in kind), 500)


def _listed(data: Any, model: str) -> Mapping[str, str]:
    """The models that a server lists; of the one that is asked, all numbers."""
    listed = as_object(data).get("data", as_object(data).get("models"))
    entries = [as_object(entry) for entry in listed] if isinstance(listed, list) else []
    names = [str(entry.get("id", entry.get("name", ""))) for entry in entries]
    ours = next((entry for entry, name in zip(entries, names, strict=True) if name == model), None)
    if ours is None and len(entries) == 1:
        ours = entries[0]
    if ours is None:
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        return {"models": ", ".join(names[:20]) + more}
    # Of one that lists ours the others do not matter: it is the same server when another model is downloaded to it.
    numbers = {**ours, **as_object(ours.get("meta"))}
    kept = {name: str(numbers[name]) for name in _NUMBERS if isinstance(numbers.get(name), (int, str))}
    return {"models": str(ours.get("id", ours.get("name", ""))), **kept}


_NUMBERS = ("owned_by", "n_params", "n_ctx", "n_ctx_train", "n_vocab", "size", "ftype", "max_model_len", "root")


def _props(data: Any) -> Mapping[str, str]:
    """What llama.cpp says of itself."""
    props = as_object(data)
    context = as_object(props.get("default_generation_settings")).get("n_ctx")
    template = props.get("chat_template")
    return {
        "build": str(props.get("build_info", "")),
        "model_path": str(props.get("model_path", "")),
        "n_ctx": str(context or ""),
        "chat_template_sha256": digest_of(template) if isinstance(template, str) and template else "",
    }
