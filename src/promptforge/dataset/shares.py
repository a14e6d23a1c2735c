"""Whole rows from shares: the largest remainder. Pure."""

from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import TypeVar

__all__ = ["dealt"]

_Name = TypeVar("_Name", bound=Hashable)


def dealt(total: int, shares: Mapping[_Name, float]) -> dict[_Name, int]:
    """So many rows dealt by share, each exact to one row, all of them dealt. Shares need not add up to 1.

    What is left after rounding down goes to the largest remainders; of equal ones to the first.

    >>> dealt(10, {"identity": 0.25, "replay": 0.75}), dealt(1, {"a": 0.5, "b": 0.5})
    ({'identity': 3, 'replay': 7}, {'a': 1, 'b': 0})
    """
    whole = sum(Fraction(share) for share in shares.values())
    if not whole or total <= 0:
        return dict.fromkeys(shares, 0)
    exact = {name: Fraction(share) * total / whole for name, share in shares.items()}
    rows = {name: int(part) for name, part in exact.items()}
    order = sorted(shares, key=lambda name: rows[name] - exact[name])
    for name in order[: total - sum(rows.values())]:
        rows[name] += 1
    return rows
