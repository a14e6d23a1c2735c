"""The measured prompt: what each section costs in tokens, and what is lost without it."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from promptforge.bench.compare import compare
from promptforge.bench.results import OWN, Comparison, Run
from promptforge.bench.worth import WITHOUT, Worth, worths
from promptforge.store import Store
from promptforge.tokens import TokenizerError, load_tokenizer
from promptforge.workbench.explain import sections_of
from promptforge.workbench.finding import read
from promptforge.workbench.variants import Compiled, section_name

__all__ = ["latest_worths", "section_tokens"]


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


def latest_worths(store: Store, model: str = "") -> Mapping[str, Worth]:
    """By section, what the latest run that left sections out says; nothing where there was none.

    With `model` it is the latest run that did so on this model, or with each agent on its own; else any run will do,
    and each Worth says on which model it was measured.
    """
    heads = [head for head in store.runs() if any(WITHOUT in arm for arm in head.head.get("arms", ()))]
    of_it = (head for head in heads if any(_is_of(arm, model) for arm in head.head["arms"]))
    head = next(of_it, None) or next(iter(heads), None)
    if head is None:
        return {}
    found = worths(run := read(store, head.id), _comparisons(run))
    own = [one for one in found if one.model in (model, OWN)]
    return {one.section: one for one in own or found}


def _is_of(arm: str, model: str) -> bool:
    """Whether it is the name of an arm that leaves a section out, on this model."""
    return arm.startswith(WITHOUT) and arm.endswith((f" · {model}", f" · {OWN}"))


def _comparisons(run: Run) -> Iterator[Comparison]:
    """Each section's absence with the whole prompt."""
    arms = {(arm.model, arm.variant): arm for arm in run.arms if not arm.revision}
    for arm in arms.values():
        if arm.variant.startswith(WITHOUT) and (arm.model, "enriched") in arms:
            yield compare(run, arm, run, arms[arm.model, "enriched"])
