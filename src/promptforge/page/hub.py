"""The newest state of each part of the page, and those who wait for news of it."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

__all__ = ["Hub"]


class Hub:
    """Keeps only the newest of each part: a browser that is slow misses steps, and no queue grows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, tuple[int, str]] = {}
        self._number = 0
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self.over = False

    @property
    def watched(self) -> bool:
        """Whether any browser waits for news."""
        return bool(self._waiting)

    def publish(self, part: str, value: Mapping[str, Any]) -> None:
        """Replace a part; callable from any thread. In ASCII, as half a surrogate pair has no bytes in UTF-8."""
        text = json.dumps(value, separators=(",", ":"))
        with self._lock:
            self._number += 1
            self._parts[part] = self._number, text
        self._wake()

    def end(self) -> None:
        """Tell all who wait that no more comes."""
        self.over = True
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            waiting = list(self._waiting.items())
        for event, loop in waiting:
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(event.set)

    def news(self, seen: dict[str, int]) -> Iterator[tuple[str, str]]:
        """The parts that `seen` does not have as they are now, which it has then."""
        with self._lock:
            parts = sorted(self._parts.items(), key=lambda one: one[1][0])
        for name, (number, text) in parts:
            if seen.get(name) != number:
                seen[name] = number
                yield name, text

    def listen(self) -> asyncio.Event:
        """An event that is set with each piece of news, until `leave`."""
        event = asyncio.Event()
        event.set()
        with self._lock:
            self._waiting[event] = asyncio.get_running_loop()
        return event

    def leave(self, event: asyncio.Event) -> None:
        """No longer wait."""
        with self._lock:
            self._waiting.pop(event, None)
