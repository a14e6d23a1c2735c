"""A small house whose facts are edited, and a build of it held against a cold one: bytes, modes and report."""

import dataclasses
import datetime
import json
import random
import shutil
from pathlib import Path
from typing import Any

from promptforge.source import Diagnostic
from promptforge.workbench.forge import Report, forge
from promptforge.workbench.incremental import forge_again

TODAY = datetime.date(2026, 11, 22)
STATE = ".promptforge/incremental.json"
WRITTEN = ("build/agent_prompts.yaml", "build/agent_prompts.lock.json", "promptforge.lock")


def put(root: Path, files: dict[str, str]) -> None:
    """Make the project's files these, and leave alone what is already so."""
    for folder in ("agents", "fewshot", "knowledge"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.relative_to(root).as_posix() not in files:
                path.unlink()
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != text.encode():
            path.write_bytes(text.encode())


def change(root: Path, file: str, old: str, new: str) -> None:
    """Edit a file by hand."""
    text = (root / file).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (root / file).write_text(text.replace(old, new), encoding="utf-8")


def outputs(root: Path) -> dict[str, tuple[bytes, int] | None]:
    """What a build writes: content and mode."""
    paths = {name: root / name for name in WRITTEN}
    return {n: (path.read_bytes(), path.stat().st_mode) if path.exists() else None for n, path in paths.items()}


def build_both(root: Path, *, today: datetime.date = TODAY) -> tuple[bool, tuple[Diagnostic, ...]]:
    """Build, from the last build if that can be, and hold it against a cold build of the same files.

    Gives whether it could be, and the diagnostics of the cold build.
    """
    cold = root.with_name("cold")
    shutil.rmtree(cold, ignore_errors=True)
    shutil.copytree(root, cold, ignore=shutil.ignore_patterns(".promptforge"))
    before = outputs(root)
    expected, build = forge(cold, today=today)
    report = forge_again(root, today=today)
    incrementally = report is not None
    if report is None:
        assert outputs(root) == before
        report, made = forge(root, today=today)
        assert made.diagnostics == build.diagnostics
    else:
        assert not build.diagnostics
    assert outputs(root) == outputs(cold)
    assert _without_place(report, root) == _without_place(expected, cold)
    return incrementally, build.diagnostics


def _without_place(report: Report, root: Path) -> Report:
    return dataclasses.replace(report, files={path.relative_to(root).as_posix(): d for path, d in report.files.items()})


# --- the house --------------------------------------------------------------------------------------------------------

CONFIG = (
    "name: hut\nbudget: 5000\nmodels:\n"
    "  near: {backend: compatible, model: m, tier: local, context: 32768}\n"
    "  far: {backend: openai, model: gpt, tier: cloud, context: 100000, tokenizer: 'tiktoken:o200k_base'}\n"
)
AGENTS = {
    "all": "model: near\npersona: Everything.\n",
    "far": "model: far\npersona: From afar.\nsections: [persona, {table: ports}, {table: tools}, {fewshot: 2}]\n",
    "mini": (
        "model: near\npersona: |\n  One host.\n\n  é\nsections:\n  - persona\n"
        "  - {table: ports, where: {host: [mini, nas]}, columns: [port, service], as: csv}\n"
        "  - {table: tools, where: {kind: {not: [saw, null]}}, as: kv}\n  - {fewshot: 1, tags: [b], as: messages}\n"
    ),
    "site": (
        "model: far\npersona: Through references.\nsections:\n  - persona\n"
        "  - {table: ports, title: A site's, where: {host.site: manor}}\n  - {table: hosts, where: {site: manor}}\n"
        "  - {template: rules.md.j2}\n"
    ),
    "tight": (
        "budget: 190\npersona: Little room.\nsections: [persona, {table: tools, priority: 20}, {fewshot: 3},"
        " {table: ports, priority: 80, where: {port: {not: 22}}}]\n"
    ),
    "words": "persona: No facts.\nsections: [persona, {fewshot: 3, tags: [a]}]\n",
}
FEWSHOT = """examples:
  - {id: plain, user: Who?, assistant: Me., tags: [a, b]}
  - {id: port, user: "Where is {{ one('tools', id='t1').kind }}?", assistant: There., tags: [a]}
  - id: loop
    tags: [a, b]
    user: Count.
    assistant: "{% for t in tools %}{{ t.id }} {% endfor %}of {{ agent.name }}"
  - {id: asks, agents: [far, tight], user: Is it?, assistant: "{{ 'known' if 't9' in tools else 'unknown' }}"}
  - {id: unused, agents: [words], user: "{{ hosts['nas'].site }}?", assistant: Yes.}
"""
TEMPLATE = "Hub: {{ hosts['mini'].site }}\n{% for h in hosts %}- {{ h.name }}\n{% endfor %}"
Knowledge = dict[str, dict[str, list[dict[str, Any]]]]


class Raw(str):
    """A value that is written without quotes."""

    __slots__ = ()


def knowledge() -> Knowledge:
    """Facts in two files, one table in both of them."""
    hosts = [{"name": "mini", "site": "manor"}, {"name": "nas", "site": "barn"}, {"name": "hub", "site": "manor"}]
    ports = [{"host": h["name"], "port": p, "service": f"s {p}"} for p in (22, 80, 443) for h in hosts]
    tools = [{"id": f"t{n}", "kind": ["saw", "axe", "file"][n % 3], "size": n, "notes": "x" * n} for n in range(8)]
    sites = [{"name": "manor"}, {"name": "barn", "role": "store"}]
    return {
        "a.yaml": {"sites": sites, "hosts": hosts, "tools": tools[:5]},
        "b.yaml": {"ports": ports, "tools": tools[5:]},
    }


def house(facts: Knowledge) -> dict[str, str]:
    """The project's files; a.yaml holds its facts in blocks, b.yaml one a line."""
    files = {"promptforge.yaml": CONFIG, "fewshot/f.yaml": FEWSHOT, "agents/templates/rules.md.j2": TEMPLATE}
    files |= {f"agents/{name}.yaml": f"name: {name}\n{text}" for name, text in AGENTS.items()}
    for file, tables in facts.items():
        lines = []
        for table, rows in tables.items():
            lines.append(f"{table}:")
            for row in rows:
                cells = [f"{column}: {_written(value)}" for column, value in row.items() if column != "#"]
                lines += ["  # a word"] * row.get("#", 0)
                lines += [f"  - {{{', '.join(cells)}}}"] if file == "b.yaml" else _block(cells)
        files[f"knowledge/{file}"] = "\n".join(lines) + "\n"
    return files


def _written(value: object) -> str:
    return value if isinstance(value, Raw) else json.dumps(value)


def _block(cells: list[str]) -> list[str]:
    return [f"  - {cells[0]}", *(f"    {cell}" for cell in cells[1:])]


# --- edits ------------------------------------------------------------------------------------------------------------

_VALUES = [
    "axe",
    "saw",
    22,
    Raw("1.10"),
    Raw("1.1"),
    True,
    None,
    "1337",
    ["axe", "file"],
    "é | `x`",
    "a\nb",
    Raw("off"),
]
_EDITS = ("value", "value", "value", "value", "add", "remove", "key", "level", "line", "swap", "column")


def edit_facts(facts: Knowledge, chance: random.Random) -> None:
    """Change one thing in place."""
    tables = facts[chance.choice(["a.yaml", "b.yaml"])]
    table = chance.choice(list(tables))
    rows = tables[table]
    row, key = chance.choice(rows), {"ports": "port", "tools": "id"}.get(table, "name")
    match chance.choice(_EDITS):
        case "value":
            free = [column for column in row if column not in ("#", "host", "site", "sensitivity", key)]
            row[chance.choice(free or ["notes"])] = chance.choice(_VALUES)
        case "add":
            port = {"host": "nas", "port": chance.randrange(1024, 65536), "service": "new"}
            other = {key: f"{chance.choice('tuvw')}{chance.randrange(9)}", "notes": "new"}
            rows.insert(chance.randrange(len(rows) + 1), port if table == "ports" else other)
        case "remove" if len(rows) > 2 and table in ("ports", "tools"):
            rows.remove(row)
        case "key" if table in ("ports", "tools"):
            row[key] = chance.randrange(1024, 65536) if table == "ports" else f"k{chance.randrange(99)}"
        case "level":
            row["sensitivity"] = chance.choice(["public", "internal", "private"])
        case "line":
            row["#"] = row.get("#", 0) + 1
        case "swap":
            chance.shuffle(rows)
        case "column" if table == "tools":
            row["colour"] = "red"
