"""The champions: which adapter a model is served with. A journal that only grows, and adapters that nothing deletes.

The history says who is champion; an adapter is copied beside it before it is named there, so the pointer never
dangles. `build/champions.yaml` is for others to read, and is written anew from the history whenever it differs.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptforge.emit import emit
from promptforge.errors import BusyError, InputError, WriteError
from promptforge.files import TEMPORARY
from promptforge.source import did_you_mean
from promptforge.store import Crowning, Store
from promptforge.workbench.adapters import Adapter, adapter_digest
from promptforge.workbench.disk import exclusive, private_folder, replace_files

__all__ = [
    "POINTER",
    "Champion",
    "champion_before",
    "champion_of",
    "champions",
    "check_champion",
    "crown",
    "is_kept",
    "last_change",
    "point",
    "rollback",
]

POINTER = "build/champions.yaml"
_FOLDER = "champions"
"""Below .promptforge, which no `rm -r build` reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The adapter that a model is served with."""

    model: str
    category: str
    """Empty: for all of them."""
    folder: Path
    digest: str
    variant: str
    """The prompt that it is sent."""
    recipe: str
    since: str
    number: int
    """In the history: what `champion rollback --to` takes."""
    why: str
    """The verdict in a sentence."""


def champion_of(store: Store, root: Path, model: str, category: str = "") -> Champion | None:
    """The champion of a model; None: it is served as it is. Raises InputError where its adapter is damaged."""
    stack = _stack(store.crownings(), model, category)
    if not stack:
        return None
    found = _champion(root, stack[-1])
    if not found.folder.is_dir():
        hint = f"put it back from a backup, or go on without it: promptforge champion rollback {model}"
        raise InputError(f"the adapter of the champion of '{model}' is gone: {found.folder}", hint=hint)
    return found


def champion_before(store: Store, root: Path, model: str, category: str = "") -> Champion | None:
    """Who would be champion after a rollback; None: the model as it is."""
    stack = _stack(store.crownings(), model, category)
    return _champion(root, stack[-2]) if len(stack) > 1 else None


def check_champion(champion: Champion) -> None:
    """Raises InputError where the adapter that is kept is not the one that was promoted any more."""
    if adapter_digest(champion.folder) != champion.digest:
        hint = f"put it back from a backup, or go on without it: promptforge champion rollback {champion.model}"
        raise InputError(f"the adapter of the champion of '{champion.model}' has changed: {champion.folder}", hint=hint)


def champions(store: Store, root: Path) -> tuple[Champion, ...]:
    """Every champion, by model and category."""
    rows = store.crownings()
    places = sorted({(row.model, row.category) for row in rows})
    stacks = [_stack(rows, model, category) for model, category in places]
    return tuple(_champion(root, stack[-1]) for stack in stacks if stack)


def last_change(store: Store, model: str, category: str = "") -> int:
    """The number of the last promotion or way back; 0: there was none."""
    return max((row.number for row in store.crownings() if (row.model, row.category) == (model, category)), default=0)


def crown(
    store: Store,
    root: Path,
    model: str,
    adapter: Adapter,
    *,
    why: str,
    run: str,
    at: str,
    category: str = "",
    after: int | None = None,
) -> Champion:
    """Make an adapter the champion. First its copy, then the one row that names it, then the pointer for others.

    `after` is the last change that is known to who judged. Raises BusyError where there was another one since.
    """
    folder = _kept(root, model, adapter.digest)
    _copy(adapter.folder, folder, adapter.digest)
    body = {
        "adapter": folder.relative_to(root).as_posix(),
        "digest": adapter.digest,
        "recipe": adapter.recipe,
        "variant": adapter.variant,
        "run": run,
        "why": why,
    }
    if not store.crown(model, "promote", body, at=at, category=category, after=after):
        message = f"the champion of '{model}' changed while '{adapter.folder.name}' was judged: nothing was done"
        raise BusyError(message, hint="run the same command again: only what is missing is asked")
    point(store, root)
    found = champion_of(store, root, model, category)
    assert found is not None
    return found


def rollback(
    store: Store, root: Path, model: str, *, at: str, why: str = "", category: str = "", to: int | None = None
) -> Champion | None:
    """Go back to the champion before, or to one of the history; None: to the model as it is. Raises InputError."""
    rows = store.crownings()
    stack = _stack(rows, model, category)
    now = stack[-1].number if stack else 0
    earlier = [row for row in _promotions(rows, model, category) if row.number != now]
    if not stack and (to is None or not earlier):
        raise InputError(f"'{model}' has no champion to go back from", hint=_way_on(rows, model, category, earlier))
    target = stack[-2] if len(stack) > 1 else None
    if to is not None:
        target = next((row for row in earlier if row.number == to), None)
        if target is None:
            known_numbers = ", ".join(str(row.number) for row in earlier) or "none"
            hint = f"it had before: {known_numbers}; see promptforge champion history {model}"
            raise InputError(f"number {to} is no earlier champion of '{model}'", hint=hint)
    body: dict[str, Any] = {"why": why or "by hand"}
    if target is not None:
        folder = root / str(target.body["adapter"])
        if not folder.is_dir() or adapter_digest(folder) != target.body["digest"]:
            hint = "name another one with --to, or promote again"
            raise InputError(f"the adapter of champion {target.number} is gone or has changed: {folder}", hint=hint)
        body["to"] = target.number
    store.crown(model, "rollback", body, at=at, category=category)
    point(store, root)
    return champion_of(store, root, model, category)


def _way_on(rows: Sequence[Crowning], model: str, category: str, earlier: Sequence[Crowning]) -> str:
    """What to do where there is no champion to go back from."""
    if earlier:
        numbers = ", ".join(str(row.number) for row in earlier)
        return f"it is served untrained; to a champion that it had ({numbers}): --to NUMBER"
    if places := [row.category or "all" for row in rows if row.model == model and row.category != category]:
        return f"it has had champions for: {', '.join(dict.fromkeys(places))}; see promptforge champion history {model}"
    known = {row.model for row in rows}
    return did_you_mean(model, known) if known else "one is made by: promptforge promote"


def point(store: Store, root: Path) -> None:
    """Write the pointer for others where it differs from the history. Raises WriteError."""
    entries: dict[str, Any] = {}
    for one in champions(store, root):
        about = {
            "adapter": os.path.relpath(one.folder, root),
            "digest": one.digest,
            "variant": one.variant,
            "recipe": one.recipe,
            "since": one.since,
        }
        entry = entries.setdefault(one.model, {})
        if one.category:
            entry.setdefault("categories", {})[one.category] = about
        else:
            entry.update(about)
    path = root / POINTER
    if not entries and (not path.exists() or not store.crownings()):
        return  # a history that was moved away knows no better than the pointer that is left
    with exclusive(root):
        replace_files(root, {path: ((emit(entries) if entries else "{}\n").encode(), False)})


def is_kept(root: Path, folder: Path) -> bool:
    """Whether a folder is one of those that champions are kept in: nobody moves or deletes it."""
    return folder.resolve().is_relative_to((root / ".promptforge" / _FOLDER).resolve())


# --- the journal ------------------------------------------------------------------------------------------------------


def _stack(rows: Sequence[Crowning], model: str, category: str) -> list[Crowning]:
    """The champions that are left after every promotion and every way back, the present one last.

    Whoever goes back to a champion finds what stood below it on the day of its promotion.
    """
    stack: list[Crowning] = []
    then: dict[int, list[Crowning]] = {}
    for row in rows:
        if (row.model, row.category) != (model, category):
            continue
        if row.action == "promote":
            stack.append(row)
            then[row.number] = [*stack]
        else:
            stack = [*then.get(row.body.get("to", 0), ())]
    return stack


def _promotions(rows: Sequence[Crowning], model: str, category: str) -> list[Crowning]:
    return [row for row in rows if (row.model, row.category) == (model, category) and row.action == "promote"]


def _champion(root: Path, row: Crowning) -> Champion:
    body: Mapping[str, Any] = row.body
    return Champion(
        model=row.model,
        category=row.category,
        folder=root / str(body["adapter"]),
        digest=str(body["digest"]),
        variant=str(body.get("variant") or "enriched"),
        recipe=str(body.get("recipe", "")),
        since=row.at,
        number=row.number,
        why=str(body.get("why", "")),
    )


# --- the adapters -----------------------------------------------------------------------------------------------------


def _kept(root: Path, model: str, digest: str) -> Path:
    name = re.sub(r"[^\w.-]|^\.+", "-", model, flags=re.ASCII)  # `org/model`, or worse, is one folder here
    return private_folder(root) / _FOLDER / name / digest[:16]


def _copy(source: Path, target: Path, digest: str) -> None:
    """Copy an adapter to where it is kept, whole or not at all. Raises WriteError, InputError."""
    if target.is_dir() and adapter_digest(target) == digest:
        return  # it was champion before, or we were killed before it was named
    aside = target.with_name(f".{target.name}{TEMPORARY}")
    try:
        for left in (aside, target):
            shutil.rmtree(left, ignore_errors=True)
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, aside)
        _flush(aside)
        if adapter_digest(aside) != digest:
            raise InputError(f"'{source}' changed while it was copied", hint="let its training end, then promote again")
        aside.rename(target)
    except OSError as problem:
        shutil.rmtree(aside, ignore_errors=True)
        reason = (problem.strerror or str(problem)).lower()
        hint = "make room or mend the permissions; the champion is what it was"
        raise WriteError(f"the adapter cannot be kept in {target}: {reason}", hint=hint) from problem


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
