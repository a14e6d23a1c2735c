"""Of which host a dump is that does not say so: the option `host`, else the name of its file."""

from collections.abc import Mapping
from pathlib import Path

from promptforge.sources.base import SourceError
from promptforge.sources.clean import clean
from promptforge.sources.dump import shown
from promptforge.sources.gather import Gathering

__all__ = ["host_of"]

_NO_HOSTS = frozenset(
    {"compose", "config", "docker", "docker-compose", "dump", "listen", "listeners", "listening", "lsof", "out"}
    | {"output", "ports", "services", "sockets", "ss", "stdin", "targets", "test", "tmp"}
)


def host_of(path: Path, options: Mapping[str, str], made: Gathering) -> str:
    """The host's name. Raises SourceError where neither the options nor the file's name say it."""
    if given := options.get("host"):
        name = clean(given).text
        if name != given.strip():
            raise SourceError(f"'{name}' cannot be the name of a host", hint="give a host of knowledge/: host=mini")
        return name
    stem = path.name.partition(".")[0]
    if not stem or stem.lower() in _NO_HOSTS or clean(stem).text != stem:
        raise SourceError(
            f"{shown(path)} does not say of which host it is",
            hint="say it, host=mini, or let the file's name begin with it: mini.ss.txt",
        )
    made.note(f"{shown(path)}: taken to be of the host '{stem}', by the file's name; host=NAME says otherwise")
    return stem
