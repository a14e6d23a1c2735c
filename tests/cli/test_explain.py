"""`explain`: a prompt with a margin of sources, one line of it, and both as JSON."""

import json
import re

import pytest


def lines_of(outcome):
    """The prompt's lines as the text shows them: number, source, tokens, text."""
    found = re.findall(r"^ *(\d+) (\S*) +(\d*) │(?: (.*))?$", outcome.out, re.M)
    return [(int(number), source, tokens, text) for number, source, tokens, text in found]


# --- the whole ------------------------------------------------------------------------------------------------------


def test_the_head_says_what_the_prompt_is_for_and_what_it_costs(pf):
    """The first line has the model, where it runs, what it may see, and the tokens of the budget."""
    outcome = pf("explain", "windu")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.match(
        r"windu: model cloud \(cloud\), sees up to internal facts; \d+ of 1,000 tokens \(tiktoken:o200k_base\)\n\n",
        outcome.out,
    )
    assert re.match(
        r"yoda: model local \(local\), sees up to private facts; ~\d+ of 1,000 tokens \(estimate\)\n",
        pf("explain", "yoda").out,
    )


def test_an_agent_without_a_model_says_so(pf, house):
    """Without a model the head says no model."""
    house.edit("agents/windu.yaml", ("model: cloud\n", ""))
    assert pf("explain", "windu").out.startswith("windu: no model, sees up to internal facts; ~")


def test_each_section_has_its_tokens(pf):
    """A section is shown with tokens, how many items are in, its priority, and where it is asked for."""
    text = pf("explain", "windu").out
    head, *rows = text.split("\n\n")[1].splitlines()
    assert head.split() == ["section", "tokens", "items", "priority", "from"]
    assert [re.sub(r" +", " ", re.sub(r" \d+ ", " N ", row, count=1)) for row in rows] == [
        "persona N 1 required agents/windu.yaml:9",
        "rules.md.j2 N 1 50 agents/windu.yaml:10",
        "Listeners N 2 required agents/windu.yaml:11",
        "devices N 1 20 agents/windu.yaml:12",
        "few-shot N 2 50 agents/windu.yaml:13",
    ]


def test_every_line_has_its_source_and_tokens(pf, house):
    """Each line of the prompt is shown as it is, with the file and line that it comes from."""
    pf("build")
    found = lines_of(pf("explain", "windu"))
    assert [number for number, *_ in found] == list(range(1, len(found) + 1))
    prompt = (house / "build/agent_prompts.yaml").read_text(encoding="utf-8").split("  model:")[0]
    assert [text for *_, text in found] == [line[4:] for line in prompt.splitlines()[2:]]
    sources = {text: source for _, source, _, text in found}
    assert sources["You guard the hut."] == "agents/windu.yaml:7"
    assert sources["The hub is at 192.0.2.10."] == "agents/templates/rules.md.j2:1"
    assert sources["Answer briefly."] == "agents/templates/rules.md.j2:2"
    assert sources["## Listeners"] == "agents/windu.yaml:11"
    assert sources["| mini | 1337 | LEET | Council MLX |"] == "knowledge/house.yaml:5"
    assert sources["| Mara's phone | phone |"] == "knowledge/house.yaml:9"
    assert sources["Q: What listens on 1337?"] == "fewshot/house.yaml:4"
    assert sources["A: I am windu."] == "fewshot/house.yaml:9"
    assert all(tokens for _, source, tokens, _ in found if source)
    assert {(source, tokens) for number, source, tokens, text in found if not text and number > 3} == {("", "")}


def test_messages_are_shown_after_the_system_prompt(pf):
    """An example sent as messages has a heading for each with its role, and lines counted anew."""
    text = pf("explain", "yoda").out
    assert re.search(
        r"--- message 1: user\n   1 fewshot/house\.yaml:8 +\d+ │ Who are you\?\n"
        r"--- message 2: assistant\n   1 fewshot/house\.yaml:9 +\d+ │ I am yoda\.\n",
        text,
    )


def test_what_was_left_out_is_listed_with_the_reason(pf, house):
    """What the clearance, the budget and `where` kept out, each with its section."""
    house.edit("agents/windu.yaml", ("model: cloud", "model: cloud\nbudget: 110"))
    assert pf("explain", "windu").out.endswith(
        "\nleft out\n"
        "  1 from 'devices': above the clearance (private, and the clearance is internal): devices/Pip's tablet\n"
        "  1 from 'devices': cut by the budget (priority 20): devices/Mara's phone\n"
        "  1 from 'few-shot': cut by the budget (priority 50): example:who-are-you\n"
        "  1 fact from 'Listeners': filtered by its where (ports/attic:445)\n"
    )


def test_many_filtered_facts_are_counted(pf, house):
    """Of those that `where` did not match four are named; the JSON has them all."""
    for port in range(2000, 2006):
        house.edit("knowledge/house.yaml", ("devices:\n", f"  - {{host: attic, port: {port}}}\ndevices:\n"))
    text = pf("explain", "windu").out
    assert (
        "  7 facts from 'Listeners': filtered by its where "
        "(ports/attic:445, ports/attic:2000, ports/attic:2001, ports/attic:2002, …)\n"
    ) in text
    left = json.loads(pf("explain", "windu", "--format", "json").out)["left_out"]
    assert sum(item["why"] == "filtered" for item in left) == 7


def test_nothing_left_out_is_not_mentioned(pf):
    """An agent that is given everything has no list of what is missing."""
    assert "left out" not in pf("explain", "yoda").out


# --- one line -------------------------------------------------------------------------------------------------------


def explained(pf, text):
    """What `explain` says about the line of windu's prompt that reads so."""
    number = next(number for number, *_, shown in lines_of(pf("explain", "windu")) if shown == text)
    outcome = pf("explain", f"windu:{number}")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"windu:{number}  {text}\n")
    return re.sub(r"costs    \d+ tokens?\n$", "costs    N\n", outcome.out.split("\n", 1)[1])


def test_a_line_of_the_persona(pf):
    """The line of the agent's file, and the section."""
    assert explained(pf, "You guard the hut.") == (
        "  from     agents/windu.yaml:7  You guard the hut.\n"
        "  section  persona (persona, required)  agents/windu.yaml:9\n"
        "  costs    N\n"
    )


def test_a_line_of_a_template(pf):
    """The line as the template has it, and the facts that the template rests on."""
    assert explained(pf, "The hub is at 192.0.2.10.") == (
        "  from     agents/templates/rules.md.j2:1  The hub is at {{ hosts['mini'].lan_ip }}.\n"
        "  facts    hosts/mini\n"
        "  section  rules.md.j2 (template, priority 50)  agents/windu.yaml:10\n"
        "  costs    N\n"
    )


def facts_of(pf, name="windu"):
    """The facts that each line of the first template shows, and what the template reads where it shows none."""
    lines = json.loads(pf("explain", name, "--format", "json").out)["lines"]
    return [(one["text"], one["facts"], one["reads"]) for one in lines if one["kind"] == "template"]


def test_a_line_of_a_template_shows_only_its_own_facts(pf, house):
    """A heading, an empty line and the rows of a loop: none is said to show what another line prints."""
    house.write(
        "agents/templates/rules.md.j2",
        "## Rules of mini\n\n"
        "{% set hub = hosts['mini'].lan_ip %}Answer briefly.\n"
        "{% for port in ports %}{% if port.port > 1000 %}\n"
        "- {{ port.host }}: {{ port.port | string }}{{ '' if port.codename == 'LEET' else ' *' }}\n"
        "{% endif %}{% endfor %}\n"
        "The hub is {{ hub }}, and there are {{ hosts | length }}.\n"
        "So many ports: {{ ports | length }}.\n",
    )
    found = facts_of(pf)
    reads = found[0][2]
    assert {"hosts/mini", "hosts/attic", "ports/mini:1337", "ports/mini:8123", "ports/attic:445"} < set(reads)
    assert [(text, facts) for text, facts, _ in found if text] == [
        ("## Rules of mini", []),
        ("Answer briefly.", []),
        ("- mini: 1337", ["ports/mini:1337"]),
        ("- mini: 8123 *", ["ports/mini:8123"]),
        ("The hub is 192.0.2.10, and there are 2.", ["hosts/mini"]),
        ("So many ports: 3.", []),
    ]
    assert all(bool(facts) != bool(more) and more in ([], reads) for _, facts, more in found)


def test_a_line_that_shows_no_fact_says_what_its_template_reads(pf):
    """Whether a line hangs on a fact that it does not print, nobody can tell: the template as a whole is named."""
    assert explained(pf, "Answer briefly.") == (
        "  from     agents/templates/rules.md.j2:2  Answer briefly.\n"
        "  reads    the template, as a whole: hosts/mini\n"
        "  section  rules.md.j2 (template, priority 50)  agents/windu.yaml:10\n"
        "  costs    N\n"
    )


def test_the_facts_of_an_included_template_are_told(pf, house):
    """A line of another template counts as the line that includes it, and shows its own facts."""
    house.write(
        "agents/templates/more.md.j2", "On mini: {{ one('ports', codename='LEET').service }}.\nNothing of mini.\n"
    )
    house.write("agents/templates/rules.md.j2", "{% include 'more.md.j2' %}The hub: {{ hosts['mini'].role }}.\n")
    assert [(text, facts) for text, facts, _ in facts_of(pf)] == [
        ("On mini: Council MLX.", ["ports/mini:1337"]),
        ("Nothing of mini.", []),
        ("The hub: hub.", ["hosts/mini"]),
    ]


def test_a_heading_of_a_table(pf):
    """A heading comes from the line that asks for the table."""
    assert explained(pf, "## devices").startswith("  from     agents/windu.yaml:12  - {table: devices, priority: 20}\n")


def test_a_row_of_a_table(pf):
    """A row comes from its fact."""
    assert explained(pf, "| mini | 1337 | LEET | Council MLX |") == (
        "  from     knowledge/house.yaml:5  - {host: mini, port: 1337, codename: LEET, service: Council MLX}\n"
        "  facts    ports/mini:1337\n"
        "  section  Listeners (table, required)  agents/windu.yaml:11\n"
        "  costs    N\n"
    )


def test_a_line_of_an_example(pf):
    """A question comes from its line of the example, and names the facts that it prints."""
    assert explained(pf, "Q: What listens on 1337?") == (
        "  from     fewshot/house.yaml:4  user: What listens on {{ one('ports', codename='LEET').port }}?\n"
        "  facts    ports/mini:1337\n"
        "  section  few-shot (fewshot, priority 50)  agents/windu.yaml:13\n"
        "  costs    N\n"
    )


def test_a_blank_line_between_sections(pf):
    """A line that only sets parts apart costs nothing of a section and says what it is."""
    outcome = pf("explain", "windu:4")
    assert outcome.out == "windu:4\n  a blank line that sets apart what follows, in the section 'rules.md.j2'\n"


def test_a_blank_line_of_the_persona(pf):
    """A blank line that somebody wrote has its place."""
    assert pf("explain", "windu:2").out.startswith("windu:2\n  from     agents/windu.yaml:6\n")


def test_tokens_of_an_estimate_are_about_right(pf):
    """Where the count is an estimate, a line costs about so many tokens."""
    assert re.search(r"^  costs    about \d+ tokens$", pf("explain", "yoda:1").out, re.M)


def test_many_facts_behind_a_line_are_counted(pf, house):
    """Six facts are named, more are counted."""
    rows = "".join(f"  - {{host: attic, port: {port}}}\n" for port in range(2000, 2009))
    house.edit("knowledge/house.yaml", ("devices:\n", f"{rows}devices:\n"))
    house.write("agents/templates/rules.md.j2", "{% for port in ports %}{{ port.port }} {% endfor %}\n")
    (line,) = [line for line in pf("explain", "windu:5").out.splitlines() if line.startswith("  facts ")]
    assert re.fullmatch(r"  facts    (ports/\S+, ){5}ports/\S+ and 6 more", line)


# --- json -----------------------------------------------------------------------------------------------------------


def test_json_of_one_line(pf):
    """A line has its message, number, text, kind, section, source, facts and tokens."""
    outcome = pf("explain", "windu:11", "--format", "json")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found.pop("tokens") > found["lines"][0].pop("tokens") > 0
    assert found == {
        "version": 1,
        "agent": "windu",
        "model": "cloud",
        "clearance": "internal",
        "exact": True,
        "budget": 1000,
        "lines": [
            {
                "message": 0,
                "line": 11,
                "text": "| mini | 1337 | LEET | Council MLX |",
                "kind": "row",
                "section": 2,
                "source": {
                    "file": "knowledge/house.yaml",
                    "line": 5,
                    "text": "- {host: mini, port: 1337, codename: LEET, service: Council MLX}",
                },
                "facts": ["ports/mini:1337"],
                "reads": [],
            }
        ],
        "trained": [],
    }


def test_json_of_the_whole(pf):
    """All lines, the sections, the tokens of each fact, and what was left out."""
    found = json.loads(pf("explain", "windu", "--format", "json").out)
    assert found["version"] == 1
    assert {line["kind"] for line in found["lines"]} == {"persona", "template", "heading", "row", "example", "gap"}
    assert [s["label"] for s in found["sections"]] == ["persona", "rules.md.j2", "Listeners", "devices", "few-shot"]
    assert found["sections"][2] == {
        "section": 2,
        "label": "Listeners",
        "kind": "table",
        "file": "agents/windu.yaml",
        "line": 11,
        "priority": 50,
        "required": True,
        "items": 2,
        "tokens": found["sections"][2]["tokens"],
    }
    rows = {line["facts"][0]: line["tokens"] for line in found["lines"] if line["kind"] == "row"}
    assert found["facts"] == rows
    assert list(rows) == ["ports/mini:1337", "ports/mini:8123", "devices/Mara's phone"]
    assert found["left_out"] == [
        {"section": 2, "what": "ports/attic:445", "why": "filtered", "note": "does not match `where`"},
        {
            "section": 3,
            "what": "devices/Pip's tablet",
            "why": "clearance",
            "note": "private, and the clearance is internal",
        },
    ]


def test_json_of_messages(pf):
    """Lines of messages carry the number of their message, from 1; the system prompt is 0."""
    found = json.loads(pf("explain", "yoda", "--format", "json").out)
    assert [(line["message"], line["text"]) for line in found["lines"] if line["message"]] == [
        (1, "Who are you?"),
        (2, "I am yoda."),
    ]


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["x", "-1", "1:2", "³", "1.5", " ", "9" * 5000])
def test_a_line_is_a_number(pf, line):
    """What is no number of a line is wrong usage."""
    outcome = pf("explain", f"windu:{line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: '{line}' is not the number of a line\n  hint: promptforge explain windu:1\n"


@pytest.mark.parametrize("line", [0, 25, 999_999_999])
def test_a_line_is_one_of_the_prompt(pf, line):
    """A number outside the prompt says how many lines it has."""
    outcome = pf("explain", f"windu:{line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: the prompt of 'windu' has 24 lines\n  hint: promptforge explain windu\n"


@pytest.mark.parametrize(
    ("name", "hint"), [("windo", "did you mean 'windu'?"), ("leia", "known: windu, yoda"), (":3", "known: windu, yoda")]
)
def test_an_unknown_agent_is_wrong_usage(pf, name, hint):
    """The nearest agent is asked for, or all are named."""
    outcome = pf("explain", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: no agent '{name.partition(':')[0]}'\n  hint: {hint}\n"


def test_without_any_agent_there_is_nothing_to_explain(pf, house):
    """A project whose agents do not compile has nothing to show."""
    for name in ("windu", "yoda"):
        house.write(f"agents/{name}.yaml", "[\n")
    outcome = pf("explain", "leia")
    assert (outcome.code, outcome.out) == (2, "")
    assert "error: no agent 'leia'\n  hint: the project has no agent that compiles\n" in outcome.err


def test_an_agent_whose_file_is_broken_is_named_with_its_place(pf, house):
    """The reader is sent to the file, not told that there is no such agent."""
    house.write("agents/windu.yaml", "[\n")
    outcome = pf("explain", "windu")
    assert (outcome.code, outcome.out) == (2, "")
    assert "error: the file of agent 'windu' cannot be used: agents/windu.yaml:2: " in outcome.err
    assert "hint: promptforge check\n" in outcome.err


@pytest.mark.parametrize(("edits", "count"), [(1, "1 error"), (2, "2 errors")])
def test_a_project_with_errors_is_explained_as_far_as_it_compiles(pf, house, edits, count):
    """What still compiles is shown, and stderr says that there are errors and how to see them."""
    house.edit("knowledge/house.yaml", *[("port: 445", "port: 99999"), ("port: 8123", "port: 99998")][:edits])
    outcome = pf("explain", "yoda")
    assert outcome.out.startswith("yoda: model local")
    assert outcome.err == (f"the project has {count}: this is what still compiles\n  to see all: promptforge check\n")


def test_a_broken_prompt_is_said_to_be_broken(pf, house):
    """Where the agent itself is concerned, stderr says that the prompt below lacks something."""
    house.edit("knowledge/house.yaml", ("codename: LEET", "codename: ELITE"))
    outcome = pf("explain", "windu")
    assert "What listens on" not in outcome.out
    assert outcome.err.endswith(
        "\n  the prompt of 'windu' is one of those that are broken: something is missing below\n"
    )


def test_explain_writes_nothing(pf, house):
    """The prompt is compiled in memory."""
    before = house.files()
    pf("explain", "windu")
    assert house.files() == before
