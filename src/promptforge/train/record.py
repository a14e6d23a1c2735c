"""What is kept of a training: beside the adapter what it is made of; for every attempt how it ended."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any

from promptforge import __version__
from promptforge.dataset.manifest import File, Manifest
from promptforge.errors import InputError, WriteError
from promptforge.files import digest_of
from promptforge.workbench.adapters import MANIFEST

__all__ = ["Attempt", "Losses", "Trained", "attempts", "data_digest", "note", "read_trained", "sealed"]

_VERSION = 1
_ATTEMPTS = ".promptforge/trainings.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What the trainer said of its losses; None where it said nothing."""

    first: float | None = None
    last: float | None = None
    first_valid: float | None = None
    valid: float | None = None
    """The last one on the valid split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """An adapter's manifest: everything that it rests on."""

    identity: str
    """Of what decides it: rows, settings, weights, trainer, seed. The same one is not trained twice."""
    recipe: str
    recipe_file: str
    recipe_digest: str
    model: str
    """As promptforge.yaml calls it."""
    base: str
    """The weights that it was trained on, as they are named."""
    base_digest: str
    base_files: Mapping[str, str]
    system: str
    agents: tuple[str, ...]
    seed: int
    data: str
    """Digest of the rows that it was trained on and measured with."""
    dataset: str
    """Digest of the whole dataset, configuration and card included."""
    rows: Mapping[str, int]
    lines: Mapping[str, int]
    knowledge: str
    prompts: Mapping[str, str]
    trainer: str
    versions: Mapping[str, str]
    iterations: int
    losses: Losses
    minutes: float
    started: str
    """ISO 8601, UTC."""
    platform: str
    log: str
    """Relative to the project."""
    private: bool
    settings: str = ""
    """Digest of the trainer's configuration without places and seed; empty where an earlier promptforge trained it."""
    further: bool = False
    """Trained only to be judged together with another one: its recipe's name does not mean it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What each fact that rows rest on said then, as a digest: by it `diff` and `promote` know a stale adapter."""
    promptforge: str = __version__
    files: Mapping[str, File] = field(default_factory=dict)
    """Every other file of the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A training that was begun, and how it ended."""

    started: str
    recipe: str
    seed: int
    identity: str
    outcome: str
    """`trained`, or in a word why not: failed, killed, stalled, out of time, not a number, no adapter, interrupted…"""
    message: str = ""
    log: str = ""
    minutes: float = 0.0
    iteration: int = 0
    total: int = 0
    loss: float | None = None


def data_digest(manifest: Manifest) -> str:
    """The digest of the rows that a trainer reads: the same rows have the same one, whatever card they come with."""
    read = ("train.jsonl", "valid.jsonl")
    return digest_of(json.dumps([[name, manifest.files[name].sha256] for name in read if name in manifest.files]))


def sealed(folder: Path, trained: Trained) -> Trained:
    """Write the manifest of an adapter whose files are all there; with their digests. Raises OSError."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if trained.private:
            path.chmod(0o600)
        with path.open("rb+") as file:
            files[path.relative_to(folder).as_posix()] = File(file_digest(file, "sha256").hexdigest(), file.tell())
            os.fsync(file.fileno())
    told: dict[str, Any] = {"version": _VERSION, **asdict(trained)}
    told["files"] = {name: file._asdict() for name, file in files.items()}
    handle = os.open(folder / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if trained.private else 0o666)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        out.flush()
        os.fsync(out.fileno())
    return _trained(told)


def read_trained(folder: Path) -> Trained:
    """The manifest of an adapter that `train` made, every file compared.

    Raises InputError where there is none, or where a file is missing or has changed.
    """
    path = folder / MANIFEST
    try:
        trained = _trained(json.loads(path.read_bytes()))
        for name, file in trained.files.items():
            with (folder / name).open("rb") as content:
                if file_digest(content, "sha256").hexdigest() != file.sha256:
                    raise InputError(f"{folder / name} has changed since it was trained", hint="train it again")
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise InputError(f"cannot read {problem.filename or path}: {reason}", hint="train it again") from problem
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InputError(f"{path} is no manifest of a training", hint="train it again") from problem
    return trained


def _trained(told: Mapping[str, Any]) -> Trained:
    given = {key: value for key, value in told.items() if key != "version"}
    given["losses"] = Losses(**given["losses"])
    given["agents"] = tuple(given["agents"])
    given["files"] = {name: File(**file) for name, file in given["files"].items()}
    return Trained(**given)


def note(root: Path, attempt: Attempt) -> None:
    """Write down how an attempt ended: one line, at once. Raises WriteError."""
    path = root / _ATTEMPTS
    line = (json.dumps(asdict(attempt), ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            torn = size and os.pread(file.fileno(), 1, size - 1) != b"\n"  # by a kill: that line is lost, not this one
            file.write(b"\n" * bool(torn) + line)
    except OSError as problem:
        raise WriteError(f"cannot write {path}: {(problem.strerror or str(problem)).lower()}") from problem


def attempts(root: Path) -> tuple[Attempt, ...]:
    """Every training of this project that ended, the oldest first; a line that was cut off is passed over."""
    try:
        lines = (root / _ATTEMPTS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        try:
            found.append(Attempt(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return tuple(found)
