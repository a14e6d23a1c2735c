"""Rows that say otherwise than the tables do today. Precision first: what is not plain is let pass. Pure.

Compared are ports, MACs, addresses and entity ids, each with the names of the one fact that is spoken of:

- `names`: a sentence of an answer that ties a name to an identifier ("the Memory Vault listens on port 1337");
- `asks`: an answer with one identifier to a question about one name and that kind ("which port …?" "1337");
- `whose`: an answer with another name, or another owner, to a question about one identifier;
- `stale`: of rows that say which values they print, those whose value has changed since (nothing else is asked);
- `unknown`: a name that no fact has, for a port that a fact has ("port 1337 is Grafana").
"""

import re
from collections.abc import Iterable, Iterator

from promptforge.bench.cases import Printed
from promptforge.bench.refusal import abstains, declines
from promptforge.bench.spellings import tokens
from promptforge.bench.values import mentions
from promptforge.dataset.byname import answer_of, holder_of, said_in_table, said_of
from promptforge.dataset.called import words_of
from promptforge.dataset.contradiction import Claim, quoted, shown
from promptforge.dataset.naming import THINGS, Namer, Names, leaves, pieces
from promptforge.model import written

__all__ = ["COMPARED", "Claim", "claims", "stale"]

COMPARED = (
    "claims about ports, MACs, addresses and entity ids, against today's tables: a name tied to one by a verb or a "
    "sign, or in a row of a table, and short answers to a question about one; "
    "sentences with a negation, a comparison or a past tense are let pass, and so is what is worded otherwise"
)


_NEGATES = re.compile(
    r"\b(?:not|no|never|neither|nor|isn't|isn’t|wasn't|aren't|doesn't|don't|cannot|can't|without|instead|rather|unlike"
    r"|formerly|used\ to|was|were|once|old|previous|if|would|could|should|may|might|perhaps|maybe|probably|wrong|false"
    r"|mistake|confus\w+|versus|vs|than|between|except|but|until|before|after|other|another)\b",
    re.IGNORECASE | re.VERBOSE,
)
_RELATES = re.compile(
    r"\b(?:above|below|next|after|before|neighbou?rs?|other|another|besides|near|nearest|close|similar|twins?|instead"
    r"|not|no|except|reach\w*|connect\w*|from|talks?|depend\w*|requir\w*|needs?|behind|through|via|gateway|router"
    r"|differ\w*|noted?|notes|confus\w*|if|unless|same|both|also|versus|vs|than|between|backs?|backup|rely|relies)\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:until|before|after|formerly|once|wrong|false|mistake\w*|by\ default|usually|typically|normally"
    r"|instead\ of\ what|no\ longer|any\ more)\b",
    re.IGNORECASE | re.VERBOSE,
)
_DENIED = re.compile(
    r"\b(?:untrue|incorrect|mistaken|not\ (?:so|true|correct)"
    r"|(?:that|this|it)(?:\ is|'s|’s|\ was)\ (?:wrong|false|not))\b",
    re.IGNORECASE | re.VERBOSE,
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
    if not said.found and not asked.found:
        return  # no identifier in either
    parts = list(pieces(answer))[:_MOST_PARTS]
    if not parts:
        return
    first = said if len(parts) == 1 else namer.names(parts[0])
    seen: set[str] = set()
    for claim in (
        *_stated(namer, answer, parts, first, said),
        *(() if _DENIED.search(answer) else said_in_table(namer, answer)),
        *_short(namer, question, asked, answer, parts[0], first),
    ):
        if claim.fact not in seen:
            seen.add(claim.fact)
            yield claim


def _stated(namer: Namer, answer: str, parts: list[str], first: Names, said: Names) -> Iterator[Claim]:
    """What sentences tie to a name. What is cheap and seldom true is asked first, how it is worded only then."""
    identifiers = {one.written for one in said.found}
    known = bool(said.sure) and any(one.kind in THINGS for one in said.found)
    for number, part in enumerate(parts if identifiers else ()):
        if not any(thing in part for thing in identifiers):
            continue
        names = namer.names(part) if number else first
        for claim, end in said_of(namer, part, names.found):
            if not (_NEGATES.search(part, 0, end) or _TAKEN_BACK.search(part, end) or _DENIED.search(answer)):
                yield claim
        if known:
            found = [*_unknown(namer, part, names)]
            if found and not _NEGATES.search(part):
                yield from found


def _short(namer: Namer, question: str, asked: Names, answer: str, plain: str, first: Names) -> Iterator[Claim]:
    """What a short answer says to its question."""
    if len(plain.split()) > _LONG:
        return
    found: list[Claim] = []
    if first.found:
        found += answer_of(namer, question, asked, plain, first)
    if asked.found:
        found += holder_of(namer, question, asked, plain)
    if asked.sure or first.sure:
        found += [*_answered(namer, question, asked, plain, first)] if first.found else []
        found += _whose(namer, question, asked, answer, plain, first)
    if (
        found
        and not _NEGATES.search(_beside_names(namer, plain))
        and not _RELATES.search(_beside_names(namer, question))
    ):
        yield from found


def _beside_names(namer: Namer, text: str) -> str:
    """A text without its names of several words: what is asked of the Back Door is not asked of what backs it up."""
    words = words_of(text)
    for one in namer.called.names(words):
        if not one.plain:
            words[one.start : one.end] = ["·"] * (one.end - one.start)
    return " ".join(words)


def stale(namer: Namer, places: Iterable[Printed], answer: str) -> Iterator[Claim]:
    """Of a row that says which values its answer prints, those that the tables no longer have, each fact once."""
    seen: set[str] = set()
    for place in places:
        record = namer.facts.get(place.fact)
        if place.fact in seen:
            continue
        if record is None:
            seen.add(place.fact)
            yield Claim("stale", quoted(answer), place.fact, "no such fact any more")
            continue
        form = namer.tables[record.table].kind(place.column)
        texts = tuple(leaves(record.values.get(place.column)))
        if not any(_stands_in(answer, text) or mentions(answer, text, form) for text in texts):
            seen.add(place.fact)
            yield Claim("stale", quoted(answer), place.fact, f"its {place.column}: {shown(namer, place.fact)}")


def _stands_in(answer: str, text: str) -> bool:
    """Whether it stands there as it is, by itself: the quick look before the thorough one."""
    at = answer.find(text)
    around = answer[at - 1 : at] + answer[at + len(text) : at + len(text) + 1] if at >= 0 else "x"
    return not any(char.isalnum() or char in ".,:-+_" for char in around.rstrip(".,"))


def _one_a_table(facts: frozenset[str]) -> Iterator[str]:
    """Those facts that are the only one of their table."""
    tables = [fact.partition("/")[0] for fact in facts]
    yield from (fact for fact, table in zip(facts, tables, strict=True) if tables.count(table) == 1)


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
                yield Claim("asks", quoted(part), fact, shown(namer, fact))


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
        yield from _other_owner(namer, fact, named, part, answer)
        return
    others = {place.fact for place in named.sure if place.fact.startswith(f"{table}/")} - {fact}
    spoken = namer.vocabulary(fact).intersection(named.words)
    if others and len(others) == 1 and not (fact in named.facts or _own_words(namer, fact, named)):
        yield Claim("whose", quoted(part), fact, shown(namer, fact))
    elif kind == "port" and not spoken and _is_a_name(question, answer, named):
        yield Claim("unknown", quoted(part), fact, shown(namer, fact))


def _own_words(namer: Namer, fact: str, named: Names) -> bool:
    """Whether the answer has a word that the fact's own names have."""
    record = namer.facts[fact]
    own = {word for column in ("codename", "service", "name") for word in tokens(written(record.values.get(column)))}
    return not own.isdisjoint(named.words)


def _other_owner(namer: Namer, fact: str, named: Names, part: str, answer: str) -> Iterator[Claim]:
    owner = written(namer.facts[fact].values.get("owner"))
    people = {place.fact for place in named.sure if place.fact.startswith("people/")}
    told = not owner or tokens(owner)[0] in (*named.words, *tokens(answer))
    if not told and len(people) == 1 and people != {f"people/{owner}"}:
        yield Claim("whose", quoted(part), fact, shown(namer, fact))


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
    if any(place.fact.startswith("ports/") and not namer.is_identifier(place) for place in names.sure):
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
                yield Claim("unknown", quoted(part), fact, shown(namer, fact))
