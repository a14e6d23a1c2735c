"""A run: what came of it; and the list of runs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from promptforge.bench.arms import account
from promptforge.bench.results import Reply, Run
from promptforge.bench.verdicts import signed, spread
from promptforge.bench.worth import WITHOUT, Worth
from promptforge.console.compare import arms_text, comparison_text
from promptforge.console.judged import goes_on, judgements_text
from promptforge.console.sending import first_names
from promptforge.console.terminal import Painter, columns, plural
from promptforge.console.unanswered import unanswered_text
from promptforge.store import RunHead
from promptforge.workbench.judged import Judged

__all__ = ["run_text", "runs_json", "runs_text", "worths_text"]

_FEW = 5
_ROOM = 60
"""Characters of the arms in a list of runs."""


def run_text(run: Run, found: Judged, paint: Painter, *, reader: str = "") -> str:
    """What came of a run: what is unanswered above all scores, then the arms, then the comparisons.

    `reader` is the name of a model that needs no server: whoever got no answer at all is told of it.
    """
    lines = [f"{run.suite}: {plural(len(run.cases), 'case')}; {_sent(run)}"]
    silent = not any(reply.answer for reply in run.replies)
    lines += _unanswered(run, paint, silent=silent)
    if silent and reader and not run.stopped:
        lines.append(f"without any model: `promptforge bench --model {reader}` says what can be found in the prompts")
    lines += [f"note: {note}" for note in run.notes]
    lines += _barred(run)
    # Who is unanswered is said above, once for all arms and comparisons.
    lines += ["", arms_text([replace(arm, unanswered=()) for arm in found.scores], paint)]
    if found.worths:
        lines += ["", worths_text(found.worths, paint)]
    shown = [c for c in found.comparisons if not (found.worths and c.before.startswith(WITHOUT))]
    for comparison in shown:
        lines += ["", comparison_text(replace(comparison, unanswered=()), paint)]
    lines += judgements_text(run, paint)
    lines += ["", f"run {run.id}; its page: promptforge report"]
    return "\n".join(lines)


def worths_text(found: Sequence[Worth], paint: Painter) -> str:
    """What each section costs and buys."""
    several = len({one.model for one in found}) > 1
    rows = [("section", "tokens", "score with it", "95 % interval", *(["on"] if several else []), "")]
    for one in found:
        effect = one.effect
        interval = spread(effect.low, effect.high) if effect and effect.differing else ""
        difference = signed(effect.estimate) if effect else ""
        on = [one.model] if several else []
        rows.append((one.section, f"{one.tokens:,.0f}", difference, interval, *on, one.words))
    head, *body = columns(rows, right=(1, 2)).split("\n")
    return "\n".join([paint(head, "bold"), *body])


def _sent(run: Run) -> str:
    """What was asked and answered, each request once, however many arms share it."""
    found = account(run)
    parts = [f"asked {found.asked:,}"]
    if found.answered != found.asked:
        parts.append(f"answered {found.answered:,}")
    if found.inherited:
        parts.append(f"inherited {found.inherited:,} from {first_names(found.from_runs)}")
    if found.shared:
        parts.append(f"{found.shared:,} more answered by the same requests")
    if found.unpriced:
        parts.append(f"at least ${found.spent_usd:.4f}" if found.spent_usd else "cost not known")
    elif found.spent_usd:
        parts.append(f"${found.spent_usd:.4f}")
    return ", ".join(parts)


def _unanswered(run: Run, paint: Painter, *, silent: bool) -> Iterator[str]:
    """By reason, with the first requests of each; where nobody answered at all, nobody needs their names."""
    missing = {r.identity: r for r in run.replies if r.state in ("failed", "timed_out")}
    if run.stopped:
        yield paint(f"cut short: {run.stopped}; {goes_on(run)}", "red", "bold")
    if missing:
        texts = [f"{_place(run, reply)}: {reply.message}" for reply in missing.values()]
        so, examples = "; no score is made of them", 0 if silent else 2
        yield from unanswered_text(texts, paint, so=so, examples=examples)


def _place(run: Run, reply: Reply) -> str:
    number = f" #{reply.repeat + 1}" if run.repeats > 1 else ""
    return f"{reply.case} × {reply.agent} × {reply.arm}{number}"


def _barred(run: Run) -> Iterator[str]:
    messages = (reply.message for reply in run.replies if reply.state == "not_applicable")
    reasons = Counter(text.replace("it holds", "the prompt or the question holds", 1) for text in messages)
    if reasons:
        yield f"not asked, in any arm: {plural(sum(reasons.values()), 'request')}"
    for message, count in reasons.most_common(_FEW):
        yield f"  {count:,} × {message}"


def runs_text(runs: Sequence[RunHead]) -> str:
    """The list of runs."""
    if not runs:
        return "no run yet; make one: promptforge bench"
    rows = [("run", "suite", "cases", "arms", "")]
    for run in runs:
        rows.append((run.id, run.suite, str(run.head.get("cases", "")), _arms(run.head.get("arms", ())), _left(run)))
    return columns(rows, right=(2,))


def _arms(names: Sequence[str]) -> str:
    """As many as there is room for; the rest are counted."""
    shown: list[str] = []
    for name in names:
        if shown and len(", ".join([*shown, name])) > _ROOM:
            return f"{', '.join(shown)} and {len(names) - len(shown)} more"
        shown.append(name)
    return ", ".join(shown)


def _left(run: RunHead) -> str:
    """What a run lacks: why it was cut short, or how many requests have no answer."""
    states = run.head.get("states", {})
    missing = states.get("failed", 0) + states.get("timed_out", 0)
    return str(run.head.get("stopped", "")) or (f"{missing:,} unanswered" if missing else "")


def runs_json(runs: Sequence[RunHead]) -> dict[str, object]:
    """The list of runs for programs."""
    listed = [
        {"id": r.id, "suite": r.suite, "started": r.started, "finished": r.finished or None, **r.head} for r in runs
    ]
    return {"version": 1, "runs": listed}
