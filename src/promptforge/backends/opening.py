"""From an entry of `models` to what answers: each backend is loaded only when a model wants it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from promptforge.backends.base import Backend
from promptforge.errors import UsageError
from promptforge.model import Model

__all__ = ["BACKENDS", "open_backend"]


def open_backend(model: Model, *, root: Path, environ: Mapping[str, str]) -> Backend:
    """What answers for a model; nothing is sent yet, and no key is read.

    Raises ExtraMissingError, InputError (a recording that cannot be read) and BackendError (a base_url that is none).
    """
    opener = BACKENDS.get(model.backend)
    if opener is None:
        raise UsageError(f"there is no backend '{model.backend}'", hint=f"known: {', '.join(BACKENDS)}")
    return opener(model, root, environ)


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
