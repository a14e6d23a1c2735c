"""Characters that nobody sees, or that no tokenizer takes."""

import pytest

from audited import audited, chat, finding, rules, write
from promptforge.dataset.shapes import conversation
from promptforge.dataset.unseen import unseen


def broken(text):
    return [rule for rule, _ in unseen(conversation(chat("Q?", text), "f", 1))]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("half \ud83d of it", "text.surrogate"),
        ("a bell \x07", "text.control"),
        ("mojibake \x85", "text.control"),
        ("turned \u202e round", "text.direction"),
        ("isolated \u2066 text", "text.direction"),
        ("a mark \u200f in English", "text.direction"),
        ("zero\u200bwidth", "text.invisible"),
        ("a \ufeffmark inside", "text.invisible"),
        ("hidden \U000e0041\U000e0042", "text.invisible"),
    ],
)
def test_each_is_found(text, rule):
    assert broken(text) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "Käse\tfor\r\ntwo",
        "👩\u200d🚀",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "שלום\u200f!",
        "می\u200cخواهم",
    ],
)
def test_what_belongs_to_a_script_or_an_emoji_is_not(text):
    assert broken(text) == []


def test_the_report_says_where(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"messages": [{"role": "user", "content": "Q\\ud83d?"}, {"role": "assistant", "content": "A\\u202e."}]}\n'
    )
    found = audited(path)
    half = finding(found, "text.surrogate")
    assert (half.level, half.places[0].what) == ("flag", "U+D83D at character 2 in the user's turn")
    assert half.text == "half of a character (a lone surrogate), on which tokenizers stop: 1 row"
    turned = finding(found, "text.direction")
    assert turned.places[0].what == "U+202E (right-to-left override) at character 2 in the assistant's turn"
    assert finding(audited(path, trainer="mlx"), "text.surrogate").level == "refuse"


def test_a_system_prompt_is_looked_at_too(tmp_path):
    rows = [chat("Q?", f"A {n}.", system="You are\u200b Windu.") for n in range(3)]
    found = audited(write(tmp_path / "rows.jsonl", rows))
    assert finding(found, "text.invisible").count == 3
    assert "text.control" not in rules(found)
