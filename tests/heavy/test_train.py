"""`promptforge train` with the real trainers: mlx_lm.lora and TRL with peft, on the lodge and the tiny model, on a CPU."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mlx_house import TINY, Done, lodge_at, promptforge

pytestmark = pytest.mark.heavy

LIMIT_S = 240
RECIPE = """
recipe: {name}
agents: [warden]
model: tiny
system: base
rows: 60
mix: {{identity: 0.2, infrastructure: 0.8}}
limits: {{identity: {{max: 0.3}}, jailbreak: {{min: 0}}, replay: {{min: 0}}}}
max_share_per_fact: 0.2
format: {form}
trainer: {{kind: {kind}, rank: 4, iters: {iters}, batch_size: 2, scale: 2.0, dropout: 0.0, learning_rate: 0.001, python: "{python}"}}
split: {{valid: 0.1, test: 0.1}}
seed: 7
"""
LOADS_MLX = """
import sys
import mlx.core as mx
from mlx_lm import load
with_it, tokenizer = load(sys.argv[1], adapter_path=sys.argv[2])
without, _ = load(sys.argv[1])
ids = mx.array([tokenizer.encode("Who are you?")])
print(float(mx.abs(with_it(ids) - without(ids)).max()))
"""
LOADS_PEFT = """
import sys
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
ids = torch.tensor([tokenizer.encode("Who are you?")])
without = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
before = without(ids).logits
print(float((PeftModel.from_pretrained(without, sys.argv[2])(ids).logits - before).abs().max()))
"""


def python_of(variable: str) -> str:
    """The Python of a trainer."""
    found = os.environ.get(variable, "")
    if not found:
        pytest.fail(f"{variable} names no Python with a trainer; `make test-heavy` makes one and names it")
    return found


def lodge(folder: Path, kind: str, *, iters: int = 6) -> Path:
    """The lodge with a recipe for that trainer."""
    root = lodge_at("http://127.0.0.1:1337/v1", folder / "lodge")
    config = root / "promptforge.yaml"
    config.write_text(config.read_text().replace("    tier: local\n", f"    tier: local\n    weights: {TINY}\n"))
    python = python_of("PROMPTFORGE_HEAVY_PYTHON" if kind == "mlx_lm" else "PROMPTFORGE_TRAINERS_PYTHON")
    text = RECIPE.format(name="keeper", form={"mlx_lm": "mlx"}.get(kind, kind), kind=kind, iters=iters, python=python)
    (root / "training").mkdir()
    (root / "training" / "keeper.yaml").write_text(text)
    return root


def train(root: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Done:
    """The command, on one core and with a home of its own."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HF_HOME", str(root / "huggingface"))
    return promptforge(root, "train", "keeper", *arguments)


def result(done: Done) -> dict[str, Any]:
    """What it printed as JSON."""
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def moved(python: str, script: str, adapter: str) -> float:
    """By how much an adapter moves what the model says, loaded by the trainer's own library."""
    done = subprocess.run(
        [python, "-c", script, str(TINY), adapter],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return float(done.stdout.split()[-1])


def check_manifest(root: Path, told: dict[str, Any], trainer: str, weights: str) -> dict[str, Any]:
    """What lies beside the adapter says what it is."""
    folder = Path(told["adapter"])
    manifest: dict[str, Any] = json.loads((folder / "adapter.json").read_text())
    dataset = json.loads((root / "build" / "datasets" / "keeper" / "manifest.json").read_text())
    assert (manifest["recipe"], manifest["model"], manifest["base"]) == ("keeper", "tiny", str(TINY))
    assert (manifest["trainer"], manifest["iterations"]) == (trainer, 6)
    assert (manifest["dataset"], manifest["knowledge"]) == (dataset["digest"], dataset["knowledge"])
    assert {weights, "adapter_config.json"} <= set(manifest["files"])
    assert all(isinstance(manifest["losses"][name], float) for name in ("first", "last", "valid"))
    assert all(manifest["versions"].values())
    assert (root / manifest["log"]).is_file()
    assert {path.name for path in folder.parent.iterdir()} >= {folder.name}
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]
    return manifest


def test_mlx_lm_trains_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A few iterations with live losses; its adapter loads and moves the model; the same again is nothing to do."""
    root = lodge(tmp_path, "mlx_lm")
    done = train(root, monkeypatch, "--format", "json")
    told = result(done)
    assert "iteration 6 of 6 · loss " in done.err
    assert "tokens/s" in done.err
    manifest = check_manifest(root, told, "mlx_lm", "adapters.safetensors")
    assert set(manifest["versions"]) == {"mlx-lm", "mlx"}
    assert moved(python_of("PROMPTFORGE_HEAVY_PYTHON"), LOADS_MLX, told["adapter"]) > 0
    assert result(train(root, monkeypatch, "--format", "json"))["fresh"] is False


def test_trl_trains_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same by our script in its Python; another seed has the same rows, and another adapter."""
    root = lodge(tmp_path, "trl")
    done = train(root, monkeypatch, "--format", "json")
    told = result(done)
    assert "iteration 6 of 6 · loss " in done.err
    manifest = check_manifest(root, told, "trl", "adapter_model.safetensors")
    assert set(manifest["versions"]) == {"trl", "peft", "transformers", "torch"}
    assert not [path for path in Path(told["adapter"]).iterdir() if path.name.startswith("checkpoint")]
    assert moved(python_of("PROMPTFORGE_TRAINERS_PYTHON"), LOADS_PEFT, told["adapter"]) > 0
    other = result(train(root, monkeypatch, "--format", "json", "--seed", "8"))
    assert (other["data"], other["seed"]) == (told["data"], 8)
    assert other["adapter"] != told["adapter"]
    again = result(train(root, monkeypatch, "--format", "json", "--again"))
    assert (again["data"], again["adapter"], again["fresh"]) == (told["data"], told["adapter"], True)


def test_a_real_training_can_be_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """When its time is up it is stopped in the middle, and no adapter is left."""
    root = lodge(tmp_path, "trl", iters=100_000)
    done = train(root, monkeypatch, "--max-minutes", "0.3")
    assert done.code == 3, done.err
    assert "the time was up after 0.3 minutes" in done.err
    assert [*(root / "build" / "adapters").iterdir()] == []
