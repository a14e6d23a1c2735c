"""Questions in a model's words: what is sent, what is taken over, what is dropped; from a real server on loopback."""

import json

import pytest
from tests.backends.playback import Response, serving
from tests.dataset.lab import FILES, RECIPE, loaded, rows_of

from promptforge.backends.base import Answer
from promptforge.dataset.paraphrase import DROPPED, checked, request_for
from promptforge.dataset.rows import Row
from promptforge.errors import UsageError
from promptforge.store import Store
from promptforge.workbench.datasets import make_rows
from promptforge.workbench.rewording import Reworder

ROW = Row(
    id="r",
    kind="infrastructure",
    category="forward",
    agent="windu",
    messages=(
        ("system", "secret prompt"),
        ("user", "What listens on port 1337 of mini?"),
        ("assistant", "Council MLX"),
    ),
    facts=("ports/mini:1337",),
)


@pytest.fixture
def tables(tmp_path):
    return loaded(tmp_path)[0].project.tables


@pytest.mark.parametrize(
    ("text", "taken", "reason"),
    [
        ("On mini, which service has port 1337?", "On mini, which service has port 1337?", ""),
        ('<think>hm</think>"Port 1337 of mini: what is there?"', "Port 1337 of mini: what is there?", ""),
        ("", "", "form"),
        ("One\nTwo", "", "form"),
        ("Port 1337 of mini " * 20, "", "form"),
        ("what listens on port 1337 of mini?", "", "same"),
        ("What listens on mini?", "", "lost"),
        ("What listens on port 1337?", "", "lost"),
        ("What listens on port 1337 of mini, beside 1338?", "", "added"),
        ("Is it Council MLX that listens on port 1337 of mini?", "", "answer"),
    ],
)
def test_a_paraphrase_names_what_the_question_named_and_no_more(tables, text, taken, reason):
    """Else the row keeps its template's words."""
    assert checked(ROW, Answer(text=text), tables) == (taken, reason)
    assert not reason or reason in DROPPED


def test_half_an_answer_is_none(tables):
    """Nor is no answer."""
    assert checked(ROW, Answer(text="Port 1337 of mini", finish="length"), tables) == ("", "unanswered")
    assert checked(ROW, None, tables) == ("", "unanswered")


def test_an_invented_value_must_stay_too(tables):
    """No fact has it, and the row is about it."""
    row = ROW._replace(facts=(), messages=(("user", "Who is Copper Lantern?"), ("assistant", "I don't know.")))
    assert checked(row, Answer(text="Which one is called so?"), tables, ["Copper Lantern"]) == ("", "lost")


def test_neither_prompt_nor_answer_is_sent():
    """The question alone."""
    request = request_for(ROW, {"temperature": 0})
    assert request.messages == (("user", ROW.user),)
    assert "secret" not in request.system
    assert "Council" not in request.system


def respond(method: str, path: str, data: dict) -> Response:
    question = data["messages"][-1]["content"]
    said = {"choices": [{"message": {"content": f"Tell me this: {question}"}, "finish_reason": "stop"}]}
    return Response(json.dumps(said).encode())


def test_rows_are_reworded_and_asked_once(tmp_path):
    """The mix stays; a second build asks nothing and gives the same rows; private questions do not leave for the cloud."""
    with serving(respond) as server:
        config = FILES["promptforge.yaml"] + (
            f"  echo: {{backend: compatible, base_url: '{server.url}/v1', model: e, tier: cloud}}\n"
        )
        recipe = RECIPE.replace("rows: 200", "rows: 60") + "paraphrase: echo\n"
        build, suites, recipes = loaded(tmp_path, promptforge=config, training__lab=recipe)
        with Store(tmp_path / "history.db") as store:
            one = recipes.recipes["lab"]
            reword = Reworder(build, store, environ={})
            plain = make_rows(build, suites, recipes, one)
            made = make_rows(build, suites, recipes, one, reword=reword)
            sent = len(server.requests)
            again = make_rows(build, suites, recipes, one, reword=reword)
    rows = rows_of(made)
    assert made.account.kinds == plain.account.kinds
    asked = [json.dumps(data) for _, _, data in server.requests]
    assert sent == len(asked) <= 60
    assert rows_of(again) == rows
    dropped = made.account.paraphrases_dropped
    assert made.account.paraphrased + sum(dropped.values()) == 60
    assert made.account.paraphrased > 40
    assert dropped["clearance"] > 0
    assert not [request for request in asked if "53:21" in request or "Mara's laptop" in request]
    for row in rows:
        assert row.user.startswith("Tell me this: ") == (row.phrasing == "echo")


def test_more_paraphrases_than_the_limit_are_not_asked(tmp_path):
    """`limits.bench` of promptforge.yaml holds for a recipe's paraphrases, too: nothing is sent."""
    with serving(respond) as server:
        config = FILES["promptforge.yaml"] + (
            f"  echo: {{backend: compatible, base_url: '{server.url}/v1', model: e, tier: cloud}}\n"
            "limits: {bench: {requests: 5}}\n"
        )
        recipe = RECIPE.replace("rows: 200", "rows: 60") + "paraphrase: echo\n"
        build, suites, recipes = loaded(tmp_path, promptforge=config, training__lab=recipe)
        with Store(tmp_path / "history.db") as store:
            reword = Reworder(build, store, environ={})
            with pytest.raises(UsageError, match=r"paraphrases are more than limits\.bench\.requests \(5\)"):
                make_rows(build, suites, recipes, recipes.recipes["lab"], reword=reword)
        assert server.requests == []
