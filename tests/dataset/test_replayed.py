"""The user's own rows: a broken line costs itself alone; a sample is seeded; memory is bounded."""

import json
import tracemalloc
from pathlib import Path

import pytest

from promptforge.dataset import replayed
from promptforge.dataset.replayed import Broken, Reader, parse_row, sample
from promptforge.errors import InputError


def chat(question: str, answer: str = "Yes.", **more: str) -> str:
    return json.dumps({"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **more})  # fmt: skip


BROKEN = {
    "{": "it is not JSON: expecting property name enclosed in double quotes, at column 2",
    "[" * 100_000: "it is not JSON: nested too deeply",
    "[]": "it is no JSON object",
    '{"text": "x"}': "it has neither 'messages' nor 'prompt' and 'completion'",
    '{"messages": []}': "'messages' is no list of messages",
    '{"messages": ["x"]}': "message 1 is no object",
    '{"messages": [{"role": "robot", "content": "x"}]}': "message 1 has the role 'robot'; known: system, user, assistant",
    '{"messages": [{"role": "user", "content": " "}]}': "message 1 (user) has no text",
    '{"messages": [{"role": "user", "content": ["x"]}]}': "message 1 (user) has no text",
    '{"prompt": "\\ud800", "completion": "x"}': "message 1 (user) holds half a character",
    '{"messages": [{"role": "user", "content": "x"}]}': "the turns are user: user and assistant must alternate, the assistant last",
    '{"messages": [{"role": "system", "content": "x"}]}': "the turns are system: user and assistant must alternate, the assistant last",
    '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "x"}, {"role": "system", "content": "x"}]}': "a system message stands after the first message",
}


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
def test_a_line_that_is_no_row_says_why(line):
    """In the words that the report shows."""
    with pytest.raises(ValueError) as problem:
        parse_row(line.encode())
    assert str(problem.value) == BROKEN[line]


def test_a_byte_that_is_not_utf_8_is_named():
    """Where the file was saved in another encoding."""
    with pytest.raises(ValueError, match="byte 0xfc is not UTF-8"):
        parse_row('{"prompt": "Küche"}'.encode("latin-1"))


def test_a_broken_line_is_named_and_the_rest_is_used(tmp_path):
    """File, line, reason; blank lines and a byte order mark are no rows and no fault."""
    lines = ["\ufeff" + chat("One?"), "", "{", chat("Two?"), "not json", chat("Three?")]
    (tmp_path / "own.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = sample(tmp_path, ["own.jsonl", "gone.jsonl"], 10, seed=1)
    assert (found.sound, found.broken_count) == (3, 3)
    assert [str(one) for one in found.broken] == [
        "own.jsonl:3: it is not JSON: expecting property name enclosed in double quotes, at column 2",
        "own.jsonl:5: it is not JSON: expecting value, at column 1",
        "gone.jsonl:0: the file cannot be read: no such file or directory",
    ]
    with Reader(tmp_path, found.places) as reader:
        rows = [reader.row(at) for at in range(len(found.places))]
    assert sorted((row.line, row.user) for row in rows) == [(1, "One?"), (4, "Two?"), (6, "Three?")]


def test_a_line_without_end_is_passed_over(tmp_path, monkeypatch):
    """It is never read as a whole."""
    monkeypatch.setattr(replayed, "MAX_LINE", 2**20)
    with (tmp_path / "own.jsonl").open("wb") as file:
        file.write(chat("One?").encode() + b"\n")
        file.write(b'{"prompt": "' + b"x" * (5 * 2**20) + b'"}\n')
        file.write(chat("Two?").encode())
    found = sample(tmp_path, ["own.jsonl"], 10, seed=1)
    assert found.broken == (Broken("own.jsonl", 2, "the line is longer than 1 MB"),)
    with Reader(tmp_path, found.places) as reader:
        assert sorted(reader.row(at).line for at in range(2)) == [1, 3]


def test_a_sample_is_seeded_and_every_row_may_be_in_it(tmp_path):
    """The same seed gives the same rows, whatever the order of the lines; another seed others."""
    texts = [chat(f"Question {n}?") for n in range(500)]
    (tmp_path / "own.jsonl").write_text("\n".join(texts))
    (tmp_path / "turned.jsonl").write_text("\n".join(reversed(texts)))

    def sampled(file: str, seed: int) -> list[str]:
        found = sample(tmp_path, [file], 50, seed=seed)
        with Reader(tmp_path, found.places) as reader:
            return [reader.row(at).user for at in range(len(found.places))]

    assert sampled("own.jsonl", 1) == sampled("turned.jsonl", 1) != sampled("own.jsonl", 2)
    assert len({user for seed in range(60) for user in sampled("own.jsonl", seed)}) > 490


def test_prompt_and_completion_and_a_system_message_are_taken_as_they_are(tmp_path):
    """The category is the line's own, if it has one."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "Hm."}]  # fmt: skip
    lines = ['{"prompt": "Q", "completion": "A"}', json.dumps({"messages": messages, "category": "small talk"})]
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    found = sample(tmp_path, ["own.jsonl"], 2, seed=0)
    with Reader(tmp_path, found.places) as reader:
        rows = {row.category: row for row in (reader.row(0), reader.row(1))}
    assert rows["general"].messages == (("user", "Q"), ("assistant", "A"))
    assert rows["small talk"].messages[0] == ("system", "Be brief.")
    assert {(row.kind, row.agent, row.facts) for row in rows.values()} == {("replay", "", ())}


def test_many_rows_are_sampled_in_little_memory(tmp_path: Path):
    """Only the places that are kept are held."""
    with (tmp_path / "own.jsonl").open("w") as file:
        for number in range(20_000):
            file.write(chat(f"Question {number}?", "x" * 200) + "\n")
    tracemalloc.start()
    try:
        found = sample(tmp_path, ["own.jsonl"], 100, seed=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.sound == 20_000
    assert len(found.places) == 100
    assert peak < 2 * 2**20


def test_rows_that_say_the_same_leave_room_for_others(tmp_path):
    """However often a line is repeated, the sample has as many different rows as there are."""
    lines = [chat("Again?")] * 900 + [chat(f"Question {n}?") for n in range(30)] + [chat("Again?", note="x")] * 900
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    found = sample(
        tmp_path, ["own.jsonl"], 31, seed=3, look=lambda messages: (hash(messages[0][1]) & (2**64 - 1), "", "")
    )
    with Reader(tmp_path, found.places) as reader:
        assert len({reader.row(at).user for at in range(len(found.places))}) == len(found.places) == 31
    assert found.left_out == {"twice": 1799}


def test_what_must_not_be_taken_is_counted_and_leaves_room(tmp_path):
    """By the word of whoever looks, and the case that it resembles."""
    (tmp_path / "own.jsonl").write_text("\n".join(chat(f"Question {n}?") for n in range(40)))

    def look(messages):
        return (
            (int(messages[0][1][9:-1]), "alike", "who")
            if "1" in messages[0][1]
            else (int(messages[0][1][9:-1]), "", "")
        )

    found = sample(tmp_path, ["own.jsonl"], 30, seed=3, look=look)
    assert (len(found.places), found.left_out, found.given_away) == (27, {"alike": 13}, {"who": 13})


def test_a_file_that_is_changed_meanwhile_is_noticed(tmp_path):
    """Neither another row nor half of one is taken for it."""
    file = tmp_path / "own.jsonl"
    file.write_text(chat("One?"))
    found = sample(tmp_path, ["own.jsonl"], 1, seed=0)
    for change in (lambda: file.write_text(chat("Two?")), file.unlink):
        change()
        with Reader(tmp_path, found.places) as reader, pytest.raises(InputError) as problem:
            reader.row(0)
        assert problem.value.message == "own.jsonl:1: the file was changed while its rows were made"
