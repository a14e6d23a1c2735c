"""A real yaml-language-server, which VS Code and Neovim run: what it completes and what it complains of in a project.

PROMPTFORGE_YAML_LANGUAGE_SERVER is its bin/yaml-language-server, PROMPTFORGE_NODE the node that runs it.
"""

import json
import os
import queue
import subprocess
import threading
from pathlib import Path

import pytest

from promptforge.cli.main import promptforge

pytestmark = pytest.mark.servers

TIMEOUT_S = 60


class Editor:
    """A client that speaks the language server protocol, as far as an editor types and asks for completion."""

    def __init__(self, root: Path) -> None:
        command = [os.environ["PROMPTFORGE_NODE"], os.environ["PROMPTFORGE_YAML_LANGUAGE_SERVER"], "--stdio"]
        self.root = root
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)
        self._messages: queue.Queue = queue.Queue()
        self._said: dict[str, list] = {}
        self._id = 0
        self._version = 1
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        can = {"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}, "publishDiagnostics": {}}}
        folders = [{"uri": root.as_uri(), "name": "house"}]
        params = {"processId": os.getpid(), "rootUri": root.as_uri(), "capabilities": can, "workspaceFolders": folders}
        self.ask("initialize", params)
        self.tell("initialized", {})
        settings = {"yaml": {"schemaStore": {"enable": False}, "validate": True, "completion": True, "hover": True}}
        self.tell("workspace/didChangeConfiguration", {"settings": settings})

    def close(self) -> None:
        """End the server."""
        self._process.kill()
        self._process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()

    def _read(self) -> None:
        stream = self._process.stdout
        while header := stream.readline():
            length = int(header.split(b":")[1])
            while stream.readline().strip():
                pass
            self._messages.put(json.loads(stream.read(length)))

    def _send(self, message: dict) -> None:
        raw = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(raw), raw))
        self._process.stdin.flush()

    def tell(self, method: str, params: dict) -> None:
        """Say something that has no answer."""
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: dict):
        """The answer to a question."""
        self._id += 1
        self._send({"id": self._id, "method": method, "params": params})
        return self._until(lambda message: message.get("id") == self._id and "method" not in message).get("result")

    def _until(self, wanted):
        """The next message of a kind; questions of the server are answered meanwhile."""
        while True:
            message = self._messages.get(timeout=TIMEOUT_S)
            if "method" in message and "id" in message:
                asked = message.get("params", {}).get("items", [])
                self._send({"id": message["id"], "result": [None for _ in asked]})
            elif message.get("method") == "textDocument/publishDiagnostics":
                self._said[message["params"]["uri"]] = message["params"]["diagnostics"]
            if wanted(message):
                return message

    def open(self, file: str, text: str) -> list[str]:
        """Open a file with this text, and what is complained of in it."""
        self._version += 1
        uri = (self.root / file).as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": self._version, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        self._until(lambda message: message.get("params", {}).get("uri") == uri)
        return [problem["message"] for problem in self._said[uri]]

    def complete(self, file: str, text: str) -> list[str]:
        """What is offered where `text` has its `^`."""
        before, after = text.split("^")
        self.open(file, before + after)
        line = before.count("\n")
        place = {"line": line, "character": len(before) - before.rfind("\n") - 1}
        where = {"textDocument": {"uri": (self.root / file).as_uri()}, "position": place}
        found = self.ask("textDocument/completion", where) or []
        items = found["items"] if isinstance(found, dict) else found
        self.tell("textDocument/didClose", {"textDocument": {"uri": (self.root / file).as_uri()}})
        return sorted(item["label"] for item in items)


def run(root, *arguments):
    assert promptforge.main(["-C", str(root), *arguments], standalone_mode=False) in (0, None)


@pytest.fixture
def house(tmp_path):
    """A new project with a site and people, built once."""
    root = tmp_path / "house"
    assert promptforge.main(["init", str(root)], standalone_mode=False) in (0, None)
    more = "sites: {manor: {role: home}, lodge: {role: gate}}\npeople: [{name: Nora}, {name: Emil}, {name: Juno}]\n"
    (root / "knowledge/people.yaml").write_text(f"{modeline('knowledge')}{more}owls: [{{name: Hedwig, host: hub}}]\n")
    run(root, "build")
    return root


@pytest.fixture
def editor(house):
    made = Editor(house)
    yield made
    made.close()


def modeline(kind: str) -> str:
    return f"# yaml-language-server: $schema=../schemas/{kind}.schema.json\n"


def test_names_of_the_house_are_completed_as_one_types(editor):
    """Hosts, sites and people in facts, in brackets and in lines; tables, models and agents elsewhere."""
    facts = modeline("knowledge")
    assert editor.complete("knowledge/a.yaml", facts + "ports:\n  - port: 22\n    host: ^\n") == ["attic", "hub"]
    assert {"attic", "hub"} <= set(editor.complete("knowledge/b.yaml", facts + "ports:\n  - {port: 22, host: ^}\n"))
    assert editor.complete("knowledge/c.yaml", facts + "hosts:\n  den:\n    site: ^\n") == ["lodge", "manor"]
    people = editor.complete("knowledge/d.yaml", facts + "devices:\n  - name: TV\n    owner: ^\n")
    assert people == ["Emil", "Juno", "Nora"]
    assert "codename" in editor.complete("knowledge/e.yaml", facts + "ports:\n  - port: 22\n    co^\n")
    agent = modeline("agent") + "name: x\npersona: x\n"
    assert editor.complete("agents/x.yaml", agent + "model: ^\n") == ["opus", "qwen-14b", "reader"]
    tables = editor.complete("agents/y.yaml", agent + "sections:\n  - table: ^\n")
    assert tables == ["devices", "entities", "hosts", "owls", "people", "ports", "sites"]
    suite = modeline("suite") + "suite: x\ncases:\n  - id: a\n    agents: ^\n"
    assert {"keeper", "steward"} <= set(editor.complete("suites/x.yaml", suite))


def test_what_check_says_the_editor_does_not_say_again(editor, house):
    """An unknown host is for `check`, which knows files that are not saved into the schema yet; a wrong shape is for both."""
    facts = modeline("knowledge")
    assert editor.open("knowledge/a.yaml", facts + "ports:\n  - {host: nowhere, port: 22}\n") == []
    wrong = editor.open("knowledge/b.yaml", facts + "ports:\n  - {host: hub, port: 70000}\n")
    assert any("65535" in problem for problem in wrong)
    for path in sorted(house.rglob("*.yaml")):
        name = path.relative_to(house).as_posix()
        if not name.startswith(("build/", ".")):
            assert editor.open(name, path.read_text()) == [], name


def test_a_build_brings_what_was_added(editor, house):
    """The host that was just written is offered after the next build, which the editor is told of as of any file."""
    facts = modeline("knowledge") + "ports:\n  - port: 22\n    host: ^\n"
    assert editor.complete("knowledge/a.yaml", facts) == ["attic", "hub"]
    path = house / "knowledge/house.yaml"
    path.write_text(path.read_text().replace("hosts:\n", "hosts:\n  den: {role: reads}\n", 1))
    run(house, "build")
    changed = [{"uri": (house / "schemas/knowledge.schema.json").as_uri(), "type": 2}]
    editor.tell("workspace/didChangeWatchedFiles", {"changes": changed})
    assert editor.complete("knowledge/a.yaml", facts) == ["attic", "den", "hub"]
