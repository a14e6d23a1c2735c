"""The recipe of the example house: it can be made, its attacks are sound, and nothing of it gives the suite away."""

import datetime
import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from promptforge.bench.values import mentions
from promptforge.compiler.build import compile_project
from promptforge.compiler.load import read_project
from promptforge.dataset.dataset import Dataset
from promptforge.dataset.replayed import sample
from promptforge.overlap import SIMILAR, jaccard, trigrams
from promptforge.workbench.datasets import make_rows
from promptforge.workbench.recipes import load_recipes
from promptforge.workbench.suites import load_suites

ROOT = Path(__file__).parents[2]
TODAY = datetime.date(2026, 11, 22)
LIKES = {"false-authority", "diagnostic-mode", "story", "fake-patch", "injected-tag", "evaluation"}


@pytest.fixture(scope="module")
def house():
    build = compile_project(read_project(ROOT), today=TODAY)
    return build, load_suites(build), load_recipes(build)


@pytest.fixture(scope="module")
def dataset(house) -> Dataset:
    build, suites, recipes = house
    return make_rows(build, suites, recipes, recipes.recipes["cilghal"])


def test_nothing_is_wrong_with_it(house):
    """Not even a warning."""
    _, _, recipes = house
    assert recipes.diagnostics == ()
    assert [*recipes.recipes] == ["cilghal"]


def test_the_mix_is_as_written_and_every_side_has_its_rows(dataset):
    """All of them, and what was left out is counted."""
    account = dataset.account
    assert account.rows == account.asked == 240
    assert account.kinds == {"identity": 48, "infrastructure": 108, "domain": 12, "jailbreak": 24, "replay": 48}
    assert account.sides == {"train": 216, "valid": 12, "test": 12}
    assert account.left_out["expected"] > 0
    assert "text" not in account.left_out
    assert account.notes == ("weak_from: there is no run yet, so nothing was moved; make one: promptforge bench",)
    assert {row.agent for _, row in dataset} == {"cilghal", "mundi", "quigon", "ahsoka", ""}


def test_no_row_gives_a_written_case_away(house, dataset):
    """Looked at once more, case by case, by the rule of the contract."""
    _, suites, _ = house
    cases = [case for case in suites.suites["carmack-v2"].cases if not case.generated]
    asked = [(case, trigrams(case.question), {f for f, _ in (*case.expects, *case.asked)}) for case in cases]
    for _, row in dataset:
        runs, facts = trigrams(row.user), set(row.facts)
        for case, own, about in asked:
            assert not set(case.expects) & set(row.asked), (row, case.id)
            if not (facts and about and facts.isdisjoint(about)):
                assert jaccard(runs, own) < SIMILAR, (row.user, case.question)


def test_attacks_and_look_alikes_are_many_and_of_every_kind(house):
    """40 of each, and of each kind of attack both."""
    _, _, recipes = house
    entries = recipes.attacks["training/jailbreak.yaml"]
    assert Counter(entry.category for entry in entries) == {"refusal": 40, "benign": 40}
    for category in ("refusal", "benign"):
        assert {entry.like for entry in entries if entry.category == category} == LIKES


def test_every_attack_and_look_alike_could_be_a_row(house):
    """Each can be rendered, none is near a case, and none prints what one expects."""
    build, suites, recipes = house
    recipe = recipes.recipes["cilghal"]
    every = make_rows(build, suites, recipes, recipe).stock
    seeds = [seed for seed in every.seeds if seed.kind == "jailbreak"]
    for seed in seeds:
        made = every.maker.worded(seed, 0)
        assert not every.cases.printed_in(made.asked), (seed.direction, every.cases.printed_in(made.asked))
        assert not every.cases.alike(made.question, made.facts), made.question
        assert "{{" not in made.question + made.answer
    assert len({seed.direction for seed in seeds}) >= 72  # the rest is for seats in the cloud


def test_a_look_alike_is_answered_from_the_agents_own_prompt(house):
    """A value that the answer names stands in the prompt of whoever is asked."""
    build, _, recipes = house
    stock = make_rows(build, *house[1:], recipes.recipes["cilghal"]).stock
    for seed in stock.seeds:
        if seed.category != "benign":
            continue
        made = stock.maker.worded(seed, 0)
        for fact, column in made.asked:
            record = build.artifact.facts[fact].values[column]
            if isinstance(record, str) and len(record) <= 60:
                assert mentions(seed.learner.system, record.strip('"')), (seed.direction, seed.learner.name, record)


def test_the_sample_of_general_rows_is_sound_and_says_that_it_is_one():
    """No broken line, no question twice."""
    found = sample(ROOT, ["training/replay/general.jsonl"], 1000, seed=0)
    assert (found.sound, found.broken_count) == (145, 0)
    assert len(set(found.places.keys)) == 145
    assert '"note": "sample: ' in (ROOT / "training/replay/general.jsonl").read_text(encoding="utf-8").splitlines()[0]


MAKE = """
import sys
sys.path.insert(0, {root!r})
from tests.dataset.test_example_recipe import *
build = compile_project(read_project(ROOT), today=TODAY)
recipes = load_recipes(build)
made = make_rows(build, load_suites(build), recipes, recipes.recipes["cilghal"])
print(hashlib.sha256(repr([*made, made.account]).encode()).hexdigest())
"""


def test_the_same_seed_gives_the_same_bytes_in_every_process(dataset):
    """Rows, sides, order and account, however Python orders its sets."""
    here = hashlib.sha256(repr([*dataset, dataset.account]).encode()).hexdigest()
    for order in ("1", "2"):
        command = [sys.executable, "-c", MAKE.format(root=str(ROOT))]
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": order},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert done.stdout.strip() == here
