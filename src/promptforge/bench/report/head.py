"""The first half of the page: the verdict, what was not answered, the overall difference, what changed."""

from promptforge.bench.arms import Account, account
from promptforge.bench.report.data import LABELS, Findings, could_show
from promptforge.bench.report.figures import count, interval, money, plural, score
from promptforge.bench.report.markup import Markup, tag
from promptforge.bench.report.parts import case_link, rest_button, section, table
from promptforge.bench.results import Comparison, Effect, Flip
from promptforge.bench.verdicts import p_words, signed

__all__ = ["changed", "notes", "overall", "unanswered", "verdict"]

_SHOWN = 40
"""So many entries of a list stand in the page; the table of all cases has the rest."""
_AT_ONCE = 10
"""So many of them are seen at once."""
_LONG = 90
"""A sentence of more characters is set smaller."""
_BADGES = {
    "better": "▲ better",
    "worse": "▼ worse",
    "not shown": "≈ not shown",
    "identical": "= identical",
    "withheld": "! withheld",
}


def verdict(found: Findings) -> Markup:
    """The first comparison's sentence, large, with its reasons and what to do next; the others' below it."""
    say = found.say
    if not found.comparisons:
        return _alone(found)
    first, *others = found.comparisons
    judged = first.verdict
    hero = (
        tag("p", tag("span", _badge(first), class_="badge"), " ", found.pair(first), class_="kicker"),
        tag("h1", say(judged.sentence), id="verdict-title", class_="long" if len(judged.sentence) > _LONG else None),
        tag("ul", (tag("li", say(reason)) for reason in judged.reasons), class_="reasons") if judged.reasons else None,
        tag("p", tag("strong", "Next: "), say(judged.next_step), class_="next") if judged.next_step else None,
    )
    rest = tag("ul", (_also(found, comparison) for comparison in others), class_="also", aria_label="Also compared")
    tone = f"verdict {judged.word.replace(' ', '-')}"
    return tag("section", hero, rest if others else None, id="verdict", class_=tone, aria_labelledby="verdict-title")


def _badge(comparison: Comparison) -> str:
    word = comparison.verdict.word
    return "no model" if word == "not shown" and comparison.reader else _BADGES[word]


def _also(found: Findings, comparison: Comparison) -> Markup:
    badge = tag("span", _badge(comparison), class_=f"badge {comparison.verdict.word.replace(' ', '-')}")
    return tag("li", badge, " ", tag("b", found.pair(comparison)), " ", found.say(comparison.verdict.sentence))


def _alone(found: Findings) -> Markup:
    arms = found.run.arms
    title = f"{arms[0]}: nothing to compare it with" if len(arms) == 1 else "No two arms of this run were compared"
    lines = [
        f"{found.name(arm)}: {score(known.overall.value)} {interval(known.overall.low, known.overall.high)}"
        for arm, known in found.scores.items()
        if known.overall is not None
    ]
    return tag(
        "section",
        tag("p", tag("span", "no comparison", class_="badge"), class_="kicker"),
        tag("h1", found.say(title), id="verdict-title"),
        tag("ul", (tag("li", found.say(line)) for line in lines), class_="reasons") if lines else None,
        tag("p", tag("strong", "Next: "), "add a second variant: --variant base", class_="next"),
        id="verdict",
        class_="verdict not-shown",
        aria_labelledby="verdict-title",
    )


def notes(found: Findings) -> Markup | None:
    """What has to be known before any score is read."""
    run = found.run
    said = [f"Cut short: {run.stopped}"] if run.stopped else []
    if not run.finished and not run.stopped:
        said.append("The run is not finished.")
    said += run.notes
    if not said:
        return None
    return tag("aside", tag("ul", (tag("li", found.say(text)) for text in said)), class_="notes", aria_label="Warnings")


def unanswered(found: Findings) -> Markup:
    """The requests without an answer: above every score, because a missing score is never a zero."""
    missing = found.unanswered
    whole = account(found.run)
    tail = _shared(whole)
    if whole.barred:
        tail += f" Clearance bars {plural(whole.barred, 'request')} more, which no side is scored on."
    if not missing:
        all_of = "the only request was" if whole.requests == 1 else f"all {whole.requests:,} requests were"
        text = f"Nothing is missing: {all_of} answered.{tail}"
        return tag("p", tag("span", "✓ ", aria_hidden="true"), text, id="unanswered", class_="complete")
    rows = [
        tag(
            "tr",
            tag("th", case_link(found, reply.case), scope="row"),
            tag("td", f"{reply.state.replace('_', ' ')}: {found.say(reply.message or reply.fault)}"),
            tag("td", reply.agent),
            tag("td", found.name(reply.arm)),
        )
        for reply in missing[:_SHOWN]
    ]
    body = table("Unanswered requests", ("Case", "What happened", "Agent", "Arm"), rows)
    once = len({reply.identity for reply in missing})
    not_sent = f" ({count(whole.not_sent)} of them were not sent)" if whole.not_sent else ""
    lead = (
        f"{plural(once, 'request')} of {count(whole.requests)} got no answer{not_sent}. None of them is scored as "
        f"zero; the overall score waits for those that count.{tail}"
    )
    more = rest_button(len(missing) - _SHOWN, state="unanswered")
    title = f"{plural(once, 'request')} not answered"
    return section("unanswered", title, body, more, lead=lead, tone="alarm")


def _shared(whole: Account) -> str:
    """Why there are more answers than requests."""
    if not whole.shared:
        return ""
    return f" They stand for {whole.replies:,} answers: what several arms send alike is sent once."


def overall(found: Findings) -> Markup | None:
    """The headline figures of the first comparison."""
    if not found.comparisons or found.comparisons[0].overall is None:
        return None
    effect = found.comparisons[0].overall
    first = found.comparisons[0]
    can, _, why = could_show(effect).partition("; ")
    between = f"95 % interval {interval(effect.low, effect.high, differences=True)}"
    whole = account(found.run)
    figures = (
        ("Before", score(effect.before), found.name(first.before)),
        ("After", score(effect.after), found.name(first.after)),
        ("Difference", signed(effect.estimate), between if effect.differing else "nothing differs"),
        ("Sign-flip test", p_words(effect.p), _test(effect)),
        ("Could show from", can, why or "80 % power, at this discordance"),
        ("Spent", money(whole.spent_usd), _by_whom(whole)),
    )
    entries = (
        tag("div", tag("dt", name), tag("dd", tag("b", value), tag("span", about))) for name, value, about in figures
    )
    return tag("dl", entries, id="overall", class_="figures", aria_label="Overall")


def _by_whom(whole: Account) -> str:
    if whole.spent_usd is None:
        return "no price is known"
    return "by this run, at least" if whole.unpriced else "by this run"


def _test(effect: Effect) -> str:
    how = "every sign pattern" if effect.exact else "seeded draws"
    return f"{plural(effect.cases, 'case')}, {effect.differing} of {plural(effect.clusters, 'cluster')} differ; {how}"


def changed(found: Findings) -> Markup | None:
    """The cases whose score rose and those whose score fell, side by side, for each comparison."""
    parts = []
    for number, comparison in enumerate(found.comparisons):
        fixed, broke = (_flips(found, comparison, number, fixed=up) for up in (True, False))
        parts.append(_named(found, comparison, number, tag("div", fixed, broke, class_="two")))
    return section("changed", "Fixed and broken", *parts) if parts else None


def _named(found: Findings, comparison: Comparison, number: int, body: Markup) -> Markup:
    """The first comparison as it is, the others folded."""
    return body if number == 0 else tag("details", tag("summary", found.pair(comparison)), body)


def _flips(found: Findings, comparison: Comparison, number: int, *, fixed: bool) -> Markup:
    flips = comparison.fixed if fixed else comparison.broke
    name, sign, change = ("Fixed", "▲", "fixed") if fixed else ("Broke", "▼", "broke")
    title = tag("h3", tag("span", f"{sign} ", aria_hidden="true"), f"{name} ", tag("small", count(len(flips))))
    none = tag("p", f"No case {'rose' if fixed else 'fell'}.", class_="none")
    seen, folded = (
        tag("ol", (_flip(found, flip, fixed) for flip in part), class_="flips") if part else None
        for part in (flips[:_AT_ONCE], flips[_AT_ONCE:_SHOWN])
    )
    rest = tag("details", tag("summary", f"{len(flips[_AT_ONCE:_SHOWN])} more"), folded) if folded else None
    more = rest_button(len(flips) - _SHOWN, change=change, comparison=str(number))
    return tag("div", title, seen or none, rest, more, class_="better" if fixed else "worse")


def _flip(found: Findings, flip: Flip, fixed: bool) -> Markup:
    case = found.cases.get(flip.case)
    why = LABELS.get(flip.label, flip.label)
    where = f"{case.file}:{case.line}" if case and case.file else ""
    was = f"was {why}" if fixed else f"now {why}"
    return tag(
        "li",
        tag(
            "span",
            case_link(found, flip.case),
            tag("small", found.say(case.question if case else ""), class_="snippet"),
        ),
        tag(
            "span",
            tag("b", f"{score(flip.before)} → {score(flip.after)}", class_="change"),
            tag("small", was if why else None),
            tag("small", found.say(where), class_="place") if where else None,
            class_="aside",
        ),
    )
