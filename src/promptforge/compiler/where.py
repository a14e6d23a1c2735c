"""`where`: the conditions of a section or a suite, resolved against the tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from promptforge.document import Document, Path
from promptforge.model import Condition, Table
from promptforge.source import Diagnostic, did_you_mean

__all__ = ["conditions"]


def conditions(
    tables: Mapping[str, Table], document: Document, path: Path, table: str, where: Mapping[str, Any]
) -> tuple[tuple[Condition, ...], list[Diagnostic]]:
    """What the `where` at `path` asks of a table's facts, and which of its columns lead nowhere; these are left out."""
    found: list[Diagnostic] = []
    kept = []
    for name, wanted in where.items():
        steps = tuple(name.split("."))
        known = len(steps) == 1 and name in tables[table].columns
        problems = [] if known else list(_problems(tables, document, (*path, name), tables[table], steps))
        found += [problem for problem in problems if problem is not None]
        if problems:
            continue
        negate = isinstance(wanted, dict)
        value = wanted["not"] if isinstance(wanted, dict) else wanted
        values = tuple(value) if isinstance(value, list) else (value,)
        kept.append(Condition(path=steps, values=values, negate=negate))
    return tuple(kept), found


def _problems(
    tables: Mapping[str, Table], document: Document, path: Path, current: Table, steps: tuple[str, ...]
) -> Iterator[Diagnostic | None]:
    """Why the steps lead nowhere; None where a file that cannot be read may hold what is missing."""
    for number, step in enumerate(steps):
        column = current.columns.get(step)
        if column is None:
            hint = did_you_mean(step, current.columns)
            message = f"{current.name} has no column '{step}'"
            span = document.span(path, key=True)
            yield None if current.partial else Diagnostic(code="PF303", span=span, message=message, hint=hint)
            return
        if number == len(steps) - 1:
            return
        if not column.ref or column.ref not in tables:
            message = f"'{step}' of {current.name} refers to no table, so nothing follows it"
            hint = did_you_mean(step, [name for name, c in current.columns.items() if c.ref in tables])
            yield Diagnostic(code="PF303", span=document.span(path, key=True), message=message, hint=hint)
            return
        current = tables[column.ref]
