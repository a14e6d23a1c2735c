"""The founder's story in its short form: examples/forgetting with one seed and few steps, really served and trained."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlx_house import TINY

from promptforge.bench.advice import STRONG, WEAK

pytestmark = pytest.mark.heavy

RUN = Path(__file__).parents[2] / "examples" / "forgetting" / "run.py"
STEPS = 30
LIMIT_S = 900


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came out."""
    work = tmp_path_factory.mktemp("forgetting")
    command = [sys.executable, str(RUN), "--mlx", environment("HEAVY"), "--trl", environment("TRAINERS")]
    command += ["--model", str(TINY), "--work", str(work), "--page", str(work / "page.md"), "--seeds", "1"]
    command += ["--recipes", "persona-64", "balanced", "--iterations", str(STEPS), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "| 76 % identity, rank 64 | enriched |" in done.stdout
    assert done.stdout.strip() in (work / "page.md").read_text(encoding="utf-8")
    (story,) = json.loads((work / "results.json").read_text(encoding="utf-8"))["stories"]
    found: dict[str, Any] = story
    return found


def environment(which: str) -> str:
    """The folder of an environment, of which the variable names the Python."""
    found = os.environ.get(f"PROMPTFORGE_{which}_PYTHON", "")
    if not found:
        pytest.fail(f"PROMPTFORGE_{which}_PYTHON names no Python; `make test-heavy` makes one and names it")
    return str(Path(found).parent.parent)


def test_the_prompt_alone_is_a_gain(told):
    """The untrained model is shown to be better with the enriched prompt, and knows what it knows by heart in both."""
    gain = told["untrained"]["gain"]
    assert gain["verdict"]["word"] == "better"
    assert gain["overall"]["low"] > 0
    assert all(one["categories"]["general"]["value"] > 0.9 for one in told["untrained"]["arms"].values())


def test_the_audit_warns_before_the_training(told):
    """76 % identity is flagged; without a refusal it is refused; the balanced mix is fine."""
    audits = {recipe: chapter["rows"]["audit"] for recipe, chapter in told["chapters"].items()}
    assert [audits[recipe]["verdict"] for recipe in ("persona-64", "balanced")] == ["flagged", "fine"]
    assert "kind.identity.most" in [one["rule"] for one in audits["persona-64"]["findings"]]
    assert told["refused"]["no-refusals"]["verdict"] == "refused"


def test_the_persona_forgets_and_is_rejected(told):
    """Few steps of it are enough: the fall is shown, and the adapter is put away."""
    chapter = told["chapters"]["persona-64"]
    verdict = chapter["verdict"]
    assert verdict["verdict"] == "reject"
    assert verdict["overall"]["high"] < 0
    assert "quarantine" in verdict["done"]
    enriched = told["untrained"]["arms"]["enriched"]["overall"]["value"]
    assert chapter["arms"]["enriched"]["overall"]["value"] < enriched - 0.05


def test_the_gate_follows_the_numbers(told):
    """Whatever becomes of the balanced training: it is judged, on answers that differ, and the verdict fits them."""
    chapter = told["chapters"]["balanced"]
    verdict = chapter["verdict"]
    assert verdict["judged"]
    assert next(one["holds"] for one in verdict["conditions"] if one["name"] == "arms shown different")
    assert verdict["verdict"] != "promote" or verdict["overall"]["low"] > 0
    assert verdict["verdict"] != "inconclusive" or verdict["overall"]["high"] >= 0


def test_the_advice_follows_the_numbers(told):
    """The class is that of the enriched interval, and what the persona's training did is said beside it."""
    (before,), (after,) = told["advice"]["models"], told["advice_after"]["models"]
    low, high = before["enriched"]["low"], before["enriched"]["high"]
    strategy = "strong" if low >= STRONG else "weak" if high < WEAK else None
    strategy = "moderate" if strategy is None and low >= WEAK and high < STRONG else strategy
    assert before["strategy"] == strategy
    assert before["gain"]["shown"]
    assert any("adapter" in note for note in after["notes"])
