"""`train`: the dataset, audited; then the real trainer, watched; then its adapter, in whole or not at all.

It starts from its seed: no trainer here restores its whole state. The same rows, settings, weights, trainer and seed
are not trained twice.
"""

import datetime
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from promptforge.dataset.configs import Plan, settings_of
from promptforge.dataset.findings import Audit
from promptforge.dataset.formats import LAYOUTS
from promptforge.dataset.manifest import Manifest, read_manifest
from promptforge.dataset.resting import facts_then
from promptforge.dataset.rows import Recipe
from promptforge.dataset.swap import replacing
from promptforge.errors import InputError, PromptforgeError, UsageError, WriteError
from promptforge.files import digest_of
from promptforge.train.alone import RECORD, training_alone
from promptforge.train.record import Attempt, Losses, Trained, data_digest, note, read_trained, sealed
from promptforge.trainers.base import Found, Trainer, TrainingError
from promptforge.trainers.finding import TRAINERS, find_trainer
from promptforge.trainers.leaving import keep_finished, wrong_with
from promptforge.trainers.running import Course, Limits, run_trainer
from promptforge.workbench.adapters import ADAPTERS, made_of, unlike
from promptforge.workbench.check import Checked
from promptforge.workbench.disk import private_folder
from promptforge.workbench.emitting import Emitted, emit_dataset
from promptforge.workbench.recipes import find_recipe
from promptforge.workbench.weights import Weights, find_weights

__all__ = ["Asked", "Outcome", "RefusedError", "Watch", "train"]

_LOGS = "build/logs"
_KEPT_LOGS = 30
_WORK = "training"
"""In .promptforge: the configuration of the training that runs, and what its reader of rows caches."""
_AT_HOME = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "WANDB_MODE": "disabled"}
"""Nothing is fetched and nothing told while rows are read that may be private, unless the environment says so."""
_READABLE = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}


class RefusedError(PromptforgeError):
    """The audit refuses the rows, so nothing is trained on them."""

    exit_code: ClassVar[int] = 1

    def __init__(self, emitted: Emitted) -> None:
        recipe = emitted.written.manifest.name
        super().__init__(
            f"the audit refuses the rows of '{recipe}': nothing was trained",
            hint=f"mend the recipe or its sources; the whole audit: promptforge dataset build {recipe}",
        )
        self.emitted = emitted

    @property
    def audit(self) -> Audit:
        """Why."""
        return self.emitted.audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How to train."""

    seed: int | None = None
    """None: the recipe's."""
    again: bool = False
    """Also what is already trained."""
    python: str = ""
    """A Python that has the trainer, in place of what the recipe says."""
    limits: Limits = field(default_factory=Limits)
    like: Mapping[str, str] = field(default_factory=dict)
    """What another adapter is made of that this one is to be held together with; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who hears what while it goes on."""

    says: Callable[[str], None] = lambda text: None
    """A line worth a person's while."""
    progress: Callable[[Course, bool], None] = lambda course, news: None
    """How far it is, several times a second; and whether there is any news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An adapter that is there."""

    folder: Path
    trained: Trained
    fresh: bool
    """False: it was there before, of the same inputs."""
    emitted: Emitted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A training, before it begins."""

    root: Path
    recipe: Recipe
    manifest: Manifest
    dataset: Path
    trainer: Trainer
    found: Found
    weights: Weights
    seed: int
    agents: tuple[str, ...]
    facts: Mapping[str, str]
    """What the facts that its rows rest on say, as digests."""
    further: bool

    @property
    def identity(self) -> str:
        """Of all that decides what comes out; places do not."""
        told = {
            "data": data_digest(self.manifest),
            "config": self.config(model="", folder="", adapter=""),
            "base": self.weights.digest,
            "trainer": [self.trainer.kind, dict(self.found.versions) or list(self.found.start)],
        }
        return digest_of(json.dumps(told, sort_keys=True))

    @property
    def settings(self) -> str:
        """The digest of the trainer's configuration, whatever the seed."""
        return digest_of(replace(self, seed=0).config(model="", folder="", adapter=""))

    @property
    def name(self) -> str:
        """Of the adapter's folder."""
        return f"{self.recipe.name}-seed-{self.seed}-{self.identity[:10]}"

    def config(self, *, model: str, folder: str, adapter: str) -> str:
        """The trainer's configuration. Raises InputError where the rows are too few for it."""
        settings = settings_of(self.recipe)
        plan = Plan(
            recipe=replace(self.recipe, seed=self.seed),
            settings=replace(settings, also={**self.trainer.also, **settings.also}),
            model=model,
            folder=folder,
            adapter=adapter,
            lines=self.manifest.lines,
            limit_tokens=self.manifest.longest.limit,
        )
        return LAYOUTS[self.recipe.format].configs(plan)[self.trainer.config]


def train(
    root: Path,
    checked: Checked,
    name: str,
    asked: Asked,
    *,
    environ: Mapping[str, str],
    now: Callable[[], datetime.datetime],
    watch: Watch | None = None,
) -> Outcome:
    """Train a recipe; how it ended is written down, and a failed one leaves no adapter.

    Raises RefusedError where the audit says no; TrainingError, OutOfTimeError; TrainerMissingError; InputError where
    the weights are not here or the recipe cannot be met; BusyError; WriteError; UsageError.
    """
    watch = watch or Watch()
    recipe = find_recipe(checked.recipes, name)
    if recipe.trainer.kind not in TRAINERS or recipe.format == "openai":
        hint = "upload it: docs/how-to/train.md says how; or choose another format"
        message = f"the recipe '{recipe.name}' has the format {recipe.format}, which is not trained here"
        raise UsageError(message, hint=hint)
    model, trainer = checked.build.project.config.models[recipe.model], TRAINERS[recipe.trainer.kind]
    with training_alone(root) as stopped:
        if stopped:
            watch.says(f"stopped what a killed training had left running: {', '.join(stopped)}")
        weights = find_weights(model, root=root, environ=environ)
        found = _find(trainer, recipe, asked, root, environ)
        emitted = emit_dataset(root, checked, recipe.name, output=None, today=now().date(), environ=environ)
        if emitted.audit.word == "refused":
            raise RefusedError(emitted)
        job = _Job(
            root=root,
            recipe=recipe,
            manifest=emitted.written.manifest,
            dataset=emitted.written.folder,
            trainer=trainer,
            found=found,
            weights=weights,
            seed=recipe.seed if asked.seed is None else asked.seed,
            agents=recipe.agents,
            facts=facts_then(emitted.written.folder),
            further=bool(asked.like),
        )
        _refuse_unlike(job, asked.like)
        folder = root / ADAPTERS / job.name
        known = None if asked.again else _known(folder, job.further, watch)
        trained = known or _trained(job, folder, asked.limits, environ, now, watch)
    return Outcome(folder=folder, trained=trained, fresh=known is None, emitted=emitted)


def _find(trainer: Trainer, recipe: Recipe, asked: Asked, root: Path, environ: Mapping[str, str]) -> Found:
    settings = recipe.trainer.settings
    python = asked.python or str(settings.get("python", ""))
    command = "" if asked.python else str(settings.get("command", ""))
    return find_trainer(trainer, python=python, command=command, root=root, environ=environ)


def _refuse_unlike(job: _Job, like: Mapping[str, str]) -> None:
    """Raises InputError where this would be no further training of the same: they could not be judged as one."""
    told = {"data": data_digest(job.manifest), "settings": job.settings, "base_digest": job.weights.digest}
    own = made_of({**told, "trainer": job.trainer.kind, "versions": dict(job.found.versions)})
    if other := unlike(like, own):
        name = job.recipe.name
        message = f"'{name}' cannot be trained again as it was: of {other} there are others now; nothing was trained"
        hint = f"train it anew, and judge that: promptforge train {name}; promptforge promote {name}"
        raise InputError(message, hint=hint)


def _known(folder: Path, further: bool, watch: Watch) -> Trained | None:
    """The adapter of the same inputs, if it is there and whole; one that is now asked for by itself says so."""
    if not folder.exists():
        return None
    try:
        found = read_trained(folder)
        return sealed(folder, replace(found, further=False)) if found.further and not further else found
    except InputError as problem:
        watch.says(f"{problem.message}: it is trained again")
        return None


def _trained(
    job: _Job,
    folder: Path,
    limits: Limits,
    environ: Mapping[str, str],
    now: Callable[[], datetime.datetime],
    watch: Watch,
) -> Trained:
    started = now()
    log, private = _log(job, started), job.manifest.private
    course = Course(began=0.0, now=0.0)

    def progress(seen: Course, news: bool) -> None:
        nonlocal course
        course = seen
        watch.progress(seen, news)

    noted = _noted(job, started, log, lambda: course, watch.says)
    with noted, replacing(folder, private=private, what="adapter") as made:
        course = _run(job, made, log, limits, environ, replace(watch, progress=progress))
        if wrong := wrong_with(job.trainer, made):
            message = f"{job.trainer.kind} ended well, but {wrong}"
            raise TrainingError(message, cause="no adapter", hint=f"what it said: {log}", log=log)
        keep_finished(job.trainer, made)
        return sealed(made, _manifest(job, course, started, log))


def _run(job: _Job, made: Path, log: Path, limits: Limits, environ: Mapping[str, str], watch: Watch) -> Course:
    """The training itself, in a folder for what only it needs."""
    private = private_folder(job.root)
    work = private / _WORK
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    try:
        config = work / job.trainer.config
        text = job.config(model=str(job.weights.folder), folder=str(_held(job, work)), adapter=str(made))
        config.write_text(text, encoding="utf-8")
        watch.says(f"{job.trainer.kind} trains {job.weights.model} from seed {job.seed}; its log: {log}")
        return run_trainer(
            job.trainer,
            (*job.found.start, *job.trainer.arguments(config)),
            cwd=job.root,
            environ={
                **_AT_HOME,
                **job.trainer.environ,
                **environ,
                **_READABLE,
                "HF_DATASETS_CACHE": str(work / "cache"),
            },
            log=log,
            record=private / RECORD,
            limits=limits,
            told=watch.progress,
            about=job.name,
            private=job.manifest.private,
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _held(job: _Job, work: Path) -> Path:
    """The dataset as it is now, for the trainer alone: another build of it takes the place, not the files."""
    rows = work / "rows"
    shutil.copytree(job.dataset, rows, copy_function=_link)
    if read_manifest(rows).digest != job.manifest.digest:
        raise InputError(f"{job.dataset} was built anew by somebody else just now", hint="train again")
    return rows


def _link(file: str, place: str) -> None:
    try:
        os.link(file, place)
    except OSError:  # a file system without links
        shutil.copy2(file, place)


def _log(job: _Job, started: datetime.datetime) -> Path:
    """Where this training's output goes; of old ones the last few stay."""
    folder = job.root / _LOGS
    old = sorted(folder.glob(f"{job.recipe.name}-seed-*.log"), key=lambda path: path.stat().st_mtime_ns)
    for path in old[: 1 - _KEPT_LOGS]:
        path.unlink(missing_ok=True)
    return folder / f"{job.name}-{started:%Y%m%d-%H%M%S}.log"


@contextmanager
def _noted(
    job: _Job, started: datetime.datetime, log: Path, course: Callable[[], Course], says: Callable[[str], None]
) -> Iterator[None]:
    """Write down how it ended, whatever that was. Where that cannot be written, how it ended is what counts."""
    outcome, message = "trained", ""
    try:
        yield
    except TrainingError as problem:
        outcome, message = problem.cause, problem.message
        raise
    except PromptforgeError as problem:
        outcome, message = "failed", problem.message
        raise
    except BaseException as problem:
        outcome, message = "interrupted", type(problem).__name__
        raise
    finally:
        last = course()
        attempt = Attempt(
            started=started.isoformat(timespec="seconds"),
            recipe=job.recipe.name,
            seed=job.seed,
            identity=job.identity,
            outcome=outcome,
            message=message,
            log=log.relative_to(job.root).as_posix(),
            minutes=round(last.elapsed_s / 60, 3),
            iteration=last.iteration,
            total=last.total,
            loss=last.loss,
        )
        try:
            note(job.root, attempt)
        except WriteError as problem:
            says(f"how this training ended is not written down: {problem.message}")


def _manifest(job: _Job, course: Course, started: datetime.datetime, log: Path) -> Trained:
    manifest = job.manifest
    return Trained(
        identity=job.identity,
        recipe=job.recipe.name,
        recipe_file=job.recipe.file,
        recipe_digest=manifest.recipe_digest,
        model=job.weights.model,
        base=job.weights.named,
        base_digest=job.weights.digest,
        base_files=job.weights.files,
        system=job.recipe.system,
        agents=job.agents,
        seed=job.seed,
        data=data_digest(manifest),
        dataset=manifest.digest,
        rows=dict(manifest.rows.items()),
        lines=dict(manifest.lines.items()),
        knowledge=manifest.knowledge,
        prompts=manifest.prompts,
        trainer=job.trainer.kind,
        versions=job.found.versions,
        iterations=course.iteration,
        losses=Losses(first=course.first_loss, last=course.loss, first_valid=course.first_valid, valid=course.valid),
        minutes=round(course.elapsed_s / 60, 3),
        started=started.isoformat(timespec="seconds"),
        platform=platform.platform(),
        log=log.relative_to(job.root).as_posix(),
        private=manifest.private,
        settings=job.settings,
        facts=job.facts,
        further=job.further,
    )
