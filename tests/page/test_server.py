"""The stream, the questions, and the end."""

import asyncio
import json
import socket
import threading
import time

import pytest

from backends.servers import chunk, serving, streaming
from promptforge.backends.base import Answer, Request
from promptforge.backends.reader import Reader
from promptforge.backends.replay import Recording
from promptforge.page.server import _Answering
from promptforge.workbench.forge import last_build
from waiting import until


def test_two_pages_see_the_same(page):
    """Each of them gets the news."""
    with page.events() as one, page.events() as other:
        for events in (one, other):
            assert next(data for name, data in events if name == "build")["ok"]
        page.save("knowledge/house.yaml", ("port: 1337", "port: 99999"))
        for events in (one, other):
            assert not next(data for name, data in events if name == "build")["ok"]


def test_a_browser_that_does_not_read_holds_nobody_up(page):
    """A hundred saves later, another page gets the newest state alone."""
    with socket.create_connection(("127.0.0.1", int(page.host.partition(":")[2]))) as idle:
        idle.sendall(f"GET /{page.token}/events HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
        for _ in range(100):
            page.live.failed(_StoppedError("x" * 10_000))
        with page.events() as events:
            assert [name for name, _ in (next(events), next(events))] == ["hello", "build"]


class _StoppedError(Exception):
    def __init__(self, message: str) -> None:
        self.message, self.hint = message, ""


def test_the_end_is_said(show):
    """With streams open the server ends at once, and each page is told."""
    with show() as page:
        context = page.events()
        events = context.__enter__()
        assert next(events)[0] == "hello"
        started = time.monotonic()
    assert [name for name, _ in events][-1] == "end"
    assert time.monotonic() - started < 10
    context.__exit__(None, None, None)
    with pytest.raises(ConnectionRefusedError):
        page.get("")
    assert not [thread.name for thread in threading.enumerate() if thread.name in ("page", "asking")]
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "differing"])


def pieces(reply):
    """The lines of an answer."""
    return [json.loads(line) for line in reply.text.splitlines()]


def test_a_question_is_answered_with_the_base_and_the_enriched_prompt(page):
    """By the model of the agent, or one that is named; each says how it ended."""
    reply = page.post("ask", {"agent": "yoda", "question": "What is the lan_ip of mini?", "model": ""})
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/x-ndjson")
    said = pieces(reply)
    text = {v: "".join(p.get("text", "") for p in said if p["variant"] == v) for v in ("base", "enriched")}
    assert "192.0.2.10" not in text["base"]
    assert "192.0.2.10" in text["enriched"]
    assert [p["done"].split(" · ")[:3] for p in said if "done" in p] == [
        ["yoda", "base", "reader"],
        ["yoda", "enriched", "reader"],
    ]
    other = pieces(page.post("ask", {"agent": "windu", "question": "Which port is LEET?", "model": "reader"}))
    assert any("1337" in piece.get("text", "") for piece in other)


TAPE = "  tape: {backend: replay, model: tape.jsonl, tier: local}\n"


def test_an_answer_comes_word_by_word(root, show):
    """Each piece on a line of its own, under the variant that it belongs to."""
    (root / "promptforge.yaml").write_text((root / "promptforge.yaml").read_text() + TAPE)
    with show() as page:
        prompts = last_build(root, "build/agent_prompts.yaml").entries["yoda"].variants
        tape = Recording(Reader(), root / "tape.jsonl")
        for variant, text in (("base", "I do not know."), ("enriched", "Yoda <b>I</b> am.")):
            prompt = prompts[variant]
            sent = Request(system=prompt.system, messages=(*prompt.messages, ("user", "Who?")), tools=(), params={})
            tape.take_over(sent, Answer(text=text))
        said = pieces(page.post("ask", {"agent": "yoda", "question": "Who?", "model": "tape", "together": True}))
    texts = {v: [p["text"] for p in said if p["variant"] == v and "text" in p] for v in ("base", "enriched")}
    assert texts == {"base": ["I", " do", " not", " know."], "enriched": ["Yoda", " <b>I</b>", " am."]}


def test_a_backend_that_fails_says_so(root, show):
    """In its own words, with what to do."""
    (root / "promptforge.yaml").write_text((root / "promptforge.yaml").read_text() + TAPE)
    with show() as page:
        said = pieces(page.post("ask", {"agent": "yoda", "question": "Who are you?", "model": "tape"}))
    assert [piece["error"] for piece in said] == ["the recording 'tape.jsonl': no such file or directory"] * 2
    assert said[0]["hint"] == "record one: promptforge bench --record tape.jsonl"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"agent": "windu", "question": " "}, "the question is empty"),
        ({"agent": "nobody", "question": "Who?"}, "no agent 'nobody'"),
        ({"agent": "windu", "question": "Who?", "model": "none"}, "no model 'none' in promptforge.yaml"),
        ({"agent": "windu", "question": "Who?", "variables": {"x": "y"}}, "no runtime name 'x'"),
        ({"agent": "windu", "question": "What of Pip's tablet?"}, "nothing was sent: "),
    ],
)
def test_what_cannot_be_asked_is_said_in_words(page, asked, message):
    """Of both, each at its place; clearance holds here as it does for the command."""
    said = pieces(page.post("ask", asked))
    assert {piece["variant"] for piece in said} == {"base", "enriched"}
    assert all(piece["error"].startswith(message) for piece in said), said


def test_a_broken_project_is_not_asked(page):
    """As `ask` does, it is the files as they are that count, not the last good build."""
    page.save("knowledge/house.yaml", ("codename: LEET", "codename: ELITE"))
    said = pieces(page.post("ask", {"agent": "yoda", "question": "Which port is LEET?"}))
    assert [piece["error"] for piece in said] == ["nothing was sent: the prompt of 'yoda' has errors"] * 2


def test_not_more_than_four_questions_wait(root, show):
    """A model that never answers holds its place; a fifth question is told so, and the places come back."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.listen(20)
        local_model(root, "mute", silent.getsockname()[1])
        asked = {"agent": "yoda", "question": "Who are you?", "model": "mute", "together": True}
        with show() as page:
            replies = []
            askers = [threading.Thread(target=lambda: replies.append(page.post("ask", asked))) for _ in range(4)]
            for asker in askers:
                asker.start()
            taken = [silent.accept()[0] for _ in range(8)]
            reply = page.post("ask", asked)
            assert (reply.status, reply.data["error"]) == (429, "other questions are still being answered")
            for connection in taken:
                connection.close()
            for asker in askers:
                asker.join(30)
            assert [len(pieces(reply)) for reply in replies] == [2] * 4
            assert until(lambda: page.post("ask", {**asked, "model": ""}).status == 200)


def local_model(root, name, port):
    """Name a server on this machine in the house's config."""
    entry = f"backend: compatible, base_url: 'http://127.0.0.1:{port}/v1', model: m, tier: local"
    config = (root / "promptforge.yaml").read_text()
    (root / "promptforge.yaml").write_text(f"{config}  {name}: {{{entry}}}\n")


def test_an_emoji_that_is_cut_in_two_arrives_whole(root, show):
    """A server may send each half of it by itself: neither has bytes in UTF-8, and the answer goes on."""
    answer = streaming(*(chunk({"content": part}) for part in ("Hm ", "\ud83d", "\ude00", " yes")), b"data: [DONE]\n\n")
    with serving(answer) as server:
        local_model(root, "halves", server.port)
        with show() as page:
            said = pieces(page.post("ask", {"agent": "yoda", "question": "Who?", "model": "halves"}))
    for variant in ("base", "enriched"):
        text = "".join(piece.get("text", "") for piece in said if piece["variant"] == variant)
        assert text.encode("utf-16", "surrogatepass").decode("utf-16") == "Hm \N{GRINNING FACE} yes"
    assert sum("done" in piece for piece in said) == 2


def test_half_an_emoji_in_a_request_or_in_a_part_is_data(page):
    """It comes back in the words about it, and goes out to all who watch."""
    reply = page.post("open", {"file": "\ud83d", "line": 1})
    assert reply.status == 400
    said = pieces(page.post("ask", {"agent": "\ud83d", "question": "Who?"}))
    assert [piece["error"] for piece in said] == ["no agent '\ud83d'"] * 2
    page.live.failed(_StoppedError("half of one: \ud83d"))
    assert page.state()["problem"]["message"] == "half of one: \ud83d"


def test_a_question_that_is_stopped_ends_before_any_text_comes(root, show):
    """The page's Stop, or a closed tab, hangs up on a model that is still thinking; the place is free again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.listen(20)
        local_model(root, "mute", silent.getsockname()[1])
        asked = json.dumps({"agent": "yoda", "question": "Who?", "model": "mute", "together": True}).encode()
        with show() as page:
            head = (
                f"POST /{page.token}/ask HTTP/1.1\r\nHost: {page.host}\r\nOrigin: http://{page.host}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(asked)}\r\n\r\n"
            )
            for _ in range(5):  # one more than there are places
                with socket.create_connection(("127.0.0.1", int(page.host.partition(":")[2]))) as asker:
                    asker.sendall(head.encode() + asked)
                    taken = [silent.accept()[0] for _ in range(2)]
                for connection in taken:
                    with connection:
                        connection.settimeout(30)  # the model would have 120 s
                        while connection.recv(65536):
                            pass
                until(lambda: not [one for one in threading.enumerate() if one.name == "asking"])


@pytest.mark.parametrize("leaves", ["at once", "while it is sent to"])
def test_a_question_ends_for_a_client_that_leaves_before_the_first_piece(leaves):
    """Nothing was sent yet, and nobody will ever read it."""

    async def receive():
        if leaves != "at once":
            await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message):
        if leaves != "at once":
            raise asyncio.CancelledError
        await asyncio.sleep(60)

    async def exchange():
        gone = threading.Event()
        answering = asyncio.ensure_future(
            _Answering(asyncio.Queue(), gone)({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
        )
        await asyncio.wait([answering], timeout=30)
        assert answering.done()
        return gone.is_set()

    assert asyncio.run(exchange())


def test_where_no_thread_can_be_started_the_place_is_free_again(page, monkeypatch):
    """The page is told, and five such questions later one is still taken."""
    start = threading.Thread.start

    def starting(thread):
        if thread.name == "asking":
            raise RuntimeError("can't start new thread")
        start(thread)

    asked = {"agent": "yoda", "question": "Who are you?"}
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", starting)
        for _ in range(5):
            reply = page.post("ask", asked)
            assert (reply.status, reply.data["error"]) == (400, "this machine has no thread left")
            assert reply.data["hint"] == "wait, and ask again"
    assert page.post("ask", asked).status == 200


@pytest.mark.parametrize(
    "data",
    [
        [],
        "x",
        {},
        {"agent": "windu"},
        {"agent": 1, "question": "x"},
        {"agent": "a", "question": "x", "variables": [1]},
        {"agent": "a", "question": "x", "variables": {"y": 1}},
    ],
)
def test_what_is_no_question_is_refused(page, data):
    """With a word about it."""
    reply = page.post("ask", data)
    assert reply.status == 400
    assert reply.data["error"] in ("that is no question", "that is no JSON object")


def test_a_body_has_an_end(page):
    """Nobody fills our memory; and what is no JSON is said to be none."""
    reply = page.post("ask", {"agent": "windu", "question": "x" * 300_000})
    assert (reply.status, reply.data["error"]) == (400, "that is too long")
    headers = {"Origin": f"http://{page.host}", "Content_Type": "application/json"}
    reply = page.send("POST", f"/{page.token}/open", b"{", **headers)
    assert (reply.status, reply.data["error"]) == (400, "that is no JSON object")


def test_what_is_not_there(page):
    """An unknown path and a wrong method behind the right token."""
    assert page.get("etc/passwd").status == 404
    assert page.get("open").status == 405
