"""The suites as they were at the last build: today's files, read against the facts that its lock has kept.

A build keeps no suites. So that both sides of a diff have the cases that were made of their own facts, the draw of the
generated ones included, today's suites are read once more, against the facts of then.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from promptforge.artifact import Artifact, FactRecord
from promptforge.compiler.build import Build
from promptforge.document import plain_value
from promptforge.model import Column, Fact, Table, written
from promptforge.workbench.suites import Suites, load_suites

__all__ = ["suites_before"]

Kept = str | list[str] | None


def suites_before(build: Build, artifact: Artifact) -> Suites:
    """The suites of `build` as they would have been with the facts of `artifact`."""
    project = replace(build.project, tables=dict(_tables(build.project.tables, artifact.facts)))
    return load_suites(replace(build, project=project))


def _tables(now: Mapping[str, Table], facts: Mapping[str, FactRecord]) -> Iterator[tuple[str, Table]]:
    by_table: dict[str, list[Fact]] = {name: [] for name in now}
    for id_, record in facts.items():
        name, _, key = id_.partition("/")
        values = {column: _value(kept) for column, kept in record.values.items()}
        fact = Fact(name, key, values, record.file, record.line, key, record.level)
        by_table.setdefault(name, []).append(fact)
    for name, some in by_table.items():
        yield name, _table(now.get(name) or _gone(name), some)


def _gone(name: str) -> Table:
    """A table of which nothing but its facts is known any more."""
    return Table(name=name, key=(), columns={}, declared=frozenset(), defaults={}, facts=(), by_key={})


def _table(table: Table, facts: list[Fact]) -> Table:
    by_key = {fact.key: fact for fact in facts}
    for fact in facts if table.defaults else ():
        by_key.setdefault(":".join(written(fact.values.get(column)) for column in table.key), fact)
    further = {column: Column(kind="any") for fact in facts for column in fact.values if column not in table.columns}
    return replace(table, facts=tuple(facts), by_key=by_key, columns={**table.columns, **further})


def _value(kept: Kept) -> object:
    """A value as it was before the lock wrote it as text: what is quoted there was a text that looks like another."""
    if isinstance(kept, list):
        return [_value(one) for one in kept]
    if kept and kept[0] == '"':
        return json.loads(kept)
    return plain_value(kept) if kept else kept
