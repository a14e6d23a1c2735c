"""Keyed hashes: a number for a text, by which rows are put in an order of their own and known again. Pure."""

from hashlib import blake2b

__all__ = ["Keys"]


class Keys:
    """The numbers of one seed. Its hash is begun once and copied, since a text or two of every row have a number."""

    __slots__ = ("_begun",)

    def __init__(self, start: bytes) -> None:
        self._begun = blake2b(digest_size=8, key=start[:64])

    def of(self, content: bytes) -> int:
        """The number of some bytes, 64 bits of it."""
        hashed = self._begun.copy()
        hashed.update(content)
        return int.from_bytes(hashed.digest())

    def of_text(self, text: str) -> int:
        """The number of a text, whatever characters are in it."""
        return self.of(text.encode("utf-8", "surrogatepass"))
