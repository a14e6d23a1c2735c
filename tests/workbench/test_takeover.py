"""`import`: new facts are added, a person's words stay, and a file is written only when the whole is known to be good."""

import datetime
import stat
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.errors import BusyError, InputError, UsageError
from promptforge.sources.base import Seen
from promptforge.workbench import takeover
from promptforge.workbench.identities import REGISTER, read_register
from promptforge.workbench.takeover import Wishes, take_over
from sightings import HOUSE, TODAY, build_house, device, entity, host, observed, port, seen
from strategies import tries


@pytest.fixture
def house(tmp_path):
    return build_house(tmp_path)


def taken(root, *facts, accept=(), at="", source="sockets", **wishes):
    """Import these facts."""
    wishes = Wishes(accept=tuple(accept), **wishes)
    return take_over(root, observed(*facts, at=at, source=source), wishes, today=TODAY)


def text(root, file="house"):
    return (root / f"knowledge/{file}.yaml").read_text(encoding="utf-8")


def lines_of(root):
    return text(root).splitlines()


# --- new facts --------------------------------------------------------------------------------------------------------


def test_new_facts_stand_where_their_kin_stand_and_nothing_else_changes(house):
    """A port goes behind those of its host, a host into the mapping; every other byte is as it was."""
    made = taken(house, host("den", ip="192.0.2.5"), port("mini", 4078, guesses={"service": "vaultd"}), port("den", 22))
    assert made.written
    assert [one.id for one in made.added] == ["hosts/den", "ports/mini:4078", "ports/den:22"]
    added = {
        '  den: {lan_ip: 192.0.2.5, verified: "2026-11-22"}',
        '  - {host: mini, port: 4078, service: vaultd, verified: "2026-11-22"}',
        '  - {host: den, port: 22, verified: "2026-11-22"}',
    }
    after = lines_of(house)
    assert added < set(after)
    assert [line for line in after if line not in added] == HOUSE["knowledge/house.yaml"].splitlines()
    assert after.index('  - {host: mini, port: 4078, service: vaultd, verified: "2026-11-22"}') == 10


def test_a_table_that_is_nowhere_begins_in_a_file_of_its_name(house):
    """And with --into, in that file."""
    taken(house, seen("ssh", "hub", {"alias": "hub", "host": "mini", "user": "mara"}))
    assert text(house, "ssh") == 'ssh:\n  - {alias: hub, host: mini, user: mara, verified: "2026-11-22"}\n'
    taken(house, entity("light.den", "Den"), into="knowledge/more.yaml")
    assert text(house, "more") == 'entities:\n  - {entity_id: light.den, name: Den, verified: "2026-11-22"}\n'
    for wrong in ("notes.txt", "../knowledge/x.yaml", "agents/windu.yaml", "knowledge/schemas/x.schema.json"):
        with pytest.raises(UsageError, match="is no file of facts"):
            taken(house, entity("light.attic", "Attic"), into=wrong)


def test_the_day_is_that_of_the_dump(house):
    """Where the dump says a day that was; else it is today."""
    taken(house, port("mini", 1), at="2026-11-02T08:00:00Z")
    taken(house, port("mini", 2), at="2031-01-01")
    taken(house, port("mini", 3), at="soon")
    assert [line[-13:-1] for line in lines_of(house) if "verified" in line] == ['"2026-11-02"', *['"2026-11-22"'] * 2]


def test_a_source_is_said_where_the_table_says_sources_or_it_is_asked_for(house):
    """A column `source` is filled where facts have it; --source-column names another."""
    taken(house, port("mini", 1), source_column="seen_by")
    assert '  - {host: mini, port: 1, seen_by: sockets, verified: "2026-11-22"}' in lines_of(house)
    path = house / "knowledge/house.yaml"
    path.write_text(text(house).replace("kind: phone, mac: 00-", "kind: phone, source: me, mac: 00-"))
    taken(house, device("TV", "00:00:5E:00:53:50"), source="leases")
    assert '  - {name: TV, mac: 00:00:5E:00:53:50, source: leases, verified: "2026-11-22"}' in lines_of(house)


def test_what_defaults_say_is_not_repeated_and_what_they_add_is_said(house):
    """A new fact of a file with _defaults takes them, and the person is told."""
    made = taken(house, entity("light.den", "Den"), entity("light.hall", "Hall", values={"site": "hut"}))
    assert '  - {entity_id: light.hall, name: Hall, verified: "2026-11-22"}' in text(house, "entities")
    assert made.notes == ("new facts of entities take what _defaults of knowledge/entities.yaml say: site: hut",)


def test_noise_is_left_out_counted_and_reachable(house):
    """Noise is counted by its reason; everything takes it."""
    facts = [
        entity("light.a", "A"),
        entity("sensor.b", "B", noise="diagnostic entity"),
        port("mini", 9, noise="ephemeral"),
    ]
    made = taken(house, *facts, dry_run=True)
    assert made.held.noise == {"diagnostic entity": 1, "ephemeral": 1}
    assert [one.id for one in taken(house, *facts, everything=True).added] == [
        "entities/light.a",
        "entities/sensor.b",
        "ports/mini:9",
    ]


def test_what_names_nothing_is_not_added(house):
    """A port of a host that no table has waits, also where that host is noise; the rest is taken."""
    made = taken(
        house,
        port("ghost", 22),
        host("bridge", ip="192.0.2.8", noise="container bridge"),
        port("bridge", 1),
        port("mini", 3),
    )
    assert [(one.seen.key, one.held) for one in made.waiting] == [
        ("ghost:22", "no 'ghost' in hosts"),
        ("bridge:1", "no 'bridge' in hosts"),
    ]
    assert [one.id for one in made.added] == ["ports/mini:3"]


# --- identity ---------------------------------------------------------------------------------------------------------


def test_a_mac_is_the_same_in_any_spelling_and_a_name_of_ours_stays(house):
    """The same device under another name is no new one, and not renamed."""
    for spelled in ("00005e005342", "0:0:5E:0:53:42", "0000.5e00.5342"):
        made = taken(house, device("maras-iphone", spelled))
        assert (made.added, made.open, made.held.same) == ((), (), 1)


def test_what_dhcp_calls_a_device_may_be_a_host(house):
    """A host is found by its MAC from another table, and its address compared under its own name there."""
    made = taken(house, device("mini", "00005e00530a", values={"ip": "192.0.2.11"}))
    assert not made.added
    assert [(one.fact.id, dict(one.columns)) for one in made.open] == [
        ("hosts/mini", {"lan_ip": ("192.0.2.10", "192.0.2.11")})
    ]


def test_a_device_that_is_called_as_a_host_may_be_the_host(house):
    """Tailscale showed attic as a host, DHCP shows it as a device: a person says that it is one thing, and it is."""
    leased = device("Attic", "00:00:5E:00:53:0B", values={"ip": "192.0.2.77"})
    assert [one.doubt for one in taken(house, leased, accept=["all"]).doubtful] == ["hosts/attic has the same name"]
    assert taken(house, leased, accept=["hosts/attic"]).written
    assert "attic: {role: files, lan_ip: 192.0.2.77, os: TrueNAS, mac: 00:00:5E:00:53:0B, verified" in text(house)
    assert taken(house, leased).held.same == 1
    assert [one.id for one in taken(house, device("mini", "00:00:5E:00:53:66")).added] == ["devices/mini"]


def test_references_are_written_as_the_house_calls_its_hosts(house):
    """A host that a dump names by its address, or by a name of its own, is the one that we know."""
    facts = [host("mini.tail.example", ip="100.64.0.10"), port("mini.tail.example", 4078), port("192.0.2.77", 22)]
    assert [one.id for one in taken(house, *facts).added] == ["ports/mini:4078", "ports/attic:22"]


def test_a_name_with_another_mac_is_in_doubt_and_only_its_own_key_takes_it(house):
    """A guest's phone is called iPhone, too. Neither all nor the table takes it for ours; a person may."""
    guest = device("iPhone", "00:00:5E:00:53:99")
    for accept in ((), ("all",), ("devices",)):
        made = taken(house, guest, accept=accept)
        assert [one.doubt for one in made.doubtful] == [
            "devices/iPhone has the same name, but its MAC is 00:00:5E:00:53:43, not 00:00:5E:00:53:99"
        ]
        assert not made.files
    assert taken(house, guest, accept=["iPhone"]).written
    assert "{name: iPhone, kind: phone, mac: 00:00:5E:00:53:99, verified" in text(house)


def test_an_address_of_another_mac_proves_nothing(house):
    """DHCP gave the address to something else since: that is new, and ours is not it."""
    made = taken(house, host("stranger", ip="192.0.2.10", mac="00:00:5E:00:53:77"))
    assert [one.id for one in made.added] == ["hosts/stranger"]


def test_several_facts_or_several_things_are_in_doubt(house):
    """Two facts with one MAC, or two things that would both be one fact: nobody can tell."""
    twin = "  - {name: Twin, mac: 00:00:5E:00:53:42}\n"
    path = house / "knowledge/house.yaml"
    path.write_text(text(house) + twin)
    made = taken(house, device("x", "00005e005342"))
    assert made.doubtful[0].doubt == "2 facts have its mac: devices/Mara's phone, devices/Twin"
    path.write_text(HOUSE["knowledge/house.yaml"])
    made = taken(house, host("a", ip="192.0.2.10"), host("b", ip="192.0.2.10"))
    assert [one.doubt for one in made.doubtful] == ["several could be hosts/mini: a, b"] * 2
    made = taken(house, host("a", mac="00005e00530a"), host("b", ip="192.0.2.10"))
    assert [one.seen.key for one in made.doubtful] == ["b"]
    made = taken(house, device("a", "00005e00530a", values={"ip": "192.0.2.6"}), host("b", ip="192.0.2.10"))
    assert [one.seen.key for one in made.held.new] == ["b"]


# --- what differs -----------------------------------------------------------------------------------------------------


def test_a_value_that_differs_is_shown_and_taken_only_when_asked_for(house):
    """By key, by table or all; the fact then says when it was seen, and its line alone changes."""
    new = entity("lock.front", "Main Door", values={"area": "Hall"})
    made = taken(house, new)
    assert not made.files
    assert [(one.fact.key, dict(one.columns)) for one in made.open] == [
        ("lock.front", {"name": ("Front Door", "Main Door")})
    ]
    for accept in ("lock.front", "entities/lock.front", "entities", "all"):
        build_house(house)
        made = taken(house, new, accept=[accept])
        assert [one.fact.key for one in made.taken] == ["lock.front"]
        expected = (
            HOUSE["knowledge/entities.yaml"].replace("Front Door", "Main Door").replace("2026-01-01", "2026-11-22")
        )
        assert text(house, "entities") == expected
    with pytest.raises(UsageError, match=r"nothing is called 'lock\.frnt', so it cannot be accepted"):
        taken(house, new, accept=["lock.frnt"])


def test_a_column_that_we_leave_open_is_no_difference(house):
    """It is offered, and taken like a value that differs."""
    made = taken(house, host("attic", ip="192.0.2.77", mac="00:00:5E:00:53:0B", values={"os": "TrueNAS"}))
    assert [(dict(one.columns), dict(one.unset), one.differs) for one in made.open] == [
        ({}, {"mac": "00:00:5E:00:53:0B"}, False)
    ]
    taken(house, host("attic", mac="00:00:5E:00:53:0B"), accept=["hosts"])
    assert (
        '  attic: {role: files, lan_ip: 192.0.2.77, os: TrueNAS, mac: 00:00:5E:00:53:0B, verified: "2026-11-22"}'
        in text(house)
    )


def test_guesses_are_for_new_facts_only(house):
    """The name of a process does not differ from what a person calls the service."""
    made = taken(house, port("mini", 8123, guesses={"service": "python3"}))
    assert (made.open, made.files) == ((), {})


def test_what_is_written_oddly_is_left_to_the_person(house):
    """A value over several lines is not edited; the rest is."""
    odd = HOUSE["knowledge/house.yaml"].replace("os: TrueNAS}", "os: 'True\n    NAS'}")
    (house / "knowledge/house.yaml").write_text(odd)
    made = taken(house, host("attic", values={"os": "Debian"}), entity("lock.front", "Door"), accept=["all"])
    assert [(one.fact.id, why) for one, why in made.by_hand] == [
        ("hosts/attic", "knowledge/house.yaml:4: the value is not written on one line")
    ]
    assert [one.fact.id for one in made.taken] == ["entities/lock.front"]
    assert text(house) == odd


# --- renames ----------------------------------------------------------------------------------------------------------


def test_a_renamed_entity_is_a_rename(house):
    """Its unique id tells, which an earlier import kept; it is shown until it is taken, and is never added anew."""
    taken(house, entity("light.kitchen", "Kitchen Ceiling", ("unique_id", "light.hue:7")), source="homeassistant")
    assert read_register(house) == {"entities/light.kitchen": {"unique_id": "light.hue:7"}}
    renamed = entity("light.kitchen_ceiling", "Kitchen Ceiling", ("unique_id", "light.hue:7"))
    for _ in range(2):
        made = taken(house, renamed)
        assert (made.added, [one.new_key for one in made.open]) == ((), ["light.kitchen_ceiling"])
    made = taken(house, renamed, accept=["light.kitchen"])
    assert made.written
    assert '{entity_id: light.kitchen_ceiling, name: Kitchen Ceiling, area: Kitchen, verified: "2026-11-22"}' in text(
        house, "entities"
    )
    assert read_register(house) == {"entities/light.kitchen_ceiling": {"unique_id": "light.hue:7"}}
    assert not taken(house, renamed).files


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  light.a: {name: A}\n", "  light.b: {name: A, verified: "),
        ("  light.a: {entity_id: light.a, name: A}\n", "  light.b: {entity_id: light.b, name: A, verified: "),
        ("  light.a:\n    name: A  # the first\n", "  light.b:\n    name: A  # the first\n    verified: "),
        ("- entity_id: light.a\n  name: A\n", "- entity_id: light.b\n  name: A\n  verified: "),
        ("  - {'entity_id': 'light.a', name: A}\n", "  - {'entity_id': 'light.b', name: A, verified: "),
    ],
)
def test_a_rename_in_every_layout(house, before, after):
    """The key before a fact, the column, or both."""
    (house / "knowledge/entities.yaml").write_text("sites: {hut: {role: main}}\nentities:\n" + before)
    taken(house, entity("light.a", "A", ("unique_id", "u")))
    assert taken(house, entity("light.b", "A", ("unique_id", "u")), accept=["light.b"]).written
    assert text(house, "entities").startswith("sites: {hut: {role: main}}\nentities:\n" + after)
    assert not taken(house, entity("light.b", "A", ("unique_id", "u"))).files


def test_a_column_that_a_mapping_names_as_identity_tells_a_rename(house):
    """Any column may; what a fact says itself is not kept beside it."""
    taken(house, seen("vets", "Oak", {"name": "Oak", "phone": "555-0101"}, ("phone", "555-0101")), source="table")
    made = taken(house, seen("vets", "Dr. Oak", {"name": "Dr. Oak", "phone": "555-0101"}, ("phone", "555-0101")))
    assert [(one.fact.key, one.new_key, one.by) for one in made.open] == [("Oak", "Dr. Oak", "phone")]
    assert not (house / REGISTER).exists()


def test_two_entities_may_exchange_their_names_and_none_takes_anothers(house):
    """Both renames at once are one exchange; one alone would make two facts of one name."""
    ids = [("unique_id", "x:1")], [("unique_id", "x:2")]
    taken(house, entity("light.kitchen", "Kitchen Ceiling", *ids[0]), entity("lock.front", "Front Door", *ids[1]))
    one, other = entity("lock.front", "Kitchen Ceiling", *ids[0]), entity("light.kitchen", "Front Door", *ids[1])
    made = taken(house, one, other, accept=["entities/lock.front"], dry_run=True)
    assert [one.fact.key for one in made.taken] == ["light.kitchen", "lock.front"]
    made = taken(house, one, accept=["all"], dry_run=True)
    assert [why for _, why in made.by_hand] == ["entities has a fact called 'lock.front' already"]
    assert taken(house, one, other, accept=["all"]).written
    assert "{entity_id: lock.front, name: Kitchen Ceiling, area: Kitchen" in text(house, "entities")


def test_a_unique_id_that_a_person_wrote_down_counts(house):
    """Also without its platform, as Home Assistant shows it."""
    path = house / "knowledge/entities.yaml"
    path.write_text(text(house, "entities").replace("area: Kitchen}", "area: Kitchen, unique_id: abc-1}"))
    made = taken(house, entity("light.new", "Kitchen Ceiling", ("unique_id", "light.hue:abc-1")))
    assert [one.new_key for one in made.open] == ["light.new"]


def test_a_host_that_we_call_otherwise_keeps_our_name_until_the_source_renames_what_has_its_name(house):
    """Ours is mini, theirs was mac-mini: that they now say studio changes nothing. attic is theirs, too: it is renamed."""
    mine = host("mac-mini", ip="100.64.0.10", node="n1")
    theirs = host("attic", ip="192.0.2.77", node="n2")
    taken(house, mine, theirs)
    assert read_register(house)["hosts/mini"] == {"tailscale_id": "n1", "called": "mac-mini"}
    made = taken(
        house, host("studio", ip="100.64.0.10", node="n1"), host("loft", ip="192.0.2.77", node="n2"), accept=["hosts"]
    )
    assert [(one.fact.key, one.new_key) for one in made.taken if one.new_key] == [("attic", "loft")]
    assert made.followed == ("ports/attic:445",)
    assert "  loft: {role: files" in text(house)
    assert "{host: loft, port: 445, codename: Shelf" in text(house)


# --- nothing is written before all is good ----------------------------------------------------------------------------


def test_nothing_is_written_that_brings_errors(house):
    """A wrong value that is accepted, or a text that would find nothing: the diagnostics are shown, the files intact."""
    before = {path: path.read_bytes() for path in house.rglob("*.yaml")}
    made = taken(house, port("mini", 3), host("attic", values={"lan_ip": "192.0.2.300"}), accept=["all"])
    assert [d.code for d in made.problems] == ["PF312"]
    assert not made.written
    assert {path: path.read_bytes() for path in house.rglob("*.yaml")} == before
    assert not (house / REGISTER).exists()


def test_errors_that_were_there_do_not_stand_in_the_way(house):
    """Only new ones do."""
    (house / "fewshot/broken.yaml").write_text(
        "examples:\n  - {id: b, user: x, assistant: \"{{ hosts['x'].role }}\"}\n"
    )
    assert taken(house, port("mini", 3)).written


def test_unreadable_knowledge_stops_it(house):
    """Nobody can say what is new while a file cannot be read; one of comments alone holds nothing, and is added to."""
    (house / "knowledge/ssh.yaml").write_text("# later\n")
    assert taken(house, seen("ssh", "hub", {"alias": "hub", "host": "mini"})).problems == ()
    assert text(house, "ssh") == '# later\n\nssh:\n  - {alias: hub, host: mini, verified: "2026-11-22"}\n'
    (house / "knowledge/ssh.yaml").write_text("a: [")
    with pytest.raises(InputError, match="cannot be read, so nobody can say what is known"):
        taken(house, port("mini", 3))


def test_a_file_that_would_grow_too_large_is_not_written(house):
    """The next reading would refuse it as a whole."""
    (house / "promptforge.yaml").write_text("name: hut\nbudget: 2000\nlimits: {file_mb: 0.001}\n")
    with pytest.raises(
        InputError, match=r"knowledge/house\.yaml would have 1,\d\d\d bytes, and the limit is 0\.001 MB"
    ):
        taken(house, *[port("mini", number) for number in range(1, 12)])
    assert text(house) == HOUSE["knowledge/house.yaml"]


def test_a_dry_run_shows_a_diff_and_writes_nothing(house):
    """The diff is a unified one; what it means for the prompts is known, too."""
    made = taken(house, port("attic", 22), entity("light.kitchen", "Kitchen Ceiling", ("unique_id", "u")), dry_run=True)
    assert made.patch().splitlines()[:2] == ["--- a/knowledge/house.yaml", "+++ b/knowledge/house.yaml"]
    assert '+  - {host: attic, port: 22, verified: "2026-11-22"}' in made.patch().splitlines()
    assert [agent.name for agent in made.diff.agents] == ["windu"]
    subprocess.run(["git", "apply", "--check"], input=made.patch().encode(), cwd=house, check=True)
    assert text(house) == HOUSE["knowledge/house.yaml"]
    assert not (house / REGISTER).exists()


def test_modes_of_files_stay_and_an_edit_meanwhile_is_not_lost(house, monkeypatch):
    """A file that only its owner may read stays so; one that changed since it was read is not overwritten."""
    path = house / "knowledge/house.yaml"
    path.chmod(0o640)
    taken(house, port("mini", 3))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    real = takeover.write_into

    def slow(*arguments, **more):
        path.write_text(path.read_text() + "# meanwhile\n")
        return real(*arguments, **more)

    monkeypatch.setattr(takeover, "write_into", slow)
    with pytest.raises(BusyError, match=r"knowledge/house\.yaml was changed meanwhile"):
        taken(house, port("mini", 4))
    assert text(house).endswith("# meanwhile\n")


def test_a_damaged_register_is_said(house):
    """What earlier imports kept is not silently forgotten."""
    for damaged in ("{", '{"version": 2, "facts": {}}', '{"version": 1, "facts": {"a": 1}}'):
        (house / REGISTER).write_text(damaged)
        with pytest.raises(InputError, match=r"promptforge\.sources\.json"):
            taken(house, port("mini", 3))


def test_half_characters_and_odd_values(house):
    """JSON may hold half a character: it becomes a question mark. A value of no kind that files hold is refused."""
    taken(house, entity("light.x", "half \ud83e"))
    assert 'name: "half ?"' in text(house, "entities")
    with pytest.raises(InputError, match="a value of a kind that no file holds: date"):
        taken(house, entity("light.y", "Y", values={"seen": datetime.date(2026, 1, 1)}))


def test_a_device_that_is_called_as_a_host_of_which_the_same_dump_shows_another_mac(house):
    """It is another thing, and is added at once: not in doubt now, and new when the host's MAC has been taken."""
    facts = (host("mini", ip="192.0.2.77", mac="00005e005399"), device("attic", "0000.5e00.5398"))
    first = taken(house, *facts, accept=("all",))
    assert ([one.id for one in first.added], first.doubtful) == (["devices/attic"], ())
    assert taken(house, *facts, accept=("all",)).files == {}


# --- twice ------------------------------------------------------------------------------------------------------------

labels = st.sampled_from(["mini", "attic", "den", "off", "22:22", "Mara's phone", "iPhone", "a | b", "1337", "yes"])
MACS = ["00005e00530a", "00:00:5E:00:53:42", "00-00-5E-00-53-43", "00005e005399", "0000.5e00.5398"]
ADDRESSES = ["192.0.2.10", "192.0.2.77", "192.0.2.5", "100.64.0.10", "100.64.0.99"]
ids = st.sampled_from(["light.kitchen", "lock.front", "light.den", "light.attic"])


@st.composite
def observations(draw):
    """What a source might show: facts that we know and others; what identifies one does not identify two."""
    macs, addresses = draw(st.permutations(MACS)), draw(st.permutations(ADDRESSES))
    nodes, uniques = draw(st.permutations(["n1", "n2", "n3"])), draw(st.permutations(["x:1", "x:2", "x:3"]))

    def one_of(pool):
        return pool.pop() if pool and draw(st.booleans()) else ""

    facts: dict[tuple[str, str], Seen] = {}
    for _ in range(draw(st.integers(1, 7))):
        noise = draw(st.sampled_from(["", "", "", "disabled entity"]))
        kind = draw(st.sampled_from(["host", "port", "entity", "device", "own"]))
        if kind == "host":
            one = host(draw(labels), ip=one_of(addresses), mac=one_of(macs), node=one_of(nodes), noise=noise)
        elif kind == "port":
            of = draw(st.sampled_from(["mini", "attic", "192.0.2.10", "ghost"]))
            one = port(of, draw(st.sampled_from([22, 445, 1455, 4078])), noise=noise)
        elif kind == "entity":
            pairs = [("unique_id", unique)] if (unique := one_of(uniques)) else []
            one = entity(draw(ids), draw(labels), *pairs, values={"area": draw(labels)}, noise=noise)
        elif kind == "device" and (mac := one_of(macs)):
            one = device(draw(labels), mac, values={"ip": one_of(addresses) or None}, noise=noise)
        else:
            key = draw(labels)
            one = seen("wines", key, {"id": key, "year": draw(st.sampled_from([1999, "1999", None, "off"]))})
        facts[one.table, one.key] = one
    return list(facts.values())


@given(observations(), st.sampled_from([(), ("all",), ("entities", "hosts")]), st.booleans())
@tries(60)
def test_an_import_twice_changes_nothing(tmp_path_factory, facts, accept, everything):
    """Whatever is seen, the second import finds it all, on whatever day; and all that was there still is."""
    house = build_house(tmp_path_factory.mktemp("house"))
    first = taken(house, *facts, accept=accept, everything=everything)
    before = {
        path: path.read_bytes() for path in house.rglob("*") if path.is_file() and ".promptforge" not in path.parts
    }
    again = take_over(
        house, observed(*facts), Wishes(accept=accept, everything=everything), today=TODAY + datetime.timedelta(9)
    )
    if not first.problems:
        assert again.files == {}
        assert not again.added
        assert not again.taken
    after = {
        path: path.read_bytes() for path in house.rglob("*") if path.is_file() and ".promptforge" not in path.parts
    }
    assert after == before
    if not accept:
        for name, old in HOUSE.items():
            if name.startswith("knowledge/"):
                rest = iter((house / name).read_text().splitlines())
                assert all(any(line == other for other in rest) for line in old.splitlines())
