"""The weakest categories of a run, and which rows would train them. Held-out cases are neither read nor counted."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from promptforge.bench.arms import arm_scores
from promptforge.bench.cases import Case
from promptforge.bench.results import Arm, ArmScores, Run
from promptforge.dataset.seeds import Seed

__all__ = ["Weak", "weakest"]

_SHARE = 0.25
"""So many of the categories are weak: a quarter, at least one."""
_OPEN = ("gold", "extended")
_FLAGS = {"abstain": "unknown", "refuse": "refusal", "answer": "benign"}
"""A check, or veto, and the category of rows that trains what it looks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weak:
    """What gets the larger share of its kind."""

    categories: frozenset[str] = frozenset()
    places: frozenset[tuple[str, str]] = frozenset()
    """Tables and columns that cases of these categories ask for."""
    kinds: frozenset[str] = frozenset()
    """Categories of rows that train them whatever the fact."""
    notes: tuple[str, ...] = field(default=())

    def holds(self, seed: Seed) -> bool:
        """Whether a seed's rows train a weak category."""
        if not self.categories:
            return False
        if seed.category in self.kinds or not self.categories.isdisjoint(seed.topics):
            return True
        asked = seed.other if seed.direction == "hops" else seed.fact
        return asked is not None and (asked.table, seed.column) in self.places


def weakest(run: Run, cases: Iterable[Case], *, model: str, variant: str) -> Weak:
    """The weakest categories of a run as its best fitting arm shows them, with what is to be said of it."""
    arm = _arm(run, model, variant)
    if arm is None:
        return Weak(notes=(f"weak_from: no model answered in run {run.id} (the reader is none), so nothing was moved",))
    scores = _open_scores(run, arm)
    levels = {name: level.value for name, level in scores.categories.items() if level.value < 1}
    if not levels:
        return Weak(notes=(f"weak_from: no category of run {run.id} ({arm}) fell short, so nothing was moved",))
    count = max(1, round(len(scores.categories) * _SHARE))
    names = sorted(levels, key=lambda name: (levels[name], name))[:count]
    own = [case for case in cases if case.category in names and case.tier in _OPEN]
    places = {(p.fact.split("/", 1)[0], p.column) for case in own for p in case.expects}
    kinds = {_FLAGS[check.kind] for case in own for check in case.checks if check.kind in _FLAGS}
    shown = ", ".join(f"{name} {levels[name]:.2f}" for name in names)
    note = (
        f"weak_from: run {run.id} ({arm}), gold and extended cases: the weakest categories are {shown}; rows that "
        "ask for what their cases ask for get 60 % of their category of rows"
    )
    other = [] if arm.model == model else [f"weak_from: run {run.id} has no answers of {model}; {arm} stands for it"]
    return Weak(categories=frozenset(names), places=frozenset(places), kinds=frozenset(kinds), notes=(note, *other))


def _arm(run: Run, model: str, variant: str) -> Arm | None:
    """The recipe's own model and prompt, else the model, else the prompt, else the first; never a reader."""
    answering = [arm for arm in run.arms if run.models.get(arm.model, {}).get("backend") != "reader"]
    return min(
        answering, key=lambda arm: (arm.model != model, arm.variant != variant, bool(arm.revision)), default=None
    )


def _open_scores(run: Run, arm: Arm) -> ArmScores:
    """As if there were no held-out tier."""
    cases = tuple(record for record in run.cases if record.tier in _OPEN)
    kept = {record.id for record in cases}
    replies = tuple(reply for reply in run.replies if reply.case in kept)
    return arm_scores(replace(run, cases=cases, replies=replies), arm)
