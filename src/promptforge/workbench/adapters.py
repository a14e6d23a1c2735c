"""An adapter's folder: what it is, byte by byte, and whose model it was trained on."""

import json
import os
import time
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
    "check_base",
    "latest_of",
    "read_adapter",
    "stay_latest",
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
    )


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
        now = weights.files if weights else {}
        changed = [name for name, was in adapter.base_files.items() if _other(was, now.get(name, was))]
        if changed:
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


def _other(was: str, now: str) -> bool:
    """Whether a file is another one. Of a large one the time is kept, too, which is no evidence: copies differ."""
    return _without_time(was) != _without_time(now)


def _without_time(said: str) -> Sequence[str]:
    size, *more = said.split(", ")
    return (size, *more[-1:])


def latest_of(root: Path, recipe: str) -> Path | None:
    """The adapter of a recipe that was trained last, or nothing."""
    found = []
    folder = root / ADAPTERS
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.name.startswith(".") and _json(path / MANIFEST).get("recipe") == recipe:
            found.append(((path / MANIFEST).stat().st_mtime_ns, path))
    return max(found)[1] if found else None


def stay_latest(folder: Path) -> None:
    """Let an adapter be the latest of its recipe still, although another training of it has ended since."""
    with suppress(OSError):  # it is being judged all the same
        now = time.time_ns()  # finer than the clock by which files are stamped
        os.utime(folder / MANIFEST, ns=(now, now))
