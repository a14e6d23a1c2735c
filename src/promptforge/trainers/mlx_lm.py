"""mlx_lm: `mlx_lm.lora --config mlx.yaml`, with the table that it prints since 0.32 and the lines of before.

Its checkpoints hold weights, not the state of the optimiser, so a training that was killed starts again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptforge.trainers.base import Report, number

__all__ = ["MlxLm"]

_NUMBER = r"[-+]?(?:\d[\d,.]*(?:e[-+]?\d+)?|nan|inf)"
_SIZE = re.compile(r"batch · iters\s+\d+ · (\d+)|Starting training\.*,? iters: (\d+)")
_TRAIN = re.compile(rf"\s*(\d+)\s+({_NUMBER})\s+[▲▼]?\s*({_NUMBER})\s+{_NUMBER}k\s*", re.IGNORECASE)
_VALID = re.compile(rf"\s*(\d+)\s+val\s+({_NUMBER})\s+{_NUMBER}s\s*", re.IGNORECASE)
_TRAIN_BEFORE = re.compile(rf"Iter (\d+): Train loss ({_NUMBER}),.*?Tokens/sec ({_NUMBER})", re.IGNORECASE)
_VALID_BEFORE = re.compile(rf"Iter (\d+): Val loss ({_NUMBER})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MlxLm:
    """LoRA on Apple's chips; on Linux by its CPU build, which is slow."""

    kind: str = "mlx_lm"
    tool: str = "mlx_lm.lora"
    packages: tuple[str, ...] = ("mlx-lm", "mlx")
    install: str = "'mlx[cpu]; sys_platform == \"linux\"' mlx-lm"
    config: str = "mlx.yaml"
    weights: str = "adapters.safetensors"
    unfinished: tuple[str, ...] = ("[0-9]*_adapters.safetensors",)
    environ: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, object] = field(default_factory=lambda: {"steps_per_report": 5})

    def start(self, python: str) -> tuple[str, ...]:
        """The module: the command beside a Python is there only in a virtual environment."""
        return (python, "-m", "mlx_lm", "lora")

    def arguments(self, config: Path) -> tuple[str, ...]:
        """The configuration says everything."""
        return ("--config", str(config))

    def read(self, line: str) -> Report | None:
        """A line of its table, or of its older log."""
        if found := _TRAIN.fullmatch(line) or _TRAIN_BEFORE.search(line):
            return Report(iteration=int(found[1]), loss=number(found[2]), speed=number(found[3]))
        if found := _VALID.fullmatch(line) or _VALID_BEFORE.search(line):
            return Report(iteration=int(found[1]), valid=number(found[2]))
        if found := _SIZE.search(line):
            return Report(total=int(found[1] or found[2]))
        return None
