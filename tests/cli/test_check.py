"""`check`: every diagnostic of every file at once, for people, programs, GitHub and code scanning."""

import json

import pytest

from promptforge.source import codes

FINE = "fine: 2 agents, 7 facts, 2 examples\n"
PORT = ("port: 445", "port: 99999")
"""An edit that is one error, PF310, at 7:25 of knowledge/house.yaml."""


def sarif(outcome):
    """The one run of a SARIF log."""
    log = json.loads(outcome.out)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    return run


# --- text -----------------------------------------------------------------------------------------------------------


def test_a_project_without_fault_is_fine(pf, house):
    """One line says so, with the size of the project; nothing is written anywhere."""
    before = house.files()
    outcome = pf("check")
    assert (outcome.code, outcome.out, outcome.err) == (0, FINE, "")
    assert house.files() == before


def test_an_error_shows_place_line_caret_and_help(pf, house):
    """A diagnostic is its place, severity, code and message; the line with a caret below; and what to do."""
    house.edit("knowledge/house.yaml", PORT)
    outcome = pf("check")
    assert outcome.code == 1
    assert outcome.err == ""
    assert outcome.out == (
        "knowledge/house.yaml:7:25: error PF310: 'port' is 99999, and a port is a number from 1 to 65535\n"
        "  7 |   - {host: attic, port: 99999, codename: Shelf, service: Files}\n"
        "    |                         ^^^^^\n"
        "    = help: write the port's number\n"
        "1 error in 2 agents, 7 facts, 2 examples\n"
    )


def test_another_place_that_belongs_to_it_is_shown(pf, house):
    """A fact said twice names where it was said first."""
    house.edit("knowledge/house.yaml", ("host: attic, port: 445", "host: mini, port: 1337"))
    outcome = pf("check")
    assert outcome.code == 1
    assert "knowledge/house.yaml:7:5: error PF3" in outcome.out
    assert "\n    = knowledge/house.yaml:5: first " in outcome.out


def test_of_many_alike_the_first_are_shown(pf, house):
    """Of one code in one file 200 are shown, and how many more there are; programs get them all."""
    wrong = "".join(f"  - {{host: attic, port: {70000 + n}}}\n" for n in range(1234))
    house.edit("knowledge/house.yaml", ("  - {host: attic, port: 445", f"{wrong}  - {{host: attic, port: 445"))
    outcome = pf("check")
    assert outcome.code == 1
    assert outcome.out.count(": error PF310: 'port' is ") == 200
    assert "'port' is 70199, " in outcome.out
    more = (
        "\nknowledge/house.yaml: error PF310: 1,034 more of these; to see all: promptforge check --format json\n1,234"
    )
    assert more in outcome.out
    assert json.loads(pf("check", "--format", "json").out)["counts"]["error"] == 1234


def test_the_errors_of_all_files_are_shown_at_once(pf, house):
    """One run shows what is wrong in knowledge, agents, examples, templates and promptforge.yaml alike."""
    house.edit("knowledge/house.yaml", PORT)
    house.edit("agents/yoda.yaml", ("{table: hosts}", "{table: hoosts}"))
    house.edit("fewshot/house.yaml", ("{{ agent.name }}", "{{ agent.nam }}"))
    house.write("agents/templates/rules.md.j2", "{{ hosts['maxi'].lan_ip }}\n")
    house.edit("promptforge.yaml", ("budget: 1000", "bugdet: 1000"))
    outcome = pf("check")
    assert outcome.code == 1
    for start in (
        "agents/templates/rules.md.j2:1:1: error PF301",
        "agents/yoda.yaml:4:29: error PF302",
        "fewshot/house.yaml:9:5: error PF303",
        "knowledge/house.yaml:7:25: error PF310",
        "promptforge.yaml:2:1: error PF201",
    ):
        assert f"\n{start}" in f"\n{outcome.out}"
    assert outcome.out.endswith("\n5 errors in 2 agents, 7 facts, 2 examples\n")


def test_a_near_miss_asks_did_you_mean(pf, house):
    """A misspelt name is answered with the one that was probably meant."""
    house.edit("agents/yoda.yaml", ("{table: hosts}", "{table: hoosts}"))
    assert "= help: did you mean 'hosts'?" in pf("check").out


def test_warnings_and_notes_do_not_change_the_exit_code(pf, house):
    """Warnings and notes are shown and counted apart, and the exit code is 0."""
    house.edit(
        "knowledge/house.yaml", ("port: 8123", "port: 1377"), ("name: Mara's phone", "name: M, mac: 02:00:00:00:00:01")
    )
    outcome = pf("check")
    assert outcome.code == 0
    assert ": warning PF330: " in outcome.out
    assert ": note PF331: " in outcome.out
    assert outcome.out.endswith("\n1 warning, 1 note in 2 agents, 7 facts, 2 examples\n")


def test_a_long_line_is_shown_around_its_fault(pf, house):
    """Of a very long line only the part around the caret is shown, with … where it was cut."""
    house.edit("knowledge/house.yaml", ("port: 445", f"notes: {'x' * 5000}, port: 99999, os: {'y' * 5000}"))
    excerpt, caret = pf("check").out.splitlines()[1:3]
    assert len(excerpt) < 140
    assert excerpt.startswith("  7 | …xxx")
    assert excerpt.endswith("yyy…")
    assert caret.index("^") == excerpt.index("99999")


def test_carriage_returns_do_not_disturb_the_excerpt(pf, house):
    """In a file with CR LF the excerpt and the caret are those of the same file with LF."""
    house.edit("knowledge/house.yaml", PORT)
    plain = pf("check").out
    house.write(
        "knowledge/house.yaml", (house / "knowledge/house.yaml").read_text(encoding="utf-8").replace("\n", "\r\n")
    )
    shown = pf("check").out
    assert "\r" not in shown
    assert "\n".join(plain.splitlines()[:4]) in shown
    assert ": warning PF114: " in shown


def test_a_file_that_is_not_yaml_is_an_error_with_a_place(pf, house):
    """A bracket that is not closed is shown where the parser gave up, and the exit code is 1."""
    house.edit("promptforge.yaml", ("budget: 1000", "budget: [1000"))
    outcome = pf("check")
    assert outcome.code == 1
    assert ": error PF105: " in outcome.out


def test_the_same_files_give_the_same_words(pf, house):
    """Two runs print the same bytes, ordered by place."""
    house.edit("knowledge/house.yaml", PORT, ("{name: Mara's phone,", "{nmae: x,"))
    first = pf("check").out
    assert first == pf("check").out
    places = [line.split(": ")[0] for line in first.splitlines() if line.startswith("knowledge")]
    assert places == sorted(places)


# --- json -----------------------------------------------------------------------------------------------------------


def test_json_of_a_project_without_fault(pf):
    """The JSON carries its version, the counts, and no diagnostics."""
    outcome = pf("check", "--format", "json")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out) == {
        "version": 1,
        "counts": {"error": 0, "warning": 0, "note": 0},
        "diagnostics": [],
    }


def test_json_has_a_record_for_each_diagnostic(pf, house):
    """A record has code, severity, place, message, hint and related places, and the exit code is that of the text."""
    house.edit("knowledge/house.yaml", PORT)
    outcome = pf("check", "--format", "json")
    assert (outcome.code, outcome.err) == (1, "")
    found = json.loads(outcome.out)
    assert found["counts"] == {"error": 1, "warning": 0, "note": 0}
    assert found["diagnostics"] == [
        {
            "code": "PF310",
            "severity": "error",
            "file": "knowledge/house.yaml",
            "line": 7,
            "column": 25,
            "message": "'port' is 99999, and a port is a number from 1 to 65535",
            "hint": "write the port's number",
            "related": [],
        }
    ]


def test_json_names_related_places(pf, house):
    """A related place has a file, a line and a word."""
    house.edit("knowledge/house.yaml", ("host: attic, port: 445", "host: mini, port: 1337"))
    (record,) = json.loads(pf("check", "--format", "json").out)["diagnostics"]
    (related,) = record["related"]
    assert (related["file"], related["line"]) == ("knowledge/house.yaml", 5)
    assert related["message"].startswith("first ")


def test_json_says_null_where_there_is_no_column(pf, house):
    """A fault of a whole file has no column."""
    house.write("knowledge/more.yaml", "")
    (record,) = json.loads(pf("check", "--format", "json").out)["diagnostics"]
    assert record["column"] is None


# --- github ---------------------------------------------------------------------------------------------------------


def test_github_without_fault_is_silent(pf):
    """No diagnostic, no annotation."""
    outcome = pf("check", "--format", "github")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_github_gets_an_annotation_for_each_diagnostic(pf, house):
    """An annotation has file, line, column, the code in its title, and the hint on a line of its own."""
    house.edit("knowledge/house.yaml", PORT)
    outcome = pf("check", "--format", "github")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out == (
        f"::error file=knowledge/house.yaml,line=7,col=25,title=PF310 {codes()['PF310'].title}"
        "::'port' is 99999, and a port is a number from 1 to 65535%0Awrite the port's number\n"
    )


def test_github_severities_are_its_own(pf, house):
    """A warning is a warning there, and a note is a notice."""
    house.edit(
        "knowledge/house.yaml", ("port: 8123", "port: 1377"), ("name: Mara's phone", "name: M, mac: 02:00:00:00:00:01")
    )
    lines = pf("check", "--format", "github").out.splitlines()
    assert sorted(line.split()[0] for line in lines) == ["::notice", "::warning"]


def test_github_annotations_are_escaped(pf, house):
    """A percent sign, a colon or a comma in a path or a message cannot end the annotation or forge another."""
    house.write(
        "knowledge/a,b: 100%.yaml",
        "rooms:\n  - {id: '50%0A::error::x', host: no such host}\nports:\n  - {host: '%', port: 1}\n",
    )
    (line,) = pf("check", "--format", "github").out.splitlines()
    head, _, message = line[2:].partition("::")
    assert head.startswith("error file=knowledge/a%2Cb%3A 100%25.yaml,line=4,col=")
    assert message.startswith("no '%25' in hosts%0A")


def test_github_paths_start_at_the_repository(pf, git, house):
    """For a project in a subfolder of a repository, an annotation is found from the repository's own folder."""
    house.edit("knowledge/house.yaml", PORT)
    (line,) = pf("check", "--format", "github", cwd=house.move_into("sub")).out.splitlines()
    assert line.startswith("::error file=sub/knowledge/house.yaml,line=7,")


# --- sarif ----------------------------------------------------------------------------------------------------------


def test_sarif_without_fault_is_a_log_without_results(pf):
    """A clean run is still a whole SARIF log: the driver is named, no rule and no result."""
    outcome = pf("check", "--format", "sarif")
    assert (outcome.code, outcome.err) == (0, "")
    run = sarif(outcome)
    assert run["tool"]["driver"]["name"] == "promptforge"
    assert run["tool"]["driver"]["rules"] == []
    assert run["results"] == []


def test_sarif_has_a_result_with_its_region(pf, house):
    """A result has its rule, level, message with hint, and a region that covers exactly the value."""
    house.edit("knowledge/house.yaml", PORT)
    outcome = pf("check", "--format", "sarif")
    assert (outcome.code, outcome.err) == (1, "")
    run = sarif(outcome)
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["results"] == [
        {
            "ruleId": "PF310",
            "ruleIndex": 0,
            "level": "error",
            "message": {"text": "'port' is 99999, and a port is a number from 1 to 65535 (write the port's number)"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "knowledge/house.yaml"},
                        "region": {"startLine": 7, "startColumn": 25, "endColumn": 30},
                    }
                }
            ],
            "relatedLocations": [],
        }
    ]


def test_sarif_describes_each_rule_once(pf, house):
    """Every code that occurs is a rule with texts and a level, and every result points at its own."""
    house.edit("knowledge/house.yaml", PORT, ("port: 8123", "port: 1377"), ("port: 1337", "port: 88888"))
    run = sarif(pf("check", "--format", "sarif"))
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) > len(rules)
    assert [rule["id"] for rule in rules] == sorted({result["ruleId"] for result in run["results"]})
    for result in run["results"]:
        rule = rules[result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["defaultConfiguration"]["level"] == result["level"] == codes()[rule["id"]].severity
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]


def test_sarif_names_related_places(pf, house):
    """A related place is a location with a message."""
    house.edit("knowledge/house.yaml", ("host: attic, port: 445", "host: mini, port: 1337"))
    (result,) = sarif(pf("check", "--format", "sarif"))["results"]
    (related,) = result["relatedLocations"]
    assert related["physicalLocation"]["region"] == {"startLine": 5}
    assert related["message"]["text"].startswith("first ")


def test_sarif_paths_are_uris_from_the_repository(pf, git, house):
    """A path is percent-encoded, and starts at the repository's folder."""
    house.edit("knowledge/house.yaml", PORT)
    (result,) = sarif(pf("check", "--format", "sarif", cwd=house.move_into("my höuse")))["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "my%20h%C3%B6use/knowledge/house.yaml"}


# --- --explain ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", codes())
def test_each_code_has_a_page(pf, tmp_path, code):
    """`check --explain CODE` shows what it is, why it is bad, an example, and how to mend it; without any project."""
    outcome = pf("check", "--explain", code.lower(), cwd=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"# {code}: {codes()[code].title} ({codes()[code].severity})\n")
    for heading in ("What it is", "Why it is bad", "Example", "How to mend it"):
        assert outcome.out.split(f"## {heading}\n\n")[1].strip()


def test_a_page_says_whether_the_code_may_be_allowed(pf):
    """A judgement shows the allowance to write; a broken file cannot be allowed."""
    allowed = pf("check", "--explain", "PF331").out
    assert (
        "It may be allowed: `# promptforge: allow PF331 reason` on the line, or `ignore:` in promptforge.yaml.\n"
        in allowed
    )
    assert pf("check", "--explain", "PF105").out.endswith("It cannot be allowed.\n")


@pytest.mark.parametrize("code", ["PF999", "port", ""])
def test_an_unknown_code_is_wrong_usage(pf, code):
    """A code that is none gives 2, and the command that lists those that are."""
    outcome = pf("check", "--explain", code)
    assert (outcome.code, outcome.out) == (2, "")
    hint = "list them all: promptforge check --explain"
    assert outcome.err == f"error: no diagnostic has the code '{code}'\n  hint: {hint}\n"


def test_the_codes_are_listed(pf):
    """`--explain` without a code lists each code with its severity and title, as text and as JSON."""
    listed = pf("check", "--explain").out.splitlines()
    assert [line.split()[0] for line in listed] == [*codes()]
    assert listed[0].split(maxsplit=2) == ["PF101", "error", codes()["PF101"].title]
    found = json.loads(pf("check", "--explain", "--format", "json").out)
    assert [one["code"] for one in found["codes"]] == [*codes()]
    assert found["codes"][0] == {"code": "PF101", "severity": "error", "title": codes()["PF101"].title}


# --- what follows from a file that cannot be read -------------------------------------------------------------------

SUITE = (
    "suite: s\ncases:\n"
    "  - {id: leet, category: t, agents: [windu, yoda], ask: Port of LEET?,"
    " expect: {all: \"{{ one('ports', codename='LEET').port }}\"}}\n"
    "generate:\n"
    "  - {table: ports, ask: 'What is on {{ fact.port }} of {{ fact.host }}?', answer: service, category: t,"
    " agents: windu}\n"
)


def errors_of(outcome):
    """The code and the file of each diagnostic."""
    found = json.loads(outcome.out)["diagnostics"]
    return [(one["code"], one["file"]) for one in found]


def test_an_unknown_setting_leaves_the_others(pf, house):
    """A typo in promptforge.yaml is one error: models, runtime names and budgets are still known."""
    house.edit(
        "promptforge.yaml",
        ("budget: 1000\n", "budget: 1000\nreserv: 512\nruntime: {user_name: {max_tokens: 8}}\n"),
    )
    house.edit("agents/yoda.yaml", ("You are Yoda.", "You are Yoda. Greet {{ user_name }}."))
    text = SUITE.replace("ask: Port of LEET?", "vars: {user_name: Mara}, ask: Port of LEET?")
    house.write("suites/s.yaml", text)
    assert errors_of(pf("check", "--format", "json")) == [("PF201", "promptforge.yaml")]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (("models:\n", "modles:\n"), "PF201"),
        (("backend: openai, ", "backend: opnai, "), "PF203"),
        (("budget: 1000", "budget: much"), "PF203"),
        (("runtime:", "runtme:"), "PF201"),
    ],
)
def test_what_a_wrong_setting_hides_is_not_held_against_others(pf, house, edit, code):
    """Where models or runtime names cannot be read, nobody is told that the ones they use are not there."""
    house.edit("promptforge.yaml", ("name: hut\n", "name: hut\nruntime: {user_name: {max_tokens: 8}}\njudge: cloud\n"))
    house.edit("fewshot/house.yaml", ("Who are you?", "Who are you? I am {{ user_name }}."))
    house.edit("promptforge.yaml", edit)
    house.write("suites/s.yaml", SUITE.replace("ask: Port", "vars: {user_name: Mara}, ask: Port"))
    assert errors_of(pf("check", "--format", "json")) == [(code, "promptforge.yaml")]


def test_a_wrong_setting_hides_nothing_else(pf, house):
    """An agent's own mistake is said beside a typo in promptforge.yaml."""
    house.edit("promptforge.yaml", ("budget: 1000\n", "budget: 1000\nreserv: 512\n"))
    house.edit("agents/yoda.yaml", ("model: local", "model: lokal"))
    found = errors_of(pf("check", "--format", "json"))
    assert found == [("PF305", "agents/yoda.yaml"), ("PF201", "promptforge.yaml")]


def test_the_agent_of_a_file_that_cannot_be_parsed_is_still_an_agent(pf, house):
    """A tab in one file is one error, however many cases and attacks name the agent."""
    house.write("suites/s.yaml", SUITE)
    house.edit("agents/windu.yaml", ("role: Security", "\trole: Security"))
    assert errors_of(pf("check", "--format", "json")) == [("PF105", "agents/windu.yaml")]
    house.write("suites/s.yaml", SUITE.replace("yoda]", "yodda]"))
    assert errors_of(pf("check", "--format", "json"))[1:] == [("PF304", "suites/s.yaml")]


def test_what_a_broken_knowledge_file_hides_is_not_held_against_suites_and_allowances(pf, house):
    """A missing comma is one error: not an `ignore` that allows nothing, nor an entry from which no case comes."""
    house.write("suites/s.yaml", SUITE)
    house.write("knowledge/lab.yaml", "hosts:\n  den: {lan_ip: 192.31.196.7}\n")
    house.edit("promptforge.yaml", ("budget: 1000\n", "budget: 1000\nignore: {PF334: [knowledge/lab.yaml]}\n"))
    assert errors_of(pf("check", "--format", "json")) == []
    house.edit("knowledge/house.yaml", ("{host: mini, port: 1337", "{host: mini port: 1337"))
    assert errors_of(pf("check", "--format", "json")) == [("PF105", "knowledge/house.yaml")]
    house.edit("knowledge/house.yaml", ("{host: mini port: 1337", "{host: mini, port: 1337"))
    house.edit("knowledge/lab.yaml", ("{lan_ip:", "{role: cam lan_ip:"))
    assert errors_of(pf("check", "--format", "json")) == [("PF105", "knowledge/lab.yaml")]


def test_files_that_cannot_be_read_come_first(pf, house):
    """For people the root is shown before what may follow from it; programs get everything by place."""
    house.edit("agents/yoda.yaml", ("model: local", "model: lokal"))
    house.edit("knowledge/house.yaml", ("{host: attic, port", "{host: attic port"))
    assert errors_of(pf("check", "--format", "json")) == [
        ("PF305", "agents/yoda.yaml"),
        ("PF105", "knowledge/house.yaml"),
    ]
    places = [line.split(":")[0] for line in pf("check").out.splitlines() if ": error PF" in line]
    assert places == ["knowledge/house.yaml", "agents/yoda.yaml"]


def test_a_judge_is_one_of_the_models(pf, house):
    """`judge:` of promptforge.yaml is held against the models, as an agent's model is."""
    house.edit("promptforge.yaml", ("budget: 1000\n", "budget: 1000\njudge: clowd\n"))
    assert (
        "promptforge.yaml:3:8: error PF305: no model 'clowd'\n  3 | judge: clowd\n    |        ^^^^^\n"
        "    = help: did you mean 'cloud'?\n"
    ) in pf("check").out
    house.edit("promptforge.yaml", ("judge: clowd", "judge: cloud"))
    assert pf("check").code == 0
