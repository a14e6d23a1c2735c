"""`dataset build`: a recipe to a folder that a trainer reads, audited before anybody trains on it."""

import datetime
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from promptforge.compiler.build import Build
from promptforge.dataset.dataset import Dataset
from promptforge.dataset.findings import Audit
from promptforge.dataset.manifest import verify
from promptforge.dataset.resting import fact_digest
from promptforge.dataset.rows import Recipe
from promptforge.dataset.write import Origin, Written, write
from promptforge.errors import UsageError
from promptforge.files import digest_of
from promptforge.model import Model
from promptforge.store import HISTORY, Store
from promptforge.tokens import Tokenizer, TokenizerError, load_tokenizer
from promptforge.workbench.auditing import audit_files
from promptforge.workbench.check import Checked
from promptforge.workbench.datasets import make_rows
from promptforge.workbench.disk import exclusive
from promptforge.workbench.outfile import refuse_own_folder
from promptforge.workbench.recipes import find_recipe
from promptforge.workbench.rewording import Reworder
from promptforge.workbench.variants import compile_for, prompt_of
from promptforge.workbench.weights import weights_named

__all__ = ["Emitted", "emit_dataset", "folder_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """A dataset that was made, written and audited."""

    dataset: Dataset
    written: Written
    audit: Audit


def folder_of(root: Path, recipe: Recipe) -> Path:
    """Where a recipe's dataset goes unless the command says otherwise."""
    return root / "build" / "datasets" / recipe.name


def emit_dataset(
    root: Path,
    checked: Checked,
    name: str,
    *,
    output: Path | None,
    today: datetime.date,
    environ: Mapping[str, str],
    seen: Callable[[int], None] | None = None,
) -> Emitted:
    """Make, write and audit. The folder is replaced in whole, or left as it was.

    Raises UsageError for a recipe that is not there, InputError where it cannot be met, WriteError, BackendError.
    """
    build = checked.build
    recipe = find_recipe(checked.recipes, name)
    model = build.project.config.models[recipe.model]
    folder = output or folder_of(root, recipe)
    refuse_own_folder(root, folder)
    _refuse(recipe, model, folder)
    with exclusive(root), Store(root / HISTORY) as history:
        reword = Reworder(build, history, environ=environ) if recipe.paraphrase else None
        made = make_rows(build, checked.suites, checked.recipes, recipe, history=history, reword=reword)
        origin = _origin(root, build, recipe, model, folder, made)
        written = write(made, recipe, folder, lengths=_tokenizer(model, root), origin=origin)
    audit = audit_files([folder], root=root, today=today, recipe=recipe.name, seen=seen)
    return Emitted(dataset=made, written=written, audit=audit)


def _refuse(recipe: Recipe, model: Model, folder: Path) -> None:
    """Refuse what would leak, or delete what is not ours."""
    if folder.is_file():
        raise UsageError(f"the output '{folder}' is a file", hint="name a folder")
    if recipe.format == "openai" and model.tier != "cloud":
        message = f"the format openai is uploaded, but '{model.name}' is local: rows may hold private facts"
        hint = "name a cloud model in the recipe: what it may see decides what its rows hold; or choose another format"
        raise UsageError(message, hint=hint)
    if (folder / "manifest.json").exists():
        foreign = [line for line in verify(folder) if line.endswith("is not of the dataset")]
        if foreign:
            message = f"{folder} holds something else, too: {foreign[0].removesuffix(' is not of the dataset')}"
            raise UsageError(message, hint="move it away: the folder is replaced in whole")


def _origin(root: Path, build: Build, recipe: Recipe, model: Model, folder: Path, made: Dataset) -> Origin:
    compiled = compile_for(build, recipe.agents, model)
    prompts = {
        agent: digest_of(prompt_of(one.entry, recipe.system).system) for agent, one in compiled.items() if one.entry
    }
    facts = {id_: fact_digest(fact.values) for id_, fact in build.artifact.facts.items()}
    relative = os.path.relpath(folder, root)
    return Origin(
        recipe=build.tree.files[recipe.file],
        model=weights_named(model),
        knowledge=digest_of(json.dumps(facts, sort_keys=True)),
        facts=facts,
        prompts=prompts,
        private=build.artifact.private,
        context_tokens=model.context,
        folder=str(folder) if relative.startswith("..") else Path(relative).as_posix(),
        notes=made.account.notes,
    )


def _tokenizer(model: Model, root: Path) -> Tokenizer:
    """The model's own, or an estimate that errs high where it is not on this machine."""
    try:
        return load_tokenizer(model.tokenizer, root=root)
    except TokenizerError as problem:
        if not problem.absent:
            raise
        return load_tokenizer("estimate", root=root)
