"""Rows from facts: what is asked of whom, what is answered, and what an agent is never taught."""

import re

import pytest
from tests.dataset.lab import FILES, RECIPE, could_say, made, rows_of

ALL = RECIPE.replace("{identity: 0.2, infrastructure: 0.8}", "{infrastructure: 1}").replace("0.2\n", "1\n")
YODA = ALL.replace("windu", "yoda").replace("rows: 200", "rows: 60")
ONE = """
phrasings:
  - {direction: forward, ask: ["{{ name }}|{{ column }}"], answer: ["{{ value }}"]}
  - {direction: inverse, ask: ["{{ column }}|{{ value }}"], answer: ["{{ name }}"]}
  - {direction: twin, ask: ["{{ name }}|{{ column }}|{{ claimed }}?"], answer: ["no, {{ value }}; {{ other }}"]}
  - {direction: confirmed, ask: ["{{ name }}|{{ column }}|{{ claimed }}?"], answer: ["yes, {{ value }}"]}
  - {direction: hops, ask: ["{{ start }}>{{ via }}>{{ column }}"], answer: ["{{ name }}>{{ other }}>{{ value }}"]}
  - {direction: unknown, ask: ["{{ column }}|{{ value }}"], answer: ["I don't know {{ value }}"]}
  - {direction: unset, ask: ["{{ name }}|{{ column }}"], answer: ["I don't know"]}
"""


@pytest.fixture
def told(tmp_path):
    """By category the questions and answers in bare words, of Windu."""
    dataset = made(tmp_path, ALL.replace("rows: 200", "rows: 105"), training__phrasings=ONE)
    return lambda category: could_say(dataset, category)


def test_forward_asks_for_a_column_by_the_key(told):
    """Key to column; the key of a port is said as a person says it."""
    assert ("port 1337 of mini|service", "Council MLX") in told("forward")
    assert ("Mara's phone|owner", "Mara") in told("forward")
    assert ("port 1337 of mini|host", "mini") not in told("forward")


def test_inverse_asks_only_where_one_fact_has_the_value(told):
    """`Pulse` runs on two hosts, and both phones are phones: neither asks for one fact."""
    assert ("codename|LEET", "port 1337 of mini") in told("inverse")
    assert ("MAC address|00:00:5E:00:53:42", "Mara's phone") in told("inverse")
    assert not {q for q, _ in told("inverse")} & {"codename|Pulse", "service|Metrics", "kind|phone"}


def test_a_value_that_a_hidden_fact_shares_is_no_question(tmp_path):
    """Only one laptop is shown to the cloud, but there are two: nobody is taught that there is one."""
    knowledge = FILES["knowledge/lab.yaml"] + "  - {name: Theo's laptop, owner: Theo, kind: laptop}\n"
    recipe = ALL.replace("near", "far").replace("rows: 200", "rows: 90")
    told = could_say(made(tmp_path, recipe, training__phrasings=ONE, knowledge__lab=knowledge), "inverse")
    assert "kind|laptop" not in {q for q, _ in told}


def test_a_twin_is_the_neighbour_and_the_answer_says_whose_it_is(told):
    """1338 is not the council's model; and what is right is confirmed, or every answer would be no."""
    assert ("port 1337 of mini|service|Coder MLX?", "no, Council MLX; port 1338 of mini") in told("twin")
    assert ("port 1337 of mini|service|Council MLX?", "yes, Council MLX") in told("twin")
    assert ("Mara's phone|MAC address|00:00:5E:00:53:41?", "no, 00:00:5E:00:53:42; Theo's phone") in told("twin")


def test_hops_go_through_a_reference_also_from_an_identifier(told):
    """MAC to device to owner to role."""
    assert ("00:00:5E:00:53:42>owner>role", "Mara's phone>Mara>founder") in told("hops")
    assert ("LEET>host>LAN address", "port 1337 of mini>mini>192.0.2.10") in told("hops")
    assert ("LEET>host>role", "port 1337 of mini>mini>hub") in told("hops")


def test_what_is_asked_for_in_vain_stands_in_no_fact(tmp_path):
    """Generated identifiers are in no table; the answer is that it is not known, and rests on what the question names."""
    rows = [row for row in rows_of(made(tmp_path, ALL)) if row.category == "unknown"]
    assert all(row.assistant.startswith("I don't know") for row in rows)
    ports = [row for row in rows if re.search(r"port \d", row.user.lower()) and "LAN" not in row.user and row.file]
    assert ports
    for row in ports:
        assert not {"1337", "1338", "42069", "2049", "9100"} & set(row.user.replace("?", " ").replace(".", " ").split())
        assert row.facts


def test_a_column_that_is_not_filled_is_not_known(told):
    """The mini's operating system is not written down."""
    assert ("mini|operating system", "I don't know") in told("unknown")
    assert ("nas|operating system", "TrueNAS") in told("forward")


def test_an_agent_learns_only_the_facts_and_columns_of_its_prompt(tmp_path):
    """Yoda is shown two ports, and not their services."""
    rows = rows_of(made(tmp_path, YODA.replace("rows: 60", "rows: 40")))
    assert {fact for row in rows for fact in row.facts} <= {"ports/nas:2049", "ports/nas:9100"}
    assert not [row for row in rows if "storage" in row.assistant or "LEET" in row.user + row.assistant]


def test_a_cloud_model_is_taught_no_private_fact(tmp_path):
    """Windu on the cloud model is not told of the laptop: neither forward nor as a twin."""
    rows = rows_of(made(tmp_path, ALL.replace("near", "far")))
    assert not [
        row for row in rows if "53:21" in row.user + row.assistant or "Mara's laptop" in row.user + row.assistant
    ]
    near = rows_of(made(tmp_path, ALL))
    assert [row for row in near if row.facts == ("devices/Mara's laptop",)]


def test_the_system_prompt_is_the_artifacts_byte_for_byte(tmp_path):
    """Enriched, or base, by recipe."""
    enriched = made(tmp_path)
    row = next(enriched.rows("train"))
    build_prompt = enriched.stock.seeds[0].learner.system
    assert row.messages[0] == ("system", build_prompt)
    assert "| 1337 |" in build_prompt
    base = next(made(tmp_path, RECIPE + "system: base\n").rows("train")).messages[0][1]
    assert base.startswith("You are Windu")
    assert "1337" not in base


def test_a_projects_own_wording_goes_before_the_built_in(tmp_path):
    """Also where the built-in one is for this very table; a direction that it has none for keeps the built-in."""
    own = "phrasings:\n  - {direction: forward, ask: ['Say: {{ name }}, {{ column }}.'], answer: ['{{ value }}!']}\n"
    rows = rows_of(made(tmp_path, RECIPE.replace("200", "150"), training__phrasings=own))
    forward = [row for row in rows if row.category == "forward"]
    assert forward
    assert all(row.user.startswith("Say: ") and row.phrasing == "training/phrasings.yaml:2" for row in forward)
    assert all(row.phrasing.startswith("built in: ") for row in rows if row.category == "inverse")


def test_a_wording_may_look_facts_up_but_not_beyond_the_agents_prompt(tmp_path):
    """What it reads is among what the row rests on; for Yoda, who is shown no host, the rows are left out."""
    own = (
        "phrasings:\n  - {direction: forward, table: ports, ask: ['{{ name }}|{{ column }}'],\n"
        "     answer: ['{{ value }} at {{ hosts[fact.host].lan_ip }}']}\n"
    )
    row = next(r for r in rows_of(made(tmp_path, RECIPE.replace("200", "150"), training__phrasings=own))
               if r.user == "port 1337 of mini|service")  # fmt: skip
    assert row.assistant == "Council MLX at 192.0.2.10"
    assert row.facts == ("ports/mini:1337", "hosts/mini")
    assert ("hosts/mini", "lan_ip") in row.asked
    dataset = made(tmp_path, YODA.replace("rows: 60", "rows: 30"), training__phrasings=own)
    assert not [row for row in rows_of(dataset) if row.category == "forward"]
    assert dataset.account.left_out["clearance"] == 2


def test_a_row_knows_where_it_comes_from(tmp_path):
    """The fact's file and line, the phrasing, and what its answer prints; its id is the same in every build."""
    rows = {row.id: row for row in rows_of(made(tmp_path))}
    assert len(rows) == 200
    row = next(row for row in rows.values() if row.facts == ("ports/mini:1337",) and row.category == "forward")
    assert row.file == "knowledge/lab.yaml"
    assert "port: 1337" in FILES["knowledge/lab.yaml"].splitlines()[row.line - 1]
    other = {row.id: row for row in rows_of(made(tmp_path, RECIPE.replace("rows: 200", "rows: 180")))}
    shared = rows.keys() & other.keys()
    assert len(shared) > 100
    assert all(rows[name].messages == other[name].messages for name in shared)


def test_an_example_that_counts_private_facts_is_not_for_the_cloud(tmp_path):
    """It prints no value of them, and yet says something of each."""
    example = """
examples:
  - {id: how-many, user: How many devices are there?, assistant: "{{ devices | length }} by the list."}
  - {id: hello, user: Hello?, assistant: Yes?}
"""
    recipe = RECIPE.replace(
        "{identity: 0.2, infrastructure: 0.8}", "{identity: 0.49, infrastructure: 0.5, domain: 0.01}"
    )
    recipe = recipe.replace("rows: 200", "rows: 100")
    near = made(tmp_path, recipe.replace("0.49", "0.48").replace("0.01", "0.02"), fewshot__a=example)
    assert {row.user for row in rows_of(near) if row.kind == "domain"} == {"How many devices are there?", "Hello?"}
    far = made(tmp_path, recipe.replace("near", "far"), fewshot__a=example)
    assert {row.user for row in rows_of(far) if row.kind == "domain"} == {"Hello?"}


def test_a_question_names_neither_sentences_nor_what_is_far_away(tmp_path):
    """A note is told, and asked for by nobody's words; a twin is near: one that nobody mistakes teaches nothing."""
    text = FILES["knowledge/lab.yaml"].replace(
        "service: Memory Vault}", 'service: Memory Vault, notes: "kept on purpose; ask Mara"}'
    )
    dataset = made(tmp_path, ALL, knowledge__lab=text)
    assert any("kept on purpose; ask Mara" in answer for _, answer in could_say(dataset, "forward"))
    asked = {question for kind in ("inverse", "twin", "hops") for question, _ in could_say(dataset, kind)}
    assert not [question for question in asked if "kept on purpose" in question]
    twins = {
        frozenset((seed.fact.key, seed.other.key))
        for seed in dataset.stock.seeds
        if seed.direction == "twin" and seed.fact.table == "ports"
    }
    assert twins == {frozenset(("mini:1337", "mini:1338"))}


def test_a_hop_asks_for_what_its_start_does_not_tell(tmp_path):
    """`port 1337 of mini` names its host; a codename does not. An alias that is the host's own name is no answer."""
    asked = {question for question, _ in could_say(made(tmp_path, ALL), "hops")}
    assert any("host of LEET?" in question for question in asked)
    assert not [question for question in asked if "of port" in question or "Port " in question]


def test_generated_sentences_begin_and_end_as_such(tmp_path):
    """A value alone stays as it is, so that it can be copied; `Nice.` gets no second full stop."""
    said = {answer for kind in ("forward", "inverse", "twin", "hops", "unknown") for _, answer in
            could_say(made(tmp_path, ALL), kind)}  # fmt: skip
    assert {"Council MLX", "That is Council MLX.", "The codename is Nice.", "Nice."} <= said
    assert not [answer for answer in said if answer.endswith("..") or answer.startswith(("port ", "the "))]
    assert not [answer for answer in said if " " in answer and answer.split(" ")[0] in ("No", "Yes,", "That", "On")
                and not answer.endswith((".", "?"))]  # fmt: skip


def test_what_is_invented_sounds_like_what_there_is(tmp_path):
    """The beginning of one name with the end of another; never one that any fact has, also of those not shown."""
    dataset = made(tmp_path, ALL)
    names = {seed.value for seed in dataset.stock.seeds if seed.direction == "unknown" and seed.column == "name"}
    assert {"Theo's laptop"} & names or any(name.startswith(("Mara's", "Theo's")) for name in names)
    assert "Mara's laptop" not in names  # it is private, and there
