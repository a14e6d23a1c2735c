"""A report hides every value of a private fact, single words too, in every form."""

import json

import pytest

from cli.test_bench import lab, model  # noqa: F401
from promptforge.bench.report.redact import MASK

PRIVATE = ("zebulon", "bluewhale", "4711", "377", "velvet otter")
DEVICES = (
    "devices:\n"
    "  - {name: Mara's phone, kind: phone, owner: Mara, colour: teal}\n"
    "  - {name: Pip's tablet, kind: tablet, sensitivity: private, owner: Zebulon, codeword: bluewhale, colour: teal,"
    " pin: 4711, room: 377, shelf: 12, size: 1.5, locked: true, lent: 'yes', nick: Bo, alias: [Velvet Otter]}\n"
)
SUITE = """
suite: den
categories: [secrets]
cases:
  - id: owner
    category: secrets
    agents: [yoda]
    ask: Whose is the tablet, and what is its code word?
    expect: {all: ["{{ one('devices', kind='tablet').owner }}", "{{ one('devices', kind='tablet').codeword }}"]}
  - id: zebulon-again
    category: secrets
    agents: [yoda]
    ask: Which word opens what bluewhale opens, in room 377?
    expect: {all: [BLUE-WHALE, Velvet Otter]}
"""


@pytest.fixture
def den(house, lab):  # noqa: F811
    """The small house with a private device whose values are single words, and a model at home that may say them."""

    def at(server):
        lab(server)
        text = (house / "knowledge/house.yaml").read_text(encoding="utf-8")
        house.write("knowledge/house.yaml", text[: text.index("devices:")] + DEVICES)
        house.write("agents/yoda.yaml", "name: yoda\nmodel: local\npersona: You are Yoda.\nsections: [{table: devices}]\n")
        (house / "suites/lab.yaml").unlink()
        house.write("suites/den.yaml", SUITE)

    return at


def told(system, question):
    """It knows what its prompt holds; without it, it makes something up. Both are said in several spellings."""
    if "Zebulon" in system:
        return "ZEBULON's; the word is *Blue-Whale*, pin 4711, 12 of teal, true or yes, velvet_otter."
    return "Perhaps bluewhale, says Zebulon."


@pytest.mark.parametrize("form", ["html", "json", "markdown", "junit"])
def test_single_words_of_private_facts_are_hidden(pf, den, form):
    """In questions, answers, expectations, ids and the lines of prompts; a report that may show them has them all."""
    with model(told) as server:
        den(server)
        assert pf("bench").code == 0
    hidden = pf("report", "--format", form, "--output", "-").out if form != "html" else page(pf)
    low = hidden.lower().replace("-", "").replace("_", " ")
    assert [value for value in PRIVATE if value in low.split("const kindsof")[0]] == []
    assert MASK in hidden
    if form == "json":
        shown = json.loads(pf("report", "--format", form, "--include-private").out)
        assert "ZEBULON's" in json.dumps(shown, ensure_ascii=False)
        answer = json.loads(hidden)["replies"][-1]["answer"]["text"]
        assert "12 of teal, true or yes" in answer
