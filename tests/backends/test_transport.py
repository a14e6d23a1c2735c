"""The transport: connections that are kept, deadlines that hold, and everything that a network does wrong."""

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from urllib.parse import urlsplit

import pytest

from backends import servers
from backends.servers import Asked, backend, completion, reply_with, response, serving, then_close
from promptforge.backends import faults, transport
from promptforge.backends.base import BackendError, Request
from promptforge.backends.faults import Place, no_answer
from promptforge.backends.proxies import ProxyError, proxy_of
from promptforge.backends.watch import OverdueError
from servers import free_port, listening

ASKED = Request(system="s", messages=(("user", "q"),))


@pytest.fixture(autouse=True, params=["thread", "lane"])
def way(request, monkeypatch):
    """Every server is asked from a thread, and from a lane: both get the same answers, messages and hints."""
    monkeypatch.setattr(servers, "IN_LANES", request.param == "lane")


asks_nobody = pytest.mark.parametrize("way", ["thread"], indirect=True)
"""What asks no server is the same in a lane."""


def fault_at(
    base_url: str, *, timeout_s: float = 5.0, environ: dict[str, str] | None = None, **settings
) -> BackendError:
    """What asking there raises."""
    one = backend(base_url, environ, **settings)
    try:
        with pytest.raises(BackendError) as caught:
            one.answer(ASKED, timeout_s=timeout_s)
    finally:
        one.close()
    return caught.value


# ---- Connections -----------------------------------------------------------------------------------------------------


def test_a_connection_is_kept():
    """Ten requests one after the other go through one connection."""
    with serving(response(completion())) as server:
        one = backend(server.base_url)
        assert {one.answer(ASKED, timeout_s=5).text for _ in range(10)} == {"42069."}
        assert (len(server.asked), server.connections) == (10, 1)
        one.close()


def test_many_threads_have_a_connection_each():
    """Requests at the same time never share a connection, and no thread gets another one's answer."""

    def reply(asked: Asked, connection: socket.socket) -> bool:
        time.sleep(0.005)
        connection.sendall(response(completion(asked.json["messages"][-1]["content"])))
        return True

    with serving(reply) as server:
        one = backend(server.base_url)
        said: dict[str, str] = {}

        def work(number: int) -> None:
            for round_ in range(5):
                asked = f"{number}:{round_}"
                request = Request(system="", messages=(("user", asked),))
                said[asked] = one.answer(request, timeout_s=30).text

        threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one.close()
        assert len(said) == 120
        assert all(asked == answer for asked, answer in said.items())
        assert server.connections <= 24


def test_a_connection_that_was_closed_while_idle_is_opened_again():
    """It costs no retry and is no error; a server that says nothing on a fresh connection is asked only once."""
    with serving(then_close(response(completion()))) as server:
        one = backend(server.base_url)
        assert [one.answer(ASKED, timeout_s=5).retries for _ in range(3)] == [0, 0, 0]
        assert server.connections == 3
        one.close()


def test_a_connection_that_dies_under_a_request_is_opened_again_once():
    """The server takes the second request and hangs up without a byte, as one does that is just restarting."""
    seen: list[int] = []

    def reply(asked: Asked, connection: socket.socket) -> bool:
        seen.append(1)
        if len(seen) == 2:
            return False
        connection.sendall(response(completion()))
        return True

    with serving(reply) as server:
        one = backend(server.base_url)
        one.answer(ASKED, timeout_s=5)
        assert one.answer(ASKED, timeout_s=5).text == "42069."
        assert (len(seen), server.connections) == (3, 2)
        one.close()


def test_a_request_is_not_sent_again_once_an_answer_has_begun():
    """Half an answer on a kept connection is an error, not a reason to ask in secret once more."""
    seen: list[int] = []

    def reply(asked: Asked, connection: socket.socket) -> bool:
        seen.append(1)
        connection.sendall(response(completion()) if len(seen) == 1 else b"HTTP/1.1 200 OK\r\nContent-")
        return len(seen) == 1

    with serving(reply) as server:
        one = backend(server.base_url)
        one.answer(ASKED, timeout_s=5)
        with pytest.raises(BackendError):
            one.answer(ASKED, timeout_s=5)
        assert len(seen) == 2
        one.close()


def test_bytes_that_nobody_asked_for_spoil_a_connection():
    """An answer too many never answers the next request."""
    with serving(reply_with(response(completion("right")) + response(completion("stray")))) as server:
        one = backend(server.base_url)
        assert {one.answer(ASKED, timeout_s=5).text for _ in range(5)} == {"right"}
        one.close()


def test_a_refusal_leaves_the_connection_usable():
    """The body of an error is read to its end."""
    with serving(reply_with(response({"error": "busy"}, status=503))) as server:
        one = backend(server.base_url)
        for _ in range(3):
            with pytest.raises(BackendError):
                one.answer(ASKED, timeout_s=5)
        assert server.connections == 1
        one.close()


def test_an_answer_before_the_request_was_read_is_heard():
    """A server may refuse a large request and hang up while we are still sending."""
    big = Request(system="x" * 20_000_000, messages=(("user", "q"),))
    with listening(lambda connection: connection.sendall(response({"error": "no"}, status=413))) as port:
        one = backend(f"http://127.0.0.1:{port}/v1")
        with pytest.raises(BackendError) as caught:
            one.answer(big, timeout_s=10)
        one.close()
    assert caught.value.fault in ("too_long", "unreachable")  # a reset may outrun the answer


def test_closing_gives_everything_back():
    """After `close` no socket is open; a backend that was never used closes, too."""
    with serving(response(completion())) as server:
        one = backend(server.base_url)
        one.close()
        two = backend(server.base_url)
        two.answer(ASKED, timeout_s=5)
        two.close()
        assert two._transport._idle == []


# ---- Deadlines -------------------------------------------------------------------------------------------------------


def slowly(head: bytes, piece: bytes, wait_s: float = 0.02):
    """Sends a head and then a piece again and again until nobody listens."""

    def reply(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(head)
        while True:
            time.sleep(wait_s)
            connection.sendall(piece)

    return reply


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 ", b"2"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunks", "chunk size", "header", "status", "continue"],
)
def test_a_trickle_ends_at_the_deadline(head, piece):
    """However a server dawdles, the request ends in time: a byte now and then buys it nothing."""
    with serving(slowly(head, piece)) as server:
        problem = fault_at(server.base_url, timeout_s=0.3)
    assert problem.fault == "timed_out"
    assert "had not answered after 0.3 s (" in problem.message
    assert "bytes had come, but not the end)" in problem.message
    assert problem.hint == "allow it more time, or lower max_tokens"
    assert not problem.retryable


def test_silence_ends_at_the_deadline():
    """Something takes the connection and says nothing."""
    with listening() as port:
        problem = fault_at(f"http://127.0.0.1:{port}/v1", timeout_s=0.2)
    assert problem.fault == "timed_out"
    assert problem.message.endswith("had not answered after 0.2 s (not a byte had come)")


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
def test_an_endless_answer_ends_at_the_limit(announced):
    """More than an answer can be is not read."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" if announced else b"HTTP/1.1 200 OK\r\n\r\n"
    with serving(slowly(head, b"{" * 65536, 0)) as server:
        problem = fault_at(server.base_url, timeout_s=30)
    assert problem.fault == "endless"
    assert problem.message == f"{server.base_url} sends without end: more than an answer can be"
    assert problem.hint == "it may be no model server: `promptforge doctor` says who owns the port"


def test_the_caller_can_stop_the_wait():
    """An event ends the wait long before the deadline."""
    stop = threading.Event()

    def reply(asked: Asked, connection: socket.socket) -> bool:
        stop.set()
        time.sleep(0.5)
        return False

    with serving(reply) as server:
        one = backend(server.base_url)
        with pytest.raises(BackendError) as caught:
            one.answer(ASKED, timeout_s=600, stop=stop)
        with pytest.raises(BackendError):
            one.answer(ASKED, timeout_s=600, stop=stop)
        assert len(server.asked) == 1
        one.close()
    assert caught.value.fault == "stopped"
    assert caught.value.message == f"stopped before {server.base_url} had answered"
    assert caught.value.hint == "run the command again: what came is kept"


# ---- Nobody, or somebody else ----------------------------------------------------------------------------------------


def test_nobody_listens():
    """A refused connection says where, and is not tried again."""
    url = f"http://127.0.0.1:{free_port()}/v1"
    problem = fault_at(url)
    assert (problem.fault, problem.retryable) == ("unreachable", False)
    assert problem.message == f"nothing listens at {url}"
    assert problem.hint == "start the server, or mend base_url"


def test_no_such_host():
    """A name that is none by definition."""
    problem = fault_at("http://no-such-host.invalid:1337/v1")
    assert problem.fault == "unreachable"
    assert problem.message == "there is no host called no-such-host.invalid"
    assert problem.hint == "mend base_url, or look whether the network is up"


def test_something_else_listens():
    """What greets like ssh is no HTTP server."""
    with listening(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")) as port:
        problem = fault_at(f"http://127.0.0.1:{port}/v1")
    assert problem.fault == "not_http"
    assert problem.message == f"what listens at http://127.0.0.1:{port}/v1 does not speak HTTP"
    assert problem.hint == "another program has this port: `promptforge doctor` says who owns the port"


def test_a_connection_closed_without_a_word():
    """Nothing at all comes back."""
    with serving(lambda asked, connection: False) as server:
        problem = fault_at(server.base_url)
    assert (problem.fault, problem.retryable) == ("unreachable", True)
    assert problem.message == f"{server.base_url} closed the connection without an answer"
    assert problem.hint.startswith("read its log: it may have run out of memory; ")


@pytest.mark.parametrize(
    "cut",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"choices": [',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{"choices": [',
    ],
    ids=["by length", "in a chunk"],
)
def test_an_answer_that_breaks_off(cut):
    """The server had said that more would come."""
    with serving(then_close(cut)) as server:
        problem = fault_at(server.base_url)
    assert (problem.fault, problem.retryable) == ("unreachable", True)
    assert problem.message == f"{server.base_url} broke off in the middle of its answer"
    assert problem.hint == "read its log: it may have been stopped"


def test_a_server_that_is_reset():
    """A hard reset in the middle is said as such."""

    def reply(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
        time.sleep(0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False

    with serving(reply) as server:
        problem = fault_at(server.base_url)
    assert (problem.fault, problem.retryable) == ("unreachable", True)
    assert problem.message == f"the connection to {server.base_url} was cut"
    assert problem.hint == "read the server's log"


def test_no_connection_in_time(monkeypatch):
    """A server whose queue is full does not take the connection."""
    monkeypatch.setattr(transport, "CONNECT_S", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        problem = fault_at(f"http://127.0.0.1:{full.getsockname()[1]}/v1")
        for one in waiting:
            one.close()
    assert (problem.fault, problem.retryable) == ("unreachable", True)
    assert problem.message == "127.0.0.1 does not take the connection"
    assert problem.hint == "is it on, and in this network?"


@pytest.mark.parametrize(
    "base_url", ["http://[::1/v1", "http://127.0.0.1:99999/v1", "http://127.0.0.1:{}/a b/v1", "http://.x/v1"]
)
def test_a_url_that_cannot_be_used(base_url):
    """It is refused in words, not with a traceback."""
    with listening() as port, pytest.raises(BackendError) as caught:
        backend(base_url.format(port)).answer(ASKED, timeout_s=2)
    assert caught.value.fault == "rejected"
    assert caught.value.message.startswith("base_url cannot be used: ")
    assert caught.value.hint == "write http://HOST:PORT/v1 in promptforge.yaml"


# ---- TLS and proxies -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate for localhost, signed by nobody else."""
    if not shutil.which("openssl"):
        pytest.fail("openssl is needed to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    pair = folder / "pair.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pair, "-out", folder / "cert.pem"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    pair.write_text(pair.read_text() + (folder / "cert.pem").read_text())
    return folder


def wrapped(folder):
    """A server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    return lambda raw: context.wrap_socket(raw, server_side=True)


def test_tls(certificate, monkeypatch):
    """A certificate of the user's own authority is accepted when SSL_CERT_FILE names it; connections are kept."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    with serving(response(completion()), wrap=wrapped(certificate)) as server:
        one = backend(server.base_url.replace("http:", "https:"))
        assert [one.answer(ASKED, timeout_s=10).text for _ in range(3)] == ["42069."] * 3
        assert server.connections == 1
        one.close()


def test_a_certificate_that_nobody_signed(certificate):
    """It says whose it is, and how to trust it."""
    with serving(response(completion()), wrap=wrapped(certificate)) as server:
        problem = fault_at(server.base_url.replace("http:", "https:"))
    assert problem.fault == "unreachable"
    assert problem.message.startswith("the certificate of 127.0.0.1 is not trusted: self")
    assert problem.hint == "set SSL_CERT_FILE to the certificate of the authority that signed it"


def test_https_to_a_plain_server():
    """One letter too many in base_url."""
    with listening(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        problem = fault_at(f"https://127.0.0.1:{port}/v1")
    assert problem.fault == "not_http"
    assert problem.message.startswith(f"what listens at https://127.0.0.1:{port}/v1 does not speak TLS: ")
    assert problem.hint == "write http:// if it is a plain server"


def test_a_proxy_is_asked_for_the_whole_url():
    """A plain proxy gets the address and the login that its URL carries; no message shows the password."""
    with serving(response(completion())) as proxy:
        environ = {"HTTP_PROXY": f"http://mara:sw%40rdfish@127.0.0.1:{proxy.port}"}
        one = backend("http://models.example:8080/v1", environ)
        assert one.answer(ASKED, timeout_s=5).text == "42069."
        one.close()
    assert proxy.asked[0].path == "http://models.example:8080/v1/chat/completions"
    assert proxy.asked[0].headers["host"] == "models.example:8080"
    assert proxy.asked[0].headers["proxy-authorization"] == "Basic bWFyYTpzd0ByZGZpc2g="


def test_a_proxy_that_refuses_to_tunnel():
    """TLS goes through CONNECT; what the proxy says is passed on."""
    with serving(then_close(response("no", status=407))) as proxy:
        environ = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        problem = fault_at("https://models.example/v1", environ=environ)
    assert proxy.asked[0].method == "CONNECT"
    assert problem.fault == "unreachable"
    assert problem.message.startswith(f"the proxy http://127.0.0.1:{proxy.port} does not let us through: ")
    assert problem.hint == "mend HTTP_PROXY or HTTPS_PROXY, or name models.example in NO_PROXY"


def test_loopback_never_goes_through_a_proxy():
    """A house's own server is not asked for by way of somebody else."""
    with serving(response(completion())) as server:
        one = backend(server.base_url, {"HTTP_PROXY": f"http://127.0.0.1:{free_port()}", "NO_PROXY": ""})
        assert one.answer(ASKED, timeout_s=5).text == "42069."
        one.close()


@asks_nobody
@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("http://a.example/v1", {}, None),
        ("http://a.example/v1", {"HTTP_PROXY": "p.example:3128"}, "http://p.example:3128"),
        ("http://a.example/v1", {"HTTP_PROXY": "http://p.example", "REQUEST_METHOD": "GET"}, None),
        ("https://a.example/v1", {"HTTP_PROXY": "http://p.example"}, None),
        ("https://a.example/v1", {"ALL_PROXY": "http://p.example"}, "http://p.example:80"),
        ("http://a.example/v1", {"http_proxy": "http://p.example", "NO_PROXY": "*"}, None),
        ("http://a.example/v1", {"http_proxy": "http://p.example", "NO_PROXY": "b.example, .example"}, None),
        (
            "http://a.example:81/v1",
            {"http_proxy": "http://p.example", "NO_PROXY": "a.example:80"},
            "http://p.example:80",
        ),
        ("http://xa.example/v1", {"http_proxy": "http://p.example", "NO_PROXY": "a.example"}, "http://p.example:80"),
    ],
)
def test_the_environment_names_the_proxy(url, environ, expected):
    found = proxy_of(urlsplit(url), environ)
    assert (str(found) if found else None) == expected


@asks_nobody
@pytest.mark.parametrize("named", ["socks5://p.example:1080", "https://p.example", "http://[::1", "http://:80"])
def test_a_proxy_of_another_kind_is_refused(named):
    """It is not ignored: a request that goes round the proxy is one that somebody did not want."""
    with pytest.raises(ProxyError):
        proxy_of(urlsplit("http://a.example/v1"), {"ALL_PROXY": named})


# ---- The table -------------------------------------------------------------------------------------------------------


def instance_of(kind: type[BaseException]) -> BaseException:
    """An exception of this kind, made without knowing its parameters."""
    return kind(3) if kind is OverdueError else kind(b"") if kind is http.client.IncompleteRead else kind("why")


@asks_nobody
@pytest.mark.parametrize("row", faults._NO_ANSWER, ids=lambda row: row[0].__name__)
def test_every_exception_of_the_libraries_is_translated(row):
    """Each row of the table is reached by its own exception, and says what happened and what to do."""
    kind, fault, _, _, retryable = row
    problem = no_answer(instance_of(kind), Place(url="http://192.0.2.1:1337/v1", timeout_s=3))
    assert (problem.fault, problem.retryable) == (fault, retryable)
    assert problem.message
    assert problem.hint
    assert "{" not in problem.message + problem.hint


@asks_nobody
def test_what_is_no_fault_of_the_network_is_not_hidden():
    """A bug of ours stays a bug."""
    with pytest.raises(KeyError):
        no_answer(KeyError("x"), Place(url="http://192.0.2.1/v1"))


@pytest.mark.parametrize("zeros", [40, 5000])
def test_a_length_of_many_digits(zeros):
    """It is the length that it is, or none: then the body goes to the end of the connection."""
    body = json.dumps(completion()).encode()
    said = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"0" * zeros + b"%d\r\n\r\n" % len(body) + body
    with serving(then_close(said)) as server:
        one = backend(server.base_url)
        assert one.answer(ASKED, timeout_s=5).text == "42069."
        one.close()
