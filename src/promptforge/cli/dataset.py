"""dataset build, dataset audit."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptforge.cli.options import find_project, format_option, today
from promptforge.errors import NoProjectError, UsageError, WriteError

if TYPE_CHECKING:
    from promptforge.dataset.findings import Audit

__all__ = ["dataset"]


@click.group()
def dataset() -> None:
    """Training data for the models that still need it: made from the project, balanced, audited."""


@dataset.command()
@click.argument("recipe")
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Default: build/datasets/RECIPE.")
@format_option("text", "json")
@click.pass_context
def build(ctx: click.Context, recipe: str, output: Path | None, form: str) -> int:
    """Make the rows of a recipe (training/*.yaml), write them for its trainer, and audit them.

    The folder is replaced in whole, or stays as it was. Exit code 1 when the audit refuses the rows.
    """
    from promptforge.compiler.load import read_project
    from promptforge.console import diagnostics as show
    from promptforge.console.audit import audit_text
    from promptforge.console.dataset import emitted_json, emitted_text
    from promptforge.console.terminal import painter, plural, print_json, print_text, status
    from promptforge.workbench.check import check
    from promptforge.workbench.emitting import emit_dataset

    root = find_project(ctx)
    checked = check(read_project(root), today=today())
    if checked.errors:
        status(show.as_text(checked.errors, checked.build.source_line, painter(sys.stderr)))
        status(f"{plural(len(checked.errors), 'error')}: nothing was written")
        return 1
    emitted = emit_dataset(root, checked, recipe, output=output, today=today(), environ=os.environ)
    if form == "json":
        print_json(emitted_json(emitted))
    else:
        print_text(emitted_text(emitted, root, painter()))
        print_text(f"\n{audit_text(emitted.audit, painter())}")
    return _exit_code(emitted.audit, strict=False)


@dataset.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--recipe", default="", metavar="NAME", help="Hold it against this recipe's limits and trainer.")
@click.option("--model", default="", metavar="NAME", help="Count with this model's tokenizer.")
@click.option("--kind-column", default="", metavar="NAME", help="The column that says a row's kind.")
@click.option("--strict", is_flag=True, help="Exit 1 when anything is flagged, too.")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write it there; html: audit.html by default."
)
@format_option("text", "json", "html")
@click.pass_context
def audit(
    ctx: click.Context,
    files: tuple[Path, ...],
    recipe: str,
    model: str,
    kind_column: str,
    strict: bool,
    output: Path | None,
    form: str,
) -> int:
    """Look at anybody's training data before it is trained on: files and folders of any trainer's format.

    Composition, duplicates, benchmark cases given away, contradictions with the knowledge, private facts and secrets,
    lengths, and each trainer's traps. Exit code 1 when the verdict is no. Works without a project, too.
    """
    from promptforge.console.terminal import status
    from promptforge.workbench.auditing import audit_files
    from promptforge.workbench.outfile import check_report, refuse_own

    try:
        root = find_project(ctx)
    except NoProjectError:
        if recipe or model:
            raise
        root = None
        status("no project here: held against no knowledge, no cases and no clearance")
    if output is not None and any(output.resolve().is_relative_to(file.resolve()) for file in files):
        raise UsageError(f"the output '{output}' is among what is audited", hint="name another place")
    if output is not None and root is not None:
        refuse_own(root, output)
    if form == "html" or output is not None:
        check_report(output or _PAGE, mark="" if output else "promptforge")
    found = audit_files(files, root=root, today=today(), recipe=recipe, model=model, kind_column=kind_column)
    _show(found, form, output)
    return _exit_code(found, strict=strict)


_PAGE = Path("audit.html")


def _show(found: "Audit", form: str, output: Path | None) -> None:
    import json

    from promptforge import __version__
    from promptforge.console.audit import audit_text
    from promptforge.console.terminal import painter, print_text, status
    from promptforge.dataset.auditjson import audit_json
    from promptforge.dataset.page import audit_page
    from promptforge.workbench.outfile import write_report

    if form == "html":
        text = audit_page(found, version=__version__)
        output = output or _PAGE
    elif form == "json":
        text = json.dumps(audit_json(found), ensure_ascii=False, indent=2)
    else:
        text = audit_text(found, painter())
    if output is None:
        print_text(text)
        return
    try:
        write_report(output, text)
    except WriteError:
        print_text(audit_text(found, painter()))  # it may have taken minutes
        raise
    status(f"{found.word}: wrote {output}")


def _exit_code(found: "Audit", *, strict: bool) -> int:
    return 1 if found.word == "refused" or (strict and found.word != "fine") else 0
