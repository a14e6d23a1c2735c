"""`dataset audit`: what a project knows, brought together for holding anybody's rows against it."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from promptforge.bench.guard import Guard
from promptforge.compiler.build import Build, compile_project, without_collection
from promptforge.compiler.choose import clearance_of
from promptforge.compiler.scan import scan, suspicious
from promptforge.dataset.audit import Against, audit
from promptforge.dataset.contamination import Written
from promptforge.dataset.findings import DEFAULT_LIMITS, Audit, Limits
from promptforge.dataset.naming import Namer
from promptforge.dataset.readfile import sources
from promptforge.dataset.rows import Recipe
from promptforge.errors import UsageError
from promptforge.files import read_folder
from promptforge.model import LEVELS, Model
from promptforge.sandbox import render_chat
from promptforge.source import did_you_mean
from promptforge.tokens import Tokenizer, TokenizerError, load_tokenizer
from promptforge.workbench.asmade import as_made, recipe_of
from promptforge.workbench.recipes import find_recipe, load_recipes
from promptforge.workbench.suites import load_suites

__all__ = ["against_project", "audit_files", "limits_for", "secret_in"]


def audit_files(
    paths: Sequence[Path],
    *,
    root: Path | None,
    today: datetime.date,
    recipe: str = "",
    model: str = "",
    kind_column: str = "",
    seen: Callable[[int], None] | None = None,
) -> Audit:
    """The audit of these files and folders; `root` is that of the project, or None where there is none.

    What promptforge wrote is first held against its manifest, and, unless another is named, judged by its own recipe.
    Raises UsageError for a recipe or a model that the project does not have, InputError for files without a row.
    """
    found = sources(paths)
    if root is None:
        build, against = None, _without_project(recipe, model, kind_column)
    else:
        build = compile_project(read_folder(root), today=today)
        recipes = load_recipes(build)
        wanted = find_recipe(recipes, recipe) if recipe else recipe_of(paths, recipes)
        named = _model(build, model or (wanted.model if wanted else ""))
        against = against_project(build, recipe=wanted, model=named, kind_column=kind_column)
    made = as_made(paths, build)
    unchecked = (*against.unchecked, *made.unchecked)
    against = replace(against, findings=made.findings, compared=made.compared, unchecked=unchecked)
    with without_collection():  # rows make no cycles
        return audit(found, against, seen=seen)


def _without_project(recipe: str, model: str, kind_column: str) -> Against:
    if recipe or model:
        what = f"the recipe '{recipe}'" if recipe else f"the model '{model}'"
        raise UsageError(f"no project here that could have {what}", hint="go to it, or name it: promptforge -C DIR")
    unchecked = (
        "no project here: kinds go by the words alone; contradictions, contamination and private values not checked",
    )
    tokenizer = load_tokenizer("estimate", root=Path())
    return Against(secrets=secret_in, tokenizer=tokenizer, kind_column=kind_column, unchecked=unchecked)


def _model(build: Build, name: str) -> Model | None:
    if not name:
        return None
    models = build.project.config.models
    if name not in models:
        raise UsageError(f"no model '{name}' in promptforge.yaml", hint=did_you_mean(name, models))
    return models[name]


def against_project(build: Build, *, recipe: Recipe | None, model: Model | None, kind_column: str = "") -> Against:
    """What the rows of a set are held against, in this project and for this model."""
    project, unchecked = build.project, list[str]()
    suites = load_suites(build)
    namer = Namer(project.tables)
    written = Written({suite.name: suite.cases for suite in suites.suites.values()}, namer)
    if not written.cases:
        unchecked.append("contamination: the project has no written case")
    if build.errors:
        count = f"{len(build.errors)} error{'s' if len(build.errors) > 1 else ''}"
        unchecked.append(f"what is wrong in the project ({count}: promptforge check) was left out")
    tokenizer = _tokenizer(model, build.tree.root, unchecked)
    if model is None:
        unchecked.append("token lengths are an estimate, and clearance goes by agent: name the model (--model)")
    return Against(
        limits=limits_for(recipe),
        namer=namer,
        written=written if written.cases else None,
        agents=tuple(project.agents),
        secrets=secret_in,
        private=_Barred(build, model),
        doubtful=None if model else _doubtful(build),
        tokenizer=tokenizer,
        trainer=recipe.format if recipe else "",
        settings=recipe.trainer.settings if recipe else {},
        recipe=recipe.name if recipe else "",
        model=model.name if model else "",
        kind_column=kind_column,
        unchecked=tuple(unchecked),
    )


def limits_for(recipe: Recipe | None) -> Limits:
    """A recipe's limits; the defaults of the kinds that it does not name."""
    if recipe is None:
        return DEFAULT_LIMITS
    mixed = sum(share for kind, share in recipe.mix.items() if kind in ("infrastructure", "domain"))
    return replace(
        DEFAULT_LIMITS,
        kinds={**DEFAULT_LIMITS.kinds, **recipe.limits},
        knowledge=min(DEFAULT_LIMITS.knowledge, round(mixed, 6)),
        max_share_per_fact=recipe.max_share_per_fact,
        source=f"{recipe.file}, and the defaults",
        batch_size=int(recipe.trainer.settings.get("batch_size") or DEFAULT_LIMITS.batch_size),
    )


def _tokenizer(model: Model | None, root: Path, unchecked: list[str]) -> Tokenizer:
    try:
        return load_tokenizer(model.tokenizer if model else "estimate", root=root, render_chat=render_chat)
    except TokenizerError as problem:
        unchecked.append(f"exact token lengths: {problem.message}; counted by estimate")
        return load_tokenizer("estimate", root=root)


# ---- What a row must not hold ----------------------------------------------------------------------------------------

_SECRETS = frozenset(["PF510", "PF511", "PF512", "PF513", "PF514", "PF515"])
"""Secrets. That a question gives orders to a model is no fault in a row: attacks do."""


def secret_in(text: str) -> str:
    """What secret a text holds, in words that do not give it away; nothing where there is none."""
    if not suspicious(text, orders=False):
        return ""
    return next((finding.message for finding in scan(text) if finding.code in _SECRETS), "")


def _doubtful(build: Build) -> frozenset[str]:
    """The facts that the lowest clearance may not see."""
    lowest = min((LEVELS[level] for level in build.project.config.clearance.values()), default=1)
    facts = (fact for table in build.project.tables.values() for fact in table.facts)
    return frozenset(fact.id for fact in facts if LEVELS[fact.level] > lowest)


class _Barred:
    """Whether a text of an agent's row holds what the model may not see, or, where none is named, the agent."""

    _KEPT = 20_000

    def __init__(self, build: Build, model: Model | None) -> None:
        self._project, self._model = build.project, model
        self._guards: dict[str, Guard] = {}
        self._looked = 0

    def __call__(self, agent: str, text: str) -> tuple[str, str, str] | None:
        config, known = self._project.config, self._project.agents.get(agent)
        if self._model is not None:
            if known is not None and known.privacy == "local" and self._model.tier == "cloud":
                return "private.local", "", f"agent {agent}, local by privacy"
            rule, clearance = "private", config.clearance[self._model.tier]
        elif known is not None:
            rule, clearance = "private.agent", clearance_of(known, config)
        else:
            rule, clearance = "private.unknown", min(config.clearance.values(), key=LEVELS.__getitem__)
        fact = self._guard(clearance).find((text,))
        return (rule, fact, f"a value of {fact}") if fact else None

    def _guard(self, clearance: str) -> Guard:
        self._looked += 1
        if self._looked % self._KEPT == 0:
            self._guards.clear()  # a guard remembers every text, and here no text comes twice
        if clearance not in self._guards:
            self._guards[clearance] = Guard(self._project.tables, clearance)
        return self._guards[clearance]
