"""The name of a tokenizer -> the tokenizer."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from promptforge.estimate import MARGIN, estimate
from promptforge.source import did_you_mean
from promptforge.tokens.base import Counter, Plain, RenderChat, Tokenizer, TokenizerError
from promptforge.tokens.encodings import VOCABULARIES, load_counter

__all__ = ["load_tokenizer"]


def load_tokenizer(
    spec: str,
    *,
    root: Path,
    render_chat: RenderChat | None = None,
    environ: Mapping[str, str] = os.environ,
    counters: Mapping[str, Counter] = MappingProxyType({}),
) -> Tokenizer:
    """The tokenizer that `spec` names: `hf:PATH`, `hf:REPO`, `tiktoken:ENCODING` or `estimate`.

    A path is relative to `root`; it is a tokenizer.json or a folder with one. A repository is looked up in the local
    Hugging Face cache. Without `render_chat` a chat template is not used, and the counts of chats are not exact.
    `counters` are those of tiktoken's encodings that are loaded already, as `load_counter` gives them.
    Raises TokenizerError.
    """
    kind, _, target = spec.partition(":")
    if spec == "estimate":
        return Plain(name=spec, counter=estimate, margin=MARGIN)
    if kind == "tiktoken" and target in VOCABULARIES:
        counter = counters.get(target) or load_counter(target, environ)
        return Plain(name=spec, counter=counter, message_tokens=3, reply_tokens=3)
    if kind == "tiktoken":
        raise TokenizerError(f"tiktoken has no encoding '{target}'", hint=did_you_mean(target, VOCABULARIES))
    if kind == "hf" and target:
        from promptforge.tokens.huggingface import load_hugging_face

        return load_hugging_face(target, root, render_chat, environ)
    hint = did_you_mean(kind + ":" * (":" in spec), ("hf:", "tiktoken:", "estimate"))
    raise TokenizerError(f"no tokenizer is called '{spec}'", hint=hint)
