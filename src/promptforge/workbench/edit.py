"""An edit of the knowledge: the files now against those of the last build, fact by fact.

Only what is certain counts: where other files changed, tables came or went, or facts changed places, it gives up.
Its values are named tuples: this is loaded at each start, and a dataclass takes a millisecond to define.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from promptforge.artifact import Entry
from promptforge.compiler.link import link
from promptforge.compiler.load import Loaded, load
from promptforge.compiler.tables import make_tables
from promptforge.document import Document
from promptforge.files import CONFIG, DEFAULT_FILE_MB, Tree, content_digest, digest_of, input_paths, read_file
from promptforge.lock import Place, read_entry
from promptforge.model import Fact, Project, Table
from promptforge.source import Diagnostic
from promptforge.workbench.disk import Later
from promptforge.workbench.forge import COMMITTED_LOCK, lock_path, output_path
from promptforge.workbench.fresh import Seen
from promptforge.workbench.patch import Patch, find_patch
from promptforge.workbench.splice import Lock
from promptforge.workbench.state import Listener, Row, State
from promptforge.yamlio import parse

__all__ = ["Delta", "Edit", "Inputs", "Knowledge", "Last", "UnclearError", "read_edit"]

MOST_FACTS = 100
"""Facts that may differ; with more of them a whole build is as quick."""
_NOT_COMPILED = ("suites/", "training/")


class UnclearError(Exception):
    """The project must be built as a whole: why."""


class Inputs(NamedTuple):
    """The project's files now."""

    files: Mapping[str, bytes]
    digests: Mapping[str, str]
    changed: frozenset[str]

    def knowledge(self) -> Iterator[str]:
        """The changed files of the knowledge."""
        return (path for path in sorted(self.changed) if path.startswith("knowledge/"))

    def schemas(self, tables: Iterable[str]) -> dict[str, bytes]:
        """The schemas that the user gave to tables."""
        paths = {name: f"knowledge/schemas/{name}.schema.json" for name in sorted(tables)}
        return {name: self.files[path] for name, path in paths.items() if path in self.files}


class Last(NamedTuple):
    """The last build, as it lies on the disk."""

    path: Path
    prompts: bytes
    lock: Lock
    committed: list[bytes]
    """The lines of promptforge.lock."""
    rows: list[Row]
    ends: list[int]
    """Where each agent's part of the artifact ends."""
    listeners: Mapping[str, Listener]

    def place(self, number: int) -> slice:
        """Where an agent's part of the artifact lies."""
        return slice(self.ends[number - 1] if number else 0, self.ends[number])

    def entry(self, number: int, place: Place) -> Entry:
        """An agent as it was built, when the facts stood at these places."""
        name = self.rows[number].name
        document, _ = parse("agent_prompts.yaml", self.prompts[self.place(number)])
        if document is None:
            raise UnclearError(f"the prompt of {name} cannot be read")
        return read_entry(name, self.lock.get_agent(number), document.data[name], place)


class Knowledge(NamedTuple):
    """The tables now, and what was said while they were made."""

    loaded: Loaded
    """Of the knowledge only the changed files, and these only where they were parsed."""
    project: Project
    """Without agents and examples."""
    names: Mapping[str, Sequence[str]]
    """By file the tables that it names."""
    found: list[Diagnostic]


class Delta(NamedTuple):
    """The facts that differ."""

    tables: Mapping[str, Table]
    """The tables of the changed files, as they were."""
    before: Mapping[str, Fact]
    """By id: what was removed or is different now, as it was."""
    after: Mapping[str, Fact]
    """By id: what was added or was different, as it is."""
    moved: Mapping[str, tuple[str, int]]
    """What only stands elsewhere: its file and line."""
    names: frozenset[str]
    """What reads differently now in a text: facts, found or not, and tables that are looped over or searched."""


class Edit(NamedTuple):
    """All that an incremental build starts from."""

    root: Path
    state: State
    inputs: Inputs
    last: Last
    knowledge: Knowledge
    delta: Delta

    def parse(self, file: str, content: bytes) -> tuple[Document | None, tuple[Diagnostic, ...]]:
        """Parse a file, or take it from the state if that has it: only knowledge changes."""
        if file.startswith("fewshot/"):
            return self.state.document(file, content.decode("utf-8-sig")), ()
        return parse(file, content)


def read_edit(root: Path, state: State, seen: Seen) -> Edit:
    """What was edited since the state was kept. Raises UnclearError, Unkept, UsageError."""
    outputs = Later(lambda: _read_outputs(root, state))
    inputs = _read_inputs(root, state, seen)
    rows = state.rows()
    knowledge, delta = _read_knowledge(root, state, inputs, rows)
    last = _last(root, state, rows, outputs.get())
    return Edit(root=root, state=state, inputs=inputs, last=last, knowledge=knowledge, delta=delta)


# --- what there is --------------------------------------------------------------------------------------------------


def _read_inputs(root: Path, state: State, seen: Seen) -> Inputs:
    for path, digest in state.head["tokenizers"].items():
        if content_digest(Path(path)) != digest:
            raise UnclearError(f"{path} is another tokenizer")
    recorded: dict[str, str] = state.part("inputs")
    if input_paths(root) != list(recorded):
        raise UnclearError("files came or went")
    files: dict[str, bytes] = {}
    digests: dict[str, str] = {}
    for path in recorded:
        if path in seen:
            files[path], digests[path] = seen[path]
            continue
        content = read_file(root, path, limit_mb=2**20)
        if not isinstance(content, bytes):
            raise UnclearError(f"{path} cannot be read")
        files[path], digests[path] = content, digest_of(content)
    changed = frozenset(path for path, digest in recorded.items() if digests[path] != digest)
    for path in changed:
        is_knowledge = path.startswith("knowledge/") and not path.endswith(".schema.json")
        if not (is_knowledge or path.startswith(_NOT_COMPILED)):
            raise UnclearError(f"{path} is no knowledge")
    return Inputs(files=files, digests=digests, changed=changed)


def _read_outputs(root: Path, state: State) -> list[bytes]:
    path = output_path(root, state.head["place"])
    contents = []
    for place in (path, lock_path(path), root / COMMITTED_LOCK):
        try:
            content = place.read_bytes()
        except OSError as problem:
            raise UnclearError(f"{place} cannot be read") from problem
        if digest_of(content) != state.head["outputs"][os.path.relpath(place, root)]:
            raise UnclearError(f"{place} is not as it was written")
        contents.append(content)
    return contents


def _last(root: Path, state: State, rows: list[Row], outputs: list[bytes]) -> Last:
    prompts, lock, committed = outputs
    return Last(
        path=output_path(root, state.head["place"]),
        prompts=prompts,
        lock=Lock(lock),
        committed=committed.split(b"\n"),
        rows=rows,
        ends=list(accumulate(row.size for row in rows)),
        listeners=state.listeners(),
    )


def _read_knowledge(root: Path, state: State, inputs: Inputs, rows: list[Row]) -> tuple[Knowledge, Delta]:
    """The tables now, and what differs in them."""
    loaded, found = load(Tree(root=root, files={CONFIG: inputs.files[CONFIG]}), known=True)
    project, problems = link(loaded, tables={}, others=[row.name for row in rows])
    limits = project.config.settings.get("limits", {})
    if any(len(inputs.files[path]) > limits.get("file_mb", DEFAULT_FILE_MB) * 2**20 for path in inputs.changed):
        raise UnclearError("a file is too large")
    known: Mapping[str, Sequence[str]] = state.part("names")
    reserved = frozenset(project.config.runtime)
    documents: dict[str, Document] = {}
    more: list[Diagnostic] = []
    if patch := _patch(state, inputs, known, reserved):
        anew, names, delta = {patch.now.name: patch.now}, known, _delta_of(patch)
    else:
        anew, names, documents, more = _make_anew(inputs, known, state.head["tables"], reserved)
        delta = _find_delta({name: state.table(name) for name in state.head["tables"] if name in anew}, anew)
    tables = {name: anew[name] if name in anew else state.table(name) for name in state.head["tables"]}
    knowledge = Knowledge(
        loaded=replace(loaded, knowledge=documents, documents=_Documents(inputs, {**loaded.documents, **documents})),
        project=replace(project, tables=tables),
        names=names,
        found=[*found, *problems, *more],
    )
    return knowledge, delta


def _patch(state: State, inputs: Inputs, known: Mapping[str, Sequence[str]], reserved: frozenset[str]) -> Patch | None:
    """An edit that can be told from its lines alone."""
    paths = list(inputs.knowledge())
    if len(paths) != 1 or "_defaults" in known[paths[0]]:
        return None

    def make(name: str, document: Document) -> Table | None:
        tables, found = make_tables({document.file: document}, inputs.schemas([name]), reserved)
        return None if found else tables[name]

    tables = {name: state.table(name) for name in known[paths[0]]}
    return find_patch(paths[0], state.sound(f"text {paths[0]}"), inputs.files[paths[0]], tables, make)


def _delta_of(patch: Patch) -> Delta:
    pairs = [(one, other) for one, other in zip(patch.before, patch.after, strict=True) if not _is_same(one, other)]
    before, after = {one.id: one for one, _ in pairs}, {other.id: other for _, other in pairs}
    names = {*before, *after, *([f"table:{patch.was.name}"] if pairs else [])}
    for table, keys in ((patch.was, {one.key for one, _ in pairs}), (patch.now, {other.key for _, other in pairs})):
        names.update(f"{table.name}/{key}" for key, fact in table.by_key.items() if fact.key in keys)
    return Delta(tables={patch.was.name: patch.was}, before=before, after=after, moved={}, names=frozenset(names))


def _make_anew(
    inputs: Inputs, known: Mapping[str, Sequence[str]], digests: Mapping[str, str], reserved: frozenset[str]
) -> tuple[dict[str, Table], Mapping[str, Sequence[str]], dict[str, Document], list[Diagnostic]]:
    """The tables of the changed files, made of these and of all that share one with them.

    Also the tables that each file names, the documents of the changed ones, and what is to be said of them.
    """
    found: list[Diagnostic] = []
    documents: dict[str, Document] = {}
    names = dict(known)
    for path in inputs.knowledge():
        document = _parse_into(documents, path, inputs, found)
        if not isinstance(document.data, dict):
            raise UnclearError(f"{path} holds no tables")
        names[path] = list(document.data)
    if _order(names) != _order(known):
        raise UnclearError("a table came, went or moved")
    changed = dict(documents)
    for path in sorted(_together(set(documents), names, known) - set(documents)):
        _parse_into(documents, path, inputs, found)
    tables = {name for path in documents for name in (*names[path], *known[path])} - {"_defaults"}
    in_order = {path: documents[path] for path in sorted(documents)}
    made, problems = make_tables(in_order, inputs.schemas(tables), reserved)
    if any(made[name].digest != digests.get(name) for name in tables):
        raise UnclearError("a table has another key")
    return {name: made[name] for name in digests if name in tables}, names, changed, [*found, *problems]


def _parse_into(documents: dict[str, Document], path: str, inputs: Inputs, found: list[Diagnostic]) -> Document:
    document, problems = parse(path, inputs.files[path])
    if document is None:
        raise UnclearError(f"{path} cannot be read")
    documents[path] = document
    found += problems
    return document


class _Documents(dict[str, Document]):
    """The documents, each parsed when somebody has something to say of it; an allowance in it may silence that."""

    def __init__(self, inputs: Inputs, parsed: Mapping[str, Document]) -> None:
        super().__init__(parsed)
        self._inputs = inputs

    def __missing__(self, path: str) -> Document:
        return _parse_into(self, path, self._inputs, [])


def _order(names: Mapping[str, Sequence[str]]) -> list[str]:
    """The tables in the order in which the files name them."""
    return list(dict.fromkeys(name for path in sorted(names) for name in names[path] if name != "_defaults"))


def _together(paths: set[str], names: Mapping[str, Sequence[str]], known: Mapping[str, Sequence[str]]) -> set[str]:
    """The files, and all those that hold a part of one of their tables."""
    while True:
        tables = {name for path in paths for name in (*names[path], *known[path])} - {"_defaults"}
        more = {path for path, others in known.items() if not tables.isdisjoint(others)} - paths
        if not more:
            return paths
        paths = paths | more


# --- what differs ---------------------------------------------------------------------------------------------------


def _find_delta(old: Mapping[str, Table], new: Mapping[str, Table]) -> Delta:
    before: dict[str, Fact] = {}
    after: dict[str, Fact] = {}
    moved: dict[str, tuple[str, int]] = {}
    names: set[str] = set()
    for name, was in old.items():
        now = new[name]
        if any(now.columns.get(column) != about for column, about in was.columns.items()):
            raise UnclearError(f"{name} lost a column")
        size = len(before) + len(after)
        _compare(was, now, before, after, moved)
        if len(before) + len(after) > size:
            names.add(f"table:{name}")
        keys = dict.fromkeys((*was.by_key, *now.by_key))
        names.update(f"{name}/{key}" for key in keys if _id(was.by_key.get(key)) != _id(now.by_key.get(key)))
    if max(len(before), len(after)) > MOST_FACTS:
        raise UnclearError("many facts differ")
    names.update(before, after)
    return Delta(tables=old, before=before, after=after, moved=moved, names=frozenset(names))


def _compare(
    was: Table, now: Table, before: dict[str, Fact], after: dict[str, Fact], moved: dict[str, tuple[str, int]]
) -> None:
    old = {fact.id: fact for fact in was.facts}
    new = {fact.id: fact for fact in now.facts}
    if [id_ for id_ in old if id_ in new] != [id_ for id_ in new if id_ in old]:
        raise UnclearError(f"the facts of {now.name} stand in another order")
    for id_, fact in old.items():
        other = new.get(id_)
        if other is None:
            before[id_] = fact
        elif not _is_same(fact, other):
            before[id_], after[id_] = fact, other
        elif (fact.file, fact.line) != (other.file, other.line):
            moved[id_] = other.file, other.line
    after.update((id_, fact) for id_, fact in new.items() if id_ not in old)


def _is_same(one: Fact, other: Fact) -> bool:
    # By repr: 1.10 is not 1.1, 1 is not true, and the order of the columns matters.
    return one.level == other.level and repr(one.values) == repr(other.values)


def _id(fact: Fact | None) -> str | None:
    return fact.id if fact else None
