"""Real servers on loopback: model servers of several kinds, and what is none."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LISTED = {"object": "list", "data": [{"id": "coder", "object": "model"}, {"id": "/models/tiny"}]}

Reply = tuple[int, str, str]
"""Status, content type, body."""


@contextmanager
def server(answer: Callable[[str], Reply]) -> Iterator[tuple[int, list[str]]]:
    """A real HTTP server on loopback: its port, and the requests that reached it."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.command} {self.path} {self.headers.get('Authorization', '')}".strip())
            status, kind, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if status == 302:
                self.send_header("Location", body)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield httpd.server_address[1], seen
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def on(paths: dict[str, Any], otherwise: Reply = (404, "application/json", '{"error": "no such route"}')) -> Any:
    """Answers by path: a status with JSON, or a whole reply."""

    def answer(path: str) -> Reply:
        found = paths.get(path, otherwise)
        return found if isinstance(found[1], str) else (found[0], "application/json", json.dumps(found[1]))

    return answer


HTML = (200, "text/html", "<!doctype html><title>A router</title>")
FULL = on({"/v1/models": (200, LISTED), "/health": (200, {"status": "ok"})})
NO_MODELS = on({"/v1/models": (200, "application/json", ""), "/health": (200, {"status": "ok"})})


@contextmanager
def listening(speak: Callable[[socket.socket], None] | None = None) -> Iterator[int]:
    """A socket that takes connections and says nothing, or what `speak` says on each."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1)
                    if speak is not None:
                        connection.recv(10_000)
                        speak(connection)

        thread = threading.Thread(target=serve)
        if speak is not None:
            thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            if speak is not None:
                thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
