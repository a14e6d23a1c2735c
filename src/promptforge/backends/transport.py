"""HTTP as a run of many small requests needs it: connections kept alive, one deadline for all, nothing unbounded.

The standard library's client, because it costs the least for each request of all that were measured (benchmarks/).
A connection serves one thread at a time; there are as many as there were requests in flight at once.
"""

import http.client
import io
import os
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socket import socket
from typing import Any
from urllib.parse import urlsplit

from promptforge.backends.faults import Place, no_answer
from promptforge.backends.proxies import Proxy, ProxyError, proxy_of
from promptforge.backends.watch import ConnectTimeoutError, EndlessError, Watch

__all__ = ["Response", "Transport"]

CONNECT_S = 10.0
"""A server that takes longer to accept a connection is as good as not there."""
IDLE_S = 60.0
"""An older idle connection is not used again: what stands between may have forgotten it without a word."""
_PIECE = 65536
_LOOK_S = 0.2


class _Wire:
    """What http.client takes for its socket: every read and write keeps to the watch of the exchange."""

    __slots__ = ("_closing", "_open_readers", "_patience_s", "_socket", "_unsent", "watch")

    def __init__(self, connected: socket, watch: Watch) -> None:
        self._socket = connected
        self._patience_s = -1.0
        self._unsent = b""
        self._open_readers = 0
        self._closing = False
        self.watch = watch

    def sendall(self, data: bytes) -> None:
        """Take it down: http.client hands over head and body one by one, and they go out together."""
        self._unsent += data

    def flush(self) -> None:
        """Send what was taken down."""
        left, self._unsent = memoryview(self._unsent), b""
        while left:
            self._be_patient()
            with suppress(TimeoutError):  # the watch decides
                left = left[self._socket.send(left) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        self._open_readers += 1
        return io.BufferedReader(_Tap(self))

    def read_into(self, buffer: Any) -> int:
        while True:
            self._be_patient()
            try:
                size = self._socket.recv_into(buffer)
            except TimeoutError:
                continue  # the watch decides
            self.watch.count(size)
            return size

    def _be_patient(self) -> None:
        """Let the next step take a moment, then look at the watch again.

        The time is nearly always the same, and is set only when it changes: with many threads each call into the
        system is a chance for another one to go first, and to wait for one's turn costs more than the call.
        """
        patience_s = min(self.watch.left_s(), _LOOK_S)
        if patience_s != self._patience_s:
            self._socket.settimeout(patience_s)
            self._patience_s = patience_s

    def reader_closed(self) -> None:
        self._open_readers -= 1
        if self._closing:
            self.close()

    def close(self) -> None:
        """Like a socket's, the real close waits for the reader: http.client closes before it has read all."""
        self._closing = True
        if self._open_readers <= 0:
            self._socket.close()

    @property
    def alive(self) -> bool:
        """Whether an idle connection is still open and silent; a byte that nobody asked for spoils it."""
        try:
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.settimeout(0)
                self._patience_s = 0.0
                self._socket.recv(1)
            else:
                os.read(self._socket.fileno(), 1)  # a socket with a timeout never waits by itself
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False


class _Tap(io.RawIOBase):
    """The reading end of a wire."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.read_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._wire.reader_closed()


@dataclass(slots=True, kw_only=True)
class _Line:
    """A connection with its wire."""

    connection: http.client.HTTPConnection
    wire: _Wire
    idle_since: float = 0.0

    def close(self) -> None:
        with suppress(OSError):
            self.connection.close()
        with suppress(OSError):
            self.wire.close()


class Response:
    """Status and headers; the body comes in pieces."""

    def __init__(self, response: http.client.HTTPResponse, watch: Watch, place: Place) -> None:
        self._response = response
        self._watch = watch
        self._place = place
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes. Raises BackendError."""
        while piece := self._piece():
            yield piece

    def body(self) -> bytes:
        """All of it. Raises BackendError, before the first byte when the server announces too much."""
        if (self._response.length or 0) > self._watch.max_bytes:
            raise no_answer(EndlessError(), self._place)
        return b"".join(self.pieces())

    def _piece(self) -> bytes:
        try:
            piece = self._response.read1(_PIECE)
        except Exception as problem:
            raise no_answer(problem, self._place) from problem
        if not piece and self._response.length:
            raise no_answer(http.client.IncompleteRead(b"", self._response.length), self._place)
        return piece


class Transport:
    """Connections to one server, shared by threads."""

    def __init__(self, base_url: str, *, environ: Mapping[str, str]) -> None:
        self._url = urlsplit(base_url)
        self._environ = environ
        self._idle: list[_Line] = []
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None
        self._through: Proxy | None = None
        self._looked_up = False
        self._closed = False

    @contextmanager
    def exchange(
        self,
        method: str,
        target: str,
        *,
        place: Place,
        watch: Watch,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Iterator[Response]:
        """Send one request; the answer's body is read inside the `with`. A connection read to its end is used again.

        Raises BackendError.
        """
        try:
            line, response = self._begin(method, target, watch, headers, body)
        except Exception as problem:
            raise no_answer(problem, place) from problem
        try:
            yield Response(response, watch, place)
        finally:
            reusable = _at_end(response) and not response.will_close
            response.close()
            self._give_back(line, reusable=reusable)

    def close(self) -> None:
        """Close the idle connections; one in use is closed when its answer is read."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()

    def _begin(
        self, method: str, target: str, watch: Watch, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[_Line, http.client.HTTPResponse]:
        line = self._take()
        reused = line is not None
        while True:
            line = line or self._dial(watch)
            line.wire.watch = watch
            try:
                # A server that refuses a large request may answer and hang up before it has read all of it.
                with suppress(BrokenPipeError, ConnectionResetError):
                    self._send(line, method, target, headers, body)
                return line, line.connection.getresponse()
            except OSError:
                line.close()
                if not reused or watch.received:
                    raise
                # The server hung up while the connection was idle: nothing is lost, and nobody needs to know.
                line, reused = None, False
            except BaseException:
                line.close()
                raise

    def _send(self, line: _Line, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> None:
        sent = dict(headers)
        if self._url.scheme == "http" and (proxy := self._proxy()):  # one that is not tunnelled through wants all
            target = f"http://{self._url.netloc.rpartition('@')[2]}{target}"
            sent.update(proxy.headers)
        line.connection.request(method, target, body, sent)
        line.wire.flush()

    def _take(self) -> _Line | None:
        """An idle connection that still works: the one that was used last."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                line = self._idle.pop()
            if time.monotonic() - line.idle_since < IDLE_S and line.wire.alive:
                return line
            line.close()

    def _give_back(self, line: _Line, *, reusable: bool) -> None:
        with self._lock:
            if reusable and not self._closed:
                line.idle_since = time.monotonic()
                self._idle.append(line)
                return
        line.close()

    def _dial(self, watch: Watch) -> _Line:
        proxy = self._proxy()
        connection = self._connection(min(watch.left_s(), CONNECT_S), proxy)
        try:
            connection.connect()
        except BaseException as problem:
            connection.close()
            if proxy and isinstance(problem, OSError):
                raise ProxyError(f"the proxy {proxy} does not let us through: {problem}") from problem
            if isinstance(problem, TimeoutError):
                raise ConnectTimeoutError from problem
            raise
        wire = _Wire(connection.sock, watch)
        connection.sock = wire
        return _Line(connection=connection, wire=wire)

    def _connection(self, timeout_s: float, proxy: Proxy | None) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        at = (proxy.host, proxy.port) if proxy else (host, port)
        if self._url.scheme != "https":
            return http.client.HTTPConnection(*at, timeout=timeout_s)
        with self._lock:  # it reads some hundred certificates: once is enough
            self._tls = self._tls or ssl.create_default_context()
        made = http.client.HTTPSConnection(*at, timeout=timeout_s, context=self._tls)
        if proxy:
            made.set_tunnel(host, port, headers=dict(proxy.headers))
        return made

    def _proxy(self) -> Proxy | None:
        if not self._looked_up:
            self._through, self._looked_up = proxy_of(self._url, self._environ), True
        return self._through


def _at_end(response: http.client.HTTPResponse) -> bool:
    return response.isclosed() or response.length == 0
