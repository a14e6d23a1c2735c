"""Where text goes, and in which colours: none when not on a terminal, or when NO_COLOR is set."""

import json
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from promptforge.errors import PromptforgeError

__all__ = ["Painter", "columns", "painter", "plural", "print_error", "print_json", "print_text", "status"]

_STYLES = {"red": "31", "yellow": "33", "blue": "34", "cyan": "36", "green": "32", "bold": "1", "dim": "2"}


class Painter:
    """Colours text, or leaves it alone."""

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, *styles: str) -> str:
        """The text in these styles."""
        if not self.colour or not text:
            return text
        codes = ";".join(_STYLES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"


def painter(stream: TextIO | None = None) -> Painter:
    """A painter for a stream, by default stdout (https://no-color.org)."""
    stream = stream or sys.stdout
    return Painter(colour=stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")


def print_text(text: str) -> None:
    """A result."""
    _write(sys.stdout, text if text.endswith("\n") or not text else text + "\n")


def print_json(value: object) -> None:
    """A result for programs; every one carries `version: 1`."""
    print_text(json.dumps(value, ensure_ascii=False, indent=2))


def status(text: str) -> None:
    """Something that is no result."""
    _write(sys.stderr, text + "\n")


def print_error(problem: PromptforgeError) -> None:
    """What stopped the command, and what to do about it."""
    paint = painter(sys.stderr)
    status(f"{paint('error:', 'red', 'bold')} {problem.message}")
    if problem.hint:
        status(f"  {paint('hint:', 'cyan')} {problem.hint}")


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), indent: str = "") -> str:
    """Rows with aligned columns; those in `right` are aligned to the right. The last column is not padded."""
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def plural(count: int, word: str) -> str:
    """A count with its word.

    >>> plural(1, "error"), plural(2, "error"), plural(3, "entity")
    ('1 error', '2 errors', '3 entities')
    """
    many = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{count:,} {word if count == 1 else many}"
