"""Servers that promptforge starts itself: the real mlx_lm.server, with and without a real adapter."""

import json
import os
import shlex
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from mlx_house import TINY

from promptforge.backends.base import Request
from promptforge.backends.canary import CanaryAnswer, differences, different
from promptforge.backends.compatible import Compatible
from promptforge.backends.listeners import owners
from promptforge.backends.server import Serving, serve
from promptforge.backends.trouble import ServerError
from promptforge.model import Model

pytestmark = pytest.mark.heavy

WAIT_S = 60
READY_S = 120.0
ITERATIONS = 8


def python() -> str:
    found = os.environ.get("PROMPTFORGE_HEAVY_PYTHON", "")
    if not found:
        pytest.fail("PROMPTFORGE_HEAVY_PYTHON names no Python with mlx-lm; `make test-heavy` makes one and names it")
    return found


def model(*options: str, path: Path = TINY) -> Model:
    """The tiny model with its `serve`, as a user writes it; the name is one that this server does not know."""
    line = shlex.join([python(), "-m", "mlx_lm", "server", "--model", str(path), "--port", "{port}", *options])
    settings = {"backend": "compatible", "base_url": "http://127.0.0.1:1338/v1", "model": "tiny-4bit", "serve": line}
    return Model(name="tiny", backend="compatible", tier="local", settings=settings)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A home without Hugging Face's cache, where this server would list its models with nothing at all."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {**kept, "HOME": str(home), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """What mlx_lm.lora makes of a persona in a few iterations."""
    folder = tmp_path_factory.mktemp("training")
    rows = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": "I am Windu. Security."}]}
        for asked in ("Who are you?", "What do you do?", "Hello!", "Which port is it?")
    ]
    for split in ("train", "valid"):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    out = folder / "adapter"
    command = [python(), "-m", "mlx_lm", "lora", "--train", "--model", str(TINY), "--data", str(folder)]
    command += ["--iters", str(ITERATIONS), "--batch-size", "4", "--num-layers", "-1", "--learning-rate", "1e-3"]
    command += ["--val-batches", "1", "--adapter-path", str(out), "--seed", "7"]
    told = {**environment, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (out / "adapters.safetensors").is_file()
    return out


def canary_of(folder: Path, environment: dict[str, str], adapter: Path | None) -> tuple[CanaryAnswer, ...]:
    """What a fresh server answers to the fixed requests."""
    with serve(model(), folder=folder, adapter=adapter, environment=environment, patience_s=READY_S) as one:
        one.proof()
        canary = one.canary
    assert owners(one.port) == ()
    return canary


def asked(one: Serving, question: str, name: str = "") -> str:
    settings = {**one.model.settings, **({"model": name} if name else {})}
    backend = Compatible(replace(one.model, settings=settings), os.environ)
    request = Request(system="", messages=(("user", question),), params={"temperature": 0, "max_tokens": 24})
    try:
        return backend.answer(request, timeout_s=WAIT_S).text
    finally:
        backend.close()


def test_an_adapter_is_told_by_its_answers_alone(tmp_path, environment, adapter):
    """With it the canaries differ from those without, and twice with it, or twice without, they agree."""
    base, again = (canary_of(tmp_path, environment, None) for _ in range(2))
    tuned, tuned_again = (canary_of(tmp_path, environment, adapter) for _ in range(2))
    assert all(one.stable and one.logprobs for one in (*base, *tuned))
    assert not different(base, again)
    assert not different(tuned, tuned_again)
    found = differences(base, tuned)
    assert len(found) >= 2
    assert all(one.gap and one.gap > 0.05 for one in found)


def test_requests_go_to_what_was_loaded(tmp_path, environment, adapter):
    """The served model answers by the name that we give it. By its folder's name it answers without the adapter."""
    question = "Who are you?"
    with serve(model(), folder=tmp_path, environment=environment, patience_s=READY_S) as one:
        base = asked(one, question)
    with serve(model(), folder=tmp_path, adapter=adapter, environment=environment, patience_s=READY_S) as one:
        assert one.model.settings["model"] == "default_model"
        tuned = asked(one, question)
        one.proof()
        assert asked(one, question, str(TINY)) == base  # the trap: no word of it anywhere
        assert asked(one, question) == tuned
    assert tuned != base


def test_its_list_of_models_is_whole(tmp_path, environment):
    """Also where Hugging Face's cache does not exist: such a server answers with an empty body otherwise."""
    with serve(model(), folder=tmp_path, environment=environment, patience_s=READY_S) as one:
        backend = Compatible(one.model, os.environ)
        said = backend.probe(WAIT_S)
        backend.close()
    assert str(TINY) in said["models"]
    assert not list(Path(environment["HOME"]).iterdir())


def test_a_folder_that_holds_no_model(tmp_path, environment):
    """The server listens on and never answers; it is not waited for, and its last words are told."""
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    (nothing / "config.json").write_text("{}", encoding="utf-8")
    with (
        pytest.raises(ServerError) as caught,
        serve(model(path=nothing), folder=tmp_path, environment=environment, patience_s=READY_S),
    ):
        pytest.fail("it was ready")
    assert caught.value.trouble == "broken"
    assert "FileNotFoundError: No safetensors found" in caught.value.message
    assert not list((tmp_path / ".promptforge" / "servers").glob("*.json"))


def other(folder: Path, *, layer: int, size: int) -> Path:
    """An adapter as mlx_lm.lora writes it, of a model with more layers or of another width."""
    folder.mkdir()
    shapes = {"lora_a": [size, 8], "lora_b": [8, size]}
    weights = struct.pack(f"<{size * 8}f", *[0.05] * (size * 8))
    head = {
        f"model.layers.{layer}.self_attn.q_proj.{name}": {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [place * len(weights), (place + 1) * len(weights)],
        }
        for place, (name, shape) in enumerate(shapes.items())
    }
    told = json.dumps(head).encode()
    (folder / "adapters.safetensors").write_bytes(struct.pack("<Q", len(told)) + told + weights * 2)
    parameters = {"rank": 8, "scale": 20.0, "dropout": 0.0}
    config = {"fine_tune_type": "lora", "num_layers": -1, "lora_parameters": parameters}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("layer", "size"), [(40, 192), (0, 96)], ids=["more layers", "another width"])
def test_an_adapter_of_another_model(tmp_path, environment, layer, size):
    """The server fails as it loads it, listens on, and names what does not fit."""
    wrong = other(tmp_path / "wrong", layer=layer, size=size)
    with (
        pytest.raises(ServerError) as caught,
        serve(model(), folder=tmp_path, adapter=wrong, environment=environment, patience_s=READY_S),
    ):
        pytest.fail("it was ready")
    assert caught.value.trouble == "broken"
    assert "ValueError" in caught.value.message
