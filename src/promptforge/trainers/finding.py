"""Where a trainer is installed: a command or a Python that is named, its command on the PATH, or this very Python."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from promptforge.trainers.axolotl import Axolotl
from promptforge.trainers.base import Found, Trainer, TrainerMissingError
from promptforge.trainers.llamafactory import LlamaFactory
from promptforge.trainers.mlx_lm import MlxLm
from promptforge.trainers.trl import Trl

__all__ = ["TRAINERS", "find_trainer"]

TRAINERS: Mapping[str, Trainer] = {trainer.kind: trainer for trainer in (MlxLm(), Trl(), Axolotl(), LlamaFactory())}
"""By their kinds in a recipe."""
_PATIENCE_S = 60.0
_PROBE = """\
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""
_SHEBANG = re.compile(r"#!\s*(\S+)|'''exec' \"?([^\"\n]+?)\"? \"\$0\"")


def find_trainer(
    trainer: Trainer, *, python: str = "", command: str = "", root: Path, environ: Mapping[str, str]
) -> Found:
    """The trainer on this machine. `python` and `command` are as in a recipe: paths are relative to the project.

    Raises TrainerMissingError, which has the exact command that installs it.
    """
    if command:
        return _by_command(trainer, command, root, environ)
    if python:
        place = _executable(python, root, environ)
        if place is None:
            hint = "name a Python that has it: a path, relative to the project, or a command"
            raise TrainerMissingError(f"there is no Python '{python}' to train with {trainer.kind}", hint=hint)
        return _in(trainer, place, environ)
    tool = shutil.which(trainer.tool, path=environ.get("PATH"))
    if tool and (beside := _python_of(Path(tool))):
        return _in(trainer, beside, environ)
    if tool and trainer.start("") == (trainer.tool,):  # a command without a Python that we could ask
        return Found(start=(tool,))
    return _in(trainer, sys.executable, environ)


def _by_command(trainer: Trainer, command: str, root: Path, environ: Mapping[str, str]) -> Found:
    words = shlex.split(command)
    place = _executable(words[0], root, environ) if words else None
    if place is None:
        hint = f"mend `command` in the recipe's trainer; or install it: pip install {trainer.install}"
        raise TrainerMissingError(f"there is no command '{command}' to train with", hint=hint)
    python = _python_of(Path(place)) or ""
    versions = (_versions(python, trainer.packages, environ) or {}) if python else {}
    return Found(start=(place, *words[1:]), versions=versions)


def _executable(name: str, root: Path, environ: Mapping[str, str]) -> str | None:
    if "/" in name:  # not resolved: the Python of a virtual environment is a link, and knows itself by its name
        return shutil.which(str(root / Path(name).expanduser()))
    return shutil.which(name, path=environ.get("PATH"))


def _in(trainer: Trainer, python: str, environ: Mapping[str, str]) -> Found:
    versions = _versions(python, trainer.packages, environ)
    hint = f"install it: {shlex.quote(python)} -m pip install {trainer.install}"
    if versions is None:
        raise TrainerMissingError(f"{python} is no Python that runs", hint="name another: --python PATH")
    for package in trainer.packages:
        if package not in versions:
            what = f"{trainer.kind} is not installed" if package == trainer.packages[0] else f"{package} is missing"
            more = "; or name a Python that has it: trainer: {python: PATH} in the recipe, or --python PATH"
            looked = f"looked on the PATH for {trainer.tool}, and in {python}"
            raise TrainerMissingError(f"{what}: {looked}", hint=hint + more)
    return Found(start=trainer.start(python), versions=versions)


def _versions(python: str, packages: Sequence[str], environ: Mapping[str, str]) -> dict[str, str] | None:
    """The versions of those packages that this Python has; None where it is none."""
    try:
        done = subprocess.run(
            [python, "-c", _PROBE, *packages],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE_S,
        )
        told = json.loads(done.stdout)
        return {str(name): str(version) for name, version in told.items()}
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError):
        return None


def _python_of(tool: Path) -> str | None:
    """The Python that a command belongs to: itself, or the one that its first lines name."""
    if re.fullmatch(r"python[\d.]*(\.exe)?", tool.name):
        return str(tool)
    try:
        with tool.open("rb") as file:
            start = file.read(2048).decode(errors="replace")
    except OSError:
        return None
    for line in start.splitlines()[:2]:
        found = _SHEBANG.match(line)
        named = found and (found[1] or found[2])
        if named and "python" in Path(named).name:
            return str(named)
    return None
