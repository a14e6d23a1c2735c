"""UniFi: the clients of a controller, connected (`stat/sta`) and configured (`rest/user`)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from promptforge.sources.clean import identifier
from promptforge.sources.dump import elements, shown, wrong
from promptforge.sources.gather import Gathering
from promptforge.sources.lease import Lease

__all__ = ["clients_of_unifi"]

_AT = frozenset({(), ("data",)})


def clients_of_unifi(path: Path, made: Gathering) -> Iterator[Lease]:
    """Every client; its own name goes before what a person called it only where there is none."""
    listed = False
    for element in elements(path, made.source, _AT):
        if element.key is None:
            if element.path == ("meta", "rc") or (element.path == ("meta",) and isinstance(element.value, dict)):
                code = element.value.get("rc") if isinstance(element.value, dict) else element.value
                if code != "ok":
                    raise wrong(made.source, path, found="an error of UniFi's; look at the login")
                listed = True
            continue
        listed = True
        if isinstance(element.value, dict):
            yield _client(element.value, f"{shown(path)}{element.pointer}")
        else:
            made.pass_over("clients that are no mapping")
    if not listed:
        raise wrong(made.source, path)


def _client(row: Mapping[str, Any], place: str) -> Lease:
    fixed = bool(row.get("use_fixedip") and row.get("fixed_ip"))
    return Lease(
        place,
        mac=row.get("mac"),
        address=row.get("fixed_ip") if fixed else row.get("ip") or row.get("last_ip"),
        name=row.get("name") or row.get("hostname"),
        id=identifier(row.get("user_id") or row.get("_id")),
        noise="client of the guest network" if row.get("is_guest") else "blocked client" if row.get("blocked") else "",
        reserved=fixed,
    )
