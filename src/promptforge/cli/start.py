"""init, doctor."""

from pathlib import Path

import click

from promptforge.cli.options import find_project, format_option, today
from promptforge.errors import UsageError

__all__ = ["doctor", "init"]


@click.command()
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--from", "source", metavar="FILE", help="Take the prompts of an agent_prompts.yaml over, byte for byte.")
@click.pass_context
def init(ctx: click.Context, folder: str | None, source: str | None) -> int:
    """Start a project in DIR (default: here) with a small working example.

    Nothing that is there already is overwritten.
    """
    named = ctx.find_root().obj
    if folder is not None and named is not None:
        raise UsageError("init takes the folder once: as DIR or with -C", hint=f"promptforge init {folder}")
    root = Path(folder or named or ".")
    return _start(root) if source is None else _take_over(Path(source), root)
