"""The datasets on disk, held against the files of today: rows that rest on changed facts, prompts that are older.

A dataset says itself what its facts and prompts were. So it is stale for as long as it is not made again, whatever was
built since.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from promptforge.compiler.build import Build
from promptforge.dataset.manifest import Manifest, datasets
from promptforge.dataset.resting import changed_facts, fact_digest, rows_on
from promptforge.diff import DatasetChange
from promptforge.errors import InputError
from promptforge.files import digest_of
from promptforge.workbench.variants import compile_for, prompt_of

__all__ = [
    "Trained",
    "digests_of",
    "older_prompts",
    "partial",
    "stale_dataset",
    "stale_datasets",
    "trained_agent",
    "trained_facts",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a dataset has to do with a line, or with an agent."""

    folder: str
    rows: int = 0
    stale: bool = False
    """Whether these rows say what is no longer so."""
    problem: str = ""
    """Why it cannot be told."""


def stale_datasets(root: Path, build: Build) -> Iterator[DatasetChange]:
    """Those of build/datasets that are not what would be made of this build, and those of which that is unknown."""
    found, problems = datasets(root)
    now = digests_of(build) if found else {}
    for folder, manifest in found.items():
        change = _stale(root, folder, manifest, build, now)
        if change.rows or change.facts or change.prompts or change.problem:
            yield change
    for folder, problem in problems.items():
        yield DatasetChange(folder=_name(root, folder), problem=_short(root, problem))


def stale_dataset(root: Path, folder: Path, manifest: Manifest, build: Build) -> DatasetChange:
    """What of one dataset, wherever it lies, is not what would be made of this build."""
    return _stale(root, folder, manifest, build, digests_of(build))


def trained_facts(root: Path, build: Build, facts: Iterable[str]) -> tuple[Trained, ...]:
    """By dataset, the rows that rest on any of these facts."""
    wanted = tuple(facts)
    if not wanted:
        return ()
    found, problems = datasets(root)
    now = digests_of(build) if found else {}
    told = []
    for folder, manifest in found.items():
        name = _name(root, folder)
        try:
            changed = changed_facts(folder, manifest, now, partial=partial(build))
            rows = {row for some in rows_on(folder, wanted).values() for row in some}
            if rows:
                told.append(Trained(folder=name, rows=len(rows), stale=not set(wanted).isdisjoint(changed)))
        except InputError as problem:
            told.append(Trained(folder=name, problem=_short(root, problem.message)))
    return (*told, *(Trained(folder=_name(root, place), problem=_short(root, why)) for place, why in problems.items()))


def trained_agent(root: Path, build: Build, agent: str) -> tuple[Trained, ...]:
    """By dataset, the rows of an agent, and whether they hold the prompt that it has today."""
    told = []
    found, problems = datasets(root)
    for folder, manifest in found.items():
        if rows := manifest.agents.get(agent, 0):
            stale, problem = _older_prompts(manifest, build)
            told.append(Trained(folder=_name(root, folder), rows=rows, stale=agent in stale, problem=problem))
    return (*told, *(Trained(folder=_name(root, place), problem=_short(root, why)) for place, why in problems.items()))


# --- one dataset ------------------------------------------------------------------------------------------------------


def _stale(root: Path, folder: Path, manifest: Manifest, build: Build, now: Mapping[str, str]) -> DatasetChange:
    facts: list[str] = []
    rows: tuple[str, ...] = ()
    prompts, problem = _older_prompts(manifest, build)
    try:
        facts = changed_facts(folder, manifest, now, partial=partial(build))
        resting = rows_on(folder, facts)
        rows = tuple(dict.fromkeys(row for some in resting.values() for row in some))
    except InputError as unreadable:
        problem = _short(root, unreadable.message)
    return DatasetChange(
        folder=_name(root, folder),
        rows=rows,
        of=sum(manifest.rows.values()),
        facts=tuple(facts),
        prompts=prompts,
        problem=problem,
    )


def _older_prompts(manifest: Manifest, build: Build) -> tuple[Mapping[str, int], str]:
    """Agents whose rows hold another prompt than they have now, with the number of rows; and what is in the way."""
    if not manifest.prompts:
        return {}, ""
    if not manifest.trained or not manifest.agents:
        return {}, "it does not say whose prompts it holds: an earlier promptforge wrote it"
    older, problem = older_prompts(build, manifest.prompts, manifest.trained, manifest.system)
    return {agent: rows for agent in older if (rows := manifest.agents.get(agent, 0))}, problem


def older_prompts(build: Build, prompts: Mapping[str, str], trained: str, system: str) -> tuple[list[str], str]:
    """Agents whose prompt is another one than it was (`prompts`: agent to digest), and why it cannot be told."""
    model = build.project.config.models.get(trained)
    if model is None:
        return [], f"its model '{trained}' is no longer in promptforge.yaml"
    known = [agent for agent in prompts if agent in build.project.agents]
    older = [] if partial(build, "agents/") else [agent for agent in prompts if agent not in known]
    for agent, one in compile_for(build, known, model).items():
        if one.entry is not None and (one.entry.broken or one.entry.carried):
            continue  # what it would be is not known
        if one.entry is None or digest_of(prompt_of(one.entry, system).system) != prompts[agent]:
            older.append(agent)
    return older, ""


def digests_of(build: Build) -> Mapping[str, str]:
    """What each fact says now, as a digest."""
    return {id_: fact_digest(fact.values) for id_, fact in build.artifact.facts.items()}


def partial(build: Build, folder: str = "knowledge/") -> bool:
    """Whether a file cannot be read as a whole: then nobody knows what was in it."""
    return any(d.span.file.startswith(folder) and d.code < "PF2" for d in build.errors)


def _name(root: Path, folder: Path) -> str:
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def _short(root: Path, message: str) -> str:
    """A message with paths as from the project's folder."""
    return message.replace(f"{root}/", "")
