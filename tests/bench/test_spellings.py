"""One way of finding: what the guard finds before sending, a report takes out; and plain texts are left alone."""

import re
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.house import tables
from bench.test_guard import levels
from promptforge.bench.disguises import cased, readings, small
from promptforge.bench.guard import Guard
from promptforge.bench.report.redact import MASK, Redactor
from promptforge.bench.spellings import addresses, dates_in, tokens
from promptforge.bench.wanted import Wanted
from promptforge.compiler.build import compile_project
from promptforge.files import read_folder
from promptforge.workbench.suites import load_suites
from strategies import tries

SECRET: dict[str, list[dict[str, Any]]] = {
    "hosts": [
        {"name": "cellar", "lan_ip": "192.0.2.121", "mac": "00:00:5E:00:53:44"},
        {"name": "lake", "lan_ip": "2001:db8::5"},
    ],
    "devices": [{"name": "Pip's tablet"}, {"name": "Juno's phone"}, {"name": "Zoë Müller"}, {"name": "𠮷野 Mara"}],
    "care": [{"id": "odile", "what": "long-acting insulin"}, {"id": "nose-1", "what": "hay fever tablet"}],
    "bills": [{"id": "bram", "amount_eur": "1450.00"}, {"id": "power", "amount_eur": "212.40", "due": "2031-05-17"}],
    "entities": [{"entity_id": "droid.night_nurse"}],
}
SPELLED = {
    "192.0.2.121": [
        "192.0.2.121:80",
        "192 . 0 . 2 . 121",
        "192 0 2 121",
        r"192\.0\.2\.121",
        r"192\\.0\\.2\\.121",
        "192。0。2。121",
        "192,0,2,121",
        "192, 0, 2, 121",
        "192.0.2,121",
        "192[.]0[.]2[.]121",
        "192 dot 0 dot 2 dot 121",
        "192.000.002.121",
        "0xC0.0x0.0x2.0x79",
        "0300.0.02.0171",
        "192.0.2.0171",
        "0300.0.2.121",
        "0xc0.0.2.121",
        "192.0x0.2.0x79",
        "0xC0.0.02.0171",
        "192.0\ue000.2.121",
        r"192.0\ue000.2.121",
        "0xC0000279",
        "C0000279",
        "3221226105",
        "::ffff:c000:279",
        "::ffff:192.0.2.121",
        "121.2.0.192.in-addr.arpa",
        "１٩２.٠.٢.١٢١",
        "192%252E0%252E2%252E121",
        "192&#46;0&#46;2&#46;121",
    ],
    "00:00:5E:00:53:44": [
        "0:0:5e:0:53:44",
        "00 00 5E 00 53 44",
        "0000.5e00.5344",
        "00%3A00%3A5E%3A00%3A53%3A44",
        "00%253A00%253A5E%253A00%253A53%253A44",
        "00&#58;00&#58;5E&#58;00&#58;53&#58;44",
        r"00\u003a00\x3a5E\:00:53:44",
        "fe80::200:5eff:fe00:5344",
        "00:00:5Е:00:53:44",
    ],
    "Pip's tablet": [
        "pip-tablet",
        "PIP_TABLET",
        "pips tablet",
        "pip_s_tablet",
        r"Pip's\ttablet",
        r"Pip\'s tablet",
        "Pip's  tаblet",
        "Pip&apos;s&nbsp;tablet",
        "Pip%2527s%2520tablet",
        "Pip's tab-let",
        "P i p's tablet",
        "Pip\ufe0f's tablet",
        "Pip's\ue000tablet",
        "P\ue000ip's tab\ue000let",
        r"Pip's\ue000tablet",
        "Pip's&#xe000;tablet",
    ],
    "2001:db8::5": [
        "2001:0DB8:0:0::5",
        "[2001:db8::5]:80",
        "5" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa",
        "2001-db8--5.ipv6-literal.net",
        r"\\2001-DB8--5s4.ipv6-literal.net\share",
        "2001:db8::0.0.0.5",
        "2001:db8:0:0:0:0:0.0.0.5",
    ],
    "Zoë Müller": [
        r"Zo\xc3\xab M\xc3\xbcller",
        r"Zo\\xC3\\xAB M\\xC3\\xBCller",
        r"Zo\xeb M\xfcller",
        r"Zo\u00eb M\u00fcller",
        "Zo%C3%AB M%C3%BCller",
        "zoe-mueller",
    ],
    "𠮷野 Mara": [r"\ud842\udfb7\u91ce Mara", r"\\uD842\\uDFB7\\u91CE Mara", r"\xf0\xa0\xae\xb7\xe9\x87\x8e Mara"],
    "Juno's phone": ["Juno-phone", "Juno_phone", "junophone.lan", "JUNO’S PHONE", "Junο's phοne"],
    "long-acting insulin": ["longacting insulin", "long acting insulin", "long-acting-insulin"],
    "hay fever tablet": ["hayfever tablet", "hay-fever tablet", "HayFeverTablet"],
    "1450.00": ["1450", "1 450", "EUR 1450", "1,450", "1.450,00", "€1450", "1'450.00"],
    "212.40": ["212.4", "212,40", "EUR 212.4"],
    "2031-05-17": [
        "17/5/2031",
        "17 May 2031",
        "May 17, 2031",
        "2031-5-17",
        "17-May-2031",
        "17-MAY-2031",
        "17th of May, 2031",
        "17.May.2031",
        "17May2031",
        "May-17-2031",
        "2031 May 17",
        "2031-May-17",
        "17. Mai 2031",
        "20310517",
        "IMG_20310517_0815",
        "20310517T081500",
    ],
    "droid.night_nurse": ["states.droid.night_nurse.state", "night_nurse", "Droid night nurse"],
}
PLAIN = (
    "192 0 2 122, 192 . 0 . 2 . 12 and 192,0,2,21",
    "We counted 192, then 0, then 2, and 121 in all.",
    "rooms 1 2 3 4, scores 10, 20, 30, 40, and 1, 2, 3, 4",
    "Pip has a tablet, and Juno a phone.",
    "the tablet, the phone, hay and a fever; a long act in insulin's way",
    "14500 or 145.0; 212.41, 2124 and 1.450.000",
    "17-Jun-2031, 18. Mai 2031, 2031 May 18, 20310518, 120310517, 203105170; in 2031, may 170 come",
    "192.0.2.0172, 0xc0.0.2.120, 2001:db8::0.0.0.6, 2001-db8--6.ipv6-literal.net",
    "6" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa",
    r"M\xc3\xbcll and \ud842\udfb8 are not",
    "17 June 2031, 00:00:5E:00:53:45, fe80::200:5eff:fe00:5345",
    r"a path C:\temp\new, 30 % of 100%, R&D; x &amp; y, %41%42",
    "nurse, night, droids",
    "Вода и хлеб; Ωμέγα; 東京。",
)


def _guard(secret: Any = SECRET) -> Guard:
    return Guard(levels(tables(secret), "private"), "internal")


ROOT = Path(__file__).parents[2]
GUARD = _guard()
HIDE = Redactor(GUARD.values)


@pytest.mark.parametrize(("value", "written"), [(value, one) for value, all_ in SPELLED.items() for one in all_])
def test_what_the_guard_finds_a_report_takes_out(value, written):
    """Whatever the spelling, and whatever stands beside it."""
    text = f"So it is: {written}, they say."
    assert value in GUARD.values
    assert GUARD.find([text])
    hidden = HIDE(text)
    assert hidden.startswith("So it is: ")
    assert hidden.endswith(" they say.")
    assert MASK in hidden
    assert GUARD.find([hidden]) == ""


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_looks_alike_is_sent_and_shown(text):
    """Four numbers are no address, and two words of a name apart are no name."""
    assert GUARD.find([text]) == ""
    assert HIDE(text) == text


def test_a_small_address_is_not_found_in_any_four_numbers():
    """10.0.0.1 with blanks or commas may be anything."""
    guard = _guard({"hosts": [{"name": "cellar", "lan_ip": "10.0.0.1"}]})
    assert [bool(guard.find([text])) for text in ("10, 0, 0, 1", "10 0 0 1", "10 . 0 . 0 . 1")] == [False, False, True]


_WRAPS = (
    str,
    str.upper,
    quote,
    lambda text: quote(quote(text)),
    lambda text: "".join(f"&#{ord(char)};" for char in text),
    lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    lambda text: re.sub(r"([^\w\s])", r"\\\1", text),
    lambda text: text.replace(" ", "\u00a0").replace("'", "’"),
    lambda text: "\u200b".join(text),
)
_spelled = st.sampled_from([one for all_ in SPELLED.values() for one in all_] + [*SPELLED])


@tries(300)
@given(_spelled, st.sampled_from(_WRAPS), st.sampled_from(_WRAPS), st.text(max_size=20), st.text(max_size=20))
def test_nothing_that_the_guard_finds_is_left(written, inner, outer, before, after):
    """In any escape of any spelling, in any text."""
    text = f"{before} {outer(inner(written))} {after}"
    hidden = HIDE(text)
    assert GUARD.find([hidden]) == "", hidden
    assert not GUARD.find([text]) or MASK in hidden
    assert HIDE(hidden) == hidden


@tries(200)
@given(st.ip_addresses(v=4), st.sampled_from([".", " . ", "\\.", "。", "[.]", " dot ", "-", "_"]))
def test_an_address_is_found_with_any_dots(address, dot):
    """By the guard and by a report, and no other address is."""
    written = str(address).replace(".", dot)
    found = {name[1] for name, _, _ in addresses(next(readings(written.replace("\\", ""))).bare) if name[0] == "ip"}
    assert int(address) in found
    hide = Redactor([str(address)])
    assert MASK in hide(f"at {written}!")
    other = str(address + (1 if int(address) % 256 < 255 else -1)).replace(".", dot)
    assert list(Wanted([("ip", int(address))]).found(other)) == []


@tries(200)
@given(st.text(max_size=60), st.sampled_from(_WRAPS))
def test_a_reading_knows_where_it_stands(text, wrap):
    """Each of its characters is at a place of the text, from left to right."""
    whole = wrap(text)
    for one in readings(whole):
        places = [one.place(at, at + 1) for at in range(len(one.bare))]
        assert len(one.cased) == len(one.bare)
        assert places == sorted(places)
        assert all(0 <= start < end <= len(whole) for start, end in places)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\xfc\x3a\xe2\x82\xac", "ü:€"),
        (r"\xc3\xbc\xc3", "üÃ"),
        (r"\xed\xa0\x80", "í\xa0\x80"),
        (r"\ud83d\ude00\u0041", "😀A"),
        (r"\ue000%EE%80%80&#xe000;", "   "),
    ],
)
def test_bytes_and_halves_are_read_as_their_character(written, read):
    """And what is neither, one by one."""
    last = list(readings(written))[-1]
    assert last.cased == cased(read)
    assert last.place(0, len(last.bare)) == (0, len(written))


def test_a_name_of_a_month_in_any_form_is_that_month():
    """German ones, too, without their accents."""
    months = [
        "Januar",
        "Feb.",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Okt",
        "Nov.",
        "Dezember",
    ]
    for number, month in enumerate(months, 1):
        found = dates_in(small(cased(f"3. {month} 2031")))
        assert [name for name, _, _ in found] == [("date", (2031, number, 3))], month


def test_words_beside_a_date_are_looked_for_as_well():
    """A value may begin with what looks like a date."""
    guard = _guard({"devices": [{"name": "2019 Mara 12 otter"}]})
    assert [bool(guard.find([text])) for text in ("2019-mara-12-otter", "2019-03-12", "2019-03-13")] == [
        True,
        True,
        False,
    ]


def test_a_long_text_of_private_values_is_read_once():
    """Every word of it begins one; the rest of the text is not copied for each."""
    hide = Redactor(["Mara", "the den", "the attic room", "192.0.2.121"])
    assert hide("192.0.2.121 " * 20_000) == f"{MASK} " * 20_000
    assert hide("the the attic " * 20_000) == "the the attic " * 20_000


def test_case_changes_no_length():
    """Of any character: places in the one are places in the other."""
    every = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x20000))))
    usual = cased(every)
    assert len(small(usual)) == len(usual)


def test_letters_of_other_scripts_are_what_they_look_like():
    """And a text in such a script is compared as before, case aside."""
    assert tokens("ТАВLЕТ") == ("tablet",)
    assert tokens("ВОДА") == tokens("вода")
    assert tokens("Łódź Straße") == ("lodz", "strasse")


def test_a_mac_column_may_hold_a_word_of_twelve_letters():
    """It is looked for as a word."""
    assert _guard({"hosts": [{"name": "x1", "mac": "Velvet Otter"}]}).find(["velvet-otter"]) == "hosts/x1"


@pytest.mark.parametrize("value", ["::", "::1", "ff02::1", "127.0.0.1", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"])
def test_a_report_hides_what_names_nobody(value):
    """The guard lets a loopback address pass; a report hides what it was told to hide."""
    assert HIDE(value) == value
    assert Redactor([value])(f"at {value}") == f"at {MASK}"


def test_many_values_are_found_as_few_are():
    """With more of them than can be asked for one by one."""
    values = [f"198.51.{n // 250}.{n % 250}" for n in range(900)] + [f"Mara's lamp {n}" for n in range(300)]
    hide = Redactor([*values, *GUARD.values])
    for written in (one for all_ in SPELLED.values() for one in all_):
        assert MASK in hide(f"It is {written} here."), written
    assert hide("mara lamp 299 at 198 51 3 149") == f"{MASK} at {MASK}"


def test_the_example_house_is_asked_as_before():
    """Of its questions only those are barred that name what is private."""
    build = compile_project(read_folder(ROOT), today=date(2026, 11, 20))
    guard = Guard(build.project.tables, "internal")
    questions = {case.question for suite in load_suites(build).suites.values() for case in suite.cases}
    barred = sorted(question for question in questions if guard.find([question]))
    named = (
        r"Krayt Mutual|worming tablet|hay-fever tablet|heart tablet|glucose sensor|00:00:5E|192\.0\.2\.151|Pip's tablet"
    )
    assert [question for question in barred if not re.search(named, question)] == []
    assert len(questions) > 200
    assert 0 < len(barred) < 0.05 * len(questions)
