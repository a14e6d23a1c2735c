"""Writes answers down as they come, and reads them again: what a killed run has is what the next one begins with."""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol, Self

from promptforge.backends.base import Answer, ToolCall, Usage
from promptforge.bench.results import State
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

    def put_all(self, answers: Sequence[tuple[str, str, Mapping[str, Any]]], *, run: str) -> None:
        """Keep (identity, time, body) of answers, now: all of them or none."""


class _Unwritten(NamedTuple):
    identity: str
    outcome: Outcome
    done: threading.Lock
    """Held until it is written, or never will be."""


class Keeper:
    """Writes answers down in a thread of its own, the moment they come.

    Those that come while it writes are written together: each alone takes a fifth of a millisecond in which nothing is
    asked. What cannot be written is told to `failed`, once, and nothing more is written.
    """

    def __init__(self, answers: Answers, run: str, failed: Callable[[BaseException], None]) -> None:
        self._answers, self._run, self._failed = answers, run, failed
        self._waiting: queue.SimpleQueue[_Unwritten | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._door = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._door:
            self._closed = True
            self._waiting.put(None)
        self._writer.join()

    def keep(self, identity: str, outcome: Outcome) -> None:
        """Have an answer written. Comes back when it is: whoever asks on has lost nothing, whatever happens then."""
        done = threading.Lock()
        done.acquire()
        one = _Unwritten(identity, outcome, done)
        with self._door:
            if closed := self._closed:  # it was in flight when the run was given up
                self._put([one])
            else:
                self._waiting.put(one)
        if not closed:
            done.acquire()

    def _write(self) -> None:
        ended = broken = False
        while not ended:
            taken = self._taken()
            ended = taken[-1] is None
            some = [one for one in taken if one is not None]
            if some and not broken:
                broken = not self._put(some)
            for one in some:
                one.done.release()

    def _put(self, some: Sequence[_Unwritten]) -> bool:
        """Write answers together; whether that was possible."""
        try:
            rows = [(one.identity, one.outcome.at, _body(one.outcome)) for one in some]
            self._answers.put_all(rows, run=self._run)
        except BaseException as problem:
            self._failed(problem)
            return False
        return True

    def _taken(self) -> list[_Unwritten | None]:
        """All that waits, at least one; None is the last."""
        taken = [self._waiting.get()]
        with suppress(queue.Empty):
            while taken[-1] is not None:
                taken.append(self._waiting.get_nowait())
        return taken


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
