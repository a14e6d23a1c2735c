"""One redaction: what a project holds, the key, and what stands for what. `make` reads everything before it decides.

All values of the project are known before the first is given a replacement, so the order of files changes nothing,
and no replacement is a value of the original.
"""

import ipaddress
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from promptforge.model import Table
from promptforge.redaction.addresses import Addresses, is_nobodys
from promptforge.redaction.broken import redact_broken
from promptforge.redaction.key import Key
from promptforge.redaction.layout import RoleOf, plain_text, redact_layout
from promptforge.redaction.macs import Macs, digits_of
from promptforge.redaction.names import Name, Names
from promptforge.redaction.roles import roles
from promptforge.redaction.shapes import plain_address, shapes
from promptforge.redaction.text import Redactor
from promptforge.redaction.vocabulary import naming_columns, reserved_words, vocabulary

__all__ = ["Redaction", "make_redaction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """What stands for what in a project and in texts about it."""

    redactor: Redactor
    tables: Mapping[str, Table]
    columns: Mapping[tuple[str, str], str]
    """Table and column to the kind of thing that they name."""

    @property
    def names(self) -> Names:
        """The names of the project."""
        return self.redactor.names

    def file(self, path: str, text: str) -> tuple[str, bool]:
        """A file of the project, redacted, and whether it could be read as what its name says."""
        if path.endswith((".yaml", ".yml", ".json")):
            role_of = self.role_of(path)
            as_facts = path.startswith("knowledge/") and not path.endswith(".json")
            return redact_layout(
                text,
                self.redactor,
                role_of,
                otherwise=lambda text: self._broken(text, role_of) if as_facts else self.plain(text),
            )
        if path.endswith(".jsonl"):
            return "".join(self._line(line) for line in text.splitlines(keepends=True)), True
        return self.template(text), True

    def _broken(self, text: str, role_of: RoleOf) -> str:
        naming = {column for _, column in self.columns}
        return redact_broken(text, self.redactor, role_of, self.tables, naming)

    def role_of(self, path: str) -> RoleOf:
        """What the values of a file are there for."""
        return roles(path, self.tables, self.columns, self.names.reserved)

    def template(self, text: str) -> str:
        """A text that may hold references."""
        return self.redactor.loose(text) if any(c.isspace() for c in text) else self.redactor.text(text)

    def plain(self, text: str) -> str:
        """Any other text: an error message, a log, a letter."""
        return plain_text(text, self.redactor)

    def path(self, path: str) -> str:
        """A file's name: what it says of the house is replaced, too."""
        return "/".join(self.redactor.text(part, whole=True, secrets=False) for part in path.split("/"))

    def _line(self, line: str) -> str:
        if "\\" not in line:
            return self.redactor.text(line)
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            return self.redactor.text(line)
        made = self._inside(data)
        return line if made == data else json.dumps(made, ensure_ascii=False) + line[len(line.rstrip("\r\n")) :]

    def _inside(self, data: object) -> object:
        if isinstance(data, str):
            return self.redactor.text(data)
        if isinstance(data, list):
            return [self._inside(one) for one in data]
        if isinstance(data, dict):
            return {key: self._inside(one) for key, one in data.items()}
        return data


def make_redaction(
    key: Key,
    tables: Mapping[str, Table],
    texts: Iterable[str],
    *,
    also: Collection[str] = (),
    words: Collection[str] = (),
    names: Iterable[Name] = (),
) -> Redaction:
    """Decide what stands for what in all of `texts`.

    `also` are further columns that name, `words` further names; `names` those that the tables do not know.
    """
    columns = naming_columns(tables, also)
    further = [*names, *(Name("name", word, "") for word in words)]
    return _decided(key, tables, texts, columns, [*vocabulary(tables, columns), *further])


def _decided(
    key: Key,
    tables: Mapping[str, Table],
    texts: Iterable[str],
    columns: Mapping[tuple[str, str], str],
    found: Iterable[Name],
) -> Redaction:
    known = Names(key, found, reserved_words(tables))
    addresses, networks, macs = _seen(texts)
    mapped = Addresses(key, addresses, networks)
    naming = frozenset(column for _, column in columns)
    redactor = Redactor(key, known, mapped, Macs(key, macs), tables=tables.keys(), columns=naming)
    return Redaction(redactor=redactor, tables=tables, columns=columns)


_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


def _seen(texts: Iterable[str]) -> tuple[set[_IP], set[ipaddress.IPv4Network], set[str]]:
    """Every address, network and MAC in the texts."""
    addresses: set[_IP] = set()
    networks: set[ipaddress.IPv4Network] = set()
    macs: set[str] = set()
    for text in texts:
        for kind, written in _numbers(text):
            if kind == "mac":
                macs.add(digits_of(written))
                continue
            bare, _, bits = written.partition("/")
            address = ipaddress.ip_address(bare)
            if is_nobodys(address, int(bits) if bits else None):
                continue
            addresses.add(address)
            if bits and isinstance(address, ipaddress.IPv4Address) and 8 < int(bits) < 32 and int(bits) != 24:
                networks.add(ipaddress.IPv4Network((int(address), int(bits)), strict=False))
    return addresses, networks, macs


def _numbers(text: str) -> Iterator[tuple[str, str]]:
    for shape in shapes(text):
        match = shape.match
        if shape.kind == "mac":
            yield "mac", match["mac"]
        elif shape.kind == "ipv6":
            yield "ip", match["ipv6"].split("/")[0]
        elif shape.kind == "ipv4":
            bare, slash, bits = match["ipv4"].partition("/")
            yield "ip", plain_address(bare) + (f"/{bits}" if slash and int(bits) <= 32 else "")
        elif shape.kind in ("dashed", "arpa"):
            yield "ip", plain_address(match[0])
        elif shape.kind == "url" and _IPV4.fullmatch(match["urlhost"] or ""):
            yield "ip", plain_address(match["urlhost"])


_IPV4 = re.compile(r"(?:0*(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!\Z)|\Z)){4}")
