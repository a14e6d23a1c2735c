"""OpenAI's fine-tuning: rows of nothing but `messages`, because it refuses keys that it does not know; job.json."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from promptforge.dataset.configs import Plan, Settings, with_also
from promptforge.dataset.encoding import Encoder
from promptforge.dataset.rows import Row
from promptforge.errors import InputError

__all__ = ["START", "configs", "lines"]

START = "POST /v1/fine_tuning/jobs with {config}/job.json and the ids of the uploaded files"
_LEAST = 10


def lines(row: Row, encoder: Encoder, settings: Settings) -> Iterator[bytes]:
    """The conversation. No `weight` is written: without one, every answer is learnt."""
    yield b'{"messages":[%b]}' % b",".join(encoder.messages(row))


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
