"""People whom only the names of things tell."""

import re

import pytest
from tests.redaction.test_layout import of


def told(name: str, text: str) -> str:
    """A text in a house with one such device, its replacements without their numbers."""
    redaction, _ = of(a=f'devices:\n- {{name: "{name}"}}\n')
    return re.sub(r"\d+", "#", redaction.plain(text))


@pytest.mark.parametrize(
    ("device", "text", "wanted"),
    [
        (
            "emils-phone",
            "Emil's phone, Emil\u2019s iPhone, EMIL, emils_phone",
            "Person#'s phone, Person#\u2019s iPhone, PERSON#, device#",
        ),
        ("noras-laptop", "ask nora; Noras lamp, nora-pad", "ask person#; Person#s lamp, person#-pad"),
        ("Emil's phone", "emil has it", "person# has it"),
        ("jörgs_watch", "Jörg and Joerg", "Person# and Person#"),
    ],
)
def test_a_person_is_told_from_what_is_theirs(device, text, wanted):
    """`NAMEs-thing` and `NAME's thing` name a person, in the name of a device or a host."""
    assert told(device, text) == wanted


@pytest.mark.parametrize(
    "device", ["boss-phone", "its-pad", "windows-pc", "sonos-one", "glass-door", "kids-tablet", "lights", "ups-rack"]
)
def test_an_ordinary_word_is_no_person(device):
    """What is before the s must be a name: three letters or more, no s at its end, none of the words that things have."""
    assert told(device, "Bos, it, window, sono, glas, kid, light, up: boss, its, windows, kids") == (
        "Bos, it, window, sono, glas, kid, light, up: boss, its, windows, kids"
    )
