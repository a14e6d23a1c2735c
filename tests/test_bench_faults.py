"""No answer is lost: real runs against a real server, killed, interrupted, at once, out of disk, out of time."""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.servers import Asked, Server, completion, response, serving

CASES = 24
REQUESTS = 2 * CASES
"""With the base prompt and with the enriched one."""
LANES = 4


class Slow:
    """A model server that takes its time, and can be told to behave worse."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.latency_s = 0.03
        self.ends = threading.Event()
        self.badly: Callable[[socket.socket, int], bool | None] = lambda connection, number: None
        """Asked before each answer, with the number of the request; what it returns instead of None ends the reply."""

    @property
    def posts(self) -> list[Any]:
        """The requests for an answer, so far."""
        return [asked.json for asked in self.server.asked if asked.method == "POST"]

    def reply(self, asked: Asked, connection: socket.socket) -> bool:
        """Answer; whether the connection stays open."""
        if asked.method == "GET":
            connection.sendall(response({"object": "list", "data": [{"id": "m"}]}))
            return True
        number = len(self.posts)
        self.ends.wait(self.latency_s)
        if (done := self.badly(connection, number)) is not None:
            return done
        system, question = (asked.json["messages"][at]["content"] for at in (0, -1))
        port = question.split()[-1].rstrip("?").replace("P", "40")
        connection.sendall(response(completion(f"Port {port}." if port in system else "I don't know.")))
        return True


@pytest.fixture
def slow() -> Iterator[Slow]:
    """The server; what hangs in it goes on when the test is over."""
    made: list[Slow] = []
    with serving(lambda asked, connection: made[0].reply(asked, connection)) as server:
        made.append(Slow(server))
        try:
            yield made[0]
        finally:
            made[0].ends.set()


@pytest.fixture
def project(tmp_path: Path, slow: Slow) -> Path:
    """A project with one agent and a suite, whose model is the slow server."""
    return _project(tmp_path / "project", slow.server.base_url)


def _project(root: Path, base_url: str) -> Path:
    numbers = [f"{number:02}" for number in range(CASES)]
    rows = "".join(f"  - {{host: mini, port: 40{n}, codename: P{n}}}\n" for n in numbers)
    cases = "".join(
        f"  - id: p{n}\n    category: ports\n    agents: [yoda]\n    ask: Which port has P{n}?\n"
        f"    expect: {{all: [\"{{{{ one('ports', codename='P{n}').port }}}}\"]}}\n"
        for n in numbers
    )
    files = {
        "promptforge.yaml": f"models:\n  m: {{backend: compatible, base_url: '{base_url}', model: m, tier: local}}\n",
        "knowledge/house.yaml": f"hosts: {{mini: {{role: hub}}}}\nports:\n{rows}",
        "agents/yoda.yaml": "name: yoda\nmodel: m\npersona: You are Yoda.\nsections: [persona, {table: ports}]\n",
        "suites/lab.yaml": f"suite: lab\ncases:\n{cases}",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def _command(root: Path, *more: str) -> list[str]:
    chosen = ("bench", "--concurrency", str(LANES), "--format", "json", "--fail-on", "never", *more)
    return [sys.executable, "-m", "promptforge", "-C", str(root), *chosen]


def _start(root: Path, *more: str, **options: Any) -> "subprocess.Popen[str]":
    environ = {name: value for name, value in os.environ.items() if name != "PROMPTFORGE_DEBUG"}
    pipe = subprocess.PIPE
    return subprocess.Popen(_command(root, *more), stdout=pipe, stderr=pipe, text=True, env=environ, **options)


def _end(process: "subprocess.Popen[str]", timeout_s: float = 60) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; a process that does not end is a failure, and is ended."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    assert "Traceback" not in err
    return process.returncode, out, err


def _run(root: Path, *more: str, **options: Any) -> tuple[int, str, str]:
    return _end(_start(root, *more, **options))


def _until(seen: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + 60
    while not seen():
        assert process.poll() is None, _end(process)
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def _history(root: Path) -> Path:
    return root / ".promptforge/history.db"


def _kept(root: Path) -> int:
    """How many answers the history holds."""
    if not _history(root).exists():
        return 0
    with contextlib.closing(sqlite3.connect(_history(root))) as db, contextlib.suppress(sqlite3.OperationalError):
        return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])
    return 0


def _stopped(root: Path) -> list[str]:
    """Why each run of the history was cut short, or nothing."""
    with contextlib.closing(sqlite3.connect(_history(root))) as db:
        heads = db.execute("SELECT head FROM runs ORDER BY started").fetchall()
    return [json.loads(head)["stopped"] for (head,) in heads]


_OF_THE_MOMENT = frozenset(
    ["started", "finished", "command", "environment", "latency_s", "tokens_per_s", "inherited", "spent_usd", "requests"]
)


def _lasting(report: Any) -> Any:
    """What a report says that does not depend on when, and in how many goes, the requests were sent."""
    if isinstance(report, dict):
        kept = {key: _lasting(value) for key, value in report.items() if key not in _OF_THE_MOMENT}
        if "suite_digest" in kept:
            del kept["id"]
        return kept
    return [_lasting(one) for one in report] if isinstance(report, list) else report


def _check_resumed(root: Path, slow: Slow) -> None:
    """The same command sends exactly what is missing; its report is that of a run that nothing disturbed."""
    kept, sent = _kept(root), len(slow.posts)
    code, out, err = _run(root)
    assert (code, len(slow.posts) - sent) == (0, REQUESTS - kept), err
    whole = _project(root.parent / "undisturbed", slow.server.base_url)
    code, undisturbed, _ = _run(whole)
    assert code == 0
    assert _lasting(json.loads(out)) == _lasting(json.loads(undisturbed))
    assert {reply["state"] for reply in json.loads(out)["replies"]} == {"answered"}


# --- kill -9 ----------------------------------------------------------------------------------------------------------


def test_a_run_that_is_killed_goes_on_where_it_was(project: Path, slow: Slow) -> None:
    """Kill -9 at random moments, again and again: at most the requests in flight are asked twice."""
    chance = random.Random(9)
    for _ in range(4):
        kept, sent = _kept(project), len(slow.posts)
        wanted = sent + chance.randint(1, (REQUESTS - kept) // 3)
        process = _start(project)
        _until(lambda wanted=wanted: len(slow.posts) >= wanted, process)
        time.sleep(chance.random() * slow.latency_s)
        process.kill()
        process.communicate(timeout=30)
        assert _kept(project) >= kept + (len(slow.posts) - sent) - LANES
    asked = Counter(json.dumps(body) for body in slow.posts)
    _check_resumed(project, slow)
    assert sum(asked.values()) - len(asked) <= 4 * LANES


def test_a_kill_before_the_first_answer(project: Path, slow: Slow) -> None:
    """There is a history by then, and nothing in it."""
    slow.latency_s = 60
    process = _start(project)
    _until(lambda: bool(slow.posts), process)
    process.kill()
    process.communicate(timeout=30)
    assert _kept(project) == 0
    slow.ends.set()
    assert _run(project)[0] == 0


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupt_leaves_a_run_that_goes_on(project: Path, slow: Slow, kind: int) -> None:
    """Exit code 130, though the server hangs; what was answered is kept and shown, and the run is on the list."""
    slow.badly = lambda connection, number: None if number <= 10 else not slow.ends.wait(60)
    process = _start(project)
    _until(lambda: len(slow.posts) >= 10 + LANES and _kept(project) == 10, process)
    process.send_signal(kind)
    code, out, err = _end(process, 20)
    assert (code, err.count("\n")) == (130, 1), err
    report = json.loads(out)
    assert report["run"]["stopped"] == "interrupted"
    states = Counter(reply["state"] for reply in report["replies"])
    assert states == {"answered": 10, "failed": REQUESTS - 10}
    assert {r["message"] for r in report["replies"] if r["state"] == "failed"} == {"not sent: interrupted"}
    assert _stopped(project) == ["interrupted"]
    slow.badly = lambda connection, number: None
    _check_resumed(project, slow)


def test_a_second_interrupt_ends_the_process(project: Path, slow: Slow) -> None:
    """At once, with one word; the answers are kept all the same."""
    slow.badly = lambda connection, number: None if number <= 5 else not slow.ends.wait(60)
    process = _start(project)
    _until(lambda: len(slow.posts) >= 5 + LANES and _kept(project) == 5, process)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    code, _, err = _end(process)
    assert code == 130
    assert set(err.splitlines()[1:]) <= {"", "interrupted"}
    assert _kept(project) == 5


# --- the disk, and the history ----------------------------------------------------------------------------------------


def test_a_history_that_cannot_grow(project: Path, slow: Slow) -> None:
    """The run ends with a message of its own; what was written down before is there, and the next run goes on."""
    limit = 150_000
    code, out, err = _run(project, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert (code, out) == (2, ""), err
    assert (
        f"error: {_history(project)}: no room left on the disk\n  hint: make room; every answer so far is kept" in err
    )
    assert 0 < _kept(project) < REQUESTS
    _check_resumed(project, slow)


_ON_A_FULL_DISK = """
import subprocess, sys
from pathlib import Path
disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(disk)], check=True)
full = subprocess.run(sys.argv[2:], capture_output=True, text=True, timeout=50)
print(full.returncode, full.stdout + full.stderr)
subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
more = subprocess.run(sys.argv[2:], capture_output=True, text=True, timeout=50)
assert more.returncode == 0, more.stderr
"""


def test_a_full_disk(project: Path, slow: Slow) -> None:
    """A tiny disk, where this system mounts one: the same message; with more room the run goes on from there."""
    (project / ".promptforge").mkdir()
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        return  # the test above stops the writes in another way
    command = ["unshare", "-m", sys.executable, "-c", _ON_A_FULL_DISK, str(project / ".promptforge")]
    done = subprocess.run([*command, *_command(project)], capture_output=True, text=True, check=False, timeout=110)
    assert (done.returncode, done.stderr) == (0, "")
    code, _, said = done.stdout.partition(" ")
    assert code == "2"
    assert "no room left on the disk\n  hint: make room; every answer so far is kept" in said
    assert "Traceback" not in said
    assert REQUESTS < len(slow.posts) <= REQUESTS + LANES  # what was in flight when the disk was full, and nothing else


def test_a_history_that_another_process_holds(project: Path, slow: Slow) -> None:
    """A short lock is waited for; one that stays is said, and nothing is sent."""
    assert _run(project, "--case", "p00")[0] == 0
    with contextlib.closing(sqlite3.connect(_history(project), isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        process = _start(project)
        time.sleep(2)
        db.execute("COMMIT")
        assert _end(process)[0] == 0
        db.execute("BEGIN IMMEDIATE")
        sent = len(slow.posts)
        code, out, err = _run(project, "--fresh")
    assert (code, out, len(slow.posts)) == (2, "", sent)
    assert f"error: {_history(project)} is held by another process\n  hint: wait for the other run to end" in err


@pytest.mark.parametrize("harm", ["no database", "cut in half", "overwritten"])
def test_a_damaged_history(project: Path, slow: Slow, harm: str) -> None:
    """Its own message, and how to go on without it."""
    assert _run(project)[0] == 0
    path = _history(project)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    harmed = {
        "no database": b"This is no database. " * 500,
        "cut in half": content[: len(content) // 2],
        "overwritten": content[:4096] + os.urandom(len(content) - 4096),
    }
    path.write_bytes(harmed[harm])
    code, out, err = _run(project)
    assert (code, out) == (2, ""), err
    assert f"error: {path} is damaged: " in err
    assert f"\n  hint: move it away (mv {path} {path}.damaged): a new one is made" in err
    shutil.move(path, f"{path}.damaged")
    assert _run(project)[0] == 0


def test_two_runs_at_once(project: Path, slow: Slow) -> None:
    """Both end well, every answer is in the history, and the next run has nothing to ask."""
    both = [_start(project), _start(project)]
    ends = [_end(process) for process in both]
    assert [code for code, _, _ in ends] == [0, 0], ends
    reports = [_lasting(json.loads(out)) for _, out, _ in ends]
    assert reports[0] == reports[1]
    assert len(slow.posts) <= 2 * REQUESTS
    assert (_kept(project), _stopped(project)) == (REQUESTS, ["", ""])
    sent = len(slow.posts)
    assert _run(project)[0] == 0
    assert len(slow.posts) == sent


# --- servers ----------------------------------------------------------------------------------------------------------


def _faults(out: str) -> Counter[tuple[str, str]]:
    return Counter((reply["state"], reply["fault"]) for reply in json.loads(out)["replies"])


def test_a_server_that_never_answers(project: Path, slow: Slow) -> None:
    """Each request has its time, three of them in a row are enough, and no score is made of it."""
    slow.latency_s = 60
    code, out, _ = _run(project, "--timeout", "0.5")
    assert code == 4
    assert _faults(out) == {("timed_out", "timed_out"): REQUESTS}
    assert len(slow.posts) <= 2 * (LANES + 3)  # each of them twice
    assert all(arm["score"]["overall"] is None for arm in json.loads(out)["arms"])
    assert _kept(project) == 0


def test_an_answer_without_end(project: Path, slow: Slow) -> None:
    """A server that never stops sending is cut off, by its time or by the size of what it says."""

    def drip(connection: socket.socket, number: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"1000\r\n" + b" " * 0x1000 + b"\r\n" if fast else b"1\r\n \r\n"
        with contextlib.suppress(OSError):
            while not slow.ends.wait(0 if fast else 0.05):
                connection.sendall(piece)
        return False

    slow.badly = drip
    for fast, fault in ((False, "timed_out"), (True, "endless")):
        code, out, _ = _run(project, "--timeout", "30" if fast else "0.5", "--case", "p00", "--variant", "base")
        assert code == 4
        assert _faults(out) == {("timed_out", fault): 1}


@pytest.mark.parametrize("streamed", [(), ("--stream",)], ids=["whole", "streamed"])
def test_a_time_budget_ends_a_run(project: Path, slow: Slow, streamed: tuple[str, ...]) -> None:
    """Even while the server hangs: exit code 3, what was answered is kept, and the next run goes on from there."""
    slow.badly = lambda connection, number: None if number <= 10 else not slow.ends.wait(60)
    code, out, _ = _run(project, "--max-minutes", "0.05", *streamed)
    assert code == 3
    report = json.loads(out)
    assert report["run"]["stopped"] == "the time budget of 3 s is used up"
    assert _faults(out) == {("answered", ""): 10, ("failed", "not_sent"): REQUESTS - 10}
    assert _kept(project) == 10
    slow.badly = lambda connection, number: None
    _check_resumed(project, slow)


def test_a_server_that_dies_in_the_middle(project: Path, slow: Slow) -> None:
    """It is asked a few times more, then no more; exit code 4, and when it is back the run goes on."""
    slow.badly = lambda connection, number: None if number <= 15 else False
    code, out, _ = _run(project)
    assert code == 4
    faults = _faults(out)
    assert faults == {("answered", ""): 15, ("failed", "unreachable"): REQUESTS - 15}
    assert len(slow.posts) < REQUESTS
    assert _kept(project) == 15
    slow.badly = lambda connection, number: None
    _check_resumed(project, slow)
