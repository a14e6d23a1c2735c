"""What a text prints, looks up by, and depends on."""

import json

import pytest

from promptforge.model import Column, Config, Fact, Project, Table, Text
from promptforge.text import Renderer
from promptforge.views import stands


def _table(name: str, key: str, facts: list[dict[str, object]], refs: dict[str, str] | None = None) -> Table:
    facts = [json.loads(json.dumps(values)) for values in facts]  # a parser makes each text anew
    made = tuple(
        Fact(name, str(values[key]), values, "k.yaml", number, number, "internal")
        for number, values in enumerate(facts)
    )
    columns = {column: Column(ref=(refs or {}).get(column, "")) for fact in facts for column in fact}
    by_key = {fact.key: fact for fact in made}
    return Table(
        name=name, key=(key,), columns=columns, declared=frozenset(columns), defaults={}, facts=made, by_key=by_key
    )


HOSTS = _table("hosts", "name", [{"name": "mini", "ip": "192.0.2.10"}, {"name": "nas", "ip": "192.0.2.11"}])
PORTS = _table(
    "ports",
    "id",
    [
        {"id": "leet", "port": 1337, "host": "mini", "needs": ["vault", "disk"]},
        {"id": "vault", "port": 42069, "host": "mini"},
        {"id": "disk", "port": 2049, "host": "nas"},
    ],
    {"host": "hosts"},
)


def printed(source: str) -> set[tuple[str, str]]:
    project = Project(
        config=Config(name="lab"), tables={"hosts": HOSTS, "ports": PORTS}, agents={}, examples=(), templates={}
    )
    return set(Renderer(project).render(Text(source=source, file="s.yaml", path=("x",))).printed)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ ports['leet'].port }}", {("ports/leet", "port")}),
        ("{{ one('ports', port=42069).host }}", {("ports/vault", "host")}),
        ("{{ hosts[ports['leet'].host].ip }}", {("hosts/mini", "ip")}),
        ("{{ ports['leet'].host }} is {{ hosts[ports['leet'].host].ip }}", {("ports/leet", "host"), ("hosts/mini", "ip")}),
        ("{{ ports['leet'].host }} and {{ hosts['mini'].ip }}", {("ports/leet", "host"), ("hosts/mini", "ip")}),
        ("{{ ports['leet'].needs | join(', ') | upper }}", {("ports/leet", "needs")}),
        ("{% for n in ports['leet'].needs %}{{ ports[n].port }} {% endfor %}", {("ports/vault", "port"), ("ports/disk", "port")}),
        ("{% if ports['leet'].port == 1337 %}yes{% endif %}", set()),
        ("{% set h = ports['disk'].host %}{{ hosts[h].ip }}", {("hosts/nas", "ip")}),
        ("{{ 'mini' in hosts }}", set()),
        ("plain", set()),
    ],
)  # fmt: skip
def test_what_is_printed_is_told_from_what_is_looked_up_by(source, expected):
    """A value that only leads to another fact, or is only tested, is not what the text says."""
    assert printed(source) == expected


def test_a_text_may_call_one_fact_by_name():
    """In `generate` there is `fact`: what the text reads of it is a dependence like any other."""
    project = Project(config=Config(name="lab"), tables={"ports": PORTS}, agents={}, examples=(), templates={})
    text = Text(source="What is on {{ fact.port }}?", file="s.yaml", path=("x",))
    rendered = Renderer(project).render(text, fact=PORTS.facts[1])
    assert rendered.text == "What is on 42069?"
    assert rendered.printed == (("ports/vault", "port"),)
    assert rendered.reads == ("ports/vault",)


@pytest.mark.parametrize(
    ("value", "text", "named"),
    [
        (53, "at 2001:db8:1::53", False),
        (53, "port 53.", True),
        (10, "192.0.2.10", False),
        (1337, "mini:1337", True),
        ("mini", "mini:1337", True),
        ("192.0.2.10", "http://192.0.2.10:8123", True),
        ("Nice.", "it is nice.", True),
        ("windu", "on windows", False),
        (["a", "leet"], "leet", True),
        ("", "anything", False),
    ],
)
def test_a_value_stands_in_a_text_as_a_word_of_its_own(value, text, named):
    """A port is not the end of an address."""
    assert stands(value, text) is named
