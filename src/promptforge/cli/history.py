"""history list, export, import, prune."""

from pathlib import Path

import click

from promptforge.cli.options import Days, find_project, format_option

__all__ = ["history"]


@click.group()
def history() -> None:
    """The runs so far and their answers, in .promptforge/history.db."""


@history.command("list")
@format_option("text", "json")
@click.pass_context
def list_runs(ctx: click.Context, form: str) -> int:
    """List the runs, the latest first."""
    from promptforge.console.bench import runs_json, runs_text
    from promptforge.console.terminal import print_json, print_text
    from promptforge.workbench.bench import open_store

    with open_store(find_project(ctx)) as store:
        runs = store.runs()
    if form == "json":
        print_json(runs_json(runs))
    else:
        print_text(runs_text(runs))
    return 0


@history.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def export_history(ctx: click.Context, file: Path) -> int:
    """Write all runs and answers to FILE, for another machine. Answers may hold private facts: it is yours alone."""
    from promptforge.console.terminal import status
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.moving import export_to
    from promptforge.workbench.outfile import refuse_own

    root = find_project(ctx)
    refuse_own(root, file)
    with open_store(root) as store:
        count = export_to(store, file)
    status(f"wrote {file}: {count:,} lines")
    return 0


@history.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def import_history(ctx: click.Context, file: Path) -> int:
    """Take over the runs and answers of an exported history: what is known here already stays."""
    from promptforge.console.terminal import plural, status
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.moving import import_from

    with open_store(find_project(ctx)) as store:
        answers, runs = import_from(store, file)
    status(f"took over {plural(answers, 'answer')} and {plural(runs, 'run')}")
    return 0


@history.command("prune")
@click.option(
    "--older-than", type=Days(0, 99_999), required=True, metavar="DAYS", help="Forget what is older: 14d, or 14."
)
@click.pass_context
def prune_history(ctx: click.Context, older_than: int) -> int:
    """Forget old runs and answers, and give the room back."""
    import datetime

    from promptforge.console.terminal import plural, status
    from promptforge.workbench.bench import open_store

    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=older_than)
    with open_store(find_project(ctx)) as store:
        answers, runs = store.prune(before=before.isoformat(timespec="milliseconds"))
    status(f"forgot {plural(answers, 'answer')} and {plural(runs, 'run')}")
    return 0
