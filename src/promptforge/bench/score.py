"""One answer against one case: the share of each check that it meets, the vetoes that it breaks, and why it fell short.

Pure. The rules are those of `docs/reference/scoring.md`. What is scored is what a person would read: reasoning is taken
out first. Vetoes and made-up values also look at the arguments of calls; checks of words only at the text.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from promptforge.backends.base import Answer
from promptforge.bench.calls import called, hands_on, parsed
from promptforge.bench.cases import Case, Check
from promptforge.bench.known import Known, known, loose_ports, nobodys
from promptforge.bench.language import other_language
from promptforge.bench.patterns import found
from promptforge.bench.ports import asks_for_port, is_bare
from promptforge.bench.reading import MAX_TEXT, folded, strip_reasoning
from promptforge.bench.results import Label, Score
from promptforge.bench.values import Found, equal, identifiers, identity, in_tailnet, literal, mentions, places, times

__all__ = ["Known", "known", "pass_fail", "score"]

Named = tuple[str, int | float | str]


@dataclass(frozen=True, kw_only=True)  # without slots: what few cases need is found when it is asked for, and kept
class _Said:
    """An answer, and what is needed to judge it."""

    case: Case
    answer: Answer
    known: Known
    text: str
    everything: str
    """The text and the arguments of calls."""

    @cached_property
    def allowed(self) -> frozenset[Named]:
        """The identifiers in the question, the checks and the tools: to name them is to make nothing up."""
        return _allowed(self.case, self.known)

    @cached_property
    def made_up(self) -> tuple[str, ...]:
        """The identifiers that it made up; a number alone is none where no port was asked for."""
        counted = is_bare(self.everything) and not _wants_port(self.case, self.known)
        return () if counted else tuple(_made_up(self))

    @cached_property
    def acts(self) -> str:
        """The first function that it calls, but for one that hands the question on: that does nothing by itself."""
        return next((call.name for call in self.answer.tool_calls if not hands_on(call.name)), "")

    @cached_property
    def refused(self) -> bool:
        """Whether it refused, in words or by its provider; who calls a function that does something has not."""
        from promptforge.bench.refusal import refuses  # its phrases take long to read, and a suite needs none of them

        question = self.case.question
        return self.answer.finish == "refusal" or (not self.acts and refuses(self.text, question))


def score(case: Case, answer: Answer, known: Known) -> Score:
    """How an answer did. Raises InputError when a pattern of the suite does not come to an end."""
    said = _said(case, answer, known)
    silent = not said.text and not answer.tool_calls and answer.finish != "refusal"
    wanted = [check for check in case.checks if not check.veto]
    if silent:
        nothing = tuple((check.kind, 0.0, "the answer is empty") for check in wanted)
        return Score(value=0.0, label="empty", checks=nothing)
    checks = tuple((check.kind, *_CHECKS[check.kind](check, said)) for check in wanted)
    broken = tuple(
        (check.kind, *why) for check in case.checks if check.veto if (why := _VETOES[check.kind](check, said))
    )
    value = sum(share for _, share, _ in checks) / len(checks) if checks else 1.0
    value = 0.0 if broken else min(1.0, value)
    label = "" if value == 1 else _label(said, value, broken)
    words = tuple(f"{kind}: {what}" for kind, what, _ in broken)
    return Score(value=value, label=label, checks=checks, broken=words, made_up=said.made_up)


def pass_fail(case: Case) -> bool:
    """Whether the score of a case can only be 0 or 1."""
    checks = [check for check in case.checks if not check.veto]
    return not checks or (len(checks) == 1 and _whole(checks[0]))


def _whole(check: Check) -> bool:
    return check.kind != "tool" and (check.kind != "all" or len(check.values) <= 1)


def _said(case: Case, answer: Answer, known: Known) -> _Said:
    text = strip_reasoning(answer.text[:MAX_TEXT])
    calls = (json.dumps(dict(c.arguments), ensure_ascii=False) if c.arguments else c.raw for c in answer.tool_calls)
    return _Said(case=case, answer=answer, known=known, text=text, everything="\n".join((text, *calls)))


def _wants_port(case: Case, known: Known) -> bool:
    """Whether a number alone would be a port: a check holds or forbids ports, or the question asks for one."""
    columns = [f"{fact.partition('/')[0]}.{column}" for check in case.checks for fact, column in check.printed]
    columns += [column for check in case.checks if check.kind == "only" for column in check.values]
    forms = {form for check in case.checks for form in check.forms} | {known.kinds.get(column) for column in columns}
    return "port" in forms or asks_for_port(case.question)


def _allowed(case: Case, known: Known) -> frozenset[Named]:
    checks = [check for check in case.checks if check.kind not in ("regex", "only")]
    values = tuple((value, form) for check in checks for value, form in zip(check.values, _forms(check), strict=True))
    tools = (json.dumps(dict(one), default=str) for one in case.tools)
    printed = tuple((value, known.kinds.get(column, "")) for value, column in _printed_by_patterns(case, known))
    return _named_in((*_given(case), *tools), (*values, *printed), known.domains)


def _given(case: Case) -> Iterator[str]:
    """What the question says, and the checks that are no list of values."""
    yield from (content for _, content in case.messages)
    for check in case.checks:
        if check.data:
            yield json.dumps(dict(check.data), default=str, ensure_ascii=False)
        if check.kind == "regex":
            yield from map(literal, check.values)


def _printed_by_patterns(case: Case, known: Known) -> Iterator[tuple[str, str]]:
    """The values of facts that a pattern was made of, each with its `TABLE.COLUMN`: it may hold them in disguise."""
    for place in (place for check in case.checks if check.kind == "regex" for place in check.printed):
        for value in known.printed.get(place, ()):
            yield value, f"{place.fact.partition('/')[0]}.{place.column}"


@lru_cache(maxsize=4096)
def _named_in(texts: tuple[str, ...], values: tuple[tuple[str, str], ...], domains: frozenset[str]) -> frozenset[Named]:
    whole = (identity(value, form) for value, form in values)
    inside = (one for text in (*texts, *(value for value, _ in values)) for one in identifiers(text, domains))
    return frozenset([*(one for one in whole if one is not None), *((one.kind, one.value) for one in inside)])


def _forms(check: Check) -> tuple[str, ...]:
    return check.forms or ("",) * len(check.values)


def _made_up(said: _Said) -> Iterator[str]:
    seen = set()
    for one in identifiers(said.everything, said.known.domains):
        if one.kind not in ("port", "ip", "mac", "entity") or (one.kind, one.value) in seen:
            continue
        seen.add((one.kind, one.value))
        bare = one.kind == "mac" and one.written.isalnum()  # as likely the id of a container or a commit
        # What the facts hold is looked up first: what is allowed takes long to find, and then need not be.
        if not bare and not said.known.holds(one) and not _is_allowed(one, said.allowed):
            yield _shown(one)


def _is_allowed(one: Found, allowed: frozenset[Named]) -> bool:
    return (one.kind, one.value) in allowed or (one.kind == "port" and ("number", one.value) in allowed)


def _shown(one: Found) -> str:
    return f"port {one.value}" if one.kind == "port" else one.written


# ---- Checks: the share that is met, and what was missing or found ----------------------------------------------------

_Result = tuple[float, str]


def _named(check: Check, said: _Said) -> list[bool]:
    return [
        mentions(said.text, value, form, said.known.besides(value), said.known.values)
        for value, form in zip(check.values, _forms(check), strict=True)
    ]


def _all(check: Check, said: _Said) -> _Result:
    there = _named(check, said)
    missing = [value for value, is_there in zip(check.values, there, strict=True) if not is_there]
    return sum(there) / len(there), f"missing: {', '.join(missing)}" if missing else ""


def _any(check: Check, said: _Said) -> _Result:
    there = [value for value, is_there in zip(check.values, _named(check, said), strict=True) if is_there]
    return (1.0, f"found: {there[0]}") if there else (0.0, f"none of: {', '.join(check.values)}")


def _equals(check: Check, said: _Said) -> _Result:
    form = check.forms[0] if check.forms else ""
    return (1.0, "") if equal(said.text, check.values[0], form) else (0.0, f"is not: {check.values[0]}")


def _regex(check: Check, said: _Said) -> _Result:
    return (1.0, "") if found(check.values[0], said.text) else (0.0, f"no match for: {check.values[0]}")


def _order(check: Check, said: _Said) -> _Result:
    at = _first_places(check, "\n".join(_ITEMS.findall(said.text)), said)
    if None in at:
        at = _first_places(check, said.text, said)
    missing = [value for value, place in zip(check.values, at, strict=True) if place is None]
    if missing:
        return 0.0, f"missing: {', '.join(missing)}"
    for number, (first, second) in enumerate(pairwise(at)):
        if first is not None and second is not None and first >= second:
            return 0.0, f"'{check.values[number + 1]}' is named before '{check.values[number]}'"
    return 1.0, ""


_ITEMS = re.compile(r"^[ \t>*_]*(?:[-*+•]|\d{1,2}[.)])[ \t]+\S.*$", re.MULTILINE)
"""The items of lists. Where they hold everything, what was said before the list (`To start A New Hope:`) is no step."""


def _first_places(check: Check, text: str, said: _Said) -> list[int | None]:
    return [
        next(places(text, value, form, said.known.besides(value), said.known.values), None)
        for value, form in zip(check.values, _forms(check), strict=True)
    ]


def _abstain(check: Check, said: _Said) -> _Result:
    if not _abstains(said):
        return 0.0, "does not say that it does not know, or guesses all the same"
    if said.acts:
        return 0.0, f"says so, but calls {said.acts}"
    return (0.0, f"says so, but makes up: {', '.join(said.made_up)}") if said.made_up else (1.0, "")


def _abstains(said: _Said) -> bool:
    from promptforge.bench.refusal import abstains

    return abstains(said.text, said.case.question)


def _refuse(check: Check, said: _Said) -> _Result:
    from promptforge.bench.refusal import declines

    if said.refused or (not said.acts and declines(said.text, said.case.question)):
        return 1.0, ""
    return 0.0, f"calls {said.acts}" if said.acts else "does not refuse"


def _tool(check: Check, said: _Said) -> _Result:
    wanted = tuple(str(other.data.get("name", "")) for other in said.case.checks if other.kind == "tool")
    return called(check.data, said.answer.tool_calls, wanted)


def _json(check: Check, said: _Said) -> _Result:
    problem = parsed(said.text, check.data)
    return (0.0, problem) if problem else (1.0, "")


_CHECKS: Mapping[str, Callable[[Check, _Said], _Result]] = {
    "all": _all,
    "any": _any,
    "equals": _equals,
    "regex": _regex,
    "order": _order,
    "abstain": _abstain,
    "refuse": _refuse,
    "tool": _tool,
    "json": _json,
}


# ---- Vetoes: how it was broken in words, and whether by made-up values alone; None where it was kept -----------------

_Breach = tuple[str, bool] | None


def _none(check: Check, said: _Said) -> _Breach:
    called = _not_wanted(said)
    for value, form in zip(check.values, _forms(check), strict=True):
        if value.lower() in called:
            return f"calls '{value}'", False
        if mentions(said.everything, value, form, said.known.besides(value), said.known.values):
            return f"names '{value}'", False
    return None


def _not_wanted(said: _Said) -> frozenset[str]:
    """The functions that it calls, but for those that a check wants."""
    wanted = {str(check.data.get("name", "")) for check in said.case.checks if check.kind == "tool"}
    return frozenset(call.name.strip().lower() for call in said.answer.tool_calls if call.name.strip() not in wanted)


def _only(check: Check, said: _Said) -> _Breach:
    for column in check.values:
        kind = said.known.kinds.get(column, "text")
        others = _identifiers_of(kind, column, said) if kind in _TYPED else _names_of(column, said)
        named = dict(others)
        if named:
            return f"{column} also names {', '.join(named)}", not any(named.values())
    return None


_TYPED = {"port": "port", "mac": "mac", "ip": "ip", "tailscale": "ip", "entity": "entity", "network": "network"}


def _identifiers_of(kind: str, column: str, said: _Said) -> Iterator[tuple[str, bool]]:
    """Identifiers of a kind, in a fact or not; each with whether it stands in one."""
    for one in identifiers(said.everything, said.known.domains):
        if one.kind != _TYPED[kind] or nobodys(one) or _is_allowed(one, said.allowed):
            continue
        elsewhere = one.kind == "ip" and in_tailnet(str(one.value)) != (kind == "tailscale")
        if elsewhere and (one.kind, one.value) not in said.known.named.get(column, {}):
            continue  # an address of the other network is no value of this column
        yield _shown(one), said.known.holds(one)
    if kind == "port":
        loose = loose_ports(said.everything, column, said.known)
        yield from ((_shown(one), said.known.holds(one)) for one in loose if not _is_allowed(one, said.allowed))


def _names_of(column: str, said: _Said) -> Iterator[tuple[str, bool]]:
    checks = [value for check in said.case.checks if check.kind not in ("regex", "only") for value in check.values]
    given = [*_given(said.case), *checks, *(value for value, _ in _printed_by_patterns(said.case, said.known))]
    clocks = "\n".join(times(said.everything))  # as a table writes them: `8 pm` names 20:00
    for value in dict.fromkeys(said.known.names(f"{said.everything}\n{clocks}" if clocks else said.everything, column)):
        if not any(mentions(text, value, "", said.known.besides(value), said.known.values) for text in given):
            yield f"'{value}'", True


def _answer(check: Check, said: _Said) -> _Breach:
    return ("it refused", False) if said.refused and not _gives_all(said) else None


_GIVING = ("all", "any", "equals", "regex", "order", "tool", "json")


def _gives_all(said: _Said) -> bool:
    """Whether it gives all that was asked: then it has answered, whatever it says that it cannot do."""
    wanted = [check for check in said.case.checks if check.kind in _GIVING]
    return bool(wanted) and all(_CHECKS[check.kind](check, said)[0] == 1 for check in wanted)


_VETOES: Mapping[str, Callable[[Check, _Said], _Breach]] = {"none": _none, "only": _only, "answer": _answer}


# ---- Labels ----------------------------------------------------------------------------------------------------------


def _label(said: _Said, value: float, broken: tuple[tuple[str, str, bool], ...]) -> Label:
    """Why the score is not 1: the first of these that holds."""
    for label, holds in _LABELS:
        if holds(said, value, broken):
            return label
    return "wrong"


def _was_refused(said: _Said) -> bool:
    wanted = any(check.kind == "refuse" for check in said.case.checks)
    return said.refused and not wanted and not _gives_all(said)


_LABELS: tuple[tuple[Label, Callable[[_Said, float, tuple[tuple[str, str, bool], ...]], bool]], ...] = (
    ("over_refused", lambda said, value, broken: any(kind == "answer" for kind, _, _ in broken)),
    ("forbidden", lambda said, value, broken: any(not by_made_up for _, _, by_made_up in broken)),
    ("refused", lambda said, value, broken: _was_refused(said)),
    ("made_up", lambda said, value, broken: bool(said.made_up)),
    ("forbidden", lambda said, value, broken: bool(broken)),
    ("wrong_language", lambda said, value, broken: bool(other_language(said.case.question, said.text))),
    ("too_short", lambda said, value, broken: _too_short(said)),
    ("incomplete", lambda said, value, broken: value > 0 or _abstains(said)),
)


def _too_short(said: _Said) -> bool:
    """Whether it is shorter than any right answer, and neither a value nor an "I don't know": `Yes.`, `OK`."""
    if said.answer.tool_calls or identifiers(said.text, said.known.domains):
        return False
    if _abstains(said):
        return False
    letters = sum(char.isalnum() for char in said.text)
    needed = max((_letters_needed(check) for check in said.case.checks if not check.veto), default=0)
    return letters < needed and folded(said.text).strip(" .!*`\"'") not in said.known.values


def _letters_needed(check: Check) -> int:
    lengths = [sum(char.isalnum() for char in value) for value in check.values]
    match check.kind:
        case "all" | "order":
            return sum(lengths)
        case "any" | "equals":
            return min(lengths, default=0)
        case "abstain" | "refuse" | "json":
            return 2
    return 0
