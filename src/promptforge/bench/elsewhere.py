"""Cases and known values as plain data: an answer can be scored where there is no project, beside another tool. Pure.

What is read back is enough to score with, and no more: the categories, places and reasons of a case stay behind.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from promptforge.bench.cases import Case, Check, Printed
from promptforge.bench.known import Known
from promptforge.model import LEVELS, Table
from promptforge.source import Span

__all__ = ["facts_up_to", "plain_case", "plain_known", "read_case", "read_known"]

_NOWHERE = Span(file="", line=1)


def plain_case(case: Case) -> dict[str, Any]:
    """What is asked, and what is expected, as JSON holds it."""
    plain: dict[str, Any] = _as_json(
        {
            "messages": case.messages,
            "checks": [_plain_check(check) for check in case.checks],
            "vars": case.vars,
            "tools": case.tools,
        }
    )
    return plain


def _plain_check(check: Check) -> dict[str, Any]:
    known = {"values": check.values, "forms": check.forms, "data": check.data, "printed": check.printed}
    return {"kind": check.kind, **{name: value for name, value in known.items() if value}}


def _as_json(value: Any) -> Any:
    """Read-only mappings and tuples of a frozen value as JSON gives them back."""
    return json.loads(json.dumps(value, default=lambda one: dict(one) if isinstance(one, Mapping) else str(one)))


def read_case(id_: str, raw: Mapping[str, Any]) -> Case:
    """A case to score by."""
    return Case(
        id=id_,
        category="",
        tier="gold",
        agents=(),
        messages=tuple((role, content) for role, content in raw["messages"]),
        checks=tuple(_check(check) for check in raw["checks"]),
        vars=raw["vars"],
        tools=tuple(raw["tools"]),
        span=_NOWHERE,
    )


def _check(raw: Mapping[str, Any]) -> Check:
    return Check(
        kind=raw["kind"],
        values=tuple(raw.get("values", ())),
        forms=tuple(raw.get("forms", ())),
        data=raw.get("data", {}),
        printed=tuple(Printed(*place) for place in raw.get("printed", ())),
    )


def facts_up_to(tables: Mapping[str, Table], level: str) -> dict[str, Table]:
    """The tables without the facts that are more sensitive than this."""
    return {
        name: replace(table, facts=tuple(fact for fact in table.facts if LEVELS[fact.level] <= LEVELS[level]))
        for name, table in tables.items()
    }


def plain_known(known: Known) -> dict[str, Any]:
    """The values as they are arranged: each answer is scored by a process of its own, which has no time for that."""
    return {
        "kinds": dict(known.kinds),
        "words": {column: dict(words) for column, words in known.words.items()},
        "named": {column: [[*one, how] for one, how in names.items()] for column, names in known.named.items()},
        "everywhere": sorted(known.everywhere, key=str),
        "domains": sorted(known.domains),
        "longer": dict(known.longer),
        "values": sorted(known.values),
        "printed": [[fact, column, values] for (fact, column), values in known.printed.items()],
    }


def read_known(raw: Mapping[str, Any]) -> Known:
    """The values again."""
    return Known(
        kinds=raw["kinds"],
        words={column: {word: tuple(some) for word, some in words.items()} for column, words in raw["words"].items()},
        named={column: {(kind, value): how for kind, value, how in names} for column, names in raw["named"].items()},
        everywhere=frozenset((kind, value) for kind, value in raw["everywhere"]),
        domains=frozenset(raw["domains"]),
        longer={value: tuple(others) for value, others in raw["longer"].items()},
        values=frozenset(raw["values"]),
        printed={(fact, column): tuple(values) for fact, column, values in raw["printed"]},
    )
