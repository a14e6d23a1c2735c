"""Knowledge documents to tables of facts: keys, defaults, known columns. The first half of linking."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from promptforge.compiler.builtin import BUILTIN, COMMON, DEFAULTS, KEYS, RESERVED
from promptforge.document import Document, Path, plain_value
from promptforge.files import digest_of
from promptforge.model import LEVELS, Column, Fact, Table, written
from promptforge.schema import Schema, accepts, bad_reference, check_value, invalid_schema
from promptforge.source import Diagnostic, Span, did_you_mean

__all__ = ["make_tables"]

_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*")


class _Raw(NamedTuple):
    """A fact as written."""

    values: dict[str, Any]
    in_mapping: bool
    document: Document
    line: int
    at: str | int
    defaults: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class _Collected:
    """A table while its facts come in from several files."""

    name: str
    raw: list[_Raw] = field(default_factory=list)
    schema: Schema = field(default_factory=dict)
    schema_text: str = ""


def make_tables(
    documents: Mapping[str, Document],
    schemas: Mapping[str, bytes],
    reserved: frozenset[str],
    hidden: frozenset[str] = frozenset(),
) -> tuple[dict[str, Table], list[Diagnostic]]:
    """Tables in the order in which the files name them.

    `schemas` are the files of knowledge/schemas by table; `hidden` the tables that files which cannot be read may hold.
    """
    found: list[Diagnostic] = []
    collected: dict[str, _Collected] = {}
    for document in documents.values():
        _collect(document, collected, found, reserved | RESERVED)
    for name, content in schemas.items():
        _read_schema(name, content, collected, found)
    for document in documents.values():
        _check_defaults(document, collected.keys() | hidden, found)
    for name in sorted(hidden - reserved - RESERVED):
        collected.setdefault(name, _Collected(name=name))
    tables = {name: _make_table(one, found, partial=name in hidden) for name, one in collected.items()}
    return tables, found


def _collect(
    document: Document, collected: dict[str, _Collected], found: list[Diagnostic], reserved: frozenset[str]
) -> None:
    if not isinstance(document.data, dict):
        hint = "write tables: `ports:` with a list of facts below it"
        message = "the file holds no tables"
        found.append(Diagnostic(code="PF203", span=document.span(), message=message, hint=hint))
        return
    all_defaults = _defaults_of(document)
    for name, body in document.data.items():
        if name == "_defaults":
            continue
        if not _TABLE_NAME.fullmatch(name) or name in reserved:
            taken = name in reserved
            message = f"a table cannot be called '{name}'" + (": texts use that name" if taken else "")
            hint = "choose another name" if taken else "use lower-case letters, digits and _, a letter first"
            found.append(Diagnostic(code="PF204", span=document.span((name,), key=True), message=message, hint=hint))
            continue
        table = collected.setdefault(name, _Collected(name=name))
        if isinstance(body, (list, dict)):
            table.raw.extend(_facts_of(document, name, body, all_defaults.get(name, {}), found))
        elif body is not None:
            message, hint = (
                f"the table '{name}' holds a single value",
                "write a list of facts, or a mapping of key to fact",
            )
            found.append(Diagnostic(code="PF206", span=document.span((name,)), message=message, hint=hint))


def _defaults_of(document: Document) -> Mapping[str, Mapping[str, Any]]:
    defaults = document.data.get("_defaults")
    if not isinstance(defaults, dict):
        return {}
    return {name: columns for name, columns in defaults.items() if isinstance(columns, dict)}


def _check_defaults(document: Document, tables: Collection[str], found: list[Diagnostic]) -> None:
    defaults = document.data.get("_defaults") if isinstance(document.data, dict) else None
    if defaults is None:
        return
    if not isinstance(defaults, dict) or not all(isinstance(d, (dict, type(None))) for d in defaults.values()):
        message, hint = "_defaults must be a mapping of tables", "write `_defaults: {ports: {host: mini}}`"
        found.append(Diagnostic(code="PF203", span=document.span(("_defaults",)), message=message, hint=hint))
        return
    for name in defaults:
        if name not in tables:
            message, hint = f"_defaults for '{name}', but there is no such table", did_you_mean(name, tables)
            place = document.span(("_defaults", name), key=True)
            found.append(Diagnostic(code="PF302", span=place, message=message, hint=hint))


def _facts_of(
    document: Document, name: str, body: Any, defaults: Mapping[str, Any], found: list[Diagnostic]
) -> Iterator[_Raw]:
    in_mapping = isinstance(body, dict)
    if body and in_mapping and len(KEYS.get(name, ("",))) > 1:
        found.append(_must_be_a_list(document, name, KEYS[name]))
        return
    items = body.items() if in_mapping else enumerate(body)
    for (at, values), line in zip(items, document.item_lines((name,)), strict=True):
        if values is None and in_mapping:
            values = {}
        if not isinstance(values, dict):
            message = f"a fact of '{name}' must be a mapping of columns to values"
            hint = "write `{column: value, …}`"
            found.append(Diagnostic(code="PF206", span=document.span((name, at)), message=message, hint=hint))
            continue
        yield _Raw(values, in_mapping, document, line, at, defaults)


def _must_be_a_list(document: Document, name: str, key: Sequence[str]) -> Diagnostic:
    message = f"'{name}' has a key of several columns ({', '.join(key)}), so it must be a list"
    hint = f"write `- {{{key[0]}: …, {key[1]}: …}}` lines"
    return Diagnostic(code="PF206", span=document.span((name,)), message=message, hint=hint)


def _read_schema(name: str, content: bytes, collected: dict[str, _Collected], found: list[Diagnostic]) -> None:
    file = f"knowledge/schemas/{name}.schema.json"
    place, message = Span(file=file), ""
    try:
        schema = json.loads(content.decode("utf-8-sig"))
        message = "" if isinstance(schema, dict) else "it must be a JSON object"
        message = message or invalid_schema(schema) or _bad_keywords(schema) or bad_reference(schema)
    except UnicodeDecodeError:
        message = "it is not UTF-8"
    except json.JSONDecodeError as problem:
        place, message = Span(file=file, line=problem.lineno, column=problem.colno), f"it is not JSON: {problem.msg}"
    except RecursionError:
        message = "it is nested too deeply"
    if message:
        hint = "mend the JSON" if "it is not JSON" in message else "write a draft-07 JSON Schema of one fact"
        found.append(Diagnostic(code="PF207", span=place, message=f"the schema cannot be used: {message}", hint=hint))
        return
    table = collected.setdefault(name, _Collected(name=name))
    table.schema, table.schema_text = schema, digest_of(content)


def _bad_keywords(schema: Schema) -> str:
    key = schema.get("x-key", [])
    if not isinstance(key, list) or not all(isinstance(column, str) for column in key) or len(set(key)) != len(key):
        return "x-key must be a list of columns"
    for column, about in schema.get("properties", {}).items():
        if isinstance(about, dict) and not isinstance(about.get("x-ref", ""), str):
            return f"x-ref of '{column}' must be the name of a table"
    return ""


def _make_table(collected: _Collected, found: list[Diagnostic], *, partial: bool) -> Table:
    name = collected.name
    key = _key_columns(collected)
    defaults = DEFAULTS.get(name, {}) if key == KEYS.get(name) else {}
    columns = {**BUILTIN.get(name, {}), **COMMON}
    columns.update(_schema_columns(collected.schema, columns))
    declared = frozenset(columns)
    facts: list[Fact] = []
    by_key: dict[str, Fact] = {}
    accept = accepts(collected.schema) if collected.schema else None
    for raw in collected.raw:
        if raw.in_mapping and len(key) > 1:
            if not any(d.code == "PF206" and d.span.file == raw.document.file for d in found):
                found.append(_must_be_a_list(raw.document, name, key))
            continue
        values = _fill(raw, key, defaults, name, found)
        if accept is not None and not accept(values):
            found.extend(_schema_problems(collected.schema, values, raw, name))
        if values.get("sensitivity") is None:
            values = {**values, "sensitivity": "internal"}
        fact = _fact(raw, values, key, defaults, name, found)
        if fact is None:
            continue
        if fact.key in by_key:
            found.append(_duplicate(by_key[fact.key], fact, raw.document))
            continue
        facts.append(fact)
        by_key[fact.key] = fact
    if defaults:
        for fact in facts:
            by_key.setdefault(":".join(written(fact.values[column]) for column in key), fact)
    for fact in facts:
        if not columns.keys() >= fact.values.keys():
            for column in fact.values:
                columns.setdefault(column, Column(kind="any"))
    digest = digest_of(json.dumps([name, key, collected.schema_text]))
    return Table(
        name=name,
        key=key,
        columns=columns,
        declared=declared,
        defaults=defaults,
        facts=tuple(facts),
        by_key=by_key,
        digest=digest,
        partial=partial,
    )


def _key_columns(collected: _Collected) -> tuple[str, ...]:
    """x-key, else the built-in key, else `id`, else `name`, else the first column of the first fact."""
    if declared := collected.schema.get("x-key"):
        return tuple(declared)
    if collected.name in KEYS:
        return KEYS[collected.name]
    if any("id" in raw.values for raw in collected.raw):
        return ("id",)
    in_mapping = any(raw.in_mapping for raw in collected.raw)
    named = [raw for raw in collected.raw if "name" in raw.values]
    # In a mapping the key names the fact: a `name` that says something else is only a column.
    if named and not any(raw.in_mapping and written(raw.values["name"]) != raw.at for raw in named):
        return ("name",)
    if in_mapping or not collected.raw or not collected.raw[0].values:
        return ("id",)
    return (next(iter(collected.raw[0].values)),)


def _schema_columns(schema: Schema, known: Mapping[str, Column]) -> dict[str, Column]:
    """The columns that a schema adds, and its references on known ones: a schema never loosens a known type."""
    columns = {}
    for name, about in schema.get("properties", {}).items():
        settings = about if isinstance(about, dict) else {}
        before = known.get(name, Column(kind="any"))
        about_it = str(settings.get("description", "")) or before.about
        columns[name] = Column(kind=before.kind, ref=settings.get("x-ref", before.ref), about=about_it)
    return columns


def _fill(
    raw: _Raw, key: tuple[str, ...], defaults: Mapping[str, Any], name: str, found: list[Diagnostic]
) -> dict[str, Any]:
    """The values of a fact with the mapping's key, the file's defaults and the key's defaults filled in."""
    values = raw.values
    if not (raw.in_mapping or raw.defaults or defaults):
        return values
    if raw.in_mapping:
        at = str(raw.at)
        if len(key) == 1 and key[0] not in values:
            values = {key[0]: plain_value(at) if at else at, **values}
        elif written(values.get(key[0])) != at:
            message = f"the key '{at}' and the column '{key[0]}' say different things"
            place = raw.document.span((name, at, key[0]))
            found.append(Diagnostic(code="PF206", span=place, message=message, hint=f"drop the column '{key[0]}'"))
    # A key cannot be unset, so there an empty value is a missing one.
    missing = {c: v for c, v in raw.defaults.items() if c not in values or (c in key and values[c] is None)}
    missing.update((c, v) for c, v in defaults.items() if values.get(c) is None and missing.get(c) is None)
    return {**values, **missing} if missing else values


def _fact(
    raw: _Raw,
    values: dict[str, Any],
    key: tuple[str, ...],
    defaults: Mapping[str, Any],
    name: str,
    found: list[Diagnostic],
) -> Fact | None:
    parts = [written(values.get(column)) for column in key]
    for column, part in zip(key, parts, strict=True):
        if part and values[column].__class__ is str:
            continue
        several = isinstance(values.get(column), (list, dict))
        if not part or several:
            message = f"a fact of '{name}' has no '{column}', which is its key"
            hint = f"add `{column}: …`"
            if several:
                message, hint = f"the key '{column}' of '{name}' must be a single value", "write one fact for each"
            place = raw.document.span((name, raw.at, column) if several else (name, raw.at))
            found.append(Diagnostic(code="PF316", span=place, message=message, hint=hint))
            return None
    while len(parts) > 1 and defaults.get(key[len(parts) - 1]) == parts[-1]:
        parts.pop()
    level = values.get("sensitivity")
    # A level that cannot be read is an error of the judge's; until then the fact counts as private.
    level = "internal" if level is None else level if isinstance(level, str) and level in LEVELS else "private"
    return Fact(name, ":".join(parts), values, raw.document.file, raw.line, raw.at, level)


def _duplicate(first: Fact, second: Fact, document: Document) -> Diagnostic:
    same_port = first.table == "ports" and {**first.values, "notes": 0} != {**second.values, "notes": 0}
    if same_port:
        services = " and ".join(f"'{written(f.values.get('service')) or f.key}'" for f in (first, second))
        message = (
            f"port {written(second.values['port'])} of {written(second.values['host'])} is taken twice: {services}"
        )
        code, hint = "PF321", "give one of them another port, or another proto"
    else:
        message = f"{first.table} has two facts with the key '{first.key}'"
        code, hint = "PF320", "keep one of them"
    place = document.span(second.path, key=isinstance(second.at, str))
    return Diagnostic(code=code, span=place, message=message, hint=hint, related=((first.span, "first here"),))


def _schema_problems(schema: Schema, values: Mapping[str, Any], raw: _Raw, name: str) -> tuple[Diagnostic, ...]:
    def place(path: Path, key: bool) -> Span:
        return raw.document.span((name, raw.at, *path), key=key)

    return check_value(schema, values, place)
