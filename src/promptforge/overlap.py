"""How alike two texts are, identifiers aside: what gives a benchmark's answer away must not count as evidence."""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

__all__ = ["SIMILAR", "jaccard", "trigrams"]

SIMILAR = 0.30
"""From this Jaccard index on, two texts are alike (design 3.6)."""

_IDENTIFIER = re.compile(
    r"(?:[0-9a-f]{1,2}[:-]){5}[0-9a-f]{1,2}"  # a MAC
    r"|[0-9a-f]*:[0-9a-f:]*:[0-9a-f.:]*"  # an IPv6 address
    r"|\d+(?:[.,:/'-]\d+)*"  # a number, an address, a date
    r"|\b[a-z_]+\.[a-z][a-z0-9_]*\b"  # an entity id
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|#")


def trigrams(text: str) -> frozenset[tuple[str, ...]]:
    """The runs of three words of a text, identifiers masked; of a shorter one all of it.

    >>> sorted(trigrams("Which port is 1337?"))
    [('port', 'is', '#'), ('which', 'port', 'is')]
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words: list[str] = []
    for piece in folded.split():  # no identifier has a space in it, and most pieces are words
        if piece.isalpha():
            words.append(piece)
        else:
            words += _words(piece)
    if len(words) < 3:
        return frozenset([tuple(words)] if words else [])
    return frozenset(zip(words, words[1:], words[2:], strict=False))


@lru_cache(maxsize=4096)
def _words(piece: str) -> list[str]:
    """The words of a text without spaces, identifiers masked. Not to be changed: it is remembered."""
    return _WORD.findall(_IDENTIFIER.sub(" # ", piece))


def jaccard(one: Collection[tuple[str, ...]], other: Collection[tuple[str, ...]]) -> float:
    """The share of runs that both have, among those that either has; 0 for two empty texts.

    >>> jaccard(trigrams("Which port is the vault on?"), trigrams("Which port is the vault on"))
    1.0
    """
    union = len({*one, *other})
    return len(set(one) & set(other)) / union if union else 0.0
