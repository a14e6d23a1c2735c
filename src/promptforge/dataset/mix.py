"""Which rows are taken: the mix of a recipe exactly, no fact more than its share, no written case given away.

What is held is the number of a seed and of its wording for each row, and no text: the rows are made when they are asked
for. Where a kind cannot give its rows, all are fewer, so that the mix stays; where too much is missing, none are made.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptforge.dataset.keys import Keys
from promptforge.dataset.making import Maker, Worded
from promptforge.dataset.replayed import Look, Places
from promptforge.dataset.rows import Kind, Recipe
from promptforge.dataset.seeds import Seed
from promptforge.dataset.shares import dealt
from promptforge.dataset.ties import Ties
from promptforge.dataset.weak import Weak
from promptforge.dataset.written_cases import WrittenCases
from promptforge.errors import InputError
from promptforge.model import LEVELS
from promptforge.text import TextError

__all__ = ["WEIGHTS", "Mixed", "Stock", "TooFewError", "looking", "mix"]

WEIGHTS: Mapping[str, float] = {
    "forward": 0.35,
    "inverse": 0.20,
    "twin": 0.15,
    "hops": 0.15,
    "unknown": 0.15,
    "refusal": 0.5,
    "benign": 0.5,
}
"""The categories' shares of their kind; of one that is not here, 1."""
LEAST = 0.9
"""Of the rows that are asked for: with less than this, what would be made is not what was asked for."""
_WEAK_SHARE = 0.6
"""What rows of weak categories get of a category of rows, where there are both."""
_ORDER: Sequence[Kind] = ("domain", "jailbreak", "identity", "replay", "infrastructure")
"""Rows that cannot be chosen freely come first; then those that fill up."""
_REPLAY = 0xFFFFFFFF
"""In place of a seed's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What rows can be made of."""

    seeds: Sequence[Seed]
    maker: Maker
    cases: WrittenCases
    weak: Weak
    clearance: str
    """The most sensitive level that the model may see."""
    barred: Callable[[Iterable[str]], bool]
    """Whether texts hold a value above it."""
    replays: Places = field(default_factory=lambda: Places(()))
    """Of the user's own rows, a sample."""


@dataclass(slots=True)
class Mixed:
    """The rows that were taken, as numbers."""

    total: int
    seeds: "array[int]" = field(default_factory=lambda: array("L"))
    wordings: "array[int]" = field(default_factory=lambda: array("L"))
    """Of a replay row its place in the sample."""
    facts: "array[int]" = field(default_factory=lambda: array("l"))
    """The number of a fact that it rests on, -1 for none: its group is found in `ties`."""
    strata: "array[int]" = field(default_factory=lambda: array("H"))
    numbers: dict[tuple[Kind, str], int] = field(default_factory=dict)
    """Of the strata, by kind and category."""
    ties: Ties = field(default_factory=lambda: Ties(small=0, most=0))
    kinds: Counter[Kind] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    given_away: Counter[str] = field(default_factory=Counter)
    of_fact: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    short: dict[Kind, int] = field(default_factory=dict)
    """What kinds could give that could not give their share of the rows that were asked for."""

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def names(self) -> Sequence[tuple[Kind, str]]:
        """The strata by their numbers."""
        return tuple(self.numbers)

    def is_replay(self, at: int) -> bool:
        """Whether a row is one of the user's own."""
        return self.seeds[at] == _REPLAY

    def add(self, seed: int, wording: int, stratum: tuple[Kind, str], facts: Sequence[str]) -> None:
        """Take a row."""
        self.seeds.append(seed)
        self.wordings.append(wording)
        self.strata.append(self.numbers.setdefault(stratum, len(self.numbers)))
        self.facts.append(self.ties.add(facts) if facts else -1)
        for fact in facts:
            self.of_fact[fact] += 1
        self.kinds[stratum[0]] += 1


class TooFewError(InputError):
    """There are not enough rows for what a recipe asks."""

    def __init__(self, message: str, *, hint: str, rows: int, nothing_of: str) -> None:
        super().__init__(message, hint=hint)
        self.rows = rows
        """So many rows of this mix can be made, as far as is known yet."""
        self.nothing_of = nothing_of
        """A kind of which there is not one row, or nothing."""


def looking(recipe: Recipe, cases: WrittenCases, barred: Callable[[Iterable[str]], bool]) -> Look:
    """What looks at a row of the user's own, once: whether it may be taken, and what it says."""
    keys = Keys(str(recipe.seed).encode())

    def look(messages: Sequence[tuple[str, str]]) -> tuple[int, str, str]:
        user = messages[-2][1]  # turns alternate, and the last is the assistant's
        if barred(text for _, text in messages):
            return 0, "clearance", ""
        case = cases.alike(user, ())
        return keys.of_text(f"{user}\0{messages[-1][1]}"), "alike" if case else "", case

    return look


def mix(recipe: Recipe, stock: Stock) -> Mixed:
    """The rows of a recipe. Raises InputError, with the arithmetic, where too much of a kind is missing."""
    total, short = recipe.rows, dict[Kind, int]()
    while True:
        taker = _Taker(recipe, stock, total)
        taken = taker.take()
        wanted = dealt(total, recipe.mix)
        missing = {kind: taken.kinds[kind] for kind in wanted if taken.kinds[kind] < wanted[kind]}
        short.update(missing)
        if not missing:
            break
        fewer = _most_rows(recipe, missing, total)
        if fewer < LEAST * recipe.rows:
            message, hint = _refusal(recipe, missing, fewer, taken)
            nothing = next((kind for kind, had in missing.items() if not had), "")
            raise TooFewError(message, hint=hint, rows=fewer, nothing_of=nothing)
        total = fewer
    if short:
        taken.notes.insert(0, _fewer(recipe, short, total))
    taken.short = short
    return taken


def _most_rows(recipe: Recipe, supply: Mapping[Kind, int], below: int) -> int:
    """The largest number of rows, below another, of which no kind needs more than it can give."""
    rows = min(below - 1, *(int((had + 1) / recipe.mix[kind]) + 1 for kind, had in supply.items()))
    while rows > 0 and any(dealt(rows, recipe.mix)[kind] > had for kind, had in supply.items()):
        rows -= 1
    return max(rows, 0)


def _arithmetic(recipe: Recipe, supply: Mapping[Kind, int]) -> str:
    wanted = dealt(recipe.rows, recipe.mix)
    return "; ".join(
        f"{kind} needs {wanted[kind]:,} ({recipe.mix[kind]:g} of {recipe.rows:,}) and {had:,} can be made"
        for kind, had in supply.items()
    )


def _refusal(recipe: Recipe, supply: Mapping[Kind, int], fewer: int, taken: Mixed) -> tuple[str, str]:
    message = f"the recipe '{recipe.name}' asks for more rows than there are: {_arithmetic(recipe, supply)}"
    least = min(supply, key=lambda kind: supply[kind] / recipe.mix[kind])
    if not supply[least]:
        return message, f"there is nothing to make {least} of: write some, or leave it out of the mix"
    share = f"give {least} {supply[least] / recipe.rows:.3g} of the mix or less"
    why = ", ".join(f"{count:,} {word}" for word, count in taken.left_out.most_common())
    hint = f"write rows: {fewer:,} or fewer, {share}, or write more to make it of"
    return message, hint + (f"; left out were (by reason): {why}" if why else "")


def _fewer(recipe: Recipe, supply: Mapping[Kind, int], total: int) -> str:
    return f"{total:,} rows rather than {recipe.rows:,}, so that the mix is as asked: {_arithmetic(recipe, supply)}"


class _Taker:
    """One try at a number of rows."""

    def __init__(self, recipe: Recipe, stock: Stock, total: int) -> None:
        self.recipe, self.stock = recipe, stock
        small = int(total * max(recipe.valid, recipe.test))
        self.taken = Mixed(total=total, ties=Ties(small=small, most=total // 2))
        self.cap = max(1, int(total * recipe.max_share_per_fact + 1e-9))
        self.seen: set[int] = set()
        self.keys = Keys(str(recipe.seed).encode())

    def take(self) -> Mixed:
        """All that can be taken."""
        by_kind: dict[Kind, list[int]] = {}
        for number, seed in enumerate(self.stock.seeds):
            by_kind.setdefault(seed.kind, []).append(number)
        wanted = dealt(self.taken.total, self.recipe.mix)
        for kind in _ORDER:
            if kind == "replay":
                self._take_replays(wanted.get(kind, 0))
            elif wanted.get(kind):
                self._take_kind(kind, wanted[kind], by_kind.get(kind, []))
        return self.taken

    # --- seeds

    def _take_kind(self, kind: Kind, wanted: int, numbers: Sequence[int]) -> None:
        """By category, and in it weak and other; what one of them lacks the others give."""
        strata: dict[tuple[str, bool], list[int]] = {}
        for number in numbers:
            seed = self.stock.seeds[number]
            strata.setdefault((seed.category, self.stock.weak.holds(seed)), []).append(number)
        order = sorted(strata, key=lambda key: (self._place(key[0]), key[0], not key[1]))
        parts = {key: self._wordings(strata[key]) for key in order}
        targets = dealt(wanted, {key: self._weight(key, strata) for key in order})
        got = dict.fromkeys(order, 0)
        for key in order:
            got[key] = self._fill(kind, key[0], parts[key], targets[key])
        missing = wanted - sum(got.values())
        for key in order if missing else ():
            more = self._fill(kind, key[0], parts[key], missing)
            got[key] += more
            missing -= more
        self._say_moved(kind, targets, got)

    def _place(self, category: str) -> int:
        """Rows that may tie facts together come last: by then it is known what there is to tie."""
        return {"twin": 1, "hops": 2}.get(category, 0)

    def _weight(self, key: tuple[str, bool], strata: Mapping[tuple[str, bool], object]) -> float:
        category, weak = key
        weight = WEIGHTS.get(category, 1.0)
        if (category, not weak) not in strata:
            return weight
        return weight * (_WEAK_SHARE if weak else 1 - _WEAK_SHARE)

    def _wordings(self, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
        """(seed, wording): every seed once, in a seeded order, then each once more in other words, and so on."""
        seeds = [(number, self.stock.seeds[number]) for number in numbers]
        order = sorted((self.keys.of_text(seed.identity), number, seed.pair.ways) for number, seed in seeds)
        turn = 0
        while order:
            for key, number, ways in order:
                yield number, (key + turn) % ways
            turn += 1
            order = [one for one in order if turn < one[2]]

    def _fill(self, kind: Kind, category: str, wordings: Iterator[tuple[int, int]], wanted: int) -> int:
        got = 0
        if wanted <= 0:
            return 0
        for number, wording in wordings:
            seed = self.stock.seeds[number]
            facts = self._accepted(seed, wording)
            if facts is None:
                continue
            self.taken.add(number, wording, (kind, category), facts)
            got += 1
            if got == wanted:
                break
        return got

    def _accepted(self, seed: Seed, wording: int) -> tuple[str, ...] | None:
        """The facts that a row rests on; None where it is left out, which is counted."""
        of_fact, cap = self.taken.of_fact, self.cap
        made: Worded | None = None
        one, other = seed.fact, seed.other
        full = one is not None and of_fact[one.id] >= cap
        reason = "fact" if full or (other is not None and of_fact[other.id] >= cap) else ""
        if not reason:
            try:
                made = self.stock.maker.worded(seed, wording, self.stock.cases.expected)
            except TextError:
                reason = "text"
            else:
                reason = self._reason(seed, made)
        if made is None or reason:
            self._left_out(reason)
            return None
        return made.facts

    def _left_out(self, reason: str) -> None:
        self.taken.left_out[reason] += 1

    def _reason(self, seed: Seed, made: Worded) -> str:
        """Why a row cannot be taken, or nothing."""
        cap, of_fact = self.cap, self.taken.of_fact
        if not made.question or not made.answer:
            return "text"
        for fact in made.facts:
            if of_fact[fact] >= cap:
                return "fact"
        if self._not_for(seed, made):
            return "clearance"
        if seed.kind == "infrastructure" and len(made.facts) > 1 and not self.taken.ties.may_tie(made.facts):
            return "tied"
        if case := self.stock.cases.printed_in(made.asked):
            self.taken.given_away[case] += 1
            return "expected"
        return self._text_reason(made.question, made.answer, made.facts)

    def _text_reason(self, question: str, answer: str, facts: Sequence[str]) -> str:
        key = self.keys.of_text(f"{question}\0{answer}")
        if key in self.seen:
            return "twice"
        if case := self.stock.cases.alike(question, facts):
            self.taken.given_away[case] += 1
            return "alike"
        self.seen.add(key)
        return ""

    def _not_for(self, seed: Seed, made: Worded) -> bool:
        """What the agent's prompt may not hold; what a text tests or counts is read, too, if not printed."""
        allowed = LEVELS[self.stock.clearance]
        for fact in made.beyond:
            if LEVELS[fact.level] > allowed or (seed.kind == "infrastructure" and fact.id not in seed.learner.held):
                return True
        return self.stock.barred((made.question, made.answer))

    def _say_moved(
        self, kind: Kind, targets: Mapping[tuple[str, bool], int], got: Mapping[tuple[str, bool], int]
    ) -> None:
        """What a category lacked, and that others gave it."""
        wanted: Counter[str] = Counter()
        made: Counter[str] = Counter()
        for (category, _), count in targets.items():
            wanted[category] += count
        for (category, _), count in got.items():
            made[category] += count
        for category, count in wanted.items():
            if made[category] < count and sum(made.values()) == sum(wanted.values()):
                self.taken.notes.append(
                    f"{kind}: {category} gives {made[category]:,} of its {count:,} rows; other categories of "
                    f"{kind} give the rest"
                )

    # --- the user's own rows

    def _take_replays(self, wanted: int) -> None:
        places, categories = self.stock.replays, [*self.stock.replays.categories]
        for at in range(len(places)):
            if self.taken.kinds["replay"] >= wanted:
                return
            if places.says[at] in self.seen:
                self._left_out("twice")
                continue
            self.seen.add(places.says[at])
            self.taken.add(_REPLAY, at, ("replay", categories[places.category[at]]), ())
