"""Whether a request is sent again, after how long, and what is said of one that is given up. Pure."""

from promptforge.backends.base import BackendError

__all__ = ["LONGEST_WAIT_S", "in_the_end", "wait_s"]

_RETRIES = 3
"""How often a request that may succeed later is sent again."""
_FIRST_S = 0.25
"""Before the first try anew; before each further one four times as long."""
LONGEST_WAIT_S = 120.0
"""A server that wants a longer pause is taken at its word, and the request is unanswered."""


def wait_s(problem: BackendError, attempt: int) -> float | None:
    """How long to wait before the next try; None when there is none."""
    if not problem.retryable or attempt >= _RETRIES or (problem.fault == "timed_out" and attempt > 0):
        return None
    if problem.retry_after_s is not None:
        return problem.retry_after_s if problem.retry_after_s <= LONGEST_WAIT_S else None
    return _FIRST_S * float(4**attempt)


def in_the_end(problem: BackendError, retries: int, waited_s: float, *, alone: bool) -> BackendError:
    """What is said of a request that is given up: how often it was tried, and what would help."""
    message, hint = problem.message, problem.hint
    if problem.retryable and (problem.retry_after_s or 0.0) > LONGEST_WAIT_S:
        message += f"; it wants a pause of {problem.retry_after_s:,.0f} s, and {LONGEST_WAIT_S:g} s are the most"
    if retries:
        times = "once" if retries == 1 else f"{retries} times"
        message += f"; sent again {times}, after {waited_s:.2g} s of waiting"
    if problem.fault == "rate_limited" and problem.retryable and alone:
        hint = "it was asked one request at a time: wait a while, then run the same command again"
    after_s = problem.retry_after_s
    return BackendError(problem.fault, message, hint=hint, retryable=problem.retryable, retry_after_s=after_s)
