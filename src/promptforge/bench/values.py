"""Whether a text names a value: identifiers by what they name, other values as whole words. Pure.

A suite says `42069`; a model writes "port 42,069", "`:42069`" or "42069/tcp". A suite says `LEET`; a model that writes
"LEET+1" has not said it.
"""

import ipaddress
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import lru_cache

from promptforge.bench.identifiers import DOMAINS, Found, digits, identifiers
from promptforge.bench.reading import folded, plain, strip_reasoning
from promptforge.model import canonical

__all__ = [
    "DOMAINS",
    "Found",
    "equal",
    "identifiers",
    "identity",
    "in_tailnet",
    "literal",
    "mentions",
    "places",
    "strip_reasoning",
    "times",
]

_KINDS = {"port": "number", "mac": "mac", "ip": "ip", "tailscale": "ip", "network": "network", "entity": "entity"}
"""The kind of a column, and the kind of identifier that its values are found as."""
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,299})(?:\.\d{1,300})?")
_BARE_MAC = re.compile(r"(?<!\w)[0-9]{12}(?!\w)")


@lru_cache(maxsize=8192)
def identity(value: str, form: str = "") -> tuple[str, int | float | str] | None:
    """The kind of identifier that a value is and what it names; None for a value that is only words.

    >>> identity("1337"), identity("00-00-5E-00-53-21", "mac"), identity("Memory Vault", "text")
    (('number', 1337), ('mac', '00005e005321'), None)
    """
    usual = plain(value).strip()
    if _PLAIN_NUMBER.fullmatch(usual) and form not in ("mac", "date"):
        number = canonical(usual)
        return ("number", number) if isinstance(number, (int, float)) else None
    if form == "mac":
        made = canonical(usual, "mac")
        return ("mac", made) if isinstance(made, str) and len(made) == 12 else None
    wanted = _KINDS.get(form, "")
    if form == "entity":
        return ("entity", usual.lower())
    for one in identifiers(usual):
        whole = one.start == 0 and one.end == len(usual)
        if whole and one.kind != "port" and wanted in ("", one.kind):
            return (one.kind, one.value)
    return None


_TAILNET = (ipaddress.ip_network("100.64.0.0/10"), ipaddress.ip_network("fd7a:115c:a1e0::/48"))


@lru_cache(maxsize=1024)
def in_tailnet(address: str) -> bool:
    """Whether an address is one that Tailscale gives.

    >>> in_tailnet("100.64.0.10"), in_tailnet("192.0.2.10")
    (True, False)
    """
    return any(ipaddress.ip_address(address) in network for network in _TAILNET)


def mentions(
    text: str, value: str, form: str = "", besides: Iterable[str] = (), names: Container[str] = frozenset()
) -> bool:
    """Whether a text names a value; `form` is the kind of the column that it comes from.

    Not where the value is only a part of one of `besides`: longer names of the same kind ("Bucket" in "Bucket Lid").
    Nor where a hyphen joins it to a part with a digit, or to what makes one of `names`, folded, of it.

    >>> mentions("It is Nice. on port 42,069.", "Nice."), mentions("LEET+1 is up", "LEET"), mentions("windows", "windu")
    (True, False, False)
    >>> mentions("a hub-led house", "hub"), mentions("ask hub-2", "hub"), mentions("hub-nas", "hub", names=["hub-nas"])
    (True, False, False)
    """
    known = identity(value, form)
    if known is None:
        found = _places_of_time(text, value) if _is_time(value) else _places_of_words(text, value, besides, names)
        return next(found, None) is not None
    return next(_places_of_identifier(text, known), None) is not None


def places(
    text: str, value: str, form: str = "", besides: Iterable[str] = (), names: Container[str] = frozenset()
) -> Iterator[int]:
    """Where a text names a value: offsets that can be compared for one value with those for another."""
    known = identity(value, form)
    if known is None:
        yield from _places_of_time(text, value) if _is_time(value) else _places_of_words(text, value, besides, names)
        return
    same = len(folded(text)) == len(text)
    for at in _places_of_identifier(text, known):
        yield at if same else len(folded(text[:at]))


def _places_of_words(text: str, value: str, besides: Iterable[str], names: Container[str]) -> Iterator[int]:
    """Offsets in the folded text."""
    usual = folded(text)
    for start, end in _as_words(usual, folded(value).strip(), besides):
        if not _joined_to_another(usual, start, end, names):
            yield start


def _places_of_identifier(text: str, known: tuple[str, int | float | str]) -> Iterator[int]:
    """Offsets in the text."""
    kind, name = known
    for one in identifiers(text, _domains_with(str(name))) if kind == "entity" else digits(text):
        if one.kind == kind and one.value == name:
            yield one.start
    if kind == "mac" and str(name).isdigit():
        yield from (bare.start() for bare in _BARE_MAC.finditer(plain(text)) if bare[0] == name)


@lru_cache(maxsize=1024)
def _domains_with(name: str) -> frozenset[str]:
    return DOMAINS | {name.partition(".")[0]}


# ---- Times of day ----------------------------------------------------------------------------------------------------

_TIME = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d|24:00")
_CLOCK = re.compile(
    r"""
    (?=\d)(?<![\w:.+])(?:(?<!,)|(?<=\D,)|(?=\d\d?[:h]))     # `6am,8pm`, but not `7,15 uhr`
    (?:(?<!/)|(?<=:[0-5]\d/)|(?<=h[0-5]\d/)|(?<=[ap]m/)|(?<=\.m\./)|(?<=uhr/))    # a list, and no path
    (?P<hour>[01]?\d|2[0-4])
    (?: (?P<colon>:) (?P<minute>[0-5]\d) (?P<second>:[0-5]\d)? (?!\d|[\w:.]\d|:\w)
      | [.h] (?P<short>[0-5]\d) (?= [ ]?(?:[ap]\.?m\b|uhr\b|o'clock|in[ ]the[ ]) | (?<=h\d\d)(?!\w) )
      | (?= [ ]?[ap]\.?m\b | [ ](?:o'clock|uhr)\b | [ ]in[ ]the[ ](?:morning|afternoon|evening) | [ ]at[ ]night )
    )
    (?: [ ]?(?P<half>[ap])\.?m\b
      | (?:[ ](?:o'clock|uhr|hours))?[ ](?:in[ ]the[ ](?P<part>morning|afternoon|evening)|at[ ](?P<night>night)) )?
    """,
    re.VERBOSE,
)


def _is_time(value: str) -> bool:
    return _TIME.fullmatch(value.strip()) is not None


def times(text: str) -> tuple[str, ...]:
    """The times of day in a text, each as `HH:MM`. Without "pm" and its kin an hour is one of twenty-four.

    >>> times("7:15, or 8 pm"), times("06:00/07:15, 12 at night"), times("52:15 min, 20.00 EUR, mini:1337")
    (('07:15', '20:00'), ('06:00', '07:15', '00:00'), ())
    """
    return tuple(time for _, time in _times(folded(text)))


def _times(text: str) -> Iterator[tuple[int, str]]:
    """Each with its offset in the folded text."""
    for found in _CLOCK.finditer(text) if any(char.isdigit() for char in text) else ():
        hour, minute = int(found["hour"]), found["minute"] or found["short"] or "00"
        late = found["half"] == "p" or found["part"] in ("afternoon", "evening")
        late = late or (found["night"] is not None and _LATE <= hour < _NOON)
        early = found["half"] == "a" or found["part"] == "morning" or found["night"] is not None
        if late and hour < _NOON:
            hour += _NOON
        elif (early and not late and hour == _NOON) or (hour == _DAY and minute == "00" and not found["half"]):
            hour = 0
        if hour < _DAY:
            yield found.start(), f"{hour:02}:{minute}"


_LATE, _NOON, _DAY = 6, 12, 24
"""From six on, "at night" is the evening of the day; before and at twelve, it is the small hours. 24:00 is 00:00."""


def _places_of_time(text: str, value: str) -> Iterator[int]:
    """Offsets in the folded text."""
    wanted = times(value)
    yield from (at for at, time in _times(folded(text)) if time in wanted)


# ---- Words -----------------------------------------------------------------------------------------------------------

_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts that put no space between words: their letters end no word and begin none."""
_UNSPACED_RANGES = tuple(part.split("-") for part in re.findall(".-.", _UNSPACED))
_LETTER = rf"[^\W{_UNSPACED}]"
"""A letter of a word. A pattern with it takes milliseconds to compile: so most values are looked for without one."""
_PARTS = re.compile(r"\w+|[^\w\s]")
_GAP = r"""(?:[\s*`"'_-]|\\)+"""
_SIGN_AFTER = r"[+\#]\d|\+\+|'(?!s(?!\w))\w"
_AFTER = rf"(?!{_LETTER}|{_SIGN_AFTER})"


def _as_words(text: str, value: str, besides: Iterable[str]) -> Iterator[tuple[int, int]]:
    longer: list[tuple[int, int]] | None = None
    for start, end in _spans(text, value):
        if longer is None:
            longer = [span for other in besides for span in _spans(text, folded(other).strip())]
        if not any(a <= start and end <= b and b - a > end - start for a, b in longer):
            yield start, end


_BEFORE = re.compile(r"(?:(?<!\w)\w{1,40}-){1,4}$")
_BEHIND = re.compile(r"(?:-\w{1,40}(?!\w)){1,4}")
_FAR = 200
"""Characters before a value in which what is joined to it stands."""


def _joined_to_another(text: str, start: int, end: int, names: Container[str]) -> bool:
    """Whether hyphens make another name of a value: `hub-2`, and `attic-nas` where there is one, but not `hub-led`."""
    before = _BEFORE.search(text, max(0, start - _FAR), start) if text[start - 1 : start] == "-" else None
    behind = _BEHIND.match(text, end) if text[end : end + 1] == "-" else None
    if before is None and behind is None:
        return False
    left, right = (found[0] if found else "" for found in (before, behind))
    if any(char.isdigit() for char in left + right):
        return True
    starts = [len(left) - len(part) for part in _tails(left)]
    ends = [len(left) + end - start + at for at in (*(m.start() for m in re.finditer("-", right)), len(right))]
    whole = left + text[start:end] + right
    return any(whole[a:b] in names for a in starts for b in ends if b - a > end - start)


def _tails(left: str) -> Iterator[str]:
    """`a-b-` is joined as such, as `b-`, or not at all."""
    yield left
    while left:
        left = left.partition("-")[2]
        yield left


_NO_SIGN_AFTER = re.compile(rf"(?!{_SIGN_AFTER})")
_BETWEEN = re.compile(_GAP)


def _spans(text: str, value: str) -> Iterator[tuple[int, int]]:
    """Where a folded value stands in a folded text: as whole words, however it is spaced, quoted or stressed.

    A full stop at its end may be missing where the value stands in quotes or has several words, but not in `Nice try`.
    Finds what `_pattern(value)` does, for most values without compiling it: after a gap, no sign of which begins a
    word, there is one place alone where the next word can stand.
    """
    stem = _stem(value)
    words = _words(stem)
    if not value or not all(word in text for word in words):
        return
    stopped = stem != value
    if not words or (stopped and len(words) == 1) or any(word[0] in "*`\"'_\\" for word in words):
        yield from (match.span() for match in _pattern(value).finditer(text))
        return
    before, after = _is_letter(stem[0]), stopped or _is_letter(stem[-1])
    start = text.find(words[0])
    while start >= 0:
        end = _end(text, start, words)
        whole = end and not (before and start and _is_letter(text[start - 1]))
        if whole and not (after and _goes_on(text, end)):
            yield start, end
            start = text.find(words[0], end)
        else:
            start = text.find(words[0], start + 1)


def _is_letter(char: str) -> bool:
    """What `_LETTER` matches."""
    return (char.isalnum() or char == "_") and not any(first <= char <= last for first, last in _UNSPACED_RANGES)


def _goes_on(text: str, end: int) -> bool:
    """Whether what stands there is more of the same word: what `_AFTER` refuses."""
    return end < len(text) and (_is_letter(text[end]) or not _NO_SIGN_AFTER.match(text, end))


def _end(text: str, start: int, words: Sequence[str]) -> int:
    """Where the last of the words ends, of which the first begins at `start`; 0 where another does not follow."""
    end = start + len(words[0])
    for word in words[1:]:
        gap = _BETWEEN.match(text, end)
        if gap is None or not text.startswith(word, gap.end()):
            return 0
        end = gap.end() + len(word)
    return end


@lru_cache(maxsize=8192)
def _pattern(value: str) -> re.Pattern[str]:
    """Says where a value stands: what `_spans` does with the same rules, and the only way for the rarer values."""
    stem = _stem(value)
    words = _words(stem)
    body = _GAP.join(_joined(word) for word in words) or re.escape(stem)
    before = rf"(?<!{_LETTER})" if re.match(_LETTER, stem) else ""
    if stem == value:
        return re.compile(before + body + (_AFTER if re.search(_LETTER + r"\Z", stem) else ""))
    if len(words) > 1:
        return re.compile(before + body + _AFTER)
    quoted = rf"(?<=[\"'*`]){body}(?=[\"'*`])|\A\s*{body}\s*\Z"
    return re.compile(rf"{before}{body}[*`\"']*{re.escape(value[len(stem) :])}(?!{_LETTER})|{quoted}")


def _stem(value: str) -> str:
    return value.rstrip(".") or value


def _words(stem: str) -> list[str]:
    return [word for word in re.split(r"[\s-]+", stem) if word]


def _joined(word: str) -> str:
    """The letters and signs of one word; an apostrophe may be left out of none, and markup may stand between none."""
    return "".join(re.escape(part) for part in _PARTS.findall(word))


# ---- Patterns --------------------------------------------------------------------------------------------------------

_FORBIDDEN = re.compile(r"\(\?<?!(?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)", re.DOTALL)
_SIGNS = re.compile(
    r"""
    \\(?P<escaped>.)
  | \[\^?(?:\\?(?P<alone>[^\]\\\w])\]|\]?(?:\\.|[^\]\\])*\])     # a class: [.] is a full stop
  | (?P<nothing>\{\d*,?\d*\}|[*+?])
  | (?P<space>\((?:\?(?:P?<\w+>|[a-zA-Z-]*[:)]|<?=|[>|]))?|[|)^$]|\.(?=[*+?{]))
    """,
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=1024)
def literal(pattern: str) -> str:
    r"""What a regular expression says in so many words; what it must not find is left out.

    >>> literal(r"port:?\s*8123(?!.*1337)"), literal(r"192\.0\.2\.10")
    ('port: 8123 ', '192.0.2.10')
    """
    return _SIGNS.sub(_as_said, _FORBIDDEN.sub(" ", pattern))


def _as_said(sign: re.Match[str]) -> str:
    if sign["nothing"]:
        return ""
    one = sign["escaped"] or sign["alone"] or " "
    return " " if one.isalnum() else one


# ---- The whole answer ------------------------------------------------------------------------------------------------

_AROUND = " \t\r\n*`\"'_#>()[]"


def equal(text: str, value: str, form: str = "") -> bool:
    """Whether a text is a value and nothing else, but for markup, quotes and a full stop.

    >>> equal("**1,337**.", "1337"), equal("Port 1337", "1337"), equal("nice", "Nice.")
    (True, False, True)
    """
    if (known := identity(value, form)) is not None:
        bare = text.strip(_AROUND + ".!")
        return any((f.kind, f.value) == known and f.end - f.start == len(bare) for f in identifiers(bare))
    if _is_time(value):
        found = _CLOCK.fullmatch(_bare(text))
        return found is not None and times(found[0]) == times(value)
    return _bare(text) == _bare(value)


def _bare(text: str) -> str:
    return re.sub(r"\s+", " ", folded(text).strip(_AROUND).rstrip(".!").strip(_AROUND))
