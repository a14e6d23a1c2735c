"""`promote RECIPE` killed with SIGKILL at every step: the same command finds a consistent state, and finishes."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nightly import grange
from promptforge.backends.leftovers import sweep
from promptforge.store import Store
from promptforge.workbench.quarantine import held

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals and locks of Unix"),
    pytest.mark.heavy,  # twenty tournaments with their servers: minutes
]

_KILLED = """
import os, signal, sys
from importlib import import_module
module, name, nth, when, *words = sys.argv[1:]
place = import_module(module)
*path, last = name.split(".")
for part in path:
    place = getattr(place, part)
real, left = getattr(place, last), [int(nth)]
def dies(*arguments, **named):
    left[0] -= 1
    if not left[0] and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    found = real(*arguments, **named)
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
setattr(place, last, dies)
sys.argv = ["promptforge", *words]
from promptforge.cli.main import main
main()
"""
NEAR = [*grange.BASE, 1, 3, 5, 7, 9, 11]
"""Six more than the untrained model: too few to be shown at the first look."""
TRIAL, QUARANTINE = "promptforge.promote", "promptforge.workbench.quarantine"
CHAMPIONS, HISTORY = "promptforge.workbench.champions", "promptforge.store"
# Killed before a step leaves what killed after the last one does: each state that differs is tried once.
REJECTED = [
    (TRIAL, "hold", 2, "after"),
    (TRIAL, "hold", 4, "after"),
    (HISTORY, "Store.put_look", 1, "after"),
    (HISTORY, "Store.put_look", 2, "after"),
    (QUARANTINE, "_write", 1, "after"),
    (QUARANTINE, "_write", 5, "before"),
    (QUARANTINE, "_move", 1, "before"),
    *((QUARANTINE, "_move", nth, "after") for nth in (1, 2, 3)),
    (TRIAL, "_write", 1, "after"),
]
PROMOTED = [
    (CHAMPIONS, "_copy", 1, "before"),
    (CHAMPIONS, "_copy", 1, "after"),
    (CHAMPIONS, "_flush", 1, "after"),
    (HISTORY, "Store.crown", 1, "after"),
    (CHAMPIONS, "point", 1, "after"),
    (TRIAL, "_write", 1, "after"),
]
DELETED = [(TRIAL, "_write", 1, "after"), (TRIAL, "discard", 1, "before"), (QUARANTINE, "_delete", 4, "after")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A recipe that is trained three times where it is near, and whose further trainings learn nothing."""
    made = grange.grange(tmp_path)
    recipe = made / "training/words.yaml"
    recipe.write_text(recipe.read_text() + "seeds: 3\n")
    dull = {"knows": [*grange.BASE][:18]}
    grange.lesson(made, NEAR, by_seed={"8": {**dull, "name": "eight"}, "9": {**dull, "name": "nine"}})
    return made


def words(root: Path, *more: str) -> list[str]:
    return ["-C", str(root), "promote", "words", *more]


def killed(root: Path, module: str, name: str, nth: int, when: str, *more: str) -> None:
    trained = [sys.executable, "-m", "promptforge", "-C", str(root), "train", "words"]
    subprocess.run(trained, check=True, capture_output=True, timeout=240)
    command = [sys.executable, "-c", _KILLED, module, name, str(nth), when, *words(root, *more)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == -signal.SIGKILL, done.stderr


def again(root: Path, *more: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "promptforge", *words(root, "--format", "json", *more)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def candidates(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "build/adapters").iterdir())


def report(root: Path) -> Any:
    (place,) = (root / "build/reports").glob("promote-*.json")
    return json.loads(place.read_text())


@pytest.mark.parametrize(("module", "name", "nth", "when"), REJECTED, ids=lambda value: str(value).rpartition(".")[2])
def test_a_rejection_that_is_killed_is_finished(root, module, name, nth, when):
    """One verdict, two looks, three trainings, each question once; all three adapters are put away, and it is reported."""
    killed(root, module, name, nth, when)
    code, found = again(root)
    assert (code, found["verdict"], found["look"]) == (1, "reject", 2), found
    assert "over several trainings the score varies by" in found["sentence"]
    assert found["done"].startswith("the adapter is in quarantine, .promptforge/quarantine/words-seed-7-")
    assert report(root) == {key: found[key] for key in report(root)}
    assert candidates(root) == []
    (one,) = held(root)
    assert len(list(one.folder.rglob("adapters.safetensors"))) == 3
    assert grange.log(root, "trained") == ["pupil", "eight", "nine"]
    asked = grange.log(root, "asked")
    assert len(asked) == len(set(asked)) == 4 * grange.CASES
    assert sweep(root) == ()


@pytest.mark.parametrize(("module", "name", "nth", "when"), PROMOTED, ids=lambda value: str(value).rpartition(".")[2])
def test_a_promotion_that_is_killed_is_finished(root, module, name, nth, when):
    """One crowning at one look; the pointer leads to the adapter, and it is reported."""
    grange.lesson(root, grange.BETTER)
    killed(root, module, name, nth, when)
    code, found = again(root)
    assert (code, found["verdict"], found["look"]) == (0, "promote", 1), found
    assert report(root)["done"].startswith(("it is the champion of tiny", "nothing: it is the champion already"))
    with Store(root / ".promptforge/history.db") as store:
        assert [row.action for row in store.crownings()] == ["promote"]
    assert Path(found["champion"]["folder"]).is_dir()
    assert found["champion"]["digest"] in (root / "build/champions.yaml").read_text()


@pytest.mark.parametrize(("module", "name", "nth", "when"), DELETED, ids=lambda value: str(value).rpartition(".")[2])
def test_a_deletion_that_is_killed_is_finished(root, module, name, nth, when):
    """The report is there before anything is deleted; one rename takes all three, and the next promotion the rest."""
    killed(root, module, name, nth, when, "--delete")
    assert (report(root)["verdict"], report(root)["done"]) == (
        "reject",
        "the adapter is deleted; the verdict is kept in build/reports",
    )
    code, found = again(root, "--delete")
    if name == "_delete":
        assert (code, "the recipe 'words' has no adapter yet" in found) == (2, True)
    else:
        assert (code, found["verdict"], found["look"]) == (1, "reject", 2)
    assert (candidates(root), held(root)) == ([], ())
    assert grange.log(root, "trained") == ["pupil", "eight", "nine"]
