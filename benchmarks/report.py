"""Speed of the report: how long the page of a large run takes to write, and to open in a browser.

    python benchmarks/report.py [--results 20000] [--words 60] [--runs 5] [--phone]

Needs Chromium with its driver (apt-get install chromium chromium-driver). Writing is measured from inside one process,
in CPU seconds and in memory above what the run itself takes. Opening is measured twice: from outside (the command to open
until the browser says that the page is loaded, first painted and its table of cases is there), and by the page's own
clock. Each opening is a new browser with an empty profile. The medians are quoted; nothing is asserted.
"""

import argparse
import dataclasses
import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser import Browser, browser  # noqa: E402
from promptforge.bench.arms import arm_scores  # noqa: E402
from promptforge.bench.compare import compare  # noqa: E402
from promptforge.bench.exports import export  # noqa: E402
from promptforge.bench.report.page import page  # noqa: E402
from promptforge.bench.results import Run  # noqa: E402
from runs import make_run  # noqa: E402  # the folder of the tests has to be known first

WORDS = ("port", "vault", "mini", "the", "house", "answers", "on", "a", "service", "of", "its", "own", "since", "May")
PAINTED = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
SEARCH = """
const box = document.querySelector('#table [name=text]'), said = document.querySelector('#table output');
box.value = arguments[0];
box.dispatchEvent(new Event('input'));
await new Promise((done) => new MutationObserver(done).observe(said, { childList: true, characterData: true, subtree: true }));
return performance.now();
"""


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def large_run(results: int, words: int) -> Run:
    """So many results, with answers of about so many words, and fifty private values."""
    run = make_run(cases=max(1, results * 9 // 20), faults=False)
    chance = random.Random(1)
    replies = []
    for reply in run.replies:
        text = " ".join(chance.choices(WORDS, k=chance.randint(words // 2, words * 3 // 2)))
        answer = reply.answer and dataclasses.replace(reply.answer, text=f"{reply.answer.text} {text}")
        replies.append(dataclasses.replace(reply, answer=answer))
    private = (*run.private_values, *(f"00:00:5E:00:53:{number:02X}" for number in range(0x80, 0xB0)))
    return dataclasses.replace(run, replies=tuple(replies), private_values=private)


def write(run: Run, file: Path) -> None:
    """Write the page and the exports, and say what they took."""
    comparisons = [compare(run, run.arms[0], run, run.arms[1])]
    scores = [arm_scores(run, arm) for arm in run.arms]
    print(f"{len(run.replies):,} results of {len(run.cases):,} cases, {memory_mb():.0f} MB with the run itself")
    print(f"{'':16}{'wall s':>8}{'cpu s':>8}{'MB out':>8}{'+MB':>6}")
    for form in ("html", "junit", "markdown", "json"):
        before, start, cpu = memory_mb(), time.perf_counter(), time.process_time()
        text = page(run, comparisons, scores) if form == "html" else export(run, comparisons, scores, form)
        wall, used = time.perf_counter() - start, time.process_time() - cpu
        size = len(text.encode()) / 1e6
        print(f"{form:16}{wall:8.2f}{used:8.2f}{size:8.1f}{memory_mb() - before:6.0f}")
        if form == "html":
            file.write_text(text, encoding="utf-8")


def open_once(file: Path, last: str, phone: bool) -> dict[str, float]:
    """One cold opening."""
    with browser() as window:
        if phone:
            window.size(390, 844)
            window.devtools("Emulation.setCPUThrottlingRate", rate=4)
        start = time.perf_counter()
        window.open(file)
        if window.run("return document.body.dataset.ready") != "yes":
            raise SystemExit("the page did not come up")
        outside = time.perf_counter() - start
        timing = "const t = performance.getEntriesByType('navigation')[0]; return t."
        found = {
            "open, from outside": outside,
            "loaded, by the page": window.run(f"{timing}loadEventEnd") / 1000,
            "first painted": window.run(PAINTED) / 1000,
        }
        return {**found, "a first search": searched(window, last), "a second search": searched(window, "vault")}


def searched(window: Browser, text: str) -> float:
    """From the key to the new table, the pause for typing included."""
    start = window.run("return performance.now()")
    return (window.run(SEARCH, text) - start) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=20_000)
    parser.add_argument("--words", type=int, default=60, help="of an answer")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--phone", action="store_true", help="a narrow window and a processor slowed down four times")
    arguments = parser.parse_args()
    run = large_run(arguments.results, arguments.words)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        write(run, file)
        opened = [open_once(file, run.cases[-1].id, arguments.phone) for _ in range(arguments.runs)]
    print(f"\n{'':24}{'median s':>10}{'worst s':>10}")
    for name in opened[0]:
        values = [entry[name] for entry in opened]
        print(f"{name:24}{statistics.median(values):10.2f}{max(values):10.2f}")


if __name__ == "__main__":
    main()
