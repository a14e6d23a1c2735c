"""Real servers on loopback that behave as they are told to: byte by byte, and as badly as anybody wants."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from promptforge.backends.compatible import Compatible
from promptforge.backends.lanes import Lanes
from promptforge.model import Model

LONG_S = 60.0
"""Longer than anything takes that comes at all."""
IN_LANES = False
"""Whether the backends that `backend` makes are asked in lanes."""


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass
class Server:
    """A server while it runs."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    @property
    def base_url(self) -> str:
        """As in promptforge.yaml."""
        return f"http://127.0.0.1:{self.port}/v1"


Reply = Callable[[Asked, socket.socket], object]
"""Writes what it likes. True keeps the connection open for another request."""


@contextmanager
def serving(reply: Reply | bytes, *, wrap: Callable[[socket.socket], socket.socket] | None = None) -> Iterator[Server]:
    """A server that answers every request with `reply`, each connection in a thread of its own."""
    done = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listener.settimeout(0.02)
        server = Server(listener.getsockname()[1])

        def talk(raw: socket.socket) -> None:
            with suppress(OSError), wrap(raw) if wrap else raw as connection:
                connection.settimeout(0.05)
                rest = b""
                while not done.is_set():
                    read = read_request(connection, rest, done)
                    if read is None:
                        return
                    asked, rest = read
                    server.asked.append(asked)
                    if isinstance(reply, bytes):
                        connection.sendall(reply)
                    elif not reply(asked, connection):
                        return

        def accept() -> None:
            while not done.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    server.connections += 1
                    threads.append(threading.Thread(target=talk, args=(connection,)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            done.set()
            accepting.join()
            for thread in threads:
                thread.join()


def read_request(connection: socket.socket, rest: bytes, done: threading.Event) -> tuple[Asked, bytes] | None:
    """The next request, and what came after it; nothing when the other side has gone."""
    wanted = None
    while True:
        head, found, after = rest.partition(b"\r\n\r\n")
        if found:
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            wanted = int(headers.get("content-length", 0))
            if len(after) >= wanted:
                method, path, _ = first.split(" ")
                return Asked(method, path, headers, after[:wanted]), after[wanted:]
        if done.is_set():
            return None
        with suppress(TimeoutError):
            more = connection.recv(65536)
            if not more:
                return None
            rest += more


def response(body: bytes | str | Any, *, status: int = 200, kind: str = "application/json", **headers: str) -> bytes:
    """A whole response; what is neither bytes nor text is written as JSON."""
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def reply_with(content: bytes) -> Reply:
    """Send it and keep the connection."""

    def reply(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(content)
        return True

    return reply


def then_close(content: bytes) -> Reply:
    """Send it and hang up."""
    return lambda asked, connection: connection.sendall(content)


def completion(content: Any = "42069.", **changes: Any) -> dict[str, Any]:
    """What a well-behaved server answers."""
    message = {"role": "assistant", "content": content} | changes.pop("message", {})
    choice = {"index": 0, "finish_reason": changes.pop("finish_reason", "stop"), "message": message}
    usage = {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23}
    return {"id": "c", "object": "chat.completion", "model": "coder", "choices": [choice], "usage": usage} | changes


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **changes: Any) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    data = {"object": "chat.completion.chunk", "model": "coder", "choices": [choice]} | changes
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def streaming(*events: bytes, kind: str = "text/event-stream") -> bytes:
    """A stream, chunked as servers send it."""
    chunks = [b"%x\r\n%s\r\n" % (len(event), event) for event in events if event]
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(chunks) + b"0\r\n\r\n"


def backend(base_url: str, environ: dict[str, str] | None = None, **settings: Any) -> Any:
    """The backend of a server: a Compatible, or one that is asked in lanes, where the test is to be run so."""
    entry = {"backend": "compatible", "base_url": base_url, "model": "coder", **settings}
    one = Compatible(Model(name="coder-14b", backend="compatible", tier="local", settings=entry), environ or {})
    return _InLanes(one) if IN_LANES else one


T = TypeVar("T")


def begun(start: Callable[[Callable[[], object]], object], work: Callable[[], T]) -> Future[T]:
    """What a function will have returned, or raised, when it has ended; `start` has it run elsewhere."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as problem:
            future.set_exception(problem)

    start(run)
    return future


class _InLanes:
    """A backend that is asked as by a run: each call in a lane, all of them in one thread."""

    def __init__(self, one: Compatible) -> None:
        self._one, self._lanes = one, Lanes()

    def answer(self, *arguments: Any, **named: Any) -> Any:
        return begun(self._lanes.start, partial(self._one.answer, *arguments, **named)).result(LONG_S)

    def stream(self, *arguments: Any, **named: Any) -> Any:
        return begun(self._lanes.start, partial(self._one.stream, *arguments, **named)).result(LONG_S)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._one, name)
