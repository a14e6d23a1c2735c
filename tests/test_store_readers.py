"""The history for whoever may read it and no more: another user, a folder that is mounted read-only."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from promptforge.errors import InputError, WriteError
from promptforge.store import RunHead, Store

NOBODY = 65534
HEAD = RunHead(id="r1", started="2026-11-22T10:00:00.000+00:00", finished="", suite="s", head={"arms": ["base"]})


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="history-") as name:
        yield Path(name)
        Path(name).chmod(0o755)


@contextmanager
def reader(folder: Path, *, mode: int = 0o644) -> Iterator[None]:
    """As somebody who may look into the folder, and change nothing in it."""
    for path in folder.iterdir():
        path.chmod(mode if os.geteuid() == 0 else mode & 0o555)
    folder.chmod(0o555)
    was = os.geteuid()
    try:
        if was == 0:  # to root no right is missing
            os.seteuid(NOBODY)
        yield
    finally:
        os.seteuid(was)


def kept(folder: Path) -> Path:
    with Store(folder / "h ?#%.db") as store:
        store.put("i", {"n": 1}, run="r1", at="2026")
        store.put_run(HEAD, {"body": "of the run"})
    return folder / "h ?#%.db"


def test_who_may_only_read_it_reads_it(folder):
    """Runs, answers, champions and nights are there; nothing is made beside the file."""
    path = kept(folder)
    with reader(folder), Store(path) as store:
        assert [head.id for head in store.runs()] == ["r1"]
        assert store.run("latest") == {"body": "of the run"}
        assert store.answers(["i"])["i"].body == {"n": 1}
        assert store.crownings() == store.nights() == ()
        assert [one.name for one in folder.iterdir()] == [path.name]


def test_it_is_read_while_another_writes(folder):
    """What is still in the log of an open history is seen, too."""
    path = kept(folder)
    with Store(path) as writer:
        writer.put("j", {"n": 2}, run="r1", at="2026")
        with reader(folder), Store(path) as store:
            assert set(store.answers(["i", "j"])) == {"i", "j"}


WRITES: list[Callable[[Store], object]] = [
    lambda store: store.put("k", {}, run="r", at=""),
    lambda store: store.put_run(HEAD, {}),
    lambda store: store.put_look("s", "d", "e", at=""),
    lambda store: store.forget(["i"]),
]


@pytest.mark.parametrize("write", WRITES)
def test_who_may_only_read_it_is_told_when_a_command_writes(folder, write):
    """Only then: what is wanting is the right to write."""
    path = kept(folder)
    with reader(folder), Store(path) as store:
        with pytest.raises(WriteError, match=r"cannot be written: attempt to write a readonly database") as problem:
            write(store)
        assert problem.value.hint == "give yourself the right to write there, or make room"


def test_who_may_not_read_it_either_is_told_that(folder):
    """And why that is so."""
    path = kept(folder)
    with reader(folder, mode=0o000), pytest.raises(InputError, match=r"cannot be read: permission denied") as problem:
        Store(path)
    assert problem.value.hint == (
        "it is its owner's alone, since prompts and answers may hold private facts: ask for the right to read it"
    )


def test_where_there_is_none_a_reader_cannot_make_one(folder):
    """It is the folder that may not be written."""
    with reader(folder), pytest.raises(WriteError, match="permission denied"):
        Store(folder / "h.db")


def test_an_older_history_cannot_be_brought_up_to_date_by_a_reader(folder):
    """Its owner's next command does that."""
    (folder / "h.db").write_bytes(b"")
    with reader(folder), pytest.raises(InputError, match="was written by another version, and you may only read it"):
        Store(folder / "h.db")
