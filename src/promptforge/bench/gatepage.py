"""A gate's verdict for people and for programs: JSON, Markdown, and one HTML page that needs no network."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from promptforge.bench.evidence import Condition, Evidence
from promptforge.bench.gate import GateVerdict
from promptforge.bench.report.markup import Markup, tag
from promptforge.bench.results import Effect
from promptforge.bench.verdicts import signed, spread

__all__ = [
    "HEAD",
    "Training",
    "VerdictPage",
    "cells",
    "changes",
    "effects",
    "page_html",
    "page_json",
    "page_markdown",
    "spread_of",
]

_MOST = 10
"""So many cases are named; the rest are counted."""
HEAD = ("", "cases", "before", "after", "difference", "95 % interval", "p of a fall")
_SAME = 1e-12
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "h1{font-size:1.4rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right}"
    "td:first-child,th:first-child,li{text-align:left}tr{border-bottom:1px solid #8884}"
    ".promote{color:#176f2c}.reject{color:#b3261e}.inconclusive{color:#8a5a00}.fails{font-weight:600}"
    "@media(prefers-color-scheme:dark){body{background:#16181b;color:#e8e8e8}.promote{color:#7bd88f}"
    ".reject{color:#ff8a80}.inconclusive{color:#ffce73}}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One of several trainings of a candidate by itself, against whom the candidate has to beat."""

    seed: int | None
    adapter: str
    """Its folder, as it was when it was judged."""
    digest: str
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictPage:
    """A verdict with what a reader needs beside it."""

    verdict: GateVerdict
    evidence: Evidence | None
    """Against the champion, or without one against the untrained model."""
    about: Mapping[str, str]
    """In words: model, adapter, recipe, suite, when, …"""
    done: str = ""
    """What was done with the adapter."""
    next_step: str = ""
    runs: tuple[str, ...] = ()
    """The ids of the runs that it rests on."""
    trainings: tuple[Training, ...] = ()
    """Where there were several, each of them: the verdict is on their mean."""


def spread_of(trainings: Sequence[Training]) -> float | None:
    """The range of the overall score over several trainings; None where there was one."""
    scores = [one.effect.after for one in trainings]
    return max(scores) - min(scores) if len(scores) > 1 else None


def effects(page: VerdictPage) -> Iterator[tuple[str, Effect]]:
    """Every row of the table of numbers, by its name."""
    verdict = page.verdict
    yield from verdict.categories.items()
    yield from ((f"tier {name or 'none'}", effect) for name, effect in verdict.tiers.items())
    if verdict.overall is not None:
        yield "OVERALL", verdict.overall
    if verdict.base is not None and verdict.base != verdict.overall:
        yield "OVERALL, against the untrained model", verdict.base
    yield from ((_named(number, one), one.effect) for number, one in enumerate(page.trainings, 1))


def _named(number: int, one: Training) -> str:
    seed = "" if one.seed is None else f", seed {one.seed}"
    return f"OVERALL, training {number} alone{seed}"


def cells(name: str, effect: Effect) -> tuple[str, ...]:
    """A row of the table."""
    interval = spread(effect.low, effect.high) if effect.differing else "nothing differs"
    return (
        name,
        f"{effect.cases:,}",
        f"{effect.before:.3f}",
        f"{effect.after:.3f}",
        signed(effect.estimate),
        interval,
        f"{effect.p_worse:.3f}",
    )


def changes(page: VerdictPage) -> tuple[list[str], list[str]]:
    """(broke, fixed): the cases that differ, the largest differences first, in words."""
    pairs = page.evidence.pairs if page.evidence else ()
    moved = sorted((p for p in pairs if abs(p.after - p.before) > _SAME), key=lambda p: -abs(p.after - p.before))
    said = [(p.after > p.before, f"{p.case} ({p.category}): {p.before:.2f} → {p.after:.2f}") for p in moved]
    return [text for up, text in said if not up], [text for up, text in said if up]


def page_json(page: VerdictPage) -> dict[str, object]:
    """The verdict for programs."""
    verdict = page.verdict
    broke, fixed = changes(page)
    return {
        "version": 1,
        "verdict": verdict.verdict,
        "sentence": verdict.sentence,
        "judged": verdict.judged,
        "done": page.done,
        "next_step": page.next_step,
        "settle": verdict.settle,
        "largest_fall": verdict.largest_fall,
        "look": verdict.look,
        "alpha": verdict.alpha,
        "conditions": [_condition_json(one) for one in verdict.conditions],
        "overall": _effect_json(verdict.overall),
        "base": _effect_json(verdict.base),
        "categories": {name: _effect_json(effect) for name, effect in verdict.categories.items()},
        "tiers": {name: _effect_json(effect) for name, effect in verdict.tiers.items()},
        "trainings": [{**asdict(one), "effect": _effect_json(one.effect)} for one in page.trainings],
        "spread": spread_of(page.trainings),
        "broke": broke,
        "fixed": fixed,
        "notes": list(verdict.notes),
        "runs": list(page.runs),
        **page.about,
    }


def _condition_json(one: Condition) -> dict[str, object]:
    return {**asdict(one), "numbers": dict(one.numbers)}


def _effect_json(effect: Effect | None) -> dict[str, object] | None:
    return None if effect is None else {**asdict(effect), "shown": effect.shown}


def page_markdown(page: VerdictPage) -> str:
    """The verdict for a pull request, and for the evidence that a rejected adapter keeps."""
    lines = [f"# {_md(page.verdict.sentence)}", ""]
    lines += [f"- {label}: {_md(text)}" for label, text in _said(page)]
    lines += ["", "## What had to hold", ""]
    lines += [f"- {'✓' if one.holds else '✗'} {_md(one.words)}" for one in _in_order(page.verdict.conditions)]
    rows = [cells(name, effect) for name, effect in effects(page)]
    if rows:
        lines += ["", "## The numbers", "", _row(HEAD), "|---|---:|---:|---:|---:|---|---:|", *map(_row, rows)]
    for title, cases in zip(("Broke", "Fixed"), changes(page), strict=True):
        if cases:
            lines += ["", f"## {title}: {len(cases)}", "", *(f"- {_md(text)}" for text in _few(cases))]
    lines += ["", *(f"- {label}: {_md(text)}" for label, text in page.about.items())]
    return "\n".join(lines) + "\n"


def page_html(page: VerdictPage) -> str:
    """The verdict as a page of its own. Nothing is loaded, and no script is in it."""
    verdict = page.verdict
    hashed = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=f"default-src 'none'; style-src 'sha256-{hashed}'"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{verdict.verdict} · {page.about.get('adapter', '')}"),
        tag("style", Markup(_STYLE)),
    )
    rows = [tag("tr", (tag("td", cell) for cell in cells(name, effect))) for name, effect in effects(page)]
    body = tag(
        "main",
        tag("h1", verdict.sentence, class_=verdict.verdict),
        tag("ul", (tag("li", tag("b", f"{label}: "), text) for label, text in _said(page))),
        tag("h2", "What had to hold"),
        tag("ul", (_condition_html(one) for one in _in_order(verdict.conditions))),
        (tag("h2", "The numbers"), tag("table", tag("tr", (tag("th", cell) for cell in HEAD)), rows)) if rows else None,
        (_cases_html(title, cases) for title, cases in zip(("Broke", "Fixed"), changes(page), strict=True)),
        tag("h2", "What it rests on"),
        tag("ul", (tag("li", tag("b", f"{label}: "), text) for label, text in page.about.items())),
    )
    return f'<!doctype html>\n<html lang="en">{head}{tag("body", body)}</html>\n'


def _condition_html(one: Condition) -> Markup:
    return tag("li", f"{'✓' if one.holds else '✗'} {one.words}", class_=None if one.holds else "fails")


def _cases_html(title: str, cases: Sequence[str]) -> tuple[Markup, Markup] | None:
    if not cases:
        return None
    return tag("h2", f"{title}: {len(cases)}"), tag("ul", (tag("li", text) for text in _few(cases)))


def _said(page: VerdictPage) -> Iterator[tuple[str, str]]:
    """What a reader at seven in the morning wants next."""
    verdict = page.verdict
    if page.done:
        yield "done", page.done
    if verdict.settle:
        yield "what would settle it", verdict.settle
    if verdict.largest_fall is not None and verdict.verdict != "reject":
        fall = f"{verdict.largest_fall:.3f}" if verdict.largest_fall else "none"
        yield "largest overall fall that is not excluded", fall
    if page.next_step:
        yield "next", page.next_step
    yield from (("note", note) for note in verdict.notes)


def _in_order(conditions: Sequence[Condition]) -> list[Condition]:
    """What does not hold comes first."""
    return sorted(conditions, key=lambda one: one.holds)


def _few(texts: Sequence[str]) -> list[str]:
    return [*texts[:_MOST], *([f"… and {len(texts) - _MOST:,} more"] if len(texts) > _MOST else [])]


def _row(row: Sequence[str]) -> str:
    return "| " + " | ".join(map(_md, row)) + " |"


def _md(text: str) -> str:
    """Text of a person or a server, which must not become markup."""
    for sign in "\\`*_[]|#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
