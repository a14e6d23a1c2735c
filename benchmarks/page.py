"""How long a save takes until the page has changed: edits of the example house, seen by a headless Chromium.

    python benchmarks/page.py [--edits 20] [--shots FOLDER]

Each edit changes one fact that seven of the nine agents are given. The time runs from just before the file is written
until the browser has put the new prompt into the page (a MutationObserver says so), and, apart, until "this edit" is
there with facts, agents and cases. Both clocks are this machine's.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import Browser, browser  # noqa: E402
from waiting import until  # noqa: E402

FACT = "knowledge/ports.yaml", "port: 5432", "port: 5434"
WATCH = """
window.shown = 0; window.told = 0;
new MutationObserver(() => { window.shown ||= Date.now(); }).observe(document.getElementById('lines'), {childList: true});
new MutationObserver(() => { if (document.getElementById('edit').getAttribute('aria-busy') === 'false') window.told ||= Date.now(); })
  .observe(document.getElementById('differs'), {childList: true});
"""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edits", type=int, default=20)
    parser.add_argument("--shots", type=Path, help="also take screenshots into this folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser() as window:
        root = Path(folder) / "house"
        for name in ("agents", "fewshot", "knowledge", "suites"):
            shutil.copytree(ROOT / name, root / name)
        shutil.copy(ROOT / "promptforge.yaml", root)
        process, address = watch(root, Path(folder) / "err")
        try:
            show(window, address)
            shown, told = zip(*(edit(window, root, number) for number in range(asked.edits)), strict=True)
            if asked.shots:
                shots(window, asked.shots)
        finally:
            process.kill()
            process.wait()
    print(f"{asked.edits} edits of one fact, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, taken in (("save to prompt", shown), ("save to this edit", told)):
        p95 = sorted(taken)[max(0, round(0.95 * len(taken)) - 1)]
        print(f"{name}: median {statistics.median(taken):.0f} ms, p95 {p95:.0f} ms, worst {max(taken):.0f} ms")


def watch(root: Path, err: Path) -> "tuple[subprocess.Popen[bytes], str]":
    """The command, watching, and the address of its page."""
    environ = {
        name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    }
    command = [sys.executable, "-m", "promptforge", "build", "--open"]
    with err.open("wb") as stream:
        process = subprocess.Popen(command, cwd=root, env=environ, stdout=subprocess.DEVNULL, stderr=stream)
    until(lambda: process.poll() is not None or "watching for changes" in err.read_text())
    found = re.search(r"http://\S+", err.read_text())
    assert found, err.read_text()
    return process, found[0]


def show(window: Browser, address: str) -> None:
    """The page, with an agent that is given the fact."""
    window.size(1280, 900)
    window.visit(address)
    until(lambda: window.run("return Boolean(state.changes && !busy())"))
    window.run("document.querySelector('[data-agent=windu]').click()")
    until(lambda: window.run("return state.prompt?.agent === 'windu'"))
    window.run(WATCH)
    time.sleep(1)


def edit(window: Browser, root: Path, number: int) -> tuple[float, float]:
    """One edit, or back: milliseconds until the prompt is in the page, and until the edit is told."""
    file, one, other = FACT
    before, after = (one, other) if number % 2 == 0 else (other, one)
    text = (root / file).read_text(encoding="utf-8").replace(before, after)
    window.run("window.shown = window.told = 0")
    written = time.time()
    (root / file).write_text(text, encoding="utf-8")
    until(lambda: window.run("return Boolean(window.shown && window.told)"))
    shown, told = window.run("return [window.shown, window.told]")
    time.sleep(0.7)  # a hand is no quicker
    return shown - 1000 * written, told - 1000 * written


def shots(window: Browser, folder: Path) -> None:
    """As a desk sees it, dark and light, and a phone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, width, dark in (("dark", 1280, True), ("light", 1280, False), ("phone", 390, False)):
        window.size(width, 900)
        window.dark(dark)
        time.sleep(0.3)
        window.screenshot(folder / f"{name}.png")


if __name__ == "__main__":
    main()
