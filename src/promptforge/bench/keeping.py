"""Writes answers down as they come, and reads them again: what a killed run has is what the next one begins with."""

import _thread
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol

from promptforge.backends.base import Answer, ToolCall, Usage
from promptforge.backends.lanes import Bell, bell, in_lane
from promptforge.bench.results import State
from promptforge.errors import BusyError
from promptforge.store import StoredAnswer

__all__ = ["Answers", "Keeper", "Outcome", "known_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one request."""

    state: State
    answer: Answer | None = None
    fault: str = ""
    message: str = ""
    hint: str = ""
    inherited: str = ""
    """The run that asked, where the answer was known."""
    at: str = ""
    cost_usd: float | None = None


class Answers(Protocol):
    """Where answers are kept."""

    def put_all(
        self, answers: Sequence[tuple[str, str, Mapping[str, Any]]], *, run: str, patience_s: float = ...
    ) -> None:
        """Keep (identity, time, body) of answers, now: all of them or none.

        Raises BusyError where another process holds the place longer than `patience_s`.
        """


class _Unwritten(NamedTuple):
    identity: str
    outcome: Outcome
    done: Bell
    """Rung when it is written, or never will be."""


class Keeper:
    """Writes answers down the moment they come, and lets whoever brings one go on when that is done.

    Those that come together are written together: each alone takes a fifth of a millisecond in which nothing is asked.
    What cannot be written is told to `failed`, once, and nothing more is written.
    """

    def __init__(self, answers: Answers, run: str, failed: Callable[[BaseException], None]) -> None:
        self._answers, self._run, self._failed = answers, run, failed
        self._waiting: deque[_Unwritten] = deque()
        self._writing = threading.Lock()
        self._broken = False
        self._door = threading.Lock()
        self._elsewhere = False
        """Whether a thread of its own writes for the lanes, since that takes long."""

    def keep(self, identity: str, outcome: Outcome) -> None:
        """Have an answer written. Comes back when it is: whoever asks on has lost nothing, whatever happens then.

        Lanes that share a thread wait until that calls `flush`; a thread of its own writes for all that wait.
        """
        one = _Unwritten(identity, outcome, bell())
        self._waiting.append(one)
        if in_lane():
            one.done.wait()
        else:
            self._write()

    def flush(self) -> None:
        """Write what waits, and let the lanes go on that brought it.

        Where another process holds the history, a thread of its own waits for it: answers that come meanwhile must be
        read when they come, or they would seem late.
        """
        with self._door:
            if self._elsewhere or not self._waiting:
                return
            self._elsewhere = not self._write(patience_s=0.0)
            if self._elsewhere:
                _thread.start_new_thread(self._write_elsewhere, ())

    def _write_elsewhere(self) -> None:
        while True:
            self._write()
            with self._door:
                if not self._waiting:
                    self._elsewhere = False
                    return

    def _write(self, patience_s: float | None = None) -> bool:
        """Write all that waits; false where somebody else holds the history so long, and it still waits.

        When this comes back, what others took out meanwhile is written, too.
        """
        with self._writing:
            some: list[_Unwritten] = []
            with suppress(IndexError):
                while True:
                    some.append(self._waiting.popleft())
            try:
                if some and not self._broken:
                    self._put(some, {} if patience_s is None else {"patience_s": patience_s})
            except BusyError as problem:
                if patience_s is not None:
                    self._waiting.extendleft(reversed(some))
                    return False
                self._break(problem)
            except BaseException as problem:
                self._break(problem)
        for one in some:
            one.done.ring()
        return True

    def _break(self, problem: BaseException) -> None:
        self._broken = True
        self._failed(problem)

    def _put(self, some: Sequence[_Unwritten], patience: Mapping[str, float]) -> None:
        rows = [(one.identity, one.outcome.at, _body(one.outcome)) for one in some]
        self._answers.put_all(rows, run=self._run, **patience)


_OF_ANSWER, _OF_CALL, _OF_USAGE = ([one.name for one in fields(kind)] for kind in (Answer, ToolCall, Usage))


def _body(outcome: Outcome) -> dict[str, Any]:
    answer = outcome.answer
    assert answer is not None
    said = {name: getattr(answer, name) for name in _OF_ANSWER}
    said["usage"] = {name: getattr(answer.usage, name) for name in _OF_USAGE}
    said["tool_calls"] = [{name: getattr(call, name) for name in _OF_CALL} for call in answer.tool_calls]
    return {"state": outcome.state, "cost_usd": outcome.cost_usd, "answer": said}


def known_outcomes(kept: Mapping[str, StoredAnswer]) -> dict[str, Outcome]:
    """The outcomes that answers were kept with. One that is damaged is not known, and asked again."""
    outcomes = {}
    for identity, one in kept.items():
        with suppress(KeyError, TypeError, AttributeError):
            outcomes[identity] = _outcome_of(one.body, one.run, one.at)
    return outcomes


def _outcome_of(body: Mapping[str, Any], run: str, at: str) -> Outcome:
    raw = body["answer"]
    calls = tuple(ToolCall(**call) for call in raw["tool_calls"])
    answer = Answer(**{**raw, "tool_calls": calls, "usage": Usage(**raw["usage"])})
    return Outcome(state=body["state"], answer=answer, cost_usd=body["cost_usd"], inherited=run, at=at)
