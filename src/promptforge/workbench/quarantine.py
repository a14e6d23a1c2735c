"""Rejected adapters: kept for a while with their evidence, then deleted. Every step is one rename.

`.promptforge/quarantine/NAME/` holds `verdict.json`, `verdict.md` and, below `adapter/`, what was rejected; below
`others/`, each in the same form, the further trainings that were judged with it. The evidence is written first and the
adapter then moved in: killed in between, the next promote does it again. What is to be deleted first gets a name that
says so: whoever comes after a kill deletes the rest.
"""

import datetime
import errno
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptforge.errors import InputError, WriteError
from promptforge.files import TEMPORARY
from promptforge.model import Config
from promptforge.workbench.adapters import ADAPTERS, Adapter, read_adapter, unlike
from promptforge.workbench.champions import is_kept
from promptforge.workbench.disk import private_folder

__all__ = [
    "DEFAULT_GRACE",
    "Held",
    "discard",
    "grace_of",
    "held",
    "is_ours",
    "place_for",
    "place_of",
    "quarantine",
    "release_expired",
    "sibling",
]

DEFAULT_GRACE = "14d"
_FOLDER = "quarantine"
_EVIDENCE = "verdict.json"
_OTHERS = "others"
_UNITS = {"h": datetime.timedelta(hours=1), "d": datetime.timedelta(days=1), "w": datetime.timedelta(weeks=1)}
_MONTH = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An adapter in quarantine."""

    folder: Path
    name: str
    rejected: str
    """When, ISO 8601 in UTC."""
    sentence: str
    beside: str = ""
    """The digest of the candidate that it was another training of, and judged with: it is no candidate by itself."""

    @property
    def adapter(self) -> Path:
        """What was rejected."""
        return self.folder / "adapter"


def grace_of(config: Config) -> datetime.timedelta:
    """How long a rejected adapter is kept: `quarantine: 14d` of promptforge.yaml; h, d, w or m (30 days)."""
    text = str(config.settings.get("quarantine", DEFAULT_GRACE))
    return int(text[:-1]) * _UNITS.get(text[-1], _MONTH)


def is_ours(root: Path, folder: Path) -> bool:
    """Whether a folder may be moved and deleted: those of build/adapters may, a user's own never."""
    inside = (root / ADAPTERS).resolve()
    return folder.resolve() != inside and folder.resolve().is_relative_to(inside) and not folder.is_symlink()


def place_of(root: Path, folder: Path) -> Path | None:
    """Where in quarantine an adapter lies already; None where it does not."""
    inside = (root / ".promptforge" / _FOLDER).resolve()
    return inside / folder.resolve().relative_to(inside).parts[0] if folder.resolve().is_relative_to(inside) else None


def place_for(root: Path, folder: Path, digest: str) -> Path:
    """Where an adapter lies in quarantine, or would."""
    return place_of(root, folder) or private_folder(root) / _FOLDER / f"{folder.name}-{digest[:12]}"


def quarantine(
    root: Path, folder: Path, verdict: Mapping[str, Any], page: str, *, at: str, beside: Path | None = None
) -> Path:
    """Move an adapter away with the reason why; where to. `beside` is the place of the candidate that it belongs to.

    Raises InputError where it is not for us to move, WriteError where it cannot be moved.
    """
    if is_kept(root, folder) or not is_ours(root, folder):
        raise InputError(f"'{folder}' is not in {ADAPTERS}: it is left where it is")
    place = place_for(root, folder, str(verdict["digest"]))
    if beside is not None:  # one deletion takes both
        place = beside / _OTHERS / place.name
    try:
        place.mkdir(parents=True, exist_ok=True)
        evidence = {**verdict, "rejected": at}
        _write(place / _EVIDENCE, json.dumps(evidence, indent=1, ensure_ascii=False) + "\n")
        _write(place / "verdict.md", page)
        _delete(place / "adapter")
        _move(folder, place / "adapter")
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        hint = "mend that, then run the same command again: it goes on from here"
        raise WriteError(f"the rejected adapter cannot be put away in {place}: {reason}", hint=hint) from problem
    return place


def discard(place: Path) -> None:
    """Delete what is in quarantine before its time. Raises WriteError."""
    try:
        _delete(place)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        hint = "it is deleted when its time in quarantine is over, or by hand"
        raise WriteError(f"the rejected adapter cannot be deleted from {place}: {reason}", hint=hint) from problem


def sibling(root: Path, first: Adapter, seed: int) -> Adapter | None:
    """Another training of the same, with this seed, that was put away; a verdict that is found once more needs it."""
    folder = root / ".promptforge" / _FOLDER
    for place in sorted((*folder.glob("[!.]*/adapter"), *folder.glob(f"[!.]*/{_OTHERS}/[!.]*/adapter"))):
        with suppress(InputError):
            found = read_adapter(place)
            if (found.recipe, found.seed) == (first.recipe, seed) and not unlike(first.made_of, found.made_of):
                return found
    return None


def held(root: Path) -> tuple[Held, ...]:
    """What is in quarantine, the oldest first. What cannot be read is not ours to delete, and is left out."""
    folder = root / ".promptforge" / _FOLDER
    found = []
    for path in folder.glob("[!.]*"):
        try:
            told = json.loads((path / _EVIDENCE).read_bytes())
            if datetime.datetime.fromisoformat(told["rejected"]).tzinfo is None:
                continue  # of which zone, nobody knows
            sentence, beside = str(told.get("sentence", "")), str(told.get("beside", ""))
            found.append(Held(folder=path, name=path.name, rejected=told["rejected"], sentence=sentence, beside=beside))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return tuple(sorted(found, key=lambda one: (one.rejected, one.name)))


def release_expired(root: Path, grace: datetime.timedelta, *, now: str, besides: Path | None = None) -> tuple[str, ...]:
    """Delete what has been in quarantine for longer than that, and what a killed process had begun to delete.

    `besides` is the adapter that is about to be judged, perhaps once more: it stays.
    """
    folder = root / ".promptforge" / _FOLDER
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.endswith(TEMPORARY):
            shutil.rmtree(path, ignore_errors=True)
    until = datetime.datetime.fromisoformat(now) - grace
    gone = []
    for one in held(root):
        if besides is not None and besides.is_relative_to(one.folder.resolve()):
            continue
        if datetime.datetime.fromisoformat(one.rejected) <= until:
            try:
                _delete(one.folder)
            except OSError:
                continue  # it stays, and the next one tries again: no promotion waits for a deletion
            gone.append(one.name)
    return tuple(gone)


def _move(folder: Path, place: Path) -> None:
    try:
        folder.rename(place)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        aside = place.with_name(place.name + TEMPORARY)  # build/ is on another disk
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(folder, aside)
        aside.rename(place)
        _delete(folder)


def _delete(folder: Path) -> None:
    """Under another name first: half an adapter is never found under its own."""
    if not folder.exists():
        return
    aside = folder.with_name(f".{folder.name}{TEMPORARY}")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    aside = path.with_name(path.name + TEMPORARY)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # answers may hold private facts
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
