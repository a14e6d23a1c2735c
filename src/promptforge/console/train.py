"""A training: how far it is, and what came of it."""

from pathlib import Path
from typing import Any

from promptforge.console.terminal import Painter, plural
from promptforge.dataset.findings import Audit
from promptforge.train.train import Outcome
from promptforge.trainers.running import Course

__all__ = ["course_line", "refused_text", "trained_json", "trained_text"]


def course_line(course: Course) -> str:
    """How far a training is: iteration, losses, speed, time left."""
    if not course.iteration:
        return f"starting · {_clock(course.elapsed_s)}"
    parts = [f"iteration {course.iteration:,}" + (f" of {course.total:,}" if course.total else "")]
    if course.loss is not None:
        parts.append(f"loss {course.loss:.3f}")
    if course.valid is not None:
        parts.append(f"valid {course.valid:.3f}")
    if course.speed:
        parts.append(f"{course.speed:,.0f} tokens/s")
    if course.left_s is not None:
        parts.append(f"{_clock(course.left_s)} left")
    return " · ".join(parts)


def _clock(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def refused_text(audit: Audit, paint: Painter) -> str:
    """Why an audit refuses the rows."""
    lines = []
    for finding in audit.findings:
        if finding.level == "refuse":
            lines.append(f"{paint('✗  ', 'red', 'bold')}{finding.text}")
            lines += [f"     limit: {finding.limit}"] if finding.limit else []
            lines += [f"     {paint('hint:', 'cyan')} {finding.hint}"] if finding.hint else []
    return "\n".join(lines)


def trained_text(outcome: Outcome, root: Path, paint: Painter) -> str:
    """What was trained, on what, and where it is."""
    trained = outcome.trained
    if not outcome.fresh:
        head = f"nothing to do: {trained.recipe} is trained already, on the same rows, weights and seed {trained.seed}"
        return "\n".join([head, f"{_place(outcome, root)}; once more: --again"])
    audit = outcome.emitted.audit
    rows = f"{plural(trained.lines['train'], 'line')} of {plural(sum(trained.rows.values()), 'row')}"
    lines = [f"{paint(trained.recipe, 'bold')}: {rows}, data {trained.data[:12]}; the audit says {audit.word}"]
    versions = " ".join(f"{name} {version}" for name, version in trained.versions.items())
    lines.append(f"{trained.trainer} ({versions or 'version not known'}) on {trained.base}, seed {trained.seed}")
    if not trained.lines.get("valid"):
        lines.append("no valid split: nothing tells when it began to learn by heart")
    losses = trained.losses
    said = [_fall("loss", losses.first, losses.last), _fall("valid loss", losses.first_valid, losses.valid)]
    told = "; ".join(part for part in said if part) or "it said nothing of its losses"
    lines.append(f"{plural(trained.iterations, 'iteration')} in {_clock(60 * trained.minutes)}; {told}")
    lines.append(f"wrote {_place(outcome, root)}")
    return "\n".join(lines)


def _fall(name: str, first: float | None, last: float | None) -> str:
    if first is None or last is None:
        return ""
    return f"{name} {first:.3f} to {last:.3f}" if first != last else f"{name} {last:.3f}"


def _place(outcome: Outcome, root: Path) -> str:
    folder = outcome.folder
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def trained_json(outcome: Outcome) -> dict[str, Any]:
    """The same for programs."""
    trained = outcome.trained
    return {
        "version": 1,
        "recipe": trained.recipe,
        "adapter": str(outcome.folder),
        "fresh": outcome.fresh,
        "identity": trained.identity,
        "model": trained.model,
        "base": trained.base,
        "base_digest": trained.base_digest,
        "data": trained.data,
        "dataset": trained.dataset,
        "knowledge": trained.knowledge,
        "trainer": trained.trainer,
        "versions": dict(trained.versions),
        "seed": trained.seed,
        "iterations": trained.iterations,
        "losses": {
            "first": trained.losses.first,
            "last": trained.losses.last,
            "first_valid": trained.losses.first_valid,
            "valid": trained.losses.valid,
        },
        "minutes": trained.minutes,
        "log": trained.log,
    }
