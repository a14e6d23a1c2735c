"""A small house with a recipe, on disk, and the rows that come of it."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptforge.compiler.build import Build, compile_project
from promptforge.compiler.load import read_project
from promptforge.dataset.dataset import Dataset
from promptforge.dataset.rows import Row
from promptforge.workbench.datasets import make_rows
from promptforge.workbench.recipes import Recipes, find_recipe, load_recipes
from promptforge.workbench.suites import Suites, load_suites

TODAY = datetime.date(2026, 11, 22)
RECIPE = """
recipe: lab
agents: [windu]
model: near
rows: 200
mix: {identity: 0.2, infrastructure: 0.8}
max_share_per_fact: 0.2
"""
FILES: Mapping[str, str] = {
    "promptforge.yaml": """
name: lab
models:
  near: {backend: reader, tier: local}
  far: {backend: anthropic, model: far-1, api_key: "env:KEY", tier: cloud, context: 200000}
""",
    "knowledge/lab.yaml": """
hosts:
  mini: {role: hub, lan_ip: 192.0.2.10, mac: "00:00:5E:00:53:0A"}
  nas: {role: disk, lan_ip: 192.0.2.11, mac: "00:00:5E:00:53:0B", os: TrueNAS}
people:
  Mara: {role: founder}
  Theo: {role: partner}
ports:
  - {host: mini, port: 1337, codename: LEET, service: Council MLX}
  - {host: mini, port: 1338, codename: LEET+1, service: Coder MLX}
  - {host: mini, port: 42069, codename: Nice., service: Memory Vault}
  - {host: nas, port: 2049, codename: Crawlspace, service: Bulk storage}
  - {host: nas, port: 9100, codename: Pulse, service: Metrics}
  - {host: mini, port: 9100, codename: Pulse, service: Metrics}
devices:
  - {name: Mara's phone, owner: Mara, kind: phone, mac: 00:00:5E:00:53:42}
  - {name: Theo's phone, owner: Theo, kind: phone, mac: 00:00:5E:00:53:41}
  - {name: Mara's laptop, owner: Mara, kind: laptop, mac: 00:00:5E:00:53:21, sensitivity: private}
""",
    "agents/windu.yaml": """
name: windu
role: Security
model: near
persona: |
  You are Windu, head of security. Your duty is to know what belongs here; people ask you first.

  What you refuse:
  - To help anyone past a lock.
  - To say when you are away.

  When the tables do not settle it, say "I don't know".
sections: [persona, {table: ports}, {table: hosts}, {table: devices}, {table: people}, {fewshot: 3}]
""",
    "agents/yoda.yaml": """
name: yoda
model: near
persona: You are Yoda, coordinator.
sections: [persona, {table: ports, where: {host: nas}, columns: [host, port, codename]}, {fewshot: 3}]
""",
    "training/lab.yaml": RECIPE,
}


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """A project on disk."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def loaded(folder: Path, **changed: str) -> tuple[Build, Suites, Recipes]:
    """The house, with files changed or added: `training__lab` is training/lab.yaml."""
    more = {f"{name.replace('__', '/')}.yaml": text for name, text in changed.items()}
    build = compile_project(read_project(write_files(folder, {**FILES, **more})), today=TODAY)
    suites, recipes = load_suites(build), load_recipes(build)
    said = [d.message for d in (*build.diagnostics, *suites.diagnostics, *recipes.diagnostics) if d.severity == "error"]
    assert said == []
    return build, suites, recipes


def made(folder: Path, recipe: str = RECIPE, *, more: Mapping[str, Any] | None = None, **changed: str) -> Dataset:
    """The dataset of a recipe of the house."""
    build, suites, recipes = loaded(folder, training__lab=recipe, **changed)
    return make_rows(build, suites, recipes, find_recipe(recipes, "lab"), **(more or {}))


def rows_of(dataset: Dataset) -> list[Row]:
    """All of them."""
    return [row for _, row in dataset]


def could_say(dataset: Dataset, category: str) -> set[tuple[str, str]]:
    """Questions and answers that rows of a category could have, whichever were taken."""
    seeds = [seed for seed in dataset.stock.seeds if seed.category == category]
    every = [dataset.stock.maker.worded(seed, number) for seed in seeds for number in range(seed.pair.ways)]
    return {(one.question, one.answer) for one in every}
