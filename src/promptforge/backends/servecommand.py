"""From a model's `serve` to the command that is run: the port, the adapter, and what each kind of server needs.

No shell reads it. `{port}` and `{adapter}` are filled in word by word, so paths may hold blanks. Words in brackets that
name `{adapter}` (`[--adapter-path {adapter}]`) are left out where there is no adapter, and stand without the brackets
where there is one.
"""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptforge.backends.trouble import trouble
from promptforge.errors import InputError
from promptforge.model import Model

__all__ = ["ADAPTER_NAME", "KINDS", "Command", "Kind", "command_of", "shown"]

ADAPTER_NAME = "promptforge-adapter"
"""How a request names the adapter where the server wants a name for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of server."""

    name: str
    is_one: Callable[[Sequence[str]], bool]
    """Whether a command starts one."""
    own: tuple[str, ...] = ()
    """Options by which a command has an adapter of its own."""
    add: tuple[str, ...] = ()
    """The words that make it serve an adapter, with {adapter} in them; none where we do not know them."""
    takes: Callable[[Path], Path] = lambda adapter: adapter
    """What stands for {adapter}: the folder, or a file in it. Raises InputError where it is of another kind."""
    asked_for: str = ""
    """The only model name that surely leads to what was loaded, where there is one."""
    hugging: bool = False
    """Whether it reads models by Hugging Face's library, which looks for a cache and a network."""
    extra: tuple[tuple[str, str], ...] = ()
    """Options that are added where the command does not have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the command itself sets (`NAME=VALUE` before its first word)."""
    kind: str = ""
    model: str = ""
    """The name that requests must ask for."""
    hugging: bool = False

    @property
    def program(self) -> str:
        """The first word."""
        return self.words[0]


def command_of(model: Model, *, port: int, adapter: Path | None, root: Path, environ: Mapping[str, str]) -> Command:
    """The command of a model, on a port, with or without an adapter. Raises InputError where it cannot be made."""
    words, settings = _words(model)
    kind = next((kind for kind in KINDS if kind.is_one(words)), OTHER)
    _refuse(model, kind, words)
    written = any("{adapter}" in word for word in words)
    words = _without_brackets(words, keep=adapter is not None)
    name = kind.asked_for or str(model.settings.get("model", ""))
    if adapter is not None:
        adapter = kind.takes(_there(adapter, root))
        words += [] if written else _added(model, kind)
        name = _adapter_name(kind, words) or name
        words += _room(kind, words, adapter)
    elif any("{adapter}" in word for word in words):
        raise _wrong(model, "needs an adapter, and there is none", "write it in brackets: [--adapter-path {adapter}]")
    for option, value in kind.extra:
        if not _has(words, (option,)):
            words += [option, value]
    filled = [word.replace("{adapter}", str(adapter)).replace("{port}", str(port)) for word in words]
    settings = {name: value.replace("{port}", str(port)) for name, value in settings.items()}
    if (home := environ.get("HOME")) is not None:
        filled = [f"{home}{word[1:]}" if word.startswith("~/") else word for word in filled]
    filled[0] = _program(model, filled[0], root, {**environ, **settings})
    return Command(words=tuple(filled), environment=settings, kind=kind.name, model=name, hugging=kind.hugging)


def shown(words: Sequence[str]) -> str:
    """A command as it may be shown and kept: a key on the command line is left out.

    >>> shown(["vllm", "serve", "models/coder 14b", "--api-key", "abc", "--hf-token=def"])
    "vllm serve 'models/coder 14b' --api-key … --hf-token=…"
    """
    told, hidden = [], False
    for word in words:
        secret = re.fullmatch(r"(--?[\w-]*(?:key|token|password|secret))(=.*)?", word, re.DOTALL)
        if hidden and not word.startswith("-"):
            told.append("…")
        elif secret and secret[2]:
            told.append(f"{secret[1]}=…")
        else:
            told.append(shlex.quote(word))
        hidden = secret is not None and not secret[2]
    return " ".join(told)


# --- the words --------------------------------------------------------------------------------------------------------

_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_SHELL = {"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>"}


def _words(model: Model) -> tuple[list[str], dict[str, str]]:
    """The words as written, and the variables that stand before them."""
    line = str(model.settings.get("serve", ""))
    if not line.strip():
        hint = "write `serve: mlx_lm.server --model PATH --port {port}`, with the command that starts it"
        raise InputError(f"promptforge.yaml does not say how the model '{model.name}' is started", hint=hint)
    try:
        words = shlex.split(line)
    except ValueError as problem:
        raise _wrong(model, f"cannot be read: {str(problem).lower()}", "close the quotation mark") from problem
    if shell := next((word for word in words if word in _SHELL), ""):
        raise _wrong(model, f"has '{shell}', which only a shell understands", "write a script, and name it here")
    settings: dict[str, str] = {}
    while words and _SETTING.fullmatch(words[0]):
        name, _, settings[name] = words.pop(0).partition("=")
    if not words:
        raise _wrong(model, "names no program", "write the command that starts the server")
    if not any("{port}" in word for word in words) and "{port}" not in "".join(settings.values()):
        raise _wrong(model, "has no {port}", "write {port} where it takes its port: each server gets a free one")
    return words, settings


def _refuse(model: Model, kind: Kind, words: Sequence[str]) -> None:
    """What would make two arms alike: an adapter that is always there, or never."""
    if kind.asked_for and not _has(words, ("--model",)):
        message = "has no --model, so it would load what each request names, and never an adapter"
        raise _wrong(model, message, "write --model PATH")
    if any(word.strip("[]") == "--lora-init-without-apply" for word in words):
        message = "has --lora-init-without-apply, and the adapter would be applied all the same"
        raise _wrong(model, message, "leave it out: each server is started with its adapter or without one")
    fixed = (word for word in words if _has([word], kind.own))
    for option in fixed:
        at = words.index(option)
        if "{adapter}" not in " ".join(words[at : at + 3]):
            message = f"has an adapter of its own ({option.partition('=')[0]}), which would be in every arm"
            raise _wrong(model, message, "leave it out: the adapter is added where one is served")


def _has(words: Sequence[str], options: Sequence[str]) -> bool:
    bare = [word.lstrip("[") for word in words]
    return any(word == option or word.startswith(f"{option}=") for word in bare for option in options)


def _without_brackets(words: Sequence[str], *, keep: bool) -> list[str]:
    """The words with `[… {adapter} …]` opened, or left out; other brackets stay as they are."""
    kept: list[str] = []
    at = 0
    while at < len(words):
        closing = next((i for i in range(at, len(words)) if words[i].endswith("]")), None)
        if words[at].startswith("[") and closing is not None:
            inside = list(words[at : closing + 1])
            if "{adapter}" in " ".join(inside):
                inside[0], inside[-1] = inside[0][1:], inside[-1] if len(inside) > 1 else inside[0][1:]
                inside[-1] = inside[-1][:-1]
                kept += [word for word in inside if word] if keep else []
                at = closing + 1
                continue
        kept.append(words[at])
        at += 1
    return kept


def _program(model: Model, word: str, root: Path, environ: Mapping[str, str]) -> str:
    """Where the program is: a path with a slash is one from the project's folder."""
    place = str(root / word) if "/" in word else word
    found = shutil.which(place, path=environ.get("PATH", ""))
    if found is None:
        raise trouble("no_program", name=model.name, program=word)
    return str(Path(found).absolute())


def _wrong(model: Model, what: str, hint: str) -> InputError:
    return InputError(f"`serve` of the model '{model.name}' {what}", hint=hint)


# --- the adapter ------------------------------------------------------------------------------------------------------


def _there(adapter: Path, root: Path) -> Path:
    """The adapter's whole path: a server may change its folder."""
    place = (root / adapter).absolute()
    if not place.exists():
        raise InputError(f"there is no adapter at {adapter}", hint="train one, or name the folder that holds it")
    return place


def _added(model: Model, kind: Kind) -> list[str]:
    if not kind.add:
        hint = "write {adapter} in `serve` where the command takes it, in brackets: [--adapter {adapter}]"
        raise InputError(f"how the server of '{model.name}' takes an adapter is not known", hint=hint)
    return list(kind.add)


def _adapter_name(kind: Kind, words: Sequence[str]) -> str:
    """What requests call the adapter, where the server has names for them: `NAME={adapter}`."""
    if kind.name != "vllm":
        return ""
    bare = (word.removeprefix("--lora-modules=") for word in words)
    return next((word.partition("=")[0] for word in bare if re.fullmatch(r"[^-={][^=]*=\{adapter\}", word)), "")


def _mlx_folder(adapter: Path) -> Path:
    return _folder(adapter, "adapters.safetensors", "mlx_lm.lora")


def _peft_folder(adapter: Path) -> Path:
    return _folder(adapter, "adapter_model.safetensors", "peft")


def _folder(adapter: Path, weights: str, trainer: str) -> Path:
    if not (adapter / weights).is_file():
        hint = f"the folder that {trainer} wrote has it; an adapter of another kind must be converted first"
        raise InputError(f"the adapter {adapter} has no {weights}, so this server cannot read it", hint=hint)
    return adapter


def _gguf(adapter: Path) -> Path:
    """The one GGUF file that an adapter is, or that its folder holds."""
    files = [adapter] if adapter.is_file() else sorted(adapter.glob("*.gguf"))
    if len(files) != 1 or files[0].suffix != ".gguf":
        hint = "llama.cpp's convert_lora_to_gguf.py makes one of a folder that peft wrote"
        raise InputError(f"the adapter {adapter} must be one GGUF file, or a folder with one", hint=hint)
    return files[0]


_RANKS = (16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes for --max-lora-rank, from its default on."""


def _room(kind: Kind, words: Sequence[str], adapter: Path) -> list[str]:
    """Room for the adapter's rank: vLLM refuses one that is larger than it was told to expect."""
    if kind.name != "vllm" or _has(words, ("--max-lora-rank",)):
        return []
    try:
        rank = int(json.loads((adapter / "adapter_config.json").read_bytes())["r"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        hint = "an adapter folder that peft wrote has it beside its weights"
        raise InputError(f"the rank of {adapter} cannot be read from its adapter_config.json", hint=hint) from problem
    room = next((size for size in _RANKS if size >= rank), rank)
    return [] if room == _RANKS[0] else ["--max-lora-rank", str(room)]


# --- the kinds --------------------------------------------------------------------------------------------------------


def _called(*names: str) -> Callable[[Sequence[str]], bool]:
    """Whether a command has one of these among its words, by its last part; several words must follow each other."""
    wanted = [name.split() for name in names]

    def is_one(words: Sequence[str]) -> bool:
        bare = [re.sub(r"\.(exe|py)$", "", word.rpartition("/")[2]) for word in words]
        starts = range(len(bare))
        return any(bare[at : at + len(name)] == name for name in wanted for at in starts)

    return is_one


KINDS: tuple[Kind, ...] = (
    Kind(
        name="mlx_lm",
        is_one=_called("mlx_lm.server", "mlx_lm server"),
        own=("--adapter-path",),
        add=("--adapter-path", "{adapter}"),
        takes=_mlx_folder,
        # Any other name, that of the served folder included, makes it load the model anew, without the adapter.
        asked_for="default_model",
        hugging=True,
    ),
    Kind(
        name="llama-server",
        is_one=_called("llama-server"),
        own=("--lora", "--lora-scaled"),
        add=("--lora", "{adapter}"),
        takes=_gguf,
    ),
    Kind(
        name="llama_cpp",
        is_one=_called("llama_cpp.server"),
        own=("--lora_path",),
        add=("--lora_path", "{adapter}"),
        takes=_gguf,
    ),
    Kind(
        name="vllm",
        is_one=_called("vllm serve", "vllm.entrypoints.openai.api_server"),
        own=("--lora-modules",),
        add=("--enable-lora", "--lora-modules", f"{ADAPTER_NAME}={{adapter}}"),
        takes=_peft_folder,
        hugging=True,
        extra=(("--host", "127.0.0.1"),),  # by itself it listens to the whole network
    ),
    Kind(name="transformers", is_one=_called("transformers serve", "transformers-cli serve"), hugging=True),
)
"""The servers that we know; of another one the adapter's place must be written."""
OTHER = Kind(name="other", is_one=lambda words: True)
