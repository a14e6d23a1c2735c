"""What the page shows of the build: at once what is, a moment later what differs."""

import datetime
import json
import re
from pathlib import Path

import pytest

from promptforge.page.differing import Differing
from promptforge.page.hub import Hub
from promptforge.workbench.forge import forge
from waiting import until

TODAY = datetime.date(2026, 11, 2)

KNOWLEDGE = "knowledge/house.yaml"
RENUMBER = ("port: 1337", "port: 1437")
TOO_HIGH = ("port: 1337", "port: 99999")


def test_a_good_build_is_ok(page):
    """Its agents with tokens against budget, and nothing to complain of."""
    build = page.state()
    assert (build["ok"], build["diagnostics"], build["problem"], build["says"]) == (True, [], None, "2 prompts")
    windu, yoda = build["agents"]
    assert (windu["name"], windu["model"], windu["tier"], windu["budget"], windu["withheld"]) == (
        "windu",
        "cloud",
        "cloud",
        1000,
        1,
    )
    assert 0 < windu["tokens"] < 200
    assert (windu["exact"], yoda["exact"]) == (True, False)


def test_each_line_says_where_it_comes_from(page):
    """The prompt as it is sent, with file, line and facts."""
    (system,) = page.prompt()["messages"]
    lines = {text: (number, file, line, facts) for number, text, file, line, facts, _ in system["lines"]}
    assert lines["You guard the hut."] == (3, "agents/windu.yaml", 7, [])
    row = next(text for text in lines if "LEET" in text)
    assert lines[row][1:] == (KNOWLEDGE, 4, ["ports/mini:1337"])
    assert [line[0] for line in system["lines"]] == list(range(1, len(system["lines"]) + 1))
    assert "\n".join(line[1] for line in system["lines"]) in (
        page.root / "build/agent_prompts.yaml"
    ).read_text().replace("\n    ", "\n")


def test_examples_are_sent_as_messages(page):
    """Each with its role."""
    assert [message["role"] for message in page.prompt("yoda")["messages"]] == ["system", "user", "assistant"]


def test_nothing_is_marked_before_the_first_save(page):
    """Opening the page is no edit."""
    assert page.marked() == []
    assert page.worked_out()["save"] is None


def test_a_save_marks_its_lines(page):
    """The line as it is, and the one that it was; another agent's prompt has no mark."""
    page.save(KNOWLEDGE, RENUMBER)
    assert page.marked() == ["-| mini | 1337 | LEET | Council MLX |", "+| mini | 1437 | LEET | Council MLX |"]
    assert page.marked("yoda") == ["-What listens on 1337?", "+What listens on 1437?"]
    page.save(KNOWLEDGE, ("role: hub", "role: heart"))
    assert page.marked() == []
    assert len(page.marked(since="opened")) == 2


def test_a_save_without_a_change_keeps_the_marks(page):
    """An editor that only touches the file has edited nothing."""
    page.save(KNOWLEDGE, RENUMBER)
    page.build()
    assert len(page.marked()) == 2


def test_this_edit_has_facts_agents_and_cases(page):
    """As `diff` tells them, from the save before."""
    page.save(KNOWLEDGE, RENUMBER)
    edit = page.worked_out()["save"]
    (fact,) = edit["facts"]
    assert (fact["change"], fact["key"], fact["old_key"], fact["line"]) == ("renamed", "mini:1437", "mini:1337", 4)
    assert list(edit["agents"]) == ["windu", "yoda"]
    assert [(case["id"], case["what"]) for case in edit["cases"]] == [("leet", ["expected"])]
    assert (edit["breaks"], edit["unread"]) == ([], [])


def test_an_edit_of_a_suite_is_an_edit(page):
    """No prompt differs, and yet its case does."""
    page.save(KNOWLEDGE, RENUMBER)
    page.worked_out()
    page.save("suites/house.yaml", ("Which port is LEET?", "On which port is LEET?"))
    edit = page.worked_out()["save"]
    assert (edit["facts"], edit["agents"]) == ([], {})
    assert [(case["id"], case["what"]) for case in edit["cases"]] == [("leet", ["question"])]


def test_the_cases_of_the_opening_are_kept_however_many_saves_follow(page):
    """What a baseline names is not let go: today's suites in its place would hide that a case was reworded."""
    page.worked_out()
    page.save("suites/house.yaml", ("Which port is LEET?", "On which port is LEET?"))
    page.worked_out()
    for number in range(10):
        page.save(KNOWLEDGE, (f"role: hub{'x' * number}", f"role: hub{'x' * (number + 1)}"))
        found = page.worked_out()
    assert [(case["id"], case["what"]) for case in found["opened"]["cases"]] == [("leet", ["question"])]
    assert found["save"]["cases"] == []


def test_a_broken_save_keeps_the_last_good_prompt(page):
    """The diagnostics with place and line; the prompt is that of before, unmarked and dated."""
    page.save(KNOWLEDGE, RENUMBER)
    good = page.state()["good"]
    page.save(KNOWLEDGE, ("port: 1437", "port: 99999"))
    build = page.state()
    assert (build["ok"], build["good"], build["counts"]) == (False, good, "1 error")
    (found,) = build["diagnostics"]
    assert (found["file"], found["line"], found["column"], found["code"]) == (KNOWLEDGE, 4, 24, "PF310")
    assert found["excerpt"][found["column"] - 1 :][: found["length"]] == "99999"
    assert len(build["agents"]) == 2
    assert any("1437" in line[1] for line in page.prompt()["messages"][0]["lines"])
    assert page.marked() == []
    edit = page.worked_out()["save"]
    assert [fact["columns"]["port"] for fact in edit["facts"]] == [{"before": "1437", "after": "99999"}]
    assert [one["code"] for one in edit["breaks"]] == ["PF310"]


def test_mended_it_is_held_against_the_last_good_one(page):
    """The broken save in between was none."""
    page.save(KNOWLEDGE, TOO_HIGH)
    page.save(KNOWLEDGE, ("port: 99999", "port: 1437"))
    assert page.state()["ok"]
    assert page.marked() == ["-| mini | 1337 | LEET | Council MLX |", "+| mini | 1437 | LEET | Council MLX |"]


def test_a_removed_reference_is_named(page):
    """A case and an example that name a fact which is gone."""
    page.save(KNOWLEDGE, ("codename: LEET", "codename: ELITE"))
    edit = page.worked_out()["save"]
    assert {(one["file"], one["code"]) for one in edit["breaks"]} == {
        ("fewshot/house.yaml", "PF403"),
        ("suites/house.yaml", "PF403"),
    }
    assert [(case["id"], case["change"]) for case in edit["cases"]] == [("leet", "broken")]


def test_what_rests_on_a_file_that_cannot_be_read_is_not_told(page):
    """A case that nobody can read the facts of is not said to be gone."""
    page.save(KNOWLEDGE, ("ports:\n", "ports: [\n"))
    edit = page.worked_out()["save"]
    assert (edit["unread"], edit["cases"], edit["examples"]) == ([KNOWLEDGE], [], [])


def test_a_file_that_goes_takes_its_agent_along(page):
    """And the page of an agent that is gone says so by its status."""
    (page.root / "agents/yoda.yaml").unlink()
    page.save("fewshot/house.yaml", ("[yoda]", "[windu]"))
    assert [one["name"] for one in page.state()["agents"]] == ["windu"]
    assert page.get("prompt?agent=yoda").status == 404


def test_a_broken_project_at_the_start_shows_the_build_that_is_there(show, root):
    """Dated by its file; what is mended then is held against it."""
    with show():
        pass
    text = (root / "promptforge.yaml").read_text()
    (root / "promptforge.yaml").write_text("name: [\n")
    with show() as page:
        build = page.state()
        assert (build["ok"], len(build["agents"])) == (False, 2)
        assert build["diagnostics"][0]["file"] == "promptforge.yaml"
        assert abs(build["good"] / 1000 - (root / "build/agent_prompts.yaml").stat().st_mtime) < 1
        (root / "promptforge.yaml").write_text(text)
        page.save(KNOWLEDGE, RENUMBER)
        assert len(page.marked()) == 2


def test_a_broken_project_that_was_never_built_has_no_prompt(show, root):
    """There is nothing to show, and nothing is made up."""
    (root / "promptforge.yaml").write_text("name: [\n")
    with show() as page:
        build = page.state()
        assert (build["ok"], build["good"], build["agents"]) == (False, None, [])
        assert page.get("prompt?agent=windu").status == 404


def test_what_stops_a_build_is_said(page):
    """No diagnostic, and still no build: the config is gone."""
    (page.root / "promptforge.yaml").unlink()
    page.build()
    build = page.state()
    assert (build["ok"], build["good"] is not None) == (False, True)
    assert build["problem"]["message"].startswith("no promptforge.yaml in ")


def test_a_build_that_has_gone_is_said(page):
    """Somebody deleted it between the writing and the reading."""
    report, _ = forge(page.root, today=TODAY)
    (page.root / "build/agent_prompts.yaml").unlink()
    page.live.built(report, None)
    problem = page.state()["problem"]
    assert problem == {"message": "the build cannot be read: build/agent_prompts.yaml is gone", "hint": "build it anew"}


@pytest.mark.parametrize(
    ("day", "message"),
    [
        (lambda: TODAY, "what differs cannot be told: no promptforge.yaml in "),
        (lambda: 1 / 0, "promptforge itself failed: ZeroDivisionError: "),
    ],
)
def test_what_cannot_be_worked_out_is_said(tmp_path, day, message):
    """The project went in the meantime, or it is a mistake of ours: the page does not wait for ever."""
    hub = Hub()
    if "itself" in message:
        (tmp_path / "promptforge.yaml").write_text("name: hut\n")
    differing = Differing(tmp_path, hub, today=day)
    differing.look(None, {"save": None, "opened": None}, None, broken=False, number=1)
    ((name, text),) = until(lambda: list(hub.news({})))
    differing.close()
    assert (name, json.loads(text)["of"]) == ("changes", 1)
    assert json.loads(text)["problem"].startswith(message)


def test_a_secret_in_a_line_is_covered(page):
    """What was found in a file is no more shown here than in a log."""
    key = "sk-ant-api03-" + "Zm9vYmFy" * 11 + "AA"
    page.save(KNOWLEDGE, ("role: hub", f"role: {key}"))
    build = page.state()
    assert any("•" in (one["excerpt"] or "") for one in build["diagnostics"])
    assert key not in str(build)


def test_what_is_left_out_is_named(page):
    """By section and reason, with the place of each fact."""
    left = page.prompt()["left_out"]
    assert [(one["section"], one["why"], one["count"]) for one in left] == [("devices", "clearance", 1)]
    assert left[0]["what"] == [["devices/Pip's tablet", KNOWLEDGE, 8]]
    page.save("agents/windu.yaml", ("where: {host: mini}", "where: {port: 8123}"))
    filtered = next(one for one in page.prompt()["left_out"] if one["why"] == "filtered")
    assert filtered["what"] == [["ports/mini:1337", KNOWLEDGE, 4]]


# --- git ---------------------------------------------------------------------------------------------------------------


def test_without_git_there_are_no_dots(page):
    """And a line says why."""
    found = page.worked_out()
    assert (found["commit"], found["dots"], found["no_commit"]) == (None, [], "this project is in no git repository")


@pytest.mark.parametrize("text", ["gitdir: nowhere\n", "gitdir: \0\n"])
@pytest.mark.parametrize("readable", [True, False])
def test_a_git_file_that_leads_nowhere_takes_the_dots_alone(root, show, monkeypatch, text, readable):
    """It may be another user's, damaged, or of a worktree that is gone: the page opens, and says what git says."""
    (root / ".git").write_text(text)
    read = Path.read_text

    def reading(path, *arguments, **options):
        if path.name == ".git" and not readable:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", reading)
    with show() as page:
        found = page.worked_out()
        assert (found["commit"], found["dots"]) == (None, [])
        assert found["no_commit"] not in ("", "this project is in no git repository")
        page.save(KNOWLEDGE, RENUMBER)
        assert page.worked_out()["save"]["facts"]


def test_dots_are_for_what_differs_from_the_commit(git, page):
    """They go when it is committed, without a save."""
    assert page.worked_out()["dots"] == []
    page.save(KNOWLEDGE, ("role: hub", "role: heart"))
    found = page.worked_out()
    assert (found["dots"], list(found["commit"]["agents"])) == (["yoda"], ["yoda"])
    assert len(page.marked("yoda", "commit")) == 2
    with page.events() as events:
        assert next(data for name, data in events if name == "changes")["dots"] == ["yoda"]
        git("commit", "--quiet", "--all", "--message", "two")
        assert next(data for name, data in events if name == "changes")["dots"] == []


def test_a_broken_save_moves_no_dot(git, page):
    """They speak of the prompt that is shown."""
    page.save(KNOWLEDGE, ("role: hub", "role: heart"))
    page.save(KNOWLEDGE, ("ports:\n", "ports: [\n"))
    assert page.worked_out()["dots"] == ["yoda"]


def test_a_repository_without_a_commit_is_said(git, root, show):
    """Nothing to compare with yet."""
    git("checkout", "--quiet", "--orphan", "new")
    with show() as page:
        assert page.worked_out()["no_commit"] == "git has no commit of it yet"


# --- values of others --------------------------------------------------------------------------------------------------


def test_a_hostile_value_stays_data(page):
    """It travels as JSON, never as HTML; the document itself holds no value at all."""
    hostile = "</script><script>document.hacked=1</script>"
    page.save(KNOWLEDGE, ("service: Council MLX", f"service: '{hostile}'"))
    assert any(hostile in line[1] for line in page.prompt()["messages"][0]["lines"])
    reply = page.get("prompt?agent=windu")
    assert reply.headers["Content-Type"] == "application/json"
    assert not re.search("hacked|Windu|Council", page.get("").text)


@pytest.mark.parametrize("query", ["", "?agent=", "?agent=nobody&since=save", "?agent=../../etc/passwd"])
def test_an_agent_that_is_not_there(page, query):
    """No prompt, and no complaint of ours."""
    assert page.get(f"prompt{query}").status == 404
    assert page.get("prompt?agent=windu&since=whenever").status == 200
