"""No model at all: finds the line of the prompt that answers, by the words it shares with the question.

It says how many answers can be found in a prompt, never how well a model would find them. It follows no links, keeps
no secrets, calls no tools, and says that it does not know when nothing matches enough. The same prompt and question
give the same answer.
"""

import math
import re
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from promptforge.backends.base import Answer, Request, Usage
from promptforge.backends.passages import Passage, example, passages_of
from promptforge.backends.terms import FILLERS, VERBS, Term, stem, terms_of
from promptforge.files import digest_of

__all__ = ["UNKNOWN", "Reader"]

UNKNOWN = "I don't know."
_VERSION = "1"
"""Another way of reading is another model: its answers are not mixed with those of this one."""
_KEPT = 64
"""Prompts whose index is kept."""

_IN_HEADING = 0.5
_IN_COLUMN = 0.7
_IN_ANSWER = 0.5
_WHOLE_CELL = 0.35
_ENOUGH = {"row": 0.5, "example": 0.6, "prose": 0.62}
"""The share of what is asked that a passage must hold. Prose shares words with everything, so it must hold more."""
_NEW_WORD = 0.6
"""What an unknown word counts against one that stands once in the prompt: it may be a verb, or what is asked about."""
_VERB = 0.3
_MOST_ROWS = 8


class Reader:
    """Answers from the prompt."""

    name = "reader"

    def __init__(self) -> None:
        self._indexes: OrderedDict[str, _Index] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def identity(self) -> Mapping[str, str]:
        """Its way of reading."""
        return {"backend": self.name, "version": _VERSION}

    def answer(self, request: Request, *, timeout_s: float, stop: threading.Event | None = None) -> Answer:
        """The line of the prompt that answers, or that there is none."""
        started = time.perf_counter()
        examples = [
            example(asked, answered)
            for (role, asked), (then, answered) in pairwise(request.messages[:-1])
            if (role, then) == ("user", "assistant")
        ]
        index = self._index(request.system, examples)
        text = _answer(index, request.messages[-1][1])
        return Answer(text=text, usage=Usage(), latency_s=time.perf_counter() - started, model=self.name)

    def stream(
        self,
        request: Request,
        on_text: Callable[[str], None],
        *,
        timeout_s: float,
        stop: threading.Event | None = None,
    ) -> Answer:
        """The same, handed over at once."""
        answer = self.answer(request, timeout_s=timeout_s)
        on_text(answer.text)
        return answer

    def close(self) -> None:
        """Nothing to give back."""

    def _index(self, system: str, examples: Sequence[Passage]) -> "_Index":
        key = digest_of(repr((system, [(one.asked, one.text) for one in examples])))
        with self._lock:
            if key in self._indexes:
                self._indexes.move_to_end(key)
                return self._indexes[key]
        made = _Index([*passages_of(system), *examples])
        with self._lock:
            self._indexes[key] = made
            while len(self._indexes) > _KEPT:
                self._indexes.popitem(last=False)
        return made


# ---- The index -------------------------------------------------------------------------------------------------------


class _Index:
    """The passages of a prompt by the terms in them."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = passages
        self.postings: dict[str, dict[int, float]] = {}
        self.columns: dict[str, frozenset[str]] = {}
        """Column to the stems of its name."""
        self.rows: dict[str, list[int]] = {}
        """Column to the rows that have a value in it."""
        memory: dict[str, tuple[str, ...]] = {}
        for number, passage in enumerate(passages):
            for text, weight in _texts(passage):
                values = memory.get(text)
                if values is None:
                    values = memory[text] = tuple({term.value for term in terms_of(text)})
                for value in values:
                    held = self.postings.get(value)
                    if held is None:
                        self.postings[value] = {number: weight}
                    elif weight > held.get(number, 0.0):
                        held[number] = weight
            for column, _ in passage.cells:
                if column not in self.columns:
                    self.columns[column] = frozenset(stem(part) for part in re.findall(r"[a-z\d]+", column.lower()))
                    self.rows[column] = []
                self.rows[column].append(number)
        self._nouns: dict[str, frozenset[str]] = {}
        self._size = math.log(len(passages) + 1.0) + 1.0

    def nouns(self, heading: str) -> frozenset[str]:
        """The words of a heading."""
        if heading not in self._nouns:
            self._nouns[heading] = frozenset(term.value for term in terms_of(heading)) - FILLERS
        return self._nouns[heading]

    def rarity(self, value: str) -> float:
        """How much a term tells: the rarer, the more."""
        found = self.postings.get(value)
        return self._size - math.log(len(found)) if found else self._size


def _texts(passage: Passage) -> Iterable[tuple[str, float]]:
    yield passage.heading, _IN_HEADING
    if passage.kind == "row":
        yield from ((value, 1.0) for _, value in passage.cells)
    elif passage.kind == "example":
        yield passage.asked, 1.0
        yield passage.text, _IN_ANSWER
    else:
        yield passage.text, 1.0


# ---- The question ----------------------------------------------------------------------------------------------------

_MEANS: Mapping[str, tuple[str, ...]] = {
    stem(word): means
    for word, means in {
        "address": ("ip",),
        "amount": ("cost", "price"),
        "called": ("name",),
        "cost": ("amount", "price"),
        "hour": ("time",),
        "much": ("amount", "cost", "price"),
        "number": ("port", "count"),
        "operating": ("os",),
        "person": ("owner", "name"),
        "price": ("amount", "cost"),
        "protocol": ("proto",),
        "room": ("area", "place"),
        "system": ("os",),
        "tailnet": ("tailscale",),
        "time": ("date", "hour"),
        "type": ("kind",),
        "when": ("time", "date", "day", "due", "hour"),
        "where": ("area", "host", "site", "room", "place", "location"),
        "who": ("owner", "person", "user"),
        "whose": ("owner",),
        "whom": ("owner", "person", "user"),
    }.items()
}
"""Words of a question and the names that columns have for what they ask."""

_SHAPES: Mapping[str, re.Pattern[str]] = {
    "mac": re.compile(r"\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b"),
    "ip": re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*::[0-9A-Fa-f:]*"),
    "address": re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*::[0-9A-Fa-f:]*|@|://"),
    "port": re.compile(r"\d"),
    "number": re.compile(r"\d"),
    "many": re.compile(r"\d"),
    "hour": re.compile(r"\d"),
    "time": re.compile(r"\d"),
    "entity": re.compile(r"\b[a-z_]+\.[a-z0-9_]+"),
    "id": re.compile(r"[\w-]+[._-][\w-]+"),
}
"""What an answer must look like when the question names its kind."""


@dataclass(slots=True)
class _Question:
    """What is asked, weighed by how much each term tells of this prompt."""

    weights: dict[str, float]
    words: tuple[str, ...]
    """Stems in order, fillers included."""
    kinds: frozenset[str]
    """What stands after "which" and "what"."""
    lost: bool
    """It names an identifier that stands nowhere in the prompt."""

    @classmethod
    def of(cls, text: str, index: _Index) -> "_Question":
        weights: dict[str, float] = {}
        words: list[str] = []
        lost = False
        for term in terms_of(text):
            if term.value == "address" and words[-1:] == ["mac"]:
                continue  # a MAC address is no address
            words.append(term.value)
            known = term.value in index.postings
            lost = lost or (term.identifier and not known) or (not known and _is_port(term, words))
            if term.value in FILLERS:
                continue
            weights[term.value] = index.rarity(term.value) * _share(term, known=known, first=len(words) == 1)
        kinds = frozenset(word for before, word in pairwise(words) if before in ("which", "what"))
        return cls(weights, tuple(words), kinds, lost)


def _share(term: Term, *, known: bool, first: bool) -> float:
    """What a term counts against the rarest one; an unknown name or number is what is asked about."""
    if term.value in VERBS:
        return _VERB if known else 0.0
    return 1.0 if known or (term.kind in ("name", "number") and not first) else _NEW_WORD


def _is_port(term: Term, words: Sequence[str]) -> bool:
    return term.kind == "number" and len(words) > 1 and words[-2] == "port"


# ---- The answer ------------------------------------------------------------------------------------------------------


def _answer(index: _Index, text: str) -> str:
    question = _Question.of(text, index)
    if question.lost or not question.weights:
        return UNKNOWN
    ranked = _ranked(index, question)
    if not ranked:
        return UNKNOWN
    found = [match for rank, match in ranked if ranked[0][0] - rank < 1e-9]
    if found[0].passage.kind != "row":
        return found[0].passage.text
    rows = [match for match in found if match.passage.kind == "row"]
    if len(rows) > _MOST_ROWS:
        return UNKNOWN  # what fits so many rows alike is not what is asked
    return " ".join(dict.fromkeys(_sentence(row, question) for row in rows))


@dataclass(slots=True)
class _Match:
    """A passage, and how the question meets its cells."""

    passage: Passage
    given: list[tuple[str, str, tuple[str, ...]]]
    """The cells that the question names: (column, value, terms)."""
    asked: list[tuple[str, str]]
    """The cells that the question asks for."""
    spent: frozenset[str]
    """The words of the question that name a column."""


def _ranked(index: _Index, question: _Question) -> list[tuple[float, _Match]]:
    """The passages that match enough, best first."""
    matched = _matched(index, question)
    most = max(matched.values(), default=0.0)
    ranked = []
    for number in sorted(number for number, points in matched.items() if points >= most / 2):
        match = _match(index, index.passages[number], question)
        open_ = {v: w for v, w in question.weights.items() if v not in match.spent}
        points = sum(w * index.postings.get(v, {}).get(number, 0.0) for v, w in open_.items())
        if (
            points > 0
            and points >= sum(open_.values()) * _ENOUGH[match.passage.kind]
            and _fits(match.passage, question)
        ):
            ranked.append((matched[number] * (1.0 + _WHOLE_CELL * _whole_cells(match, question)), match))
    return sorted(ranked, key=lambda entry: -entry[0])


def _matched(index: _Index, question: _Question) -> dict[int, float]:
    """What each passage shares with the question; a column's name counts for the rows with a value in it."""
    matched: dict[int, float] = {}
    for value, weight in question.weights.items():
        shares = dict(index.postings.get(value, {}))
        means = {value, *_MEANS.get(value, ())}
        for column, parts in index.columns.items():
            if not parts.isdisjoint(means):
                for number in index.rows[column]:
                    shares[number] = max(shares.get(number, 0.0), _IN_COLUMN)
        for number, share in shares.items():
            matched[number] = matched.get(number, 0.0) + weight * share
    return matched


def _match(index: _Index, passage: Passage, question: _Question) -> _Match:
    """Which cells are given, and which are asked for: each word that names columns asks for those it names best."""
    given = _given(passage, question)
    held = {column for column, _, _ in given}
    named = {word: _named(word, passage, index, question) for word in question.words}
    hits = Counter(column for columns in named.values() for column in columns)
    asked: set[str] = set()
    for columns in named.values():
        most = max((hits[column] for column in columns), default=0)
        best = {column for column in columns if hits[column] == most}
        if not best & held:
            asked |= best
    spent = frozenset(word for word, columns in named.items() if columns)
    return _Match(passage, given, [(c, v) for c, v in passage.cells if c in asked], spent)


def _named(word: str, passage: Passage, index: _Index, question: _Question) -> frozenset[str]:
    """The columns of a row that a word means; "which host" under a heading of hosts means the first column."""
    means = {word, *_MEANS.get(word, ())}
    columns = frozenset(column for column, _ in passage.cells if index.columns[column] & means)
    if not columns and passage.cells and word in question.kinds and word in index.nouns(passage.heading):
        return frozenset([passage.cells[0][0]])
    return columns


def _fits(passage: Passage, question: _Question) -> bool:
    """Whether what is not a row looks like what is asked for."""
    if passage.kind == "row":
        return True
    held = {term.value: term for term in terms_of(f"{passage.asked} {passage.text}")}
    shared = [held[value] for value in question.weights if value in held and value not in VERBS]
    if len(shared) < 2 and not any(term.identifier for term in shared):
        return False  # one common word is a coincidence
    return all(shape.search(passage.text) for word, shape in _SHAPES.items() if word in question.words)


def _whole_cells(match: _Match, question: _Question) -> float:
    """The share of the question that names cells of the row whole."""
    named = {value for _, _, values in match.given for value in values}
    return sum(question.weights.get(value, 0.0) for value in named) / sum(question.weights.values())


def _given(passage: Passage, question: _Question) -> list[tuple[str, str, tuple[str, ...]]]:
    """The cells whose every term stands in the question; one that is part of another's is only an echo of it."""
    found = []
    for column, value in passage.cells:
        values = tuple(dict.fromkeys(term.value for term in terms_of(value)))
        if values and all(v in question.words for v in values) and any(v in question.weights for v in values):
            found.append((column, value, values))
    return [cell for cell in found if not any(set(cell[2]) < set(other[2]) for other in found)]


def _sentence(match: _Match, question: _Question) -> str:
    cells = match.asked
    if not cells:
        named = {column for column, _, _ in match.given}
        cells = [(column, value) for column, value in match.passage.cells if column not in named]
    cells = cells or list(match.passage.cells)
    said = ", ".join(f"{column.replace('_', ' ')} {value}" for column, value in cells)
    if not match.given:
        return f"{said[:1].upper()}{said[1:]}."
    subject = max(match.given, key=lambda cell: sum(question.weights.get(v, 0.0) for v in cell[2]))[1]
    if len(cells) == 1:
        return f"The {cells[0][0].replace('_', ' ')} of {subject} is {cells[0][1]}."
    return f"{subject}: {said}."
