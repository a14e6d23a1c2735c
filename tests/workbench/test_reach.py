"""Who answers at a local address, and who owns its port: held against real servers and sockets."""

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable

import pytest

from promptforge.backends import listeners
from promptforge.backends.listeners import Owner, owners
from promptforge.workbench.reach import Answer, ask, ask_all, local_port
from servers import FULL, HTML, NO_MODELS, free_port, listening, on, server


def asked(port: int, *, timeout_s: float = 2.0) -> Answer:
    return ask(f"http://127.0.0.1:{port}/v1", timeout_s=timeout_s)


# --- one question -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (FULL, Answer(state="running", models=("coder", "/models/tiny"))),
        (on({"/v1/models": (200, {"object": "list", "data": None})}), Answer(state="running", models=())),
        (
            on({"/v1/models": (200, [{"name": "a"}, "b", 3, {"id": "c\x1b[31m"}])}),
            Answer(state="running", models=("a", "b", "c?[31m")),
        ),
        (NO_MODELS, Answer(state="running", detail="it lists no models")),
        (on({"/v1/models": (401, {"error": "Unauthorized"})}), Answer(state="running", detail="it asks for a key")),
        (
            on({}, (503, "application/json", '{"error": {"message": "Loading model"}}')),
            Answer(state="starting", detail="it says that it is not ready yet"),
        ),
        (
            on({}, HTML),
            Answer(state="something else", detail="it answers, but not like a model server (HTTP 200 at /models)"),
        ),
        (
            on({}, (401, "text/html", "<h1>Log in</h1>")),
            Answer(state="something else", detail="it answers, but not like a model server (HTTP 401 at /models)"),
        ),
        (
            on({}),
            Answer(state="something else", detail="it answers, but not like a model server (HTTP 404 at /models)"),
        ),
        (
            on({}, (200, "application/json", "[" * 100_000)),
            Answer(state="something else", detail="it answers, but not like a model server (HTTP 200 at /models)"),
        ),
    ],
    ids=["full", "no-data", "list", "mlx-without-cache", "key", "loading", "html", "login", "no-such-route", "nested"],
)
def test_what_a_server_answers(answers, expected):
    """Model servers of several kinds are told from each other and from what is no model server."""
    with server(answers) as (port, _):
        assert asked(port) == expected


def test_nothing_listens():
    """A port that nobody holds is a server that does not run."""
    assert asked(free_port()) == Answer(state="not running", detail="nothing listens there")


def test_a_server_that_hangs():
    """A server that takes the connection and says nothing is given up."""
    with listening() as port:
        answer = asked(port, timeout_s=0.2)
    assert answer == Answer(state="silent", detail="it listens, but does not answer within 0.2 s")


def test_a_server_that_drips():
    """A server that answers a byte at a time, each within the time, is given up all the same."""

    def drip(connection: socket.socket) -> None:
        for byte in b"HTTP/1.0 200 OK\r\nX: " + b"x" * 40:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                return
            time.sleep(0.03)

    with listening(drip) as port:
        url = f"http://127.0.0.1:{port}/v1"
        assert ask_all([url], timeout_s=0.2)[url].state == "silent"


def test_what_does_not_speak_http():
    """Another protocol on the port is something else, not a server that does not run."""

    def ssh(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

    for speak in (ssh, lambda connection: None):
        with listening(speak) as port:
            assert asked(port) == Answer(state="something else", detail="what listens there does not speak HTTP")


def test_no_tls():
    """A plain server that is asked for TLS fails as what it is."""
    with server(FULL) as (port, _):
        answer = ask(f"https://127.0.0.1:{port}/v1")
    assert answer.state == "something else"
    assert answer.detail.startswith("no TLS connection: ")


@pytest.mark.parametrize(
    "url", ["http://", "http://127.0.0.1:99999/v1", "http://127.0.0.1:x/v1", "http://a b/v1", "http://[::1"]
)
def test_a_base_url_that_is_none(url):
    """An address that cannot be one is said, and nothing is raised."""
    assert ask(url) == Answer(state="not running", detail="its base_url cannot be used")


def test_a_host_that_is_not_there():
    """A name that nobody has is no riddle."""
    assert ask("http://nobody.invalid/v1").detail == "there is no host of that name"


def test_all_are_asked():
    """Several servers that hang are all given up."""
    with listening() as one, listening() as two, listening() as three:
        answers = ask_all([f"http://127.0.0.1:{port}/v1" for port in (one, two, three)], timeout_s=0.4)
    assert {answer.state for answer in answers.values()} == {"silent"}


def test_stays_where_it_was_meant(monkeypatch):
    """No redirect is followed and no proxy used: the question reaches nobody else."""
    with server(FULL) as (other, seen):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{other}")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{other}")
        with server(on({}, (302, "text/html", f"http://127.0.0.1:{other}/v1/models"))) as (port, _):
            assert asked(port).state == "something else"
        assert asked(free_port()).state == "not running"
        assert seen == []


# --- ports ------------------------------------------------------------------------------------------------------------


def test_the_port_of_a_url():
    """Only an address of this machine has a port whose owner we can know."""
    assert local_port("http://127.0.0.1:1337/v1") == 1337
    assert local_port("http://localhost:8080") == 8080
    assert local_port("https://[::1]/v1") == 443
    assert local_port("http://0.0.0.0/v1") == 80
    assert local_port("http://192.0.2.10:1337/v1") is None
    assert local_port("http://api.example:1337") is None
    assert local_port("http://127.0.0.1:x") is None


def _lookups() -> list[Callable[[int], tuple[Owner, ...] | None]]:
    lookups: list[Callable[[int], tuple[Owner, ...] | None]] = [owners]
    return [*lookups, _lsof] if shutil.which("lsof") else lookups


def _lsof(port: int) -> tuple[Owner, ...] | None:
    found = listeners._by_lsof(f"-iTCP:{port}")
    return None if found is None else tuple(dict.fromkeys(owner for owner, _ in found))


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("lookup", _lookups())
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", *(["::1", "::"] if _has_ipv6() else [])])
def test_the_owner_of_a_port(lookup, host):
    """The process that listens is found by its number, for IPv4 and IPv6, with /proc and with lsof."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        found = lookup(port)
        assert found is not None
        assert [owner.pid for owner in found] == [os.getpid()]
        assert found[0].name
    assert lookup(port) == ()


def test_an_owner_that_cannot_be_told(monkeypatch):
    """Where there is neither /proc nor lsof, nobody guesses."""
    monkeypatch.setattr(sys, "platform", "plan9")
    monkeypatch.setenv("PATH", "/nowhere")
    assert owners(1) is None
