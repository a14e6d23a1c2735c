"""Where and when a run was made: what a report says about it, so that somebody can make it again."""

import datetime
import platform
import subprocess
from pathlib import Path

from promptforge import __version__
from promptforge.compiler.build import Build
from promptforge.files import digest_of

__all__ = ["environment", "now_utc"]


def environment(root: Path, build: Build) -> dict[str, str]:
    """Versions, platform, the commit where git knows one, and a digest of everything that was compiled."""
    return {
        "promptforge": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **_commit(root),
        "knowledge": digest_of(str(sorted(build.artifact.inputs.items())))[:16],
    }


def _commit(root: Path) -> dict[str, str]:
    """The commit, and whether the files differ from it. One call says both: each costs some milliseconds."""
    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = done.stdout.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    if done.returncode or commit == "(initial)":
        return {}
    changed = any(not line.startswith("#") for line in lines)
    return {"git commit": commit[:12], "git state": "changed since" if changed else "as committed"}


def now_utc() -> str:
    """The moment, ISO 8601 in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
