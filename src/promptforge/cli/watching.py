"""`build --watch` and `--open`: a turn for the first build, and one for each save, until Ctrl-C."""

import datetime
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from promptforge.cli.options import today

if TYPE_CHECKING:
    from promptforge.compiler.build import Build
    from promptforge.console.watching import Saves
    from promptforge.page.live import Live
    from promptforge.workbench.forge import Report

    Make = Callable[[], tuple[Report, Build | None]]
    Show = Callable[[Report, Build | None], int]

__all__ = ["watch_until_stopped"]


def watch_until_stopped(root: Path, *, opening: bool, partly: bool, make: "Make", show: "Show") -> int:
    """Build with `make` after each save. `show` prints a whole build; `opening` shows all of it on a page, too.

    Ctrl-C is its usual end, and still has the exit code of what was interrupted.
    """
    from promptforge.console.terminal import status

    try:
        return _watch_on_a_page(root, partly, make, show) if opening else _watch(root, None, make, show)
    except KeyboardInterrupt:
        status("stopped")
        return 130


def _watch_on_a_page(root: Path, partly: bool, make: "Make", show: "Show") -> int:
    from promptforge.console.terminal import status
    from promptforge.page.open import open_page

    with open_page(root, today=today, clock=datetime.datetime.now, environ=os.environ, partly=partly) as page:
        live, address = page
        status(f"the page, for this machine alone: {address}")
        return _watch(root, live, make, show)


def _watch(root: Path, live: "Live | None", make: "Make", show: "Show") -> int:
    from promptforge.console.terminal import painter, print_error, print_text, status
    from promptforge.console.watching import Saves
    from promptforge.errors import PromptforgeError
    from promptforge.workbench.watch import saves

    shown = Saves()
    for saved in saves(root):
        if saved:
            print_text(shown.head(saved, datetime.datetime.now(), painter()))
        try:
            report, made = make()
            if live is not None:
                live.built(report, made)
            _show_turn(shown, report, made, show)
        except PromptforgeError as problem:
            if live is not None:
                live.failed(problem)
            shown.failed()
            print_error(problem)
        if live is None:  # the page collects when it has shown everything
            gc.collect()  # the one command that stays
        if saved is None:
            status("watching for changes; Ctrl-C ends it")
    return 0


def _show_turn(shown: "Saves", report: "Report", made: "Build | None", show: "Show") -> None:
    """The whole of the first build and of one with errors; of the others what the save changed."""
    from promptforge.console import diagnostics
    from promptforge.console.terminal import painter, print_text, status

    failed = made is not None and bool(made.errors)
    print_text("" if failed else shown.mended(painter()))
    if shown.whole or failed:
        show(report, made)
    else:
        if made is not None and (news := shown.news(report.diagnostics)):
            line = diagnostics.masked(report.diagnostics, made.source_line)
            status(f"{diagnostics.as_text(news, line, painter(sys.stderr))}\n{diagnostics.counts(news)}")
        print_text(shown.text(report, painter()))
    shown.built(report, failed=failed)
