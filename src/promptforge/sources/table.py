"""Any table: CSV, JSON or YAML, by a mapping file that says which of its columns is which of ours."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptforge.compiler.builtin import BUILTIN, DEFAULTS, KEYS
from promptforge.document import plain_value
from promptforge.source import did_you_mean
from promptforge.sources.base import Observation, Seen, SourceError
from promptforge.sources.clean import TEXT, Texts, identifier
from promptforge.sources.dump import Element, elements, head_of, open_text, read_text, shown, wrong
from promptforge.sources.gather import Gathering
from promptforge.sources.looks import DUMPS
from promptforge.sources.mapping import Mapped, read_mapping
from promptforge.sources.marks import mac_of, plain_address, port_of
from promptforge.yamlio import parse

__all__ = ["SOURCE", "Table"]

_Row = Mapping[str, Any]
_DELIMITERS = ",;\t|"
_KEY = "$key"
"""In a mapping of rows, the name of each."""


class Table:
    """Facts of one table."""

    name = "table"
    about = f"Any table as CSV, JSON or YAML; {DUMPS['table'].command}"
    options: tuple[str, ...] = ("mapping",)

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every row that has a key. Rows that the mapping's `skip` names are noise.

        Options: `mapping`, the file that says which column is which; it is needed.
        """
        made = Gathering(self.name, files)
        if not options.get("mapping"):
            raise SourceError(f"{self.name} needs a mapping file", hint=DUMPS[self.name].command)
        mapped = read_mapping(Path(options["mapping"]))
        for path in files:
            found: Counter[str] = Counter()
            for row, place in _rows(path, mapped):
                _take(made, mapped, row, place, found)
            missing = [field for field in mapped.columns.values() if not found[field]]
            if missing and found:
                made.note(f"{shown(path)}: no row has {', '.join(missing)}")
        return made.observation(whole={mapped.table} if mapped.whole else ())


# ---- Rows ------------------------------------------------------------------------------------------------------------


def _rows(path: Path, mapped: Mapped) -> Iterator[tuple[_Row, str]]:
    first = head_of(path).lstrip("\ufeff \t\r\n")[:1]
    if first in ("{", "["):
        yield from _of_json(path, mapped)
    elif path.suffix.lower() in (".yaml", ".yml"):
        yield from _of_yaml(path, mapped)
    else:
        yield from _of_csv(path, mapped)


def _of_json(path: Path, mapped: Mapped) -> Iterator[tuple[_Row, str]]:
    rows, found = tuple(mapped.rows.split(".")) if mapped.rows else (), False
    for element in elements(path, "table", [rows]):
        if element.path == rows and element.key is not None:
            found = True
            yield from _row(element.value, element.key, f"{shown(path)}{element.pointer}")
    if not found:
        raise wrong("table", path, found=f"no rows under '{mapped.rows or 'the top'}'")


def _of_yaml(path: Path, mapped: Mapped) -> Iterator[tuple[_Row, str]]:
    document, problems = parse(shown(path), read_text(path, "table").encode())
    if document is None:
        words = problems[0].message if problems else "it holds no data"
        raise wrong("table", path, found=f"YAML that cannot be read ({words})")
    data: Any = document.data
    for name in mapped.rows.split(".") if mapped.rows else ():
        data = data.get(name) if isinstance(data, dict) else None
    if isinstance(data, dict) and not all(isinstance(value, dict) for value in data.values()):
        data = [data]
    if not isinstance(data, (dict, list)) or not data:
        raise wrong("table", path, found=f"no rows under '{mapped.rows or 'the top'}'")
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield from _row(value, key, shown(path) + Element((), key, value).pointer)


def _row(value: object, key: str | int, place: str) -> Iterator[tuple[_Row, str]]:
    if isinstance(value, dict):
        yield ({_KEY: key, **value} if isinstance(key, str) else value), place


def _of_csv(path: Path, mapped: Mapped) -> Iterator[tuple[_Row, str]]:
    with open_text(path, "table") as handle:
        head = handle.readline(1 << 16)
        delimiter = mapped.delimiter or max(_DELIMITERS, key=head.count)
        header = [name.strip().lstrip("\ufeff") for name in next(csv.reader([head], delimiter=delimiter), [])]
        for field in mapped.fields:
            if field not in header:
                hint = did_you_mean(field, header) or f"it has: {', '.join(Texts().take('', n) for n in header[:12])}"
                raise SourceError(f"{shown(path)} has no column '{field}'", hint=hint)
        reader = csv.reader(handle, delimiter=delimiter, strict=True)
        last: list[str] = header
        try:
            for values in reader:
                if values:
                    last = values
                    yield dict(zip(header, values, strict=False)), f"{shown(path)}:{reader.line_num + 1}"
        except csv.Error as problem:
            place = str(reader.line_num + 1)
            raise wrong("table", path, found=f"CSV that cannot be read ({problem})", place=place) from problem
        if len(last) < len(header) and not _ends_a_line(path):
            found = "the beginning of it: the last line has no end and too few fields"
            raise wrong("table", path, found=found, place=str(reader.line_num + 1))


def _ends_a_line(path: Path) -> bool:
    """Whether the last sign of a file ends its line; in UTF-16 half of it does."""
    with path.open("rb") as handle:
        handle.seek(-min(2, path.stat().st_size), 2)
        return b"\n" in handle.read()


# ---- Facts -----------------------------------------------------------------------------------------------------------


def _take(made: Gathering, mapped: Mapped, row: _Row, place: str, found: Counter[str]) -> None:
    texts = Texts()
    values: dict[str, Any] = {}
    for column, field in mapped.columns.items():
        raw = _at(row, field)
        if raw is None or raw == "":
            continue
        found[field] += 1
        value = _value(mapped.table, column, raw, texts)
        if value is None:
            made.pass_over(f"values of '{field}' that are no {_kind(mapped.table, column)}")
        elif value != "":
            values[column] = value
    for column, constant in mapped.constants.items():
        values.setdefault(column, constant)
    key = _key_columns(mapped)
    defaults = DEFAULTS.get(mapped.table, {})
    parts = [str(values.get(column, defaults.get(column, ""))) for column in key]
    if not all(parts):
        made.pass_over(f"rows without {' and '.join(key)}")
        return
    while len(parts) > 1 and parts[-1] == defaults.get(key[len(parts) - 1]):
        parts.pop()
    made.add(
        Seen(
            table=mapped.table,
            key=":".join(parts),
            values=values,
            identity=tuple(_identity(mapped, values)),
            place=place,
            noise=_skipped(mapped, row),
            cleaned=texts.done,
        )
    )


def _at(row: _Row, field: str) -> Any:
    """A field by its name, or by its path: `health.port`, `addresses.0`."""
    if field in row:
        return row[field]
    value: Any = row
    for part in field.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _kind(table: str, column: str) -> str:
    known = BUILTIN.get(table, {}).get(column)
    return known.kind if known else ""


def _value(table: str, column: str, raw: Any, texts: Texts) -> Any:
    """A value in the form of its column; None where it is not of that form."""
    kind = _kind(table, column)
    if kind == "port":
        return port_of(raw.strip() if isinstance(raw, str) else raw)
    if kind == "mac":
        mac = mac_of(raw)
        return mac.text if mac else None
    if kind in ("ip", "tailscale"):
        return plain_address(raw) or None
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, list):
        return [text for item in raw if (text := texts.take(column, item))]
    if isinstance(raw, dict):
        return None
    text = texts.take(column, raw, limit=TEXT)
    number = plain_value(text) if text and column not in BUILTIN.get(table, {}) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else text


def _key_columns(mapped: Mapped) -> Sequence[str]:
    if mapped.table in KEYS:
        return KEYS[mapped.table]
    if mapped.key:
        return mapped.key
    columns = (*mapped.columns, *mapped.constants)
    return [next((name for name in ("id", "name") if name in columns), columns[0])]


def _identity(mapped: Mapped, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for column in mapped.identity:
        if column in values and (text := identifier(values[column])):
            yield column, text
    for column, value in values.items():
        if _kind(mapped.table, column) == "mac" and (mac := mac_of(value)):
            yield "mac", mac.digits
    for column, value in values.items():
        if _kind(mapped.table, column) in ("ip", "tailscale"):
            yield "ip", value


def _skipped(mapped: Mapped, row: _Row) -> str:
    for field, words in mapped.skip.items():
        value = _at(row, field)
        if value is not None and str(value).strip() in words:
            return f"{field} is {str(value).strip()}"
    return ""


SOURCE = Table()
