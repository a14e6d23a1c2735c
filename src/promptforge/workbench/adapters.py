"""An adapter's folder: what it is, byte by byte, and whose model it was trained on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any

from promptforge.errors import InputError
from promptforge.files import TEMPORARY, digest_of
from promptforge.model import Model
from promptforge.workbench.weights import Weights

__all__ = [
    "ADAPTERS",
    "MANIFEST",
    "Adapter",
    "adapter_digest",
    "changed_weights",
    "check_base",
    "damaged_in",
    "latest_of",
    "made_of",
    "manifest_of",
    "read_adapter",
    "trained_at",
    "unlike",
]

ADAPTERS = "build/adapters"
MANIFEST = "adapter.json"
"""What `train` says of an adapter: recipe, model, system, agents, seed, and the digests that it rests on."""
_CONFIG = "adapter_config.json"
"""What mlx_lm and peft say of it."""
_NAMED = 3
_PLACES = ("adapter_path", "config", "data")
"""What mlx_lm notes there of where it wrote and read: the same weights from another folder are the same adapter."""
_WEIGHTS = (".safetensors", ".gguf", ".bin", ".npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """An adapter that can be loaded."""

    folder: Path
    digest: str
    """Of every file's name and content but the manifest's, which tells the time: the same weights have the same one."""
    model: str = ""
    """The name in promptforge.yaml that it was trained for; empty where promptforge did not train it."""
    base: str = ""
    """The weights that it was trained on, as the trainer loaded them."""
    base_files: Mapping[str, str] = field(default_factory=dict)
    """What told their files from others on the day of the training."""
    recipe: str = ""
    variant: str = "enriched"
    """The prompt that its rows had, and that it is sent."""
    agents: tuple[str, ...] = ()
    seed: int | None = None
    made_of: Mapping[str, str] = field(default_factory=dict)
    """What all trainings of one candidate share: the digest of its rows, its settings, weights and trainer, by name."""


def read_adapter(folder: Path) -> Adapter:
    """The adapter in a folder. Raises InputError where there is none, or where it says nothing of itself."""
    if not folder.is_dir():
        raise InputError(f"there is no adapter '{folder}'", hint="name a folder of build/adapters, or a recipe")
    if not any(path.suffix in _WEIGHTS for path in folder.iterdir()):
        hint = "did the training end well? see its log, or train again: promptforge train RECIPE"
        raise InputError(f"'{folder}' holds no adapter: no weights are in it", hint=hint)
    told, config = _json(folder / MANIFEST), _json(folder / _CONFIG)
    base = told.get("base") or config.get("base_model_name_or_path") or config.get("model") or ""
    seed = told.get("seed")
    return Adapter(
        folder=folder,
        digest=adapter_digest(folder),
        model=str(told.get("model", "")),
        base=str(base),
        base_files={str(name): str(what) for name, what in (told.get("base_files") or {}).items()},
        recipe=str(told.get("recipe", "")),
        variant=str(told.get("system") or "enriched"),
        agents=tuple(map(str, told.get("agents", ()))),
        seed=seed if isinstance(seed, int) else None,
        made_of=made_of(told),
    )


def manifest_of(folder: Path) -> Mapping[str, Any]:
    """What `train` wrote down of an adapter; nothing where it did not train it. Raises InputError."""
    return _json(folder / MANIFEST)


def made_of(told: Mapping[str, Any]) -> Mapping[str, str]:
    """What decides an adapter besides its seed, by its name in a sentence; what a manifest does not say is left out."""
    versions = told.get("versions")
    trainer = json.dumps([told.get("trainer"), versions], sort_keys=True) if versions else ""
    said = {"rows": told.get("data"), "settings": told.get("settings"), "weights": told.get("base_digest")}
    return {name: str(what) for name, what in {**said, "trainer": trainer}.items() if what}


def unlike(first: Mapping[str, str], other: Mapping[str, str]) -> str:
    """Which of the things that two adapters are made of differ, in words: `rows and settings`; nothing where none."""
    return " and ".join(name for name, what in first.items() if other.get(name, what) != what)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise InputError(f"{path} cannot be read: {problem}", hint="train the adapter again") from problem
    return told if isinstance(told, dict) else {}


def adapter_digest(folder: Path) -> str:
    """The digest of a folder's files but the manifest, by name and content. Raises InputError."""
    try:
        return digest_of(json.dumps(sorted(_digests(folder))))
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise InputError(
            f"cannot read {problem.filename or folder}: {reason}", hint="mend the permissions"
        ) from problem


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        if path.is_file() and path.name != MANIFEST and not path.name.endswith(TEMPORARY):
            name = path.relative_to(folder).as_posix()
            if name == _CONFIG and isinstance(told := _plain_json(path), dict):
                told = {key: value for key, value in told.items() if key not in _PLACES}
                yield name, digest_of(json.dumps(told, sort_keys=True))
                continue
            with path.open("rb") as file:
                yield name, file_digest(file, "sha256").hexdigest()


def _plain_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


def check_base(adapter: Adapter, model: Model, weights: Weights | None = None) -> None:
    """Raises InputError where the adapter was trained on another model: it would load, and answer nonsense.

    `weights` are those that the model has now, where they are on this machine.
    """
    if adapter.model:
        if adapter.model != model.name:
            hint = f"leave --model out, or train one for {model.name}"
            message = f"the adapter '{adapter.folder.name}' was trained for '{adapter.model}', not for '{model.name}'"
            raise InputError(message, hint=hint)
        if weights and (changed := changed_weights(adapter.base_files, weights.files)):
            message = f"the weights of '{model.name}' have changed since '{adapter.folder.name}' was trained on them"
            raise InputError(f"{message}: {', '.join(changed[:_NAMED])}", hint="train it again, or put them back")
        return
    if not adapter.base:
        hint = (
            f"the file {MANIFEST} beside it with model: {model.name} says that it was trained on that model's weights"
        )
        raise InputError(f"the adapter '{adapter.folder.name}' does not say which model it was trained on", hint=hint)
    said = f"{model.settings.get('serve', '')} {model.settings.get('model', '')}"
    names = {Path(word).name for word in said.replace("=", " ").split()}
    if Path(adapter.base).name not in names:
        hint = f"an adapter fits only its own weights; the server of '{model.name}' loads: {said.strip()}"
        message = f"the adapter '{adapter.folder.name}' was trained on '{adapter.base}', not on '{model.name}'"
        raise InputError(message, hint=hint)


def changed_weights(was: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The files of a model's weights that are others than on the day of a training."""
    return [name for name, told in was.items() if _other(told, now.get(name, told))]


def _other(was: str, now: str) -> bool:
    """Whether a file is another one. Of a large one the time is kept, too, which is no evidence: copies differ."""
    return _without_time(was) != _without_time(now)


def _without_time(said: str) -> Sequence[str]:
    size, *more = said.split(", ")
    return (size, *more[-1:])


def latest_of(root: Path, recipe: str) -> Path | None:
    """The adapter of a recipe that was trained last, or nothing. One that cannot be read is passed over.

    So is one that was only trained to be judged together with another one.
    """
    found = []
    for path in _folders(root):
        with suppress(InputError):
            told = _json(path / MANIFEST)
            if told.get("recipe") == recipe and not told.get("further"):
                found.append((trained_at(path), path))
    return max(found)[1] if found else None


def damaged_in(root: Path) -> tuple[str, ...]:
    """The adapters whose manifest cannot be read, with the reason: nobody knows of which recipe they are."""
    found = []
    for path in _folders(root):
        try:
            _json(path / MANIFEST)
        except InputError as problem:
            found.append(problem.message)
    return tuple(found)


def _folders(root: Path) -> list[Path]:
    folder = root / ADAPTERS
    every = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in every if path.is_dir() and not path.name.startswith(".")]


def trained_at(folder: Path) -> int:
    """When an adapter was trained: by its manifest, in nanoseconds."""
    try:
        return (folder / MANIFEST).stat().st_mtime_ns
    except OSError:
        return 0
