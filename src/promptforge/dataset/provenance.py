"""What promptforge wrote beside a set: which row is of which kind, and which facts it rests on."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from promptforge.bench.cases import Printed
from promptforge.dataset.manifest import MANIFEST, ROWS
from promptforge.dataset.readfile import Source
from promptforge.dataset.shapes import Seen

__all__ = ["Beside", "beside", "told"]


def beside(source: Source) -> Iterator[Mapping[str, Any]] | None:
    """What stands beside a file of a written set about its rows, in order; None where nothing does."""
    folder = source.path.parent
    if not source.split or not (folder / MANIFEST).is_file() or not (folder / ROWS).is_file():
        return None
    return _records(source)


def _records(source: Source) -> Iterator[Mapping[str, Any]]:
    with (source.path.parent / ROWS).open("rb") as stream:
        for raw in stream:
            try:
                record = json.loads(raw)
            except ValueError:
                return  # damaged: the rows speak for themselves
            if isinstance(record, dict) and record.get("split") == source.split:
                yield record


class Beside:
    """Goes along with the rows of a file."""

    def __init__(self, source: Source) -> None:
        self._records = beside(source)
        self._record: Mapping[str, Any] | None = None
        self._end = 0

    def of(self, row: Seen) -> Seen:
        """The row with what is known of it."""
        if self._records is None:
            return row
        while self._end <= row.line and self._records is not None:
            self._record = next(self._records, None)
            if self._record is None:
                self._records = None
                return row
            line, lines = self._record.get("line"), self._record.get("lines", 1)
            if not isinstance(line, int) or not isinstance(lines, int):
                self._records = None
                return row
            self._end = line + lines
        return row._replace(extra={**(self._record or {}), **row.extra})


def told(row: Seen) -> tuple[tuple[str, ...] | None, tuple[Printed, ...] | None]:
    """The facts that a row says it rests on, and the facts and columns that its answer prints; None if it says none."""
    meta = row.extra.get("meta") or row.extra.get("metadata")
    inner = meta if isinstance(meta, dict) else {}
    facts = row.extra.get("facts", inner.get("facts", inner.get("fact_ids")))
    asked = row.extra.get("asked", inner.get("asked"))
    rests = _texts(facts) if isinstance(facts, list) else None
    if not isinstance(asked, list):
        return rests, None
    return rests, tuple(place for entry in asked if (place := _place(entry)))


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple(one for one in values if isinstance(one, str))


def _place(entry: object) -> Printed | None:
    if isinstance(entry, dict):
        entry = [entry.get("fact"), entry.get("column")]
    if isinstance(entry, list) and len(entry) == 2 and all(isinstance(one, str) for one in entry):
        return Printed(entry[0], entry[1])
    return None
