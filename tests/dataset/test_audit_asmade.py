"""A dataset that promptforge wrote, held against its manifest and today's project."""

import datetime
import shutil

import pytest
from tests.dataset.lab import FILES, RECIPE, loaded, write_files

from audited import finding
from promptforge.compiler.load import read_project
from promptforge.workbench.auditing import audit_files
from promptforge.workbench.check import check
from promptforge.workbench.emitting import emit_dataset

TODAY = datetime.date(2026, 11, 22)


@pytest.fixture
def project(tmp_path):
    root = write_files(tmp_path / "lab", FILES)
    loaded(root)
    return root


@pytest.fixture
def dataset(project):
    checked = check(read_project(project), today=TODAY)
    emitted = emit_dataset(project, checked, "lab", output=None, today=TODAY, environ={})
    return emitted.written.folder


def audited(dataset, project):
    return audit_files([dataset], root=project, today=TODAY)


def of_the_set(found):
    return {one.rule for one in found.findings if one.rule.startswith("set.")}


def test_a_set_as_it_was_written_is_said_to_be_so(dataset, project):
    found = audited(dataset, project)
    assert of_the_set(found) == set()
    assert found.compared[0].startswith(f"the manifest of {dataset}: ")
    assert found.compared[0].endswith(" files as they were written; its facts and prompts are today's")


def test_it_is_judged_by_its_own_recipe(dataset, project):
    found = audited(dataset, project)
    assert (found.recipe, found.model) == ("lab", "near")
    assert found.limits.max_share_per_fact == 0.2
    elsewhere = shutil.copy(dataset / "train.jsonl", project / "mine.jsonl")
    assert audit_files([elsewhere], root=project, today=TODAY).recipe == ""


def test_files_that_have_changed_are_named(dataset, project):
    with (dataset / "train.jsonl").open("a") as file:
        file.write('{"messages": []}\n')
    (dataset / "valid.jsonl").unlink()
    (dataset / "notes.txt").write_text("mine")
    found = audited(dataset, project)
    changed = finding(found, "set.changed")
    assert changed.level == "flag"
    assert changed.text == f"{dataset} is not as promptforge wrote it: valid.jsonl is missing, train.jsonl has changed"
    assert finding(found, "set.extra").text == f"{dataset} holds what promptforge did not write: notes.txt"
    assert found.compared[0].startswith("exact copies")


def test_what_rests_on_changed_facts_is_stale(dataset, project):
    knowledge = project / "knowledge" / "lab.yaml"
    knowledge.write_text(knowledge.read_text().replace("codename: LEET, ", "codename: Elite, "))
    (project / "training" / "lab.yaml").write_text(RECIPE + "seed: 3\n")
    found = audited(dataset, project)
    stale = finding(found, "set.stale")
    assert stale.text.startswith(f"{dataset} is stale: {stale.count:,} of its ")
    assert stale.text.endswith(" rows rest on facts that say something else today: ports/mini:1337")
    assert " rows hold another prompt than today's: of windu" in finding(found, "set.prompts").text
    assert finding(found, "set.recipe").text == f"{dataset}: its recipe training/lab.yaml has changed since"
    assert found.word != "fine"


def test_without_a_project_only_the_files_are_checked(dataset):
    found = audit_files([dataset], root=None, today=TODAY)
    assert found.compared[0].endswith("files as they were written")
    assert f"whether {dataset} is of today's knowledge and prompts: no project here" in found.unchecked


def test_one_file_of_a_set_brings_its_manifest(dataset, project):
    (dataset / "test.jsonl").write_text("")
    found = audit_files([dataset / "train.jsonl"], root=project, today=TODAY)
    assert "test.jsonl has changed" in finding(found, "set.changed").text


def test_a_manifest_that_cannot_be_read_is_said(dataset, project):
    (dataset / "manifest.json").write_text("{}")
    found = audited(dataset, project)
    assert f"{dataset} cannot be checked against its manifest" in finding(found, "set.manifest").text


def test_another_manifest_beside_a_file_is_none_of_ours(project):
    (project / "manifest.json").write_text("{}")
    rows = project / "mine.jsonl"
    rows.write_text('{"messages": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}]}\n')
    assert of_the_set(audit_files([rows], root=project, today=TODAY)) == set()
