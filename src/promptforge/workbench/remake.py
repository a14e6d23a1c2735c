"""A build of which only facts changed, made from the last one: the same bytes, from a part of the work.

Whatever cannot be told for certain is left to a whole build, anything that is wrong or worth a warning included. What
a prompt rests on is known from the lock; what it would newly take in, from the conditions that the state keeps; what a
text says is tried with one of the agents that are given it.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from promptforge.compiler.allow import settle
from promptforge.compiler.build import Part, compile_part
from promptforge.compiler.choose import Chooser
from promptforge.compiler.judge import judge
from promptforge.compiler.link import link
from promptforge.compiler.load import Loaded, load
from promptforge.files import CONFIG, Tree
from promptforge.model import Project
from promptforge.source import Diagnostic, ordered
from promptforge.tokens import Counter
from promptforge.workbench.edit import Delta, Edit, UnclearError, read_edit
from promptforge.workbench.forge import Report
from promptforge.workbench.fresh import Seen
from promptforge.workbench.rewrite import Made, rewrite
from promptforge.workbench.state import Listener, State, UnkeptError

__all__ = ["remake"]

MOST_AGENTS = 200
"""Agents that may be touched; with more of them a whole build is as quick."""


def remake(
    root: Path, state: State, *, today: datetime.date, seen: Seen, counters: Mapping[str, Counter]
) -> Report | None:
    """Make the build, or nothing where that is not certain. Call it inside `exclusive`.

    `counters` are those of tiktoken's encodings that are loaded already.

    Raises WriteError, UsageError.
    """
    try:
        edit = read_edit(root, state, seen)
        _judge(edit, today)
        report = rewrite(edit, _compile(edit, _touched(edit), counters))
    except (UnclearError, UnkeptError):
        return None
    if _names_differ(edit):
        from promptforge.workbench.editors import refresh_facts

        refresh_facts(root, edit.knowledge.project.tables)
    return report


def _names_differ(edit: Edit) -> bool:
    """Whether an editor would complete something else: a fact came or went, or names another one."""
    before, after = edit.delta.before, edit.delta.after
    if before.keys() != after.keys():
        return True
    tables = edit.knowledge.project.tables
    refs = {name: [column for column, about in tables[name].columns.items() if about.ref] for name in edit.delta.tables}
    return any(
        fact.values.get(column) != after[id_].values.get(column)
        for id_, fact in before.items()
        for column in refs[fact.table]
    )


def _judge(edit: Edit, today: datetime.date) -> None:
    """Leave a project with anything to say to a whole build, which says it."""
    loaded, project, differing = edit.knowledge.loaded, edit.knowledge.project, edit.delta.tables
    judged = {
        name
        for name, table in project.tables.items()
        if name in differing or any(column.ref in differing for column in table.columns.values())
    }
    changed = replace(loaded, config=None)
    _refuse([*edit.knowledge.found, *judge(project, changed, today=today, tables=judged)], loaded, project)


def _refuse(found: Sequence[Diagnostic], loaded: Loaded, project: Project) -> None:
    """Give up on what is to be said; what an allowance silences is not."""
    if settle(ordered(found), loaded, project.config, thorough=False):
        raise UnclearError("there is something to say")


# --- whom it touches ------------------------------------------------------------------------------------------------


class _Touched(NamedTuple):
    agents: set[int]
    """Numbers of the agents that must be compiled."""
    texts: dict[str, Listener]
    """Texts that read something else now; of those that say the same to all agents one is to be compiled."""


def _touched(edit: Edit) -> _Touched:
    agents = edit.last.lock.holders(edit.delta.before)
    agents.update(_newly_matching(edit))
    agents.update(_gone_through(edit))
    texts = {}
    for key, listener in edit.last.listeners.items():
        if not edit.delta.names.isdisjoint(listener.reads):
            texts[key] = listener
            agents.update((listener.agents[:1] if listener.digest else listener.agents) or [listener.tried])
    return _Touched(agents=agents, texts=texts)


def _newly_matching(edit: Edit) -> Iterator[int]:
    """Agents with a section that takes in one of the facts as they are now."""
    project = edit.knowledge.project
    chooser = Chooser(project)
    for name in edit.delta.tables:
        table = project.tables[name]
        differing = replace(table, facts=tuple(fact for fact in table.facts if fact.id in edit.delta.after))
        for where, places in edit.state.watchers(name) if differing.facts else ():
            if chooser.matching(differing, where):
                yield from (number for number, _ in places)


def _gone_through(edit: Edit) -> Iterator[int]:
    """Agents with a section whose `where` goes through one of the facts to something that differs."""
    ids = dict.fromkeys((*edit.delta.before, *edit.delta.after))
    for table, columns in edit.state.part("through").items() if ids else ():
        of_table = [id_ for id_ in ids if id_.startswith(f"{table}/")]
        for column, numbers in columns.items():
            if any(_reads_otherwise(id_, column, edit.delta) for id_ in of_table):
                yield from numbers


def _reads_otherwise(id_: str, column: str, delta: Delta) -> bool:
    was, now = delta.before.get(id_), delta.after.get(id_)
    if was is None or now is None or was.level != now.level:
        return True
    return repr(was.values.get(column)) != repr(now.values.get(column))


# --- what comes of it -----------------------------------------------------------------------------------------------


def _compile(edit: Edit, touched: _Touched, counters: Mapping[str, Counter]) -> Made:
    """Compile the touched agents, and of each touched text one that is given it; where it differs, all of these."""
    made = Made(entries={}, readings={})
    wanted = set(touched.agents)
    while missing := sorted(wanted - made.entries.keys()):
        if len(wanted) > MOST_AGENTS:
            raise UnclearError("many agents are touched")
        part = _compile_some(edit, missing, counters)
        made.entries.update(zip(missing, part.entries.values(), strict=True))
        made.readings.update(part.readings)
        for key, listener in touched.texts.items():
            now = made.readings.get(key)
            if now is None or now.digest != listener.digest:
                wanted.update(listener.agents)
    if not touched.texts.keys() <= made.readings.keys():
        raise UnclearError("a text was not rendered")
    return made


def _compile_some(edit: Edit, numbers: Sequence[int], counters: Mapping[str, Counter]) -> Part:
    rows = edit.last.rows
    names = [rows[number].name for number in numbers]
    wanted = {CONFIG, *(rows[number].file for number in numbers), *edit.state.examples_for(names)}
    files = {
        path: content
        for path, content in edit.inputs.files.items()
        if path in wanted or path.startswith("agents/templates/")
    }
    loaded, found = load(Tree(root=edit.root, files=files), parse=edit.parse, known=True)
    others = {row.name for row in rows}.difference(names)
    project, problems = link(loaded, tables=edit.knowledge.project.tables, others=others)
    if list(project.agents) != names:
        raise UnclearError("the agents are not those of the last build")
    part = compile_part(project, loaded, root=edit.root, digests=edit.inputs.digests, counters=counters)
    _refuse([*found, *problems, *part.diagnostics], loaded, project)
    return part
