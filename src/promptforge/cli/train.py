"""train."""

import datetime
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptforge.cli.options import FiniteRange, find_project, format_option, today
from promptforge.cli.running import breakable, training_shown

if TYPE_CHECKING:
    from promptforge.train.train import Asked, Outcome
    from promptforge.workbench.check import Checked

__all__ = ["train"]

_MINUTES = FiniteRange(0, min_open=True)


@click.command()
@click.argument("recipe")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Train from this seed. Default: the recipe's.")
@click.option("--again", is_flag=True, help="Train also what is trained already, of the same inputs.")
@click.option("--python", default="", metavar="PATH", help="A Python that has the trainer.")
@click.option("--max-minutes", type=_MINUTES, metavar="MIN", help="Stop the trainer after so long; nothing is kept.")
@click.option(
    "--stall-minutes",
    type=_MINUTES,
    default=30.0,
    show_default=True,
    metavar="MIN",
    help="Without a word for so long, it hangs.",
)
@format_option("text", "json")
@click.pass_context
def train(
    ctx: click.Context,
    recipe: str,
    seed: int | None,
    again: bool,
    python: str,
    max_minutes: float | None,
    stall_minutes: float,
    form: str,
) -> int:
    """Build a recipe's dataset, audit it, and train on it with the recipe's own trainer.

    The adapter goes to build/adapters/, in whole or not at all. Exit codes: 1 the audit refuses the rows, 2 the trainer
    or the weights are not here, 3 the time was up, 4 the trainer failed, 130 interrupted.
    """
    from promptforge.compiler.load import read_project
    from promptforge.console import diagnostics as show
    from promptforge.console.terminal import painter, plural, print_json, print_text, status
    from promptforge.console.train import trained_json, trained_text
    from promptforge.train.train import Asked
    from promptforge.trainers.running import Limits
    from promptforge.workbench.check import check

    root = find_project(ctx)
    checked = check(read_project(root), today=today())
    if checked.errors:
        status(show.as_text(checked.errors, checked.build.source_line, painter(sys.stderr)))
        status(f"{plural(len(checked.errors), 'error')}: nothing was trained")
        return 1
    limits = Limits(minutes=max_minutes, stall_minutes=stall_minutes)
    outcome = _trained(root, checked, recipe, Asked(seed=seed, again=again, python=python, limits=limits))
    if form == "json":
        print_json(trained_json(outcome))
    else:
        print_text(trained_text(outcome, root, painter()))
    return 0


def _trained(root: Path, checked: "Checked", recipe: str, asked: "Asked") -> "Outcome":
    from promptforge.console.terminal import painter, status
    from promptforge.console.train import refused_text
    from promptforge.train.train import RefusedError, Watch
    from promptforge.train.train import train as train_recipe

    try:
        with breakable(), training_shown() as progress:
            watch = Watch(says=status, progress=progress)
            return train_recipe(root, checked, recipe, asked, environ=os.environ, now=_now, watch=watch)
    except RefusedError as problem:
        status(refused_text(problem.audit, painter(sys.stderr)))
        raise


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
