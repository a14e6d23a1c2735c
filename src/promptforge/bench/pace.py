"""How many requests are in flight at once: fixed, or found out by trying (AIMD, with Retry-After obeyed)."""

import threading
import time

from promptforge.backends.lanes import Bell, bell

__all__ = ["Pace"]


class Pace:
    """A gate for one model. Additive increase after a round of successes, halved on a refusal; never below one."""

    def __init__(self, start: int, *, most: int | None = None) -> None:
        self._limit = float(start)
        self._most = start if most is None else most
        self._in_flight = 0
        self._of_burst = 0
        """How many of those in flight were sent before the last halving."""
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._waiting: list[Bell] = []

    @property
    def most(self) -> int:
        """How many may ever be in flight."""
        return self._most

    @property
    def limit(self) -> int:
        """How many may be in flight now."""
        return int(self._limit)

    def enter(self, stop: threading.Event) -> bool:
        """Wait for a place; false when `stop` was set meanwhile."""
        while not stop.is_set():
            with self._lock:
                wait_s = self._not_before - time.monotonic()
                if wait_s <= 0 and self._in_flight < self.limit:
                    self._in_flight += 1
                    return True
                changed = bell()
                self._waiting.append(changed)
            changed.wait(min(max(wait_s, 0.05), 0.5))
        return False

    def leave(self, *, answered: bool = True, refused: bool = False, retry_after_s: float | None = None) -> None:
        """Give the place back. `refused`: the server asked for fewer requests, perhaps only after a time.

        One burst halves once: what was in flight when it came is refused for the same reason.
        """
        with self._lock:
            self._in_flight -= 1
            of_burst = self._of_burst > 0
            self._of_burst -= of_burst
            if refused:
                if not of_burst:
                    self._limit = max(1.0, self._limit / 2)
                    self._of_burst = self._in_flight
                if retry_after_s is not None:
                    self._not_before = max(self._not_before, time.monotonic() + retry_after_s)
            elif answered:
                self._limit = min(float(self._most), self._limit + 1 / self._limit)
            waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.ring()
