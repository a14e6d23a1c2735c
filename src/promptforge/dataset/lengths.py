"""What rows cost in tokens, and whether an answer would be cut off by a trainer's limit.

Sequences are cut at their end, so it is the answer that goes. A row whose bytes are fewer than every limit has fewer
tokens, too, and is counted only as one of a sample; near a limit the whole chat is counted, template included.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from promptforge.dataset.findings import SHOWN, Length, Place, TrainerLimit
from promptforge.dataset.shapes import Seen
from promptforge.tokens import Tokenizer, TokenizerError

__all__ = ["DEFAULTS", "Lengths", "limits_of"]

DEFAULTS = (
    TrainerLimit("mlx", 2048, "mlx_lm's default, max_seq_length"),
    TrainerLimit("trl", 1024, "TRL's default, max_length"),
    TrainerLimit("llamafactory", 2048, "LLaMA-Factory's default, cutoff_len"),
)
_SETTINGS = ("max_seq_length", "max_length", "cutoff_len", "sequence_len")
_NEAR = 32
"""So near to a limit the whole chat is counted."""
_SAMPLE = 2_000
_EVERY = 53
_MOST_SAMPLED = 20_000
_KEPT = 256


def limits_of(trainer: str, settings: Mapping[str, Any]) -> tuple[TrainerLimit, ...]:
    """Where a recipe's trainer cuts; of no trainer, where each of them does by default.

    A recipe that says nothing gets a limit above its longest row when it is written, and cuts nothing.
    """
    if not trainer:
        return DEFAULTS
    key = next((key for key in _SETTINGS if settings.get(key)), "")
    return (TrainerLimit(trainer, int(settings[key]), f"the recipe's {key}"),) if key else ()


class Lengths:
    """Looks at rows one by one."""

    def __init__(self, tokenizer: Tokenizer, limits: Sequence[TrainerLimit]) -> None:
        self._tokenizer, self._limits = tokenizer, tuple(limits)
        self._least = min((limit.tokens for limit in limits), default=0)
        self._prompts: dict[str, int] = {}
        self._added: dict[tuple[str, ...], int] = {}
        self._sample: list[int] = []
        self._rows = self._counted = self._longest = self._bound = 0
        self._longest_at: Place | None = None
        self._over = {limit.trainer: 0 for limit in limits}
        self._lost = {limit.trainer: 0 for limit in limits}
        self._places: dict[str, list[Place]] = {limit.trainer: [] for limit in limits}

    def see(self, row: Seen) -> None:
        """Look at one more."""
        number = self._rows
        self._rows += 1
        most = sum([len(text) if text.isascii() else 4 * len(text) for _, text in row.messages])
        most += self._template(row) + len(row.messages)
        sampled = number < _SAMPLE or (number % _EVERY == 0 and len(self._sample) < _MOST_SAMPLED)
        if most <= self._longest and not sampled and (not self._least or most <= self._least):
            return
        tokens = self._count(row)
        self._counted += 1
        if sampled:
            self._sample.append(tokens)
        if tokens > self._longest:
            self._longest, self._longest_at = tokens, Place(row.file, row.line, f"{tokens:,} tokens")
        for limit in self._limits:
            if tokens > limit.tokens:
                self._cut(row, tokens, limit)

    def _cut(self, row: Seen, tokens: int, limit: TrainerLimit) -> None:
        self._over[limit.trainer] += 1
        lost = tokens - self._tokenizer.count(row.answer) >= limit.tokens
        self._lost[limit.trainer] += lost
        places = self._places[limit.trainer]
        if len(places) < SHOWN:
            what = f"{tokens:,} tokens, {'the whole answer is' if lost else 'the end of the answer is'} cut off"
            places.append(Place(row.file, row.line, what))

    def _count(self, row: Seen) -> int:
        tokens = self._template(row)
        for role, text in row.messages:
            tokens += self._prompt(text) if role == "system" else self._tokenizer.count(text)
        if any(abs(tokens - limit.tokens) <= _NEAR for limit in self._limits):
            try:
                return self._tokenizer.chat(row.messages)
            except TokenizerError:
                return tokens  # a template that refuses the roles of this row
        return tokens

    def _prompt(self, text: str) -> int:
        known = self._prompts.get(text)
        if known is None:
            if len(self._prompts) >= _KEPT:
                self._prompts.clear()
            known = self._prompts[text] = self._tokenizer.count(text)
        return known

    def _template(self, row: Seen) -> int:
        """What the template adds to a row with such roles, measured once."""
        roles = tuple([role for role, _ in row.messages])
        added = self._added.get(roles)
        if added is None:
            if len(self._added) >= _KEPT:
                self._added.clear()
            try:
                whole = self._tokenizer.chat([(role, "a") for role in roles])
                added = max(0, whole - len(roles) * self._tokenizer.count("a"))
            except TokenizerError:
                added = 8 * len(roles)  # a template that refuses such roles: no trainer will take the row either
            self._added[roles] = added
        return added

    def told(self) -> Length:
        """What was seen."""
        sample = sorted(self._sample)
        return Length(
            tokenizer=self._tokenizer.name,
            exact=self._tokenizer.exact,
            margin=self._tokenizer.margin,
            counted=self._counted,
            longest=self._longest,
            longest_at=self._longest_at,
            median=sample[len(sample) // 2] if sample else 0,
            p95=sample[min(len(sample) - 1, len(sample) * 95 // 100)] if sample else 0,
            over=self._over,
            lost=self._lost,
            limits=self._limits,
            places={trainer: tuple(places) for trainer, places in self._places.items()},
        )
