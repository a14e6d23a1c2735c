"""What each trainer is given: the lines of a row, its configuration, and what a recipe may not say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promptforge.dataset.configs import check_trainer, decimal
from promptforge.dataset.rows import FORMATS, Format, Row, Trainer
from promptforge.errors import InputError
from strategies import tries
from trainingrows import PROMPT, recipe, row, rows, written

TURNS = (
    ("system", PROMPT),
    ("user", "Who are you?"),
    ("assistant", "The warden."),
    ("user", "Which port has LEET?"),
    ("assistant", "1337."),
    ("user", "And ELITE?"),
    ("assistant", "1338."),
)


def lines(folder: Path, one: Row, form: Format, **settings: Any) -> list[dict[str, Any]]:
    """What a row comes to; nine others stand behind it."""
    many = [("train", one), *rows(20, valid=0, test=0)[1:]]
    done = written(folder / "set", many, format=form, settings=settings)
    raw = (done.folder / "train.jsonl").read_bytes().split(b"\n")[:-1]
    read = [json.loads(line) for line in raw]
    assert done.manifest.rows["train"] == 20
    assert done.manifest.lines["train"] == len(read)
    return read[: len(read) - 19]


def chat(line: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in line["messages"]]


def config(folder: Path, form: Format, name: str, **more: Any) -> Any:
    """A configuration, as YAML 1.1 reads it: what PyYAML takes for a text is no number to a trainer."""
    return yaml.safe_load((written(folder / "set", format=form, **more).folder / name).read_text(encoding="utf-8"))


# ---- Lines -----------------------------------------------------------------------------------------------------------


def test_mlx_learns_every_answer_once(tmp_path: Path):
    """It learns the last answer of a line, so there is a line for each; facts and columns ride along."""
    first, second, third = lines(tmp_path, row(0, messages=TURNS), "mlx")
    assert [chat(line) for line in (first, second, third)] == [list(TURNS[:3]), list(TURNS[:5]), list(TURNS)]
    assert [line["id"] for line in (first, second, third)] == ["row-00000#1", "row-00000#2", "row-00000#3"]
    assert list(first) == ["messages", "id", "kind", "category", "agent", "facts", "asked"]
    assert first["asked"] == [["ports/mini:1337", "port"]]


def test_mlx_learns_a_whole_row_where_the_prompt_is_learnt(tmp_path: Path):
    """Then the row is one line: what stands in it several times would be learnt several times."""
    (only,) = lines(tmp_path, row(0, messages=TURNS), "mlx", mask_prompt=False)
    assert chat(only) == list(TURNS)
    assert only["id"] == "row-00000"


def test_trl_gets_a_prompt_and_a_completion(tmp_path: Path):
    """As messages, one for each answer to learn."""
    made = lines(tmp_path, row(0, messages=TURNS), "trl")
    assert [line["prompt"] + line["completion"] for line in made] == [
        [{"role": role, "content": text} for role, text in TURNS[:end]] for end in (3, 5, 7)
    ]
    assert all(len(line["completion"]) == 1 for line in made)
    assert list(made[0]) == ["prompt", "completion", "id", "kind", "category", "agent"]


def test_trl_gets_conversations_where_the_recipe_says_so(tmp_path: Path):
    """Whole, one line a row."""
    (only,) = lines(tmp_path, row(0, messages=TURNS), "trl", layout="conversational")
    assert chat(only) == list(TURNS)


def test_axolotl_is_told_of_every_message_whether_it_is_learnt(tmp_path: Path):
    """A key that only some messages have is more than its reader takes."""
    (only,) = lines(tmp_path, row(0, messages=TURNS), "axolotl")
    assert [list(message) for message in only["messages"]] == [["role", "content", "train"]] * 7
    assert [message["train"] for message in only["messages"]] == [False, False, True, False, True, False, True]


@pytest.mark.parametrize("start", [0, 1])
def test_llamafactory_gets_its_places_right(start: int, tmp_path: Path):
    """`human` at odd and `gpt` at even places, the prompt apart, and empty where there is none."""
    made = lines(tmp_path, row(0, messages=TURNS[start:]), "llamafactory")
    assert len(made) == 3
    for line in made:
        assert [turn["from"] for turn in line["conversations"]] == ["human", "gpt"] * (len(line["conversations"]) // 2)
        assert line["system"] == ("" if start else PROMPT)
    assert [turn["value"] for turn in made[2]["conversations"]] == [text for _, text in TURNS[1:]]


def test_openai_gets_messages_and_nothing_else(tmp_path: Path):
    """It refuses keys that it does not know; a weight stands only where an answer weighs nothing."""
    (only,) = lines(tmp_path, row(0, messages=TURNS), "openai")
    assert list(only) == ["messages"]
    assert all(list(message) == ["role", "content"] for message in only["messages"])


KEYS = {"mlx": 7, "trl": 6, "axolotl": 5, "llamafactory": 6, "openai": 1}
COUNTS = st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), min_size=10, max_size=14)


@pytest.mark.parametrize("form", FORMATS)
@given(shapes=COUNTS)
@tries(15)
def test_every_line_of_a_file_is_alike(
    form: Format, shapes: list[tuple[int, bool, bool]], tmp_path_factory: pytest.TempPathFactory
):
    """The same keys in the same order; and where a table's reader guesses types, no list but of messages."""
    many = []
    for number, (pairs, system, factless) in enumerate(shapes):
        turns = [("system", PROMPT)] * system + [("user", "Who?"), ("assistant", "Me.")] * pairs
        more = {"facts": (), "asked": ()} if factless else {}
        many.append(("train", row(number, messages=tuple(turns), **more)))
    done = written(tmp_path_factory.mktemp("alike") / "set", many, format=form)
    read = [json.loads(line) for line in (done.folder / "train.jsonl").read_bytes().split(b"\n")[:-1]]
    (keys,) = {tuple(line) for line in read}
    assert len(keys) == KEYS[form]
    if form != "mlx":
        lists = [key for key in keys if isinstance(read[0][key], list)]
        assert set(lists) <= {"messages", "prompt", "completion", "conversations"}


# ---- Configurations --------------------------------------------------------------------------------------------------


def test_mlx_yaml_says_everything(tmp_path: Path):
    """The whole of lora_parameters, which replace mlx_lm's own; scale 2 and not 20; the length of the longest row."""
    given = {"rank": 8, "dropout": "5e-2", "epochs": 3}
    assert config(tmp_path, "mlx", "mlx.yaml", settings=given) == {
        "model": "models/tiny",
        "train": True,
        "data": (tmp_path / "set").as_posix(),
        "fine_tune_type": "lora",
        "mask_prompt": True,
        "num_layers": -1,
        "lora_parameters": {"rank": 8, "scale": 2.0, "dropout": 0.05},
        "batch_size": 4,
        "iters": 12,
        "learning_rate": 0.0001,
        "max_seq_length": 128,
        "seed": 7,
        "adapter_path": "build/adapters/hut",
    }


def test_mlx_yaml_of_a_full_training(tmp_path: Path):
    """It has no adapter's parameters; what is the trainer's own goes through."""
    also = {"optimizer": "adamw", "lr_schedule": {"name": "cosine_decay", "arguments": [1e-05, 1000]}}
    told = config(tmp_path, "mlx", "mlx.yaml", settings={"fine_tune_type": "full", "iters": 9, "also": also})
    assert "lora_parameters" not in told
    assert told["iters"] == 9
    assert told["lr_schedule"] == {"name": "cosine_decay", "arguments": [0.00001, 1000]}


@pytest.mark.parametrize(("layout", "loss"), [("prompt-completion", "completion"), ("conversational", "assistant")])
def test_trl_yaml_learns_answers_only(layout: str, loss: str, tmp_path: Path):
    """Whole conversations by the template's marks, completions by their place; never cut at TRL's 1,024 tokens."""
    told = config(tmp_path, "trl", "trl.yaml", settings={"layout": layout, "rank": 4, "scale": 4, "iters": 5})
    assert told[f"{loss}_only_loss"] is True
    assert told["assistant_only_loss"] is (loss == "assistant")
    assert told["max_length"] == 128
    assert (told["lora_r"], told["lora_alpha"], told["max_steps"]) == (4, 16, 5)
    assert (told["eval_strategy"], told["dataset_test_split"]) == ("epoch", "valid")


def test_axolotl_yaml_names_its_files(tmp_path: Path):
    """Both splits, with what is learnt: the assistant's turns and their ends."""
    told = config(tmp_path, "axolotl", "axolotl.yaml", settings={"template": "gemma3"})
    (train,), (valid,) = told["datasets"], told["test_datasets"]
    assert train.pop("path") == f"{(tmp_path / 'set').as_posix()}/train.jsonl"
    assert valid.pop("path").endswith("/valid.jsonl")
    assert train == valid
    assert (train["type"], train["roles_to_train"], train["train_on_eos"]) == ("chat_template", ["assistant"], "turn")
    assert (told["chat_template"], told["sequence_len"], told["micro_batch_size"]) == ("gemma3", 128, 4)


def test_llamafactory_is_told_where_everything_is(tmp_path: Path):
    """dataset_info.json names the files of the splits; no prompt of a template's own comes in."""
    told = config(tmp_path, "llamafactory", "llamafactory.yaml", settings={"template": "gemma3", "iters": 3})
    info = json.loads((tmp_path / "set" / "dataset_info.json").read_bytes())
    assert {name: entry["file_name"] for name, entry in info.items()} == {
        "hut": "train.jsonl",
        "hut_valid": "valid.jsonl",
        "hut_test": "test.jsonl",
    }
    assert (told["dataset"], told["eval_dataset"], told["dataset_dir"]) == (
        "hut",
        "hut_valid",
        (tmp_path / "set").as_posix(),
    )
    assert (told["cutoff_len"], told["default_system"], told["mask_history"]) == (128, "", True)
    assert (told["template"], told["max_steps"]) == ("gemma3", 3)


def test_openai_job(tmp_path: Path):
    """The request, but for the ids of the files."""
    told = config(tmp_path, "openai", "job.json", settings={"epochs": 2, "batch_size": 8}, model="gpt-x")
    assert told == {
        "model": "gpt-x",
        "seed": 7,
        "suffix": "hut",
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 8}}},
    }


@pytest.mark.parametrize("form", ["trl", "axolotl", "llamafactory"])
def test_without_a_valid_split_nothing_is_evaluated(form: Format, tmp_path: Path):
    name = f"{form}.yaml"
    told = config(tmp_path, form, name, many=rows(12, valid=0, test=0))
    assert told.get("eval_strategy", "no") == "no"
    assert not {"eval_dataset", "test_datasets"} & told.keys()


def test_a_batch_is_no_larger_than_the_smallest_split_of_mlx(tmp_path: Path):
    """It refuses a split with fewer rows than a batch; unsaid, the batch is made smaller."""
    assert config(tmp_path / "a", "mlx", "mlx.yaml", many=rows(12, valid=2, test=3))["batch_size"] == 2
    with pytest.raises(InputError) as raised:
        config(tmp_path / "b", "mlx", "mlx.yaml", many=rows(12, valid=2, test=3), settings={"batch_size": 4})
    assert raised.value.message == "training/hut.yaml: trainer: valid has 2 lines, and the batch_size is 4"
    assert config(tmp_path / "c", "trl", "trl.yaml", many=rows(12, valid=2, test=3))["per_device_train_batch_size"] == 4


# ---- What a recipe may not say ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "settings", "message", "hint"),
    [
        (
            "mlx",
            {"rnak": 8},
            "'rnak' is no setting of mlx_lm",
            "did you mean 'rank'?; what is the trainer's own goes under `also`",
        ),
        ("mlx", {"lora_rank": 8}, "'lora_rank' is no setting of mlx_lm", ""),
        ("mlx", {"warmup": 8}, "'warmup' is no setting of mlx_lm", ""),
        (
            "openai",
            {"rank": 8},
            "'rank' is no setting of openai",
            "known: also, batch_size, epochs; what is the trainer's own goes under `also`",
        ),
        ("mlx", {"rank": 0}, "rank is a whole number of 1 or more, not 0", ""),
        ("mlx", {"rank": True}, "rank is a whole number of 1 or more, not True", ""),
        ("mlx", {"dropout": 1.0}, "dropout is a number of at least 0 and below 1, not 1.0", ""),
        ("mlx", {"scale": "big"}, "scale is a number of at least 1e-06 and below 1e+06, not 'big'", ""),
        ("mlx", {"learning_rate": False}, "learning_rate is a number of at least 1e-12 and below 1, not False", ""),
        ("mlx", {"num_layers": 0}, "num_layers is -1 (all), or a whole number of 1 or more, not 0", ""),
        ("mlx", {"fine_tune_type": "qlora"}, "fine_tune_type is lora or dora or full, not 'qlora'", ""),
        ("mlx", {"mask_prompt": "yes"}, "mask_prompt is true or false, not 'yes'", ""),
        ("trl", {"layout": "chat"}, "layout is prompt-completion or conversational, not 'chat'", ""),
        ("axolotl", {"template": ""}, "template is a name, not ''", ""),
        ("mlx", {"also": ["a"]}, "also is a mapping of the trainer's own settings, not ['a']", ""),
        ("mlx", {"iters": 5, "epochs": 1}, "iters and epochs say the same thing twice", "leave one of them out"),
    ],
)
def test_a_setting_that_cannot_be(form: Format, settings: dict[str, Any], message: str, hint: str, tmp_path: Path):
    """mlx_lm takes any key without a word, so a typo is found here."""
    with pytest.raises(InputError) as raised:
        written(tmp_path / "set", format=form, settings=settings)
    assert raised.value.message == f"training/hut.yaml: trainer: {message}"
    assert not hint or raised.value.hint == hint


def test_a_trainer_that_reads_another_format():
    """Named with the one that reads it; a recipe that names none gets the right one."""
    wrong = recipe(format="trl", trainer=Trainer(kind="mlx_lm", settings={"rank": 8}))
    assert [problem[1:] for problem in check_trainer(wrong)] == [
        ("mlx_lm does not read the format trl", "write kind: trl"),
    ]
    assert check_trainer(recipe(format="trl", trainer=Trainer())) == ()


def test_what_promptforge_writes_is_not_written_over(tmp_path: Path):
    """A limit that is smuggled in would cut the answers."""
    with pytest.raises(InputError, match=r"trainer: also\.max_length is written by promptforge") as raised:
        written(tmp_path / "set", format="trl", settings={"also": {"max_length": 10}})
    assert raised.value.hint == "it is 128 here; its place in the recipe is outside `also`, if it has one"


def test_openai_wants_ten_rows(tmp_path: Path):
    with pytest.raises(InputError, match=r"OpenAI wants 10 rows or more to train, and there are 9"):
        written(tmp_path / "set", rows(9, valid=0, test=0), format="openai")


@given(st.floats(1e-9, 1e6))
@tries(200)
def test_a_number_has_no_exponent(number: float):
    """PyYAML reads `1e-05` as a text."""
    assert yaml.safe_load(str(decimal(number))) == pytest.approx(number, rel=1e-3)
    assert isinstance(yaml.safe_load(str(decimal(number))), float)
