"""What holds for both SDKs: keys, bounds, bad servers, and every exception that they export."""

import builtins
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from socket import socket
from types import MappingProxyType, ModuleType
from typing import Any

import anthropic
import openai
import pytest

from backends.playback import KEY, Response, Seen, answer_in, made, names, playing, recording, request_of, serving
from promptforge.backends.anthropic import Anthropic
from promptforge.backends.base import BackendError, Fault, Request
from promptforge.backends.complaints import CLASSES, UNREADABLE, translate
from promptforge.backends.faults import Place
from promptforge.backends.openai import OpenAI
from promptforge.backends.provider import Provider
from promptforge.errors import InputError
from promptforge.model import Model
from servers import free_port, listening

BOTH = pytest.mark.parametrize("kind", [OpenAI, Anthropic])
ASKED = Request(system="You are Windu.", messages=(("user", "Which port?"),))
HTTPX: Any = sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]
"""The HTTP library of the SDKs: httpx2, or httpx below older ones."""
PLACE = Place(url="https://api.example", model="m", keys=(KEY,))


def base(kind: type[Provider], port: int) -> str:
    return f"http://127.0.0.1:{port}" + ("/v1" if kind is OpenAI else "")


def ask(backend: Provider, streamed: bool, timeout_s: float, stop: threading.Event | None = None) -> None:
    if streamed:
        backend.stream(ASKED, lambda text: None, timeout_s=timeout_s, stop=stop)
    else:
        backend.answer(ASKED, timeout_s=timeout_s, stop=stop)


def fault(kind: type[Provider], port: int, *, streamed: bool = False, timeout_s: float = 10.0) -> BackendError:
    """What a request to that port comes to."""
    with closing(made(kind, base(kind, port))) as backend, pytest.raises(BackendError) as caught:
        ask(backend, streamed, timeout_s)
    return caught.value


def fault_with(kind: type[Provider], response: Response, *, streamed: bool = False) -> tuple[BackendError, Seen]:
    """What that response comes to."""
    with serving(lambda *_: response) as seen:
        return fault(kind, seen.port, streamed=streamed), seen


# --- Before anything is sent ------------------------------------------------------------------------------------------


@BOTH
def test_the_sdk_loads_with_the_first_request(kind):
    """Importing and making a backend loads no SDK."""
    code = (
        f"import sys, promptforge.backends.{kind.name} as module\n"
        "from promptforge.model import Model\n"
        f"module.{kind.__name__}(Model(name='m', backend='b', tier='cloud', settings={{'model': 'x'}}), {{}})\n"
        f"sys.exit({kind.name!r} in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@BOTH
def test_a_model_must_be_named(kind):
    with pytest.raises(InputError) as caught:
        made(kind, "http://127.0.0.1:1", model="")
    assert caught.value.message == f"the model 'cloudy' does not say which one of {kind.name} it is"
    assert caught.value.hint == "write `model: …` below `cloudy` in promptforge.yaml"


@BOTH
def test_the_provider_itself_wants_a_key(kind):
    """At the provider's own address a key must be named; nothing is sent, and no variable is guessed."""
    model = Model(name="m", backend=kind.name, tier="cloud", settings={"model": "x"})
    with pytest.raises(BackendError) as caught:
        kind(model, {kind.key_name: KEY}).answer(ASKED, timeout_s=1)
    assert (caught.value.fault, caught.value.message) == ("no_key", f"{kind.url} needs a key, and 'x' names none")
    assert caught.value.hint == f"write `api_key: env:{kind.key_name}` in promptforge.yaml"


@BOTH
def test_the_key_is_read_when_a_request_is_sent(kind):
    """A backend is made without the key; it is missed when it is needed."""
    backend = made(kind, "http://127.0.0.1:1", api_key="env:NOT_SET")
    with pytest.raises(BackendError) as caught:
        backend.answer(ASKED, timeout_s=1)
    assert caught.value.fault == "no_key"


@BOTH
def test_identity_names_server_and_model_and_no_key(kind):
    identity = made(kind, "http://mara:pw@192.0.2.10:8080/v1?token=x", api_key="env:HOUSE_KEY").identity
    assert identity["backend"] == kind.name
    assert identity["base_url"] == "http://192.0.2.10:8080/v1"
    assert KEY not in str(identity)


@BOTH
@pytest.mark.parametrize("name", ["model", "messages", "tools", "stream"])
def test_params_cannot_change_what_is_asked(kind, name):
    backend = made(kind, "http://127.0.0.1:1")
    with pytest.raises(BackendError) as caught:
        backend.answer(Request(system="", messages=ASKED.messages, params={name: 1}), timeout_s=1)
    assert caught.value.fault == "rejected"
    assert caught.value.message == f"`{name}` cannot stand in the params of '{backend.identity['model']}'"
    assert caught.value.hint == "take it out: promptforge sends that itself"


# --- Keys and where they go -------------------------------------------------------------------------------------------


@BOTH
def test_the_key_goes_to_the_server_and_into_no_message(kind):
    """A server that repeats the key in its error does not get it into ours."""
    body = {"error": {"message": f"bad key {KEY}", "type": "authentication_error"}, "type": "error"}
    error, seen = fault_with(kind, Response(json.dumps(body).encode(), status=401))
    headers = seen.requests[0][1]
    assert KEY in headers.get("authorization", "") + headers.get("x-api-key", "")
    assert error.fault == "auth"
    assert KEY not in error.message + error.hint + repr(error.__dict__)


@BOTH
@pytest.mark.parametrize("name", ["answer", "stream"])
def test_a_key_that_is_said_back_is_not_kept(kind, name):
    """Nor does it get into the history by an answer, streamed or not."""
    found = recording(kind.name, name)
    told = {**found, "response": json.loads(json.dumps(found["response"]).replace("420", f"{KEY} "))}
    pieces: list[str] = []
    with playing(told) as seen, closing(made(kind, base(kind, seen.port))) as backend:
        asked = request_of(found["asked"])
        if name == "stream":
            answer = backend.stream(asked, pieces.append, timeout_s=10)
        else:
            answer = backend.answer(asked, timeout_s=10)
    assert answer.text.startswith("[hidden]")
    assert KEY not in repr(answer) + "".join(pieces)


@BOTH
def test_without_a_key_no_word_is_hidden(kind):
    """The SDKs insist on a key; the word that stands in for it at a server of one's own may well be an answer."""
    found = recording(kind.name, "answer")
    told = {**found, "response": json.loads(json.dumps(found["response"]).replace("42069.", "none"))}
    with playing(told) as seen, closing(made(kind, base(kind, seen.port), api_key="")) as backend:
        assert backend.answer(request_of(found["asked"]), timeout_s=10).text == "none"


@BOTH
def test_other_credentials_of_the_environment_stay_at_home(kind, monkeypatch):
    """What the SDKs read from the environment by themselves changes neither the server nor the key."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "sk-other-9876543210zyxw")
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(lambda *_: Response(b"{}", status=404)) as seen:
        for settings in ({}, {"api_key": ""}):
            with closing(made(kind, base(kind, seen.port), **settings)) as backend, pytest.raises(BackendError):
                backend.answer(ASKED, timeout_s=10)
    assert len(seen.requests) == 2
    assert "other" not in str([headers for _, headers, _ in seen.requests])


@BOTH
@pytest.mark.parametrize("status", [302, 307, 308])
def test_no_prompt_follows_a_redirect(kind, status):
    """The server that is redirected to sees nothing."""
    with serving(lambda *_: Response(b"{}")) as other:
        error, _ = fault_with(kind, Response(b"", status=status, headers={"Location": other.url + "/v1/steal"}))
    assert error.fault == "not_found"
    assert other.requests == []
    assert other.url in error.message


# --- Servers that behave badly ----------------------------------------------------------------------------------------

HTML = b"<!doctype html><title>A router</title><p>Log in"
BAD: dict[str, tuple[Response, Fault, bool]] = {
    "a page": (Response(HTML, kind="text/html"), "not_json", False),
    "half a JSON": (Response(b'{"id": "x", "cho'), "not_json", True),
    "nothing": (Response(b""), "not_json", True),
    "a list": (Response(b"[1]"), "no_choice", False),
    "a number": (Response(b"7"), "no_choice", False),
    "an empty object": (Response(b"{}"), "no_choice", False),
    "deep JSON": (Response(b"[" * 100_000), "not_json", True),
    "a page of an error": (Response(HTML, status=502, kind="text/html"), "server", True),
    "no path": (Response(HTML, status=404, kind="text/html"), "not_found", False),
    "a teapot": (Response(b"short and stout", status=418, kind="text/plain"), "rejected", False),
    "an error that is a text": (Response(b'{"error": "no luck"}', status=500), "server", True),
    "an error that is null": (Response(b"null", status=500), "server", True),
}


@BOTH
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_is_none(kind, streamed, name):
    """Each has its fault, and only what may pass is tried again."""
    response, expected, retryable = BAD[name]
    error, seen = fault_with(kind, response, streamed=streamed)
    assert (error.fault, error.retryable) == (expected, retryable)
    assert seen.url in error.message
    assert error.hint
    assert len(seen.requests) == 1, "the run retries, not the SDK"


@BOTH
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (b"", "no_choice"),
        (b"data: [DONE]\n\n", "no_choice"),
        (b": ping\n\n", "no_choice"),
        (b"event: message_start\ndata: {half\n\n", "not_json"),
        (b"event: message_start\ndata: {}\n\nevent: message_stop\ndata: {}\n\n", "no_choice"),
    ],
)
def test_a_stream_that_is_none(kind, events, expected):
    error, _ = fault_with(kind, Response(events, kind="text/event-stream"), streamed=True)
    assert error.fault == expected


@BOTH
def test_the_missing_path_is_named(kind):
    error, seen = fault_with(kind, Response(b"Not Found", status=404, kind="text/plain"))
    assert f"{base(kind, seen.port)} has no {kind.path} (HTTP 404)" in error.message


@BOTH
def test_nobody_listens(kind):
    error = fault(kind, free_port())
    assert error.fault == "unreachable"
    assert "nothing listens at http://127.0.0.1:" in error.message


@BOTH
def test_an_unknown_host(kind):
    with closing(made(kind, "http://no-such-host.invalid/v1")) as backend, pytest.raises(BackendError) as caught:
        backend.answer(ASKED, timeout_s=20)
    assert caught.value.fault == "unreachable"


@BOTH
def test_something_else_listens(kind):
    def speak(connection: socket) -> None:
        connection.sendall(b"* OK IMAP4 ready\r\n\r\n")

    with listening(speak) as port:
        assert fault(kind, port).fault == "not_http"


@BOTH
@pytest.mark.parametrize("streamed", [False, True])
def test_the_connection_is_cut(kind, streamed):
    """Before the answer, and in the middle of it."""
    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000\r\n\r\ndata: {"
    for words in (b"", start):
        with listening(lambda connection, words=words: connection.sendall(words)) as port:
            error = fault(kind, port, streamed=streamed)
        assert (error.fault, error.retryable) == ("unreachable", True)


@BOTH
def test_a_silent_server(kind):
    with listening() as port:
        error = fault(kind, port, timeout_s=0.3)
    assert error.fault == "timed_out"
    assert "0.3 s" in error.message


def trickle(head: bytes, piece: bytes, pause_s: float = 0.05):
    """Sends without end, until the other side goes away; at most for a while."""

    def speak(connection: socket) -> None:
        with suppress(OSError):
            connection.sendall(head)
            for _ in range(200 if pause_s else 2000):
                connection.sendall(piece)
                time.sleep(pause_s)

    return speak


HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@BOTH
@pytest.mark.parametrize("head", [HEAD % 200, HEAD % 500, b"HTTP/1.1 200 OK\r\n"])
def test_a_server_that_trickles_is_late(kind, head):
    """An SDK's own timeout starts anew with each byte; ours does not."""
    piece = b"1\r\n \r\n" if head.endswith(b"\r\n\r\n") else b"X-More: 1\r\n"
    with listening(trickle(head, piece)) as port:
        assert fault(kind, port, timeout_s=0.4).fault == "timed_out"


@BOTH
@pytest.mark.parametrize("status", [200, 500])
def test_an_endless_answer(kind, status):
    """Also the body of an error is read only so far."""
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with listening(trickle(HEAD % status, piece, 0)) as port:
        assert fault(kind, port, timeout_s=60).fault == "endless"


@BOTH
@pytest.mark.parametrize("streamed", [False, True])
def test_a_stopped_run_does_not_wait(kind, streamed):
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with listening() as port, closing(made(kind, base(kind, port))) as backend, pytest.raises(BackendError) as caught:
        ask(backend, streamed, 60, stop)
    assert caught.value.fault == "stopped"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_recording_says_that_it_is_none(provider):
    """The exchanges are written from documentation; nobody may take them for captured ones."""
    for name in names(provider):
        assert recording(provider, name)["source"].endswith("; written by hand"), name


# --- What works -------------------------------------------------------------------------------------------------------


@BOTH
def test_many_threads_share_a_backend(kind):
    """Each gets its own answer."""
    found = recording(kind.name, "answer")

    def respond(method, path, data) -> Response:
        body = json.dumps(found["response"]["body"]).replace("42069.", data["messages"][-1]["content"])
        return Response(body.encode())

    asked = [Request(system="", messages=(("user", f"q{number}"),)) for number in range(40)]
    with serving(respond) as seen, closing(made(kind, base(kind, seen.port))) as backend, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: backend.answer(one, timeout_s=30).text, asked))
    assert answers == [f"q{number}" for number in range(40)]


@BOTH
def test_frozen_values_are_sent_as_json(kind):
    """What comes from the user's files may be read-only; the SDKs know only plain mappings."""
    schema = MappingProxyType({"type": "object", "properties": MappingProxyType({"on": {"type": "boolean"}})})
    tool = MappingProxyType({"name": "ring", "description": "Ring.", "parameters": schema})
    params = MappingProxyType({"stop_sequences": ("a", "b"), "metadata": MappingProxyType({"user_id": "x"})})
    body = json.dumps(recording(kind.name, "answer")["response"]["body"]).encode()
    with serving(lambda *_: Response(body)) as seen, closing(made(kind, base(kind, seen.port))) as backend:
        backend.answer(replace(ASKED, tools=(tool,), params=params), timeout_s=20)
    _, _, sent = seen.requests[0]
    assert sent["stop_sequences"] == ["a", "b"]
    assert sent["metadata"] == {"user_id": "x"}
    assert '"on": {"type": "boolean"}' in json.dumps(sent["tools"])


@BOTH
def test_a_closed_backend_opens_again(kind):
    found = recording(kind.name, "answer")
    with playing(found) as seen, closing(made(kind, base(kind, seen.port))) as backend:
        for _ in range(2):
            assert backend.answer(request_of(found["asked"]), timeout_s=10).text == "42069."
            backend.close()


@BOTH
def test_a_server_that_cannot_stream_answers_at_once(kind):
    """It sends one JSON although it was asked to stream: the text comes in one piece."""
    found = recording(kind.name, "answer")
    pieces: list[str] = []
    response = Response(json.dumps(found["response"]["body"]).encode())
    with serving(lambda *_: response) as seen, closing(made(kind, base(kind, seen.port))) as backend:
        answer = backend.stream(ASKED, pieces.append, timeout_s=10)
    assert pieces == [answer.text] == [answer_in(found["answer"]).text]


@BOTH
def test_what_the_callers_function_raises_is_the_callers(kind):
    """A broken pipe while an answer is printed is no fault of the server."""

    def broken(text: str) -> None:
        raise BrokenPipeError

    found = recording(kind.name, "stream")
    server = playing(found)
    with server as seen, closing(made(kind, base(kind, seen.port))) as backend, pytest.raises(BrokenPipeError):
        backend.stream(request_of(found["asked"]), broken, timeout_s=10)


# --- The border: every exception has a translation ---------------------------------------------------------------------

EXPORTED: dict[str, Fault] = {
    "APIConnectionError": "unreachable",
    "APIError": "unreachable",
    "APIResponseValidationError": "not_json",
    "APIStatusError": "rejected",
    "APITimeoutError": "timed_out",
    "APIWebhookValidationError": "unreachable",
    "AnthropicError": "unreachable",
    "AuthenticationError": "auth",
    "BadRequestError": "rejected",
    "ClientClosedRequestError": "rejected",
    "ConflictError": "rejected",
    "ContentFilterFinishReasonError": "unreachable",
    "ContentTooLargeError": "too_long",
    "CredentialsError": "unreachable",
    "GatewayTimeoutError": "server",
    "HTTPNotImplementedError": "rejected",
    "IdentityTokenFileError": "unreachable",
    "InternalServerError": "server",
    "InvalidWebhookSignatureError": "not_json",
    "LengthFinishReasonError": "unreachable",
    "NotFoundError": "not_found",
    "OpenAIError": "unreachable",
    "OverloadedError": "overloaded",
    "PaymentRequiredError": "rejected",
    "PermissionDeniedError": "auth",
    "OAuthError": "auth",
    "PreconditionFailedError": "rejected",
    "RateLimitError": "rate_limited",
    "RequestHeaderFieldsTooLargeError": "rejected",
    "RequestTimeoutError": "timed_out",
    "RetryableError": "unreachable",
    "ServiceUnavailableError": "overloaded",
    "UnprocessableEntityError": "rejected",
    "WebSocketConnectionClosedError": "unreachable",
    "WebSocketQueueFullError": "unreachable",
}


def exceptions_of(module: ModuleType) -> list[type[Exception]]:
    """The exception classes that a package exports."""
    # Older SDKs have proxies among their names that want a key when they are looked at.
    classes = [value for value in list(vars(module).values()) if issubclass(type(value), type)]
    values = {value for value in classes if issubclass(value, Exception)}
    return sorted((value for value in values if not value.__name__.startswith("_")), key=lambda value: value.__name__)


def as_raised(kind: type[Exception]) -> Exception:
    """An exception as an SDK would raise it, whatever its constructor wants."""
    error: Any = kind.__new__(kind)
    Exception.__init__(error, "said")
    error.request_id = None
    if issubclass(kind, (openai.APIStatusError, anthropic.APIStatusError)):
        otherwise = 500 if issubclass(kind, (openai.InternalServerError, anthropic.InternalServerError)) else 418
        error.status_code = getattr(kind, "status_code", otherwise)
        error.body = {"error": {"message": "said"}}
    return error


@pytest.mark.parametrize(
    "kind",
    [*exceptions_of(openai), *exceptions_of(anthropic)],
    ids=lambda kind: f"{kind.__module__.partition('.')[0]}-{kind.__name__}",
)
def test_every_exception_of_the_sdks_is_translated(kind):
    """Each class that an SDK exports becomes the fault that this list gives for it, or for the class it is a kind of."""
    found = translate(as_raised(kind), PLACE, "v1/messages")
    assert found is not None
    assert found.fault == next(EXPORTED[parent.__name__] for parent in kind.__mro__ if parent.__name__ in EXPORTED)
    assert found.hint


HTTP: dict[str, Fault] = {
    "ConnectError": "unreachable",
    "ConnectTimeout": "unreachable",
    "ReadTimeout": "timed_out",
    "PoolTimeout": "timed_out",
    "ReadError": "unreachable",
    "ProxyError": "unreachable",
    "RemoteProtocolError": "not_http",
    "DecodingError": "not_http",
    "UnsupportedProtocol": "rejected",
    "InvalidURL": "rejected",
}


@pytest.mark.parametrize("kind", [kind for kind in exceptions_of(HTTPX) if issubclass(kind, (HTTPX.TransportError, HTTPX.DecodingError, HTTPX.InvalidURL))], ids=lambda kind: kind.__name__)  # fmt: skip
def test_every_exception_of_the_http_library_is_translated(kind):
    """Where an answer is streamed, they come through the SDK as they are."""
    found = translate(kind("said"), PLACE, "v1/messages")
    assert found is not None
    if kind.__name__ in HTTP:
        assert found.fault == HTTP[kind.__name__]


def test_a_cut_connection_is_told_from_one_that_speaks_no_http():
    """The HTTP library has one class for both."""
    cut = HTTPX.RemoteProtocolError(
        "peer closed connection without sending complete message body (incomplete chunked read)"
    )
    gone = HTTPX.RemoteProtocolError("Server disconnected without sending a response.")
    other = HTTPX.RemoteProtocolError("illegal status line: bytearray(b'SSH-2.0')")
    assert [translate(error, PLACE, "").fault for error in (cut, gone, other)] == [
        "unreachable",
        "unreachable",
        "not_http",
    ]


def test_a_host_that_takes_no_connection_is_told_from_a_slow_answer():
    """The SDKs have one class for both; the HTTP library's own, below it, decides."""

    def fault_below(kind: type[Exception]) -> Fault:
        error = as_raised(openai.APITimeoutError)
        error.__cause__ = kind("said")
        found = translate(error, PLACE, "")
        assert found is not None
        return found.fault

    assert (fault_below(HTTPX.ConnectTimeout), fault_below(HTTPX.ReadTimeout)) == ("unreachable", "timed_out")


def test_the_tables_name_what_exists():
    """No class in a table has been renamed away."""
    known = {kind.__name__ for module in (openai, anthropic, HTTPX) for kind in exceptions_of(module)}
    assert set(CLASSES) <= known
    assert set(UNREADABLE) <= known | set(dir(builtins))


def test_an_exception_of_nobody_is_left_alone():
    """A mistake of ours is not passed off as a server's."""
    assert translate(ZeroDivisionError("ours"), PLACE, "") is None
