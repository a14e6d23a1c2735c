"""The suite of the example house: broad enough, answerable by whom it asks, and never stale."""

import datetime
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptforge.artifact import Entry
from promptforge.bench.cases import Case
from promptforge.bench.values import identifiers, mentions
from promptforge.compiler.build import Build, compile_project
from promptforge.files import read_folder
from promptforge.model import written
from promptforge.workbench.suites import Suites, load_suites

ROOT = Path(__file__).parents[1]
FILE = "suites/carmack-v2.yaml"
CATEGORIES = (
    "satellite",
    "topology",
    "home_automation",
    "correlation",
    "operations",
    "tool_precision",
    "family",
    "jailbreak",
)
IDENTIFIERS = ("port", "mac", "ip", "tailscale", "network", "entity")
"""The kinds of columns whose values move, and so must never be written into an expectation."""
REFERENCE = re.compile(r"\{\{.*?\}\}", re.DOTALL)


@pytest.fixture(scope="module")
def build() -> Build:
    """The example house, compiled."""
    return compile_project(read_folder(ROOT), today=datetime.date(2026, 11, 20))


@pytest.fixture(scope="module")
def loaded(build: Build) -> Suites:
    """Its suites."""
    return load_suites(build)


@pytest.fixture(scope="module")
def cases(loaded: Suites) -> list[Case]:
    """The written cases."""
    return [case for case in loaded.suites["carmack-v2"].cases if not case.generated]


@pytest.fixture(scope="module")
def raw(build: Build) -> list[dict[str, Any]]:
    """The written cases as they stand in the file, references not filled in."""
    from promptforge.yamlio import parse

    document, _ = parse(FILE, build.tree.files[FILE])
    assert document
    return document.data["cases"]


def texts_of(value: Any) -> Iterator[str]:
    """Every text in plain data."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)
    else:
        yield written(value)


def is_attack(case: Case) -> bool:
    """Whether the case tries to talk an agent into something."""
    return case.id.startswith("jailbreak-")


def has(case: Case, kind: str) -> bool:
    """Whether the case has a check or veto of this kind."""
    return any(check.kind == kind for check in case.checks)


# ---- How many, and of what -------------------------------------------------------------------------------------------


def test_the_suite_is_fine(loaded):
    """Nothing is to be said of it, not even a warning."""
    assert loaded.diagnostics == ()


def test_the_tiers_are_filled(cases):
    """Forty gold cases, at least 45 extended and 24 held out, and every category is in each tier."""
    tiers = Counter(case.tier for case in cases)
    assert tiers["gold"] == 40
    assert tiers["extended"] >= 45
    assert tiers["heldout"] >= 24
    assert {(case.category, case.tier) for case in cases} == {(c, t) for c in CATEGORIES for t in tiers}


def test_the_categories_are_filled(loaded, cases):
    """The founder's eight categories, at least twelve cases each, five of them gold."""
    assert loaded.suites["carmack-v2"].categories == CATEGORIES
    assert min(Counter(case.category for case in cases).values()) >= 12
    assert Counter(case.category for case in cases if case.tier == "gold") == dict.fromkeys(CATEGORIES, 5)


def test_attacks_have_their_look_alikes(cases):
    """At least fourteen attacks, and at least as many honest questions that must not be refused."""
    attacks = [case for case in cases if is_attack(case)]
    look_alikes = [case for case in cases if has(case, "answer")]
    assert len(attacks) >= 14
    assert len(look_alikes) >= len(attacks)
    assert not any(is_attack(case) for case in look_alikes)
    assert sum(case.category == "jailbreak" for case in look_alikes) >= 14
    for case in attacks:
        assert has(case, "refuse") or has(case, "abstain") or has(case, "none"), case.id


def test_every_kind_of_check_is_used(cases):
    """The example suite shows the format, so that each check and veto can be copied from it."""
    used = {check.kind for case in cases for check in case.checks}
    checks = {"all", "any", "equals", "regex", "order", "abstain", "refuse", "tool", "json"}
    assert used == checks | {"none", "only", "answer"}
    assert any(len(case.messages) > 1 for case in cases)
    assert any(case.vars for case in cases)


# ---- Never stale -----------------------------------------------------------------------------------------------------


def test_expectations_name_facts_by_reference(build, raw):
    """No port, MAC, address or entity id stands in an expectation, only a reference to the fact that has it."""
    moving = [
        (written(value), kind)
        for table in build.project.tables.values()
        for fact in table.facts
        for column, value in fact.values.items()
        if (kind := table.kind(column)) in IDENTIFIERS
    ]
    for entry in raw:
        for text in texts_of(entry["expect"]):
            literal = REFERENCE.sub(" ", text)
            assert not {one.kind for one in identifiers(literal)} & {"mac", "ip", "network", "entity"}, entry["id"]
            assert not [value for value, kind in moving if mentions(literal, value, kind)], entry["id"]


def test_questions_name_facts_by_reference(build, raw):
    """What a question prints of a fact moves with it, too; a MAC written out belongs to nothing in the house."""
    macs = {value for table in build.project.tables.values() for value in _values(table, "mac")}
    for entry in raw:
        for text in texts_of([entry.get("ask", ""), entry.get("messages", [])]):
            literal = REFERENCE.sub(" ", text)
            assert not [mac for mac in macs if mentions(literal, mac, "mac")], entry["id"]
            assert not [one for one in identifiers(literal) if one.kind == "ip"], entry["id"]


def _values(table: Any, kind: str) -> Iterator[str]:
    for fact in table.facts:
        yield from (written(value) for column, value in fact.values.items() if table.kind(column) == kind)


def test_no_reference_goes_through_a_number(build):
    """Ports are found by codename: a key holds the number, and breaks when the port moves."""
    source = build.tree.files[FILE].decode()
    assert "ports['" not in source
    assert 'ports["' not in source


UNKNOWN = {
    "satellite-hot-tub": "hot tub",
    "topology-nothing-on-three-thousand-and-one": "3001",
    "topology-no-such-host": "dagobah",
    "home-no-pool": "pool",
    "correlation-stranger-of-the-night": "00:00:5E:00:53:C4",
    "operations-no-runbook-for-that": "flood",
    "family-birthday": "birthday",
}
"""Cases whose right answer is "I don't know", with what must stay unknown."""


@pytest.mark.parametrize(("id_", "thing"), UNKNOWN.items())
def test_what_is_asked_as_unknown_is_in_no_prompt(build, cases, id_, thing):
    """A case that expects "I don't know" is right only as long as nobody was told."""
    case = next(case for case in cases if case.id == id_)
    assert has(case, "abstain")
    for agent in case.agents:
        assert thing.lower() not in build.artifact.entries[agent].enriched.system.lower()


def test_there_is_no_light_in_the_attic(build):
    """The house has no light there, and something else."""
    entities = [fact.values for fact in build.project.tables["entities"].facts if fact.values.get("area") == "Attic"]
    assert entities
    assert not [entity for entity in entities if entity["kind"] == "light"]


# ---- Evidence --------------------------------------------------------------------------------------------------------


def test_cases_rest_on_many_facts(cases):
    """At least eighty facts are expected somewhere, and none by more than three cases: clusters cost power."""
    by_fact = defaultdict(set)
    for case in cases:
        for place in case.expects:
            by_fact[place.fact].add(case.id)
    assert len(by_fact) >= 80
    assert max(map(len, by_fact.values())) <= 3


def test_only_a_reasoned_case_is_given_away(loaded, cases):
    """What a worked example gives away says why it counts all the same, and there are at most two such cases."""
    ids = {case.id for case in cases}
    away = ids & set(loaded.given_away["carmack-v2"])
    assert away == {case.id for case in cases if case.shown}
    assert 1 <= len(away) <= 2


def test_who_is_asked_was_told(build, cases):
    """Each agent that a case names has every expected value in its prompt, in a line that rests on the fact."""
    for case in cases:
        for name in case.agents:
            for place in case.expects:
                table, _, key = place.fact.partition("/")
                value = build.project.tables[table].by_key[key].values[place.column]
                parts = [written(one).lower() for one in (value if isinstance(value, list) else [value])]
                lines = list(_lines(build.artifact.entries[name], place.fact))
                assert any(part in line for line in lines for part in parts), (case.id, name, place)


def _lines(entry: Entry, fact: str) -> Iterator[str]:
    messages = [entry.enriched.system.encode(), *(text.encode() for _, text in entry.enriched.messages)]
    for segment in entry.enriched.segments:
        if fact in segment.facts:
            yield messages[segment.message][segment.start : segment.end].decode().lower()


def test_the_cloud_is_asked_nothing_private(build, cases):
    """A question that shows a private fact, or an answer that needs one, is for agents inside the house."""
    facts = build.artifact.facts
    for case in cases:
        private = [fact for fact, level in case.shows if level == "private"]
        private += [place.fact for place in case.expects if facts[place.fact].level == "private"]
        if private:
            assert {build.artifact.entries[agent].clearance for agent in case.agents} == {"private"}, case.id


def test_a_right_answer_breaks_no_veto(cases):
    """No case forbids a value that it expects."""
    for case in cases:
        expected = [(value, check.kind) for check in case.checks if not check.veto for value in check.values]
        for check in case.checks:
            for veto, form in zip(check.values, check.forms, strict=False) if check.kind == "none" else ():
                assert not [value for value, _ in expected if mentions(value, veto, form)], case.id


def test_calls_can_be_made_as_expected(cases):
    """A case that expects a call names all that the tool requires, and nothing that it does not have."""
    for case in cases:
        tools = {tool["name"]: tool["parameters"] for tool in case.tools}
        for check in case.checks:
            if check.kind == "tool":
                schema = tools[check.data["name"]]
                assert set(schema["required"]) <= set(check.data["arguments"]) <= set(schema["properties"]), case.id


def test_generated_cases_go_forward_and_back(loaded):
    """Ports both ways, entities and hosts: from every entry come cases, and none is over its limit."""
    made = Counter(
        (place.fact.partition("/")[0], place.column)
        for case in loaded.suites["carmack-v2"].cases
        if case.generated
        for place in case.expects
    )
    assert set(made) == {
        ("ports", "codename"),
        ("ports", "port"),
        ("entities", "entity_id"),
        ("hosts", "tailscale_ip"),
    }
    assert min(made.values()) >= 5
    assert max(made.values()) <= 32


def test_the_file_reads_well(build):
    """No line is over 120 characters, and ids are kebab-case."""
    source = build.tree.files[FILE].decode()
    assert max(map(len, source.splitlines())) <= 120
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", id_) for id_ in re.findall(r"^  - id: (\S+)", source, re.MULTILINE))
