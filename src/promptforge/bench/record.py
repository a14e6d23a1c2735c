"""A run as plain data, and back: how the history keeps it."""

from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

from promptforge.backends.base import Answer, ToolCall, Usage
from promptforge.bench.results import Arm, CaseRecord, Held, Judgement, Reply, Run, Score

__all__ = ["plain_case", "plain_reply", "plain_run", "read_run", "things_said"]

RECORD_VERSION = 1


def plain_run(
    run: Run,
    *,
    plain: Callable[[Reply], dict[str, Any]] | None = None,
    cases: Sequence[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A run as JSON holds it. What has its default value is left out; a reply names its arm by number.

    `plain` gives what `plain_reply` made of a reply, `cases` what `plain_case` made of the cases, where that was done
    before.
    """
    arms = {arm: number for number, arm in enumerate(run.arms)}
    replies = [{**(plain or plain_reply)(reply), "arm": arms[reply.arm]} for reply in run.replies]
    made = [plain_case(case) for case in run.cases] if cases is None else cases
    rest = _plain(run, without=("cases", "replies"))
    return {"record": RECORD_VERSION, **rest, "cases": made, "replies": replies}


def plain_case(case: CaseRecord) -> dict[str, Any]:
    """A case as JSON holds it."""
    return _plain(case)


def plain_reply(reply: Reply) -> dict[str, Any]:
    """A reply as JSON holds it, but for its arm."""
    return _plain(reply, without=("arm",))


_known: dict[type, Sequence[tuple[str, Any]]] = {}


def _fields(kind: type) -> Sequence[tuple[str, Any]]:
    """The fields of a kind of value with their defaults, looked up once."""
    if kind not in _known:
        _known[kind] = [(one.name, _default(one)) for one in fields(kind)]
    return _known[kind]


def _default(one: "Field[Any]") -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


_SCALARS = frozenset([str, int, float, bool, type(None)])


def _plain(value: Any, without: Sequence[str] = ()) -> dict[str, Any]:
    made = {}
    for name, default in _fields(type(value)):
        one = getattr(value, name)
        if one is default or name in without or one == default:
            continue
        made[name] = one if one.__class__ in _SCALARS else _plain_value(one)
    return made


def _plain_value(value: Any) -> Any:
    kind = value.__class__
    if kind in _SCALARS:
        return value
    if kind is tuple or kind is list:
        return [one if one.__class__ in _SCALARS else _plain_value(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain_value(one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain_value(one) for one in value]
    if isinstance(value, (str, int, float)):  # a decimal of promptforge.yaml keeps how it was written: a price of 0.50
        return value
    return _plain(value)


_LISTS = ("record", "arms", "cases", "replies", "judgements")


def read_run(body: Mapping[str, Any]) -> Run:
    """A run from plain data. Raises ValueError when it is damaged or of another version."""
    if body.get("record") != RECORD_VERSION:
        raise ValueError("the run was kept by another version of promptforge")
    try:
        arms = tuple(Arm(**arm) for arm in body["arms"])
        rest = {key: value for key, value in body.items() if key not in _LISTS}
        return Run(
            **{key: _tuples(value) for key, value in rest.items()},
            arms=arms,
            cases=tuple(_case(case) for case in body["cases"]),
            replies=tuple(_reply(reply, arms) for reply in body["replies"]),
            judgements=tuple(_judgement(one) for one in body.get("judgements", ())),
        )
    except (KeyError, TypeError, IndexError) as problem:
        raise ValueError(f"the run is damaged: {problem!r}") from problem


def _judgement(raw: Mapping[str, Any]) -> Judgement:
    return Judgement(**{**raw, "before": Arm(**raw["before"]), "after": Arm(**raw["after"])})


def _tuples(value: Any) -> Any:
    """Lists as the tuples that they were."""
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value


def _case(raw: Mapping[str, Any]) -> CaseRecord:
    held = tuple(Held(**one) for one in raw.get("held", ()))
    return CaseRecord(**{**{key: _tuples(value) for key, value in raw.items()}, "held": held})


def _reply(raw: Mapping[str, Any], arms: Sequence[Arm]) -> Reply:
    values = dict(raw)
    values["arm"] = arms[values["arm"]]
    if "answer" in values:
        values["answer"] = _answer(values["answer"])
    if "score" in values:
        values["score"] = Score(**{key: _tuples(value) for key, value in values["score"].items()})
    return Reply(**values)


def _answer(raw: Mapping[str, Any]) -> Answer:
    calls = tuple(ToolCall(**call) for call in raw.get("tool_calls", ()))
    return Answer(**{**raw, "tool_calls": calls, "usage": Usage(**raw.get("usage", {}))})


def things_said(text: str) -> dict[str, str]:
    """What a server said of itself, of the text that a run keeps of it; nothing where it cannot be read.

    >>> things_said("[('n_params', '7000'), ('server', 'llama.cpp')]")
    {'n_params': '7000', 'server': 'llama.cpp'}
    """
    try:
        return {str(name): str(value) for name, value in literal_eval(text or "[]")}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return {}
