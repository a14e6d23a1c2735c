"""Train, valid and test: sizes, strata, groups."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dataset.lab import RECIPE, made

from promptforge.dataset.mix import Mixed
from promptforge.dataset.rows import SPLITS, Recipe, Trainer
from promptforge.dataset.split import split
from promptforge.dataset.ties import Ties
from strategies import tries

KINDS = (("infrastructure", "forward"), ("identity", "persona"), ("replay", "general"))


def recipe(**more) -> Recipe:
    values = {
        "name": "r",
        "file": "r",
        "agents": ("a",),
        "model": "m",
        "system": "base",
        "rows": 1,
        "mix": {},
        "limits": {},
    }
    return Recipe(**{**values, **more})


def mixed(rows: list[tuple[int, tuple[str, ...]]]) -> Mixed:
    """Rows by the number of their stratum and their facts."""
    taken = Mixed(total=len(rows), ties=Ties(small=10**6, most=10**6))
    for stratum, facts in rows:
        taken.add(0, 0, KINDS[stratum], facts)
    return taken


def sizes(one: Mixed, asked: Recipe) -> dict[str, int]:
    sides = split(asked, one)
    return {side: len(sides.rows(side)) for side in SPLITS}


def test_rows_without_facts_are_split_exactly_and_each_stratum_alike():
    """5 % and 5 % of 1000, of each kind its part."""
    one = mixed([(n % 3, ()) for n in range(1000)])
    sides = split(recipe(valid=0.05, test=0.1), one)
    assert sides.notes == ()
    for side, size in (("train", 850), ("valid", 50), ("test", 100)):
        rows = sides.rows(side)
        assert len(rows) == size
        strata = Counter(one.strata[at] for at in rows)
        assert all(abs(strata[stratum] - size / 3) < 1.5 for stratum in range(3))


def test_a_side_has_no_fewer_rows_than_the_trainer_takes_at_once():
    """And it is said; a side that is not wanted stays empty."""
    one = mixed([(0, ())] * 60)
    sides = split(recipe(valid=0.02, test=0.0, trainer=Trainer(settings={"batch_size": 8})), one)
    assert [len(sides.rows(side)) for side in SPLITS] == [52, 8, 0]
    assert sides.notes == ("valid has 8 rows, not 1: a trainer takes 8 at once",)


def test_a_group_that_is_too_large_is_trained_on():
    """What is left outside fills the other sides; where nothing is, they stay short, and it is said."""
    tied = [(0, ("a", "b"))] * 60 + [(0, ("b", "c"))] * 20
    assert sizes(mixed([*tied, *[(1, ())] * 20]), recipe(valid=0.1, test=0.1)) == {"train": 80, "valid": 10, "test": 10}
    sides = split(recipe(valid=0.1, test=0.1), mixed([*tied, *[(1, ())] * 15]))
    assert len(sides.rows("valid")) + len(sides.rows("test")) == 15
    assert sides.notes == (
        "valid has no row of infrastructure: rows that share a fact stay together, and no such group fits",
        "test has 5 rows rather than 9: rows that share a fact stay together",
        "test has no row of infrastructure: rows that share a fact stay together, and no such group fits",
    )


def test_each_side_has_rows_of_each_kind_where_there_are_some_that_can_be_parted():
    """By kind first: 48 rows of many categories are not lost in rounding, each category having too few for a row."""
    one = mixed([(0, (f"fact {n // 3}",)) for n in range(108)])
    for n in range(48):
        one.add(0, 0, ("replay", f"topic {n % 16}"), ())
    for n in range(12):
        one.add(0, 0, ("domain", "example"), (f"fact {n % 6}", "much") if n < 6 else (f"alone {n}",))
    for n in range(24):
        one.add(0, 0, ("jailbreak", "refusal" if n % 2 else "benign"), ())
    sides = split(recipe(valid=0.05, test=0.1), one)
    for side, share in (("valid", 0.05), ("test", 0.1)):
        kinds = Counter(one.names[one.strata[at]][0] for at in sides.rows(side))
        for kind, count in (("infrastructure", 108), ("replay", 48), ("domain", 12), ("jailbreak", 24)):
            assert kinds[kind] > 0
            assert abs(kinds[kind] - count * share) < 2, (side, kinds)
    assert sides.notes == ()


def test_what_a_side_cannot_have_is_said():
    """All rows of one kind hang together with most of the others."""
    tied = [(0, ("a",))] * 50 + [(1, ("a",))] * 10
    sides = split(recipe(valid=0.1, test=0.0), mixed([*tied, *[(0, (f"b{n}",)) for n in range(40)]]))
    assert sides.notes == (
        "valid has no row of identity: rows that share a fact stay together, and no such group fits",
    )


@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.sampled_from("abcdefghijklmnop"), max_size=3)), min_size=12, max_size=80),
       st.integers(0, 3))  # fmt: skip
@tries(150)
def test_whatever_the_ties_no_fact_is_on_two_sides(rows, seed):
    """Also through rows that join other facts; and the same seed gives the same sides."""
    one = mixed([(stratum, tuple(dict.fromkeys(facts))) for stratum, facts in rows])
    asked = recipe(valid=0.2, test=0.1, seed=seed)
    sides = split(asked, one)
    where: dict[str, set[int]] = {}
    for at, (_, facts) in enumerate(rows):
        for fact in facts:
            where.setdefault(fact, set()).add(sides.of_row[at])
    assert all(len(found) == 1 for found in where.values())
    assert split(asked, one).of_row == sides.of_row


def test_another_seed_is_another_split():
    """Of rows that are free to go anywhere."""
    one = mixed([(0, ())] * 200)
    assert split(recipe(seed=1), one).of_row != split(recipe(seed=2), one).of_row


def test_ties_leave_enough_outside_of_large_groups():
    """A row that would join two groups is only taken while large groups stay under their bound."""
    ties = Ties(small=3, most=6)
    for fact in ("a", "b", "c", "d"):
        for _ in range(2):
            ties.add([fact])
    assert ties.may_tie(["a", "b"])
    ties.add(["a", "b"])  # a group of five: large
    assert not ties.may_tie(["a", "c"])  # eight would be too many
    assert ties.may_tie(["a", "b"])
    assert not ties.may_tie(["c", "d"])  # five beside five
    assert ties.may_tie(["c"])


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_the_sides_of_a_real_recipe_are_as_large_as_asked(tmp_path, share):
    """Twins and hops tie facts together, and still each side has its rows."""
    text = RECIPE + f"split: {{valid: {share}, test: {share}}}\n"
    account = made(tmp_path, text).account
    assert account.sides == {"train": 200 - 2 * round(200 * share), "valid": 200 * share, "test": 200 * share}
    assert sum(account.sides_by_kind.values()) == 200
