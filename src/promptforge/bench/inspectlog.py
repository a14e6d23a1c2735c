"""A finished run as logs of Inspect, one an arm. Pure: its JSON format, version 2, is written without its package.

A request without an answer is a sample with an error and without a score. What clearance barred is no sample at all.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from promptforge.backends.base import Answer, ToolCall, Usage
from promptforge.bench.arms import arm_scores
from promptforge.bench.report.data import Findings, findings
from promptforge.bench.report.tables import models_shown
from promptforge.bench.results import Arm, ArmScores, CaseRecord, Level, Reply, Run
from promptforge.files import digest_of

__all__ = ["inspect_logs"]

_VERSION = 2
_SCORER = "promptforge"
_STOPS: Mapping[str, str] = {
    "stop": "stop",
    "length": "max_tokens",
    "refusal": "content_filter",
    "tool": "tool_calls",
    "other": "unknown",
}
_NO_NAME = re.compile(r"[^A-Za-z0-9.-]+")


def inspect_logs(run: Run, *, include_private: bool = False) -> dict[str, bytes]:
    """The logs by the names of their files. Private values are hidden in them unless they are asked for."""
    found = findings(run, include_private=include_private)
    logs = {}
    for arm in run.arms:
        identity = digest_of(f"{run.id} {arm}")[:22]
        moment = run.started[:19].replace(":", "-")
        name = _NO_NAME.sub("-", f"{run.suite}-{arm.variant}-{arm.model}-{arm.revision}").strip("-")
        log = _log(found, arm, identity)
        text = f"{json.dumps(log, ensure_ascii=False, indent=1)}\n"
        logs[f"{moment}+00-00_{name}_{identity}.json"] = text.encode("utf-8", "replace")  # half a surrogate pair
    return logs


def _log(found: Findings, arm: Arm, identity: str) -> dict[str, Any]:
    run = found.run
    replies = [reply for reply in run.replies if reply.arm == arm and reply.state != "not_applicable"]
    scores = arm_scores(run, arm)
    names = _names(found)
    samples = [_sample(found, reply, names[reply.case, reply.agent], identity) for reply in replies]
    return {
        "version": _VERSION,
        "status": "cancelled" if run.stopped or not run.finished else "success",
        "eval": _spec(found, arm, identity, samples, scores),
        "plan": {"name": "bench", "steps": [{"solver": "generate", "params": {}}]},
        "results": _results(found, replies, scores),
        "stats": {
            "started_at": _moment(run.started),
            "completed_at": _moment(run.finished),
            "model_usage": _usages(found, replies),
        },
        "samples": samples,
    }


def _moment(written: str) -> str:
    """A moment of ours as Inspect reads it; nothing while there is none."""
    return f"{written[:-1]}+00:00" if written.endswith("Z") else written


def _model(found: Findings, name: str) -> str:
    """As Inspect names models: who answers, and which one it is."""
    known = found.run.models.get(name, {})
    return f"{known.get('backend', 'promptforge')}/{known.get('model', name)}" if known else f"promptforge/{name}"


def _spec(
    found: Findings, arm: Arm, identity: str, samples: Sequence[Mapping[str, Any]], scores: ArmScores
) -> dict[str, Any]:
    run = found.run
    commit = run.environment.get("git commit", "")
    changed = run.environment.get("git state", "") != "as committed"
    known = run.models.get(arm.model, {})
    revision = {"type": "git", "origin": "", "commit": commit.split()[0], "dirty": changed} if commit else None
    return {
        "eval_id": identity,
        "run_id": found.say(run.id),
        "created": _moment(run.started),
        "task": f"{run.suite} · {arm.variant}" + (f" · {arm.revision}" if arm.revision else ""),
        "task_id": identity,
        "task_version": run.suite_digest[:16],
        "task_args": {"variant": arm.variant, "model": arm.model, "revision": arm.revision},
        "tags": [arm.variant],
        "dataset": {
            "name": run.suite,
            "samples": len({sample["id"] for sample in samples}),
            "sample_ids": list(dict.fromkeys(sample["id"] for sample in samples)),
            "shuffled": False,
        },
        "model": _model(found, arm.model),
        "model_generate_config": _generate(known.get("params") or {}),
        "model_base_url": known.get("base_url"),
        "config": {"epochs": run.repeats, "fail_on_error": False},
        **({"revision": revision} if revision else {}),
        "packages": {"promptforge": run.environment.get("promptforge", "")},
        "metadata": _said(
            found,
            {
                "command": run.command,
                "notes": list(run.notes),
                "stopped": run.stopped,
                "environment": dict(run.environment),
                "models": models_shown(run.models),
                "not_applicable": list(scores.not_applicable),
                "unanswered": list(scores.unanswered),
            },
        ),
        "scorers": [{"name": _SCORER}],
        "headline_metric": {"score": _SCORER, "metric": "overall" if scores.overall else "mean"},
    }


_PARAMS = ("temperature", "max_tokens", "seed", "top_p", "top_k", "frequency_penalty", "presence_penalty")


def _generate(params: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the parameters that Inspect has a place for."""
    return {name: params[name] for name in _PARAMS if isinstance(params.get(name), (int, float))}


# --- samples ----------------------------------------------------------------------------------------------------------


def _names(found: Findings) -> dict[tuple[str, str], str]:
    """The id of a sample by case and agent; each its own, also where what may be said of two cases is the same."""
    names: dict[tuple[str, str], str] = {}
    taken: dict[str, int] = {}
    for case in found.run.cases:
        for agent in case.agents:
            name = found.say(case.id) + (f" [{agent}]" if len(case.agents) > 1 else "")
            taken[name] = taken.get(name, 0) + 1
            names[case.id, agent] = name if taken[name] == 1 else f"{name} ({taken[name]})"
    return names


def _sample(found: Findings, reply: Reply, name: str, identity: str) -> dict[str, Any]:
    case, answer = found.cases[reply.case], reply.answer
    model = _model(found, reply.arm.model)
    asked = {"role": "user", "content": found.say(case.question), "source": "input"}
    said = [] if answer is None else [_message(found, answer, model)]
    error = None if answer is not None and reply.score is not None else _error(found, reply)
    sample = {
        "id": name,
        "epoch": reply.repeat + 1,
        "input": found.say(case.question),
        "target": [found.say(text) for text in case.expected] or "",
        "messages": [asked, *said],
        "output": _output(found, reply, model),
        "scores": None if reply.score is None else {_SCORER: _score(found, reply)},
        "metadata": _metadata(found, case, reply),
        "model_usage": {} if answer is None else {model: _usage(answer.usage, reply.cost_usd)},
        "uuid": digest_of(f"{identity} {name} {reply.repeat}")[:22],
    }
    if answer is not None:
        sample |= {"total_time": answer.latency_s, "working_time": answer.latency_s}
    return sample | ({"error": error} if error else {})


def _error(found: Findings, reply: Reply) -> dict[str, str] | None:
    """Why there is no score; a case for a judge alone has none, and that is no error."""
    if found.cases[reply.case].rubric_only and reply.answer is not None:
        return None
    why = found.say(": ".join(part for part in (reply.state.replace("_", " "), reply.message or reply.fault) if part))
    return {"message": why, "traceback": why, "traceback_ansi": why}


def _message(found: Findings, answer: Answer, model: str) -> dict[str, Any]:
    text = found.say(answer.text)
    thought = [{"type": "reasoning", "reasoning": found.say(answer.reasoning)}] if answer.reasoning else []
    content: object = [*thought, {"type": "text", "text": text}] if thought else text
    calls = [_call(found, number, call) for number, call in enumerate(answer.tool_calls, 1)]
    message = {"role": "assistant", "content": content, "source": "generate", "model": model}
    return message | ({"tool_calls": calls} if calls else {})


def _call(found: Findings, number: int, call: ToolCall) -> dict[str, Any]:
    made = {"id": f"call-{number}", "type": "function", "function": found.say(call.name)}
    if call.arguments is not None:
        return made | {"arguments": _said(found, dict(call.arguments))}
    return made | {"arguments": {}, "parse_error": f"no JSON object: {found.say(call.raw)}"}


def _output(found: Findings, reply: Reply, model: str) -> dict[str, Any]:
    answer = reply.answer
    if answer is None:
        return {"model": model, "choices": [], "error": found.say(reply.message or reply.fault)}
    choice = {"message": _message(found, answer, model), "stop_reason": _STOPS[answer.finish]}
    return {
        "model": found.say(answer.model) or model,
        "choices": [choice],
        "usage": _usage(answer.usage, reply.cost_usd),
        "time": answer.latency_s,
    }


def _score(found: Findings, reply: Reply) -> dict[str, Any]:
    score, answer = reply.score, reply.answer
    assert score is not None  # asked only for those that have one
    said = [f"{kind}: {met:g}{f' ({what})' if what else ''}" for kind, met, what in score.checks]
    said += [f"broken: {what}" for what in score.broken]
    said += [f"made up: {', '.join(score.made_up)}"] if score.made_up else []
    label = score.label.replace("_", " ") or "right"
    return {
        "value": score.value,
        "answer": found.say(answer.text) if answer else None,
        "explanation": found.say("\n".join([label, *said])),
        "metadata": {"label": score.label or "right", "state": reply.state}
        | ({"judged": reply.judged, "judged_why": found.say(reply.judged_why)} if reply.judged is not None else {}),
    }


def _metadata(found: Findings, case: CaseRecord, reply: Reply) -> dict[str, Any]:
    answer = reply.answer
    known = {
        "case": found.say(case.id),
        "category": case.category,
        "tier": case.tier,
        "agent": reply.agent,
        "place": f"{case.file}:{case.line}" if case.file else "",
        "state": reply.state,
        "label": "" if reply.score is None else reply.score.label or "right",
        "counts": case.counts,
        "generated": case.generated,
        "given_away": found.say(case.given_away),
        "cluster": found.say(case.cluster),
        "inherited": reply.inherited,
        "first_token_s": answer.first_token_s if answer else None,
        "retries": answer.retries if answer else None,
    }
    return {name: value for name, value in known.items() if value not in ("", None)}


def _usage(usage: Usage, cost_usd: float | None) -> dict[str, Any]:
    """In Inspect's terms, where the input is what no cache had. What a server did not count is 0 there, or left out."""
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    whole, out = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "input_tokens": max(0, whole - (cached or 0) - (written or 0)),
        "output_tokens": out,
        "total_tokens": whole + out,
        **({} if cached is None else {"input_tokens_cache_read": cached}),
        **({} if written is None else {"input_tokens_cache_write": written}),
        **({} if cost_usd is None else {"total_cost": cost_usd}),
    }


def _usages(found: Findings, replies: Iterable[Reply]) -> dict[str, dict[str, Any]]:
    total: dict[str, dict[str, Any]] = {}
    for reply in replies:
        if reply.answer is not None:
            sums = total.setdefault(_model(found, reply.arm.model), {})
            for name, count in _usage(reply.answer.usage, reply.cost_usd).items():
                sums[name] = sums.get(name, 0) + count
    return total


# --- results ----------------------------------------------------------------------------------------------------------


def _results(found: Findings, replies: Sequence[Reply], scores: ArmScores) -> dict[str, Any]:
    scored = sum(reply.score is not None for reply in replies)
    metrics = {one["name"]: one for one in _metrics(found, scores)}
    return {
        "total_samples": len(replies),
        "completed_samples": sum(reply.answer is not None for reply in replies),
        "scores": [
            {
                "name": _SCORER,
                "scorer": _SCORER,
                "scored_samples": scored,
                "unscored_samples": len(replies) - scored,
                "metrics": metrics,
            }
        ],
    }


def _metrics(found: Findings, scores: ArmScores) -> Iterator[dict[str, Any]]:
    """Of the cases that count: promptforge's overall score with its interval, the plain mean, and each category."""
    if scores.overall is not None:
        yield from _level("overall", scores.overall)
    counted = {one.case: one.value for one in scores.cases if found.cases[one.case].counts}
    if counted:
        yield {"name": "mean", "value": fmean(counted.values()), "metadata": {"cases": len(counted)}}
        if (error := _standard_error(counted, found.cases)) is not None:
            yield {"name": "stderr", "value": error, "metadata": {"of": "mean", "clustered": True}}
    for category, level in scores.categories.items():
        yield {"name": category, "group": "category", "value": level.value, "metadata": _interval(level)}


def _level(name: str, level: Level) -> Iterator[dict[str, Any]]:
    yield {"name": name, "value": level.value, "metadata": _interval(level)}
    yield {"name": f"{name}_low", "value": level.low}
    yield {"name": f"{name}_high", "value": level.high}


def _interval(level: Level) -> dict[str, Any]:
    return {"low": level.low, "high": level.high, "cases": level.cases, "effective": level.effective}


def _standard_error(values: Mapping[str, float], cases: Mapping[str, CaseRecord]) -> float | None:
    """Of the mean, by clusters of cases that rest on a common fact: what Inspect calls a clustered standard error."""
    mean = fmean(values.values())
    sums: dict[str, float] = {}
    for case, value in values.items():
        cluster = cases[case].cluster or case
        sums[cluster] = sums.get(cluster, 0.0) + value - mean
    if len(sums) < 2:
        return None
    return math.sqrt(sum(one * one for one in sums.values()) * len(sums) / (len(sums) - 1)) / len(values)


def _said(found: Findings, value: Any) -> Any:
    """Plain data with its texts as they may be said; what is not finite is null."""
    if isinstance(value, str):
        return found.say(value)
    if isinstance(value, Mapping):
        return {str(key): _said(found, one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_said(found, one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float)) else found.say(str(value))
