"""What two arms of a run show, by the states of their replies."""

import random
from dataclasses import replace

import pytest

from promptforge.backends.base import Answer, ToolCall
from promptforge.bench.arms import Reason, arm_scores, by_reason
from promptforge.bench.compare import compare, compare_pairs
from promptforge.bench.results import Arm, CaseRecord, Reply, Run, Score
from promptforge.bench.stats import Pair
from promptforge.bench.worth import Worth, worths

BASE = Arm(model="coder", variant="base")
ENRICHED = Arm(model="coder", variant="enriched")
FEW = 2000


def case(number, *, category="topology", tier="gold", agents=("windu",), **more):
    """A case of that number."""
    return CaseRecord(
        id=f"c{number:02}",
        category=category,
        tier=tier,
        agents=agents,
        question=f"Question {number}?",
        expected=(f"all: {number}",),
        pass_fail=True,
        **more,
    )


def reply(of, arm, value, *, agent="windu", repeat=0, label="", **more):
    """An answer with that score; each arm words it its own way."""
    scored = {"state": "answered", "score": Score(value=value, label=label or ("" if value == 1 else "wrong"))}
    return Reply(
        arm=arm,
        case=of.id,
        agent=agent,
        repeat=repeat,
        identity=f"{of.id} {arm} {agent}",
        **{"answer": Answer(text=f"{arm.variant}: {value}"), **scored, **more},
    )


def unanswered(of, arm, state="failed", message="503 from the server", **more):
    """A request without an answer."""
    return reply(of, arm, 0, state=state, score=None, answer=None, message=message, **more)


def run_of(cases, replies, *, run="r1", **more):
    """A finished run of both arms."""
    settings = {
        "categories": ("topology", "family", "jailbreak"),
        "finished": "2026-11-22T10:00:00Z",
        "models": {"coder": {"backend": "compatible"}},
    }
    return Run(
        id=run,
        suite="carmack-v2",
        suite_digest="d",
        started="2026-11-22T09:00:00Z",
        arms=(BASE, ENRICHED),
        cases=tuple(cases),
        replies=tuple(replies),
        **{**settings, **more},
    )


def scored(values, **more):
    """A run in which case i scored (before, after)."""
    cases = [case(number, **more) for number in range(len(values))]
    replies = [r for c, (b, a) in zip(cases, values, strict=True) for r in (reply(c, BASE, b), reply(c, ENRICHED, a))]
    return run_of(cases, replies)


def compared(run, other=None):
    """Base against enriched."""
    return compare(run, BASE, other or run, ENRICHED, draws=FEW)


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_shown_gain_is_better():
    """With its numbers, its reasons and the cases that broke."""
    found = compared(scored([(0, 1)] * 12 + [(1, 1)] * 7 + [(1, 0)]))
    assert found.verdict.word == "better"
    assert found.verdict.sentence == (
        "enriched · coder is better than base · coder: 0.400 → 0.950, +0.550 (95 % interval +0.25 to +0.83, p = 0.0034)."
    )
    assert found.verdict.reasons[0] == "20 paired cases; 13 of 20 differ"
    assert found.verdict.reasons[2] == "exact McNemar: p = 0.0034"
    assert len(found.verdict.reasons) == 3
    assert found.verdict.next_step == "look at the 1 case that broke: c19"
    assert [flip.case for flip in found.broke] == ["c19"]
    assert [flip.case for flip in found.fixed] == [f"c{n:02}" for n in range(12)]
    assert found.fixed[0].label == "wrong"


def test_a_shown_loss_is_worse():
    """The same, mirrored; a long list of broken cases is cut."""
    found = compared(scored([(1, 0)] * 12 + [(1, 1)] * 8))
    assert found.verdict.word == "worse"
    assert found.verdict.sentence.startswith("enriched · coder is worse than base · coder: 1.000 → 0.400, −0.600")
    assert found.verdict.next_step == "look at the 12 cases that broke: c00, c01, c02, …"


def test_three_flips_of_forty_are_too_few():
    """And the verdict says how many pairs would see such a difference."""
    found = compared(scored([(0, 1)] * 3 + [(1, 1)] * 25 + [(0, 0)] * 12))
    assert found.overall.too_few
    assert found.verdict.word == "not shown"
    assert found.verdict.sentence.startswith("Not shown: base · coder and enriched · coder may be equal: 0.625 → 0.700")
    assert "too few differ: fewer than 6 can never show anything at 5 %" in found.verdict.reasons
    assert found.verdict.next_step == "to see +0.08: about 110 pairs; you have 40"


def test_where_nothing_differs_there_is_no_interval():
    """Nor a test: the arms word their answers differently, and do as well on every case."""
    found = compared(scored([(1, 1)] * 7 + [(0, 0)] * 3))
    assert found.verdict.word == "not shown"
    assert found.verdict.sentence == (
        "Not shown: nothing differs between base · coder and enriched · coder: 0.700 → 0.700."
    )
    assert found.verdict.next_step == "the arms do as well on every case: ask harder ones"


def test_a_shown_difference_is_never_said_to_be_out_of_sight():
    """Where all that differ go one way, the power formula finds none; what is shown is shown all the same."""
    found = compared(scored([(0, 1)] * 6 + [(1, 1)] * 34))
    assert (found.verdict.word, found.overall.detectable) == ("better", None)
    assert found.verdict.reasons[1] == (
        "the smallest difference that these cases show at 80 % power: "
        "shown; at this discordance no smaller one could be"
    )


def test_a_difference_that_may_be_chance_is_not_shown():
    """With the smallest difference that the suite could have shown."""
    found = compared(scored([(0, 1)] * 10 + [(1, 0)] * 6 + [(1, 1)] * 24))
    assert found.verdict.word == "not shown"
    assert "the smallest difference that these cases show at 80 % power: about 0.27" in found.verdict.reasons
    assert found.verdict.next_step == "to see +0.10: about 320 pairs; you have 40"


def test_a_tie_asks_for_a_difference_that_is_worth_looking_for():
    """Nobody looks for +0.00."""
    found = compared(scored([(0, 1)] * 4 + [(1, 0)] * 4 + [(1, 1)] * 32))
    assert found.verdict.next_step == "to see +0.05: about 630 pairs; you have 40"


def test_equal_scores_call_for_harder_questions():
    """Where no case differs, more of the same cannot help."""
    found = compared(scored([(1, 1)] * 12))
    assert found.verdict.word == "not shown"
    assert found.verdict.next_step == "the arms do as well on every case: ask harder ones"
    assert "too few differ: fewer than 6 can never show anything at 5 %" in found.verdict.reasons


def test_identical_answers_are_no_comparison():
    """The founder measured one server twice: word for word the same answers are named, whatever they scored."""
    run = scored([(0, 0)] * 4 + [(1, 1)] * 8)
    same = replace(run, replies=tuple(replace(r, answer=Answer(text="The same.")) for r in run.replies))
    found = compared(same)
    assert found.verdict.word == "identical"
    assert (
        found.verdict.sentence == "The arms are not shown to be different: all 12 answers are the same, word for word."
    )
    assert found.verdict.reasons == ("the answers are the same, although the requests differed",)
    assert (
        found.verdict.next_step
        == "where they should differ, check that the server reads the system prompt, and is not the same for both"
    )


def test_an_arm_against_itself_is_identical():
    """And so are its requests."""
    run = scored([(0, 1)] * 12)
    found = compare(run, BASE, run, BASE, draws=FEW)
    assert found.verdict.word == "identical"
    assert found.verdict.reasons == ("the answers are the same, and so were the requests",)
    assert found.verdict.next_step == "name two arms that differ"


def test_one_other_tool_call_makes_answers_different():
    """A call is part of what was said."""
    run = scored([(0, 0)] * 2)
    said = [Answer(text="")] * 3 + [Answer(text="", tool_calls=(ToolCall(name="light_off", arguments={}),))]
    run = replace(run, replies=tuple(replace(r, answer=a) for r, a in zip(run.replies, said, strict=True)))
    assert compared(run).verdict.word == "not shown"


def test_the_reader_is_never_better():
    """It says how many answers can be found, and that is all."""
    run = replace(scored([(0, 1)] * 30 + [(1, 1)] * 5 + [(0, 0)] * 5), models={"coder": {"backend": "reader"}})
    found = compared(run)
    assert found.overall.shown
    assert found.verdict.word == "not shown"
    assert found.verdict.sentence == "35 of 40 answers can be found in the prompt (before: 5)."
    assert found.verdict.next_step == "run the same suite on a model"


def test_the_reader_and_a_model_are_not_compared():
    """What is found in a prompt and what a model answers are two things."""
    run = scored([(0, 1)] * 20)
    read = replace(run, id="r2", models={"coder": {"backend": "reader"}})
    found = compared(run, read)
    assert found.verdict.word == "not shown"
    assert found.verdict.sentence == (
        "One of the two is the reader, which is no model: the difference between them says nothing of either."
    )
    assert found.verdict.next_step == "compare two arms of one model, or two models"


def test_no_number_of_cases_is_named_that_could_never_show_anything():
    """Six must differ before any outcome is significant, however large the difference."""
    assert compared(scored([(0, 1)] * 4)).verdict.next_step == "to see +1.00: about 6 pairs; you have 4"
    assert compared(scored([(0, 1)] * 2 + [(1, 1)] * 2)).verdict.next_step == "to see +0.50: about 14 pairs; you have 4"


# --- worth ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([(0, 1)] * 12, "buys score"),
        ([(1, 0)] * 12, "costs score"),
        ([(0, 1)] * 5 + [(1, 0)] * 4, "not shown to buy anything"),
        ([(0, 1)] * 3, "too few cases differ without it to tell"),
        ([(1, 1)] * 3, "buys nothing here: no score differs without it"),
    ],
)
def test_what_a_section_is_worth_in_words(values, words):
    """By the comparison of the prompt without it and the whole."""
    without = replace(BASE, variant="without ports")
    run = scored(values)
    replies = tuple(replace(r, arm=without) if r.arm == BASE else r for r in run.replies)
    run = replace(run, arms=(without, ENRICHED), replies=replies, section_tokens={"ports": 120.0})
    found = compare(run, without, run, ENRICHED, draws=FEW)
    (worth,) = worths(run, [found, compare(run, ENRICHED, run, without, draws=FEW)])
    assert (worth.section, worth.model, worth.run, worth.tokens) == ("ports", "coder", "r1", 120.0)
    assert (worth.words, worth.effect) == (words, found.overall)


def test_what_a_section_is_worth_where_something_is_missing_or_a_reader_answered():
    """Nothing is made of requests without an answer; and the reader finds, it does not score."""
    without = replace(BASE, variant="without ports")
    effect = compared(scored([(0, 1)] * 12)).overall
    worth = Worth(section="ports", model="coder", run="r1", tokens=1.0, effect=None)
    assert worth.words == "withheld: requests are unanswered"
    assert replace(worth, effect=effect, reader=True).words == "more is found with it"
    effect = compared(scored([(1, 0)] * 12)).overall
    assert replace(worth, effect=effect, reader=True).words == "less is found with it"
    run = scored([(0, 1)] * 2)
    old = replace(without, revision="HEAD")
    assert worths(replace(run, arms=(old, ENRICHED)), [replace(compared(run), before=str(old))]) == ()


# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["failed", "timed_out"])
def test_an_unanswered_request_withholds_the_overall_difference(state):
    """A missing score is never a zero; categories and tiers without one are still shown."""
    cases = [case(n) for n in range(6)] + [case(n, category="family", tier="extended") for n in range(6, 12)]
    replies = [r for c in cases for r in (reply(c, BASE, 0), reply(c, ENRICHED, 1))]
    replies[-1] = unanswered(cases[-1], ENRICHED, state)
    found = compared(run_of(cases, replies))
    assert found.overall is None
    assert list(found.categories) == ["topology"]
    assert list(found.tiers) == ["gold"]
    assert found.mcnemar is None
    assert found.unanswered == ("c11 × windu × enriched · coder: 503 from the server",)
    assert found.verdict.word == "withheld"
    assert found.verdict.sentence == "No overall difference yet: 1 of 24 requests is unanswered."
    assert found.verdict.next_step == "run the same bench again: only what is unanswered is sent"
    assert len(found.fixed) == 11


def test_a_request_that_was_answered_later_counts():
    """The answer stands, whichever of the two comes last."""
    run = scored([(0, 1)] * 8)
    late = unanswered(run.cases[0], BASE)
    for replies in ((late, *run.replies), (*run.replies, late)):
        found = compared(replace(run, replies=replies))
        assert found.overall.cases == 8
        assert not found.unanswered


def test_a_truncated_answer_is_scored():
    """It was asked again with twice the limit."""
    run = scored([(0, 1)] * 8)
    cut = tuple(replace(r, state="truncated") for r in run.replies)
    assert compared(replace(run, replies=cut)).overall.estimate == 1.0


def test_what_a_stopped_run_did_not_ask_is_owed():
    """A budget that ran out leaves no comparison of the rest."""
    run = scored([(0, 1)] * 8)
    cut = replace(run, replies=run.replies[:-1], stopped="the budget of time ran out")
    found = compared(cut)
    assert found.overall is None
    assert found.unanswered == ("c07 × windu × enriched · coder: not asked yet",)


def test_a_missing_repeat_is_owed():
    """One repeat of three is no mean of three."""
    run = replace(scored([(0, 1)] * 8), repeats=3)
    assert compared(run).verdict.sentence == "No overall difference yet: 32 of 48 requests are unanswered."


def test_what_a_finished_run_never_asked_is_not_paired():
    """An arm of fewer agents, say."""
    run = scored([(0, 1)] * 8)
    found = compared(replace(run, replies=run.replies[:-1]))
    assert found.overall.cases == 7
    assert found.unpaired == ("c07: not asked of enriched · coder",)


def test_what_clearance_bars_is_left_out_of_both_arms():
    """By case and agent: the other agent of the case still counts."""
    both = case(0, agents=("windu", "mundi"))
    only = case(1)
    replies = [
        reply(both, BASE, 0, agent="windu"),
        reply(both, BASE, 1, agent="mundi"),
        unanswered(both, ENRICHED, "not_applicable", agent="windu"),
        reply(both, ENRICHED, 0.5, agent="mundi"),
        reply(only, BASE, 1),
        unanswered(only, ENRICHED, "not_applicable"),
    ]
    found = compared(run_of([both, only], replies))
    assert (found.overall.before, found.overall.after, found.overall.cases) == (1.0, 0.5, 1)
    assert found.unpaired == (
        "c00 × windu: not applicable, barred by clearance",
        "c01 × windu: not applicable, barred by clearance",
    )
    assert not found.unanswered


def test_nothing_paired_is_said():
    """No number is made up."""
    found = compare(scored([(0, 1)]), BASE, run_of([case(7)], [reply(case(7), ENRICHED, 1)]), ENRICHED)
    assert found.overall is None
    assert found.verdict.sentence == "Nothing to compare: no case that counts was answered by both arms."
    assert found.verdict.reasons == ("2 cases could not be paired",)
    assert found.verdict.next_step == "compare two arms of one suite"


# --- pairing ----------------------------------------------------------------------------------------------------------


def test_agents_and_repeats_are_averaged_first():
    """One case is one difference, however often it was asked."""
    one = case(0, agents=("windu", "mundi"))
    values = {("windu", 0): (0, 1), ("windu", 1): (1, 1), ("mundi", 0): (0, 0), ("mundi", 1): (0, 1)}
    replies = [
        reply(one, arm, pair[at], agent=agent, repeat=repeat)
        for (agent, repeat), pair in values.items()
        for at, arm in enumerate((BASE, ENRICHED))
    ]
    found = compared(run_of([one], replies, repeats=2))
    assert (found.overall.before, found.overall.after, found.overall.cases) == (0.25, 0.75, 1)
    assert found.mcnemar is None


def test_cases_of_two_runs_are_paired_by_what_they_ask():
    """An id alone is not enough."""
    run = scored([(0, 1)] * 9)
    changed = [
        run.cases[0],
        replace(run.cases[1], question="Another question?"),
        replace(run.cases[2], expected=("all: 99",)),
        replace(run.cases[3], category="family"),
        replace(run.cases[4], agents=("mundi",)),
        replace(run.cases[5], agents=("windu", "mundi")),
        *run.cases[7:],
        case(20),
    ]
    replies = [*run.replies, reply(run.cases[5], ENRICHED, 1, agent="mundi"), reply(case(20), ENRICHED, 1)]
    found = compared(run, run_of(changed, replies, run="r2"))
    assert found.overall.cases == 4
    assert found.unpaired == (
        "c01: its question differs",
        "c02: what it expects differs",
        "c03: its category or tier differs",
        "c04: its agents differ",
        "c05 × mundi: named on one side only",
        "c20: only in enriched · coder",
        "c06: only in base · coder",
    )
    assert (found.before, found.after) == ("base · coder (r1)", "enriched · coder (r2)")


def test_generated_and_given_away_cases_stand_apart():
    """Winning on generated ones only proves that the facts arrived."""
    cases = [
        *(case(n) for n in range(3)),
        case(3, generated=True),
        case(4, given_away="example x"),
        case(5, given_away="example x", shown="it is about the tone"),
    ]
    replies = [r for c in cases for r in (reply(c, BASE, 0), reply(c, ENRICHED, int(c.id in ("c03", "c04"))))]
    found = compared(run_of(cases, replies))
    assert (found.overall.cases, found.overall.estimate) == (4, 0.0)
    assert (found.generated.cases, found.generated.estimate) == (1, 1.0)
    assert not found.fixed


def test_an_unanswered_generated_case_withholds_only_the_generated_ones():
    """The headline does not rest on them."""
    cases = [case(0), case(1, generated=True), case(2, generated=True)]
    replies = [r for c in cases for r in (reply(c, BASE, 0), reply(c, ENRICHED, 1))]
    replies[-1] = unanswered(cases[-1], ENRICHED)
    found = compared(run_of(cases, replies))
    assert found.overall.estimate == 1.0
    assert found.generated is None
    assert found.unanswered == ("c02 × windu × enriched · coder: 503 from the server",)


def test_categories_stand_in_the_order_of_the_suite_and_empty_ones_are_named():
    """Only those with cases make the mean."""
    cases = [case(0, category="jailbreak"), case(1), case(2)]
    replies = [r for c in cases for r in (reply(c, BASE, 0), reply(c, ENRICHED, int(c.id == "c00")))]
    found = compared(run_of(cases, replies))
    assert list(found.categories) == ["topology", "jailbreak"]
    assert found.overall.estimate == 0.5
    assert found.empty_categories == ("family",)


def test_mcnemar_only_for_single_pass_fail_cases():
    """A shared fact, or half a point, and it is not shown."""
    run = scored([(0, 1)] * 4)
    assert compared(run).mcnemar == 0.125
    shared = replace(run, cases=tuple(replace(c, cluster="c00") for c in run.cases))
    assert compared(shared).mcnemar is None
    fractional = replace(run, cases=tuple(replace(c, pass_fail=False) for c in run.cases))
    assert compared(fractional).mcnemar is None


def test_cases_that_share_a_fact_are_counted_as_one():
    """The verdict says so."""
    run = scored([(0, 1)] * 12)
    shared = replace(run, cases=tuple(replace(c, cluster=f"k{n // 3}") for n, c in enumerate(run.cases)))
    found = compared(shared)
    assert found.overall.p == 0.125
    assert found.verdict.reasons[0] == "12 paired cases in 4 clusters that share facts; 4 of 4 differ"


def test_categories_that_differ_are_reasons_falls_first():
    """After adjustment for their number."""
    cases = [case(n, category="family" if n < 10 else "topology") for n in range(20)]
    replies = [
        r for c in cases for r in (reply(c, BASE, c.category == "family"), reply(c, ENRICHED, c.category != "family"))
    ]
    found = compared(run_of(cases, replies))
    assert found.verdict.word == "not shown"
    assert found.verdict.reasons[-2:] == (
        "family falls −1.00 (p = 0.002 for 2 categories)",
        "topology gains +1.00 (p = 0.002 for 2 categories)",
    )


def test_categories_that_follow_the_whole_are_no_reasons():
    """Those that go against it are."""
    names = ["family"] * 8 + ["topology"] * 40 + ["jailbreak"] * 40
    cases = [case(n, category=name) for n, name in enumerate(names)]
    replies = [
        r for c in cases for r in (reply(c, BASE, c.category == "family"), reply(c, ENRICHED, c.category != "family"))
    ]
    found = compared(run_of(cases, replies))
    assert found.verdict.word == "better"
    assert found.verdict.reasons[3:] == ("family falls −1.00 (p = 0.0078 for 3 categories)",)


def test_the_order_of_cases_and_replies_does_not_matter():
    """Only the order in which cases are listed follows the run."""
    chance = random.Random(3)
    run = scored([(chance.randint(0, 1), chance.randint(0, 1)) for _ in range(40)])
    turned = replace(run, cases=tuple(reversed(run.cases)), replies=tuple(reversed(run.replies)))
    one, two = compared(run), compared(turned)
    assert (one.overall, one.categories, one.verdict.sentence) == (two.overall, two.categories, two.verdict.sentence)


def test_scores_from_elsewhere_are_judged_the_same():
    """By the same words; there are no answers to hold against each other."""
    pairs = [Pair(case=f"c{n}", category="a", cluster=f"c{n}", before=0, after=1) for n in range(6)]
    found = compare_pairs(pairs, "one", "two", pass_fail=True)
    assert (
        found.verdict.sentence
        == "two is better than one: 0.000 → 1.000, +1.000 (95 % interval +1.00 to +1.00, p = 0.031)."
    )
    assert found.mcnemar == 0.03125
    assert found.verdict.next_step == "nothing broke; look at the cases that are still wrong"
    assert compare_pairs([], "one", "two").verdict.word == "not shown"


# --- single arms ------------------------------------------------------------------------------------------------------


def test_an_arm_is_scored_with_its_states_and_labels():
    """The table that a bench prints."""
    cases = [*(case(n) for n in range(4)), case(4, category="family", tier="heldout"), case(5, generated=True)]
    values = [1, 1, 0, 0.5, 1, 1]
    replies = [reply(c, BASE, v, label="incomplete" if v == 0.5 else "") for c, v in zip(cases, values, strict=True)]
    found = arm_scores(run_of(cases, replies), BASE)
    assert found.overall.value == pytest.approx((0.625 + 1) / 2)
    assert {name: level.value for name, level in found.categories.items()} == {"topology": 0.625, "family": 1.0}
    assert (found.categories["topology"].full, found.categories["topology"].cases) == (2, 4)
    assert list(found.tiers) == ["gold", "heldout"]
    assert found.generated.value == 1.0
    assert found.states == {"answered": 6}
    assert found.labels == {"wrong": 1, "incomplete": 1}
    assert found.empty_categories == ("jailbreak",)
    assert [score.value for score in found.cases] == values
    assert not found.reader


def test_an_arm_with_an_unanswered_case_has_no_overall_score():
    """Its other categories are shown."""
    cases = [case(0), case(1, category="family", tier="extended")]
    found = arm_scores(run_of(cases, [reply(cases[0], BASE, 1), unanswered(cases[1], BASE, "timed_out")]), BASE)
    assert found.overall is None
    assert list(found.categories) == ["topology"]
    assert list(found.tiers) == ["gold"]
    assert found.states == {"answered": 1, "timed_out": 1}
    assert found.unanswered == ("c01 × windu × base · coder: 503 from the server",)


def test_what_is_barred_for_one_arm_counts_for_none():
    """So the columns of a table rest on the same cases."""
    cases = [case(0), case(1)]
    replies = [r for c in cases for r in (reply(c, BASE, 1), reply(c, ENRICHED, 0))]
    replies[3] = unanswered(cases[1], ENRICHED, "not_applicable")
    run = run_of(cases, replies)
    assert arm_scores(run, BASE).not_applicable == ("c01 × windu",)
    assert arm_scores(run, BASE).overall.cases == arm_scores(run, ENRICHED).overall.cases == 1


def test_an_arm_that_was_never_asked_scores_nothing():
    """No cases, no mean, and no error."""
    run = scored([(0, 1)] * 2)
    found = arm_scores(replace(run, replies=()), BASE)
    assert (found.overall, found.cases, found.unanswered) == (None, (), ())


def test_reasons_that_differ_in_bytes_are_one():
    """Of a server that is too slow each answer breaks off elsewhere; what was not sent because of it goes along."""
    slow = "it had not answered after 5 s ({} bytes had come)"
    found = by_reason(
        [
            ("a", slow.format("90,873")),
            ("b", slow.format("1")),
            ("c", f"not sent: {slow.format('17')}"),
            ("d", "nothing listens there"),
        ]
    )
    assert found == [
        Reason(slow.format("90,873"), ["a", "b"], ["c"]),
        Reason("nothing listens there", ["d"], []),
    ]
