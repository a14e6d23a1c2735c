"""A comparison in words: what is shown, why, and what would settle the rest."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from promptforge.bench.results import Effect, Flip, Verdict
from promptforge.bench.stats import ALPHA, cases_needed, fewest

__all__ = [
    "NO_SCORE",
    "NO_SMALLER",
    "about",
    "digits_of",
    "found_by_reader",
    "identical",
    "judged",
    "nothing_paired",
    "p_words",
    "reader_and_model",
    "signed",
    "spread",
    "withheld",
    "withheld_scores",
]

NO_SMALLER = "shown; at this discordance no smaller one could be"
"""Of a difference that is shown although none could be expected to be at 80 % power."""
NO_SCORE = "no score in "
"""How the reason begins of a case, or a category, of which a file of scores has the name alone."""
_TIE = 0.005
"""A difference that rounds to 0.00: how many cases would show just this one is of no interest."""
_MISSING = "a missing score is never a zero, and leaving it out would favour whoever failed"
_WORTH = 0.05
"""A difference worth looking for, where there is a tie."""
_MANY = 3
_MOST_DIGITS = 6


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign.

    >>> signed(0.0612), signed(-0.5), signed(-0.0001)
    ('+0.061', '−0.500', '0.000')
    """
    text = f"{abs(value):.{digits}f}"
    if not any(digit in text for digit in "123456789"):
        return text
    return ("+" if value > 0 else "−") + text


def spread(low: float, high: float, digits: int = 2) -> str:
    """An interval of differences, with more digits where a bound that is not 0 would be rounded to it.

    >>> spread(-0.1, 0.25), spread(0.0031, 0.0521), spread(0.0, 0.25)
    ('−0.10 to +0.25', '+0.003 to +0.052', '0.00 to +0.25')
    """
    digits = digits_of((low, high), digits)
    return f"{signed(low, digits)} to {signed(high, digits)}"


def digits_of(bounds: Iterable[float], least: int) -> int:
    """How many digits tell these bounds from 0, as far as six of them do."""
    small = min((size for bound in bounds if round(size := abs(bound), _MOST_DIGITS)), default=1.0)
    return next(digits for digits in range(least, _MOST_DIGITS + 1) if round(small, digits))


def p_words(p: float) -> str:
    """A p-value, never shown as zero.

    >>> p_words(0.0312), p_words(0.25), p_words(0.00001)
    ('p = 0.031', 'p = 0.25', 'p < 0.0001')
    """
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {p:.2f}" if p >= 0.095 else f"p = {p:.2g}"


def about(count: int) -> str:
    """A number of cases, rounded up to what is known of it.

    >>> about(325), about(84), about(12345)
    ('about 330', 'about 84', 'about 13,000')
    """
    step = 10 ** max(0, len(str(count)) - 2)
    return f"about {-(-count // step) * step:,}"


def withheld(unanswered: int, requests: int, *, fresh: bool = False) -> Verdict:
    """Requests that count are unanswered: there is no overall difference yet. `fresh`: the run asked all anew."""
    return Verdict(
        word="withheld",
        sentence=f"No overall difference yet: {unanswered} of {_count(requests, 'request')} "
        f"{'is' if unanswered == 1 else 'are'} unanswered.",
        reasons=(_MISSING,),
        next_step=f"run the same bench again{', without --fresh' if fresh else ''}: only what is unanswered is sent",
    )


def withheld_scores(missing: int, scores: int, *, of: str, files: str) -> Verdict:
    """The same of files of scores: `of` is what has the scores, `files` where they are missing."""
    return Verdict(
        word="withheld",
        sentence=f"No overall difference yet: {missing:,} of {_count(scores, 'score')} of {of} "
        f"{'is' if missing == 1 else 'are'} missing.",
        reasons=(_MISSING,),
        next_step=f"complete {files}",
    )


def nothing_paired(unpaired: int) -> Verdict:
    """Not one case was asked of both arms."""
    reasons = (f"{_count(unpaired, 'case')} could not be paired",) if unpaired else ()
    return Verdict(
        word="not shown",
        sentence="Nothing to compare: no case that counts was answered by both arms.",
        reasons=reasons,
        next_step="compare two arms of one suite",
    )


def identical(answers: int, *, same_requests: bool) -> Verdict:
    """Every answer is the same, word for word: one arm may have been measured twice."""
    how = "and so were the requests" if same_requests else "although the requests differed"
    all_of_them = "the only answer of each is" if answers == 1 else f"all {answers:,} answers are"
    check = (
        "name two arms that differ"
        if same_requests
        else "where they should differ, check that the server reads the system prompt, and is not the same for both"
    )
    return Verdict(
        word="identical",
        sentence=f"The arms are not shown to be different: {all_of_them} the same, word for word.",
        reasons=(f"the answers are the same, {how}",),
        next_step=check,
    )


def found_by_reader(before: int, after: int, cases: int) -> Verdict:
    """What the reader found; it is no model, so it never says better."""
    return Verdict(
        word="not shown",
        sentence=f"{after:,} of {_count(cases, 'answer')} can be found in the prompt (before: {before:,}).",
        reasons=("the reader is no model: it looks answers up, and cannot say how a model would do",),
        next_step="run the same suite on a model",
    )


def reader_and_model() -> Verdict:
    """One side is the reader and the other a model: what is found and what is answered are two things."""
    return Verdict(
        word="not shown",
        sentence="One of the two is the reader, which is no model: the difference between them says nothing of either.",
        next_step="compare two arms of one model, or two models",
    )


def judged(
    effect: Effect,
    before: str,
    after: str,
    *,
    categories: Mapping[str, Effect],
    broke: Sequence[Flip] = (),
    mcnemar: float | None = None,
) -> Verdict:
    """Better, worse or not shown, by the overall test alone; the rest are reasons."""
    numbers = f"{effect.before:.3f} → {effect.after:.3f}, {signed(effect.estimate)}"
    if not effect.differing:
        same = f"Not shown: nothing differs between {before} and {after}: {effect.before:.3f} → {effect.after:.3f}."
        return Verdict(
            word="not shown", sentence=same, reasons=tuple(_evidence(effect, None)), next_step=_next_step(effect, ())
        )
    interval = f"95 % interval {spread(effect.low, effect.high)}, {p_words(effect.p)}"
    word: Literal["better", "worse", "not shown"] = "not shown"
    if effect.shown:
        word = "better" if effect.estimate > 0 else "worse"
        sentence = f"{after} is {word} than {before}: {numbers} ({interval})."
    else:
        sentence = f"Not shown: {before} and {after} may be equal: {numbers} ({interval})."
    return Verdict(
        word=word,
        sentence=sentence,
        reasons=(*_evidence(effect, mcnemar), *_in_categories(categories, word)),
        next_step=_next_step(effect, broke),
    )


def _evidence(effect: Effect, mcnemar: float | None) -> list[str]:
    shared = "" if effect.clusters == effect.cases else f" in {_count(effect.clusters, 'cluster')} that share facts"
    reasons = [f"{_count(effect.cases, 'paired case')}{shared}; {effect.differing:,} of {effect.clusters:,} differ"]
    if effect.too_few:
        reasons.append(f"too few differ: fewer than {fewest()} can never show anything at 5 %")
    elif effect.detectable is None and effect.shown:
        reasons.append(f"the smallest difference that these cases show at 80 % power: {NO_SMALLER}")
    elif effect.detectable is None:
        reasons.append("the smallest difference that these cases show at 80 % power: none at this discordance")
    else:
        reasons.append(f"the smallest difference that these cases show at 80 % power: about {effect.detectable:.2f}")
    if mcnemar is not None:
        reasons.append(f"exact McNemar: {p_words(mcnemar)}")
    return reasons


def _in_categories(categories: Mapping[str, Effect], word: str) -> list[str]:
    """The categories that differ by themselves, after adjustment, and do not just follow the whole: falls first."""
    if len(categories) < 2:
        return []
    adjusted = {
        name: effect.p if effect.p_adjusted is None else effect.p_adjusted for name, effect in categories.items()
    }
    shown = [(name, e) for name, e in categories.items() if not e.too_few and adjusted[name] <= ALPHA]
    shown.sort(key=lambda item: item[1].estimate)
    return [
        f"{name} {'falls' if e.estimate < 0 else 'gains'} {signed(e.estimate, 2)} "
        f"({p_words(adjusted[name])} for {len(categories)} categories)"
        for name, e in shown
        if word != ("better" if e.estimate > 0 else "worse")
    ]


def _next_step(effect: Effect, broke: Sequence[Flip]) -> str:
    if effect.shown:
        if not broke:
            return "nothing broke; look at the cases that are still wrong"
        names = ", ".join(flip.case for flip in broke[:_MANY]) + (", …" if len(broke) > _MANY else "")
        return f"look at the {_count(len(broke), 'case')} that broke: {names}"
    tie = abs(effect.estimate) < _TIE
    gain = _WORTH if tie else effect.estimate
    most = max(effect.most, effect.discordance)
    needed = cases_needed(gain, effect.discordance, most=most, per_case=effect.effective / effect.cases)
    if effect.differing == 0 or math.isclose(effect.discordance, 0):
        return "the arms do as well on every case: ask harder ones"
    if needed is None:
        return f"no number of cases shows {signed(gain, 2)} while so few differ: ask harder ones"
    # However large the difference: so many clusters must differ before any outcome could show it.
    least = math.ceil(fewest() * effect.cases / effect.differing)
    return f"to see {signed(gain, 2)}: {about(max(needed, least))} pairs; you have {effect.cases:,}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
