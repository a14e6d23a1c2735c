"""The positive control: a known winner, a known loser and a tie, through real servers, bench and gate.

Who is to be told apart is a stand-in that says what it is told to say: right answers to some of the cases of the
project's own suite, wrong ones to the others. A gate that does not tell these apart will not tell apart what is
trained; and where the suite itself is too small to show even a clear winner, this says so before a night is spent.
"""

import hashlib
import json
import os
import shlex
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from promptforge.bench.gate import GateVerdict
from promptforge.bench.plan import Job
from promptforge.errors import UsageError
from promptforge.model import Model
from promptforge.nightly.answers import Answers, answers_to, message_of
from promptforge.promote import promote
from promptforge.store import HISTORY, Store
from promptforge.workbench.candidates import Wanted, candidate, outlooks
from promptforge.workbench.contest import Serve
from promptforge.workbench.scope import Revision

__all__ = ["Rehearsal", "Trial", "rehearse"]

MODEL = "stand-in"
_EXPECTED = {"winner": "promote", "loser": "reject", "tie": "inconclusive"}
_FEWEST = 4
"""With fewer cases nobody can be told apart, and there is nothing to rehearse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the gate said of one of the three."""

    name: str
    expected: str
    verdict: GateVerdict

    @property
    def holds(self) -> bool:
        """Whether it is what it must be."""
        return self.verdict.verdict == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """All three."""

    suite: str
    cases: int
    """Cases that were asked."""
    silent: int
    """Those of them to which no right or no wrong answer could be made up: they are alike in all arms."""
    trials: tuple[Trial, ...]

    @property
    def holds(self) -> bool:
        """Whether the gate told all of them apart."""
        return all(trial.holds for trial in self.trials)


def rehearse(
    revision: Revision,
    environ: Mapping[str, str],
    *,
    suite: str,
    serving: Callable[[Path], Serve],
    stop: threading.Event,
    say: Callable[[str], None],
    now: Callable[[], str],
) -> Rehearsal:
    """Hold the three tournaments on the project's suite, in a folder of their own: nothing of the project changes.

    `serving` gives what starts servers below a folder. Raises UsageError where there are too few cases, and whatever a
    server raises.
    """
    with tempfile.TemporaryDirectory(prefix="promptforge-rehearsal-") as name:
        folder = Path(name)
        stage = _Stage(folder, _with_stand_in(revision, folder), suite, environ)
        trials = []
        for trial, expected in _EXPECTED.items():
            say(f"{trial}: it must come out as {expected}")
            verdict = stage.tried(trial, serving, stop, now)
            if verdict is None:
                break
            trials.append(Trial(name=trial, expected=expected, verdict=verdict))
        return Rehearsal(suite=stage.suite, cases=stage.cases, silent=stage.silent, trials=tuple(trials))


def _with_stand_in(revision: Revision, folder: Path) -> Revision:
    """The project with one more model: the stand-in, which every agent is asked on."""
    words = [sys.executable, str(folder / "standin.py"), "--answers", str(folder / "answers.json")]
    words += ["--parent", str(os.getpid())]  # killed, we leave no folder in which it could be found
    serve = f"{shlex.join(words)} --port {{port}} [--adapter {{adapter}}]"
    settings = {"base_url": "http://127.0.0.1:1/v1", "model": MODEL, "params": {"temperature": 0}, "serve": serve}
    model = Model(name=MODEL, backend="compatible", tier="local", context=2**24, settings=settings)
    config = revision.build.project.config
    config = replace(config, models={**config.models, MODEL: model})
    project = replace(revision.build.project, config=config)
    return replace(revision, build=replace(revision.build, project=project))


class _Stage:
    """The folder that the three play in."""

    def __init__(self, folder: Path, revision: Revision, suite: str, environ: Mapping[str, str]) -> None:
        self._folder, self._revision, self._environ = folder, revision, environ
        self._suite, self._name = suite, suite
        self._keys: dict[str, list[str]] = {}
        """By case what the stand-in knows its chats by."""
        program = files("promptforge.data") / "rehearsal" / "standin.py"
        (folder / "standin.py").write_bytes(program.read_bytes())
        (folder / "answers.json").write_text("{}")
        self._known_by(())
        jobs = self._jobs()
        answers = {job.identity: found for job in jobs if (found := self._answers(job))}
        by_case = {job.case.id: job for job in jobs if job.identity in answers}
        self.suite, self.cases = self._name, len({job.case.id for job in jobs})
        self.silent = self.cases - len(by_case)
        if len(by_case) < _FEWEST:
            hint = "write more cases: docs/how-to/suites.md"
            raise UsageError(f"the suite '{self.suite}' has too few cases to rehearse with: {len(by_case)}", hint=hint)
        (folder / "answers.json").write_text(json.dumps(_told(jobs, answers)), encoding="utf-8")
        self._keys = {case: [_key(job) for job in jobs if job.case.id == case] for case in by_case}
        self._right = shares([(job.case.id, job.case.category, job.case.tier) for job in by_case.values()])
        self._known_by(self._right["untrained"])

    def tried(
        self, name: str, serving: Callable[[Path], Serve], stop: threading.Event, now: Callable[[], str]
    ) -> GateVerdict | None:
        """The verdict on one of the three; None where it was interrupted."""
        root = self._folder / name
        self._adapter(root, name, self._right[name])
        wanted = self._wanted(root)
        with Store(root / HISTORY) as store:
            who = candidate(root, self._revision, wanted, store, self._environ)
            found = promote(who, wanted, store, self._environ, serve=serving(root), stop=stop, now=now)
        return found.page.verdict if found.page else None

    def _wanted(self, root: Path) -> Wanted:
        return Wanted(what=str(root / "adapter"), model=MODEL, suite=self._suite)

    def _adapter(self, root: Path, name: str, right: Iterable[str]) -> None:
        """A folder that is loaded as an adapter: what it holds is who is answered rightly."""
        folder = root / "adapter"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "adapter.safetensors").write_text(f"the {name}")
        agents = list(self._revision.build.project.agents)
        told = {"model": MODEL, "recipe": name, "system": "enriched", "agents": agents}
        (folder / "adapter.json").write_text(json.dumps(told))
        self._known_by(right, folder, name)

    def _known_by(self, right: Iterable[str], folder: Path | None = None, name: str = "nobody") -> None:
        """Write down which cases are answered rightly."""
        keys = [key for case in right for key in self._keys[case]]
        place = (folder or self._folder) / "right.json"
        place.write_text(json.dumps({"name": name, "right": keys}))

    def _jobs(self) -> Sequence[Job]:
        """What each arm will be sent."""
        root = self._folder / "plan"
        self._adapter(root, "plan", ())
        with Store(root / HISTORY) as store:
            who = candidate(root, self._revision, self._wanted(root), store, self._environ)
            _, (_, planned) = outlooks(who, store, self._environ)
            with closing(planned):
                self._name = planned.suite.name
                self._scoring = planned.scoring
                return tuple(job for job in planned.jobs if not job.barred and not job.case.generated)

    def _answers(self, job: Job) -> Answers | None:
        known, cases = self._scoring[job.arm.revision]
        return answers_to(cases[job.case.id], known)


def _key(job: Job) -> str:
    """What the stand-in knows a chat by."""
    turns = [[role, content] for role, content in job.request.messages]
    return hashlib.sha256(json.dumps(turns).encode()).hexdigest()


def _told(jobs: Sequence[Job], answers: Mapping[str, Answers]) -> dict[str, Any]:
    found = {}
    for job in jobs:
        if job.identity in answers:
            right, wrong = answers[job.identity]
            found[_key(job)] = {"right": message_of(right), "wrong": message_of(wrong)}
    return found


def shares(cases: Sequence[tuple[str, str, str]]) -> dict[str, tuple[str, ...]]:
    """Whom of (case, category, tier) each of the four answers rightly; the same cases give the same shares.

    Within each category and tier, so that a winner gains everywhere, and a tie loses as much as it gains.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for case, category, tier in sorted(cases, key=lambda one: hashlib.sha256(one[0].encode()).hexdigest()):
        groups.setdefault((category, tier), []).append(case)
    found: dict[str, list[str]] = {"untrained": [], "winner": [], "loser": [], "tie": []}
    for group in groups.values():
        for name, right in _of_group(group):
            found[name] += right
    return {name: tuple(right) for name, right in found.items()}


def _of_group(group: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    half = len(group) // 2
    right, wrong = group[:half], group[half:]
    yield "untrained", right
    yield "winner", [*right, *wrong[: -(-len(wrong) * 9 // 10)]]
    yield "loser", right[: len(right) // 10]
    swapped = -(-half // 6)
    yield "tie", [*right[swapped:], *wrong[:swapped]]
