"""Rows that say otherwise than today's tables, and the many that only seem to."""

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from audited import audited, chat, finding, tables, write
from promptforge.compiler.build import compile_project
from promptforge.dataset.claims import claims
from promptforge.dataset.naming import Namer
from promptforge.files import Tree, read_folder
from promptforge.text import TextError
from promptforge.workbench.datasets import make_rows
from promptforge.workbench.recipes import find_recipe, load_recipes
from promptforge.workbench.suites import load_suites

TODAY = datetime.date(2026, 11, 22)
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
        ("Tell me.", "LEET listens on port 1437.", "names", "ports/mini:1337"),
        ("Tell me.", "leet is on 1437", "names", "ports/mini:1337"),
        ("Tell me.", "LEET's port is 1437.", "names", "ports/mini:1337"),
        ("Tell me.", "**LEET** → `1437`", "names", "ports/mini:1337"),
        ("Tell me.", "The port of LEET is 1437.", "names", "ports/mini:1337"),
        ("Tell me.", "LEET runs on mini:1437.", "names", "ports/mini:1337"),
        ("Tell me.", "LEET listens on port 1437, not 1337.", "names", "ports/mini:1337"),
        ("Tell me.", "In this house LEET has port 1437.", "names", "ports/mini:1337"),
        ("Tell me.", "Port 1338 is LEET.", "names", "ports/mini:1337"),
        ("Tell me.", "1437 is LEET's port.", "names", "ports/mini:1337"),
        ("Tell me.", "Nice. listens on port 42068.", "names", "ports/mini:42069"),
        ("Tell me.", "Default is on port 8124.", "names", "ports/mini:8123"),
        ("Tell me.", "The MAC of Theo's phone is 00:00:5E:00:53:99.", "names", "devices/Theo's phone"),
        ("Tell me.", "the mac address of theo’s phone is 0000.5e00.5399", "names", "devices/Theo's phone"),
        ("Tell me.", "Kitchen Ceiling is light.kitchen_2.", "names", "entities/light.kitchen"),
        ("Which port is LEET?", "1437", "asks", "ports/mini:1337"),
        ("which port is leet on?", "It is 1437.", "asks", "ports/mini:1337"),
        ("Where does LEET listen?", "On 1437.", "asks", "ports/mini:1337"),
        ("Which port does Default use?", "8124", "asks", "ports/mini:8123"),
        ("What runs on 1337?", "LEET+1.", "whose", "ports/mini:1337"),
        ("Which codename has port 1338?", "That is LEET.", "whose", "ports/mini:1338"),
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
        ("Tell me.", "LEET+1 listens on port 1338."),
        ("Tell me.", "LEET was on 1437."),
        ("Tell me.", "If LEET is on port 1437, call."),
        ("Tell me.", "Someone said LEET is on port 1437; that is wrong."),
        ("Tell me.", "Is LEET on port 1437?"),
        ("Tell me.", "Backup LEET is on port 1400."),
        ("Tell me.", "Clients of LEET connect to port 1437."),
        ("Tell me.", "The neighbour of LEET is 1338."),
        ("Tell me.", "Port 1338 is LEET's neighbour."),
        ("Tell me.", "LEET answers in 1400 ms."),
        ("Tell me.", "LEET is 1 of 3."),
        ("Tell me.", "The default port is 8080."),
        ("Tell me.", "Default port: 8080"),
        ("Tell me.", "Bucket is on 12 shelves."),
        ("Tell me.", "Object storage listens on port 9001 by default."),
        ("What is the default port of Postgres?", "5432"),
        ("Which port is default for Postgres?", "5432"),
        ("Which port does LEET use to reach Nice.?", "42069"),
        ("Which port copies to LEET at night?", "42069"),
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


SHARED = """
hosts: {mini: {lan_ip: 192.0.2.10, ipv6: "2001:db8:1::10"}, nas: {lan_ip: 192.0.2.11}}
ports:
  - {host: mini, port: 9100, codename: Pulse, service: Metrics exporter}
  - {host: nas, port: 9101, codename: Pulse, service: Metrics exporter}
  - {host: mini, port: 5432, codename: Kyber, service: PostgreSQL}
devices: [{name: Kim's phone, mac: 00:00:5E:00:53:41, wifi_mac: 00:00:5E:00:53:42}]
"""


def of_shared(question, answer):
    files = {"promptforge.yaml": b"name: small\n", "knowledge/house.yaml": SHARED.encode()}
    namer = Namer(compile_project(Tree(root=Path(), files=files), today=TODAY).project.tables)
    found = claims(namer, question, namer.names(question), answer, namer.names(answer))
    return [(claim.rule, claim.fact) for claim in found]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Tell me.", "Pulse listens on port 9101."),
        ("Tell me.", "Pulse is on 9100 of mini and 9101 of nas."),
        ("Tell me.", "Metrics exporter: mini:9100, nas:9101"),
        ("Which port is Pulse?", "Port 9100 on mini, port 9101 on nas."),
        ("Which port is Pulse on the nas?", "9101"),
        ("What runs on port 9101?", "Pulse"),
        ("Tell me.", "Kim's phone has the MAC 00:00:5E:00:53:42."),
        ("What is the IPv6 address of mini?", "2001:db8:1::10"),
        ("Tell me.", "PostgreSQL listens on port 5433 by default."),
    ],
)
def test_of_what_has_several_values_each_holds(question, answer):
    assert of_shared(question, answer) == []


@pytest.mark.parametrize(
    ("question", "answer", "found"),
    [
        ("Tell me.", "Pulse listens on port 9102.", ("names", "ports/mini:9100")),
        ("Tell me.", "On nas, Pulse listens on port 9100.", ("names", "ports/nas:9101")),
        ("Which port is Pulse on the nas?", "9100", ("asks", "ports/nas:9101")),
        ("What runs on port 9101?", "Kyber", ("whose", "ports/nas:9101")),
        ("Tell me.", "kim's phone has the mac 00:00:5e:00:53:43", ("names", "devices/Kim's phone")),
    ],
)
def test_what_none_of_them_has_is_found(question, answer, found):
    assert of_shared(question, answer) == [found]


PLAIN = """
hosts:
  shed: {lan_ip: 192.0.2.30, role: storage}
  cellar: {lan_ip: 192.0.2.31, role: backup}
  loft: {lan_ip: 192.0.2.32, role: tv}
ports:
  - {host: shed, port: 5353, codename: Wren, service: DNS}
  - {host: cellar, port: 3000, codename: Lookout, service: Grafana}
  - {host: loft, port: 1337, codename: Anvil, service: LLM}
  - {host: loft, port: 8123, codename: Default, service: Home Assistant}
entities:
  - {entity_id: lock.back_door, name: Back Door}
  - {entity_id: light.stairs, name: Stairs Light}
"""
"""A house whose names are words like any other."""


def of_plain(question, answer):
    files = {"promptforge.yaml": b"name: plain\n", "knowledge/house.yaml": PLAIN.encode()}
    namer = Namer(compile_project(Tree(root=Path(), files=files), today=TODAY).project.tables)
    found = claims(namer, question, namer.names(question), answer, namer.names(answer))
    return [(claim.rule, claim.fact) for claim in found]


BACK_DOOR = "What is the entity_id of the Back Door?"
HEAD = "| codename | host | port |\n|---|---|---|\n"


@pytest.mark.parametrize(
    ("question", "answer", "found"),
    [
        (BACK_DOOR, "lock.backdoor", ("asks", "entities/lock.back_door")),
        (BACK_DOOR, "It is `light.stairs`.", ("asks", "entities/lock.back_door")),
        ("Tell me.", "cellar (192.0.2.32)", ("names", "hosts/cellar")),
        ("Tell me.", "cellar: 192.0.2.32", ("names", "hosts/cellar")),
        ("Which hosts are there?", "- shed (192.0.2.30)\n- cellar (192.0.2.32)", ("names", "hosts/cellar")),
        ("Tell me.", "Lookout = 3001", ("names", "ports/cellar:3000")),
        ("Tell me.", "Wren is at shed, port 5354", ("names", "ports/shed:5353")),
        ("Tell me.", "Anvil: loft 1338", ("names", "ports/loft:1337")),
        ("Tell me.", "Anvil: loft:1338", ("names", "ports/loft:1337")),
        ("List.", f"{HEAD}| Lookout | cellar | 3000 |\n| Wren | shed | 5354 |", ("names", "ports/shed:5353")),
        ("List.", "| host | address |\n|---|---|\n| cellar | 192.0.2.32 |", ("names", "hosts/cellar")),
        ("List.", "| name | entity |\n|:--|--:|\n| Back Door | lock.backdoor |", ("names", "entities/lock.back_door")),
    ],
)
def test_a_name_that_is_a_common_word_is_one_in_a_list_or_a_table(question, answer, found):
    """At the start of a line, before a sign; in a cell of its own; in a question that names nothing else."""
    assert of_plain(question, answer) == [found]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (BACK_DOOR, "lock.back_door"),
        ("Which light is behind the Back Door?", "light.stairs"),
        ("Tell me.", "cellar (192.0.2.31)"),
        ("Tell me.", "The wine is in the cellar (192.0.2.32 is elsewhere)."),
        ("Tell me.", "Put it in the cellar: 192.0.2.32 sorts it."),
        ("Tell me.", "Lookout = 3000"),
        ("Tell me.", "lookout = 3001"),
        ("Tell me.", "Default: 8080"),
        ("Tell me.", "Lookout: 3001 steps"),
        ("Tell me.", "Anvil: loft 1337"),
        ("List.", f"{HEAD}| Lookout | cellar | 3000 |\n| Wren | shed | 5353 |"),
        ("List.", "| codename | requests |\n|---|---|\n| Wren | 5354 |"),
        ("List.", "| host | address | gateway |\n|---|---|---|\n| cellar | 192.0.2.31 | 192.0.2.1 |"),
        ("List.", "| host | from | to |\n|---|---|---|\n| cellar | 192.0.2.31 | 192.0.2.32 |"),
    ],
)
def test_a_common_word_elsewhere_is_no_name(question, answer):
    """What is in a cellar, what a default is, and what another column counts."""
    assert of_plain(question, answer) == []


def test_nothing_that_the_example_project_can_emit_contradicts_it():
    """Every wording of every seed of all agents is let pass, though none says what it rests on."""
    build = compile_project(read_folder(Path(__file__).parents[2]), today=TODAY)
    recipes = load_recipes(build)
    recipe = replace(find_recipe(recipes, "cilghal"), agents=tuple(build.project.agents), weak_from="")
    stock = make_rows(build, load_suites(build), recipes, recipe).stock
    namer, wrong = Namer(build.project.tables), []
    for number, seed in enumerate(stock.seeds):
        try:
            made = stock.maker.worded(seed, number)
        except TextError:
            continue
        question, answer = made.question, made.answer
        wrong += [*claims(namer, question, namer.names(question), answer, namer.names(answer))]
    assert len(stock.seeds) > 1000
    assert wrong == []
