"""`check`: everything that is wrong in a project: knowledge, agents and examples, its suites, and its recipes."""

import datetime
from dataclasses import dataclass, replace

from promptforge.compiler.build import Build, compile_project
from promptforge.files import Tree
from promptforge.source import Diagnostic, errors
from promptforge.workbench.recipes import Recipes, load_recipes
from promptforge.workbench.suites import Suites, load_suites, together

__all__ = ["Checked", "check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A project with everything that is to be said of it."""

    build: Build
    suites: Suites
    recipes: Recipes
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What makes the exit code 1."""
        return errors(self.diagnostics)


def check(tree: Tree, *, today: datetime.date, strict: bool = False) -> Checked:
    """Compile a project and read its suites and recipes, looking also for what a build need not know.

    With `strict` every warning is an error.
    """
    build = compile_project(tree, today=today, thorough=True)
    suites = load_suites(build, thorough=True)
    recipes = load_recipes(build, thorough=True)
    judged = [build.diagnostics]
    judged += [suites.diagnostics] if suites.suites else []
    judged += [recipes.diagnostics] if recipes.present else []
    found = together(judged, suites.diagnostics)
    if strict:
        found = tuple(replace(diagnostic, strict=True) for diagnostic in found)
    return Checked(build=build, suites=suites, recipes=recipes, diagnostics=found)
