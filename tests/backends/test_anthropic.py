"""Anthropic through its SDK, against exchanges written by hand from the provider's documentation; and its caching."""

from contextlib import closing

import pytest

from backends.playback import made, names, play, playing, recorded_outcome, recording
from promptforge.backends.anthropic import CACHE_MINIMUM, MAX_TOKENS, Anthropic, cache_minimum, caching
from promptforge.backends.base import Request


@pytest.mark.parametrize("name", names("anthropic"))
@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_exchanges(name, suffix):
    """The recorded request is sent to the letter, and the recorded response comes to the recorded answer or fault.

    Whether base_url ends in /v1 or not is the same.
    """
    exchange = recording("anthropic", name)
    with playing(exchange) as seen, closing(made(Anthropic, seen.url + suffix)) as backend:
        assert play(backend, exchange) == recorded_outcome(exchange)
        assert [headers["anthropic-version"] for _, headers, _ in seen.requests] == ["2023-06-01"]


def test_the_version_of_the_api_is_part_of_the_identity():
    """So that no answer of another version is taken over."""
    with closing(made(Anthropic, "http://127.0.0.1:1/v1")) as backend:
        assert backend.identity == {
            "backend": "anthropic",
            "base_url": "http://127.0.0.1:1",
            "model": "claude-opus-4-6",
            "api_version": "2023-06-01",
        }


def test_a_request_without_anything_is_small():
    """No system, no tools, no marks; only the limit that the provider insists on."""
    with closing(made(Anthropic, "http://127.0.0.1:1")) as backend:
        body = backend._body(Request(system="", messages=(("user", "q"),), cache_prefix=0))
    assert body == {
        "model": "claude-opus-4-6",
        "messages": [{"role": "user", "content": "q"}],
        "max_tokens": MAX_TOKENS,
    }


def test_a_tool_without_parameters_or_description():
    with closing(made(Anthropic, "http://127.0.0.1:1")) as backend:
        body = backend._body(Request(system="", messages=(("user", "q"),), tools=({"name": "ring"},)))
    assert body["tools"] == [{"name": "ring", "input_schema": {"type": "object", "properties": {}}}]


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("claude-opus-5", 512),
        ("claude-fable-5-1", 512),
        ("claude-opus-4-8", 1024),
        ("claude-sonnet-5", 1024),
        ("claude-sonnet-4-6", 1024),
        ("claude-sonnet-4-20250514", 1024),
        ("claude-opus-4-20250514", 1024),
        ("claude-opus-4-1-20250805", 1024),
        ("claude-opus-4-7", 2048),
        ("claude-3-5-haiku-20241022", 2048),
        ("claude-opus-4-6", 4096),
        ("claude-opus-4-5-20251101", 4096),
        ("claude-haiku-4-5-20251001", 4096),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", 4096),
        ("claude-opus-4-9", 4096),
        ("tiny", 4096),
    ],
)
def test_the_minimum_that_a_model_caches(name, tokens):
    """By the provider's list; for a name that is not on it the highest."""
    assert cache_minimum(name) == tokens


def test_no_part_of_a_name_hides_another():
    """Of the parts in the table none stands in another one with a different minimum."""
    for part, tokens in CACHE_MINIMUM.items():
        assert cache_minimum(f"claude-{part}") == tokens


@pytest.mark.parametrize(
    ("tokens", "repeats", "expected"),
    [(4096, 2, True), (4095, 2, False), (9000, 1, False), (100, 1, False), (9000, 0, False)],
)
def test_caching_where_it_pays(tokens, repeats, expected):
    """From the second request on, and from the model's minimum on."""
    assert caching("claude-opus-4-6", tokens, repeats)[0] is expected


def test_a_prompt_under_the_minimum_is_a_warning():
    """The provider says nothing, so promptforge does; a prompt that is sent once is no pity."""
    assert caching("claude-opus-4-6", 3100, 1200) == (
        False,
        "the prompt has 3,100 tokens, and claude-opus-4-6 caches from 4,096 on: each of the 1,200 requests pays for all of it",
    )
    assert caching("claude-opus-4-6", 3100, 1) == (False, "")
