"""IP addresses to addresses that are kept for documentation; what is in one network stays in one.

IPv4 takes the three networks of RFC 5737, which hold 762 hosts; then those of 198.18.0.0/15, kept for measuring
(RFC 2544), 512 networks of which none is in use anywhere; then 240.0.0.0/4, which nobody was ever given. A tailnet's
addresses stay in 100.64.0.0/10, or `check` would refuse them. IPv6 goes to 2001:db8::/32 (RFC 3849).
"""

import ipaddress
from collections.abc import Iterable, Iterator

from promptforge.errors import InputError
from promptforge.redaction.key import Key

__all__ = ["Addresses", "is_nobodys"]

_ONE = 24  # bits of the networks that are kept together
_DOCUMENTATION = tuple(ipaddress.IPv4Network(f"{net}.0/24") for net in ("192.0.2", "198.51.100", "203.0.113"))
_FURTHER = tuple(ipaddress.IPv4Network(net) for net in ("198.18.0.0/15", "240.0.0.0/4"))
_TAILNET = ipaddress.IPv4Network("100.64.0.0/10")
_TAILNET_6 = ipaddress.IPv6Network("fd7a:115c:a1e0::/48")
_NOT_IN_TAILNET = frozenset(int(ipaddress.ip_address(f"100.{net}.0")) >> 8 for net in ("100.100", "115.92", "115.93"))
_NOBODYS = tuple(
    ipaddress.ip_network(net)
    for net in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.0.0.0/8", "::/127", "ff00::/8")
)
_RANGES = frozenset(
    (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "198.18.0.0/15"),
        *("240.0.0.0/4", "192.0.0.0/24", "fd7a:115c:a1e0::/48", "2001:db8::/32"),
    )
)
_SERVICE = frozenset(["100.100.100.100", "fd7a:115c:a1e0::53"])
_LEAST_BITS = {4: 9, 6: 24}
"""A shorter prefix is no house's network: 10.0.0.0/8, fe80::/10."""
_SIXTEEN = 1 << 16

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_nobodys(address: _Address, bits: int | None = None) -> bool:
    """Whether it tells nothing of a house: loopback, multicast, a mask, a range that everybody uses."""
    if bits is not None and (bits < _LEAST_BITS[address.version] or f"{address.compressed}/{bits}" in _RANGES):
        return True
    return address.compressed in _SERVICE or any(net.version == address.version and address in net for net in _NOBODYS)


class Addresses:
    """Which address stands for which. `originals` are never given to another."""

    def __init__(self, key: Key, originals: Iterable[_Address], networks: Iterable[ipaddress.IPv4Network]) -> None:
        self._key = key
        known = set(originals)
        self._taken6 = {address.compressed for address in known if address.version == 6}
        self._taken = {int(address) >> 8 for address in known if address.version == 4}
        """The /24 that are in use: no address of them is given away."""
        networks = [net for net in networks if not is_nobodys(net.network_address, net.prefixlen)]
        self._divided = {int(net.network_address) >> 8 for net in networks if net.prefixlen > _ONE}
        self._hosts6: dict[int, str] = {}
        self._units: dict[tuple[int, int], int] = {}
        """(network >> 8, bits) to where it went, as a number of /24."""
        self._octets: dict[int, list[int]] = {}
        for address in sorted(address for address in known if isinstance(address, ipaddress.IPv6Address)):
            self.replace(address)
        wide = {net for net in networks if net.prefixlen < _ONE}
        wide = {net for net in wide if not any(net != one and net.subnet_of(one) for one in wide)}
        units = {f"{int(net.network_address) >> 8}/{net.prefixlen}" for net in wide}
        units |= {f"{int(a) >> 8}/{_ONE}" for a in known if a.version == 4 and not any(a in net for net in wide)}
        for unit in sorted(key.ordered("network", units), key=lambda unit: int(unit.partition("/")[2])):
            at, _, bits = unit.partition("/")
            self._unit(int(at), int(bits))

    def replace(self, address: _Address, bits: int | None = None) -> str:
        """What stands for an address, or for a network where its own bits behind `bits` are zero."""
        if is_nobodys(address, bits):
            return address.compressed
        if isinstance(address, ipaddress.IPv4Address):
            return self._network4(address, bits) if bits is not None and bits < 32 else self._host4(address)
        return self._replace6(address, bits)

    # ---- IPv4 ----

    def _network4(self, address: ipaddress.IPv4Address, bits: int) -> str:
        network = ipaddress.ip_network((int(address), bits), strict=False)
        if int(network.network_address) != int(address) or bits >= _ONE:
            made = ipaddress.IPv4Address(self._host4(address))
            is_network = int(network.network_address) == int(address)
            return str(ipaddress.ip_network((int(made), bits), strict=False).network_address if is_network else made)
        at = self._at(int(address) >> 8, bits)
        return str(ipaddress.ip_network((at << 8, bits), strict=False).network_address)

    def _host4(self, address: ipaddress.IPv4Address) -> str:
        return str(ipaddress.IPv4Address(self._at(int(address) >> 8) << 8 | self._octet(int(address))))

    def _at(self, at: int, bits: int = _ONE) -> int:
        """Where a /24 went: with the wider network that it lies in, or alone."""
        for wide in range(9, bits + 1):
            if (base := self._units.get((at >> (_ONE - wide) << (_ONE - wide), wide))) is not None:
                inside = 1 << (_ONE - wide)
                return base + ((at % inside) ^ self._key.number("inside", f"{base}/{wide}", inside))
        return self._unit(at >> (_ONE - bits) << (_ONE - bits), bits)

    def _unit(self, at: int, bits: int) -> int:
        size = 1 << (_ONE - bits)
        for pool in self._pools(at, bits):
            start, count = int(pool.network_address) >> 8, pool.num_addresses >> 8
            if count < size:
                continue
            for place in self._key.places("network", f"{at}/{bits}", count // size):
                span = range(start + place * size, start + (place + 1) * size)
                if not any(one in self._taken or one in _NOT_IN_TAILNET for one in span):
                    self._taken.update(span)
                    self._units[at, bits] = span.start
                    return span.start
        hint = "take a copy of a part of the project"
        raise InputError("there are more networks than addresses kept for documents and measuring", hint=hint)

    def _pools(self, at: int, bits: int) -> Iterator[ipaddress.IPv4Network]:
        if ipaddress.IPv4Address(at << 8) in _TAILNET:
            yield _TAILNET
        elif bits == _ONE:
            # Of the three one after the other, from the network's own.
            first = self._key.number("documentation", str(at), 3)
            yield from (*_DOCUMENTATION[first:], *_DOCUMENTATION[:first])
        yield from _FURTHER

    def _octet(self, address: int) -> int:
        at, octet = address >> 8, address & 255
        if at in self._divided:  # bit by bit, so that what was in one part of the network still is
            made = 0
            for bit in range(8):
                flip = self._key.number("bit", f"{at}/{bit}/{octet >> (8 - bit)}", 2)
                made = made << 1 | ((octet >> (7 - bit) & 1) ^ flip)
            return made
        if octet in (0, 255):
            return octet
        if at not in self._octets:
            self._octets[at] = self._key.shuffled("octet", str(at), 254)
        return self._octets[at][octet - 1] + 1

    # ---- IPv6 ----

    def _replace6(self, address: ipaddress.IPv6Address, bits: int | None) -> str:
        number = int(address)
        if bits is not None and bits < 128 and number & ((1 << (128 - bits)) - 1) == 0:
            return ipaddress.IPv6Address(self._prefix6(number) >> (128 - bits) << (128 - bits)).compressed
        if number not in self._hosts6:
            for place in self._key.places("host", f"{number:x}", _SIXTEEN - 1):
                made = ipaddress.IPv6Address(self._prefix6(number) | place + 1).compressed
                if made not in self._taken6:
                    self._taken6.add(made)
                    self._hosts6[number] = made
                    break
        return self._hosts6[number]

    def _prefix6(self, number: int) -> int:
        """The /64 that an address goes to; two of one site (a /48) still are."""
        if ipaddress.IPv6Address(number) in _TAILNET_6:
            return int(_TAILNET_6.network_address)
        made = 0x2001_0DB8 << 96 | self._some("site", f"{number >> 80:x}") << 80
        return made | (self._some("link", f"{number >> 64:x}") << 64 if (number >> 64) & (_SIXTEEN - 1) else 0)

    def _some(self, purpose: str, value: str) -> int:
        return self._key.number(purpose, value, _SIXTEEN - 1) + 1
