"""What each source's dump is, how it is made, and which one a file looks like. No file is opened here."""

import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["DUMPS", "HEAD", "RAW", "Dump", "found_in", "is_json", "looks_like"]

HEAD = 1 << 16
"""Bytes of a file that are looked at."""


class Dump(NamedTuple):
    """What a source reads."""

    expected: str
    """What the file should be: "expected …"."""
    command: str
    """What makes it."""


DUMPS: Mapping[str, Dump] = {
    "tailscale": Dump("the JSON of tailscale's status", "tailscale status --json > status.json"),
    "homeassistant": Dump(
        "/api/states, or a registry of Home Assistant",
        'curl -H "Authorization: Bearer $TOKEN" http://homeassistant.local:8123/api/states > states.json'
        "; the registries are .storage/core.entity_registry, core.device_registry and core.area_registry",
    ),
    "ssh": Dump("a configuration of OpenSSH's client", "cp ~/.ssh/config ssh_config"),
    "sockets": Dump(
        "listening sockets of ss or lsof",
        "sudo ss -H -tlnp > mini.ss.txt, or on macOS: sudo lsof -nP -iTCP -sTCP:LISTEN -F pcPn > mini.lsof.txt",
    ),
    "leases": Dump(
        "leases of dnsmasq, ISC dhcpd or Kea, or UniFi's clients",
        "cp /var/lib/misc/dnsmasq.leases . (dhcpd: /var/lib/dhcp/dhcpd.leases; Kea: /var/lib/kea/kea-leases4.csv;"
        " UniFi: GET /proxy/network/api/s/default/stat/sta)",
    ),
    "compose": Dump(
        "the JSON of docker compose's configuration", "docker compose config --format json > kessel.compose.json"
    ),
    "ansible": Dump("the JSON of an Ansible inventory", "ansible-inventory --list --export > inventory.json"),
    "netbox": Dump(
        "a list of NetBox's API",
        'curl -H "Authorization: Token $TOKEN" "https://netbox.example/api/dcim/devices/?limit=0" > devices.json'
        " (also: virtualization/virtual-machines, dcim/mac-addresses, ipam/ip-addresses, ipam/prefixes, ipam/services)",
    ),
    "nmap": Dump("the XML of an nmap scan", "nmap -sV -oX scan.xml 192.0.2.0/24"),
    "prometheus": Dump(
        "the targets of Prometheus", "curl http://127.0.0.1:9090/api/v1/targets > targets.json, or a file of file_sd"
    ),
    "table": Dump(
        "a table as CSV, JSON or YAML, and the mapping file of its columns",
        "write devices.mapping.yaml with `table:` and `columns:`, and give it as mapping=devices.mapping.yaml",
    ),
}

_NAMES = re.I | re.M
_JSON_SIGNS = (
    ("tailscale", re.compile(r'"BackendState"\s*:|"(?:TailscaleIPs|TailAddr|MagicDNSSuffix)"\s*:')),
    ("homeassistant", re.compile(r'"key"\s*:\s*"core\.(?:entity|device|area)_registry"|"entity_categories"\s*:')),
    ("homeassistant", re.compile(r'"entity_id"\s*:\s*"[a-z0-9_]+\.|"ei"\s*:\s*"[a-z0-9_]+\.')),
    ("homeassistant", re.compile(r'"(?:config_entries|primary_config_entry|name_by_user|area_id)"\s*:')),
    ("ansible", re.compile(r'"_meta"\s*:|"hostvars"\s*:')),
    ("prometheus", re.compile(r'"(?:activeTargets|droppedTargets)"\s*:|\A\s*\[\s*\{\s*"(?:targets|labels)"\s*:')),
    ("leases", re.compile(r'"hw-address"\s*:|"meta"\s*:\s*\{\s*"rc"|"(?:is_wired|use_fixedip)"\s*:')),
    (
        "netbox",
        re.compile(r'\A\s*\{\s*"count"\s*:\s*\d+\s*,.*"results"\s*:|"url"\s*:\s*"[^"]*/api/(?:dcim|ipam|virt)', re.S),
    ),
    ("compose", re.compile(r'"services"\s*:\s*\{.{0,4000}?"(?:image|build|ports|networks)"\s*:', re.S)),
)
_TEXT_SIGNS = (
    ("nmap", re.compile(r"<nmaprun\b|<!DOCTYPE nmaprun")),
    ("sockets", re.compile(r"\Ap\d+\n(?:[A-Za-z].*\n)*?(?:f|c|P|n)")),
    ("sockets", re.compile(r"\A\s*(?:Netid\s+)?State\s+Recv-Q", _NAMES)),
    ("sockets", re.compile(r"^(?:(?:tcp|udp)\s+)?(?:LISTEN|UNCONN)\s+\d+\s+\d+\s", re.M)),
    ("leases", re.compile(r"^\d+ (?:[0-9a-f]{2}-)?(?:[0-9a-f]{1,2}:){5}[0-9a-f]{1,2} \S+ \S+", _NAMES)),
    ("leases", re.compile(r"^duid [0-9a-f:]+", _NAMES)),
    ("leases", re.compile(r"^[ \t]*lease [0-9a-f.:]+ \{|^dhcp-host=|^(?:address,hwaddr|address,duid),", _NAMES)),
    ("leases", re.compile(r"^[ \t]*host \S+ \{\s*(?:#[^\n]*\n\s*)*(?:hardware|fixed-address)", _NAMES)),
    ("ssh", re.compile(r"^[ \t]*(?:Host|Match|Include)(?:[ \t]+|[ \t]*=[ \t]*)\S", _NAMES)),
    ("ssh", re.compile(r"^[ \t]*(?:HostName|ProxyJump|IdentityFile|StrictHostKeyChecking)[ \t=]+\S", _NAMES)),
)
_INVENTORY, _COMPOSE = "an inventory of Ansible, not yet listed", "a compose file, not yet resolved"
RAW: Mapping[tuple[str, str], str] = {
    ("ansible", _INVENTORY): "ansible-inventory -i {} --list --export > inventory.json",
    ("compose", _COMPOSE): "docker compose -f {} config --format json > HOST.compose.json",
}
"""Of a source and what was found in its place: the command that makes a dump of that very file."""
_ERROR = r"\A.{0,60}(?:command not found|permission denied|usage:)|\A\s*[45]\d\d:? [A-Za-z ]{3,40}\s*\Z"
_STRANGERS = (
    ("a web page, perhaps that of a login", re.compile(r"\A\s*<(?:!doctype )?html", re.I)),
    ("lsof's table for people", re.compile(r"\A\s*COMMAND\s+PID\s+USER")),
    ("nmap's text for people", re.compile(r"\A\s*(?:# Nmap|Starting Nmap|Host: \S+ \()")),
    ("tailscale's table for people", re.compile(r"\A\s*100\.\d+\.\d+\.\d+\s+\S+\s+\S+@?\s")),
    ("an error message", re.compile(_ERROR, re.I)),
    ("XML", re.compile(r"\A\s*<\?xml|\A\s*<\w+[ >]")),
    (_INVENTORY, re.compile(r"^\[[\w:.-]+\][ \t]*$|^\S+ ansible_\w+=", re.M)),
    (
        _INVENTORY,
        re.compile(r"^[\w.-]+:[ \t]*\n(?:[ \t]*(?:#.*)?\n)*[ \t]+(?:hosts|children|vars):[ \t]*(?:\n|\{)", re.M),
    ),
    (_COMPOSE, re.compile(r"^services:[ \t]*(?:#.*)?$", re.M)),
    ("YAML", re.compile(r"\A(?:---\s|[\w.-]+:(?:\s|$)|- )", re.M)),
)
_SECTION = re.compile(r"\s*\[[\w:.-]+\][ \t]*(?:\r?\n|\Z)(?!\s*[\[{,\]])")
_BARE = {"{}": "an empty mapping", "[]": "an empty list", "null": "nothing (null)"}
_MAGIC = (
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"PK\x03\x04", "a zip file; unpack it first"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89PNG", "an image"),
)


def looks_like(head: str) -> str:
    """The source whose dump begins like this; empty where none does.

    >>> looks_like('{"BackendState": "Running"'), looks_like("Host mini"), looks_like("once upon a time")
    ('tailscale', 'ssh', '')
    """
    if is_json(head):
        return next((name for name, sign in _JSON_SIGNS if sign.search(head)), "table")
    found = next((name for name, sign in _TEXT_SIGNS if sign.search(head)), "")
    if not found and head.split("\n", 1)[0].count(",") + head.split("\n", 1)[0].count(";") >= 1:
        return "table" if not any(sign.search(head) for _, sign in _STRANGERS) else ""
    return found


def found_in(raw: bytes, head: str, wanted: str = "") -> str:
    """What a file that is not a dump of the wanted source seems to be, in words."""
    if not head.strip("\ufeff \t\r\n\0"):
        return "an empty file"
    if kind := _BARE.get("".join(head.split())):
        return kind
    if kind := next((words for magic, words in _MAGIC if raw.startswith(magic)), ""):
        return kind
    if "\0" in head:
        return "a binary file"
    source = looks_like(head)
    if source and source == wanted:
        return "something like it, of another shape"
    if source and source != "table":
        return f"{DUMPS[source].expected} (source: {source})"
    if words := next((words for words, sign in _STRANGERS if sign.search(head)), ""):
        return words
    return "JSON of another shape" if is_json(head) else "a text of another form"


def is_json(head: str) -> bool:
    """Whether a text begins as JSON does; `[servers]` begins an inventory."""
    return head.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") and not _SECTION.match(head)
