"""A dataset takes the place of another in whole: kills, failures, leftovers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from promptforge.dataset import swap
from promptforge.dataset.manifest import datasets, read_manifest, verify
from promptforge.dataset.resting import rows_on
from promptforge.errors import WriteError
from trainingrows import row, rows, written

KILLED = """
import os, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from trainingrows import rows, written
from promptforge.dataset import swap
from promptforge.dataset.manifest import datasets, verify
from promptforge.dataset.swap import aside

root, exchange = Path(sys.argv[2]), sys.argv[3] == "exchange"
place = root / "build" / "datasets" / "hut"
if not exchange:
    swap._exchange = lambda one, other: False
written(place, rows(20), name="old")
step, survived, empty, seen = 0, False, 0, set()
while not survived:
    child = os.fork()
    if not child:
        left = step
        def hook(event, arguments):
            global left
            if event.startswith(("os.", "open", "shutil.", "ctypes.")):
                left -= 1
                if left < 0:
                    os._exit(9)
        sys.addaudithook(hook)
        written(place, rows(30), name="new")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    survived = os.waitstatus_to_exitcode(status) == 0
    found = datasets(root)
    assert not found.problems, found
    (manifest,) = found.found.values()
    assert list(found.found) == [place], found
    there = place if place.exists() else aside(place)
    empty += there != place
    assert verify(there) == (), verify(there)
    assert (manifest.name, sum(manifest.rows.values())) in (("old", 20), ("new", 30)), manifest
    seen.add(manifest.name)
    if manifest.name == "new":
        written(place, rows(20), name="old")
        assert os.listdir(place.parent) == ["hut"], os.listdir(place.parent)
    step += 1
print(step, empty, *sorted(seen))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are tried by fork")
@pytest.mark.parametrize("how", ["exchange", "two renames"])
def test_a_kill_at_any_step_leaves_the_old_set_or_the_new_one(how: str, tmp_path: Path):
    """Killed before each call that touches the disk: one whole dataset is found, and the next write sweeps.

    Where two names cannot be exchanged at once, the old one may stand aside, and is found there.
    """
    here = Path(__file__).parents[1]
    command = [sys.executable, "-c", KILLED, str(here), str(tmp_path), how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    steps, empty, *seen = done.stdout.split()
    assert int(steps) > 30
    assert (int(empty) > 0) == (how == "two renames" or not _exchanges(tmp_path))
    assert seen == ["new", "old"]


def _exchanges(folder: Path) -> bool:
    for name in ("one", "other"):
        (folder / name).mkdir()
    return swap._exchange(folder / "one", folder / "other")


@pytest.mark.parametrize("exchange", [True, False])
def test_what_fails_leaves_the_old_set(exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A row that raises, and a disk that refuses the last step: nothing is changed, and nothing lies about."""
    if not exchange:
        monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    place = tmp_path / "set"
    before = written(place).manifest

    def breaking():
        yield from rows(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(place, breaking())

    def refused(one: Path, other: Path) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(swap, "_exchange", refused)
    with pytest.raises(WriteError, match=r"cannot write .*set: no space left on device") as raised:
        written(place, rows(10))
    assert raised.value.hint == "free some space; the previous dataset is intact"
    assert read_manifest(place) == before
    assert verify(place) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_the_old_set_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of the two renames the second fails: the first is undone."""
    place = tmp_path / "set"
    before = written(place).manifest
    monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    rename = Path.rename

    def once(self: Path, target: Path) -> Path:
        if self.name != "set" and Path(target).name == "set" and ".was" not in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(WriteError, match="input/output error"):
        written(place, rows(10))
    assert read_manifest(place) == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_leftovers_are_swept_and_neighbours_are_not(tmp_path: Path):
    """What a killed writer of this dataset left goes; of another, whose name starts alike, it stays."""
    place = tmp_path / "hut"
    written(place)
    for name in (".hut.123-456.pf-tmp", ".hut.two.123-456.pf-tmp", ".hut.two.was.pf-tmp", "hut.two"):
        (tmp_path / name).mkdir()
    written(place, rows(10))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"hut", ".hut.two.123-456.pf-tmp", ".hut.two.was.pf-tmp", "hut.two"}


def test_a_set_that_stands_aside_is_found_and_put_back(tmp_path: Path):
    """`datasets` and `rows_on` read it where it is; the next write starts by putting it back."""
    place = tmp_path / "build" / "datasets" / "hut"
    manifest = written(place, [("train", row(n)) for n in range(4)]).manifest
    place.rename(swap.aside(place))
    assert datasets(tmp_path).found == {place: manifest}
    assert rows_on(place, ["ports/mini:1338"]) == {"ports/mini:1338": ("row-00001",)}
    swap.settle(place)
    assert read_manifest(place) == manifest


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path):
    """What it points to is replaced."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    written(link)
    written(link, rows(30))
    assert link.is_symlink()
    assert sum(json.loads((tmp_path / "real" / "manifest.json").read_bytes())["rows"].values()) == 30
