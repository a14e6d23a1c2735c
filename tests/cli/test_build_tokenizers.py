"""What counts is a part of what a build was made of: a tokenizer that comes, goes or differs is noticed."""

import shutil
import sys
from pathlib import Path

import pytest

TOKENIZER = Path(__file__).parents[1] / "tiny-model"
HERE = "nothing changed: build/agent_prompts.yaml is up to date\n"


def agree(pf) -> bool:
    """Whether `build --check` finds what the last build left up to date."""
    return pf("build", "--check").code == 0


def put(folder: Path, *names: str) -> None:
    """Files of the small model, put into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(TOKENIZER / name, folder)


@pytest.fixture
def counted(house):
    """The house, its local model with a tokenizer of its own, which is not there yet; yoda has as good as no room."""
    house.edit("promptforge.yaml", ("context: 8192", "context: 8192, tokenizer: 'hf:weights/tiny'"))
    house.edit("agents/yoda.yaml", ("model: local", "model: local\nbudget: 110"))
    return house


def test_a_package_that_was_installed_since_is_noticed(pf, counted, monkeypatch):
    """With no file of the project changed, the next build counts exactly."""
    put(counted / "weights/tiny", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    first = pf("build")
    assert ("PF416" in first.err, "~" in first.out) == (True, True)
    monkeypatch.undo()
    second = pf("build")
    assert ("PF416" in second.err, "~" in second.out) == (False, False)
    assert agree(pf)
    assert HERE in pf("build").out


def test_a_package_that_was_removed_since_is_noticed(pf, counted, monkeypatch):
    """The package's own file is looked at: without it the build is made anew, and says that it estimates."""
    put(counted / "weights/tiny", "tokenizer.json")
    pf("build")
    for name in ("last_build.json", "incremental.json"):
        kept = (counted / ".promptforge" / name).read_text()
        assert kept.count("dist-info/METADATA") == 1
        # As if the package that was here had gone: its folder has another name.
        (counted / ".promptforge" / name).write_text(kept.replace("dist-info/METADATA", "dist-info/ABSENT"))
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert "PF416" in pf("build").err


def test_a_tokenizer_that_appears_later_is_noticed(pf, counted):
    """A file that was not there at first is taken as soon as it is, the chat template beside it included."""
    assert "PF416" in pf("build").err
    assert "PF416" in pf("build").err
    put(counted / "weights/tiny", "tokenizer.json")
    assert pf("build").err == ""
    assert agree(pf)
    assert HERE in pf("build").out
    put(counted / "weights/tiny", "chat_template.jinja", "tokenizer_config.json")
    assert HERE not in pf("build").out
    assert agree(pf)
    counted.edit("knowledge/house.yaml", ("role: hub", "role: the hub"))
    assert pf("build").code == 0
    (counted / "weights/tiny/tokenizer.json").unlink()
    assert "PF416" in pf("build").err


def test_a_tokenizer_in_the_cache_is_noticed(pf, counted, monkeypatch, tmp_path):
    """A repository that is fetched into the cache, its branch that moves, another cache, and a folder that precedes."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub of mine"))
    folder = tmp_path / "hub of mine/hub/models--weights--tiny"
    assert "PF416" in pf("build").err
    put(folder / "snapshots/one", "tokenizer.json")
    assert pf("build").err == ""
    put(folder / "snapshots/two", "tokenizer.json", "chat_template.jinja", "tokenizer_config.json")
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("two")
    assert HERE not in pf("build").out
    assert HERE in pf("build").out
    put(counted / "weights/tiny", "tokenizer.json")
    assert HERE not in pf("build").out
    assert HERE in pf("build").out
    shutil.rmtree(counted / "weights")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "another"))
    assert "PF416" in pf("build").err
