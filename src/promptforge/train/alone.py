"""One training at a time; and what a killed one left is stopped and swept away before the next begins."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from promptforge.dataset.swap import settle
from promptforge.files import TEMPORARY
from promptforge.trainers.child import stop_left_over
from promptforge.workbench.adapters import ADAPTERS
from promptforge.workbench.disk import alone, private_folder

__all__ = ["RECORD", "training_alone"]

RECORD = "training.json"
"""In .promptforge: the trainer that runs."""
_GRACE_S = 10.0
_OURS = re.compile(rf"\.(.+-seed-\d+-[0-9a-f]{{10}})\.(?:\d+-\d+|was){re.escape(TEMPORARY)}")


@contextmanager
def training_alone(root: Path) -> Iterator[tuple[str, ...]]:
    """Hold all training of a project; gives what a killed one had left running. Raises BusyError and WriteError."""
    hint = "wait for it, or stop it: two would share the machine and the adapter"
    with alone(root, "training", what="another training of this project runs", hint=hint):
        stopped = stop_left_over(private_folder(root) / RECORD, grace_s=_GRACE_S)
        _sweep(root / ADAPTERS)
        yield tuple(str(one) for one in stopped)


def _sweep(folder: Path) -> None:
    """Adapters that were not finished are deleted; one that stood aside while its successor came is put back."""
    names = {found[1] for path in folder.iterdir() if (found := _OURS.fullmatch(path.name))} if folder.is_dir() else ()
    for name in names:
        settle(folder / name)
