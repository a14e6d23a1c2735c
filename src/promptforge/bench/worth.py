"""The measured prompt: of each section that a run left out, what it costs in tokens and what is lost without it."""

from collections.abc import Iterable
from dataclasses import dataclass

from promptforge.bench.results import Comparison, Effect, Run

__all__ = ["WITHOUT", "Worth", "worths"]

WITHOUT = "without "
"""How the variants are called that leave a section out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a section costs and what it buys."""

    section: str
    model: str
    """On which it was measured."""
    run: str
    tokens: float
    """A prompt, on average over the agents that have it."""
    effect: Effect | None
    """The score with it minus the score without it; None where requests are unanswered."""
    reader: bool = False
    """Whether it was measured on the reader, which is no model."""

    @property
    def words(self) -> str:
        """What the numbers say."""
        if self.effect is None:
            return "withheld: requests are unanswered"
        if not self.effect.differing:
            return "buys nothing here: no score differs without it"
        if self.effect.too_few:
            return "too few cases differ without it to tell"
        if not self.effect.shown:
            return "not shown to buy anything"
        if self.reader:
            return "more is found with it" if self.effect.estimate > 0 else "less is found with it"
        return "buys score" if self.effect.estimate > 0 else "costs score"


def worths(run: Run, comparisons: Iterable[Comparison]) -> tuple[Worth, ...]:
    """What each section is worth, by the comparisons of the prompt without it and the whole: the dearest first."""
    arms = {str(arm): arm for arm in run.arms if not arm.revision}
    made = []
    for found in comparisons:
        without, whole = arms.get(found.before), arms.get(found.after)
        if without is None or whole is None or not without.variant.startswith(WITHOUT) or whole.variant != "enriched":
            continue
        name = without.variant.removeprefix(WITHOUT)
        tokens = run.section_tokens.get(name, 0.0)
        made.append(
            Worth(section=name, model=whole.model, run=run.id, tokens=tokens, effect=found.overall, reader=found.reader)
        )
    return tuple(sorted(made, key=lambda one: (one.model, -one.tokens, one.section)))
