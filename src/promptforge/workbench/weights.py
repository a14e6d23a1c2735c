"""The weights that a model is trained from: how they are named, where they lie, and what tells them from others."""

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import file_digest
from itertools import pairwise
from pathlib import Path

from promptforge.errors import InputError
from promptforge.files import digest_of
from promptforge.model import Model
from promptforge.tokens.huggingface import cached_snapshots

__all__ = ["Weights", "files_served", "find_weights", "weights_digest", "weights_folder", "weights_named"]

_WHOLE = 1 << 30
"""A file of fewer bytes is hashed whole; of a larger one its size, and pieces from its start to its end."""
_PIECE, _PIECES = 1 << 20, 5
_KINDS = (".safetensors", ".bin", ".npz")
_BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
_OPTIONS = ("--model", "--model-path", "--model_name_or_path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights of a model on this machine."""

    model: str
    """As promptforge.yaml calls it."""
    named: str
    """As they are named: a folder, or a repository."""
    folder: Path
    digest: str
    """Of all its files: other weights, another digest."""
    files: Mapping[str, str] = field(default_factory=dict)
    """File to what tells it from another: its sha256, or size, time and the sha256 of its start."""


def weights_named(model: Model) -> str:
    """What a trainer of this model loads: its `weights`, what `serve` loads, or its name at the backend.

    >>> serve = "mlx_lm.server --model models/coder --port {port}"
    >>> weights_named(Model(name="m", backend="compatible", tier="local", settings={"model": "x", "serve": serve}))
    'models/coder'
    """
    settings = model.settings
    if named := settings.get("weights"):
        return str(named)
    return _served(str(settings.get("serve", ""))) or str(settings.get("model", model.name))


def _served(command: str) -> str:
    """The folder or repository that a server's command names; nothing where it names a file for llama.cpp."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    found = ""
    for word, following in pairwise([*words, ""]):
        option, _, value = word.partition("=")
        if option in _OPTIONS:
            found = value or following
        elif word == "serve" and following and not following.startswith(("-", "[")):  # vllm serve MODEL
            found = following
    return "" if found.endswith(".gguf") or found.startswith(("-", "{")) else found


def find_weights(model: Model, *, root: Path, environ: Mapping[str, str]) -> Weights:
    """The weights on this machine; a repository is looked for in the local cache, and nothing is fetched.

    Raises InputError where they are not here.
    """
    named = weights_named(model)
    if folder := weights_folder(model, root=root, environ=environ):
        files = dict(_files(folder))
        return Weights(model=model.name, named=named, folder=folder, digest=digest_of(json.dumps(files)), files=files)
    looked = f"looked for the folder '{named}' of the project"
    hint = f"write at the model '{model.name}' in promptforge.yaml: weights: FOLDER, with config.json and the weights"
    if _may_be_repository(named) and "/" in named:
        looked += ", and for a repository of that name in the cache"
        hint += f"; or, where that is a repository, fetch it: hf download {named}"
    raise InputError(f"the weights of the model '{model.name}' are not on this machine: {looked}", hint=hint)


def weights_folder(model: Model, *, root: Path, environ: Mapping[str, str]) -> Path | None:
    """Where the weights lie on this machine; none of them is read."""
    named = weights_named(model)
    places = [root / Path(named).expanduser()]
    if _may_be_repository(named):
        places += [path.parent for path in cached_snapshots(named, environ)]
    for folder in places:
        if (folder / "config.json").is_file() and any(path.suffix in _KINDS for path in folder.iterdir()):
            return folder
    return None


def _may_be_repository(named: str) -> bool:
    return named.count("/") <= 1 and not named.startswith((".", "/", "~"))


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file that decides what the model is, and what tells it from another. Raises InputError."""
    for path in sorted(folder.iterdir()):
        if path.suffix not in _KINDS and path.name not in _BESIDE:
            continue
        yield path.name, _told(path)


def _told(path: Path) -> str:
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise InputError(f"cannot read {path}: {reason}", hint="mend the model's folder") from problem


@cache
def _read(path: Path, size: int, changed_ns: int) -> str:
    """Kept, since one command may ask several times, and a gigabyte takes a second. Raises OSError."""
    with path.open("rb") as file:
        if size < _WHOLE:
            return file_digest(file, "sha256").hexdigest()
        pieces = []
        for number in range(_PIECES):
            file.seek(max(0, size - _PIECE) * number // (_PIECES - 1))
            pieces.append(file.read(_PIECE))
        return f"{size} bytes, {digest_of(b''.join(pieces))}"


def weights_digest(model: Model, *, root: Path, environ: Mapping[str, str]) -> str:
    """What tells the weights that a model has now from others: a folder's, or the files' that `serve` names.

    Empty where promptforge.yaml says neither `serve` nor `weights`, and where they are not on this machine: who knows
    what runs behind an address.
    """
    if not (model.settings.get("serve") or model.settings.get("weights")):
        return ""
    with suppress(InputError):
        return find_weights(model, root=root, environ=environ).digest
    with suppress(InputError):
        return files_served(model, root=root)
    return ""


def files_served(model: Model, *, root: Path) -> str:
    """The digest of the files that a model's server is started with (a GGUF file); empty where `serve` names none.

    It stands for weights that are no folder: with another file under the same name nothing is the same any more.
    Raises InputError where one cannot be read.
    """
    try:
        words = shlex.split(str(model.settings.get("serve", "")))
    except ValueError:
        return ""
    named = dict.fromkeys(word.rpartition("=")[2] for word in words)
    places = {word: root / Path(word).expanduser() for word in named if word}
    told = [(word, _told(place)) for word, place in places.items() if place.is_file()]
    return digest_of(json.dumps(told)) if told else ""
