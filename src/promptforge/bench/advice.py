"""What a model needs: its prompt alone, a balanced training, or a whole one (design 5.5). Pure: numbers to words."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from promptforge.bench.results import Effect, Level
from promptforge.bench.verdicts import about, p_words, signed

__all__ = ["STRONG", "WEAK", "Advice", "Figures", "Strategy", "Trained", "advise"]

STRONG, WEAK = 2 / 3, 2 / 5
"""The whole interval of the enriched score above the one is strong, below the other is weak, between them moderate."""
_AT_THE_LIMIT = 0.02
"""So near to a limit, no number of cases that anybody writes tells the sides apart."""

Strategy = Literal["cloud", "strong", "moderate", "weak", ""]
"""Empty: not enough to say."""
_PLANS = {
    "strong": "the prompt alone carries it: no training",
    "moderate": "a balanced LoRA, beside the enriched prompt",
    "weak": "try a better model first; else a full LoRA with persona and domain, beside the enriched prompt",
}
_FEWEST = 30
"""Cases below which nobody is advised to train: so few tell what a model does with these, and little of the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of an untrained model, over the cases that count."""

    base: Level | None
    """None while a request is unanswered, or where the bare prompt was not asked."""
    enriched: Level | None
    """None while a request is unanswered."""
    gain: Effect | None
    """From base to enriched, paired; None where one of them is."""
    unanswered: int = 0
    """Requests of cases that count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What an adapter of the model was measured to do: from the untrained model to it, paired."""

    adapter: str
    """The beginning of its digest."""
    run: str
    champion: bool
    effect: Effect
    other_files: str = ""
    """The untrained model's run, where the project's files were others then: prompts may have moved it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do with a model."""

    strategy: Strategy
    sentence: str
    may_be: tuple[Strategy, ...] = ()
    """Where there is not enough to say: what the interval leaves open."""
    settle: str = ""
    """What would settle it."""
    notes: tuple[str, ...] = ()


def advise(model: str, tier: str, figures: Figures | None, trained: Sequence[Trained] = ()) -> Advice:
    """The advice for a model that is no reader; `figures` is None where it was not measured."""
    notes = (*_notes(figures), *_of_trainings(trained))
    if tier == "cloud":
        return Advice(
            strategy="cloud", sentence="cloud: the prompt alone; nothing of this house is trained there", notes=notes
        )
    if figures is None:
        settle = f"ask it with both prompts: promptforge bench --model {model}"
        return Advice(strategy="", sentence="Not enough to say: it was not measured.", settle=settle, notes=notes)
    if figures.unanswered or figures.enriched is None:
        sentence = f"Not enough to say: {_count(figures.unanswered, 'request')} unanswered."
        if not figures.unanswered:
            sentence = "Not enough to say: no case that counts was asked of it."
        settle = "run the same bench again: only what is unanswered is sent" if figures.unanswered else ""
        return Advice(strategy="", sentence=sentence, settle=settle, notes=notes)
    return _judged(figures.enriched, notes)


def _judged(level: Level, notes: tuple[str, ...]) -> Advice:
    may_be = _may_be(level)
    digits = _digits(level)
    score = f"enriched {_interval(level, digits)} on {_count(level.cases, 'case')}"
    if may_be in (("weak",), ("moderate",)) and level.cases < _FEWEST:
        return Advice(
            strategy="",
            sentence=f"Not enough to say: {score} looks {may_be[0]}, and so few are no ground for a training.",
            may_be=may_be,
            settle=f"{_FEWEST - level.cases} more cases; or try a better model, which is the cheaper try",
            notes=notes,
        )
    if len(may_be) == 1:
        (word,) = may_be
        where = {
            "strong": f"above {STRONG:.{digits}f}",
            "moderate": f"between {WEAK:.{digits}f} and {STRONG:.{digits}f}",
            "weak": f"below {WEAK:.{digits}f}",
        }[word]
        return Advice(strategy=word, sentence=f"{word}: {_PLANS[word]}; {score} is {where}", notes=notes)
    words = " or ".join(may_be)
    return Advice(
        strategy="",
        sentence=f"Not enough to say: {score} may be {words}.",
        may_be=may_be,
        settle=_settle(level),
        notes=notes,
    )


def _may_be(level: Level) -> tuple[Strategy, ...]:
    """The classes that the interval touches."""
    found: list[Strategy] = []
    if level.high >= STRONG:
        found.append("strong")
    if level.high >= WEAK and level.low < STRONG:
        found.append("moderate")
    if level.low < WEAK:
        found.append("weak")
    return tuple(found)


def _settle(level: Level) -> str:
    """How many more cases would take each limit out of the interval, were the score to stay what it is."""
    needed = level.cases
    for limit in (STRONG, WEAK):
        if not level.low < limit <= level.high:
            continue
        distance = abs(limit - level.value)
        if distance < _AT_THE_LIMIT:
            return (
                f"it stands at the limit ({limit:.2f}), which cases alone hardly settle; training is the dearer mistake"
            )
        half = level.value - level.low if limit < level.value else level.high - level.value
        needed = max(needed, math.ceil(level.cases * (half / distance) ** 2))
    return f"{about(max(1, needed - level.cases))} more cases, if the score stays as it is; there are {level.cases:,}"


def _notes(figures: Figures | None) -> Iterator[str]:
    gain = figures.gain if figures else None
    if gain is None:
        return
    if not gain.shown:
        yield f"the knowledge in the prompt is not shown to help it: {_moved(gain)}"
    elif gain.estimate < 0:
        yield f"the knowledge in the prompt is shown to hurt it: {_moved(gain)}; mend the prompt before any training"


def _of_trainings(trained: Sequence[Trained]) -> Iterator[str]:
    """What training it did, as far as that was measured: a shown harm first."""
    for one in sorted(trained, key=lambda one: one.effect.estimate):
        name = f"the champion {one.adapter}" if one.champion else f"the adapter {one.adapter}"
        word = "is not shown to change it"
        if one.effect.shown:
            word = "is shown to hurt it" if one.effect.estimate < 0 else "is shown to help it"
        other = f"; the untrained model was asked on other files, in run {one.other_files}" if one.other_files else ""
        yield f"{name} {word}: {_moved(one.effect)} (run {one.run}{other})"


def _moved(effect: Effect) -> str:
    moved = f"{effect.before:.3f} → {effect.after:.3f}, {signed(effect.estimate)}"
    return f"{moved}, {p_words(effect.p)}, {_count(effect.cases, 'paired case')}"


def _digits(level: Level) -> int:
    """So many digits that no end of the interval reads as if it were a limit."""
    for digits in range(2, 7):
        if not {f"{end:.{digits}f}" for end in (level.low, level.high)} & {
            f"{one:.{digits}f}" for one in (STRONG, WEAK)
        }:
            return digits
    return 7


def _interval(level: Level, digits: int) -> str:
    return f"{level.value:.3f} (95 % interval {level.low:.{digits}f} to {level.high:.{digits}f})"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
