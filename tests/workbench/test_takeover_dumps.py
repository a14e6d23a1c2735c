"""Every dump that a reader reads is taken over: nothing breaks, the second time nothing is new, and drift is none."""

import json
import runpy
from pathlib import Path

import pytest

from promptforge.console.sources import (
    drift_github,
    drift_json,
    drift_markdown,
    drift_text,
    import_json,
    import_text,
)
from promptforge.console.terminal import Painter
from promptforge.sources.base import SourceError
from promptforge.workbench.drift import find_drift
from promptforge.workbench.takeover import Wishes, take_over
from sightings import TODAY, build_house

DUMPS = runpy.run_path(str(Path(__file__).parents[1] / "sources" / "test_cases.py"))
EMPTY = {"promptforge.yaml": "name: new\n", "agents/windu.yaml": "name: windu\npersona: You are Windu.\n"}


@pytest.mark.parametrize("settled", [True, False], ids=["house", "empty"])
@pytest.mark.parametrize("case", DUMPS["CASES"], ids=lambda case: case.name)
def test_a_dump_is_taken_over(tmp_path, case, settled):
    """Into a house that has facts, and into one that has none."""
    try:
        observation = DUMPS["read"](case)
    except SourceError:
        return
    if settled:
        build_house(tmp_path)
    for name, text in () if settled else EMPTY.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    made = take_over(tmp_path, observation, Wishes(), today=TODAY)
    assert not made.problems
    again = take_over(tmp_path, observation, Wishes(), today=TODAY)
    assert (again.files, again.added) == ({}, ())
    drift = find_drift(tmp_path, [observation], today=TODAY)
    assert {one.key for one in drift.findings if one.kind == "missing"} == {one.seen.key for one in made.waiting}
    paint = Painter(colour=False)
    for text in (import_text(made, paint, dry_run=False), drift_text(drift, paint), drift_markdown(drift)):
        assert text
        assert text.isprintable() or set(text) - {"\n", "\u200b"} == {c for c in text if c.isprintable()}
    assert all(line.startswith("::") for line in drift_github(drift).splitlines())
    assert json.loads(json.dumps([import_json(made, dry_run=True), drift_json(drift)]))[0]["version"] == 1
