"""What `import` and `drift` found, as text, JSON, Markdown and GitHub's annotations."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from promptforge.console.accepting import acceptance, acceptances, how_to_ignore, unused_words
from promptforge.console.diagnostics import as_text, record
from promptforge.console.prompts import diff_json, diff_text
from promptforge.console.terminal import Painter, plural
from promptforge.model import written
from promptforge.source import Span
from promptforge.workbench.drift import Drift, Finding
from promptforge.workbench.holding import Difference, Held
from promptforge.workbench.takeover import Takeover

__all__ = ["drift_github", "drift_json", "drift_markdown", "drift_text", "import_json", "import_text"]

_MOST = 20
"""Things of one kind that are shown as text; the JSON has them all."""


# --- import -----------------------------------------------------------------------------------------------------------


def import_text(made: Takeover, paint: Painter, *, dry_run: bool) -> str:
    """What was taken, what was not and how to take it, and whom it touches."""
    lines: list[str] = []
    lines += _block(paint, "new", [_added(made, number, paint) for number in range(len(made.added))])
    lines += _block(paint, "taken", [_difference(one, paint, unset=True) for one in made.taken])
    lines += [f"  changed with them, for they name them: {_names(made.followed)}"] if made.followed else []
    renamed = [one for one in made.open if one.new_key]
    differing = [one for one in made.open if one.columns and not one.new_key]
    unset = [one for one in made.open if not one.differs]
    lines += _block(paint, "renamed, not taken", [_difference(one, paint, unset=True) for one in renamed])
    lines += _block(paint, "different, not taken", [_difference(one, paint, unset=True) for one in differing])
    lines += _block(paint, "unset here, known there, not taken", [_difference(one, paint, unset=True) for one in unset])
    if made.open:
        lines.append(f"  to take them: {_how(made.open)}")
    by_hand = [f"{paint('!', 'red')} {one.fact.id}: {why}" for one, why in made.by_hand]
    lines += _block(paint, "to be changed by hand", by_hand)
    doubts = [f"{paint('?', 'yellow')} {one.seen.table} {one.seen.key}: {one.doubt}" for one in made.doubtful]
    lines += _block(paint, "ambiguous, not taken", doubts)
    if names := [one.perhaps[0].key for one in made.doubtful if len(one.perhaps) == 1]:
        lines.append(f"  where it is the same: --accept {_quoted(names[0])}")
    waiting = [f"{paint('…', 'dim')} {one.seen.table} {one.seen.key}: {one.held}" for one in made.waiting]
    lines += _block(paint, "not added: they name what is in no table", waiting)
    lines += _rest(made.held, made.notes, paint)
    if made.problems:
        lines += _block(paint, "it would bring errors", [])
        source_line = made.after.build.source_line if made.after else (lambda file, line: None)
        lines.append(as_text(made.problems, source_line, paint))
    elif made.diff is not None:
        touched, _, said = diff_text(replace(made.diff, facts=()), paint).rpartition("\n")  # the facts stand above
        lines += [touched] if touched else []
        lines.append(said.partition(", ")[2])
    return "\n".join([*lines, _import_sum(made, dry_run=dry_run)])


def _block(paint: Painter, title: str, rows: Sequence[str], most: int = _MOST) -> list[str]:
    """A heading with its lines; nothing where there are none, unless the heading says it all."""
    if not rows:
        return [paint(title, "red", "bold")] if title.startswith("it would") else []
    more = [f"  … and {len(rows) - most:,} more; all of them: --format json"] if len(rows) > most else []
    return [paint(title, "bold"), *(f"  {row}" for row in rows[:most]), *more]


def _added(made: Takeover, number: int, paint: Painter) -> str:
    added = made.added[number]
    seen = added.match.seen
    values = {**seen.values, **seen.guesses}
    said = ", ".join(f"{column} {_value(value)}" for column, value in values.items() if value is not None)
    return f"{paint('+', 'green')} {seen.table} {seen.key}: {said}  {paint(f'{added.file} ({seen.place})', 'dim')}"


def _difference(one: Difference, paint: Painter, *, unset: bool = False) -> str:
    name = f"{one.fact.table} {one.fact.key}" + (f" → {one.new_key}" if one.new_key else "")
    pairs = [f"{column} {_value(mine)} → {_value(theirs)}" for column, (mine, theirs) in one.columns.items()]
    pairs += [f"{column} (unset) → {_value(theirs)}" for column, theirs in one.unset.items()] if unset else []
    told = f": {', '.join(pairs)}" if pairs else ""
    place = f"{one.fact.file}:{one.fact.line} ({one.seen.place}, by {one.by})"
    return f"{paint('~', 'yellow')} {name}{told}  {paint(place, 'dim')}"


def _value(value: object) -> str:
    text = written(value).replace("\n", "\\n")
    text = text if len(text) <= 60 else text[:57] + "…"
    return text if text else "(unset)"


def _how(differences: Sequence[Difference]) -> str:
    first = differences[0].fact
    return f"--accept {_quoted(first.key)}, --accept {first.table}, or --accept all"


def _quoted(name: str) -> str:
    return name if name.replace("_", "").replace(".", "").replace(":", "").replace("-", "").isalnum() else f'"{name}"'


def _rest(held: Held, notes: Iterable[str], paint: Painter) -> list[str]:
    """What was left out, what was cleaned, and what else a person should know."""
    lines = []
    if held.noise:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in held.noise.items())
        lines.append(f"left out as noise: {sum(held.noise.values()):,} ({reasons}); to take them, too: --all")
    cleaned = [f"{place}: {words}" for place, words in held.cleaned]
    lines += _block(paint, "texts that were cleaned", cleaned)
    return [*lines, *(f"{paint('note:', 'blue')} {note}" for note in notes)]


def _import_sum(made: Takeover, *, dry_run: bool) -> str:
    renamed = sum(1 for one in made.open if one.new_key)
    parts = [
        f"{len(made.added):,} added",
        f"{len(made.taken):,} taken" if made.taken else "",
        f"{renamed:,} renamed" if renamed else "",
        f"{sum(1 for one in made.open if one.differs) - renamed:,} differ",
        f"{sum(1 for one in made.open if not one.differs):,} could say more" if made.open else "",
        f"{len(made.doubtful):,} ambiguous" if made.doubtful else "",
        f"{made.held.same:,} as they were",
        f"{len(made.held.accepted):,} accepted" if made.held.accepted else "",
    ]
    said = ", ".join(part for part in parts if part)
    if made.problems:
        return f"{said}; nothing was written"
    files = ", ".join(made.files)
    if dry_run:
        return f"{said}; nothing was written" + (f", it would be: {files}" if files else "")
    return f"{said}; wrote {files}" if made.written else f"{said}; nothing to write"


def import_json(made: Takeover, *, dry_run: bool) -> dict[str, object]:
    """All of it for programs."""
    held = made.held
    return {
        "version": 1,
        "source": held.observation.source,
        "files": list(held.observation.files),
        "at": held.observation.at or None,
        "added": [
            {"table": a.match.seen.table, "key": a.match.seen.key, "file": a.file, "place": a.match.seen.place}
            for a in made.added
        ],
        "taken": [_difference_json(one) for one in made.taken],
        "differ": [_difference_json(one) for one in made.open],
        "by_hand": [{**_difference_json(one), "why": why} for one, why in made.by_hand],
        "ambiguous": [_doubt_json(one.seen.table, one.seen.key, one.doubt, one.seen.place) for one in made.doubtful],
        "not_added": [_doubt_json(one.seen.table, one.seen.key, one.held, one.seen.place) for one in made.waiting],
        "followed": list(made.followed),
        "same": held.same,
        "accepted": list(held.accepted),
        "noise": dict(held.noise),
        "cleaned": [{"place": place, "what": words} for place, words in held.cleaned],
        "notes": list(made.notes),
        "written": list(made.files) if made.written else [],
        "patch": made.patch() if dry_run else None,
        "diagnostics": [record(d) for d in made.problems],
        "diff": diff_json(made.diff, ("the files as they were", "with the import")) if made.diff else None,
    }


def _difference_json(one: Difference) -> dict[str, object]:
    return {
        "table": one.fact.table,
        "key": one.fact.key,
        "new_key": one.new_key or None,
        "by": one.by,
        "columns": _columns_json(one.columns),
        "unset": {column: _plain(value) for column, value in one.unset.items()},
        "file": one.fact.file,
        "line": one.fact.line,
        "place": one.seen.place,
    }


def _columns_json(columns: Mapping[str, tuple[object, object]]) -> dict[str, object]:
    return {c: {"before": _plain(mine), "after": _plain(theirs)} for c, (mine, theirs) in columns.items()}


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, (bool, int)) else written(value)


def _doubt_json(table: str, key: str, why: str, place: str) -> dict[str, object]:
    return {"table": table, "key": key, "why": why, "place": place}


# --- drift ------------------------------------------------------------------------------------------------------------

_TITLES = {
    "missing": "missing in the knowledge",
    "differs": "different",
    "renamed": "renamed",
    "moved": "moved, by the name of the service",
    "not seen": "not seen (weak evidence: it may be off or asleep)",
    "ambiguous": "ambiguous",
}
_SIGNS = {"missing": ("+", "green"), "not seen": ("-", "blue"), "ambiguous": ("?", "yellow")}
_LEVELS = {"missing": "warning", "not seen": "notice", "ambiguous": "notice"}


def drift_text(drift: Drift, paint: Painter) -> str:
    """What no longer holds, by kind, and who says something untrue."""
    lines: list[str] = []
    for kind, findings in _by_kind(drift):
        sign = paint(*_SIGNS.get(kind, ("~", "yellow")))
        lines += _block(paint, _TITLES[kind], [f"{sign} {_said(one)}  {paint(_where(one), 'dim')}" for one in findings])
    untrue = list(_untrue(drift))
    lines += _block(paint, "untrue today", [f"{paint('!', 'red')} {text}" for text in untrue])
    for held in drift.held:
        lines += _rest(held, (), paint)
    lines += [f"{paint('note:', 'blue')} {note}" for note in drift.notes]
    lines += [f"{paint('warning:', 'yellow')} {span}: {words}" for span, words in _warnings(drift)]
    lines += _block(paint, "where it is meant so, with your reason at the end of the line", acceptances(drift))
    ignoring = how_to_ignore(drift, _MOST)
    lines += _block(paint, "where nobody need know it", [ignoring] if ignoring else [])
    return "\n".join([*lines, _drift_sum(drift)])


def _warnings(drift: Drift) -> Iterator[tuple[Span, str]]:
    """What stands in the knowledge for `drift` and does nothing."""
    yield from ((span, unused_words(words)) for span, words in drift.unused)
    yield from ((one.span, f"{one.message}" + (f" ({one.hint})" if one.hint else "")) for one in drift.misunderstood)


def _by_kind(drift: Drift) -> Iterator[tuple[str, list[Finding]]]:
    for kind in _TITLES:
        if findings := [one for one in drift.findings if one.kind == kind]:
            yield kind, findings


def _said(one: Finding) -> str:
    told = _told(one)
    return f"{_name(one)}: {told}" if told else _name(one)


def _name(one: Finding) -> str:
    return f"{one.table} {one.key}" + (f" → {one.new_key}" if one.new_key else "")


def _told(one: Finding) -> str:
    if one.kind == "missing":
        parts = [f"{column} {_value(theirs)}" for column, (_, theirs) in one.columns.items() if theirs is not None]
    else:
        parts = [f"{column} {_value(mine)} → {_value(theirs)}" for column, (mine, theirs) in one.columns.items()]
    parts += [one.why] if one.why else []
    parts += [f"concerns {_names(one.concerns)}"] if one.concerns else []
    return ", ".join(parts)


def _names(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _where(one: Finding) -> str:
    stands = f"{one.fact.file}:{one.fact.line}, " if one.fact is not None else ""
    return f"{stands}{' and '.join(one.sources)}" + (f" {one.place}" if one.place else "")


def _untrue(drift: Drift) -> Iterator[str]:
    """Who would say something else if the knowledge said what the sources show."""
    if drift.diff is None:
        return
    for agent in drift.diff.agents:
        yield f"agent {agent.name} ({_names(agent.because)})"
    for example in drift.diff.examples:
        if example.id:
            yield f"example {example.id} ({_names(example.facts)})  {example.file}:{example.line}"
    for case in [one for one in drift.diff.cases if one.facts and one.change != "added"]:
        yield f"case {case.suite}/{case.id} ({_names(case.facts)})  {case.file}:{case.line}"
    for problem in drift.diff.breaks:
        yield f"{problem.span}: {problem.code}: {problem.message}"


def _drift_sum(drift: Drift) -> str:
    same = sum(held.same for held in drift.held)
    accepted = len({id_ for held in drift.held for id_ in held.accepted})
    if drift.clean:
        more = f", {plural(accepted, 'difference')} accepted" if accepted else ""
        return f"no drift: {plural(same, 'fact')} as the sources show them{more}"
    counts = ", ".join(f"{len(findings):,} {kind}" for kind, findings in _by_kind(drift))
    agents = len(drift.diff.agents) if drift.diff else 0
    more = f"; {accepted:,} accepted" if accepted else ""
    return f"drift: {counts}; {plural(agents, 'agent')} would say something else{more}"


def drift_json(drift: Drift) -> dict[str, object]:
    """All of it for programs."""
    return {
        "version": 1,
        "clean": drift.clean,
        "sources": [
            {
                "source": held.observation.source,
                "files": list(held.observation.files),
                "at": held.observation.at or None,
                "same": held.same,
                "accepted": list(held.accepted),
                "noise": dict(held.noise),
                "cleaned": [{"place": place, "what": words} for place, words in held.cleaned],
            }
            for held in drift.held
        ],
        "findings": [
            {
                "kind": one.kind,
                "table": one.table,
                "key": one.key,
                "new_key": one.new_key or None,
                "columns": _columns_json(one.columns),
                "why": one.why,
                "sources": list(one.sources),
                "place": one.place,
                "file": one.fact.file if one.fact else None,
                "line": one.fact.line if one.fact else None,
                "concerns": list(one.concerns),
                "accept": acceptance(one) or None,
            }
            for one in drift.findings
        ],
        "untrue": diff_json(drift.diff, ("the knowledge", "what the sources show")) if drift.diff else None,
        "notes": list(drift.notes),
        "unused": [{"file": span.file, "line": span.line, "what": words} for span, words in drift.unused],
        "misunderstood": [record(one) for one in drift.misunderstood],
    }


def drift_markdown(drift: Drift) -> str:
    """For an issue that a weekly job writes."""
    lines = [f"### promptforge: {_md(_drift_sum(drift))}"]
    for kind, findings in _by_kind(drift):
        lines += [
            "",
            f"**{_TITLES[kind][:1].upper()}{_TITLES[kind][1:]}**",
            "",
            "| fact | what | source |",
            "|---|---|---|",
        ]
        for one in findings:
            lines.append(f"| {_md(_name(one))} | {_md(_told(one))} | {_md(_where(one))} |")
    if untrue := list(_untrue(drift)):
        lines += ["", "**Untrue today**", "", *(f"- {_md(text)}" for text in untrue)]
    said = [*drift.notes, *(f"{span}: {words}" for span, words in _warnings(drift))]
    lines += ["", *(f"- {_md(note)}" for note in said)] if said else []
    return "\n".join(lines)


def _md(text: str) -> str:
    """A text that may have been written by anybody, in a cell of GitHub's Markdown."""
    for sign in "\\`*_[]<>|@#!":
        text = text.replace(
            sign, f"\\{sign}" if sign not in "<>@" else {"<": "&lt;", ">": "&gt;", "@": "@\u200b"}[sign]
        )
    return " ".join(text.split())


def drift_github(drift: Drift, within: str = "") -> str:
    """Workflow commands, shown at the line; `within` leads from the repository to the project: "house/"."""
    lines = []
    for kind, findings in _by_kind(drift):
        for one in findings:
            stands = f" file={_property(within + one.fact.file)},line={one.fact.line}," if one.fact is not None else " "
            level = _LEVELS.get(kind, "error")
            text = f"{_said(one)} ({_where(one)})"
            lines.append(f"::{level}{stands}title={_property(f'drift: {kind}')}::{_data(text)}")
    for span, words in _warnings(drift):
        place = f"file={_property(within + span.file)},line={span.line},"
        lines.append(f"::warning {place}title=drift%3A acceptance of nothing::{_data(words)}")
    lines += [f"::error title={_property('drift: untrue today')}::{_data(text)}" for text in _untrue(drift)]
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
