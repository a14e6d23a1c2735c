"""What answers tell of the server that gave them: another model's name, no counts of tokens."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from promptforge.backends.base import Answer

__all__ = ["is_other_model", "notes_on_servers"]

_SHOWN = 80
"""Characters of a name that a server gives."""
_CACHED = re.compile(r"models--[^/]*?--([^/]+)(?:/|$)")
"""A folder of the local cache of Hugging Face."""
_ROUTE = re.compile(r":(?:free|nitro|floor|online)$")
"""What OpenRouter takes behind a name for the way to it."""
_VERSION = re.compile(r"[-@:](?:latest|(?P<day>\d{4}-?\d\d-?\d\d|\d{6}|00\d|(?<=gpt-4-)\d{4}|(?<=turbo-)\d{4}))$")
"""What a provider puts behind an alias: gpt-4o answers as gpt-4o-2024-08-06."""
_FORM = re.compile(
    r"[-._:](?:gguf|mlx|awq|gptq|bnb|dwq|ud|\d{5}-of-\d{5}|(?:mx|nv|b)?fp?(?P<float>4|8|16)|(?P<bit>[2-8])bit"
    r"|int(?P<int>[48])|i?q(?P<q>[2-8])(?:_\w+)?)$"
)
"""How weights are stored: the same model, but not the same with fewer bits."""


def is_other_model(asked: str, answered: str) -> bool:
    """Whether a server that was asked for one model says that another one answered.

    Folders make no other model; a version behind an alias and the form of the weights do where both names have one.

    >>> is_other_model("gpt-4o", "gpt-4o-2024-08-06"), is_other_model("gpt-4o", "gpt-4o-mini-2024-07-18")
    (False, True)
    >>> is_other_model("gpt-4o-2024-05-13", "gpt-4o-2024-08-06")
    True
    >>> is_other_model("Qwen/Qwen3-8B", "qwen3-8b-Q4_K_M.gguf"), is_other_model("qwen3-8b-4bit", "qwen3-8b-8bit")
    (False, True)
    """
    if not asked or not answered:
        return False
    (name, *parts), (other, *others) = _parts(asked), _parts(answered)
    return name != other or any(one and two and one != two for one, two in zip(parts, others, strict=True))


def _parts(name: str) -> tuple[str, str, str]:
    """A model's name, its version and its bits, as far as they are said."""
    name = name.strip().lower().replace("\\", "/").rstrip("/")
    name = _ROUTE.sub("", found[1] if (found := _CACHED.search(name)) else name.rpartition("/")[2])
    version = bits = ""
    while True:
        if found := _FORM.search(name):
            bits = bits or next(filter(None, found.groupdict().values()), "")
        elif found := _VERSION.search(name):
            version = version or (found["day"] or "").replace("-", "")
        else:
            break
        name = name[: found.start()]
    # Azure writes gpt-35-turbo; of Anthropic's versions 4-0 is called 4, too.
    return re.sub(r"(?<=-\d)-0$", "", name.replace("gpt-35", "gpt-3.5")), version, bits


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
