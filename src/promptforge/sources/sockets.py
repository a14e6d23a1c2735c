"""Listening sockets of one host: `ss -tlnp` of Linux, and `lsof -F` of macOS and Linux.

A socket is a host, an address, a protocol and a port. One port on several addresses is one fact, and its reach is the
widest of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from promptforge.sources.base import Observation
from promptforge.sources.clean import Texts
from promptforge.sources.dump import lines_of, shown, wrong
from promptforge.sources.gather import Gathering
from promptforge.sources.looks import DUMPS
from promptforge.sources.marks import container_address, ephemeral, is_loopback, is_multicast, port_of
from promptforge.sources.whose import host_of

__all__ = ["SOURCE", "Sockets"]


class Socket(NamedTuple):
    """One line of ss, or one file of lsof."""

    proto: str
    address: str
    interface: str
    port: int
    process: str
    place: str


class Sockets:
    """What listens on one host."""

    name = "sockets"
    about = f"Listening sockets of one host; {DUMPS['sockets'].command}"
    options: tuple[str, ...] = ("host",)

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every port of each file's host. Sockets that only the host reaches and passing ones are noise.

        Options: `host`, the host of which the dumps are; else the name of each file up to its first dot.
        """
        made = Gathering(self.name, files)
        hosts: set[str] = set()
        protos: set[str] = set()
        for path in files:
            host = host_of(path, options, made)
            sockets = list(_sockets(path, made))
            if not sockets:
                made.note(f"{shown(path)}: nothing listens, by this dump")
            if sockets and not any(socket.process for socket in sockets):
                made.note(f"{shown(path)}: no processes are named; only root sees those of others (sudo)")
            hosts.add(host)
            protos.update(socket.proto for socket in sockets)
            _take(made, host, sockets)
        within = {"ports": {"host": frozenset(hosts), "proto": frozenset(protos)}}
        return made.observation(whole={"ports"}, within=within)


def _take(made: Gathering, host: str, sockets: Sequence[Socket]) -> None:
    groups: dict[tuple[str, int], list[Socket]] = {}
    for socket in sockets:
        groups.setdefault((socket.proto, socket.port), []).append(socket)
    for (proto, port), group in sorted(groups.items()):
        made.host(host, place=group[0].place)
        texts = Texts()
        process = texts.take("service", next((s.process for s in group if s.process), ""))
        if len({socket.process for socket in group if socket.process}) > 1:
            made.note(f"{group[0].place}: port {port} is held by several processes, each at another address")
        reasons = [_noise(socket) for socket in group]
        made.port(
            host,
            port,
            proto,
            place=group[0].place,
            noise="" if "" in reasons else reasons[0],
            cleaned=texts.done,
            guesses={"service": process} if process else {},
        )


def _noise(socket: Socket) -> str:
    if is_loopback(socket.address) or socket.interface == "lo":
        return "reached from the host alone"
    if is_multicast(socket.address):
        return "multicast"
    if container_address(socket.address, socket.interface):
        return "container bridge"
    return "ephemeral port" if ephemeral(socket.port) else ""


# ---- The two forms ---------------------------------------------------------------------------------------------------

_LSOF_FIRST = re.compile(r"p\d+")
_SS = re.compile(
    r"\s*(?:(?P<net>[a-z_0-9]+)\s+)?(?P<state>[A-Z][A-Z0-9-]+)\s+\d+\s+\d+\s+(?P<local>\S+)\s+\S+(?P<rest>.*)"
)
_SS_HEADER = re.compile(r"\s*(?:Netid\s+)?State\s+Recv-Q")
_CUT = re.compile(r"users:(?!.*\)\))")
_PROCESS = re.compile(r'users:\(\("((?:[^"\\]|\\.)*)"')


def _sockets(path: Path, made: Gathering) -> Iterator[Socket]:
    lines = lines_of(path, made.source)
    for number, line in lines:
        if not line.strip():
            continue
        if _LSOF_FIRST.fullmatch(line):
            yield from _lsof(path, made, number, line, lines)
        elif _SS.match(line) or _SS_HEADER.match(line):
            yield from _ss(path, made, number, line, lines)
        else:
            raise wrong(made.source, path, place=str(number))


def _ss(path: Path, made: Gathering, number: int, line: str, lines: Iterator[tuple[int, str]]) -> Iterator[Socket]:
    while True:
        match = _SS.fullmatch(line)
        if match and not _CUT.search(match["rest"]):
            yield from _ss_line(match, f"{shown(path)}:{number}", made)
        elif line.strip() and not _SS_HEADER.match(line):
            raise wrong(made.source, path, found="a line of another form; was the dump cut off?", place=str(number))
        following = next(lines, None)
        if following is None:
            return
        number, line = following


def _ss_line(match: re.Match[str], place: str, made: Gathering) -> Iterator[Socket]:
    net, state = match["net"] or "tcp", match["state"]
    if net not in ("tcp", "udp") or state not in ("LISTEN", "UNCONN"):
        made.pass_over("sockets that do not listen for tcp or udp")
        return
    address, interface, port = _local(match["local"])
    if port is None:
        made.pass_over("sockets without a port")
        return
    process = _PROCESS.search(match["rest"])
    proto = "udp" if state == "UNCONN" else net
    yield Socket(proto, address, interface, port, process[1] if process else "", place)


def _local(written: str) -> tuple[str, str, int | None]:
    """Address, interface and port of `100.64.0.10%tailscale0:443`, `[fe80::1%eth0]:22`, `*:8123`, `[::]:80`."""
    address, _, port = written.rpartition(":")
    address = address.replace("[", "").replace("]", "")
    address, _, interface = address.partition("%")
    return address, interface, port_of(port)


_OWN = "lsof shows the sockets of your own processes, and only with sudo those of all"


def _lsof(path: Path, made: Gathering, number: int, line: str, lines: Iterator[tuple[int, str]]) -> Iterator[Socket]:
    """Fields of a process, then of its files: `p` and `c`, then `f`, `P` and `n`. Unknown letters are passed over."""
    made.note(f"{shown(path)}: {_OWN}")
    process, proto, state = "", "tcp", ""
    while True:
        letter, rest = line[:1], line[1:]
        if letter == "p":
            process, proto, state = "", "tcp", ""
        elif letter == "c":
            process = re.sub(r"\\x20", " ", rest)
        elif letter == "f":
            proto, state = "tcp", ""
        elif letter == "P":
            proto = rest.lower()
        elif letter == "T" and rest.startswith("ST="):
            state = rest[3:]
        elif letter == "n":
            yield from _lsof_name(rest, proto, state, process, f"{shown(path)}:{number}", made)
        elif line.strip() and not letter.isalpha():
            raise wrong(made.source, path, found="a line of another form", place=str(number))
        following = next(lines, None)
        if following is None:
            return
        number, line = following


def _lsof_name(name: str, proto: str, state: str, process: str, place: str, made: Gathering) -> Iterator[Socket]:
    if "->" in name or state not in ("", "LISTEN") or proto not in ("tcp", "udp"):
        made.pass_over("sockets that do not listen for tcp or udp")
        return
    address, interface, port = _local(name.removesuffix(" (LISTEN)"))
    if port is None:
        made.pass_over("sockets without a port")
        return
    yield Socket(proto, address, interface, port, process, place)


SOURCE = Sockets()
