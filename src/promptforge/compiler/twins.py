"""Near-twin identifiers: ports, MACs and ids that differ in one character. Models mistake them for each other.

Told as one note a column, so that a bench can be written for exactly those pairs (arXiv 2601.03640 measures such
copy errors).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from promptforge.compiler.load import Loaded
from promptforge.model import Fact, Project, Table, canonical, written
from promptforge.source import Diagnostic

__all__ = ["near_twins"]

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "ports": ("port",),
    "hosts": ("mac",),
    "devices": ("mac",),
    "entities": ("entity_id",),
}
_SHOWN = 3


def near_twins(project: Project, loaded: Loaded) -> Iterator[Diagnostic]:
    """One note for each identifying column that holds values one character apart."""
    for name, columns in _COLUMNS.items():
        table = project.tables.get(name)
        for column in columns if table else ():
            assert table is not None
            pairs, count = _pairs(table, column)
            if pairs:
                shown = ", ".join(f"{a} and {b}" for a, b, _ in pairs)
                more = f", and {more} more pair{'s' * (more > 1)}" if (more := count - len(pairs)) > 0 else ""
                fact = pairs[0][2]
                place = loaded.documents[fact.file].span((*fact.path, column))
                message = f"near twins in {name}.{column}: {shown}{more}"
                hint = (
                    "a model may take one for the other: a worked example or a benchmark case on them pays; to hear no"
                    f" more of it: `PF331: [{fact.file}]` under `ignore:` in promptforge.yaml"
                )
                yield Diagnostic(code="PF331", span=place, message=message, hint=hint)


def _pairs(table: Table, column: str) -> tuple[Sequence[tuple[str, str, Fact]], int]:
    """Some pairs of values that differ in one character, and how many there are: values with that one left out meet."""
    seen: dict[str, tuple[str, Fact]] = {}
    for fact in table.facts:
        value = fact.values.get(column)
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                seen.setdefault(str(canonical(one, table.kind(column))), (written(one), fact))
    # A port of four digits and more is an identifier; 80 and 81 nobody mistakes.
    masks: dict[tuple[int, str, str], list[str]] = {}
    for text in seen:
        if len(text) >= 4:
            for at in range(len(text)):
                masks.setdefault((at, text[:at], text[at + 1 :]), []).append(text)
    shown: list[tuple[str, str, Fact]] = []
    count = 0
    for (at, _, _), texts in masks.items():
        near = [t for t in texts if t[at].isalnum()]
        count += len(near) * (len(near) - 1) // 2
        for first, second in pairwise(near):
            if len(shown) < _SHOWN:
                shown.append((seen[first][0], seen[second][0], seen[second][1]))
    return shown, count
