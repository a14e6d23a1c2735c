"""A prompt as it is sent, line by line: where each comes from, which ones changed, and what is not in it."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

from promptforge.artifact import Artifact, Entry
from promptforge.model import Prompt

__all__ = ["prompt_view"]

_MOST_LEFT_OUT = 500
"""Of what is left out so many are listed; the counts are of all."""


def prompt_view(artifact: Artifact, name: str, before: Artifact | None) -> dict[str, Any] | None:
    """An agent's prompt for the page, its lines held against those of `before`; nothing when there is no such agent.

    A line is `[number, text, file, line, facts, changed]`; a line that is gone has number 0 and stands where it was.
    """
    entry = artifact.entries.get(name)
    if entry is None:
        return None
    was = before.entries.get(name) if before else None
    return {
        "agent": name,
        "role": entry.role or "",
        "model": entry.model or "",
        "new": before is not None and was is None,
        "messages": list(_messages(entry.enriched, was.enriched if was else None)),
        "left_out": _left_out(artifact, entry),
    }


def _texts(prompt: Prompt) -> list[tuple[str, str]]:
    return [("system", prompt.system), *prompt.messages]


def _split(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _messages(prompt: Prompt, before: Prompt | None) -> Iterator[dict[str, Any]]:
    earlier = [_split(text) for _, text in _texts(before)] if before else []
    for number, (role, text) in enumerate(_texts(prompt)):
        lines = _split(text)
        was = (earlier[number] if number < len(earlier) else []) if before else lines
        sourced = list(_sourced(prompt, number, lines))
        yield {"role": role, "lines": list(_marked(was, lines, sourced))}


def _sourced(prompt: Prompt, message: int, lines: Sequence[str]) -> Iterator[list[Any]]:
    """Each line with its place, and the facts that its segment rests on."""
    segments = [segment for segment in prompt.segments if segment.message == message]
    at = 0
    for number, text in enumerate(lines, start=1):
        while at + 1 < len(segments) and number > segments[at].last_line:
            at += 1
        if not segments:
            yield [number, text, "", 0, []]
            continue
        segment = segments[at]
        offset = max(0, number - segment.first_line)
        # A template rests on all that it reads: which fact is on which line, only `explain` looks up.
        facts = [] if number < segment.first_line or segment.kind == "template" else list(segment.facts)
        yield [number, text, segment.file, segment.line + segment.step * offset, facts]


def _marked(was: Sequence[str], now: Sequence[str], sourced: Sequence[list[Any]]) -> Iterator[list[Any]]:
    """The lines with what differs marked, and those that are gone at their place."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(was, now, strict=False)))
    rest = min(len(was), len(now)) - same
    pairs = zip(reversed(was), reversed(now), strict=False)
    tail = min(rest, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)))
    yield from ([*line, 0] for line in sourced[:same])
    middle, between = was[same : len(was) - tail], now[same : len(now) - tail]
    for kind, start, end, first, last in SequenceMatcher(None, middle, between, autojunk=False).get_opcodes():
        if kind != "equal":
            yield from ([0, text, "", 0, [], 1] for text in middle[start:end])
        yield from ([*line, int(kind != "equal")] for line in sourced[same + first : same + last])
    yield from ([*line, 0] for line in sourced[len(now) - tail :])


def _left_out(artifact: Artifact, entry: Entry) -> list[dict[str, Any]]:
    """By section and reason what is not in the prompt; of facts with the place where they stand."""
    found: dict[tuple[int, str, str], list[str]] = {}
    for cut in entry.enriched.cuts:
        found.setdefault((cut.section, cut.why, cut.note), []).append(cut.what)
    for number, count in entry.enriched.filtered.items():
        if count:
            found[number, "filtered", "does not match `where`"] = list(_filtered(artifact, entry, number))
    return [
        {
            "section": entry.sections[number].label,
            "why": why,
            "note": note,
            "count": len(what),
            "what": [_placed(artifact, one) for one in what[:_MOST_LEFT_OUT]],
        }
        for (number, why, note), what in sorted(found.items(), key=lambda one: one[0][0])
    ]


def _filtered(artifact: Artifact, entry: Entry, number: int) -> Iterator[str]:
    """The facts of a section's table that are neither in the prompt nor cut from it."""
    prompt = entry.enriched
    printed = {s.facts[0] for s in prompt.segments if s.section == number and s.kind == "row" and s.facts}
    printed.update(cut.what for cut in prompt.cuts if cut.section == number)
    table = f"{entry.sections[number].name}/"
    return (id_ for id_ in artifact.facts if id_.startswith(table) and id_ not in printed)


def _placed(artifact: Artifact, what: str) -> list[Any]:
    fact = artifact.facts.get(what)
    return [what, fact.file, fact.line] if fact else [what, "", 0]
