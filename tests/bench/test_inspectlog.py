"""A run as Inspect's logs. The real Inspect reads them in tests/heavy/test_exports.py."""

import json
from dataclasses import replace
from typing import Any

import pytest

from promptforge.backends.base import Answer, ToolCall, Usage
from promptforge.bench.arms import arm_scores
from promptforge.bench.inspectlog import inspect_logs
from promptforge.bench.results import Run
from runs import BASE, ENRICHED, PRIVATE_MAC, PRIVATE_NAME, make_run, with_answer


def logs(run: Run, **options: Any) -> list[Any]:
    return [json.loads(content) for content in inspect_logs(run, **options).values()]


def first(run: Run, **changes: Any) -> Any:
    """The first sample, the first answer of the run being changed."""
    reply = run.replies[0]
    answer = replace(reply.answer or Answer(text=""), **changes)
    changed = replace(with_answer(run, answer.text), replies=())
    reply = replace(with_answer(run, answer.text).replies[0], answer=answer)
    return logs(replace(changed, replies=(reply, *run.replies[1:])))[0]["samples"][0]


def test_what_has_no_answer_has_an_error_and_no_score():
    """Failed and timed out are errors; cut off is scored on what was said; what is barred is no sample."""
    run = make_run(cases=200)
    for arm, log in zip(run.arms, logs(run), strict=True):
        replies = [reply for reply in run.replies if reply.arm == arm and reply.state != "not_applicable"]
        by_state = {sample["metadata"]["state"]: sample for sample in log["samples"]}
        assert {"answered", "failed", "timed_out", "truncated"} <= by_state.keys()
        for state in ("failed", "timed_out"):
            assert by_state[state]["scores"] is None
            assert by_state[state]["output"]["choices"] == []
            assert by_state[state]["error"]["message"].startswith(state.replace("_", " "))
        for state in ("answered", "truncated"):
            assert "error" not in by_state[state]
            assert 0 <= by_state[state]["scores"]["promptforge"]["value"] <= 1
        assert log["results"]["total_samples"] == len(replies) == len(log["samples"])
        assert log["eval"]["metadata"]["unanswered"]


def test_the_metrics_are_those_of_the_report():
    """Overall with its interval and each category; while something is unanswered there is no overall."""
    run = make_run(faults=False)
    for arm, log in zip(run.arms, logs(run), strict=True):
        metrics = log["results"]["scores"][0]["metrics"]
        known = arm_scores(run, arm)
        assert known.overall is not None
        assert metrics["overall"]["value"] == known.overall.value
        assert (metrics["overall_low"]["value"], metrics["overall_high"]["value"]) == (
            known.overall.low,
            known.overall.high,
        )
        assert {name: one["value"] for name, one in metrics.items() if one.get("group") == "category"} == {
            name: level.value for name, level in known.categories.items()
        }
        assert 0 < metrics["stderr"]["value"] < 0.1
        assert log["eval"]["headline_metric"] == {"score": "promptforge", "metric": "overall"}
    assert "overall" not in logs(make_run(cases=200))[0]["results"]["scores"][0]["metrics"]


def test_the_standard_error_allows_for_common_facts():
    """Cases in one cluster that stand and fall together are worth one: the error is that of fewer cases."""
    run = make_run(faults=False)
    apart = replace(run, cases=tuple(replace(case, cluster=case.id) for case in run.cases))
    pairs = replace(run, cases=tuple(replace(case, cluster=str(number // 8)) for number, case in enumerate(run.cases)))
    errors = [logs(one)[0]["results"]["scores"][0]["metrics"]["stderr"]["value"] for one in (apart, pairs)]
    assert errors[0] != errors[1]
    alone = replace(run, cases=tuple(replace(case, cluster="one") for case in run.cases))
    assert "stderr" not in logs(alone)[0]["results"]["scores"][0]["metrics"]


def test_an_answer_with_thoughts_calls_and_usage():
    """Thoughts are apart, calls have their arguments or what is wrong with them, cached tokens are no input."""
    sample = first(
        make_run(faults=False),
        text="It is 42069.",
        reasoning="Hm.",
        tool_calls=(ToolCall(name="ping", arguments={"n": 1}), ToolCall(name="ping", arguments=None, raw="{")),
        finish="tool",
        usage=Usage(input_tokens=100, output_tokens=7, cached_tokens=90, cache_write_tokens=4),
    )
    choice = sample["output"]["choices"][0]
    assert choice["stop_reason"] == "tool_calls"
    assert choice["message"]["content"] == [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "text", "text": "It is 42069."},
    ]
    assert [call["arguments"] for call in choice["message"]["tool_calls"]] == [{"n": 1}, {}]
    assert choice["message"]["tool_calls"][1]["parse_error"] == "no JSON object: {"
    (usage,) = sample["model_usage"].values()
    assert (usage["input_tokens"], usage["input_tokens_cache_read"], usage["total_tokens"]) == (6, 90, 107)
    assert sample["messages"][1] == choice["message"]


def test_private_values_are_hidden_unless_they_are_asked_for():
    run = make_run(faults=False)
    for include, expected in ((False, False), (True, True)):
        text = b"".join(inspect_logs(run, include_private=include).values()).decode()
        assert (PRIVATE_MAC in text or PRIVATE_NAME in text) is expected


def test_each_sample_has_a_name_of_its_own():
    """Also where a private name in two cases' ids is hidden, and where a case is asked of several agents and again."""
    run = make_run(faults=False, repeats=2)
    names = {case.id: f"{PRIVATE_NAME} {'!' * (number % 2)}" for number, case in enumerate(run.cases[:2])}
    cases = tuple(replace(case, id=names.get(case.id, case.id)) for case in run.cases)
    replies = tuple(replace(reply, case=names.get(reply.case, reply.case)) for reply in run.replies)
    for log in logs(replace(run, cases=cases, replies=replies)):
        places = [(sample["id"], sample["epoch"]) for sample in log["samples"]]
        assert len(set(places)) == len(places)


def test_the_files_sort_by_time_and_name_what_they_hold():
    """As Inspect names its own; the same run and arm have the same name always."""
    run = make_run()
    names = list(inspect_logs(run))
    assert names == list(inspect_logs(run))
    assert names[0].startswith("2026-11-22T09-14-05+00-00_carmack-v2-base-coder-14b_")
    assert len(set(names)) == len(run.arms)


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, "success"), ({"stopped": "the budget ran out"}, "cancelled"), ({"finished": ""}, "cancelled")],
)
def test_a_run_that_was_cut_short_is_no_success(changes, status):
    assert {log["status"] for log in logs(replace(make_run(), **changes))} == {status}


def test_half_a_surrogate_pair_spoils_no_file():
    """A model may say anything; a log is UTF-8."""
    content = b"".join(inspect_logs(with_answer(make_run(), "half \ud800 a pair")).values())
    assert "half ? a pair" in content.decode("utf-8")


def test_a_model_is_named_as_inspect_names_models():
    """Who answers, and which one; a run that does not know its model says its name."""
    run = make_run(arms=(BASE, ENRICHED))
    assert logs(run)[0]["eval"]["model"] == "compatible/Qwen2.5-Coder-14B-Instruct-4bit"
    assert logs(replace(run, models={}))[0]["eval"]["model"] == "promptforge/coder-14b"
