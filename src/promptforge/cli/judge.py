"""compare, report."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptforge.cli.options import FiniteRange, find_project, format_option
from promptforge.errors import InputError, UsageError

if TYPE_CHECKING:
    from promptforge.bench.results import Arm, Comparison, Run
    from promptforge.store import Store

__all__ = ["compare", "report"]


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--run", "name", metavar="RUN", show_default="latest", help="Where A and B are variants: of this run.")
@click.option("--model", metavar="NAME", help="Where a run asked several models: of this one.")
@click.option("--cases", type=click.IntRange(1), metavar="N", help="Of category scores: they rest on so many cases.")
@click.option(
    "--discordance",
    type=FiniteRange(0, 1, min_open=True),
    show_default="0.15",
    metavar="SHARE",
    help="Of two files of category scores: the share of cases that differ.",
)
@click.option("--fail-on", type=click.Choice(["worse", "inconclusive", "never"]), default="worse", show_default=True)
@format_option("text", "json", "markdown")
@click.pass_context
def compare(
    ctx: click.Context,
    before: str,
    after: str,
    name: str | None,
    model: str | None,
    cases: int | None,
    discordance: float | None,
    fail_on: str,
    form: str,
) -> int:
    """Say whether B is better than A, and how sure that is.

    A and B are variants of a run (base enriched), runs by their ids, git revisions of a run made with --against, or two
    files of scores that promptforge did not make (JSON, JSONL, CSV or YAML).
    """
    files = [Path(side).is_file() for side in (before, after)]
    if any(files) and not all(files):
        odd = after if files[0] else before
        raise InputError(f"there is no file '{odd}', while the other one is a file", hint="name two files of scores")
    if all(files):
        _refuse({"--run": name, "--model": model}, "for runs: A and B are two files of scores")
        return _compare_files(Path(before), Path(after), cases, discordance, form, fail_on)
    none = f"for two files of scores: there is no file '{before}'"
    _refuse({"--cases": cases, "--discordance": discordance}, none)
    from promptforge.bench.compare import compare as compare_arms
    from promptforge.workbench.bench import open_store

    with open_store(find_project(ctx)) as store:
        (run_a, arm_a), (run_b, arm_b) = _sides(store, before, after, name, model or "")
    found = compare_arms(run_a, arm_a, run_b, arm_b)
    if not (found.overall or found.categories or found.generated or found.unanswered):
        raise _nothing_common(found)
    _print(found, form)
    return _exit_code(found.verdict.word, fail_on)


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Say of an option that it means nothing here. Raises UsageError."""
    for option, value in options.items():
        if value is not None:
            raise UsageError(f"{option} is {why}", hint=f"leave {option} out")


def _compare_files(a: Path, b: Path, cases: int | None, discordance: float | None, form: str, fail_on: str) -> int:
    from promptforge.bench.comparefiles import CategoryComparison, compare_scores
    from promptforge.bench.scorefiles import read_scores
    from promptforge.console import compare as show
    from promptforge.console.terminal import painter, print_json, print_text

    found = compare_scores(read_scores(a), read_scores(b), cases=cases, discordance=discordance)
    if not isinstance(found, CategoryComparison):
        _print(found, form)
    elif form == "json":
        print_json(show.categories_json(found))
    else:
        print_text(show.categories_text(found, painter()) if form == "text" else show.categories_markdown(found))
    return _exit_code(found.verdict.word, fail_on)


def _print(found: "Comparison", form: str) -> None:
    from promptforge.console import compare as show
    from promptforge.console.terminal import painter, print_json, print_text

    if form == "json":
        print_json(show.comparison_json(found))
    else:
        print_text(show.comparison_text(found, painter()) if form == "text" else show.comparison_markdown(found))


def _nothing_common(found: "Comparison") -> InputError:
    """Two arms without one case that both were asked."""
    first = f": {found.unpaired[0]}" if found.unpaired else ""
    more = f" (and {len(found.unpaired) - 1:,} more)" if len(found.unpaired) > 1 else ""
    message = f"{found.before} and {found.after} have no case in common that counts{first}{more}"
    return InputError(message, hint="compare two arms that were asked the same suite: promptforge history list")


def _exit_code(word: str, fail_on: str) -> int:
    if word == "withheld" and fail_on != "never":
        return 4
    says_no = {"worse": ("worse",), "inconclusive": ("worse", "not shown", "identical"), "never": ()}
    return 1 if word in says_no[fail_on] else 0


Side = tuple["Run", "Arm"]


def _sides(store: "Store", before: str, after: str, name: str | None, model: str) -> tuple[Side, Side]:
    """What A and B name: arms of one run, or one arm each of two runs."""
    from promptforge.workbench.finding import arm_of, known_runs, looks_like_a_run, names_a_run, read

    both, runs = (before, after), known_runs(store)
    named = [names_a_run(side, runs) for side in both]
    meant = [known or looks_like_a_run(side) for known, side in zip(named, both, strict=True)]
    if all(meant) and (any(named) or name is None):
        _refuse({"--run": name}, f"for variants: {before} and {after} are runs themselves")
        a, b = read(store, before), read(store, after)
        return (a, arm_of(a, "", model)), (b, arm_of(b, "", model))
    if any(named) and name is None:  # else they are arms of that run: a git tag may be a day, too
        odd = after if named[0] else before
        raise InputError(f"'{odd}' is no run, while the other one is", hint="name two runs: promptforge history list")
    run = read(store, name or "latest")
    _say_which(store, name or "latest", run)
    return (run, arm_of(run, before, model)), (run, arm_of(run, after, model))


def _say_which(store: "Store", asked: str, run: "Run") -> None:
    """Where the latest run is meant and others are later, which it is."""
    from promptforge.console.terminal import status
    from promptforge.workbench.finding import known_runs

    if asked == "latest" and known_runs(store)[0] != run.id:
        status(f"run {run.id}, the latest of bench; what came later are the arms of a promotion")


@click.command()
@click.argument("run", default="latest")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; - is stdout.")
@click.option("--include-private", is_flag=True, help="Do not redact the values of private facts.")
@format_option("html", "json", "markdown", "junit")
@click.pass_context
def report(ctx: click.Context, run: str, output: Path | None, include_private: bool, form: str) -> int:
    """Write what a run showed: one HTML page that needs no network.

    RUN is the id of a run, or the beginning of it. Values of private facts are redacted.
    """
    from promptforge.console.terminal import print_text, status
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.finding import read
    from promptforge.workbench.reporting import report_text, write_report

    root = find_project(ctx)
    with open_store(root) as store:
        found = read(store, run)
        _say_which(store, run, found)
    if output is not None and output.is_dir():
        raise UsageError(f"the output '{output}' is a folder", hint="name a file in it")
    text = report_text(found, form, include_private=include_private)
    if str(output) == "-" or (output is None and form != "html"):
        print_text(text)
        return 0
    path = write_report(root, found, text, output, private=include_private)
    status(f"wrote {path}")
    return 0
