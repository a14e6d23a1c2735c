"""Who answers in a run: the backend of each model, what its server says of itself, and how requests go to it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from promptforge.backends.base import Backend, Usage
from promptforge.backends.opening import missing_package, open_backend
from promptforge.backends.price import cost_usd
from promptforge.bench.run import Target
from promptforge.errors import UsageError
from promptforge.files import digest_of
from promptforge.model import Model
from promptforge.store import Store
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.environment import now_utc
from promptforge.workbench.scope import Asked, Scope
from promptforge.workbench.weights import weights_digest

__all__ = ["Answering", "open_models", "prices_of", "target_of"]

_CLOUD_START, _CLOUD_MOST = 4, 64
"""How many requests are in flight at first to a model in the cloud, and at most."""
_HEAD_START_S = 0.0
"""Of the first request, where somebody says how many may be in flight: his server is up, and he knows it well."""
_PROBE_S = 3.0
"""For what a server says of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The models of a run, opened; by name."""

    backends: Mapping[str, Backend]
    said: Mapping[str, str]
    """What each server says of itself."""
    identities: Mapping[str, Mapping[str, str]]
    weights: Mapping[str, str]
    """The digest of each model's weights; of one whose weights are not known here none."""
    notes: tuple[str, ...] = ()
    """Of packages that are missing."""


def open_models(
    scope: Scope, root: Path, store: Store, environ: Mapping[str, str], opened: ExitStack, *, sending: bool
) -> Answering:
    """Open the backend of each model; `opened` closes them.

    Raises UsageError where a package is missing, which is but a note where nothing will be sent.
    """
    notes = tuple(_missing(scope))
    if notes and sending:
        raise UsageError(notes[0][0], hint=f"{notes[0][1]}; or ask others: --model NAME, --agent GLOB")
    backends: dict[str, Backend] = {}
    for name, model in scope.models.items():
        backends[name] = opened.enter_context(closing(open_backend(model, root=root, environ=environ, sending=sending)))
    said = {name: _said(backend, store, kept=sending) for name, backend in backends.items()}
    digests = {name: weights_digest(model, root=root, environ=environ) for name, model in scope.models.items()}
    weights = {name: digest for name, digest in digests.items() if digest}
    return Answering(
        backends=backends,
        said=said,
        identities={
            # Other weights under the same name are asked anew. Where they are not known, what the server says decides.
            name: {**backends[name].identity, "said": digest_of(text)}
            | ({"weights": weights[name]} if name in weights else {})
            for name, text in said.items()
        },
        weights=weights,
        notes=tuple(f"{message}: {hint}" for message, hint in notes),
    )


def _missing(scope: Scope) -> Iterator[tuple[str, str]]:
    """(message, hint) of each package that is missing, with the agents that want it."""
    by_agent = [one for compiled in scope.compiled.values() for arm in compiled.values() for one in arm.items()]
    for name, model in scope.models.items():
        if problem := missing_package(model):
            agents = dict.fromkeys(agent for agent, one in by_agent if one.model.name == name)
            asks = f", which {', '.join(agents)} would ask," if agents else ""
            yield f"the model '{name}'{asks} needs a package that is not installed", problem.hint


def _said(backend: Backend, store: Store, *, kept: bool) -> str:
    """What the server says of itself, and when it cannot be reached what it last said."""
    probe = getattr(backend, "probe", None)
    target = str(sorted(backend.identity.items()))
    said = probe(timeout_s=_PROBE_S) if probe else {}
    if not said:
        return store.said(target)
    text = str(sorted(said.items()))
    if kept:
        store.put_said(target, text, at=now_utc())
    return text


def target_of(model: Model, answering: Answering, clearance: Clearance, asked: Asked, *, sending: bool) -> Target:
    """How requests go to a model: looked at once more, written down where that is asked for, so many at once."""
    backend: Backend = clearance.guarded(answering.backends[model.name], model)
    if asked.record and sending:
        from promptforge.backends.replay import Recording

        backend = Recording(backend, asked.record)
    start, most = (1, None) if model.tier == "local" else (_CLOUD_START, _CLOUD_MOST)
    if asked.concurrency:
        start, most = asked.concurrency, None
    return Target(
        model=model.name,
        backend=backend,
        concurrency=start,
        most=most,
        head_start_s=_HEAD_START_S if asked.concurrency else None,
        cost_usd=prices_of(model),
        streamed=asked.stream,
        timeout_s=asked.timeout_s,
    )


def prices_of(model: Model) -> Callable[[Usage], float | None]:
    """What answers of a model cost, in US dollars; None: not known. A local one without a price is free."""
    price = model.settings.get("price")
    free = model.tier == "local" and not price
    return lambda usage: 0.0 if free else cost_usd(usage, price)
