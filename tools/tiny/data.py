"""Made-up prompts as promptforge compiles them, with questions whose answers can only be read there.

Names, numbers and addresses are drawn anew for each prompt, so there is nothing to learn by heart but how to look up.
The tables are printed by promptforge's own code: what the model learns to read is what it will be given.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from facts import FACTS
from tables import KINDS, OWN_COLUMNS, Kind
from values import Values

from promptforge.compiler.rows import FORMS
from promptforge.model import Fact

__all__ = ["LOOKED_UP", "UNKNOWN", "Maker", "Prompt", "Question"]

UNKNOWN = "I don't know."
LOOKED_UP = frozenset({"second", "third", "later"})
"""Kinds of questions that a table answers: the key is in its first column (or the host is, and the key after it), and
the answer is in the next column or further on; or the key is in a later column itself."""
_SENTENCES = (
    "Your duty is that the {0} stays {1}.",
    "Your duty is to know the {0} and the {1}.",
    "You answer in one or two words.",
    "Answer briefly, and copy names and numbers character by character.",
    "What is not in your tables, you do not know: say so.",
    'When a thing is not in your tables, say "I don\'t know".',
    "You look after the {0} and the {1}.",
    "Never guess a {0}.",
    "You never speak of the {0}.",
    "Before you answer, compare digit by digit.",
    "Be exact.",
)


class Question(NamedTuple):
    """One question on a prompt."""

    ask: str
    answer: str
    kind: str
    """One of LOOKED_UP, or `row`, `absent`, `general`, `self`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What stands before the questions, each of which is asked alone."""

    system: str
    turns: tuple[tuple[str, str], ...]
    """Worked examples that are sent as messages."""
    questions: tuple[Question, ...]
    base: str
    """The persona alone."""
    form: str = ""


class Maker:
    """Draws prompts; the same words and seed give the same prompts."""

    def __init__(self, words: Sequence[str], seed: int) -> None:
        self._random = random.Random(seed)
        self._values = Values(words, self._random)

    def prompt(self, rows: int, most: int, *, form: str = "", plain: bool = False) -> Prompt:
        """A prompt with so many rows in its tables and at most so many questions on them.

        Without rows it is the persona. A plain one has a key and an answer in each row, and asks for whole rows, too:
        looking up is found in small steps, or hardly at all. To copy a row, each token needs only those before it; what
        marks a value with its key is found that way, and what starts the copy finds the key in the question.
        """
        r = self._random
        self._values.forget()
        name, base, who = self._persona(plain)
        form = form or r.choices(tuple(FORMS), (55, 20, 25))[0]
        parts, asked, absent = [base], [], []
        if rows and not plain and r.random() < 0.15:
            rules = [self._sentence() for _ in range(r.randint(1, 3))]
            parts.append("## House rules\n\n" + "".join(f"- {rule}\n" for rule in rules))
        for share in self._shares(rows):
            section, some, others = self._table(share, form, plain)
            parts.append(section)
            asked += some
            absent += others
        r.shuffle(asked)
        r.shuffle(absent)
        has_examples = len(asked) > 8 and not plain and r.random() < 0.2
        shown = [asked.pop() for _ in range(r.randint(1, 3))] if has_examples else []
        as_messages = r.random() < 0.25
        if shown and not as_messages:
            parts.append("## Examples\n" + "\n".join(f"Q: {one.ask}\nA: {one.answer}\n" for one in shown))
        few = rows and (plain or rows < 6)
        general = self._general(8 if not rows else r.random() < 0.3 if few else r.randint(1, 2))
        if not rows:
            absent = [one for _ in range(8) for one in self._table(0, "kv", True)[2]]
        unknown = absent[: 4 if not rows else r.random() < 0.2 if few else r.randint(1, 2)]
        others = [*general, *self._self(name, who), *unknown]
        turns = tuple((one.ask, one.answer) for one in shown) if as_messages else ()
        questions = (*asked[:most], *others)
        return Prompt(system="\n".join(parts), turns=turns, questions=questions, base=base, form=form)

    # --- tables

    def _shares(self, rows: int) -> list[int]:
        """The rows parted among one to three tables."""
        if rows < 6 or self._random.random() < 0.4:
            return [rows] if rows else []
        first = self._random.randint(2, rows - 2)
        rest = rows - first
        return [first, rest] if rest < 6 or self._random.random() < 0.6 else [first, rest // 2, rest - rest // 2]

    def _kind(self, plain: bool) -> tuple[str, Kind, tuple[str, ...]]:
        """A table's name, its kind, and the columns that are shown; in a plain one, a key and an answer."""
        r = self._random
        name = r.choices((*KINDS, "own"), (6, 4, 3, 2, 1, 2))[0]
        if name == "own":
            columns = ("name", *r.sample(OWN_COLUMNS, 1 if plain else r.randint(1, 3)))
            ways = ("What is the {1} of {0}?", "Which {1} has {0}?")
            asks = tuple(("name", one, tuple(way.replace("{1}", one) for way in ways)) for one in columns[1:])
            return self._values.word() + "s", Kind(columns, frozenset(columns), asks), columns
        kind = KINDS[name]
        if plain:
            key, answer, _ = r.choice(kind.asks)
            return name, kind, (key, answer)
        some = r.random()  # else the answer is too often the cell next to the key
        return name, kind, tuple(one for one in kind.columns if one in kind.always or r.random() < some)

    def _table(self, rows: int, form: str, plain: bool) -> tuple[str, list[Question], list[Question]]:
        """A section, the questions that it answers, and some that it does not."""
        r = self._random
        name, kind, columns = self._kind(plain)
        facts = [self._values.fact(name, columns) for _ in range(rows + 2)]  # the last two are not printed
        for values in facts[:rows] if r.random() < 0.1 and not plain else ():
            values["notes"] = self._values.note() if r.random() < 0.5 else ""
        shown = tuple(facts[0])
        head, row = FORMS[form]
        printed = [row(Fact(name, "", values, "", 0, 0, "internal"), shown) for values in facts[:rows]]
        title = name if r.random() < 0.5 else self._values.heading()
        asked = [one for values in facts[:rows] for one in self._asked(kind, columns, values)]
        for values, line in zip(facts, printed, strict=False) if plain else ():
            asked.append(Question(f"Show the row of {values[columns[0]]}.", line.strip("|- \n"), "row"))
        others = [one for values in facts[rows:] for one in self._asked(kind, columns, values)]
        absent = [one._replace(answer=UNKNOWN, kind="absent") for one in others]
        return f"## {title}\n{head(shown)}{''.join(printed)}", asked, absent

    def _asked(self, kind: Kind, columns: tuple[str, ...], values: dict[str, str]) -> Iterator[Question]:
        for key, answer, ways in kind.asks:
            if key not in columns or answer not in columns:
                continue
            way = self._random.choice([one for one in ways if "{host}" not in one or "host" in columns])
            at = columns.index(key)
            apart = columns.index(answer) - at
            where = "later" if columns[:at] not in ((), ("host",)) else "second" if apart == 1 else "third"
            yield Question(way.format(values[key], host=values.get("host", "")), values[answer], where)

    # --- personas, and what is asked beside the tables

    def _sentence(self) -> str:
        return self._random.choice(_SENTENCES).format(self._values.word(), self._values.word())

    def _persona(self, plain: bool) -> tuple[str, str, str]:
        """A name, the text, and its first sentence as the one says it who is meant."""
        r, word = self._random, self._values.word
        name = self._values.person()
        who = r.choice(("{0}.", "{0}, {1} of the {2}.", "{0}, keeper of the {1}.")).format(name, word(), word())
        lines = [f"You are {who}", *(self._sentence() for _ in range(0 if plain else r.randint(0, 4)))]
        return name, "".join(line + r.choice((" ", "\n")) for line in lines).rstrip() + "\n", f"I am {who}"

    def _general(self, count: int) -> list[Question]:
        return [Question(*one, "general") for one in self._random.sample(FACTS, count)]

    def _self(self, name: str, who: str) -> list[Question]:
        ask = self._random.choice(("Who are you?", "What is your name?", "With whom am I speaking?"))
        answer = f"I am {name}." if ask == "What is your name?" else who
        return [Question(ask, answer, "self")] if self._random.random() < 0.1 else []
