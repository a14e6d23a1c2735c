"""Waiting for what another thread or process does, with an end."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def until(seen: Callable[[], _T], seconds: float = 30.0) -> _T:
    """What something gives, once it gives anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := seen():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come")
