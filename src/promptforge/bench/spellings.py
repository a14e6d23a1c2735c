"""What a text holds, in every usual spelling of it: for the last look before a text leaves. Pure.

A scorer asks whether an answer names a value, and may not be fooled by a look-alike. Here it is the other way about: a
value may not slip through because somebody wrote it differently. So this is broader than `identifiers.py`: a MAC is
found with any signs between its digits, an address also backwards or with dots spelled out, words without accents and
apostrophes, in an escaped text or in a URL.
"""

import ipaddress
import re
from collections.abc import Iterator
from decimal import Decimal

from promptforge.bench.disguises import BREAK, cased, readings, small, words_of

__all__ = [
    "Found",
    "Name",
    "addresses",
    "dates_in",
    "decimal",
    "entities",
    "joined",
    "macs",
    "mentioned",
    "numbers_in",
    "tokens",
]

Name = tuple[str, object]
"""A kind of spelling and what: ip, mac, eui64, run, words, glued, raw, exact, entity, number, decimal, amount, date."""
Found = tuple[Name, int, int]
"""A name, where it starts in what was read, and where it ends."""

_APOSTROPHE = re.compile(r"(?<=\w)['`](?=\w)")
_OUTSIDE = re.compile(rf"[^0-9a-z{BREAK}]+")


def tokens(text: str, *, apostrophes: bool = False) -> tuple[str, ...]:
    """Its words and numbers, without case, accents and what stands between them.

    >>> tokens("**Zoë's** tablet_2"), tokens("Zoë's tablet", apostrophes=True)
    (('zoes', 'tablet', '2'), ('zoe', 's', 'tablet'))
    """
    return tuple(words_of(_APOSTROPHE.sub(" " if apostrophes else "", small(cased(text)))))


def joined(text: str) -> str:
    """Its letters and digits alone.

    >>> joined("00-00:5E.00 53 21")
    '00005e005321'
    """
    return _OUTSIDE.sub("", small(cased(text)))


def mentioned(text: str) -> Iterator[Name]:
    """Addresses, entities and numbers as they are written in any reading of a text."""
    for one in readings(text):
        for found in (addresses, macs, entities, numbers_in):
            yield from (name for name, _, _ in found(one.bare))


# ---- Addresses -------------------------------------------------------------------------------------------------------

_DOT = r"(?:\s{0,2}(?:[._·•,-]|\\+\.?|[\[({<]\s?(?:\.|dot)\s?[\])}>]|dot)\s{0,2}|\s{1,2})"
_OCTET = r"(0x[0-9a-f]{1,2}|\d{1,4})"
_QUAD = re.compile(rf"(?<!\d)(?={_DOT.join([_OCTET] * 4)}(?!\d)(\.in-addr)?)")
_IPV6 = re.compile(
    r"(?<![0-9a-f:])(?=[0-9a-f]{0,4}:)(?:[0-9a-f:]{1,38}:\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|[0-9a-f:]{2,39})"
)
_REVERSED = re.compile(r"(?<![0-9a-f.])((?:[0-9a-f]\.){32})ip6\.arpa")
_LITERAL = re.compile(r"(?<![0-9a-f-])([0-9a-f-]{2,39})(?:s\w{1,16})?\.ipv6-literal")
_DOTTED = re.compile(r"(?<!\w)(?=(\w+\.\w+))")
_OCTETS = re.compile(rf"(?<![0-9a-f])(?={'[:. _-]'.join(['([0-9a-f]{1,2})'] * 6)}(?![0-9a-f]))")


def addresses(bare: str) -> Iterator[Found]:
    """IPv4 as four numbers, decimal, hexadecimal or octal, and backwards for a name server; IPv6; what EUI-64 holds.

    >>> [f"{name[1]:x}" for name, _, _ in addresses("at 192 dot 0 dot 2 dot 121, or 0xc0.0x0.0x2.0x79")][:1]
    ['c0000279']
    """
    for found in _QUAD.finditer(bare):
        parts = found.group(1, 2, 3, 4)
        if max(map(len, parts)) < 3 and _loose(bare, found):
            continue
        for octets in _octets(parts):
            yield ("ip", int.from_bytes(octets[::-1] if found[5] else octets, "big")), found.start(1), found.end(4)
    if ":" in bare:
        for found in _IPV6.finditer(bare):
            if "::" not in found[0] and found[0].count(":") < 6:
                continue
            yield from _version6(found[0], found.start())
    yield from _of_hosts(bare)


def _of_hosts(bare: str) -> Iterator[Found]:
    """IPv6 in a host's name: backwards for a name server, or with hyphens, as Windows writes it in a path."""
    for found in _REVERSED.finditer(bare) if ".ip6.arpa" in bare else ():
        digits = found[1].replace(".", "")[::-1]
        yield ("ip", int(digits, 16)), *found.span()
        yield ("eui64", int(digits[16:], 16)), *found.span()
    for found in _LITERAL.finditer(bare) if ".ipv6-literal" in bare else ():
        for name, _, _ in _version6(found[1].replace("-", ":"), 0):
            yield name, *found.span()


def _loose(bare: str, found: re.Match[str]) -> bool:
    """Whether only blanks or commas part two of four numbers: `1, 2, 3, 4` is no address."""
    gaps = {bare[found.end(n) : found.start(n + 1)] for n in (1, 2, 3)}
    return not all(gap.strip(", \t\n\r") for gap in gaps)


def _octets(parts: tuple[str, ...]) -> Iterator[bytes]:
    """As people read them, `192.000.002.121`; and as programs do, `0300.0.02.0171`."""
    written = f" {' '.join(parts)}"
    if "x" not in written:
        people = [int(part) for part in parts]
        if max(people) < 256:
            yield bytes(people)
        if " 0" not in written or not any(part[0] == "0" < part[1:] for part in parts):
            return
    try:
        programs = [int(part, 16 if "x" in part else 8 if part[0] == "0" else 10) for part in parts]
    except ValueError:
        return
    if max(programs) < 256:
        yield bytes(programs)


def _version6(written: str, start: int) -> Iterator[Found]:
    """An address; what stands behind its last colon may be a port. Its second half may be made from a MAC."""
    for text in (written, written.rstrip(":"), written.rpartition(":")[0]):
        try:
            address = ipaddress.IPv6Address(text)
        except ValueError:
            continue
        end = start + len(text)
        yield ("ip", int(address)), start, end
        if address.ipv4_mapped:
            yield ("ip", int(address.ipv4_mapped)), start, end
        yield ("eui64", int(address) & (2**64 - 1)), start, end


def macs(bare: str) -> Iterator[Found]:
    """Those with single digits, `0:0:5e:0:53:21`; the others are found by their digits alone."""
    for found in _OCTETS.finditer(bare):
        digits = ("%2s" * 6 % found.groups()).replace(" ", "0")
        yield ("mac", digits), found.start(1), found.end(6)


def entities(bare: str) -> Iterator[Found]:
    """Two words with a dot between them."""
    if "." in bare:
        yield from ((("entity", found[1]), *found.span(1)) for found in _DOTTED.finditer(bare))


# ---- Numbers and dates -----------------------------------------------------------------------------------------------

_CURRENCY = r"(?:[€$£¥]|eur|euros?|usd|dollars?|gbp|pounds?|chf|francs?)"
_NUMBER = re.compile(
    rf"(?:(?P<before>{_CURRENCY})\s?)?(?<![\d])"
    r"(?P<number>\d{1,3}(?:[ '\u202f]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*)"
    rf"(?P<after>\s?{_CURRENCY}(?![a-z]))?",
    re.IGNORECASE,
)


def numbers_in(text: str) -> Iterator[Found]:
    """`number` or `decimal` for every number as it may be meant; `amount`, too, where a currency stands beside it.

    >>> list(numbers_in("1.234,50 EUR"))
    [(('decimal', Decimal('1234.50')), 0, 8), (('amount', Decimal('1234.50')), 0, 8)]
    """
    for found in _NUMBER.finditer(text):
        start, end = found.span("number")
        for value in _meanings(found["number"]):
            yield ("number" if value.as_tuple().exponent == 0 else "decimal", value), start, end
            if found["before"] or found["after"]:
                yield ("amount", value), start, end


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


_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar mrz maer", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez"), 1
    )
    for name in names.split()
}
"""How a month begins, in English and in German, without accents."""
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4})(?!\d)")
_DAY_MONTH = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|\.)?(?:\s(?:of\s)?|[-/_]?){_MONTH}(?:,?\s|[-/_]?)(\d{{4}})(?!\d)"
)
_MONTH_DAY = re.compile(rf"(?<![a-z]){_MONTH}[\s/_-](\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s|[,/_-])(\d{{4}})(?!\d)")
_YEAR_MONTH = re.compile(rf"(?<!\d)([12]\d{{3}})(?:,?\s|[-/_]?){_MONTH}[\s/_-]?(\d{{1,2}})(?!\d)")
_TIGHT = re.compile(r"(?<!\d)(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")


def dates_in(bare: str, *, tight: bool = False) -> Iterator[Found]:
    """Every date as (year, month, day); of 1/5/2019 both that it may be. `tight`: also eight digits, which may be one.

    >>> list(dates_in("born on may 1, 2019"))
    [(('date', (2019, 5, 1)), 8, 19)]
    >>> list(dates_in("20190501")), list(dates_in("20190501", tight=True))
    ([], [(('date', (2019, 5, 1)), 0, 8)])
    """
    for pattern in (_YEAR_FIRST, _TIGHT) if tight else (_YEAR_FIRST,):
        for found in pattern.finditer(bare):
            yield ("date", (int(found[1]), int(found[2]), int(found[3]))), *found.span()
    for found in _YEAR_LAST.finditer(bare):
        yield ("date", (int(found[4]), int(found[3]), int(found[1]))), *found.span()
        yield ("date", (int(found[4]), int(found[1]), int(found[3]))), *found.span()
    for found in _DAY_MONTH.finditer(bare):
        yield ("date", (int(found[3]), _MONTHS[found[2]], int(found[1]))), *found.span()
    for found in _MONTH_DAY.finditer(bare):
        yield ("date", (int(found[3]), _MONTHS[found[1]], int(found[2]))), *found.span()
    for found in _YEAR_MONTH.finditer(bare):
        yield ("date", (int(found[1]), _MONTHS[found[2]], int(found[3]))), *found.span()
