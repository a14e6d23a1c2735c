"""The reader, which was written against the example house, scored on a laboratory that it has never seen."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.backends.base import Request
from promptforge.backends.passages import passages_of
from promptforge.backends.reader import UNKNOWN, Reader
from promptforge.backends.terms import terms_of
from strategies import tries

PERSONA = """\
You are Ada, who keeps the records of a small marine laboratory.
Be brief and exact. Copy numbers as they are written, and never guess one.
When something is not in your tables, say "I don't know" and name the person who may know it.
You refuse to give out the alarm code of the cold store.
"""

LAB = (
    PERSONA
    + """
## Instruments
| name | kind | room | mac | ip | keeper |
|---|---|---|---|---|---|
| Nautilus | mass spectrometer | Wet Lab | 00:00:5E:00:53:A1 | 192.0.2.31 | Ingrid |
| Limpet | centrifuge | Wet Lab | 00:00:5E:00:53:A2 | 192.0.2.32 | Tomasz |
| Barnacle | confocal microscope | Dark Room | 00:00:5E:00:53:B1 | 192.0.2.41 | Priya |
| Anemone | flow cytometer | Dark Room | 00:00:5E:00:53:B2 | 192.0.2.42 | Priya |
| Kelp | freeze dryer | Annex |  |  | Tomasz |
| Urchin | plate reader | Annex | 00:00:5E:00:53:C1 | 192.0.2.51 | Ingrid |

## Services
host,port,proto,service,notes
reef,8443,tcp,Sample tracker,
reef,5432,tcp,Specimen database,"nightly dump at 02:30, kept for a year"
reef,9090,tcp,Metrics,
shoal,8888,tcp,Notebook server,only from inside
shoal,631,tcp,Label printing,
shoal,123,udp,Clock,

## Freezers
- id: F1, room: Cold Store, setpoint: "-80", contents: tissue, alarm: sensor.freezer_one_temperature
- id: F2, room: Cold Store, setpoint: "-20", contents: antibodies, alarm: sensor.freezer_two_temperature
- id: F3, room: Annex, setpoint: "-150", contents: cell lines, alarm: sensor.freezer_three_temperature

## People
| name | role | phone |
|---|---|---|
| Ingrid | head of the laboratory | 555-0101 |
| Tomasz | technician | 555-0102 |
| Priya | imaging specialist | 555-0103 |
| Oluwaseun | data steward | 555-0104 |

## Rules
- Biohazard waste is collected on Tuesdays at seven; the bins stand behind the Annex.
- Liquid nitrogen is delivered by Borealis Gas on the first Monday of a month.
- A spill of acid is covered with soda first, and reported to Tomasz.

## Examples
Q: The cytometer shows no events. What do I check?
A: Anemone needs its sheath fluid: look at the tank under the bench, then prime it twice.

Q: May a visitor use the microscope?
A: Only beside Priya. Barnacle has an open laser.
"""
)

ANSWERABLE = [
    ("Which MAC address has the centrifuge?", ["00:00:5E:00:53:A2"]),
    ("On which port does the sample tracker run?", ["8443"]),
    ("Which service listens on port 631 of shoal?", ["Label printing"]),
    ("Who keeps the flow cytometer?", ["Priya"]),
    ("In which room is Kelp?", ["Annex"]),
    ("What is 00-00-5e-00-53-c1?", ["Urchin"]),
    ("Which instrument has the address 192.0.2.41?", ["Barnacle"]),
    ("What is the setpoint of freezer F3?", ["-150"]),
    ("Which freezer holds the antibodies?", ["F2"]),
    ("Which entity watches the freezer with the tissue?", ["sensor.freezer_one_temperature"]),
    ("What is Oluwaseun's phone number?", ["555-0104"]),
    ("Who is the data steward?", ["Oluwaseun"]),
    ("Who delivers the liquid nitrogen?", ["Borealis Gas"]),
    ("When is biohazard waste collected?", ["Tuesdays"]),
    ("The cytometer shows no events, what should I check?", ["sheath fluid"]),
]

UNANSWERABLE = [
    "Which MAC address has the autoclave?",
    "Which service listens on port 8080 of reef?",
    "What is 00:00:5E:00:53:FF?",
    "What is Magnus's phone number?",
    "What is the setpoint of freezer F9?",
]


def ask(system: str, question: str, reader: Reader | None = None) -> str:
    """What the reader says."""
    request = Request(system=system, messages=(("user", question),))
    return (reader or Reader()).answer(request, timeout_s=1).text


def test_most_answers_of_a_project_it_has_never_seen_are_found():
    """At least fourteen of fifteen; which ones is printed when it fails."""
    wrong = [(q, ask(LAB, q)) for q, expected in ANSWERABLE if not all(e in ask(LAB, q) for e in expected)]
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("question", UNANSWERABLE)
def test_what_is_not_there_is_not_known(question):
    """A near twin is not an answer."""
    assert ask(LAB, question) == UNKNOWN


@pytest.mark.parametrize("question", [question for question, _ in ANSWERABLE])
def test_a_persona_alone_knows_no_fact(question):
    """The base prompt has no facts, so none can be found in it."""
    assert ask(PERSONA, question) == UNKNOWN


def test_the_column_that_is_asked_for_is_the_answer():
    """Not the whole row: a veto on other values would be broken for nothing."""
    assert ask(LAB, "On which port does the sample tracker run?") == "The port of Sample tracker is 8443."
    assert ask(LAB, "Which host and port has the notebook server?") == "Notebook server: host shoal, port 8888."


def test_a_mac_address_is_no_address():
    """Two words that belong together ask for one column."""
    assert ask(LAB, "Which MAC address has the centrifuge?") == "The mac of centrifuge is 00:00:5E:00:53:A2."


def test_an_answer_is_no_neighbours():
    """Twins one digit apart are two things."""
    assert "A1" not in ask(LAB, "Which MAC address has the centrifuge?")
    assert ask(LAB, "Which instrument has the MAC 00:00:5E:00:53:B2?") == "The name of 00:00:5E:00:53:B2 is Anemone."


def test_several_rows_that_fit_alike_are_all_named():
    said = ask(LAB, "Which instruments are in the Dark Room?")
    assert "Barnacle" in said
    assert "Anemone" in said


def test_the_same_table_in_every_form_gives_the_same_answer():
    """Markdown, CSV and key: value are three ways to write it."""
    forms = [
        "## Ports\n| host | port | service |\n|---|---|---|\n| reef | 8443 | Tracker, new |\n| reef | 81 | A\\|B |\n",
        '## Ports\nhost,port,service\nreef,8443,"Tracker, new"\nreef,81,A|B\n',
        '## Ports\n- host: reef, port: 8443, service: "Tracker, new"\n- host: reef, port: 81, service: A|B\n',
    ]
    cells = [[passage.cells for passage in passages_of(form)] for form in forms]
    assert cells[0] == cells[1] == cells[2]
    assert cells[0][0] == (("host", "reef"), ("port", "8443"), ("service", "Tracker, new"))
    assert {ask(form, "Which port has the new tracker?") for form in forms} == {"The port of Tracker, new is 8443."}


def test_examples_sent_as_messages_are_read():
    """A few-shot example is part of the prompt wherever it stands."""
    turns = (("user", "Is the sauna safe to heat from afar?"), ("assistant", "No: someone must stand at the door."))
    request = Request(system=PERSONA, messages=(*turns, ("user", "Is it safe to heat the sauna from afar?")))
    assert Reader().answer(request, timeout_s=1).text == "No: someone must stand at the door."


def test_a_stream_and_an_answer_are_the_same():
    pieces: list[str] = []
    request = Request(system=LAB, messages=(("user", "Who is the data steward?"),))
    reader = Reader()
    streamed = reader.stream(request, pieces.append, timeout_s=1)
    reader.close()
    assert "".join(pieces) == streamed.text == reader.answer(request, timeout_s=1).text
    assert reader.identity == {"backend": "reader", "version": "1"}
    assert streamed.usage.input_tokens is None


def test_an_index_is_made_once():
    """A run asks the same prompt a hundred times."""
    reader = Reader()
    for question, _ in ANSWERABLE:
        ask(LAB, question, reader)
    assert len(reader._indexes) == 1
    for number in range(100):
        ask(f"{LAB}{number}", "Who?", reader)
    assert len(reader._indexes) == 64


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0000.5e00.5301 is no MAC in words", None),
        ("00-00-5E-00-53-0A", ["00005e00530a"]),
        ("[2001:db8:0::1]", ["2001:db8::1"]),
        ("192.0.2.10:8123", ["192.0.2.10", "8123"]),
        ("http://192.0.2.10/x", ["http", "192.0.2.10", "x"]),
        ("port 1,337.", ["port", "1337"]),
        ("light.kitchen_ceiling", ["light.kitchen_ceiling", "light", "kitchen", "ceil"]),
        ("Mara’s laptop", ["mara", "laptop"]),
        ("999.1.1.1", None),
        ("", []),
    ],
)
def test_terms(text, values):
    """Identifiers are what they name, however they are written."""
    found = [term.value for term in terms_of(text)]
    assert values is None or found == values


@tries(200)
@given(st.text(max_size=300), st.text(max_size=60))
def test_no_prompt_and_no_question_breaks_it(system, question):
    """Anything may stand in a prompt, and the same gives the same."""
    assert ask(system, question) == ask(system, question)


@tries(100)
@given(st.lists(st.sampled_from(["| a | b |", "|---|---|", "a,b", "1,2", "- a: 1, b: 2", "Q: x?", "A: y", "## H", "", "text.", '- a: "x, b: 1', "|", "Q:"]), max_size=12))  # fmt: skip
def test_any_mix_of_lines_is_cut(lines):
    """No mixture of table, example and prose stops the reading or loses a row's columns."""
    for passage in passages_of("\n".join(lines)):
        assert passage.kind in ("row", "example", "prose")
        assert all(column and value for column, value in passage.cells)


def test_it_is_quick():
    """A large prompt is indexed and asked in bounded work: no pattern runs away on a long line."""
    row = "| reef | 8443 | " + "x" * 20_000 + " |\n"
    started = time.process_time()
    ask(
        "| host | port | notes |\n|---|---|---|\n" + row * 40 + "a" * 200_000 + "\n" + "- a: " * 20_000,
        "Which port has reef?",
    )
    assert time.process_time() - started < 30  # runaway patterns take hours; this is no timing
