"""Who may be sent what: by fact and by value, as the project says today, whatever an older revision said."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from promptforge.backends.base import Backend, Request
from promptforge.bench.giveaways import Value, values_of
from promptforge.bench.guard import Guard, Guarded, texts_of
from promptforge.bench.spellings import tokens
from promptforge.compiler.build import Build
from promptforge.model import LEVELS, Fact, Model, Project, Table

__all__ = ["Clearance"]

_REPORTED = "internal"
"""The most sensitive level that the readers of a report may see."""
_LEAST = 3
"""Letters and digits of a value that a report hides."""
_TRUTHS = frozenset(["true", "false", "yes", "no", "on", "off"])


class Clearance:
    """Today's clearance. What an older revision's prompts hold is looked at with today's eyes, too."""

    def __init__(self, builds: Sequence[Build]) -> None:
        """`builds` are the revisions that are asked, the files as they are last."""
        *earlier, now = (build.project for build in builds)
        self._now: Project = now
        self._earlier = [project.tables for project in earlier]
        self._guards: dict[tuple[str, bool], Guard] = {}
        self._levels: dict[str, str] = {}
        for project in (*earlier, now):  # today's level is the one that counts
            for table in project.tables.values():
                self._levels.update((fact.id, fact.level) for fact in table.facts)

    def allowed(self, model: Model) -> str:
        """The most sensitive level that a model may see."""
        return self._now.config.clearance[model.tier]

    def guard(self, level: str, *, strict: bool = False) -> Guard:
        """What looks for the values that are above a level."""
        key = level, strict
        if key not in self._guards:
            self._guards[key] = Guard(self._now.tables, level, strict=strict, earlier=self._earlier)
        return self._guards[key]

    def barred_agent(self, agent: str, model: Model) -> str:
        """Why nothing of an agent may go to a model, or nothing."""
        known = self._now.agents.get(agent)
        if known is not None and known.privacy == "local" and model.tier == "cloud":
            return f"agent '{agent}' is local by privacy, and {model.name} is in the cloud"
        return ""

    def barred_facts(self, shown: Iterable[tuple[str, str]], model: Model, what: str) -> str:
        """Why these facts (id, level at the time) may not be shown to a model, or nothing."""
        allowed = self.allowed(model)
        for fact, was in shown:
            level = self._levels.get(fact, was)
            if LEVELS[level] > LEVELS[allowed]:
                return f"{what} shows {fact}, which is {level}; {model.name} ({model.tier}) may see {allowed} facts"
        return ""

    def barred_prompt(self, facts: Iterable[str], model: Model) -> str:
        """Why a prompt that rests on these facts may not go to a model, or nothing."""
        return self.barred_facts(((fact, "public") for fact in facts), model, "the prompt")

    def barred(self, request: Request, model: Model) -> str:
        """Why a request may not be sent to a model: it holds a value that is not for it."""
        return self.barred_texts(texts_of(request), model)

    def barred_texts(self, texts: Iterable[str], model: Model, *, strict: bool = False) -> str:
        """The same of texts; `strict` where whoever wrote them may have seen what the model may not."""
        fact = self.guard(self.allowed(model), strict=strict).find(texts)
        return f"it holds a value of {fact}, which {model.name} ({model.tier}) may not see" if fact else ""

    def saw_more(self, answering: Model, model: Model) -> bool:
        """Whether the one may have been told what the other may not see."""
        return LEVELS[self.allowed(answering)] > LEVELS[self.allowed(model)]

    def guarded(self, backend: Backend, model: Model) -> Guarded:
        """The backend, looked after at the moment of sending."""
        return Guarded(backend, lambda request: self.barred(request, model))

    def private_values(self) -> Mapping[str, str]:
        """The literal values of private facts, and whose they are: what a report redacts.

        All of them, single words too: a guard must not stop a request for a common word, a report may hide one. Not
        those that are also values of a fact that is not private, truth values, and what is shorter than three signs.
        """
        allowed = LEVELS[_REPORTED]
        shown = {tokens(value.text) for fact, value in _values([self._now.tables]) if LEVELS[fact.level] <= allowed}
        found = {
            value.text: fact.id
            for fact, value in _values([*self._earlier, self._now.tables])
            if LEVELS[self._levels[fact.id]] > allowed and _hides(value.text) and tokens(value.text) not in shown
        }
        return {**found, **self.guard(_REPORTED).values}


def _values(states: Iterable[Mapping[str, Table]]) -> Iterator[tuple[Fact, Value]]:
    for table in (table for tables in states for table in tables.values()):
        yield from ((fact, value) for fact in table.facts for value in values_of(fact, table))


def _hides(text: str) -> bool:
    """Whether there is enough of it to be hidden: `1.5` would take `15` with it, wherever it stands."""
    return sum(map(str.isalnum, text)) >= _LEAST and text.lower() not in _TRUTHS
