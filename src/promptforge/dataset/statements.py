"""What a sentence states of an identifier: the name that is tied to it by nothing but the words that tie. Pure.

    LEET listens on port 1437.           leet is on 1437            the MAC of Kim's phone is 00:00:5E:00:53:42
    LEET's port is 1437                  LEET: 1437                 port 1437 is LEET

Read are the words beside the identifier, one by one, until one is none that ties; what ends there must be a name that
a fact has, and what stands before the name must be nothing, or nothing that makes another name of it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from promptforge.bench.identifiers import Found
from promptforge.dataset.called import Called, Spoken, usual, words_of

__all__ = ["Statement", "name_alone", "statements"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KINDS = _words("port ports mac macs ip ips ipv4 ipv6 address entity hardware tailscale lan tailnet")
_FILLERS = _words("the a an its now still always currently only just tcp udp local static number id own today also")
_PREPOSITIONS = _words("on at under by to as")
_ON = frozenset(["on", "at"])
_VERBS = _words(
    "is has uses listens runs sits lives answers serves stands operates responds running listening "
    "reachable available found bound known assigned reached can be works located"
)
_PLURALS = frozenset(["are", "use", "listen", "run", "have"])
_SIGNS = frozenset([":", "=", "→", "->", "=>", "-", "–", "—", "("])
_EQUALS = frozenset(["=", "→", "->", "=>"])
_MARKUP = "\"'*_`([{<“„«‘)"
_MOST = 9
"""Words between a name and its identifier."""
_TYPES = _words("codename service host device machine server entity called named port the a an our your my")
_OPENERS = _words(
    "yes sure certainly today here now currently so and but then that because since while house ok okay "
    "well indeed find finds reach reaches"
)
"""Words before a name that leave it as it is."""
_CLAUSE_ENDS = (",", ";", ":", ".", "!", "?", "—", "–", ")", "(")
_BEHIND = _words("on of at in and which that port here now today as but so")
_LEADS = ("is", "=", "→", "->", "belongs", "runs", "serves", "hosts", ":")
_YEARS = range(1900, 2100)


class Statement(NamedTuple):
    """A name and an identifier that are said to belong together."""

    kind: str
    """port, mac, ip or entity."""
    thing: Found
    name: Spoken


def statements(called: Called, part: str, found: Sequence[Found]) -> Iterator[Statement]:
    """All of a sentence. `found` are its identifiers and numbers; a number counts as a port where it must be one."""
    ports = {one.start for one in found if one.kind == "port"}
    for thing in found:
        bare = thing.kind == "number"
        if bare and not (thing.start not in ports and _may_be_port(part, thing)):
            continue
        if thing.kind not in ("port", "mac", "ip", "entity", "number"):
            continue
        name = _before(called, words_of(part[max(0, thing.start - 160) : thing.start]), bare, thing)
        if name is None and (not bare or not part[: thing.start].strip(_MARKUP + " ")):
            name = _after(called, words_of(part[thing.end : thing.end + 160]))
        if name is not None:
            yield Statement("port" if bare else thing.kind, thing, name)


def _may_be_port(part: str, thing: Found) -> bool:
    """Whether a bare number may be a port: nothing follows that it could count."""
    if not isinstance(thing.value, int) or not 10 <= thing.value <= 65535:
        return False
    rest = words_of(part[thing.end : thing.end + 24])
    behind = part[thing.end : thing.end + 1]
    return not rest or behind in ".,;!)*`'\"" or (behind == " " and usual(rest[0]) in _BEHIND | {"is"})


# ---- A name, then the identifier -------------------------------------------------------------------------------------


def _before(called: Called, words: Sequence[str], bare: bool, thing: Found) -> Spoken | None:
    seen: set[str] = set()
    at = _ties(words, len(words), seen)
    name = called.before(words, at)
    placed = False
    for _ in range(2):  # the host of a port may stand between it and its name
        if name is None or not called.is_place(name.facts) or thing.kind in ("mac", "ip"):
            break
        at = _ties(words, name.start, seen)
        placed, name = True, called.before(words, at)
    if name is None:
        return None
    last = words[name.end - 1].rstrip(_MARKUP).lower()
    seen.update([":"] if last.endswith(":") else ["'s"] if last.endswith("'s") else [])
    if name.plain and _headed(words, name, seen, bare, thing, placed=placed):
        return name
    return name if _tied(name, seen, bare, thing) and _free(words, name, seen) else None


def _headed(words: Sequence[str], name: Spoken, seen: set[str], bare: bool, thing: Found, *, placed: bool) -> bool:
    """Whether a common word stands at the start like a name in a list: `cellar: 192.0.2.31`, `Lookout = 3000`."""
    if not name.exact or not (name.start == 0 or (name.start == 1 and _is_bullet(words[0]))):
        return False
    if seen.isdisjoint(_SIGNS) or not seen <= _SIGNS | _FILLERS | (_KINDS if not bare else frozenset()):
        return False
    if not bare:
        return thing.kind != "port" or placed
    numbered = isinstance(thing.value, int) and thing.value >= 1000 and thing.value not in _YEARS
    return numbered and words[name.start].strip(_MARKUP)[:1].isupper() and (placed or not seen.isdisjoint(_EQUALS))


def _is_bullet(word: str) -> bool:
    return word in ("-", "*", "•") or (word[:-1].isdigit() and word[-1] in ".)")


def _ties(words: Sequence[str], at: int, seen: set[str]) -> int:
    """Where the words end that do not tie; what ties is put into `seen`."""
    least = max(0, at - _MOST)
    while at > least:
        raw = words[at - 1]
        word = raw.lower().strip(_MARKUP) if raw not in _SIGNS else raw
        sign = word[-1:] if word[-1:] in (":", "=") else ""
        word = word.rstrip(":=") or sign
        if word and word not in _FILLERS | _KINDS | _PREPOSITIONS | _VERBS | _PLURALS | _SIGNS:
            return at
        seen.update(one for one in (word, sign) if one)
        at -= 1
    return at


def _tied(name: Spoken, seen: set[str], bare: bool, thing: Found) -> bool:
    """Whether the words between are enough: a bare number wants more than an address does, a common word more."""
    verb = not seen.isdisjoint(_VERBS | _PLURALS)
    kind = not seen.isdisjoint(_KINDS)
    on = not seen.isdisjoint(_ON)
    sign = not seen.isdisjoint(_SIGNS)
    if name.plain:
        strong = (verb and (on or kind or not bare)) or ("'s" in seen and kind)
        return strong and (name.exact or "the" not in seen or "'s" in seen or on)
    if bare:
        numbered = isinstance(thing.value, int) and thing.value >= 1000 and thing.value not in _YEARS
        return (verb and on) or (kind and (verb or sign)) or ((sign or "is" in seen) and numbered)
    return verb or sign or (kind and (on or "'s" in seen)) or kind


def _free(words: Sequence[str], name: Spoken, seen: set[str]) -> bool:
    """Whether nothing before a name makes another name of it, or only says that one thing is near it."""
    at = name.start
    article = at > 0 and words[at - 1].lower() in ("the", "a", "an")
    if name.plain and article and not name.exact:
        return False
    while at and words[at - 1].lower().strip(_MARKUP) in _TYPES:
        at -= 1
    if not at:
        return True
    before = words[at - 1].lower()
    if before in ("of", "for"):
        return _of_kind(words, at - 1)
    if before == "and":
        return seen.isdisjoint(_PLURALS) and not seen.isdisjoint(_VERBS)
    return before.endswith(_CLAUSE_ENDS) or before.strip(_MARKUP) in _OPENERS or before in _SIGNS | {"-", "*", "•"}


def _of_kind(words: Sequence[str], at: int) -> bool:
    """Whether `of` follows the kind of identifier, and nothing but it (`the MAC address of`)."""
    kinds = at
    while kinds and words[kinds - 1].lower().strip(_MARKUP) in _KINDS | {"number", "id", "static", "local"}:
        kinds -= 1
    if kinds == at:
        return False
    if kinds and words[kinds - 1].lower() in ("the", "its"):
        kinds -= 1
    before = words[kinds - 1].lower() if kinds else ""
    return not before or before.endswith(_CLAUSE_ENDS) or before in _OPENERS


# ---- The identifier, then a name -------------------------------------------------------------------------------------


def _after(called: Called, words: Sequence[str]) -> Spoken | None:
    at = 0
    if len(words) > 2 and words[0].lower() in ("of", "on", "at"):  # port 1337 of the mini is …
        at = 2 + (words[1].lower() in ("the", "host"))
    if at >= len(words) or words[at].lower() not in _LEADS:
        return None
    if words[at].lower() == "belongs" and (at + 1 == len(words) or words[at + 1].lower() != "to"):
        return None
    at += 1 + (words[at].lower() == "belongs")
    at = _skipped(words, at)
    name = called.after(words, at)
    if name is None or (name.plain and not name.exact):
        return None
    last = words[name.end - 1].strip('"*_`”').lower()
    if last.endswith("'s") and not (name.end < len(words) and usual(words[name.end]) in _KINDS):
        return None
    ended = name.end == len(words) or last.endswith((",", ".", ";", ":", "!", ")", "'s"))
    return name if ended or usual(words[name.end]) in _BEHIND or words[name.end].startswith("(") else None


def _skipped(words: Sequence[str], at: int) -> int:
    """Where the name begins: the used by, the MAC of, the port of."""
    while at < len(words) and words[at].lower() in _KINDS | _TYPES | {"used", "by", "for", "of", "number", "assigned"}:
        at += 1
    return at


def name_alone(called: Called, text: str) -> Spoken | None:
    """The name that a short answer is (`LEET.`, `That is LEET.`, `It's the Memory Vault.`)."""
    words = words_of(text)
    at = 0
    while at < len(words) and usual(words[at]) in _TYPES | {"it", "that", "this", "is", "it's", "that's"}:
        at += 1
    name = called.after(words, at)
    return name if name and name.end == len(words) and not words[-1].endswith("?") else None
