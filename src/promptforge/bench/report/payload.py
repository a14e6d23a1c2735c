"""The data of the page's script: every case with its answers, as compact lists, private values already hidden.

The script reads it by position, so the order here is a contract with `assets/page.js`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from promptforge.bench.report.data import LABELS, Findings, reading
from promptforge.bench.report.markup import legible
from promptforge.bench.results import CaseRecord, Comparison, Effect, Held, Reply

__all__ = ["ANSWER_LIMIT", "Explain", "case_rows", "cut", "held_lines", "payload", "shared_limit"]

Explain = Callable[[Held], str]
"""The text of the line of a prompt, or nothing where it is not known any more."""

ANSWER_LIMIT = 20_000
"""Characters of one answer that a page shows."""
_PAGE_LIMIT = 24_000_000
"""Characters of all answers together, so that a page stays small enough to open: longer ones are cut shorter."""
_REASONING_LIMIT = 4_000
_QUESTION_LIMIT = 4_000
_STATES = ("answered", "failed", "timed_out", "truncated", "not_applicable")


def payload(found: Findings) -> dict[str, Any]:
    """What the table of cases and the drawings need, but for the cases themselves."""
    run = found.run
    return {
        "arms": [legible(found.name(arm)) for arm in run.arms],
        "agents": _agents(found),
        "categories": list(dict.fromkeys([*run.categories, *(case.category for case in run.cases)])),
        "states": _STATES,
        "labels": dict(LABELS),
        "comparisons": [_comparison(found, comparison) for comparison in found.comparisons],
    }


def case_rows(found: Findings, explain: Explain | None = None) -> Iterator[list[Any]]:
    """A row for each case, with its answers."""
    run = found.run
    limit = shared_limit([len(reply.answer.text) for reply in run.replies if reply.answer is not None])
    answers: dict[str, list[Reply]] = {case.id: [] for case in run.cases}
    for reply in run.replies:
        answers[reply.case].append(reply)
    agents = {name: place for place, name in enumerate(_agents(found))}
    said: dict[Held, str] = {}
    for case in run.cases:
        yield _case(found, case, answers[case.id], agents, limit, explain, said)


def _agents(found: Findings) -> list[str]:
    asked = {agent for case in found.run.cases for agent in case.agents}
    return sorted(asked | {reply.agent for reply in found.run.replies})


def shared_limit(lengths: Sequence[int], whole: int = _PAGE_LIMIT) -> int:
    """The limit for each answer at which all of them together stay below `whole`.

    >>> shared_limit([10, 10, 100], whole=60), shared_limit([10], whole=60)
    (40, 20000)
    """
    left, ordered = whole, sorted(min(length, ANSWER_LIMIT) for length in lengths)
    for place, length in enumerate(ordered):
        share = left // (len(ordered) - place)
        if length > share:
            return max(share, 1)
        left -= length
    return ANSWER_LIMIT


def cut(text: str, limit: int) -> tuple[str, int]:
    """The text, or its beginning, and how many characters were left out."""
    return (text, 0) if len(text) <= limit else (text[:limit], len(text) - limit)


def _comparison(found: Findings, comparison: Comparison) -> dict[str, Any]:
    arms = {str(arm): place for place, arm in enumerate(found.run.arms)}
    effects = [("OVERALL", "overall", comparison.overall)] if comparison.overall else []
    effects += [(name, "category", effect) for name, effect in comparison.categories.items()]
    effects += [(name, "tier", effect) for name, effect in comparison.tiers.items()]
    reader = comparison.reader
    return {
        "before": arms.get(comparison.before, -1),
        "after": arms.get(comparison.after, -1),
        "name": legible(found.pair(comparison)),
        "rows": [_row(*entry, reader) for entry in effects],
        "ends": ["fewer found", "more found"] if reader else ["worse", "better"],
        "fixed": [found.places[flip.case] for flip in comparison.fixed if flip.case in found.places],
        "broke": [found.places[flip.case] for flip in comparison.broke if flip.case in found.places],
    }


def _row(name: str, group: str, effect: Effect, reader: bool) -> list[Any]:
    ends = [round(effect.low, 5), round(effect.high, 5)] if effect.differing else [None, None]
    figures = [round(effect.estimate, 5), *ends]
    return [name.replace("_", " "), group, effect.cases, *figures, effect.detectable, reading(effect, reader=reader)]


def _case(
    found: Findings,
    case: CaseRecord,
    replies: Sequence[Reply],
    agents: Mapping[str, int],
    limit: int,
    explain: Explain | None,
    said: dict[Held, str],
) -> list[Any]:
    """[id, category, tier, agents, question, expected, kind, why, place, held, means, replies]."""

    def say(text: str) -> str:
        return legible(found.say(text))

    why = say(case.given_away)
    if case.given_away and case.shown:
        why += f"; counts all the same: {say(case.shown)}"
    means = [found.means.get((case.id, arm)) for arm in found.run.arms]
    arms = {arm: place for place, arm in enumerate(found.run.arms)}
    return [
        say(case.id),
        case.category,
        case.tier,
        [agents[agent] for agent in case.agents],
        cut(say(case.question), _QUESTION_LIMIT)[0],
        [say(text) for text in case.expected],
        "generated" if case.generated else "given away" if not case.counts else "counts",
        why,
        say(f"{case.file}:{case.line}") if case.file else "",
        held_lines(found, case, explain, said),
        [None if mean is None else round(mean, 4) for mean in means],
        [_reply(found, reply, arms[reply.arm], agents[reply.agent], limit) for reply in replies],
    ]


def held_lines(
    found: Findings, case: CaseRecord, explain: Explain | None, said: dict[Held, str]
) -> list[tuple[str, str, str, str]]:
    """(where in the prompt, where in the knowledge, the fact, the line itself), as far as they are known."""
    lines = []
    for held in dict.fromkeys(case.held):
        if explain is not None and held not in said:
            said[held] = legible(cut(found.say(explain(held)), _QUESTION_LIMIT)[0])
        at = f"line {held.line}" if held.line else "a message"
        prompt = legible(found.say(f"{held.agent} · {held.variant} · {at}"))
        source = legible(found.say(f"{held.file}:{held.file_line}"))
        lines.append((prompt, source, legible(found.say(held.fact)), said.get(held, "")))
    return lines


def _reply(found: Findings, reply: Reply, arm: int, agent: int, limit: int) -> list[Any]:
    """[arm, agent, repeat, state, score, label, text, left out, more]."""

    def say(text: str) -> str:
        return legible(found.say(text))

    score, answer = reply.score, reply.answer
    more: dict[str, Any] = {"fault": reply.fault, "message": say(reply.message), "inherited": say(reply.inherited)}
    if score is not None:
        more["checks"] = [[kind, round(share, 4), say(words)] for kind, share, words in score.checks if share < 1]
        more["broken"] = [say(text) for text in score.broken]
        more["made_up"] = [say(text) for text in score.made_up]
    if reply.judged is not None:
        more |= {"judged": round(reply.judged, 4), "judged_why": say(reply.judged_why)}
    text, left_out = "", 0
    if answer is not None:
        text, left_out = cut(say(answer.text), limit)
        more["calls"] = [cut(say(f"{call.name}({call.raw})"), _QUESTION_LIMIT)[0] for call in answer.tool_calls]
        more["reasoning"] = cut(say(answer.reasoning[: 2 * _REASONING_LIMIT]), _REASONING_LIMIT)[0]
        more["finish"] = "" if answer.finish == "stop" else answer.finish
        more["figures"] = [
            answer.usage.input_tokens,
            answer.usage.output_tokens,
            round(answer.latency_s, 4),
            reply.cost_usd,
        ]
    return [
        arm,
        agent,
        reply.repeat,
        _STATES.index(reply.state),
        None if score is None else round(score.value, 4),
        "" if score is None else score.label,
        text,
        left_out,
        {key: value for key, value in more.items() if value or value == 0},
    ]
