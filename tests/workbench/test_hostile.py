"""A dump in which every name is an attack: what of it reaches a prompt."""

import json

import pytest

from injections import BREAKING, HIDDEN, IN_OTHER_WORDS, MARKERS_OF_ALL_FAMILIES
from promptforge.compiler.load import read_project
from promptforge.compiler.scan import scan
from promptforge.sources.all import SOURCES
from promptforge.workbench.check import check
from promptforge.workbench.takeover import Wishes, take_over
from sightings import TODAY, build_house

ATTACKS = [*HIDDEN, *IN_OTHER_WORDS, *(f"TV {marker} x" for marker in MARKERS_OF_ALL_FAMILIES), *BREAKING]


def mac(number):
    return f"00:00:5e:01:{number // 256:02x}:{number % 256:02x}"


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """A house with an agent who is told of all devices, and every attack imported as the name of a phone."""
    root = build_house(
        tmp_path_factory.mktemp("hostile"),
        agents__qui_yaml="name: qui\npersona: You are Qui.\nbudget: 90000\nsections: [persona, {table: devices}]\n",
    )
    rows = [{"mac": mac(n), "hostname": name, "is_wired": False} for n, name in enumerate(ATTACKS)]
    (root / "sta.json").write_text(json.dumps({"meta": {"rc": "ok"}, "data": rows}))
    made = take_over(root, SOURCES["leases"].read([root / "sta.json"], options={}), Wishes(), today=TODAY)
    assert made.written
    return root, made


def test_every_phone_is_there_and_none_speaks(taken):
    """Each is a row of its own with as many cells as the head; nothing in the prompt instructs, hides or marks."""
    _, made = taken
    assert made.after is not None
    prompt = made.after.build.artifact.entries["qui"].enriched.system
    rows = [line for line in prompt.splitlines() if line.startswith("| ")]
    assert len({row.count("|") for row in rows}) == 1
    assert [number for number in range(len(ATTACKS)) if f"| {mac(number)} |" not in prompt] == []
    assert len(rows) == 1 + 2 + len(ATTACKS)
    assert [f for f in scan(prompt) if f.code in ("PF520", "PF521", "PF522")] == []
    for name in (*HIDDEN, *IN_OTHER_WORDS):
        assert name not in prompt


def test_each_that_was_changed_says_so_in_its_line(taken):
    """And check repeats it, for each of them once; no comment of theirs allows anything."""
    root, made = taken
    cleaned = {one.match.seen.key for one in made.added if one.match.seen.cleaned}
    assert len(cleaned) >= len(HIDDEN) + len(IN_OTHER_WORDS) + len(MARKERS_OF_ALL_FAMILIES)
    found = check(read_project(root), today=TODAY).diagnostics
    assert len([one for one in found if one.code == "PF523"]) == len(cleaned)
    assert {one.code for one in found} <= {"PF523", "PF331", "PF330"}
