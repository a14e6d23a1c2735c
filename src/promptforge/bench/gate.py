"""The gate: may a candidate take the champion's place? Promote, reject or inconclusive, with reasons (design 5.3).

Pure: it is given paired results and what the servers showed, and says what they allow. Whoever acts on it does so
elsewhere. Three questions, in this order: may anything be judged at all, is there harm, is there a gain.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from promptforge.bench.evidence import Condition, Evidence, Witness, answered, different
from promptforge.bench.results import Effect
from promptforge.bench.stats import ALPHA, DRAWS, Pair, cases_needed, fewest, flip_test, overall
from promptforge.bench.verdicts import about, p_words, signed, spread

__all__ = ["Bar", "GateVerdict", "alpha_of_look", "gate", "near"]

HELDOUT = "heldout"
_MOST_DRAWS = 2_000_000
_AT_MOST = (3.0, 4.74, 6.3, 7.75, 9.15, 10.51)
"""Of a rare event that was seen 0, 1, 2, … times: so many are not excluded at 5 %, one-sided (Poisson)."""
_TIE, _WORTH = 0.005, 0.05
"""A difference that rounds to nothing, and the one that is worth looking for instead."""
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """`gate` of promptforge.yaml."""

    min_gain: float = 0.0
    max_category_drop: float = 0.05
    protected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """What the gate says."""

    verdict: Literal["promote", "reject", "inconclusive"]
    sentence: str
    conditions: tuple[Condition, ...]
    judged: bool
    """Whether there was anything to judge by: without it, this was no look at the suite."""
    look: int
    alpha: float
    """What the gain's p-value has to reach at this look, two-sided."""
    settle: str = ""
    """What would settle an inconclusive one."""
    largest_fall: float | None = None
    """The largest overall fall that is not excluded; None where nothing was judged."""
    overall: Effect | None = None
    """Against the champion, or where there is none against the untrained model."""
    base: Effect | None = None
    """Against the untrained model."""
    categories: Mapping[str, Effect] = field(default_factory=dict)
    tiers: Mapping[str, Effect] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Condition, ...]:
        """The conditions that do not hold."""
        return tuple(one for one in self.conditions if not one.holds)


def alpha_of_look(look: int) -> float:
    """The level at the k-th look at a suite: 0.05/(k(k+1)), so that all looks ever add up to 0.05.

    >>> [round(alpha_of_look(k), 4) for k in (1, 2, 3)]
    [0.025, 0.0083, 0.0042]
    """
    return ALPHA / (look * (look + 1))


def gate(
    champion: Evidence | None,
    base: Evidence,
    witnesses: Sequence[Witness] = (),
    *,
    bar: Bar | None = None,
    look: int = 1,
    spread: float | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> GateVerdict:
    """Whether the candidate may take the champion's place; without a champion, that of the untrained model.

    `spread` is the range of the overall score over several trainings, where there were several.
    """
    judging = _Judging(champion or base, base, bar or Bar(), look, seed, draws)
    conditions = [answered(champion, base), *different(champion, base, witnesses)]
    if barred := next((one for one in conditions if not one.holds), None):
        return judging.not_judged(conditions, barred)
    harm, gain = judging.harm(), judging.gain()
    if spread is not None:
        harm.append(judging.steady(spread))
    return judging.verdict((*conditions, *harm, *gain))


def near(verdict: GateVerdict, bar: Bar) -> bool:
    """Whether training again may settle it: nothing fell, and the gain is above the bar, but not shown to be.

    Its interval at the level of this look then crosses the bar. One that is not even above it is not near.
    """
    gain = next((one for one in verdict.conditions if one.name == "gain shown"), None)
    if verdict.verdict != "inconclusive" or gain is None or verdict.overall is None:
        return False
    return not gain.holds and verdict.overall.estimate > bar.min_gain


# --- is there harm, is there a gain? ----------------------------------------------------------------------------------


class _Judging:
    """One judgement: the tests that it needs, and their words."""

    def __init__(self, against: Evidence, base: Evidence, bar: Bar, look: int, seed: int, draws: int) -> None:
        self.against, self.base_evidence, self.bar, self.look = against, base, bar, look
        self.alpha = alpha_of_look(look)
        self.seed = seed
        # The least p-value of drawn signs is one in the number of draws: a late look needs more of them.
        self.draws = min(max(draws, math.ceil(2 / self.alpha)), max(draws, _MOST_DRAWS))
        self.whole: Effect | None = None
        self.base: Effect | None = None
        self.categories: dict[str, Effect] = {}
        self.tiers: dict[str, Effect] = {}

    def harm(self) -> list[Condition]:
        """What makes it a reject. One-sided at 0.05, uncorrected: all must hold, so a correction would hide harm."""
        self.whole = self._effect(self.against.pairs)
        self.categories = {name: self._effect(own) for name, own in _by(self.against.pairs, "category").items()}
        self.tiers = {name: self._effect(own) for name, own in _by(self.against.pairs, "tier").items()}
        other = self.against.other
        found = [self._no_fall("overall", self.whole, other)]
        if self.base_evidence is not self.against:
            found += self._against_base()
        else:
            self.base = self.whole
        if HELDOUT in self.tiers:
            found.append(self._no_fall("held-out tier", self.tiers[HELDOUT], other))
        for name, effect in self.categories.items():
            protected = name in self.bar.protected
            label = f"protected category {name}" if protected else f"category {name}"
            found.append(self._no_fall(label, effect, other, spare=0.0 if protected else self.bar.max_category_drop))
        return found

    def _against_base(self) -> list[Condition]:
        """A champion may itself have forgotten: the held-out tier and what is protected are held to the base, too."""
        pairs, other = self.base_evidence.pairs, self.base_evidence.other
        self.base = self._effect(pairs)
        found = [self._no_fall("overall", self.base, other)]
        if heldout := _by(pairs, "tier").get(HELDOUT):
            found.append(self._no_fall("held-out tier", self._effect(heldout), other))
        for name, own in _by(pairs, "category").items():
            if name in self.bar.protected:
                found.append(self._no_fall(f"protected category {name}", self._effect(own), other))
        return found

    def gain(self) -> list[Condition]:
        """What has to be shown for a promotion."""
        whole = _sure(self.whole)
        found = [self._gained(whole)]
        watched = {f"protected category {n}": e for n, e in self.categories.items() if n in self.bar.protected}
        if HELDOUT in self.tiers:
            watched["held-out tier"] = self.tiers[HELDOUT]
        for label, effect in watched.items():
            holds = effect.estimate >= -_TOLERANCE
            words = f"{label} is {'not lower' if holds else 'lower'} than with {self.against.other}: {_moved(effect)}"
            found.append(
                Condition(
                    name=f"{label}: mean", holds=holds, guards="gain", words=words, numbers={"mean": effect.estimate}
                )
            )
        return found

    def steady(self, spread: float) -> Condition:
        """Whether the gain is larger than what another seed of the same training makes of it."""
        gain = _sure(self.whole).estimate
        holds = spread <= gain
        words = f"over several trainings the score varies by {spread:.3f}, and the gain is {signed(gain)}"
        return Condition(
            name="spread over seeds", holds=holds, guards="harm", words=words, numbers={"spread": spread, "gain": gain}
        )

    def _effect(self, pairs: Sequence[Pair]) -> Effect:
        return overall(pairs, seed=self.seed, draws=self.draws)

    def _no_fall(self, label: str, effect: Effect, other: str, *, spare: float = 0.0) -> Condition:
        """Whether no fall is shown; one within `spare` is borne."""
        shown = effect.estimate < 0 and effect.p_worse <= ALPHA
        holds = not (shown and effect.estimate < -spare - _TOLERANCE)
        words = f"{label} against {other}: {_moved(effect)}, "
        if not holds:
            words += f"a fall is shown ({p_words(effect.p_worse)} one-sided)"
        elif shown:
            words += f"a fall is shown, within the {spare:g} that max_category_drop bears"
        else:
            words += "no fall is shown" if effect.differing else "nothing differs"
        numbers = {"mean": effect.estimate, "p": effect.p_worse, "alpha": ALPHA, "cases": effect.cases}
        name = f"{label}: no fall against {other}"
        return Condition(
            name=name, holds=holds, guards="harm", words=words, numbers=numbers | ({"spare": spare} if spare else {})
        )

    def _gained(self, whole: Effect) -> Condition:
        bar = self.bar.min_gain
        test = flip_test(self.against.pairs, delta=bar, seed=self.seed, draws=self.draws)
        holds = whole.estimate > bar and test.p <= self.alpha
        over = f" above {bar:g}" if bar else ""
        look = f"look {self.look} at this suite asks for {self.alpha:.2g}"
        state = "a gain is shown" if holds else "no gain is shown"
        words = f"overall: {_moved(whole)}, {state}{over} ({p_words(test.p)} two-sided; {look})"
        numbers = {"mean": whole.estimate, "p": test.p, "alpha": self.alpha, "min_gain": bar, "cases": whole.cases}
        return Condition(name="gain shown", holds=holds, guards="gain", words=words, numbers=numbers)

    # --- the verdict

    def not_judged(self, conditions: Sequence[Condition], barred: Condition) -> GateVerdict:
        """Nothing can be judged: the champion stays, and no look was taken."""
        if barred.name == "answered":
            sentence = f"Inconclusive, not judged: {barred.words}."
            settle = "run the same command again: only what is missing is asked"
        else:
            sentence = f"Inconclusive: arms not shown different: {barred.words}."
            settle = "see that the adapter is loaded, and by a server of its own: promptforge starts one for each arm"
        return GateVerdict(
            verdict="inconclusive",
            sentence=sentence,
            conditions=tuple(conditions),
            judged=False,
            look=self.look,
            alpha=self.alpha,
            settle=settle,
        )

    def verdict(self, conditions: Sequence[Condition]) -> GateVerdict:
        """Reject where harm is shown, promote where all holds, else inconclusive."""
        whole, other = _sure(self.whole), self.against.other
        harm = [one for one in conditions if one.guards == "harm" and not one.holds]
        open_ = [one for one in conditions if one.guards == "gain" and not one.holds]
        numbers = f"{_moved(whole)} (95 % interval {spread(whole.low, whole.high)})"
        word: Literal["promote", "reject", "inconclusive"] = (
            "reject" if harm else "inconclusive" if open_ else "promote"
        )
        more = f"; and {len(harm) - 1} more" if len(harm) > 1 else ""
        sentence = {
            "promote": f"Promote: the candidate is better than {other}, and nothing that is watched fell: {numbers}.",
            "reject": f"Reject: {harm[0].words if harm else ''}{more}.",
            "inconclusive": f"Inconclusive, {other} stays: {open_[0].words if open_ else ''}.",
        }[word]
        return GateVerdict(
            verdict=word,
            sentence=sentence,
            conditions=tuple(conditions),
            judged=True,
            look=self.look,
            alpha=self.alpha,
            settle=self._settle(whole, open_) if word == "inconclusive" else "",
            largest_fall=_largest_fall(whole),
            overall=whole,
            base=self.base,
            categories=self.categories,
            tiers=self.tiers,
            notes=tuple(self._notes()),
        )

    def _settle(self, whole: Effect, open_: Sequence[Condition]) -> str:
        """How many pairs would show what was seen, at the level of this look."""
        if open_[0].name != "gain shown":
            label = open_[0].name.removesuffix(": mean")
            effect = self.tiers[HELDOUT] if label == "held-out tier" else self.categories[label.split(" ", 2)[2]]
            return (
                f"the gain is shown, but {label} stands at {signed(effect.estimate)}: {_pairs(effect, 0.0, 2 * ALPHA)}"
            )
        return _pairs(whole, self.bar.min_gain, self.alpha)

    def _notes(self) -> Iterable[str]:
        if HELDOUT not in self.tiers:
            yield "the suite has no held-out case: nothing here tells learning from learning by heart"
        for name in self.bar.protected:
            if name not in self.categories:
                yield f"the protected category {name} has no case that counts, so nothing guards it"
        reached = fewest(self.alpha)
        if _sure(self.whole).differing < reached:
            yield f"too few cases differ: at this look at least {reached} must, all one way, before a gain can be shown"


def _largest_fall(effect: Effect) -> float:
    """What the interval does not exclude; where hardly a case differs it would exclude too much.

    The next case may differ although none did: so many in so many cases is the rule of three, and its kin.
    """
    seen = max(0.0, -effect.low)
    if effect.differing >= len(_AT_MOST):
        return seen
    return min(1.0, max(seen, _AT_MOST[effect.differing] / effect.effective))


def _pairs(effect: Effect, bar: float, alpha: float) -> str:
    """`to see +0.06: about 400 pairs; you have 109`."""
    if effect.differing == 0:
        return "the arms do as well on every case: ask harder ones"
    gain = effect.estimate if abs(effect.estimate) >= _TIE else _WORTH
    if abs(gain - bar) < _TIE:
        gain = bar + _WORTH
    most = max(effect.most, effect.discordance)
    needed = cases_needed(
        gain - bar, effect.discordance, most=most, per_case=effect.effective / effect.cases, alpha=alpha
    )
    above = f" above {bar:g}" if bar else ""
    if needed is None:
        return f"no number of cases shows {signed(gain, 2)}{above} while so few differ: ask harder ones"
    return f"to see {signed(gain, 2)}{above}: {about(needed)} pairs; you have {effect.cases:,}"


def _sure(effect: Effect | None) -> Effect:
    assert effect is not None  # `harm` makes it, and comes first
    return effect


def _by(pairs: Iterable[Pair], what: str) -> dict[str, list[Pair]]:
    grouped: dict[str, list[Pair]] = {}
    for pair in pairs:
        grouped.setdefault(pair.category if what == "category" else pair.tier, []).append(pair)
    return grouped


def _moved(effect: Effect) -> str:
    return f"{effect.before:.3f} → {effect.after:.3f}, {signed(effect.estimate)}"
