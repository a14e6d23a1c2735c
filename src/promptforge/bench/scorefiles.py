"""Files of scores that promptforge did not make: of categories or of cases, as JSON, JSONL, CSV or YAML."""

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from promptforge import yamlio
from promptforge.errors import InputError

__all__ = ["Kind", "ScoreFile", "ScoreRow", "read_scores"]

Kind = Literal["categories", "cases"]

_LIMIT_MB = 64
_MANY = 20
"""A bare mapping of names to scores is of categories up to here, and of cases above."""
_NAMES: tuple[tuple[Kind, tuple[str, ...]], ...] = (("cases", ("case", "id")), ("categories", ("category",)))
_SCORES = ("score", "value", "mean")
_COUNTS = ("n", "cases", "count")
_LINE = ""
"""The key of the number of the line that an entry stands in."""
_DECIMAL_COMMA = re.compile(r"\d*,\d+")
_COLUMNS = "the first line names the columns: case,category,score or category,score; then a line for each"
_SHAPES = "write {category: score}, or [{case: …, category: …, score: …}]; `categories:` or `cases:` on top says which"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One line of a file of scores."""

    name: str
    score: float | None
    """0 to 1; None where the file has the name and no score: a missing score is never a zero."""
    category: str = ""
    cluster: str = ""
    cases: int | None = None
    """Of a category: how many cases its score is the mean of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFile:
    """What a file of scores holds."""

    file: str
    kind: Kind
    sure: bool
    """Whether the file says which kind it is; else it was told by the number of names."""
    rows: tuple[ScoreRow, ...]
    notes: tuple[str, ...] = ()

    def read_as(self, kind: Kind) -> "ScoreFile":
        """The same names as the other kind; only for a file that does not say."""
        if self.sure or kind == self.kind:
            return self
        rows, notes = _without_overall(self.rows) if kind == "categories" else (self.rows, ())
        return replace(self, kind=kind, rows=rows, notes=(*self.notes, *notes))


def read_scores(path: Path, *, kind: Kind | None = None) -> ScoreFile:
    """Read a file; `kind` is what a bare mapping holds, where the number of its names would say otherwise."""
    file = str(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        known = ", ".join(sorted(_READERS))
        raise InputError(f"{file}: not a file of scores by its name", hint=f"scores are read from {known}")
    text = _text(path)
    if not text.strip():
        raise InputError(f"{file}: it is empty", hint=_shapes(file))
    found, entries = _entries(file, read(file, text))
    if kind and found and kind != found:
        raise InputError(f"{file} holds scores of {found}, not of {kind}", hint="leave the kind out: the file says it")
    rows = tuple(_row(file, place, name, entry) for place, name, entry in entries)
    if not rows:
        raise InputError(f"{file}: it holds no scores", hint=_shapes(file))
    guess: Kind = "categories" if len(rows) <= _MANY else "cases"
    chosen = kind or found or guess
    rows, notes = _without_overall(rows) if chosen == "categories" else _averaged(rows)
    _unique(file, rows)
    return ScoreFile(file=file, kind=chosen, sure=bool(kind or found), rows=rows, notes=notes)


def _shapes(file: str) -> str:
    """What such a file may hold."""
    return _COLUMNS if file.lower().endswith(".csv") else _SHAPES


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _LIMIT_MB * 2**20:
            hint = "keep one line a case: the answers are not needed"
            raise InputError(f"{path}: it has {size:,} bytes, and the limit is {_LIMIT_MB} MB", hint=hint)
        return path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror}", hint="name a file of scores") from problem
    except UnicodeDecodeError as problem:
        message = f"{path}: byte {problem.start + 1:,} is not UTF-8"
        raise InputError(message, hint="save it as UTF-8") from problem


# --- the formats ------------------------------------------------------------------------------------------------------


def _json(file: str, text: str) -> Any:
    return _load(file, text, line=0)


def _jsonl(file: str, text: str) -> list[Any]:
    lines = [(at, _load(file, line, line=at)) for at, line in enumerate(text.splitlines(), 1) if line.strip()]
    return [{**row, _LINE: at} if isinstance(row, dict) else row for at, row in lines]


def _load(file: str, text: str, *, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except json.JSONDecodeError as problem:
        place = f"{file}:{line or problem.lineno}:{problem.colno}"
        raise InputError(f"{place}: not JSON: {problem.msg}", hint="mend it, or export it again") from problem
    except (ValueError, RecursionError) as problem:
        place = f"{file}:{line}" if line else file
        what = "nested too deeply" if isinstance(problem, RecursionError) else str(problem)
        raise InputError(f"{place}: {what}", hint=_SHAPES) from problem


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
    if twice:
        raise ValueError(f"'{twice[0]}' is there twice")
    return dict(pairs)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no score")


def _csv(file: str, text: str) -> list[Any]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        _header(file, header)
        reader.fieldnames = header
        rows = [{**row, _LINE: reader.line_num} for row in reader]
    except csv.Error as problem:
        place = f"{file}:{reader.line_num}"
        raise InputError(f"{place}: not CSV: {problem}", hint="mend it, or export it again") from problem
    if not rows:
        raise InputError(f"{file}: it holds no scores", hint=_COLUMNS)
    return rows


def _header(file: str, header: Sequence[str]) -> None:
    if set(header) & {"case", "id", "category"}:
        return
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and sign in header[0]:
            hint = "export it with commas between the columns, and with points in the numbers: 0.5"
            raise InputError(f"{file}:1: its columns are separated by {name}, not by commas", hint=hint)
    raise InputError(f"{file}:1: no column 'case', 'id' or 'category' in the header", hint=_COLUMNS)


def _yaml(file: str, text: str) -> Any:
    document, found = yamlio.parse(file, text.encode())
    if document is None:
        problem = next((d for d in found if d.severity == "error"), None)
        place, message = (problem.span, problem.message) if problem else (file, "it holds nothing")
        raise InputError(f"{place}: {message}", hint=(problem.hint if problem else "") or _SHAPES)
    return document.data


_READERS = {".json": _json, ".jsonl": _jsonl, ".csv": _csv, ".yaml": _yaml, ".yml": _yaml}


# --- the shapes -------------------------------------------------------------------------------------------------------

Entry = tuple[str, str, Any]
"""Where it stands, its name, and its score or what holds it."""


def _entries(file: str, data: Any) -> tuple[Kind | None, list[Entry]]:
    """The kind, where the file says it, and the entries."""
    if isinstance(data, Mapping):
        for kind in ("cases", "categories"):
            if isinstance(data.get(kind), (Mapping, list)):
                _, entries = _entries(file, data[kind])
                return kind, entries
        entries = [(file, str(name), entry) for name, entry in data.items()]
        held = [entry for entry in data.values() if isinstance(entry, Mapping)]
        if any({"category", "cluster"} & entry.keys() for entry in held):
            return "cases", entries
        return ("categories" if any(set(_COUNTS) & entry.keys() for entry in held) else None), entries
    if not isinstance(data, list):
        raise InputError(f"{file}: it holds neither a mapping nor a list", hint=_SHAPES)
    named = {name for entry in data if isinstance(entry, Mapping) for name in entry}
    for kind, keys in _NAMES:
        if key := next((key for key in keys if key in named), None):
            return kind, list(_listed(file, data, key))
    raise InputError(f"{file}: no entry has a 'case', an 'id' or a 'category'", hint=_SHAPES)


def _listed(file: str, data: Sequence[Any], key: str) -> Iterator[Entry]:
    for at, entry in enumerate(data, 1):
        line = entry.get(_LINE) if isinstance(entry, Mapping) else None
        place = f"{file}:{line}" if line else f"{file}: entry {at}"
        name = entry.get(key) if isinstance(entry, Mapping) else None
        if name is None or isinstance(name, (Mapping, list)) or not str(name).strip():
            raise InputError(f"{place}: no '{key}'", hint="every entry needs one, or the pairs are lost")
        yield place, str(name).strip(), entry


def _row(file: str, place: str, name: str, entry: Any) -> ScoreRow:
    if not isinstance(entry, Mapping):
        return ScoreRow(name=name, score=_score(file, place, name, entry))
    key = next((key for key in _SCORES if key in entry), None)
    if key is None:
        raise InputError(f"{place}: '{name}' has no 'score'", hint="an empty one says that it is missing")
    return ScoreRow(
        name=name,
        score=_score(file, place, name, entry[key]),
        category=str(entry.get("category") or "").strip(),
        cluster=str(entry.get("cluster") or "").strip(),
        cases=_count(place, name, next((entry[key] for key in _COUNTS if key in entry), None)),
    )


def _score(file: str, place: str, name: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        score = float(value) if isinstance(value, (bool, int, float, str)) else math.nan
    except (ValueError, OverflowError):
        score = math.nan
    if math.isnan(score):
        if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value.strip()):
            hint = "write it with a point: 0.5"
            raise InputError(f"{place}: the score of '{name}' has a decimal comma: {value.strip()!r}", hint=hint)
        raise InputError(f"{place}: the score of '{name}' is no number: {str(value)[:40]!r}", hint=_shapes(file))
    if not 0 <= score <= 1:
        hint = "scores are shares: divide percentages by 100"
        raise InputError(f"{place}: the score of '{name}' is {score:g}, not between 0 and 1", hint=hint)
    return score


def _count(place: str, name: str, value: Any) -> int | None:
    if value is None or value == "":
        return None
    if not isinstance(value, bool) and str(value).isascii() and str(value).isdigit() and int(value) > 0:
        return int(value)
    raise InputError(f"{place}: the number of cases of '{name}' is {value!r}", hint="write a whole number above 0")


def _without_overall(rows: tuple[ScoreRow, ...]) -> tuple[tuple[ScoreRow, ...], tuple[str, ...]]:
    """An OVERALL is the mean of the categories, and no category itself."""
    kept = tuple(row for row in rows if row.name.casefold() != "overall")
    scores = [row.score for row in kept if row.score is not None]
    notes = []
    for row in rows:
        if row.name.casefold() == "overall" and row.score is not None and scores:
            mean = math.fsum(scores) / len(scores)
            if abs(mean - row.score) > 0.0006:
                notes.append(f"its OVERALL is {row.score:.3f}, and the mean of its categories {mean:.3f}")
    return kept, tuple(notes)


def _averaged(rows: Iterable[ScoreRow]) -> tuple[tuple[ScoreRow, ...], tuple[str, ...]]:
    """A case that is listed several times was asked several times."""
    grouped: dict[str, list[ScoreRow]] = {}
    for row in rows:
        grouped.setdefault(row.name, []).append(row)
    merged = []
    for same in grouped.values():
        scores = [row.score for row in same if row.score is not None]
        whole = len(scores) == len(same)
        merged.append(replace(same[0], score=math.fsum(scores) / len(scores) if whole else None))
    again = sum(len(same) > 1 for same in grouped.values())
    return tuple(merged), (f"listed more than once and averaged: {again} of {len(merged)} cases",) if again else ()


def _unique(file: str, rows: Sequence[ScoreRow]) -> None:
    twice = next((name for name, times in Counter(row.name for row in rows).items() if times > 1), None)
    if twice is not None:
        raise InputError(f"{file}: category '{twice}' is there twice", hint="one score for each category")
    if not rows:
        raise InputError(f"{file}: it holds an OVERALL and no category", hint=_SHAPES)
