"""An audit as JSON, for programs: version 1."""

from typing import Any

from promptforge.dataset.findings import Audit, Finding, Length, Place

__all__ = ["audit_json"]


def audit_json(audit: Audit) -> dict[str, Any]:
    """Everything that an audit says, with the first places of each finding."""
    return {
        "version": 1,
        "verdict": audit.word,
        "rows": audit.rows,
        "recipe": audit.recipe or None,
        "model": audit.model or None,
        "trainer": audit.trainer or None,
        "files": [
            {
                "file": file.file,
                "split": file.split or None,
                "rows": file.rows,
                "set_aside": file.set_aside,
                "shapes": dict(file.shapes),
                "bytes": file.bytes,
            }
            for file in audit.files
        ],
        "kinds": {kind: _kind(audit, kind, rows, share) for kind, rows, share in audit.shares},
        "limits_from": audit.limits.source,
        "rules": dict(audit.rules),
        "findings": [_finding(finding) for finding in audit.findings],
        "duplicates": {"exact": audit.exact, "near": audit.near},
        "tokens": _length(audit.length) if audit.length else None,
        "skew": [{"name": one.name, "rows": one.rows, "share": round(one.share, 6)} for one in audit.skew],
        "compared": list(audit.compared),
        "unchecked": list(audit.unchecked),
    }


def _kind(audit: Audit, kind: Any, rows: int, share: float) -> dict[str, Any]:
    least, most = audit.limits.kinds.get(kind, (0.0, 1.0))
    return {"rows": rows, "share": round(share, 6), "least": least, "most": most}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "level": finding.level,
        "text": finding.text,
        "limit": finding.limit or None,
        "hint": finding.hint or None,
        "count": finding.count,
        "places": [_place(place) for place in finding.places],
    }


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "what": place.what or None}


def _length(length: Length) -> dict[str, Any]:
    return {
        "tokenizer": length.tokenizer,
        "exact": length.exact,
        "longest": length.longest,
        "longest_at": _place(length.longest_at) if length.longest_at else None,
        "median": length.median,
        "p95": length.p95,
        "limits": [
            {
                "trainer": limit.trainer,
                "tokens": limit.tokens,
                "why": limit.why,
                "over": length.over.get(limit.trainer, 0),
                "answers_lost": length.lost.get(limit.trainer, 0),
            }
            for limit in length.limits
        ],
    }
