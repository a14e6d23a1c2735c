"""bench, ask."""

import os
import shlex
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptforge.cli.options import A_WEEK_S, FiniteRange, find_project, format_option, today
from promptforge.cli.running import interrupts, shown
from promptforge.errors import InputError, UsageError

if TYPE_CHECKING:
    from promptforge.bench.results import Comparison, Run
    from promptforge.store import Store
    from promptforge.workbench.judged import Judged
    from promptforge.workbench.planning import Plan
    from promptforge.workbench.scope import Asked, Revision

__all__ = ["ask", "bench"]


def _split(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Several values, given one by one or joined by commas."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


@click.command()
@click.option("--suite", default="", metavar="NAME", help="Which suite; needed only where there are several.")
@click.option("--model", "models", multiple=True, callback=_split, metavar="NAME", help="Ask these models instead.")
@click.option(
    "--variant", "variants", multiple=True, callback=_split, metavar="NAME", help="base, enriched. Default: both."
)
@click.option("--without", multiple=True, callback=_split, metavar="PART", help="Also without it: few-shot, ports, …")
@click.option("--only", multiple=True, callback=_split, metavar="PART", help="Also with the persona and it alone.")
@click.option("--ablate", is_flag=True, help="Also without each section in turn: what does it cost, what does it buy?")
@click.option("--agent", "agents", multiple=True, callback=_split, metavar="GLOB", help="Only these agents.")
@click.option("--case", "cases", multiple=True, callback=_split, metavar="GLOB", help="Only these cases.")
@click.option("--category", "categories", multiple=True, callback=_split, metavar="NAME", help="Only these categories.")
@click.option("--tier", "tiers", multiple=True, callback=_split, metavar="TIER", help="gold, extended or heldout.")
@click.option("--repeats", type=click.IntRange(1, 100), default=1, show_default=True, help="Ask each so many times.")
@click.option("--against", metavar="REV", help="Compare with this git revision; send only the prompts that differ.")
@click.option("--smoke", is_flag=True, help="One case a category: does everything work?")
@click.option("--dry-run", is_flag=True, help="Send nothing; say how much would be sent and what it may cost.")
@click.option("--fresh", is_flag=True, help="Ask again what is already answered.")
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE", help="Write every exchange down, to replay.")
@click.option("--yes", is_flag=True, help="Go beyond limits.bench of promptforge.yaml.")
@click.option("--max-usd", type=FiniteRange(0), metavar="USD", help="Stop when it has cost so much.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Stop after so many tokens.")
@click.option("--max-minutes", type=FiniteRange(0), metavar="MIN", help="Stop after so long.")
@click.option(
    "--timeout", type=FiniteRange(0.01, A_WEEK_S), default=120.0, show_default=True, help="Seconds for one answer."
)
@click.option("--stream", is_flag=True, help="Stream the answers, to measure the time to the first token.")
@click.option(
    "--concurrency", type=click.IntRange(1, 256), help="Requests at once. Default: 1 local, adaptive in the cloud."
)
@click.option(
    "--fail-on",
    type=click.Choice(["worse", "inconclusive", "never"]),
    default="worse",
    show_default=True,
    help="Which verdicts exit with 1.",
)
@click.option("--include-private", is_flag=True, help="Do not redact the values of private facts in what is printed.")
@format_option("text", "json", "markdown", "junit")
@click.pass_context
def bench(
    ctx: click.Context,
    /,
    against: str | None,
    dry_run: bool,
    yes: bool,
    fail_on: str,
    include_private: bool,
    form: str,
    **options: Any,
) -> int:
    """Ask a suite's questions with the base and with the enriched prompt, and say which is better and how sure that is.

    Answers are kept as they come: the same command, without --fresh, goes on where it was stopped, and asks only what
    changed.
    Exit codes: 1 a verdict says no, 3 a budget ran out, 4 a backend failed (the judge's too), 130 interrupted.
    """
    from promptforge.workbench.bench import bench as run_bench
    from promptforge.workbench.bench import open_store
    from promptforge.workbench.outfile import refuse_own
    from promptforge.workbench.planning import plan

    root = find_project(ctx)
    if options["record"] is not None:
        refuse_own(root, options["record"])
    asked = _asked(options, against=against is not None)
    revisions = _revisions(root, against)
    if revisions is None:
        return 1
    with (
        open_store(root) as store,
        closing(plan(root, revisions, asked, store, os.environ, sending=not dry_run)) as planned,
    ):
        if against is not None and not planned.jobs:
            return _show_nothing(against, form)
        if dry_run:
            return _show_plan(planned, form)
        if planned.estimate.over and not yes:
            raise UsageError(planned.estimate.over, hint="look with --dry-run; go on with --yes")
        run = _run(planned if yes else _limited(planned), store, run_bench)
        _say_recorded(planned)
    found = _show_run(run, form, _reader(revisions[-1]), include_private=include_private)
    return exit_code(run, found.comparisons, fail_on)


def _reader(revision: "Revision") -> str:
    """The name of a model that needs no server, or nothing."""
    models = revision.build.project.config.models.values()
    return next((model.name for model in models if model.backend == "reader"), "")


def _show_nothing(against: str, form: str) -> int:
    """No prompt and no question differs between two revisions."""
    from promptforge.console.terminal import print_json, print_text

    said = f"no prompt that the suite asks differs from {against}: nothing to ask, nothing to compare"
    if form == "json":
        print_json({"version": 1, "against": against, "cases": [], "says": said})
    elif form == "junit":
        print_text('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites tests="0" />')
    else:
        print_text(said)
    return 0


def _limited(planned: "Plan") -> "Plan":
    """The plan with the project's own limit of money, where the command sets none: without --yes no run exceeds it."""
    from dataclasses import replace

    limits = planned.asked.limits
    if limits.usd is not None:
        return planned
    return replace(planned, asked=replace(planned.asked, limits=replace(limits, usd=planned.estimate.most_usd)))


def _asked(options: dict[str, Any], *, against: bool) -> "Asked":
    """The options in the terms of a run."""
    from promptforge.bench.run import Limits
    from promptforge.workbench.scope import Asked

    variants, without, only = (options.pop(name) for name in ("variants", "without", "only"))
    ablations = [f"without {name}" for name in without] + [f"only {name}" for name in only]
    if ablations and "enriched" not in variants:
        variants = ("enriched", *variants)
    # Two revisions are compared by the prompt that is sent, unless the command says otherwise.
    variants = variants or (("enriched",) if against else ("base", "enriched"))
    minutes = options.pop("max_minutes")
    limits = Limits(
        seconds=None if minutes is None else 60 * minutes,
        tokens=options.pop("max_tokens"),
        usd=options.pop("max_usd"),
    )
    command = shlex.join(["promptforge", *sys.argv[1:]])
    timeout_s = options.pop("timeout")
    return Asked(variants=(*variants, *ablations), limits=limits, timeout_s=timeout_s, command=command, **options)


def _revisions(root: Path, against: str | None) -> "list[Revision] | None":
    """The states of the project to ask, the files as they are last; None when they have errors, which are then said."""
    from promptforge.compiler.build import compile_project
    from promptforge.compiler.load import read_project
    from promptforge.console import diagnostics as show
    from promptforge.console.terminal import painter, plural, status
    from promptforge.files import read_revision
    from promptforge.source import errors
    from promptforge.workbench.scope import Revision
    from promptforge.workbench.suites import judge_suites, load_suites

    try:
        trees = [(against, read_revision(root, against))] if against is not None else []
    except InputError as problem:  # of which some say that two folders could be compared as well: not here
        hint = "name a git revision that holds the project: --against HEAD, --against origin/main"
        raise InputError(f"--against {against}: {problem.message}", hint=hint) from problem
    made = []
    for name, tree in [*trees, ("", read_project(root))]:
        build = compile_project(tree, today=today())
        suites = load_suites(build)
        wrong = errors(judge_suites(build, suites))
        if wrong and name:
            raise UsageError(
                f"the project at {name} has {plural(len(wrong), 'error')}", hint="compare with another one"
            )
        if wrong:
            status(show.as_text(wrong, build.source_line, painter(sys.stderr)))
            status(f"{plural(len(wrong), 'error')}: nothing was asked")
            return None
        made.append(Revision(name=name, build=build, suites=suites))
    return made


def _show_plan(planned: "Plan", form: str) -> int:
    from promptforge.console.sending import plan_json, plan_text
    from promptforge.console.terminal import print_json, print_text

    if form == "json":
        print_json(plan_json(planned))
    else:
        print_text(plan_text(planned))
    return 0


def _run(planned: "Plan", store: "Store", run_bench: "Callable[..., Run]") -> "Run":
    from promptforge.bench.run import Progress
    from promptforge.console.sending import opening
    from promptforge.console.terminal import status

    progress = Progress()
    stop = threading.Event()
    status(opening(planned))
    with interrupts(stop), shown(progress):
        return run_bench(planned, store, stop=stop, progress=progress, meanwhile=_load_what_shows)


def _load_what_shows() -> None:
    """While answers are waited for."""
    import promptforge.console.bench  # noqa: F401  # only loaded here: it is used after the run


def _say_recorded(planned: "Plan") -> None:
    """Where the recording is, and what it holds."""
    if planned.asked.record is None:
        return
    from promptforge.console.terminal import plural, status
    from promptforge.workbench.recording import recorded

    count, known = recorded(planned.targets)
    inherited = f", {known:,} of them answered by earlier runs" if known else ""
    status(f"recorded {plural(count, 'exchange')} in {planned.asked.record}{inherited}")


def _show_run(run: "Run", form: str, reader: str, *, include_private: bool) -> "Judged":
    from promptforge.console.bench import run_text
    from promptforge.console.judged import silent_judge
    from promptforge.console.terminal import painter, print_text, status
    from promptforge.workbench.judged import judged

    found = judged(run)
    if form == "text":
        print_text(run_text(run, found, painter(), reader=reader))
    else:
        from promptforge.workbench.reporting import report_text

        print_text(report_text(run, form, include_private=include_private))
        if silent := silent_judge(run):
            status(silent)
    return found


def exit_code(run: "Run", comparisons: "tuple[Comparison, ...]", fail_on: str) -> int:
    """What a run exits with: how it was cut short, else what failed, else the verdict."""
    if stopped := run.stopped or run.judge_stopped:
        return 130 if stopped == "interrupted" else 3
    if any(reply.state in ("failed", "timed_out") and reply.fault != "pattern" for reply in run.replies):
        return 4
    if any(reply.fault == "pattern" for reply in run.replies):
        return 1  # it is the suite that says no
    words = {comparison.verdict.word for comparison in comparisons}
    says_no = {"worse": {"worse"}, "inconclusive": {"worse", "not shown", "identical", "withheld"}, "never": set[str]()}
    if words & says_no[fail_on]:
        return 1
    # The judge is apart: it withholds nothing, so a verdict that says no goes first.
    return 4 if any(one.fault == "failed" for one in run.judgements) else 0


# --- ask ------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("agent")
@click.argument("question")
@click.option("--variant", default="enriched", show_default=True, metavar="NAME", help="base, 'without few-shot', …")
@click.option("--model", metavar="NAME", help="Ask this model instead of the agent's own.")
@click.option("--var", "pairs", multiple=True, metavar="NAME=VALUE", help="Fill a runtime name.")
@click.option(
    "--timeout", type=FiniteRange(0.01, A_WEEK_S), default=120.0, show_default=True, help="Seconds for the answer."
)
@format_option("text", "json")
@click.pass_context
def ask(
    ctx: click.Context,
    agent: str,
    question: str,
    variant: str,
    model: str | None,
    pairs: tuple[str, ...],
    timeout: float,
    form: str,
) -> int:
    """Try a compiled prompt by hand: the answer is printed as it comes."""
    from promptforge.console.ask import answer_json, answer_line
    from promptforge.console.terminal import painter, print_json, print_piece, print_text, status
    from promptforge.workbench.ask import ask as ask_agent

    variables = _pairs(pairs)
    root = find_project(ctx)
    give = print_piece if form == "text" else _ignore
    asked = ask_agent(
        root,
        agent,
        question,
        variant=variant,
        model=model,
        variables=variables,
        timeout_s=timeout,
        today=today(),
        environ=os.environ,
        on_text=give,
    )
    if form == "json":
        print_json(answer_json(asked))
        return 0
    print_text("\n" if asked.answer.text and not asked.answer.text.endswith("\n") else "")
    status(answer_line(asked, painter(sys.stderr)))
    return 0


def _ignore(text: str) -> None:
    """Nobody wants the pieces."""


def _pairs(pairs: tuple[str, ...]) -> Mapping[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f"--var '{pair}' has no value", hint="write --var user_name=Mara")
    return dict(pair.split("=", 1) for pair in pairs)
