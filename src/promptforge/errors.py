"""What stops a command. Imports nothing from the package.

    PromptforgeError            exit 2   we cannot go on
    ├── UsageError              exit 2   the command line asks for something that cannot be
    ├── NoProjectError          exit 2   no promptforge.yaml here or above
    ├── InputError              exit 2   a file or revision named on the command line cannot be used
    ├── WriteError              exit 2   a result cannot be written (disk full, no permission)
    ├── BusyError               exit 2   another process holds what we need
    └── ExtraMissingError       exit 2   an optional package is not installed

Wrong content of the user's files is no exception: it is a `Diagnostic` (see `source.py`), collected and shown.
"""

from typing import ClassVar

__all__ = [
    "EXTRAS",
    "BusyError",
    "ExtraMissingError",
    "InputError",
    "NoProjectError",
    "PromptforgeError",
    "UsageError",
    "WriteError",
    "install_command",
]

EXTRAS: dict[str, tuple[str, ...]] = {
    "anthropic": ("anthropic>=0.40",),
    "bench": ("numpy>=1.26",),
    "hf": ("tokenizers>=0.19",),
    "openai": ("openai>=1.50",),
    "page": ("watchfiles>=0.21", "starlette>=0.40", "uvicorn>=0.30"),
    "watch": ("watchfiles>=0.21",),
}
"""What brings each optional part, as pyproject.toml has it."""


def install_command(extra: str) -> str:
    """What installs an optional part: its packages by name, never `promptforge[...]`.

    On the public package index the name promptforge belongs to another project.

    >>> install_command("openai")
    "pip install 'openai>=1.50'"
    """
    return "pip install " + " ".join(f"'{package}'" for package in EXTRAS[extra])


class PromptforgeError(Exception):
    """The root: `message` says what happened, `hint` what to do about it."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PromptforgeError):
    """The command line asks for something that cannot be."""


class NoProjectError(PromptforgeError):
    """There is no promptforge.yaml in the folder or above it."""


class InputError(PromptforgeError):
    """A file, folder or revision named on the command line cannot be used."""


class WriteError(PromptforgeError):
    """A result cannot be written; what was there before is intact."""


class BusyError(PromptforgeError):
    """Another process holds the project."""


class ExtraMissingError(PromptforgeError):
    """An optional package is not installed; the hint is the exact command that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}'", hint=install_command(extra))
