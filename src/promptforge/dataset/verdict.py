"""What was counted -> findings in words, each with its numbers, its limit and where that comes from. Pure.

What refuses a set is what no later look could mend: not one jailbreak row, a secret, a private value for a model that
may not see it, a held-out case given away, a file that its trainer cannot read, answers that are cut off whole.
Everything else flags it.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

from promptforge.dataset.findings import Finding, Length, Level, Limits, Skewed, Tally
from promptforge.dataset.rows import KINDS, Kind

__all__ = ["SOURCES", "judge_mix", "judge_rows", "ranked"]

SOURCES = {
    "floor": (
        "the founder's post-mortem: a recipe without jailbreak rows lost 0.206 on identity and 0.107 on jailbreak; "
        "about 3 % of safety rows mend it (Bianchi et al. 2023, arXiv 2309.07875)"
    ),
    "identity": (
        "the founder's sets of 76 to 80 % identity took a model from 0.704 to 0.252; data that shifts who a model is "
        "also erodes its safety (Qi et al. 2023, arXiv 2310.03693)"
    ),
    "refusals": "too many refusals teach refusing (Bianchi et al. 2023, arXiv 2309.07875)",
    "replay": "replay of general data helps the target task, too (Kotha and Liang 2026, arXiv 2603.04964)",
    "skew": "skewed facts make a model give the frequent one for all (Pletenev et al. 2025, arXiv 2502.14502)",
}
_WHY: Mapping[tuple[Kind, str], str] = {
    ("identity", "most"): SOURCES["identity"],
    ("jailbreak", "least"): SOURCES["floor"],
    ("jailbreak", "most"): SOURCES["refusals"],
    ("replay", "least"): SOURCES["replay"],
}


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that refuse first, then those that flag, then notes; in each the order in which they came."""
    order = {"refuse": 0, "flag": 1, "note": 2}
    return tuple(sorted(findings, key=lambda finding: order[finding.level]))


# ---- The mix ---------------------------------------------------------------------------------------------------------


def judge_mix(kinds: Mapping[Kind, int], rows: int, limits: Limits) -> Iterator[Finding]:
    """The composition against the limits, and what it risks."""
    if not rows:
        return
    for kind in KINDS:
        yield from _judge_kind(kind, kinds.get(kind, 0), rows, limits)
    knowledge = sum(kinds.get(kind, 0) for kind in ("infrastructure", "domain"))
    if limits.knowledge and knowledge / rows < limits.knowledge:
        text = f"{knowledge / rows:.1%} infrastructure and domain ({knowledge:,} of {rows:,}): what the set is for"
        limit = f"at least {limits.knowledge:.0%} ({limits.source})"
        yield Finding(rule="kind.knowledge.least", level="flag", text=text, limit=limit, count=knowledge)
    yield _risk(kinds, rows)


def _judge_kind(kind: Kind, count: int, rows: int, limits: Limits) -> Iterator[Finding]:
    least, most = limits.kinds.get(kind, (0.0, 1.0))
    share = count / rows
    said = f"{share:.1%} {kind} ({count:,} of {rows:,})"
    if kind == "jailbreak" and least > 0 and not count:
        text = f"no jailbreak row among {rows:,}: nothing in this set teaches a model to refuse"
        limit = f"at least {least:.0%} ({limits.source}); {SOURCES['floor']}"
        hint = "add refusals and benign look-alikes: training/jailbreak.yaml"
        yield Finding(rule="kind.jailbreak.none", level="refuse", text=text, limit=limit, hint=hint)
    elif share < least:
        needed = math.ceil((least * rows - count) / (1 - least) - 1e-9) if least < 1 else 0
        hint = f"{needed:,} more {kind} {'row' if needed == 1 else 'rows'} would reach it"
        yield Finding(
            rule=f"kind.{kind}.least",
            level="flag",
            text=f"{said}: less than the limit",
            limit=_limit(f"at least {least:.0%}", limits, kind, "least"),
            hint=hint,
            count=count,
        )
    if share > most:
        yield Finding(
            rule=f"kind.{kind}.most",
            level="flag",
            text=f"{said}: more than the limit",
            limit=_limit(f"at most {most:.0%}", limits, kind, "most"),
            hint=_too_many(kind, count, rows, most),
            count=count,
        )


def _too_many(kind: Kind, count: int, rows: int, most: float) -> str:
    others = math.ceil(count / most - rows - 1e-9) if most > 0 else 0
    out = math.ceil((count - most * rows) / (1 - most) - 1e-9)
    add = f"add {others:,} rows of other kinds" if others else ""
    take = f"take {out:,} {kind} rows out" if out < count or not add else ""
    return ", or ".join(one for one in (take, add) if one)


def _limit(said: str, limits: Limits, kind: Kind, end: str) -> str:
    why = _WHY.get((kind, end), "")
    return f"{said} ({limits.source})" + (f"; {why}" if why else "")


def _risk(kinds: Mapping[Kind, int], rows: int) -> Finding:
    """What is known of forgetting, with this set's numbers; no number of it is a forecast."""
    identity, replay = kinds.get("identity", 0) / rows, kinds.get("replay", 0) / rows
    level = "high" if identity > 0.5 or (not replay and identity > 0.3) else "raised" if replay < 0.10 else "usual"
    text = (
        f"forgetting: {level}, with {identity:.0%} identity and {replay:.0%} replay. A lighter adapter hardly helps: "
        "learning and forgetting lie on one curve (Biderman et al. 2024, arXiv 2405.09673; the founder's rank 64 gave "
        "0.252, rank 16 gave 0.271). New facts are learnt slowly and raise made-up answers to known ones (Gekhman et "
        "al. 2024, arXiv 2405.05904): facts belong into the prompt. Measure the untrained base beside it."
    )
    return Finding(rule="forgetting", level="note", text=text)


# ---- Rows ------------------------------------------------------------------------------------------------------------


def judge_rows(
    tally: Tally,
    rows: int,
    limits: Limits,
    *,
    exact: int,
    near: int | None,
    skew: Iterable[Skewed],
    length: Length | None,
    model: str,
) -> Iterator[Finding]:
    """What single rows give away, repeat, contradict, or lose."""
    yield from _leaks(tally, model)
    yield from _contamination(tally)
    yield from _claims(tally)
    yield from _copies(tally, rows, limits, exact, near)
    yield from _skewed(skew, limits)
    if length:
        yield from _lengths(length)


def _leaks(tally: Tally, model: str) -> Iterator[Finding]:
    if count := tally.count("secret"):
        text = f"a secret or a PIN in {_rows(count)}: what is trained is told to anybody who asks long enough"
        hint = "take it out and change it"
        yield Finding(rule="secret", level="refuse", text=text, hint=hint, count=count, places=tally.at("secret"))
    if count := tally.count("private"):
        text = f"a value of a private fact in {_rows(count)}, for {model}, which may not see it"
        yield Finding(rule="private", level="refuse", text=text, count=count, places=tally.at("private"))
    if count := tally.count("private.local"):
        text = f"agents that are local by privacy: {_rows(count)} of theirs, for {model}, which is in the cloud"
        yield Finding(rule="private.local", level="refuse", text=text, count=count, places=tally.at("private.local"))
    if count := tally.count("private.agent"):
        text = f"a value of a private fact in {_rows(count)} of agents whose model may not see it"
        yield Finding(rule="private.agent", level="refuse", text=text, count=count, places=tally.at("private.agent"))
    if count := tally.count("private.unknown"):
        text = f"a value of a private fact in {_rows(count)}: only a local model may be trained on that"
        hint = "say which model: --model NAME"
        yield Finding(
            rule="private.unknown", level="flag", text=text, hint=hint, count=count, places=tally.at("private.unknown")
        )


def _contamination(tally: Tally) -> Iterator[Finding]:
    ways = (
        ("heldout", "refuse", "held-out cases are given away by {rows}: after this training their tier is no evidence"),
        (
            "fact",
            "flag",
            "written cases are given away by {rows}: the answer prints the fact and column that is expected",
        ),
        (
            "wording",
            "flag",
            "{rows} worded like a written case (3-gram Jaccard of 0.30 or more, identifiers masked)",
        ),
    )
    for rule, level, what in ways:
        name = f"contamination.{rule}"
        if count := tally.count(name):
            named: Level = "refuse" if level == "refuse" else "flag"
            hint = "leave these rows out, or let the cases not count (`shown: reason`)"
            text = what.format(rows=_rows(count))
            yield Finding(rule=name, level=named, text=text, hint=hint, count=count, places=tally.at(name))


def _claims(tally: Tally) -> Iterator[Finding]:
    for rule in tally.under("claim."):
        count = tally.count(rule)
        what = {
            "claim.names": "another identifier beside a name than in today's tables",
            "claim.asks": "another identifier for an answer than in today's tables",
            "claim.whose": "another fact or owner for an identifier than in today's tables",
            "claim.stale": "an answer printed a value of a fact that is another by now",
            "claim.unknown": "a name for a port that no fact of it has",
        }[rule]
        hint = "the knowledge has changed, or the row never was right: make the rows anew"
        text = f"{what}: {_rows(count)}"
        yield Finding(rule=rule, level="flag", text=text, hint=hint, count=count, places=tally.at(rule))


def _copies(tally: Tally, rows: int, limits: Limits, exact: int, near: int | None) -> Iterator[Finding]:
    for rule, count, most, what in (
        ("duplicate.exact", exact, limits.exact, f"exact {'copy' if exact == 1 else 'copies'} of an earlier row"),
        (
            "duplicate.near",
            near or 0,
            limits.near,
            f"{_noun(near or 0)} with a near duplicate (Jaccard of 0.7 or more)",
        ),
    ):
        if count and rows:
            level: Level = "flag" if count / rows > most else "note"
            text = f"{count:,} {what}, {count / rows:.1%}, system prompts left out"
            yield Finding(
                rule=rule, level=level, text=text, limit=f"at most {most:.0%}", count=count, places=tally.at(rule)
            )


def _skewed(skew: Iterable[Skewed], limits: Limits) -> Iterator[Finding]:
    over = [one for one in skew if one.share > limits.max_share_per_fact and one.rows >= 5]
    if over:
        first = over[0]
        more = f", and {len(over) - 1} more are over the limit" if len(over) > 1 else ""
        text = f"{first.share:.1%} of all rows rest on {first.name} ({first.rows:,}){more}"
        limit = f"at most {limits.max_share_per_fact:.1%} a fact; {SOURCES['skew']}"
        yield Finding(rule="skew", level="flag", text=text, limit=limit, count=first.rows)


def _lengths(length: Length) -> Iterator[Finding]:
    counted = "" if length.exact else f" ({length.tokenizer}: {length.margin})"
    for limit in length.limits:
        over, lost = length.over.get(limit.trainer, 0), length.lost.get(limit.trainer, 0)
        if not over:
            continue
        recipes = limit.why.startswith("the recipe")
        level: Level = "refuse" if lost and recipes else "flag"
        text = (
            f"{limit.trainer} would cut the answer of {_rows(over)}, {lost:,} of them whole; the longest row has "
            f"{length.longest:,} tokens{counted}"
        )
        hint = f"raise it to {-(-(length.longest + 16) // 64) * 64:,} or more, or train on the base prompt"
        yield Finding(
            rule=f"length.{limit.trainer}",
            level=level,
            text=text,
            limit=f"{limit.tokens:,} tokens ({limit.why})",
            hint=hint,
            count=over,
            places=length.places.get(limit.trainer, ()),
        )


def _rows(count: int) -> str:
    return f"{count:,} {_noun(count)}"


def _noun(count: int) -> str:
    return "row" if count == 1 else "rows"
