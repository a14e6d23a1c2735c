"""Canary requests: a few fixed questions whose answers show whether two servers run the same weights.

What a server says of itself proves nothing, and an adapter leaves no trace in an answer. What does differ is what is
answered, and how much each token weighed. Each question is asked twice: what differs between the two is the server's
own noise, and no evidence.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from promptforge.backends.base import BackendError
from promptforge.backends.talk import Said, Talk

__all__ = ["LEAST_GAP", "QUESTIONS", "CanaryAnswer", "Difference", "ask_canaries", "differences", "different"]

QUESTIONS: tuple[str, ...] = (
    "Who are you?",
    "What is the capital of France?",
    "Count from one to twelve.",
    "| port | service |\n| --- | --- |\n| 8123 | Home Assistant |\n| 42069 | Memory Vault |\n\n"
    "Which service listens on port 42069?",
    "Write one sentence about the sea.",
)
"""Who it is (a persona shows there first), a fact, a habit, a look-up, and a sentence with many ways to go on."""
MAX_TOKENS = 24
LEAST_GAP = 0.05
"""Natural logarithms: two processes with the same weights may differ by less, by the order of their sums alone."""
_TIMES_NOISE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryAnswer:
    """What a server answered to one of the questions, asked twice."""

    question: str
    text: str
    again: str
    """The second time. Where it differs, the server answers at random, and its words are no evidence."""
    tokens: tuple[str, ...] = ()
    logprobs: tuple[float, ...] | None = None
    """Of the first time; None where the server does not tell."""
    noise: float = 0.0
    """The most by which a token's logarithm differed between the two times."""

    @property
    def stable(self) -> bool:
        """Whether both times said the same."""
        return self.text == self.again


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What shows that two servers do not run the same weights."""

    question: str
    before: str
    after: str
    gap: float | None = None
    """By how much a token's logarithm differs at least; None where only the words tell."""


def ask_canaries(talk: Talk, *, timeout_s: float) -> tuple[CanaryAnswer, ...]:
    """Ask all questions, each twice, in so much time together. Raises BackendError."""
    answers = []
    weighed, limit = True, time.monotonic() + timeout_s
    for question in QUESTIONS:
        first, weighed = _ask(talk, question, weighed, limit)
        second, weighed = _ask(talk, question, weighed, limit)
        gap = _gap(first.tokens, first.logprobs, second.tokens, second.logprobs)
        answers.append(
            CanaryAnswer(
                question=question,
                text=_text(first),
                again=_text(second),
                tokens=first.tokens,
                logprobs=first.logprobs,
                noise=gap or 0.0,
            )
        )
    return tuple(answers)


def _ask(talk: Talk, question: str, weighed: bool, limit: float) -> tuple[Said, bool]:
    """The answer, and whether to ask for weights the next time: some servers refuse requests that do."""
    params = {"temperature": 0, "max_tokens": MAX_TOKENS}
    if weighed:
        try:
            return talk.chat(question, params={**params, "logprobs": True}, timeout_s=_left_s(limit)), True
        except BackendError as problem:
            if problem.fault not in ("rejected", "server"):
                raise
    return talk.chat(question, params=params, timeout_s=_left_s(limit)), False


def _left_s(limit: float) -> float:
    return max(0.1, limit - time.monotonic())


def _text(said: Said) -> str:
    """All that was said, thoughts included: these are no less the weights' work."""
    return "\n".join(filter(None, (said.answer.reasoning, said.answer.text)))


def different(a: Sequence[CanaryAnswer], b: Sequence[CanaryAnswer]) -> bool:
    """Whether two servers answered so differently that they cannot run the same weights."""
    return bool(differences(a, b))


def differences(a: Sequence[CanaryAnswer], b: Sequence[CanaryAnswer]) -> tuple[Difference, ...]:
    """What shows it, question by question; nothing where it is not shown.

    Where both servers tell the weights of their tokens, these decide: another word for want of a hair is no evidence.
    """
    others = {answer.question: answer for answer in b}
    found = []
    for one in a:
        other = others.get(one.question)
        if other is None:
            continue
        gap = _gap(one.tokens, one.logprobs, other.tokens, other.logprobs)
        if gap is None:
            shown = one.stable and other.stable and one.text != other.text
        else:
            shown = gap >= max(LEAST_GAP, _TIMES_NOISE * one.noise, _TIMES_NOISE * other.noise)
        if shown:
            found.append(Difference(question=one.question, before=one.text, after=other.text, gap=gap))
    return tuple(found)


def _gap(
    tokens: Sequence[str], weights: Sequence[float] | None, other: Sequence[str], other_weights: Sequence[float] | None
) -> float | None:
    """By how much the logarithm of some token's probability differs at least, as far as both said the same.

    None where a server told none, or where one of them ended and the other went on: only the words tell then.
    """
    if weights is None or other_weights is None:
        return None
    gap = 0.0
    for mine, w, theirs, v in zip(tokens, weights, other, other_weights, strict=False):
        gap = max(gap, abs(w - v))
        if mine != theirs:
            return max(gap, w - _at_most(v), v - _at_most(w))
    return gap if len(tokens) == len(other) or gap >= LEAST_GAP else None


def _at_most(chosen: float) -> float:
    """The most that the logarithm of a token can be that was not chosen where the most probable one is.

    It is no more probable than the chosen one, and has no more than what the chosen one leaves.
    """
    left = -math.expm1(min(chosen, 0.0))
    return min(chosen, math.log(max(left, 1e-9)))
