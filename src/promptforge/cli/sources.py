"""import, drift."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptforge.cli.options import find_project, format_option, today
from promptforge.errors import UsageError

if TYPE_CHECKING:
    from promptforge.sources.base import Observation

__all__ = ["drift", "import_"]

_OPTION = re.compile(r"([a-z_]+)=(.+)", re.DOTALL)
_SOURCES = """
    SOURCE is one of tailscale, homeassistant, ssh, sockets, leases, compose, ansible, netbox, nmap, prometheus and
    table (CSV or JSON by a mapping file). Its dump is a FILE, or several; nothing is executed and nothing fetched.
    NAME=VALUE says what a dump does not: host=mini, mapping=devices.mapping.yaml."""


@click.command(
    "import",
    help=f"""Take facts over from a dump: `promptforge import tailscale status.json`.

    New facts are added; what differs is shown, and taken only with --accept. The files keep their comments, order and
    layout, and are written only when the whole result compiles without new errors.
    {_SOURCES}""",
)
@click.argument("source", metavar="SOURCE")
@click.argument("files", metavar="FILE… [NAME=VALUE…]", nargs=-1)
@click.option(
    "--into", metavar="FILE", default="", help="Where new facts go; default: the file that holds their table."
)
@click.option("--all", "everything", is_flag=True, help="Take what is noise, too: diagnostic entities, bridges, …")
@click.option(
    "--accept",
    metavar="KEY|TABLE|all",
    multiple=True,
    help="Take the differing values of a fact, of a table, or all; also renames. May be repeated.",
)
@click.option(
    "--source-column", metavar="NAME", default="", help="Say in this column of new facts where they are from."
)
@click.option("--dry-run", is_flag=True, help="Write nothing; show what would change as a diff.")
@format_option("text", "json")
@click.pass_context
def import_(
    ctx: click.Context,
    source: str,
    files: tuple[str, ...],
    into: str,
    everything: bool,
    accept: tuple[str, ...],
    source_column: str,
    dry_run: bool,
    form: str,
) -> int:
    """Take facts over from a dump."""
    from promptforge.console.sources import import_json, import_text
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.workbench.takeover import Wishes, take_over

    root = find_project(ctx)
    _check_options([source], files)
    observation = _observe(source, files)
    wishes = Wishes(accept=accept, into=into, everything=everything, source_column=source_column, dry_run=dry_run)
    made = take_over(root, observation, wishes, today=today())
    if form == "json":
        print_json(import_json(made, dry_run=dry_run))
    else:
        if dry_run:
            print_text(made.patch())
        print_text(import_text(made, painter(), dry_run=dry_run))
    return 1 if made.problems else 0


@click.command(
    help=f"""Say what no longer holds: the knowledge against dumps, read-only.

    Exit code 0: they agree; 1: drift; 2: it could not be found out.
    {_SOURCES}
    """,
)
@click.argument("source", metavar="[SOURCE", required=False)
@click.argument("files", metavar="FILE…] [NAME=VALUE…]", nargs=-1)
@click.option("--from", "others", metavar="SOURCE=FILE", multiple=True, help="A further dump. May be repeated.")
@click.option("--all", "everything", is_flag=True, help="Say also of noise that no table has it.")
@format_option("text", "json", "markdown", "github")
@click.pass_context
def drift(
    ctx: click.Context, source: str | None, files: tuple[str, ...], others: tuple[str, ...], everything: bool, form: str
) -> int:
    """Say what no longer holds."""
    from promptforge.cli.prompts import within_repository
    from promptforge.console.sources import drift_github, drift_json, drift_markdown, drift_text
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.workbench.drift import find_drift

    root = find_project(ctx)
    found = find_drift(root, _observe_all(source, files, others), everything=everything, today=today())
    if form == "json":
        print_json(drift_json(found))
    elif form == "markdown":
        print_text(drift_markdown(found))
    elif form == "github":
        print_text(drift_github(found, within_repository(root)))
    else:
        print_text(drift_text(found, painter()))
    return 0 if found.clean else 1


def _observe_all(source: str | None, files: Sequence[str], others: Iterable[str]) -> list["Observation"]:
    """What all the dumps show; those of one source are read together."""
    asked: dict[str, list[str]] = {}
    options = [file for file in files if _is_option(file)]
    if source is not None and _is_option(source):
        options, source = [source, *options], None
    if source is not None:
        asked[source] = [file for file in files if not _is_option(file)]
    for one in others:
        name, _, file = one.partition("=")
        if not file:
            raise UsageError(f"--from '{one}' names no file", hint="write --from tailscale=status.json")
        asked.setdefault(name, []).append(file)
    if not asked:
        raise UsageError("no dump is named", hint="promptforge drift tailscale status.json")
    _check_options([*asked], options)
    return [_observe(name, [*dumps, *options]) for name, dumps in asked.items()]


def _is_option(argument: str) -> bool:
    return bool(_OPTION.fullmatch(argument)) and not Path(argument).exists()


def _check_options(names: Sequence[str], arguments: Sequence[str]) -> None:
    """Every NAME=VALUE is known to a source that is asked. Raises UsageError."""
    from promptforge.source import did_you_mean
    from promptforge.sources.all import SOURCES

    if unknown := next((name for name in names if name not in SOURCES), None):
        raise _unknown(unknown)
    known = dict.fromkeys(option for name in names for option in SOURCES[name].options)
    for one in arguments:
        option = one.partition("=")[0]
        if _is_option(one) and option not in known:
            whose, knows = " and ".join(names), "know" if len(names) > 1 else "knows"
            has = f"{'they know' if len(names) > 1 else 'it knows'} {', '.join(known) or 'no NAME=VALUE'}"
            hint = did_you_mean(option, known) or f"{has}; a file of this name is not there"
            raise UsageError(f"{whose} {knows} no '{option}'", hint=hint)


def _observe(name: str, arguments: Sequence[str]) -> "Observation":
    """Read the dumps of one source. Raises UsageError and SourceError."""
    from promptforge.sources.all import SOURCES

    found = [match for one in arguments if _is_option(one) and (match := _OPTION.fullmatch(one))]
    options = {match[1]: match[2] for match in found}
    files = [Path(one) for one in arguments if not _is_option(one)]
    if not files:
        raise UsageError(f"no dump of {name} is named", hint=SOURCES[name].about)
    return SOURCES[name].read(files, options=options)


def _unknown(name: str) -> UsageError:
    """No such source; where it is a file, what it looks like."""
    from promptforge.source import did_you_mean
    from promptforge.sources.all import SOURCES, guess
    from promptforge.sources.dump import dump_command

    path = Path(name)
    if path.is_file():
        looks, command = guess(path), dump_command(path)
        hint = (
            f"it looks like {looks}: promptforge import {looks} {name}" if looks else "name the source before the file"
        )
        hint = f"no source reads it as it is; make a dump of it: {command}" if command and not looks else hint
        return UsageError(f"'{name}' is a file, not a source", hint=hint)
    return UsageError(f"no source '{name}'", hint=did_you_mean(name, SOURCES))
