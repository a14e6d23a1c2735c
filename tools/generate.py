"""Writes what is made from the code: the reference pages of codes, commands and files, and the schema for editors.

`python tools/generate.py` writes; with `--check` it writes nothing, names the files that are not up to date, and exits
with 1. What it makes depends on nothing but the package, so the same code gives the same bytes.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from promptforge.cli.main import promptforge
from promptforge.compiler.builtin import BUILTIN, COMMON, DEFAULTS, KEYS
from promptforge.console.diagnostics import code_page
from promptforge.model import LEVELS, Column
from promptforge.source import codes

ROOT = Path(__file__).resolve().parents[1]
CODE_PAGES = "docs/reference/codes"
HELP_WIDTH = 100
MADE = "<!-- Written by tools/generate.py; do not edit. -->\n"


def main() -> int:
    """Write, or with --check compare."""
    pages = generated()
    stale = [path for path, text in pages.items() if _content(path) != text.encode("utf-8")]
    left_over = sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / CODE_PAGES).glob("*.md")
        if path.relative_to(ROOT).as_posix() not in pages
    )
    if "--check" in sys.argv[1:]:
        for path in (*stale, *left_over):
            sys.stderr.write(f"not up to date: {path} (run: make docs)\n")
        return 1 if stale or left_over else 0
    for path in left_over:
        (ROOT / path).unlink()
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_bytes(pages[path].encode("utf-8"))
        sys.stdout.write(f"wrote {path}\n")
    return 0


def generated() -> dict[str, str]:
    """Everything that is made, by its path in the repository."""
    return {
        **{f"{CODE_PAGES}/{code.code}.md": MADE + code_page(code) for code in codes().values()},
        f"{CODE_PAGES}/README.md": codes_index(),
        "docs/reference/cli.md": cli_page(),
        "docs/reference/files.md": files_page(),
        "src/promptforge/data/schemas/knowledge.schema.json": _json(knowledge_schema()),
    }


def _content(path: str) -> bytes | None:
    try:
        return (ROOT / path).read_bytes()
    except FileNotFoundError:
        return None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


# --- codes ----------------------------------------------------------------------------------------------------------

CODE_GROUPS: Mapping[str, str] = {
    "PF1": "Files that cannot be read",
    "PF2": "Keys, values and tables of the wrong shape",
    "PF30": "Names that lead nowhere",
    "PF31": "Values that are not of their column's kind",
    "PF32": "What two facts, agents or examples claim",
    "PF33": "Facts to look at again",
    "PF40": "Texts with references",
    "PF41": "Prompts and budgets",
    "PF50": "Who may see what",
    "PF51": "Secrets",
    "PF52": "Texts that act on a model",
    "PF6": "Allowances, and the project as a whole",
    "PF7": "Suites",
    "PF8": "Recipes",
}
"""The beginning of a code to the heading that its group has."""


def codes_index() -> str:
    """All codes with their severity and title, by group."""
    parts = [
        MADE,
        "# Diagnostics\n\n",
        "Each page says what the diagnostic is, why it is bad, and how to mend it; so does\n",
        "`promptforge check --explain PF302`. Only errors change the exit code. What may be allowed is silenced by\n",
        "`# promptforge: allow CODE reason` on its line, or for whole files by `ignore` in promptforge.yaml.\n",
    ]
    for start, title in CODE_GROUPS.items():
        rows: list[tuple[str, ...]] = [
            (f"[{c.code}]({c.code}.md)", c.severity, c.title, "yes" if c.allowable else "")
            for c in codes().values()
            if c.code.startswith(start)
        ]
        parts.append(f"\n## {title}\n\n{_table(('code', 'severity', 'what', 'may be allowed'), rows)}")
    return "".join(parts)


# --- commands -------------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """The help of the program and of each command, as `--help` prints it."""
    root = click.Context(promptforge, info_name="promptforge", **_WIDTH)
    parts = [MADE, "# Commands\n\n", _fenced(promptforge.get_help(root))]
    for name in promptforge.list_commands(root):
        command = promptforge.get_command(root, name)
        assert command is not None  # it is in the list
        context = click.Context(command, info_name=name, parent=root, **_WIDTH)
        parts.append(f"\n## promptforge {name}\n\n{_fenced(command.get_help(context))}")
        for inner, below in sorted(getattr(command, "commands", {}).items()):
            context_below = click.Context(below, info_name=inner, parent=context, **_WIDTH)
            parts.append(f"\n### promptforge {name} {inner}\n\n{_fenced(below.get_help(context_below))}")
    return "".join(parts)


_WIDTH: Mapping[str, Any] = {
    "terminal_width": HELP_WIDTH,
    "max_content_width": HELP_WIDTH,
    **promptforge.context_settings,
}


def _fenced(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```\n"


# --- files ----------------------------------------------------------------------------------------------------------


def files_page() -> str:
    """The keys of each kind of file, from the schemas that check them, and the built-in tables."""
    project, agent, fewshot, suite = (_schema(name) for name in ("project", "agent", "fewshot", "suite"))
    recipe, jailbreak, phrasings = (_schema(name) for name in ("recipe", "jailbreak", "phrasings"))
    sections = agent["properties"]["sections"]["items"]["anyOf"]
    parts = [
        MADE,
        "# Files\n\nA key that is not listed here is an error, everywhere but in facts.\n",
        f"\n## promptforge.yaml\n\n{_keys(project)}",
        f"\n## agents/*.yaml\n\nOne agent a file; files may lie in folders below agents/.\n\n{_keys(agent)}",
        "\n### Sections\n\nA section is the word `persona`, or a mapping of one of these kinds.\n",
        *(f"\n`{option['required'][0]}`:\n\n{_keys(option)}" for option in sections if "required" in option),
        f"\n## fewshot/*.yaml\n\n{_keys(fewshot)}",
        f"\n## suites/*.yaml\n\n{_keys(suite)}",
        f"\n## training/*.yaml: recipes\n\n{_keys(recipe)}",
        f"\n## training/*.yaml: attacks and their look-alikes\n\n{_keys(jailbreak)}",
        f"\n## training/*.yaml: phrasings\n\n{_keys(phrasings)}",
        "\n## knowledge/*.yaml\n\n",
        "Each top-level key is a table: a list of facts, or a mapping of key to fact. A table that is not listed\n",
        "here is your own: any lower-case name, any columns. `_defaults: {TABLE: {column: value}}` fills what the\n",
        "facts of the file leave out. knowledge/schemas/TABLE.schema.json adds columns and rules to any table.\n",
        f"\nAny fact:\n\n{_columns(COMMON, ())}",
        *(f"\n`{name}`:\n\n{_columns(columns, KEYS[name], name)}" for name, columns in BUILTIN.items()),
    ]
    return "".join(parts)


def _schema(name: str) -> dict[str, Any]:
    text = (files("promptforge") / "data" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _keys(schema: Mapping[str, Any]) -> str:
    return _table(("key", "value", "what it is"), list(_rows(schema, "")))


def _rows(schema: Mapping[str, Any], before: str) -> Iterator[tuple[str, ...]]:
    """A row for each key, and for the keys of mappings below it: `limits.bench.usd`, `models.NAME.tier`."""
    for name, inner in schema.get("properties", {}).items():
        key = f"{before}{name}"
        about = inner.get("description", "")
        if name in schema.get("required", ()):
            about = f"{about} Required.".strip()
        yield f"`{key}`", _kind(inner), about
        yield from _rows(inner, f"{key}.")
        rest = inner.get("additionalProperties")
        if isinstance(rest, dict):
            yield from _rows(rest, f"{key}.NAME.")
        items = inner.get("items", {})
        if "properties" in items:
            yield from _rows(items, f"{key}[].")


_KIND_WORDS = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "object": "mapping",
    "null": "null",
}


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(option) for option in schema["anyOf"]))
    kinds: Any = schema.get("type", "anything")
    if isinstance(kinds, list):
        return "value"
    if kinds == "array":
        items = _kind(schema.get("items", {}))
        return "list" if " or " in items or items == "anything" else f"list of {items}"
    word = _KIND_WORDS.get(kinds, str(kinds))
    least, most = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    if most is not None:
        return f"{word}, {least} to {most}"
    if least is None:
        return word
    return f"{word}, {least} or more" if "minimum" in schema else f"{word} over {least}"


def _columns(columns: Mapping[str, Column], key: tuple[str, ...], table: str = "") -> str:
    rows: list[tuple[str, ...]] = []
    for name, column in columns.items():
        kind = f"names one of `{column.ref}`" if column.ref else _COLUMN_WORDS[column.kind]
        about = column.about
        if name in key and len(key) > 1:
            about = f"{about} Part of the key."
        elif name in key:
            about = f"{about} The key."
        rows.append((f"`{name}`", kind, about))
    return _table(("column", "value", "what it is"), rows)


_COLUMN_WORDS: Mapping[str, str] = {
    "text": "text",
    "port": "port",
    "mac": "MAC",
    "ip": "address",
    "network": "network",
    "tailscale": "address of the tailnet",
    "entity": "entity id",
    "date": "date",
    "level": ", ".join(f"`{level}`" for level in LEVELS),
    "tags": "list of words",
}

# --- the schema of knowledge files, for editors ---------------------------------------------------------------------

_ONE = {"type": ["string", "number", "boolean", "null"]}
_KINDS: Mapping[str, dict[str, Any]] = {
    "text": _ONE,
    "port": {"type": ["integer", "null"], "minimum": 1, "maximum": 65535},
    "mac": {"type": ["string", "integer", "null"]},
    "ip": {"type": ["string", "null"]},
    "network": {"type": ["string", "null"]},
    "tailscale": {"type": ["string", "null"]},
    "entity": {"type": ["string", "null"], "pattern": r"^[\da-z_]+\.[\da-z_]+$"},
    "date": {"type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\d$"},
    "tags": _ONE,
}
"""What an editor can check; `promptforge check` looks closer."""


def knowledge_schema() -> dict[str, Any]:
    """Draft-07, for one knowledge file: the built-in tables by their columns, any other table free."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "knowledge/*.yaml",
        "description": "Tables of facts. Written by tools/generate.py.",
        "type": "object",
        "propertyNames": {"pattern": "^(_defaults|[a-z][a-z0-9_]*)$"},
        "properties": {
            "_defaults": {
                "type": "object",
                "additionalProperties": {"type": "object"},
                "description": "What the facts of this file leave out: {TABLE: {column: value}}.",
            },
            **{name: _table_schema(name) for name in BUILTIN},
        },
        "additionalProperties": {
            "description": "A table of your own: a list of facts, or a mapping of key to fact.",
            "anyOf": [{"type": "null"}, _list_of("fact"), _mapping_of("fact")],
        },
        "if": {"not": {"required": ["_defaults"]}},
        "then": {"properties": {name: {"items": {"required": _needed(name)}} for name in BUILTIN}},
        "definitions": {
            "fact": _fact_schema({}),
            **{name: _fact_schema(columns) for name, columns in BUILTIN.items()},
        },
    }


def _needed(name: str) -> list[str]:
    """The key columns without a default: a fact of a list has them, unless the file's `_defaults` fill them."""
    return [column for column in KEYS[name] if column not in DEFAULTS.get(name, {})]


def _table_schema(name: str) -> dict[str, Any]:
    """A list of facts; where one column is the key, also a mapping of it to the other columns."""
    about = f"A list of {name}, each with {' and '.join(_needed(name))}"
    if len(KEYS[name]) > 1:
        return {"description": f"{about}.", "anyOf": [{"type": "null"}, _list_of(name)]}
    return {
        "description": f"{about}; or a mapping of {KEYS[name][0]} to the other columns.",
        "anyOf": [{"type": "null"}, _list_of(name), _mapping_of(name)],
    }


def _list_of(definition: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/definitions/{definition}"}}


def _mapping_of(definition: str) -> dict[str, Any]:
    fact = {"$ref": f"#/definitions/{definition}"}
    return {"type": "object", "additionalProperties": {"anyOf": [{"type": "null"}, fact]}}


def _fact_schema(columns: Mapping[str, Column]) -> dict[str, Any]:
    known = {**columns, **COMMON}
    return {"type": "object", "properties": {name: _column_schema(column) for name, column in known.items()}}


def _column_schema(column: Column) -> dict[str, Any]:
    """The column's kind, or a list of it: a host may have two addresses."""
    about = {"description": column.about} if column.about else {}
    if column.kind == "level":
        return {"enum": [*LEVELS, None], **about}
    one = _KINDS[column.kind]
    return {**one, "type": [*one["type"], "array"], "items": one, **about}


if __name__ == "__main__":
    sys.exit(main())
