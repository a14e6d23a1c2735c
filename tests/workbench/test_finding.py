"""Which run is meant where nobody names one."""

import pytest

from promptforge.errors import InputError
from promptforge.store import RunHead, Store
from promptforge.workbench.finding import latest_bench

OURS = {"arms": ["base · near", "enriched · near"], "states": {"answered": 2}}


def keep(store: Store, id_: str, head: dict[str, object], *, finished: str = "") -> None:
    """A run of the list of runs."""
    store.put_run(RunHead(id=id_, started=f"2026-11-{id_}", finished=finished, suite="house", head=head), {})


def test_a_run_that_was_killed_hides_no_other(tmp_path):
    """It is in the list, and holds nothing; one that was cut short holds what was answered."""
    with Store(tmp_path / "history.db") as store:
        keep(store, "10", OURS, finished="2026-11-10")
        keep(store, "11", {"arms": OURS["arms"], "stopped": "it did not end"})
        assert latest_bench(store) == "10"
        keep(store, "12", {**OURS, "stopped": "interrupted"})
        assert latest_bench(store) == "12"


def test_an_arm_of_a_tournament_is_not_what_one_means(tmp_path):
    """But where there is nothing else it is taken."""
    with Store(tmp_path / "history.db") as store:
        with pytest.raises(InputError, match="no run yet"):
            latest_bench(store)
        keep(store, "12", {"arms": ["enriched · near · champion"], "states": {"answered": 1}}, finished="x")
        assert latest_bench(store) == "12"
        keep(store, "10", OURS, finished="x")
        assert latest_bench(store) == "10"


def test_one_that_was_killed_is_better_than_none(tmp_path):
    """It can say why there is nothing in it."""
    with Store(tmp_path / "history.db") as store:
        keep(store, "10", {"arms": OURS["arms"], "stopped": "it did not end"})
        assert latest_bench(store) == "10"
