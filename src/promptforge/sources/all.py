"""Every source by its name; each is loaded when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

from promptforge.sources.base import Source
from promptforge.sources.dump import head_of
from promptforge.sources.looks import DUMPS, looks_like

__all__ = ["SOURCES", "guess"]


class _Sources(Mapping[str, Source]):
    """A name is also that of its module, which offers `SOURCE`."""

    def __getitem__(self, name: str) -> Source:
        if name not in DUMPS:
            raise KeyError(name)
        source: Source = import_module(f"promptforge.sources.{name}").SOURCE
        return source

    def __iter__(self) -> Iterator[str]:
        return iter(DUMPS)

    def __len__(self) -> int:
        return len(DUMPS)


SOURCES: Mapping[str, Source] = _Sources()
"""Name to source, in the order in which help lists them."""


def guess(path: Path) -> str:
    """The source whose dump a file looks like; empty where it looks like none. Raises SourceError for no file."""
    return looks_like(head_of(path))
