"""What has no answer, by its reason; what was not sent because of it stands apart."""

from collections.abc import Iterator, Sequence

from promptforge.bench.arms import by_reason
from promptforge.bench.verdicts import NO_SCORE
from promptforge.console.terminal import Painter, plural

__all__ = ["unanswered_lines", "unanswered_text"]

_GROUPS, _EXAMPLES = 5, 2
"""So many reasons, and so many requests of each."""
_WIDE, _REASON = 160, 400
"""Characters of a line that names a request, and of one that says why: its end says what to do."""


def unanswered_lines(texts: Sequence[str], *, so: str = "", examples: int = _EXAMPLES) -> list[str]:
    """What is unanswered (`request: why`), by its reason: a server that is down says the same of all."""
    return [f"{_what_is_missing(texts)}{so}", *_grouped(texts, examples)]


def unanswered_text(texts: Sequence[str], paint: Painter, *, so: str = "", examples: int = _EXAMPLES) -> list[str]:
    """The same in red."""
    title, *lines = unanswered_lines(texts, so=so, examples=examples)
    return [paint(title, "red", "bold"), *(paint(line, "red") for line in lines)]


def _what_is_missing(texts: Sequence[str]) -> str:
    if all(text.partition(": ")[2].startswith(NO_SCORE) for text in texts):
        return f"missing: {plural(len(texts), 'score')}"
    return f"unanswered: {plural(len(texts), 'request')}"


def _grouped(texts: Sequence[str], examples: int) -> Iterator[str]:
    """By reason, the most frequent first; what was not sent because of it stands apart."""
    requests_and_reasons = (text.partition(": ")[::2] for text in texts)
    ordered = by_reason(requests_and_reasons)
    for why, requests, not_sent in ordered[:_GROUPS]:
        yield _cut(f"  {len(requests):,} × {why or 'no reason is known'}", _REASON)
        yield from _examples(requests, examples)
        if not_sent:
            yield f"  {len(not_sent):,} × not sent because of that"
            yield from _examples(not_sent, examples)
    if len(ordered) > _GROUPS:
        left = sum(len(one.requests) + len(one.not_sent) for one in ordered[_GROUPS:])
        yield f"  … and {left:,} more for other reasons (--format json has all)"


def _examples(requests: Sequence[str], most: int) -> Iterator[str]:
    yield from (_cut(f"    {request}") for request in requests[:most])
    if 0 < most < len(requests):
        yield f"    … and {len(requests) - most:,} more (--format json has all)"


def _cut(line: str, most: int = _WIDE) -> str:
    """On one line, and no longer than a terminal bears."""
    line = line.replace("\r", "").replace("\n", " ")
    return line if len(line) <= most else f"{line[: most - 2]} …"
