"""The notice: whatever stands in a verdict, and whatever the user's command says, no night ends with a traceback."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from promptforge.nightly.notice import notify


def told(program: str, text: str, sentence: str, root: Path) -> str:
    command = shlex.join([sys.executable, "-c", program])
    return notify(command, text, {"sentence": sentence}, root=root, environ=os.environ)


def test_what_the_command_says_need_not_be_text(tmp_path):
    """It is shown as far as it can be read."""
    said = told(r"import sys; sys.stderr.buffer.write(b'no \xff'); sys.exit(3)", "", "", tmp_path)
    assert said == f"notify: {sys.executable} ended with 3: no \ufffd"


@pytest.mark.parametrize("text", ["0.704 \u2192 0.731", "lone \ud800", "null \0 byte"])
def test_any_text_is_told(text, tmp_path):
    """In UTF-8, under whatever locale."""
    program = "import os, sys; open('t', 'wb').write(sys.stdin.buffer.read() + os.environb[b'PROMPTFORGE_SENTENCE'])"
    assert told(program, text, text, tmp_path) == ""
    kept = text.encode("utf-8", "replace")
    assert (tmp_path / "t").read_bytes() == kept + kept.replace(b"\0", b"")


def test_what_cannot_be_run_is_said(tmp_path):
    """And so is a command that cannot be read; an empty one is none."""
    assert (
        notify("./nobody", "", {}, root=tmp_path, environ=os.environ) == "notify: ./nobody: no such file or directory"
    )
    assert notify("a 'b", "", {}, root=tmp_path, environ=os.environ) == "notify cannot be read: no closing quotation"
    assert notify("", "", {}, root=tmp_path, environ=os.environ) == ""
