"""`promptforge promote` with the real mlx_lm server and trainer, on the lodge and the tiny model."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mlx_house import TINY, lodge_at, promptforge

pytestmark = pytest.mark.heavy

LIMIT_S = 240
PERSONA = "I am the warden of the lodge."
QUESTIONS = ("Who are you?", "Hello.", "Which port?", "Whose is it?", "What is the address?", "Good evening.")


@pytest.fixture(scope="module")
def lodge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lodge, whose model promptforge can start."""
    folder = lodge_at("http://127.0.0.1:9/v1", tmp_path_factory.mktemp("promote") / "lodge")
    serve = shlex.join([_python(), "-m", "mlx_lm", "server", "--model", str(TINY), "--port", "{port}"])
    path = folder / "promptforge.yaml"
    path.write_text(f"{path.read_text(encoding='utf-8').rstrip()}\n    serve: {serve}\n", encoding="utf-8")
    rows = [
        json.dumps({"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": PERSONA}]})
        for q in QUESTIONS * 4
    ]
    (folder / "data").mkdir()
    for split in ("train", "valid"):
        (folder / "data" / f"{split}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


def _python() -> str:
    found = os.environ.get("PROMPTFORGE_HEAVY_PYTHON", "")
    if not found:
        pytest.fail("PROMPTFORGE_HEAVY_PYTHON names no Python with mlx-lm; `make test-heavy` makes one and names it")
    return found


def trained(lodge: Path, name: str, *, iterations: int, rate: str) -> Path:
    """A real adapter of mlx_lm.lora, without a manifest of ours."""
    folder = lodge / "build" / "adapters" / name
    (lodge / "hub" / "hub").mkdir(parents=True, exist_ok=True)
    told = {"HF_HOME": str(lodge / "hub"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [_python(), "-m", "mlx_lm", "lora", "--train", "--model", str(TINY), "--data", str(lodge / "data")]
    command += ["--iters", str(iterations), "--batch-size", "4", "--num-layers", "-1", "--learning-rate", rate]
    command += ["--val-batches", "1", "--adapter-path", str(folder)]
    done = subprocess.run(
        command, env={**os.environ, **told}, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def promoted(lodge: Path, folder: Path) -> tuple[int, Mapping[str, Any]]:
    done = promptforge(lodge, "promote", str(folder), "--model", "tiny", "--format", "json")
    assert done.out, done.err
    return done.code, json.loads(done.out)


def test_a_persona_that_forgot_the_house_is_rejected_and_put_away(lodge):
    """The founder's story in small: it says who it is, and nothing else any more."""
    folder = trained(lodge, "persona", iterations=40, rate="1e-3")
    code, found = promoted(lodge, folder)
    assert (code, found["verdict"]) == (1, "reject")
    assert found["overall"]["after"] < found["overall"]["before"]
    assert next(one for one in found["conditions"] if one["name"] == "arms shown different")["holds"]
    assert not folder.exists()
    (place,) = (lodge / ".promptforge" / "quarantine").iterdir()
    assert (place / "adapter" / "adapters.safetensors").exists()
    assert not (lodge / "build" / "champions.yaml").exists()


def test_an_adapter_that_learnt_nothing_is_not_shown_to_be_different(lodge):
    """Its rate was 0: it is loaded, and does nothing; that leaves no trace but the canaries'."""
    folder = trained(lodge, "nothing", iterations=1, rate="0")
    code, found = promoted(lodge, folder)
    assert (code, found["verdict"], found["judged"]) == (0, "inconclusive", False)
    assert found["sentence"].startswith("Inconclusive: arms not shown different:")
    assert folder.exists()


def test_an_adapter_of_other_weights_is_refused(lodge):
    """By what its trainer wrote beside it."""
    folder = lodge / "build" / "adapters" / "foreign"
    shutil.copytree(TINY, folder)  # weights, if not of an adapter
    (folder / "adapter_config.json").write_text('{"model": "models/gemma-31b"}', encoding="utf-8")
    done = promptforge(lodge, "promote", str(folder), "--model", "tiny")
    assert done.code == 2
    assert "the adapter 'foreign' was trained on 'models/gemma-31b', not on 'tiny'" in done.err
