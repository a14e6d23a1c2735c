"""The mapping file of the source `table`: which column of a file is which of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptforge.source import did_you_mean
from promptforge.sources.base import SourceError
from promptforge.sources.dump import read_text, shown
from promptforge.yamlio import parse

__all__ = ["Mapped", "read_mapping"]

_KEYS = ("table", "columns", "rows", "key", "identity", "constants", "skip", "delimiter", "whole")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HINT = "a mapping has at least:\ntable: devices\ncolumns: {name: Device, mac: MAC address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What a mapping file says."""

    table: str
    columns: Mapping[str, str]
    """Our column to the file's field."""
    rows: str = ""
    """Where the rows stand in JSON or YAML: `data.items`; empty for the top."""
    key: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    """Columns of ours that stay the same when the key changes."""
    constants: Mapping[str, Any] = field(default_factory=dict)
    skip: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field of the file to values; rows that have one are noise."""
    delimiter: str = ""
    whole: bool = False
    """Whether the file shows every fact of the table that there is."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field of the file that is named."""
        return (*self.columns.values(), *self.skip)


def read_mapping(path: Path) -> Mapped:
    """The mapping. Raises SourceError with what is wrong in it."""
    document, problems = parse(shown(path), read_text(path, "table").encode())
    if document is None or not isinstance(document.data, dict):
        words = problems[0].message if problems else "it holds no mapping"
        raise SourceError(f"{shown(path)}: {words}", hint=_HINT)
    data: Mapping[str, Any] = document.data
    for key in data:
        if key not in _KEYS:
            raise SourceError(f"{shown(path)}: unknown key '{key}'", hint=did_you_mean(key, _KEYS) or _HINT)
    table, columns = data.get("table"), data.get("columns")
    if not isinstance(table, str) or not _NAME.fullmatch(table):
        raise SourceError(f"{shown(path)}: `table` is the name of a table, in small letters", hint=_HINT)
    if not isinstance(columns, dict) or not columns:
        raise SourceError(f"{shown(path)}: `columns` says for each of our columns the field of the file", hint=_HINT)
    for what in ("constants", "skip"):
        if not isinstance(data.get(what, {}), dict):
            raise SourceError(f"{shown(path)}: `{what}` is a mapping", hint=_HINT)
    return Mapped(
        table=table,
        columns={name: str(value) for name, value in columns.items()},
        rows=str(data.get("rows") or ""),
        key=_several(data.get("key")),
        identity=_several(data.get("identity")),
        constants=data.get("constants", {}),
        skip={name: _several(value) for name, value in data.get("skip", {}).items()},
        delimiter=str(data.get("delimiter") or "")[:1],
        whole=data.get("whole") is True,
    )


def _several(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)
