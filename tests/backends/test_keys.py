"""Keys: read late, and never shown."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptforge.backends.base import BackendError
from promptforge.backends.keys import HIDDEN, blank, hide, plain_url, read_key
from strategies import tries


@pytest.mark.parametrize(
    ("spec", "environ", "message", "hint"),
    [
        ("env:HOUSE", {}, "the environment variable HOUSE is not set", "export HOUSE=…"),
        ("env:HOUSE", {"HOUSE": " \n"}, "the environment variable HOUSE is empty", "export HOUSE=…"),
        (
            "env:HOUSE",
            {"HOUSE": "sk-one\nsk-two"},
            "the environment variable HOUSE holds characters that no key has",
            "copy the key again, without line breaks: export HOUSE=…",
        ),
        (
            "sk-literal-key",
            {},
            "the API key stands in promptforge.yaml instead of the environment",
            "write `api_key: env:NAME` and export NAME=…; change the key, it is in the open",
        ),
        (
            "env:sk-literal-key",
            {},
            "api_key names no environment variable",
            "write `api_key: env:NAME`, where NAME has letters, digits and underscores only",
        ),
    ],
)
def test_a_key_that_cannot_be_read(spec, environ, message, hint):
    """It is said which variable it is, and never what is in it."""
    with pytest.raises(BackendError) as caught:
        read_key(spec, environ)
    assert (caught.value.fault, caught.value.message, caught.value.hint) == ("no_key", message, hint)
    assert "literal" not in caught.value.message + caught.value.hint
    assert "sk-one" not in caught.value.message + caught.value.hint


def test_blanks_around_a_key_are_no_part_of_it():
    """They come from copying."""
    assert read_key("env:HOUSE", {"HOUSE": " abc\n"}) == "abc"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Authorization: Bearer abc", "Authorization: Bearer [hidden]"),
        ("{'authorization': 'Basic bWFyYTpw'}", "{'authorization': 'Basic [hidden]'}"),
        ('"x-api-key": "abc-def"', '"x-api-key": "[hidden]"'),
        ("api_key=abc&x=1", "api_key=[hidden]"),
        ("see http://mara:pw@192.0.2.10/v1", "see http://[hidden]@192.0.2.10/v1"),
        ("Incorrect API key provided: sk-proj-ab12***wxyz.", "Incorrect API key provided: [hidden]"),
        ("write `api_key: env:NAME`", "write `api_key: env:NAME`"),
        ("set HF_HUB_OFFLINE, sk-learn, hf-transfer", "set HF_HUB_OFFLINE, sk-learn, hf-transfer"),
        ("the bearer of bad news", "the bearer of bad news"),
    ],
)
def test_what_looks_like_a_key_is_hidden(said, shown):
    """Also where it is not ours; and nothing else is."""
    assert hide(said) == shown


@tries(200)
@given(st.text(alphabet="abcXYZ019-_./+=", min_size=8, max_size=40), st.text(max_size=30), st.text(max_size=30))
def test_a_key_never_survives(key, before, after):
    """As it is, in a URL, and in base64, wherever it stands."""
    assume(key not in HIDDEN)
    import base64
    from urllib.parse import quote

    for form in (key, quote(key, safe=""), base64.b64encode(key.encode()).decode()):
        text = before + form + after
        assert form not in hide(text, [key])
        assert form not in blank(text, [key])


def test_a_key_that_is_a_word_is_hidden_as_a_word():
    """Local servers take any key; `x` must not blank every x."""
    assert hide("key none: nonetheless", ["none"]) == "key [hidden]: nonetheless"
    assert blank("", ["none"]) == ""
    assert blank("text", [""]) == "text"


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://API.example:443/v1/", "https://api.example/v1"),
        ("http://[2001:db8::1]:8080/v1?key=1", "http://[2001:db8::1]:8080/v1"),
        ("http://a.example:99999/v1?key=1", "http://a.example:99999/v1"),
        ("http://u:p@[::1/v1?key=1", "http://[hidden]@[::1/v1"),
    ],
)
def test_urls_are_shown_without_secrets(url, plain):
    assert plain_url(url) == plain
