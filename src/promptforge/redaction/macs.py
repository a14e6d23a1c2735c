"""MACs to MACs that no device has, in the notation in which they were written.

The block of RFC 9542 for documents, 00:00:5E:00:53:xx, holds 256. The next ones come from what stands unassigned
behind it in the block of IANA, which makes no devices: 00:00:5E:00:54:00 to 00:00:5E:8F:FF:FF. Randomised MACs stay
randomised (02:00:5E:xx:xx:xx), so that `check` says of the copy what it said of the original (PF330). For the same
reason near twins become near twins and others do not (PF331), as far as the block for documents has places for that.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from promptforge.redaction.key import Key

__all__ = ["Macs", "digits_of"]

_DOCUMENTATION = 0x00005E005300
_BEHIND = 0x00005E005400
_BEHIND_SIZE = 0x00005E900000 - _BEHIND
_LOCAL = 0x02005E000000
_LOCAL_SIZE = 1 << 24
_SIGN = re.compile(r"[:. _-]")


def digits_of(written: str) -> str:
    """Twelve small digits, however it is written.

    >>> digits_of("0:0:5E:0:53:A"), digits_of("0000.5e00.530a"), digits_of("0x00005E00530A")
    ('00005e00530a', '00005e00530a', '00005e00530a')
    """
    parts = _SIGN.split(written.lower().removeprefix("0x"))
    return "".join(part.zfill(2) for part in parts) if len(parts) == 6 else "".join(parts)


class Macs:
    """Which MAC stands for which. `originals` are never given to another."""

    def __init__(self, key: Key, originals: Iterable[str]) -> None:
        self._key = key
        self._made: dict[str, str] = {}
        self._documented: dict[int, str] = {}
        known = set(originals)
        self._taken = {int(digits, 16) for digits in known}
        for digits in key.ordered("mac", known):
            self._give(digits)

    def replace(self, written: str) -> str:
        """What stands for it, written in the same way."""
        digits = digits_of(written)
        return _as_written(self._made.get(digits) or self._give(digits), written)

    def _give(self, digits: str) -> str:
        if int(digits[:2], 16) & 2:
            place = next(self._free(digits, _LOCAL, _LOCAL_SIZE))
        else:
            place = self._documentation(digits) or next(self._free(digits, _BEHIND, _BEHIND_SIZE))
        self._taken.add(place)
        self._made[digits] = f"{place:012x}"
        return self._made[digits]

    def _free(self, digits: str, start: int, size: int) -> Iterator[int]:
        """The places of a pool that nobody has, beginning with the MAC's own."""
        return (start + at for at in self._key.places("mac", digits, size) if start + at not in self._taken)

    def _documentation(self, digits: str) -> int | None:
        """A place that is left in the block for documents: one that has the right near twins, if there is one.

        The block is a square of 16 by 16: two are near twins that share a row or a column, one digit of the last two.
        """
        free = self._free(digits, _DOCUMENTATION, 256)
        first = next(free, None)
        if first is None:
            return None
        wanted = {place for place, other in self._documented.items() if _are_near_twins(digits, other)}
        rows: dict[int, set[int]] = {}
        columns: dict[int, set[int]] = {}
        for place in self._documented:
            rows.setdefault(place >> 4, set()).add(place)
            columns.setdefault(place & 15, set()).add(place)
        nobody: set[int] = set()
        fits = (
            place
            for place in chain((first,), free)
            if rows.get(place >> 4, nobody) | columns.get(place & 15, nobody) == wanted
        )
        place = next(fits, first)
        self._documented[place] = digits
        return place


def _are_near_twins(first: str, second: str) -> bool:
    """Whether they differ in one digit."""
    return sum(a != b for a, b in zip(first, second, strict=True)) == 1


def _as_written(digits: str, written: str) -> str:
    if written[:2] in ("0x", "0X"):
        return written[:2] + _as_written(digits, written[2:])
    upper = any(sign.isupper() for sign in written) or not any(sign.isalpha() for sign in written)
    digits = digits.upper() if upper else digits
    signs = _SIGN.findall(written)
    if not signs:
        return digits
    width = 12 // (len(signs) + 1)
    parts = [digits[at : at + width] for at in range(0, 12, width)]
    if min(map(len, _SIGN.split(written))) < width:  # some systems leave the zeros in front out
        parts = [part.lstrip("0") or "0" for part in parts]
    return str(signs[0]).join(parts)
