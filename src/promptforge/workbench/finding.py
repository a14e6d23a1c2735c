"""Runs and arms by the names that a person gives them."""

import re
from collections.abc import Iterable

from promptforge.bench.record import read_run
from promptforge.bench.results import Arm, Run
from promptforge.errors import InputError
from promptforge.source import did_you_mean
from promptforge.store import RunHead, Store
from promptforge.storerows import begins_id

__all__ = ["arm_of", "known_runs", "latest_bench", "looks_like_a_run", "names_a_run", "read"]

_BEGINNING = re.compile(r"\d{4}-?\d\d(-?\d\d(T[\d-]*)?)?")


def known_runs(store: Store) -> tuple[str, ...]:
    """The ids of all runs, the latest first."""
    return tuple(head.id for head in store.runs())


def names_a_run(name: str, runs: Iterable[str]) -> bool:
    """Whether it is `latest` or how one of these ids begins: with or without the dashes of its day."""
    return name == "latest" or any(begins_id(name, run) for run in runs)


def looks_like_a_run(name: str) -> bool:
    """Whether it begins as ids do: where no run does so, a run is meant all the same.

    >>> looks_like_a_run("2026-11-23"), looks_like_a_run("20261123T0912"), looks_like_a_run("enriched")
    (True, True, False)
    """
    return bool(_BEGINNING.fullmatch(name))


def latest_bench(store: Store) -> str:
    """The latest run that is no arm of a tournament and was not killed; where there are only such, the latest.

    Raises InputError where there is none.

    A tournament leaves a run for each of its servers. Who asks for a report means what he sent himself.
    """
    heads = store.runs()
    if not heads:
        raise InputError("there is no run yet", hint="make one: promptforge bench")
    own = [head for head in heads if not _of_tournament(head)]
    return next((head.id for head in own if _came_to_something(head)), (own or heads)[0].id)


def _came_to_something(head: RunHead) -> bool:
    """Not of one that was killed: its answers are kept, and the run itself holds none."""
    return bool(head.finished or head.head.get("states"))


def _of_tournament(head: RunHead) -> bool:
    """An arm of `promote` is alone in its run, and named in the place of a revision; `bench` has the files as well."""
    arms = head.head.get("arms", ())
    return len(arms) == 1 and bool(_ARM.search(str(arms[0])))


_ARM = re.compile(r" · (untrained|champion|candidate( \d+)?)$")


def read(store: Store, name: str) -> Run:
    """A run by its id, the beginning of it, or `latest`. Raises InputError."""
    name = latest_bench(store) if name == "latest" else name
    try:
        return read_run(store.run(name))
    except ValueError as problem:
        hint = "make it anew: its answers are kept, and not asked again"
        raise InputError(f"the run '{name}' cannot be read: {problem}", hint=hint) from problem


def arm_of(run: Run, name: str, model: str = "") -> Arm:
    """An arm of a run by its variant or revision; without a name the enriched one. Raises InputError."""
    arms = [arm for arm in run.arms if not model or arm.model == model]
    if not arms:
        known = {arm.model for arm in run.arms}
        raise InputError(f"the run {run.id} did not ask the model '{model}'", hint=did_you_mean(model, known))
    found = [arm for arm in arms if name in (arm.variant, arm.revision, str(arm))] if name else _usual(arms)
    if not found:
        known = {arm.variant for arm in arms} | {arm.revision for arm in arms if arm.revision}
        hint = f"{did_you_mean(name, known)}; of another run: --run ID (promptforge history list)"
        raise InputError(f"the run {run.id} has no arm '{name}'", hint=hint)
    if len(found) > 1:
        raise InputError(
            f"the run {run.id} has several arms '{name or found[0].variant}'",
            hint=f"name the model: --model {found[0].model}",
        )
    return found[0]


def _usual(arms: list[Arm]) -> list[Arm]:
    now = [arm for arm in arms if not arm.revision]
    return [arm for arm in now if arm.variant == "enriched"] or now[:1] or arms[:1]
