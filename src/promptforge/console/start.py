"""What `init` made, and what to do next."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from promptforge.console.terminal import Painter, columns, plural
from promptforge.workbench.scaffold import WORKFLOW, Scaffold

if TYPE_CHECKING:  # it brings the compiler, which a new project does not need
    from promptforge.workbench.adopt import Adopted

__all__ = ["adopted_text", "lacking_text", "left_text", "scaffold_text"]

_ABOUT: Mapping[str, str] = {
    "promptforge.yaml": "settings and models",
    "knowledge/house.yaml": "what is true: hosts, ports, devices, entities",
    "agents/keeper.yaml": "an agent in the house, who may know what is private",
    "agents/steward.yaml": "an agent in the cloud, who may not",
    "agents/templates/house-rules.md.j2": "a text that both are given",
    "fewshot/house.yaml": "worked examples, with the facts filled in",
    "suites/house.yaml": "questions with the answers that are right",
    "schemas": "for editors: they complete and check what you type",
    ".gitignore": "what is built stays out of git",
    ".pre-commit-config.yaml": "the same checks before each commit, if you use pre-commit",
    ".github/workflows/promptforge.yml": "the same checks on each pull request",
}


def scaffold_text(made: Scaffold, paint: Painter, *, empty: bool = False) -> str:
    """The files of a new project, and the next commands; an `empty` one is to be filled first."""
    if empty:
        head = f"{paint('made', 'green')} a project without facts in {_shown(made.root)}"
        commands = {
            "tailscale status --json > status.json": "a dump of what you have; others: promptforge import --help",
            "promptforge import tailscale status.json": "takes its facts over",
        }
        about = {"knowledge/house.yaml": "what is true: nothing so far"}
        return "\n".join([head, _files(made.written, about), *_next(made, commands, paint)])
    commands = {
        "promptforge build": "compile the two prompts",
        "promptforge explain steward": "where each line comes from, and what was left out",
        "promptforge bench --model reader": "ask the suite: which answers can be found in the prompts? free",
    }
    head = f"{paint('made', 'green')} a small invented house in {_shown(made.root)}, to be written over"
    return "\n".join([head, _files(made.written, {}), *_next(made, commands, paint)])


def adopted_text(adopted: "Adopted", paint: Painter) -> str:
    """The files of a project of prompts that were there before, and the next two commands."""
    made = adopted.scaffold
    entries = adopted.build.artifact.entries
    about = {
        entry.file: f"{entry.enriched.tokens:,} tokens" + ("" if entry.exact else ", estimated")
        for entry in entries.values()
    }
    first = {"promptforge build": "gives the same prompts back, byte for byte"}
    if adopted.build.errors:
        first = {"promptforge check": "what must be mended before they can be built"}
    commands = {
        **first,
        f"promptforge explain {shlex.quote(adopted.agents[0])}": "where each line comes from",
    }
    head = f"{paint('took over', 'green')} {plural(len(adopted.agents), 'prompt')} into {_shown(made.root)}"
    return "\n".join([head, _files(made.written, about), *_next(made, commands, paint)])


def _files(written: Iterable[str], about: Mapping[str, str]) -> str:
    rows: dict[str, str] = {}
    for path in written:
        name = "schemas" if path.startswith("schemas/") else path
        rows[name] = about.get(path) or _ABOUT.get(name) or ("worked examples" if path.startswith("fewshot/") else "")
    return columns([(name + "/" * (name == "schemas"), text) for name, text in rows.items()], indent="  ")


def _next(made: Scaffold, commands: Mapping[str, str], paint: Painter) -> Iterator[str]:
    if made.open:
        yield f"before CI can run: say in {WORKFLOW} where it installs promptforge from (PROMPTFORGE_SOURCE)"
    yield paint("next", "bold")
    if made.root.resolve() != Path.cwd():
        yield f"  cd {shlex.quote(str(made.root))}"
    yield columns(list(commands.items()), indent="  ")


def _shown(root: Path) -> str:
    return "this folder" if root.resolve() == Path.cwd() else str(root)


def lacking_text(lacking: Mapping[str, Iterable[str]]) -> str:
    """The files that stay as they were, and what they should say too."""
    return "\n".join(
        f"{file} was there and stays as it is; add to it: {', '.join(words)}" for file, words in lacking.items()
    )


def left_text(left: Mapping[str, Iterable[str]]) -> str:
    """What was not taken over."""
    return "\n".join(f"not taken over of {agent}: {', '.join(keys)}" for agent, keys in left.items())
