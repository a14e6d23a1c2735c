"""What the last look before sending finds, and what it leaves alone."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.house import tables
from promptforge.backends.base import Answer, BackendError, Request
from promptforge.bench.guard import Guard, Guarded, texts_of
from promptforge.model import Table
from strategies import tries

SECRET: dict[str, list[dict[str, Any]]] = {
    "hosts": [{"name": "cellar", "lan_ip": "192.0.2.66", "mac": "00:00:5E:00:53:6A"}],
    "devices": [{"name": "Zoë's tablet", "kind": "tablet", "mac": "000000005377"}],
    "entities": [{"entity_id": "droid.night_nurse", "name": "Night Nurse"}],
    "people": [{"name": "Pip", "school": "Hillside", "at": "08:15", "pocket": 12}],
    "bills": [{"id": "roof-loan", "amount_eur": 54.5, "fee": "9.60", "due": "2031-05-17", "code": 77812290}],
    "care": [{"id": "knee", "notes": "Twice a week; the key for the cabinet lies under the blue pot, call 030 901820"}],
}
OPEN: dict[str, list[dict[str, Any]]] = {
    "places": [{"name": "Hall"}, {"name": "Night Nurse's room"}],
    "lamps": [{"id": "a", "notes": "the lamp under the blue pot"}],
}


def levels(made: dict[str, Table], level: str) -> dict[str, Table]:
    """The same tables, all facts at one level."""
    return {
        name: replace(table, facts=tuple(fact._replace(level=level) for fact in table.facts))
        for name, table in made.items()
    }


def both(secret: Any = SECRET, known: Any = OPEN) -> dict[str, Table]:
    return levels(tables(secret), "private") | levels(tables(known), "internal")


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(both(), "internal")


@pytest.fixture(scope="module")
def strict() -> Guard:
    return Guard(both(), "internal", strict=True)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("at 192.0.2.66", "hosts/cellar"),
        ("host_192.0.2.66_backup", "hosts/cellar"),
        ("10.192.0.2.66", "hosts/cellar"),
        ("192.000.002.066", "hosts/cellar"),
        ("192 dot 0 dot 2 dot 66", "hosts/cellar"),
        ("3221226050", "hosts/cellar"),
        ("0xC0000242", "hosts/cellar"),
        ("fe80::200:5eff:fe00:536a", "hosts/cellar"),
        ("mac00005e00536a", "hosts/cellar"),
        ("00 00 5E 00 53 6A", "hosts/cellar"),
        ("０0:00:5E:00:53:6A", "hosts/cellar"),
        ("the cellar", "hosts/cellar"),
        ("000000005377", "devices/Zoë's tablet"),
        ("00:00:00:00:53:77", "devices/Zoë's tablet"),
        ("Zoe s tablet", "devices/Zoë's tablet"),
        ("ZOES-TABLET.local", "devices/Zoë's tablet"),
        ("zoestablet", "devices/Zoë's tablet"),
        ("Zoë\u2019s\u00a0tablet\u2019s", "devices/Zoë's tablet"),
        ("Zo\\u00eb\\u0027s tablet", "devices/Zoë's tablet"),
        ("Z\u200boë's tablet", "devices/Zoë's tablet"),
        ("states.droid.night_nurse.state", "entities/droid.night_nurse"),
        ("droid/night-nurse", "entities/droid.night_nurse"),
        ("night_nurse", "entities/droid.night_nurse"),
        ("Ask Pip!", "people/Pip"),
        ("54.50", "bills/roof-loan"),
        ("54,5 euros", "bills/roof-loan"),
        ("EUR 9.60", "bills/roof-loan"),
        ("on 17/5/2031", "bills/roof-loan"),
        ("7781 2290", "bills/roof-loan"),
        ("the cabinet lies under the stairs", "care/knee"),
    ],
)
def test_a_value_is_found_however_it_is_spelled(guard, text, fact):
    """Addresses, names, amounts, dates; half a sentence of a note."""
    assert guard.find([text]) == fact


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2.6",
        "192.0.2.166",
        "00:00:5E:00:53:6B",
        "54 lamps, 54 doors",
        "at 08:15 or 12 o'clock",
        "pip install promptforge",
        "zoology, the tablet",
        "the night nurse is here",  # a public fact says so
        "under the blue pot",  # and so
        "Hillside",  # a word alone may mean anything, unless who says it was told
        "2031-05-18",
        "17781229",
        "version 5.4.5",
    ],
)
def test_what_only_looks_alike_is_left_alone(guard, text):
    """A guard that bars everything is switched off."""
    assert guard.find([text]) == ""


@pytest.mark.parametrize("text", ["She goes to Hillside.", "at 08:15", "12 coins", "key for the cabinet"])
def test_who_was_told_is_looked_at_strictly(guard, strict, text):
    """Single words, small numbers and short quotations that are one fact's own."""
    assert guard.find([text]) == ""
    assert strict.find([text])


def test_a_strict_look_knows_what_is_public(strict):
    """What stands in a fact that may be seen is no secret."""
    assert strict.find(["the night nurse in the hall, under the blue pot"]) == ""


_hex = st.text("0123456789abcdef", min_size=12, max_size=12).filter(lambda text: text.strip("0f"))


@tries(100)
@given(
    _hex,
    st.sampled_from([":", "-", ".", " ", "", "_"]),
    st.sampled_from([2, 4, 6]),
    st.booleans(),
    st.text(max_size=20),
)
def test_no_mac_slips_through(digits, sign, step, upper, around):
    """However its digits are grouped, and whatever stands beside it."""
    mac = ":".join(digits[n : n + 2] for n in range(0, 12, 2))
    guard = Guard(levels(tables({"devices": [{"name": "x", "mac": mac}]}), "private"), "internal")
    written = sign.join(digits[n : n + step] for n in range(0, 12, step))
    assert guard.find([f"{around} {written.upper() if upper else written} {around}"]) == "devices/x"


@tries(100)
@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(text):
    """Nothing breaks it."""
    assert isinstance(Guard(both(), "internal").find([text]), str)


def test_nothing_is_secret_where_all_may_be_seen():
    """A model at home is told everything."""
    guard = Guard(both(), "private")
    assert guard.find(["Zoë's tablet"]) == ""
    assert guard.values == {}


def test_what_an_older_state_held_is_looked_for():
    """By today's level; what only an older state says makes nothing known."""
    then = both({"devices": [{"name": "Pip's kite", "mac": "00:00:5E:00:53:01"}]}, {"toys": [{"id": "Pip's kite"}]})
    now = both({"devices": [{"name": "Pip's kite", "mac": "00:00:5E:00:53:02"}]}, {"toys": [{"id": "ball"}]})
    guard = Guard(now, "internal", earlier=[levels(then, "public")])
    assert guard.find(["00:00:5E:00:53:01"]) == "devices/Pip's kite"
    assert guard.find(["Pip's kite"]) == "devices/Pip's kite"
    assert Guard(now, "internal").find(["00:00:5E:00:53:01"]) == ""


def test_values_to_redact_are_those_that_tell(guard):
    """As written; not what a public fact holds."""
    assert {"192.0.2.66", "Zoë's tablet", "54.5", "Pip"} <= set(guard.values)
    assert not {"Hillside", "Night Nurse", "08:15", "12"} & set(guard.values)


def test_everything_of_a_request_is_looked_at():
    """Prompt, turns, tools and parameters, as they are, not escaped."""
    request = Request(
        system="a",
        messages=(("user", "b"), ("assistant", "c")),
        tools=({"name": "d", "description": "Zoë's"},),
        params={"stop": ["é"]},
    )
    assert list(texts_of(request)) == ["a", "b", "c", '[{"name": "d", "description": "Zoë\'s"}]', '{"stop": ["é"]}']


def test_a_guarded_backend_sends_nothing_that_is_barred(guard):
    """It says what; everything else goes through as it is."""
    sent = []

    class Inner:
        name = "inner"
        identity = {"backend": "inner"}  # noqa: RUF012

        def answer(self, request: Request, *, timeout_s: float, stop: threading.Event | None = None) -> Answer:
            sent.append((request, stop))
            return Answer(text="yes")

        def stream(
            self, request: Request, on_text: Any, *, timeout_s: float, stop: threading.Event | None = None
        ) -> Answer:
            return self.answer(request, timeout_s=timeout_s, stop=stop)

        def close(self) -> None:
            sent.append("closed")

    backend = Guarded(Inner(), lambda request: guard.find(texts_of(request)))
    fine, barred = (Request(system=text, messages=(("user", "x"),)) for text in ("hello", "Zoë's tablet"))
    assert (backend.name, backend.identity) == ("inner", {"backend": "inner"})
    stop = threading.Event()
    assert backend.answer(fine, timeout_s=1, stop=stop).text == "yes"
    assert backend.stream(fine, str, timeout_s=1, stop=stop).text == "yes"
    for ask in (lambda: backend.answer(barred, timeout_s=1), lambda: backend.stream(barred, str, timeout_s=1)):
        with pytest.raises(BackendError, match="nothing was sent: devices/Zoë's tablet") as caught:
            ask()
        assert caught.value.fault == "barred"
        assert not caught.value.retryable
    backend.close()
    assert sent == [(fine, stop), (fine, stop), "closed"]
