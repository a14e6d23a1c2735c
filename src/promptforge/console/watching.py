"""What `build --watch` prints of a save: what was saved, and what came of it, beside what was shown already."""

import datetime
from collections.abc import Sequence

from promptforge.console.diagnostics import counts
from promptforge.console.prompts import delta, one_line
from promptforge.console.terminal import Painter, columns, plural
from promptforge.diff import AgentChange
from promptforge.source import Diagnostic
from promptforge.workbench.forge import Report

__all__ = ["Saves"]

_MOST_FILES = 4
_Said = tuple[str, str, str]


class Saves:
    """Remembers what the terminal shows, so that a save adds only what is new."""

    def __init__(self) -> None:
        self.whole = True
        """Whether the table of all agents is still to be shown."""
        self._broken = False
        self._said: frozenset[_Said] = frozenset()

    def head(self, saved: Sequence[str], at: datetime.datetime, paint: Painter) -> str:
        """The line that a save begins with: when, and which files."""
        more = f" and {len(saved) - _MOST_FILES} more" if len(saved) > _MOST_FILES else ""
        return paint(f"{at:%H:%M:%S}  {', '.join(saved[:_MOST_FILES])}{more}", "bold")

    def news(self, diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Those that were not said of the build before; where a line moved, it is no other one."""
        return tuple(one for one in diagnostics if _said(one) not in self._said)

    def built(self, report: Report, *, failed: bool) -> None:
        """Note what was shown of a build."""
        self.whole = self.whole and failed
        self._broken = failed
        self._said = frozenset(map(_said, report.diagnostics))

    def failed(self) -> None:
        """Note that there was no build."""
        self._broken = True

    def mended(self, paint: Painter) -> str:
        """A line after a build that failed; else nothing."""
        return f"{paint('mended', 'green')}: fine again" if self._broken else ""

    def text(self, report: Report, paint: Painter) -> str:
        """The agents whose prompt differs now, and the sum."""
        lines = []
        if report.diff and report.diff.agents:
            rows = [_row(agent) for agent in report.diff.agents]
            table = columns(rows, right=(1, 2), indent="  ").split("\n")
            changes = zip(table, report.diff.agents, strict=True)
            lines += [paint(row, "red") if agent.over_budget or agent.broken else row for row, agent in changes]
        return "\n".join([*lines, _sum(report, paint) + self._as_before(report.diagnostics)])

    def _as_before(self, diagnostics: Sequence[Diagnostic]) -> str:
        new = self.news(diagnostics)
        old = [one for one in diagnostics if one not in new]
        return f"; {counts(old)} as before" if old else ""


def _said(one: Diagnostic) -> _Said:
    return one.code, one.span.file, one.message


def _row(agent: AgentChange) -> tuple[str, ...]:
    about = "" if agent.exact else "~"
    tokens = "" if agent.tokens_after is None else f"{about}{agent.tokens_after:,}"
    return agent.name, tokens, "" if agent.budget_tokens is None else f"of {agent.budget_tokens:,}", delta(agent)


def _sum(report: Report, paint: Painter) -> str:
    diff = report.diff
    if diff is None or not report.written:
        return f"{paint('nothing changed', 'green')}: {report.output} is up to date"
    if not diff.agents:
        return f"{paint(one_line(diff), 'green')}; wrote {', '.join(report.written)}"
    facts = sum(1 for fact in diff.facts if fact.key)
    cause = f"{plural(facts, 'fact')}, " if facts else ""
    about = "" if all(agent.exact for agent in report.agents) else "~"
    total = f"{about}{sum(agent.tokens for agent in report.agents):,} tokens in all"
    prompts = f"{len(diff.agents)} of {plural(len(report.agents), 'prompt')}"
    return f"{paint('changed', 'green')}: {cause}{prompts}, {total} -> {report.output}"
