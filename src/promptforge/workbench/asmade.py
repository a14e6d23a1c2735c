"""Datasets that promptforge made, before a row is looked at: whether they are as they were written, and of today."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from promptforge.compiler.build import Build
from promptforge.dataset.findings import Finding
from promptforge.dataset.manifest import MANIFEST, Manifest, read_manifest, verify
from promptforge.dataset.rows import Recipe
from promptforge.diff import DatasetChange
from promptforge.errors import InputError
from promptforge.files import digest_of
from promptforge.workbench.recipes import Recipes
from promptforge.workbench.stale import stale_dataset

__all__ = ["AsMade", "as_made", "recipe_of"]

_NAMED = 5


class AsMade(NamedTuple):
    """What manifests tell."""

    findings: tuple[Finding, ...] = ()
    compared: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def as_made(paths: Sequence[Path], build: Build | None) -> AsMade:
    """What the manifests of these folders, and of the folders of these files, say against what is there and of today.

    `build` is of the project as it is now; without one only the files are checked.
    """
    findings: list[Finding] = []
    compared: list[str] = []
    unchecked: list[str] = []
    for folder in _folders(paths):
        try:
            manifest = read_manifest(folder)
            wrong = list(_of_files(folder))
        except InputError as problem:
            text = f"{folder} cannot be checked against its manifest: {problem.message}"
            findings.append(Finding(rule="set.manifest", level="flag", text=text, hint=problem.hint))
            continue
        findings += wrong
        if build is None:
            unchecked.append(f"whether {folder} is of today's knowledge and prompts: no project here")
        else:
            change = stale_dataset(build.tree.root, folder, manifest, build)
            wrong += (today := list(_of_today(folder, manifest, change, build)))
            findings += today
            if change.problem:
                unchecked.append(f"whether {folder} is of today: {change.problem}")
        if not wrong:
            of_today = "" if build is None else "; its facts and prompts are today's"
            compared.append(f"the manifest of {folder}: {len(manifest.files):,} files as they were written{of_today}")
    return AsMade(tuple(findings), tuple(compared), tuple(unchecked))


def recipe_of(paths: Sequence[Path], recipes: Recipes) -> Recipe | None:
    """The recipe of which everything here was made, as it is today; None where there is no such one."""
    folders = _folders(paths)
    homes = {path if path.is_dir() else path.parent for path in paths}
    if len(folders) != 1 or homes != set(folders):
        return None
    try:
        file = read_manifest(folders[0]).recipe
    except InputError:
        return None
    return next((recipe for recipe in recipes.recipes.values() if recipe.file == file), None)


def _folders(paths: Sequence[Path]) -> Sequence[Path]:
    """The folders with a manifest that rows are read from."""
    found: dict[Path, None] = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        if (folder / MANIFEST).is_file() and (path.is_dir() or _is_of(folder, path.name)):
            found[folder] = None
    return tuple(found)


def _is_of(folder: Path, name: str) -> bool:
    try:
        return name in read_manifest(folder).files
    except InputError:
        return False  # some other manifest beside somebody's file


def _of_files(folder: Path) -> Iterator[Finding]:
    said = verify(folder)
    strange = [line for line in said if line.endswith("is not of the dataset")]
    if wrong := [line for line in said if line not in strange]:
        text = f"{folder} is not as promptforge wrote it: {_listed(wrong)}"
        hint = "what was trained may be something else than the manifest says: build it again, or find out who did it"
        yield Finding(rule="set.changed", level="flag", text=text, hint=hint, count=len(wrong))
    if strange:
        names = [line.removesuffix(" is not of the dataset") for line in strange]
        text = f"{folder} holds what promptforge did not write: {_listed(names)}"
        yield Finding(rule="set.extra", level="note", text=text, count=len(names))


def _of_today(folder: Path, manifest: Manifest, change: DatasetChange, build: Build) -> Iterator[Finding]:
    hint = "build it again, and train again what was trained on it"
    if change.facts:
        text = (
            f"{folder} is stale: {len(change.rows):,} of its {change.of:,} rows rest on facts that say something else "
            f"today: {_listed(change.facts)}"
        )
        yield Finding(rule="set.stale", level="flag", text=text, hint=hint, count=len(change.rows))
    if change.prompts:
        count = sum(change.prompts.values())
        text = f"{folder}: {count:,} rows hold another prompt than today's: of {_listed(tuple(change.prompts))}"
        yield Finding(rule="set.prompts", level="flag", text=text, hint=hint, count=count)
    recipe = build.tree.files.get(manifest.recipe)
    if recipe is None or digest_of(recipe) != manifest.recipe_digest:
        what = "is no longer there" if recipe is None else "has changed since"
        yield Finding(rule="set.recipe", level="note", text=f"{folder}: its recipe {manifest.recipe} {what}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
