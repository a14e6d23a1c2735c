"""mlx_lm: chat rows in train, valid and test, and the YAML for `mlx_lm.lora --config`.

With `mask_prompt` it learns the last answer of a line and nothing else, so a row of several answers makes several
lines. It forms its batches from rows that stand together, sorted by how many keys they have: all have the same.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from promptforge.dataset.configs import Plan, Settings, batch_size, decimal, with_also
from promptforge.dataset.encoding import Encoder, about, rests, trained_turns
from promptforge.dataset.rows import Row
from promptforge.emit import emit

__all__ = ["START", "configs", "lines"]

START = "mlx_lm.lora --config {config}/mlx.yaml"


def lines(row: Row, encoder: Encoder, settings: Settings) -> Iterator[bytes]:
    """The row, once for each answer to learn; facts and columns ride along, as the loader reads only `messages`."""
    messages = encoder.messages(row)
    rest = rests(row)
    turns = trained_turns(row) if settings.mask_prompt else [len(messages) - 1]
    for number, end in enumerate(turns, 1):
        known = (b",".join(messages[: end + 1]), about(row, number if len(turns) > 1 else 0), rest)
        yield b'{"messages":[%b]%b%b}' % known


def configs(plan: Plan) -> Mapping[str, str]:
    """mlx.yaml: everything said, because what is left out is not what one would guess (scale 20, 2,048 tokens)."""
    settings = plan.settings
    batch = batch_size(plan, whole=("train", "valid", "test"))
    config: dict[str, Any] = {
        "model": plan.model,
        "train": True,
        "data": plan.folder,
        "fine_tune_type": settings.fine_tune_type,
        "mask_prompt": settings.mask_prompt,
        "num_layers": settings.num_layers,
        # Replaced as a whole, never merged with mlx_lm's own: without one of the three it stops.
        "lora_parameters": {
            "rank": settings.rank,
            "scale": decimal(settings.scale),
            "dropout": decimal(settings.dropout),
        },
        "batch_size": batch,
        "iters": settings.iters or max(1, plan.lines["train"] // batch) * settings.epochs,
        "learning_rate": decimal(settings.learning_rate),
        "max_seq_length": plan.limit_tokens,
        "seed": plan.recipe.seed,
        "adapter_path": plan.adapter,
    }
    if settings.fine_tune_type == "full":
        del config["lora_parameters"]
    return {"mlx.yaml": emit(with_also(plan, config))}
