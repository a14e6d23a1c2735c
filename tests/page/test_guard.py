"""Who may speak to the page."""

import base64
import hashlib
import os
import re
import socket
import stat
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from waiting import until


def test_without_the_token_there_is_nothing(page):
    """Neither the root nor a guess says anything; nothing tells a near miss from a far one."""
    for path in (
        "/",
        "/events",
        "/prompt?agent=windu",
        f"/{page.token[:-1]}/",
        f"/{page.token}x/",
        "/%ff",
    ):
        reply = page.send("GET", path)
        assert (reply.status, reply.text) == (404, "not found"), path
    assert (
        page.send("POST", "/open", b"{}", Origin=f"http://{page.host}", Content_Type="application/json").status == 404
    )


def test_a_last_stroke_may_be_forgotten(page):
    """The address without it leads to the one with it."""
    reply = page.send("GET", f"/{page.token}")
    assert (reply.status, reply.headers["Location"]) == (303, page.address)


def test_each_page_has_a_port_and_a_token_of_its_own(page, show):
    """And a token is long enough that nobody guesses it."""
    with show() as other:
        assert other.host != page.host
        assert other.token != page.token
    assert len(page.token) >= 32


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}", "[::1]:{port}", ""]
)
def test_another_host_is_refused(page, host):
    """A name that somebody made point to this machine gets nothing, even with the token (DNS rebinding)."""
    port = page.host.partition(":")[2]
    reply = page.send("GET", f"/{page.token}/", Host=host.format(port=port))
    assert reply.status in (400, 403)
    assert "You are Windu" not in reply.text
    if reply.status == 403:
        assert reply.text == "this page is for 127.0.0.1 alone"


def test_localhost_is_this_machine(page):
    """The other name of loopback is fine."""
    port = page.host.partition(":")[2]
    assert page.send("GET", f"/{page.token}/", Host=f"localhost:{port}").status == 200


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "https://{host}", "http://{host}.evil.example", "http://localhost:1"],
)
def test_a_post_from_elsewhere_is_refused(page, origin):
    """A form on another page cannot open an editor or ask a model."""
    headers = {"Content_Type": "application/json"}
    if origin:
        headers["Origin"] = origin.format(host=page.host)
    for path in ("open", "ask"):
        reply = page.send("POST", f"/{page.token}/{path}", b"{}", **headers)
        assert (reply.status, reply.text) == (403, "only the page itself may ask for that")


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "https://{host}", "http://localhost:1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_look_from_elsewhere_is_refused(page, method, origin):
    """Even with the token: what names another Origin is another page's."""
    for path in ("", "prompt?agent=windu", "events"):
        reply = page.send(method, f"/{page.token}/{path}", Origin=origin.format(host=page.host))
        assert reply.status == 403
        assert "You are Windu" not in reply.text
    assert page.send("GET", f"/{page.token}/", Origin=f"http://{page.host}").status == 200


def test_a_post_is_json(page):
    """A form of a browser cannot send that type without asking first, which nobody answers."""
    reply = page.send("POST", f"/{page.token}/open", b"{}", Origin=f"http://{page.host}", Content_Type="text/plain")
    assert (reply.status, reply.text) == (415, "only JSON is taken")
    asked = page.send(
        "OPTIONS", f"/{page.token}/open", Origin="http://evil.example", Access_Control_Request_Method="POST"
    )
    assert asked.status == 403
    assert not [name for name in asked.headers if name.lower().startswith("access-control")]


def test_only_loopback_listens(page):
    """Another address of this machine does not answer on the port."""
    port = int(page.host.partition(":")[2])
    with socket.socket() as other:
        other.settimeout(5)
        assert other.connect_ex(("127.0.0.2", port)) != 0


def test_every_answer_carries_the_policy(page):
    """Scripts and styles by their hash, nothing from elsewhere, no frame, no referrer, nothing kept."""
    for reply in (page.get(""), page.get("prompt?agent=windu"), page.get("nothing"), page.send("GET", "/")):
        policy = reply.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "server" not in reply.headers
        assert "access-control-allow-origin" not in reply.headers


def test_the_page_is_one_document(page):
    """Its script and style are those that the policy names, and it asks for nothing else."""
    reply = page.get("")
    policy = reply.headers["Content-Security-Policy"]
    for name in ("script", "style"):
        (text,) = re.findall(f"<{name}>(.*?)</{name}>", reply.text, re.DOTALL)
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", reply.text)
    assert page.token not in reply.text


@pytest.fixture
def started(monkeypatch):
    """What a browser was started with."""
    asked = []
    monkeypatch.setattr("webbrowser.open", asked.append)
    return asked


def test_a_browsers_command_line_holds_nothing_that_leads_to_the_page(show, started):
    """Others on this machine can read it: it names a file that they cannot read, which goes when the page ends."""
    with show({"DISPLAY": ":0"}) as page:
        (address,) = until(lambda: started)
        path = Path(url2pathname(urlsplit(address).path))
        assert address == path.as_uri()
        assert path.parent == page.root / ".promptforge/page"
        assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)] == [0o600, 0o700]
        assert page.token not in address
        assert page.host not in address
        text = path.read_text()
        assert f'<meta http-equiv="refresh" content="0; url={page.address}">' in text
        assert f'<a href="{page.address}">' in text
        assert len(path.stem) >= 20
    assert list(path.parent.iterdir()) == []


def test_the_file_of_a_killed_page_goes_with_the_next(show, root, started):
    """Not that of another page of the same project, which is young, and nothing that is not ours."""
    folder = root / ".promptforge/page"
    folder.mkdir(parents=True, mode=0o755)
    for name, age_s in (("door-old.html", 7200), ("door-young.html", 60), ("index.html", 7200)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    with show({"DISPLAY": ":0"}):
        until(lambda: started)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["door-young.html", "index.html"]


@pytest.mark.parametrize("kind", ["a file", "a link"])
def test_where_the_file_cannot_be_written_no_browser_is_started(show, root, started, tmp_path_factory, kind):
    """The address is printed all the same; what a link leads to is left as it is."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    elsewhere.chmod(0o755)
    place = root / ".promptforge/page"
    place.parent.mkdir()
    if kind == "a file":
        place.touch()
    else:
        place.symlink_to(elsewhere)
    with show({"DISPLAY": ":0"}) as page:
        assert page.get("").status == 200
    assert started == []
    assert (stat.S_IMODE(elsewhere.stat().st_mode), list(elsewhere.iterdir())) == (0o755, [])


def test_without_a_screen_no_browser_is_started(show, started):
    """One in the terminal would take it from the watcher; and then nothing is written for one."""
    with show({"TERM": "xterm"}) as page:
        assert page.get("").status == 200
        assert not (page.root / ".promptforge/page").exists()
    assert started == []
