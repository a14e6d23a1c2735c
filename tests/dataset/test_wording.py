"""Plain substitution says what the renderer says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.compiler.scan import neutralise
from promptforge.dataset.phrasings import DIRECTIONS, Phrasings, builtin_phrasings
from promptforge.dataset.wording import Wording, uses_fact
from promptforge.model import Column, Config, Fact, Project, Table, Text
from promptforge.text import Renderer, TextError
from strategies import NASTY, tries

pieces = st.one_of(
    st.sampled_from(["{{ name }}", "{{value}}", "{{ fact.a }}", "{{ fact.b }}", "{{fact.c}}", "{{ agent.name }}", "{{ nobody }}"]),
    st.sampled_from(["{{ fact['a'] }}", "{% if name %}yes{% endif %}", "{# gone #}", "{{ name | upper }}", "\n", "{", "}}", " "]),
    st.text(max_size=6),
)  # fmt: skip
values = st.one_of(
    st.sampled_from(NASTY), st.integers(), st.booleans(), st.none(), st.lists(st.text(max_size=4), max_size=2)
)


def house(values: dict) -> tuple[Project, Fact]:
    fact = Fact("t", "k", values, "knowledge/t.yaml", 1, 0, "internal")
    table = Table(
        name="t", key=("a",), columns={c: Column() for c in "abc"}, declared=frozenset("abc"), defaults={},
        facts=(fact,), by_key={"k": fact},
    )  # fmt: skip
    return Project(config=Config(name="x"), tables={"t": table}, agents={}, examples=(), templates={}), fact


@given(st.lists(pieces, max_size=5), st.fixed_dictionaries({"a": values, "b": values}), st.sampled_from(NASTY))
@tries(300)
def test_a_text_comes_out_as_the_renderer_writes_it(parts, columns, name):
    """Or fails with the same complaint."""
    project, fact = house(columns)
    renderer = Renderer(project, clean=neutralise)
    text = Text("".join(parts), "training/phrasings.yaml", ("phrasings",))
    names, agent = {"name": name, "value": "v"}, ("windu", "Security")
    try:
        expected, code = renderer.render(text, agent=agent, fact=fact, **names).text, ""
    except TextError as problem:
        expected, code = "", problem.code
    try:
        made = Wording(renderer, neutralise).fill([text], names, fact, agent)[0]
    except TextError as problem:
        made, failed = "", problem.code
    else:
        failed = ""
    assert failed == code
    assert (made if isinstance(made, str) else made.text) == expected


@pytest.mark.parametrize(
    ("source", "used"), [("{{ fact.host }}", True), ("{{ name }} x", False), ("{{ fact['a'] }}", True)]
)
def test_whether_a_text_prints_its_fact(source, used):
    """What a row of the unknown rests on is decided by it."""
    assert uses_fact(Text(source, "f")) is used


def test_every_direction_has_at_least_five_ways_to_ask():
    """Also each of the particular ones; and the texts are sound."""
    builtin = builtin_phrasings()
    assert {direction for direction, _, _ in builtin.pairs} == set(DIRECTIONS)
    assert min(len(pair.ask) for pair in builtin.pairs.values()) >= 5
    assert all(len(set(pair.ask)) == len(pair.ask) for pair in builtin.pairs.values())
    for direction in DIRECTIONS:
        assert Phrasings({}).of(direction, "any", "column").ways >= 15
