"""`transformers serve`: the compatible backend."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from real_servers import CAPITAL, WAIT_S, Running, compatible, free_port, running, setting

from promptforge.backends.base import BackendError

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Running]:
    port = free_port()
    home = tmp_path_factory.mktemp("transformers")
    (home / "hub").mkdir()
    command = [setting("PROMPTFORGE_TRANSFORMERS"), "serve", setting("PROMPTFORGE_TINY_MODEL")]
    command += ["--port", str(port), "--device", "cpu"]
    alone = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    with running(*command, port=port, ready="/health", log=home / "log", **alone) as one:
        yield one


def name() -> str:
    """The model's name is its folder."""
    return setting("PROMPTFORGE_TINY_MODEL")


def test_an_answer(server):
    """The name that it gives is never the one that was asked for."""
    with closing(compatible(server.url, name())) as backend:
        answer = backend.answer(CAPITAL, timeout_s=WAIT_S)
    assert answer.text.strip() == "Paris"
    assert answer.finish == "stop"
    assert answer.usage.input_tokens
    assert answer.model != name()


def test_a_stream_is_the_same_answer(server):
    """The usage comes with the last piece."""
    pieces: list[str] = []
    with closing(compatible(server.url, name())) as backend:
        answer = backend.stream(CAPITAL, pieces.append, timeout_s=WAIT_S)
    assert "".join(pieces) == answer.text
    assert answer.text.strip() == "Paris"
    assert answer.usage.output_tokens
    assert answer.first_token_s is not None


def test_a_limit_that_cuts(server):
    with closing(compatible(server.url, name())) as backend:
        answer = backend.answer(replace(CAPITAL, params={"temperature": 0, "max_tokens": 1}), timeout_s=WAIT_S)
    assert answer.finish == "length"


def test_another_models_name_is_refused(server):
    with closing(compatible(server.url, "no-such/model")) as backend, pytest.raises(BackendError) as caught:
        backend.answer(CAPITAL, timeout_s=WAIT_S)
    assert caught.value.fault in ("rejected", "not_found", "server")
    assert caught.value.message
