"""A run: what it will send, how far it is, what came of it; and the list of runs."""

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from promptforge.bench.results import Run
from promptforge.bench.run import Progress
from promptforge.bench.verdicts import signed
from promptforge.bench.worth import WITHOUT, Worth
from promptforge.console.compare import arms_text, by_reason, comparison_text
from promptforge.console.judged import judgements_text
from promptforge.console.terminal import Painter, columns, plural
from promptforge.store import RunHead
from promptforge.workbench.judged import Judged
from promptforge.workbench.planning import Estimate, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["opening", "plan_json", "plan_text", "progress_line", "run_text", "runs_json", "runs_text", "worths_text"]

_FEW = 5


def opening(plan: Plan) -> str:
    """One line before anything is sent."""
    size = f"{plan.suite.name}: {plural(len(plan.records), 'case')}, {plural(len(plan.arms), 'arm')}"
    return f"{size}; {_sending(plan.estimate)}"


def _sending(estimate: Estimate) -> str:
    parts = [f"{plural(estimate.requests, 'request')} to send" if estimate.requests else "nothing to send"]
    if estimate.inherited:
        runs = ", ".join(list(estimate.from_runs)[:2]) + (", …" if len(estimate.from_runs) > 2 else "")
        parts.append(f"{estimate.inherited:,} inherited from {runs}")
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
    dollars = _dollars(estimate.usd, estimate.unpriced)
    lines.append(f"{tokens}, {dollars}; what is cut off is asked for once more, with twice the room")
    lines += _judging(plan)
    lines += [f"note: {note}" for note in plan.notes]
    if estimate.over:
        lines.append(f"this needs --yes: {estimate.over}")
    return "\n".join(lines)


def _dollars(usd: float | None, unpriced: Sequence[str]) -> str:
    if usd is None:
        return f"at a cost that is not known: promptforge.yaml gives no price for {', '.join(unpriced)}"
    if not usd:
        return "free"
    return f"up to ${usd:.2f}" if usd >= 1 else f"up to ${math.ceil(usd * 1e4) / 1e4:.4f}"


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


def run_text(run: Run, found: Judged, estimate: Estimate, paint: Painter, *, reader: str = "") -> str:
    """What came of a run: what is unanswered above all scores, then the arms, then the comparisons.

    `reader` is the name of a model that needs no server: whoever got no answer at all is told of it.
    """
    lines = [f"{run.suite}: {plural(len(run.cases), 'case')}; {_sent(run, estimate)}"]
    lines += _unanswered(run, paint)
    silent = not any(reply.answer for reply in run.replies)
    if silent and reader and not run.stopped:
        lines.append(f"without any model: `promptforge bench --model {reader}` says what can be found in the prompts")
    lines += [f"note: {note}" for note in run.notes]
    lines += _barred(run)
    # Who is unanswered is said above, and with each comparison.
    lines += ["", arms_text([replace(arm, unanswered=()) for arm in found.scores], paint)]
    if found.worths:
        lines += ["", worths_text(found.worths, paint)]
    shown = [c for c in found.comparisons if not (found.worths and c.before.startswith(WITHOUT))]
    for comparison in shown:
        # Where nobody answered, what is said at the top is all there is to say of it.
        lines += ["", comparison_text(replace(comparison, unanswered=()) if silent else comparison, paint)]
    lines += judgements_text(run, paint)
    lines += ["", f"run {run.id}; its page: promptforge report"]
    return "\n".join(lines)


def worths_text(found: Sequence[Worth], paint: Painter) -> str:
    """What each section costs and buys."""
    several = len({one.model for one in found}) > 1
    rows = [("section", "tokens", "score with it", "95 % interval", *(["on"] if several else []), "")]
    for one in found:
        effect = one.effect
        interval = f"{signed(effect.low, 2)} to {signed(effect.high, 2)}" if effect and effect.differing else ""
        difference = signed(effect.estimate) if effect else ""
        on = [one.model] if several else []
        rows.append((one.section, f"{one.tokens:,.0f}", difference, interval, *on, one.words))
    head, *body = columns(rows, right=(1, 2)).split("\n")
    return "\n".join([paint(head, "bold"), *body])


def _sent(run: Run, estimate: Estimate) -> str:
    asked = {r.identity: r for r in run.replies if r.state in ("answered", "truncated")}
    fresh = sum(1 for reply in asked.values() if not reply.inherited)
    costs = [reply.cost_usd for reply in asked.values() if not reply.inherited]
    spent = sum(cost or 0.0 for cost in costs)
    parts = [f"asked {fresh:,}"]
    if estimate.inherited:
        runs = ", ".join(list(estimate.from_runs)[:2]) + (", …" if len(estimate.from_runs) > 2 else "")
        parts.append(f"inherited {estimate.inherited:,} from {runs}")
    if any(cost is None for cost in costs):
        parts.append("cost not known")
    elif spent:
        parts.append(f"${spent:.4f}")
    return ", ".join(parts)


def _unanswered(run: Run, paint: Painter) -> "Iterator[str]":
    missing = {r.identity: r for r in run.replies if r.state in ("failed", "timed_out")}
    if run.stopped:
        yield paint(f"cut short: {run.stopped}; the same command goes on from here", "red", "bold")
    if missing:
        yield paint(f"unanswered: {plural(len(missing), 'request')}; no score is made of them", "red", "bold")
        for why, requests in by_reason((identity, reply.message) for identity, reply in missing.items())[:_FEW]:
            yield paint(f"  {len(requests):,} × {why}", "red")


def _barred(run: Run) -> "Iterator[str]":
    reasons = Counter(reply.message for reply in run.replies if reply.state == "not_applicable")
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
        arms = ", ".join(run.head.get("arms", ()))
        rows.append((run.id, run.suite, str(run.head.get("cases", "")), arms, _left(run)))
    return columns(rows, right=(2,))


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
