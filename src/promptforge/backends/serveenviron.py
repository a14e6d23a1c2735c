"""The environment in which a server runs: the user's, and what keeps a server of a local folder off the network."""

from collections.abc import Mapping
from pathlib import Path

from promptforge.backends.servecommand import Command

__all__ = ["environment_of"]

_HUB = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")


def environment_of(command: Command, root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The user's variables, then the command's own; what is added never replaces one of them.

    A server whose model is a folder needs no network, and is told so. mlx_lm.server lists its models from Hugging
    Face's cache and answers with nothing where that does not exist: then it gets an empty one.
    """
    variables = {**environ, **command.environment}
    variables.setdefault("PYTHONUNBUFFERED", "1")  # or what it said last is lost when it dies
    if command.hugging and any(_is_model(root / word) for word in command.words):
        variables.setdefault("HF_HUB_OFFLINE", "1")
        cache = Path(variables.get("HOME", "/nonexistent"), ".cache/huggingface/hub")
        if not any(variables.get(name) for name in _HUB) and not cache.is_dir():
            empty = root / ".promptforge" / "servers" / "hub"
            empty.mkdir(parents=True, exist_ok=True)
            variables["HF_HUB_CACHE"] = str(empty)
    return variables


def _is_model(path: Path) -> bool:
    try:
        return (path / "config.json").is_file()
    except (OSError, ValueError):
        return False
