"""The gate: promote, reject or inconclusive, each for its reason, and never on what is missing."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from promptforge.bench import gate as module
from promptforge.bench.evidence import Evidence, Witness, evidence, pooled
from promptforge.bench.gate import Bar, alpha_of_look, gate, near
from promptforge.bench.gatepage import VerdictPage, page_html, page_json, page_markdown
from promptforge.bench.results import Arm, Score
from promptforge.bench.stats import Pair
from runs import make_run
from strategies import tries

FEW = 2000
GOLD, EXTENDED, HELDOUT = "gold", "extended", "heldout"
CHAMPION = Arm(model="coder-14b", variant="enriched", revision="champion")
CANDIDATE = Arm(model="coder-14b", variant="enriched", revision="candidate")


def pairs(*groups):
    """(count, before, after, category, tier) each; every case is a cluster of its own."""
    made, number = [], 0
    for count, before, after, category, tier in groups:
        for _ in range(count):
            made.append(
                Pair(
                    case=f"c{number:03}",
                    category=category,
                    cluster=f"{number:03}",
                    before=before,
                    after=after,
                    tier=tier,
                )
            )
            number += 1
    return tuple(made)


def against(other, *groups, **more):
    found = pairs(*groups)
    return Evidence(other=other, pairs=found, requests=2 * len(found), **more)


def judged(*groups, base=None, bar=None, **more):
    """The verdict against a champion; without a base of its own the untrained model knows nothing."""
    champion = against("the champion", *groups)
    weak = replace(champion, other="the untrained model", pairs=tuple(replace(p, before=0.0) for p in champion.pairs))
    return gate(champion, base or weak, bar=bar or Bar(), draws=FEW, **more)


def failed(verdict):
    return [one.name for one in verdict.failed]


WINNER = (
    (30, 0, 1, "topology", GOLD),
    (20, 1, 1, "topology", EXTENDED),
    (10, 0, 1, "family", HELDOUT),
    (20, 1, 1, "family", HELDOUT),
)


def test_a_winner_is_promoted():
    """A gain is shown, nothing fell: the sentence has the numbers."""
    verdict = judged(*WINNER)
    assert verdict.verdict == "promote"
    assert verdict.sentence.startswith(
        "Promote: the candidate is better than the champion, and nothing that is watched fell: 0.533 → 1.000, +0.467"
    )
    assert not verdict.failed
    assert verdict.settle == ""
    assert verdict.largest_fall == 0


def test_an_overall_loss_is_rejected():
    """Shown one-sided at 0.05, uncorrected."""
    verdict = judged((5, 1, 0, "topology", GOLD), (30, 1, 1, "topology", GOLD))
    assert verdict.verdict == "reject"
    assert "overall: no fall against the champion" in failed(verdict)
    assert verdict.sentence.startswith(
        "Reject: overall against the champion: 1.000 → 0.857, −0.143, a fall is shown (p ="
    )


def test_four_falls_are_not_shown_and_five_are():
    """Of n clusters that differ all one way p is 2 to the −n: 0.0625 and 0.03125."""
    rest = (30, 1, 1, "topology", GOLD)
    assert judged((4, 1, 0, "topology", GOLD), rest).verdict == "inconclusive"
    assert judged((5, 1, 0, "topology", GOLD), rest).verdict == "reject"


def test_a_category_may_fall_within_its_bound():
    """A shown fall of 0.04 is borne where max_category_drop is 0.05, and one of 0.06 is not; gains elsewhere pay nothing."""
    gains = (60, 0, 1, "topology", GOLD)
    borne = judged(gains, (5, 1, 0.2, "family", GOLD), (95, 1, 1, "family", GOLD))
    assert borne.verdict == "promote"
    assert any("within the 0.05 that max_category_drop bears" in one.words for one in borne.conditions)
    verdict = judged(gains, (8, 1, 0.2, "family", GOLD), (95, 1, 1, "family", GOLD))
    assert verdict.verdict == "reject"
    assert failed(verdict) == ["category family: no fall against the champion"]


def test_a_protected_category_may_not_fall_at_all():
    """However little it is, where it is shown."""
    groups = ((60, 0, 1, "topology", GOLD), (5, 1, 0.9, "jailbreak", GOLD), (95, 1, 1, "jailbreak", GOLD))
    assert judged(*groups).verdict == "promote"
    verdict = judged(*groups, bar=Bar(protected=("jailbreak",)))
    assert verdict.verdict == "reject"
    assert failed(verdict)[0] == "protected category jailbreak: no fall against the champion"


def test_a_lower_mean_of_what_is_protected_keeps_the_champion():
    """It is no reject, for nothing is shown; and the verdict says what would settle it."""
    groups = ((60, 0, 1, "topology", GOLD), (1, 1, 0, "jailbreak", GOLD), (19, 1, 1, "jailbreak", GOLD))
    verdict = judged(*groups, bar=Bar(protected=("jailbreak",)))
    assert verdict.verdict == "inconclusive"
    assert failed(verdict) == ["protected category jailbreak: mean"]
    assert verdict.settle.startswith(
        "the gain is shown, but protected category jailbreak stands at −0.050: to see −0.05"
    )
    assert verdict.settle.endswith("pairs; you have 20")


def test_the_held_out_tier_guards_against_learning_by_heart():
    """All of gold gained, held-out lost: rejected, although the whole gains. A lower mean alone keeps the champion."""
    gold = (26, 0, 1, "topology", GOLD)
    assert "held-out tier: no fall against the champion" in failed(
        judged(gold, (6, 1, 0, "topology", HELDOUT), (40, 1, 1, "topology", HELDOUT))
    )
    verdict = judged(gold, (2, 1, 0, "topology", HELDOUT), (40, 1, 1, "topology", HELDOUT))
    assert verdict.verdict == "inconclusive"
    assert failed(verdict) == ["held-out tier: mean"]
    assert "held-out tier stands at −0.048" in verdict.settle


def test_a_candidate_below_the_untrained_model_is_rejected():
    """Even where it beats a champion that had forgotten more."""
    groups = ((30, 0, 1, "topology", GOLD), (30, 0, 0, "family", GOLD))
    base = against("the untrained model", (30, 0, 1, "topology", GOLD), (30, 1, 0, "family", GOLD))
    assert judged(*groups, base=base).verdict == "promote"  # as much won as lost
    base = against("the untrained model", (30, 1, 1, "topology", GOLD), (30, 1, 0, "family", GOLD))
    verdict = judged(*groups, base=base)
    assert verdict.verdict == "reject"
    assert failed(verdict) == ["overall: no fall against the untrained model"]


def test_a_champion_that_learnt_by_heart_hides_no_fall_of_the_held_out_tier():
    """The candidate is as bad there as the champion, and worse than the untrained model."""
    groups = ((40, 0, 1, "topology", GOLD), (30, 0, 0, "topology", HELDOUT))
    base = against("the untrained model", (40, 0, 1, "topology", GOLD), (8, 1, 0, "topology", HELDOUT))
    assert failed(judged(*groups, base=base)) == ["held-out tier: no fall against the untrained model"]


def test_without_a_champion_the_untrained_model_is_the_one_to_beat():
    """And nothing is tested twice."""
    verdict = gate(None, against("the untrained model", *WINNER), draws=FEW)
    assert verdict.verdict == "promote"
    assert "better than the untrained model" in verdict.sentence
    assert sum(one.name.startswith("overall") for one in verdict.conditions) == 1


def test_each_look_asks_for_more():
    """0.05/(k(k+1)): six cases that differ do not even reach the first look's 0.025."""
    rest = (30, 1, 1, "topology", GOLD)
    assert math.isclose(sum(alpha_of_look(k) for k in range(1, 10_000)), 0.05, rel_tol=1e-3)
    assert judged((6, 0, 1, "topology", GOLD), rest).verdict == "inconclusive"  # p = 0.031
    assert judged((7, 0, 1, "topology", GOLD), rest).verdict == "promote"  # p = 0.016
    second = judged((7, 0, 1, "topology", GOLD), rest, look=2)
    assert second.verdict == "inconclusive"
    assert "look 2 at this suite asks for 0.0083" in second.sentence
    assert "at this look at least 8 must" in " ".join(second.notes)


def test_a_late_look_draws_as_often_as_it_has_to():
    """With 2,000 draws no p-value is below 0.0005, and the 60th look asks for 0.0000137."""
    verdict = judged((80, 0, 1, "topology", GOLD), (20, 1, 1, "topology", GOLD), look=60)
    assert verdict.verdict == "promote"


def test_min_gain_is_what_has_to_be_exceeded():
    """A gain that is shown, but not above it, is inconclusive."""
    groups = ((12, 0, 1, "topology", GOLD), (100, 1, 1, "topology", GOLD))
    assert judged(*groups).verdict == "promote"
    verdict = judged(*groups, bar=Bar(min_gain=0.1))
    assert verdict.verdict == "inconclusive"
    assert "no gain is shown above 0.1" in verdict.sentence
    assert "above 0.1: about" in verdict.settle


def test_inconclusive_says_what_would_settle_it():
    """So many pairs, and the largest fall that is not excluded."""
    verdict = judged((9, 0, 1, "topology", GOLD), (4, 1, 0, "topology", GOLD), (96, 1, 1, "topology", GOLD))
    assert verdict.verdict == "inconclusive"
    assert verdict.sentence.startswith(
        "Inconclusive, the champion stays: overall: 0.917 → 0.963, +0.046, no gain is shown"
    )
    assert verdict.settle == "to see +0.05: about 540 pairs; you have 109"
    assert verdict.largest_fall == pytest.approx(0.0275, abs=0.02)
    tie = judged((50, 1, 1, "topology", GOLD))
    assert tie.settle == "the arms do as well on every case: ask harder ones"
    assert tie.largest_fall == pytest.approx(3 / 50)  # the rule of three: none of 50 differs


def test_the_poisson_bounds_are_those_of_the_textbook():
    """One-sided at 5 %: half of a quantile of chi-square."""
    for seen, bound in enumerate(module._AT_MOST):
        assert bound == pytest.approx(chi2.ppf(0.95, 2 * (seen + 1)) / 2, abs=0.01)


# --- what may not be judged -------------------------------------------------------------------------------------------


def test_a_missing_answer_is_never_a_zero():
    """The first night's bug: an error is no score. Nothing is judged, however good the rest is."""
    champion = replace(against("the champion", *WINNER), unanswered=("c1 × windu × candidate: 503 from the server",))
    verdict = gate(champion, champion, draws=FEW)
    assert verdict.verdict == "inconclusive"
    assert not verdict.judged
    assert verdict.overall is None
    assert verdict.sentence == (
        "Inconclusive, not judged: 1 request without an answer: c1 × windu × candidate: 503 from the server; "
        "a missing score is no 0."
    )
    assert verdict.settle == "run the same command again: only what is missing is asked"


def run_with(value, **changes):
    """A run of both arms, whose candidate's first answer has that score."""
    run = make_run(faults=False, arms=(CHAMPION, CANDIDATE), cases=20)
    at = next(n for n, r in enumerate(run.replies) if r.arm == CANDIDATE and r.state == "answered")
    score = None if value is None else Score(value=value, label="wrong")
    return replace(
        run, replies=(*run.replies[:at], replace(run.replies[at], score=score, **changes), *run.replies[at + 1 :])
    )


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -0.1, 1.5])
def test_a_score_that_cannot_be_read_is_named(value):
    """The seed's bug: it counted as 0, and a good adapter was thrown away."""
    run = run_with(value)
    found = evidence("the champion", run, CHAMPION, run, CANDIDATE)
    verdict = gate(found, found, draws=FEW)
    assert verdict.verdict == "inconclusive"
    assert not verdict.judged
    assert "a score cannot be read: satellite-000 × windu × " in verdict.sentence
    assert "it is no 0, and nothing is judged without it" in verdict.sentence
    assert verdict.failed[0].numbers == {"unanswered": 0, "unreadable": 1}


@pytest.mark.parametrize("state", ["failed", "timed_out"])
def test_failed_and_timed_out_answers_withhold(state):
    """By the state of a reply, through the run's own pairing."""
    run = run_with(None, state=state, answer=None, message="the server hung up")
    found = evidence("the champion", run, CHAMPION, run, CANDIDATE)
    assert len(found.unanswered) == 1
    assert not found.unreadable
    assert not gate(found, found, draws=FEW).judged


def test_no_paired_case_is_no_judgement():
    """An empty suite promotes nobody."""
    verdict = gate(None, Evidence(other="the untrained model", pairs=()), draws=FEW)
    assert "no case that counts was answered by both arms" in verdict.sentence


SERVERS = (
    Witness(arm="the untrained model", pid=10, started="10:00"),
    Witness(arm="the champion", pid=11, started="10:01"),
    Witness(arm="the candidate", pid=12, started="10:02"),
)


def test_both_arms_on_one_server_is_named():
    """The seed's other bug: the old server had not been killed, and five seeds were one run."""
    one = (*SERVERS[:2], replace(SERVERS[2], pid=11, started="10:01"))
    verdict = judged(*WINNER, witnesses=one)
    assert verdict.verdict == "inconclusive"
    assert not verdict.judged
    assert verdict.sentence == (
        "Inconclusive: arms not shown different: both arms on one server: process 11 answered for the champion and for "
        "the candidate."
    )
    assert judged(*WINNER, witnesses=SERVERS).verdict == "promote"
    again = (*SERVERS[:2], replace(SERVERS[2], pid=11))  # the number was given away again
    assert judged(*WINNER, witnesses=again).verdict == "promote"


def test_a_server_that_is_not_proven_to_be_ours_shows_nothing():
    """Its problem stands in the verdict."""
    verdict = judged(*WINNER, witnesses=(*SERVERS[:2], replace(SERVERS[2], problem="another process has its port")))
    assert "the server of the candidate: another process has its port" in verdict.sentence


def test_canaries_that_are_answered_alike_show_no_difference():
    """An adapter that was not loaded leaves no other trace."""
    verdict = judged(*WINNER, witnesses=(*SERVERS[:2], replace(SERVERS[2], alike=("the untrained model",))))
    assert verdict.sentence == (
        "Inconclusive: arms not shown different: the candidate and the untrained model answer the canary requests "
        "alike, as if no adapter were loaded."
    )


def test_identical_transcripts_show_no_difference():
    """Whatever the servers say."""
    same = replace(against("the champion", (40, 1, 1, "topology", GOLD)), same_answers=True)
    verdict = gate(same, replace(same, same_answers=False), SERVERS, draws=FEW)
    assert verdict.verdict == "inconclusive"
    assert "arms not shown different: all answers of the candidate and of the champion are the same" in verdict.sentence
    assert "loaded" in verdict.settle


# --- several trainings ------------------------------------------------------------------------------------------------


def test_near_the_bar_is_inconclusive_with_the_bar_inside():
    """Harm, a clear win, what is below the bar or was not judged: none of it is near."""
    bar = Bar()
    close = judged((9, 0, 1, "topology", GOLD), (4, 1, 0, "topology", GOLD), (96, 1, 1, "topology", GOLD))
    assert near(close, bar)
    assert not near(close, Bar(min_gain=0.1))
    assert near(judged((6, 0, 1, "topology", GOLD), (30, 1, 1, "topology", GOLD)), bar)  # p = 0.031: 0.025 was asked
    assert not near(judged(*WINNER), bar)
    assert not near(judged((9, 1, 0, "topology", GOLD)), bar)
    assert not near(judged((50, 1, 1, "topology", GOLD)), bar)
    assert not near(gate(None, Evidence(other="x", pairs=())), bar)


def test_a_spread_that_is_larger_than_the_gain_is_refused():
    """Two identical trainings of the founder's differed by 0.025: a gain of that size is luck."""
    assert judged(*WINNER, spread=0.2).verdict == "promote"
    verdict = judged(*WINNER, spread=0.6)
    assert verdict.verdict == "reject"
    assert verdict.sentence == ("Reject: over several trainings the score varies by 0.600, and the gain is +0.467.")


def test_several_trainings_are_pooled_by_case():
    """Each case has the mean; what one of them lacks is missing for all."""
    one = against("the champion", (4, 0, 1, "topology", GOLD))
    two = against("the champion", (4, 0, 0, "topology", GOLD), unanswered=("c × a × b: why",))
    both = pooled([one, two])
    assert {pair.after for pair in both.pairs} == {0.5}
    assert both.unanswered == ("c × a × b: why",)
    assert pooled([one]) == one


# --- invariants -------------------------------------------------------------------------------------------------------

A_PAIR = st.tuples(
    st.just(1),
    st.sampled_from([0, 0.5, 1]),
    st.sampled_from([0, 0.5, 1]),
    st.sampled_from(["topology", "family", "jailbreak"]),
    st.sampled_from([GOLD, EXTENDED, HELDOUT]),
)


@tries(60)
@given(groups=st.lists(A_PAIR, min_size=1, max_size=18), look=st.integers(1, 40))
def test_whatever_is_promoted_has_every_condition_and_only_that(groups, look):
    """Promote just where all holds, reject just where a condition of harm fails; the page can always be written."""
    verdict = judged(*groups, bar=Bar(protected=("jailbreak",)), look=look)
    assert (verdict.verdict == "promote") == (not verdict.failed)
    assert (verdict.verdict == "reject") == any(one.guards == "harm" for one in verdict.failed)
    if verdict.verdict == "promote":
        assert verdict.overall.estimate > 0
        assert verdict.overall.p <= alpha_of_look(look)
    page = VerdictPage(verdict=verdict, evidence=against("x", *groups), about={"adapter": "<b>&|"})
    assert page_json(page)["verdict"] == verdict.verdict
    assert page_markdown(page).startswith("# ")
    assert "<b>&|" not in page_html(page)


@tries(30)
@given(groups=st.lists(A_PAIR, min_size=1, max_size=18))
def test_a_candidate_and_its_mirror_are_never_both_promoted(groups):
    """What is a gain one way is a loss the other way."""
    mirrored = [(n, after, before, category, tier) for n, before, after, category, tier in groups]
    words = {judged(*groups).verdict, judged(*mirrored).verdict}
    assert words != {"promote"}
    if "promote" in words:
        assert words == {"promote", "reject"}
