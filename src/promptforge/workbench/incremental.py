"""The build of a project that was built before: from the last build, where that can be."""

import datetime
from pathlib import Path

from promptforge.compiler.ahead import counted_ahead
from promptforge.compiler.build import without_collection
from promptforge.workbench.disk import exclusive
from promptforge.workbench.forge import Report
from promptforge.workbench.fresh import Seen, editors_served
from promptforge.workbench.state import read_state

__all__ = ["forge_again"]


def forge_again(
    root: Path, *, today: datetime.date, output: str | None = None, seen: Seen | None = None
) -> Report | None:
    """The report of a build made from the last one, or nothing when the project must be built as a whole.

    `seen` are input files that were read already. Raises WriteError, UsageError.
    """
    with exclusive(root), without_collection():
        state = read_state(root)
        if not editors_served(root):
            return None
        if state is None or state.head["asked"] != output or state.head["today"] not in (None, str(today)):
            return None
        with counted_ahead(state.head["encodings"]) as counters:
            from promptforge.workbench.remake import remake  # a first build need not load it

            return remake(root, state, today=today, seen=seen or {}, counters=counters)
