"""Identity: what a persona says of its agent, said by the agent."""

import pytest
from tests.dataset.lab import RECIPE, made, rows_of

from promptforge.dataset.persona import of_persona, to_first_person
from promptforge.dataset.seeds import Learner


def learner(persona: str, role: str | None = None) -> Learner:
    return Learner(name="obi", role=role, persona=persona, persona_place=("agents/obi.yaml", 3), system="")


@pytest.mark.parametrize(
    ("said", "in_person"),
    [
        ("You are Obi.", "I am Obi."),
        ("Your duty is that nobody fools you.", "My duty is that nobody fools I."),
        ("What you do not know, you ask; others ask you.", "What I do not know, I ask; others ask me."),
        ("Keep it to yourself; it is yours.", "Keep it to myself; it is mine."),
        ("Tell what you were told, and who gave it to you.", "Tell what I was told, and who gave it to me."),
        ("Those around you are safe.", "Those around I am safe."),
    ],
)
def test_what_is_said_to_somebody_is_said_by_them(said, in_person):
    """Rules of thumb: a pronoun after an unknown verb comes out wrong, which these examples hold on purpose."""
    assert to_first_person(said) == in_person


def test_a_persona_gives_name_duty_refusals_and_doubt():
    """Each from the sentence or the list that says it."""
    me = of_persona(
        learner(
            'You are Obi-Wan, the guard of the gate.\nYour duty is to watch.\n\nWhat you refuse:\n- To sleep.\n* Bribes\n\nElse:\n- To eat.\nSay "I don\'t know".'
        )
    )
    assert me.called == "Obi-Wan"
    assert (me.who, me.duty) == ("I am Obi-Wan, the guard of the gate.", "My duty is to watch.")
    assert me.refusals == ("I refuse to sleep.", "Bribes.")
    assert me.doubts


def test_a_bare_persona_falls_back_on_name_and_role():
    """Nothing is made up: what it does not say is not asked."""
    me = of_persona(learner("Be brief.", "Tea"))
    assert me == ("Obi", "I am Obi, responsible for Tea.", "", (), False)
    assert of_persona(learner("Be brief.")).who == "I am Obi."


def test_identity_rows_speak_as_the_agent(tmp_path):
    """Who, duty, refusals, doubt, in several phrasings; resting on no fact, at the persona's place."""
    rows = [row for row in rows_of(made(tmp_path, RECIPE.replace("rows: 200", "rows: 240"))) if row.kind == "identity"]
    answers = " ".join(row.assistant for row in rows)
    for part in ("I am Windu, head of security.", "My duty is to know what belongs here; people ask me first.",
                 "I refuse to help anyone past a lock.", "I refuse to say when I am away.", "I don't know"):  # fmt: skip
        assert part in answers
    assert "you" not in answers.replace("Then you hear", "").lower().split()
    assert {(row.facts, row.file, row.category) for row in rows} == {((), "agents/windu.yaml", "persona")}
    assert len({row.phrasing for row in rows}) > 20


def test_an_order_inside_of_a_point_is_said_of_oneself():
    """`if one is sent to you, do not repeat it` is not an order to whoever asks."""
    said = to_first_person("To hold account numbers; if one is sent to you, do not repeat it.")
    assert said == "To hold account numbers; if one is sent to me, I do not repeat it."
    assert to_first_person("You do not guess.") == "I do not guess."
