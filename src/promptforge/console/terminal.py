"""Where text goes, and in which colours: none when not on a terminal, or when NO_COLOR is set."""

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from promptforge.errors import PromptforgeError

__all__ = [
    "Painter",
    "columns",
    "painter",
    "plural",
    "print_error",
    "print_json",
    "print_piece",
    "print_text",
    "status",
]

_STYLES = {"red": "31", "yellow": "33", "blue": "34", "cyan": "36", "green": "32", "bold": "1", "dim": "2"}


class Painter:
    """Colours text, or leaves it alone."""

    def __init__(self, *, colour: bool, room: int = 120) -> None:
        self.colour = colour
        self.room = room  # for an excerpt of a file

    def __call__(self, text: str, *styles: str) -> str:
        """The text in these styles."""
        if not self.colour or not text:
            return text
        codes = ";".join(_STYLES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"


def painter(stream: TextIO | None = None) -> Painter:
    """A painter for a stream, by default stdout (https://no-color.org)."""
    stream = stream or sys.stdout
    if stream is None or not stream.isatty():  # None: the process was started with it closed
        return Painter(colour=False)
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return Painter(colour=not plain, room=max(40, min(120, shutil.get_terminal_size().columns - 12)))


_UNSEEN = re.compile(r"(?!\x1b\[[\d;]*m)[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey, our own colours apart: it may come from a fact."""


def print_text(text: str) -> None:
    """A result. What a terminal would obey is shown instead."""
    text = _UNSEEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)
    _write(sys.stdout, text if text.endswith("\n") or not text else text + "\n")


def print_piece(text: str) -> None:
    """A piece of a result, as it comes."""
    _write(sys.stdout, _UNSEEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", text))


def print_json(value: object) -> None:
    """A result for programs; every one carries `version: 1`."""
    _write(sys.stdout, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def status(text: str) -> None:
    """Something that is no result."""
    _write(sys.stderr, _UNSEEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", text) + "\n")


def print_error(problem: PromptforgeError) -> None:
    """What stopped the command, and what to do about it."""
    paint = painter(sys.stderr)
    status(f"{paint('error:', 'red', 'bold')} {problem.message}")
    if problem.hint:
        status(f"  {paint('hint:', 'cyan')} {problem.hint}")


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # closed before we started (`>&-`): nobody wants it
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:  # whoever read us has gone (`| head`): nothing more to say, but the exit code still counts
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), indent: str = "") -> str:
    """Rows with aligned columns; those in `right` are aligned to the right. The last column is not padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    line = indent + "  ".join(f"{{:{'>' if number in right else '<'}{width}}}" for number, width in enumerate(widths))
    return "\n".join([line.format(*row).rstrip() for row in rows])


def plural(count: int, word: str) -> str:
    """A count with its word.

    >>> plural(1, "error"), plural(2, "error"), plural(3, "entity")
    ('1 error', '2 errors', '3 entities')
    """
    many = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{count:,} {word if count == 1 else many}"
