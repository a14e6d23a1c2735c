"""`diff`: two sides, each a build, a folder or a git revision, compiled where needed and compared."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptforge.artifact import Artifact
from promptforge.compiler.build import Build, compile_project
from promptforge.compiler.load import read_project
from promptforge.diff import Diff, compare
from promptforge.errors import InputError, WriteError
from promptforge.files import CONFIG, Tree, read_revision
from promptforge.source import Diagnostic
from promptforge.workbench.disk import exclusive
from promptforge.workbench.forge import last_build, output_path
from promptforge.workbench.stale import stale_datasets
from promptforge.workbench.suites import Suites, load_suites
from promptforge.workbench.touched import new_errors, touched_by_facts, touched_cases

__all__ = ["Impact", "compare_sides"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """A diff and what was compared."""

    diff: Diff
    before: str
    after: str
    since: datetime.datetime | None = None
    """When the last build was written, where it is one side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    artifact: Artifact
    suites: Suites | None
    """None where they are not known: a build knows no suite."""
    name: str
    output: str
    errors: Sequence[Diagnostic] = ()
    since: datetime.datetime | None = None
    build: Build | None = None
    """What the artifact was compiled in just now, if it was."""


def compare_sides(root: Path, before: str | None, after: str | None, *, today: datetime.date) -> Impact:
    """Compare `before` (default: the last build) with `after` (default: the files as they are now).

    Either may be a folder that holds a project, or a git revision. Raises InputError when one cannot be used. The
    datasets of the project are held against `after`, by what they themselves say they were made of.
    """
    now = _folder(root, "the files now", today) if after is None else _named(root, after, today)
    old = _built(root, now.output) if before is None else _named(root, before, today)
    diff = compare(old.artifact, now.artifact, old_errors=old.errors, new_errors=now.errors)
    if now.suites is not None:
        cases = touched_cases(old.suites, now.suites, diff.facts) if old.suites else None
        cases = touched_by_facts(now.suites, diff.facts) if cases is None else cases
        breaks = (*diff.breaks, *new_errors(old.suites, now.suites))
        diff = replace(diff, cases=tuple(cases), breaks=breaks)
    if now.build is not None:
        diff = replace(diff, datasets=tuple(stale_datasets(root, now.build)))
    return Impact(diff=diff, before=old.name, after=now.name, since=old.since)


def _folder(root: Path, name: str, today: datetime.date) -> _Side:
    return _side(read_project(root), name, today)


def _named(root: Path, name: str, today: datetime.date) -> _Side:
    if not name:
        raise InputError("an empty name is neither a folder nor a git revision", hint="see: git log --oneline")
    folder = Path(name)
    if folder.is_dir():
        if not (folder / CONFIG).exists():
            raise InputError(f"the folder '{name}' holds no {CONFIG}", hint="name the folder of a project")
        return _folder(folder.resolve(), name, today)
    return _side(read_revision(root, name), name, today)


def _side(tree: Tree, name: str, today: datetime.date) -> _Side:
    build = compile_project(tree, today=today)
    return _Side(
        artifact=build.artifact,
        suites=load_suites(build),
        name=name,
        output=build.project.config.output,
        errors=build.errors,
        build=build,
    )


def _built(root: Path, output: str) -> _Side:
    hint = "make one: promptforge build; or compare with git: promptforge diff HEAD"
    path = output_path(root, output)
    if not path.exists():
        raise InputError(f"there is no build to compare with: {output} is not there", hint=hint)
    try:
        artifact = _last_build(root, output)
    except ValueError as problem:
        raise InputError(f"the last build cannot be used: {problem}", hint=hint) from problem
    if artifact is None:
        raise InputError(f"the last build cannot be used: {output} has no lock beside it", hint=hint)
    since = datetime.datetime.fromtimestamp(path.stat().st_mtime)
    return _Side(artifact=artifact, suites=None, name="the last build", output=output, since=since)


def _last_build(root: Path, output: str) -> Artifact | None:
    try:
        with exclusive(root):
            return last_build(root, output)
    except WriteError:  # a project that we may only read
        return last_build(root, output)
