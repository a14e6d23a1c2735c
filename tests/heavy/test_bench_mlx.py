"""`promptforge bench` from end to end, on a small house and a model that really reads its prompt."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlx_house import Done, MlxServer, lodge_at, promptforge

pytestmark = pytest.mark.heavy

CASES = 24
REQUESTS = 2 * CASES


def bench(folder: Path, *more: str) -> tuple[Done, Any]:
    """Base against enriched, as a program reads it."""
    asked = ("bench", "--model", "tiny", "--variant", "base,enriched", "--suite", "lookup", "--format", "json")
    done = promptforge(folder, *asked, *more)
    assert done.out, done.err
    return done, json.loads(done.out)


def states(told: Any) -> list[str]:
    return [reply["state"] for reply in told["replies"]]


def test_the_enriched_prompt_is_shown_to_be_better(mlx: MlxServer, tmp_path: Path):
    """The facts reach the model and it uses most of them: the gain is surely above 0.25, and each category gains."""
    done, told = bench(lodge_at(mlx.base_url, tmp_path / "lodge"))
    (comparison,) = told["comparisons"]
    overall = comparison["overall"]
    assert done.code == 0, done.err
    assert states(told) == ["answered"] * REQUESTS
    assert (comparison["before"], comparison["after"]) == ("base · tiny", "enriched · tiny")
    assert overall["low"] > 0.25
    assert overall["estimate"] > 0.5
    assert overall["p"] < 0.01
    assert comparison["verdict"]["word"] == "better"
    assert all(effect["estimate"] > 0 for effect in comparison["categories"].values())
    assert not comparison["broke"]


def test_what_was_asked_is_not_asked_again(mlx: MlxServer, tmp_path: Path):
    """A second run inherits all answers and sends no chat; its scores are the same, and it names the first run."""
    lodge = lodge_at(mlx.base_url, tmp_path / "lodge")
    _, first = bench(lodge)
    before = mlx.chats()
    done, second = bench(lodge)
    assert mlx.chats() == before
    assert {reply["inherited"] for reply in second["replies"]} == {first["run"]["id"]}
    assert second["comparisons"] == first["comparisons"]
    assert f"nothing to send, {REQUESTS} inherited from {first['run']['id']}" in done.err


def test_only_the_questions_that_an_edit_touches_are_asked(mlx: MlxServer, tmp_path: Path):
    """A changed fact changes the enriched prompt, so that arm is asked anew; the base arm is inherited."""
    lodge = lodge_at(mlx.base_url, tmp_path / "lodge")
    bench(lodge)
    before = mlx.chats()
    knowledge = lodge / "knowledge" / "lodge.yaml"
    told = knowledge.read_text(encoding="utf-8")
    knowledge.write_text(told.replace("owner: Theo", "owner: Lena"), encoding="utf-8")
    _, after = bench(lodge)
    assert mlx.chats() - before == CASES
    assert {reply["arm"] for reply in after["replies"] if reply["inherited"]} == {"base · tiny"}
    (asked,) = (r for r in after["replies"] if r["case"] == "owner-red-phone" and r["arm"] == "enriched · tiny")
    assert asked["answer"]["text"] == "Lena"


def test_a_server_that_dies_costs_the_request_in_flight(mortal: MlxServer, tmp_path: Path):
    """What was answered is kept, what was not has no score and withholds the verdict; the next run asks only that."""
    lodge = lodge_at(mortal.base_url, tmp_path / "lodge")
    mortal.kill_after(20)
    done, told = bench(lodge)
    answered = states(told).count("answered")
    assert done.code == 4
    assert 15 <= answered < 30
    assert states(told).count("failed") == REQUESTS - answered
    assert all(reply["score"] is None for reply in told["replies"] if reply["state"] == "failed")
    (comparison,) = told["comparisons"]
    assert comparison["overall"] is None
    assert comparison["verdict"]["word"] == "withheld"
    assert all(arm["score"]["overall"] is None for arm in told["arms"])

    mortal.stop()
    mortal.start()
    before = mortal.chats()
    done, told = bench(lodge)
    assert done.code == 0, done.err
    assert mortal.chats() - before == REQUESTS - answered
    assert states(told) == ["answered"] * REQUESTS
    assert told["comparisons"][0]["verdict"]["word"] == "better"


def test_asking_by_hand_streams_the_answer(mlx: MlxServer, tmp_path: Path):
    """`ask` compiles the agent and prints what the model says."""
    lodge = lodge_at(mlx.base_url, tmp_path / "lodge")
    asked = promptforge(lodge, "ask", "warden", "Who owns the red phone?")
    bare = promptforge(lodge, "ask", "warden", "Who owns the red phone?", "--variant", "base")
    assert (asked.code, asked.out) == (0, "Theo\n"), asked.err
    assert (bare.code, bare.out) == (0, "I don't know.\n"), bare.err


def test_doctor_reaches_the_server(mlx: MlxServer, tmp_path: Path):
    """The model is reachable, and its tokenizer counts exactly."""
    done = promptforge(lodge_at(mlx.base_url, tmp_path / "lodge"), "doctor")
    assert done.code == 0, done.out + done.err
    assert "exact" in done.out
