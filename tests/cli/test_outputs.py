"""What a command writes never takes the place of the project's own files."""

import json
import os
from pathlib import Path

import pytest

from cli.laboratory import model

WRITERS = {
    "report": ("report", "--output"),
    "export": ("history", "export"),
    "record": ("bench", "--model", "local", "--record"),
    "audit": ("dataset", "audit", "rows.jsonl", "--format", "json", "--output"),
}
OWN = (
    "knowledge/house.yaml",
    "agents/yoda.yaml",
    "suites/lab.yaml",
    "promptforge.yaml",
    "promptforge.lock",
    "build/agent_prompts.yaml",
    "build/agent_prompts.lock.json",
    ".promptforge/history.db",
)


@pytest.fixture
def built(pf, lab, house):
    """A house with a build, a run and a file of rows."""
    with model() as server:
        lab(server)
        assert pf("build").code == 0
        assert pf("bench", "--model", "local").code == 0
        turns = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello."}]
        house.write("rows.jsonl", json.dumps({"messages": turns}) + "\n")
        yield house


@pytest.mark.parametrize("writer", WRITERS)
def test_no_file_of_the_project_is_written_over(pf, built, writer):
    """Facts, agents, locks, the artifact and the history stay as they are, also behind a link."""
    (built.root / "link.yaml").symlink_to("knowledge/house.yaml")
    for own in (*OWN, "link.yaml"):
        before = (built.root / own).read_bytes()
        outcome = pf(*WRITERS[writer], own)
        assert (outcome.code, (built.root / own).read_bytes() == before) == (2, True), own
        assert (
            f"error: the output '{own}' is one of the project's own files\n  hint: choose another place\n"
            in outcome.err
        )
    assert pf(*WRITERS[writer], "elsewhere.out").code in (0, 1)
    assert (built.root / "elsewhere.out").exists()


@pytest.mark.parametrize("folder", ["knowledge", "knowledge/rows", "training", ".promptforge", "."])
def test_no_dataset_is_written_among_them(pf, built, folder):
    """Its folder is replaced in whole."""
    recipe = "recipe: some\nagents: [yoda]\nmodel: local\nrows: 20\nmix: {infrastructure: 1.0}\nformat: mlx\nmax_share_per_fact: 0.5\n"
    built.write("training/some.yaml", recipe)
    outcome = pf("dataset", "build", "some", "--output", folder)
    said = f"error: the output '{folder}' is where the project's own files are\n  hint: choose another place\n"
    assert (outcome.code, outcome.err.endswith(said)) == (2, True), outcome.err


@pytest.mark.parametrize("command", [("redact", "../copy"), ("diff",)])
def test_a_folder_of_knowledge_that_cannot_be_read_is_said(pf, built, monkeypatch, command):
    """Not taken for one without facts: nobody knows which names are in it, and nothing was removed."""
    real = os.scandir

    def scandir(path="."):
        if Path(os.fspath(path)).name == "knowledge":
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    outcome = pf(*command)
    if command[0] == "redact":
        assert outcome.code == 2
        assert "cannot be read (permission denied), so nobody knows which names are in it" in outcome.err
        assert not (built.root.parent / "copy").exists()
    else:
        assert "knowledge/house.yaml (cannot be read)" in outcome.out
        assert "\n  - " not in outcome.out
