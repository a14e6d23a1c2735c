"""What an export wrote, and what it left out."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from promptforge.bench.promptfoo import CONFIG_FILE, LeftOut
from promptforge.bench.results import Run
from promptforge.console.terminal import Painter, plural
from promptforge.files import said_path
from promptforge.workbench.exporting import GENERATED, Exported

__all__ = ["inspect_json", "inspect_text", "promptfoo_json", "promptfoo_text"]


def promptfoo_text(made: Exported, folder: Path, root: Path, paint: Painter) -> str:
    """What the folder holds, what is not in it by case, and how promptfoo is called."""
    place = said_path(folder, root)
    cases = len({test.case.id for test in made.tests})
    prompts = len({prompt for test in made.tests for prompt in test.prompts})
    requests = sum(len(test.prompts) for test in made.tests)
    counts = f"{plural(len(made.tests), 'test')} of {plural(cases, 'case')} with {plural(prompts, 'prompt')}"
    return "\n".join(
        [
            f"{paint('wrote', 'green')} {place}: {counts}, {plural(requests, 'request')} to {', '.join(made.models)}",
            *_left_out(made.left_out, cases, paint),
            _whose(made),
            f"next: promptfoo eval -c {shlex.quote(f'{place}/{CONFIG_FILE}')}",
        ]
    )


def _whose(made: Exported) -> str:
    if made.private:
        return "it may hold private facts, so only you may read it: do not commit it"
    return f"nothing in it is above {made.level}: commit it only where all who read the repository may see that"


def _left_out(left_out: Sequence[LeftOut], cases: int, paint: Painter) -> Iterator[str]:
    """By reason; what an option takes along is only counted."""
    reasons: dict[tuple[str, bool], dict[str, None]] = {}
    for one in left_out:
        reasons.setdefault((one.detail or one.why, one.chosen), {})[str(one)] = None
    for (why, chosen), names in reasons.items():
        few = f"; only {plural(cases, 'case')} left" if why == GENERATED and len(names) > cases else ""
        yield f"{paint('left out', 'yellow')} {len(names):,}: {why}{few}"
        yield from () if chosen else (f"  {name}" for name in names)
    if any(one.detail for one in left_out):
        yield "what clearance bars may lie in a folder for local models alone: --model NAME"


def promptfoo_json(made: Exported, folder: Path) -> dict[str, Any]:
    """The same for programs."""
    return {
        "version": 1,
        "folder": str(folder),
        "suite": made.suite,
        "models": list(made.models),
        "files": list(made.files),
        "level": made.level,
        "private": made.private,
        "tests": [
            {"case": test.case.id, "agent": test.agent, "prompts": [prompt.label for prompt in test.prompts]}
            for test in made.tests
        ],
        "left_out": [
            {
                "case": one.case,
                "agent": one.agent,
                "model": one.model,
                "variant": one.variant,
                "why": one.detail or one.why,
            }
            for one in made.left_out
        ],
    }


def inspect_text(run: Run, written: Sequence[Path], folder: Path, root: Path, paint: Painter, *, private: bool) -> str:
    """The logs, and how they are looked at."""
    place = said_path(folder, root)
    hidden = bool(run.private_values) and not private
    barred = sum(reply.state == "not_applicable" for reply in run.replies)
    return "\n".join(
        [
            f"{paint('wrote', 'green')} {place}: {plural(len(written), 'log')} of the run {run.id}",
            *(f"  {path.name}" for path in written),
            *([f"left out {plural(barred, 'request')} that clearance barred"] if barred else []),
            *(["values of private facts are hidden (--include-private shows them)"] if hidden else []),
            f"next: inspect view --log-dir {shlex.quote(place)}",
        ]
    )


def inspect_json(run: Run, written: Sequence[Path]) -> dict[str, Any]:
    """The same for programs."""
    return {"version": 1, "run": run.id, "files": [str(path) for path in written]}
