"""Prometheus: where it scrapes, from `/api/v1/targets` or a file of `file_sd`.

A target's port is the exporter's, not the service's that it watches. `instance` may be relabelled; the address is not.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from promptforge.sources.base import Observation
from promptforge.sources.clean import Texts, identifier
from promptforge.sources.dump import read_json, shown, wrong
from promptforge.sources.gather import Gathering, day_of, identity_of
from promptforge.sources.looks import DUMPS
from promptforge.sources.marks import address_values, first_label, is_loopback, plain_address, port_of

__all__ = ["SOURCE", "Prometheus"]


class _Target(NamedTuple):
    address: str
    """`host:port`, as it was before relabelling."""
    url: str
    job: str
    place: str
    day: str = ""
    dropped: bool = False


class Prometheus:
    """Exporters, and the hosts that they are on."""

    name = "prometheus"
    about = f"Exporters of Prometheus; {DUMPS['prometheus'].command}"
    options: tuple[str, ...] = ("host",)

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every target. Dropped ones, and what is probed through another exporter, are noise.

        Options: `host`, on which Prometheus runs, for targets on its own machine.
        """
        made = Gathering(self.name, files)
        days: set[str] = set()
        for path in files:
            for target in _targets(path, made):
                days.add(target.day)
                _take(made, target, options.get("host", ""))
        return made.observation(at=max(days, default=""))


def _targets(path: Path, made: Gathering) -> Iterator[_Target]:
    data = read_json(path, made.source)
    if isinstance(data, list):
        yield from _of_file_sd(data, path, made)
        return
    if isinstance(data, dict) and data.get("status") == "error":
        raise wrong(made.source, path, found="an error of Prometheus")
    inside = data.get("data", data) if isinstance(data, dict) else None
    if not isinstance(inside, dict) or not inside.keys() & {"activeTargets", "droppedTargets"}:
        raise wrong(made.source, path)
    for kind in ("activeTargets", "droppedTargets"):
        rows = inside.get(kind)
        for position, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, dict):
                yield _of_api(row, f"{shown(path)}#/data/{kind}/{position}", kind == "droppedTargets")


def _of_api(row: Mapping[str, Any], place: str, dropped: bool) -> _Target:
    labels, before = (
        found if isinstance(found, dict) else {} for found in (row.get("labels"), row.get("discoveredLabels"))
    )
    address = str(before.get("__address__") or labels.get("instance") or "")
    job = str(labels.get("job") or before.get("job") or row.get("scrapePool") or "")
    return _Target(address, str(row.get("scrapeUrl") or ""), job, place, day_of(row.get("lastScrape")), dropped)


def _of_file_sd(data: Sequence[object], path: Path, made: Gathering) -> Iterator[_Target]:
    for position, group in enumerate(data):
        targets = group.get("targets") if isinstance(group, dict) else None
        if not isinstance(group, dict) or not isinstance(targets, list):
            raise wrong(made.source, path, place=f"#/{position}")
        labels = group.get("labels")
        job = str(labels.get("job") or "") if isinstance(labels, dict) else ""
        for number, address in enumerate(targets):
            yield _Target(str(address), "", job, f"{shown(path)}#/{position}/targets/{number}")


def _take(made: Gathering, target: _Target, own: str) -> None:
    host, port = _parts(target.address)
    scraped, _ = _parts(target.url)
    if not host or port is None:
        made.pass_over("targets without a host and a port")
        return
    noise = "target that Prometheus drops" if target.dropped else ""
    if "://" in target.address or (scraped and scraped != host):
        noise = "probed through another exporter"
    texts = Texts()
    if host == "localhost" or is_loopback(host):
        if not own:
            made.pass_over("targets on the machine of Prometheus; host=NAME says which that is")
            return
        host = own
    name = texts.take("host", host if plain_address(host) else first_label(host))
    if not name:
        made.pass_over("targets of whose name nothing was left")
        return
    found = address_values(host)
    dns = identifier(host) if "." in host and not plain_address(host) else ""
    identity = identity_of(("dns", dns), addresses=found.values())
    made.host(name, place=target.place, values=found, identity=identity, noise=noise, cleaned=texts.done)
    job = texts.take("service", target.job)
    guesses = {"service": job} if job else {}
    made.port(name, port, "tcp", place=target.place, noise=noise, cleaned=texts.done, guesses=guesses)


def _parts(written: str) -> tuple[str, int | None]:
    """Host and port of `host:port`, `[::1]:9100` or an address with a scheme, whose port may be understood."""
    try:
        parts = urlsplit(written if "://" in written else f"//{written}")
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        return parts.hostname or "", port_of(parts.port or usual)
    except ValueError:
        return "", None


SOURCE = Prometheus()
