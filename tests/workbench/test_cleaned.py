"""The mark that an import leaves beside a text that it cleaned: where it stands, and that it is only a comment."""

import pytest

from promptforge.compiler.load import read_project
from promptforge.workbench.check import check
from promptforge.workbench.takeover import Wishes, take_over
from promptforge.workbench.yamledit import Row, Sheet
from sightings import TODAY, build_house, device, entity, observed, port


@pytest.fixture
def house(tmp_path):
    return build_house(tmp_path)


def taken(root, *facts, source="leases", **wishes):
    return take_over(root, observed(*facts, source=source), Wishes(**wishes), today=TODAY)


def notes(root):
    return [d.message for d in check(read_project(root), today=TODAY).diagnostics if d.code == "PF523"]


def test_a_new_fact_says_what_was_cleaned_and_check_repeats_it_until_the_comment_is_gone(house):
    """In the file, for whoever has only a clone; a second import of the same dump leaves no second mark."""
    lobby = device("Lobby TV", "00:00:5e:00:53:50", cleaned=("name: 1 chat marker", "name: 2 signs replaced"))
    assert taken(house, lobby).written
    path = house / "knowledge/house.yaml"
    assert (
        '  - {name: Lobby TV, mac: 00:00:5e:00:53:50, verified: "2026-11-22"}'
        "  # promptforge: cleaned name (1 chat marker; 2 signs replaced) from leases\n"
    ) in path.read_text()
    said = "devices 'Lobby TV' was cleaned when it was imported: name (1 chat marker; 2 signs replaced) from leases"
    assert notes(house) == [said]
    assert not taken(house, lobby).written
    path.write_text(path.read_text().replace("- {name: Lobby TV,", "- {name: TV of the lobby,"))
    assert notes(house) == [said.replace("Lobby TV", "TV of the lobby")]
    path.write_text(path.read_text().partition("  # promptforge: cleaned")[0] + "\n")
    assert notes(house) == []


def test_a_value_that_is_taken_brings_its_mark_and_not_that_of_others(house):
    """Of what the source says only the column that was taken counts."""
    renamed = entity("lock.front", "Main Door", cleaned=("name: 1 line break", "area: 1 chat marker"))
    assert taken(house, renamed, source="homeassistant", accept=("all",)).written
    text = (house / "knowledge/entities.yaml").read_text()
    assert [line for line in text.splitlines() if "promptforge: cleaned" in line] == [
        line for line in text.splitlines() if "Main Door" in line
    ]
    assert text.count("# promptforge: cleaned name (1 line break) from homeassistant\n") == 1


def test_a_prompt_never_holds_it(house):
    """It is a comment: the agents read the fact alone."""
    made = taken(house, port("mini", 99, guesses={"service": "vault/x"}, cleaned=("service: 1 sign replaced",)))
    assert made.after is not None
    prompts = [e.enriched.system for e in made.after.build.artifact.entries.values()]
    assert any("vault/x" in prompt for prompt in prompts)
    assert not any("cleaned" in prompt for prompt in prompts)


MARK = "# promptforge: cleaned x (1 line break) from leases"
NEW = [Row("b", {"x": 2}, MARK), Row("c", {"x": 3})]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"t:\n  - {{x: 2}}  {MARK}\n  - {{x: 3}}\n"),
        ("t:\n  - {x: 1}   # one", f"t:\n  - {{x: 1}}   # one\n  - {{x: 2}}  {MARK}\n  - {{x: 3}}"),
        ("t:\n- x: 1\n  y: 1\n", f"t:\n- x: 1\n  y: 1\n- x: 2  {MARK}\n- x: 3\n"),
        ("t:\r\n  - {x: 1}\r\n", f"t:\r\n  - {{x: 1}}\r\n  - {{x: 2}}  {MARK}\r\n  - {{x: 3}}\r\n"),
        ("t:\n  a: {x: 1}\n", f"t:\n  a: {{x: 1}}\n  b: {{x: 2}}  {MARK}\n  c: {{x: 3}}\n"),
        ("t:\n  a:\n    x: 1\n", f"t:\n  a:\n    x: 1\n  b:  {MARK}\n    x: 2\n  c:\n    x: 3\n"),
        ("t: [{x: 1}]  # all\n", f"t: [{{x: 1}}, {{x: 2}}, {{x: 3}}]  # all  {MARK}\n"),
        ("t: [{x: 1},\n  {x: 9}]\nu: []\n", f"t: [{{x: 1}},\n  {{x: 9}}, {{x: 2}}, {{x: 3}}]  {MARK}\nu: []\n"),
    ],
)
def test_where_the_mark_of_a_new_fact_stands(text, expected):
    """At the end of its line, or where one line holds all facts, of that line; behind other comments."""
    sheet = Sheet("knowledge/x.yaml", text.encode())
    sheet.add("t", NEW)
    assert sheet.content().decode() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t:\n  - {x: 1}  # one\n", f"t:\n  - {{x: 2, k: 5}}  # one  {MARK}\n"),
        ("t:\n  - x: 1\n    z: 1\n", f"t:\n  - x: 2  {MARK}\n    z: 1\n    k: 5\n"),
        ("t:\n  - x: 1\n", f"t:\n  - x: 2  {MARK}\n    k: 5\n"),
        ("t:\n  - x:\n", f"t:\n  - x: 2  {MARK}\n    k: 5\n"),
        ("t:\n  - {z: 3,\n     x: 1}\nu:\n", f"t:\n  - {{z: 3,\n     x: 2, k: 5}}  {MARK}\nu:\n"),
        ("t:\n  - z: |\n      a\n      b\n    x: 1\n", f"t:\n  - z: |\n      a\n      b\n    x: 2  {MARK}\n    k: 5\n"),
    ],
)
def test_where_the_mark_of_a_changed_fact_stands(text, expected):
    """At the end of a line of the fact that holds a whole value, before what is added below it."""
    sheet = Sheet("knowledge/x.yaml", text.encode())
    sheet.change("t", 0, {"x": 2, "k": 5}, remark=MARK)
    assert sheet.content().decode() == expected
