"""A run as plain data, and back."""

import json

import pytest

from promptforge.bench.record import plain_run, read_run, things_said
from promptforge.bench.results import Run
from promptforge.document import Decimal


def run(**more):
    return Run(
        id="r", suite="s", suite_digest="d", categories=("k",), started="2026", arms=(), cases=(), replies=(), **more
    )


def test_a_decimal_of_the_project_is_kept():
    """A price of 0.5 or a temperature of 0.70 comes back as the number that it is."""
    about = {"price": {"input": 5, "cached_input": Decimal("0.50")}, "params": {"temperature": Decimal("0.7")}}
    kept = run(models={"far": about})
    back = read_run(json.loads(json.dumps(plain_run(kept))))
    assert back == kept
    assert back.models["far"]["price"]["cached_input"] == 0.5


@pytest.mark.parametrize("text", ["", "[]", "[(", "7", "['a']", "words", "[" * 5000])
def test_what_a_server_said_and_cannot_be_read_is_nothing(text):
    """A damaged history stops nobody."""
    assert things_said(text) == {}
