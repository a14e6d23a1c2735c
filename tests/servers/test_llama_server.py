"""llama.cpp's llama-server: the anthropic backend on /v1/messages, the other two on /v1/chat/completions."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from real_servers import (
    CAPITAL,
    CONTEXT,
    SYSTEM,
    TOO_LONG,
    WAIT_S,
    Running,
    anthropic,
    compatible,
    free_port,
    openai,
    running,
    setting,
)

from promptforge.backends.base import BackendError, Request

pytestmark = pytest.mark.servers

ALL = pytest.mark.parametrize("kind", [anthropic, compatible, openai])
TURNS = (("user", "What is the capital of Italy?"), ("assistant", "Rome"), ("user", "What is the capital of France?"))


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Running]:
    port = free_port()
    command = [setting("PROMPTFORGE_LLAMA_SERVER"), "-m", setting("PROMPTFORGE_TINY_GGUF"), "--port", str(port)]
    command += ["--alias", "tiny", "-t", "1", "-c", str(CONTEXT), "-np", "1", "--jinja", "--offline"]
    with running(*command, port=port, ready="/health", log=tmp_path_factory.mktemp("llama") / "log") as one:
        yield one


@ALL
def test_an_answer(server, kind):
    """Text, finish, usage and the model's name, as the server gives them."""
    with closing(kind(server.url)) as backend:
        answer = backend.answer(CAPITAL, timeout_s=WAIT_S)
    assert (answer.text, answer.finish, answer.model) == ("Paris", "stop", "tiny")
    assert answer.usage.output_tokens
    assert answer.latency_s > 0


def test_all_backends_count_alike(server):
    """The prompt's tokens are the same by all three, and by the server's own counting endpoint."""
    body = {"model": "tiny", "system": SYSTEM, "messages": [{"role": "user", "content": CAPITAL.messages[0][1]}]}
    request = urllib.request.Request(
        f"{server.url}/v1/messages/count_tokens", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=WAIT_S) as response:
        counted = json.load(response)["input_tokens"]
    for kind in (anthropic, compatible, openai):
        with closing(kind(server.url)) as backend:
            assert backend.answer(CAPITAL, timeout_s=WAIT_S).usage.input_tokens == counted


@ALL
def test_the_cached_part_is_counted(server, kind):
    """Of a prompt that was sent before all but its end comes from the cache, and input_tokens is still all of it."""
    with closing(kind(server.url)) as backend:
        first, again = (backend.answer(CAPITAL, timeout_s=WAIT_S).usage for _ in range(2))
    assert again.input_tokens == first.input_tokens
    assert again.cached_tokens
    assert again.cached_tokens > 10


@ALL
def test_a_stream_is_the_same_answer(server, kind):
    pieces: list[str] = []
    with closing(kind(server.url)) as backend:
        whole = backend.answer(CAPITAL, timeout_s=WAIT_S)
        streamed = backend.stream(CAPITAL, pieces.append, timeout_s=WAIT_S)
    assert "".join(pieces) == streamed.text == whole.text
    assert streamed.usage.input_tokens == whole.usage.input_tokens
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert streamed.first_token_s is not None
    assert 0 < streamed.first_token_s <= streamed.latency_s


@ALL
def test_a_limit_that_cuts(server, kind):
    with closing(kind(server.url)) as backend:
        answer = backend.answer(replace(CAPITAL, params={"temperature": 0, "max_tokens": 1}), timeout_s=WAIT_S)
    assert answer.finish == "length"
    assert answer.usage.output_tokens == 1


@ALL
def test_several_turns(server, kind):
    """Few-shot examples as messages."""
    with closing(kind(server.url)) as backend:
        answer = backend.answer(replace(CAPITAL, messages=TURNS), timeout_s=WAIT_S)
    assert answer.text == "Paris"


def test_marks_for_the_cache_change_nothing(server):
    """The anthropic backend's blocks with cache_control are read as the text that they hold."""
    with closing(anthropic(server.url)) as backend:
        plain = backend.answer(replace(CAPITAL, messages=TURNS), timeout_s=WAIT_S)
        marked = backend.answer(replace(CAPITAL, messages=TURNS, cache_prefix=2), timeout_s=WAIT_S)
    assert (marked.text, marked.usage.input_tokens) == (plain.text, plain.usage.input_tokens)


@ALL
@pytest.mark.parametrize("streamed", [False, True])
def test_a_prompt_that_is_too_long(server, kind, streamed):
    with closing(kind(server.url)) as backend, pytest.raises(BackendError) as caught:
        backend.stream(TOO_LONG, print, timeout_s=WAIT_S) if streamed else backend.answer(TOO_LONG, timeout_s=WAIT_S)
    assert (caught.value.fault, caught.value.status, caught.value.retryable) == ("too_long", 400, False)
    assert "exceeds the available context size (2048 tokens)" in caught.value.message


def test_another_models_name_is_served_all_the_same(server):
    """The server answers for any name and says its own: what it says of itself proves nothing."""
    with closing(compatible(server.url, "no-such-model")) as backend:
        assert backend.answer(CAPITAL, timeout_s=WAIT_S).model == "tiny"


def test_the_build_is_the_fingerprint(server):
    with closing(compatible(server.url)) as backend:
        assert backend.answer(CAPITAL, timeout_s=WAIT_S).fingerprint.startswith("b")


@ALL
def test_tools_are_taken(server, kind):
    """A tool is sent in each protocol's own form, and the server accepts it; the tiny model calls none."""
    tool = {"name": "ring", "description": "Ring.", "parameters": {"type": "object", "properties": {}}}
    with closing(kind(server.url)) as backend:
        answer = backend.answer(replace(CAPITAL, tools=(tool,)), timeout_s=WAIT_S)
    assert answer.finish in ("stop", "length", "tool")


@ALL
def test_a_parameter_of_the_wrong_kind(server, kind):
    """The server's own words come through."""
    asked = Request(system="", messages=CAPITAL.messages, params={"max_tokens": 4, "temperature": "hot"})
    with closing(kind(server.url)) as backend, pytest.raises(BackendError) as caught:
        backend.answer(asked, timeout_s=WAIT_S)
    assert caught.value.fault in ("rejected", "server")
    assert "temperature" in caught.value.message or "type" in caught.value.message
