"""The advice for a model, and the choice among models: numbers in, words out."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.bench.advice import STRONG, WEAK, Figures, Trained, advise
from promptforge.bench.choice import BEAR, Bounds, Option, choose, largest_fall
from promptforge.bench.levels import Mark, overall_level
from promptforge.bench.results import Effect, Level
from promptforge.bench.stats import Pair, overall
from strategies import tries


def level(right: int, cases: int) -> Level:
    return overall_level([Mark(category="k", cluster=str(n), value=float(n < right)) for n in range(cases)])


@cache
def effect(before: range, after: range, cases: int) -> Effect:
    """Of cases that one, the other, or both have right."""
    pairs = [
        Pair(case=str(n), category="k", cluster=str(n), before=float(n in before), after=float(n in after))
        for n in range(cases)
    ]
    return overall(pairs)


def figures(right: int, cases: int, *, base: int = 0, unanswered: int = 0) -> Figures:
    missing = bool(unanswered)
    return Figures(
        base=None if missing else level(base, cases),
        enriched=None if missing else level(right, cases),
        gain=None if missing else effect(range(base), range(right), cases),
        unanswered=unanswered,
    )


# --- advise -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "word", "plan"),
    [
        (90, "strong", "the prompt alone carries it: no training"),
        (54, "moderate", "a balanced LoRA, beside the enriched prompt"),
        (20, "weak", "try a better model first; else a full LoRA with persona and domain, beside the enriched prompt"),
    ],
)
def test_the_whole_interval_decides(right, word, plan):
    """Above 2/3, between, below 2/5: the word, the plan and the numbers."""
    found = advise("near", "local", figures(right, 100))
    assert found.strategy == word
    assert found.sentence.startswith(f"{word}: {plan}; enriched {right / 100:.3f} (95 % interval ")
    assert found.sentence.split(" on 100 cases is ")[1] in ("above 0.67", "between 0.40 and 0.67", "below 0.40")
    assert found.settle == ""


@pytest.mark.parametrize(
    ("right", "cases", "may_be"),
    [(28, 40, ("strong", "moderate")), (14, 40, ("moderate", "weak")), (3, 6, ("strong", "moderate", "weak"))],
)
def test_an_interval_over_a_limit_is_not_enough_to_say(right, cases, may_be):
    """It names what is left open, and how many cases would settle it."""
    found = advise("near", "local", figures(right, cases))
    assert found.strategy == ""
    assert found.may_be == may_be
    assert f"on {cases} cases may be {' or '.join(may_be)}." in found.sentence
    assert f"more cases, if the score stays as it is; there are {cases}" in found.settle


def test_the_number_of_cases_that_would_settle_it_does():
    """With as many more cases of the same score, the advice is there."""
    found = advise("near", "local", figures(30, 40))
    more = int(found.settle.removeprefix("about ").split(" ")[0].replace(",", ""))
    assert advise("near", "local", figures(round(0.75 * (40 + more)), 40 + more)).strategy == "strong"
    half = 40 + more // 4
    assert advise("near", "local", figures(round(0.75 * half), half)).strategy == ""


def test_a_score_at_the_limit_is_no_question_of_cases():
    """Nobody is sent to write ten thousand cases."""
    found = advise("near", "local", figures(40, 60))
    assert found.settle == (
        "it stands at the limit (0.67), which cases alone hardly settle; training is the dearer mistake"
    )


@given(st.integers(1, 200).flatmap(lambda cases: st.tuples(st.integers(0, cases), st.just(cases))))
@tries(80)
def test_no_word_is_said_that_the_interval_leaves_open(right_of_cases):
    """A strategy is given just where both ends of the interval have the same one."""
    right, cases = right_of_cases
    found, own = advise("near", "local", figures(right, cases)), level(right, cases)

    def word(value: float) -> str:
        return "strong" if value >= STRONG else "moderate" if value >= WEAK else "weak"

    clear = word(own.low) if word(own.low) == word(own.high) else ""
    assert found.strategy == (clear if cases >= 30 or clear == "strong" else "")
    assert clear == "" or found.may_be in ((), (clear,))


def test_few_cases_advise_no_training():
    """Eight cases, however badly they went, are no ground: what a better model does is asked first."""
    found = advise("near", "local", figures(0, 8))
    assert (found.strategy, found.may_be) == ("", ("weak",))
    assert found.sentence.startswith("Not enough to say: enriched 0.000 (95 % interval 0.00 to 0.")
    assert found.sentence.endswith(") on 8 cases looks weak, and so few are no ground for a training.")
    assert found.settle == "22 more cases; or try a better model, which is the cheaper try"


@pytest.mark.parametrize("high", [0.3964, 0.39996])
def test_an_interval_reads_as_what_is_said_of_it(high):
    """Below the limit in figures, too: 0.396 is not printed as 0.40, which would not be below 0.40."""
    own = replace(level(20, 100), high=high)
    sentence = advise("near", "local", Figures(base=None, enriched=own, gain=None)).sentence
    ends, limit = sentence.split("interval ")[1].split(")")[0].split(" to "), sentence.rsplit(" ", 1)[1]
    assert float(ends[1]) < float(limit)


def test_a_model_in_the_cloud_is_never_trained():
    """Whatever it scores, and also where it was never asked."""
    sentence = "cloud: the prompt alone; nothing of this house is trained there"
    assert advise("far", "cloud", None).sentence == sentence
    assert advise("far", "cloud", figures(1, 100)).sentence == sentence


def test_what_is_missing_withholds_the_advice():
    """Not measured, unanswered, or nothing that counts: three messages, and no strategy."""
    unmeasured, open_ = advise("near", "local", None), advise("near", "local", figures(50, 60, unanswered=2))
    empty = advise("near", "local", Figures(base=None, enriched=None, gain=None))
    assert {one.strategy for one in (unmeasured, open_, empty)} == {""}
    assert unmeasured.sentence == "Not enough to say: it was not measured."
    assert unmeasured.settle == "ask it with both prompts: promptforge bench --model near"
    assert open_.sentence == "Not enough to say: 2 requests unanswered."
    assert open_.settle == "run the same bench again: only what is unanswered is sent"
    assert empty.sentence == "Not enough to say: no case that counts was asked of it."


def test_what_the_prompt_and_trainings_did_is_said():
    """A gain that is not shown, a prompt that hurts, and adapters: a shown harm first."""
    (hurts,) = advise("near", "local", figures(40, 60, base=55)).notes
    assert hurts.startswith("the knowledge in the prompt is shown to hurt it: 0.917 → 0.667, −0.250, p ")
    assert hurts.endswith("60 paired cases; mend the prompt before any training")
    (unshown,) = advise("near", "local", figures(55, 60, base=53)).notes
    assert unshown.startswith("the knowledge in the prompt is not shown to help it: 0.883 → 0.917, +0.033, p ")
    trained = [
        Trained(adapter="aaa", run="r1", champion=True, effect=effect(range(40), range(55), 60)),
        Trained(adapter="bbb", run="r2", champion=False, effect=effect(range(40), range(20), 60)),
        Trained(adapter="ccc", run="r3", champion=False, effect=effect(range(40), range(41), 60)),
    ]
    notes = advise("near", "local", figures(50, 60), trained).notes
    assert [note.split(":")[0] for note in notes] == [
        "the adapter bbb is shown to hurt it",
        "the adapter ccc is not shown to change it",
        "the champion aaa is shown to help it",
    ]


# --- choose -----------------------------------------------------------------------------------------------------------

NEAR = Option(model="near", tier="local", current=True, level=level(40, 60), usd=0.0, latency_s=1.0)
FAR = Option(model="far", tier="cloud", level=level(50, 60), usd=4.0, latency_s=2.0)
CHEAP = Option(model="cheap", tier="local", level=level(50, 60), usd=0.0, latency_s=1.0)
SKILL = {"near": range(40), "far": range(60), "cheap": range(60), "poor": range(20), "even": range(41)}


def against(before: str, after: str, cases: int = 60) -> Effect | str:
    return effect(SKILL[before], SKILL[after], cases)


def test_another_model_takes_over_where_it_is_shown_better():
    """And of two that are, and tie, the cheaper one: noise ranks nobody."""
    found = choose([NEAR, FAR], against, Bounds())
    assert (found.model, found.basis) == ("far", "better")
    assert found.why.startswith("better than near in its categories: 0.667 → 1.000, +0.333 (p < 0.0001, 60 cases)")
    both = choose([NEAR, FAR, CHEAP], against, Bounds())
    assert both.model == "cheap"
    assert both.why.endswith(
        "; not shown different from far: the cheaper one, then the one in the house, then the quicker one"
    )


def test_a_tie_moves_nobody():
    """What is not shown different is said with its numbers; so is who is worse."""
    even, poor = replace(FAR, model="even"), replace(FAR, model="poor")
    found = choose([NEAR, even, poor], against, Bounds())
    assert (found.model, found.basis) == ("near", "stays")
    assert "even is not shown different: 0.667 → 0.683, +0.017 (p = 1.00, 60 cases)" in found.why
    assert "poor is worse: 0.667 → 0.333, −0.333 (p < 0.0001, 60 cases)" in found.why


def test_a_cheaper_model_takes_over_where_a_fall_is_excluded():
    """Sixty cases without a difference exclude 0.05; twenty exclude nothing that matters, and say so."""
    dear, even = replace(FAR, model="near", current=True), replace(CHEAP, model="even")
    found = choose([dear, even], against, Bounds())
    assert (found.model, found.basis) == ("even", "as good")
    assert found.why == (
        "as good as near (0.667 → 0.683; a fall over 0.10 is excluded) and cheaper: $0 against $4.00 per 1,000 requests"
    )
    few = choose([dear, even], lambda a, b: against(a, b, 20), Bounds())
    assert (few.model, few.basis) == ("near", "stays")
    assert few.why.endswith("it is cheaper: $0 against $4.00 per 1,000 requests, but a fall of 0.15 is not excluded")


def test_of_two_that_cost_the_same_the_one_in_the_house_is_taken():
    """And a few cents of measured difference are no price."""
    cloud = replace(FAR, model="near", current=True, usd=0.0)
    home = replace(CHEAP, model="even")
    assert choose([cloud, home], against, Bounds()).why.endswith("and in the house")
    almost = replace(FAR, model="even", usd=3.9)
    assert choose([replace(cloud, usd=4.0), almost], against, Bounds()).model == "near"


def test_many_challengers_need_more():
    """A gain that is shown alone is not, where ten others had the same chance."""
    lucky = {f"m{n}": range(40) for n in range(10)} | {"near": range(40), "luck": range(46)}
    options = [NEAR, *(replace(FAR, model=name) for name in lucky if name != "near")]

    def pairs(before: str, after: str) -> Effect:
        return effect(lucky[before], lucky[after], 60)

    alone = choose([NEAR, replace(FAR, model="luck")], pairs, Bounds())
    assert pairs("near", "luck").p == pytest.approx(0.03125)
    assert alone.model == "luck"
    assert choose(options, pairs, Bounds()).model == "near"
    many = choose([NEAR, replace(FAR, model="luck")], pairs, Bounds(), looks=8)
    assert (many.model, many.basis) == ("near", "stays")
    assert many.why.endswith("(p = 0.031, 60 cases); among so many comparisons p would have to be below 0.0063")


def test_a_model_that_was_not_measured_keeps_its_agent():
    """Nobody takes over without pairs; what could not be paired is said."""
    blank = replace(NEAR, unmeasured="no run of sheds asked it", level=None)
    found = choose([blank, FAR], against, Bounds())
    assert (found.model, found.basis) == ("near", "not measured")
    assert found.why == "not measured (no run of sheds asked it): it keeps the model of its file"
    unpaired = choose([NEAR, FAR], lambda a, b: "3 of 60 requests unanswered", Bounds())
    assert unpaired.why == "far is not comparable: 3 of 60 requests unanswered"
    assert choose([NEAR], against, Bounds()).why == "the only one that was measured and may be asked"


@pytest.mark.parametrize(
    ("option", "bounds", "why"),
    [
        (replace(FAR, barred="it is private"), Bounds(), "it is private"),
        (FAR, Bounds(max_usd=3), "$4.00 per 1,000 requests is over fleet.max_usd (3)"),
        (replace(FAR, usd=None), Bounds(max_usd=3), "what it costs is not known, and fleet.max_usd is 3"),
        (FAR, Bounds(max_latency_s=1.5), "2.0 s is over fleet.max_latency_s (1.5)"),
        (
            replace(FAR, latency_s=None),
            Bounds(max_latency_s=1.5),
            "how long it takes is not known, and fleet.max_latency_s is 1.5",
        ),
    ],
)
def test_what_may_not_be_asked_is_out_however_good_it_is(option, bounds, why):
    """Privacy, then money, then time; what is not known of a newcomer is not within a limit."""
    found = choose([NEAR, option], against, bounds)
    assert found.model == "near"
    assert found.excluded == {"far": why}


def test_an_agent_whose_own_model_is_out_gets_the_cheapest_that_none_is_shown_better_than():
    """Or none, with the reason."""
    own = replace(FAR, model="near", current=True, barred="it is private")
    found = choose([own, CHEAP, replace(FAR, model="even"), replace(CHEAP, model="poor")], against, Bounds())
    assert (found.model, found.basis) == ("cheap", "only")
    assert found.why.startswith(
        "its own model near is out (it is private); no other is shown better than cheap (0.833 on"
    )
    alone = choose([own, CHEAP], against, Bounds())
    assert alone.why.endswith("cheap (0.833 on 60 cases) is the only other that was measured")
    none = choose([own, replace(FAR, unmeasured="nobody asked it")], against, Bounds())
    assert (none.model, none.basis) == ("", "none")
    assert none.why == ("its own model near is out (it is private), and no other that it may be given was measured")
    assert (
        choose([], against, Bounds()).why == "its file names no model, and no other that it may be given was measured"
    )


OPTIONS = st.lists(
    st.builds(
        Option,
        model=st.sampled_from(sorted(SKILL)),
        tier=st.sampled_from(["local", "cloud"]),
        barred=st.sampled_from(["", "it is private"]),
        unmeasured=st.sampled_from(["", "", "nobody asked it"]),
        usd=st.one_of(st.none(), st.floats(0, 20)),
        latency_s=st.one_of(st.none(), st.floats(0, 30)),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one.model,
)
EFFECTS = {(a, b): effect(SKILL[a], SKILL[b], 60) for a in SKILL for b in SKILL}


@given(OPTIONS, st.integers(-1, 4), st.booleans(), st.randoms())
@tries(150)
def test_nobody_gets_what_is_barred_and_the_order_changes_nothing(options, own, limited, chance):
    """Whatever the scores: no barred model, none over a limit, and the same choice in any order."""
    options = [replace(one, current=number == own) for number, one in enumerate(options)]
    bounds = Bounds(max_usd=10, max_latency_s=15) if limited else Bounds()

    def pairs(before: str, after: str) -> Effect:
        return EFFECTS[before, after]

    found = choose(options, pairs, bounds)
    chosen = next((one for one in options if one.model == found.model), None)
    assert chosen is None or not chosen.barred
    if chosen and limited:
        assert (chosen.usd or 0) <= 10
        assert (chosen.latency_s or 0) <= 15
    assert (found.model == "") == (found.basis == "none")
    assert chosen is None or chosen.current or not chosen.unmeasured
    shuffled = [*options]
    chance.shuffle(shuffled)
    assert choose(shuffled, pairs, bounds) == found


# --- a pair -----------------------------------------------------------------------------------------------------------


def test_few_cases_without_a_fall_exclude_little():
    """The rule of three: where nothing differs, 3 of n cases may still fall."""
    assert largest_fall(effect(range(5), range(5), 10)) == pytest.approx(0.3)
    assert largest_fall(effect(range(5), range(5), 60)) == pytest.approx(0.05)
    assert largest_fall(effect(range(60), range(40), 60)) > BEAR
