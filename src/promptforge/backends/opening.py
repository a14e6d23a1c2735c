"""From an entry of `models` to what answers: each backend is loaded only when a model wants it."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from promptforge.backends.base import Backend
from promptforge.errors import ExtraMissingError, UsageError
from promptforge.model import Model

__all__ = ["BACKENDS", "missing_package", "open_backend"]

_PACKAGES = ("anthropic", "openai")
"""Backends that need a package of their name, which is an extra of the same name."""


def open_backend(model: Model, *, root: Path, environ: Mapping[str, str], sending: bool = True) -> Backend:
    """What answers for a model; nothing is sent yet, and no key is read. Without `sending`, nothing will be.

    Raises ExtraMissingError (only with `sending`), InputError (a recording that cannot be read) and BackendError (a
    base_url that is none).
    """
    opener = BACKENDS.get(model.backend)
    if opener is None:
        raise UsageError(f"there is no backend '{model.backend}'", hint=f"known: {', '.join(BACKENDS)}")
    if sending and (problem := missing_package(model)):
        raise problem
    return opener(model, root, environ)


def missing_package(model: Model) -> ExtraMissingError | None:
    """What is to be said where the package that a model's backend sends with is not installed."""
    if model.backend not in _PACKAGES or find_spec(model.backend) is not None:
        return None
    return ExtraMissingError(f"the backend {model.backend}", model.backend)


def _reader(model: Model, root: Path, environ: Mapping[str, str]) -> Backend:
    from promptforge.backends.reader import Reader

    return Reader()


def _replay(model: Model, root: Path, environ: Mapping[str, str]) -> Backend:
    from promptforge.backends.replay import Replay

    return Replay(model, root)


def _compatible(model: Model, root: Path, environ: Mapping[str, str]) -> Backend:
    from promptforge.backends.compatible import Compatible

    return Compatible(model, environ)


def _openai(model: Model, root: Path, environ: Mapping[str, str]) -> Backend:
    from promptforge.backends.openai import OpenAI

    return OpenAI(model, environ)


def _anthropic(model: Model, root: Path, environ: Mapping[str, str]) -> Backend:
    from promptforge.backends.anthropic import Anthropic

    return Anthropic(model, environ)


BACKENDS: Mapping[str, Callable[[Model, Path, Mapping[str, str]], Backend]] = {
    "reader": _reader,
    "replay": _replay,
    "compatible": _compatible,
    "openai": _openai,
    "anthropic": _anthropic,
}
"""By the name in promptforge.yaml."""
