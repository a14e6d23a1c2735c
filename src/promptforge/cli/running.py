"""What a command that takes long needs: the first Ctrl-C ends it with what there is, and a line says how far it is."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptforge.bench.run import Progress
    from promptforge.trainers.running import Course

__all__ = ["TrainingLine", "breakable", "interrupts", "shown", "training_shown"]


@contextmanager
def interrupts(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C, or a SIGTERM, ends the run with what there is; the second one ends the process."""

    def first(*_: object) -> None:
        stop.set()
        for kind in kinds:
            signal.signal(kind, signal.default_int_handler)

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, first) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


@contextmanager
def shown(progress: "Progress") -> Iterator[None]:
    """A line that says how far it is, on a terminal."""
    from promptforge.console.sending import progress_line

    if not sys.stderr or not sys.stderr.isatty():
        yield
        return
    over = threading.Event()

    def show() -> None:
        while not over.wait(0.2):
            sys.stderr.write(f"\r\x1b[2K{progress_line(progress)}")
            sys.stderr.flush()

    shower = threading.Thread(target=show, daemon=True)
    shower.start()
    try:
        yield
    finally:
        over.set()
        shower.join()
        sys.stderr.write("\r\x1b[2K")


@contextmanager
def breakable() -> Iterator[None]:
    """While a trainer runs: a SIGTERM, or a terminal that goes away, is a Ctrl-C, and the trainer is stopped, too."""
    kinds = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGHUP] if sys.platform != "win32" else [])
    before = [signal.signal(kind, signal.default_int_handler) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


class TrainingLine:
    """On a terminal a line that is written over; elsewhere a line whenever a loss is said."""

    def __init__(self) -> None:
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._said = (0.0, 0.0)

    def __call__(self, course: "Course", news: bool) -> None:
        """Show how far it is."""
        from promptforge.console.terminal import status
        from promptforge.console.train import course_line

        if self._live:
            sys.stderr.write(f"\r\x1b[2K{course_line(course)}")
            sys.stderr.flush()
        elif news and self._said != (said := (course.loss or 0.0, course.valid or 0.0)):
            self._said = said
            status(course_line(course))

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self._live:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


@contextmanager
def training_shown() -> Iterator["TrainingLine"]:
    """The line of a training while the `with` lasts."""
    progress = TrainingLine()
    try:
        yield progress
    finally:
        progress.end()
