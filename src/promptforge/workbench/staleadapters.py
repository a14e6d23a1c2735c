"""Adapters held against the files of today: trained on facts, prompts or weights that are others by now.

An adapter says itself what its rows rested on. So it is known to be stale although its dataset was made again since.
"""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptforge.compiler.build import Build
from promptforge.diff import DatasetChange
from promptforge.errors import InputError, PromptforgeError
from promptforge.store import HISTORY, Store
from promptforge.workbench.adapters import changed_weights, latest_of, manifest_of
from promptforge.workbench.champions import champions
from promptforge.workbench.stale import digests_of, older_prompts, partial
from promptforge.workbench.weights import find_weights, weights_folder

__all__ = ["stale_adapter", "stale_adapters", "stale_words"]

_NAMED = 3


def stale_adapters(root: Path, build: Build, environ: Mapping[str, str]) -> Iterator[DatasetChange]:
    """The latest adapter of each recipe, and the champions, as far as they are stale."""
    for folder in dict.fromkeys((*_latest(root), *_champions(root))):
        found = stale_adapter(root, folder, build, environ)
        if found.facts or found.prompts or found.weights or found.problem:
            yield found


def stale_adapter(root: Path, folder: Path, build: Build, environ: Mapping[str, str]) -> DatasetChange:
    """What one adapter rests on that is no longer so. Nothing is said of one that promptforge did not train."""
    name = folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)
    blank = DatasetChange(folder=name)
    try:
        told = manifest_of(folder)
    except InputError as unreadable:
        return replace(blank, problem=unreadable.message.replace(f"{root}/", ""))
    if not told.get("data"):
        return blank
    texts, mappings = (told.get("model"), told.get("system")), (told.get("facts", {}), told.get("prompts", {}))
    if not all(isinstance(one, str) for one in texts) or not all(isinstance(one, dict) for one in mappings):
        return replace(blank, problem="its adapter.json does not say what it rests on: model, system, facts, prompts")
    facts: Mapping[str, str] = told.get("facts") or {}
    now = digests_of(build)
    some = partial(build)
    changed = [fact for fact, digest in facts.items() if now.get(fact, digest if some else "") != digest]
    prompts, problem = older_prompts(build, told.get("prompts") or {}, str(told["model"]), str(told["system"]))
    if "facts" not in told:
        problem = problem or "it does not say what its facts were: an earlier promptforge trained it"
    weights = tuple(_other_weights(root, folder, told, build, environ))
    rows = dict.fromkeys(prompts, 0)
    return replace(blank, facts=tuple(changed), prompts=rows, weights=weights, problem=problem)


def stale_words(one: DatasetChange) -> str:
    """Why it is stale, in words; nothing where it is not."""
    said = []
    if one.weights:
        said.append(f"its model's weights are others now ({_few(one.weights)})")
    if one.facts:
        said.append(f"its rows rest on {_few(one.facts)}, which changed since")
    if one.prompts:
        said.append(f"it was trained with an older prompt of {_few(tuple(one.prompts))}")
    text = f"{'; '.join(said)}: train it anew" if said else ""
    problem = f"whether it is stale cannot be told: {one.problem}" if one.problem else ""
    return "; ".join(part for part in (text, problem) if part)


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _other_weights(
    root: Path, folder: Path, told: Mapping[str, Any], build: Build, environ: Mapping[str, str]
) -> list[str]:
    """The files of the model's weights that are others now. Only what was written since is read: they may be large."""
    model = build.project.config.models.get(str(told["model"]))
    was = {str(name): str(what) for name, what in (told.get("base_files") or {}).items()}
    try:
        place = weights_folder(model, root=root, environ=environ) if model else None
        since = datetime.datetime.fromisoformat(str(told["started"])).timestamp()
        if model is None or place is None or not any(_written(place / name) >= since for name in was):
            return []
        return changed_weights(was, find_weights(model, root=root, environ=environ).files)
    except (InputError, OSError, ValueError, KeyError):
        return []  # they are not here: whoever serves or trains says so


def _written(path: Path) -> float:
    """When a file was written, or put there."""
    status = path.stat()
    return max(status.st_mtime, status.st_ctime)


def _latest(root: Path) -> Iterator[Path]:
    folder = root / "build/adapters"
    recipes = dict[str, None]()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            told = manifest_of(path) if path.is_dir() and not path.name.startswith(".") else {}
        except InputError:
            yield path  # which is said of it
            continue
        if told.get("recipe"):
            recipes[str(told["recipe"])] = None
    yield from (found for recipe in recipes if (found := latest_of(root, recipe)))


def _champions(root: Path) -> list[Path]:
    """Where the champions are kept; none where the history cannot be read, which whoever needs it says."""
    if not (root / HISTORY).exists():
        return []
    try:
        with Store(root / HISTORY) as store:
            return [one.folder for one in champions(store, root) if one.folder.is_dir()]
    except PromptforgeError:
        return []
