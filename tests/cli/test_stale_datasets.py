"""`diff` and `explain` reach the data: a dataset is stale until it is made again, whatever was built since."""

import json
import re

import pytest

RECIPE = """
recipe: hut
agents: [windu, yoda]
model: local
system: SYSTEM
rows: 40
mix: {identity: 0.2, infrastructure: 0.8}
max_share_per_fact: 0.5
trainer: {kind: mlx_lm, batch_size: 2}
"""
PORT = ("port: 8123", "port: 8124")
FOLDER = "build/datasets/hut"


@pytest.fixture
def trained(house, pf):
    """The house with a build and a dataset of base prompts, which change with the persona alone."""
    house.write("training/hut.yaml", RECIPE.replace("SYSTEM", "base"))
    assert pf("build").code == 0
    made_again(pf)
    return house


def made_again(pf) -> None:
    """The audit says no to a set without jailbreak and replay rows; it is written all the same."""
    assert f"wrote {FOLDER}\n" in pf("dataset", "build", "hut").out


def told(pf) -> list[dict]:
    return json.loads(pf("diff", "--format", "json").out)["datasets"]


def test_a_dataset_of_today_is_not_mentioned(pf, trained):
    """Nor is one of which only the day of a look changed, or a column that is empty."""
    assert told(pf) == []
    trained.edit("knowledge/house.yaml", ("service: Files}", "service: Files, verified: 2026-11-20}"))
    assert told(pf) == []


def test_rows_on_a_changed_fact_stay_stale_after_a_build(pf, trained):
    """They are named with their fact, before and after the build, until the dataset is made again."""
    trained.edit("knowledge/house.yaml", ("codename: Default", "codename: Usual"))
    (before,) = told(pf)
    assert pf("build").code == 0
    (after,) = told(pf)
    assert before == after
    assert (after["folder"], after["facts"], after["prompts"]) == (FOLDER, ["ports/mini:8123"], {})
    index = json.loads((trained / FOLDER / "facts.json").read_bytes())
    assert after["rows"] == index["ports/mini:8123"]
    says = rf"{FOLDER}: \d+ of \d+ rows rest on ports/mini:8123, which changed since: make it anew"
    assert re.search(f"^nothing changed since .*\ndatasets\n  {says}$", pf("diff").out.strip(), re.DOTALL)
    assert re.search(f"\n\nDatasets:\n\n- {says}$", pf("diff", "--format", "markdown").out.strip())
    assert pf("diff", "--exit-code").code == 0  # the two sides are the same
    made_again(pf)
    assert told(pf) == []


def test_older_prompts_are_named_where_no_fact_changed(pf, trained):
    """A persona was written anew: the rows of that agent hold another prompt than it has."""
    trained.edit("agents/windu.yaml", ("You guard the hut.", "You guard the hut and its garden."))
    assert pf("build").code == 0
    (one,) = told(pf)
    manifest = json.loads((trained / FOLDER / "manifest.json").read_bytes())
    assert (one["rows"], one["facts"], one["prompts"]) == ([], [], {"windu": manifest["agents"]["windu"]})
    assert "with an older prompt of windu: make it anew" in pf("diff").out
    assert re.search(
        rf"\ntrained\n  {FOLDER}: \d+ rows with an older prompt of it: make it anew\n", pf("explain", "windu").out
    )
    assert re.search(rf"\ntrained\n  {FOLDER}: \d+ rows with this prompt\n", pf("explain", "yoda").out)


def test_enriched_prompts_are_older_where_a_fact_changed(pf, trained):
    """A fact that no row rests on is in the prompt of every row of the agent."""
    trained.write("training/hut.yaml", RECIPE.replace("SYSTEM", "enriched"))
    made_again(pf)
    assert told(pf) == []
    trained.edit("knowledge/house.yaml", PORT)
    (one,) = told(pf)
    assert set(one["prompts"]) == {"windu"}


def test_an_agent_or_a_model_that_is_gone_is_said(pf, trained):
    """The rows of an agent that is gone are stale; without the model nobody can say what its prompts would be."""
    (trained / "agents/yoda.yaml").unlink()
    assert set(told(pf)[0]["prompts"]) == {"yoda"}
    trained.edit("promptforge.yaml", ("  local:", "  nearby:"))
    assert told(pf)[0]["problem"] == "its model 'local' is no longer in promptforge.yaml"


def test_facts_of_a_file_that_cannot_be_read_are_not_called_changed(pf, trained):
    """What was in it is not known."""
    trained.write("knowledge/house.yaml", "ports: [\n")
    assert [one["facts"] for one in told(pf)] in ([], [[]])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("facts.json", None, f"cannot read {FOLDER}/facts.json: no such file or directory"),
        ("facts.json", b"{\n", rf"{FOLDER}/facts.json is damaged: it has 2 bytes, and [\d,]+ were written"),
        ("knowledge.json", None, f"cannot read {FOLDER}/knowledge.json: no such file or directory"),
        ("manifest.json", b"[]", f"{FOLDER}/manifest.json is no manifest of a dataset"),
    ],
)
def test_a_dataset_that_cannot_be_read_is_said(pf, trained, name, content, says):
    """By `diff` and by `explain`, whether or not anything changed: nobody takes silence for being fresh."""
    path = trained / FOLDER / name
    path.unlink() if content is None else path.write_bytes(content)
    trained.edit("knowledge/house.yaml", ("codename: LEET,", "codename: L33T,"))
    trained.edit("fewshot/house.yaml", ("codename='LEET').port", "codename='L33T').port"))
    trained.edit("fewshot/house.yaml", ("codename='LEET').service", "codename='L33T').service"))
    found = pf("diff").out
    assert re.search(f"{FOLDER}: what of it is stale cannot be told: {says}: make it anew", found), found
    assert re.search(f"  trained  {FOLDER}: {says}", pf("explain", "windu:11").out)


def test_one_that_an_earlier_version_wrote_says_so(pf, trained):
    """It has no facts beside it, nor whose prompts it holds."""
    place = trained / FOLDER
    manifest = json.loads((place / "manifest.json").read_bytes())
    (place / "knowledge.json").unlink()
    for key in ("trained", "system", "agents"):
        del manifest[key]
    del manifest["files"]["knowledge.json"]
    (place / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert told(pf)[0]["problem"] == f"{FOLDER} does not say what its facts were: an earlier promptforge wrote it"


def test_a_line_says_whether_the_rows_on_its_facts_are_stale(pf, trained):
    """The rows that rest on its facts, and that these changed since."""
    shown = pf("explain", "windu:11").out
    assert re.search(rf"\n  trained  \d+ rows of {FOLDER} rest on these facts\n", shown), shown
    trained.edit("knowledge/house.yaml", ("service: Council MLX", "service: Council Metal"))
    assert re.search(r" rest on these facts, which changed since: make it anew\n", pf("explain", "windu:11").out)
    (one,) = json.loads(pf("explain", "windu:11", "--format", "json").out)["trained"]
    assert (one["folder"], one["stale"], one["problem"]) == (FOLDER, True, "")


def test_a_set_that_goes_elsewhere_says_that_nobody_will_look_there(pf, trained):
    """Only build/datasets is looked through."""
    says = "diff and explain look in build/datasets alone: they will not say when this set is stale\n"
    assert says in pf("dataset", "build", "hut", "--output", "elsewhere").out
    assert says not in pf("dataset", "build", "hut").out
