"""The tables of the made-up prompts: what a house of promptforge has, and what is asked of it."""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["KINDS", "OWN_COLUMNS", "Kind"]


class Kind(NamedTuple):
    """A table: its columns in order, which of them are always there, and what may be asked by which key."""

    columns: tuple[str, ...]
    always: frozenset[str]
    asks: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(column of the key, column of the answer, ways to ask): the key stands before the answer."""


_OF_PORT = ("What is the {1} of port {0}?", "Which {1} has port {0}?", "Which {1} is on port {0}?")
_OF_NAME = ("What is the {1} of {0}?", "Which {1} does {0} have?", "Which {1} has {0}?")


def _ways(column: str, ways: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one.replace("{1}", column) for one in ways)


KINDS: Mapping[str, Kind] = {
    "ports": Kind(
        ("host", "port", "proto", "codename", "service"),
        frozenset({"port", "service"}),
        (
            (
                "port",
                "service",
                (
                    *("Which service listens on port {0}?",) * 3,
                    *("What listens on port {0}?", "What runs on port {0}?", "Which service is behind port {0}?"),
                    *("Which service listens on port {0} of {host}?", "What runs on port {0} of {host}?"),
                    *_ways("service", _OF_PORT),
                ),
            ),
            ("port", "codename", (*_ways("codename", _OF_PORT), "What do we call port {0}?")),
            ("codename", "service", ("Which service is {0}?", "What is the service of {0}?")),
        ),
    ),
    "hosts": Kind(
        ("name", "role", "site", "lan_ip", "tailscale_ip", "mac"),
        frozenset({"name", "lan_ip"}),
        (
            (
                "name",
                "lan_ip",
                (
                    *("What is the address of {0}?", "What is the LAN address of {0}?", "Which address does {0} have?"),
                    *("What is the address of {0}?", "What is the lan_ip of {0}?", "At which address is {0}?"),
                ),
            ),
            ("name", "tailscale_ip", ("What is the Tailscale address of {0}?", "What is the tailscale_ip of {0}?")),
            ("name", "role", (*_ways("role", _OF_NAME), "What does {0} do?")),
            ("name", "site", (*_ways("site", _OF_NAME), "At which site is {0}?")),
            ("name", "mac", ("What is the MAC of {0}?", "Which MAC has {0}?")),
        ),
    ),
    "devices": Kind(
        ("name", "owner", "kind", "mac"),
        frozenset({"name", "owner"}),
        (
            (
                "name",
                "owner",
                (
                    *("Who owns {0}?", "Who owns the {0}?", "Whose is {0}?", "Who is the owner of {0}?"),
                    *("To whom does {0} belong?", "What is the owner of {0}?"),
                ),
            ),
            ("name", "kind", ("What kind of device is {0}?", "What is the kind of {0}?")),
            ("name", "mac", ("What is the MAC of {0}?", "Which MAC has {0}?")),
        ),
    ),
    "entities": Kind(
        ("entity_id", "name", "kind", "area"),
        frozenset({"entity_id", "name"}),
        (
            ("entity_id", "name", ("What is the name of {0}?", "What is {0} called?")),
            ("entity_id", "area", ("In which area is {0}?", "Where is {0}?", "What is the area of {0}?")),
            ("name", "area", ("In which area is {0}?", "Where is {0}?", "Where is the {0}?")),
        ),
    ),
    "people": Kind(
        ("name", "role", "site"),
        frozenset({"name", "role"}),
        (
            ("name", "role", ("What is the role of {0}?", "What does {0} do?", "Which role has {0}?")),
            ("name", "site", ("What is the site of {0}?", "At which site is {0}?")),
        ),
    ),
}
OWN_COLUMNS = (
    *("colour", "driver", "floor", "model", "owner", "price", "queue"),
    *("room", "shelf", "size", "team", "vendor", "year", "zone"),
)
"""Of tables that are of none of these kinds."""
