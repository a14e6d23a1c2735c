"""Any text without what names: one pass over it, so that nothing that was put in is taken for what was there."""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from typing import NamedTuple

from promptforge.compiler.scan import scan, suspicious
from promptforge.redaction.addresses import Addresses
from promptforge.redaction.key import Key
from promptforge.redaction.macs import Macs, digits_of
from promptforge.redaction.names import Names, identity
from promptforge.redaction.shapes import Shape, is_public_host, plain_address, shapes, split_host

__all__ = ["REMOVED", "TAG", "Redactor"]

REMOVED = "<removed>"
"""What stands for a secret; no check takes it for one."""
_KEPT_HOSTS = ("localhost", "localdomain")
_SECRETS = frozenset(["PF510", "PF511", "PF512", "PF513", "PF514"])
_MANY = 9_000_000
_LONG_SECRET = 6


class _Edit(NamedTuple):
    start: int
    end: int
    new: str
    kind: str


class Redactor:
    """Replaces what names in a text, always by the same; `counts` says how many of each kind so far."""

    def __init__(
        self,
        key: Key,
        names: Names,
        addresses: Addresses,
        macs: Macs,
        *,
        tables: Container[str],
        columns: Container[str],
    ) -> None:
        self._key, self.names, self._addresses, self._macs = key, names, addresses, macs
        self._tables, self._columns = tables, columns
        self.counts: Counter[str] = Counter()
        self.secrets: set[str] = set()
        """Those that were found so far."""
        self.given: set[str] = set()
        """Addresses and MACs that were put in, as they are compared."""

    def text(self, text: str, *, column: str = "", whole: bool = False, secrets: bool = True) -> str:
        """The text, redacted. `column` is what it is the value of; with `whole` a word of the format stays."""
        if not text:
            return text
        return self._apply(text, self._edits(text, column, whole, secrets))

    def value(self, text: str) -> str:
        """What stands for a whole value of a column that names."""
        made = self.names.exact.get(text)
        if made is None:
            return self.loose(text)
        self.counts[self.names.kind_of(text)] += 1
        return made

    def loose(self, text: str, *, column: str = "") -> str:
        """A text that may hold templates: a single word of the format is taken for one."""
        whole = not re.search(r"\s", text)
        if "{{" not in text and "{%" not in text and "{#" not in text:
            return self.text(text, column=column, whole=whole)
        return "".join(
            self._tag(part) if part.startswith(("{{", "{%")) else self.text(part, column=column, whole=False)
            for part in TAG.split(text)
        )

    def note_secret(self, column: str, value: str) -> None:
        """Remember a value that is a secret by what its column is called."""
        if column == "api_key" and not value.startswith("env:"):
            self.secrets.add(value)
        self.secrets.update(value[f.start : f.end] for f in scan(value, name=column) if f.code in _SECRETS)

    def without_secrets(self, text: str) -> str:
        """A redacted text without the secrets that were found elsewhere; short ones could be any word or number."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _LONG_SECRET and secret in text:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", REMOVED, text)
        return text

    # ---- What is replaced ----

    def _apply(self, text: str, edits: Iterator[_Edit]) -> str:
        parts, at = [], 0
        for edit in edits:
            parts += [text[at : edit.start], edit.new]
            at = edit.end
            if edit.new != text[edit.start : edit.end]:
                self.counts[edit.kind] += 1
        return "".join([*parts, text[at:]])

    def _edits(self, text: str, column: str, whole: bool, secrets: bool) -> Iterator[_Edit]:
        at = 0
        for fixed in self._fixed(text, column, secrets):
            if fixed.start < at:
                continue
            yield from self._named(text, at, fixed.start, whole)
            yield fixed
            at = fixed.end
        yield from self._named(text, at, len(text), whole)

    def _named(self, text: str, start: int, end: int, whole: bool) -> Iterator[_Edit]:
        for hit in self.names.find(text, start, end, whole=whole):
            yield _Edit(hit.start, hit.end, hit.new, hit.kind)

    def _fixed(self, text: str, column: str, secrets: bool) -> Iterator[_Edit]:
        """Secrets first: what is in one is not looked at."""
        found = [_Edit(s.start, s.end, self._shape(s), s.kind) for s in shapes(text)]
        if secrets and (column or suspicious(text, orders=False)):
            hidden = [f for f in scan(text, name=column) if f.code in _SECRETS]
            found = [e for e in found if not any(e.start < f.end and f.start < e.end for f in hidden)]
            found += [_Edit(f.start, f.end, REMOVED, "secret") for f in hidden]
            self.secrets.update(text[f.start : f.end] for f in hidden)
        yield from sorted(found)

    def _shape(self, shape: Shape) -> str:
        ways: Mapping[str, Callable[[re.Match[str]], str]] = {
            "ipv4": lambda match: self._ip(plain_address(match[0].partition("/")[0]), match[0], match["dot"]),
            "dashed": lambda match: self._ip(plain_address(match[0]), match[0], match["dash"]),
            "arpa": self._backwards,
            "ipv6": lambda match: self._ip(match[0].partition("/")[0], match[0], ""),
            "mac": self._mac,
            "url": self._url,
            "email": lambda match: f"{self._someone(match['who'], 'user')}@{self._host(match['at'])}",
            "home": lambda match: match["folder"] + self._someone(match["whose"], "user"),
            "uuid": lambda match: self._hex(match[0]),
            "hex": lambda match: self._hex(match[0]),
            "entity": lambda match: f"{match['domain']}.{self._thing(match['object'])}",
            "host": lambda match: self._host(match[0]),
            "phone": self._phone,
        }
        return ways[shape.kind](shape.match)

    def _ip(self, plain: str, written: str, dot: str) -> str:
        """An address; `dot` stands between the parts of an IPv4 address: in a pattern it has a backslash."""
        _, slash, bits = written.partition("/")
        address = ipaddress.ip_address(plain)
        if slash and int(bits) > address.max_prefixlen:
            slash = bits = ""
        made = self._addresses.replace(address, int(bits) if slash else None)
        self.given.add(ipaddress.ip_address(made).compressed)
        if made == address.compressed:
            return written
        return f"{made.replace('.', dot) if dot else made}{slash}{bits}"

    def _backwards(self, match: re.Match[str]) -> str:
        made = self._ip(plain_address(match[0]), "", "")
        return ".".join(made.split(".")[::-1]) + match[0][len(match["backwards"]) - 1 :] if made else match[0]

    def _mac(self, match: re.Match[str]) -> str:
        made = self._macs.replace(match["mac"])
        self.given.add(digits_of(made))
        return made

    def _url(self, match: re.Match[str]) -> str:
        host = match["urlhost"] or ""
        if re.fullmatch(r"\d+(?:\.\d+){3}", host) and all(int(part) < 256 for part in host.split(".")):
            address = ipaddress.ip_address(".".join(str(int(part)) for part in host.split(".")))
            host = self._addresses.replace(address)
            self.given.add(host)
        elif match["scheme"].lower() not in ("file://", "mailto://"):
            host = self._host(host) if host else ""
        account = f"/{self._someone(match['account'], 'user')}" if match["account"] else ""
        return match["scheme"] + host + account

    def _host(self, written: str) -> str:
        """A host's name, label by label; what it ends in stays where it says nothing."""
        bare = written.rstrip(".")
        if is_public_host(bare) or bare.lower() in _KEPT_HOSTS or self.names.is_format(bare):
            return written
        if known := self.names.known(bare):
            return known + written[len(bare) :]
        suffix = split_host(bare)[1]
        labels = (bare[: -len(suffix) - 1] if suffix else bare).split(".")
        if not suffix and len(labels) > 1:
            labels, suffix = labels[:-1], "example"
        made = [self._someone(label, "host" if not at else "name") for at, label in enumerate(labels)]
        return ".".join([*made, *([suffix] if suffix else [])]) + written[len(bare) :]

    def _someone(self, label: str, kind: str) -> str:
        """A label that may be a name that we know."""
        known = self.names.known(label)
        if known:
            return known
        named = self._apply(label, self._named(label, 0, len(label), False))
        return named if named != label else self._unknown(kind, identity(label))

    def _thing(self, thing: str) -> str:
        return (self.names.exact.get(thing) or self.names.known(thing) or self._unknown("entity", thing)).lower()

    def _unknown(self, kind: str, value: str) -> str:
        return f"{kind}{_MANY // 9 + self._key.number('unknown ' + kind, value, _MANY)}"

    def _hex(self, written: str) -> str:
        """The same digits for the same, in the same places."""
        digits = re.sub(r"[^0-9a-f]", "", written.lower().removeprefix("0x"))
        made = f"{self._key.number('hex', digits, 16 ** len(digits)):0{len(digits)}x}"
        made = made.upper() if any(sign in "ABCDEF" for sign in written) else made
        signs = iter(made)
        start = 2 if written[:2].lower() == "0x" else 0
        return written[:start] + "".join(next(signs) if sign in _HEX else sign for sign in written[start:])

    def _phone(self, match: re.Match[str]) -> str:
        number = self._key.number("phone", re.sub(r"\D", "", match[0]), 80_000)
        return f"+1-{200 + number // 100}-555-01{number % 100:02d}"

    # ---- Templates ----

    def _tag(self, tag: str) -> str:
        """An expression: the texts in it, and names behind a dot; what it looks up stays the same."""
        parts, at = [], 0
        for literal in _LITERAL.finditer(tag):
            parts += [self._dotted(tag[at : literal.start()]), self._literal(tag, literal)]
            at = literal.end()
        return "".join([*parts, self._dotted(tag[at:])])

    def _dotted(self, code: str) -> str:
        def named(match: re.Match[str]) -> str:
            made = self.names.exact.get(match[1])
            return match[0] if made is None or match[1] in self.names.reserved else "." + made

        return _DOTTED.sub(named, code)

    def _literal(self, tag: str, literal: re.Match[str]) -> str:
        before, quote = tag[: literal.start()].rstrip(), literal[0][0]
        text = _ESCAPED.sub(lambda sign: _UNESCAPED.get(sign[1], sign[1]), literal[0][1:-1])
        if _TABLE.search(before):
            return literal[0]
        made = self.names.exact.get(text)
        if made is not None and (self._is_looked_up(before, tag[literal.end() :]) or self._is_name(text)):
            self.counts[self.names.kind_of(text)] += 1
            return quote + made + quote
        made = self.text(text, whole=not re.search(r"\s", text), secrets=False)
        return literal[0] if made == text else quote + _quoted(made, quote) + quote

    def _is_looked_up(self, before: str, after: str) -> bool:
        """Whether a text in an expression is a key of a table, or the value of a column that names."""
        if found := _IN.match(after):
            return found[1] in self._tables
        if before.endswith(("==", "!=")):
            return True
        of = _OF.search(before)
        return of is not None and of[1] in (self._tables if of[2] == "[" else self._columns)

    def _is_name(self, text: str) -> bool:
        return text not in self.names.reserved and text not in self.names.untold


_IN = re.compile(r"\s+(?:not\s+)?in\s+(\w+)")
_OF = re.compile(r"(\w+)\s*(\[|=)\Z")
_HEX = frozenset("0123456789abcdefABCDEF")
TAG = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_DOTTED = re.compile(r"(?<=[\w\])])\.([A-Za-z_]\w*)")
_TABLE = re.compile(r"\bone\s*\(\Z")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


def _quoted(text: str, quote: str) -> str:
    text = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
