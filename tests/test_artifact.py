"""The artifact and its locks: read back as they were written, by anybody's reader."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from promptforge.artifact import (
    Artifact,
    Entry,
    committed_lock,
    prompt_digest,
    prompts_text,
    read_committed_lock,
    without,
)
from promptforge.lock import lock_text, read_artifact
from promptforge.model import Prompt
from promptforge.workbench.splice import Lock
from strategies import Spec, compiled, projects, tries


def _sent(entry: Entry) -> dict[str, Any]:
    prompt = entry.enriched
    messages = [{"role": role, "content": content} for role, content in prompt.messages]
    body: dict[str, Any] = {"system": prompt.system}
    if messages:
        body["messages"] = messages
    return body | ({"model": entry.model} if entry.model else {}) | {"tokens": prompt.tokens}


def _written(artifact: Artifact) -> tuple[bytes, bytes]:
    prompts = prompts_text(artifact)
    return prompts.encode(), lock_text(artifact, output="build/agent_prompts.yaml", prompts=prompts).encode()


@tries(60)
@given(projects())
def test_every_yaml_reader_reads_what_was_compiled(spec: Spec) -> None:
    """PyYAML, libyaml and a YAML 1.2 reader get the same agents, texts, messages, models and counts, in order."""
    artifact = compiled(spec).artifact
    wanted = {name: _sent(entry) for name, entry in artifact.entries.items()}
    text = prompts_text(artifact)
    for read in (
        yaml.safe_load(text),
        yaml.load(text, Loader=yaml.CSafeLoader),
        YAML(typ="safe", pure=True).load(text),
    ):
        assert read == wanted
        assert list(read) == list(wanted)


def _plain(artifact: Artifact) -> Artifact:
    """The artifact with tuples where JSON has lists, and without what is not kept."""

    def prompt(one: Prompt) -> Prompt:
        segments = tuple(segment._replace(facts=tuple(segment.facts)) for segment in one.segments)
        return replace(one, segments=segments, cuts=tuple(one.cuts), filtered=dict(one.filtered))

    entries = {
        name: replace(entry, broken=False, variants={v: prompt(p) for v, p in entry.variants.items()})
        for name, entry in artifact.entries.items()
    }
    readers = tuple(reader._replace(span=replace(reader.span, column=0, length=1)) for reader in artifact.readers)
    return replace(artifact, entries=entries, readers=readers)


@tries(80)
@given(projects())
def test_a_build_is_read_back_as_it_was(spec: Spec) -> None:
    """Both variants, every segment, cut, fact and reader of a build come back from its two files."""
    artifact = compiled(spec).artifact
    # Where no section prints the persona, the base prompt is not kept.
    assert _plain(read_artifact(*_written(artifact))) == _plain(artifact)


def test_a_persona_that_is_printed_twice_is_read_back() -> None:
    """The base prompt comes back with its own line breaks between the two, which are others than in the whole one."""
    agent = {"name": "a", "persona": "P", "sections": [{"table": "zoo"}, "persona", {"table": "zoo"}, "persona"]}
    spec: Spec = {"config": {"name": "n"}, "agents": {"a.yaml": agent}, "fewshot": {}, "templates": {}, "schemas": {}}
    spec |= {"knowledge": {"k.yaml": {"zoo": [{"id": "x"}]}}, "flow": True, "blocks": True}
    artifact = compiled(spec).artifact
    assert artifact.entries["a"].variants["base"].system == "P\n\nP"
    assert _plain(read_artifact(*_written(artifact))) == _plain(artifact)


def test_rows_of_facts_that_moved_since_keep_their_own_places() -> None:
    """An agent carried over from an earlier build is read back with the places its facts had, or still have."""
    agent = {"name": "a", "persona": "P", "sections": ["persona", {"table": "zoo"}]}
    spec: Spec = {"config": {"name": "n"}, "agents": {"a.yaml": agent}, "fewshot": {}, "templates": {}, "schemas": {}}
    spec |= {"knowledge": {"k.yaml": {"zoo": [{"id": "x"}, {"id": "y"}, {"id": "z"}]}}, "flow": True, "blocks": True}
    artifact = compiled(spec).artifact
    assert not Lock(_written(artifact)[1]).has_rows_elsewhere()
    moved = replace(artifact, facts={**artifact.facts, "zoo/y": artifact.facts["zoo/y"]._replace(line=77)})
    gone = replace(artifact, facts={id_: fact for id_, fact in artifact.facts.items() if id_ != "zoo/z"})
    for changed in (moved, gone):
        prompts, lock = _written(changed)
        assert _plain(read_artifact(prompts, lock)) == _plain(changed)
        assert Lock(lock).has_rows_elsewhere()


def _by_the_rules(members: list[Any], facts: dict[str, Any], left_out: list[Any]) -> list[list[Any]]:
    """The segments as docs/design/lock.md says, read once more by other code."""
    found: list[list[Any]] = []
    for member in members:
        if isinstance(member, list):
            found.append(list(member))
            continue
        above = len(found) - 1
        sizes, named = member["rows"][::2], member["rows"][1::2]
        for size, ids in zip(sizes, named, strict=True):
            message, _, end, _, line, section = found[-1][:6]
            ids = ids if isinstance(ids, list) else [ids]
            file, source = facts[ids[0]][:2]
            found.append([message, end, end + size, line + 1, line + 1, section, "row", file, source, 0, ids])
        if found[above][10] is None:
            cut = [what for section, what, why, _ in left_out if section == found[above][5] and why == "budget"]
            found[above][10] = [row[10][0] for row in found[above + 1 :]] + cut[::-1]
    return found


@tries(60)
@given(projects())
def test_the_documented_rules_give_every_segment(spec: Spec) -> None:
    """Whoever reads the lock with a JSON reader and the documented rules has every segment of every variant."""
    artifact = compiled(spec).artifact
    lock = json.loads(_written(artifact)[1])
    for name, entry in artifact.entries.items():
        for variant, prompt in entry.variants.items():
            kept = lock["agents"][name]["variants"][variant]
            wanted = [[*segment[:-1], list(segment.facts)] for segment in prompt.segments]
            assert _by_the_rules(kept["segments"], lock["facts"], kept["left_out"]) == wanted


@tries(40)
@given(projects())
def test_the_committed_lock_holds_one_digest_an_agent(spec: Spec) -> None:
    """promptforge.lock gives the digest of exactly what is sent, under the agent's name."""
    artifact = compiled(spec).artifact
    digests = {name: f"sha256:{prompt_digest(entry.enriched)}" for name, entry in artifact.entries.items()}
    assert read_committed_lock(committed_lock(artifact).encode()) == digests
    assert yaml.safe_load(committed_lock(artifact))["agents"] == digests


@tries(40)
@given(projects(tight=False), st.data())
def test_an_ablation_drops_sections_and_nothing_else(spec: Spec, data: st.DataObject) -> None:
    """`without` no section sends the same bytes; without some, what remains is the text of the others in order."""
    for entry in compiled(spec).artifact.entries.values():
        prompt = entry.enriched
        same = without(prompt, ())
        assert (same.system, same.messages) == (prompt.system, prompt.messages)
        dropped = data.draw(st.sets(st.sampled_from(range(len(entry.sections)))))
        less = without(prompt, dropped)
        text = prompt.system.encode()
        kept = [text[s.start : s.end] for s in prompt.segments if s.message == 0 and s.section not in dropped]
        assert less.system.strip("\n") == b"".join(kept).decode().strip("\n")
        roles = [prompt.messages[s.message - 1] for s in prompt.segments if s.message and s.section not in dropped]
        assert list(less.messages) == roles


def _mutated(value: Any, data: st.DataObject) -> Any:
    """The same JSON with one thing in it taken away or replaced."""
    if isinstance(value, dict) and value:
        key = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.integers(0, 3)) == 3:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: _mutated(value[key], data)}
    if isinstance(value, list) and value:
        at = data.draw(st.integers(0, len(value) - 1))
        if data.draw(st.integers(0, 3)) == 3:
            return value[:at] + value[at + 1 :]
        return [*value[:at], _mutated(value[at], data), *value[at + 1 :]]
    return data.draw(st.sampled_from([None, 7, "x", [], {}, [1], {"a": 1}]))


@tries(120)
@given(projects(), st.data())
def test_a_damaged_lock_is_a_value_error(spec: Spec, data: st.DataObject) -> None:
    """Whatever happened to the lock, it is read or refused, never a crash of another kind."""
    prompts, lock = _written(compiled(spec).artifact)
    damaged = json.dumps(_mutated(json.loads(lock), data)).encode()
    cut = lock[: data.draw(st.integers(0, len(lock) - 3))]
    for content in (damaged, cut):
        try:
            read_artifact(prompts, content)
        except ValueError:
            pass
        else:
            assert content is damaged


def test_prompts_and_lock_must_belong_together() -> None:
    """A lock beside other prompts, of another version, or no JSON at all is refused in words."""
    artifact = Artifact(name="n", version="1", entries={}, facts={}, tables={})
    prompts, lock = _written(artifact)
    assert read_artifact(prompts, lock) == artifact
    with pytest.raises(ValueError, match="the prompts were changed after they were built"):
        read_artifact(prompts + b"# a line\n", lock)
    with pytest.raises(ValueError, match="the lock is of another version of promptforge"):
        read_artifact(prompts, lock.replace(b'"version": 2', b'"version": 1'))
    with pytest.raises(ValueError, match="the lock is not JSON"):
        read_artifact(prompts, lock[:-5])


@tries(40)
@given(projects())
def test_nothing_in_the_files_tells_the_time(spec: Spec) -> None:
    """Neither the artifact nor a lock holds a date, a path of this machine or anything else that passes."""
    artifact = compiled(spec).artifact
    assume(artifact.entries)
    head = {key: value for key, value in json.loads(_written(artifact)[1]).items() if key not in ("facts", "agents")}
    known = {"version", "promptforge", "name", "output", "inputs", "tables", "segment", "readers"}
    assert set(head) == known
    assert set(head["output"]) == {"path", "sha256"}
    assert head["output"]["path"] == "build/agent_prompts.yaml"
