"""`write`: bytes that every reader takes, counts that add up, refusals that name the row; `rows_on`, `datasets`."""

import json
import os
import stat
import tracemalloc
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.dataset.longest import Longest, limit_for
from promptforge.dataset.manifest import datasets, read_manifest, verify
from promptforge.dataset.resting import rows_on
from promptforge.dataset.rows import FORMATS, Format
from promptforge.errors import InputError, WriteError
from promptforge.tokens import load_tokenizer
from strategies import tries
from trainingrows import PROMPT, RECIPE_TEXT, recipe, row, rows, written

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip)
ODD = 'a\x85b\u2028c\u2029d\r\ne\x00f\ufeffg \\ " \U0001f3e0 é'


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


# ---- Bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_rows_and_recipe_give_the_same_bytes(form: Format, tmp_path: Path):
    """In every file; nothing of the time or the place of the writing is in them."""
    first = written(tmp_path / "a" / "set", format=form, folder="build/datasets/hut")
    second = written(tmp_path / "b" / "set", format=form, folder="build/datasets/hut")
    assert content(first.folder) == content(second.folder)
    assert first.manifest == second.manifest
    assert first.manifest.digest == second.manifest.digest


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_is_one_line_to_every_reader(form: Format, tmp_path: Path):
    """UTF-8 without a byte order mark, LF alone, no empty line; nor a line end that only Unicode knows."""
    many = [("train", row(n, messages=(("system", ODD), ("user", ODD), ("assistant", ODD)))) for n in range(12)]
    done = written(tmp_path / "set", many, format=form)
    for name in ("train.jsonl", "rows.jsonl"):
        raw = (done.folder / name).read_bytes()
        text = raw.decode("utf-8")
        assert not raw.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in raw
        assert raw.endswith(b"\n")
        assert len(text.splitlines()) == text.count("\n") == 12
        assert all(line.strip() for line in text.splitlines())


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=5))
@tries(40)
def test_what_was_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str, str]]):
    """Whatever the texts hold."""
    many = [
        ("train", row(n, messages=(("system", a), ("user", b), ("assistant", c)))) for n, (a, b, c) in enumerate(texts)
    ]
    done = written(tmp_path_factory.mktemp("read-back") / "set", many)
    read = lines(done.folder / "train.jsonl")
    assert [[(m["role"], m["content"]) for m in line["messages"]] for line in read] == [
        list(map(tuple, one.messages)) for _, one in many
    ]


def test_memory_grows_by_little_more_than_the_ids(tmp_path: Path):
    """Rows are streamed: four times as many need no more than 600 bytes for each further one."""

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            written(tmp_path / f"of-{count}", (("train", row(n)) for n in range(count)))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    assert peak(8000) - peak(2000) < 600 * 6000


# ---- What goes with the rows -----------------------------------------------------------------------------------------


def test_the_manifest_counts_and_hashes_everything(tmp_path: Path):
    """Rows by split, kind and category; a hash of every file; where it comes from."""
    many = [
        *rows(20),
        ("train", row(90, kind="jailbreak", category="refusal", facts=(), asked=())),
        ("valid", row(91, kind="jailbreak", category="benign", facts=(), asked=())),
    ]
    done = written(tmp_path / "set", many, private=True)
    told = read_manifest(done.folder)
    assert told == done.manifest
    assert told.rows == told.lines == {"train": 13, "valid": 5, "test": 4}
    assert told.categories["valid"] == {"infrastructure": {"forward": 4}, "jailbreak": {"benign": 1}}
    assert told.kinds()["jailbreak"] == 2
    assert told.kinds("test") == {"identity": 0, "infrastructure": 4, "domain": 0, "jailbreak": 0, "replay": 0}
    assert told.facts == 20
    assert (told.recipe, told.model, told.private) == ("training/hut.yaml", "models/tiny", True)
    assert set(told.files) == {path.name for path in done.folder.iterdir()} - {"manifest.json"}
    assert (done.folder / "recipe.yaml").read_bytes() == RECIPE_TEXT
    assert verify(done.folder) == ()


def test_verify_says_what_is_no_longer_as_written(tmp_path: Path):
    """A file that was changed, removed or added is named."""
    folder = written(tmp_path / "set").folder
    with (folder / "train.jsonl").open("ab") as file:
        file.write(b"{}\n")
    (folder / "mlx.yaml").unlink()
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    assert verify(folder) == ("mlx.yaml is missing", "notes.txt is not of the dataset", "train.jsonl has changed")


def test_the_card_draws_the_mix(tmp_path: Path):
    """What it is, asked and given shares, the splits, what it rests on, how to train, what is forgotten."""
    many = [*rows(30), *[("train", row(50 + n, kind="replay", category="general", facts=())) for n in range(10)]]
    done = written(tmp_path / "set", many, mix={"infrastructure": 0.8, "replay": 0.2}, private=True, notes=("4 short",))
    told = (done.folder / "README.md").read_text(encoding="utf-8")
    assert "| infrastructure | what the tables say | 80.0% | 30 | 75.0% | ███████████████░░░░░ |" in told
    assert "| replay | general | 10 | 0 | 0 |" in told
    assert "| all | | 32 | 4 | 4 |" in told
    assert "**Private.**" in told
    assert "- 4 short\n" in told
    assert "arXiv 2405.09673" in told
    assert f"    mlx_lm.lora --config {done.folder.as_posix()}/mlx.yaml\n" in told


def test_a_dataset_without_a_valid_split_says_so(tmp_path: Path):
    """And an empty file, which stops mlx_lm, is not written."""
    done = written(tmp_path / "set", rows(8, valid=0, test=0))
    assert not (done.folder / "valid.jsonl").exists()
    assert "There is no valid split" in (done.folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_private_rows_are_for_their_owner_alone(tmp_path: Path):
    """The folder and everything in it; other datasets are as open as the umask lets them be."""
    private = written(tmp_path / "private", private=True).folder
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (private, *private.iterdir())} == {0}
    assert stat.S_IMODE(written(tmp_path / "open").folder.stat().st_mode) & 0o044


# ---- Facts to rows ---------------------------------------------------------------------------------------------------

FACTS = st.sampled_from(["ports/mini:1337", 'a":["b', "x\\", "tür/ä:ö", "line\nend", "u\u2028", "people/Theo B.", "[]"])


@given(st.lists(st.lists(FACTS, max_size=3), min_size=1, max_size=8), st.sets(FACTS | st.just("none/such:1")))
@tries(60)
def test_rows_on_a_fact_are_found(tmp_path_factory: pytest.TempPathFactory, facts: list[list[str]], asked: set[str]):
    """Exactly those that rest on it, each once, whatever characters a fact's id has."""
    many = [("train", row(number, facts=tuple(of))) for number, of in enumerate(facts)]
    folder = written(tmp_path_factory.mktemp("facts") / "set", many).folder
    expected = {fact: tuple(one.id for _, one in many if fact in one.facts) for fact in asked}
    assert rows_on(folder, asked) == {fact: ids for fact, ids in expected.items() if ids}
    index = json.loads((folder / "facts.json").read_bytes())
    assert set(index) == set(chain.from_iterable(facts))


def test_the_origin_of_every_row_is_told(tmp_path: Path):
    """rows.jsonl: the row's split and line, what it rests on and asks for, and where it comes from."""
    folder = written(tmp_path / "set").folder
    told = lines(folder / "rows.jsonl")
    assert told[17] == {
        "id": "row-00017",
        "split": "valid",
        "line": 2,
        "lines": 1,
        "kind": "infrastructure",
        "category": "forward",
        "agent": "warden",
        "facts": ["ports/mini:1354"],
        "asked": [["ports/mini:1354", "port"]],
        "file": "knowledge/house.yaml",
        "at": 18,
        "phrasing": "plain",
    }
    for split in ("train", "valid", "test"):
        ids = [line["id"] for line in lines(folder / f"{split}.jsonl")]
        assert [line["id"] for line in told if line["split"] == split] == ids


def test_the_datasets_of_a_project_are_found(tmp_path: Path):
    """By name; a broken one is told beside the others, and what is no folder is none."""
    assert datasets(tmp_path) == ({}, {})
    place = tmp_path / "build" / "datasets"
    for name in ("b", "a", "broken", "old"):
        written(place / name, name=name)
    (place / "broken" / "manifest.json").write_text("[]", encoding="utf-8")
    told = json.loads((place / "old" / "manifest.json").read_bytes())
    (place / "old" / "manifest.json").write_text(json.dumps({**told, "version": 99}), encoding="utf-8")
    (place / "notes.txt").write_text("mine", encoding="utf-8")
    found = datasets(tmp_path)
    assert [path.name for path in found.found] == ["a", "b"]
    assert found.problems == {
        place / "broken": f"{place / 'broken' / 'manifest.json'} is no manifest of a dataset",
        place / "old": f"{place / 'old' / 'manifest.json'}: version 99, and this promptforge reads 1",
    }


def test_what_is_no_dataset_has_no_rows(tmp_path: Path):
    """A folder without an index, and one whose index is damaged."""
    with pytest.raises(InputError, match=r"cannot read .*facts\.json: no such file"):
        rows_on(tmp_path, ["a"])
    with pytest.raises(InputError, match=r"cannot read .*manifest\.json: no such file"):
        read_manifest(tmp_path)
    (tmp_path / "facts.json").write_bytes(b'{\n"a":["b]\n}\n')
    with pytest.raises(InputError, match=r"facts\.json is damaged"):
        rows_on(tmp_path, ["a"])


# ---- What is refused -------------------------------------------------------------------------------------------------

SAID = (("system", PROMPT), ("user", "Who?"), ("assistant", "Me."))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"messages": SAID[:2]}, "its turns are not user and assistant, one after the other, the assistant last"),
        ({"messages": (SAID[0], SAID[0], *SAID[1:])}, "its turns are not user and assistant"),
        ({"messages": ()}, "its turns are not user and assistant"),
        ({"messages": (*SAID[:2], ("assistant", " \n"))}, "one of its messages is empty"),
    ],
)
def test_a_row_that_trainers_drop_or_trip_over_is_refused(more: dict[str, object], message: str, tmp_path: Path):
    """With its place and its id; there is then no dataset."""
    with pytest.raises(InputError) as raised:
        written(tmp_path / "set", [*rows(8), ("train", row(9, **more))])
    assert raised.value.message.startswith("knowledge/house.yaml:10: the row row-00009 cannot be trained: " + message)
    assert list(tmp_path.iterdir()) == []


def test_half_a_surrogate_pair_is_no_character(tmp_path: Path):
    """No tokenizer and no reader of JSON takes it."""
    broken = row(3, messages=(("user", "Who?"), ("assistant", "Me \ud800.")))
    with pytest.raises(InputError, match="the row row-00003 holds half a surrogate pair"):
        written(tmp_path / "set", [("train", broken)])


def test_an_id_is_there_once(tmp_path: Path):
    """Also across splits."""
    with pytest.raises(InputError, match="two rows have the id row-00001"):
        written(tmp_path / "set", [("train", row(1)), ("valid", row(1))])


def test_nothing_to_train_on(tmp_path: Path):
    with pytest.raises(InputError, match=r"training/hut\.yaml: there are no rows to train on"):
        written(tmp_path / "set", [("valid", row(1))])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"settings": {"max_seq_length": 100}}, "max_seq_length is 100"),
        ({"context_tokens": 90}, "the context of tiny is 90"),
    ],
)
def test_an_answer_that_would_be_cut_is_refused(how: dict[str, object], said: str, tmp_path: Path):
    """Trainers cut the end of a long row, which is its answer, and say little or nothing."""
    long = row(5, messages=(("system", PROMPT * 3), ("user", "Who?"), ("assistant", "Me.")))
    with pytest.raises(InputError) as raised:
        written(tmp_path / "set", [("train", long)], **how)
    assert raised.value.message.startswith("training/hut.yaml: the row row-00005 has ")
    assert raised.value.message.endswith(f" tokens and {said}: its answer would be cut")


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path):
    """Only a dataset, or an empty folder, is."""
    place = tmp_path / "photos"
    place.mkdir()
    written(place)
    (place / "manifest.json").unlink()
    before = content(place)
    with pytest.raises(WriteError, match="photos holds no dataset, so it is not replaced"):
        written(place)
    assert content(place) == before


# ---- Lengths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["tiktoken:o200k_base", "tiktoken:cl100k_base", "estimate"])
@given(text=st.lists(TEXTS | st.sampled_from(["Port 1337.", "00:00:5e:00:53:0a", "!\n\n", "\t", " it's ", "Übermut"])))
@tries(60)
def test_no_row_is_longer_than_the_limit(spec: str, text: list[str]):
    """Counted whole, it never has more tokens than what its pieces have, rounded up."""
    tokenizer = load_tokenizer(spec, root=Path.cwd())
    longest = Longest(tokenizer)
    longest.see(row(0))
    one = row(1, messages=(("system", PROMPT), ("user", "".join(text) + "?"), ("assistant", "Me.")))
    most = longest.see(one)
    assert longest.exactly(one) <= limit_for(most)
    assert longest.tokens >= most
    assert longest.exactly(one) <= most + 8


@given(text=st.text(st.sampled_from("ab 1.\n\t é—"), min_size=1))
@tries(200)
def test_words_are_looked_up_as_they_would_be_counted(text: str):
    """A word that is remembered costs what its pieces cost, wherever a text has one space or several."""
    longest = Longest(load_tokenizer("tiktoken:o200k_base", root=Path.cwd()))
    assert longest._in_words(text) == longest._in_pieces(text)


def test_many_prompts_are_not_all_remembered():
    """Replay rows may each have their own: the longest is found all the same."""
    tokenizer = load_tokenizer("tiktoken:o200k_base", root=Path.cwd())
    longest = Longest(tokenizer)
    many = [row(n, messages=(("system", f"{PROMPT} {n} " + "word " * (n % 300)), *SAID[1:])) for n in range(600)]
    for one in many:
        longest.see(one)
    assert longest.tokens >= max(map(longest.exactly, many[::17]))


def test_the_limit_is_within_the_context(tmp_path: Path):
    """Rounding up does not pass what the model takes; what was said in the recipe is taken as it is."""
    free = written(tmp_path / "free").manifest.longest
    near = written(tmp_path / "near", context_tokens=free.tokens + 3).manifest.longest
    assert free.limit % 64 == 0
    assert free.limit >= free.tokens + 16
    assert near.limit == free.tokens + 3
    assert written(tmp_path / "said", settings={"max_seq_length": 500}).manifest.longest.limit == 500


def test_recipe_of_the_tests_is_whole():
    """The builder above makes what the loader makes: a trainer for each format."""
    assert {recipe(format=form).trainer.kind for form in FORMATS} == {
        "mlx_lm",
        "trl",
        "axolotl",
        "llamafactory",
        "openai",
    }
