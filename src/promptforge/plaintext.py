"""Texts that hold plain references alone, filled in without Jinja."""

import re
from collections.abc import Callable, Mapping

from promptforge.views import AgentView, FactView, TableView

__all__ = ["plain_text"]

_VALUE = r"""(?:'[^'"\\\n{}]*'|"[^'"\\\n{}]*")"""
_REFERENCE = re.compile(
    rf"\{{\{{ ?(?:one\(({_VALUE})((?:, ?[a-z]\w*={_VALUE})*)\)|([a-z]\w*)(?:\[({_VALUE})\])?)((?:\.[a-z]\w*)*) ?\}}\}}",
    re.ASCII,
)
_WANTED = re.compile(rf"([a-z]\w*)=({_VALUE})")
_MORE = re.compile(r"\{[{%#]|\{\Z")
"""What Jinja would read in a text between two references."""
_PARTS = _REFERENCE.groups + 1
_WORDS = frozenset(["true", "false", "none", "not", "self", "super", "loop", "caller", "one", "range"])
"""What means something else than a name of a table."""
_VIEWS = (FactView, TableView, AgentView)


def plain_text(
    source: str,
    named: Callable[[str], object],
    one: Callable[[str, Mapping[str, str]], object],
    shown: Callable[[object], object],
) -> str | None:
    """A text that holds plain references alone, filled in by hand; None where it holds more.

    Jinja takes a millisecond to compile a text, and a suite may have thousands.
    What cannot be filled in is raised, but not in the user's terms: Jinja is to be asked then, too.

    >>> plain_text("Port {{ port }}", {"port": 8123}.get, lambda table, wanted: None, str)
    'Port 8123'
    """
    parts = _REFERENCE.split(source)
    if "\r" in source or any(map(_MORE.search, parts[::_PARTS])):
        return None
    for at in range(1, len(parts), _PARTS):
        table, arguments, name, key, columns = parts[at : at + _PARTS - 1]
        if table:
            pairs = _WANTED.findall(arguments)
            wanted = {column: value[1:-1] for column, value in pairs}
            if len(wanted) < len(pairs) or "table" in wanted:
                return None
            value = one(table[1:-1], wanted)
        else:
            value = named(name) if name not in _WORDS else None
        for step in ([key[1:-1]] if key else []) + columns.split(".")[1:]:
            if not isinstance(value, _VIEWS):
                return None
            value = value[step]
        parts[at : at + _PARTS - 1] = [str(shown(value)), "", "", "", ""]
    return "".join(parts)
