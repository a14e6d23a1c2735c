"""A recipe to start from, for a model that has none: one that `check` takes, and of which the rows can be made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptforge.compiler.build import Build
from promptforge.dataset.mix import TooFewError
from promptforge.dataset.recipe import read_recipes
from promptforge.dataset.rows import Recipe
from promptforge.errors import InputError
from promptforge.model import Model
from promptforge.workbench.datasets import make_rows
from promptforge.workbench.recipes import Recipes
from promptforge.workbench.replays import replay_files
from promptforge.workbench.suites import Suites, agent_names
from promptforge.yamlio import parse

__all__ = ["propose"]

_ROWS = 1200
_TRIES = 6
"""So often at most the rows are tried: each time fewer are asked for, or of one kind none."""
_REPLAY = "training/replay/*.jsonl"
_MIXES: Mapping[str, Mapping[str, int]] = {
    "balanced": {"identity": 20, "infrastructure": 35, "domain": 20, "jailbreak": 8, "replay": 17},
    "full": {"identity": 28, "infrastructure": 22, "domain": 25, "jailbreak": 8, "replay": 17},
}
"""In hundredths."""
_WRITE = {
    "replay": f"write {_REPLAY} first, chats of anything but this house: what is not trained along is forgotten",
    "jailbreak": "write training/jailbreak.yaml first, orders to refuse: what is not trained along is forgotten",
    "domain": "no example can be made into a row: write some in fewshot/",
    "identity": "no row can be made of the personas",
}


def propose(build: Build, suites: Suites, recipes: Recipes, model: Model, wanted: str) -> str:
    """A recipe file for the agents that a model answers for; empty where none can be made.

    `wanted` is `balanced` or `full`. A kind of which there is nothing is left out of the mix, and a comment says what
    to write; there are as many rows as can be made, so this may take a few seconds.
    """
    agents = [name for name, agent in build.project.agents.items() if agent.model and agent.model.name == model.name]
    if not agents:
        return ""
    files = {"jailbreak": [*recipes.attacks], "replay": [_REPLAY] if replay_files(build, [_REPLAY]) else []}
    missing = [kind for kind, own in files.items() if not own]
    rows = _ROWS
    for _ in range(_TRIES):
        mix = _without(_MIXES[wanted], missing)
        text = _text(f"{model.name}-{wanted}", agents, model.name, rows, mix, files, missing)
        recipe = _read(build, recipes, text) if mix else None
        if recipe is None:
            return ""
        try:
            made = make_rows(build, suites, _alone(recipes), recipe)
        except TooFewError as problem:
            if problem.nothing_of:
                missing.append(problem.nothing_of)
            else:
                rows = problem.rows
        except InputError:
            return ""  # an agent that cannot be compiled for this model, or an error that check names
        else:
            if len(made.mixed) == rows:
                return text
            rows = len(made.mixed)
    return ""


def _without(mix: Mapping[str, int], missing: Sequence[str]) -> dict[str, int]:
    """The mix without some kinds, whose share goes to the facts of the house; never to identity, which does harm."""
    kept = {kind: share for kind, share in mix.items() if kind not in missing}
    if "infrastructure" not in kept:
        return {}
    return {**kept, "infrastructure": kept["infrastructure"] + 100 - sum(kept.values())}


def _text(
    name: str,
    agents: Sequence[str],
    model: str,
    rows: int,
    mix: Mapping[str, int],
    files: Mapping[str, Sequence[str]],
    missing: Sequence[str],
) -> str:
    shares = ", ".join(f"{kind}: {share / 100:.2f}" for kind, share in mix.items())
    sources = ", ".join(f"{kind}: [{', '.join(own)}]" for kind, own in files.items() if kind in mix)
    return "".join(
        [
            *(f"# {_WRITE[kind]}\n" for kind in missing),
            f"recipe: {name}\n",
            f"agents: [{', '.join(agents)}]\n",
            f"model: {model}\n",
            "system: enriched\n",
            f"rows: {rows}\n",
            f"mix: {{{shares}}}\n",
            f"sources: {{{sources}}}\n" if sources else "",
            "max_share_per_fact: 0.05\n" if rows < _ROWS else "",
        ]
    )


def _read(build: Build, recipes: Recipes, text: str) -> Recipe | None:
    """The recipe as `check` reads it, or nothing where that finds anything wrong."""
    file = "training/proposed.yaml"
    document, problems = parse(file, text.encode("utf-8"))
    if document is None or problems:
        return None
    project = build.project
    made, found = read_recipes(
        {file: document}, project.config, project.agents, names=agent_names(build), files=[*recipes.attacks]
    )
    return made[0] if made and not found else None


def _alone(recipes: Recipes) -> Recipes:
    """The attacks and the wording: what is wrong with other recipes is no matter."""
    return replace(recipes, recipes={}, diagnostics=())
