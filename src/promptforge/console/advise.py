"""The advice for models, as text and for programs."""

from collections.abc import Iterator
from dataclasses import asdict

from promptforge.advise import Counsel, ModelAdvice, Proposal
from promptforge.bench.advice import STRONG, WEAK
from promptforge.bench.results import Effect, Level
from promptforge.bench.verdicts import p_words, signed, spread
from promptforge.console.terminal import Painter, plural

__all__ = ["advice_json", "advice_text"]

_COLOURS = {"strong": "green", "cloud": "green", "moderate": "yellow", "weak": "yellow", "": "red"}


def advice_text(found: Counsel, paint: Painter) -> str:
    """One block a model: the advice first, then its numbers, then how it would be trained."""
    blocks = ["\n".join(_block(one, paint)) for one in found.models]
    if found.readers:
        blocks.append(f"no advice for {', '.join(found.readers)}: the reader is no model")
    if not found.models:
        blocks.insert(0, "promptforge.yaml has no model that could be advised")
    return "\n\n".join(blocks)


def _block(one: ModelAdvice, paint: Painter) -> Iterator[str]:
    advice = one.advice
    yield paint(one.model, "bold")
    yield "  " + paint(advice.sentence, _COLOURS[advice.strategy])
    if advice.settle:
        yield f"  {paint('what would settle it:', 'cyan')} {advice.settle}"
    figures = one.figures
    if figures is not None:
        asked = figures.base is not None or figures.enriched is None
        yield f"  base {_level(figures.base) if asked else 'not asked'}"
        yield f"  enriched {_level(figures.enriched)}"
        if figures.gain is not None:
            yield f"  gain {_effect(figures.gain)}"
        away = f"; left out, given away by an example: {one.given_away:,}" if one.given_away else ""
        yield f"  run {one.run}: {plural(one.cases, 'case')} that count{'s' if one.cases == 1 else ''}{away}"
    yield from (f"  note: {note}" for note in (*advice.notes, *one.notes))
    if one.proposal is not None:
        yield from _proposal(one.proposal, paint)


def _level(level: Level | None) -> str:
    if level is None:
        return "withheld: requests are unanswered"
    return f"{level.value:.3f}, 95 % interval {level.low:.2f} to {level.high:.2f}"


def _effect(effect: Effect) -> str:
    interval = f", 95 % interval {spread(effect.low, effect.high)}" if effect.differing else ""
    return f"{signed(effect.estimate)}{interval}, {p_words(effect.p)}, {plural(effect.cases, 'paired case')}"


def _proposal(found: Proposal, paint: Painter) -> Iterator[str]:
    label = paint("recipe:", "cyan")
    if found.recipe:
        yield f"  {label} {found.recipe} ({found.wanted}): promptforge train {found.recipe}"
    else:
        then = "; write one:" if found.write else ", and none can be made of what the project has"
        yield f"  {label} none of training/ is {found.wanted} for this model{then}"
    yield from (f"    {name} does not fit: {why}" for name, why in sorted((found.unfit or {}).items()))
    yield from (f"      {line}" for line in found.write.splitlines())


def advice_json(found: Counsel) -> dict[str, object]:
    """The same for programs, with every number."""
    return {
        "version": 1,
        "suite": found.suite,
        "suite_digest": found.digest,
        "limits": {"strong": round(STRONG, 4), "weak": WEAK},
        "models": [_model_json(one) for one in found.models],
        "readers": list(found.readers),
    }


def _model_json(one: ModelAdvice) -> dict[str, object]:
    figures = one.figures
    return {
        "model": one.model,
        "tier": one.tier,
        "strategy": one.advice.strategy or None,
        "sentence": one.advice.sentence,
        "may_be": list(one.advice.may_be),
        "settle": one.advice.settle,
        "notes": [*one.advice.notes, *one.notes],
        "run": one.run or None,
        "cases": one.cases,
        "given_away": one.given_away,
        "unanswered": figures.unanswered if figures else None,
        "base": asdict(figures.base) if figures and figures.base else None,
        "enriched": asdict(figures.enriched) if figures and figures.enriched else None,
        "gain": {**asdict(figures.gain), "shown": figures.gain.shown} if figures and figures.gain else None,
        "training": asdict(one.proposal) if one.proposal else None,
    }
