"""What every command shares: help, wrong usage, where the project is found, and where the output goes."""

import json
import os
import pty
import re
import select
import subprocess
import sys

import pytest

PROMPTS = ("init", "check", "build", "diff", "explain", "ask", "doctor")
MEASURE = ("bench", "compare", "report", "history", "export")
TRAIN = ("dataset", "train", "promote", "champion", "nightly", "advise", "fleet")
COMMANDS = (*PROMPTS, *MEASURE, *TRAIN)
IN_A_PROJECT = (("check",), ("build",), ("build", "--check"), ("diff",), ("explain", "windu"), ("doctor",))


# --- help -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_each_command_with_what_it_does(pf, option):
    """The help names every command in its group, in one line each, and says where to start."""
    outcome = pf(option)
    assert outcome.code == 0
    assert outcome.err == ""
    assert "Usage: promptforge" in outcome.out
    for title, commands in (("Prompts", PROMPTS), ("Measure", MEASURE), ("Train", TRAIN)):
        group = outcome.out.split(f"{title}:\n")[1].split("\n\n")[0]
        assert [line.split()[0] for line in group.splitlines()] == list(commands)
        assert all(len(line.split()) > 3 for line in group.splitlines())
    assert "Start here:\n  promptforge init " in outcome.out


def test_help_fits_a_terminal_of_80_columns(process):
    """No line of any help is longer than 80 columns."""
    for arguments in ((), *((command,) for command in COMMANDS)):
        outcome = process(*arguments, "--help")
        assert max(map(len, outcome.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("init", ["[DIR]", "--from FILE"]),
        ("check", ["--format [text|json|github|sarif]", "--explain [CODE]"]),
        ("build", ["--check", "--agent GLOB", "--output FILE", "--watch", "--format [text|json]"]),
        ("diff", ["[A] [B]", "--format [text|json|markdown]", "--exit-code"]),
        ("explain", ["AGENT[:LINE]", "--format [text|json]"]),
        ("doctor", ["--format [text|json]"]),
    ],
)
def test_each_command_has_a_help_with_its_options(pf, command, options):
    """`promptforge COMMAND --help` shows every argument and option of the command."""
    outcome = pf(command, "--help")
    assert outcome.code == 0
    assert f"Usage: promptforge {command}" in outcome.out
    for option in options:
        assert option in outcome.out


def test_help_needs_no_project(process, tmp_path):
    """The help of a command can be read anywhere."""
    outcome = process("diff", "--help", cwd=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")


def test_help_imports_nothing_heavy(process):
    """`promptforge --help` imports neither templates nor tokenizers nor validators nor any model's library."""
    outcome = process("--help", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.split("|")[-1].strip().split(".")[0] for line in outcome.err.splitlines()}
    assert "click" in imported
    assert not imported & {"jinja2", "jsonschema", "tiktoken", "tokenizers", "yaml", "openai", "anthropic", "rich"}


def test_the_version_is_said(pf):
    """`--version` says the name and the version."""
    outcome = pf("--version")
    assert outcome.code == 0
    assert re.fullmatch(r"promptforge, version \d+\.\d+\.\d+\S*\n", outcome.out)


# --- wrong usage ----------------------------------------------------------------------------------------------------


def test_no_command_is_wrong_usage_and_shows_the_help(process):
    """Without a command the help goes to stderr, and the exit code is 2."""
    outcome = process()
    assert (outcome.code, outcome.out) == (2, "")
    assert "Prompts:" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("buidl",), "no command 'buidl'; did you mean 'build'?"),
        (
            ("frob",),
            "no command 'frob'; known: advise, ask, bench, build, champion, check, compare, ",
        ),
        (("build", "--chekc"), "No such option '--chekc'."),
        (("build", "windu"), "Got unexpected extra argument (windu)"),
        (("diff", "A", "B", "C"), "Got unexpected extra argument (C)"),
        (("diff", "--output=x"), "No such option '--output'."),
        (("explain",), "Missing argument 'AGENT[:LINE]'."),
        (("check", "--format", "xml"), "'xml' is not one of 'text', 'json', 'github', 'sarif'."),
        (("build", "--format", "xml"), "'xml' is not one of 'text', 'json'."),
        (("diff", "--format", "sarif"), "'sarif' is not one of 'text', 'json', 'markdown'."),
        (("-C",), "Option '-C' requires an argument."),
    ],
)
def test_wrong_usage_is_said_on_stderr_with_exit_code_2(process, arguments, said):
    """A command line that cannot be understood gives 2, the reason on stderr, and nothing on stdout."""
    outcome = process(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert "Traceback" not in outcome.err


# --- where the project is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", IN_A_PROJECT)
def test_without_a_project_each_command_says_how_to_start_one(pf, tmp_path, arguments):
    """Where there is no promptforge.yaml, the exit code is 2 and the hint is `init`."""
    outcome = pf(*arguments, cwd=tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: no promptforge.yaml here or above\n  hint: start one here: promptforge init\n"


def test_the_project_is_found_from_a_folder_inside_it(pf, house):
    """From a subfolder the nearest project above is meant, and paths are still those of the project."""
    house.edit("knowledge/house.yaml", ("port: 445", "port: 99999"))
    outcome = pf("check", cwd=house / "agents/templates")
    assert outcome.code == 1
    assert outcome.out.startswith("knowledge/house.yaml:7:25: error PF310: ")


@pytest.mark.parametrize("option", ["-C", "--project"])
def test_the_project_can_be_named(pf, house, tmp_path, option):
    """-C names the project's folder, from wherever the command is typed."""
    assert pf(option, str(house.root), "check", cwd=tmp_path).out == "fine: 2 agents, 7 facts, 2 examples\n"
    assert pf(option, house.root.name, "check", cwd=tmp_path).code == 0


def test_a_named_folder_must_hold_a_project(pf, house):
    """-C does not look above: the hint names the project above, or how to start one."""
    outcome = pf("-C", "agents", "check")
    assert outcome.code == 2
    assert outcome.err == f"error: no promptforge.yaml in agents\n  hint: the project is in {house.root}\n"
    outcome = pf("-C", "..", "check")
    assert outcome.code == 2
    assert outcome.err == "error: no promptforge.yaml in ..\n  hint: start one there: promptforge init ..\n"


@pytest.mark.parametrize("named", ["nowhere", "promptforge.yaml", ""])
def test_a_named_folder_must_be_a_folder(pf, named):
    """-C with something else than a folder is wrong usage, and no `init` is advised."""
    outcome = pf("-C", named, "check")
    assert outcome.code == 2
    assert outcome.err == f"error: -C '{named}' is no folder\n  hint: name the folder that holds promptforge.yaml\n"


def test_a_path_with_spaces_and_umlauts_is_a_path(pf, house):
    """The project may live in a folder of any name."""
    moved = house.root.rename(house.root.with_name("my höuse (2)"))
    assert pf("build", cwd=moved).code == 0
    assert pf("diff", cwd=moved).out.startswith("nothing changed since the last build of ")
    assert (moved / "build/agent_prompts.yaml").exists()


def test_a_folder_that_is_gone_is_an_error_without_traceback(process, house):
    """Whoever stands in a folder that was deleted is told so, with exit code 2."""
    outcome = process("check", shell='mkdir gone && cd gone && rmdir ../gone && exec "$@"', PYTHONSAFEPATH="1")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: no such file or directory\n"


# --- where the output goes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", IN_A_PROJECT[:-1])
def test_the_text_is_the_same_whatever_the_locale(process, pf, arguments):
    """A process in the C locale says the same, what it cannot encode escaped, and never fails."""
    pf("build")
    ascii_only = process(*arguments, PYTHONUTF8="0", LC_ALL="C", PYTHONCOERCECLOCALE="0")
    utf8 = process(*arguments)
    assert ascii_only.code == utf8.code == 0
    assert ascii_only.out == utf8.out.encode("ascii", "backslashreplace").decode()


def test_json_is_json_whatever_the_locale(process, pf, house):
    """What a process in the C locale prints as JSON still parses to what was meant."""
    house.edit("knowledge/house.yaml", ("codename: Shelf", "codename: Bücher"))
    outcome = process("explain", "windu", "--format", "json", PYTHONUTF8="0", LC_ALL="C", PYTHONCOERCECLOCALE="0")
    assert json.loads(outcome.out)["version"] == 1


@pytest.fixture
def gone():
    """A pipe that nobody reads from any more."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("arguments", [("--help",), ("explain", "windu"), ("build", "--format", "json")])
def test_a_reader_that_leaves_is_no_error(process, gone, arguments):
    """Piped into something that reads no more, as `head`, a command ends without a word and without a failure."""
    outcome = process(*arguments, stdout=gone)
    assert (outcome.code, outcome.err) == (0, "")


def test_a_reader_that_leaves_does_not_change_the_exit_code(process, house, gone):
    """`check | head` still ends with 1 when something is an error."""
    house.edit("knowledge/house.yaml", ("port: 445", "port: 99999"))
    outcome = process("check", stdout=gone)
    assert (outcome.code, outcome.err) == (1, "")


@pytest.mark.parametrize("arguments", [("--help",), ("check",), ("build",), ("explain", "windu")])
def test_a_closed_stdout_is_no_error(process, arguments):
    """Started with stdout closed, a command does its work and ends with 0."""
    outcome = process(*arguments, shell='exec "$@" >&-')
    assert (outcome.code, outcome.err) == (0, "")


def test_a_closed_stderr_is_no_error(process):
    """Started with stderr closed, a refusal is still exit code 2, and stdout stays empty."""
    outcome = process("explain", "nobody", shell='exec "$@" 2>&-')
    assert (outcome.code, outcome.out) == (2, "")


@pytest.mark.parametrize("arguments", [("--help",), ("check",), ("explain", "windu")])
def test_a_result_that_cannot_be_written_is_exit_code_2(process, tmp_path, arguments):
    """When the file behind stdout cannot grow, the command says so instead of printing a traceback."""
    outcome = process(*arguments, shell=f'ulimit -f 0; exec "$@" > "{tmp_path}/result"')
    assert outcome.code == 2
    assert outcome.err == "error: file too large\n"


def on_a_terminal(house, environ, *arguments, columns=100, **more):
    """What a process shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    command = f'stty cols {columns} 2>/dev/null; exec "$@"'
    child = subprocess.Popen(
        ["sh", "-c", command, "sh", sys.executable, "-m", "promptforge", *arguments],
        cwd=house.root, env=environ | more, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    child.wait()
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours(house, environ):
    """On a terminal the severity is coloured."""
    house.edit("knowledge/house.yaml", ("port: 445", "port: 99999"))
    assert "\x1b[31;1merror PF310\x1b[0m" in on_a_terminal(house, environ, "check")


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(house, environ, more):
    """NO_COLOR and a dumb terminal are honoured."""
    house.edit("knowledge/house.yaml", ("port: 445", "port: 99999"))
    shown = on_a_terminal(house, environ, "check", **more)
    assert "error PF310" in shown
    assert "\x1b" not in shown


def test_a_pipe_gets_no_colours(process, house):
    """What is not a terminal gets plain text, on stdout and on stderr."""
    house.edit("knowledge/house.yaml", ("port: 445", "port: 99999"))
    assert "\x1b" not in process("check").out
    assert "\x1b" not in process("build").err


def test_an_excerpt_fits_the_terminal(house, environ):
    """A long line is shown around the place that is meant, and does not wrap."""
    house.edit("knowledge/house.yaml", ("port: 445", f"notes: {'x' * 300}, port: 99999"))
    shown = on_a_terminal(house, environ, "check", columns=80, NO_COLOR="1")
    excerpt, caret = shown.splitlines()[1:3]
    assert len(excerpt) <= 80
    assert excerpt[caret.index("^") :].startswith("99999")


@pytest.mark.parametrize("arguments", [("diff",), ("explain", "windu"), ("explain", "windu:11")])
def test_a_fact_cannot_steer_the_terminal(pf, house, arguments):
    """Escapes, bells and changes of direction in a value are shown, not sent."""
    pf("build")
    house.edit("knowledge/house.yaml", ("Council MLX", '"\\e[2J\\e]0;owned\\a\\u202Egone"'))
    outcome = pf(*arguments)
    assert outcome.code == 0
    assert "<U+001B>[2J<U+001B>]0;owned<U+0007><U+202E>gone" in outcome.out
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", outcome.out)
