"""What `build --watch` prints of a save, beside what it printed before. The watching itself: test_build.py."""

import datetime

import pytest

from promptforge.console.terminal import Painter
from promptforge.console.watching import Saves
from promptforge.workbench.forge import forge

TODAY = datetime.date(2026, 11, 22)
AT = datetime.datetime(2026, 11, 22, 9, 5, 7)
PLAIN = Painter(colour=False)


@pytest.fixture
def save(house):
    """Build after an edit, and say what the terminal adds."""
    shown = Saves()

    def run(*edits):
        if edits:
            house.edit("knowledge/house.yaml", *edits)
        report, made = forge(house.root, today=TODAY)
        failed = bool(made.errors)
        text = "" if shown.whole or failed else shown.text(report, PLAIN)
        said = shown.mended(PLAIN), [one.code for one in shown.news(report.diagnostics)], text
        shown.built(report, failed=failed)
        return said

    return run


def test_the_head_names_time_and_files():
    """Of many files the first four."""
    assert Saves().head(["knowledge/a.yaml", "promptforge.yaml"], AT, PLAIN) == (
        "09:05:07  knowledge/a.yaml, promptforge.yaml"
    )
    assert Saves().head(list("abcdef"), AT, PLAIN) == "09:05:07  a, b, c, d and 2 more"


def test_the_first_build_without_errors_is_the_whole_one(save):
    """A project that is broken when the watching begins still gets its table; that it is mended is said, too."""
    assert save(("port: 445", "port: 99999"))[1] == ["PF310"]
    assert save(("port: 99999", "port: 445")) == ("mended: fine again", [], "")
    mended, _, text = save(("port: 1337", "port: 1437"))
    assert mended == ""
    assert text.startswith("  windu  135  of 1,000  ±0\nchanged: 1 fact, 1 of 2 prompts, ~")


def test_a_save_that_changes_no_prompt_says_so(save, house):
    """Nothing at all, or a fact that is in none."""
    save()
    assert save()[2] == "nothing changed: build/agent_prompts.yaml is up to date"
    house.write("knowledge/more.yaml", "devices:\n  - {name: Mara's watch, kind: watch, sensitivity: private}\n")
    said = "no prompt changed (1 fact that no prompt holds); wrote build/agent_prompts.lock.json"
    assert save()[2] == said


def test_a_warning_is_said_once(save, house):
    """The next save only counts it, also where its line moved."""
    house.edit("promptforge.yaml", ("budget: ", "stale_after: 1d\nbudget: "))
    save()
    house.write("knowledge/old.yaml", "hosts:\n  old: {role: spare, verified: 2020-01-01}\n")
    _, news, text = save()
    assert news == ["PF332"]
    assert "as before" not in text
    house.write("knowledge/old.yaml", "# moved\nhosts:\n  old: {role: spare, verified: 2020-01-01}\n")
    _, news, text = save()
    assert news == []
    assert text.endswith("; 1 warning as before")
