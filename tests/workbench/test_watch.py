"""Saves, as the watcher counts them."""

import threading
import time
from queue import Empty, SimpleQueue

import pytest

from promptforge.workbench.watch import saves


@pytest.fixture
def turns(tmp_path):
    """The turns of a watched folder, taken by a thread that ends with the test."""
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "build").mkdir()
    taken, go, over = SimpleQueue(), threading.Semaphore(0), threading.Event()

    def take():
        for first in saves(tmp_path):
            taken.put(first)
            go.acquire()
            if over.is_set():
                return

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    assert taken.get(timeout=10) is None
    time.sleep(0.3)  # the first build
    yield taken, go
    over.set()
    go.release()
    (tmp_path / "promptforge.yaml").write_text("name: over\n")
    thread.join(10)


def test_a_save_during_a_build_is_not_lost(turns, tmp_path):
    """It has a turn when the build is done, and several of them have one together, with the names of their files."""
    taken, go = turns
    for number in range(3):
        (tmp_path / "knowledge/house.yaml").write_text(f"hosts: {{mini: {{port: {number}}}}}\n")
        (tmp_path / "promptforge.yaml").write_text(f"name: hut {number}\n")
        time.sleep(0.15)
    assert taken.empty()
    go.release()
    assert taken.get(timeout=10) == ("knowledge/house.yaml", "promptforge.yaml")
    go.release()
    with pytest.raises(Empty):
        taken.get(timeout=0.4)


def test_what_a_build_writes_is_no_save(turns, tmp_path):
    """Only the project's own files count."""
    taken, go = turns
    go.release()
    (tmp_path / "build/agent_prompts.yaml").write_text("{}\n")
    (tmp_path / "knowledge/notes.txt").write_text("mine\n")
    with pytest.raises(Empty):
        taken.get(timeout=0.5)
    (tmp_path / "knowledge/house.yaml").write_text("hosts: {}\n")
    assert taken.get(timeout=10) == ("knowledge/house.yaml",)


def test_a_folder_that_is_gone_is_said(tmp_path):
    """What the watcher complains of reaches whoever waits."""
    waiting = saves(tmp_path / "none")
    assert next(waiting) is None
    with pytest.raises(FileNotFoundError):
        next(waiting)
