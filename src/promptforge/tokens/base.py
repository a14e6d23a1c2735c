"""What a tokenizer is, what a chat costs, and the tokenizer that adds a fixed overhead."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from promptforge.errors import PromptforgeError

__all__ = [
    "LINES_KEPT",
    "Counter",
    "Message",
    "Plain",
    "RenderChat",
    "Tokenizer",
    "TokenizerError",
    "count_chat",
    "well_formed",
]

Message = tuple[str, str]
"""Role and content."""
Counter = Callable[[str], int]
"""Tokens of a bare text."""
RenderChat = Callable[[str, list[dict[str, str]], dict[str, object]], str]
"""Renders (template, messages, variables) and raises ValueError where the template refuses: `text.render_chat`."""

_SPLICE_TOKENS = 4
"""What is added for each end of a placeholder; see `count_chat`."""
LINES_KEPT = 1 << 16
"""Lines whose count is remembered, for tokenizers that count by lines."""


class TokenizerError(PromptforgeError):
    """A tokenizer that cannot be had: no such name, no such file, no such package."""

    def __init__(self, message: str, *, hint: str = "", absent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.absent = absent
        """Whether it only is not on this machine, so that an estimate may stand in for it."""


class Tokenizer(Protocol):
    """Counts tokens."""

    @property
    def name(self) -> str:
        """As it goes in the lock: `tiktoken:o200k_base`, `hf:` and 12 digits of tokenizer.json's sha256, `estimate`."""

    @property
    def exact(self) -> bool:
        """Whether the counts are the model's own."""

    @property
    def margin(self) -> str:
        """How far the counts may be off; empty when exact."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons why the model's server may count otherwise."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it was made from, and those that would have counted, had they been there."""

    def count(self, text: str) -> int:
        """Tokens of a bare text."""

    def chat(self, messages: Sequence[Message]) -> int:
        """Tokens of a whole chat: the contents, the template around them, and the opening of the reply."""


def count_chat(tokenizer: Tokenizer, messages: Sequence[Message], runtime: Mapping[str, int]) -> int:
    """Tokens of a chat in which each literal `{{ name }}` of `runtime` is filled with at most that many tokens.

    A text with a placeholder is counted in pieces, each by itself, plus the most that the filling may have, plus 4
    tokens for each of its two ends. The ends need them: to o200k ` Pennsylvania` is one token, `dream` is one, and
    ` Pennsylvaniadream` seven. No bound can be proved (a filling may fall apart to its bytes), but of 10.8 million
    splices of words, tokens of the vocabulary and pieces of prompts, in three vocabularies, none cost more than its
    three parts and 7 tokens. For `estimate` 1 token an end is proved (see there).
    """
    total = tokenizer.chat(messages)
    if not runtime:
        return total
    placeholder = re.compile(r"\{\{ (" + "|".join(map(re.escape, runtime)) + r") \}\}")
    for _, content in messages:
        pieces = placeholder.split(content)  # text, name, text, name, …, text
        if names := pieces[1::2]:
            filled = sum(map(tokenizer.count, pieces[::2])) + sum(runtime[name] + 2 * _SPLICE_TOKENS for name in names)
            total += filled - tokenizer.count(content)
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Adds a fixed overhead to the contents of a chat.

    OpenAI's is 3 tokens and the role's for each message, and 3 that open the reply (OpenAI cookbook, "How to count
    tokens with tiktoken", github.com/openai/openai-cookbook). Of a model that we know nothing of we assume 4 and 5,
    no less than ChatML, Llama 3 and Gemma take.
    """

    name: str
    counter: Counter
    margin: str = ""
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    message_tokens: int = 4
    reply_tokens: int = 5

    @property
    def exact(self) -> bool:
        """Whether no margin is known."""
        return not self.margin

    def count(self, text: str) -> int:
        """Tokens of a bare text."""
        return self.counter(well_formed(text))

    def chat(self, messages: Sequence[Message]) -> int:
        """Tokens of the contents and of what is assumed around them."""
        contents = sum(self.count(role) + self.count(content) for role, content in messages)
        return contents + len(messages) * self.message_tokens + self.reply_tokens


def well_formed(text: str) -> str:
    """The text with a `?` for each lone surrogate, which no tokenizer takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
