"""What the page shows, kept up to date: the build at once, and what differs a moment later, from another thread."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptforge.artifact import Artifact
from promptforge.compiler.build import Build
from promptforge.console.diagnostics import counts, masked, record
from promptforge.console.terminal import plural
from promptforge.errors import PromptforgeError
from promptforge.page.differing import Differing
from promptforge.page.hub import Hub
from promptforge.page.lines import prompt_view
from promptforge.source import Diagnostic
from promptforge.workbench.forge import AgentLine, Report, agent_line, last_build, output_path

__all__ = ["BASELINES", "Live"]

BASELINES = ("save", "opened", "commit")
"""What the page holds the build against: the one before the last save, that of its opening, and git's HEAD."""

_MOST_DIAGNOSTICS = 200
_LONGEST_LINE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Good:
    """A build without errors."""

    artifact: Artifact
    agents: Sequence[AgentLine]
    at: datetime.datetime


class Live:
    """The state of the page. Whoever builds hands over what came of it, from one thread."""

    def __init__(
        self,
        root: Path,
        hub: Hub,
        *,
        today: Callable[[], datetime.date],
        clock: Callable[[], datetime.datetime],
        partly: bool = False,
    ) -> None:
        """`partly` says that the builds are of some agents only."""
        self._root, self._hub, self._clock, self._partly = root, hub, clock, partly
        self._good: _Good | None = None
        self._broken = False
        self._number = 0
        self._before: dict[str, Artifact | None] = {"save": None, "opened": None}
        self._differing = Differing(root, hub, today=today)

    def close(self) -> None:
        """End its thread."""
        self._differing.close()

    def built(self, report: Report, made: Build | None) -> None:
        """Take over a build that was written, or that has errors."""
        broken = made is not None and bool(made.errors)
        try:
            if broken:
                self._fall_back(report.output)
            else:
                self._take(report, self._artifact(report, made))
        except (OSError, ValueError) as problem:
            self.failed(PromptforgeError(f"the build cannot be read: {problem}", hint="build it anew"))
            return
        self._number += 1
        self._publish(report.diagnostics, made, ok=not broken)
        whole = made if made is not None and not self._partly else None
        good = self._good.artifact if self._good else None
        before = {**self._before, "save": good} if broken else self._before  # the broken save is the edit
        self._differing.look(whole, before, good, broken=broken, number=self._number)

    def failed(self, problem: PromptforgeError) -> None:
        """Say what stopped a build."""
        self._publish((), None, ok=False, problem=problem)

    def prompt(self, agent: str, since: str) -> dict[str, Any] | None:
        """An agent's prompt of the last good build, against one of the baselines; nothing when there is none."""
        good = self._good
        if good is None:
            return None
        if since == "commit":
            before = self._differing.committed
        else:
            # While the newest save is broken, what is shown is the state before it: nothing of it is marked.
            before = good.artifact if self._broken and since == "save" else self._before[since]
        return prompt_view(good.artifact, agent, before)

    def _artifact(self, report: Report, made: Build | None) -> Artifact:
        """What was written: with `--agent` it also holds what earlier builds made."""
        if made is not None and not self._partly:
            return made.artifact
        found = last_build(self._root, report.output)
        if found is None:
            raise ValueError(f"{report.output} is gone")
        return found

    def _take(self, report: Report, artifact: Artifact) -> None:
        """The build is the last good one; where a file differs, the one before is what it is held against."""
        if self._good is None:
            self._before["opened"] = artifact
        elif self._good.artifact.inputs != artifact.inputs:
            self._before["save"] = self._good.artifact
        self._good = _Good(artifact=artifact, agents=report.agents, at=self._clock())

    def _fall_back(self, output: str) -> None:
        """Where the page was opened on a broken project, the build that lies there is the last good one."""
        if self._good is not None:
            return
        try:
            path = output_path(self._root, output)
            found = last_build(self._root, output)
        except (ValueError, PromptforgeError):
            return  # damaged, or of another version: there is nothing to show
        if found is not None:
            self._before["opened"] = found
            at = datetime.datetime.fromtimestamp(path.stat().st_mtime)
            self._good = _Good(artifact=found, agents=tuple(map(agent_line, found.entries.values())), at=at)

    def _publish(
        self,
        diagnostics: Sequence[Diagnostic],
        made: Build | None,
        *,
        ok: bool,
        problem: PromptforgeError | None = None,
    ) -> None:
        good, self._broken = self._good, not ok
        shown = sorted(diagnostics, key=lambda d: (d.severity != "error", not d.code.startswith("PF1")))
        line = masked(diagnostics, made.source_line) if made else _no_line
        self._hub.publish(
            "build",
            {
                "number": self._number,
                "at": self._clock().timestamp() * 1000,
                "ok": ok,
                "counts": counts(diagnostics),
                "diagnostics": [_shown(d, line) for d in shown[:_MOST_DIAGNOSTICS]],
                "more": max(0, len(shown) - _MOST_DIAGNOSTICS),
                "problem": {"message": problem.message, "hint": problem.hint} if problem else None,
                "good": good.at.timestamp() * 1000 if good else None,
                "says": f"{plural(len(good.agents), 'prompt')}" if good else "",
                "agents": [_agent(one) for one in good.agents] if good else [],
            },
        )


def _no_line(file: str, number: int) -> None:
    return None


def _shown(diagnostic: Diagnostic, line: Callable[[str, int], str | None]) -> dict[str, Any]:
    """A diagnostic with the line that it is about."""
    span = diagnostic.span
    text = line(span.file, span.line)
    fits = text is not None and len(text) <= _LONGEST_LINE and bool(text.strip())
    return {**record(diagnostic), "length": span.length, "excerpt": text if fits else None}


def _agent(one: AgentLine) -> dict[str, Any]:
    return {
        "name": one.name,
        "model": one.model or "",
        "tier": one.tier or "",
        "tokens": one.tokens,
        "exact": one.exact,
        "budget": one.budget_tokens,
        "cut": len(one.cut),
        "withheld": len(one.withheld),
    }
