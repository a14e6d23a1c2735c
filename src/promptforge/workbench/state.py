"""What the next build can take from the last one: tables, examples, and what each agent looks at.

Kept beside the project as JSON, one line for each part, so that a part is read only when it is needed. It is never
trusted further than the digests in it: a damaged state, or one of another version, is no state.
"""

import datetime
import json
import os
import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from promptforge.artifact import Artifact, Entry
from promptforge.compiler.build import Build
from promptforge.document import Decimal, Document
from promptforge.emit import emit
from promptforge.files import TEMPORARY, digest_of
from promptforge.model import Column, Condition, Fact, Project, Table
from promptforge.workbench.fresh import made_by

if TYPE_CHECKING:
    from promptforge.workbench.forge import AgentLine, Report

__all__ = [
    "Listener",
    "Row",
    "State",
    "UnkeptError",
    "keep",
    "packed_table",
    "read_state",
    "row_of",
    "save",
    "texts_of",
]

_PLACE = ".promptforge/incremental.json"
_MARK = "\0"
"""The key of a mapping that stands for a decimal."""
_MARKED = b'"\\u0000"'


class UnkeptError(Exception):
    """Something that the state cannot hold, or that is not in it."""


class Row(NamedTuple):
    """An agent, as the report shows it and where it lies."""

    name: str
    file: str
    size: int
    """Of its part of the artifact, in bytes."""
    model: str | None
    tier: str | None
    tokens: int
    budget_tokens: int
    exact: bool
    cut: Sequence[str]
    withheld: Sequence[str]
    private: bool
    """Whether its prompt rests on a private fact."""


class Listener(NamedTuple):
    """A text with references, and where it goes."""

    reads: Sequence[str]
    digest: str
    """Of what it says; empty where it looks at the agent."""
    agents: Sequence[int]
    """Numbers of the agents that are given it, those included that it is withheld from."""
    shown: int
    """How many prompts hold it."""
    tried: int
    """Number of the agent that it is tried with where it is given to none."""


class State:
    """A state as it was read; the values of its parts are plain JSON, and a part is read when it is asked for."""

    def __init__(self, content: bytes) -> None:
        """Raises ValueError, KeyError or TypeError when it is no state, or one of another version."""
        start = content.index(b"\n")
        self.head: Mapping[str, Any] = json.loads(content[:start])
        if self.head["format"] != _format():
            raise ValueError("another version")
        self._content = content
        self._tables: dict[str, Table] = {}
        self._ends: dict[str, tuple[int, int]] = {}
        for name, (size, _) in self.head["parts"].items():
            self._ends[name] = start + 1, start + 1 + size
            start += 1 + size

    def raw(self, name: str) -> bytes:
        """A part as it is kept; it may be damaged."""
        start, end = self._ends[name]
        return self._content[start:end]

    def sound(self, name: str) -> bytes:
        """A part as it is kept. Raises UnkeptError when there is none, or it is damaged."""
        if name not in self._ends or digest_of(raw := self.raw(name)) != self.head["parts"][name][1]:
            raise UnkeptError(name)
        return raw

    def part(self, name: str) -> Any:
        """A part's value. Raises UnkeptError."""
        return json.loads(self.sound(name))

    def rows(self) -> list[Row]:
        """The agents in order."""
        return list(map(Row._make, self.part("rows")))

    def listeners(self) -> dict[str, Listener]:
        """The texts with references, by `example:ID` and `template:NAME`."""
        return {key: Listener._make(one) for key, one in self.part("listeners").items()}

    def watchers(self, table: str) -> Iterator[tuple[tuple[Condition, ...], list[list[int]]]]:
        """Each `where` on a table with the agents and sections, by number, that have it."""
        for where, places in self.part(f"watchers {table}") if f"watchers {table}" in self._ends else ():
            conditions = [Condition(path=tuple(p), values=tuple(unpacked(v)), negate=n) for p, v, n in where]
            yield tuple(conditions), places

    def examples_for(self, agents: Iterable[str]) -> Iterator[str]:
        """The files that hold an example for one of the agents, or for all; now and then one too many."""
        names = [_json(name) for name in agents]
        for file, for_all in self.head["examples"].items():
            if for_all or any(name in raw for raw in [self.raw(f"document {file}")] for name in names):
                yield file

    def table(self, name: str) -> Table:
        """A table as it was. Raises UnkeptError."""
        if name not in self._tables:
            self._tables[name] = self._table(name)
        return self._tables[name]

    def _table(self, name: str) -> Table:
        key, columns, declared, defaults, digest, facts, others = self.part(f"table {name}")
        if _MARKED in self.raw(f"table {name}"):
            facts = unpacked(facts)
        made = tuple(map(Fact._make, facts))
        by_key = {fact.key: fact for fact in made}
        by_key.update((other, made[number]) for other, number in others)
        return Table(
            name=name,
            key=tuple(key),
            columns={column: Column(kind=kind, ref=ref, about=about) for column, (kind, ref, about) in columns.items()},
            declared=frozenset(declared),
            defaults=defaults,
            facts=made,
            by_key=by_key,
            digest=digest,
        )

    def document(self, file: str, text: str) -> Document:
        """A file as it was parsed; `text` is what it held. Raises UnkeptError when it is not in the state."""
        data, positions = self.part(f"document {file}")
        places = array("Q", b64decode(positions))
        data = unpacked(data) if _MARKED in self.raw(f"document {file}") else data
        return Document(file=file, text=text, data=data, positions=places)


@cache
def _format() -> list[object]:
    """By what a state is made, our own code included: to whom it changes under his hands, it is another version."""
    code = []
    for folder, _, names in os.walk(Path(__file__).parents[1]):
        for name in names:
            if name.endswith(".py"):
                status = (Path(folder) / name).stat()
                code.append([name, status.st_size, status.st_mtime_ns])
    return [*made_by(), sys.byteorder, digest_of(json.dumps(sorted(code)))]


def read_state(root: Path) -> State | None:
    """The state that the last build left, if it is one of this version; whether it is whole is seen part by part."""
    try:
        return State((root / _PLACE).read_bytes())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def save(root: Path, head: Mapping[str, Any], parts: Mapping[str, object], last: State | None = None) -> None:
    """Put a state in the place of the last one; parts of that which are not among the new ones are taken over.

    A part that is bytes is no JSON, and kept as it is.

    A state that cannot be kept is no loss: the next build is made as a whole.
    """
    lines = {name: part if isinstance(part, bytes) else _json(part) for name, part in parts.items()}
    about = {name: (len(line), digest_of(line)) for name, line in lines.items()}
    if last is not None:
        about = {**last.head["parts"], **about}
        lines = {name: lines[name] if name in lines else last.raw(name) for name in about}
    first = _json({**head, "format": _format(), "parts": about})
    place = root / _PLACE
    temporary = place.with_suffix(f".{os.getpid()}{TEMPORARY}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds private facts
        with os.fdopen(handle, "wb") as file:
            file.write(b"\n".join((first, *lines.values())))
        os.replace(temporary, place)
    except OSError:
        temporary.unlink(missing_ok=True)


def _json(value: object) -> bytes:
    return _encode(value).encode("utf-8", "surrogatepass")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def keep(
    root: Path, build: Build, report: "Report", *, asked: str | None, today: datetime.date, prompts: bytes
) -> None:
    """Keep the state of a whole build that found nothing to say.

    `asked` is the --output of the command line, `prompts` the artifact.
    """
    artifact, project = build.artifact, build.project
    fewshot = {file: document for file, document in build.documents.items() if file.startswith("fewshot/")}
    knowledge = {file: document for file, document in build.documents.items() if file.startswith("knowledge/")}
    head = {
        "asked": asked,
        "place": report.output,
        "today": str(today) if report.dated else None,
        "outputs": {os.path.relpath(path, root): digest for path, digest in report.files.items()},
        "tokenizers": {str(path.absolute()): digest for path, digest in report.tokenizers.items()},
        "encodings": _encodings(artifact),
        "tables": artifact.tables,
        "examples": {file: not all(one.get("agents") for one in doc.data["examples"]) for file, doc in fewshot.items()},
    }
    parts: dict[str, object] = {
        "inputs": artifact.inputs,
        "rows": _rows(artifact, report, prompts),
        "listeners": _listeners(build),
        "cloud": _cloud(artifact),
        "names": {file: list(document.data) for file, document in knowledge.items()},
        **{f"text {file}": build.tree.files[file] for file in knowledge},
    }
    try:
        watchers, parts["through"] = _watchers(project)
        parts |= {f"watchers {table}": of_table for table, of_table in watchers.items()}
        parts |= {f"table {name}": packed_table(table) for name, table in project.tables.items()}
        parts |= {f"document {file}": _packed_document(document) for file, document in fewshot.items()}
    except UnkeptError:
        return
    save(root, head, parts)


def _encodings(artifact: Artifact) -> list[str]:
    """Those of tiktoken that something is counted in."""
    names = dict.fromkeys(entry.tokenizer for entry in artifact.entries.values())
    return [name.removeprefix("tiktoken:") for name in names if name.startswith("tiktoken:")]


def _rows(artifact: Artifact, report: "Report", prompts: bytes) -> list[Row]:
    private = {id_ for id_, fact in artifact.facts.items() if fact.level == "private"}
    ends = _ends(list(artifact.entries), prompts)
    sizes = [end - start for start, end in pairwise([0, *ends])]
    triples = zip(artifact.entries.values(), report.agents, sizes, strict=True)
    return [row_of(entry, line, size, private) for entry, line, size in triples]


def row_of(entry: Entry, line: "AgentLine", size: int, private: set[str]) -> Row:
    """An agent's row; `private` are the ids of the private facts."""
    return Row(
        name=line.name,
        file=entry.file,
        size=size,
        model=line.model,
        tier=line.tier,
        tokens=line.tokens,
        budget_tokens=line.budget_tokens,
        exact=line.exact,
        cut=line.cut,
        withheld=line.withheld,
        private=bool(private) and any(id_ in private for one in entry.enriched.segments for id_ in one.facts),
    )


def _ends(agents: Sequence[str], prompts: bytes) -> Iterator[int]:
    """Where each agent's part of the artifact ends: before the next one's key, for nothing else starts a line."""
    at = 0
    for name in agents[1:]:
        at = prompts.index(b"\n" + emit({name: {}}).removesuffix(" {}\n").encode(), at) + 1
        yield at
    yield len(prompts)


def _packed_document(document: Document) -> tuple[Any, str]:
    return packed(document.data), b64encode(document.positions.tobytes()).decode()


def packed_table(table: Table) -> list[object]:
    """A table as the state keeps it."""
    columns = {column: [about.kind, about.ref, about.about] for column, about in table.columns.items()}
    facts = [fact if (v := packed(fact.values)) is fact.values else fact._replace(values=v) for fact in table.facts]
    others: list[object] = []
    if table.defaults:
        numbers = {fact.key: number for number, fact in enumerate(table.facts)}
        others = [[key, numbers[fact.key]] for key, fact in table.by_key.items() if key != fact.key]
    return [table.key, columns, sorted(table.declared), table.defaults, table.digest, facts, others]


def packed(value: Any) -> Any:
    r"""Plain data as JSON can hold it: a decimal as it is written, in a mapping of its own. Raises UnkeptError.

    >>> packed([1, Decimal("1.10"), {"a": "b"}])
    [1, {'\x00': '1.10'}, {'a': 'b'}]
    """
    kind = value.__class__
    if kind is dict:
        if _MARK in value:
            raise UnkeptError("a key that stands for a decimal")
        for inner in value.values():
            if inner.__class__ is dict or inner.__class__ is list or inner.__class__ is Decimal:
                return {key: packed(one) for key, one in value.items()}
    elif kind is list:
        return [packed(one) for one in value]
    elif kind is Decimal:
        return {_MARK: value.written}
    return value


def unpacked(value: Any) -> Any:
    """What `packed` was given."""
    if isinstance(value, dict):
        return Decimal(value[_MARK]) if _MARK in value else {key: unpacked(one) for key, one in value.items()}
    return [unpacked(one) for one in value] if isinstance(value, list) else value


# --- what each agent looks at ---------------------------------------------------------------------------------------


def _watchers(project: Project) -> tuple[dict[str, list[object]], dict[str, dict[str, list[int]]]]:
    """Table to each `where` on it with the agents and sections that have it; and what they read through references.

    The latter is table to column to agents. Sections by default share their `where`, and so an entry.
    """
    found: dict[str, dict[int, tuple[object, list[tuple[int, int]]]]] = {}
    through: dict[str, dict[str, list[int]]] = {}
    for number, agent in enumerate(project.agents.values()):
        for at, section in enumerate(agent.sections):
            if section.kind != "table":
                continue
            of_table = found.setdefault(section.name, {})
            known = of_table.get(id(section.where))
            if known is None:
                where = [(one.path, _packed_values(one.values), one.negate) for one in section.where]
                known = of_table[id(section.where)] = where, []
            known[1].append((number, at))
            for condition in [one for one in section.where if len(one.path) > 1]:
                table = project.tables[section.name]
                for step, column in zip(condition.path, condition.path[1:], strict=False):
                    table = project.tables[table.columns[step].ref]
                    through.setdefault(table.name, {}).setdefault(column, []).append(number)
    return {table: list(of_table.values()) for table, of_table in found.items()}, through


def _packed_values(values: tuple[Any, ...]) -> Sequence[Any]:
    return values if all(value.__class__ is str for value in values) else packed(list(values))


def _listeners(build: Build) -> dict[str, Listener]:
    if not build.readings:
        return {}
    agents: dict[str, list[int]] = {key: [] for key in build.readings}
    shown = dict.fromkeys(agents, 0)
    for number, entry in enumerate(build.artifact.entries.values()):
        given, holds = texts_of(entry)
        for key in given & agents.keys():
            agents[key].append(number)
            shown[key] += key in holds
    numbers = {name: number for number, name in enumerate(build.project.agents)}
    first = {f"example:{e.id}": next((numbers[a] for a in e.agents if a in numbers), 0) for e in build.project.examples}
    return {
        key: Listener(one.reads, one.digest, agents[key], shown[key], first.get(key, 0))
        for key, one in build.readings.items()
    }


def texts_of(entry: Entry) -> tuple[set[str], set[str]]:
    """The examples and templates that an agent is given, and those of them that its prompt holds."""
    prompt = entry.enriched
    shown = {segment.facts[0] for segment in prompt.segments if segment.kind == "example"}
    cut = {cut.what for cut in prompt.cuts if cut.what.startswith("example:")}
    templates = {f"template:{section.name}" for section in entry.sections if section.kind == "template"}
    return shown | cut | templates, shown


def _cloud(artifact: Artifact) -> dict[str, int]:
    """How many prompts of cloud models rest on each fact."""
    counts: dict[str, int] = {}
    for entry in artifact.entries.values():
        if entry.tier == "cloud":
            for id_ in {id_ for segment in entry.enriched.segments for id_ in segment.facts}:
                if id_ in artifact.facts:
                    counts[id_] = counts.get(id_, 0) + 1
    return counts
