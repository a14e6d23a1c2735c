"""Nights: how one went, how they went, and what the rehearsal said."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from promptforge.console.terminal import Painter, columns, plural
from promptforge.nightly.journal import STAGES, Night, streak
from promptforge.nightly.rehearsal import Rehearsal, Trial

__all__ = ["night_json", "night_text", "rehearsal_json", "rehearsal_text", "status_json", "status_text"]

_COLOURS = {"promote": "green", "reject": "red", "inconclusive": "yellow", "failed": "red"}
_WIDEST = 100


def night_text(night: Night, done: bool, paint: Painter, since: str = "") -> str:
    """A night in a few lines: what came of it first; `since` is what has become of it, where nothing was done now."""
    if not done:
        title = f"{_title(night, paint)}\n  nothing has changed since: nothing was trained, nothing asked"
        return f"{title}\n  {paint(since, 'yellow')}" if since else title
    lines = [_title(night, paint), *(f"  {line}" for line in _stages(night))]
    lines += [f"  {paint('verdict:', 'cyan')} {page}" for page in night.pages if page.endswith(".html")]
    return "\n".join(lines)


def _title(night: Night, paint: Painter) -> str:
    said = night.sentence or f"cut short at '{night.at}'; the next night goes on from there"
    return f"{paint(f'night {night.number}, {night.recipe}:', _COLOURS.get(night.outcome, 'yellow'), 'bold')} {said}"


def _stages(night: Night) -> Iterator[str]:
    for stage in night.stages:
        what = STAGES.get(stage.name, stage.name)
        ended = f"done{f': {stage.words}' if stage.words else ''}" if stage.finished else "not ended"
        yield f"{stage.name:7} {what}: {ended}"


def night_json(night: Night, done: bool) -> dict[str, object]:
    """A night for programs."""
    return {**asdict(night), "stages": [asdict(stage) for stage in night.stages], "done": done}


def status_text(nights: Sequence[Night], most: int, paint: Painter) -> str:
    """The last nights of each recipe, and its streak."""
    if not nights:
        return "no night yet: promptforge nightly"
    blocks = []
    for recipe in dict.fromkeys(night.recipe for night in nights):
        own = [night for night in nights if night.recipe == recipe]
        rows = [("night", "began", "outcome", "why"), *(_row(night) for night in own[:most])]
        head, *body = columns(rows, right=(0,)).split("\n")
        lines = [paint(recipe, "bold"), paint(head, "dim"), *body]
        lines += [f"… and {len(own) - most:,} before"] if len(own) > most else []
        blocks.append("\n".join([*lines, paint(streak(own), "bold")]))
    return "\n\n".join(blocks)


def _row(night: Night) -> tuple[str, str, str, str]:
    why = night.sentence or f"at '{night.at}'"
    why = why if len(why) <= _WIDEST else why[: _WIDEST - 1] + "…"
    return str(night.number), night.started[:16].replace("T", " "), night.outcome or "cut short", why


def status_json(nights: Sequence[Night], most: int) -> dict[str, object]:
    """The last nights for programs."""
    recipes = dict.fromkeys(night.recipe for night in nights)
    by_recipe = {name: [night for night in nights if night.recipe == name] for name in recipes}
    return {
        "version": 1,
        "recipes": {
            name: {"streak": streak(own), "nights": [night_json(night, True) for night in own[:most]]}
            for name, own in by_recipe.items()
        },
    }


def rehearsal_text(found: Rehearsal, paint: Painter) -> str:
    """What the gate said of each of the three, and whether it may be trusted."""
    rows = [("", "must be", "is", "why")]
    rows += [(one.name, one.expected, one.verdict.verdict, one.verdict.sentence) for one in found.trials]
    head, *body = columns(rows).split("\n")
    marks = [paint("holds", "green") if one.holds else paint("FAILS", "red", "bold") for one in found.trials]
    lines = [paint(f"       {head}", "bold"), *(f"{mark}  {line}" for mark, line in zip(marks, body, strict=True))]
    lines += [f"       {one.name}: {why}" for one in found.trials if not one.holds if (why := _mend(one))]
    asked = f"{plural(found.cases, 'case')} of {found.suite}, answered by a stand-in"
    lines.append(
        f"asked: {asked}" + (f"; to {found.silent} of them no answer could be made up" if found.silent else "")
    )
    if found.holds:
        lines.append(
            paint("rehearsed: servers, bench and gate tell a winner, a loser and a tie apart", "green", "bold")
        )
    else:
        lines.append(paint("not to be trusted: mend the suite before a night is spent", "red", "bold"))
    return "\n".join(lines)


def _mend(trial: Trial) -> str:
    """What would make it come out as it must."""
    if trial.verdict.settle:
        return f"write more cases: {trial.verdict.settle}"
    if trial.name == "loser" and trial.verdict.overall is not None:
        return f"write more cases: with {trial.verdict.overall.before:.2f} right before there is too little to lose"
    return "write more cases, in each category and tier"


def rehearsal_json(found: Rehearsal) -> dict[str, object]:
    """The rehearsal for programs."""
    trials = [
        {
            "name": one.name,
            "expected": one.expected,
            "verdict": one.verdict.verdict,
            "holds": one.holds,
            "sentence": one.verdict.sentence,
            "settle": one.verdict.settle,
        }
        for one in found.trials
    ]
    told = {"suite": found.suite, "cases": found.cases, "silent": found.silent, "holds": found.holds}
    return {"version": 1, **told, "trials": trials}
