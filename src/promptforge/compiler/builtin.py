"""The built-in tables: their columns, keys and references; linker, schemas and docs are made from them."""

from collections.abc import Mapping

from promptforge.model import Column

__all__ = ["BUILTIN", "COMMON", "DEFAULTS", "KEYS", "RESERVED"]

COMMON: Mapping[str, Column] = {
    "sensitivity": Column(kind="level", about="public, internal (the default) or private: which models may see it."),
    "verified": Column(kind="date", about="When somebody last looked: 2026-11-01."),
    "tags": Column(kind="tags", about="Words to choose it by."),
    "notes": Column(about="Anything worth knowing."),
}
"""Columns that any fact may carry."""

_SITE = Column(ref="sites", about="The site it is at.")
_ROLE = Column(about="What it is for.")

BUILTIN: Mapping[str, Mapping[str, Column]] = {
    "sites": {
        "name": Column(about="The site's name."),
        "role": _ROLE,
        "country": Column(),
        "timezone": Column(about="Like Europe/Paris."),
        "subnet": Column(kind="network", about="Like 192.0.2.0/24."),
    },
    "hosts": {
        "name": Column(about="The host's name."),
        "role": _ROLE,
        "site": _SITE,
        "lan_ip": Column(kind="ip", about="Its address at home."),
        "tailscale_ip": Column(kind="tailscale", about="In 100.64.0.0/10 or fd7a:115c:a1e0::/48."),
        "ssh": Column(about="The alias that ssh knows it by."),
        "mac": Column(kind="mac", about="An EUI-48 in any usual spelling."),
        "os": Column(),
    },
    "ports": {
        "host": Column(ref="hosts", about="The host that listens."),
        "port": Column(kind="port", about="1 to 65535."),
        "proto": Column(about="tcp (the default) or udp."),
        "codename": Column(about="What the house calls it."),
        "service": Column(about="What listens there."),
    },
    "devices": {
        "name": Column(about="The device's name."),
        "owner": Column(ref="people", about="A person, where there is a people table."),
        "kind": Column(),
        "mac": Column(kind="mac", about="An EUI-48 in any usual spelling."),
        "ip": Column(kind="ip"),
        "site": _SITE,
    },
    "entities": {
        "entity_id": Column(kind="entity", about="domain.object_id of Home Assistant."),
        "name": Column(),
        "kind": Column(),
        "area": Column(),
        "site": _SITE,
    },
    "ssh": {
        "alias": Column(about="What one types after ssh."),
        "host": Column(ref="hosts", about="The host it leads to."),
        "user": Column(),
        "port": Column(kind="port", about="1 to 65535."),
    },
    "people": {"name": Column(about="The person's name."), "role": _ROLE},
}

KEYS: Mapping[str, tuple[str, ...]] = {
    "sites": ("name",),
    "hosts": ("name",),
    "ports": ("host", "port", "proto"),
    "devices": ("name",),
    "entities": ("entity_id",),
    "ssh": ("alias",),
    "people": ("name",),
}

DEFAULTS: Mapping[str, Mapping[str, str]] = {"ports": {"proto": "tcp"}}

RESERVED = frozenset(["one", "agent", "fact", "range", "dict", "namespace", "joiner", "cycler", "loop", "self"])
"""Names that texts already use, so no table may have them."""
