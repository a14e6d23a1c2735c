"""A counter that another process loads counts as one that is loaded here, whatever becomes of that process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from processes import children
from promptforge.compiler import ahead
from promptforge.compiler.ahead import counted_ahead
from promptforge.tokens import load_counter, load_tokenizer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")

TEXTS = ["", "port 1337 is LEET", "| 1337 | LEET |\n| 1338 | LEET+1 |\n", "Grüße, 東京 🎉\r\n\n  x", "a" * 300_000]


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork, although the runner of these tests has threads."""
    monkeypatch.setattr(ahead, "is_safe", lambda: True)


def test_it_counts_as_one_that_is_loaded_here() -> None:
    """In two encodings at once, and texts longer than a pipe holds."""
    with counted_ahead(["o200k_base", "cl100k_base"]) as counters:
        for encoding, count in counters.items():
            own = load_counter(encoding)
            assert [count(text) for text in TEXTS] == [own(text) for text in TEXTS]
        assert list(counters) == ["o200k_base", "cl100k_base"]


def test_a_tokenizer_takes_a_counter_that_is_given(tmp_path: Path) -> None:
    """And of an encoding that is not given it loads its own."""
    given = load_tokenizer("tiktoken:o200k_base", root=tmp_path, counters={"o200k_base": lambda text: 7})
    other = load_tokenizer("tiktoken:cl100k_base", root=tmp_path, counters={"o200k_base": lambda text: 7})
    assert (given.count("port"), other.count("port")) == (7, 1)


@pytest.mark.parametrize("when", ["before", "between"])
def test_the_count_is_the_same_when_the_process_dies(when: str) -> None:
    """What it did not count is counted here."""
    with ahead._started(["o200k_base"]) as forks:
        fork = forks["o200k_base"]
        if when == "between":
            assert fork.count("port 1337") == load_counter("o200k_base")("port 1337")
        os.kill(fork._child, signal.SIGKILL)
        assert [fork.count(text) for text in TEXTS] == [load_counter("o200k_base")(text) for text in TEXTS]


def test_no_process_is_left() -> None:
    """However the block is left, also while the vocabulary still loads."""
    before = children()

    def interrupted() -> None:
        with counted_ahead(["o200k_base"]):
            assert children() > before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert children() <= before


def test_the_process_ends_when_the_first_is_killed() -> None:
    """Nobody asks it any more."""
    script = """
import time
from promptforge.compiler import ahead
ahead.is_safe = lambda: True
with ahead._started(["o200k_base"]) as forks:
    print(forks["o200k_base"]._child, flush=True)
    time.sleep(600)
"""
    first = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert first.stdout is not None
    with first, first.stdout:
        second = int(first.stdout.readline())
        first.kill()
        assert first.stdout.read() == b""  # the end comes when nobody holds it open any more
    for _ in range(600):
        if not Path(f"/proc/{second}").exists() or ") Z " in Path(f"/proc/{second}/stat").read_text():
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


@pytest.mark.parametrize("lack", ["safety", "processes"])
def test_without_a_fork_there_is_no_counter(lack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then each is loaded when it is needed."""

    def refuse() -> int:
        raise BlockingIOError

    if lack == "safety":
        monkeypatch.setattr(ahead, "is_safe", lambda: False)
    else:
        monkeypatch.setattr(os, "fork", refuse)
    with counted_ahead(["o200k_base"]) as counters:
        assert counters == {}
