"""The table of agents and models, as text and for programs."""

from collections.abc import Iterator, Sequence

from promptforge.console.terminal import Painter, columns
from promptforge.fleet import FLEET, Category, Fleet, Seat, as_data

__all__ = ["fleet_json", "fleet_text"]

_HEAD = ("agent", "model", "training", "score", "cases", "$ per 1,000", "seconds", "on what evidence")
_RIGHT = (3, 4, 5, 6)
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
    lines += ["", paint("categories, whoever is asked", "bold")]
    lines += columns([*map(_category, found.categories)], indent="  ").split("\n") if found.categories else []
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


def _category(one: Category) -> tuple[str, ...]:
    if one.best is None:
        return one.name, "not measured", ""
    ordered = sorted(one.scores.items(), key=lambda item: (-item[1].value, item[0]))
    scores = ", ".join(f"{model} {level.value:.2f} ({level.cases:,})" for model, level in ordered)
    return one.name, one.best.champion or "nobody", f"{one.best.why}: {scores}"


def _changed(changed: Sequence[str] | None, paint: Painter) -> Iterator[str]:
    if changed:
        yield ""
        yield paint(f"changed since the last {FLEET}", "bold")
        yield from (f"  {line}" for line in changed)


def fleet_json(found: Fleet, changed: Sequence[str] | None) -> dict[str, object]:
    """What is written, and what of it is new: null where there was no file before."""
    return {**as_data(found), "notes": list(found.notes), "changed": None if changed is None else list(changed)}
