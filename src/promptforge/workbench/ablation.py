"""The measured prompt: what each section costs in tokens, and what is lost without it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from promptforge.bench.compare import compare
from promptforge.bench.results import Arm, Effect, Run
from promptforge.store import Store
from promptforge.tokens import TokenizerError, load_tokenizer
from promptforge.workbench.explain import sections_of
from promptforge.workbench.finding import read
from promptforge.workbench.variants import Compiled, section_name

__all__ = ["Worth", "latest_worths", "section_tokens", "worths"]

_WITHOUT = "without "


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a section costs and what it buys."""

    section: str
    model: str
    run: str
    tokens: float
    """A prompt, on average over the agents that have it."""
    effect: Effect | None
    """The score with it minus the score without it; None where requests are unanswered."""

    @property
    def words(self) -> str:
        """What the numbers say."""
        if self.effect is None:
            return "withheld: requests are unanswered"
        if not self.effect.differing:
            return "buys nothing here: no score differs without it"
        if not self.effect.shown:
            return "not shown to buy anything"
        return "buys score" if self.effect.estimate > 0 else "costs score"


def section_tokens(compiled: Iterable[Compiled], root: Path) -> dict[str, float]:
    """By name, the tokens that a section costs in the enriched prompt, on average over the agents that have it."""
    found: dict[str, list[int]] = {}
    for one in compiled:
        if one.entry is None:
            continue
        try:
            tokenizer = load_tokenizer(one.model.tokenizer, root=root)
        except TokenizerError:
            tokenizer = load_tokenizer("estimate", root=root)
        own: dict[str, int] = {}
        for section, record in zip(sections_of(one.entry, tokenizer), one.entry.sections, strict=True):
            if section.kind != "persona":
                name = section_name(record)
                own[name] = own.get(name, 0) + section.tokens
        for name, tokens in own.items():
            found.setdefault(name, []).append(tokens)
    return {name: sum(counts) / len(counts) for name, counts in found.items()}


def worths(run: Run) -> tuple[Worth, ...]:
    """What each section is worth, as far as a run without it shows: the most expensive first."""
    arms = {(arm.model, arm.variant): arm for arm in run.arms if not arm.revision}
    made = [
        _worth(run, arm, arms[arm.model, "enriched"])
        for arm in arms.values()
        if arm.variant.startswith(_WITHOUT) and (arm.model, "enriched") in arms
    ]
    return tuple(sorted(made, key=lambda one: (one.model, -one.tokens, one.section)))


def _worth(run: Run, without: Arm, enriched: Arm) -> Worth:
    name = without.variant.removeprefix(_WITHOUT)
    found = compare(run, without, run, enriched)
    return Worth(
        section=name, model=enriched.model, run=run.id, tokens=run.section_tokens.get(name, 0.0), effect=found.overall
    )


def latest_worths(store: Store) -> Mapping[str, Worth]:
    """By section, what the latest run that left sections out says; nothing where there was none."""
    for head in store.runs():
        if any(_WITHOUT in arm for arm in head.head.get("arms", ())):
            return {one.section: one for one in worths(read(store, head.id))}
    return {}
