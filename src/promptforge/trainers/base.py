"""What every trainer has in common: how it is started, what a line of it says, what it leaves; what can go wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from promptforge.errors import PromptforgeError

__all__ = [
    "Found",
    "OutOfTimeError",
    "Report",
    "Trainer",
    "TrainerMissingError",
    "TrainingError",
    "number",
    "plain",
]


class TrainingError(PromptforgeError):
    """A training failed: `cause` says how in a word, `log` where its output is."""

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, cause: str, hint: str = "", log: Path | None = None) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
        self.log = log


class OutOfTimeError(TrainingError):
    """A training was stopped because its time was up."""

    exit_code: ClassVar[int] = 3


class TrainerMissingError(PromptforgeError):
    """A trainer is not installed; the hint is the exact command that installs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a line of a trainer's output says; what it does not say is None."""

    iteration: int | None = None
    total: int | None = None
    """How many iterations there will be."""
    loss: float | None = None
    valid: float | None = None
    """The loss on the valid split."""
    speed: float | None = None
    """Tokens a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A trainer on this machine."""

    start: tuple[str, ...]
    """What is called, without the arguments of a training."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the packages that decide what comes out; empty where the command does not tell."""


class Trainer(Protocol):
    """A trainer."""

    @property
    def kind(self) -> str:
        """Its name in a recipe."""

    @property
    def tool(self) -> str:
        """The command that its package installs."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Its package, and those that decide as well what comes out."""

    @property
    def install(self) -> str:
        """What pip is told."""

    @property
    def config(self) -> str:
        """The file that it is configured by."""

    @property
    def weights(self) -> str:
        """The file of its adapter that holds the weights."""

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Patterns of what it leaves beside its adapter and nobody needs once it is finished."""

    @property
    def environ(self) -> Mapping[str, str]:
        """Variables that it is started with, unless they are set."""

    @property
    def also(self) -> Mapping[str, object]:
        """Settings of its own that a training needs, unless the recipe sets them."""

    def start(self, python: str) -> tuple[str, ...]:
        """How it is called where this Python has it."""

    def arguments(self, config: Path) -> tuple[str, ...]:
        """What it is called with."""

    def read(self, line: str) -> Report | None:
        """What a line of its output says of the training, colours taken away; None where nothing."""


_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")


def plain(line: str) -> str:
    r"""A line without colours and other orders to a terminal.

    >>> plain("\x1b[1m6.723\x1b[0m")
    '6.723'
    """
    return _ESCAPES.sub("", line)


def number(text: str) -> float:
    """A number as trainers print it.

    >>> number("1,024"), number("0.4k"), number("nan")
    (1024.0, 400.0, nan)
    """
    text = text.replace(",", "")
    return float(text[:-1]) * 1000 if text.endswith("k") else float(text)
