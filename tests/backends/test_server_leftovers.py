"""What a killed run leaves behind is ended at the next start, and nothing else ever is."""

import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptforge.backends import leftovers
from promptforge.backends.leftovers import Record, folder_of, forget, keep, sweep
from promptforge.backends.listeners import owners
from promptforge.backends.processes import MARK, here, process
from promptforge.errors import WriteError
from strategies import tries

PRETEND = Path(__file__).parent / "pretend.py"
OWNER = """
import os, sys, time
from pathlib import Path
from promptforge.backends.server import serve
from promptforge.model import Model

serve_line, folder = sys.argv[1:3]
settings = {"serve": serve_line, "model": "coder"}
model = Model(name="coder", backend="compatible", tier="local", settings=settings)
with serve(model, folder=Path(folder), environment=os.environ) as one:
    print(one.port, one.pid, flush=True)
    time.sleep(60)
"""


def wait_until(seen: Callable[[], bool], limit_s: float = 30) -> None:
    limit = time.monotonic() + limit_s
    while not seen():
        assert time.monotonic() < limit, "it never happened"
        time.sleep(0.02)


def is_there(pid: int) -> bool:
    return process(pid) is not None


@contextmanager
def run_of_another(folder: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", int, int]]:
    """A run in a process of its own, with its server's port and first process."""
    line = shlex.join([sys.executable, str(PRETEND), "--port", "{port}", *options])
    command = [sys.executable, "-c", OWNER, line, str(folder)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port, pid = map(int, owner.stdout.readline().split())
        yield owner, port, pid
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
        sweep(folder)


@contextmanager
def bystander(**environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is none of ours."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    one = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)
    try:
        yield one
    finally:
        with suppress(ProcessLookupError):
            one.kill()
        one.wait()


def record(folder: Path, **told: object) -> Record:
    """A record of a server whose owner is gone."""
    made = Record(
        mark=secrets.token_hex(8),  # other tests have processes with marks at the same time
        model="coder",
        port=1338,
        command="mlx_lm.server",
        log=str(folder / "coder.log"),
        at="2026-11-22T07:00:00.000+00:00",
        owner=(2**22 + 1, "1"),
        where=here(),
    )
    made = replace(made, **told)
    keep(folder_of(folder), made)
    return made


def records(folder: Path) -> list[Path]:
    return sorted((folder / ".promptforge" / "servers").glob("*.json"))


@pytest.mark.parametrize("options", [[], ["--fork"], ["--launch"], ["--fork", "--stubborn"]], ids=" ".join)
def test_the_server_of_a_killed_run(tmp_path, monkeypatch, options):
    """It runs on after kill -9; the next start ends it with all that it started, and says so once."""
    monkeypatch.setattr(leftovers, "_PATIENCE_S", 0.5)
    with run_of_another(tmp_path, *options) as (owner, port, pid):
        (listening,) = owners(port)
        assert sweep(tmp_path) == ()  # its owner lives
        assert is_there(listening.pid)
        owner.kill()
        owner.wait()
        assert is_there(listening.pid)
        (left,) = sweep(tmp_path)
        assert (left.model, left.port, left.alive) == ("coder", port, ())
        assert listening.pid in left.processes
        assert str(PRETEND) in left.command
        assert left.log.exists()
        assert not is_there(listening.pid)
        assert not is_there(pid)
        assert owners(port) == ()
        assert records(tmp_path) == []
        assert sweep(tmp_path) == ()


def test_a_child_that_outlived_its_server_and_its_owner(tmp_path):
    """Its first process is gone: the child is known by its mark."""
    with run_of_another(tmp_path, "--fork") as (owner, port, pid):
        (listening,) = owners(port)
        owner.kill()
        owner.wait()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_there(pid))
        assert is_there(listening.pid)
        (left,) = sweep(tmp_path)
        assert left.processes == (listening.pid,)
        assert not is_there(listening.pid)


def test_a_run_that_was_killed_before_it_knew_its_server(tmp_path):
    """The record is written first, and names the mark: that is enough."""
    made = record(tmp_path)
    with bystander(**{MARK: made.mark}) as server:
        wait_until(lambda: is_there(server.pid))
        (left,) = sweep(tmp_path)
        assert left.processes == (server.pid,)
        server.wait(10)
    assert records(tmp_path) == []


def test_a_number_that_is_somebody_elses_by_now(tmp_path):
    """The same number with another start is another process, and its group is another group."""
    with bystander() as other:
        record(tmp_path, server=(other.pid, "1"))
        assert sweep(tmp_path) == ()
        assert other.poll() is None
        assert records(tmp_path) == []


@pytest.fixture(scope="module")
def stranger():
    with bystander() as other:
        yield other


@tries(60)
@given(data=st.data())
def test_nobody_else_is_ever_ended(tmp_path_factory, stranger, data):
    """Whatever a record says, as long as it does not name both the number and the start of a process, or its mark."""
    numbers = st.sampled_from([stranger.pid, os.getpid(), 1, 2**22 + 1])
    pairs = st.tuples(numbers, st.text("0123456789", max_size=9))
    told = {
        "owner": data.draw(pairs),
        "server": data.draw(pairs),
        "mark": data.draw(st.text("0123456789abcdef", min_size=1, max_size=8)),
        "where": {
            **here(),
            **data.draw(st.dictionaries(st.sampled_from(["boot", "host", "space"]), st.text(max_size=3))),
        },
    }
    started = {process(number).started for number in (stranger.pid, os.getpid(), 1)}
    assume(told["server"][1] not in started)
    folder = tmp_path_factory.mktemp("house")
    record(folder, **told)
    assert sweep(folder) == ()
    assert stranger.poll() is None


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.3, 0.4, 0.6, 0.9])
def test_a_run_that_is_killed_at_any_moment(tmp_path, after_s):
    """Before its server starts, as it starts, while it loads, when it is ready: the next sweep leaves nothing."""
    note = tmp_path / "note"
    line = shlex.join(
        [sys.executable, str(PRETEND), "--port", "{port}", "--fork", "--slow", "0.3", "--note", str(note)]
    )
    owner = subprocess.Popen([sys.executable, "-c", OWNER, line, str(tmp_path)], stdout=subprocess.DEVNULL)
    time.sleep(after_s)
    owner.kill()
    owner.wait()
    sweep(tmp_path)
    assert [path for path in Path("/proc").glob("[0-9]*") if str(note) in words_of(path)] == []
    assert records(tmp_path) == []


def words_of(path: Path) -> str:
    with suppress(OSError):
        return (path / "cmdline").read_text()
    return ""


def test_a_server_with_another_mark(tmp_path):
    """The server of another project."""
    record(tmp_path)
    with bystander(**{MARK: secrets.token_hex(8)}) as other:
        assert sweep(tmp_path) == ()
        assert other.poll() is None


def test_an_owner_whose_number_was_given_away(tmp_path):
    """A process with the owner's number that started at another time is not the owner: the server is left behind."""
    made = record(tmp_path, owner=(os.getpid(), "1"))
    with bystander(**{MARK: made.mark}) as server:
        assert len(sweep(tmp_path)) == 1
        server.wait(10)


def test_an_owner_that_lives(tmp_path):
    """Two runs at once leave each other's servers alone."""
    me = process(os.getpid())
    made = record(tmp_path, owner=me.identity)
    with bystander(**{MARK: made.mark}) as server:
        assert sweep(tmp_path) == ()
        assert server.poll() is None
    assert len(records(tmp_path)) == 1


@pytest.mark.parametrize(
    ("what", "stays"),
    [
        (["boot"], False),
        (["boot", "host"], True),
        (["boot", "name"], True),
        (["space"], True),
        (["space", "host"], True),
    ],
    ids=["restarted", "other machine", "copy of this machine", "other space", "other container"],
)
def test_numbers_that_mean_nothing_here(tmp_path, what, stays):
    """After a restart nothing is left to end; the records of another machine or container are its own affair."""
    with bystander() as other:
        found = process(other.pid)
        record(tmp_path, where={**here(), **dict.fromkeys(what, "another")}, server=found.identity)
        assert sweep(tmp_path) == ()
        assert other.poll() is None
    assert bool(records(tmp_path)) == stays


@pytest.mark.parametrize("key", ["name", "host"])
def test_a_machine_that_was_renamed_ends_what_it_left(tmp_path, key):
    """The start of the machine is the same, so the numbers mean what they meant; an older record has its name."""
    with bystander() as other:
        found = process(other.pid)
        record(tmp_path, where={**here(), key: "the-old-name"}, server=found.identity)
        with bystander() as stranger:
            (left,) = sweep(tmp_path)
            assert stranger.poll() is None
        assert other.wait(20) is not None
    assert left.processes == (other.pid,)
    assert records(tmp_path) == []


@pytest.mark.parametrize(
    "content", ["", "[1]", "null", '{"version": 2}', '{"version": 1, "mark": "x"}', '{"version": 1, "owner": [1, "1"]}']
)
def test_a_record_that_is_none(tmp_path, content):
    """It proves nothing, so nothing is ended, and it goes."""
    path = folder_of(tmp_path) / "0123456789abcdef.json"
    path.write_text(content)
    assert sweep(tmp_path) == ()
    assert not path.exists()


def test_a_record_of_another_file(tmp_path):
    """A copy of a record is no second server."""
    made = record(tmp_path)
    (path,) = records(tmp_path)
    path.rename(path.with_name("copy.json"))
    with bystander(**{MARK: made.mark}) as server:
        assert sweep(tmp_path) == ()
        assert server.poll() is None


def test_what_cannot_be_ended_is_told_and_stays_recorded(tmp_path, monkeypatch):
    """The next start tries again."""
    made = record(tmp_path)
    with bystander(**{MARK: made.mark}) as server:
        monkeypatch.setattr(leftovers, "end", lambda look, *, patience_s: look())
        (left,) = sweep(tmp_path)
        assert left.alive == left.processes == (server.pid,)
        assert len(records(tmp_path)) == 1


def test_no_folder_no_work(tmp_path):
    assert sweep(tmp_path) == ()
    assert not (tmp_path / ".promptforge").exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / ".promptforge").write_text("")
    with pytest.raises(WriteError) as caught:
        folder_of(tmp_path)
    assert caught.value.message.startswith(f"cannot write {tmp_path / '.promptforge' / 'servers'}: ")
    assert caught.value.hint == "no server was started: make room, or mend the permissions"


def test_a_record_says_what_is_needed_and_only_its_owner_reads_it(tmp_path):
    """It is whole or not there, and `forget` leaves nothing."""
    made = record(tmp_path)
    (path,) = records(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    told = json.loads(path.read_bytes())
    assert (told["version"], told["mark"], told["owner"]) == (1, made.mark, list(made.owner))
    forget(folder_of(tmp_path), made.mark)
    assert list(folder_of(tmp_path).iterdir()) == []
