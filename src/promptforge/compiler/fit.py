"""The fifth stage: a draft into its budget, and the prompt with the source of each byte.

What goes, goes whole: rows and examples, lowest priority first, the later section first among equals, its last row
first; an emptied section takes its heading along. The first number of cuts that fits is taken, so that the last thing
cut would not fit if put back. Nothing required is ever cut.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from promptforge.compiler.render import Draft, Part, Piece
from promptforge.model import Agent, Cut, Prompt, Section, Segment
from promptforge.source import Diagnostic, Span

__all__ = ["Count", "fit"]

Count = Callable[[Sequence[tuple[str, str]]], int]
"""Tokens of a chat given as (role, content), overhead included."""


class _Candidate(NamedTuple):
    """An item that may be cut, in the order in which it goes."""

    priority: int
    minus_section: int
    minus_item: int

    @property
    def section(self) -> int:
        return -self.minus_section

    @property
    def item(self) -> int:
        return -self.minus_item


def fit(
    agent: Agent, sections: Sequence[Section], draft: Draft, count: Count, *, filtered: Sequence[int] = ()
) -> tuple[Prompt, list[Diagnostic]]:
    """The prompt within the agent's budget; an error when what is required does not fit it."""
    assembled = _assemble(draft, [len(part.items) for part in draft.parts])
    tokens = count([("system", assembled[0]), *assembled[1]])
    cuts: Sequence[_Candidate] = ()
    found: list[Diagnostic] = []
    if tokens > agent.budget_tokens:
        cuts, tokens = _cut(agent, sections, draft, count)
        assembled = _assemble(draft, _kept(draft, cuts))
        if tokens > agent.budget_tokens:
            found.append(_over_budget(agent, sections, draft, tokens))
    system, messages, segments = assembled
    left_out = [cut for part in draft.parts for cut in part.cuts]
    for cut in cuts:
        name = draft.parts[cut.section].names[cut.item]
        left_out.append(Cut(cut.section, name, "budget", f"priority {cut.priority}"))
    prompt = Prompt(
        system=system,
        messages=messages,
        tokens=tokens,
        segments=segments,
        cuts=tuple(left_out),
        filtered={number: n for number, n in enumerate(filtered) if n},
    )
    return prompt, found


def _cut(agent: Agent, sections: Sequence[Section], draft: Draft, count: Count) -> tuple[Sequence[_Candidate], int]:
    """What goes from a draft that is over its budget, in the order in which it goes, and the tokens of the rest."""
    candidates = sorted(
        _Candidate(section.priority, -number, -item)
        for number, (section, part) in enumerate(zip(sections, draft.parts, strict=True))
        if not section.required
        for item in range(len(part.items))
    )
    known: dict[int, int] = {}

    def tokens(cuts: int) -> int:
        if cuts not in known:
            system, messages = _text(draft, _kept(draft, candidates[:cuts]))
            known[cuts] = count([("system", system), *messages])
        return known[cuts]

    cuts = _fewest_cuts(len(candidates), tokens, agent.budget_tokens)
    return candidates[:cuts], tokens(cuts)


def _fewest_cuts(most: int, tokens: Callable[[int], int], budget: int) -> int:
    """The fewest cuts that fit, or all of them when even those do not; none are known not to.

    Each cut takes tokens away, so the search halves; where merging tokens make it uneven, the steps back restore
    that one cut fewer would not fit.
    """
    if tokens(most) > budget:
        return most
    low, high = 0, most  # low does not fit, high fits
    while high - low > 1:
        middle = (low + high) // 2
        if tokens(middle) <= budget:
            high = middle
        else:
            low = middle
    while high > 1 and tokens(high - 1) <= budget:
        high -= 1
    return high


def _kept(draft: Draft, cut: Iterable[_Candidate]) -> list[int]:
    """How many items of each part stay: those that go are always its last ones."""
    kept = [len(part.items) for part in draft.parts]
    for candidate in cut:
        kept[candidate.section] -= 1
    return kept


def _pieces(part: Part, kept: int) -> list[Piece]:
    """What of a part in the system prompt stays."""
    if not kept or part.as_messages:
        return []
    pieces = [piece for item in part.items[:kept] for piece in item]
    return [part.heading, *pieces] if part.heading else pieces


def _gap(before: str) -> str:
    """What keeps a section apart from the text before it by one blank line."""
    if not before or before.endswith("\n\n"):
        return ""
    return "\n" if before.endswith("\n") else "\n\n"


def _text(draft: Draft, kept: Sequence[int]) -> tuple[str, list[tuple[str, str]]]:
    """The texts alone, for counting."""
    texts: list[str] = []
    messages: list[tuple[str, str]] = []
    for part, many in zip(draft.parts, kept, strict=True):
        pieces = _pieces(part, many)
        if pieces:
            texts.append(_gap(_tail(texts)))
            texts.extend([piece.text for piece in pieces])
        if part.as_messages:
            messages.extend(_messages(part, many))
    return "".join(texts), messages


def _tail(texts: Sequence[str]) -> str:
    """The end of what was written so far, enough to see its last two characters."""
    tail = ""
    for text in reversed(texts):
        tail = text[-2:] + tail
        if len(tail) >= 2:
            break
    return tail


def _messages(part: Part, kept: int) -> list[tuple[str, str]]:
    return [
        (role, piece.text)
        for item in part.items[:kept]
        for role, piece in zip(("user", "assistant"), item, strict=True)
    ]


def _assemble(draft: Draft, kept: Sequence[int]) -> tuple[str, tuple[tuple[str, str], ...], tuple[Segment, ...]]:
    """The texts with the segments that cover them."""
    texts: list[str] = []
    segments: list[Segment] = []
    messages: list[tuple[str, str]] = []
    at, line = 0, 1
    for number, (part, many) in enumerate(zip(draft.parts, kept, strict=True)):
        if pieces := _pieces(part, many):
            texts.append(gap := _gap(_tail(texts)))
            start, at, line = at, at + len(gap), line + len(gap)
            for piece in pieces:
                at += piece.size
                segments.append(_segment(0, start, at, line, number, piece))
                texts.append(piece.text)
                start, line = at, line + piece.breaks
        if part.as_messages:
            for item in part.items[:many]:
                for role, piece in zip(("user", "assistant"), item, strict=True):
                    messages.append((role, piece.text))
                    segments.append(_segment(len(messages), 0, piece.size, 1, number, piece))
    if messages:  # they may stand before a part of the system prompt
        segments.sort(key=lambda segment: segment[:2])
    return "".join(texts), tuple(messages), tuple(segments)


def _segment(message: int, start: int, end: int, line: int, number: int, piece: Piece) -> Segment:
    """`line` is that of the piece's first byte; the breaks before its first line belong to no line of its source."""
    text, kind, file, source_line, step, facts, _, breaks, lead = piece
    last = line + breaks - (text[-1:] == "\n")
    # A NamedTuple's own constructor takes twice as long, and there are tens of thousands.
    return tuple.__new__(
        Segment, (message, start, end, line + lead, last, number, kind, file, source_line, step, facts)
    )


def _over_budget(agent: Agent, sections: Sequence[Section], draft: Draft, least: int) -> Diagnostic:
    required = [s.label for s, part in zip(sections, draft.parts, strict=True) if s.required and part.items]
    over = f"over its budget of {agent.budget_tokens}"
    message = f"agent '{agent.name}' needs {least} tokens for {' and '.join(required)} alone, {over}"
    others = [s for s in sections if s.required and s.kind != "persona"]
    instead = "take `required` off a section" if others else "shorten the persona"
    hint = f"raise the budget to {least} or more, or {instead}"
    place = Span(file=agent.file, line=agent.budget_line)
    return Diagnostic(code="PF413", span=place, message=message, hint=hint)
