"""Two processes do what one does: the same bytes, reports and diagnostics, whatever becomes of the second one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from processes import children
from promptforge.artifact import prompts_text
from promptforge.compiler import agents, parallel
from promptforge.compiler.build import Build, compile_project
from promptforge.compiler.parallel import shared
from promptforge.files import Tree
from promptforge.lock import lock_text
from strategies import TODAY, Spec, projects, tree_of, tries

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork for any number of agents, although the runner of these tests has threads."""
    _fork_always(monkeypatch)


def _fork_always(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parallel, "FEWEST", 1)
    patch.setattr(parallel, "is_safe", lambda: True)


def _shown(build: Build) -> list[Any]:
    """All that anybody sees of a build."""
    prompts = prompts_text(build.artifact)
    lock = lock_text(build.artifact, output="o", prompts=prompts)
    made = {name: (one.prompt, one.lock) for name, one in build.texts.items()}
    broken = [entry.broken for entry in build.artifact.entries.values()]
    return [prompts, lock, made, broken, build.diagnostics, dict(build.readings), build.tokenizer_files]


def _both(tree: Tree, *, thorough: bool = False) -> tuple[list[Any], list[Any]]:
    """What one process and what two make of a project; of the second one all that it can take."""
    alone = compile_project(tree, today=TODAY, texts=True, thorough=thorough)
    with pytest.MonkeyPatch.context() as patch:
        _fork_always(patch)
        patch.setattr(agents, "shared", _the_other_first)
        together = compile_project(tree, today=TODAY, texts=True, thorough=thorough)
    return _shown(alone), _shown(together)


def _the_other_first(count: int, work: Any) -> Any:
    """As `shared`, but this process takes nothing while the other can have it: the last numbers, or all of them."""

    class Late:
        def __enter__(self) -> Any:
            self.inner = shared(count, work)
            numbers, result = self.inner.__enter__()
            first = [number for number in [next(numbers, None)] if number is not None]
            return iter(first), result

        def __exit__(self, *raised: Any) -> None:
            self.inner.__exit__(*raised)

    return Late()


@tries(40)
@given(projects())
def test_two_processes_make_what_one_makes(spec: Spec) -> None:
    """Prompts, locks, diagnostics, readings and the agents' parts are the same."""
    alone, together = _both(tree_of(spec))
    assert together == alone


AGENT = "name: {name}\npersona: P\nsections:\n- persona\n- {{table: zoo}}\n- {{fewshot: 9}}\n"
BROKEN = (
    "examples:\n- id: one\n  user: '{{ zoo.x.id }} for {{ agent.name }}'\n  assistant: a\n"
    "- id: two\n  user: '{{ zoo.nobody }}'\n  assistant: a\n"
)
SOUND = "examples:\n- id: one\n  user: '{{ zoo.x.id }} for {{ agent.name }}'\n  assistant: '{{ zoo.y.id }}'\n"


OF_AGENT = "examples:\n- id: one\n  user: '{{ zoo[agent.name].id }}'\n  assistant: a\n"
"""Fails for the first agent, and so for all, although it would not for the others."""


@pytest.mark.parametrize(
    ("examples", "model"), [(OF_AGENT, ""), (BROKEN, ""), (SOUND, ""), (SOUND, "model: m\n"), (SOUND, "nope: 1\n")]
)
def test_what_is_wrong_is_said_as_by_one(examples: str, model: str) -> None:
    """A text that fails, an unknown tokenizer, an empty section and a wrong file: each said once, the same agents."""
    files = {
        "promptforge.yaml": "name: n\nmodels: {m: {backend: replay, tokenizer: 'hf:none/such', tier: local}}\n",
        "knowledge/k.yaml": "zoo:\n- id: x\n- id: y\n" + "".join(f"- id: a{n}\n" for n in range(1, 9)),
        "fewshot/e.yaml": examples,
        **{f"agents/a{n}.yaml": AGENT.format(name=f"a{n}") + (model if n > 4 else "") for n in range(9)},
    }
    tree = Tree(root=Path(), files={path: text.encode() for path, text in files.items()})
    alone, together = _both(tree, thorough=True)
    assert together == alone


def test_what_the_second_process_did_not_do_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process that fails costs time, and nothing else."""
    files = {
        "promptforge.yaml": "name: n\n",
        "knowledge/k.yaml": "zoo:\n- id: x\n- id: y\n",
        "fewshot/e.yaml": SOUND,
        **{f"agents/a{n}.yaml": AGENT.format(name=f"a{n}") for n in range(9)},
    }
    monkeypatch.setattr(agents, "_plain", _no_process)
    alone, together = _both(Tree(root=Path(), files={path: text.encode() for path, text in files.items()}))
    assert together == alone


# --- the second process ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("forked")
def test_each_number_is_done_once() -> None:
    """By the one or by the other."""
    for count in (1, 2, 249, 250, 251, 1000):
        with shared(count, list) as (numbers, result):
            own = list(numbers)
            assert sorted(own + result()) == list(range(count))


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("end", ["raise", "kill", "leave", "no data"])
def test_a_second_process_that_fails_hands_nothing_back(end: str, capfd: pytest.CaptureFixture[str]) -> None:
    """It raises, is killed, leaves, or returns what cannot be handed back: no result, no word, and no waiting."""

    def work(numbers: Iterator[int]) -> object:
        if end == "raise":
            raise RuntimeError
        if end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if end == "leave":
            os._exit(3)
        return object()

    with shared(5, work) as (numbers, result):
        list(numbers)
        assert result() is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("forked")
def test_the_second_process_ends_with_the_block() -> None:
    """Whoever leaves before the result leaves no process behind, however long that would have worked."""

    def work(numbers: Iterator[int]) -> object:
        time.sleep(600)

    before = children()

    def interrupted() -> None:
        with shared(5, work):
            assert children() > before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert children() <= before


def test_the_second_process_ends_when_the_first_is_killed(tmp_path: Path) -> None:
    """It looks who its parent is before each number."""
    script = """
import os, signal, sys, time
from promptforge.compiler import parallel
parallel.FEWEST, parallel.is_safe = 1, lambda: True
def work(numbers):
    print(os.getpid(), flush=True)
    for number in numbers:
        time.sleep(0.05)
with parallel.shared(100000, work) as (numbers, result):
    time.sleep(600)
"""
    first = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert first.stdout is not None
    with first, first.stdout:
        second = int(first.stdout.readline())
        first.kill()
        assert first.stdout.read() == b""  # the end comes when nobody holds it open any more
    with pytest.raises(ProcessLookupError):
        _wait_until_gone(second)


def _wait_until_gone(process: int) -> None:
    for _ in range(600):
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # nobody has taken its exit code yet
            raise ProcessLookupError
        time.sleep(0.05)


@pytest.mark.parametrize("lack", ["agents", "threads", "processors", "linux", "fork"])
def test_one_process_does_it_all_where_a_fork_does_not_pay(lack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few agents, another thread, one processor, another system, or no process to be had."""
    monkeypatch.setattr(parallel, "FEWEST", 6 if lack == "agents" else 1)
    if lack != "threads":  # the runner of these tests has some
        monkeypatch.setattr(parallel.Path, "iterdir", lambda self: iter([self]))
    if lack == "threads":
        monkeypatch.setattr(parallel.Path, "iterdir", lambda self: iter([self, self]))
    if lack == "processors":
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    else:
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    if lack == "linux":
        monkeypatch.setattr(sys, "platform", "darwin")
    if lack == "fork":
        monkeypatch.setattr(os, "fork", _no_process)
    with shared(5, list) as (numbers, result):
        assert list(numbers) == list(range(5))
        assert result() is None


def _no_process(*_: object) -> int:
    raise BlockingIOError(11, "Resource temporarily unavailable")
