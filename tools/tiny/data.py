"""Made-up prompts as promptforge compiles them, with questions whose answers can only be read there.

Names, numbers and addresses are drawn anew for each prompt, so there is nothing to learn by heart but how to look up.
The tables are printed by promptforge's own code: what the model learns to read is what it will be given.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from facts import FACTS

from promptforge.compiler.rows import FORMS
from promptforge.model import Fact

__all__ = ["UNKNOWN", "Maker", "Prompt", "Question", "Stage"]

UNKNOWN = "I don't know."
Values = dict[str, str]
Stage = Literal["digits", "pairs", "whole"]
"""How hard a prompt is. Looking up is found in small steps, or hardly at all.

`digits`: a port and a common word in each row, and questions for whole rows, too: to copy a row, each token needs only
the one before it. `pairs`: a key and an answer of all kinds, in all forms. `whole`: as promptforge compiles it, with
questions that have no answer: to say that one does not know is easier to learn, and who learns it first says it always.
"""


class Question(NamedTuple):
    """One question on a prompt."""

    ask: str
    answer: str
    kind: str
    """`first` when its key is in the first column, `later` in another one; `row`, `absent`, `general`, `self`."""


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


class Kind(NamedTuple):
    """A table: its columns in order, which of them are always there, and what may be asked by which key."""

    columns: tuple[str, ...]
    always: frozenset[str]
    asks: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(column of the key, column of the answer, ways to ask): the key stands before the answer."""


_KINDS: Mapping[str, Kind] = {
    "ports": Kind(
        ("host", "port", "codename", "service"),
        frozenset({"port", "service"}),
        (
            ("port", "service", ("Which service listens on port {0}?", "What listens on port {0}?")),
            ("port", "service", ("Which service listens on port {0} of {host}?", "What runs on port {0} of {host}?")),
            ("port", "codename", ("What is the codename of port {0}?", "Which codename has port {0}?")),
            ("codename", "service", ("Which service is {0}?", "What is the service of {0}?")),
        ),
    ),
    "hosts": Kind(
        ("name", "role", "lan_ip", "tailscale_ip", "mac"),
        frozenset({"name", "lan_ip"}),
        (
            (
                "name",
                "lan_ip",
                ("What is the address of {0}?", "What is the LAN address of {0}?", "What is the address of the {0}?"),
            ),
            ("name", "lan_ip", ("Which address does {0} have?", "What is the lan_ip of {0}?")),
            ("name", "tailscale_ip", ("What is the Tailscale address of {0}?", "What is the tailscale_ip of {0}?")),
            ("name", "role", ("What is the role of {0}?", "What does {0} do?")),
            ("name", "mac", ("What is the MAC of {0}?",)),
        ),
    ),
    "devices": Kind(
        ("name", "owner", "kind", "mac"),
        frozenset({"name", "owner"}),
        (
            ("name", "owner", ("Who owns {0}?", "Who owns the {0}?", "Whose is {0}?", "Who is the owner of {0}?")),
            ("name", "kind", ("What kind of device is {0}?",)),
            ("name", "mac", ("What is the MAC of {0}?", "Which MAC has {0}?")),
        ),
    ),
    "entities": Kind(
        ("entity_id", "name", "kind", "area"),
        frozenset({"entity_id", "name"}),
        (
            ("entity_id", "name", ("What is the name of {0}?", "What is {0} called?")),
            ("entity_id", "area", ("In which area is {0}?", "Where is {0}?")),
            ("name", "area", ("In which area is {0}?", "Where is {0}?", "Where is the {0}?")),
        ),
    ),
    "people": Kind(
        ("name", "role"),
        frozenset({"name", "role"}),
        (("name", "role", ("What is the role of {0}?", "What does {0} do?")),),
    ),
}
_OWN_COLUMNS = ("colour", "driver", "floor", "model", "owner", "price", "queue")
_OWN_COLUMNS += ("room", "shelf", "size", "team", "vendor", "year", "zone")
_SENTENCES = (
    "Your duty is that the {0} stays {1}.",
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


class Maker:
    """Draws prompts; the same words and seed give the same prompts."""

    def __init__(self, words: Sequence[str], seed: int) -> None:
        self._words = words
        self._random = random.Random(seed)
        self._used: dict[str, None] = {}  # in order, unlike a set: the same seed must give the same prompts

    # --- values

    def _word(self) -> str:
        return self._random.choice(self._words)

    def _new(self, make: Callable[[], str]) -> str:
        """A value that the prompt does not have yet."""
        while (value := make()) in self._used:
            pass
        self._used[value] = None
        return value

    def _sounds(self) -> str:
        pick = self._random.choice
        return "".join(pick("bcdfghjklmnprstvwz") + pick("aeiou") for _ in range(self._random.randint(2, 3)))

    def _title(self) -> str:
        """`Memory Vault`, `LEET`, `Nice.`, `Backup over SMB`."""
        r, word = self._random, self._word
        shape = r.random()
        if shape < 0.3:
            return word().capitalize()
        if shape < 0.6:
            return f"{word().capitalize()} {word().capitalize()}"
        if shape < 0.72:
            return f"{word().capitalize()} {word()}"
        if shape < 0.8:
            return f"{word()} {word()}"
        if shape < 0.88:
            return word()[:5].upper()
        if shape < 0.94:
            return f"{word().capitalize()} {r.choice(('of', 'over', 'and', 'to'))} {word()}"
        return word().capitalize() + r.choice((".", "+1", " 2", "!", " Jr."))

    def _low(self) -> str:
        """`mini`, `nas-north`, `rack7`."""
        r = self._random
        shape = r.random()
        if shape < 0.55:
            return self._word()
        if shape < 0.75:
            return f"{self._word()}-{self._word()}"
        return f"{self._word()}{r.randint(1, 99)}" if shape < 0.87 else self._sounds()

    def _port(self) -> str:
        r = self._random
        if r.random() < 0.15 and (near := [int(one) for one in self._used if one.isdigit()]):
            return str(max(1, r.choice(near) + r.choice((-1, 1))))  # a near twin
        return str(r.choice((r.randint(1000, 9999), r.randint(22, 999), r.randint(10000, 65000))))

    def _address(self) -> str:
        r = self._random
        shape = r.choice(("192.0.2.{0}", "198.51.100.{0}", "203.0.113.{0}", "10.0.{1}.{0}", "192.168.{1}.{0}"))
        return shape.format(r.randint(1, 254), r.randint(0, 254))

    def _mac(self) -> str:
        return f"00:00:5E:00:53:{self._random.randint(0, 255):02X}"

    def _person(self) -> str:
        return self._sounds().capitalize() if self._random.random() < 0.5 else self._word().capitalize()

    def _value(self, table: str, column: str) -> str:
        r, new = self._random, self._new
        match table, column:
            case _, "port":
                return new(self._port)
            case _, "lan_ip":
                return new(self._address)
            case _, "tailscale_ip":
                return f"100.64.{r.randint(0, 9)}.{r.randint(1, 254)}"
            case _, "mac":
                return new(self._mac)
            case "devices", "name":
                return new(lambda: f"{self._person()}'s {self._word()}" if r.random() < 0.5 else self._title())
            case "people", "name":
                return new(self._person)
            case _, "owner":
                return self._person()
            case _, "entity_id":
                domain = r.choice(("light", "switch", "sensor", "lock", "climate", "media_player", "binary_sensor"))
                return new(lambda: f"{domain}.{self._word()}" + (f"_{self._word()}" if r.random() < 0.6 else ""))
            case "hosts", "name":
                return new(self._low)
            case ("ports", "codename" | "service") | ("entities", "name"):
                return new(self._title)
            case _, "name":
                return new(self._low if r.random() < 0.5 else self._title)
            case _, "kind" | "role":
                return self._word()
        return self._title() if r.random() < 0.4 else self._low() if r.random() < 0.7 else str(r.randint(1, 9999))

    # --- tables

    def _kind(self, stage: Stage) -> tuple[str, Kind, tuple[str, ...]]:
        """A table's name, its kind, and the columns that are shown: before the last stage, a key and an answer."""
        r, plain = self._random, stage != "whole"
        if stage == "digits":
            return "ports", _KINDS["ports"], ("port", "service")
        names = (*_KINDS, "own")
        name = r.choices(names, (5, 4, 2, 2, 1, 2))[0]
        if name != "own":
            kind = _KINDS[name]
            if plain:
                return name, kind, r.choice(kind.asks)[:2]
            likely = {"mac": 0.3}
            return name, kind, tuple(c for c in kind.columns if c in kind.always or r.random() < likely.get(c, 0.6))
        columns = ("name", *r.sample(_OWN_COLUMNS, 1 if plain else r.randint(1, 3)))
        asks = tuple(("name", one, (f"What is the {one} of {{0}}?", f"Which {one} has {{0}}?")) for one in columns[1:])
        return self._word() + "s", Kind(columns, frozenset(columns), asks), columns

    def _table(self, rows: int, form: str, stage: Stage = "whole") -> tuple[str, list[Question], list[Question]]:
        """A section, the questions that it answers, and some that it does not."""
        r, plain = self._random, stage != "whole"
        name, kind, columns = self._kind(stage)
        hosts = [self._new(self._low) for _ in range(r.randint(1, 3))]
        facts: list[Values] = []
        for _ in range(rows + 2):  # the last two are not printed
            facts.append({one: r.choice(hosts) if one == "host" else self._value(name, one) for one in columns})
            if stage == "digits":
                facts[-1] = {
                    "port": self._new(lambda: str(r.randint(1000, 9999))),
                    "service": r.choice(self._words[:600]),
                }
        for values in facts[:rows] if r.random() < 0.15 and not plain else ():
            values["notes"] = f"{self._word()} {self._word()} {self._word()}" if r.random() < 0.5 else ""
        shown = tuple(facts[0])
        head, row = FORMS[form]
        printed = [row(Fact(name, "", values, "", 0, 0, "internal"), shown) for values in facts[:rows]]
        title = name if r.random() < 0.5 else self._heading()
        asked = [question for values in facts[:rows] for question in self._asked(kind, columns, values)]
        for values, line in zip(facts, printed, strict=False) if plain else ():
            asked.append(Question(f"Show the row of {values[columns[0]]}.", line.strip("|- \n"), "row"))
        others = [question for values in facts[rows:] for question in self._asked(kind, columns, values)]
        absent = [question._replace(answer=UNKNOWN, kind="absent") for question in others]
        return f"## {title}\n{head(shown)}{''.join(printed)}", asked, absent

    def _heading(self) -> str:
        first = self._word().capitalize()
        return f"{first} {self._random.choice(('', 'of the ', 'in '))}{self._word()}"

    def _asked(self, kind: Kind, columns: tuple[str, ...], values: Values) -> Iterator[Question]:
        for key, answer, ways in kind.asks:
            way = self._random.choice(ways)
            if key in columns and answer in columns and ("{host}" not in way or "host" in columns):
                ask = way.format(values[key], host=values.get("host", ""))
                yield Question(ask, values[answer], "first" if columns[0] == key else "later")

    # --- prompts

    def _persona(self, stage: Stage) -> tuple[str, str]:
        r = self._random
        name, word = self._person(), self._word
        opening = r.choice(("You are {0}.", "You are {0}, {1} of the {2}.", "You are {0}, keeper of the {1}."))
        lines = [opening.format(name, word(), word())]
        for sentence in r.sample(_SENTENCES, r.randint(0, 4) if stage == "whole" else 0):
            lines.append(sentence.format(word(), word()))
        return name, "".join(line + r.choice((" ", "\n")) for line in lines).rstrip() + "\n"

    def prompt(self, rows: int, most: int, form: str = "", stage: Stage = "whole") -> Prompt:
        """A prompt with so many rows in its tables and at most so many questions; without rows it is the persona."""
        r = self._random
        self._used.clear()
        name, base = self._persona(stage)
        form = form or ("markdown" if stage == "digits" else r.choices(tuple(FORMS), (55, 25, 20))[0])
        parts, asked, absent = [base], [], []
        if rows and stage == "whole" and r.random() < 0.15:
            rules = [r.choice(_SENTENCES).format(self._word(), self._word()) for _ in range(r.randint(1, 3))]
            parts.append("## House rules\n\n" + "".join(f"- {rule}\n" for rule in rules))
        for share in self._shares(rows):
            section, some, others = self._table(share, form, stage)
            parts.append(section)
            asked += some
            absent += others
        r.shuffle(asked)
        r.shuffle(absent)
        shown = [asked.pop() for _ in range(r.randint(1, 3))] if len(asked) > 8 and r.random() < 0.3 else []
        as_messages = r.random() < 0.25
        if shown and not as_messages:
            parts.append("## Examples\n" + "\n".join(f"Q: {one.ask}\nA: {one.answer}\n" for one in shown))
        others = self._others(name, absent, most) if stage == "whole" else self._general(stage == "pairs")
        questions = asked[:most] + others
        turns = tuple((one.ask, one.answer) for one in shown) if as_messages else ()
        return Prompt(system="\n".join(parts), turns=turns, questions=tuple(questions), base=base, form=form)

    def _shares(self, rows: int) -> list[int]:
        """The rows parted among one to three tables."""
        if rows < 6 or self._random.random() < 0.4:
            return [rows] if rows else []
        first = self._random.randint(2, rows - 2)
        rest = rows - first
        return [first, rest] if rest < 6 or self._random.random() < 0.6 else [first, rest // 2, rest - rest // 2]

    def _others(self, name: str, absent: Sequence[Question], most: int) -> list[Question]:
        """General questions, one on itself, and some that cannot be answered."""
        r = self._random
        found = self._general(1 if absent else 5)
        if r.random() < 0.2:
            found.append(Question(r.choice(("Who are you?", "What is your name?")), f"I am {name}.", "self"))
        if not absent:
            absent = [one for _ in range(8) for one in self._table(0, "kv")[2]][: most // 2]
        return found + list(absent[: max(1, most // 6)])

    def _general(self, count: int) -> list[Question]:
        return [Question(*one, "general") for one in self._random.sample(FACTS, count)]
