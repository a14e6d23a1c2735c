"""The thread that works out what differs: the newest build only, and again when git's HEAD moves."""

import datetime
import gc
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from promptforge.artifact import Artifact
from promptforge.compiler.build import Build, compile_project
from promptforge.compiler.load import read_project
from promptforge.errors import PromptforgeError
from promptforge.page.changes import Committed, Side, difference, differing_agents, head_file, side
from promptforge.page.hub import Hub
from promptforge.workbench.formerly import suites_before
from promptforge.workbench.suites import Suites

__all__ = ["Differing"]

_PAUSE_S = 0.12
"""So long a build has to itself, so that the page shows its prompt before the processor is busy again."""
_GIT_S = 1.0
"""So often the time of git's log is looked at, while a browser shows the page."""
_KEPT = 8
"""So many builds' suites are kept, besides those of the builds that something is held against."""


class _Job(NamedTuple):
    made: Build | None
    before: Mapping[str, Artifact | None]
    good: Artifact | None
    """The last good build, which the page shows."""
    broken: bool
    number: int


class Differing:
    """Holds each build against the one before the last save, that of the page's opening, and that of the commit."""

    def __init__(self, root: Path, hub: Hub, *, today: Callable[[], datetime.date]) -> None:
        self._root, self._hub, self._today = root, hub, today
        self._git = Committed(root)
        self._log = head_file(root)
        self._suites: dict[int, tuple[Artifact, Suites]] = {}
        self._over = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._job: _Job | None = None
        self._thread = threading.Thread(target=self._run, name="differing", daemon=True)
        self._thread.start()

    @property
    def committed(self) -> Artifact | None:
        """The build of HEAD, once it is known."""
        return self._git.side.artifact if self._git.side else None

    def look(
        self,
        made: Build | None,
        before: Mapping[str, Artifact | None],
        good: Artifact | None,
        *,
        broken: bool,
        number: int,
    ) -> None:
        """Work out what differs now. `made` is the whole build, where there is one; `good` is what the page shows.

        `number` tells the page which build it is about.
        """
        with self._lock:
            self._job = _Job(made, dict(before), good, broken, number)
        self._wake.set()

    def close(self) -> None:
        """End; what is being worked out is let go."""
        self._over.set()
        self._wake.set()

    def _run(self) -> None:
        last: _Job | None = None
        seen = self._moved()
        while not self._over.is_set():
            woken = self._wake.wait(_GIT_S)
            if woken:
                self._over.wait(_PAUSE_S)
            self._wake.clear()
            with self._lock:
                job, self._job = self._job, None
            if job is None and (not self._hub.watched or self._moved() == seen):
                continue
            seen = self._moved()
            last = job or last
            if last is not None and not self._over.is_set():
                self._work_out(last)

    def _moved(self) -> float:
        try:
            return self._log.stat().st_mtime if self._log else 0.0
        except (OSError, ValueError):  # a `.git` that is no text may name what is no path
            return 0.0

    def _work_out(self, job: _Job) -> None:
        try:
            news = self._news(job)
        except PromptforgeError as problem:
            news = {"problem": f"what differs cannot be told: {problem.message}"}
        except Exception as problem:  # a mistake of ours must not leave the page waiting for ever
            news = {"problem": f"promptforge itself failed: {type(problem).__name__}: {problem}"}
        if not self._over.is_set():
            self._hub.publish("changes", {**news, "of": job.number})
        gc.collect()  # the command runs without the collector

    def _news(self, job: _Job) -> dict[str, Any]:
        build = job.made or compile_project(read_project(self._root), today=self._today())
        now = side(build)
        if job.good is not None and not job.broken:
            self._keep(job.good, now.suites, job.before)
        found = {
            name: None if old is None else difference(self._before(old, build), now, (name, "now"))
            for name, old in job.before.items()
        }
        committed = self._git.look(self._today())
        config = build.project.config
        return {
            **found,
            "commit": difference(committed, now, ("HEAD", "now")) if committed else None,
            "no_commit": self._git.problem,
            "dots": differing_agents(committed, job.good) if committed and job.good else [],
            "models": [{"name": model.name, "tier": model.tier} for model in config.models.values()],
            "runtime": list(config.runtime),
            "name": config.name,
        }

    def _keep(self, artifact: Artifact, suites: Suites, before: Mapping[str, Artifact | None]) -> None:
        self._suites.pop(id(artifact), None)
        self._suites[id(artifact)] = artifact, suites
        named = {id(one) for one in before.values()}
        for old in [one for one in self._suites if one not in named][:-_KEPT]:
            del self._suites[old]

    def _before(self, artifact: Artifact, build: Build) -> Side:
        """An earlier build; where its suites were not read, today's are read against its facts."""
        kept = self._suites.get(id(artifact))
        return Side(artifact=artifact, suites=kept[1] if kept else suites_before(build, artifact))
