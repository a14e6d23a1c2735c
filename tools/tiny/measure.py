"""What the tiny model can do: `python measure.py FOLDER` prints tables in Markdown.

Exact match of the whole answer, decoded greedily. An answer is the greedy one when each of its tokens is the likeliest
after those before it, so one pass over prompt, question and wanted answer tells, without generating anything.
Every name in the prompts is made of words that no training prompt had.
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from batch import ANSWER, make_batch, make_row
from data import LOOKED_UP, UNKNOWN, Maker, Prompt, Question
from facts import FACTS
from net import Net, load
from tokenizer import is_held_out, words
from tokenizers import Tokenizer

from promptforge.compiler.rows import FORMS

Outcome = tuple[Prompt, Question, bool]


def outcomes(net: Net, tokenizer: Tokenizer, prompts: Iterable[Prompt]) -> list[Outcome]:
    """Each question of each prompt, and whether it is answered exactly."""
    found = []
    for prompt in prompts:
        batch = make_batch([make_row(prompt, tokenizer)])
        with torch.no_grad():
            likeliest = net.scores(net(batch.tokens, batch.positions, batch.mask)).argmax(-1)
        for number, question in enumerate(prompt.questions, 1):
            answer = (batch.block[0] == number).nonzero()[:, 0]
            answer = answer[batch.part[0][answer] >= ANSWER]
            right = torch.equal(likeliest[0][answer - 1], batch.tokens[0][answer])
            found.append((prompt, question, right))
    return found


def by_rows(net: Net, tokenizer: Tokenizer, maker: Maker) -> None:
    """Exact match by rows in the prompt's tables, by form, and by where key and answer stand."""
    print("| rows | markdown | csv | kv | second column | third or later | key in a later one | absent | bare |")
    print("|---|---|---|---|---|---|---|---|---|")
    for rows in (2, 4, 8, 16, 24, 32):
        found = []
        for form in FORMS:
            prompts = [maker.prompt(rows, 8, form=form) for _ in range(40)]
            found += outcomes(net, tokenizer, prompts)
        looked = [one for one in found if one[1].kind in LOOKED_UP]
        cells = [_share(one for one in looked if one[0].form == form) for form in FORMS]
        kinds = ("second", "third", "later", "absent")
        cells += [_share(one for one in found if one[1].kind == kind) for kind in kinds]
        bare = [replace(one[0], system=one[0].base, turns=(), questions=(one[1],)) for one in looked[:200]]
        cells.append(_share(outcomes(net, tokenizer, bare)))
        print(f"| {rows} | {' | '.join(cells)} |", flush=True)


def by_key(net: Net, tokenizer: Tokenizer, maker: Maker) -> None:
    """Exact match on sixteen rows, by the first words of a question."""
    kinds: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes(net, tokenizer, [maker.prompt(16, 12) for _ in range(150)]):
        if one[1].kind in LOOKED_UP:
            kinds[_kind_of_key(one[1].ask)].append(one)
    print("\n| 16 rows, asked by | " + " | ".join(kinds) + " |\n|---|" + "---|" * len(kinds))
    print("| exact match | " + " | ".join(_share(found) for found in kinds.values()) + " |\n")


def _kind_of_key(ask: str) -> str:
    return "port" if re.search(r"port \d", ask) else "entity id" if re.search(r"[a-z]\.[a-z]", ask) else "name"


def by_heart(net: Net, tokenizer: Tokenizer, maker: Maker) -> None:
    """General facts with and without a table, and what the persona alone is asked in vain."""
    general = tuple(Question(*fact, "general") for fact in FACTS)
    for what, rows in (("the persona alone", 0), ("a table of 16 rows", 16)):
        prompts = [replace(maker.prompt(rows, 1), questions=(one,)) for one in general]
        print(f"- general facts, {what}: {_share(outcomes(net, tokenizer, prompts))}")
    vain = [maker.prompt(0, 8) for _ in range(50)]
    found = [one for one in outcomes(net, tokenizer, vain) if one[1].answer == UNKNOWN]
    print(f'- "{UNKNOWN}" to a question that the persona alone cannot answer: {_share(found)}')


def arms(net: Net, tokenizer: Tokenizer, maker: Maker) -> None:
    """A hundred questions, each with the base prompt and with the enriched one."""
    looked: list[Question] = []
    while len(looked) < 60:
        prompt = maker.prompt(20, 60, form="markdown")
        looked = [one for one in prompt.questions if one.kind in LOOKED_UP]
    questions = (*looked[:60], *(Question(*fact, "general") for fact in FACTS[::3][:40]))
    shares: Mapping[str, list[Outcome]] = {
        "bare": outcomes(net, tokenizer, [replace(prompt, system=prompt.base, turns=(), questions=questions)]),
        "enriched": outcomes(net, tokenizer, [replace(prompt, questions=questions)]),
    }
    print("\n| prompt | all 100 | 60 on a table of 20 rows | 40 general |\n|---|---|---|---|")
    for name, found in shares.items():
        parts: dict[bool, list[Outcome]] = defaultdict(list)
        for one in found:
            parts[one[1].kind == "general"].append(one)
        print(f"| {name} | {_share(found)} | {_share(parts[False])} | {_share(parts[True])} |")


def _share(found: Iterable[Outcome]) -> str:
    right: Sequence[bool] = [one[2] for one in found]
    return f"{sum(right) / len(right):.2f} ({len(right)})" if right else "-"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    its = load(options.folder), Tokenizer.from_file(str(options.folder / "tokenizer.json"))
    unseen = Maker([word for word in words() if is_held_out(word)], seed=1000)
    by_rows(*its, unseen)
    by_key(*its, unseen)
    by_heart(*its, unseen)
    arms(*its, unseen)
