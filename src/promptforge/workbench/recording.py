"""The recording of a run: what is answered is written down as it comes, and what was known before is written, too."""

from collections.abc import Iterable, Mapping

from promptforge.bench.keeping import Outcome
from promptforge.bench.plan import Job
from promptforge.bench.run import Target

__all__ = ["recorded", "take_over"]


def take_over(jobs: Iterable[Job], known: Mapping[str, Outcome], targets: Mapping[str, Target]) -> None:
    """Record what earlier runs answered, too: a recording with gaps cannot be played back. Raises WriteError."""
    from promptforge.backends.replay import Recording

    done: set[str] = set()
    for job in jobs:
        backend, outcome = targets[job.model].backend, known.get(job.identity)
        if not isinstance(backend, Recording) or outcome is None or outcome.answer is None or job.identity in done:
            continue
        done.add(job.identity)
        backend.take_over(job.request, outcome.answer)


def recorded(targets: Mapping[str, Target]) -> tuple[int, int]:
    """How many exchanges were recorded, and how many of these were known before."""
    from promptforge.backends.replay import Recording

    found = [target.backend for target in targets.values() if isinstance(target.backend, Recording)]
    return sum(one.recorded for one in found), sum(one.taken_over for one in found)
