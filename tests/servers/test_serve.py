"""Servers that promptforge starts itself: llama-server with and without an adapter, and the others without one."""

import json
import os
import struct
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
from real_servers import CONTEXT, setting

from promptforge.backends.canary import CanaryAnswer, differences, different
from promptforge.backends.leftovers import sweep
from promptforge.backends.listeners import owners
from promptforge.backends.server import serve
from promptforge.backends.trouble import ServerError
from promptforge.model import Model

pytestmark = pytest.mark.servers

READY_S = 120.0


def model(serve_line: str, name: str = "tiny") -> Model:
    settings = {"backend": "compatible", "base_url": "http://127.0.0.1:1338/v1", "model": name, "serve": serve_line}
    return Model(name="tiny", backend="compatible", tier="local", settings=settings)


def llama_server(more: str = "") -> Model:
    line = f"'{setting('PROMPTFORGE_LLAMA_SERVER')}' -m '{setting('PROMPTFORGE_TINY_GGUF')}' --port {{port}}"
    return model(f"{line} -t 1 -c {CONTEXT} -np 1 --jinja --offline {more}")


def llama_cpp() -> Model:
    line = (
        f"'{setting('PROMPTFORGE_LLAMA_CPP_PYTHON')}' -m llama_cpp.server --model '{setting('PROMPTFORGE_TINY_GGUF')}'"
    )
    return model(f"{line} --n_ctx {CONTEXT} --n_threads 1 --port {{port}}")


def transformers() -> Model:
    folder = setting("PROMPTFORGE_TINY_MODEL")
    line = f"'{setting('PROMPTFORGE_TRANSFORMERS')}' serve '{folder}' --port {{port}} --device cpu"
    return model(line, folder)


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A home without anything in it."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {**kept, "HOME": str(home), "OMP_NUM_THREADS": "1"}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A LoRA of rank 4 on the first layer's queries and outputs, in GGUF: small numbers, the same each time."""
    config = json.loads((Path(setting("PROMPTFORGE_TINY_MODEL")) / "config.json").read_bytes())
    size, rank = config["hidden_size"], 4
    known = [("general.type", "adapter"), ("general.architecture", "qwen2"), ("adapter.type", "lora")]
    head = b"".join(text(name) + struct.pack("<I", 8) + text(value) for name, value in known)
    head += text("adapter.lora.alpha") + struct.pack("<If", 6, 16.0)
    tensors, data = b"", b""
    for part in ("attn_q", "attn_output"):
        for half, shape in (("lora_a", (size, rank)), ("lora_b", (rank, size))):
            tensors += text(f"blk.0.{part}.weight.{half}") + struct.pack("<IQQIQ", 2, *shape, 0, len(data))
            numbers = [((at * 37 + len(data)) % 101 - 50) / 250 for at in range(size * rank)]
            data += struct.pack(f"<{len(numbers)}f", *numbers)
    start = b"GGUF" + struct.pack("<IQQ", 3, 4, len(known) + 1) + head + tensors
    start += b"\0" * (-len(start) % 32)
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "lora.gguf").write_bytes(start + data)
    return tmp_path / "adapter"


def canary_of(served: Model, folder: Path, environment: Mapping[str, str], **more: object) -> tuple[CanaryAnswer, ...]:
    """What a fresh server answers to the fixed requests; nothing of it is left."""
    with serve(served, folder=folder, environment=environment, patience_s=READY_S, **more) as one:
        one.proof()
        (owner,) = owners(one.port)
        assert owner.pid
    assert owners(one.port) == ()
    assert sweep(folder) == ()
    return one.canary


def test_an_adapter_of_llama_server(tmp_path, environment, adapter):
    """With it the canaries differ, twice with it or without it they agree."""
    base, again = (canary_of(llama_server(), tmp_path, environment) for _ in range(2))
    tuned, tuned_again = (canary_of(llama_server(), tmp_path, environment, adapter=adapter) for _ in range(2))
    assert all(one.stable and one.logprobs for one in (*base, *tuned))
    assert not different(base, again)
    assert not different(tuned, tuned_again)
    assert len(differences(base, tuned)) >= 2


def test_a_scale_that_is_changed_afterwards(tmp_path, environment, adapter):
    """The trap that fresh servers avoid: at scale 0 the same server need not answer as one without an adapter does.

    Whatever it answers, the canaries of the start are those of the adapter, and say so.
    """
    base = canary_of(llama_server(), tmp_path, environment)
    with serve(llama_server(), folder=tmp_path, adapter=adapter, environment=environment, patience_s=READY_S) as one:
        root = one.base_url.removesuffix("/v1")
        with urllib.request.urlopen(f"{root}/lora-adapters", timeout=30) as said:
            assert json.load(said)[0]["scale"] == 1.0
        assert different(base, one.canary)


@pytest.mark.parametrize("kind", [llama_server, llama_cpp, transformers])
def test_each_server_is_started_and_ended(tmp_path, environment, kind):
    """Each says in its own way that it is ready; two fresh ones of the same weights agree."""
    began = time.monotonic()
    first, second = (canary_of(kind(), tmp_path, environment) for _ in range(2))
    assert time.monotonic() - began < 2 * READY_S
    assert not different(first, second)
    assert first[1].text


def test_a_file_that_is_no_model(tmp_path, environment):
    """llama-server ends; its last words are told."""
    (tmp_path / "none.gguf").write_bytes(b"GGUF and nothing else")
    served = model(f"'{setting('PROMPTFORGE_LLAMA_SERVER')}' -m none.gguf --port {{port}} --offline")
    with (
        pytest.raises(ServerError) as caught,
        serve(served, folder=tmp_path, environment=environment, patience_s=READY_S),
    ):
        pytest.fail("it was ready")
    assert caught.value.trouble == "died"
    assert "none.gguf" in caught.value.message
