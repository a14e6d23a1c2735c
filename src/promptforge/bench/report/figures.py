"""How numbers are written in a report: always with as many digits, and a real minus sign."""

import math
from collections.abc import Sequence

from promptforge.bench.verdicts import digits_of, signed

__all__ = ["count", "interval", "moment", "money", "p_value", "percentile", "plural", "score", "seconds"]


def score(value: float | None) -> str:
    """A score; a missing one is a dash, never a zero.

    >>> score(0.7654), score(None)
    ('0.765', '–')
    """
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}".replace("-", "−")


def interval(low: float, high: float, *, differences: bool = False) -> str:
    """An interval; one of differences has more digits where a bound that is not 0 would be rounded to it.

    >>> interval(0.55, 0.82), interval(-0.1, 0.2, differences=True)
    ('[0.550, 0.820]', '[−0.100, +0.200]')
    """
    if not differences:
        return f"[{score(low)}, {score(high)}]"
    digits = digits_of((low, high), 3)
    return f"[{signed(low, digits)}, {signed(high, digits)}]"


def p_value(value: float | None) -> str:
    """A probability.

    >>> p_value(0.0346), p_value(0.00001), p_value(None)
    ('0.035', '< 0.001', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def count(value: int | None) -> str:
    """A whole number with its thousands apart.

    >>> count(12345), count(None)
    ('12,345', '–')
    """
    return "–" if value is None else f"{value:,}"


def plural(number: int, word: str, words: str = "") -> str:
    """A number with its word.

    >>> plural(1, "case"), plural(1200, "reply", "replies")
    ('1 case', '1,200 replies')
    """
    return f"{number:,} {word if number == 1 else words or word + 's'}"


def money(value: float | None) -> str:
    """Dollars, with more digits for small sums.

    >>> money(12.345), money(0.01234), money(0.0), money(None)
    ('$12.35', '$0.0123', '$0.00', '–')
    """
    if value is None:
        return "–"
    return f"${value:,.4f}" if 0 < value < 1 else f"${value:,.2f}"


def moment(stamp: str) -> str:
    """A time as a person reads it; a run keeps it in UTC.

    >>> moment("2026-11-22T09:14:05.292+00:00"), moment("2026-11-22T09:14:05Z"), moment("")
    ('2026-11-22 09:14 UTC', '2026-11-22 09:14 UTC', '')
    """
    known = stamp.endswith(("Z", "+00:00")) and len(stamp) > 16
    return f"{stamp[:10]} {stamp[11:16]} UTC" if known else stamp


def seconds(value: float | None) -> str:
    """A duration.

    >>> seconds(0.0421), seconds(1.25), seconds(95), seconds(None)
    ('42 ms', '1.25 s', '95.0 s', '–')
    """
    if value is None:
        return "–"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:,.1f} s"


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which so large a share lies, between neighbours in proportion; None of nothing.

    >>> percentile([1, 2, 3, 4], 0.5), percentile([], 0.5)
    (2.5, None)
    """
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
