"""What the values of each kind of file are there for: of a fact its columns say it, elsewhere the keys around it."""

from collections.abc import Callable, Mapping

from promptforge.model import Table
from promptforge.redaction.layout import KEEP, NAME, TEXT, Place, Role

__all__ = ["roles"]

_KNOWLEDGE = "knowledge/"


def roles(
    path: str, tables: Mapping[str, Table], columns: Mapping[tuple[str, str], str], reserved: frozenset[str]
) -> Callable[[Place, str, bool], Role]:
    """Of a file, by its path in the project: what each of its values is there for."""
    in_facts = path.startswith(_KNOWLEDGE) and not path.startswith(_KNOWLEDGE + "schemas/")
    naming = {column for table, column in columns if (table, column) != ("entities", "entity_id")}

    def role(place: Place, value: str, is_key: bool) -> Role:
        if in_facts:
            return _in_facts(place, value, is_key, tables, columns, reserved)
        if is_key:
            return Role(KEEP) if value in reserved else Role(TEXT)
        if path == "promptforge.yaml" and _is_model(place):
            return Role(KEEP)
        named = [str(step) for step in place if isinstance(step, str)]
        if "where" in named[:-1] and named[named.index("where") + 1].rpartition(".")[2] in naming:
            return Role(NAME)
        return Role(TEXT, named[-1] if named else "")

    return role


def _is_model(place: Place) -> bool:
    """What a model is called by who made it: gpt-4o-mini is nobody's host."""
    return len(place) == 3 and place[0] == "models" and place[2] in ("model", "tokenizer", "backend", "tier")


def _in_facts(
    place: Place,
    value: str,
    is_key: bool,
    tables: Mapping[str, Table],
    columns: Mapping[tuple[str, str], str],
    reserved: frozenset[str],
) -> Role:
    table = str(place[1]) if place[0] == "_defaults" and len(place) > 1 else str(place[0])
    if is_key and len(place) == 2 and table in tables and place[0] != "_defaults":
        key = tables[table].key[0]
        names = (table, key) in columns and tables[table].kind(key) != "entity"
        return Role(NAME if names else TEXT, key)
    if is_key:
        return Role(KEEP) if value in reserved else Role(TEXT)
    column = str(place[2]) if len(place) > 2 else ""
    names = (table, column) in columns and table in tables and tables[table].kind(column) != "entity"
    return Role(NAME if names else TEXT, column)
