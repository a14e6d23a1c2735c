"""The history: nothing is lost, nothing is read by others, and every trouble has its own message."""

import multiprocessing
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from promptforge import storefile
from promptforge.errors import BusyError, InputError, PromptforgeError, WriteError
from promptforge.store import RunHead, Store
from promptforge.storefaults import translated

BODY = {"state": "answered", "answer": {"text": "Ünïcode \ud800 \u2028"}}


def head(id_: str, started: str = "2026-11-22T10:00:00.000+00:00") -> RunHead:
    return RunHead(id=id_, started=started, finished="", suite="s", head={"arms": ["base"]})


def test_an_answer_is_there_the_moment_it_is_put(tmp_path):
    """Another process sees it at once; lone surrogates of a strange server survive."""
    with Store(tmp_path / "a" / "h.db") as one, Store(tmp_path / "a" / "h.db") as other:
        one.put("i", BODY, run="r", at="2026")
        found = other.answers(["i", "j"])
        assert list(found) == ["i"]
        assert found["i"].body == BODY
        assert found["i"].run == "r"


def test_only_its_owner_may_read_it(tmp_path):
    """Prompts and answers may hold private facts."""
    with Store(tmp_path / "h.db"):
        assert stat.S_IMODE((tmp_path / "h.db").stat().st_mode) == 0o600


def test_thousands_of_answers_are_found_at_once(tmp_path):
    """More than SQLite takes as parameters of one query."""
    with Store(tmp_path / "h.db") as store:
        for number in range(1200):
            store.put(str(number), {"n": number}, run="r", at="2026")
        assert len(store.answers(str(number) for number in range(0, 2400, 2))) == 600
        store.forget(["0", "2"])
        assert list(store.answers(["0", "2", "4"])) == ["4"]


def test_threads_may_write_at_once(tmp_path):
    """As those of a run do."""
    with Store(tmp_path / "h.db") as store:
        threads = [
            threading.Thread(target=lambda n=n: [store.put(f"{n}-{i}", {}, run="r", at="") for i in range(50)])
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store.answers(f"{n}-{i}" for n in range(8) for i in range(50))) == 400


def _fill(path: Path, name: str) -> None:
    with Store(path) as store:
        for number in range(100):
            store.put(f"{name}-{number}", {}, run=name, at="")


def test_processes_may_open_and_write_at_once(tmp_path):
    """Two first runs make the tables once."""
    path = tmp_path / "h.db"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill, args=(path, str(n))) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    with Store(path) as store:
        assert len(store.answers(f"{n}-{i}" for n in range(3) for i in range(100))) == 300


def test_runs_are_found_by_the_beginning_of_their_id(tmp_path):
    """Or as `latest`; an ambiguous or unknown name says which there are."""
    with Store(tmp_path / "h.db") as store:
        with pytest.raises(InputError, match="there is no run yet"):
            store.run("latest")
        store.put_run(head("20261122-a"), {"n": 1})
        store.put_run(head("20261123-b", "2026-11-23T10:00:00.000+00:00"), {"n": 2})
        assert store.run("latest") == {"n": 2}
        assert store.run("20261122") == {"n": 1}
        with pytest.raises(InputError, match="2 runs begin with '2026'"):
            store.run("2026")
        with pytest.raises(InputError, match="no run 'x'") as caught:
            store.run("x")
        assert caught.value.hint == "name one of: 20261123-b, 20261122-a"
        assert [run.id for run in store.runs()] == ["20261123-b", "20261122-a"]


def test_a_history_moves_to_another_machine(tmp_path):
    """What is known there stays; what is new is counted."""
    with Store(tmp_path / "a.db") as one, Store(tmp_path / "b.db") as other:
        one.put("i", BODY, run="r", at="2026")
        one.put("j", {"n": 1}, run="r", at="2026")
        one.put_run(head("r"), {"n": 1})
        one.put_said("t", "says", at="2026")
        other.put("j", {"n": 2}, run="mine", at="2026")
        lines = list(one.export_lines())
        assert other.import_lines(lines, name="f") == (1, 1)
        assert other.import_lines(lines, name="f") == (0, 0)
        assert other.answers(["i"])["i"].body == BODY
        assert other.answers(["j"])["j"].run == "mine"
        assert other.said("t") == "says"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["nonsense"], "f:1: the file is no history, or of another version of promptforge"),
        (['{"promptforge": "history", "version": 99}'], "f:1: the file is no history"),
        (['{"promptforge": "history", "version": 1}', '{"answers": ["a"]}'], "f:3: the file is damaged"),
        (['{"promptforge": "history", "version": 1}', '{"else": ["a"]}'], "f:3: the file is damaged"),
        (['{"promptforge": "history", "version": 1}', "[1]"], "f:3: the file is damaged"),
    ],
)
def test_a_damaged_export_changes_nothing(tmp_path, lines, message):
    """All of it or nothing."""
    with Store(tmp_path / "h.db") as store:
        good = '{"answers": ["k", "r", "2026", {"n": 1}]}'
        with pytest.raises(InputError, match=message):
            store.import_lines([lines[0], *([good] if len(lines) > 1 else []), *lines[1:]], name="f")
        assert store.answers(["k", "a"]) == {}


def test_old_runs_are_forgotten(tmp_path):
    """And their answers, and the room is given back."""
    with Store(tmp_path / "h.db") as store:
        store.put("old", {}, run="a", at="2026-01-01")
        store.put("new", {}, run="b", at="2026-11-01")
        store.put_run(head("a", "2026-01-01"), {})
        store.put_run(head("b", "2026-11-01"), {})
        assert store.prune(before="2026-06-01") == (1, 1)
        assert list(store.answers(["old", "new"])) == ["new"]


def test_a_damaged_file_says_how_to_go_on(tmp_path):
    """It is not overwritten: its answers may be worth money."""
    path = tmp_path / "h.db"
    path.write_bytes(b"this is no database, but it is long enough to be taken for one" * 100)
    with pytest.raises(InputError, match="is damaged: file is not a database") as caught:
        Store(path)
    assert f"mv {path} {path}.damaged" in caught.value.hint
    assert path.read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("UPDATE answers SET body = x'00'", lambda store: store.answers(["i"])),
        ("UPDATE runs SET body = x'7b'", lambda store: store.run("r")),
        ("UPDATE runs SET head = '{'", lambda store: store.runs()),
        ("UPDATE champions SET body = ''", lambda store: store.crownings()),
        ("UPDATE nights SET body = 'x'", lambda store: store.nights()),
        ("UPDATE answers SET body = x'00'", lambda store: list(store.export_lines())),
    ],
)
def test_a_damaged_row_is_said(tmp_path, damage, read):
    """Not decoded into something else, and no traceback."""
    path = tmp_path / "h.db"
    with Store(path) as store:
        store.put("i", {}, run="r", at="")
        store.put_run(head("r", "2026-01-01"), {})
        store.crown("m", "promote", {}, at="2026-01-01")
        store.begin_night("recipe", "inputs", at="2026-01-01")
    with sqlite3.connect(path) as db:
        assert db.execute(damage).rowcount == 1
    db.close()
    with Store(path) as store, pytest.raises(InputError, match="is damaged: a row is damaged"):
        read(store)


def test_a_file_of_another_version_is_left_alone(tmp_path):
    """Whoever wrote it can still read it."""
    path = tmp_path / "h.db"
    with Store(path):
        pass
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(InputError, match="was written by another version of promptforge"):
        Store(path)


def test_a_held_file_is_waited_for_and_then_said(tmp_path, monkeypatch):
    """A lock that is not given back in time is no damage."""
    path = tmp_path / "h.db"
    with Store(path) as store:
        store._db.execute("PRAGMA busy_timeout = 50")
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BusyError, match="is held by another process"):
            store.put("i", {}, run="r", at="")
        holder.execute("ROLLBACK")
        holder.close()
        store.put("i", {}, run="r", at="")


def test_a_place_without_permission_is_said(tmp_path):
    """A folder that is a file stands for every way in which a place cannot be had."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError):
        Store(tmp_path / "file" / "h.db")


@pytest.mark.parametrize(
    ("problem", "kind", "message"),
    [
        (sqlite3.OperationalError("database or disk is full"), WriteError, "no room left on the disk"),
        (sqlite3.OperationalError("disk I/O error"), WriteError, "no room left on the disk"),
        (sqlite3.OperationalError("attempt to write a readonly database"), WriteError, "cannot be written"),
        (sqlite3.OperationalError("unable to open database file"), WriteError, "cannot be written"),
        (sqlite3.OperationalError("database is locked"), BusyError, "is held by another process"),
        (sqlite3.OperationalError("database table is busy"), BusyError, "is held by another process"),
        (sqlite3.DatabaseError("database disk image is malformed"), InputError, "is damaged"),
    ],
)
def test_each_complaint_of_sqlite_is_translated(problem, kind, message):
    """To what happened and what to do."""
    made = translated(problem, Path("h.db"))
    assert isinstance(made, kind)
    assert message in made.message
    assert made.hint


def test_no_complaint_of_sqlite_gets_through():
    """Every exception of the library is one that the table knows."""
    for name in dir(sqlite3):
        kind = getattr(sqlite3, name)
        if isinstance(kind, type) and issubclass(kind, sqlite3.Error):
            assert isinstance(translated(kind("x"), Path("h.db")), PromptforgeError)


def test_a_file_that_cannot_be_used_is_let_go_of(tmp_path, monkeypatch):
    """Not when somebody collects what is left of it."""
    opened, connect = [], sqlite3.connect
    path = tmp_path / "history.db"
    with closing(connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **more: opened.append(connect(*a, **more)) or opened[-1])
    with pytest.raises(InputError, match="was written by another version of promptforge"):
        Store(path)
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        opened[0].execute("SELECT 1")


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_history_that_is_gone_is_said_before_answers_are_lost(tmp_path, how):
    """`git clean -fdx` in the middle of a run: what is written then is gone when the file is closed."""
    path = tmp_path / "h.db"
    with Store(path) as store:
        store.put("a", {}, run="r", at="")
        path.unlink()
        if how == "replaced":
            with Store(path) as other:
                other.put("b", {}, run="r", at="")
        for write in (
            lambda: store.put("c", {}, run="r", at=""),
            lambda: store.put_run(head("r", "2026-01-01"), {}),
            lambda: store.crown("m", "promote", {}, at=""),
            lambda: store.put_look("s", "d", "e", at=""),
            lambda: store.begin_night("recipe", "inputs", at=""),
            lambda: store.put_said("t", "s", at=""),
            lambda: store.forget(["a"]),
            lambda: store.import_lines([], name="f"),
            lambda: store.prune(before="2026"),
        ):
            with pytest.raises(WriteError, match="was removed or replaced while it was in use") as caught:
                write()
            assert "run the same command again" in caught.value.hint


def test_a_folder_in_its_place_is_said(tmp_path):
    """No right would help."""
    (tmp_path / "h.db").mkdir()
    with pytest.raises(InputError, match=r"h\.db is a folder") as caught:
        Store(tmp_path / "h.db")
    assert caught.value.hint == "move it away: a new history is made"


@pytest.mark.parametrize("name", ["20261120", "2026-11-20", "2026-11", "2026-11-20T1010", "latest"])
def test_a_run_is_found_by_its_day(tmp_path, name):
    """As people write it, and as ids do."""
    with Store(tmp_path / "h.db") as store:
        store.put_run(head("20260101T101010-aaaa", "2026-01-01"), {"which": "older"})
        store.put_run(head("20261120T101010-ab12", "2026-11-20"), {"which": "newer"})
        assert store.run(name) == {"which": "newer"}


def test_whoever_only_reads_needs_no_room(tmp_path, monkeypatch):
    """A full disk has no room for what SQLite puts beside the file; reading can do without, writing says why not."""
    path = tmp_path / "h.db"
    with Store(path) as store:
        store.put_run(head("r", "2026-01-01"), {"kept": True})

    def refuse(db: sqlite3.Connection, path: Path) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("promptforge.storefile._create", refuse)
    with Store(path) as store:
        assert store.run("r") == {"kept": True}
        with pytest.raises(WriteError, match="cannot be written"):
            store.put("i", {}, run="r", at="")
    with pytest.raises(WriteError, match="no room left"):
        Store(tmp_path / "new.db")


def test_two_that_make_it_at_once_both_get_it(tmp_path, monkeypatch):
    """SQLite refuses one of them at once, whatever patience it was given."""
    real, refused = storefile._create, []

    def refuse_twice(db: sqlite3.Connection, path: Path) -> None:
        if len(refused) < 2:
            refused.append(path)
            raise sqlite3.OperationalError("database is locked")
        real(db, path)

    monkeypatch.setattr(storefile, "_create", refuse_twice)
    with Store(tmp_path / "h.db") as store:
        store.put("i", {}, run="r", at="")
    assert len(refused) == 2
