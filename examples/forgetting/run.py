"""The founder's story, told again by promptforge's own commands: `make forgetting`.

For each seed a copy of this project is measured untrained, with the bare and with the enriched prompt; trained by each
recipe; measured again behind a server that has the adapter; and judged by the gate. What comes out goes to a page.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from page import page, table
from promptforge.backends.server import serve
from promptforge.compiler.build import compile_project
from promptforge.compiler.load import read_project

__all__ = ["RECIPES", "Setup", "Story", "main", "tell"]

HERE = Path(__file__).parent
RECIPES = ("persona-64", "persona-16", "balanced")
_TINY, _TRAINED = "tiny", "tiny-trained"
_BASE_URL = {_TINY: "http://127.0.0.1:8091/v1", _TRAINED: "http://127.0.0.1:8092/v1"}
_LIMIT_S = 3600
_NOT_COPIED = ("run.py", "page.py", "README.md", "__pycache__", "build", ".promptforge", "model", "envs")
Told = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a story is told with."""

    work: Path
    """Where the copies of the project go."""
    model: Path
    mlx: Path
    """An environment with mlx-lm, which serves."""
    trl: Path
    """An environment with TRL and peft, which train."""
    iterations: int = 0
    """Steps of each training; 0: what the recipes say."""
    threads: int = 1
    recipes: Sequence[str] = RECIPES


class Story:
    """One seed: a copy of the project, and what its commands said."""

    def __init__(self, setup: Setup, seed: int) -> None:
        self.setup, self.seed = setup, seed
        self.root = setup.work / f"seed-{seed}"
        self.times: dict[str, float] = {}
        threads = str(setup.threads)
        self._environ = {**os.environ, "OMP_NUM_THREADS": threads, "NO_COLOR": "1", "TOKENIZERS_PARALLELISM": "false"}

    def prepare(self) -> None:
        """A fresh copy, with links to the model and to the two environments that its files name."""
        if self.root.exists():
            shutil.rmtree(self.root)
        shutil.copytree(HERE, self.root, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        (self.root / "envs").mkdir()
        links = {"model": self.setup.model, "envs/mlx": self.setup.mlx, "envs/trl": self.setup.trl}
        for name, target in links.items():
            (self.root / name).symlink_to(target.absolute(), target_is_directory=True)
        for name in RECIPES if self.setup.iterations else ():
            path = self.root / "training" / f"{name}.yaml"
            path.write_text(re.sub(r"iters: \d+", f"iters: {self.setup.iterations}", path.read_text(encoding="utf-8")))

    def run(self, *arguments: str, step: str = "") -> Told:
        """A command of promptforge in the project, with its result as JSON. Stops the story where it fails."""
        began = time.monotonic()
        command = [sys.executable, "-m", "promptforge", *arguments, "--format", "json"]
        done = subprocess.run(
            command, cwd=self.root, env=self._environ, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
        self.times[step or " ".join(arguments[:2])] = time.monotonic() - began
        if not done.stdout.strip() or done.returncode > 1:
            said = (done.stderr or done.stdout)[-3000:]
            what = f"promptforge {' '.join(arguments)} ended with {done.returncode}"
            raise SystemExit(f"seed {self.seed}: {what}\n{said}")
        told: Told = json.loads(done.stdout)
        return told

    @contextmanager
    def served(self, name: str, adapter: Path | None = None) -> Iterator[None]:
        """The model behind a fresh server, at whose address the project's model `name` is reached meanwhile."""
        path = self.root / "promptforge.yaml"
        text = (HERE / "promptforge.yaml").read_text(encoding="utf-8")
        model = compile_project(read_project(self.root), today=date.today()).project.config.models[_TINY]
        with serve(model, folder=self.root, adapter=adapter, environment=self._environ, patience_s=180) as serving:
            path.write_text(text.replace(_BASE_URL[name], serving.base_url), encoding="utf-8")
            yield
            serving.proof()
        path.write_text(text, encoding="utf-8")

    def bench(self, name: str, step: str, adapter: Path | None = None) -> Told:
        """Bare against enriched, behind a server of its own."""
        with self.served(name, adapter):
            told = self.run("bench", "--model", name, "--variant", "base,enriched", "--fresh", step=step)
        return {"arms": {arm["variant"]: arm["score"] for arm in told["arms"]}, "gain": told["comparisons"][0]}

    def chapter(self, recipe: str) -> Told:
        """One recipe: its rows and what the audit says of them, its training, its measure, its verdict."""
        rows = self.run("dataset", "build", recipe, step=f"{recipe}: rows and audit")
        trained = self.run("train", recipe, "--seed", str(self.seed), step=f"{recipe}: train")
        adapter = Path(trained["adapter"])
        adapter = adapter if adapter.is_absolute() else self.root / adapter
        manifest = json.loads((adapter / "adapter.json").read_text(encoding="utf-8"))
        bench = self.bench(_TRAINED, f"{recipe}: bench", adapter)
        verdict = self.run("promote", str(adapter), step=f"{recipe}: promote")
        return {"rows": rows, "adapter": manifest, **bench, "verdict": verdict}

    def refused(self, recipe: str) -> Told:
        """A recipe whose rows the audit refuses, what it says, and that nothing is trained on them."""
        audit: Told = self.run("dataset", "build", recipe, step=f"{recipe}: rows and audit")["audit"]
        command = [sys.executable, "-m", "promptforge", "train", recipe]
        done = subprocess.run(
            command, cwd=self.root, env=self._environ, capture_output=True, timeout=_LIMIT_S, check=False
        )
        if audit["verdict"] != "refused" or done.returncode != 1:
            raise SystemExit(f"{recipe} was to be refused: the audit says {audit['verdict']}, train {done.returncode}")
        return audit

    def tell(self) -> Told:
        """The whole story of this seed."""
        self.prepare()
        began = time.monotonic()
        untrained = self.bench(_TINY, "untrained: bench")
        before = self.run("advise", _TINY, step="advise")
        refused = self.refused("no-refusals")
        chapters = {}
        for recipe in self.setup.recipes:
            chapters[recipe] = self.chapter(recipe)
            verdict = chapters[recipe]["verdict"]
            print(f"seed {self.seed} · {recipe}: {verdict['sentence']}", file=sys.stderr, flush=True)
        after = self.run("advise", _TINY, step="advise, afterwards")
        self.times["all"] = time.monotonic() - began
        return {
            "seed": self.seed,
            "untrained": untrained,
            "advice": before,
            "refused": {"no-refusals": refused},
            "chapters": chapters,
            "advice_after": after,
            "times": self.times,
        }


def tell(setup: Setup, seeds: Sequence[int], at_once: int) -> Told:
    """The stories of all seeds, and what they were told with."""
    setup.work.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(at_once) as pool:
        stories = list(pool.map(lambda seed: Story(setup, seed).tell(), seeds))
    return {"stories": stories, "machine": _machine(setup, at_once)}


def _machine(setup: Setup, at_once: int) -> Mapping[str, Any]:
    asked = "from importlib.metadata import version as v; print(v('mlx-lm'), v('mlx'))"
    done = subprocess.run([setup.mlx / "bin" / "python", "-c", asked], capture_output=True, text=True, check=True)
    mlx_lm, mlx = done.stdout.split()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": setup.threads,
        "at_once": at_once,
        "mlx-lm": mlx_lm,
        "mlx": mlx,
    }


def main() -> None:
    """Tell it, write the page, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlx", type=Path, required=True, help="environment with mlx-lm")
    parser.add_argument("--trl", type=Path, required=True, help="environment with TRL and peft")
    parser.add_argument("--model", type=Path, default=HERE.parent.parent / "tests" / "tiny-model")
    parser.add_argument("--work", type=Path, default=HERE / "build")
    parser.add_argument("--page", type=Path, help="where the page goes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--at-once", type=int, default=1, help="so many seeds beside each other")
    parser.add_argument("--threads", type=int, default=2, help="of a trainer or a server")
    parser.add_argument("--iterations", type=int, default=0, help="steps of each training, for a short form")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES)
    options = parser.parse_args()
    setup = Setup(
        work=options.work.absolute(),
        model=options.model,
        mlx=options.mlx,
        trl=options.trl,
        iterations=options.iterations,
        threads=options.threads,
        recipes=options.recipes,
    )
    told = tell(setup, options.seeds, options.at_once)
    (setup.work / "results.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    if options.page:
        options.page.write_text(page(told), encoding="utf-8")
    print(table(told))


if __name__ == "__main__":
    main()
