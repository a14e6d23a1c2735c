"""A report hides every value of a private fact, single words too, in every form."""

import html
import json
from contextlib import contextmanager

import pytest

from backends.servers import completion, response, serving
from promptforge.bench.report.redact import MASK

PRIVATE = ("zebulon", "bluewhale", "velvet otter", "tablet")
"""Letters alone: digits may stand in a digest, too."""
DEVICES = (
    "devices:\n"
    "  - {name: Mara's phone, kind: phone, owner: Mara, colour: teal}\n"
    "  - {name: Pip's tablet, kind: tablet, sensitivity: private, owner: Zebulon, codeword: bluewhale, colour: teal,"
    " slot: 4711, room: 377, shelf: 12, size: 1.5, locked: true, lent: 'yes', nick: Bo, alias: [Velvet Otter]}\n"
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


def told(system):
    """It knows what its prompt holds; without it, it makes something up. Both are said in several spellings."""
    if "Zebulon" in system:
        return "ZEBULON's; *Blue-Whale*, velvet_otter; slot 4711, room 377, shelf 12, 15 inches, teal, true, yes."
    return "Perhaps bluewhale, says Zebulon."


@contextmanager
def model(told=told):
    """A model server that says what it was told."""

    def reply(asked, connection):
        if asked.method == "GET":
            connection.sendall(response({"object": "list", "data": [{"id": "m"}]}))
        else:
            connection.sendall(response(completion(told(asked.json["messages"][0]["content"]))))
        return True

    with serving(reply) as server:
        yield server


BILLS = (
    "bills:\n  - {id: bram, payee: Bram Doe, amount_eur: 1450.00, sensitivity: private}\n"
    "  - {id: power, payee: Twin Suns, amount_eur: 212.40, sensitivity: private}\n"
    "things:\n  - {id: t1, mac: '00:00:5E:00:53:44', ip: 192.0.2.121, sensitivity: private}\n"
)
SPELLED = (
    *("1450", "1 450", "1,450", "212.4", "fe80::200:5eff:fe00:5344", "00%3A00%3A5E%3A00%3A53%3A44", "192.000.002.121"),
    *("::ffff:c000:279", "121.2.0.192.in-addr.arpa", "192 dot 0 dot 2 dot 121", "3221226105", "0xC0000279"),
    *("00&#58;00&#58;5E&#58;00&#58;53&#58;44", "192 0 2 121", "0xC0.0x0.0x2.0x79", "192\\.0\\.2\\.121"),
)
"""As no file of the house writes them."""


@pytest.fixture
def asked(house, pf):
    """The small house with a private device whose values are single words, asked of a model at home."""
    text = (house / "knowledge/house.yaml").read_text(encoding="utf-8")
    house.write("knowledge/house.yaml", text[: text.index("devices:")] + DEVICES)
    house.write("agents/yoda.yaml", "name: yoda\nmodel: local\npersona: You are Yoda.\nsections: [{table: devices}]\n")
    house.write("suites/den.yaml", SUITE)
    with model() as server:
        settings = f"{{backend: compatible, base_url: '{server.base_url}', model: m, tier: local, context: 8192}}"
        house.write("promptforge.yaml", f"name: hut\nbudget: 1000\nmodels:\n  cloud: {settings}\n  local: {settings}\n")
        assert pf("bench").code == 0
    return pf


@pytest.mark.parametrize("form", ["html", "json", "markdown", "junit"])
def test_single_words_of_private_facts_are_hidden(asked, form):
    """In questions, answers, expectations, ids and the lines of prompts, however they are spelt."""
    hidden = asked("report", "--format", form, "--output", "-").out
    assert MASK in hidden
    words = hidden.lower().replace("-", "").replace("_", " ")
    assert [value for value in PRIVATE if value in words] == []
    shown = asked("report", "--format", form, "--output", "-", "--include-private").out
    assert "zebulon" in shown.lower()
    assert MASK not in shown


def test_what_is_not_private_is_left_alone(asked):
    """A value that another fact has too, a truth value, and what is shorter than three letters and digits."""
    answers = {reply["answer"]["text"] for reply in json.loads(asked("report", "--format", "json").out)["replies"]}
    assert answers == {
        f"{MASK}'s; *{MASK}*, {MASK}; slot {MASK}, room {MASK}, shelf 12, 15 inches, teal, true, yes.",
        f"Perhaps {MASK}, says {MASK}.",
    }


@pytest.mark.parametrize("form", ["html", "json", "markdown", "junit"])
def test_what_is_barred_from_the_cloud_is_hidden_too(house, pf, form):
    """In every spelling that the guard knows, escaped or not."""
    text = (house / "knowledge/house.yaml").read_text(encoding="utf-8")
    house.write("knowledge/house.yaml", text[: text.index("devices:")] + DEVICES + BILLS)
    house.write("agents/yoda.yaml", "name: yoda\nmodel: local\npersona: You are Yoda.\nsections: [{table: devices}]\n")
    house.write("suites/den.yaml", SUITE)
    said = "; ".join(SPELLED)
    with model(lambda system: f"Zebulon says {said}.") as server:
        settings = f"{{backend: compatible, base_url: '{server.base_url}', model: m, tier: local, context: 8192}}"
        house.write("promptforge.yaml", f"name: hut\nbudget: 1000\nmodels:\n  cloud: {settings}\n  local: {settings}\n")
        assert pf("bench").code == 0
    hidden = pf("report", "--format", form, "--output", "-").out
    assert [one for one in SPELLED[1:] if one in hidden] == []
    if form == "json":
        answers = [reply["answer"]["text"] for reply in json.loads(hidden)["replies"]]
        assert all(SPELLED[0] not in answer for answer in answers)
        assert all(answer.startswith(f"{MASK} says {MASK}; {MASK}; ") for answer in answers)
    shown = html.unescape(html.unescape(pf("report", "--format", form, "--output", "-", "--include-private").out))
    assert form == "markdown" or SPELLED[2] in shown
