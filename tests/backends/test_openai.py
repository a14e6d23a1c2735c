"""OpenAI through its SDK, against exchanges written by hand from the provider's documentation."""

from contextlib import closing

import pytest

from backends.playback import made, names, play, playing, recorded_outcome, recording
from promptforge.backends.base import Request
from promptforge.backends.openai import OpenAI


@pytest.mark.parametrize("name", names("openai"))
def test_exchanges(name):
    """The recorded request is sent to the letter, and the recorded response comes to the recorded answer or fault."""
    exchange = recording("openai", name)
    with playing(exchange) as seen, closing(made(OpenAI, seen.url + "/v1")) as backend:
        assert play(backend, exchange) == recorded_outcome(exchange)
        assert len(seen.requests) == 1


def test_without_a_system_prompt_none_is_sent():
    with closing(made(OpenAI, "http://127.0.0.1:1")) as backend:
        body = backend._body(Request(system="", messages=(("user", "q"),)))
    assert body == {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "q"}]}
