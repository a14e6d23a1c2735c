"""Which rows of a written dataset rest on which facts, and what these facts said when the rows were made."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptforge.dataset.encoding import encoded
from promptforge.dataset.manifest import FACTS, KNOWLEDGE, Manifest
from promptforge.dataset.swap import aside
from promptforge.errors import InputError
from promptforge.files import digest_of

__all__ = ["changed_facts", "fact_digest", "facts_then", "rows_on"]

_FACT = re.compile(rb'"((?:[^"\\]|\\.)*)":(\[.*\]),?\n?')
_HINT = "build the dataset again"


def fact_digest(values: Mapping[str, Any]) -> str:
    """What a fact says: an empty column is as good as none, and the day on which somebody looked is no part of it."""
    said = {column: value for column, value in values.items() if value is not None and column != "verified"}
    return digest_of(json.dumps(said, sort_keys=True, ensure_ascii=False))


def rows_on(folder: Path, facts: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """The ids of the rows that rest on each of these facts; a fact that none rests on is left out.

    Reads facts.json line by line, one fact a line, and only what is asked for is taken in. Raises InputError.
    """
    wanted = {encoded(fact)[1:-1]: fact for fact in facts}
    path = _place(folder) / FACTS
    found: dict[str, Sequence[str]] = {}
    try:
        with path.open("rb") as lines:
            whole = lines.readline() == b"{\n"
            line = b""
            for line in lines:
                match = _FACT.fullmatch(line)
                whole = whole and (match is not None or line in (b"}\n", b"\n"))
                if match and match[1] in wanted:
                    found[wanted[match[1]]] = tuple(json.loads(match[2]))
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    except ValueError as problem:
        raise InputError(f"{path} is damaged", hint=_HINT) from problem
    if not whole or line != b"}\n":
        raise InputError(f"{path} is damaged", hint=_HINT)
    return {fact: found[fact] for fact in wanted.values() if fact in found}


def changed_facts(folder: Path, manifest: Manifest, now: Mapping[str, str], *, partial: bool = False) -> list[str]:
    """The facts that rows rest on and that no longer say what they said then. `now` is fact to digest.

    With `partial` some facts of today are not known: those that are missing count as they were. Raises InputError
    where the dataset does not say, or its index is not as it was written.
    """
    place = _place(folder)
    for name in (FACTS, KNOWLEDGE):
        if name in manifest.files:
            _as_written(place / name, manifest.files[name].bytes)
    then = facts_then(folder)
    return [fact for fact, digest in then.items() if now.get(fact, digest if partial else "") != digest]


def facts_then(folder: Path) -> Mapping[str, str]:
    """What the facts that rows rest on said when they were made: fact to digest. Raises InputError."""
    place = _place(folder)
    try:
        told: Any = json.loads((place / KNOWLEDGE).read_bytes())
        return {str(fact): str(digest) for fact, digest in told.items()}
    except FileNotFoundError as problem:
        message = f"{place} does not say what its facts were: an earlier promptforge wrote it"
        raise InputError(message, hint=_HINT) from problem
    except OSError as problem:
        raise _unreadable(place / KNOWLEDGE, problem) from problem
    except (ValueError, AttributeError) as problem:
        raise InputError(f"{place / KNOWLEDGE} is damaged", hint=_HINT) from problem


def _as_written(path: Path, size: int) -> None:
    try:
        there = path.stat().st_size
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    if there != size:
        raise InputError(f"{path} is damaged: it has {there:,} bytes, and {size:,} were written", hint=_HINT)


def _unreadable(path: Path, problem: OSError) -> InputError:
    return InputError(f"cannot read {path}: {(problem.strerror or str(problem)).lower()}", hint=_HINT)


def _place(folder: Path) -> Path:
    """The folder, or where a killed writer left it."""
    return folder if folder.is_dir() else aside(folder)
