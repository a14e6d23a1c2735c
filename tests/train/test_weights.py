"""Which weights a model is trained from, and what tells them from others."""

import os
from pathlib import Path
from typing import Any

import pytest

from promptforge.errors import InputError
from promptforge.model import Model
from promptforge.workbench import weights as module
from promptforge.workbench.weights import files_served, find_weights, weights_named
from train.lab_training import weights


def model(**settings: Any) -> Model:
    """An entry of promptforge.yaml."""
    return Model(name="coder", backend="compatible", tier="local", settings={"model": "Coder-14B-4bit", **settings})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "Coder-14B-4bit"),
        ({"weights": "w", "serve": "mlx_lm.server --model models/coder --port {port}"}, "w"),
        ({"serve": "mlx_lm.server --model models/coder --port {port}"}, "models/coder"),
        ({"serve": "python -m mlx_lm server --model='my models/coder' --port {port}"}, "my models/coder"),
        ({"serve": "vllm serve org/coder --port {port}"}, "org/coder"),
        ({"serve": "llama-server -m coder.gguf --port {port}"}, "Coder-14B-4bit"),
        ({"serve": "python -m llama_cpp.server --model coder.gguf --port {port}"}, "Coder-14B-4bit"),
        ({"serve": "transformers serve --port {port}"}, "Coder-14B-4bit"),
        ({"serve": "serve 'unclosed"}, "Coder-14B-4bit"),
    ],
)
def test_weights_are_named_by_what_serves_them(settings: dict[str, Any], named: str):
    """Own word first, then what the server loads, then the model's name; llama.cpp's files are not trained."""
    assert weights_named(model(**settings)) == named


def test_a_repository_is_found_in_the_cache(tmp_path: Path):
    """Where Hugging Face keeps it; nothing is fetched."""
    commit = tmp_path / "hub" / "models--org--coder" / "snapshots" / "abc"
    weights(commit)
    (commit.parents[1] / "refs").mkdir()
    (commit.parents[1] / "refs" / "main").write_text("abc")
    environ = {"HF_HOME": str(tmp_path)}
    assert find_weights(model(weights="org/coder"), root=tmp_path / "house", environ=environ).folder == commit
    with pytest.raises(InputError, match="and for a repository of that name in the cache") as caught:
        find_weights(model(weights="org/other"), root=tmp_path, environ=environ)
    assert "hf download org/other" in caught.value.hint


def test_other_weights_have_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where a file is too large to be read whole; but a copy, whose files have another time, is the same."""
    folder = weights(tmp_path / "m")

    def digest() -> str:
        return find_weights(model(weights="m"), root=tmp_path, environ={}).digest

    before = digest()
    (folder / "notes.txt").write_text("nobody reads this")
    assert digest() == before
    (folder / "tokenizer.json").write_text("{}")
    assert digest() != before
    monkeypatch.setattr(module, "_WHOLE", 1)
    module._read.cache_clear()
    large = digest()
    os.utime(folder / "config.json", (1, 1))
    assert digest() == large
    (folder / "config.json").write_text("{}")
    assert digest() != large


def test_a_file_that_a_server_is_started_with_stands_for_its_weights(tmp_path: Path) -> None:
    """By its content; what names no file here says nothing."""
    (tmp_path / "coder.gguf").write_bytes(b"one")
    for serve in ("llama-server -m coder.gguf --port {port}", "server --model=coder.gguf --port {port}"):
        first = files_served(model(serve=serve), root=tmp_path)
        (tmp_path / "coder.gguf").write_bytes(b"two")
        second = files_served(model(serve=serve), root=tmp_path)
        (tmp_path / "coder.gguf").write_bytes(b"one")
        assert first != second
        assert files_served(model(serve=serve), root=tmp_path) == first
    for serve in ("", "server 'open", "server -m other.gguf --port {port}"):
        assert files_served(model(serve=serve), root=tmp_path) == ""
