"""dnsmasq: its leases, and the `dhcp-host=` lines of its configuration.

A lease is `expiry mac ip hostname client-id`. After a `duid` line the rows are of IPv6, and their second field is an
identity association, not a MAC.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from promptforge.sources.dump import lines_of, shown, wrong
from promptforge.sources.gather import Gathering
from promptforge.sources.lease import Lease
from promptforge.sources.marks import mac_of, plain_address

__all__ = ["leases_of_dnsmasq"]

_FIELDS = 5
_CLIENT = re.compile(r"\*|[0-9A-Fa-f]{1,2}(?:[:-][0-9A-Fa-f]{1,2})*")
_NO_LEASE = f"lines that are no lease, with more than {_FIELDS} fields or a last one that is no client id"
_EXPIRY = re.compile(r"\d{1,20}")
_ARP_TYPE = re.compile(r"[0-9A-Fa-f]{2}-(?=[0-9A-Fa-f]{1,2}:)")
_SETTING = re.compile(r"\s*(?:#.*|[a-z0-9-]+(?:=.*)?)?", re.DOTALL)
_TIME = re.compile(r"\d+[smhdw]?|infinite|ignore")


def leases_of_dnsmasq(path: Path, made: Gathering) -> Iterator[Lease]:
    """Every row of a file of leases, or every reservation of a configuration."""
    for number, line in lines_of(path, made.source):
        words, place = line.split(), f"{shown(path)}:{number}"
        if not words or words[0].startswith("#"):
            continue
        if line.lstrip().startswith("dhcp-host="):
            yield from _reservation(line.partition("=")[2], place, made)
        elif words[0] == "duid":
            continue
        elif _EXPIRY.fullmatch(words[0]) and len(words) >= 4:
            if len(words) > _FIELDS or not _CLIENT.fullmatch(words[_FIELDS - 1] if words[_FIELDS - 1 :] else "*"):
                made.pass_over(_NO_LEASE, place)
            else:
                yield _lease(words, place)
        elif not _SETTING.fullmatch(line) or _EXPIRY.fullmatch(words[0]):
            found = "a line of another form; was the dump cut off?"
            raise wrong(made.source, path, found=found, place=str(number))


def _lease(words: list[str], place: str) -> Lease:
    mac, address, until = _ARP_TYPE.sub("", words[1]), words[2], int(words[0])
    name = "" if words[3] == "*" else words[3]
    if ":" in address and ":" not in words[1]:
        return Lease(place, address=address, name=name, noise="lease of IPv6, which names no MAC", until=until)
    return Lease(place, mac=mac, address=address, name=name, until=until)


def _reservation(written: str, place: str, made: Gathering) -> Iterator[Lease]:
    """`mac,ip,name,lease time` in nearly any order; several MACs may share one address."""
    macs: list[str] = []
    address = name = ""
    for part in (part.strip() for part in written.partition("#")[0].split(",")):
        if mac_of(part):
            macs.append(part)
        elif plain := plain_address(part):
            address = address or plain
        elif part and not _TIME.fullmatch(part) and not part.startswith(("id:", "set:", "tag:", "net:")):
            name = name or part
    if not macs:
        made.pass_over("reservations without a MAC")
    for mac in macs:
        yield Lease(place, mac=mac, address=address, name=name, reserved=True)
