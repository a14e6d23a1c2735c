"""Rows that say otherwise than the tables do today. Precision first: what is not plain is let pass. Pure.

Compared are ports, MACs, addresses and entity ids, each with the names of the one fact that is spoken of:

- `names`: a sentence of an answer that ties a name to an identifier ("the Memory Vault listens on port 1337");
- `asks`: an answer with one identifier to a question about one fact and that kind ("which port …?" "1337");
- `whose`: an answer with another fact's name, or another owner, to a question about one identifier;
- `stale`: of rows that say which values they print, those whose value has changed since (nothing else is asked);
- `unknown`: a name that no fact has, for a port that a fact has ("port 1337 is Grafana").
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from promptforge.bench.cases import Printed
from promptforge.bench.identifiers import Found
from promptforge.bench.refusal import abstains, declines
from promptforge.bench.spellings import tokens
from promptforge.bench.values import mentions
from promptforge.dataset.naming import THINGS, Namer, Names, leaves, pieces
from promptforge.model import written

__all__ = ["COMPARED", "Claim", "claims", "stale"]

COMPARED = (
    "claims about ports, MACs, addresses and entity ids: the name or owner beside each, against today's tables; "
    "sentences with a negation, a comparison, or several of a kind are let pass"
)


class Claim(NamedTuple):
    """What a row says, and what the tables say."""

    rule: str
    said: str
    fact: str
    known: str


_NEGATES = re.compile(
    r"\b(?:not|no|never|neither|nor|isn't|isn’t|wasn't|aren't|doesn't|don't|cannot|can't|without|instead|rather|unlike"
    r"|formerly|used\ to|was|were|once|old|previous|if|would|could|should|may|might|perhaps|maybe|probably|wrong|false"
    r"|mistake|confus\w+|versus|vs|than|between|except|but|until|before|after|other|another)\b",
    re.IGNORECASE | re.VERBOSE,
)
_RELATES = re.compile(
    r"\b(?:above|below|next|after|before|neighbou?rs?|other|another|besides|near|nearest|close|similar|twins?|instead"
    r"|not|no|except|reach\w*|connect\w*|from|talks?|depend\w*|requir\w*|needs?|behind|through|via|gateway|router"
    r"|differ\w*|confus\w*|if|unless|same|both|also|versus|vs|than|between|backs?|backup|rely|relies)\b",
    re.IGNORECASE,
)
_ASKED = {
    "port": re.compile(r"\bports?\b", re.IGNORECASE),
    "mac": re.compile(r"\bmacs?\b|\bhardware address", re.IGNORECASE),
    "ip": re.compile(r"\bips?\b|\baddress", re.IGNORECASE),
    "entity": re.compile(r"\bentity\b|\bentity[ _]?id", re.IGNORECASE),
}
_ASKS_NAME = re.compile(r"\b(?:what|which|who|whose|name|identify|tell)\b", re.IGNORECASE)
_ASKS_OWNER = re.compile(r"\b(?:whose|owns?|owner|belongs?)\b", re.IGNORECASE)
_ASKS_SERVICE = re.compile(
    r"\b(?:services?|listens?|runs|running|codename|called|name|what is|what's|what answers)\b", re.IGNORECASE
)
_MOST_PARTS = 40
"""Sentences of an answer that are looked at."""
_LONG = 16
"""Words of the longest sentence that is taken for a plain answer."""
_LONGEST_NAME = 6
"""Words of the longest answer that is taken for a name."""


def claims(namer: Namer, question: str, asked: Names, answer: str, said: Names) -> Iterator[Claim]:
    """What the answer of a row says otherwise than the tables, each fact once."""
    if not asked.sure and not said.sure:
        return  # of no fact that anything is known of
    stated = any(one.kind in THINGS for one in said.found)
    if not stated and not any(one.kind in THINGS for one in asked.found):
        return
    seen: set[str] = set()
    for claim in _all(namer, question, asked, answer, said, stated):
        if claim.fact not in seen:
            seen.add(claim.fact)
            yield claim


def _all(namer: Namer, question: str, asked: Names, answer: str, said: Names, stated: bool) -> Iterator[Claim]:
    parts = list(pieces(answer))[:_MOST_PARTS]
    if not parts:
        return
    first = said if len(parts) == 1 else namer.names(parts[0])
    # What is cheap and seldom true is asked first; how a sentence is worded matters only then.
    if stated:
        things = [one.written for one in said.found if one.kind in THINGS]
        for number, part in enumerate(parts):
            if any(thing in part for thing in things):
                names = namer.names(part) if number else first
                found = [*_tied(namer, part, names), *_unknown(namer, part, names)]
                if found and not _NEGATES.search(part):
                    yield from found
    plain = parts[0]
    if len(plain.split()) <= _LONG:
        found = list(_answered(namer, question, asked, plain, first)) if stated else []
        found += _whose(namer, question, asked, answer, plain, first)
        if found and not _NEGATES.search(plain) and not _RELATES.search(question):
            yield from found


def stale(namer: Namer, places: Iterable[Printed], answer: str) -> Iterator[Claim]:
    """Of a row that says which values its answer prints, those that the tables no longer have, each fact once."""
    seen: set[str] = set()
    for place in places:
        record = namer.facts.get(place.fact)
        if place.fact in seen:
            continue
        if record is None:
            seen.add(place.fact)
            yield Claim("stale", _said(answer), place.fact, "no such fact any more")
            continue
        form = namer.tables[record.table].kind(place.column)
        texts = tuple(leaves(record.values.get(place.column)))
        if not any(_stands_in(answer, text) or mentions(answer, text, form) for text in texts):
            seen.add(place.fact)
            yield Claim("stale", _said(answer), place.fact, f"its {place.column}: {_shown(namer, place.fact)}")


def _stands_in(answer: str, text: str) -> bool:
    """Whether it stands there as it is, by itself: the quick look before the thorough one."""
    at = answer.find(text)
    around = answer[at - 1 : at] + answer[at + len(text) : at + len(text) + 1] if at >= 0 else "x"
    return not any(char.isalnum() or char in ".,:-+_" for char in around.rstrip(".,"))


def _one_a_table(facts: frozenset[str]) -> Iterator[str]:
    """Those facts that are the only one of their table."""
    tables = [fact.partition("/")[0] for fact in facts]
    yield from (fact for fact, table in zip(facts, tables, strict=True) if tables.count(table) == 1)


# ---- A name beside an identifier -------------------------------------------------------------------------------------

_TIES = frozenset(
    [
        "is",
        "are",
        "has",
        "uses",
        "use",
        "listens",
        "runs",
        "answers",
        "sits",
        "lives",
        "serves",
        "at",
        "on",
        "the",
        "a",
        "an",
        "port",
        "ports",
        "tcp",
        "udp",
        "ip",
        "lan",
        "tailscale",
        "tailnet",
        "mac",
        "address",
        "of",
        "its",
        "number",
        "with",
        "entity",
        "id",
        "called",
        "known",
        "as",
        "under",
        "s",
        "service",
        "host",
        "server",
        "codename",
    ]
)
_WORD = re.compile(r"[^\W_]+")


def _tied(namer: Namer, part: str, names: Names) -> Iterator[Claim]:
    for kind in [kind for kind in THINGS if any(one.kind == kind for one in names.found)]:
        of_kind = [one for one in names.found if one.kind == kind]
        if len({one.value for one in of_kind}) != 1:
            continue
        by_name = frozenset(place.fact for place in names.sure if not _by_thing(namer, place.fact, place.column))
        for fact in _one_a_table(by_name):
            known = namer.values(fact, kind)
            other = known and of_kind[0].value not in known and _beside(namer, part, fact, of_kind[0])
            if other and not namer.elsewhere(part, of_kind[0], fact):
                yield Claim("names", _said(part), fact, _shown(namer, fact))


def _by_thing(namer: Namer, fact: str, column: str) -> bool:
    record = namer.facts[fact]
    return namer.tables[record.table].kind(column) in ("port", "mac", "ip", "tailscale", "entity")


def _beside(namer: Namer, part: str, fact: str, thing: Found) -> bool:
    """Whether nothing but words that tie them stands between a name of the fact and the identifier."""
    vocabulary = namer.vocabulary(fact)
    before = [word.lower() for word in _WORD.findall(part[: thing.start])]
    after = [word.lower() for word in _WORD.findall(part[thing.end :])]
    for words in (reversed(before), after):
        for number, word in enumerate(words):
            if word in vocabulary and word not in _TIES:
                return True
            if word not in _TIES or number >= 8:
                break
    return False


# ---- One identifier for an answer ------------------------------------------------------------------------------------


def _answered(namer: Namer, question: str, asked: Names, part: str, names: Names) -> Iterator[Claim]:
    for kind in THINGS:
        values = names.things(kind)
        if len(values) != 1 or asked.things(kind):
            continue
        for fact in _one_a_table(asked.facts):
            known = namer.values(fact, kind)
            if not known or not values.isdisjoint(known) or not _ASKED[kind].search(question):
                continue
            elsewhere = names.facts - asked.facts
            same_table = any(other.partition("/")[0] == fact.partition("/")[0] for other in elsewhere if other != fact)
            told = same_table and not _owns(namer, elsewhere, kind, values)
            thing = next(one for one in names.found if one.kind == kind)
            if not told and not namer.elsewhere(part, thing, fact):
                yield Claim("asks", _said(part), fact, _shown(namer, fact))


def _owns(namer: Namer, facts: frozenset[str], kind: str, values: frozenset[int | float | str]) -> bool:
    """Whether these facts are named by the identifier itself."""
    return any(not values.isdisjoint(namer.values(fact, kind)) for fact in facts)


# ---- Another name for an identifier ----------------------------------------------------------------------------------


def _whose(namer: Namer, question: str, asked: Names, answer: str, part: str, named: Names) -> Iterator[Claim]:
    things = {(one.kind, one.value) for one in asked.found if one.kind in THINGS}
    if len(things) != 1:
        return
    kind, value = next(iter(things))
    holders = {place.fact for place in asked.sure if value in namer.values(place.fact, kind)}
    if len(holders) != 1:
        return
    fact = next(iter(holders))
    thing = next(one for one in asked.found if one.kind == kind)
    if namer.elsewhere(question, thing, fact):
        return
    table = fact.partition("/")[0]
    if not _ASKS_NAME.search(question):
        return
    if _ASKS_OWNER.search(question):
        yield from _other_owner(namer, fact, named, part)
        return
    others = {place.fact for place in named.sure if place.fact.startswith(f"{table}/")} - {fact}
    spoken = namer.vocabulary(fact).intersection(named.words)
    if others and len(others) == 1 and not (fact in named.facts or _own_words(namer, fact, named)):
        yield Claim("whose", _said(part), fact, _shown(namer, fact))
    elif kind == "port" and not spoken and _is_a_name(question, answer, named):
        yield Claim("unknown", _said(part), fact, _shown(namer, fact))


def _own_words(namer: Namer, fact: str, named: Names) -> bool:
    """Whether the answer has a word that the fact's own names have."""
    record = namer.facts[fact]
    own = {word for column in ("codename", "service", "name") for word in tokens(written(record.values.get(column)))}
    return not own.isdisjoint(named.words)


def _other_owner(namer: Namer, fact: str, named: Names, part: str) -> Iterator[Claim]:
    owner = written(namer.facts[fact].values.get("owner"))
    people = {place.fact for place in named.sure if place.fact.startswith("people/")}
    if owner and len(people) == 1 and people != {f"people/{owner}"} and tokens(owner)[0] not in named.words:
        yield Claim("whose", _said(part), fact, _shown(namer, fact))


def _is_a_name(question: str, answer: str, named: Names) -> bool:
    if not 0 < len(named.words) <= _LONGEST_NAME or named.found or not _ASKS_SERVICE.search(question):
        return False
    return not (abstains(answer, question) or declines(answer, question))


# ---- A name that nobody has ------------------------------------------------------------------------------------------

_NAME = r"(?P<name>[A-Z][\w.+-]*(?:\s[A-Z0-9][\w.+-]*){0,3})"
_STATES = (
    re.compile(
        rf"\b[Pp]ort\s(?P<port>\d{{2,5}})(?:\s(?:on|of)\s(?:the\s)?\w+)?\s"
        rf"(?:is(?:\s(?:used\sby|for))?|runs|serves|hosts|belongs\sto)\s(?:the\s|an?\s)?{_NAME}"
    ),
    re.compile(
        rf"(?:^|\b[Tt]he\s|\b[Aa]n?\s){_NAME}\s(?:listens|runs|is|sits|lives|answers)\s(?:on|at|behind)\s"
        r"(?:the\s)?(?:tcp\s|udp\s)?port\s(?P<port>\d{2,5})(?![\d,]\d)"
    ),
)
_NO_NAME = frozenset(
    ["it", "that", "this", "there", "which", "what", "nothing", "nobody", "everything", "port", "only", "both", "yes"]
)


def _unknown(namer: Namer, part: str, names: Names) -> Iterator[Claim]:
    if "port" not in part and "Port" not in part:
        return
    if any(place.fact.startswith("ports/") and not _by_thing(namer, *place) for place in names.sure):
        return  # the name is one that a fact has
    for pattern in _STATES:
        for found in pattern.finditer(part):
            places = namer.things.get(("port", int(found["port"])), ())
            holders = {place.fact for place in places if place in names.sure}
            words = tokens(found["name"])
            if len(holders) != 1 or not words or words[0] in _NO_NAME:
                continue
            fact = next(iter(holders))
            thing = next(one for one in names.found if one.kind == "port" and one.value == int(found["port"]))
            if namer.vocabulary(fact).isdisjoint(words) and not namer.elsewhere(part, thing, fact):
                yield Claim("unknown", _said(part), fact, _shown(namer, fact))


# ---- In words --------------------------------------------------------------------------------------------------------

_SAID = 120


def _said(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SAID else text[: _SAID - 1] + "…"


def _shown(namer: Namer, fact: str) -> str:
    """What the tables say of a fact, and where."""
    record = namer.facts[fact]
    if record.level == "private":
        return f"a private fact ({record.span})"
    shown = [f"{column} {written(value)}" for column, value in list(record.values.items())[:5] if value is not None]
    return f"{', '.join(shown)} ({record.span})"
