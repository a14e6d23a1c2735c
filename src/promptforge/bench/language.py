"""Whether an answer is in another language than its question: only where that is plain to see. Pure.

Another script is plain to see; among languages with one script, the small words are. A short answer, code, a list of
names and a mixture have no language here.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from promptforge.bench.reading import plain

__all__ = ["language", "other_language"]

_SMALL_WORDS = {
    "english": "the and are of to that it for with you not this have from by which your there its does what",
    "german": "der die das und ist nicht ein eine dem den mit auf für von zu sich auch sind wird nach bei wie wenn",
    "french": "le les et est une dans qui pour pas sur avec elle par vous nous sont où être mais quel quelle cette",
    "spanish": "el los las y una del por con para está esta este pero más su hay como qué también",
    "italian": "il gli è di della che nel alla anche più questo questa sono quale dove dei delle",
    "portuguese": "os uma dos em não ao são você também isto pelo pela mas quando",
    "dutch": "het een van niet dat zijn aan ook bij maar naar wordt deze voor welke",
}
"""Words that these languages do not share, so that each tells one from the others."""
_LANGUAGE_OF = {word: name for name, words in _SMALL_WORDS.items() for word in words.split()}

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
_LETTERS = re.compile(r"[^\W\d_]+")
_READ = 4_000
"""Characters that are looked at."""
_ENOUGH_LETTERS = 12
_ENOUGH_WORDS = 5
"""Small words of one language in an answer, and no more than a fifth as many of any other."""
_ENOUGH_ASKED = 2
"""In a question, which is shorter, and where a mistake only hides a label."""

_SCRIPTS = {
    "LATIN": "latin",
    "CYRILLIC": "cyrillic",
    "GREEK": "greek",
    "ARABIC": "arabic",
    "HEBREW": "hebrew",
    "DEVANAGARI": "devanagari",
    "THAI": "thai",
    "HANGUL": "korean",
    "CJK": "chinese",
    "HIRAGANA": "chinese",
    "KATAKANA": "chinese",
}
"""How the names of a script's letters begin, and what it is called; with kana in it, Chinese is Japanese."""


def other_language(question: str, answer: str) -> str:
    """The language or script of the answer where it is plainly not that of the question, or nothing.

    >>> other_language("Which port does the vault use?", "Der Tresor ist auf dem Rechner, nicht bei den Kameras.")
    'german'
    >>> other_language("Which port does the vault use?", "Port 42069.")
    ''
    """
    said = language(answer)
    if not said:
        return ""  # so with most answers, and then the question need not be looked at
    asked = language(question, _ENOUGH_ASKED)
    if said == asked or _ASKED_FOR.search(question):
        return ""
    if not asked:
        # A question too short to tell is in the script that it is written in, and no more is known.
        return said if _script(question)[0] not in ("", _script(answer)[0]) else ""
    return said


_ASKED_FOR = re.compile(
    r"\b(?:in|into|auf|en|to) (?:english|german|french|spanish|italian|dutch|portuguese|japanese|chinese|russian"
    r"|deutsch|englisch"
    r"|français|anglais|español)\b|\btranslat",
    re.IGNORECASE,
)


@lru_cache(maxsize=256)
def language(text: str, enough: int = _ENOUGH_WORDS) -> str:
    """The language of a text by its small words, or its script where that is not Latin; nothing when in doubt."""
    text = _CODE.sub(" ", text[:_READ])
    found = _LETTERS.findall(text)
    script, share, letters = _script_of(found)
    if letters < _ENOUGH_LETTERS or share < 0.6:
        return ""
    if script != "latin":
        return "japanese" if script == "chinese" and _kana(text) else script
    usual = plain(text)
    words = map(str.lower, found) if usual is text and text.isascii() else _LETTERS.findall(usual.lower())
    hits = Counter(_LANGUAGE_OF[word] for word in words if word in _LANGUAGE_OF)
    if hits.total() < enough:
        return ""
    (best, most), (_, next_most), *_ = (*hits.most_common(2), ("", 0))
    return best if most >= enough and next_most * 5 <= most else ""


def _script(text: str) -> tuple[str, float]:
    script, share, letters = _script_of(_LETTERS.findall(_CODE.sub(" ", text[:_READ])))
    return (script, share) if letters >= 3 else ("", 0.0)


def _script_of(words: Iterable[str]) -> tuple[str, float, int]:
    letters = "".join(words)
    if letters.isascii():
        return "latin", 1.0, len(letters)
    counts = Counter(_script_of_char(char) for char in letters)
    script, most = counts.most_common(1)[0]
    return script, most / len(letters), len(letters)


@lru_cache(maxsize=4096)
def _script_of_char(char: str) -> str:
    name = unicodedata.name(char, "")
    return next((script for start, script in _SCRIPTS.items() if name.startswith(start)), "other")


def _kana(text: str) -> bool:
    return any("\u3040" <= char <= "\u30ff" for char in text)
