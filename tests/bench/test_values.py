"""Identifiers in prose, and whether a text names a value."""

import ipaddress
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.strategies import tries

from promptforge.bench.identifiers import DOMAINS
from promptforge.bench.values import (
    Found,
    equal,
    identifiers,
    identity,
    in_tailnet,
    mentions,
    places,
    strip_reasoning,
    times,
)


def named(text: str, kind: str) -> list[object]:
    """What identifiers of a kind name."""
    return [one.value for one in identifiers(text) if one.kind == kind]


PORTS = (
    ("port 1337", [1337]),
    ("Port number 42069.", [42069]),
    ("port no. 22", [22]),
    ("ports 1337 and 1338", [1337, 1338]),
    ("ports 1337, 1338, and 42069 are open", [1337, 1338, 42069]),
    ("ports 1337 (LEET) and 1338 (LEET+1)", [1337, 1338]),
    ("ports 80,443", [80, 443]),
    ("ports 22 443", [22, 443]),
    ("ports 1,337 and 1,338", [1337, 1338]),
    ("ports 1337-1340", [1337, 1340]),
    ("port 1,337", [1337]),
    ("port: 1 337", [1337]),
    ("its port is 42'069", [42069]),
    ("The port of the Memory Vault is **42069**.", [42069]),
    ("The port of Nice. is 42069", [42069]),
    ("port `1337`/tcp", [1337]),
    ("**Port:** 1337", [1337]),
    ("port 1337 or 1338", [1337, 1338]),
    ("Die Ports 1337 und 1338", [1337, 1338]),
    ("le port est 1337", [1337]),
    ("mini:1337", [1337]),
    ("`:1337`", [1337]),
    ("(:1337)", [1337]),
    ("http://x:1337/health", [1337]),
    ("https://mini.manor.example:8123", [8123]),
    ("192.0.2.10:1337", [1337]),
    ("[2001:db8::1]:1337", [1337]),
    ("8080:80", [8080, 80]),
    ("tcp/1337", [1337]),
    ("1337/tcp", [1337]),
    ("41641 (udp)", [41641]),
    ("DNS (tcp 53)", [53]),
    ("1337", [1337]),
    ("**42069**.", [42069]),
    ("1337, 1338 and 42069", [1337, 1338, 42069]),
    ('{"port": 1337, "order": 3}', [1337]),
    ('{"port":1337,"order":3}', [1337]),
    ("ha_port: 8123", [8123]),
    ("--port 1337 --seed 5", [1337]),
    ("Ports:\n- 1337: LEET\n- **1338**: LEET+1", [1337, 1338]),
    ("The ports are:\n1. 1337 - LEET\n2. 1338 - LEET+1", [1337, 1338]),
    ("| Port | Order |\n|---|---|\n| 1337 | 5 |\n| 42069 | 6 |", [1337, 42069]),
    ("Port １３３７", [1337]),
    ("port 13\u200b37", [1337]),
    # Numbers, but no ports.
    ("support 1337", []),
    ("airport 12", []),
    ("1337 people", []),
    ("at 22:30", []),
    ("it took 90 seconds", []),
    ("port 1337 and 90 seconds", [1337]),
    ("the port is open for 30 minutes", []),
    ("number of ports: 18", []),
    ("port 70000", []),
    ("port 0", []),
    ("knowledge/ports.yaml:12:9", []),
    ("windu.yaml:12", []),
    ("line:12", []),
    ("2026-11-02", []),
    ("HTTP 404", []),
    ("0x1337", []),
)


@pytest.mark.parametrize(("text", "expected"), PORTS)
def test_a_number_is_a_port_only_where_it_is_written_as_one(text, expected):
    assert named(text, "port") == expected


ADDRESSES = (
    ("192.0.2.10", ["192.0.2.10"]),
    ("ssh root@192.0.2.10, or http://192.0.2.11:8123/api.", ["192.0.2.10", "192.0.2.11"]),
    ("192.0.2.10/24", ["192.0.2.10"]),
    ("192.0.2.10/32", ["192.0.2.10"]),
    ("2001:DB8:1:0:0:0:0:10", ["2001:db8:1::10"]),
    ("[2001:db8::1]:1337", ["2001:db8::1"]),
    ("2001:db8:1::10/64", ["2001:db8:1::10"]),
    ("fe80::1%eth0", ["fe80::1"]),
    ("2001:db8::10: the mini", ["2001:db8::10"]),
    ("::1", ["::1"]),
    ("1.2.3", []),
    ("version 1.2.3.4", []),
    ("v1.2.3.4", []),
    ("192.0.2.300", []),
    ("1.2.3.4.5", []),
    ("std::vector", []),
    ("12:30:45", []),
    ("Note:: see", []),
    ("192.0.2.0/24", []),
)


@pytest.mark.parametrize(("text", "expected"), ADDRESSES)
def test_an_address_is_found_in_any_spelling_and_a_version_is_none(text, expected):
    assert named(text, "ip") == expected


def test_a_network_is_not_an_address():
    assert named("192.0.2.0/24 and 2001:db8::/32", "network") == ["192.0.2.0/24", "2001:db8::/32"]


MACS = (
    "00:00:5E:00:53:21",
    "00-00-5e-00-53-21",
    "0000.5e00.5321",
    "00005E005321",
    "0:0:5e:0:53:21",
    "00 00 5E 00 53 21",
    "MAC 00:00:5E:00:53:21.",
    "`00:00:5e:00:53:21`",
    "(00:00:5E:00:53:21)",
)


@pytest.mark.parametrize("text", MACS)
def test_a_mac_is_found_in_any_spelling(text):
    assert named(text, "mac") == ["00005e005321"]
    assert mentions(text, "00-00-5E-00-53-21", "mac")
    assert not mentions(text, "00:00:5E:00:53:22", "mac")


@pytest.mark.parametrize(
    "text", ["00:00:5E:00:53", "20261102112233", "00:00:5E:00:53:21:00:11", "deadbeefcafe", "12:30:45"]
)
def test_what_is_longer_or_shorter_than_a_mac_is_none(text):
    assert named(text, "mac") == []


def test_a_mac_of_digits_alone_is_found_where_it_is_looked_for():
    assert mentions("its MAC: 102233445510.", "10:22:33:44:55:10", "mac")


ENTITIES = (
    ("light.hallway_2", ["light.hallway_2"]),
    ("LIGHT.Hallway is on.", ["light.hallway"]),
    ("states('lock.front_door')", ["lock.front_door"]),
    ("states.light.kitchen.state", ["light.kitchen"]),
    ("/api/states/light.kitchen", ["light.kitchen"]),
    ("entity_id: sensor.rack_power\n", ["sensor.rack_power"]),
    ("example.com, e.g. file.py", []),
    ("sensor.py and light.yaml", []),
    ("light.turn_on", []),
    ("Turn off the light.Then go.", []),
    ("camera.manor.example", []),
    ("http://camera.house", []),
    ("time.sleep(5)", []),
    ("me@light.house", []),
    ("droid.mouse", []),
)


@pytest.mark.parametrize(("text", "expected"), ENTITIES)
def test_an_entity_id_has_a_domain_that_is_known(text, expected):
    assert named(text, "entity") == expected


def test_a_domain_seen_in_the_knowledge_is_known():
    assert [one.value for one in identifiers("droid.mouse", DOMAINS | {"droid"})] == ["droid.mouse"]


NUMBERS = (
    ("1,337", [1337]),
    ("1 337", [1337]),
    ("1\u202f337", [1337]),
    ("42'069", [42069]),
    ("1,234,567.5", [1234567.5]),
    ("212.40 EUR", [212.4]),
    ("212,40 EUR", [212.4]),
    ("20°C in 90s", [20, 90]),
    ("-4 outside", [-4]),
    ("1337-1338", [1337, 1338]),
    ("1337,1338", [1337, 1338]),
    ("LEET+1", []),
    ("2026-11-02", []),
    ("02.11.2026", []),
    ("11/02/2026", []),
    ("2 November 2026", []),
    ("November 2, 2026", []),
    ("22:30", []),
    ("1.2.3", []),
    ("v2", []),
    ("light.hallway_2", []),
    ("1. Kyber\n2. Nice.", []),
    ("3rd", []),
)


@pytest.mark.parametrize(("text", "expected"), NUMBERS)
def test_a_number_is_read_with_its_separators_and_not_out_of_dates_and_names(text, expected):
    assert named(text, "number") == expected


@given(st.text(max_size=200))
@tries(300)
def test_any_text_can_be_read_and_offsets_point_at_what_was_written(text):
    for one in identifiers(text):
        assert text[one.start : one.end] == one.written
        assert 0 <= one.start < one.end <= len(text)


@given(st.text(alphabet="0123456789abcdef:.,-/ ' []port\n|", max_size=120))
@tries(300)
def test_any_heap_of_digits_can_be_read(text):
    assert all(isinstance(one, Found) and text[one.start : one.end] == one.written for one in identifiers(text))


@pytest.mark.parametrize(
    "piece", ["1:", "a:", "1,", "port ", "ports is ", "1.", "<think>", "| port |", "- ", "ab:cd:", "x.", "1 "]
)
def test_no_text_takes_long_to_read(piece):
    """A hundred thousand characters of the worst kind end; a square of them would not."""
    text = piece * (20_000 // len(piece))
    identifiers(text)
    strip_reasoning(text)
    mentions(text, "Memory Vault")


# ---- mentions --------------------------------------------------------------------------------------------------------

FOUND = (
    ("port 1,337", "1337", "port"),
    ("LEET is 1337.", "1337", "port"),
    ("`1337`", "1337", ""),
    ("mini:1337", "1337", ""),
    ("it is windu's duty", "Windu", ""),
    ("ask the Windu-led team", "windu", ""),
    ("\u201cWindu\u201d", "Windu", ""),
    ("_windu_ says", "windu", ""),
    ("ｗｉｎｄｕ", "windu", ""),
    ("wind\u00adu", "windu", ""),
    ("**Memory**\nVault", "Memory Vault", ""),
    ("the memory-vault", "Memory Vault", "text"),
    ("Memory\u00a0Vault", "Memory Vault", ""),
    ("It is Nice. on 42069", "Nice.", ""),
    ("called **Nice**, on", "Nice.", ""),
    ("Nice", "Nice.", ""),
    ("**Nice.**", "Nice.", ""),
    ("Chatterbox Jr is", "Chatterbox Jr.", ""),
    ("Mara\u2019s laptop", "Mara's laptop", ""),
    ("在厨房里", "厨房", ""),
    ("LEET+1 is", "LEET+1", ""),
    ("C++ is", "C++", ""),
    ("/etc/hosts is", "/etc/hosts", ""),
    ("STRASSE", "Straße", ""),
    ("it's -4 outside", "-4", ""),
    ("49,90 EUR", "49.90", ""),
    ("Light.Kitchen_Ceiling", "light.kitchen_ceiling", "entity"),
    ("droid.mouse is", "droid.mouse", "entity"),
    ("2001:DB8:1:0::10", "2001:db8:1::10", "ip"),
    ("100.64.0.10.", "100.64.0.10", "tailscale"),
    ("in 192.0.2.0/24", "192.0.2.0/24", "network"),
)

NOT_FOUND = (
    ("windows", "windu", ""),
    ("LEET+1", "LEET", ""),
    ("13370", "1337", ""),
    ("41337", "1337", ""),
    ("192.0.2.133", "1337", "port"),
    ("192.0.2.133", "133", ""),
    ("0x1337", "1337", ""),
    ("13.37", "1337", ""),
    ("2026-11-02", "11", ""),
    ("00:00:5E:00:53:22", "00:00:5E:00:53:21", "mac"),
    ("light.kitchen_ceiling", "light.kitchen", "entity"),
    ("light.kitchen_ceiling", "kitchen", ""),
    ("192.0.2.10", "192.0.2.1", "ip"),
    ("Nice try", "Nice.", ""),
    ("don't", "Don", ""),
    ("C++", "C", ""),
    ("1. Kyber", "1", ""),
    ("MemoryVault2", "Memory Vault", ""),
    ("", "x", ""),
    ("x", "", ""),
    ("4 degrees", "-4", ""),
)


@pytest.mark.parametrize(("text", "value", "form"), FOUND)
def test_a_value_is_found_however_it_is_written(text, value, form):
    assert mentions(text, value, form)


@pytest.mark.parametrize(("text", "value", "form"), NOT_FOUND)
def test_a_neighbour_is_not_taken_for_it(text, value, form):
    assert not mentions(text, value, form)


def test_a_name_inside_a_longer_name_is_not_named():
    assert not mentions("It is the Bucket Lid.", "Bucket", "text", ["Bucket Lid"])
    assert mentions("Bucket Lid requires Bucket.", "Bucket", "text", ["Bucket Lid"])


JOINED = ("attic-nas", "old-attic-nas", "the-attic")


@pytest.mark.parametrize(
    ("text", "value", "named"),
    [
        ("It is hub-2.", "hub", False),
        ("It is `mk3-hub`.", "hub", False),
        ("It is hub\u20112.", "hub", False),
        ("It is hub-x-2.", "hub", False),
        ("It is hub-2, or hub.", "hub", True),
        ("a hub-led house", "hub", True),
        ("LEET-based", "LEET", True),
        ("a non-LEET-based model", "LEET", True),
        ("hub - 2 of them", "hub", True),
        ("hub -2", "hub", True),
        ("- hub", "hub", True),
        ("-hub-", "hub", True),
        ("ssh attic-nas", "attic", False),
        ("ssh Attic-NAS", "nas", False),
        ("the old-attic-nas", "attic-nas", False),
        ("the attic-nas-based one", "attic", False),
        ("the very-the-attic-like one", "attic", False),
        ("attic-nas", "attic-nas", True),
        ("the attic, nas", "attic", True),
        ("the attic nas", "attic", True),
        ("attic-side", "attic", True),
        ("Memory-Vault-2", "Memory Vault", False),
        ("the memory-vault-like one", "Memory Vault", True),
    ],
)
def test_a_hyphen_makes_another_name_only_with_a_digit_or_of_a_known_one(text, value, named):
    assert mentions(text, value, names=JOINED) == named


TEMPLATES = (
    "{}",
    "The answer is {}.",
    "It is **{}**, as you know.",
    "`{}`",
    "({})",
    "It must be \u201c{}\u201d!",
    "First:\n- {}\n- something else",
    "| a | {} | b |",
    "That's {}; nothing else.",
    "On 2026-11-02 at 22:30 it was {}, said v1.2.3.",
    "<b>{}</b>",
)
templates = st.sampled_from(TEMPLATES)
ports = st.integers(1000, 65535)
octets = st.lists(st.integers(0, 255), min_size=6, max_size=6)
# Words that are no part of a template, and that no rule reads as anything but a word.
words = st.from_regex(r"[g-z]{4,9}", fullmatch=True).filter(lambda w: not any(w in t.lower() for t in TEMPLATES))


@given(templates, ports, st.sampled_from(["{}", "{:,}", "port {}", ":{}", "{}/tcp", "mini:{}"]))
@tries(200)
def test_a_port_is_found_in_any_sentence_and_its_neighbours_are_not(template, port, spelling):
    text = template.format(spelling.format(port))
    assert mentions(text, str(port), "port")
    for other in (port + 1, port - 1, port * 10, port // 10, int(str(port)[1:])):
        assert other == port or not mentions(text, str(other), "port")


@given(templates, octets, st.sampled_from([":", "-", ""]), st.booleans(), st.integers(0, 5))
@tries(200)
def test_a_mac_is_found_in_any_sentence_and_one_octet_apart_is_not(template, numbers, joint, upper, at):
    written = joint.join(f"{n:02x}" for n in numbers)
    assume(joint or not written.isalpha())
    other = [(n + 1) % 256 if i == at else n for i, n in enumerate(numbers)]
    text = template.format(written.upper() if upper else written)
    assert mentions(text, ":".join(f"{n:02X}" for n in numbers), "mac")
    assert not mentions(text, ":".join(f"{n:02X}" for n in other), "mac")


@given(templates, st.ip_addresses(), st.booleans())
@tries(200)
def test_an_address_is_found_in_any_sentence_and_its_neighbour_is_not(template, address, exploded):
    assume(str(address) not in ("::",) and re.search(r"\d", str(address)))
    text = template.format(address.exploded if exploded else str(address))
    assert mentions(text, str(address), "ip")
    assert not mentions(text, str(ipaddress.ip_address(int(address) ^ 1)), "ip")


@given(templates, st.sampled_from(sorted(DOMAINS)), words)
@tries(100)
def test_an_entity_is_found_in_any_sentence_and_a_longer_one_is_not(template, domain, name):
    text = template.format(f"{domain}.{name}")
    assert mentions(text, f"{domain}.{name.upper()}", "entity")
    assert not mentions(text, f"{domain}.{name}_2", "entity")
    assert not mentions(text, f"{domain}.{name[:-1]}", "entity")


@given(
    templates, st.lists(words, min_size=1, max_size=3, unique=True), st.sampled_from([" ", "-", "\n", "  "]), st.data()
)
@tries(200)
def test_words_are_found_in_any_sentence_and_parts_of_words_are_not(template, parts, gap, data):
    text = template.format(gap.join(parts).title())
    assert mentions(text, " ".join(parts))
    assert not mentions(text, " ".join(parts)[:-1])
    other = data.draw(words)
    assert any(other in part for part in parts) or not mentions(text, other)


@given(st.text(max_size=60), st.text(max_size=20))
@tries(300)
def test_any_two_texts_can_be_compared(text, value):
    """Nothing raises, and what is found is somewhere."""
    assert mentions(text, value) == (next(places(text, value), None) is not None)
    assert isinstance(equal(text, value), bool)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7:15", ["07:15"]),
        ("07:15.", ["07:15"]),
        ("**7:15 am**", ["07:15"]),
        ("7.15 a.m.", ["07:15"]),
        ("7:15 pm", ["19:15"]),
        ("8 pm", ["20:00"]),
        ("8pm", ["20:00"]),
        ("20.00 Uhr", ["20:00"]),
        ("20h00", ["20:00"]),
        ("8 o'clock in the evening", ["20:00"]),
        ("8 in the morning", ["08:00"]),
        ("11 at night", ["23:00"]),
        ("2 at night", ["02:00"]),
        ("12 am, 12 pm", ["00:00", "12:00"]),
        ("the doors lock at 12 at night", ["00:00"]),
        ("12:30 at night, 6 at night", ["00:30", "18:00"]),
        ("12 in the afternoon", ["12:00"]),
        ("20:00-24:00, 24 Uhr", ["20:00", "00:00", "00:00"]),
        ("24:01, 24 pm", []),
        ("06:00/07:15/19:30", ["06:00", "07:15", "19:30"]),
        ("06:00,07:15", ["06:00", "07:15"]),
        ("Mon,07:15", ["07:15"]),
        ("6am/8pm, 6 a.m./8 p.m.,9pm", ["06:00", "20:00", "06:00", "20:00", "21:00"]),
        ("6h15/7h15, 20.00 Uhr/21.30 Uhr", ["06:15", "07:15", "20:00", "21:30"]),
        ("/var/12/07:15, 7,15 Uhr, 07:15+08:00", ["07:15"]),
        ("from 20:00-21:30", ["20:00", "21:30"]),
        ("06:30:00", ["06:30"]),
        ("20.00 EUR, 8 lamps, 24:30, 7:5, 7:155, version 7.15", []),
        ("00:00:5E:00:53:21, 00:15:5e:00:53:21", []),
        ("mini:1337, 192.0.2.10:8080, 2001:db8::10:20", []),
        ("2026-11-02T07:15:00", []),
    ],
)
def test_a_time_of_day_is_read_in_its_usual_spellings(text, expected):
    assert list(times(text)) == expected


@tries(200)
@given(st.integers(0, 23), st.integers(0, 59))
def test_every_time_of_day_is_found_with_a_zero_and_without_and_by_its_half(hour, minute):
    """Twelve hours apart is another time, and so is a minute more."""
    value, half = f"{hour:02}:{minute:02}", "am" if hour < 12 else "pm"
    for said in (value, f"{hour}:{minute:02}", f"{(hour - 1) % 12 + 1}:{minute:02} {half}"):
        assert mentions(f"At {said}.", value)
        assert equal(said, value)
        assert not mentions(f"At {said}.", f"{(hour + 12) % 24:02}:{minute:02}")
        assert not mentions(f"At {said}.", f"{hour:02}:{(minute + 1) % 60:02}")


def test_midnight_may_be_the_end_of_the_day():
    for said in ("at 24:00", "at 12 at night", "at 00:00", "at 12 am"):
        assert mentions(said, "00:00")
        assert mentions(said, "24:00")
        assert not mentions(said, "12:00")
    assert equal("24:00", "00:00")
    assert not mentions("at 12 pm", "00:00")


def test_a_time_is_the_whole_answer_only_where_nothing_else_is_said():
    assert equal("**7:15 am.**", "07:15")
    assert not equal("At 7:15", "07:15")
    assert not equal("7:15 or 8:00", "07:15")


def test_times_have_their_order():
    first, second = (next(places("8 pm, and before it 7:15", value)) for value in ("20:00", "07:15"))
    assert first < second


def test_identity_says_what_is_named():
    assert identity("1337", "port") == ("number", 1337)
    assert identity("0123") is None
    assert identity("2026-11-01", "date") is None
    assert identity("22:22") is None
    assert identity("x:y", "mac") is None
    assert identity("Droid.Mouse", "entity") == ("entity", "droid.mouse")
    assert identity("198.51.100.0/24", "network") == ("network", "198.51.100.0/24")


def test_the_tailnet_is_known_by_its_ranges():
    assert in_tailnet("fd7a:115c:a1e0::1")
    assert not in_tailnet("2001:db8::1")


def test_order_of_places_is_order_in_the_text():
    text = "Ｆirst Kyber, then 42,069, then LEET."
    kyber, port, leet = (next(places(text, value)) for value in ("Kyber", "42069", "LEET"))
    assert kyber < port < leet


EQUAL = (
    ("**1,337**.", "1337", "port"),
    ("Nice.", "Nice.", ""),
    ("nice", "Nice.", ""),
    ('"Memory  Vault"', "memory vault", ""),
    ("192.0.2.10.", "192.0.2.10", "ip"),
)


@pytest.mark.parametrize(("text", "value", "form"), EQUAL)
def test_equal_looks_past_markup_and_spelling(text, value, form):
    assert equal(text, value, form)


@pytest.mark.parametrize(
    ("text", "value"), [("Port 1337", "1337"), ("1338", "1337"), ("the Memory Vault", "Memory Vault"), ("", "x")]
)
def test_equal_wants_the_value_and_nothing_else(text, value):
    assert not equal(text, value)


# ---- reasoning -------------------------------------------------------------------------------------------------------

THOUGHTS = (
    ("<think>1337?</think>42069", "42069"),
    ("<think>\n1337?\n</think>\n\n42069", "42069"),
    ("<THINKING effort='high'>1337?</THINKING> 42069", "42069"),
    ("<reasoning>1337?</reasoning>42069", "42069"),
    ("A <think>x</think> B <think>y</think> C", "A  B  C"),
    ("<think>a <think>b</think> c</think>42069", "42069"),
    ("1337? no.</think>42069", "42069"),
    ("<think>1337, or", ""),
    ("42069 <think>or 1337", "42069"),
    ("[THINK]1337[/THINK]42069", "42069"),
    ("◁think▷1337◁/think▷42069", "42069"),
    ("<|START_THINKING|>1337<|END_THINKING|>42069", "42069"),
    ("<|channel>thought\n1337<channel|>42069", "42069"),
    ("<|channel|>analysis<|message|>1337<|end|><|start|>assistant<|channel|>final<|message|>42069<|return|>", "42069"),
    ("<|channel|>analysis<|message|>1337", ""),
    ("<|channel|>final<|message|>42069<|end|>", "42069"),
    ("analysisWe need 1337.assistantfinal42069", "42069"),
    ("Write `<think>` and `</think>` around it.", "Write `<think>` and `</think>` around it."),
    ("Is it `LEET`</think>42069", "42069"),
    ("a < b and [x]", "a < b and [x]"),
    ("", ""),
)


@pytest.mark.parametrize(("text", "expected"), THOUGHTS)
def test_thinking_aloud_is_not_the_answer(text, expected):
    assert strip_reasoning(text) == expected


@given(
    st.text(alphabet=st.characters(exclude_characters="<>[]|◁▷"), max_size=50),
    st.sampled_from(["think", "thinking", "reasoning"]),
)
@tries(100)
def test_what_is_thought_never_reaches_the_score(thought, tag):
    assert strip_reasoning(f"<{tag}>{thought}</{tag}>ok") == "ok"
    assert strip_reasoning(f"{thought}</{tag}>ok") == "ok"
    assert strip_reasoning(f"ok<{tag}>{thought}") == "ok"
