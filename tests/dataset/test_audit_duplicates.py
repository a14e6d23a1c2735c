"""Copies and near duplicates: all of them, and nothing else."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from audited import audited, chat, finding, write
from promptforge.dataset.duplicates import Copies, Near
from promptforge.dataset.findings import DEFAULT_LIMITS
from strategies import tries


def runs(text):
    words = text.lower().split()
    return {tuple(words[n : n + 3]) for n in range(max(1, len(words) - 2))}


def by_brute_force(texts):
    sets = [runs(text) for text in texts]
    paired = {}
    for one, mine in enumerate(sets):
        for other, theirs in enumerate(sets):
            shared = len(mine & theirs)
            if (
                one != other
                and texts[one].split()
                and texts[other].split()
                and 10 * shared >= 7 * (len(mine) + len(theirs) - shared)
            ):
                paired.setdefault(one, set()).add(other)
    return paired


@st.composite
def templated(draw):
    """Rows as templates make them: whole runs of words are shared, and some words differ."""
    words = [f"w{n}" for n in range(draw(st.integers(2, 12)))]
    patterns = draw(st.lists(st.lists(st.sampled_from(words), min_size=0, max_size=24), min_size=1, max_size=4))
    texts = []
    for _ in range(draw(st.integers(2, 24))):
        text = list(draw(st.sampled_from(patterns)))
        for _ in range(draw(st.integers(0, 3))):
            if text:
                text[draw(st.integers(0, len(text) - 1))] = draw(st.sampled_from([*words, "x", "y", "z"]))
        texts.append(" ".join(text))
    return texts


@tries(300)
@given(templated())
def test_the_join_finds_every_row_with_a_near_duplicate_and_no_other(texts):
    """Recall and precision are 1, held against comparing all with all."""
    near = Near()
    for number, text in enumerate(texts):
        near.add(number, text)
    found = list(near.twins())
    truth = by_brute_force(texts)
    assert sorted(twin.row for twin in found) == sorted(truth)
    for twin in found:
        assert twin.other in truth[twin.row]
        mine, theirs = runs(texts[twin.row]), runs(texts[twin.other])
        assert twin.jaccard == len(mine & theirs) / len(mine | theirs)


def test_copies_are_copies_whatever_their_white_space_and_case():
    copies = Copies(3)
    assert [copies.add(text) for text in ("A  b", "a B", "c", "a b")] == [None, 0, None, None]
    assert (copies.copies, copies.rows, copies.complete) == (1, 4, False)


def test_system_prompts_are_left_out(tmp_path):
    """Rows that share a long prompt are not alike for that; rows that differ only in it are."""
    long = "You are an agent of the house. " * 50
    unlike = [chat(f"Question number {n} of {n * 17}?", f"Answer {n * n} and {n + 5}.", system=long) for n in range(30)]
    alike = [chat("Where is the cat now?", "In the kitchen, as ever.", system=f"You are {name}.") for name in "ab"]
    found = audited(write(tmp_path / "rows.jsonl", unlike + alike))
    assert (found.exact, found.near) == (1, 0)
    copy = finding(found, "duplicate.exact")
    assert copy.level == "flag"
    assert copy.text == "1 exact copy of an earlier row, 3.1%, system prompts left out"
    assert str(copy.places[0]).endswith(f":32: a copy of {tmp_path / 'rows.jsonl'}:31")


def test_worked_examples_that_rows_share_are_left_out(tmp_path):
    shared = [{"role": "user", "content": "one two three " * 20}, {"role": "assistant", "content": "four five " * 20}]
    records = []
    for n in range(10):
        record = chat(f"What of {n}?", f"It is {n * 31} of {n}.")
        records.append({"messages": shared + record["messages"]})
    assert audited(write(tmp_path / "rows.jsonl", records)).near == 0


def test_beyond_the_stated_number_it_says_not_checked(tmp_path):
    limits = replace(DEFAULT_LIMITS, near_rows=2, exact_rows=3)
    records = [chat(f"What of {n}?", f"It is {n}.") for n in range(5)]
    found = audited(write(tmp_path / "rows.jsonl", records), limits=limits)
    assert found.unchecked == (
        "near duplicates: 3 rows beyond the first 2 different ones were not checked",
        "exact copies: rows beyond the first 3 were not checked",
    )
