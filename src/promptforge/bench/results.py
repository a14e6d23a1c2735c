"""The values of a run: arms, replies, scores, and what a comparison of two arms shows. Nothing here reads or writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from promptforge.backends.base import Answer
from promptforge.bench.cases import Tier

__all__ = [
    "NOT_SENT",
    "OWN",
    "Arm",
    "ArmScores",
    "CaseRecord",
    "CaseScore",
    "Comparison",
    "Effect",
    "Flip",
    "Held",
    "Judgement",
    "Label",
    "Level",
    "Reply",
    "Run",
    "Score",
    "State",
    "Verdict",
]

NOT_SENT = "not sent: "
"""How the reason begins of what was not sent because of what befell another request."""
State = Literal["answered", "failed", "timed_out", "truncated", "not_applicable"]
"""`truncated` was asked again with twice the limit, where it has one, and is scored on what was said;
`not_applicable`: clearance."""

Label = Literal[
    "",  # right
    "wrong",
    "incomplete",
    "forbidden",
    "refused",
    "over_refused",
    "made_up",
    "too_short",
    "wrong_language",
    "empty",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one answer did on one case."""

    value: float
    """0 to 1: the mean of the checks, 0 when a veto is broken."""
    label: Label = ""
    """Why it is not 1."""
    checks: tuple[tuple[str, float, str], ...] = ()
    """For each check (kind, share met, what was missing or found)."""
    broken: tuple[str, ...] = ()
    """The vetoes that the answer broke, in words."""
    made_up: tuple[str, ...] = ()
    """Identifiers in the answer that stand in no fact, nor in the question."""


OWN = "own"
"""The model of an arm in which every agent is asked on its own."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Arm:
    """One side of a run: a model with a variant of its agents' prompts."""

    model: str
    variant: str
    """`base`, `enriched`, `without few-shot`, `only ports`, …"""
    revision: str = ""
    """Of `bench --against`; empty for the files as they are."""

    def __str__(self) -> str:
        return " · ".join(part for part in (self.variant, self.model, self.revision) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of one request."""

    arm: Arm
    case: str
    agent: str
    repeat: int
    """From 0."""
    state: State
    identity: str
    """The hash of what was sent."""
    answer: Answer | None = None
    score: Score | None = None
    """None where it was not answered: a missing score is never a zero."""
    fault: str = ""
    message: str = ""
    """Why it was not answered, in words."""
    inherited: str = ""
    """The id of the run that asked, where an earlier answer was taken over."""
    cost_usd: float | None = None
    """None where the model has no price or the server no usage."""
    judged: float | None = None
    """By rubric, 0 to 1; never part of the score."""
    judged_why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a judge says of two arms' answers to one case, by its rubric; never part of a score."""

    before: Arm
    after: Arm
    case: str
    agent: str
    repeat: int
    winner: Literal["before", "after", "tie", ""] = ""
    """Empty where nothing was judged."""
    consistent: bool = True
    """Whether it said the same with the answers in either order; where not, it is a tie."""
    why: str = ""
    """In the judge's words; where nothing was judged, why not."""
    fault: Literal["", "identical", "family", "barred", "unanswered", "unread", "failed"] = ""
    """Why nothing was judged: the answers are alike, clearance, no verdict in the form that was asked for, …"""
    cost_usd: float | None = None
    """Of both orders; None where the judge has no price, or was not asked."""
    inherited: str = ""
    """The id of the run that asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A line of an agent's prompt that held a fact that a case expects."""

    agent: str
    variant: str
    line: int
    """Of the system prompt, from 1; 0 for a message."""
    file: str
    file_line: int
    fact: str
    text: str = ""
    """The line itself, cut where it is long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """A case as a run keeps it, so that a report needs no project."""

    id: str
    category: str
    tier: Tier
    agents: tuple[str, ...]
    question: str
    expected: tuple[str, ...]
    """In words, one a check: `all: 42069`, `says that it does not know`."""
    generated: bool = False
    given_away: str = ""
    """By what (`example no-such-listener, fewshot/council.yaml:11`); such a case counts in no headline and no test."""
    shown: str = ""
    """The suite's reason why it counts all the same."""
    pass_fail: bool = False
    """Whether its score can only be 0 or 1."""
    rubric_only: bool = False
    """Whether only a judge could say: it has no score."""
    cluster: str = ""
    """The name of its cluster: cases that rest on a common fact."""
    file: str = ""
    line: int = 0
    held: tuple[Held, ...] = ()
    private: tuple[str, ...] = ()
    """The literal private values in it or in its answers: redacted in a report."""

    @property
    def counts(self) -> bool:
        """Whether it is in the headline and in every test."""
        return not self.generated and not self.rubric_only and (not self.given_away or bool(self.shown))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Variants of agents on models over one suite."""

    id: str
    suite: str
    suite_digest: str
    categories: tuple[str, ...]
    started: str
    """ISO 8601, UTC."""
    finished: str = ""
    """Empty while it goes on, or where it was cut short."""
    command: str = ""
    arms: tuple[Arm, ...]
    cases: tuple[CaseRecord, ...]
    replies: tuple[Reply, ...]
    repeats: int = 1
    notes: tuple[str, ...] = ()
    """Warnings that belong above the scores."""
    stopped: str = ""
    """Why it was cut short (a budget, an interrupt), or nothing."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """promptforge, python, platform, git commit, knowledge digest, …"""
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What each model was (backend, base_url, model, params, tier, server identity); never a key."""
    private_values: tuple[str, ...] = ()
    """Literal values of private facts, for redaction."""
    section_tokens: Mapping[str, float] = field(default_factory=dict)
    """What each section costs in an enriched prompt, on average; only where sections were left out."""
    judge: str = ""
    """The model that judges by rubric, where there are rubrics and a judge."""
    judgements: tuple[Judgement, ...] = ()
    judge_stopped: str = ""
    """Why the judge was not asked to the end; the scores do not need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScore:
    """A case under one arm: the mean over its agents and repeats."""

    case: str
    value: float
    replies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How well one arm did, with the 95 % interval (Wilson; overall and tiers: MOVER). Never for differences."""

    value: float
    low: float
    high: float
    cases: int
    effective: float
    """Independent cases: fewer than the cases where these share facts."""
    full: int
    """Cases with the full score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmScores:
    """What one arm scored: for the tables that `bench` and `report` print."""

    arm: Arm
    overall: Level | None
    """None while a case that counts is unanswered, or where none counts."""
    categories: Mapping[str, Level] = field(default_factory=dict)
    """Those without an unanswered case."""
    tiers: Mapping[str, Level] = field(default_factory=dict)
    generated: Level | None = None
    """Of the generated cases, apart."""
    cases: tuple[CaseScore, ...] = ()
    """Every case that was answered, those that do not count included."""
    states: Mapping[State, int] = field(default_factory=dict)
    """How many replies are in each state."""
    labels: Mapping[Label, int] = field(default_factory=dict)
    """How many answers fell short in each way, most frequent first."""
    declared: tuple[str, ...] = ()
    """Every category of the suite, in its order."""
    empty_categories: tuple[str, ...] = ()
    not_applicable: tuple[str, ...] = ()
    """`case × agent`, barred by clearance for some arm of the run and left out of all."""
    unanswered: tuple[str, ...] = ()
    """`case × agent × arm`, until they are asked again."""
    reader: bool = False
    """Its answers were found in the prompt by no model: `full` of `cases` can be found there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A paired difference, after minus before, with what can be said of it (design 5.1)."""

    cases: int
    clusters: int
    differing: int
    """Clusters with a difference."""
    before: float
    after: float
    """Unweighted mean over categories (overall), or over cases (a category)."""
    estimate: float
    low: float
    high: float
    """The 95 % interval by inversion of the sign-flip test."""
    p: float
    """Two-sided."""
    p_worse: float
    """One-sided, against a fall."""
    p_better: float
    """One-sided, against a gain."""
    p_adjusted: float | None = None
    """Benjamini-Hochberg over the categories of one table."""
    exact: bool = True
    """All sign patterns were tried, rather than seeded draws."""
    too_few: bool = False
    """So few clusters differ that no outcome could have been significant."""
    detectable: float | None = None
    """The smallest difference that the suite could show at 80 % power; None: none at this discordance."""
    effective: float = 0.0
    """Independent cases, by the weights of the clusters: 1/Σw²."""
    discordance: float = 0.0
    """The mean square of the differences of independent cases; of pass/fail cases the share that differs."""
    most: float = 0.0
    """What the differing clusters would give, did all of them go one way."""

    @property
    def shown(self) -> bool:
        """Whether the difference is shown, two-sided at 5 %."""
        return not self.too_few and self.p <= 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A case whose score differs between the two arms."""

    case: str
    category: str
    before: float
    after: float
    label: str
    """Of the worse side: why it fell short there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A judgement in words."""

    word: Literal["better", "worse", "not shown", "identical", "withheld"]
    """`withheld`: requests are unanswered, so there is no overall score yet."""
    sentence: str
    reasons: tuple[str, ...] = ()
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two arms over the same cases."""

    before: str
    after: str
    overall: Effect | None
    """None where it is withheld or where there are no paired cases."""
    categories: Mapping[str, Effect] = field(default_factory=dict)
    tiers: Mapping[str, Effect] = field(default_factory=dict)
    generated: Effect | None = None
    """Of the generated cases, apart."""
    fixed: tuple[Flip, ...] = ()
    broke: tuple[Flip, ...] = ()
    mcnemar: float | None = None
    """Exact, where every case is pass or fail and its own cluster."""
    empty_categories: tuple[str, ...] = ()
    """Declared, but without a case that counts."""
    unpaired: tuple[str, ...] = ()
    """Cases that only one side has, or that are not applicable on one."""
    unanswered: tuple[str, ...] = ()
    """`case × agent × arm`, until they are asked again."""
    reader: bool = False
    """An arm was answered by no model: its numbers say what can be found, never what is better."""
    verdict: Verdict
