"""A run and its comparisons for programs: JSON, markdown for a pull request, JUnit XML for a CI server.

Private values are hidden in all of them unless they are asked for.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any
from xml.etree import ElementTree

from promptforge.bench.arms import account, by_reason
from promptforge.bench.report.data import LABELS, Findings, findings, reading
from promptforge.bench.report.figures import interval, money, p_value, plural, score, seconds
from promptforge.bench.report.tables import models_shown
from promptforge.bench.results import Arm, ArmScores, CaseRecord, Comparison, Effect, Flip, Reply, Run
from promptforge.bench.verdicts import signed

__all__ = ["export", "to_json", "to_junit", "to_markdown"]

_VERSION = 1
_COMMENT_LIMIT = 60_000
"""Characters of a comment: GitHub refuses more than 65,536."""
_LIST_LIMIT = 30
_NAMED = 3
_NAMES = frozenset(["agent", "agents", "arm", "category", "fault", "identity", "label", "state", "tier", "variant"])
"""Keys whose values are words of the program or names that the user gave to no fact."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~@!&])")


def export(
    run: Run,
    comparisons: Sequence[Comparison],
    scores: Iterable[ArmScores],
    form: str,
    *,
    include_private: bool = False,
) -> str:
    """As `json`, `markdown` or `junit`."""
    if form == "json":
        return to_json(run, comparisons, scores, include_private=include_private)
    if form == "markdown":
        return to_markdown(run, comparisons, scores, include_private=include_private)
    if form == "junit":
        return to_junit(run, include_private=include_private)
    raise ValueError(f"json, markdown or junit, not {form}")


# --- JSON -------------------------------------------------------------------------------------------------------------


def to_json(
    run: Run,
    comparisons: Sequence[Comparison] = (),
    scores: Iterable[ArmScores] = (),
    *,
    include_private: bool = False,
    replies: bool = True,
) -> str:
    """Everything that a program needs; `replies=False` leaves the answers out."""
    found = findings(run, comparisons, scores, include_private=include_private)
    data = {
        "version": _VERSION,
        "run": {
            **{name: getattr(run, name) for name in ("id", "suite", "suite_digest", "started", "finished", "command")},
            "repeats": run.repeats,
            "stopped": run.stopped,
            "notes": run.notes,
            "environment": run.environment,
            "models": models_shown(run.models),
            "private": "included" if include_private else "hidden",
        },
        "arms": [_arm(found, arm) for arm in run.arms],
        "comparisons": [_plain(comparison) for comparison in comparisons],
        "sections": [{**_plain(one), "says": one.words} for one in found.worths],
        "labels": {label: {str(arm): n for arm, n in counts.items()} for label, counts in found.labels.items()},
        "cases": [_case(found, case) for case in run.cases],
    }
    text = json.dumps(_said(data, found), ensure_ascii=False, indent=1, allow_nan=False)
    if not replies:
        return f"{text}\n"
    rows = (json.dumps(_reply(found, reply), ensure_ascii=False, allow_nan=False) for reply in run.replies)
    return "".join((text.removesuffix("\n}"), ',\n "replies": [\n', ",\n".join(rows), "\n ]\n}\n"))


def _arm(found: Findings, arm: Arm) -> dict[str, Any]:
    known = found.scores.get(arm)
    return {
        "name": str(arm),
        **_plain(arm),
        "score": None if known is None else {k: v for k, v in _plain(known).items() if k not in ("arm", "cases")},
        "spent": _plain(found.spent[arm]),
    }


def _case(found: Findings, case: CaseRecord) -> dict[str, Any]:
    known = {name: value for name, value in _plain(case).items() if name != "private"}
    means = {str(arm): found.means.get((case.id, arm)) for arm in found.run.arms}
    return {**known, "counts": case.counts, "scores": means}


def _reply(found: Findings, reply: Reply) -> Any:
    """On one line, and made one at a time: there may be many."""
    return _said({**_plain(reply), "arm": str(reply.arm)}, found)


def _plain(value: Any) -> Any:
    """A value as JSON has it; what is not finite is null."""
    if isinstance(value, str) or value is None:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (int, float)) else str(value)


def _said(value: Any, found: Findings) -> Any:
    """The value with its texts as they may be said; keys and names are left alone."""
    if isinstance(value, str):
        return found.say(value.encode("utf-8", "replace").decode("utf-8"))
    if isinstance(value, Mapping):
        return {key: _plain(entry) if key in _NAMES else _said(entry, found) for key, entry in value.items()}
    return [_said(entry, found) for entry in value] if isinstance(value, (list, tuple)) else _plain(value)


# --- markdown ---------------------------------------------------------------------------------------------------------


def to_markdown(
    run: Run,
    comparisons: Sequence[Comparison] = (),
    scores: Iterable[ArmScores] = (),
    *,
    include_private: bool = False,
) -> str:
    """A comment for a pull request, short enough for GitHub."""
    found = findings(run, comparisons, scores, include_private=include_private)
    word: str = comparisons[0].verdict.word if comparisons else "no comparison"
    if comparisons and word == "not shown" and comparisons[0].reader:
        word = "no model"
    head = f"## {_escaped(run.suite)}: {word}"
    parts = [head, *(_notes(found)), *_missing(found)]
    for comparison in comparisons:
        parts += _compared(found, comparison, named=len(comparisons) > 1)
    if not comparisons:
        parts += _single(found)
    parts.append(_sections(found))
    parts += [_bill(found), f"<sub>run {_code(found.say(run.id))} · {_code(found.say(run.command))}</sub>"]
    return _fitted([part for part in parts if part])


def _notes(found: Findings) -> list[str]:
    said = ([f"Cut short: {found.run.stopped}"] if found.run.stopped else []) + list(found.run.notes)
    return [f"> {_escaped(found.say(text))}" for text in said]


def _missing(found: Findings) -> list[str]:
    if not found.unanswered:
        return []
    once = {reply.identity: reply for reply in found.unanswered}
    lines = []
    for why, requests, not_sent in by_reason((id_, r.message or r.fault or r.state) for id_, r in once.items()):
        lines.append(f"- {len(requests):,} × {_escaped(found.say(why))}: {_few(found, once, requests)}")
        if not_sent:
            lines.append(f"- {len(not_sent):,} × not sent because of that: {_few(found, once, not_sent)}")
    title = f"### ⛔ {plural(len(once), 'request')} not answered"
    return [f"{title}\n\nNone of them is scored as zero.\n\n{_listed(lines)}"]


def _few(found: Findings, replies: Mapping[str, Reply], identities: Sequence[str]) -> str:
    """The first of the requests, by case, agent and arm."""
    names = []
    for reply in (replies[identity] for identity in identities[:_NAMED]):
        number = f" #{reply.repeat + 1}" if found.run.repeats > 1 else ""
        place = f"{_escaped(reply.agent)} × {_escaped(found.name(reply.arm))}{number}"
        names.append(f"{_code(found.say(reply.case))} × {place}")
    more = f" and {len(identities) - _NAMED:,} more" if len(identities) > _NAMED else ""
    return ", ".join(names) + more


def _compared(found: Findings, comparison: Comparison, *, named: bool) -> list[str]:
    verdict = comparison.verdict
    reasons = "".join(f"\n- {_escaped(found.say(reason))}" for reason in verdict.reasons)
    following = f"\n\n**Next:** {_escaped(found.say(verdict.next_step))}" if verdict.next_step else ""
    title = f"### {_escaped(found.pair(comparison))}\n\n" if named else ""
    parts = [f"{title}**{_escaped(found.say(verdict.sentence))}**\n{reasons}{following}"]
    for sign, name, flips in (("▼", "Broke", comparison.broke), ("▲", "Fixed", comparison.fixed)):
        if flips:
            lines = [_flip(found, flip, fell=name == "Broke") for flip in flips]
            parts.append(f"#### {sign} {name}: {len(flips):,}\n\n{_listed(lines)}")
    return [*parts, _table(comparison, reader=comparison.reader)]


def _flip(found: Findings, flip: Flip, *, fell: bool) -> str:
    case = found.cases.get(flip.case)
    where = f" {_code(found.say(f'{case.file}:{case.line}'))}" if case and case.file else ""
    label = f", {'now' if fell else 'was'} {LABELS.get(flip.label, flip.label)}" if flip.label else ""
    held_by = case.held if case else ()
    lines = dict.fromkeys(found.say(f"{held.file}:{held.file_line}") for held in held_by if held.file)
    rests = f" ← {', '.join(map(_code, list(lines)[:3]))}" if lines and fell else ""
    return f"- {_code(found.say(flip.case))}{where}: {score(flip.before)} → {score(flip.after)}{label}{rests}"


def _table(comparison: Comparison, *, reader: bool) -> str:
    rows = [("**OVERALL**", comparison.overall)] if comparison.overall else []
    rows += [(_escaped(name.replace("_", " ")), effect) for name, effect in comparison.categories.items()]
    if comparison.generated is not None:
        rows.append(("generated, apart", comparison.generated))
    if not rows:
        return ""
    lines = [_row(name, effect, reader) for name, effect in rows]
    head = "| | n | before | after | difference | 95 % interval | p | adjusted p | reading |"
    head += "\n|---|--:|--:|--:|--:|--:|--:|--:|---|"
    return f"<details><summary>Categories</summary>\n\n{head}\n{chr(10).join(lines)}\n\n</details>"


def _row(name: str, effect: Effect, reader: bool) -> str:
    cells = (
        name,
        str(effect.cases),
        score(effect.before),
        score(effect.after),
        signed(effect.estimate),
        interval(effect.low, effect.high, differences=True) if effect.differing else "",
        p_value(effect.p) if effect.p_adjusted is None else "",
        "" if effect.p_adjusted is None else p_value(effect.p_adjusted),
        reading(effect, reader=reader),
    )
    return f"| {' | '.join(cells)} |"


def _sections(found: Findings) -> str:
    """What each section costs and buys, where the run left some out."""
    if not found.worths:
        return ""
    head = "| section | model | tokens | score with it | 95 % interval | |\n|---|---|--:|--:|--:|---|"
    rows = []
    for one in found.worths:
        effect = one.effect
        spread = interval(effect.low, effect.high, differences=True) if effect is not None and effect.differing else ""
        difference = signed(effect.estimate) if effect is not None else ""
        cells = (_escaped(one.section), _escaped(one.model), f"{one.tokens:,.0f}", difference, spread, one.words)
        rows.append(f"| {' | '.join(cells)} |")
    return f"<details><summary>What each section is worth</summary>\n\n{head}\n{chr(10).join(rows)}\n\n</details>"


def _single(found: Findings) -> list[str]:
    lines = [
        f"- {_escaped(found.name(arm))}: {score(level.value)} {interval(level.low, level.high)}, n = {level.cases:,}"
        for arm, level in ((arm, known.overall) for arm, known in found.scores.items())
        if level is not None
    ]
    return ["\n".join(lines)]


def _bill(found: Findings) -> str:
    """What was asked, what was taken over, and what it cost."""
    all_in_all = account(found.run)
    parts = [f"Asked {plural(all_in_all.asked, 'request')}"]
    if all_in_all.answered != all_in_all.asked:
        parts.append(f"answered {all_in_all.answered:,}")
    parts.append(f"took over {all_in_all.inherited:,}")
    if all_in_all.shared:
        parts.append(f"{all_in_all.shared:,} more answered by the same requests")
    times = " → ".join(f"{found.name(arm)} {seconds(s.latency_s[0])}" for arm, s in found.spent.items())
    spent = all_in_all.spent_usd
    least = "at least " if spent is not None and all_in_all.unpriced else ""
    price = "no price known" if spent is None else f"{least}{money(spent)}"
    return f"{', '.join(parts)}; {price}; median latency {_escaped(times)}."


def _listed(lines: Sequence[str]) -> str:
    shown, folded = "\n".join(lines[:10]), lines[10:_LIST_LIMIT]
    more = f"\n- … and {len(lines) - _LIST_LIMIT:,} more in the report" if len(lines) > _LIST_LIMIT else ""
    if not folded:
        return shown
    rest = "\n".join(folded)
    return f"{shown}\n\n<details><summary>{len(lines) - 10:,} more</summary>\n\n{rest}{more}\n\n</details>"


def _fitted(parts: Sequence[str]) -> str:
    """Whole parts, the first ones, as many as fit."""
    kept: list[str] = []
    room = _COMMENT_LIMIT
    for part in parts:
        room -= len(part) + 2
        if room < 0:
            kept.append("… cut here: the whole is in the report.")
            break
        kept.append(part)
    return "\n\n".join(kept) + "\n"


def _escaped(text: str) -> str:
    """One line in which markdown and HTML mean nothing, and nobody is mentioned."""
    short = " ".join(text.split())
    return _MARKS.sub(r"\\\1", short if len(short) <= 500 else short[:500] + " …").replace("\\@", "@\u200b")


def _code(text: str) -> str:
    short = " ".join(text.split())[:500].replace("`", "ˋ")
    return f"`{short}`" if short else ""


# --- JUnit ------------------------------------------------------------------------------------------------------------


def to_junit(run: Run, *, include_private: bool = False) -> str:
    """One test suite an arm, one test case a reply: unanswered is an error, less than the full score a failure."""
    found = findings(run, include_private=include_private)
    root = ElementTree.Element("testsuites", name=_xml(found, run.suite))
    grouped: dict[Arm, list[Reply]] = {arm: [] for arm in run.arms}
    for reply in run.replies:
        grouped[reply.arm].append(reply)
    for arm, replies in grouped.items():
        _suite(found, root, arm, replies)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(found: Findings, root: ElementTree.Element, arm: Arm, replies: Sequence[Reply]) -> None:
    spent = found.spent[arm]
    fell = sum(reply.score is not None and reply.score.value < 1 for reply in replies)
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_xml(found, f"{found.run.suite} · {arm}"),
        tests=str(len(replies)),
        failures=str(fell),
        errors=str(spent.states.get("failed", 0) + spent.states.get("timed_out", 0)),
        skipped=str(spent.states.get("not_applicable", 0)),
        time=f"{sum(reply.answer.latency_s for reply in replies if reply.answer):.3f}",
        timestamp=found.run.started.removesuffix("Z"),
    )
    known = {
        "run": found.run.id,
        "cost_usd": spent.cost_usd,
        "spent_usd": spent.spent_usd,
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "cached_tokens": spent.cached_tokens,
        "inherited": spent.inherited,
        "median_latency_s": spent.latency_s[0],
    }
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in known.items():
        if value is not None:
            ElementTree.SubElement(
                properties, "property", name=name, value=_xml(found, value) if isinstance(value, str) else str(value)
            )
    for reply in replies:
        _test(found, suite, reply)


def _test(found: Findings, suite: ElementTree.Element, reply: Reply) -> None:
    case = found.cases[reply.case]
    repeat = f" #{reply.repeat + 1}" if found.run.repeats > 1 else ""
    kind = "" if case.counts else ".generated" if case.generated else ".given-away"
    test = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_NOT_XML.sub("\ufffd", f"{found.run.suite}.{case.category}{kind}"),
        name=_xml(found, f"{case.id} [{reply.agent}]{repeat}"),
        time=f"{reply.answer.latency_s if reply.answer else 0:.3f}",
    )
    if case.file:
        test.set("file", _xml(found, case.file))
        test.set("line", str(case.line))
    if reply.state in ("failed", "timed_out"):
        why = reply.message or reply.fault or reply.state
        ElementTree.SubElement(test, "error", type=_xml(found, reply.fault or reply.state), message=_xml(found, why))
    elif reply.state == "not_applicable":
        ElementTree.SubElement(test, "skipped", message=_xml(found, reply.message or "not applicable"))
    elif reply.score is not None and reply.score.value < 1:
        label = LABELS.get(reply.score.label, "wrong")
        message = f"{label}: {score(reply.score.value)}"
        failure = ElementTree.SubElement(test, "failure", type=reply.score.label or "wrong", message=message)
        failure.text = _xml(found, _told(case, reply))


def _told(case: CaseRecord, reply: Reply) -> str:
    answer = reply.answer.text if reply.answer else ""
    expected = "; ".join(case.expected)
    return f"asked: {case.question[:2000]}\nexpected: {expected}\nanswered: {answer[:4000]}"


def _xml(found: Findings, text: str) -> str:
    """The text without what XML cannot hold."""
    return _NOT_XML.sub("\ufffd", found.say(text))
