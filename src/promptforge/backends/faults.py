"""What went wrong, in the user's terms: the tables of exceptions and of HTTP statuses, with message and hint."""

import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from promptforge.backends.base import BackendError, Fault
from promptforge.backends.keys import hide, plain_url
from promptforge.backends.proxies import ProxyError
from promptforge.backends.watch import ConnectTimeoutError, EndlessError, OverdueError, StoppedError

__all__ = [
    "Place",
    "error_words",
    "no_answer",
    "not_json",
    "refusal",
    "retry_after_s",
    "words_of",
    "wrong_content",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a request went, as far as a message may say it."""

    url: str
    """Of the server, as in promptforge.yaml, without secrets."""
    model: str = ""
    key: str = ""
    """`env:NAME`, or nothing."""
    keys: tuple[str, ...] = ()
    """The values that no message may hold."""
    timeout_s: float = 0.0

    @property
    def host(self) -> str:
        """The host alone."""
        try:
            return urlsplit(self.url).hostname or self.url
        except ValueError:
            return self.url

    @property
    def export(self) -> str:
        """How the key is set."""
        return f"export {self.key.removeprefix('env:')}=…" if self.key else "`api_key: env:NAME` in promptforge.yaml"


# ---- No answer at all ------------------------------------------------------------------------------------------------

_DOCTOR = "`promptforge doctor` says who owns the port"

_NO_ANSWER: Sequence[tuple[type[BaseException], Fault, str, str, bool]] = (
    (StoppedError, "stopped", "stopped before {url} had answered", "run the command again: what came is kept", False),
    (
        OverdueError,
        "timed_out",
        "{url} had not answered after {timeout_s:g} s ({came})",
        "allow it more time, or lower max_tokens",
        False,
    ),
    (
        EndlessError,
        "endless",
        "{url} sends without end: more than an answer can be",
        f"it may be no model server: {_DOCTOR}",
        False,
    ),
    (ConnectTimeoutError, "unreachable", "{host} does not take the connection", "is it on, and in this network?", True),
    (ProxyError, "unreachable", "{said}", "mend HTTP_PROXY or HTTPS_PROXY, or name {host} in NO_PROXY", False),
    (ConnectionRefusedError, "unreachable", "nothing listens at {url}", "start the server, or mend base_url", False),
    (
        socket.gaierror,
        "unreachable",
        "there is no host called {host}",
        "mend base_url, or look whether the network is up",
        False,
    ),
    (
        ssl.SSLCertVerificationError,
        "unreachable",
        "the certificate of {host} is not trusted: {said}",
        "set SSL_CERT_FILE to the certificate of the authority that signed it",
        False,
    ),
    (
        ssl.SSLError,
        "not_http",
        "what listens at {url} does not speak TLS: {said}",
        "write http:// if it is a plain server",
        False,
    ),
    (
        http.client.RemoteDisconnected,
        "unreachable",
        "{url} closed the connection without an answer",
        f"read its log: it may have run out of memory; {_DOCTOR}",
        True,
    ),
    (
        http.client.IncompleteRead,
        "unreachable",
        "{url} broke off in the middle of its answer",
        "read its log: it may have been stopped",
        True,
    ),
    (
        http.client.InvalidURL,
        "rejected",
        "base_url cannot be used: {said}",
        "write http://HOST:PORT/v1 in promptforge.yaml",
        False,
    ),
    (
        http.client.HTTPException,
        "not_http",
        "what listens at {url} does not speak HTTP",
        f"another program has this port: {_DOCTOR}",
        False,
    ),
    (ConnectionError, "unreachable", "the connection to {url} was cut", "read the server's log", True),
    (TimeoutError, "timed_out", "{url} had not answered after {timeout_s:g} s", "allow it more time", False),
    (OSError, "unreachable", "{url} cannot be reached: {said}", "check the network, and base_url", False),
    (
        ValueError,  # a name or path that cannot be encoded
        "rejected",
        "base_url cannot be used: {said}",
        "write http://HOST:PORT/v1 in promptforge.yaml",
        False,
    ),
)


def no_answer(problem: BaseException, place: Place) -> BackendError:
    """An exception of the transport or of what lies below it as a BackendError; an unknown one is raised again."""
    for kind, fault, message, hint, retryable in _NO_ANSWER:
        if isinstance(problem, kind):
            words = {
                "url": place.url,
                "host": place.host,
                "timeout_s": place.timeout_s,
                "came": _came(problem.received) if isinstance(problem, OverdueError) else "",
                "said": _reason(problem, place),
            }
            made = BackendError(fault, message.format(**words), hint=hint.format(**words), retryable=retryable)
            if isinstance(problem, socket.gaierror) and problem.errno == socket.EAI_AGAIN:
                made.retryable = True  # the name server is away, not the name
            return made
    raise problem


def _came(received: int) -> str:
    return f"{received:,} bytes had come, but not the end" if received else "not a byte had come"


def _reason(problem: BaseException, place: Place) -> str:
    reason = getattr(problem, "verify_message", "") or getattr(problem, "strerror", "") or str(problem)
    return _short(reason, place.keys)


# ---- An answer that is none ------------------------------------------------------------------------------------------

_LONG = re.compile(
    r"""context.?(?:length|size|window|limit).{0,40}exceed | exceed\w*.{0,60}context.?(?:length|size|window|limit)
    | maximum.context.length | maximum.model.length | context_length_exceeded | exceed_context_size
    | (?:prompt|input|inputs|messages?|request).{0,60}too.(?:long|large).{0,60}(?:model|context|token)
    | (?:prompt|input|request).(?:is|was).too.long | too.long.to.fit | reduce.the.length.of.the.(?:mess|prom|inp)
    | context.{0,12}overflows | (?:greater|longer).than.the.{0,30}context | exceed\w*.the.maximum.number.of.tokens
    | input.(?:length|token).{0,40}exceed | max_new_tokens.{0,20}must.be | too.many.tokens.{0,40}(?:context|prompt)
    | prompt.is.\d+.tokens.but | context.window.of.\d+ """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
"""How OpenAI, llama.cpp, llama-cpp-python, vLLM, mlx, LM Studio, TGI, Ollama, Mistral, Gemini and RKLLM say it."""

_NO_PATH = re.compile(
    r"^\W*(?:not.found|file.not.found|no.such.route|404.*|invalid.url.*|unexpected.endpoint.*|cannot.(?:post|get).*)"
    r"\W*(?:\([\w, ]*\)\W*)?$",
    re.IGNORECASE | re.DOTALL,
)
_MODEL = re.compile(r"\bmodel|repository|repo.id|adapter", re.IGNORECASE)
_QUOTA = re.compile(r"insufficient_quota|exceeded your current quota|credit balance|billing", re.IGNORECASE)

_V1 = "does base_url end in /v1? `promptforge doctor` asks the server"

_STATUSES: Mapping[str, tuple[Fault, str, str, bool]] = {
    "too_long": (
        "too_long",
        "the prompt is longer than the context of {model}: {said}",
        "lower the budget or max_tokens, or serve the model with a larger context",
        False,
    ),
    "quota": ("rate_limited", "the account at {url} has nothing left: {said}", "check its plan and limits", False),
    "no_model": ("not_found", "{url} does not know the model {model}: {said}", "mend `model`, or load it there", False),
    "no_path": ("not_found", "{url} has no chat/completions (HTTP {status})", _V1, False),
    "302": ("not_found", "{url} sends us elsewhere: {location}", "write that as base_url, if it is yours", False),
    "401": ("auth", "{url} does not accept the key (HTTP 401): {said}", "set the right one: {export}", False),
    "no_key": ("auth", "{url} asks for a key (HTTP 401): {said}", "write {export}", False),
    "403": ("auth", "{url} forbids it (HTTP 403): {said}", "check that this key may use {model}", False),
    "404": ("not_found", "{url} did not find what was asked for: {said}", f"mend `model`, or base_url: {_V1}", False),
    "408": ("timed_out", "{url} gave up waiting (HTTP 408): {said}", "try again when it is less busy", True),
    "413": ("too_long", "{url} takes no request of this size (HTTP 413)", "lower the budget", False),
    "429": ("rate_limited", "{url} asks for fewer requests (HTTP 429): {said}", "lower the concurrency", True),
    "501": ("rejected", "{url} cannot do this (HTTP 501): {said}", "leave out tools or params", False),
    "503": ("overloaded", "{url} is not ready (HTTP {status}): {said}", "wait until it has loaded its model", True),
    "4xx": ("rejected", "{url} rejects the request (HTTP {status}): {said}", "check params and tools", False),
    "5xx": ("server", "{url} failed (HTTP {status}): {said}", "read its log", True),
    "1xx": ("not_http", "{url} answers HTTP {status}, which ends no request", f"is it a model server? {_V1}", False),
}  # fmt: skip


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, place: Place, *, inside: bool = False
) -> BackendError:
    """An answer that says no, by its status and its words; `inside`: it was said in an answer of status 200."""
    said = words_of(body)
    fault, message, hint, retryable = _STATUSES[_row(status, said, place)]
    words = {
        "url": place.url,
        "status": "200, with an error in it" if inside else status,
        "model": f"'{place.model}'" if place.model else "the server",
        "said": _short(said, place.keys) or "it does not say why",
        "location": plain_url(hide(headers.get("location", ""), place.keys)) or "it does not say where",
        "export": place.export,
    }
    return BackendError(
        fault,
        message.format(**words),
        hint=hint.format(**words),
        retryable=retryable,
        retry_after_s=retry_after_s(headers),
        status=status,
    )


def _row(status: int, said: str, place: Place) -> str:
    if status >= 400 and _LONG.search(said):
        return "too_long"
    if status in (402, 429) and _QUOTA.search(said):
        return "quota"
    if status in (404, 405, 501):
        return _missing(status, said)
    if status == 401 and not place.key:
        return "no_key"
    if 300 <= status < 400:
        return "302"
    if status == 529:
        return "503"
    if str(status) in _STATUSES:
        return str(status)
    return "5xx" if status >= 500 else "4xx" if status >= 400 else "1xx"


def _missing(status: int, said: str) -> str:
    """Whether it is the path or the model that is not there."""
    if status == 501 and not said.startswith(_PAGE):
        return "501"
    if status == 405 or not said or said.startswith(_PAGE) or _NO_PATH.match(said):
        return "no_path"
    return "no_model" if _MODEL.search(said) else "404"


# ---- HTTP 200, and yet no answer -------------------------------------------------------------------------------------

_CONTENTS: Mapping[str, tuple[Fault, str, str, bool]] = {
    "empty": ("not_json", "{url} sent nothing: an empty body", "read its log", True),
    "packed": ("not_json", "{url} sent compressed data, which was not asked for", "turn compression off there", False),
    "page": ("not_json", "{url} sent {said}, not JSON", f"is it a model server? {_V1}", False),
    "half": (
        "not_json",
        "{url} sent JSON that breaks off after {size:,} bytes",
        "read its log: it may have died",
        True,
    ),
    "text": ("not_json", "{url} sent no JSON, but: {said}", f"is it a model server? {_V1}", False),
    "shape": ("no_choice", "{url} sent JSON that is no chat completion: {said}", f"is it a model server? {_V1}", False),
    "choices": (
        "no_choice",
        "{url} answered without a single choice",
        "read its log, and check params and tools",
        True,
    ),
    "message": (
        "no_choice",
        "{url} answered with a message that holds neither a text nor a call",
        "read its log, and check params and tools",
        True,
    ),
    "stream": ("no_choice", "{url} ended its stream without a single choice", "read its log", True),
}


def wrong_content(row: str, place: Place, *, body: bytes = b"") -> BackendError:
    """An answer with HTTP 200 that holds no answer; `row` is one of the table."""
    fault, message, hint, retryable = _CONTENTS[row]
    said = words_of(body) or body[:_MOST].decode("utf-8", "replace").strip()  # `null` has no words
    words = {"url": place.url, "said": _short(said, place.keys), "size": len(body)}
    return BackendError(fault, message.format(**words), hint=hint, retryable=retryable, status=200)


def not_json(headers: Mapping[str, str], body: bytes, place: Place) -> BackendError:
    """What stands there instead of JSON."""
    start = body.lstrip()[:1]
    if not start:
        return wrong_content("empty", place)
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        return wrong_content("packed", place)
    if start in (b"{", b"["):
        return wrong_content("half", place, body=body)
    return wrong_content("page" if words_of(body).startswith(_PAGE) else "text", place, body=body)


# ---- What a server says ----------------------------------------------------------------------------------------------

_PAGE = "a web page"
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_MOST = 300


def words_of(body: bytes) -> str:
    """What a body says in words: the message of an error in any of the usual shapes, a page's title, or its text."""
    text = body[:100_000].decode("utf-8", "replace").strip()
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        if not re.match(r"<(?:!doctype|html|head|body|\?xml)", text, re.IGNORECASE):
            return text
        title = _TITLE.search(text)
        return f"{_PAGE} titled '{' '.join(title[1].split())}'" if title else _PAGE
    return error_words(data)


def error_words(data: Any) -> str:
    """The words of an error as JSON: `{"error": {"message", "code", "type"}}` and its many cousins."""
    if not isinstance(data, dict):
        return "" if data is None else str(data)
    inner = next((data[name] for name in ("error", "detail", "message", "errors") if data.get(name)), None)
    if isinstance(inner, str):
        return inner
    if isinstance(inner, list):
        return "; ".join(filter(None, (error_words(entry) or str(entry) for entry in inner[:5])))
    if isinstance(inner, dict):
        said = str(inner.get("message") or inner.get("msg") or json.dumps(inner, ensure_ascii=False))
        kinds = [str(inner[name]) for name in ("type", "code") if isinstance(inner.get(name), str)]
        return f"{said} ({', '.join(kinds)})" if kinds else said
    return str(data.get("msg") or f"its keys are {', '.join(map(str, list(data)[:8]))}" if data else "")


def _short(said: str, keys: Iterable[str]) -> str:
    """Words of a stranger in a message of ours: keys hidden first, then one line, then cut."""
    line = " ".join(hide(said, keys).split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= _MOST else line[: _MOST - 1] + "…"


_LONGEST_WAIT_S = 86_400.0


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What Retry-After asks for: seconds, or an HTTP date by the server's own clock where it tells it."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,12}(?:\.\d{1,9})?", value):
            return min(float(value) * scale, _LONGEST_WAIT_S)
    until = _moment(headers.get("retry-after", ""))
    if until is None:
        return None
    now = _moment(headers.get("date", ""))
    return min(max(0.0, until - (time.time() if now is None else now)), _LONGEST_WAIT_S)


def _moment(written: str) -> float | None:
    try:
        return parsedate_to_datetime(written).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
