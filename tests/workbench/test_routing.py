"""Whom to ask in a category: what is shown, what is a tie and by what it goes, and what nobody knows."""

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.bench.choice import Bounds, Option
from promptforge.bench.levels import Mark, overall_level
from promptforge.bench.stats import Pair, overall
from promptforge.workbench.routing import Duels, best_of, route
from strategies import tries


def option(model, right=0, cases=60, **more):
    level = overall_level([Mark(category="k", cluster=str(n), value=float(n < right)) for n in range(cases)])
    return Option(**{"model": model, "tier": "local", "level": level, "usd": 0.0, "latency_s": 1.0, **more})


def duels(scores, category="k"):
    """Of models by the cases that each has right."""
    return Duels(effects={(category, a, b): effect(scores[a], scores[b]) for a, b in combinations(sorted(scores), 2)})


def effect(before, after):
    return overall(
        [
            Pair(case=str(n), category="k", cluster=str(n), before=float(one), after=float(two))
            for n, (one, two) in enumerate(zip(before, after, strict=True))
        ]
    )


def of(right, cases=60):
    return [n < right for n in range(cases)]


def asked(scores, bounds=None, **more):
    """The route among models that have so many of their cases right."""
    options = [option(name, sum(right), len(right), **more.get(name, {})) for name, right in scores.items()]
    return route("k", options, duels(scores), bounds or Bounds())


# --- noise ------------------------------------------------------------------------------------------------------------


def test_noise_makes_nobody_better():
    """Tables of three equal models in eight categories: at most one in twenty says "better" anywhere.

    Pair by pair, without the correction, three of ten would.
    """
    rng = random.Random(7)
    said = alone = 0
    tables = 60
    for _ in range(tables):
        effects = {}
        for category in "abcdefgh":
            right = {model: [rng.random() < 0.7 for _ in range(14)] for model in ("m", "n", "o")}
            for one, two in combinations("mno", 2):
                effects[category, one, two] = effect(right[one], right[two])
        found = Duels(effects=effects)
        alone += any(one.shown for one in effects.values())
        routes = [route(c, [option(m, cases=14) for m in "mno"], found, Bounds()) for c in "abcdefgh"]
        crowned = [best_of(c, "mno", found).champion for c in "abcdefgh"]
        said += any(one.basis == "better" for one in routes) or any(crowned) or any(found.sign(*key) for key in effects)
    assert alone >= 0.15 * tables
    assert said <= 3


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12))
@tries(40)
def test_more_looks_never_show_more(pairs):
    """What is shown among many pairs is shown alone, and both ways round alike."""
    effects = {(f"k{n}", "a", "b"): effect(of(a, 20), of(b, 20)) for n, (a, b) in enumerate(pairs)}
    found = Duels(effects=effects)
    for key, one in effects.items():
        alone = Duels(effects={key: one})
        assert abs(found.sign(*key)) <= abs(alone.sign(*key))
        assert found.sign(key[0], "b", "a") == -found.sign(*key)
        turned = found.effect(key[0], "b", "a")
        assert (turned.before, turned.after, turned.estimate) == (one.after, one.before, -one.estimate)
        assert (turned.low, turned.high) == (-one.high, -one.low)


def test_pairs_that_could_show_nothing_are_no_looks():
    """Forty categories with too few cases take nothing from the one that has enough."""
    many = {(f"k{n}", "a", "b"): effect(of(1, 3), of(2, 3)) for n in range(40)}
    found = Duels(effects={**many, ("big", "a", "b"): effect(of(10, 20), of(18, 20))})
    assert found.sign("big", "a", "b") == 1
    assert not any(found.sign(*key) for key in many)


# --- routes -----------------------------------------------------------------------------------------------------------


def test_who_is_shown_better_than_every_other_is_asked():
    """With what it is held against, whatever it costs."""
    scores = {"near": of(20), "far": of(58), "poor": of(5)}
    found = asked(scores, far={"tier": "cloud", "usd": 4.0})
    assert (found.model, found.basis, found.tied) == ("far", "better", ())
    assert found.why == "shown better than every other that may be asked"
    assert found.against["near"].startswith("0.333 → 0.967, +0.633, 95 % interval +0.5")
    assert found.against["near"].endswith(", corrected p < 0.0001, 60 cases")
    assert found.against["poor"].startswith("0.083 → 0.967")


@pytest.mark.parametrize(
    ("far", "near", "model", "by"),
    [
        ({"usd": 4.0}, {}, "near", "taken by price, $0 against $4.00 per 1,000 requests"),
        ({"usd": None}, {}, "near", "taken by price, $0 against no known price per 1,000 requests"),
        ({"tier": "cloud"}, {}, "near", "taken because it is in the house"),
        ({}, {"latency_s": 4.2}, "far", "taken by time, 1 s against 4 s"),
        ({"latency_s": 1.1}, {}, "far", "taken by name"),
    ],
)
def test_a_tie_is_called_one_and_goes_by_a_rule(far, near, model, by):
    """Price, then the house, then time, then the name; what is not excluded is said."""
    found = asked({"near": of(50), "far": of(51)}, far=far, near=near)
    assert (found.model, found.basis, found.tied) == (model, "tie", ("far", "near"))
    assert found.why == f"a tie of far, near: none of them is shown better; {by}"
    ((_, numbers),) = found.against.items()
    assert "too few differ, 60 cases, a fall of 0." in numbers
    assert numbers.endswith(" is not excluded")


def test_no_price_buys_a_lead_that_is_only_not_shown():
    """Three cases, all or nothing: that is no evidence, and the free model that missed them all is not taken for it."""
    found = asked({"near": of(0, 3), "far": of(3, 3)}, far={"tier": "cloud", "usd": 4.0})
    assert (found.model, found.basis, found.tied) == ("far", "not shown", ())
    assert found.why == "ahead, but not shown better than every other that may be asked"
    assert found.against["near"].startswith("0.000 → 1.000, +1.000, ")
    assert found.against["near"].endswith("too few differ, 3 cases, a fall of 1.00 is not excluded")


def test_what_may_not_be_asked_is_out_first():
    """And who was not measured is no evidence of anything; nobody at all has two reasons."""
    scores = {"near": of(20), "far": of(58)}
    barred = {"far": {"barred": "it is in the cloud"}}
    found = asked(scores, **barred)
    assert (found.model, found.basis, found.excluded) == ("near", "only", {"far": "it is in the cloud"})
    assert found.why == "the only one that may be asked and was measured (0.333 on 60 cases)"
    nobody = route("k", [option("far", barred="it is in the cloud")], duels({}), Bounds())
    assert (nobody.model, nobody.basis, nobody.why) == ("", "none", "no model may be asked")
    blank = option("near", unmeasured="no run of sheds asked it")
    unknown = route("k", [blank, option("far", barred="it is in the cloud")], duels({}), Bounds())
    assert (unknown.model, unknown.basis) == ("", "not measured")
    assert unknown.why == "no model that may be asked was measured"
    dear = asked(scores, Bounds(max_usd=3), far={"usd": 4.0})
    assert dear.excluded == {"far": "$4.00 per 1,000 requests is over fleet.max_usd (3)"}
    slow = asked(scores, Bounds(max_latency_s=0.5), far={"latency_s": 0.4})
    assert slow.excluded == {"near": "1.0 s is over fleet.max_latency_s (0.5)"}


def test_models_that_were_asked_other_cases_are_not_compared():
    """The scores that there are say who is ahead, and that it is no comparison."""
    why = "no case that counts was answered by both"
    found = route("k", [option("a", 10), option("b", 50)], Duels(effects={("k", "a", "b"): why}), Bounds())
    assert (found.model, found.basis) == ("b", "not shown")
    assert found.against == {"a": f"not comparable: {why}"}


@given(st.permutations(["a", "b", "c", "d"]), st.lists(st.integers(0, 30), min_size=4, max_size=4))
@tries(40)
def test_the_order_of_models_changes_nothing(order, right):
    """And nobody is asked whom another one is shown better than."""
    scores = {name: of(n, 30) for name, n in zip("abcd", right, strict=True)}
    options = {name: option(name, sum(own), 30) for name, own in scores.items()}
    table = duels(scores)
    found = route("k", [options[name] for name in order], table, Bounds())
    assert found == route("k", [*options.values()], table, Bounds())
    assert not any(table.sign("k", found.model, other) > 0 for other in scores if other != found.model)
    assert (found.basis == "tie") == bool(found.tied)


def test_a_category_has_a_champion_only_where_it_is_shown():
    """Better than every other one; else those that none is shown better than are named."""
    scores = {"near": of(40), "far": of(60), "poor": of(20), "even": of(41)}
    found = duels(scores)
    won = best_of("k", ["poor", "near", "far"], found)
    assert (won.champion, won.tied, won.why) == ("far", ("far",), "shown better than all 2 others")
    assert best_of("k", ["near", "far"], found).why == "shown better than the other"
    tie = best_of("k", ["near", "even", "poor"], found)
    assert (tie.champion, tie.tied, tie.why) == ("", ("even", "near"), "no one is shown better than every other")
    assert best_of("k", ["near"], found).why == "the only one that was measured"
