"""nmap: what a scan found, from its XML. Nothing of the XML is resolved: a document that declares an entity is refused.

A service's name is taken only where nmap spoke to it; by default it is read off a table of port numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.parsers import expat

from promptforge.sources.base import Observation, Seen, SourceError
from promptforge.sources.clean import TEXT, Texts, identifier
from promptforge.sources.dump import open_text, shown, wrong
from promptforge.sources.gather import Gathering, day_of, identity_of
from promptforge.sources.looks import DUMPS
from promptforge.sources.marks import Mac, address_values, container_address, ephemeral, first_label, mac_of, port_of

__all__ = ["SOURCE", "Nmap"]

_DEEPEST = 64
_CHUNK = 1 << 16


@dataclass(slots=True)
class _Host:
    """One host while its elements come in."""

    line: int
    up: bool = True
    addresses: list[str] = field(default_factory=list)
    mac: Mac | None = None
    vendor: str = ""
    names: list[tuple[str, str]] = field(default_factory=list)
    """(type, name): user, as it was asked for, or PTR."""
    ports: list[dict[str, str]] = field(default_factory=list)


class Nmap:
    """Hosts that answered, and their open ports."""

    name = "nmap"
    about = f"Hosts and open ports of a scan; {DUMPS['nmap'].command}"
    options: tuple[str, ...] = ()

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Hosts with open ports are hosts; others with an address are devices."""
        made = Gathering(self.name, files)
        days = {_Scan(path, made).read() for path in files}
        return made.observation(at=max(days, default=""))


class _Scan:
    """The XML of one file, event by event."""

    def __init__(self, path: Path, made: Gathering) -> None:
        self._path, self._made = path, made
        self._depth, self._day = 0, ""
        self._host: _Host | None = None
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._entity
        self._parser = parser

    def read(self) -> str:
        """Every host of the scan, and its day. Raises SourceError."""
        try:
            with open_text(self._path, self._made.source) as handle:
                while piece := handle.read(_CHUNK):
                    self._parser.Parse(piece.encode("utf-8", "replace"), False)
                self._parser.Parse(b"", True)
        except expat.ExpatError as problem:
            raise self._broken(problem) from problem
        return self._day.strip()

    def _broken(self, problem: expat.ExpatError) -> SourceError:
        place = f"{problem.lineno}:{problem.offset + 1}"
        if self._day or self._depth:
            if problem.code in _CUT:
                found = "the beginning of a scan: it was interrupted, or the file was cut off"
            else:
                found = f"no valid XML ({expat.ErrorString(problem.code)})"
            return wrong(self._made.source, self._path, found=found, place=place)
        return wrong(self._made.source, self._path)

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        if internal or system or public:
            raise wrong(
                self._made.source, self._path, found="XML with declarations of its own, which nmap never writes"
            )

    def _entity(self, *_: Any) -> bool:
        raise wrong(self._made.source, self._path, found="XML that declares an entity, which nmap never writes")

    def _start(self, tag: str, has: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            if tag != "nmaprun":
                raise wrong(self._made.source, self._path, found=f"XML of '{tag[:40]}'")
            self._day = day_of(has.get("start", "")) or " "
        if self._depth > _DEEPEST:
            raise wrong(self._made.source, self._path, found="XML that is nested too deeply")
        if tag == "host" and self._depth == 2:
            self._host = _Host(line=self._parser.CurrentLineNumber)
        elif self._host:
            _fill(self._host, tag, has)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "host" and self._depth == 1 and self._host:
            _take(self._made, self._host, f"{shown(self._path)}:{self._host.line}")
            self._host = None


_CUT = frozenset({3, 4, 5, 11})
"""expat's codes for a document that ends too early: no element, an unclosed token, a partial character."""


def _fill(host: _Host, tag: str, has: Mapping[str, str]) -> None:
    """What one element says of the host."""
    if tag == "status":
        host.up = has.get("state") != "down"
    elif tag == "address" and has.get("addrtype") == "mac":
        host.mac, host.vendor = mac_of(has.get("addr")), has.get("vendor", "")
    elif tag == "address":
        host.addresses.append(has.get("addr", ""))
    elif tag == "hostname":
        host.names.append((has.get("type", ""), has.get("name", "")))
    elif tag == "port":
        host.ports.append({"proto": has.get("protocol", ""), "port": has.get("portid", "")})
    elif tag == "state" and host.ports:
        host.ports[-1].setdefault("state", has.get("state", ""))
    elif tag == "service" and host.ports and has.get("method") == "probed":
        host.ports[-1]["service"] = has.get("product") or has.get("name") or ""


def _take(made: Gathering, host: _Host, place: str) -> None:
    if not host.up:
        made.pass_over("hosts that were down")
        return
    texts = Texts()
    raw = next((name for kind in ("user", "PTR", "") for type_, name in host.names if type_ == kind or not kind), "")
    values: dict[str, Any] = {}
    for address in host.addresses:
        for column, value in address_values(address).items():
            values.setdefault(column, value)
    name = texts.take("name", first_label(raw)) or next(iter(values.values()), host.mac.text if host.mac else "")
    if not name:
        made.pass_over("hosts without a name and an address that others reach")
        return
    ports = [port for port in host.ports if port.get("state") == "open"]
    noise = "container bridge" if any(map(container_address, host.addresses)) else ""
    if not noise and host.mac and host.mac.container:
        noise = "container's interface"
    dns = identifier(raw.lower()) if "." in raw else ""
    identity = identity_of(mac=host.mac, addresses=values.values()) + ((("dns", dns),) if dns else ())
    if host.mac:
        values["mac"] = host.mac.text
    if ports:
        made.host(name, place=place, values=values, identity=identity, noise=noise, cleaned=texts.done)
        _ports(made, name, ports, place, noise)
    else:
        _device(
            made,
            host,
            Seen(table="devices", key=name, values=values, identity=identity, place=place, noise=noise),
            texts,
        )


def _device(made: Gathering, host: _Host, seen: Seen, texts: Texts) -> None:
    """What is up and has no open port is a device; its address there is called `ip`."""
    values = {"ip" if column == "lan_ip" else column: value for column, value in seen.values.items()}
    kind = texts.take("kind", host.vendor)
    guesses = {"kind": kind} if kind else {}
    made.add(replace(seen, values={"name": seen.key, **values}, cleaned=texts.done, guesses=guesses))


def _ports(made: Gathering, name: str, ports: Sequence[Mapping[str, str]], place: str, noise: str) -> None:
    for entry in ports:
        port, texts = port_of(entry["port"]), Texts()
        if port is None or entry["proto"] not in ("tcp", "udp"):
            made.pass_over("ports that are neither of tcp nor of udp")
            continue
        service = texts.take("service", entry.get("service"), limit=TEXT)
        made.port(
            name,
            port,
            entry["proto"],
            place=place,
            noise=noise or ("ephemeral port" if ephemeral(port) else ""),
            cleaned=texts.done,
            guesses={"service": service} if service else {},
        )


SOURCE = Nmap()
