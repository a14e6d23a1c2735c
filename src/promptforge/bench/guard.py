"""The last look before a text leaves: whether it holds the value of a fact that its reader may not see.

The compiler already decides by fact. This looks at the bytes once more, by value and in every usual spelling, for what
no reference explains: a persona or a question that quotes a private address by hand, an answer that a judge is to read.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from promptforge.backends.base import Answer, Backend, BackendError, Request
from promptforge.bench.disguises import BREAK
from promptforge.bench.giveaways import names_of, values_of
from promptforge.bench.spellings import Name
from promptforge.bench.wanted import Wanted
from promptforge.model import LEVELS, Fact, Table

__all__ = ["Guard", "Guarded", "texts_of"]

Tables = Mapping[str, Table]


def texts_of(request: Request) -> Iterator[str]:
    """Everything of a request that a server is sent: prompt, messages, tools, parameters."""
    yield request.system
    yield from (text for _, text in request.messages)
    if request.tools:
        yield json.dumps(request.tools, default=_plain, ensure_ascii=False)
    if request.params:
        yield json.dumps(request.params, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


class Guard:
    """Knows the values of facts above a clearance that stand in no fact below it."""

    def __init__(self, tables: Tables, clearance: str, *, strict: bool = False, earlier: Iterable[Tables] = ()) -> None:
        """`strict`: also single words and small numbers that are one fact's own, for texts of those who saw it.

        `earlier` are older states of the tables, whose prompts are sent, too. Whether their facts may be seen is said
        by today's, and no older fact makes a value known.
        """
        self.values: dict[str, str] = {}
        """As written, to the id of the fact: what a report redacts."""
        self._secrets: dict[Name, str] = {}
        allowed = LEVELS[clearance]
        now = {fact.id: fact.level for table in tables.values() for fact in table.facts}
        if any(LEVELS[level] > allowed for level in now.values()) or earlier:
            written: dict[str, Sequence[Name]] = {}
            for states in (tables, *earlier):
                for table, fact in _facts(states):
                    if LEVELS[now.get(fact.id, fact.level)] > allowed:
                        self._learn(table, fact, strict, written)
            self._forget(tables, allowed)
            self.values = {
                value: self._secrets[names[0]] for value, names in written.items() if names[0] in self._secrets
            }
        self._wanted = Wanted(self._secrets)
        self._seen: dict[str, str] = {}

    def _learn(self, table: Table, fact: Fact, strict: bool, written: dict[str, Sequence[Name]]) -> None:
        for value in values_of(fact, table):
            names = names_of(value, strict=strict)
            if names and value.tells:
                written.setdefault(value.text, names)
            for name in names:
                self._secrets.setdefault(name, fact.id)

    def _forget(self, tables: Tables, allowed: int) -> None:
        """What stands in a fact that may be seen is no secret."""
        known = (v.text for table, f in _facts(tables) if LEVELS[f.level] <= allowed for v in values_of(f, table))
        for name in set(Wanted(self._secrets).found(f" {BREAK} ".join(known))):
            del self._secrets[name]

    def find(self, texts: Iterable[str]) -> str:
        """The id of a fact above the clearance whose value one of the texts holds, or nothing."""
        if not self._secrets:
            return ""
        for text in texts:
            if text not in self._seen:
                found = next(self._wanted.found(text.replace(BREAK, " ")), None)
                self._seen[text] = self._secrets[found] if found else ""
            if fact := self._seen[text]:
                return fact
        return ""


def _facts(tables: Tables) -> Iterator[tuple[Table, Fact]]:
    return ((table, fact) for table in tables.values() for fact in table.facts)


# ---- At the moment of sending ----------------------------------------------------------------------------------------


class Guarded:
    """A backend that sends nothing before it has been looked at; what a plan lets through by mistake ends here."""

    def __init__(self, backend: Backend, look: Callable[[Request], str]) -> None:
        self._backend, self._look = backend, look
        self.shares_thread = getattr(backend, "shares_thread", False)

    @property
    def name(self) -> str:
        """The backend's."""
        return self._backend.name

    @property
    def identity(self) -> Mapping[str, str]:
        """The backend's."""
        return self._backend.identity

    def answer(self, request: Request, *, timeout_s: float, stop: threading.Event | None = None) -> Answer:
        """The backend's answer. Raises BackendError, `barred` when the request may not be sent."""
        self._check(request)
        return self._backend.answer(request, timeout_s=timeout_s, stop=stop)

    def stream(
        self,
        request: Request,
        on_text: Callable[[str], None],
        *,
        timeout_s: float,
        stop: threading.Event | None = None,
    ) -> Answer:
        """The same, as it comes."""
        self._check(request)
        return self._backend.stream(request, on_text, timeout_s=timeout_s, stop=stop)

    def close(self) -> None:
        """Give back the backend's connections."""
        self._backend.close()

    def _check(self, request: Request) -> None:
        if why := self._look(request):
            raise BackendError("barred", f"nothing was sent: {why}", hint="ask a local model: --model NAME")
