"""training/*.yaml -> recipes: shapes checked, contradictions refused with the arithmetic. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from promptforge.dataset.rows import KINDS, Kind, Recipe, Share, Trainer
from promptforge.document import Document, Path
from promptforge.model import Agent, Config
from promptforge.schema import check_shape
from promptforge.source import Diagnostic, Span, did_you_mean

__all__ = ["BATCH_SIZE", "batch_size", "read_recipes"]

BATCH_SIZE = 4
"""Rows that a trainer takes at once where the recipe does not say: mlx_lm's default."""
_TRAINERS = {"mlx": "mlx_lm"}
_NEAR = 0.001
"""Shares that add up to 1 within this add up."""


def batch_size(recipe: Recipe) -> int:
    """How many rows the trainer takes at once: a split may not have fewer."""
    return int(recipe.trainer.settings.get("batch_size", BATCH_SIZE))


def read_recipes(
    documents: Mapping[str, Document],
    config: Config,
    agents: Mapping[str, Agent],
    *,
    names: Collection[str],
    files: Collection[str],
) -> tuple[tuple[Recipe, ...], list[Diagnostic]]:
    """The recipes of these documents, and everything wrong with them. One with an error is left out.

    `names` are those of all agents, those whose own files are broken included; `files` are those of training/.
    """
    found: list[Diagnostic] = []
    recipes: dict[str, Recipe] = {}
    for document in documents.values():
        problems, wrong = check_shape(document, "recipe")
        found += problems
        if wrong:
            continue
        own = list(_Judge(document, config, agents, names, files).problems())
        name = document.data["recipe"]
        if first := recipes.get(name):
            place, related = document.span(("recipe",)), ((Span(file=first.file), "first here"),)
            message, hint = f"a second recipe is called '{name}'", "give one of them another name"
            own.append(Diagnostic(code="PF801", span=place, message=message, hint=hint, related=related))
        found += own
        if not any(problem.severity == "error" for problem in own):
            recipes[name] = _recipe(document)
    return tuple(recipes.values()), found


def _recipe(document: Document) -> Recipe:
    data: Mapping[str, Any] = document.data
    sources, split, trainer = data.get("sources", {}), data.get("split", {}), dict(data.get("trainer", {}))
    form = data.get("format", "mlx")
    kind = trainer.pop("kind", _TRAINERS.get(form, form))
    return Recipe(
        name=data["recipe"],
        file=document.file,
        agents=tuple(map(str, data["agents"])),
        model=str(data["model"]),
        system=data.get("system", "enriched"),
        rows=data["rows"],
        mix=_mix(data),
        limits=_limits(data),
        replay=tuple(sources.get("replay", ())),
        jailbreak=tuple(sources.get("jailbreak", ())),
        weak_from=str(data.get("weak_from") or ""),
        format=form,
        trainer=Trainer(kind=kind, settings=trainer),
        valid=float(split.get("valid", Recipe.__dataclass_fields__["valid"].default)),
        test=float(split.get("test", Recipe.__dataclass_fields__["test"].default)),
        max_share_per_fact=float(data.get("max_share_per_fact", 0.02)),
        paraphrase=str(data.get("paraphrase") or ""),
        seed=int(data.get("seed", 0)),
        seeds=int(data.get("seeds", 1)),
        settings=data,
    )


def _mix(data: Mapping[str, Any]) -> dict[Kind, float]:
    return {kind: float(data["mix"][kind]) for kind in KINDS if data["mix"].get(kind)}


def _limits(data: Mapping[str, Any]) -> dict[Kind, Share]:
    limits = data.get("limits", {})
    return {
        kind: Share(float(limits[kind].get("min", 0)), float(limits[kind].get("max", 1)))
        for kind in KINDS
        if kind in limits
    }


class _Judge:
    """Finds what is wrong with one recipe of the right shape."""

    def __init__(
        self,
        document: Document,
        config: Config,
        agents: Mapping[str, Agent],
        names: Collection[str],
        files: Collection[str],
    ) -> None:
        self.document, self.data, self.config = document, document.data, config
        self.agents, self.names, self.files = agents, names, files

    def problems(self) -> Iterator[Diagnostic]:
        """All of them."""
        yield from self._names()
        yield from self._shares()
        yield from self._contradictions()
        yield from self._too_few()
        yield from self._sources()

    def _say(self, code: str, path: Path, message: str, hint: str = "", *, key: bool = False) -> Diagnostic:
        return Diagnostic(code=code, span=self.document.span(path, key=key), message=message, hint=hint)

    # --- names

    def _names(self) -> Iterator[Diagnostic]:
        models = self.config.models
        for key in ("model", "paraphrase"):
            name = self.data.get(key)
            if name and name not in models:
                yield self._say("PF305", (key,), f"no model '{name}'", did_you_mean(str(name), models))
        for number, name in enumerate(self.data["agents"]):
            if name not in self.names:
                yield self._say("PF304", ("agents", number), f"no agent '{name}'", did_you_mean(name, self.names))
                continue
            agent, model = self.agents.get(name), models.get(self.data["model"])
            if agent and model and agent.privacy == "local" and model.tier == "cloud":
                message = f"agent '{name}' is local by privacy, and the recipe trains '{model.name}', in the cloud"
                yield self._say("PF502", ("agents", number), message, "train a local model, or leave the agent out")

    # --- the mix

    def _shares(self) -> Iterator[Diagnostic]:
        mix = self.data["mix"]
        total = sum(float(share) for share in mix.values())
        if abs(total - 1) > _NEAR:
            terms = " + ".join(f"{kind} {float(share):g}" for kind, share in mix.items())
            message = f"the shares add up to {total:.4g}, not to 1: {terms}"
            missing = f"{abs(1 - total):.4g} {'are missing' if total < 1 else 'are too many'}"
            yield self._say("PF802", ("mix",), message, f"change a share: {missing}", key=True)

    def _contradictions(self) -> Iterator[Diagnostic]:
        limits: Mapping[str, Any] = self.data.get("limits", {})
        for kind, limit in limits.items():
            least, most = float(limit.get("min", 0)), float(limit.get("max", 1))
            share = float(self.data["mix"].get(kind, 0))
            if least > most:
                message = f"{kind} is to have at least {least:g} and at most {most:g} of the rows"
                yield self._say("PF803", ("limits", kind), message, "swap the two, or drop one", key=True)
            elif not least - _NEAR <= share <= most + _NEAR:
                bound = f"at least {least:g}" if share < least else f"at most {most:g}"
                message = f"{kind} has {share:g} of the mix, and its limit is {bound}"
                yield self._say("PF803", ("limits", kind), message, "change the share, or the limit", key=True)

    # --- too few rows for what is asked

    def _too_few(self) -> Iterator[Diagnostic]:
        rows, most = self.data["rows"], float(self.data.get("max_share_per_fact", 0.02))
        if rows * most < 1:
            message = f"max_share_per_fact {most:g} of {rows:,} rows is {rows * most:.3g}: not one row a fact"
            hint = f"ask for {_least(1, most):,} rows or more, or allow {1 / rows:.3g} a fact" if most else "raise it"
            yield self._say("PF804", ("max_share_per_fact",), message, hint)
        split: Mapping[str, Any] = self.data.get("split", {})
        valid, test = float(split.get("valid", 0.05)), float(split.get("test", 0.05))
        batch = int(self.data.get("trainer", {}).get("batch_size", BATCH_SIZE))
        kept = sum(max(batch, share * rows) for share in (valid, test) if share)
        if rows - kept < batch:
            message = (
                f"{rows:,} rows are too few: valid and test take {kept:g} (of each at least {batch}, "
                f"the trainer's batch), and train is left {max(0, rows - kept):g}"
            )
            yield self._say("PF804", ("rows",), message, f"ask for {3 * batch} rows or more, or lower the split")
        for kind, share in self.data["mix"].items():
            if 0 < rows * float(share) < 0.5:
                message = f"{kind} has {float(share):g} of {rows:,} rows, which is {rows * float(share):.2g}: no row"
                yield self._say("PF804", ("mix", kind), message, f"ask for {_least(0.5, float(share)):,} rows or more")

    # --- files

    def _sources(self) -> Iterator[Diagnostic]:
        sources: Mapping[str, Sequence[str]] = self.data.get("sources", {})
        for kind in ("replay", "jailbreak"):
            if self.data["mix"].get(kind) and not sources.get(kind):
                message = f"{kind} has {float(self.data['mix'][kind]):g} of the mix, and no file to take it from"
                yield self._say("PF805", ("mix", kind), message, f"name one: sources: {{{kind}: [{_FILES[kind]}]}}")
        for number, pattern in enumerate(sources.get("jailbreak", ())):
            if not any(fnmatchcase(file, pattern) for file in self.files):
                hint = did_you_mean(pattern, self.files) or "write it in training/"
                message = f"no file of training/ is called '{pattern}'"
                yield self._say("PF805", ("sources", "jailbreak", number), message, hint)


_FILES = {"replay": "training/replay/*.jsonl", "jailbreak": "training/jailbreak.yaml"}


def _least(wanted: float, share: float) -> int:
    """The least number of rows of which a share is so many."""
    rows = int(wanted / share)
    return rows if rows * share >= wanted else rows + 1
