"""bench, ask and history against real servers on loopback."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from backends.servers import Server, chunk, completion, response, streaming
from cli.laboratory import SUITE, knows, model, posts, report
from promptforge.backends import opening
from promptforge.backends.compatible import Compatible
from promptforge.console.bench import runs_text
from promptforge.store import RunHead


def test_the_enriched_prompt_against_the_base_prompt(pf, lab):
    """Both arms are asked, scored and paired; the case that shows a private fact is barred for the cloud alone."""
    with model() as server:
        lab(server)
        outcome = pf("bench", "--format", "json", "--include-private")
    assert outcome.code == 0
    found = report(outcome)
    scores = {arm["variant"]: {c["id"]: c["scores"][arm["name"]] for c in found["cases"]} for arm in found["arms"]}
    assert scores["base"] == {"leet": 0.0, "attic": 0.0, "unknown": 1.0, "tablet": 1.0}
    assert scores["enriched"] == {"leet": 1.0, "attic": 1.0, "unknown": 1.0, "tablet": 1.0}
    barred = [r for r in found["replies"] if r["state"] == "not_applicable"]
    assert {(r["case"], r["agent"]) for r in barred} == {("tablet", "windu")}
    assert (
        "the question shows devices/Pip's tablet, which is private; cloud (cloud) may see internal facts"
        in barred[0]["message"]
    )
    assert len(posts(server)) == 10
    assert {len(body["messages"]) for body in posts(server)} == {2}


def test_the_text_says_it_in_words(pf, lab):
    """The arms with their intervals, the comparison with its verdict, and where the page is."""
    with model() as server:
        lab(server)
        outcome = pf("bench")
    assert "lab: 4 cases; asked 10" in outcome.out
    assert "not asked, in any arm: 2 requests" in outcome.out
    assert "base · own → enriched · own" in outcome.out
    assert "too few differ" in outcome.out
    assert outcome.out.rstrip().endswith("its page: promptforge report")
    assert outcome.err == "lab: 4 cases, 2 arms; 10 requests to send, 2 barred by clearance\n"


def test_a_rerun_sends_only_what_changed(pf, lab, house):
    """And says how many it took over, from which run; a repeat is asked for itself."""
    with model() as server:
        lab(server)
        first = report(pf("bench", "--format", "json"))["run"]["id"]
        outcome = pf("bench")
        assert f"asked 0, inherited 10 from {first}" in outcome.out
        assert len(posts(server)) == 10
        house.edit("knowledge/house.yaml", ("codename: Shelf", "codename: Cupboard"))
        outcome = pf("bench")  # the ports of both enriched prompts
        assert len(posts(server)) == 15
        assert f"asked 5, inherited 5 from {first}" in outcome.out
        pf("bench", "--repeats", "2")
        assert len(posts(server)) == 35  # with a seed, they are other requests
        assert {body.get("seed") for body in posts(server)[15:]} == {0, 1}


def test_fresh_asks_again(pf, lab):
    """Whoever doubts an answer can have it anew."""
    with model() as server:
        lab(server)
        pf("bench")
        pf("bench", "--fresh")
        assert len(posts(server)) == 20


def test_a_dry_run_sends_nothing(pf, lab):
    """Requests, tokens and money, by model."""
    with model() as server:
        lab(server)
        outcome = pf("bench", "--dry-run", "--format", "json")
        text = pf("bench", "--dry-run")
        assert posts(server) == []
    found = report(outcome)
    assert found["requests"] == 10
    assert found["by_model"] == {"local": 8, "cloud": 2}
    assert found["barred"] == 2
    assert 0 < found["usd"] < 0.01
    assert "up to $0.0022; what is cut off is asked for once more" in text.out


def test_a_model_without_a_price_is_named(pf, lab):
    """Whoever wants to know what a run costs is told what to write."""
    with model() as server:
        lab(server, cloud=f"{{backend: compatible, base_url: '{server.base_url}', model: c, tier: cloud}}")
        text, found = pf("bench", "--dry-run").out, report(pf("bench", "--dry-run", "--format", "json"))
    assert "at a cost that is not known: promptforge.yaml gives no price for cloud; what is cut off" in text
    assert (found["usd"], found["unpriced"]) == (None, ["cloud"])


def test_a_dry_run_needs_no_package(pf, lab, monkeypatch):
    """Its plan is whole; that the run itself will need one is a note there, and an error when it is to be sent."""
    cloud = "{backend: anthropic, model: claude-x, api_key: 'env:KEY', tier: cloud, price: {input: 1, output: 2}}"
    with model() as server:
        lab(server, cloud=cloud)
        monkeypatch.setattr(opening, "find_spec", lambda name: None)
        found = report(pf("bench", "--dry-run", "--format", "json"))
        text, sent = pf("bench", "--dry-run"), pf("bench")
        assert posts(server) == []
    said = "the model 'cloud', which windu would ask, needs a package that is not installed"
    assert found["by_model"] == {"local": 8, "cloud": 2}
    assert found["usd"] > 0
    assert text.code == 0
    assert f"note: {said}: pip install 'anthropic>=0.40'\n" in text.out
    assert sent.code == 2
    assert f"error: {said}\n  hint: pip install 'anthropic>=0.40'; or ask others: --model NAME" in sent.err


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_what_a_plan_opened_is_closed_when_it_comes_to_nothing(pf, lab, monkeypatch, arguments):
    """The connection to the first model, where the second one's recording is not there."""
    closed = []
    close = Compatible.close
    monkeypatch.setattr(Compatible, "close", lambda self: (closed.append(self.identity["model"]), close(self)))
    with model() as server:
        lab(server, cloud="{backend: replay, model: no-such.jsonl, tier: cloud}")
        outcome = pf("bench", *arguments)
    assert outcome.code == 2
    assert "no-such.jsonl" in outcome.err
    assert closed == ["m"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "lap"], "no suite 'lap'"),
        (["--model", "cluod"], "no model 'cluod' in promptforge.yaml"),
        (["--variant", "enrich"], "no variant 'enrich'"),
        (["--without", "prots"], "no agent that is asked has a section 'prots'\n  hint: did you mean 'ports'?"),
        (["--without", "zzz"], "no agent that is asked has a section 'zzz'\n  hint: known: few-shot, hosts, ports"),
        (["--category", "toplogy"], "no category 'toplogy' in lab"),
        (["--case", "nothing*"], "no case of lab is asked for"),
        (["--against", "nonsense"], "--against nonsense: git: not a git repository"),
    ],
)
def test_what_is_not_there_is_said(pf, lab, house, arguments, message):
    """Before anything is sent, with what is meant perhaps."""
    with model() as server:
        lab(server)
        outcome = pf("bench", *arguments)
        assert outcome.code == 2
        assert message in outcome.err
        assert posts(server) == []


def test_a_project_without_a_suite(pf, house):
    """It says how to write one."""
    outcome = pf("bench")
    assert outcome.code == 2
    assert "the project has no suite" in outcome.err


def test_a_project_with_errors_is_not_asked(pf, lab, house):
    """The errors are shown, those of suites, too."""
    with model() as server:
        lab(server)
        house.edit("suites/lab.yaml", ("codename='LEET'", "codename='LEAT'"))
        outcome = pf("bench")
        assert outcome.code == 1
        assert "PF403" in outcome.err
        assert "1 error: nothing was asked" in outcome.err
        assert posts(server) == []


def test_agents_on_a_model_of_ones_choice(pf, lab):
    """Each is compiled for it: a local model may see what the agent's own may not."""
    with model() as server:
        lab(server)
        found = report(pf("bench", "--model", "local", "--format", "json"))
    assert {arm["model"] for arm in found["arms"]} == {"local"}
    assert not [r for r in found["replies"] if r["state"] == "not_applicable"]


def test_ablations(pf, lab):
    """Without a section, and with it alone; what it costs and buys."""
    with model() as server:
        lab(server)
        outcome = pf("bench", "--ablate", "--model", "local")
        assert "section   tokens  score with it" in outcome.out
        assert "buys nothing here: no score differs without it" in outcome.out
        systems = {body["messages"][0]["content"] for body in posts(server)}
        assert any("1337" in s and "192.0.2.77" not in s for s in systems)
        assert any("1337" not in s and "192.0.2.77" in s for s in systems)
        pf("bench", "--only", "few-shot", "--model", "local")
        assert any("Q: Who are you?" in body["messages"][0]["content"] for body in posts(server))
    explained = pf("explain", "yoda").out
    assert re.search(r"measured in the run \S+, on local, for all agents together\n", explained)
    assert "which was not measured" not in explained
    other = "; this agent is asked on cloud, which was not measured: promptforge bench --ablate\n"
    assert f", on local, for all agents together{other}" in pf("explain", "windu").out
    assert {
        one["model"] for one in json.loads(pf("explain", "windu", "--format", "json").out)["measured"].values()
    } == {"local"}


def test_what_was_measured_on_an_agents_own_model_goes_before_a_later_run_on_another(pf, lab):
    """The figures that `explain` shows are those of the model that the agent is asked on, where there are any."""
    with model() as server:
        lab(server, third=f"{{backend: compatible, base_url: '{server.base_url}', model: t, tier: local}}")
        pf("bench", "--without", "ports", "--model", "third")
        assert ", on third, for all agents together; this agent is asked on local" in pf("explain", "yoda").out
        pf("bench", "--without", "ports")
        assert ", with each agent on its own model, for all agents together\n" in pf("explain", "yoda").out
        pf("bench", "--without", "ports", "--model", "local,third")
        assert ", on local, for all agents together\n" in pf("explain", "yoda").out
        pf("bench", "--without", "ports", "--model", "third")
        assert ", on local, for all agents together\n" in pf("explain", "yoda").out
        text = pf("bench", "--without", "ports", "--model", "local,third").out
    assert re.search(r"section +tokens +score with it +95 % interval +on\b", text)
    assert re.search(r"\nports +\d+ .* third ", text)


@pytest.mark.parametrize("form", ["json", "markdown", "html"])
def test_what_sections_are_worth_is_in_every_report(pf, lab, house, form):
    """The table of the terminal, in the page and for programs."""
    with model() as server:
        lab(server)
        pf("bench", "--ablate", "--model", "local")
    out = pf("report", "--format", form, "--output", "-").out
    if form == "json":
        by_name = {one["section"]: one for one in json.loads(out)["sections"]}
        assert set(by_name) == {"hosts", "ports", "few-shot"}
        assert by_name["few-shot"]["says"] == "buys nothing here: no score differs without it"
        assert by_name["ports"]["model"] == "local"
        assert by_name["ports"]["tokens"] > 0
        assert by_name["ports"]["effect"]["estimate"] > 0
    else:
        title = "What each section is worth"
        assert title in out
        part = out[out.index(title) :]
        assert "few-shot" in part
        assert "buys nothing here: no score differs without it" in part


def test_two_revisions_are_compared_for_the_price_of_what_differs(pf, lab, house, repository):
    """Each is judged by the facts of its own day."""
    with model() as server:
        lab(server)
        repository()
        house.edit("agents/yoda.yaml", ("{table: hosts}, ", ""))
        outcome = pf("bench", "--against", "HEAD", "--format", "json")
        asked = posts(server)
    found = report(outcome)
    assert {body["messages"][-1]["content"] for body in asked} == {
        "Which port does the council's model use?",
        "What is the address of attic?",
        "What runs on port 4242?",
        "Whose is Pip's tablet?",
    }
    assert len(asked) == 8  # windu's prompt did not change
    (comparison,) = found["comparisons"]
    assert [flip["case"] for flip in comparison["broke"]] == ["attic"]
    assert comparison["fixed"] == []


@pytest.fixture
def repository(house, environ):
    """Commits the project as it is."""
    import subprocess

    def commit() -> None:
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
            subprocess.run(["git", *words], cwd=house.root, env=environ, check=True)

    return commit


# --- what servers do ------------------------------------------------------------------------------------------------


def status(code: int, body: Any = "", **headers: str) -> bytes:
    return response(body, status=code, **headers)


def unanswered(outcome: Any) -> set[str]:
    return {r["fault"] for r in report(outcome)["replies"] if r["state"] in ("failed", "timed_out")}


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (status(401, {"error": {"message": "no"}}), "auth"),
        (status(404, {"error": {"message": "no such model"}}), "not_found"),
        (response("<html>A router</html>", kind="text/html"), "not_json"),
        (response('{"choices": [{"mess'), "not_json"),
        ({"choices": [], "usage": {}}, "no_choice"),
        (status(400, {"error": {"message": "This model's maximum context length is 4096 tokens"}}), "too_long"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_server_that_does_not_answer_gives_no_score(pf, lab, said, fault):
    """Its own fault, exit code 4, and never a 0."""
    with model(lambda system, question: said) as server:
        lab(server)
        outcome = pf("bench", "--case", "attic", "--format", "json")
    assert outcome.code == 4
    assert unanswered(outcome) == {fault}
    found = report(outcome)
    assert all(reply["score"] is None for reply in found["replies"])
    assert found["comparisons"][0]["verdict"]["word"] == "withheld"


def test_a_busy_server_is_asked_again(pf, lab):
    """429 with Retry-After, then 503, then an answer: nothing is lost."""
    troubles = [status(429, {"error": "slow down"}, Retry_After="0"), status(503, "loading")]

    def answer(system: str, question: str) -> Any:
        return troubles.pop() if troubles else knows(system, question)

    with model(answer) as server:
        lab(server)
        outcome = pf("bench", "--case", "attic", "--variant", "enriched", "--format", "json")
    assert outcome.code == 0
    (reply,) = report(outcome)["replies"]
    assert reply["state"] == "answered"
    assert reply["answer"]["retries"] == 2


@pytest.mark.usefixtures("impatient")
def test_what_was_not_answered_is_asked_the_next_time(pf, lab):
    """And nothing else; then there is a score."""
    broken = {"attic"}

    def answer(system: str, question: str) -> Any:
        return status(500, "oops") if broken and "attic" in question else knows(system, question)

    with model(answer) as server:
        lab(server)
        first = pf("bench", "--agent", "yoda", "--format", "json")
        assert first.code == 4
        before = len(posts(server))
        broken.clear()
        second = pf("bench", "--agent", "yoda", "--format", "json")
        assert second.code == 0
        assert len(posts(server)) == before + 2
    assert report(second)["comparisons"][0]["verdict"]["word"] != "withheld"


def test_nobody_listens(pf, lab):
    """One request is tried, the others are not: all are unanswered."""
    lab(Server(port=9))
    outcome = pf("bench", "--model", "local")
    assert outcome.code == 4
    assert "unanswered: 12 requests; no score is made of them" in outcome.out
    assert "nothing listens at http://127.0.0.1:9/v1" in outcome.out
    assert "withheld" in outcome.out


def test_an_answer_that_is_cut_is_asked_for_once_more(pf, lab):
    """With twice the room; what is still cut is scored on what was said."""
    with model(lambda system, question: completion("It is 192.0.2.77, and", finish_reason="length")) as server:
        entry = (
            f"{{backend: compatible, base_url: '{server.base_url}', model: m, tier: local, params: {{max_tokens: 8}}}}"
        )
        lab(server, local=entry)
        found = report(pf("bench", "--case", "attic", "--variant", "enriched", "--format", "json"))
        assert [body["max_tokens"] for body in posts(server)] == [8, 16]
    (reply,) = found["replies"]
    assert reply["state"] == "truncated"
    assert reply["score"]["value"] == 1.0


def test_a_money_budget_ends_a_run(pf, lab):
    """Exit code 3; what was answered is kept, and the next run goes on from there."""
    with model() as server:
        lab(server)
        outcome = pf("bench", "--model", "cloud", "--max-usd", "0.00003", "--concurrency", "1")
        assert outcome.code == 3
        assert "cut short: the budget of $3e-05 is used up" in outcome.out
        some = len(posts(server))
        assert 0 < some < 8
        outcome = pf("bench", "--model", "cloud")
        assert outcome.code == 0
        assert len(posts(server)) == 8


def test_limits_of_the_project_want_a_yes(pf, lab, house):
    """Nobody sends 5,000 requests by mistake."""
    with model() as server:
        lab(server)
        house.write("promptforge.yaml", (house / "promptforge.yaml").read_text() + "limits: {bench: {requests: 3}}\n")
        outcome = pf("bench")
        assert outcome.code == 2
        assert "10 requests are more than limits.bench.requests (3)" in outcome.err
        assert posts(server) == []
        assert pf("bench", "--yes").code == 0


def test_keys_are_nowhere(pf, lab, house, monkeypatch):
    """Not in the history, the report, the errors."""
    monkeypatch.setenv("HOUSE_KEY", "sk-swordfish-1234567890")
    with model(
        lambda system, question: status(401, {"error": {"message": "bad key sk-swordfish-1234567890"}})
    ) as server:
        entry = (
            f"{{backend: compatible, base_url: '{server.base_url}', model: m, tier: local, api_key: 'env:HOUSE_KEY'}}"
        )
        lab(server, local=entry)
        outcome = pf("bench", "--model", "local", "--format", "json")
        assert server.asked[-1].headers["authorization"] == "Bearer sk-swordfish-1234567890"
        pf("report")
    assert "swordfish" not in outcome.out + outcome.err
    for path in [*Path(house.root).rglob("*.db*"), *Path(house.root).rglob("*.html")]:
        assert b"swordfish" not in path.read_bytes()


def test_a_missing_key_is_said(pf, lab, house):
    """With the line to type."""
    with model() as server:
        entry = (
            f"{{backend: compatible, base_url: '{server.base_url}', model: m, tier: local, api_key: 'env:NO_SUCH_KEY'}}"
        )
        lab(server, local=entry)
        outcome = pf("bench", "--model", "local")
        assert outcome.code == 4
        assert "the environment variable NO_SUCH_KEY is not set" in outcome.out
        assert posts(server) == []


# --- ask, compare, report, history ----------------------------------------------------------------------------------


def test_ask_streams_an_answer(pf, lab):
    """What a server answers in one piece is shown, too; the line below says what it was."""
    with model() as server:
        lab(server)
        outcome = pf("ask", "yoda", "Which port does the council's model use?")
        assert outcome.code == 0
        assert outcome.out == "Port 1337.\n"
        assert "yoda · enriched · local · 20 tokens in · 3 out" in outcome.err
        base = pf("ask", "yoda", "Which port does the council's model use?", "--variant", "base", "--format", "json")
        assert report(base)["answer"]["text"] == "I don't know."


def test_ask_sends_no_private_fact_to_the_cloud(pf, lab):
    """A question typed by hand is looked at, too."""
    with model() as server:
        lab(server)
        outcome = pf("ask", "windu", "Where is Pip's tablet?")
        assert outcome.code == 2
        assert (
            "nothing was sent: it holds a value of devices/Pip's tablet, which cloud (cloud) may not see" in outcome.err
        )
        assert server.asked == []


def test_compare_and_history(pf, lab, tmp_path):
    """Variants of the last run, two runs, and a history that another machine inherits."""
    with model() as server:
        lab(server)
        first = report(pf("bench", "--format", "json"))["run"]["id"]
        second = report(pf("bench", "--format", "json", "--repeats", "2"))["run"]["id"]
        assert "base · own → enriched · own" in pf("compare", "base", "enriched").out
        assert report(pf("compare", first, second, "--format", "json"))["verdict"]["word"] in ("identical", "not shown")
        outcome = pf("compare", first, "enriched")
        assert outcome.code == 2
        assert "'enriched' is no run, while the other one is" in outcome.err
        assert f"{first}  lab" in pf("history", "list").out
        file = tmp_path / "history.gz"
        assert "wrote" in pf("history", "export", str(file)).err
        assert oct(file.stat().st_mode & 0o777) == "0o600"
        assert "forgot 30 answers and 2 runs" in pf("history", "prune", "--older-than", "0").err
        assert pf("history", "list").out == "no run yet; make one: promptforge bench\n"
        assert "took over 30 answers and 2 runs" in pf("history", "import", str(file)).err
        before = len(posts(server))
        pf("bench")
        assert len(posts(server)) == before


def test_of_several_suites_one_is_named(pf, lab, house):
    """And where there is none, the way to one."""
    with model() as server:
        lab(server)
        house.write("suites/other.yaml", SUITE.replace("suite: lab", "suite: other"))
        several = pf("bench")
        assert several.code == 2
        assert "the project has several suites: lab, other\n  hint: name one: --suite NAME\n" in several.err
        assert pf("bench", "--suite", "other", "--dry-run").code == 0
        for name in ("lab", "other"):
            (house / f"suites/{name}.yaml").unlink()
        none = pf("bench").err
    assert "the project has no suite\n  hint: write suites/house.yaml; `promptforge init DIR` makes a project" in none


def test_runs_are_listed_with_what_they_lack(pf, lab):
    """And an arm that a run does not have is said with the way to another run."""
    with model() as server:
        lab(server, cloud="{backend: openai, model: c, api_key: 'env:NOT_SET', tier: cloud}")
        pf("bench", "--variant", "enriched")
        assert re.search(r"  lab +4  enriched · own  1 unanswered\n", pf("history", "list").out)
        missing = pf("compare", "base", "enriched")
    assert missing.code == 2
    assert (
        "has no arm 'base'\n  hint: known: enriched; of another run: --run ID (promptforge history list)" in missing.err
    )


def test_a_section_that_prints_nothing_is_not_left_out(pf, lab, house):
    """Nobody could miss it."""
    with model() as server:
        lab(server)
        house.write("fewshot/house.yaml", "examples: []\n")
        out = pf("bench", "--ablate", "--model", "local", "--dry-run", "--format", "json").out
    assert json.loads(out)["arms"] == [
        f"{name} · local" for name in ("base", "enriched", "without hosts", "without ports")
    ]


def test_what_ask_refuses(pf, lab):
    """Each with what to do."""
    with model() as server:
        lab(server)
        assert (
            "the question is empty\n  hint: write one: promptforge ask yoda 'Who are you?'"
            in pf("ask", "yoda", " ").err
        )
        named = pf("ask", "yoda", "Who?", "--var", "name=Mara")
        assert "no runtime name 'name'\n  hint: declare it under runtime: in promptforge.yaml" in named.err
        assert posts(server) == []


def test_a_report_is_written(pf, lab, house):
    """One page, in build/reports."""
    with model() as server:
        lab(server)
        pf("bench")
    outcome = pf("report")
    assert outcome.code == 0
    (page,) = (house.root / "build" / "reports").glob("*.html")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert outcome.err == f"wrote build/reports/{page.name}\n"
    assert pf("report", "--format", "junit").out.startswith("<?xml")
    assert "no run 'zzz'" in pf("report", "zzz").err


def test_a_run_is_recorded_and_replayed(pf, lab, house):
    """Without a server, and with the same scores."""
    with model() as server:
        lab(server)
        first = report(pf("bench", "--model", "local", "--record", "recordings/local.jsonl", "--format", "json"))
        sent = len(posts(server))
    lab(Server(port=9), tape="{backend: replay, model: recordings/local.jsonl, tier: local}")
    again = pf("bench", "--model", "tape", "--format", "json")
    assert again.code == 0
    assert sent == 12
    scores = [[(case["id"], *case["scores"].values()) for case in found["cases"]] for found in (first, report(again))]
    assert scores[0] == scores[1]


def test_a_pattern_without_end_gives_no_score(pf, lab, house):
    """It is the suite's fault, and said so; the answer is kept."""
    suite = (
        "suite: lab\ncases:\n  - {id: p, category: t, agents: [yoda], ask: Well?, expect: {regex: '^(a|aa|a?)+$'}}\n"
    )
    with model(lambda system, question: "a" * 400 + "!") as server:
        lab(server)
        house.write("suites/lab.yaml", suite)
        outcome = pf("bench", "--variant", "enriched", "--format", "json")
    (reply,) = report(outcome)["replies"]
    assert outcome.code == 1
    assert reply["score"] is None
    assert reply["fault"] == "pattern"


def test_streamed_answers_have_a_time_to_the_first_token(pf, lab):
    """A server that answers in one piece has none, and is no worse for it."""

    def answer(system: str, question: str) -> bytes:
        return streaming(
            chunk({"content": "192.0."}), chunk({"content": "2.77"}), chunk({}, "stop"), b"data: [DONE]\n\n"
        )

    with model(answer) as server:
        lab(server)
        found = report(pf("bench", "--stream", "--case", "attic", "--variant", "enriched", "--format", "json"))
        assert posts(server)[0]["stream"] is True
    (reply,) = found["replies"]
    assert reply["score"]["value"] == 1.0
    assert 0 < reply["answer"]["first_token_s"] <= reply["answer"]["latency_s"]


def test_of_two_revisions_only_the_agents_whose_prompts_differ_are_compared(pf, lab, house, repository):
    """A case that two agents are asked is paired by the one that changed; nothing is left open for ever."""
    with model() as server:
        lab(server)
        repository()
        house.edit("agents/windu.yaml", ("You are Windu.", "You are Windu, and brief."))
        outcome = pf("bench", "--against", "HEAD", "--format", "json")
    found = report(outcome)
    assert outcome.code == 0
    assert [case["id"] for case in found["cases"]] == ["leet"]
    assert found["cases"][0]["agents"] == ["windu"]
    assert found["comparisons"][0]["unanswered"] == []


def test_no_difference_between_revisions_is_said(pf, lab, house, repository):
    """Nothing to ask is no failure."""
    with model() as server:
        lab(server)
        repository()
        outcome = pf("bench", "--against", "HEAD")
        assert posts(server) == []
    assert outcome.code == 0
    assert outcome.out == "no prompt that the suite asks differs from HEAD: nothing to ask, nothing to compare\n"


def test_a_server_that_wants_an_hour_is_not_waited_for(pf, lab):
    """Its requests are unanswered, and the run ends."""
    with model(lambda system, question: status(429, {"error": "later"}, Retry_After="3600")) as server:
        lab(server)
        outcome = pf("bench", "--model", "local", "--format", "json")
        assert len(posts(server)) <= 3
    assert outcome.code == 4
    assert unanswered(outcome) == {"rate_limited"}


def test_budgets_count_by_estimate_where_a_server_counts_nothing(pf, lab):
    """No usage is no free ride."""
    blank = {"choices": [{"message": {"role": "assistant", "content": "I don't know."}, "finish_reason": "stop"}]}
    with model(lambda system, question: blank) as server:
        lab(server)
        outcome = pf("bench", "--model", "local", "--max-tokens", "60")
        assert outcome.code == 3
        assert 0 < len(posts(server)) < 12


def test_both_requests_of_an_answer_that_was_cut_are_counted(pf, lab):
    """Tokens and money agree."""
    with model(lambda system, question: completion("It is", finish_reason="length")) as server:
        entry = (
            f"{{backend: compatible, base_url: '{server.base_url}', model: m, tier: local, params: {{max_tokens: 8}}}}"
        )
        lab(server, local=entry)
        found = report(pf("bench", "--case", "attic", "--variant", "enriched", "--format", "json"))
    assert found["replies"][0]["answer"]["usage"]["input_tokens"] == 40


def test_a_case_that_only_a_judge_could_score_counts_in_no_score(pf, lab, house):
    """The judge is never in the score."""
    suite = "suite: lab\ncases:\n  - {id: j, category: t, agents: [yoda], ask: Be nice., judge: It is nice.}\n"
    suite += (
        "  - {id: k, category: t, agents: [yoda], ask: What is the address of attic?, expect: {all: [192.0.2.77]}}\n"
    )
    with model() as server:
        lab(server)
        house.write("suites/lab.yaml", suite)
        found = report(pf("bench", "--variant", "enriched", "--format", "json"))
    assert found["arms"][0]["score"]["overall"]["cases"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tier", "golden"), "no tier 'golden'\n  hint: did you mean 'gold'?"),
        (("--agent", "yodda"), "no case of lab asks an agent 'yodda'\n  hint: did you mean 'yoda'?"),
    ],
)
def test_a_filter_that_names_nothing_is_said(pf, lab, arguments, message):
    """With what is meant perhaps."""
    with model() as server:
        lab(server)
        assert message in pf("bench", *arguments).err


def test_a_file_that_is_not_there_is_named(pf, house):
    """The missing one, not the other."""
    house.write("a.json", '{"categories": {"x": 0.5}}')
    assert "there is no file 'b.json', while the other one is a file" in pf("compare", "a.json", "b.json").err


def test_a_prompt_that_is_too_long_does_not_end_the_others(pf, lab):
    """It says something of that request, not of the server: whoever else can be asked is asked."""

    def answer(system: str, question: str) -> Any:
        too_long = status(400, {"error": {"message": "maximum context length is 4096 tokens"}})
        return too_long if "Yoda" in system else knows(system, question)

    with model(answer) as server:
        lab(server)
        found = report(pf("bench", "--model", "local", "--format", "json"))
    states = {(r["agent"], r["state"]) for r in found["replies"]}
    assert states == {("yoda", "failed"), ("windu", "answered")}


def test_an_answer_whose_second_asking_is_refused_is_not_taken_as_it_was_cut(pf, lab):
    """It is asked for again by the next run, as if nothing had been."""
    busy = [True]

    def answer(system: str, question: str) -> Any:
        if len(posts(server)) > 1 and busy[0]:
            return status(429, {"error": "slow down"}, Retry_After="3600")
        return completion("It is 192.0.2.77.", finish_reason="length" if busy[0] else "stop")

    with model(answer) as server:
        entry = (
            f"{{backend: compatible, base_url: '{server.base_url}', model: m, tier: local, params: {{max_tokens: 8}}}}"
        )
        lab(server, local=entry)
        asked = ("bench", "--case", "attic", "--variant", "enriched", "--format", "json")
        assert unanswered(pf(*asked)) == {"rate_limited"}
        busy[0] = False
        assert report(pf(*asked))["replies"][0]["state"] == "answered"


def test_an_agent_that_moved_to_another_model_does_not_hide_the_others(pf, lab, house, repository):
    """Two revisions are paired by agent, whatever the arms would be called alone."""
    with model() as server:
        lab(server)
        house.edit("agents/windu.yaml", ("model: cloud", "model: local"))
        repository()
        house.edit("agents/windu.yaml", ("model: local", "model: cloud"))
        house.edit("agents/yoda.yaml", ("You are Yoda.", "You are Yoda, and brief."))
        found = report(pf("bench", "--against", "HEAD", "--format", "json"))
    assert "yoda" in {r["agent"] for r in found["replies"] if r["state"] == "answered"}


def test_a_case_that_was_given_away_in_the_older_revision_counts_in_no_score(pf, lab, house, repository):
    """The older prompt held its answer."""
    example = "  - {id: gives, user: Where?, assistant: \"At {{ hosts['attic'].lan_ip }}.\"}\n"
    with model() as server:
        lab(server)
        few = (house / "fewshot/house.yaml").read_text(encoding="utf-8")
        house.write("fewshot/house.yaml", few + example)
        repository()
        house.write("fewshot/house.yaml", few)
        house.edit("agents/yoda.yaml", ("You are Yoda.", "You are Yoda, and brief."))
        found = report(pf("bench", "--against", "HEAD", "--format", "json"))
    counts = {case["id"]: case["counts"] for case in found["cases"]}
    assert counts["attic"] is False
    assert counts["leet"] is True


def test_a_damaged_answer_of_an_imported_history_is_asked_again(pf, lab, tmp_path):
    """Nothing else of it is lost."""
    with model() as server:
        lab(server)
        pf("bench", "--model", "local")
        file = tmp_path / "history.jsonl"
        pf("history", "export", str(file))
        lines = file.read_text(encoding="utf-8").splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith('{"answers"'))
        kept = json.loads(lines[at])
        kept["answers"][-1] = {}
        lines[at] = json.dumps(kept)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        pf("history", "prune", "--older-than", "0")
        pf("history", "import", str(file))
        before = len(posts(server))
        assert pf("bench", "--model", "local").code == 0
        assert len(posts(server)) == before + 1


def test_what_was_asked_and_what_was_not_sent_are_counted_apart(pf, lab):
    """A web page instead of an answer: three were sent, the others were not, and the text says so once."""
    with model(lambda system, question: response("<html>A router</html>", kind="text/html")) as server:
        lab(server)
        outcome = pf("bench", "--model", "local")
        sent = len(posts(server))
    assert outcome.code == 4
    assert sent == 3
    assert "lab: 4 cases; asked 3, answered 0\n" in outcome.out
    lines = outcome.out.split("\n")
    at = lines.index("unanswered: 12 requests; no score is made of them")
    assert lines[at + 1].startswith("  3 × ")
    assert "  9 × not sent because of that" in lines
    assert outcome.out.count(lines[at + 1].partition(" × ")[2]) == 1


@pytest.mark.usefixtures("impatient")
def test_a_busy_server_that_stays_busy(pf, lab):
    """How often it was asked, how long was waited, and no advice to ask fewer at once where it was one."""
    with model(lambda system, question: status(429, {"error": "slow down"}, Retry_After="0")) as server:
        lab(server)
        outcome = pf("bench", "--case", "attic", "--variant", "base", "--model", "local")
        assert len(posts(server)) == 4
    assert "sent again 3 times, after 0 s of waiting" in outcome.out
    assert "it was asked one request at a time: wait a while, then run the same command again" in outcome.out
    assert "lower the concurrency" not in outcome.out


def test_a_pause_that_is_too_long_is_said(pf, lab):
    """With what the server asked for."""
    with model(lambda system, question: status(429, {"error": "later"}, Retry_After="3600")) as server:
        lab(server)
        outcome = pf("bench", "--case", "attic", "--variant", "base", "--model", "local")
    assert "; it wants a pause of 3,600 s, and 120 s are the most" in outcome.out


def test_a_fresh_run_that_was_cut_short_goes_on_without_fresh(pf, lab, monkeypatch):
    """With it, everything would be asked once more."""
    monkeypatch.setattr("sys.argv", ["promptforge", "bench", "--fresh", "--max-tokens", "60"])
    with model() as server:
        lab(server)
        outcome = pf("bench", "--model", "local", "--fresh", "--max-tokens", "60")
    assert outcome.code == 3
    assert (
        "; the same command without --fresh goes on from here (with it, everything is asked once more)" in outcome.out
    )
    assert "run the same bench again, without --fresh: only what is unanswered is sent" in outcome.out


def test_a_recording_has_what_was_known_too(pf, lab, house):
    """A recording with gaps cannot be played back."""
    with model() as server:
        lab(server)
        assert pf("bench", "--agent", "yoda", "--case", "attic").code == 0
        before = len(posts(server))
        outcome = pf("bench", "--agent", "yoda", "--record", "tape.jsonl")
        new = len(posts(server)) - before
    assert f"recorded {new + 2} exchanges in tape.jsonl, 2 of them answered by earlier runs\n" in outcome.err
    lab(server, local="{backend: replay, model: tape.jsonl, tier: local}")
    replayed = pf("bench", "--agent", "yoda", "--fresh")
    assert replayed.code == 0
    assert "unanswered" not in replayed.out
    again = pf("bench", "--agent", "yoda", "--case", "attic", "--record", "other.jsonl")
    assert "recorded 2 exchanges in other.jsonl, 2 of them answered by earlier runs\n" in again.err


def test_cases_that_a_comparison_of_revisions_leaves_out_are_counted(pf, lab, house, repository):
    """With why."""
    with model() as server:
        lab(server)
        repository()
        house.edit("agents/yoda.yaml", ("persona: You are Yoda.", "persona: You are old Yoda."))
        house.edit("suites/lab.yaml", ("  - id: unknown\n", "  - id: stranger\n"))
        outcome = pf("bench", "--against", "HEAD", "--agent", "yoda")
        assert "note: compared on 3 of 4 cases; left out: 1 because only one of the two asks them\n" in outcome.out
        house.edit("suites/lab.yaml", ("  - id: stranger\n", "  - id: unknown\n"))
        house.edit("agents/yoda.yaml", ("persona: You are old Yoda.", "persona: You are Yoda."))
        house.edit("agents/windu.yaml", ("persona: You are Windu.", "persona: You are old Windu."))
        outcome = pf("bench", "--against", "HEAD")
    assert "left out: 3 because nothing that they send differs\n" in outcome.out


@pytest.mark.usefixtures("impatient")
def test_repeats_have_numbers_and_a_reason_to_be_asked_anew(pf, lab):
    """A repeat has a seed of its own, so what was asked without one does not answer it."""
    with model(lambda system, question: status(500, "oops") if "attic" in question else "No.") as server:
        lab(server)
        outcome = pf("bench", "--agent", "yoda", "--variant", "enriched", "--model", "local", "--repeats", "2")
    assert (
        "note: with --repeats each request has a seed of its own: what was asked without one is asked anew"
        in outcome.out
    )
    assert "    attic × yoda × enriched · local #1\n" in outcome.out
    assert "    attic × yoda × enriched · local #2\n" in outcome.out


def test_what_bars_a_request_is_named(pf, lab):
    """The prompt or the question, not `it`."""
    with model() as server:
        lab(server)
        out = pf("bench").out
    assert "not asked, in any arm" in out
    assert " × it holds" not in out


def test_a_killed_run_is_listed_with_its_cases(pf, lab, house, monkeypatch):
    """And that its answers are kept."""

    def killed(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("killed")

    with model() as server:
        lab(server)
        monkeypatch.setattr("promptforge.workbench.bench.execute", killed)
        with pytest.raises(RuntimeError, match="killed"):
            pf("bench")
        monkeypatch.undo()
        monkeypatch.chdir(house.root)
        line = pf("history", "list").out.split("\n")[1]
    assert re.search(r"  lab +4  base · own, enriched · own +it did not end; what was answered is kept$", line)


def test_a_list_of_runs_fits_a_terminal():
    """However many arms a run has."""
    arms = [f"without section-{number} · local" for number in range(11)]
    head = RunHead(id="20261122T101112-ab12", started="", finished="x", suite="lab", head={"arms": arms, "cases": 4})
    text = runs_text([head])
    assert max(map(len, text.split("\n"))) < 120
    assert "without section-0 · local, without section-1 · local and 9 more" in text


def test_the_known_part_of_a_cost_is_named(pf, lab):
    """Where one model has a price and the other has none."""
    with model() as server:
        url = server.base_url
        lab(server, local=f"{{backend: compatible, base_url: '{url}', model: m, tier: cloud}}")
        planned = pf("bench", "--dry-run", "--max-usd", "1")
        found = json.loads(pf("bench", "--dry-run", "--format", "json").out)
    assert re.search(
        r", up to \$0\.\d{4} for the rest, and at a cost that is not known: "
        r"promptforge\.yaml gives no price for local;",
        planned.out,
    )
    assert "note: --max-usd counts only what has a price: promptforge.yaml gives none for local" in planned.out
    assert found["usd"] is None
    assert found["known_usd"] > 0


def test_a_question_is_kept_as_it_was_asked(pf, lab, house):
    """With its runtime names filled in, in every report."""
    with model() as server:
        lab(server)
        config = (house / "promptforge.yaml").read_text(encoding="utf-8")
        house.write("promptforge.yaml", config + "runtime: {user_name: {max_tokens: 8}}\n")
        extra = (
            "  - id: hello\n    category: manners\n    agents: [yoda]\n    vars: {user_name: Mara}\n"
            '    ask: "I am {{ user_name }}. What runs on port 4242?"\n    expect: {abstain: true}\n'
        )
        house.write("suites/lab.yaml", SUITE + extra)
        outcome = pf("bench", "--case", "hello", "--format", "json")
    assert [case["question"] for case in report(outcome)["cases"]] == ["I am Mara. What runs on port 4242?"]
