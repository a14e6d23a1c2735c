"""Which processes listen on a port of this machine: asked of the system, never of what answers there."""

import ipaddress
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Owner", "owners", "ports_of", "read_lsof"]

_LISTENING = "0A"
_TABLES = ("tcp", "tcp6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that listens on a port; without a name where it belongs to another user."""

    name: str = ""
    pid: int | None = None

    def __str__(self) -> str:
        return f"{self.name or 'a process'} ({self.pid})" if self.pid else "a process of another user"


def owners(port: int) -> tuple[Owner, ...] | None:
    """The processes that listen on a port and can be reached on loopback; None where it cannot be told."""
    if _by_proc():
        return _owners_by_proc(port)
    found = _by_lsof(f"-iTCP:{port}")
    return None if found is None else tuple(dict.fromkeys(owner for owner, _ in found))


def ports_of(pids: Collection[int]) -> tuple[int, ...]:
    """The ports on which some processes listen; none where it cannot be told."""
    if not _by_proc():
        found = _by_lsof("-iTCP") or ()
        return tuple(sorted({port for owner, port in found if owner.pid in pids}))
    held = {name for pid in pids for name in _open_files(Path("/proc", str(pid)))}
    with suppress(OSError):
        return tuple(sorted({port for port, name in _listening() if name in held}))
    return ()


# --- Linux ------------------------------------------------------------------------------------------------------------


def _by_proc() -> bool:
    return sys.platform.startswith("linux") and Path("/proc/net/tcp").exists()


def _owners_by_proc(port: int) -> tuple[Owner, ...] | None:
    try:
        sockets = {name for number, name in _listening() if number == port}
    except OSError:
        return None
    found: dict[int, Owner] = {}
    unseen = set(sockets)
    for folder in Path("/proc").glob("[0-9]*") if sockets else ():
        held = sockets & set(_open_files(folder))
        if held:
            found[int(folder.name)] = Owner(name=_name(folder), pid=int(folder.name))
            unseen -= held
    seen = tuple(found[pid] for pid in sorted(found))
    return (*seen, Owner()) if unseen else seen


def _listening() -> Iterator[tuple[int, str]]:
    """Port and `socket:[INODE]` of each socket that listens where this machine itself can reach it."""
    for table in _TABLES:
        path = Path("/proc/net", table)
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()[1:] if path.exists() else ()
        for line in lines:
            fields = line.split()
            address, _, port = fields[1].rpartition(":")
            if fields[3] == _LISTENING and _answers_here(address):
                yield int(port, 16), f"socket:[{fields[9]}]"


def _answers_here(hexadecimal: str) -> bool:
    """Whether a socket that is bound to this address of /proc/net answers on loopback."""
    words = [bytes.fromhex(hexadecimal[at : at + 8]) for at in range(0, len(hexadecimal), 8)]
    address = ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words))
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_unspecified or address.is_loopback or bool(mapped and mapped.is_loopback)


def _open_files(folder: Path) -> Iterator[str]:
    """What a process holds open, as far as we may know."""
    with suppress(OSError):  # gone by now, or somebody else's
        for link in (folder / "fd").iterdir():
            with suppress(OSError):  # closed by now
                yield link.readlink().name


def _name(folder: Path) -> str:
    with suppress(OSError):
        return (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return ""


# --- elsewhere --------------------------------------------------------------------------------------------------------


def _by_lsof(which: str) -> tuple[tuple[Owner, int], ...] | None:
    program = shutil.which("lsof") or shutil.which("lsof", path="/usr/sbin")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-nP", which, "-sTCP:LISTEN", "-F", "pcn"], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_lsof(done.stdout.decode(errors="replace"))


def read_lsof(told: str) -> tuple[tuple[Owner, int], ...]:
    r"""What `lsof -F pcn` said: who listens, and on which port.

    >>> read_lsof("p42\ncpython3\nf3\nn127.0.0.1:8080\nf4\nn[::1]:8081\n")
    ((Owner(name='python3', pid=42), 8080), (Owner(name='python3', pid=42), 8081))
    """
    found = []
    pid, name = 0, ""
    for line in told.splitlines():
        kind, value = line[:1], line[1:]
        if kind == "p" and value.isdigit():
            pid, name = int(value), ""
        elif kind == "c":
            name = value
        elif kind == "n" and pid and value.rpartition(":")[2].isdigit():
            found.append((Owner(name=name, pid=pid), int(value.rpartition(":")[2])))
    return tuple(found)
