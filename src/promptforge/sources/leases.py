"""DHCP leases and reservations as devices: dnsmasq, ISC dhcpd, Kea and UniFi's clients.

A name in a lease was chosen by the client, and two clients may choose the same: the MAC tells them apart. That a client
has no lease now means nothing.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptforge.sources.base import Observation, Seen
from promptforge.sources.clean import Texts
from promptforge.sources.dhcpd import leases_of_dhcpd
from promptforge.sources.dnsmasq import leases_of_dnsmasq
from promptforge.sources.dump import head_of, shown, wrong
from promptforge.sources.gather import Gathering, identity_of
from promptforge.sources.kea import leases_of_kea_csv, leases_of_kea_json
from promptforge.sources.lease import Lease
from promptforge.sources.looks import DUMPS, looks_like
from promptforge.sources.marks import Mac, mac_of, plain_address
from promptforge.sources.unifi import clients_of_unifi

__all__ = ["SOURCE", "Leases"]

_Reader = Callable[[Path, Gathering], Iterator[Lease]]
_FORMS: Sequence[tuple[re.Pattern[str], _Reader]] = (
    (re.compile(r'\A\s*[\[{].*"(?:hw-address|ip-address|arguments)"\s*:', re.S), leases_of_kea_json),
    (re.compile(r"\A\s*[\[{]"), clients_of_unifi),
    (re.compile(r"\A\ufeff?(?:[a-z_0-9]+,)*address,", re.I), leases_of_kea_csv),
    (re.compile(r"^[ \t]*(?:lease|host)[ \t]+\S+[ \t]*\{", re.M | re.I), leases_of_dhcpd),
    (re.compile(r"^[ \t]*(?:\d+ \S+ \S+ \S+|duid |dhcp-host=)", re.M), leases_of_dnsmasq),
)


class Leases:
    """Devices by their MAC."""

    name = "leases"
    about = f"Devices that got an address; {DUMPS['leases'].command}"
    options: tuple[str, ...] = ()

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every client. Ended leases, those of IPv6, guests' and containers' are noise."""
        made = Gathering(self.name, files)
        clients: dict[str, tuple[Lease, Mac | None]] = {}
        for path in files:
            for lease in _judged(list(_form_of(path)(path, made)), path, made):
                _remember(clients, lease, made)
        passing = sum(_take(made, lease, mac) for lease, mac in clients.values())
        if passing:
            made.note(f"devices with a private MAC, which a phone may change, so that their facts go stale: {passing}")
        return made.observation()


def _form_of(path: Path) -> _Reader:
    head = head_of(path)
    looks = looks_like(head)
    if looks not in ("", "table", "leases"):
        raise wrong("leases", path)
    for sign, reader in _FORMS:
        if sign.search(head):
            return reader
    raise wrong("leases", path)


_ENDED = "lease that has ended"
_LONGEST_S = 31 * 86_400
"""A lease that ends so much before half of the others is taken for one that has ended."""
_FIRST_DAY_S = 10**9
"""2001: no dump is older, so smaller times are lengths."""


def _judged(leases: Sequence[Lease], path: Path, made: Gathering) -> Iterator[Lease]:
    """Those that had ended when the dump was made are noise: by its own times, so that an old dump reads as it did.

    The last lease that was given shows when that was. dnsmasq says only when each ends: then half of them are the
    measure, so that one lease of a year, or of 1970, moves nothing.
    """
    ends = sorted(lease.until for lease in leases if lease.until)
    given = max((lease.since for lease in leases), default=0)
    if ends and not given and ends[-1] < _FIRST_DAY_S:
        made.note(
            f"{shown(path)}: its times are lengths, as routers without a clock write them; none is taken for ended"
        )
    elif ends:
        at = given or ends[len(ends) // 2] - _LONGEST_S
        leases = [one._replace(noise=one.noise or _ENDED) if 0 < one.until < at else one for one in leases]
    yield from leases


def _remember(clients: dict[str, tuple[Lease, Mac | None]], lease: Lease, made: Gathering) -> None:
    """One client has one fact: a reservation goes before a lease, a lease before one that has ended."""
    mac = mac_of(lease.mac)
    if lease.mac and not mac:
        made.pass_over("leases whose MAC is none of six bytes of a single device")
        return
    key = mac.digits if mac else f"{lease.address}"
    known = clients.get(key)
    if not known or _rank(lease) >= _rank(known[0]):
        name = lease.name or (known[0].name if known else "")
        clients[key] = (lease._replace(name=name), mac)
    elif not known[0].name:
        clients[key] = (known[0]._replace(name=lease.name), mac)


def _rank(lease: Lease) -> tuple[bool, bool, bool]:
    return (not lease.noise, lease.reserved, ":" not in plain_address(lease.address))


def _take(made: Gathering, lease: Lease, mac: Mac | None) -> bool:
    """Make a fact of a client; whether its MAC is one that passes."""
    texts, address = Texts(), plain_address(lease.address)
    name = texts.take("name", lease.name) or (mac.text if mac else address)
    if not name:
        made.pass_over("leases without a MAC, an address and a name")
        return False
    values: dict[str, Any] = {"name": name}
    if mac:
        values["mac"] = mac.text
    if address:
        values["ip"] = address
    noise = lease.noise or ("container's interface" if mac and mac.container else "")
    made.add(
        Seen(
            table="devices",
            key=name,
            values=values,
            identity=identity_of(mac=mac, addresses=[] if mac else [address]),
            place=lease.place,
            noise=noise,
            cleaned=texts.done,
        )
    )
    return bool(mac and mac.passing and not noise)


SOURCE = Leases()
