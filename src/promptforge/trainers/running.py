"""A training as a child process: what it prints is kept and read, its time is limited, and it never outlives us."""

import math
import os
import re
import selectors
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from promptforge.errors import WriteError
from promptforge.trainers.base import OutOfTimeError, Report, Trainer, TrainingError, plain
from promptforge.trainers.child import Child, start

__all__ = ["Course", "Limits", "run_trainer"]

_TICK_S = 0.5
_BLOCK = 1 << 16
_LAST_WORDS_S = 2.0
_LINES = re.compile(rb"[\r\n]+")
_MOST_LINE = 1 << 16
_TAIL = 40
"""So many last lines are looked at for why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a training is stopped."""

    minutes: float | None = None
    stall_minutes: float = 30.0
    """So long without a word, and it hangs."""
    grace_s: float = 10.0
    """What it has to end in once it is asked to."""


@dataclass(slots=True, kw_only=True)
class Course:
    """How far a training is; the same object all along."""

    began: float
    """By the monotonic clock."""
    now: float
    iteration: int = 0
    total: int = 0
    """0: not known yet."""
    loss: float | None = None
    first_loss: float | None = None
    valid: float | None = None
    first_valid: float | None = None
    speed: float | None = None
    """Tokens a second, as the trainer says it."""
    first_at: float = 0.0
    """When the first iterations were reported, and how many: loading and compiling are no measure of the rest."""
    first_iteration: int = 0

    def add(self, report: Report) -> bool:
        """Take note of a line; whether it says anything new."""
        before = (self.iteration, self.total, self.loss, self.valid)
        if report.total is not None:
            if report.total < self.total:  # the bar of a validation
                return False
            self.total = report.total
        if report.iteration is not None:
            self._count(report.iteration)
        if report.loss is not None:
            self.loss = report.loss
            self.first_loss = report.loss if self.first_loss is None else self.first_loss
        if report.valid is not None:
            self.valid = report.valid
            self.first_valid = report.valid if self.first_valid is None else self.first_valid
        self.speed = report.speed if report.speed is not None else self.speed
        return before != (self.iteration, self.total, self.loss, self.valid)

    def _count(self, iteration: int) -> None:
        if iteration > self.iteration:
            self.iteration = iteration
            if not self.first_iteration:
                self.first_at, self.first_iteration = self.now, iteration

    @property
    def elapsed_s(self) -> float:
        """Since it was started."""
        return self.now - self.began

    @property
    def left_s(self) -> float | None:
        """How long it will take from here, or None where that cannot be said yet."""
        if not self.total or not self.first_iteration or self.total <= self.iteration:
            return None
        done, took_s = self.iteration - self.first_iteration, self.now - self.first_at
        return took_s / done * (self.total - self.iteration) if done else None


def run_trainer(
    trainer: Trainer,
    command: tuple[str, ...],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    log: Path,
    record: Path,
    limits: Limits,
    told: Callable[[Course, bool], None],
    about: str = "",
    private: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Course:
    """Run a training to its end. Its output goes to `log`; `told` hears of progress, and whether there is any news.

    Whatever happens, it and its children are stopped when this returns. Raises TrainingError and OutOfTimeError.
    """
    began = clock()
    course = Course(began=began, now=began)
    code: int | None = None
    with _opened(log, private) as kept:
        child = start(command, cwd=cwd, environ=environ, record=record, about=about)
        watch = _Watch(trainer, child, kept, log, limits, course, told, clock, private=private)
        try:
            watch.follow()
        finally:
            code = child.stop(grace_s=limits.grace_s)
            if child.process.stdout is not None:
                child.process.stdout.close()
    if code != 0:
        raise watch.failed(code)
    return course


def _opened(log: Path, private: bool) -> BinaryIO:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o666)
    except OSError as problem:
        raise WriteError(f"cannot write {log}: {(problem.strerror or str(problem)).lower()}") from problem
    return os.fdopen(handle, "wb", buffering=0)


class _Watch:
    """Reads what a training prints, and stops waiting when its time is up."""

    def __init__(
        self,
        trainer: Trainer,
        child: Child,
        kept: BinaryIO,
        log: Path,
        limits: Limits,
        course: Course,
        told: Callable[[Course, bool], None],
        clock: Callable[[], float],
        *,
        private: bool,
    ) -> None:
        self._trainer, self._child, self._kept, self._log = trainer, child, kept, log
        self._limits, self._course, self._told, self._clock = limits, course, told, clock
        self._private = private
        self._rest = b""
        self._heard = course.began
        self._tail: list[str] = []

    def follow(self) -> None:
        """Until it has ended, and all is read that it said."""
        output = self._child.process.stdout
        assert output is not None
        handle, ended_at = output.fileno(), math.inf
        with selectors.DefaultSelector() as ready:
            ready.register(handle, selectors.EVENT_READ)
            while True:
                came = ready.select(_TICK_S)
                block = os.read(handle, _BLOCK) if came else None
                self._course.now = self._clock()
                if block == b"":  # it closed its output, which is no end yet
                    ready.unregister(handle)
                self._take(block or b"")
                self._told(self._course, False)
                if self._child.ended():
                    ended_at = min(ended_at, self._course.now)
                    if not block or self._course.now - ended_at > _LAST_WORDS_S:  # a child of its own may talk on
                        self._line(self._rest)
                        return
                self._judge()

    def _take(self, block: bytes) -> None:
        if not block:
            return
        self._heard = self._course.now
        try:
            self._kept.write(block)
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            raise WriteError(f"cannot write {self._log}: {reason}", hint="the training was stopped") from problem
        *lines, self._rest = _LINES.split(self._rest + block)
        self._rest = self._rest[-_MOST_LINE:]
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        text = plain(line.decode("utf-8", "replace"))
        if text.strip():
            self._tail = [*self._tail[1 - _TAIL :], text.rstrip()]
        report = self._trainer.read(text)
        if report is not None and self._course.add(report):
            self._told(self._course, True)

    def _judge(self) -> None:
        """Raise what is a reason to stop it."""
        course, limits = self._course, self._limits
        for name, loss in (("loss", course.loss), ("valid loss", course.valid)):
            if loss is not None and not math.isfinite(loss):
                raise self._error(f"the {name} became {loss:g} at iteration {course.iteration}", "not a number", _NAN)
        if limits.minutes is not None and course.elapsed_s > 60 * limits.minutes:
            left = f"; about {course.left_s / 60:.1f} minutes more were needed" if course.left_s else ""
            reached = f"at iteration {course.iteration:,} of {course.total:,}" if course.total else "before it began"
            raise OutOfTimeError(
                f"the time was up after {limits.minutes:g} minutes, {reached}{left}",
                cause="out of time",
                hint="nothing is kept of it: allow more with --max-minutes, or train fewer iterations",
                log=self._log,
            )
        if course.now - self._heard > 60 * limits.stall_minutes:
            said = f"said nothing for {limits.stall_minutes:g} minutes, and was stopped"
            hint = "is the machine asleep, or short of memory? A slow one wants a larger --stall-minutes"
            raise self._error(f"{self._trainer.kind} {said}", "stalled", hint)

    def failed(self, code: int | None) -> TrainingError:
        """What an exit code means, with what the trainer said last."""
        if code is None:
            return self._error(f"{self._trainer.kind} does not end, even when it is killed", "does not end", "")
        if code < 0:
            why = "out of memory, perhaps: take a smaller batch_size" if code == -9 else "somebody stopped it"
            return self._error(f"{self._trainer.kind} was killed by signal {-code}", "killed", why)
        said = "\n".join(self._tail)
        for pattern, cause, hint in _CAUSES:
            if re.search(pattern, said):
                return self._error(f"{self._trainer.kind} failed: {cause}", cause, hint)
        last = self._tail[-1].strip()[:300] if self._tail else "it said nothing"
        if self._tail and self._private:  # a trainer that fails at a row prints it, and this is read by others
            last = "its rows are private, so what it said is in its log alone"
        return self._error(f"{self._trainer.kind} exited with {code}: {last}", "failed", "")

    def _error(self, message: str, cause: str, hint: str) -> TrainingError:
        hint = f"{hint}; what it said: {self._log}" if hint else f"what it said: {self._log}"
        return TrainingError(message, cause=cause, hint=hint, log=self._log)


_NAN = "take a smaller learning_rate or scale; at the very first, write mask_prompt: false (docs/reference/formats.md)"
_CAUSES = (
    (r"No space left on device|Disk quota exceeded", "the disk is full", "free some space"),
    (
        r"(?i)out of memory|OutOfMemoryError|MemoryError|bad_alloc|Cannot allocate memory|Insufficient Memory",
        "out of memory",
        "take a smaller batch_size, shorter rows (`system: base`) or fewer num_layers",
    ),
    (r"No module named '?\w+", "a package is missing in its Python", "install it there"),
    (
        r"g\+\+|clang(\+\+)?: not found|No C\+\+ compiler|Failed to compile",
        "its kernels could not be compiled",
        "on Linux, mlx needs a C++ compiler: install g++",
    ),
    (r"cannot start .*", "it could not be started", "look at `command` or `python` in the recipe's trainer"),
)
"""What a trainer says when it fails: a pattern, what that means, and what to do."""
