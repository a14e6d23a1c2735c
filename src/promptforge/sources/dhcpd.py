"""ISC dhcpd: `dhcpd.leases`, a log whose last block of an address holds, and `host` blocks of `dhcpd.conf`."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from promptforge.sources.dump import lines_of, shown, wrong
from promptforge.sources.gather import Gathering
from promptforge.sources.lease import Lease

__all__ = ["leases_of_dhcpd"]

_OPEN = re.compile(r"\s*(lease|host)\s+(\S+)\s*\{(.*)", re.I)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[;{}]|[^";{}]+')
_EPOCH = re.compile(r"[0-9]{1,12}")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\([0-7]{3}|.)")


def leases_of_dhcpd(path: Path, made: Gathering) -> Iterator[Lease]:
    """The last state of every lease, and every reservation."""
    leases: dict[str, Lease] = {}
    for kind, name, statements, number in _blocks(path, made):
        place = f"{shown(path)}:{number}"
        if kind == "host":
            mac = statements.get("hardware ethernet", "")
            address = statements.get("fixed-address", "").partition(",")[0].strip()
            leases[f"host {name}"] = Lease(place, mac=mac, address=address, name=name, reserved=True)
        else:
            leases.pop(name, None)
            leases[name] = _lease(name, statements, place)
    yield from leases.values()


def _lease(address: str, statements: dict[str, str], place: str) -> Lease:
    state = statements.get("binding state", "active")
    return Lease(
        place,
        mac=statements.get("hardware ethernet", ""),
        address=address,
        name=_unquoted(statements.get("client-hostname", "")),
        noise="" if state == "active" else "lease that has ended",
        since=_time(statements.get("cltt") or statements.get("starts", "")),
        until=_time(statements.get("ends", "")),
    )


def _time(written: str) -> int:
    """`6 2026/11/21 10:00:00`, always of UTC, or `epoch 1795255200`; 0 for `never`."""
    kind, _, said = written.partition(" ")
    if kind == "epoch":
        return int(said) if _EPOCH.fullmatch(said.strip()) else 0
    try:
        return max(0, int(datetime.strptime(said.strip(), "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC).timestamp()))
    except ValueError:
        return 0


def _unquoted(written: str) -> str:
    """A quoted text; bytes are written in octal."""
    match = _STRING.search(written)
    if not match:
        return ""
    raw = _ESCAPE.sub(lambda m: chr(int(m[1], 8) & 255) if len(m[1]) == 3 else m[1], match[1])
    try:
        return raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return raw


def _blocks(path: Path, made: Gathering) -> Iterator[tuple[str, str, dict[str, str], int]]:
    """(kind, name, statements, line) of every lease and host; blocks around and inside them are passed through."""
    kind = name = ""
    statements: dict[str, str] = {}
    first = deeper = 0
    for number, line in lines_of(path, made.source):
        if line.lstrip().startswith("#"):
            continue
        if not kind:
            if match := _OPEN.match(line):
                kind, name, statements, first, deeper = match[1].lower(), match[2], {}, number, 0
                line = match[3]
            else:
                continue
        written = ""
        for token in _TOKEN.findall(line):
            deeper += (token == "{") - (token == "}")
            if token == ";" and not deeper:
                _statement(written, statements)
            written = "" if token in ";{}" else written + token
        if deeper < 0:
            yield kind, name, statements, first
            kind = ""
    if kind:
        raise wrong(made.source, path, found="the beginning of it: a block is not closed", place=str(first))


_SAID = ("hardware ethernet", "fixed-address", "client-hostname", "binding state", "starts", "ends", "cltt")


def _statement(written: str, statements: dict[str, str]) -> None:
    words = written.strip()
    for key in _SAID:
        if words.lower().startswith(key + " "):
            statements[key] = words[len(key) :].strip()
