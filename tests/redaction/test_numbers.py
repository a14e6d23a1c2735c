"""Addresses and MACs: documentation ranges, what happens when they run out, and networks that stay together."""

import ipaddress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import tries

from promptforge.redaction.addresses import Addresses
from promptforge.redaction.key import Key
from promptforge.redaction.macs import Macs, digits_of

KEY = Key(b"a key of thirty-two bytes or so.")
DOCUMENTATION = [ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]


def replaced(*written: str, key: Key = KEY) -> dict[str, str]:
    """What stands for each address or network."""
    parts = [(one, *one.partition("/")[::2]) for one in written]
    networks = [ipaddress.ip_network(one, strict=False) for one, bare, bits in parts if bits and ":" not in bare]
    known = [ipaddress.ip_address(bare) for _, bare, _ in parts]
    addresses = Addresses(key, known, [net for net in networks if net.prefixlen != 24])
    return {
        one: addresses.replace(ipaddress.ip_address(bare), int(bits) if bits else None) for one, bare, bits in parts
    }


def test_three_networks_go_to_the_three_that_are_for_documents():
    """RFC 5737, one network each; the network's own address and its last one stay such."""
    made = replaced("192.168.1.0/24", "192.168.1.1", "192.168.1.255", "192.168.1.20", "10.0.0.7", "172.16.4.7")
    nets = {ipaddress.ip_network(f"{made[a]}/24", strict=False) for a in ("192.168.1.20", "10.0.0.7", "172.16.4.7")}
    assert nets == set(DOCUMENTATION)
    home = ipaddress.ip_network(f"{made['192.168.1.20']}/24", strict=False)
    assert made["192.168.1.0/24"] == str(home.network_address)
    assert made["192.168.1.255"] == str(home.broadcast_address)
    assert ipaddress.ip_address(made["192.168.1.1"]) in home


def test_beyond_762_addresses_the_networks_for_measuring_are_taken():
    """RFC 2544, and behind it what nobody was ever given; all different, neighbours together."""
    written = [f"10.{net // 200}.{net % 200}.{host}" for net in range(600) for host in (1, 2)]
    made = replaced(*written)
    assert len(set(made.values())) == len(written)
    nets = [ipaddress.ip_network(f"{made[one]}/24", strict=False) for one in written]
    assert nets[::2] == nets[1::2]
    counts = [
        sum(net.subnet_of(ipaddress.ip_network(pool)) for net in set(nets)) for pool in ("198.18.0.0/15", "240.0.0.0/4")
    ]
    assert sum(net in DOCUMENTATION for net in set(nets)) == 3
    assert counts == [512, 85]


def test_a_tailnet_stays_one():
    """What is in 100.64.0.0/10 must stay there; the addresses of the service itself are nobody's."""
    made = replaced("100.101.102.103", "100.101.102.9", "100.100.100.100", "fd7a:115c:a1e0::17", "fd7a:115c:a1e0::53")
    tailnet = ipaddress.ip_network("100.64.0.0/10")
    first, second = (ipaddress.ip_address(made[one]) for one in ("100.101.102.103", "100.101.102.9"))
    assert first in tailnet
    assert int(first) >> 8 == int(second) >> 8
    assert made["100.100.100.100"] == "100.100.100.100"
    assert made["fd7a:115c:a1e0::53"] == "fd7a:115c:a1e0::53"
    assert ipaddress.ip_address(made["fd7a:115c:a1e0::17"]) in ipaddress.ip_network("fd7a:115c:a1e0::/48")


def test_wider_and_narrower_networks_keep_what_is_in_them():
    """A /20 goes somewhere as a whole; the two halves of a /24 that is divided stay halves."""
    made = replaced("10.1.16.0/20", "10.1.17.5", "10.1.30.9", "192.168.1.128/25", "192.168.1.130", "192.168.1.5")
    wide = ipaddress.ip_network(f"{made['10.1.16.0/20']}/20")
    assert ipaddress.ip_address(made["10.1.17.5"]) in wide
    assert ipaddress.ip_address(made["10.1.30.9"]) in wide
    half = ipaddress.ip_network(f"{made['192.168.1.128/25']}/25")
    assert ipaddress.ip_address(made["192.168.1.130"]) in half
    assert ipaddress.ip_address(made["192.168.1.5"]) not in half


@pytest.mark.parametrize(
    "written",
    [
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.0",
        "::1",
        "::",
        "224.0.0.251",
        "ff02::fb",
        "0.0.0.0/0",
        "10.0.0.0/8",
        "::/0",
    ],
)
def test_what_is_nobodys_stays(written):
    """Loopback, masks, multicast, and ranges that everybody uses."""
    assert replaced(written)[written] == written.partition("/")[0]


def test_ipv6_keeps_sites_and_links():
    """Of a /48 all go to one, of a /64 too; a network ends in its own `::`."""
    made = replaced(
        "fd12:3456:789a:1::5", "fd12:3456:789a:1::6", "fd12:3456:789a:2::5", "fd12:3456:789a:1::/64", "fe80::1"
    )
    first, second, third = (int(ipaddress.ip_address(made[one])) for one in list(made)[:3])
    assert first >> 64 == second >> 64
    assert first >> 80 == third >> 80
    assert first >> 64 != third >> 64
    assert int(ipaddress.ip_address(made["fd12:3456:789a:1::/64"])) == first >> 64 << 64
    assert all(one.startswith("2001:db8:") for one in made.values())


@given(
    st.lists(
        st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=4, network="192.0.2.0/23"), st.ip_addresses(v=6)), unique=True
    )
)
@tries(200)
def test_addresses_go_one_to_one_and_none_to_an_original(addresses):
    """Also where the original itself uses the ranges for documents; another key gives others."""
    written = [str(address) for address in addresses]
    made = replaced(*written)
    changed = {one: new for one, new in made.items() if one != new}
    assert len(set(changed.values())) == len(changed)
    assert not set(changed.values()) & set(written)
    assert made == replaced(*reversed(written))
    other = replaced(*written, key=Key(b"another key"))
    assert len(changed) < 8 or any(other[one] != made[one] for one in changed)


# ---- MACs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("3C:22:FB:0A:1B:2C", "00:00:5E:00:53:%s"),
        ("3c:22:fb:0a:1b:2c", "00:00:5e:00:53:%s"),
        ("3c-22-fb-0a-1b-2c", "00-00-5e-00-53-%s"),
        ("3c22.fb0a.1b2c", "0000.5e00.53%s"),
        ("3C22FB0A1B2C", "00005E0053%s"),
        ("3c_22_fb_0a_1b_2c", "00_00_5e_00_53_%s"),
        ("3c 22 fb 0a 1b 2c", "00 00 5e 00 53 %s"),
        ("3c:22:fb:a:1b:2c", "0:0:5e:0:53:%s"),
    ],
)
def test_a_mac_keeps_its_notation(written, form):
    """In every spelling the same MAC, in the block of RFC 9542."""
    macs = Macs(KEY, ["3c22fb0a1b2c"])
    last = macs.replace("3c22fb0a1b2c")[-2:]
    wanted = form % (last.upper() if "FB" in written else last)
    assert macs.replace(written) == wanted
    assert digits_of(macs.replace(written)) == f"00005e0053{last}"


def test_beyond_256_the_next_block_is_taken():
    """What stands behind the block for documents is IANA's, too, and no device's; none is given twice."""
    originals = [f"3c22fb{number:06x}" for number in range(1000)]
    macs = Macs(KEY, originals)
    made = [macs.replace(one) for one in originals]
    assert len(set(made)) == 1000
    assert sum(one.startswith("00005e0053") for one in made) == 256
    assert all(0x00005E005300 <= int(one, 16) < 0x00005E900000 for one in made)


@tries(200)
@given(st.binary(min_size=32, max_size=32), st.data())
def test_near_twins_of_a_small_house_stay_the_near_twins(secret, data):
    """Whatever the key: twelve MACs of which two or three differ in one digit; a copy says of them what was said."""
    makers = data.draw(st.lists(st.integers(0, 255), min_size=9, max_size=9, unique=True))
    originals = [
        f"3c22{maker:02x}{17 * at:02x}{maker ^ 0x5A:02x}{(at * 7) % 256:02x}" for at, maker in enumerate(makers)
    ]
    originals += [originals[0][:-1] + "f", originals[1][:-2] + "f" + originals[1][-1], originals[2][:-1] + "e"]
    macs = Macs(Key(secret), originals)
    made = [macs.replace(one) for one in originals]
    assert near_twins(made) == near_twins(originals)


def near_twins(macs: list[str]) -> set[tuple[int, int]]:
    """Which of them differ in one digit."""
    pairs = combinations(enumerate(macs), 2)
    return {(a, b) for (a, one), (b, other) in pairs if sum(x != y for x, y in zip(one, other, strict=True)) == 1}


def test_a_randomised_mac_stays_one():
    """`check` says of it what it said before (PF330)."""
    made = Macs(KEY, ["facade000001"]).replace("FA:CA:DE:00:00:01")
    assert made.startswith("02:00:5E:")


def test_a_mac_of_the_block_itself_is_not_given_to_another():
    """A project that is invented already is redacted all the same."""
    originals = [f"00005e0053{number:02x}" for number in range(200)]
    made = {Macs(KEY, originals).replace(one) for one in originals}
    assert len(made) == 200
    assert not made & set(originals)
