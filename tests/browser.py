"""A headless Chromium, driven through the WebDriver protocol of its own chromedriver: the standard library is enough."""

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)

CONTRAST = """
const light = (c) => { const [r, g, b] = c.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3); }
  return [255, 255, 255]; };
const bad = [];
for (const e of document.querySelectorAll('main *, nav *, footer *')) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || e.closest('svg, .unseen, :disabled, option') || !e.getClientRects().length) continue;
  const [a, b] = [light(parse(getComputedStyle(e).color).slice(0, 3)), light(ground(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) bad.push([e.tagName, e.className, e.textContent.slice(0, 30), ratio]);
}
return bad;
"""
"""The texts of a page that stand less than 4.5 to 1 against their ground (WCAG AA)."""


class Browser:
    """One window."""

    def __init__(self, address: str, session: str) -> None:
        self._address = f"{address}/session/{session}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One command of the protocol."""
        return _send(method, self._address + path, body)

    def open(self, file: Path) -> None:
        """Load a file."""
        self.call("POST", "/url", {"url": file.as_uri()})

    def visit(self, address: str) -> None:
        """Load a page from a server."""
        self.call("POST", "/url", {"url": address})

    def run(self, script: str, *arguments: object) -> Any:
        """The value that a script returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command: str, **parameters: object) -> Any:
        """One command of the DevTools protocol."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def press(self, key: str, times: int = 1) -> None:
        """Press a key of the keyboard."""
        actions = [{"type": kind, "value": key} for _ in range(times) for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def size(self, width: int, height: int) -> None:
        """The size of the page itself, as of a phone where it is narrow."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def dark(self, on: bool) -> None:
        """What the system prefers: dark or light."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def scripts(self, on: bool) -> None:
        """Whether pages may run scripts."""
        self.devtools("Emulation.setScriptExecutionDisabled", value=not on)

    def screenshot(self, file: Path, *, whole: bool = True) -> None:
        """The page as a PNG, whole or as much as is seen."""
        taken = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        file.write_bytes(base64.b64decode(taken["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def log(self) -> list[str]:
        """What the browser complained of since the last call."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser that ends with the block."""
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("google-chrome")
    if not driver or not chromium:
        raise RuntimeError("no Chromium here: apt-get install chromium chromium-driver")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [driver, f"--port={port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": profile},
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _ready(address, process)
            options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={profile}/profile"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            session = _send("POST", f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
            try:
                yield Browser(address, session)
            finally:
                _send("DELETE", f"{address}/session/{session}")
        finally:
            process.terminate()
            process.wait(10)


def _ready(address: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            if _send("GET", f"{address}/status")["ready"]:
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("chromedriver did not start")


def _send(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if method in ("GET", "DELETE") else json.dumps(body or {}).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as response:
            return json.load(response)["value"]
    except urllib.error.HTTPError as problem:
        with problem:
            raise RuntimeError(f"{method} {url}: {problem.read().decode()[:2000]}") from None
