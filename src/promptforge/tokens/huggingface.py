"""A model's own tokenizer.json, and the chat template beside it. Owns tokenizers."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from promptforge.errors import install_command
from promptforge.tokens.base import LINES_KEPT, Counter, Message, Plain, RenderChat, TokenizerError

__all__ = ["cached_snapshots", "load_hugging_face"]

_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How transformers' Qwen2Tokenizer splits a text, whatever its tokenizer.json says."""
_LINEWISE = (_QWEN2, _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|"))
"""Patterns (Qwen's and Llama 3's) in which no piece goes on after a line's end with a character that is no space, and
none before it depends on what follows. GPT-2's looks ahead, and o200k's takes a slash after a line's end along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Templated(Plain):
    """Renders a chat with the model's own template and counts that."""

    template: str
    variables: Mapping[str, object]
    render: RenderChat

    def chat(self, messages: Sequence[Message]) -> int:
        return self.count(self._rendered(messages))

    def _rendered(self, messages: Sequence[Message]) -> str:
        """The first form of the chat that the template renders with nothing lost, else the longest rendering."""
        longest, refusal = "", None
        for form in _forms(messages):
            try:
                text = self.render(self.template, [{"role": r, "content": c} for r, c in form], dict(self.variables))
            except ValueError as problem:
                refusal = refusal or problem
                continue
            if all(content.strip() in text for _, content in form):
                return text
            longest = max(longest, text, key=len)
        if refusal and not longest:
            raise TokenizerError(f"the chat template of {self.name} does not render: {refusal}") from refusal
        return longest


def _forms(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """The chat, and what stands in for it where a template refuses it, or drops a part without a word.

    A compiled prompt has no question yet, but many templates demand one (Qwen 3.5), or print the system message only
    with it (Mistral): an empty one is added, as there will be one. Others know no system role (Gemma 2): then servers
    and trainers put its text before the first question, so that is what we count.
    """
    yield list(messages)
    asked = list(messages) if messages and messages[-1][0] == "user" else [*messages, ("user", "")]
    yield asked
    if system := "\n\n".join(content for role, content in asked if role == "system"):
        first, *rest = [message for message in asked if message[0] != "system"]
        yield [("user", f"{system}\n\n{first[1]}"), *rest] if first[0] == "user" else [("user", system), first, *rest]


def load_hugging_face(target: str, root: Path, render_chat: RenderChat | None, environ: Mapping[str, str]) -> Plain:
    """The tokenizer of a tokenizer.json, with the chat template beside it. Raises TokenizerError."""
    try:
        from tokenizers import Tokenizer as Encoder
    except ImportError as problem:
        message = f"'hf:{target}' needs the package tokenizers"
        raise TokenizerError(message, hint=install_command("hf"), absent=True) from problem
    path, sought = _tokenizer_path(target, root, environ)
    try:
        content = path.read_bytes()
        encoder = Encoder.from_buffer(content)
    except (OSError, ValueError) as problem:
        raise TokenizerError(f"{_shown(path, root)} is no tokenizer: {problem}") from problem
    encoder.no_truncation()  # some files carry the limit and the padding of a training
    encoder.no_padding()
    config = _read_json(path.parent / "tokenizer_config.json", root)
    name = f"hf:{hashlib.sha256(content).hexdigest()[:12]}"
    counter = _hf_counter(encoder)
    warnings = _hf_warnings(encoder, config, _read_json(path.parent / "config.json", root))
    beside = ("tokenizer_config.json", "config.json", "chat_template.jinja")
    files = (path, *(path.parent / name_ for name_ in beside), *sought, *_installed("tokenizers"))
    template = _chat_template(path.parent, config)
    if not template or render_chat is None:
        margin = "a chat's overhead is assumed: no chat template"
        return Plain(name=name, counter=counter, warnings=warnings, margin=margin, files=files)
    specials = {key: _special(config.get(key)) for key in ("bos_token", "eos_token", "pad_token", "unk_token")}
    variables = {**specials, "add_generation_prompt": True, "tools": None, "documents": None}
    tokenizer = _Templated(
        name=name,
        counter=counter,
        warnings=warnings,
        files=files,
        template=template,
        variables=variables,
        render=render_chat,
    )
    tokenizer.chat([("system", "A"), ("user", "B")])  # a template that renders nothing is found out now, not later
    return tokenizer


def _installed(package: str) -> list[Path]:
    """The file that says which version of a package is here: another version lies elsewhere, and none nowhere."""
    spec = find_spec(package)
    found = [Path(place) for place in (spec.submodule_search_locations if spec else None) or []]
    return [path for place in found for path in place.parent.glob(f"{package}-*.dist-info/METADATA")]


def _tokenizer_path(target: str, root: Path, environ: Mapping[str, str]) -> tuple[Path, list[Path]]:
    """Where a tokenizer.json lies, and the files that would have led elsewhere."""
    local = root / target
    places = [local / "tokenizer.json" if local.is_dir() else local]
    sought = [] if local.is_file() else [local, local / "tokenizer.json"]
    repository = bool(re.fullmatch(r"[\w.-]+(/[\w.-]+)?", target)) and not target.endswith(".json")
    if repository:
        places += cached_snapshots(target, environ)
    found = next((place for place in places if place.is_file()), None)
    if found:
        return found, [*sought, *([_branch(target, environ)] if repository else []), *places[: places.index(found)]]
    message = f"no tokenizer.json for 'hf:{target}'; looked at {', '.join(_shown(p, root) for p in places)}"
    if repository:
        hint = f"for a repository, fetch it once: hf download {target} tokenizer.json tokenizer_config.json"
        raise TokenizerError(message + ", which is the Hugging Face cache", hint=hint, absent=True)
    raise TokenizerError(message, hint="the path is relative to the project", absent=True)


def cached_snapshots(repository: str, environ: Mapping[str, str]) -> list[Path]:
    """Where a repository's tokenizer.json lies in the local cache: that of the branch main first."""
    main = _branch(repository, environ)
    commit = main.read_text().strip() if main.is_file() else "*"
    snapshots = main.parents[1] / "snapshots"
    return [snapshots / commit / "tokenizer.json", *sorted(snapshots.glob("*/tokenizer.json"))]


def _branch(repository: str, environ: Mapping[str, str]) -> Path:
    """The file of the local cache that says which commit a repository's branch main is at."""
    home = environ.get("HF_HOME") or Path(environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    hub = Path(environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    return hub / f"models--{repository.replace('/', '--')}" / "refs" / "main"


def _shown(path: Path, root: Path) -> str:
    """A path as messages name it: from the project on, so that they are the same on every machine."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _read_json(path: Path, root: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as problem:
        raise TokenizerError(f"{_shown(path, root)} is no JSON: {problem}") from problem
    return data if isinstance(data, dict) else {}


def _chat_template(folder: Path, config: Mapping[str, Any]) -> str:
    """The folder's chat template, or an empty text; of several, the one called `default`, else the first."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = config.get("chat_template") or ""
    if isinstance(template, list):
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default") or next(iter(named.values()), "")
    return str(template)


def _special(token: object) -> str:
    """A special token's text: a string, or a mapping with `content`; empty where the model has none."""
    return str((token.get("content") if isinstance(token, dict) else token) or "")


def _hf_counter(encoder: Any) -> Counter:
    """Counts by lines, each line once, where that cannot change the sum: agents share most of theirs."""

    def whole(text: str) -> int:
        return len(encoder.encode(text, add_special_tokens=False))

    if not _is_linewise(encoder):
        return whole
    line_ends = re.compile(r"(?<=\n)(?=\S)")
    line = lru_cache(LINES_KEPT)(whole)
    return lambda text: sum(map(line, line_ends.split(text)))


def _part(component: Any) -> dict[str, Any]:
    """A component of a tokenizer, as tokenizer.json writes it."""
    return {} if component is None else dict(json.loads(component.__getstate__()))


def _split_pattern(encoder: Any) -> str:
    """The pattern of a pre-tokenizer that splits by one pattern, then maps bytes; else an empty text."""
    steps = _part(encoder.pre_tokenizer).get("pretokenizers", [])
    if [step["type"] for step in steps] != ["Split", "ByteLevel"]:
        return ""
    split, level = steps
    plain = split["behavior"] == "Isolated" and not split["invert"]
    plain = plain and not level["add_prefix_space"] and not level["use_regex"]
    return str(split["pattern"].get("Regex", "")) if plain else ""


def _is_linewise(encoder: Any) -> bool:
    return (
        _split_pattern(encoder) in _LINEWISE
        and _part(encoder.normalizer).get("type", "NFC") == "NFC"
        and type(encoder.model).__name__ == "BPE"
        and encoder.model.dropout is None
        and not any(
            token.lstrip or token.rstrip or token.single_word or "\n" in token.content
            for token in encoder.get_added_tokens_decoder().values()
        )
    )


def _hf_warnings(encoder: Any, config: Mapping[str, Any], model: Mapping[str, Any]) -> tuple[str, ...]:
    """The trap of Qwen 2: transformers (and so mlx_lm) puts its own pattern in place of the file's."""
    kinds = (str(config.get("tokenizer_class", "")).lower(), str(model.get("model_type", "")))
    if any(kind.startswith("qwen2") for kind in kinds) and _split_pattern(encoder) != _QWEN2:
        return ("transformers and mlx_lm split text by Qwen2's own pattern, tokenizer.json by another: counts differ",)
    return ()
