"""What holds for every comparison: the agents named are exactly those whose bytes differ, each with a true reason."""

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from promptforge.artifact import Artifact, Entry, prompts_text
from promptforge.compiler.build import Build
from promptforge.diff import Diff, compare
from promptforge.lock import lock_text, read_artifact
from strategies import KEYS, Plain, Spec, compiled, edits, facts_of, key_of, projects, tree_of, tries


def _sent(entry: Entry) -> tuple[str, tuple[tuple[str, str], ...]]:
    return entry.enriched.system, entry.enriched.messages


def _differing(old: Artifact, new: Artifact) -> set[str]:
    """The agents whose system prompt or messages differ, those of one side alone included."""
    names = {*old.entries, *new.entries}
    both = names & set(old.entries) & set(new.entries)
    return (names - both) | {name for name in both if _sent(old.entries[name]) != _sent(new.entries[name])}


def _reread(build: Build) -> Artifact:
    """The build as `diff` finds it on disk."""
    prompts = prompts_text(build.artifact)
    lock = lock_text(build.artifact, output="build/agent_prompts.yaml", prompts=prompts)
    return read_artifact(prompts.encode(), lock.encode())


@tries(40)
@given(projects())
def test_a_build_does_not_differ_from_itself(spec: Spec) -> None:
    """Compared with itself, with a second compilation and with what is read back from disk, nothing differs."""
    build = compiled(spec)
    assert compare(build.artifact, build.artifact).empty
    assert compare(build.artifact, compiled(spec).artifact).empty
    assume(not build.errors)
    assert compare(_reread(build), build.artifact).empty


def _checked(spec: Spec, edited: Spec) -> tuple[Build, Build, Diff]:
    before, after = compiled(spec), compiled(edited)
    assume(not before.errors and not after.errors)
    diff = compare(before.artifact, after.artifact)
    assert compare(_reread(before), after.artifact) == diff
    return before, after, diff


@tries(250)
@given(st.data())
def test_the_agents_named_are_those_whose_bytes_differ(data: st.DataObject) -> None:
    """After any edits, `diff` names an agent exactly when its system prompt or its messages differ, and says why."""
    spec = data.draw(projects())
    edited, names = data.draw(edits(spec))
    before, after, diff = _checked(spec, edited)
    for name in names:
        event(name)
    named = {agent.name for agent in diff.agents}
    event("nobody" if not named else "somebody")
    assert named == _differing(before.artifact, after.artifact)
    for agent in diff.agents:
        old, new = before.artifact.entries.get(agent.name), after.artifact.entries.get(agent.name)
        assert agent.change == ("added" if old is None else "removed" if new is None else "changed")
        if old is not None and new is not None:
            assert agent.because, names
            assert (agent.tokens_before, agent.tokens_after) == (old.enriched.tokens, new.enriched.tokens)
            for reason in agent.because:
                _check_reason(reason, (spec, before, old), (edited, after, new))


Side = tuple[Spec, Build, Entry]


def _check_reason(reason: str, old: Side, new: Side) -> None:
    """A reason is an input that differs, and that one of the two prompts rests on."""
    rests_on = {id_ for _, _, entry in (old, new) for segment in entry.enriched.segments for id_ in segment.facts}
    tables = {section.name for _, _, entry in (old, new) for section in entry.sections if section.kind == "table"}
    tables |= {id_.removeprefix("table:") for id_ in rests_on if id_.startswith("table:")}
    if reason.startswith("example "):
        id_ = reason.removeprefix("example ")
        assert _example(old[0], id_) != _example(new[0], id_)
        assert f"example:{id_}" in rests_on
    elif reason == "order of the examples":
        assert [e["id"] for e in _examples(old[0])] != [e["id"] for e in _examples(new[0])]
    elif reason == "order of the tables":
        assert list(old[1].project.tables) != list(new[1].project.tables)
    elif reason.startswith("order of "):
        table = reason.removeprefix("order of ")
        assert table in tables
        assert _order(old[0], table) != _order(new[0], table)
    elif reason.startswith("schema of "):
        table = reason.removeprefix("schema of ")
        assert table in tables
        assert old[1].artifact.tables[table] != new[1].artifact.tables[table]
    elif reason.startswith(("agents/", "model ", "promptforge.yaml", "tokenizer ")):
        _check_setting(reason, old, new)
    else:
        table, key = reason.split("/", 1)
        assert table in tables or any(id_.startswith(f"{table}/") for id_ in rests_on), reason
        assert _fact(old[0], table, key) != _fact(new[0], table, key)


def _check_setting(reason: str, old: Side, new: Side) -> None:
    (before, _, old_entry), (after, _, new_entry) = old, new
    if reason.startswith("model "):
        name = reason.removeprefix("model ")
        assert name in (old_entry.model, new_entry.model)
        assert before["config"]["models"].get(name) != after["config"]["models"].get(name)
    elif reason.startswith("tokenizer "):
        assert old_entry.tokenizer != new_entry.tokenizer == reason.removeprefix("tokenizer ")
    elif reason == "promptforge.yaml":
        assert {**before["config"], "models": 0} != {**after["config"], "models": 0}
    else:
        files = [tree_of(spec).files.get(reason) for spec in (before, after)]
        assert files[0] != files[1]
        assert reason in (old_entry.file, new_entry.file) or reason.startswith("agents/templates/")


def _examples(spec: Spec) -> list[dict[str, Any]]:
    return [example for _, file in sorted(spec["fewshot"].items()) for example in file]


def _example(spec: Spec, id_: str) -> str:
    return json.dumps([example for example in _examples(spec) if example["id"] == id_])


def _order(spec: Spec, table: str) -> list[str]:
    return [key_of(name, fact) for name, fact in facts_of(spec, table)]


def _fact(spec: Spec, table: str, key: str) -> str:
    """The fact as written, with the order of its columns and the kinds of its values."""
    facts = [fact for name, fact in facts_of(spec, table) if key_of(name, fact) == key]
    return repr(facts)


@tries(100)
@given(st.data())
def test_the_facts_named_are_those_that_differ(data: st.DataObject) -> None:
    """After any edits, `diff` names exactly the facts whose values differ, with each column before and after."""
    spec = data.draw(projects(tight=False))
    edited, _ = data.draw(edits(spec))
    before, after, diff = _checked(spec, edited)
    old, new = before.artifact.facts, after.artifact.facts
    assert {f"{c.table}/{c.key}" for c in diff.facts if c.change == "added"} <= set(new) - set(old)
    assert {f"{c.table}/{c.key}" for c in diff.facts if c.change == "removed"} <= set(old) - set(new)
    touched = {id_ for change in diff.facts for id_ in change.ids}
    assert {id_ for id_ in {*old, *new} if (id_ in old) != (id_ in new) or old[id_].values != new[id_].values} == {
        id_ for id_ in touched if id_ not in old or id_ not in new or old[id_].values != new[id_].values
    }
    for change in diff.facts:
        if change.change in ("changed", "renamed"):
            one, other = (old[f"{change.table}/{change.old_key or change.key}"], new[f"{change.table}/{change.key}"])
            for column, (was, now) in change.columns.items():
                assert _shown(one.values.get(column)) == was
                assert _shown(other.values.get(column)) == now


def _shown(value: Any) -> str | None:
    return ", ".join(value) if isinstance(value, list) else value


def _zoo(fact: dict[str, Any], sections: list[Any]) -> Spec:
    agent = {"name": "a", "persona": "P", "sections": ["persona", *sections]}
    parts: Spec = {"fewshot": {}, "schemas": {}, "flow": True, "blocks": True}
    texts = {"t.j2": "{% if zoo['x'].alpha %}yes{% else %}no{% endif %} {{ zoo['x'].alpha == 7 }}\n"}
    knowledge = {"k.yaml": {"zoo": [{"id": "x", **fact}, {"id": "y"}]}}
    return parts | {"config": {"name": "n"}, "agents": {"a.yaml": agent}, "templates": texts, "knowledge": knowledge}


@pytest.mark.parametrize(
    ("one", "other", "section"),
    [
        ({"alpha": 1, "beta": 2}, {"beta": 2, "alpha": 1}, {"table": "zoo"}),
        ({"alpha": True}, {"alpha": "true"}, {"table": "zoo", "where": {"alpha": True}}),
        ({"alpha": [True]}, {"alpha": ["true"]}, {"table": "zoo", "where": {"alpha": True}}),
        ({"alpha": False}, {"alpha": "false"}, {"template": "t.j2"}),
        ({"alpha": 7}, {"alpha": "7"}, {"template": "t.j2"}),
        ({"alpha": Plain("1.10")}, {"alpha": Plain("1.1")}, {"table": "zoo"}),
        ({"alpha": None}, {"alpha": ""}, {"table": "zoo", "columns": ["id"], "where": {"alpha": None}}),
        ({"alpha": ["a", "b"]}, {"alpha": "a, b"}, {"table": "zoo", "columns": ["id"], "where": {"alpha": "a"}}),
    ],
)
def test_facts_that_print_alike_are_told_apart(one: Any, other: Any, section: Any) -> None:
    """The order of columns, and a text that looks like another kind of value, are changes where a prompt feels them."""
    before, after = compiled(_zoo(one, [section])), compiled(_zoo(other, [section]))
    assert not before.errors
    assert not after.errors
    diff = compare(before.artifact, after.artifact)
    assert [(fact.table, fact.key, fact.change) for fact in diff.facts] == [("zoo", "x", "changed")]
    assert [(agent.name, agent.because) for agent in diff.agents] == [("a", ("zoo/x",))]
    assert compare(_reread(before), after.artifact) == diff


@tries(60)
@given(projects(), st.booleans())
def test_an_edit_that_shapes_no_prompt_names_nobody(spec: Spec, flow: bool) -> None:
    """Another layout of the same YAML, a moved line or a comment changes no agent and no fact."""
    other = copy.deepcopy(spec)
    other["flow"] = flow
    other["blocks"] = not spec["blocks"]
    other["config"]["stale_after"] = "9000d"
    diff = compare(compiled(spec).artifact, compiled(other).artifact)
    assert diff.agents == ()
    assert diff.facts == ()


def test_the_keys_of_the_strategies_are_the_design_s() -> None:
    """The key columns that these tests take for granted are those of design 3.3."""
    assert KEYS["ports"] == ("host", "port", "proto")
    assert KEYS["entities"] == ("entity_id",)
