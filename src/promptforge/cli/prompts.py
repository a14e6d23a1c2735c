"""check, build, diff, explain."""

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptforge.cli.options import find_project, format_option, today
from promptforge.errors import UsageError

if TYPE_CHECKING:
    from promptforge.bench.worth import Worth
    from promptforge.compiler.build import Build
    from promptforge.console.terminal import Painter
    from promptforge.source import Code
    from promptforge.workbench.check import Checked
    from promptforge.workbench.forge import Report
    from promptforge.workbench.fresh import Seen, Shown
    from promptforge.workbench.impact import Impact

__all__ = ["build", "check", "diff", "explain", "within_repository"]

_ALL = "all"


@click.command()
@format_option("text", "json", "github", "sarif")
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@click.option(
    "--explain",
    "code",
    metavar="[CODE]",
    is_flag=False,
    flag_value=_ALL,
    help="Show the page of a code: PF302. Without one, list them all.",
)
@click.pass_context
def check(ctx: click.Context, form: str, strict: bool, code: str | None) -> int:
    """Say everything that is wrong in the project's files, at once.

    Exit code 1 when anything is an error; warnings and notes do not change it.
    """
    from promptforge.compiler.load import read_project
    from promptforge.console import diagnostics as show
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.workbench.check import check as check_project

    if code is not None:
        return _explain_code(code, form)
    root = find_project(ctx)
    checked = check_project(read_project(root), today=today(), strict=strict)
    found = checked.diagnostics
    if form == "json":
        print_json(show.as_json(found))
    elif form == "sarif":
        print_json(show.as_sarif(found, within_repository(root)))
    elif form == "github":
        print_text(show.as_github(found, within_repository(root)))
    else:
        paint = painter()
        if found:
            print_text(show.as_text(found, checked.build.source_line, paint))
        print_text(_verdict(checked, show.counts(found)))
    return 1 if checked.errors else 0


def within_repository(root: Path) -> str:
    """The way from the repository's folder, which GitHub's paths start from, to the project's; `house/`, or nothing."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return "" if folder == root else f"{root.relative_to(folder).as_posix()}/"
    return ""


def _verdict(checked: "Checked", counts: str) -> str:
    from promptforge.console.terminal import plural

    project = checked.build.project
    facts = sum(len(table.facts) for table in project.tables.values())
    cases = sum(len(suite.cases) for suite in checked.suites.suites.values())
    parts = [plural(len(project.agents), "agent"), plural(facts, "fact"), plural(len(project.examples), "example")]
    size = ", ".join([*parts, plural(cases, "case")] if cases else parts)
    return f"{counts} in {size}" if counts else f"fine: {size}"


def _explain_code(code: str, form: str) -> int:
    from promptforge.console.diagnostics import code_page
    from promptforge.console.terminal import print_json, print_text
    from promptforge.source import codes

    known = codes()
    if code == _ALL:
        return _list_codes(known, form)
    if code.upper() not in known:
        raise UsageError(f"no diagnostic has the code '{code}'", hint="list them all: promptforge check --explain")
    found = known[code.upper()]
    if form == "json":
        print_json({"version": 1, **asdict(found)})
    else:
        print_text(code_page(found))
    return 0


def _list_codes(known: Mapping[str, "Code"], form: str) -> int:
    from promptforge.console.terminal import columns, print_json, print_text

    if form == "json":
        titles = [{"code": one.code, "severity": one.severity, "title": one.title} for one in known.values()]
        print_json({"version": 1, "codes": titles})
    else:
        print_text(columns([(one.code, one.severity, one.title) for one in known.values()]))
    return 0


@click.command()
@click.option(
    "--check", "checking", is_flag=True, help="Write nothing; exit 1 when promptforge.lock is not up to date."
)
@click.option("--agent", "agents", multiple=True, metavar="GLOB", help="Only these agents; the others stay as built.")
@click.option("--output", metavar="FILE", help="Write the artifact there instead.")
@click.option("--watch", is_flag=True, help="Build again whenever a file is saved.")
@click.option("--open", "opening", is_flag=True, help="Watch, and show the build on a page in the browser.")
@format_option("text", "json")
@click.pass_context
def build(
    ctx: click.Context,
    checking: bool,
    agents: tuple[str, ...],
    output: str | None,
    watch: bool,
    opening: bool,
    form: str,
) -> int:
    """Compile the prompts of all agents into build/agent_prompts.yaml.

    Nothing is written when anything is an error: the last build stays.
    """
    from promptforge.workbench import fresh

    root = find_project(ctx)
    seen: fresh.Seen = {}
    if watch or opening:
        if checking or form == "json":
            name = "--open" if opening else "--watch"
            raise UsageError(f"{name} goes with neither --check nor --format json")
        from promptforge.cli.watching import watch_until_stopped

        return watch_until_stopped(
            root,
            opening=opening,
            partly=bool(agents),
            make=lambda: _forge(root, agents, output, {}),
            show=lambda report, made: _show_build(report, made, "text", checking=False),
        )
    if not checking and not agents and (shown := fresh.unchanged(root, today=str(today()), output=output, seen=seen)):
        return _show_again(shown, form)
    if checking:
        from promptforge.workbench.forge import check_locks

        return _show_build(*check_locks(root, today=today(), only=agents), form, checking=True)
    report, made = _forge(root, agents, output, seen)
    if not agents and not report.passing and not (made and made.errors):
        _remember(root, report, made, output)
    return _show_build(report, made, form, checking=False)


def _forge(root: Path, agents: tuple[str, ...], output: str | None, seen: "Seen") -> "tuple[Report, Build | None]":
    """Build from the last build where that can be; then there is no Build, and nothing to say of the files."""
    from promptforge.workbench.incremental import forge_again

    if not agents and (report := forge_again(root, today=today(), output=output, seen=seen)):
        return report, None
    from promptforge.workbench.forge import forge

    return forge(root, today=today(), output=output, only=agents)


def _show_again(shown: "Shown", form: str) -> int:
    from promptforge.console.terminal import painter, print_json, print_text, status

    if form == "json":
        print_json(shown.report)
        return 0
    if shown.diagnostics:
        status(shown.diagnostics_coloured if painter(sys.stderr).colour else shown.diagnostics)
    print_text(shown.coloured if painter().colour else shown.text)
    return 0


def _remember(root: Path, report: "Report", made: "Build | None", output: str | None) -> None:
    """Keep what the next build prints if nothing changes."""
    from promptforge.console.prompts import build_json, build_text
    from promptforge.console.terminal import Painter
    from promptforge.workbench import fresh

    again = replace(report, written=(), diff=replace(report.diff, agents=()) if report.diff else None, repeated=True)
    plain, coloured = Painter(colour=False), Painter(colour=True)
    shown = fresh.Shown(
        text=build_text(again, plain),
        coloured=build_text(again, coloured),
        diagnostics=_diagnostics(report, made, plain),
        diagnostics_coloured=_diagnostics(report, made, coloured),
        report=build_json(again),
    )
    fresh.remember(
        root,
        shown,
        asked=output,
        today=str(today()) if report.dated else None,
        inputs=report.inputs,
        others={**report.files, **report.tokenizers},
        private=[path for path in report.files if path.stat().st_mode & 0o077 == 0],
    )


def _diagnostics(report: "Report", made: "Build | None", paint: "Painter") -> str:
    if made is None or not report.diagnostics:
        return ""
    from promptforge.console import diagnostics as show

    return f"{show.as_text(report.diagnostics, made.source_line, paint)}\n{show.counts(report.diagnostics)}"


def _show_build(report: "Report", made: "Build | None", form: str, *, checking: bool) -> int:
    from promptforge.console.prompts import build_json, build_text
    from promptforge.console.terminal import painter, print_json, print_text, status

    failed = made is not None and bool(made.errors)
    if form == "json":
        print_json(build_json(report))
        return 1 if failed or report.stale else 0
    if report.diagnostics:
        status(_diagnostics(report, made, painter(sys.stderr)))
    if made is not None and failed:
        kept = not checking and (made.tree.root / report.output).exists()
        status("nothing was written" + (f": {report.output} is as it was" if kept else ""))
        return 1
    print_text(build_text(report, painter(), checking=checking))
    return 1 if report.stale else 0


@click.command()
@click.argument("before", metavar="[A]", required=False)
@click.argument("after", metavar="[B]", required=False)
@format_option("text", "json", "markdown")
@click.option("--exit-code", is_flag=True, help="Exit 1 when anything differs.")
@click.pass_context
def diff(ctx: click.Context, before: str | None, after: str | None, form: str, exit_code: bool) -> int:
    """Show what changed in the knowledge, and whom it touches.

    A and B are git revisions or folders. Without them: the last build against the files as they are now;
    with A alone: A against the files as they are now.
    """
    from promptforge.console.prompts import datasets_lines, diff_json, diff_markdown, diff_text
    from promptforge.console.terminal import painter, print_json, print_text
    from promptforge.workbench.impact import compare_sides, in_repository

    impact = compare_sides(find_project(ctx), before, after, today=today(), environ=os.environ)
    sides = (impact.before, impact.after)
    if form == "json":
        print_json(diff_json(impact.diff, sides))
    elif form == "markdown":
        print_text(diff_markdown(impact.diff, sides))
    elif impact.diff.empty:
        print_text(f"nothing changed {f'from {before} to {after}' if after else f'since {_since(impact)}'}")
        if before is None and in_repository(find_project(ctx)):
            print_text("to compare with what git has: promptforge diff HEAD")
        if impact.diff.datasets or impact.diff.adapters:
            print_text("\n".join(datasets_lines(impact.diff, painter())))
    else:
        print_text(painter()(f"from {_since(impact)} to {impact.after}", "dim"))
        print_text(diff_text(impact.diff, painter()))
    return 1 if exit_code and not impact.diff.empty else 0


def _since(impact: "Impact") -> str:
    return f"{impact.before} of {impact.since:%Y-%m-%d %H:%M:%S}" if impact.since else impact.before


@click.command()
@click.argument("place", metavar="AGENT[:LINE]")
@format_option("text", "json")
@click.pass_context
def explain(ctx: click.Context, place: str, form: str) -> int:
    """Show where each line of a prompt comes from, what it costs, and what was left out and why.

    LINE is a line of the system prompt: `promptforge explain windu:42`.
    """
    from promptforge.compiler.build import compile_project
    from promptforge.compiler.load import read_project
    from promptforge.console.explain import explain_json, explain_line, explain_text
    from promptforge.console.terminal import painter, plural, print_json, print_text, status
    from promptforge.workbench.explain import explain as explain_agent
    from promptforge.workbench.stale import trained_agent, trained_facts

    name, _, wanted = place.partition(":")
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 10):
        raise UsageError(f"'{wanted}' is not the number of a line", hint=f"promptforge explain {name}:1")
    root = find_project(ctx)
    build = compile_project(read_project(root), today=today())
    if build.errors:
        status(f"the project has {plural(len(build.errors), 'error')}: this is what still compiles")
        status("  to see all: promptforge check")
    explanation = explain_agent(build, name)
    measured = _measured(root, explanation.entry.model or "")
    if explanation.entry.broken:
        status(f"  the prompt of '{name}' is one of those that are broken: something is missing below")
    if wanted:
        lines = [line for line in explanation.lines if line.message == 0]
        if not 1 <= int(wanted) <= len(lines):
            raise UsageError(f"the prompt of '{name}' has {len(lines)} lines", hint=f"promptforge explain {name}")
        line = lines[int(wanted) - 1]
        trained = trained_facts(root, build, [fact for fact in line.facts if not fact.startswith(_NO_FACT)])
        print_json(explain_json(explanation, line, trained=trained)) if form == "json" else print_text(
            explain_line(explanation, line, painter(), trained=trained)
        )
        return 0
    trained = trained_agent(root, build, name)
    if form == "json":
        print_json(explain_json(explanation, measured=measured, trained=trained))
    else:
        print_text(explain_text(explanation, painter(), measured=measured, trained=trained))
    return 0


_NO_FACT = ("example:", "table:", "template:")


def _measured(root: Path, model: str) -> "Mapping[str, Worth]":
    """What the latest run that left sections out says of them; a history is only read where there is one."""
    from promptforge.store import HISTORY, Store
    from promptforge.workbench.ablation import latest_worths

    if not (root / HISTORY).exists():
        return {}
    with Store(root / HISTORY) as store:
        return latest_worths(store, model)
