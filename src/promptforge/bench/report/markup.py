"""HTML in which nothing is left unescaped: text becomes markup only through `tag`, which escapes it."""

import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["Markup", "data_block", "data_rows", "legible", "tag"]

_VOID = frozenset(["br", "input", "link", "meta"])
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
"""What cannot be seen, turns the direction of what follows, or cannot be written as UTF-8."""
_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_SCRIPT_SIGNS = re.compile("[<>&\u2028\u2029]")


class Markup(str):
    """HTML that is safe to be put into a page as it is."""

    __slots__ = ()


def legible(text: str) -> str:
    """The text with what cannot be seen shown by its code, and lines ended by a newline alone."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def tag(name: str, /, *children: object, **attributes: str | int | bool | None) -> Markup:
    """An element. Children are text, which is escaped, or markup, or iterables of these; None is left out.

    `class_` and `for_` lose their underscore, others become dashes: `aria_label`. An attribute that is None or False
    is left out, one that is True has no value.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(start) if name in _VOID else Markup(f"{start}{''.join(_flat(children))}</{name}>")


def _attribute(key: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(legible(str(value)))}"'


def _flat(children: Iterable[object]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, str):
            yield html.escape(legible(child), quote=False)
        elif isinstance(child, Iterable):
            yield from _flat(child)
        elif child is not None:
            yield html.escape(str(child), quote=False)


def data_block(identifier: str, data: Any) -> Markup:
    """Data for the page's script: JSON that no parser of HTML or JavaScript can take for anything else."""
    return Markup(f'<script type="application/json" id="{identifier}">{_encoded(data)}</script>')


def data_rows(identifier: str, rows: Iterable[Any]) -> Iterator[str]:
    """The same of a long list, a piece at a time."""
    yield f'<script type="application/json" id="{identifier}">['
    for number, row in enumerate(rows):
        yield f",\n{_encoded(row)}" if number else _encoded(row)
    yield "]</script>"


def _encoded(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _SCRIPT_SIGNS.sub(lambda found: _SCRIPT[found[0]], text)
