"""What trainers say, as it was recorded; where they are found; and whether what they leave is an adapter."""

import json
import math
import os
import struct
import sys
from pathlib import Path

import pytest

from promptforge.trainers.base import Report, TrainerMissingError, plain
from promptforge.trainers.finding import TRAINERS, find_trainer
from promptforge.trainers.leaving import keep_finished, wrong_with
from promptforge.trainers.running import Course

RECORDINGS = Path(__file__).with_name("recordings")
MLX, TRL = TRAINERS["mlx_lm"], TRAINERS["trl"]


def course_of(kind: str, recording: str) -> Course:
    """How far a training had come at the end of what it said."""
    course = Course(began=0, now=0)
    for number, line in enumerate((RECORDINGS / recording).read_text(encoding="utf-8").replace("\r", "\n").split("\n")):
        course.now = number
        if report := TRAINERS[kind].read(plain(line)):
            course.add(report)
    return course


def test_mlx_lm_says_how_far_it_is():
    """The table of 0.32, with colours, arrows and boxes."""
    course = course_of("mlx_lm", "mlx_lm-0.32.2.txt")
    assert (course.iteration, course.total, course.speed) == (12, 12, 31)
    assert (course.first_loss, course.loss, course.first_valid, course.valid) == (6.723, 4.874, 8.766, 5.955)


def test_mlx_lm_said_it_otherwise_before():
    """The lines of releases before the table."""
    assert MLX.read("Starting training..., iters: 600") == Report(total=600)
    assert MLX.read("Iter 1: Val loss 2.813, Val took 6.411s") == Report(iteration=1, valid=2.813)
    line = "Iter 10: Train loss 2.125, Learning Rate 1.000e-05, It/sec 0.512, Tokens/sec 214.332, Trained Tokens 4184"
    assert MLX.read(line) == Report(iteration=10, loss=2.125, speed=214.332)
    assert MLX.read("Trainable parameters: 2.850% (0.049M/1.724M)") is None


def test_our_script_says_how_far_trl_is():
    """One object of JSON a line, among what transformers prints for people."""
    course = course_of("trl", "trl_script.txt")
    assert (course.iteration, course.total) == (12, 12)
    assert (round(course.first_loss or 0, 3), round(course.loss or 0, 3)) == (6.439, 6.001)
    assert (round(course.first_valid or 0, 3), round(course.valid or 0, 3)) == (7.052, 6.925)
    assert course.speed is not None
    assert course.speed > 1000
    assert TRL.read("promptforge: {") is None
    assert math.isnan(TRL.read('promptforge: {"iteration": 3, "loss": NaN}').loss)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["axolotl", "llamafactory"])
def test_others_are_read_by_what_transformers_prints(kind: str):
    """Dictionaries and bars; the bars of loading and of a validation are not taken for the training's."""
    course = course_of(kind, "transformers-5.23.txt")
    assert (course.iteration, course.total) == (12, 12)
    assert (course.first_loss, course.first_valid, course.valid) == (6.49, 7.052, 6.925)
    assert math.isnan(TRAINERS[kind].read("{'loss': nan, 'grad_norm': nan, 'epoch': 0.1}").loss)  # type: ignore[union-attr]


def test_the_time_left_is_measured_from_the_first_iterations():
    """Loading and compiling are no measure of the rest; without a total nothing is said."""
    course = Course(began=0, now=90)
    course.add(Report(iteration=10, loss=2.0))
    assert course.left_s is None
    course.add(Report(total=100))
    assert course.left_s is None
    course.now = 100
    course.add(Report(iteration=30, loss=1.5))
    assert course.left_s == 35


# ---- where they are --------------------------------------------------------------------------------------------------


def program(path: Path, text: str) -> Path:
    """A command."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def python_with(folder: Path, *packages: str) -> Path:
    """A Python that has these packages, as far as their versions go."""
    site = folder / "site"
    for package in packages:
        info = site / f"{package.replace('-', '_')}-1.2.3.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2.3\n")
    return program(folder / "python3", f'#!/bin/sh\nPYTHONPATH="{site}" exec "{sys.executable}" "$@"\n')


def test_a_trainer_on_the_path_is_asked_by_its_own_python(tmp_path: Path):
    """The first line of its command names it."""
    python = python_with(tmp_path / "env", "mlx-lm", "mlx")
    program(tmp_path / "bin" / "mlx_lm.lora", f"#!{python}\nimport mlx_lm\n")
    environ = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    found = find_trainer(MLX, root=tmp_path, environ=environ)
    assert found.start == (str(python), "-m", "mlx_lm", "lora")
    assert found.versions == {"mlx-lm": "1.2.3", "mlx": "1.2.3"}


def test_a_long_path_is_named_by_a_shell(tmp_path: Path):
    """As pip writes it where a path is too long for a first line, or has a blank."""
    python = python_with(tmp_path / "my env", "trl", "peft", "transformers", "torch")
    program(tmp_path / "bin" / "trl", f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n")
    environ = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    found = find_trainer(TRL, root=tmp_path, environ=environ)
    assert found.start == (str(python),)
    script, *arguments = TRL.arguments(Path("trl.yaml"))
    assert Path(script).is_file()
    assert arguments == ["--config", "trl.yaml"]


def test_a_command_without_a_python_is_called_as_it_is(tmp_path: Path):
    """What a binary is made of cannot be asked."""
    tool = program(tmp_path / "bin" / "axolotl", "\x7fELF")
    environ = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    found = find_trainer(TRAINERS["axolotl"], root=tmp_path, environ=environ)
    assert (found.start, found.versions) == ((str(tool),), {})


@pytest.mark.parametrize(
    ("kind", "tool", "arguments"),
    [("axolotl", "axolotl", ("train", "a.yaml")), ("llamafactory", "llamafactory-cli", ("train", "a.yaml"))],
)
def test_commands_lie_beside_their_python(tmp_path: Path, kind: str, tool: str, arguments: tuple[str, ...]):
    """`axolotl train a.yaml`, `llamafactory-cli train a.yaml`, of the environment that is named."""
    trainer = TRAINERS[kind]
    python_with(tmp_path / "env", *trainer.packages)
    found = find_trainer(trainer, python="env/python3", root=tmp_path, environ=os.environ)
    assert found.start == (str(tmp_path / "env" / tool),)
    assert trainer.arguments(Path("a.yaml")) == arguments


def test_a_package_beside_it_that_is_missing_is_named(tmp_path: Path):
    """TRL without peft trains no adapter."""
    python_with(tmp_path / "env", "trl", "transformers", "torch")
    with pytest.raises(TrainerMissingError, match="peft is missing: looked on the PATH for trl, and in ") as caught:
        find_trainer(TRL, python="env/python3", root=tmp_path, environ=os.environ)
    assert f"{tmp_path}/env/python3 -m pip install trl peft" in caught.value.hint


def test_a_python_that_does_not_run_is_said(tmp_path: Path):
    """It is there, and it is none."""
    program(tmp_path / "python3", "#!/bin/sh\nexit 1\n")
    with pytest.raises(TrainerMissingError, match="is no Python that runs"):
        find_trainer(MLX, python="./python3", root=tmp_path, environ=os.environ)


def test_a_command_may_have_words_of_its_own(tmp_path: Path):
    """`accelerate launch`: what comes after it is the trainer's."""
    python = python_with(tmp_path / "env", "trl", "peft", "transformers", "torch")
    tool = program(tmp_path / "bin" / "accelerate", f"#!{python}\n")
    found = find_trainer(TRL, command=f"{tool} launch --cpu", root=tmp_path, environ=os.environ)
    assert found.start == (str(tool), "launch", "--cpu")
    assert found.versions["trl"] == "1.2.3"


# ---- what they leave -------------------------------------------------------------------------------------------------


def left(folder: Path, kind: str, words: bytes, *, header: str | None = None) -> str:
    """What is wrong with weights of that kind."""
    told = header or json.dumps({"a": {"dtype": kind, "shape": [1], "data_offsets": [0, len(words)]}})
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapters.safetensors").write_bytes(struct.pack("<Q", len(told)) + told.encode() + words)
    return wrong_with(MLX, folder)


def test_weights_must_be_numbers(tmp_path: Path):
    """In single and in both half precisions; of a kind that we do not know nothing is said."""
    assert left(tmp_path, "F32", struct.pack("<3f", 3e38, 3e38, -1)) == ""
    assert "holds what is no number" in left(tmp_path, "F32", struct.pack("<2f", 1, math.inf))
    assert left(tmp_path, "F16", struct.pack("<2e", 1, 65504)) == ""
    assert "holds what is no number" in left(tmp_path, "F16", struct.pack("<2e", 1, math.nan))
    assert left(tmp_path, "BF16", struct.pack("<2H", 0x3F80, 0x7F7F)) == ""
    assert "holds what is no number" in left(tmp_path, "BF16", struct.pack("<2H", 0x3F80, 0xFF80))
    assert left(tmp_path, "I8", b"\xff\xff") == ""


def test_weights_must_be_there(tmp_path: Path):
    """A file that is none, one that describes nothing, one that is cut off."""
    assert left(tmp_path, "F32", b"", header="{}") == "adapters.safetensors holds no weights"
    assert (
        left(tmp_path, "F32", b"", header="[1")
        == "adapters.safetensors is no file of weights, or was cut off at its start"
    )
    (tmp_path / "adapters.safetensors").write_bytes(b"\xff" * 20)
    assert "was cut off at its start" in wrong_with(MLX, tmp_path)
    (tmp_path / "adapters.safetensors").write_bytes(b"")
    assert "was cut off at its start" in wrong_with(MLX, tmp_path)


def test_what_only_an_unfinished_training_needs_goes(tmp_path: Path):
    """Checkpoints are no adapters: nobody is to serve one by mistake."""
    (tmp_path / "checkpoint-12").mkdir()
    (tmp_path / "checkpoint-12" / "adapter_model.safetensors").write_bytes(b"x")
    for name in ("adapter_model.safetensors", "adapter_config.json", "training_args.bin"):
        (tmp_path / name).write_bytes(b"x")
    keep_finished(TRL, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
