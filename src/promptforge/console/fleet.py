"""The table of agents and models, as text and for programs."""

from collections.abc import Iterator, Sequence

from promptforge.console.terminal import Painter, columns, plural
from promptforge.workbench.fleetfile import FLEET, Category, Fleet, Seat, as_data
from promptforge.workbench.routing import Route

__all__ = ["fleet_json", "fleet_text"]

_HEAD = ("agent", "model", "training", "score", "cases", "$ per 1,000", "seconds", "on what evidence")
_RIGHT = (3, 4, 5, 6)
_CATEGORIES = (
    "categories: whom to ask, by the most sensitive fact that is sent (local: for agents that are local by privacy)"
)
_WHYS = "why (differences are from the other model to the one asked; p is corrected for all pairs of the table)"
_COLOURS = {"better": "green", "as good": "green", "none": "red", "not measured": "yellow"}


def fleet_text(found: Fleet, changed: Sequence[str] | None, paint: Painter) -> str:
    """The table, then why each is so, then who leads each category, then what changed."""
    head, *body = columns([_HEAD, *map(_cells, found.seats)], right=_RIGHT).split("\n")
    lines = [paint(head, "bold"), *body, "", paint("why", "bold")]
    for seat in found.seats:
        basis = seat.choice.basis
        why = f"{seat.agent}: {seat.choice.why}"
        lines.append("  " + (paint(why, _COLOURS[basis]) if basis in _COLOURS else why))
        lines += [f"    not {model}: {reason}" for model, reason in sorted(seat.choice.excluded.items())]
    if found.categories:
        lines += ["", paint(_CATEGORIES, "bold"), *_table(found.categories), *_unmeasured(found.categories)]
    if whys := [line for one in found.categories if one.scores for line in _category(one)]:
        lines += ["", paint(_WHYS, "bold"), *whys]
    lines += ["", *(f"note: {note}" for note in found.notes)] if found.notes else []
    return "\n".join([*lines, *_changed(changed, paint)])


def _cells(seat: Seat) -> tuple[str, ...]:
    option = seat.option
    level = option.level if option else None
    model = seat.choice.model or "none"
    moved = f" (was {seat.was or 'none'})" if seat.choice.model != seat.was else ""
    return (
        seat.agent,
        model + moved,
        seat.training,
        f"{level.value:.3f}" if level else "",
        f"{level.cases:,}" if level else "",
        _number(option.usd if option and not option.unmeasured else None, 2),
        _number(option.latency_s if option else None, 1),
        seat.choice.basis,
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _table(categories: Sequence[Category]) -> list[str]:
    """Whom to ask: a line for each category, a column for each level."""
    head = ("category", "needs", *categories[0].routes)
    rows = [(one.name, one.needs, *(_asked(to) for to in one.routes.values())) for one in categories]
    return columns([head, *rows], indent="  ").split("\n")


def _asked(to: Route) -> str:
    return f"{to.model} ({to.basis})" if to.model else f"nobody ({to.basis})"


def _unmeasured(categories: Sequence[Category]) -> Iterator[str]:
    """Who has no score, and why; what holds in all categories is said once."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in categories:
        for model, why in one.unmeasured.items():
            reasons.setdefault((model, why), []).append(one.name)
    for (model, why), names in reasons.items():
        where = "" if len(names) == len(categories) else f" in {', '.join(names)}"
        yield f"  not measured{where}: {model}, {why}"


def _category(one: Category) -> Iterator[str]:
    """Its scores, then why its levels have whom they have, those alike together; what clearance bars is in the file."""
    ordered = sorted(one.scores.items(), key=lambda item: (-item[1].value, item[0]))
    scores = ", ".join(f"{model} {level.value:.2f} ({plural(level.cases, 'case')})" for model, level in ordered)
    yield f"  {one.name}: {scores}"
    alike: dict[tuple[str, str], list[str]] = {}
    for level, route in one.routes.items():
        alike.setdefault((route.model, route.why), []).append(level)
    for (model, why), levels in alike.items():
        yield f"    {', '.join(levels)} → {model or 'nobody'}: {why}"
        against = one.routes[levels[0]].against
        yield from (f"      against {other}: {numbers}" for other, numbers in sorted(against.items()))
    limits = {
        line: None for route in one.routes.values() for line in sorted(route.excluded.items()) if "fleet." in line[1]
    }
    yield from (f"    not {model}: {why}" for model, why in limits)


def _changed(changed: Sequence[str] | None, paint: Painter) -> Iterator[str]:
    if changed:
        yield ""
        yield paint(f"changed since the last {FLEET}", "bold")
        yield from (f"  {line}" for line in changed)


def fleet_json(found: Fleet, changed: Sequence[str] | None) -> dict[str, object]:
    """What is written, and what of it is new: null where there was no file before."""
    return {**as_data(found), "notes": list(found.notes), "changed": None if changed is None else list(changed)}
