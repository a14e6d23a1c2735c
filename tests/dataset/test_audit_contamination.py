"""Rows that give a written case away, by fact or by wording."""

from dataclasses import replace

import pytest

from audited import audited, chat, finding, tables, write
from promptforge.bench.cases import Case, Check, Printed
from promptforge.dataset.contamination import Written
from promptforge.dataset.naming import Namer
from promptforge.source import Span

NAMER = Namer(tables())
VAULT = "ports/mini:42069"


def case(name, ask, *expects, asked=(), tier="gold", **more):
    return Case(
        id=name,
        category="topology",
        tier=tier,
        agents=("windu",),
        messages=(("user", ask),),
        checks=(Check(kind="all", values=("x",), printed=tuple(expects)),),
        asked=tuple(asked),
        span=Span(file="suites/a.yaml"),
        **more,
    )


VAULT_PORT = case("vault", "Which port does the memory vault use?", Printed(VAULT, "port"))
WHO_HAS = case("laptop", "Whose laptop answers at this MAC?", Printed("devices/Mara's laptop", "mac"), tier="heldout")


def given(question, answer, *cases, **told):
    written = Written({"suite": cases or (VAULT_PORT, WHO_HAS)}, NAMER)
    return written.given(question, NAMER.names(question), answer, NAMER.names(answer), **told)


@pytest.mark.parametrize(
    ("question", "answer", "how"),
    [
        ("Where do I reach the Memory Vault?", "On 42069.", "fact"),
        ("Tell me of the house.", "The Memory Vault listens on port 42,069.", "fact"),
        ("What is the MAC?", "00-00-5e-00-53-21", "fact"),
        ("Which port does the Memory Vault use these days?", "I don't know.", "wording"),
        ("Which port does the memory use?", "None.", "wording"),
        ("which port does the  memory vault use", "9000 of kessel, by Object storage.", "wording"),
        ("Which port does the Memory Vault use these days?", "9000 of kessel, by Object storage.", "wording"),
        ("Whose laptop answers at this MAC?", "Theo's phone does.", "wording"),
        ("Whose laptop answers at that MAC?", "Theo's phone does.", "wording"),
    ],
)
def test_a_row_that_gives_a_case_away_is_found(question, answer, how):
    found = given(question, answer)
    assert found is not None
    assert found.how == how


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which service listens on port 42069?", "The Memory Vault."),  # the other way about: another column
        ("Which port does the Object storage use?", "9000."),  # worded alike, but of another fact
        ("How many are there?", "42069."),  # a number of nothing
        ("What do bees eat?", "Pollen."),
        ("Which port does Object storage use these days?", "42069"),
    ],
)
def test_a_row_of_something_else_is_not(question, answer):
    assert given(question, answer) is None


def test_what_a_row_says_of_itself_counts_first():
    """A row that says what its answer prints is believed; its words may be any."""
    assert given("Ha?", "Hm.", told=[Printed(VAULT, "port")]) == (
        "vault",
        "gold",
        "fact",
        f"its answer prints the port of {VAULT}",
    )
    assert given("Where is the Memory Vault?", "On 42069.", told=[Printed(VAULT, "service")], facts=[VAULT]) is None
    assert given("Which port does the memory vault now use?", "x", told=[], facts=["ports/kessel:9000"]) is None


def test_generated_cases_are_no_evidence_to_protect():
    assert given("Where is the Memory Vault?", "On 42069.", replace(VAULT_PORT, generated=True)) is None


def test_a_held_out_case_refuses_the_set_and_others_flag_it(tmp_path):
    written = Written({"suite": (VAULT_PORT, WHO_HAS)}, NAMER)
    path = write(
        tmp_path / "rows.jsonl",
        [
            chat("Where is the Memory Vault?", "On port 42069."),
            chat("What is the MAC of Mara's laptop?", "00:00:5E:00:53:21"),
            chat("Which port does the good old memory vault use?", "No idea."),
        ],
    )
    found = audited(path, written=written, namer=NAMER)
    held = finding(found, "contamination.heldout")
    assert held.level == "refuse"
    assert held.text == "held-out cases are given away by 1 row: after this training their tier is no evidence"
    assert (
        str(held.places[0])
        == f"{path}:2: the case laptop (heldout): its answer prints the mac of devices/Mara's laptop"
    )
    assert finding(found, "contamination.fact").places[0].line == 1
    assert finding(found, "contamination.wording").places[0].line == 3
    assert found.word == "refused"


def test_every_turn_is_looked_at(tmp_path):
    turns = chat("Where is the Memory Vault?", "On port 42069.")["messages"] + chat("Thanks!", "Gladly.")["messages"]
    found = audited(
        write(tmp_path / "rows.jsonl", [{"messages": turns}]), written=Written({"s": (VAULT_PORT,)}, NAMER), namer=NAMER
    )
    assert finding(found, "contamination.fact").count == 1


OWNER = case("owner", "Who owns the phone with that MAC?", Printed("devices/Theo's phone", "owner"))
NAME = case("name", "What is at that address?", Printed("hosts/kessel", "name"))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Whose MAC is 00:00:5E:00:53:21?", "Not Theo's phone's."),  # the owner is a part of the name
        ("Is it Theo's phone?", "Theo's, yes."),  # the question says it itself
        ("Where does Bucket listen?", "On port 9000 of kessel."),  # a name stands in answers to every question
    ],
)
def test_a_word_that_only_stands_there_gives_nothing_away(question, answer):
    assert given(question, answer, OWNER, NAME) is None


@pytest.mark.parametrize(
    ("question", "answer", "name"),
    [
        ("Who has 00:00:5E:00:53:41?", "Theo.", "owner"),
        ("Which host has 192.0.2.11?", "kessel", "name"),
    ],
)
def test_a_word_that_answers_for_its_fact_does(question, answer, name):
    found = given(question, answer, OWNER, NAME)
    assert found is not None
    assert (found.case, found.how) == (name, "fact")


def test_replay_rows_are_looked_at_whatever_they_say_of_themselves(tmp_path):
    row = chat("Where is the Memory Vault?", "On port 42069.", kind="replay", facts=[], asked=[])
    found = audited(write(tmp_path / "rows.jsonl", [row]), written=Written({"s": (VAULT_PORT,)}, NAMER), namer=NAMER)
    assert finding(found, "contamination.fact").count == 1
