"""promote and champion, with real servers: each arm is a process of its own."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from promote.lodge import BASE, CASES, adapter, asked, lodge, skill, write

WINNER = range(CASES)
LOSER = [n for n in BASE if n >= 30]
TIE = [*BASE, 1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lodge(tmp_path / "lodge")


@pytest.fixture
def promote(pf, root) -> Callable[..., Any]:
    """`promptforge promote … --format json`: (exit code, what it says)."""

    def run(what: Path | str, *arguments: str) -> tuple[int, Any]:
        outcome = pf("promote", str(what), "--format", "json", *arguments, cwd=root)
        return outcome.code, json.loads(outcome.out) if outcome.out else outcome.err

    return run


def pointer(root: Path) -> Any:
    """What others read of the champion."""
    path = root / "build/champions.yaml"
    return (yaml.safe_load(path.read_text()) or {}).get("tiny") if path.exists() else None


def failed(found: Any) -> list[str]:
    return [one["name"] for one in found["conditions"] if not one["holds"]]


def test_a_winner_becomes_champion(promote, root, pf):
    """Its adapter is kept where no deletion of candidates reaches it, and the pointer says where."""
    folder = adapter(root, "winner", WINNER)
    code, found = promote(folder)
    assert code == 0, found
    assert found["verdict"] == "promote"
    assert found["sentence"].startswith("Promote: the candidate is better than the untrained model")
    kept = Path(found["champion"]["folder"])
    assert kept.is_relative_to(root / ".promptforge/champions/tiny")
    assert json.loads((kept / "skill.json").read_text())["name"] == "winner"
    assert root / pointer(root)["adapter"] == kept
    assert len(asked(root)) == 2 * CASES
    page = next(Path(name) for name in found["files"] if name.endswith(".html"))
    assert "Promote: the candidate is better" in page.read_text()
    shown = pf("champion", "show", cwd=root)
    assert f"tiny/{kept.name}" in shown.out
    assert "tiny: Promote: the candidate is better than the untrained model" in shown.out


def test_a_loser_goes_to_quarantine_with_its_evidence(promote, root):
    """And build/adapters holds it no more."""
    folder = adapter(root, "loser", LOSER)
    code, found = promote(folder)
    assert code == 1
    assert found["verdict"] == "reject"
    assert "overall: no fall against the untrained model" in failed(found)
    assert not folder.exists()
    (place,) = (root / ".promptforge/quarantine").iterdir()
    assert json.loads((place / "verdict.json").read_text())["sentence"] == found["sentence"]
    assert (place / "adapter/adapters.safetensors").exists()
    assert found["done"] == f"the adapter is in quarantine, {place.relative_to(root)}, and is deleted after 14 days"
    assert pointer(root) is None
    again, more = promote("loser")  # it is found there, and judged the same without a question asked
    assert (again, more["verdict"], more["look"]) == (1, "reject", 1)
    assert len(asked(root)) == 2 * CASES


def test_delete_deletes_at_once(promote, root):
    """The verdict stays in build/reports."""
    folder = adapter(root, "loser", LOSER)
    code, found = promote(folder, "--delete")
    assert code == 1
    assert not folder.exists()
    assert [*(root / ".promptforge/quarantine").iterdir()] == []
    assert found["done"] == "the adapter is deleted; the verdict is kept in build/reports"
    assert all(Path(name).exists() for name in found["files"])


def test_a_tie_changes_nothing(promote, root, pf):
    """The verdict says what would settle it; --fail-on inconclusive makes it a failure."""
    folder = adapter(root, "tie", TIE)
    code, found = promote(folder)
    assert (code, found["verdict"]) == (0, "inconclusive")
    assert "pairs; you have 60" in found["settle"] or "ask harder ones" in found["settle"]
    assert 0.07 < found["largest_fall"] < 0.09
    assert folder.exists()
    assert pf("promote", str(folder), "--fail-on", "inconclusive", cwd=root).code == 1
    text = pf("promote", str(folder), cwd=root).out
    assert text.startswith("Inconclusive, the untrained model stays: overall: 0.500 → 0.517, +0.017, no gain is shown")
    assert "done: nothing: the untrained model stays" in text
    assert "what would settle it:" in text


def test_a_candidate_has_to_beat_the_champion_and_the_untrained_model(promote, root):
    """Three arms; the champion's answers are known already, and those of the untrained model, too."""
    promote(adapter(root, "first", range(45)))
    before = len(asked(root))
    code, found = promote(adapter(root, "second", WINNER))
    assert code == 0
    assert found["against"].startswith("champion 1, ")
    assert found["look"] == 2
    assert len(asked(root)) - before == CASES
    code, found = promote(adapter(root, "third", range(40)))
    assert code == 1
    assert "overall: no fall against the champion" in failed(found)
    assert "second" in (Path(found["champion"]["folder"]) / "skill.json").read_text()


def test_the_same_answers_are_the_same_look(promote, root):
    """A look is counted when something new was seen."""
    folder = adapter(root, "tie", TIE)
    assert [promote(folder)[1]["look"] for _ in range(2)] == [1, 1]
    assert promote(adapter(root, "other", [*BASE, 3]))[1]["look"] == 2


def test_a_promotion_that_was_acted_on_is_found_again(promote, root):
    """As after a kill between the act and its report: the same verdict, and nothing is done twice."""
    folder = adapter(root, "winner", WINNER)
    first = promote(folder)
    second = promote(folder)
    assert second[0] == 0
    assert second[1]["sentence"] == first[1]["sentence"]
    assert second[1]["look"] == 1
    assert second[1]["champion"]["number"] == 1


def test_a_champion_that_falls_in_a_later_suite_stays_until_somebody_says_so(promote, root):
    """One verdict does not take it away."""
    folder = adapter(root, "winner", WINNER)
    promote(folder)
    write(root / "server/skill.json", json.dumps({"name": "nobody", "knows": [*range(CASES)]}))
    skill(folder, "winner", WINNER)
    write(root / "suites/numbers.yaml", (root / "suites/numbers.yaml").read_text().replace("word-", "WORD-1"))
    _, found = promote(folder, "--fresh")
    assert found["verdict"] in ("inconclusive", "reject")
    assert found["done"] == "nothing: it is the champion already, and one verdict does not take that away"
    assert found["next_step"] == "where you trust this one more: promptforge champion rollback tiny"
    assert folder.exists()


def test_the_way_back(promote, root, pf):
    """From the second champion to the first, and to none; nothing leaves the history."""
    promote(adapter(root, "first", range(45)))
    promote(adapter(root, "second", WINNER))
    assert pf("champion", "rollback", "tiny", "--why", "it swears", cwd=root).err.startswith(
        "tiny is back at champion 1,"
    )
    assert "first" in (root / pointer(root)["adapter"] / "skill.json").read_text()
    assert "the untrained model" in pf("champion", "rollback", "tiny", cwd=root).err
    assert pointer(root) is None
    outcome = pf("champion", "rollback", "tiny", cwd=root)
    assert outcome.code == 2
    assert "'tiny' has no champion to go back from" in outcome.err
    history = pf("champion", "history", cwd=root).out
    assert "rollback to 1" in history
    assert "it swears" in history
    assert "rollback to the untrained model" in history
    assert [
        row["action"] for row in json.loads(pf("champion", "history", "--format", "json", cwd=root).out)["history"]
    ] == [
        "promote",
        "promote",
        "rollback",
        "rollback",
    ]
    assert "no champion: every model is served as it is" in pf("champion", "show", cwd=root).out
    assert "to a champion that it had (1, 2): --to NUMBER" in outcome.err
    assert pf("champion", "rollback", "tiny", "--to", "2", cwd=root).err.startswith("tiny is back at champion 2,")


@pytest.mark.parametrize("what", ["show", "history"])
def test_a_model_that_is_not_there_is_said(root, pf, what):
    """Not that it has no champion; one that has none yet is told so."""
    outcome = pf("champion", what, "tinny", cwd=root)
    assert outcome.code == 2
    assert "no model 'tinny' in promptforge.yaml or among the champions" in outcome.err
    assert "did you mean 'tiny'?" in outcome.err
    assert pf("champion", what, "tiny", cwd=root).code == 0


def test_a_report_means_what_was_benched_not_an_arm_of_a_promotion(promote, root, pf):
    """The latest of bench, which is said; without one, the latest there is."""
    write(
        root / "promptforge.yaml",
        (root / "promptforge.yaml").read_text().replace("  tiny:", "  reader: {backend: reader, tier: local}\n  tiny:"),
    )
    promote(adapter(root, "winner", WINNER))
    assert "enriched · tiny · candidate" in pf("report", "--format", "markdown", cwd=root).out
    assert pf("bench", "--model", "reader", cwd=root).code == 0
    promote(adapter(root, "next", range(50)), "--fail-on", "never")
    outcome = pf("report", "--format", "markdown", cwd=root)
    assert "the reader is no model" in outcome.out
    assert "the latest of bench; what came later are the arms of a promotion" in outcome.err
    outcome = pf("compare", "base", "enriched", cwd=root)
    assert "the latest of bench" in outcome.err
    assert outcome.code in (0, 1)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_an_adapter_that_is_not_loaded_is_named(promote, root):
    """The server takes the option and ignores it: canaries and answers are those of the untrained model."""
    skill(root / "server", "nobody", BASE, ignores=True)
    code, found = promote(adapter(root, "winner", WINNER))
    assert (code, found["verdict"], found["judged"]) == (0, "inconclusive", False)
    assert found["sentence"].startswith("Inconclusive: arms not shown different: ")
    assert pointer(root) is None


def test_a_server_that_fails_on_some_questions_withholds_the_verdict(promote, root):
    """An error is no 0: the candidate would otherwise be rejected for its server's sake. Exit code 4."""
    folder = adapter(root, "winner", WINNER)
    skill(folder, "winner", WINNER, fails=[17])
    code, found = promote(folder)
    assert code == 4
    assert (found["verdict"], found["judged"]) == ("inconclusive", False)
    assert "Inconclusive, not judged: 1 request without an answer: n17 × warden" in found["sentence"]
    assert "out of memory" in found["sentence"]
    assert folder.exists()


def test_a_server_that_dies_stops_everything_and_changes_nothing(promote, root):
    """Its own message, exit code 4."""
    folder = adapter(root, "winner", WINNER)
    (folder / "skill.json").write_text("no json")
    code, said = promote(folder)
    assert code == 4
    assert "the server of 'tiny' ended before it was ready" in said
    assert folder.exists()
    assert pointer(root) is None


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"model": "coder"}, "no model 'coder' in promptforge.yaml"),
        (
            {"model": "other"},
            "the model 'other' has no `serve`: only a server that promptforge started itself is proof",
        ),
        ({"model": "", "base": "Qwen2.5-Coder"}, "was trained on 'Qwen2.5-Coder', not on 'tiny'"),
        ({"model": ""}, "does not say which model it was trained on"),
    ],
)
def test_an_adapter_of_another_model_is_refused(promote, root, manifest, message):
    """Before a server is started."""
    text = (root / "promptforge.yaml").read_text()
    other = "  other: {backend: compatible, base_url: 'http://127.0.0.1:9/v1', model: o, tier: local}\n"
    (root / "promptforge.yaml").write_text(text.replace("  tiny:\n", f"{other}  tiny:\n"))
    arguments = ("--model", "tiny") if not manifest["model"] else ()
    code, said = promote(adapter(root, "foreign", WINNER, **manifest), *arguments)
    assert code == 2
    assert message in said
    assert not asked(root)


def test_a_model_that_is_named_must_be_the_adapters(promote, root):
    """Loaded all the same it would answer nonsense."""
    text = (root / "promptforge.yaml").read_text()
    (root / "promptforge.yaml").write_text(
        text.replace("  tiny:\n", "  other: {backend: compatible, base_url: 'http://127.0.0.1:9/v1'}\n  tiny:\n")
    )
    code, said = promote(adapter(root, "foreign", WINNER), "--model", "other")
    assert code == 2
    assert "the adapter 'foreign' was trained for 'tiny', not for 'other'" in said


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: "nothing", "there is no adapter and no recipe 'nothing'"),
        (lambda root: str(root / "knowledge"), "holds no adapter: no weights are in it"),
    ],
)
def test_what_is_no_adapter_is_said(promote, root, make, message):
    """With what may be meant."""
    code, said = promote(make(root))
    assert code == 2
    assert message in said


def test_a_champion_whose_adapter_is_gone_is_said(promote, root):
    """A pointer of ours does not dangle; where somebody deletes what it points to, nothing is judged against air."""
    _, found = promote(adapter(root, "winner", WINNER))
    for path in Path(found["champion"]["folder"]).iterdir():
        path.unlink()
    Path(found["champion"]["folder"]).rmdir()
    code, said = promote(adapter(root, "next", WINNER))
    assert code == 2
    assert "the adapter of the champion of 'tiny' is gone" in said
    assert "promptforge champion rollback tiny" in said


def test_a_folder_of_the_users_own_is_never_moved(promote, root, tmp_path):
    """Nor deleted, whatever --delete says."""
    folder = adapter(tmp_path, "mine", LOSER, place="elsewhere")
    code, found = promote(folder, "--delete")
    assert code == 1
    assert folder.exists()
    assert found["done"] == f"nothing: {folder} is not in build/adapters, and is left where it is"


def test_a_dry_run_starts_nothing(promote, root, pf):
    """It says how much would be asked of whom."""
    folder = adapter(root, "winner", WINNER)
    code, found = promote(folder, "--dry-run")
    assert code == 0
    assert found["arms"] == [
        {"arm": "untrained", "requests": CASES, "known": 0, "variant": "enriched"},
        {"arm": "candidate", "requests": CASES, "known": 0, "variant": "enriched"},
    ]
    text = pf("promote", str(folder), "--dry-run", cwd=root).out
    assert "the untrained model" in text
    assert "2 servers, one after another; nothing was started" in text
    assert not asked(root)


def test_a_dry_run_knows_what_was_answered(promote, root, pf):
    """By the very servers that the run would start: then nothing is to be sent, and no limit is in the way."""
    folder = adapter(root, "winner", WINNER)
    write(
        root / "training/words.yaml",
        "recipe: words\nagents: [warden]\nmodel: tiny\nrows: 100\nmix: {identity: 1}\nseeds: 3\n",
    )
    promote(folder)
    code, found = promote(folder, "--dry-run")
    assert (code, [one["known"] for one in found["arms"]]) == (0, [CASES, CASES])
    assert found["trainings_if_near"] == 2
    text = pf("promote", str(folder), "--dry-run", cwd=root).out
    assert "up to 0" in text
    assert "where it is near, it is trained 2 times more: 2 servers with up to 60 requests each" in text
    write(root / "promptforge.yaml", (root / "promptforge.yaml").read_text() + "limits: {bench: {requests: 1}}\n")
    assert promote(folder)[0] == 0


def test_more_than_the_projects_limit_needs_yes(promote, root):
    """As with bench; two arms of sixty are one command's hundred and twenty."""
    write(root / "promptforge.yaml", (root / "promptforge.yaml").read_text() + "limits: {bench: {requests: 119}}\n")
    code, said = promote(adapter(root, "winner", WINNER))
    assert code == 2
    assert "120 requests are more than limits.bench.requests (119)" in said
    assert "go on with --yes" in said
    assert promote(adapter(root, "winner", WINNER), "--yes")[0] == 0


def test_a_damaged_adapter_is_named_and_the_others_gone_on_with(promote, root, pf):
    """With none left that can be read, that is said beside it."""
    write(root / "training/words.yaml", "recipe: words\nagents: [warden]\nmodel: tiny\nrows: 100\nmix: {identity: 1}\n")
    broken = adapter(root, "words-9", TIE) / "adapter.json"
    broken.write_text("{")
    code, said = promote("words")
    assert code == 2
    assert f"the recipe 'words' has no adapter yet; {broken} cannot be read: " in said
    adapter(root, "words-8", WINNER)
    outcome = pf("promote", "words", cwd=root)
    assert outcome.code == 0
    assert f"{broken} cannot be read: " in outcome.err
    assert "Promote: " in outcome.out


def test_a_recipe_means_its_latest_adapter(promote, root):
    """And where there is none yet, it says how to train one."""
    mix = "mix: {identity: 1}"
    write(root / "training/words.yaml", f"recipe: words\nagents: [warden]\nmodel: tiny\nrows: 100\n{mix}\n")
    code, said = promote("words")
    assert code == 2
    assert "the recipe 'words' has no adapter yet" in said
    adapter(root, "words-7", TIE)
    time.sleep(0.02)
    adapter(root, "words-8", WINNER)
    code, found = promote("words")
    assert code == 0
    assert found["adapter"].endswith("words-8")


def test_a_near_candidate_is_trained_again_by_its_recipe(promote, root):
    """The first verdict is told, then the trainer is called; where that cannot be, nothing was acted on."""
    recipe = "recipe: words\nagents: [warden]\nmodel: tiny\nrows: 100\nmix: {identity: 1}\nseeds: 3\n"
    write(root / "training/words.yaml", recipe)
    folder = adapter(root, "near", [*BASE, *range(1, 12, 2)])
    code, said = promote(folder)
    assert code == 2
    assert "Inconclusive, the untrained model stays: overall: 0.500 → 0.600, +0.100" in said
    assert "Training again with 2 other seeds." in said
    assert "training words again, with seed 8" in said
    assert "error:" in said
    assert folder.exists()


@pytest.fixture
def killed(root: Path) -> Iterator[Callable[[int], None]]:
    """Runs promote as a process of its own, and kills it when so many questions were answered."""
    running: list[subprocess.Popen[bytes]] = []

    def run(questions: int) -> None:
        command = [sys.executable, "-m", "promptforge", "promote", "build/adapters/winner"]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.append(process)
        limit = time.monotonic() + 60
        while len(asked(root)) < questions and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait(20)

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait(20)


@pytest.mark.parametrize("questions", [20, 80])
def test_a_killed_promotion_goes_on_where_it_was(promote, root, killed, questions):
    """At most what was in flight is asked again; the server that was left behind is ended; the verdict is the same."""
    adapter(root, "winner", WINNER)
    killed(questions)
    code, found = promote("build/adapters/winner")
    assert (code, found["verdict"]) == (0, "promote")
    assert len(asked(root)) <= 2 * CASES + 2
