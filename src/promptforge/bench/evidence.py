"""What a gate judges by: a candidate and another arm in pairs, what their servers showed, and whether it will do."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from promptforge.bench.compare import paired
from promptforge.bench.results import Arm, Run
from promptforge.bench.stats import Pair

__all__ = ["Condition", "Evidence", "Witness", "answered", "different", "evidence", "pooled"]

_NAMED = 3
"""So many requests are named; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The candidate against one other arm, case by case."""

    other: str
    """What the other arm is called in words: `the champion`, `the untrained model`."""
    pairs: tuple[Pair, ...]
    """`before` is the other arm, `after` the candidate."""
    requests: int = 0
    unanswered: tuple[str, ...] = ()
    """`case × agent × arm: why`; one of them, and nothing is judged."""
    unreadable: tuple[str, ...] = ()
    """Answers with a score that cannot be read. They are no zeros, either."""
    same_answers: bool = False
    """Whether every answer is the same in both arms, word for word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What was seen of the server that answered for an arm."""

    arm: str
    pid: int
    started: str
    """When its process was started: a number alone may come again."""
    alike: tuple[str, ...] = ()
    """The arms whose servers answered the canary requests no differently than this one."""
    problem: str = ""
    """Why it is not proven that this process answered, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that has to hold."""

    name: str
    holds: bool
    guards: Literal["judging", "harm", "gain"]
    """What it bars where it does not hold: `judging` any verdict but inconclusive, `harm` is a reject, `gain` keeps
    the champion."""
    words: str
    numbers: Mapping[str, float] = field(default_factory=dict)


def evidence(other: str, run_a: Run, arm_a: Arm, run_b: Run, arm_b: Arm) -> Evidence:
    """The candidate (the second arm) against another one. Nothing that is missing or cannot be read becomes a score."""
    found = paired(run_a, arm_a, run_b, arm_b)
    sides = ((run_a, arm_a), (run_b, arm_b))
    unreadable = tuple(one for run, arm in sides for one in _unreadable(run, arm))
    named = {one.rpartition(": ")[0] for one in unreadable}
    cases = {one.partition(" × ")[0] for one in unreadable}
    return Evidence(
        other=other,
        pairs=tuple(pair for pair in found.pairs if pair.case not in cases),
        requests=found.requests,
        unanswered=tuple(one for one in found.unanswered if one.partition(": ")[0] not in named)
        if found.open_requests
        else (),
        unreadable=unreadable,
        same_answers=found.same_answers,
    )


def _unreadable(run: Run, arm: Arm) -> Iterable[str]:
    """Answers that count, and whose score is none or no number from 0 to 1."""
    counting = {record.id for record in run.cases if record.counts}
    for reply in run.replies:
        if reply.arm != arm or reply.case not in counting or reply.state not in ("answered", "truncated"):
            continue
        value = None if reply.score is None else reply.score.value
        if value is None or not 0 <= value <= 1:  # a NaN is neither
            yield f"{reply.case} × {reply.agent} × {arm}: {'no score' if value is None else value}"


def pooled(seeds: Sequence[Evidence]) -> Evidence:
    """Several trainings of one recipe as one candidate: each case has the mean of its scores."""
    first, *rest = seeds
    scores: dict[str, list[float]] = {pair.case: [pair.after] for pair in first.pairs}
    for one in rest:
        for pair in one.pairs:
            scores.setdefault(pair.case, []).append(pair.after)
    whole = [pair for pair in first.pairs if len(scores[pair.case]) == len(seeds)]
    return replace(
        first,
        pairs=tuple(replace(pair, after=math.fsum(scores[pair.case]) / len(seeds)) for pair in whole),
        requests=sum(one.requests for one in seeds),
        unanswered=tuple(dict.fromkeys(text for one in seeds for text in one.unanswered)),
        unreadable=tuple(dict.fromkeys(text for one in seeds for text in one.unreadable)),
        same_answers=any(one.same_answers for one in seeds),
    )


# --- may anything be judged? ------------------------------------------------------------------------------------------


def answered(champion: Evidence | None, base: Evidence) -> Condition:
    """Whether every request that counts has an answer, with a score that can be read."""
    sides = [side for side in (champion, base) if side is not None]
    unreadable = list(dict.fromkeys(one for side in sides for one in side.unreadable))
    missing = list(dict.fromkeys(one for side in sides for one in side.unanswered))
    if unreadable:
        words = f"a score cannot be read: {_named(unreadable)}; it is no 0, and nothing is judged without it"
    elif missing:
        words = f"{_count(len(missing), 'request')} without an answer: {_named(missing)}; a missing score is no 0"
    elif not all(side.pairs for side in sides):
        words = "no case that counts was answered by both arms"
    else:
        words = f"all {_count(max(side.requests for side in sides), 'request')} answered, every score can be read"
    holds = not unreadable and not missing and all(side.pairs for side in sides)
    return Condition(
        name="answered",
        holds=holds,
        guards="judging",
        words=words,
        numbers={"unanswered": len(missing), "unreadable": len(unreadable)},
    )


def different(champion: Evidence | None, base: Evidence, witnesses: Sequence[Witness]) -> Iterable[Condition]:
    """Whether the arms are shown to be different: by their servers, and by what they say."""
    if witnesses:
        why = _one_server(witnesses)
        words = why or "each arm had a fresh server of its own, and its process owned the port"
        yield Condition(name="own servers", holds=not why, guards="judging", words=words)
    same = next((side for side in (champion, base) if side is not None and side.same_answers), None)
    canary = next((f"{one.arm} and {one.alike[0]}" for one in witnesses if one.alike), "")
    if same:
        words = f"all answers of the candidate and of {same.other} are the same, word for word"
    elif canary:
        words = f"{canary} answer the canary requests alike, as if no adapter were loaded"
    else:
        words = "the arms answer differently"
    yield Condition(name="arms shown different", holds=not same and not canary, guards="judging", words=words)


def _one_server(witnesses: Sequence[Witness]) -> str:
    seen: dict[tuple[int, str], str] = {}
    for one in witnesses:
        if one.problem:
            return f"the server of {one.arm}: {one.problem}"
        first = seen.setdefault((one.pid, one.started), one.arm)
        if first != one.arm:
            return f"both arms on one server: process {one.pid} answered for {first} and for {one.arm}"
    return ""


def _named(things: Sequence[str]) -> str:
    return "; ".join(things[:_NAMED]) + (f"; and {len(things) - _NAMED:,} more" if len(things) > _NAMED else "")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
