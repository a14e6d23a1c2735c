"""What a run will send, and how far it is: all that is shown before its answers are there."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence

from promptforge.bench.run import Progress
from promptforge.console.terminal import columns, plural
from promptforge.workbench.costs import Estimate
from promptforge.workbench.planning import Plan

__all__ = ["first_names", "opening", "plan_json", "plan_text", "progress_line"]


def opening(plan: Plan) -> str:
    """One line before anything is sent."""
    size = f"{plan.suite.name}: {plural(plan.case_count, 'case')}, {plural(len(plan.arms), 'arm')}"
    return f"{size}; {_sending(plan.estimate)}"


def _sending(estimate: Estimate) -> str:
    parts = [f"{plural(estimate.requests, 'request')} to send" if estimate.requests else "nothing to send"]
    if estimate.inherited:
        parts.append(f"{estimate.inherited:,} inherited from {first_names(estimate.from_runs)}")
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


def _judging(plan: Plan) -> Iterator[str]:
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
        "cases": plan.case_count,
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


def first_names(names: Iterable[str]) -> str:
    """Two of them, and that there are more."""
    first = list(names)
    return ", ".join(first[:2]) + (", …" if len(first) > 2 else "")
