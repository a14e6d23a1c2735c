"""Where this installation came from, as pip noted it: so that a CI job can install the same."""

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any
from urllib.parse import urlsplit

__all__ = ["installed_from", "source_of"]


def installed_from() -> str:
    """What `pip install` takes to install this promptforge elsewhere; nothing where that cannot be told."""
    try:
        noted = json.loads(distribution("promptforge").read_text("direct_url.json") or "null")
    except (PackageNotFoundError, ValueError, OSError):
        return ""
    return source_of(noted) if isinstance(noted, dict) else ""


def source_of(noted: Mapping[str, Any]) -> str:
    """The source of a `direct_url.json` (PEP 610). A folder of this machine is none, and neither is a URL with a login.

    >>> source_of({"url": "https://git.example/a/promptforge.git", "vcs_info": {"vcs": "git", "commit_id": "1f0c"}})
    'git+https://git.example/a/promptforge.git@1f0c'
    >>> source_of({"url": "file:///home/mara/promptforge", "dir_info": {}})
    ''
    """
    url, vcs, archive = (noted.get(key) for key in ("url", "vcs_info", "archive_info"))
    if not isinstance(url, str) or not _elsewhere(url):
        return ""
    where = f"subdirectory={noted['subdirectory']}" if isinstance(noted.get("subdirectory"), str) else ""
    if isinstance(vcs, dict) and isinstance(vcs.get("vcs"), str) and isinstance(vcs.get("commit_id"), str):
        return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" + (f"#{where}" if where else "")
    if not isinstance(archive, dict):
        return ""
    digest = archive.get("hash")
    parts = [where, digest if isinstance(digest, str) and digest.startswith("sha") else ""]
    fragment = "&".join(part for part in parts if part)
    return url + (f"#{fragment}" if fragment else "")


def _elsewhere(url: str) -> bool:
    """Whether another machine can use it: a file's URL leads to this one, and a password must not get into a file."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isprintable() and not any(character in url for character in "\"'$`\\ ")
    named = parts.username if parts.scheme in ("http", "https") else parts.password
    return plain and parts.scheme != "file" and bool(parts.hostname) and not named
