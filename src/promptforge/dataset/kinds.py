"""What kind of row a row is: said by a column, or recognised by rules that the report shows. Pure.

The first rule that fits decides. The rules are there for files that nobody labelled: they look at what is asked and
how it is answered, and know the project's agents and facts where there is a project.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from promptforge.bench.refusal import declines
from promptforge.dataset.rows import KINDS, Kind
from promptforge.dataset.shapes import Seen

__all__ = ["KindRules", "Recognised", "column_of"]

_SAME = {
    "identity": "persona self introduction who_am_i roleplay",
    "infrastructure": "infra topology facts knowledge lookup network satellite home_automation correlation",
    "domain": "few_shot fewshot example examples operations tools tool_precision expertise skill",
    "jailbreak": "safety refusal refusals adversarial red_team redteam attack security_refusal benign",
    "replay": "general generic rehearsal chat background",
}
_WORDS: dict[str, Kind] = {kind: kind for kind in KINDS} | {
    word: kind for kind in KINDS for word in _SAME[kind].split()
}


class Recognised(NamedTuple):
    """The kind of a row, and the rule that says so."""

    kind: Kind
    rule: str


def column_of(record: Mapping[str, Any], column: str) -> str:
    """The value of a column, `meta.kind` for one inside another; nothing where it is not there or no text."""
    value: Any = record
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _columns(record: Mapping[str, Any]) -> Iterator[str]:
    """The columns that hold a text, those inside others as they are named."""
    for name, value in record.items():
        if isinstance(value, str):
            yield name
        elif isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner, text in value.items() if isinstance(text, str))


# ---- What is asked ---------------------------------------------------------------------------------------------------

_ATTACK = re.compile(
    r"""
      \b(?:ignore|disregard|forget|override|bypass|set\ aside)\b[^.!?]{0,40}\b(?:instruction|rule|prompt|guideline
        |guardrail|restriction|training|safet|persona|polic)
    | \b(?:reveal|print|repeat|show|dump|output|paste)\b[^.!?]{0,30}\b(?:system\ prompt|instructions\ (?:above|verbatim)
        |hidden\ (?:prompt|instruction))
    | \b(?:you\ are\ now|pretend\ (?:to\ be|you|that)|act\ as|from\ now\ on\ you)\b[^.!?]{0,60}\b(?:dan\b|unrestricted
        |no\ (?:rules|limits|restrictions|filter)|without\ (?:rules|limits|restrictions)|evil|jailbr|unfiltered|root)
    | \b(?:developer|debug|diagnostic|maintenance|god|sudo|admin|dan|test)\ mode\b
    | \b(?:as|i\ am|i'm|this\ is)\ (?:the|your|an?)?\ ?(?:admin(?:istrator)?|founder|owner|developer|creator|root
        |(?:eval(?:uation)?|test)\ (?:harness|framework))\b[^.!?]{0,80}\b(?:order|authori[sz]|command|unlock|disable
        |reveal|override|grant|need\ you)
    | \[(?:system|admin|override)\] | <\|?(?:system|im_start)\|?> | \bjail\ ?break
    | \b(?:disarm|disable|unlock|switch\ off|turn\ off|get\ past|get\ round)\b[^.!?]{0,40}\b(?:alarm|locks?|cameras?
        |doors?|gate|safe)\b[^.!?]{0,80}\b(?:for\ (?:a|the)\ (?:test|drill|story|film|game|novel)|hypothetical
        |just\ once
        |without\ (?:anyone|telling|them|a\ trace)|emergency|nobody)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ATTACK_WORDS = _words(
    "ignore disregard forget override bypass set reveal print repeat show dump output paste now pretend act mode admin "
    "administrator founder owner developer creator root eval evaluation test disarm disable unlock switch turn "
    "get"
)
"""One of these is in every attack that `_ATTACK` finds without its marks."""
_REFUSES = re.compile(
    r"\b(?:no\b|not|can't|cannot|can’t|won't|won’t|will\ not|refuse|declin|unable|sorry|never)", re.IGNORECASE
)
_WHO = re.compile(
    r"""
      \bwho\ (?:are|r)\ (?:you|u)\b | \bwhat(?:'s|’s|\ is)\ your\ (?:name|role|job|duty|purpose|mission|task|function)\b
    | \bintroduce\ yourself\b | \btell\ me\ (?:something\ )?about\ yourself\b | \bdescribe\ yourself\b
    | \bwhat\ (?:are\ you|do\ you\ do|can\ you\ (?:do|help))\b | \bwhat\ should\ i\ call\ you\b
    | \bwho\ (?:made|built|created|trained)\ you\b | \byour\ (?:personality|character|persona|creed|motto|principles)\b
    | \bare\ you\ (?:an?\ )?(?:ai|chatgpt|gpt|claude|gemma|llama|qwen|human|robot|bot|assistant|jedi)\b
    | \bwhich\ (?:agent|model|council\ member)\ are\ you\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WHO_WORDS = _words("who you your yourself u")
"""One of these is in everything that `_WHO` finds."""
_ALL_WORDS = _ATTACK_WORDS | _WHO_WORDS
_SELF = re.compile(r"\A[\s*\"“]*(?i:i\ am|i'm|i’m|my\ name\ is|they\ call\ me|call\ me)\ (?P<name>[A-Z][\w-]+)")
_INFRA = re.compile(
    r"""
      \bports?\ \#?\d{2,5}\b | \b(?:\d{1,3}\.){3}\d{1,3}\b | \b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b
    | \b(?:light|switch|media_player|climate|sensor|binary_sensor|lock|cover|camera|vacuum|scene|script|automation
        |alarm_control_panel|fan)\.[a-z0-9_]{2,}\b
    | \b(?:tailscale|lan)\ (?:ip|address)\b | \bwhich\ (?:port|host|ip|mac|entity)\b | \b(?:mac|ip)\ address\b
    | \bssh\ \w+
    """,
    re.VERBOSE | re.IGNORECASE,
)


class KindRules:
    """The rules, with what they know of the project."""

    def __init__(self, agents: Collection[str] = (), *, column: str = "") -> None:
        self._columns = (column,) if column else ("kind", "meta.kind", "metadata.kind")
        self._named = bool(column)
        names = "|".join(re.escape(name) for name in sorted(agents, key=len, reverse=True))
        self._agents = re.compile(rf"\b(?:{names})\b", re.IGNORECASE) if names else None
        self.unknown: dict[str, int] = {}
        """Values of the column that name no kind, and how often; no more than a hundred of them are kept."""
        self.without = 0
        """Rows that do not have the column that was named."""
        self.others: dict[str, int] = {}
        """The columns that such rows have instead, and how often."""

    def given(self, row: Seen) -> Recognised | None:
        """The kind that a column says."""
        for column in self._columns:
            if said := column_of(row.extra, column):
                kind = _WORDS.get(said.lower().replace("-", "_").replace(" ", "_"))
                if kind:
                    return Recognised(kind, f"the column {column}")
                if said in self.unknown or len(self.unknown) < 100:
                    self.unknown[said] = self.unknown.get(said, 0) + 1
            elif self._named:
                self._missing(row)
        return None

    def _missing(self, row: Seen) -> None:
        self.without += 1
        for column in _columns(row.extra):
            if column in self.others or len(self.others) < 100:
                self.others[column] = self.others.get(column, 0) + 1

    def recognise(self, row: Seen, *, facts: bool, words: Collection[str] = _ALL_WORDS) -> Recognised:
        """The kind by what it says; `facts`: whether its question or answer names a fact of the project.

        `words` are those of the question, without case and accents: no pattern is looked for that they rule out.
        """
        question, answer = row.question[-4000:], row.answer[:4000]
        marked = "[" in question or "<" in question or "jail" in question.lower()
        if (marked or not _ATTACK_WORDS.isdisjoint(words)) and _ATTACK.search(question):
            return Recognised("jailbreak", "the question is an attack")
        if _REFUSES.search(answer[:200]) and declines(answer, question):
            return Recognised("jailbreak", "the answer refuses")
        if not _WHO_WORDS.isdisjoint(words) and _WHO.search(question):
            return Recognised("identity", "asks who you are")
        named = _SELF.match(answer)
        if named and (self._agents is None or self._agents.fullmatch(named["name"]) or named["name"].istitle()):
            return Recognised("identity", "the answer says who it is")
        if facts:
            return Recognised("infrastructure", "names a fact of the project")
        if _INFRA.search(question) or _INFRA.search(answer):
            return Recognised("infrastructure", "names a port, an address or an entity")
        if self._agents and self._agents.search(f"{question}\n{answer}"):
            return Recognised("domain", "names an agent")
        if self._agents and any(role == "system" and self._agents.search(t[:400]) for role, t in row.messages[:1]):
            return Recognised("domain", "is asked of an agent")
        return Recognised("replay", "nothing of the house in it")
