"""Rows that say otherwise than today's tables, and the many that only seem to."""

import pytest

from audited import audited, chat, finding, tables, write
from promptforge.dataset.claims import claims
from promptforge.dataset.naming import Namer

NAMER = Namer(tables())


def said(question, answer):
    return [
        (claim.rule, claim.fact)
        for claim in claims(NAMER, question, NAMER.names(question), answer, NAMER.names(answer))
    ]


@pytest.mark.parametrize(
    ("question", "answer", "rule", "fact"),
    [
        ("What is what?", "The Memory Vault listens on port 1337.", "names", "ports/mini:42069"),
        ("Tell me.", "Council MLX is on port 1338 of the mini. It is fast.", "names", "ports/mini:1337"),
        ("Tell me.", "Mara's laptop has the MAC 00:00:5e:00:53:41.", "names", "devices/Mara's laptop"),
        ("Tell me.", "The host kessel is 192.0.2.10.", "names", "hosts/kessel"),
        ("Which port does the Memory Vault use?", "1337", "asks", "ports/mini:42069"),
        ("Which port does the Memory Vault use?", "Port 9999.", "asks", "ports/mini:42069"),
        ("What is the LAN address of kessel?", "192.0.2.99.", "asks", "hosts/kessel"),
        ("Which entity is the Front Door Lock?", "lock.back_door", "asks", "entities/lock.front_door"),
        ("Which service listens on port 1337?", "The Memory Vault.", "whose", "ports/mini:1337"),
        ("Whose is 00:00:5E:00:53:21?", "It is Theo's.", "whose", "devices/Mara's laptop"),
        ("Which device has the MAC 0000.5e00.5321?", "Theo's phone.", "whose", "devices/Mara's laptop"),
        ("Which service listens on port 1337 of the mini?", "Grafana.", "unknown", "ports/mini:1337"),
        ("What is what?", "Port 1337 is Grafana.", "unknown", "ports/mini:1337"),
        ("What is what?", "Grafana listens on port 42069.", "unknown", "ports/mini:42069"),
    ],
)
def test_what_contradicts_the_tables_is_found(question, answer, rule, fact):
    assert said(question, answer) == [(rule, fact)]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which port does the Memory Vault use?", "42069"),
        ("Which port does the Memory Vault use?", "Port 42,069 of the mini."),
        ("Which service listens on port 1337?", "Council MLX, codename LEET."),
        ("Which service listens on port 1337?", "The language models of the Council."),
        ("Which service listens on port 1337?", "I don't know."),
        ("Which service listens on port 1337 of scarif?", "Grafana."),
        ("Which service listens on port 4711?", "Grafana."),
        ("Tell me.", "The Memory Vault is not on port 1337."),
        ("Tell me.", "The Memory Vault was on port 1337 until May."),
        ("Tell me.", "The Memory Vault reaches Council MLX on port 1337."),
        ("Tell me.", "Council MLX is on port 1337, and the Memory Vault on port 42069."),
        ("Tell me.", "The Memory Vault talks to port 1337."),
        ("Is the Memory Vault on port 1337?", "No, it is on port 42069."),
        ("Which port is one above the Memory Vault?", "42070"),
        ("Which port does the Memory Vault not use?", "1337"),
        ("Tell me.", "Grafana listens on port 42069 of scarif."),
        ("Which port does Home Assistant use?", "8123."),
        ("Which service listens on port 8123?", "Grafana."),  # two hosts have one: nobody knows which is meant
        ("Tell me.", "The host kessel backs up to 192.0.2.10."),
        ("What is kessel's tailscale address?", "100.64.0.11"),
        ("Whose is 00:00:5E:00:53:21?", "Mara's."),
        ("Which device has the MAC 0000.5e00.5321?", "Mara's laptop; Theo's phone is another."),
        ("How is the weather?", "Fine."),
        ("Who are you?", "I am Windu, on port 1337."),
    ],
)
def test_what_does_not_is_let_pass(question, answer):
    assert said(question, answer) == []


def test_the_report_shows_both_sides(tmp_path):
    found = audited(write(tmp_path / "rows.jsonl", [chat("Which port does the Memory Vault use?", "1337")]))
    claim = finding(found, "claim.asks")
    assert claim.text == "another identifier for an answer than in today's tables: 1 row"
    assert claim.places[0].what == (
        "“1337”, but ports/mini:42069: host mini, port 42069, codename Nice., service Memory Vault, notes an archive "
        "(knowledge/house.yaml:8)"
    )


def test_a_row_that_says_what_it_prints_is_held_against_just_that(tmp_path):
    """Every value that has changed is found, whatever the words; one that still holds is not."""
    told = {"kind": "infrastructure", "facts": ["ports/mini:42069"]}
    place = ["ports/mini:42069", "port"]
    rows = [
        chat("Ha?", "Hm: 42,069, not 1337.", **told, asked=[place]),
        chat("Ha?", "Hm: 4711.", **told, asked=[place]),
        chat("Ha?", "Hm: Kyber.", **told, asked=[["ports/mini:5432", "codename"]]),
    ]
    found = audited(write(tmp_path / "rows.jsonl", rows))
    stale = finding(found, "claim.stale")
    assert [place.line for place in stale.places] == [2, 3]
    assert stale.places[1].what == "“Hm: Kyber.”, but ports/mini:5432: no such fact any more"
    assert "its port: host mini, port 42069" in stale.places[0].what
