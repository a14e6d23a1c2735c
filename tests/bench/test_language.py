"""In which language an answer is, where that is plain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import tries

from promptforge.bench.language import language, other_language

ASKED = "Which port does the memory vault use, and what is it for?"

OTHER = (
    ("Der Tresor ist auf dem Rechner, und er ist nicht für dich.", "german"),
    ("Le coffre est sur la machine, avec une base qui est dans les données.", "french"),
    ("El servicio está en la casa, pero no es para los perros y las puertas.", "spanish"),
    ("Il servizio è nel computer della casa, alla porta che gli serve di più.", "italian"),
    ("O serviço não é para você, mas os dados são dos donos em uma casa também.", "portuguese"),
    ("Het is een dienst van het huis, maar niet voor deze poort bij de deur.", "dutch"),
    ("Это хранилище памяти на маленьком компьютере.", "cyrillic"),
    ("记忆库使用的端口是四万二千零六十九号端口。", "chinese"),
    ("メモリ保管庫が使うポートはこちらになります。", "japanese"),
)

SAME = (
    "Port 42069.",
    "mini, kessel, scarif, watchtower, tatooine",
    "The Memory Vault is on port 42069, and it is for what the council remembers.",
    "```yaml\nder: die\ndas: und\nist: nicht\nauf: mit\n```",
    "Ja.",
    "Sonos: Küche, Bad, Wohnzimmer.",
    "The German word for it is Tresor, and that is what the sign on the door of the house says.",
    "",
)


@pytest.mark.parametrize(("answer", "name"), OTHER)
def test_another_language_is_named(answer, name):
    assert other_language(ASKED, answer) == name


@pytest.mark.parametrize("answer", SAME)
def test_names_code_and_short_answers_have_no_language_of_their_own(answer):
    assert other_language(ASKED, answer) == ""


def test_the_language_that_was_asked_for_or_in_is_right():
    german = OTHER[0][0]
    assert (
        other_language("Which port does the memory vault use? Answer in German, and say what it is for.", german) == ""
    )
    assert other_language("Wo ist der Tresor, und für wen ist er nicht?", german) == ""


def test_a_question_without_a_language_judges_only_the_script():
    assert other_language("42069?", OTHER[0][0]) == ""
    assert other_language("Memory vault?", OTHER[6][0]) == "cyrillic"
    assert other_language("?", OTHER[6][0]) == ""


@given(st.text(max_size=200))
@tries(100)
def test_any_text_has_a_language_or_none(text):
    assert isinstance(language(text), str)
    assert other_language(text, text) == ""
