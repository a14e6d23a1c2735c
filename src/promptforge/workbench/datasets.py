"""The rows of a recipe: agents as they are compiled for its model, facts as they may see them, the mix, the split."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from promptforge.bench.guard import Guard
from promptforge.bench.record import read_run
from promptforge.bench.results import Run
from promptforge.compiler.build import Build, without_collection
from promptforge.compiler.choose import Chooser
from promptforge.compiler.scan import neutralise
from promptforge.dataset.account import Account
from promptforge.dataset.dataset import Dataset, counted
from promptforge.dataset.examples import seeds_of_attacks, seeds_of_examples
from promptforge.dataset.facts import Lore
from promptforge.dataset.making import Maker
from promptforge.dataset.mix import Mixed, Stock, looking, mix
from promptforge.dataset.persona import seeds_of_persona
from promptforge.dataset.replayed import Look, Replay, sample
from promptforge.dataset.rows import KINDS, SPLITS, Recipe
from promptforge.dataset.seeds import Learner, Seed
from promptforge.dataset.shares import dealt
from promptforge.dataset.split import Sides, split
from promptforge.dataset.weak import Weak, weakest
from promptforge.dataset.wording import Wording
from promptforge.dataset.written_cases import WrittenCases
from promptforge.errors import InputError
from promptforge.model import Model
from promptforge.source import errors
from promptforge.store import Store
from promptforge.text import Renderer
from promptforge.workbench.recipes import Recipes
from promptforge.workbench.replays import replay_files
from promptforge.workbench.suites import Suites
from promptforge.workbench.variants import Compiled, compile_for, prompt_of

__all__ = ["make_rows"]

Reword = Callable[[Dataset], tuple[Mapping[int, str], Mapping[str, int]]]
"""What asks a model for other words: by a row's number the question; and of those that were dropped, why."""

_SPARE = 1.05
"""So many more of the user's own rows are sampled than are wanted: some may say what another row says."""


def make_rows(
    build: Build,
    suites: Suites,
    recipes: Recipes,
    recipe: Recipe,
    *,
    history: Store | None = None,
    reword: Reword | None = None,
) -> Dataset:
    """The dataset of a recipe. Nothing is written.

    Raises InputError where the project has errors, where an agent cannot be compiled for the recipe's model, and, with
    the arithmetic, where there are not enough rows.
    """
    if wrong := errors((*build.diagnostics, *suites.diagnostics, *recipes.diagnostics)):
        raise InputError(f"the project has {len(wrong)} errors", hint="see them: promptforge check")
    weak = _weak(recipe, suites, history)
    model = build.project.config.models[recipe.model]
    clearance = build.project.config.clearance[model.tier]
    guard = Guard(build.project.tables, clearance)
    cases = WrittenCases(case for suite in suites.suites.values() for case in suite.cases)

    def barred(texts: Iterable[str]) -> bool:
        return bool(guard.find(texts))

    with without_collection():
        replay = _replays(build, recipe, looking(recipe, cases, barred))
        stock = Stock(
            seeds=[*_seeds(build, recipes, recipe, _learners(build, recipe, model))],
            maker=Maker(build.project.tables, Wording(Renderer(build.project, clean=neutralise), neutralise)),
            cases=cases,
            weak=weak,
            clearance=clearance,
            barred=barred,
            replays=replay.places,
        )
        mixed = mix(recipe, stock)
        sides = split(recipe, mixed)
    account = _account(recipe, mixed, sides, replay, weak)
    made = Dataset(recipe=recipe, account=account, stock=stock, mixed=mixed, sides=sides, root=build.tree.root)
    return _reworded(made, reword) if reword is not None and recipe.paraphrase else made


# --- agents -----------------------------------------------------------------------------------------------------------


def _learners(build: Build, recipe: Recipe, model: Model) -> list[Learner]:
    compiled = compile_for(build, recipe.agents, model)
    chooser = Chooser(build.project)
    learners = []
    for name, one in compiled.items():
        if one.entry is None or one.barred or one.entry.broken:
            why = one.barred or "its prompt could not be compiled: see promptforge check"
            raise InputError(f"the recipe '{recipe.name}' cannot train agent '{name}': {why}")
        agent = replace(build.project.agents[name], model=model)
        first, _ = agent.persona_start
        learners.append(
            Learner(
                name=name,
                role=agent.role,
                persona=agent.persona,
                persona_place=(agent.file, first),
                system=prompt_of(one.entry, recipe.system).system,
                held=_held(build, chooser, one, name, model),
            )
        )
    return learners


def _held(build: Build, chooser: Chooser, one: Compiled, name: str, model: Model) -> Mapping[str, tuple[str, ...]]:
    """The facts that stand as rows in the agent's enriched prompt, each with the columns that it shows there."""
    assert one.entry is not None
    agent = replace(build.project.agents[name], model=model)
    chosen, _ = chooser.choose(agent, one.entry.clearance)
    held: dict[str, dict[str, None]] = {}
    for segment in one.entry.enriched.segments:
        if segment.kind == "row":
            columns = chosen[segment.section].columns
            held.setdefault(segment.facts[0], {}).update(dict.fromkeys(columns))
    return {fact: tuple(columns) for fact, columns in held.items()}


def _seeds(build: Build, recipes: Recipes, recipe: Recipe, learners: Sequence[Learner]) -> Iterator[Seed]:
    lore = Lore(build.project.tables, recipes.phrasings, seed=recipe.seed)
    attacks = [
        attack
        for file, own in recipes.attacks.items()
        if any(fnmatchcase(file, pattern) for pattern in recipe.jailbreak)
        for attack in own
    ]
    for learner in learners:
        if recipe.mix.get("identity"):
            yield from seeds_of_persona(learner, recipes.phrasings)
        if recipe.mix.get("infrastructure"):
            yield from lore.seeds(learner)
        if recipe.mix.get("domain"):
            yield from seeds_of_examples(build.project.examples, learner)
        if recipe.mix.get("jailbreak"):
            yield from seeds_of_attacks(attacks, learner)


# --- what a run showed ------------------------------------------------------------------------------------------------


def _weak(recipe: Recipe, suites: Suites, history: Store | None) -> Weak:
    if not recipe.weak_from:
        return Weak()
    if history is None or not history.runs():
        if recipe.weak_from != "latest":
            raise InputError(f"weak_from: there is no run '{recipe.weak_from}'", hint="make one: promptforge bench")
        return Weak(notes=("weak_from: there is no run yet, so nothing was moved; make one: promptforge bench",))
    run = _read(history, recipe.weak_from)
    suite = suites.suites.get(run.suite)
    if suite is None:
        known = ", ".join(suites.suites) or "none"
        return Weak(notes=(f"weak_from: run {run.id} is of suite '{run.suite}', which is not here ({known}); "
                           "nothing was moved",))  # fmt: skip
    return weakest(run, suite.cases, model=recipe.model, variant=recipe.system)


def _read(history: Store, name: str) -> Run:
    try:
        return read_run(history.run(name))
    except ValueError as problem:
        raise InputError(f"weak_from: {problem}", hint="name another run, or make one: promptforge bench") from problem


# --- the user's own rows ----------------------------------------------------------------------------------------------


def _replays(build: Build, recipe: Recipe, look: Look) -> Replay:
    wanted = dealt(recipe.rows, recipe.mix).get("replay", 0)
    files = replay_files(build, recipe.replay) if wanted else []
    return sample(build.tree.root, files, int(wanted * _SPARE) + 1 if wanted else 0, seed=recipe.seed, look=look)


# --- the books --------------------------------------------------------------------------------------------------------


def _account(recipe: Recipe, mixed: Mixed, sides: Sides, replay: Replay, weak: Weak) -> Account:
    categories, by_side = counted(mixed, sides)
    most = max(mixed.of_fact.items(), key=lambda one: (one[1], one[0]), default=("", 0))
    return Account(
        asked=recipe.rows,
        rows=len(mixed),
        kinds={kind: mixed.kinds[kind] for kind in KINDS if mixed.kinds[kind]},
        supply=dict(mixed.short),
        categories=categories,
        sides={side: sum(count for (own, _), count in by_side.items() if own == side) for side in SPLITS},
        sides_by_kind=by_side,
        left_out=dict((mixed.left_out + Counter(replay.left_out)).most_common()),
        cases=dict(sorted((mixed.given_away + Counter(replay.given_away)).items())),
        broken=replay.broken,
        broken_count=replay.broken_count,
        replay_rows=replay.sound,
        most_of_a_fact=most,
        notes=(*mixed.notes, *_of_replay(replay), *weak.notes, *sides.notes),
    )


def _of_replay(replay: Replay) -> Iterable[str]:
    if replay.broken_count:
        rest = f"the other {replay.sound:,} are used" if replay.sound else "none is left"
        lines = "line is no row" if replay.broken_count == 1 else "lines are no rows"
        yield f"replay: {replay.broken_count:,} {lines}, the first at {replay.broken[0]}; {rest}"


def _reworded(made: Dataset, reword: Reword) -> Dataset:
    texts, dropped = reword(made)
    why = dict(Counter(dropped).most_common())
    account = replace(made.account, paraphrased=len(texts), paraphrases_dropped=why)
    return replace(made, reworded=texts, account=account)
