"""What of a project's facts is a name: the columns that say who and what, and the words in them that say whose."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from promptforge.compiler.builtin import BUILTIN, COMMON
from promptforge.model import Table, written
from promptforge.redaction.names import Name
from promptforge.redaction.shapes import shapes
from promptforge.schema import builtin_schema

__all__ = ["kept_columns", "naming_columns", "reserved_words", "vocabulary"]

_NAMING: Mapping[tuple[str, str], str] = {
    ("sites", "name"): "site",
    ("hosts", "name"): "host",
    ("hosts", "ssh"): "alias",
    ("ports", "codename"): "codename",
    ("devices", "name"): "device",
    ("devices", "owner"): "person",
    ("entities", "entity_id"): "entity",
    ("entities", "name"): "entity",
    ("ssh", "alias"): "alias",
    ("ssh", "user"): "user",
    ("people", "name"): "person",
}
_SAYS_WHO: Mapping[str, str] = {
    **dict.fromkeys(("person", "people", "owner", "owners", "user_name", "member", "contact"), "person"),
    **dict.fromkeys(("user", "username", "login", "account"), "user"),
    **dict.fromkeys(("host", "hostname", "host_name", "fqdn", "node"), "host"),
    **dict.fromkeys(("alias", "aliases", "nickname"), "alias"),
    **dict.fromkeys(("codename",), "codename"),
    **dict.fromkeys(("device", "device_name"), "device"),
    **dict.fromkeys(("friendly_name", "ssid", "serial", "serial_number", "unique_id", "device_id"), "name"),
    **dict.fromkeys(("phone", "telephone", "mobile", "email", "street", "postal_address", "wifi", "tailnet"), "name"),
}
"""Columns of any table, by what they are called."""
_TEXT = ("text", "any")
_BY_FORM = ("ipv4", "ipv6", "mac", "email", "url", "phone", "uuid", "hex")
"""What is told by its form is told by it in a column, too, so that it is the same in prose."""
_ALL_FORMS = (*_BY_FORM, "host", "entity")
_ANYBODYS = frozenset(
    (
        *("root", "admin", "administrator", "pi", "ubuntu", "debian", "git", "user", "ops", "guest", "nobody"),
        *("www-data", "homeassistant", "docker", "core", "ec2-user", "service", "backup"),
    )
)
"""Accounts that every second machine has."""
_POSSESSIVE = re.compile(r"\b([^\W\d_][^\W_]{2,})(?:'|’)s\b")
_NO_PERSON = frozenset(
    (
        *("kids", "children", "guest", "guests", "parents", "today", "everybody", "everyone", "nobody", "who"),
        *("what", "it", "that"),
    )
)
_PARTICLES = frozenset(
    (*("van", "von", "der", "den", "de", "da", "di", "la", "le", "el", "bin", "ibn", "the", "and", "of"),)
)


def naming_columns(tables: Mapping[str, Table], also: Collection[str]) -> dict[tuple[str, str], str]:
    """Table and column to the kind of thing that it names; `also` are those that were asked for."""
    found: dict[tuple[str, str], str] = {}
    for name, table in tables.items():
        for column in table.columns:
            kind = _NAMING.get((name, column)) or ("" if name in BUILTIN else _SAYS_WHO.get(column, ""))
            if not kind and column not in BUILTIN.get(name, {}):
                kind = _SAYS_WHO.get(column, "")
            if column in also or f"{name}.{column}" in also:
                kind = kind or "name"
            if kind and table.kind(column) in (*_TEXT, "entity"):
                found[name, column] = kind
    for _ in range(3):  # what names a fact of a table is named as the table's key is
        for name, table in tables.items():
            for column, about in table.columns.items():
                key = tables[about.ref].key if about.ref in tables else ()
                if len(key) == 1 and (kind := found.get((about.ref, key[0]), "")):
                    found[name, column] = kind
    return found


def vocabulary(tables: Mapping[str, Table], columns: Mapping[tuple[str, str], str]) -> Iterator[Name]:
    """Every name in the facts."""
    for (name, column), kind in columns.items():
        for one in _values(tables[name], column):
            if kind != "user" or one not in _ANYBODYS:
                yield from _of_value(name, column, kind, one)
    for name, table in tables.items():
        if "name" in table.columns and (name, "name") not in columns:  # `Anna's bike` of a table of bikes
            for one in _values(table, "name"):
                yield from _owners(written(one))


def _values(table: Table, column: str) -> Iterator[Any]:
    for fact in table.facts:
        value = fact.values.get(column)
        yield from value if isinstance(value, list) else [value]


def _of_value(table: str, column: str, kind: str, value: Any) -> Iterator[Name]:
    if value is None or isinstance(value, (bool, dict, list)):
        return
    text = written(value)
    if _is_shape(text, _BY_FORM):
        return
    where = f"{table}.{column}"
    if kind == "entity" and column == "entity_id":
        _, _, text = text.rpartition(".")
        where = f"{table}.{column}.{text}"  # light.hall and switch.hall may be one thing
    yield Name(kind, text, where)
    if kind == "person":
        yield from _parts(text)
    yield from _owners(text)


def _is_shape(text: str, kinds: Collection[str]) -> bool:
    return any(one.kind in kinds and (one.start, one.end) == (0, len(text)) for one in shapes(text))


def _owners(text: str) -> Iterator[Name]:
    """Whose a thing is called."""
    for match in _POSSESSIVE.finditer(text):
        if match[1][0].isupper() and match[1].casefold() not in _NO_PERSON:
            yield Name("person", match[1], "")


def _parts(text: str) -> Iterator[Name]:
    """First and last names."""
    words = re.findall(r"[^\W\d_][^\W\d_'’-]*", text)
    for word in words if len(words) > 1 else ():
        if len(word) > 2 and word.casefold() not in _PARTICLES:
            yield Name("person", word, "")


def kept_columns(tables: Mapping[str, Table], columns: Mapping[tuple[str, str], str]) -> tuple[str, ...]:
    """Columns of text that the house added, and whose values stay but for the names in them."""
    found = []
    for name, table in tables.items():
        own = [c for c in table.columns if c not in BUILTIN.get(name, {}) and c not in COMMON]
        for column in own:
            about = table.columns[column]
            if (name, column) in columns or about.kind not in _TEXT or about.ref:
                continue
            if any(isinstance(value, str) and not _is_shape(value, _ALL_FORMS) for value in _values(table, column)):
                found.append(f"{name}.{column}")
    return tuple(found)


def reserved_words(tables: Mapping[str, Table]) -> frozenset[str]:
    """Words that mean something in the files of a project: keys, choices, tables, columns, folders."""
    own = {column for table in tables.values() for column in table.columns}
    return _format_words() | own | tables.keys()


_ALSO = """
    agents templates knowledge fewshot suites training schemas build replay promptforge agent_prompts yaml yml jsonl j2
    md json schema latest env hf tiktoken estimate mlx_lm server model port host http https file tcp udp one agent fact
    loop range dict namespace default lower upper title join length count map list first last sort select reject
    selectattr rejectattr groupby replace trim unique sum min max abs int float string round indent wordwrap items
    attribute defined undefined none true false if else elif endif for endfor in is not and or set endset raw endraw
    macro endmacro filter endfilter equalto odd even number sequence mapping public internal private local cloud any
"""


@cache
def _format_words() -> frozenset[str]:
    words = {*_ALSO.split(), *BUILTIN, *COMMON}
    words.update(column for columns in BUILTIN.values() for column in columns)
    for name in ("project", "agent", "fewshot", "knowledge", "suite", "recipe", "phrasings", "jailbreak", "fleet"):
        words.update(_words_of(builtin_schema(name)))
    return frozenset(words)


def _words_of(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for one in schema:
            yield from _words_of(one)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties" and isinstance(value, dict):
                yield from value
            if key in ("enum", "const"):
                yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))
            if key not in ("description", "examples", "default"):
                yield from _words_of(value)
