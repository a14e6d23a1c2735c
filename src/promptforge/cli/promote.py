"""promote, champion."""

import datetime
import os
import shlex
import signal
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptforge.cli.options import A_WEEK_S, FiniteRange, find_project, format_option, today
from promptforge.cli.running import interrupts, shown
from promptforge.errors import UsageError
from promptforge.files import said_path

if TYPE_CHECKING:
    from promptforge.bench.gatepage import VerdictPage
    from promptforge.model import Model
    from promptforge.promote import Promotion, Retrain
    from promptforge.store import Store
    from promptforge.workbench.adapters import Adapter
    from promptforge.workbench.candidates import Candidate, Wanted
    from promptforge.workbench.contest import Served
    from promptforge.workbench.scope import Revision

__all__ = ["champion", "promote"]

_FAIL_ON = click.Choice(["worse", "inconclusive", "never"])


@click.command()
@click.argument("what", metavar="ADAPTER|RECIPE")
@click.option("--model", default="", metavar="NAME", help="Whose adapter it is, where it does not say so itself.")
@click.option("--suite", default="", metavar="NAME", help="Which suite; needed only where there are several.")
@click.option("--delete", is_flag=True, help="Delete a rejected adapter at once instead of keeping it for a while.")
@click.option("--dry-run", is_flag=True, help="Start nothing; say what would be asked of whom.")
@click.option("--fresh", is_flag=True, help="Ask again what is already answered.")
@click.option("--yes", is_flag=True, help="Go beyond limits.bench of promptforge.yaml.")
@click.option("--max-minutes", type=FiniteRange(0), metavar="MIN", help="Stop when all of it has taken so long.")
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
@click.option("--python", default="", metavar="PATH", help="A Python that has the trainer, for training again.")
@click.option("--fail-on", type=_FAIL_ON, default="worse", show_default=True, help="Which verdicts exit with 1.")
@format_option("text", "json", "markdown")
@click.pass_context
def promote(
    ctx: click.Context,
    /,
    what: str,
    dry_run: bool,
    yes: bool,
    max_minutes: float | None,
    timeout: float,
    patience: float,
    fail_on: str,
    form: str,
    **options: str | bool,
) -> int:
    """Hold an adapter against the champion and against the untrained model, and act on the verdict.

    Each of them gets a fresh server of its own and is asked the whole suite. Promote: it is the champion from now on.
    Reject: it goes to quarantine. Inconclusive: nothing changes, and the verdict says what would settle it; where its
    recipe has `seeds: 3` and it is near, it is first trained twice again, and refused if they differ by more than it
    gains.
    Exit codes: 1 rejected (--fail-on), 3 out of time, 4 a server failed or an answer is missing, 130 interrupted.
    """
    from promptforge.bench.run import Limits
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.candidates import Wanted, candidate

    root = find_project(ctx)
    revision = _project(root)
    if revision is None:
        return 1
    limits = Limits(seconds=None if max_minutes is None else 60 * max_minutes)
    command = shlex.join(["promptforge", *sys.argv[1:]])
    wanted = Wanted(
        what=what,
        model=str(options["model"]),
        suite=str(options["suite"]),
        fresh=bool(options["fresh"]),
        delete=bool(options["delete"]),
        timeout_s=timeout,
        limits=limits,
        command=command,
    )
    with open_store(root) as store:
        who = candidate(root, revision, wanted, store, os.environ)
        if (code := _look_ahead(who, store, form, dry_run=dry_run, yes=yes)) is not None:
            return code
        found = _run(who, wanted, store, patience, python=str(options["python"]))
    return _show(found, root, form, fail_on)


def _project(root: Path) -> "Revision | None":
    """The project as it is; None when it has errors, which are then said."""
    from promptforge.compiler.build import compile_project
    from promptforge.compiler.load import read_project
    from promptforge.console import diagnostics as show
    from promptforge.console.terminal import painter, plural, status
    from promptforge.source import errors
    from promptforge.workbench.scope import Revision
    from promptforge.workbench.suites import judge_suites, load_suites

    build = compile_project(read_project(root), today=today())
    suites = load_suites(build)
    if wrong := errors(judge_suites(build, suites)):
        status(show.as_text(wrong, build.source_line, painter(sys.stderr)))
        status(f"{plural(len(wrong), 'error')}: nothing was asked")
        return None
    return Revision(name="", build=build, suites=suites)


def _look_ahead(who: "Candidate", store: "Store", form: str, *, dry_run: bool, yes: bool) -> int | None:
    """Show what would be sent, or refuse where it is over the project's limit."""
    from promptforge.console.promote import outlook_json, outlook_text
    from promptforge.console.terminal import print_json, print_text, status
    from promptforge.workbench.candidates import outlooks, too_much

    arms = outlooks(who, store, os.environ)
    try:
        if dry_run:
            if form == "json":
                print_json(outlook_json(arms, who.seeds))
            else:
                print_text(outlook_text(arms, who.seeds))
            for note in who.notes:
                status(note)
            return 0
        if not yes and (over := too_much(who, arms)):
            raise UsageError(over, hint="look with --dry-run; go on with --yes")
    finally:
        for _, plan in arms:
            plan.close()
    return None


def _run(who: "Candidate", wanted: "Wanted", store: "Store", patience_s: float, *, python: str) -> "Promotion":
    from promptforge.backends.leftovers import sweep
    from promptforge.backends.server import serve
    from promptforge.bench.run import Progress
    from promptforge.console.terminal import status
    from promptforge.promote import promote as hold_against

    progress, stop, root = Progress(), threading.Event(), who.contest.root
    for left in sweep(root):
        status(f"ended the server of {left.model} on port {left.port}, which a killed run had left behind")

    def start(model: "Model", adapter: Path | None) -> "AbstractContextManager[Served]":
        return serve(model, folder=root, adapter=adapter, environment=os.environ, stop=stop, patience_s=patience_s)

    again = _retraining(root, python)
    with interrupts(stop), shown(progress):
        return hold_against(
            who, wanted, store, os.environ, serve=start, stop=stop, retrain=again, progress=progress, say=status
        )


def _retraining(root: Path, python: str) -> "Retrain":
    """What trains a recipe with another seed. Meanwhile a Ctrl-C ends the trainer, and the command with it."""

    def retrain(first: "Adapter", seed: int) -> Path:
        from promptforge.compiler.load import read_project
        from promptforge.console.terminal import status
        from promptforge.train.train import Asked, Watch, train
        from promptforge.workbench.check import check

        checked = check(read_project(root), today=today())
        asked = Asked(seed=seed, python=python, like=first.made_of)
        kinds = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(kind, signal.default_int_handler) for kind in kinds]
        try:
            status(f"training {first.recipe} again, with seed {seed}")
            made = train(root, checked, first.recipe, asked, environ=os.environ, now=_now, watch=Watch(says=status))
        finally:
            for kind, handler in zip(kinds, before, strict=True):
                signal.signal(kind, handler)
        return made.folder

    return retrain


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _show(found: "Promotion", root: Path, form: str, fail_on: str) -> int:
    from promptforge.bench.gatepage import page_markdown
    from promptforge.console.promote import promotion_json, verdict_text
    from promptforge.console.terminal import painter, plural, print_json, print_text, status

    if found.released:
        status(f"deleted from quarantine, its time was over: {', '.join(found.released)}")
    if found.page is None:
        status(f"{found.stopped}: nothing was judged; the same command goes on from here")
        if form == "json":
            print_json(promotion_json(found))
        return 130 if found.stopped == "interrupted" else 3
    if form == "json":
        print_json(promotion_json(found))
    else:
        print_text(verdict_text(found.page, painter()) if form == "text" else page_markdown(found.page))
    status(f"wrote {plural(len(found.written), 'file')}: {said_path(found.written[0], root)} and its kin")
    return exit_code(found.page, fail_on)


def exit_code(page: "VerdictPage", fail_on: str) -> int:
    """What a verdict exits with."""
    answered = next((one for one in page.verdict.conditions if one.name == "answered"), None)
    if fail_on != "never" and answered is not None and not answered.holds:
        return 1 if answered.numbers["unreadable"] else 4
    says_no = {"worse": {"reject"}, "inconclusive": {"reject", "inconclusive"}, "never": set[str]()}
    return 1 if page.verdict.verdict in says_no[fail_on] else 0


# --- champion ---------------------------------------------------------------------------------------------------------


@click.group()
def champion() -> None:
    """The adapter that each model is served with: who it is, who it was, and the way back."""


def _check_model(root: Path, store: "Store", name: str) -> None:
    """Raises UsageError where neither the project nor the history of champions knows a model of that name."""
    from promptforge.compiler.build import compile_project
    from promptforge.compiler.load import read_project
    from promptforge.source import did_you_mean

    known = {row.model for row in store.crownings()}
    if name and name not in known:
        known |= compile_project(read_project(root), today=today()).project.config.models.keys()
        if name not in known:
            message = f"no model '{name}' in promptforge.yaml or among the champions"
            raise UsageError(message, hint=did_you_mean(name, known))


@champion.command("show")
@click.argument("model", default="")
@format_option("text", "json")
@click.pass_context
def show_champions(ctx: click.Context, model: str, form: str) -> int:
    """Show the champions, and where their adapters are kept."""
    from promptforge.console.promote import champions_json, champions_text
    from promptforge.console.terminal import print_json, print_text
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.champions import champions, point

    root = find_project(ctx)
    with open_store(root) as store:
        _check_model(root, store, model)
        point(store, root)
        found = [one for one in champions(store, root) if model in ("", one.model)]
    if form == "json":
        print_json(champions_json(found))
    else:
        print_text(champions_text(found))
    return 0


@champion.command("history")
@click.argument("model", default="")
@format_option("text", "json")
@click.pass_context
def champion_history(ctx: click.Context, model: str, form: str) -> int:
    """Every change of a champion, with its reason. Nothing is ever taken out of it."""
    from promptforge.console.promote import history_json, history_text
    from promptforge.console.terminal import print_json, print_text
    from promptforge.workbench.bench import open_store

    root = find_project(ctx)
    with open_store(root) as store:
        _check_model(root, store, model)
        rows = [row for row in store.crownings() if model in ("", row.model)]
    if form == "json":
        print_json(history_json(rows))
    else:
        print_text(history_text(rows))
    return 0


@champion.command("rollback")
@click.argument("model")
@click.option("--to", type=click.IntRange(1), metavar="NUMBER", help="To this one of its history, not the one before.")
@click.option("--category", default="", metavar="NAME", help="The champion of a category.")
@click.option("--why", default="", metavar="TEXT", help="For the history.")
@click.pass_context
def roll_back(ctx: click.Context, model: str, to: int | None, category: str, why: str) -> int:
    """Go back to the champion before; from the first one to the untrained model."""
    from promptforge.console.terminal import status
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.champions import rollback
    from promptforge.workbench.environment import now_utc

    root = find_project(ctx)
    with open_store(root) as store:
        now = rollback(store, root, model, at=now_utc(), why=why, category=category, to=to)
    who = f"champion {now.number}, {said_path(now.folder, root)}" if now else "the untrained model: it has no champion"
    status(f"{model} is back at {who}")
    return 0
