"""Servers that we start: real child processes, which behave as badly as servers do."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from promptforge.backends import server as module
from promptforge.backends.canary import QUESTIONS, different
from promptforge.backends.listeners import owners
from promptforge.backends.processes import process
from promptforge.backends.server import Serving, serve
from promptforge.backends.trouble import TROUBLES, ServerError
from promptforge.errors import InputError, WriteError
from promptforge.model import Model
from servers import free_port

PRETEND = Path(__file__).parent / "pretend.py"
PATIENCE_S = 60.0
SHORT_S = 1.5
"""For a server that is never ready."""


def model(*options: str, name: str = "coder", **settings: object) -> Model:
    """A model whose server is the pretended one."""
    serve = shlex.join([sys.executable, str(PRETEND), "--port", "{port}", *options])
    entry = {"backend": "compatible", "model": "coder-14b", "base_url": "http://127.0.0.1:1338/v1", "serve": serve}
    return Model(name=name, backend="compatible", tier="local", settings={**entry, **settings})


def with_adapter(*options: str) -> Model:
    """The same, and it takes an adapter."""
    made = model(*options)
    line = f"{made.settings['serve']} [--adapter-path {{adapter}}]"
    return model(*options, serve=line)


def adapter(folder: Path, **trained: object) -> Path:
    folder.mkdir()
    (folder / "adapters.safetensors").write_text(json.dumps(trained))
    return folder


def serving(served: Model, folder: Path, **more: object):
    return serve(served, folder=folder, environment=os.environ, **{"patience_s": PATIENCE_S, **more})


def trouble_of(served: Model, folder: Path, **more: object) -> ServerError:
    """What goes wrong at the start."""
    with pytest.raises(ServerError) as caught, serving(served, folder, **more):
        pytest.fail("it was ready")
    assert caught.value.exit_code == 4
    assert nothing_left(folder)
    return caught.value


def nothing_left(folder: Path) -> bool:
    return not list((folder / ".promptforge" / "servers").glob("*.json"))


def is_there(pid: int) -> bool:
    return process(pid) is not None


def wait_until(seen: Callable[[], bool], limit_s: float = 30) -> None:
    limit = time.monotonic() + limit_s
    while not seen():
        assert time.monotonic() < limit, "it never happened"
        time.sleep(0.02)


# --- start and end ----------------------------------------------------------------------------------------------------


def test_a_server_lives_as_long_as_it_is_needed(tmp_path):
    """It has a port of its own, which is free again afterwards; its record goes, its log stays."""
    with serving(model("--say", "hello from the server"), tmp_path) as one:
        assert one.base_url == f"http://127.0.0.1:{one.port}/v1" == one.model.settings["base_url"]
        assert one.port != 1338
        assert (one.pid, one.group) == (one.pid, one.pid)
        assert [owner.pid for owner in owners(one.port)] == [one.pid]
        assert one.command[1:4] == (str(PRETEND), "--port", str(one.port))
        assert [said.question for said in one.canary] == list(QUESTIONS)
        assert one.ready_s > 0
        one.proof()
        assert not nothing_left(tmp_path)
    assert not is_there(one.pid)
    assert owners(one.port) == ()
    assert nothing_left(tmp_path)
    assert "hello from the server" in one.log.read_text()


def test_each_arm_has_a_fresh_server(tmp_path):
    """Two starts are two processes on two ports, also at once."""
    with serving(model(), tmp_path) as one, serving(model(), tmp_path) as two:
        assert one.port != two.port
        assert one.pid != two.pid
        one.proof()
        two.proof()
        assert not different(one.canary, two.canary)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--slow", "0.4"], id="listens late"),
        pytest.param(["--loading", "0.8"], id="says 503 at first"),
        pytest.param(["--no-health", "--loading", "0.5"], id="has no health, and an empty list of models"),
        pytest.param(["--fork"], id="a child listens"),
        pytest.param(["--launch"], id="a child in another session listens, and the first process ends"),
        pytest.param(["--fork", "--bare"], id="a child without an environment listens"),
        pytest.param(["--host", "0.0.0.0"], id="listens on all addresses"),
        pytest.param(["--stubborn", "--fork"], id="ignores SIGTERM"),
        pytest.param(["--no-weights", "silent"], id="tells no weights"),
        pytest.param(["--no-weights", "refused"], id="refuses to tell weights"),
    ],
)
def test_servers_differ(tmp_path, monkeypatch, options):
    """Each is waited for in its own way, is proven to be ours, and is gone afterwards with all its processes."""
    monkeypatch.setattr(module, "_END_S", 0.5)
    note = tmp_path / "note"
    with serving(model("--note", str(note), *options), tmp_path) as one:
        one.proof()
        (owner,) = owners(one.port)
        if "--fork" in options:
            first, child = map(int, note.read_text().split())
            assert (first, child) == (one.pid, owner.pid)
        if "--launch" in options:
            assert owner.pid == int(note.read_text().split()[1]) != one.pid
        assert one.canary[1].text == "the capital of France?"
    assert not is_there(owner.pid)
    assert not is_there(one.pid)
    assert owners(one.port) == ()


def test_what_happens_inside_is_not_hidden(tmp_path):
    """An exception of the caller's ends the server and goes on."""
    with pytest.raises(ZeroDivisionError), serving(model(), tmp_path) as one:
        _ = 1 / 0
    assert not is_there(one.pid)
    assert nothing_left(tmp_path)


def test_the_environment_and_the_folder(tmp_path):
    """It runs in the project's folder, with the caller's variables, and those of the command."""
    told = tmp_path / "told"
    line = f"GREETING='good morning' {model('--tell', str(told)).settings['serve']}"
    environment = {**os.environ, "HOUSE": "manor", "GREETING": "hello"}
    with serve(model(serve=line), folder=tmp_path, environment=environment, patience_s=PATIENCE_S):
        found = json.loads(told.read_text())
    assert found["folder"] == str(tmp_path)
    assert (found["environ"]["HOUSE"], found["environ"]["GREETING"]) == ("manor", "good morning")
    assert found["environ"]["PYTHONUNBUFFERED"] == "1"


def test_the_log_and_the_record_are_nobody_elses(tmp_path):
    """Prompts may stand in a log, and keys on a command line: only the owner reads them, and the key is not kept."""
    served = model(serve=f"{model().settings['serve']} --say x")
    with serving(served, tmp_path) as one:
        (record,) = (tmp_path / ".promptforge" / "servers").glob("*.json")
        assert record.stat().st_mode & 0o077 == 0
        assert one.log.stat().st_mode & 0o077 == 0
        assert (tmp_path / ".promptforge" / ".gitignore").read_text() == "*\n"
        kept = json.loads(record.read_text())
    assert kept["owner"][0] == os.getpid()
    assert kept["server"][0] == one.pid


def test_old_logs_go(tmp_path):
    """The newest twenty stay."""
    folder = tmp_path / ".promptforge" / "servers"
    folder.mkdir(parents=True)
    for number in range(25):
        path = folder / f"old-{number:02}.log"
        path.write_text("")
        os.utime(path, (1000 + number, 1000 + number))
    with serving(model(), tmp_path) as one:
        pass
    names = sorted(path.name for path in folder.glob("*.log"))
    assert names == sorted([one.log.name, *(f"old-{number:02}.log" for number in range(5, 25))])


# --- proof ------------------------------------------------------------------------------------------------------------


def test_a_server_that_dies_in_the_middle(tmp_path):
    """The next proof says so, with how it ended and what it said last."""
    with serving(model("--last-chat", "12"), tmp_path) as one:
        ask(one)
        wait_until(lambda: not is_there(one.pid))
        with pytest.raises(ServerError) as caught:
            one.proof()
    assert caught.value.trouble == "died_later"
    assert caught.value.message == (
        "the server of 'coder' ended in the middle: exit code 3\n    RuntimeError: the graphics card fell off the bus"
    )
    assert caught.value.hint == f"what it answered is kept; its log: {one.log}"


def test_a_server_that_is_killed(tmp_path):
    """Killed from outside: memory is the usual reason."""
    with serving(model(), tmp_path) as one:
        os.kill(one.pid, signal.SIGKILL)
        wait_until(lambda: not is_there(one.pid))
        with pytest.raises(ServerError) as caught:
            one.proof()
    assert "killed by SIGKILL, perhaps for want of memory" in caught.value.message


def test_a_server_that_listens_no_more(tmp_path):
    """It lives, but what listens on its port from now on is not the server."""
    deafen = tmp_path / "deafen"
    with serving(model("--deafen", str(deafen)), tmp_path) as one:
        deafen.touch()
        wait_until(lambda: owners(one.port) == ())
        with pytest.raises(ServerError) as caught:
            one.proof()
        with socket.create_server(("127.0.0.1", one.port)), pytest.raises(ServerError) as taken:
            one.proof()
    assert caught.value.trouble == "lost"
    assert caught.value.message == f"the server of 'coder' runs, but listens on port {one.port} no more"
    assert taken.value.trouble == "foreign"


def test_a_second_listener_on_the_same_port(tmp_path):
    """The system would share the requests between the two: half of the answers would be somebody else's."""
    with serving(model("--shared"), tmp_path) as one:
        with socket.socket() as other:
            hold(other, one.port)
            with pytest.raises(ServerError) as caught:
                one.proof()
        one.proof()
    me = f"{process(os.getpid()).name} ({os.getpid()})"
    assert caught.value.trouble == "foreign"
    assert caught.value.message == f"{me} listens on port {one.port}, and the server of 'coder' did not start it"


def hold(one: socket.socket, port: int) -> None:
    """Listen where another one does."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind(("127.0.0.1", port))
    one.listen()


def ask(one: Serving) -> None:
    import urllib.request

    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}).encode()
    with urllib.request.urlopen(f"{one.base_url}/chat/completions", body, timeout=20) as response:
        response.read()


# --- the port ---------------------------------------------------------------------------------------------------------


@contextmanager
def ports(monkeypatch, *numbers: int):
    """The ports that are chosen, one after the other."""
    left = list(numbers)
    monkeypatch.setattr(module, "_free_port", lambda: left.pop(0))
    yield left


def test_an_older_server_on_the_port_is_not_taken_for_ours(tmp_path, monkeypatch):
    """Whoever took the port after it was chosen is asked nothing; another port is tried."""
    with serving(model(name="older"), tmp_path) as older:
        free = free_port()
        with ports(monkeypatch, older.port, free), serving(model(), tmp_path) as one:
            assert one.port == free
            older.proof()


def test_a_port_that_is_always_taken(tmp_path, monkeypatch):
    """After three ports the one who listens is named."""
    with serving(model(name="older"), tmp_path) as older, ports(monkeypatch, *[older.port] * 3) as left:
        with pytest.raises(ServerError) as caught, serving(model(), tmp_path):
            pytest.fail("an older server was taken for ours")
        older.proof()
    assert left == []
    assert caught.value.trouble == "foreign"
    name = process(os.getpid()).name
    assert caught.value.message == (
        f"{name} ({older.pid}) listens on port {older.port}, and the server of 'coder' did not start it"
    )


def test_a_server_that_says_that_its_port_is_taken(tmp_path):
    """Whoever had it may be gone when we look: another port is tried all the same."""
    found = trouble_of(model("--say", "[Errno 98] Address already in use", "--die", "1"), tmp_path)
    assert found.trouble == "foreign"
    assert found.message.startswith("something that is gone by now listens on port ")


def test_another_program_that_listens(tmp_path):
    """A command that hands its work to a process of somebody else's proves nothing, whatever answers."""
    with older_server() as (port, pid):
        line = f"{shlex.quote(sys.executable)} -c 'import time; time.sleep(60)' {{port}}"
        with pytest.MonkeyPatch.context() as patch, ports(patch, port, port, port):
            found = trouble_of(model(serve=line), tmp_path)
    assert found.trouble == "foreign"
    assert f"({pid}) listens on port {port}" in found.message
    assert "docker" in found.hint


@contextmanager
def older_server():
    """A server that somebody else started."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(PRETEND), "--port", str(port)])
    try:
        wait_until(lambda: bool(owners(port)))
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_program_that_is_not_there(tmp_path):
    found = trouble_of(model(serve="no-such-server --port {port}"), tmp_path)
    assert found.trouble == "no_program"
    assert found.message == "the server of 'coder' cannot be started: there is no program 'no-such-server'"
    assert found.hint == "install it, or write its whole path in `serve` of promptforge.yaml"


def test_a_program_that_cannot_run(tmp_path):
    """A script of no known kind."""
    script = tmp_path / "server.sh"
    script.write_bytes(b"\x7fELF and nothing else")
    script.chmod(0o755)
    found = trouble_of(model(serve="./server.sh {port}"), tmp_path)
    assert found.trouble == "no_start"
    assert found.message == f"the server of 'coder' cannot be started: {script}: exec format error"
    assert found.hint == "mend `serve` in promptforge.yaml"


def test_a_log_that_cannot_be_written(tmp_path, monkeypatch):
    """Nothing is started."""
    monkeypatch.setattr(module, "prune_logs", shutil.rmtree)
    with pytest.raises(WriteError) as caught, serving(model(name="the / coder"), tmp_path):
        pytest.fail("it was started")
    assert caught.value.message.startswith(f"cannot write {tmp_path}/.promptforge/servers/the---coder-")
    assert caught.value.message.endswith(".log: No such file or directory")
    assert caught.value.hint == "make room"


def test_a_server_that_dies_at_once(tmp_path):
    """Seen at once, with how it ended, its last words, and how to start it by hand; a key in them is not shown."""
    said = "error: no such model; api_key=sk-abcdef123456"
    served = model("--die", "3", "--say", said)
    found = trouble_of(served, tmp_path)
    assert found.trouble == "died"
    assert found.message == (
        "the server of 'coder' ended before it was ready: exit code 3\n    error: no such model; api_key=[hidden]"
    )
    assert found.hint.startswith("start it by hand to see more: ")
    assert str(PRETEND) in found.hint
    assert ".log has all that it said)" in found.hint


def test_a_launcher_that_fails_and_leaves_a_child(tmp_path):
    """What it left is ended, too."""
    note = tmp_path / "note"
    script = f"{shlex.quote(sys.executable)} {PRETEND} --port $1 --mute --note {note} & echo $! > {note}; exit 4"
    found = trouble_of(model(serve=f"/bin/sh -c {shlex.quote(script)} sh {{port}}"), tmp_path)
    assert found.trouble == "died"
    assert "exit code 4" in found.message
    assert not is_there(int(note.read_text()))


@pytest.mark.parametrize(
    ("options", "state"),
    [
        (["--mute"], "it does not listen yet"),
        (["--loading", "100"], "it says that it is still loading"),
    ],
)
def test_a_server_that_is_never_ready(tmp_path, options, state):
    found = trouble_of(model(*options, "--say", "Loading 3 of 48 layers"), tmp_path, patience_s=SHORT_S)
    assert found.trouble == "not_ready"
    assert found.message == (f"the server of 'coder' was not ready after 1.5 s: {state}\n    Loading 3 of 48 layers")
    assert found.hint.startswith("a large model may need more time to load; its log: ")


def test_a_server_that_has_failed_and_runs_on(tmp_path):
    """It is not waited for; the lines of its log that only tell of our asking are left out."""
    found = trouble_of(model("--broken", "--say", "FileNotFoundError: no weights"), tmp_path)
    assert found.trouble == "broken"
    assert found.message == (
        "the server of 'coder' has failed, and runs on: it says that it is unavailable\n"
        "    FileNotFoundError: no weights"
    )
    assert found.hint.startswith("start it by hand to see more: ")


def test_a_server_that_is_deaf(tmp_path, monkeypatch):
    """It listens and never answers: time is up all the same."""
    monkeypatch.setattr("promptforge.backends.talk._GLANCE_S", 0.3)
    found = trouble_of(model("--deaf"), tmp_path, patience_s=SHORT_S)
    assert (found.trouble, "still loading" in found.message) == ("not_ready", True)


def test_a_server_on_another_port(tmp_path):
    found = trouble_of(model("--elsewhere"), tmp_path, patience_s=SHORT_S)
    assert found.trouble == "elsewhere"
    assert found.message.startswith("the server of 'coder' listens on port ")
    assert ", not on " in found.message
    assert found.hint == "write {port} in `serve` where the command takes its port"


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_does_not_answer_chats(tmp_path, status):
    """Its own words and the usual hint; an error that may pass is tried a few times."""
    found = trouble_of(model("--status", str(status)), tmp_path)
    assert found.trouble == "refuses"
    assert found.message.startswith("the server of 'coder' is there, but does not answer a chat: ")
    assert "no, said the server" in found.message
    assert "; its log: " in found.hint


def test_a_server_that_dies_at_a_canary(tmp_path):
    """It was ready, and the fixed requests ended it."""
    found = trouble_of(model("--last-chat", "3"), tmp_path)
    assert found.trouble == "died_later"


def test_a_machine_that_does_not_tell(tmp_path, monkeypatch):
    """Where nobody can say who listens, nothing is believed."""
    free = free_port()
    with ports(monkeypatch, free):
        monkeypatch.setattr(module, "owners", lambda port: None)
        found = trouble_of(model(), tmp_path)
    assert found.trouble == "unprovable"
    assert found.message == (
        f"this machine does not tell who listens on port {free}, so nothing shows that it is the server of 'coder'"
    )
    assert found.hint == "install lsof"


def test_a_server_that_does_not_end(tmp_path, monkeypatch):
    """What is left after all is told, and its record stays for the next start."""
    real = module.end
    monkeypatch.setattr(module, "end", lambda look, *, patience_s: (*real(look, patience_s=patience_s), process(1)))
    with pytest.raises(ServerError) as caught, serving(model(), tmp_path):
        pass
    assert caught.value.trouble == "stays"
    assert caught.value.message == (
        f"the server of 'coder' does not end: {process(1)} is still there after being killed"
    )
    assert caught.value.hint == "it may wait for a disk or a graphics card; end it before the next run"
    assert not nothing_left(tmp_path)


def test_a_port_that_stays_taken(tmp_path, monkeypatch):
    """Something that the server started has left its group, and listens on."""
    monkeypatch.setattr(module, "_FREE_S", 0.2)
    taken: list[int] = []
    with socket.socket() as holder:
        found = end_with(lambda port: (hold(holder, port), taken.append(port)), tmp_path)
    me = f"{process(os.getpid()).name} ({os.getpid()})"
    assert found.trouble == "port_stays"
    assert found.message == f"the server of 'coder' ended, but {me} still listens on its port {taken[0]}"
    assert found.hint == "it may have started something that left its group: end that before the next run"


def end_with(act: Callable[[int], object], folder: Path) -> ServerError:
    """What goes wrong at the end, after something was done with the port."""
    with pytest.raises(ServerError) as caught, serving(model("--shared"), folder) as one:
        act(one.port)
    return caught.value


def test_a_start_that_is_stopped(tmp_path):
    """The caller's event ends the waiting, and the server."""
    stop = threading.Event()
    timer = threading.Timer(0.6, stop.set)
    timer.start()
    found = trouble_of(model("--loading", "100"), tmp_path, stop=stop)
    timer.join()
    assert found.trouble == "stopped"
    assert found.message == "stopped before the server of 'coder' was ready"
    assert found.hint == "run the command again"


def test_every_trouble_is_told():
    """The table has a message and a hint for each, and no placeholder is left in them."""
    from typing import get_args

    from promptforge.backends.trouble import Trouble

    assert set(TROUBLES) == set(get_args(Trouble))
    assert all(message and hint for message, hint in TROUBLES.values())


def test_an_adapter_that_is_not_there(tmp_path):
    """Nothing is started."""
    with pytest.raises(InputError) as caught, serving(with_adapter(), tmp_path, adapter=Path("adapters/none")):
        pytest.fail("it was started")
    assert caught.value.message == "there is no adapter at adapters/none"
    assert not (tmp_path / ".promptforge").exists()


# --- adapters ---------------------------------------------------------------------------------------------------------


def test_an_adapter_shows_in_the_canaries_alone(tmp_path):
    """With it and without it are different; twice with it is the same; no answer names it."""
    trained = adapter(tmp_path / "windu", words=["I", "am", "Windu."])
    arms = [None, trained, trained]
    canaries = []
    for one in arms:
        with serving(with_adapter(), tmp_path, adapter=one) as served:
            assert served.adapter == one
            canaries.append(served.canary)
    base, first, second = canaries
    assert different(base, first)
    assert different(first, base)
    assert not different(first, second)


def test_an_adapter_that_changes_no_word(tmp_path):
    """The weights of the tokens show it where the server tells them."""
    subtle = adapter(tmp_path / "subtle", weight=-0.5)
    with serving(with_adapter(), tmp_path) as base, serving(with_adapter(), tmp_path, adapter=subtle) as tuned:
        assert [one.text for one in base.canary] == [one.text for one in tuned.canary]
        assert different(base.canary, tuned.canary)


def test_both_arms_on_one_server(tmp_path):
    """The seed's bug: whatever the second arm thinks that it measures, the canaries say that it is the first again."""
    with serving(with_adapter(), tmp_path) as one:
        before, after = one.canary, one.canary
    assert not different(before, after)


def test_a_server_that_answers_at_random(tmp_path):
    """Its words are no evidence."""
    served = model("--random", "--no-weights", "silent")
    with serving(served, tmp_path) as one, serving(served, tmp_path) as two:
        assert one.canary[0].text != two.canary[0].text
        assert not one.canary[0].stable
        assert not different(one.canary, two.canary)


# --- interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_while_it_starts(tmp_path, presses):
    """The server and its child are ended, by a second press without ado."""
    note, said = tmp_path / "note", tmp_path / "said"
    stubborn = ["--stubborn"] if presses == 2 else []
    served = model("--fork", "--loading", "100", *stubborn, "--note", str(note))
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom promptforge.backends.server import serve\n"
        "from promptforge.model import Model\n"
        f"settings = {dict(served.settings)!r}\n"
        "model = Model(name='coder', backend='compatible', tier='local', settings=settings)\n"
        f"with serve(model, folder=Path({str(tmp_path)!r}), environment=os.environ):\n    pass\n"
    )
    with said.open("wb") as out:
        owner = subprocess.Popen([sys.executable, "-c", script], stderr=out)
        try:
            wait_until(lambda: note.exists() and len(note.read_text().split()) == 2)
            first, child = map(int, note.read_text().split())
            wait_until(lambda: bool(list((tmp_path / ".promptforge/servers").glob("*.json"))))
            time.sleep(0.3)
            for _ in range(presses):
                owner.send_signal(signal.SIGINT)
                time.sleep(0.5)
            owner.wait(60)
        finally:
            owner.kill()
            owner.wait()
    assert "KeyboardInterrupt" in said.read_text()
    wait_until(lambda: not is_there(first) and not is_there(child))
