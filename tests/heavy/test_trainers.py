"""What is written, in the hands of the trainers themselves: each reads it whole and learns the answers, only them.

mlx_lm and TRL with peft also train a step. Axolotl and LLaMA-Factory check their configuration and read the rows.
"""

import json
import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mlx_house import TINY

from trainingrows import PROMPT, row, rows, written

pytestmark = pytest.mark.heavy

TURNS = (
    ("system", PROMPT),
    ("user", "Who are you?"),
    ("assistant", "The warden."),
    ("user", "Which port has LEET?"),
    ("assistant", "1337."),
)
BARE = (("user", "Who keeps the records?"), ("assistant", "The warden does."))
LIMIT_S = 300


def many() -> list[Any]:
    """Plain rows; the first two have two answers each, the third no prompt."""
    plain = rows(40, valid=8, test=8)
    odd = (row(0, messages=TURNS), row(1, messages=(TURNS[0], *TURNS[3:], *TURNS[1:3])), row(2, messages=BARE))
    return [*(("train", one) for one in odd), *plain[3:]]


def trained(trainer: str, tmp_path: Path, *, model: Path = TINY, **settings: Any) -> dict[str, Any]:
    """What the trainer made of it, and what it says."""
    out = tmp_path / "adapter"
    form = {"mlx": "mlx"}.get(trainer, trainer)
    more: dict[str, Any] = settings.pop("rows", many())
    done = written(
        tmp_path / "set",
        more,
        format=form,
        tokenizer=f"hf:{model}",
        model=str(model),
        adapter=str(out),
        settings={"iters": 1, "rank": 4, **settings},
    )
    variable = "PROMPTFORGE_HEAVY_PYTHON" if trainer == "mlx" else "PROMPTFORGE_TRAINERS_PYTHON"
    python = os.environ.get(variable, "")
    if not python:
        pytest.fail(f"{variable} names no Python with {trainer}; `make test-heavy` makes one and names it")
    home = tmp_path / "huggingface"
    told = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    command = [python, str(Path(__file__).with_name("trained.py")), trainer, str(done.folder), str(model), str(out)]
    ran = subprocess.run(
        command,
        env={**os.environ, **told},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    for split, lines in zip(("train", "valid", "test"), found["lines"], strict=False):
        assert lines == done.manifest.lines[split], split  # nothing is left out without a word
    if "longest" in found:
        assert found["longest"] <= found["limit"] == done.manifest.longest.limit
    return found


def learnt(found: dict[str, Any]) -> list[str]:
    return [answer.replace("<|im_end|>", "").strip() for _, answer in found["seen"]]


SEPARATE = ["The warden.", "1337.", "1337.", "The warden.", "The warden does.", "Port 1340."]
"""Of trainers that learn the last answer of a line: the first two rows make two lines each."""


def test_mlx_lm_reads_and_trains(tmp_path: Path):
    """`mlx_lm.lora --config mlx.yaml`: it learns each answer and its end once; the loss is a number."""
    found = trained("mlx", tmp_path)
    assert learnt(found) == SEPARATE
    assert all(answer.rstrip().endswith("<|im_end|>") for _, answer in found["seen"])
    assert found["losses"]
    assert all(math.isfinite(loss) and loss > 0 for loss in found["losses"])
    assert {"adapters.safetensors", "adapter_config.json"} <= set(found["written"])
    told = json.loads((tmp_path / "adapter" / "adapter_config.json").read_bytes())
    assert told["lora_parameters"] == {"rank": 4, "scale": 2.0, "dropout": 0.0}
    assert (told["mask_prompt"], told["num_layers"], told["iters"]) == (True, -1, 1)


def test_trl_reads_and_trains(tmp_path: Path):
    """What `trl sft --config trl.yaml` does, with peft: the completions are learnt; the loss is a number."""
    found = trained("trl", tmp_path)
    assert learnt(found) == SEPARATE
    assert all(math.isfinite(loss) and loss > 0 for loss in found["losses"])
    assert len(found["losses"]) == 2
    assert {"adapter_model.safetensors", "adapter_config.json"} <= set(found["written"])
    told = json.loads((tmp_path / "adapter" / "adapter_config.json").read_bytes())
    assert (told["r"], told["lora_alpha"]) == (4, 8)


def test_trl_reads_and_trains_on_conversations(tmp_path: Path):
    """With a template that marks the answers, every answer of a conversation is learnt, and nothing else."""
    model = tmp_path / "marked"
    shutil.copytree(TINY, model)
    template = (
        "{%- for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}"
        "{%- if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
        "{%- else %}{{ m['content'] + '<|im_end|>' }}{%- endif %}{{ '\\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}"
    )
    (model / "chat_template.jinja").write_text(template, encoding="utf-8")
    plain = [("train", row(0, messages=TURNS)), ("train", row(2, messages=BARE)), *rows(40, valid=8, test=8)[3:]]
    found = trained("trl", tmp_path, model=model, layout="conversational", rows=plain)
    assert [answer.split("<|im_end|>")[:-1] for _, answer in found["seen"]][:3] == [
        ["The warden.", "1337."],
        ["The warden does."],
        ["Port 1340."],
    ]
    assert all(math.isfinite(loss) and loss > 0 for loss in found["losses"])


def test_axolotl_reads(tmp_path: Path):
    """Its schema knows every key of the configuration; answers and their ends are learnt, every one."""
    found = trained("axolotl", tmp_path)
    assert found["unknown"] == []
    assert [answer.split("<|im_end|>")[:-1] for _, answer in found["seen"]][:4] == [
        ["The warden.", "1337."],
        ["1337.", "The warden."],
        ["The warden does."],
        ["Port 1340."],
    ]


def test_llamafactory_reads(tmp_path: Path):
    """It leaves no row out, and adds no prompt of its own to a row that has none."""
    found = trained("llamafactory", tmp_path, template="qwen")
    assert learnt(found) == SEPARATE
    assert [text.startswith("<|im_start|>user") for text, _ in found["seen"]] == [False] * 4 + [True, False]
