"""Whether what `serve` and `weights` say of a model is there: looked at, never started."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from promptforge.backends.servecommand import command_of
from promptforge.errors import PromptforgeError
from promptforge.model import Model
from promptforge.workbench.weights import find_weights, weights_named

__all__ = ["serve_problems"]


def serve_problems(model: Model, *, root: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What would keep a command from starting the model's server, or from training it, each with what to do."""
    words: tuple[str, ...] = ()
    if model.settings.get("serve"):
        try:
            words = command_of(model, port=1, adapter=None, root=root, environ=environ).words
        except PromptforgeError as problem:
            yield problem.message, problem.hint
    for word in words[1:]:
        value = word.rpartition("=")[2] if word.startswith("-") else word
        if value.endswith(".gguf") and not (root / Path(value).expanduser()).is_file():
            yield f"`serve` of the model '{model.name}' names {value}, which is not there", "mend the path"
    if _is_a_folder(model, root):
        try:
            find_weights(model, root=root, environ=environ)
        except PromptforgeError as problem:
            yield problem.message, problem.hint


def _is_a_folder(model: Model, root: Path) -> bool:
    """Whether the weights are said to lie in a folder here; a repository may be fetched when it is first served."""
    named = weights_named(model)
    if model.settings.get("weights"):
        return True
    if not model.settings.get("serve") or named == model.settings.get("model", model.name):
        return False
    return named.startswith((".", "/", "~")) or named.count("/") != 1 or (root / named.partition("/")[0]).is_dir()
