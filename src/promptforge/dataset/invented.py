"""What is asked about and stands nowhere: values of the same kind as real ones, spelled as they are. Pure."""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from promptforge.model import Fact, Table, canonical, written

__all__ = ["Inventor"]

_FIRST = ("amber", "brass", "cedar", "copper", "dusty", "flint", "gilded", "hollow", "ivory", "mossy", "opal", "velvet")
_LAST = ("anvil", "beacon", "compass", "ferry", "harbour", "kettle", "lantern", "mirror", "otter", "quarry", "thimble")
_PEOPLE = ("Alma", "Benno", "Corin", "Delia", "Edda", "Ferris", "Greta", "Hale", "Ines", "Joris", "Kaja", "Levin")
_TRIES = 20
_PARTS = re.compile(r"(.+)([ _-])(.+)")


class Inventor:
    """Makes values that no fact of any table has, and no value twice."""

    def __init__(self, tables: Mapping[str, Table], *, seed: int) -> None:
        self._tables, self._seed = tables, seed
        self._known: set[object] | None = None
        self._models: dict[tuple[str, str], Sequence[str]] = {}

    def value(self, table: Table, fact: Fact, column: str, taken: set[tuple[str, str, object]]) -> str:
        """One like the fact's own; nothing where none is found. What was taken is not taken again."""
        if self._known is None:
            self._known = {key for one in self._tables.values() for key in _keys_of(one)}
        chance = random.Random(f"{self._seed} {fact.id} {column}")
        like = written(fact.values[column])
        make = _MAKERS.get(table.kind(column))
        for number in range(_TRIES):
            value = make(chance, like) if make else self._name(chance, table, column, like, number)
            key = _folded(canonical(value, table.kind(column)))
            if value and key not in self._known and (table.name, column, key) not in taken:
                taken.add((table.name, column, key))
                return value
        return ""

    def _name(self, chance: random.Random, table: Table, column: str, like: str, number: int) -> str:
        """The beginning of one name with the end of another: nobody sees by its sound that it is none."""
        if table.name == "people" and column in table.key:
            return chance.choice(_PEOPLE)
        entity = table.kind(column) == "entity"
        other = chance.choice(self._of(table, column))
        if number < _TRIES // 2 and (mixed := _mixed(like, other, entity)):
            return mixed
        return _entity(chance, like) if entity else _words(chance, like)

    def _of(self, table: Table, column: str) -> Sequence[str]:
        known = self._models.get((table.name, column))
        if known is None:
            texts = (written(value) for fact in table.facts if (value := fact.values.get(column)) is not None)
            known = self._models[table.name, column] = tuple(dict.fromkeys(texts))
        return known


def _mixed(one: str, other: str, entity: bool) -> str:
    """`light.kitchen_table` and `light.hall_door` make `light.kitchen_door`; of another domain the room is taken."""
    domain, _, rest = one.partition(".") if entity else ("", "", one)
    head, tail = _PARTS.fullmatch(rest), _PARTS.fullmatch(other.partition(".")[2] if entity else other)
    if head is None or tail is None:
        return ""
    if entity:
        same = other.startswith(f"{domain}.")
        return f"{domain}.{head[1]}_{tail[3]}" if same else f"{domain}.{tail[1]}_{head[3]}"
    return f"{head[1]}{head[2]}{tail[3]}"


def _keys_of(table: Table) -> Iterator[object]:
    for fact in table.facts:
        for column, value in fact.values.items():
            kind = table.kind(column)
            for one in value if isinstance(value, list) else [] if value is None else [value]:
                if not isinstance(one, dict):
                    yield _folded(canonical(one, kind))
                    yield _folded(written(one))


def _folded(value: Any) -> object:
    return value.casefold() if isinstance(value, str) else value


# --- by kind ----------------------------------------------------------------------------------------------------------


def _port(chance: random.Random, like: str) -> str:
    near = int(like) + chance.choice([1, -1, 10, -10, 100, 111, 1000, -1000]) if like.isdigit() else 0
    return str(near if 0 < near < 65536 and chance.random() < 0.5 else chance.randrange(1024, 65536))


def _mac(chance: random.Random, like: str) -> str:
    """The last octets changed, spelled like its model."""
    digits = [at for at, char in enumerate(like) if char in "0123456789abcdefABCDEF"]
    if len(digits) != 12:
        return ""
    chars, upper = list(like), any(char.isupper() for char in like)
    for at in digits[-chance.choice([2, 2, 4]) :]:
        digit = f"{chance.randrange(16):x}"
        chars[at] = digit.upper() if upper else digit
    return "".join(chars)


def _ip(chance: random.Random, like: str) -> str:
    head, dot, _ = like.rpartition(".")
    if dot:
        return f"{head}.{chance.randrange(2, 255)}"
    head, colon, _ = like.rpartition(":")
    return f"{head}:{chance.randrange(2, 65535):x}" if colon else ""


def _entity(chance: random.Random, like: str) -> str:
    return f"{like.partition('.')[0]}.{chance.choice(_FIRST)}_{chance.choice(_LAST)}"


def _words(chance: random.Random, like: str) -> str:
    """Two words, written as its model is."""
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    number = f"-{chance.randrange(10, 10_000)}" if any(char.isdigit() for char in like) else ""
    if like[:1].islower():
        return f"{first}-{last}{number}"
    return f"{first.capitalize()} {last.capitalize()}{number.replace('-', ' ')}"


_MAKERS: Mapping[str, Callable[[random.Random, str], str]] = {
    "port": _port,
    "mac": _mac,
    "ip": _ip,
    "tailscale": _ip,
}
