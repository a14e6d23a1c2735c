"""Waiting until a server that we started is really ready: its own process listens, and it answers a chat.

Nothing is sent to a port before its listener is known to be ours.
"""

import threading
import time
from collections.abc import Callable

from promptforge.backends.base import BackendError
from promptforge.backends.talk import Talk
from promptforge.backends.trouble import trouble

__all__ = ["NotReadyError", "await_ready"]

_POLL_S = (0.05, 1.0)
"""Between two looks at first, and at most."""
_PASSING = frozenset({"overloaded", "unreachable", "timed_out", "server", "rate_limited"})
"""Faults of a server that may still be loading."""
_MOST_ERRORS = 5
"""HTTP 500 so many times in a row is no loading."""


class NotReadyError(Exception):
    """Time was up, or it never will be; says what it was doing."""

    def __init__(self, state: str, *, ever: bool = True) -> None:
        super().__init__(state)
        self.ever = ever
        """Whether more time may help."""


def await_ready(
    name: str, look: Callable[[], bool], talk: Talk, *, patience_s: float, stop: threading.Event | None
) -> None:
    """Return when the server answers a chat. Raises NotReadyError, BackendError, ServerError and what `look` raises.

    `look` says whether the server listens, and raises when it has died or another one listens in its place.
    """
    limit = time.monotonic() + patience_s
    pause_s, errors = _POLL_S[0], 0
    while True:
        if stop is not None and stop.is_set():
            raise trouble("stopped", name=name)
        state = "it does not listen yet"
        if look():
            try:
                state = _state(talk, limit)
            except BackendError as problem:
                look()  # where it has died meanwhile, that is the better message
                errors += problem.fault == "server"
                if problem.fault not in _PASSING or errors >= _MOST_ERRORS:
                    raise
                state = f"it listens, but {problem.message}"
            if not state:
                return
        if time.monotonic() >= limit:
            raise NotReadyError(state)
        time.sleep(min(pause_s, max(0.0, limit - time.monotonic())))
        pause_s = min(pause_s * 1.5, _POLL_S[1])


def _state(talk: Talk, limit: float) -> str:
    """What it is waiting for; nothing when it is ready. A chat of one token is the only proof."""
    match talk.state():
        case "loading":
            return "it says that it is still loading"
        case "broken":
            raise NotReadyError("it says that it is unavailable", ever=False)
    left_s = max(1.0, limit - time.monotonic())
    talk.chat("Hello", params={"temperature": 0, "max_tokens": 1}, timeout_s=left_s)
    return ""
