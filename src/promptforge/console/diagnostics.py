"""Diagnostics as text with the source line, as JSON, as GitHub annotations, as SARIF; and the page of a code."""

from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import quote

from promptforge import __version__
from promptforge.console.terminal import Painter, plural
from promptforge.source import Code, Diagnostic, Span, codes

__all__ = ["as_github", "as_json", "as_sarif", "as_text", "code_page", "counts", "masked", "record"]

Line = Callable[[str, int], str | None]
"""The text of a line of a file, or None."""

_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}
_LONGEST_SPAN = 80
"""Spans are no longer, whatever they mark."""
_GITHUB = {"error": "error", "warning": "warning", "note": "notice"}


MOST_ALIKE = 200
"""Diagnostics of one code that are shown of a file: nobody reads more, and a hundred thousand take long to print."""


def as_text(diagnostics: Sequence[Diagnostic], line: Line, paint: Painter) -> str:
    """Each with its place, the excerpt with a caret, and the hint; of many alike the first ones, and how many more.

    Files that cannot be read come first: much else may follow from them.
    """
    covered = masked(diagnostics, line)
    alike: Counter[tuple[str, str]] = Counter()
    shown = []
    for diagnostic in sorted(diagnostics, key=lambda one: not one.code.startswith("PF1")):
        kind = diagnostic.span.file, diagnostic.code
        alike[kind] += 1
        if alike[kind] <= MOST_ALIKE:
            shown.append(_one(diagnostic, covered, paint))
    for (file, code), number in alike.items():
        if number > MOST_ALIKE:
            severity = codes()[code].severity
            place = f"{file}: {paint(f'{severity} {code}', _COLOURS[severity], 'bold')}"
            shown.append(f"{place}: {number - MOST_ALIKE:,} more of these; to see all: promptforge check --format json")
    return "\n".join(shown)


_SECRETS = frozenset(["PF504", "PF510", "PF511", "PF512", "PF513", "PF514", "PF515"])


def masked(diagnostics: Sequence[Diagnostic], line: Line) -> Line:
    """The lines with the secrets in them covered: what was found in a file must not reach the log of a CI job."""
    secrets: dict[tuple[str, int], list[Span]] = {}
    for diagnostic in diagnostics:
        if diagnostic.code in _SECRETS:
            secrets.setdefault((diagnostic.span.file, diagnostic.span.line), []).append(diagnostic.span)

    def covered(file: str, number: int) -> str | None:
        text = line(file, number)
        for span in secrets.get((file, number), ()):
            if text is None or not span.column:
                return None  # somewhere in the line: none of it is shown
            start = span.column - 1
            length = span.length if span.length < _LONGEST_SPAN else len(text) - start
            text = f"{text[:start]}{'•' * min(length, len(text) - start)}{text[start + length :]}"
        return text

    return covered


def _one(d: Diagnostic, line: Line, paint: Painter) -> str:
    place = f"{d.span.file}:{d.span.line}" + (f":{d.span.column}" if d.span.column else "")
    lines = [f"{place}: {paint(f'{d.severity} {d.code}', _COLOURS[d.severity], 'bold')}: {d.message}"]
    source = line(d.span.file, d.span.line)
    margin = " " * len(str(d.span.line))
    if source is not None and source.strip():
        shown, column = _window(source, d.span.column, paint.room)
        lines.append(f"  {paint(str(d.span.line) + ' |', 'dim')} {shown}")
        if d.span.column:
            room = max(1, len(shown) - column + 1)
            caret = paint("^" * min(d.span.length, room), _COLOURS[d.severity])
            lines.append(f"  {margin} {paint('|', 'dim')} {' ' * (column - 1)}{caret}")
    for span, word in d.related:
        lines.append(f"  {margin} {paint('=', 'dim')} {span}: {word}")
    if d.hint:
        lines.append(f"  {margin} {paint('=', 'dim')} {paint('help:', 'cyan')} {d.hint}")
    return "\n".join(lines)


def _window(source: str, column: int, room: int) -> tuple[str, int]:
    """The part of a long line around the column, what cannot be seen made visible, and the column in it."""
    start = max(0, column - room // 2) if len(source) > room else 0
    shown = source[start : start + room]
    before = source[start : max(start, column - 1)]
    visible = "".join(map(_visible, before))
    head = "…" if start else ""
    tail = "…" if start + room < len(source) else ""
    return head + visible + "".join(map(_visible, shown[len(before) :])) + tail, len(head) + len(visible) + 1


def _visible(character: str) -> str:
    if character == "\t":
        return " "
    return character if character.isprintable() else f"<U+{ord(character):04X}>"


def counts(diagnostics: Sequence[Diagnostic]) -> str:
    """How many of each severity, in words; nothing when there are none."""
    number = Counter(d.severity for d in diagnostics)
    return ", ".join(plural(number[s], s) for s in ("error", "warning", "note") if number[s])


def record(d: Diagnostic) -> dict[str, object]:
    """One diagnostic as JSON."""
    return {
        "code": d.code,
        "severity": d.severity,
        "file": d.span.file,
        "line": d.span.line,
        "column": d.span.column or None,
        "message": d.message,
        "hint": d.hint,
        "related": [{"file": s.file, "line": s.line, "message": word} for s, word in d.related],
    }


def as_json(diagnostics: Sequence[Diagnostic]) -> dict[str, object]:
    """All of them, with counts."""
    number = Counter(d.severity for d in diagnostics)
    return {
        "version": 1,
        "counts": {s: number[s] for s in ("error", "warning", "note")},
        "diagnostics": [record(d) for d in diagnostics],
    }


def as_github(diagnostics: Sequence[Diagnostic], within: str = "") -> str:
    """Workflow commands that GitHub shows at the line of a pull request.

    `within` leads from the repository's folder to the project's: "house/".
    """
    lines = []
    for d in diagnostics:
        place = f"file={_property(within + d.span.file)},line={d.span.line}"
        place += f",col={d.span.column}" if d.span.column else ""
        title = _property(f"{d.code} {codes()[d.code].title}")
        message = _data(d.message + (f"\n{d.hint}" if d.hint else ""))
        lines.append(f"::{_GITHUB[d.severity]} {place},title={title}::{message}")
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(diagnostics: Sequence[Diagnostic], within: str = "") -> dict[str, object]:
    """SARIF 2.1.0, for code scanning."""
    used = sorted({d.code for d in diagnostics})
    rules = [_rule(codes()[code]) for code in used]
    results = [
        {
            "ruleId": d.code,
            "ruleIndex": used.index(d.code),
            "level": d.severity,
            "message": {"text": d.message + (f" ({d.hint})" if d.hint else "")},
            "locations": [_location(d.span, within)],
            "relatedLocations": [{**_location(s, within), "message": {"text": word}} for s, word in d.related],
        }
        for d in diagnostics
    ]
    driver = {"name": "promptforge", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _rule(code: Code) -> dict[str, object]:
    return {
        "id": code.code,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.what or code.title},
        "help": {"text": code.mend or code.title},
        "defaultConfiguration": {"level": code.severity},
    }


def _location(span: Span, within: str) -> dict[str, object]:
    region = {"startLine": span.line}
    if span.column:
        region |= {"startColumn": span.column, "endColumn": span.column + span.length}
    return {"physicalLocation": {"artifactLocation": {"uri": quote(within + span.file)}, "region": region}}


def code_page(code: Code) -> str:
    """The page of one code: what it is, why it is bad, an example, how to mend it."""
    allow = (
        f"It may be allowed: `# promptforge: allow {code.code} reason` on the line, or `ignore:` in promptforge.yaml."
        if code.allowable
        else "It cannot be allowed."
    )
    return (
        f"# {code.code}: {code.title} ({code.severity})\n\n"
        f"## What it is\n\n{code.what}\n\n## Why it is bad\n\n{code.why}\n\n"
        f"## Example\n\n```yaml\n{code.example.strip()}\n```\n\n## How to mend it\n\n{code.mend}\n\n{allow}\n"
    )
