"""weak_from: which categories are weak, what trains them, and that the held-out tier is never looked at."""

from dataclasses import replace

import pytest
from tests.dataset.lab import RECIPE, loaded, made

from promptforge.bench.record import plain_run
from promptforge.bench.results import Arm, CaseRecord, Reply, Run, Score
from promptforge.dataset.dataset import Dataset
from promptforge.errors import InputError
from promptforge.store import RunHead, Store

SUITE = """
suite: s
categories: [topology, family, manners]
cases:
  - {id: t1, category: topology, agents: [windu], ask: "Name the vault's number.", expect: {all: ["{{ one('ports', codename='Nice.').codename }}"]}}
  - {id: t2, category: topology, agents: [windu], ask: "The pulse of the nas?", expect: {all: ["{{ ports['nas:9100'].codename }}"]}}
  - {id: f1, category: family, agents: [windu], ask: "Whose is it?", expect: {all: ["{{ one('devices', mac='00:00:5E:00:53:42').owner }}"]}}
  - {id: f2, category: family, tier: heldout, agents: [windu], ask: "And that?", expect: {all: ["{{ one('devices', mac='00:00:5E:00:53:41').kind }}"]}}
  - {id: m1, category: manners, agents: [windu], ask: "Do you know the moon's port, perhaps?", expect: {abstain: true}}
"""
ARM = Arm(model="near", variant="enriched")
TEXT = RECIPE.replace("rows: 200", "rows: 240") + "weak_from: latest\n"


def run(scores: dict[str, float], *, arms: tuple[Arm, ...] = (ARM,), backend: str = "compatible") -> Run:
    """A run in which each case has its score, under every arm."""
    categories = {"t": "topology", "f": "family", "m": "manners"}
    cases = tuple(
        CaseRecord(
            id=name,
            category=categories[name[0]],
            tier="heldout" if name == "f2" else "gold",
            agents=("windu",),
            question="?",
            expected=(),
        )
        for name in scores
    )
    replies = tuple(
        Reply(arm=arm, case=name, agent="windu", repeat=0, state="answered", identity=name, score=Score(value=value))
        for arm in arms
        for name, value in scores.items()
    )
    return Run(
        id="20261122-1",
        suite="s",
        suite_digest="x",
        categories=("topology", "family", "manners"),
        started="2026-11-22T10:00:00Z",
        finished="2026-11-22T10:01:00Z",
        arms=arms,
        cases=cases,
        replies=replies,
        models={"near": {"backend": backend}, "far": {"backend": "anthropic"}, "reader": {"backend": "reader"}},
    )


def kept(store: Store, one: Run) -> None:
    store.put_run(
        RunHead(id=one.id, started=one.started, finished=one.finished, suite=one.suite, head={}), plain_run(one)
    )


def dataset(folder, one: Run | None, text: str = TEXT) -> Dataset:
    with Store(folder / "history.db") as store:
        if one is not None:
            kept(store, one)
        return made(folder, text, more={"history": store}, suites__s=SUITE)


def share(made_: Dataset, category: str) -> float:
    """Of a category of rows, the share that asks for a codename of a port."""
    seeds = [made_.stock.seeds[n] for n in made_.mixed.seeds]
    own = [seed for seed in seeds if seed.category == category]
    return sum(seed.column == "codename" for seed in own) / len(own)


def test_the_weakest_category_gets_the_larger_share_of_its_kind(tmp_path):
    """Rows that ask for what its cases ask for; the mix stays, and what was done is said."""
    plain = made(tmp_path, RECIPE.replace("rows: 200", "rows: 240"), suites__s=SUITE)
    weak = dataset(tmp_path, run({"t1": 0.2, "t2": 0.0, "f1": 0.9, "f2": 0.0, "m1": 1.0}))
    assert weak.account.kinds == plain.account.kinds
    assert share(weak, "forward") > 0.55 > 2 * share(plain, "forward")
    assert (
        "weak_from: run 20261122-1 (enriched · near), gold and extended cases: the weakest categories are topology 0.10; "
        "rows that ask for what their cases ask for get 60 % of their category of rows"
    ) in weak.account.notes


def test_the_held_out_tier_is_not_looked_at(tmp_path):
    """Family is bad there alone, and so is not weak; nor is what its held-out case asks for among what is trained."""
    one = dataset(tmp_path, run({"t1": 0.5, "t2": 0.5, "f1": 1.0, "f2": 0.0, "m1": 1.0}))
    assert one.stock.weak.categories == {"topology"}
    one = dataset(tmp_path, run({"t1": 1.0, "t2": 1.0, "f1": 0.0, "f2": 1.0, "m1": 1.0}))
    assert one.stock.weak.categories == {"family"}
    assert one.stock.weak.places == {("devices", "owner")}


def test_not_knowing_is_trained_by_rows_of_the_unknown(tmp_path):
    """A category whose cases ask for "I don't know" has no facts to ask for."""
    one = dataset(tmp_path, run({"t1": 1.0, "t2": 1.0, "f1": 1.0, "f2": 1.0, "m1": 0.0}))
    assert one.stock.weak.kinds == {"unknown"}


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (None, "weak_from: there is no run yet, so nothing was moved; make one: promptforge bench"),
        (run({"t1": 1.0, "m1": 1.0}), "weak_from: no category of run 20261122-1 (enriched · near) fell short, so nothing was moved"),
        (run({"t1": 0.0}, arms=(Arm(model="reader", variant="enriched"),)), "weak_from: no model answered in run 20261122-1 (the reader is none), so nothing was moved"),
        (replace(run({"t1": 0.0}), suite="other"), "weak_from: run 20261122-1 is of suite 'other', which is not here (s); nothing was moved"),
        (run({"t1": 0.0, "m1": 1.0}, arms=(Arm(model="far", variant="base"),)), "weak_from: run 20261122-1 has no answers of near; base · far stands for it"),
    ],
)  # fmt: skip
def test_what_could_not_be_taken_into_account_is_said(tmp_path, one, said):
    """Never silently."""
    assert said in dataset(tmp_path, one).account.notes


def test_a_run_that_is_named_must_be_there(tmp_path):
    """`latest` may be none; a name may not."""
    with pytest.raises(InputError, match="weak_from: there is no run 'abc'"):
        dataset(tmp_path, None, TEXT.replace("latest", "abc"))
    with pytest.raises(InputError, match="no run 'abc'"):
        dataset(tmp_path, run({"t1": 0.0}), TEXT.replace("latest", "abc"))


def test_the_suites_of_the_house_are_read(tmp_path):
    """The cases above are sound."""
    _, suites, _ = loaded(tmp_path, suites__s=SUITE)
    assert [case.id for case in suites.suites["s"].cases] == ["t1", "t2", "f1", "f2", "m1"]
