"""What may not be exported, and what promptfoo is shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.bench.promptfoo import LeftOut, shown, unfit
from promptforge.model import Model
from strategies import tries


def model(**settings: Any) -> Model:
    entry = {"backend": "compatible", "base_url": "http://127.0.0.1:1/v1", "model": "m", **settings}
    return Model(name="odd", backend=entry["backend"], tier="local", settings=entry)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, ""),
        ({"api_key": "env:HUT_KEY"}, ""),
        ({"backend": "openai", "base_url": None}, ""),
        ({"backend": "replay"}, "odd is no server (its backend is 'replay'), so promptfoo cannot ask it"),
        ({"model": ""}, "odd does not say which model the server shall answer with (`model:`)"),
        (
            {"base_url": "http://mara:swordfish@192.0.2.10/v1"},
            "the base_url of odd holds more than an address: a password or a key may stand in it",
        ),
        ({"api_key": "swordfish"}, "the api_key of odd names no environment variable (`env:NAME`)"),
    ],
)
def test_what_would_show_a_secret_or_be_asked_otherwise_is_unfit(settings, why):
    """Each reason in words; none of them repeats what may be a secret."""
    assert unfit(model(**settings)) == why
    assert "swordfish" not in why


@given(st.text(alphabet="{}%#- ax", max_size=20))
@tries(200)
def test_nothing_that_is_shown_begins_or_ends_a_tag(text):
    """Whatever stands in a question, promptfoo finds no tag in what it is shown; the letters are all there."""
    said = shown(text)
    assert not any(tag in said for tag in ("{{", "{%", "{#", "#}"))
    assert said.replace(" ", "") == text.replace(" ", "")


def test_what_is_shown_names_no_file():
    """It would be read, and sent."""
    assert shown("file:///etc/hostname") == " file:///etc/hostname"
    assert shown("package:x") == " package:x"


def test_what_is_left_out_has_a_name():
    assert str(LeftOut(case="leet", why="")) == "leet"
    assert str(LeftOut(case="leet", why="", agent="yoda", model="m", variant="base")) == "leet × yoda × m"
