"""`fleet`: which model each agent gets, with which training, and why. Written as build/fleet.yaml for routers.

Privacy first: what an agent's prompt holds decides which models are looked at at all. Then the limits, then evidence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from promptforge.backends.keys import plain_url
from promptforge.bench.choice import Best, Bounds, Choice, Option, best_of, choose
from promptforge.bench.results import Effect, Level
from promptforge.compiler.build import Build
from promptforge.document import Decimal
from promptforge.emit import emit
from promptforge.model import LEVELS, Agent, Model
from promptforge.store import Store
from promptforge.workbench.champions import Champion, champions
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.disk import exclusive, replace_files
from promptforge.workbench.measured import (
    Measured,
    Measures,
    answers_of,
    effect_in,
    kept_s,
    measures,
    scores_in,
    usd_of,
)
from promptforge.workbench.suites import Suites, suite_named
from promptforge.workbench.variants import Compiled, compile_for
from promptforge.yamlio import parse

__all__ = [
    "FLEET",
    "Category",
    "Fleet",
    "Seat",
    "as_data",
    "bounds_of",
    "changes",
    "fleet",
    "is_written",
    "write_fleet",
]

FLEET = "build/fleet.yaml"
_VERSION = 1
_Key = tuple[str, str, str]
"""Of an arm that was measured: run, model, variant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One agent with its model."""

    agent: str
    was: str
    """The model of its own file, or nothing."""
    choice: Choice
    option: Option | None
    """What is known of the chosen model, for this agent."""
    champion: Champion | None = None
    """The adapter that the model is served with."""
    training: str = ""
    """In words: the champion, or why there is none."""
    categories: tuple[str, ...] = ()
    """Those in which the suite asks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category with what each model scored in it, whoever was asked."""

    name: str
    scores: Mapping[str, Level]
    best: Best | None
    """None where nobody was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The whole table."""

    suite: str
    digest: str
    bounds: Bounds
    seats: tuple[Seat, ...]
    categories: tuple[Category, ...]
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Where the chosen models are reached; never a key."""
    notes: tuple[str, ...] = ()
    """Later runs that this does not rest on, because they have fewer answers."""


def bounds_of(build: Build) -> Bounds:
    """`fleet` of promptforge.yaml."""
    said: Mapping[str, Any] = build.project.config.settings.get("fleet") or {}
    return Bounds(max_usd=_number(said, "max_usd"), max_latency_s=_number(said, "max_latency_s"))


def _number(said: Mapping[str, Any], key: str) -> float | None:
    return None if said.get(key) is None else float(said[key])


def fleet(build: Build, suites: Suites, store: Store, *, suite: str = "") -> Fleet:
    """The table for a project without errors. Sends nothing. Raises UsageError."""
    meant = suite_named(suites, suite)
    found = measures(store, meant, build)
    board = _Board(build, found, champions(store, build.tree.root))
    bounds = bounds_of(build)
    seats = tuple(board.seat(agent, bounds) for agent in build.project.agents.values())
    chosen = dict.fromkeys(seat.choice.model for seat in seats if seat.choice.model)
    return Fleet(
        suite=meant.name,
        digest=meant.digest,
        bounds=bounds,
        seats=seats,
        categories=tuple(board.category(name) for name in meant.categories),
        models={name: _reached(board.models[name]) for name in sorted(chosen)},
        notes=tuple(board.passed_over()),
    )


def _reached(model: Model) -> dict[str, str]:
    about = {"backend": model.backend, "tier": model.tier}
    if url := model.settings.get("base_url"):
        about["base_url"] = plain_url(str(url))
    if name := model.settings.get("model"):
        about["model"] = str(name)
    return about


class _Board:
    """What the choices are made of: each is looked up, compiled or computed once."""

    def __init__(self, build: Build, found: Measures, crowned: Sequence[Champion]) -> None:
        self.build, self.found = build, found
        self.models = {n: m for n, m in build.project.config.models.items() if m.backend != "reader"}
        self.champions = {(one.model, one.category): one for one in crowned}
        self.clearance = Clearance([build])
        self.arms = {_key(one): one for one in found.arms}
        self.compiled = cache(self._compiled)
        self.held = cache(self._held)
        self.effect = cache(self._effect)
        self.asked: dict[str, set[str]] = {}
        for case in found.suite.cases:
            for agent in case.agents if not case.generated else ():
                self.asked.setdefault(agent, set()).add(case.category)

    def _compiled(self, model: str) -> Mapping[str, Compiled]:
        return compile_for(self.build, self.build.project.agents, self.models[model])

    # --- agents

    def seat(self, agent: Agent, bounds: Bounds) -> Seat:
        """The model of one agent."""
        categories = tuple(name for name in self.found.suite.categories if name in self.asked.get(agent.name, ()))
        served = {name: self.champion_of(name, categories) for name in self.models}
        options = [self.option(agent, model, categories, served[name]) for name, model in self.models.items()]
        if agent.model and agent.model.name not in self.models:
            why = "the reader is no model: it only looks answers up"
            options.append(Option(model=agent.model.name, tier=agent.model.tier, current=True, barred=why))
        arms = {name: self.measured(name, served[name], agent.name) for name in self.models}

        def against(before: str, after: str) -> Effect | str:
            one, two = arms[before], arms[after]
            return self.effect(_key(one), _key(two), categories) if one and two else "it was not measured"

        choice = choose(options, against, bounds)
        champion = served.get(choice.model)
        return Seat(
            agent=agent.name,
            was=agent.model.name if agent.model else "",
            choice=choice,
            option=next((one for one in options if one.model == choice.model), None),
            champion=champion,
            training=self.training_of(choice.model, champion),
            categories=categories,
        )

    def option(self, agent: Agent, model: Model, categories: tuple[str, ...], champion: Champion | None) -> Option:
        """What is known of a model for an agent."""
        barred = self.barred(agent, model)
        arm = self.measured(model.name, champion, agent.name)
        replies = answers_of(arm, agent.name) if arm else []
        missing = "" if replies else self._why_not(agent, model.name, categories, arm, champion)
        seconds = [reply.answer.latency_s for reply in replies if reply.answer]
        return Option(
            model=model.name,
            tier=model.tier,
            current=bool(agent.model and agent.model.name == model.name),
            barred=barred,
            unmeasured=missing,
            level=scores_in(arm, categories).overall if arm and replies else None,
            usd=usd_of(model, replies),
            latency_s=kept_s(seconds),
        )

    def barred(self, agent: Agent, model: Model) -> str:
        """Why an agent may never be given a model, or nothing. Names no fact: this is written for others to read."""
        one = self.compiled(model.name)[agent.name]
        if self.clearance.barred_agent(agent.name, model):
            return f"{agent.name} is local by privacy, and {model.name} is in the cloud"
        allowed = self.clearance.allowed(model)
        facts = self.build.artifact.facts
        above = [fact for fact in self.held(agent.name) if LEVELS[facts[fact].level] > LEVELS[allowed]]
        if above:
            many = "1 fact" if len(above) == 1 else f"{len(above):,} facts"
            return f"its prompt holds {many} above {allowed}, which is all that {model.name} ({model.tier}) may see"
        if one.barred or one.entry is None:
            return f"its prompt cannot be made for {model.name}: see promptforge bench --model {model.name} --dry-run"
        entries = [entry for entry in (one.entry, self.build.artifact.entries.get(agent.name)) if entry]
        texts = [text for e in entries for text in (e.enriched.system, *(said for _, said in e.enriched.messages))]
        if self.clearance.barred_texts(texts, model):
            return f"its prompt holds a value in its text that {model.name} ({model.tier}) may not see"
        return ""

    def _held(self, agent: str) -> frozenset[str]:
        """The facts that its prompt tells it; of an agent without a model those that any model would be told."""
        entries = [self.build.artifact.entries.get(agent)]
        if self.build.project.agents[agent].model is None:
            entries = [self.compiled(model)[agent].entry for model in self.models]
        segments = (segment for entry in entries if entry for segment in entry.enriched.segments)
        return frozenset(fact for segment in segments for fact in segment.facts if fact in self.build.artifact.facts)

    def _why_not(
        self, agent: Agent, model: str, categories: Sequence[str], arm: Measured | None, champion: Champion | None
    ) -> str:
        if not categories:
            return f"{self.found.suite.name} asks it nothing"
        if arm is not None:
            return f"run {arm.run.id} has no answer of {agent.name} on {model}"
        if champion is not None:
            return f"no run of {self.found.suite.name} as it is asked {model} with its champion; promote measures it"
        return self.found.why_not(model)

    # --- models

    def champion_of(self, model: str, categories: Sequence[str]) -> Champion | None:
        """The adapter that a model is served with, for an agent of these categories."""
        own = self.champions.get((model, categories[0])) if len(categories) == 1 else None
        return own or self.champions.get((model, ""))

    def measured(self, model: str, champion: Champion | None, agent: str = "") -> Measured | None:
        """The arm that counts for a model with this training, and for an agent one in which it was asked."""
        if champion is not None:
            return self.found.best(model, champion.variant, champion.digest, agent=agent)
        return self.found.best(model, "enriched", agent=agent)

    def passed_over(self) -> Iterator[str]:
        """Of each model the later run that it does not rest on."""
        for model in self.models:
            arm = self.measured(model, self.champion_of(model, ()))
            if arm and (text := self.found.passed_over(arm)):
                yield f"{model}: {text}"

    def training_of(self, model: str, champion: Champion | None) -> str:
        """The training of a model in words."""
        if champion is not None:
            return f"champion {champion.number}" + (f", recipe {champion.recipe}" if champion.recipe else "")
        if not model or self.models[model].tier == "cloud":
            return "none"
        return "none: it has no champion"

    def _effect(self, before: _Key, after: _Key, categories: tuple[str, ...]) -> Effect | str:
        return effect_in(self.arms[before], self.arms[after], categories)

    def category(self, name: str) -> Category:
        """Who leads a category, whoever was asked."""
        arms = {model: arm for model in self.models if (arm := self.measured(model, self.champion_of(model, [name])))}
        levels = {model: scores_in(arm, [name]).overall for model, arm in arms.items()}
        scores = {model: level for model, level in levels.items() if level is not None}

        def against(before: str, after: str) -> Effect | str:
            return self.effect(_key(arms[before]), _key(arms[after]), (name,))

        return Category(name=name, scores=scores, best=best_of([*scores], against) if scores else None)


def _key(one: Measured) -> _Key:
    return one.run.id, one.model, one.variant


# --- the file that routers read ---------------------------------------------------------------------------------------


def as_data(found: Fleet) -> dict[str, Any]:
    """The table as plain data: what is written, without a time, so that the same evidence gives the same bytes."""
    limits = {"max_usd": found.bounds.max_usd, "max_latency_s": found.bounds.max_latency_s}
    return {
        "version": _VERSION,
        "suite": found.suite,
        "suite_digest": found.digest,
        "limits": {name: _decimal(value) for name, value in limits.items() if value is not None},
        "agents": {seat.agent: _seat_data(seat) for seat in found.seats},
        "categories": {one.name: _category_data(one) for one in found.categories},
        "models": {name: dict(about) for name, about in found.models.items()},
    }


def _seat_data(seat: Seat) -> dict[str, Any]:
    data: dict[str, Any] = {
        "model": seat.choice.model or None,
        "training": None,
        "variant": seat.champion.variant if seat.champion else "enriched",
        "basis": seat.choice.basis,
    }
    if seat.champion is not None:
        folder = Path(*seat.champion.folder.parts[-4:]).as_posix()  # .promptforge/champions/MODEL/DIGEST
        data["training"] = {"adapter": folder, "digest": seat.champion.digest, "recipe": seat.champion.recipe}
    option = seat.option
    if option is not None and option.level is not None:
        data |= {"score": _decimal(option.level.value), "cases": option.level.cases}
    if option is not None and not option.unmeasured:
        data |= {"usd_per_1000": _decimal(option.usd), "latency_s": _decimal(option.latency_s)}
    return {**data, "why": seat.choice.why, "excluded": dict(seat.choice.excluded)}


def _category_data(one: Category) -> dict[str, Any]:
    return {
        "champion": (one.best.champion or None) if one.best else None,
        "tied": list(one.best.tied) if one.best else [],
        "why": one.best.why if one.best else "not measured",
        "scores": {model: _decimal(level.value) for model, level in one.scores.items()},
        "cases": {model: level.cases for model, level in one.scores.items()},
    }


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(f"{value:.4f}".rstrip("0").rstrip(".") or "0")


def is_written(root: Path, found: Fleet) -> bool:
    """Whether build/fleet.yaml says just this."""
    try:
        return (root / FLEET).read_bytes() == emit(as_data(found)).encode()
    except OSError:
        return False


def write_fleet(root: Path, found: Fleet) -> bool:
    """Write build/fleet.yaml where it says something else; whether it did. Raises WriteError."""
    with exclusive(root):
        return bool(replace_files(root, {root / FLEET: (emit(as_data(found)).encode(), False)}))


def changes(root: Path, found: Fleet) -> tuple[str, ...] | None:
    """Who gets another model or training than the file says; None where there is no file that can be read."""
    before = _read(root)
    if before is None:
        return None
    now = {seat.agent: _who(as_seat) for seat, as_seat in zip(found.seats, map(_seat_data, found.seats), strict=True)}
    said = [f"{name}: new, {who}" for name, who in now.items() if name not in before]
    said += [f"{name}: {before[name]} → {who}" for name, who in now.items() if name in before and before[name] != who]
    return (*said, *(f"{name}: no longer an agent" for name in before if name not in now))


def _who(seat: Mapping[str, Any]) -> str:
    training = seat.get("training")
    adapter = f" with adapter {str(training.get('digest'))[:12]}" if isinstance(training, Mapping) else ""
    return f"{seat.get('model') or 'no model'}{adapter}"


def _read(root: Path) -> dict[str, str] | None:
    try:
        document, _ = parse(FLEET, (root / FLEET).read_bytes())
    except OSError:
        return None
    data = document.data if document is not None else None
    agents = data.get("agents") if isinstance(data, dict) and data.get("version") == _VERSION else None
    if not isinstance(agents, dict):
        return None
    return {str(name): _who(seat) for name, seat in agents.items() if isinstance(seat, dict)}
