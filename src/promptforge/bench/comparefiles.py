"""Two files of scores held against each other: case scores are tested, category scores say what they can bear."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from promptforge.bench.compare import compare_pairs
from promptforge.bench.results import Comparison, Verdict
from promptforge.bench.scorefiles import Kind, ScoreFile, ScoreRow
from promptforge.bench.stats import ALPHA, Pair, cases_needed, mcnemar, smallest_detectable
from promptforge.bench.verdicts import NO_SCORE, about, p_words, signed, withheld_scores
from promptforge.errors import InputError, UsageError

__all__ = ["CategoryComparison", "CategoryRow", "compare_scores"]

_DISCORDANCE = 0.15
"""The share of cases that is taken to differ, where nobody says another."""
_ONLY = "all"
"""The category of cases without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRow:
    """One category in both files."""

    category: str
    before: float
    after: float
    cases: float | None = None
    """As the files say, or an equal share of all cases."""

    @property
    def delta(self) -> float:
        """After minus before."""
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryComparison:
    """What category scores alone can say."""

    before: str
    after: str
    rows: tuple[CategoryRow, ...]
    overall_before: float
    overall_after: float
    """Unweighted means of the categories that both have."""
    cases: int | None
    """In all; None where nobody said."""
    discordance: float
    """The share of cases that differ, as stated; more where the table itself needs more."""
    least_p: float | None = None
    most_p: float | None = None
    """Exact McNemar over every pairing of so many pass/fail cases that gives these scores."""
    detectable: float | None = None
    """The smallest difference that so many cases could show at this discordance."""
    needed: int | None = None
    """How many cases would show this difference at this discordance."""
    unpaired: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    """Categories without a score in a file: then there is no OVERALL either."""
    notes: tuple[str, ...] = ()
    verdict: Verdict

    @property
    def delta(self) -> float:
        """After minus before, overall."""
        return self.overall_after - self.overall_before


def compare_scores(
    a: ScoreFile, b: ScoreFile, *, cases: int | None = None, discordance: float | None = None
) -> Comparison | CategoryComparison:
    """`cases` is how many pass/fail cases category scores rest on, `discordance` the share that is taken to differ.

    Raises InputError, and UsageError where one of them is said of files that hold scores of cases.
    """
    if cases is not None and cases < 1:
        raise InputError(f"{cases} cases cannot have scores", hint="a whole number above 0, as in --cases 40")
    if discordance is not None and not 0 < discordance <= 1:
        hint = "a share above 0 and up to 1, as in --discordance 0.15"
        raise InputError(f"a discordance of {discordance:g} cannot be", hint=hint)
    kind = _kind(a, b, cases)
    a, b = a.read_as(kind), b.read_as(kind)
    if a.kind == b.kind == "cases":
        _of_categories_only(a, b, cases, discordance)
        return _compare_cases(a, b)
    found = _compare_categories(a, b, cases, discordance or _DISCORDANCE)
    used = _percent(found.discordance)
    if discordance is None or used == _percent(discordance):
        return found
    raised = (
        f"a discordance of {_percent(discordance)} cannot be: for these scores at least {used} of the cases differ, "
        "and so many are taken"
    )
    return replace(found, notes=(*found.notes, raised))


def _of_categories_only(a: ScoreFile, b: ScoreFile, cases: int | None, discordance: float | None) -> None:
    """Refuse what can be said of scores of categories alone: those of cases are counted, and paired as they are."""
    said = "--cases" if cases is not None else "--discordance" if discordance is not None else ""
    if said:
        counted = "their number is known" if cases is not None else "which of them differ is known"
        message = f"{said} is for scores of categories: {a.file} and {b.file} hold scores of cases, and {counted}"
        raise UsageError(message, hint=f"leave {said} out")


def _kind(a: ScoreFile, b: ScoreFile, cases: int | None) -> Kind:
    """What bare names are: what the other file says, else categories where the cases are counted, else by number."""
    said = next((file.kind for file in (a, b) if file.sure), None)
    if said or cases is not None:
        return said or "categories"
    return "cases" if "cases" in (a.kind, b.kind) else "categories"


# --- cases ------------------------------------------------------------------------------------------------------------


def _compare_cases(a: ScoreFile, b: ScoreFile) -> Comparison:
    before, after = ({row.name: row for row in file.rows} for file in (a, b))
    pairs: list[Pair] = []
    unpaired: list[str] = []
    missing: dict[str, list[str]] = {}
    waiting: set[str] = set()
    for name in dict.fromkeys((*after, *before)):
        one, two = before.get(name), after.get(name)
        if one is None or two is None:
            unpaired.append(f"{name}: only in {(a if two is None else b).file}")
        elif one.category and two.category and one.category != two.category:
            unpaired.append(f"{name}: its category differs")
        elif one.score is None or two.score is None:
            missing[name] = _missing((a, one), (b, two))
            waiting.add(two.category or one.category or _ONLY)
        else:
            pairs.append(_pair(name, one, one.score, two, two.score))
    if not pairs and not missing:
        raise _nothing_common(a, b, unpaired)
    found = compare_pairs(
        pairs,
        a.file,
        b.file,
        unpaired=unpaired,
        unanswered=_in_words(missing),
        open_categories=waiting,
        instead=_withheld(missing, len(pairs), "the cases in both files"),
        pass_fail=True,
    )
    return replace(found, verdict=_with_one_sided(found.verdict, unpaired))


def _pair(name: str, one: ScoreRow, before: float, two: ScoreRow, after: float) -> Pair:
    category, cluster = two.category or one.category or _ONLY, two.cluster or one.cluster or name
    return Pair(case=name, category=category, cluster=cluster, before=before, after=after)


def _with_one_sided(verdict: Verdict, unpaired: Sequence[str]) -> Verdict:
    """The verdict with what may have been left out of a file because nobody answered it."""
    one_sided = sum(": only in " in text for text in unpaired)
    if not one_sided or verdict.word == "withheld":
        return verdict
    many = "1 case is" if one_sided == 1 else f"{one_sided:,} cases are"
    said = f"{many} in one file only, and in no number here: where it was asked and not answered, write an empty score"
    return replace(verdict, reasons=(*verdict.reasons, said))


def _missing(*sides: tuple[ScoreFile, ScoreRow]) -> list[str]:
    """The files in which a case, or a category, has no score."""
    return [file.file for file, row in sides if row.score is None]


def _in_words(missing: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{name}: {NO_SCORE}{file}" for name, files in missing.items() for file in files]


def _withheld(missing: Mapping[str, Sequence[str]], scored: int, of: str) -> Verdict | None:
    """No verdict from the survivors: whoever failed on the hard ones would win."""
    if not missing:
        return None
    files = [file for some in missing.values() for file in some]
    named = " and ".join(dict.fromkeys(files))
    return withheld_scores(len(files), 2 * (scored + len(missing)), of=of, files=named)


def _nothing_common(a: ScoreFile, b: ScoreFile, unpaired: Sequence[str]) -> InputError:
    what = "case" if a.kind == b.kind == "cases" else "category"
    if other := [text for text in unpaired if text.endswith("its category differs")]:
        message = f"{a.file} and {b.file} have no case in common that is of one category in both: {other[0]}"
        return InputError(message, hint="a case must have the same category in both files")
    message = f"{a.file} and {b.file} have no scored {what} in common"
    if a.kind != b.kind:
        kinds = {file.kind: file.file for file in (a, b)}
        message += f": {kinds['categories']} holds scores of categories, and {kinds['cases']} of cases"
        return InputError(message, hint="give the same kind in both, or name the category of every case")
    plural = "cases" if what == "case" else "categories"
    first = f"{a.rows[0].name} in {a.file}, {b.rows[0].name} in {b.file}"
    return InputError(f"{message}: {first}, …", hint=f"the names of the {plural} must be the same in both files")


# --- categories -------------------------------------------------------------------------------------------------------


def _compare_categories(a: ScoreFile, b: ScoreFile, cases: int | None, discordance: float) -> CategoryComparison:
    before, after = _by_category(a), _by_category(b)
    rows, unpaired, notes = [], [], []
    missing: dict[str, list[str]] = {}
    for name in dict.fromkeys((*before, *after)):
        one, two = before.get(name), after.get(name)
        if one is None or two is None:
            unpaired.append(f"{name}: only in {(a if two is None else b).file}")
        elif one.score is None or two.score is None:
            missing[name] = _missing((a, one), (b, two))
        else:
            counts = {row.cases for row in (one, two) if row.cases is not None}
            count = min(counts, default=None)
            if len(counts) > 1:
                notes.append(f"{name}: {one.cases} cases before and {two.cases} after; taken as {count}")
            rows.append(CategoryRow(category=name, before=one.score, after=two.score, cases=count))
    if not rows:
        raise _nothing_common(a, b, unpaired)
    rows, total = _counted(rows, cases)
    doubt = cases is None and not (a.sure or b.sure)
    notes += [f"{file.file}: {note}" for file in (a, b) for note in (*file.notes, *_how_read(file, doubt=doubt))]
    found = _weighed(a.file, b.file, rows, total, discordance, unpaired, notes)
    instead = _withheld(missing, len(rows), "the categories in both files")
    if instead is None:
        return found
    return replace(found, unanswered=tuple(_in_words(missing)), verdict=instead, least_p=None, most_p=None, needed=None)


def _by_category(file: ScoreFile) -> dict[str, ScoreRow]:
    """The scores of categories; those of cases are averaged."""
    if file.kind == "categories":
        return {row.name: row for row in file.rows}
    grouped: dict[str, list[float | None]] = {}
    for row in file.rows:
        if not row.category:
            message = f"{file.file}: case '{row.name}' has no category, and the other file has only categories"
            raise InputError(message, hint="name the category of every case, or give the scores of cases in both files")
        grouped.setdefault(row.category, []).append(row.score)
    means = {}
    for name, scores in grouped.items():
        known = [score for score in scores if score is not None]
        mean = math.fsum(known) / len(known) if len(known) == len(scores) else None
        means[name] = ScoreRow(name=name, score=mean, cases=len(scores))
    return means


def _how_read(file: ScoreFile, *, doubt: bool) -> Iterable[str]:
    if file.kind == "cases":
        yield "its cases are averaged by category, because the other file has only categories"
    elif doubt:
        yield "read as scores of categories; if its names are cases, put them under `cases:`"


def _counted(rows: Sequence[CategoryRow], cases: int | None) -> tuple[list[CategoryRow], int | None]:
    """The rows with their numbers of cases: as the files say, else an equal share."""
    if all(row.cases is not None for row in rows):
        said = round(math.fsum(row.cases or 0 for row in rows))
        if cases is not None and cases != said:
            raise InputError(f"--cases {cases}, and the files say {said}", hint="leave --cases out, or mend the files")
        return list(rows), said
    if cases is None:
        return [replace(row, cases=None) for row in rows], None
    return [replace(row, cases=cases / len(rows)) for row in rows], cases


def _weighed(
    before: str,
    after: str,
    rows: Sequence[CategoryRow],
    total: int | None,
    discordance: float,
    unpaired: Sequence[str],
    notes: Sequence[str],
) -> CategoryComparison:
    overall_before = math.fsum(row.before for row in rows) / len(rows)
    overall_after = math.fsum(row.after for row in rows) / len(rows)
    used = max(discordance, math.fsum(abs(row.delta) for row in rows) / len(rows))
    least, most = _bounds(rows, overall_after - overall_before) if total else (None, None)
    found = CategoryComparison(
        before=before,
        after=after,
        rows=tuple(rows),
        overall_before=overall_before,
        overall_after=overall_after,
        cases=total,
        discordance=used,
        least_p=least,
        most_p=most,
        detectable=smallest_detectable(total, used) if total else None,
        needed=cases_needed(overall_after - overall_before, used),
        unpaired=tuple(unpaired),
        notes=tuple(notes),
        verdict=Verdict(word="not shown", sentence=""),
    )
    return replace(found, verdict=_verdict(found))


def _percent(share: float) -> str:
    """A share with as many digits as tell it from its like.

    >>> _percent(0.15), _percent(0.06125), _percent(0.0004)
    ('15 %', '6.1 %', '0.04 %')
    """
    return f"{round(share * 100, 0 if share >= 0.1 else 1 if share >= 0.01 else 2):g} %"


def _bounds(rows: Sequence[CategoryRow], delta: float) -> tuple[float, float]:
    """The smallest and the largest p of exact McNemar over every pairing of pass/fail cases with these scores.

    A category that moves by δ has at least n·|δ| cases that differ, all one way, and at most n·min(p + q, 2 − p − q).
    """
    gains = math.fsum(max(0.0, row.delta) * (row.cases or 0) for row in rows)
    falls = math.fsum(max(0.0, -row.delta) * (row.cases or 0) for row in rows)
    room = [min(row.before + row.after, 2 - row.before - row.after) - abs(row.delta) for row in rows]
    spare = math.fsum(share * (row.cases or 0) for share, row in zip(room, rows, strict=True)) / 2
    more, fewer = max(gains, falls), min(gains, falls)
    least = mcnemar(_up(more), _down(fewer))
    many, few = _down(more + spare), _up(fewer + spare)
    agrees = (gains > falls) == (delta > 0)  # else categories of unequal size pull the counts the other way
    return least, mcnemar(many, few) if many > few and agrees else 1.0


def _up(count: float) -> int:
    return math.ceil(count - 1e-9)


def _down(count: float) -> int:
    return math.floor(count + 1e-9)


# --- in words ---------------------------------------------------------------------------------------------------------


def _verdict(found: CategoryComparison) -> Verdict:
    numbers = f"{found.overall_before:.3f} against {found.overall_after:.3f} ({signed(found.delta)})"
    if found.cases is None or found.least_p is None or found.most_p is None:
        return Verdict(
            word="not shown",
            sentence=f"Not shown: {numbers} over {len(found.rows)} categories. Scores of categories allow no test.",
            reasons=tuple(_needs(found)),
            next_step="compare the scores of cases, or say on how many the categories rest: --cases N",
        )
    on = f"on {found.cases} pass/fail cases"
    step = (
        f"to see {signed(found.delta, 2)}: {about(found.needed)} pairs; you have {found.cases}" if found.needed else ""
    )
    if found.most_p <= ALPHA:
        word: Literal["better", "worse"] = "better" if found.delta > 0 else "worse"
        sentence = f"{found.after} is {word} than {found.before}: {numbers} {on}, however these pair up."
        reasons = (f"{p_words(found.most_p)} at most, by exact McNemar", *_needs(found))
        return Verdict(
            word=word, sentence=sentence, reasons=reasons, next_step="compare the scores of cases to see where"
        )
    if found.least_p > ALPHA:
        sentence = f"Not shown: {numbers} {on} is no evidence, however these pair up."
        reasons = (f"{p_words(found.least_p)} at least, by exact McNemar", *_needs(found))
        return Verdict(word="not shown", sentence=sentence, reasons=reasons, next_step=step)
    sentence = f"Not shown: {numbers} {on} may be evidence or not, by how these pair up."
    reasons = (f"between {p_words(found.least_p)} and {p_words(found.most_p)}, by exact McNemar", *_needs(found))
    return Verdict(word="not shown", sentence=sentence, reasons=reasons, next_step="compare the scores of cases")


def _needs(found: CategoryComparison) -> Iterator[str]:
    """What such a difference needs, and what so many cases can see."""
    share = f"of which {_percent(found.discordance)} differ"
    if found.needed is not None:
        yield f"{signed(found.delta, 2)} needs {about(found.needed)} pass/fail cases {share}"
    if found.cases is not None:
        seen = "none" if found.detectable is None else f"about {found.detectable:.2f}"
        yield f"the smallest difference that {found.cases} cases show at 80 % power, {share}: {seen}"
        yield "taken to be pass/fail, each resting on facts of its own"
