"""Prompts to tensors: each prompt once, with its questions after it, none of which sees another one.

Thirty questions on a table cost little more than one this way, and no answer can be copied from an earlier answer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from data import LOOKED_UP, Prompt
from tokenizer import END, START
from tokenizers import Tokenizer
from torch import Tensor

__all__ = ["ANSWER", "FIRST", "QUESTION", "Batch", "Row", "make_batch", "make_row"]

QUESTION, ANSWER, FIRST = 1, 2, 3
"""What a token is to the loss: part of a question, of an answer, or the start of an answer to be looked up."""


class Row(NamedTuple):
    """(token, position, part, block) of each token of a prompt, and of its questions."""

    system: list[tuple[int, int, int, int]]
    questions: list[tuple[int, int, int, int]]


class Batch(NamedTuple):
    """Rows of tokens, each a prompt and then its questions; (prompts, tokens) but for the mask."""

    tokens: Tensor
    positions: Tensor
    part: Tensor
    """QUESTION, ANSWER, FIRST, or 0 for what is only read."""
    block: Tensor
    """0 for the prompt, n for its n-th question, -1 for what fills up."""
    mask: Tensor
    """What the questions' tokens may look at: (prompts, 1, tokens of questions, tokens)."""


def make_batch(rows: Sequence[Row]) -> Batch:
    """Rows filled up to the longest prompt and the longest questions."""
    fill = [(0, 0, 0, -1)]
    system = max(len(row.system) for row in rows)
    rest = max(len(row.questions) for row in rows)
    filled = [a + fill * (system - len(a)) + b + fill * (rest - len(b)) for a, b in rows]
    tokens, positions, part, block = torch.tensor(filled).unbind(-1)
    earlier = torch.ones(system + rest, system + rest, dtype=torch.bool).tril()[system:]
    asks = block[:, system:, None]
    mask = earlier & ((asks == block[:, None, :]) | (block == 0)[:, None, :])
    return Batch(tokens, positions, part, block, mask[:, None])


def make_row(prompt: Prompt, tokenizer: Tokenizer) -> Row:
    """The tokens of a prompt with all its questions."""
    turns = "".join(_turn("user", ask) + _turn("assistant", answer) for ask, answer in prompt.turns)
    texts = [_turn("system", prompt.system) + turns]
    for question in prompt.questions:
        texts += [f"{START}user\n{question.ask}{END}\n{START}assistant\n", f"{question.answer}{END}"]
    first, *rest = (one.ids for one in tokenizer.encode_batch_fast(texts))
    questions = []
    for number, (ask, answer, question) in enumerate(zip(rest[::2], rest[1::2], prompt.questions, strict=True), 1):
        start = FIRST if question.kind in LOOKED_UP else ANSWER
        parts = [QUESTION] * len(ask) + [start] + [ANSWER] * (len(answer) - 1)
        told = enumerate(zip(ask + answer, parts, strict=True), len(first))
        questions += [(token, at, part, number) for at, (token, part) in told]
    return Row([(token, at, 0, 0) for at, token in enumerate(first)], questions)


def _turn(role: str, text: str) -> str:
    return f"{START}{role}\n{text}{END}\n"
