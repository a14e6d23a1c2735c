"""The most tokens that a row has, without rendering a million chats.

A row has at most what its texts have, each by itself, and what the chat template adds, which is measured once for
each sequence of roles. A prompt is counted once. The other texts are taken in pieces, a word with the space before
it, and each piece is counted once: tokenizers cut there anyway, so the sum is what they say or a little more (a
number counts one token a digit). That little is far less than what a limit is rounded up by.
"""

import re
from functools import lru_cache

from promptforge.dataset.rows import Row
from promptforge.tokens import Tokenizer

__all__ = ["Longest", "limit_for"]

_PROMPTS_KEPT = 256
_SHAPES_KEPT = 1024
_KEPT = 1 << 16
"""Pieces, and words, that are remembered."""
_PIECE = re.compile(r"\s*(?:[0-9]+|[^\s0-9]+)|\s+")
_SLACK_TOKENS = 16
"""What a template may add to one row and did not to the one that it was measured on."""
_STEP_TOKENS = 64


class Longest:
    """Looks at rows one by one, and keeps the longest."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._most = self._in_words if tokenizer.name != "estimate" else tokenizer.count  # adds up bytes, not pieces
        self._word = lru_cache(_KEPT)(lambda word: self._in_pieces(f" {word}"))
        self._piece = lru_cache(_KEPT)(self._count_piece)
        self._prompts: dict[str, int] = {}
        self._added: dict[tuple[str, ...], int] = {}
        self.tokens = 0
        """No row has more."""
        self.row = ""
        """The id of the one that may have so many."""

    def see(self, row: Row) -> int:
        """Look at one more; the most tokens that it may have."""
        roles = tuple([role for role, _ in row.messages])
        tokens = self._added.get(roles)
        if tokens is None:
            tokens = self._measure(row, roles)
        for role, text in row.messages:
            tokens += self._prompt(text) if role == "system" else self._most(text)
        if tokens > self.tokens:
            self.tokens, self.row = tokens, row.id
        return tokens

    def exactly(self, row: Row) -> int:
        """The tokens of a row, counted whole."""
        return self._tokenizer.chat(row.messages)

    def _prompt(self, text: str) -> int:
        known = self._prompts.get(text)
        if known is None:
            if len(self._prompts) >= _PROMPTS_KEPT:  # rows that each bring their own
                return self._most(text)
            known = self._prompts[text] = self._tokenizer.count(text)
        return known

    def _in_words(self, text: str) -> int:
        """Words with one space between them are looked up, as most texts have only a few new ones."""
        words = text.split()
        if not words or text != " ".join(words):
            return self._in_pieces(text)
        return self._in_pieces(words[0]) + sum(map(self._word, words[1:]))

    def _in_pieces(self, text: str) -> int:
        return sum(map(self._piece, _PIECE.findall(text)))

    def _count_piece(self, piece: str) -> int:
        return len(piece) if piece[-1] in "0123456789" else self._tokenizer.count(piece)

    def _measure(self, row: Row, roles: tuple[str, ...]) -> int:
        """What the template adds to such a row."""
        if len(self._added) >= _SHAPES_KEPT:
            self._added.clear()
        texts = sum(self._tokenizer.count(text) for _, text in row.messages)
        added = self._added[roles] = max(0, self._tokenizer.chat(row.messages) - texts)
        return added


def limit_for(tokens: int) -> int:
    """The limit that a trainer gets where no row has more tokens.

    >>> limit_for(100), limit_for(2040)
    (128, 2112)
    """
    return -(-(tokens + _SLACK_TOKENS) // _STEP_TOKENS) * _STEP_TOKENS
