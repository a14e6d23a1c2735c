"""Tables, facts and the agent as a text sees them: views that note every access.

They have no public attribute of their own: `fact.items` is the column `items`. Looking a fact up by key, or with `one`,
shows nothing of it; reading a column, looping and counting do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptforge.model import Fact, Table, canonical, written
from promptforge.source import did_you_mean

__all__ = [
    "MAX_OUTPUT",
    "MAX_STEPS",
    "AgentView",
    "FactView",
    "Finder",
    "Record",
    "RuntimeName",
    "TableView",
    "TextError",
    "Unset",
    "stands",
]

MAX_OUTPUT = 1_000_000
"""Characters that one text may render to."""
MAX_STEPS = 200_000
"""Items of `range` and of tables that one text may run through."""


class TextError(Exception):
    """A text cannot be rendered: where in it (line from 1, and the template's file if another), what, and a hint.

    Without a code it is the consequence of something already said: a file of knowledge that cannot be read.
    """

    def __init__(self, code: str, message: str, *, hint: str = "", line: int = 1, template: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.line, self.template = code, message, hint, line, template


def _code(code: str, table: Table) -> str:
    return "" if table.partial else code


@dataclass(slots=True)
class Record:
    """What one rendering has read so far."""

    seen: dict[str, Fact] = field(default_factory=dict)
    reads: dict[str, None] = field(default_factory=dict)
    of_agent: bool = False
    steps: int = 0
    used: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    """(fact id, column) to its value and how often it was read, other than to look another fact up by it."""

    def step(self, count: int = 1) -> None:
        """Count items that the text runs through; raises TextError when they are too many."""
        self.steps += count
        if self.steps > MAX_STEPS:
            raise TextError("PF405", f"the text runs through more than {MAX_STEPS:,} items", hint="loop over less")

    def use(self, fact: str, column: str, value: object) -> None:
        """Note that a value was read."""
        known = self.used.setdefault((fact, column), [value, 0])
        known[1] += 1

    def look_up(self, wanted: object) -> None:
        """Note that a fact is looked up by this very value: it was read as a step on the way, not as an answer."""
        for known in reversed(self.used.values()):
            value = known[0]
            if known[1] > 0 and any(one is wanted for one in (value if isinstance(value, list) else [value])):
                known[1] -= 1
                return

    def printed(self, text: str) -> tuple[tuple[str, str], ...]:
        """The values that were read and stand in the text."""
        if not self.used:
            return ()
        folded = text.casefold()
        return tuple(place for place, (value, times) in self.used.items() if times > 0 and stands(value, folded))


def stands(value: object, folded: str) -> bool:
    """Whether a folded text names a value: as a word of its own; a number not as a part of an address."""
    if isinstance(value, (list, tuple)):
        return any(stands(one, folded) for one in value)
    words = written(value).strip().casefold()
    at = folded.find(words) if words else -1
    while at >= 0:
        if _apart(folded, at, at + len(words), number=words.isdigit()):
            return True
        at = folded.find(words, at + 1)
    return False


def _apart(text: str, start: int, end: int, *, number: bool) -> bool:
    # By hand: a pattern for each value of a million rows would be compiled anew each time.
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if before == "_" or after == "_" or before.isalnum() or after.isalnum():
        return False
    if not number:
        return True
    in_address = before == "." or text[max(0, start - 2) : start] == "::"
    return not in_address and not (after == "." and text[end + 1 : end + 2].isdecimal())


class Unset:
    """An unset column: none in every test, an error when printed."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Unset)

    def __hash__(self) -> int:
        return hash(None)

    def __str__(self) -> str:
        raise TextError(
            "PF404", f"{self._name} is not set, so it cannot be printed", hint="set it, or test it first: {% if … %}"
        )

    __repr__ = __str__


class RuntimeName:
    """A name that the consumer fills at request time: it comes out as `{{ name }}`.

    It is there, so it is true; what it will be, no text can know.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def _refuse(self, *_: object) -> bool:
        hint = f"only print it: {{{{ {self._name} }}}}"
        raise TextError("PF405", f"'{self._name}' is known only at request time", hint=hint)

    __eq__ = __lt__ = __gt__ = __contains__ = _refuse
    __len__ = __iter__ = __getitem__ = __str__ = __repr__ = _refuse  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return True

    def literal(self) -> str:
        """What the consumer finds."""
        return f"{{{{ {self._name} }}}}"


class FactView:
    """A fact as a text sees it: `fact.x` and `fact['x']` are always the column x."""

    __slots__ = ("_fact", "_record", "_table")

    def __init__(self, fact: Fact, table: Table, record: Record) -> None:
        self._fact, self._table, self._record = fact, table, record

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # Python and Jinja ask for protocols; a column never starts so
        return self[name]

    def __getitem__(self, name: object) -> object:
        fact, table = self._fact, self._table
        self._record.seen[fact.id] = fact
        if name in table.columns:
            value = fact.values.get(str(name))
            if value is not None:
                self._record.use(fact.id, str(name), value)
            return Unset(f"the column '{name}' of {table.name} '{fact.key}'") if value is None else value
        hint = did_you_mean(str(name), table.columns)
        raise TextError(_code("PF303", table), f"{table.name} has no column '{name}'", hint=hint)

    def __eq__(self, other: object) -> bool:
        # Which of two facts a search found says something of both.
        for view in (self, other):
            if isinstance(view, FactView):
                self._record.seen[view._fact.id] = view._fact
        return isinstance(other, FactView) and other._fact is self._fact

    def __hash__(self) -> int:
        self._record.seen[self._fact.id] = self._fact
        return hash(self._fact.id)

    def __str__(self) -> str:
        hint = f"name one: .{self._table.key[0]}"
        raise TextError("PF405", f"a whole fact of {self._table.name} cannot be printed, only a column", hint=hint)

    __repr__ = __str__


class TableView:
    """A table as a text sees it: by key, or as a sequence of facts."""

    __slots__ = ("_record", "_table")

    def __init__(self, table: Table, record: Record) -> None:
        self._table, self._record = table, record

    def _find(self, key: object) -> Fact | None:
        fact = self._table.by_key.get(written(key))
        self._record.look_up(key)
        self._record.reads[fact.id if fact else f"{self._table.name}/{written(key)}"] = None
        return fact

    def __getitem__(self, key: object) -> FactView:
        fact = self._find(key)
        if fact is None:
            hint = did_you_mean(written(key), self._table.by_key)
            raise TextError(_code("PF301", self._table), f"no '{written(key)}' in {self._table.name}", hint=hint)
        return FactView(fact, self._table, self._record)

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not None

    def __iter__(self) -> Iterator[FactView]:
        self._see_all()
        for fact in self._table.facts:
            self._record.step()
            yield FactView(fact, self._table, self._record)

    def __reversed__(self) -> "Iterator[FactView]":
        return iter([*self][::-1])

    def __len__(self) -> int:
        self._see_all()
        return len(self._table.facts)

    def _see_all(self) -> None:
        self._record.reads[f"table:{self._table.name}"] = None
        for fact in self._table.facts:
            self._record.seen[fact.id] = fact

    def __str__(self) -> str:
        hint = "loop over it, or name one: one('…', …)"
        raise TextError("PF405", f"the whole table {self._table.name} cannot be printed", hint=hint)

    __repr__ = __str__


class AgentView:
    """`agent.name` and `agent.role`."""

    __slots__ = ("_record", "_values")

    def __init__(self, name: str, role: str | None, record: Record) -> None:
        self._values, self._record = {"name": name, "role": role}, record

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # Python and Jinja ask for protocols; a column never starts so
        return self[name]

    def __getitem__(self, name: object) -> object:
        self._record.of_agent = True
        if name not in self._values:
            raise TextError("PF303", f"agent has no '{name}'", hint="there are agent.name and agent.role")
        value = self._values[str(name)]
        return Unset(f"the role of agent '{self._values['name']}'") if value is None else value

    def __str__(self) -> str:
        raise TextError("PF405", "an agent cannot be printed, only its name or role", hint="write agent.name")

    __repr__ = __str__


class Finder:
    """Finds facts by their columns; each column that is asked for is gone through once."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._columns: dict[tuple[str, str], dict[object, list[Fact]]] = {}

    def one(self, record: Record, table: object, wanted: Mapping[str, object]) -> FactView:
        """The only fact of a table that matches; the search itself shows nothing of the facts it passes over."""
        if isinstance(table, TableView):
            table = table._table.name
        if not isinstance(table, str) or table not in self._tables:
            raise TextError("PF302", f"no table '{table}'", hint=did_you_mean(str(table), self._tables))
        found = self._tables[table]
        _look_up(record, found, wanted)
        (column, value), *others = wanted.items()
        some = self._column(found, column).get(_asked(value, found.kind(column)), ())
        matches = [
            fact for fact in some if all(_asked(v, found.kind(c)) in _keys(fact, c, found.kind(c)) for c, v in others)
        ]
        record.reads[f"table:{table}"] = None
        if len(matches) != 1:
            raise _not_one(found, wanted, matches)
        record.reads[matches[0].id] = None
        return FactView(matches[0], found, record)

    def _column(self, table: Table, column: str) -> Mapping[object, list[Fact]]:
        known = self._columns.get((table.name, column))
        if known is None:
            known = self._columns[table.name, column] = {}
            for fact in table.facts:
                for key in dict.fromkeys(_keys(fact, column, table.kind(column))):
                    known.setdefault(key, []).append(fact)
        return known


def _keys(fact: Fact, column: str, kind: str) -> list[object]:
    """What a fact is found by: a list by each of its items."""
    value = fact.values.get(column)
    return [canonical(item, kind) for item in value] if isinstance(value, list) else [canonical(value, kind)]


def _asked(value: object, kind: str) -> object:
    return canonical(None if isinstance(value, Unset) else value, kind)


def _look_up(record: Record, found: Table, wanted: Mapping[str, object]) -> None:
    """Note the values that are asked for; raises TextError where the question itself is wrong."""
    table = found.name
    if not wanted:
        raise TextError("PF403", f"one('{table}') says not which", hint=f"one('{table}', {found.key[0]}='…')")
    for column, value in wanted.items():
        record.look_up(value)
        if column not in found.columns:
            hint = did_you_mean(column, found.columns)
            raise TextError(_code("PF303", found), f"{table} has no column '{column}'", hint=hint)


def _not_one(found: Table, wanted: Mapping[str, object], matches: Sequence[Fact]) -> TextError:
    asked = ", ".join(f"{column}={written(value)!r}" for column, value in wanted.items())
    if matches:
        keys = ", ".join(f"'{fact.key}'" for fact in matches[:4]) + ("…" if len(matches) > 4 else "")
        message = f"one('{found.name}', {asked}) matches {len(matches)} facts: {keys}"
        hint = "add a column that tells them apart"
    else:
        column, value = next(iter(wanted.items()))
        message = f"one('{found.name}', {asked}) matches no fact"
        hint = did_you_mean(written(value), {written(fact.values.get(column)) for fact in found.facts} - {""})
    return TextError(_code("PF403", found), message, hint=hint)
