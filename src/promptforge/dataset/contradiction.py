"""A contradiction in words: what a row says, and what the tables say. Pure."""

from typing import NamedTuple

from promptforge.dataset.naming import Namer
from promptforge.model import written

__all__ = ["Claim", "quoted", "shown"]

_QUOTED = 120


class Claim(NamedTuple):
    """What a row says, and what the tables say."""

    rule: str
    said: str
    fact: str
    known: str


def quoted(text: str) -> str:
    """What was said, not too long."""
    text = " ".join(text.split())
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"


def shown(namer: Namer, fact: str) -> str:
    """What the tables say of a fact, and where."""
    record = namer.facts[fact]
    if record.level == "private":
        return f"a private fact ({record.span})"
    values = [f"{column} {written(value)}" for column, value in list(record.values.items())[:5] if value is not None]
    return f"{', '.join(values)} ({record.span})"
