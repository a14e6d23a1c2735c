"""LLaMA-Factory: `llamafactory-cli train llamafactory.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptforge.trainers.base import Report
from promptforge.trainers.huggingface import read_trainer

__all__ = ["LlamaFactory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaFactory:
    """LoRA by transformers and peft."""

    kind: str = "llamafactory"
    tool: str = "llamafactory-cli"
    packages: tuple[str, ...] = ("llamafactory", "peft", "transformers", "torch")
    install: str = "llamafactory"
    config: str = "llamafactory.yaml"
    weights: str = "adapter_model.safetensors"
    unfinished: tuple[str, ...] = ("checkpoint-*", "training_args.bin", "runs")
    environ: Mapping[str, str] = field(default_factory=dict)
    # transformers hides losses that are no numbers, unless it is told not to.
    also: Mapping[str, object] = field(default_factory=lambda: {"logging_nan_inf_filter": False})

    def start(self, python: str) -> tuple[str, ...]:
        """The command beside the Python."""
        return (str(Path(python).parent / self.tool),)

    def arguments(self, config: Path) -> tuple[str, ...]:
        """The configuration says everything."""
        return ("train", str(config))

    def read(self, line: str) -> Report | None:
        """What transformers prints."""
        return read_trainer(line)
