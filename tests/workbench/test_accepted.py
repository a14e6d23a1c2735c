"""What a person knows and accepts is quiet, as long as it is what he accepted; then he is told that it is left over."""

import datetime

import pytest

from promptforge.compiler.load import read_project
from promptforge.console.sources import drift_github, drift_json, drift_markdown, drift_text
from promptforge.console.terminal import Painter
from promptforge.workbench.check import check
from promptforge.workbench.drift import find_drift
from promptforge.workbench.takeover import Wishes, take_over
from sightings import SOCKETS, TODAY, build_house, device, entity, host, observed, port

PLAIN = Painter(colour=False)


@pytest.fixture
def house(tmp_path):
    return build_house(tmp_path)


def write(root, old, new, file="knowledge/house.yaml"):
    path = root / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def said(root):
    """What check says, near twins of the house apart."""
    return [one for one in check(read_project(root), today=TODAY).diagnostics if one.code != "PF331"]


def drifted(root, *observations):
    return find_drift(root, observations, today=TODAY)


def mini(address):
    return observed(host("mini", ip=address, mac="00005e00530a"), source="netbox")


def allow(root, words):
    write(root, "  # the hub\n", f"  # the hub  # promptforge: allow drift {words}\n")


@pytest.mark.parametrize(
    "words", ["lan_ip=192.0.2.11 its second card", "lan_ip=* whatever", "it is known", 'lan_ip="192.0.2.11" x']
)
def test_a_known_difference_is_quiet(house, words):
    """By its value, by its column, or as a whole; check knows the form and has nothing to say."""
    allow(house, words)
    drift = drifted(house, mini("192.0.2.11"))
    assert drift.clean
    assert drift.diff is None
    assert drift_text(drift, PLAIN).endswith("no drift: 0 facts as the sources show them, 1 difference accepted")
    assert not said(house)


def test_another_value_is_no_known_one(house):
    """The acceptance is for what was looked at, and not for whatever comes next; then nothing is said to be left over."""
    allow(house, "lan_ip=192.0.2.11 its second card")
    drift = drifted(house, mini("192.0.2.12"))
    assert [(one.kind, dict(one.columns)) for one in drift.findings] == [
        ("differs", {"lan_ip": ("192.0.2.10", "192.0.2.12")})
    ]
    assert (
        "where it is meant so, with your reason at the end of the line\n"
        "  knowledge/house.yaml:3  # promptforge: allow drift lan_ip=192.0.2.12 REASON\n"
    ) in drift_text(drift, PLAIN)
    assert drift_json(drift)["findings"][0]["accept"] == "# promptforge: allow drift lan_ip=192.0.2.12 REASON"


def test_each_finding_has_its_line_to_copy(house):
    """Also the second; what is missing stands in one line, which says where it goes in the file that is there."""
    seen = (mini("192.0.2.11"), observed(port("mini", 8123), port("mini", 9100), port("mini", 9101), **SOCKETS))
    text = drift_text(drifted(house, *seen), PLAIN)
    assert "  knowledge/house.yaml:3  # promptforge: allow drift lan_ip=192.0.2.11 REASON\n" in text
    assert "  knowledge/house.yaml:8  # promptforge: allow drift unseen REASON\n" in text
    heading, names = "where nobody need know it\n", "ports/mini:9100, ports/mini:9101"
    assert f"{heading}  in promptforge.yaml  ignore: {{drift: [{names}]}}\n" in text
    for written, said in (
        ("{PF331: ['knowledge/*']}", f"under `ignore:` in promptforge.yaml add  drift: [{names}]"),
        ("{drift: [devices/x]}", f"to `drift`, which is under `ignore:` in promptforge.yaml, add  {names}"),
    ):
        (house / "promptforge.yaml").write_text(f"name: hut\nignore: {written}\n")
        assert f"{heading}  {said}\n" in drift_text(drifted(house, *seen), PLAIN)


@pytest.mark.parametrize("reason", ["REASON", "reason", "why"])
def test_the_word_of_a_hint_is_no_reason(house, reason):
    """A line that was copied and not filled in is told by check."""
    allow(house, f"lan_ip=192.0.2.11 {reason}")
    assert [(one.code, one.message) for one in said(house)] == [("PF603", "the acceptance gives no reason")]


@pytest.mark.parametrize(
    ("comment", "message", "hint"),
    [
        ("alow drift lan_ip=* x", "'promptforge: alow' means nothing", "did you mean 'allow'?"),
        (
            "allow drift lanip=192.0.2.11 x",
            "the acceptance names the column 'lanip', and hosts has none of this name",
            "did you mean 'lan_ip'?",
        ),
    ],
)
def test_an_acceptance_with_a_slip_is_told(house, comment, message, hint):
    """By check, and by drift in every form: it accepts nothing, and its author believes that it does."""
    write(house, "  # the hub\n", f"  # the hub  # promptforge: {comment}\n")
    (found,) = said(house)
    assert (found.code, found.message, str(found.span)) == ("PF603", message, "knowledge/house.yaml:3")
    assert found.hint.startswith(hint)
    drift = drifted(house, mini("192.0.2.11"))
    assert not drift.clean
    assert f"warning: knowledge/house.yaml:3: {message} ({hint}" in drift_text(drift, PLAIN)
    assert f"{message} (" in drift_github(drift)
    assert drift_json(drift)["misunderstood"][0]["code"] == "PF603"
    assert "means nothing" in drift_markdown(drift) or "has none of this name" in drift_markdown(drift)


def test_what_accepts_nothing_is_said_where_the_source_speaks_of_it(house):
    """Once both agree the line is left over; a source that does not show the column cannot tell."""
    allow(house, "lan_ip=192.0.2.11 its second card")
    drift = drifted(house, mini("192.0.2.10"))
    assert drift.clean
    words = "'allow drift lan_ip=192.0.2.11 its second card' accepts nothing any more; delete it"
    assert f"warning: knowledge/house.yaml:3: {words}" in drift_text(drift, PLAIN)
    assert f"::warning file=house/knowledge/house.yaml,line=3,title=drift%3A acceptance of nothing::{words}" in (
        drift_github(drift, "house/")
    )
    assert drift_json(drift)["unused"][0]["line"] == 3
    assert "accepts nothing any more" in drift_markdown(drift)
    assert not drifted(house, observed(host("mini", mac="00005e00530a"))).unused


def test_what_was_not_seen_may_be_accepted_and_is_left_over_when_it_is_back(house):
    """A laptop that is mostly asleep."""
    write(
        house, "service: Memory Vault}", "service: Memory Vault}  # promptforge: allow drift unseen by night it is off"
    )
    assert drifted(house, observed(port("mini", 8123), **SOCKETS)).clean
    back = drifted(house, observed(port("mini", 8123), port("mini", 1455), **SOCKETS))
    assert [span.line for span, _ in back.unused] == [8]


def test_what_moved_or_is_called_otherwise_is_accepted_by_its_key(house):
    """The pin is the column of the key; without one anything of the fact is accepted."""
    seen = observed(port("mini", 8123), port("mini", 4078, guesses={"service": "memory vault"}), **SOCKETS)
    assert "  # promptforge: allow drift port=4078 REASON" in drift_text(drifted(house, seen), PLAIN)
    write(house, "service: Memory Vault}", "service: Memory Vault}  # promptforge: allow drift port=4078 for a week")
    assert drifted(house, seen).clean


def test_what_is_in_no_table_and_need_not_be(house):
    """A glob in promptforge.yaml, which names the fact that there is none of; import leaves it out, too."""
    seen = observed(port("mini", 8123), port("mini", 1455), port("mini", 9100), port("mini", 9101), **SOCKETS)
    drift = drifted(house, seen)
    assert "where nobody need know it\n  in promptforge.yaml  ignore: {drift: [ports/mini:9100, ports/mini:9101]}" in (
        drift_text(drift, PLAIN)
    )
    (house / "promptforge.yaml").write_text(
        "name: hut\nignore: {drift: ['ports/mini:91*', 'ports/attic:7', 'devices/*']}\n"
    )
    drift = drifted(house, seen)
    assert drift.clean
    assert [(str(span), words) for span, words in drift.unused] == [("promptforge.yaml:2", "drift: ports/attic:7")]
    made = take_over(house, seen, Wishes(), today=TODAY)
    assert (made.added, len(made.held.accepted)) == ((), 2)
    assert not said(house)


def test_a_doubt_is_settled_by_a_word(house):
    """A phone of the same name and another MAC: it is known."""
    seen = observed(device("Mara's phone", "00:00:5e:00:53:99"), source="leases")
    assert [one.kind for one in drifted(house, seen).findings] == ["ambiguous"]
    write(house, "mac: 00-00-5e-00-53-42}", "mac: 00-00-5e-00-53-42}  # promptforge: allow drift a guest's joke")
    assert drifted(house, seen).clean


def test_an_import_does_not_show_or_take_it_again(house):
    """`--accept all` takes what is open, and this is not; columns that are unset stay on offer."""
    allow(house, "lan_ip=* it has two")
    seen = observed(host("mini", ip="192.0.2.11", mac="00005e00530a", values={"os": "macOS"}), source="netbox")
    made = take_over(house, seen, Wishes(accept=("all",)), today=TODAY)
    assert [dict(one.unset) for one in made.taken] == [{"os": "macOS"}]
    assert "lan_ip: 192.0.2.10," in (house / "knowledge/house.yaml").read_text()
    assert not any("allowed" in note for note in made.notes)
    asked = take_over(house, seen, Wishes(accept=("mini",)), today=TODAY)
    assert asked.notes[-1] == (
        "hosts/mini stays as it is, for this drift is allowed; to take it, delete the allowance first"
    )


def test_one_without_a_reason_is_no_acceptance_to_be_proud_of(house):
    """It is told by check, as of any allowance; one beside an allowance of a diagnostic does not hide it."""
    allow(house, "lan_ip=192.0.2.11")
    found = said(house)
    assert [(one.code, one.message) for one in found] == [("PF603", "the acceptance gives no reason")]
    write(
        house, "service: Files}", "service: Files}  # promptforge: allow drift x  # promptforge: allow PF330 left over"
    )
    assert [one.code for one in said(house)] == ["PF603", "PF601"]


def test_an_entity_that_the_house_calls_otherwise(house):
    """A pinned name is that of the source."""
    write(
        house,
        "name: Front Door, area: Hall, verified: 2026-01-01}",
        "name: Front Door, area: Hall, verified: 2026-01-01}  # promptforge: allow drift name='Main Door' ours is shorter",
        "knowledge/entities.yaml",
    )
    assert drifted(house, observed(entity("lock.front", "Main Door"))).clean
    assert not drifted(house, observed(entity("lock.front", "Side Door"))).clean
    assert find_drift(house, [observed(entity("lock.front", "Main Door"))], today=datetime.date(2026, 12, 24)).clean
