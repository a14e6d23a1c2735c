"""A counter of tokens that is loaded while something else is done: by a fork, which then counts what it is sent.

Loading a vocabulary takes a quarter as long as all of a build after one edited fact, and does not let go of the
interpreter's lock. Whatever happens to the fork, the count is the same: without it the counter is loaded here.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from promptforge.compiler.parallel import is_safe
from promptforge.tokens import Counter, load_counter

__all__ = ["counted_ahead"]

_SIZE = 8
"""Bytes of a length and of a count."""


@contextmanager
def counted_ahead(encodings: list[str]) -> Iterator[dict[str, Counter]]:
    """The counters of tiktoken's encodings, each loading from now on; none where this process may not fork."""
    with _started(encodings) as forks:
        yield {encoding: fork.count for encoding, fork in forks.items()}


@contextmanager
def _started(encodings: list[str]) -> Iterator["dict[str, _Fork]"]:
    forks: dict[str, _Fork] = {}
    try:
        for encoding in encodings if is_safe() else ():
            try:
                forks[encoding] = _Fork(encoding)
            except OSError:  # no more processes, or pipes: the counters are loaded when they are needed
                break
        yield forks
    finally:
        for fork in forks.values():
            fork.end()


class _Fork:
    """A process that counts. Raises OSError where there can be none."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._own: Counter | None = None
        asked, self._asking = os.pipe()
        self._answers, answering = os.pipe()
        try:
            self._child = os.fork()
        except OSError:
            for handle in (asked, self._asking, self._answers, answering):
                os.close(handle)
            raise
        if self._child == 0:
            try:
                os.close(self._asking)  # or it would never see that nobody asks any more
                _answer(load_counter(encoding), asked, answering)
            finally:
                os._exit(0)
        os.close(asked)
        os.close(answering)

    def count(self, text: str) -> int:
        """Tokens of a text."""
        if self._own is None:
            try:
                return self._ask(text.encode("utf-8"))
            except (OSError, EOFError):
                self._own = load_counter(self._encoding)
        return self._own(text)

    def _ask(self, content: bytes) -> int:
        _send(self._asking, len(content).to_bytes(_SIZE) + content)
        return int.from_bytes(_received(self._answers, _SIZE))

    def end(self) -> None:
        """End the process."""
        os.close(self._asking)
        os.close(self._answers)
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


def _answer(count: Callable[[str], int], asked: int, answering: int) -> None:
    """Count what is asked until nobody asks any more, the first process's end included."""
    while True:
        size = int.from_bytes(_received(asked, _SIZE))
        _send(answering, count(_received(asked, size).decode("utf-8")).to_bytes(_SIZE))


def _send(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _received(handle: int, size: int) -> bytes:
    """Exactly so many bytes. Raises EOFError when the other end is gone."""
    pieces: list[Any] = []
    while size:
        piece = os.read(handle, min(size, 2**16))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
