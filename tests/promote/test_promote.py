"""The tournament itself, with real servers: near candidates, several trainings, and what a kill leaves."""

import datetime
import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from promote.lodge import BASE, CASES, adapter, asked, lodge, skill, write
from promptforge import promote as module
from promptforge.backends.server import serve
from promptforge.bench.run import Limits
from promptforge.compiler.build import compile_project
from promptforge.compiler.load import read_project
from promptforge.errors import BusyError, InputError
from promptforge.promote import Promotion, promote
from promptforge.store import Store
from promptforge.workbench.adapters import Adapter, latest_of, read_adapter
from promptforge.workbench.candidates import Wanted, candidate
from promptforge.workbench.champions import champion_of, crown
from promptforge.workbench.finding import read
from promptforge.workbench.quarantine import held
from promptforge.workbench.scope import Revision
from promptforge.workbench.suites import load_suites

start_server = serve
"""What starts a server; a test may put a worse one in its place."""
NEAR = [*BASE, *range(1, 12, 2)]
"""Six more than the untrained model: p is 0.031 two-sided, and the first look asks for 0.025."""
RECIPE = "recipe: words\nagents: [warden]\nmodel: tiny\nrows: 100\nmix: {identity: 1}\nseeds: 3\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = lodge(tmp_path / "lodge")
    write(made / "training/words.yaml", RECIPE)
    return made


@pytest.fixture
def tournament(root: Path) -> Callable[..., Promotion]:
    """Judge an adapter; `told` hears what is said on the way."""

    def run(
        what: Path, *, told: list[str] | None = None, stop: threading.Event | None = None, **more: Any
    ) -> Promotion:
        build = compile_project(read_project(root), today=datetime.date(2026, 11, 22))
        revision = Revision(name="", build=build, suites=load_suites(build))
        stop = stop or threading.Event()
        wanted = Wanted(
            what=str(what), draws=2000, limits=more.pop("limits", Limits()), delete=more.pop("delete", False)
        )

        def start(model, adapter):
            return start_server(model, folder=root, adapter=adapter, environment=os.environ, stop=stop, patience_s=60)

        with Store(root / ".promptforge/history.db") as store:
            who = candidate(root, revision, wanted, store, os.environ)
            say = told.append if told is not None else str
            return promote(who, wanted, store, os.environ, serve=start, stop=stop, say=say, **more)

    return run


def trainer(
    root: Path, *knows: list[int], **manifest: object
) -> tuple[Callable[[Adapter, int], Path], list[tuple[str, int]]]:
    """What trains again: its n-th adapter knows that much; and what it was asked for."""
    seen: list[tuple[str, int]] = []

    def retrain(first: Adapter, seed: int) -> Path:
        seen.append((first.recipe, seed))
        return adapter(root, f"words-{seed}", knows[len(seen) - 1], seed=seed, further=True, **manifest)

    return retrain, seen


def test_a_near_candidate_is_trained_again_and_promoted_where_all_agree(root, tournament):
    """Three trainings that gain alike: the pooled cases show at the second look what one did not at the first."""
    more = [*BASE, *range(1, 20, 2)]
    retrain, seen = trainer(root, more, more)
    told: list[str] = []
    found = tournament(adapter(root, "words-7", NEAR), retrain=retrain, told=told)
    assert seen == [("words", 8), ("words", 9)]
    assert any("Training again with 2 other seeds." in text for text in told)
    assert found.page.verdict.verdict == "promote"
    assert found.page.verdict.look == 2
    steady = next(one for one in found.page.verdict.conditions if one.name == "spread over seeds")
    assert steady.words == "over several trainings the score varies by 0.067, and the gain is +0.144"
    assert found.champion.folder.name == read_adapter(root / "build/adapters/words-7").digest[:16]
    assert len(found.page.runs) == 4


def test_each_training_stands_in_the_verdict_with_its_own_estimate(root, tournament):
    """On the page, in the table and for programs: seed, adapter, difference and interval, and the spread of them."""
    retrain, _ = trainer(root, [*BASE, *range(1, 20, 2)], [*BASE, *range(1, 16, 2)])
    found = tournament(adapter(root, "words-7", NEAR), retrain=retrain)
    told = json.loads(next(path for path in found.written if path.suffix == ".json").read_text())
    assert [one["seed"] for one in told["trainings"]] == [7, 8, 9]
    assert [Path(one["adapter"]).name for one in told["trainings"]] == ["words-7", "words-8", "words-9"]
    assert [round(one["effect"]["estimate"], 3) for one in told["trainings"]] == [0.1, 0.167, 0.133]
    assert all(one["effect"]["low"] < one["effect"]["estimate"] < one["effect"]["high"] for one in told["trainings"])
    assert round(told["spread"], 3) == 0.067
    assert round(told["overall"]["estimate"], 3) == 0.133  # the mean of the three is what is judged
    steady = next(one for one in told["conditions"] if one["name"] == "spread over seeds")
    assert round(steady["numbers"]["spread"], 3) == 0.067
    for path in found.written:
        if path.suffix != ".json":
            assert "OVERALL, training 2 alone, seed 8" in path.read_text()
            assert "+0.167" in path.read_text()


def test_one_training_has_no_spread(root, tournament):
    """And no row of its own: it is the verdict's."""
    found = tournament(adapter(root, "winner", range(CASES)))
    told = json.loads(next(path for path in found.written if path.suffix == ".json").read_text())
    assert (told["trainings"], told["spread"]) == ([], None)


def test_a_further_training_of_other_rows_is_refused(root, tournament):
    """The knowledge changed meanwhile: three trainings of different rows are not one candidate. Nothing is acted on."""
    retrain, _ = trainer(root, NEAR, NEAR, data="other rows")
    with pytest.raises(InputError, match="'words-8' is no further training of 'words-7': its rows differ") as caught:
        tournament(adapter(root, "words-7", NEAR, data="these rows"), retrain=retrain)
    assert caught.value.hint == "train it anew, and judge that: promptforge train words"
    assert (root / "build/adapters/words-7").exists()
    assert held(root) == ()


def test_who_judges_at_the_same_time_takes_the_next_look(root, tournament, monkeypatch):
    """Another process counts a look between the question which one it is and its counting: the verdict is of the next."""
    asked_for = Store.look

    def overtaken(store: Store, suite: str, digest: str, evidence: str) -> int:
        number = asked_for(store, suite, digest, evidence)
        with Store(store.path) as other:
            other.put_look(suite, digest, "somebody else's", at="2026-11-22")
        return number

    monkeypatch.setattr(Store, "look", overtaken)
    verdict = tournament(adapter(root, "winner", range(CASES))).page.verdict
    assert verdict.look == 2
    assert round(verdict.alpha, 4) == 0.0083
    with Store(root / ".promptforge/history.db") as store:
        assert [line for line in store.export_lines() if '"looks"' in line and ", 1, " in line]


def test_a_run_keeps_what_its_server_said_to_the_canaries(root, tournament):
    """And which process it was: whoever doubts a verdict can look."""
    found = tournament(adapter(root, "winner", range(CASES)))
    with Store(root / ".promptforge/history.db") as store:
        seen = [read(store, run).environment for run in found.page.runs]
    assert [one["arm"] for one in seen] == ["the untrained model", "the candidate"]
    assert seen[0]["canary 1"] == "Who are you? → I am nobody, and you asked: Who are you?"
    assert seen[1]["canary 1"] == "Who are you? → I am winner, and you asked: Who are you?"
    assert len([name for name in seen[0] if name.startswith("canary")]) == 5
    assert seen[0]["server"].startswith("process ")
    assert seen[0]["server"] != seen[1]["server"]


def test_the_judge_of_a_suite_is_not_needed_for_a_gate(root, tournament):
    """It goes by scores: rubrics or not, nobody knocks at the judge's door."""
    suite = (root / "suites/numbers.yaml").read_text()
    rubric = "expect: {all: [word-0]}, judge: Is it said kindly?}"
    write(root / "suites/numbers.yaml", suite.replace("expect: {all: [word-0]}}", rubric))
    with socket.create_server(("127.0.0.1", 0)) as door:
        where = f"base_url: http://127.0.0.1:{door.getsockname()[1]}/v1"
        sage = f"  sage: {{backend: compatible, {where}, model: sage, tier: local}}\n"
        config = (root / "promptforge.yaml").read_text().replace("models:\n", f"judge: sage\nmodels:\n{sage}", 1)
        write(root / "promptforge.yaml", config)
        assert tournament(adapter(root, "winner", range(CASES))).page.verdict.verdict == "promote"
        door.setblocking(False)
        with pytest.raises(BlockingIOError):
            door.accept()


def test_a_candidate_whose_seeds_differ_by_more_than_its_gain_is_refused(root, tournament):
    """What was near was luck."""
    retrain, _ = trainer(root, [*BASE], [*BASE][:24])
    found = tournament(adapter(root, "words-7", NEAR), retrain=retrain)
    assert found.page.verdict.verdict == "reject"
    assert "over several trainings the score varies by 0.200" in found.page.verdict.sentence
    assert not (root / "build/adapters/words-7").exists()


@pytest.mark.parametrize("knows", [range(CASES), [n for n in BASE if n >= 30]], ids=["winner", "loser"])
def test_who_is_not_near_is_not_trained_again(root, tournament, knows):
    """A verdict is a verdict."""
    retrain, seen = trainer(root)
    tournament(adapter(root, "words-7", knows), retrain=retrain)
    assert seen == []


def test_both_arms_on_one_server_is_found_out(root, tournament, monkeypatch):
    """The seed's bug, injected: the old server is not ended, and answers for the candidate, too."""
    folder = adapter(root, "winner", range(CASES))
    running = []

    @contextmanager
    def never_ended(model, **settings):
        if not running:
            running.append(lasting.enter_context(serve(model, **{**settings, "adapter": None})))
        yield running[0]

    monkeypatch.setitem(globals(), "start_server", never_ended)
    with ExitStack() as lasting:
        verdict = tournament(folder).page.verdict
    assert verdict.verdict == "inconclusive"
    assert not verdict.judged
    assert "both arms on one server: process" in verdict.sentence
    assert "answered for the untrained model and for the candidate" in verdict.sentence


def test_an_interrupt_keeps_what_was_answered_and_judges_nothing(root, tournament):
    """The arms after it are not asked."""
    skill(root / "server", "nobody", BASE, takes_s=0.02)  # a loaded machine must not be late
    stop = threading.Event()
    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)

    watcher = threading.Thread(target=_stop_after, args=(root, 10, stop))
    watcher.start()
    found = tournament(adapter(root, "winner", range(CASES)), stop=stop, told=told)
    watcher.join(60)
    assert found.page is None
    assert found.stopped == "interrupted"
    assert told == ["the untrained model: starting its server"]
    assert 10 <= len(asked(root)) < CASES
    assert tournament(root / "build/adapters/winner").page.verdict.verdict == "promote"
    assert len(asked(root)) <= 2 * CASES + 1


def test_an_interrupt_while_a_server_starts_is_an_interrupt(root, tournament):
    """And no failure of the server."""
    stop = threading.Event()
    stop.set()
    found = tournament(adapter(root, "winner", range(CASES)), stop=stop)
    assert (found.page, found.stopped) == (None, "interrupted")
    assert not asked(root)


def _stop_after(root: Path, count: int, stop: threading.Event) -> None:
    waiting = threading.Event()
    for _ in range(6000):
        if len(asked(root)) >= count:
            break
        waiting.wait(0.01)
    stop.set()


def test_an_interrupt_while_it_is_judged_begins_no_training(root, tournament):
    """What is near is trained again by the next call."""
    stop = threading.Event()
    retrain, seen = trainer(root)
    found = tournament(
        adapter(root, "words-7", NEAR), retrain=retrain, stop=stop, entered=lambda stage: stage == "gate" and stop.set()
    )
    assert (found.page, found.stopped, seen) == (None, "interrupted", [])


def test_a_budget_of_time_stops_it_too(root, tournament):
    """With its reason."""
    found = tournament(adapter(root, "winner", range(CASES)), limits=Limits(seconds=0))
    assert found.page is None
    assert found.stopped == "the time budget of 0 s is used up"


@pytest.mark.parametrize("step", ["crown", "_write"])
def test_a_kill_between_verdict_and_act_or_report_is_made_good(root, tournament, monkeypatch, step):
    """The same command finds the same verdict, acts once, and writes the report."""
    folder = adapter(root, "winner", range(CASES))
    with monkeypatch.context() as patched:
        patched.setattr(module, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            tournament(folder)
    found = tournament(folder)
    assert found.page.verdict.verdict == "promote"
    assert found.page.verdict.look == 1
    assert found.champion.number == 1
    assert all(path.exists() for path in found.written)
    with Store(root / ".promptforge/history.db") as store:
        assert len(store.crownings()) == 1
        assert champion_of(store, root, "tiny") == found.champion
    assert len(asked(root)) == 2 * CASES


def _killed(*_, **__):
    raise KeyboardInterrupt


def test_a_quarantine_whose_time_is_over_ends_with_the_next_promotion(root, tournament):
    """And is told."""
    tournament(adapter(root, "loser", [n for n in BASE if n >= 30]))
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=15)
    found = tournament(adapter(root, "winner", range(CASES)), now=lambda: later.isoformat(timespec="milliseconds"))
    assert [name.partition("-")[0] for name in found.released] == ["loser"]


# --- what happens beside it -------------------------------------------------------------------------------------------


def test_the_trainings_of_a_near_candidate_do_not_take_its_place(root, tournament):
    """The recipe's latest adapter is still the one that is judged: a kill later on changes neither who nor the look."""
    made = adapter(root, "words-7", NEAR)
    retrain, _ = trainer(root, NEAR, NEAR)
    found = tournament(made, retrain=retrain)
    assert found.page.verdict.verdict == "inconclusive"
    assert latest_of(root, "words") == made


def test_a_rejected_candidate_takes_its_other_trainings_along(root, tournament):
    """They are the same recipe's, and were judged with it: none is left to be tried alone."""
    retrain, _ = trainer(root, [*BASE], [*BASE][:24])
    tournament(adapter(root, "words-7", NEAR), retrain=retrain)
    assert [*(root / "build/adapters").iterdir()] == []
    (one,) = held(root)
    assert one.name.rpartition("-")[0] == "words-7"
    assert sorted(path.name.rpartition("-")[0] for path in one.folder.glob("others/*")) == ["words-8", "words-9"]
    assert len(list(one.folder.glob("others/*/adapter/adapters.safetensors"))) == 2
    assert latest_of(root, "words") is None


def test_nobody_is_crowned_where_the_champion_changed_meanwhile(root, tournament):
    """It was held against another one. The same command then judges it against who is champion now."""
    winner = adapter(root, "winner", range(CASES))

    def crowned(stage: str) -> None:
        if stage == "gate":
            with Store(root / ".promptforge/history.db") as store:
                crown(store, root, "tiny", read_adapter(adapter(root, "other", [1])), why="", run="", at="2026-11-22")

    with pytest.raises(BusyError, match="the champion of 'tiny' changed while 'winner' was judged") as caught:
        tournament(winner, entered=crowned)
    assert caught.value.hint == "run the same command again: only what is missing is asked"
    found = tournament(winner)
    assert found.page.verdict.verdict == "promote"
    assert found.page.about["against"].startswith("champion 1, ")


def test_a_champion_whose_server_loads_no_adapter_is_found_out(root, tournament, monkeypatch):
    """It would be the untrained model under another name, and easily beaten."""
    tournament(adapter(root, "winner", range(CASES)))
    bare = root / "server"

    def without_champions(model, *, adapter, **settings):
        kept = adapter is not None and "champions" in adapter.parts
        return serve(model, adapter=bare if kept else adapter, **settings)

    monkeypatch.setitem(globals(), "start_server", without_champions)
    verdict = tournament(adapter(root, "next", [*range(50)])).page.verdict
    assert not verdict.judged
    assert "the champion and the untrained model answer the canary requests alike" in verdict.sentence


def test_what_a_server_complains_of_tells_no_private_value(root, tournament):
    """Its words go to a page that others read, and to whoever is told of the night."""
    write(
        root / "knowledge/devices.yaml",
        "devices:\n  - {name: Mara's laptop, mac: 00:00:5E:00:53:21, sensitivity: private}\n",
    )
    made = adapter(root, "winner", range(CASES))
    told = {"name": "winner", "knows": [*range(CASES)], "fails": [3], "complains": "cannot read 0000.5e00.5321"}
    write(made / "skill.json", json.dumps(told))
    found = tournament(made)
    assert not found.page.verdict.judged
    assert "cannot read ▒▒▒" in found.page.verdict.sentence
    assert "5e00" not in "".join(path.read_text() for path in found.written)


def test_what_is_deleted_at_once_leaves_its_verdict_whenever_we_are_killed(root, tournament, monkeypatch):
    """Its evidence goes with it: before that the report is there, and says what is done."""
    with monkeypatch.context() as patched:
        patched.setattr(module, "discard", _killed)
        with pytest.raises(KeyboardInterrupt):
            tournament(adapter(root, "loser", [n for n in BASE if n >= 30]), delete=True)
    (report,) = (root / "build/reports").glob("*.json")
    told = json.loads(report.read_text())
    assert (told["verdict"], told["done"]) == (
        "reject",
        "the adapter is deleted; the verdict is kept in build/reports",
    )
    assert tournament(root / "build/adapters/loser", delete=True).page.done == told["done"]
    assert held(root) == ()


def test_what_lies_in_quarantine_is_judged_once_more_and_stays_there(root, tournament):
    """Its recipe's name still means it: never the adapter before it, and its further trainings are not trained anew."""
    adapter(root, "words-6", BASE)
    retrain, seen = trainer(root, [*BASE], [*BASE][:24])
    tournament(adapter(root, "words-7", NEAR), retrain=retrain)
    found = tournament("words", retrain=retrain)
    assert found.page.verdict.verdict == "reject"
    assert found.page.verdict.look == 2
    assert found.page.done.startswith("the adapter is in quarantine, .promptforge/quarantine/words-7-")
    assert len(seen) == 2
    assert len(asked(root)) == 4 * CASES
    assert len(held(root)) == 1
    gone = tournament("words", retrain=retrain, delete=True)
    assert gone.page.done == "the adapter is deleted; the verdict is kept in build/reports"
    assert held(root) == ()
    assert (root / "build/adapters/words-6").exists()


def test_other_weights_under_the_same_name_inherit_no_answer(root, tournament):
    """A GGUF file that was replaced: what the old model said is nothing against a candidate on the new one."""
    config = (root / "promptforge.yaml").read_text()
    write(root / "promptforge.yaml", config.replace("--port {port}", "--port {port} --weights server/tiny.gguf"))
    program = (root / "server/model_server.py").read_text()
    option = 'parser.add_argument("--weights")\n    chosen = parser'
    write(root / "server/model_server.py", program.replace("chosen = parser", option))
    (root / "server/tiny.gguf").write_bytes(b"old")
    winner = adapter(root, "winner", range(CASES))
    for weights, times in ((b"old", 1), (b"old", 1), (b"new", 2)):
        (root / "server/tiny.gguf").write_bytes(weights)
        tournament(winner)
        assert len(asked(root)) == times * 2 * CASES


def test_who_is_judged_from_quarantine_is_not_deleted_meanwhile(root, tournament):
    """Its time may be over: it is judged once more, and goes with the next promotion."""
    loser = adapter(root, "loser", [n for n in BASE if n >= 30])
    tournament(loser)
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=15)
    found = tournament(loser, now=lambda: later.isoformat(timespec="milliseconds"))
    assert found.page.verdict.verdict == "reject"
    assert found.released == ()
    assert len(held(root)) == 1
