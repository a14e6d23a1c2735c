"""nightly, nightly status, nightly rehearse."""

import os
import shlex
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptforge.cli.options import A_WEEK_S, FiniteRange, find_project, format_option, today
from promptforge.cli.running import TrainingLine, breakable, interrupts, shown
from promptforge.errors import UsageError

if TYPE_CHECKING:
    from promptforge.bench.run import Progress
    from promptforge.dataset.rows import Recipe
    from promptforge.model import Model
    from promptforge.nightly.journal import Night
    from promptforge.nightly.means import Evening
    from promptforge.store import Store
    from promptforge.workbench.check import Checked
    from promptforge.workbench.contest import Serve, Served

__all__ = ["nightly"]

_FAIL_ON = click.Choice(["worse", "inconclusive", "never"])
_SAYS_NO = {"worse": {"reject"}, "inconclusive": {"reject", "inconclusive"}, "never": set[str]()}


@click.group(invoke_without_command=True)
@click.option("--recipe", "recipes", multiple=True, metavar="NAME", help="Only this one. Default: all that can be.")
@click.option("--suite", default="", metavar="NAME", help="Which suite; needed only where there are several.")
@click.option("--again", is_flag=True, help="Also where nothing has changed since the last verdict.")
@click.option("--python", default="", metavar="PATH", help="A Python that has the trainer.")
@click.option("--max-minutes", type=FiniteRange(0, min_open=True), metavar="MIN", help="Of one training, at most.")
@click.option(
    "--timeout", type=FiniteRange(0.01, A_WEEK_S), default=120.0, show_default=True, help="Seconds for one answer."
)
@click.option(
    "--patience",
    type=FiniteRange(0.1, A_WEEK_S),
    default=120.0,
    show_default=True,
    help="Seconds for a server to be ready.",
)
@click.option("--yes", is_flag=True, help="Go beyond limits.bench of promptforge.yaml.")
@click.option("--fail-on", type=_FAIL_ON, default="worse", show_default=True, help="Which verdicts exit with 1.")
@format_option("text", "json")
@click.pass_context
def nightly(
    ctx: click.Context, /, recipes: tuple[str, ...], again: bool, fail_on: str, form: str, **options: Any
) -> int:
    """Build, make and audit the rows, train, measure before and after, judge, and act: in one go, for cron.

    Every stage is written down as it happens. What is killed goes on where it was; what failed says so and exits with
    what failed (2, 3, 4); what has not changed since its verdict is not done again. Exit code 1: rejected (--fail-on).
    """
    if ctx.invoked_subcommand is not None:
        return 0
    from promptforge.compiler.load import read_project
    from promptforge.console.nightly import night_json
    from promptforge.console.terminal import print_json
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.check import check
    from promptforge.workbench.disk import alone

    root = find_project(ctx)
    checked = check(read_project(root), today=today())
    chosen = _chosen(checked, recipes)
    if not chosen:
        return _say_errors(checked)
    spent: list[tuple[Night, bool]] = []
    codes = []
    with (
        alone(root, "nightly", what="another night of this project runs", hint="wait for it, or stop it"),
        open_store(root) as store,
    ):
        evening = _evening(root, checked, store, options)
        for recipe in chosen:
            code, more = _spend(evening, recipe, again, fail_on, form)
            codes.append(code)
            spent += more
            if code == 130:
                break
    if form == "json":
        print_json({"version": 1, "nights": [night_json(night, done) for night, done in spent]})
    return max(codes)


def _chosen(checked: "Checked", names: Sequence[str]) -> "Sequence[Recipe]":
    """The recipes of this night; those named, or all that can be trained and judged here."""
    from promptforge.nightly.means import trainable
    from promptforge.workbench.recipes import find_recipe

    if names:
        return [find_recipe(checked.recipes, name) for name in names]
    if (found := trainable(checked)) or checked.errors:  # what is broken may be what hides them
        return found
    hint = "write one below training/, for a model that has `serve` in promptforge.yaml: docs/how-to/nightly.md"
    raise UsageError("there is no recipe that a night could train and judge", hint=hint)


def _say_errors(checked: "Checked") -> int:
    from promptforge.console import diagnostics as show
    from promptforge.console.terminal import painter, plural, status

    status(show.as_text(checked.errors, checked.build.source_line, painter(sys.stderr)))
    status(f"{plural(len(checked.errors), 'error')}: no night was begun")
    return 1


def _evening(root: Path, checked: "Checked", store: "Store", options: dict[str, Any]) -> "Evening":
    from promptforge.backends.leftovers import sweep
    from promptforge.bench.run import Progress
    from promptforge.console.terminal import status
    from promptforge.nightly.means import Evening
    from promptforge.train.train import Asked, Watch
    from promptforge.trainers.running import Limits

    for left in sweep(root):
        status(f"ended the server of {left.model} on port {left.port}, which a killed run had left behind")
    stop, progress = threading.Event(), Progress()
    return Evening(
        root=root,
        checked=checked,
        store=store,
        environ=os.environ,
        serve=_serving(root, stop, options["patience"]),
        stop=stop,
        training=Asked(python=options["python"], limits=Limits(minutes=options["max_minutes"])),
        watch=Watch(says=status, progress=TrainingLine()),
        timeout_s=options["timeout"],
        command=shlex.join(["promptforge", *sys.argv[1:]]),
        suite=options["suite"],
        unbounded=options["yes"],
        progress=progress,
        say=status,
        alone=breakable,
        asking=lambda: _asking(stop, progress),
    )


def _serving(root: Path, stop: threading.Event, patience_s: float) -> "Serve":
    from promptforge.backends.server import serve

    def start(model: "Model", adapter: Path | None) -> "AbstractContextManager[Served]":
        return serve(model, folder=root, adapter=adapter, environment=os.environ, stop=stop, patience_s=patience_s)

    return start


@contextmanager
def _asking(stop: threading.Event, progress: "Progress") -> Iterator[None]:
    """While servers are asked, an interrupt ends the run with what there is."""
    with ExitStack() as around:
        around.enter_context(interrupts(stop))
        around.enter_context(shown(progress))
        yield


def _spend(
    evening: "Evening", recipe: "Recipe", again: bool, fail_on: str, form: str
) -> "tuple[int, list[tuple[Night, bool]]]":
    """A night of one recipe: its exit code, and the night, where it was one."""
    from promptforge.console.nightly import night_text
    from promptforge.console.terminal import painter, print_error, print_text, status
    from promptforge.nightly.journal import Journal
    from promptforge.nightly.means import inputs_of, means_of, since_then
    from promptforge.nightly.night import NightError, spend_night
    from promptforge.workbench.environment import now_utc

    try:
        night, done = spend_night(
            Journal(evening.store),
            recipe.name,
            inputs_of(evening, recipe),
            means_of(evening, recipe),
            now=now_utc,
            say=status,
            again=again,
        )
    except NightError as problem:
        print_error(problem)
        _notify(evening, problem.night, problem.hint)
        return problem.problem.exit_code, [(problem.night, True)]
    except KeyboardInterrupt:
        status("interrupted: the next night goes on from here")
        return 130, []
    if form == "text":
        print_text(night_text(night, done, painter(), "" if done else since_then(evening, recipe, night)))
    if done and night.outcome:
        _notify(evening, night)
    return _exit_code(night, evening, fail_on), [(night, done)]


def _exit_code(night: "Night", evening: "Evening", fail_on: str) -> int:
    if not night.outcome:
        return 130 if evening.stop.is_set() else 3
    return 1 if night.outcome in _SAYS_NO[fail_on] else 0


def _notify(evening: "Evening", night: "Night", hint: str = "") -> None:
    """Tell the user by his own command how it went: by mail or chat, perhaps, so no private value is in it."""
    from promptforge.bench.report.redact import Redactor
    from promptforge.console.nightly import night_text
    from promptforge.console.terminal import Painter, status
    from promptforge.nightly.notice import notify
    from promptforge.workbench.clearance import Clearance

    command = str(evening.build.project.config.settings.get("notify", ""))
    if not command:
        return
    hide = Redactor(Clearance([evening.build]).private_values())
    sentence = hide(night.sentence)
    facts = {"night": str(night.number), "recipe": night.recipe, "outcome": night.outcome, "sentence": sentence}
    text = hide(night_text(night, True, Painter(colour=False)) + (f"\n  {hint}" if hint else "")) + "\n"
    if wrong := notify(command, text, facts, root=evening.root, environ=evening.environ):
        status(wrong)


# --- status and rehearse ----------------------------------------------------------------------------------------------


@nightly.command("status")
@click.option("--nights", "most", type=click.IntRange(1), default=7, show_default=True, help="So many of each recipe.")
@format_option("text", "json")
@click.pass_context
def show_status(ctx: click.Context, most: int, form: str) -> int:
    """Show the last nights, and how many since the last promotion came to what, and why."""
    from promptforge.console.nightly import status_json, status_text
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.nightly.journal import RUNNING, Journal
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.disk import is_held

    root = find_project(ctx)
    with open_store(root) as store:
        nights = list(Journal(store).nights())
    if nights and not nights[0].outcome and is_held(root, "nightly"):
        nights[0] = replace(nights[0], outcome=RUNNING)
    if form == "json":
        print_json(status_json(nights, most))
    else:
        print_text(status_text(nights, most, painter()))
    return 0


@nightly.command()
@click.option("--suite", default="", metavar="NAME", help="Which suite; needed only where there are several.")
@format_option("text", "json")
@click.pass_context
def rehearse(ctx: click.Context, suite: str, form: str) -> int:
    """See whether the pipeline tells a known winner, a known loser and a tie apart.

    A stand-in answers the cases of the project's own suite, rightly or wrongly, through real servers, bench and gate.
    Nothing of the project changes. Exit code 1 when one of the three does not come out as it must.
    """
    from promptforge.compiler.load import read_project
    from promptforge.console.nightly import rehearsal_json, rehearsal_text
    from promptforge.console.terminal import painter, print_json, print_text, status
    from promptforge.nightly.rehearsal import rehearse as hold
    from promptforge.workbench.check import check
    from promptforge.workbench.environment import now_utc
    from promptforge.workbench.scope import Revision

    checked = check(read_project(find_project(ctx)), today=today())
    if checked.errors:
        raise UsageError(f"the project has {len(checked.errors)} errors", hint="see them with: promptforge check")
    revision = Revision(name="", build=checked.build, suites=checked.suites)
    stop = threading.Event()
    with interrupts(stop):
        found = hold(
            revision,
            os.environ,
            suite=suite,
            serving=lambda folder: _serving(folder, stop, 60.0),
            stop=stop,
            say=status,
            now=now_utc,
        )
    if stop.is_set():
        raise KeyboardInterrupt
    if form == "json":
        print_json(rehearsal_json(found))
    else:
        print_text(rehearsal_text(found, painter()))
    return 0 if found.holds else 1
