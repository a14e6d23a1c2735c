"""What a row is made from: an agent as its prompt is, and one thing that can be asked of it in several ways."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from promptforge.dataset.phrasings import Pair
from promptforge.dataset.rows import Kind
from promptforge.model import Fact, Table, written

__all__ = ["Learner", "Seed", "called", "column_words", "table_words", "with_article"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learner:
    """An agent of a recipe, as it is compiled for the model that is trained."""

    name: str
    role: str | None
    persona: str
    persona_place: tuple[str, int]
    """File and line."""
    system: str
    """The system prompt of its rows, byte for byte."""
    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Fact id to the columns of it that stand in the agent's prompt: it is taught nothing else."""

    @property
    def as_text(self) -> tuple[str, str | None]:
        """What a text calls `agent`."""
        return self.name, self.role


class Seed(NamedTuple):
    """One thing that can be asked of one agent; each wording of it is a row."""

    kind: Kind
    category: str
    direction: str
    learner: Learner
    pair: Pair
    fact: Fact | None = None
    other: Fact | None = None
    """The twin, or the fact behind the reference."""
    column: str = ""
    """What is asked for: a column of the fact, in a hop of the other."""
    via: str = ""
    """A hop's reference."""
    clue: str = ""
    """The column that a hop starts from, where it is not the fact's name."""
    value: str = ""
    """What is asked about where no fact has it."""
    names: Mapping[str, str] | None = None
    """Of an identity: what its texts may use. Of a fact these are made when they are needed."""
    file: str = ""
    line: int = 0
    topics: frozenset[str] = frozenset()
    """Categories of a suite that it surely trains, besides those that its fact's column belongs to."""

    @property
    def identity(self) -> str:
        """What tells it from every other seed; its wording comes on top."""
        facts = [fact.id if fact else "" for fact in (self.fact, self.other)]
        parts = [self.kind, self.direction, self.learner.name, *facts, self.column, self.via, self.clue, self.value]
        return "\x1f".join(parts if self.fact or self.value else [*parts, f"{self.file}:{self.line}"])


# --- words ------------------------------------------------------------------------------------------------------------

_WORDS = {
    "lan_ip": "LAN address",
    "tailscale_ip": "Tailscale address",
    "public_ip": "public address",
    "ip": "address",
    "ipv6": "IPv6 address",
    "mac": "MAC address",
    "os": "operating system",
    "ssh": "SSH alias",
    "entity_id": "entity id",
    "dns": "DNS name",
    "id": "id",
    "proto": "protocol",
    "led_by": "leader",
    "paid_by": "payer",
    "owned_by": "owner",
    "notes": "note",
}


_NO_NOUN = frozenset(
    [
        *("after", "at", "before", "bring", "brings", "by", "called", "contains", "covers", "does", "from", "has"),
        *("holds", "how", "in", "is", "knows", "listens", "needs", "of", "often", "on", "owns", "requires", "runs"),
        *("serves", "since", "speaks", "to", "until", "up", "used", "uses", "via", "what", "when", "where", "which"),
        *("who", "why", "with"),
    ]
)
"""A column that begins or ends so cannot be had: "the requires of LEET" is no English."""
_MONEY = ("chf", "dkk", "eur", "gbp", "nok", "sek", "usd")
_AN = frozenset(["FTP", "HTTP", "HTTPS", "LDAP", "MQTT", "NTP", "SMB", "SQL", "SSH", "SSL", "XML", "hour", "honest"])
_A = ("eu", "one", "uni", "use", "usu", "uti", "UDP", "UID", "URI", "URL", "USB", "UUID")


@cache
def column_words(column: str) -> str:
    """A column as a person calls it; in quotes where it is no noun.

    >>> column_words("lan_ip"), column_words("amount_eur"), column_words("measured_by")
    ('LAN address', 'amount in EUR', '"measured by"')
    """
    head, _, unit = column.rpartition("_")
    if head and unit in _MONEY:
        return f"{head.replace('_', ' ')} in {unit.upper()}"
    words = _WORDS.get(column) or column.replace("_", " ")
    edges = words.split()[:1] + words.split()[-1:]
    return f'"{words}"' if not _NO_NOUN.isdisjoint(edges) else words


@cache
def with_article(words: str) -> str:
    """Words with the `a` or `an` that is said before them.

    >>> with_article("SSH alias"), with_article("MAC address"), with_article("entity id"), with_article("user")
    ('an SSH alias', 'a MAC address', 'an entity id', 'a user')
    """
    bare = words.strip('"')
    vowel = bare[:1] in "aeiouAEIOU" and not bare.startswith(_A)
    return f"{'an' if vowel or bare.split(' ')[0] in _AN else 'a'} {words}"


@cache
def table_words(table: str) -> str:
    """A table as a person calls it."""
    return f"{table.replace('_', ' ')} table"


def called(fact: Fact, table: Table) -> str:
    """What a fact is called in a sentence: by its key."""
    values = fact.values
    if fact.table == "ports" and values.get("host") is not None:
        proto = written(values.get("proto"))
        return f"port {written(values.get('port'))} of {written(values['host'])}" + (
            f" ({proto})" if proto not in ("", "tcp") else ""
        )
    if len(table.key) == 1:
        name = written(values.get(table.key[0]))
        return f"the SSH alias {name}" if fact.table == "ssh" else name
    return " / ".join(written(values[column]) for column in table.key if values.get(column) is not None)
