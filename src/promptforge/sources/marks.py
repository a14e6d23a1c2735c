"""What tells machines apart: MACs, addresses, names of hosts. And which of them say that a thing is passing."""

import ipaddress
from typing import NamedTuple

from promptforge.compiler.forms import check_form, is_randomised
from promptforge.model import canonical

__all__ = [
    "Mac",
    "address_values",
    "container_address",
    "ephemeral",
    "first_label",
    "is_loopback",
    "is_multicast",
    "mac_of",
    "plain_address",
    "port_of",
]

_TAILSCALE_SERVICE = ("100.100.100.100", "fd7a:115c:a1e0::53")
_CHROMEOS = ipaddress.ip_network("100.115.92.0/23")
_DOCKER = ipaddress.ip_network("172.17.0.0/16")
"""Docker's own bridge; its further networks look like anybody's."""
_EPHEMERAL = 49152
"""The first port that no service is registered for (RFC 6335). Linux hands out from 32768, where services live, too."""
_HIGH_SERVICES = frozenset({51820})
"""WireGuard."""


class Mac(NamedTuple):
    """An EUI-48."""

    text: str
    """As a knowledge file would write it: `00:00:5e:00:53:21`."""
    digits: str
    """Twelve hexadecimal digits, as it is compared."""
    passing: bool
    """Whether it is locally administered: phones change such an address."""
    container: bool
    """Whether Docker made it up."""


def mac_of(raw: object) -> Mac | None:
    """The MAC in any spelling; nothing for an EUI-64, a multicast address, zeros or a text of another kind.

    >>> mac_of("0:0:5E:0:53:21").text, mac_of("0000.5e00.5321").digits, mac_of("01:00:5e:00:53:21")
    ('00:00:5e:00:53:21', '00005e005321', None)
    """
    if not isinstance(raw, str) or check_form("mac", "mac", raw.strip()):
        return None
    digits = str(canonical(raw.strip(), "mac"))
    if digits == "0" * 12:
        return None
    text = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return Mac(text, digits, is_randomised(digits), digits.startswith("0242"))


def plain_address(raw: object) -> str:
    """The address without mask, zone and brackets, as it is usually written; empty for what is none.

    >>> plain_address("192.0.2.10/24"), plain_address("[fe80::1%eth0]"), plain_address("mini.example")
    ('192.0.2.10', 'fe80::1', '')
    """
    if not isinstance(raw, str):
        return ""
    try:
        return ipaddress.ip_address(raw.strip().strip("[]").partition("/")[0].partition("%")[0]).compressed
    except ValueError:
        return ""


def address_values(raw: object) -> dict[str, str]:
    """The address under the column of hosts that it belongs to; nothing where it names no machine of a network."""
    text = plain_address(raw)
    if not text or text in _TAILSCALE_SERVICE:
        return {}
    address = ipaddress.ip_address(text)
    if address.is_loopback or address.is_multicast or address.is_link_local or address.is_unspecified:
        return {}
    if check_form("tailscale", "tailscale_ip", text) or (address.version == 4 and address in _CHROMEOS):
        return {"lan_ip": text}
    return {"tailscale_ip": text}


def is_loopback(raw: object) -> bool:
    """Whether only the machine itself reaches it."""
    text = plain_address(raw)
    return bool(text) and ipaddress.ip_address(text).is_loopback


def is_multicast(raw: object) -> bool:
    """Whether it is an address of a group."""
    text = plain_address(raw)
    return bool(text) and ipaddress.ip_address(text).is_multicast


def container_address(raw: object, interface: str = "") -> bool:
    """Whether it is on a container's bridge or veth."""
    if interface.startswith(("docker", "br-", "veth", "cni", "podman", "virbr", "lxcbr", "lxdbr", "flannel", "cali")):
        return True
    text = plain_address(raw)
    address = ipaddress.ip_address(text) if text else None
    return address is not None and address.version == 4 and address in _DOCKER


def ephemeral(port: int) -> bool:
    """Whether a port is of those that are handed out for a while."""
    return port >= _EPHEMERAL and port not in _HIGH_SERVICES


def port_of(raw: object) -> int | None:
    """A port's number, also from text; nothing for what is none."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= 5:
        raw = int(raw)
    if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= 65535:
        return raw
    return None


def first_label(name: str) -> str:
    """`mini` of `mini.manor.example.`."""
    return name.strip().strip(".").partition(".")[0]
