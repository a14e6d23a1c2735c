"""TRL with peft, by a script of ours that the Python which has them runs: promptforge need not be installed there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from promptforge.trainers.base import Report

__all__ = ["Trl"]

_MARK = "promptforge: "
"""How a line begins that the script means for us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trl:
    """SFTTrainer with a LoraConfig; on the CPU where there is nothing better."""

    kind: str = "trl"
    tool: str = "trl"
    packages: tuple[str, ...] = ("trl", "peft", "transformers", "torch")
    install: str = "trl peft"
    config: str = "trl.yaml"
    weights: str = "adapter_model.safetensors"
    unfinished: tuple[str, ...] = ("checkpoint-*", "training_args.bin", "runs")
    environ: Mapping[str, str] = field(
        default_factory=lambda: {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    )
    also: Mapping[str, object] = field(default_factory=dict)

    def start(self, python: str) -> tuple[str, ...]:
        """The script is an argument, so that `command: accelerate launch` does as well."""
        return (python,)

    def arguments(self, config: Path) -> tuple[str, ...]:
        """Our script, which takes what `trl sft` takes."""
        return (str(files("promptforge") / "data" / "trainers" / "trl_sft.py"), "--config", str(config))

    def read(self, line: str) -> Report | None:
        """The script's own lines; the others are for people."""
        if not line.startswith(_MARK):
            return None
        try:
            told = json.loads(line.removeprefix(_MARK))
            return Report(**{key: told[key] for key in ("iteration", "total", "loss", "valid", "speed") if key in told})
        except (ValueError, TypeError):
            return None
