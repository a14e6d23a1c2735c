"""Quarantine: what is rejected leaves by one rename, with its evidence, and is deleted when its time is over."""

import datetime
import errno
import json
import shutil
from pathlib import Path

import pytest

from promote.lodge import adapter
from promptforge.errors import InputError, WriteError
from promptforge.model import Config
from promptforge.workbench import quarantine as module
from promptforge.workbench.adapters import read_adapter
from promptforge.workbench.quarantine import (
    discard,
    grace_of,
    held,
    is_ours,
    place_of,
    quarantine,
    release_expired,
    sibling,
)

AT = "2026-11-22T07:00:00.000+00:00"
VERDICT = {"digest": "abcdef0123456789", "sentence": "Reject: it swears."}
DAY = datetime.timedelta(days=1)


def put(root, name="loser", *, at=AT):
    return quarantine(root, adapter(root, name, [1]), VERDICT, "# Reject\n", at=at)


def test_it_leaves_with_its_evidence(tmp_path):
    """Readable by its owner alone: a verdict names cases."""
    place = put(tmp_path)
    assert place == tmp_path / ".promptforge/quarantine/loser-abcdef012345"
    assert not (tmp_path / "build/adapters/loser").exists()
    assert sorted(path.name for path in place.iterdir()) == ["adapter", "verdict.json", "verdict.md"]
    assert (place / "verdict.json").stat().st_mode & 0o077 == 0
    (one,) = held(tmp_path)
    assert (one.name, one.rejected, one.sentence) == ("loser-abcdef012345", AT, "Reject: it swears.")


def test_it_is_deleted_when_its_time_is_over(tmp_path):
    """Not a moment sooner; what others put there is left alone."""
    put(tmp_path)
    put(tmp_path, "younger", at="2026-11-23T07:00:00.000+00:00")
    (tmp_path / ".promptforge/quarantine/mine").mkdir()
    assert release_expired(tmp_path, DAY, now="2026-11-23T06:59:59.000+00:00") == ()
    assert release_expired(tmp_path, DAY, now="2026-11-23T07:00:00.000+00:00") == ("loser-abcdef012345",)
    assert sorted(path.name for path in (tmp_path / ".promptforge/quarantine").iterdir()) == [
        "mine",
        "younger-abcdef012345",
    ]
    assert release_expired(Path(tmp_path / "empty"), DAY, now=AT) == ()


def test_what_is_discarded_is_deleted_before_its_time(tmp_path, monkeypatch):
    """Evidence and all; where that fails it stays, and that is said."""
    place = put(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", _read_only)
        with pytest.raises(WriteError, match=r"the rejected adapter cannot be deleted from .*: read-only") as caught:
            discard(place)
    assert caught.value.hint == "it is deleted when its time in quarantine is over, or by hand"
    discard(place)
    assert held(tmp_path) == ()
    assert not (tmp_path / "build/adapters/loser").exists()


def _read_only(*_):
    raise OSError(errno.EROFS, "Read-only file system")


def test_a_place_in_quarantine_is_known_by_what_lies_in_it(tmp_path):
    """Whatever the folder inside is called."""
    place = put(tmp_path)
    assert place_of(tmp_path, place / "adapter") == place
    assert place_of(tmp_path, tmp_path / "build/adapters/loser") is None


def test_another_training_of_the_same_is_found_by_recipe_seed_and_rows(tmp_path):
    """One of other rows is none; nor is one that cannot be read."""
    first = read_adapter(adapter(tmp_path, "first", [1], seed=7, data="aa"))
    for name, rows in (("words-8", "aa"), ("words-9", "bb")):
        folder = adapter(tmp_path, name, [2], seed=int(name[-1]), data=rows)
        quarantine(tmp_path, folder, VERDICT, "", at=AT)
    assert sibling(tmp_path, first, 8).folder.parent.name == "words-8-abcdef012345"
    assert sibling(tmp_path, first, 9) is None
    assert sibling(tmp_path, first, 10) is None
    (tmp_path / ".promptforge/quarantine/words-8-abcdef012345/adapter/adapter.json").write_text("{")
    assert sibling(tmp_path, first, 8) is None


@pytest.mark.parametrize(("text", "days"), [(None, 14), ("3d", 3), ("48h", 2), ("2w", 14), ("1m", 30)], ids=str)
def test_the_time_of_grace(text, days):
    """`quarantine: 14d` of promptforge.yaml."""
    assert grace_of(Config(name="", settings={"quarantine": text} if text else {})) == days * DAY


def test_what_is_not_ours_stays(tmp_path):
    """A user's own folder, build/adapters itself, a link out of it, and a champion."""
    mine = adapter(tmp_path, "mine", [1], place="elsewhere")
    link = tmp_path / "build/adapters/link"
    link.parent.mkdir(parents=True)
    link.symlink_to(mine)
    champion = adapter(tmp_path, "d1", [1], place=".promptforge/champions/tiny")
    for folder in (mine, link, champion, tmp_path / "build/adapters"):
        assert not is_ours(tmp_path, folder)
        with pytest.raises(InputError, match="is not in build/adapters: it is left where it is"):
            quarantine(tmp_path, folder, VERDICT, "", at=AT)
        assert folder.exists()


def test_a_kill_at_any_step_is_finished_by_the_next_one(tmp_path, monkeypatch):
    """Before the move the adapter is whole where it was; in the middle of a deletion the rest goes the next time."""
    folder = adapter(tmp_path, "loser", [1])
    with monkeypatch.context() as patched:
        patched.setattr(module, "_move", _killed)
        with pytest.raises(KeyboardInterrupt):
            quarantine(tmp_path, folder, VERDICT, "", at=AT)
    assert (folder / "adapters.safetensors").exists()
    place = quarantine(tmp_path, folder, VERDICT, "", at=AT)
    with monkeypatch.context() as patched:
        patched.setattr(module.shutil, "rmtree", lambda path, **_: None)
        release_expired(tmp_path, DAY, now="2026-12-22T07:00:00.000+00:00")
    assert not place.exists()
    assert [path.name for path in place.parent.iterdir()] == [f".{place.name}.pf-tmp"]
    assert held(tmp_path) == ()
    release_expired(tmp_path, DAY, now=AT)
    assert [*place.parent.iterdir()] == []


def _killed(*_):
    raise KeyboardInterrupt


def test_another_disk_is_no_obstacle(tmp_path, monkeypatch):
    """Then it is copied, and the copy renamed."""
    rename = Path.rename

    def other_disk(self, target):
        if self.name == "loser":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", other_disk)
        patched.setattr(module, "_delete", lambda path: shutil.rmtree(path, ignore_errors=True))
        place = put(tmp_path)
    assert (place / "adapter/adapters.safetensors").exists()
    assert not (tmp_path / "build/adapters/loser").exists()


def test_a_full_disk_is_said_and_the_adapter_stays(tmp_path, monkeypatch):
    """The same command goes on from there."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    with pytest.raises(WriteError, match=r"cannot be put away in .*: no space left on device") as caught:
        put(tmp_path)
    assert caught.value.hint == "mend that, then run the same command again: it goes on from here"
    assert (tmp_path / "build/adapters/loser/adapters.safetensors").exists()


@pytest.mark.parametrize("when", ["yesterday", "2026-11-22T07:00:00"])
def test_evidence_that_cannot_be_read_is_left_alone(tmp_path, when):
    """Nobody can say when its time is over; a time without a zone is none."""
    place = put(tmp_path)
    (place / "verdict.json").write_text(json.dumps({"rejected": when}))
    assert held(tmp_path) == ()
    assert release_expired(tmp_path, DAY, now="2027-11-22T07:00:00.000+00:00") == ()
    assert place.exists()
