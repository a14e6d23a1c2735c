"""OpenAI's encodings, counted by the fastest that is at hand. Owns tiktoken and bpe_openai."""

import hashlib
import os
import re
from binascii import a2b_base64
from collections.abc import Mapping
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType

from promptforge.tokens.base import LINES_KEPT, Counter, TokenizerError

__all__ = ["VOCABULARIES", "load_counter"]

VOCABULARIES = {name: name for name in ("o200k_base", "cl100k_base", "p50k_base", "r50k_base")}
VOCABULARIES |= {"o200k_harmony": "o200k_base", "p50k_edit": "p50k_base", "gpt2": "r50k_base"}
"""Encodings by the vocabulary and pattern that they count ordinary text with; they differ in special tokens alone,
and a text that looks like a special token is ordinary text here, as OpenAI's servers treat it."""
_CARRIED = ("o200k_base", "cl100k_base")


def load_counter(encoding: str, environ: Mapping[str, str] = os.environ) -> Counter:
    """What counts a text in one of tiktoken's encodings: the fastest at hand; all give the same (a test says so).

    Raises TokenizerError where its vocabulary is not on this machine, and KeyError where there is no such encoding.
    """
    vocabulary = VOCABULARIES[encoding]
    if vocabulary in _CARRIED:
        return _bpe_openai(vocabulary) or _tiktoken(vocabulary, environ)
    return _tiktoken(vocabulary, environ)


def _bpe_openai(vocabulary: str) -> Counter | None:
    """The compiled module of bpe-openai, without the package around it.

    The package would unpack its vocabularies into dictionaries (0.7 s, 60 MB) and refuse more than 200,000 tokens; the
    compiled module holds them in itself (0.03 to 0.09 s) and has no limit.
    """
    try:
        counter: Counter = _module("bpe_openai", "_bindings").tokenizer_for_encoding(vocabulary).count
    except (ImportError, AttributeError, ValueError):
        return None  # another version has it otherwise; tiktoken itself is slower, and surer
    run = lru_cache(LINES_KEPT)(counter)
    return lambda text: sum(map(run, _RUNS.findall(text)))


_RUNS = re.compile(r"[^\n]*+(?:\n++(?![!-.0-~])[^\n]*+)*+\n*")
"""Lines whose tokens add up: in these two vocabularies no piece of the pattern goes on after a line's end but with
more white space or a slash, and what comes before does not look ahead further. Agents share most of their lines."""


def _tiktoken(vocabulary: str, environ: Mapping[str, str]) -> Counter:
    """Tiktoken itself, its download replaced by what lies on this machine.

    Its constructors hold the pattern, the special tokens and the vocabulary's digest, but fetch the vocabulary. They
    run in a private copy of their module, where the name of the fetching function is ours: nothing shared is patched.
    """
    import tiktoken

    public = _module("tiktoken_ext", "openai_public")
    vars(public)["load_tiktoken_bpe"] = lambda url, expected_hash: _ranks(url, expected_hash, environ)
    encoding = tiktoken.Encoding(**getattr(public, vocabulary)())
    return lambda text: len(encoding.encode_ordinary(text))


def _module(package: str, name: str) -> ModuleType:
    """A module of a package by itself: the package is not imported, and the module is not shared (unless compiled)."""
    parent = find_spec(package)
    spec = PathFinder.find_spec(f"{package}.{name}", parent.submodule_search_locations if parent else [])
    if spec is None or spec.loader is None:
        raise ImportError(f"no module {package}.{name}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ranks(url: str, sha256: str, environ: Mapping[str, str]) -> dict[bytes, int]:
    """A vocabulary from the wheel of bpe-openai, or from tiktoken's own cache, if its digest is right."""
    import gzip  # only tiktoken itself needs them
    import tempfile

    folder = environ.get("TIKTOKEN_CACHE_DIR") or environ.get("DATA_GYM_CACHE_DIR")
    cached = Path(folder or Path(tempfile.gettempdir()) / "data-gym-cache") / hashlib.sha1(url.encode()).hexdigest()
    file = url.rpartition("/")[2]
    package = find_spec("bpe_openai")
    wheels = (package.submodule_search_locations if package else None) or []
    for path in (*(Path(wheel) / "data" / f"{file}.gz" for wheel in wheels), cached):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        if hashlib.sha256(content).hexdigest() == sha256:
            fields = content.split()
            return dict(zip(map(a2b_base64, fields[::2]), map(int, fields[1::2]), strict=True))
    hint = f"fetch it once: curl -o {cached} {url}"
    raise TokenizerError(
        f"the vocabulary {file} is neither in bpe-openai nor, whole, at {cached}", hint=hint, absent=True
    )
