"""A build made from the last one: always the bytes and the report of a cold build, from a part of the work."""

import copy
import datetime
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from promptforge.cli.main import promptforge
from promptforge.errors import WriteError
from promptforge.workbench import disk, edit, remake
from promptforge.workbench.forge import forge
from promptforge.workbench.incremental import forge_again
from rebuilds import (
    CONFIG,
    FEWSHOT,
    STATE,
    TEMPLATE,
    TODAY,
    WRITTEN,
    build_both,
    change,
    edit_facts,
    house,
    knowledge,
    outputs,
    put,
)
from strategies import edits, projects, tree_of, tries

PORT = '{host: "hub", port: 80,'


@pytest.fixture
def root(tmp_path):
    """The house, built."""
    folder = tmp_path / "house"
    folder.mkdir()
    put(folder, house(knowledge()))
    assert forge(folder, today=TODAY)[1].diagnostics == ()
    return folder


def renumber(root: Path) -> None:
    """One edit that an incremental build can make."""
    change(root, "knowledge/b.yaml", PORT, '{host: "hub", port: 8080,')


# --- the same bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_edited_a_build_is_that_of_a_cold_one(tmp_path, seed):
    """After each of many edits of facts the files, their modes and the report are those of a cold build."""
    chance, facts, root = random.Random(seed), knowledge(), tmp_path / "house"
    root.mkdir()
    put(root, house(facts))
    assert forge(root, today=TODAY)[1].diagnostics == ()
    taken = clean = 0
    for _ in range(15):
        last = copy.deepcopy(facts)
        for _ in range(chance.choice([1, 1, 2])):
            edit_facts(facts, chance)
        put(root, house(facts))
        incrementally, diagnostics = build_both(root)
        taken, clean = taken + incrementally, clean + (not diagnostics)
        if diagnostics:
            facts = last
            put(root, house(facts))
            forge(root, today=TODAY)
    assert clean >= 5
    assert taken >= clean / 2


@tries(60)
@given(st.data())
def test_random_projects_are_built_as_cold_ones_are(tmp_path_factory, data):
    """Of any project, after any edit of whatever file, the build is that of a cold one."""
    root = tmp_path_factory.mktemp("made") / "project"
    root.mkdir()
    spec = data.draw(projects())
    put(root, {path: content.decode() for path, content in tree_of(spec).files.items()})
    forge(root, today=TODAY)
    for _ in range(2):
        spec, _ = data.draw(edits(spec))
        put(root, {path: content.decode() for path, content in tree_of(spec).files.items()})
        build_both(root)


def test_without_an_edit_nothing_is_written(root):
    """The build of files that are as they were differs in nothing."""
    assert build_both(root) == (True, ())


def test_the_command_says_what_a_whole_build_says(root):
    """`build` after an edit prints what it prints without a state, and then sees that nothing changed."""
    runner = CliRunner()

    def build(folder: Path) -> str:
        return runner.invoke(promptforge, ["-C", str(folder), "build"], standalone_mode=False).output

    build(root)
    renumber(root)
    other = root.with_name("other")
    shutil.copytree(root, other)
    (other / STATE).unlink()
    said = build(root)
    assert "changed: 1 fact, " in said
    assert said == build(other)
    assert outputs(root) == outputs(other)
    assert "nothing changed" in build(root)


# --- from a part of the work ------------------------------------------------------------------------------------------


@pytest.fixture
def compiled(monkeypatch):
    """The names of the agents that incremental builds compile."""
    names: list[str] = []

    def spy(project: Any, *arguments: Any, **named: Any) -> Any:
        names.extend(project.agents)
        return compile_part(project, *arguments, **named)

    compile_part = remake.compile_part
    monkeypatch.setattr(remake, "compile_part", spy)
    return names


def test_only_the_agents_that_hold_a_fact_are_compiled(root, compiled):
    """An edit of a fact that four agents hold compiles these four, and no other."""
    change(
        root, "knowledge/b.yaml", '{host: "hub", port: 80, service: "s 80"}', '{host: "hub", port: 80, service: "w"}'
    )
    assert build_both(root) == (True, ())
    assert sorted(compiled) == ["all", "far", "site", "tight"]


def test_an_agent_that_would_newly_take_a_fact_in_is_compiled(root, compiled):
    """A fact that comes to match the `where` of a section is taken in by it."""
    change(root, "knowledge/b.yaml", '{host: "hub", port: 22,', '{host: "nas", port: 2222,')
    assert build_both(root) == (True, ())
    assert "mini" in compiled
    assert "words" not in compiled


def test_a_text_that_says_the_same_compiles_one_agent(root, compiled):
    """Of an example that searches the edited table but says the same, one of its agents is tried, and no more."""
    shared = FEWSHOT.replace("{% for t in tools %}{{ t.id }} {% endfor %}of ", "")
    put(root, {**house(knowledge()), "fewshot/f.yaml": shared})
    forge(root, today=TODAY)
    change(root, "knowledge/b.yaml", 'notes: "xxxxxxx"', 'notes: "other"')
    assert build_both(root) == (True, ())
    assert "words" not in compiled


def test_a_line_above_moves_the_sources_and_compiles_nothing(root, compiled):
    """A comment above a table changes line numbers in the lock, and no prompt."""
    change(root, "knowledge/b.yaml", "ports:\n", "# of the house\n\nports:\n")
    assert build_both(root) == (True, ())
    assert compiled == []


def test_files_that_are_not_compiled_compile_nothing(root, compiled):
    """A suite is an input, and nothing that a prompt rests on."""
    suite = root / "suites/s.yaml"
    suite.parent.mkdir()
    suite.write_text("suite: s\n")
    forge(root, today=TODAY)
    suite.write_text("suite: t\n")
    assert build_both(root) == (True, ())
    assert compiled == []


def test_of_many_agents_the_one_that_holds_the_fact_is_compiled(tmp_path, compiled):
    """Of forty agents with a fact each, one edited fact compiles one agent."""
    root = tmp_path / "large"
    root.mkdir()
    facts = "".join(f"  - {{name: f{n}, about: 'fact {n}'}}\n" for n in range(40))
    body = "persona: P\nsections: [persona, {{table: things, where: {{name: f{}}}}}]\n"
    agents = {f"agents/a{n:02}.yaml": f"name: a{n}\n{body.format(n)}" for n in range(40)}
    put(root, {"promptforge.yaml": "name: p\n", "knowledge/k.yaml": f"things:\n{facts}", **agents})
    forge(root, today=TODAY)
    change(root, "knowledge/k.yaml", "'fact 7'", "'the seventh'")
    assert build_both(root) == (True, ())
    assert compiled == ["a7"]


# --- what is left to a whole build ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITTEN)
def test_an_output_edited_by_hand_is_made_anew(root, name):
    """What lies in the output's place is not built upon unless it is what was written there."""
    (root / name).write_bytes((root / name).read_bytes() + b"# by hand\n")
    renumber(root)
    assert build_both(root) == (False, ())


def test_a_missing_output_is_made_anew(root):
    """Somebody deleted the build folder."""
    shutil.rmtree(root / "build")
    renumber(root)
    assert build_both(root) == (False, ())


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("agents/words.yaml", "name: words\npersona: Other words.\nsections: [persona, {fewshot: 3, tags: [a]}]\n"),
        ("agents/new.yaml", "name: new\npersona: New.\n"),
        ("knowledge/c.yaml", "tools:\n  - {id: c, kind: axe}\n"),
        ("fewshot/f.yaml", FEWSHOT.replace("Who?", "Who else?")),
        ("promptforge.yaml", CONFIG.replace("5000", "5001")),
        ("agents/templates/rules.md.j2", TEMPLATE + "End.\n"),
    ],
)
def test_other_edits_are_left_to_a_whole_build(root, file, text):
    """Agents, examples, templates, settings and new files make a whole build."""
    (root / file).write_text(text, encoding="utf-8")
    assert build_both(root) == (False, ())


def test_another_output_is_another_build(root):
    """The state is of one place of the artifact."""
    renumber(root)
    assert forge_again(root, today=TODAY, output="elsewhere.yaml") is None


def test_another_day_may_find_stale_facts(root):
    """With stale_after the state is of its day; without, of any."""
    renumber(root)
    assert build_both(root, today=TODAY + datetime.timedelta(days=9)) == (True, ())
    (root / "promptforge.yaml").write_text(CONFIG + "stale_after: 90d\n")
    forge(root, today=TODAY)
    change(root, "knowledge/b.yaml", "port: 8080,", "port: 8081,")
    assert build_both(root, today=TODAY + datetime.timedelta(days=1)) == (False, ())


@pytest.mark.parametrize(("module", "limit"), [(remake, "MOST_AGENTS"), (edit, "MOST_FACTS")])
def test_large_edits_are_left_to_a_whole_build(root, monkeypatch, module, limit):
    """Where more facts or agents are touched than it is worth, the whole is built."""
    monkeypatch.setattr(module, limit, 1)
    renumber(root)
    change(root, "knowledge/b.yaml", '{host: "hub", port: 443,', '{host: "hub", port: 8443,')
    assert build_both(root) == (False, ())


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("knowledge/b.yaml", PORT, '{host: "hub", port: 99999,'),
        ("knowledge/b.yaml", PORT, '{host: "huub", port: 80,'),
        ("knowledge/b.yaml", PORT, '{host: "hub" port: 80,'),
        ("knowledge/b.yaml", PORT, '{host: "hub", port: 22,'),
        ("knowledge/a.yaml", 'notes: "xxx"', "notes: the alarm PIN is 482913"),
        ("knowledge/a.yaml", '- id: "t1"', '- id: "t1b"'),
        ("knowledge/a.yaml", '- name: "nas"\n    site: "barn"', '- name: "nas"'),
    ],
    ids=["form", "reference", "syntax", "taken twice", "secret", "named by a text", "named by an unused text"],
)
def test_an_error_is_said_as_a_cold_build_says_it(root, file, old, new):
    """An edit that breaks something gives the diagnostics of a cold build, and nothing is written."""
    before = outputs(root)
    change(root, file, old, new)
    incrementally, diagnostics = build_both(root)
    assert not incrementally
    assert any(d.severity == "error" for d in diagnostics)
    assert outputs(root) == before


def test_after_an_error_is_mended_a_build_is_incremental_again(root):
    """The state outlives builds that wrote nothing."""
    change(root, "knowledge/b.yaml", PORT, '{host: "hub", port: 99999,')
    assert not build_both(root)[0]
    change(root, "knowledge/b.yaml", "port: 99999,", "port: 8080,")
    assert build_both(root) == (True, ())


def test_a_warning_is_said_by_a_whole_build(root):
    """A section that an edit empties is a warning, and an incremental build has nothing to say."""
    (root / "agents/one.yaml").write_text(
        "name: one\nmodel: near\npersona: P\nsections: [persona, {table: ports, where: {port: 80, host: hub}}]\n"
    )
    forge(root, today=TODAY)
    renumber(root)
    incrementally, diagnostics = build_both(root)
    assert (incrementally, [d.code for d in diagnostics]) == (False, ["PF410"])


@pytest.mark.parametrize("note", ["", "  # promptforge: allow PF334 a colocated server"])
def test_what_an_allowance_silences_stays_silent(root, note):
    """What stands in a file that was not edited, or in another line of one that was, is still allowed there."""
    text = (root / "knowledge/a.yaml").read_text(encoding="utf-8")
    allowed = text.replace('- name: "hub"\n', f'- name: "hub"\n    lan_ip: 8.8.8.8{note}\n')
    (root / "knowledge/a.yaml").write_text(allowed, encoding="utf-8")
    if not note:
        (root / "promptforge.yaml").write_text(CONFIG + "ignore: {PF334: knowledge/a.yaml}\n")
    assert forge(root, today=TODAY)[1].diagnostics == ()
    change(root, "knowledge/a.yaml", '- name: "nas"\n    site: "barn"', '- name: "nas"\n    site: "manor"')
    assert build_both(root) == (True, ())
    renumber(root)
    assert build_both(root) == (True, ())


def test_a_fact_made_private_leaves_the_cloud(root):
    """The cloud's prompts lose it, the local ones keep it, and the files are for the owner alone."""
    assert (root / WRITTEN[0]).stat().st_mode & 0o077
    change(root, "knowledge/b.yaml", PORT, '{sensitivity: private, host: "hub", port: 80,')
    assert build_both(root) == (True, ())
    assert not (root / WRITTEN[0]).stat().st_mode & 0o077


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_failed_write_is_made_good_by_the_next_build(root, monkeypatch):
    """A rename that fails is reported, and the next build is that of a cold one."""
    renumber(root)
    rename = os.replace

    def fail(source: str, target: str) -> None:
        if str(target).endswith("lock.json"):
            raise OSError(28, "No space left on device", str(target))
        rename(source, target)

    monkeypatch.setattr(disk.os, "replace", fail)
    with pytest.raises(WriteError):
        forge_again(root, today=TODAY)
    monkeypatch.undo()
    build_both(root)


def test_a_killed_write_is_finished_and_then_built_upon(root, monkeypatch):
    """After a kill before the renames the journal is finished, and the next build is made from that one."""
    renumber(root)

    def kill(journal: Path, names: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(disk, "_rename", kill)
    with pytest.raises(KeyboardInterrupt):
        forge_again(root, today=TODAY)
    assert (root / ".promptforge/pending.json").exists()
    monkeypatch.undo()
    with disk.exclusive(root):
        pass
    change(root, "knowledge/b.yaml", "port: 8080,", "port: 8081,")
    assert build_both(root) == (True, ())
