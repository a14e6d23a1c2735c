"""`build --open` as a command: its one line of address, the watching, and its end."""

import http.client
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from waiting import until


@pytest.mark.parametrize("other", [("--check",), ("--format", "json")])
def test_open_stands_alone(pf, other):
    """--open with --check or JSON is wrong usage."""
    outcome = pf("build", "--open", *other)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: --open goes with neither --check nor --format json\n"


def test_without_its_libraries_it_says_how_to_install_them(pf, monkeypatch):
    """A missing extra is exit code 2, with its exact install command."""
    for name in ("promptforge.page.server", "promptforge.page.open"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    outcome = pf("build", "--watch", "--open")
    assert outcome.code == 2
    assert outcome.err == (
        "error: build --open needs the extra 'page'\n"
        "  hint: pip install 'watchfiles>=0.21' 'starlette>=0.40' 'uvicorn>=0.30'\n"
    )


@contextmanager
def watching(house, environ, tmp_path, *options):
    """The command at work: the process, its host, its token, and where its stderr lies."""
    environ = {name: value for name, value in environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")}
    out, err = tmp_path / "out", tmp_path / "err"
    command = [sys.executable, "-m", "promptforge", "build", *options]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=house.root, env=environ, stdout=stdout, stderr=stderr)
    late = threading.Timer(120, process.kill)  # its stream never ends by itself
    late.start()
    try:
        until(lambda: process.poll() is not None or "watching for changes" in err.read_text())
        found = re.search(r"the page, for this machine alone: http://([\d.:]+)/([\w-]+)/\n", err.read_text())
        assert found, err.read_text()
        yield process, found[1], found[2], err
    finally:
        late.cancel()
        if process.poll() is None:
            process.kill()
        process.wait()


@contextmanager
def stream(host, token):
    """The lines of the stream of events."""
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", f"/{token}/events")
    answer = connection.getresponse()
    try:
        yield (line.decode() for line in answer)
    finally:
        answer.close()
        connection.close()


@pytest.mark.parametrize("options", [("--open",), ("--watch", "--open")])
def test_it_watches_and_ends_at_once_with_a_page_open(house, environ, tmp_path, options):
    """--open implies --watch. A save reaches the stream; Ctrl-C tells the page, and is 130 as without one."""
    with watching(house, environ, tmp_path, *options) as (process, host, token, err), stream(host, token) as lines:
        assert '"ok":true' in next(line for line in lines if line.startswith('data: {"number":1'))
        house.edit("knowledge/house.yaml", ("port: 445", "port: 99999"))
        assert '"ok":false' in next(line for line in lines if line.startswith('data: {"number":2'))
        process.send_signal(signal.SIGINT)
        assert "event: end\n" in list(lines)
        assert process.wait(20) == 130
        said = err.read_text()
        assert said.endswith("stopped\n")
        assert "Traceback" not in said
        assert "interrupted" not in said
        assert (said + (tmp_path / "out").read_text()).count(token) == 1


def test_some_agents_alone_leave_the_others_on_the_page(house, environ, tmp_path):
    """With --agent the page shows the whole artifact, as it lies there."""
    subprocess.run(
        [sys.executable, "-m", "promptforge", "build"], cwd=house.root, env=environ, check=True, capture_output=True
    )
    with (
        watching(house, environ, tmp_path, "--open", "--agent", "windu") as (_, host, token, _),
        stream(host, token) as lines,
    ):
        line = next(line for line in lines if line.startswith('data: {"number":1'))
        assert '"name":"windu"' in line
        assert '"name":"yoda"' in line
