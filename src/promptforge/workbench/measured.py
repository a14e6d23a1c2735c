"""What was measured on a suite as it is today: the arms of the history's runs, by model and adapter; the rest is stale.

A run counts while the suite's digest is what it was, and while its model is the one that has that name today: the same
settings, the same weights on this machine, and a server that says the same of its weights as in later runs. A model
that promptforge served itself is known by its adapter; what anybody else serves is taken to be the model as it is.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from promptforge.backends.price import cost_usd
from promptforge.bench.arms import Side, arm_scores
from promptforge.bench.cases import Suite
from promptforge.bench.compare import paired
from promptforge.bench.record import read_run, things_said
from promptforge.bench.results import OWN, Arm, ArmScores, CaseRecord, Effect, Reply, Run
from promptforge.bench.stats import overall
from promptforge.compiler.build import Build
from promptforge.model import Model
from promptforge.store import Store
from promptforge.workbench.environment import environment
from promptforge.workbench.weights import weights_digest

__all__ = [
    "Measured",
    "Measures",
    "answers_of",
    "effect_in",
    "kept_s",
    "measures",
    "part",
    "scores_in",
    "usd_of",
]

_UNTRAINED = "none"
"""What a run says of the adapter of a model that promptforge served as it is."""
_REQUESTS = 1000
_QUICKER = 0.95
_SAID = ("answered", "truncated")
_WEIGHED = ("n_params", "size", "ftype", "n_vocab", "root", "model_path", "chat_template_sha256")
"""Of what a server says of itself, what is another one with other weights; its program's version is none of it."""


def _what(key: str, text: str) -> str:
    """Of a path its last part: weights that were moved are the same."""
    return text.rstrip("/").rpartition("/")[2] if key in ("root", "model_path") else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An arm that still counts."""

    model: str
    variant: str
    adapter: str
    """The digest of the adapter that it was served with, or nothing."""
    run: Run
    """With what this model was asked, and nothing else."""
    arm: Arm
    requests: int
    """Of cases that count, answered or not."""
    answered: int
    """Of these."""
    files: str
    """The digest of the project's files then: of what its prompts were made."""
    same_files: bool
    """Whether no file of the project has changed since."""

    @property
    def when(self) -> str:
        """The run and its day, for messages."""
        return f"run {self.run.id} ({self.run.started[:10]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """All that still counts, the latest first, and what does not."""

    suite: Suite
    arms: tuple[Measured, ...]
    stale: Mapping[str, str]
    """By model, the latest run that no longer counts, and why."""

    def best(self, model: str, variant: str, adapter: str = "", *, agent: str = "") -> Measured | None:
        """The arm that was answered most; of several the one that was not cut short, and of these the latest.

        With an agent, of those in which it was asked. A run that failed hides no older one that was answered.
        """
        found = [one for one in self.arms if (one.model, one.variant, one.adapter) == (model, variant, adapter)]
        if agent:
            found = [one for one in found if any(agent in case.agents for case in one.run.cases)] or found
        return max(found, key=_rank, default=None)

    def both(self, model: str) -> tuple[Measured | None, Measured] | None:
        """(base, enriched) of the untrained model, of one run; else what was asked most of the enriched prompt."""
        own = [one for one in self.arms if one.model == model and not one.adapter]
        bases = {one.run.id: one for one in own if one.variant == "base"}
        enriched = [one for one in own if one.variant == "enriched"]
        if not enriched:
            return None
        paired_ones = [one for one in enriched if one.run.id in bases]
        best = max(paired_ones or enriched, key=lambda one: _rank(one, bases.get(one.run.id)))
        return bases.get(best.run.id), best

    def passed_over(self, one: Measured) -> str:
        """What is to be said where a later run asked as much and was answered less, or nothing."""
        later = [
            other
            for other in self.arms
            if (other.model, other.variant, other.adapter) == (one.model, one.variant, one.adapter)
            and (other.run.started, other.run.id) > (one.run.started, one.run.id)
            and other.requests >= one.requests
            and other.answered < one.answered
        ]
        if not later:
            return ""
        failed = max(later, key=lambda other: (other.run.started, other.run.id))
        missing = f"{failed.requests - failed.answered:,} of its {failed.requests:,} requests have no answer"
        return f"run {failed.run.id} is later, and {missing}: this rests on run {one.run.id}"

    def beside(self, one: Measured) -> Measured | None:
        """The untrained model with the same prompt: measured on the same files, where it was."""
        own = [o for o in self.arms if (o.model, o.variant, o.adapter) == (one.model, one.variant, "")]
        return max([o for o in own if o.files == one.files] or own, key=_rank, default=None)

    def why_not(self, model: str) -> str:
        """Why there is no evidence of a model."""
        return self.stale.get(model) or f"no run of {self.suite.name} asked it"


def _rank(one: Measured, base: Measured | None = None) -> tuple[int, bool, str, str]:
    """With its base, by what both have answers to."""
    answered = one.answered if base is None else min(one.answered, base.answered)
    return answered, not one.run.stopped, one.run.started, one.run.id


# --- which runs count -------------------------------------------------------------------------------------------------


def measures(store: Store, suite: Suite, build: Build, environ: Mapping[str, str] | None = None) -> Measures:
    """Look through the history, the latest run first. Sends nothing.

    `environ` says where this machine keeps models that are no folder of the project.
    """
    files = environment(build.tree.root, build)["knowledge"]
    weighed = _Weighed(build, environ)
    arms: list[Measured] = []
    stale: dict[str, str] = {}
    for head in store.runs():
        if head.suite != suite.name:
            continue
        body = store.run(head.id)
        for model, why in _unfit(head.id, body, suite, build, files, weighed).items():
            stale.setdefault(model, why)
            body = {**body, "unfit": {**body.get("unfit", {}), model: why}}
        arms += _arms_of(body, build, files)
    return Measures(suite=suite, arms=tuple(arms), stale=stale)


@dataclass(slots=True)
class _Weighed:
    """What is known of each model's weights: on this machine now, and by the runs so far, the latest first."""

    build: Build
    environ: Mapping[str, str] | None
    now: dict[str, str] = field(default_factory=dict)
    said: dict[tuple[str, str], tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    """By model and adapter: the latest run whose server said something, and what."""
    others: dict[str, str] = field(default_factory=dict)
    """By model, the latest run of other weights: an earlier one that kept no word of its own was hardly of today's."""

    def other(self, name: str, id_: str, body: Mapping[str, Any]) -> str:
        """What shows that a model of a run has other weights by now, or nothing. Remembers what the run says."""
        then: Mapping[str, Any] = body["models"][name]
        changed = ""
        if digest := str(then.get("weights", "")):
            model = self.build.project.config.models[name]
            if name not in self.now:
                self.now[name] = weights_digest(model, root=self.build.tree.root, environ=self.environ or {}) or digest
            if self.now[name] != digest:
                changed = "its files are others now"
        told = {k: _what(k, text) for k, text in things_said(str(then.get("says", ""))).items() if k in _WEIGHED}
        if told:
            key = name, str(body.get("environment", {}).get("adapter", ""))
            later, latest = self.said.setdefault(key, (id_, told))
            differ = [
                f"{one} {told[one]} then, {latest[one]} in run {later}"
                for one in told
                if told[one] != latest.get(one, told[one])
            ]
            changed = changed or (f"its server said {differ[0]}" if differ else "")
        if changed:
            self.others.setdefault(name, id_)
        elif name in self.others and not digest and not told:
            changed = f"a later run, {self.others[name]}, was of others"
        return changed


def _unfit(
    id_: str, body: Mapping[str, Any], suite: Suite, build: Build, files: str, weighed: _Weighed
) -> dict[str, str]:
    """By model, why a run says nothing of it any more."""
    then: Mapping[str, Mapping[str, Any]] = body.get("models", {})
    asked = {arm["model"] for arm in body.get("arms", ())}
    names = [name for name in then if name in asked or OWN in asked]
    known = [name for name in names if name in build.project.config.models]
    weights = {name: what for name in known if (what := weighed.other(name, id_, body))}
    if body.get("suite_digest") != suite.digest:
        day = str(body.get("started", ""))[:10]
        why = f"its run {id_} ({day}) is stale: {suite.name} has changed since"
        return dict.fromkeys(names, why)
    served = "adapter" in body.get("environment", {})
    models = build.project.config.models
    found = {}
    for name in names:
        if name in models and (what := _other(then[name], models[name], served=served)):
            found[name] = f"its run {id_} is stale: {name} was another model then ({what} has changed since)"
        elif name in weights:
            found[name] = (
                f"its run {id_} is stale: the weights of {name} have changed since ({weights[name]}); "
                f"measure it again: promptforge bench --model {name}"
            )
        elif name not in asked and body.get("environment", {}).get("knowledge") != files:
            found[name] = (
                f"its run {id_} is stale: it asked each agent its own model, and files have changed since; "
                f"name the model: promptforge bench --model {name}"
            )
    return found


def _other(then: Mapping[str, Any], now: Model, *, served: bool) -> str:
    """What tells the model of a run from the one that has its name today; a server of ours has its own name for it."""
    keys = ("backend", "params") if served else ("backend", "model", "params")
    for key in keys:
        if (then.get(key) or {}) != (now.settings.get(key) or {}):
            return key
    return "" if then.get("tier") == now.tier else "tier"


def _arms_of(body: Mapping[str, Any], build: Build, files: str) -> Iterator[Measured]:
    """The arms of a run that count."""
    unfit: Mapping[str, str] = body.get("unfit", {})
    around: Mapping[str, str] = body.get("environment", {})
    known = build.project.config.models
    if not body.get("cases") or all(name in unfit or name not in known for name in body.get("models", {})):
        return
    try:
        run = read_run({key: value for key, value in body.items() if key != "unfit"})
    except ValueError:
        return  # of another version: as if it were not there
    served = "adapter" in around
    adapter = "" if around.get("adapter", _UNTRAINED) == _UNTRAINED else around["adapter"]
    for name in run.models:
        if name in unfit or name not in known or known[name].backend == "reader":
            continue
        own = _asked_of(run, name, build, served=served)
        for arm in own.arms:
            yield Measured(
                model=name,
                variant=arm.variant,
                adapter=adapter,
                run=own,
                arm=arm,
                requests=sum(len(case.agents) for case in own.cases if case.counts),
                answered=_answered(own, arm),
                files=str(around.get("knowledge", "")),
                same_files=around.get("knowledge") == files,
            )


def _answered(run: Run, arm: Arm) -> int:
    """Questions of cases that count, each to one agent, of which no repeat is unanswered."""
    side = Side.of(run, arm)
    pairs = ((record.id, agent) for record in run.cases if record.counts for agent in record.agents)
    return sum(side.barred(case, agent) or not any(side.missing(case, [agent])) for case, agent in pairs)


def _asked_of(run: Run, model: str, build: Build, *, served: bool) -> Run:
    """The run with one model's arms alone; of an arm of each agent's own model, its own agents."""
    arms = {arm: arm for arm in run.arms if arm.model == model and (served or not arm.revision)}
    if not arms:
        own = {name for name, agent in build.project.agents.items() if agent.model and agent.model.name == model}
        arms = {arm: replace(arm, model=model) for arm in run.arms if arm.model == OWN and not arm.revision}
        run = part(run, lambda case: [agent for agent in case.agents if agent in own])
        arms = arms if run.cases else {}
    replies = tuple(
        reply if arms[reply.arm] is reply.arm else replace(reply, arm=arms[reply.arm])
        for reply in run.replies
        if reply.arm in arms
    )
    return replace(run, arms=tuple(arms.values()), replies=replies)


# --- parts of a run ---------------------------------------------------------------------------------------------------


def part(run: Run, agents_of: Callable[[CaseRecord], Sequence[str]]) -> Run:
    """The run as if each case had been asked of these agents alone; a case of none is not in it."""
    cases = []
    for record in run.cases:
        agents = tuple(agents_of(record))
        if agents:
            cases.append(record if agents == record.agents else replace(record, agents=agents))
    kept = {(case.id, agent) for case in cases for agent in case.agents}
    return replace(
        run, cases=tuple(cases), replies=tuple(reply for reply in run.replies if (reply.case, reply.agent) in kept)
    )


def scores_in(one: Measured, categories: Iterable[str]) -> ArmScores:
    """What an arm scored in these categories, whoever was asked."""
    wanted = frozenset(categories)
    run = part(replace(one.run, arms=(one.arm,)), lambda case: case.agents if case.category in wanted else ())
    return arm_scores(run, one.arm)


def effect_in(before: Measured, after: Measured, categories: Iterable[str] | None = None) -> Effect | str:
    """The paired difference in these categories, without them in all; or in words why there is none."""
    wanted = None if categories is None else frozenset(categories)
    sides = [
        part(side.run, lambda case: case.agents if wanted is None or case.category in wanted else ())
        for side in (before, after)
    ]
    found = paired(sides[0], before.arm, sides[1], after.arm)
    if found.open_requests:
        return f"{found.open_requests:,} of {found.requests:,} requests unanswered"
    if not found.pairs:
        return "no case that counts was answered by both"
    if found.same_answers:
        return "all answers are the same, word for word: one server may answer for both"
    return overall(found.pairs)


# --- what an answer costs, and how long it takes ----------------------------------------------------------------------


def answers_of(one: Measured, *, agent: str = "", category: str = "") -> list[Reply]:
    """The answers to cases that count: of one agent, in one category, or all."""
    side = Side.of(one.run, one.arm)
    return [
        reply
        for case, record in side.records.items()
        if record.counts and category in ("", record.category)
        for name in record.agents
        if agent in ("", name)
        for reply in side.replies.get((case, name), ())
        if reply.state in _SAID and reply.score is not None
    ]


def usd_of(model: Model, replies: Sequence[Reply]) -> float | None:
    """Per 1,000 requests at today's price, None where one is not known; a local model without a price is free."""
    price = model.settings.get("price")
    if model.tier == "local" and not price:
        return 0.0
    costs = [cost_usd(reply.answer.usage if reply.answer else None, price) for reply in replies]
    known = [cost for cost in costs if cost is not None]
    return _REQUESTS * math.fsum(known) / len(known) if known and len(known) == len(costs) else None


def kept_s(seconds: Sequence[float]) -> float | None:
    """The time that 19 of 20 answers keep; of few, all but the slowest: the first one may have loaded the model."""
    ordered = sorted(seconds)
    return ordered[math.floor(_QUICKER * (len(ordered) - 1))] if ordered else None
