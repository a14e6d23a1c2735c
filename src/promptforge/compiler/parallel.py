"""Work that is done number by number, by two processes where that pays: both take from one queue until it is empty.

The second process is a fork, so it has all that was made before, and hands plain data back. Whatever happens to it,
what it did not hand back is still to be done. It lives no longer than the first: it is killed and waited for when the
first leaves, and leaves by itself when the first was killed.
"""

import marshal
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptforge.model import Cut, Prompt, Segment

__all__ = ["is_safe", "packed", "shared", "unpacked"]

FEWEST = 200
"""With fewer agents a fork costs as much as it saves."""
_TAKES = 250
"""Into how many shares the work is parted; each has a byte of its own."""

Numbers = Iterator[int]
Result = Callable[[], Any]
"""What the work of the second process returned; nothing where there was none, or where it came to grief."""


@contextmanager
def shared(count: int, work: Callable[[Numbers], Any]) -> Iterator[tuple[Numbers, Result]]:
    """The numbers below `count` that fall to this process, and the result of `work`, which another did with the rest.

    `work` returns plain data. Ask for its result when the numbers are all done.
    """
    process = _fork(count, work) if count >= FEWEST and is_safe() else None
    if process is None:
        yield iter(range(count)), lambda: None
        return
    child, queue, results = process
    ended: list[int] = []

    def result() -> Any:
        with os.fdopen(results, "rb", closefd=False) as file:
            content = file.read()
        ended.append(os.waitpid(child, 0)[1])
        return marshal.loads(content) if ended == [0] else None  # our own process wrote it

    try:
        yield _taken(queue, count), result
    finally:
        for handle in (queue, results):
            os.close(handle)
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def is_safe() -> bool:
    """Whether this process may fork, and has two processors: a fork takes no other thread along, but their locks."""
    if sys.platform != "linux":
        return False
    try:
        threads = len(list(Path("/proc/self/task").iterdir()))  # those included that Python knows nothing of
        return threads == 1 and len(os.sched_getaffinity(0)) > 1
    except OSError:
        return False


def _fork(count: int, work: Callable[[Numbers], Any]) -> tuple[int, int, int] | None:
    """The second process, the queue and the pipe that its results come by; nothing where there can be none."""
    own = os.getpid()
    queue, filling = os.pipe()
    results, writing = os.pipe()
    os.write(filling, bytes(range(-(-count // _share(count)))))
    os.close(filling)
    try:
        child = os.fork()
    except OSError:
        child = -1
    if child == 0:
        try:
            os.close(results)
            content = marshal.dumps(work(number for number in _taken(queue, count) if os.getppid() == own))
            with os.fdopen(writing, "wb") as file:
                file.write(content)
            os._exit(0)
        finally:
            os._exit(1)  # the first process will do it, and say what is wrong if it is
    os.close(writing)
    if child < 0:
        os.close(queue)
        os.close(results)
        return None
    return child, queue, results


def _share(count: int) -> int:
    return -(-count // _TAKES)


def _taken(queue: int, count: int) -> Numbers:
    """Numbers, as long as there are any; each byte of a pipe is read by one process only."""
    size = _share(count)
    while taken := os.read(queue, 1):
        start = taken[0] * size
        yield from range(start, min(start + size, count))


# --- prompts as plain data ------------------------------------------------------------------------------------------


def packed(prompt: Prompt) -> tuple[Any, ...]:
    """A prompt as plain data."""
    segments = [tuple(segment) for segment in prompt.segments]
    cuts = [tuple(cut) for cut in prompt.cuts]
    return prompt.system, prompt.messages, prompt.tokens, segments, cuts, prompt.filtered


def unpacked(plain: tuple[Any, ...]) -> Prompt:
    """The prompt that was packed."""
    system, messages, tokens, segments, cuts, filtered = plain
    filtered_by: Mapping[int, int] = filtered
    return Prompt(
        system=system,
        messages=messages,
        tokens=tokens,
        segments=tuple([Segment._make(segment) for segment in segments]),
        cuts=tuple([Cut._make(cut) for cut in cuts]),
        filtered=filtered_by,
    )
