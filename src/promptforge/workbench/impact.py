"""`diff`: two sides, each a build, a folder or a git revision, compiled where needed and compared."""

import datetime
from collections.abc import Mapping, Sequence
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
from promptforge.workbench.formerly import suites_before
from promptforge.workbench.stale import stale_datasets
from promptforge.workbench.staleadapters import stale_adapters
from promptforge.workbench.suites import Suites, load_suites
from promptforge.workbench.touched import new_errors, touched_cases

__all__ = ["Impact", "compare_sides", "in_repository"]


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
    suites: Suites
    name: str
    output: str
    build: Build
    """What the artifact was compiled in; of the last build, which keeps none, what it is compared with."""
    errors: Sequence[Diagnostic] = ()
    since: datetime.datetime | None = None


def compare_sides(
    root: Path, before: str | None, after: str | None, *, today: datetime.date, environ: Mapping[str, str]
) -> Impact:
    """Compare `before` (default: the last build) with `after` (default: the files as they are now).

    Either may be a folder that holds a project, or a git revision. Raises InputError when one cannot be used. The
    datasets of the project are held against `after`, by what they themselves say they were made of.
    """
    now = _folder(root, "the files now", today) if after is None else _named(root, after, today)
    old = _built(root, now) if before is None else _named(root, before, today)
    diff = compare(old.artifact, now.artifact, old_errors=old.errors, new_errors=now.errors)
    diff = replace(
        diff,
        cases=tuple(touched_cases(old.suites, now.suites, diff.facts)),
        breaks=(*diff.breaks, *new_errors(old.suites, now.suites)),
        datasets=tuple(stale_datasets(root, now.build)),
        adapters=tuple(stale_adapters(root, now.build, environ)),
    )
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


def in_repository(root: Path) -> bool:
    """Whether a folder lies in a git repository, which has revisions to compare with."""
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _built(root: Path, now: _Side) -> _Side:
    output = now.output
    hint = "make one: promptforge build"
    if in_repository(root):
        hint += "; or compare with git: promptforge diff HEAD"
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
    suites = suites_before(now.build, artifact)
    return _Side(artifact=artifact, suites=suites, name="the last build", output=output, build=now.build, since=since)


def _last_build(root: Path, output: str) -> Artifact | None:
    try:
        with exclusive(root):
            return last_build(root, output)
    except WriteError:  # a project that we may only read
        return last_build(root, output)
