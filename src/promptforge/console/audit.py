"""An audit of training data, in a screenful: the verdict, the composition as bars, and why."""

from collections.abc import Iterator

from promptforge.console.terminal import Painter, columns, plural
from promptforge.dataset.findings import Audit, Finding

__all__ = ["audit_text"]

_COLOURS = {"fine": "green", "flagged": "yellow", "refused": "red"}
_SIGNS = {"refuse": ("✗  ", "red"), "flag": ("!  ", "yellow"), "note": ("   ", "dim")}
_WIDTH = 30
_MOST = 3
"""So many places of a finding are named; the json and the page have twenty."""


def audit_text(audit: Audit, paint: Painter) -> str:
    """The audit as text."""
    shapes = sorted({shape for file in audit.files for shape in file.shapes})
    of = plural(len(audit.files), "file")
    lines = [
        f"{paint(audit.word, _COLOURS[audit.word], 'bold')}: {plural(audit.rows, 'row')} of {of}, {', '.join(shapes)}",
        "",
        *_composition(audit, paint),
        "",
    ]
    for finding in audit.findings:
        lines += _finding(finding, paint)
    lines += ["", *_counted(audit)]
    lines += [paint(f"checked: {text}", "dim") for text in audit.compared]
    lines += [paint(f"not checked: {text}", "dim") for text in audit.unchecked]
    return "\n".join(lines)


def _composition(audit: Audit, paint: Painter) -> Iterator[str]:
    rows = []
    for kind, count, share in audit.shares:
        least, most = audit.limits.kinds.get(kind, (0.0, 1.0))
        limit = " ".join([f"at least {least:.0%}" if least else "", f"at most {most:.0%}" if most < 1 else ""]).strip()
        rows.append((kind, f"{share:.1%}", f"{count:,}", _bar(share), limit))
    for line, (kind, count, _) in zip(columns(rows, right=(1, 2)).split("\n"), audit.shares, strict=True):
        bad = any(f.rule.startswith(f"kind.{kind}.") and f.level != "note" for f in audit.findings)
        yield paint(line, "red" if bad and not count else "yellow") if bad else line


def _bar(share: float) -> str:
    eighths = round(share * _WIDTH * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[rest]).ljust(_WIDTH)


def _finding(finding: Finding, paint: Painter) -> Iterator[str]:
    sign, colour = _SIGNS[finding.level]
    yield f"{paint(sign, colour, 'bold')}{finding.text}"
    if finding.limit:
        yield f"     limit: {finding.limit}"
    if finding.level != "note":
        if finding.hint:
            yield f"     {paint('hint:', 'cyan')} {finding.hint}"
        yield from (paint(f"     {place}", "dim") for place in finding.places[:_MOST])
        if finding.count > _MOST and len(finding.places) > _MOST:
            yield paint(f"     … {finding.count - _MOST:,} more", "dim")


def _counted(audit: Audit) -> Iterator[str]:
    by_rules = {rule: count for rule, count in audit.rules.items() if ": the column " not in rule}
    if by_rules:
        yield f"kinds by rules: {', '.join(f'{rule} {count:,}' for rule, count in by_rules.items())}"
    elif audit.rules:
        yield f"kinds by {next(iter(audit.rules)).partition(': ')[2]}"
    if audit.length:
        length = audit.length
        named = "" if length.tokenizer == "estimate" else f"{length.tokenizer}, "
        counted = length.tokenizer if length.exact else f"{named}an estimate, high for large vocabularies"
        yield (f"tokens: half of the rows have {length.median:,} or fewer, the longest {length.longest:,} ({counted})")
