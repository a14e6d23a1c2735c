"""What tells of a fact: its values, each with the spellings that would give it away. Pure."""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from promptforge.bench.disguises import cased, small
from promptforge.bench.spellings import Name, dates_in, decimal, joined, mentioned, tokens
from promptforge.bench.values import DOMAINS, identity
from promptforge.model import Fact, Table, written

__all__ = ["Value", "names_of", "values_of"]

_BOOKKEEPING = frozenset(["verified", "sensitivity", "tags"])
_DUMB = frozenset(["yes", "no", "true", "false", "off", "none", "unknown", "never", "always", "daily", "weekly"])
"""Words that tell nothing of a fact, even where only one fact says them."""
_TIME = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_SHORT_TEXT = re.compile(r"[\w\s()+./:-]{8,40}")
_PROPER = re.compile(r"[^\W\d_a-z][^\W\d_]{3,}(?:'[^\W\d_]{2,})?|[^\W\d_]'[^\W\d_]{3,}")
_NAME_WORDS = 4
"""A value of more words is a sentence, not a name."""
_HEX = re.compile("[0-9a-f]+")
_POSSESSIVE = re.compile(r"(?<=\w)'s(?!\w)")
_GLUED = 8
"""So many letters and digits tell a name even where its words are parted otherwise."""
_QUOTED, _QUOTED_STRICT = (5, 3), (4, 1)
"""A quotation of a longer text: so many words in a row, and how many of them have four letters or more."""


class Value(NamedTuple):
    """A value of a fact."""

    text: str
    form: str
    """The kind of its column."""
    key: bool
    """Whether it is the fact's own name, not another fact's."""
    own: bool
    """Whether no other fact of the table has it in this column."""

    @property
    def tells(self) -> bool:
        """Whether it tells of its fact: a name, an identifier, or words that are its own."""
        return _tells(self, strict=False)


def values_of(fact: Fact, table: Table) -> Iterator[Value]:
    """The values of a fact, those in lists and mappings one by one."""
    counts = _counts(table)
    for column, value in fact.values.items():
        form = table.kind(column)
        if column in _BOOKKEEPING or form in ("level", "tags"):
            continue
        key = column in table.key and not (column in table.columns and table.columns[column].ref)
        for text in _leaves(value):
            yield Value(text, form, key, counts[column, text] < 2)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None and not isinstance(value, bool) and (text := written(value).strip()):
        yield text


@lru_cache(maxsize=256)
def _counts(table: Table) -> Counter[tuple[str, str]]:
    return Counter(
        (column, text) for fact in table.facts for column, value in fact.values.items() for text in _leaves(value)
    )


# ---- What tells ------------------------------------------------------------------------------------------------------


def _tells(value: Value, *, strict: bool) -> bool:
    text, known = value.text, identity(value.text, value.form)
    if known is not None and known[0] != "number":
        return True
    if (number := decimal(text)) is not None:
        digits = sum(char.isdigit() for char in text)
        return digits >= 4 or (digits >= 3 and number.as_tuple().exponent != 0) or (strict and value.own and digits > 1)
    if _TIME.fullmatch(text):
        return strict and value.own
    words = tokens(text)
    if len(words) > 1:
        proper = all(word[:1].isupper() for word in text.split())
        return len(text) >= (6 if value.key or proper else 10) or sum(char.isdigit() for char in text) >= 4
    return bool(words) and _word_tells(value, words[0], strict)


def _word_tells(value: Value, word: str, strict: bool) -> bool:
    if value.key and len(word) >= 3:
        return True
    digits = sum(char.isdigit() for char in word)
    if (digits >= 4 and digits == len(word)) or (digits >= 2 and len(word) >= 6):
        return True
    return strict and value.own and len(word) >= 3 and word not in _DUMB


# ---- How it may be spelled -------------------------------------------------------------------------------------------


def names_of(value: Value, *, strict: bool) -> Sequence[Name]:
    """The spellings that give a value away, its usual one first; none for one that tells nothing."""
    if not _tells(value, strict=strict):
        return ()
    known = identity(value.text, value.form)
    if known is not None and known[0] == "mac" and not _HEX.fullmatch(str(known[1])):
        known = None  # twelve letters that stand where a MAC should
    if known is not None and known[0] in ("mac", "ip", "network", "entity"):
        return tuple(_of_identifier(*known))
    day = next(dates_in(small(cased(value.text))), None)
    if day is not None and len(value.text) <= 18:
        name, start, end = day
        beside = any(map(str.isalpha, value.text[:start] + value.text[end:]))
        return (name, *(_of_words(value, strict) if beside else ()))
    number = decimal(value.text)
    names = list(_of_number(number, strict) if number is not None else _of_words(value, strict))
    if number is not None and known is None:
        names += _of_words(value, strict)
    return tuple(dict.fromkeys(names))


def _of_identifier(kind: str, name: object) -> Iterator[Name]:
    text = str(name)
    if kind == "mac":
        if text.strip("0f"):
            yield "mac", text
            yield "run", text
            first, second = int(text[:6], 16) ^ 0x020000, int(text[6:], 16)
            yield "eui64", first << 40 | 0xFFFE << 24 | second
    elif kind == "entity":
        yield "entity", text
        parts = tokens(text)
        if len(parts) > 2:
            yield "words", parts
            yield "raw", text.partition(".")[2]
    else:
        address = ipaddress.ip_address(text.partition("/")[0])
        if not (address.is_loopback or address.is_unspecified or address.is_multicast):
            yield "ip", int(address)
            if address.version == 4:
                yield "number", Decimal(int(address))
                yield from (("words", (f"{sign}{int(address):08x}",)) for sign in ("0x", ""))


def _of_number(number: Decimal, strict: bool) -> Iterator[Name]:
    """54.00 is no secret as 54, unless a currency stands beside it."""
    whole = number == number.to_integral_value()
    if whole and (number >= 1000 or (strict and number.as_tuple().exponent == 0)):
        yield "number", number
    yield "decimal", number
    yield "amount", number
    if whole and number >= 10_000_000:
        yield "run", str(int(number))  # 7781-2290


def _of_words(value: Value, strict: bool) -> Iterator[Name]:
    text = value.text
    words = tokens(text)
    if len(words) == 1 and len(words[0]) == 3 and value.key and not strict:
        yield from (("exact", one) for one in (text, text.upper()))  # `Pip`, but not `pip install`
        return
    umlauts = text.lower().translate({ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue"})
    spelled = (words, tokens(text, apostrophes=True), tokens(umlauts))
    yield from map(_several, spelled)
    owned = _POSSESSIVE.sub("", small(cased(text)))
    if len(whose := tokens(owned)) > 1:
        yield _several(whose)  # a host is called pip-tablet
    run = joined(text)
    if _SHORT_TEXT.fullmatch(text) and len(run) >= 8 and sum(char.isdigit() for char in run) >= 6:
        yield "run", run
    yield from _inside(text)
    if strict and 2 <= len(words) <= _NAME_WORDS:
        parts = (word for word in _PROPER.findall(text) if word.lower() not in _DUMB)
        yield from (("words", tokens(word)) for word in parts)  # a first name, a surname
    yield from (("words", part) for one in spelled[:2] for part in _quotations(one, strict))


def _several(words: tuple[str, ...]) -> Name:
    """Several words, wherever they are parted: `hayfever tablet`, `long-act-ing insulin`; a host that is called so."""
    run = "".join(words)
    return ("glued", run) if len(words) > 1 and len(run) >= _GLUED and not run.isdecimal() else ("words", words)


def _inside(text: str) -> Iterator[Name]:
    """Addresses and long numbers that a text mentions."""
    for kind, what in mentioned(text):
        telling = kind in ("ip", "mac") or (kind == "number" and isinstance(what, Decimal) and what >= 10_000)
        if telling or (kind == "entity" and str(what).partition(".")[0] in DOMAINS):
            yield kind, what
            if kind == "mac":
                yield "run", what


def _quotations(words: tuple[str, ...], strict: bool) -> Iterator[tuple[str, ...]]:
    length, telling = _QUOTED_STRICT if strict else _QUOTED
    for at in range(len(words) - length + 1 if len(words) > length else 0):
        part = words[at : at + length]
        if sum(len(word) > 3 and word.isalpha() for word in part) >= telling:
            yield part
