"""`compare` on files of scores, and how comparisons are printed."""

import json
import re
from dataclasses import replace
from pathlib import Path

import click
import pytest

from cli.laboratory import SUITE
from promptforge.bench.gatepage import cells
from promptforge.bench.levels import Mark, category_levels, overall_level
from promptforge.bench.results import Arm, ArmScores, CaseScore, Comparison, Flip, Verdict
from promptforge.bench.stats import Pair, categories, overall, tiers
from promptforge.bench.verdicts import signed, spread
from promptforge.bench.worth import Worth
from promptforge.console import advise, explain
from promptforge.console.compare import (
    arms_json,
    arms_text,
    comparison_json,
    comparison_markdown,
    comparison_text,
)
from promptforge.console.terminal import Painter
from promptforge.files import said_path
from promptforge.workbench.bench import open_store

PLAIN = Painter(colour=False)
BASE = {"satellite": 0.8, "topology": 0.74, "home_automation": 0.7, "correlation": 0.65}
BASE |= {"operations": 0.78, "tool_precision": 0.9, "family": 0.56, "jailbreak": 0.5}
TRAINED = dict(zip(BASE, (0.2, 0.15, 0.3, 0.1, 0.25, 0.167, 0.0, 0.85), strict=True))
ENRICHED = dict(zip(BASE, (0.9, 0.8, 0.8, 0.7, 0.78, 0.9, 0.6, 0.64), strict=True))


def pairs():
    """Seven fixed in topology, three of eight broken in family."""
    topology = [("topology", "gold", 0, 1)] * 7 + [("topology", "gold", 1, 1)] * 3
    family = [("family", "heldout", 1, 0)] * 3 + [("family", "heldout", 1, 1)] * 5
    return [
        Pair(case=f"c{at:02}", category=category, tier=tier, cluster=f"c{at:02}", before=before, after=after)
        for at, (category, tier, before, after) in enumerate((*topology, *family))
    ]


def comparison(**more):
    """All parts filled."""
    found = Comparison(
        before="base · coder",
        after="enriched · coder",
        overall=overall(pairs()),
        categories=categories(pairs()),
        tiers=tiers(pairs()),
        generated=overall(pairs()[7:10]),
        fixed=tuple(Flip(case=f"c{n:02}", category="topology", before=0, after=1, label="made_up") for n in range(12)),
        broke=(Flip(case="c10", category="family", before=1, after=0.5, label="over_refused"),),
        empty_categories=("jailbreak",),
        unpaired=("c90: its question differs",),
        verdict=Verdict(word="better", sentence="It is better.", reasons=("18 paired cases",), next_step="look at c10"),
    )
    return replace(found, **more)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_the_verdict_stands_above_the_numbers():
    """Then the table, the cases that flipped, and what was left out."""
    assert comparison_text(comparison(), PLAIN).split("\n") == [
        "base · coder → enriched · coder",
        "",
        "It is better.",
        "  18 paired cases",
        "  next: look at c10",
        "",
        "                  cases  before  after  difference  95 % interval       p  adjusted p",
        "topology             10   0.300  1.000      +0.700  +0.33 to +1.00              0.031  better",
        "family                8   1.000  0.625      −0.375  −1.00 to 0.00               0.250  too few differ",
        "OVERALL              18   0.650  0.812      +0.163  −0.19 to +0.55  0.344              not shown",
        "tier gold            10   0.300  1.000      +0.700  +0.33 to +1.00  0.016              better",
        "tier heldout          8   1.000  0.625      −0.375  −1.00 to 0.00   0.250              too few differ",
        "generated, apart      3   1.000  1.000       0.000                  1.000              nothing differs",
        "",
        "fixed: 12 cases",
        *(f"  c{n:02}  topology  0.00 → 1.00  made up" for n in range(10)),
        "  … and 2 more (--format json has all)",
        "",
        "broke: 1 case",
        "  c10  family  1.00 → 0.50  over refused",
        "",
        "left out of both: 1",
        "  c90: its question differs",
        "",
        "without a case that counts: jailbreak",
    ]


def test_what_is_unanswered_stands_above_the_scores():
    """In red, on a terminal."""
    verdict = Verdict(word="withheld", sentence="No overall difference yet.")
    missing = tuple(f"c{n} × windu × base: 503" for n in range(12))
    found = comparison(overall=None, unanswered=missing, verdict=verdict)
    lines = comparison_text(found, PLAIN).split("\n")
    assert lines[4:9] == [
        "unanswered: 12 requests",
        "  12 × 503",
        "    c0 × windu × base",
        "    c1 × windu × base",
        "    … and 10 more (--format json has all)",
    ]
    assert lines.index("unanswered: 12 requests") < next(n for n, line in enumerate(lines) if "95 % interval" in line)
    assert "\x1b[31;1munanswered: 12 requests\x1b[0m" in comparison_text(found, Painter(colour=True))


def test_what_is_unanswered_is_grouped_by_its_reason():
    """The most frequent reason first, five of them, and no line longer than a terminal bears."""
    missing = [f"c{n} × windu × base: reason {why}{'x' * 500 * (why == 6)}" for why in range(7) for n in range(why + 1)]
    lines = comparison_text(comparison(overall=None, unanswered=tuple(missing)), PLAIN).split("\n")
    at = lines.index("unanswered: 28 requests")
    shown = lines[at + 1 : lines.index("", at)]
    assert [line[:14] for line in shown if " × reason " in line] == [
        f"  {n} × reason {n - 1}"[:14] for n in (7, 6, 5, 4, 3)
    ]
    assert shown[0].endswith("xx …")
    assert max(map(len, shown)) == 400
    assert shown[-1] == "  … and 3 more for other reasons (--format json has all)"


def test_the_reader_finds_more_and_is_never_better():
    """In no row, no word and no colour."""
    text = comparison_text(comparison(reader=True, verdict=Verdict(word="not shown", sentence="17 of 18.")), PLAIN)
    assert "more found" in text
    assert "better" not in text


def test_rows_are_coloured_by_what_they_show():
    """Only on a terminal; a row that shows nothing has no colour."""
    lines = comparison_text(comparison(), Painter(colour=True)).split("\n")
    assert next(line for line in lines if "topology   " in line).startswith("\x1b[32m")
    assert next(line for line in lines if "family   " in line).startswith("family")
    assert "\x1b" not in comparison_text(comparison(), PLAIN)


def test_markdown_is_a_table_and_lists():
    """What a person or a model wrote does not become markup."""
    found = comparison(unpaired=("c<b>|*: its question differs",), unanswered=("c1 × windu × base: 503",))
    text = comparison_markdown(found)
    assert text.startswith("### promptforge: It is better.\nbase · coder → enriched · coder\n\n- 18 paired cases\n")
    assert "- next: look at c10" in text
    assert "**Unanswered: 1 request**\n\n- 1 × 503\n  - c1 × windu × base" in text
    assert "| topology | 10 | 0.300 | 1.000 | +0.700 | +0.33 to +1.00 |  | 0.031 | better |" in text
    assert "**Broke: 1 case**\n\n- c10, family, 1.00 → 0.50, over refused" in text
    assert "- … and 2 more (--format json has all)" in text
    assert "- c&lt;b&gt;\\|\\*: its question differs" in text
    assert text.endswith("Without a case that counts: jailbreak")


def test_json_has_everything():
    """And survives being read back."""
    found = json.loads(json.dumps(comparison_json(comparison())))
    assert found["version"] == 1
    assert found["verdict"]["word"] == "better"
    assert found["overall"]["p"] == 0.34375
    assert found["overall"]["shown"] is False
    assert found["categories"]["topology"]["p_adjusted"] == 0.03125
    assert len(found["fixed"]) == 12
    assert comparison_json(comparison(overall=None))["overall"] is None


# --- arms -------------------------------------------------------------------------------------------------------------


def arm(variant, values, **more):
    """The scores of an arm, all in one category."""
    marks = [Mark(category="topology", cluster=f"c{at}", value=value) for at, value in enumerate(values)]
    settings = {"overall": overall_level(marks), "categories": category_levels(marks)} | more
    scores = tuple(CaseScore(case=f"c{at}", value=value, replies=1) for at, value in enumerate(values))
    return ArmScores(arm=Arm(model="coder", variant=variant), cases=scores, **settings)


def test_arms_stand_side_by_side_with_their_intervals():
    """A withheld score is said to be withheld."""
    full, cut = (
        arm("base", [1] * 28 + [0] * 12),
        arm("enriched", [1] * 31 + [0] * 9, overall=None, unanswered=("c1: 503",)),
    )
    assert arms_text([full, cut], PLAIN).split("\n") == [
        "          base · coder                  enriched · coder",
        "topology  0.700 (0.55 to 0.82, n = 40)  0.775 (0.62 to 0.88, n = 40)",
        "OVERALL   0.700 (0.55 to 0.82, n = 40)  withheld",
        "unanswered: c1: 503",
    ]
    assert [entry["overall"] is None for entry in arms_json([full, cut])] == [False, True]
    assert json.dumps(arms_json([full]))


def test_many_arms_stand_below_each_other():
    """With the overall score, the cases and what is unanswered of each; the categories are in the report."""
    more = [arm(f"without s{n}", [1, 0], reader=n == 1) for n in range(2)]
    cut = arm("enriched", [1, 0], overall=None, states={"answered": 2, "failed": 3, "timed_out": 1})
    assert arms_text([arm("base", [1] * 28 + [0] * 12), *more, cut], PLAIN).split("\n") == [
        "                    OVERALL                n  unanswered  found in the prompt",
        "base · coder        0.700 (0.55 to 0.82)  40",
        "without s0 · coder  0.500 (0.09 to 0.91)   2",
        "without s1 · coder  0.500 (0.09 to 0.91)   2              1 of 2",
        "enriched · coder    withheld                           4",
        "the categories of each: promptforge report",
    ]


def test_answers_that_were_cut_off_are_said_above_the_scores():
    """With what to do about it."""
    arms = [arm("base", [1, 0], states={"truncated": 2}), arm("enriched", [1, 1], states={"truncated": 1})]
    said = "3 answers were cut off, at twice the limit where one is set: raise params.max_tokens"
    assert arms_text(arms, PLAIN).split("\n")[0] == said
    assert "\n1 answer was cut off" in "\n" + arms_text(arms[1:], PLAIN)
    assert "cut off" not in arms_text([arm("base", [1])], PLAIN)


def test_the_reader_counts_what_can_be_found():
    """A count, beside its means."""
    text = arms_text(
        [
            arm(
                "enriched",
                [1] * 3 + [0],
                reader=True,
                generated=overall_level([Mark(category="a", cluster="a", value=1)]),
            )
        ],
        PLAIN,
    )
    assert "found in the prompt  3 of 4" in text
    assert "generated, apart     1.000 (0.21 to 1.00, n = 1)" in text


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(house):
    """The founder's three tables beside a project."""
    for name, scores in (("base", BASE), ("trained", TRAINED), ("enriched", ENRICHED)):
        house.write(f"{name}.json", json.dumps(scores))
    return house


def test_the_founders_table_on_the_command_line(files, pf):
    """Every delta, and no test from category scores alone."""
    done = pf("compare", "base.json", "trained.json")
    assert done.code == 0
    assert done.out.split("\n") == [
        "base.json → trained.json",
        "",
        "Not shown: 0.704 against 0.252 (−0.452) over 8 categories. Scores of categories allow no test.",
        "  −0.45 needs about 19 pass/fail cases of which 54 % differ",
        "  next: compare the scores of cases, or say on how many the categories rest: --cases N",
        "",
        "                 cases  before  after  difference",
        "satellite                0.800  0.200      −0.600",
        "topology                 0.740  0.150      −0.590",
        "home_automation          0.700  0.300      −0.400",
        "correlation              0.650  0.100      −0.550",
        "operations               0.780  0.250      −0.530",
        "tool_precision           0.900  0.167      −0.733",
        "family                   0.560  0.000      −0.560",
        "jailbreak                0.500  0.850      +0.350",
        "OVERALL                  0.704  0.252      −0.452",
        "note: base.json: read as scores of categories; if its names are cases, put them under `cases:`",
        "note: trained.json: read as scores of categories; if its names are cases, put them under `cases:`",
        "",
    ]


def test_forty_cases_say_worse_of_the_loss_and_nothing_of_the_gain(files, pf):
    """And the exit code follows."""
    gain = pf("compare", "base.json", "enriched.json", "--cases", "40", "--discordance", "0.15")
    assert gain.code == 0
    assert "Not shown: 0.704 against 0.765 (+0.061) on 40 pass/fail cases is no evidence" in gain.out
    assert "  next: to see +0.06: about 320 pairs; you have 40" in gain.out
    assert pf("compare", "base.json", "enriched.json", "--cases", "40", "--fail-on", "inconclusive").code == 1
    loss = pf("compare", "base.json", "trained.json", "--cases", "40")
    assert loss.code == 1
    assert "trained.json is worse than base.json: 0.704 against 0.252 (−0.452) on 40 pass/fail cases" in loss.out
    assert "tool_precision       5   0.900  0.167      −0.733" in loss.out


def test_categories_as_json_and_markdown(files, pf):
    """For programs, and for a pull request."""
    found = json.loads(pf("compare", "base.json", "enriched.json", "--cases", "40", "--format", "json").out)
    assert (found["version"], found["verdict"]["word"], found["needed"]) == (1, "not shown", 312)
    assert found["p"] == {"least": 0.25, "most": 1.0}
    assert found["categories"]["topology"]["difference"] == pytest.approx(0.06)
    text = pf("compare", "base.json", "enriched.json", "--format", "markdown").out
    assert text.startswith("### promptforge: Not shown: 0.704 against 0.765 (+0.061) over 8 categories.")
    assert "| home\\_automation |  | 0.700 | 0.800 | +0.100 |" in text
    assert "Note: base.json: read as scores of categories" in text


def test_an_equal_share_of_the_cases_is_rounded(files, pf):
    """Forty cases of three categories are about 13 each, in text and in Markdown; programs get the share."""
    for name in ("base", "enriched"):
        files.write(f"{name}.json", '{"a": 0.5, "b": 0.6, "c": 0.7}')
    both = ("compare", "base.json", "enriched.json", "--cases")
    assert "a        about 13   0.500" in pf(*both, "40").out
    assert "| a | about 13 | 0.500 |" in pf(*both, "40", "--format", "markdown").out
    assert "\na              13   0.500" not in pf(*both, "39").out
    assert "\na           13   0.500" in pf(*both, "39").out
    assert "\na        under 1   0.500" in pf(*both, "2").out
    found = json.loads(pf(*both, "40", "--format", "json").out)
    assert found["categories"]["a"]["cases"] == pytest.approx(40 / 3)


def test_an_option_that_means_nothing_here_is_refused(files, pf):
    """With what it is for, and exit code 2."""
    files.write("a.json", '{"cases": {"x": 1, "y": 0}}')
    files.write("b.json", '{"cases": {"x": 1, "y": 1}}')
    tables, cases = ("base.json", "enriched.json"), ("a.json", "b.json")
    both = "a.json and b.json hold scores of cases"
    for sides, option, said in (
        (tables, ("--run", "latest"), "--run is for runs: A and B are two files of scores"),
        (tables, ("--model", "local"), "--model is for runs: A and B are two files of scores"),
        (cases, ("--cases", "20"), f"--cases is for scores of categories: {both}, and their number is known"),
        (
            cases,
            ("--discordance", "0.15"),
            f"--discordance is for scores of categories: {both}, and which of them differ",
        ),
        (("base", "enriched"), ("--cases", "20"), "--cases is for two files of scores: there is no file 'base'"),
        (("base", "enriched"), ("--discordance", "0.1"), "--discordance is for two files of scores: there is no file"),
    ):
        done = pf("compare", *sides, *option)
        assert done.code == 2
        assert said in done.err
        assert f"hint: leave {option[0]} out" in done.err


def test_a_discordance_that_cannot_be_is_raised_and_said(files, pf):
    """Where the table itself shows that more cases differ; one that can be is taken as it is."""
    both = ("compare", "base.json", "enriched.json", "--cases", "40", "--discordance")
    raised = pf(*both, "0.01").out
    assert (
        "note: a discordance of 1 % cannot be: for these scores at least 6.1 % of the cases differ, and so many are taken"
        in raised
    )
    assert "of which 6.1 % differ" in raised
    assert "cannot be" not in pf(*both, "0.15").out
    assert "cannot be" not in pf("compare", "base.json", "trained.json").out


@pytest.fixture
def two_days(house, pf):
    """Runs of two days, by a reader, with ids of a day each."""
    house.write(
        "promptforge.yaml",
        "name: hut\nbudget: 2000\nmodels:\n  cloud: {backend: reader, tier: cloud}\n  local: {backend: reader, tier: local}\n",
    )
    house.write("suites/lab.yaml", SUITE)
    assert pf("bench").code == 0
    with open_store(house.root) as store:
        (head,) = store.runs()
        body = store.run(head.id)
        store.prune(before="9999")
        for day in ("20261120T091405-0a01", "20261122T091405-0b02"):
            store.put_run(replace(head, id=day), {**body, "id": day})
    return house


def test_runs_are_named_by_their_day(two_days, pf):
    """With dashes and without, and with the hour; `latest` is one of them."""
    first, second = "20261120T091405-0a01", "20261122T091405-0b02"
    for before, after in (
        (first, second),
        ("2026-11-20", "2026-11-22"),
        ("20261120", "2026-11-22T09"),
        ("2026-11-20", "latest"),
    ):
        done = pf("compare", before, after)
        assert "has no arm" not in done.err
        assert done.out.startswith("enriched · "), done.err
    done = pf("compare", "2026-11-20", "2026-11-23")
    assert done.code == 2
    assert "no run '2026-11-23'" in done.err
    assert "no run '2026-11-18'" in pf("compare", "2026-11-18", "2026-11-19").err
    assert "'enriched' is no run, while the other one is" in pf("compare", "2026-11-20", "enriched").err
    said = pf("compare", "2026-11-20", "2026-11-22", "--run", "latest")
    assert said.code == 2
    assert "--run is for variants: 2026-11-20 and 2026-11-22 are runs themselves" in said.err
    assert "has no arm '2026-11-20'" in pf("compare", "2026-11-20", "enriched", "--run", first).err


@pytest.mark.parametrize("age", ["14d", "14"])
def test_an_age_is_written_as_in_the_projects_file(two_days, pf, age):
    """With its letter, or bare."""
    assert "forgot" in pf("history", "prune", "--older-than", age).err


@pytest.mark.parametrize("age", ["2w", "-1", "d", "1.5d"])
def test_an_age_that_is_none(two_days, pf, age):
    """What is meant is said."""
    with pytest.raises(click.BadParameter) as caught:
        pf("history", "prune", f"--older-than={age}")
    assert caught.value.format_message().endswith(f"'{age}' is no number of days: write 14d, or 14.")


def test_where_a_report_went_is_said_as_it_was_named(two_days, pf, tmp_path_factory):
    """A path outside the project is no chain of dots; one in it is said from where we are."""
    outside = tmp_path_factory.mktemp("elsewhere") / "deep" / "x.html"
    assert f"wrote {outside}\n" in pf("report", "--output", str(outside)).err
    assert "wrote build/reports/20261122T091405-0b02.html\n" in pf("report").err
    logs = outside.parent / "logs"
    assert str(logs) in pf("export", "inspect", "--output", str(logs)).out
    prompts = outside.parent / "prompts.json"
    assert str(prompts) in pf("build", "--output", str(prompts)).out


def test_a_path_is_said_from_where_we_are_as_long_as_it_is_ours(tmp_path):
    """In the project from any folder of it; from outside only what lies below."""
    root = tmp_path / "house"
    report = root / "build" / "x.html"
    assert said_path(report, root, start=root) == "build/x.html"
    assert said_path(report, root, start=root / "agents") == "../build/x.html"
    assert said_path(report, root, start=tmp_path) == "house/build/x.html"
    assert said_path(report, root, start=tmp_path / "other") == str(report)
    assert said_path(tmp_path / "x.html", root, start=root) == str(tmp_path / "x.html")
    assert said_path(Path("/no/such/x.html"), root) == "/no/such/x.html"
    assert said_path(Path("../../../x.html"), root) == "../../../x.html"


def test_a_category_of_one_file_only_is_listed(files, pf):
    """In text and in Markdown."""
    files.write("other.yaml", "topology: 1\nfun: 1\n")
    files.write("topology.yaml", "topology: 0.5\n")
    assert "left out of both: 1\n  fun: only in other.yaml\n" in pf("compare", "topology.yaml", "other.yaml").out
    text = pf("compare", "topology.yaml", "other.yaml", "--format", "markdown").out
    assert "Left out of both: 1\n\n- fun: only in other.yaml\n" in text


def test_case_scores_are_tested(files, pf):
    """By the sign flip, with the names of what flipped."""
    for name, score in (("one", 0), ("two", 1)):
        files.write(f"{name}.csv", "case,category,score\n" + "".join(f"c{n},topology,{score}\n" for n in range(8)))
    done = pf("compare", "one.csv", "two.csv")
    assert "two.csv is better than one.csv: 0.000 → 1.000" in done.out
    assert "fixed: 8 cases" in done.out
    assert pf("compare", "two.csv", "one.csv").code == 1


def test_a_file_that_is_none_of_scores(files, pf):
    """What, where, and how to mend it."""
    files.write("bad.json", '{"a": 70.4}')
    done = pf("compare", "base.json", "bad.json")
    assert done.code == 2
    assert done.err == (
        "error: bad.json: the score of 'a' is 70.4, not between 0 and 1\n"
        "  hint: scores are shares: divide percentages by 100\n"
    )


def test_a_missing_score_withholds_the_verdict_of_files(files, pf):
    """With the exit code of a run whose requests are unanswered; who fell silent is not called better."""
    files.write("m1.csv", "case,category,score\n" + "".join(f"c{n},ab,{int(n <= 12)}\n" for n in range(1, 21)))
    files.write("m2.csv", "case,category,score\n" + "".join(f"c{n},ab,{'' if n <= 12 else 1}\n" for n in range(1, 21)))
    done = pf("compare", "m1.csv", "m2.csv")
    assert done.code == 4
    assert done.out.split("\n")[2:9] == [
        "No overall difference yet: 12 of 40 scores of the cases in both files are missing.",
        "  a missing score is never a zero, and leaving it out would favour whoever failed",
        "  next: complete m2.csv",
        "",
        "missing: 12 scores",
        "  12 × no score in m2.csv",
        "    c1",
    ]
    assert "OVERALL" not in done.out
    assert pf("compare", "m1.csv", "m2.csv", "--fail-on", "never").code == 0
    files.write("a.json", '{"a": 1, "b": null}')
    files.write("b.json", '{"a": 1, "b": 1}')
    assert "OVERALL" not in pf("compare", "a.json", "b.json").out
    assert (
        "**Missing: 1 score**\n\n- 1 × no score in a.json\n  - b\n"
        in pf("compare", "a.json", "b.json", "--format", "markdown").out
    )
    assert json.loads(pf("compare", "a.json", "b.json", "--format", "json").out)["overall"] is None


def test_files_without_a_common_case_cannot_be_used(files, pf):
    """Exit code 2, and a hint for files."""
    files.write("one.csv", "case,score\na,1\n")
    files.write("two.csv", "case,score\nb,1\n")
    done = pf("compare", "one.csv", "two.csv")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: one.csv and two.csv have no scored case in common: a in one.csv, b in two.csv, …\n"
        "  hint: the names of the cases must be the same in both files\n"
    )


def test_a_bound_that_is_not_zero_is_not_shown_as_zero():
    """A verdict beside '0.00 to +0.05' reads as a contradiction."""
    assert spread(0.0031, 0.0521) == "+0.003 to +0.052"
    assert spread(-0.000012, 0.05) == "−0.00001 to +0.05000"
    assert spread(0.0, 0.05) == "0.00 to +0.05"
    assert spread(1e-12, 0.05) == "0.00 to +0.05"
    assert spread(-0.25, 0.5) == "−0.25 to +0.50"


def test_one_rule_writes_every_interval_of_differences():
    """What bench shows as +0.004 to +0.060 is no +0.00 to +0.06 in explain, advice or a gate's page."""
    effect = replace(overall(pairs()), low=0.0041, high=0.0604)
    assert "+0.004 to +0.060" in cells("OVERALL", effect)
    worth = Worth(section="ports", model="coder", run="r1", tokens=1.0, effect=effect)
    assert explain._worth(worth) == f"{signed(effect.estimate)} (+0.004 to +0.060)"
    assert "95 % interval +0.004 to +0.060" in advise._effect(effect)
    package = Path(explain.__file__).parents[1]
    ways = [path for path in package.rglob("*.py") if re.search(r"signed\([\w.]*\blow\b", path.read_text("utf-8"))]
    assert sorted(path.name for path in ways) == ["figures.py", "verdicts.py"]


def test_what_was_not_sent_stands_apart_from_its_reason():
    """Three requests were sent, and the rest were not: no count says otherwise."""
    sent = [f"c{n} × windu × base: it sent a web page" for n in range(3)]
    not_sent = [f"c{n} × windu × base: not sent: it sent a web page" for n in range(3, 8)]
    lines = comparison_text(comparison(overall=None, unanswered=(*not_sent, *sent)), PLAIN).split("\n")
    at = lines.index("unanswered: 8 requests")
    assert lines[at + 1 : lines.index("", at)] == [
        "  3 × it sent a web page",
        "    c0 × windu × base",
        "    c1 × windu × base",
        "    … and 1 more (--format json has all)",
        "  5 × not sent because of that",
        "    c3 × windu × base",
        "    c4 × windu × base",
        "    … and 3 more (--format json has all)",
    ]
