"""Names in prose: any case, any separator, possessives, and words of the format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import tries

from promptforge.redaction.key import Key
from promptforge.redaction.names import Name, Names, identity

KEY = Key(b"a key of thirty-two bytes or so.")
RESERVED = frozenset(["port", "local", "lan_ip", "hosts"])


def names(*pairs: tuple[str, str], reserved: frozenset[str] = RESERVED) -> Names:
    """Names by kind and value, each of a column of its kind."""
    return Names(KEY, [Name(kind, value, f"{kind}s.name") for kind, value in pairs], reserved)


def redact(known: Names, text: str, *, whole: bool = False) -> str:
    """The text with its names replaced."""
    made, at = "", 0
    for hit in known.find(text, whole=whole):
        made, at = made + text[at : hit.start] + hit.new, hit.end
    return made + text[at:]


HOUSE = names(
    ("host", "mini"), ("person", "Anna"), ("entity", "Kitchen Sonos"), ("person", "Jörg"), ("alias", "mini-2")
)
MINI, ANNA, SONOS, JOERG = (HOUSE.exact[name] for name in ("mini", "Anna", "Kitchen Sonos", "Jörg"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("the mini, MINI and Mini", f"the {MINI}, {MINI.upper()} and {MINI.capitalize()}"),
        ("minimal minis", "minimal minis"),
        ("Anna's and Anna’s, annas_lamp", f"{ANNA}'s and {ANNA}’s, {ANNA.lower()}s_lamp"),
        ("Annabel", "Annabel"),
        ("kitchen_sonos Kitchen-Sonos", f"{SONOS.lower()} {SONOS}"),
        ("the Kitchen\n  Sonos plays", f"the {SONOS}\n  plays"),
        ("# the Kitchen\n# Sonos plays", f"# the {SONOS}\n# plays"),
        ("the Kitchen\n  Sonos. It", f"the {SONOS}.\n  It"),
        ("the Kitchen\n  Sonos\n", f"the {SONOS}\n"),
        ("JÖRG Joerg Jorg Jo\u0308rg", f"{JOERG.upper()} {JOERG} {JOERG} {JOERG}"),
        ("mini-2 is not mini", f"{HOUSE.exact['mini-2']} is not {MINI}"),
        ("http://mini:8123", f"http://{MINI}:8123"),
        ("Home Assistant on a Mac mini", "Home Assistant on a Mac mini"),
    ],
)
def test_a_name_is_found_as_people_write_it(text, wanted):
    """Whole words in any case, with any separator, the longest first; a product's name is left alone."""
    assert redact(HOUSE, text) == wanted


def test_a_hyphen_more_or_less_is_the_same_name():
    """`benchpi` is `bench-pi`, from six letters on: `pi-4` is not the word pi4."""
    known = names(("host", "bench-pi"), ("host", "shedbox"), ("host", "pi-4"))
    bench, shed = known.exact["bench-pi"], known.exact["shedbox"]
    assert (
        redact(known, "benchpi BENCHPI shed-box shed_box, shed box")
        == f"{bench} {bench.upper()} {shed} {shed}, shed box"
    )
    assert redact(known, "pi4 benchpit shed-boxes") == "pi4 benchpit shed-boxes"


def test_a_word_of_the_format_stays_where_it_is_one():
    """A host called `port` is replaced in a sentence, and not where a word alone may be a column."""
    known = names(("host", "port"), ("host", "lan"))
    assert redact(known, "ask the port") == f"ask the {known.exact['port']}"
    assert redact(known, "port", whole=True) == "port"
    assert redact(known, "its lan_ip") == "its lan_ip"
    assert known.held == ("port",)


def test_what_could_be_anything_is_replaced_in_its_column_alone():
    """A codename 7 or off says nothing in prose."""
    known = names(("codename", "7"), ("codename", "off"), ("codename", "x"), ("codename", "OK"))
    assert redact(known, "7 times off, x") == "7 times off, x"
    assert known.untold == ("7", "off", "x")
    assert len(set(known.exact.values())) == 4


def test_two_names_of_one_column_are_never_one():
    """Spellings that prose takes for the same are told apart where both are facts."""
    known = names(("host", "a b"), ("host", "a_b"), ("host", "A B"))
    assert len(set(known.exact.values())) == 3


def test_a_name_that_names_two_things_is_replaced_by_one_word():
    """The site and the host `cave` join as before."""
    known = names(("site", "cave"), ("host", "cave"), ("alias", "Cave"))
    assert known.exact["cave"].startswith("host")
    assert known.exact["Cave"] == known.exact["cave"].capitalize()
    assert known.kind_of("CAVE") == "host"


@given(values=st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=40))
@tries(200)
def test_replacements_are_words_and_one_to_one(values):
    """Whatever the names: each gets one word of its own, the same with the same key."""
    known = names(*(("host", value) for value in values))
    asked = [value for value in values if value.strip()]
    assert [known.exact[value] for value in asked] == [names(*(("host", v) for v in values)).exact[v] for v in asked]
    assert len({known.exact[value] for value in asked}) == len(asked)
    assert all(made.isalnum() and made.isascii() for made in known.exact.values())
    assert not {identity(made) for made in known.exact.values()} & {identity(value) for value in asked}


def test_no_two_entities_become_near_twins():
    """Ids that differ in one digit would bring a note that the original has not (PF331)."""
    known = names(*(("entity", f"thing {number}") for number in range(300)))
    made = sorted(known.exact.values())
    masks = [one[:at] + "?" + one[at + 1 :] for one in made for at in range(len(one))]
    assert len(masks) == len(set(masks))
