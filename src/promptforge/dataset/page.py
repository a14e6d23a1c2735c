"""An audit -> one HTML file that needs no network, no server and no script."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from promptforge.bench.report.markup import Markup, tag
from promptforge.bench.report.parts import section, table
from promptforge.dataset.findings import Audit, Finding
from promptforge.dataset.rows import Kind

__all__ = ["audit_page"]

_STYLE = """
.fine { --tone: var(--blue); --wash: var(--blue-wash); }
.flagged { --tone: var(--orange); --wash: var(--orange-wash); }
.refused { --tone: var(--red); --wash: var(--red-wash); }
.mix td, .mix th { vertical-align: middle; }
.mix .drawn { width: 50%; min-width: 9rem; padding-block: .35rem; }
.mix th small { display: block; color: var(--soft); font-size: .8rem; font-weight: 400; }
.mix svg { display: block; width: 100%; height: 1.7rem; overflow: visible; }
.track { fill: var(--faint); }
.allowed { fill: var(--band); }
.bar { fill: var(--blue); }
.off .bar { fill: var(--orange); }
.lacking .bar { fill: var(--red); }
.end { stroke: var(--ink); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.off .share, .lacking .share { font-weight: 680; }
.off .share { color: var(--orange); }
.lacking .share { color: var(--red); }
.key { margin: .7rem 0 0; color: var(--soft); font-size: .85rem; }
.found { margin: 0; padding: 0; list-style: none; }
.found > li { margin: 0 0 .9rem; padding: .9rem 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-left: 5px solid var(--tone, var(--line)); border-radius: 3px 9px 9px 3px; }
.found .refuse { --tone: var(--red); }
.found .flag { --tone: var(--orange); }
.found .note { --tone: var(--band); }
.found p { margin: 0; max-width: 52rem; }
.found .level { margin-right: .5rem; color: var(--tone); font-size: .82rem; font-weight: 680; }
.found .note .level { color: var(--soft); }
.found .limit { margin-top: .25rem; color: var(--soft); font-size: .88rem; }
.found details { margin: .45rem 0 0; font-size: .9rem; }
.found details ul { margin: .2rem 0 0; padding-left: 1.1rem; }
.found details li { margin: .25rem 0; overflow-wrap: anywhere; }
.found .at { font-family: var(--mono); font-size: .8rem; color: var(--soft); }
@media (max-width: 44rem) {
  .mix .drawn { width: 34%; min-width: 4.5rem; }
  .mix th, .mix td { padding-inline: .4rem; }
  .found > li { padding: .8rem .9rem; }
}
"""
_LEVELS = {"refuse": "refuses", "flag": "flags", "note": "note"}
_HEADLINES = {
    "fine": "Nothing speaks against training on this set.",
    "flagged": "This set can be trained on, but not without a thought.",
    "refused": "This set must not be trained on as it is.",
}


def audit_page(audit: Audit, *, version: str = "") -> str:
    """The audit as the text of an HTML file."""
    body = [
        _verdict(audit),
        _figures(audit),
        _composition(audit),
        _findings(audit),
        _tokens(audit),
        _skew(audit),
        _rules(audit),
        _files(audit),
        _looked(audit),
    ]
    footer = tag("footer", tag("p", f"promptforge {version}".strip(), ". This page loads nothing and sends nothing."))
    whole = tag("body", _navigation(body), tag("main", _masthead(audit), body, id="main", tabindex=-1), footer)
    return f'<!doctype html>\n<html lang="en">{_head(audit)}{whole}</html>\n'


def _head(audit: Audit) -> Markup:
    styles = " ".join(_hash(text) for text in (_frame(), _STYLE))
    policy = f"default-src 'none'; style-src {styles}; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content="promptforge"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{audit.word} · {_name(audit)}"),
        tag("style", Markup(_frame())),
        tag("style", Markup(_STYLE)),
    )


@cache
def _frame() -> str:
    """The style of all reports."""
    return (files("promptforge") / "bench" / "report" / "assets" / "page.css").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _name(audit: Audit) -> str:
    names = [file.file.rpartition("/")[2] for file in audit.files]
    return audit.recipe or (names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more")


def _navigation(body: Sequence[Markup | None]) -> Markup:
    names = {
        "verdict": "Verdict",
        "mix": "Composition",
        "findings": "Findings",
        "tokens": "Tokens",
        "skew": "Skew",
        "rules": "Kinds",
        "files": "Files",
        "looked": "What was looked at",
    }
    there = "".join(part[:200] for part in body if part is not None)
    links = (tag("a", name, href=f"#{key}") for key, name in names.items() if f'id="{key}"' in there)
    return tag("nav", tag("div", links), aria_label="On this page")


def _masthead(audit: Audit) -> Markup:
    shapes = dict.fromkeys(shape for file in audit.files for shape in file.shapes)
    facts = [_name(audit), _count(audit.rows, "row"), _count(len(audit.files), "file"), ", ".join(shapes)]
    facts += [f"for {audit.model}"] if audit.model else []
    facts += [f"trained by {audit.trainer}"] if audit.trainer else []
    return tag("header", (tag("span", fact) for fact in facts), class_="masthead")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


# ---- The verdict -----------------------------------------------------------------------------------------------------


def _verdict(audit: Audit) -> Markup:
    reasons = audit.of(["refuse"]) or audit.of(["flag"])
    listed = tag("ul", (tag("li", finding.text) for finding in reasons), class_="reasons") if reasons else None
    return tag(
        "section",
        tag("p", tag("span", audit.word, class_="badge"), f" {_name(audit)}", class_="kicker"),
        tag("h1", _HEADLINES[audit.word]),
        listed,
        id="verdict",
        class_=f"verdict {audit.word}",
    )


def _figures(audit: Audit) -> Markup:
    length = audit.length
    near = "–" if audit.near is None else f"{audit.near:,}"
    shown = [
        ("Rows", f"{audit.rows:,}", f"{sum(file.set_aside for file in audit.files):,} set aside"),
        ("Refuse", f"{len(audit.of(['refuse'])):,}", "findings"),
        ("Flag", f"{len(audit.of(['flag'])):,}", "findings"),
        ("Exact copies", f"{audit.exact:,}", _share(audit.exact, audit.rows)),
        ("Near duplicates", near, _share(audit.near or 0, audit.rows)),
        ("Longest row", f"{length.longest:,}" if length else "–", "tokens" if length else "not counted"),
    ]
    return tag(
        "dl",
        (tag("div", tag("dt", name), tag("dd", tag("b", n), tag("span", x))) for name, n, x in shown),
        class_="figures",
    )


def _share(count: int, rows: int) -> str:
    return f"{count / rows:.1%} of all" if rows else ""


# ---- The composition -------------------------------------------------------------------------------------------------


def _composition(audit: Audit) -> Markup:
    rows = [_kind(audit, kind, count, share) for kind, count, share in audit.shares]
    key = "The grey stretch is what the limits allow, a line its end; the bar is what the set has. "
    key += f"Limits: {audit.limits.source}."
    drawn = table("The share of each kind", ["kind and limit", "#rows", "#share", "0 to 100 %"], rows, class_="mix")
    lead = "What the rows are about, and how much of each the limits allow."
    return section("mix", "Composition", drawn, tag("p", key, class_="key"), lead=lead)


def _kind(audit: Audit, kind: Kind, count: int, share: float) -> Markup:
    least, most = audit.limits.kinds.get(kind, (0.0, 1.0))
    off = share < least or share > most
    tone = "lacking" if off and not count else "off" if off else None
    ends = [f"at least {least:.0%}" if least else "", f"at most {most:.0%}" if most < 1 else ""]
    said = ", ".join(end for end in ends if end)
    sign = "▼ " if share < least else "▲ " if share > most else ""
    return tag(
        "tr",
        tag("th", kind, tag("small", said) if said else None, scope="row"),
        tag("td", f"{count:,}", class_="number"),
        tag("td", f"{sign}{share:.1%}", class_="number share"),
        tag("td", _bar(share, least, most, f"{kind}: {share:.1%}{', ' + said if said else ''}"), class_="drawn"),
        class_=tone,
    )


def _bar(share: float, least: float, most: float, said: str) -> Markup:
    def across(value: float) -> str:
        return f"{100 * value:.2f}"

    limited = least > 0 or most < 1
    parts = [tag("rect", x=0, y=4, width=100, height=16, class_="track")]
    if limited:
        parts.append(tag("rect", x=across(least), y=4, width=across(most - least), height=16, class_="allowed"))
    parts.append(tag("rect", x=0, y=8, width=across(share), height=8, class_="bar"))
    for end in (least, most):
        if 0 < end < 1:
            parts.append(tag("line", x1=across(end), x2=across(end), y1=2, y2=22, class_="end"))
    return tag("svg", tag("title", said), parts, viewBox="0 0 100 24", preserveAspectRatio="none", role="img")


# ---- Findings --------------------------------------------------------------------------------------------------------


def _findings(audit: Audit) -> Markup:
    lead = "What refuses the set, what flags it, and what is good to know; each with its first places."
    items = tag("ul", (_finding(finding) for finding in audit.findings), class_="found")
    return section("findings", "Findings", items, lead=lead)


def _finding(finding: Finding) -> Markup:
    level = tag("span", _LEVELS[finding.level], class_="level")
    places = None
    if finding.places:
        more = f" of {finding.count:,}" if finding.count > len(finding.places) else ""
        summary = tag("summary", f"{len(finding.places):,}{more} {'place' if len(finding.places) == 1 else 'places'}")
        listed = (tag("li", tag("span", f"{p.file}:{p.line}", class_="at"), f" {p.what}") for p in finding.places)
        places = tag("details", summary, tag("ul", listed))
    return tag(
        "li",
        tag("p", level, finding.text),
        tag("p", f"Limit: {finding.limit}", class_="limit") if finding.limit else None,
        tag("p", f"To do: {finding.hint}", class_="limit") if finding.hint else None,
        places,
        class_=finding.level,
    )


# ---- Tables ----------------------------------------------------------------------------------------------------------


def _tokens(audit: Audit) -> Markup | None:
    length = audit.length
    if length is None:
        return None
    exact = "" if length.exact else f" Not the model's own count: {length.margin}."
    at = f", at {length.longest_at.file}:{length.longest_at.line}" if length.longest_at else ""
    lead = (
        f"Counted with {length.tokenizer}, chat template included.{exact} Half of the rows have {length.median:,} or "
        f"fewer, 95 % {length.p95:,} or fewer, the longest {length.longest:,}{at}."
    )
    if not length.limits:
        return section("tokens", "Tokens", lead=lead + " The recipe sets no limit: it is made from the longest row.")
    rows = [
        tag(
            "tr",
            tag("th", limit.trainer, scope="row"),
            tag("td", f"{limit.tokens:,}", class_="number"),
            tag("td", f"{length.over.get(limit.trainer, 0):,}", class_="number"),
            tag("td", f"{length.lost.get(limit.trainer, 0):,}", class_="number"),
            tag("td", limit.why),
        )
        for limit in length.limits
    ]
    heads = ["trainer", "#limit", "#answers cut", "#cut whole", "where the limit comes from"]
    return section("tokens", "Tokens", table("What trainers would cut", heads, rows, class_="numbers"), lead=lead)


def _skew(audit: Audit) -> Markup | None:
    if not audit.skew:
        return None
    most = audit.limits.max_share_per_fact
    rows = [
        tag(
            "tr",
            tag("th", tag("code", one.name), scope="row"),
            tag("td", f"{one.rows:,}", class_="number"),
            tag("td", f"{'▲ ' if one.share > most else ''}{one.share:.2%}", class_="number share"),
            class_="off" if one.share > most and one.rows >= 5 else None,
        )
        for one in audit.skew
    ]
    lead = f"What the most rows rest on. More than {most:.1%} of all rows on one fact is more than the limit."
    inner = table(
        "The most frequent facts and identifiers", ["fact or identifier", "#rows", "#share"], rows, class_="mix"
    )
    return section("skew", "Skew", inner, lead=lead)


def _rules(audit: Audit) -> Markup:
    rows = [
        tag("tr", tag("th", kind, scope="row"), tag("td", rule), tag("td", f"{count:,}", class_="number"))
        for kind, rule, count in _said(audit)
    ]
    lead = "Why a row counts as what it does: a column says it, or the first rule that fits."
    return section("rules", "How kinds were told", table("Rules", ["kind", "because", "#rows"], rows), lead=lead)


def _said(audit: Audit) -> Iterator[tuple[str, str, int]]:
    for name, count in audit.rules.items():
        kind, _, rule = name.partition(": ")
        yield kind, rule, count


def _files(audit: Audit) -> Markup:
    rows = [
        tag(
            "tr",
            tag("th", tag("code", file.file), scope="row"),
            tag("td", file.split or "–"),
            tag("td", f"{file.rows:,}", class_="number"),
            tag("td", f"{file.set_aside:,}", class_="number"),
            tag("td", ", ".join(f"{shape} {count:,}" for shape, count in file.shapes.items()) or "–"),
        )
        for file in audit.files
    ]
    return section("files", "Files", table("Files", ["file", "split", "#rows", "#set aside", "shapes"], rows))


def _looked(audit: Audit) -> Markup:
    def listed(title: str, texts: Sequence[str]) -> Markup | None:
        return tag("div", tag("h3", title), tag("ul", (tag("li", text) for text in texts))) if texts else None

    both = tag("div", listed("Looked at", audit.compared), listed("Not checked", audit.unchecked), class_="two")
    return section("looked", "What was looked at", both)
