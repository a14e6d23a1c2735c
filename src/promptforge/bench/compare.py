"""Two arms over the same cases: pair them, leave out what cannot be paired, judge the rest (design 5.1, 5.2)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from promptforge.bench.arms import FULL, Side, asked_anew, order_of
from promptforge.bench.results import Arm, CaseRecord, Comparison, Effect, Flip, Reply, Run, Verdict
from promptforge.bench.stats import DRAWS, Pair, categories, mcnemar, overall, tiers
from promptforge.bench.verdicts import found_by_reader, identical, judged, nothing_paired, reader_and_model, withheld

__all__ = ["Paired", "compare", "compare_pairs", "paired"]

_SAME = 1e-12


def compare(run_a: Run, arm_a: Arm, run_b: Run, arm_b: Arm, *, seed: int = 0, draws: int = DRAWS) -> Comparison:
    """What changed from the first arm to the second. The runs may be one."""
    sides = Side.of(run_a, arm_a), Side.of(run_b, arm_b)
    joined = _join(*sides)
    names = tuple(f"{side.arm} ({side.run.id})" if run_a.id != run_b.id else str(side.arm) for side in sides)
    shown = [pair for pair in joined.pairs if pair.category not in joined.open_categories]
    in_tiers = [pair for pair in joined.pairs if pair.tier not in joined.open_tiers]
    whole = overall(joined.pairs, seed=seed, draws=draws) if joined.pairs and not joined.open_categories else None
    shown.sort(key=order_of(run_b.categories, lambda pair: pair.category))
    by_category = categories(shown, seed=seed, draws=draws)
    fixed, broke = _flips(joined, *sides)
    exact = _mcnemar(joined.pairs, joined.pass_fail) if whole else None
    generated = joined.generated if not joined.open_generated else []
    return Comparison(
        before=names[0],
        after=names[1],
        overall=whole,
        categories=by_category,
        tiers=tiers(in_tiers, seed=seed, draws=draws),
        generated=overall(generated, seed=seed, draws=draws) if generated else None,
        fixed=fixed,
        broke=broke,
        mcnemar=exact,
        empty_categories=_empty(joined, (*run_b.categories, *run_a.categories)),
        unpaired=tuple(joined.unpaired),
        unanswered=tuple(joined.unanswered),
        reader=any(side.reader for side in sides),
        verdict=_verdict(joined, sides, whole, names, by_category, broke, exact),
    )


def compare_pairs(
    pairs: Sequence[Pair],
    before: str,
    after: str,
    *,
    unpaired: Sequence[str] = (),
    unanswered: Sequence[str] = (),
    open_categories: Collection[str] = (),
    instead: Verdict | None = None,
    pass_fail: bool = False,
    seed: int = 0,
    draws: int = DRAWS,
) -> Comparison:
    """The same judgement of scores that came from elsewhere: no answers, no states.

    `instead` is the verdict where scores are missing; their categories have no row then, and there is no OVERALL.
    """
    whole = overall(pairs, seed=seed, draws=draws) if pairs and instead is None else None
    shown = [pair for pair in pairs if pair.category not in open_categories]
    by_category = categories(shown, seed=seed, draws=draws)
    moved = [
        Flip(case=pair.case, category=pair.category, before=pair.before, after=pair.after, label="")
        for pair in pairs
        if abs(pair.after - pair.before) > _SAME
    ]
    moved.sort(key=_largest_first)
    broke = tuple(flip for flip in moved if flip.after < flip.before)
    exact = _mcnemar(pairs, pass_fail=pass_fail) if whole else None
    return Comparison(
        before=before,
        after=after,
        overall=whole,
        categories=by_category,
        fixed=tuple(flip for flip in moved if flip.after > flip.before),
        broke=broke,
        mcnemar=exact,
        unpaired=tuple(unpaired),
        unanswered=tuple(unanswered),
        verdict=instead or _judged(whole, before, after, by_category, broke, exact, len(unpaired)),
    )


def _judged(
    whole: Effect | None,
    before: str,
    after: str,
    by_category: Mapping[str, Effect],
    broke: Sequence[Flip],
    exact: float | None,
    unpaired: int,
) -> Verdict:
    if whole is None:
        return nothing_paired(unpaired)
    return judged(whole, before, after, categories=by_category, broke=broke, mcnemar=exact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What a comparison rests on: for those who judge it by rules of their own."""

    pairs: tuple[Pair, ...]
    """The cases that count and that both arms answered."""
    unpaired: tuple[str, ...]
    unanswered: tuple[str, ...]
    open_requests: int
    """Unanswered, of cases that count."""
    requests: int
    """Of cases that count, answered or not."""
    same_answers: bool
    """Whether all answers of both arms are the same, word for word."""


def paired(run_a: Run, arm_a: Arm, run_b: Run, arm_b: Arm) -> Paired:
    """The cases of two arms in pairs, and what could not be paired. The runs may be one."""
    a, b = Side.of(run_a, arm_a), Side.of(run_b, arm_b)
    joined = _join(a, b)
    return Paired(
        pairs=tuple(joined.pairs),
        unpaired=tuple(joined.unpaired),
        unanswered=tuple(joined.unanswered),
        open_requests=joined.open_requests,
        requests=joined.requests,
        same_answers=bool(joined.pairs) and _identical(joined, a, b) is not None,
    )


# --- joining ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Joined:
    """What both arms have, and what they do not."""

    pairs: list[Pair] = field(default_factory=list)
    """The cases that count."""
    generated: list[Pair] = field(default_factory=list)
    agents: dict[str, list[str]] = field(default_factory=dict)
    """Of each paired case that counts."""
    unpaired: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    open_requests: int = 0
    """Unanswered, of cases that count."""
    requests: int = 0
    """Of cases that count, answered or not."""
    open_categories: set[str] = field(default_factory=set)
    open_tiers: set[str] = field(default_factory=set)
    open_generated: bool = False
    pass_fail: bool = True


def _join(a: Side, b: Side) -> _Joined:
    joined = _Joined()
    for case in dict.fromkeys((*b.records, *a.records)):
        one, two = a.records.get(case), b.records.get(case)
        if one is None or two is None:
            joined.unpaired.append(f"{case}: only in {(a if two is None else b).arm}")
        elif (why := _different(one, two)) or (why := _unasked(case, a, b)):
            joined.unpaired.append(f"{case}: {why}")
        else:
            _join_case(joined, one, two, a, b)
    return joined


def _different(one: CaseRecord, two: CaseRecord) -> str:
    """Why two records of one id are not one case."""
    if one.question != two.question:
        return "its question differs"
    if one.expected != two.expected:
        return "what it expects differs"
    if one.category != two.category or one.tier != two.tier:
        return "its category or tier differs"
    return "" if set(one.agents) & set(two.agents) else "its agents differ"


def _unasked(case: str, a: Side, b: Side) -> str:
    """A run that ended and never asked was not meant to; one that was cut short still owes the answer."""
    for side in (a, b):
        if side.whole and not side.of_case(case, side.records[case].agents):
            return f"not asked of {side.arm}"
    return ""


def _join_case(joined: _Joined, one: CaseRecord, two: CaseRecord, a: Side, b: Side) -> None:
    case = two.id
    agents = [agent for agent in two.agents if agent in one.agents]
    barred = [agent for agent in agents if a.barred(case, agent) or b.barred(case, agent)]
    joined.unpaired += [f"{case} × {agent}: not applicable, barred by clearance" for agent in barred]
    joined.unpaired += [
        f"{case} × {agent}: named on one side only"
        for agent in dict.fromkeys((*two.agents, *one.agents))
        if agent not in agents
    ]
    agents = [agent for agent in agents if agent not in barred]
    if not agents:
        return
    counts = one.counts and two.counts
    if counts:
        joined.requests += len(agents) * (a.run.repeats + b.run.repeats)
    if missing := [*a.missing(case, agents), *b.missing(case, agents)]:
        joined.unanswered += missing
        if counts:
            joined.open_requests += len(missing)
            joined.open_categories.add(two.category)
            joined.open_tiers.add(two.tier)
        joined.open_generated |= two.generated
        return
    if not counts and not two.generated:
        return
    pair = Pair(
        case=case,
        category=two.category,
        cluster=two.cluster or case,
        before=a.score(case, agents),
        after=b.score(case, agents),
        tier=two.tier,
    )
    if two.generated:
        joined.generated.append(pair)
        return
    joined.pairs.append(pair)
    joined.agents[case] = agents
    joined.pass_fail &= one.pass_fail and two.pass_fail


# --- judging ----------------------------------------------------------------------------------------------------------


def _flips(joined: _Joined, a: Side, b: Side) -> tuple[tuple[Flip, ...], tuple[Flip, ...]]:
    """The cases that differ, (fixed, broke), the largest differences first."""
    flips = []
    for pair in joined.pairs:
        if abs(pair.after - pair.before) > _SAME:
            worse = a if pair.after > pair.before else b
            label = _label(worse.of_case(pair.case, joined.agents[pair.case]))
            flips.append(
                Flip(case=pair.case, category=pair.category, before=pair.before, after=pair.after, label=label)
            )
    flips.sort(key=_largest_first)
    return tuple(f for f in flips if f.after > f.before), tuple(f for f in flips if f.after < f.before)


def _largest_first(flip: Flip) -> float:
    """The largest differences first."""
    return -abs(flip.after - flip.before)


def _label(replies: Iterable[Reply]) -> str:
    """Why the worst answer fell short."""
    scores = [reply.score for reply in replies if reply.score]
    return min(scores, key=lambda score: score.value).label


def _mcnemar(pairs: Sequence[Pair], pass_fail: bool) -> float | None:
    """Only where every case is pass or fail, once, and shares no fact with another."""
    values = {value for pair in pairs for value in (pair.before, pair.after)}
    if not pass_fail or not values <= {0.0, 1.0} or len({pair.cluster for pair in pairs}) < len(pairs):
        return None
    return mcnemar(sum(p.after > p.before for p in pairs), sum(p.after < p.before for p in pairs))


def _empty(joined: _Joined, declared: Iterable[str]) -> tuple[str, ...]:
    used = {pair.category for pair in joined.pairs} | joined.open_categories
    return tuple(name for name in dict.fromkeys(declared) if name not in used)


def _verdict(
    joined: _Joined,
    sides: tuple[Side, Side],
    whole: Effect | None,
    names: Sequence[str],
    by_category: Mapping[str, Effect],
    broke: Sequence[Flip],
    exact: float | None,
) -> Verdict:
    a, b = sides
    if joined.open_requests:
        fresh = any(asked_anew(side.run) for side in sides)
        return withheld(joined.open_requests, joined.requests, fresh=fresh)
    if whole is None:
        return nothing_paired(len(joined.unpaired))
    if a.reader != b.reader:
        return reader_and_model()
    if a.reader:
        before, after = (sum(value >= FULL for value in values) for values in _both(joined.pairs))
        return found_by_reader(before, after, len(joined.pairs))
    # The same answers may score otherwise: two revisions are judged each by the facts of its own day.
    alike = all(pair.before == pair.after for pair in joined.pairs)
    if alike and (answers := _identical(joined, a, b)) is not None:
        return identical(len(answers), same_requests=all(answers))
    return judged(whole, names[0], names[1], categories=by_category, broke=broke, mcnemar=exact)


def _both(pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
    return [pair.before for pair in pairs], [pair.after for pair in pairs]


def _identical(joined: _Joined, a: Side, b: Side) -> list[bool] | None:
    """None where any answer differs; else for each answer whether its request was the same, too."""
    same = []
    for case, agents in joined.agents.items():
        one, two = ({(r.agent, r.repeat): r for r in side.of_case(case, agents)} for side in (a, b))
        if one.keys() != two.keys():
            return None
        for key, reply in one.items():
            if _said(reply) != _said(two[key]):
                return None
            same.append(reply.identity == two[key].identity)
    return same


def _said(reply: Reply) -> object:
    answer = reply.answer
    return answer and (answer.text, [(call.name, call.raw, call.arguments) for call in answer.tool_calls])
