"""How fast a dataset is made from end to end, and how much memory that takes.

    python benchmarks/dataset.py [--facts 5000] [--rows 100000] [--replay 0.5] [--tokenizer estimate] [--times 3]
                                 [--least 20000] [--most-mb 500]

A project of so many facts is made in a temporary folder, with one agent that is told all of them and prompts of about
800 bytes (`system: base`), so that a row has about 1 kB. Half of the rows are from facts, half are the user's own.

What is measured is what `dataset build` does between the compiled project and the audit, on one thread, in processor
time, that of the kernel included. Each phase is run `--times` times, and its least time counts, since other processes
share the caches:

    chosen  the seeds; the user's files read, sound rows and a sample of them; the mix; the sides
    made    every row of the three sides, read or worded, and dropped: it is done again while they are written
    written the rows made and written into a folder as mlx reads it: lengths, JSON, hashes, facts.json, card, manifest

End to end is chosen and written. Compiling the project is not in it, nor is the audit, which has a benchmark of its
own. Memory is the largest resident size of the process, the compiled project included. Ends with 1 where fewer rows a
second come out than `--least`, or more memory is taken than `--most-mb`.
"""

import argparse
import datetime
import gc
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from generate import TABLES, dump, fact, words

from promptforge.compiler.build import compile_project
from promptforge.compiler.load import read_project
from promptforge.dataset.dataset import Dataset
from promptforge.dataset.write import Origin, write
from promptforge.tokens import load_tokenizer
from promptforge.workbench.datasets import make_rows
from promptforge.workbench.recipes import load_recipes
from promptforge.workbench.suites import load_suites

SUITE_CASES = 109


def project(folder: Path, facts: int, rows: int, replay: float) -> None:
    """The files: facts, an agent, a suite of the usual size, the user's own rows, a recipe."""
    chance = random.Random(3)
    tables = {table: [fact(chance, table, n) for n in range(at, facts, len(TABLES))] for at, table in enumerate(TABLES)}
    for part in ("knowledge", "agents", "suites", "training"):
        (folder / part).mkdir(parents=True)
    for table, listed in tables.items():
        (folder / "knowledge" / f"{table}.yaml").write_text(dump({table: listed}))
    persona = f"You are Keeper, who looks after {words(chance, 20)}.\nYour duty is {words(chance, 60)}.\n"
    (folder / "agents/keeper.yaml").write_text(
        dump({"name": "keeper", "model": "near", "budget": 10_000_000, "persona": persona})
    )
    (folder / "promptforge.yaml").write_text(
        "name: bench\nlimits: {file_mb: 64}\nmodels: {near: {backend: reader, tier: local}}\n"
    )
    cases = [
        {"id": f"c{n}", "category": "t", "agents": ["keeper"], "ask": f"Which {words(chance, 5)} is {words(chance, 3)}?",
         "expect": {"any": [f"{{{{ services['{tables['services'][n % len(tables['services'])]['name']}'].port }}}}"]}}
        for n in range(SUITE_CASES)
    ]  # fmt: skip
    (folder / "suites/s.yaml").write_text(dump({"suite": "s", "cases": cases}))
    with (folder / "own.jsonl").open("w") as file:
        for number in range(int(rows * replay * 1.05) + 10):
            messages = [
                {"role": "user", "content": f"{words(chance, 12)} {number}?"},
                {"role": "assistant", "content": words(chance, 120)},
            ]
            file.write(json.dumps({"messages": messages, "category": "general"}) + "\n")
    mix = {"infrastructure": 1 - replay, "replay": replay} if replay else {"infrastructure": 1.0}
    (folder / "training/r.yaml").write_text(
        dump({"recipe": "r", "agents": ["keeper"], "model": "near", "system": "base", "rows": rows, "mix": mix,
              "sources": {"replay": ["own.jsonl"]}, "max_share_per_fact": 0.02})
    )  # fmt: skip


def least_s(times: int, run: Callable[[], object]) -> float:
    """Processor time of the quickest of some runs."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        run()
        spent.append(time.process_time() - start)
    return min(spent)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def drop(made: Dataset) -> None:
    """Make all rows, and keep none."""
    for _ in made:
        pass


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--facts", type=int, default=5000)
    asked.add_argument("--rows", type=int, default=100_000)
    asked.add_argument("--replay", type=float, default=0.5)
    asked.add_argument("--tokenizer", default="estimate")
    asked.add_argument("--times", type=int, default=3)
    asked.add_argument("--least", type=float, default=20_000)
    asked.add_argument("--most-mb", type=float, default=500)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, options.facts, options.rows, options.replay)
        build = compile_project(read_project(folder), today=datetime.date(2026, 11, 22))
        suites, recipes = load_suites(build), load_recipes(build)
        assert not build.errors, build.errors[:3]
        assert not recipes.diagnostics, recipes.diagnostics
        gc.disable()  # as the command does
        before_mb, recipe = peak_mb(), recipes.recipes["r"]
        made = make_rows(build, suites, recipes, recipe)
        lengths, origin = load_tokenizer(options.tokenizer, root=folder), Origin(recipe=b"", model="m")
        written_s = least_s(options.times, lambda: write(made, recipe, folder / "set", lengths=lengths, origin=origin))
        most_mb = peak_mb()  # now: a second choice beside the first would be counted
        size = sum(file.stat().st_size for file in (folder / "set").iterdir())
        made_s = least_s(options.times, lambda: drop(made))
        chosen_s = least_s(options.times, lambda: make_rows(build, suites, recipes, recipe))
    count, total_s = len(made.mixed), chosen_s + written_s
    print(f"{count:,} rows, {size / count:,.0f} bytes each on disk, from {options.facts:,} facts: {made.account.kinds}")
    for what, spent_s in (("chosen", chosen_s), ("made", made_s), ("made and written", written_s)):
        print(f"{what + ':':18}{spent_s:6.2f} s {spent_s / count * 1e6:6.1f} µs a row")
    rate = count / total_s
    print(f"{'end to end:':18}{total_s:6.2f} s {total_s / count * 1e6:6.1f} µs a row, {rate:,.0f} rows/s, "
          f"{size / total_s / 1e6:.0f} MB/s")  # fmt: skip
    print(f"memory: {most_mb:.0f} MB at most, {before_mb:.0f} MB of it the compiled project")
    print(f"left out: {made.account.left_out}; notes: {made.account.notes}")
    return int(rate < options.least or most_mb > options.most_mb)


if __name__ == "__main__":
    sys.exit(main())
