"""The values of a suite: cases, their checks, and what they rest on. Nothing here reads or writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from promptforge.source import Span

__all__ = ["CHECKS", "OWN_ROWS", "TIERS", "VETOES", "Case", "Check", "Printed", "Suite", "Tier"]

Tier = Literal["gold", "extended", "heldout"]
TIERS: tuple[Tier, ...] = ("gold", "extended", "heldout")

OWN_ROWS = frozenset(["generated, apart", "found in the prompt", "no tier", "by tier"])
"""What tables call rows besides those of categories, OVERALL and tiers; in small letters."""

CHECKS = ("all", "any", "equals", "regex", "order", "abstain", "refuse", "tool", "json")
"""What adds to the score. `refuse: true` is a check, `refuse: false` a veto."""
VETOES = ("none", "only", "answer")
"""What makes a case 0 when broken. `answer` is how `refuse: false` is kept: the model must not refuse."""


class Printed(NamedTuple):
    """A value of a fact that a text prints."""

    fact: str
    """Its id: `ports/mini:1337`."""
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One entry of `expect`, references filled in."""

    kind: str
    """One of CHECKS or VETOES."""
    values: tuple[str, ...] = ()
    """Of all, any, order and none: each entry; of equals and regex: one; of only: `TABLE.COLUMN`."""
    forms: tuple[str, ...] = ()
    """For each value the kind of the column that it prints whole (port, mac, ip, tailscale, entity, text, …), or ''."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Of tool: {name, arguments}; of json: the schema."""
    printed: tuple[Printed, ...] = ()
    """The values of facts that its texts print."""

    @property
    def veto(self) -> bool:
        """Whether it only forbids."""
        return self.kind in VETOES


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question, references filled in, for the agents it names."""

    id: str
    category: str
    tier: Tier
    agents: tuple[str, ...]
    messages: tuple[tuple[str, str], ...]
    """(role, content): one user turn for `ask`, several for `messages`; the last one is the user's."""
    checks: tuple[Check, ...]
    """Checks and vetoes."""
    vars: Mapping[str, str] = field(default_factory=dict)
    """What the runtime names are filled with in the prompt."""
    tools: tuple[Mapping[str, Any], ...] = ()
    judge: str = ""
    """The rubric, if any; reported apart, never in the score."""
    shown: str = ""
    """Why it counts although an example gives it away."""
    generated: bool = False
    span: Span
    asked: tuple[Printed, ...] = ()
    """The values of facts that the question prints."""
    reads: frozenset[str] = frozenset()
    """Everything that its question and its expectations depend on: fact ids, `table:NAME`."""
    used: frozenset[Printed] = frozenset()
    """Every value of a fact that they read."""
    shows: tuple[tuple[str, str], ...] = ()
    """(fact id, sensitivity) of what the question shows: clearance is judged by it once more when it is sent."""
    answer_shows: tuple[tuple[str, str], ...] = ()
    """The same of the expectations, which a judge is sent."""

    @property
    def question(self) -> str:
        """What the user says last."""
        return self.messages[-1][1]

    @property
    def expects(self) -> tuple[Printed, ...]:
        """The values of facts that its checks (not vetoes) print: what it is about."""
        return tuple(dict.fromkeys(p for check in self.checks if not check.veto for p in check.printed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A benchmark."""

    name: str
    file: str
    categories: tuple[str, ...]
    cases: tuple[Case, ...]
    """Written ones first, in order, then generated ones."""
    digest: str = ""
    """Of what is asked and expected: it changes when the suite does, and a look at it starts anew."""
