"""Made-up names, numbers and addresses, with many near twins."""

import random
from collections.abc import Callable, Sequence

__all__ = ["Values"]

_NETS = ("192.0.2", "198.51.100", "203.0.113", "10.0.{0}", "192.168.{0}")
_DOMAINS = ("light", "switch", "sensor", "lock", "climate", "media_player", "binary_sensor", "cover", "camera")
_FEW = {"host": 3, "site": 2, "area": 6, "proto": 2, "owner": 12}
"""Columns with few values, each of which stands in many rows."""


class Values:
    """Draws values; within one prompt, keys are all different."""

    def __init__(self, words: Sequence[str], source: random.Random) -> None:
        self._words, self._random = words, source
        self._used: dict[str, None] = {}  # in order, unlike a set: the same seed must give the same prompts
        self._few: dict[str, list[str]] = {}
        self._near: dict[str, list[str]] = {}
        self._nets: list[str] = []

    def forget(self) -> None:
        """Begin another prompt."""
        r = self._random
        self._used, self._few, self._near = {}, {}, {}
        self._nets = [r.choice(_NETS).format(r.randint(0, 254)) for _ in range(r.randint(1, 3))]

    def fact(self, table: str, columns: Sequence[str]) -> dict[str, str]:
        """One row."""
        return {column: self._value(table, column) for column in columns}

    def word(self) -> str:
        """A word."""
        return self._random.choice(self._words)

    def person(self) -> str:
        """`Warden`, `Tiko`."""
        return self._sounds().capitalize() if self._random.random() < 0.4 else self.word().capitalize()

    def note(self) -> str:
        """A remark, with a comma at times."""
        return f"{self.word()} {self.word()}{self._random.choice((' ', ', '))}{self.word()}"

    def heading(self) -> str:
        """Of a section."""
        return f"{self.word().capitalize()} {self._random.choice(('', 'of the ', 'in '))}{self.word()}"

    # --- by column

    def _value(self, table: str, column: str) -> str:
        if column in _FEW:
            return self._one_of_few(column)
        match table, column:
            case _, "port":
                return self._new("port", self._port)
            case _, "lan_ip":
                return self._new("lan_ip", lambda: f"{self._random.choice(self._nets)}.{self._random.randint(1, 254)}")
            case _, "tailscale_ip":
                return self._new("tail", lambda: f"100.64.{self._random.randint(0, 9)}.{self._random.randint(1, 254)}")
            case _, "mac":
                return self._new("mac", self._mac)
            case "devices", "name":
                return self._new("name", self._thing)
            case "people", "name":
                return self._new("name", self.person)
            case _, "entity_id":
                return self._new("entity_id", self._entity)
            case "hosts", "name":
                return self._new("host", self._low)
            case ("ports", "codename" | "service") | ("entities", "name"):
                return self._new("title", self._title)
            case _, "name":
                return self._new("name", self._low if self._random.random() < 0.5 else self._title)
            case _, "kind" | "role":
                return self.word()
        return self._any()

    def _one_of_few(self, column: str) -> str:
        if column not in self._few:
            make = {"host": self._low, "site": self.word, "area": self._title, "owner": self.person}
            some = [make[column]() for _ in range(_FEW[column])] if column in make else ["tcp", "tcp", "tcp", "udp"]
            self._few[column] = some
        return self._random.choice(self._few[column])

    def _new(self, what: str, make: Callable[[], str]) -> str:
        """A value that the prompt does not have yet; at times a near twin of one that it has."""
        near = self._near.setdefault(what, [])
        value = ""
        while not value or value in self._used:
            value = self._twin(self._random.choice(near)) if near and self._random.random() < 0.15 else make()
        self._used[value] = None
        near.append(value)
        return value

    def _twin(self, value: str) -> str:
        """One digit or one word away: 1337 and 1338, `nas-north` and `nas-attic`, `Council MLX` and `Coder MLX`."""
        r = self._random
        if ":" in value or value.count(".") == 3:
            return ""  # addresses are near each other anyhow
        if value[-1].isdigit() and "." not in value:
            cut = len(value.rstrip("0123456789"))
            return value[:cut] + str(max(1, int(value[cut:]) + r.choice((-1, 1, 1, 2, 10))))
        for between in ("-", "_", " ", "."):
            if between in value:
                first, rest = value.split(between, 1)
                other = self.word()
                other = other.capitalize() if rest[:1].isupper() else other
                return f"{first}{between}{other}" if r.random() < 0.5 or "." in value else f"{other}{between}{rest}"
        return f"{value}{r.choice(('2', '-2', '+1'))}" if value[-1].isalpha() else ""

    # --- by shape

    def _sounds(self) -> str:
        pick = self._random.choice
        return "".join(pick("bcdfghjklmnprstvwz") + pick("aeiou") for _ in range(self._random.randint(2, 3)))

    def _title(self) -> str:
        """`Memory Vault`, `LEET`, `Nice.`, `Backup over SMB`."""
        r, word = self._random, self.word
        shape = r.random()
        if shape < 0.35:
            return word().capitalize()
        if shape < 0.65:
            return f"{word().capitalize()} {word().capitalize()}"
        if shape < 0.77:
            return f"{word().capitalize()} {word()}"
        if shape < 0.85:
            return f"{word().capitalize()} {word()[:3].upper()}"
        if shape < 0.91:
            return word()[:5].upper()
        if shape < 0.95:
            return f"{word().capitalize()} {r.choice(('of', 'over', 'and', 'to'))} {word()}"
        return word().capitalize() + r.choice((".", "+1", " 2", "!", " Jr."))

    def _low(self) -> str:
        """`mini`, `nas-north`, `rack7`."""
        r = self._random
        shape = r.random()
        if shape < 0.6:
            return self.word()
        if shape < 0.8:
            return f"{self.word()}-{self.word()}"
        return f"{self.word()}{r.randint(1, 99)}" if shape < 0.9 else self._sounds()

    def _thing(self) -> str:
        """`grey tablet`, `Tiko's phone`, `Heat Pump`."""
        r = self._random
        shape = r.random()
        if shape < 0.3:
            return f"{self.person()}'s {self.word()}"
        return f"{self.word()} {self.word()}" if shape < 0.65 else self._title()

    def _port(self) -> str:
        r = self._random
        return str(r.choice((r.randint(1000, 9999), r.randint(22, 999), r.randint(10000, 65000))))

    def _mac(self) -> str:
        return f"00:00:5E:00:53:{self._random.randint(0, 255):02X}"

    def _entity(self) -> str:
        more = f"_{self.word()}" if self._random.random() < 0.6 else ""
        return f"{self._random.choice(_DOMAINS)}.{self.word()}{more}"

    def _any(self) -> str:
        shape = self._random.random()
        return self._title() if shape < 0.3 else self._low() if shape < 0.75 else str(self._random.randint(1, 9999))
