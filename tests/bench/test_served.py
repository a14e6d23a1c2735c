"""Which names of models mean the same, and which do not."""

import pytest

from promptforge.bench.served import is_other_model

SAME = [
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4", "gpt-4-0613"),
    ("gpt-3.5-turbo", "gpt-35-turbo"),
    ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    ("claude-sonnet-4-0", "claude-sonnet-4-20250514"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    ("claude-3-5-sonnet@20241022", "claude-3-5-sonnet-20241022"),
    ("gemini-1.5-pro", "gemini-1.5-pro-002"),
    ("llama3.2", "llama3.2:latest"),
    ("Qwen/Qwen3-8B", "qwen3-8b"),
    ("qwen3-8b", "/models/Qwen3-8B-Q4_K_M-00001-of-00002.gguf"),
    ("qwen3-8b", "C:\\models\\qwen3-8b-mxfp4.gguf"),
    ("Qwen3-8B-GGUF:Q4_K_M", "Qwen3-8B-Q4_K_M.gguf"),
    ("Qwen3-8B", "Qwen3-8B-FP8"),
    ("Qwen3-8B", "Qwen3-8B-NVFP4"),
    ("Qwen3-8B", "Qwen3-8B-GPTQ-Int4"),
    ("Qwen3-8B", "unsloth/Qwen3-8B-bnb-4bit"),
    ("Qwen3-8B", "mlx-community/Qwen3-8B-4bit-DWQ"),
    ("Qwen/Qwen3-8B", "/root/.cache/models--Qwen--Qwen3-8B/snapshots/0123abcd"),
    ("/models/qwen/", "/models/qwen"),
    ("x/y:free", "x/y"),
    ("", "anything"),
    ("anything", ""),
]
OTHER = [
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o", "gpt-4o-mini-2024-07-18"),
    ("gpt-4", "gpt-4.1"),
    ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
    ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20241022"),
    ("claude-opus-4", "claude-opus-4-1"),
    ("qwen3-8b", "qwen3-80b"),
    ("qwen3-8b-4bit", "qwen3-8b-8bit"),
    ("qwen3-8b-q4_k_m", "qwen3-8b-q8_0.gguf"),
    ("Qwen3-4B-Instruct", "Qwen3-4B-Instruct-2507"),
    ("llama-3.1-8b", "llama-3.2-8b"),
    ("coder", "base"),
]


@pytest.mark.parametrize(("asked", "answered"), SAME)
def test_other_spellings_are_the_same_model(asked, answered):
    """In both directions."""
    assert not is_other_model(asked, answered)
    assert not is_other_model(answered, asked)


@pytest.mark.parametrize(("asked", "answered"), OTHER)
def test_other_models_are_others(asked, answered):
    """In both directions."""
    assert is_other_model(asked, answered)
    assert is_other_model(answered, asked)
