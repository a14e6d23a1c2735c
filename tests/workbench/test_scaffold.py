"""`init`: what a newcomer gets, and what is never overwritten."""

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from promptforge.console.start import scaffold_text
from promptforge.console.terminal import Painter
from promptforge.errors import InputError, UsageError, WriteError
from promptforge.files import CONFIG
from promptforge.workbench.scaffold import project_name, scaffold

REPOSITORY = Path(__file__).parents[2]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "promptforge", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- a new project ----------------------------------------------------------------------------------------------------


def test_checks_and_builds(tmp_path):
    """A new project has no error, no warning and no note, and builds."""
    assert run(tmp_path, "init", "house").returncode == 0
    checked = run(tmp_path / "house", "check")
    assert (checked.returncode, checked.stdout) == (0, "fine: 2 agents, 12 facts, 3 examples, 10 cases\n")
    assert run(tmp_path / "house", "build").returncode == 0
    assert run(tmp_path / "house", "build", "--check").returncode == 0
    prompts = yaml.safe_load((tmp_path / "house/build/agent_prompts.yaml").read_text())
    assert prompts.keys() == {"keeper", "steward"}


def test_shows_what_it_teaches(tmp_path):
    """Facts are filled into examples and template, a filter works, and what is private stays in the house."""
    scaffold(tmp_path / "house")
    run(tmp_path / "house", "build")
    prompts = yaml.safe_load((tmp_path / "house/build/agent_prompts.yaml").read_text())
    keeper, steward = prompts["keeper"]["system"], prompts["steward"]["system"]
    assert "Something answers on port 1337 of the hub." in keeper
    assert "- Two machines run this house: hub thinks and listens and attic keeps the files.\n" in keeper
    assert "Emil's phone" in keeper
    assert "Emil" not in steward
    assert "Playing on media_player.kitchen_speaker." in steward
    assert "lock.front_door" not in steward


def test_can_be_measured_at_once(tmp_path):
    """Without a server, a key or a word typed: the reader finds with the knowledge what it does not find without."""
    assert run(tmp_path, "init").returncode == 0
    done = run(tmp_path, "bench", "--model", "reader", "--format", "json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    base, enriched = (arm["score"]["overall"]["full"] for arm in found["arms"])
    assert (base, enriched) == (2, 5)
    assert {case["category"] for case in found["cases"] if case["counts"]} == {"topology", "rooms", "unknown"}
    assert sum(case["generated"] for case in found["cases"]) == 4


def test_without_a_server_the_reader_is_named(tmp_path):
    """Whose own models do not answer is told once why, and what can be asked all the same."""
    run(tmp_path, "init")
    config = tmp_path / CONFIG
    config.write_text(config.read_text().replace("http://127.0.0.1:1337/v1", "http://127.0.0.1:1/v1"))
    done = run(tmp_path, "bench", "--agent", "keeper")
    assert done.returncode == 4
    assert done.stdout.count("nothing listens at http://127.0.0.1:1/v1") == 1
    said = "without any model: `promptforge bench --model reader` says what can be found in the prompts\n"
    assert f"start the server, or mend base_url)\n  13 × not sent because of that\n{said}" in done.stdout


def test_says_what_it_made(tmp_path):
    """The files, and the next commands, which work as they are printed."""
    done = run(tmp_path, "init", "my house")
    assert done.stdout.startswith("made a small invented house in my house, to be written over\n")
    for name in ("promptforge.yaml", "knowledge/house.yaml", "schemas/", ".github/workflows/promptforge.yml"):
        assert f"  {name} " in done.stdout
    commands = [line.strip().split("   ")[0] for line in done.stdout.split("next\n")[1].splitlines()]
    assert commands[0] == "cd 'my house'"
    script = " && ".join(re.split(r"  +", line)[0] for line in commands)
    script = script.replace("promptforge", f"{sys.executable} -m promptforge")
    assert subprocess.run(script, shell=True, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_without_facts(tmp_path):
    """`init --empty` is for what is imported: nothing in it is an error, it builds, and says how to go on."""
    done = run(tmp_path, "init", "--empty")
    assert done.stdout.startswith("made a project without facts in this folder\n")
    assert done.stdout.endswith("promptforge import tailscale status.json  takes its facts over\n")
    assert "invented" not in (tmp_path / CONFIG).read_text()
    assert run(tmp_path, "check").returncode == 0
    assert run(tmp_path, "build").returncode == 0
    both = run(tmp_path, "init", "x", "--empty", "--from", "prompts.yaml")
    assert both.returncode == 2
    assert "--empty and --from are two ways to begin" in both.stderr


def test_in_this_folder(tmp_path):
    """Without DIR the project is made here, and then there is nowhere to go."""
    done = run(tmp_path, "init")
    assert "made a small invented house in this folder" in done.stdout
    assert "cd " not in done.stdout


def test_where_the_project_option_says(tmp_path):
    """`-C DIR init` means the same folder as `init DIR`; saying it twice is refused."""
    assert run(tmp_path, "-C", "a/b", "init").returncode == 0
    assert (tmp_path / "a/b" / CONFIG).exists()
    twice = run(tmp_path, "-C", "c", "init", "d")
    assert twice.returncode == 2
    assert "init takes its folder once: as DIR, or with -C" in twice.stderr


def test_is_the_same_each_time(tmp_path):
    """Two new projects of one name have the same bytes."""
    scaffold(tmp_path / "a" / "house")
    scaffold(tmp_path / "b" / "house")
    assert contents(tmp_path / "a" / "house") == contents(tmp_path / "b" / "house")


@pytest.mark.parametrize("name", ["manor", "off", "12:30", "a: b # c", "it's", "日本", "{{ x }}", "é\x07"])
def test_is_called_like_its_folder(tmp_path, name):
    """The project's name is its folder's, whatever YAML would make of that; what cannot be seen is left out."""
    scaffold(tmp_path / name)
    checked = run(tmp_path / name, "check", "--format", "json")
    assert json.loads(checked.stdout)["counts"] == {"error": 0, "warning": 0, "note": 0}
    assert yaml.safe_load((tmp_path / name / CONFIG).read_text(encoding="utf-8"))["name"] == name.rstrip("\x07")


def test_has_a_name_in_any_case():
    """The root of the disk has no name, and a name of bytes that are no UTF-8 is written without them."""
    assert project_name(Path("/")) == "house"
    assert project_name(Path("/tmp/" + os.fsdecode(b"caf\xe9"))) == "caf?"


# --- its files --------------------------------------------------------------------------------------------------------


def test_editors_find_a_schema_for_each_file(tmp_path):
    """The first line of each YAML file names a schema that is there, and that the file keeps (as YAML 1.2)."""
    made = scaffold(tmp_path)
    checked = 0
    for name in made.written:
        if not name.endswith(".yaml") or name.startswith("."):
            continue
        text = (tmp_path / name).read_text()
        modeline = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
        assert modeline, name
        schema = json.loads(((tmp_path / name).parent / modeline[1]).read_text())
        Draft7Validator(schema).validate(YAML(typ="safe", pure=True).load(text))
        checked += 1
    assert checked == 6


def test_schemas_are_those_that_the_checks_use(tmp_path):
    """Every schema that ships is copied as it is."""
    shipped = files("promptforge") / "data" / "schemas"
    scaffold(tmp_path)
    for name in ("project", "agent", "fewshot", "knowledge", "suite"):
        copied = (tmp_path / "schemas" / f"{name}.schema.json").read_bytes()
        assert copied == (shipped / f"{name}.schema.json").read_bytes()


def test_all_addresses_are_for_documentation(tmp_path):
    """No address or MAC of the example can be anybody's."""
    scaffold(tmp_path)
    text = (tmp_path / "knowledge/house.yaml").read_text()
    addresses = re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", text)
    macs = re.findall(r"\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b", text)
    assert addresses
    assert all(a.startswith(("192.0.2.", "100.64.")) for a in addresses)
    assert macs
    assert all(mac.startswith("00:00:5E:00:53:") for mac in macs)


def test_lines_are_short_enough_to_read(tmp_path):
    """What a newcomer reads first fits an editor's window, worked examples aside."""
    made = scaffold(tmp_path)
    for name in made.written:
        if name.startswith(("knowledge", "agents", "suites", "promptforge", ".")):
            longest = max((tmp_path / name).read_text().splitlines(), key=len)
            assert len(longest) <= 130, f"{name}: {longest}"


def test_git_ignores_what_is_built(tmp_path):
    """After a build git sees the sources and the lock, and nothing that may hold private facts."""
    scaffold(tmp_path)
    run(tmp_path, "build")
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    seen = listed.stdout.split()
    assert "promptforge.lock" in seen
    assert not [name for name in seen if name.startswith(("build/", ".promptforge/"))]


def _commands(text: str) -> list[str]:
    return re.findall(r"(?:entry|run): (promptforge .*)", text)


def test_hooks_and_workflow_run_commands_that_exist(tmp_path):
    """Each command of the hooks and of the workflow is one that works on a fresh, built project in git."""
    made = scaffold(tmp_path)
    run(tmp_path, "build")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example"]
    for arguments in (["init", "-q", "."], ["add", "."], ["commit", "-qm", "x"], ["branch", "base"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    hooks = _commands((tmp_path / ".pre-commit-config.yaml").read_text())
    workflow = _commands((tmp_path / ".github/workflows/promptforge.yml").read_text())
    assert hooks == ["promptforge check", "promptforge build --check"]
    assert len(workflow) == 3
    assert ".github/workflows/promptforge.yml" in made.written
    for command in (*hooks, *workflow):
        script = command.replace("promptforge", f"{sys.executable} -m promptforge", 1)
        environ = {**os.environ, "BASE": "base", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
        done = subprocess.run(script, shell=True, cwd=tmp_path, capture_output=True, env=environ, check=False)
        assert done.returncode == 0, (command, done.stderr)
    assert "no fact and no prompt differs" in (tmp_path / "summary").read_text()


def _installs(folder: Path) -> tuple[str, str]:
    """What the workflow of a project installs promptforge from, and the script that does it."""
    workflow = yaml.safe_load((folder / ".github/workflows/promptforge.yml").read_text())
    scripts = [step["run"] for step in workflow["jobs"]["prompts"]["steps"] if "pip" in step.get("run", "")]
    assert len(scripts) == 1
    return workflow["env"]["PROMPTFORGE_SOURCE"], scripts[0]


def test_the_workflow_installs_from_where_this_came_from(tmp_path, monkeypatch):
    """Where pip noted a repository, the workflow takes the same commit of it."""
    source = "git+https://git.example/mara/promptforge@1f0c5a"
    monkeypatch.setattr("promptforge.workbench.scaffold.installed_from", lambda: source)
    made = scaffold(tmp_path)
    assert (_installs(tmp_path)[0], made.open) == (source, False)
    assert "FILL IN" not in (tmp_path / ".github/workflows/promptforge.yml").read_text()


@pytest.mark.parametrize("source", ["", "promptforge", "promptforge~=0.1", "promptforge[hf]"])
def test_the_workflow_never_installs_the_bare_name(tmp_path, monkeypatch, source):
    """Where nothing was noted, the job fails and says why: on the public index the name is another project's."""
    monkeypatch.setattr("promptforge.workbench.scaffold.installed_from", lambda: "")
    made = scaffold(tmp_path)
    noted, script = _installs(tmp_path)
    assert (noted, made.open) == ("", True)
    environ = {**os.environ, "PROMPTFORGE_SOURCE": source}
    done = subprocess.run(["bash", "-e", "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == (
        "::error::say in PROMPTFORGE_SOURCE of this workflow where promptforge is installed from: "
        "its name on the public package index belongs to another project\n"
    )


def test_the_workflow_installs_what_it_was_told(tmp_path):
    """A source that is filled in goes to pip as it is."""
    scaffold(tmp_path / "house")
    pip = tmp_path / "pip"
    pip.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    pip.chmod(0o755)
    source = "git+https://git.example/mara/promptforge@1f0c5a"
    environ = {**os.environ, "PROMPTFORGE_SOURCE": source, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = _installs(tmp_path / "house")[1]
    done = subprocess.run(["bash", "-e", "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"install\n{source}\n")


def test_init_says_what_must_be_filled_in(tmp_path, monkeypatch):
    """What CI still needs is said once, where it is needed."""
    said = "before CI can run: say in .github/workflows/promptforge.yml where it installs promptforge from"
    for source, number in (("", 1), ("git+https://git.example/mara/promptforge@1f0c5a", 0)):
        monkeypatch.setattr("promptforge.workbench.scaffold.installed_from", lambda source=source: source)
        made = scaffold(tmp_path / str(number))
        assert scaffold_text(made, Painter(colour=False, room=100)).count(said) == number


def test_nothing_advises_to_install_the_bare_name():
    """No file that we write or show installs `promptforge` by a name that is another project's."""
    places = [p for folder in ("src", "docs") for p in (REPOSITORY / folder).rglob("*") if p.suffix != ".pyc"]
    texts = [p for p in (*places, REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md") if p.is_file()]
    installs = re.compile(r"pip install ['\"]?promptforge(?!-)")
    assert [str(p) for p in texts if installs.search(p.read_text(errors="replace"))] == []


def test_hooks_for_other_repositories():
    """This repository offers the same two hooks to others, for files that the commands read."""
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    assert {h["id"]: " ".join([h["entry"], *h["args"]]) for h in hooks} == {
        "promptforge-check": "promptforge check",
        "promptforge-build": "promptforge build --check",
    }
    for hook in hooks:
        assert all(re.search(hook["files"], f) for f in ("promptforge.yaml", "house/agents/a.yaml", "knowledge/x.yml"))
        assert not re.search(hook["files"], "docs/promptforge.yaml.md")


# --- what is there already --------------------------------------------------------------------------------------------


def test_refuses_a_project(tmp_path):
    """A folder that is a project stays as it is, even when its promptforge.yaml is a link to nowhere."""
    scaffold(tmp_path)
    before = contents(tmp_path)
    here = run(tmp_path, "init")
    assert here.returncode == 2
    assert "this folder is a project already: it has a promptforge.yaml" in here.stderr
    assert "look at it: promptforge check; or start another: promptforge init NAME" in here.stderr
    assert contents(tmp_path) == before
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / CONFIG).symlink_to("nowhere")
    with pytest.raises(UsageError, match="b is a project already") as caught:
        scaffold(tmp_path / "b")
    assert f"promptforge -C {tmp_path / 'b'} check" in caught.value.hint


def test_overwrites_nothing(tmp_path):
    """Files that differ are named, all of them, and nothing at all is written."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/keeper.yaml").write_text("mine")
    (tmp_path / "knowledge").write_text("a file where a folder must be")
    (tmp_path / "fewshot/house.yaml").mkdir(parents=True)
    before = contents(tmp_path)
    done = run(tmp_path, "init", ".")
    assert done.returncode == 2
    named = "knowledge, agents/keeper.yaml, fewshot/house.yaml are there already and differ from what init would write"
    assert named in done.stderr
    assert "nothing was written; move them away, or name another folder" in done.stderr
    assert contents(tmp_path) == before
    assert not (tmp_path / ".promptforge").exists()


def test_names_one_file_in_the_way(tmp_path):
    """One file in the way is named in the singular."""
    (tmp_path / "fewshot").mkdir()
    (tmp_path / "fewshot/house.yaml").write_text("mine")
    with pytest.raises(InputError, match=r"fewshot/house\.yaml is there already and differs") as caught:
        scaffold(tmp_path)
    assert "move it away" in caught.value.hint


def test_leaves_other_files_alone(tmp_path):
    """A folder with other files takes a project, and files that are already right are not written again."""
    scaffold(tmp_path / "other")
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "fewshot").mkdir()
    example = tmp_path / "fewshot/house.yaml"
    example.write_bytes((tmp_path / "other/fewshot/house.yaml").read_bytes())
    os.utime(example, (1, 1))
    made = scaffold(tmp_path)
    assert "fewshot/house.yaml" not in made.written
    assert example.stat().st_mtime == 1
    assert (tmp_path / "README.md").read_text() == "mine"
    assert run(tmp_path, "check").returncode == 0


def test_leaves_the_files_of_every_repository_alone(tmp_path):
    """A .gitignore or hooks that are there stay, and the user is told what to add, but not what is there."""
    (tmp_path / ".gitignore").write_text("build\n*.pyc\n")
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: []\n")
    done = run(tmp_path, "init")
    assert done.returncode == 0
    assert ".gitignore was there and stays as it is; add to it: .promptforge/, evals/, logs/, dumps/\n" in done.stderr
    hooks = "promptforge check, promptforge build --check"
    assert f".pre-commit-config.yaml was there and stays as it is; add to it: {hooks}\n" in done.stderr
    assert (tmp_path / ".gitignore").read_text() == "build\n*.pyc\n"
    assert ".gitignore" not in done.stdout


def test_needs_a_folder(tmp_path):
    """A file cannot become a project, nor can what would lie below it."""
    (tmp_path / "file").write_text("")
    for place in ("file", "file/house"):
        done = run(tmp_path, "init", place)
        assert done.returncode == 2
        assert "file is a file, so no project can be there" in done.stderr


def test_a_link_is_in_the_way(tmp_path):
    """A link that leads nowhere is somebody's, too."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/steward.yaml").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"agents/steward\.yaml is there already"):
        scaffold(tmp_path)


def test_a_full_disk_leaves_nothing(tmp_path):
    """When the disk refuses, there is neither half a project nor a folder that was not there before."""
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from promptforge.cli.main import main; main()"
    )
    command = [sys.executable, "-c", script, "init", "a/house"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "nothing was written; mend the permissions or free some space" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    """A name that no disk takes is said as such."""
    with pytest.raises(WriteError, match=r"cannot make the folder .*: file name too long"):
        scaffold(tmp_path / ("x" * 300))
