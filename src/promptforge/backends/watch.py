"""What one exchange with a server keeps to: a deadline, a size, the caller's wish to stop. And how it breaks each."""

import threading
import time
from dataclasses import dataclass, field

__all__ = ["MAX_BYTES", "ConnectTimeoutError", "EndlessError", "OverdueError", "StoppedError", "Watch"]

MAX_BYTES = 16 * 2**20
"""No answer of a model is longer."""


class OverdueError(Exception):
    """The deadline passed. `received` says how many bytes had come."""

    def __init__(self, received: int) -> None:
        super().__init__(received)
        self.received = received


class EndlessError(Exception):
    """More came than may come."""


class StoppedError(Exception):
    """The caller's event was set."""


class ConnectTimeoutError(Exception):
    """No connection within the time for it."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """What one exchange keeps to: a deadline, a size, and the caller's wish to stop. Made when the exchange starts."""

    timeout_s: float
    stop: threading.Event | None = None
    max_bytes: int = MAX_BYTES
    started: float = field(default_factory=time.monotonic)
    received: int = 0

    def left_s(self) -> float:
        """How long the next step may take. Raises OverdueError, StoppedError."""
        if self.stop is not None and self.stop.is_set():
            raise StoppedError
        left = self.started + self.timeout_s - time.monotonic()
        if left <= 0:
            raise OverdueError(self.received)
        return left

    def elapsed_s(self) -> float:
        """Since the exchange started."""
        return time.monotonic() - self.started

    def count(self, size: int) -> None:
        """Note that bytes came. Raises EndlessError."""
        self.received += size
        if self.received > self.max_bytes:
            raise EndlessError
