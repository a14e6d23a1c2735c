"""The tournament itself, with real servers: near candidates, several trainings, and what a kill leaves."""

import datetime
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from promote.lodge import BASE, CASES, adapter, asked, lodge, write
from promptforge import promote as module
from promptforge.backends.server import serve
from promptforge.bench.run import Limits
from promptforge.compiler.build import compile_project
from promptforge.compiler.load import read_project
from promptforge.promote import Promotion, Wanted, candidate, promote
from promptforge.store import Store
from promptforge.workbench.champions import champion_of
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
        wanted = Wanted(what=str(what), draws=2000, limits=more.pop("limits", Limits()))

        def start(model, adapter):
            return start_server(model, folder=root, adapter=adapter, environment=os.environ, stop=stop, patience_s=60)

        with Store(root / ".promptforge/history.db") as store:
            who = candidate(root, revision, wanted, store)
            say = told.append if told is not None else str
            return promote(who, wanted, store, os.environ, serve=start, stop=stop, say=say, **more)

    return run


def trainer(root: Path, *knows: list[int]) -> tuple[Callable[[str, int], Path], list[tuple[str, int]]]:
    """What trains again: its n-th adapter knows that much; and what it was asked for."""
    seen: list[tuple[str, int]] = []

    def retrain(recipe: str, seed: int) -> Path:
        seen.append((recipe, seed))
        return adapter(root, f"words-{seed}", knows[len(seen) - 1], seed=seed)

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
    assert found.champion.folder.name == module.read_adapter(root / "build/adapters/words-7").digest[:16]
    assert len(found.page.runs) == 4


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
