"""Make one body of knowledge in several layouts: a promptforge project, and the two files of hand-written scripts.

    python benchmarks/generate.py FOLDER AGENTS FACTS

Each agent is given 20 facts (four of each of five tables) and three worked examples: about 1000 tokens.
"""

import random
import sys
from pathlib import Path
from typing import Any

import yaml

WORDS = (
    "attic barn camera cellar chimney cistern doorbell fence garage gate greenhouse heater inverter kitchen lantern "
    "library meter mill node orchard pantry printer pump relay roof router sensor shed stair switch tank valve well"
).split()
TABLES = ("services", "nics", "rooms", "links", "aliases")
PICKED = 4


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines as blocks, as a person would write them."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def dump(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)


def words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(count))


def fact(chance: random.Random, table: str, number: int) -> dict[str, object]:
    name = f"{chance.choice(WORDS)}-{chance.choice(WORDS)}-{number}"
    host = f"host-{number % 97}"
    values: dict[str, dict[str, object]] = {
        "services": {"port": chance.randrange(1, 65536), "host": host, "proto": chance.choice(["tcp", "udp"]), "service": f"{words(chance, 2)} service", "about": f"restarted nightly, see runbook {number}"},
        "nics": {"hw": ":".join(f"{chance.randrange(256):02x}" for _ in range(6)), "host": host, "vendor": chance.choice(WORDS), "vlan": chance.randrange(1, 4094)},
        "rooms": {"entity": f"sensor.{name.replace('-', '_')}", "area": chance.choice(WORDS), "unit": chance.choice(["°C", "%", "W"]), "writable": chance.random() < 0.5},
        "links": {"address": f"100.{chance.randrange(64, 128)}.{chance.randrange(256)}.{chance.randrange(256)}", "host": host, "labels": [f"tag {chance.choice(WORDS)}", f"tag {chance.choice(WORDS)}"]},
        "aliases": {"target": f"{host}.home.example", "user": chance.choice(["root", "admin", "ops"]), "via": chance.choice(WORDS)},
    }  # fmt: skip
    return {"name": name, **values[table]}


def generate(folder: Path, agents: int, facts: int) -> None:
    chance = random.Random(11)
    knowledge = {table: [fact(chance, table, n) for n in range(i, facts, 5)] for i, table in enumerate(TABLES)}
    script = folder / "script"
    project = folder / "project"
    for path in (script, project / "knowledge", project / "agents", project / "fewshot"):
        path.mkdir(parents=True, exist_ok=True)
    (script / "knowledge.yaml").write_text(
        dump(
            {
                t: {str(f["name"]): {c: v for c, v in f.items() if c != "name"} for f in rows}
                for t, rows in knowledge.items()
            }
        )
    )
    for table, rows in knowledge.items():
        (project / "knowledge" / f"{table}.yaml").write_text(dump({table: rows}))
    (project / "promptforge.yaml").write_text(
        "name: bench\nbudget: 2000\nmodels:\n"
        "  local: {backend: compatible, tokenizer: 'tiktoken:o200k_base', context: 32768, tier: local}\n"
    )
    listed: dict[str, dict[str, Any]] = {}
    examples: list[dict[str, object]] = []
    for number in range(agents):
        name = f"agent-{number:05d}"
        uses = {
            t: [str(f["name"]) for f in chance.sample(rows, min(PICKED, len(rows)))] for t, rows in knowledge.items()
        }
        role = f"operator of the {words(chance, 2)}"
        persona = f"You are {name}, {role}.\nYou look after {words(chance, 25)}.\nNever guess: {words(chance, 12)}.\n"
        shots = [(f"Which {words(chance, 1)} is on {words(chance, 1)} {n}?", f"It is {words(chance, 10)}.\nCheck: {words(chance, 15)}: done {n}.\n") for n in range(3)]  # fmt: skip
        listed[name] = {"role": role, "persona": persona, "budget": 2000, "uses": uses, "shots": [{"q": q, "a": a} for q, a in shots]}  # fmt: skip
        sections: list[object] = ["persona", *({"table": t, "where": {"name": names}} for t, names in uses.items()), {"fewshot": 3}]  # fmt: skip
        (project / "agents" / f"{name}.yaml").write_text(
            dump({"name": name, "role": role, "model": "local", "persona": persona, "sections": sections})
        )
        examples += [
            {"id": f"{name}-{n}", "agents": [name], "user": q, "assistant": a} for n, (q, a) in enumerate(shots)
        ]
    (script / "agents.yaml").write_text(dump(listed))
    flat = folder / "flat"  # for scripts that name each fact as TABLE/KEY
    flat.mkdir(exist_ok=True)
    (flat / "knowledge.yaml").write_bytes((script / "knowledge.yaml").read_bytes())
    (flat / "agents.yaml").write_text(dump({name: _flat(agent) for name, agent in listed.items()}))
    for start in range(0, len(examples), 300):
        (project / "fewshot" / f"part-{start:06d}.yaml").write_text(dump({"examples": examples[start : start + 300]}))


def _flat(agent: dict[str, Any]) -> dict[str, object]:
    uses = [f"{table}/{name}" for table, names in agent["uses"].items() for name in names]
    return {
        "role": agent["role"],
        "description": agent["persona"],
        "budget": agent["budget"],
        "uses": uses,
        "few_shots": agent["shots"],
    }


if __name__ == "__main__":
    generate(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
