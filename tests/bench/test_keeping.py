"""Answers are written before their lane asks on, together where they come together, and late ones are not lost."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from promptforge.backends.base import Answer
from promptforge.bench.keeping import Keeper, Outcome, known_outcomes
from promptforge.errors import WriteError
from promptforge.store import StoredAnswer

OUTCOME = Outcome(state="answered", answer=Answer(text="42"), at="2026-11-22")


class Written:
    """A history that takes its time, and may be full."""

    def __init__(self, *, pause_s: float = 0.0, full: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.bodies: dict[str, Mapping[str, Any]] = {}
        self.pause_s, self.full = pause_s, full

    def put_all(self, answers: Sequence[tuple[str, str, Mapping[str, Any]]], *, run: str) -> None:
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
    with Keeper(history, "r", _refuse) as keeper:
        keeper.keep("a", OUTCOME)
        assert history.batches == [["a"]]
    found = known_outcomes({"a": StoredAnswer(run="r", at=OUTCOME.at, body=history.bodies["a"])})
    assert found["a"].answer == OUTCOME.answer
    assert found["a"].inherited == "r"


def test_what_comes_together_is_written_together() -> None:
    """While one is written the others wait, and go in one."""
    history = Written(pause_s=0.1)
    with Keeper(history, "r", _refuse) as keeper:
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
    with Keeper(Written(full=True), "r", told.append) as keeper:
        for number in range(3):
            keeper.keep(str(number), OUTCOME)
    assert [str(problem) for problem in told] == ["no room left on the disk"]


@pytest.mark.parametrize("full", [False, True])
def test_an_answer_that_comes_after_the_end_is_written_all_the_same(full: bool) -> None:
    """A run that is given up by force leaves requests in flight: their answers were paid for."""
    told: list[BaseException] = []
    history = Written(full=full)
    with Keeper(history, "r", told.append) as keeper:
        pass
    keeper.keep("late", OUTCOME)
    assert (history.batches, len(told)) == (([], 1) if full else ([["late"]], 0))
