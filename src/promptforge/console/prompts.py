"""What `build`, `diff` and `explain` found, as text, JSON and Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from promptforge.console.diagnostics import record
from promptforge.console.terminal import Painter, columns, plural
from promptforge.diff import AgentChange, CaseChange, DatasetChange, Diff, ExampleChange, FactChange
from promptforge.estimate import MARGIN
from promptforge.source import Diagnostic
from promptforge.workbench.forge import AgentLine, Report

__all__ = ["build_json", "build_text", "datasets_lines", "delta", "diff_json", "diff_markdown", "diff_text", "one_line"]

# --- build ----------------------------------------------------------------------------------------------------------


def build_text(report: Report, paint: Painter, *, checking: bool = False) -> str:
    """The table of agents, what changed, and what goes to the cloud."""
    lines = [_agent_table(report.agents, paint)] if report.agents else []
    if checking:
        lines += [paint(f"stale: {text}", "yellow") for text in report.stale]
        if report.stale:
            lines.append("run: promptforge build")
        else:
            lines.append(paint("up to date", "green") + f": {plural(len(report.agents), 'prompt')}")
        return "\n".join(lines)
    lines.append(_changed_line(report, paint))
    lines.append(_cloud_line(report))
    return "\n".join(lines)


def _agent_table(agents: Sequence[AgentLine], paint: Painter) -> str:
    head, newline, body = _agent_lines(tuple(agents)).partition("\n")
    text = paint(head, "bold") + newline + body
    if any(not agent.exact for agent in agents):
        text += "\n" + paint(f"~ estimated: {MARGIN}; exact with a tokenizer of the model", "dim")
    return text


@lru_cache(maxsize=1)  # printed, and kept twice for a build that changes nothing: with and without colour
def _agent_lines(agents: tuple[AgentLine, ...]) -> str:
    rows = [("agent", "model", "tokens", "budget", "left out")]
    for agent in agents:
        tokens = f"{agent.tokens:,}" if agent.exact else f"~{agent.tokens:,}"
        model = f"{agent.model} ({agent.tier})" if agent.model else "-"
        rows.append((agent.name, model, tokens, f"{agent.budget_tokens:,}", _left_out(agent)))
    return columns(rows, right=(2, 3))


def _left_out(agent: AgentLine) -> str:
    parts = []
    if agent.cut:
        parts.append(f"{len(agent.cut)} cut by the budget ({_names(agent.cut)})")
    if agent.withheld:
        parts.append(f"{len(agent.withheld)} above its clearance")
    return "; ".join(parts)


def _names(names: Sequence[str], most: int = 2) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _changed_line(report: Report, paint: Painter) -> str:
    if report.repeated:
        return paint("nothing changed", "green") + f": {report.output} is up to date"
    if report.diff is None:
        return paint(f"built {plural(len(report.agents), 'prompt')}", "green") + f" -> {report.output}"
    if not report.written:
        return paint("nothing changed", "green") + f": {report.output} is up to date"
    if not report.diff.agents:
        return paint(one_line(report.diff), "green") + f"; wrote {', '.join(report.written)}"
    return paint("changed", "green") + f": {one_line(report.diff)} -> {report.output}"


def one_line(diff: Diff) -> str:
    """A diff in one line."""
    facts = [f for f in diff.facts if f.key]
    if not diff.agents:
        return "no prompt changed" + (f" ({plural(len(facts), 'fact')} that no prompt holds)" if facts else "")
    shown = [f"{a.name} {delta(a)}" for a in diff.agents[:4]]
    more = f" and {len(diff.agents) - 4} more" if len(diff.agents) > 4 else ""
    cause = f"{plural(len(facts), 'fact')}, " if facts else ""
    return f"{cause}{plural(len(diff.agents), 'prompt')}: {', '.join(shown)}{more}"


def _cloud_line(report: Report) -> str:
    cloud = [a.name for a in report.agents if a.tier == "cloud"]
    to_cloud = f"{len(cloud)} of {plural(len(report.agents), 'prompt')} with {plural(report.cloud_facts, 'fact')}"
    withheld = sum(len(a.withheld) for a in report.agents)
    stayed = f"{plural(report.local_facts, 'fact')} too sensitive for it"
    left = f" (left out {plural(withheld, 'time')})" if withheld else ""
    return f"to the cloud: {to_cloud}; stayed local: {stayed}{left}"


def build_json(report: Report) -> dict[str, object]:
    """The report for programs."""
    return {
        "version": 1,
        "output": report.output,
        "written": list(report.written),
        "stale": list(report.stale),
        "agents": {
            a.name: {
                "model": a.model,
                "tier": a.tier,
                "tokens": a.tokens,
                "exact": a.exact,
                "budget": a.budget_tokens,
                "cut": list(a.cut),
                "withheld": list(a.withheld),
            }
            for a in report.agents
        },
        "changed": [] if report.repeated else None if report.diff is None else [a.name for a in report.diff.agents],
        "cloud_facts": report.cloud_facts,
        "local_facts": report.local_facts,
        "diagnostics": [record(d) for d in report.diagnostics],
    }


# --- diff -----------------------------------------------------------------------------------------------------------


def diff_text(diff: Diff, paint: Painter) -> str:
    """Readable at a glance: facts, then whom they touch, then what breaks."""
    lines: list[str] = []
    if diff.facts:
        lines.append(paint("facts", "bold"))
        lines += [f"  {line}" for fact in diff.facts for line in _fact_lines(fact, paint)]
    if diff.settings:
        lines += [paint("settings", "bold"), *(f"  {paint('~', 'yellow')} {name}" for name in diff.settings)]
    if diff.agents:
        lines.append(paint("agents", "bold"))
        rows = [(a.name, _tokens(a), delta(a), _why(a)) for a in diff.agents]
        table = columns(rows, indent="  ").split("\n")
        lines += [paint(row, "red") if a.broken else row for row, a in zip(table, diff.agents, strict=True)]
        lines += [f"  {paint('!', 'red')} {text}" for a in diff.agents for text in _consequences(a)]
    examples = [e for e in diff.examples if e.id]
    if examples:
        lines.append(paint("examples", "bold"))
        lines += [f"  {_example_line(example)}" for example in examples]
    if diff.cases:
        lines.append(paint("cases", "bold"))
        lines += [f"  {_case_line(case)}" for case in diff.cases[:_MOST_CASES]]
        lines += [f"  … and {len(diff.cases) - _MOST_CASES:,} more"] if len(diff.cases) > _MOST_CASES else []
    lines += datasets_lines(diff, paint)
    if diff.breaks:
        lines.append(paint("breaks", "red", "bold"))
        for d, others in _alike(diff.breaks):
            lines.append(f"  {d.span}: {paint(d.code, 'red')}: {d.message}" + (f" ({d.hint})" if d.hint else ""))
            lines += [f"    {others}"] if others else []
    lines.append(_sum(diff))
    return "\n".join(lines)


_MOST_CASES = 20


def _sum(diff: Diff) -> str:
    """What it comes to, in one line."""
    facts = plural(sum(1 for f in diff.facts if f.key), "fact")
    broken = sum(1 for agent in diff.agents if agent.broken)
    breaks = [f"{plural(broken, 'prompt')} broken"] if broken else []
    breaks += [plural(len(diff.breaks), "new error")] if diff.breaks else []
    touched = plural(len(diff.agents), "prompt") + (f" and {plural(len(diff.cases), 'case')}" if diff.cases else "")
    return f"{facts} changed, {touched} touched, {', '.join(breaks) or 'nothing broken'}"


def _alike(breaks: Sequence[Diagnostic]) -> Iterator[tuple[Diagnostic, str]]:
    """The first of those that say the same, and where the others are."""
    same: dict[tuple[str, str], list[Diagnostic]] = {}
    for d in breaks:
        same.setdefault((d.code, d.message), []).append(d)
    for first, *others in same.values():
        places = _names([str(d.span) for d in others], 3)
        yield first, f"and at {plural(len(others), 'more place')}: {places}" if others else ""


_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow"), "renamed": ("~", "yellow")}


def _fact_lines(fact: FactChange, paint: Painter) -> list[str]:
    if fact.change == "moved":
        return [f"{paint('~', 'yellow')} {fact.table}: the order of its facts"]
    sign, colour = _SIGNS[fact.change]
    name = f"{fact.table} {fact.old_key} → {fact.key}" if fact.old_key else f"{fact.table} {fact.key}"
    return [f"{paint(sign, colour)} {name}: {_columns(fact)}  {paint(f'{fact.file}:{fact.line}', 'dim')}"]


def _columns(fact: FactChange) -> str:
    if fact.change in ("added", "removed"):
        sides = ((column, before if after is None else after) for column, (before, after) in fact.columns.items())
        return ", ".join(
            f"{c} {_value(v)}" for c, v in sides if v is not None and (c, v) != ("sensitivity", "internal")
        )
    if not fact.columns:
        return "the order of its columns"
    return ", ".join(f"{column} {_value(before)} → {_value(after)}" for column, (before, after) in fact.columns.items())


def _value(value: str | None) -> str:
    if value is None:
        return "(unset)"
    value = value.replace("\n", "\\n")
    return value if len(value) <= 60 else value[:57] + "…"


def _tokens(agent: AgentChange) -> str:
    about = "" if agent.exact else "~"
    before = "-" if agent.tokens_before is None else f"{about}{agent.tokens_before:,}"
    after = "-" if agent.tokens_after is None else f"{about}{agent.tokens_after:,}"
    return f"{before} → {after}"


def delta(agent: AgentChange) -> str:
    """What its tokens gained or lost, or what else happened to it."""
    if agent.broken:
        return "broken"
    if agent.tokens_before is None or agent.tokens_after is None:
        return agent.change
    return f"{agent.tokens_after - agent.tokens_before:+,}" if agent.tokens_after != agent.tokens_before else "±0"


def _why(agent: AgentChange) -> str:
    return _names(agent.because, 3)


def _consequences(agent: AgentChange) -> list[str]:
    texts = []
    if agent.over_budget:
        texts.append(f"{agent.name} is over its budget of {agent.budget_tokens:,} tokens")
    if agent.cut and not agent.broken:
        texts.append(f"{agent.name}: the budget now cuts {_names(agent.cut, 3)}")
    return texts


def _example_line(example: ExampleChange) -> str:
    facts = f" (rests on {_names(example.facts, 3)})" if example.facts else ""
    return f"{example.id} {example.change}{facts}  {example.file}:{example.line}"


def _case_line(case: CaseChange) -> str:
    what = f" ({' and '.join(case.what)})" if case.what else ""
    facts = f" (rests on {_names(case.facts, 3)})" if case.facts else ""
    return f"{case.suite}/{case.id} {case.change}{what}{facts}  {case.file}:{case.line}"


def datasets_lines(diff: Diff, paint: Painter) -> list[str]:
    """The datasets and adapters that are stale, whether or not anything else differs."""
    lines = [paint("datasets", "bold"), *(f"  {_dataset_line(one)}" for one in diff.datasets)] if diff.datasets else []
    adapters = _adapter_lines(diff)
    return [*lines, *([paint("adapters", "bold"), *adapters] if adapters else [])]


def _adapter_lines(diff: Diff) -> list[str]:
    if not diff.adapters:
        return []
    from promptforge.workbench.staleadapters import stale_words  # it knows the history, which a build need not load

    return [f"  {one.folder}: {stale_words(one)}" for one in diff.adapters]


def _dataset_line(one: DatasetChange) -> str:
    said = []
    if one.facts:
        rows = f"{len(one.rows):,} of {plural(one.of, 'row')} rest" if one.rows else "rows rest"
        said.append(f"{rows} on {_names(one.facts, 3)}, which changed since")
    if one.prompts:
        rows = plural(sum(one.prompts.values()), "row")
        said.append(f"{rows} with an older prompt of {_names([*one.prompts], 3)}")
    text = f"{'; '.join(said)}: make it anew" if said else ""
    problem = f"what of it is stale cannot be told: {one.problem}: make it anew" if one.problem else ""
    return f"{one.folder}: {'; '.join(part for part in (text, problem) if part)}"


def diff_json(diff: Diff, sides: tuple[str, str]) -> dict[str, object]:
    """The diff for programs: `agents` holds only those whose bytes change."""
    return {
        "version": 1,
        "from": sides[0],
        "to": sides[1],
        "facts": [_fact_json(fact) for fact in diff.facts],
        "settings": list(diff.settings),
        "agents": {agent.name: _agent_json(agent) for agent in diff.agents},
        "examples": [
            {"id": e.id, "change": e.change, "file": e.file, "line": e.line, "facts": list(e.facts)}
            for e in diff.examples
        ],
        "cases": [
            {
                "suite": c.suite,
                "id": c.id,
                "change": c.change,
                "what": list(c.what),
                "file": c.file,
                "line": c.line,
                "facts": list(c.facts),
            }
            for c in diff.cases
        ],
        "datasets": [
            {
                "folder": d.folder,
                "rows": list(d.rows),
                "of": d.of,
                "facts": list(d.facts),
                "prompts": dict(d.prompts),
                "problem": d.problem,
            }
            for d in diff.datasets
        ],
        "adapters": [
            {
                "folder": a.folder,
                "facts": list(a.facts),
                "prompts": list(a.prompts),
                "weights": list(a.weights),
                "problem": a.problem,
            }
            for a in diff.adapters
        ],
        "breaks": [record(d) for d in diff.breaks],
    }


def _fact_json(fact: FactChange) -> dict[str, object]:
    found: dict[str, object] = {"table": fact.table, "key": fact.key, "change": fact.change}
    if fact.old_key:
        found["old_key"] = fact.old_key
    columns = {c: {"before": before, "after": after} for c, (before, after) in fact.columns.items()}
    return {**found, "columns": columns, "file": fact.file, "line": fact.line}


def _agent_json(agent: AgentChange) -> Mapping[str, object]:
    both = agent.tokens_before is not None and agent.tokens_after is not None
    delta = (agent.tokens_after or 0) - (agent.tokens_before or 0) if both else None
    return {
        "change": agent.change,
        "tokens": {"before": agent.tokens_before, "after": agent.tokens_after, "delta": delta},
        "budget": agent.budget_tokens,
        "over_budget": agent.over_budget,
        "broken": agent.broken,
        "because": list(agent.because),
        "cut": list(agent.cut),
        "restored": list(agent.restored),
    }


def diff_markdown(diff: Diff, sides: tuple[str, str]) -> str:
    """The diff for a pull request."""
    if diff.empty:
        same = f"**promptforge**: no fact and no prompt differs between `{sides[0]}` and `{sides[1]}`."
        return "\n".join([same, *_datasets_markdown(diff)])
    lines = [
        f"### promptforge: {_sum(diff)}",
        f"`{sides[0]}` → `{sides[1]}`",
    ]
    if diff.breaks:
        lines += ["", "**Breaks**", ""]
        for d, others in _alike(diff.breaks):
            hint = " ".join(text for text in (f"({_md(d.hint)})" if d.hint else "", others) if text)
            lines.append(f"- `{d.span}` **{d.code}** {_md(d.message)} {hint}".rstrip())
    if diff.facts:
        lines += ["", "| fact | change | columns | where |", "|---|---|---|---|"]
        for f in diff.facts:
            name = f"{f.table} {f.old_key} → {f.key}" if f.old_key else f"{f.table} {f.key}".strip()
            lines.append(
                f"| {_md(name)} | {f.change} | {_md(_columns(f))} | {f'`{f.file}:{f.line}`' if f.file else ''} |"
            )
    if diff.settings:
        lines += ["", "Settings: " + ", ".join(f"`{name}`" for name in diff.settings)]
    if diff.agents:
        lines += ["", "| agent | tokens | change | because of |", "|---|---|---|---|"]
        lines += [f"| {_md(a.name)} | {_tokens(a)} | {delta(a)} | {_md(_why(a))} |" for a in diff.agents]
        notes = [f"- {_md(text)}" for a in diff.agents for text in _consequences(a)]
        lines += ["", *notes] if notes else []
    examples = [e for e in diff.examples if e.id]
    if examples:
        lines += ["", "Examples:", "", *(f"- {_md(_example_line(e))}" for e in examples)]
    lines += _datasets_markdown(diff)
    if diff.cases:
        lines += ["", "Cases:", "", *(f"- {_md(_case_line(case))}" for case in diff.cases[:_MOST_CASES])]
        lines += [f"- … and {len(diff.cases) - _MOST_CASES:,} more"] if len(diff.cases) > _MOST_CASES else []
    return "\n".join(lines)


def _datasets_markdown(diff: Diff) -> list[str]:
    lines = ["", "Datasets:", "", *(f"- {_md(_dataset_line(one))}" for one in diff.datasets)] if diff.datasets else []
    adapters = [f"- {_md(line.strip())}" for line in _adapter_lines(diff)]
    return [*lines, *(["", "Adapters:", "", *adapters] if adapters else [])]


def _md(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
