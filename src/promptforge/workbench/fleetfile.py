"""build/fleet.yaml: agents and categories with their models, as routers read it.

It holds no time, no key and no fact: the same evidence gives the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptforge.bench.choice import Bounds, Choice, Option
from promptforge.bench.results import Level
from promptforge.document import Decimal
from promptforge.emit import emit
from promptforge.workbench.champions import Champion
from promptforge.workbench.disk import exclusive, replace_files
from promptforge.workbench.routing import Best, Route
from promptforge.yamlio import parse

__all__ = ["FLEET", "Category", "Fleet", "Seat", "as_data", "changes", "is_written", "write_fleet"]

FLEET = "build/fleet.yaml"
_VERSION = 1
_CATEGORY = "category "


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
    route: str = "private"
    """Which of a category's routes is for it: `local` by its privacy, else the level of what its prompt holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category with what each model scored in it, whoever was asked, and whom to ask."""

    name: str
    needs: str
    """The most sensitive level of what its cases ask and of what a right answer says."""
    scores: Mapping[str, Level]
    unmeasured: Mapping[str, str]
    """The models of which there is no score, and why."""
    best: Best | None
    """None where nobody was measured."""
    routes: Mapping[str, Route]
    """By level, and `local`: whom to ask."""
    trainings: Mapping[str, Champion]
    """The adapters that models are served with here."""


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
        "training": _training_data(seat.champion),
        "variant": seat.champion.variant if seat.champion else "enriched",
        "basis": seat.choice.basis,
        "route": seat.route,
    }
    option = seat.option
    if option is not None and option.level is not None:
        data |= {"score": _decimal(option.level.value), "cases": option.level.cases}
    if option is not None and not option.unmeasured:
        data |= {"usd_per_1000": _decimal(option.usd), "latency_s": _decimal(option.latency_s)}
    return {**data, "why": seat.choice.why, "excluded": dict(seat.choice.excluded)}


def _training_data(champion: Champion | None) -> dict[str, Any] | None:
    if champion is None:
        return None
    folder = Path(*champion.folder.parts[-4:]).as_posix()  # .promptforge/champions/MODEL/DIGEST
    return {"adapter": folder, "digest": champion.digest, "recipe": champion.recipe}


def _category_data(one: Category) -> dict[str, Any]:
    return {
        "needs": one.needs,
        "champion": (one.best.champion or None) if one.best else None,
        "tied": list(one.best.tied) if one.best else [],
        "why": one.best.why if one.best else "not measured",
        "scores": {model: _decimal(level.value) for model, level in one.scores.items()},
        "intervals": {model: [_decimal(level.low), _decimal(level.high)] for model, level in one.scores.items()},
        "cases": {model: level.cases for model, level in one.scores.items()},
        "unmeasured": dict(one.unmeasured),
        "routes": {level: _route_data(route, one.trainings.get(route.model)) for level, route in one.routes.items()},
    }


def _route_data(route: Route, champion: Champion | None) -> dict[str, Any]:
    return {
        "model": route.model or None,
        "training": _training_data(champion),
        "variant": champion.variant if champion else "enriched",
        "basis": route.basis,
        "tied": list(route.tied),
        "why": route.why,
        "against": dict(route.against),
        "excluded": dict(route.excluded),
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
    before, now = _read(root), _places(as_data(found))
    if before is None:
        return None
    old = any(name.startswith(_CATEGORY) for name in before)  # of a file before there were routes, none is news
    said = [
        f"{name}: new, {who}"
        for name, who in now.items()
        if name not in before and (old or not name.startswith(_CATEGORY))
    ]
    said += [f"{name}: {before[name]} → {who}" for name, who in now.items() if name in before and before[name] != who]
    return (*said, *(f"{name}: no longer there" for name in before if name not in now))


def _read(root: Path) -> dict[str, str] | None:
    try:
        document, _ = parse(FLEET, (root / FLEET).read_bytes())
    except OSError:
        return None
    data = document.data if document is not None else None
    if not isinstance(data, dict) or data.get("version") != _VERSION or not isinstance(data.get("agents"), dict):
        return None
    return _places(data)


def _places(data: Mapping[str, Any]) -> dict[str, str]:
    """Agents and categories, and who is asked there."""
    found = {str(name): _who(seat) for name, seat in data["agents"].items() if isinstance(seat, dict)}
    categories = data.get("categories")
    for name, one in categories.items() if isinstance(categories, dict) else ():
        routes = one.get("routes") if isinstance(one, dict) else None
        if isinstance(routes, dict):
            found[f"{_CATEGORY}{name}"] = _by_level(
                {str(to): _who(r) for to, r in routes.items() if isinstance(r, dict)}
            )
    return found


def _by_level(asked: Mapping[str, str]) -> str:
    """Who is asked at each level; levels with the same one together."""
    together = {who: [to for to, other in asked.items() if other == who] for who in asked.values()}
    return (
        next(iter(together))
        if len(together) == 1
        else "; ".join(f"{', '.join(tos)}: {w}" for w, tos in together.items())
    )


def _who(seat: Mapping[str, Any]) -> str:
    training = seat.get("training")
    adapter = f" with adapter {str(training.get('digest'))[:12]}" if isinstance(training, Mapping) else ""
    return f"{seat.get('model') or 'no model'}{adapter}"
