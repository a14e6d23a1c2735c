"""`drift`: the knowledge against what sources show, read-only; and who says something untrue today.

What differs is taken over in memory and compiled: an agent whose prompt would then be another one says something untrue
now. What is only not seen may be asleep: it is named, with whom it concerns, and nothing more.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptforge.compiler.allow import misunderstood
from promptforge.compiler.build import Build
from promptforge.diff import Diff
from promptforge.model import Fact, canonical
from promptforge.source import Diagnostic, Span
from promptforge.sources.base import Observation
from promptforge.workbench.accepted import read_accepted
from promptforge.workbench.consequences import Now, after, read_now
from promptforge.workbench.holding import Difference, Held, hold
from promptforge.workbench.identities import read_register
from promptforge.workbench.matching import Match
from promptforge.workbench.taking import write_into

__all__ = ["Drift", "Finding", "find_drift"]


Readers = Mapping[str, tuple[str, ...]]
"""By fact who rests on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the knowledge and a source do not agree on."""

    kind: str
    """missing (in the knowledge), differs, renamed, moved, `not seen`, or ambiguous."""
    table: str
    key: str
    """Of the fact, or of what was seen where there is no fact."""
    sources: tuple[str, ...]
    columns: Mapping[str, tuple[object, object]]
    """What differs: in the knowledge, and there; of what is missing all that is known of it."""
    new_key: str = ""
    why: str = ""
    """Of what is ambiguous, or cannot be tried out, so that what follows from it is not known."""
    fact: Fact | None = None
    place: str = ""
    """In the dump."""
    concerns: tuple[str, ...] = ()
    """Of a fact that differs or was not seen: the agents, examples and cases that rest on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What no longer holds."""

    findings: tuple[Finding, ...]
    held: tuple[Held, ...]
    """By observation."""
    diff: Diff | None
    """What would change if the knowledge said what the sources show: all that is untrue now."""
    notes: tuple[str, ...]
    unused: tuple[tuple[Span, str], ...] = ()
    """Acceptances that accept nothing any more: where they stand, and what they say."""
    misunderstood: tuple[Diagnostic, ...] = ()
    """Comments of the knowledge that were meant for promptforge and say nothing to it."""
    ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What promptforge.yaml says under `ignore`."""

    @property
    def clean(self) -> bool:
        """Whether knowledge and sources agree."""
        return not self.findings


def find_drift(
    root: Path, observations: Sequence[Observation], *, everything: bool = False, today: datetime.date
) -> Drift:
    """Hold all that was seen against the knowledge of a project. Raises InputError."""
    now = read_now(root, today=today)
    register = read_register(root)
    tables = now.build.project.tables
    accepted = read_accepted(now.build)
    helds = [accepted.quiet(hold(tables, one, register, everything=everything)) for one in observations]
    met = frozenset().union(*(held.met for held in helds))
    differences = list(_differences(helds))
    edits = write_into(now, [one for _, one in differences], (), day=today.isoformat(), source="")
    by_hand = {one.fact.id: why for one, why in edits.by_hand}
    then = after(now, edits.files, today=today) if edits.files else None
    readers = _readers(now)
    findings = [
        *_missing(helds),
        *(_differing(readers, one, sources, by_hand.get(one.fact.id, "")) for sources, one in differences),
        *_not_seen(readers, helds, met),
        *_ambiguous(helds),
    ]
    said = tuple(f"{held.observation.source}: {note}" for held in helds for note in held.observation.notes)
    return Drift(
        findings=tuple(findings),
        held=tuple(helds),
        diff=then.diff if then else None,
        notes=said,
        unused=tuple(accepted.unused(helds)),
        misunderstood=_misunderstood(now.build),
        ignores=now.build.project.config.ignore,
    )


def _misunderstood(build: Build) -> tuple[Diagnostic, ...]:
    """An acceptance with a slip in it accepts nothing, so whoever reads the report must know of it."""
    knowledge = {file: one for file, one in build.documents.items() if file.startswith("knowledge/")}
    return tuple(misunderstood(build.project.tables, knowledge))


def _differences(helds: Iterable[Held]) -> Iterator[tuple[tuple[str, ...], Difference]]:
    """What differs, once for all the sources that say the same; verified days apart."""
    said: dict[tuple[str, str, str], tuple[list[str], Difference]] = {}
    for held in helds:
        for one in held.differences:
            if one.differs:
                shown = str({column: theirs for column, (_, theirs) in one.columns.items()})
                entry = said.setdefault((one.fact.id, one.new_key, shown), ([], one))
                entry[0].append(held.observation.source)
    for sources, one in said.values():
        yield tuple(dict.fromkeys(sources)), _only_what_differs(one)


def _only_what_differs(one: Difference) -> Difference:
    """Without the columns that the knowledge leaves open: what is not said is not untrue."""
    return Difference(fact=one.fact, seen=one.seen, by=one.by, columns=one.columns, unset={}, new_key=one.new_key)


def _missing(helds: Iterable[Held]) -> Iterator[Finding]:
    """What no table has, once for all the sources that show it."""
    found: dict[tuple[str, str], tuple[list[str], Match]] = {}
    for held in helds:
        for one in held.new:
            macs = [str(canonical(value, "mac")) for kind, value in one.seen.identity if kind == "mac"]
            same = next((place for mac in macs if (place := ("mac", mac)) in found), None)
            place = same or (("mac", macs[0]) if macs else (one.seen.table, one.seen.key.casefold()))
            found.setdefault(place, ([], one))[0].append(held.observation.source)
    for sources, one in found.values():
        seen = one.seen
        columns = {column: (None, value) for column, value in {**seen.values, **seen.guesses}.items()}
        yield Finding(
            kind="missing",
            table=seen.table,
            key=seen.key,
            sources=tuple(dict.fromkeys(sources)),
            columns=columns,
            why=one.held,
            place=seen.place,
        )


def _differing(readers: Readers, one: Difference, sources: tuple[str, ...], why: str) -> Finding:
    kind = "differs" if not one.new_key else "moved" if one.by == "service" else "renamed"
    return Finding(
        kind=kind,
        table=one.fact.table,
        key=one.fact.key,
        sources=sources,
        columns=one.columns,
        new_key=one.new_key,
        why=why,
        fact=one.fact,
        place=one.seen.place,
        concerns=readers.get(one.fact.id, ()),
    )


def _not_seen(readers: Readers, helds: Iterable[Held], met: frozenset[str]) -> Iterator[Finding]:
    """Facts that one source should have shown and none has."""
    sources: dict[str, tuple[list[str], Fact]] = {}
    for held in helds:
        for fact in held.not_seen:
            if fact.id not in met:
                sources.setdefault(fact.id, ([], fact))[0].append(held.observation.source)
    for names, fact in sources.values():
        yield Finding(
            kind="not seen",
            table=fact.table,
            key=fact.key,
            sources=tuple(names),
            columns={},
            fact=fact,
            concerns=readers.get(fact.id, ()),
        )


def _ambiguous(helds: Iterable[Held]) -> Iterator[Finding]:
    for held in helds:
        for one in held.doubtful:
            yield Finding(
                kind="ambiguous",
                table=one.seen.table,
                key=one.seen.key,
                sources=(held.observation.source,),
                columns={},
                why=one.doubt,
                place=one.seen.place,
                fact=one.perhaps[0] if one.perhaps else None,
            )


def _readers(now: Now) -> Mapping[str, tuple[str, ...]]:
    """By fact who rests on it: `agent windu`, `example what-is-leet`, `case house/topology-leet`."""
    found: dict[str, dict[str, None]] = {}
    for name, entry in now.build.artifact.entries.items():
        for segment in entry.enriched.segments:
            for id_ in segment.facts:
                found.setdefault(id_, {})[f"agent {name}"] = None
    for one in now.build.artifact.readers:
        for id_ in one.facts if one.kind == "example" else ():
            found.setdefault(id_, {})[f"example {one.id}"] = None
    for suite in now.suites.suites.values():
        for case in suite.cases:
            for id_ in () if case.generated else case.reads:
                found.setdefault(id_, {})[f"case {suite.name}/{case.id}"] = None
    return {id_: tuple(names) for id_, names in found.items()}
