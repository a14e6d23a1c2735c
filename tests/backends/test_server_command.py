"""From `serve` to the command: the port, the adapter, each kind of server, and what is refused by name."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.backends.servecommand import ADAPTER_NAME, KINDS, Command, command_of, shown
from promptforge.backends.serveenviron import environment_of
from promptforge.backends.trouble import ServerError
from promptforge.errors import InputError
from promptforge.model import Model
from strategies import tries

PORT = 40123


def model(line: str | None, name: str = "coder-14b") -> Model:
    settings = {"model": name} if line is None else {"model": name, "serve": line}
    return Model(name="coder", backend="compatible", tier="local", settings=settings)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project, with programs of all names and adapters of all kinds."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("mlx_lm.server", "mlx_lm", "python", "llama-server", "vllm", "transformers", "my-server"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    for name, file in (("mlx", "adapters.safetensors"), ("peft", "adapter_model.safetensors"), ("gguf", "a.gguf")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("")
    (tmp_path / "peft" / "adapter_config.json").write_text('{"r": 8}')
    return tmp_path


def made(home: Path, line: str | None, adapter: str | None = None, **environ: str) -> Command:
    environment = {"PATH": str(home / "bin"), "HOME": "/home/mara", **environ}
    folder = None if adapter is None else Path(adapter)
    return command_of(model(line), port=PORT, adapter=folder, root=home, environ=environment)


def words(home: Path, line: str, adapter: str | None = None) -> list[str]:
    """The command without the folder of its program."""
    first, *others = made(home, line, adapter).words
    assert first.startswith(f"{home}/bin/")
    return [first.removeprefix(f"{home}/bin/"), *others]


MLX = "mlx_lm.server --model models/coder --port {port}"
LLAMA = "llama-server -m coder.gguf --port {port}"
VLLM = "vllm serve models/coder --port {port} --host 127.0.0.1"


def test_the_port_is_filled_in(home):
    assert words(home, MLX) == ["mlx_lm.server", "--model", "models/coder", "--port", "40123"]
    assert words(home, "my-server --listen=127.0.0.1:{port}") == ["my-server", "--listen=127.0.0.1:40123"]


@pytest.mark.parametrize(
    ("line", "adapter", "kind", "more"),
    [
        (MLX, "mlx", "mlx_lm", ["--adapter-path", "{home}/mlx"]),
        ("python -m mlx_lm server --model m --port {port}", "mlx", "mlx_lm", ["--adapter-path", "{home}/mlx"]),
        ("python -m mlx_lm.server --model m --port {port}", "mlx", "mlx_lm", ["--adapter-path", "{home}/mlx"]),
        ("mlx_lm server --model=m --port {port}", "mlx", "mlx_lm", ["--adapter-path", "{home}/mlx"]),
        (LLAMA, "gguf", "llama-server", ["--lora", "{home}/gguf/a.gguf"]),
        (LLAMA, "gguf/a.gguf", "llama-server", ["--lora", "{home}/gguf/a.gguf"]),
        ("python -m llama_cpp.server --port {port}", "gguf", "llama_cpp", ["--lora_path", "{home}/gguf/a.gguf"]),
        (VLLM, "peft", "vllm", ["--enable-lora", "--lora-modules", "promptforge-adapter={home}/peft"]),
        (
            "python -m vllm.entrypoints.openai.api_server --model m --host 127.0.0.1 --port {port}",
            "peft",
            "vllm",
            ["--enable-lora", "--lora-modules", "promptforge-adapter={home}/peft"],
        ),
    ],
)
def test_an_adapter_is_added_as_each_server_takes_it(home, line, adapter, kind, more):
    """The words without an adapter, and then those of the adapter; nothing else changes."""
    before, after = words(home, line), words(home, line, adapter)
    assert after == before + [word.format(home=home) for word in more]
    assert made(home, line).kind == made(home, line, adapter).kind == kind


@pytest.mark.parametrize(
    ("line", "without", "with_one"),
    [
        ("my-server {port} [--adapter {adapter}]", ["40123"], ["40123", "--adapter", "{home}/mlx"]),
        ("my-server [--adapter={adapter}] {port}", ["40123"], ["--adapter={home}/mlx", "40123"]),
        ("my-server [{adapter}] {port}", ["40123"], ["{home}/mlx", "40123"]),
        ("my-server [ --a {adapter} ] {port}", ["40123"], ["--a", "{home}/mlx", "40123"]),
        ("my-server [1] {port} [--a {adapter}]", ["[1]", "40123"], ["[1]", "40123", "--a", "{home}/mlx"]),
        ("""my-server '["a", "b"]' {port}""", ['["a", "b"]', "40123"], None),
        ("my-server {x} {port} [--a {adapter} -b]", ["{x}", "40123"], ["{x}", "40123", "--a", "{home}/mlx", "-b"]),
        (
            "mlx_lm.server --model m --port {port} [--adapter-path {adapter}]",
            ["--model", "m", "--port", "40123"],
            ["--model", "m", "--port", "40123", "--adapter-path", "{home}/mlx"],
        ),
    ],
)
def test_brackets_are_left_out_without_an_adapter(home, line, without, with_one):
    """Only brackets that name {adapter}; all others are the command's own."""
    assert words(home, line)[1:] == without
    if with_one is not None:
        assert words(home, line, "mlx")[1:] == [word.replace("{home}", str(home)) for word in with_one]


def test_the_name_that_surely_leads_to_what_was_loaded(home):
    """mlx_lm loads anew, without the adapter, for any name but its own; vLLM has a name for the adapter."""
    assert made(home, MLX).model == made(home, MLX, "mlx").model == "default_model"
    assert made(home, LLAMA, "gguf").model == made(home, LLAMA).model == "coder-14b"
    assert (made(home, VLLM).model, made(home, VLLM, "peft").model) == ("coder-14b", ADAPTER_NAME)
    own = f"{VLLM} [--enable-lora --lora-modules tuned={{adapter}}]"
    assert made(home, own, "peft").model == "tuned"
    assert made(home, own.replace("modules tuned", "modules=tuned"), "peft").model == "tuned"


@pytest.mark.parametrize(
    ("rank", "room"), [(8, []), (16, []), (24, ["32"]), (64, ["64"]), (320, ["320"]), (999, ["999"])]
)
def test_vllm_is_told_of_a_large_rank(home, rank, room):
    """It refuses an adapter of a rank over 16 unless it was told to expect one."""
    (home / "peft" / "adapter_config.json").write_text(json.dumps({"r": rank}))
    told = words(home, VLLM, "peft")
    assert told[told.index("--lora-modules") + 2 :] == (["--max-lora-rank", *room] if room else [])
    assert words(home, f"{VLLM} --max-lora-rank 8", "peft").count("--max-lora-rank") == 1


def test_vllm_listens_to_this_machine_alone(home):
    """By itself it listens to the whole network; who says otherwise is heard."""
    line = "vllm serve m --port {port}"
    assert words(home, line)[-2:] == ["--host", "127.0.0.1"]
    assert words(home, f"{line} --host 0.0.0.0")[-2:] == ["--host", "0.0.0.0"]
    assert words(home, f"{line} --host=0.0.0.0")[-1] == "--host=0.0.0.0"


def test_no_shell_is_needed(home):
    """Quotes are read as a shell reads them, and a home folder and variables before the command, too; nothing else is."""
    (home / "mlx").rename(home / "my adapter")
    command = made(
        home, """A=1 B='x y' PORT={port} my-server "a b" $HOME ~/m '*' {port} [--a {adapter}]""", "my adapter"
    )
    assert command.words[1:] == ("a b", "$HOME", "/home/mara/m", "*", "40123", "--a", f"{home}/my adapter")
    assert command.environment == {"A": "1", "B": "x y", "PORT": "40123"}


def test_a_program_of_the_project(home):
    """A path with a slash is one from the project's folder."""
    assert made(home, "bin/my-server {port}").program == str(home / "bin" / "my-server")
    assert made(home, f"{sys.executable} {{port}}").program == sys.executable
    for line in ("bin/none {port}", "none {port}"):
        with pytest.raises(ServerError) as caught:
            made(home, line)
        assert caught.value.trouble == "no_program"


BAD = [
    (
        None,
        None,
        "promptforge.yaml does not say how the model 'coder' is started",
        "write `serve: mlx_lm.server --model PATH --port {port}`, with the command that starts it",
    ),
    (
        "my-server 'x {port}",
        None,
        "`serve` of the model 'coder' cannot be read: no closing quotation",
        "close the quotation mark",
    ),
    (
        "cd models && my-server {port}",
        None,
        "`serve` of the model 'coder' has '&&', which only a shell understands",
        "write a script, and name it here",
    ),
    ("A=1", None, "`serve` of the model 'coder' names no program", "write the command that starts the server"),
    (
        "mlx_lm.server --model m --port 1338",
        None,
        "`serve` of the model 'coder' has no {port}",
        "write {port} where it takes its port: each server gets a free one",
    ),
    (
        "llama-server -m x --port {port} [--lora {adapter} --lora-init-without-apply]",
        None,
        "`serve` of the model 'coder' has --lora-init-without-apply, and the adapter would be applied all the same",
        "leave it out: each server is started with its adapter or without one",
    ),
    (
        f"{MLX} --adapter-path adapters/champion",
        None,
        "`serve` of the model 'coder' has an adapter of its own (--adapter-path), which would be in every arm",
        "leave it out: the adapter is added where one is served",
    ),
    (
        f"{LLAMA} --lora=adapters/champion.gguf",
        "gguf",
        "`serve` of the model 'coder' has an adapter of its own (--lora), which would be in every arm",
        "leave it out: the adapter is added where one is served",
    ),
    (
        "mlx_lm.server --port {port}",
        "mlx",
        "`serve` of the model 'coder' has no --model, so it would load what each request names, and never an adapter",
        "write --model PATH",
    ),
    (
        "my-server {port} --adapter {adapter}",
        None,
        "`serve` of the model 'coder' needs an adapter, and there is none",
        "write it in brackets: [--adapter-path {adapter}]",
    ),
    (
        "my-server {port}",
        "mlx",
        "how the server of 'coder' takes an adapter is not known",
        "write {adapter} in `serve` where the command takes it, in brackets: [--adapter {adapter}]",
    ),
    (MLX, "none", "there is no adapter at none", "train one, or name the folder that holds it"),
    (
        MLX,
        "peft",
        "the adapter {home}/peft has no adapters.safetensors, so this server cannot read it",
        "the folder that mlx_lm.lora wrote has it; an adapter of another kind must be converted first",
    ),
    (
        VLLM,
        "mlx",
        "the adapter {home}/mlx has no adapter_model.safetensors, so this server cannot read it",
        "the folder that peft wrote has it; an adapter of another kind must be converted first",
    ),
    (
        LLAMA,
        "peft",
        "the adapter {home}/peft must be one GGUF file, or a folder with one",
        "llama.cpp's convert_lora_to_gguf.py makes one of a folder that peft wrote",
    ),
]


@pytest.mark.parametrize(("line", "adapter", "message", "hint"), BAD)
def test_what_cannot_be_a_command(home, line, adapter, message, hint):
    """Each has its own message and hint; nothing is started."""
    with pytest.raises(InputError) as caught:
        made(home, line, adapter)
    assert caught.value.message == message.replace("{home}", str(home))
    assert caught.value.hint == hint


def test_a_rank_that_cannot_be_read(home):
    (home / "peft" / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError) as caught:
        made(home, VLLM, "peft")
    assert caught.value.message == f"the rank of {home}/peft cannot be read from its adapter_config.json"
    assert caught.value.hint == "an adapter folder that peft wrote has it beside its weights"


def test_the_kinds_are_told_apart():
    """Each of them knows its own commands and no other's."""
    lines = {
        "mlx_lm": ["mlx_lm.server", "/opt/bin/mlx_lm.server", "python -m mlx_lm server", "mlx_lm server"],
        "llama-server": ["llama-server", "/opt/llama.cpp/llama-server", "llama-server.exe"],
        "llama_cpp": ["python3 -m llama_cpp.server"],
        "vllm": ["vllm serve m", "python -m vllm.entrypoints.openai.api_server"],
        "transformers": ["transformers serve m"],
        None: ["ollama serve", "my-llama-server x", "mlx_lm.generate", "vllm bench"],
    }
    for kind, commands in lines.items():
        for command in commands:
            assert {one.name for one in KINDS if one.is_one(command.split())} == ({kind} if kind else set()), command


@tries(200)
@given(st.lists(st.text(min_size=1), max_size=6))
def test_a_shown_command_is_one_line_of_words(arguments):
    """Whatever the words are, none is lost but a key."""
    told = shown(["server", *arguments])
    assert told.startswith("server")
    assert shown(["x", "--api-key", "abc", "--port", "1"]) == "x --api-key … --port 1"


# --- the environment --------------------------------------------------------------------------------------------------


def local(home: Path, kind: str = "mlx_lm") -> Command:
    (home / "models" / "coder").mkdir(parents=True, exist_ok=True)
    (home / "models" / "coder" / "config.json").write_text("{}")
    line = {"mlx_lm": MLX, "llama-server": LLAMA}[kind]
    return made(home, line)


def test_a_local_model_needs_no_network(home):
    """It is told so, and gets an empty cache where there is none: without one mlx_lm lists its models with nothing."""
    found = environment_of(local(home), home, {"HOME": str(home)})
    empty = home / ".promptforge" / "servers" / "hub"
    assert found == {
        "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(empty),
    }
    assert empty.is_dir()


def test_the_users_word_counts(home):
    """No variable of the user's is replaced, and a cache that is there is used."""
    mine = {"HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HOME": "/data/hf", "PYTHONUNBUFFERED": ""}
    assert environment_of(local(home), home, mine) == mine
    (home / ".cache/huggingface/hub").mkdir(parents=True)
    assert "HF_HUB_CACHE" not in environment_of(local(home), home, {"HOME": str(home)})


def test_a_model_of_the_hub_may_be_fetched(home):
    """Its name is no folder: then nothing is said of the network. llama.cpp does not use that library at all."""
    remote = made(home, "mlx_lm.server --model mlx-community/coder --port {port}")
    for command in (remote, local(home, "llama-server")):
        assert environment_of(command, home, {}) == {"PYTHONUNBUFFERED": "1"}
