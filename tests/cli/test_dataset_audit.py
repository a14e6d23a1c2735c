"""`dataset audit` at the command line: columns that nobody has, reports that cannot be written."""

import json

import pytest

ROWS = [
    {
        "topic": "persona",
        "meta": {"source": "hand"},
        "messages": [
            {"role": "user", "content": f"Who are you, {n}?"},
            {"role": "assistant", "content": f"Windu {n}."},
        ],
    }
    for n in range(3)
]


@pytest.fixture
def rows(house):
    house.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
    return "rows.jsonl"


def test_a_column_that_no_row_has_is_an_error(pf, rows):
    outcome = pf("dataset", "audit", rows, "--kind-column", "topik")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: no row has the column 'topik'\n  hint: did you mean 'topic'?\n"
    assert "known: meta.source, topic" in pf("dataset", "audit", rows, "--kind-column", "zzz").err
    assert "kinds by the column topic" in pf("dataset", "audit", rows, "--kind-column", "topic").out


def test_a_named_column_with_other_values_is_flagged_and_rows_without_it_are_counted(pf, rows, house):
    with (house / rows).open("a") as file:
        file.write(json.dumps({"messages": ROWS[0]["messages"]}) + "\n")
    outcome = pf("dataset", "audit", rows, "--kind-column", "meta.source")
    assert "!  the column of kinds has values that name no kind: 'hand' (3)" in outcome.out
    assert "1 of 4 rows do not have the column 'meta.source': by the rules" in outcome.out


def test_html_goes_to_audit_html_and_replaces_only_what_is_its_own(pf, rows, house, monkeypatch):
    monkeypatch.chdir(house.root)
    for _ in range(2):
        outcome = pf("dataset", "audit", rows, "--format", "html")
        assert outcome.err.endswith("refused: wrote audit.html\n")
    assert "<!doctype html>" in (house / "audit.html").read_text()
    house.write("audit.html", "mine")
    outcome = pf("dataset", "audit", rows, "--format", "html")
    assert (outcome.code, (house / "audit.html").read_text()) == (2, "mine")
    assert "audit.html is there already, and promptforge did not write it" in outcome.err
    assert "name another place: --output FILE" in outcome.err


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (".", "is a folder"),
        ("rows.jsonl/a.html", "is among what is audited"),
        ("promptforge.yaml/a.html", "cannot write promptforge.yaml/a.html: "),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(pf, rows, house, monkeypatch, output, said):
    monkeypatch.chdir(house.root)
    before = house.files()
    outcome = pf("dataset", "audit", rows, "--format", "html", "--output", output)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert house.files() == before


def test_what_cannot_be_written_in_the_end_is_shown(pf, rows, monkeypatch):
    from promptforge.errors import WriteError
    from promptforge.workbench import outfile

    def full(path, text):
        raise WriteError(f"cannot write {path}: no space left on device", hint="name another place: --output FILE")

    monkeypatch.setattr(outfile, "write_report", full)
    outcome = pf("dataset", "audit", rows, "--format", "json", "--output", "found.json")
    assert outcome.code == 2
    assert outcome.out.startswith("refused: 3 rows of 1 file")
    assert "no space left on device" in outcome.err
