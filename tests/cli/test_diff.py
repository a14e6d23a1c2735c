"""`diff`: what changed, whom it touches, and what it breaks; between builds, folders and git revisions."""

import json
import os
import re

import pytest

RENUMBER = ("port: 1337", "port: 1437")
RENAME = ("codename: LEET", "codename: ELITE")


@pytest.fixture
def built(pf, house):
    """The house after a first build."""
    assert pf("build").code == 0
    return house


def body(outcome):
    """What a text diff says, without its first line, which names the two sides."""
    head, _, rest = outcome.out.partition("\n")
    assert head.startswith("from ")
    assert head.endswith(" to the files now")
    return rest


def diffed(pf, *arguments):
    """A diff as JSON."""
    outcome = pf("diff", *arguments, "--format", "json")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["version"] == 1
    return found


# --- nothing to say -------------------------------------------------------------------------------------------------


def test_when_nothing_changed_it_says_since_when(pf, built, git):
    """The time is that of the last build's file, and the way to compare with git is shown."""
    os.utime(built / "build/agent_prompts.yaml", (1_000_000_000, 1_000_000_000))
    outcome = pf("diff")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(
        r"nothing changed since the last build of 2001-09-0\d \d\d:\d\d:40\n"
        r"to compare with what git has: promptforge diff HEAD\n",
        outcome.out,
    )


def test_where_there_is_no_git_nobody_is_sent_to_it(pf, house):
    """Neither when nothing changed, nor when there is no build to compare with."""
    assert pf("diff").err.endswith("\n  hint: make one: promptforge build\n")
    pf("build")
    assert pf("diff").out.startswith("nothing changed since the last build of ")
    assert "git" not in pf("diff").out


def test_without_a_build_it_says_how_to_make_one(pf, git):
    """The default needs a last build: exit code 2 without one."""
    outcome = pf("diff")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "error: there is no build to compare with: build/agent_prompts.yaml is not there\n"
        "  hint: make one: promptforge build; or compare with git: promptforge diff HEAD\n"
    )


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("build/agent_prompts.lock.json", None, "build/agent_prompts.yaml has no lock beside it"),
        ("build/agent_prompts.lock.json", "{", "the lock is not JSON: "),
        ("build/agent_prompts.lock.json", "{}", "the lock is of another version of promptforge"),
        ("build/agent_prompts.yaml", "{}\n", "the prompts were changed after they were built"),
    ],
)
def test_a_last_build_that_cannot_be_used_is_exit_code_2(pf, built, git, path, content, said):
    """A damaged build is no side of a comparison, and the reason is told."""
    if content is None:
        (built / path).unlink()
    else:
        built.write(path, content)
    outcome = pf("diff")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: the last build cannot be used: {said}")
    assert "\n  hint: make one: promptforge build; or " in outcome.err


def test_diff_writes_nothing(pf, built):
    """Neither the files nor the last build change."""
    built.edit("knowledge/house.yaml", RENUMBER)
    before = built.files()
    pf("diff")
    assert built.files() == before


def test_a_project_that_may_only_be_read_can_be_compared(pf, built, monkeypatch):
    """Where the project's own lock cannot be taken, the last build is read all the same."""
    from promptforge.errors import WriteError
    from promptforge.workbench import impact

    def refuse(root):
        raise WriteError("cannot write")

    monkeypatch.setattr(impact, "exclusive", refuse)
    assert pf("diff").out.startswith("nothing changed since the last build of ")


# --- facts ----------------------------------------------------------------------------------------------------------


def test_a_changed_column_is_shown_before_and_after(pf, built):
    """The fact, the column with both values, the place; then who holds it and what it costs; then the sum."""
    built.edit("knowledge/house.yaml", ("role: files", "role: backups of everything"))
    outcome = pf("diff")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(
        r"facts\n"
        r"  ~ hosts attic: role files → backups of everything  knowledge/house\.yaml:3\n"
        r"agents\n"
        r"  yoda  ~?\d+ → ~?\d+  [+]\d+  hosts/attic\n"
        r"1 fact changed, 1 prompt touched, nothing broken\n",
        body(outcome),
    )


def test_a_renumbered_port_is_the_same_fact_under_another_key(pf, built):
    """A renamed key is recognised, and an example that looks the fact up by name follows it and is named."""
    built.edit("knowledge/house.yaml", RENUMBER)
    assert re.fullmatch(
        r"facts\n"
        r"  ~ ports mini:1337 → mini:1437: port 1337 → 1437  knowledge/house\.yaml:5\n"
        r"agents\n"
        r"  windu  (\d+) → \1  ±0  ports/mini:1437\n"
        r"examples\n"
        r"  what-is-leet touched \(rests on ports/mini:1437\)  fewshot/house\.yaml:2\n"
        r"1 fact changed, 1 prompt touched, nothing broken\n",
        body(pf("diff")),
    )


def test_an_added_and_a_removed_fact_show_their_columns(pf, built):
    """Plus and minus, each with what the fact says, at the place where it is or was."""
    built.edit(
        "knowledge/house.yaml", ("  - {name: Mara's phone, kind: phone}\n", "  - {name: Odile's car, kind: car}\n")
    )
    built.edit("knowledge/house.yaml", ("hosts:\n", "hosts:\n  cellar: {role: wine}\n"))
    text = body(pf("diff"))
    assert "  + devices Odile's car: name Odile's car, kind car  knowledge/house.yaml:10\n" in text
    assert "  - devices Mara's phone: name Mara's phone, kind phone  knowledge/house.yaml:9\n" in text
    assert "  + hosts cellar: name cellar, role wine  knowledge/house.yaml:2\n" in text
    assert text.endswith("\n3 facts changed, 2 prompts touched, nothing broken\n")


def test_a_column_that_comes_or_goes_is_unset_on_one_side(pf, built):
    """A value that was not there is (unset)."""
    built.edit("knowledge/house.yaml", ("kind: phone", "kind: phone, owner: Mara"))
    built.edit("knowledge/house.yaml", ("{role: files, lan_ip: 192.0.2.77}", "{lan_ip: 192.0.2.77}"))
    text = body(pf("diff"))
    assert "devices Mara's phone: owner (unset) → Mara  " in text
    assert "hosts attic: role files → (unset)  " in text


def test_a_new_order_is_a_change(pf, built):
    """Facts that only changed places change the prompt, and the order is the cause."""
    built.edit("knowledge/house.yaml", ("  mini: {role: hub, lan_ip: 192.0.2.10}\n", ""))
    built.edit("knowledge/house.yaml", ("ports:\n", "  mini: {role: hub, lan_ip: 192.0.2.10}\nports:\n"))
    text = body(pf("diff"))
    assert text.startswith("facts\n  ~ hosts: the order of its facts\nagents\n  yoda ")
    assert "  order of hosts\n" in text
    assert text.endswith("\n0 facts changed, 1 prompt touched, nothing broken\n")


def test_a_fact_that_no_prompt_holds_touches_nobody(pf, built):
    """A new table that nobody shows is a change of facts alone."""
    built.write("knowledge/cats.yaml", "cats:\n  - {name: Chewie}\n  - {name: Leia}\n")
    assert body(pf("diff")).endswith("\n2 facts changed, 0 prompts touched, nothing broken\n")
    assert diffed(pf)["agents"] == {}


def test_long_values_are_shortened_and_lines_are_kept(pf, built):
    """A value of many words or lines takes one line and not the whole screen."""
    built.edit("knowledge/house.yaml", ("role: files", f'role: "one\\ntwo {"x" * 200}"'))
    (line,) = [line for line in pf("diff").out.splitlines() if line.startswith("  ~ hosts attic")]
    assert re.fullmatch(r"  ~ hosts attic: role files → one\\ntwo x+…  knowledge/house\.yaml:3", line)
    assert len(line) < 140


def test_a_comment_is_no_change(pf, built):
    """Knowledge is compared by value: comments, spaces and line numbers are nobody's business."""
    built.edit("knowledge/house.yaml", ("hosts:\n", "# where things are\n\nhosts:\n"))
    assert pf("diff").out.startswith("nothing changed since ")


# --- agents, settings, examples -------------------------------------------------------------------------------------


def test_an_edited_agent_names_its_own_file(pf, built):
    """A persona that changed is a setting, and the cause is the agent's file."""
    built.edit("agents/yoda.yaml", ("You are Yoda.", "You are Yoda, and old."))
    text = body(pf("diff"))
    assert text.startswith("settings\n  ~ agents/yoda.yaml\nagents\n  yoda  ")
    assert "  agents/yoda.yaml\n0 facts changed, 1 prompt touched, nothing broken\n" in text


def test_an_edited_template_names_those_that_print_it(pf, built):
    """The agents that print a template feel its change, and no other."""
    built.write("agents/templates/rules.md.j2", "The hub is at {{ hosts['mini'].lan_ip }}.\nAnswer at length.\n")
    found = diffed(pf)
    assert found["settings"] == ["agents/templates/rules.md.j2"]
    assert {name: a["because"] for name, a in found["agents"].items()} == {"windu": ["agents/templates/rules.md.j2"]}


def test_an_added_agent_has_no_tokens_before(pf, built):
    """A new agent is `added`."""
    built.write("agents/leia.yaml", "name: leia\npersona: You are Leia.\nsections: [persona]\n")
    assert re.search(r"^  leia  - → ~?\d+  added  agents/leia\.yaml$", pf("diff").out, re.M)


def test_a_removed_agent_has_no_tokens_after(pf, built):
    """An agent that is gone is `removed`, and who still names it is a break."""
    (built / "agents/windu.yaml").unlink()
    text = body(pf("diff"))
    assert re.search(r"^  windu  \d+ → -  removed  agents/windu\.yaml$", text, re.M)
    assert "breaks\n  fewshot/house.yaml:3: PF304: no agent 'windu'" in text
    assert text.endswith("\n0 facts changed, 1 prompt touched, 1 new error\n")


def test_an_agent_that_cannot_be_read_is_broken_not_removed(pf, built):
    """A syntax error in an agent's file breaks the agent."""
    built.edit("agents/yoda.yaml", ("sections: [persona", "sections: [[persona"))
    found = diffed(pf)
    assert found["agents"]["yoda"]["broken"] is True
    assert found["agents"]["yoda"]["because"] == ["its file cannot be read"]
    assert "PF105" in {d["code"] for d in found["breaks"]}


def test_what_the_budget_now_cuts_is_a_consequence(pf, built):
    """A smaller budget names the rows and examples that it costs."""
    built.edit("agents/windu.yaml", ("model: cloud", "model: cloud\nbudget: 110"))
    assert "  ! windu: the budget now cuts devices/Mara's phone, example:who-are-you\n" in pf("diff").out
    agent = diffed(pf)["agents"]["windu"]
    assert (agent["budget"], agent["over_budget"]) == (110, False)
    assert agent["cut"] == ["devices/Mara's phone", "example:who-are-you"]
    assert agent["tokens"]["delta"] == agent["tokens"]["after"] - agent["tokens"]["before"] < 0


def test_what_a_larger_budget_restores_is_said(pf, house):
    """What is no longer cut is in the JSON as `restored`."""
    house.edit("agents/windu.yaml", ("model: cloud", "model: cloud\nbudget: 110"))
    pf("build")
    house.edit("agents/windu.yaml", ("budget: 110", "budget: 1000"))
    assert diffed(pf)["agents"]["windu"]["restored"] == ["devices/Mara's phone", "example:who-are-you"]


def test_a_budget_newly_broken_is_said(pf, built):
    """An agent whose required parts no longer fit is over its budget and broken; cuts are no news then."""
    built.edit("agents/windu.yaml", ("model: cloud", "model: cloud\nbudget: 20"))
    text = body(pf("diff"))
    assert "  ! windu is over its budget of 20 tokens\n" in text
    assert "now cuts" not in text
    assert re.search(r"^  agents/windu\.yaml:\d+: PF413: agent 'windu' needs \d+ tokens ", text, re.M)
    assert text.endswith("\n0 facts changed, 1 prompt touched, 1 prompt broken, 1 new error\n")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("assistant: I am", "assistant: My name is", "who-are-you changed  fewshot/house.yaml:6"),
        ("  - id: what-is-leet\n", "  - {id: new, user: So, assistant: Yes}\n  - id: what-is-leet\n",
         "new added  fewshot/house.yaml:2"),
        ("id: who-are-you", "id: who-is-it", "who-are-you removed  fewshot/house.yaml:6"),
    ],
)  # fmt: skip
def test_examples_that_changed_are_named(pf, built, before, after, said):
    """A worked example that was written anew, added or removed stands with its place."""
    built.edit("fewshot/house.yaml", (before, after))
    assert f"\n  {said}\n" in pf("diff").out


def test_a_new_order_of_examples_names_those_that_print_them(pf, built):
    """Examples that only changed places are no changed examples, and their order is the cause."""
    text = (built / "fewshot/house.yaml").read_text(encoding="utf-8")
    head, first, second = text.split("  - id: ")
    built.write("fewshot/house.yaml", f"{head}  - id: {second}  - id: {first}")
    found = diffed(pf)
    assert {name: agent["because"] for name, agent in found["agents"].items()} == {"windu": ["order of the examples"]}
    assert [e["change"] for e in found["examples"]] == ["moved"]
    assert "\nexamples\n" not in body(pf("diff"))


def test_a_new_schema_is_a_setting(pf, built):
    """A schema shapes its table, whether or not that shows in a prompt."""
    built.write("knowledge/schemas/devices.schema.json", '{"properties": {"owner": {"type": "string"}}}')
    assert diffed(pf)["settings"] == ["schema of devices"]


def test_another_version_of_promptforge_is_a_setting(pf, built):
    """A build of another version is compared, and the version is named."""
    lock = built / "build/agent_prompts.lock.json"
    lock.write_text(
        lock.read_text(encoding="utf-8").replace('"promptforge": "', '"promptforge": "9.'), encoding="utf-8"
    )
    (setting,) = diffed(pf)["settings"]
    assert re.fullmatch(r"promptforge \d+\.\d+\.\d+\S*", setting)


def test_an_agent_that_an_earlier_build_left_names_that_build(pf, built):
    """After `build --agent` the others differ from the files because they are older."""
    built.edit("knowledge/house.yaml", RENUMBER)
    assert pf("build", "--agent", "yoda").code == 0
    agents = {name: agent["because"] for name, agent in diffed(pf)["agents"].items()}
    assert agents == {"windu": ["an earlier build (--agent)"]}


# --- what breaks ----------------------------------------------------------------------------------------------------


def test_a_broken_reference_is_said_with_whom_it_breaks(pf, built):
    """Works although nothing compiles: the prompt is broken, and the place that broke it has code, message and hint."""
    built.edit("knowledge/house.yaml", RENAME)
    outcome = pf("diff")
    assert (outcome.code, outcome.err) == (0, "")
    text = body(outcome)
    assert re.search(r"^  windu  \d+ → -  broken  ports/mini:1337$", text, re.M)
    assert (
        "breaks\n"
        "  fewshot/house.yaml:4: PF403: one('ports', codename='LEET') matches no fact"
        " (known: Default, ELITE, Shelf)\n"
        "    and at 1 more place: fewshot/house.yaml:5\n"
        "1 fact changed, 1 prompt touched, 1 prompt broken, 2 new errors\n"
    ) in text


def test_json_has_every_break_by_itself(pf, built):
    """What the text gathers, the JSON lists one by one."""
    built.edit("knowledge/house.yaml", RENAME)
    found = diffed(pf)
    assert [(d["code"], d["file"], d["line"]) for d in found["breaks"]] == [
        ("PF403", "fewshot/house.yaml", 4),
        ("PF403", "fewshot/house.yaml", 5),
    ]
    assert found["agents"]["windu"]["tokens"]["after"] is None
    assert found["agents"]["windu"]["broken"] is True


def test_what_was_broken_before_is_no_break(pf, git, house):
    """Only errors that the newer side has and the older has not are breaks."""
    house.edit("knowledge/house.yaml", RENAME)
    git("commit", "--quiet", "--all", "--message", "two")
    house.edit("knowledge/house.yaml", ("role: files", "role: backups"))
    found = diffed(pf, "HEAD")
    assert found["breaks"] == []
    assert list(found["agents"]) == ["yoda"]


def test_a_private_fact_that_would_reach_the_cloud_is_a_break(pf, built):
    """A fact that became private breaks the cloud agent that must show it."""
    built.edit("knowledge/house.yaml", ("codename: LEET,", "codename: LEET, sensitivity: private,"))
    text = body(pf("diff"))
    assert "sensitivity internal → private" in text
    assert "PF501: ports 'mini:1337' is private, but reaches agent 'windu' through the required section" in text


def test_a_broken_promptforge_yaml_still_compares(pf, built):
    """Even without models and budgets the comparison is made, and the syntax error is among the breaks."""
    built.write("promptforge.yaml", "name: [\n")
    found = diffed(pf)
    assert ("PF105", "promptforge.yaml") in {(d["code"], d["file"]) for d in found["breaks"]}
    assert all(agent["broken"] for agent in found["agents"].values())


# --- json and markdown ----------------------------------------------------------------------------------------------


def test_json_of_a_diff(pf, built):
    """Sides, facts by key and column, agents with tokens and causes, examples and breaks, and the version."""
    built.edit("knowledge/house.yaml", RENUMBER)
    found = diffed(pf)
    tokens = found["agents"]["windu"].pop("tokens")
    assert tokens["before"] == tokens["after"] > 0
    assert tokens["delta"] == 0
    assert found == {
        "version": 1,
        "from": "the last build",
        "to": "the files now",
        "facts": [
            {
                "table": "ports",
                "key": "mini:1437",
                "change": "renamed",
                "old_key": "mini:1337",
                "columns": {"port": {"before": "1337", "after": "1437"}},
                "file": "knowledge/house.yaml",
                "line": 5,
            }
        ],
        "settings": [],
        "agents": {
            "windu": {
                "change": "changed",
                "budget": 1000,
                "over_budget": False,
                "broken": False,
                "because": ["ports/mini:1437"],
                "cut": [],
                "restored": [],
            }
        },
        "examples": [
            {
                "id": "what-is-leet",
                "change": "touched",
                "file": "fewshot/house.yaml",
                "line": 2,
                "facts": ["ports/mini:1437"],
            }
        ],
        "cases": [],
        "datasets": [],
        "adapters": [],
        "breaks": [],
    }


def test_json_of_no_difference_is_whole_and_empty(pf, built):
    """The keys are the same when there is nothing in them."""
    assert diffed(pf) == {
        "version": 1,
        "from": "the last build",
        "to": "the files now",
        "facts": [],
        "settings": [],
        "agents": {},
        "examples": [],
        "cases": [],
        "datasets": [],
        "adapters": [],
        "breaks": [],
    }


def test_markdown_is_fit_for_a_pull_request(pf, built):
    """A heading with the sum, the sides, breaks first, then tables of facts and agents, then examples."""
    built.edit("knowledge/house.yaml", RENAME)
    outcome = pf("diff", "--format", "markdown")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(
        r"### promptforge: 1 fact changed, 1 prompt touched, 1 prompt broken, 2 new errors\n"
        r"`the last build` → `the files now`\n"
        r"\n"
        r"\*\*Breaks\*\*\n"
        r"\n"
        r"- `fewshot/house\.yaml:4` \*\*PF403\*\* one\('ports', codename='LEET'\) matches no fact"
        r" \(known: Default, ELITE, Shelf\) and at 1 more place: fewshot/house\.yaml:5\n"
        r"\n"
        r"\| fact \| change \| columns \| where \|\n"
        r"\|---\|---\|---\|---\|\n"
        r"\| ports mini:1337 \| changed \| codename LEET → ELITE \| `knowledge/house\.yaml:5` \|\n"
        r"\n"
        r"\| agent \| tokens \| change \| because of \|\n"
        r"\|---\|---\|---\|---\|\n"
        r"\| windu \| \d+ → - \| broken \| ports/mini:1337 \|\n"
        r"\n"
        r"Examples:\n"
        r"\n"
        r"- what-is-leet broken \(rests on ports/mini:1337\)  fewshot/house\.yaml:2\n",
        outcome.out,
    )


def test_markdown_of_no_difference_is_one_line(pf, built):
    """So that a comment on a pull request says that it has looked."""
    assert pf("diff", "--format", "markdown").out == (
        "**promptforge**: no fact and no prompt differs between `the last build` and `the files now`.\n"
    )


def test_markdown_shows_settings_and_budgets(pf, built):
    """Files that shape prompts are listed, and what the budget now cuts is a bullet."""
    built.edit("agents/windu.yaml", ("model: cloud", "model: cloud\nbudget: 110"))
    text = pf("diff", "--format", "markdown").out
    assert "\nSettings: `agents/windu.yaml`\n" in text
    assert "\n- windu: the budget now cuts devices/Mara's phone, example:who-are-you\n" in text


def test_markdown_cells_cannot_be_left(pf, built):
    """A pipe, a tag or a line break in a value stays in its cell."""
    built.edit("knowledge/house.yaml", ("role: files", 'role: "a | b <img src=x>\\nc"'))
    (row,) = [line for line in pf("diff", "--format", "markdown").out.splitlines() if line.startswith("| hosts attic")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert "<img" not in row


# --- --exit-code ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_exit_code_is_1_only_when_asked_and_only_for_a_difference(pf, built, form):
    """Without --exit-code a difference is 0; with it 1; without a difference 0 either way."""
    assert pf("diff", "--exit-code", "--format", form).code == 0
    built.edit("knowledge/house.yaml", RENUMBER)
    assert pf("diff", "--format", form).code == 0
    assert pf("diff", "--exit-code", "--format", form).code == 1


# --- git ------------------------------------------------------------------------------------------------------------


def test_the_files_are_compared_with_a_revision(pf, git, house):
    """One revision is compared with the files as they are now; no build is needed."""
    assert pf("diff", "HEAD").out == "nothing changed since HEAD\n"
    house.edit("knowledge/house.yaml", RENUMBER)
    outcome = pf("diff", "HEAD")
    assert outcome.out.startswith("from HEAD to the files now\nfacts\n  ~ ports mini:1337 → mini:1437: ")
    assert not (house / "build").exists()


def test_two_revisions_are_compared(pf, git, house):
    """Two revisions are compared with each other; what lies in the folder does not matter."""
    house.edit("knowledge/house.yaml", RENUMBER)
    git("commit", "--quiet", "--all", "--message", "two")
    house.edit("knowledge/house.yaml", ("role: files", "role: backups"))
    outcome = pf("diff", "HEAD~1", "HEAD")
    assert outcome.out.startswith("from HEAD~1 to HEAD\n")
    assert "1437" in outcome.out
    assert "backups" not in outcome.out
    assert pf("diff", "HEAD", "HEAD").out == "nothing changed from HEAD to HEAD\n"


def test_revisions_have_many_names(pf, git, house):
    """A branch, a tag and a hash are revisions."""
    git("tag", "v1")
    for name in ("main", "v1", git("rev-parse", "HEAD").strip(), "HEAD^0"):
        assert pf("diff", name).out == f"nothing changed since {name}\n"


def test_a_project_in_a_subfolder_of_a_repository_is_compared(pf, git, house):
    """The revision's files are those of the project's own folder, whatever it is called."""
    folder = house.move_into("my höuse")
    git("add", "--all")
    git("commit", "--quiet", "--message", "moved")
    house.edit("my höuse/knowledge/house.yaml", RENUMBER)
    assert "ports mini:1337 → mini:1437" in pf("diff", "HEAD", cwd=folder / "agents").out


def test_a_project_in_a_subfolder_is_compared_whatever_the_locale(process, git, house):
    """The name of the folder needs no UTF-8 locale."""
    folder = house.move_into("my höuse")
    git("add", "--all")
    git("commit", "--quiet", "--message", "moved")
    outcome = process("diff", "HEAD", cwd=folder, PYTHONUTF8="0", LC_ALL="C", PYTHONCOERCECLOCALE="0")
    assert (outcome.code, outcome.out, outcome.err) == (0, "nothing changed since HEAD\n", "")


def test_a_project_in_a_subfolder_is_compared_inside_a_hook(process, git, house):
    """Git tells a hook of a worktree where its repository is: that does not lead astray."""
    folder = house.move_into("sub")
    git("add", "--all")
    git("commit", "--quiet", "--message", "moved")
    outcome = process("diff", "HEAD", cwd=folder, GIT_DIR=str(house / ".git"), GIT_INDEX_FILE=".git/index")
    assert (outcome.code, outcome.out, outcome.err) == (0, "nothing changed since HEAD\n", "")


@pytest.mark.parametrize("name", ["nope", "HEAD~99", "promptforge.yaml", "HEAD:knowledge/house.yaml", "/nowhere"])
def test_what_is_neither_folder_nor_revision_is_exit_code_2(pf, git, name):
    """The name is said, and that it is neither."""
    outcome = pf("diff", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: '{name}' is neither a folder nor a git revision\n  hint: ")


@pytest.mark.parametrize("name", ["--", "--output=stolen", "-x", "--upload-pack=touch stolen"])
def test_a_name_that_looks_like_an_option_is_never_one(pf, git, house, name):
    """After `--` a name that starts with a dash is a name: git never takes it for an option."""
    outcome = pf("diff", "--", name)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: '{name}' is neither a folder nor a git revision\n")
    assert not (house / "stolen").exists()


def test_an_empty_name_is_no_side(pf, git):
    """An empty argument, as of an unset variable in a script, is refused."""
    outcome = pf("diff", "")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: an empty name is neither a folder nor a git revision\n")


def test_a_revision_without_the_project_is_exit_code_2(pf, git, house):
    """A revision from before the project began cannot be compared."""
    git("rm", "--quiet", "--cached", "promptforge.yaml")
    git("commit", "--quiet", "--message", "gone")
    outcome = pf("diff", "HEAD")
    assert outcome.code == 2
    assert outcome.err == (
        "error: no promptforge.yaml at revision 'HEAD'\n  hint: name a revision that holds the project\n"
    )


def test_without_a_repository_revisions_are_exit_code_2(pf, house, monkeypatch):
    """Outside a repository git's own reason is shown, with another way."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(house.root.parent))
    outcome = pf("diff", "HEAD")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: git: not a git repository")
    assert "  hint: compare two folders instead, or run this inside a git repository\n" in outcome.err


def test_without_git_revisions_are_exit_code_2(pf, monkeypatch, tmp_path):
    """Where git is not installed, folders can still be compared."""
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = pf("diff", "HEAD")
    assert outcome.code == 2
    assert outcome.err == "error: git is not installed\n  hint: install git, or name two folders\n"
    assert pf("diff", ".", ".").code == 0


# --- folders --------------------------------------------------------------------------------------------------------


def test_two_folders_are_compared(pf, house, tmp_path):
    """Two folders that hold projects are sides, by any way to them; neither needs a build or git."""
    for path, content in house.files().items():
        (tmp_path / "other" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "other" / path).write_bytes(content)
    house.edit("knowledge/house.yaml", RENUMBER)
    assert "mini:1337 → mini:1437" in pf("diff", str(tmp_path / "other"), ".").out
    assert "mini:1337 → mini:1437" in pf("diff", "../other").out
    assert "mini:1437 → mini:1337" in pf("diff", ".", "../other/").out
    assert pf("diff", ".").out == "nothing changed since .\n"


def test_a_folder_that_is_a_side_must_hold_a_project(pf, tmp_path):
    """A folder without promptforge.yaml is exit code 2."""
    outcome = pf("diff", str(tmp_path))
    assert outcome.code == 2
    assert outcome.err == (
        f"error: the folder '{tmp_path}' holds no promptforge.yaml\n  hint: name the folder of a project\n"
    )


# --- cases that were made from facts --------------------------------------------------------------------------------

MANY = "".join(
    f"  - {{host: attic, port: {9000 + number}, codename: Shelf {number}, service: Files {number}}}\n"
    for number in range(40)
)
DRAWN = (
    "suite: s\ncases:\n"
    "  - {id: hub, category: t, agents: [yoda], ask: Port of LEET?,"
    " expect: {all: \"{{ one('ports', codename='LEET').port }}\"}}\n"
    "generate:\n"
    "  - {table: ports, ask: 'What is on port {{ fact.port }} of {{ fact.host }}?', answer: service, category: t,"
    " agents: [yoda], limit: 10, seed: 3}\n"
)


@pytest.mark.parametrize(
    "edit", [RENUMBER, RENAME, ("port: 9007,", "port: 9907,"), ("service: Files 8}", "service: X}")]
)
def test_the_cases_are_the_same_against_the_last_build_and_git(pf, house, git, edit):
    """The sample of generated cases is drawn for both sides, so that a build as committed and git agree."""
    house.write("suites/s.yaml", DRAWN)
    house.edit("knowledge/house.yaml", ("ports:\n", "ports:\n" + MANY))
    git("add", ".")
    git("commit", "-qm", "before")
    assert pf("build").code == 0
    house.edit("knowledge/house.yaml", edit)
    cases = diffed(pf, "HEAD")["cases"]
    assert diffed(pf)["cases"] == cases
    drawn = [case for case in cases if case["id"] != "hub"]
    assert len(drawn) <= 4  # one out, one in, for the old name and the new one: the rest of the draw stays


def test_a_case_of_a_table_that_is_gone_is_broken(pf, house, git):
    """Where a table went, the cases that asked of it break, also against a build that keeps no suites."""
    house.write(
        "suites/s.yaml",
        "suite: s\ncases:\n  - {id: who, category: t, agents: [yoda], ask: Who sleeps upstairs?,"
        " expect: {all: \"{{ beds['upper'].sleeper }}\"}}\n",
    )
    house.edit("knowledge/house.yaml", ("hosts:\n", "beds:\n  upper: {sleeper: Pip}\nhosts:\n"))
    git("add", ".")
    git("commit", "-qm", "before")
    assert pf("build").code == 0
    house.edit("knowledge/house.yaml", ("beds:\n  upper: {sleeper: Pip}\n", ""))
    cases = diffed(pf, "HEAD")["cases"]
    assert [(case["id"], case["change"]) for case in cases] == [("who", "broken")]
    assert diffed(pf)["cases"] == cases
