"""`build`: compile the project on disk, compare with the last build, write what differs."""

import datetime
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from promptforge.artifact import (
    Artifact,
    Entry,
    committed_lock,
    prompt_digest,
    prompts_text,
    read_committed_lock,
)
from promptforge.compiler.build import Build, compile_project
from promptforge.compiler.load import read_project
from promptforge.errors import UsageError
from promptforge.files import COMMITTED_LOCK, content_digest, digest_of, is_own, said_path
from promptforge.lock import lock_text, read_artifact
from promptforge.model import LEVELS
from promptforge.source import Diagnostic
from promptforge.workbench.disk import Later, exclusive, replace_files
from promptforge.workbench.editors import refresh
from promptforge.workbench.state import keep

if TYPE_CHECKING:
    from promptforge.diff import Diff

__all__ = [
    "COMMITTED_LOCK",
    "AgentLine",
    "Report",
    "agent_line",
    "check_locks",
    "forge",
    "last_build",
    "lock_path",
    "output_path",
]


class AgentLine(NamedTuple):
    """An agent in the table that `build` prints."""

    name: str
    model: str | None
    tier: str | None
    tokens: int
    budget_tokens: int
    exact: bool
    cut: tuple[str, ...]
    """What the budget cut."""
    withheld: tuple[str, ...]
    """What the clearance left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a build did."""

    agents: tuple[AgentLine, ...]
    diagnostics: tuple[Diagnostic, ...]
    output: str
    written: tuple[str, ...] = ()
    """Files that differ now."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """All the files that make up the build, with their digests."""
    tokenizers: Mapping[Path, str] = field(default_factory=dict)
    """The files outside the project that its counts rest on, with their digests; empty where there is none."""
    repeated: bool = False
    """Whether nothing had to be made, because nothing changed."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """The digests of the files that it was made of."""
    dated: bool = False
    """Whether it may come out otherwise on another day: facts grow stale."""
    diff: "Diff | None" = None
    """Against the last build; None when there was none that could be read."""
    cloud_facts: int = 0
    """Facts in some cloud model's prompt."""
    local_facts: int = 0
    """Facts that no cloud prompt holds because of their sensitivity."""
    stale: tuple[str, ...] = field(default=())
    """With --check: what is not up to date, in words."""

    @property
    def passing(self) -> bool:
        """Whether the same files may give another build at any time: a tokenizer is not here, and may come."""
        return any(one.code == "PF416" for one in self.diagnostics)


def output_path(root: Path, output: str) -> Path:
    """Where the artifact goes. Raises UsageError when that is a folder or one of the project's own files."""
    path = Path(os.path.normpath(root / output))
    try:
        inside = path.relative_to(root).as_posix()
    except ValueError:
        inside = ""
    if path.is_dir():
        raise UsageError(f"the output '{output}' is a folder", hint="name a file in it, or move the folder away")
    if inside and is_own(inside):
        raise UsageError(f"the output '{output}' is one of the project's own files", hint="choose another place")
    return path


_ARTIFACT = re.compile(rb"(?:\{\}\n|\S+:\n  system:|\"[^\n]*\":\n  system:)")


def _refuse_foreign(path: Path, output: str) -> None:
    """Nothing but an artifact is written over."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError:
        return  # not there; or the write itself will say what is wrong
    if start and not _ARTIFACT.match(start) and not lock_path(path).exists():
        hint = "it is no artifact of promptforge: choose another place, or delete it"
        raise UsageError(f"the output '{output}' would write over a file of yours", hint=hint)


def _refuse_far(root: Path, path: Path, output: str) -> None:
    """Outside the project one folder is made where there is none, but not at the root of the disk: it is a slip."""
    folder = path.parent
    above = folder.parent
    if path.is_relative_to(root) or folder.exists() or (above.exists() and above != above.parent):
        return
    hint = f"make it, if that is the place: mkdir -p {shlex.quote(str(folder))}"
    raise UsageError(f"there is no folder '{folder}' for the output '{output}'", hint=hint)


def lock_path(output: Path) -> Path:
    """The artifact's lock beside it."""
    return output.with_name(output.stem + ".lock.json")


def last_build(root: Path, output: str) -> Artifact | None:
    """The last build, or nothing when there is none. Raises ValueError when it cannot be used."""
    path = output_path(root, output)
    try:
        return read_artifact(path.read_bytes(), lock_path(path).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ValueError(f"{problem.filename}: {(problem.strerror or str(problem)).lower()}") from problem


def forge(
    root: Path, *, today: datetime.date, output: str | None = None, only: Sequence[str] = ()
) -> tuple[Report, Build]:
    """Compile and write. With errors nothing is written and the last build stays.

    `only` are patterns of agents' names: the others keep what the last build gave them.
    Raises WriteError, UsageError, NoProjectError.
    """
    with exclusive(root):
        build = compile_project(read_project(root), today=today, only=only, texts=True)
        place = output or build.project.config.output
        path = output_path(root, place)
        _refuse_foreign(path, place)
        _refuse_far(root, path, place)
        before = _previous(root, place)
        artifact = _carry(before, build, only) if only else build.artifact
        report = make_report(artifact, build.diagnostics, place)
        if build.errors:
            return report, build
        _complain_if_nobody(build, only)
        prompts = prompts_text(artifact, {name: texts.prompt for name, texts in build.texts.items()})
        lock = lock_text(artifact, output=place, prompts=prompts, texts=build.texts).encode("utf-8")
        files = {
            path: (prompts.encode("utf-8"), _shows_private(artifact)),
            lock_path(path): (lock, artifact.private),
            root / COMMITTED_LOCK: (committed_lock(artifact, others=_others(root, build, only)).encode("utf-8"), False),
        }
        with Later(lambda: replace_files(root, files)) as writing:
            report = _with_sources(report, build, files)
            if not only and not build.diagnostics:
                keep(root, build, report, asked=output, today=today, prompts=files[path][0])
            refresh(root, build)
            report = replace(report, written=tuple(said_path(p, root, start=root) for p in writing.get()))
    if before:
        from promptforge.diff import compare

        report = replace(report, diff=compare(before, artifact))
    return report, build


def _with_sources(report: Report, build: Build, files: Mapping[Path, tuple[bytes, bool]]) -> Report:
    """The report with the digests of what the build was made of, and of what it wrote."""
    return replace(
        report,
        files={path: digest_of(content) for path, (content, _) in files.items()},
        tokenizers={path: content_digest(path) for path in build.tokenizer_files},
        inputs=build.artifact.inputs,
        dated=build.project.config.stale_after_days is not None,
    )


def _shows_private(artifact: Artifact) -> bool:
    """Whether a prompt rests on a private fact; the lock keeps all facts, so `artifact.private` speaks for it."""
    private = {id_ for id_, fact in artifact.facts.items() if fact.level == "private"}
    return bool(private) and any(
        id_ in private for entry in artifact.entries.values() for s in entry.enriched.segments for id_ in s.facts
    )


def _previous(root: Path, output: str) -> Artifact | None:
    try:
        return last_build(root, output)
    except ValueError:
        return None  # damaged or of another version: it is about to be replaced


def _complain_if_nobody(build: Build, only: Sequence[str]) -> None:
    if only and not build.artifact.entries:
        names = ", ".join(build.project.agents) or "none"
        raise UsageError(f"no agent matches {' '.join(map(repr, only))}", hint=f"the agents are: {names}")


def _carry(before: Artifact | None, build: Build, only: Sequence[str]) -> Artifact:
    """The agents compiled now, and the others of the project as the last build left them."""
    now = build.artifact
    entries: dict[str, Entry] = {}
    for name in build.project.agents:
        if name in now.entries:
            entries[name] = now.entries[name]
        elif before and name in before.entries and not any(fnmatchcase(name, pattern) for pattern in only):
            entries[name] = replace(before.entries[name], carried=True)
    return replace(now, entries=entries)


def _others(root: Path, build: Build, only: Sequence[str]) -> Mapping[str, str]:
    """The committed digests of the agents that were not compiled now."""
    if not only:
        return {}
    try:
        committed = read_committed_lock((root / COMMITTED_LOCK).read_bytes())
    except (OSError, ValueError):
        return {}
    return {name: digest for name, digest in committed.items() if name in build.project.agents}


def make_report(artifact: Artifact, diagnostics: tuple[Diagnostic, ...], output: str) -> Report:
    """The table of agents, and what goes to the cloud."""
    lines = []
    cloud: set[str] = set()
    for entry in artifact.entries.values():
        prompt = entry.enriched
        lines.append(agent_line(entry))
        if entry.tier == "cloud":
            cloud.update(id_ for segment in prompt.segments for id_ in segment.facts if id_ in artifact.facts)
    ceiling = max((LEVELS[e.clearance] for e in artifact.entries.values() if e.tier == "cloud"), default=1)
    local = sum(1 for fact in artifact.facts.values() if LEVELS[fact.level] > ceiling)
    return Report(
        agents=tuple(lines), diagnostics=diagnostics, output=output, cloud_facts=len(cloud), local_facts=local
    )


def agent_line(entry: Entry) -> AgentLine:
    """An agent's line of the table."""
    cuts = entry.enriched.cuts
    return AgentLine(
        name=entry.name,
        model=entry.model,
        tier=entry.tier,
        tokens=entry.enriched.tokens,
        budget_tokens=entry.budget_tokens,
        exact=entry.exact,
        cut=tuple([cut.what for cut in cuts if cut.why == "budget"]),
        withheld=tuple([cut.what for cut in cuts if cut.why == "clearance"]),
    )


def check_locks(root: Path, *, today: datetime.date, only: Sequence[str] = ()) -> tuple[Report, Build]:
    """What `build --check` says: whether the committed lock, and the artifact if it is there, are up to date."""
    build = compile_project(read_project(root), today=today, only=only)
    report = make_report(build.artifact, build.diagnostics, build.project.config.output)
    _complain_if_nobody(build, only)
    stale = [] if build.errors else [*_stale_lock(root, build.artifact, only), *_stale_output(root, build, only)]
    return replace(report, stale=tuple(stale)), build


def _stale_lock(root: Path, artifact: Artifact, only: Sequence[str]) -> list[str]:
    try:
        committed: Mapping[str, str] = read_committed_lock((root / COMMITTED_LOCK).read_bytes())
    except FileNotFoundError:
        return [f"there is no {COMMITTED_LOCK}"]
    except (OSError, ValueError) as problem:
        return [f"{COMMITTED_LOCK} cannot be read: {problem}"]
    stale = []
    for name, entry in artifact.entries.items():
        digest = f"sha256:{prompt_digest(entry.enriched)}"
        if name not in committed:
            stale.append(f"{name} is not in {COMMITTED_LOCK}")
        elif committed[name] != digest:
            stale.append(f"the prompt of {name} differs from {COMMITTED_LOCK}")
    if not only:
        stale += [
            f"{name} is in {COMMITTED_LOCK}, but no longer an agent"
            for name in committed
            if name not in artifact.entries
        ]
    return stale


def _stale_output(root: Path, build: Build, only: Sequence[str]) -> list[str]:
    """An artifact that is there must be this one: somebody reads it."""
    path = output_path(root, build.project.config.output)
    if only or not path.exists():
        return []
    try:
        same = path.read_bytes() == prompts_text(build.artifact).encode("utf-8")
    except OSError as problem:
        return [f"{build.project.config.output} cannot be read: {(problem.strerror or '').lower()}"]
    return [] if same else [f"{build.project.config.output} is not what the project compiles to"]
