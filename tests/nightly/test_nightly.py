"""Nights from the outside: real servers, a real trainer process, a real history, and everything that can go wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from nightly import grange
from promptforge.backends.processes import process
from promptforge.errors import WriteError
from promptforge.nightly.journal import STAGES, Journal, Night
from promptforge.nightly.night import Means, NightError, spend_night
from promptforge.store import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and locks of Unix")


def _status(root: Path) -> str:
    code, out, _ = grange.nightly(root, "status")
    assert code == 0
    return out


def _champions(root: Path) -> str:
    place = root / "build" / "champions.yaml"
    return place.read_text() if place.exists() else ""


def test_a_better_model_is_promoted_and_the_same_night_is_not_spent_twice(tmp_path: Path) -> None:
    """The second call trains nothing and asks nobody."""
    root = grange.grange(tmp_path)
    code, out, err = grange.nightly(root)
    assert (code, err.count("starting its server")) == (0, 2)
    assert out.startswith("night 1, words: Promote: the candidate is better than the untrained model")
    assert "tiny" in _champions(root)
    asked, trained = grange.log(root, "asked"), grange.log(root, "trained")
    code, out, _ = grange.nightly(root)
    assert code == 0
    assert "nothing has changed since: nothing was trained, nothing asked" in out
    assert (grange.log(root, "asked"), grange.log(root, "trained")) == (asked, trained)
    assert _status(root).rstrip().endswith("the last night promoted")


def test_nights_without_a_promotion_are_counted_with_their_reasons(tmp_path: Path) -> None:
    """A worse one is rejected and put away, a tie changes nothing, a failed training is no verdict at all."""
    root = grange.grange(tmp_path)
    assert grange.nightly(root)[0] == 0
    champion = _champions(root)
    grange.lesson(root, grange.WORSE, name="dunce")
    grange.another_recipe(root)
    code, out, _ = grange.nightly(root)
    assert (code, "Reject: " in out) == (1, True)
    assert [path.name for path in (root / ".promptforge" / "quarantine").iterdir()] != []
    grange.lesson(root, grange.BETTER[:-1], name="equal")
    grange.another_recipe(root)
    code, out, _ = grange.nightly(root)
    assert (code, "Inconclusive, the champion stays" in out) == (0, True)
    grange.lesson(root, grange.BETTER, dies=True)
    grange.another_recipe(root)
    code, out, err = grange.nightly(root)
    assert (code, out) == (4, "")
    assert "error: night 4 of words failed: train: " in err
    assert _champions(root) == champion
    last = _status(root).splitlines()[-1]
    assert last.startswith("3 nights, 0 promotions: 1 rejected, 1 inconclusive, 1 failed: train: ")


def test_a_server_that_is_never_ready_fails_the_night_by_name(tmp_path: Path) -> None:
    """And the next night, when it is mended, trains nothing again."""
    root = grange.grange(tmp_path)
    skill = json.loads((root / "skill.json").read_text())
    (root / "skill.json").write_text(json.dumps({**skill, "never_ready": True}))
    code, _, err = grange.nightly(root)
    assert code == 4
    assert "night 1 of words failed: before: " in err
    assert "no room for the weights" in err
    assert "1 night, 0 promotions: 1 failed: before: " in _status(root)
    (root / "skill.json").write_text(json.dumps(skill))
    code, out, _ = grange.nightly(root)
    assert (code, "night 2, words: Promote" in out, len(grange.log(root, "trained"))) == (0, True, 1)


def test_an_answer_that_is_missing_is_no_zero_but_a_failed_night(tmp_path: Path) -> None:
    """The seed's first mistake: nothing is judged, the champion stays, and only what is missing is asked again."""
    root = grange.grange(tmp_path)
    grange.lesson(root, grange.BETTER, fails=[1, 3])
    code, _, err = grange.nightly(root)
    assert code == 4
    assert "night 1 of words failed: gate: nothing was judged: " in err
    assert _champions(root) == ""


def test_two_arms_on_one_model_are_named(tmp_path: Path) -> None:
    """The seed's second mistake: a server that loads no adapter answers alike, and that is no verdict on the adapter."""
    root = grange.grange(tmp_path)
    skill = json.loads((root / "skill.json").read_text())
    (root / "skill.json").write_text(json.dumps({**skill, "ignores": True}))
    code, out, _ = grange.nightly(root)
    assert code == 0
    assert "Inconclusive: arms not shown different" in out
    assert _champions(root) == ""


_FAILURES: dict[str, tuple[int, str]] = {
    "not installed": (2, "train: there is no command 'no-such-trainer' to train with"),
    "dies": (4, "train: mlx_lm failed: out of memory"),
    "hangs": (3, "train: the time was up after 0.03 minutes"),
    "not a number": (4, "train: the loss became nan at iteration 12"),
    "no adapter": (4, "train: mlx_lm ended well, but it wrote no adapter_config.json"),
    "server dies": (4, "after: the server of 'tiny' ended in the middle: exit code 9"),
    "half of the answers": (4, "gate: nothing was judged: "),
    "no champion": (2, "before: the adapter of the champion of 'tiny' is gone: "),
}


@pytest.mark.parametrize("what", _FAILURES)
def test_what_fails_has_its_message_is_recorded_and_leaves_the_champion(tmp_path: Path, what: str) -> None:
    """A failed night is no verdict: champion, pointer and history are what they were, and the exit code says how."""
    root = grange.grange(tmp_path)
    assert grange.nightly(root)[0] == 0
    champion, rows = _champions(root), _history(root)
    grange.another_recipe(root)
    _break(root, what)
    code, out, err = grange.nightly(root, *(["--max-minutes", "0.03"] if what == "hangs" else []))
    expected, message = _FAILURES[what]
    assert (code, out) == (expected, ""), err
    assert f"error: night 2 of words failed: {message}" in err
    last = _status(root).splitlines()[-1]
    assert last.startswith(f"1 night, 0 promotions: 1 failed: {message}")
    assert (_champions(root), _history(root)) == (champion, rows)
    assert not (root / ".promptforge" / "quarantine").exists()


def _history(root: Path) -> str:
    words = [sys.executable, "-m", "promptforge", "-C", str(root), "champion", "history", "--format", "json"]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


def _break(root: Path, what: str) -> None:
    """Make the next night fail so."""
    lessons = {
        "dies": {"dies": True},
        "hangs": {"takes_s": 60},
        "not a number": {"nan": True},
        "no adapter": {"leaves_nothing": True},
        "server dies": {"dies_at": [20]},
        "half of the answers": {"fails": [*range(20, grange.CASES)]},
    }
    grange.lesson(root, grange.BETTER, **lessons.get(what, {}), name="next")
    recipe = root / "training" / "words.yaml"
    if what == "not installed":
        recipe.write_text(recipe.read_text().replace(f"{sys.executable} {root}/trainer.py", "no-such-trainer"))
    if what == "no champion":
        shutil.rmtree(root / ".promptforge" / "champions" / "tiny")


def test_a_night_whose_failure_cannot_be_written_down_still_says_it(tmp_path: Path) -> None:
    """A full disk: the failure is what counts, and the night is taken up again."""

    class Full(Journal):
        def end(self, night: Night, outcome: str, sentence: str, *, at: str) -> Night:
            raise WriteError("no room for the history")

    def full() -> str:
        raise WriteError("no room for the prompts")

    said: list[str] = []
    with Store(tmp_path / "h.db") as store:
        nothing: Any = None
        means = Means(build=full, rows=nothing, train=nothing, promote=nothing, reigns=nothing, is_there=nothing)
        with pytest.raises(NightError, match="night 1 of r failed: build: no room for the prompts") as caught:
            spend_night(Full(store), "r", "i", means, now=lambda: "2026-11-22T02:00:00+00:00", say=said.append)
        assert caught.value.problem.exit_code == WriteError.exit_code
        assert said == ["that this night failed is not written down: no room for the history"]
        (night,) = Journal(store).nights()
        assert (night.outcome, night.at) == ("", "build")


def test_of_several_suites_the_named_one_judges(tmp_path: Path) -> None:
    """Without a name the night says that there are several; another suite is another night."""
    root = grange.grange(tmp_path)
    other = (root / "suites" / "numbers.yaml").read_text().replace("suite: numbers", "suite: other")
    (root / "suites" / "other.yaml").write_text(other)
    code, _, err = grange.nightly(root)
    assert code == 2
    assert "before: the project has several suites: numbers, other" in err
    code, out, err = grange.nightly(root, "--suite", "other")
    assert (code, "night 2, words: Promote" in out) == (0, True), err
    assert "look 1 at this suite" in "".join(path.read_text() for path in (root / "build/reports").glob("promote-*.md"))


def test_rows_that_the_audit_refuses_are_not_trained(tmp_path: Path) -> None:
    """The night fails at `rows`, and says so."""
    root = grange.grange(tmp_path)
    recipe = root / "training" / "words.yaml"
    text = recipe.read_text().replace("identity: 0.25, infrastructure: 0.75", "identity: 0.76, infrastructure: 0.24")
    recipe.write_text(text.replace("limits: {identity: {max: 0.3}, jailbreak: {min: 0}, replay: {min: 0}}\n", ""))
    code, _, err = grange.nightly(root)
    assert code == 1
    assert "night 1 of words failed: rows: " in err
    assert grange.log(root, "trained") == []


def test_a_project_with_errors_fails_at_build(tmp_path: Path) -> None:
    """With the place of the first one."""
    root = grange.grange(tmp_path)
    (root / "knowledge" / "house.yaml").write_text("hosts: {mini: {role: [}}\n")
    code, _, err = grange.nightly(root)
    assert code == 2
    assert "night 1 of words failed: build: the project has" in err
    assert "errors, the first at agents/warden.yaml:11: no table 'ports'" in err


def test_a_project_without_a_recipe_is_told_how(tmp_path: Path) -> None:
    """No night is begun."""
    root = grange.grange(tmp_path)
    (root / "training" / "words.yaml").unlink()
    code, _, err = grange.nightly(root)
    assert (code, "there is no recipe that a night could train and judge" in err) == (2, True)
    assert _status(root) == "no night yet: promptforge nightly\n"


# --- killed, interrupted, two at once ---------------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
from promptforge.nightly.journal import Journal
kind, stage = sys.argv[1].split(":")
was = getattr(Journal, kind)
def dies(journal, night, words, *, at):
    night = was(journal, night, words, at=at)
    if night.at == stage:
        os.kill(os.getpid(), signal.SIGKILL)
    return night
setattr(Journal, kind, dies)
sys.argv = ["promptforge", "-C", sys.argv[2], "nightly"]
from promptforge.cli.main import main
main()
"""
_ENDS = ("leave:train", "leave:after", "leave:act")
_MOMENTS = [(moment, "better") for moment in (*(f"enter:{stage}" for stage in STAGES), *_ENDS)]
_MOMENTS += [("enter:act", "worse"), ("leave:act", "worse")]


@pytest.mark.heavy  # a dozen nights, each killed and gone on with: minutes
@pytest.mark.parametrize(("moment", "lesson"), _MOMENTS)
def test_a_killed_night_goes_on_and_comes_to_the_same_verdict(tmp_path: Path, moment: str, lesson: str) -> None:
    """Kill -9 at the start and at the end of every stage: one night, one training, one look, one verdict."""
    root = grange.grange(tmp_path)
    grange.lesson(root, grange.BETTER if lesson == "better" else grange.WORSE)
    killed = subprocess.run([sys.executable, "-c", _KILLED, moment, str(root)], capture_output=True, timeout=240)
    assert killed.returncode == -signal.SIGKILL
    code, out, err = grange.nightly(root)
    word = {"better": "Promote: ", "worse": "Reject: "}[lesson]
    assert out.startswith(f"night 1, words: {word}"), err
    assert code == (0 if lesson == "better" else 1)
    assert len(grange.log(root, "trained")) == 1
    asked = grange.log(root, "asked")
    assert len(asked) == len(set(asked)) == 2 * grange.CASES
    verdicts = [json.loads(path.read_text()) for path in (root / "build" / "reports").glob("promote-*.json")]
    assert [verdict["look"] for verdict in verdicts] == [1]
    assert bool(_champions(root)) == (lesson == "better")


def test_an_interrupt_stops_the_trainer_and_the_next_night_goes_on(tmp_path: Path) -> None:
    """Exit code 130; nothing half is left."""
    root = grange.grange(tmp_path)
    grange.lesson(root, grange.BETTER, takes_s=60)
    with grange.start(root) as process:
        _until(lambda: bool(grange.log(root, "trained")))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, "the next night goes on from here" in err) == (130, True)
    assert "cut short" in _status(root)
    assert not list((root / "build" / "adapters").glob("*"))
    grange.lesson(root, grange.BETTER)
    code, out, err = grange.nightly(root)
    assert (code, out.startswith("night 1, words: Promote")) == (0, True)
    assert "night 1 was cut short at 'train': it goes on from there" in err


def test_a_night_whose_inputs_changed_while_it_was_cut_short_is_another_one(tmp_path: Path) -> None:
    """What was cut short is kept in the journal, and counts as no night."""
    root = grange.grange(tmp_path)
    killed = subprocess.run([sys.executable, "-c", _KILLED, "enter:train", str(root)], capture_output=True, timeout=240)
    assert killed.returncode == -signal.SIGKILL
    grange.another_recipe(root)
    code, out, err = grange.nightly(root)
    assert (code, out.startswith("night 2, words: Promote")) == (0, True)
    assert "night 1 was cut short at 'train', and its inputs have changed since: a new one begins" in err
    assert "overtaken" in _status(root)


def test_two_nights_at_once_do_not_mix(tmp_path: Path) -> None:
    """The second one says who holds the project, and ends."""
    root = grange.grange(tmp_path)
    grange.lesson(root, grange.BETTER, takes_s=20)
    with grange.start(root) as first:
        _until(lambda: bool(grange.log(root, "trained")))
        code, _, err = grange.nightly(root)
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    assert (code, f"another night of this project runs: process {first.pid}" in err) == (2, True)


def _until(holds: Callable[[], bool], limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_the_champion_trained_again_is_no_promotion(tmp_path: Path) -> None:
    """`--again` after a promotion: the same adapter, which reigns already, is not judged against the one before."""
    root = grange.grange(tmp_path)
    assert grange.nightly(root)[0] == 0
    asked = grange.log(root, "asked")
    code, out, _ = grange.nightly(root, "--again")
    assert (code, out.startswith("night 2, words: it trained the champion of tiny again")) == (0, True)
    assert grange.log(root, "asked") == asked
    assert _status(root).rstrip().endswith("1 night, 0 promotions: 1 the champion again")


def test_a_promotion_that_was_rolled_back_is_said_to_be(tmp_path: Path) -> None:
    """Nothing has changed in the inputs; but what was promoted does not reign."""
    root = grange.grange(tmp_path)
    assert grange.nightly(root)[0] == 0
    back = [sys.executable, "-m", "promptforge", "-C", str(root), "champion", "rollback", "tiny"]
    assert subprocess.run(back, capture_output=True, timeout=60).returncode == 0
    code, out, _ = grange.nightly(root)
    assert code == 0
    assert "rolled back since: tiny is served with no adapter at all; to train and judge anew:" in out


def test_a_broken_configuration_is_said_and_no_night_begun(tmp_path: Path) -> None:
    """It hides the recipes; to say that there are none would be untrue."""
    root = grange.grange(tmp_path)
    place = root / "promptforge.yaml"
    place.write_text(place.read_text().replace("tier: local", "tier: lokal"))
    code, _, err = grange.nightly(root)
    assert code == 1
    assert "promptforge.yaml:" in err
    assert "no night was begun" in err


# --- notice -----------------------------------------------------------------------------------------------------------


def test_the_user_is_told_by_his_own_command(tmp_path: Path) -> None:
    """It reads the night on its standard input, and its facts in the environment."""
    script = "import os,sys; open('told.txt','w').write(os.environ['PROMPTFORGE_OUTCOME']+' '+sys.stdin.read())"
    (tmp_path / "tell.py").write_text(script)
    root = grange.grange(tmp_path, settings=f"notify: {sys.executable} tell.py\n")
    assert grange.nightly(root)[0] == 0
    assert (root / "told.txt").read_text().startswith("promote night 1, words: Promote: ")
    (root / "told.txt").unlink()
    assert grange.nightly(root)[0] == 0
    assert not (root / "told.txt").exists()


@pytest.mark.parametrize("who", ["trainer", "server"])
def test_a_notice_tells_nothing_private(tmp_path: Path, who: str) -> None:
    """What a trainer said last stays in its log, and private values are taken out of what a server said."""
    script = "import os,sys; open('told.txt','w').write(os.environ['PROMPTFORGE_SENTENCE']+sys.stdin.read())"
    (tmp_path / "tell.py").write_text(script)
    root = grange.grange(tmp_path, settings=f"notify: {sys.executable} tell.py\n")
    house = root / "knowledge" / "house.yaml"
    house.write_text(house.read_text().replace("service: Music}", "service: Music, sensitivity: private}"))
    if who == "trainer":
        grange.lesson(root, grange.BETTER, dies="bad row: 'Music is on Choir, port 4533.'")
    else:
        skill = json.loads((root / "skill.json").read_text())
        (root / "skill.json").write_text(json.dumps({**skill, "never_ready": "cannot read 'Choir', 4533"}))
    code, _, _ = grange.nightly(root)
    assert code == 4
    told = (root / "told.txt").read_text()
    assert "Choir" not in told
    assert "4533" not in told
    if who == "trainer":
        said = "train: mlx_lm exited with 1: its rows are private, so what it said is in its log alone"
        assert told.count(said) == 2
        (log,) = (root / "build" / "logs").iterdir()
        assert "4533" in log.read_text()
        assert f"what it said: {log}" in told
    else:
        assert "cannot read '▒▒▒', ▒▒▒" in told
        assert ".log has all that it said)" in told
    assert "Choir" not in _status(root) or who == "server"


def test_a_notice_that_fails_changes_no_verdict(tmp_path: Path) -> None:
    """It is said, and that is all."""
    root = grange.grange(tmp_path, settings=f"notify: {sys.executable} nobody.py\n")
    code, out, err = grange.nightly(root)
    assert (code, "Promote" in out) == (0, True)
    assert f"notify: {sys.executable} ended with 2: " in err


# --- rehearsal --------------------------------------------------------------------------------------------------------


def test_the_rehearsal_tells_a_winner_a_loser_and_a_tie_apart(tmp_path: Path) -> None:
    """Through real servers, and the project stays as it was."""
    root = grange.grange(tmp_path)
    before = sorted(path for path in root.rglob("*"))
    code, out, err = grange.nightly(root, "rehearse", "--format", "json")
    assert code == 0, err
    found = json.loads(out)
    assert {one["name"]: one["verdict"] for one in found["trials"]} == {
        "winner": "promote",
        "loser": "reject",
        "tie": "inconclusive",
    }
    assert (found["holds"], found["silent"], found["cases"]) == (True, 0, grange.CASES)
    assert sorted(path for path in root.rglob("*")) == before


_LEAVES = """
import os, subprocess, sys
words = [sys.executable, sys.argv[1], "--port", "0", "--answers", sys.argv[2], "--parent", str(os.getpid())]
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
print(subprocess.Popen(words, start_new_session=True, **quiet).pid, flush=True)
os._exit(0)
"""


def test_the_stand_in_of_a_killed_rehearsal_ends_by_itself(tmp_path: Path) -> None:
    """Its folder was a temporary one: no later run finds it there."""
    program = files("promptforge.data") / "rehearsal" / "standin.py"
    (tmp_path / "answers.json").write_text("{}")
    (tmp_path / "right.json").write_text('{"name": "nobody", "right": []}')
    words = [sys.executable, "-c", _LEAVES, str(program), str(tmp_path / "answers.json")]
    told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    started = process(int(told.stdout))
    _until(lambda: process(int(told.stdout)) is None or process(int(told.stdout)) != started)


def test_a_suite_that_is_too_small_to_show_a_winner_fails_the_rehearsal(tmp_path: Path) -> None:
    """Better to hear it before the nights are spent."""
    root = grange.grange(tmp_path)
    place = root / "suites" / "numbers.yaml"
    lines = place.read_text().splitlines(keepends=True)
    place.write_text("".join(lines[:9]))
    code, out, _ = grange.nightly(root, "rehearse")
    assert code == 1
    assert "FAILS  winner" in out
    assert "not to be trusted: mend the suite before a night is spent" in out


@pytest.mark.parametrize("kind", ["text", "json"])
def test_the_status_has_two_forms(tmp_path: Path, kind: str) -> None:
    """A promotion ends a streak."""
    root = grange.grange(tmp_path)
    assert grange.nightly(root, "--format", kind)[0] == 0
    _, out, _ = grange.nightly(root, "status", "--format", kind)
    if kind == "json":
        (night,) = json.loads(out)["recipes"]["words"]["nights"]
        assert [stage["name"] for stage in night["stages"]] == list(STAGES)
        assert night["outcome"] == "promote"
    else:
        assert out.splitlines()[0] == "words"


def test_pids_of_killed_nights_are_gone(tmp_path: Path) -> None:
    """The server that a killed night leaves is ended by the next one, and nothing else is."""
    root = grange.grange(tmp_path)
    subprocess.run([sys.executable, "-c", _KILLED, "enter:after", str(root)], capture_output=True, timeout=240)
    assert grange.nightly(root)[0] == 0
    left = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and _runs(entry, str(root))]
    assert left == []


def _runs(entry: Path, root: str) -> bool:
    try:
        words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return f"{root}/server.py" in words and int(entry.name) != os.getpid()
