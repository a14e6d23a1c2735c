"""Text as what it is compared by: words without their endings, and identifiers as what they name. Pure."""

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

__all__ = ["FILLERS", "VERBS", "Term", "stem", "terms_of"]


class Term(NamedTuple):
    """One thing in a text."""

    kind: str
    """word, name (a word with a capital), number, mac, ip or id."""
    value: str

    @property
    def identifier(self) -> bool:
        """Whether it is made to be told apart from every other."""
        return self.kind in ("mac", "ip", "id")


_PIECE = re.compile(r"[^\s|,;()<>\"“”`*]+(?:,\d{3})*")
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*")
_ID = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?")
_PART = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\d+(?:\.\d+)?(?![^\W_])|[^\W_]+(?:['’][^\W\d_]+)?")
_POSSESSIVE = re.compile(r"['’][sS]?$")


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


def terms_of(text: str) -> Iterator[Term]:
    """What a text holds, in its order; an entity id is followed by its parts.

    >>> [term.value for term in terms_of("The Memory Vault's ports: 1,337 at 00-00-5E-00-53-0A")]
    ['the', 'memory', 'vault', 'port', '1337', 'at', '00005e00530a']
    """
    for piece in _PIECE.findall(text if text.isascii() else unicodedata.normalize("NFKC", text)):
        yield from _terms(piece)


@lru_cache(maxsize=100_000)
def _terms(piece: str) -> tuple[Term, ...]:
    """The terms of what stands between two blanks. Prompts repeat themselves, so each piece is looked at once."""
    bare = piece.strip(".:!?'’[]{}…")
    if bare.isalpha():
        return (_word(bare),)
    if _NUMBER.fullmatch(bare):
        return (_number(bare),)
    if _MAC.fullmatch(bare):
        return (Term("mac", re.sub("[:-]", "", bare).lower()),)
    if _ADDRESS.fullmatch(bare) and (address := _address(bare)):
        return (address,)
    if _ID.fullmatch(bare):
        return (Term("id", bare), *(_part(part) for part in re.split(r"[._]", bare) if part))
    return tuple(_part(part) for part in _PART.findall(bare))


def _part(text: str) -> Term:
    if _NUMBER.fullmatch(text):
        return _number(text)
    address = _address(text) if text.count(".") == 3 else None
    return address or _word(_POSSESSIVE.sub("", text))


def _word(text: str) -> Term:
    """A word; one with a digit in it is a name, however it is written."""
    if text.isalpha():
        return Term("name" if text[:1].isupper() else "word", stem(text.casefold()))
    return Term("name", text.casefold())


def _number(text: str) -> Term:
    return Term("number", text.replace(",", "").lstrip("0") or "0")


def _address(text: str) -> Term | None:
    try:
        return Term("ip", ipaddress.ip_address(text).compressed)
    except ValueError:
        return None


def stem(word: str) -> str:
    """A word without the endings of English grammar: plural and verb forms meet in one stem.

    >>> [stem(word) for word in ("boxes", "batteries", "listens", "listening", "bus", "restarted", "ring")]
    ['box', 'battery', 'listen', 'listen', 'bus', 'restart', 'ring']
    """
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("xes", "ches", "shes", "sses", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    for ending in ("ing", "ed"):
        bare = word[: -len(ending)]
        if len(word) >= len(ending) + 4 and word.endswith(ending) and re.search("[aeiouy]", bare):
            return bare[:-1] if bare[-1] == bare[-2] and bare[-1] not in "lsz" else bare
    return word


FILLERS = _stems("""
    a about actually again all also am an and any anybody anyone anything are as ask at be because been being between
    both but by came can cannot come could did directly do does doing done down each either else ever every exactly few
    first for from get give given gives go goes going got had has have having he hello help her here hers hi him
    his how i if in indeed inside into is it its itself just keep know known let like list listed
    look made make many
    may me mean might mine more most much must my myself need needed never next no nobody none nor not nothing now of
    off ok on once one only onto or other others our ours out over own per please put quickly quite rather really right
    said same say see seen shall she should show so some somebody someone something soon still stand stands such sure
    take tell than thank thanks that the their them then there these they thing things this those through till to today
    too under until up us use used uses using very via want wanted was way we well went were what whatever when where
    which while who whom whose why will with without word words would write written yes yet you your yours
""")
"""Words of any question about anything: they say nothing of what it is about."""

VERBS = _stems("""
    answer arrive ask assign begin belong bind break buy call care carry change check connect contain control cover
    deliver depend die end exist expose fail feed feel fetch fit follow hang happen hear hold host install join keep
    lead leave lie listen live load log mean measure meet monitor mount move name notice occur offer open operate own
    pay play point pull push reach read receive record refer rely remain rest restart return ring run sell send serve
    sit sleep speak spell start stay stop store supply support switch talk touch track turn wait walk watch wear work
    find look ran sent kept held lain paid read rang
""")
"""What most things do: whether a prompt says it in the same word tells little."""
