"""What every night did, stage by stage, as it happens: what is killed can be taken up again, and nothing is forgotten.

A night that failed is never a night that judged: they are counted apart, and each says why.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from promptforge.store import NightRow, Store

__all__ = ["FAILED", "JUDGED", "OVERTAKEN", "RUNNING", "STAGES", "UNCHANGED", "Journal", "Night", "Stage", "streak"]

STAGES: Mapping[str, str] = {
    "build": "compile the project",
    "rows": "make and audit the training rows",
    "train": "train the candidate",
    "before": "ask the untrained model and the champion",
    "after": "ask the candidate",
    "gate": "judge",
    "act": "promote it, put it away, or leave everything as it is",
}
"""The stages of a night, in order, and what each does."""
JUDGED = ("promote", "reject", "inconclusive")
"""Outcomes of a night that came to a verdict."""
RUNNING = "running"
"""Of a night that a process works on just now; never written down."""
FAILED, OVERTAKEN, UNCHANGED = "failed", "overtaken", "unchanged"
"""It could not go on; it was cut short, and then its inputs changed; what it trained is the champion already."""
_PAST = {"reject": "rejected", "inconclusive": "inconclusive", UNCHANGED: "the champion again", FAILED: "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage that was begun."""

    name: str
    """One of STAGES."""
    started: str
    finished: str = ""
    """Empty where it did not end: it failed, was killed or interrupted."""
    words: str = ""
    """What came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A night of one recipe."""

    number: int
    recipe: str
    inputs: str
    """Digest of everything that it starts from."""
    started: str
    finished: str = ""
    outcome: str = ""
    """A verdict, `unchanged`, `failed` or `overtaken`; empty: it runs, or was cut short, and is gone on with."""
    sentence: str = ""
    """The verdict, or what failed, in one sentence."""
    stages: tuple[Stage, ...] = ()
    adapter: str = ""
    """The candidate's folder, as it was trained."""
    pages: tuple[str, ...] = ()
    """Where the verdict stands."""

    @property
    def at(self) -> str:
        """The stage that it reached."""
        return self.stages[-1].name if self.stages else ""

    def ended(self, name: str) -> bool:
        """Whether a stage was gone through to its end."""
        return any(stage.name == name and stage.finished for stage in self.stages)


@dataclass(frozen=True, slots=True)
class Journal:
    """The nights of a project, kept in its history."""

    store: Store

    def nights(self, recipe: str = "") -> tuple[Night, ...]:
        """All of them, or those of a recipe; the latest first."""
        return tuple(_night(row) for row in self.store.nights() if recipe in ("", row.recipe))

    def begin(self, recipe: str, inputs: str, *, at: str) -> Night:
        """Begin a night."""
        number = self.store.begin_night(recipe, inputs, at=at)
        return Night(number=number, recipe=recipe, inputs=inputs, started=at)

    def write(self, night: Night) -> Night:
        """Write a night down as it stands; it is safe when this returns."""
        body = {"stages": [asdict(stage) for stage in night.stages], "adapter": night.adapter}
        body |= {"sentence": night.sentence, "pages": list(night.pages)}
        self.store.put_night(
            NightRow(
                number=night.number,
                recipe=night.recipe,
                inputs=night.inputs,
                started=night.started,
                finished=night.finished,
                outcome=night.outcome,
                body=body,
            )
        )
        return night

    def enter(self, night: Night, name: str, *, at: str) -> Night:
        """Note that a stage begins; one that was begun before begins anew."""
        stages = tuple(stage for stage in night.stages if stage.name != name)
        return self.write(replace(night, stages=(*stages, Stage(name=name, started=at))))

    def leave(self, night: Night, words: str, *, at: str) -> Night:
        """Note that the stage that was entered last has ended well."""
        *before, last = night.stages
        return self.write(replace(night, stages=(*before, replace(last, finished=at, words=words))))

    def end(self, night: Night, outcome: str, sentence: str, *, at: str) -> Night:
        """Note how the night ended."""
        return self.write(replace(night, finished=at, outcome=outcome, sentence=sentence))


def _night(row: NightRow) -> Night:
    told: Mapping[str, Any] = row.body
    return Night(
        number=row.number,
        recipe=row.recipe,
        inputs=row.inputs,
        started=row.started,
        finished=row.finished,
        outcome=row.outcome,
        sentence=str(told.get("sentence", "")),
        stages=tuple(Stage(**stage) for stage in told.get("stages", ())),
        adapter=str(told.get("adapter", "")),
        pages=tuple(told.get("pages", ())),
    )


def streak(nights: Sequence[Night]) -> str:
    """The nights since the last promotion in one line, with the reason of each failure; the latest night comes first.

    >>> said = {"recipe": "r", "inputs": "", "started": ""}
    >>> tied = Night(number=2, outcome="inconclusive", **said)
    >>> streak([tied, Night(number=1, outcome="failed", sentence="server never ready", **said)])
    '2 nights, 0 promotions: 1 inconclusive, 1 failed: server never ready'
    """
    since = []
    for night in nights:
        if night.outcome == "promote":
            break
        if night.outcome not in (OVERTAKEN, RUNNING):
            since.append(night)
    if not since:
        ended = any(night.outcome != RUNNING for night in nights)
        return "the last night promoted" if ended else "no night has ended yet" if nights else "no night yet"
    counts = {word: sum(night.outcome == outcome for night in since) for outcome, word in _PAST.items()}
    cut = sum(not night.outcome for night in since)
    parts = [f"{count} {word}" for word, count in counts.items() if count and word != "failed"]
    parts += [f"{cut} cut short"] if cut else []
    parts += [f"{counts['failed']} failed: {_reasons(since)}"] if counts["failed"] else []
    many = "1 night" if len(since) == 1 else f"{len(since)} nights"
    return f"{many}, 0 promotions: {', '.join(parts)}"


def _reasons(nights: Iterable[Night]) -> str:
    """Why nights failed, each reason once, the most frequent first."""
    counts: dict[str, int] = {}
    for night in nights:
        if night.outcome == FAILED:
            counts[night.sentence] = counts.get(night.sentence, 0) + 1
    ordered = sorted(counts.items(), key=lambda one: -one[1])
    return "; ".join(f"{reason} ({count} times)" if count > 1 else reason for reason, count in ordered)
