"""advise, fleet."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptforge.cli.options import find_project, format_option, today

if TYPE_CHECKING:
    from promptforge.compiler.build import Build
    from promptforge.workbench.suites import Suites

__all__ = ["advise", "fleet"]


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option("--suite", default="", metavar="NAME", help="Where there are several.")
@format_option("text", "json")
@click.pass_context
def advise(ctx: click.Context, models: tuple[str, ...], suite: str, form: str) -> int:
    """Say for each model whether its prompt is enough, or which training is worth a thought.

    It goes by the runs of the history in which both prompts were asked, and says when these are not enough. Nothing
    is sent.
    """
    from promptforge.advise import advise as counsel
    from promptforge.console.advise import advice_json, advice_text
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.workbench.bench import open_store

    root = find_project(ctx)
    if (project := _project(root)) is None:
        return 1
    with open_store(root) as store:
        found = counsel(*project, store, models, suite=suite, environ=os.environ)
    if form == "json":
        print_json(advice_json(found))
    else:
        print_text(advice_text(found, painter()))
    return 0


@click.command()
@click.option("--suite", default="", metavar="NAME", help="Where there are several.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where build/fleet.yaml is not up to date.")
@format_option("text", "json")
@click.pass_context
def fleet(ctx: click.Context, suite: str, check: bool, form: str) -> int:
    """Give each agent, and each category of questions, a model: by evidence, within privacy, cost and latency.

    Writes build/fleet.yaml for routers to read. An agent leaves the model of its own file only where another one is
    shown better, or is cheaper and a fall that matters is excluded. In a category a tie goes to the cheapest, and is
    called a tie.

    Exits with 1 where an agent gets no model.
    """
    from promptforge.console.fleet import fleet_json, fleet_text
    from promptforge.console.terminal import painter, print_json, print_text, status
    from promptforge.fleet import fleet as choose
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.fleetfile import FLEET, changes, is_written, write_fleet

    root = find_project(ctx)
    if (project := _project(root)) is None:
        return 1
    with open_store(root) as store:
        found = choose(*project, store, suite=suite, environ=os.environ)
    changed = changes(root, found)
    current = is_written(root, found)
    if form == "json":
        print_json(fleet_json(found, changed))
    else:
        print_text(fleet_text(found, changed, painter()))
    if check:
        status(f"{FLEET} is up to date" if current else f"{FLEET} is not up to date: run promptforge fleet")
    else:
        status(f"wrote {FLEET}" if write_fleet(root, found) else f"{FLEET} is as it was")
    without = [seat.agent for seat in found.seats if not seat.choice.model]
    if without:
        status(f"no model may be given to: {', '.join(without)}")
    return 1 if without or (check and not current) else 0


def _project(root: Path) -> "tuple[Build, Suites] | None":
    """The project as it is; None when it has errors, which are then said."""
    from promptforge.compiler.build import compile_project
    from promptforge.compiler.load import read_project
    from promptforge.console import diagnostics as show
    from promptforge.console.terminal import painter, plural, status
    from promptforge.source import errors
    from promptforge.workbench.suites import judge_suites, load_suites

    build = compile_project(read_project(root), today=today())
    suites = load_suites(build)
    if wrong := errors(judge_suites(build, suites)):
        status(show.as_text(wrong, build.source_line, painter(sys.stderr)))
        status(f"{plural(len(wrong), 'error')}: nothing was judged")
        return None
    return build, suites
