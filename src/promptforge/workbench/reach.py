"""Who answers at a local address: one harmless question to a model server, and the process that owns its port.

Nothing is sent but a GET without a key: no proxy is used, and no redirect is followed, so it stays where it was meant.
"""

import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

__all__ = ["Answer", "ask", "ask_all", "local_port"]

TIMEOUT_S = 2.0
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from a server."""

    state: Literal["running", "starting", "not running", "silent", "something else"]
    detail: str = ""
    models: tuple[str, ...] | None = None
    """The names that it lists; None when it lists nothing. What a server says of itself proves nothing."""


# --- the question ---------------------------------------------------------------------------------------------------


def ask_all(base_urls: Iterable[str], *, timeout_s: float = TIMEOUT_S) -> Mapping[str, Answer]:
    """Ask all servers at once. None of them can hold us up, not even one that answers a byte at a time."""
    answers: dict[str, Answer] = {}

    def work(url: str) -> None:
        answers[url] = ask(url, timeout_s=timeout_s)

    threads = {url: threading.Thread(target=work, args=(url,), daemon=True) for url in dict.fromkeys(base_urls)}
    for thread in threads.values():
        thread.start()
    end = time.monotonic() + 2 * timeout_s + 0.5  # two questions at most
    for thread in threads.values():
        thread.join(max(0.0, end - time.monotonic()))
    late = Answer(state="silent", detail=_silence(timeout_s))
    return {url: answers.get(url, late) for url in threads}


def ask(base_url: str, *, timeout_s: float = TIMEOUT_S) -> Answer:
    """GET {base_url}/models; where that says nothing useful, GET /health of the same server."""
    try:
        status, body = _get(f"{base_url.rstrip('/')}/models", timeout_s)
        data = _json(body)
        listed = data.get("data", data.get("models")) if isinstance(data, dict) else data
        if status == 200 and (isinstance(listed, list) or (isinstance(data, dict) and data.get("object") == "list")):
            return Answer(state="running", models=tuple(_names(listed or ())))
        if status in (401, 403) and data is not None:
            return Answer(state="running", detail="it asks for a key")
        parts = urlsplit(base_url)
        health, health_body = _get(f"{parts.scheme}://{parts.netloc}/health", timeout_s)
    except _NoAnswerError as problem:
        return problem.answer
    if health == 200 and isinstance(_json(health_body), dict):
        return Answer(state="running", detail="it lists no models")
    if 503 in (status, health) and (data is not None or _json(health_body) is not None):
        return Answer(state="starting", detail="it says that it is not ready yet")
    return Answer(state="something else", detail=f"it answers, but not like a model server (HTTP {status} at /models)")


class _NoAnswerError(Exception):
    """No answer that could be read."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.detail)
        self.answer = answer


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer, not a place to go."""

    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None


def _get(url: str, timeout_s: float) -> tuple[int, bytes]:
    """Status and body. Raises _NoAnswerError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    try:
        _ = urlsplit(url).port  # a port that is none is a ValueError here, and worse further down
        request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "promptforge"})
        with opener.open(request, timeout=timeout_s) as response:
            return response.status, response.read(_MOST_BYTES)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, b"" if refusal.fp is None else refusal.read(_MOST_BYTES)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise _NoAnswerError(_no_answer(problem, timeout_s)) from problem


def _no_answer(problem: Exception, timeout_s: float) -> Answer:
    reason = problem.reason if isinstance(problem, urllib.error.URLError) else None
    match reason if isinstance(reason, Exception) else problem:
        case ConnectionRefusedError():
            return Answer(state="not running", detail="nothing listens there")
        case socket.gaierror():
            return Answer(state="not running", detail="there is no host of that name")
        case TimeoutError() if reason is not None:
            return Answer(state="not running", detail=f"no connection within {timeout_s:g} s")
        case TimeoutError():
            return Answer(state="silent", detail=_silence(timeout_s))
        case ssl.SSLError() as failed:
            return Answer(state="something else", detail=f"no TLS connection: {failed.reason or failed}")
        case http.client.InvalidURL() | ValueError() | urllib.error.URLError():
            return Answer(state="not running", detail="its base_url cannot be used")
        case http.client.HTTPException() | ConnectionError():
            return Answer(state="something else", detail="what listens there does not speak HTTP")
        case OSError() as failed:
            return Answer(state="not running", detail=(failed.strerror or str(failed)).lower())
        case other:
            return Answer(state="not running", detail=str(other))


def _silence(timeout_s: float) -> str:
    return f"it listens, but does not answer within {timeout_s:g} s"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _names(listed: Iterable[Any]) -> Iterator[str]:
    for entry in listed:
        name = entry.get("id", entry.get("name")) if isinstance(entry, dict) else entry
        if isinstance(name, str):
            yield "".join(c if c.isprintable() else "?" for c in name)[:200]


# --- the port -------------------------------------------------------------------------------------------------------


def local_port(base_url: str) -> int | None:
    """The port of a URL that leads to this machine itself."""
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    try:
        address = ipaddress.ip_address(host)
        here = address.is_loopback or address.is_unspecified
    except ValueError:
        here = host == "localhost" or host.endswith(".localhost")
    return (port or {"https": 443}.get(parts.scheme, 80)) if here else None
