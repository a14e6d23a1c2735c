"""`train` killed at every stage: the next one starts from its seed and leaves one whole adapter, nothing beside it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from promptforge.backends.processes import marked
from promptforge.train.record import attempts, read_trained
from promptforge.train.train import Asked
from train.lab_training import behave, hut, left, trained, wait_for

KILLED = """
import os, sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, sys.argv[1])
module, name, when = sys.argv[3:]
place = import_module(module)
real = getattr(place, name)

def dies(*arguments, **named):
    if when == "before":
        os._exit(9)
    real(*arguments, **named)
    os._exit(9)

setattr(place, name, dies)
from train.lab_training import trained
from promptforge.train.train import Asked
trained(Path(sys.argv[2]), Asked(again=True))
"""
STAGES = [
    ("promptforge.train.train", "emit_dataset", "before"),
    ("promptforge.train.train", "_held", "after"),
    ("promptforge.trainers.child", "_write", "before"),
    ("promptforge.trainers.child", "_write", "after"),
    ("promptforge.train.train", "run_trainer", "after"),
    ("promptforge.train.train", "sealed", "before"),
    ("promptforge.train.train", "sealed", "after"),
    ("promptforge.dataset.swap", "_exchange", "before"),
    ("promptforge.dataset.swap", "_exchange", "after"),
    ("promptforge.train.train", "note", "before"),
]


CASES = [*((stage, "again") for stage in STAGES), *((stage, "first") for stage in STAGES[4:7])]


@pytest.mark.parametrize(
    ("stage", "before"), CASES, ids=lambda value: "-".join(value[1:]) if len(value) == 3 else value
)
def test_a_kill_at_any_stage_leaves_the_old_adapter_or_the_new(
    tmp_path: Path, stage: tuple[str, str, str], before: str
):
    """With an adapter there before, one is there after; the next training sweeps what was half, and is as if nothing was."""
    root = hut(tmp_path)
    first = trained(root) if before == "again" else None
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(Path(__file__).parents[1]), str(root), *stage],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    whole = [name for name in left(root) if not name.startswith(".")]
    assert len(whole) == (1 if first or stage[1] in ("note", "_exchange") else 0)
    for name in whole:
        read_trained(root / "build" / "adapters" / name)
    again = trained(root, Asked(again=True))
    assert left(root) == [again.folder.name]
    assert again.trained.losses.last == 4.874
    assert not (root / ".promptforge" / "training.json").exists()
    assert not (root / ".promptforge" / "training").exists()


def test_a_trainer_that_is_not_written_down_never_begins(tmp_path: Path):
    """Killed between the start and the record: what was started reads the end of a file, and leaves."""
    root = hut(tmp_path)
    behave(root, "hang")
    script = KILLED.replace("os._exit(9)", "print(arguments[0].token, flush=True); os._exit(9)")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            str(Path(__file__).parents[1]),
            str(root),
            "promptforge.trainers.child",
            "_write",
            "after",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    token = done.stdout.strip()
    assert len(token) == 32, done.stderr
    assert json.loads((root / ".promptforge" / "training.json").read_text())["token"] == token
    wait_for(lambda: not marked(token))
    assert not (root / "pids.json").exists()


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path):
    """The list of trainings survives a kill in the middle of a line."""
    root = hut(tmp_path)
    trained(root)
    path = root / ".promptforge" / "trainings.jsonl"
    path.write_text(path.read_text() + '{"started": "2026-11-')
    assert [one.outcome for one in attempts(root)] == ["trained"]
    trained(root, Asked(again=True))
    assert [one.outcome for one in attempts(root)] == ["trained", "trained"]
