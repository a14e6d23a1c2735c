"""The key of a redaction: the same key gives the same replacements, and without it none can be looked up backwards."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator

__all__ = ["KEY_BYTES", "Key"]

KEY_BYTES = 32


class Key:
    """Numbers that depend on a value and on the key, and tell nothing of the value to whoever has not the key."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def number(self, purpose: str, value: str, size: int) -> int:
        """A number from 0 to `size` - 1."""
        return int.from_bytes(self._digest(purpose, value)[:16], "big") % size

    def ordered(self, purpose: str, values: Iterable[str]) -> list[str]:
        """Each value once, in an order that only the key knows: who comes first gets the better place."""
        return sorted(set(values), key=lambda value: self._digest(purpose, value))

    def places(self, purpose: str, value: str, size: int) -> Iterator[int]:
        """Every number from 0 to `size` - 1, beginning with the value's own: where that is taken, the next one."""
        first = self.number(purpose, value, size)
        yield from range(first, size)
        yield from range(first)

    def shuffled(self, purpose: str, value: str, count: int) -> list[int]:
        """The numbers from 0 to `count` - 1 in an order of the value's own."""
        return sorted(range(count), key=lambda number: self._digest(purpose, f"{value}/{number}"))

    def _digest(self, purpose: str, value: str) -> bytes:
        said = f"{purpose}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, said, hashlib.sha256).digest()
