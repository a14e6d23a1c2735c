"""The files of an incremental build: those of the last one with the differing lines and parts put in their place."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from promptforge import __version__
from promptforge.artifact import (
    Artifact,
    Entry,
    FactRecord,
    agent_yaml,
    committed_line,
    record_values,
)
from promptforge.compiler.render import Reading
from promptforge.diff import Diff, compare
from promptforge.files import digest_of, said_path
from promptforge.lock import Place, agent_member, fact_member, lock_member, reader_row
from promptforge.model import LEVELS, Fact, Reader, Table
from promptforge.source import Span
from promptforge.workbench.disk import Later, replace_files
from promptforge.workbench.edit import Edit, UnclearError
from promptforge.workbench.forge import COMMITTED_LOCK, AgentLine, Report, agent_line, lock_path
from promptforge.workbench.state import Listener, Row, packed_table, row_of, save, texts_of

__all__ = ["Made", "rewrite"]

_COMMITTED_HEAD = 3
"""Lines of promptforge.lock before the first agent's."""


class Made(NamedTuple):
    """What was compiled anew."""

    entries: dict[int, Entry]
    """By the agent's number, in order."""
    readings: dict[str, Reading]


def rewrite(edit: Edit, made: Made) -> Report:
    """Write the build, keep its state, and say what it did. Raises WriteError, UnclearError."""
    entries = dict(sorted(made.entries.items()))
    was = _place_in({**edit.knowledge.project.tables, **edit.delta.tables})
    before = {number: edit.last.entry(number, was) for number in entries}
    listeners = _listeners(edit, before, entries, made.readings)
    readers = _readers(edit, before, entries, listeners)
    rows, prompts = _prompts(edit, entries)
    cloud = _cloud(edit, before, entries)
    lock = _lock(edit, entries, readers, prompts)
    private = any(fact.level == "private" for table in edit.knowledge.project.tables.values() for fact in table.facts)
    files = {
        edit.last.path: (prompts, any(row.private for row in rows)),
        lock_path(edit.last.path): (lock, private),
        edit.root / COMMITTED_LOCK: (_committed(edit, entries), False),
    }
    with Later(lambda: replace_files(edit.root, files)) as writing:
        digests = {path: digest_of(content) for path, (content, _) in files.items()}
        _save(edit, digests, rows, listeners, cloud)  # before they are written it fits no files, and is no state
        report = Report(
            agents=tuple(_agent_line(row) for row in rows),
            diagnostics=(),
            output=edit.state.head["place"],
            files=digests,
            tokenizers={Path(path): digest for path, digest in edit.state.head["tokenizers"].items()},
            inputs=edit.inputs.digests,
            dated=edit.knowledge.project.config.stale_after_days is not None,
            diff=_diff(edit, before, entries, readers),
            cloud_facts=len(cloud),
            local_facts=_local_facts(edit, rows),
        )
        written = writing.get()
    return replace(report, written=tuple(said_path(path, edit.root, start=edit.root) for path in written))


# --- the files ------------------------------------------------------------------------------------------------------


def _prompts(edit: Edit, entries: Mapping[int, Entry]) -> tuple[list[Row], bytes]:
    """The rows of all agents, and the artifact."""
    tables = edit.knowledge.project.tables.values()
    private = {fact.id for table in tables for fact in table.facts if fact.level == "private"}
    rows, old, done = list(edit.last.rows), memoryview(edit.last.prompts), 0
    blocks: list[bytes | memoryview] = []
    for number, entry in entries.items():
        place, block = edit.last.place(number), agent_yaml(entry).encode("utf-8")
        blocks += [old[done : place.start], block]
        rows[number] = row_of(entry, agent_line(entry), len(block), private)
        done = place.stop
    return rows, b"".join([*blocks, old[done:]])


def _committed(edit: Edit, entries: Mapping[int, Entry]) -> bytes:
    lines = list(edit.last.committed)
    names = sorted(row.name for row in edit.last.rows)
    places = {name: number for number, name in enumerate(names, _COMMITTED_HEAD)}
    for entry in entries.values():
        lines[places[entry.name]] = committed_line(entry).removesuffix("\n").encode("utf-8")
    return b"\n".join(lines)


def _lock(edit: Edit, entries: Mapping[int, Entry], readers: "_Readers", prompts: bytes) -> bytes:
    lock, place = edit.last.lock, _place_in(edit.knowledge.project.tables)
    if edit.delta.moved and lock.has_rows_elsewhere():
        raise UnclearError("a row does not stand where its fact does")
    for number, counts in _filtered(edit).items():
        if number not in entries:
            lock.add_filtered(number, counts)
    for number, entry in entries.items():
        lock.set_agent(number, agent_member(entry, place))
    lock.facts = list(_fact_lines(edit))
    lock.set_head(lock_member("output", {"path": edit.state.head["place"], "sha256": digest_of(prompts)}))
    lock.set_head(lock_member("inputs", edit.inputs.digests))
    if readers.now != readers.before:
        lock.set_head(lock_member("readers", readers.rows()))
    return lock.text()


def _filtered(edit: Edit) -> dict[int, dict[int, int]]:
    """By agent and section, how many more facts its `where` does not match, where it matches none that differ."""
    found: dict[int, dict[int, int]] = {}
    for name, was in edit.delta.tables.items():
        more = len(edit.knowledge.project.tables[name].facts) - len(was.facts)
        for where, places in edit.state.watchers(name) if more else ():
            for number, section in places if where else ():
                found.setdefault(number, {})[section] = more
    return found


def _fact_lines(edit: Edit) -> Iterator[bytes]:
    lines = iter(edit.last.lock.facts)
    for name, table in edit.knowledge.project.tables.items():
        was = edit.delta.tables.get(name)
        if was is None:
            yield from (next(lines) for _ in table.facts)
            continue
        kept = {fact.id: next(lines) for fact in was.facts}
        for fact in table.facts:
            id_ = fact.id
            same = id_ in kept and id_ not in edit.delta.after and id_ not in edit.delta.moved
            yield kept[id_] if same else fact_member(id_, _record(fact)).encode("utf-8")


def _record(fact: Fact) -> FactRecord:
    return FactRecord(file=fact.file, line=fact.line, level=fact.level, values=record_values(fact.values))


# --- texts with references ------------------------------------------------------------------------------------------


def _listeners(
    edit: Edit, before: Mapping[int, Entry], entries: Mapping[int, Entry], readings: Mapping[str, Reading]
) -> dict[str, Listener]:
    """The texts with references, as they are now."""
    if not readings.keys() <= edit.last.listeners.keys():
        raise UnclearError("a text was never rendered before")
    found = dict(edit.last.listeners)
    for number, entry in entries.items() if found else ():
        (given_before, shown_before), (given, shown) = texts_of(before[number]), texts_of(entry)
        for key in (given_before | given) & found.keys():
            one = found[key]
            agents = sorted({*one.agents, number} if key in given else {*one.agents} - {number})
            found[key] = one._replace(agents=agents, shown=one.shown + (key in shown) - (key in shown_before))
    for key, reading in readings.items():
        reads = reading.reads if reading.digest else dict.fromkeys((*found[key].reads, *reading.reads))
        found[key] = found[key]._replace(reads=tuple(reads), digest=reading.digest)
    return found


class _Readers(NamedTuple):
    """The examples that rest on facts, before and now; all the others rest on none."""

    all: list[list[object]]
    before: Mapping[str, Reader]
    now: Mapping[str, Reader]

    def rows(self) -> list[list[object]]:
        """All of them as the lock keeps them."""
        return [reader_row(self.now[str(row[1])]) if row[1] in self.now else row for row in self.all]


def _readers(
    edit: Edit, before: Mapping[int, Entry], entries: Mapping[int, Entry], listeners: Mapping[str, Listener]
) -> _Readers:
    raw = edit.last.lock.get_head("readers") if listeners else []
    old = {
        id_: Reader(kind=kind, id=id_, span=Span(file=file, line=line), facts=frozenset(facts), digest=digest)
        for kind, id_, file, line, facts, digest in raw
        if f"example:{id_}" in listeners
    }
    new = dict(old)
    was, now = _facts_shown(before), _facts_shown(entries)
    for key in (was.keys() | now.keys()) & listeners.keys():
        listener, id_ = listeners[key], key.removeprefix("example:")
        alike = listener.digest and edit.last.listeners[key].digest
        if not alike and not entries.keys() >= set(listener.agents):
            if was.get(key) != now.get(key):
                raise UnclearError(f"{key} differs from agent to agent")
        elif key in now or not listener.shown:
            facts = frozenset().union(*now.get(key, {}).values())
            new[id_] = Reader(kind="example", id=id_, span=old[id_].span, facts=facts, digest=old[id_].digest)
    return _Readers(all=raw, before=old, now=new)


def _facts_shown(entries: Mapping[int, Entry]) -> dict[str, dict[int, frozenset[str]]]:
    """By example and agent the facts that the example rests on in its prompt."""
    found: dict[str, dict[int, frozenset[str]]] = {}
    for number, entry in entries.items():
        for segment in entry.enriched.segments:
            if segment.kind == "example":
                of_example = found.setdefault(segment.facts[0], {})
                of_example[number] = of_example.get(number, frozenset()).union(segment.facts[1:])
    return found


# --- the report -----------------------------------------------------------------------------------------------------


def _diff(edit: Edit, before: Mapping[int, Entry], entries: Mapping[int, Entry], readers: _Readers) -> Diff:
    """As of two whole builds: what is left out here is the same in both."""
    tables = edit.state.head["tables"]
    old = Artifact(
        name="",
        version=__version__,
        entries={entry.name: entry for entry in before.values()},
        facts={id_: _record(fact) for id_, fact in edit.delta.before.items()},
        tables=tables,
        readers=tuple(readers.before.values()),
    )
    now = edit.knowledge.project.tables
    new = Artifact(
        name="",
        version=__version__,
        entries={entry.name: entry for entry in entries.values()},
        facts={f.id: _record(f) for name in edit.delta.tables for f in now[name].facts if f.id in edit.delta.after},
        tables=tables,
        readers=tuple(readers.now.values()),
    )
    return compare(old, new)


def _cloud(edit: Edit, before: Mapping[int, Entry], entries: Mapping[int, Entry]) -> dict[str, int]:
    """How many prompts of cloud models hold each fact."""
    counts: dict[str, int] = edit.state.part("cloud")
    is_fact = _place_in(edit.knowledge.project.tables)
    for number, entry in entries.items():
        if entry.tier == "cloud":
            for id_ in {id_ for segment in before[number].enriched.segments for id_ in segment.facts} & counts.keys():
                counts[id_] -= 1
            for id_ in {id_ for segment in entry.enriched.segments for id_ in segment.facts}:
                if is_fact(id_):
                    counts[id_] = counts.get(id_, 0) + 1
    return {id_: count for id_, count in counts.items() if count}


def _place_in(tables: Mapping[str, Table]) -> Place:
    """Where the facts of tables stand."""

    def place(id_: str) -> tuple[str, int] | None:
        name, _, key = id_.partition("/")
        fact = tables[name].by_key.get(key) if name in tables else None
        return (fact.file, fact.line) if fact and fact.id == id_ else None

    return place


def _local_facts(edit: Edit, rows: list[Row]) -> int:
    config, tables = edit.knowledge.project.config, edit.knowledge.project.tables
    ceiling = LEVELS[config.clearance["cloud"]] if any(row.tier == "cloud" for row in rows) else 1
    return sum(LEVELS[fact.level] > ceiling for table in tables.values() for fact in table.facts)


def _agent_line(row: Row) -> AgentLine:
    return AgentLine(
        name=row.name,
        model=row.model,
        tier=row.tier,
        tokens=row.tokens,
        budget_tokens=row.budget_tokens,
        exact=row.exact,
        cut=tuple(row.cut),
        withheld=tuple(row.withheld),
    )


def _save(
    edit: Edit,
    files: Mapping[Path, str],
    rows: list[Row],
    listeners: Mapping[str, Listener],
    cloud: Mapping[str, int],
) -> None:
    tables = edit.knowledge.project.tables
    outputs = {os.path.relpath(path, edit.root): digest for path, digest in files.items()}
    parts: dict[str, object] = {"inputs": edit.inputs.digests, "rows": rows, "listeners": listeners, "cloud": cloud}
    parts |= {"names": edit.knowledge.names}
    parts |= {f"table {name}": packed_table(tables[name]) for name in edit.delta.tables}
    parts |= {f"text {path}": edit.inputs.files[path] for path in edit.inputs.knowledge()}
    save(edit.root, {**edit.state.head, "outputs": outputs}, parts, edit.state)
