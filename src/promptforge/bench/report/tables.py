"""The second half of the page: categories, failures by label, tokens and time, what stands apart, how to reproduce."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from promptforge.bench.arms import account
from promptforge.bench.cases import TIERS
from promptforge.bench.judging import by_order
from promptforge.bench.record import things_said
from promptforge.bench.report.data import LABELS, Findings, could_show, reading
from promptforge.bench.report.figures import count, interval, moment, money, p_value, plural, score, seconds
from promptforge.bench.report.markup import Markup, tag
from promptforge.bench.report.parts import case_link, section, table
from promptforge.bench.results import Comparison, Effect, Level
from promptforge.bench.verdicts import p_words, signed
from promptforge.bench.worth import Worth

__all__ = ["apart", "categories", "labels", "models_shown", "reproduce", "resources", "sections"]

_COLUMNS = ("", "#n", "#Before", "#After", "#Difference", "#95 % interval", "#p", "#Could show from", "Reading")
_SECRET = re.compile(r"(?:^|[_-])(?:api_?key|key|token|secret|password|authorization|headers)$", re.IGNORECASE)
_SHOWN = 12


def categories(found: Findings) -> Markup | None:
    """Paired differences with their intervals: a drawing, and the same as a table."""
    parts = []
    for number, comparison in enumerate(found.comparisons):
        figure = tag("figure", class_="forest", data_comparison=number, hidden=True)
        body = tag("div", figure, _differences(found, comparison), _remarks(found, comparison))
        title = tag("summary", found.pair(comparison))
        parts.append(body if number == 0 else tag("details", title, body))
    if alone := _alone(found):
        parts.append(alone)
    lead = (
        ""
        if not found.comparisons
        else (
            "After minus before on the same cases. The grey band is what this suite cannot see at 80 % power: "
            "a true difference inside it would mostly stay unnoticed."
        )
    )
    return section("categories", "Categories", *parts, lead=lead) if any(parts) else None


def _differences(found: Findings, comparison: Comparison) -> Markup:
    groups: list[Markup] = []
    reader = comparison.reader
    if comparison.overall is not None:
        groups.append(tag("tbody", _effect("OVERALL", comparison.overall, reader), class_="overall"))
    if comparison.categories:
        groups.append(tag("tbody", (_effect(name, effect, reader) for name, effect in comparison.categories.items())))
    if comparison.tiers:
        head = tag("tr", tag("th", "by tier", colspan=len(_COLUMNS), scope="rowgroup"), class_="group")
        groups.append(tag("tbody", head, (_effect(name, effect, reader) for name, effect in comparison.tiers.items())))
    return table("Paired differences", _COLUMNS, groups, class_="numbers")


def _effect(name: str, effect: Effect, reader: bool) -> Markup:
    said = reading(effect, reader=reader)
    p = effect.p if effect.p_adjusted is None else effect.p_adjusted
    cells = (
        count(effect.cases),
        score(effect.before),
        score(effect.after),
        signed(effect.estimate),
        interval(effect.low, effect.high, differences=True) if effect.differing else "–",
        p_value(p),
    )
    can = could_show(effect)
    return tag(
        "tr",
        tag("th", name.replace("_", " "), scope="row"),
        (tag("td", cell, class_="number") for cell in cells),
        tag("td", can, class_="number words" if " " in can.removeprefix("± ") else "number"),
        tag("td", said, class_=f"reading {said.replace(' ', '-')}"),
    )


def _remarks(found: Findings, comparison: Comparison) -> Markup | None:
    said = []
    if any(effect.p_adjusted is not None for effect in comparison.categories.values()):
        said.append("p of a category is corrected for their number (Benjamini-Hochberg); the intervals are not.")
    if comparison.mcnemar is not None:
        said.append(f"Exact McNemar test over pass and fail: {p_words(comparison.mcnemar)}.")
    known = {*comparison.categories, *comparison.empty_categories}
    if waiting := [name for name in found.run.categories if name not in known]:
        said.append(f"Not shown, because an answer is missing: {_list(waiting)}.")
    if comparison.empty_categories:
        said.append(f"Without a case that counts: {_list(comparison.empty_categories)}.")
    if comparison.unpaired:
        named = ", ".join(comparison.unpaired[:_SHOWN])
        more = f" and {len(comparison.unpaired) - _SHOWN:,} more" if len(comparison.unpaired) > _SHOWN else ""
        said.append(f"Left out of the comparison: {found.say(named)}{more}.")
    return tag("ul", (tag("li", text) for text in said), class_="remarks") if said else None


def _list(names: Iterable[str]) -> str:
    return ", ".join(names).replace("_", " ")


def _alone(found: Findings) -> Markup | None:
    """Each arm's scores with their own intervals."""
    known = {arm: found.scores[arm] for arm in found.run.arms if arm in found.scores}
    if not known:
        return None
    lines = [("OVERALL", [s.overall for s in known.values()])]
    lines += [(name, [s.categories.get(name) for s in known.values()]) for name in found.run.categories]
    lines += [(f"tier {name}", [s.tiers.get(name) for s in known.values()]) for name in TIERS]
    lines.append(("generated, apart", [s.generated for s in known.values()]))
    rows = [
        tag("tr", tag("th", name.replace("_", " "), scope="row"), (_level(level) for level in levels))
        for name, levels in lines
        if any(levels)
    ]
    heads = ("", *(f"#{found.name(arm)}" for arm in known))
    text = "Single scores with their 95 % intervals. Whether two of them overlap says nothing about their difference."
    if any(s.reader for s in known.values()):
        text += " The reader is no model: its score is the share of answers that can be found in the prompt."
    body = (tag("p", text, class_="lead"), table("Scores of each arm", heads, rows, class_="numbers"))
    return tag("details", tag("summary", "Each arm on its own"), body, open=not found.comparisons)


def _level(level: Level | None) -> Markup:
    if level is None:
        return tag("td", "–", class_="number")
    text = f"{score(level.value)} {interval(level.low, level.high)}"
    return tag("td", text, tag("small", f" n = {level.cases:,}"), class_="number")


def sections(found: Findings) -> Markup | None:
    """What each section of the prompt costs, and what is lost without it."""
    if not found.worths:
        return None
    several = len({one.model for one in found.worths}) > 1
    heads = ("Section", *(["Model"] if several else []), "#Tokens", "#Score with it", "#95 % interval", "What it buys")
    lead = "Each section was left out in turn. The difference is the score with it minus the score without it."
    rows = [_worth(one, several) for one in found.worths]
    return section(
        "sections", "What each section is worth", table("Sections", heads, rows, class_="numbers"), lead=lead
    )


def _worth(one: Worth, several: bool) -> Markup:
    effect = one.effect
    known = effect is not None and effect.differing
    cells = (
        f"{one.tokens:,.0f}",
        signed(effect.estimate) if effect is not None else "–",
        interval(effect.low, effect.high, differences=True) if effect is not None and known else "–",
    )
    return tag(
        "tr",
        tag("th", one.section, scope="row"),
        tag("td", one.model) if several else None,
        (tag("td", cell, class_="number") for cell in cells),
        tag("td", one.words, class_="reading"),
    )


def labels(found: Findings) -> Markup:
    """Why answers fell short, what was made up first."""
    arms = found.run.arms
    rows = [
        tag(
            "tr",
            tag("th", LABELS[label], scope="row"),
            (
                _counted(found.label_cases[label].get(arm, 0), counts.get(arm, 0), number, label)
                for number, arm in enumerate(arms)
            ),
        )
        for label, counts in found.labels.items()
    ]
    heads = ("Why", *(f"#{found.name(arm)}" for arm in arms))
    none = tag("p", "No answer fell short.")
    body = table("Failures by label", heads, rows, class_="numbers small") if rows else none
    made_up = [
        tag(
            "tr",
            tag("th", tag("code", found.say(value)), scope="row"),
            (tag("td", count(counts.get(arm, 0)), class_="number") for arm in arms),
        )
        for value, counts in found.made_up[:_SHOWN]
    ]
    invented = None
    if made_up:
        more = f"and {len(found.made_up) - _SHOWN:,} more values" if len(found.made_up) > _SHOWN else None
        heads = ("Made-up value", *heads[1:])
        text = tag("p", "Answers with a value that is in no fact and not in the question.", class_="lead")
        values = table("Made-up values", heads, made_up, class_="numbers small")
        invented = tag("div", tag("h3", "Made-up values"), text, values, more)
    lead = "Why answers fell short, in the cases that count. One case may have several answers."
    room = tag(
        "div",
        tag("div", tag("h3", "Labels"), tag("p", "A number of cases opens them below.", class_="lead"), body),
        invented,
        class_="two" if len(arms) < 4 else None,
    )
    return section("labels", "Failures by label", room, lead=lead)


def _counted(cases: int, answers: int, arm: int, label: str) -> Markup:
    """Cases, which is what opens, and how many answers there are of them."""
    if not answers:
        return tag("td", count(answers), class_="number")
    text = plural(cases, "case")
    show = tag("button", text, type="button", class_="filter", data_label=label, data_arm=arm, data_kind="counts")
    return tag("td", show, tag("small", plural(answers, "answer")), class_="number counted")


def resources(found: Findings) -> Markup:
    """Tokens, money and time of each arm."""
    columns = [found.spent[arm] for arm in found.run.arms]

    def pair(values: tuple[float | None, float | None]) -> str:
        whole = (seconds(value).replace(" ", "\N{NO-BREAK SPACE}") for value in values)  # only between the two
        return " · ".join(whole) if values[0] is not None else "–"

    lines: list[tuple[str, Iterable[str]]] = [
        ("Requests", (count(s.requests) for s in columns)),
        ("Answered", (count(s.states.get("answered", 0)) for s in columns)),
        ("Truncated, at twice the limit where one is set", (count(s.states.get("truncated", 0)) for s in columns)),
        ("Failed or timed out", (count(s.states.get("failed", 0) + s.states.get("timed_out", 0)) for s in columns)),
        ("Not applicable", (count(s.states.get("not_applicable", 0)) for s in columns)),
        ("Taken over from an earlier run", (count(s.inherited) for s in columns)),
        ("Retries", (count(s.retries) for s in columns)),
        ("Input tokens", (count(s.input_tokens) for s in columns)),
        ("— of these from a cache", (count(s.cached_tokens) for s in columns)),
        ("Output tokens", (count(s.output_tokens) for s in columns)),
        ("Cost of all answers", (money(s.cost_usd) for s in columns)),
        ("Spent by this run", (money(s.spent_usd) for s in columns)),
        ("Latency: median · 95th percentile", (pair(s.latency_s) for s in columns)),
        ("First token: median · 95th percentile", (pair(s.first_token_s) for s in columns)),
        ("Tokens per second, median", ("–" if s.tokens_per_s is None else f"{s.tokens_per_s:,.1f}" for s in columns)),
    ]
    rows = [
        tag("tr", tag("th", name, scope="row"), (tag("td", cell, class_="number") for cell in cells))
        for name, cells in lines
    ]
    heads = ("", *(f"#{found.name(arm)}" for arm in found.run.arms))
    unpriced = sum(s.unpriced for s in columns)
    lead = (
        "As the servers counted them. An answer that was taken over keeps the time and the price of when it was asked."
    )
    if account(found.run).shared:
        lead += " What several arms send alike was sent once, and stands in the column of each."
    if unpriced:
        lead += f" {plural(unpriced, 'answer has', 'answers have')} no price, and the sums leave them out."
    return section(
        "resources", "Tokens, money, time", table("Tokens, money, time", heads, rows, class_="numbers small"), lead=lead
    )


def apart(found: Findings) -> Markup | None:
    """What is in no headline: generated cases, cases given away, scores of the judge."""
    parts = [part for part in (_generated(found), _given_away(found), _judged(found)) if part is not None]
    lead = "None of this is in OVERALL or in any test above."
    return section("apart", "Apart: generated, given away, judged", *parts, lead=lead) if parts else None


def _generated(found: Findings) -> Markup | None:
    number = sum(case.generated for case in found.run.cases)
    if not number:
        return None
    rows = [
        _effect(found.pair(comparison), comparison.generated, comparison.reader)
        for comparison in found.comparisons
        if comparison.generated is not None
    ]
    text = (
        f"{plural(number, 'case')} made from facts. A prompt without facts cannot win there: "
        "a gain proves only that the facts arrived."
    )
    body = table("Generated cases", _COLUMNS, rows, class_="numbers") if rows else None
    button = tag("button", "show these cases", type="button", class_="filter", data_kind="generated")
    return tag("div", tag("h3", "Generated cases"), tag("p", text, class_="lead"), body, button)


def _given_away(found: Findings) -> Markup | None:
    cases = [case for case in found.run.cases if case.given_away]
    if not cases:
        return None
    items = (
        tag(
            "li",
            case_link(found, case.id),
            f" by {found.say(case.given_away)}",
            f"; it counts all the same: {found.say(case.shown)}" if case.shown else None,
        )
        for case in cases[:_SHOWN]
    )
    more = tag("button", "show all", type="button", class_="filter", data_kind="given away")
    rest = more if len(cases) > _SHOWN else None
    text = f"The answer of {plural(len(cases), 'case')} stands in an example of the prompt."
    return tag("div", tag("h3", "Cases given away"), tag("p", text, class_="lead"), tag("ul", items), rest)


def _judged(found: Findings) -> Markup | None:
    rows = []
    for arm in found.run.arms:
        values = [reply.judged for reply in found.run.replies if reply.arm == arm and reply.judged is not None]
        if values:
            cells = (
                tag("td", text, class_="number") for text in (count(len(values)), score(sum(values) / len(values)))
            )
            rows.append(tag("tr", tag("th", found.name(arm), scope="row"), cells))
    if not rows:
        return None
    order = "; ".join(by_order(found.run.judgements))
    text = tag("p", "By a model, after a rubric: an opinion, and in no score.", class_="lead")
    remark = tag("p", f"{order[:1].upper()}{order[1:]}.", class_="remarks") if order else None
    return tag(
        "div",
        tag("h3", "Judged answers"),
        text,
        table("Judged answers", ("Arm", "#n", "#Mean"), rows, class_="numbers"),
        remark,
    )


def reproduce(found: Findings) -> Markup:
    """What has to be known to get the same figures again."""
    run, say = found.run, found.say
    facts = {
        "run": run.id,
        "suite": f"{run.suite} ({run.suite_digest[:12]})",
        "started": moment(run.started),
        "finished": moment(run.finished) or "not yet",
        "repeats": str(run.repeats),
        **run.environment,
    }
    entries = (tag("div", tag("dt", name), tag("dd", say(value))) for name, value in facts.items() if value)
    models = [
        tag("div", tag("h3", say(name)), tag("dl", _described(found, entry), class_="facts"))
        for name, entry in models_shown(run.models).items()
    ]
    command = tag("pre", tag("code", say(run.command)), tabindex=0) if run.command else None
    return section("reproduce", "How to reproduce", command, tag("dl", entries, class_="facts"), models)


def _described(found: Findings, entry: Mapping[str, Any]) -> Sequence[Markup]:
    return [
        tag("div", tag("dt", str(name)), tag("dd", found.say(_in_words(value))))
        for name, value in entry.items()
        if value not in ("", None, {})
    ]


def _in_words(value: object) -> str:
    return ", ".join(f"{k} {_in_words(v)}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)


def models_shown(models: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The models as they were, without anything that is called a key and without a password in an address."""
    return {name: _legible(_without_secrets(entry)) for name, entry in models.items()}


def _legible(entry: dict[str, Any]) -> dict[str, Any]:
    """With what the server said of itself as names and values: a run keeps it as one text."""
    text = entry.get("says", "")
    said = things_said(text)
    return {**entry, "says": said} if "says" in entry and (said or not text) else entry


def _without_secrets(entry: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in entry.items():
        if _SECRET.search(str(name)):
            continue
        if isinstance(value, Mapping):
            value = _without_secrets(value)
        elif isinstance(value, str) and "://" in value and "@" in value:
            scheme, _, rest = value.partition("://")
            value = f"{scheme}://{rest.rpartition('@')[2]}"
        shown[str(name)] = value
    return shown
