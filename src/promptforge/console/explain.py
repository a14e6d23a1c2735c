"""A prompt with a margin of sources, one line of it, and both as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from promptforge.bench.results import OWN
from promptforge.bench.verdicts import signed, spread
from promptforge.bench.worth import Worth
from promptforge.console.terminal import Painter, columns, plural
from promptforge.workbench.explain import ExplainedLine, Explanation
from promptforge.workbench.stale import Trained
from promptforge.workbench.variants import section_name

__all__ = ["explain_json", "explain_line", "explain_text"]


def explain_text(
    explanation: Explanation,
    paint: Painter,
    *,
    measured: Mapping[str, Worth] | None = None,
    trained: Sequence[Trained] = (),
) -> str:
    """The whole: what it costs, every line with its source, what was left out, the training rows that hold it."""
    return "\n\n".join(
        part
        for part in (
            _head(explanation, paint),
            _sections(explanation, paint, measured or {}),
            _prompt(explanation, paint),
            _left_out(explanation, paint),
            _trained(trained, paint),
        )
        if part
    )


def _head(explanation: Explanation, paint: Painter) -> str:
    entry = explanation.entry
    tokens = f"{entry.enriched.tokens:,}" if entry.exact else f"~{entry.enriched.tokens:,}"
    model = f"model {entry.model} ({entry.tier})" if entry.model else "no model"
    return (
        f"{paint(entry.name, 'bold')}: {model}, sees up to {entry.clearance} facts; "
        f"{tokens} of {entry.budget_tokens:,} tokens ({entry.tokenizer})"
    )


def _sections(explanation: Explanation, paint: Painter, measured: Mapping[str, Worth]) -> str:
    rows: list[tuple[str, ...]] = [("section", "tokens", "items", "priority", "from")]
    names = [section_name(record) for record in explanation.entry.sections]
    for section in explanation.sections:
        priority = "required" if section.required else str(section.priority)
        rows.append(
            (section.label, f"{section.tokens:,}", f"{section.items:,}", priority, f"{section.file}:{section.line}")
        )
    if any(name in measured for name in names):
        worth = ["", *(_worth(measured.get(name)) for name in names)]
        rows = [(*row[:-1], one, row[-1]) for row, one in zip(rows, ["measured", *worth[1:]], strict=True)]
    head, *body = columns(rows, right=(1, 2, 3)).split("\n")
    shown = [one for name, one in measured.items() if name in names]
    note = [_measured(shown, explanation.entry.model)] if shown else []
    return "\n".join([paint(head, "bold"), *body, *note])


def _measured(shown: Sequence[Worth], own: str | None) -> str:
    """In which run, and on which model: another one's figures need not be this agent's."""
    runs, models = sorted({one.run for one in shown}), sorted({one.model for one in shown})
    on = "with each agent on its own model" if models == [OWN] else f"on {', '.join(models)}"
    said = f"measured in the run {', '.join(runs)}, {on}, for all agents together"
    if own and own not in models and OWN not in models:
        said += f"; this agent is asked on {own}, which was not measured: promptforge bench --ablate"
    return said


def _worth(one: Worth | None) -> str:
    if one is None:
        return ""
    effect = one.effect
    if effect is None or not effect.differing:
        return one.words
    return f"{signed(effect.estimate)} ({spread(effect.low, effect.high)})"


def _prompt(explanation: Explanation, paint: Painter) -> str:
    margins = [_margin(line) for line in explanation.lines]
    width = max(map(len, margins), default=0)
    digits = max(4, len(str(max((line.number for line in explanation.lines), default=1))))
    lines = [paint(f"{'line'.rjust(digits)} {'from'.ljust(width)} tokens │ text", "bold")]
    message = 0
    for line, margin in zip(explanation.lines, margins, strict=True):
        if line.message != message:
            message = line.message
            role = explanation.entry.enriched.messages[message - 1][0]
            lines.append(paint(f"--- message {message}: {role}", "bold"))
        number = paint(str(line.number).rjust(digits), "dim")
        cost = paint(f"{line.tokens:6}" if margin else " " * 6, "dim")
        lines.append(f"{number} {paint(margin.ljust(width), 'cyan')} {cost} {paint('│', 'dim')} {line.text}".rstrip())
    return "\n".join(lines)


def _margin(line: ExplainedLine) -> str:
    return "" if line.kind == "gap" else f"{line.file}:{line.line}"


def _left_out(explanation: Explanation, paint: Painter) -> str:
    if not explanation.left_out:
        return ""
    lines = [paint("left out", "bold")]
    filtered = Counter(item.section for item in explanation.left_out if item.why == "filtered")
    other: dict[str, list[str]] = {}
    for item in explanation.left_out:
        if item.why != "filtered":
            why = {"budget": "cut by the budget", "clearance": "above the clearance"}.get(item.why, item.why)
            other.setdefault(f"from '{item.label}': {why} ({item.note})", []).append(item.what)
    lines += [f"  {len(names):,} {why}: {', '.join(names)}" for why, names in other.items()]
    for section, count in filtered.items():
        label = explanation.sections[section].label
        names = [item.what for item in explanation.left_out if item.section == section and item.why == "filtered"]
        shown = ", ".join(names[:4]) + (", …" if count > 4 else "")
        lines.append(f"  {plural(count, 'fact')} from '{label}': filtered by its where ({shown})")
    return "\n".join(lines)


def _trained(trained: Sequence[Trained], paint: Painter) -> str:
    if not trained:
        return ""
    lines = [paint("trained", "bold")]
    for one in trained:
        state = "an older prompt of it: make it anew" if one.stale else "this prompt"
        told = f"{plural(one.rows, 'row')} with {state}"
        lines.append(f"  {one.folder}: {one.problem or told}")
    return "\n".join(lines)


def explain_line(
    explanation: Explanation, line: ExplainedLine, paint: Painter, *, trained: Sequence[Trained] = ()
) -> str:
    """One line: its text, the line of the file it comes from, the facts, the section, the training rows on them."""
    section = explanation.sections[line.section]
    place = f"{explanation.entry.name}:{line.number}"
    rows = [f"{paint(place, 'bold')}  {line.text}".rstrip()]
    if line.kind == "gap":
        return f"{rows[0]}\n  a blank line that sets apart what follows, in the section '{section.label}'"
    rows.append(f"  from     {paint(f'{line.file}:{line.line}', 'cyan')}  {line.source}".rstrip())
    if facts := _only_facts(line.facts):
        rows.append(f"  facts    {_some(facts)}")
    elif reads := _only_facts(line.reads):
        rows.append(f"  reads    the template, as a whole: {_some(reads)}")
    rule = "required" if section.required else f"priority {section.priority}"
    rows.append(f"  section  {section.label} ({section.kind}, {rule})  {section.file}:{section.line}")
    for one in trained:
        state = ", which changed since: make it anew" if one.stale else ""
        rows.append(f"  trained  {_resting(one)}{state}")
    about = "" if explanation.entry.exact else "about "
    rows.append(f"  costs    {about}{plural(line.tokens, 'token')}")
    return "\n".join(rows)


def _only_facts(names: Sequence[str]) -> list[str]:
    return [name for name in names if not name.startswith(("example:", "table:", "template:"))]


def _some(facts: Sequence[str]) -> str:
    return ", ".join(facts[:6]) + (f" and {len(facts) - 6:,} more" if len(facts) > 6 else "")


def _resting(one: Trained) -> str:
    return (
        f"{one.folder}: {one.problem}"
        if one.problem
        else f"{plural(one.rows, 'row')} of {one.folder} rest on these facts"
    )


def explain_json(
    explanation: Explanation,
    only: ExplainedLine | None = None,
    *,
    measured: Mapping[str, Worth] | None = None,
    trained: Sequence[Trained] = (),
) -> dict[str, object]:
    """The whole, or one line, for programs."""
    entry = explanation.entry
    lines = explanation.lines if only is None else (only,)
    found: dict[str, object] = {
        "version": 1,
        "agent": entry.name,
        "model": entry.model,
        "clearance": entry.clearance,
        "tokens": entry.enriched.tokens,
        "exact": entry.exact,
        "budget": entry.budget_tokens,
        "lines": [
            {
                "message": line.message,
                "line": line.number,
                "text": line.text,
                "kind": line.kind,
                "section": line.section,
                "source": {"file": line.file, "line": line.line, "text": line.source},
                "facts": list(line.facts),
                "reads": list(line.reads),
                "tokens": line.tokens,
            }
            for line in lines
        ],
        "trained": [asdict(one) for one in trained],
    }
    return found if only is not None else {**found, **_whole_json(explanation, measured or {})}


def _whole_json(explanation: Explanation, measured: Mapping[str, Worth]) -> dict[str, object]:
    """What is said of a prompt and not of one line."""
    return {
        "sections": [
            {
                "section": s.number,
                "label": s.label,
                "kind": s.kind,
                "file": s.file,
                "line": s.line,
                "priority": s.priority,
                "required": s.required,
                "items": s.items,
                "tokens": s.tokens,
            }
            for s in explanation.sections
        ],
        "measured": {name: {**asdict(one), "says": one.words} for name, one in measured.items()},
        "facts": dict(explanation.fact_tokens),
        "left_out": [
            {"section": item.section, "what": item.what, "why": item.why, "note": item.note}
            for item in explanation.left_out
        ],
    }
