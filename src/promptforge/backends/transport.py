"""HTTP as a run of many small requests needs it: connections kept alive, one deadline for all, nothing unbounded.

The standard library's client, because it costs the least for each request of all that were measured (benchmarks/).
A connection serves one request at a time; there are as many as there were requests in flight at once.
"""

import http.client
import io
import ipaddress
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socket import socket
from typing import Any
from urllib.parse import urlsplit

from promptforge.backends.faults import Place, no_answer
from promptforge.backends.lanes import aside, connected, in_lane, ready
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

    __slots__ = ("_closing", "_open_readers", "_patience_s", "_socket", "watch")

    def __init__(self, connected: socket, watch: Watch) -> None:
        self._socket = connected
        self._patience_s = -1.0
        self._open_readers = 0
        self._closing = False
        self.watch = watch

    def send(self, data: bytes) -> None:
        """Send all of it."""
        left = memoryview(data)
        while left:
            left = left[self._when_ready(self._socket.send, left, to_send=True) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        self._open_readers += 1
        return io.BufferedReader(_Tap(self))

    def read_into(self, buffer: Any) -> int:
        size = self._when_ready(self._socket.recv_into, buffer, to_send=False)
        self.watch.count(size)
        return size

    def _when_ready(self, step: Callable[[Any], int], data: Any, *, to_send: bool) -> int:
        """Send or receive once the socket lets us; the watch is looked at every moment until then."""
        while True:
            # In a lane what is there is taken, however late a busy thread comes to look at it.
            self._be_patient(0.0 if in_lane() else min(self.watch.left_s(), _LOOK_S))
            try:
                return step(data)
            except TimeoutError:
                pass  # the watch decides
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as problem:
                if isinstance(problem, ssl.SSLError):  # TLS may have to send before it can read, and the other way
                    to_send = isinstance(problem, ssl.SSLWantWriteError)
                ready(self._socket, to_send=to_send, most_s=min(self.watch.left_s(), _LOOK_S))

    def _be_patient(self, patience_s: float) -> None:
        """Let the next step take so long; nearly always the same as before, and set only when it changes."""
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
                self._be_patient(0.0)
                self._socket.recv(1)
            else:
                os.read(self._socket.fileno(), 1)  # a socket with a timeout never waits by itself
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False


class _Sheet:
    """What http.client takes for its socket when it is to write a head down."""

    def __init__(self) -> None:
        self.text = b""

    def sendall(self, data: bytes) -> None:
        self.text += data


_SIZE = "?"
"""Stands for the length of a body, which alone differs from one request to the next."""


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


_PLAIN_HEAD = re.compile(rb"HTTP/1\.1 ([2-5]\d\d)(?: [^\r\n]*)?\r\n((?:[\w!#$%&'*+.^`|~-]+:[^\r\n]*\r\n)+)\r\n")
_UNUSUAL = frozenset(["transfer-encoding", "upgrade"])


class _Reply(http.client.HTTPResponse):
    """A response whose head, where it is as plain as most, is not read by the parser of e-mails.

    That one takes a quarter of what a request costs. It still reads whatever is unusual: a head that does not come in
    one piece, chunks, folded or repeated headers, a response without a length, and all that is wrong.
    """

    fields: Mapping[str, str]
    """The headers, their names in lower case."""

    def begin(self) -> None:
        """Read the head."""
        if not self._begun_plainly():
            super().begin()
            self.fields = {name.lower(): value for name, value in self.getheaders()}

    def _begun_plainly(self) -> bool:
        reader: io.BufferedReader = self.fp
        head = _PLAIN_HEAD.match(reader.peek())
        if head is None or self._method == "HEAD" or head[1] in (b"204", b"304"):  # type: ignore[attr-defined]
            return False
        lines = head[2].decode("latin-1").split("\r\n")[:-1]
        fields = {name.lower(): value.strip(" \t") for name, _, value in (line.partition(":") for line in lines)}
        length = fields.get("content-length", "")
        counted = length.isascii() and length.isdigit() and len(length) < 20
        if len(fields) < len(lines) or not counted or fields.keys() & _UNUSUAL:
            return False
        reader.read(head.end())
        self.fields, self.status, self.version = fields, int(head[1]), 11
        self.length, self.chunked, self.will_close = int(length), False, "close" in fields.get("connection", "").lower()
        return True


class Response:
    """Status and headers; the body comes in pieces."""

    def __init__(self, response: _Reply, watch: Watch, place: Place) -> None:
        self._response = response
        self._watch = watch
        self._place = place
        self.status = response.status
        self.headers = response.fields

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
    """Connections to one server, shared by threads and lanes."""

    def __init__(self, base_url: str, *, environ: Mapping[str, str]) -> None:
        self._url = urlsplit(base_url)
        self._environ = environ
        self._idle: list[_Line] = []
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None
        self._through: Proxy | None = None
        self._looked_up = False
        self._closed = False
        self._heads: dict[tuple[str, str, tuple[tuple[str, str], ...]], tuple[bytes, bytes]] = {}

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
    ) -> tuple[_Line, _Reply]:
        before, after = self._head(method, target, headers, sized=body is not None)
        size, content = (b"", b"") if body is None else (b"%d" % len(body), body)
        message = b"".join((before, size, after, content))
        line = self._take()
        reused = line is not None
        while True:
            line = line or self._dial(watch)
            line.wire.watch = watch
            try:
                # A server that refuses a large request may answer and hang up before it has read all of it.
                with suppress(BrokenPipeError, ConnectionResetError):
                    line.wire.send(message)
                return line, _begun(_Reply(line.wire, method=method))  # type: ignore[arg-type]
            except OSError:
                line.close()
                if not reused or watch.received:
                    raise
                # The server hung up while the connection was idle: nothing is lost, and nobody needs to know.
                line, reused = None, False
            except BaseException:
                line.close()
                raise

    def _head(self, method: str, target: str, headers: Mapping[str, str], *, sized: bool) -> tuple[bytes, bytes]:
        """What comes before and after the length of a request's body, as http.client writes it; made once."""
        key = method, target, tuple(headers.items())
        if key not in self._heads:
            sent, sheet, proxy = dict(headers), _Sheet(), self._proxy()
            if self._url.scheme == "http" and proxy:  # one that is not tunnelled through wants all
                target = f"http://{self._url.netloc.rpartition('@')[2]}{target}"
                sent.update(proxy.headers)
            if sized:
                sent["Content-Length"] = _SIZE
            writer = self._connection(CONNECT_S, proxy)
            writer.sock = sheet
            writer.request(method, target, headers=sent)
            before, mark, after = sheet.text.partition(b"Content-Length: " + _SIZE.encode())
            self._heads[key] = before + mark[:-1], after
        return self._heads[key]

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
        timeout_s = min(watch.left_s(), CONNECT_S)
        connection = self._connection(timeout_s, proxy)
        try:
            if isinstance(connection, http.client.HTTPSConnection) or not in_lane() or not _is_address(connection.host):
                aside(connection.connect)  # it looks up names and shakes hands
            else:
                connection.sock = connected((connection.host, connection.port), most_s=timeout_s)
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


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _begun(response: _Reply) -> _Reply:
    try:
        response.begin()
    except BaseException:
        response.close()  # the wire stays open while somebody reads
        raise
    return response


def _at_end(response: http.client.HTTPResponse) -> bool:
    return response.isclosed() or response.length == 0
