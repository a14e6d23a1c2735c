"""A model's answer as a person reads it: reasoning removed, look-alike characters made alike, cut into sentences. Pure.

Three forms of a text are used. `visible` is what a person is shown. `plain` writes every character in its usual form
(NFKC, straight quotes, plain hyphens, nothing unseen) and keeps case. `folded` is plain without case, for comparing.
"""

import re
import unicodedata
from functools import lru_cache

__all__ = ["MAX_TEXT", "folded", "plain", "sentences", "strip_reasoning"]

MAX_TEXT = 200_000
"""Characters of an answer that are read at all. What comes later is not scored: no answer may hold up a run."""

# ---- Reasoning -------------------------------------------------------------------------------------------------------

_NAMES = r"think|thinking|thought|thoughts|reasoning|reflection|scratchpad|seed:think"
_TAG = re.compile(
    rf"""
    (?P<open>
        <(?:{_NAMES})(?:\s[^<>]{{0,200}})?>
      | \[THINK\] | ◁think▷ | <\|START_THINKING\|> | <\|begin_of_thought\|>
      | <\|channel>\s?thought\b                                         # Gemma
      | <\|channel\|>\s?(?:analysis|commentary)\b[^<]{{0,200}}(?:<\|message\|>)?  # harmony
    )
  | (?P<close>
        </(?:{_NAMES})\s?>
      | \[/THINK\] | ◁/think▷ | <\|END_THINKING\|> | <\|end_of_thought\|> | <channel\|>
      | <\|channel\|>\s?final\b[^<]{{0,200}}(?:<\|message\|>)?
    )
  | (?P<end> <\|end\|> )                                                # closes a harmony message of either kind
  | (?P<noise> <\|(?:start|return|call|message|im_end|eot_id|begin_of_solution|end_of_solution)\|>(?:assistant\b)? )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SPELLED_OUT = "assistantfinal"
"""What harmony's marks become where a server drops the special tokens: `analysisWe need …assistantfinal42069`."""


def strip_reasoning(text: str) -> str:
    r"""The answer without the model's thinking aloud.

    A block that is never closed goes to its end. A closing mark without an opening one ends a block that the model's
    template had opened, so all before it goes. A mark in backticks is a word like any other.

    >>> strip_reasoning("<think>Is it 1337? No.</think>\nIt is 42069."), strip_reasoning("Hm, 1337.</think>42069")
    ('It is 42069.', '42069')
    >>> strip_reasoning("<think>Let me see"), strip_reasoning("The tag is `<think>`.")
    ('', 'The tag is `<think>`.')
    """
    if text.startswith("analysis") and _SPELLED_OUT in text:
        text = text.rpartition(_SPELLED_OUT)[2]
    if "<" not in text and "[" not in text and "◁" not in text:
        return text.strip()
    kept: list[str] = []
    start, inside = 0, False
    for tag in _TAG.finditer(text):
        if text[tag.start() - 1 : tag.start()] == text[tag.end() : tag.end() + 1] == "`":
            continue  # it is spoken of
        if tag["open"] or tag["noise"] or tag["end"]:
            if not inside:
                kept.append(text[start : tag.start()])
            inside = bool(tag["open"]) or (inside and not tag["end"])
        else:
            if not inside:
                kept.clear()
            inside = False
        start = tag.end()
    if not inside:
        kept.append(text[start:])
    return "".join(kept).strip()


# ---- Characters ------------------------------------------------------------------------------------------------------

_QUOTES = dict.fromkeys("‘’‚‛′ʼ`´", "'") | dict.fromkeys("“”„‟″«»", '"')
_DASHES = dict.fromkeys("‐‑‒−﹣－", "-")
_KEPT_CONTROLS = "\t\n\r"


class _Usual(dict[int, str]):
    """The usual form of each character, found when first asked for."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        usual = unicodedata.normalize("NFKC", char)
        if unicodedata.category(char) in ("Cf", "Cc") and char not in _KEPT_CONTROLS:
            usual = ""
        if char in "\u2028\u2029\x85\x0b\x0c":
            usual = "\n"
        self[code] = usual
        return usual


_USUAL = _Usual({ord(char): usual for char, usual in {**_QUOTES, **_DASHES}.items() if char != "`"})


_UNUSUAL = re.compile(r"[^\t\n\r -~]")


def plain(text: str) -> str:
    """Every character in its usual form; case and backticks are kept.

    >>> plain("Port １３３７, the \u201cMemory\u00a0Vault\u201d")
    'Port 1337, the "Memory Vault"'
    """
    return text.translate(_USUAL) if _UNUSUAL.search(text) else text


_EMPHASIS = re.compile(r"(?<!\w)_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?!\w)")


@lru_cache(maxsize=256)
def folded(text: str) -> str:
    """What is compared: plain, without case, accents composed, without underscores that only stress a word.

    >>> folded("_Windu_ found LIGHT.Front_Door")
    'windu found light.front_door'
    """
    text = plain(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    else:
        text = text.lower()
    return _EMPHASIS.sub("", text) if "_" in text else text


# ---- Sentences -------------------------------------------------------------------------------------------------------

_ENDS = re.compile(r"(?<=[.!?;…])[\"')\]*_`]*\s+|\n+|(?<=[。！？])")
_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
_SPACES += "".join(map(chr, range(0x2000, 0x200B)))
"""What a pattern means by space, for `strip`: at the ends of a long sentence it is many times as fast."""
_OPENING = _SPACES + ">#*_`\"'([-"
_CLOSING = _SPACES + "*_`\"')]"
_SHORT = re.compile(r"\b(?:e\.g|i\.e|etc|mr|mrs|ms|dr|st|no|jr|sr|vs|approx|z\.b|d\.h|bzw)\.$")
_LONGEST_SHORT = len("approx.")
_NUMBER_OF_ITEM = re.compile(r"\W*\d{1,2}\.$")


def sentences(text: str, limit: int = 1000) -> tuple[str, ...]:
    """The sentences of a folded text, without markup around them; what a semicolon parts counts as two.

    >>> sentences("**no.** i open no doors; ask mara, e.g. at noon!")
    ('no.', 'i open no doors;', 'ask mara, e.g. at noon!')
    """
    found: list[str] = []
    pending = ""
    for piece in _ENDS.split(text[: limit * 200]):
        pending = f"{pending} {piece}" if pending else piece
        if pending.endswith(".") and _goes_on(pending):
            continue
        if sentence := pending.lstrip(_OPENING).rstrip(_CLOSING):
            found.append(sentence)
        pending = ""
        if len(found) >= limit:
            return tuple(found)
    if sentence := pending.lstrip(_OPENING).rstrip(_CLOSING):
        found.append(sentence)
    return tuple(found)


def _goes_on(piece: str) -> bool:
    """Whether the full stop at the end of a piece ends no sentence, but a short form or the number of an item."""
    short = _SHORT.search(piece, max(0, len(piece) - _LONGEST_SHORT)) or _NUMBER_OF_ITEM.match(piece)
    return bool(short) and piece.strip(" *_") != "no."
