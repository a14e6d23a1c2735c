"""The facts of two artifacts -> those that differ, by key and column, not by line."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from promptforge.artifact import Artifact, FactRecord

__all__ = ["Change", "FactChange", "changed_facts"]

Change = Literal["added", "removed", "changed", "renamed", "moved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChange:
    """One fact that differs."""

    table: str
    key: str
    change: Change
    """`moved`: the order of the table's facts changed, `key` is then empty."""
    old_key: str = ""
    """Of a renamed fact."""
    columns: Mapping[str, tuple[str | None, str | None]]
    """Column to its value before and after; of an added or removed fact all; none where only their order differs."""
    file: str = ""
    line: int = 0

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that segments of either side may rest on."""
        keys = dict.fromkeys((self.key, self.old_key))
        return tuple(f"{self.table}/{key}" for key in keys if key)


def changed_facts(old: Artifact, new: Artifact, unread: Collection[str]) -> Iterator[FactChange]:
    """The facts that differ. What only an unread file could say is unknown: neither added nor removed."""
    added = {id_: fact for id_, fact in new.facts.items() if id_ not in old.facts and fact.file not in unread}
    removed = {id_: fact for id_, fact in old.facts.items() if id_ not in new.facts and fact.file not in unread}
    renamed = dict(_renamed(removed, added)) if added and removed else {}
    for id_, fact in new.facts.items():
        before = old.facts.get(id_)
        # Columns in another order are a change, too: the order of a table's columns follows it.
        if before is not None and [*before.values.items()] != [*fact.values.items()]:
            yield _change(id_, "changed", before, fact)
        elif id_ in added and id_ not in renamed.values():
            yield _change(id_, "added", None, fact)
        elif id_ in added:
            old_id = next(o for o, n in renamed.items() if n == id_)
            yield _change(id_, "renamed", removed[old_id], fact, old_key=old_id.split("/", 1)[1])
    for id_, fact in removed.items():
        if id_ not in renamed:
            yield _change(id_, "removed", fact, None)
    yield from _moved(old, new)


def _change(
    id_: str, change: Change, before: FactRecord | None, after: FactRecord | None, old_key: str = ""
) -> FactChange:
    table, key = id_.split("/", 1)
    old_values = before.values if before else {}
    new_values = after.values if after else {}
    columns = {
        column: (_text(old_values.get(column)), _text(new_values.get(column)))
        for column in dict.fromkeys((*old_values, *new_values))
        if old_values.get(column) != new_values.get(column) or before is None or after is None
    }
    where = after or before
    assert where is not None
    return FactChange(
        table=table, key=key, change=change, old_key=old_key, columns=columns, file=where.file, line=where.line
    )


def _text(value: str | list[str] | None) -> str | None:
    return ", ".join(value) if isinstance(value, list) else value


def _renamed(removed: Mapping[str, FactRecord], added: Mapping[str, FactRecord]) -> Iterator[tuple[str, str]]:
    """Pairs of a removed and an added fact of one table that are the same fact under another key.

    They share most columns; the most alike pair first, each fact in one pair only.
    """
    by_value: dict[tuple[str, str, str], list[str]] = {}
    for id_, fact in added.items():
        for column, value in fact.values.items():
            by_value.setdefault((id_.split("/", 1)[0], column, str(value)), []).append(id_)
    scores: list[tuple[float, str, str]] = []
    for old_id, fact in removed.items():
        table = old_id.split("/", 1)[0]
        shared: dict[str, int] = {}
        for column, value in fact.values.items():
            if value is not None:
                for new_id in by_value.get((table, column, str(value)), ())[:50]:
                    shared[new_id] = shared.get(new_id, 0) + 1
        for new_id, count in shared.items():
            size = max(len(fact.values), len(added[new_id].values))
            if count / size > 0.5 or (count / size == 0.5 and size == 2):
                scores.append((-count / size, old_id, new_id))
    used: set[str] = set()
    for _, old_id, new_id in sorted(scores):
        if old_id not in used and new_id not in used:
            used.update((old_id, new_id))
            yield old_id, new_id


def _moved(old: Artifact, new: Artifact) -> Iterator[FactChange]:
    """Tables whose facts stand in another order."""
    before, after = _order(old, new), _order(new, old)
    for table, ids in after.items():
        if before.get(table) != ids:
            yield FactChange(table=table, key="", change="moved", columns={})


def _order(one: Artifact, other: Artifact) -> dict[str, list[str]]:
    order: dict[str, list[str]] = {}
    for id_ in one.facts:
        if id_ in other.facts:
            order.setdefault(id_.split("/", 1)[0], []).append(id_)
    return order
