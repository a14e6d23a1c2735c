"""The user's editor, opened at a line: a program that has a window of its own, or a Neovim that listens."""

import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from promptforge.errors import InputError, UsageError
from promptforge.files import input_paths

__all__ = ["Editor", "find_editor", "open_at", "place_of"]

_GOTO = ("-g", "{file}:{line}:{column}")
_COLON = ("{file}:{line}:{column}",)
_LINE_COLUMN = ("--line", "{line}", "--column", "{column}", "{file}")
_PLUS = ("+{line}", "{file}")

_KNOWN: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("code", "code-insiders", "codium", "cursor", "windsurf", "positron"), _GOTO),
    **dict.fromkeys(("subl", "zed", "zeditor", "lapce"), _COLON),
    **dict.fromkeys(
        ("idea", "pycharm", "webstorm", "goland", "rubymine", "clion", "phpstorm", "rustrover", "fleet", "kate"),
        _LINE_COLUMN,
    ),
    **dict.fromkeys(("gvim", "mvim", "gedit", "gnome-text-editor", "neovide"), _PLUS),
    "mate": ("-l", "{line}", "{file}"),
    "bbedit": ("+{line}", "{file}"),
    "emacsclient": ("-n", "+{line}:{column}", "{file}"),
}
"""Editors that open in a window of their own, and how each is told the place."""
_WAITING = frozenset(["--wait", "-w", "--block"])
"""What git's editor is told, and the page must not: to stay until the file is closed."""
_FILLED = re.compile(r"\{(file|line|column|quoted)\}")
_GRACE_S = 0.4
"""An editor that cannot start says so within this time; one that runs on is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """How to open a file."""

    name: str
    command: tuple[str, ...]
    """With {file}, {line} and {column} to be filled in, each in an argument; there is no shell."""


def find_editor(environ: Mapping[str, str]) -> Editor | None:
    """The editor that can be opened from outside its terminal; None where the environment names none."""
    if own := environ.get("PROMPTFORGE_EDITOR", "").strip():
        return _named(own) or _unknown(own)
    if address := environ.get("NVIM"):
        return _neovim(address)
    for variable in ("VISUAL", "EDITOR"):
        if found := _named(environ.get(variable, "")):
            return found
    program = {"vscode": "code", "zed": "zed"}.get(environ.get("TERM_PROGRAM", ""), "")
    return _named(program) if program and shutil.which(program, path=environ.get("PATH")) else None


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value, posix=os.name != "nt")
    except ValueError:  # a quote that is not closed
        return value.split()


def _named(value: str) -> Editor | None:
    """One that we know, with its options, or a whole command with {file} in it."""
    words = _words(value)
    if not words:
        return None
    name = Path(words[0]).name.removesuffix(".exe").removesuffix(".cmd").removesuffix(".sh")
    if "{file}" in value:
        return Editor(name=name, command=tuple(words))
    if name not in _KNOWN:
        return None
    return Editor(name=name, command=(*(word for word in words if word not in _WAITING), *_KNOWN[name]))


def _unknown(value: str) -> Editor:
    """One that the user named for us: it is given the file, and no line."""
    words = _words(value)
    return Editor(name=Path(words[0]).name, command=(*words, "{file}"))


def _neovim(address: str) -> Editor:
    """The Neovim in whose terminal we run: the file comes up in a tab of its own."""
    expression = "execute('tab drop '..fnameescape({quoted}))..cursor({line},{column})"
    return Editor(name="nvim", command=("nvim", "--server", address, "--remote-expr", expression))


def place_of(root: Path, file: object, line: object, column: object) -> tuple[Path, int, int]:
    """The place that is meant, if it is in one of the project's own files. Raises UsageError."""
    number, at = (value if type(value) is int and 0 < value < 10**7 else 1 for value in (line, column))
    if not isinstance(file, str) or file not in input_paths(root):
        raise UsageError("that is no file of this project")
    path = root / file
    if not path.is_file():
        raise UsageError(f"{file} is not there any more")
    if not path.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{file} leads out of the project", hint="open it by hand")
    return path, number, at


def open_at(editor: Editor, path: Path, line: int, column: int, *, root: Path, environ: Mapping[str, str]) -> None:
    """Open a file. Raises InputError when the editor cannot be started."""
    quoted = "'" + str(path).replace("'", "''") + "'"  # as Vim's script has it
    values = {"file": str(path), "line": str(line), "column": str(column), "quoted": quoted}
    command = [_FILLED.sub(lambda found: values[found[1]], word) for word in editor.command]
    hint = "name another one: PROMPTFORGE_EDITOR, see docs/how-to/watch.md"
    try:
        started = subprocess.Popen(
            command,
            cwd=root,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the watcher, and must not close the editor
        )
    except OSError as problem:
        said = (problem.strerror or str(problem)).lower()
        raise InputError(f"the editor '{editor.command[0]}' cannot be started: {said}", hint=hint) from problem
    try:
        code = started.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        threading.Thread(target=started.wait, name="editor", daemon=True).start()
        return
    if code:
        raise InputError(f"the editor '{editor.name}' ended with exit code {code}", hint=hint)
