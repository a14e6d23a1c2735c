"""A child process in a group of its own, known again after we were killed, and stopped with all that it started.

It is written down before it does anything: killed in between, we leave it the end of a file, and it leaves, too.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from promptforge.backends.processes import MARK, Process, end, family, here, is_here, process
from promptforge.errors import InputError, WriteError
from promptforge.files import TEMPORARY

__all__ = ["Child", "left_over", "start", "stop_left_over"]

_STUB = """\
import os, signal, sys
if not os.read(0, 1):
    sys.exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as problem:
    sys.stderr.write(f"cannot start {sys.argv[1]}: {problem.strerror}\\n")
    sys.exit(127)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process that we started."""

    process: "subprocess.Popen[bytes]"
    identity: tuple[int, str] | None
    """None where it had ended before we could look."""
    token: str
    record: Path
    """Where it is written down until it is stopped."""

    def ended(self) -> bool:
        """Whether it has; it is not buried by that, so its number stays its own."""
        if sys.platform == "win32" or not hasattr(os, "waitid"):
            return self.process.poll() is not None
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def stop(self, *, grace_s: float) -> int | None:
        """Stop all of it that still runs, and strike it off; its exit code, or None where it would not end.

        The code is what the process itself ended with, if it had ended already.
        """
        left = end(lambda: family(self.identity, self.token), patience_s=grace_s)
        if left:
            return None
        self.record.unlink(missing_ok=True)
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(grace_s)
        return None


def start(command: Sequence[str], *, cwd: Path, environ: Mapping[str, str], record: Path, about: str = "") -> Child:
    """Start a process whose stdout and stderr come by one pipe, and whose stdin is empty.

    A command that does not exist says so there, and exits with 127. Raises WriteError and InputError.
    """
    token = secrets.token_hex(16)
    try:
        made = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _STUB, *command],
            cwd=cwd,
            env={**environ, MARK: token},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as problem:
        raise InputError(f"cannot start {command[0]}: {(problem.strerror or str(problem)).lower()}") from problem
    seen = process(made.pid)
    child = Child(process=made, identity=seen.identity if seen else None, token=token, record=record)
    try:
        _write(child, about)
        if made.stdin is not None:
            with suppress(BrokenPipeError):
                made.stdin.write(b"1")
                made.stdin.close()
    except BaseException:
        child.stop(grace_s=0)
        raise
    return child


def _write(child: Child, about: str) -> None:
    told = {"here": dict(here()), "identity": child.identity, "token": child.token, "about": about}
    record = child.record
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        beside = record.with_name(f".{record.name}.{os.getpid()}{TEMPORARY}")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(told, file)
        os.replace(beside, record)
    except OSError as problem:
        raise WriteError(f"cannot write {record}: {(problem.strerror or str(problem)).lower()}") from problem


def left_over(record: Path) -> tuple[Process, ...]:
    """What still runs of a child that was written down there and never struck off. A number alone proves nothing."""
    try:
        told = json.loads(record.read_bytes())
        pid, started = told["identity"] or (0, "")
        token, same = str(told["token"]), is_here(told["here"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    if not same or not token:  # another machine, or it was started anew since
        return ()
    first = process(int(pid)) if pid else None
    root = (int(pid), str(started))
    return family(root if first is not None and first.identity == root else None, token)


def stop_left_over(record: Path, *, grace_s: float) -> tuple[Process, ...]:
    """Stop what a killed process of ours left running, and strike it off; what there was. Nothing else is touched."""
    found = left_over(record)
    if found and end(lambda: left_over(record), patience_s=grace_s):
        names = ", ".join(str(one) for one in found)
        raise InputError(f"what is left of a training that was killed does not end: {names}", hint="end it by hand")
    record.unlink(missing_ok=True)
    return found
