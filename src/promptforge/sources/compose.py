"""Docker compose: what the services of a project publish, from `docker compose config --format json`.

Only `ports` is read. Environments hold passwords, and are not even looked at.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptforge.sources.base import Observation
from promptforge.sources.clean import Texts
from promptforge.sources.dump import read_json, shown, wrong
from promptforge.sources.gather import Gathering
from promptforge.sources.looks import DUMPS
from promptforge.sources.marks import is_loopback, port_of
from promptforge.sources.whose import host_of

__all__ = ["SOURCE", "Compose"]

_MOST_OF_A_RANGE = 256
_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")


class Compose:
    """Published ports of one host."""

    name = "compose"
    about = f"Published ports of a compose project; {DUMPS['compose'].command}"
    options: tuple[str, ...] = ("host",)

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every published port. Those that only the host reaches are noise.

        Options: `host`, on which the containers run; else the name of each file up to its first dot.
        """
        made = Gathering(self.name, files)
        for path in files:
            data = read_json(path, self.name)
            services = data.get("services") if isinstance(data, dict) else None
            if isinstance(data, dict) and services is None and "name" in data:
                services = {}
            if not isinstance(services, dict):
                raise wrong(self.name, path)
            host = host_of(path, options, made)
            for name, service in services.items():
                _service(made, path, host, name, service)
        return made.observation()


def _service(made: Gathering, path: Path, host: str, name: str, service: object) -> None:
    if not isinstance(service, dict):
        made.pass_over("services that are no mapping")
        return
    called = Texts().take("service", name)
    if service.get("network_mode") == "host":
        made.note(f"{shown(path)}: '{called}' is in the host's network and publishes nothing; import its sockets")
    if not service.get("ports"):
        made.pass_over("services that publish nothing")
        return
    ports = service["ports"]
    for position, entry in enumerate(ports if isinstance(ports, list) else ()):
        place = f"{shown(path)}#/services/{called}/ports/{position}"
        if isinstance(entry, dict):
            _publish(made, host, name, entry, place)
        else:
            raise wrong("compose", path, found="a short port, as in a file that is not yet resolved")


def _publish(made: Gathering, host: str, name: str, entry: Mapping[str, Any], place: str) -> None:
    """One entry of `ports`; `published` is a text, may be a range, and may be missing."""
    proto = str(entry.get("protocol") or "tcp").lower()
    published = list(_numbers(entry.get("published")))
    if not published or proto not in ("tcp", "udp"):
        made.pass_over("ports that get another number each time" if proto in ("tcp", "udp") else "ports of sctp")
        return
    if len(published) > _MOST_OF_A_RANGE:
        made.note(f"{place}: a range of {len(published):,} ports; the first {_MOST_OF_A_RANGE} were taken")
    for port in published[:_MOST_OF_A_RANGE]:
        texts = Texts()
        service = texts.take("service", name)
        made.host(host, place=place)
        noise = "reached from the host alone" if is_loopback(entry.get("host_ip")) else ""
        guesses = {"service": service} if service else {}
        made.port(host, port, proto, place=place, noise=noise, cleaned=texts.done, guesses=guesses)


def _numbers(published: object) -> Iterator[int]:
    if port := port_of(published):
        yield port
    elif isinstance(published, str) and (match := _RANGE.fullmatch(published)):
        yield from range(max(1, int(match[1])), min(65535, int(match[2])) + 1)


SOURCE = Compose()
