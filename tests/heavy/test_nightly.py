"""`promptforge nightly` with the real mlx_lm server and trainer, on the lodge and the tiny model, on a CPU."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlx_house import TINY, lodge_at, promptforge

from promptforge.nightly.journal import STAGES

pytestmark = pytest.mark.heavy

LIMIT_S = 400
RECIPE = """
recipe: words
agents: [warden]
model: tiny
system: base
rows: 60
mix: {identity: 0.2, infrastructure: 0.8}
limits: {identity: {max: 0.3}, jailbreak: {min: 0}, replay: {min: 0}}
max_share_per_fact: 0.2
format: mlx
trainer: {kind: mlx_lm, rank: 4, iters: 20, batch_size: 2, scale: 2.0, dropout: 0.0, learning_rate: 0.001}
split: {valid: 0.1, test: 0.1}
seed: 7
"""


def _python() -> str:
    found = os.environ.get("PROMPTFORGE_HEAVY_PYTHON", "")
    if not found:
        pytest.fail("PROMPTFORGE_HEAVY_PYTHON names no Python with mlx-lm; `make test-heavy` makes one and names it")
    return found


def _lodge(folder: Path) -> Path:
    """The lodge with a recipe, whose model promptforge can start and train."""
    root = lodge_at("http://127.0.0.1:9/v1", folder)
    serve = shlex.join([_python(), "-m", "mlx_lm", "server", "--model", str(TINY), "--port", "{port}"])
    place = root / "promptforge.yaml"
    place.write_text(f"{place.read_text(encoding='utf-8').rstrip()}\n    serve: {serve}\n", encoding="utf-8")
    (root / "training").mkdir()
    (root / "training" / "words.yaml").write_text(RECIPE, encoding="utf-8")
    return root


def _last_night(root: Path) -> dict[str, object]:
    found = json.loads(promptforge(root, "nightly", "status", "--format", "json").out)
    night: dict[str, object] = found["recipes"]["words"]["nights"][0]
    return night


def test_a_night_from_rows_to_verdict(tmp_path: Path) -> None:
    """Every stage for real; the same night again is nothing; and what it came to is what the gate says."""
    root = _lodge(tmp_path / "lodge")
    done = promptforge(root, "nightly", "--python", _python())
    night = _last_night(root)
    assert night["outcome"] in ("promote", "reject", "inconclusive"), done.err
    assert done.code == (1 if night["outcome"] == "reject" else 0)
    assert [stage["name"] for stage in night["stages"] if stage["finished"]] == list(STAGES)
    again = promptforge(root, "nightly", "--python", _python())
    assert "nothing has changed since: nothing was trained, nothing asked" in again.out


def test_a_night_that_is_killed_while_it_trains_goes_on(tmp_path: Path) -> None:
    """The trainer that it left is ended; the night has one number, and comes to a verdict."""
    root = _lodge(tmp_path / "lodge")
    command = [sys.executable, "-m", "promptforge", "-C", str(root), "nightly", "--python", _python()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        until = time.monotonic() + LIMIT_S
        while not (root / ".promptforge" / "training.json").exists():
            assert first.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        first.send_signal(signal.SIGKILL)
    done = promptforge(root, "nightly", "--python", _python())
    night = _last_night(root)
    assert (night["number"], bool(night["outcome"])) == (1, True), done.err
    assert "night 1 was cut short at 'train': it goes on from there" in done.err


def test_a_rehearsal_needs_no_trainer(tmp_path: Path) -> None:
    """The lodge's suite is small, so the rehearsal may say that it shows nothing; but it says so by name."""
    root = _lodge(tmp_path / "lodge")
    done = promptforge(root, "nightly", "rehearse", "--format", "json")
    found = json.loads(done.out)
    assert [one["name"] for one in found["trials"]] == ["winner", "loser", "tie"]
    assert done.code == (0 if found["holds"] else 1)
