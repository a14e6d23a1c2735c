"""A small house to score answers about, made without files."""

from collections.abc import Mapping
from typing import Any

from promptforge.bench.known import Known, known
from promptforge.model import Column, Fact, Table

KINDS = {
    "port": "port",
    "mac": "mac",
    "lan_ip": "ip",
    "tailscale_ip": "tailscale",
    "entity_id": "entity",
    "subnet": "network",
}

FACTS: Mapping[str, list[dict[str, Any]]] = {
    "sites": [{"name": "manor", "subnet": "192.0.2.0/24"}, {"name": "chalet", "subnet": "198.51.100.0/24"}],
    "hosts": [
        {
            "name": "mini",
            "lan_ip": "192.0.2.10",
            "tailscale_ip": "100.64.0.10",
            "ssh": "gate",
            "mac": "00:00:5E:00:53:0A",
        },
        {
            "name": "kessel",
            "lan_ip": "192.0.2.11",
            "tailscale_ip": "100.64.0.11",
            "ssh": "gate-north",
            "mac": "00:00:5E:00:53:0B",
        },
    ],
    "ports": [
        {"host": "mini", "port": 1337, "codename": "LEET", "service": "Council MLX"},
        {"host": "mini", "port": 1338, "codename": "LEET+1", "service": "Coder MLX"},
        {"host": "mini", "port": 42069, "codename": "Nice.", "service": "Memory Vault", "requires": ["Kyber", "LEET"]},
        {"host": "kessel", "port": 9000, "codename": "Bucket", "service": "Object storage"},
        {"host": "kessel", "port": 9001, "codename": "Bucket Lid", "service": "Object storage's console"},
        {"host": "mini", "port": 5432, "codename": "Kyber", "service": "PostgreSQL", "notes": "once on 5433"},
    ],
    "devices": [{"name": "Mara's laptop", "owner": "Mara", "mac": "00:00:5E:00:53:21"}],
    "entities": [
        {"entity_id": "light.kitchen", "name": "Kitchen"},
        {"entity_id": "light.kitchen_ceiling", "name": "Kitchen Ceiling"},
        {"entity_id": "lock.front_door", "name": "Front Door Lock"},
        {"entity_id": "droid.mouse", "name": "Mouse Droid"},
    ],
    "bills": [{"id": "fibre", "amount_eur": 49.9, "due_day": 1}],
}


def tables(facts: Mapping[str, list[dict[str, Any]]] = FACTS) -> dict[str, Table]:
    """The facts as the loader would hand them on."""
    return {name: _table(name, rows) for name, rows in facts.items()}


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    names = dict.fromkeys(column for row in rows for column in row)
    made = tuple(
        Fact(name, str(next(iter(row.values()))), row, f"knowledge/{name}.yaml", n + 1, n, "internal")
        for n, row in enumerate(rows)
    )
    return Table(
        name=name,
        key=(next(iter(names), "id"),),
        columns={column: Column(kind=KINDS.get(column, "text")) for column in names},
        declared=frozenset(names),
        defaults={},
        facts=made,
        by_key={fact.key: fact for fact in made},
    )


def house() -> Known:
    """What the house knows."""
    return known(tables())
