"""Which processes run, who they are beyond their number, and how to end those that are ours and nobody else's.

A process is told by its number and the moment it started: a number is given away again, the pair is not. What a server
starts is found by its session and by a mark in its environment, which children inherit however they detach.
"""

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = [
    "MARK",
    "Process",
    "end",
    "family",
    "here",
    "is_before_restart",
    "is_here",
    "marked",
    "process",
    "processes",
    "read_ps",
]

MARK = "PROMPTFORGE_SERVER"
"""The environment variable by which what a server of ours starts is known."""

_PROC = Path("/proc")
_LOOK_S = 0.05
KILLED_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that runs; one that ended and was not yet buried does not."""

    pid: int
    started: str
    """As the system writes it; only good to be compared."""
    parent: int = 0
    group: int = 0
    session: int = 0
    name: str = ""

    @property
    def identity(self) -> tuple[int, str]:
        """What no other process has until the machine starts anew."""
        return self.pid, self.started

    def __str__(self) -> str:
        return f"{self.name or 'a process'} ({self.pid})"


@cache
def here() -> Mapping[str, str]:
    """Where a process number means something: the machine, since its start, and the name space of its processes."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return {"host": _machine(), "name": platform.node(), "boot": _boot(), "space": space}


def is_here(where: Mapping[str, str]) -> bool:
    """Whether the numbers of a record mean something here and now: the same start of the machine, the same name space.

    Each start has a name that no other has, whatever the machine is called by then. Where none is known, the machine's.
    """
    now = here()
    same = where["boot"] == now["boot"] and (bool(now["boot"]) or where["host"] == now["host"])
    return same and where["space"] == now["space"]


def is_before_restart(where: Mapping[str, str]) -> bool:
    """Whether a record is of this machine before it was started anew, which nothing outlives.

    A copy of a virtual machine has the same identity, and perhaps servers that run: so the name counts, too.
    """
    now = here()
    same = where["host"] == now["host"] and where.get("name", now["name"]) == now["name"]
    return same and where["boot"] != now["boot"]


_MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def _machine() -> str:
    """What a machine keeps when it is given another name; only where it has nothing of the kind, its name."""
    for place in _MACHINE_IDS:
        with suppress(OSError, UnicodeDecodeError):
            told = Path(place).read_text(encoding="ascii").strip()
            if told and told != "uninitialized":
                return told
    if sys.platform == "darwin":
        told = _output("ioreg", "-rd1", "-c", "IOPlatformExpertDevice")
        if found := re.search(r'"IOPlatformUUID" = "([^"]+)"', told):
            return found[1]
    return platform.node()


def _boot() -> str:
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return _output("sysctl", "-n", "kern.bootsessionuuid").strip()


def _by_proc() -> bool:
    return sys.platform.startswith("linux") and (_PROC / "self/stat").exists()


# --- looking ----------------------------------------------------------------------------------------------------------


def processes() -> tuple[Process, ...]:
    """All that run, as far as we may see them."""
    if not _by_proc():
        return read_ps(_output("ps", "-A", "-o", "pid=,ppid=,pgid=,stat=,lstart=,comm="))
    numbers = (int(path.name) for path in _PROC.glob("[0-9]*"))
    return tuple(found for number in numbers if (found := _read_stat(number)))


def process(pid: int, *, ended: bool = False) -> Process | None:
    """One of them; None when there is none of that number. `ended` finds one, too, that was not yet buried."""
    if _by_proc():
        return _read_stat(pid, ended=ended)
    found = read_ps(_output("ps", "-p", str(pid), "-o", "pid=,ppid=,pgid=,stat=,lstart=,comm="), ended=ended)
    return found[0] if found else None


def _read_stat(pid: int, *, ended: bool = False) -> Process | None:
    try:
        told = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    before, _, after = told.rpartition(")")  # the name may hold brackets and blanks
    fields = after.split()
    if not fields or (fields[0] in "ZXx" and not ended):
        return None
    parent, group, session = (int(field) for field in fields[1:4])
    name = before.partition("(")[2]
    return Process(pid=pid, started=fields[19], parent=parent, group=group, session=session, name=name)


_LSTART_WORDS = 5


def read_ps(told: str, *, ended: bool = False) -> tuple[Process, ...]:
    r"""What `ps -o pid=,ppid=,pgid=,stat=,lstart=,comm=` said. It knows no sessions that can be compared.

    >>> read_ps("  42  1  42 S    Sun Nov 22 14:38:54 2026 /usr/bin/python3\n 43 42 42 Z Sun Nov 22 14:38:55 2026 x")
    (Process(pid=42, started='Sun Nov 22 14:38:54 2026', parent=1, group=42, session=42, name='python3'),)
    """
    found = []
    for line in told.splitlines():
        words = line.split()
        if len(words) < 4 + _LSTART_WORDS or (words[3].startswith("Z") and not ended):
            continue
        pid, parent, group = (int(word) for word in words[:3])
        name = " ".join(words[4 + _LSTART_WORDS :]).rpartition("/")[2]
        started = " ".join(words[4 : 4 + _LSTART_WORDS])
        found.append(Process(pid=pid, started=started, parent=parent, group=group, session=group, name=name))
    return tuple(found)


def marked(mark: str) -> frozenset[int]:
    """The numbers of the processes whose environment carries a mark of ours, as far as we may see it."""
    wanted = f"{MARK}={mark}"
    if not _by_proc():
        way = ("-A", "-E", "-ww") if sys.platform == "darwin" else ("axeww",)
        lines = (line.split() for line in _output("ps", *way, "-o", "pid=,command=").splitlines())
        return frozenset(int(words[0]) for words in lines if wanted in words)
    found = set()
    for path in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # gone by now, or somebody else's
            if wanted.encode() in (path / "environ").read_bytes().split(b"\0"):
                found.add(int(path.name))
    return frozenset(found)


def family(root: tuple[int, str] | None, mark: str, known: Iterable[tuple[int, str]] = ()) -> tuple[Process, ...]:
    """What runs of a server: its first process, those of its group and session, their children, and all with its mark.

    `root` must not be buried yet where it has ended: until then its number is nobody else's, nor that of its group.
    """
    every = processes()
    with_mark = marked(mark)
    ours = {root, *known}
    found: dict[int, Process] = {}
    for one in every:
        of_group = root is not None and root[0] in (one.group, one.session)
        if of_group or one.identity in ours or one.pid in with_mark:
            found[one.pid] = one
    while more := {one.pid: one for one in every if one.parent in found and one.pid not in found}:
        found |= more
    found.pop(os.getpid(), None)
    return tuple(found.values())


def _output(*command: str) -> str:
    try:
        told = subprocess.run(command, capture_output=True, timeout=10, check=False, env={**os.environ, "LC_ALL": "C"})
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.decode(errors="replace")


# --- ending -----------------------------------------------------------------------------------------------------------


def end(look: Callable[[], Iterable[Process]], *, patience_s: float) -> tuple[Process, ...]:
    """Ask all that `look` finds to end, and kill what has not after `patience_s`. Returns what is there even then."""
    asked: set[tuple[int, str]] = set()
    limit = time.monotonic() + patience_s
    try:
        for left in _until(look, limit):
            for one in left:
                if one.identity not in asked:  # some take a second request for impatience, and leave their children
                    asked.add(one.identity)
                    _send(one, signal.SIGTERM)
    except BaseException:
        for one in look():  # whoever interrupts us does not want to wait, and nothing may be left
            _send(one, signal.SIGKILL)
        raise
    left = ()
    for left in _until(look, time.monotonic() + KILLED_S):
        for one in left:
            _send(one, signal.SIGKILL)
    return left


def _until(look: Callable[[], Iterable[Process]], limit: float) -> Iterator[tuple[Process, ...]]:
    """What is found again and again, until twice nothing is (which is given, too) or time is up.

    Once is not enough: a look takes its time, and a child that is being started as its parent ends slips through.
    """
    empty = False
    while True:
        left = tuple(look())
        yield left
        if (empty and not left) or (left and time.monotonic() >= limit):
            return
        empty = not left
        time.sleep(_LOOK_S)


def _send(one: Process, what: signal.Signals) -> None:
    """To this very process: a number that is somebody else's by now is left alone."""
    with suppress(ProcessLookupError, PermissionError):
        if not hasattr(os, "pidfd_open"):
            if _same(one):
                os.kill(one.pid, what)
            return
        handle = os.pidfd_open(one.pid)  # holds on to the process, so what is looked at is what is told
        try:
            if _same(one):
                signal.pidfd_send_signal(handle, what)
        finally:
            os.close(handle)


def _same(one: Process) -> bool:
    now = process(one.pid)
    return now is not None and now.identity == one.identity
