"""Private values taken out of the texts of a report, however they are spelt there.

What the guard would find before sending is found here in the same way, by the same names. Beyond that a value is
compared by its letters and digits alone: case, accents and what stands between them do not matter, and single words
count, too. So `velvet_otter` is also found as `Velvet Otter`, and `1337` as `1,337`. Where in doubt it hides too much.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, pairwise

from promptforge.bench.disguises import BREAK, Place, Reading, cased, readings, small
from promptforge.bench.giveaways import Value, names_of
from promptforge.bench.spellings import Name
from promptforge.bench.values import identity
from promptforge.bench.wanted import Wanted

__all__ = ["MASK", "Redactor"]

MASK = "▒▒▒"
_WORD = re.compile(r"[0-9]+|[a-z]+|[^\W_0-9a-z]+")
_SHORT = 6
"""Below so many letters and digits at most one character may stand between them: `2, 2` is not `22`."""
_GAP = 8
"""So much may stand between the parts of a longer value: `00:00:5E` **:** `00:53:21`."""
_OFTEN = 120
_MOST_KNOWN = 20_000
_MANY = 100
"""With more values than this it is quicker to look at the words of a text than for every value in it."""
_ROUNDS = 8
"""Beside what was taken out something may come to light; after so many times nothing of the text is said."""
_HEX = re.compile("[0-9a-f]{12}")
_ENTITY = re.compile(r"[a-z][a-z0-9_]*\.[a-z0-9_]+")


class Redactor:
    """Hides these values in a text; called with the text. Without values it returns every text as it is."""

    def __init__(self, values: Iterable[str]) -> None:
        known = set(values)
        self._gaps: dict[str, int] = {}
        """Of each value, by its letters and digits: how much may stand between them."""
        self._signs: list[str] = []
        """Values without a letter or a digit."""
        for value in known:
            words = list(_WORD.finditer(small(cased(value))))
            if words:
                form = "".join(word[0] for word in words)
                own = max((b.start() - a.end() for a, b in pairwise(words)), default=0)
                self._gaps[form] = max(self._gaps.get(form, 0), own, 1 if len(form) < _SHORT else _GAP)
            elif value.strip():
                self._signs.append(value)
        self._wanted = Wanted(chain.from_iterable(map(_names, known)), self._gaps)
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
        if not text or not (self._gaps or self._wanted):
            return text
        text = text.replace(BREAK, " ")
        for _ in range(_ROUNDS):
            parts, kept = [], 0
            for start, end in _merged(self._places(text)):
                parts += [text[kept:start], MASK]
                kept = end
            if not parts:
                return text
            text = "".join(parts) + text[kept:]
        return MASK

    def _places(self, text: str) -> Iterator[Place]:
        """The places of values; they may overlap."""
        for one in readings(text):
            near = self._wanted.near(one)
            yield from (one.place(start, end) for _, start, end in self._wanted.inside(one, near))
            if near:
                yield from (one.place(start, end) for start, end in self._as_words(one))

    def _as_words(self, one: Reading) -> Iterator[Place]:
        """Values by their letters and digits alone."""
        if len(self._gaps) > _MANY or any(map(one.joined.__contains__, self._gaps)):  # most texts hold none
            words = [(m.start(), m.end(), m[0]) for m in _WORD.finditer(one.bare)]
            for index, (start, _, word) in enumerate(words):
                if word in self._starts and (end := self._longest(words, index)):
                    yield start, end

    def _longest(self, words: list[tuple[int, int, str]], index: int) -> int:
        """Where the longest value that starts at this word ends, or 0."""
        so_far, widest, best = "", 0, 0
        previous = words[index][0]
        for at in range(index, len(words)):  # not `words[index:]`: most end at once, and a text may be long
            start, end, word = words[at]
            widest = max(widest, start - previous)
            so_far += word
            if so_far not in self._starts:
                break
            if widest <= self._gaps.get(so_far, -1):
                best = end
            previous = end
        return best


def _names(value: str) -> Iterator[Name]:
    """How a value may be spelled, whatever column it is of: a report is told values, not whose they are."""
    forms = ["", "date"]  # a number of a date's column is looked for as a word, too
    digits = identity(value, "mac")
    if digits is not None and digits[0] == "mac" and _HEX.fullmatch(str(digits[1])):
        yield "mac", digits[1]  # also one of zeros alone
        forms.append("mac")
    if _ENTITY.fullmatch(value):
        forms.append("entity")
    for form in forms:
        yield from names_of(Value(value, form, True, True), strict=False)
    with suppress(ValueError):
        yield "ip", int(ipaddress.ip_address(value.strip()))  # a loopback address, too


def _merged(places: Iterable[Place]) -> Iterator[Place]:
    """From left to right, those that overlap as one."""
    so_far: Place | None = None
    for start, end in sorted(places):
        if so_far is not None and start < so_far[1]:
            so_far = so_far[0], max(so_far[1], end)
            continue
        if so_far is not None:
            yield so_far
        so_far = start, end
    if so_far is not None:
        yield so_far
