"""What answers tell of the server that gave them: another model's name, no counts of tokens."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from promptforge.backends.base import Answer

__all__ = ["is_other_model", "notes_on_servers"]

_SHOWN = 80
"""Characters of a name that a server gives."""
_FOLDER = re.compile(r".*[/\\]")
_VERSION = re.compile(r"[-@:](?:\d{3,8}(?:-\d\d){0,2}|latest)$")
"""What a provider puts behind an alias: gpt-4o answers as gpt-4o-2024-08-06."""
_FORM = re.compile(r"[-._:](?:gguf|mlx|awq|gptq|[bf]p?16|[2-8]bit|i?q\d(?:_\w+)?|ud)$")
"""How weights are stored: the same model."""


def is_other_model(asked: str, answered: str) -> bool:
    """Whether a server that was asked for one model says that another one answered.

    Folders, a version behind an alias and the form of the weights make no other model.

    >>> is_other_model("gpt-4o", "gpt-4o-2024-08-06"), is_other_model("gpt-4o", "gpt-4o-mini-2024-07-18")
    (False, True)
    >>> is_other_model("Qwen/Qwen3-8B", "/models/qwen3-8b-Q4_K_M.gguf"), is_other_model("qwen3-8b", "qwen3-80b")
    (False, True)
    """
    return bool(asked and answered) and _bare(asked) != _bare(answered)


def _bare(name: str) -> str:
    name = _FOLDER.sub("", name.strip().lower())
    while (shorter := _FORM.sub("", _VERSION.sub("", name))) != name:
        name = shorter
    return name


def notes_on_servers(asked: Mapping[str, str], answers: Iterable[tuple[str, Answer]]) -> Iterator[str]:
    """What whoever reads the scores must know of the servers, a sentence each.

    `asked` is, for each model of the project that a server answers for, the name it was asked for; `answers` are
    (model of the project, answer).
    """
    names: dict[str, Counter[str]] = {}
    uncounted: Counter[str] = Counter()
    for model, answer in answers:
        if model in asked:
            if is_other_model(asked[model], answer.model):
                counts = names.setdefault(model, Counter())
                counts[answer.model[:_SHOWN]] += 1
            if answer.usage.input_tokens is None or answer.usage.output_tokens is None:
                uncounted[model] += 1
    for model, counts in names.items():
        for name, count in counts.items():
            yield (
                f"{model}: asked for '{asked[model]}', but its server says of {count:,} answers: '{name}';"
                " if that is not what you mean, look at base_url and model in promptforge.yaml"
            )
    for model, count in uncounted.items():
        yield (
            f"{model}: {count:,} answers came without counts of tokens: their cost and speed are not known, and budgets"
            " go by an estimate"
        )
