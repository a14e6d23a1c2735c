"""`drift`: what no longer holds is named, with whom it makes say something untrue; nothing is ever written."""

import pytest

from promptforge.workbench.drift import find_drift
from promptforge.workbench.takeover import Wishes, take_over
from sightings import SOCKETS, TODAY, build_house, device, entity, host, observed, port, seen


@pytest.fixture
def house(tmp_path):
    return build_house(tmp_path)


def drifted(root, *observations, **more):
    return find_drift(root, observations, today=TODAY, **more)


def said(drift):
    return [(one.kind, f"{one.table}/{one.key}") for one in drift.findings]


def all_of_mini(*ports):
    """What ss shows of mini: these, and what the house knows besides the vault."""
    return observed(port("mini", 8123), *ports, **SOCKETS)


def test_a_house_as_it_is_shown_is_clean(house):
    """In any spelling, and with columns that we leave open."""
    drift = drifted(
        house,
        all_of_mini(port("mini", 1455, guesses={"service": "vaultd"})),
        observed(device("maras-iphone", "00005e005342", values={"os": "iOS"}), source="leases"),
    )
    assert drift.clean
    assert [held.same for held in drift.held] == [2, 0]


def test_the_founders_case(house):
    """A service documented on 1455 runs on 4078, and five services are in no table: all of it is found, with whom it concerns."""
    strangers = [port("mini", number, guesses={"service": "python3"}) for number in (22, 80, 3000, 5432, 9100)]
    drift = drifted(house, all_of_mini(*strangers, port("mini", 4078, guesses={"service": "memory vault"})))
    assert said(drift) == [
        *(("missing", f"ports/mini:{number}") for number in (22, 80, 3000, 5432, 9100)),
        ("moved", "ports/mini:1455"),
    ]
    moved = drift.findings[-1]
    assert moved.new_key == "mini:4078"
    assert moved.concerns == ("agent windu", "example where-is-the-vault", "case house/vault")
    assert drift.diff is not None
    assert [agent.name for agent in drift.diff.agents] == ["windu"]
    assert [(example.id, example.change) for example in drift.diff.examples] == [("where-is-the-vault", "touched")]
    assert [(case.id, case.what) for case in drift.diff.cases] == [("vault", ("expected",))]


def test_the_founders_case_where_the_process_has_another_name(house):
    """Then nobody can say that the one is the other: the old port was not seen, the new one is in no table."""
    drift = drifted(house, all_of_mini(port("mini", 4078, guesses={"service": "python3"})))
    assert said(drift) == [("missing", "ports/mini:4078"), ("not seen", "ports/mini:1455")]
    assert drift.findings[1].concerns == ("agent windu", "example where-is-the-vault", "case house/vault")
    assert drift.diff is None


def test_what_was_seen_by_any_source_is_not_missed(house):
    """And only what a source would show whole, of that host alone: a socket of the attic is none of mini's."""
    part = observed(port("mini", 8123))
    assert drifted(house, part).clean
    drift = drifted(house, all_of_mini())
    assert said(drift) == [("not seen", "ports/mini:1455")]
    assert drifted(house, all_of_mini(), observed(port("mini", 1455), source="nmap")).clean


def test_what_differs_names_who_says_it(house):
    """A renamed door is untrue to windu, who is told of entities, and not to yoda, who is not."""
    drift = drifted(
        house, observed(entity("lock.front", "Main Door"), host("mini", ip="192.0.2.11", mac="00005e00530a"))
    )
    assert said(drift) == [("differs", "entities/lock.front"), ("differs", "hosts/mini")]
    assert [one.concerns for one in drift.findings] == [("agent windu",), ("agent yoda",)]
    assert drift.diff is not None
    assert {agent.name: agent.because for agent in drift.diff.agents} == {
        "windu": ("entities/lock.front",),
        "yoda": ("hosts/mini",),
    }


def test_two_sources_of_one_mind_are_one_finding_and_two_minds_are_two(house):
    """And what is missing is missing once, by whatever name and spelling."""
    new = device("TV", "00:00:5E:00:53:50"), device("android-tv", "0000.5e00.5350")
    drift = drifted(house, observed(new[0], source="leases"), observed(new[1], source="nmap"))
    assert [(one.key, one.sources) for one in drift.findings] == [("TV", ("leases", "nmap"))]
    doors = [entity("lock.front", name) for name in ("Main Door", "Main Door", "Porch Door")]
    drift = drifted(house, *(observed(door, source=f"s{number}") for number, door in enumerate(doors)))
    assert [(one.kind, one.sources) for one in drift.findings] == [("differs", ("s0", "s1")), ("differs", ("s2",))]


def test_what_is_in_doubt_is_drift_too(house):
    """A guest's phone of the same name; and nothing that it might be is said to be gone."""
    guest = observed(device("iPhone", "00:00:5E:00:53:99"), device("x", "00005e005342"), whole=frozenset({"devices"}))
    drift = drifted(house, guest)
    assert [(one.kind, one.why) for one in drift.findings] == [
        ("ambiguous", "devices/iPhone has the same name, but its MAC is 00:00:5E:00:53:43, not 00:00:5E:00:53:99")
    ]


def test_a_rename_is_one_and_noise_is_not_missing(house):
    """By the unique id that an import kept; and a disabled entity is no finding unless everything is asked for."""
    known = entity("light.kitchen", "Kitchen Ceiling", ("unique_id", "hue:1"))
    take_over(house, observed(known), Wishes(), today=TODAY)
    shown = observed(
        entity("light.ceiling", "Kitchen Ceiling", ("unique_id", "hue:1")),
        entity("sensor.x", "X", noise="disabled entity"),
        entity("lock.front", "Front Door", noise="hidden entity"),
        whole=frozenset({"entities"}),
    )
    drift = drifted(house, shown)
    assert [(one.kind, one.key, one.new_key) for one in drift.findings] == [
        ("renamed", "light.kitchen", "light.ceiling")
    ]
    assert ("missing", "entities/sensor.x") in said(drifted(house, shown, everything=True))


def test_a_rename_that_two_sources_show_is_tried_out_once(house):
    """Though they differ in another column."""
    known = entity("light.kitchen", "Kitchen Ceiling", ("unique_id", "hue:1"))
    take_over(house, observed(known), Wishes(), today=TODAY)
    shown = [entity("light.new", name, ("unique_id", "hue:1")) for name in ("Ceiling", "Kitchen Ceiling")]
    drift = drifted(house, observed(shown[0], source="a"), observed(shown[1], source="b"))
    assert [(one.kind, one.sources, one.why) for one in drift.findings] == [
        ("renamed", ("a",), ""),
        ("renamed", ("b",), ""),
    ]
    assert drift.diff is not None
    assert [agent.name for agent in drift.diff.agents] == ["windu"]


def test_a_name_that_is_taken_is_said(house):
    """What was renamed to the name of another fact cannot be tried out, and is told all the same."""
    known = entity("light.kitchen", "Kitchen Ceiling", ("unique_id", "hue:1"))
    take_over(house, observed(known), Wishes(), today=TODAY)
    drift = drifted(house, observed(entity("lock.front", "Kitchen Ceiling", ("unique_id", "hue:1"))))
    assert [(one.kind, one.why) for one in drift.findings] == [
        ("renamed", "entities has a fact called 'lock.front' already")
    ]


def test_what_names_no_host_of_ours_is_missing_with_the_reason(house):
    """The host is what is missing first."""
    drift = drifted(house, observed(port("ghost", 22)))
    assert [(one.kind, one.why) for one in drift.findings] == [("missing", "no 'ghost' in hosts")]


def test_nothing_is_written(house):
    """Not a byte, not even where a fact could be mended."""
    before = {path: path.read_bytes() for path in house.rglob("*") if path.is_file()}
    drifted(house, observed(entity("lock.front", "Main Door"), seen("wines", "a", {"id": "a"})))
    assert {path: path.read_bytes() for path in house.rglob("*") if path.is_file()} == before
