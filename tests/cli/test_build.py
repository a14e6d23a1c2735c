"""`build`: what it prints, what it writes, and what it never does."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

WRITTEN = ["build/agent_prompts.lock.json", "build/agent_prompts.yaml", "promptforge.lock"]
ERROR = ("port: 445", "port: 99999")
RENUMBER = ("port: 1337", "port: 1437")


def outputs(house):
    """What a build writes, with its content; not what promptforge keeps for itself."""
    return {path: content for path, content in house.files().items() if path in WRITTEN}


# --- the report -----------------------------------------------------------------------------------------------------


def test_the_first_build_says_what_it_made(pf, house):
    """The table of agents, what was built and where, and what goes to the cloud; nothing on stderr."""
    outcome = pf("build")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(
        r"agent  model          tokens  budget  left out\n"
        r"windu  cloud \(cloud\) +\d+   1,000  1 above its clearance\n"
        r"yoda   local \(local\) +~\d+   1,000\n"
        r"~ estimated: errs high for vocabularies of 100,000 tokens and more, about 30 % on English and 40 % on tables; exact with a tokenizer of the model\n"
        r"built 2 prompts -> build/agent_prompts\.yaml\n"
        r"to the cloud: 1 of 2 prompts with 4 facts; "
        r"stayed local: 1 fact too sensitive for it \(left out 1 time\)\n",
        outcome.out,
    )
    assert sorted(outputs(house)) == WRITTEN


def test_the_same_build_again_changes_nothing(pf, house):
    """A second build says that nothing changed, and not a byte of the outputs does."""
    first = pf("build")
    before = outputs(house)
    second = pf("build")
    assert (second.code, second.err) == (0, "")
    assert second.out == first.out.replace(
        "built 2 prompts -> build/agent_prompts.yaml", "nothing changed: build/agent_prompts.yaml is up to date"
    )
    assert outputs(house) == before


def test_an_edit_is_told_in_one_line(pf, house):
    """How many facts changed, and which prompts by how many tokens."""
    pf("build")
    house.edit("knowledge/house.yaml", ("role: hub", "role: the hub of it all"), RENUMBER)
    outcome = pf("build")
    assert outcome.code == 0
    assert re.search(
        r"^changed: 2 facts, 2 prompts: windu ±0, yoda \+\d+ -> build/agent_prompts.yaml$", outcome.out, re.M
    )
    assert "1437" in (house / "build/agent_prompts.yaml").read_text(encoding="utf-8")


def test_many_changed_prompts_are_counted(pf, house):
    """Four changed prompts are named, more are counted."""
    for name in "abcdef":
        house.write(f"agents/{name}.yaml", f"name: {name}\npersona: P\nsections: [persona, {{table: hosts}}]\n")
    pf("build")
    house.edit("knowledge/house.yaml", ("role: files", "role: many files"))
    line = next(line for line in pf("build").out.splitlines() if line.startswith("changed: "))
    assert re.search(r"^changed: 1 fact, 7 prompts: a \+\d+, b \+\d+, c \+\d+, d \+\d+ and 3 more -> ", line)


def test_a_change_that_reaches_no_prompt_says_so(pf, house):
    """A fact that no prompt holds renews the lock, and the line says that no prompt changed."""
    pf("build")
    house.write("knowledge/cats.yaml", "cats:\n  - {name: Chewie}\n")
    outcome = pf("build")
    assert "no prompt changed (1 fact that no prompt holds); wrote build/agent_prompts.lock.json\n" in outcome.out


def test_what_the_budget_cut_is_told(pf, house):
    """The table counts what was cut, and names the first two."""
    house.edit("agents/yoda.yaml", ("model: local", "model: local\nbudget: 30"))
    line = next(line for line in pf("build").out.splitlines() if line.startswith("yoda"))
    assert re.fullmatch(
        r"yoda   local \(local\) +~\d+      30  3 cut by the budget \(example:who-are-you, hosts/attic, …\)", line
    )


def test_agents_without_a_model_have_a_dash(pf, house):
    """An agent that names no model is compiled with an estimate, and nothing of it goes to the cloud."""
    house.edit("agents/windu.yaml", ("model: cloud\n", ""))
    outcome = pf("build")
    assert re.search(r"^windu  - +~\d+ ", outcome.out, re.M)
    assert (
        "to the cloud: 0 of 2 prompts with 0 facts; stayed local: 1 fact too sensitive for it\n"
        in outcome.out.replace(" (left out 1 time)", "")
    )


def test_warnings_go_to_stderr_each_time(pf, house):
    """Warnings are no result: they are on stderr, also when nothing has changed since."""
    house.edit("knowledge/house.yaml", ("name: Mara's phone", "name: M, mac: 02:00:00:00:00:01"))
    first, second = pf("build"), pf("build")
    assert first.code == second.code == 0
    assert "knowledge/house.yaml:9:20: warning PF330: " in first.err
    assert first.err.endswith("\n1 warning\n")
    assert second.err == first.err
    assert "PF330" not in first.out


# --- errors ---------------------------------------------------------------------------------------------------------


def test_an_error_stops_the_build_and_nothing_is_written(pf, house):
    """With an error the exit code is 1, stdout is empty, and the last build is as it was, byte for byte."""
    pf("build")
    before = outputs(house)
    house.edit("knowledge/house.yaml", ERROR, RENUMBER)
    outcome = pf("build")
    assert (outcome.code, outcome.out) == (1, "")
    assert "knowledge/house.yaml:7:25: error PF310: " in outcome.err
    assert outcome.err.endswith("\n1 error\nnothing was written: build/agent_prompts.yaml is as it was\n")
    assert outputs(house) == before


def test_without_a_last_build_nothing_is_said_of_it(pf, house):
    """Where there never was an artifact, none is as it was."""
    house.edit("knowledge/house.yaml", ("port: 445", "port: 99999"))
    outcome = pf("build")
    assert outcome.code == 1
    assert outcome.err.endswith("\n1 error\nnothing was written\n")


def test_an_error_before_the_first_build_leaves_nothing(pf, house):
    """Where nothing was built, nothing is there afterwards."""
    house.edit("knowledge/house.yaml", ERROR)
    assert pf("build").code == 1
    assert outputs(house) == {}


def test_a_private_fact_on_its_way_to_the_cloud_stops_the_build(pf, house):
    """The way from the fact to the model is shown: the fact, the section, the agent."""
    house.edit("knowledge/house.yaml", ("codename: LEET,", "codename: LEET, sensitivity: private,"))
    outcome = pf("build")
    assert outcome.code == 1
    assert (
        "agents/windu.yaml:11:5: error PF501: ports 'mini:1337' is private, but reaches agent 'windu' "
        "through the required section 'Listeners'; its model 'cloud' (cloud) may see internal facts at most\n"
    ) in outcome.err
    assert "    = knowledge/house.yaml:5: the private fact\n" in outcome.err
    assert "    = agents/windu.yaml:1: agent 'windu'\n" in outcome.err


def test_a_required_part_over_the_budget_stops_the_build(pf, house):
    """What cannot be cut does not fit: exit code 1, and the budget that would do."""
    house.edit("agents/windu.yaml", ("model: cloud", "model: cloud\nbudget: 20"))
    outcome = pf("build")
    assert outcome.code == 1
    assert re.search(r"error PF413: agent 'windu' needs \d+ tokens for .*, over its budget of 20\n", outcome.err)
    assert re.search(r"= help: raise the budget to \d+ or more", outcome.err)


# --- json -----------------------------------------------------------------------------------------------------------


def test_json_of_a_first_build(pf):
    """The report has the agents with tokens, budget and what was left out, what was written, and its version."""
    outcome = pf("build", "--format", "json")
    assert (outcome.code, outcome.err) == (0, "")
    report = json.loads(outcome.out)
    tokens = {name: agent.pop("tokens") for name, agent in report["agents"].items()}
    assert all(isinstance(count, int) and count > 0 for count in tokens.values())
    assert sorted(report.pop("written")) == WRITTEN
    assert report == {
        "version": 1,
        "output": "build/agent_prompts.yaml",
        "stale": [],
        "agents": {
            "windu": {
                "model": "cloud",
                "tier": "cloud",
                "exact": True,
                "budget": 1000,
                "cut": [],
                "withheld": ["devices/Pip's tablet"],
            },
            "yoda": {"model": "local", "tier": "local", "exact": False, "budget": 1000, "cut": [], "withheld": []},
        },
        "changed": None,
        "cloud_facts": 4,
        "local_facts": 1,
        "diagnostics": [],
    }


def test_json_of_later_builds_names_the_changed_prompts(pf, house):
    """`changed` lists the agents whose prompts differ, and is empty when nothing does."""
    pf("build")
    same = json.loads(pf("build", "--format", "json").out)
    assert (same["changed"], same["written"], same["version"]) == ([], [], 1)
    house.edit("knowledge/house.yaml", RENUMBER)
    later = json.loads(pf("build", "--format", "json").out)
    assert (later["changed"], sorted(later["written"])) == (["windu"], WRITTEN)


def test_json_of_a_failed_build_has_the_diagnostics(pf, house):
    """With an error the JSON is still whole and on stdout, nothing is on stderr, and the exit code is 1."""
    house.edit("knowledge/house.yaml", ERROR)
    outcome = pf("build", "--format", "json")
    assert (outcome.code, outcome.err) == (1, "")
    report = json.loads(outcome.out)
    assert report["written"] == []
    assert [d["code"] for d in report["diagnostics"]] == ["PF310"]


# --- --check --------------------------------------------------------------------------------------------------------


def test_check_is_content_with_a_fresh_build(pf, house):
    """After a build `--check` is up to date, writes nothing, and ends with 0."""
    pf("build")
    before = house.files()
    outcome = pf("build", "--check")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith("\nup to date: 2 prompts\n")
    assert house.files() == before


def test_check_needs_only_the_committed_lock(pf, git, house):
    """On a clean clone, where build/ is not, the committed lock is enough."""
    pf("build")
    git("add", "promptforge.lock")
    git("clean", "-fdxq")
    assert not (house / "build").exists()
    assert pf("build", "--check").code == 0


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        (None, "stale: there is no promptforge.lock"),
        ("", "stale: promptforge.lock cannot be read: the file is empty"),
        (
            "version: 2\nagents: {}\n",
            "stale: promptforge.lock cannot be read: it has no agents, or is of another version",
        ),
        ("version: 1\nagents: {yoda: x}\n", "stale: windu is not in promptforge.lock"),
        ("version: 1\nagents: {yoda: x}\n", "stale: the prompt of yoda differs from promptforge.lock"),
        ("version: 1\nagents: {leia: x}\n", "stale: leia is in promptforge.lock, but no longer an agent"),
    ],
)
def test_check_says_what_is_wrong_with_the_lock(pf, house, lock, said):
    """A lock that is missing, unreadable, or of other prompts is stale: exit code 1, and what to run."""
    pf("build")
    (house / "promptforge.lock").unlink()
    if lock is not None:
        house.write("promptforge.lock", lock)
    outcome = pf("build", "--check")
    assert outcome.code == 1
    assert f"\n{said}\n" in outcome.out
    assert outcome.out.endswith("\nrun: promptforge build\n")


def test_check_notices_an_edit(pf, house):
    """After an edit the prompts that differ are named, and so is the artifact."""
    pf("build")
    house.edit("knowledge/house.yaml", RENUMBER)
    outcome = pf("build", "--check")
    assert outcome.code == 1
    stale = [line for line in outcome.out.splitlines() if line.startswith("stale: ")]
    assert stale == [
        "stale: the prompt of windu differs from promptforge.lock",
        "stale: build/agent_prompts.yaml is not what the project compiles to",
    ]


def test_check_notices_an_artifact_edited_by_hand(pf, house):
    """An artifact that is there must be what the project compiles to."""
    pf("build")
    house.edit("build/agent_prompts.yaml", ("You guard the hut.", "You guard the house."))
    outcome = pf("build", "--check")
    assert outcome.code == 1
    assert "stale: build/agent_prompts.yaml is not what the project compiles to\n" in outcome.out


def test_check_with_errors_says_that_nothing_was_written(pf, house):
    """Errors come first: they are shown, and nothing is said about the lock."""
    house.edit("knowledge/house.yaml", ERROR)
    outcome = pf("build", "--check")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.endswith("\n1 error\nnothing was written\n")


def test_check_as_json_lists_what_is_stale(pf, house):
    """`stale` has the sentences of the text, and the exit code is the same."""
    outcome = pf("build", "--check", "--format", "json")
    assert (outcome.code, outcome.err) == (1, "")
    report = json.loads(outcome.out)
    assert report["version"] == 1
    assert report["stale"] == ["there is no promptforge.lock"]
    pf("build")
    assert json.loads(pf("build", "--check", "--format", "json").out)["stale"] == []


def test_check_of_one_agent_looks_at_that_agent_alone(pf, house):
    """With --agent the others may be stale."""
    pf("build")
    house.edit("knowledge/house.yaml", RENUMBER)
    assert pf("build", "--check", "--agent", "yoda").out.endswith("\nup to date: 1 prompt\n")
    assert pf("build", "--check", "--agent", "windu").code == 1


# --- --agent --------------------------------------------------------------------------------------------------------


def test_only_the_agents_named_are_compiled(pf, house):
    """--agent takes patterns, more than once; the other prompts stay as the last build left them."""
    pf("build")
    house.edit("knowledge/house.yaml", RENUMBER, ("role: hub", "role: the hub"))
    outcome = pf("build", "--agent", "w*", "--agent", "nobody-else")
    assert outcome.code == 0
    prompts = (house / "build/agent_prompts.yaml").read_text(encoding="utf-8")
    assert "1437" in prompts
    assert "the hub |" not in prompts
    assert pf("build", "--check", "--agent", "windu").code == 0
    assert pf("build", "--check", "--agent", "yoda").code == 1


def test_a_build_of_everything_follows_a_build_of_some(pf, house):
    """After --agent a whole build gives the same bytes as one from nothing."""
    pf("build")
    house.edit("knowledge/house.yaml", RENUMBER, ("role: hub", "role: the hub"))
    pf("build", "--agent", "windu")
    pf("build")
    after = outputs(house)
    for path in after:
        (house / path).unlink()
    pf("build")
    assert outputs(house) == after


def test_a_first_build_of_some_agents_makes_only_these(pf, house):
    """Where nothing was built before, the artifact holds the agents that were asked for."""
    outcome = pf("build", "--agent", "yoda")
    assert outcome.code == 0
    assert "built 1 prompt -> build/agent_prompts.yaml\n" in outcome.out
    assert (house / "build/agent_prompts.yaml").read_text(encoding="utf-8").startswith("yoda:\n")


def test_a_pattern_that_matches_nobody_is_wrong_usage(pf, house):
    """Exit code 2, the agents that there are, and nothing is written."""
    outcome = pf("build", "--agent", "leia")
    assert (outcome.code, outcome.out) == (2, "")
    assert re.fullmatch(r"error: no agent matches .*leia.*\n  hint: the agents are: windu, yoda\n", outcome.err)
    assert outputs(house) == {}


# --- --output -------------------------------------------------------------------------------------------------------


def test_the_artifact_can_go_elsewhere(pf, house, tmp_path):
    """--output writes the artifact and its lock there, also outside the project."""
    outcome = pf("build", "--output", "out/prompts.yaml")
    assert outcome.code == 0
    assert "built 2 prompts -> out/prompts.yaml\n" in outcome.out
    assert (house / "out/prompts.lock.json").exists()
    assert not (house / "build").exists()
    assert pf("build", "--output", str(tmp_path / "far/away.yaml")).code == 0
    assert (tmp_path / "far/away.yaml").read_bytes() == (house / "out/prompts.yaml").read_bytes()


@pytest.mark.parametrize(
    "output", ["promptforge.yaml", "promptforge.lock", "agents/new.yaml", "./knowledge/../fewshot/x.yml"]
)
def test_the_artifact_never_replaces_the_projects_own_files(pf, house, output):
    """An output that would be an input is refused with exit code 2, and nothing is written."""
    before = house.files()
    outcome = pf("build", "--output", output)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: the output '{output}' is one of the project's own files\n  hint: ")
    written = {path: content for path, content in house.files().items() if not path.startswith(".promptforge/")}
    assert written == before


def test_the_artifact_is_a_file(pf, house):
    """An output that is a folder is refused with exit code 2."""
    outcome = pf("build", "--output", "agents")
    assert outcome.code == 2
    assert outcome.err.startswith("error: the output 'agents' is a folder\n  hint: name a file")


# --- what is written ------------------------------------------------------------------------------------------------


def test_what_holds_private_facts_is_for_the_owner_alone(pf, house):
    """The lock of this house holds a private fact: nobody else may read it; what is committed, everyone may."""
    pf("build")
    assert stat.S_IMODE((house / "build/agent_prompts.lock.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((house / "promptforge.lock").stat().st_mode) & 0o444 == 0o444


def test_what_promptforge_keeps_is_ignored_by_git(pf, git, house):
    """.promptforge/ ignores itself, even where .gitignore forgot it."""
    house.write(".gitignore", "build/\n")
    pf("build")
    assert ".promptforge" not in git("status", "--short", "--untracked-files=all")


def test_a_damaged_last_build_is_replaced(pf, house):
    """What cannot be read of the last build does not stop the next."""
    pf("build")
    before = outputs(house)
    house.write("build/agent_prompts.lock.json", "{")
    outcome = pf("build")
    assert outcome.code == 0
    assert "built 2 prompts -> build/agent_prompts.yaml\n" in outcome.out
    assert outputs(house) == before


def test_a_place_that_cannot_be_written_is_exit_code_2(pf, house):
    """Where a file stands in the way of build/, the error names it, and nothing else is written."""
    house.write("build", "a file")
    outcome = pf("build")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: cannot write {house.root}/build")
    assert not (house / "promptforge.lock").exists()


def test_an_output_far_outside_is_a_slip(pf, house, tmp_path):
    """One folder outside the project is made; where that one would have none either, or be at the root, it is said."""
    outcome = pf("build", "--output", str(tmp_path / "made" / "prompts.yaml"))
    assert outcome.code == 0
    assert (tmp_path / "made" / "prompts.yaml").exists()
    for far in (tmp_path / "a" / "b" / "prompts.yaml", Path(tmp_path.anchor) / "nowhere-at-all" / "prompts.yaml"):
        outcome = pf("build", "--output", str(far))
        assert (outcome.code, outcome.out) == (2, "")
        assert f"error: there is no folder '{far.parent}' for the output '{far}'\n" in outcome.err
        assert f"hint: make it, if that is the place: mkdir -p {far.parent}\n" in outcome.err
    assert not (tmp_path / "a").exists()
    assert pf("build", "--output", "deep/in/the/house/prompts.yaml").code == 0


# --- --watch --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [("--check",), ("--format", "json")])
def test_watch_stands_alone(pf, other):
    """--watch with --check or JSON is wrong usage."""
    outcome = pf("build", "--watch", *other)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: --watch goes with neither --check nor --format json\n"


def test_watch_without_watchfiles_says_how_to_install_it(pf, monkeypatch):
    """A missing extra is exit code 2, with its exact install command."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    outcome = pf("build", "--watch")
    assert outcome.code == 2
    assert outcome.err == "error: build --watch needs the extra 'watch'\n  hint: pip install 'watchfiles>=0.21'\n"


CHANGED = r"\n  windu  135  of 1,000  ±0\nchanged: 1 fact, 1 of 2 prompts, ~[\d,]+ tokens in all -> "
HEAD = r"(?m)^\d\d:\d\d:\d\d  knowledge/house\.yaml$"


def test_watch_builds_on_save_and_keeps_the_last_good_build(house, environ, tmp_path):
    """Each save is built; a broken file leaves the build alone; mended, it says so; Ctrl-C ends it with 130.

    The first build shows all agents, a save the time, its files, and the agents whose prompt it changed.
    """
    out, err = tmp_path / "out", tmp_path / "err"
    command = [sys.executable, "-m", "promptforge", "build", "--watch"]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        watching = subprocess.Popen(command, cwd=house.root, env=environ, stdout=stdout, stderr=stderr)
    try:
        until(lambda: "watching for changes; Ctrl-C ends it\n" in err.read_text(encoding="utf-8"), watching)
        saved(house, lambda: "1437" in prompts(house), watching, RENUMBER)
        good = prompts(house)
        saved(house, lambda: "nothing was written" in err.read_text(encoding="utf-8"), watching, ERROR)
        assert prompts(house) == good
        saved(house, lambda: "port 445" not in prompts(house) and "1537" in prompts(house), watching,
              ("port: 99999", "port: 445"), ("port: 1437", "port: 1537"))  # fmt: skip
        # The files are there before the report is printed.
        until(lambda: len(re.findall(CHANGED, out.read_text(encoding="utf-8"))) == 2, watching)
    finally:
        watching.send_signal(signal.SIGINT)
        code = watching.wait()
    assert code == 130
    assert err.read_text(encoding="utf-8").endswith("stopped\n")
    said = out.read_text(encoding="utf-8")
    assert said.count("left out\n") == 1  # the table of all agents
    assert len(re.findall(HEAD, said)) >= 3
    assert len(re.findall(HEAD + r"\nmended: fine again\n  windu", said)) == 1


def prompts(house):
    """The artifact as it is now."""
    return (house / "build/agent_prompts.yaml").read_text(encoding="utf-8")


def saved(house, seen, watching, *changes):
    """Save an edit, again and again until the watcher, which may not be looking yet, has answered."""
    house.edit("knowledge/house.yaml", *changes)
    path = house / "knowledge/house.yaml"

    def seen_after_touch():
        os.utime(path)
        return seen()

    until(seen_after_touch, watching)


def until(seen, watching):
    """Wait until something is seen; a watcher that died, or that never answers, fails the test."""
    for _ in range(600):
        assert watching.poll() is None
        if seen():
            return
        time.sleep(0.1)
    raise AssertionError("the watcher does not answer")


def test_an_output_never_writes_over_a_file_of_the_users(pf, house):
    """Only an artifact may be replaced: any other file is refused and stays."""
    house.write("notes.yaml", "mine: true\n")
    outcome = pf("build", "--output", "notes.yaml")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "error: the output 'notes.yaml' would write over a file of yours\n"
        "  hint: it is no artifact of promptforge: choose another place, or delete it\n"
    )
    assert (house.root / "notes.yaml").read_text() == "mine: true\n"
    assert pf("build", "--output", ".promptforge/lock").code == 2


def test_one_agent_alone_keeps_the_committed_digests_of_the_others(pf, house):
    """`build --agent` on a clean clone leaves the lines of promptforge.lock that it knows nothing of."""
    assert pf("build").code == 0
    before = (house.root / "promptforge.lock").read_text()
    for name in outputs(house):
        if name.startswith("build/"):
            (house.root / name).unlink()
    assert pf("build", "--agent", "windu").code == 0
    assert (house.root / "promptforge.lock").read_text() == before
