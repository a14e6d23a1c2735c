"""Processes and listeners: asked of /proc, and where there is none of ps and lsof, with the same answers."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time

import pytest

from promptforge.backends import listeners, processes
from promptforge.backends.listeners import Owner, owners, ports_of
from promptforge.backends.processes import (
    MARK,
    end,
    family,
    here,
    is_before_restart,
    is_here,
    marked,
    process,
    read_ps,
)

BOTH = pytest.mark.parametrize("way", ["proc", "tools"])
SLEEP = "import time; time.sleep(60)"


@pytest.fixture(autouse=True)
def asked(request, monkeypatch):
    """Without /proc, as on other systems, where the test says so."""
    if "way" in request.fixturenames and request.getfixturevalue("way") == "tools":
        needed = {"ps", "lsof"}
        if missing := {name for name in needed if not shutil.which(name)}:
            fake_tools(monkeypatch, missing)
        monkeypatch.setattr(processes, "_by_proc", lambda: False)
        monkeypatch.setattr(listeners, "_by_proc", lambda: False)


def fake_tools(monkeypatch, missing):
    """Where a tool is not installed, /proc tells what it would say: how we read and use it is tested all the same."""
    if "ps" in missing:
        monkeypatch.setattr(processes, "_output", ps_by_proc)
    if "lsof" in missing:
        monkeypatch.setattr(listeners, "_by_lsof", lsof_by_proc)


def ps_by_proc(*command: str) -> str:
    """As ps says it; a start is told in ticks, in as many words as a date has."""
    lines = []
    for path in processes._PROC.glob("[0-9]*"):
        try:
            stat = (path / "stat").read_text().rpartition(")")[2].split()
            words = (path / "cmdline").read_bytes().decode().replace("\0", " ")
            if "axeww" in command:
                lines.append(f"{path.name} {words} {(path / 'environ').read_bytes().decode().replace(chr(0), ' ')}")
        except OSError:
            continue
        if "-p" in command and command[command.index("-p") + 1] != path.name:
            continue
        if "axeww" not in command:
            lines.append(f"{path.name} {stat[1]} {stat[2]} {stat[0]} a b c d {stat[19]} {words}")
    return "\n".join(lines)


def lsof_by_proc(which: str) -> tuple[tuple[Owner, int], ...]:
    """As it is read from lsof."""
    held = {name: port for port, name in listeners._listening() if which in ("-iTCP", f"-iTCP:{port}")}
    return tuple(
        (Owner(name=listeners._name(one), pid=int(one.name)), held[name])
        for one in processes._PROC.glob("[0-9]*")
        for name in listeners._open_files(one)
        if name in held
    )


@pytest.fixture
def mark() -> str:
    """Other tests have processes with marks at the same time."""
    return secrets.token_hex(8)


@pytest.fixture
def sleeper(mark):
    """A process in a session of its own, with a mark."""
    environment = {**os.environ, MARK: mark}
    one = subprocess.Popen([sys.executable, "-c", SLEEP], env=environment, start_new_session=True)
    yield one
    one.kill()
    one.wait()


@BOTH
def test_a_process_is_told_by_number_and_start(sleeper, way):
    one = process(sleeper.pid)
    assert (one.pid, one.parent, one.group) == (sleeper.pid, os.getpid(), sleeper.pid)
    assert one.identity == process(sleeper.pid).identity
    assert one.started
    assert str(one) == f"{one.name} ({one.pid})"
    assert process(os.getpid()).identity != one.identity


@BOTH
def test_a_process_that_ended_is_not_there(sleeper, way):
    """Also while nobody has asked how it ended."""
    known = process(sleeper.pid).identity
    os.kill(sleeper.pid, 9)
    limit = time.monotonic() + 20
    while process(sleeper.pid):
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert process(sleeper.pid, ended=True).identity == known
    sleeper.wait()
    assert process(sleeper.pid, ended=True) is None


@BOTH
def test_a_mark_is_found(sleeper, mark, way):
    limit = time.monotonic() + 20
    while sleeper.pid not in marked(mark):  # between fork and exec it has our environment
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert marked(mark) == {sleeper.pid}
    assert marked(mark[:-1]) == frozenset()


@BOTH
def test_a_family(way):
    """By group, by mark and by parent; never we ourselves."""
    script = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}], env={{}}).wait()"
    one = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    try:
        root = process(one.pid).identity
        limit = time.monotonic() + 20
        while len(family(root, "none")) < 2:
            assert time.monotonic() < limit
            time.sleep(0.05)
        found = family(root, "none")
        assert {found[0].group, found[1].group} == {one.pid}
        assert family(None, "none") == ()
        child = next(member for member in found if member.pid != one.pid)
        assert family(None, "none", known=[child.identity]) == (child,)
        assert family(None, "none", known=[(child.pid, "another start")]) == ()
        assert end(lambda: family(root, "none"), patience_s=5) == ()
        assert process(child.pid) is None
    finally:
        one.kill()
        one.wait()


@pytest.mark.parametrize("handles", [True, False], ids=["by handle", "by number"])
def test_nobody_else_is_told_to_end(sleeper, monkeypatch, handles):
    """A number with another start is left alone, with and without the system's handles of processes."""
    if not handles:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    one = process(sleeper.pid)
    stranger = processes.Process(pid=one.pid, started="another", group=one.group)
    monkeypatch.setattr(processes, "KILLED_S", 0.2)
    assert end(lambda: (stranger,), patience_s=0.2) == (stranger,)
    assert sleeper.poll() is None
    gone = processes.Process(pid=2**22 + 1, started="1")
    assert end(lambda: (gone,), patience_s=0.1) == (gone,)
    left = [one]
    monkeypatch.setattr(processes, "KILLED_S", 10.0)
    assert end(lambda: tuple(member for member in left if process(member.pid)), patience_s=5) == ()
    assert sleeper.wait(5) == -15


@BOTH
def test_who_listens(way):
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        port, other = one.getsockname()[1], two.getsockname()[1]
        (owner,) = owners(port)
        assert owner.pid == os.getpid()
        assert str(owner) == f"{owner.name} ({os.getpid()})"
        assert {port, other} <= set(ports_of([os.getpid()]))
        assert ports_of([2**22 + 1]) == ()
    assert owners(port) == ()


def test_a_listener_of_another_user():
    """Somebody listens, and we may not see who."""
    assert str(Owner()) == "a process of another user"


def test_no_lsof(monkeypatch):
    """Where nothing tells, nothing is told."""
    monkeypatch.setattr(listeners, "_by_proc", lambda: False)
    monkeypatch.setattr(listeners.shutil, "which", lambda *_, **__: None)
    assert owners(1338) is None
    assert ports_of([1]) == ()


def test_a_process_whose_name_has_brackets(tmp_path):
    """/proc writes the name in brackets, whatever is in it."""
    program = tmp_path / "a) R 1 (b"
    program.symlink_to(sys.executable)
    one = subprocess.Popen([str(program), "-c", SLEEP])
    try:
        limit = time.monotonic() + 20
        while not (process(one.pid) and process(one.pid).name == "a) R 1 (b"):
            assert time.monotonic() < limit
            time.sleep(0.02)
        assert process(one.pid).parent == os.getpid()
    finally:
        one.kill()
        one.wait()


def test_lines_of_ps_that_say_nothing():
    assert read_ps("\n  12 1 12 S Sun\n\n") == ()


def test_where_we_are():
    """The boot and the machine are known; the same each time."""
    assert here() == here()
    assert all(here()[name] for name in ("host", "boot"))
    assert is_here(here())
    assert not is_before_restart(here())


def test_a_machine_keeps_its_identity_when_it_is_renamed(monkeypatch, tmp_path):
    """By a file of the system's, or on macOS by its hardware; its name only where there is nothing else."""
    named = tmp_path / "machine-id"
    monkeypatch.setattr(processes, "_MACHINE_IDS", (str(tmp_path / "none"), str(named)))
    monkeypatch.setattr(processes.platform, "node", lambda: "attic")
    assert processes._machine() == "attic"
    named.write_text("uninitialized\n")
    assert processes._machine() == "attic"
    named.write_text("0123456789abcdef0123456789abcdef\n")
    assert processes._machine() == "0123456789abcdef0123456789abcdef"
    named.unlink()
    hardware = '  |   "IOPlatformUUID" = "00000000-0000-1000-8000-00005E005301"\n'
    monkeypatch.setattr(processes, "_output", lambda *words: hardware if words[0] == "ioreg" else "")
    monkeypatch.setattr(processes.sys, "platform", "darwin")
    assert processes._machine() == "00000000-0000-1000-8000-00005E005301"


def test_where_no_start_of_the_machine_is_known_its_identity_counts(monkeypatch):
    """Two machines without one are not taken for each other."""
    where = {"host": "a", "name": "attic", "boot": "", "space": ""}
    monkeypatch.setattr(processes, "here", lambda: where)
    assert is_here(where)
    assert not is_here({**where, "host": "b"})
    assert not is_before_restart({**where, "host": "b", "boot": "1"})
    assert is_before_restart({**where, "boot": "1"})
