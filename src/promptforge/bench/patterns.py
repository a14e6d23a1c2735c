"""The search for a pattern of the user's, which may not hold up a run. Owns regex.

Python's own `re` cannot be stopped: `(a+)+$` on forty letters runs for days. The package regex, which tiktoken needs
anyway, reads the same patterns and stops at a time limit. What a pattern then says is not known, so it is no score: the
run says which pattern it was. Two machines can thus never give one answer two scores.
"""

from functools import lru_cache
from typing import Any

from promptforge.bench.reading import plain
from promptforge.errors import InputError

__all__ = ["LIMIT_S", "MAX_SEARCHED", "found", "pattern_problem"]

MAX_SEARCHED = 20_000
"""Characters of an answer that a pattern is searched in."""
LIMIT_S = 1.0
"""What a search takes at most. One that ends by itself takes milliseconds."""


def found(pattern: str, text: str, *, limit_s: float = LIMIT_S) -> bool:
    r"""Whether a pattern is found in a text, case aside. Raises InputError when it cannot be told in time.

    >>> found(r"port (1337|42069)\b", "Port 42069, of course")
    True
    """
    try:
        return _compiled(pattern).search(plain(text)[:MAX_SEARCHED], timeout=limit_s) is not None
    except TimeoutError as problem:
        raise InputError(
            f"the pattern {_shown(pattern)} did not come to an end within {limit_s:g} s, so the answer has no score",
            hint="rewrite the pattern of `regex:` so that no repetition holds another, like (a+)+ or .*.*; the answers "
            "are kept, and the next run scores them without asking again",
        ) from problem


def pattern_problem(pattern: str) -> str:
    """Why a pattern cannot be used, or nothing.

    >>> pattern_problem("port (1337"), pattern_problem("port 1337")
    ('missing ) at position 10', '')
    """
    try:
        _compiled(pattern)
    except _library().error as problem:
        return str(problem)
    return ""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    return _library().compile(pattern, _library().IGNORECASE)


def _library() -> Any:
    import regex

    return regex


def _shown(pattern: str) -> str:
    return f"'{pattern}'" if len(pattern) <= 60 else f"'{pattern[:57]}…'"
