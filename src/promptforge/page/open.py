"""`build --watch --open`: the page from the start of the watching to its end."""

import datetime
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from promptforge.page.hub import Hub
from promptforge.page.live import Live
from promptforge.page.server import Server

__all__ = ["open_page"]


@contextmanager
def open_page(
    root: Path,
    *,
    today: Callable[[], datetime.date],
    clock: Callable[[], datetime.datetime],
    environ: Mapping[str, str],
    partly: bool = False,
) -> Iterator[tuple[Live, str]]:
    """The page's state, to be told of each build, and its address. A browser is opened where there is one.

    Raises ExtraMissingError when starlette or uvicorn is not installed.
    """
    hub = Hub()
    live = Live(root, hub, today=today, clock=clock, partly=partly)
    server = Server(root, live, hub, today=today, environ=environ)
    try:
        if has_browser(environ):
            first = server.guard.first_address
            threading.Thread(target=webbrowser.open, args=(first,), name="browser", daemon=True).start()
        yield live, server.guard.address
    finally:
        live.close()
        server.close()


def has_browser(environ: Mapping[str, str]) -> bool:
    """Whether a browser with a window may be started: one in the terminal would take it from the watcher."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME"))
