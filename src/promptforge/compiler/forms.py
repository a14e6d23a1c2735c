"""The forms of values: ports, MACs, addresses, entity ids, dates. Each says what is wrong and how to mend it."""

import datetime
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from promptforge.model import LEVELS, canonical, written
from promptforge.source import did_you_mean

__all__ = ["Problem", "check_form", "is_randomised"]

_MAC = re.compile(
    r"[0-9a-fA-F]{1,2}(?P<by>[: -])(?:[0-9a-fA-F]{1,2}(?P=by)){4}[0-9a-fA-F]{1,2}"
    r"|[0-9a-fA-F]{4}(?P<four>[.: -])[0-9a-fA-F]{4}(?P=four)[0-9a-fA-F]{4}|[0-9a-fA-F]{12}"
)
# Home Assistant's own grammar (homeassistant/core.py, VALID_ENTITY_ID).
_ENTITY = re.compile(r"(?!.+__)(?!_)[\da-z_]+(?<!_)\.(?!_)[\da-z_]+(?<!_)")
_TAILNETS = (ipaddress.ip_network("100.64.0.0/10"), ipaddress.ip_network("fd7a:115c:a1e0::/48"))


class Problem(NamedTuple):
    """What is wrong with a value, by its code."""

    code: str
    message: str
    hint: str


def check_form(kind: str, column: str, value: object) -> Problem | None:
    """What keeps a value from being of its column's kind; nothing when it is fine or unset."""
    if value is None or kind == "any":
        return None
    if isinstance(value, list) and kind != "tags":
        return next((p for p in (check_form(kind, column, item) for item in value) if p), None)
    if isinstance(value, dict) and kind != "any":
        return Problem("PF203", f"'{column}' cannot be a mapping", "write a single value")
    check = _FORMS.get(kind)
    return check(column, value) if check else None


def is_randomised(mac: object) -> bool:
    """Whether a valid MAC is locally administered, as the private Wi-Fi addresses of phones are (IEEE 802, bit 1)."""
    digits = canonical(mac, "mac")
    return isinstance(digits, str) and bool(int(digits[:2], 16) & 2)


def _port(column: str, value: object) -> Problem | None:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        return Problem(
            "PF310", f"'{column}' is the text '{value}', not a number", f"write {int(value)}, without quotes"
        )
    shown = written(value)
    return Problem("PF310", f"'{column}' is {shown}, and a port is a number from 1 to 65535", "write the port's number")


def _mac(column: str, value: object) -> Problem | None:
    text = f"{value:012d}" if isinstance(value, int) and not isinstance(value, bool) else written(value)
    if not _MAC.fullmatch(text):
        eui64 = len(re.sub(r"[^0-9a-fA-F]", "", text)) == 16
        hint = "that is an EUI-64; a MAC has six bytes" if eui64 else "write six bytes: 00:00:5E:00:53:21"
        return Problem("PF311", f"'{text}' is not a MAC address", hint)
    if int(str(canonical(text, "mac"))[:2], 16) & 1:
        return Problem("PF311", f"'{text}' is a multicast address, which no device has", "check the first byte")
    return None


def _ip(column: str, value: object) -> Problem | None:
    try:
        ipaddress.ip_address(written(value))
    except ValueError:
        text = written(value)
        hint = "write it without a mask" if "/" in text else "write an IPv4 or IPv6 address: 192.0.2.10"
        if re.search(r"(^|\.)0\d", text):
            hint = "drop the leading zeros: they mean octal to some readers"
        return Problem("PF312", f"'{text}' in '{column}' is not an IP address", hint)
    return None


def _tailscale(column: str, value: object) -> Problem | None:
    problem = _ip(column, value)
    if problem:
        return problem
    address = ipaddress.ip_address(written(value))
    if any(address in net for net in _TAILNETS if net.version == address.version):
        return None
    hint = "Tailscale gives addresses in 100.64.0.0/10 and fd7a:115c:a1e0::/48; see: tailscale ip"
    return Problem("PF313", f"'{written(value)}' is not a Tailscale address", hint)


def _network(column: str, value: object) -> Problem | None:
    try:
        ipaddress.ip_network(written(value))
    except ValueError as problem:
        hint = "write the network's address: 192.0.2.0/24"
        if "host bits" in str(problem):
            hint = f"write {ipaddress.ip_network(written(value), strict=False)}"
        return Problem("PF312", f"'{written(value)}' in '{column}' is not a network", hint)
    return None


def _entity(column: str, value: object) -> Problem | None:
    text = written(value)
    if _ENTITY.fullmatch(text):
        return None
    hint = "write domain.object_id in lower case, digits and single underscores: light.kitchen"
    return Problem("PF314", f"'{text}' is not an entity id", hint)


def _date(column: str, value: object) -> Problem | None:
    text = written(value)
    try:
        if len(text) == 10:
            datetime.date.fromisoformat(text)
            return None
    except ValueError:
        pass
    return Problem("PF315", f"'{text}' in '{column}' is not a date", "write it as 2026-11-01")


def _level(column: str, value: object) -> Problem | None:
    if isinstance(value, str) and value in LEVELS:
        return None
    hint = did_you_mean(written(value), LEVELS)
    return Problem(
        "PF203", f"'{column}' cannot be '{written(value)}'; until it is mended the fact counts as private", hint
    )


def _tags(column: str, value: object) -> Problem | None:
    items = value if isinstance(value, list) else [value]
    if all(isinstance(item, (str, int, float)) for item in items):
        return None
    return Problem("PF203", f"'{column}' must be a list of words", "write [one, two]")


_FORMS: Mapping[str, Callable[[str, object], Problem | None]] = {
    "port": _port,
    "mac": _mac,
    "ip": _ip,
    "tailscale": _tailscale,
    "network": _network,
    "entity": _entity,
    "date": _date,
    "level": _level,
    "tags": _tags,
}
