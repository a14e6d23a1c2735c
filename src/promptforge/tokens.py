"""How many tokens a text or a chat costs: exactly where the tokenizer is known, else by an estimate.

No count ever needs the network. Owns tiktoken, bpe_openai and tokenizers; each loads when a
tokenizer that needs it is loaded. Whoever counts often keeps the tokenizer: loading one takes up to a second.
"""

import hashlib
import json
import os
import re
from binascii import a2b_base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Protocol

from promptforge.errors import PromptforgeError, install_command
from promptforge.estimate import MARGIN, estimate
from promptforge.source import did_you_mean

__all__ = [
    "Counter",
    "Message",
    "RenderChat",
    "Tokenizer",
    "TokenizerError",
    "cached_snapshots",
    "count_chat",
    "load_counter",
    "load_tokenizer",
]

Message = tuple[str, str]
"""Role and content."""
Counter = Callable[[str], int]
"""Tokens of a bare text."""
RenderChat = Callable[[str, list[dict[str, str]], dict[str, object]], str]
"""Renders (template, messages, variables) and raises ValueError where the template refuses: `text.render_chat`."""

_SPLICE_TOKENS = 4
"""What is added for each end of a placeholder; see `count_chat`."""
_LINES_KEPT = 1 << 16
"""Lines whose count is remembered, for tokenizers that count by lines."""


class TokenizerError(PromptforgeError):
    """A tokenizer that cannot be had: no such name, no such file, no such package."""

    def __init__(self, message: str, *, hint: str = "", absent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.absent = absent
        """Whether it only is not on this machine, so that an estimate may stand in for it."""


class Tokenizer(Protocol):
    """Counts tokens."""

    @property
    def name(self) -> str:
        """As it goes in the lock: `tiktoken:o200k_base`, `hf:` and 12 digits of tokenizer.json's sha256, `estimate`."""

    @property
    def exact(self) -> bool:
        """Whether the counts are the model's own."""

    @property
    def margin(self) -> str:
        """How far the counts may be off; empty when exact."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons why the model's server may count otherwise."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it was made from, and those that would have counted, had they been there."""

    def count(self, text: str) -> int:
        """Tokens of a bare text."""

    def chat(self, messages: Sequence[Message]) -> int:
        """Tokens of a whole chat: the contents, the template around them, and the opening of the reply."""


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
        return _Plain(name=spec, counter=estimate, margin=MARGIN)
    if kind == "tiktoken" and target in _VOCABULARIES:
        counter = counters.get(target) or load_counter(target, environ)
        return _Plain(name=spec, counter=counter, message_tokens=3, reply_tokens=3)
    if kind == "tiktoken":
        raise TokenizerError(f"tiktoken has no encoding '{target}'", hint=did_you_mean(target, _VOCABULARIES))
    if kind == "hf" and target:
        return _hugging_face(target, root, render_chat, environ)
    hint = did_you_mean(kind + ":" * (":" in spec), ("hf:", "tiktoken:", "estimate"))
    raise TokenizerError(f"no tokenizer is called '{spec}'", hint=hint)


def count_chat(tokenizer: Tokenizer, messages: Sequence[Message], runtime: Mapping[str, int]) -> int:
    """Tokens of a chat in which each literal `{{ name }}` of `runtime` is filled with at most that many tokens.

    A text with a placeholder is counted in pieces, each by itself, plus the most that the filling may have, plus 4
    tokens for each of its two ends. The ends need them: to o200k ` Pennsylvania` is one token, `dream` is one, and
    ` Pennsylvaniadream` seven. No bound can be proved (a filling may fall apart to its bytes), but of 10.8 million
    splices of words, tokens of the vocabulary and pieces of prompts, in three vocabularies, none cost more than its
    three parts and 7 tokens. For `estimate` 1 token an end is proved (see there).
    """
    total = tokenizer.chat(messages)
    if not runtime:
        return total
    placeholder = re.compile(r"\{\{ (" + "|".join(map(re.escape, runtime)) + r") \}\}")
    for _, content in messages:
        pieces = placeholder.split(content)  # text, name, text, name, …, text
        if names := pieces[1::2]:
            filled = sum(map(tokenizer.count, pieces[::2])) + sum(runtime[name] + 2 * _SPLICE_TOKENS for name in names)
            total += filled - tokenizer.count(content)
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plain:
    """Adds a fixed overhead to the contents of a chat.

    OpenAI's is 3 tokens and the role's for each message, and 3 that open the reply (OpenAI cookbook, "How to count
    tokens with tiktoken", github.com/openai/openai-cookbook). Of a model that we know nothing of we assume 4 and 5,
    no less than ChatML, Llama 3 and Gemma take.
    """

    name: str
    counter: Counter
    margin: str = ""
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    message_tokens: int = 4
    reply_tokens: int = 5

    @property
    def exact(self) -> bool:
        return not self.margin

    def count(self, text: str) -> int:
        return self.counter(_well_formed(text))

    def chat(self, messages: Sequence[Message]) -> int:
        contents = sum(self.count(role) + self.count(content) for role, content in messages)
        return contents + len(messages) * self.message_tokens + self.reply_tokens


def _well_formed(text: str) -> str:
    """The text with a `?` for each lone surrogate, which no tokenizer takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


# --- OpenAI's encodings ---------------------------------------------------------------------------------------------

_VOCABULARIES = {name: name for name in ("o200k_base", "cl100k_base", "p50k_base", "r50k_base")}
_VOCABULARIES |= {"o200k_harmony": "o200k_base", "p50k_edit": "p50k_base", "gpt2": "r50k_base"}
"""Encodings by the vocabulary and pattern that they count ordinary text with; they differ in special tokens alone,
and a text that looks like a special token is ordinary text here, as OpenAI's servers treat it."""
_CARRIED = ("o200k_base", "cl100k_base")


def load_counter(encoding: str, environ: Mapping[str, str] = os.environ) -> Counter:
    """What counts a text in one of tiktoken's encodings: the fastest at hand; all give the same (a test says so).

    Raises TokenizerError where its vocabulary is not on this machine, and KeyError where there is no such encoding.
    """
    vocabulary = _VOCABULARIES[encoding]
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
    run = lru_cache(_LINES_KEPT)(counter)
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


# --- Hugging Face ---------------------------------------------------------------------------------------------------

_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How transformers' Qwen2Tokenizer splits a text, whatever its tokenizer.json says."""
_LINEWISE = (_QWEN2, _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|"))
"""Patterns (Qwen's and Llama 3's) in which no piece goes on after a line's end with a character that is no space, and
none before it depends on what follows. GPT-2's looks ahead, and o200k's takes a slash after a line's end along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Templated(_Plain):
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


def _hugging_face(
    target: str, root: Path, render_chat: RenderChat | None, environ: Mapping[str, str]
) -> _Plain | _Templated:
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
        return _Plain(name=name, counter=counter, warnings=warnings, margin=margin, files=files)
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
    line = lru_cache(_LINES_KEPT)(whole)
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
