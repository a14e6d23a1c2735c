"""`report`: a run with its judgement as a page or a file."""

from pathlib import Path

from promptforge.bench.exports import to_json, to_junit, to_markdown
from promptforge.bench.results import Run
from promptforge.errors import WriteError
from promptforge.files import said_path
from promptforge.workbench.disk import replace_files
from promptforge.workbench.judged import judged
from promptforge.workbench.outfile import refuse_own

__all__ = ["report_text", "write_report"]


def report_text(run: Run, form: str, *, include_private: bool) -> str:
    """The report as html, json, markdown or junit."""
    found = judged(run)
    if form == "html":
        from promptforge.bench.report.page import page

        return page(
            run,
            found.comparisons,
            found.scores,
            include_private=include_private,
            explain=lambda held: held.text,
        )
    if form == "junit":
        return to_junit(run, include_private=include_private)
    make = {"json": to_json, "markdown": to_markdown}[form]
    return make(run, found.comparisons, found.scores, include_private=include_private)


def write_report(root: Path, run: Run, text: str, output: Path | None, *, private: bool) -> str:
    """Write it, by default to build/reports/RUN.html; where it went. Raises UsageError, WriteError."""
    if output is not None:
        refuse_own(root, output)
    path = output or root / "build" / "reports" / f"{run.id}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise WriteError(
            f"{path.parent}: {(problem.strerror or str(problem)).lower()}", hint="name another place"
        ) from problem
    replace_files(root, {path: (text.encode("utf-8", "surrogatepass"), private)})
    return said_path(path, root)
