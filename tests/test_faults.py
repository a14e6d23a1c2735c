"""Nothing is lost: real processes, killed, interrupted, run at once, out of disk, or with nowhere to write."""

import contextlib
import fcntl
import functools
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from promptforge.artifact import prompts_text
from promptforge.cli.main import promptforge
from promptforge.compiler.build import compile_project
from promptforge.compiler.load import read_project
from promptforge.lock import read_artifact
from strategies import TODAY

_PROMPTS, _LOCK, _COMMITTED = "build/agent_prompts.yaml", "build/agent_prompts.lock.json", "promptforge.lock"


def _project(root: Path) -> Path:
    """A project with a few agents, a private fact, and enough rows for a file of some size."""
    ports = [f"  - {{host: mini, port: {port}, service: Service {port}}}" for port in range(2000, 2150)]
    files = {
        "promptforge.yaml": "name: hut\nbudget: 50000\n",
        "knowledge/a.yaml": "hosts:\n  mini: {role: hub}\n  den: {role: den, sensitivity: private}\n",
        "knowledge/ports.yaml": "\n".join(["ports:", "  - {host: mini, port: 1337, codename: first}", *ports]) + "\n",
        "fewshot/a.yaml": "examples:\n  - {id: a, user: Who?, assistant: \"{{ ports['mini:1337'].host }}.\"}\n",
        **{f"agents/a{n}.yaml": f"name: a{n}\nprivacy: local\npersona: |\n  You are a{n}.\n" for n in range(4)},
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def _edit(root: Path, service: str, file: str = "knowledge/ports.yaml") -> bytes:
    """Save the project with another service of one port, at once as editors do; what it then compiles to."""
    path = root / file
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[1] = f"  - {{host: mini, port: 1337, codename: first, service: {service}}}"
    temporary = path.with_suffix(".saving")
    temporary.write_text("\n".join(lines), encoding="utf-8")
    temporary.replace(path)
    return _compiled(root)


def _compiled(root: Path) -> bytes:
    build = compile_project(read_project(root), today=TODAY)
    assert not build.errors
    return prompts_text(build.artifact).encode()


def _command(root: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "promptforge", "-C", str(root), *arguments]


def _run(root: Path, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(_command(root, *arguments), capture_output=True, text=True, check=False, **more)


def _here(root: Path, *arguments: str) -> None:
    """The command in this process, which is quicker, where it must simply work."""
    done = CliRunner().invoke(promptforge, ["-C", str(root), *arguments], standalone_mode=False)
    assert (done.exception, done.return_value, done.stderr) == (None, 0, "")


def _build(root: Path) -> None:
    _here(root, "build")


def _outputs(root: Path) -> Mapping[str, bytes]:
    return {name: (root / name).read_bytes() for name in (_PROMPTS, _LOCK, _COMMITTED)}


def _check_whole(root: Path) -> None:
    """Artifact and lock belong together, are for the owner alone, and nothing else lies about."""
    read_artifact((root / _PROMPTS).read_bytes(), (root / _LOCK).read_bytes())
    assert (root / _LOCK).stat().st_mode & 0o077 == 0
    assert (root / _PROMPTS).stat().st_mode & 0o077 == 0
    left_over = [p.name for p in root.rglob("*") if "tmp" in p.name or p.name == "pending.json"]
    assert left_over == []
    assert sorted(p.name for p in (root / "build").iterdir()) == ["agent_prompts.lock.json", "agent_prompts.yaml"]


def _check_after_a_fault(root: Path, old: bytes, new: bytes, revert: Callable[[], bytes] | None = None) -> None:
    """What a broken off build leaves: old or new, never both; the next command reads it, the next build cleans up."""
    assert (root / _PROMPTS).read_bytes() in (old, new)
    _here(root, "diff")
    assert (root / _PROMPTS).read_bytes() in (old, new)
    read_artifact((root / _PROMPTS).read_bytes(), (root / _LOCK).read_bytes())
    wanted = revert() if revert else new
    _build(root)
    assert (root / _PROMPTS).read_bytes() == wanted
    _check_whole(root)


# --- kill -9 ----------------------------------------------------------------------------------------------------------


def test_a_kill_at_any_moment_leaves_one_build(tmp_path: Path) -> None:
    """Kill -9 at moments spread over the run: the artifact is the old or the new one, and the next build is whole."""
    root = _project(tmp_path)
    _build(root)
    rng = random.Random(26)
    old = _edit(root, "Timed")
    started = time.monotonic()
    assert _run(root, "build").returncode == 0
    whole_run = time.monotonic() - started
    for number in range(12):
        new = _edit(root, f"Kill {number}")
        process = subprocess.Popen(_command(root, "build"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole_run * (number + rng.random()) / 12)
        process.kill()
        process.wait()
        _check_after_a_fault(root, old, new)
        old = new


_AT_OPERATION = """
import os, signal, sys
left, root, number = int(sys.argv.pop(1)), sys.argv[2], int(sys.argv.pop(3))
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def hook(event, args):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod") and str(args[0]).startswith(root):
        if event != "open" or args[2] & WRITES:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), number)
sys.addaudithook(hook)
from promptforge.cli.main import main
main()
"""
"""`promptforge` that gets a signal right before it changes something in the project's folder for the nth time."""


def _signalled(root: Path, operation: int, number: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", _AT_OPERATION, str(operation), "-C", str(root), str(int(number)), "build"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("reverted", [False, True], ids=["kept", "reverted"])
def test_a_kill_before_any_operation_leaves_one_build(tmp_path: Path, *, reverted: bool) -> None:
    """Killed right before each change of a file: old or new, and the next build cleans up, also after an undo."""
    root = _project(tmp_path)
    old = _edit(root, "Old")
    _build(root)
    for operation in range(1, 60):
        new = _edit(root, f"Kill {operation}")
        done = _signalled(root, operation, signal.SIGKILL)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        _check_after_a_fault(root, old, new, functools.partial(_edit, root, "Old") if reverted else None)
        old = old if reverted else new
    else:
        raise AssertionError("the build never ends")
    assert operation > 8


def test_a_first_build_that_is_killed_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    """Before there was any build, a kill leaves nothing that could be taken for one."""
    for operation in range(1, 60, 2):
        root = _project(tmp_path / str(operation))
        new = _compiled(root)
        done = _signalled(root, operation, signal.SIGKILL)
        if (root / _PROMPTS).exists():
            assert (root / _PROMPTS).read_bytes() == new
        _build(root)
        assert (root / _PROMPTS).read_bytes() == new
        _check_whole(root)
        if done.returncode == 0:
            return
    raise AssertionError("the build never ends")


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


def test_an_interrupt_leaves_one_build_and_says_so(tmp_path: Path) -> None:
    """Ctrl-C right before any change of a file: exit code 130, one word, and the old build or the new one."""
    root = _project(tmp_path)
    old = _edit(root, "Old")
    _build(root)
    for operation in range(1, 60):
        new = _edit(root, f"Interrupt {operation}")
        done = _signalled(root, operation, signal.SIGINT)
        if done.returncode == 0 and "interrupted" not in done.stderr:
            break
        assert (done.returncode, done.stderr.strip()) == (130, "interrupted")
        _check_after_a_fault(root, old, new, functools.partial(_edit, root, "Old"))
    else:
        raise AssertionError("the build never ends")


def test_an_interrupt_while_waiting_for_another_build(tmp_path: Path) -> None:
    """Ctrl-C ends a build that waits for another one to be done: exit code 130, and nothing is touched."""
    root = _project(tmp_path)
    _build(root)
    before = _outputs(root)
    _edit(root, "New")
    with (root / ".promptforge/lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = subprocess.Popen(_command(root, "build"), stderr=subprocess.PIPE, text=True)
        _until(lambda: _holds_open(waiting.pid, root / ".promptforge/lock"))
        time.sleep(1)  # time enough for a whole build, did it not wait
        assert waiting.poll() is None
        waiting.send_signal(signal.SIGINT)
        assert waiting.communicate(timeout=30)[1].strip() == "interrupted"
        assert waiting.returncode == 130
    assert _outputs(root) == before


def _holds_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open; where the system does not tell, it gets a second to do so."""
    folder = Path(f"/proc/{pid}/fd")
    if not folder.exists():
        time.sleep(1)
        return True
    with contextlib.suppress(OSError):
        return any(Path(link).resolve() == path.resolve() for link in folder.iterdir())
    return False


def _until(seen: Callable[[], bool], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not seen():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


# --- two at once ------------------------------------------------------------------------------------------------------


def test_two_builds_at_once_never_mix(tmp_path: Path) -> None:
    """Whatever two processes do at once, the artifact is one of the builds, and in the end that of the last save."""
    root = _project(tmp_path)
    allowed = [_edit(root, "Start")]
    _build(root)
    rng = random.Random(7)
    for number in range(6):
        processes = []
        for side in ("one", "other"):
            allowed.append(_edit(root, f"Round {number} {side}"))
            processes.append(
                subprocess.Popen(_command(root, "build"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            )
            time.sleep(rng.random() * 0.4)
        while any(process.poll() is None for process in processes):
            assert (root / _PROMPTS).read_bytes() in allowed
        assert [(process.wait(), process.communicate()[1]) for process in processes] == [(0, b"")] * 2
        assert (root / _PROMPTS).read_bytes() == allowed[-1]
        _check_whole(root)
        allowed = allowed[-1:]


# --- a full disk ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_cannot_grow_keeps_the_old_build(tmp_path: Path, share: float) -> None:
    """Where a write stops short, the message says what and why, and every file is as it was."""
    root = _project(tmp_path)
    _edit(root, "Old")
    _build(root)
    before = _outputs(root)
    new = _edit(root, "New " + "and longer " * 50)
    limit = int(len(before[_PROMPTS]) * share)
    done = _run(root, "build", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: cannot write {root}/")
    assert ": file too large\n  hint: " in done.stderr
    assert "the previous build is intact" in done.stderr
    assert _outputs(root) == before
    _check_whole(root)
    _build(root)
    assert (root / _PROMPTS).read_bytes() == new


_ON_A_FULL_DISK = """
import subprocess, sys
from pathlib import Path
root, disk = Path(sys.argv[1]), Path(sys.argv[1]) / "disk"
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=True)
build = [sys.executable, "-m", "promptforge", "-C", str(root), "build", "--output", "disk/prompts.yaml"]
subprocess.run(build, check=True, capture_output=True)
before = {path: path.read_bytes() for path in [*disk.iterdir(), root / "promptforge.lock"]}
with open(disk / "filler", "wb", buffering=0) as filler:
    try:
        while filler.write(b"x" * 4096):
            pass
    except OSError:
        pass
ports = root / "knowledge/ports.yaml"
ports.write_text(ports.read_text().replace("first,", "first, notes: New,"))
full = subprocess.run(build, capture_output=True, text=True)
print(full.returncode, full.stdout + full.stderr)
assert {path: path.read_bytes() for path in before} == before
assert sorted(path.name for path in disk.iterdir()) == ["filler", "prompts.lock.json", "prompts.yaml"]
(disk / "filler").unlink()
subprocess.run(build, check=True, capture_output=True)
assert b"New" in (disk / "prompts.yaml").read_bytes()
"""


def test_a_full_disk_keeps_the_old_build(tmp_path: Path) -> None:
    """On a disk without space, a tiny one where this system mounts it, the old build stays and the hint helps."""
    root = _project(tmp_path)
    (root / "disk").mkdir()
    ports = root / "knowledge/ports.yaml"
    ports.write_text(ports.read_text().replace("codename: first", "codename: first, service: Old"))
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        return  # the test above stops the writes in another way
    command = ["unshare", "-m", sys.executable, "-c", _ON_A_FULL_DISK, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    code, _, said = done.stdout.partition(" ")
    assert code == "2"
    assert said.startswith(f"error: cannot write {root}/disk/")
    assert "no space left on device\n  hint: free some space; the previous build is intact\n" in said


# --- nowhere to write -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "output", "said"),
    [
        ("file:notes.txt", "notes.txt/prompts.yaml", "error: cannot write "),
        ("folder:out", "out", "error: the output 'out' is a folder"),
        ("folder:out/prompts.lock.json", "out/prompts.yaml", "error: cannot write "),
        (
            "folder:elsewhere",
            "promptforge.yaml",
            "error: the output 'promptforge.yaml' is one of the project's own files",
        ),
    ],
)
def test_an_output_that_cannot_be_written_changes_nothing(tmp_path: Path, prepare: str, output: str, said: str) -> None:
    """Below a file, onto a folder, or where the lock's place is a folder: exit code 2, and the last build stands."""
    root = _project(tmp_path)
    _build(root)
    kind, _, name = prepare.partition(":")
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("mine") if kind == "file" else (root / name).mkdir()
    before = _outputs(root)
    files = sorted(p for p in root.rglob("*") if ".promptforge" not in p.parts)
    _edit(root, "New")
    done = _run(root, "build", "--output", output)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert "\n  hint: " in done.stderr
    assert _outputs(root) == before
    assert sorted(p for p in root.rglob("*") if ".promptforge" not in p.parts) == files
    _build(root)
    _check_whole(root)


@pytest.mark.parametrize("place", [_PROMPTS, _LOCK, _COMMITTED])
def test_a_folder_in_the_place_of_a_result_changes_nothing(tmp_path: Path, place: str) -> None:
    """Where one of the three files cannot be replaced, the other two stay as they were."""
    root = _project(tmp_path)
    _build(root)
    (root / place).unlink()
    (root / place).mkdir()
    others = [name for name in (_PROMPTS, _LOCK, _COMMITTED) if name != place]
    before = [(root / name).read_bytes() for name in others]
    new = _edit(root, "New")
    done = _run(root, "build")
    assert (done.returncode, done.stdout) == (2, "")
    assert "folder" in done.stderr or "directory" in done.stderr
    assert [(root / name).read_bytes() for name in others] == before
    (root / place).rmdir()
    _build(root)
    assert (root / _PROMPTS).read_bytes() == new
    _check_whole(root)


# --- watching ---------------------------------------------------------------------------------------------------------


def test_watching_outlives_broken_files(tmp_path: Path) -> None:
    """A good save is built, a broken one is said and changes nothing, the mended one is built, Ctrl-C ends with 130."""
    root = _project(tmp_path / "project")
    _edit(root, "Start")
    said = tmp_path / "said"
    with said.open("w") as log:
        command = _command(root, "build", "--watch")
        watching = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    ports = root / "knowledge/ports.yaml"

    def until(seen: Callable[[], bool]) -> None:
        def look() -> bool:
            assert watching.poll() is None
            os.utime(ports)  # saved again, should the watcher not have looked yet
            time.sleep(0.2)
            return seen()

        _until(look)

    try:
        _until(lambda: "watching for changes" in said.read_text())
        good = _edit(root, "Good")
        until(lambda: (root / _PROMPTS).read_bytes() == good)
        text = ports.read_text()
        ports.write_text(text + "broken: [\n")
        until(lambda: "error PF105" in said.read_text())
        assert (root / _PROMPTS).read_bytes() == good
        ports.write_text(text)
        mended = _edit(root, "Mended")
        until(lambda: (root / _PROMPTS).read_bytes() == mended)
        _check_whole(root)
    finally:
        watching.send_signal(signal.SIGINT)
        code = watching.wait(timeout=30)
    assert code == 130
    assert said.read_text().endswith("stopped\n")
