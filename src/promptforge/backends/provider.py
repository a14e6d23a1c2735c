"""What a model behind an SDK is, whoever provides it; `openai` and `anthropic` say how each one speaks."""

import json
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, ClassVar

from promptforge.backends.base import Answer, BackendError, Request
from promptforge.backends.complaints import refused, translate
from promptforge.backends.faults import Place, not_json
from promptforge.backends.keys import plain_url, read_key
from promptforge.backends.sdk import STREAM_BYTES, Give, as_json, exchange, plain
from promptforge.backends.watch import Watch
from promptforge.errors import InputError
from promptforge.model import Model

__all__ = ["Provider"]

_NO_KEY = "none"
_CONNECT_S = 10.0
"""A server that takes longer to accept a connection is as good as not there."""


class Provider(ABC):
    """A model at a provider, or at a server that stands in for one."""

    name: ClassVar[str]
    """Of the backend, of its extra and of the SDK's package."""
    url: ClassVar[str]
    """Where requests go unless the model has a base_url. The SDK's environment variables do not decide it."""
    path: ClassVar[str]
    """Where the SDK goes below it; for messages."""
    key_name: ClassVar[str]
    """The environment variable that usually holds the key; for messages."""
    own: ClassVar[tuple[str, ...]]
    """What a request is made of, and so not for `params`."""

    def __init__(self, model: Model, environ: Mapping[str, str]) -> None:
        self._model = str(model.settings.get("model", ""))
        if not self._model:
            hint = f"write `model: …` below `{model.name}` in promptforge.yaml"
            raise InputError(f"the model '{model.name}' does not say which one of {self.name} it is", hint=hint)
        self._base_url = str(model.settings.get("base_url") or self.url)
        self._spec = str(model.settings.get("api_key", ""))
        self._environ = environ
        self._lock = threading.Lock()
        self._client: Any = None
        self._place = Place(url=plain_url(self._base_url), model=self._model, key=self._spec)

    @property
    def identity(self) -> Mapping[str, str]:
        """Backend, address and model; never the key."""
        return {"backend": self.name, "base_url": self._place.url, "model": self._model}

    def answer(self, request: Request, *, timeout_s: float, stop: threading.Event | None = None) -> Answer:
        """Send once. Raises BackendError."""
        place, client = self._prepare(request, timeout_s)
        return self._exchange(request, client, place, Watch(timeout_s=timeout_s, stop=stop), None)

    def stream(
        self,
        request: Request,
        on_text: Give,
        *,
        timeout_s: float,
        stop: threading.Event | None = None,
    ) -> Answer:
        """Send once, handing over the text as it comes. Raises BackendError."""
        place, client = self._prepare(request, timeout_s)
        watch = Watch(timeout_s=timeout_s, stop=stop, max_bytes=STREAM_BYTES)
        return self._exchange(request, client, place, watch, on_text)

    def close(self) -> None:
        """Give back the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # ---- What each provider says for itself --------------------------------------------------------------------------

    @abstractmethod
    def _open(self, key: str) -> Any:
        """The SDK's client: this is where the SDK is imported, with the part of it that is used."""

    @abstractmethod
    def _body(self, request: Request) -> dict[str, Any]:
        """The request in the provider's terms, without its parameters."""

    @abstractmethod
    def _send(self, client: Any, arguments: Mapping[str, Any]) -> Any:
        """Send; the raw response."""

    @abstractmethod
    def _start(self, client: Any, arguments: Mapping[str, Any]) -> AbstractContextManager[Any]:
        """Send; the stream of what comes."""

    @abstractmethod
    def _read(self, data: Any, place: Place, latency_s: float) -> Answer:
        """The answer in a body. Raises BackendError, ReportedError."""

    @abstractmethod
    def _hear(self, pieces: Any, give: Give, place: Place, started: float) -> Answer:
        """The answer in a stream, its text given as it comes. Raises as `_read`."""

    # ---- What is the same for all ------------------------------------------------------------------------------------

    def _prepare(self, request: Request, timeout_s: float) -> tuple[Place, Any]:
        """Whom we ask and with what, before the clock runs: loading an SDK can take a second."""
        for name in request.params:
            if name in self.own:
                message = f"`{name}` cannot stand in the params of '{self._model}'"
                raise BackendError("rejected", message, hint="take it out: promptforge sends that itself")
        key = self._key()
        with self._lock:
            if self._client is None:
                self._client = self._open(key)
            return replace(self._place, keys=(key,) if self._spec else (), timeout_s=timeout_s), self._client

    def _exchange(self, request: Request, client: Any, place: Place, watch: Watch, on_text: Give | None) -> Answer:
        limits = sys.modules[self.name].Timeout(watch.timeout_s, connect=min(watch.timeout_s, _CONNECT_S))
        arguments = {**self._body(request), "extra_body": as_json(request.params), "timeout": limits}

        def work(give: Give) -> Answer:
            return self._stream(client, arguments, give, place) if on_text else self._ask(client, arguments, place)

        started = time.perf_counter()
        try:
            return exchange(work, watch, on_text and _kept(on_text))
        except _CallersError as error:
            raise error.inner from None
        except Exception as error:
            if (said := refused(error)) is not None:
                return Answer(text=said, finish="refusal", latency_s=time.perf_counter() - started)
            known = translate(error, place, self.path)
            if known is None or known is error:
                raise
            raise known from error

    def _key(self) -> str:
        """The key, or for a server of one's own a word in its place: the SDKs insist on one."""
        if self._spec:
            return read_key(self._spec, self._environ)
        if self._base_url == self.url:
            hint = f"write `api_key: env:{self.key_name}` in promptforge.yaml"
            raise BackendError("no_key", f"{self._place.url} needs a key, and '{self._model}' names none", hint=hint)
        return _NO_KEY

    def _ask(self, client: Any, arguments: Mapping[str, Any], place: Place) -> Answer:
        started = time.perf_counter()
        response = self._send(client, arguments)
        return self._read(_json(response, place), place, time.perf_counter() - started)

    def _stream(self, client: Any, arguments: Mapping[str, Any], give: Give, place: Place) -> Answer:
        started = time.perf_counter()
        with self._start(client, arguments) as pieces:
            kind = pieces.response.headers.get("content-type", "")
            if "event-stream" in kind:
                return self._hear(pieces, give, place, started)
            pieces.response.read()  # it cannot stream, or it is something else
            answer = self._read(_json(pieces.response, place), place, time.perf_counter() - started)
        if answer.text:
            give(answer.text)
        return answer


class _CallersError(Exception):
    """What the caller's own function raised: not ours to translate."""

    def __init__(self, inner: Exception) -> None:
        super().__init__(inner)
        self.inner = inner


def _kept(on_text: Give) -> Give:
    def give(text: str) -> None:
        try:
            on_text(text)
        except Exception as error:
            raise _CallersError(error) from error

    return give


def _json(response: Any, place: Place) -> Any:
    """The body of a response. Raises BackendError `not_json`."""
    try:
        data = json.loads(response.content)
        return plain(data, place.keys) if isinstance(data, dict) else data
    except (ValueError, RecursionError) as problem:
        headers = {name.lower(): value for name, value in response.headers.items()}
        raise not_json(headers, response.content, place) from problem
