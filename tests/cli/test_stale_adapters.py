"""A stale adapter is known to be stale: `diff` and `promote` say it, by what the adapter says of itself."""

import json
import os
import sys
from pathlib import Path

import pytest

from nightly import grange
from promptforge.train.record import read_trained
from train.lab_training import hut, left, trained

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and locks of Unix")


def edit(place: Path, before: str, after: str) -> None:
    """Change a file."""
    text = place.read_text()
    assert before in text
    place.write_text(text.replace(before, after))


@pytest.fixture
def root(tmp_path, pf):
    """A project with a build and an adapter."""
    made = hut(tmp_path / "hut")
    assert pf("build", cwd=made).code == 0
    trained(made)
    return made


def told(pf, root):
    return json.loads(pf("diff", "--format", "json", cwd=root).out)["adapters"]


def test_an_adapter_of_today_is_not_mentioned(root, pf):
    """It keeps what its facts said."""
    assert told(pf, root) == []
    (name,) = left(root)
    assert "ports/loft:4533" in read_trained(root / "build/adapters" / name).facts


def test_a_changed_fact_makes_it_stale_although_its_dataset_is_made_anew(root, pf):
    """Its rows are gone; the adapter itself says on what it rests."""
    edit(root / "knowledge/hut.yaml", "codename: Choir", "codename: Chorus")
    assert pf("build", cwd=root).code == 0
    pf("dataset", "build", "hut", cwd=root)
    (one,) = told(pf, root)
    (name,) = left(root)
    assert one == {
        "folder": f"build/adapters/{name}",
        "facts": ["ports/loft:4533"],
        "prompts": ["warden"],
        "weights": [],
        "problem": "",
    }
    why = "its rows rest on ports/loft:4533, which changed since; it was trained with an older prompt of warden"
    assert f"adapters\n  build/adapters/{name}: {why}: train it anew" in pf("diff", cwd=root).out
    assert f"\nAdapters:\n\n- build/adapters/{name}: {why}" in pf("diff", "--format", "markdown", cwd=root).out
    assert pf("diff", "--exit-code", cwd=root).code == 0  # the two sides are the same


def test_other_weights_make_it_stale(root, pf):
    """They are compared where they were written since; a file that was only touched is the same."""
    os.utime(root / "models/tiny/config.json")
    assert told(pf, root) == []
    edit(root / "models/tiny/config.json", "tiny", "other")
    (one,) = told(pf, root)
    assert (one["weights"], one["facts"]) == (["config.json"], [])
    assert "its model's weights are others now (config.json): train it anew" in pf("diff", cwd=root).out


def test_what_cannot_be_told_is_said(root, pf):
    """Of a damaged manifest, of one that an earlier promptforge wrote, and of a model that is gone."""
    (name,) = left(root)
    place = root / "build/adapters" / name / "adapter.json"
    manifest = json.loads(place.read_text())
    place.write_text(json.dumps({key: value for key, value in manifest.items() if key != "facts"}))
    assert "does not say what its facts were: an earlier promptforge trained it" in pf("diff", cwd=root).out
    place.write_text(json.dumps({**manifest, "model": "gone"}))
    assert "whether it is stale cannot be told: its model 'gone' is no longer in promptforge.yaml" in (
        pf("diff", cwd=root).out
    )
    place.write_text("{")
    assert f"build/adapters/{name}/adapter.json cannot be read: " in pf("diff", cwd=root).out


def test_promote_says_it_and_judges_all_the_same(tmp_path, pf):
    """On the way, on the page and for programs; the champion is stale by then, too."""
    root = grange.grange(tmp_path / "grange")
    assert pf("train", "words", cwd=root).code == 0
    edit(root / "knowledge/house.yaml", "codename: Choir", "codename: Chorus")
    outcome = pf("promote", "words", cwd=root)
    assert outcome.code == 0, outcome.err
    why = "its rows rest on ports/loft:4533, which changed since; it was trained with an older prompt of warden"
    assert f"is stale: {why}: train it anew" in outcome.err
    assert f"stale: {why}: train it anew" in outcome.out
    (report,) = (root / "build/reports").glob("promote-*.json")
    assert json.loads(report.read_text())["stale"] == f"{why}: train it anew"
    assert pf("build", cwd=root).code == 0
    folders = [one["folder"] for one in told(pf, root)]
    assert [folder.rpartition("/")[0] for folder in folders] == ["build/adapters", ".promptforge/champions/tiny"]


def test_an_adapter_that_does_not_say_what_it_rests_on_is_named(root, pf):
    """Whatever stands in its adapter.json, `diff` goes on."""
    folder = root / "build/adapters/odd"
    folder.mkdir()
    (folder / "adapters.safetensors").write_bytes(b"")
    (folder / "adapter.json").write_text(json.dumps({"data": "d", "recipe": "odd", "base": "b"}))
    (one,) = (one for one in told(pf, root) if one["folder"] == "build/adapters/odd")
    assert one["problem"] == "its adapter.json does not say what it rests on: model, system, facts, prompts"
