"""What a request costs."""

from collections.abc import Mapping

from promptforge.backends.base import Usage

__all__ = ["CACHE_WRITE", "cost_usd"]

CACHE_WRITE = 1.25
"""Writing a cache costs so many times the input: Anthropic's cache of five minutes, and OpenAI from GPT-5.6 on.

Servers that write caches for nothing report no writes.
"""


def cost_usd(usage: Usage | None, price: Mapping[str, float] | None) -> float | None:
    """US dollars by the model's `price`, which is per million tokens.

    None where a count or a price that it needs is missing: what is not known is not free.

    >>> cost_usd(Usage(input_tokens=1000, output_tokens=100, cached_tokens=600), {"input": 5, "output": 25})
    0.0075
    >>> cost_usd(Usage(input_tokens=1000), {"input": 5, "output": 25}) is None
    True
    """
    if usage is None or not price or usage.input_tokens is None or usage.output_tokens is None:
        return None
    read = min(usage.cached_tokens or 0, usage.input_tokens)
    write = min(usage.cache_write_tokens or 0, usage.input_tokens - read)
    if (usage.input_tokens and "input" not in price) or (usage.output_tokens and "output" not in price):
        return None
    input_price = price.get("input", 0.0)
    dollars = (
        (usage.input_tokens - read - write) * input_price
        + read * price.get("cached_input", input_price)
        + write * input_price * CACHE_WRITE
        + usage.output_tokens * price.get("output", 0.0)
    )
    return dollars / 1_000_000
