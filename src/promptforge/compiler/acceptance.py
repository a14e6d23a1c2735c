"""A difference between a fact and a source that a person knows and accepts, as a comment at the end of the fact's line.

`# promptforge: allow drift lan_ip=192.0.2.11 the address of its second card`
"""

import re
from typing import NamedTuple

__all__ = ["Acceptance", "as_acceptance", "is_reason"]

_WORD = re.compile(r"drift\b\s*")
_PIN = re.compile(r"(?:unseen\b|([a-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S+))[,\s]*")


_HOLDERS = frozenset({"", "reason", "why"})
"""What our own hints have in the reason's place."""


def is_reason(text: str) -> bool:
    """Whether somebody wrote a reason: not nothing, and not the word that a hint has in its place.

    >>> is_reason("its second card"), is_reason("REASON")
    (True, False)
    """
    return text.strip(" .:!…").casefold() not in _HOLDERS


class Acceptance(NamedTuple):
    """What is accepted of a fact; without pins and `unseen` everything is."""

    pins: tuple[tuple[str, str], ...]
    """Column and what the source says of it; `*` is anything."""
    unseen: bool
    reason: str

    @property
    def whole(self) -> bool:
        """Whether all that any source says is accepted."""
        return not self.pins and not self.unseen


def as_acceptance(said: str) -> Acceptance | None:
    """What stands behind `promptforge: allow`; None where that is an allowance of a diagnostic.

    >>> as_acceptance("drift lan_ip=192.0.2.11 os='Debian 13' its second card")
    Acceptance(pins=(('lan_ip', '192.0.2.11'), ('os', 'Debian 13')), unseen=False, reason='its second card')
    >>> as_acceptance("PF330 a reason") is None
    True
    """
    word = _WORD.match(said)
    if not word:
        return None
    at, pins, unseen = word.end(), [], False
    while found := _PIN.match(said, at):
        at = found.end()
        if found[1]:
            value = found[2]
            pins.append((found[1], value[1:-1] if value[0] in "\"'" else value))
        else:
            unseen = True
    return Acceptance(pins=tuple(pins), unseen=unseen, reason=said[at:].strip())
