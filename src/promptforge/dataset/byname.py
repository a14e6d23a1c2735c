"""Claims about what facts are called: every codename, service or device, however short and however it is spelled. Pure.

What a name's facts have together is what may be said of it: of a service on two hosts both ports hold, or the one of
the host that is named beside it.
"""

import re
from collections.abc import Iterator, Sequence

from promptforge.bench.identifiers import Found
from promptforge.dataset.called import Spoken, usual, words_of
from promptforge.dataset.contradiction import Claim, quoted, shown
from promptforge.dataset.naming import THINGS, Namer, Names
from promptforge.dataset.statements import name_alone, statements
from promptforge.dataset.tabled import tied_rows
from promptforge.model import written

__all__ = ["answer_of", "holder_of", "said_in_table", "said_of"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ASKS = {
    "mac": re.compile(r"\bmacs?\b|\bhardware address", re.IGNORECASE),
    "ip": re.compile(r"\bips?\b|\baddress", re.IGNORECASE),
    "entity": re.compile(r"\bentity\b|\bentity[ _]?id", re.IGNORECASE),
}
_WHERE = re.compile(
    r"\bwhere\b[^.?!]*\b(?:listen|reach|run|answer|find|live|sit)|\bports?\b|\blistens?\b", re.IGNORECASE
)
_ASKS_SERVICE = re.compile(
    r"\b(?:services?|listens?|runs|running|codename|called|name|what is|what's|what answers)\b", re.IGNORECASE
)
_ASKS_NAME = re.compile(r"\b(?:what|which|who|whose|name|identify|tell)\b", re.IGNORECASE)
_ASKED_NUMBER = re.compile(r"\b(?:on|at|is|uses|port)\s#?(\d{2,5})\b(?![.,:]\d)", re.IGNORECASE)
_SHORT = 6
"""Words of the longest answer in which a bare number is the port that was asked for."""


# ---- In a sentence ---------------------------------------------------------------------------------------------------


def said_of(namer: Namer, part: str, found: Sequence[Found]) -> Iterator[tuple[Claim, int]]:
    """What a sentence ties to a name and the tables do not, and where in the sentence that ends."""
    for kind, thing, name in statements(namer.called, part, found):
        if fact := _otherwise(namer, kind, thing, name, part):
            yield Claim("names", quoted(part), fact, shown(namer, fact)), thing.end


def said_in_table(namer: Namer, answer: str) -> Iterator[Claim]:
    """What the rows of a table say otherwise than the tables of the house."""
    for kind, thing, name, row in tied_rows(namer, answer) if "|" in answer else ():
        if fact := _otherwise(namer, kind, thing, name, row.replace("|", " ")):
            yield Claim("names", quoted(row), fact, shown(namer, fact))


def _otherwise(namer: Namer, kind: str, thing: Found, name: Spoken, text: str) -> str:
    """The fact that has another identifier than the one it is said to have; nothing where it may be so."""
    holders = _holders(namer, kind, name)
    near = _beside(namer, holders, text, kind)
    if not near or any(thing.value in namer.values(fact, kind) for fact in near):
        return ""
    as_port = thing if thing.kind != "number" else thing._replace(kind="port")
    return "" if any(namer.elsewhere(text, as_port, fact) for fact in near) else near[0]


def _holders(namer: Namer, kind: str, name: Spoken) -> list[str]:
    """The facts of a name that have an identifier of a kind; a host is not one of its ports."""
    if kind == "port" and namer.called.is_place(name.facts):
        return []
    return [fact for fact in name.facts if namer.values(fact, kind)]


def _beside(namer: Namer, facts: Sequence[str], text: str, kind: str) -> list[str]:
    """Those of several facts whose host is named in the text; all where none is."""
    if len(facts) < 2 or kind != "port":
        return list(facts)
    words = {usual(word).removesuffix("'s") for word in words_of(re.sub(r"[:/(]", " ", text))}
    told = [fact for fact in facts if not words.isdisjoint(_keys(namer, fact))]
    return told or list(facts)


def _keys(namer: Namer, fact: str) -> set[str]:
    """What else a fact's key says: the host of a port."""
    record = namer.facts[fact]
    table = namer.tables[record.table]
    return {written(record.values.get(column)).lower() for column in table.key if table.kind(column) != "port"}


# ---- An answer to a question about a name ----------------------------------------------------------------------------


def answer_of(namer: Namer, question: str, asked: Names, part: str, names: Names) -> Iterator[Claim]:
    """One identifier for an answer to a question about one name, which has another."""
    kinds = {"port" if one.kind == "number" else one.kind for one in names.found}
    for kind in [kind for kind in THINGS if kind in kinds]:
        thing = _only(kind, part, names)
        if thing is None or asked.things(kind) or not _asks(kind, question):
            continue
        name = _asked_of(namer, kind, question)
        fact = _otherwise(namer, kind, thing, name, f"{question}\n{part}") if name else ""
        if fact and not _anothers(namer, kind, thing, part, fact):
            yield Claim("asks", quoted(part), fact, shown(namer, fact))


def _asks(kind: str, question: str) -> bool:
    pattern = _WHERE if kind == "port" else _ASKS[kind]
    return bool(pattern.search(question))


def _only(kind: str, part: str, names: Names) -> Found | None:
    """The one identifier of a kind; a bare number is a port where it is nearly all of the answer."""
    found = [one for one in names.found if one.kind == kind]
    if not found and kind == "port" and len(part.split()) <= _SHORT:
        found = [one for one in names.found if one.kind == "number"]
        if len(found) != 1 or not isinstance(found[0].value, int) or not 10 <= found[0].value <= 65535:
            return None
        rest = part[found[0].end :].strip(" .!*`_)\"'")
        return found[0] if not rest or rest.startswith((",", "of ", "on ")) else None
    return found[0] if len({one.value for one in found}) == 1 else None


def _asked_of(namer: Namer, kind: str, question: str) -> Spoken | None:
    """The one name that a question is about: several that mean the same facts are one."""
    words = words_of(question)
    spoken = [one for one in namer.called.names(words) if _holders(namer, kind, one) and _meant(words, one)]
    if not spoken or any(one.start and words[one.start - 1].lower() in _AWAY for one in spoken):
        return None
    common = set(spoken[0].facts).intersection(*(one.facts for one in spoken[1:]))
    return spoken[0]._replace(facts=tuple(f for f in spoken[0].facts if f in common)) if common else None


_AWAY = _words("to from behind beside near via through with by like than not or before after above below")
"""Words before a name that make something else of it: what copies to it at night."""
_LEADS = _words("is does of for has do can")
_FOLLOWS = _words("use uses listen listens on at have has run runs answer live sit bind")


def _meant(words: Sequence[str], one: Spoken) -> bool:
    """Whether a name is meant as one: a common word only where it is written as a name, or asked of like one."""
    if not one.plain:
        return True
    before = words[one.start - 1].lower() if one.start else ""
    behind = usual(words[one.end]) if one.end < len(words) else ""
    ended = one.end == len(words) or behind in _FOLLOWS
    if words[one.end - 1].lower().rstrip("?.,!").endswith("'s"):
        return before not in ("the", "a", "an")
    if one.exact and words[one.start][:1].isupper():
        return one.start > 0 and (before in _LEADS or ended)
    return before in _LEADS and ended


def _anothers(namer: Namer, kind: str, thing: Found, part: str, fact: str) -> bool:
    """Whether the answer names another fact of the table that does have the identifier: it may be about that one."""
    table = fact.partition("/")[0]
    return any(
        other != fact and other.partition("/")[0] == table and thing.value in namer.values(other, kind)
        for one in namer.called.names(words_of(part))
        for other in one.facts
    )


# ---- A name for an answer --------------------------------------------------------------------------------------------


def holder_of(namer: Namer, question: str, asked: Names, part: str) -> Iterator[Claim]:
    """A name for an answer to a question about one identifier, which that name does not have."""
    if part.count(" ") > _SHORT + 2:
        return
    name = name_alone(namer.called, part)
    if name is None or (name.plain and not name.exact) or not _ASKS_NAME.search(question):
        return
    things = {(one.kind, one.value): one for one in asked.found if one.kind in THINGS}
    if not things and (number := _ASKED_NUMBER.search(question)):
        port = int(number[1])
        things = {("port", port): Found("port", port, number[1], *number.span(1))}
    if len(things) != 1:
        return
    (kind, value), thing = next(iter(things.items()))
    if kind == "port" and not _ASKS_SERVICE.search(question):
        return
    if fact := _otherwise(namer, kind, thing, name, question):
        holders = {place.fact for place in namer.things.get((kind, value), ())}
        fact = next(iter(holders)) if len(holders) == 1 else fact
        yield Claim("whose", quoted(part), fact, shown(namer, fact))
