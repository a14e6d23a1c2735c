"""Files that git or an editor would mend, or refuse, are made here: what the compiler says, and that it harms nothing.

Whatever is wrong with a file, `check` names it by its code and exits with 1, and `build` leaves the last build alone.
"""

import json
import os
import socket
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from promptforge.cli.main import promptforge
from promptforge.compiler.build import compile_project
from promptforge.compiler.load import read_project

FILES = {
    "promptforge.yaml": "name: house\n",
    "knowledge/house.yaml": "hosts:\n  mini: {role: hub, lan_ip: 192.0.2.10}\n",
    "fewshot/windu.yaml": "examples:\n  - {id: who, user: Who are you?, assistant: I am Windu.}\n",
    "agents/windu.yaml": "name: windu\npersona: You are Windu.\n",
}
VALID = {
    "promptforge.yaml": "name: house\noutput: build/agent_prompts.yaml\n",
    "knowledge/more.yaml": "rooms:\n  - {id: kitchen}\n  - {id: hall}\n",
    "fewshot/more.yaml": "examples:\n  - {id: more, user: So?, assistant: No}\n  - {id: so, user: So, assistant: Y}\n",
    "agents/more.yaml": "name: yoda\npersona: You are Yoda.\nrole: Coordination\n",
}
"""A file of each kind that could be added, or replaced, without harm."""

Make = Callable[[Path, str], None]
"""Puts a broken file at a path; the text is what would be right there."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project that was built once."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert run(tmp_path, "build") == 0
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    return promptforge.main(["-C", str(folder), *arguments], standalone_mode=False)


def checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict]]:
    """The exit code of `check`, and its diagnostics."""
    capsys.readouterr()
    exit_code = run(folder, "check", "--format", "json")
    return exit_code, json.loads(capsys.readouterr().out)["diagnostics"]


def built(folder: Path) -> dict[str, bytes]:
    """What the last build wrote."""
    files = [*(folder / "build").rglob("*"), folder / "promptforge.lock"]
    return {path.name: path.read_bytes() for path in files}


def holding(content: bytes) -> Make:
    return lambda path, right: path.write_bytes(content) and None


def a_loop(path: Path, right: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def a_link_to_nowhere(path: Path, right: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("../not/there.yaml")


def a_folder(path: Path, right: str) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "inside.yaml").write_text(right, encoding="utf-8")


def a_pipe(path: Path, right: str) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def sparse(size_mb: int) -> Make:
    def make(path: Path, right: str) -> None:
        with path.open("wb") as file:
            file.truncate(size_mb * 2**20)

    return make


ALIASES = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
BROKEN: dict[str, tuple[str, Make]] = {
    "a link in a circle": ("PF101", a_loop),
    "a link to nowhere": ("PF101", a_link_to_nowhere),
    "a folder": ("PF101", a_folder),
    "a pipe": ("PF101", a_pipe),
    "17 MB": ("PF102", lambda path, right: path.write_bytes(b"# log\n" * (17 * 2**20 // 6)) and None),
    "100 MB": ("PF102", sparse(100)),
    "Latin-1": ("PF103", lambda path, right: path.write_bytes((right + "# Küche\n").encode("latin-1")) and None),
    "UTF-16": ("PF103", lambda path, right: path.write_bytes(right.encode("utf-16")) and None),
    "half a character": ("PF103", lambda path, right: path.write_bytes(right.encode() + b"# K\xc3") and None),
    "a NUL byte": ("PF104", lambda path, right: path.write_bytes(right.encode() + b"# \0\n") and None),
    "a control character": ("PF104", lambda path, right: path.write_bytes(right.encode() + b"# \x07\n") and None),
    "tabs": ("PF105", holding(b"name: house\nmore:\n\tone: 1\n\ttwo: 2\n")),
    "two documents": ("PF107", lambda path, right: path.write_text(f"{right}---\n{right}") and None),
    "a bomb of aliases": ("PF109", holding(ALIASES.encode())),
    "3000 brackets": ("PF110", holding(b"deep: " + b"[" * 3000 + b"]" * 3000 + b"\n")),
    "3000 brackets left open": ("PF110", holding(b"deep: " + b"[" * 3000)),
    "3000 levels": ("PF110", holding("".join(f"{' ' * n}deep:\n" for n in range(3000)).encode())),
    "nothing": ("PF111", holding(b"")),
    "blank lines": ("PF111", holding(b"\n\n\n")),
}


@pytest.mark.parametrize("path", VALID)
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_and_the_last_build_stays(project, capsys, path, what):
    """`check` names the file by its code, both commands exit with 1, and the build is untouched byte for byte."""
    code, make = BROKEN[what]
    before = built(project)
    make(project / path, VALID[path])

    exit_code, found = checked(project, capsys)
    assert exit_code == 1
    assert (code, path) in {(d["code"], d["file"]) for d in found}
    assert run(project, "build") == 1
    assert built(project) == before


@contextmanager
def nobody():
    """Not root for a while: root may read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("path", VALID)
def test_a_file_without_permission_is_named(path):
    """PF101, and not a traceback."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # pytest's own folders let nobody in
        for file, text in VALID.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        (folder / path).chmod(0)
        with nobody():
            tree = read_project(folder)
    found = compile_project(tree, today=date(2026, 11, 22)).diagnostics
    assert ("PF101", path, "the file cannot be read: permission denied") in {
        (d.code, d.span.file, d.message) for d in found
    }


def test_a_socket_is_not_waited_for(project, capsys, monkeypatch):
    """PF101: only regular files are read."""
    monkeypatch.chdir(project)  # the path of a socket may not be long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("knowledge/more.yaml")
        _, found = checked(project, capsys)
    assert ("PF101", "knowledge/more.yaml") in {(d["code"], d["file"]) for d in found}


@pytest.mark.parametrize("path", VALID)
def test_a_byte_order_mark_is_a_warning_and_changes_no_byte(project, capsys, path):
    """PF113; what is compiled is the same as without it."""
    assert compiled_with(project, path, VALID[path].encode()) == compiled_with(
        project, path, b"\xef\xbb\xbf" + VALID[path].encode()
    )
    exit_code, found = checked(project, capsys)
    assert exit_code == 0
    assert [(d["code"], d["severity"], d["line"]) for d in found] == [("PF113", "warning", 1)]


@pytest.mark.parametrize("path", VALID)
def test_windows_line_ends_are_a_warning_and_change_no_byte(project, capsys, path):
    """PF114 at the first such line; what is compiled is the same as with LF."""
    assert compiled_with(project, path, VALID[path].encode()) == compiled_with(
        project, path, VALID[path].replace("\n", "\r\n").encode()
    )
    exit_code, found = checked(project, capsys)
    assert exit_code == 0
    assert [(d["code"], d["severity"], d["line"]) for d in found] == [("PF114", "warning", 1)]


def compiled_with(project: Path, path: str, content: bytes) -> bytes:
    (project / path).write_bytes(content)
    assert run(project, "build") == 0
    return (project / "build" / "agent_prompts.yaml").read_bytes()


def test_windows_line_ends_in_a_text_of_several_lines_change_no_byte(project):
    """A persona in a block, a folded answer and a template read the same with CR LF."""
    texts = {
        "agents/windu.yaml": "name: windu\npersona: |\n  You are Windu.\n\n  You guard.\n"
        "sections: [persona, {template: rules.md.j2}, {fewshot: 3}]\n",
        "agents/templates/rules.md.j2": "{% if agent.name %}\nBe brief.\n{% endif %}\nBe kind.\n",
        "fewshot/windu.yaml": "examples:\n  - id: who\n    user: |\n      Who\n      are you?\n    assistant: >\n"
        "      I am\n      Windu.\n",
    }
    (project / "agents/templates").mkdir()
    for path, text in texts.items():
        (project / path).write_bytes(text.encode())
    assert run(project, "build") == 0
    before = built(project)["agent_prompts.yaml"]
    for path, text in texts.items():
        (project / path).write_bytes(text.replace("\n", "\r\n").encode())
    assert run(project, "build") == 0
    assert built(project)["agent_prompts.yaml"] == before


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"K\xfcche\n", "PF103"), (b"a\0b\n", "PF521"), (b"a\x07b\n", "PF521"), (b"a\xe2\x80\xaeb\n", "PF521")],
)
def test_a_template_that_holds_no_plain_text_is_named(project, capsys, content, code):
    """Templates are no YAML, and are looked at all the same."""
    (project / "agents/templates").mkdir()
    (project / "agents/templates/rules.md.j2").write_bytes(content)
    exit_code, found = checked(project, capsys)
    assert exit_code == 1
    assert [(d["code"], d["file"], d["line"]) for d in found] == [(code, "agents/templates/rules.md.j2", 1)]


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b"[" * 100_000, b"", b"{", b"[]"])
def test_a_schema_that_is_no_schema_is_named(project, capsys, content):
    """PF207, however broken it is."""
    (project / "knowledge/schemas").mkdir()
    (project / "knowledge/schemas/hosts.schema.json").write_bytes(content)
    exit_code, found = checked(project, capsys)
    assert exit_code == 1
    assert [(d["code"], d["file"]) for d in found] == [("PF207", "knowledge/schemas/hosts.schema.json")]


def test_the_limit_of_a_file_is_the_projects_own(project, capsys):
    """`limits.file_mb` raises it, and lowers it."""
    (project / "knowledge/more.yaml").write_text("rooms:\n  - {id: hall}\n" + "# log\n" * 3 * 10**6, encoding="utf-8")
    assert [d["code"] for d in checked(project, capsys)[1]] == ["PF102"]
    (project / "promptforge.yaml").write_text("limits: {file_mb: 18}\n", encoding="utf-8")
    assert checked(project, capsys) == (0, [])
    (project / "promptforge.yaml").write_text("limits: {file_mb: 0.00004}\n", encoding="utf-8")
    assert {d["code"] for d in checked(project, capsys)[1]} == {"PF102"}


def test_a_large_replay_file_is_read_up_to_a_limit(project, capsys):
    """PF812 says from which line on nothing was looked at: `check` answers at once."""
    recipe = "recipe: r\nagents: [windu]\nmodel: near\nrows: 40\nmax_share_per_fact: 1\nmix: {replay: 1.0}\nsources: {replay: [training/*.jsonl]}\n"
    (project / "promptforge.yaml").write_text("name: house\nmodels: {near: {backend: reader, tier: local}}\n")
    (project / "training").mkdir()
    (project / "training/r.yaml").write_text(recipe, encoding="utf-8")
    row = json.dumps({"prompt": "Say a.", "completion": "a" * 2**21})
    with (project / "training/large.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(33):
            file.write(f"{row}\n")
        file.write("no row\n")
    assert run(project, "check", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    assert [(d["code"], d["severity"], d["line"]) for d in found if d["file"].endswith(".jsonl")] == [
        ("PF812", "note", 33)
    ]
