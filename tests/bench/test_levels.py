"""Single arms, against statsmodels and by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from promptforge.bench.levels import Mark, category_levels, effective_size, overall_level, wilson
from strategies import tries


def marks(values, *, category="only", clusters=None):
    """Marks of one category, by default each case its own cluster."""
    named = clusters or [f"{category} {at}" for at in range(len(values))]
    return [Mark(category=category, cluster=str(c), value=v) for v, c in zip(values, named, strict=True)]


@pytest.mark.parametrize(
    ("right", "cases", "low", "high"),
    [(28, 40, 0.546, 0.819), (31, 40, 0.625, 0.877), (5, 5, 0.566, 1), (4, 5, 0.376, 0.964), (0, 5, 0, 0.434)],
)
def test_wilson_of_the_field(right, cases, low, high):
    """The numbers that the domain notes give."""
    assert wilson(right / cases, cases) == pytest.approx((low, high), abs=0.0006)


@tries(200)
@given(st.floats(0, 1), st.floats(0.5, 5000), st.sampled_from([0.05, 0.01, 0.2]))
def test_wilson_agrees_with_statsmodels(mean, size, alpha):
    """Also for sizes that are no whole numbers, as clusters make them."""
    expected = proportion_confint(mean * size, size, alpha=alpha, method="wilson")
    assert wilson(mean, size, alpha=alpha) == pytest.approx(expected, abs=1e-9)


@tries(100)
@given(st.lists(st.integers(1, 50), min_size=1))
def test_the_effective_size_lies_between_one_and_the_number_of_cases(sizes):
    """And is the number of clusters where these are equal."""
    found = effective_size(sizes)
    assert 1 - 1e-9 <= found <= len(sizes) + 1e-9
    assert effective_size([sizes[0]] * 4) == pytest.approx(4)


def test_a_category_counts_its_clusters_and_not_its_cases():
    """Four questions on one fact are one observation."""
    level = category_levels(marks([1, 1, 0, 1, 0.5], clusters="xxxxy"))["only"]
    assert (level.value, level.cases, level.full) == (0.7, 5, 3)
    assert level.effective == pytest.approx(25 / 17)
    assert (level.low, level.high) == wilson(0.7, 25 / 17)


def test_overall_is_the_unweighted_mean_with_movers_interval():
    """Independent categories: the distances to the limits add as squares."""
    both = marks([1, 1, 0, 1], category="a") + marks([0, 1], category="b")
    one, two = category_levels(both).values()
    level = overall_level(both)
    assert level.value == pytest.approx((0.75 + 0.5) / 2)
    assert level.low == pytest.approx(level.value - math.hypot(one.value - one.low, two.value - two.low) / 2)
    assert level.high == pytest.approx(level.value + math.hypot(one.high - one.value, two.high - two.value) / 2)
    assert (level.cases, level.full, level.effective) == (6, 4, 6.0)


def test_categories_that_share_a_fact_move_together():
    """Then the distances add as they are, and the interval is wider."""
    apart = marks([1, 0], category="a") + marks([0, 1], category="b")
    shared = marks([1, 0], category="a", clusters="xy") + marks([0, 1], category="b", clusters="xz")
    one, two = category_levels(shared).values()
    level = overall_level(shared)
    assert level.low == pytest.approx(level.value - ((one.value - one.low) + (two.value - two.low)) / 2)
    assert level.low < overall_level(apart).low
    assert level.high > overall_level(apart).high


def test_one_category_alone_keeps_its_wilson_interval():
    """MOVER of one mean is its own interval."""
    one = marks([1, 0, 1, 1, 0, 1])
    assert overall_level(one) == category_levels(one)["only"]


@tries(60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4), st.floats(0, 1)), min_size=1, max_size=20))
def test_intervals_hold_their_means(rows):
    """And stay within 0 and 1."""
    found = [Mark(category=c, cluster=str(k), value=v) for c, k, v in rows]
    for level in (overall_level(found), *category_levels(found).values()):
        assert 0 <= level.low <= level.value + 1e-12
        assert level.value - 1e-12 <= level.high <= 1
