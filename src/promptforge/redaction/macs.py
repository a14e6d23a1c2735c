"""MACs to MACs that no device has, in the notation in which they were written.

The block of RFC 9542 for documents, 00:00:5E:00:53:xx, holds 256. The next ones come from what stands unassigned
behind it in the block of IANA, which makes no devices: 00:00:5E:00:54:00 to 00:00:5E:8F:FF:FF. Randomised MACs stay
randomised (02:00:5E:xx:xx:xx), so that `check` says of the copy what it said of the original (PF330).
"""

import re
from collections.abc import Iterable

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
        known = set(originals)
        self._taken = {int(digits, 16) for digits in known}
        for digits in key.ordered("mac", known):
            self._give(digits)

    def replace(self, written: str) -> str:
        """What stands for it, written in the same way."""
        digits = digits_of(written)
        return _as_written(self._made.get(digits) or self._give(digits), written)

    def _give(self, digits: str) -> str:
        randomised = int(digits[:2], 16) & 2
        pools = ((_LOCAL, _LOCAL_SIZE),) if randomised else ((_DOCUMENTATION, 256), (_BEHIND, _BEHIND_SIZE))
        for start, size in pools:
            for place in self._key.places("mac", digits, size):
                if start + place not in self._taken:
                    self._taken.add(start + place)
                    self._made[digits] = f"{start + place:012x}"
                    return self._made[digits]
        raise AssertionError("there are nine million")


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
