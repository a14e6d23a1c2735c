"""Lanes share a thread: whoever waits lets the others go on, is woken once for each wait, and never forgotten."""

import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import pytest

from backends import servers
from backends.servers import LONG_S, begun, completion, response, serving
from promptforge.backends.base import Request
from promptforge.backends.lanes import Bell, Lanes, aside, bell, connected, in_lane, ready, wait_for
from servers import free_port

SHORT_S = 0.02
"""How long is waited for what never comes."""


def side_by_side(*works: Callable[[], Any], lanes: Lanes | None = None) -> list[Any]:
    """What functions return, each in a lane; what one raises is raised here."""
    lanes = lanes or Lanes()
    return [one.result(LONG_S) for one in [begun(lanes.start, work) for work in works]]


def in_a_lane(work: Callable[[], Any]) -> Any:
    """What a function returns in a lane."""
    return side_by_side(work)[0]


def in_a_thread(work: Callable[[], Any]) -> Any:
    """What it returns where there are no lanes."""
    return begun(lambda run: threading.Thread(target=run, daemon=True).start(), work).result(LONG_S)


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads that take the interpreter from each other all the time: what can go wrong between two steps does."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval_s)


both_ways = pytest.mark.parametrize("run", [in_a_lane, in_a_thread])


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection that never hold whoever uses them."""
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        there.setblocking(False)
        yield here, there


# ---- Sockets ---------------------------------------------------------------------------------------------------------


def test_lanes_go_on_while_one_waits_on_a_socket():
    """What the one waits for is sent by the other, in the same thread, after much other work."""
    happened: list[str] = []
    with pair() as (here, there):

        def read() -> int:
            happened.append("waits")
            assert ready(here, to_send=False, most_s=LONG_S)
            happened.append(here.recv(9).decode())
            return threading.get_ident()

        def send() -> int:
            for _ in range(100):
                bell().wait(0)
            happened.append("sends")
            there.send(b"reads")
            return threading.get_ident()

        threads = side_by_side(read, send)
    assert happened == ["waits", "sends", "reads"]
    assert threads[0] == threads[1] != threading.get_ident()


def test_a_lane_waits_until_it_can_send():
    """The other end reads when nothing more goes in; not a byte is lost."""
    content = bytes(range(256)) * 20_000
    with pair() as (here, there):

        def send() -> int:
            left, waits = memoryview(content), 0
            while left:
                try:
                    left = left[here.send(left) :]
                except BlockingIOError:
                    waits += 1
                    assert ready(here, to_send=True, most_s=LONG_S)
            return waits

        def read() -> bytes:
            got = bytearray()
            while len(got) < len(content):
                assert ready(there, to_send=False, most_s=LONG_S)
                got += there.recv(65536)
            return bytes(got)

        waits, got = side_by_side(send, read)
    assert waits > 0
    assert got == content


def test_a_wait_for_a_socket_that_takes_too_long():
    """It is false; what comes later is there for the next wait of this socket, and ends no other one."""
    with pair() as (here, there):

        def work() -> list[bool]:
            found = [ready(here, to_send=False, most_s=SHORT_S)]
            there.send(b"late")
            found.append(bell().wait(SHORT_S))
            found.append(ready(here, to_send=False, most_s=LONG_S))
            return found

        assert in_a_lane(work) == [False, False, True]


def test_many_lanes_share_a_server():
    """Each gets its own answers; there are no more connections than lanes."""

    def echo(asked: Any, connection: socket.socket) -> bool:
        connection.sendall(response(completion(asked.json["messages"][-1]["content"])))
        return True

    with serving(echo) as server:
        one = servers.backend(server.base_url)

        def ask(name: str) -> Callable[[], list[str]]:
            asked = [Request(system="", messages=(("user", f"{name}:{number}"),)) for number in range(10)]
            return lambda: [one.answer(request, timeout_s=LONG_S).text for request in asked]

        said = side_by_side(*[ask(str(name)) for name in range(20)])
        one.close()
    assert said == [[f"{name}:{number}" for number in range(10)] for name in range(20)]
    assert server.connections <= 20


def test_a_lane_connects():
    """The connection is one like any other, that never holds its thread."""

    def work() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            made = connected(listener.getsockname(), most_s=LONG_S)
            with made, listener.accept()[0] as there:
                there.send(b"!")
                assert made.gettimeout() == 0.0
                assert ready(made, to_send=False, most_s=LONG_S)
                return made.recv(1)

    assert in_a_lane(work) == b"!"


def test_nobody_takes_the_connection_of_a_lane():
    """Where nobody listens it is refused; where a queue is full it is late, and other lanes go on meanwhile."""
    happened: list[str] = []

    def refused() -> None:
        with pytest.raises(ConnectionRefusedError):
            connected(("127.0.0.1", free_port()), most_s=LONG_S)

    def late(address: tuple[str, int]) -> None:
        with pytest.raises(TimeoutError):
            connected(address, most_s=5 * SHORT_S)
        happened.append("late")

    with socket.socket() as full, ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        side_by_side(refused, partial(late, full.getsockname()), lambda: happened.append("meanwhile"))
    assert sorted(happened) == ["late", "meanwhile"]


# ---- Bells -----------------------------------------------------------------------------------------------------------


def by_the_same(ring: Callable[[], None]) -> None:
    """Whoever waits has rung it before."""
    ring()


def by_a_thread(ring: Callable[[], None]) -> None:
    """One that takes its time."""
    thread = threading.Timer(SHORT_S, ring)
    thread.daemon = True
    thread.start()


def by_other_lanes(ring: Callable[[], None]) -> None:
    """Lanes of another thread."""
    Lanes().start(ring)


@both_ways
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("ringer", [by_the_same, by_a_thread, by_other_lanes])
def test_a_bell_is_heard(run, times, ringer):
    """Whoever rings it, before the wait or during it, once or twice; and it stays rung."""

    def work() -> list[bool]:
        one = bell()

        def ring() -> None:
            for _ in range(times):
                one.ring()

        ringer(ring)
        return [one.wait(LONG_S), one.wait(0), one.wait()]

    assert run(work) == [True] * 3


def test_a_bell_is_rung_by_another_lane():
    """One of the same thread, which needs nobody's help to be heard."""
    made: list[Bell] = []

    def hear() -> bool:
        made.append(bell())
        return made[0].wait(LONG_S)

    def ring() -> None:
        made[0].ring()
        made[0].ring()

    assert side_by_side(hear, ring) == [True, None]


@both_ways
@pytest.mark.parametrize("ringer", [by_the_same, by_a_thread, by_other_lanes])
def test_a_bell_that_is_rung_too_late(run, ringer):
    """The wait is false; the next wait of this bell is true, and no other wait hears of it."""

    def work() -> list[bool]:
        late, other = bell(), bell()
        found = [late.wait(SHORT_S)]
        ringer(late.ring)
        # A call for an earlier wait comes to nothing: this one hears its own bell or none.
        found.append(other.wait(5 * SHORT_S))
        found.append(late.wait(LONG_S))
        found.append(other.wait(SHORT_S))
        return found

    assert run(work) == [False, False, True, False]


@both_ways
def test_a_bell_that_is_rung_again_when_it_was_heard(run):
    """Whoever heard it at once is not called once more, in the midst of another wait."""

    def work() -> list[bool]:
        one, other = bell(), bell()
        one.ring()
        found = [one.wait(LONG_S)]
        one.ring()
        found.append(other.wait(SHORT_S))
        return found

    assert run(work) == [True, False]


def test_a_bell_that_is_rung_again_opens_no_socket():
    """The same, where the other wait is for a socket."""
    with pair() as (here, _):

        def work() -> bool:
            one = bell()
            one.ring()
            assert one.wait(LONG_S)
            one.ring()
            return ready(here, to_send=False, most_s=SHORT_S)

        assert not in_a_lane(work)


def test_a_time_limit_ends_its_own_wait_only():
    """A wait that was over in time leaves its limit behind; a later and longer wait is not cut short by it."""

    def work() -> list[bool]:
        first, second = bell(), bell()
        by_a_thread(first.ring)
        found = [first.wait(10 * SHORT_S)]
        threading.Timer(15 * SHORT_S, second.ring).start()
        found.append(second.wait(LONG_S))
        return found

    assert in_a_lane(work)[1]  # the first may be late on a slow machine, and then proves nothing


def test_a_short_wait_does_not_wait_for_a_long_one():
    """The one that ends first began last."""
    made: list[Bell] = []

    def long() -> bool:
        made.append(bell())
        return made[0].wait(LONG_S)

    def short() -> bool:
        found = bell().wait(SHORT_S)
        made[0].ring()
        return found

    assert side_by_side(long, short) == [True, False]


# ---- Events ----------------------------------------------------------------------------------------------------------


@both_ways
def test_an_event_is_waited_for(run):
    """Set before, set meanwhile by a thread, and never set."""

    def work() -> list[bool]:
        before, meanwhile, never = threading.Event(), threading.Event(), threading.Event()
        before.set()
        by_a_thread(meanwhile.set)
        return [wait_for(before, LONG_S), wait_for(meanwhile, LONG_S), wait_for(never, SHORT_S), wait_for(before, 0)]

    assert run(work) == [True, True, False, True]


def test_lanes_go_on_while_one_waits_for_an_event():
    """The event is set by another lane of the same thread."""
    event = threading.Event()
    assert side_by_side(lambda: wait_for(event, LONG_S), event.set) == [True, None]


# ---- Aside -----------------------------------------------------------------------------------------------------------


@both_ways
def test_what_is_done_aside_comes_back(run):
    """What it returns, be it nothing; and what it raises, the very same."""
    problem = OSError("ours")

    def fail() -> None:
        raise problem

    def work() -> list[Any]:
        found: list[Any] = [aside(lambda: "done"), aside(lambda: None)]
        with pytest.raises(OSError, match="ours") as caught:
            aside(fail)
        return [*found, caught.value is problem]

    assert run(work) == ["done", None, True]


@both_ways
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_comes_back_from_aside(run, kind):
    """It is raised where the work was asked for, and not lost in a thread."""

    def fail() -> None:
        raise kind

    def work() -> None:
        with pytest.raises(kind):
            aside(fail)

    run(work)


def test_lanes_go_on_while_one_is_aside():
    """What holds a thread holds a thread of its own, which is no lane; without lanes there is no need of one."""
    event = threading.Event()

    def hold() -> tuple[bool, bool, int]:
        return event.wait(LONG_S), in_lane(), threading.get_ident()

    (came, lane, thread), own = side_by_side(lambda: aside(hold), lambda: event.set() or threading.get_ident())
    assert (came, lane) == (True, False)
    assert thread not in (own, threading.get_ident())
    assert aside(hold) == (True, False, threading.get_ident())


# ---- What lanes do together ------------------------------------------------------------------------------------------


def wakes_begun() -> None:
    """Nothing woke it: it has just begun."""


def wakes_bell() -> None:
    """It is called, from its own thread."""
    one = bell()
    one.ring()
    assert one.wait(LONG_S)
    other = bell()
    aside(lambda: None)
    other.ring()
    assert other.wait()


def wakes_call() -> None:
    """It is called, from another thread."""
    one = bell()
    by_a_thread(one.ring)
    assert one.wait()


def wakes_timeout() -> None:
    assert not bell().wait(SHORT_S)


def wakes_socket() -> None:
    with pair() as (here, there):
        by_a_thread(lambda: there.send(b"!"))
        assert ready(here, to_send=False, most_s=LONG_S)


def wakes_silence() -> None:
    with pair() as (here, _):
        assert not ready(here, to_send=False, most_s=SHORT_S)


def wakes_aside() -> None:
    aside(lambda: None)


@pytest.mark.parametrize("lanes_", [1, 30])
@pytest.mark.parametrize(
    "wake", [wakes_begun, wakes_bell, wakes_call, wakes_timeout, wakes_socket, wakes_silence, wakes_aside]
)
def test_what_lanes_leave_to_be_done_together_is_done_before_all_of_them_wait(wake, lanes_):
    """Whatever woke a lane: it is called when its work is done, which nothing but `between` does."""
    left: list[Bell] = []

    def between() -> None:
        done, left[:] = left[:], []
        for one in done:
            one.ring()

    def work() -> bool:
        heard = True
        for _ in range(3):
            wake()
            left.append(bell())
            heard = left[-1].wait(LONG_S) and heard
        return heard

    assert all(side_by_side(*[work] * lanes_, lanes=Lanes(between)))
    assert left == []


def test_what_the_last_lane_leaves_is_done():
    """Even if nobody waits for it."""
    left: list[int] = []
    done: list[int] = []

    def between() -> None:
        done.extend(left)
        left.clear()

    for number in range(50):
        lanes = Lanes(between)
        side_by_side(lambda number=number: left.append(number), lanes=lanes)
        assert lanes.idle.wait(LONG_S)
    assert (left, done) == ([], list(range(50)))


def test_what_comes_together_is_done_together():
    """Of many lanes whose servers answer at once not each is done alone, nor does the first wait for the last."""
    left: list[Bell] = []
    sizes: list[int] = []

    def between() -> None:
        if left:
            sizes.append(len(left))
            for one in left:
                one.ring()
            left.clear()

    def hear(here: socket.socket) -> bool:
        came = ready(here, to_send=False, most_s=LONG_S)
        left.append(bell())
        return left[-1].wait(LONG_S) and came

    with ExitStack() as stack:
        pairs = [stack.enter_context(pair()) for _ in range(40)]
        lanes = Lanes(between)
        futures = [begun(lanes.start, partial(hear, here)) for here, _ in pairs]
        assert lanes.idle.wait(LONG_S)
        side_by_side(lambda: [there.send(b"!") for _, there in pairs], lanes=lanes)
        assert all(one.result(LONG_S) for one in futures)
    assert sum(sizes) == 40
    assert 1 < len(sizes) < 40


# ---- Idle ------------------------------------------------------------------------------------------------------------


def test_lanes_are_idle_when_all_of_them_wait():
    """Not while one works, nor while one is aside; but when all wait, and when all have ended."""
    lanes, over, apart, back = Lanes(), threading.Event(), threading.Event(), threading.Event()
    seen: list[bool] = []

    def work() -> None:
        seen.append(lanes.idle.is_set())
        for _ in range(20):
            bell().wait(SHORT_S / 10)
            seen.append(lanes.idle.is_set())
        seen.append(aside(lambda: lanes.idle.wait(5 * SHORT_S)))  # the other lane waits, and still it is not idle
        with suppress(ZeroDivisionError):
            aside(lambda: 1 / 0)
        back.set()
        wait_for(apart, LONG_S)
        seen.append(lanes.idle.is_set())

    futures = [begun(lanes.start, work), begun(lanes.start, lambda: wait_for(over, LONG_S))]
    assert back.wait(LONG_S)
    assert lanes.idle.wait(LONG_S)
    apart.set()
    futures[0].result(LONG_S)
    assert lanes.idle.wait(LONG_S)
    over.set()
    assert futures[1].result(LONG_S)
    assert lanes.idle.wait(LONG_S)
    assert seen == [False] * 23


def test_whoever_starts_a_lane_or_rings_a_bell_sees_no_idleness_of_before(hurried):
    """Idle means that this one, too, has gone on and waits again: a bench would work just when requests can be sent."""
    lanes, over = Lanes(), threading.Event()
    steps: list[str] = []
    made: list[Bell] = []

    def work() -> None:
        steps.append("begun")
        made.append(bell())
        made[-1].wait()
        steps.append("rung")
        wait_for(over, LONG_S)

    futures = [begun(lanes.start, lambda: wait_for(over, LONG_S))]
    for number in range(100):
        assert lanes.idle.wait(LONG_S)
        futures.append(begun(lanes.start, work))
        assert lanes.idle.wait(LONG_S)
        assert steps == ["begun", "rung"] * number + ["begun"]
        made[-1].ring()
        assert lanes.idle.wait(LONG_S)
        assert steps == ["begun", "rung"] * (number + 1)
    over.set()
    for one in futures:
        one.result(LONG_S)


# ---- Starting --------------------------------------------------------------------------------------------------------


def test_lanes_are_started_from_many_threads():
    """At once, while others run, and from lanes; each runs once, and all in one thread."""
    lanes, over = Lanes(), threading.Event()
    threads: set[int] = set()

    def short() -> int:
        threads.add(threading.get_ident())
        bell().wait(0)
        return 1

    def start() -> list[Future[Any]]:
        return [begun(lanes.start, short if number % 2 else lambda: begun(lanes.start, short)) for number in range(50)]

    first = begun(lanes.start, lambda: wait_for(over, LONG_S))
    with ThreadPoolExecutor(8) as pool:
        made = [future for some in [pool.submit(start) for _ in range(8)] for future in some.result(LONG_S)]
    found = [future.result(LONG_S) for future in made]
    found = [one.result(LONG_S) if isinstance(one, Future) else one for one in found]
    over.set()
    assert first.result(LONG_S)
    assert found == [1] * 400
    assert len(threads) == 1


def test_lanes_begin_anew_when_all_have_ended():
    """Their thread ends with the last of them; what still came for that one does not keep the next from hearing."""
    lanes = Lanes()
    late: list[Bell] = []

    def work() -> bool:
        with pair() as (here, there):
            there.send(b"!")
            found = ready(here, to_send=False, most_s=LONG_S)
        one = bell()
        by_a_thread(one.ring)
        found = one.wait(LONG_S) and found
        late.append(bell())
        late[-1].wait(0)
        thread = threading.Thread(target=late[-1].ring)  # at the last moment
        thread.start()
        thread.join(LONG_S)
        return found

    for _ in range(5):
        assert side_by_side(work, lanes=lanes) == [True]
        assert lanes.idle.wait(LONG_S)
        for one in late:  # of lanes that are no more
            one.ring()


def test_lanes_are_started_while_the_last_one_ends(hurried):
    """Again and again at the very moment: no lane is lost, whichever thread it gets."""
    lanes = Lanes()
    for number in range(50):
        done = threading.Event()
        lanes.start(done.set)
        assert done.wait(LONG_S)
        assert begun(lanes.start, lambda number=number: bell().wait(0) or number).result(LONG_S) == number


def test_a_lane_that_is_started_while_the_last_one_ends():
    """It goes on in the same thread: two threads that both serve the lanes would wake what is not theirs."""
    ended, started = threading.Event(), threading.Event()

    def between() -> None:
        if ended.is_set():  # no lane is left, and the thread has not noticed yet
            started.wait(LONG_S)

    def last() -> int:
        bell().wait(SHORT_S)
        ended.set()
        return threading.get_ident()

    def next_() -> int:
        for _ in range(10):
            bell().wait(SHORT_S / 10)
        return threading.get_ident()

    lanes = Lanes(between)
    one = begun(lanes.start, last)
    assert ended.wait(LONG_S)
    other = begun(lanes.start, next_)
    started.set()
    assert one.result(LONG_S) == other.result(LONG_S)


def test_thousands_of_short_lanes():
    """One after the other and all together, by themselves and from threads: each of them ends."""
    lanes = Lanes()
    ended: list[int] = []

    def work(number: int) -> Callable[[], None]:
        return lambda: ended.append(number)

    for number in range(3000):
        lanes.start(work(number))
    assert lanes.idle.wait(LONG_S)
    assert ended == list(range(3000))
    side_by_side(lambda: [lanes.start(work(number)) for number in range(3000, 6000)], lanes=lanes)
    assert lanes.idle.wait(LONG_S)
    assert ended == list(range(6000))


# ---- Nothing is lost -------------------------------------------------------------------------------------------------

ROUNDS = 1000
RINGERS = 4


@pytest.fixture
def ringers(hurried: None) -> Iterator[Callable[[int], "queue.SimpleQueue[Bell | None]"]]:
    """Threads that ring whatever bell they are given; each has a queue of its own."""
    queues: list[queue.SimpleQueue[Bell | None]] = [queue.SimpleQueue() for _ in range(RINGERS)]

    def work(given: "queue.SimpleQueue[Bell | None]") -> None:
        while (one := given.get()) is not None:
            one.ring()

    threads = [threading.Thread(target=work, args=(given,), daemon=True) for given in queues]
    for thread in threads:
        thread.start()
    yield lambda number: queues[number % RINGERS]
    for given in queues:
        given.put(None)
    for thread in threads:
        thread.join(LONG_S)


@pytest.mark.parametrize("waiting", [1, RINGERS, 16])
def test_no_ring_is_lost(ringers, waiting):
    """Thousands from four threads at once: one that was lost would leave a lane waiting, with nobody else to wake it."""

    def work(lane: int) -> Callable[[], int]:
        def hear() -> int:
            for number in range(ROUNDS):
                one = bell()
                ringers(lane + number).put(one)
                if not one.wait(LONG_S / 2):
                    return number
            return ROUNDS

        return hear

    assert side_by_side(*[work(lane) for lane in range(waiting)]) == [ROUNDS] * waiting


def test_no_ring_is_lost_among_time_limits_and_sockets(ringers):
    """A lane that waits for everything in turn hears each thing once."""

    def work() -> int:
        heard = 0
        with pair() as (here, there):
            for number in range(300):
                late, one = bell(), bell()
                ringers(number).put(late)
                late.wait(0.0001 * (number % 4))  # it may be heard or not, and what is late must end no other wait
                there.send(b"!")
                heard += ready(here, to_send=False, most_s=LONG_S)
                here.recv(1)
                ringers(number + 1).put(one)
                heard += one.wait(LONG_S / 2) and late.wait(LONG_S / 2)
        return heard

    assert side_by_side(*[work] * 4) == [600] * 4


def test_an_answer_that_is_there_is_read_however_late_a_busy_thread_looks_at_it():
    """The deadline is for the server: what it sent in time is no time-out of ours, also where it takes several reads."""
    paused = []

    def reply(asked: Any, connection: socket.socket) -> bool:
        time.sleep(0.2)
        connection.sendall(response(completion("x" * 20_000)))
        return True

    with serving(reply) as server:
        one = servers.backend(server.base_url)

        def busy() -> None:
            if server.asked and not paused:
                paused.append(time.sleep(1.5))

        def ticks() -> None:
            while not paused:
                wait_for(threading.Event(), SHORT_S)

        asked = Request(system="", messages=(("user", "q"),))
        answer, _ = side_by_side(lambda: one.answer(asked, timeout_s=1.0), ticks, lanes=Lanes(busy))
        one.close()
    assert (len(answer.text), len(paused)) == (20_000, 1)
