"""init, doctor."""

from pathlib import Path

import click

from promptforge.cli.options import find_project, format_option, today
from promptforge.errors import UsageError

__all__ = ["doctor", "init"]


@click.command()
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--from", "source", metavar="FILE", help="Take the prompts of an agent_prompts.yaml over, byte for byte.")
@click.option("--empty", is_flag=True, help="Without facts: agents and a suite for what you import.")
@click.pass_context
def init(ctx: click.Context, folder: str | None, source: str | None, empty: bool) -> int:
    """Start a project in DIR (default: here) with a small working example, or with prompts that you have.

    Nothing that is there already is overwritten.
    """
    named = ctx.find_root().obj
    if folder is not None and named is not None:
        raise UsageError("init takes its folder once: as DIR, or with -C", hint=f"promptforge init {folder}")
    root = Path(folder or named or ".")
    if source is not None and empty:
        raise UsageError("--empty and --from are two ways to begin", hint="choose one")
    return _scaffold(root, empty) if source is None else _adopt(Path(source), root)


def _scaffold(root: Path, empty: bool) -> int:
    from promptforge.console.start import lacking_text, scaffold_text
    from promptforge.console.terminal import painter, print_text, status
    from promptforge.workbench.scaffold import scaffold

    made = scaffold(root, empty=empty)
    print_text(scaffold_text(made, painter(), empty=empty))
    if made.lacking:
        status(lacking_text(made.lacking))
    return 0


def _adopt(source: Path, root: Path) -> int:
    import sys

    from promptforge.console import diagnostics as show
    from promptforge.console.start import adopted_text, lacking_text, left_text
    from promptforge.console.terminal import painter, print_text, status
    from promptforge.workbench.adopt import adopt

    adopted = adopt(source, root, today=today())
    print_text(adopted_text(adopted, painter()))
    if adopted.left:
        status(left_text(adopted.left))
    if adopted.scaffold.lacking:
        status(lacking_text(adopted.scaffold.lacking))
    build = adopted.build
    if build.diagnostics:
        status(show.as_text(build.diagnostics, build.source_line, painter(sys.stderr)))
        status(show.counts(build.diagnostics))
    if build.errors:
        status("the files are written, but build refuses them until this is mended: promptforge check")
        return 1
    return 0


@click.command()
@format_option("text", "json")
@click.pass_context
def doctor(ctx: click.Context, form: str) -> int:
    """Look whether models, keys, ports and tokenizers are in order.

    Asks the servers of local models whether they are there; a cloud model is never asked. Exit code 1 when something
    that a command needs is broken. A local server that does not run is not: it can be started.
    """
    import os

    from promptforge.console.doctor import doctor_json, doctor_text
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.workbench.doctor import examine

    found = examine(find_project(ctx), today=today(), environ=os.environ)
    if form == "json":
        print_json(doctor_json(found))
    else:
        print_text(doctor_text(found, painter()))
    return 1 if found.problems else 0
