"""Speed of the compiler, side by side in one run with a hand-written jinja2 and C-YAML script.

    python benchmarks/compile.py [--runs 7] [--agents 1000] [--facts 5000] [--large 10000] [--also SCRIPT]

Every figure is a whole command from the outside: wall seconds, user and system CPU seconds, peak memory. The commands
of a group run in turn, A B C A B C, so that a machine whose speed drifts drifts for all of them; the medians are
quoted, and ratios within the run. A command may be two processes: CPU time is that of both, and memory the most that
both held together, what they share counted once, looked at every few milliseconds in a run of its own (on Linux; else
it is the larger process alone). Nothing is asserted. Another script can be held against it with --also: it is run as
`SCRIPT c FOLDER`, FOLDER with a knowledge.yaml and an agents.yaml whose `uses` are TABLE/KEY.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from generate import generate

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """One process."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def measure(command: list[str], *, look: bool = False) -> Run:
    """Run a command; with `look` for its memory, which takes time."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    memory = 0.0
    while look and not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        memory = max(memory, held_mb(process.pid))
        time.sleep(0.003)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(wall, usage.ru_utime + usage.ru_stime, memory or usage.ru_maxrss / 1024)


def held_mb(process: int) -> float:
    """What a process and its children hold now; of a page that several hold, each has its share."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0.0
    own = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return own + sum(held_mb(int(child)) for child in children)


def compare(arms: Mapping[str, Callable[[bool], Run]], runs: int, baseline: str) -> None:
    results: dict[str, list[Run]] = {name: [] for name in arms}
    for _ in range(runs):
        for name, arm in arms.items():
            os.sync()  # what the one before has written is not charged to this one
            results[name].append(arm(False))
    for name, arm in arms.items():
        memory = arm(True).memory_mb
        results[name] = [replace(run, memory_mb=memory) for run in results[name]]
    base = results[baseline]
    print(f"{'':34}{'wall s':>8}{'cpu s':>8}{'MB':>7}{'wall/':>8}{'cpu/':>7}{'MB/':>7}   against {baseline}")
    for name, found in results.items():
        row = [statistics.median(getattr(r, field) for r in found) for field in ("wall_s", "cpu_s", "memory_mb")]
        ratios = [
            statistics.median(getattr(r, field) / getattr(b, field) for r, b in zip(found, base, strict=True))
            for field in ("wall_s", "cpu_s", "memory_mb")
        ]
        print(f"{name:34}{row[0]:8.3f}{row[1]:8.3f}{row[2]:7.0f}{ratios[0]:8.2f}{ratios[1]:7.2f}{ratios[2]:7.2f}")
    print()


class Project:
    """A generated project and the ways to run it."""

    def __init__(self, folder: Path, agents: int, facts: int) -> None:
        generate(folder, agents, facts)
        self.project, self.script, self.flat = folder / "project", folder / "script", folder / "flat"
        self.edits = random.Random(5)

    def build(self, look: bool) -> Run:
        return measure([sys.executable, "-m", "promptforge", "-C", str(self.project), "build"], look=look)

    def cold(self, look: bool) -> Run:
        for made in ("build", ".promptforge"):
            shutil.rmtree(self.project / made, ignore_errors=True)
        return self.build(look)

    def edited(self, look: bool) -> Run:
        """A build after one value of one fact was edited in place."""
        path = self.project / "knowledge" / "services.yaml"
        lines = path.read_text().split("\n")
        at = self.edits.choice([n for n, line in enumerate(lines) if line.startswith("  port:")])
        lines[at] = f"  port: {self.edits.randrange(1, 65536)}"
        path.write_text("\n".join(lines))
        return self.build(look)

    def handwritten(self, look: bool) -> Run:
        return measure([sys.executable, str(HERE / "handwritten.py"), str(self.script)], look=look)

    def other(self, script: str, look: bool) -> Run:
        return measure([sys.executable, script, "c", str(self.flat)], look=look)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=7)
    options.add_argument("--agents", type=int, default=1000)
    options.add_argument("--facts", type=int, default=5000)
    options.add_argument("--large", type=int, default=10000)
    options.add_argument("--also", metavar="SCRIPT")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = Project(folder / "one", chosen.agents, chosen.facts)
        print(f"{chosen.agents} agents, {chosen.facts} facts, medians of {chosen.runs} runs\n")
        arms = {
            "hand-written script": one.handwritten,
            "promptforge build, cold": one.cold,
            "promptforge build, nothing changed": one.build,
            "promptforge build, one fact edited": one.edited,
        }
        if chosen.also:
            arms = {"the other script": lambda look: one.other(chosen.also, look), **arms}
        compare(arms, chosen.runs, "hand-written script")
        bare = [sys.executable, "-c", "pass"]
        start = {
            "python -c pass": lambda look: measure(bare, look=look),
            "promptforge --help": lambda look: measure([sys.executable, "-m", "promptforge", "--help"], look=look),
        }
        compare(start, chosen.runs, "python -c pass")
        if chosen.large:
            large = Project(folder / "large", chosen.large, chosen.facts)
            print(f"{chosen.large} agents: linear would be {chosen.large / chosen.agents:g} times the agents' share")
            compare(
                {f"cold, {chosen.agents}": one.cold, f"cold, {chosen.large}": large.cold}, 3, f"cold, {chosen.agents}"
            )


if __name__ == "__main__":
    main()
