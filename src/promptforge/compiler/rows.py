"""The forms of a table: Markdown, CSV and key: value. A value never leaves its cell, whatever is in it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence

from promptforge.compiler.scan import neutralise
from promptforge.model import Fact, written

__all__ = ["FORMS"]

_SPECIAL = re.compile(r"[<\[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPECIAL_IN_MARKDOWN = re.compile(r"[|`<\[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]")
_BREAKS = re.compile(r"\s*[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
_PIPE = re.compile(r"(\\*)\|")


def _one_line(value: object) -> str:
    """A value on one line, with no chat marker in it."""
    text = value if isinstance(value, str) else written(value)
    if not _SPECIAL.search(text):
        return text
    return neutralise(_BREAKS.sub(" ", text).strip())


def _markdown_cell(value: object) -> str:
    text = _one_line(value)
    if "|" in text:
        text = _PIPE.sub(r"\1\1\\|", text)
    if "`" in text and text.count("`") % 2:
        text = text.replace("`", "\\`")
    return text


def _markdown_head(columns: Sequence[str]) -> str:
    return f"| {' | '.join(map(_markdown_cell, columns))} |\n|{'---|' * len(columns)}\n"


def _markdown_row(fact: Fact, columns: Sequence[str]) -> str:
    cells = [v if v.__class__ is str else written(v) for v in map(fact.values.get, columns)]
    if _SPECIAL_IN_MARKDOWN.search("".join(cells)):
        cells = [_markdown_cell(cell) for cell in cells]
    return f"| {' | '.join(cells)} |\n"


def _csv_cell(value: object) -> str:
    text = _one_line(value)
    if "," in text or '"' in text or "`" in text or text[:1] == "#":
        return '"' + text.replace('"', '""') + '"'
    return text


def _csv_head(columns: Sequence[str]) -> str:
    return ",".join(map(_csv_cell, columns)) + "\n"


def _csv_row(fact: Fact, columns: Sequence[str]) -> str:
    row = ",".join([_csv_cell(fact.values.get(column)) for column in columns])
    return (row or '""') + "\n"  # an empty line would be no row


def _kv_cell(value: object) -> str:
    text = _one_line(value)
    if ", " in text or ": " in text or text[:1] in ('"', "`") or text.count("`") % 2:
        return json.dumps(text, ensure_ascii=False)
    return text


def _kv_row(fact: Fact, columns: Sequence[str]) -> str:
    cells = [f"{_one_line(c)}: {_kv_cell(v)}" for c in columns if (v := fact.values.get(c)) is not None]
    return f"- {', '.join(cells)}\n"


FORMS: Mapping[str, tuple[Callable[[Sequence[str]], str], Callable[[Fact, Sequence[str]], str]]] = {
    "markdown": (_markdown_head, _markdown_row),
    "csv": (_csv_head, _csv_row),
    "kv": (lambda columns: "", _kv_row),
}
"""Form to what makes its heading from columns, and what makes a row from a fact and columns."""
