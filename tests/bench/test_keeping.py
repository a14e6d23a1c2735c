"""Answers are written before their lane asks on, together where they come together, and late ones are not lost."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from promptforge.backends.base import Answer
from promptforge.backends.lanes import Lanes, wait_for
from promptforge.bench.keeping import Keeper, Outcome, known_outcomes
from promptforge.errors import WriteError
from promptforge.store import Store, StoredAnswer

OUTCOME = Outcome(state="answered", answer=Answer(text="42"), at="2026-11-22")


class Written:
    """A history that takes its time, and may be full."""

    def __init__(self, *, pause_s: float = 0.0, full: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.bodies: dict[str, Mapping[str, Any]] = {}
        self.pause_s, self.full = pause_s, full

    def put_all(
        self, answers: Sequence[tuple[str, str, Mapping[str, Any]]], *, run: str, patience_s: float = 10.0
    ) -> None:
        """As the history does."""
        time.sleep(self.pause_s)
        if self.full:
            raise WriteError("no room left on the disk")
        assert run == "r"
        self.batches.append([identity for identity, _, _ in answers])
        self.bodies.update((identity, body) for identity, _, body in answers)


def _refuse(problem: BaseException) -> None:
    raise AssertionError(problem)


def test_what_is_handed_over_is_written_when_it_comes_back() -> None:
    """Whoever asks on has lost nothing; what is read again is what was written."""
    history = Written()
    Keeper(history, "r", _refuse).keep("a", OUTCOME)
    assert history.batches == [["a"]]
    found = known_outcomes({"a": StoredAnswer(run="r", at=OUTCOME.at, body=history.bodies["a"])})
    assert found["a"].answer == OUTCOME.answer
    assert found["a"].inherited == "r"


def test_what_comes_together_is_written_together() -> None:
    """While one is written the others wait, and go in one."""
    history = Written(pause_s=0.1)
    keeper = Keeper(history, "r", _refuse)
    lanes = [threading.Thread(target=keeper.keep, args=(str(number), OUTCOME)) for number in range(8)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join(timeout=30)
    assert sorted(one for some in history.batches for one in some) == [str(number) for number in range(8)]
    assert len(history.batches) < len(lanes)


def test_what_cannot_be_written_is_told_and_holds_nobody_up() -> None:
    """Each lane comes back, and the problem is told."""
    told: list[BaseException] = []
    keeper = Keeper(Written(full=True), "r", told.append)
    for number in range(3):
        keeper.keep(str(number), OUTCOME)
    assert [str(problem) for problem in told] == ["no room left on the disk"]


def test_lanes_of_one_thread_wait_until_it_writes_for_all_of_them() -> None:
    """Nobody goes on before what it brought is written, and one transaction holds what came together."""
    history, went_on = Written(), []
    keeper = Keeper(history, "r", _refuse)
    lanes = Lanes(keeper.flush)

    def bring(name: str) -> None:
        keeper.keep(name, OUTCOME)
        went_on.append((name, any(name in some for some in history.batches)))

    over = threading.Event()
    lanes.start(lambda: [lanes.start(partial(bring, name)) for name in "abc"] and wait_for(over, 30))
    until = time.monotonic() + 30
    while len(went_on) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    over.set()
    assert sorted(went_on) == [("a", True), ("b", True), ("c", True)]
    assert history.batches == [["a", "b", "c"]]


def test_lanes_go_on_while_another_process_holds_the_history(tmp_path: Path) -> None:
    """What they bring is written when it is let go; until then they read what else comes, and nobody is told of it."""
    path, read, told = tmp_path / "history.db", list[str](), list[BaseException]()
    with Store(path) as store, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        keeper = Keeper(store, "r", told.append)
        lanes = Lanes(keeper.flush)
        over, let_go = [threading.Event() for _ in "abcd"], threading.Event()

        def bring(number: int) -> None:
            read.append("abcd"[number])
            keeper.keep("abcd"[number], OUTCOME)
            over[number].set()

        def one_by_one() -> None:
            for number in range(4):
                lanes.start(partial(bring, number))
                wait_for(let_go, 0.05)

        other.execute("BEGIN IMMEDIATE")
        lanes.start(one_by_one)
        until = time.monotonic() + 30
        while len(read) < 4 and time.monotonic() < until:
            time.sleep(0.01)
        assert (read, [one.is_set() for one in over]) == (["a", "b", "c", "d"], [False] * 4)
        other.execute("COMMIT")
        assert all(one.wait(30) for one in over)
        assert set(store.answers("abcd")) == set("abcd")
    assert told == []


def test_a_history_that_is_held_for_good_is_told_once(tmp_path: Path) -> None:
    """The lanes go on, so that the run can end."""
    path, told = tmp_path / "history.db", list[BaseException]()
    with Store(path) as store, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        keeper = Keeper(_Impatient(store), "r", told.append)
        lanes = Lanes(keeper.flush)
        over = [threading.Event() for _ in "abc"]
        other.execute("BEGIN IMMEDIATE")
        for name, one in zip("abc", over, strict=True):
            lanes.start(lambda name=name, one=one: (keeper.keep(name, OUTCOME), one.set()))
        assert all(one.wait(30) for one in over)
    assert [str(problem) for problem in told] == [f"{path} is held by another process"]


class _Impatient:
    """A history that waits a moment where it would wait for seconds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put_all(self, answers: Any, *, run: str, patience_s: float = 0.1) -> None:
        self._store.put_all(answers, run=run, patience_s=patience_s)
