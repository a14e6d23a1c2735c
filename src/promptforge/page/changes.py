"""What differs since the last save, since the page was opened, and since the last commit. Slow, so made aside."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptforge.artifact import Artifact
from promptforge.compiler.build import Build, compile_project
from promptforge.console.prompts import diff_json
from promptforge.diff import compare
from promptforge.errors import InputError
from promptforge.files import Tree, read_revision
from promptforge.source import Diagnostic
from promptforge.workbench.suites import Suites, load_suites
from promptforge.workbench.touched import new_errors, touched_cases

__all__ = ["Committed", "Side", "difference", "differing_agents", "head_file", "side"]

_OF_CONTENT = "PF2"
"""Codes below this one are of files that cannot be read, or have another shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two states that are compared."""

    artifact: Artifact
    suites: Suites
    errors: Sequence[Diagnostic] = ()


def side(build: Build) -> Side:
    """A state, from its build."""
    return Side(artifact=build.artifact, suites=load_suites(build), errors=build.errors)


def difference(old: Side, now: Side, sides: tuple[str, str]) -> Mapping[str, Any]:
    """What `diff` would say, as JSON, and the files that cannot be read: what rests on them is not told."""
    diff = compare(old.artifact, now.artifact, old_errors=old.errors, new_errors=now.errors)
    unread = sorted({d.span.file for d in now.errors if d.code < _OF_CONTENT})
    if unread:  # a thousand cases would seem to be gone: nobody can say which of them are
        examples = tuple(one for one in diff.examples if one.change != "broken")
        diff = replace(diff, examples=examples)
    else:
        breaks = (*diff.breaks, *new_errors(old.suites, now.suites))
        diff = replace(diff, cases=tuple(touched_cases(old.suites, now.suites, diff.facts)), breaks=breaks)
    return {**diff_json(diff, sides), "unread": unread}


def differing_agents(old: Side, now: Artifact) -> list[str]:
    """The agents whose prompts differ from those of `old`."""
    return [agent.name for agent in compare(old.artifact, now, old_errors=old.errors).agents]


class Committed:
    """The project as git has it at HEAD: compiled once for each state of its files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tree: Tree | None = None
        self._side: Side | None = None
        self.problem = ""
        """Why there is nothing to compare with, in words."""

    @property
    def side(self) -> Side | None:
        """What was looked up last."""
        return self._side

    def look(self, today: datetime.date) -> Side | None:
        """The state at HEAD as it is now."""
        try:
            tree = read_revision(self._root, "HEAD")
        except InputError as problem:
            self._tree = self._side = None
            self.problem = self._words(problem)
            return None
        if self._tree is None or tree.files != self._tree.files:
            self._tree, self._side = tree, side(compile_project(tree, today=today))
        self.problem = ""
        return self._side

    def _words(self, problem: InputError) -> str:
        if _git_of(self._root) is None:
            return "this project is in no git repository"
        return "git has no commit of it yet" if problem.message.startswith("'HEAD'") else problem.message


def head_file(root: Path) -> Path | None:
    """The file that git adds a line to whenever HEAD moves; None outside a repository, and where it cannot be told."""
    git = _git_of(root)
    if git is None or git.is_dir():
        return git and git / "logs" / "HEAD"
    try:  # of a worktree: the file says where its own folder is
        text = git.read_text(encoding="utf-8", errors="replace").removeprefix("gitdir:").strip()
    except OSError:
        return None
    return git.parent / text / "logs" / "HEAD"


def _git_of(root: Path) -> Path | None:
    """The folder of the repository, or the file that names it; None where neither can be seen."""
    for folder in (root, *root.parents):
        git = folder / ".git"
        try:
            if git.is_file() or git.is_dir():
                return git
        except OSError:
            return None
    return None
