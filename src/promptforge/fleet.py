"""`fleet`: which model each agent gets, with which training, and why. Written as build/fleet.yaml for routers.

Privacy first: what an agent's prompt holds decides which models are looked at at all. Then the limits, then evidence.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

from promptforge.backends.keys import plain_url
from promptforge.bench.cases import Case
from promptforge.bench.choice import Bounds, Option, choose, counted
from promptforge.bench.results import Effect, Level
from promptforge.compiler.build import Build
from promptforge.model import LEVELS, Agent, Model
from promptforge.store import Store
from promptforge.workbench.champions import Champion, champions
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.fleetfile import Category, Fleet, Seat
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
from promptforge.workbench.routing import Duels, best_of, route
from promptforge.workbench.suites import Suites, suite_named
from promptforge.workbench.variants import Compiled, compile_for

__all__ = ["ROUTES", "bounds_of", "fleet"]

ROUTES = (*LEVELS, "local")
"""A category has one for each level of what a prompt may hold, and one for agents that are local by privacy."""
_Key = tuple[str, str, str]
"""Of an arm that was measured: run, model, variant."""


def bounds_of(build: Build) -> Bounds:
    """`fleet` of promptforge.yaml."""
    said: Mapping[str, Any] = build.project.config.settings.get("fleet") or {}
    return Bounds(max_usd=_number(said, "max_usd"), max_latency_s=_number(said, "max_latency_s"))


def _number(said: Mapping[str, Any], key: str) -> float | None:
    return None if said.get(key) is None else float(said[key])


def fleet(
    build: Build, suites: Suites, store: Store, *, suite: str = "", environ: Mapping[str, str] | None = None
) -> Fleet:
    """The table for a project without errors. Sends nothing. Raises UsageError."""
    meant = suite_named(suites, suite)
    found = measures(store, meant, build, environ)
    board = _Board(build, found, champions(store, build.tree.root))
    bounds = bounds_of(build)
    seats = tuple(board.seat(agent, bounds) for agent in build.project.agents.values())
    categories = tuple(board.categories(bounds))
    chosen = {seat.choice.model for seat in seats} | {to.model for one in categories for to in one.routes.values()}
    return Fleet(
        suite=meant.name,
        digest=meant.digest,
        bounds=bounds,
        seats=seats,
        categories=categories,
        models={name: _reached(board.models[name]) for name in sorted(chosen) if name},
        notes=tuple(board.notes()),
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
        self.levels = {fact.id: fact.level for table in build.project.tables.values() for fact in table.facts}
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

        self.looks = max(1, len({self.categories_of(agent) for agent in build.project.agents if agent in self.asked}))

    def _compiled(self, model: str) -> Mapping[str, Compiled]:
        return compile_for(self.build, self.build.project.agents, self.models[model])

    # --- agents

    def categories_of(self, agent: str) -> tuple[str, ...]:
        """Those in which the suite asks it."""
        return tuple(name for name in self.found.suite.categories if name in self.asked.get(agent, ()))

    def seat(self, agent: Agent, bounds: Bounds) -> Seat:
        """The model of one agent."""
        categories = self.categories_of(agent.name)
        served = {name: self.champion_of(name, categories) for name in self.models}
        options = [self.option(agent, model, categories, served[name]) for name, model in self.models.items()]
        if agent.model and agent.model.name not in self.models:
            why = "the reader is no model: it only looks answers up"
            options.append(Option(model=agent.model.name, tier=agent.model.tier, current=True, barred=why))
        arms = {name: self.measured(name, served[name], agent.name) for name in self.models}

        def against(before: str, after: str) -> Effect | str:
            one, two = arms[before], arms[after]
            return self.effect(_key(one), _key(two), categories) if one and two else "it was not measured"

        choice = choose(options, against, bounds, looks=self.looks)
        champion = served.get(choice.model)
        return Seat(
            agent=agent.name,
            was=agent.model.name if agent.model else "",
            choice=choice,
            option=next((one for one in options if one.model == choice.model), None),
            champion=champion,
            training=self.training_of(choice.model, champion),
            categories=categories,
            route="local"
            if agent.privacy == "local"
            else self.level_of(self.held(agent.name), self._texts(agent.name)),
        )

    def option(self, agent: Agent, model: Model, categories: tuple[str, ...], champion: Champion | None) -> Option:
        """What is known of a model for an agent."""
        barred = self.barred(agent, model) or _gone(champion)
        arm = self.measured(model.name, champion, agent.name)
        replies = answers_of(arm, agent=agent.name) if arm else []
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
        if self.clearance.barred_texts(self._texts(agent.name, model.name), model):
            return f"its prompt holds a value in its text that {model.name} ({model.tier}) may not see"
        return ""

    def _texts(self, agent: str, *models: str) -> list[str]:
        """What it is told, on its own model and on these."""
        entries = [*(self.compiled(model)[agent].entry for model in models), self.build.artifact.entries.get(agent)]
        prompts = [entry.enriched for entry in entries if entry]
        return [text for prompt in prompts for text in (prompt.system, *(said for _, said in prompt.messages))]

    def level_of(self, facts: Iterable[str], texts: Sequence[str]) -> str:
        """The lowest level that may see these facts, and texts in which their values may have been typed."""
        held = max((LEVELS[self.levels[fact]] for fact in facts if fact in self.levels), default=0)
        open_ = [name for name, height in LEVELS.items() if height >= held]
        return next((name for name in open_ if not self.clearance.guard(name).find(texts)), open_[-1])

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
        return self._unasked(model) if champion else self.found.why_not(model)

    def _unasked(self, model: str) -> str:
        return f"no run of {self.found.suite.name} as it is asked {model} with its champion; promote measures it"

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

    def notes(self) -> Iterator[str]:
        """Of each model the later run that it does not rest on, and what was measured on other files than today's."""
        states: dict[str, list[str]] = {}
        for model in self.models:
            if arm := self.measured(model, self.champion_of(model, ())):
                if text := self.found.passed_over(arm):
                    yield f"{model}: {text}"
                if not arm.same_files:
                    yield f"{model}: files of the project have changed since {arm.when}, though not the suite"
                states.setdefault(arm.files, []).append(model)
        if not states:
            models = " ".join(f"--model {model}" for model in self.models)
            yield f"nothing counts that was measured on {self.found.suite.name}: promptforge bench {models}"
        if len(states) > 1:
            groups = " | ".join(", ".join(models) for models in states.values())
            again = " ".join(f"--model {model}" for models in states.values() for model in models)
            yield (
                f"not measured on the same files: {groups}; what differs between these may be their prompts': "
                f"promptforge bench {again}"
            )

    def training_of(self, model: str, champion: Champion | None) -> str:
        """The training of a model in words."""
        if champion is not None:
            return f"champion {champion.number}" + (f", recipe {champion.recipe}" if champion.recipe else "")
        if not model or self.models[model].tier == "cloud":
            return "none"
        return "none: it has no champion"

    def _effect(self, before: _Key, after: _Key, categories: tuple[str, ...]) -> Effect | str:
        return effect_in(self.arms[before], self.arms[after], categories)

    # --- categories

    def categories(self, bounds: Bounds) -> Iterator[Category]:
        """Each category with whom to ask. All pairs of all of them are judged together."""
        names = self.found.suite.categories
        arms = {
            (name, model): self.measured(model, self.champion_of(model, [name]))
            for name in names
            for model in self.models
        }
        effects: dict[tuple[str, str, str], Effect | str] = {}
        for name in names:
            scored = [model for model in sorted(self.models) if (arm := arms[name, model]) and _level(arm, name)]
            for before, after in combinations(scored, 2):
                one, two = arms[name, before], arms[name, after]
                assert one is not None  # both have a score
                assert two is not None
                effects[name, before, after] = self.effect(_key(one), _key(two), (name,))
        duels = Duels(effects=effects)
        for name in names:
            options = [self._asked_in(name, model, arms[name, model.name]) for model in self.models.values()]
            yield self._category(name, options, duels, bounds)

    def _asked_in(self, name: str, model: Model, arm: Measured | None) -> Option:
        """What is known of a model in a category, whoever was asked."""
        scores = scores_in(arm, [name]) if arm else None
        replies = answers_of(arm, category=name) if arm else []
        missing = ""
        if scores is None:
            champion = self.champion_of(model.name, [name])
            missing = self._unasked(model.name) if champion else self.found.why_not(model.name)
        elif scores.overall is None:
            open_ = len(scores.unanswered)
            missing = f"{counted(open_, 'request')} unanswered" if open_ else f"it was asked nothing of {name}"
        return Option(
            model=model.name,
            tier=model.tier,
            unmeasured=missing,
            level=scores.overall if scores else None,
            usd=usd_of(model, replies),
            latency_s=kept_s([reply.answer.latency_s for reply in replies if reply.answer]),
        )

    def _category(self, name: str, options: Sequence[Option], duels: Duels, bounds: Bounds) -> Category:
        scores = {one.model: one.level for one in options if one.level}
        needs, share = self.needs(name)
        return Category(
            name=name,
            needs=needs,
            scores=scores,
            unmeasured={one.model: one.unmeasured for one in options if one.unmeasured},
            best=best_of(name, [*scores], duels) if scores else None,
            routes={
                to: route(
                    name,
                    [replace(one, barred=self.kept_from(one.model, name, to, needs, share)) for one in options],
                    duels,
                    bounds,
                )
                for to in ROUTES
            },
            trainings={model: champion for model in self.models if (champion := self.champion_of(model, [name]))},
        )

    def needs(self, name: str) -> tuple[str, str]:
        """The most sensitive level of what a category's cases ask or a right answer says, and how many cases have it.

        What a veto forbids is not needed.
        """
        cases = [case for case in self.found.suite.cases if case.category == name]
        levels = [self.level_of(*_rests_on(case)) for case in cases]
        highest = max(levels, key=LEVELS.__getitem__, default=next(iter(LEVELS)))
        return highest, f"{levels.count(highest):,} of its {counted(len(cases), 'case')}"

    def kept_from(self, model: str, category: str, to: str, needs: str, share: str) -> str:
        """Why a model may not be asked in a category by who holds so much, or nothing."""
        one = self.models[model]
        if gone := _gone(self.champion_of(model, [category])):
            return gone
        if to == "local" and one.tier != "local":
            return "it is in the cloud"
        allowed = self.clearance.allowed(one)
        if LEVELS[needs] > LEVELS[allowed]:
            return f"{share} rest on {needs} facts, and {one.tier} models may see {allowed} ones"
        if LEVELS.get(to, 0) > LEVELS[allowed]:
            return f"{one.tier} models may see {allowed} facts"
        return ""


def _gone(champion: Champion | None) -> str:
    """What is to be said of a champion that is no more: nobody is sent to a model that cannot be served as it says."""
    if champion is None or champion.folder.is_dir():
        return ""
    return f"the adapter of its champion is gone: promptforge champion rollback {champion.model}"


def _rests_on(case: Case) -> tuple[list[str], list[str]]:
    """The facts that a case needs, and the texts in which others may have been typed."""
    facts = [*(fact for fact, _ in case.shows), *(printed.fact for printed in case.expects)]
    wanted = [value for check in case.checks if not check.veto for value in check.values]
    return facts, [*(text for _, text in case.messages), *wanted]


def _level(one: Measured, category: str) -> Level | None:
    return scores_in(one, [category]).overall


def _key(one: Measured) -> _Key:
    return one.run.id, one.model, one.variant
