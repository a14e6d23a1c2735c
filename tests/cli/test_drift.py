"""`promptforge drift`, from the dumps to the exit code, in four forms."""

import json

SAME = 'LISTEN 0 128 *:1337 *:* users:(("mlx",pid=1,fd=3))\nLISTEN 0 128 *:8123 *:* users:(("python3",pid=2,fd=3))\n'
MOVED = SAME.replace(":1337", ":4078").replace("mlx", "council mlx")
STATUS = {
    "BackendState": "Running",
    "Self": {"ID": "n1", "DNSName": "mini.tail.example.", "TailscaleIPs": ["100.64.0.9"]},
}


def test_exit_codes(house, pf):
    """0 clean, 1 drift, 2 where it could not be found out."""
    house.write("mini.ss.txt", SAME)
    done = pf("drift", "sockets", "mini.ss.txt")
    assert (done.code, done.out.splitlines()[-1]) == (0, "no drift: 3 facts as the sources show them")
    house.write("mini.ss.txt", MOVED)
    assert pf("drift", "sockets", "mini.ss.txt").code == 1
    for arguments in (("sockets", "gone.txt"), ("sockets",), (), ("socket", "mini.ss.txt"), ("--from", "sockets")):
        assert pf("drift", *arguments).code == 2
    assert "--from 'sockets' names no file" in pf("drift", "--from", "sockets").err
    assert "no dump is named" in pf("drift").err
    house.write("knowledge/house.yaml", "ports: [")
    done = pf("drift", "sockets", "mini.ss.txt")
    assert done.code == 2
    assert "knowledge/house.yaml cannot be read, so nobody can say what is known" in done.err


def test_an_error_of_the_settings_stops_it(house, pf):
    """Which acceptances hold cannot be known then: the diagnostic with its place, and exit code 2; import, too."""
    house.write("mini.ss.txt", SAME)
    house.edit("promptforge.yaml", ("name: hut\n", "name: hut\nignore: {drift: [ports/mini:1]}\nignore: {drift: []}\n"))
    for command in ("drift", "import"):
        done = pf(command, "sockets", "mini.ss.txt")
        assert done.code == 2
        assert "error: promptforge.yaml:3: PF106: the key 'ignore' stands twice in this mapping\n" in done.err
        assert "  hint: keep one of them; until then nobody can say what is accepted\n" in done.err


def test_a_port_that_moved_is_told_with_who_says_something_untrue(house, pf):
    """By the name of the service; the agent, the example, and the place in both."""
    house.write("mini.ss.txt", MOVED)
    out = pf("drift", "sockets", "mini.ss.txt").out
    assert (
        "moved, by the name of the service\n  ~ ports mini:1337 → mini:4078: concerns agent windu, example what-is-leet"
        in out
    )
    assert "untrue today\n  ! agent windu (ports/mini:4078" in out
    assert "  ! example what-is-leet (ports/mini:4078)  fewshot/house.yaml:2" in out
    assert out.endswith("drift: 1 moved; 1 agent would say something else\n")


def test_several_sources_at_once(house, pf):
    """Files of one source are read together; options hold for all; a known host under another address differs."""
    house.edit("knowledge/house.yaml", ("lan_ip: 192.0.2.10}", "lan_ip: 192.0.2.10, tailscale_ip: 100.64.0.10}"))
    house.write("a.txt", SAME)
    house.write("status.json", json.dumps(STATUS))
    done = pf("drift", "sockets", "a.txt", "host=mini", "--from", "tailscale=status.json", "--format", "json")
    told = json.loads(done.out)
    assert [source["source"] for source in told["sources"]] == ["sockets", "tailscale"]
    assert [(one["kind"], one["key"], one["columns"]) for one in told["findings"]] == [
        ("differs", "mini", {"tailscale_ip": {"before": "100.64.0.10", "after": "100.64.0.9"}})
    ]
    assert told["clean"] is False
    assert list(told["untrue"]["agents"]) == ["yoda"]
    assert pf("drift", "--from", "sockets=a.txt", "host=mini").code == 0


def test_markdown_and_github_hold_what_anybody_may_have_written(house, pf):
    """A process's name can neither mention people, nor break the table, nor be a workflow command."""
    house.write("mini.ss.txt", SAME + 'LISTEN 0 128 *:99 *:* users:(("@mara|[x](y)",pid=2,fd=3))\n')
    page = pf("drift", "sockets", "mini.ss.txt", "--format", "markdown").out
    assert page.startswith("### promptforge: drift: 1 missing; 0 agents would say something else\n")
    row = next(line for line in page.splitlines() if "mini:99" in line)
    assert row.count("|") - row.count("\\|") == 4
    assert "@mara" not in row
    house.write("mini.ss.txt", MOVED)
    lines = pf("drift", "sockets", "mini.ss.txt", "--format", "github").out.splitlines()
    assert lines[0].startswith(
        "::error file=knowledge/house.yaml,line=5,title=drift%3A moved::ports mini:1337 → mini:4078"
    )
    assert any(line.startswith("::error title=drift%3A untrue today::agent windu") for line in lines)


def test_drift_as_a_process(house, process):
    """The real command: its exit code, and nothing written."""
    house.write("mini.ss.txt", MOVED)
    before = house.files()
    done = process("drift", "sockets", "mini.ss.txt")
    assert done.code == 1
    assert house.files() == before
