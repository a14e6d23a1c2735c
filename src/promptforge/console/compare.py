"""Two arms side by side, as text, JSON and Markdown; and what single arms scored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from promptforge.bench.results import ArmScores, Comparison, Effect, Flip, Level, Verdict
from promptforge.bench.verdicts import signed, spread
from promptforge.console.terminal import Painter, columns, plural
from promptforge.console.unanswered import unanswered_lines, unanswered_text

if TYPE_CHECKING:  # bench, which compares runs alone, need not load what compares files
    from promptforge.bench.comparefiles import CategoryComparison

__all__ = [
    "arms_json",
    "arms_text",
    "categories_json",
    "categories_markdown",
    "categories_text",
    "comparison_json",
    "comparison_markdown",
    "comparison_text",
]

_MOST = 10
"""So many cases are named; the rest are counted."""
_SIDE_BY_SIDE = 3
"""Arms beyond this many stand below each other: a table of more columns fits no terminal."""
_COLOURS = {"better": "green", "worse": "red", "not shown": "yellow", "identical": "yellow", "withheld": "red"}
_RIGHT = (1, 2, 3, 4, 6, 7)
_HEAD = ("", "cases", "before", "after", "difference", "95 % interval", "p", "adjusted p", "")


# --- two arms ---------------------------------------------------------------------------------------------------------


def comparison_text(found: Comparison, paint: Painter) -> str:
    """The verdict first, then what is unanswered, then the numbers."""
    lines = [f"{found.before} → {found.after}", "", *_verdict_text(found.verdict, paint)]
    if found.unanswered:
        lines += ["", *unanswered_text(found.unanswered, paint)]
    rows = [(_cells(name, effect, found.reader), _word(effect, found.reader)) for name, effect in _effects(found)]
    if rows:
        head, *body = columns([_HEAD, *(cells for cells, _ in rows)], right=_RIGHT).split("\n")
        lines += ["", paint(head, "bold")]
        lines += [
            paint(line, _COLOURS[word]) if word in _COLOURS else line
            for line, (_, word) in zip(body, rows, strict=True)
        ]
    for title, flips, colour in (("fixed", found.fixed, "green"), ("broke", found.broke, "red")):
        if flips:
            lines += ["", paint(f"{title}: {plural(len(flips), 'case')}", colour, "bold")]
            lines += columns([_flip(flip) for flip in flips[:_MOST]], indent="  ").split("\n")
            lines += _more(len(flips))
    lines += _left_out(found)
    return "\n".join(lines)


def _verdict_text(verdict: Verdict, paint: Painter) -> Iterator[str]:
    yield paint(verdict.sentence, _COLOURS[verdict.word], "bold")
    yield from (f"  {reason}" for reason in verdict.reasons)
    if verdict.next_step:
        yield f"  {paint('next:', 'cyan')} {verdict.next_step}"


def _effects(found: Comparison) -> Iterator[tuple[str, Effect]]:
    """Every row of the table, by its name."""
    yield from found.categories.items()
    if found.overall:
        yield "OVERALL", found.overall
    if len(found.tiers) > 1:
        yield from ((f"tier {tier}" if tier else "no tier", effect) for tier, effect in found.tiers.items())
    if found.generated:
        yield "generated, apart", found.generated


def _cells(name: str, effect: Effect, reader: bool) -> tuple[str, ...]:
    return (
        name,
        f"{effect.cases:,}",
        f"{effect.before:.3f}",
        f"{effect.after:.3f}",
        signed(effect.estimate),
        spread(effect.low, effect.high) if effect.differing else "",
        _p(effect.p) if effect.p_adjusted is None else "",
        "" if effect.p_adjusted is None else _p(effect.p_adjusted),
        _word(effect, reader),
    )


def _word(effect: Effect, reader: bool) -> str:
    """What a row shows: a category by its adjusted p-value, everything else by its own. The reader knows no better."""
    if not effect.differing:
        return "nothing differs"
    if effect.too_few:
        return "too few differ"
    if (effect.p if effect.p_adjusted is None else effect.p_adjusted) > 0.05:
        return "" if reader else "not shown"
    if reader:
        return "more found" if effect.estimate > 0 else "fewer found"
    return "better" if effect.estimate > 0 else "worse"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _flip(flip: Flip) -> tuple[str, ...]:
    label = flip.label.replace("_", " ")
    return flip.case, flip.category, f"{flip.before:.2f} → {flip.after:.2f}", label


def _few(texts: Sequence[str]) -> list[str]:
    return [*texts[:_MOST], *(line.strip() for line in _more(len(texts)))]


def _more(count: int) -> list[str]:
    return [f"  … and {count - _MOST:,} more (--format json has all)"] if count > _MOST else []


def _left_out(found: Comparison) -> Iterator[str]:
    if found.unpaired:
        yield ""
        yield f"left out of both: {len(found.unpaired):,}"
        yield from (f"  {text}" for text in _few(found.unpaired))
    if found.empty_categories:
        yield ""
        yield f"without a case that counts: {', '.join(found.empty_categories)}"


def comparison_json(found: Comparison) -> dict[str, object]:
    """The comparison for programs."""
    return {
        "version": 1,
        "before": found.before,
        "after": found.after,
        "verdict": _verdict_json(found.verdict),
        "overall": _effect_json(found.overall),
        "categories": {name: _effect_json(effect) for name, effect in found.categories.items()},
        "tiers": {name: _effect_json(effect) for name, effect in found.tiers.items()},
        "generated": _effect_json(found.generated),
        "mcnemar": found.mcnemar,
        "fixed": [asdict(flip) for flip in found.fixed],
        "broke": [asdict(flip) for flip in found.broke],
        "empty_categories": list(found.empty_categories),
        "unpaired": list(found.unpaired),
        "unanswered": list(found.unanswered),
        "reader": found.reader,
    }


def _verdict_json(verdict: Verdict) -> dict[str, object]:
    return {
        "word": verdict.word,
        "sentence": verdict.sentence,
        "reasons": list(verdict.reasons),
        "next_step": verdict.next_step,
    }


def _effect_json(effect: Effect | None) -> dict[str, object] | None:
    return None if effect is None else {**asdict(effect), "shown": effect.shown}


def comparison_markdown(found: Comparison) -> str:
    """The comparison for a pull request."""
    lines = [f"### promptforge: {_md(found.verdict.sentence)}", f"{_md(found.before)} → {_md(found.after)}", ""]
    lines += _verdict_markdown(found.verdict)
    if found.unanswered:
        lines += ["", *_missing_markdown(found.unanswered)]
    rows = [_cells(name, effect, found.reader) for name, effect in _effects(found)]
    if rows:
        lines += ["", _row(("", *_HEAD[1:])), "|---|---:|---:|---:|---:|---|---:|---:|---|", *map(_row, rows)]
    for title, flips in (("Broke", found.broke), ("Fixed", found.fixed)):
        if flips:
            lines += ["", f"**{title}: {plural(len(flips), 'case')}**", ""]
            lines += [f"- {_md(', '.join(part for part in _flip(flip) if part))}" for flip in flips[:_MOST]]
            lines += [f"- {line.strip()}" for line in _more(len(flips))]
    if found.unpaired:
        lines += ["", f"Left out of both: {len(found.unpaired):,}", ""]
        lines += [f"- {_md(text)}" for text in _few(found.unpaired)]
    if found.empty_categories:
        lines += ["", f"Without a case that counts: {_md(', '.join(found.empty_categories))}"]
    return "\n".join(lines)


def _verdict_markdown(verdict: Verdict) -> Iterator[str]:
    yield from (f"- {_md(reason)}" for reason in verdict.reasons)
    if verdict.next_step:
        yield f"- next: {_md(verdict.next_step)}"


def _missing_markdown(unanswered: Sequence[str]) -> Iterator[str]:
    title, *lines = unanswered_lines(unanswered)
    yield from (f"**{title.capitalize()}**", "")
    for line in lines:
        text = line.lstrip()
        yield f"{' ' * (len(line) - len(text) - 2)}- {_md(text)}"  # as deep as it was indented


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_md, cells)) + " |"


def _md(text: str) -> str:
    """Text of a person or a model, which must not become markup."""
    for sign in "\\`*_[]|#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())


# --- two files of category scores -------------------------------------------------------------------------------------


def categories_text(found: "CategoryComparison", paint: Painter) -> str:
    """The table of deltas, and what it can bear."""
    head, *body = columns(
        [("", "cases", "before", "after", "difference"), *_category_rows(found)], right=(1, 2, 3, 4)
    ).split("\n")
    lines = [f"{found.before} → {found.after}", "", *_verdict_text(found.verdict, paint)]
    lines += ["", *unanswered_text(found.unanswered, paint)] if found.unanswered else []
    lines += ["", paint(head, "bold"), *body[:-1], body[-1] if found.unanswered else paint(body[-1], "bold")]
    if found.unpaired:
        lines += ["", f"left out of both: {len(found.unpaired):,}", *(f"  {text}" for text in found.unpaired)]
    lines += [f"note: {note}" for note in found.notes]
    return "\n".join(lines)


def _category_rows(found: "CategoryComparison") -> Iterator[tuple[str, ...]]:
    for row in found.rows:
        yield row.category, _cases(row.cases), f"{row.before:.3f}", f"{row.after:.3f}", signed(row.delta)
    if found.unanswered:
        return
    total = "" if found.cases is None else f"{found.cases:,}"
    yield "OVERALL", total, f"{found.overall_before:.3f}", f"{found.overall_after:.3f}", signed(found.delta)


def _cases(number: float | None) -> str:
    """How many cases a category rests on: an equal share of all of them need be no whole number."""
    if number is None:
        return ""
    return f"{number:,.0f}" if number == int(number) else f"about {number:,.0f}" if number > 1 else "under 1"


def categories_json(found: "CategoryComparison") -> dict[str, object]:
    """The table for programs."""
    return {
        "version": 1,
        "before": found.before,
        "after": found.after,
        "verdict": _verdict_json(found.verdict),
        "overall": None
        if found.unanswered
        else {"before": found.overall_before, "after": found.overall_after, "difference": found.delta},
        "categories": {
            row.category: {"before": row.before, "after": row.after, "difference": row.delta, "cases": row.cases}
            for row in found.rows
        },
        "cases": found.cases,
        "discordance": found.discordance,
        "p": {"least": found.least_p, "most": found.most_p},
        "detectable": found.detectable,
        "needed": found.needed,
        "unpaired": list(found.unpaired),
        "unanswered": list(found.unanswered),
        "notes": list(found.notes),
    }


def categories_markdown(found: "CategoryComparison") -> str:
    """The table for a pull request."""
    lines = [f"### promptforge: {_md(found.verdict.sentence)}", f"{_md(found.before)} → {_md(found.after)}", ""]
    lines += _verdict_markdown(found.verdict)
    if found.unanswered:
        lines += ["", *_missing_markdown(found.unanswered)]
    lines += ["", _row(("", "cases", "before", "after", "difference")), "|---|---:|---:|---:|---:|"]
    lines += map(_row, _category_rows(found))
    if found.unpaired:
        lines += ["", f"Left out of both: {len(found.unpaired):,}", "", *(f"- {_md(text)}" for text in found.unpaired)]
    lines += ["", *(f"Note: {_md(note)}" for note in found.notes)] if found.notes else []
    return "\n".join(lines)


# --- single arms ------------------------------------------------------------------------------------------------------


def arms_text(arms: Sequence[ArmScores], paint: Painter) -> str:
    """What each arm scored, with intervals, which say nothing of a difference; many arms stand below each other."""
    lines = [paint(text, "yellow") for text in _cut_off(arms)]
    head, *body = (_beside(arms) if len(arms) <= _SIDE_BY_SIDE else _below(arms)).split("\n")
    lines += [paint(head, "bold"), *body]
    if len(arms) > _SIDE_BY_SIDE:
        lines.append("the categories of each: promptforge report")
    for arm in arms:
        lines += [paint(f"unanswered: {text}", "red") for text in _few(arm.unanswered)]
    return "\n".join(lines)


def _cut_off(arms: Sequence[ArmScores]) -> Iterator[str]:
    if count := sum(arm.states.get("truncated", 0) for arm in arms):
        were = "was" if count == 1 else "were"
        yield f"{plural(count, 'answer')} {were} cut off, at twice the limit where one is set: raise params.max_tokens"


def _beside(arms: Sequence[ArmScores]) -> str:
    """Each arm a column."""
    shown = {name: None for arm in arms for name in arm.categories}
    names = [
        name for name in dict.fromkeys((*(name for arm in arms for name in arm.declared), *shown)) if name in shown
    ]
    rows = [("", *(str(arm.arm) for arm in arms))]
    rows += [(name, *(_level(arm.categories.get(name)) for arm in arms)) for name in names]
    rows.append(("OVERALL", *(_level(arm.overall) for arm in arms)))
    if any(arm.generated for arm in arms):
        rows.append(("generated, apart", *(_level(arm.generated) for arm in arms)))
    if any(arm.reader for arm in arms):
        rows.append(("found in the prompt", *(_found(arm) for arm in arms)))
    return columns(rows)


def _below(arms: Sequence[ArmScores]) -> str:
    """Each arm a row."""
    rows = [("", "OVERALL", "n", "unanswered", *(["found in the prompt"] if any(a.reader for a in arms) else []))]
    for arm in arms:
        level = arm.overall
        score = f"{level.value:.3f} ({level.low:.2f} to {level.high:.2f})" if level else "withheld"
        missing = arm.states.get("failed", 0) + arm.states.get("timed_out", 0) or len(arm.unanswered)
        cells = (str(arm.arm), score, f"{level.cases:,}" if level else "", f"{missing:,}" if missing else "")
        rows.append((*cells, *([_found(arm)] if len(rows[0]) > len(cells) else [])))
    return columns(rows, right=(2, 3))


def _level(level: Level | None) -> str:
    return (
        "withheld" if level is None else f"{level.value:.3f} ({level.low:.2f} to {level.high:.2f}, n = {level.cases:,})"
    )


def _found(arm: ArmScores) -> str:
    return f"{arm.overall.full:,} of {arm.overall.cases:,}" if arm.reader and arm.overall else ""


def arms_json(arms: Sequence[ArmScores]) -> list[Mapping[str, object]]:
    """The scores of arms, to stand in a larger document."""
    return [
        {
            "model": arm.arm.model,
            "variant": arm.arm.variant,
            "revision": arm.arm.revision,
            "overall": arm.overall and asdict(arm.overall),
            "categories": {name: asdict(level) for name, level in arm.categories.items()},
            "tiers": {name: asdict(level) for name, level in arm.tiers.items()},
            "generated": arm.generated and asdict(arm.generated),
            "cases": {score.case: score.value for score in arm.cases},
            "states": dict(arm.states),
            "labels": dict(arm.labels),
            "empty_categories": list(arm.empty_categories),
            "not_applicable": list(arm.not_applicable),
            "unanswered": list(arm.unanswered),
            "reader": arm.reader,
        }
        for arm in arms
    ]
