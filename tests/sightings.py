"""A small house, and observations of it as readers would make them."""

import datetime
from pathlib import Path

from promptforge.sources.base import Observation, Seen

TODAY = datetime.date(2026, 11, 22)

HOUSE = {
    "promptforge.yaml": "name: hut\nbudget: 2000\n",
    "knowledge/house.yaml": (
        "# The hut. One fact, one line.\n"
        "hosts:\n"
        "  mini: {role: hub, lan_ip: 192.0.2.10, tailscale_ip: 100.64.0.10, mac: '00:00:5E:00:53:0A'}  # the hub\n"
        "  attic: {role: files, lan_ip: 192.0.2.77, os: TrueNAS}\n"
        "\n"
        "ports:\n"
        "  # mini\n"
        "  - {host: mini, port: 1455, codename: Nice., service: Memory Vault}\n"
        "  - {host: mini, port: 8123,  codename: Default, service: Home Assistant}\n"
        "  # attic\n"
        "  - {host: attic, port: 445, codename: Shelf, service: Files}\n"
        "devices:\n"
        "  - {name: Mara's phone, kind: phone, mac: 00-00-5e-00-53-42}\n"
        "  - {name: iPhone, kind: phone, mac: 00:00:5E:00:53:43}\n"
    ),
    "knowledge/entities.yaml": (
        "_defaults:\n"
        "  entities: {site: hut}\n"
        "sites: {hut: {role: main}}\n"
        "entities:\n"
        "  - {entity_id: light.kitchen, name: Kitchen Ceiling, area: Kitchen}\n"
        "  - {entity_id: lock.front, name: Front Door, area: Hall, verified: 2026-01-01}\n"
    ),
    "agents/windu.yaml": (
        "name: windu\npersona: You are Windu.\nsections: [persona, {table: ports}, {table: entities}, {fewshot: 2}]\n"
    ),
    "agents/yoda.yaml": "name: yoda\npersona: You are Yoda.\nsections: [persona, {table: hosts}]\n",
    "fewshot/house.yaml": (
        "examples:\n"
        "  - id: where-is-the-vault\n"
        "    user: Which port does the memory vault use?\n"
        "    assistant: Port {{ one('ports', codename='Nice.').port }}.\n"
    ),
    "suites/house.yaml": (
        "suite: house\n"
        "cases:\n"
        "  - id: vault\n"
        "    category: topology\n"
        "    tier: gold\n"
        "    agents: [windu]\n"
        "    ask: Where is the vault?\n"
        "    shown: it is the house's example\n"
        "    expect: {all: [\"{{ one('ports', codename='Nice.').port }}\"]}\n"
    ),
}


def build_house(root: Path, **more: str) -> Path:
    """The house's files in a folder; `more` are further files, `__` for a slash and `_yaml` for the suffix."""
    files = HOUSE | {name.replace("__", "/").replace("_yaml", ".yaml"): text for name, text in more.items()}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def seen(table: str, key: str, values: dict, *identity: tuple[str, str], **more) -> Seen:
    """A fact as a source shows it."""
    return Seen(table=table, key=key, values=values, identity=identity, place=more.pop("place", "dump:1"), **more)


def host(name: str, **more) -> Seen:
    """A host as Tailscale shows it."""
    address, mac = more.pop("ip", ""), more.pop("mac", "")
    pairs = [("tailscale_id", more.pop("node", "")), ("mac", mac), ("ip", address)]
    values = (
        {"name": name}
        | ({"lan_ip": address} if address else {})
        | ({"mac": mac} if mac else {})
        | more.pop("values", {})
    )
    return seen("hosts", name, values, *(pair for pair in pairs if pair[1]), **more)


def port(of: str, number: int, **more) -> Seen:
    """A socket as ss shows it."""
    key = f"{of}:{number}"
    return seen("ports", key, {"host": of, "port": number}, ("port", key), **more)


def entity(id_: str, name: str, *identity: tuple[str, str], **more) -> Seen:
    """An entity as Home Assistant shows it."""
    return seen("entities", id_, {"entity_id": id_, "name": name, **more.pop("values", {})}, *identity, **more)


def device(name: str, mac: str, **more) -> Seen:
    """A device as a router shows it."""
    return seen("devices", name, {"name": name, "mac": mac, **more.pop("values", {})}, ("mac", mac), **more)


def observed(*facts: Seen, **more) -> Observation:
    """What a reading saw."""
    return Observation(source=more.pop("source", "sockets"), files=("dump",), seen=facts, **more)


SOCKETS = {
    "whole": frozenset({"ports"}),
    "within": {"ports": {"host": frozenset({"mini"}), "proto": frozenset({"tcp"})}},
}
"""What ss of one host shows whole."""
