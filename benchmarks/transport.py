"""Speed of the transport, side by side in one run with the clients that others use.

    python benchmarks/transport.py [--runs 5] [--requests 1000] [--at-once 64] [--latency-ms 20]

Every figure is a whole process from the outside, imports included: wall seconds, CPU milliseconds a request, peak
memory; and the span from the first to the last request as the server saw it. The clients run in turn, A B C A B C, so
that a machine whose speed drifts drifts for all of them; medians are quoted, and ratios within the run. What is not
installed is left out. Nothing is asserted.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mockserver import running  # the file beside this one

SYSTEM = "You keep the records of a house. " + "A line of a table that every request carries. " * 20


def body(number: int) -> dict[str, object]:
    asked = {"role": "user", "content": f"Question {number}: what is six times seven?"}
    return {"model": "mock", "messages": [{"role": "system", "content": SYSTEM}, asked], "temperature": 0}


def check(text: str) -> None:
    if "42" not in text:
        raise SystemExit("a wrong answer")


# ---- The clients -----------------------------------------------------------------------------------------------------


def run_promptforge(base_url: str, requests: int, at_once: int) -> None:
    """As a run does it: lanes that share a thread."""
    from promptforge.backends.lanes import Lanes

    _ask_in(Lanes().start, base_url, requests, at_once)


def run_threads(base_url: str, requests: int, at_once: int) -> None:
    """The same calls, a thread for each."""
    _ask_in(lambda work: threading.Thread(target=work).start(), base_url, requests, at_once)


def _ask_in(start: Callable[[Callable[[], None]], object], base_url: str, requests: int, at_once: int) -> None:
    from promptforge.backends.base import Request
    from promptforge.backends.compatible import Compatible
    from promptforge.model import Model

    model = Model(name="m", backend="compatible", tier="local", settings={"base_url": base_url, "model": "mock"})
    backend = Compatible(model, {})
    numbers = iter(range(requests))
    lock, over = threading.Lock(), threading.Semaphore(0)
    answered: list[int] = []

    def work() -> None:
        try:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                asked = (("user", f"Question {number}: what is six times seven?"),)
                request = Request(system=SYSTEM, messages=asked, params={"temperature": 0})
                check(backend.answer(request, timeout_s=60).text)
                answered.append(number)
        finally:
            over.release()

    for _ in range(at_once):
        start(work)
    for _ in range(at_once):
        over.acquire()
    backend.close()
    if len(answered) != requests:
        raise SystemExit(f"only {len(answered)} of {requests} were answered")


async def together(requests: int, at_once: int, ask: Callable[[int], Awaitable[str]]) -> None:
    """As most people write it: a task for each request, and a semaphore."""
    limit = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with limit:
            check(await ask(number))

    await asyncio.gather(*[one(number) for number in range(requests)])


async def run_httpx(base_url: str, requests: int, at_once: int) -> None:
    import httpx

    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def ask(number: int) -> str:
            response = await client.post(f"{base_url}/chat/completions", json=body(number))
            return str(response.raise_for_status().json()["choices"][0]["message"]["content"])

        await together(requests, at_once, ask)


async def run_aiohttp(base_url: str, requests: int, at_once: int) -> None:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as client:

        async def ask(number: int) -> str:
            async with client.post(f"{base_url}/chat/completions", json=body(number)) as response:
                response.raise_for_status()
                return str((await response.json())["choices"][0]["message"]["content"])

        await together(requests, at_once, ask)


async def run_openai(base_url: str, requests: int, at_once: int) -> None:
    import openai

    async with openai.AsyncOpenAI(base_url=base_url, api_key="x", max_retries=0) as client:

        async def ask(number: int) -> str:
            answer = await client.chat.completions.create(**body(number))
            return str(answer.choices[0].message.content)

        await together(requests, at_once, ask)


CLIENTS = {
    "promptforge": run_promptforge,
    "threads": run_threads,
    "httpx": run_httpx,
    "aiohttp": run_aiohttp,
    "openai": run_openai,
}


# ---- The measure -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One process."""

    wall_s: float
    span_s: float
    cpu_ms: float
    """A request."""
    memory_mb: float


def measure(client: str, base_url: str, requests: int, at_once: int) -> Run:
    origin = base_url.removesuffix("/v1")
    get(f"{origin}/reset")
    command = [sys.executable, __file__, "--client", client, "--url", base_url]
    command += ["--requests", str(requests), "--at-once", str(at_once)]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{client} ended with {process.returncode}")
    stats = get(f"{origin}/stats")
    if stats["requests"] != requests:
        raise SystemExit(f"{client} sent {stats['requests']} requests")
    return Run(wall, stats["span_s"], 1000 * (usage.ru_utime + usage.ru_stime) / requests, usage.ru_maxrss / 1024)


def get(url: str) -> dict[str, float]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as response:
        return dict(json.load(response))


def compare(base_url: str, chosen: argparse.Namespace) -> None:
    names = [name for name in CLIENTS if name in ("promptforge", "threads") or importlib.util.find_spec(name)]
    ideal = -(-chosen.requests // chosen.at_once) * chosen.latency_ms / 1000
    print(f"{chosen.requests} requests, {chosen.at_once} at once, {chosen.latency_ms:g} ms each: at best {ideal:.3f} s")
    found: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(chosen.runs):
        for name in names:
            found[name].append(measure(name, base_url, chosen.requests, chosen.at_once))
    ours = found["promptforge"]
    print(f"{'':14}{'wall s':>8}{'span s':>8}{'req/s':>8}{'cpu ms':>8}{'MB':>6}{'wall/':>8}{'span/':>7}{'cpu/':>7}")
    for name, runs in found.items():
        middle = {f: statistics.median(getattr(run, f) for run in runs) for f in Run.__annotations__}
        pairs = list(zip(runs, ours, strict=True))
        ratios = [
            statistics.median(getattr(a, f) / getattr(b, f) for a, b in pairs) for f in ("wall_s", "span_s", "cpu_ms")
        ]
        print(
            f"{name:14}{middle['wall_s']:8.2f}{middle['span_s']:8.3f}{chosen.requests / middle['span_s']:8.0f}"
            f"{middle['cpu_ms']:8.2f}{middle['memory_mb']:6.0f}{ratios[0]:8.2f}{ratios[1]:7.2f}{ratios[2]:7.2f}"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--requests", type=int, default=1000)
    options.add_argument("--at-once", type=int, default=64)
    options.add_argument("--latency-ms", type=float, default=20)
    options.add_argument("--client", choices=sorted(CLIENTS), help=argparse.SUPPRESS)
    options.add_argument("--url", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.client:
        ran = CLIENTS[chosen.client](chosen.url, chosen.requests, chosen.at_once)
        if ran is not None:
            asyncio.run(ran)
        return
    with running(chosen.latency_ms) as base_url:
        compare(base_url, chosen)


if __name__ == "__main__":
    main()
