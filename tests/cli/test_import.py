"""`promptforge import`, from the dump to the file and the exit code."""

import json

from promptforge.sources.all import SOURCES

SOCKETS = (
    'LISTEN 0 128 *:1337 *:* users:(("mlx",pid=1,fd=3))\n'
    'LISTEN 0 128 *:8123 *:* users:(("python3",pid=2,fd=3))\n'
    'LISTEN 0 128 *:4078 *:* users:(("vaultd",pid=3,fd=3))\n'
    'LISTEN 0 128 127.0.0.1:631 *:* users:(("cupsd",pid=4,fd=3))\n'
)
TAILNET = {
    "BackendState": "Running",
    "Self": {
        "ID": "n1",
        "HostName": "mini",
        "DNSName": "mini.tail.example.",
        "OS": "macOS",
        "TailscaleIPs": ["100.64.0.10"],
    },
    "Peer": {
        "nodekey:1": {
            "ID": "n2",
            "HostName": "attic",
            "DNSName": "attic.tail.example.",
            "TailscaleIPs": ["100.64.0.77"],
        },
        "nodekey:2": {"ID": "n3", "HostName": "x", "DNSName": "se-sto.mullvad.ts.net.", "TailscaleIPs": ["100.64.9.9"]},
    },
}


def states(*entities):
    """What /api/states of Home Assistant shows."""
    return json.dumps(
        [{"entity_id": id_, "state": "on", "attributes": {"friendly_name": name}} for id_, name in entities]
    )


def test_sockets_come_in_and_what_they_touch_is_said(house, pf):
    """One new port: its line, the noise and how to see it, the prompt that it changes, and the sum."""
    house.write("mini.ss.txt", SOCKETS)
    done = pf("import", "sockets", "mini.ss.txt")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[:2] == [
        "new",
        "  + ports mini:4078: host mini, port 4078, service vaultd  knowledge/house.yaml (mini.ss.txt:3)",
    ]
    assert "left out as noise: 1 (1 reached from the host alone); to take them, too: --all" in lines
    assert any(line.lstrip().startswith("windu") and line.endswith("ports/mini:4078") for line in lines)
    assert lines[-2:] == [
        "1 prompt touched, nothing broken",
        "1 added, 0 differ, 3 as they were; wrote knowledge/house.yaml",
    ]
    assert (
        pf("import", "sockets", "mini.ss.txt").out.splitlines()[-1]
        == "0 added, 0 differ, 4 as they were; nothing to write"
    )
    assert pf("check").code == 0


def test_a_dry_run_shows_the_diff_and_writes_nothing(house, pf):
    """The patch first, then the report."""
    house.write("mini.ss.txt", SOCKETS)
    before = house.files()
    done = pf("import", "sockets", "mini.ss.txt", "--dry-run", "--all")
    assert done.out.startswith("--- a/knowledge/house.yaml\n+++ b/knowledge/house.yaml\n@@ ")
    assert "+  - {host: mini, port: 631, service: cupsd, verified: " in done.out
    assert done.out.endswith(
        "2 added, 0 differ, 3 as they were; nothing was written, it would be: knowledge/house.yaml\n"
    )
    assert house.files() == before


def test_what_is_open_is_shown_with_how_to_take_it(house, pf):
    """Old and new, and the three ways to accept; then it is taken."""
    house.write("status.json", json.dumps(TAILNET))
    done = pf("import", "tailscale", "status.json")
    assert "unset here, known there, not taken\n  ~ hosts mini: tailscale_ip (unset) → 100.64.0.10" in done.out
    assert "  to take them: --accept mini, --accept hosts, or --accept all" in done.out
    assert "left out as noise: 1 (1 Mullvad exit node); to take them, too: --all" in done.out
    assert done.out.endswith("0 added, 0 differ, 2 could say more, 0 as they were; wrote promptforge.sources.json\n")
    done = pf("import", "tailscale", "status.json", "--accept", "mini")
    assert "taken\n  ~ hosts mini" in done.out
    assert "mini: {role: hub, lan_ip: 192.0.2.10, tailscale_ip: 100.64.0.10, verified:" in (
        house / "knowledge/house.yaml"
    ).read_text(encoding="utf-8")
    done = pf("import", "tailscale", "status.json", "--accept", "mini")
    assert "nothing to write" in done.out


def test_differing_and_ambiguous_things_have_their_headings(house, pf):
    """Old → new with the place in both; and a guest's phone that has the name of one of ours."""
    house.edit(
        "knowledge/house.yaml", ("{name: Mara's phone, kind: phone}", "{name: Mara's phone, mac: 00:00:5E:00:53:42}")
    )
    house.write("states.json", states(("light.den", "Den")))
    assert pf("import", "homeassistant", "states.json").code == 0
    house.write("states.json", states(("light.den", "Den at night")))
    out = pf("import", "homeassistant", "states.json").out
    assert (
        "different, not taken\n  ~ entities light.den: name Den → Den at night  knowledge/entities.yaml:2 (states.json#/0, by key)"
        in out
    )
    house.write("dnsmasq.leases", "0 00:00:5e:00:53:99 192.0.2.9 Mara's-phone *\n1 00:00:5e:00:53:98 192.0.2.8 tv *\n")
    house.write("devices.csv", "name,mac\nMara's phone,00:00:5E:00:53:99\n")
    house.write("map.yaml", "table: devices\ncolumns: {name: name, mac: mac}\nidentity: [mac]\n")
    out = pf("import", "table", "devices.csv", "mapping=map.yaml").out
    assert (
        "ambiguous, not taken\n  ? devices Mara's phone: devices/Mara's phone has the same name, but its MAC is" in out
    )
    assert '  where it is the same: --accept "Mara\'s phone"' in out


def test_renames_their_company_and_what_is_left_to_the_person(house, pf):
    """A host that its tailnet renamed: shown, then taken with the ports that name it; an odd value is not touched."""
    house.write("status.json", json.dumps(TAILNET))
    pf("import", "tailscale", "status.json", "--accept", "all")
    house.write(
        "status.json",
        json.dumps(TAILNET).replace("attic.tail", "loft.tail").replace('"HostName": "attic"', '"HostName": "loft"'),
    )
    out = pf("import", "tailscale", "status.json").out
    assert (
        "renamed, not taken\n  ~ hosts attic → loft  knowledge/house.yaml:3 (status.json#/Peer/0, by tailscale_id)"
        in out
    )
    assert "0 added, 1 renamed, 0 differ, 0 could say more, 1 as they were" in out
    house.edit("knowledge/house.yaml", ("tailscale_ip: 100.64.0.10,", "tailscale_ip: &odd 100.64.0.11,"))
    out = pf("import", "tailscale", "status.json", "--accept", "all").out
    assert "taken\n  ~ hosts attic → loft" in out
    assert "  changed with them, for they name them: ports/attic:445" in out
    assert "to be changed by hand\n  ! hosts/mini: knowledge/house.yaml:2: the value is not written on one line" in out
    assert "{host: loft, port: 445," in (house / "knowledge/house.yaml").read_text(encoding="utf-8")


def test_what_would_break_is_shown_and_nothing_is_written(house, pf):
    """Exit code 1, the diagnostics with their lines, and every file as it was."""
    house.write("devices.csv", "name,ip\nTV,192.0.2.300\n")
    house.write("map.yaml", "table: devices\ncolumns: {name: name, ip: ip}\nconstants: {site: nowhere}\n")
    before = house.files()
    done = pf("import", "table", "devices.csv", "mapping=map.yaml")
    assert "not added: they name what is in no table\n  … devices TV: no 'nowhere' in sites" in done.out
    house.write("devices.csv", "name,vendor\nTV,Acme\n")
    house.write("map.yaml", "table: devices\ncolumns: {name: name, kin: vendor}\n")
    before = house.files()
    done = pf("import", "table", "devices.csv", "mapping=map.yaml")
    assert done.code == 1
    assert "it would bring errors\n" in done.out
    assert "did you mean 'kind'?" in done.out
    assert done.out.endswith("; nothing was written\n")
    assert house.files() == before


def test_json_has_everything(house, pf):
    """For programs: also the patch of a dry run, and the whole diff."""
    house.write("mini.ss.txt", SOCKETS)
    told = json.loads(pf("import", "sockets", "mini.ss.txt", "--dry-run", "--format", "json").out)
    assert told["version"] == 1
    assert (told["source"], told["files"]) == ("sockets", ["mini.ss.txt"])
    assert told["added"] == [
        {"table": "ports", "key": "mini:4078", "file": "knowledge/house.yaml", "place": "mini.ss.txt:3"}
    ]
    assert told["noise"] == {"reached from the host alone": 1}
    assert told["patch"].startswith("--- a/knowledge/house.yaml")
    assert list(told["diff"]["agents"]) == ["windu"]
    assert told["written"] == []


def test_wrong_usage_says_what_to_type(house, pf):
    """No such source, a file in its place, no file, another tool's file, a file that is not there."""
    house.write("status.json", json.dumps(TAILNET))
    house.write("compose.yaml", "services:\n  web: {image: nginx}\n")
    house.write("lab hosts", "[lab]\nmini ansible_host=192.0.2.10\n")
    expected = {
        ("tailscal", "x"): ("no source 'tailscal'", "did you mean 'tailscale'?"),
        ("status.json",): (
            "'status.json' is a file, not a source",
            "it looks like tailscale: promptforge import tailscale status.json",
        ),
        ("promptforge.yaml",): ("'promptforge.yaml' is a file, not a source", "name the source before the file"),
        ("compose.yaml",): (
            "'compose.yaml' is a file, not a source",
            "no source reads it as it is; make a dump of it: docker compose -f compose.yaml config --format json",
        ),
        ("ansible", "lab hosts"): (
            "lab hosts: expected the JSON of an Ansible inventory, and found an inventory of Ansible, not yet listed",
            "make it with: ansible-inventory -i 'lab hosts' --list --export > inventory.json",
        ),
        ("nmap",): ("no dump of nmap is named", "nmap"),
        ("nmap", "status.json"): ("status.json", "nmap -sV -oX"),
        ("nmap", "gone.xml"): ("gone.xml", ""),
    }
    for arguments, (message, hint) in expected.items():
        done = pf("import", *arguments)
        assert done.code == 2
        assert message in done.err
        assert hint in done.err


def test_an_option_that_no_source_knows(house, pf):
    """Of each source; with several, one of them must know it."""
    house.write("mini.ss.txt", SOCKETS)
    for source in SOURCES:
        done = pf("import", source, "mini.ss.txt", "colour=blue")
        assert done.code == 2
        assert f"error: {source} knows no 'colour'\n" in done.err
    assert "did you mean 'host'?" in pf("import", "sockets", "mini.ss.txt", "hots=mini").err
    assert "it knows no NAME=VALUE" in pf("import", "leases", "mini.ss.txt", "host=mini").err
    done = pf("drift", "sockets", "mini.ss.txt", "colour=blue", "--from", "leases=x")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: sockets and leases know no 'colour'")


def test_a_table_that_no_prompt_has_is_said(house, pf):
    """After the import that began it, with what would show it; a table of a section is not named."""
    house.write("conf/ssh_config", "Host mini\n  HostName 192.0.2.10\n  User mara\n")
    out = pf("import", "ssh", "conf/ssh_config").out
    assert "note: no agent's prompt has the table ssh: add `- {table: ssh}` to sections in agents/windu.yaml" in out
    assert "(conf/ssh_config:1)" in out
    house.edit("agents/windu.yaml", ("  - persona\n", "  - persona\n  - {table: ssh}\n"))
    house.write("conf/ssh_config", "Host hub\n  HostName 192.0.2.10\n")
    out = pf("import", "ssh", "conf/ssh_config").out
    assert "ssh hub: alias hub" in out
    assert "no agent's prompt" not in out


def test_the_help_names_every_source(pf):
    """Of import and of drift."""
    for command in ("import", "drift"):
        words = set(pf(command, "--help").out.replace(",", " ").replace(".", " ").split())
        assert set(SOURCES) <= words
