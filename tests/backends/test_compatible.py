"""The compatible backend against real servers: what is sent, what is read, and each fault with its message and hint."""

import datetime
import email.utils
import json
import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import servers
from backends.servers import (
    Asked,
    Server,
    backend,
    chunk,
    completion,
    reply_with,
    response,
    serving,
    streaming,
    then_close,
)
from promptforge.backends.base import Answer, BackendError, Request, ToolCall, Usage
from promptforge.backends.chat import answer_of, lacks
from promptforge.backends.sse import events
from promptforge.document import Decimal
from strategies import tries

KEY = "sk-house-0123456789abcdef"
ENVIRON = {"HOUSE_KEY": KEY}


@pytest.fixture(autouse=True, params=["thread", "lane"])
def way(request, monkeypatch):
    """Every server is asked from a thread, and from a lane: both get the same answers, messages and hints."""
    monkeypatch.setattr(servers, "IN_LANES", request.param == "lane")


asks_nobody = pytest.mark.parametrize("way", ["thread"], indirect=True)
"""What asks no server is the same in a lane."""


def ask(server: Server, question: Request, **settings: Any) -> Answer:
    """One answer."""
    one = backend(server.base_url, ENVIRON, **settings)
    try:
        return one.answer(question, timeout_s=10)
    finally:
        one.close()


def answered(content: bytes, question: Request, **settings: Any) -> Answer:
    """What a server that says this is understood to say."""
    with serving(reply_with(content)) as server:
        return ask(server, question, **settings)


def failed(content: bytes, question: Request, **settings: Any) -> tuple[BackendError, str]:
    """What a server that says this is complained about; and its address, as the message names it."""
    with serving(then_close(content)) as server:
        with pytest.raises(BackendError) as caught:
            ask(server, question, **settings)
        return caught.value, server.base_url


# ---- What is sent ----------------------------------------------------------------------------------------------------


def test_what_is_sent(question):
    """System first, then the messages; params as they are; tools in OpenAI's form; the key in the header."""
    tool = {"name": "turn_on", "description": "d", "parameters": {"type": "object"}}
    asked = Request(
        system="You are Windu.",
        messages=(("user", "Hello"), ("assistant", "Yes?"), ("user", "Who are you? é \ud800")),
        tools=(tool,),
        params={"temperature": Decimal("0.10"), "seed": 7, "stop": ("\n",)},
    )
    with serving(response(completion())) as server:
        ask(server, asked, api_key="env:HOUSE_KEY")
    sent = server.asked[0]
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.json == {
        "model": "coder",
        "messages": [
            {"role": "system", "content": "You are Windu."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Who are you? é \ud800"},
        ],
        "tools": [{"type": "function", "function": tool}],
        "temperature": 0.1,
        "seed": 7,
        "stop": ["\n"],
    }


@pytest.mark.parametrize("name", ["model", "messages", "stream", "stream_options", "tools"])
def test_params_cannot_change_the_question(name):
    """`params` may not replace the model or the messages, nor ask for a stream behind our back."""
    asked = Request(system="", messages=(("user", "q"),), params={name: True})
    with serving(response(completion())) as server, pytest.raises(BackendError) as caught:
        ask(server, asked)
    assert caught.value.fault == "rejected"
    assert caught.value.message == f"`{name}` cannot stand in the params of a model"
    assert server.asked == []


def test_a_login_and_a_query_of_the_url_are_used(question):
    """They go to the server, and stand neither in the identity nor in a message."""
    with serving(response({"error": "no"}, status=400)) as server:
        one = backend(f"http://mara:swordfish@127.0.0.1:{server.port}/v1/?api-version=2026-01&token=t0k3n")
        with pytest.raises(BackendError) as caught:
            one.answer(question, timeout_s=5)
        one.close()
    assert server.asked[0].path == "/v1/chat/completions?api-version=2026-01&token=t0k3n"
    assert server.asked[0].headers["authorization"] == "Basic bWFyYTpzd29yZGZpc2g="
    identity = {"backend": "compatible", "base_url": server.base_url, "model": "coder", "api_version": "2026-01"}
    assert one.identity == identity
    assert "swordfish" not in caught.value.message
    assert "t0k3n" not in caught.value.message


# ---- What is read ----------------------------------------------------------------------------------------------------


def test_a_whole_answer(question):
    """Text, finish, usage with cached tokens, the server's name for the model, and its fingerprint."""
    usage = {"prompt_tokens": 20, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 16}}
    answer = answered(response(completion(usage=usage, system_fingerprint="b1-0c1e570")), question)
    assert answer.text == "42069."
    assert answer.finish == "stop"
    assert answer.usage == Usage(input_tokens=20, output_tokens=3, cached_tokens=16)
    assert (answer.model, answer.fingerprint) == ("coder", "b1-0c1e570")
    assert answer.latency_s > 0
    assert answer.first_token_s is None


def test_the_timings_of_llama_cpp_stand_in_for_a_usage(question):
    """Where the usage is missing, its own numbers say the same."""
    timings = {"cache_n": 15, "prompt_n": 6, "predicted_n": 4}
    answer = answered(response(completion(usage=None, timings=timings)), question)
    assert answer.usage == Usage(input_tokens=21, output_tokens=4, cached_tokens=15)


@pytest.mark.parametrize(
    "usage", [None, [], "none", {}, {"prompt_tokens": -1, "completion_tokens": True}, {"prompt_tokens": "9"}]
)
def test_a_usage_that_says_nothing(usage, question):
    """It is None, not 0: what was not counted is not free."""
    assert answered(response(completion(usage=usage)), question).usage == Usage()


def test_another_models_name_is_kept(question):
    """Many servers echo what they were asked for, or name a file: it proves nothing and is no error."""
    assert answered(response(completion(model="/models/tiny@main")), question).model == "/models/tiny@main"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart(name, question):
    """What is thought is not said."""
    answer = answered(response(completion(message={name: "Port 42069, I believe."})), question)
    assert (answer.text, answer.reasoning) == ("42069.", "Port 42069, I believe.")


def test_content_in_parts(question):
    """Some servers send a list of parts, the thinking among them."""
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "420"}, "69"]
    answer = answered(response(completion(parts)), question)
    assert (answer.text, answer.reasoning) == ("42069", "hm")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "refusal"), ("eos", "other"), (None, "other")],
)
def test_how_it_ended(reason, finish, question):
    assert answered(response(completion(finish_reason=reason)), question).finish == finish


def test_a_refusal_of_the_provider_is_an_answer(question):
    """It is a refusal with its words, and no error."""
    answer = answered(response(completion(None, message={"refusal": "I cannot help with that."})), question)
    assert (answer.text, answer.finish) == ("I cannot help with that.", "refusal")


def test_no_text_at_all_is_an_empty_answer(question):
    """mlx_lm writes null for a model that says nothing: an answer without words, which is scored as one."""
    answer = answered(response(completion(None)), question)
    assert (answer.text, answer.finish) == ("", "stop")


@pytest.mark.parametrize(
    ("written", "arguments", "raw"),
    [
        ('{"entity_id": "light.hall"}', {"entity_id": "light.hall"}, '{"entity_id": "light.hall"}'),
        ("", {}, ""),
        ('{"entity', None, '{"entity'),
        ("[1]", None, "[1]"),
        ({"a": 1}, {"a": 1}, '{"a": 1}'),
        (None, {}, ""),
    ],
    ids=["json", "nothing", "half", "a list", "an object", "null"],
)
def test_tool_calls(written, arguments, raw, question):
    """Arguments that are no JSON object are kept as the model wrote them."""
    call = {"id": "1", "type": "function", "function": {"name": "turn_on", "arguments": written}}
    content = completion(None, finish_reason="stop", message={"tool_calls": [call]})
    answer = answered(response(content), question)
    assert answer.tool_calls == (ToolCall(name="turn_on", arguments=arguments, raw=raw),)
    assert answer.finish == "tool"


def test_the_older_form_of_a_tool_call(question):
    content = completion(
        None, finish_reason="function_call", message={"function_call": {"name": "f", "arguments": "{}"}}
    )
    assert answered(response(content), question).tool_calls == (ToolCall(name="f", arguments={}, raw="{}"),)


def test_a_byte_order_mark_and_broken_characters_are_read(question):
    content = b"\xef\xbb\xbf" + json.dumps(completion("4\u00e9")).encode() + b"\n"
    assert answered(response(content), question).text == "4é"
    broken = json.dumps(completion("4X")).encode().replace(b"X", b"\xff")
    assert answered(response(broken), question).text == "4\ufffd"


# ---- Streams ---------------------------------------------------------------------------------------------------------


def streamed(content: bytes, question: Request, **settings: Any) -> tuple[Answer, list[str]]:
    """The answer to a request for a stream, and the pieces as they were handed over."""
    pieces: list[str] = []
    with serving(then_close(content)) as server:
        one = backend(server.base_url, ENVIRON, **settings)
        try:
            answer = one.stream(question, pieces.append, timeout_s=10)
        finally:
            one.close()
    assert server.asked[0].json["stream"] is True
    assert server.asked[0].json["stream_options"] == {"include_usage": True}
    return answer, pieces


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 2}}\n\n'
DONE = b"data: [DONE]\n\n"


def test_a_stream(question):
    """The text comes in pieces; the answer is the whole, with usage and the time of the first token."""
    content = streaming(
        chunk({"role": "assistant", "content": ""}), chunk({"reasoning": "hm"}), chunk({"content": "420"}),
        chunk({"content": "69"}), chunk({}, "stop", system_fingerprint="fp"), USAGE, DONE,
    )  # fmt: skip
    answer, pieces = streamed(content, question)
    assert pieces == ["420", "69"]
    assert (answer.text, answer.reasoning, answer.finish) == ("42069", "hm", "stop")
    assert answer.usage == Usage(input_tokens=20, output_tokens=2)
    assert (answer.model, answer.fingerprint) == ("coder", "fp")
    assert answer.first_token_s is not None
    assert 0 < answer.first_token_s <= answer.latency_s


@pytest.mark.parametrize(
    "content",
    [
        streaming(chunk({"content": "42"}), chunk({}, "stop")),
        streaming(b": a comment\n\n", chunk({"content": "42"}, "stop"), DONE),
        streaming(chunk({"content": "42"}, "stop").replace(b"\n", b"\r\n"), DONE.replace(b"\n", b"\r\n")),
        streaming(chunk({"content": "42"}, "stop").replace(b"\n", b"\r"), DONE.replace(b"\n", b"\r")),
        streaming(chunk({"content": "42"}, "stop").replace(b"data: ", b"data:"), DONE),
        streaming(b"event: message\nid: 1\n" + chunk({"content": "42"}, "stop"), DONE, kind="text/plain"),
        streaming(chunk({"content": "4"}), chunk({"content": "2"}, "stop").rstrip(b"\n")),
        response(completion("42")),
        streaming(b'data: {"choices": [{"message": {"content": "42"}, "finish_reason": "stop"}]}\n\n'),
        streaming(*[b"%c" % byte for byte in chunk({"content": "42"}, "stop") + DONE]),
    ],
    ids=["no done", "comment", "crlf", "cr", "no blank", "plain text", "no last line", "no stream", "whole", "bytes"],
)
def test_every_dialect_of_a_stream(content, question):
    """However it is written, it is read."""
    answer, pieces = streamed(content, question)
    assert answer.text == "".join(pieces) == "42"
    assert answer.finish == "stop"


def test_tool_calls_in_a_stream(question):
    """The name comes once, the arguments in pieces; two calls are kept apart by their index."""

    def part(index: int, **function: str) -> bytes:
        return chunk({"tool_calls": [{"index": index, "function": function}]})

    content = streaming(
        part(0, name="on", arguments=""), part(0, arguments='{"a"'), part(1, name="off", arguments="{}"),
        part(0, arguments=": 1}"), chunk({}, "tool_calls"), DONE,
    )  # fmt: skip
    answer, pieces = streamed(content, question)
    assert pieces == []
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("on", {"a": 1}), ("off", {})]
    assert answer.finish == "tool"


def test_an_answer_that_streams_although_it_was_not_asked_to(question):
    """Some servers stream whatever they are asked."""
    assert answered(streaming(chunk({"content": "42"}, "stop"), DONE), question).text == "42"


def test_characters_that_come_in_halves(question):
    """A character split over two packets is one character."""
    body = json.dumps(
        {"choices": [{"delta": {"content": "é→🜁"}, "finish_reason": "stop"}]}, ensure_ascii=False
    ).encode()
    content = streaming(*[bytes([byte]) for byte in b"data: " + body + b"\n\n"])
    assert streamed(content, question)[0].text == "é→🜁"


@pytest.mark.parametrize(
    ("event", "fault", "status"),
    [
        (b'data: {"error": {"message": "out of memory", "code": 500}}\n\n', "server", 500),
        (b'error: {"message": "out of memory", "code": 500}\n\n', "server", 500),
        (b'event: error\ndata: {"error": {"message": "busy", "type": "rate_limit_error"}}\n\n', "rate_limited", 429),
        (b'data: {"error": "boom"}\n\n', "server", 500),
    ],
)
def test_an_error_in_the_middle_of_a_stream(event, fault, status, question):
    """HTTP said 200, and then it went wrong."""
    with pytest.raises(BackendError) as caught:
        streamed(streaming(chunk({"content": "42"}), event), question)
    assert (caught.value.fault, caught.value.status) == (fault, status)


def test_a_stream_without_a_choice(question):
    with pytest.raises(BackendError) as caught:
        streamed(streaming(USAGE, DONE), question)
    assert caught.value.fault == "no_choice"
    assert caught.value.message.endswith(" ended its stream without a single choice")
    assert caught.value.hint == "read its log"


def test_a_stream_that_is_cut(question):
    """What came so far is not passed off as the answer."""
    cut = streaming(chunk({"content": "42"}), DONE)[: -len(DONE) - 12]
    with pytest.raises(BackendError) as caught:
        streamed(cut, question)
    assert caught.value.fault == "unreachable"


def test_a_stream_that_is_stopped(question):
    """Long before its deadline, though the server is in the middle of its answer."""
    stop, pieces = threading.Event(), []

    def reply(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(streaming(chunk({"content": "42"})).removesuffix(b"0\r\n\r\n"))
        connection.settimeout(30)
        connection.recv(1)  # until the other side has gone
        return False

    def hear(text: str) -> None:
        pieces.append(text)
        stop.set()

    with serving(reply) as server:
        one = backend(server.base_url)
        with pytest.raises(BackendError) as caught:
            one.stream(question, hear, timeout_s=600, stop=stop)
        one.close()
    assert (caught.value.fault, pieces) == ("stopped", ["42"])


def test_what_the_listener_raises_is_its_own(question):
    """A full disk on our side is not the server's fault."""

    def refuse(text: str) -> None:
        raise BrokenPipeError("ours")

    with serving(then_close(streaming(chunk({"content": "42"})))) as server:
        one = backend(server.base_url)
        with pytest.raises(BrokenPipeError, match="ours"):
            one.stream(question, refuse, timeout_s=5)
        one.close()


@asks_nobody
@tries(200)
@given(
    st.lists(st.text(alphabet="ab{}:é \t", max_size=8), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(min_value=1, max_value=9), max_size=30),
)
def test_events_do_not_depend_on_how_they_are_cut(texts, ending, cuts):
    """Whatever the packets, the same events."""
    content = "".join(f"data: {text}{ending}{ending}" for text in texts).encode()
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(content[at : at + cut])
        at += cut
    pieces.append(content[at:])
    assert [data for _, data in events(pieces)] == texts


@asks_nobody
@tries(300)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["choices", "message", "content", "tool_calls", "function", "arguments", "usage", "prompt_tokens", "finish_reason", "refusal", "reasoning", "type", "text", "thinking", "timings", "name"]), inner, max_size=4), max_leaves=12))  # fmt: skip
def test_no_answer_is_too_odd_to_read(data):
    """Whatever JSON a server makes up, reading it does not break."""
    whole = {"choices": [{"message": data if isinstance(data, dict) else {"content": data}}], "usage": data}
    if not lacks(whole):
        assert isinstance(answer_of(whole, 0.1), Answer)
    assert lacks(data) in ("", "shape", "choices", "message")


# ---- Faults ----------------------------------------------------------------------------------------------------------

V1 = "does base_url end in /v1? `promptforge doctor` asks the server"


def test_too_many_requests(question):
    """Retried, after as long as the server asks for."""
    error = {"error": {"message": "slow down", "type": "requests"}}
    problem, url = failed(response(error, status=429, Retry_After="7"), question)
    assert (problem.fault, problem.status, problem.retryable, problem.retry_after_s) == ("rate_limited", 429, True, 7.0)
    assert problem.message == f"{url} asks for fewer requests (HTTP 429): slow down (requests)"
    assert problem.hint == "lower the concurrency"


def test_retry_after_as_a_date(question):
    """By the server's clock, however wrong it is."""
    now = datetime.datetime(2031, 1, 1, tzinfo=datetime.UTC)
    date, until = (email.utils.format_datetime(now + datetime.timedelta(seconds=s), usegmt=True) for s in (0, 90))
    problem, _ = failed(response({}, status=503, Date=date, Retry_After=until), question)
    assert problem.retry_after_s == 90.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry_after_ms": "250"}, 0.25),
        ({"Retry_After": "1.5"}, 1.5),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "-1"}, None),
        ({"Retry_After": "nan"}, None),
        ({"Retry_After": "999999999"}, 86400.0),
        ({"Retry_After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_retry_after(headers, expected, question):
    assert failed(response({}, status=429, **headers), question)[0].retry_after_s == expected


def test_an_account_with_nothing_left(question):
    """It is no use to ask again."""
    error = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    problem, url = failed(response(error, status=429), question)
    assert (problem.fault, problem.retryable) == ("rate_limited", False)
    assert problem.message.startswith(f"the account at {url} has nothing left: You exceeded")
    assert problem.hint == "check its plan and limits"


@pytest.mark.parametrize("status", [500, 502, 504, 599])
def test_a_server_that_fails(status, question):
    problem, url = failed(response({"error": "out of memory"}, status=status), question)
    assert (problem.fault, problem.status, problem.retryable) == ("server", status, True)
    assert problem.message == f"{url} failed (HTTP {status}): out of memory"
    assert problem.hint == "read its log"


@pytest.mark.parametrize("status", [503, 529])
def test_a_server_that_is_not_ready(status, question):
    problem, url = failed(response({"error": {"message": "Loading model", "code": 503}}, status=status), question)
    assert (problem.fault, problem.retryable) == ("overloaded", True)
    assert problem.message == f"{url} is not ready (HTTP {status}): Loading model"
    assert problem.hint == "wait until it has loaded its model"


def test_a_wrong_key(question):
    """Neither the key nor what the server repeats of it is shown."""
    said = f"Incorrect API key provided: sk-house*******cdef. Authorization: Bearer {KEY}"
    problem, url = failed(response({"error": {"message": said}}, status=401), question, api_key="env:HOUSE_KEY")
    assert (problem.fault, problem.status, problem.retryable) == ("auth", 401, False)
    assert problem.message.startswith(f"{url} does not accept the key (HTTP 401): Incorrect API key provided: [hidden]")
    assert "cdef" not in problem.message
    assert problem.hint == "set the right one: export HOUSE_KEY=…"


def test_a_key_is_wanted_and_none_is_named(question):
    problem, url = failed(response({"error": "no key"}, status=401), question)
    assert (problem.fault, problem.status) == ("auth", 401)
    assert problem.message == f"{url} asks for a key (HTTP 401): no key"
    assert problem.hint == "write `api_key: env:NAME` in promptforge.yaml"


def test_a_key_that_is_not_set(question):
    """Nothing is sent."""
    with serving(response(completion())) as server:
        with pytest.raises(BackendError) as caught:
            ask(server, question, api_key="env:OTHER_KEY")
        assert server.asked == []
    assert (caught.value.fault, caught.value.message) == ("no_key", "the environment variable OTHER_KEY is not set")
    assert caught.value.hint == "export OTHER_KEY=…"


def test_a_key_that_may_not(question):
    problem, url = failed(response({"error": "region"}, status=403), question, api_key="env:HOUSE_KEY")
    assert problem.fault == "auth"
    assert problem.message == f"{url} forbids it (HTTP 403): region"
    assert problem.hint == "check that this key may use 'coder'"


@pytest.mark.parametrize(
    "content",
    [
        response("", status=404),
        response("Not Found", status=404, kind="text/plain"),
        response({"detail": "Not Found"}, status=404),
        response({"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}, status=404),
        response("<!doctype html><title>404</title>", status=404, kind="text/html"),
        response({"detail": "Method Not Allowed"}, status=405),
        response("<!DOCTYPE HTML><html><title>Error response</title>", status=501, kind="text/html"),
    ],
)
def test_a_server_that_is_no_model_server(content, question):
    """An HTTP server listens, but it has no such path."""
    problem, url = failed(content, question)
    assert (problem.fault, problem.retryable) == ("not_found", False)
    assert problem.message == f"{url} has no chat/completions (HTTP {problem.status})"
    assert problem.hint == V1


@pytest.mark.parametrize(
    "said",
    [
        "The model `coder` does not exist.",
        "model 'coder' not found, try pulling it first",
        "Repository Not Found for url",
    ],
)
def test_a_model_that_is_not_known(said, question):
    problem, url = failed(response({"error": {"message": said}}, status=404), question)
    assert problem.fault == "not_found"
    assert problem.message == f"{url} does not know the model 'coder': {said}"
    assert problem.hint == "mend `model`, or load it there"


def test_something_else_that_is_not_found(question):
    """mlx_lm says 404 to whatever goes wrong before it generates."""
    problem, url = failed(response({"error": "Cannot find a snapshot on the disk"}, status=404), question)
    assert problem.fault == "not_found"
    assert problem.message == f"{url} did not find what was asked for: Cannot find a snapshot on the disk"
    assert problem.hint == f"mend `model`, or base_url: {V1}"


def test_a_redirect_is_not_followed(question):
    """A key never goes where nobody sent it."""
    problem, url = failed(response("", status=301, Location="https://u:p@models.example/v1?k=1"), question)
    assert problem.fault == "not_found"
    assert problem.message == f"{url} sends us elsewhere: https://[hidden]@models.example/v1"
    assert problem.hint == "write that as base_url, if it is yours"


TOO_LONG = {
    "openai": (400, {"error": {"message": "Input tokens exceed the configured limit", "code": "context_length_exceeded"}}),
    "openai, older": (400, {"error": {"message": "This model's maximum context length is 8192 tokens. However, …"}}),
    "vllm": (400, {"object": "error", "message": "The decoder prompt (length 10127) is longer than the maximum model length of 8192."}),
    "vllm, older": (400, {"message": "The prompt (total length 25938) is too long to fit into the model (context length 4096)."}),
    "llama.cpp": (400, {"error": {"code": 400, "message": "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it", "type": "exceed_context_size_error"}}),
    "llama.cpp, older": (500, {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}}),
    "llama-cpp-python": (500, {"error": {"message": "Requested tokens (2285) exceed context window of 2048"}}),
    "lm studio": (400, {"error": "Trying to keep the first 111490 tokens when context the overflows. However, the model is loaded with context length of only 32768 tokens"}),
    "tgi": (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000", "error_type": "validation"}),
    "mistral": (400, {"message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"}),
    "gemini": (400, {"error": {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}}),
    "anthropic's own": (400, {"error": {"message": "prompt is too long: 208310 tokens > 200000 maximum"}}),
    "mlx": (404, {"error": "prompt length 9000 exceeds the context length 8192"}),
    "sglang": (400, {"message": "The input (9000 tokens) is longer than the model's context length (8192 tokens)."}),
    "proxy": (413, {"error": "Payload Too Large"}),
}  # fmt: skip


@pytest.mark.parametrize("server", TOO_LONG)
def test_a_prompt_over_the_context(server, question):
    """Every server has its own words for it."""
    status, body = TOO_LONG[server]
    problem, _ = failed(response(body, status=status), question)
    assert (problem.fault, problem.retryable) == ("too_long", False)


def test_the_message_of_a_prompt_over_the_context(question):
    problem, _ = failed(response({"error": "context length exceeded"}, status=400), question)
    assert problem.message == "the prompt is longer than the context of 'coder': context length exceeded"
    assert problem.hint == "lower the budget or max_tokens, or serve the model with a larger context"


def test_a_request_that_is_too_large_for_the_server(question):
    problem, url = failed(response("", status=413), question)
    assert problem.message == f"{url} takes no request of this size (HTTP 413)"
    assert problem.hint == "lower the budget"


def test_a_request_that_is_wrong(question):
    """The usual shape of FastAPI's complaints is read."""
    body = {"detail": [{"loc": ["body", "temperature"], "msg": "Input should be a number"}]}
    problem, url = failed(response(body, status=422), question)
    assert (problem.fault, problem.status, problem.retryable) == ("rejected", 422, False)
    assert problem.message == f"{url} rejects the request (HTTP 422): Input should be a number"
    assert problem.hint == "check params and tools"


def test_what_a_server_cannot_do(question):
    problem, url = failed(response({"error": "no tools here"}, status=501), question)
    assert problem.fault == "rejected"
    assert problem.message == f"{url} cannot do this (HTTP 501): no tools here"
    assert problem.hint == "leave out tools or params"


def test_a_server_that_gave_up(question):
    problem, url = failed(response({}, status=408), question)
    assert (problem.fault, problem.retryable) == ("timed_out", True)
    assert problem.message == f"{url} gave up waiting (HTTP 408): it does not say why"
    assert problem.hint == "try again when it is less busy"


def test_a_status_that_ends_nothing(question):
    problem, url = failed(response("", status=199), question)
    assert problem.fault == "not_http"
    assert problem.message == f"{url} answers HTTP 199, which ends no request"
    assert problem.hint == f"is it a model server? {V1}"


CONTENTS = {
    "nothing": (response(""), "not_json", "{} sent nothing: an empty body", "read its log", True),
    "blanks": (response(" \n"), "not_json", "{} sent nothing: an empty body", "read its log", True),
    "a page": (
        response("<!doctype html><html><title>A\n router</title>", kind="text/html"),
        "not_json",
        "{} sent a web page titled 'A router', not JSON",
        f"is it a model server? {V1}",
        False,
    ),
    "half": (
        response('{"choices": [{"message": {"content": "4'),
        "not_json",
        "{} sent JSON that breaks off after 39 bytes",
        "read its log: it may have died",
        True,
    ),
    "deep": (response("[" * 200_000), "not_json", "{} sent JSON that breaks off after 200,000 bytes", "read its log: it may have died", True),
    "text": (response("It works!"), "not_json", "{} sent no JSON, but: It works!", f"is it a model server? {V1}", False),
    "packed": (
        response(b"\x1f\x8b\x08", Content_Encoding="gzip"),
        "not_json",
        "{} sent compressed data, which was not asked for",
        "turn compression off there",
        False,
    ),
    "another shape": (
        response({"status": "ok", "id": 1}),
        "no_choice",
        "{} sent JSON that is no chat completion: its keys are status, id",
        f"is it a model server? {V1}",
        False,
    ),
    "a list": (response([1]), "no_choice", "{} sent JSON that is no chat completion: [1]", f"is it a model server? {V1}", False),
    "null": (response("null"), "not_json", "{} sent no JSON, but: null", f"is it a model server? {V1}", False),
    **{
        f"a message of {name}": (
            response(completion(choices=[{"finish_reason": "stop", "message": message}])),
            "no_choice",
            "{} answered with a message that holds neither a text nor a call",
            "read its log, and check params and tools",
            True,
        )
        for name, message in {
            "nothing": {},
            "a role": {"role": "assistant"},
            "no calls": {"role": "assistant", "tool_calls": []},
            "a mapping": {"content": {"a": 1}},
            "a number": {"content": 42},
            "odd parts": {"content": ["a", 1]},
        }.items()
    },
    "a reason of error": (
        response(completion(finish_reason="error")),
        "server",
        "{} failed (HTTP 200, with an error in it): it does not say why",
        "read its log",
        True,
    ),
    "no choices": (
        response(completion(choices=[])),
        "no_choice",
        "{} answered without a single choice",
        "read its log, and check params and tools",
        True,
    ),
    "an empty choice": (
        response(completion(choices=[{}])),
        "no_choice",
        "{} answered without a single choice",
        "read its log, and check params and tools",
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_content_that_is_no_answer(name, question):
    """HTTP 200, and yet nothing that could be scored."""
    content, fault, message, hint, retryable = CONTENTS[name]
    problem, url = failed(content, question)
    assert problem.message == message.format(url)
    assert (problem.fault, problem.hint, problem.retryable) == (fault, hint, retryable)


@pytest.mark.parametrize(
    ("message", "reason", "finish"),
    [
        ({"role": "assistant"}, "content_filter", "refusal"),  # Azure
        ({"role": "assistant"}, "length", "length"),
        ({"content": None}, "stop", "stop"),  # mlx_lm
        ({"content": ""}, "stop", "stop"),
        ({"role": "assistant", "reasoning_content": ""}, "stop", "stop"),
        ({"role": "assistant", "refusal": "No."}, "stop", "refusal"),
    ],
)
def test_an_answer_of_no_words_is_one(question, message, reason, finish):
    """It is not asked for again, and is told as what it is; streamed it is the same."""
    whole = response(completion(choices=[{"finish_reason": reason, "message": message}]))
    pieces = streaming(chunk(message, reason))
    for content, ask in ((whole, "answer"), (pieces, "stream")):
        with serving(then_close(content)) as server:
            one = backend(server.base_url)
            more = {} if ask == "answer" else {"on_text": lambda text: None}
            found = getattr(one, ask)(question, timeout_s=5, **more)
            one.close()
        assert (found.text, found.finish) == (message.get("refusal", ""), finish)


def test_an_error_with_http_200(question):
    """Some gateways say what went wrong in the body alone."""
    problem, _ = failed(response({"error": {"message": "upstream is busy", "code": 429}}), question)
    assert (problem.fault, problem.status, problem.retryable) == ("rate_limited", 429, True)


def test_long_words_of_a_server_are_cut_after_keys_are_hidden(question):
    """Half a key is a key to guess: what is hidden is hidden before anything is cut; control characters go."""
    said = "x" * 290 + KEY + "y" * 500 + "\x1b[31m"
    problem, _ = failed(response({"error": said}, status=500), question, api_key="env:HOUSE_KEY")
    assert len(problem.message) < 400
    assert "sk-house" not in problem.message
    problem, _ = failed(response({"error": "\x1b[31mred\x07"}, status=500), question)
    assert problem.message.endswith("?[31mred?")


def test_a_key_in_an_answer_is_not_kept(question):
    """A server that echoes what it was sent is not recorded doing so."""

    def echo(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(response(completion(str(asked.headers))))
        return True

    with serving(echo) as server:
        answer = ask(server, question, api_key="env:HOUSE_KEY")
    assert KEY not in repr(answer)
    assert "Bearer [hidden]" in answer.text


# ---- What a server says of itself ------------------------------------------------------------------------------------


def test_the_probe_of_a_llama_server():
    """Its models, their size, and its build."""
    listed = {"data": [{"id": "coder", "owned_by": "llamacpp", "meta": {"n_params": 1723392, "n_ctx_train": 2048}}]}
    props = {
        "build_info": "b1-0c1e570",
        "model_path": "/models/x.gguf",
        "chat_template": "{{ x }}",
        "default_generation_settings": {"n_ctx": 512},
    }

    def reply(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(response({"/v1/models": listed, "/props": props}[asked.path], Server="llama.cpp"))
        return True

    with serving(reply) as server:
        one = backend(server.base_url)
        found = dict(one.probe(5))
        one.close()
    assert len(found.pop("chat_template_sha256")) == 64
    assert found == {
        "server": "llama.cpp",
        "models": "coder",
        "owned_by": "llamacpp",
        "n_params": "1723392",
        "n_ctx_train": "2048",
        "build": "b1-0c1e570",
        "model_path": "/models/x.gguf",
        "n_ctx": "512",
    }


@pytest.mark.parametrize(
    "content",
    [b"", response(""), response("<html>"), response([1]), response({"data": [1, None]}), response("", status=500)],
)
def test_a_probe_never_fails(content):
    """Whatever stands at /models."""
    with serving(then_close(content)) as server:
        one = backend(server.base_url)
        assert isinstance(one.probe(2), dict)
        one.close()
    assert one.probe(2) == {}


def test_the_probe_of_a_server_with_many_models():
    """Of one that lists ours the others do not matter; of one that does not, all are named."""
    listed = {"data": [{"id": "coder", "max_model_len": 8192}, {"id": "other"}]}
    with serving(response(listed)) as server:
        one, two = backend(server.base_url), backend(server.base_url, model="unheard-of")
        assert one.probe(5) == {"models": "coder", "max_model_len": "8192"}
        assert two.probe(5) == {"models": "coder, other"}
        one.close()
        two.close()


@asks_nobody
def test_a_model_without_an_address():
    with pytest.raises(BackendError) as caught:
        backend("")
    assert caught.value.message == "the model 'coder-14b' has no base_url"
    assert caught.value.hint == "write `base_url: http://HOST:PORT/v1` in promptforge.yaml"
