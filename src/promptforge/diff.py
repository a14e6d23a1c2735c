"""Two artifacts -> what changed in the knowledge, and whom it touches. Never imports the compiler.

The agents named are exactly those whose bytes differ; each is named with the changed inputs that its segments rest on.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from promptforge.artifact import Artifact, Entry, prompt_digest
from promptforge.factdiff import Change, FactChange, changed_facts
from promptforge.source import Diagnostic

__all__ = ["AgentChange", "CaseChange", "DatasetChange", "Diff", "ExampleChange", "FactChange", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentChange:
    """An agent whose prompt differs."""

    name: str
    change: Change
    tokens_before: int | None
    tokens_after: int | None
    """None where there is no such prompt, or none that may be used."""
    budget_tokens: int | None
    over_budget: bool
    because: tuple[str, ...]
    """The changed inputs that its segments rest on: `ports/mini:1337`, `agents/windu.yaml`, `model opus`, …"""
    cut: tuple[str, ...]
    """What the budget cut now that it did not cut before."""
    restored: tuple[str, ...]
    """What the budget no longer cuts."""
    broken: bool = False
    exact: bool = True
    """Whether both counts are the model's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleChange:
    """A worked example that was written anew, or that rests on a changed fact."""

    id: str
    change: Change | Literal["touched", "broken"]
    """`touched`: it rests on a changed fact; `broken`: it can no longer be rendered."""
    file: str
    line: int
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChange:
    """A case of a suite whose question or expected answer differs."""

    suite: str
    id: str
    change: str
    """added, removed, changed, or broken: it can no longer be made."""
    what: tuple[str, ...]
    """Of a changed one: question, expected."""
    file: str
    line: int
    facts: tuple[str, ...]
    """The changed facts that it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChange:
    """A dataset on disk, or an adapter, that is no longer what would be made: what was trained on it is stale."""

    folder: str  # relative to the project
    weights: tuple[str, ...] = ()
    """Of an adapter: the files of its model's weights that are others now."""
    rows: tuple[str, ...] = ()
    """The ids of the rows that rest on facts which say something else now."""
    of: int = 0
    """How many rows it has."""
    facts: tuple[str, ...] = ()
    """These facts, as they were called when the rows were made."""
    prompts: Mapping[str, int] = field(default_factory=dict)
    """Agents whose system prompt is another one now, and how many rows hold the older one."""
    problem: str = ""
    """Why not all of it can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Everything that differs between two artifacts."""

    facts: tuple[FactChange, ...]
    agents: tuple[AgentChange, ...]
    examples: tuple[ExampleChange, ...]
    breaks: tuple[Diagnostic, ...]
    """Errors that the newer side has and the older has not."""
    settings: tuple[str, ...]
    """Inputs other than facts that differ: files of agents, models, templates, promptforge.yaml."""
    cases: tuple[CaseChange, ...] = ()
    """Of the suites; whoever compares fills them in, for an artifact knows no suite."""
    datasets: tuple[DatasetChange, ...] = ()
    adapters: tuple[DatasetChange, ...] = ()
    """Those in build/datasets, each recipe's latest adapter and the champions, as far as they are stale by what the
    newer side says; filled in like the cases. That is no difference between two sides, so `empty` looks at neither."""

    @property
    def empty(self) -> bool:
        """Whether nothing at all differs."""
        return not (self.facts or self.agents or self.examples or self.breaks or self.settings or self.cases)


def compare(
    old: Artifact, new: Artifact, *, old_errors: Sequence[Diagnostic] = (), new_errors: Sequence[Diagnostic] = ()
) -> Diff:
    """What differs from `old` to `new`."""
    unread = _unread(old_errors, old, new) | _unread(new_errors, old, new)
    facts = tuple(changed_facts(old, new, unread))
    settings = (*_settings(old, new), *(f"{file} (cannot be read)" for file in sorted(unread)))
    examples = tuple(_examples(old, new, facts, unread))
    known = {(d.code, d.message) for d in old_errors}
    breaks = tuple(d for d in new_errors if (d.code, d.message) not in known)
    unknown = {**_in_files(old, unread), **_in_files(new, unread)}
    agents = tuple(_agents(old, new, facts, settings, examples, unknown, breaks))
    return Diff(facts=facts, agents=agents, examples=examples, breaks=breaks, settings=settings)


def _unread(errors: Iterable[Diagnostic], *sides: Artifact) -> set[str]:
    """Files of facts and examples of which nobody can say what is in them: PF1xx is wrong with a file as a whole.

    Where it is a folder that cannot be read, these are all files that either side knows in it.
    """
    found = {d.span.file for d in errors if d.code < "PF2" and f"{d.span.file}/".startswith(("knowledge/", "fewshot/"))}
    if folders := tuple(f"{file}/" for file in found if "/" not in file):
        known = {fact.file for side in sides for fact in side.facts.values()}
        known |= {reader.span.file for side in sides for reader in side.readers}
        found |= {file for file in known if file.startswith(folders)}
    return found


def _in_files(artifact: Artifact, files: Collection[str]) -> dict[str, str]:
    """The facts and examples of these files: as segments name them, to their file."""
    facts = {id_: fact.file for id_, fact in artifact.facts.items() if fact.file in files}
    return facts | {f"example:{r.id}": r.span.file for r in artifact.readers if r.span.file in files}


# --- what else goes into a prompt -----------------------------------------------------------------------------------


def _settings(old: Artifact, new: Artifact) -> Iterator[str]:
    before, after = _inputs(old), _inputs(new)
    for name in dict.fromkeys((*before, *after)):
        # What only one side uses differs only where its file does: another agent's choice is that agent's change.
        both = name in before and name in after
        if (before[name] != after[name]) if both else (old.inputs.get(name) != new.inputs.get(name)):
            yield name
    for name in dict.fromkeys((*old.tables, *new.tables)):
        if name in old.tables and name in new.tables and old.tables[name] != new.tables[name]:
            yield f"schema of {name}"
    if old.version != new.version:
        yield f"promptforge {new.version}"


def _inputs(artifact: Artifact) -> dict[str, str]:
    return {name: digest for entry in artifact.entries.values() for name, digest in entry.inputs.items()}


def _examples(
    old: Artifact, new: Artifact, facts: Iterable[FactChange], unread: Collection[str]
) -> Iterator[ExampleChange]:
    changed = {id_: fact.ids[0] for fact in facts for id_ in fact.ids}
    before = {r.id: r for r in old.readers if r.kind == "example"}
    after = {r.id: r for r in new.readers if r.kind == "example"}
    for id_ in dict.fromkeys((*before, *after)):
        one, other = before.get(id_), after.get(id_)
        reader = other or one
        assert reader is not None
        rests_on = {*(one.facts if one else ()), *(other.facts if other else ())}
        touched = {changed[fact] for fact in rests_on if fact in changed}
        change: Change | Literal["touched", "broken"]
        if one is None or other is None:
            if reader.span.file in unread:
                continue
            change = "added" if one is None else "removed"
        elif one.digest != other.digest:
            change = "changed"
        elif other.broken and not one.broken:
            change = "broken"
        elif touched:
            change = "touched"
        else:
            continue
        yield ExampleChange(
            id=id_, change=change, file=reader.span.file, line=reader.span.line, facts=tuple(sorted(touched))
        )
    common = [id_ for id_ in before if id_ in after]
    if common != [id_ for id_ in after if id_ in before]:
        yield ExampleChange(id="", change="moved", file="", line=0, facts=())


# --- agents ---------------------------------------------------------------------------------------------------------


def _agents(
    old: Artifact,
    new: Artifact,
    facts: Sequence[FactChange],
    settings: Sequence[str],
    examples: Sequence[ExampleChange],
    unknown: Mapping[str, str],
    breaks: Sequence[Diagnostic],
) -> Iterator[AgentChange]:
    broken_files = {d.span.file for d in breaks}
    for name in dict.fromkeys((*old.entries, *new.entries)):
        before, after = old.entries.get(name), new.entries.get(name)
        if after is None and before is not None and before.file in broken_files:
            yield _agent(name, before, None, ("its file cannot be read",), broken=True)
            continue
        broken = after is not None and after.broken and not (before is not None and before.broken)
        same = before is not None and after is not None and _bytes(before) == _bytes(after)
        if same and not broken:
            continue
        because = tuple(dict.fromkeys(_because(before, after, facts, settings, examples, unknown)))
        because = because or tuple(dict.fromkeys(_left_out(before, after, facts)))
        yield _agent(name, before, after, because, broken=broken)


def _bytes(entry: Entry) -> str:
    return prompt_digest(entry.enriched)


def _agent(
    name: str, before: Entry | None, after: Entry | None, because: tuple[str, ...], *, broken: bool
) -> AgentChange:
    cut_before = _budget_cuts(before)
    cut_after = _budget_cuts(after)
    tokens_after = after.enriched.tokens if after and not broken else None
    return AgentChange(
        name=name,
        change="added" if before is None else "removed" if after is None and not broken else "changed",
        tokens_before=before.enriched.tokens if before else None,
        tokens_after=tokens_after,
        budget_tokens=after.budget_tokens if after else None,
        over_budget=after is not None and after.enriched.tokens > after.budget_tokens,
        because=because,
        cut=tuple(what for what in cut_after if what not in cut_before),
        restored=tuple(what for what in cut_before if what not in cut_after),
        broken=broken,
        exact=all(entry.exact for entry in (before, after) if entry),
    )


def _budget_cuts(entry: Entry | None) -> tuple[str, ...]:
    return tuple(cut.what for cut in entry.enriched.cuts if cut.why == "budget") if entry else ()


def _because(
    before: Entry | None,
    after: Entry | None,
    facts: Sequence[FactChange],
    settings: Sequence[str],
    examples: Sequence[ExampleChange],
    unknown: Mapping[str, str],
) -> Iterator[str]:
    """The changed inputs that a segment of either side rests on."""
    rests_on: set[str] = set()
    inputs: set[str] = set()
    tables: set[str] = set()
    for entry in (before, after):
        if entry is not None:
            inputs.update(entry.inputs)
            for segment in entry.enriched.segments:
                rests_on.update(segment.facts)
            tables.update(section.name for section in entry.sections if section.kind == "table")
    tables.update(id_.removeprefix("table:") for id_ in rests_on if id_.startswith("table:"))
    yield from (f"{file} (cannot be read)" for id_, file in unknown.items() if id_ in rests_on)
    for fact in facts:
        if any(id_ in rests_on for id_ in fact.ids) or (fact.change == "moved" and fact.table in tables):
            yield fact.ids[0] if fact.key else f"order of {fact.table}"
        elif f"table:{fact.table}" in rests_on:
            yield fact.ids[0]
    for example in examples:
        if example.change not in ("touched", "broken", "moved") and f"example:{example.id}" in rests_on:
            yield f"example {example.id}"
        elif example.change == "moved" and any(id_.startswith("example:") for id_ in rests_on):
            yield "order of the examples"
    for name in settings:
        if (
            name in inputs
            or f"template:{name}" in rests_on
            or (name.removeprefix("schema of ") in tables and name.startswith("schema of "))
            or name.startswith("promptforge ")
        ):
            yield name
    if before and after and before.tokenizer != after.tokenizer:
        yield f"tokenizer {after.tokenizer}"
    if before and after and (before.carried or after.carried):
        yield "an earlier build (--agent)"


def _left_out(before: Entry | None, after: Entry | None, facts: Sequence[FactChange]) -> Iterator[str]:
    """The changed facts that neither side shows: one that does not fit may have widened a table for the others."""
    cut = {what for entry in (before, after) for what in _budget_cuts(entry)}
    for fact in facts:
        if any(id_ in cut for id_ in fact.ids):
            yield fact.ids[0]
