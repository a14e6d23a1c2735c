"""`build --watch --open`: the page from the start of the watching to its end."""

import datetime
import html
import os
import secrets
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from promptforge.errors import WriteError
from promptforge.page.hub import Hub
from promptforge.page.live import Live
from promptforge.page.server import Server
from promptforge.workbench.disk import private_folder

__all__ = ["open_page"]

_FOLDER = "page"
_STALE_S = 3600.0
"""A door this old has been gone through; where its page was killed, nobody else clears it away."""
_DOOR = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}"><title>promptforge</title></head>
<body><a href="{address}">to the page</a></body></html>
"""


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
    door: Path | None = None
    try:
        if has_browser(environ):
            with suppress(WriteError, OSError):  # then the address is opened by hand: it is printed
                door = make_door(root, server.guard.address)
                threading.Thread(target=webbrowser.open, args=(door.as_uri(),), name="browser", daemon=True).start()
        yield live, server.guard.address
    finally:
        live.close()
        server.close()
        _clear(door)


def make_door(root: Path, address: str) -> Path:
    """A file that leads a browser to the page. Raises WriteError or OSError where it cannot be written.

    Whatever is on a browser's command line can be read by everybody on this machine, so the address must not be there:
    the name of the file is, and only its owner can read what it holds.
    """
    folder = private_folder(root.resolve()) / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink():
        raise NotADirectoryError(folder)  # what it leads to is not ours to close or to clear
    folder.chmod(0o700)
    for old in folder.glob("door-*.html"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > _STALE_S:
                old.unlink()
    path = folder / f"door-{secrets.token_urlsafe(16)}.html"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_DOOR.format(address=html.escape(address)))
    except BaseException:
        _clear(path)
        raise
    return path


def _clear(door: Path | None) -> None:
    if door is not None:
        with suppress(OSError):
            door.unlink()


def has_browser(environ: Mapping[str, str]) -> bool:
    """Whether a browser with a window may be started: one in the terminal would take it from the watcher."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME"))
