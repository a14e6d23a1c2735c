"""Where a reader puts what it sees, until it is one observation: keys made unique, what was passed over counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptforge.compiler.builtin import DEFAULTS, KEYS
from promptforge.sources.base import Observation, Seen, SourceError
from promptforge.sources.clean import clean
from promptforge.sources.dump import shown, wrong
from promptforge.sources.marks import Mac

__all__ = ["Gathering", "day_of", "fields", "identity_of"]

_MOST_NAMED = 6


class Gathering:
    """The facts of one reading."""

    def __init__(self, source: str, files: Sequence[Path]) -> None:
        if not files:
            raise SourceError(f"no file was given for {source}", hint="name the file that holds the dump")
        self.source, self.files = source, tuple(files)
        self._seen: list[Seen] = []
        self._hosts: dict[str, int] = {}
        self._notes: dict[str, None] = {}
        self._passed: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._unknown: dict[str, Counter[str]] = {}

    def add(self, seen: Seen) -> None:
        """Take a fact."""
        if seen.table == "hosts":
            self._hosts.setdefault(seen.key, len(self._seen))
        self._seen.append(seen)

    def port(self, host: str, port: int, proto: str, *, place: str, **more: Any) -> None:
        """Take a fact of `ports`: the key and the key's columns are written here."""
        plain = proto == DEFAULTS["ports"]["proto"]
        values = {"host": host, "port": port} if plain else {"host": host, "port": port, "proto": proto}
        key = f"{host}:{port}" if plain else f"{host}:{port}:{proto}"
        self.add(Seen(table="ports", key=key, values=values, identity=(("port", key),), place=place, **more))

    def host(self, name: str, *, place: str, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Take a host once, so that the facts which name it find it; one that is no noise goes before one that is."""
        made = Seen(table="hosts", key=name, values={"name": name, **(values or {})}, place=place, **more)
        known = self._hosts.get(name)
        if known is None:
            self.add(made)
        elif self._seen[known].noise and not made.noise:
            self._seen[known] = made

    def note(self, words: str) -> None:
        """Say something to the person, once."""
        self._notes[words] = None

    def pass_over(self, what: str, place: str = "") -> None:
        """Count something that no fact was made of; `what` in the plural: "lines without a MAC"; and its place."""
        self._passed[what] += 1
        if place:
            self._first.setdefault(what, place)

    def unknown(self, what: str, fields: Iterable[str], known: frozenset[str]) -> None:
        """Remember fields that no known version has."""
        more = [name for name in fields if name not in known]
        if more:
            self._unknown.setdefault(what, Counter()).update(more)

    def observation(
        self,
        *,
        whole: Iterable[str] = (),
        at: str = "",
        within: Mapping[str, Mapping[str, frozenset[str]]] | None = None,
    ) -> Observation:
        """All of it. Raises SourceError where there is not one fact: an empty dump is a fault of its making."""
        if not self._seen:
            passed = "; ".join(self._passed_over())
            raise wrong(self.source, self.files[0], found=f"no fact in it{f' ({passed})' if passed else ''}")
        return Observation(
            source=self.source,
            files=tuple(shown(path) for path in self.files),
            seen=tuple(_with_unique_keys(self._seen, self.note)),
            at=at,
            whole=frozenset(whole),
            notes=(*self._notes, *self._passed_over(), *self._unknown_fields()),
            within=within or {},
        )

    def _passed_over(self) -> tuple[str, ...]:
        return tuple(
            f"passed over {what}: {count:,}" + (f" (the first: {self._first[what]})" if what in self._first else "")
            for what, count in sorted(self._passed.items())
        )

    def _unknown_fields(self) -> tuple[str, ...]:
        return tuple(
            f"{what}: fields that are not known here were not read: {_listed(names)}"
            for what, names in sorted(self._unknown.items())
        )


def _listed(names: Counter[str]) -> str:
    first = [clean(name, limit=40).text or "?" for name in sorted(names)[:_MOST_NAMED]]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more:,} more" if more else "")


def identity_of(
    *pairs: tuple[str, str], mac: Mac | None = None, addresses: Iterable[str] = ()
) -> tuple[tuple[str, str], ...]:
    """What stays, the surest first: the source's own ids, then the MAC, then addresses; what is empty is left out."""
    made = [pair for pair in pairs if pair[1]]
    if mac:
        made.append(("mac", mac.digits))
    made.extend(("ip", address) for address in addresses if address)
    return tuple(made)


def fields(names: str) -> frozenset[str]:
    """The fields that are known of a format, from one text."""
    return frozenset(names.split())


def day_of(raw: object) -> str:
    """The day of a time, as a number of seconds or as ISO 8601; empty where there is none."""
    import datetime

    if isinstance(raw, str) and raw.isascii() and raw.isdigit():
        raw = int(raw)
    try:
        if isinstance(raw, (int, float)) and not isinstance(raw, bool) and raw > 0:
            return datetime.datetime.fromtimestamp(raw, tz=datetime.UTC).date().isoformat()
        if isinstance(raw, str) and len(raw) >= 10 and not raw.startswith("0001"):
            return datetime.date.fromisoformat(raw[:10]).isoformat()
    except (ValueError, OverflowError, OSError):
        pass
    return ""


# ---- Unique keys -----------------------------------------------------------------------------------------------------


def _with_unique_keys(seen: Sequence[Seen], note: Any) -> Iterable[Seen]:
    """Things of one name get the end of what tells them apart beside it: `iPhone (53:21)`.

    A thing that is left out as noise takes no name away from one that is not.
    """
    groups: dict[tuple[str, str], list[Seen]] = {}
    for fact in seen:
        groups.setdefault((fact.table, fact.key), []).append(fact)
    taken = set(groups)
    for (table, key), group in groups.items():
        if len(group) == 1:
            yield group[0]
            continue
        told = list({fact.identity or (("place", fact.place),): fact for fact in reversed(group)}.values())[::-1]
        if len(KEYS.get(table, ())) != 1 or table == "entities":
            note(f"{table} {key} is there {len(group)} times; the first was taken")
            yield group[0]
            continue
        plain = [fact for fact in told if not fact.noise]
        for fact in told:
            yield fact if len(plain) == 1 and fact is plain[0] else _renamed(fact, taken)


def _renamed(fact: Seen, taken: set[tuple[str, str]]) -> Seen:
    mark = fact.identity[0][1] if fact.identity else ""
    digits = next((value for kind, value in fact.identity if kind == "mac"), "")
    tail = f"{digits[8:10]}:{digits[10:]}" if digits else clean(mark if ":" in mark else mark[-8:]).text
    name, count = f"{fact.key} ({tail})" if tail else fact.key, 2
    while (fact.table, name) in taken:
        name, count = f"{fact.key} ({tail or ''}{' ' if tail else ''}{count})", count + 1
    taken.add((fact.table, name))
    return replace(fact, key=name, values={**fact.values, KEYS[fact.table][0]: name})
