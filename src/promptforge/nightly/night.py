"""A night of one recipe: every stage recorded as it happens, a killed one taken up again, a failed one never quiet.

What each stage does is done elsewhere, and is safe to do again: the same rows are not made twice, the same training is
not run twice, what was answered is not asked again, the same evidence is one look. So a night that is taken up goes the
way that it would have gone.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Protocol

from promptforge.bench.gatepage import VerdictPage
from promptforge.errors import BusyError, PromptforgeError
from promptforge.files import digest_of
from promptforge.nightly.journal import FAILED, JUDGED, OVERTAKEN, STAGES, UNCHANGED, Journal, Night

__all__ = ["Means", "NightError", "Promoted", "UnansweredError", "inputs_digest", "spend_night"]


_OVER = (*JUDGED, UNCHANGED)
"""Outcomes after which a night of the same inputs has nothing to do."""


class Promoted(Protocol):
    """What came of the tournament."""

    @property
    def page(self) -> VerdictPage | None:
        """The verdict; None where it was cut short."""

    @property
    def written(self) -> tuple[Path, ...]:
        """The files of the verdict."""

    @property
    def stopped(self) -> str:
        """Why it was cut short, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the stages are done with. Each raises PromptforgeError where it fails."""

    build: Callable[[], str]
    """Compiles the project; what came of it in words."""
    rows: Callable[[], str]
    """Makes and audits the rows."""
    train: Callable[[], tuple[Path, str]]
    """Trains; the adapter's folder and what came of it."""
    promote: Callable[[Path, Callable[[str], None]], Promoted]
    """Holds the tournament, saying which stage it enters, and acts on the verdict."""
    reigns: Callable[[Path, str], str]
    """Whether an adapter was the champion already when the night began, in a sentence; else nothing."""
    is_there: Callable[[Path], bool]
    """Whether an adapter that was trained is still whole, where it was made or in quarantine."""


class NightError(PromptforgeError):
    """A stage failed, and with it the night: `problem` is what failed, and has the exit code."""

    def __init__(self, night: Night, problem: PromptforgeError) -> None:
        hint = problem.hint or "mend it; the next night begins anew, and keeps what is done"
        super().__init__(f"night {night.number} of {night.recipe} failed: {night.sentence}", hint=hint)
        self.night, self.problem = night, problem


class UnansweredError(PromptforgeError):
    """Answers are missing, so that nothing could be judged."""

    exit_code: ClassVar[int] = 4


def inputs_digest(files: Mapping[str, bytes], more: Mapping[str, str]) -> str:
    """The digest of what a night starts from: the project's files by path, and what else its outcome hangs on."""
    named = {path: digest_of(content) for path, content in files.items()}
    return digest_of(json.dumps([sorted(named.items()), sorted(more.items())]))


def spend_night(
    journal: Journal,
    recipe: str,
    inputs: str,
    means: Means,
    *,
    now: Callable[[], str],
    say: Callable[[str], None],
    again: bool = False,
) -> tuple[Night, bool]:
    """The night, and whether anything was done: one of the same inputs that came to a verdict is not repeated.

    What was cut short is taken up where it was. Raises NightError where a stage fails; that is written down, too.
    """
    night, is_new = _begun(journal, recipe, inputs, now, say, again=again)
    if night.outcome in _OVER:
        return night, False
    if not is_new:
        say(f"night {night.number} was cut short at '{night.at or 'the start'}': it goes on from there")
    going = _Going(journal, night, means, now, say)
    try:
        return going.through(), True
    except BusyError:  # somebody else trains or builds: the night goes on when he has done
        raise
    except UnansweredError as problem:
        raise NightError(going.fail(problem.message, at="gate"), problem) from problem
    except PromptforgeError as problem:
        raise NightError(going.fail(problem.message), problem) from problem
    except Exception as problem:  # a mistake of ours is a failed night, too
        going.fail(f"promptforge itself failed: {type(problem).__name__}: {problem}")
        raise


def _begun(
    journal: Journal, recipe: str, inputs: str, now: Callable[[], str], say: Callable[[str], None], *, again: bool
) -> tuple[Night, bool]:
    """The night that is due: the last one, where it is not over or nothing has changed since; else a new one."""
    last = next(iter(journal.nights(recipe)), None)
    if last is not None and last.inputs == inputs and not again and (not last.outcome or last.outcome in _OVER):
        return last, False
    if last is not None and not last.outcome:
        reason = "it was begun again" if last.inputs == inputs else "its inputs have changed since"
        say(f"night {last.number} was cut short at '{last.at or 'the start'}', and {reason}: a new one begins")
        journal.end(last, OVERTAKEN, f"cut short at '{last.at}'; {reason}", at=now())
    return journal.begin(recipe, inputs, at=now()), True


class _Going:
    """A night that is under way."""

    def __init__(
        self, journal: Journal, night: Night, means: Means, now: Callable[[], str], say: Callable[[str], None]
    ) -> None:
        self._journal, self._night, self._means, self._now, self._say = journal, night, means, now, say

    def through(self) -> Night:
        """All stages that are left."""
        self._do("build", self._means.build)
        adapter = self._trained()
        if said := self._means.reigns(adapter, self._night.started):
            return self._journal.end(self._night, UNCHANGED, said, at=self._now())
        found = self._means.promote(adapter, self._promoting)
        if found.page is None:
            self._say(f"cut short: {found.stopped}; the next night goes on from here")
            return self._night
        return self._judged(found.page, found.written)

    def _do(self, name: str, work: Callable[[], str]) -> None:
        self._enter(name)
        self._leave(work())

    def _trained(self) -> Path:
        """The candidate: the one that this night has trained already, or a new one."""
        known = Path(self._night.adapter)
        if self._night.ended("train") and self._means.is_there(known):
            return known
        self._do("rows", self._means.rows)
        self._enter("train")
        folder, words = self._means.train()
        self._night = replace(self._night, adapter=str(folder))
        self._leave(words)
        return folder

    def _promoting(self, name: str) -> None:
        """The tournament enters a stage, or goes on in it; the one before has ended."""
        if self._night.at == name:
            return
        if not self._night.stages[-1].finished:
            self._leave("")
        self._enter(name)

    def _judged(self, page: VerdictPage, written: tuple[Path, ...]) -> Night:
        verdict = page.verdict
        self._night = replace(self._night, pages=tuple(map(str, written)))
        missing = next((one for one in verdict.conditions if one.name == "answered" and not one.holds), None)
        if missing is not None:
            raise UnansweredError(f"nothing was judged: {missing.words}", hint=verdict.settle)
        self._leave(page.done)
        return self._journal.end(self._night, verdict.verdict, verdict.sentence, at=self._now())

    def _enter(self, name: str) -> None:
        self._night = self._journal.enter(self._night, name, at=self._now())

    def _leave(self, words: str) -> None:
        self._night = self._journal.leave(self._night, words, at=self._now())

    def _stage(self) -> str:
        """The stage that it is in: after one that has ended, the next one."""
        names = list(STAGES)
        at = self._night.at
        return names[min(names.index(at) + 1, len(names) - 1)] if self._night.ended(at) else at

    def fail(self, why: str, *, at: str = "") -> Night:
        """Write down what failed, and at which stage. Where even that cannot be, what failed is what counts."""
        sentence = f"{at or self._stage()}: {why}"
        try:
            return self._journal.end(self._night, FAILED, sentence, at=self._now())
        except PromptforgeError as problem:
            self._say(f"that this night failed is not written down: {problem.message}")
            return replace(self._night, outcome=FAILED, sentence=sentence)
