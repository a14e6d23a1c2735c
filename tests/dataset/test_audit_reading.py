"""Every format is read, and what is no row is said with its file, line and reason."""

import gzip
import json
import tracemalloc

import pytest

from audited import audited, chat, finding, rules, write
from promptforge.dataset.readfile import Broken, rows_of, sources
from promptforge.dataset.shapes import MalformedError, Seen, conversation
from promptforge.errors import InputError

U, A = {"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}
S = {"role": "system", "content": "S"}
ASKED = (("user", "Q?"), ("assistant", "A."))


@pytest.mark.parametrize(
    ("record", "shape", "messages"),
    [
        ({"messages": [S, U, A]}, "messages", (("system", "S"), *ASKED)),
        ({"messages": [U, A], "tools": [{"type": "function"}]}, "tools", ASKED),
        ({"prompt": "Q?", "completion": "A."}, "completions", ASKED),
        ({"prompt": [S, U], "completion": [A]}, "prompt-completion", (("system", "S"), *ASKED)),
        ({"text": "Q? A."}, "text", (("assistant", "Q? A."),)),
        ({"text": "<|im_start|>user\nQ?<|im_end|>\n<|im_start|>assistant\nA.<|im_end|>"}, "text", ASKED),
        ({"text": "<start_of_turn>user\nQ?<end_of_turn>\n<start_of_turn>model\nA.<end_of_turn>"}, "text", ASKED),
        (
            {
                "text": "<|start_header_id|>user<|end_header_id|>\n\nQ?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA.<|eot_id|>"
            },
            "text",
            ASKED,
        ),
        ({"text": "<s>[INST] Q? [/INST] A.</s>"}, "text", ASKED),
        ({"conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "A."}]}, "sharegpt", ASKED),
        (
            {"conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "A."}], "system": "S"},
            "sharegpt",
            (("system", "S"), *ASKED),
        ),
        ({"conversations": [U, A]}, "conversations", ASKED),
        ({"instruction": "Q", "input": "?", "output": "A."}, "alpaca", (("user", "Q\n?"), ("assistant", "A."))),
        (
            {"instruction": "Q?", "output": "A.", "system": "S", "history": [["a", "b"]]},
            "alpaca",
            (("system", "S"), ("user", "a"), ("assistant", "b"), *ASKED),
        ),
        (
            {"messages": [{"role": "developer", "content": [{"type": "text", "text": "S"}]}, U, A]},
            "messages",
            (("system", "S"), *ASKED),
        ),
        (
            {"messages": [U, {"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}]},
            "messages",
            (("user", "Q?"), ("assistant", '[{"id": 1}]')),
        ),
    ],
)
def test_a_record_of_every_trainer_is_a_conversation(record, shape, messages):
    row = conversation(record, "f.jsonl", 3)
    assert (row.shape, row.messages) == (shape, messages)


@pytest.mark.parametrize(
    ("record", "reason", "message"),
    [
        ([1], "not an object", "a row is an object, this is a list"),
        (7, "not an object", "a row is an object, this is a number"),
        (
            {"a": 1},
            "missing key",
            "none of messages, conversations, prompt and completion, instruction, text; its keys: a",
        ),
        (
            {"chosen": "a", "rejected": "b"},
            "missing key",
            "a pair of preferences (chosen, rejected), not a conversation",
        ),
        ({"messages": []}, "empty", "a row without a message"),
        ({"messages": "hi"}, "wrong type", "'messages' is a text, not a list of turns"),
        ({"messages": ["hi"]}, "wrong type", "a turn of 'messages' is a text, not an object"),
        ({"messages": [{"content": "x"}]}, "missing key", "a turn of 'messages' without role"),
        ({"messages": [{"role": "user"}]}, "missing key", "a turn without content"),
        ({"messages": [{"role": "user", "content": 5}]}, "wrong type", "content is a number, not a text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            "wrong type",
            "a part of a content that is no text",
        ),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "unknown role", "the role 'narrator'"),
        ({"prompt": True, "completion": "x"}, "wrong type", "'prompt' is true or false, not a text"),
        ({"text": None}, "wrong type", "'text' is null, not a text"),
        ({"instruction": "x"}, "missing key", "instruction without output"),
        (
            {"instruction": "x", "output": "y", "history": ["a"]},
            "wrong type",
            "history holds pairs of question and answer",
        ),
    ],
)
def test_a_record_that_is_no_row_says_why(record, reason, message):
    with pytest.raises(MalformedError) as raised:
        conversation(record, "f.jsonl", 1)
    assert (raised.value.reason, str(raised.value)) == (reason, message)


def read(path):
    return list(rows_of(sources([path])[0]))


GOOD = json.dumps(chat("Q?", "A.")).encode()


def test_the_rest_of_a_bad_file_is_read(tmp_path):
    """A broken line, a wrong encoding, a blank line: place and reason, and on with the next."""
    path = tmp_path / "bad.jsonl"
    deep = b"[" * 100_000
    path.write_bytes(b"\n".join([GOOD, b'{"messages": [', b"", b'{"text": "caf\xe9"}', deep, b"1" * 5000, GOOD, b""]))
    found = read(path)
    assert [(one.line, one.reason) for one in found if isinstance(one, Broken)] == [
        (2, "broken line"),
        (3, "blank line"),
        (4, "wrong encoding"),
        (5, "broken line"),
        (6, "broken line"),
    ]
    assert [one.line for one in found if isinstance(one, Seen)] == [1, 7]
    messages = [one.message for one in found if isinstance(one, Broken)]
    assert messages[0] == "no JSON: expecting value at column 15"
    assert messages[2:] == [
        "not UTF-8: byte 0xe9 at column 14",
        "no JSON: nested too deeply",
        "no JSON: a number that is too long",
    ]


def test_bad_lines_flag_a_set_and_the_first_twenty_are_shown(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\n".join([GOOD] + [b"{"] * 50) + b"\n")
    found = audited(path)
    bad = finding(found, "file.broken-line")
    assert (bad.level, bad.count, len(bad.places)) == ("flag", 50, 20)
    assert bad.text == "lines that are no JSON: 50; they are set aside, the rest is audited"
    assert str(bad.places[0]).startswith(f"{path}:2: no JSON: ")
    assert (found.rows, found.files[0].set_aside) == (1, 50)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([chat("Q?", "A."), chat("R?", "B.")]),
        json.dumps([chat("Q?", "A."), chat("R?", "B.")], indent=2),
        json.dumps(chat("Q?", "A."), indent=1) + "\n" + json.dumps(chat("R?", "B."), indent=1),
        "\ufeff" + json.dumps(chat("Q?", "A.")) + "\r\n" + json.dumps(chat("R?", "B.")) + "\r\n",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_arrays_and_archives_are_read_too(tmp_path, text, packed):
    path = tmp_path / ("rows.json.gz" if packed else "rows.json")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert [row.question for row in read(path) if isinstance(row, Seen)] == ["Q?", "R?"]


def test_utf_16_is_read_and_said(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes((json.dumps(chat("Q?", "É.")) + "\n").encode("utf-16"))
    broken, row = read(path)
    assert broken[2:] == ("another encoding", "the file is in UTF-16, and trainers read UTF-8")
    assert row.question == "Q?"


def test_a_broken_item_of_an_array_is_set_aside(tmp_path):
    path = tmp_path / "rows.json"
    good = json.dumps(chat("Q?", "A."))
    path.write_bytes(
        f'[{good},\n{{"messages": [}},\n{good},\n'.encode() + b'{"text": "caf\xe9"},\n' + f"{good}]".encode()
    )
    found = read(path)
    assert [(one.line, one.reason) for one in found if isinstance(one, Broken)] == [
        (2, "broken line"),
        (4, "wrong encoding"),
    ]
    assert [one.line for one in found if isinstance(one, Seen)] == [1, 3, 5]


def test_an_archive_that_ends_early_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    lines = b"".join(json.dumps(chat(f"Q {n}?", f"A {n * 7919}.")).encode() + b"\n" for n in range(20_000))
    path.write_bytes(gzip.compress(lines)[:-2000])
    found = read(path)
    assert isinstance(found[-1], Broken)
    assert found[-1].reason == "broken archive"
    assert len(found) > 100


def test_a_long_array_is_read_in_little_memory(tmp_path):
    """A file of 40 MB needs no 40 MB."""
    path = tmp_path / "rows.json"
    item = json.dumps(chat("Q?", "x" * 2000))
    path.write_text("[" + ",\n".join([item] * 20_000) + "]")
    tracemalloc.start()
    assert sum(1 for _ in rows_of(sources([path])[0])) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 2**20


def test_a_folder_is_its_splits(tmp_path):
    for name in ("train.jsonl", "valid.jsonl", "test.jsonl", "dataset_info.json", "notes.txt"):
        (tmp_path / name).write_bytes(GOOD)
    assert [(s.path.name, s.split) for s in sources([tmp_path])] == [
        ("test.jsonl", "test"),
        ("train.jsonl", "train"),
        ("valid.jsonl", "valid"),
    ]


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        sources([tmp_path / "none.jsonl"])
    with pytest.raises(InputError, match=r"no \.jsonl or \.json file in this folder"):
        sources([tmp_path])
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    with pytest.raises(InputError, match="no row in"):
        audited(empty)


def test_a_file_of_two_shapes_is_flagged(tmp_path):
    found = audited(write(tmp_path / "rows.jsonl", [chat("Q?", "A."), {"prompt": "R?", "completion": "B."}]))
    mixed = finding(found, "shape.mixed")
    assert str(mixed.places[0]).endswith(":2: completions, in a file that begins with messages")
    assert "shape.mixed" in rules(found)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-16-le", "UTF-16"), ("utf-16-be", "UTF-16"), ("utf-32", "UTF-32"), ("utf-32-be", "UTF-32")],
)
def test_another_encoding_is_told_without_a_mark_too(tmp_path, encoding, said):
    path = tmp_path / "rows.json"
    path.write_bytes(json.dumps([chat("Q?", "É.")]).encode(encoding))
    broken, row = read(path)
    assert broken[2:] == ("another encoding", f"the file is in {said}, and trainers read UTF-8")
    assert row.answer == "É."


def test_a_file_in_another_encoding_is_audited_and_refused_for_a_trainer(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes((json.dumps(chat("Q?", "É.")) + "\n").encode("utf-16"))
    found = audited(path)
    other = finding(found, "file.another-encoding")
    assert (found.rows, found.files[0].set_aside, other.level) == (1, 0, "flag")
    assert other.text == (
        "files in another encoding than UTF-8, which no trainer reads: 1; they are read here, and audited"
    )
    assert finding(audited(path, trainer="mlx"), "file.another-encoding").level == "refuse"


def test_a_prompt_alone_and_a_torn_array_are_named(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('[{"prompt": "Q?"}, {"instruction": "Q?", "output": "A."}, {"instruction": "Q?", ')
    alone, row, torn = read(path)
    assert alone[3] == "prompt without completion"
    assert row.answer == "A."
    assert torn[2:] == ("broken line", "no JSON: the file ends in the middle of it")


def test_a_text_without_an_end_is_said_in_one_breath(tmp_path):
    """Json ends its own sentence with the place; the place is said once."""
    (tmp_path / "rows.jsonl").write_text('{"messages": "x\n' + json.dumps(chat("A?", "B.")) + "\n")
    (broken,) = [row for row in rows_of(sources([tmp_path / "rows.jsonl"])[0]) if isinstance(row, Broken)]
    assert broken.message == "no JSON: unterminated string at column 14"


def test_a_file_that_is_not_there_is_asked_back(tmp_path):
    """The nearest name of its folder, or what may be named."""
    with pytest.raises(InputError, match="no such file") as problem:
        sources([tmp_path / "nope.jsonl"])
    assert problem.value.hint.startswith("name a file of JSON lines, or a folder with some")
    (tmp_path / "rows.jsonl").write_text("{}\n")
    with pytest.raises(InputError) as problem:
        sources([tmp_path / "row.jsonl"])
    assert problem.value.hint == "did you mean 'rows.jsonl'?"
