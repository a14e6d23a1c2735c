"""TRL: prompt and completion as messages (the completion alone is learnt), or whole conversations; trl.yaml.

Conversations are learnt by `assistant_only_loss`, which needs a template that marks the answers: TRL knows such ones
for the better known models. Prompt and completion need nothing of the template, so they are the default.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from promptforge.dataset.configs import Plan, Settings, batch_size, decimal, with_also
from promptforge.dataset.encoding import Encoder, about, trained_turns
from promptforge.dataset.rows import Row
from promptforge.emit import emit

__all__ = ["START", "configs", "lines"]

START = "trl sft --config {config}/trl.yaml"


def lines(row: Row, encoder: Encoder, settings: Settings) -> Iterator[bytes]:
    """The conversation as it is, or a prompt and a completion for each answer to learn."""
    messages = encoder.messages(row)
    if settings.layout == "conversational":
        yield b'{"messages":[%b]%b}' % (b",".join(messages), about(row))
        return
    turns = trained_turns(row)
    for number, end in enumerate(turns, 1):
        known = (b",".join(messages[:end]), messages[end], about(row, number if len(turns) > 1 else 0))
        yield b'{"prompt":[%b],"completion":[%b]%b}' % known


def configs(plan: Plan) -> Mapping[str, str]:
    """trl.yaml, for the command `trl sft`; the folder's README.md names the files of each split."""
    settings = plan.settings
    conversational = settings.layout == "conversational"
    config: dict[str, Any] = {
        "model_name_or_path": plan.model,
        "dataset_name": plan.folder,
        "dataset_train_split": "train",
        "dataset_test_split": "valid",
        "eval_strategy": "epoch" if plan.lines.get("valid") else "no",
        "completion_only_loss": None if conversational else True,
        "assistant_only_loss": conversational,
        "max_length": plan.limit_tokens,
        "packing": False,
        "use_peft": True,
        "lora_r": settings.rank,
        "lora_alpha": round(settings.scale * settings.rank),
        "lora_dropout": decimal(settings.dropout),
        "lora_target_modules": "all-linear",
        "per_device_train_batch_size": batch_size(plan),
        "num_train_epochs": settings.epochs,
        "learning_rate": decimal(settings.learning_rate),
        "seed": plan.recipe.seed,
        "output_dir": plan.adapter,
        "report_to": "none",
    }
    if conversational:
        del config["completion_only_loss"]
    if settings.iters:
        config["max_steps"] = settings.iters
    return {"trl.yaml": emit(with_also(plan, config))}
