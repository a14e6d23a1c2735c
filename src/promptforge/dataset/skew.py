"""Which facts and identifiers many rows rest on: a model trained on them answers these whatever it is asked. Pure."""

from collections import Counter
from collections.abc import Iterable

from promptforge.dataset.findings import Skewed
from promptforge.dataset.naming import THINGS, Namer, Names
from promptforge.model import written

__all__ = ["Skew"]

_MOST_KEPT = 200_000
_SHOWN = 10


class Skew:
    """Counts rows by what they rest on, in bounded memory: of very many names those seen once are forgotten."""

    def __init__(self, namer: Namer) -> None:
        self._namer = namer
        self._rows: Counter[str] = Counter()
        self._refs: dict[str, frozenset[str]] = {}
        self._forgot = 0

    def see(self, told: Iterable[str] | None, asked: Names, said: Names, *, speaks: bool = True) -> None:
        """One more row; `told` are the facts that it says itself that it rests on, None where it says nothing.

        One that is of no knowledge (`speaks` is false: who somebody is, a refusal) rests on what it gives identifiers
        of, and not on everybody whom it mentions: so the rows that are made here are counted, too.
        """
        rests = set(told) if told is not None else self._rests(asked, said, speaks)
        self._rows.update(rests)
        if len(self._rows) > _MOST_KEPT:
            self._forgot += 1
            self._rows = Counter({name: n - 1 for name, n in self._rows.items() if n > 1})

    def _rests(self, asked: Names, said: Names, speaks: bool = True) -> set[str]:
        sure = asked.sure | said.sure
        facts = {place.fact for place in sure if speaks or self._namer.is_identifier(place)}
        for fact in tuple(facts):
            facts -= self._referred(fact)  # a port on the mini rests on the port, not on the mini
        unknown = {
            f"{one.kind} {one.value}"
            for names in (asked, said)
            for one in names.found
            if one.kind in THINGS and (one.kind, one.value) not in self._namer.things
        }
        return facts | unknown

    def _referred(self, fact: str) -> frozenset[str]:
        known = self._refs.get(fact)
        if known is None:
            record = self._namer.facts[fact]
            columns = self._namer.tables[record.table].columns
            refs = ((columns[name].ref, value) for name, value in record.values.items() if name in columns)
            known = self._refs[fact] = frozenset(f"{ref}/{written(value)}" for ref, value in refs if ref)
        return known

    def top(self, rows: int) -> tuple[Skewed, ...]:
        """The most frequent."""
        ranked = sorted(self._rows.items(), key=lambda one: (-one[1], one[0]))[:_SHOWN]
        return tuple(
            Skewed(name, count + self._forgot, (count + self._forgot) / rows) for name, count in ranked if rows
        )
