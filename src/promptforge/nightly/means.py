"""What the stages of a night are done with: the project's own commands, one for each."""

import datetime
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from promptforge.bench.run import Progress
from promptforge.compiler.build import Build
from promptforge.dataset.rows import Recipe
from promptforge.errors import InputError, PromptforgeError, UsageError
from promptforge.nightly.journal import Night
from promptforge.nightly.night import Means, inputs_digest
from promptforge.promote import Promotion, promote
from promptforge.store import Store
from promptforge.train.record import read_trained
from promptforge.train.train import Asked, Outcome, RefusedError, Watch, train
from promptforge.trainers.finding import TRAINERS, find_trainer
from promptforge.workbench.adapters import read_adapter
from promptforge.workbench.candidates import Candidate, Wanted, candidate, outlooks, too_much
from promptforge.workbench.champions import champion_of
from promptforge.workbench.check import Checked
from promptforge.workbench.contest import Serve
from promptforge.workbench.emitting import emit_dataset
from promptforge.workbench.forge import forge
from promptforge.workbench.quarantine import held
from promptforge.workbench.replays import replay_files
from promptforge.workbench.scope import Revision
from promptforge.workbench.weights import find_weights

__all__ = ["Evening", "inputs_of", "means_of", "since_then", "trainable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evening:
    """What all nights of one call share."""

    root: Path
    checked: Checked
    store: Store
    environ: Mapping[str, str]
    serve: Serve
    stop: threading.Event
    training: Asked
    watch: Watch
    timeout_s: float
    command: str
    suite: str = ""
    """Which one judges; empty: the only one."""
    unbounded: bool = False
    """Whether more may be sent than limits.bench allows."""
    progress: Progress | None = None
    say: Callable[[str], None] = lambda text: None
    alone: Callable[[], AbstractContextManager[object]] = nullcontext
    """Around a training: there an interrupt must stop the trainer."""
    asking: Callable[[], AbstractContextManager[object]] = nullcontext
    """Around a tournament: there an interrupt ends it with what there is."""

    @property
    def build(self) -> Build:
        """The project as it is."""
        return self.checked.build


def trainable(checked: Checked) -> tuple[Recipe, ...]:
    """The recipes that a night can train and judge: by a trainer here, for a model that promptforge can start."""
    models = checked.build.project.config.models
    return tuple(
        recipe
        for recipe in checked.recipes.recipes.values()
        if recipe.format != "openai" and recipe.model in models and models[recipe.model].settings.get("serve")
    )


def inputs_of(evening: Evening, recipe: Recipe) -> str:
    """The digest of what a night of a recipe starts from: the project's files, replay rows, weights and trainer.

    What cannot be found counts as nothing: the stage that needs it says what is missing.
    """
    root, environ = evening.root, evening.environ
    more = {"recipe": recipe.name, "seed": str(evening.training.seed), "suite": evening.suite}
    for file in replay_files(evening.build, recipe.replay):
        try:
            more[file] = inputs_digest({"": (root / file).read_bytes()}, {})
        except OSError:
            more[file] = "unreadable"
    try:
        more["weights"] = find_weights(
            evening.build.project.config.models[recipe.model], root=root, environ=environ
        ).digest
        more["trainer"] = str(sorted(_trainer_versions(evening, recipe).items()))
    except PromptforgeError as problem:
        more["missing"] = problem.message
    return inputs_digest(evening.build.tree.files, more)


def _trainer_versions(evening: Evening, recipe: Recipe) -> Mapping[str, str]:
    settings = recipe.trainer.settings
    python = evening.training.python or str(settings.get("python", ""))
    command = "" if evening.training.python else str(settings.get("command", ""))
    trainer = TRAINERS[recipe.trainer.kind]
    return find_trainer(trainer, python=python, command=command, root=evening.root, environ=evening.environ).versions


def means_of(evening: Evening, recipe: Recipe) -> Means:
    """What the stages of a recipe's night are done with."""
    return Means(
        build=lambda: _build(evening),
        rows=lambda: _rows(evening, recipe),
        train=lambda: _train(evening, recipe),
        promote=lambda adapter, entered: _promote(evening, recipe, adapter, entered),
        reigns=lambda adapter, since: _reigns(evening, recipe, adapter, since),
        is_there=lambda adapter: _is_there(evening, adapter),
    )


def _today() -> datetime.date:
    return datetime.datetime.now().date()


def _build(evening: Evening) -> str:
    if errors := evening.checked.errors:
        first = errors[0]
        message = (
            f"the project has {len(errors)} errors, the first at {first.span.file}:{first.span.line}: {first.message}"
        )
        raise UsageError(message, hint="all of them: promptforge check")
    report, _ = forge(evening.root, today=_today())
    return f"{len(report.agents)} prompts" + (", some are new" if report.written else ", none is new")


def _rows(evening: Evening, recipe: Recipe) -> str:
    emitted = emit_dataset(
        evening.root, evening.checked, recipe.name, output=None, today=_today(), environ=evening.environ
    )
    if emitted.audit.word == "refused":
        raise RefusedError(emitted)
    return f"{sum(emitted.written.manifest.rows.values()):,} rows, the audit says {emitted.audit.word}"


def _trained(evening: Evening, recipe: str, seed: int | None, like: Mapping[str, str] | None = None) -> Outcome:
    asked = Asked(
        seed=evening.training.seed if seed is None else seed,
        again=evening.training.again,
        python=evening.training.python,
        limits=evening.training.limits,
        like=like or {},
    )
    with evening.alone():
        return train(
            evening.root,
            evening.checked,
            recipe,
            asked,
            environ=evening.environ,
            now=lambda: datetime.datetime.now(datetime.UTC),
            watch=evening.watch,
        )


def _train(evening: Evening, recipe: Recipe) -> tuple[Path, str]:
    outcome = _trained(evening, recipe.name, None)
    minutes = f"{outcome.trained.minutes:.1f} minutes"
    return outcome.folder, f"trained in {minutes}" if outcome.fresh else "it was trained already"


def _promote(evening: Evening, recipe: Recipe, adapter: Path, entered: Callable[[str], None]) -> Promotion:
    entered("before")
    revision = Revision(name="", build=evening.build, suites=evening.checked.suites)
    wanted = Wanted(
        what=str(adapter),
        model=recipe.model,
        suite=evening.suite,
        timeout_s=evening.timeout_s,
        command=evening.command,
    )
    who = candidate(evening.root, revision, wanted, evening.store, evening.environ)
    if not evening.unbounded:
        _refuse_too_much(evening, who)
    with evening.asking():
        return promote(
            who,
            wanted,
            evening.store,
            evening.environ,
            serve=evening.serve,
            stop=evening.stop,
            retrain=lambda first, seed: _trained(evening, first.recipe, seed, first.made_of).folder,
            progress=evening.progress,
            say=evening.say,
            entered=entered,
        )


def _refuse_too_much(evening: Evening, who: Candidate) -> None:
    arms = outlooks(who, evening.store, evening.environ)
    try:
        if over := too_much(who, arms):
            raise UsageError(over, hint="raise limits.bench in promptforge.yaml, or give --yes")
    finally:
        for _, plan in arms:
            plan.close()


def _reigns(evening: Evening, recipe: Recipe, adapter: Path, since: str) -> str:
    champion = champion_of(evening.store, evening.root, recipe.model)
    if champion is None or champion.since >= since or not adapter.is_dir():
        return ""
    if champion.digest != read_adapter(adapter).digest:
        return ""
    return (
        f"it trained the champion of {recipe.model} again, which reigns since {champion.since[:16]}: nothing to judge"
    )


def since_then(evening: Evening, recipe: Recipe, night: Night) -> str:
    """What has become of a night's promotion since, where that is another champion now; else nothing."""
    if night.outcome != "promote":
        return ""
    champion = champion_of(evening.store, evening.root, recipe.model)
    if champion is not None and champion.since >= night.started:
        return ""
    now = f"champion {champion.number}" if champion else "no adapter at all"
    return (
        f"rolled back since: {recipe.model} is served with {now}; to train and judge anew: promptforge nightly --again"
    )


def _is_there(evening: Evening, adapter: Path) -> bool:
    try:
        read_trained(adapter)
    except InputError:
        return any(one.name.rpartition("-")[0] == adapter.name for one in held(evening.root))
    return True
