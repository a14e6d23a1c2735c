"""Files of scores that promptforge did not make: read, refused, and held against each other."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.bench.comparefiles import CategoryComparison, compare_scores
from promptforge.bench.results import Comparison
from promptforge.bench.scorefiles import read_scores
from promptforge.errors import InputError
from strategies import tries

CATEGORIES = (
    "satellite",
    "topology",
    "home_automation",
    "correlation",
    "operations",
    "tool_precision",
    "family",
    "jailbreak",
)
BASE = dict(zip(CATEGORIES, (0.8, 0.74, 0.7, 0.65, 0.78, 0.9, 0.56, 0.5), strict=True))
TRAINED = dict(zip(CATEGORIES, (0.2, 0.15, 0.3, 0.1, 0.25, 0.167, 0.0, 0.85), strict=True))
ENRICHED = dict(zip(CATEGORIES, (0.9, 0.8, 0.8, 0.7, 0.78, 0.9, 0.6, 0.64), strict=True))
"""The means are the founder's (0.704, 0.252, 0.765); how they are made up of categories is invented."""


@pytest.fixture
def written(tmp_path):
    """Writes a file of scores, and reads it."""

    def write(content, name="scores.json", **options):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return read_scores(path, **options)

    return write


def pair(written, before, after, **options):
    """Two files, compared."""
    return compare_scores(written(before, "before.json"), written(after, "after.json"), **options)


# --- the founder's table ----------------------------------------------------------------------------------------------


def test_the_founders_table_is_reproduced(written):
    """0.704 before and 0.252 after training, and every delta."""
    found = pair(written, BASE, TRAINED)
    assert (f"{found.overall_before:.3f}", f"{found.overall_after:.3f}") == ("0.704", "0.252")
    assert round(found.delta, 3) == -0.452
    assert [round(row.delta, 3) for row in found.rows] == [-0.6, -0.59, -0.4, -0.55, -0.53, -0.733, -0.56, 0.35]
    assert found.verdict.word == "not shown"
    assert found.verdict.sentence.endswith(
        "0.704 against 0.252 (−0.452) over 8 categories. Scores of categories allow no test."
    )
    assert found.verdict.next_step == "compare the scores of cases, or say on how many the categories rest: --cases N"


def test_the_gain_of_the_enriched_prompt_is_not_shown_on_forty_cases(written):
    """0.704 against 0.765: three flips at the best, and 320 cases would be needed where 15 % differ."""
    found = pair(written, BASE, ENRICHED, cases=40)
    assert found.verdict.word == "not shown"
    assert found.verdict.sentence == (
        "Not shown: 0.704 against 0.765 (+0.061) on 40 pass/fail cases is no evidence, however these pair up."
    )
    assert found.verdict.reasons == (
        "p = 0.25 at least, by exact McNemar",
        "+0.06 needs about 320 pass/fail cases of which 15 % differ",
        "the smallest difference that 40 cases show at 80 % power, of which 15 % differ: none",
        "taken to be pass/fail, each resting on facts of its own",
    )
    assert found.verdict.next_step == "to see +0.06: about 320 pairs; you have 40"
    assert (found.needed, found.detectable, found.least_p) == (312, None, 0.25)


def test_the_loss_by_training_is_shown_on_forty_cases(written):
    """18 of 40: even the pairing that hides most of it leaves 0.005."""
    found = pair(written, BASE, TRAINED, cases=40)
    assert found.verdict.word == "worse"
    assert "0.704 against 0.252 (−0.452) on 40 pass/fail cases, however these pair up" in found.verdict.sentence
    assert found.verdict.reasons[0] == "p = 0.0046 at most, by exact McNemar"
    assert found.discordance == pytest.approx(0.539, abs=0.001)
    assert pair(written, TRAINED, BASE, cases=40).verdict.word == "better"


def test_between_the_two_the_pairing_decides(written):
    """0.4 against 0.7 on 40: 12 flips one way, or 24 + 12."""
    found = pair(written, {"a": 0.4}, {"a": 0.7}, cases=40)
    assert found.verdict.word == "not shown"
    assert found.verdict.sentence == (
        "Not shown: 0.400 against 0.700 (+0.300) on 40 pass/fail cases may be evidence or not, by how these pair up."
    )
    assert found.verdict.reasons[0] == "between p = 0.00049 and p = 0.065, by exact McNemar"
    assert found.least_p <= 0.05 < found.most_p
    assert found.verdict.next_step == "compare the scores of cases"


def test_a_stated_discordance_is_used(written):
    """Fewer differing cases, fewer needed; never less than the table itself needs."""
    found = pair(written, BASE, ENRICHED, cases=40, discordance=0.08)
    assert (found.discordance, found.needed) == (0.08, 165)
    assert pair(written, BASE, ENRICHED, discordance=0.01).discordance == pytest.approx(0.06125)


@tries(150)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=4),
)
def test_no_pairing_of_cases_escapes_the_bounds(tmp_path_factory, counts):
    """Cases paired in any way have a McNemar between the least and the most that their category scores allow."""
    from promptforge.bench.stats import mcnemar

    size = 18
    folder = tmp_path_factory.mktemp("scores")
    before = {f"k{at}": {"score": (fell + same) / size, "n": size} for at, (_, fell, same) in enumerate(counts)}
    after = {f"k{at}": {"score": (rose + same) / size, "n": size} for at, (rose, _, same) in enumerate(counts)}
    files = []
    for name, scores in (("a.json", before), ("b.json", after)):
        (folder / name).write_text(json.dumps(scores))
        files.append(read_scores(folder / name))
    found = compare_scores(*files)
    p = mcnemar(sum(rose for rose, _, _ in counts), sum(fell for _, fell, _ in counts))
    assert found.least_p - 1e-12 <= p <= found.most_p + 1e-12


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"topology": 0.5, "family": 1}'),
        ("a.json", '{"topology": {"score": 0.5}, "family": {"score": 1.0}}'),
        ("a.json", '{"categories": {"topology": 0.5, "family": true}}'),
        ("a.json", '[{"category": "topology", "score": 0.5}, {"category": "family", "value": 1}]'),
        ("a.yaml", "topology: 0.5\nfamily: 1\n"),
        ("a.yml", "categories:\n  - {category: topology, score: 0.5}\n  - {category: family, mean: 1e0}\n"),
        ("a.csv", "category,score\ntopology,0.5\nfamily,1\n"),
        ("a.csv", "﻿Category, Score\r\ntopology,0.5\r\nfamily,1\r\n"),
        ("a.jsonl", '{"category": "topology", "score": 0.5}\n\n{"category": "family", "score": 1}\n'),
        ("a.json", '{"topology": 0.5, "family": 1, "OVERALL": 0.75}'),
    ],
)
def test_scores_of_categories_in_every_shape(written, name, content):
    """One meaning."""
    found = written(content, name)
    assert found.kind == "categories"
    assert [(row.name, row.score) for row in found.rows] == [("topology", 0.5), ("family", 1.0)]
    assert not found.notes


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"cases": {"c1": 0.5, "c2": 1}}'),
        ("a.json", '[{"case": "c1", "score": 0.5}, {"id": "x", "case": "c2", "score": 1}]'),
        ("a.json", '[{"id": "c1", "score": 0.5, "category": "family"}, {"id": "c2", "score": 1}]'),
        ("a.json", '{"c1": {"score": 0.5, "category": "family"}, "c2": {"score": 1}}'),
        ("a.yaml", "cases:\n  - {case: c1, score: 0.5}\n  - {case: c2, score: true}\n"),
        ("a.csv", "id,category,cluster,score\nc1,family,k,0.5\nc2,family,k,1\n"),
        ("a.jsonl", '{"id": "c1", "score": 0.5}\n{"id": "c2", "score": 1}\n'),
    ],
)
def test_scores_of_cases_in_every_shape(written, name, content):
    """One meaning."""
    found = written(content, name)
    assert found.kind == "cases"
    assert [(row.name, row.score) for row in found.rows] == [("c1", 0.5), ("c2", 1.0)]


def test_many_bare_names_are_cases(written):
    """A suite has a few categories and many cases; the file, the caller or the other file may say otherwise."""
    names = {f"c{n}": n % 2 for n in range(21)}
    assert written(names).kind == "cases"
    assert written(names, kind="categories").kind == "categories"
    assert written({"a": 1}, kind="cases").kind == "cases"
    assert isinstance(pair(written, {"c1": 1, "c2": 0}, {"cases": {"c1": 1, "c2": 1}}), Comparison)
    assert isinstance(pair(written, names, names, cases=40), CategoryComparison)
    assert isinstance(pair(written, {"c1": 1}, names), Comparison)


def test_bare_names_are_said_to_be_read_as_categories(written):
    """Where nobody said which they are."""
    assert (
        pair(written, {"a": 1}, {"a": 0})
        .notes[0]
        .endswith("before.json: read as scores of categories; if its names are cases, put them under `cases:`")
    )
    assert not pair(written, {"a": 1}, {"a": 0}, cases=5).notes


# --- pairing ----------------------------------------------------------------------------------------------------------


def test_scores_of_cases_are_tested(written):
    """By the same code as runs are."""
    before = [{"case": f"c{n}", "category": "ab"[n % 2], "score": 0} for n in range(12)]
    after = [{**row, "score": 1} for row in before]
    found = pair(written, before, after)
    assert found.verdict.word == "better"
    assert (found.overall.cases, list(found.categories), found.mcnemar) == (12, ["a", "b"], 2 / 2**12)
    assert len(found.fixed) == 12


def test_clusters_of_a_file_are_heeded(written):
    """Twelve questions on two facts are two."""
    before = [{"case": f"c{n}", "cluster": f"k{n % 2}", "score": 0} for n in range(12)]
    found = pair(written, before, [{**row, "score": 1} for row in before])
    assert (found.overall.clusters, found.overall.p, found.mcnemar) == (2, 0.5, None)


def test_what_cannot_be_paired_is_listed(written):
    """A missing score is never a zero."""
    before = [{"case": "c1", "category": "a", "score": 1}, {"case": "c2", "score": 1}, {"case": "c3", "score": 1}]
    after = [{"case": "c1", "category": "b", "score": 1}, {"case": "c2", "score": None}, {"case": "c4", "score": 1}]
    found = pair(written, before, after)
    assert found.overall is None
    assert [text.split(" in ")[0] for text in found.unpaired] == ["c1: its category differs", "c4: only", "c3: only"]
    assert [text.split(" in ")[0] for text in found.unanswered] == ["c2: no score"]
    table = pair(written, {"a": 1, "b": 1, "c": None}, {"a": 0, "c": 1, "d": 1})
    assert [row.category for row in table.rows] == ["a"]
    assert [text.split(" in ")[0] for text in table.unpaired] == ["b: only", "d: only"]
    assert [text.split(" in ")[0] for text in table.unanswered] == ["c: no score"]


def test_no_verdict_is_drawn_from_the_survivors(written):
    """Who answered only what he knew is not better than who answered everything."""
    every = "case,category,score\n" + "".join(f"c{n},ab,{int(n <= 12)}\n" for n in range(1, 21))
    some = "case,category,score\n" + "".join(f"c{n},ab,{'' if n <= 12 else 1}\n" for n in range(1, 21))
    found = compare_scores(written(every, "m1.csv"), written(some, "m2.csv"))
    assert (found.verdict.word, found.overall, dict(found.categories)) == ("withheld", None, {})
    said = "No overall difference yet: 12 of 40 scores of the cases in both files are missing."
    assert found.verdict.sentence == said
    assert found.verdict.next_step.endswith("m2.csv")
    assert (len(found.unanswered), found.unpaired) == (12, ())


def test_a_category_that_is_whole_is_still_shown(written):
    """Beside the one that is not."""
    before = [{"case": f"c{n}", "category": "ab"[n % 2], "score": 0} for n in range(20)]
    after = [{**row, "score": None if n == 0 else 1} for n, row in enumerate(before)]
    found = pair(written, before, after)
    assert (found.verdict.word, list(found.categories)) == ("withheld", ["b"])
    assert found.verdict.sentence.endswith("1 of 40 scores of the cases in both files is missing.")


def test_a_category_without_a_score_withholds_the_whole(written):
    """The mean of the others is a mean of survivors."""
    found = pair(written, {"a": 0.5, "b": None}, {"a": 0.9, "b": 0.1}, cases=40)
    assert (found.verdict.word, found.least_p, found.needed) == ("withheld", None, None)
    assert "1 of 4 scores of the categories in both files is missing" in found.verdict.sentence


def test_cases_of_one_file_only_are_said_beside_the_verdict(written):
    """A file may leave out what nobody answered."""
    before = [{"case": f"c{n}", "score": 0} for n in range(9)]
    found = pair(written, before, [{**row, "score": 1} for row in before[:7]])
    assert found.verdict.reasons[-1].startswith("2 cases are in one file only, and in no number here")


def test_what_broke_most_is_named_first(written):
    """The largest fall first, in a file as in a run."""
    before = [{"case": f"c{n}", "score": 1} for n in range(4)]
    after = [{"case": f"c{n}", "score": score} for n, score in enumerate((0.9, 0.2, 0.5, 0))]
    assert [flip.case for flip in pair(written, before, after).broke] == ["c3", "c1", "c2", "c0"]


def test_repeats_of_a_case_are_averaged(written):
    """And said; one that is missing leaves the case without a score."""
    rows = [{"case": "c1", "score": s} for s in (1, 0, 0.5)] + [{"case": "c2", "score": 1}, {"case": "c2", "score": ""}]
    found = written(rows)
    assert [(row.name, row.score) for row in found.rows] == [("c1", 0.5), ("c2", None)]
    assert found.notes == ("listed more than once and averaged: 2 of 2 cases",)


def test_cases_against_categories_are_averaged(written):
    """What both have is compared."""
    cases = [{"case": "c1", "category": "a", "score": 1}, {"case": "c2", "category": "a", "score": 0}]
    found = pair(written, cases, {"categories": {"a": 0.75}})
    assert (found.rows[0].before, found.rows[0].after, found.cases) == (0.5, 0.75, 2)
    assert found.notes[0].endswith("its cases are averaged by category, because the other file has only categories")


def test_an_overall_that_is_not_the_mean_is_noted(written):
    """It may be weighted otherwise; it is no category."""
    found = written({"a": 0.5, "b": 0.7, "Overall": 0.65})
    assert [row.name for row in found.rows] == ["a", "b"]
    assert found.notes == ("its OVERALL is 0.650, and the mean of its categories 0.600",)


def test_numbers_of_cases_in_the_files_are_used(written):
    """The fewer where the two disagree, which is noted."""
    found = pair(
        written, {"a": {"score": 0.5, "n": 10}, "b": {"score": 0.5, "n": 4}}, {"a": {"score": 1, "n": 8}, "b": 0.5}
    )
    assert (found.cases, [row.cases for row in found.rows]) == (12, [8, 4])
    assert "a: 10 cases before and 8 after; taken as 8" in found.notes


def test_a_direction_that_the_numbers_of_cases_turn_is_not_called(written):
    """The mean over categories rises while more cases fall: the bound of the cases says nothing of the mean."""
    before = {"small": {"score": 0, "n": 1}, "large": {"score": 1, "n": 100}}
    after = {"small": {"score": 1, "n": 1}, "large": {"score": 0.7, "n": 100}}
    found = pair(written, before, after)
    assert found.delta > 0
    assert found.most_p == 1.0
    assert found.verdict.word == "not shown"


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message", "hint"),
    [
        ("a.txt", "x", "not a file of scores by its name", "scores are read from .csv, .json, .jsonl, .yaml, .yml"),
        ("a.json", "{", "a.json:1:2: not JSON: Expecting property name", "mend it, or export it again"),
        ("a.jsonl", '{"id": "a", "score": 1}\n{"id"', "a.jsonl:2:6: not JSON", "mend it"),
        ("a.json", '{"a": 1, "a": 0}', "'a' is there twice", "{category: score}"),
        ("a.json", '{"a": NaN}', "NaN is no score", "{category: score}"),
        ("a.json", "[" * 100_000, "nested too deeply", "{category: score}"),
        ("a.json", '"text"', "it holds neither a mapping nor a list", "{category: score}"),
        ("a.json", "{}", "it holds no scores", "{category: score}"),
        ("a.json", "[]", "no entry has a 'case', an 'id' or a 'category'", "{category: score}"),
        ("a.json", '[{"score": 1}]', "no entry has a 'case', an 'id' or a 'category'", "{category: score}"),
        ("a.json", '[{"id": "a", "score": 1}, 7]', "a.json: entry 2: no 'id'", "every entry needs one"),
        ("a.json", '[{"id": "a"}]', "a.json: entry 1: 'a' has no 'score'", "an empty one says that it is missing"),
        ("a.json", '{"a": "good"}', "the score of 'a' is no number: 'good'", "{category: score}"),
        ("a.json", '{"a": [1]}', "the score of 'a' is no number: '[1]'", "{category: score}"),
        ("a.json", '{"a": 70.4}', "the score of 'a' is 70.4, not between 0 and 1", "divide percentages by 100"),
        ("a.json", '{"a": -0.1}', "the score of 'a' is -0.1, not between 0 and 1", "divide percentages by 100"),
        ("a.json", '{"a": {"score": 1, "n": 0}}', "the number of cases of 'a' is 0", "a whole number above 0"),
        ("a.json", '{"OVERALL": 0.5}', "it holds an OVERALL and no category", "{category: score}"),
        (
            "a.csv",
            "name,score\na,1\n",
            "a.csv:1: no column 'case', 'id' or 'category'",
            "the first line names the columns",
        ),
        ("a.csv", 'id,score\n"a,1\n', "not CSV: unexpected end of data", "mend it"),
        ("a.csv", "id,score\na,2\n", "a.csv:2: the score of 'a' is 2, not between 0 and 1", "divide"),
        ("a.csv", "id,score\na,1\nb,good\n", "a.csv:3: the score of 'b' is no number: 'good'", "case,category,score"),
        ("a.csv", 'id,score\na,"0,5"\n', "a.csv:2: the score of 'a' has a decimal comma: '0,5'", "with a point"),
        ("a.csv", "id;score\na;1\n", "a.csv:1: its columns are separated by semicolons", "with commas"),
        ("a.csv", "id\tscore\na\t1\n", "a.csv:1: its columns are separated by tabs", "with commas"),
        ("a.csv", "\n", "a.csv: it is empty", "case,category,score"),
        ("a.csv", "id,score\n", "a.csv: it holds no scores", "case,category,score"),
        ("a.json", "", "a.json: it is empty", "{category: score}"),
        ("a.jsonl", '{"id": "a", "score": 1}\n\n{"id": "b"}\n', "a.jsonl:3: 'b' has no 'score'", "an empty one"),
        ("a.csv", "category,score\na,1\na,0\n", "category 'a' is there twice", "one score for each category"),
        ("a.yaml", "a: [1\n", "a.yaml:2", ""),
        ("a.yaml", "", "a.yaml: it is empty", "{category: score}"),
    ],
)
def test_what_is_no_file_of_scores_is_refused(written, name, content, message, hint):
    """Each in its own words: what, where, and how to mend it."""
    with pytest.raises(InputError) as refused:
        written(content, name)
    assert message in refused.value.message
    assert hint in refused.value.hint


def test_a_file_that_is_not_there_or_no_text(tmp_path):
    """As the system says it."""
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_scores(tmp_path / "none.json")
    (tmp_path / "latin.csv").write_bytes(b"case,score\nk\xfcche,1\n")
    with pytest.raises(InputError, match="byte 13 is not UTF-8"):
        read_scores(tmp_path / "latin.csv")


def test_a_file_that_is_too_large_is_refused_by_its_size(tmp_path):
    """Without reading it."""
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(InputError, match="it has 68,157,440 bytes, and the limit is 64 MB"):
        read_scores(tmp_path / "huge.json")


def test_what_two_files_cannot_mean_is_refused(written):
    """Options that contradict the files, and files that contradict each other."""
    with pytest.raises(InputError, match="holds scores of cases, not of categories"):
        written({"cases": {"a": 1}}, kind="categories")
    with pytest.raises(InputError, match=r"no scored category in common: a in .*, b in ") as refused:
        pair(written, {"a": 1}, {"b": 1})
    assert refused.value.hint == "the names of the categories must be the same in both files"
    with pytest.raises(InputError, match=r"no scored case in common: c1 in .*, d1 in ") as refused:
        pair(written, {"cases": {"c1": 1}}, {"cases": {"d1": 1}})
    assert refused.value.hint == "the names of the cases must be the same in both files"
    with pytest.raises(InputError, match=r"after\.json holds scores of categories, and .*before\.json of cases"):
        pair(written, [{"case": "c1", "category": "b", "score": 1}], {"categories": {"a": 1}})
    with pytest.raises(InputError, match=r"of one category in both: c1: its category differs"):
        pair(written, [{"id": "c1", "category": "b", "score": 1}], [{"id": "c1", "category": "a", "score": 1}])
    with pytest.raises(InputError, match="case 'c1' has no category, and the other file has only categories"):
        pair(written, {"cases": {"c1": 1}}, {"categories": {"a": 1}})
    with pytest.raises(InputError, match="--cases 7, and the files say 10"):
        pair(written, {"a": {"score": 1, "n": 10}}, {"a": 0}, cases=7)
    with pytest.raises(InputError, match="0 cases cannot have scores"):
        pair(written, {"a": 1}, {"a": 0}, cases=0)
    with pytest.raises(InputError, match=r"a discordance of 1\.5 cannot be"):
        pair(written, {"a": 1}, {"a": 0}, discordance=1.5)
