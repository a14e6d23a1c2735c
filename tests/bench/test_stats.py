"""The statistics, against SciPy, statsmodels, brute force, and themselves turned round."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from promptforge.bench import stats
from promptforge.bench.stats import Pair, flip_test, overall
from promptforge.errors import ExtraMissingError
from strategies import tries

FEW = 2000
"""Draws where the number of them is not what is tested."""


def pairs_of(differences, *, clusters=None, categories=None, base=0.5):
    """Pairs with these differences, by default in one category and each its own cluster."""
    return [
        Pair(
            case=f"c{at:05}",
            category=(categories or ["only"] * len(differences))[at],
            cluster=str((clusters or [f"own {n:05}" for n in range(len(differences))])[at]),
            before=base - difference / 2,
            after=base + difference / 2,
        )
        for at, difference in enumerate(differences)
    ]


def passes(fixed, broke, same):
    """Pass/fail pairs: so many fixed, broken and unchanged."""
    return pairs_of([1.0] * fixed + [-1.0] * broke + [0.0] * same)


@st.composite
def some_pairs(draw, most=14, least=1):
    """Pairs in up to three categories and in clusters that may span them."""
    count = draw(st.integers(least, most))
    differences = draw(
        st.lists(st.sampled_from([-1, -0.5, -0.25, 0, 0, 0.2, 1 / 3, 1]), min_size=count, max_size=count)
    )
    clusters = draw(st.lists(st.integers(0, most), min_size=count, max_size=count))
    categories = draw(st.lists(st.sampled_from("abc"), min_size=count, max_size=count))
    return pairs_of(differences, clusters=clusters, categories=categories)


def sums_of(pairs):
    """The x and w of each cluster, by the words of the design."""
    sizes = {pair.category: sum(other.category == pair.category for other in pairs) for pair in pairs}
    x, w = {}, {}
    for pair in pairs:
        weight = 1 / (len(sizes) * sizes[pair.category])
        x[pair.cluster] = x.get(pair.cluster, 0) + weight * (pair.after - pair.before)
        w[pair.cluster] = w.get(pair.cluster, 0) + weight
    return list(x.values()), list(w.values())


def brute_force(pairs, delta=0.0):
    """(two-sided, worse, better), every pattern of signs tried one by one."""
    values = [x - delta * w for x, w in zip(*sums_of(pairs), strict=True)]
    total, counts, patterns = sum(values), [0, 0, 0], 0
    for signs in itertools.product((1, -1), repeat=len(values)):
        found = sum(sign * value for sign, value in zip(signs, values, strict=True))
        patterns += 1
        counts[0] += abs(found) >= abs(total) - 1e-12
        counts[1] += found <= total + 1e-12
        counts[2] += found >= total - 1e-12
    return tuple(count / patterns for count in counts)


# --- the test ---------------------------------------------------------------------------------------------------------


@tries(60)
@given(some_pairs(most=9), st.sampled_from([0.0, 0.05, -0.2]))
def test_small_sets_agree_with_every_pattern_tried_one_by_one(pairs, delta):
    """The two-sided and both one-sided p-values, against zero and against a smallest gain."""
    found = flip_test(pairs, delta=delta)
    assert found.exact
    assert (found.p, found.p_worse, found.p_better) == pytest.approx(brute_force(pairs, delta), abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["fractional", "pass/fail"])
def test_unclustered_sets_agree_with_scipy(seed, kind):
    """`permutation_test` with paired samples flips the same signs."""
    random = np.random.default_rng(seed)
    count = int(random.integers(3, 13))
    differences = random.integers(-1, 2, count) if kind == "pass/fail" else np.round(random.normal(0.2, 0.4, count), 2)
    found = flip_test(pairs_of([float(d) for d in np.clip(differences, -1, 1)]))
    for alternative, p in (("two-sided", found.p), ("less", found.p_worse), ("greater", found.p_better)):
        expected = scipy_stats.permutation_test(
            (np.clip(differences, -1, 1),),
            np.mean,
            permutation_type="samples",
            n_resamples=np.inf,
            alternative=alternative,
        )
        assert p == pytest.approx(min(1.0, expected.pvalue), abs=1e-9)


@pytest.mark.parametrize(("fixed", "broke", "p"), [(3, 0, 0.25), (4, 0, 0.125), (5, 0, 0.0625), (6, 0, 0.03125)])
def test_few_flips_in_one_direction(fixed, broke, p):
    """Fewer than six flips never show anything, whatever the number of cases; the sign flip is then McNemar."""
    effect = overall(passes(fixed, broke, 40 - fixed - broke), draws=FEW)
    assert effect.p == p == stats.mcnemar(fixed, broke)
    assert effect.too_few is (fixed < 6)
    assert effect.shown is (fixed == 6)


@tries(100)
@given(st.integers(0, 12), st.integers(0, 8), st.integers(0, 30))
def test_the_sign_flip_of_pass_fail_cases_is_mcnemar(fixed, broke, same):
    """So the two agree to the last digit."""
    if fixed + broke + same:
        assert flip_test(passes(fixed, broke, same)).p == pytest.approx(stats.mcnemar(fixed, broke), abs=1e-12)


@tries(200)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_agrees_with_scipy(fixed, broke):
    """The exact binomial test of the flips."""
    expected = scipy_stats.binomtest(fixed, fixed + broke).pvalue if fixed + broke else 1.0
    assert stats.mcnemar(fixed, broke) == pytest.approx(expected, abs=1e-9)


def test_many_flips_are_counted_without_overflow():
    """20,000 flips: whole numbers have no largest one."""
    assert stats.mcnemar(10_000, 10_000) == 1.0
    assert 0 < stats.mcnemar(10_300, 9_700) < 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_draws_come_close_to_all_patterns(seed):
    """With 21 to 23 differing clusters, seeded draws agree with SciPy's own to within their error."""
    random = np.random.default_rng(seed)
    differences = np.round(random.normal(0.12, 0.4, 21 + seed), 2).clip(-1, 1)
    found = flip_test(pairs_of([float(d) for d in differences]), seed=seed)
    sums = np.array([0.0])
    for value in differences:
        sums = np.concatenate((sums + value, sums - value))
    exact = np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-9)
    assert not found.exact
    assert abs(found.p - exact) < 5 * math.sqrt(exact * (1 - exact) / stats.DRAWS) + 2 / stats.DRAWS


def test_draws_count_what_was_seen_as_one_of_them():
    """So the smallest p-value is 1/(1+N), and never zero."""
    found = flip_test(passes(40, 0, 0), draws=FEW)
    assert (found.p, found.p_better, found.p_worse) == (1 / (1 + FEW), 1 / (1 + FEW), 1.0)


def test_twenty_differing_clusters_are_tried_in_full_and_twenty_one_are_drawn():
    """The bound of the design, by the clusters that differ and not by all."""
    assert overall(passes(20, 0, 30), draws=FEW).exact
    assert not overall(passes(21, 0, 30), draws=FEW).exact


# --- the interval -----------------------------------------------------------------------------------------------------


@tries(60)
@given(some_pairs(most=10, least=2), st.floats(-1, 1))
def test_the_interval_holds_what_the_test_does_not_reject(pairs, delta):
    """Inversion: delta is inside just where its p-value is above alpha."""
    effect = overall(pairs)
    edges = min(abs(delta - effect.low), abs(delta - effect.high))
    if edges > 1e-6:
        assert (effect.low <= delta <= effect.high) is (brute_force(pairs, delta)[0] > 0.05)
    assert -1 <= effect.low <= effect.estimate + 1e-9
    assert effect.estimate - 1e-9 <= effect.high <= 1


@tries(25)
@given(some_pairs(most=60, least=24), st.floats(-0.6, 0.6), st.sampled_from([0.05, 0.01, 0.2]))
def test_the_drawn_interval_holds_what_the_same_draws_do_not_reject(pairs, delta, alpha):
    """Above 20 clusters both use one matrix of signs, so they agree draw for draw."""
    effect = overall(pairs, alpha=alpha, draws=FEW)
    found = flip_test(pairs, delta=delta, draws=FEW)
    if not found.exact and min(abs(delta - effect.low), abs(delta - effect.high), abs(delta)) > 1e-6:
        assert (effect.low <= delta <= effect.high) is (found.p > alpha)


@tries(80)
@given(some_pairs(most=40), st.sampled_from([0.05, 0.01, 0.3]))
def test_zero_is_in_the_interval_just_where_the_test_is_silent(pairs, alpha):
    """Also where the test is exact and the interval draws."""
    effect = overall(pairs, alpha=alpha, draws=FEW)
    assert (effect.low <= 0 <= effect.high) is (effect.p > alpha)


def test_five_clusters_exclude_nothing():
    """With so few, no difference between -1 and 1 can be excluded."""
    effect = overall(pairs_of([1.0] * 5))
    assert (effect.low, effect.high, effect.p) == (-1.0, 1.0, 0.0625)
    assert effect.too_few


# --- what must not matter ---------------------------------------------------------------------------------------------


@tries(40)
@given(some_pairs(most=40), st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(pairs, random):
    """Not even for the seeded draws: these belong to the names of the clusters."""
    shuffled = random.sample(pairs, len(pairs))
    assert overall(shuffled, draws=FEW) == overall(pairs, draws=FEW)


@tries(40)
@given(some_pairs(most=40))
def test_swapped_arms_are_mirrored(pairs):
    """The same evidence, read the other way round."""
    swapped = [Pair(case=p.case, category=p.category, cluster=p.cluster, before=p.after, after=p.before) for p in pairs]
    one, two = overall(pairs, draws=FEW), overall(swapped, draws=FEW)
    assert (two.before, two.after) == (one.after, one.before)
    assert (two.p, two.p_worse, two.p_better) == (one.p, one.p_better, one.p_worse)
    assert (-two.estimate, -two.high, -two.low) == pytest.approx((one.estimate, one.low, one.high), abs=1e-12)
    assert two.detectable == one.detectable


@tries(40)
@given(some_pairs(most=40))
def test_half_the_differences_give_half_the_effect_and_the_same_p(pairs):
    """The test does not depend on the unit of a score."""
    halved = [
        Pair(case=p.case, category=p.category, cluster=p.cluster, before=p.before / 2, after=p.after / 2) for p in pairs
    ]
    one, two = overall(pairs, draws=FEW), overall(halved, draws=FEW)
    assert two.estimate == pytest.approx(one.estimate / 2)
    assert two.p == one.p
    if not -1 < one.low <= one.high < 1:
        return  # cut at the ends of what a difference can be
    assert (two.low, two.high) == pytest.approx((one.low / 2, one.high / 2), abs=1e-9)


def test_a_case_copied_within_its_cluster_is_no_new_evidence():
    """Ten questions on one fact count once."""
    once = overall(pairs_of([1.0] * 5 + [0.0] * 3))
    copied = overall(
        pairs_of([1.0] * 50 + [0.0] * 30, clusters=[n % 5 for n in range(50)] + [5 + n % 3 for n in range(30)])
    )
    assert copied.p == once.p == 0.0625
    assert copied.clusters == once.clusters == 8


# --- tables -----------------------------------------------------------------------------------------------------------


def test_the_overall_difference_is_the_unweighted_mean_over_categories():
    """A category of one case weighs as much as a category of nine."""
    pairs = pairs_of([1.0] + [0.0] * 9, categories=["small"] + ["large"] * 9)
    effect = overall(pairs)
    assert (effect.estimate, effect.before, effect.after) == pytest.approx((0.5, 0.25, 0.75))


def test_a_category_uses_only_its_part_of_a_cluster():
    """A cluster over two categories is cut, and their tests do not see each other."""
    pairs = pairs_of([1.0, 1.0, -0.5, 0.0], clusters=["x", "y", "x", "z"], categories=["a", "a", "b", "b"])
    found = stats.categories(pairs)
    assert (found["a"].estimate, found["a"].clusters, found["a"].p) == (1.0, 2, 0.5)
    assert (found["b"].estimate, found["b"].differing) == (-0.25, 1)


@tries(60)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjusted_p_values_agree_with_statsmodels(ps):
    """Benjamini-Hochberg."""
    expected = multipletests(ps, method="fdr_bh")[1] if ps else []
    assert stats.benjamini_hochberg(ps) == pytest.approx(list(expected), abs=1e-12)


def test_the_table_of_categories_is_adjusted_for_their_number():
    """Every category carries the p-value that the number of looks allows."""
    pairs = pairs_of([1.0] * 6 + [0.0] * 6 + [1.0, -1.0], categories=["a"] * 6 + ["b"] * 6 + ["c"] * 2)
    found = stats.categories(pairs)
    assert [effect.p for effect in found.values()] == [0.03125, 1.0, 1.0]
    assert [effect.p_adjusted for effect in found.values()] == [0.09375, 1.0, 1.0]


def test_tiers_come_in_their_order_and_weigh_within_themselves():
    """Gold, extended, held-out; each with the categories that it has."""
    pairs = [
        Pair(case="1", category="a", cluster="1", before=0, after=1, tier="heldout"),
        Pair(case="2", category="a", cluster="2", before=0, after=0, tier="gold"),
        Pair(case="3", category="b", cluster="3", before=0, after=1, tier="gold"),
    ]
    found = stats.tiers(pairs)
    assert [(tier, effect.estimate) for tier, effect in found.items()] == [("gold", 0.5), ("heldout", 1.0)]


# --- what a suite can see ---------------------------------------------------------------------------------------------


@tries(200)
@given(st.floats(4, 5000), st.floats(0.01, 1))
def test_the_smallest_detectable_difference_solves_its_formula(effective, discordance):
    """Where there is one it is the smallest; where there is none, it would need more than all that differ."""
    z = scipy_stats.norm.ppf(0.975)

    def shows(delta):
        return delta * math.sqrt(effective) >= z * math.sqrt(discordance) + 0.84 * math.sqrt(
            max(0, discordance - delta**2)
        )

    found = stats.smallest_detectable(effective, discordance)
    if found is None:
        assert not shows(discordance * (1 - 1e-6))
    else:
        assert 0 < found <= discordance + 1e-9
        assert shows(found * (1 + 1e-6))
        assert not shows(found * (1 - 1e-6))


@tries(200)
@given(st.floats(0.01, 0.5), st.floats(0.01, 1))
def test_as_many_cases_as_needed_can_see_it(gain, discordance):
    """The two formulas are one, solved for different letters."""
    needed = stats.cases_needed(gain, discordance)
    if gain > discordance + 1e-9:
        assert needed is None
    elif needed is not None and needed > 4:
        assert stats.smallest_detectable(needed, discordance) <= gain * (1 + 1e-6)


@pytest.mark.parametrize(
    ("gain", "discordance", "needed"), [(0.06, 0.15, 325), (0.1, 0.2, 155), (0.15, 0.25, 85), (0.2, 0.3, 57)]
)
def test_cases_needed_for_the_gains_of_the_field(gain, discordance, needed):
    """The exact test of pass/fail cases is a little slower: at +0.06 and 0.15 it has 86 % at 400."""
    assert stats.cases_needed(gain, discordance) == needed
    assert stats.cases_needed(-gain, discordance) == needed


def test_cases_that_share_facts_are_needed_in_greater_number():
    """Half the independent cases a case, twice the cases."""
    assert stats.cases_needed(0.06, 0.15, per_case=0.5) in (649, 650)


def test_nothing_can_be_seen_where_nothing_differs():
    """No discordance, no difference, too few cases: none, rather than a number."""
    assert stats.smallest_detectable(40, 0.0) is None
    assert stats.smallest_detectable(3, 0.5) is None
    assert stats.cases_needed(0.0, 0.15) is None
    assert overall(passes(3, 0, 37), draws=FEW).detectable is None
    assert stats.smallest_detectable(40, 0.15) is None
    assert stats.smallest_detectable(109, 0.15) == pytest.approx(0.102, abs=0.001)


# --- clusters ---------------------------------------------------------------------------------------------------------


def test_cases_on_a_common_fact_are_one_cluster():
    """Directly, or through a third; a case without a fact is its own."""
    found = stats.clusters({"d": ["f1"], "b": ["f1", "f2"], "c": ["f2"], "a": [], "e": ["f3"], "f": []})
    assert found == {"d": "b", "b": "b", "c": "b", "a": "a", "e": "e", "f": "f"}


@tries(100)
@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.integers(0, 6).map(str), max_size=3)),
    st.randoms(use_true_random=False),
)
def test_clusters_are_the_connected_components(facts, random):
    """Against a search that spreads step by step, whatever the order."""
    found = stats.clusters(dict(random.sample(sorted(facts.items()), len(facts))))
    for case in facts:
        reached, edge = {case}, [case]
        while edge:
            at = edge.pop()
            near = {other for other in facts if set(facts[other]) & set(facts[at])} - reached
            reached |= near
            edge += near
        assert {other for other in facts if found[other] == found[case]} == reached
        assert found[case] == min(reached)


def test_no_pairs_is_a_mistake_of_the_caller():
    """There is no difference to speak of."""
    with pytest.raises(ValueError, match="no pairs"):
        overall([])


def test_without_numpy_the_extra_is_named(monkeypatch):
    """Nothing is tested, and nothing is guessed."""
    monkeypatch.setattr(stats, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissingError) as missing:
        overall(passes(6, 0, 1))
    assert missing.value.message == "a test of a difference needs the extra 'bench'"
    assert missing.value.hint == "pip install 'numpy>=1.26'"
