"""Plays the exchanges of recordings/ back through the real SDKs: a server on loopback that insists on the request."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from promptforge.backends.base import Answer, BackendError, Request, ToolCall, Usage
from promptforge.backends.provider import Provider
from promptforge.model import Model

RECORDINGS = Path(__file__).parent / "recordings"
KEY = "sk-test-0123456789abcdefSECRET"
ENVIRON = {"HOUSE_KEY": KEY}
URL = "http://127.0.0.1:{port}"


def names(provider: str) -> list[str]:
    """The recordings of a provider."""
    return sorted(path.stem for path in (RECORDINGS / provider).glob("*.json"))


def recording(provider: str, name: str) -> dict[str, Any]:
    """One exchange: what was asked, the request, the response, and the answer or fault that it comes to."""
    read: dict[str, Any] = json.loads((RECORDINGS / provider / f"{name}.json").read_text(encoding="utf-8"))
    return read


@dataclass(frozen=True)
class Response:
    """What a server sends."""

    body: bytes
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """What a server was sent."""

    port: int
    requests: list[tuple[str, Mapping[str, str], Any]] = field(default_factory=list)
    """Path, headers in small letters, and the JSON."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return URL.format(port=self.port)


@contextmanager
def serving(respond: Any) -> Iterator[Seen]:
    """A server on loopback: `respond(method, path, data)` gives the Response."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        wbufsize = -1  # head and body in one piece: in two, the second waits for the other side's acknowledgement

        def do_POST(self) -> None:
            data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, data))
            response: Response = respond(self.command, self.path, data)
            self.send_response(response.status)
            length = {"Content-Type": response.kind, "Content-Length": str(len(response.body))}
            for name, value in {**length, **response.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # a connection that is kept alive is not waited for

    with Server(("127.0.0.1", 0), Handler) as httpd:
        seen = Seen(httpd.server_address[1])
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield seen
        finally:
            httpd.shutdown()
            thread.join()


@contextmanager
def playing(exchange: Mapping[str, Any]) -> Iterator[Seen]:
    """A server that gives the recorded response to the recorded request, and to any other one status 418."""

    def respond(method: str, path: str, data: Any) -> Response:
        wanted = exchange["request"]
        if (method, path, data) == (wanted["method"], wanted["path"], wanted["body"]):
            return recorded(exchange["response"])
        other = {"error": {"message": f"{method} {path} {data} is not {wanted}"}}
        return Response(json.dumps(other).encode(), status=418)

    with serving(respond) as seen:
        yield seen


def recorded(response: Mapping[str, Any]) -> Response:
    """A recorded response as it goes over the wire."""
    status, headers = response["status"], response["headers"]
    if "events" not in response:
        return Response(json.dumps(response["body"]).encode(), status=status, headers=headers)
    return Response(events(response["events"]), status=status, kind="text/event-stream; charset=utf-8", headers=headers)


def events(listed: list[tuple[str | None, Any]]) -> bytes:
    """Server-sent events."""
    lines = []
    for name, data in listed:
        lines.append(f"event: {name}\n" if name else "")
        lines.append(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n")
    return "".join(lines).encode()


def made(kind: type[Provider], base_url: str, **settings: Any) -> Provider:
    """The backend, pointed at a server of the test."""
    model = {"openai": "gpt-4.1-mini", "anthropic": "claude-opus-4-6"}[kind.name]
    entry = {"backend": kind.name, "model": model, "base_url": base_url, "api_key": "env:HOUSE_KEY", **settings}
    return kind(Model(name="cloudy", backend=kind.name, tier="cloud", settings=entry), ENVIRON)


def request_of(asked: dict[str, Any]) -> Request:
    """The request of a recording."""
    return Request(
        system=asked["system"],
        messages=tuple((role, content) for role, content in asked["messages"]),
        tools=tuple(asked.get("tools", ())),
        params=asked["params"],
        cache_prefix=asked.get("cache_prefix"),
    )


def answer_in(expected: dict[str, Any]) -> Answer:
    """The answer that a recording comes to, without its times."""
    calls = tuple(ToolCall(**call) for call in expected.get("tool_calls", ()))
    return Answer(**{**expected, "usage": Usage(**expected["usage"]), "tool_calls": calls})


def play(backend: Provider, exchange: Mapping[str, Any]) -> dict[str, Any]:
    """Ask what the recording asks; what comes of it, in the recording's own words."""
    pieces: list[str] = []
    request = request_of(exchange["asked"])
    try:
        if "stream" in exchange["request"]["body"]:
            answer = backend.stream(request, pieces.append, timeout_s=20)
        else:
            answer = backend.answer(request, timeout_s=20)
    except BackendError as error:
        return {"fault": fault_of(error, exchange["fault"]), "pieces": pieces}
    assert answer.latency_s > 0
    wrote = bool(answer.text or answer.tool_calls) and "events" in exchange["response"]
    assert (answer.first_token_s is not None) == wrote
    return {"answer": replace(answer, latency_s=0, first_token_s=None), "pieces": pieces}


def recorded_outcome(exchange: Mapping[str, Any]) -> dict[str, Any]:
    """What is to come of it."""
    outcome = {"answer": answer_in(exchange["answer"])} if "answer" in exchange else {"fault": exchange["fault"]}
    return {**outcome, "pieces": exchange.get("pieces", [])}


def fault_of(error: BackendError, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What a fault says, as a recording has it: the provider's words, and hints that are a provider's own."""
    found = {name: getattr(error, name) for name in ("fault", "retryable", "retry_after_s", "status", "hint")}
    says = wanted["says"] if wanted["says"] in error.message else error.message
    return {**found, "hint": error.hint if wanted["hint"] else "", "says": says}
