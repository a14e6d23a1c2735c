"""What can be told by its form alone, wherever it stands: addresses, MACs, host names, e-mails, serials, phones."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from promptforge.bench.identifiers import DOMAINS
from promptforge.redaction.macs import digits_of

__all__ = ["HOME_SUFFIXES", "Shape", "is_public_host", "parts_that_stay", "plain_address", "shapes", "split_host"]


class Shape(NamedTuple):
    """Something in a text that names by its form."""

    kind: str
    """ipv4, dashed, arpa, ipv6, mac, url, email, login, home, uuid, hex, entity, host or phone."""
    start: int
    end: int
    match: re.Match[str]


_ALSO_CODE = frozenset(
    [
        "calendar",
        "date",
        "datetime",
        "event",
        "group",
        "image",
        "number",
        "person",
        "select",
        "tag",
        "text",
        "time",
        "todo",
    ]
)
"""Before a dot these are more often Python: an object id behind them counts where it has an underscore."""

HOME_SUFFIXES = (
    *("local", "lan", "home", "home.arpa", "internal", "intranet", "localdomain", "ts.net", "localhost"),
    *("example", "test", "invalid", "arpa"),
)
"""The ends of names that say nothing of whose they are; a server of such a name counts as one at home."""
_PUBLIC = (
    *("openai.com", "anthropic.com", "huggingface.co", "json-schema.org", "schemastore.org", "python.org", "w3.org"),
    *("wikipedia.org", "home-assistant.io", "tailscale.com", "docker.com", "docker.io", "example.com", "example.net"),
    *("example.org", "openrouter.ai", "mistral.ai", "googleapis.com", "ntp.org", "debian.org", "ubuntu.com"),
)
"""Sites that everybody uses."""
_TOP = (
    "ac ae ai app at au be biz blog br ca cc ch click cloud cn co com cz de dev dk edu ee es eu fi fm fr gg gov gr hk"
    " hu ie il in io is it jp kr li link lt lu lv me mil mx net network nl no nz online org pl pro pt ro ru se si"
    " sk space tech tr tv tw ua uk us xyz za"
)
_ENDS = "|".join((*_TOP.split(), *(re.escape(end) for end in HOME_SUFFIXES)))
_CODE = "|".join(sorted(_ALSO_CODE))
_DOMAIN = "|".join(sorted(DOMAINS - _ALSO_CODE))
_CODE_SITE = "(?:" + "|".join(rf"(?<={re.escape(one)})" for one in ("github.com", "gitlab.com", "codeberg.org")) + ")"
"""Where the first part of a path says who."""
_H = "[0-9A-Fa-f]"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_SOURCES: Mapping[str, str] = {
    "url": rf"""(?P<url>(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{{1,20}}://)(?P<login>[^\s/@"'<>\[\]{{}}]{{1,200}}@)?
        (?P<urlhost>{_LABEL}(?:\.{_LABEL})*)?(?:{_CODE_SITE}/(?P<account>[\w.-]+))?)""",
    "email": rf"""(?P<email>(?<![\w.+-])(?P<who>[A-Za-z0-9][\w.+-]{{0,63}})
        @(?P<at>{_LABEL}(?:\.{_LABEL})*)(?![\w@]))""",
    "home": r"""(?P<home>(?P<folder>/home/|/Users/|[\\/]Users[\\/]{1,2})(?P<whose>[A-Za-z0-9_][\w.-]{0,31}))""",
    "uuid": rf"""(?P<uuid>(?<![\w-]){_H}{{8}}-{_H}{{4}}-{_H}{{4}}-{_H}{{4}}-{_H}{{12}}(?![\w-]))""",
    "chain": rf"""(?P<chain>(?<![\w:]){_H}{{2}}(?::{_H}{{2}}){{6,}}(?![\w:]))""",
    "mac": rf"""(?P<mac>(?<![^\W_])(?<![:.-])(?:
        0[xX]{_H}{{12}}(?![^\W_])
      | {_H}{{1,2}}(?::{_H}{{1,2}}){{5}}(?![^\W_]|:)
      | {_H}{{2}}(?P<by>[-_ ]){_H}{{2}}(?:(?P=by){_H}{{2}}){{4}}(?![^\W_]|(?P=by){_H}{{2}}(?![^\W_]))
      | {_H}{{4}}(?P<four>[.:-]){_H}{{4}}(?P=four){_H}{{4}}(?![^\W_]|:|[.-]{_H})
      | (?={_H}{{0,11}}[A-Fa-f])(?={_H}{{0,11}}\d){_H}{{12}}(?![^\W_])))""",
    "ipv6": rf"""(?P<ipv6>(?<![\w:.])(?={_H}{{0,4}}:{_H}{{0,4}}:)(?:{_H}{{1,4}}:|::)(?:{_H}{{1,4}}|:)(?:{_H}|:){{0,34}}
        (?:(?<=\d)(?:\.\d{{1,3}}){{3}})?(?P<bits6>/\d{{1,3}}(?!\w))?(?!\w))""",
    "arpa": r"""(?P<arpa>(?<![\w.])(?P<backwards>(?:\d{1,3}\.){4})(?i:in-addr\.arpa)\.?(?![\w-]))""",
    "ipv4": r"""(?P<ipv4>(?<![\w.])\d{1,3}(?P<dot>\\{0,2}\.)\d{1,3}(?:(?P=dot)\d{1,3}){2}
        (?!\w|\\{0,2}\.\d)(?P<bits4>/\d{1,2}(?![\w.]))?)""",
    "dashed": r"""(?P<dashed>(?<![^\W_])(?<!\d[._-])(?<!\d)\d{1,3}(?P<dash>[-_])\d{1,3}(?:(?P=dash)\d{1,3}){2}
        (?![^\W_])(?![-_.]\d))""",
    "hex": rf"""(?P<hex>(?<![^\W_])(?:0x)?(?={_H}*[A-Fa-f])(?={_H}*\d){_H}{{16,}}(?![^\W_]))""",
    "entity": rf"""(?P<entity>(?<![\w.])(?P<domain>(?:{_CODE})(?=\.\w*_)|(?:{_DOMAIN}))
        \.(?P<object>[a-z0-9_]+)(?![\w(]|\.\w))""",
    "host": rf"""(?P<host>(?<![\w.@/-])(?:{_LABEL}\.){{1,8}}(?i:{_ENDS})\.?(?![\w-]|\.\w|\())""",
    "phone": r"""(?P<phone>(?<![\w+])\+\d[\d()\x20./-]{6,18}\d(?!\w))""",
}
"""In order: of two that begin at one place the first is meant, unless its proof fails."""
_SHAPE = re.compile("|".join(_SOURCES.values()), re.VERBOSE)
_ONE = {kind: re.compile(source, re.VERBOSE) for kind, source in _SOURCES.items()}
_LIKELY = re.compile(r"[.:@+_/-]|[0-9A-Fa-f]{12}")
_CODE_FILE = re.compile(r"\.(?:c|cc|h|js|json|md|pl|py|rs|sh|so|toml|txt|yaml|yml|j2)\Z")


def shapes(text: str) -> Iterator[Shape]:
    """Everything that names by its form, in order; none overlap.

    >>> [one.kind for one in shapes("ssh mara@nas.manor.lan, 192.0.2.7 (00:00:5E:00:53:21), light.hall at 10:30:15")]
    ['email', 'ipv4', 'mac', 'entity']
    """
    if not _LIKELY.search(text):
        return
    at = 0
    while match := _SHAPE.search(text, at):
        proven = _proven(match)
        if proven:
            yield proven
            at = proven.end
        else:
            at = _after(match)


def _proven(match: re.Match[str]) -> Shape | None:
    """The first kind at a place whose proof holds: four groups of a MAC may be those of an address."""
    kinds = list(_SOURCES)
    first = next(number for number, kind in enumerate(kinds) if match[kind] is not None)
    for kind in kinds[first:]:
        found = match if kind == kinds[first] else _ONE[kind].match(match.string, match.start())
        if found and _PROOFS.get(kind, bool)(found):
            return Shape("hex" if kind == "chain" else kind, found.start(), found.end(), found)
    return None


def _after(match: re.Match[str]) -> int:
    """Where to go on after something that only looked like one: at the next word, for in it may be a name."""
    word = _WORD.match(match.string, match.start())
    return word.end() if word else match.end()


_WORD = re.compile(r"\w*\W|\w+\Z")


def plain_address(written: str) -> str:
    """An IPv4 address as it is compared: without leading zeros, and whatever its dots are written as.

    >>> plain_address("192_0_2_021"), plain_address("21.2.0.192.in-addr.arpa")
    ('192.0.2.21', '192.0.2.21')
    """
    parts = re.findall(r"\d+", written)
    return ".".join(str(int(part)) for part in (parts[::-1] if written.lower().rstrip(".").endswith("arpa") else parts))


def _is_address(match: re.Match[str]) -> bool:
    groups_of = match.re.groupindex
    if "ipv4" in groups_of and match["ipv4"]:
        return all(int(part) < 256 for part in match["ipv4"].replace("\\", "").split("/")[0].split("."))
    written = match["ipv6"].split("/")[0]
    try:
        ipaddress.IPv6Address(written)
    except ValueError:
        return False
    groups = [group for group in written.split(":") if group]
    return len(groups) > 3 or len(groups[0] if groups else "") > 2  # `a::b` and `[::2]` are code


_AT_HOME = tuple(
    ipaddress.IPv4Network(net)
    for net in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "198.18.0.0/15"),
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
    )
)
_SAYS_IP = re.compile(r"(?i:(?<![^\W_])(?:ip|ipv4|addr|address|host)[-_])\Z")


def _is_dashed(match: re.Match[str]) -> bool:
    """`ip-192-0-2-21` and `192_0_2_21`: four numbers with dashes may be anything, so an `ip-` or a house's network."""
    parts = re.split("[-_]", match["dashed"])
    if not all(int(part) < 256 for part in parts):
        return False
    address = ipaddress.IPv4Address(".".join(str(int(part)) for part in parts))
    before = match.string[max(0, match.start() - 10) : match.start()]
    return any(address in net for net in _AT_HOME) or _SAYS_IP.search(before) is not None


def _is_backwards(match: re.Match[str]) -> bool:
    return all(int(part) < 256 for part in match["backwards"].strip(".").split("."))


def _is_entity(match: re.Match[str]) -> bool:
    thing = str(match["object"])
    return not (thing.startswith("_") or thing.endswith("_") or _CODE_FILE.search(match[0]))


def _is_mac(match: re.Match[str]) -> bool:
    digits = digits_of(match["mac"])
    return len(digits) == 12 and len(set(digits)) > 1 and digits[1] in "02468ace"


def _is_phone(match: re.Match[str]) -> bool:
    return 8 <= sum(sign.isdigit() for sign in str(match["phone"])) <= 15


def split_host(name: str) -> tuple[list[str], str]:
    """The labels of a host's name that may say whose it is, and the end that says nothing.

    >>> split_host("nas.manor.lan"), split_host("nas.manor.net")
    ((['nas', 'manor'], 'lan'), (['nas', 'manor', 'net'], ''))
    """
    bare = name.lower().rstrip(".")
    end = next((end for end in _LONGEST_FIRST if bare.endswith("." + end)), "")
    return (bare[: -len(end) - 1] if end else bare).split("."), end


_LONGEST_FIRST = sorted(HOME_SUFFIXES, key=len, reverse=True)


def parts_that_stay(text: str) -> Iterator[tuple[int, int]]:
    """Of what names by its form the parts that do not: the scheme, the domain of an entity, the end of a host."""
    for one in shapes(text):
        match = one.match
        if one.kind == "entity":
            yield match.span("domain")
        elif one.kind == "home":
            yield match.span("folder")
        elif one.kind in ("url", "host", "email"):
            group = {"url": "urlhost", "host": "host", "email": "at"}[one.kind]
            if one.kind == "url":
                yield match.span("scheme")
            if name := match[group]:
                end = len(name) if is_public_host(name) else len(split_host(name)[1]) + name.endswith(".")
                yield match.end(group) - end, match.end(group)


def is_public_host(name: str) -> bool:
    """Whether a host's name is one of a site that everybody uses."""
    name = name.lower().rstrip(".")
    return any(name == one or name.endswith("." + one) for one in _PUBLIC)


_PROOFS: Mapping[str, Callable[[re.Match[str]], bool]] = {
    "ipv4": _is_address,
    "dashed": _is_dashed,
    "arpa": _is_backwards,
    "ipv6": _is_address,
    "entity": _is_entity,
    "mac": _is_mac,
    "phone": _is_phone,
}
