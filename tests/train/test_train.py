"""`train` with a child that imitates a trainer: what is kept, what is not trained twice, and every way to fail."""

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from promptforge.backends.processes import process
from promptforge.errors import BusyError, InputError, UsageError, WriteError
from promptforge.train.alone import training_alone
from promptforge.train.record import attempts, read_trained
from promptforge.train.train import Asked, RefusedError, Watch
from promptforge.trainers.base import OutOfTimeError, TrainerMissingError, TrainingError
from promptforge.trainers.finding import TRAINERS
from promptforge.trainers.running import Course, Limits, run_trainer
from promptforge.workbench.adapters import latest_of, read_adapter
from train.lab_training import RECIPE, behave, command, hut, left, pids, trained, wait_for


def test_an_adapter_comes_with_everything_that_it_rests_on(tmp_path: Path):
    """Recipe, rows, knowledge, prompts, weights, trainer, seed and losses; and the folder holds what is finished."""
    root = hut(tmp_path)
    said: list[str] = []
    lines: list[tuple[int, int]] = []
    watch = Watch(says=said.append, progress=lambda course, news: lines.append((course.iteration, course.total)))
    outcome = trained(root, watch=watch)
    told, losses = outcome.trained, outcome.trained.losses
    assert outcome.fresh
    assert outcome.folder.name == f"hut-seed-7-{told.identity[:10]}"
    assert left(root) == [outcome.folder.name]
    assert sorted(p.name for p in outcome.folder.iterdir()) == [
        "adapter.json",
        "adapter_config.json",
        "adapters.safetensors",
    ]
    assert (told.recipe, told.model, told.base, told.seed, told.agents) == (
        "hut",
        "tiny",
        "models/tiny",
        7,
        ("warden",),
    )
    assert (losses.first, losses.last, losses.first_valid, losses.valid) == (6.723, 4.874, 8.766, 5.955)
    assert (told.iterations, told.trainer) == (12, "mlx_lm")
    assert told.lines["train"] == outcome.emitted.written.manifest.lines["train"]
    assert told.knowledge == outcome.emitted.written.manifest.knowledge
    assert lines[-1] == (12, 12)
    assert "mlx_lm trains tiny from seed 7" in said[0]
    assert "6.723" in (root / told.log).read_text(encoding="utf-8")
    assert [one.outcome for one in attempts(root)] == ["trained"]
    assert not (root / ".promptforge" / "training").exists()
    assert not (root / ".promptforge" / "training.json").exists()


def test_others_find_it(tmp_path: Path):
    """What promote reads of an adapter is what train wrote."""
    root = hut(tmp_path)
    folder = trained(root).folder
    found = read_adapter(folder)
    assert (found.recipe, found.model, found.seed, found.agents) == ("hut", "tiny", 7, ("warden",))
    assert (found.variant, found.base) == ("enriched", "models/tiny")
    assert latest_of(root, "hut") == folder


def test_the_trainer_is_told_where_to_read_and_write(tmp_path: Path):
    """Its configuration has the weights' folder, the rows and a folder beside the adapter's place; nothing is fetched."""
    root = hut(tmp_path)
    trained(root, Asked(seed=11), environ={**os.environ, "HF_HUB_OFFLINE": "0"})
    config = (root / "seen.yaml").read_text(encoding="utf-8")
    assert f'model: "{root}/models/tiny"' in config
    assert f'data: "{root}/.promptforge/training/rows"' in config
    assert "seed: 11" in config
    assert "command" not in config
    environ = json.loads((root / "environ.json").read_text())
    assert (environ["HF_HUB_OFFLINE"], environ["DO_NOT_TRACK"]) == ("0", "1")


def test_the_same_inputs_are_not_trained_twice(tmp_path: Path):
    """Until a row, a setting, the weights or the seed differ; or --again is said; or the adapter is damaged."""
    root = hut(tmp_path)
    first = trained(root)
    again = trained(root)
    assert (again.fresh, again.trained) == (False, first.trained)
    (root / "training" / "hut.yaml").write_text((root / "training" / "hut.yaml").read_text() + "\n# a remark\n")
    assert not trained(root).fresh
    assert trained(root, Asked(again=True)).fresh
    assert left(root) == [first.folder.name]
    other = trained(root, Asked(seed=8))
    assert (other.fresh, other.trained.data) == (True, first.trained.data)
    (root / "models" / "tiny" / "config.json").write_text('{"model_type": "other"}')
    assert trained(root).trained.base_digest != first.trained.base_digest
    knowledge = root / "knowledge" / "hut.yaml"
    knowledge.write_text(knowledge.read_text().replace("4533", "4534"))
    assert trained(root).trained.data != first.trained.data
    assert len(left(root)) == 4


def test_a_further_training_is_of_the_same_or_it_is_refused(tmp_path: Path):
    """Three seeds of other rows, settings or weights are not three seeds of one candidate; the trainer is not called."""
    root = hut(tmp_path)
    first = read_adapter(trained(root).folder)
    assert trained(root, Asked(seed=8, like=first.made_of)).fresh
    there = left(root)

    def refused(file: str, before: str, after: str) -> str:
        place = root / file
        text = place.read_text()
        place.write_text(text.replace(before, after))
        with pytest.raises(InputError) as caught:
            trained(root, Asked(seed=9, like=first.made_of))
        place.write_text(text)
        assert caught.value.hint == "train it anew, and judge that: promptforge train hut; promptforge promote hut"
        assert left(root) == there
        return caught.value.message

    what = "'hut' cannot be trained again as it was: of {} there are others now; nothing was trained"
    assert refused("knowledge/hut.yaml", "Choir", "Chorus").startswith(what.partition("{}")[0] + "rows")
    assert refused("training/hut.yaml", "rank: 4", "rank: 8") == what.format("settings")
    assert refused("models/tiny/config.json", "tiny", "other") == what.format("weights")
    assert trained(root, Asked(seed=9, like=first.made_of)).fresh
    assert latest_of(root, "hut") == first.folder  # they are no candidates of their own
    asked_for = trained(root, Asked(seed=9))
    assert (asked_for.fresh, latest_of(root, "hut")) == (False, asked_for.folder)


def test_a_damaged_adapter_is_trained_again(tmp_path: Path):
    """A file that has changed since is said, and replaced."""
    root = hut(tmp_path)
    folder = trained(root).folder
    (folder / "adapters.safetensors").write_bytes(b"")
    said: list[str] = []
    assert trained(root, watch=Watch(says=said.append)).fresh
    assert "adapters.safetensors has changed since it was trained: it is trained again" in said[0]
    (folder / "adapter.json").write_text("[]")
    with pytest.raises(InputError, match="is no manifest of a training"):
        read_trained(folder)


def test_private_rows_make_a_private_adapter(tmp_path: Path):
    """Weights remember: nobody else may read adapter and log."""
    root = hut(tmp_path)
    knowledge = root / "knowledge" / "hut.yaml"
    knowledge.write_text(knowledge.read_text().replace("service: Music}", "service: Music, sensitivity: private}"))
    outcome = trained(root)
    assert outcome.trained.private
    places = [outcome.folder, *outcome.folder.iterdir(), root / outcome.trained.log]
    assert [path.name for path in places if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


FAULTS = {
    "dies ValueError: num_layers is more than the model has": (
        "failed",
        "exited with 3: ValueError: num_layers is more",
    ),
    "dies OSError: [Errno 28] No space left on device": ("the disk is full", "failed: the disk is full"),
    "dies RuntimeError: [metal] out of memory": ("out of memory", "failed: out of memory"),
    "dies ModuleNotFoundError: No module named 'mlx'": ("a package is missing in its Python", "a package is missing"),
    "dies sh: g++: not found": ("its kernels could not be compiled", "its kernels could not be compiled"),
    "killed": ("killed", "mlx_lm was killed by signal 9"),
    "nan": ("not a number", "the loss became nan at iteration 11"),
    "nan-valid": ("not a number", "the valid loss became inf at iteration 12"),
    "nothing": ("no adapter", "mlx_lm ended well, but it wrote no adapters.safetensors"),
    "no-config": ("no adapter", "mlx_lm ended well, but it wrote no adapter_config.json"),
    "cut": ("no adapter", "adapters.safetensors was cut off: "),
    "no-number": ("no adapter", "adapters.safetensors: lora_a holds what is no number"),
}


@pytest.mark.parametrize("mode", FAULTS)
def test_a_training_that_fails_says_why_and_leaves_nothing(tmp_path: Path, mode: str):
    """Its own message, written down; the log is kept, and no adapter, not even half of one."""
    root = hut(tmp_path)
    behave(root, "well" if mode in ("nothing", "no-config", "cut", "no-number") else mode)
    if mode in ("nothing", "no-config", "cut", "no-number"):
        script = root / "trainer.py"
        text = script.read_text(encoding="utf-8").replace(
            '    step(12, "4.874")\n', '    step(12, "4.874")\n    return\n'
        )
        script.write_text(text, encoding="utf-8")
        behave(root, mode)
    cause, message = FAULTS[mode]
    with pytest.raises(TrainingError) as caught:
        trained(root)
    assert message in caught.value.message
    assert (caught.value.cause, caught.value.exit_code) == (cause, 4)
    assert caught.value.log is not None
    assert "6.723" in caught.value.log.read_text(encoding="utf-8")
    assert str(caught.value.log) in caught.value.hint
    assert left(root) == []
    (noted,) = attempts(root)
    assert (noted.outcome, noted.message, noted.iteration >= 10) == (cause, caught.value.message, True)


def test_what_a_trainer_says_of_private_rows_stays_in_its_log(tmp_path: Path):
    """It may print the row that it failed at; messages go to journals and notices, the log to nobody."""
    root = hut(tmp_path)
    knowledge = root / "knowledge" / "hut.yaml"
    knowledge.write_text(knowledge.read_text().replace("service: Music}", "service: Music, sensitivity: private}"))
    behave(root, "dies ValueError: bad row: 'Choir listens on 4533.'")
    with pytest.raises(TrainingError) as caught:
        trained(root)
    message = "mlx_lm exited with 3: its rows are private, so what it said is in its log alone"
    assert caught.value.message == message
    assert caught.value.hint == f"what it said: {caught.value.log}"
    assert "Choir listens on 4533" in caught.value.log.read_text()
    assert [one.message for one in attempts(root)] == [message]


@pytest.mark.parametrize("how", ["interrupted", "failed", "well"])
def test_a_journal_that_cannot_be_written_hides_nothing(tmp_path: Path, how: str):
    """A full disk: whoever interrupts, or fails, is heard; and what was trained is trained."""
    root = hut(tmp_path)
    behave(root, "dies ValueError: no" if how == "failed" else "well")
    (root / ".promptforge").mkdir()
    (root / ".promptforge" / "trainings.jsonl").symlink_to("/dev/full")
    said: list[str] = []

    def interrupted(course: Course, news: bool) -> None:
        raise KeyboardInterrupt

    watch = Watch(says=said.append, progress=interrupted) if how == "interrupted" else Watch(says=said.append)
    if how == "well":
        assert trained(root, watch=watch).fresh
    else:
        with pytest.raises({"interrupted": KeyboardInterrupt, "failed": TrainingError}[how]):
            trained(root, watch=watch)
        assert left(root) == []
    assert said[-1].startswith("how this training ended is not written down: cannot write ")
    assert said[-1].endswith("no space left on device")


def test_a_trainer_that_says_nothing_any_more_is_stopped_with_its_children(tmp_path: Path):
    """Also one that ignores being asked, and a child of it in a session of its own."""
    root = hut(tmp_path)
    behave(root, "stubborn")
    with pytest.raises(TrainingError, match=r"said nothing for 0\.01 minutes, and was stopped") as caught:
        trained(root, Asked(limits=Limits(stall_minutes=0.01, grace_s=0.3)))
    assert caught.value.cause == "stalled"
    assert [pid for pid in pids(root) if process(pid)] == []
    assert left(root) == []


def test_the_time_may_be_limited(tmp_path: Path):
    """When it is up, the training is stopped, nothing is kept, and the exit code is 3."""
    root = hut(tmp_path)
    behave(root, "hang")
    with pytest.raises(OutOfTimeError, match=r"the time was up after 0\.02 minutes, at iteration 10 of 12") as caught:
        trained(root, Asked(limits=Limits(minutes=0.02, grace_s=5)))
    assert (caught.value.exit_code, caught.value.cause) == (3, "out of time")
    assert [pid for pid in pids(root) if process(pid)] == []
    assert left(root) == []


def test_what_a_trainer_leaves_running_is_stopped(tmp_path: Path):
    """It ended well; its child, which holds its output open, did not end with it."""
    root = hut(tmp_path)
    behave(root, "orphan")
    assert trained(root).fresh
    assert [pid for pid in pids(root) if process(pid)] == []


def test_a_trainer_may_close_its_output(tmp_path: Path):
    """That is no end yet: what it does afterwards is waited for."""
    root = hut(tmp_path)
    behave(root, "closes")
    assert trained(root).trained.losses.last == 6.723


def test_rows_are_held_while_they_are_trained_on(tmp_path: Path):
    """A dataset that is built anew meanwhile takes the place; what the trainer reads stays what it was."""
    root = hut(tmp_path)
    seen: list[bytes] = []

    def meanwhile(course: Course, news: bool) -> None:
        place = root / "build" / "datasets" / "hut"
        if place.exists():
            shutil.rmtree(place)
        if (held := root / ".promptforge" / "training" / "rows" / "train.jsonl").exists():
            seen.append(held.read_bytes())

    outcome = trained(root, watch=Watch(progress=meanwhile))
    assert hashlib.sha256(seen[-1]).hexdigest() == outcome.emitted.written.manifest.files["train.jsonl"].sha256


@pytest.mark.parametrize("kind", ["axolotl", "llamafactory"])
def test_trainers_that_stand_on_transformers(tmp_path: Path, kind: str):
    """Called as they are called, read as they print, and their adapter is peft's."""
    recipe = RECIPE.replace("format: mlx", f"format: {kind}").replace("kind: mlx_lm", f"kind: {kind}")
    root = hut(tmp_path, recipe)
    shutil.copy(Path(__file__).parent / "recordings" / "transformers-5.23.txt", root)
    outcome = trained(root)
    assert (outcome.trained.trainer, outcome.trained.iterations, outcome.trained.losses.valid) == (kind, 12, 6.925)
    assert sorted(outcome.trained.files) == ["adapter_config.json", "adapter_model.safetensors"]
    assert json.loads((root / "arguments.json").read_text())[0] == "train"


def test_a_full_disk_stops_it(tmp_path: Path):
    """Its log cannot be written: it is stopped, and that is said."""
    root = hut(tmp_path)
    behave(root, "hang")
    config = tmp_path / "mlx.yaml"
    config.write_text(f"adapter_path: {tmp_path}/out\n")
    with pytest.raises(WriteError, match="cannot write /dev/full: no space left on device") as caught:
        run_trainer(
            TRAINERS["mlx_lm"],
            (sys.executable, str(root / "trainer.py"), "--config", str(config)),
            cwd=root,
            environ=os.environ,
            log=Path("/dev/full"),
            record=tmp_path / "record.json",
            limits=Limits(),
            told=lambda course, news: None,
        )
    assert caught.value.hint == "the training was stopped"
    assert [pid for pid in pids(root) if process(pid)] == []


def test_a_command_that_cannot_be_run_says_so(tmp_path: Path):
    """It was there when it was looked for, and is no program."""
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x00")
    broken.chmod(0o755)
    with pytest.raises(TrainingError, match="mlx_lm failed: it could not be started"):
        run_trainer(
            TRAINERS["mlx_lm"],
            (str(broken),),
            cwd=tmp_path,
            environ=os.environ,
            log=tmp_path / "log.txt",
            record=tmp_path / "record.json",
            limits=Limits(),
            told=lambda course, news: None,
        )
    assert "cannot start" in (tmp_path / "log.txt").read_text()


def test_old_logs_go(tmp_path: Path):
    """The last thirty of a recipe are kept, those of another one are not touched."""
    root = hut(tmp_path)
    logs = root / "build" / "logs"
    logs.mkdir(parents=True)
    for number in range(40):
        (logs / f"hut-seed-{number}-0123456789-x.log").write_text("old")
    (logs / "other-seed-1-0123456789-x.log").write_text("old")
    trained(root)
    assert len(list(logs.glob("hut-seed-*"))) == 30
    assert (logs / "other-seed-1-0123456789-x.log").exists()


def test_a_refused_dataset_is_not_trained(tmp_path: Path):
    """With identity above its limit, the audit says no, and the trainer is never called."""
    recipe = RECIPE.replace("identity: 0.25, infrastructure: 0.75", "identity: 0.5, infrastructure: 0.5")
    root = hut(tmp_path, recipe.replace("limits: {identity: {max: 0.3}, jailbreak: {min: 0}, replay: {min: 0}}\n", ""))
    with pytest.raises(RefusedError, match="the audit refuses the rows of 'hut': nothing was trained") as caught:
        trained(root)
    assert caught.value.exit_code == 1
    assert [f for f in caught.value.audit.findings if f.level == "refuse"]
    assert not (root / "seen.yaml").exists()


def test_two_trainings_at_once_are_refused(tmp_path: Path):
    """The second one says who holds it."""
    root = hut(tmp_path)
    with (
        training_alone(root),
        pytest.raises(BusyError, match=f"another training of this project runs: process {os.getpid()}"),
    ):
        trained(root)


def test_weights_that_are_not_here_are_said(tmp_path: Path):
    """Nothing is fetched behind one's back."""
    root = hut(tmp_path)
    shutil.rmtree(root / "models")
    with pytest.raises(InputError, match="the weights of the model 'tiny' are not on this machine") as caught:
        trained(root)
    assert "hf download models/tiny" in caught.value.hint
    assert not (root / "build").exists()


def test_a_trainer_that_is_not_installed_is_named_with_its_install_command(tmp_path: Path):
    """By the very Python that was looked in."""
    root = hut(tmp_path, RECIPE.replace('command: "PYTHON trainer.py"', "python: PYTHON"))
    with pytest.raises(TrainerMissingError, match="mlx_lm is not installed") as caught:
        trained(root)
    assert f"{sys.executable} -m pip install 'mlx[cpu]; sys_platform == \"linux\"' mlx-lm" in caught.value.hint
    root = hut(tmp_path / "two", RECIPE.replace("PYTHON trainer.py", "no-such-command --now"))
    with pytest.raises(TrainerMissingError, match="there is no command 'no-such-command --now' to train with"):
        trained(root)
    with pytest.raises(TrainerMissingError, match="there is no Python 'no/python' to train with mlx_lm"):
        trained(root, Asked(python="no/python"))


def test_what_is_uploaded_is_not_trained_here(tmp_path: Path):
    """OpenAI's format has no trainer on this machine."""
    trainer = 'trainer: {kind: mlx_lm, rank: 4, iters: 12, command: "PYTHON trainer.py"}'
    root = hut(tmp_path, RECIPE.replace("format: mlx", "format: openai").replace(trainer, "trainer: {kind: openai}"))
    with pytest.raises(UsageError, match="the recipe 'hut' has the format openai, which is not trained here"):
        trained(root)


# ---- as a process ----------------------------------------------------------------------------------------------------


def test_the_command_says_how_far_it_is(tmp_path: Path):
    """Plain lines where there is no terminal; the result on stdout; the same again is nothing to do."""
    root = hut(tmp_path)
    with command(root) as done:
        out, err = done.communicate(timeout=120)
    assert done.returncode == 0, err
    assert "iteration 10 of 12 · loss 6.723 · valid 8.766 · 27 tokens/s" in err
    assert "\r" not in err
    assert "loss 6.723 to 4.874; valid loss 8.766 to 5.955" in out
    assert "wrote build/adapters/hut-seed-7-" in out
    with command(root, "--format", "json") as done:
        out, err = done.communicate(timeout=120)
    assert json.loads(out)["fresh"] is False
    with command(root) as done:
        out, _ = done.communicate(timeout=120)
    assert "nothing to do: hut is trained already, on the same rows, weights and seed 7" in out


def test_on_a_terminal_one_line_is_written_over(tmp_path: Path):
    """And it is gone at the end."""
    root = hut(tmp_path)
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "promptforge", "-C", str(root), "train", "hut"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
    ) as done:
        os.close(theirs)
        said = b""
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:  # how Linux says that nobody has the other end any more
                break
            if not block:
                break
            said += block
        os.close(ours)
        done.wait(120)
    assert "\r\x1b[2Kiteration 10 of 12 · loss 6.723" in said.decode()
    assert said.endswith(b"\r\x1b[2K")


def test_a_refused_recipe_exits_with_1_and_the_reasons(tmp_path: Path):
    """What the audit refuses is said on stderr."""
    recipe = RECIPE.replace("identity: 0.25, infrastructure: 0.75", "identity: 0.5, infrastructure: 0.5")
    root = hut(tmp_path, recipe.replace("limits: {identity: {max: 0.3}, jailbreak: {min: 0}, replay: {min: 0}}\n", ""))
    with command(root) as done:
        out, err = done.communicate(timeout=120)
    assert (done.returncode, out) == (1, "")
    assert "identity" in err
    assert "error: the audit refuses the rows of 'hut': nothing was trained" in err


def test_a_project_with_errors_is_not_trained(tmp_path: Path):
    """They are shown, as check shows them."""
    root = hut(tmp_path, RECIPE.replace("rank: 4", "rank: 4, rnak: 5"))
    with command(root) as done:
        _, err = done.communicate(timeout=120)
    assert done.returncode == 1
    assert "'rnak' is no setting of mlx_lm" in err
    assert "1 error: nothing was trained" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_trainer_too(tmp_path: Path, number: signal.Signals):
    """Its children included; no adapter is left, and the exit code is 130."""
    root = hut(tmp_path)
    behave(root, "hang")
    with command(root) as done:
        running = pids(root)
        done.send_signal(number)
        _, err = done.communicate(timeout=120)
    assert done.returncode == 130, err
    assert [pid for pid in running if process(pid)] == []
    assert left(root) == []
    assert [one.outcome for one in attempts(root)] == ["interrupted"]


def test_a_killed_training_starts_again_from_its_seed(tmp_path: Path):
    """What it left running is found and stopped, what it left half is swept away, and what others run is not touched."""
    root = hut(tmp_path)
    behave(root, "hang")
    with command(root) as done:
        running = pids(root)
        wait_for(lambda: left(root))
        done.kill()
        done.communicate(timeout=120)
    assert [pid for pid in running if process(pid)] == running
    assert left(root)[0].startswith(".hut-seed-7-")
    behave(root, "well")
    said: list[str] = []
    outcome = trained(root, watch=Watch(says=said.append))
    assert said[0].startswith("stopped what a killed training had left running: ")
    assert [pid for pid in running if process(pid)] == []
    assert left(root) == [outcome.folder.name]
    assert outcome.trained.seed == 7


def test_a_record_of_another_process_stops_nobody(tmp_path: Path):
    """A number that was given away again is not ours: neither its start nor its environment says so."""
    root = hut(tmp_path)
    (root / ".promptforge").mkdir()
    from promptforge.backends.processes import here

    told = {"here": dict(here()), "identity": [os.getppid(), "1"], "token": "ab" * 16, "about": ""}
    (root / ".promptforge" / "training.json").write_text(json.dumps(told))
    said: list[str] = []
    assert trained(root, watch=Watch(says=said.append)).fresh
    assert not any("stopped" in line for line in said)
