"""Facts of a source written into knowledge files: new ones behind those of their table, accepted values in place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptforge.compiler.builtin import KEYS
from promptforge.compiler.cleaned import cleaned_mark
from promptforge.document import Document
from promptforge.errors import InputError
from promptforge.model import Fact, Table, written
from promptforge.roundtrip import LayoutError
from promptforge.workbench.consequences import Now
from promptforge.workbench.holding import Difference, clashes
from promptforge.workbench.matching import Match
from promptforge.workbench.yamledit import Row, Sheet

__all__ = ["Added", "Edits", "write_into"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A new fact, and the file that it was put in."""

    match: Match
    file: str

    @property
    def id(self) -> str:
        """How it is named: `ports/mini:4078`."""
        return f"{self.match.seen.table}/{self.match.seen.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What was written, so far only in memory."""

    files: Mapping[str, bytes]
    """Those that differ now."""
    added: tuple[Added, ...]
    by_hand: tuple[tuple[Difference, str], ...]
    """What was to be taken and is written so that only a person should change it, with the reason."""
    followed: tuple[str, ...]
    """Facts that name a renamed one, and were changed with it."""
    notes: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Writer:
    """The files while they are edited."""

    now: Now
    day: str
    source: str
    source_column: str
    sheets: dict[str, Sheet] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    last: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """Of a table in a file: the first column of the key to the last fact that has it."""

    @property
    def tables(self) -> Mapping[str, Table]:
        return self.now.build.project.tables

    def sheet(self, file: str) -> Sheet:
        if file not in self.sheets:
            self.sheets[file] = Sheet(file, self.now.tree.files.get(file, b""))
        return self.sheets[file]

    def document(self, file: str) -> Document | None:
        return self.now.build.documents.get(file)


def write_into(
    now: Now,
    differences: Sequence[Difference],
    new: Sequence[Match],
    *,
    day: str,
    source: str,
    into: str = "",
    source_column: str = "",
) -> Edits:
    """Put differences and new facts into the project's files. Raises InputError where a file cannot be edited.

    `day` is when they were seen, `into` the file of new facts (default: where their table is), `source_column` the
    column that says which source they are from (default: `source`, in tables that have it).
    """
    writer = _Writer(now=now, day=day, source=source, source_column=source_column)
    taken = dict(clashes(writer.tables, differences))
    by_hand, followed = _change(writer, [one for one in differences if one.fact.id not in taken])
    by_hand += [(one, taken[one.fact.id]) for one in differences if one.fact.id in taken]
    added: list[Added] = []
    for table in dict.fromkeys(one.seen.table for one in new):
        file = into or _file_of(writer, table)
        facts = [one for one in new if one.seen.table == table]
        _add(writer, table, file, facts)
        added += [Added(match=one, file=file) for one in facts]
    files = {file: sheet.content() for file, sheet in writer.sheets.items()}
    return Edits(
        files={file: content for file, content in files.items() if now.tree.files.get(file) != content},
        added=tuple(added),
        by_hand=tuple(by_hand),
        followed=tuple(followed),
        notes=tuple(writer.notes),
    )


# --- known facts ------------------------------------------------------------------------------------------------------


def _change(writer: _Writer, differences: Sequence[Difference]) -> tuple[list[tuple[Difference, str]], list[str]]:
    by_hand: list[tuple[Difference, str]] = []
    values: dict[str, dict[str, Any]] = {}
    facts: dict[str, Fact] = {}
    renamed: dict[tuple[str, str], str] = {}
    remarks: dict[str, str] = {}
    for one in differences:
        remarks[one.fact.id] = _remark(writer, one)
        facts[one.fact.id] = one.fact
        new = {column: theirs for column, (_, theirs) in one.columns.items()} | dict(one.unset)
        values.setdefault(one.fact.id, {}).update({**new, **_key_values(writer, one), "verified": writer.day})
        if one.new_key:
            renamed[one.fact.table, one.fact.key] = one.new_key
    followed = list(_follow(writer.tables, renamed, facts, values))
    of_fact = {one.fact.id: one for one in differences}
    for id_, fact in facts.items():
        sheet = writer.sheet(fact.file)
        new_key = renamed.get((fact.table, fact.key), "")
        try:
            said = {column: _plain(value) for column, value in values[id_].items()}
            key, remark = new_key if isinstance(fact.at, str) else "", remarks.get(id_, "")
            sheet.change(fact.table, fact.at, said, key=key, remark=remark)
        except LayoutError as problem:
            if id_ not in of_fact:  # it only names a renamed fact, and would name nothing
                raise
            by_hand.append((of_fact[id_], problem.message))
    return by_hand, followed


def _remark(writer: _Writer, one: Difference) -> str:
    """The mark of what was cleaned in the values that are taken."""
    taken = {*one.columns, *one.unset, *(writer.tables[one.fact.table].key if one.new_key else ())}
    return cleaned_mark([done for done in one.seen.cleaned if done.partition(":")[0] in taken], writer.source)


def _key_values(writer: _Writer, one: Difference) -> dict[str, Any]:
    """The columns of a new key, as far as they are written in the fact itself."""
    if not one.new_key:
        return {}
    table = writer.tables[one.fact.table]
    if isinstance(one.fact.at, str):
        at_all = writer.sheet(one.fact.file).data[table.name][one.fact.at] or {}
        return {table.key[0]: one.new_key} if table.key[0] in at_all else {}
    values = {column: one.seen.values.get(column) for column in table.key}
    return {c: v for c, v in values.items() if v is not None and written(v) != written(one.fact.values.get(c))}


def _follow(
    tables: Mapping[str, Table],
    renamed: Mapping[tuple[str, str], str],
    facts: dict[str, Fact],
    values: dict[str, dict[str, Any]],
) -> Iterable[str]:
    """Let the facts that name a renamed one name it as it is called now."""
    for table in tables.values() if renamed else ():
        refs = [(column, about.ref) for column, about in table.columns.items() if about.ref]
        for fact in table.facts:
            for column, ref in refs:
                mine = values.get(fact.id, {}).get(column, fact.values.get(column))
                several = mine if isinstance(mine, list) else [mine]
                theirs = [renamed.get((ref, written(one)), one) for one in several]
                if theirs != several:
                    facts[fact.id] = fact
                    values.setdefault(fact.id, {})[column] = theirs if isinstance(mine, list) else theirs[0]
                    yield fact.id


# --- new facts --------------------------------------------------------------------------------------------------------


def _file_of(writer: _Writer, table: str) -> str:
    """The file with the most facts of a table; else one that names it, else `knowledge/TABLE.yaml`."""
    count: dict[str, int] = {}
    for fact in writer.tables[table].facts if table in writer.tables else ():
        count[fact.file] = count.get(fact.file, 0) + 1
    if count:
        return max(count, key=lambda file: (count[file], file))
    for file, document in writer.now.build.documents.items():
        if file.startswith("knowledge/") and isinstance(document.data, dict) and table in document.data:
            return file
    return f"knowledge/{table}.yaml"


def _add(writer: _Writer, table: str, file: str, new: Sequence[Match]) -> None:
    sheet = writer.sheet(file)
    defaults = _defaults(writer, file, table)
    filled = [c for c in defaults if any(c not in {**one.seen.guesses, **one.seen.values} for one in new)]
    if filled:
        said = ", ".join(f"{column}: {written(defaults[column])}" for column in filled)
        writer.notes.append(f"new facts of {table} take what _defaults of {file} say: {said}")
    mapping = sheet.is_mapping(table)
    columns = _columns(writer, table)
    groups: dict[int | None, list[Row]] = {}
    for one in new:
        values = _values(writer, table, one, columns, defaults, mapping)
        row = Row(one.seen.key, values, cleaned_mark(one.seen.cleaned, writer.source))
        groups.setdefault(_neighbour(writer, table, file, one), []).append(row)
    for behind, rows in groups.items():
        sheet.add(table, rows, behind=behind)


def _neighbour(writer: _Writer, table: str, file: str, one: Match) -> int | None:
    """Where the key has several columns: the last fact of the file with the same first one; a host's ports in a row."""
    known = writer.tables.get(table)
    if known is None or len(known.key) == 1:
        return None
    if (table, file) not in writer.last:
        places = ((written(fact.values[known.key[0]]), fact.at) for fact in known.facts if fact.file == file)
        writer.last[table, file] = {first: at for first, at in places if isinstance(at, int)}
    return writer.last[table, file].get(written(one.seen.values.get(known.key[0])))


def _defaults(writer: _Writer, file: str, table: str) -> Mapping[str, Any]:
    document = writer.document(file)
    defaults = document.data.get("_defaults") if document and isinstance(document.data, dict) else None
    found = defaults.get(table) if isinstance(defaults, dict) else None
    return found if isinstance(found, dict) else {}


def _columns(writer: _Writer, table: str) -> tuple[str, ...]:
    """The columns of a table in the order in which a person would write them."""
    known = writer.tables.get(table)
    return tuple(dict.fromkeys((*known.key, *known.columns))) if known else KEYS.get(table, ())


def _values(
    writer: _Writer, table: str, one: Match, columns: Sequence[str], defaults: Mapping[str, Any], mapping: bool
) -> dict[str, Any]:
    said = {**one.seen.guesses, **one.seen.values}
    known = writer.tables.get(table)
    own = writer.source_column or "source"
    if writer.source_column or (known is not None and any("source" in fact.values for fact in known.facts)):
        said.setdefault(own, writer.source)
    said.pop("verified", None)
    key = (known.key if known else KEYS.get(table, ("",))) if mapping else ()
    order = [*(column for column in columns if column in said), *(column for column in said if column not in columns)]
    kept = [c for c in order if said[c] is not None and c not in key and not _is_default(c, said, defaults)]
    return {**{column: _plain(said[column]) for column in kept}, "verified": writer.day}


def _is_default(column: str, said: Mapping[str, Any], defaults: Mapping[str, Any]) -> bool:
    return column in defaults and type(said[column]) is type(defaults[column]) and said[column] == defaults[column]


def _plain(value: Any) -> Any:
    """A value that a file can hold: half a character, as JSON may have it, becomes a question mark."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise InputError(f"a source gave a value of a kind that no file holds: {type(value).__name__}")
