"""The structured parts of an answer: the calls that it makes, and the JSON that it writes. Pure."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptforge.backends.base import ToolCall
from promptforge.bench.reading import folded
from promptforge.bench.values import identity
from promptforge.model import written
from promptforge.schema import accepts, check_value
from promptforge.source import Span

__all__ = ["called", "hands_on", "parsed"]

_MOST_SAID = 3
"""Problems that are named; more help nobody."""


_HANDS_ON = re.compile(
    r"(?:hand|pass)_?(?:on|off|over)(?:_to_\w+)?|(?:escalate|delegate)(?:_to_\w+)?"
    r"|(?:transfer|refer|forward)_to_(?:\w+_)?"
    r"(?:agent|human|operator|person|seat|specialist|supervisor|team|(?:help|service|front)_?desk"
    r"|department|expert|staff|support|representative)s?",
    re.IGNORECASE,
)


def hands_on(name: str) -> bool:
    """Whether a function, by its name, hands the question to another agent or to a person, and does nothing else.

    >>> hands_on("hand_over"), hands_on("handoff"), hands_on("transfer_to_sales_team"), hands_on("transfer_to_account")
    (True, True, True, False)
    """
    return _HANDS_ON.fullmatch(name.strip()) is not None


def called(expected: Mapping[str, Any], calls: Sequence[ToolCall], wanted: Sequence[str]) -> tuple[float, str]:
    """The share of a call that was made, and what was missing, extra or wrong.

    Right arguments count against all that were expected; one that the case does not name costs nothing. Each further
    call that no check of the case wants (`wanted`: the names that they do) does: a call is an action.
    """
    name = str(expected.get("name", ""))
    arguments = dict(expected.get("arguments") or {})
    tried = [(number, *_compared(arguments, call)) for number, call in enumerate(calls) if call.name.strip() == name]
    if not tried:
        others = ", ".join(dict.fromkeys(call.name for call in calls))
        return 0.0, f"no call of {name}" + (f", but of {others}" if others else "")
    _, right, parts, problems = max(tried, key=lambda one: (one[1] / one[2], -one[0]))
    left = Counter(wanted)
    left.subtract(call.name.strip() for call in calls)
    if unwanted := [name for name, count in left.items() for _ in range(-count)]:
        problems = [*problems, f"also called {', '.join(unwanted)}"]
    return right / (parts + len(unwanted)), "; ".join(problems[:_MOST_SAID])


def _compared(expected: Mapping[str, Any], call: ToolCall) -> tuple[int, int, list[str]]:
    """How many parts are right, of how many, and what is not. The name is a part only where there is no argument."""
    if call.arguments is None:
        return 0, max(1, len(expected)), ["its arguments are no JSON object"]
    problems = list(_differences(expected, call.arguments))
    return (len(expected) - len(problems), len(expected), problems) if expected else (1, 1, [])


def _differences(expected: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    for key, value in expected.items():
        if key not in given:
            yield f"without the argument '{key}'"
        elif not _same(value, given[key]):
            yield f"'{key}' is {_short(given[key])}, not {_short(value)}"


def _short(value: object) -> str:
    text = written(value) or "nothing"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _same(expected: Any, given: Any) -> bool:
    """Whether two values are one: identifiers by what they name, words without case, lists in any order."""
    if isinstance(expected, Mapping) or isinstance(given, Mapping):
        if not (isinstance(expected, Mapping) and isinstance(given, Mapping)) or expected.keys() != given.keys():
            return False
        return all(_same(value, given[key]) for key, value in expected.items())
    if isinstance(expected, (list, tuple)) or isinstance(given, (list, tuple)):
        return _same_lists(_listed(expected), _listed(given))
    if isinstance(expected, bool) or isinstance(given, bool):
        return written(expected).lower() == written(given).lower()
    one, other = written(expected), written(given)
    named = identity(one)
    return named == identity(other) if named is not None else folded(one).strip() == folded(other).strip()


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _same_lists(expected: list[Any], given: list[Any]) -> bool:
    if len(expected) != len(given):
        return False
    left = list(given)
    for value in expected:
        match = next((n for n, other in enumerate(left) if _same(value, other)), None)
        if match is None:
            return False
        left.pop(match)
    return True


# ---- JSON ------------------------------------------------------------------------------------------------------------

_FENCE = re.compile(r"```[ \t]*(?:json\w*)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)
_ANYWHERE = Span(file="answer")


def parsed(text: str, schema: Mapping[str, Any]) -> str:
    r"""Why an answer's JSON does not fit a schema, or nothing. The JSON is the whole answer, or in a fence of its own.

    >>> parsed('```json\n{"port": 1337}\n```', {"required": ["port"]}), parsed("Port 1337.", {})
    ('', 'there is no JSON in the answer')
    """
    for candidate in (text, *(fence[1] for fence in _FENCE.finditer(text))):
        try:
            value = json.loads(candidate, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
        return _unfit(value, schema)
    return "there is no JSON in the answer"


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON


def _unfit(value: Any, schema: Mapping[str, Any]) -> str:
    try:
        if accepts(schema)(value):
            return ""
        problems = check_value(schema, value, lambda path, key: _ANYWHERE)
    except RecursionError:
        return "the JSON is nested too deeply"
    return "; ".join(dict.fromkeys(problem.message for problem in problems[:_MOST_SAID]))
