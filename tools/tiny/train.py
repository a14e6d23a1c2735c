"""Train the tiny model from nothing: `python train.py FOLDER`.

Muon for the matrices, AdamW for the rest; the loss is on answers and, lightly, on questions (their keys are copied
from the table, which is the same skill). Tables grow from 4 rows to 32 as soon as the model keeps up.

Each worker is a process with one thread and prompts of its own. They add up their gradients once a step; the threads
of one process would wait for each other at every operation, which is slow wherever something else runs, too.
"""

import argparse
import json
import math
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from batch import ANSWER, FIRST, Batch, Row, make_batch, make_row
from data import Maker
from facts import FACTS
from net import VOCABULARY, Net, load, save
from tokenizer import END, is_held_out, make_tokenizer, words, write_tokenizer
from tokenizers import Tokenizer
from torch import distributed, multiprocessing
from torch.nn import functional

LEVELS = ((4, True), (6, True), (8, True), *((rows, False) for rows in (6, 8, 12, 16, 24, 32)))
"""The most rows of a prompt, and whether it is plain; the next level comes when most looked-up answers start right."""
GOOD_ENOUGH, TOKENS_A_STEP = 0.75, 2000
GROWN = (0.4, 0.8)
"""Of the whole training; in between the tables grow in any case, at an even pace."""
WEIGHTS = (0.0, 0.2, 1.0, 1.0)
"""Of what is only read, questions, answers, and their first tokens."""


class Settings(NamedTuple):
    """What a training is made with."""

    folder: Path
    minutes: float
    """While it runs: a step that takes very long was stopped from outside, and counts like another one."""
    workers: int
    seed: int
    rate: float
    start: Path | None
    """A folder to go on from, with tables of all sizes at once; None to begin from nothing."""


class Clock:
    """How much of the time is gone, without the time in which the process was stopped."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s, self._last, self._usual_s = limit_s, time.monotonic(), 1.0
        self.active_s = 0.0

    def done(self) -> float:
        """The share that is gone; asked once a step."""
        now = time.monotonic()
        took_s = min(now - self._last, 5 * self._usual_s)
        self._usual_s += (took_s - self._usual_s) * 0.05
        self._last = now
        self.active_s += took_s
        return self.active_s / self._limit_s


class Course:
    """What is asked next, by how well the last answers went."""

    def __init__(self, seed: int, level: int) -> None:
        self._maker = Maker([word for word in words() if not is_held_out(word)], seed)
        self._random = random.Random(seed)
        self._level, self._right, self._since = level, 0.0, 0
        self._made: list[list[Row]] = []
        self._at_once = 8

    def batch(self, tokenizer: Tokenizer) -> Batch:
        """At most TOKENS_A_STEP tokens, or one prompt that is longer; the prompts are of about one length."""
        if not self._made:
            self._made = list(_packed([self._row(tokenizer) for _ in range(self._at_once)]))
            self._at_once = max(8, 8 * self._at_once // max(1, len(self._made)))
            self._random.shuffle(self._made)
        return make_batch(self._made.pop())

    def _row(self, tokenizer: Tokenizer) -> Row:
        r = self._random
        rows, plain = LEVELS[self._level]
        shape = r.random()
        count = 0 if shape < 0.04 and not plain else rows if shape < 0.55 else r.randint(1, rows)
        return make_row(self._maker.prompt(count, max(8, min(40, 2 * count)), plain=plain), tokenizer)

    def learn_from(self, right: float, done: float) -> bool:
        """Take note of how many looked-up answers start right; True when the tables grow."""
        self._since += 1
        if not math.isnan(right):
            self._right += (right - self._right) * 0.03
        last = len(LEVELS) - 1
        late = self._level < last * (done - GROWN[0]) / (GROWN[1] - GROWN[0])
        if self._level == last or not (late or (self._right > GOOD_ENOUGH and self._since > 30)):
            return False
        self._level, self._since = self._level + 1, 0
        return True

    def __str__(self) -> str:
        rows, plain = LEVELS[self._level]
        return f"rows {rows}{' plain' if plain else ''} starts right {self._right:.3f}"


def _packed(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows of about one length together, as many as fit into a step."""
    some: list[Row] = []
    for row in sorted(rows, key=lambda one: (len(one.system) + len(one.questions), len(one.system))):
        system, questions = (max(map(len, part)) for part in zip(*some, row, strict=True))
        if some and (system + questions) * (len(some) + 1) > TOKENS_A_STEP:
            yield some
            some = []
        some.append(row)
    yield some


def losses(net: Net, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss; and (looked-up answers whose first token is right, looked-up answers)."""
    # A token is foretold from the one before it; each question's first token follows the prompt and is left out.
    weight = torch.tensor(WEIGHTS)[batch.part[:, 1:]] * (batch.block[:, 1:] == batch.block[:, :-1])
    asked = weight > 0
    with torch.autocast("cpu", torch.bfloat16):
        vectors = net(batch.tokens, batch.positions, batch.mask)
        scores = net.scores(vectors[:, :-1][asked])
    wanted, part = batch.tokens[:, 1:][asked], batch.part[:, 1:][asked]
    each = functional.cross_entropy(scores.float(), wanted, reduction="none") * weight[asked]
    first = part == FIRST
    starts = scores[first].argmax(-1) == wanted[first]
    return each.sum() / (part >= ANSWER).sum(), torch.tensor([starts.sum().float(), float(starts.numel())])


def work(rank: int, settings: Settings, meeting: str) -> None:
    """One worker; the first one tells how it goes, and writes the model."""
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=settings.workers)
    net = load(settings.start).train() if settings.start else Net()
    course = Course(settings.seed * 1000 + rank, len(LEVELS) - 1 if settings.start else 0)
    tokenizer = Tokenizer.from_file(str(settings.folder / "tokenizer.json"))
    matrices = [one for name, one in net.named_parameters() if one.ndim == 2 and "embed" not in name]
    others = [one for name, one in net.named_parameters() if one.ndim != 2 or "embed" in name]
    optimisers = (
        torch.optim.Muon(matrices, lr=settings.rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=settings.rate, betas=(0.9, 0.98), weight_decay=0.0),
    )
    clock, seen, mean, number, done = Clock(settings.minutes * 60), 0.0, 0.0, 0, 0.0
    while done < 1:
        number += 1
        for group in (group for optimiser in optimisers for group in optimiser.param_groups):
            group["lr"] = settings.rate * min(1, number / 50) * _slope(done)
        batch = course.batch(tokenizer)
        net.zero_grad(set_to_none=True)
        loss, starts = losses(net, batch)
        loss.backward()
        told = torch.tensor([clock.done() if rank == 0 else 0.0, loss.item(), batch.tokens.numel(), *starts])
        done, all_loss, tokens, right, asked = _add_up(net, told, settings.workers).tolist()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        seen += tokens
        mean += (all_loss / settings.workers - mean) * (0.02 if number > 50 else 1 / number)
        grown = course.learn_from(right / asked if asked else math.nan, done)
        if rank == 0 and (grown or number % 100 == 0):
            gone = f"{clock.active_s:5.0f} s step {number} tokens {seen / 1e6:.2f} M"
            print(f"{gone} loss {mean:.3f} {course}", flush=True)
        if rank == 0 and (number % 200 == 0 or done >= 1):
            save(net, settings.folder, tokenizer.token_to_id(END))
    if rank == 0:
        _tell(settings, net, number, int(seen))


def _add_up(net: Net, told: torch.Tensor, workers: int) -> torch.Tensor:
    """Gradients become the mean over all workers, and what is told the sum."""
    grads = [one.grad for one in net.parameters() if one.grad is not None]
    flat = torch.cat([told, *(one.flatten() for one in grads)])
    distributed.all_reduce(flat)
    at = told.numel()
    for one in grads:
        one.copy_(flat[at : at + one.numel()].view_as(one) / workers)
        at += one.numel()
    return flat[: told.numel()]


def _tell(settings: Settings, net: Net, steps: int, tokens: int) -> None:
    told = {"parameters": sum(one.numel() for one in net.parameters()), "tokens": tokens, "steps": steps}
    told |= {"minutes": settings.minutes, "seed": settings.seed, "rate": settings.rate, "workers": settings.workers}
    told |= {"minutes of one core": round(time.process_time() / 60, 1)}
    print(json.dumps(told | {"torch": torch.__version__}), flush=True)


def _tokenizer(seed: int) -> Tokenizer:
    maker = Maker([word for word in words() if not is_held_out(word)], seed)
    prompts = [maker.prompt(8, 8) for _ in range(3000)]
    asked = ("\n".join(f"{one.ask}\n{one.answer}" for one in prompt.questions) for prompt in prompts)
    samples = [*(prompt.system for prompt in prompts), *asked, *("\n".join(fact) for fact in FACTS * 20)]
    return make_tokenizer(samples, _usual(samples), VOCABULARY)


def _usual(samples: list[str]) -> list[str]:
    """The words that many of the samples have after a space."""
    counted: dict[str, int] = {}
    for sample in samples:
        for word in set(re.findall(r" ([A-Za-z]+)", sample)):
            counted[word] = counted.get(word, 0) + 1
    return [word for word, count in counted.items() if count > len(samples) / 100]


def _slope(done: float) -> float:
    """The learning rate is full for half of the time, then falls along a cosine."""
    return 1.0 if done < 0.5 else 0.02 + 0.49 * (1 + math.cos(math.pi * (done - 0.5) * 2))


def train(settings: Settings) -> None:
    """Train for so many minutes, and write the model."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    known = settings.start and Tokenizer.from_file(str(settings.start / "tokenizer.json"))
    write_tokenizer(known or _tokenizer(settings.seed), settings.folder)
    with tempfile.TemporaryDirectory() as folder:
        told = (settings, f"{folder}/meeting")
        spawn = multiprocessing.get_context("spawn")
        others = [spawn.Process(target=work, args=(rank, *told), daemon=True) for rank in range(1, settings.workers)]
        for one in others:
            one.start()
        work(0, *told)
        for one in others:
            one.join()


_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000", "OMP_NUM_THREADS": "1"}
"""Keep the memory of a step for the next one; glibc reads this when a process starts."""

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--start", type=Path, help="a folder with a model to go on from")
    options = parser.parse_args()
    if not _ALLOCATOR.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **_ALLOCATOR})
    train(Settings(**vars(options)))
