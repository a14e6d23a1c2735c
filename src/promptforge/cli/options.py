"""What several commands share: the project's folder, the clock, the choice of a format."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from promptforge.errors import NoProjectError
from promptforge.files import CONFIG

__all__ = ["find_project", "format_option", "today"]

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
