"""Which model an agent gets (design 5.6). Pure: what each may be asked, what it costs, what the pairs show.

An agent leaves the model of its own file only for evidence: another one is shown better, or it is cheaper and a fall
that matters is excluded. What is merely "not shown different" moves nobody: few cases would move everybody.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from promptforge.bench.results import Effect, Level
from promptforge.bench.stats import ALPHA
from promptforge.bench.verdicts import p_words, signed

__all__ = [
    "BEAR",
    "Against",
    "Bounds",
    "Choice",
    "Option",
    "choose",
    "counted",
    "dollars",
    "excluded_by",
    "largest_fall",
    "price_order",
    "scores_of",
]

BEAR = 0.10
"""The fall that a lower price is worth: a cheaper model takes over where more than this is excluded."""
_CHEAPER = 0.9
"""Of the other's price: measured costs differ a little from run to run."""
_OF_THREE = 3.0
"""Of n cases without a fall, up to 3/n of such cases may still fall (95 %)."""

Basis = Literal["better", "as good", "stays", "only", "not measured", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A model that an agent might get."""

    model: str
    tier: str
    current: bool = False
    """Whether it is the one of the agent's own file."""
    barred: str = ""
    """Why it may never be asked, or nothing: privacy, clearance, a prompt that it cannot take."""
    unmeasured: str = ""
    """Why there is no evidence of it, or nothing."""
    level: Level | None = None
    """Over the categories in which the agent is asked."""
    usd: float | None = None
    """Per 1,000 of the agent's own requests; None: not known."""
    latency_s: float | None = None
    """Of the agent's own requests, 19 of 20 are quicker; None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`fleet` of promptforge.yaml."""

    max_usd: float | None = None
    """Per 1,000 requests."""
    max_latency_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The model that an agent gets, and why."""

    model: str
    """Empty: none may be asked."""
    basis: Basis
    why: str
    excluded: Mapping[str, str] = field(default_factory=dict)
    """The models that were out before any score was looked at, with the reason."""


Against = Callable[[str, str], Effect | str]
"""(before, after): the paired difference of two models over the agent's categories; or in words why there is none."""


def choose(options: Sequence[Option], against: Against, bounds: Bounds, *, looks: int = 1) -> Choice:
    """The model of one agent. The order of the options changes nothing.

    `looks` are the sets of categories that a fleet has agents for: each is one more chance for noise to move somebody.
    """
    ordered = sorted(options, key=lambda one: (not one.current, one.model))
    excluded = {one.model: why for one in ordered if (why := excluded_by(one, bounds))}
    open_ = [one for one in ordered if one.model not in excluded]
    current = next((one for one in open_ if one.current), None)
    measured = [one for one in open_ if not one.unmeasured]
    if current is None:
        own = next((one.model for one in ordered if one.current), "")
        return _without_current(measured, against, excluded, excluded.get(own, ""), own, looks)
    if current.unmeasured:
        return Choice(model=current.model, basis="not measured", why=_unmeasured(current), excluded=excluded)
    return _held_against(current, [one for one in measured if one is not current], against, excluded, looks)


def excluded_by(one: Option, bounds: Bounds) -> str:
    """Why a model is out, whatever its scores. What is not known of a model bars a newcomer, not who is there."""
    if one.barred:
        return one.barred
    if bounds.max_usd is not None:
        if one.usd is not None and one.usd > bounds.max_usd:
            return f"{dollars(one.usd)} per 1,000 requests is over fleet.max_usd ({bounds.max_usd:g})"
        if one.usd is None and not one.current and not one.unmeasured:
            return f"what it costs is not known, and fleet.max_usd is {bounds.max_usd:g}"
    if bounds.max_latency_s is not None:
        if one.latency_s is not None and one.latency_s > bounds.max_latency_s:
            return f"{one.latency_s:.1f} s is over fleet.max_latency_s ({bounds.max_latency_s:g})"
        if one.latency_s is None and not one.current and not one.unmeasured:
            return f"how long it takes is not known, and fleet.max_latency_s is {bounds.max_latency_s:g}"
    return ""


def _unmeasured(current: Option) -> str:
    return f"not measured ({current.unmeasured}): it keeps the model of its file"


# --- the agent's own model may stay -----------------------------------------------------------------------------------


def _held_against(
    current: Option, others: Sequence[Option], against: Against, excluded: Mapping[str, str], looks: int
) -> Choice:
    found = {one.model: against(current.model, one.model) for one in others}
    pairs = {model: effect for model, effect in found.items() if isinstance(effect, Effect)}
    level = ALPHA / (max(1, len(pairs)) * looks)
    better = [one for one in others if _shown(pairs.get(one.model), level) > 0]
    if better:
        front = [one for one in better if not any(_shown(against(o.model, one.model), level) < 0 for o in better)]
        best = min(front or better, key=price_order)
        why = f"better than {current.model} in its categories: {_moved(pairs[best.model])}"
        return Choice(model=best.model, basis="better", why=why + _tied(best, front), excluded=excluded)
    alike = [o for o in others if o.model in pairs and _cheaper(o, current) and largest_fall(pairs[o.model]) <= BEAR]
    if alike:
        best = min(alike, key=price_order)
        why = (
            f"as good as {current.model} ({scores_of(pairs[best.model])}; a fall over {BEAR:.2f} is excluded) "
            f"and {_saving(best, current)}"
        )
        return Choice(model=best.model, basis="as good", why=why, excluded=excluded)
    why = "; ".join(_stays(current, others, found, level)) or "the only one that was measured and may be asked"
    return Choice(model=current.model, basis="stays" if pairs else "only", why=why, excluded=excluded)


def _stays(current: Option, others: Sequence[Option], found: Mapping[str, Effect | str], level: float) -> Iterator[str]:
    """What is to be said of each other model, and why it does not take over."""
    for one in others:
        effect = found[one.model]
        if isinstance(effect, str):
            yield f"{one.model} is not comparable: {effect}"
        elif _shown(effect, level) < 0:
            yield f"{one.model} is worse: {_moved(effect)}"
        else:
            open_ = f"{one.model} is not shown different: {_moved(effect)}"
            if effect.shown:
                open_ += f"; among so many comparisons p would have to be below {level:.2g}"
            if _cheaper(one, current):
                open_ += f"; it is {_saving(one, current)}, but a fall of {largest_fall(effect):.2f} is not excluded"
            yield open_


def _without_current(
    measured: Sequence[Option], against: Against, excluded: Mapping[str, str], barred: str, own: str, looks: int
) -> Choice:
    """Its own model may not be asked, or there is none: of those that are not shown worse, the cheapest."""
    lost = f"its own model {own} is out ({barred})" if barred else "its file names no model"
    if not measured:
        why = f"{lost}, and no other that it may be given was measured"
        return Choice(model="", basis="none", why=why, excluded=excluded)
    level = ALPHA / (max(1, len(measured) - 1) * looks)
    front = [
        one
        for one in measured
        if not any(_shown(against(o.model, one.model), level) < 0 for o in measured if o is not one)
    ]
    best = min(front or measured, key=price_order)
    score = f" ({best.level.value:.3f} on {counted(best.level.cases, 'case')})" if best.level else ""
    why = f"{lost}; {best.model}{score} is the only other that was measured"
    if len(measured) > 1:
        why = f"{lost}; no other is shown better than {best.model}{score}"
    return Choice(model=best.model, basis="only", why=why + _tied(best, front), excluded=excluded)


# --- what a pair says -------------------------------------------------------------------------------------------------


def largest_fall(effect: Effect) -> float:
    """The largest fall that is not excluded: by the interval, and by the rule of three, as few differ."""
    return max(0.0, -effect.low, min(1.0, _OF_THREE / effect.effective if effect.effective else 1.0))


def _shown(effect: Effect | str | None, alpha: float) -> int:
    """1 where the second is shown better, -1 where it is shown worse, else 0."""
    if not isinstance(effect, Effect) or effect.too_few or effect.p > alpha or not effect.estimate:
        return 0
    return 1 if effect.estimate > 0 else -1


def price_order(one: Option) -> tuple[float, bool, bool, float, str]:
    """The cheaper first, then who is in the house, then who is there already, then the quicker, then by name.

    Prices and times are measured: two digits of the one and whole seconds of the other decide, and no more.
    """
    usd = math.inf if one.usd is None else float(f"{one.usd:.2g}")
    seconds = math.inf if one.latency_s is None else float(round(one.latency_s))
    return usd, one.tier != "local", not one.current, seconds, one.model


def _cheaper(one: Option, other: Option) -> bool:
    """Whether it costs clearly less; of two that cost the same, whether it alone is in the house."""
    usd, usd_other = (math.inf if option.usd is None else option.usd for option in (one, other))
    if usd == usd_other:
        return one.tier == "local" and other.tier != "local"
    return usd < _CHEAPER * usd_other


def _saving(one: Option, other: Option) -> str:
    if one.usd is None or (other.usd is not None and one.usd == other.usd):
        return "in the house"
    more = "a price that is not known" if other.usd is None else dollars(other.usd)
    return f"cheaper: {dollars(one.usd)} against {more} per 1,000 requests"


def _tied(best: Option, front: Sequence[Option]) -> str:
    others = ", ".join(sorted(one.model for one in front if one is not best))
    return (
        f"; not shown different from {others}: the cheaper one, then the one in the house, then the quicker one"
        if others
        else ""
    )


def _moved(effect: Effect) -> str:
    return f"{scores_of(effect)}, {signed(effect.estimate)} ({p_words(effect.p)}, {counted(effect.cases, 'case')})"


def scores_of(effect: Effect) -> str:
    """Both scores of a pair."""
    return f"{effect.before:.3f} → {effect.after:.3f}"


def dollars(usd: float) -> str:
    """A price, with as many cents as matter."""
    return "$0" if not usd else f"${usd:.2g}" if usd < 1 else f"${usd:.2f}"


def counted(number: int, word: str) -> str:
    """A number of things."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")
