"""Who is asked in each category: who is shown better than every other model, else a tie by price, else who is ahead.

Pure: numbers to words. All pairs of all categories are looked at together, so that noise makes nobody better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from promptforge.bench.choice import (
    BEAR,
    Bounds,
    Option,
    counted,
    dollars,
    excluded_by,
    largest_fall,
    price_order,
    scores_of,
)
from promptforge.bench.results import Effect
from promptforge.bench.stats import ALPHA, benjamini_hochberg
from promptforge.bench.verdicts import p_words, signed, spread

__all__ = ["Best", "Duels", "Route", "best_of", "route"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duels:
    """Every pair of models in every category of a table, and which differences are shown at once.

    By Benjamini and Hochberg's method over all of them, as in `compare`: of tables in which no two models differ, at
    most one in twenty calls any of them better anywhere. Pairs of which too few cases differ to show anything are no
    looks and do not count.
    """

    effects: Mapping[tuple[str, str, str], Effect | str]
    """By category and two models, each pair once: the paired difference, or in words why there is none."""
    p: Mapping[tuple[str, str, str], float] = field(init=False)
    """What is held against 0.05: two-sided, and corrected for the number of looks."""

    def __post_init__(self) -> None:
        tested = {key: one for key, one in self.effects.items() if isinstance(one, Effect) and not one.too_few}
        keys = sorted(tested)
        adjusted = benjamini_hochberg([tested[key].p for key in keys])
        object.__setattr__(self, "p", dict(zip(keys, adjusted, strict=True)))

    def effect(self, category: str, before: str, after: str) -> Effect | str:
        """The difference from one model to another."""
        known = self.effects.get((category, before, after))
        if known is not None:
            return known
        other = self.effects.get((category, after, before), "it was not measured")
        return _turned(other) if isinstance(other, Effect) else other

    def sign(self, category: str, before: str, after: str) -> int:
        """1 where the second is shown better, -1 where it is shown worse, else 0."""
        effect = self.effect(category, before, after)
        if not isinstance(effect, Effect) or not effect.estimate or self.corrected(category, before, after) > ALPHA:
            return 0
        return 1 if effect.estimate > 0 else -1

    def corrected(self, category: str, before: str, after: str) -> float:
        """The p-value of a pair among all looks; 1 where nothing could be shown."""
        return self.p.get((category, before, after), self.p.get((category, after, before), 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Who leads a category, whoever may be asked."""

    champion: str
    """The model that is shown better than every other one; empty where none is."""
    tied: tuple[str, ...]
    """Those that none is shown better than, by name."""
    why: str


def best_of(category: str, models: Sequence[str], duels: Duels) -> Best:
    """Who is shown better than all others; else who is not shown worse than any."""
    names = sorted(models)
    signs = {(a, b): duels.sign(category, a, b) for a in names for b in names if a != b}
    tied = tuple(b for b in names if not any(signs[a, b] < 0 for a in names if a != b))
    champion = next((b for b in names if len(names) > 1 and all(signs[a, b] > 0 for a in names if a != b)), "")
    if champion:
        why = "shown better than " + (f"all {len(names) - 1} others" if len(names) > 2 else "the other")
    elif len(names) == 1:
        why = "the only one that was measured"
    else:
        why = "no one is shown better than every other"
    return Best(champion=champion, tied=tied, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who is asked in a category, of those who may be."""

    model: str
    """Empty: nobody may be asked, or nobody who may be was measured."""
    basis: Literal["better", "tie", "not shown", "only", "not measured", "none"]
    why: str
    against: Mapping[str, str] = field(default_factory=dict)
    """Each other model that may be asked and was measured: its pairs with the one that is asked, in words."""
    tied: tuple[str, ...] = ()
    """Of a tie, all who are in it, by name."""
    excluded: Mapping[str, str] = field(default_factory=dict)
    """The models that were out before any score was looked at, with the reason."""


def route(category: str, options: Sequence[Option], duels: Duels, bounds: Bounds) -> Route:
    """Who is asked in a category. The order of the options changes nothing.

    Who is shown better than every other one. Else, of those that none is shown better than, the ones that lie no more
    than 0.10 behind another are a tie, which goes by price: a price is worth no lead that is only not shown.
    """
    ordered = sorted(options, key=lambda one: one.model)
    excluded = {one.model: why for one in ordered if (why := excluded_by(one, bounds))}
    measured = [one for one in ordered if one.model not in excluded and not one.unmeasured]
    if not measured:
        nobody = len(excluded) == len(ordered)
        why = "no model may be asked" if nobody else "no model that may be asked was measured"
        return Route(model="", basis="none" if nobody else "not measured", why=why, excluded=excluded)
    if len(measured) == 1:
        (one,) = measured
        score = f" ({one.level.value:.3f} on {counted(one.level.cases, 'case')})" if one.level else ""
        why = f"the only one that may be asked and was measured{score}"
        return Route(model=one.model, basis="only", why=why, excluded=excluded)
    beaten = {o.model for one in measured for o in measured if duels.sign(category, one.model, o.model) < 0}
    front = [one for one in measured if one.model not in beaten] or measured
    level = [one for one in front if all(_ahead(category, one, o, duels) <= BEAR for o in front)] or front
    best = min(level, key=price_order)
    others = [one for one in measured if one is not best]
    against = {one.model: _held(category, best, one, duels) for one in others}
    if all(duels.sign(category, one.model, best.model) > 0 for one in others):
        why = "shown better than every other that may be asked"
        return Route(model=best.model, basis="better", why=why, against=against, excluded=excluded)
    if len(level) == 1:
        why = "ahead, but not shown better than every other that may be asked"
        return Route(model=best.model, basis="not shown", why=why, against=against, excluded=excluded)
    names = tuple(one.model for one in level)
    why = f"a tie of {', '.join(names)}: none of them is shown better{_untold(category, best, level, duels)}; "
    why += _taken(best, level)
    return Route(model=best.model, basis="tie", why=why, against=against, tied=names, excluded=excluded)


def _ahead(category: str, one: Option, other: Option, duels: Duels) -> float:
    """How far another one lies ahead, paired where the same was asked of both."""
    effect = duels.effect(category, one.model, other.model) if one is not other else 0.0
    if isinstance(effect, Effect):
        return effect.estimate
    return other.level.value - one.level.value if one.level and other.level else 0.0


def _untold(category: str, best: Option, level: Sequence[Option], duels: Duels) -> str:
    """What so few cases leave open, where that is more than anybody would bear."""
    effects = [duels.effect(category, one.model, best.model) for one in level if one is not best]
    falls = [largest_fall(effect) for effect in effects if isinstance(effect, Effect)]
    fall = max(falls, default=0.0)
    return f", and a fall of {fall:.2f} is not excluded: too few cases to tell them apart" if fall > BEAR else ""


def _held(category: str, best: Option, other: Option, duels: Duels) -> str:
    """What is to be said of another model, held against the one that is asked."""
    effect = duels.effect(category, other.model, best.model)
    if isinstance(effect, str):
        return f"not comparable: {effect}"
    interval = f", 95 % interval {spread(effect.low, effect.high)}" if effect.differing else ""
    p = (
        "too few differ"
        if effect.too_few
        else f"corrected {p_words(duels.corrected(category, other.model, best.model))}"
    )
    numbers = f"{scores_of(effect)}, {signed(effect.estimate)}{interval}, {p}, {counted(effect.cases, 'case')}"
    open_ = duels.sign(category, other.model, best.model) == 0
    return numbers + (f", a fall of {largest_fall(effect):.2f} is not excluded" if open_ else "")


def _taken(best: Option, tied: Sequence[Option]) -> str:
    """By what a tie is decided: the first thing in which the next one differs."""
    following = sorted(tied, key=price_order)[1]
    (usd, away, _, seconds, _), (usd_next, away_next, _, seconds_next, _) = price_order(best), price_order(following)
    if usd != usd_next:
        more = "no known price" if following.usd is None else dollars(following.usd)
        return f"taken by price, {dollars(best.usd or 0.0)} against {more} per 1,000 requests"
    if away != away_next:
        return "taken because it is in the house"
    if seconds != seconds_next:
        return f"taken by time, {seconds:g} s against {seconds_next:g} s"
    return "taken by name"


def _turned(effect: Effect) -> Effect:
    """The same pairs, seen from the other side."""
    return replace(
        effect,
        before=effect.after,
        after=effect.before,
        estimate=-effect.estimate,
        low=-effect.high,
        high=-effect.low,
        p_worse=effect.p_better,
        p_better=effect.p_worse,
    )
