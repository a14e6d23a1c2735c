"""Which of the numbers in a text are written as ports. Pure.

After "port", in the usual ways, lists included; right after a colon (`mini:1337`, `:1337`); beside tcp or udp; as the
whole answer; in a list or a table of ports. Any other number is only a number.
"""

import re
from collections.abc import Iterator, Sequence

__all__ = ["COUNTED", "asks_for_port", "is_bare", "ports_among"]

Number = tuple[int | float | str, int, int]
"""Value, start, end."""

_NEAR = 100
"""Characters before a number in which the word stands that makes it a port."""


def ports_among(text: str, numbers: Sequence[Number]) -> Iterator[tuple[int, int, int]]:
    """Those of the numbers of a text that are written as ports: value, start, end."""
    lowered = text.lower()
    spoken = "port" in lowered
    in_rows = dict.fromkeys(_in_rows(text, lowered, numbers) if spoken and "\n" in text else ())
    whole = _whole(text)
    until = -1
    """Where the last port ended that was named by a word, so that a list may go on from there."""
    plural = False
    for value, start, end in numbers:
        if not _possible(value):
            if until >= 0 and plural:
                for part in _unjoined(text, start, end):
                    yield part
                    until = part[2]
            elif spoken and (word := _word_before(text, start)) and word["many"]:
                for part in _unjoined(text, start, end):
                    yield part
                    until, plural = part[2], True
            continue
        word = _word_before(text, start) if spoken else None
        listed = until >= 0 and _BETWEEN.fullmatch(text[until:start]) and not COUNTED.match(text, end)
        if word and not _COUNT_OF.search(text[max(0, start - _NEAR) : start]):
            plural = bool(word["many"])
            parts = list(_unjoined(text, start, end)) if plural and _bare_list(text, start, end) else []
            yield from parts or [(int(value), start, end)]
            until = end
        elif listed:
            yield int(value), start, end
            until = end
        elif whole or (value, start, end) in in_rows or _after_colon(text, start, end) or _protocol(text, start, end):
            yield int(value), start, end


def _word_before(text: str, start: int) -> re.Match[str] | None:
    """The word that makes a port of the number that begins there."""
    before = text[max(0, start - _NEAR) : start]
    return _WORD.search(before) if "port" in before.lower() else None  # the search takes ten times as long


def is_bare(text: str) -> bool:
    """Whether a text is numbers and nothing else: ports where ports were asked for, else only numbers."""
    return _whole(text)


def asks_for_port(question: str) -> bool:
    """Whether a question is about a port, not about how many.

    >>> asks_for_port("Which port does the vault use?"), asks_for_port("How many ports are open?")
    (True, False)
    """
    return bool(_ASKED.search(_HOW_MANY.sub(" ", question)))


_ASKED = re.compile(r"\b(?:ports?|port-?nummern?|puertos?)\b", re.IGNORECASE)
_HOW_MANY = re.compile(
    r"\b(?:how many|number of|count of|count|wie ?viele|combien de)\s(?:[\w-]+\s){0,3}?ports\b", re.IGNORECASE
)


def _possible(value: int | float | str) -> bool:
    return isinstance(value, int) and 1 <= value <= 65535


# ---- Words -----------------------------------------------------------------------------------------------------------

_WORD = re.compile(
    r"""
    \b(?:[a-z]+_)*port(?P<many>s)?\b
    (?:
        (?:\s?(?:numbers?|no\.?|nr\.?|nummer|num[ée]ro|\#))?        # port number 1337
        [\s:=\#"'`*(\[{_>-]*(?:→\s*)?
        (?:(?:tcp|udp)[\s:/"'`*(]*)?
      | (?=[\s*`"')])
        (?:[^\d!?\n;.]|[.](?!\s+(?-i:[A-Z])|\s*$)){0,70}?                  # the port of the memory vault is 42069
        (?:\b(?:is|are|was|were|be|equals|ist|lautet|sind|est|sont|remains)\b|[:=→])
        (?:\s+(?:still|now|simply|just|also|actually|really|on|set\ to|tcp|udp|both|either))?
        [\s:"'`*(\[]*
    )$
    """,
    re.IGNORECASE | re.VERBOSE,
)
_COUNT_OF = re.compile(r"\b(?:number of|count of|how many)\s[^.!?]{0,30}\bports\b[^.!?\d]*$", re.IGNORECASE)
_BETWEEN = re.compile(
    r"""["'`*)\]]*\s*(?:/(?:tcp|udp))?\s*(?:\([^()\n]{0,40}\))?["'`*]*
    (?:\s*[,;/&+–—-]\s*|\s+)(?:(?:and|or|und|oder|et|ou|to|through|bis|not)\s+)?(?:(?:also|then|the|not)\s+)?["'`*(\[]*""",
    re.IGNORECASE | re.VERBOSE,
)
COUNTED = re.compile(
    r"\s*(?:%|°|(?:ms|s|secs?|seconds?|min|minutes?|hours?|days?|weeks?|months?|years?|times?|others?|more|further"
    r"|hosts?|devices?|services?|machines?|entries|rows?|lines?|people|rooms?|kb|mb|gb|tb|percent|degrees?"
    r"|euros?)\b)",
    re.IGNORECASE,
)
"""What follows a number that counts something: such a number is no port."""


def _bare_list(text: str, start: int, end: int) -> bool:
    """Whether `80,443` after "ports" is two ports: nothing else parts the list."""
    return bool(re.search("[, ]", text[start:end])) and not _BETWEEN_NEXT.match(text, end)


_BETWEEN_NEXT = re.compile(r"\s*(?:,\s|and\b|or\b|&|und\b|oder\b|et\b|ou\b)\s*[`*]*\d", re.IGNORECASE)


def _unjoined(text: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The numbers of `80,443`, which was read as one."""
    for digits in re.finditer(r"\d+", text[start:end]):
        if _possible(int(digits[0][:9])):
            yield int(digits[0]), start + digits.start(), start + digits.end()


# ---- Colons and protocols --------------------------------------------------------------------------------------------

_HOST = re.compile(r"([\w.\-]{1,253}\]?|\])[`*]*:$")
_ALONE = re.compile(r"(?:^|[\s(\[`*,;/>=|{])[`*]*:$")
_KEY = re.compile(r"[\"']([\w-]{1,60})[\"']:$")
_COUNTED_THINGS = """
    line lines step page id order chapter item version error code status count tokens max_tokens total number result
    answer score id http https day hour minute section figure table row column step note example case level rank
    priority age year size length width height timeout retries seed temperature sha256 md5
"""
_NO_HOST = frozenset(_COUNTED_THINGS.split())
_FILE = re.compile(
    r"\.(?:py|ya?ml|json|js|ts|md|txt|log|conf|cfg|ini|sh|html|css|csv|toml|rs|go|c|h|cpp|j2)$", re.IGNORECASE
)


def _after_colon(text: str, start: int, end: int) -> bool:
    if _MAPPED.match(text, end):
        return True
    if text[start - 1 : start] != ":" or (text[end : end + 1] == ":" and text[end + 1 : end + 2] != " "):
        return False
    before = text[max(0, start - 260) : start]
    if _ALONE.search(before):
        return True
    if key := _KEY.search(before):
        return key[1].lower().endswith(("port", "ports"))
    host = _HOST.search(before)
    if not host:
        return False
    name = host[1].rstrip(".").lower()
    if name.replace(".", "").isdigit():
        return name.count(".") == 3 or (name.isdigit() and len(name) + end - start >= 6) or len(name) >= 3
    return name not in _NO_HOST and not _FILE.search(name)


_MAPPED = re.compile(r":\d{3,5}(?![\w:.])|(?<=\d{3}):\d{2,5}(?![\w:.])")
"""What follows the first port of `8080:80`."""
_PROTOCOL_BEFORE = re.compile(r"\b(?:tcp|udp)(?:\s?[/:(-]\s?|\s)[`*(]*$", re.IGNORECASE)
_PROTOCOL_AFTER = re.compile(r"[`*]*(?:\s?/\s?|\s?\(\s?|\s)(?:tcp|udp)\b", re.IGNORECASE)


def _protocol(text: str, start: int, end: int) -> bool:
    return bool(_PROTOCOL_AFTER.match(text, end) or _PROTOCOL_BEFORE.search(text[max(0, start - 12) : start]))


# ---- The whole answer, lists and tables ------------------------------------------------------------------------------

_WHOLE = re.compile(
    r"[\s*`\"'(\[_>#-]*\d[\d,' ]*(?:(?:,|;|/|&|\sand|\sor|\n)\s*[*`-]*\s*\d[\d,' ]*){0,20}[\s*`\"')\]_.!]*"
)


def _whole(text: str) -> bool:
    return len(text) < 200 and bool(_WHOLE.fullmatch(text))


_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]+[`*\"'_]*")
_INTRO = re.compile(r"\bports?\b[^\n]{0,120}:[\s*_]*$")
_HEADER = re.compile(r"[\s*_`]*(?:tcp |udp )?ports?(?: number)?s?[\s*_`]*", re.IGNORECASE)


def _in_rows(text: str, lowered: str, numbers: Sequence[Number]) -> Iterator[Number]:
    """Numbers that start an item of a list of ports, or stand in the column of ports of a table."""
    starts = {start: (value, start, end) for value, start, end in numbers}
    offset, listing, column = 0, False, -1
    for line in text.split("\n"):
        item = _ITEM.match(line)
        if listing and item:
            if (at := offset + item.end()) in starts:
                yield starts[at]
        elif line.strip():
            listing = bool(_INTRO.search(lowered[offset : offset + len(line)]))
        if "|" in line:
            cells = line.split("|")
            named = next((n for n, cell in enumerate(cells) if _HEADER.fullmatch(cell)), -1)
            if named < 0 <= column < len(cells):
                left = offset + sum(len(cell) + 1 for cell in cells[:column])
                yield from (n for n in numbers if left <= n[1] < left + len(cells[column]))
            column = named if named >= 0 else column
        elif line.strip():
            column = -1
        offset += len(line) + 1
