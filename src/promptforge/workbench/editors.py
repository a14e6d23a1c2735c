"""Schemas for editors that know the house: hosts, sites, people and tables are completed as one types.

They lie in `schemas/`, where the first line of each file points. The folder ignores itself, for it holds names that the
repository may not be meant to have. Only a folder that says so is ever written to; a schema of the user's own stays.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptforge.files import TEMPORARY
from promptforge.model import Project, Table
from promptforge.workbench.fresh import EDITORS

if TYPE_CHECKING:  # a new project has use for the schemas, and none for the compiler
    from promptforge.compiler.build import Build

__all__ = ["FOLDER", "IGNORES", "generic_schemas", "refresh", "refresh_facts"]

FOLDER = "schemas"
_OURS = b"# Made by promptforge"
IGNORES = _OURS + b" for editors, with the names of this house: `promptforge build` makes it anew.\n*\n"
"""The content of its .gitignore, by which we know it."""
_ASKS = re.compile(r"\A\ufeff?#[^\n]*\$schema=(?:\./|\.\./)*schemas/\w+\.schema\.json")
_MOST = 5000
"""Names of one kind that an editor is given."""
_FEW = 40
"""Different texts at most of a column that repeats itself, such as rooms and kinds."""
_LONGEST = 80


def generic_schemas() -> dict[str, bytes]:
    """The schemas as they are for any house, with the file by which the folder ignores itself."""
    folder = package_files("promptforge") / "data" / "schemas"
    found = sorted((one for one in folder.iterdir() if one.name.endswith(".schema.json")), key=lambda one: one.name)
    return {f"{FOLDER}/{one.name}": one.read_bytes() for one in found} | {f"{FOLDER}/.gitignore": IGNORES}


def refresh(root: Path, build: "Build") -> tuple[str, ...]:
    """Write the schemas that differ; which they are. None where the project has a folder of its own, or asks for none.

    What cannot be written is no loss: editors complete what they knew.
    """
    folder = root / FOLDER
    asked = any(_ASKS.match(document.text) for document in build.documents.values())
    if not (_is_ours(folder) or (asked and not os.path.lexists(folder))):
        return ()
    project = build.project
    made = generic_schemas()
    for name, change in _CHANGES.items():
        path = f"{FOLDER}/{name}.schema.json"
        schema = json.loads(made[path])
        change(schema, project)
        made[path] = _text(schema)
    return _write(root, made)


def refresh_facts(root: Path, tables: Mapping[str, Table]) -> tuple[str, ...]:
    """The same for an edit of facts alone: of all schemas only that of the knowledge can have changed."""
    if not _is_ours(root / FOLDER):
        return ()
    path = f"{FOLDER}/knowledge.schema.json"
    schema = json.loads((package_files("promptforge") / "data" / path).read_bytes())
    _with_facts(schema, tables)
    return _write(root, {path: _text(schema)})


def _is_ours(folder: Path) -> bool:
    try:
        return (folder / ".gitignore").read_bytes().startswith(_OURS)
    except OSError:
        return False


def _text(schema: Mapping[str, Any]) -> bytes:
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def _write(root: Path, contents: Mapping[str, bytes]) -> tuple[str, ...]:
    written_now = []
    try:
        (root / FOLDER).mkdir(exist_ok=True)
        for name, content in contents.items():
            path = root / name
            if _content(path) != content:
                _replace(path, content)
                written_now.append(name)
        (root / EDITORS).touch()
    except OSError:
        pass
    return tuple(written_now)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, content: bytes) -> None:
    """An editor reads it at any time: it finds the old one or the new one. Only the owner may read names of people."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


# --- names ------------------------------------------------------------------------------------------------------------


_ANYTHING = {"not": {"type": "object"}}


def _known(schema: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A schema that completes names and takes any other value: what is wrong `promptforge check` says, and only it."""
    found = sorted({name for name in names if name and len(name) <= _LONGEST})[:_MOST]
    if not found:
        return schema
    about = {"description": schema["description"]} if "description" in schema else {}
    # Were `true` and null named as kinds of values, an editor would offer them between the names.
    return {**about, "anyOf": [{"enum": found}, _ANYTHING if "boolean" in schema.get("type", ()) else schema]}


def _values(table: Table, column: str) -> list[str]:
    """The texts of a column, of a list its items."""
    found = []
    for fact in table.facts:
        value = fact.values.get(column)
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, str):
                found.append(one)
    return found


def _choices(table: Table, column: str, tables: Mapping[str, Table]) -> Iterable[str]:
    """What may stand in a column: of a reference the keys there, and what is written; else texts that come again."""
    about = table.columns.get(column)
    values = _values(table, column)
    if about is not None and about.ref:
        target = tables.get(about.ref)
        return {*values, *(fact.key for fact in target.facts if target)} if target else set(values)
    different = set(values)
    again = column not in table.key and len(different) <= _FEW and len(values) >= 2 * len(different)
    return different if again and (about is None or about.kind in ("text", "any", "tags")) else ()


def _with_facts(schema: dict[str, Any], tables: Mapping[str, Table]) -> None:
    definitions = schema["definitions"]
    for name, table in tables.items():
        if name not in definitions:
            definitions[name] = json.loads(json.dumps(definitions["fact"]))
            schema["properties"][name] = {
                **schema["additionalProperties"],
                "anyOf": [{"type": "null"}, _list_of(name), _mapping_of(name)],
            }
        properties = definitions[name].setdefault("properties", {})
        for column in table.columns:
            properties[column] = _known(properties.get(column, {}), _choices(table, column, tables))


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/definitions/{name}"}}


def _mapping_of(name: str) -> dict[str, Any]:
    fact = {"$ref": f"#/definitions/{name}"}
    return {"type": "object", "additionalProperties": {"anyOf": [{"type": "null"}, fact]}}


def _knowledge(schema: dict[str, Any], project: Project) -> None:
    _with_facts(schema, project.tables)


def _columns(project: Project) -> list[str]:
    return [column for table in project.tables.values() for column in table.columns]


def _agent(schema: dict[str, Any], project: Project) -> None:
    properties = schema["properties"]
    properties["model"] = _known(properties["model"], project.config.models)
    for option in properties["sections"]["items"]["anyOf"]:
        section = option.get("properties", {})
        if "table" in section and "table" in option.get("required", ()):
            section["table"] = _known(section["table"], project.tables)
            section["columns"]["items"] = _known(section["columns"]["items"], _columns(project))
        if "template" in section:
            section["template"] = _known(section["template"], project.templates)


def _fewshot(schema: dict[str, Any], project: Project) -> None:
    example = schema["properties"]["examples"]["items"]["properties"]
    _one_or_many(example, "agents", project.agents)
    _one_or_many(example, "tags", {tag for one in project.examples for tag in one.tags})


def _suite(schema: dict[str, Any], project: Project) -> None:
    case = schema["properties"]["cases"]["items"]["properties"]
    _one_or_many(case, "agents", project.agents)
    columns = [f"{name}.{column}" for name, table in project.tables.items() for column in table.columns]
    _one_or_many(case["expect"]["properties"], "only", columns)
    generated = schema["properties"]["generate"]["items"]["properties"]
    generated["table"] = _known(generated["table"], project.tables)
    generated["answer"] = _known(generated["answer"], _columns(project))
    _one_or_many(generated, "agents", project.agents)


def _one_or_many(properties: dict[str, Any], key: str, names: Iterable[str]) -> None:
    """A key that takes a name or a list of names."""
    schema = properties[key]
    options: Sequence[dict[str, Any]] = schema.get("anyOf", [schema])
    made = [
        {**one, "items": _known(one["items"], names)} if one.get("type") == "array" else _known(one, names)
        for one in options
    ]
    properties[key] = {**{k: v for k, v in schema.items() if k == "description"}, "anyOf": made}


_CHANGES = {"knowledge": _knowledge, "agent": _agent, "fewshot": _fewshot, "suite": _suite}
