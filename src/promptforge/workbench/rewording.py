"""`paraphrase: MODEL`: questions of generated rows in a model's words, each looked at before it is sent and after.

Answers are kept in the history as they come: what was asked once is not asked again, and the same rows come out.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from promptforge.backends.opening import open_backend
from promptforge.bench.cases import Case
from promptforge.bench.keeping import Outcome, known_outcomes
from promptforge.bench.plan import Job, identity_of
from promptforge.bench.results import Arm
from promptforge.bench.run import Limits, Progress, Target, execute
from promptforge.compiler.build import Build
from promptforge.dataset.dataset import Dataset
from promptforge.dataset.paraphrase import checked, request_for
from promptforge.dataset.replayed import Reader
from promptforge.dataset.rows import Kind, Row
from promptforge.errors import UsageError
from promptforge.model import Model
from promptforge.source import Span
from promptforge.store import Store
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.costs import limits_of
from promptforge.workbench.environment import now_utc
from promptforge.workbench.targets import prices_of

__all__ = ["REWORDED", "Reworder"]

REWORDED: frozenset[Kind] = frozenset(["identity", "infrastructure", "domain"])
"""Attacks stay as they were written, and so do the user's own rows."""
_RUN = "paraphrases"
_PARALLEL = {"local": 1, "cloud": 4}


class Reworder:
    """Asks a project's model for other words."""

    def __init__(
        self,
        build: Build,
        history: Store,
        *,
        environ: Mapping[str, str],
        stop: threading.Event | None = None,
        limits: Limits | None = None,
        progress: Progress | None = None,
        timeout_s: float = 120.0,
        now: Callable[[], str] = now_utc,
    ) -> None:
        self._project, self._root = build.project, Path(build.tree.root)
        self._clearance = Clearance([build])
        self._history, self._environ, self._now = history, environ, now
        self._most, most_usd = limits_of(build)
        self._stop, self._limits = stop or threading.Event(), limits or Limits(usd=most_usd)
        self._progress, self._timeout_s = progress, timeout_s

    def __call__(self, made: Dataset) -> tuple[dict[int, str], Counter[str]]:
        """By a row's number the question in other words; and why others were dropped, how many each."""
        model = self._project.config.models[made.recipe.paraphrase]
        rows = dict(self._rows(made))
        with _Opened(model, self._root, self._environ) as opened:
            jobs = {at: self._job(row, model, opened) for at, row in rows.items()}
            outcomes = self._answers(jobs, model, opened)
        texts: dict[int, str] = {}
        dropped: Counter[str] = Counter()
        asked = {row.user.casefold() for row in rows.values()}
        for at, row in rows.items():
            text, reason = self._judged(made, at, row, jobs[at], outcomes.get(jobs[at].identity), asked)
            if reason:
                dropped[reason] += 1
            else:
                texts[at] = text
                asked.add(text.casefold())
        return texts, dropped

    def _rows(self, made: Dataset) -> Iterator[tuple[int, Row]]:
        with Reader(made.root, made.stock.replays) as reader:
            kinds = [kind for kind, _ in made.mixed.names]
            for at, stratum in enumerate(made.mixed.strata):
                if kinds[stratum] in REWORDED:
                    yield at, made.row(at, reader)

    def _job(self, row: Row, model: Model, opened: "_Opened") -> Job:
        request = request_for(row, model.settings.get("params", {}))
        barred = self._clearance.barred_agent(row.agent, model)
        barred = barred or self._clearance.barred_facts(((fact, "public") for fact in row.facts), model, "the question")
        barred = barred or self._clearance.barred(request, model)
        return Job(
            arm=Arm(model=model.name, variant="paraphrase"),
            case=Case(
                id=row.id,
                category=row.category,
                tier="extended",
                agents=(row.agent,),
                messages=request.messages,
                checks=(),
                span=Span(file=row.file, line=max(row.line, 1)),
            ),
            agent=row.agent,
            repeat=0,
            model=model.name,
            request=request,
            identity=f"barred: {row.id}" if barred else identity_of(request, opened.backend.identity, 0),
            barred=barred,
        )

    def _answers(self, jobs: Mapping[int, Job], model: Model, opened: "_Opened") -> Mapping[str, Outcome]:
        known = known_outcomes(self._history.answers(j.identity for j in jobs.values() if not j.barred))
        target = Target(
            model=model.name,
            backend=self._clearance.guarded(opened.backend, model),
            concurrency=_PARALLEL[model.tier],
            cost_usd=prices_of(model),
            timeout_s=self._timeout_s,
        )
        asked = sum(not job.barred and job.identity not in known for job in jobs.values())
        if asked > self._most:
            message = f"{asked:,} paraphrases are more than limits.bench.requests ({self._most:,})"
            raise UsageError(message, hint="ask for fewer rows, or raise the limit in promptforge.yaml")
        outcomes, _ = execute(
            [*jobs.values()],
            {model.name: target},
            known,
            self._history,
            run=_RUN,
            limits=self._limits,
            now=self._now,
            stop=self._stop,
            progress=self._progress,
        )
        return outcomes

    def _judged(
        self, made: Dataset, at: int, row: Row, job: Job, outcome: Outcome | None, asked: set[str]
    ) -> tuple[str, str]:
        """The text, or why it is dropped."""
        if job.barred:
            return "", "clearance"
        seed = made.stock.seeds[made.mixed.seeds[at]]
        keep = [seed.value] if seed.fact is not None else []
        text, reason = checked(row, outcome.answer if outcome else None, self._project.tables, keep)
        if reason:
            return "", reason
        if made.stock.barred((text,)):
            return "", "clearance"
        if made.stock.cases.alike(text, row.facts):
            return "", "alike"
        return ("", "twice") if text.casefold() in asked else (text, "")


class _Opened:
    """A backend, closed in the end."""

    def __init__(self, model: Model, root: Path, environ: Mapping[str, str]) -> None:
        self.backend = open_backend(model, root=root, environ=environ)

    def __enter__(self) -> "_Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self.backend.close()
