"""A small house, and three ways to run the command: in this process, as a real one, and on a terminal."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from backends.servers import Server
from cli.laboratory import AGENTS, SUITE
from promptforge.cli.main import promptforge
from promptforge.errors import PromptforgeError

HOUSE = {
    ".gitignore": "build/\n.promptforge/\n",
    "promptforge.yaml": (
        "name: hut\n"
        "budget: 1000\n"
        "models:\n"
        "  cloud: {backend: openai, model: gpt-4.1, api_key: 'env:KEY', tier: cloud, context: 100000,"
        " tokenizer: 'tiktoken:o200k_base'}\n"
        "  local: {backend: compatible, base_url: 'http://127.0.0.1:1338/v1', model: m, tier: local, context: 8192}\n"
    ),
    "knowledge/house.yaml": (
        "hosts:\n"
        "  mini: {role: hub, lan_ip: 192.0.2.10}\n"
        "  attic: {role: files, lan_ip: 192.0.2.77}\n"
        "ports:\n"
        "  - {host: mini, port: 1337, codename: LEET, service: Council MLX}\n"
        "  - {host: mini, port: 8123, codename: Default, service: Home Assistant}\n"
        "  - {host: attic, port: 445, codename: Shelf, service: Files}\n"
        "devices:\n"
        "  - {name: Mara's phone, kind: phone}\n"
        "  - {name: Pip's tablet, kind: tablet, sensitivity: private}\n"
    ),
    "agents/windu.yaml": (
        "name: windu\n"
        "role: Security\n"
        "model: cloud\n"
        "persona: |\n"
        "  You are Windu.\n"
        "\n"
        "  You guard the hut.\n"
        "sections:\n"
        "  - persona\n"
        "  - {template: rules.md.j2}\n"
        "  - {table: ports, title: Listeners, where: {host: mini}, required: true}\n"
        "  - {table: devices, priority: 20}\n"
        "  - {fewshot: 2}\n"
    ),
    "agents/yoda.yaml": (
        "name: yoda\n"
        "model: local\n"
        "persona: You are Yoda.\n"
        "sections: [persona, {table: hosts}, {fewshot: 1, tags: [talk], as: messages}]\n"
    ),
    "agents/templates/rules.md.j2": "The hub is at {{ hosts['mini'].lan_ip }}.\nAnswer briefly.\n",
    "fewshot/house.yaml": (
        "examples:\n"
        "  - id: what-is-leet\n"
        "    agents: [windu]\n"
        "    user: What listens on {{ one('ports', codename='LEET').port }}?\n"
        "    assistant: It is {{ one('ports', codename='LEET').service }}.\n"
        "  - id: who-are-you\n"
        "    tags: [talk]\n"
        "    user: Who are you?\n"
        "    assistant: I am {{ agent.name }}.\n"
    ),
}
"""Two agents: windu in the cloud, with a template and a required table; yoda at home, with an example as messages."""

IDENTITY = {
    "GIT_AUTHOR_NAME": "Mara",
    "GIT_AUTHOR_EMAIL": "mara@example.org",
    "GIT_COMMITTER_NAME": "Mara",
    "GIT_COMMITTER_EMAIL": "mara@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the command came to."""

    code: int
    out: str
    err: str


class House:
    """A project's folder, with what edits it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __truediv__(self, path: str) -> Path:
        return self.root / path

    def write(self, path: str, text: str) -> None:
        """Write a file of the project, and the folders that lead to it."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8", newline="")

    def edit(self, path: str, *changes: tuple[str, str]) -> None:
        """Replace text that stands exactly once in a file."""
        text = (self.root / path).read_bytes().decode("utf-8")
        for before, after in changes:
            assert text.count(before) == 1, (path, before)
            text = text.replace(before, after)
        self.write(path, text)

    def move_into(self, folder: str) -> Path:
        """Move the project into a folder of the folder that it was in, which is the repository's."""
        (self.root / folder).mkdir()
        for name in ("promptforge.yaml", "knowledge", "fewshot", "agents"):
            (self.root / name).rename(self.root / folder / name)
        return self.root / folder

    def files(self) -> Mapping[str, bytes]:
        """Every file but git's own, with its content."""
        found = sorted(p for p in self.root.rglob("*") if p.is_file() and ".git" not in p.relative_to(self.root).parts)
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}


Run = Callable[..., Outcome]


@pytest.fixture
def house(tmp_path: Path) -> House:
    """The small house in a folder of its own, never built."""
    made = House(tmp_path / "house")
    for path, text in HOUSE.items():
        made.write(path, text)
    return made


@pytest.fixture
def pf(house: House, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, run in this process and in the house's folder: quick."""

    def run(*arguments: str, cwd: Path = house.root) -> Outcome:
        monkeypatch.chdir(cwd)
        result = CliRunner().invoke(promptforge, list(arguments), standalone_mode=False)
        match result.exception:
            case None:
                return Outcome(result.return_value or 0, result.stdout, result.stderr)
            case PromptforgeError() as problem:
                hint = f"  hint: {problem.hint}\n" if problem.hint else ""
                return Outcome(problem.exit_code, result.stdout, f"{result.stderr}error: {problem.message}\n{hint}")
            case other:
                raise other

    return run


@pytest.fixture
def environ() -> dict[str, str]:
    """A process's environment with nothing in it that colours or translates."""
    taken = ("NO_COLOR", "FORCE_COLOR", "PYTHONUTF8", "PYTHONIOENCODING", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if name not in taken and not name.startswith("GIT_")}
    return {**kept, **IDENTITY, "PYTHONUTF8": "1", "TERM": "xterm"}


@pytest.fixture
def process(house: House, environ: dict[str, str]) -> Run:
    """The command as a process of its own, in the house's folder."""

    def run(
        *arguments: str,
        cwd: Path = house.root,
        shell: str = 'exec "$@"',
        stdout: int = subprocess.PIPE,
        **more: str,
    ) -> Outcome:
        command = ["sh", "-c", shell, "sh", sys.executable, "-m", "promptforge", *arguments]
        done = subprocess.run(
            command, cwd=cwd, env=environ | more, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
        )
        return Outcome(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())

    return run


@pytest.fixture
def git(house: House, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Git in the house's folder, which is a repository with one commit of everything."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, cwd: Path = house.root) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=cwd, env=environ, check=True, capture_output=True, text=True
        ).stdout

    run("init", "--quiet", "--initial-branch", "main")
    run("add", "--all")
    run("commit", "--quiet", "--message", "one")
    return run


@pytest.fixture
def impatient(monkeypatch):
    """What may succeed later is sent again at once."""
    monkeypatch.setattr("promptforge.bench.retries._FIRST_S", 0.001)


@pytest.fixture
def lab(house):
    """The small house with a suite; `lab(server)` points both models at a server, the cloud's too."""

    def at(server: Server, **models: str) -> None:
        settings = {
            "local": f"{{backend: compatible, base_url: '{server.base_url}', model: m, tier: local}}",
            "cloud": f"{{backend: compatible, base_url: '{server.base_url}', model: c, tier: cloud, price: {{input: 1, output: 2}}}}",
            **models,
        }
        lines = "".join(f"  {name}: {entry}\n" for name, entry in settings.items())
        house.write("promptforge.yaml", f"name: hut\nbudget: 2000\nmodels:\n{lines}")
        house.write("suites/lab.yaml", SUITE)
        for path, text in AGENTS.items():
            house.write(path, text)

    return at
