"""Axolotl: `axolotl train axolotl.yaml`. It wants a GPU."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptforge.trainers.base import Report
from promptforge.trainers.huggingface import read_trainer

__all__ = ["Axolotl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axolotl:
    """QLoRA and LoRA on GPUs."""

    kind: str = "axolotl"
    tool: str = "axolotl"
    packages: tuple[str, ...] = ("axolotl", "peft", "transformers", "torch")
    install: str = "axolotl"
    config: str = "axolotl.yaml"
    weights: str = "adapter_model.safetensors"
    unfinished: tuple[str, ...] = ("checkpoint-*", "prepared", "training_args.bin", "runs")
    environ: Mapping[str, str] = field(default_factory=lambda: {"AXOLOTL_DO_NOT_TRACK": "1"})
    also: Mapping[str, object] = field(default_factory=dict)

    def start(self, python: str) -> tuple[str, ...]:
        """The command beside the Python."""
        return (str(Path(python).parent / self.tool),)

    def arguments(self, config: Path) -> tuple[str, ...]:
        """The configuration says everything."""
        return ("train", str(config))

    def read(self, line: str) -> Report | None:
        """What transformers prints."""
        return read_trainer(line)
