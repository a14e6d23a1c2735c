"""Private values taken out of the texts of a report, however they are spelt there.

A value is compared by its letters and digits alone: case, accents and what stands between them do not matter. So
`00:00:5E:00:53:21` is also found as `00-00-5e-00-53-21`, `0000.5e00.5321` and `00005E005321`, and `1337` as `1,337`.
Where in doubt it hides too much.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

__all__ = ["MASK", "Redactor"]

MASK = "▒▒▒"
_WORD = re.compile(r"[0-9]+|[a-z]+|[^\W_0-9a-z]+")
_BETWEEN = re.compile(r"[\W_]+")
_MAC = re.compile(r"(?<![0-9a-f])[0-9a-f]{1,2}(?:([:.-])[0-9a-f]{1,2})(?:\1[0-9a-f]{1,2}){4}(?![0-9a-f])")
_IPV6 = re.compile(r"(?<![0-9a-f:.])[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*")
_SHORT = 6
"""Below so many letters and digits at most one character may stand between them: `2, 2` is not `22`."""
_GAP = 8
"""So much may stand between the parts of a longer value: `00:00:5E` **:** `00:53:21`."""
_OFTEN = 120
_MOST_KNOWN = 20_000
_MANY = 100
"""With more values than this it is quicker to look at the words of a text than for every value in it."""

_Place = tuple[int, int]


class Redactor:
    """Hides these values in a text; called with the text. Without values it returns every text as it is."""

    def __init__(self, values: Iterable[str]) -> None:
        self._gaps: dict[str, int] = {}
        """Of each value, by its letters and digits: how much may stand between them."""
        self._addresses: set[str] = set()
        """Hardware and IPv6 addresses, whose zeros may be left out."""
        self._signs: list[str] = []
        """Values without a letter or a digit."""
        for value in set(values):
            folded = _fold(value)[0]
            for name, _ in _addresses(folded):
                self._addresses.add(name)
                self._gaps["".join(_WORD.findall(name))] = _GAP
            words = list(_WORD.finditer(folded))
            if words:
                form = "".join(word[0] for word in words)
                own = max((b.start() - a.end() for a, b in pairwise(words)), default=0)
                self._gaps[form] = max(self._gaps.get(form, 0), own, 1 if len(form) < _SHORT else _GAP)
                if len(form) == 12 and not set(form) - set("0123456789abcdef"):
                    self._addresses.add(form)
            elif value.strip():
                self._signs.append(value)
        self._known: dict[str, str] = {}
        """Short texts that were seen before: most of them come again and again."""
        self._starts = {form[:length] for form in self._gaps for length in range(1, len(form) + 1)}

    def __call__(self, text: str) -> str:
        """The text with every private value replaced."""
        if len(text) > _OFTEN:
            return self._hidden(text)
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[text] = self._hidden(text)
        return known

    def _hidden(self, text: str) -> str:
        for sign in self._signs:
            text = text.replace(sign, MASK)
        if not self._gaps or not text:
            return text
        folded, origin = _fold(text)
        parts, kept = [], 0
        for start, end in _merged(self._found(folded)):
            first, last = (start, end) if origin is None else (origin[start], origin[end - 1] + 1)
            parts += [text[kept:first], MASK]
            kept = last
        return "".join(parts) + text[kept:] if parts else text

    def _found(self, folded: str) -> Iterator[_Place]:
        """The places of values; they may overlap."""
        joined = _BETWEEN.sub("", folded)
        if len(self._gaps) > _MANY or any(
            map(joined.__contains__, self._gaps)
        ):  # most texts hold none, and this is quick to see
            words = [(m.start(), m.end(), m[0]) for m in _WORD.finditer(folded)]
            for index, (start, _, word) in enumerate(words):
                if word in self._starts and (end := self._longest(words, index)):
                    yield start, end
        if self._addresses:
            yield from (place for name, place in _addresses(folded) if name in self._addresses)

    def _longest(self, words: list[tuple[int, int, str]], index: int) -> int:
        """Where the longest value that starts at this word ends, or 0."""
        so_far, widest, best = "", 0, 0
        previous = words[index][0]
        for start, end, word in words[index:]:
            widest = max(widest, start - previous)
            so_far += word
            if so_far not in self._starts:
                break
            if widest <= self._gaps.get(so_far, -1):
                best = end
            previous = end
        return best


def _merged(places: Iterable[_Place]) -> Iterator[_Place]:
    """From left to right, those that overlap as one."""
    so_far: _Place | None = None
    for start, end in sorted(places):
        if so_far is not None and start < so_far[1]:
            so_far = so_far[0], max(so_far[1], end)
            continue
        if so_far is not None:
            yield so_far
        so_far = start, end
    if so_far is not None:
        yield so_far


def _addresses(folded: str) -> Iterator[tuple[str, _Place]]:
    """The hardware and IPv6 addresses in a text, in one spelling, with their places."""
    for found in _MAC.finditer(folded):
        yield "".join(group.zfill(2) for group in re.split("[:.-]", found[0])), found.span()
    for found in _IPV6.finditer(folded):
        for written in (found[0], found[0].rstrip("."), found[0].rstrip(".:")):
            try:
                yield ipaddress.IPv6Address(written).exploded, (found.start(), found.start() + len(written))
            except ValueError:
                continue
            break


def _fold(text: str) -> tuple[str, list[int] | None]:
    """The text as it is compared, and for each of its characters the place in the original (None: the same place)."""
    if text.isascii():
        return text.lower(), None
    folded: list[str] = []
    origin: list[int] = []
    for place, character in enumerate(text):
        plain = _plain(character)
        folded.append(plain)
        origin += [place] * len(plain)
    return "".join(folded), origin


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """Lower case, without width, style and accents; an accent of its own is nothing."""
    parts = unicodedata.normalize("NFKD", character.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()
