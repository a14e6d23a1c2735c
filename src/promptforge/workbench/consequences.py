"""What it would mean for the prompts, examples and cases if files of the knowledge said something else."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from promptforge.compiler.build import Build, compile_project
from promptforge.compiler.load import read_project
from promptforge.diff import Diff, compare
from promptforge.errors import InputError
from promptforge.files import CONFIG, Tree
from promptforge.source import Diagnostic
from promptforge.workbench.suites import Suites, load_suites
from promptforge.workbench.touched import new_errors, touched_cases

__all__ = ["After", "Now", "after", "read_now"]

_EMPTY = "PF111"
"""Of a file that holds nothing: nothing of it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """A project as it is."""

    tree: Tree
    build: Build
    suites: Suites


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """The same project with other files."""

    build: Build
    diff: Diff
    problems: tuple[Diagnostic, ...]
    """Errors that it has and the project has not."""


def read_now(root: Path, *, today: datetime.date) -> Now:
    """The project, compiled. Raises InputError where some of its facts, or what it accepts, cannot be read."""
    tree = read_project(root)
    build = compile_project(tree, today=today)
    unread = [d for d in build.errors if d.code < "PF2" and d.code != _EMPTY and d.span.file.startswith("knowledge")]
    if unread:
        message = f"{unread[0].span.file} cannot be read, so nobody can say what is known: {unread[0].message}"
        raise InputError(message, hint="mend it first: promptforge check")
    if unclear := next((d for d in build.errors if d.code < "PF3" and d.span.file == CONFIG), None):
        message = f"{unclear.span}: {unclear.code}: {unclear.message}"
        raise InputError(message, hint=f"{unclear.hint}; until then nobody can say what is accepted".removeprefix("; "))
    return Now(tree=tree, build=build, suites=load_suites(build))


def after(now: Now, files: Mapping[str, bytes], *, today: datetime.date) -> After:
    """The project with these files in place of its own, compiled in memory and compared."""
    tree = replace(now.tree, files=dict(sorted({**now.tree.files, **files}.items())))
    build = compile_project(tree, today=today)
    suites = load_suites(build)
    diff = compare(now.build.artifact, build.artifact, old_errors=now.build.errors, new_errors=build.errors)
    cases = tuple(touched_cases(now.suites, suites, diff.facts))
    breaks = (*diff.breaks, *new_errors(now.suites, suites))
    return After(build=build, diff=replace(diff, cases=cases, breaks=breaks), problems=breaks)
