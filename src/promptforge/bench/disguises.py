"""A text without its disguises: usual characters, no case, no escapes; and where each character of it stood. Pure.

Every way to read a text is a `Reading`: as it is, and unescaped where it is escaped for a web page, a URL or a string
of a program, once, twice, and all of them together. What is found in a reading is told as a place of the text itself.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cached_property
from urllib.parse import unquote

from promptforge.bench.reading import plain

__all__ = ["BREAK", "Place", "Reading", "cased", "readings", "small", "words_of"]

BREAK = "\ue000"
"""Stands with a blank on each side between two values, so that nothing is found across them."""
_STRAY = re.compile(f"(?<! ){BREAK}|{BREAK}(?! )")
"""One that a text holds by itself; it is read as a blank, and so is every one that is escaped."""

Place = tuple[int, int]
_Step = tuple[re.Pattern[str], re.Pattern[str], Callable[[re.Match[str]], str]]
"""What shows that there is something to unescape, what is unescaped, and what becomes of it."""

# ---- Characters ------------------------------------------------------------------------------------------------------

_FORMS = {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "。": ".", "、": ","}
_ALIKE = (
    "авсԁеһніјкӏмопрԛгѕтуԝхοαβεζηικμνρτυχςıøłđħɑɡ",
    "abcdehhijklmonpqrstywxoabezhikmvptuxσioldhag",
)
"""Letters of other scripts, and the Latin ones that they are taken for; each of a pair of cases in the same way."""


class _Cased(dict[int, str]):
    """What is compared of each character, case aside, found when first asked for."""

    def __missing__(self, code: int) -> str:
        parts = unicodedata.normalize("NFKD", plain(chr(code)))
        self[code] = made = "".join(map(_form, parts))
        return made


def _form(char: str) -> str:
    """Nothing for an accent and for what only chooses a glyph; an ASCII digit for one of any script."""
    if unicodedata.combining(char) or char == "\u034f" or "\ufe00" <= char <= "\ufe0f":
        return ""
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return _FORMS.get(char, char)


_CASED = _Cased()
_SMALL = str.maketrans(*_ALIKE)
_UNUSUAL = re.compile(r"[^\t\n\r -~]")


def cased(text: str) -> str:
    """Usual characters without accents; as long as the same without case.

    >>> cased("Zoë’s ＴＡＢＬＥＴ"), cased("１٣")
    ("Zoe's TABLET", '13')
    """
    return text.translate(_CASED) if _UNUSUAL.search(text) else text


def small(usual: str) -> str:
    """Without case, and the look-alikes of Latin letters as those: for what `cased` made.

    >>> small("ТАВLЕТ") == "tablet"
    True
    """
    return usual.lower() if usual.isascii() else usual.lower().translate(_SMALL)


# ---- Escapes ---------------------------------------------------------------------------------------------------------

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,31});?")
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_QUOTED = re.compile(rf"(?:{_PERCENT.pattern})+|\+")
_NEXT = r"\\+x[89abAB][0-9a-fA-F]"
_BACKSLASH = re.compile(
    r"\\+(?:u([dD][89abAB][0-9a-fA-F]{2}\\+u[dD][c-fC-F][0-9a-fA-F]{2})"
    rf"|(x(?:[cdCD][0-9a-fA-F]{_NEXT}|[eE][0-9a-fA-F](?:{_NEXT}){{2}}|[fF][0-4](?:{_NEXT}){{3}}))"
    r"|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,5})\}|U000([0-9a-fA-F]{5})|x([0-9a-fA-F]{2})|[AbBdDfnrsStvwWZ]|(.))"
)
"""First a pair of halves, as JSON writes what has no four digits, and the bytes of a character in UTF-8."""


def _unslashed(found: re.Match[str]) -> str:
    """The sign itself; a blank for a line's end, a tab, and what a pattern means by a letter."""
    if found[1]:
        first, second = int(found[1][:4], 16), int(found[1][-4:], 16)
        return chr(0x10000 + (first - 0xD800 << 10) + second - 0xDC00)
    if found[2]:
        written = bytes.fromhex(re.sub(r"[\\x]", "", found[2]))
        return written.decode("utf-8" if _is_utf8(written) else "latin-1")
    code = found[3] or found[4] or found[5] or found[6]
    return chr(int(code, 16)) if code else found[7] or " "


def _is_utf8(written: bytes) -> bool:
    try:
        written.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parted(decode: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
    """The same, without a BREAK."""
    return lambda found: decode(found).replace(BREAK, " ")


_STEPS: tuple[_Step, ...] = (
    (_ENTITY, _ENTITY, _parted(lambda found: html.unescape(found[0]))),
    (_PERCENT, _QUOTED, _parted(lambda found: " " if found[0] == "+" else unquote(found[0]))),
    (_BACKSLASH, _BACKSLASH, _parted(_unslashed)),
)
_ROUNDS = 3
"""What is escaped more often than this is no spelling any more."""


_TOKEN = re.compile(rf"[^\W_]+|{BREAK}")
_ASCII = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128)).encode().ljust(256)


def words_of(text: str) -> list[str]:
    """The words and numbers of a text, wherever a sign or a blank parts them.

    >>> words_of("a_b'c 1.5"), words_of("Zoë-2")
    (['a', 'b', 'c', '1', '5'], ['Zoë', '2'])
    """
    if text.isascii():  # many times as fast
        return text.encode().translate(_ASCII).decode().split()
    return _TOKEN.findall(text)


class Reading:
    """One form that a text may be read in."""

    def __init__(self, source: str, text: str, steps: tuple[_Step, ...] = ()) -> None:
        self._source, self._text, self._steps = source, text, steps
        self.cased = cased(text)
        self.bare = small(self.cased)
        """Without case, too: the same characters at the same places."""
        self.words = words_of(self.bare)
        """Its words and numbers, wherever a sign or a blank parts them."""
        self.joined = "".join(self.words)
        """Its letters and digits alone."""

    def place(self, start: int, end: int) -> Place:
        """Where something that is found in it stands in the text that was given."""
        if not self._steps and self.cased is self._text:
            return start, end
        places = self._places
        return places[start][0], places[end - 1][1]

    @cached_property
    def _places(self) -> list[Place]:
        """Of each of its characters, the place in the text."""
        text, places = self._source, [(at, at + 1) for at in range(len(self._source))]
        for _, pattern, decode in self._steps:
            text, places = _followed(text, places, pattern, decode)
        lengths = (len(cased(char)) for char in text)
        return [place for place, length in zip(places, lengths, strict=True) for _ in range(length)]


def _followed(
    text: str, places: list[Place], pattern: re.Pattern[str], decode: Callable[[re.Match[str]], str]
) -> tuple[str, list[Place]]:
    """One step of unescaping, with the place of each character kept."""
    made: list[str] = []
    kept: list[Place] = []
    done = 0
    for found in pattern.finditer(text):
        start, end = found.span()
        piece = decode(found)
        made += text[done:start], piece
        kept += places[done:start] + [(places[start][0], places[end - 1][1])] * len(piece)
        done = end
    return "".join((*made, text[done:])), kept + places[done:]


def readings(text: str) -> Iterator[Reading]:
    """Every form that a text may be read in, first as it is.

    >>> [one.bare for one in readings("Pip%2527s&nbsp;tablet")]
    ['pip%2527s&nbsp;tablet', 'pip%2527s tablet', 'pip%27s&nbsp;tablet', 'pip%27s tablet', "pip's tablet"]
    """
    if BREAK in text:
        text = _STRAY.sub(" ", text)
    yield Reading(text, text)
    if "&" not in text and "%" not in text and "\\" not in text:
        return
    seen = {text}
    for read, steps in _unescaped(text):
        if read not in seen:
            seen.add(read)
            yield Reading(text, read, steps)


def _unescaped(text: str) -> Iterator[tuple[str, tuple[_Step, ...]]]:
    for step in _STEPS:
        if step[0].search(text):
            yield step[1].sub(step[2], text), (step,)
    steps: tuple[_Step, ...] = ()
    for _ in range(_ROUNDS):
        before = text
        for step in _STEPS:
            if step[0].search(text):
                text, steps = step[1].sub(step[2], text), (*steps, step)
        if text == before:
            return
        yield text, steps
