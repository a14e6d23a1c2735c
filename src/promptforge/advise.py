"""`advise`: for each model, from what was measured, whether training is worth a thought, and by which recipe."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptforge.bench.advice import Advice, Figures, Trained
from promptforge.bench.advice import advise as judge
from promptforge.bench.arms import arm_scores
from promptforge.bench.results import Effect
from promptforge.compiler.build import Build
from promptforge.dataset.rows import Recipe
from promptforge.errors import UsageError
from promptforge.model import Model
from promptforge.source import did_you_mean
from promptforge.store import Store
from promptforge.workbench.champions import champions
from promptforge.workbench.measured import Measured, Measures, effect_in, measures
from promptforge.workbench.proposing import propose
from promptforge.workbench.recipes import load_recipes
from promptforge.workbench.suites import Suites, suite_named

__all__ = ["Counsel", "ModelAdvice", "Proposal", "advise", "fit_of"]

_LATEST = 5
"""So many of the adapters that were measured are looked at; a night adds one."""
_MOST_IDENTITY = 0.40
_KNOWLEDGE = 0.35
"""Of infrastructure and domain together, at least so much."""
_FULL_IDENTITY, _FULL_DOMAIN = 0.25, 0.15
_WANTED = {"moderate": "balanced", "weak": "full"}


_Write = Callable[[Model, str], str]
"""What writes a recipe for a model and a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """How the model would be trained."""

    wanted: str
    """`balanced` or `full`."""
    recipe: str = ""
    """The recipe of training/ that fits, or nothing."""
    unfit: Mapping[str, str] | None = None
    """Recipes for this model that do not fit, and why."""
    write: str = ""
    """What to write, where no recipe fits; empty where no rows can be made either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAdvice:
    """A model with its advice and what that rests on."""

    model: str
    tier: str
    advice: Advice
    figures: Figures | None
    run: str = ""
    """The run that it rests on."""
    cases: int = 0
    given_away: int = 0
    """Cases that an example gives away: in no number here."""
    proposal: Proposal | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counsel:
    """The advice for several models."""

    suite: str
    digest: str
    models: tuple[ModelAdvice, ...]
    readers: tuple[str, ...] = ()
    """Models that are none, and get no advice."""


def advise(
    build: Build,
    suites: Suites,
    store: Store,
    names: Sequence[str] = (),
    *,
    suite: str = "",
    environ: Mapping[str, str] | None = None,
) -> Counsel:
    """The advice for these models, by default for all. Sends nothing. Raises UsageError."""
    known = build.project.config.models
    for name in names:
        if name not in known:
            raise UsageError(f"no model '{name}' in promptforge.yaml", hint=did_you_mean(name, known))
        if known[name].backend == "reader":
            hint = "it looks answers up in the prompt, and says nothing of what a model would do; name a model"
            raise UsageError(f"'{name}' is the reader, which is no model: there is nothing to advise", hint=hint)
    meant = suite_named(suites, suite)
    found = measures(store, meant, build, environ)
    recipes = load_recipes(build)

    def write(model: Model, plan: str) -> str:
        return propose(build, suites, recipes, model, plan)

    wanted = dict.fromkeys(names or [name for name, model in known.items() if model.backend != "reader"])
    reigning = {one.model: one.digest for one in champions(store, build.tree.root) if not one.category}
    return Counsel(
        suite=meant.name,
        digest=meant.digest,
        models=tuple(
            _of(known[name], found, recipes.recipes.values(), write, reigning.get(name, "")) for name in wanted
        ),
        readers=() if names else tuple(name for name, model in known.items() if model.backend == "reader"),
    )


def _of(model: Model, found: Measures, recipes: Iterable[Recipe], write: _Write, champion: str) -> ModelAdvice:
    sides = found.both(model.name)
    figures = _figures(*sides) if sides else None
    advice = judge(model.name, model.tier, figures, [*_trained(model.name, found, champion)])
    records = sides[1].run.cases if sides else ()
    away = sum(1 for case in records if case.given_away and not case.shown and not case.generated)
    notes = [*_notes(model, sides, found)]
    wanted = _WANTED.get(advice.strategy)
    return ModelAdvice(
        model=model.name,
        tier=model.tier,
        advice=advice,
        figures=figures,
        run=sides[1].run.id if sides else "",
        cases=sum(case.counts for case in records),
        given_away=away,
        proposal=_proposal(model, wanted, recipes, write) if wanted else None,
        notes=tuple(notes),
    )


def _figures(base: Measured | None, enriched: Measured) -> Figures:
    sides = [arm_scores(one.run, one.arm) for one in (enriched, base) if one]
    gain = effect_in(base, enriched) if base else ""
    counting = {case.id for case in enriched.run.cases if case.counts}
    missing = {text for side in sides for text in side.unanswered}
    return Figures(
        base=sides[-1].overall if base else None,
        enriched=sides[0].overall,
        gain=gain if isinstance(gain, Effect) else None,
        unanswered=sum(1 for one in missing if one.partition(" × ")[0] in counting),
    )


def _notes(model: Model, sides: tuple[Measured | None, Measured] | None, found: Measures) -> Iterator[str]:
    if sides is None:
        yield found.why_not(model.name)
        return
    base, enriched = sides
    yield from dict.fromkeys(text for side in (enriched, base) if side and (text := found.passed_over(side)))
    if base is None:
        yield f"its bare prompt was not asked, so nobody knows what the knowledge gains: {_bench(model)}"
    elif isinstance(said := effect_in(base, enriched), str) and "word for word" in said:
        yield "base and enriched answer alike, word for word: see that its server reads the system prompt"
    asked = sum(not case.generated for case in enriched.run.cases)
    if asked < (written := sum(not case.generated for case in found.suite.cases)):
        yield f"the run asked {asked:,} of the suite's {written:,} written cases"
    if not enriched.same_files:
        yield f"files of the project have changed since {enriched.when}, though not the suite"


def _bench(model: Model) -> str:
    return f"promptforge bench --model {model.name}"


def _trained(model: str, found: Measures, champion: str) -> Iterator[Trained]:
    """What the latest adapters that were measured, and the champion, did to the model, against it as it is."""
    adapters = dict.fromkeys(one.adapter for one in found.arms if one.model == model and one.adapter)
    latest = [*adapters][:_LATEST]
    for adapter in (*latest, *(one for one in adapters if one == champion and one not in latest)):
        for variant in ("base", "enriched"):
            after = found.best(model, variant, adapter)
            before = found.beside(after) if after else None
            effect = effect_in(before, after) if before and after else ""
            if before and after and isinstance(effect, Effect):
                yield Trained(
                    adapter=adapter[:12],
                    run=after.run.id,
                    champion=adapter == champion,
                    effect=effect,
                    other_files="" if before.files == after.files else before.run.id,
                )


# --- the recipe -------------------------------------------------------------------------------------------------------


def fit_of(mix: Mapping[str, float]) -> str:
    """What a mix is for: `balanced` or `full`; else why it is neither.

    >>> fit_of({"identity": 0.2, "infrastructure": 0.35, "domain": 0.2, "jailbreak": 0.08, "replay": 0.17})
    'balanced'
    >>> fit_of({"identity": 0.76, "infrastructure": 0.07, "domain": 0.17})
    '76 % identity: such a mix took a model from 0.704 to 0.252'
    """
    identity = mix.get("identity", 0.0)
    knowledge = mix.get("infrastructure", 0.0) + mix.get("domain", 0.0)
    if identity > _MOST_IDENTITY:
        return f"{identity:.0%} identity: such a mix took a model from 0.704 to 0.252".replace("%", " %")
    if missing := [kind for kind in ("jailbreak", "replay") if not mix.get(kind)]:
        return f"no {' and no '.join(missing)} rows: what is not trained along is forgotten"
    if knowledge < _KNOWLEDGE - 1e-9:
        return f"only {knowledge:.0%} of the house (infrastructure and domain)".replace("%", " %")
    full = identity >= _FULL_IDENTITY and mix.get("domain", 0.0) >= _FULL_DOMAIN
    return "full" if full else "balanced"


def _proposal(model: Model, wanted: str, recipes: Iterable[Recipe], write: _Write) -> Proposal:
    fits = {
        recipe.name: fit_of({str(kind): share for kind, share in recipe.mix.items()})
        for recipe in recipes
        if recipe.model == model.name
    }
    chosen = next((name for name, fit in sorted(fits.items()) if fit == wanted), "")
    unfit = {name: _unlike(fit, wanted) for name, fit in fits.items() if fit != wanted}
    return Proposal(wanted=wanted, recipe=chosen, unfit=unfit, write="" if chosen else write(model, wanted))


def _unlike(fit: str, wanted: str) -> str:
    if fit in _WANTED.values():
        need = "identity 0.25 and domain 0.15 or more" if wanted == "full" else "less identity, more of the house"
        return f"its mix is {fit}; a {wanted} one has {need}"
    return fit
