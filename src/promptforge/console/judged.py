"""What a judge said, by its rubric: apart from every score."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from promptforge.bench.arms import asked_anew
from promptforge.bench.results import Judgement, Run
from promptforge.console.terminal import Painter, plural

__all__ = ["goes_on", "judgements_text", "silent_judge"]

_FEW = 3


def judgements_text(run: Run, paint: Painter) -> list[str]:
    """A short block, or nothing where nobody judged."""
    if not run.judge or not run.judgements:
        return []
    lines = ["", paint(f"judged by {run.judge}, apart: an opinion after a rubric, in no score", "bold")]
    for (before, after), some in groupby(run.judgements, lambda one: (one.before, one.after)):
        lines += [f"  {before} → {after}", *_pair(list(some))]
    spent = sum(one.cost_usd or 0.0 for one in run.judgements if not one.inherited)
    if spent:
        lines.append(f"  the judge cost ${spent:.4f}")
    if run.judge_stopped:
        lines.append(f"  cut short: {run.judge_stopped}; {goes_on(run)}")
    if silent := silent_judge(run):
        lines.append(f"  {silent}")
    return lines


def silent_judge(run: Run) -> str:
    """What is to be said where the judge itself could not answer, or nothing."""
    failed = sum(one.fault == "failed" for one in run.judgements)
    if not failed:
        return ""
    pairs = f"{failed} of {plural(len(run.judgements), 'pair')}"
    which = "the same command without --fresh" if asked_anew(run) else "the same command"
    return f"the judge {run.judge} did not answer for {pairs}: the scores stand, and {which} asks it again"


def goes_on(run: Run) -> str:
    """What to do about a run that was cut short."""
    if asked_anew(run):
        return "the same command without --fresh goes on from here (with it, everything is asked once more)"
    return "the same command goes on from here"


def _pair(judgements: Sequence[Judgement]) -> Iterator[str]:
    from promptforge.bench.judging import by_order  # most runs have no judge

    found = [one for one in judgements if one.winner]
    wins = Counter(one.winner for one in found)
    if found:
        ties = f", no difference in {wins['tie']}" if wins["tie"] else ""
        yield f"    of {plural(len(found), 'pair')} better in {wins['after']}, worse in {wins['before']}{ties}"
        yield from (f"    {line}" for line in by_order(found))
    same = sum(one.fault == "identical" for one in judgements)
    if same:
        yield f"    not asked, the answers are the same: {same}"
    reasons = Counter(one.why for one in judgements if one.fault not in ("", "identical"))
    if reasons:
        yield f"    unjudged: {sum(reasons.values())}"
    for why, count in reasons.most_common(_FEW):
        yield f"      {count} × {why}"
