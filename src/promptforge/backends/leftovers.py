"""Servers that a killed run left behind: each running one has a record, and what a record proves to be ours is ended.

A record is written before its server starts. It names the process that owns it, the mark that its server's processes
carry, and the server's first process, each by number and start. A number that is somebody else's by now matches
nothing, and what matches nothing is not touched.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from promptforge.backends.processes import Process, end, family, is_before_restart, is_here, process
from promptforge.errors import WriteError

__all__ = ["KEPT_LOGS", "LeftOver", "Record", "folder_of", "forget", "keep", "prune_logs", "sweep"]

KEPT_LOGS = 20
_PATIENCE_S = 10.0
_FORKED_S = 0.2
"""A child that is just being started does not carry its mark yet: nothing must be found twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A server that runs, or is about to."""

    mark: str
    model: str
    port: int
    command: str
    """As it may be shown."""
    log: str
    at: str
    """When it was started, ISO 8601."""
    owner: tuple[int, str]
    """Number and start of the process that started it, and ends it."""
    server: tuple[int, str] | None = None
    """Of its first process; None until it runs."""
    where: Mapping[str, str]
    """Machine, boot and name space: elsewhere the numbers mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """A server that a killed run had left behind, and that is ended now."""

    model: str
    port: int
    command: str
    log: Path
    at: str
    """When it was started, ISO 8601."""
    processes: tuple[int, ...]
    """The numbers that its processes had."""
    alive: tuple[int, ...] = ()
    """Those that could not be ended."""


def folder_of(root: Path) -> Path:
    """Where records and logs of a project's servers lie; made when it is missing. Raises WriteError."""
    folder = root / ".promptforge" / "servers"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = folder.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
    except OSError as problem:
        raise _cannot(folder, problem) from problem
    return folder


def keep(folder: Path, record: Record) -> None:
    """Write a record, or write it anew. Raises WriteError."""
    path = _path(folder, record.mark)
    temporary = path.with_suffix(".new")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"version": 1, **asdict(record)}, file, indent=1)
        temporary.replace(path)
    except OSError as problem:
        raise _cannot(path, problem) from problem


def forget(folder: Path, mark: str) -> None:
    """Its server has ended."""
    for path in (_path(folder, mark), _path(folder, mark).with_suffix(".new")):
        path.unlink(missing_ok=True)


def sweep(root: Path) -> tuple[LeftOver, ...]:
    """End the servers that killed runs of a project left behind. One whose owner lives is not left behind."""
    found = []
    for path in sorted((root / ".promptforge" / "servers").glob("*.json")):
        try:
            record = _read(path)
        except FileNotFoundError:
            continue  # its owner, or another sweep, was quicker
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            path.unlink(missing_ok=True)  # no record of ours: they are written in one step
            continue
        if left := _settle(record, path.parent):
            found.append(left)
    return tuple(found)


def _settle(record: Record, folder: Path) -> LeftOver | None:
    if is_before_restart(record.where):
        forget(folder, record.mark)
        return None
    if not is_here(record.where) or _alive(record.owner):
        return None  # of another machine or container that sees this folder, or not left behind
    seen: dict[tuple[int, str], Process] = {}
    look = _looker(record, seen)
    if not look():
        time.sleep(_FORKED_S)
        look()
    alive = end(look, patience_s=_PATIENCE_S) if seen else ()
    if not alive:
        forget(folder, record.mark)
    return _told(record, seen.values(), alive) if seen else None


def _looker(record: Record, seen: dict[tuple[int, str], Process]) -> Callable[[], tuple[Process, ...]]:
    """Finds what runs of a recorded server. Its group counts only while its first process lives: then it is its own."""

    def look() -> tuple[Process, ...]:
        root = record.server if record.server and _alive(record.server) else None
        found = family(root, record.mark, known=tuple(seen))
        seen.update({one.identity: one for one in found})
        return found

    return look


def _told(record: Record, seen: Iterable[Process], alive: Iterable[Process]) -> LeftOver:
    return LeftOver(
        model=record.model,
        port=record.port,
        command=record.command,
        log=Path(record.log),
        at=record.at,
        processes=tuple(sorted(one.pid for one in seen)),
        alive=tuple(sorted(one.pid for one in alive)),
    )


def _alive(identity: tuple[int, str]) -> bool:
    one = process(identity[0])
    return one is not None and one.identity == identity


def _read(path: Path) -> Record:
    told: dict[str, Any] = json.loads(path.read_bytes())
    if told.pop("version") != 1:
        raise ValueError("of another version")
    record = Record(**told)
    server = None if record.server is None else _identity(record.server)
    if record.mark != path.stem or not {"host", "boot", "space"} <= set(record.where):
        raise ValueError("not of this file")
    return replace(record, owner=_identity(record.owner), server=server)


def _identity(pair: Iterable[Any]) -> tuple[int, str]:
    pid, started = pair
    return int(pid), str(started)


def prune_logs(folder: Path) -> None:
    """Delete all but the newest logs."""
    with suppress(OSError):
        logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in logs[KEPT_LOGS:]:
            path.unlink(missing_ok=True)


def _path(folder: Path, mark: str) -> Path:
    return folder / f"{mark}.json"


def _cannot(path: Path, problem: OSError) -> WriteError:
    said = (problem.strerror or str(problem)).lower()
    return WriteError(f"cannot write {path}: {said}", hint="no server was started: make room, or mend the permissions")
