"""What a text prints, looks up by, and depends on."""

import json
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptforge.model import Column, Config, Fact, Project, Rendered, Table, Text
from promptforge.plaintext import plain_text
from promptforge.text import Renderer, TextError
from promptforge.views import stands
from strategies import tries


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


STATES = _table(
    "not",
    "id",
    [{"id": "a", "on": True, "size": 0.5, "many": [1, True, None], "more": {"x": 1}, "off": None, "t": "<|x|>"}],
)
TABLES = {"hosts": HOSTS, "ports": PORTS, "not": STATES, "states": replace(STATES, name="states")}
TABLES |= {name: replace(HOSTS, name=name) for name in ("true", "one", "range", "loop", "agent", "fact", "day")}
PLAIN = [
    *("{{ ports['leet'].port }}", '{{ports["leet"].host}}', "{{ one('ports', port='42069').host }}", "{{ hosts.mini.ip }}"),
    *("{{ one('ports', host='mini',port='1337').needs }}", "{{ fact.port }}", "{{ fact['host'] }}", "{{ agent.name }}"),
    *("{{ user_name }}", "{{ day }}", "{{ states.a.on }}", "{{ states.a.size }}", "{{ states.a.many }}", "{{ states.a.more }}"),
    *("{{ states.a.t }}", "{{ agent['role'] }}", "{{ word }}"),
]  # fmt: skip
ODD = [
    *("{{ states.a.off }}", "{{ one('ports', host='mini').port }}"),
    *("{{ one('ports', table='x').port }}", "{{ one('ports').port }}", "{{ one('prots', id='leet').port }}", "{{ one }}"),
    *("{{ ports['lete'].port }}", "{{ ports.leet.prot }}", "{{ ports }}", "{{ ports.leet }}", "{{ ports.leet.host.upper }}"),
    *("{{ ports.leet.port.real }}", "{{ nobody }}", "{{ nobody.x }}", "{{ user_name.x }}", "{{ user_name['x'] }}", "{{ word.x }}"),
    *("{{ not.a.on }}", "{{ self.mini }}", "{{ true.mini.ip }}", "{{ range.mini.ip }}", "{{ one.mini.ip }}", "{{ loop.mini.ip }}"),
    *("{{ not['a'] }}", "{{ dict }}", "{{ agent.x }}", "{{ agent }}", "{{ fact }}", "{{ ports['leet'].port + 1 }}", "{{- word }}"),
    *("{# {{ ports.leet.port }} #}", "{% raw %}{{ ports.leet.port }}{% endraw %}", "{{ 'a {{ word }}' }}", "{{ wórd }}", "{{ 7 }}"),
    *("{", "}", "{{", "}}", "{%", "{#", "%}", "\r\n", "\n", " ", "a", "é", "{{  word  }}", "{% if fact %}y{% endif %}", "-"),
]  # fmt: skip


def _outcome(source: str) -> Rendered | tuple[str, str, str, int]:
    project = Project(
        config=Config(name="lab", runtime={"user_name": 8, "day": 8}), tables=TABLES, agents={}, examples=(), templates={}
    )  # fmt: skip
    renderer = Renderer(project, clean=lambda text: text.replace("|", "¦"))
    text = Text(source=source, file="s.yaml", path=("x",))
    try:
        return renderer.render(text, agent=("yoda", None), fact=PORTS.facts[0], word="leet")
    except TextError as problem:
        return problem.code, problem.message, problem.hint, problem.line


@tries(150)
@given(st.lists(st.sampled_from([*PLAIN, *ODD]), min_size=1, max_size=4).map("".join))
@example("{{{ word }}")
@example("{{ word }}}")
@example("{{ ports.leet.port }}\n{{ ports.leet.host }} is {{ hosts.mini.ip }}\n")
def test_a_plain_text_comes_out_as_from_jinja(source):
    """Text, what it read, and what is wrong with it: nobody can tell that Jinja was not asked."""
    with patch("promptforge.text.plain_text", lambda *_: None):
        expected = _outcome(source)
    assert _outcome(source) == expected


@pytest.mark.parametrize("source", [*PLAIN, *ODD])
def test_each_kind_of_reference_comes_out_as_from_jinja(source):
    """One by one, too."""
    with patch("promptforge.text.plain_text", lambda *_: None):
        expected = _outcome(source)
    assert _outcome(source) == expected


@pytest.mark.parametrize("source", [text for text in PLAIN if "role" not in text])
def test_plain_references_need_no_jinja(source):
    """Otherwise the comparison above would prove nothing."""
    with patch("promptforge.sandbox.Sandbox.pieces", side_effect=AssertionError("Jinja was asked")):
        assert isinstance(_outcome(source), Rendered)
    for odd in ("{% if x %}{{ x }}{% endif %}", "{{ one('ports', port='1', port='2') }}", "{{{ x }}", "{{ x }}\r\n"):
        assert plain_text(odd, str, lambda table, wanted: table, str) is None


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
