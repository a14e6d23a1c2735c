"""What of a project's facts is a name: the columns that say who and what, and the words in them that say whose."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from promptforge.compiler.builtin import BUILTIN, COMMON, KEYS
from promptforge.model import Table, written
from promptforge.redaction.names import Name
from promptforge.redaction.shapes import shapes
from promptforge.schema import builtin_schema

__all__ = ["kept_columns", "kind_of_key", "names_of", "naming_columns", "raw_names", "reserved_words", "vocabulary"]

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
_WHOSE = re.compile(r"([^\W\d_]{2,}[^\W\d_sS])(?:'|’)?s[-_ ]+\w.*", re.DOTALL)
"""`emils-phone`, `noras_laptop`. Of `boss-phone` and `its-pad` what is before the s is nobody."""
_STEMS = """
    acces addres alway analysi apple arrow atla axi bas basi bat blind boiler bonu book bos bu bus busines button
    camera campu canva car cat censu chao chicken chri clas cloud compas cro cros cursor cyclop dai day dog door
    doorway downstair dres driver engine eye fan focu friend game garden gla glas gra gues guitar hall hi hou house
    i kid kitchen lamp lan len light log mas mes mi mis new nexu nexus note office ou outdoor owner oxygen pa parent
    pas pet phone photo plant plex plu pool pres process proces radio room route sale satellite sensor server
    service shutter sky solari sono speaker stair statu storage stre stres studio switch system tenant term thi tool
    toy tran truenas tv upstair user vari vehicle viru visitor wa window wirele wireles work workshop worker
"""
"""What is before the s of ordinary words and makes: windows-pc, sonos-one, glass-door."""
_NO_STEM = frozenset(_STEMS.split())
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
                key = tables[about.ref].key if about.ref in tables else KEYS.get(about.ref or "", ())
                if len(key) == 1 and (kind := found.get((about.ref, key[0])) or _NAMING.get((about.ref, key[0]), "")):
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


def raw_names(
    data: Any, tables: Mapping[str, Table], columns: Mapping[tuple[str, str], str], *, loose: bool = False
) -> Iterator[Name]:
    """The names in a file of knowledge as it is written: also of facts that no table took.

    With `loose` a column that names in one table does in each: a fact of a broken file may stand in a wrong one.
    """
    anywhere = {column: kind for (_, column), kind in {**_NAMING, **columns}.items() if loose and column != "name"}
    for table, facts in data.items() if isinstance(data, dict) else ():
        if table == "_defaults" and isinstance(facts, dict):
            yield from raw_names({name: [fact] for name, fact in facts.items()}, tables, columns)
        key = tables[table].key if table in tables else KEYS.get(table, ("name",))
        for at, fact in (
            facts.items() if isinstance(facts, dict) else enumerate(facts if isinstance(facts, list) else ())
        ):
            keyed = {key[0]: at} if isinstance(at, str) and len(key) == 1 else {}
            for column, value in {**keyed, **(fact if isinstance(fact, dict) else {})}.items():
                if kind := columns.get((table, column)) or _NAMING.get((table, column)) or anywhere.get(column):
                    for one in value if isinstance(value, list) else [value]:
                        if kind != "user" or written(one) not in _ANYBODYS:
                            yield from _of_value(table, column, kind, one)


def kind_of_key(table: str) -> str:
    """What a fact's key names."""
    key = KEYS.get(table, ())
    return _NAMING.get((table, key[0]), "name") if len(key) == 1 else "name"


def names_of(kind: str, value: str, where: str) -> Iterator[Name]:
    """A value that may name, and whom it names besides."""
    if _is_shape(value, _BY_FORM):
        return
    yield Name(kind, value, f"{where}.{value}" if where else "")
    if kind == "person":
        yield from _parts(value)
    yield from _owners(value, is_thing=True)


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
    yield from _owners(text, is_thing=kind in ("device", "host"))


def _is_shape(text: str, kinds: Collection[str]) -> bool:
    return any(one.kind in kinds and (one.start, one.end) == (0, len(text)) for one in shapes(text))


def _owners(text: str, *, is_thing: bool = False) -> Iterator[Name]:
    """Whose a thing is called: `Emil's phone`, and of a thing also `emils-phone`."""
    thing = _WHOSE.fullmatch(text) if is_thing else None
    if thing and thing[1].casefold() not in _NO_PERSON | _NO_STEM:
        yield Name("person", thing[1].capitalize(), "")
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
