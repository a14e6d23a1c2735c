"""The settings of a training, in one vocabulary for every trainer: checked here, written in each trainer's own words.

`rank`, `scale` (what the adapter's output is multiplied with: alpha / rank), `dropout`, `learning_rate`, `batch_size`,
`epochs` or `iters`, and what only one trainer has. Anything else of a trainer's own goes under `also`, as it is.
`python` and `command` say how it is called, and are in no configuration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from promptforge.dataset.rows import Format, Recipe, Split, Trainer
from promptforge.document import Decimal
from promptforge.errors import InputError
from promptforge.source import did_you_mean

__all__ = [
    "TRAINERS",
    "Plan",
    "Settings",
    "Wrong",
    "batch_size",
    "check_trainer",
    "decimal",
    "settings_of",
    "with_also",
]

TRAINERS: Mapping[Format, str] = {
    "mlx": "mlx_lm",
    "trl": "trl",
    "axolotl": "axolotl",
    "llamafactory": "llamafactory",
    "openai": "openai",
}
"""Who reads a format."""

Layout = Literal["prompt-completion", "conversational"]
_BATCH = 4


class Wrong(NamedTuple):
    """A setting that cannot be."""

    key: str
    """In `trainer`; `kind` where that is what is wrong."""
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to train, whoever trains."""

    rank: int = 16
    scale: float = 2.0
    """alpha / rank. The usual recipe, alpha = 2 x rank, is 2.0; mlx_lm's own default of 20.0 is ten times as strong."""
    dropout: float = 0.0
    learning_rate: float = 1e-4
    batch_size: int = 0
    """0: 4, or less where a split has fewer lines."""
    epochs: int = 1
    iters: int = 0
    """Steps; 0: what `epochs` makes."""
    max_seq_length: int = 0
    """Tokens; 0: what the longest row has."""
    num_layers: int = -1
    fine_tune_type: str = "lora"
    mask_prompt: bool = True
    layout: Layout = "prompt-completion"
    template: str = ""
    """The trainer's own name of a chat template; empty: the tokenizer's."""
    also: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a trainer's configuration is made from."""

    recipe: Recipe
    settings: Settings
    model: str
    """What the trainer loads: a folder, or a name on a hub."""
    folder: str
    """Of the dataset, as a configuration names it: relative to where the trainer is started."""
    adapter: str
    """The folder that the adapter goes to."""
    lines: Mapping[Split, int]
    limit_tokens: int
    """No row is longer."""


def _whole(least: int) -> Callable[[object], str]:
    def told(value: object) -> str:
        fine = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return "" if fine else f"a whole number of {least} or more"

    return told


def _number(low: float, high: float) -> Callable[[object], str]:
    def told(value: object) -> str:
        number = _float(value)
        return "" if number is not None and low <= number < high else f"a number of at least {low:g} and below {high:g}"

    return told


def _word(*words: str) -> Callable[[object], str]:
    def told(value: object) -> str:
        fine = isinstance(value, str) and (value in words if words else bool(value))
        return "" if fine else " or ".join(words) or "a name"

    return told


_LORA = ("rank", "scale", "dropout", "learning_rate", "max_seq_length")
_STEPS = ("batch_size", "epochs", "also")
_CALLED = ("python", "command")
"""How the trainer is called, which is `train`'s affair and stands in no configuration."""
_KEYS: Mapping[str, tuple[str, ...]] = {
    "mlx_lm": (*_LORA, *_STEPS, *_CALLED, "iters", "num_layers", "fine_tune_type", "mask_prompt"),
    "trl": (*_LORA, *_STEPS, *_CALLED, "iters", "layout"),
    "axolotl": (*_LORA, *_STEPS, *_CALLED, "iters", "template"),
    "llamafactory": (*_LORA, *_STEPS, *_CALLED, "iters", "template"),
    "openai": _STEPS,
}
_VALUES: Mapping[str, Callable[[object], str]] = {
    "rank": _whole(1),
    "scale": _number(1e-6, 1e6),
    "dropout": _number(0, 1),
    "learning_rate": _number(1e-12, 1),
    "batch_size": _whole(1),
    "epochs": _whole(1),
    "iters": _whole(1),
    "max_seq_length": _whole(1),
    "num_layers": lambda value: "" if value == -1 else _whole(1)(value) and "-1 (all), or a whole number of 1 or more",
    "fine_tune_type": _word("lora", "dora", "full"),
    "mask_prompt": lambda value: "" if isinstance(value, bool) else "true or false",
    "layout": _word("prompt-completion", "conversational"),
    "template": _word(),
    "python": _word(),
    "command": _word(),
    "also": lambda value: "" if isinstance(value, dict) else "a mapping of the trainer's own settings",
}


def check_trainer(recipe: Recipe) -> tuple[Wrong, ...]:
    """Everything that is wrong with a recipe's `trainer`. mlx_lm takes any key without a word, so a typo is ours."""
    reader, trainer = TRAINERS[recipe.format], recipe.trainer
    if trainer.kind != reader and trainer != Trainer():
        return (Wrong("kind", f"{trainer.kind} does not read the format {recipe.format}", f"write kind: {reader}"),)
    found = []
    for key, value in trainer.settings.items():
        if key == "kind":
            continue
        if key not in _KEYS[reader]:
            hint = f"{did_you_mean(key, _KEYS[reader])}; what is the trainer's own goes under `also`"
            found.append(Wrong(key, f"'{key}' is no setting of {reader}", hint))
        elif wanted := _VALUES[key](value):
            found.append(Wrong(key, f"{key} is {wanted}, not {value!r}"))
    if {"iters", "epochs"} <= trainer.settings.keys():
        found.append(Wrong("iters", "iters and epochs say the same thing twice", "leave one of them out"))
    if trainer.settings.keys() >= {*_CALLED}:
        found.append(Wrong("command", "command and python both say what is called", "leave one of them out"))
    return tuple(found)


def settings_of(recipe: Recipe) -> Settings:
    """The settings of a recipe, defaults filled. Raises InputError for the first thing that is wrong."""
    for wrong in check_trainer(recipe):
        raise InputError(f"{recipe.file}: trainer: {wrong.message}", hint=wrong.hint)
    given = {key: value for key, value in recipe.trainer.settings.items() if key not in ("kind", *_CALLED)}
    for key in ("scale", "dropout", "learning_rate"):
        if key in given:
            given[key] = _float(given[key])
    return Settings(**given)


def batch_size(plan: Plan, *, whole: tuple[Split, ...] = ("train",)) -> int:
    """Rows of a batch: as said, else 4, or what the smallest of the splits has that need a whole batch.

    Raises InputError where what was said is more than a split has.
    """
    splits = {split: plan.lines[split] for split in whole if plan.lines.get(split)}
    if not plan.settings.batch_size:
        return max(1, min(_BATCH, *splits.values())) if splits else _BATCH
    for split, lines in splits.items():
        if lines < plan.settings.batch_size:
            message = f"{split} has {lines} lines, and the batch_size is {plan.settings.batch_size}"
            raise InputError(f"{plan.recipe.file}: trainer: {message}", hint="take a smaller batch_size, or more rows")
    return plan.settings.batch_size


def with_also(plan: Plan, written: dict[str, Any]) -> dict[str, Any]:
    """A configuration and what the recipe adds to it. Raises InputError where it would replace what is written."""
    for key, value in plan.settings.also.items():
        if key in written:
            hint = f"it is {written[key]} here; its place in the recipe is outside `also`, if it has one"
            raise InputError(f"{plan.recipe.file}: trainer: also.{key} is written by promptforge", hint=hint)
        written[key] = _plain(value)
    return written


def decimal(number: float) -> Decimal:
    """A number without an exponent: `1e-05` is a text to some readers of YAML.

    >>> str(decimal(1e-05)), str(decimal(2.0))
    ('0.00001', '2.0')
    """
    written = f"{number:.12f}".rstrip("0")
    return Decimal(written + "0" if written.endswith(".") else written)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return decimal(value) if isinstance(value, float) and not isinstance(value, Decimal) else value


def _float(value: object) -> float | None:
    """A number, also one like `1e-4`, which is a text in YAML 1.1."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
