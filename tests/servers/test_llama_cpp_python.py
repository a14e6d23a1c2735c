"""llama-cpp-python's own server: the compatible backend."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from real_servers import CAPITAL, CONTEXT, TOO_LONG, WAIT_S, Running, compatible, free_port, running, setting

from promptforge.backends.base import BackendError

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Running]:
    port = free_port()
    command = [setting("PROMPTFORGE_LLAMA_CPP_PYTHON"), "-m", "llama_cpp.server", "--port", str(port)]
    command += ["--model", setting("PROMPTFORGE_TINY_GGUF"), "--model_alias", "tiny"]
    command += ["--n_ctx", str(CONTEXT), "--n_threads", "1"]
    log = tmp_path_factory.mktemp("llama_cpp") / "log"
    with running(*command, port=port, ready="/v1/models", log=log) as one:
        yield one


def test_an_answer(server):
    with closing(compatible(server.url)) as backend:
        answer = backend.answer(CAPITAL, timeout_s=WAIT_S)
    assert (answer.text.strip(), answer.finish) == ("Paris", "stop")
    assert answer.usage.input_tokens
    assert answer.usage.output_tokens


def test_a_stream_without_usage(server):
    """It ignores the wish for usage in a stream: the counts are missing, and not zero."""
    pieces: list[str] = []
    with closing(compatible(server.url)) as backend:
        answer = backend.stream(CAPITAL, pieces.append, timeout_s=WAIT_S)
    assert "".join(pieces) == answer.text
    assert answer.text.strip() == "Paris"
    assert answer.usage.input_tokens is None
    assert answer.usage.output_tokens is None
    assert answer.first_token_s is not None


def test_a_limit_that_cuts(server):
    with closing(compatible(server.url)) as backend:
        answer = backend.answer(replace(CAPITAL, params={"temperature": 0, "max_tokens": 1}), timeout_s=WAIT_S)
    assert answer.finish == "length"


def test_a_prompt_that_is_too_long(server):
    with closing(compatible(server.url)) as backend, pytest.raises(BackendError) as caught:
        backend.answer(TOO_LONG, timeout_s=WAIT_S)
    assert (caught.value.fault, caught.value.retryable) == ("too_long", False)


def test_any_name_is_echoed(server):
    """What it says of its model is what it was asked for: it proves nothing."""
    with closing(compatible(server.url, "no-such-model")) as backend:
        assert backend.answer(CAPITAL, timeout_s=WAIT_S).model == "no-such-model"
