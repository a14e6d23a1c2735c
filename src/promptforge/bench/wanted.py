"""Looks for many names in a text at once: the one way of finding, for the guard before sending and for a report. Pure.

Most texts hold none of them. So of every kind it is asked first, of the bare letters and digits of a text, whether a
name of that kind can be in it at all; only then is it looked for where it stands.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

from promptforge.bench.disguises import BREAK, Reading, cased, readings, small, words_of
from promptforge.bench.spellings import Found, Name, addresses, dates_in, entities, macs, numbers_in

__all__ = ["Wanted"]

_TOKEN = re.compile(rf"[^\W_]+|{BREAK}")
_WHOLE = re.compile(rf"[^\W_]+(?:['`][^\W_]+)*|{BREAK}")
"""A word with its apostrophes."""
_RAW = re.compile(r"\w+")
_FOREIGN = re.compile(rf"[^0-9a-z{BREAK}]+")
_KEPT = frozenset(f"0123456789abcdefghijklmnopqrstuvwxyz{BREAK}")
_OTHER_BASE = re.compile("0(?:x|[1-7][0-7])")
"""A part of an address may be hexadecimal or octal. One with a single digit is the same in decimal."""
_MANY = 200
"""Of more than this it takes longer to ask whether one can be in a text than to look for them."""


_Token = tuple[str, int, int]


class Wanted:
    """Names that are looked for."""

    def __init__(self, names: Iterable[Name], beside: Iterable[str] = ()) -> None:
        """`beside` are letters and digits in a row of which `near` is asked, too."""
        self._names = frozenset(names)
        kinds: dict[str, set[object]] = {}
        for kind, what in self._names:
            kinds.setdefault(kind, set()).add(what)
        self._anchors: dict[str, set[tuple[int, int]]] = {}
        """Of runs of words, by the longest word of each: how many they are, and which one it is."""
        for words in kinds.get("words", ()):
            assert isinstance(words, tuple)
            at = max(range(len(words)), key=lambda n: len(words[n]))
            self._anchors.setdefault(words[at], set()).add((len(words), at))
        self._glued, self._entities, self._runs, self._exact, self._raw = (
            frozenset(map(str, kinds.get(kind, ()))) for kind in ("glued", "entity", "run", "exact", "raw")
        )
        self._starts = {one[:length] for one in self._glued for length in range(1, len(one) + 1)}
        self._traces = _traces(self._names)
        self._any = _least(chain(self._glued, self._runs, self._traces.figures, self._traces.years, beside))
        written = chain(self._exact, self._raw, self._entities)
        self._parts = frozenset(max(words_of(small(cased(one))), key=len) for one in written)
        """One of these is a word of each text that holds a name which stands in it as it is."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._names)

    def found(self, text: str) -> Iterator[Name]:
        """Those that a text holds, in any reading."""
        for one in readings(text):
            yield from (name for name, _, _ in self.inside(one))

    def near(self, one: Reading) -> bool:
        """Whether the letters and digits of a name may be in a reading; addresses and single words aside."""
        return _may(self._any, one.joined)

    def inside(self, one: Reading, near: bool | None = None) -> Iterator[Found]:
        """Those that stand in one reading, and where in it."""
        if not self._parts.isdisjoint(one.words):
            yield from self._as_written(one)
        if not self._anchors.keys().isdisjoint(one.words):
            yield from self._of_anchored(_tokens(_TOKEN, one.bare))
        if self._anchors and ("'" in one.bare or "`" in one.bare):
            yield from self._with_apostrophes(one.bare)
        yield from filter(self._is_wanted, self._of_addresses(one))
        if self.near(one) if near is None else near:
            yield from self._of_letters(one)
        elif self._runs and not one.bare.isascii():
            yield from self._of_runs(one.bare)

    def _is_wanted(self, found: Found) -> bool:
        return found[0] in self._names

    def _of_addresses(self, one: Reading) -> Iterator[Found]:
        """Addresses, wanted or not, where one that is wanted may be among them."""
        sought, bare = self._traces, one.bare
        if sought.macs or sought.decimal or sought.hexadecimal:
            bones = one.joined.replace("0", "").replace("x", "").replace("dot", "")
            if (
                _may(sought.decimal, bones)
                or ((":" in bare or "0x" in bare) and _may(sought.hexadecimal, bones))
                or ("0" in bare and _OTHER_BASE.search(bare))
                or ".arpa" in bare
                or "ipv6-literal" in bare
            ):
                yield from addresses(bare)
            if _may(sought.macs, bones):
                yield from macs(bare)

    def _as_written(self, one: Reading) -> Iterator[Found]:
        """Single words as they are, with case or with underscores; entities."""
        for kind, wanted, pattern, text in (
            ("exact", self._exact, _TOKEN, one.cased),
            ("raw", self._raw, _RAW, one.bare),
        ):
            if wanted and not wanted.isdisjoint(pattern.findall(text)):
                yield from (((kind, m[0]), *m.span()) for m in pattern.finditer(text) if m[0] in wanted)
        if self._entities:
            yield from filter(self._is_wanted, entities(one.bare))

    def _of_letters(self, one: Reading) -> Iterator[Found]:
        """Those of whose letters and digits one reading may hold a part."""
        if _may(self._glued, one.joined):
            yield from self._of_glued(_tokens(_TOKEN, one.bare))
        yield from self._of_runs(one.bare)
        if _may(self._traces.figures, one.joined):
            yield from filter(self._is_wanted, numbers_in(one.bare))
        if _may(self._traces.years, one.joined):
            yield from filter(self._is_wanted, dates_in(one.bare, tight=True))

    def _of_glued(self, tokens: list[_Token]) -> Iterator[Found]:
        """Several words in a row that are one of those looked for, wherever they are parted."""
        for at, (so_far, start, end) in enumerate(tokens):
            following = iter(tokens[at + 1 : at + _LONGEST] if so_far in self._starts else ())
            while so_far in self._starts:
                if so_far in self._glued:
                    yield ("glued", so_far), start, end
                word, _, end = next(following, _NOTHING)
                so_far += word

    def _with_apostrophes(self, bare: str) -> Iterator[Found]:
        """Words in a row, `zoe's` as `zoes`."""
        if not self._anchors.keys().isdisjoint(words_of(_unsigned(bare))):
            whole = _tokens(_WHOLE, bare)
            yield from self._of_anchored([(_unsigned(word), start, end) for word, start, end in whole])

    def _of_anchored(self, tokens: list[_Token]) -> Iterator[Found]:
        """Words in a row."""
        for here, (word, _, _) in enumerate(tokens):
            for length, at in self._anchors.get(word, ()):
                run = tokens[here - at : here - at + length] if here >= at else []
                name = "words", tuple(word for word, _, _ in run)
                if name in self._names:
                    yield name, run[0][1], run[-1][2]

    def _of_runs(self, bare: str) -> Iterator[Found]:
        """So many letters and digits that stand one after another, whatever is between them."""
        joined = _FOREIGN.sub("", bare) if self._runs else ""
        places: list[int] = []
        for run in self._runs:
            at = joined.find(run)
            while at >= 0:
                places = places or [place for place, char in enumerate(bare) if char in _KEPT]
                yield ("run", run), places[at], places[at + len(run) - 1] + 1
                at = joined.find(run, at + 1)


_LONGEST = 80
"""Words that one name is at most written in."""
_NOTHING: _Token = (BREAK, 0, 0)


def _unsigned(text: str) -> str:
    return text.replace("'", "").replace("`", "")


def _tokens(pattern: re.Pattern[str], bare: str) -> list[_Token]:
    return [(m[0], *m.span()) for m in pattern.finditer(bare)]


def _may(traces: frozenset[str], text: str) -> bool:
    """Whether one of them can be in a text."""
    return len(traces) > _MANY or any(map(text.__contains__, traces))


# ---- Traces ----------------------------------------------------------------------------------------------------------


def _least(traces: Iterable[str]) -> frozenset[str]:
    """Those that hold no other one: where none of them is, there is none at all."""
    least: list[str] = []
    for trace in sorted(set(traces), key=len):
        if len(least) > _MANY or not any(map(trace.__contains__, least)):
            least.append(trace)
    return frozenset(least)


class _Traces(NamedTuple):
    """What any text holds that holds a name of these kinds: of its bare letters and digits, or of the text itself."""

    macs: frozenset[str]
    """Without zeros, which may be left out or added; so the next two."""
    decimal: frozenset[str]
    hexadecimal: frozenset[str]
    figures: frozenset[str]
    """Of numbers."""
    years: frozenset[str]


def _traces(names: Collection[Name]) -> _Traces:
    found: dict[str, set[str]] = {name: set() for name in _Traces._fields}
    for kind, what in names:
        if kind == "mac":
            found["macs"].add(str(what).replace("0", ""))
        elif kind in ("ip", "eui64") and isinstance(what, int):
            found["hexadecimal"].add(f"{what:x}".replace("0", ""))
            head, last = divmod(what, 2**32)
            octets = last.to_bytes(4, "big")
            if kind == "ip":
                quad = "".join(map(str, octets))
                found["decimal"].add(f"{head:x}{quad}".replace("0", "") if head else quad.replace("0", ""))
        elif isinstance(what, Decimal):
            whole = what == what.to_integral_value()
            found["figures"].add(f"{what:.0f}" if whole else "".join(map(str, what.normalize().as_tuple().digits)))
        elif kind == "date" and isinstance(what, tuple):
            found["years"].add(f"{what[0]:04}")
    return _Traces(**{name: _least(traces) for name, traces in found.items()})
