"""What a written dataset says of itself, and whether it is still as it was written. Reads what `write` wrote."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple

from promptforge.dataset.rows import KINDS, SPLITS, Format, Kind, Split
from promptforge.dataset.swap import aside
from promptforge.errors import InputError
from promptforge.files import TEMPORARY, digest_of

__all__ = [
    "CARD",
    "FACTS",
    "KNOWLEDGE",
    "MANIFEST",
    "RECIPE",
    "ROWS",
    "Datasets",
    "File",
    "Length",
    "Manifest",
    "datasets",
    "manifest_text",
    "read_manifest",
    "verify",
]

MANIFEST, CARD, RECIPE, ROWS = "manifest.json", "README.md", "recipe.yaml", "rows.jsonl"
FACTS, KNOWLEDGE = "facts.json", "knowledge.json"
_VERSION = 1
_FOLDER = "build/datasets"


class File(NamedTuple):
    """A file of the dataset."""

    sha256: str
    bytes: int


class Length(NamedTuple):
    """What no row is longer than."""

    tokens: int
    """Counted in pieces: what the tokenizer says of the whole, or a little more."""
    row: str
    """The id of the row that may have so many."""
    limit: int
    """What the trainer was given: nothing is cut."""
    tokenizer: str
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a dataset is made of and rests on."""

    name: str
    format: Format
    promptforge: str
    """The version that wrote it."""
    model: str
    """What is trained, as the trainer loads it."""
    recipe: str
    """The recipe's file."""
    recipe_digest: str
    knowledge: str
    """Digest of the facts that it was made from."""
    prompts: Mapping[str, str]
    """Agent to the digest of the system prompt that its rows have."""
    rows: Mapping[Split, int]
    lines: Mapping[Split, int]
    """More than rows where a row with several answers makes several lines."""
    categories: Mapping[Split, Mapping[Kind, Mapping[str, int]]]
    """Rows by split, kind and category."""
    facts: int
    """How many facts the rows rest on."""
    longest: Length
    private: bool
    """Whether anything private may be inside."""
    trained: str = ""
    """The model as the project calls it; empty in a dataset that an earlier promptforge wrote, like the next two."""
    system: str = ""
    """Whether the rows hold the enriched prompts or the base ones."""
    agents: Mapping[str, int] = field(default_factory=dict)
    """Agent to how many rows are its."""
    files: Mapping[str, File] = field(default_factory=dict)
    """Every other file of the folder."""

    @property
    def digest(self) -> str:
        """Of all files: the same rows, configuration and card."""
        return digest_of(json.dumps([[name, file.sha256] for name, file in sorted(self.files.items())]))

    def kinds(self, split: Split | None = None) -> Mapping[Kind, int]:
        """Rows by kind, of one split or of all."""
        splits = SPLITS if split is None else (split,)
        return {kind: sum(sum(self.categories[s].get(kind, {}).values()) for s in splits) for kind in KINDS}


class Datasets(NamedTuple):
    """The datasets of a project."""

    found: Mapping[Path, Manifest]
    """By their folders."""
    problems: Mapping[Path, str]
    """Folders beside them that could not be read, and why."""


def manifest_text(manifest: Manifest) -> str:
    """manifest.json. No time is in it: the same inputs give the same bytes."""
    written = {
        "version": _VERSION,
        "name": manifest.name,
        "format": manifest.format,
        "promptforge": manifest.promptforge,
        "digest": manifest.digest,
        "model": manifest.model,
        "trained": manifest.trained,
        "system": manifest.system,
        "agents": dict(sorted(manifest.agents.items())),
        "recipe": {"file": manifest.recipe, "sha256": manifest.recipe_digest},
        "knowledge": manifest.knowledge,
        "prompts": dict(sorted(manifest.prompts.items())),
        "rows": manifest.rows,
        "lines": manifest.lines,
        "categories": manifest.categories,
        "facts": manifest.facts,
        "longest": manifest.longest._asdict(),
        "private": manifest.private,
        "files": {name: file._asdict() for name, file in sorted(manifest.files.items())},
    }
    return json.dumps(written, indent=1, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a dataset. Raises InputError where there is none, or it is not of a version that we know."""
    path = folder / MANIFEST
    try:
        told = json.loads(path.read_bytes())
        if told["version"] != _VERSION:
            hint = "build the dataset again"
            raise InputError(f"{path}: version {told['version']}, and this promptforge reads {_VERSION}", hint=hint)
        return _manifest(told)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise InputError(f"cannot read {path}: {reason}", hint="name the folder of a dataset") from problem
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InputError(f"{path} is no manifest of a dataset", hint="build the dataset again") from problem


def _manifest(told: Mapping[str, Any]) -> Manifest:
    return Manifest(
        name=told["name"],
        format=told["format"],
        promptforge=told["promptforge"],
        model=told["model"],
        recipe=told["recipe"]["file"],
        recipe_digest=told["recipe"]["sha256"],
        knowledge=told["knowledge"],
        prompts=dict(told["prompts"]),
        rows={split: int(told["rows"][split]) for split in SPLITS},
        lines={split: int(told["lines"][split]) for split in SPLITS},
        categories={split: dict(told["categories"][split]) for split in SPLITS},
        facts=int(told["facts"]),
        longest=Length(**told["longest"]),
        private=bool(told["private"]),
        trained=str(told.get("trained", "")),
        system=str(told.get("system", "")),
        agents={agent: int(rows) for agent, rows in told.get("agents", {}).items()},
        files={name: File(**file) for name, file in told["files"].items()},
    )


def datasets(root: Path) -> Datasets:
    """Every dataset in a project's build/datasets, in the order of their names; none where none was built."""
    folder, found, problems = root / _FOLDER, dict[Path, Manifest](), dict[Path, str]()
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    places = {name: folder / name for name in names if not name.endswith(TEMPORARY)}
    for name in names - places.keys():  # what a killed writer left aside is a dataset still
        known = re.fullmatch(rf"\.(.+)\.was{re.escape(TEMPORARY)}", name)
        if known and aside(folder / known[1]).name == name:
            places.setdefault(known[1], folder / name)
    for name, place in sorted(places.items()):
        if place.is_dir():
            try:
                found[folder / name] = read_manifest(place)
            except InputError as problem:
                problems[folder / name] = problem.message
    return Datasets(found, problems)


def verify(folder: Path) -> tuple[str, ...]:
    """What is no longer as it was written: a line for each file that is missing, changed, or was not there."""
    manifest = read_manifest(folder)
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    wrong = [f"{name} is missing" for name in sorted(manifest.files.keys() - there)]
    wrong += [f"{name} is not of the dataset" for name in sorted(there - manifest.files.keys())]
    for name in sorted(there & manifest.files.keys()):
        with (folder / name).open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != manifest.files[name].sha256:
                wrong.append(f"{name} has changed")
    return tuple(wrong)
