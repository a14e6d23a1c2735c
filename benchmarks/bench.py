"""Speed of `promptforge bench`, whole process, history included, against a raw client that does nothing but ask.

    python benchmarks/bench.py [--runs 5] [--cases 1000] [--at-once 64] [--latency-ms 20 200] [--results 20000]

The server is `mock.py` in a process of its own. Each figure is a whole process from the outside, imports included; a
run of promptforge reads a suite of so many written cases, sends them, keeps every answer, scores and prints. The two
run in turn, A B A B, so that a machine whose speed drifts drifts for both; medians are quoted. CPU a request is what
the run costs above one of ten cases, divided by the requests between. At last a run of many results with two arms, as
fast as the server answers, and what reads it again: `compare`, and `report` as a page and as JSON. Nothing is asserted.

Other tools can be held against it in the same turns: `--also NAME=COMMAND`, where `{base_url}`, `{port}`, `{cases}` and
`{at_once}` are filled in and a shell runs it; it has to send as many requests as there are cases.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mockserver import running  # the file beside this one

FEW = 10
PORTS = 40
PERSONA = "You keep the records of a house. You answer with the number alone."
COMMAND = (sys.executable, "-m", "promptforge")


# ---- The project -----------------------------------------------------------------------------------------------------


def make_project(root: Path, base_url: str, cases: int) -> Path:
    """A house with one agent, one model at `base_url`, and a suite of so many written cases."""
    model = f"{{backend: compatible, base_url: '{base_url}', model: mock, tier: local, params: {{temperature: 0}}}}"
    ports = "".join(
        f"  - {{host: mini, port: {4000 + n}, codename: P{n}, service: Service {n}}}\n" for n in range(PORTS)
    )
    asked = "".join(_case(number) for number in range(cases))
    files = {
        "promptforge.yaml": f"name: hut\nmodels:\n  local: {model}\nlimits: {{bench: {{requests: 1000000}}}}\n",
        "knowledge/house.yaml": f"hosts: {{mini: {{role: hub, lan_ip: 192.0.2.10}}}}\nports:\n{ports}",
        "agents/yoda.yaml": f"name: yoda\nmodel: local\npersona: {PERSONA}\nsections: [persona, {{table: ports}}]\n",
        "suites/house.yaml": f"suite: house\ncategories: [even, odd]\ncases:\n{asked}",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def _case(number: int) -> str:
    """A tenth of the answers is right: the mock says 42 to everybody."""
    expected = "42" if number % 10 == 0 else f"{{{{ one('ports', codename='P{number % PORTS}').port }}}}"
    return (
        f"  - id: case-{number:05}\n"
        f"    category: {('even', 'odd')[number % 2]}\n"
        "    agents: [yoda]\n"
        f"    ask: Question {number}, which port does the service P{number % PORTS} use?\n"
        f'    expect: {{all: ["{expected}"]}}\n'
    )


# ---- The raw client --------------------------------------------------------------------------------------------------


class Raw(asyncio.Protocol):
    """A connection that has one request in flight."""

    def __init__(self) -> None:
        self.got = b""
        self.answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length and self.answer is not None:
            self.got = body[length:]
            self.answer.set_result(body[:length])

    async def ask(self, head: bytes, body: bytes) -> bytes:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(head + b"%d\r\n\r\n" % len(body) + body)
        return await self.answer


async def ask_raw(base_url: str, requests: int, at_once: int) -> None:
    """Ask as many questions, and look for 42 in each answer: nothing is read, kept or judged."""
    host, port = base_url.removeprefix("http://").removesuffix("/v1").split(":")
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\n".encode()
    head += b"Content-Type: application/json\r\nContent-Length: "
    system = PERSONA + "".join(f"\n| mini | {4000 + n} | P{n} | Service {n} |" for n in range(PORTS))
    numbers = iter(range(requests))

    async def work() -> None:
        _, line = await asyncio.get_running_loop().create_connection(Raw, host, int(port))
        for number in numbers:
            turns = [{"role": "system", "content": system}, {"role": "user", "content": f"Question {number}?"}]
            body = json.dumps({"model": "mock", "messages": turns, "temperature": 0}).encode()
            answer = json.loads(await line.ask(head, body))
            if "42" not in answer["choices"][0]["message"]["content"]:
                raise SystemExit("a wrong answer")
        line.transport.close()

    await asyncio.gather(*[work() for _ in range(at_once)])


# ---- The measure -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """One process."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def measure(command: Sequence[str], *, said: Path | None = None) -> Cost:
    """A process from its start to its end; it may say that a verdict is missing, but not that it failed."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (said or Path(os.devnull)).open("w") as out:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def bench(project: Path, at_once: int, *variants: str) -> Cost:
    """`promptforge bench` on a project without a history."""
    shutil.rmtree(project / ".promptforge", ignore_errors=True)
    named = ("--variant", ",".join(variants or ("enriched",)), "--concurrency", str(at_once))
    return measure([*COMMAND, "-C", str(project), "bench", *named])


def raw(base_url: str, requests: int, at_once: int) -> Cost:
    """The raw client."""
    words = ["--client", base_url, "--cases", str(requests), "--at-once", str(at_once)]
    return measure([sys.executable, __file__, *words])


def other(command: str, base_url: str, requests: int, at_once: int) -> Cost:
    """Another tool, by its own command."""
    port = base_url.rsplit(":", 1)[1].split("/")[0]
    filled = command.format(base_url=base_url, port=port, cases=requests, at_once=at_once)
    return measure(["bash", "-c", filled])


def stats(base_url: str, path: str = "stats") -> dict[str, float]:
    """What the server counted; `reset` counts anew."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{base_url.removesuffix('/v1')}/{path}", timeout=10) as response:
        return dict(json.load(response))


def compare(folder: Path, latency_ms: float, chosen: argparse.Namespace) -> None:
    """Promptforge and the raw client in turn, at one latency."""
    with running(latency_ms) as base_url:
        few = make_project(folder / f"few-{latency_ms:g}", base_url, FEW)
        many = make_project(folder / f"many-{latency_ms:g}", base_url, chosen.cases)
        starts = {"promptforge bench": bench(few, chosen.at_once), "raw asyncio": raw(base_url, FEW, chosen.at_once)}
        starts |= {name: other(command, base_url, FEW, chosen.at_once) for name, command in chosen.also}
        also = dict(chosen.also)
        found: dict[str, list[Cost]] = {name: [] for name in starts}
        spans: dict[str, list[float]] = {name: [] for name in starts}
        for _ in range(chosen.runs):
            for name in found:
                stats(base_url, "reset")
                if name in also:
                    cost = other(also[name], base_url, chosen.cases, chosen.at_once)
                elif name == "raw asyncio":
                    cost = raw(base_url, chosen.cases, chosen.at_once)
                else:
                    cost = bench(many, chosen.at_once)
                found[name].append(cost)
                counted = stats(base_url)
                if counted["requests"] != chosen.cases:
                    raise SystemExit(f"{name} sent {counted['requests']:g} requests")
                spans[name].append(counted["span_s"])
    ideal = chosen.cases / chosen.at_once * latency_ms / 1000
    print(f"\n{chosen.cases} cases, {chosen.at_once} at once, {latency_ms:g} ms each: at best {ideal:.3f} s")
    print(
        f"{'':18}{'wall s':>8}{'worst':>7}{'span s':>8}{'/best':>7}{'/raw':>6}{'cpu ms/req':>11}{'MB':>6}{'ten: s':>8}"
    )
    for name, costs in found.items():
        wall = statistics.median(cost.wall_s for cost in costs)
        ratio = statistics.median(a.wall_s / b.wall_s for a, b in zip(costs, found["raw asyncio"], strict=True))
        cpu = statistics.median(cost.cpu_s for cost in costs) - starts[name].cpu_s
        print(
            f"{name:18}{wall:8.2f}{max(cost.wall_s for cost in costs):7.2f}{statistics.median(spans[name]):8.3f}"
            f"{wall / ideal if ideal else 0:7.2f}{ratio:6.2f}{1000 * cpu / (chosen.cases - FEW):11.2f}"
            f"{max(cost.memory_mb for cost in costs):6.0f}{starts[name].wall_s:8.2f}"
        )


def large(folder: Path, chosen: argparse.Namespace) -> None:
    """A run of many results, and what reads it again."""
    with running(0) as base_url:
        project = make_project(folder / "large", base_url, chosen.results // 2)
        ours = [*COMMAND, "-C", str(project)]
        costs = {"bench": bench(project, chosen.at_once, "base", "enriched")}
        costs["bench, all known"] = measure([*ours, "bench", "--yes"])
        costs["compare"] = measure([*ours, "compare", "base", "enriched"])
        costs["report"] = measure([*ours, "report"])
        costs["report as json"] = measure([*ours, "report", "--format", "json"], said=folder / "report.json")
        size = (project / ".promptforge/history.db").stat().st_size / 1e6
    print(f"\n{chosen.results:,} results of {chosen.results // 2:,} cases; a history of {size:.0f} MB")
    print(f"{'':18}{'wall s':>8}{'cpu s':>8}{'MB':>6}")
    for name, cost in costs.items():
        print(f"{name:18}{cost.wall_s:8.2f}{cost.cpu_s:8.2f}{cost.memory_mb:6.0f}")


def _named(text: str) -> tuple[str, str]:
    name, _, command = text.partition("=")
    if not command:
        raise argparse.ArgumentTypeError("write NAME=COMMAND")
    return name, command


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--cases", type=int, default=1000)
    options.add_argument("--at-once", type=int, default=64)
    options.add_argument("--latency-ms", type=float, nargs="*", default=[20, 200])
    options.add_argument("--results", type=int, default=20_000, help="of the large run; 0: none")
    options.add_argument("--also", metavar="NAME=COMMAND", action="append", default=[], type=_named)
    options.add_argument("--client", metavar="URL", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.client:
        asyncio.run(ask_raw(chosen.client, chosen.cases, chosen.at_once))
        return
    with tempfile.TemporaryDirectory() as folder:
        for latency_ms in chosen.latency_ms:
            compare(Path(folder), latency_ms, chosen)
        if chosen.results:
            large(Path(folder), chosen)


if __name__ == "__main__":
    main()
