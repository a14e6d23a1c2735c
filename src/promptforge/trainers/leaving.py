"""What a trainer left: whether it is an adapter, whole and of numbers. Reads safetensors by its description."""

import json
import math
import struct
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any, BinaryIO

from promptforge.trainers.base import Trainer

__all__ = ["keep_finished", "wrong_with"]

_CONFIG = "adapter_config.json"
_HEADER = 8
_MOST_HEADER = 100 << 20
_BLOCK = 1 << 22
_EXPONENTS = {"F16": 0x7C00, "BF16": 0x7F80}
"""The bits that are all set in what is no number."""


def keep_finished(trainer: Trainer, folder: Path) -> None:
    """Delete what only an unfinished training needs. Raises OSError."""
    for pattern in trainer.unfinished:
        for path in folder.glob(pattern):
            rmtree(path) if path.is_dir() else path.unlink()


def wrong_with(trainer: Trainer, folder: Path) -> str:
    """Why this folder holds no adapter that could be served, in words; nothing where it does."""
    path = folder / trainer.weights
    try:
        if not (folder / _CONFIG).is_file():
            return f"it wrote no {_CONFIG}"
        with path.open("rb") as file:
            return _wrong(path, file)
    except FileNotFoundError:
        return f"it wrote no {trainer.weights}"
    except OSError as problem:
        return f"{path.name} cannot be read: {(problem.strerror or str(problem)).lower()}"


def _wrong(path: Path, file: BinaryIO) -> str:
    size = path.stat().st_size
    start = file.read(_HEADER)
    length = struct.unpack("<Q", start)[0] if len(start) == _HEADER else _MOST_HEADER + 1
    try:
        header: Any = json.loads(file.read(length)) if length <= min(_MOST_HEADER, size) else None
        tensors: Mapping[str, Any] = {name: told for name, told in header.items() if name != "__metadata__"}
        places = {name: (told["dtype"], *map(int, told["data_offsets"])) for name, told in tensors.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{path.name} is no file of weights, or was cut off at its start"
    if not any(end > begin for _, begin, end in places.values()):
        return f"{path.name} holds no weights"
    base = _HEADER + length
    if (ends := base + max(end for *_, end in places.values())) != size:
        return f"{path.name} was cut off: {size:,} bytes of {ends:,}"
    for name, (kind, begin, end) in places.items():
        file.seek(base + begin)
        if not all(_finite(kind, block) for block in _blocks(file, end - begin)):
            return f"{path.name}: {name} holds what is no number"
    return ""


def _blocks(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0:
        block = file.read(min(_BLOCK, length))
        if not block:
            return
        length -= len(block)
        yield block


def _finite(kind: str, block: bytes) -> bool:
    """Whether a block of weights holds only numbers; of a kind that we do not know this is not said."""
    if kind == "F32":
        return math.isfinite(sum(array("f", block)))  # in double precision: no sum of finite ones is infinite
    if kind in _EXPONENTS:
        bits = _EXPONENTS[kind]
        return not any(value & bits == bits for value in set(array("H", block)))
    return True
