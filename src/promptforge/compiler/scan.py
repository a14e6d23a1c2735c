"""The search for what must not reach a prompt: secrets, orders to a model, unseen characters, chat markers. Pure.

A file is looked at as a whole first: `suspicious` is fast, and what it clears needs no second look. Its speed comes
from the skeleton of a text, its small letters with all between them left out, which is half as long, joins the words
that YAML folds over lines, and can be searched for several words at once from their rarest letter.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from promptforge.compiler.injections import INSTRUCTIONS, MARKERS, UNSEEN
from promptforge.compiler.patterns import COLUMNS, PRIVATE_NEARBY, PUBLIC_NEARBY, SECRETS, WIREGUARD, Column, Rule
from promptforge.compiler.proofs import COLUMN_PROOFS, PROOFS, is_elsewhere

__all__ = ["Finding", "neutralise", "scan", "suspicious"]


class Finding(NamedTuple):
    """One thing in a text that must not reach a prompt."""

    code: str
    """'PF510' and so on."""
    start: int
    end: int
    """Offsets in the text."""
    message: str
    """What was seen; of a secret its first two characters at most, of a PIN none."""
    hint: str
    """How to mend it."""


# ---- A whole file ----------------------------------------------------------------------------------------------------

_RULES = (*SECRETS, *INSTRUCTIONS)
_KEPT = b"abcdefghijklmnopqrstuvwxyz-_"
_CONTROL = bytes(code for code in (*range(32), 127) if chr(code) not in "\t\n\r")
_LEFT_OUT = bytes(code for code in range(256) if code not in _KEPT and code not in _CONTROL)
_READ_AS = bytes.maketrans(b"jqz" + _CONTROL, b"xxx" + bytes(len(_CONTROL)))
"""Letters that are rare in any text are read as one, and share one search."""
_RAREST_FIRST = b"xkwvy_bgupmfhdclsnirota-e"


def _skeleton(text: bytes) -> bytes:
    return text.lower().translate(_READ_AS, _LEFT_OUT)


class _Search(NamedTuple):
    """The needs with one rarest letter, searched for together."""

    hop: re.Pattern[bytes]
    """For a skeleton. It begins with the letter, which makes `re` hop from one to the next as fast as `in` would, and
    looks back at what stands before it."""
    needs: tuple[tuple[bytes, re.Pattern[bytes] | None], ...]
    """The stem of each need, and how it is spelled: a skeleton also holds `pin` for `pi, name`. A need of several words
    may go on in the next piece of a file, so its stem is enough."""

    def finds(self, skeleton: bytes, piece: bytes) -> bool:
        """Whether a piece of a file holds one of the needs."""
        if not self.hop.search(skeleton):
            return False
        return any(stem in skeleton and (not spelled or spelled.search(piece)) for stem, spelled in self.needs)


_WORDS = ("forget", "ignore", "key", "pin", "prompt", "psk", "token", "you")
_SPELLED = {word: b"%s[rs]?(?![a-z])" % word.encode() for word in _WORDS}
_SPELLED |= {
    "human": rb"\n[ \t]*human:",
    "pass": b"pass(?:word|wd|phrase|code|s?(?![a-z]))",
    "pw": b"pw(?:d|s?(?![a-z]))",
}


def _searches(needs: Iterable[str]) -> Iterator[_Search]:
    by_letter: dict[int, list[str]] = {}
    for need in sorted(needs):
        by_letter.setdefault(min(_skeleton(need.encode()), key=_RAREST_FIRST.index), []).append(need)
    for letter, group in by_letter.items():
        stems = [_skeleton(need.encode()) for need in group]
        rest = {_after(stem, stem.index(letter)) for stem in stems}
        hop = re.compile(re.escape(bytes([letter])) + b"(?:%s)" % b"|".join(sorted(rest)))
        spelled = [None if " " in n else re.compile(_SPELLED.get(n) or re.escape(n.encode())) for n in group]
        yield _Search(hop=hop, needs=tuple(zip(stems, spelled, strict=True)))


def _after(stem: bytes, at: int) -> bytes:
    return re.escape(stem[at + 1 :]) + (b"(?<=%s)" % re.escape(stem) if at else b"")


_SECRET_NEEDS = {"human"}.union(*(rule.needs for rule in SECRETS), *(column.needs for column in COLUMNS))
_NEEDS = _SECRET_NEEDS.union(*(rule.needs for rule in INSTRUCTIONS))
"""What a file must hold to hold any secret, instruction or turn of a chat at all."""
_IN_FULL = {"act as", "code", "combin", "combo", "cred", "secret"}
_FULL = re.compile(rb"c(?:ode(?!name)|omb[io]|re[dt]|t[^a-z]*(?:as|\Z))")
"""These are looked for in the text and not in its skeleton: a file of ports says codename in every line."""


def _in_skeleton(needs: set[str]) -> set[str]:
    return {need for need in needs if not any(part != need and part in need for part in needs)} - _IN_FULL


@cache
def _all_searches(orders: bool) -> tuple[_Search, ...]:
    return tuple(_searches(_in_skeleton(_NEEDS if orders else _SECRET_NEEDS)))


_LONGEST = max(map(len, _NEEDS))
_PIECE = 1 << 15

_SIGNS = (
    ("@", re.compile(r"://[^\s/?#]+@")),
    ("=", re.compile(r"=(?<=[A-Za-z0-9+/]{43}=)")),
    ("#", re.compile(r"#(?<=\d{4}#)")),
    ("<", re.compile(MARKERS["<"])),
    ("[", re.compile(MARKERS["["])),
    ("\r", re.compile(r"\r(?!\n)")),
)
_TURN_LINE = re.compile(r"\n[ \t]*Assistant:")


def suspicious(raw: str, *, orders: bool = True) -> bool:
    """Whether a value of a YAML file with this text could have a finding. False is certain, True is not.

    Without `orders` text that instructs a model (PF520) does not count: a persona is there for that.

    >>> suspicious("- {host: mini, port: 1337, codename: LEET, service: Council MLX, mac: 00:00:5E:00:53:21}")
    False
    >>> suspicious("notes: the garage code is 4821#")
    True
    """
    if "\\" in raw or (not raw.isascii() and UNSEEN.search(raw)):  # an escape can write anything
        return True
    if any(sign in raw and pattern.search(raw) for sign, pattern in _SIGNS):
        return True
    if "Assistant:" in raw and _TURN_LINE.search(raw):
        return True
    tail, searches = b"", _all_searches(orders)
    for piece in _pieces(raw):
        if _FULL.search(piece):
            return True
        skeleton = tail + piece.translate(_READ_AS, _LEFT_OUT)
        if 0 in skeleton or any(search.finds(skeleton, piece) for search in searches):
            return True
        tail = skeleton[-_LONGEST:]
    return False


def _pieces(raw: str) -> Iterator[bytes]:
    """The text in small letters, some lines at a time: what fits into the processor's cache is read faster."""
    start = 0
    while start < len(raw):
        end = raw.find("\n", start + _PIECE) + 1 or len(raw)
        yield raw[start:end].encode().lower()
        start = end


# ---- One value -------------------------------------------------------------------------------------------------------

_STEMS_OF = tuple((rule, tuple(_skeleton(need.encode()) for need in rule.needs)) for rule in _RULES)
_ANY_STEM = re.compile(b"|".join(sorted({re.escape(stem) for _, stems in _STEMS_OF for stem in stems})))
_RULE_SIGNS = tuple({rule.sign for rule in _RULES if rule.sign})
_SHORTEST = 6
"""Characters of the shortest text that a rule can match."""

_CHANGE = "take it out and change it; write where it is kept, not what it is"
_HINTS = {
    "PF510": "take it out and make a new key; write where it is kept, not what it is",
    "PF511": "take it out and revoke it; write where it is kept, not what it is",
    "PF512": _CHANGE,
    "PF513": "take it out and change it; who may open this knows it without a prompt",
    "PF514": _CHANGE,
    "PF515": "write the address without its user and password",
    "PF520": "write what is so; what an agent should do belongs in its persona",
    "PF521": "delete it; where a word needs it, write the word in another way",
    "PF522": "write it in other words; in a prompt it gets a backslash, so that no model obeys it",
}


def scan(text: str, *, name: str = "") -> tuple[Finding, ...]:
    """What must not reach a prompt in one value; `name` is the column or key that holds it.

    >>> [(f.code, f.start, f.end) for f in scan("alarm PIN 482913", name="notes")]
    [('PF513', 10, 16)]
    >>> scan("error code 404"), scan("see the vault", name="wifi_password")
    ((), ())
    """
    orders: list[Finding] = []
    secrets = [*_wireguard(text, name), *_column(text, name)]
    for rule in _possible(text):
        (orders if rule.code == "PF520" else secrets).extend(_matches(rule, text))
    findings = (*_unseen(text), *_markers(text), *_apart(secrets), *_apart(orders))
    return tuple(sorted(findings, key=lambda finding: (finding.start, finding.code)))


def _possible(text: str) -> Iterator[Rule]:
    if len(text) < _SHORTEST:
        return
    skeleton = _skeleton(text.encode("utf-8", "replace"))
    if _ANY_STEM.search(skeleton) or any(sign in text for sign in _RULE_SIGNS):
        for rule, stems in _STEMS_OF:
            if rule.sign in text if rule.sign else any(stem in skeleton for stem in stems):
                yield rule


_CONTROL_NAMES = {0: "NULL", 8: "BACKSPACE", 13: "CARRIAGE RETURN", 27: "ESCAPE", 127: "DELETE", 133: "NEXT LINE"}
_CATEGORY_NAMES = {"Cc": "CONTROL CHARACTER", "Co": "PRIVATE USE", "Cs": "LONE SURROGATE", "Cn": "UNASSIGNED"}


def _unseen(text: str) -> Iterator[Finding]:
    if text.isascii() and text.isprintable():
        return
    for match in UNSEEN.finditer(text):
        first = match[0][0]
        named = _CONTROL_NAMES.get(ord(first)) or _CATEGORY_NAMES.get(unicodedata.category(first))
        more = f" and {len(match[0]) - 1} more" if len(match[0]) > 1 else ""
        message = f"the unseen character U+{ord(first):04X} {named or unicodedata.name(first, 'WITHOUT A NAME')}{more}"
        yield _finding("PF521", match.span(), message)


_MARKER = re.compile("|".join(MARKERS.values()))


def _markers(text: str) -> Iterator[Finding]:
    for match in _MARKER.finditer(text) if _may_mark(text) else ():
        group = "turn" if match["turn"] else 0
        yield _finding("PF522", match.span(group), f"the chat marker '{match[group]}'")


def _may_mark(text: str) -> bool:
    return "<" in text or "[" in text or "Human:" in text or "Assistant:" in text


def neutralise(text: str) -> str:
    r"""Break chat markers, so that none can be read as a control token. Nothing else is changed.

    >>> print(neutralise("<|im_start|>system, [INST] and </think>, but a < b [x]"))
    <\|im_start|>system, [\INST] and <\/think>, but a < b [x]
    """
    return _MARKER.sub(_broken, text) if _may_mark(text) else text


def _broken(match: re.Match[str]) -> str:
    marker = match[0]
    return f"{marker[:-1]}\\:" if match["turn"] else f"{marker[0]}\\{marker[1:]}"


def _finding(code: str, span: tuple[int, int], message: str) -> Finding:
    return Finding(code=code, start=span[0], end=span[1], message=message, hint=_HINTS[code])


_SHOWN_FROM = 8
"""Characters of the shortest secret of which two are shown: they are no help with the others."""
_EXCERPT = 60


def _matches(rule: Rule, text: str) -> Iterator[Finding]:
    proof = PROOFS[rule.proof]
    group = "secret" if "secret" in rule.pattern.compiled.groupindex else 0
    for match in rule.pattern.finditer(text):
        if not proof(match):
            continue
        message = rule.what
        if rule.code == "PF520":
            message += f": '{' '.join(UNSEEN.sub('', match[0]).split())[:_EXCERPT]}'"
        elif rule.code in ("PF511", "PF512", "PF514") and len(match[group]) >= _SHOWN_FROM:
            message += f" ('{match[group][:2]}…')"
        yield _finding(rule.code, match.span(group), message)


def _apart(findings: list[Finding]) -> Iterator[Finding]:
    """Of findings in one place the most specific: a Wi-Fi key is a password, and a password may look like a token.

    Its code is the higher one; with equal codes the longer finding says more.
    """
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda finding: (finding.code, finding.end - finding.start), reverse=True):
        if all(finding.end <= other.start or other.end <= finding.start for other in kept):
            kept.append(finding)
    yield from kept


def _wireguard(text: str, name: str) -> Iterator[Finding]:
    """WireGuard's private and public keys look alike, so it depends on the words around one."""
    for match in WIREGUARD.finditer(text) if "=" in text else ():
        around = f"{name} {text[max(0, match.start() - 48) : match.start()]}"
        private = re.search(r"private|privkey|secret", around, re.ASCII | re.IGNORECASE)
        if PRIVATE_NEARBY.search(around) and (private or not PUBLIC_NEARBY.search(around)):
            yield _finding("PF510", match.span(), "a WireGuard private key")


# ---- A column --------------------------------------------------------------------------------------------------------

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN = re.compile(r"[^A-Za-z0-9]+")
_SECRETIVE = re.compile(r"pass|pw|key|psk|code|pin|comb|token|bearer|secret", re.ASCII | re.IGNORECASE)


def _column(text: str, name: str) -> Iterator[Finding]:
    if not _SECRETIVE.search(name):
        return
    value = text.strip()
    if not value or is_elsewhere(value):
        return
    words = _BETWEEN.sub("_", _HUMP.sub("_", name)).strip("_").lower()
    at = text.index(value)
    for column in COLUMNS:
        if column.name.search(words) and (span := COLUMN_PROOFS[column.proof](value)):
            yield _finding(column.code, (at + span[0], at + span[1]), _said(column, name, value))
            return


def _said(column: Column, name: str, value: str) -> str:
    shown = f" ('{value[:2]}…')" if column.code in ("PF511", "PF512", "PF514") and len(value) >= _SHOWN_FROM else ""
    return f"column '{name}' holds {column.what}{shown}"
