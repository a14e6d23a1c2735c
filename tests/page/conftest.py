"""A small house, built and shown: a real server on loopback, asked as a browser would ask it."""

import datetime
import http.client
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from promptforge.errors import PromptforgeError
from promptforge.page.live import Live
from promptforge.page.open import open_page
from promptforge.workbench.forge import forge
from promptforge.workbench.incremental import forge_again

TODAY = datetime.date(2026, 11, 2)
FILES = {
    "promptforge.yaml": (
        "name: hut\n"
        "budget: 1000\n"
        "runtime: {user_name: {max_tokens: 8}}\n"
        "models:\n"
        "  cloud: {backend: openai, model: gpt-4.1, api_key: 'env:KEY', tier: cloud, context: 100000,"
        " tokenizer: 'tiktoken:o200k_base'}\n"
        "  reader: {backend: reader, tier: local}\n"
    ),
    "knowledge/house.yaml": (
        "hosts:\n"
        "  mini: {role: hub, lan_ip: 192.0.2.10}\n"
        "ports:\n"
        "  - {host: mini, port: 1337, codename: LEET, service: Council MLX}\n"
        "  - {host: mini, port: 8123, codename: Default, service: Home Assistant}\n"
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
        "sections: [persona, {table: ports, where: {host: mini}}, {table: devices}]\n"
    ),
    "agents/yoda.yaml": (
        "name: yoda\nmodel: reader\npersona: You are Yoda.\nsections: [persona, {table: hosts}, {fewshot: 1, as: messages}]\n"
    ),
    "fewshot/house.yaml": (
        "examples:\n"
        "  - id: what-is-leet\n"
        "    agents: [yoda]\n"
        "    user: What listens on {{ one('ports', codename='LEET').port }}?\n"
        "    assistant: It is {{ one('ports', codename='LEET').service }}.\n"
    ),
    "suites/house.yaml": (
        "suite: house\n"
        "cases:\n"
        "  - {id: leet, category: ports, tier: gold, agents: [windu], ask: Which port is LEET?,"
        " expect: {all: [\"{{ one('ports', codename='LEET').port }}\"]}}\n"
    ),
}


class Reply:
    """What the server said."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers = answer.status, answer.headers
        self.text = answer.read().decode()

    @property
    def data(self) -> Any:
        """As JSON."""
        return json.loads(self.text)


class Page:
    """A page that is open, and the house behind it."""

    def __init__(self, root: Path, live: Live, address: str) -> None:
        self.root, self.live, self.address = root, live, address
        _, _, self.host, self.token, _ = address.split("/")

    def build(self) -> None:
        """Build, and tell the page, as the watcher does."""
        try:
            report = forge_again(self.root, today=TODAY)
            made = None
            if report is None:
                report, made = forge(self.root, today=TODAY)
            self.live.built(report, made)
        except PromptforgeError as problem:
            self.live.failed(problem)

    def save(self, file: str, *changes: tuple[str, str]) -> None:
        """Edit a file, and build."""
        text = (self.root / file).read_text(encoding="utf-8")
        for before, after in changes:
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        (self.root / file).write_text(text, encoding="utf-8")
        self.build()

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """One request as it is given."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        """What the page's script would fetch."""
        return self.send("GET", f"/{self.token}/{path}")

    def post(self, path: str, data: object) -> Reply:
        """What the page's script would post."""
        headers = {"Origin": f"http://{self.host}", "Content_Type": "application/json"}
        return self.send("POST", f"/{self.token}/{path}", json.dumps(data).encode(), **headers)

    @contextmanager
    def events(self) -> Iterator[Iterator[tuple[str, Any]]]:
        """The stream of events, as long as the block lasts."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request("GET", f"/{self.token}/events")
        answer = connection.getresponse()
        try:
            yield _parsed(answer)
        finally:
            answer.close()
            connection.close()

    def state(self, part: str = "build", *, where: Any = bool) -> Any:
        """The newest state of a part for which something holds."""
        with self.events() as events:
            for name, data in events:
                if name == part and where(data):
                    return data
        raise AssertionError(f"the stream ended without {part}")

    def worked_out(self) -> Any:
        """What differs, of the newest build."""
        number = self.state()["number"]
        return self.state("changes", where=lambda data: data["of"] == number)

    def prompt(self, agent: str = "windu", since: str = "save") -> Any:
        """An agent's prompt."""
        return self.get(f"prompt?agent={agent}&since={since}").data

    def marked(self, agent: str = "windu", since: str = "save") -> list[str]:
        """The lines of a prompt that are marked, with a sign."""
        lines = [line for message in self.prompt(agent, since)["messages"] for line in message["lines"]]
        return [("+" if line[0] else "-") + line[1] for line in lines if line[5]]


def _parsed(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in answer:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text.removeprefix("event: ")
        elif text.startswith("data: "):
            yield name, json.loads(text.removeprefix("data: "))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The house's folder, never built."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


@contextmanager
def opened(root: Path, environ: Mapping[str, str] | None = None, *, build: bool = True) -> Iterator[Page]:
    """The page of a house, with a clock that stands."""
    noon = datetime.datetime(2026, 11, 2, 12, 0, 0)
    with open_page(root, today=lambda: TODAY, clock=lambda: noon, environ=environ or {}) as (live, address):
        page = Page(root, live, address)
        if build:
            page.build()
        yield page


@pytest.fixture
def show(root: Path):
    """A page of the house for a `with`; it takes another environment."""
    return lambda environ=None, **options: opened(root, environ, **options)


@pytest.fixture
def page(root: Path) -> Iterator[Page]:
    """The page of the house, built once."""
    with opened(root) as made:
        yield made


@pytest.fixture
def git(root: Path, monkeypatch: pytest.MonkeyPatch):
    """Git in the house's folder, with one commit of everything."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        environ |= {f"GIT_{role}_NAME": "Mara", f"GIT_{role}_EMAIL": "mara@example.org"}
    (root / ".gitignore").write_text("build/\n.promptforge/\n", encoding="utf-8")

    def run(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=root, env=environ, check=True, capture_output=True)

    run("init", "--quiet", "--initial-branch", "main")
    run("add", "--all")
    run("commit", "--quiet", "--message", "one")
    return run
