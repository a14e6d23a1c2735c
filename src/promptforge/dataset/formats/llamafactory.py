"""LLaMA-Factory: sharegpt rows, dataset_info.json and llamafactory.yaml.

It wants `human` at odd and `gpt` at even places, the system prompt in a column of its own, and leaves out a row that
is otherwise with a line in its log. It cannot tell one answer of a row from another but for the last (`mask_history`),
so a row of several answers makes several lines.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from promptforge.dataset.configs import Plan, Settings, batch_size, decimal, with_also
from promptforge.dataset.encoding import Encoder, about, encoded, trained_turns
from promptforge.dataset.rows import Row, Split
from promptforge.emit import emit

__all__ = ["START", "configs", "lines"]

START = "llamafactory-cli train {config}/llamafactory.yaml"
_FROM = {"user": b"human", "assistant": b"gpt"}


def lines(row: Row, encoder: Encoder, settings: Settings) -> Iterator[bytes]:
    """The row, once for each answer to learn."""
    own = row.messages[0][0] == "system"
    system = encoder.system(row.messages[0][1] if own else "")
    turns = [b'{"from":"%b","value":%b}' % (_FROM[role], encoded(text)) for role, text in row.messages[own:]]
    ends = trained_turns(row)
    for number, end in enumerate(ends, 1):
        known = (b",".join(turns[: end + 1 - own]), system, about(row, number if len(ends) > 1 else 0))
        yield b'{"conversations":[%b],"system":%b%b}' % known


def configs(plan: Plan) -> Mapping[str, str]:
    """dataset_info.json, which names the files, and llamafactory.yaml."""
    settings, name = plan.settings, plan.recipe.name
    splits = {split: name if split == "train" else f"{name}_{split}" for split, lines in plan.lines.items() if lines}
    config: dict[str, Any] = {
        "model_name_or_path": plan.model,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": settings.rank,
        "lora_alpha": round(settings.scale * settings.rank),
        "lora_dropout": decimal(settings.dropout),
        "lora_target": "all",
        "dataset_dir": plan.folder,
        "dataset": name,
        "default_system": "",  # else some templates give a row without a system prompt one of their own
        "cutoff_len": plan.limit_tokens,
        "mask_history": True,
        "per_device_train_batch_size": batch_size(plan),
        "num_train_epochs": settings.epochs,
        "learning_rate": decimal(settings.learning_rate),
        "seed": plan.recipe.seed,
        "output_dir": plan.adapter,
        "overwrite_cache": True,
        "report_to": "none",
    }
    if settings.template:
        config["template"] = settings.template
    if "valid" in splits:
        config |= {"eval_dataset": splits["valid"], "eval_strategy": "epoch"}
    if settings.iters:
        config["max_steps"] = settings.iters
    return {
        "dataset_info.json": json.dumps(_info(splits), indent=2, ensure_ascii=False) + "\n",
        "llamafactory.yaml": emit(with_also(plan, config)),
    }


def _info(splits: Mapping[Split, str]) -> dict[str, Any]:
    # No `tags`: a list that leaves one out makes that one nothing, in some of its releases.
    columns = {"messages": "conversations", "system": "system"}
    return {
        name: {"file_name": f"{split}.jsonl", "formatting": "sharegpt", "columns": columns}
        for split, name in splits.items()
    }
