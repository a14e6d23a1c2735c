"""What several commands share: the project's folder, the clock, the choice of a format."""

import datetime
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from promptforge.errors import NoProjectError
from promptforge.files import CONFIG

__all__ = ["A_WEEK_S", "Days", "FiniteRange", "find_project", "format_option", "today"]

A_WEEK_S = 604_800.0
"""Nobody waits longer for an answer, and operating systems cannot count much longer."""

_F = TypeVar("_F", bound=Callable[..., object])


def find_project(ctx: click.Context) -> Path:
    """The project's folder: that of -C, else the nearest one at or above the current folder."""
    named = ctx.find_root().obj
    if named is not None:
        folder = Path(named).resolve()
        if not folder.is_dir() or not named:
            raise NoProjectError(f"-C '{named}' is no folder", hint="name the folder that holds promptforge.yaml")
        if not (folder / CONFIG).exists() and not (folder / CONFIG).is_symlink():
            above = next((p for p in folder.parents if (p / CONFIG).exists()), None)
            hint = f"the project is in {above}" if above else f"start one there: promptforge init {named}"
            raise NoProjectError(f"no {CONFIG} in {named}", hint=hint)
        return folder
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / CONFIG).exists() or (folder / CONFIG).is_symlink():
            return folder
    raise NoProjectError(f"no {CONFIG} here or above", hint="start one here: promptforge init")


class FiniteRange(click.FloatRange):
    """A number within bounds: `nan`, which is within all of them, and `inf` are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Raises click.BadParameter."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no number to count with.", param, ctx)
        return number


class Days(click.IntRange):
    """A number of days, bare or as promptforge.yaml writes it: `14d`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """How many. Raises click.BadParameter."""
        if not (found := re.fullmatch(r"(\d+)d?", str(value).strip(), re.ASCII)):
            self.fail(f"'{value}' is no number of days: write 14d, or 14.", param, ctx)
        return int(super().convert(int(found[1]), param, ctx))


def today() -> datetime.date:
    """The clock, read only at the edge."""
    return datetime.date.today()


def format_option(*formats: str) -> Callable[[_F], _F]:
    """--format, the first of them by default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How the result is printed.",
    )
