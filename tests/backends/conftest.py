"""What the tests of the backends share."""

import pytest

from promptforge.backends.base import Request


@pytest.fixture
def question() -> Request:
    """A request with everything in it."""
    return Request(
        system="You are Windu.",
        messages=(("user", "Which port does the memory vault use?"),),
        params={"temperature": 0, "max_tokens": 64},
    )
