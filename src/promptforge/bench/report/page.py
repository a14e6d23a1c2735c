"""A run and its comparisons -> one HTML file that needs no network, no server and no project."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain

from promptforge.bench.arms import account
from promptforge.bench.report.data import LABELS, Findings, findings
from promptforge.bench.report.figures import moment, plural, score
from promptforge.bench.report.head import changed, notes, overall, unanswered, verdict
from promptforge.bench.report.markup import Markup, data_block, data_rows, tag
from promptforge.bench.report.parts import section
from promptforge.bench.report.payload import Explain, case_rows, cut, held_lines, payload
from promptforge.bench.report.redact import MASK
from promptforge.bench.report.tables import apart, categories, labels, reproduce, resources, sections
from promptforge.bench.results import ArmScores, CaseRecord, Comparison, Reply, Run

__all__ = ["page"]

_SCRIPTS = ("d3-7.9.2.min.js", "plot-0.6.17.min.js", "page.js")
_DRAWING_STYLE = (
    ":where(.drawing) {\n  --plot-background: white;\n  display: block;\n  height: auto;\n  height: intrinsic;\n"
    "  max-width: 100%;\n}\n:where(.drawing text),\n:where(.drawing tspan) {\n  white-space: pre;\n}"
)
"""What the charting library writes into each drawing: allowed by its hash."""
_PLAIN_CASES = 150
"""So many cases, those that broke, were fixed or fell short first, stand in the page for readers without scripts."""
_PLAIN_ANSWER = 600


def page(
    run: Run,
    comparisons: Sequence[Comparison] = (),
    scores: Iterable[ArmScores] = (),
    *,
    include_private: bool = False,
    explain: Explain | None = None,
) -> str:
    """The report as the text of an HTML file.

    The first comparison is the headline. `explain` gives the text of a line of a prompt, where it is still known.
    Private values are hidden, in every spelling and in every text, unless `include_private`.
    """
    found = findings(run, comparisons, scores, include_private=include_private)
    body = [
        verdict(found),
        notes(found),
        unanswered(found),
        overall(found),
        changed(found),
        categories(found),
        sections(found),
        labels(found),
        _cases(found, explain),
        resources(found),
        apart(found),
        reproduce(found),
    ]
    parts = chain(
        ('<!doctype html>\n<html lang="en">', _head(found), "<body>"),
        (tag("a", "Skip to the verdict", href="#verdict", class_="skip"), _navigation(body)),
        (tag("main", _masthead(found), _privacy(found, include_private), body, id="main", tabindex=-1), _footer(found)),
        data_rows("rows", case_rows(found, explain)),
        (data_block("data", payload(found)), *(tag("script", Markup(_asset(name))) for name in _SCRIPTS)),
        ("</body></html>\n",),
    )
    return "".join(parts)


def _head(found: Findings) -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{_headline(found)} · {found.say(found.run.suite)}"),
        tag("style", Markup(_asset("page.css"))),
    )


def _headline(found: Findings) -> str:
    return found.comparisons[0].verdict.word if found.comparisons else "one arm"


@cache
def _asset(name: str) -> str:
    return (files("promptforge") / "bench" / "report" / "assets" / name).read_text(encoding="utf-8")


@cache
def _policy() -> str:
    """Only the scripts and styles of this page, by their hashes: nothing is loaded, and nothing smuggled in runs."""
    scripts = " ".join(_hash(_asset(name)) for name in _SCRIPTS)
    styles = " ".join(_hash(text) for text in (_asset("page.css"), _DRAWING_STYLE, ""))
    return f"default-src 'none'; script-src {scripts}; style-src {styles}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _masthead(found: Findings) -> Markup:
    run = found.run
    requests = plural(account(run).requests, "request")
    models = ", ".join(dict.fromkeys(arm.model for arm in run.arms))
    facts = (run.suite, models, plural(len(run.cases), "case"), requests, moment(run.started), run.id)
    return tag("header", (tag("span", found.say(fact)) for fact in facts), class_="masthead")


def _privacy(found: Findings, include_private: bool) -> Markup | None:
    run = found.run
    if not run.private_values and not any(case.private for case in run.cases):
        return None
    if include_private:
        return tag("p", "This page shows private values. Do not pass it on.", class_="privacy shown")
    text = f"Private values are shown as {MASK}. With them: promptforge report --include-private"
    return tag("p", text, class_="privacy")


def _navigation(body: Sequence[Markup | None]) -> Markup:
    names = {
        "verdict": "Verdict",
        "changed": "Fixed and broken",
        "categories": "Categories",
        "sections": "Sections",
        "labels": "Failures",
        "cases": "Cases",
        "resources": "Tokens, money, time",
        "apart": "Apart",
        "reproduce": "Reproduce",
    }
    there = "".join(part[:200] for part in body if part is not None)
    links = (tag("a", name, href=f"#{key}") for key, name in names.items() if f'id="{key}"' in there)
    return tag("nav", tag("div", links), aria_label="On this page")


def _cases(found: Findings, explain: Explain | None) -> Markup:
    """The place of the table of all cases; without scripts, those of most interest."""
    broke = {flip.case for comparison in found.comparisons for flip in comparison.broke}
    fixed = {flip.case for comparison in found.comparisons for flip in comparison.fixed}

    def interest(case: CaseRecord) -> tuple[bool, bool, float]:
        means = [found.means.get((case.id, arm), 0.0) for arm in found.run.arms]
        return case.id not in broke, case.id not in fixed, min(means, default=0.0)

    chosen = sorted(found.run.cases, key=interest)[:_PLAIN_CASES]
    wanted = {case.id for case in chosen}
    answers: dict[str, list[Reply]] = {case: [] for case in wanted}
    for reply in found.run.replies:
        if reply.case in wanted:
            answers[reply.case].append(reply)
    rest = len(found.run.cases) - len(chosen)
    more = f" {rest:,} more are in the page's data: promptforge report --format json." if rest else ""
    text = f"Scripts are off, so the cases cannot be filtered.{more}"
    plain = tag("noscript", tag("p", text), (_plain(found, case, answers[case.id], explain) for case in chosen))
    room = tag("div", id="table", hidden=True)
    return section("cases", "All cases", room, plain)


def _plain(found: Findings, case: CaseRecord, replies: Sequence[Reply], explain: Explain | None) -> Markup:
    say = found.say
    means = " → ".join(score(found.means.get((case.id, arm))) for arm in found.run.arms)
    summary = tag("summary", tag("code", say(case.id)), f" {case.category.replace('_', ' ')} · {case.tier} · {means}")
    held = (
        tag("li", f"{prompt} ← {source} ({fact})", tag("pre", line) if line else None)
        for prompt, source, fact, line in held_lines(found, case, explain, {})
    )
    return tag(
        "details",
        summary,
        tag("p", tag("b", "Question: "), say(case.question)),
        tag("p", tag("b", "Expected: "), say("; ".join(case.expected))),
        (_plain_reply(found, reply) for reply in replies[:20]),
        tag("ul", held, class_="held") if case.held else None,
        id=f"case-{found.places[case.id]}",
    )


def _plain_reply(found: Findings, reply: Reply) -> Markup:
    value = reply.score.value if reply.score else None
    label = f" · {LABELS[reply.score.label]}" if reply.score and reply.score.label else ""
    head = f"{found.name(reply.arm)} · {reply.agent} · {reply.state.replace('_', ' ')} · {score(value)}{label}"
    text, left_out = cut(found.say(reply.answer.text if reply.answer else reply.message), _PLAIN_ANSWER)
    note = f" … {left_out:,} characters more" if left_out else None
    return tag("div", tag("b", found.say(head)), tag("pre", text, note), class_="reply")


def _footer(found: Findings) -> Markup:
    version = found.run.environment.get("promptforge", "")
    text = (
        "This page is complete in itself: it loads nothing and sends nothing. Drawn with Observable Plot and D3 (ISC)."
    )
    return tag("footer", tag("p", f"promptforge {version}".strip(), ". ", text))
