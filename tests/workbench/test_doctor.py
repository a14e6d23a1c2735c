"""`doctor`: what it says of models, ports, keys, tokenizers and the folder; nothing is sent where it must not be."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from servers import FULL, HTML, free_port, listening, on, server

SECRET = "sk-not-to-be-printed"


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "promptforge", *arguments]
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={**kept, **environ})


# --- the command ------------------------------------------------------------------------------------------------------


def project(folder: Path, models: dict[str, Any], **more: Any) -> Path:
    """A project with one agent for each model, called after it."""
    for name in models:
        (folder / "agents").mkdir(parents=True, exist_ok=True)
        (folder / f"agents/{name}.yaml").write_text(
            f"name: the-{name}\nmodel: {name}\npersona: x\nsections: [persona]\n"
        )
    (folder / "promptforge.yaml").write_text(
        yaml.safe_dump({"name": "house", "models": models, **more}, sort_keys=False)
    )
    return folder


def local(port: int, **more: Any) -> dict[str, Any]:
    return {"backend": "compatible", "base_url": f"http://127.0.0.1:{port}/v1", "tier": "local", **more}


def examined(folder: Path, **environ: str) -> tuple[int, dict[str, Any]]:
    done = run(folder, "doctor", "--format", "json", **environ)
    assert done.stderr == ""
    assert SECRET not in done.stdout
    return done.returncode, json.loads(done.stdout)


def lines_of(done: subprocess.CompletedProcess[str], title: str) -> dict[str, str]:
    """The table below a title, by its first column."""
    assert SECRET not in done.stdout
    block = next(part for part in done.stdout.split("\n\n") if part.startswith(title))
    return {line[2:].split("  ")[0].strip(): line[2:].split("  ", 1)[1].strip() for line in block.splitlines()[1:]}


def test_local_servers(tmp_path):
    """One that runs, one with another model, one that is none, one that is not there: none of them is an error."""
    with server(FULL) as (runs, _), server(on({}, HTML)) as (page, _), listening() as hangs:
        nobody = free_port()
        models = {
            "a": local(runs, model="coder"),
            "b": local(runs, model="qwen"),
            "c": local(page),
            "d": local(hangs),
            "e": local(nobody),
        }
        done = run(project(tmp_path, models), "doctor")
    assert done.returncode == 0
    assert done.stderr == ""
    said = {name: lines_of(done, f"{name} (compatible, local): the model of the-{name}") for name in models}
    at = "at http://127.0.0.1"
    assert said["a"]["server"] == f"running {at}:{runs}/v1; it lists coder, /models/tiny"
    assert said["b"]["server"] == f"running {at}:{runs}/v1; it lists coder, /models/tiny, and not qwen"
    assert said["c"]["server"].startswith(f"something else {at}:{page}/v1; it answers, but not like a model server")
    assert said["d"]["server"] == f"silent {at}:{hangs}/v1; it listens, but does not answer within 2 s"
    assert said["e"]["server"] == f"not running {at}:{nobody}/v1; nothing listens there"
    assert f"{runs}: " in said["a"]["port"]
    assert f"(process {os.getpid()})" in said["a"]["port"]
    assert said["e"]["port"] == f"{nobody}: nobody listens"
    assert said["a"]["key"] == "none needed"
    assert done.stdout.endswith("fine: keys, tokenizers and budgets are in order\n")


def test_what_knowledge_says_of_a_port(tmp_path):
    """A port of the table is told with codename, service and host; which host this is, the reader knows."""
    port = free_port()
    project(tmp_path, {"a": local(port)})
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge/a.yaml").write_text(
        f"hosts: {{mini: {{}}, nas: {{}}}}\nports:\n"
        f"  - {{host: mini, port: {port}, codename: LEET, service: Council MLX}}\n"
        f"  - {{host: nas, port: {port}}}\n  - {{host: nas, port: 1}}\n"
    )
    done = run(tmp_path, "doctor")
    known = "knowledge says: LEET, Council MLX on mini; a port on nas"
    assert lines_of(done, "a (compatible")["port"] == f"{port}: nobody listens; {known}"
    _, found = examined(tmp_path)
    assert found["models"]["a"]["port"] == {
        "number": port,
        "owners": [],
        "knowledge": ["LEET, Council MLX on mini", "a port on nas"],
    }


def test_a_cloud_model_is_never_asked(tmp_path):
    """Not even where its address is on this machine; of its key only the presence is looked at."""
    with server(FULL) as (port, seen):
        base = f"http://127.0.0.1:{port}/v1"
        models = {
            "a": {"backend": "compatible", "base_url": base, "tier": "cloud", "api_key": "env:A_API_KEY"},
            "b": {"backend": "anthropic", "tier": "cloud", "api_key": "env:B_API_KEY"},
        }
        project(tmp_path, models)
        done = run(tmp_path, "doctor", A_API_KEY=SECRET, B_API_KEY=SECRET)
        assert done.returncode == 0
        assert seen == []
    said = lines_of(done, "a (compatible, cloud)")
    assert said["server"] == "not asked: it is in the cloud"
    assert said["key"] == "A_API_KEY is set"


def test_the_key_of_a_local_server_is_not_sent(tmp_path):
    """The question goes without the key: something else may listen there."""
    with server(on({}, (401, "application/json", "{}"))) as (port, seen):
        project(tmp_path, {"a": local(port, api_key="env:A_API_KEY")})
        code, found = examined(tmp_path, A_API_KEY=SECRET)
    assert code == 0
    assert found["models"]["a"]["server"] == {"state": "running", "detail": "it asks for a key", "models": None}
    assert seen == ["GET /v1/models"]


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_a_key_that_is_missing(tmp_path, value):
    """A model that an agent has, without its key, is a problem; a model that nobody has is not."""
    models = {"a": {"backend": "anthropic", "tier": "cloud", "api_key": "env:A_API_KEY"}}
    environ = {} if value is None else {"A_API_KEY": value}
    done = run(project(tmp_path, models), "doctor", **environ)
    assert done.returncode == 1
    assert lines_of(done, "a (anthropic, cloud)")["key"] == "A_API_KEY is not set"
    said = "1 problem\n  a, the model of the-a, has no key: A_API_KEY is not set\n    help: export A_API_KEY=…\n"
    assert done.stdout.endswith(said)
    (tmp_path / "agents/a.yaml").unlink()
    unused = run(tmp_path, "doctor", **environ)
    assert unused.returncode == 0
    assert "a (anthropic, cloud): no agent has it" in unused.stdout


def test_a_key_that_nobody_named(tmp_path):
    """A provider in the cloud needs one."""
    code, found = examined(project(tmp_path, {"a": {"backend": "openai", "tier": "cloud"}}))
    assert code == 1
    assert found["models"]["a"]["key"] == {"state": "not named", "variable": None}
    assert found["problems"][0] == {
        "message": "a, the model of the-a, names no key",
        "hint": "write `api_key: env:NAME` in promptforge.yaml",
    }
    assert lines_of(run(tmp_path, "doctor"), "a (openai")["key"] == "none named: write `api_key: env:NAME`"


def test_a_key_in_the_file(tmp_path):
    """It is not printed here either, and it is a problem even of a model that nobody has."""
    project(tmp_path, {"a": {"backend": "openai", "tier": "cloud", "api_key": SECRET}})
    (tmp_path / "agents/a.yaml").unlink()
    code, found = examined(tmp_path)
    assert code == 1
    assert {
        "message": "the key of a stands in promptforge.yaml",
        "hint": "write `api_key: env:NAME`, and change the key",
    } in (found["problems"])
    assert lines_of(run(tmp_path, "doctor"), "a (openai")["key"] == "it stands in promptforge.yaml, in the open"


def test_tokenizers(tmp_path):
    """Exact, estimated, and not to be had: the last is a problem of the agents that need it."""
    models = {
        "a": {"backend": "reader", "tokenizer": "tiktoken:o200k_base"},
        "b": {"backend": "reader"},
        "c": {"backend": "reader", "tokenizer": "hf:models/nowhere/tokenizer.json"},
    }
    done = run(project(tmp_path, models), "doctor")
    assert done.returncode == 1
    assert lines_of(done, "a (reader")["tokenizer"] == "tiktoken:o200k_base: exact"
    assert lines_of(done, "a (reader")["server"] == "none needed"
    assert lines_of(done, "b (reader")["tokenizer"].startswith("estimated, errs high")
    assert lines_of(done, "c (reader")["tokenizer"].startswith("hf:models/nowhere/tokenizer.json cannot be used: ")
    assert "\n1 problem\n  the tokens of c, the model of the-c, cannot be counted: " in done.stdout


def test_context(tmp_path):
    """The largest budget of a model's agents and the reserve must fit its context."""
    models = {
        "a": {"backend": "reader", "context": 8000},
        "b": {"backend": "reader", "context": 3000},
        "c": {"backend": "reader"},
    }
    done = run(project(tmp_path, models, budget=2500, reserve=1000), "doctor")
    assert done.returncode == 1
    asked_for = "the largest budget 2,500 and the reserve 1,000"
    assert lines_of(done, "a (reader")["context"] == f"8,000 tokens; {asked_for} fit"
    assert lines_of(done, "b (reader")["context"] == f"3,000 tokens; {asked_for} do not fit"
    assert lines_of(done, "c (reader")["context"] == "none named, so no budget is checked against it"
    said = "the largest budget of b and the reserve (2500 + 1000 tokens) do not fit its context of 3000"
    assert f"\n1 problem\n  {said}\n    help: lower the budget\n" in done.stdout


def test_extras(tmp_path):
    """Each extra that is missing comes with the command that installs it."""
    project(tmp_path, {})
    blocked = "import sys; sys.modules.update(tokenizers=None, watchfiles=None);"
    script = f"{blocked} from promptforge.cli.main import main; main()"
    command = [sys.executable, "-c", script, "doctor"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = lines_of(done, "house in ")
    assert said["extra hf"] == "exact counts with a model's own tokenizer.json: pip install 'tokenizers>=0.19'"
    assert said["extra watch"] == "build --watch: pip install 'watchfiles>=0.21'"
    assert "no models: name them in promptforge.yaml under `models:`" in done.stdout


# --- the folder -------------------------------------------------------------------------------------------------------


def folder_lines(folder: Path) -> dict[str, str]:
    return lines_of(run(folder, "doctor"), "house in ")


def test_the_last_build(tmp_path):
    """None, as the lock has it, another than the lock's, without a lock, and damaged."""
    project(tmp_path, {"a": {"backend": "reader"}})
    before = sorted(tmp_path.rglob("*"))
    output = "build/agent_prompts.yaml"
    assert folder_lines(tmp_path)["last build"] == "none yet: promptforge build"
    assert sorted(tmp_path.rglob("*")) == before  # looking leaves no trace
    run(tmp_path, "build")
    assert folder_lines(tmp_path)["last build"] == f"{output}, as promptforge.lock has it"
    assert examined(tmp_path)[1]["build"]["fine"] is True
    lock = tmp_path / "promptforge.lock"
    kept = lock.read_text()
    lock.write_text(kept.replace("sha256:", "sha256:0"))
    assert folder_lines(tmp_path)["last build"] == f"{output} and promptforge.lock differ in the-a: promptforge build"
    lock.write_text("version: 7\n")
    assert folder_lines(tmp_path)["last build"].startswith(f"{output} can be read, but promptforge.lock cannot: ")
    lock.unlink()
    no_lock = f"{output} can be read, but there is no promptforge.lock: promptforge build"
    assert folder_lines(tmp_path)["last build"] == no_lock
    lock.write_text(kept)
    (tmp_path / output).write_text("the-a: {system: changed}\n")
    damaged = "cannot be used: the prompts were changed after they were built; promptforge build makes it anew"
    assert folder_lines(tmp_path)["last build"] == f"{output} {damaged}"
    assert run(tmp_path, "doctor").returncode == 0


def test_git(tmp_path):
    """No repository, what is built not ignored, and all ignored."""
    project(tmp_path, {})
    assert folder_lines(tmp_path)["git"].endswith("; the project is in no repository: git init")
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    not_ignored = "; not ignored: build/, .promptforge/ (may hold private facts: add to .gitignore)"
    assert folder_lines(tmp_path)["git"].endswith(not_ignored)
    (tmp_path / ".gitignore").write_text("build/\n.promptforge/\n")
    assert folder_lines(tmp_path)["git"].endswith("; ignores build/ and .promptforge/")
    command = [sys.executable, "-m", "promptforge", "doctor"]
    environ = {**os.environ, "PATH": "/nowhere"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environ)
    assert lines_of(done, "house in ")["git"] == "not installed: diff cannot compare with earlier revisions"


def test_an_output_elsewhere(tmp_path):
    """An output outside the repository is none of git's business."""
    (tmp_path / "house").mkdir()
    project(tmp_path / "house", {}, output="../out/prompts.yaml")
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path / "house", check=True)
    assert examined(tmp_path / "house")[1]["git"]["ignored"] == {".promptforge/": False}


def test_a_project_with_errors(tmp_path):
    """Errors of other files are counted; those of promptforge.yaml are a problem, as models may be missing."""
    project(tmp_path, {"a": {"backend": "reader"}})
    (tmp_path / "agents/b.yaml").write_text("name: b\n")
    assert folder_lines(tmp_path)["files"] == "1 error: promptforge check"
    assert run(tmp_path, "doctor").returncode == 0
    (tmp_path / "promptforge.yaml").write_text("name: [\n")
    done = run(tmp_path, "doctor")
    assert done.returncode == 1
    assert done.stdout.startswith(f"a project without a name in {tmp_path}\n")
    said = "promptforge.yaml has errors, so some of its models may be missing here\n    help: promptforge check\n"
    assert f"1 problem\n  {said}" in done.stdout


def test_no_project(tmp_path):
    """Outside a project there is nothing to look at."""
    done = run(tmp_path, "doctor")
    assert done.returncode == 2
    assert "no promptforge.yaml here or above" in done.stderr


def test_json_has_everything(tmp_path):
    """The whole report for programs, with its version."""
    _, found = examined(project(tmp_path, {"a": {"backend": "reader"}}))
    assert list(found) == [
        *(
            "version",
            "project",
            "folder",
            "promptforge",
            "python",
            "git",
            "build",
            "errors",
            "extras",
            "models",
            "problems",
        )
    ]
    assert found["version"] == 1
    assert found["extras"]["hf"]["install"] == "pip install 'tokenizers>=0.19'"
    assert found["models"]["a"]["context"] == {"tokens": None, "largest_budget": 6000, "reserve": 1024, "fits": None}
    assert found["models"]["a"]["tokenizer"]["spec"] == "estimate"
    assert found["models"]["a"]["tokenizer"]["margin"]


# --- how its server is started ----------------------------------------------------------------------------------------


def serving(folder: Path, **entries: str) -> list[tuple[str, str]]:
    """What `doctor` says of a model that is served so, and what to do."""
    project(folder, {"near": {**local(1), "model": "tiny", **entries}})
    code, found = examined(folder)
    said = [(one["problem"], one["hint"]) for one in found["models"]["near"]["serve"]]
    assert (code == 1) == bool(said)
    assert said == [(one["message"], one["hint"]) for one in found["problems"]]
    return said


@pytest.mark.parametrize(
    ("serve", "problem"),
    [
        ("mlx_lm.sever --model models/tiny --port {port}", "there is no program 'mlx_lm.sever'"),
        (
            f"{sys.executable} -m mlx_lm server --model models/tiny --port 8080",
            "`serve` of the model 'near' has no {port}",
        ),
        (
            f"{sys.executable} -m mlx_lm server --model models/tiny --port {{port}}",
            "looked for the folder 'models/tiny'",
        ),
        (f"{sys.executable} x.py -m models/tiny.gguf --port {{port}}", "names models/tiny.gguf, which is not there"),
        (f"{sys.executable} 'x.py --port {{port}}", "cannot be read: no closing quotation"),
    ],
)
def test_a_server_that_cannot_be_started_is_said(tmp_path, serve, problem):
    """A misspelt program, a port of its own, weights that are not there: before a bench stumbles over it."""
    (tmp_path / "models").mkdir()
    ((said, hint), *more) = serving(tmp_path, serve=serve)
    assert problem in said
    assert hint
    assert all("models/tiny" in one for one, _ in more)


def test_a_server_that_can_be_started_is_fine(tmp_path):
    """Its program and its weights are here; a repository may be fetched when it is first served."""
    (tmp_path / "models/tiny").mkdir(parents=True)
    (tmp_path / "models/tiny/config.json").write_text("{}")
    (tmp_path / "models/tiny/model.safetensors").write_bytes(b"")
    serve = f"{sys.executable} -m mlx_lm server --port {{port}} --model"
    assert serving(tmp_path, serve=f"{serve} models/tiny") == []
    assert "its program, and what it loads, are here" in run(tmp_path, "doctor").stdout
    assert serving(tmp_path, serve=f"{serve} some-org/tiny") == []


def test_weights_that_are_not_here_are_said(tmp_path):
    """A trainer reads them, whoever serves the model."""
    ((said, hint),) = serving(tmp_path, weights="models/none")
    assert said.startswith("the weights of the model 'near' are not on this machine")
    assert "weights: FOLDER" in hint
