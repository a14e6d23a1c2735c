"""A build made from the last one: always the bytes and the report of a cold build, from a part of the work."""

import copy
import dataclasses
import datetime
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.errors import WriteError
from promptforge.source import Diagnostic
from promptforge.workbench import disk, incremental
from promptforge.workbench.forge import Report, forge
from promptforge.workbench.incremental import forge_again
from strategies import edits, projects, tree_of, tries

TODAY = datetime.date(2026, 11, 22)
STATE = ".promptforge/incremental.json"
WRITTEN = ("build/agent_prompts.yaml", "build/agent_prompts.lock.json", "promptforge.lock")


def put(root: Path, files: dict[str, str]) -> None:
    """Make the project's files these, and leave alone what is already so."""
    for folder in ("agents", "fewshot", "knowledge"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.relative_to(root).as_posix() not in files:
                path.unlink()
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def outputs(root: Path) -> dict[str, tuple[bytes, int] | None]:
    """What a build writes: content and mode."""
    paths = {name: root / name for name in WRITTEN}
    return {n: (path.read_bytes(), path.stat().st_mode) if path.exists() else None for n, path in paths.items()}


def shown(report: Report, root: Path) -> Report:
    """A report without the project's place."""
    return dataclasses.replace(report, files={path.relative_to(root).as_posix(): d for path, d in report.files.items()})


def build_both(root: Path, *, today: datetime.date = TODAY) -> tuple[bool, tuple[Diagnostic, ...]]:
    """Build, from the last build if that can be, and hold it against a cold build of the same files.

    Gives whether it could be, and the diagnostics of the cold build.
    """
    cold = root.with_name("cold")
    shutil.rmtree(cold, ignore_errors=True)
    shutil.copytree(root, cold, ignore=shutil.ignore_patterns(".promptforge"))
    before = outputs(root)
    expected, build = forge(cold, today=today)
    report = forge_again(root, today=today)
    if report is None:
        assert outputs(root) == before
        report, made = forge(root, today=today)
        assert made.diagnostics == build.diagnostics
        incrementally = False
    else:
        assert not build.diagnostics
        incrementally = True
    assert outputs(root) == outputs(cold)
    assert shown(report, root) == shown(expected, cold)
    return incrementally, build.diagnostics


# --- a house that is right, and edits of its facts --------------------------------------------------------------------

MODELS = (
    "name: hut\nbudget: 5000\nmodels:\n"
    "  near: {backend: compatible, model: m, tier: local, context: 32768}\n"
    "  far: {backend: openai, model: gpt, tier: cloud, context: 100000, tokenizer: 'tiktoken:o200k_base'}\n"
)
AGENTS = {
    "all": "model: near\npersona: Everything.\n",
    "far": "model: far\npersona: From afar.\nsections: [persona, {table: ports}, {table: tools}, {fewshot: 2}]\n",
    "mini": (
        "model: near\npersona: |\n  One host.\n\n  é\nsections:\n  - persona\n"
        "  - {table: ports, where: {host: [mini, nas]}, columns: [port, service], as: csv}\n"
        "  - {table: tools, where: {kind: {not: [saw, null]}}, as: kv}\n  - {fewshot: 1, tags: [b], as: messages}\n"
    ),
    "site": (
        "model: far\npersona: Through references.\nsections:\n  - persona\n"
        "  - {table: ports, title: A site's, where: {host.site: manor}}\n  - {table: hosts, where: {site: manor}}\n"
        "  - {template: rules.md.j2}\n"
    ),
    "tight": (
        "budget: 190\npersona: Little room.\nsections: [persona, {table: tools, priority: 20}, {fewshot: 3},"
        " {table: ports, priority: 80, where: {port: {not: 22}}}]\n"
    ),
    "words": "persona: No facts.\nsections: [persona, {fewshot: 3, tags: [a]}]\n",
}
FEWSHOT = """examples:
  - {id: plain, user: Who?, assistant: Me., tags: [a, b]}
  - {id: port, user: "Where is {{ one('tools', id='t1').kind }}?", assistant: There., tags: [a]}
  - id: loop
    tags: [a, b]
    user: Count.
    assistant: "{% for t in tools %}{{ t.id }} {% endfor %}of {{ agent.name }}"
  - {id: asks, agents: [far, tight], user: Is it?, assistant: "{{ 'known' if 't9' in tools else 'unknown' }}"}
  - {id: unused, agents: [words], user: "{{ hosts['nas'].site }}?", assistant: Yes.}
"""
TEMPLATE = "Hub: {{ hosts['mini'].site }}\n{% for h in hosts %}- {{ h.name }}\n{% endfor %}"
Knowledge = dict[str, dict[str, list[dict[str, Any]]]]


class Raw(str):
    """A value that is written without quotes."""

    __slots__ = ()


def knowledge() -> Knowledge:
    """Facts in two files, one table in both of them."""
    hosts = [{"name": "mini", "site": "manor"}, {"name": "nas", "site": "barn"}, {"name": "hub", "site": "manor"}]
    ports = [{"host": h["name"], "port": p, "service": f"s {p}"} for p in (22, 80, 443) for h in hosts]
    tools = [{"id": f"t{n}", "kind": ["saw", "axe", "file"][n % 3], "size": n, "notes": "x" * n} for n in range(8)]
    places = [{"name": "manor"}, {"name": "barn", "role": "store"}]
    return {
        "a.yaml": {"sites": places, "hosts": hosts, "tools": tools[:5]},
        "b.yaml": {"ports": ports, "tools": tools[5:]},
    }


def written(value: object) -> str:
    """A value as YAML."""
    return value if isinstance(value, Raw) else json.dumps(value)


def house(facts: Knowledge) -> dict[str, str]:
    """The project's files; a.yaml holds its facts in blocks, b.yaml one a line."""
    files = {"promptforge.yaml": MODELS, "fewshot/f.yaml": FEWSHOT, "agents/templates/rules.md.j2": TEMPLATE}
    files |= {f"agents/{name}.yaml": f"name: {name}\n{text}" for name, text in AGENTS.items()}
    for file, tables in facts.items():
        lines = []
        for table, rows in tables.items():
            lines.append(f"{table}:")
            for row in rows:
                cells = [f"{column}: {written(value)}" for column, value in row.items() if column != "#"]
                lines += ["  # a word"] * row.get("#", 0)
                lines += (
                    [f"  - {{{', '.join(cells)}}}"]
                    if file == "b.yaml"
                    else [f"  - {cells[0]}", *(f"    {c}" for c in cells[1:])]
                )
        files[f"knowledge/{file}"] = "\n".join(lines) + "\n"
    return files


VALUES = ["axe", "saw", 22, Raw("1.10"), Raw("1.1"), True, None, "1337", ["axe", "file"], "é | `x`", "a\nb", Raw("off")]


def edit_facts(facts: Knowledge, chance: random.Random) -> str:
    """Change one thing in place; its name."""
    tables = facts[chance.choice(["a.yaml", "b.yaml"])]
    table = chance.choice(list(tables))
    rows = tables[table]
    row, key = chance.choice(rows), {"ports": "port", "tools": "id"}.get(table, "name")
    match chance.choice(["value", "value", "value", "add", "remove", "key", "level", "line", "swap", "column"]):
        case "value":
            column = chance.choice([c for c in row if c not in ("#", "host", "site", "sensitivity", key)] or ["notes"])
            row[column] = chance.choice(VALUES)
            return f"{table}.{column}"
        case "add":
            made = {"host": "nas", "port": chance.randrange(1024, 65536), "service": "new"} if table == "ports" else {}
            made = made or {key: f"{chance.choice('tuvw')}{chance.randrange(9)}", "notes": "new"}
            rows.insert(chance.randrange(len(rows) + 1), made)
        case "remove" if len(rows) > 2 and table in ("ports", "tools"):
            rows.remove(row)
        case "key" if table in ("ports", "tools"):
            row[key] = chance.randrange(1024, 65536) if table == "ports" else f"k{chance.randrange(99)}"
        case "level":
            row["sensitivity"] = chance.choice(["public", "internal", "private"])
        case "line":
            row["#"] = row.get("#", 0) + 1
        case "swap":
            rows.sort(key=lambda _: chance.random())
        case "column" if table == "tools":
            row["colour"] = "red"
    return table


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_edited_a_build_is_that_of_a_cold_one(tmp_path, seed):
    """After each of many edits of facts, files, lock, modes and report are those of a cold build, mostly incrementally."""
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
    assert taken >= clean * 0.6


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


# --- from a part of the work ------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path):
    """The house, built."""
    folder = tmp_path / "house"
    folder.mkdir()
    put(folder, house(knowledge()))
    assert forge(folder, today=TODAY)[1].diagnostics == ()
    return folder


@pytest.fixture
def compiled(monkeypatch):
    """The names of the agents that incremental builds compile."""
    names: list[str] = []

    def spy(project: Any, *arguments: Any, **named: Any) -> Any:
        names.extend(project.agents)
        return whole(project, *arguments, **named)

    whole = incremental.compile_part
    monkeypatch.setattr(incremental, "compile_part", spy)
    return names


def change(root: Path, file: str, old: str, new: str) -> None:
    """Edit a file by hand."""
    text = (root / file).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (root / file).write_text(text.replace(old, new), encoding="utf-8")


def test_only_the_agents_that_hold_a_fact_are_compiled(root, compiled):
    """An edit of a fact that three agents hold compiles these three, and no other."""
    change(root, "knowledge/b.yaml", '"port": 443, "service": "s 443"', "") if False else None
    change(
        root, "knowledge/b.yaml", '{host: "hub", port: 80, service: "s 80"}', '{host: "hub", port: 80, service: "web"}'
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
    """Of a shared example that searches the edited table but says the same, one agent is tried, and no more."""
    change(root, "knowledge/b.yaml", 'notes: "xxxxxxx"', 'notes: "other"')
    assert build_both(root) == (True, ())
    assert compiled.count("words") <= 1


def test_a_line_above_moves_the_sources_and_compiles_nothing(root, compiled):
    """A comment above a table changes line numbers in the lock, and no prompt."""
    change(root, "knowledge/b.yaml", "ports:\n", "# of the house\n\nports:\n")
    assert build_both(root) == (True, ())
    assert compiled == []


def test_files_that_are_not_compiled_compile_nothing(root, compiled):
    """A suite is an input, and nothing that a prompt rests on."""
    put_suite = root / "suites/s.yaml"
    put_suite.parent.mkdir()
    put_suite.write_text("suite: s\n")
    forge(root, today=TODAY)
    put_suite.write_text("suite: t\n")
    assert build_both(root) == (True, ())
    assert compiled == []


def test_an_edit_in_a_large_project_touches_few(tmp_path, compiled):
    """Of forty agents with facts of their own, one edited fact compiles the one that holds it."""
    root = tmp_path / "large"
    root.mkdir()
    facts = "".join(f"  - {{name: f{n}, about: 'fact {n}'}}\n" for n in range(40))
    agents = {
        f"agents/a{n:02}.yaml": f"name: a{n}\npersona: P\nsections: [persona, {{table: things, where: {{name: f{n}}}}}]\n"
        for n in range(40)
    }
    put(root, {"promptforge.yaml": "name: p\n", "knowledge/k.yaml": f"things:\n{facts}", **agents})
    forge(root, today=TODAY)
    change(root, "knowledge/k.yaml", "'fact 7'", "'the seventh'")
    assert build_both(root) == (True, ())
    assert compiled == ["a7"]


# --- what is left to a whole build ------------------------------------------------------------------------------------


def renumber(root: Path) -> None:
    """One edit that an incremental build could make."""
    change(root, "knowledge/b.yaml", '{host: "hub", port: 80,', '{host: "hub", port: 8080,')


def test_without_a_state_there_is_a_whole_build(root):
    """Nobody misses the state, and the whole build leaves a new one."""
    (root / STATE).unlink()
    renumber(root)
    assert build_both(root) == (False, ())
    change(root, "knowledge/b.yaml", "port: 8080,", "port: 8081,")
    assert build_both(root) == (True, ())


@pytest.mark.parametrize("place", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_damaged_state_is_no_state(root, place):
    """Wherever a byte of the state is wrong, the build is that of a cold one."""
    content = bytearray((root / STATE).read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x15
    (root / STATE).write_bytes(content)
    renumber(root)
    build_both(root)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"[]\n", b"null\n\n", b'{"format": 1}\n', b"\xff\xfe\n"])
def test_a_foreign_state_is_no_state(root, content):
    """What is no state at all is passed over."""
    (root / STATE).write_bytes(content)
    renumber(root)
    assert build_both(root) == (False, ())


def test_a_state_of_another_version_is_no_state(root):
    """A state that other code made, or another Python, is passed over."""
    first, _, rest = (root / STATE).read_bytes().partition(b"\n")
    head = json.loads(first)
    head["format"][1] = "0.0.1"
    (root / STATE).write_bytes(json.dumps(head).encode() + b"\n" + rest)
    renumber(root)
    assert build_both(root) == (False, ())


def test_a_truncated_state_is_no_state(root):
    """A state that lacks its end is passed over where that is needed."""
    content = (root / STATE).read_bytes()
    (root / STATE).write_bytes(content[: len(content) // 2])
    renumber(root)
    assert build_both(root) == (False, ())


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
        ("promptforge.yaml", MODELS.replace("5000", "5001")),
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
    (root / "promptforge.yaml").write_text(MODELS + "stale_after: 90d\n")
    forge(root, today=TODAY)
    change(root, "knowledge/b.yaml", "port: 8080,", "port: 8081,")
    assert build_both(root, today=TODAY + datetime.timedelta(days=1)) == (False, ())


def test_another_tokenizer_counts_anew(root, monkeypatch):
    """A tokenizer's file that changed makes a whole build."""
    first, _, rest = (root / STATE).read_bytes().partition(b"\n")
    head = json.loads(first)
    head["tokenizers"] = {str(root / "tokenizer.json"): "0" * 64}
    (root / STATE).write_bytes(json.dumps(head).encode() + b"\n" + rest)
    renumber(root)
    assert build_both(root) == (False, ())


def test_many_edits_are_left_to_a_whole_build(root, monkeypatch):
    """Where more facts or agents are touched than it is worth, the whole is built."""
    monkeypatch.setattr(incremental, "MOST_AGENTS", 1)
    renumber(root)
    assert build_both(root) == (False, ())


# --- errors -----------------------------------------------------------------------------------------------------------

ERRORS = {
    "a form": ("knowledge/b.yaml", '{host: "hub", port: 80,', '{host: "hub", port: 99999,'),
    "a reference": ("knowledge/b.yaml", '{host: "hub", port: 80,', '{host: "huub", port: 80,'),
    "syntax": ("knowledge/b.yaml", '{host: "hub", port: 80,', '{host: "hub" port: 80,'),
    "a key taken twice": ("knowledge/b.yaml", '{host: "hub", port: 80,', '{host: "hub", port: 22,'),
    "a secret": ("knowledge/a.yaml", 'notes: "xxx"', "notes: the alarm PIN is 482913"),
    "what a text names": ("knowledge/a.yaml", '- id: "t1"', '- id: "t1b"'),
    "what an unused text names": ("knowledge/a.yaml", '- name: "nas"\n    site: "barn"', '- name: "nas"'),
    "what a required section shows": (
        "knowledge/a.yaml",
        'site: "barn"\n  - name: "hub"',
        'site: "barn"\n  - name: "hub"',
    ),
}


@pytest.mark.parametrize("kind", [kind for kind in ERRORS if kind != "what a required section shows"])
def test_an_error_is_said_as_a_cold_build_says_it(root, kind):
    """An edit that breaks something gives the diagnostics of a cold build, and nothing is written."""
    before = outputs(root)
    change(root, *ERRORS[kind])
    incrementally, diagnostics = build_both(root)
    assert not incrementally
    assert any(d.severity == "error" for d in diagnostics)
    assert outputs(root) == before


def test_after_an_error_is_mended_a_build_is_incremental_again(root):
    """The state outlives builds that wrote nothing."""
    change(root, *ERRORS["a form"])
    build_both(root)
    change(root, "knowledge/b.yaml", "port: 99999,", "port: 8080,")
    assert build_both(root) == (True, ())


def test_a_warning_is_no_business_of_an_incremental_build(root):
    """What is to be said is said by a whole build, warnings included."""
    change(root, "knowledge/a.yaml", 'kind: "axe"\n    size: 1\n', 'kind: "axe"\n    size: 1\n    sensitivty: public\n')
    incrementally, diagnostics = build_both(root)
    assert (incrementally, [d.code for d in diagnostics]) == (False, ["PF205"])


def test_a_fact_made_private_leaves_the_cloud(root):
    """The cloud's prompt loses it, the local one keeps it, and the files are for the owner alone."""
    change(root, "knowledge/b.yaml", 'port: 80, service: "s 80"}\n  - {host: "nas"', "") if False else None
    change(root, "knowledge/b.yaml", '{host: "hub", port: 80,', '{sensitivity: private, host: "hub", port: 80,')
    assert build_both(root) == (True, ())
    assert (root / WRITTEN[0]).stat().st_mode & 0o077 == 0


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
    """After a kill between the renames the journal is finished, and the bytes are those of a cold build."""
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


def test_the_state_is_for_the_owner_alone(root):
    """It holds every fact, the private ones included."""
    assert (root / STATE).stat().st_mode & 0o777 == 0o600
    renumber(root)
    build_both(root)
    assert (root / STATE).stat().st_mode & 0o777 == 0o600


def test_a_state_that_cannot_be_kept_is_no_loss(root):
    """A folder in its place keeps nobody from building."""
    (root / STATE).unlink()
    (root / STATE).mkdir()
    renumber(root)
    assert build_both(root) == (False, ())
