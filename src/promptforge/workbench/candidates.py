"""Who a tournament is about: the adapter that is meant, its model, the champion that it has to beat, and the bar."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from promptforge.bench.gate import Bar
from promptforge.bench.run import Limits
from promptforge.bench.stats import DRAWS
from promptforge.errors import InputError, UsageError
from promptforge.model import Config, Model
from promptforge.source import did_you_mean
from promptforge.store import Store
from promptforge.workbench.adapters import Adapter, check_base, damaged_in, latest_of, read_adapter, trained_at
from promptforge.workbench.champions import Champion, champion_before, champion_of, check_champion
from promptforge.workbench.contest import Contender, Contest, agents_of, outlook
from promptforge.workbench.costs import over_limit
from promptforge.workbench.planning import Plan
from promptforge.workbench.quarantine import held
from promptforge.workbench.recipes import load_recipes
from promptforge.workbench.scope import Revision
from promptforge.workbench.staleadapters import stale_adapter, stale_words
from promptforge.workbench.weights import Weights, files_served, find_weights

__all__ = ["Candidate", "Wanted", "candidate", "contenders", "outlooks", "too_much", "trained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command asks for."""

    what: str
    """The folder of an adapter, or a recipe whose latest one is meant."""
    model: str = ""
    suite: str = ""
    fresh: bool = False
    delete: bool = False
    """A rejected adapter is deleted at once."""
    timeout_s: float = 120.0
    limits: Limits = field(default_factory=Limits)
    command: str = ""
    draws: int = DRAWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Who is judged, and against whom."""

    contest: Contest
    adapter: Adapter
    champion: Champion | None
    """Who it has to beat; None: the untrained model."""
    reigns: bool
    """Whether it is the champion already, and only judged once more."""
    bar: Bar
    seeds: int = 1
    """How often its recipe is trained where it is near."""
    stale: str = ""
    """Why it is stale: what it rests on is no longer so. It may be judged all the same."""
    damaged: tuple[str, ...] = ()
    """Adapters that cannot be read, and why."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said before anything is asked."""
        return (*self.damaged, *([f"{self.adapter.folder.name} is stale: {self.stale}"] if self.stale else []))


def candidate(root: Path, revision: Revision, wanted: Wanted, store: Store, environ: Mapping[str, str]) -> Candidate:
    """Look up everything before anything is started. Raises UsageError, InputError."""
    config = revision.build.project.config
    adapter = read_adapter(_folder(root, wanted.what, revision))
    model = _model(config, wanted.model or adapter.model, adapter)
    weights = _weights(model, root, environ)
    check_base(adapter, model, weights)
    if not model.settings.get("serve"):
        hint = f"write below `{model.name}` in promptforge.yaml how to start it: serve: mlx_lm.server … --port {{port}}"
        message = f"the model '{model.name}' has no `serve`: only a server that promptforge started itself is proof"
        raise UsageError(message, hint=hint)
    champion = champion_of(store, root, model.name)
    reigns = champion is not None and champion.digest == adapter.digest
    if reigns:
        champion = champion_before(store, root, model.name)
    if champion is not None:
        check_champion(champion)
    contest = Contest(
        root=root,
        revision=revision,
        model=model,
        weights=weights.digest if weights else files_served(model, root=root),
        suite=wanted.suite,
        agents=agents_of(revision, model, adapter, wanted.suite),
        fresh=wanted.fresh,
        timeout_s=wanted.timeout_s,
        limits=wanted.limits,
        command=wanted.command,
    )
    recipe = load_recipes(revision.build).recipes.get(adapter.recipe)
    return Candidate(
        contest=contest,
        adapter=adapter,
        champion=champion,
        reigns=reigns,
        bar=_bar(config),
        seeds=recipe.seeds if recipe else 1,
        stale=stale_words(stale_adapter(root, adapter.folder, revision.build, environ)),
        damaged=damaged_in(root),
    )


def _folder(root: Path, what: str, revision: Revision) -> Path:
    """The folder that is meant: one that is named, a recipe's latest adapter, or one that is in quarantine already."""
    for folder in (Path(what), root / what):
        if folder.is_dir():
            return folder.resolve()
    recipes = load_recipes(revision.build).recipes
    if what in recipes:
        return _latest(root, what)
    name = Path(what).name
    for one in reversed(held(root)):
        if one.name.rpartition("-")[0] == name and one.adapter.is_dir():
            return one.adapter
    hint = did_you_mean(what, recipes) or "name a folder of build/adapters, or a recipe of training/"
    raise InputError(f"there is no adapter and no recipe '{what}'", hint=hint)


def _latest(root: Path, recipe: str) -> Path:
    """A recipe's latest adapter, also where it was put away: a command that was killed then ends its work."""
    found = [folder] if (folder := latest_of(root, recipe)) else []
    for one in held(root):
        with suppress(InputError):
            if not one.beside and one.adapter.is_dir() and read_adapter(one.adapter).recipe == recipe:
                found.append(one.adapter)
    if found:
        return max(found, key=trained_at)
    damaged = "".join(f"; {text}" for text in damaged_in(root))
    hint = f"train one: promptforge train {recipe}"
    raise InputError(f"the recipe '{recipe}' has no adapter yet{damaged}", hint=hint)


def _model(config: Config, name: str, adapter: Adapter) -> Model:
    if not name:
        hint = "name the one that it was trained on: --model NAME"
        raise UsageError(f"the adapter '{adapter.folder.name}' does not say for which model it is", hint=hint)
    if name not in config.models:
        raise UsageError(f"no model '{name}' in promptforge.yaml", hint=did_you_mean(name, config.models))
    return config.models[name]


def _weights(model: Model, root: Path, environ: Mapping[str, str]) -> Weights | None:
    """The weights that the model's server loads; None where they are not to be found here."""
    try:
        return find_weights(model, root=root, environ=environ)
    except InputError:
        return None


def _bar(config: Config) -> Bar:
    said = config.settings.get("gate") or {}
    return Bar(
        min_gain=float(said.get("min_gain", 0.0)),
        max_category_drop=float(said.get("max_category_drop", 0.05)),
        protected=tuple(map(str, said.get("protected", ()))),
    )


def contenders(who: Candidate) -> Iterator[Contender]:
    """Who is asked, in this order: the untrained model, the champion, the candidate."""
    yield Contender(name="untrained", words="the untrained model")
    if who.champion is not None:
        champion = who.champion
        yield Contender(
            name="champion",
            words="the champion",
            adapter=champion.folder,
            digest=champion.digest,
            variant=champion.variant,
        )
    yield trained(who.adapter)


def trained(adapter: Adapter, number: int = 1) -> Contender:
    """An adapter of the candidate's recipe as one who is asked: the candidate itself, or its n-th training."""
    more = f" {number}" if number > 1 else ""
    return Contender(
        name=f"candidate{more}",
        words=f"the candidate{f', training {number}' if more else ''}",
        adapter=adapter.folder,
        digest=adapter.digest,
        variant=adapter.variant,
        seed=adapter.seed,
        new=True,
    )


def outlooks(who: Candidate, store: Store, environ: Mapping[str, str]) -> tuple[tuple[Contender, Plan], ...]:
    """What each arm would be sent. Nothing is started; close the plans."""
    return tuple((one, outlook(who.contest, one, store, environ)) for one in contenders(who))


def too_much(who: Candidate, arms: Sequence[tuple[Contender, Plan]]) -> str:
    """Which limit of promptforge.yaml all arms together exceed, or nothing: they are one command's."""
    return over_limit([planned.estimate for _, planned in arms], who.contest.revision.build)
