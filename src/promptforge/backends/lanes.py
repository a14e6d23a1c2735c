"""Lanes of work that share a thread: while one waits for its server, another one goes on. Owns greenlet.

A lane is a function like any other, with calls that seem to block; what they wait with is here. Called in a lane these
let the other lanes work meanwhile; called anywhere else they hold their thread, as such calls do. Threads would do the
same, but sixty-four of them that wake together spend more on taking the interpreter from each other than on their work
(docs/design/bench.md has the figures).
"""

import _thread
import heapq
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from errno import EINPROGRESS, ETIMEDOUT, EWOULDBLOCK
from itertools import count
from socket import AF_INET, AF_INET6, IPPROTO_TCP, SO_ERROR, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY, socket, socketpair
from typing import Any, Protocol, TypeVar

from greenlet import getcurrent, greenlet

__all__ = ["Bell", "Lanes", "aside", "bell", "connected", "in_lane", "ready", "wait_for"]

_LOOK_S = 0.2
"""How often an event of another thread is looked at."""
_AT_ONCE = 8
"""So many lanes at most go on before what they do together is done: the first of many must not wait for the last."""


T = TypeVar("T")


class Bell(Protocol):
    """Rung once, by anybody; whoever had it made waits for it."""

    def ring(self) -> None:
        """Let the one who waits go on, now or when it comes to wait. Safe from any thread, and more than once."""

    def wait(self, most_s: float | None = None) -> bool:
        """Wait until it is rung; false when that took too long."""


class _Lane:
    """One function at work."""

    __slots__ = ("greenlet", "turn")

    def __init__(self, made: Any) -> None:
        self.greenlet = made
        self.turn = 0
        """Counts its waits, so that what was to wake it from an earlier one comes to nothing."""


class Lanes:
    """Runs functions side by side in one thread, which begins with the first and ends with the last of them."""

    def __init__(self, between: Callable[[], object] = lambda: None) -> None:
        """`between` is called in the thread of the lanes whenever some have gone on: for what they do together."""
        self._between = between
        self._lock = threading.Lock()
        self._count = 0
        """How many lanes are at work, or about to be."""
        self._running = False
        """Whether there is a thread: for a moment after its last lane there still is, and it takes the next one."""
        self._calls: deque[tuple[_Lane, int] | Callable[[], object]] = deque()
        """From any thread: lanes to go on, and functions to begin with."""
        self._called = False
        self._due: list[tuple[float, int, _Lane, int]] = []
        """When waits have taken long enough, the next one first."""
        self._number = count()
        self._loop: Any = None
        self._now: _Lane | None = None
        """The lane that is working at the moment."""
        self.idle = threading.Event()
        """Set while every lane waits, and none of them can go on."""
        self._aside = 0
        """How many lanes are in a thread of their own for a while."""
        self._selector: selectors.BaseSelector
        self._ears: tuple[socket, socket]

    def start(self, work: Callable[[], object]) -> None:
        """Have a function run in a lane of its own. It must not raise. Safe from any thread."""
        with self._lock:
            self._count += 1
            self._calls.append(work)
            if self._running:
                self._shout()
                return
            self._running = True
            self._selector, self._ears = selectors.DefaultSelector(), socketpair()
            self._called = False
            self.idle.clear()
            for ear in self._ears:
                ear.setblocking(False)
            self._selector.register(self._ears[0], selectors.EVENT_READ)
            _thread.start_new_thread(self._run, ())

    # ---- From any thread

    def call(self, lane: _Lane, turn: int) -> None:
        """Let a lane go on from a wait."""
        self._calls.append((lane, turn))
        if not self._called and getattr(_here, "lanes", None) is not self:
            with self._lock:
                if self._running:
                    self._shout()

    def _shout(self) -> None:
        self.idle.clear()  # at once: whoever started a lane and waits until all is idle means that one, too
        if not self._called:
            self._called = True
            with suppress(BlockingIOError):  # then more than enough was said already
                self._ears[1].send(b"!")

    # ---- In the thread of the lanes

    def _run(self) -> None:
        _here.lanes = self
        self._loop = getcurrent()
        while self._goes_on():
            self._look()
        del _here.lanes

    def _goes_on(self) -> bool:
        self._between()  # the last lane may have left something, too
        with self._lock:
            if self._count:
                return True
            self._running = False
            self.idle.set()
            self._selector.close()
            for ear in self._ears:
                ear.close()
            self._calls.clear()
            self._due.clear()
            return False

    def _look(self) -> None:
        """Let everybody go on who can."""
        events = self._selector.select(0.0)
        if not events and not self._calls:
            left_s = None if not self._due else max(0.0, self._due[0][0] - time.monotonic())
            with self._lock:
                if not (self._calls or self._called or self._aside):
                    self.idle.set()
            events = self._selector.select(left_s)
            self.idle.clear()
        for number, (key, _) in enumerate(events, 1):
            if key.data is None:
                with suppress(BlockingIOError):
                    self._ears[0].recv(4096)
                self._called = False  # what is called for from now on shouts again; the rest is looked at below
            else:
                lane, turn = key.data
                self._resume(lane, turn, True)
            if number % _AT_ONCE == 0:
                self._go_on()
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, lane, turn = heapq.heappop(self._due)
            self._resume(lane, turn, False)
        self._go_on()

    def _go_on(self) -> None:
        """Do what the lanes do together, and let those go on that were called."""
        self._between()
        for _ in range(len(self._calls)):
            call = self._calls.popleft()
            if isinstance(call, tuple):
                self._resume(*call, True)
            else:
                self._begin(call)

    def _begin(self, work: Callable[[], object]) -> None:
        def run(_: bool) -> None:
            try:
                work()
            finally:
                lane.turn += 1
                with self._lock:
                    self._count -= 1

        lane = _Lane(greenlet(run, self._loop))
        self._resume(lane, 0, True)

    def _resume(self, lane: _Lane, turn: int, rung: bool) -> None:
        if lane.turn == turn:
            lane.turn += 1
            self._now = lane
            lane.greenlet.switch(rung)
            self._now = None

    # ---- In a lane

    @property
    def now(self) -> _Lane:
        """The lane that asks."""
        assert self._now is not None
        return self._now

    def wait(self, lane: _Lane, most_s: float | None) -> bool:
        """Let the others go on until this lane is called for this turn; false when that took too long."""
        if most_s is not None:
            heapq.heappush(self._due, (time.monotonic() + most_s, next(self._number), lane, lane.turn))
        return bool(self._loop.switch())

    def wait_for_socket(self, of: socket, *, to_send: bool, most_s: float) -> bool:
        """The same, until a socket can be sent to or read from."""
        lane = self.now
        lane.turn += 1
        events = selectors.EVENT_WRITE if to_send else selectors.EVENT_READ
        self._selector.register(of, events, (lane, lane.turn))
        try:
            return self.wait(lane, most_s)
        finally:
            self._selector.unregister(of)

    def aside(self, work: Callable[[], T]) -> T:
        """What a function returns, or raises, in a thread of its own."""
        over, made, wrong = _LaneBell(self), list[T](), list[BaseException]()

        def run() -> None:
            try:
                made.append(work())
            except BaseException as problem:
                wrong.append(problem)
            finally:
                over.ring()

        _thread.start_new_thread(run, ())
        self._aside += 1  # seen by the loop only when this lane waits
        over.wait()
        self._aside -= 1
        if wrong:
            raise wrong[0]
        return made[0]


_here = threading.local()
"""`lanes`: those of this thread, where it has any."""


class _LaneBell:
    __slots__ = ("_lane", "_lanes", "_rung", "_turn")

    def __init__(self, lanes: Lanes) -> None:
        self._lanes, self._lane = lanes, lanes.now
        self._turn = -1
        self._rung = False

    def ring(self) -> None:
        self._rung = True
        if self._turn >= 0:
            self._lanes.call(self._lane, self._turn)

    def wait(self, most_s: float | None = None) -> bool:
        self._lane.turn += 1  # what was called for an earlier wait must not end this one
        self._turn = self._lane.turn
        return self._rung or self._lanes.wait(self._lane, most_s)


class _ThreadBell:
    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        with suppress(RuntimeError):  # it was rung before
            self._lock.release()

    def wait(self, most_s: float | None = None) -> bool:
        rung = self._lock.acquire(timeout=-1 if most_s is None else most_s)
        if rung:
            self.ring()  # it stays rung, as that of a lane does
        return rung


def in_lane() -> bool:
    """Whether this is called in a lane."""
    return hasattr(_here, "lanes")


def bell() -> Bell:
    """A bell for whoever calls this."""
    lanes = getattr(_here, "lanes", None)
    return _LaneBell(lanes) if lanes else _ThreadBell()


def ready(of: socket, *, to_send: bool, most_s: float) -> bool:
    """In a lane: wait until a socket can be sent to or read from; false when that took too long."""
    lanes: Lanes = _here.lanes
    return lanes.wait_for_socket(of, to_send=to_send, most_s=most_s)


def connected(address: tuple[str, int], *, most_s: float) -> socket:
    """In a lane: a connection to an IP address and port. Raises OSError."""
    made = socket(AF_INET6 if ":" in address[0] else AF_INET, SOCK_STREAM)
    try:
        made.setblocking(False)
        code = made.connect_ex(address)
        if code in (EINPROGRESS, EWOULDBLOCK):
            in_time = ready(made, to_send=True, most_s=most_s)
            code = made.getsockopt(SOL_SOCKET, SO_ERROR) if in_time else ETIMEDOUT
        _raise_for(code)
        made.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    except BaseException:
        made.close()
        raise
    return made


def _raise_for(code: int) -> None:
    if code:
        raise OSError(code, os.strerror(code))


def wait_for(event: threading.Event, most_s: float) -> bool:
    """Wait until an event is set; whether it was."""
    if not in_lane():
        return event.wait(most_s)
    until = time.monotonic() + most_s
    while not event.is_set() and (left_s := until - time.monotonic()) > 0:
        bell().wait(min(left_s, _LOOK_S))
    return event.is_set()


def aside(work: Callable[[], T]) -> T:
    """What a function returns, or raises, that holds its thread: in a lane it gets a thread of its own meanwhile."""
    lanes = getattr(_here, "lanes", None)
    return lanes.aside(work) if lanes else work()
