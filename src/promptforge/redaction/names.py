"""The names of a house, and what stands for each: also in prose, in any case, with blanks, hyphens or underscores.

A replacement is one word of letters and digits, so that it can stand wherever a name can: as a key, in a host name, in
an entity's id, behind a dot in a template. Its number tells it from all others; the word before it says what it was.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import NamedTuple

from promptforge.redaction.key import Key

__all__ = ["Hit", "Name", "Names", "identity"]


class Name(NamedTuple):
    """A name as one column writes it."""

    kind: str
    """host, site, person, device, entity, codename, alias, user, name."""
    value: str
    column: str
    """`hosts.name`: two names of one column never get the same replacement."""


class Hit(NamedTuple):
    """A name in a text."""

    start: int
    end: int
    new: str
    kind: str
    value: str
    """The name as it is in the facts."""


_BETWEEN = re.compile(r"[\s_-]+")
_TOKEN = re.compile(r"[^\W_]+")
_YAML_WORDS = frozenset(["true", "false", "null", "none", "yes", "no", "on", "off", "y", "n"])
_PRODUCT = re.compile(r"\bHome[ -]?Assistant\b|\bRaspberry Pi\b|\bMac mini\b", re.IGNORECASE)
"""Words that name a product, and as often a site or a host: together they are the product's."""
_MANY = 450
"""Names that three digits are enough for."""
_KINDS = ("person", "host", "site", "entity", "device", "codename", "alias", "user", "name")
"""Of a word that names several things the first of these is said."""


def identity(value: str) -> str:
    """What two spellings of one name have in common.

    >>> identity("Kitchen Sonos") == identity("kitchen_sonos")
    True
    """
    return _BETWEEN.sub(" ", unicodedata.normalize("NFC", value).casefold()).strip()


class _Candidate(NamedTuple):
    spelled: str
    tail: str
    """An s that follows."""
    number: str
    """The replacement in small letters."""
    kind: str
    value: str


class Names:
    """What stands for each name. `reserved` are words of the format: as a single word they are left where they are."""

    def __init__(self, key: Key, names: Iterable[Name], reserved: frozenset[str]) -> None:
        self.reserved = reserved
        self._names = tuple(dict.fromkeys(name for name in names if name.value.strip()))
        self._bare: dict[str, str] = {}
        """Identity to its replacement in small letters."""
        self._kinds: dict[str, str] = {}
        for kind in reversed(_KINDS):
            self._kinds.update((identity(name.value), kind) for name in self._names if name.kind == kind)
        self._of_entities = {identity(name.value) for name in self._names if name.kind == "entity"}
        self._key = key
        self._taken: set[int] = set()
        self._bare.update((name, self._label(name)) for name in key.ordered("name", self._kinds))
        self.exact: Mapping[str, str] = self._exact()
        """A whole value to what stands for it."""

    def _label(self, name: str) -> str:
        """What is said for a name: what it was, and a number that no other name has."""
        kind = self._kinds.get(identity(name), "name")
        size = 900 if len(self._kinds) <= _MANY else 90_000 if len(self._kinds) <= 45_000 else 9_000_000
        for place in self._key.places("name", name, size):
            number = str(size // 9 + place)
            if (
                identity(name) in self._of_entities
            ):  # with a digit more no two differ in one alone: the copy gets no near twins (PF331)
                number += str(-sum(map(int, number)) % 10)
            label = kind + number
            if place not in self._taken and label not in self._kinds:
                self._taken.add(place)
                return label
        raise AssertionError("there are more numbers than names")

    def _exact(self) -> dict[str, str]:
        made: dict[str, str] = {}
        seen: dict[tuple[str, str], str] = {}
        for name in sorted(self._names):
            if name.value not in made:
                made[name.value] = _cased(self._bare[identity(name.value)], name.value)
            if seen.setdefault((name.column, made[name.value]), name.value) != name.value:
                # `a b` and `a_b` in one column: two things, so two names.
                made[name.value] = self._label(name.value)
                seen[name.column, made[name.value]] = name.value
        return made

    @property
    def held(self) -> tuple[str, ...]:
        """Names that are words of the format, too: in the place of one they cannot be told from it."""
        return tuple(sorted({n.value for n in self._names if n.value in self.reserved and _can_be_told(n.value)}))

    @property
    def untold(self) -> tuple[str, ...]:
        """Names such as `7`: replaced where they are a fact's value, for in prose they say anything."""
        return tuple(sorted({name.value for name in self._names if not _can_be_told(name.value)}))

    @property
    def told(self) -> tuple[Name, ...]:
        """Those that are found in prose."""
        return tuple(name for name in self._names if _can_be_told(name.value))

    def kind_of(self, value: str) -> str:
        """What a name names."""
        return self._kinds.get(identity(value), "name")

    def is_format(self, dotted: str) -> bool:
        """Whether it is a column behind a table or a reference: `host.site`."""
        return all(part in self.reserved for part in dotted.split("."))

    def known(self, text: str) -> str:
        """What stands for a text that is one name as a whole, however it is spelled; empty where it is none."""
        bare = self._bare.get(identity(text), "")
        return self.exact.get(text) or (_cased(bare, text) if _can_be_told(text) else "")

    # ---- Prose ----

    @cached_property
    def _by_words(self) -> Mapping[tuple[str, ...], list[_Candidate]]:
        """Of thousands of names that begin with the same word few have the same words."""
        found: dict[tuple[str, ...], list[_Candidate]] = {}
        for value, kind in {(n.value, self._kinds[identity(n.value)]) for n in self._names if _can_be_told(n.value)}:
            for words, candidate in self._candidates(value, kind):
                found.setdefault(words, []).append(candidate)
        for candidates in found.values():
            candidates.sort(key=lambda one: (-len(one.value), one.value != one.value.lower(), one.value))
        return found

    @cached_property
    def _lengths(self) -> Mapping[str, list[int]]:
        """A first word to how many words the names have that begin with it, the longest first."""
        found: dict[str, set[int]] = {}
        for words in self._by_words:
            found.setdefault(words[0], set()).add(len(words))
        return {word: sorted(lengths, reverse=True) for word, lengths in found.items()}

    def _candidates(self, value: str, kind: str) -> Iterator[tuple[tuple[str, ...], _Candidate]]:
        number = self._bare[identity(value)]
        for spelled in _spellings(value):
            *first, last = _TOKEN.findall(spelled.casefold())
            for tail in ("", "s") if kind == "person" and not first and len(value) > 2 else ("",):
                yield (*first, last + tail), _Candidate(spelled, tail, number, kind, value)
            joined = "".join([*first, last])
            if first and len(joined) >= _JOINED and joined not in self.reserved:  # benchpi is bench-pi
                yield (joined,), _Candidate(joined, "", number, kind, value)

    def find(self, text: str, start: int = 0, end: int | None = None, *, whole: bool = False) -> Iterator[Hit]:
        """The names in a part of a text, in order, the longest first. With `whole` a word of the format is none."""
        at, end = start, len(text) if end is None else end
        products = [match.span() for match in _PRODUCT.finditer(text, start, end)]
        while token := _TOKEN.search(text, at, end):
            at = token.end()
            for one in self._that_may_begin(text, token, end):
                match = _compiled(one.spelled, one.tail).match(text, token.start(), end)
                if not match or any(first <= match.start() and match.end() <= last for first, last in products):
                    continue
                if not self._is_format(text, match, whole=whole):
                    hit = self._hit(one, match, end)
                    yield hit
                    at = max(hit.end, at)
                    break
            else:
                if joined := self._joined(text, token, end):
                    yield joined
                    at = joined.end

    def _joined(self, text: str, token: re.Match[str], end: int) -> Hit | None:
        """`bench-pi` where `benchpi` is a name."""
        behind = _HYPHENED.match(text, token.end(), end)
        if not behind:
            return None
        joined = (token[0] + behind[1]).casefold()
        if len(joined) < _JOINED or joined in self.reserved:
            return None
        one = next((one for one in self._by_words.get((joined,), ()) if not one.tail), None)
        written = text[token.start() : behind.end()]
        return one and Hit(token.start(), behind.end(), _cased(one.number, written), one.kind, one.value)

    def _that_may_begin(self, text: str, token: re.Match[str], end: int) -> Iterator[_Candidate]:
        lengths = self._lengths.get(token[0].casefold())
        if not lengths:
            return
        words, at = [token[0].casefold()], token.end()
        while len(words) < lengths[0] and (after := _TOKEN.search(text, at, end)):
            words.append(after[0].casefold())
            at = after.end()
        for length in lengths:
            yield from self._by_words.get(tuple(words[:length]), ()) if length <= len(words) else ()

    def _is_format(self, text: str, match: re.Match[str], *, whole: bool) -> bool:
        start, end = match.span()
        joins = "_-" if whole else "_"
        while start and (text[start - 1].isalnum() or text[start - 1] in joins):
            start -= 1
        while end < len(text) and (text[end].isalnum() or text[end] in joins):
            end += 1
        return text[start:end] in self.reserved and (whole or (start, end) != match.span())

    def _hit(self, one: _Candidate, match: re.Match[str], end: int) -> Hit:
        bare = match[0][:-1] if one.tail else match[0]
        new = (self.exact.get(bare) or _cased(one.number, bare)) + one.tail
        breaks = "".join(gap for gap in _GAP.findall(bare) if "\n" in gap)
        after = _AFTER.match(match.string, match.end(), end) if breaks else None
        if not after or after.end() == end or after[2]:
            return Hit(match.start(), match.end(), new, one.kind, one.value)
        # The name went over the end of a line: the line ends behind what stands for it.
        return Hit(match.start(), after.end(), new + after[1] + breaks, one.kind, one.value)


_HYPHENED = re.compile(r"[-_]([^\W_]+)")
_JOINED = 6
"""Letters from which on a name is also one without its hyphen: shorter ones are soon words."""
_GAP = re.compile(r"\s+(?:#\s+)?")
_AFTER = re.compile(r"((?:['’]s)?[.,;:!?)]*)[ \t]*(\r?\n)?")


def _can_be_told(value: str) -> bool:
    words = _TOKEN.findall(value)
    letters = sum(sign.isalpha() for sign in value)
    is_code = "{{" in value or "{%" in value  # in a text it is an expression, and not a name
    return bool(words) and letters > 1 and not is_code and value.casefold() not in _YAML_WORDS


_WRITTEN_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ø": "oe"})


def _spellings(value: str) -> list[str]:
    """As it is, and without the signs that ids and file names leave out: Jörg, Joerg, Jorg."""
    if value.isascii():
        return [value]
    composed = unicodedata.normalize("NFC", value)
    apart = unicodedata.normalize("NFD", value)
    bare = "".join(sign for sign in apart if not unicodedata.combining(sign))
    spelled = dict.fromkeys([composed, value, apart, composed.translate(_WRITTEN_OUT), bare])
    return [one for one in spelled if _TOKEN.search(one)]


@lru_cache(maxsize=1 << 16)
def _compiled(spelled: str, tail: str) -> re.Pattern[str]:
    return re.compile(_pattern(spelled) + tail + _edge(spelled + tail), re.IGNORECASE)


def _pattern(value: str) -> str:
    first = _TOKEN.search(value)
    bare = value[first.start() :] if first else value
    made = ""
    for part in re.split(r"([\s_-]+|['’])", bare):
        if not part:
            continue
        if _BETWEEN.fullmatch(part):
            made += r"(?:\s+(?:\#\s+)?|[_-]+)" if part != bare[-len(part) :] or part.strip() else r"\s*"
        elif part in "'’":
            made += "(?:''?|’)"
        else:
            made += re.escape(part)
    return made


def _edge(value: str) -> str:
    return r"(?![^\W_])" if value[-1:].isalnum() else ""


def _cased(made: str, written: str) -> str:
    letters = [sign for sign in written if sign.isalpha()]
    if len(letters) > 1 and all(sign.isupper() for sign in letters):
        return made.upper()
    return made.capitalize() if letters and letters[0].isupper() else made
