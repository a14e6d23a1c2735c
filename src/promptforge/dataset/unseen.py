"""Characters of a row that nobody sees, or that no tokenizer takes: halves of characters, controls, marks. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from promptforge.dataset.shapes import Seen

__all__ = ["UNSEEN", "unseen"]

UNSEEN = {
    "text.surrogate": "half of a character (a lone surrogate), on which tokenizers stop",
    "text.control": "control characters, as a broken encoding or a terminal leaves them",
    "text.direction": "marks that turn the order of what is read: a person sees another text than a model",
    "text.invisible": "characters that nobody sees: a model learns them, and nobody finds them",
}
"""What each rule means."""
_PLAIN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ODD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[\ud800-\udfff]|[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]"
    "|[\u00ad\u034f\u115f\u1160\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]"
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]"  # tags, but in the flags of a few countries
)
_MARKS = "\u200e\u200f\u061c"
"""Marks that belong to a text in a script that runs from right to left."""


def unseen(row: Seen) -> Iterator[tuple[str, str]]:
    """The rules that a row breaks, each once, and what stands where."""
    told: set[str] = set()
    for role, text in row.messages:
        if text.isascii():
            if not _PLAIN.search(text):
                continue
        elif role == "system" and not _in_prompt(text):
            continue
        for rule, what in _found(text):
            if rule not in told:
                told.add(rule)
                yield rule, f"{what} in the {role}'s turn"


@lru_cache(maxsize=256)
def _in_prompt(text: str) -> bool:
    """Whether there is anything in a system prompt, which comes again and again."""
    return any(True for _ in _found(text))


def _found(text: str) -> Iterator[tuple[str, str]]:
    for match in _ODD.finditer(text):
        rule = _rule(match[0])
        if match[0] not in _MARKS or not _runs_left(text):
            name = unicodedata.name(match[0], "")
            yield (
                rule,
                f"U+{ord(match[0]):04X}{f' ({name.lower()})' if name else ''} at character {match.start() + 1:,}",
            )


def _rule(char: str) -> str:
    category = unicodedata.category(char)
    if category in ("Cs", "Cc"):
        return "text.surrogate" if category == "Cs" else "text.control"
    return "text.direction" if char in _MARKS or unicodedata.bidirectional(char) in _TURNING else "text.invisible"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TURNING = _words("LRE RLE LRO RLO PDF LRI RLI FSI PDI")


def _runs_left(text: str) -> bool:
    return any(unicodedata.bidirectional(char) in ("R", "AL") and char not in _MARKS for char in text)
