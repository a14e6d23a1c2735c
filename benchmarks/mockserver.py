"""A model server that does nothing but wait: OpenAI's chat format on loopback, for measuring clients.

    python benchmarks/mockserver.py [--port 0] [--latency-ms 20] [--life-s 600] [--answer "The answer is 42."]

It prints its port, serves until its life is over or its standard input closes, and keeps up with more requests than any
client sends: GET /stats says how many came, and how many at once. With uvloop installed it takes about half the time.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Mock:
    """What it answers, and what it counts."""

    def __init__(self, latency_s: float, answer: str) -> None:
        self.latency_s = latency_s
        message = {"role": "assistant", "content": answer}
        self.completion = _response(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1700000000,
                "model": "mock",
                "system_fingerprint": "mock-1",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 20, "completion_tokens": 6, "total_tokens": 26},
            }
        )
        self.models = _response({"object": "list", "data": [{"id": "mock", "object": "model"}]})
        self.requests = self.at_once = self.most_at_once = self.connections = 0
        self.first = self.last = 0.0

    def begin(self) -> None:
        self.first = self.first or time.monotonic()
        self.requests += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)

    def end(self) -> None:
        self.at_once -= 1
        self.last = time.monotonic()

    def stats(self) -> bytes:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return _response(
            {
                "requests": self.requests,
                "most_at_once": self.most_at_once,
                "connections": self.connections,
                "span_s": self.last - self.first,
                "cpu_s": used.ru_utime + used.ru_stime,
            }
        )

    def reset(self) -> bytes:
        self.requests = self.most_at_once = self.connections = 0
        self.first = self.last = 0.0
        return _response({})


def _response(data: object) -> bytes:
    body = json.dumps(data).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One client's connection; requests on it may follow each other without a pause."""

    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.mock.connections += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            size = _length(head)
            if len(self.buffer) < end + 4 + size:
                return
            self.buffer = self.buffer[end + 4 + size :]
            self.answer(head)

    def answer(self, head: bytes) -> None:
        if head.startswith(b"post"):
            self.mock.begin()
            if self.mock.latency_s:
                asyncio.get_running_loop().call_later(self.mock.latency_s, self.complete)
            else:
                self.complete()
        elif head.startswith(b"get /stats"):
            self.transport.write(self.mock.stats())
        elif head.startswith(b"get /reset"):
            self.transport.write(self.mock.reset())
        else:
            self.transport.write(self.mock.models)

    def complete(self) -> None:
        self.mock.end()
        if not self.transport.is_closing():
            self.transport.write(self.mock.completion)


def _length(head: bytes) -> int:
    """Every client that is measured sends its length; none sends chunks."""
    at = head.find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def serve(mock: Mock, port: int, life_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(mock), "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    gone = loop.run_in_executor(None, sys.stdin.read)
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.shield(gone), life_s)
    server.close()


@contextmanager
def running(latency_ms: float, *, life_s: float = 600) -> Iterator[str]:
    """A mock in a process of its own: the base_url of its server."""
    command = [sys.executable, str(Path(__file__)), "--latency-ms", str(latency_ms), "--life-s", str(life_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.communicate(timeout=10)  # closes its standard input, and so it ends


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--latency-ms", type=float, default=20)
    options.add_argument("--life-s", type=float, default=600)
    options.add_argument("--answer", default="The answer is 42.")
    chosen = options.parse_args()
    mock = Mock(chosen.latency_ms / 1000, chosen.answer)
    with suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(serve(mock, chosen.port, chosen.life_s))


if __name__ == "__main__":
    main()
