"""A verdict, and the champions."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from promptforge.bench.gatepage import HEAD, VerdictPage, cells, changes, effects, page_json
from promptforge.console.terminal import Painter, columns, plural
from promptforge.promote import Promotion
from promptforge.store import Crowning
from promptforge.workbench.champions import Champion
from promptforge.workbench.contest import Contender
from promptforge.workbench.planning import Plan

__all__ = [
    "champions_json",
    "champions_text",
    "history_json",
    "history_text",
    "outlook_json",
    "outlook_text",
    "promotion_json",
    "verdict_text",
]

_COLOURS = {"promote": "green", "reject": "red", "inconclusive": "yellow"}
_MOST = 10


def verdict_text(page: VerdictPage, paint: Painter) -> str:
    """The verdict first, then what was done and what to do; then what had to hold, and the numbers."""
    verdict = page.verdict
    lines = [paint(verdict.sentence, _COLOURS[verdict.verdict], "bold")]
    lines += [f"  {paint(f'{label}:', 'cyan')} {text}" for label, text in _said(page)]
    lines += ["", paint("what had to hold", "bold")]
    for one in sorted(verdict.conditions, key=lambda one: one.holds):
        line = f"  {'holds' if one.holds else 'FAILS'}  {one.words}"
        lines.append(line if one.holds else paint(line, "red" if one.guards == "harm" else "yellow"))
    if rows := [cells(name, effect) for name, effect in effects(page)]:
        head, *body = columns([HEAD, *rows], right=(1, 2, 3, 4, 6)).split("\n")
        lines += ["", paint(head, "bold"), *body]
    for title, cases in zip(("broke", "fixed"), changes(page), strict=True):
        if cases:
            lines += ["", paint(f"{title}: {plural(len(cases), 'case')}", "bold"), *(f"  {c}" for c in cases[:_MOST])]
            lines += [f"  … and {len(cases) - _MOST:,} more"] if len(cases) > _MOST else []
    return "\n".join(lines)


def _said(page: VerdictPage) -> Iterator[tuple[str, str]]:
    verdict = page.verdict
    yield "done", page.done
    for name in ("stale", "prompts"):
        if name in page.about:
            yield name, page.about[name]
    if verdict.settle:
        yield "what would settle it", verdict.settle
    if verdict.largest_fall is not None and verdict.verdict != "reject":
        fall = f"{verdict.largest_fall:.3f}" if verdict.largest_fall else "none"
        yield "largest overall fall that is not excluded", fall
    if page.next_step:
        yield "next", page.next_step
    yield from (("note", note) for note in verdict.notes)


def promotion_json(found: Promotion) -> dict[str, object]:
    """The verdict for programs, with what came of it."""
    more = {
        "stopped": found.stopped,
        "champion": _champion_json(found.champion) if found.champion else None,
        "files": [str(path) for path in found.written],
        "released": list(found.released),
    }
    return {"version": 1, **(page_json(found.page) if found.page else {}), **more}


# --- before anything is sent ------------------------------------------------------------------------------------------


def outlook_text(arms: Sequence[tuple[Contender, Plan]], seeds: int = 1) -> str:
    """Each arm: a server of its own, so many requests, so many of them known."""
    rows = [("arm", "requests", "known already", "to send", "prompt")]
    for contender, plan in arms:
        asked = sum(not job.barred for job in plan.jobs)
        sent = asked - sum(job.identity in plan.known for job in plan.jobs)
        rows.append((contender.words, f"{asked:,}", f"{asked - sent:,}", f"up to {sent:,}", contender.variant))
    servers = plural(len(arms), "server")
    lines = [columns(rows, right=(1, 2, 3)), f"{servers}, one after another; nothing was started"]
    if seeds > 1:
        times, more = plural(seeds - 1, "time"), plural(seeds - 1, "server")
        lines.append(f"where it is near, it is trained {times} more: {more} with up to {rows[-1][1]} requests each")
    return "\n".join(lines)


def outlook_json(arms: Sequence[tuple[Contender, Plan]], seeds: int = 1) -> dict[str, object]:
    """The same for programs."""
    found = []
    for contender, plan in arms:
        asked = [job for job in plan.jobs if not job.barred]
        known = sum(job.identity in plan.known for job in asked)
        found.append({"arm": contender.name, "requests": len(asked), "known": known, "variant": contender.variant})
    return {"version": 1, "arms": found, "trainings_if_near": seeds - 1}


# --- champions --------------------------------------------------------------------------------------------------------


def champions_text(found: Sequence[Champion]) -> str:
    """One line a champion, with why."""
    if not found:
        return "no champion: every model is served as it is"
    rows = [("model", "category", "since", "number", "recipe", "adapter")]
    rows += [
        (one.model, one.category or "all", one.since[:16].replace("T", " "), f"{one.number}", one.recipe, _short(one))
        for one in found
    ]
    return columns(rows, right=(3,)) + "".join(f"\n{one.model}: {one.why}" for one in found)


def champions_json(found: Sequence[Champion]) -> dict[str, object]:
    """The champions for programs."""
    return {"version": 1, "champions": [_champion_json(one) for one in found]}


def _champion_json(one: Champion) -> dict[str, object]:
    return {**asdict(one), "folder": str(one.folder)}


def _short(one: Champion) -> str:
    return f"{one.folder.parent.name}/{one.folder.name}"


def history_text(rows: Sequence[Crowning]) -> str:
    """Every change, the latest first."""
    if not rows:
        return "no champion so far"
    lines: list[tuple[str, ...]] = [("number", "when", "model", "what", "why")]
    for row in reversed(rows):
        what = row.action
        if row.action == "rollback":
            what += f" to {row.body['to']}" if "to" in row.body else " to the untrained model"
        where = row.model + (f", {row.category}" if row.category else "")
        lines.append((f"{row.number}", row.at[:16].replace("T", " "), where, what, str(row.body.get("why", ""))))
    return columns(lines, right=(0,))


def history_json(rows: Sequence[Crowning]) -> dict[str, object]:
    """Every change for programs, the oldest first."""
    return {"version": 1, "history": [{**asdict(row), "body": dict(row.body)} for row in rows]}
