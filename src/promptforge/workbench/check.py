"""`check`: everything that is wrong in a project: its knowledge, agents and examples, and its suites."""

import datetime
from dataclasses import dataclass, replace

from promptforge.compiler.build import Build, compile_project
from promptforge.files import Tree
from promptforge.source import Diagnostic, errors
from promptforge.workbench.suites import Suites, judge_suites, load_suites

__all__ = ["Checked", "check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A project with everything that is to be said of it."""

    build: Build
    suites: Suites
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What makes the exit code 1."""
        return errors(self.diagnostics)


def check(tree: Tree, *, today: datetime.date, strict: bool = False) -> Checked:
    """Compile a project and read its suites, looking also for what a build need not know.

    With `strict` every warning is an error.
    """
    build = compile_project(tree, today=today, thorough=True)
    suites = load_suites(build, thorough=True)
    found = judge_suites(build, suites)
    if strict:
        found = tuple(replace(diagnostic, strict=True) for diagnostic in found)
    return Checked(build=build, suites=suites, diagnostics=found)
