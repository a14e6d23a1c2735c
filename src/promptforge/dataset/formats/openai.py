"""OpenAI's fine-tuning: rows of nothing but `messages`, because it refuses keys that it does not know; job.json."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from promptforge.dataset.configs import Plan, Settings, with_also
from promptforge.dataset.encoding import Encoder, trained_turns
from promptforge.dataset.rows import Row
from promptforge.errors import InputError

__all__ = ["START", "configs", "lines"]

START = "POST /v1/fine_tuning/jobs with {config}/job.json and the ids of the uploaded files"
_LEAST = 10


def lines(row: Row, encoder: Encoder, settings: Settings) -> Iterator[bytes]:
    """The conversation; an answer that is not to be learnt weighs 0, and every other has no weight written."""
    messages = encoder.messages(row)
    trained = frozenset(trained_turns(row))
    for at, (role, _) in enumerate(row.messages):
        if role == "assistant" and at not in trained:
            messages[at] = messages[at][:-1] + b',"weight":0}'
    yield b'{"messages":[%b]}' % b",".join(messages)


def configs(plan: Plan) -> Mapping[str, str]:
    """job.json: the body of the request, but for the ids that the uploaded files get."""
    lines, settings = plan.lines["train"], plan.settings
    if lines < _LEAST:
        message = f"OpenAI wants {_LEAST} rows or more to train, and there are {lines}"
        raise InputError(f"{plan.recipe.file}: {message}", hint="raise `rows` in the recipe")
    parameters: dict[str, Any] = {"n_epochs": settings.epochs}
    if settings.batch_size:
        parameters["batch_size"] = settings.batch_size
    job = {
        "model": plan.model,
        "seed": plan.recipe.seed,
        "suffix": plan.recipe.name[:64],
        "method": {"type": "supervised", "supervised": {"hyperparameters": parameters}},
    }
    return {"job.json": json.dumps(with_also(plan, job), indent=2, ensure_ascii=False) + "\n"}
