"""Train the tiny model from nothing: `python train.py FOLDER`.

Muon for the matrices, AdamW for the rest; the loss is on answers and, lightly, on questions (their keys are copied
from the table, which is the same skill). Tables grow from 2 rows to 32 as soon as the model keeps up.
"""

import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
from batch import ANSWER, FIRST, Batch, make_batch, make_row
from data import Maker, Stage
from net import VOCABULARY, Net, save
from tokenizer import END, is_held_out, make_tokenizer, words, write_tokenizer
from tokenizers import Tokenizer
from torch.nn import functional

LEVELS: tuple[tuple[int, Stage], ...] = (
    (4, "digits"),
    *((rows, "pairs") for rows in (4, 6)),
    *((rows, "whole") for rows in (4, 6, 8, 12, 16, 24, 32)),
)
"""The most rows of a prompt, and its stage; the next level comes when most looked-up answers start right."""
GOOD_ENOUGH, TOKENS_A_STEP = 0.75, 4000
WEIGHTS = (0.0, 0.2, 1.0, 1.0)
"""Of what is only read, questions, answers, and their first tokens."""


class Course:
    """What is asked next, by how well the last answers went."""

    def __init__(self, seed: int) -> None:
        self._maker = Maker([word for word in words() if not is_held_out(word)], seed)
        self._random = random.Random(seed)
        self._level, self._right, self._since = 0, 0.0, 0

    @property
    def rows(self) -> int:
        """The most rows at the moment."""
        return LEVELS[self._level][0]

    @property
    def stage(self) -> Stage:
        """How hard prompts are at the moment."""
        return LEVELS[self._level][1]

    def batch(self, tokenizer: Tokenizer) -> Batch:
        """At most TOKENS_A_STEP tokens, of prompts of about one length."""
        r = self._random
        shape = r.random()
        count = 0 if shape < 0.04 else self.rows if shape < 0.55 else r.randint(1, self.rows)
        count = count if self.stage == "whole" else self.rows
        rows, system, questions = [], 0, 0
        while True:
            row = make_row(self._maker.prompt(count, max(8, min(12, count)), stage=self.stage), tokenizer)
            system, questions = max(system, len(row.system)), max(questions, len(row.questions))
            if rows and (system + questions) * (len(rows) + 1) > TOKENS_A_STEP:
                return make_batch(rows)
            rows.append(row)

    def learn_from(self, right: float) -> bool:
        """Take note of how many looked-up answers start right; True when the tables grow."""
        if math.isnan(right):
            return False  # no table, nothing to look up
        self._right += (right - self._right) * 0.03
        self._since += 1
        if self._right < GOOD_ENOUGH or self._since < 30 or self._level == len(LEVELS) - 1:
            return False
        self._level, self._since = self._level + 1, 0
        return True

    def __str__(self) -> str:
        return f"{self.stage} rows {self.rows} starts right {self._right:.3f}"


def step(net: Net, batch: Batch) -> tuple[torch.Tensor, float]:
    """The loss, and the share of looked-up answers whose first token is right."""
    # A token is foretold from the one before it; each question's first token follows the prompt and is left out.
    weight = torch.tensor(WEIGHTS)[batch.part[:, 1:]] * (batch.block[:, 1:] == batch.block[:, :-1])
    asked = weight > 0
    with torch.autocast("cpu", torch.bfloat16):
        vectors = net(batch.tokens, batch.positions, batch.mask)
        scores = net.scores(vectors[:, :-1][asked])
    wanted, part = batch.tokens[:, 1:][asked], batch.part[:, 1:][asked]
    losses = functional.cross_entropy(scores.float(), wanted, reduction="none") * weight[asked]
    starts = (scores.argmax(-1) == wanted)[part == FIRST].float()
    return losses.sum() / (part >= ANSWER).sum(), starts.mean().item()


def train(folder: Path, steps: int, seed: int, rate: float) -> None:
    """Train for so many steps, and write the model."""
    torch.manual_seed(seed)
    course, tokenizer = Course(seed), _tokenizer(seed)
    write_tokenizer(tokenizer, folder)
    net = Net()
    matrices = [one for name, one in net.named_parameters() if one.ndim == 2 and "embed" not in name]
    others = [one for name, one in net.named_parameters() if one.ndim != 2 or "embed" in name]
    optimisers = (
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    )
    start, seen, mean = time.monotonic(), 0, 0.0
    for number in range(1, steps + 1):
        for group in (group for optimiser in optimisers for group in optimiser.param_groups):
            group["lr"] = rate * min(1, number / 50) * _slope(number / steps)
        batch = course.batch(tokenizer)
        loss, right = step(net, batch)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        seen += batch.tokens.numel()
        mean += (loss.item() - mean) * (0.02 if number > 50 else 1 / number)
        if course.learn_from(right) or number % 100 == 0:
            took = time.monotonic() - start
            print(f"{took:5.0f} s step {number} loss {mean:.3f} {course} tokens/s {seen / took:.0f}", flush=True)
        if number % 500 == 0:
            save(net, folder, tokenizer.token_to_id(END))
    save(net, folder, tokenizer.token_to_id(END))
    told = {"parameters": sum(one.numel() for one in net.parameters()), "seed": seed, "steps": steps, "tokens": seen}
    told |= {"minutes": round((time.monotonic() - start) / 60, 1), "torch": torch.__version__}
    (folder / "training.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _tokenizer(seed: int) -> Tokenizer:
    maker = Maker([word for word in words() if not is_held_out(word)], seed)
    prompts = [maker.prompt(8, 8) for _ in range(2000)]
    asked = ("\n".join(f"{one.ask}\n{one.answer}" for one in prompt.questions) for prompt in prompts)
    return make_tokenizer([*(prompt.system for prompt in prompts), *asked], VOCABULARY)


def _slope(done: float) -> float:
    """The learning rate is full for half of the time, then falls along a cosine."""
    return 1.0 if done < 0.5 else 0.02 + 0.49 * (1 + math.cos(math.pi * (done - 0.5) * 2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    train(options.folder, options.steps, options.seed, options.rate)
