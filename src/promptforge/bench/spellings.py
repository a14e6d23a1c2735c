"""What a text holds, in every usual spelling of it: for the last look before a text leaves. Pure.

A scorer asks whether an answer names a value, and may not be fooled by a look-alike. Here it is the other way about: a
value may not slip through because somebody wrote it differently. So this is broader than `identifiers.py`: a MAC is
found with any signs between its digits, an address also backwards or with dots spelled out, words without accents and
apostrophes, in an escaped text or in a URL.
"""

import html
import ipaddress
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import unquote

from promptforge.bench.reading import plain

__all__ = ["BREAK", "Look", "Name", "dates", "decimal", "joined", "numbers", "tokens"]

Name = tuple[str, object]
"""A kind of spelling (ip, mac, eui64, run, words, raw, exact, entity, number, decimal, amount, date), and what."""
BREAK = "\ue000"
"""Stands between two values, so that nothing is found across them. No text holds it."""

_TOKEN = re.compile(rf"[^\W_]+|{BREAK}")
_APOSTROPHE = re.compile(r"(?<=\w)['`](?=\w)")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_OUTSIDE = re.compile(rf"[^0-9a-z{BREAK}]+")


def tokens(text: str, *, apostrophes: bool = False) -> tuple[str, ...]:
    """Its words and numbers, without case, accents and what stands between them.

    >>> tokens("**Zoë's** tablet_2"), tokens("Zoë's tablet", apostrophes=True)
    (('zoes', 'tablet', '2'), ('zoe', 's', 'tablet'))
    """
    return _tokens(_bare(text), apostrophes)


def _tokens(bare: str, apostrophes: bool) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(_APOSTROPHE.sub(" " if apostrophes else "", bare)))


def _bare(text: str) -> str:
    """Usual characters, without case and accents."""
    usual = plain(text)
    if usual.isascii():
        return usual.lower()
    parts = unicodedata.normalize("NFKD", usual.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def joined(text: str) -> str:
    """Its letters and digits alone.

    >>> joined("00-00:5E.00 53 21")
    '00005e005321'
    """
    return _OUTSIDE.sub("", _bare(text))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One form that a text may be read in."""

    usual: str
    bare: str
    joined: str
    streams: tuple[tuple[str, ...], ...]
    """Its words; a second time with apostrophes between words, where it has any."""


class Look:
    """A text as it is looked at: also unescaped, where it is escaped for a web page, a URL or JSON."""

    def __init__(self, text: str) -> None:
        self._readings = [_reading(one) for one in dict.fromkeys(_readings(text))]

    def names(self) -> Iterator[Name]:
        """Addresses, entities, numbers, dates and single words as they are written."""
        for one in self._readings:
            yield from _addresses(one.bare)
            yield from (("mac", mac) for mac in _macs(one.bare))
            yield from (("entity", found[1]) for found in _DOTTED.finditer(one.bare))
            yield from numbers(one.usual)
            yield from (("date", date) for date in dates(one.bare))
            yield from (("raw", word) for word in set(_RAW.findall(one.bare)))
            yield from (("exact", word) for word in set(_TOKEN.findall(one.usual)))

    def words(self, lengths: Mapping[str, Collection[int]]) -> Iterator[Name]:
        """Every run of words in it that may be one of those looked for: by their first word, how long they are."""
        for one in self._readings:
            for stream in one.streams:
                for at, word in enumerate(stream):
                    for length in lengths.get(word, ()):
                        yield "words", stream[at : at + length]

    def runs(self, lengths: Collection[int]) -> Iterator[Name]:
        """Every so many letters and digits that stand in it one after another, whatever is between them."""
        for one in self._readings:
            for length in lengths:
                for at in range(len(one.joined) - length + 1):
                    yield "run", one.joined[at : at + length]


def _readings(text: str) -> Iterator[str]:
    yield text
    if "&" in text and ";" in text:
        yield html.unescape(text)
    if re.search(r"%[0-9a-fA-F]{2}", text):
        yield unquote(text.replace("+", " "))
    if "\\u" in text:
        yield _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _reading(text: str) -> _Reading:
    usual, bare = plain(text), _bare(text)
    streams = [_tokens(bare, apostrophes=False)]
    if _APOSTROPHE.search(bare):
        streams.append(_tokens(bare, apostrophes=True))
    return _Reading(usual=usual, bare=bare, joined=_OUTSIDE.sub("", bare), streams=tuple(streams))


# ---- Addresses -------------------------------------------------------------------------------------------------------

_DOT = r"(?:[._-]|\s?[\[({]\s?(?:\.|dot)\s?[\])}]\s?|\sdot\s)"
_QUAD = re.compile(rf"(?<!\d)(?=(\d{{1,3}}){_DOT}(\d{{1,3}}){_DOT}(\d{{1,3}}){_DOT}(\d{{1,3}})(?!\d)(\.in-addr)?)")
_IPV6 = re.compile(r"(?<![0-9a-f:])(?=[0-9a-f]{0,4}:)[0-9a-f:]{2,39}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?")
_DOTTED = re.compile(r"(?<!\w)(?=(\w+\.\w+))")
_RAW = re.compile(r"\w+")
_OCTETS = re.compile(r"(?<![0-9a-f])(?=([0-9a-f]{1,2}(?:[:. _-][0-9a-f]{1,2}){5})(?![0-9a-f]))")


def _addresses(bare: str) -> Iterator[Name]:
    for found in _QUAD.finditer(bare):
        octets = [int(found[n]) for n in range(1, 5)]
        if max(octets) < 256:
            yield "ip", int.from_bytes(bytes(octets[::-1] if found[5] else octets), "big")
    if ":" in bare:
        for found in _IPV6.finditer(bare):
            yield from _version6(found[0])


def _version6(written: str) -> Iterator[Name]:
    """An address; what stands behind its last colon may be a port. Its second half may be made from a MAC."""
    for text in (written, written.rstrip(":"), written.rpartition(":")[0]):
        try:
            address = ipaddress.IPv6Address(text)
        except ValueError:
            continue
        yield "ip", int(address.ipv4_mapped or address)
        yield "eui64", int(address) & (2**64 - 1)


def _macs(bare: str) -> Iterator[str]:
    """Those with single digits, `0:0:5e:0:53:21`; the others are found by their digits alone."""
    for found in _OCTETS.finditer(bare):
        yield "".join(part.zfill(2) for part in re.split("[:. _-]", found[1]))


# ---- Numbers and dates -----------------------------------------------------------------------------------------------

_CURRENCY = r"(?:[€$£¥]|eur|euros?|usd|dollars?|gbp|pounds?|chf|francs?)"
_NUMBER = re.compile(
    rf"(?:(?P<before>{_CURRENCY})\s?)?(?<![\d])"
    r"(?P<number>\d{1,3}(?:[ '\u202f]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*)"
    rf"(?P<after>\s?{_CURRENCY}(?![a-z]))?",
    re.IGNORECASE,
)


def numbers(text: str) -> Iterator[Name]:
    """`number` or `decimal` for every number as it may be meant; `amount`, too, where a currency stands beside it.

    >>> list(numbers("1.234,50 EUR"))
    [('decimal', Decimal('1234.50')), ('amount', Decimal('1234.50'))]
    """
    for found in _NUMBER.finditer(text):
        for value in _meanings(found["number"]):
            yield ("number" if value.as_tuple().exponent == 0 else "decimal"), value
            if found["before"] or found["after"]:
                yield "amount", value


def _meanings(written: str) -> Iterator[Decimal]:
    """What a written number may mean: `1,234` is a thousand, or one and a bit; `4711,4712` is two numbers."""
    digits = re.sub(r"[ '\u202f]", "", written)[:60]
    pieces = re.split("[.,]", digits)
    last = digits[-len(pieces[-1]) - 1 : -len(pieces[-1])]
    if len(pieces) == 1:
        yield Decimal(digits)
        return
    grouped = all(len(piece) == 3 for piece in pieces[1:]) and len(pieces[0]) <= 3
    if grouped:
        yield Decimal("".join(pieces))
    if len(pieces) == 2:
        yield Decimal(f"{pieces[0]}.{pieces[1]}")
    elif last != digits[len(pieces[0])] and not grouped:
        yield Decimal(f"{''.join(pieces[:-1])}.{pieces[-1]}")
    if all(len(piece) > 3 for piece in pieces):
        yield from map(Decimal, pieces)


def decimal(text: str) -> Decimal | None:
    """The number that a text is, unit and currency aside; None where it is more than a number.

    >>> decimal("212.40 EUR"), decimal("about 3")
    (Decimal('212.40'), None)
    """
    found = re.fullmatch(rf"{_CURRENCY}?\s?-?(\d+(?:\.\d+)?)(?:\s?[^\W\d_]{{1,6}}|\s?[%€$£°])?", text, re.IGNORECASE)
    return Decimal(found[1][:60]) if found else None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4})(?!\d)")
_DAY_MONTH = re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|\.)?\s(?:of\s)?{_MONTH},?\s(\d{{4}})(?!\d)")
_MONTH_DAY = re.compile(rf"(?<![a-z]){_MONTH}\s(\d{{1,2}})(?:st|nd|rd|th)?,?\s(\d{{4}})(?!\d)")


def dates(bare: str) -> Iterator[tuple[int, int, int]]:
    """Every date as (year, month, day); of 1/5/2019 both that it may be.

    >>> list(dates("born on may 1, 2019"))
    [(2019, 5, 1)]
    """
    for found in _YEAR_FIRST.finditer(bare):
        yield int(found[1]), int(found[2]), int(found[3])
    for found in _YEAR_LAST.finditer(bare):
        yield int(found[4]), int(found[3]), int(found[1])
        yield int(found[4]), int(found[1]), int(found[3])
    for found in _DAY_MONTH.finditer(bare):
        yield int(found[3]), _MONTHS.index(found[2]) + 1, int(found[1])
    for found in _MONTH_DAY.finditer(bare):
        yield int(found[3]), _MONTHS.index(found[1]) + 1, int(found[2])
