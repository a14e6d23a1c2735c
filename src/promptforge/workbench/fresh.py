"""A build of unchanged files is a look, not a build: the last report again, when nothing it rests on has changed.

Imports nothing heavy. What it trusts is content, never times: every input and output is read and its digest compared.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptforge import __version__
from promptforge.files import TEMPORARY, content_digest, digest_of, input_paths, read_file

__all__ = ["EDITORS", "Seen", "Shown", "editors_served", "made_by", "remember", "unchanged"]

Seen = dict[str, tuple[bytes, str]]
"""The content and the digest of input files that were read."""

_MEMORY = ".promptforge/last_build.json"
EDITORS = ".promptforge/editors"
"""There once schemas for editors were written."""
_PLACES = ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "HOME", "TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")
"""Variables that say where tokenizers lie."""


def made_by() -> list[object]:
    """What makes a build beside its files: another version, another environment and other caches may make another."""
    places = [os.environ.get(name) for name in _PLACES]
    return [2, __version__, list(sys.version_info[:3]), sys.prefix, places]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a build printed."""

    text: str
    """Of a build that changes nothing."""
    coloured: str
    diagnostics: str
    diagnostics_coloured: str
    report: Mapping[str, Any]
    """As JSON."""


def editors_served(root: Path) -> bool:
    """Whether the schemas that a build wrote for editors are still there; where none were, none are missed."""
    return not (root / EDITORS).exists() or (root / "schemas/.gitignore").exists()


def unchanged(root: Path, *, today: str, output: str | None, seen: Seen) -> Shown | None:
    """What the last build would print again, or nothing when it must be made anew.

    What was read until that was clear is put into `seen`, so that nobody need read it again.
    """
    try:
        if any(path.name.endswith((TEMPORARY, "pending.json")) for path in (root / ".promptforge").iterdir()):
            return None  # a killed process left something to finish or to sweep away
        if not editors_served(root):
            return None
        memory = json.loads((root / _MEMORY).read_bytes())
        if memory["format"] != made_by() or memory["asked"] != output or memory["today"] not in (None, today):
            return None
        files: dict[str, str] = memory["inputs"]
        if input_paths(root) != list(files):
            return None
        if any(content_digest(root / path) != digest for path, digest in memory["others"].items()):
            return None
        for path, digest in files.items():
            content = read_file(root, path, limit_mb=2**20)
            if not isinstance(content, bytes):
                return None
            seen[path] = content, digest_of(content)
            if seen[path][1] != digest:
                return None
        if any((root / path).stat().st_mode & 0o077 for path in memory["private"]):
            return None
        return Shown(**memory["shown"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(
    root: Path,
    shown: Shown,
    *,
    asked: str | None,
    today: str | None,
    inputs: Mapping[str, str],
    others: Mapping[Path, str],
    private: Sequence[Path],
) -> None:
    """Keep what `unchanged` needs.

    `inputs` and `others` (outputs, tokenizers) are digests by path; `today` if the day matters; `private` are those of
    them that only the owner may read.

    A memory that cannot be kept is no loss: the next build is made anew.
    """
    memory = {
        "format": made_by(),
        "asked": asked,
        "today": today,
        "inputs": dict(inputs),
        "others": {os.path.relpath(path, root): digest for path, digest in others.items()},
        "private": [os.path.relpath(path, root) for path in private],
        "shown": {name: getattr(shown, name) for name in Shown.__dataclass_fields__},
    }
    place = root / _MEMORY
    temporary = Path(f"{place}.{os.getpid()}{TEMPORARY}")
    try:
        # What was printed may quote private facts.
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(json.dumps(memory, ensure_ascii=False))  # dump would not use the fast encoder
        os.replace(temporary, place)
    except OSError:
        temporary.unlink(missing_ok=True)
