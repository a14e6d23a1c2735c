"""`import`: what a source shows, taken over into the knowledge. All of it is known to be good before a byte is written.

New facts are added. What a person wrote stays: where the source says something else that is shown, and taken only where
it is asked for.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import unified_diff
from pathlib import Path, PurePosixPath

from promptforge.diff import Diff
from promptforge.errors import BusyError, InputError, UsageError
from promptforge.files import DEFAULT_FILE_MB, Problem, read_file, wanted
from promptforge.model import Table
from promptforge.source import Diagnostic, did_you_mean
from promptforge.sources.base import Observation
from promptforge.workbench.accepted import read_accepted
from promptforge.workbench.consequences import After, Now, after, read_now
from promptforge.workbench.disk import exclusive, replace_files
from promptforge.workbench.holding import Difference, Held, compare_columns, hold
from promptforge.workbench.identities import REGISTER, Register, read_register, register_text
from promptforge.workbench.matching import Match
from promptforge.workbench.stale import stale_datasets
from promptforge.workbench.taking import Added, Edits, write_into

__all__ = ["Takeover", "Wishes", "take_over"]

_ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the person asked for."""

    accept: tuple[str, ...] = ()
    """Keys (`mini:4078`, `ports/mini:4078`) and tables of which differing values are taken, or `all`."""
    into: str = ""
    """The file for new facts; empty: where their table is."""
    everything: bool = False
    """Noise, too."""
    source_column: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """What came of it."""

    held: Held
    added: tuple[Added, ...]
    waiting: tuple[Match, ...]
    """New, but they name what is in no table."""
    taken: tuple[Difference, ...]
    open: tuple[Difference, ...]
    """What differs and was not accepted."""
    by_hand: tuple[tuple[Difference, str], ...]
    followed: tuple[str, ...]
    """Facts that name a renamed one, and were changed with it."""
    notes: tuple[str, ...]
    diff: Diff | None
    """What it means for the prompts; None where nothing changed."""
    problems: tuple[Diagnostic, ...]
    """Errors that it would have brought: then nothing was written."""
    after: After | None = None
    doubtful: tuple[Match, ...] = ()
    """What nobody can tell, and was not accepted by its very key."""
    files: Mapping[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """Before and after, of those that differ."""
    written: bool = False

    def patch(self) -> str:
        """What differs in the files, as a unified diff."""
        return "".join(_patch(file, *sides) for file, sides in self.files.items())


def take_over(root: Path, observation: Observation, wishes: Wishes, *, today: datetime.date) -> Takeover:
    """Take what a source shows over into the knowledge of a project.

    Raises InputError where the knowledge cannot be read or edited, UsageError where something is accepted that is not
    there, WriteError and BusyError where nothing can be written. Then every file is as it was.
    """
    if wishes.into:
        _check_file(wishes.into)
    now = read_now(root, today=today)
    tables, register = now.build.project.tables, read_register(root)
    held = read_accepted(now.build).quiet(hold(tables, observation, register, everything=wishes.everything))
    differences, doubtful = _with_doubtful(tables, held, wishes.accept)
    _check_accepted(wishes.accept, tables, held)
    accepted = [one for one in differences if _is_accepted(one, wishes.accept)]
    edits = write_into(
        now,
        accepted,
        [one for one in held.new if not one.held],
        day=_day(observation, today),
        source=observation.source,
        into=wishes.into,
        source_column=wishes.source_column,
    )
    _check_sizes(now, edits.files)
    then = after(now, edits.files, today=today) if edits.files else None
    made = _made(held, accepted, differences, edits, then, _left_alone(held, wishes.accept))
    register_now = _kept(held, register, made.taken)
    made = replace(made, doubtful=doubtful, files=_sides(root, now, edits, then, register_now))
    return made if wishes.dry_run or made.problems or not made.files else _write(root, made)


def _made(
    held: Held,
    accepted: Sequence[Difference],
    differences: Sequence[Difference],
    edits: Edits,
    then: After | None,
    left_alone: Sequence[str],
) -> Takeover:
    asked = {one.fact.id for one in accepted}
    refused = {one.fact.id for one, _ in edits.by_hand}
    return Takeover(
        held=held,
        added=edits.added,
        waiting=tuple(one for one in held.new if one.held),
        taken=tuple(one for one in accepted if one.fact.id not in refused),
        open=tuple(one for one in differences if one.fact.id not in asked),
        by_hand=edits.by_hand,
        followed=edits.followed,
        notes=(*held.observation.notes, *edits.notes, *left_alone, *_unread(edits, then)),
        diff=then.diff if then else None,
        problems=then.problems if then else (),
        after=then,
    )


def _unread(edits: Edits, then: After | None) -> Iterator[str]:
    """Tables with new facts of which no prompt holds anything, with what would bring them into one."""
    if then is None or not then.build.project.agents:
        return
    agents = [*then.build.project.agents.values()]
    shown = {section.name for agent in agents for section in agent.sections if section.kind == "table"}
    for entry in then.build.artifact.entries.values():
        shown |= {id_.partition("/")[0] for segment in entry.enriched.segments for id_ in segment.facts}
    reader = next((one for one in agents if one.privacy == "local"), agents[0])
    file = reader.sections[-1].file if reader.sections else reader.file
    for table in dict.fromkeys(one.match.seen.table for one in edits.added):
        if table not in shown:
            yield f"no agent's prompt has the table {table}: add `- {{table: {table}}}` to sections in {file}"


# --- what is asked for ------------------------------------------------------------------------------------------------


def _check_file(into: str) -> None:
    path = PurePosixPath(into)
    if len(path.parts) != 2 or path.parts[0] != "knowledge" or not wanted(into):
        message = f"'{into}' is no file of facts"
        raise UsageError(message, hint="name one directly in knowledge/: --into knowledge/imported.yaml")


def _names_of(table: str, keys: Iterable[str]) -> set[str]:
    return {name for key in keys if key for name in (key, f"{table}/{key}")}


def _is_accepted(one: Difference, accept: Sequence[str]) -> bool:
    named = not _names_of(one.fact.table, (one.fact.key, one.new_key)).isdisjoint(accept)
    return named or (not one.doubtful and (_ALL in accept or one.fact.table in accept))


def _left_alone(held: Held, accept: Sequence[str]) -> list[str]:
    """What is asked for by its name, but is meant to differ."""
    named = {id_: _names_of(table, (key,)) for id_ in held.accepted for table, _, key in (id_.partition("/"),)}
    why = "stays as it is, for this drift is allowed; to take it, delete the allowance first"
    return [f"{id_} {why}" for id_, names in named.items() if not names.isdisjoint(accept)]


def _with_doubtful(
    tables: Mapping[str, Table], held: Held, accept: Sequence[str]
) -> tuple[list[Difference], tuple[Match, ...]]:
    """All differences; of what is in doubt those where the person names the fact: he says that it is the same."""
    differences, left = list(held.differences), []
    for one in held.doubtful:
        fact = one.perhaps[0] if len(one.perhaps) == 1 else None
        if fact is None or _names_of(fact.table, (fact.key,)).isdisjoint(accept) or fact.id in held.met:
            left.append(one)
            continue
        columns, unset = compare_columns(tables[fact.table], fact, one.seen)
        made = Difference(fact=fact, seen=one.seen, by="the person", columns=columns, unset=unset, doubtful=True)
        differences.append(made)
    return differences, tuple(left)


def _check_accepted(accept: Sequence[str], tables: Mapping[str, Table], held: Held) -> None:
    known = {_ALL, *tables}
    for table in tables.values():
        known |= _names_of(table.name, (fact.key for fact in table.facts))
    for one in held.differences:
        known |= _names_of(one.fact.table, (one.new_key,))
    for name in accept:
        if name not in known:
            hint = did_you_mean(name, [one.fact.id for one in held.differences] or tables)
            raise UsageError(f"nothing is called '{name}', so it cannot be accepted", hint=hint)


def _day(observation: Observation, today: datetime.date) -> str:
    """The day of the dump, where it says one that was."""
    with suppress(ValueError):
        return min(datetime.date.fromisoformat(observation.at[:10]), today).isoformat()
    return today.isoformat()


# --- what is written --------------------------------------------------------------------------------------------------


def _check_sizes(now: Now, files: Mapping[str, bytes]) -> None:
    """A file that the next reading would refuse is not written."""
    limit_mb = now.build.project.config.settings.get("limits", {}).get("file_mb", DEFAULT_FILE_MB)
    for file, content in files.items():
        if len(content) > limit_mb * 2**20:
            message = f"{file} would have {len(content):,} bytes, and the limit is {limit_mb:g} MB"
            hint = "name another file for new facts: --into knowledge/FILE.yaml; or raise limits.file_mb"
            raise InputError(message, hint=hint)


def _kept(held: Held, register: Register, taken: Sequence[Difference]) -> Register:
    """The ids to remember; a rename that was not taken is remembered as it was, so that it is shown again."""
    renamed = {one.fact.id: f"{one.fact.table}/{one.new_key}" for one in taken if one.new_key}
    waiting = {one.fact.id for one in held.differences if one.new_key} - renamed.keys()
    kept = {id_: ids for id_, ids in register.items() if id_ not in renamed}
    for id_, ids in held.ids.items():
        if id_ in renamed:
            kept[renamed[id_]] = {kind: value for kind, value in ids.items() if kind != "called"}
        elif id_ not in waiting:
            kept[id_] = ids
    return kept


def _sides(
    root: Path, now: Now, edits: Edits, then: After | None, register: Register
) -> dict[str, tuple[bytes, bytes]]:
    sides = {file: (now.tree.files.get(file, b""), content) for file, content in edits.files.items()}
    facts = (then.build if then else now.build).artifact.facts
    kept = {id_: ids for id_, ids in register.items() if id_ in facts}
    before = read_file(root, REGISTER, limit_mb=2**20)
    old = b"" if isinstance(before, Problem) else before
    made = register_text(kept) if kept or old else b""
    return sides if made == old else {**sides, REGISTER: (old, made)}


def _write(root: Path, made: Takeover) -> Takeover:
    """Write all files or none of them."""
    modes: dict[Path, int] = {}
    with exclusive(root):
        contents: dict[Path, tuple[bytes, bool]] = {}
        for file, (before, content) in made.files.items():
            path = root / file
            found = read_file(root, file, limit_mb=2**20)
            if (b"" if isinstance(found, Problem) and not path.exists() else found) != before:
                raise BusyError(f"{file} was changed meanwhile", hint="nothing was written; import again")
            if path.exists():
                modes[path] = path.stat().st_mode & 0o777
            contents[path] = content, bool(modes.get(path, 0o777) & 0o007 == 0)
        replace_files(root, contents)
        for path, mode in modes.items():
            path.chmod(mode)
    diff = made.diff
    if diff is not None and made.after is not None:
        diff = replace(diff, datasets=tuple(stale_datasets(root, made.after.build)))
    return replace(made, written=True, diff=diff)


def _patch(file: str, before: bytes, content: bytes) -> str:
    old, new = (side.decode("utf-8", "replace").splitlines(keepends=True) for side in (before, content))
    lines = unified_diff(old, new, "/dev/null" if not before else f"a/{file}", f"b/{file}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
