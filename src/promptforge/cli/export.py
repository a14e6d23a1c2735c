"""export: suites and runs for other tools."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptforge.cli.options import FiniteRange, find_project, format_option, today

if TYPE_CHECKING:
    from promptforge.compiler.build import Build
    from promptforge.workbench.suites import Suites

__all__ = ["export"]


def _split(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Several values, given one by one or joined by commas."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


_output = click.option(
    "--output", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Where to; made if need be."
)


@click.group()
def export() -> None:
    """A suite for promptfoo, a run for Inspect: where people already are."""


@export.command("promptfoo")
@click.argument("suite", default="")
@_output
@click.option("--agent", "agents", multiple=True, callback=_split, metavar="GLOB", help="Only these agents.")
@click.option("--model", "models", multiple=True, callback=_split, metavar="NAME", help="Ask these models instead.")
@click.option(
    "--variant", "variants", multiple=True, callback=_split, metavar="NAME", help="base, enriched. Default: both."
)
@click.option(
    "--pass",
    "pass_mark",
    type=FiniteRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SCORE",
    help="The least score of a test that passes.",
)
@click.option("--heldout", is_flag=True, help="Take the held-out cases along, too.")
@click.option("--generated", is_flag=True, help="Take the generated cases along, too.")
@format_option("text", "json")
@click.pass_context
def promptfoo(
    ctx: click.Context,
    suite: str,
    output: Path,
    agents: tuple[str, ...],
    models: tuple[str, ...],
    variants: tuple[str, ...],
    pass_mark: float,
    heldout: bool,
    generated: bool,
    form: str,
) -> int:
    """Write SUITE and its prompts as a folder that promptfoo runs.

    Needs no run and sends nothing. Answers are scored by promptforge's own rules, so promptfoo's Python must have
    promptforge. What cannot be exported, or may not, is said by case. No key is written, only its variable's name.
    """
    from promptforge.console import export as show
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.workbench.exporting import Wishes, check_folder, export_promptfoo, holds_export, write_export

    root = find_project(ctx)
    check_folder(root, output, holds_export)
    project = _project(root)
    if project is None:
        return 1
    wishes = Wishes(
        suite=suite,
        models=models,
        variants=variants or ("base", "enriched"),
        agents=agents,
        pass_mark=pass_mark,
        heldout=heldout,
        generated=generated,
    )
    made = export_promptfoo(*project, wishes)
    write_export(root, output, made)
    if form == "json":
        print_json(show.promptfoo_json(made, output))
    else:
        print_text(show.promptfoo_text(made, output, root, painter()))
    return 0


@export.command("inspect")
@click.argument("run", default="latest")
@_output
@click.option("--include-private", is_flag=True, help="Do not redact the values of private facts.")
@format_option("text", "json")
@click.pass_context
def inspect(ctx: click.Context, run: str, output: Path, include_private: bool, form: str) -> int:
    """Write RUN as logs that `inspect view` opens: one for each model and variant.

    RUN is the id of a run, or the beginning of it. What has no answer is a sample with an error, and has no score.
    """
    from promptforge.console import export as show
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.exporting import check_folder, export_inspect, holds_logs
    from promptforge.workbench.finding import read

    root = find_project(ctx)
    check_folder(root, output, holds_logs)
    with open_store(root) as store:
        found = read(store, run)
    written = export_inspect(root, found, output, include_private=include_private)
    if form == "json":
        print_json(show.inspect_json(found, written))
    else:
        print_text(show.inspect_text(found, written, output, root, painter(), private=include_private))
    return 0


def _project(root: Path) -> "tuple[Build, Suites] | None":
    """The project and its suites; None when they have errors, which are then said."""
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
        status(f"{plural(len(wrong), 'error')}: nothing was written")
        return None
    return build, suites
