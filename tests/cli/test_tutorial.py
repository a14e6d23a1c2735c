"""The tutorial without dumps is about what `init` makes: typed through, it says what happens."""

import re
from pathlib import Path

import pytest

TUTORIAL = (Path(__file__).parents[2] / "docs/tutorial-council.md").read_text(encoding="utf-8")


@pytest.fixture
def typed(pf, house):
    """The house that the tutorial begins with."""
    for path in house.files():
        (house / path).unlink()
    assert pf("init", ".").code == 0
    assert pf("build").code == 0
    return house


def test_every_line_that_it_quotes_is_there(typed):
    """What is shown of a file stands in a file that `init` made."""
    made = "\n".join(content.decode() for path, content in typed.files().items() if path.endswith(".yaml"))
    quoted = [line.strip() for line in re.findall(r"^    (?!promptforge |cd )(.+)$", TUTORIAL, re.M)]
    assert len(quoted) == 3
    assert [line for line in quoted if line not in made] == []


def test_a_misspelt_host_is_found(pf, typed):
    """The second step."""
    typed.edit(
        "knowledge/house.yaml", ("host: attic, port: 445, codename: Cellar", "host: atic, port: 445, codename: Cellar")
    )
    outcome = pf("check")
    assert outcome.code == 1
    assert "no 'atic' in hosts" in outcome.out


def test_a_line_is_explained(pf, typed):
    """The third step: the line is one of the prompt."""
    assert "promptforge explain steward:12\n" in TUTORIAL
    assert pf("explain", "steward:12").code == 0


def test_a_changed_fact_touches_and_a_renamed_one_breaks(pf, typed):
    """The fourth step."""
    typed.edit("knowledge/house.yaml", ("port: 8123, codename: Switchboard", "port: 8124, codename: Switchboard"))
    assert "port 8123 → 8124" in pf("diff").out
    typed.edit("knowledge/house.yaml", ("codename: Oracle", "codename: Sage"))
    assert "\nbreaks\n  fewshot/house.yaml:" in pf("diff").out
    typed.edit("knowledge/house.yaml", ("codename: Sage", "codename: Oracle"))
    assert pf("build").code == 0
    assert pf("build", "--check").code == 0


def test_a_secret_is_kept(pf, typed):
    """The fifth step: left out of the cloud, and an error where it is required."""
    assert re.search(r"^steward .*1 above its clearance$", pf("build").out, re.M)
    typed.edit("agents/steward.yaml", ("columns: [name, owner]", "columns: [name, owner], required: true"))
    outcome = pf("build")
    assert outcome.code == 1
    assert "devices 'Emil's phone' is private, but reaches agent 'steward'" in outcome.err


def test_the_reader_is_asked_for_nothing(pf, typed):
    """The sixth step, and the page of the run."""
    assert "answers can be found in the prompt" in pf("bench", "--model", "reader").out
    assert pf("report").code == 0
