"""Axolotl: rows for `type: chat_template`, and axolotl.yaml.

Every message says by `train` whether it is learnt: a key that only some messages have is more than the reader of JSON
below Axolotl can take.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from promptforge.dataset.configs import Plan, Settings, batch_size, decimal, with_also
from promptforge.dataset.encoding import Encoder, about, trained_turns
from promptforge.dataset.rows import Row
from promptforge.emit import emit

__all__ = ["START", "configs", "lines"]

START = "axolotl train {config}/axolotl.yaml"


def lines(row: Row, encoder: Encoder, settings: Settings) -> Iterator[bytes]:
    """The conversation, each message with `train`."""
    trained = frozenset(trained_turns(row))
    messages = [
        b'%b,"train":%b}' % (message[:-1], b"true" if at in trained else b"false")
        for at, message in enumerate(encoder.messages(row))
    ]
    yield b'{"messages":[%b]%b}' % (b",".join(messages), about(row))


def configs(plan: Plan) -> Mapping[str, str]:
    """axolotl.yaml; it has no `chat_template` for each model, so the tokenizer's own is taken unless one is named."""
    settings = plan.settings
    config: dict[str, Any] = {
        "base_model": plan.model,
        "chat_template": settings.template or "tokenizer_default",
        "datasets": [_dataset(plan, "train")],
        "dataset_prepared_path": f"{plan.adapter}/prepared",
        "sequence_len": plan.limit_tokens,
        "sample_packing": False,
        "train_on_inputs": False,
        "adapter": "lora",
        "lora_r": settings.rank,
        "lora_alpha": round(settings.scale * settings.rank),
        "lora_dropout": decimal(settings.dropout),
        "lora_target_linear": True,
        "micro_batch_size": batch_size(plan),
        "gradient_accumulation_steps": 1,
        "num_epochs": settings.epochs,
        "optimizer": "adamw_torch",
        "lr_scheduler": "cosine",
        "learning_rate": decimal(settings.learning_rate),
        "seed": plan.recipe.seed,
        "output_dir": plan.adapter,
    }
    if plan.lines.get("valid"):
        config["test_datasets"] = [_dataset(plan, "valid")]
    if settings.iters:
        config["max_steps"] = settings.iters
    return {"axolotl.yaml": emit(with_also(plan, config))}


def _dataset(plan: Plan, split: str) -> dict[str, Any]:
    return {
        "path": f"{plan.folder}/{split}.jsonl",
        "ds_type": "json",
        "split": "train",  # what the reader of JSON calls the one part of a file
        "type": "chat_template",
        "field_messages": "messages",
        "message_property_mappings": {"role": "role", "content": "content"},
        "message_field_training": "train",
        "roles_to_train": ["assistant"],
        "train_on_eos": "turn",
    }
