"""Tell the user how a night went, by a command of his own: `notify` in promptforge.yaml."""

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

__all__ = ["notify"]

_PATIENCE_S = 60.0


def notify(command: str, text: str, facts: Mapping[str, str], *, root: Path, environ: Mapping[str, str]) -> str:
    """Run the command in the project's folder, the text on its standard input, the facts as `PROMPTFORGE_…`.

    No shell is between. What went wrong in words, or nothing: a notice that fails changes no verdict.
    """
    try:
        words = shlex.split(command)
    except ValueError as problem:
        return f"notify cannot be read: {str(problem).lower()}"
    if not words:
        return ""
    told = {**environ, **{f"PROMPTFORGE_{name.upper()}": _plain(value) for name, value in facts.items()}}
    try:
        done = subprocess.run(
            words,
            input=text,
            env=told,
            cwd=root,
            timeout=_PATIENCE_S,
            encoding="utf-8",  # under cron the system's own may know no more than ASCII
            errors="replace",
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"notify: {words[0]} took longer than {_PATIENCE_S:g} s and was stopped"
    except OSError as problem:
        return f"notify: {words[0]}: {(problem.strerror or str(problem)).lower()}"
    said = (done.stderr or done.stdout).strip().splitlines()
    return f"notify: {words[0]} ended with {done.returncode}: {said[-1] if said else ''}" if done.returncode else ""


def _plain(text: str) -> str:
    """Text as a variable of the environment may hold it: whatever a trainer said last may stand in it."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
