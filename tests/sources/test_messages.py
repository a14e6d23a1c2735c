"""What the golden cases do not say: limits, odd files, and what is noted beside the facts."""

import contextlib
import json

import pytest

from promptforge.sources.all import SOURCES
from promptforge.sources.base import SourceError


def complaint(source, path, **options):
    """What a source says of a file."""
    with pytest.raises(SourceError) as caught:
        SOURCES[source].read([path], options=options)
    assert caught.value.hint
    return caught.value.message


def notes(source, path, **options):
    """What a source notes of a file."""
    return SOURCES[source].read([path], options=options).notes


def put(folder, name, content):
    """A file."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_line_without_an_end(tmp_path):
    """A line that is longer than any of a dump is refused before it is held."""
    path = put(tmp_path, "mini.ss", "LISTEN 0 1 0.0.0.0:22 0.0.0.0:*\n" + "x" * 70_000)
    assert "mini.ss:2: " in complaint("sockets", path)
    assert "found a line of more than 65,536 characters" in complaint("sockets", path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('[{"entity_id": "light.a", "state": "on"}] []', "more after its end: it holds several documents"),
        ('[{"entity_id": "light.a", "state": "on"} {}]', "no valid JSON (a comma is missing)"),
        ('{"data": {"entities" []}}', "no valid JSON (a name without a value)"),
        ('{"data": {"entities": [{"entity_id": light}]}, "x": "' + "y" * 99 + '"}', "no valid JSON (expecting value)"),
        ('[{"entity_id": "light.a", "state": ' + "9" * 5000 + "}]", "a number with thousands of digits"),
        ('{"data"', "the beginning of it: the file ends in the middle"),
        ('{"data": {"entities": [', "the beginning of it: the file ends in the middle"),
        ('{"data": {"entities": [{"entity_id": "light.a"}', "the beginning of it: the file ends in the middle"),
        ("[7]", "a table"),
    ],
)
def test_json_that_is_read_in_pieces(content, found, tmp_path):
    """Each way in which a long list can be broken has its words."""
    path = put(tmp_path, "states.json", content)
    if found == "a table":
        assert "no fact in it (passed over records that are no mapping: 1)" in complaint("homeassistant", path)
    else:
        assert f"and found {found}" in complaint("homeassistant", path)


def test_json_that_is_read_whole(tmp_path):
    """The place of what is wrong is named."""
    path = put(tmp_path, "status.json", '{"Self": {\n  "ID": oops}, "BackendState": "Running"}')
    assert complaint("tailscale", path).startswith(
        "status.json:2:9: expected the JSON of tailscale's status, and found no"
    )


def test_a_value_without_an_end(tmp_path, monkeypatch):
    """One element may not take all the memory."""
    monkeypatch.setattr("promptforge.sources.dump._LONGEST", 1 << 20)
    path = put(tmp_path, "states.json", '[{"entity_id": "' + "x" * (4 << 20) + '"}]')
    assert "one value of more than 1,048,576 characters" in complaint("homeassistant", path)


def test_xml_without_a_bottom(tmp_path):
    """Elements within elements end somewhere."""
    path = put(tmp_path, "scan.xml", '<nmaprun start="1795300000">' + "<host>" * 80)
    assert "XML that is nested too deeply" in complaint("nmap", path)


def test_includes_end(tmp_path):
    """A chain of files is followed 16 deep, a variable is not filled in, a folder is no file."""
    for number in range(20):
        put(tmp_path, f"c{number}", f"Include c{number + 1}\nHost h{number}\n")
    put(tmp_path, "config", "Include %h/x\nInclude sub\nInclude c0\nHost last\n")
    (tmp_path / "sub").mkdir()
    made = SOURCES["ssh"].read([tmp_path / "config"], options={})
    assert next(seen.key for seen in made.seen if seen.table == "ssh") == "h14"
    assert made.notes == (
        "config:1: passed over an Include with a variable",
        "c14:1: passed over an Include, 16 deep or after 256 files",
    )


def test_includes_of_the_home(tmp_path):
    """`~/.ssh/…` and `~/…` are those of the option `home`, and of the file's folder without it."""
    (tmp_path / ".ssh").mkdir()
    put(tmp_path / ".ssh", "extra", "Host extra\n")
    put(tmp_path, "other", "Host other\n")
    config = put(tmp_path, "config", "Include ~/.ssh/extra ~/other\nHost mini\n")
    made = SOURCES["ssh"].read([config], options={"home": str(tmp_path)})
    assert [seen.key for seen in made.seen if seen.table == "ssh"] == ["extra", "other", "mini"]


def test_match_with_another_condition(tmp_path):
    """What would need more than the file is passed over, with its line; its settings are not taken."""
    path = put(tmp_path, "config", "Host mini\n  HostName 192.0.2.1\nMatch user root host mini\n  User root\n")
    made = SOURCES["ssh"].read([path], options={})
    assert made.notes == ("config:3: passed over a Match block with a condition",)
    assert "user" not in made.seen[1].values


def test_a_wide_range_of_ports(tmp_path):
    """A range is not written out without a bound."""
    service = {"image": "x", "ports": [{"published": "10000-20000", "target": 1, "protocol": "udp"}]}
    made = SOURCES["compose"].read([put(tmp_path, "kessel.json", {"services": {"rtc": service}})], options={})
    assert len([seen for seen in made.seen if seen.table == "ports"]) == 256
    assert "a range of 10,001 ports; the first 256 were taken" in made.notes[1]


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("columns: {name: a}", "`table` is the name of a table, in small letters"),
        ("table: Devices\ncolumns: {name: a}", "`table` is the name of a table, in small letters"),
        ("table: devices\ncolumns: {name: a}\nskip: [x]", "`skip` is a mapping"),
        ("table: devices\ncolumns: {name: a}\nconstants: 7", "`constants` is a mapping"),
        ("- a", "it holds no mapping"),
    ],
)
def test_a_mapping_says_what_is_wrong_in_it(mapping, message, tmp_path):
    """Each fault of a mapping file has its message."""
    data, file = put(tmp_path, "d.csv", "a,b\n1,2\n"), put(tmp_path, "m.yaml", mapping)
    assert message in complaint("table", data, mapping=str(file))


def test_a_table_that_is_no_yaml(tmp_path):
    """YAML that cannot be read says why."""
    file = put(tmp_path, "m.yaml", "table: devices\ncolumns: {name: a}\n")
    assert "YAML that cannot be read (" in complaint("table", put(tmp_path, "d.yaml", "a: [\n"), mapping=str(file))
    assert "no rows under 'the top'" in complaint("table", put(tmp_path, "e.yaml", "just words\n"), mapping=str(file))


def test_devices_of_one_name_keep_theirs_whatever_the_order(tmp_path):
    """The end of the MAC tells them apart, and stays when the list is turned round."""
    rows = [{"mac": f"00:00:5e:00:53:{n}", "hostname": "iPhone", "is_wired": False} for n in (41, 42)]
    names = []
    for turned in (rows, rows[::-1]):
        made = SOURCES["leases"].read([put(tmp_path, "sta.json", {"meta": {"rc": "ok"}, "data": turned})], options={})
        names.append(sorted(seen.key for seen in made.seen))
    assert names[0] == names[1] == ["iPhone (53:41)", "iPhone (53:42)"]


def test_noise_takes_no_name_away(tmp_path):
    """A guest's iPhone does not rename the family's."""
    rows = [
        {"mac": "00:00:5e:00:53:41", "name": "iPhone", "is_guest": True},
        {"mac": "00:00:5e:00:53:42", "name": "iPhone"},
    ]
    made = SOURCES["leases"].read([put(tmp_path, "sta.json", {"meta": {"rc": "ok"}, "data": rows})], options={})
    assert [(seen.key, bool(seen.noise)) for seen in made.seen] == [("iPhone (53:41)", True), ("iPhone", False)]


@pytest.mark.parametrize(
    "content",
    [
        "\n" * 200_000,
        " " * 200_000,
        "host x {" + "#" * 60_000,
        "host x {\n" + "# # #\n" * 9_000,
        "lease 192.0.2.1 {\n" + 'client-hostname "' + '\\"' * 30_000 + "\n",
        "lease 192.0.2.1 {\n" + "x " * 30_000 + "\n",
        "{" + '"count": 1,' * 20_000,
        "{" + '"services": {' * 10_000,
        "[" + '{"a":' * 50_000,
        "p1\n" * 60_000,
        "Host " + "a* " * 20_000 + "\nHost " + "a" * 2_000 + "\n",
        "Host " + "*a" * 200 + "b\n User x\nHost " + "a" * 2_000 + "\n",
        "LISTEN " + "0 " * 30_000,
        "<nmaprun " + 'a="' + "x" * 500_000,
    ],
    ids=range(14),
)
def test_no_file_takes_long(content, tmp_path):
    """Texts that are made to make patterns run for ever are refused or read like any other."""
    path = put(tmp_path, "mini.dump", content)
    mapping = put(tmp_path, "m.yaml", "table: devices\ncolumns: {name: a}\n")
    for source in SOURCES.values():
        with contextlib.suppress(SourceError):
            source.read([path], options={"host": "mini", "mapping": str(mapping)})
