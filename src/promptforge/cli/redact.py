"""redact."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptforge.cli.options import find_project, format_option
from promptforge.errors import InputError, NoProjectError, UsageError

if TYPE_CHECKING:
    from promptforge.workbench.redact import Wishes

__all__ = ["redact"]


@click.command()
@click.argument("target", metavar="[DIR]", required=False)
@click.option(
    "--text",
    "source",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    help="Redact a text to stdout instead: FILE, or what comes in by stdin.",
)
@click.option("--key", metavar="FILE", help="The key; default: .promptforge/redact.key, made at the first use.")
@click.option("--also", metavar="COLUMN", multiple=True, help="A further column that names. May be repeated.")
@click.option("--word", "words", metavar="WORD", multiple=True, help="A further name. May be repeated.")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be replaced.")
@format_option("text", "json")
@click.pass_context
def redact(
    ctx: click.Context,
    target: str | None,
    source: str | None,
    key: str | None,
    also: tuple[str, ...],
    words: tuple[str, ...],
    dry_run: bool,
    form: str,
) -> int:
    """Make a copy of the project that can be shown: `promptforge redact ../my-house-public`.

    Every address, MAC, host, person, device and entity is replaced, in facts, prose, comments and file names; secrets
    are taken out. What was equal still is, so the copy compiles and checks as the original does. The same key gives
    the same values again, also for a text: `promptforge redact --text < error.txt`.

    Nothing is written when something of the original would be left. DIR is new, empty, or an earlier copy.
    """
    from promptforge.workbench.redact import Wishes

    wishes = Wishes(key=Path(key) if key else None, also=also, words=words, dry_run=dry_run)
    if source is not None:
        if target is not None:
            raise UsageError(
                "a text goes to stdout, so no folder is needed", hint=f"promptforge redact --text {source}"
            )
        return _text(ctx, source, wishes, form)
    if target is None:
        hint = "promptforge redact ../my-house-public; or a text: promptforge redact --text < error.txt"
        raise UsageError("where should the copy be?", hint=hint)
    from promptforge.console.redact import redacted_json, redacted_text
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.workbench.redact import redact_project

    made = redact_project(find_project(ctx), Path(target), wishes)
    if form == "json":
        print_json(redacted_json(made, dry_run=dry_run))
    else:
        print_text(redacted_text(made, painter(), dry_run=dry_run))
    return 0


def _text(ctx: click.Context, source: str, wishes: "Wishes", form: str) -> int:
    from promptforge.console.redact import text_json, text_status
    from promptforge.console.terminal import print_json, print_piece, status
    from promptforge.workbench.redact import redact_text

    try:
        root = find_project(ctx)
    except NoProjectError:
        if ctx.find_root().obj is not None:
            raise
        root = None
    made = redact_text(root, _content(source), wishes)
    if form == "json":
        print_json(text_json(made))
    else:
        print_piece(made.text)
        status(text_status(made))
    return 0


def _content(source: str) -> str:
    """The text that was named, or that comes in. Raises InputError."""
    from promptforge.console.terminal import status

    if source == "-" and sys.stdin.isatty():
        status("write or paste the text, then press Ctrl-D")
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise InputError(f"{source} cannot be read: {reason}", hint="name a text file") from problem
    if b"\0" in content:
        raise InputError(f"{source} is no text: it holds NUL bytes", hint="name a text file")
    return content.decode("utf-8", "replace")
