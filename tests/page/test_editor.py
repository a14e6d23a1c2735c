"""The editor, opened at a line: only in the project, and never through a shell."""

import os
import stat
import sys
from pathlib import Path

import pytest

from promptforge.errors import InputError, UsageError
from promptforge.page.editor import find_editor, open_at, place_of
from waiting import until

FILE = "knowledge/house.yaml"


@pytest.mark.parametrize(
    ("environ", "command"),
    [
        ({"PROMPTFORGE_EDITOR": "code"}, ("code", "-g", "{file}:{line}:{column}")),
        ({"PROMPTFORGE_EDITOR": "idea --line {line} {file}"}, ("idea", "--line", "{line}", "{file}")),
        ({"PROMPTFORGE_EDITOR": "'/opt/my editor/ed' -x"}, ("/opt/my editor/ed", "-x", "{file}")),
        ({"PROMPTFORGE_EDITOR": "subl", "EDITOR": "code"}, ("subl", "{file}:{line}:{column}")),
        ({"VISUAL": "code --wait", "EDITOR": "vim"}, ("code", "-g", "{file}:{line}:{column}")),
        ({"VISUAL": "vim", "EDITOR": "/usr/bin/zed"}, ("/usr/bin/zed", "{file}:{line}:{column}")),
        ({"EDITOR": "pycharm.sh"}, ("pycharm.sh", "--line", "{line}", "--column", "{column}", "{file}")),
        ({"EDITOR": "emacsclient -c"}, ("emacsclient", "-c", "-n", "+{line}:{column}", "{file}")),
    ],
)
def test_an_editor_with_a_window_is_told_the_place_in_its_own_way(environ, command):
    """PROMPTFORGE_EDITOR first, then VISUAL and EDITOR; what makes git wait is left away."""
    assert find_editor(environ).command == command


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"EDITOR": "vim"},
        {"VISUAL": "nano", "EDITOR": "hx"},
        {"EDITOR": "'"},
        {"TERM_PROGRAM": "vscode", "PATH": ""},
    ],
)
def test_one_that_needs_the_terminal_is_not_started(environ):
    """It would write over the watcher; then the page offers the place itself."""
    assert find_editor(environ) is None


def test_inside_neovim_the_file_opens_there():
    """In a tab of its own, by its address."""
    found = find_editor({"NVIM": "/run/nvim.1", "EDITOR": "code"})
    assert found.command[:4] == ("nvim", "--server", "/run/nvim.1", "--remote-expr")


@pytest.fixture
def recorder(tmp_path):
    """A program that writes down what it was called with."""
    seen = tmp_path / "seen.txt"
    program = tmp_path / "recorder"
    program.write_text(f"#!{sys.executable}\nimport sys\nopen({str(seen)!r}, 'w').write('\\n'.join(sys.argv[1:]))\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program, seen


def test_a_click_calls_the_editor_with_file_and_line(show, recorder):
    """The place in its arguments, as they are: no shell reads them."""
    program, seen = recorder
    with show({"PROMPTFORGE_EDITOR": f"'{program}' --line {{line}} --column {{column}} {{file}} $(id);x"}) as page:
        reply = page.post("open", {"file": FILE, "line": 4, "column": 9})
        assert (reply.status, reply.data) == (200, {"opened": "recorder"})
        assert until(lambda: seen.exists() and seen.read_text()).split("\n") == [
            "--line",
            "4",
            "--column",
            "9",
            str(page.root / FILE),
            "$(id);x",
        ]


def test_neovim_is_told_the_place_as_its_script_has_it(root, recorder):
    """A name with quotes, spaces and signs of Vim's is one text to it."""
    program, seen = recorder
    program.rename(program.with_name("nvim"))
    path = root / "knowledge" / "o'hare's {line} %.yaml"
    path.write_text("x: 1\n")
    environ = {"NVIM": "/run/nvim.1", "PATH": str(program.parent)}
    open_at(find_editor(environ), path, 4, 9, root=root, environ=environ)
    quoted = str(path).replace("'", "''")
    expression = f"execute('tab drop '..fnameescape('{quoted}'))..cursor(4,9)"
    assert until(lambda: seen.exists() and seen.read_text()).split("\n") == [
        "--server",
        "/run/nvim.1",
        "--remote-expr",
        expression,
    ]


def test_without_an_editor_the_place_is_given(page):
    """To be copied, and as a link that VS Code understands."""
    reply = page.post("open", {"file": FILE, "line": 4, "column": 9})
    path = page.root / FILE
    assert reply.data == {"opened": "", "place": f"{path}:4", "link": f"vscode://file{path}:4:9"}


@pytest.mark.parametrize(
    "file",
    [
        "../secret.yaml",
        "/etc/passwd",
        "knowledge/../../secret.yaml",
        "build/agent_prompts.yaml",
        ".git/config",
        "",
        None,
        7,
        ["a"],
        "knowledge/none.yaml",
        "-x",
        "knowledge/house.yaml\0",
    ],
)
def test_nothing_outside_the_project_is_opened(show, recorder, root, file):
    """Only its own files, named as the page names them."""
    program, seen = recorder
    (root.parent / "secret.yaml").write_text("x: 1\n")
    with show({"PROMPTFORGE_EDITOR": f"{program} {{file}}"}) as page:
        reply = page.post("open", {"file": file, "line": 1})
        assert (reply.status, reply.data["error"]) == (400, "that is no file of this project")
    assert not seen.exists()


def test_a_link_that_leads_out_is_not_followed(root, tmp_path_factory):
    """A file of the project that lies elsewhere is opened by hand."""
    outside = tmp_path_factory.mktemp("outside") / "secret.yaml"
    outside.write_text("x: 1\n")
    (root / "knowledge/linked.yaml").symlink_to(outside)
    with pytest.raises(UsageError, match=r"knowledge/linked\.yaml leads out of the project"):
        place_of(root, "knowledge/linked.yaml", 1, 1)


def test_a_file_that_has_gone_is_said(root):
    """A dangling link is listed, and is no file."""
    (root / "knowledge/linked.yaml").symlink_to(root / "nothing")
    with pytest.raises(UsageError, match=r"knowledge/linked\.yaml is not there any more"):
        place_of(root, "knowledge/linked.yaml", 1, 1)


@pytest.mark.parametrize("line", [0, -1, "4", None, True, 1.5, 10**9])
def test_a_line_that_is_none_is_the_first(root, line):
    """Whatever was sent, the editor gets a number."""
    assert place_of(root, FILE, line, 1)[1:] == (1, 1)


def test_an_editor_that_cannot_start_is_said(root):
    """Not installed, or it ends with a complaint."""
    hint = "name another one: PROMPTFORGE_EDITOR, see docs/how-to/watch.md"
    for command, message in (
        ("no-such-editor {file}", "the editor 'no-such-editor' cannot be started: no such file or directory"),
        (
            f"{sys.executable} -c raise(SystemExit(3)) {{file}}",
            f"the editor '{Path(sys.executable).name}' ended with exit code 3",
        ),
    ):
        editor = find_editor({"PROMPTFORGE_EDITOR": command})
        with pytest.raises(InputError) as found:
            open_at(editor, root / FILE, 1, 1, root=root, environ=os.environ)
        assert (found.value.message, found.value.hint) == (message, hint)
