"""How a row is written for each trainer, and the configuration that goes with it. One module, one trainer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from promptforge.dataset.configs import Plan, Settings
from promptforge.dataset.encoding import Encoder
from promptforge.dataset.formats import axolotl, llamafactory, mlx, openai, trl
from promptforge.dataset.rows import Format, Row

__all__ = ["LAYOUTS", "Layout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A format."""

    lines: Callable[[Row, Encoder, Settings], Iterator[bytes]]
    """The lines of a row: one, or one for each of its answers where the trainer learns only the last of a line."""
    configs: Callable[[Plan], Mapping[str, str]]
    """The trainer's own files by name. Raises InputError where the rows are too few for it."""
    start: str
    """How the training is started, with `{config}` for the folder of the configuration."""


LAYOUTS: Mapping[Format, Layout] = {
    "mlx": Layout(lines=mlx.lines, configs=mlx.configs, start=mlx.START),
    "trl": Layout(lines=trl.lines, configs=trl.configs, start=trl.START),
    "axolotl": Layout(lines=axolotl.lines, configs=axolotl.configs, start=axolotl.START),
    "llamafactory": Layout(lines=llamafactory.lines, configs=llamafactory.configs, start=llamafactory.START),
    "openai": Layout(lines=openai.lines, configs=openai.configs, start=openai.START),
}
