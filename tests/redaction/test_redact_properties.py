"""Random projects, redacted: they compile as before, what was equal still is, and nothing of them is left."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, note
from tests.strategies import TODAY, compiled, projects, tries

from promptforge.compiler.build import Build, compile_project
from promptforge.files import Tree
from promptforge.model import written
from promptforge.redaction.key import Key
from promptforge.redaction.leftover import left_over, originals
from promptforge.redaction.redaction import Redaction, make_redaction

KEYS = (b"one key of thirty-two bytes.....", b"another key of thirty-two bytes.")


def redacted(build: Build, key: bytes = KEYS[0]) -> tuple[Redaction, Tree]:
    """The project's files without what names."""
    texts = {path: content.decode() for path, content in build.tree.files.items()}
    redaction = make_redaction(Key(key), build.project.tables, texts.values())
    made = {path: redaction.file(path, text)[0] for path, text in texts.items()}
    assert not list(left_over(redaction, originals(redaction, texts.values()), made))
    return redaction, replace(build.tree, files={path: text.encode() for path, text in made.items()})


def codes_of(build: Build) -> Counter[str]:
    """How often each code is said; near twins and sizes depend on how names are spelled."""
    return Counter(d.code for d in build.diagnostics if d.code not in ("PF331", "PF413", "PF416"))


def cells(build: Build, columns: Any) -> list[tuple[str, str, str]]:
    """Each value of a column that names, in order."""
    return [
        (fact.table, column, written(fact.values.get(column)))
        for table in build.project.tables.values()
        for fact in table.facts
        for name, column in columns
        if name == table.name and fact.values.get(column) is not None
    ]


@given(spec=projects(tight=False))
@tries(60)
def test_a_redacted_project_compiles_as_before_and_joins_as_before(spec):
    """The same facts and codes; two cells of a column that names are equal exactly where they were."""
    before = compiled(spec)
    redaction, tree = redacted(before)
    for path, content in tree.files.items():
        note(f"--- {path}\n{before.tree.files[path].decode()}\n--- to\n{content.decode()}")
    after = compile_project(tree, today=TODAY)
    note(f"{before.diagnostics}\n{after.diagnostics}")
    assert codes_of(before) == codes_of(after)
    assert {n: len(t.facts) for n, t in before.project.tables.items()} == {
        n: len(t.facts) for n, t in after.project.tables.items()
    }
    old, new = cells(before, redaction.columns), cells(after, redaction.columns)
    assert len(old) == len(new)
    names: dict[str, str] = {}
    for (table, column, was), (_, _, now) in zip(old, new, strict=True):
        if redaction.columns[table, column] != "entity" or column != "entity_id":
            assert names.setdefault(was, now) == now
    for name, agent in before.artifact.entries.items():
        was, now = agent.enriched, after.artifact.entries[name].enriched
        assert [s.kind for s in was.segments] == [s.kind for s in now.segments]


@given(spec=projects(tight=False))
@tries(12)
def test_the_key_alone_decides(spec):
    """The same key gives the same bytes; another gives other names."""
    build = compiled(spec)
    first, tree = redacted(build)
    assert tree.files == redacted(build)[1].files
    other, _ = redacted(build, KEYS[1])
    assert first.names.exact.keys() == other.names.exact.keys()
    assert len(first.names.exact) < 4 or first.names.exact != other.names.exact
