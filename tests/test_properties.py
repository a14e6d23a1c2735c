"""What holds for every project: budget, determinism, sources, clearance, cells, `where`."""

import copy
import csv
import hashlib
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from promptforge.artifact import Entry, committed_lock, prompts_text
from promptforge.cli.main import promptforge
from promptforge.compiler.build import Build, compile_project
from promptforge.lock import lock_text
from promptforge.model import LEVELS, Prompt, Segment
from promptforge.tokens import count_chat, load_tokenizer
from strategies import (
    FACT_EDITS,
    IGNORED,
    KEYS,
    MODELS,
    PLAINS,
    REFS,
    TODAY,
    Plain,
    Spec,
    compiled,
    edits,
    fact_lines,
    facts_of,
    key_of,
    nasty,
    projects,
    tree_of,
    tries,
)


def _texts(prompt: Prompt) -> list[bytes]:
    return [prompt.system.encode(), *(content.encode() for _, content in prompt.messages)]


def _whole(prompt: Prompt) -> str:
    return "\n".join([prompt.system, *(content for _, content in prompt.messages)])


def _count(spec: Spec, entry: Entry, system: str, messages: list[tuple[str, str]]) -> int:
    spec_of = MODELS[entry.model] if entry.model else {}
    tokenizer = load_tokenizer(spec_of.get("tokenizer", "estimate"), root=Path("/nowhere"))
    runtime = {name: about["max_tokens"] for name, about in spec["config"].get("runtime", {}).items()}
    return count_chat(tokenizer, [("system", system), *messages], runtime)


def _usable(build: Build) -> list[Entry]:
    return [] if build.errors else list(build.artifact.entries.values())


# --- the budget -------------------------------------------------------------------------------------------------------


@tries(60)
@given(projects(tight=True))
def test_a_prompt_without_errors_keeps_its_budget(spec: Spec) -> None:
    """Where nothing is an error, the whole chat of every agent, counted anew, is within its budget."""
    for entry in _usable(compiled(spec)):
        prompt = entry.enriched
        assert prompt.tokens == _count(spec, entry, prompt.system, list(prompt.messages))
        assert prompt.tokens <= entry.budget_tokens


def _roomy(spec: Spec) -> Spec:
    """The same project with a budget that cuts nothing."""
    wide = copy.deepcopy(spec)
    wide["config"] |= {"budget": 10**6, "reserve": 0}
    for agent in wide["agents"].values():
        agent.pop("budget", None)
    for model in wide["config"]["models"].values():
        model.pop("context", None)
    return wide


class _Uncut:
    """An agent's prompt before the budget: for each section its heading and its items, from the segments alone."""

    def __init__(self, entry: Entry) -> None:
        self.sections = entry.sections
        self.headings: dict[int, str] = {}
        self.items: dict[int, dict[str, list[tuple[int, str]]]] = {n: {} for n in range(len(entry.sections))}
        texts, before, begun = _texts(entry.enriched), b"", set()
        for segment in entry.enriched.segments:
            text = texts[segment.message][segment.start : segment.end]
            if segment.message == 0:
                if segment.section not in begun:
                    text = text.removeprefix(_gap(before.decode()).encode())
                begun.add(segment.section)
                before += texts[0][segment.start : segment.end]
            if segment.kind == "heading":
                self.headings[segment.section] = text.decode()
            else:
                items = self.items[segment.section]
                items.setdefault(self._name(segment), []).append((segment.message, text.decode()))

    def _name(self, segment: Segment) -> str:
        if segment.kind == "template":
            return f"template:{self.sections[segment.section].name}"
        return segment.facts[0] if segment.facts else "persona"

    def order(self) -> list[tuple[int, str]]:
        """What goes, in the order in which the contract lets it go."""
        return sorted(
            ((n, name) for n, s in enumerate(self.sections) for name in self.items[n] if not s.required),
            key=lambda one: (self.sections[one[0]].priority, -one[0], -list(self.items[one[0]]).index(one[1])),
        )

    def text(self, cuts: list[tuple[int, str]]) -> tuple[str, list[tuple[str, str]]]:
        """The prompt without some items."""
        system, messages = "", []
        for number, items in self.items.items():
            kept = [piece for name, pieces in items.items() if (number, name) not in cuts for piece in pieces]
            run = "".join(text for message, text in kept if message == 0)
            if run:
                system += _gap(system) + self.headings.get(number, "") + run
            said = [text for message, text in kept if message]
            messages += zip(["user", "assistant"] * (len(said) // 2), said, strict=True)
        return system, messages


def _gap(before: str) -> str:
    """What makes one blank line between two sections."""
    return "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"


@tries(80)
@given(projects(tight=True))
def test_the_budget_cuts_in_the_order_of_the_contract(spec: Spec) -> None:
    """Cuts go by priority, later section, last row; an emptied section goes whole; the last thing cut would not fit."""
    build = compiled(spec)
    roomy = compiled(_roomy(spec)).artifact.entries
    for entry in _usable(build):
        uncut = _Uncut(roomy[entry.name])
        cuts = [(cut.section, cut.what) for cut in entry.enriched.cuts if cut.why == "budget"]
        event(f"cuts: {min(len(cuts), 3)}")
        assert cuts == uncut.order()[: len(cuts)]
        assert not any(entry.sections[section].required for section, _ in cuts)
        system, messages = uncut.text(cuts)
        assert (system, tuple(messages)) == (entry.enriched.system, entry.enriched.messages)
        if cuts:
            assert _count(spec, entry, *uncut.text(cuts[:-1])) > entry.budget_tokens


@tries(60)
@given(projects(tight=True))
def test_a_required_part_over_the_budget_is_an_error(spec: Spec) -> None:
    """PF413 is said exactly when the required parts alone do not fit."""
    build = compiled(spec)
    roomy = compiled(_roomy(spec))
    assume(not roomy.errors)
    over = {d.span.file for d in build.errors if d.code == "PF413"}
    for name, entry in build.artifact.entries.items():
        uncut = _Uncut(roomy.artifact.entries[name])
        least = _count(spec, entry, *uncut.text(uncut.order()))
        assert (entry.file in over) == (least > entry.budget_tokens)


# --- the same inputs give the same bytes ------------------------------------------------------------------------------


def _outputs(build: Build) -> str:
    prompts = prompts_text(build.artifact)
    lock = lock_text(build.artifact, output="build/agent_prompts.yaml", prompts=prompts)
    diagnostics = [(d.code, str(d.span), d.message, d.hint) for d in build.diagnostics]
    made = "\0".join([prompts, lock, committed_lock(build.artifact), repr(diagnostics)])
    return hashlib.sha256(made.encode("utf-8", "surrogatepass")).hexdigest()


_AGAIN = f"""
import pickle, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_properties import TODAY, _outputs, compile_project
for tree in pickle.load(sys.stdin.buffer):
    print(_outputs(compile_project(tree, today=TODAY)))
"""


def test_the_same_files_give_the_same_bytes_in_any_process() -> None:
    """Prompts, locks and diagnostics do not depend on the process or on the seed of Python's hashes."""
    trees, here = [], []

    @settings(max_examples=40, database=None)
    @given(projects())
    def collect(spec: Spec) -> None:
        trees.append(tree_of(spec))
        here.append(_outputs(compiled(spec)))
        assert here[-1] == _outputs(compiled(spec))

    collect()
    for seed in ("1", "20261122"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", _AGAIN], input=pickle.dumps(trees), capture_output=True, check=True, env=environment
        )
        assert done.stdout.decode().split() == here


def _save(root: Path, files: Mapping[str, bytes]) -> None:
    """Make the folder hold exactly these files of a project, and leave those that are as they were."""
    for path in [path for path in root.rglob("*") if path.is_file()]:
        name = path.relative_to(root).as_posix()
        if name not in files and not name.startswith(("build/", ".promptforge/", "promptforge.lock")):
            path.unlink()
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


def _built(root: Path) -> list[bytes]:
    places = ["build/agent_prompts.yaml", "build/agent_prompts.lock.json", "promptforge.lock"]
    return [(root / place).read_bytes() if (root / place).exists() else b"" for place in places]


@tries(60)
@given(st.data())
def test_a_build_after_edits_is_the_build_of_a_clean_clone(data: st.DataObject) -> None:
    """Whatever was built before, and whatever was taken from it, `build` writes what a compile from nothing gives."""
    spec = data.draw(projects())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for _ in range(4):
            tree = tree_of(spec)
            _save(root, tree.files)
            before = _built(root)
            done = CliRunner().invoke(promptforge, ["-C", folder, "build"], standalone_mode=False)
            if done.exception:
                raise done.exception
            clean = compile_project(tree, today=TODAY)
            assert done.return_value == bool(clean.errors)
            if clean.errors:
                assert _built(root) == before
            else:
                prompts = prompts_text(clean.artifact)
                lock = lock_text(clean.artifact, output="build/agent_prompts.yaml", prompts=prompts)
                whole = [prompts, lock, committed_lock(clean.artifact)]
                assert _built(root) == [text.encode() for text in whole]
            spec, names = data.draw(edits(spec, only=data.draw(st.sampled_from([FACT_EDITS, None]))))
            event(str(names))


# --- every byte has a source ------------------------------------------------------------------------------------------


def _check_cover(prompt: Prompt) -> None:
    texts = _texts(prompt)
    at = [0] * len(texts)
    last = (0, 0)
    for segment in prompt.segments:
        assert segment.end > segment.start == at[segment.message]
        assert (segment.message, segment.start) >= last
        last = (segment.message, segment.start)
        at[segment.message] = segment.end
        text = texts[segment.message]
        run = text[segment.start : segment.end]
        first = text.count(b"\n", 0, segment.start) + 1
        assert first <= segment.first_line <= segment.last_line
        assert run[: -len(run.lstrip(b"\n")) or None].count(b"\n") >= segment.first_line - first
        assert segment.last_line == first + run.removesuffix(b"\n").count(b"\n")
    assert at == [len(text) for text in texts]


@tries(80)
@given(projects())
def test_every_byte_lies_in_one_segment(spec: Spec) -> None:
    """The segments of every variant cover system and messages once, in order, with the right lines."""
    for entry in compiled(spec).artifact.entries.values():
        for prompt in entry.variants.values():
            _check_cover(prompt)


@tries(80)
@given(projects())
def test_every_row_names_the_line_of_its_fact(spec: Spec) -> None:
    """A row's source is the file and line where its fact starts, and no row is without one."""
    build = compiled(spec)
    starts = fact_lines(spec)
    lines_of = {}
    for table in build.project.tables.values():
        for fact in table.facts:
            assert fact.line == starts[fact.file, fact.table, fact.at]
            lines_of[fact.id] = (fact.file, fact.line)
    for entry in build.artifact.entries.values():
        for segment in entry.enriched.segments:
            assert segment.kind != "row" or lines_of[segment.facts[0]] == (segment.file, segment.line)
            assert all(id_ in lines_of for id_ in segment.facts if re.match(r"[a-z]+/", id_) and segment.kind == "row")


@tries(80)
@given(projects(tight=False), st.sampled_from(["", "\n", "\n\n"]))
def test_every_written_line_is_found_where_its_segment_says(spec: Spec, lead: str) -> None:
    """Each line of a persona, example or template without references stands, letter for letter, on the line named."""
    spec = copy.deepcopy(spec)
    spec["blocks"] = True
    for agent in spec["agents"].values():
        agent["persona"] = lead + agent["persona"]
    for example in [example for examples in spec["fewshot"].values() for example in examples]:
        example["assistant"] = lead + example["assistant"]
    for name in spec["templates"]:
        spec["templates"][name] = lead + spec["templates"][name]
    build = compiled(spec)
    for entry in build.artifact.entries.values():
        texts = _texts(entry.enriched)
        for segment in entry.enriched.segments:
            if segment.kind in ("persona", "example", "template") and segment.step:
                lines = texts[segment.message].decode().split("\n")
                for number in range(segment.first_line, segment.last_line + 1):
                    source = build.source_line(segment.file, segment.line + number - segment.first_line)
                    shown = lines[number - 1]
                    if segment.kind == "example":
                        shown = re.sub(r"^(Q|A): ", "", shown)
                    if source is not None and "{" not in source:
                        assert source.strip() == shown.strip()
                    assert source is not None


# --- values -----------------------------------------------------------------------------------------------------------


def _one_table(facts: list[dict[str, Any]], **section: Any) -> Spec:
    """A project with one table in one agent."""
    agent = {"name": "a", "persona": "P.\n", "sections": ["persona", {"table": "logs", "title": "T", **section}]}
    config = {
        "name": "n",
        "models": {},
        "ignore": dict.fromkeys(IGNORED, "*"),
        "budget": 50000,
        "clearance": {"cloud": "private"},
    }
    knowledge = {"k.yaml": {"logs": facts}}
    parts: Spec = {"fewshot": {}, "templates": {}, "schemas": {}, "flow": True, "blocks": True}
    return parts | {"config": config, "knowledge": knowledge, "agents": {"a.yaml": agent}}


def _rows(spec: Spec) -> list[str]:
    prompt = compiled(spec).artifact.entries["a"].enriched
    text = prompt.system.encode()
    return [text[s.start : s.end].decode() for s in prompt.segments if s.kind == "row"]


def _cells(row: str) -> list[str]:
    """The cells of a row of a Markdown table, as GitHub splits it: a backslash takes the next character along.

    Only before a bar are backslashes doubled: elsewhere a value is printed as it was written.
    """
    cells = re.findall(r"((?:\\.|[^|\\])*)\|", row.strip("\n"), re.DOTALL)
    assert cells[0] == ""
    return [re.sub(r"(\\+)\|", lambda bar: bar[1][: len(bar[1]) // 2] + "|", cell[1:-1]) for cell in cells[1:]]


@pytest.mark.parametrize("written", PLAINS)
@pytest.mark.parametrize("form", ["markdown", "csv", "kv"])
def test_an_unquoted_value_is_printed_as_it_was_written(written: str, form: str) -> None:
    """YAML 1.1 would make a number, a truth or a date of it; here a person reads it back. Only null prints nothing."""
    shown = "" if written == "null" else written
    (row,) = _rows(_one_table([{"first": "k", "v": Plain(written)}], **{"as": form, "columns": ["first", "v"]}))
    wanted = {"markdown": f"| k | {shown} |\n", "csv": f"k,{shown}\n", "kv": f"- first: k, v: {shown}\n"}[form]
    assert row == ("- first: k\n" if form == "kv" and not shown else wanted)


@tries(150)
@given(st.from_regex(r"[-+.~=0-9A-Za-z_:]{1,24}", fullmatch=True))
def test_any_unquoted_word_is_printed_as_it_was_written(written: str) -> None:
    """The same for any word of letters, digits and signs that YAML lets stand without quotes."""
    assume(not re.search(r":$|^[-:]$|^-:|^---|^\.\.\.$", written) and not written.startswith((":", "=")))
    (row,) = _rows(_one_table([{"first": "k", "v": Plain(written)}], columns=["v"]))
    assert row == f"| {'' if written == 'null' else written} |\n"


_characters = st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0\ue000\ue001")
_anything = st.text(_characters, max_size=20)
_pieces = st.sampled_from(["|", "\\", "\\|", "\\\\|", "`", '"', ",", ", ", ": ", "\n", "a", " "])
_wild = st.one_of(
    _anything,
    nasty,
    st.lists(_pieces, max_size=5).map("".join),
    st.text(st.sampled_from("|\\`\"',:#\n\r\t\x0b\x0c\x85\u2028 ab<[/]>-{%}"), max_size=12),
    st.sampled_from(PLAINS).map(Plain),
    st.none(),
    st.lists(_anything, max_size=3),
)


@tries(150)
@given(
    st.lists(st.tuples(_wild, _wild, _wild), min_size=1, max_size=3),
    st.sampled_from(["markdown", "csv", "kv"]),
    st.sampled_from([("first", "a", "b", "c"), ("a",), ("b", "c")]),
)
def test_a_value_never_leaves_its_cell(values: list[Any], form: str, columns: tuple[str, ...]) -> None:
    """Whatever a value holds, its row is one line with one cell for each column; csv reads back as it was."""
    facts = [{"first": f"k{n}", **dict(zip("abc", three, strict=True))} for n, three in enumerate(values)]
    rows = _rows(_one_table(facts, **{"as": form, "columns": list(columns)}))
    assert len(rows) == len(facts)
    for row, fact in zip(rows, facts, strict=True):
        assert row.endswith("\n")
        assert len(row.splitlines()) == 1
        if form == "kv":
            assert row.startswith("- ")
            continue
        cells = _cells(row) if form == "markdown" else next(csv.reader([row]))
        assert len(cells) == len(columns)
        for cell, column in zip(cells, columns, strict=True):
            value = fact[column]
            if isinstance(value, str) and not isinstance(value, Plain) and not re.search(r"[\s\x1c-\x1f<\[`]", value):
                assert cell == value


@tries(60)
@given(st.text(st.sampled_from('|\\`",:#\n\r\x85\u2028 ab{}%é'), min_size=1, max_size=10))
def test_a_name_never_leaves_the_heading(name: str) -> None:
    """A column's name and a title stay on their line, whatever they hold."""
    assume(name.strip())
    spec = _one_table([{"first": "k", name: "v"}], title=name, columns=["first", name])
    assume(name != "first")
    prompt = compiled(spec).artifact.entries["a"].enriched
    heading = next(s for s in prompt.segments if s.kind == "heading")
    lines = prompt.system.encode()[heading.start : heading.end].decode().strip("\n").split("\n")
    assert len(lines) == len("\n".join(lines).splitlines()) == 3
    assert lines[0].startswith("## ")
    assert len(_cells(lines[1])) == 2


_JINJA = ("{{ 1 + 1 }}", "{{ agent.name }}", "{% if x %}", "{# gone #}", "{{ nothing.at.all }}", "{%- set a = 1 -%}")


@tries(60)
@given(projects(), st.sampled_from(_JINJA))
def test_only_texts_with_references_are_rendered(spec: Spec, braces: str) -> None:
    """Braces in a fact, a title, a role or a persona are printed as they stand."""
    spec = copy.deepcopy(spec)
    for agent in spec["agents"].values():
        agent["persona"] = f"I am {braces}.\n"
        table = {"table": "hosts", "title": f"T {braces}", "columns": ["name", "notes"], "required": True}
        agent["sections"] = ["persona", table]
        agent["budget"] = 5000
    for body in spec["knowledge"].values():
        for fact in body["hosts"].values() if isinstance(body.get("hosts"), dict) else body.get("hosts", ()):
            fact.update(notes=f"N {braces}", sensitivity="public")
    build = compiled(spec)
    for entry in build.artifact.entries.values():
        hosts = len(facts_of(spec, "hosts"))
        assert f"I am {braces}." in entry.enriched.system
        assert f"## T {braces}" in entry.enriched.system
        assert entry.enriched.system.count(f"N {braces}") == hosts


# --- clearance --------------------------------------------------------------------------------------------------------


def _marked(spec: Spec) -> tuple[Spec, dict[str, tuple[str, str]]]:
    """The project with a unique word in every value that is no key, reference or form; id to (level, word)."""
    marked = copy.deepcopy(spec)
    marks: dict[str, tuple[str, str]] = {}
    for _, body in sorted(marked["knowledge"].items()):
        body.pop("_defaults", None)
        for table, facts in body.items():
            for at, fact in facts.items() if isinstance(facts, dict) else enumerate(facts):
                whole = {KEYS[table][0]: at, **fact} if isinstance(facts, dict) else fact
                mark = f"mark{len(marks)}x"
                for column in fact:
                    if column in ("role", "os", "service", "codename", "notes", "kind", "alpha", "beta", "country"):
                        fact[column] = mark
                fact["notes"] = mark
                id_ = f"{table}/{key_of(table, {'proto': 'tcp', **whole})}"
                marks[id_] = (str(whole.get("sensitivity", "internal")), mark)
    return marked, marks


@tries(120)
@given(projects(levels=("public", "private"), tight=False, barred=True))
def test_nothing_above_the_clearance_reaches_a_prompt(spec: Spec) -> None:
    """By tables, references, templates, examples, loops, tests or counts: no word of such a fact is ever printed."""
    marked, marks = _marked(spec)
    build = compiled(marked)
    for entry in build.artifact.entries.values():
        whole = _whole(entry.enriched) + _whole(entry.variants["base"])
        tables = [s for s in entry.enriched.segments if s.kind in ("row", "heading")]
        shown = {id_ for segment in tables for id_ in segment.facts}
        for id_, (level, mark) in marks.items():
            if LEVELS[level] > LEVELS[entry.clearance]:
                assert mark not in whole
                assert f"{mark}x" not in whole
                assert id_ not in shown


_SECRETIVE = ("notes", "role", "os", "service", "kind", "alpha", "beta", "country", "colour", "site", "host", "home")


@tries(120)
@given(projects(levels=("internal", "private"), tight=False, barred=True), st.data())
def test_what_is_above_the_clearance_changes_no_byte(spec: Spec, data: st.DataObject) -> None:
    """Whatever the values of a private fact become, an agent that may not see it gets the same prompt, or an error."""
    other = copy.deepcopy(spec)
    changed = False
    for _, body in sorted(other["knowledge"].items()):
        for table, facts in body.items():
            for fact in (facts.values() if isinstance(facts, dict) else facts) if table != "_defaults" else ():
                if fact.get("sensitivity") == "private":
                    for column in [c for c in fact if c in _SECRETIVE and c not in KEYS[table]]:
                        target = REFS.get((table, column))
                        known = [f[KEYS[target][0]] for _, f in facts_of(spec, target)] if target else []
                        fact[column] = data.draw(st.sampled_from(known or ["moss", "oak", 7]))
                        changed = True
    assume(changed)
    before, after = compiled(spec), compiled(other)
    assume(not before.errors and not after.errors)
    for name, entry in before.artifact.entries.items():
        if entry.clearance != "private":
            event("an agent with a lower clearance")
            assert _whole(entry.enriched) == _whole(after.artifact.entries[name].enriched)


_LOOKS = {
    "print": "{{ hosts['mini'].os }}",
    "print by key": "{{ hosts['mini']['os'] }}",
    "print by search": "{{ one('hosts', os='tin').role }}",
    "print through a name": "{% set h = hosts['mini'] %}{{ h.os }}",
    "print in a macro": "{% macro m(h) %}{{ h.os }}{% endmacro %}{{ m(hosts['mini']) }}",
    "print a part": "{{ hosts['mini'].os[0] }}",
    "print a length": "{{ hosts['mini'].os | length }}",
    "test": "{% if hosts['mini'].os %}a{% endif %}",
    "test for none": "{{ hosts['mini'].os is none }}",
    "test for defined": "{{ hosts['mini'].os is defined }}",
    "compare": "{% if hosts['mini'].os == 'tin' %}a{% endif %}",
    "compare facts": "{% if one('hosts', os='tin') == hosts['nas'] %}a{% endif %}",
    "compare facts the other way": "{% if hosts['nas'] != one('hosts', os='tin') %}a{% endif %}",
    "find among facts": "{% if one('hosts', os='tin') in [hosts['nas']] %}a{% endif %}",
    "key of a mapping": "{{ {hosts['nas']: 'a'}.get(one('hosts', os='tin'), 'b') }}",
    "conditional": "{{ 'a' if hosts['mini'].os else 'b' }}",
    "count": "{{ hosts | length }}",
    "test a table": "{% if hosts %}a{% endif %}",
    "loop": "{% for h in hosts %}{{ h.name }}{% endfor %}",
    "loop with a filter": "{% for h in hosts if h.os == 'tin' %}a{% endfor %}",
    "loop and count": "{% for h in hosts %}{{ loop.index }}{% endfor %}",
    "map": "{{ hosts | map(attribute='name') | join(' ') }}",
    "select": "{{ hosts | selectattr('os', 'equalto', 'tin') | list | length }}",
    "reject": "{{ hosts | rejectattr('os') | list | length }}",
    "first": "{{ (hosts | first).name }}",
    "last": "{{ (hosts | last).name }}",
    "sort": "{{ (hosts | sort(attribute='name') | first).name }}",
    "group": "{% for os, all in hosts | groupby('name') %}a{% endfor %}",
    "unique": "{{ [hosts['mini'], hosts['nas']] | unique | list | length }}",
    "minimum": "{{ (hosts | min(attribute='name')).name }}",
    "list": "{{ (hosts | list)[1].name }}",
    "batch": "{{ (hosts | batch(2) | first | first).name }}",
    "unpack": "{% set a, b = hosts %}{{ b.name }}",
    "include": "{% include 'look.j2' %}",
    "import": "{% from 'macro.j2' import look with context %}{{ look() }}",
    "a reference that leads there": "{{ hosts[ports['nas:1'].beside].os }}",
}
"""Ways in which a text may look at a private fact: each of them says something of it."""


def _looking(text: str, *, named: bool) -> Build:
    """A project whose cloud agent is given an example, and whose second one a template, with a text that looks."""
    hosts = {
        "mini": {"os": "tin", "role": "hub", "sensitivity": "private"},
        "nas": {"os": "zinc", "role": "files", "sensitivity": "public"},
    }
    example = {"id": "look", "user": "Well?", "assistant": f"So: {text}"} | ({"agents": ["a"]} if named else {})
    spec: Spec = {
        "config": {"name": "n", "models": MODELS, "ignore": dict.fromkeys(IGNORED, "*")},
        "knowledge": {"k.yaml": {"hosts": hosts, "ports": [{"host": "nas", "port": 1, "beside": "mini"}]}},
        "agents": {
            "a.yaml": {"name": "a", "model": "far", "persona": "P", "sections": ["persona", {"fewshot": 3}]},
            "b.yaml": {"name": "b", "model": "far", "persona": "P", "sections": ["persona", {"template": "t.j2"}]},
            "c.yaml": {"name": "c", "model": "near", "persona": "P", "sections": ["persona", {"fewshot": 3}]},
        },
        "fewshot": {"f.yaml": [example]},
        "templates": {
            "t.j2": f"So: {text}\n",
            "look.j2": "{{ hosts['mini'].os }}",
            "macro.j2": "{% macro look() %}{{ hosts['mini'].os }}{% endmacro %}",
        },
        "schemas": {},
        "flow": True,
        "blocks": True,
    }
    return compiled(spec)


@pytest.mark.parametrize("way", _LOOKS)
def test_every_way_to_look_at_a_private_fact_is_seen(way: str) -> None:
    """An example for all is left out and listed, a named one and a template are errors, and home sees it all."""
    build = _looking(_LOOKS[way], named=False)
    entries = build.artifact.entries
    assert [d.code for d in build.errors] == ["PF501"]
    assert [(cut.what, cut.why) for cut in entries["a"].enriched.cuts] == [("example:look", "clearance")]
    assert "So:" not in _whole(entries["a"].enriched) + _whole(entries["b"].enriched)
    assert "So:" in entries["c"].enriched.system
    build = _looking(_LOOKS[way], named=True)
    assert [d.code for d in build.errors] == ["PF501", "PF501"]
    assert "So:" not in _whole(build.artifact.entries["a"].enriched)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'mini' in hosts }}",
        "{% set h = one('hosts', os='tin') %}a",
        "{{ one('hosts', os='zinc').role }}",
        "{{ ports['nas:1'].beside }}",
    ],
)
def test_a_search_alone_shows_nothing(text: str) -> None:
    """Passing a private fact by in a search, or finding it and looking no further, is no leak."""
    build = _looking(text, named=True)
    assert build.errors == ()
    assert "So:" in build.artifact.entries["a"].enriched.system
    assert "So:" in build.artifact.entries["b"].enriched.system


@pytest.mark.parametrize("wanted", ["manor", ["manor", None], None, {"not": "cave"}, {"not": None}])
@pytest.mark.parametrize("path", ["host.site", "host.site.role", "host"])
def test_what_a_where_leads_through_counts(path: str, wanted: Any) -> None:
    """A row chosen through a private fact is left out and listed; in a required section it is an error."""
    sites = [{"name": "manor", "role": "manor"}, {"name": "cave", "role": "cave"}]
    hosts = [
        {"name": "mini", "site": "manor", "sensitivity": "private"},
        {"name": "nas", "site": "cave", "sensitivity": "private"},
        {"name": "pi", "sensitivity": "private"},
        {"name": "hub", "site": "manor"},
        {"name": "den", "site": "cave"},
        {"name": "bare"},
    ]
    ports = [{"host": host["name"], "port": number} for number, host in enumerate(hosts, 1)]
    section = {"table": "ports", "where": {path: wanted}}
    agent = {"name": "a", "model": "far", "persona": "P", "sections": ["persona", section]}
    spec = _one_table([{"first": "k"}])
    spec["knowledge"]["k.yaml"] |= {"sites": sites, "hosts": hosts, "ports": ports}
    spec["agents"]["a.yaml"] = agent
    spec["config"] |= {"models": MODELS, "clearance": {}}
    build = compiled(spec)
    assert not build.errors
    _check_section(spec, build.artifact.entries["a"], 1, section)
    section["required"] = True
    matching = _naive(spec, section)
    leaks = [fact for fact, passed in matching if any(f.get("sensitivity") == "private" for f in passed)]
    assert len([d for d in compiled(spec).errors if d.code == "PF501"]) == len(leaks)


# --- what a section holds, against a plain reading of the design ------------------------------------------------------


_Record = dict[str, Any]


def _meaning(value: Any) -> Any:
    """What a value that was written without quotes means."""
    if isinstance(value, Plain):
        constants = {"true": True, "false": False, "null": None}
        if value in constants:
            return constants[value]
        return Fraction(value) if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", value) else str(value)
    return value


def _same(one: Any, other: Any, column: str) -> bool:
    return _norm(one, column) == _norm(other, column)


def _norm(value: Any, column: str) -> Any:
    value = _meaning(value)
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if column == "mac":
        return re.sub(r"[:.-]", "", str(value).lower())
    if isinstance(value, str) and re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", value):
        return Fraction(value)
    return Fraction(value) if isinstance(value, int) else value


def _reached(spec: Spec, table: str, fact: _Record, path: list[str]) -> Iterator[tuple[Any, list[_Record]]]:
    """The values at the end of a path, each with the facts that it went through."""
    value = fact.get(path[0])
    if path == ["sensitivity"] and value is None:
        value = "internal"  # the default, which `where` sees
    for one in value if isinstance(value, list) else [value]:
        if len(path) == 1:
            yield one, []
            continue
        target = REFS[table, path[0]]
        there = [f for _, f in facts_of(spec, target) if one is not None and str(f[KEYS[target][0]]) == str(one)]
        if not there:
            yield None, []
        for other in there:
            for end, through in _reached(spec, target, other, path[1:]):
                yield end, [other, *through]


def _naive(spec: Spec, section: dict[str, Any]) -> list[tuple[_Record, list[_Record]]]:
    """The facts that match, each with those that its conditions went through."""
    table, chosen = section["table"], []
    for _, fact in facts_of(spec, table):
        passed: list[_Record] = []
        for name, wanted in section.get("where", {}).items():
            negated = isinstance(wanted, dict)
            allowed = wanted["not"] if negated else wanted
            allowed = allowed if isinstance(allowed, list) else [allowed]
            path = name.split(".")
            reached = list(_reached(spec, table, fact, path))
            passed += [other for _, through in reached for other in through]
            if any(_same(end, one, path[-1]) for end, _ in reached for one in allowed) == negated:
                break
        else:
            chosen.append((fact, passed))
    return chosen


def _columns(table: str, facts: list[dict[str, Any]]) -> list[str]:
    never = {"sensitivity", "verified", "tags"}
    seen = [c for fact in facts for c, value in fact.items() if _meaning(value) is not None]
    columns = [c for c in KEYS[table] if c in seen] + [c for c in dict.fromkeys(seen) if c not in KEYS[table]]
    if table == "ports" and all(fact["proto"] == "tcp" for fact in facts):
        columns.remove("proto")
    return [c for c in columns if c in KEYS[table] or c not in never]


@tries(150)
@given(st.one_of(projects(tight=False), projects(tight=False, levels=("public", "private"), barred=True)))
def test_a_section_holds_what_the_design_says(spec: Spec) -> None:
    """`where`, clearance and default columns agree with a plain reading of design 3.4, row for row."""
    build = compiled(spec)
    assume(not build.errors)
    sources = {agent["name"]: agent for agent in spec["agents"].values()}
    for entry in build.artifact.entries.values():
        sections = sources[entry.name].get("sections", spec["config"].get("sections"))
        for number, section in enumerate(sections or ()):
            if isinstance(section, dict) and "table" in section:
                _check_section(spec, entry, number, section)


def _check_section(spec: Spec, entry: Entry, number: int, section: dict[str, Any]) -> None:
    own = [s for s in entry.enriched.segments if s.section == number]
    matching = _naive(spec, section)
    table = section["table"]

    def visible(one: tuple[_Record, list[_Record]]) -> bool:
        levels = [str(f.get("sensitivity", "internal")) for f in (one[0], *one[1])]
        return all(LEVELS[level] <= LEVELS[entry.clearance] for level in levels)

    shown = [fact for fact, passed in matching if visible((fact, passed))]
    withheld = [fact for fact, passed in matching if not visible((fact, passed))]
    assert [s.facts[0] for s in own if s.kind == "row"] == [f"{table}/{key_of(table, f)}" for f in shown]
    cuts = [cut.what for cut in entry.enriched.cuts if cut.section == number]
    assert cuts == [f"{table}/{key_of(table, f)}" for f in withheld]
    assert entry.enriched.filtered.get(number, 0) == len(facts_of(spec, table)) - len(matching)
    if shown and "columns" not in section:
        _check_columns(entry, own, _columns(table, shown), section.get("as") or _form(spec, entry))


def _form(spec: Spec, entry: Entry) -> str:
    agent = next(agent for agent in spec["agents"].values() if agent["name"] == entry.name)
    return agent.get("table", spec["config"].get("table", "markdown"))


def _check_columns(entry: Entry, own: list[Segment], columns: list[str], form: str) -> None:
    heading = entry.enriched.system.encode()[own[0].start : own[0].end].decode()
    lines = heading.strip("\n").split("\n")
    names = [" ".join(column.split()) if "\n" in column else column for column in columns]
    if form == "kv":
        assert len(lines) == 1
    else:
        assert (_cells(lines[1]) if form == "markdown" else next(csv.reader([lines[1]]))) == names


@tries(100)
@given(st.one_of(projects(tight=False), projects(tight=False, levels=("public", "private"), barred=True)))
def test_the_first_examples_with_a_tag_are_taken(spec: Spec) -> None:
    """`fewshot: N` takes the first N for this agent with any of its tags; one that is withheld is listed instead."""
    build = compiled(spec)
    assume(not build.errors)
    sources = {agent["name"]: agent for agent in spec["agents"].values()}
    for entry in build.artifact.entries.values():
        default = ["persona", *({"table": s.name} for s in entry.sections if s.kind == "table"), {"fewshot": 3}]
        sections = sources[entry.name].get("sections", spec["config"].get("sections", default))
        for number, section in enumerate(sections):
            if isinstance(section, dict) and "fewshot" in section:
                _check_examples(spec, entry, number, section)


def _check_examples(spec: Spec, entry: Entry, number: int, section: dict[str, Any]) -> None:
    examples = [example for _, file in sorted(spec["fewshot"].items()) for example in file]
    meant = [e for e in examples if entry.name in e.get("agents", [entry.name]) and _tagged(e, section)]
    own = [s for s in entry.enriched.segments if s.section == number and s.kind == "example"]
    shown = list(dict.fromkeys(s.facts[0].removeprefix("example:") for s in own))
    withheld = [c.what.removeprefix("example:") for c in entry.enriched.cuts if c.section == number]
    event(f"shown {len(shown)}, withheld {len(withheld)}")
    assert all((s.message > 0) == (section.get("as") == "messages") for s in own)
    assert not any("agents" in e for e in examples if e["id"] in withheld)
    assert all(c.why == "clearance" for c in entry.enriched.cuts if c.section == number)
    taken = []
    for example in meant:
        if len(taken) == section["fewshot"]:
            break
        assert (example["id"] in shown) != (example["id"] in withheld)
        taken += [example["id"]] if example["id"] in shown else []
    assert shown == taken


def _tagged(example: dict[str, Any], section: dict[str, Any]) -> bool:
    return "tags" not in section or bool(set(section["tags"]) & set(example.get("tags", ())))
