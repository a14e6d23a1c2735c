"""A run: what it will send, how far it is, what came of it; and the list of runs."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from promptforge.bench.arms import account
from promptforge.bench.results import Reply, Run
from promptforge.bench.run import Progress
from promptforge.bench.verdicts import signed, spread
from promptforge.bench.worth import WITHOUT, Worth
from promptforge.console.compare import arms_text, comparison_text
from promptforge.console.judged import goes_on, judgements_text
from promptforge.console.terminal import Painter, columns, plural
from promptforge.console.unanswered import unanswered_text
from promptforge.store import RunHead
from promptforge.workbench.judged import Judged
from promptforge.workbench.planning import Estimate, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["opening", "plan_json", "plan_text", "progress_line", "run_text", "runs_json", "runs_text", "worths_text"]

_FEW = 5
_ROOM = 60
"""Characters of the arms in a list of runs."""


def opening(plan: Plan) -> str:
    """One line before anything is sent."""
    size = f"{plan.suite.name}: {plural(len(plan.records), 'case')}, {plural(len(plan.arms), 'arm')}"
    return f"{size}; {_sending(plan.estimate)}"


def _sending(estimate: Estimate) -> str:
    parts = [f"{plural(estimate.requests, 'request')} to send" if estimate.requests else "nothing to send"]
    if estimate.inherited:
        parts.append(f"{estimate.inherited:,} inherited from {_runs(estimate.from_runs)}")
    if estimate.barred:
        parts.append(f"{estimate.barred:,} barred by clearance")
    return ", ".join(parts)


def plan_text(plan: Plan) -> str:
    """What --dry-run says."""
    estimate = plan.estimate
    lines = [opening(plan)]
    rows = [(f"  {model}", f"{count:,}", "requests") for model, count in estimate.by_model.items()]
    lines += columns(rows, right=(1,)).split("\n") if rows else []
    tokens = f"{estimate.input_tokens:,} tokens in, up to {estimate.output_tokens:,} out"
    dollars = _dollars(estimate.usd, estimate.unpriced, estimate.known_usd)
    lines.append(f"{tokens}, {dollars}; what is cut off is asked for once more, with twice the room")
    lines += _judging(plan)
    lines += [f"note: {note}" for note in plan.notes]
    if estimate.over:
        lines.append(f"this needs --yes: {estimate.over}")
    return "\n".join(lines)


def _dollars(usd: float | None, unpriced: Sequence[str], known_usd: float = 0.0) -> str:
    if usd is None:
        no_price = f"promptforge.yaml gives no price for {', '.join(unpriced)}"
        if known_usd:
            return f"up to {_amount(known_usd)} for the rest, and at a cost that is not known: {no_price}"
        return f"at a cost that is not known: {no_price}"
    return f"up to {_amount(usd)}" if usd else "free"


def _amount(usd: float) -> str:
    return f"${usd:.2f}" if usd >= 1 else f"${math.ceil(usd * 1e4) / 1e4:.4f}"


def _judging(plan: Plan) -> "Iterator[str]":
    judging = plan.estimate.judging
    if plan.judge is not None and (judging.requests or judging.inherited):
        known = f", {judging.inherited:,} inherited" if judging.inherited else ""
        most = f"at most {plural(judging.requests, 'request')}{known}, {_dollars(judging.usd, [plan.judge.model.name])}"
        yield f"judged by {plan.judge.model.name}, apart: {most}"


def plan_json(plan: Plan) -> dict[str, object]:
    """What --dry-run says, for programs."""
    estimate = plan.estimate
    return {
        "version": 1,
        "suite": plan.suite.name,
        "cases": len(plan.records),
        "arms": [str(arm) for arm in plan.arms],
        "requests": estimate.requests,
        "inherited": estimate.inherited,
        "inherited_from": dict(estimate.from_runs),
        "barred": estimate.barred,
        "by_model": dict(estimate.by_model),
        "input_tokens": estimate.input_tokens,
        "output_tokens": estimate.output_tokens,
        "usd": estimate.usd,
        "known_usd": estimate.known_usd,
        "unpriced": list(estimate.unpriced),
        "judge": _judging_json(plan),
        "over": estimate.over,
        "notes": list(plan.notes),
    }


def _judging_json(plan: Plan) -> dict[str, object] | None:
    if plan.judge is None:
        return None
    judging = plan.estimate.judging
    return {
        "model": plan.judge.model.name,
        "requests": judging.requests,
        "inherited": judging.inherited,
        "usd": judging.usd,
    }


def progress_line(progress: Progress) -> str:
    """How far a run is: done, rate, cost so far, time left."""
    elapsed_s = max(1e-6, time.monotonic() - progress.started)
    rate = (progress.sent + progress.failed) / elapsed_s
    left = progress.total - progress.done
    parts = [f"{progress.done:,}/{progress.total:,}", f"{rate:.1f}/s"]
    if progress.usd:
        parts.append(f"${progress.usd:.2f}")
    if progress.failed:
        parts.append(f"{progress.failed:,} unanswered")
    if rate and left:
        minutes, seconds = divmod(int(left / rate), 60)
        parts.append(f"{minutes}:{seconds:02} left")
    return " · ".join(parts)


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
        parts.append(f"inherited {found.inherited:,} from {_runs(found.from_runs)}")
    if found.shared:
        parts.append(f"{found.shared:,} more answered by the same requests")
    if found.unpriced:
        parts.append(f"at least ${found.spent_usd:.4f}" if found.spent_usd else "cost not known")
    elif found.spent_usd:
        parts.append(f"${found.spent_usd:.4f}")
    return ", ".join(parts)


def _runs(names: Iterable[str]) -> str:
    first = list(names)
    return ", ".join(first[:2]) + (", …" if len(first) > 2 else "")


def _unanswered(run: Run, paint: Painter, *, silent: bool) -> "Iterator[str]":
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


def _barred(run: Run) -> "Iterator[str]":
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
