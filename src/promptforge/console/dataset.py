"""A dataset that was made: how many rows of what, what was missing, what was left out and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptforge.console.terminal import Painter, columns, plural
from promptforge.dataset.account import REASONS, Account
from promptforge.dataset.auditjson import audit_json
from promptforge.dataset.rows import SPLITS
from promptforge.workbench.emitting import Emitted

__all__ = ["emitted_json", "emitted_text"]

_FEW = 5


def emitted_text(emitted: Emitted, root: Path, paint: Painter) -> str:
    """The account of a dataset; its audit is printed apart."""
    account = emitted.dataset.account
    name = emitted.written.manifest.name
    head = f"{paint(name, 'bold')}: {plural(account.rows, 'row')}"
    lines = [head + (f" of {account.asked:,} that the recipe asks for" if account.rows < account.asked else "")]
    lines += [f"  {note}" for note in account.notes]
    lines += columns(list(_table(account)), right=(1, 2, 3, 4), indent="  ").split("\n")
    lines += _left_out(account)
    longest = emitted.written.manifest.longest
    about = "" if longest.exact else "about "
    lines.append(f"longest row: {about}{longest.tokens:,} tokens; the trainer's limit is set to {longest.limit:,}")
    folder = emitted.written.folder
    shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
    if not folder.is_relative_to(root / "build" / "datasets"):
        lines.append("diff and explain look in build/datasets alone: they will not say when this set is stale")
    lines += [f"wrote {shown}", f"to train on it: {emitted.written.start}"]
    return "\n".join(lines)


def _table(account: Account) -> Iterator[tuple[str, ...]]:
    yield ("kind", "rows", *SPLITS)
    for kind, count in account.kinds.items():
        sides = [f"{account.sides_by_kind.get((side, kind), 0):,}" for side in SPLITS]
        yield (kind, f"{count:,}", *sides)


def _left_out(account: Account) -> Iterator[str]:
    for word, count in account.left_out.items():
        if count:
            yield f"left out: {count:,} that {REASONS[word]}"
    if account.cases:
        yield f"  the cases: {', '.join(list(account.cases)[:_FEW])}" + (", …" if len(account.cases) > _FEW else "")
    for broken in account.broken[:_FEW]:
        yield f"replay: {broken.file}:{broken.line}: {broken.reason}"
    if account.broken_count > _FEW:
        yield f"replay: {account.broken_count:,} lines in all are no rows"
    if account.paraphrased or account.paraphrases_dropped:
        dropped = sum(account.paraphrases_dropped.values())
        yield f"reworded by a model: {account.paraphrased:,}; {dropped:,} dropped"


def emitted_json(emitted: Emitted) -> dict[str, Any]:
    """The account and the audit, for programs."""
    account, manifest = emitted.dataset.account, emitted.written.manifest
    return {
        "version": 1,
        "recipe": manifest.name,
        "folder": str(emitted.written.folder),
        "format": manifest.format,
        "asked": account.asked,
        "rows": account.rows,
        "kinds": dict(account.kinds),
        "sides": {side: account.sides.get(side, 0) for side in SPLITS},
        "left_out": dict(account.left_out),
        "cases_not_given_away": dict(account.cases),
        "notes": list(account.notes),
        "digest": manifest.digest,
        "start": emitted.written.start,
        "audit": audit_json(emitted.audit),
    }
