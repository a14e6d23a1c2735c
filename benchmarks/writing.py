"""Speed and memory of writing a dataset: rows as they stream in, to a folder in its place.

    python benchmarks/writing.py [--rows 1000000] [--prompts 20000] [--format mlx]

Each figure is of a process of its own on one thread: wall time of `write` from the first row to the folder in its
place, and the process's largest resident size, imports and the interpreter included (the bare process is shown, too).
Rows are made while they are written, so making them is in the time; the time to make them alone is shown.

    small   rows of about 1 kB: a short system prompt, the same for all
    long    a system prompt of 10 kB, one for each of 8 agents

Lengths are measured by the estimate; `--tokenizer hf:PATH` measures with a model's own. Nothing is asserted.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from promptforge.bench.cases import Printed
from promptforge.dataset.rows import Recipe, Row, Split, Trainer
from promptforge.dataset.write import Origin, write
from promptforge.tokens import load_tokenizer

AGENTS = 8
KINDS = ("identity", "infrastructure", "domain", "jailbreak", "replay")
MB = 1e6


def prompt(agent: int, size: int) -> str:
    """A table of about so many characters."""
    head = f"You are keeper {agent} of a house. You know what listens where.\n\n| host | port | service |\n| --- | --- | --- |\n"
    lines, number = [head], 0
    while sum(map(len, lines)) < size:
        lines.append(f"| mini | {4000 + number} | service {number} of {agent} |\n")
        number += 1
    return "".join(lines)


def rows(count: int, prompt_size: int) -> Iterator[tuple[Split, Row]]:
    """So many rows; every fifth fact has two rows."""
    prompts = [prompt(agent, prompt_size) for agent in range(AGENTS)]
    for number in range(count):
        port = 4000 + number * 4 // 5
        split: Split = "train" if number % 20 else "valid"
        question = (
            f"Keeper, somebody asks which service listens on port {port} of the host mini, and who looks after it?"
        )
        answer = f"Port {port} of mini is service {port}. It is looked after by person {port % 97}, who is asked first."
        yield (
            split,
            Row(
                id=f"infrastructure-{number:09}",
                kind=KINDS[number % 5],
                category=("forward", "inverse", "twin")[number % 3],
                agent=f"keeper{number % AGENTS}",
                messages=(("system", prompts[number % AGENTS]), ("user", question), ("assistant", answer)),
                facts=(f"ports/mini:{port}",),
                asked=(Printed(f"ports/mini:{port}", "service"),),
                file="knowledge/house.yaml",
                line=number % 9000,
                phrasing="which-service",
            ),
        )


def one(task: str, count: int, form: str, tokenizer: str) -> None:
    """One measure, in a process of its own; prints a line of JSON."""
    size = 650 if task == "small" else 10_000
    mix = dict.fromkeys(KINDS, 0.2)
    trainer = Trainer(kind="mlx_lm" if form == "mlx" else form)
    recipe = Recipe(
        name="bench",
        file="training/bench.yaml",
        agents=(),
        model="m",
        system="enriched",
        rows=count,
        mix=mix,
        limits={},
        format=form,
        trainer=trainer,
    )
    lengths = load_tokenizer(tokenizer, root=Path.cwd())
    bare = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    for _ in rows(count, size):
        pass
    making = time.perf_counter() - start
    folder = Path(tempfile.mkdtemp(prefix="writing-"))
    start, spent = time.perf_counter(), time.process_time()
    try:
        done = write(rows(count, size), recipe, folder / "set", lengths=lengths, origin=Origin(recipe=b"", model="m"))
        wall, spent = time.perf_counter() - start, time.process_time() - spent
    finally:
        shutil.rmtree(folder)
    written = sum(file.bytes for name, file in done.manifest.files.items() if name.split(".")[0] in ("train", "valid"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {"wall": wall, "cpu": spent, "making": making, "bytes": written, "peak_kb": peak, "bare_kb": bare}
    print(json.dumps({**told, "tokens": done.manifest.longest.tokens}))


def main() -> None:
    """Measure all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--prompts", type=int, default=20_000)
    parser.add_argument("--format", default="mlx")
    parser.add_argument("--tokenizer", default="estimate")
    parser.add_argument("--one", choices=("small", "long"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        one(asked.one, asked.rows, asked.format, asked.tokenizer)
        return
    print(f"{'task':8}{'rows':>12}{'bytes/row':>11}{'rows/s':>10}{'MB/s':>8}{'cpu s':>8}{'peak MB':>9}{'(bare)':>8}")
    for task, count in (("small", 100_000), ("small", asked.rows), ("long", asked.prompts)):
        command = [sys.executable, __file__, "--one", task, "--rows", str(count), "--format", asked.format]
        command += ["--tokenizer", asked.tokenizer]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"{task:8}{count:12,}{told['bytes'] / count:11,.0f}{count / told['wall']:10,.0f}"
            f"{told['bytes'] / told['wall'] / MB:8,.0f}{told['cpu']:8.1f}{told['peak_kb'] / 1024:9,.0f}"
            f"{told['bare_kb'] / 1024:8,.0f}   making the rows alone: {told['making']:.1f} s of {told['wall']:.1f} s"
        )


if __name__ == "__main__":
    main()
