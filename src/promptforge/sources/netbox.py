"""NetBox: devices, virtual machines, addresses, MACs, prefixes and services, as lists of its API.

Give as many of the lists as there are: addresses and MACs find the device that they are of. Since NetBox 4.2 MACs are
objects of their own, a prefix has a scope instead of a site, and (4.3) a service a parent instead of a device.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from promptforge.compiler.forms import check_form
from promptforge.sources.base import Observation, Seen
from promptforge.sources.clean import Texts
from promptforge.sources.dump import head_of, read_json, shown, wrong
from promptforge.sources.gather import Gathering, identity_of
from promptforge.sources.looks import DUMPS, looks_like
from promptforge.sources.marks import Mac, address_values, first_label, mac_of, port_of

__all__ = ["SOURCE", "Netbox"]

_Kind = Literal["device", "address", "mac", "prefix", "service", "other"]
_Row = Mapping[str, Any]
_RUNNING = frozenset({"active", "", "dhcp", "slaac", "container"})


@dataclass(slots=True)
class _Lists:
    """The rows of all files by their kind, each with its place."""

    rows: dict[_Kind, list[tuple[_Row, str]]] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    """Device to addresses of its interfaces."""
    macs: dict[str, Mac] = field(default_factory=dict)
    sites: dict[str, tuple[dict[str, str], str]] = field(default_factory=dict)
    cleaned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By site what was taken out of its name."""
    """Site to its columns, and its first place."""


class Netbox:
    """What a house planned, with its names."""

    name = "netbox"
    about = f"Devices, addresses, prefixes and services; {DUMPS['netbox'].command}"
    options: tuple[str, ...] = ()

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every object of the lists. What is planned or retired is noise."""
        made, lists = Gathering(self.name, files), _Lists()
        for path in files:
            _collect(lists, path, made)
        _assign(lists, made)
        for row, place in lists.rows.get("device", ()):
            _device(made, lists, row, place)
        known = {_named(row) for row, _ in lists.rows.get("device", ())}
        for row, place in lists.rows.get("address", ()):
            _address(made, row, place, known)
        for row, place in lists.rows.get("prefix", ()):
            _prefix(made, lists, row, place)
        for row, place in lists.rows.get("service", ()):
            _service(made, row, place)
        for site, (values, place) in lists.sites.items():
            same, cleaned = (("name", site),), lists.cleaned.get(site, ())
            made.add(Seen(table="sites", key=site, values=values, place=place, identity=same, cleaned=cleaned))
        return made.observation()


def _collect(lists: _Lists, path: Path, made: Gathering) -> None:
    data = read_json(path, made.source)
    if isinstance(data, dict) and "detail" in data and "results" not in data:
        raise wrong(made.source, path, found="an error of NetBox; look at the token")
    rows = data.get("results") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise wrong(made.source, path)
    if isinstance(data, dict) and data.get("next"):
        made.note(f"{shown(path)} holds {len(rows):,} of {data.get('count', 'more')} objects; ask with ?limit=0")
    prefix = "#/results" if isinstance(data, dict) else "#"
    for position, row in enumerate(rows):
        kind = _kind(row) if isinstance(row, dict) else "other"
        if kind == "other":
            made.pass_over("objects of other kinds")
        lists.rows.setdefault(kind, []).append((row, f"{shown(path)}{prefix}/{position}"))
    if rows and all(not isinstance(row, dict) or _kind(row) == "other" for row in rows):
        ours = looks_like(head_of(path)) == made.source
        raise wrong(made.source, path, found="a list of other objects" if ours else "")


def _kind(row: _Row) -> _Kind:
    if "mac_address" in row and "assigned_object" in row:
        return "mac"
    if "prefix" in row and "address" not in row:
        return "prefix"
    if "ports" in row and "protocol" in row:
        return "service"
    if "address" in row and ("assigned_object" in row or "dns_name" in row):
        return "address"
    if "name" in row and row.keys() & {"primary_ip", "primary_ip4", "device_type", "vcpus"}:
        return "device"
    return "other"


def _of(value: object, *keys: str) -> str:
    """What stands under the first of the keys of a nested object; the value itself where it is plain."""
    if isinstance(value, dict):
        return next((str(value[key]) for key in keys if value.get(key)), "")
    return "" if value is None else str(value)


def _named(row: _Row) -> str:
    return str(row.get("name") or row.get("display") or "")


def _owner(row: _Row) -> str:
    """The device or machine that an address, a MAC or a service is of, in every version's words."""
    inside = row.get("assigned_object")
    holders = (*(inside.get(k) for k in ("device", "virtual_machine")),) if isinstance(inside, dict) else ()
    holders += tuple(row.get(key) for key in ("device", "virtual_machine", "parent"))
    return next((name for holder in holders if (name := _of(holder, "name", "display"))), "")


def _assign(lists: _Lists, made: Gathering) -> None:
    for row, _ in lists.rows.get("address", ()):
        if owner := _owner(row):
            lists.addresses.setdefault(owner, []).append(str(row.get("address")))
    for row, _ in lists.rows.get("mac", ()):
        mac, owner = mac_of(row.get("mac_address")), _owner(row)
        if mac and owner:
            if lists.macs.setdefault(owner, mac) is not mac:
                made.pass_over("further MACs of a device")
        else:
            made.pass_over("MACs of no device")


# ---- Facts -----------------------------------------------------------------------------------------------------------


def _noise(row: _Row) -> str:
    status = _of(row.get("status"), "value", "label").lower()
    return "" if status in _RUNNING else "not active in NetBox"


_DESCRIBED = (
    ("site", ("site",), "values"),
    ("role", ("role", "device_role"), "guesses"),
    ("os", ("platform",), "guesses"),
)
"""Column, the fields that may hold it, and whether it is compared: a plan has other words for a role than a house."""


def _device(made: Gathering, lists: _Lists, row: _Row, place: str) -> None:
    texts, raw = Texts(), _named(row)
    name = texts.take("name", raw)
    if not name:
        made.pass_over("devices without a name")
        return
    values: dict[str, Any] = {"name": name}
    primary = [_of(row.get(key), "address") for key in ("primary_ip4", "primary_ip6", "primary_ip")]
    for address in (*primary, *lists.addresses.get(raw, ())):
        for column, value in address_values(address).items():
            values.setdefault(column, value)
    guesses = _described(row, texts, values)
    mac = lists.macs.get(raw)
    if mac:
        values["mac"] = mac.text
    if site := values.get("site"):
        _site(lists, site, place, done=texts.done)
    kind = "vm" if "vcpus" in row or "cluster" in row else "device"
    number = str(row.get("id") or "")
    made.add(
        Seen(
            table="hosts",
            key=name,
            values=values,
            identity=identity_of(
                (f"netbox_{kind}", number),
                mac=mac,
                addresses=[values[column] for column in ("lan_ip", "tailscale_ip") if column in values],
            ),
            place=place,
            noise=_noise(row),
            cleaned=texts.done,
            guesses=guesses,
        )
    )


def _described(row: _Row, texts: Texts, values: dict[str, Any]) -> dict[str, str]:
    """Put the site into the values; the rest is guesses."""
    guesses: dict[str, str] = {}
    for column, fields, into in _DESCRIBED:
        found = next((text for key in fields if (text := _of(row.get(key), "name", "display"))), "")
        if text := texts.take(column, found):
            (values if into == "values" else guesses)[column] = text
    return guesses


def _site(lists: _Lists, name: str, place: str, subnet: str = "", *, done: Sequence[str] = ()) -> None:
    values, _ = lists.sites.setdefault(name, ({"name": name}, place))
    cleaned = tuple(f"name: {words.removeprefix('site: ')}" for words in done if words.startswith("site: "))
    if cleaned:
        lists.cleaned.setdefault(name, cleaned)
    if subnet:
        values.setdefault("subnet", subnet)


def _address(made: Gathering, row: _Row, place: str, known: set[str]) -> None:
    """An address that has a name and is of no listed device is a host of its own."""
    texts, owner = Texts(), _owner(row)
    if owner in known and owner:
        return
    found = address_values(row.get("address"))
    name = texts.take("name", owner or first_label(str(row.get("dns_name") or "")))
    if not found or not name:
        made.pass_over("addresses without a name")
        return
    identity = identity_of(addresses=found.values())
    made.host(name, place=place, values=found, identity=identity, noise=_noise(row), cleaned=texts.done)


def _prefix(made: Gathering, lists: _Lists, row: _Row, place: str) -> None:
    """The first prefix of a site is its subnet; a site of the plan may have more."""
    scope = row.get("scope") if str(row.get("scope_type") or "dcim.site") == "dcim.site" else None
    texts = Texts()
    site = texts.take("site", _of(row.get("site") or scope, "name", "display"))
    prefix = str(row.get("prefix") or "")
    if not site or check_form("network", "subnet", prefix) or _noise(row):
        made.pass_over("prefixes of no site, or not active")
        return
    _site(lists, site, place, prefix, done=texts.done)


def _service(made: Gathering, row: _Row, place: str) -> None:
    texts = Texts()
    host, service = texts.take("host", _owner(row)), texts.take("service", row.get("name"))
    proto = _of(row.get("protocol"), "value", "label").lower()
    ports = row.get("ports")
    if not host or proto not in ("tcp", "udp") or not isinstance(ports, list):
        made.pass_over("services of no device, or neither of tcp nor of udp")
        return
    made.host(host, place=place)
    for port in filter(None, map(port_of, ports)):
        guesses = {"service": service} if service else {}
        made.port(host, port, proto, place=place, cleaned=texts.done, guesses=guesses)


SOURCE = Netbox()
