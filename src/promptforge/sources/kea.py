"""Kea: the CSV of its memfile, a log whose last row of an address holds, and the JSON of its commands."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from promptforge.sources.dump import lines_of, read_json, shown, wrong
from promptforge.sources.gather import Gathering
from promptforge.sources.lease import Lease
from promptforge.sources.marks import first_label

__all__ = ["leases_of_kea_csv", "leases_of_kea_json"]

_FOR_EVER = 2**32 - 1
"""The lifetime of a lease that never ends."""
_DIGITS = 12
_STATES = {"1": "address that a client declined", "2": "lease that has ended", "3": "lease that was given back"}


def leases_of_kea_csv(path: Path, made: Gathering) -> Iterator[Lease]:
    """The last state of every address; columns are found by their names, which grew over the versions."""
    leases: dict[str, Lease] = {}
    numbered = lines_of(path, made.source)
    header = next(csv.reader([next(numbered)[1]]))
    if "address" not in header:
        raise wrong(made.source, path, place="1")
    for number, line in numbered:
        if not line.strip():
            continue
        row = dict(zip(header, next(csv.reader([line]), []), strict=False))
        if len(row) < min(len(header), 9):
            found = f"{len(row)} of {len(header)} columns; was the dump cut off?"
            raise wrong(made.source, path, found=found, place=str(number))
        address = row["address"]
        leases.pop(address, None)
        if row.get("valid_lifetime") != "0":  # Kea writes a lease that was removed with no lifetime
            leases[address] = _row(row, f"{shown(path)}:{number}")
    yield from leases.values()


def _row(row: Mapping[str, str], place: str) -> Lease:
    # Kea writes a comma inside a field as &#x2c
    name = first_label(row.get("hostname", "").replace("&#x2c", ","))
    noise = _STATES.get(row.get("state", "0"), "")
    mac = row.get("hwaddr", "")
    if not mac and "duid" in row:
        noise = noise or "lease of IPv6, which names no MAC"
    length, until = _number(row.get("valid_lifetime")), _number(row.get("expire"))
    made = Lease(place, mac=mac, address=row["address"], name=name, noise=noise)
    return made if length in (0, _FOR_EVER) else made._replace(since=max(0, until - length), until=until)


def _number(written: object) -> int:
    return int(text) if (text := str(written)).isascii() and text.isdigit() and len(text) <= _DIGITS else 0


def leases_of_kea_json(path: Path, made: Gathering) -> Iterator[Lease]:
    """The answers of `lease4-get-all`, `lease6-get-all` and `reservation-get-all`, with or without their wrapping."""
    answers = read_json(path, made.source)
    for number, answer in enumerate(answers if isinstance(answers, list) else [answers]):
        pointer = f"{shown(path)}#/{number}" if isinstance(answers, list) else f"{shown(path)}#"
        if not isinstance(answer, dict):
            raise wrong(made.source, path)
        if answer.get("result") not in (None, 0, 3):  # 3: it worked, and there is none
            raise wrong(made.source, path, found="an error of Kea's", place=pointer.removeprefix(shown(path)))
        inside = answer.get("arguments", answer)
        inside = inside if isinstance(inside, dict) else {}
        if "ip-address" in answer:
            yield _client(answer, pointer, False)
        for name in ("leases", "hosts", "reservations"):
            rows = inside.get(name)
            for position, row in enumerate(rows if isinstance(rows, list) else ()):
                if isinstance(row, dict):
                    yield _client(row, f"{pointer}/{name}/{position}", name != "leases")


def _client(row: Mapping[str, Any], place: str, reserved: bool) -> Lease:
    mac = row.get("hw-address") or ""
    noise = _STATES.get(str(row.get("state", 0)), "")
    if not mac:
        noise = noise or "lease of IPv6, which names no MAC"
    name = first_label(str(row.get("hostname") or ""))
    length, since = _number(row.get("valid-lft")), _number(row.get("cltt"))
    made = Lease(place, mac=mac, address=row.get("ip-address"), name=name, noise=noise, reserved=reserved)
    never = reserved or not since or length in (0, _FOR_EVER)
    return made if never else made._replace(since=since, until=since + length)
