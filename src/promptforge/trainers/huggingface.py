"""What trainers print that stand on the Trainer of transformers: dictionaries of losses, and bars of progress."""

import re

from promptforge.trainers.base import Report, number

__all__ = ["read_trainer"]

_NUMBER = r"'?([-+]?(?:\d[\d.]*(?:e[-+]?\d+)?|nan|inf))'?"
_LOSS = re.compile(rf"\{{.*?'loss': {_NUMBER}", re.IGNORECASE)
_VALID = re.compile(rf"\{{.*?'eval_loss': {_NUMBER}", re.IGNORECASE)
_BAR = re.compile(r"\s*\d+%\|[^|]*\| (\d+)/(\d+) \[[^\]]*(?:it/s|s/it)[^\]]*\]\s*")


def read_trainer(line: str) -> Report | None:
    """A line of it.

    The bar of a validation looks like that of the training, but is told by its place: nothing here says which it is,
    so the caller keeps the largest total that it has seen.

    >>> read_trainer("{'loss': '6.49', 'grad_norm': '8.938', 'epoch': '0.3'}").loss
    6.49
    >>> read_trainer(" 17%|#6        | 2/12 [00:00<00:01,  5.43it/s]").total
    12
    """
    if found := _VALID.search(line):
        return Report(valid=number(found[1]))
    if found := _LOSS.search(line):
        return Report(loss=number(found[1]))
    if found := _BAR.fullmatch(line):
        return Report(iteration=int(found[1]), total=int(found[2]))
    return None
