"""All stages in order: a project's files to an artifact. The only module that knows every stage.

It goes as far as it can: what is broken is said and left out, and the entries it concerns are marked, so that a
comparison can still name what a change breaks. Whoever writes an artifact refuses one with errors.
"""

import datetime
import gc
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

from promptforge import __version__
from promptforge.artifact import Artifact, Entry, FactRecord, record_values
from promptforge.compiler.agents import Compiler, compile_agents
from promptforge.compiler.allow import misunderstood, settle
from promptforge.compiler.judge import judge
from promptforge.compiler.link import link
from promptforge.compiler.load import Loaded, Parse, load
from promptforge.compiler.render import Drafter, Reading
from promptforge.document import Document
from promptforge.files import Tree, digest_of
from promptforge.lock import Texts
from promptforge.model import Project, Reader
from promptforge.source import Diagnostic, errors, ordered
from promptforge.tokens import Counter
from promptforge.yamlio import parse

__all__ = ["Build", "Part", "compile_part", "compile_project", "without_collection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What came of a project's files."""

    artifact: Artifact
    diagnostics: tuple[Diagnostic, ...]
    """By place; those that an allowance silences are not among them."""
    project: Project
    documents: Mapping[str, Document]
    tree: Tree
    readings: Mapping[str, Reading]
    """The examples (`example:ID`) and templates (`template:NAME`) with references, and what they rested on."""
    tokenizer_files: tuple[Path, ...] = ()
    """Files outside the project's own that the counts rest on, whether they are there or not."""
    broken: frozenset[str] = frozenset()
    """Files of which nothing can be told: they could not be read, or are of a wrong shape."""
    hidden_settings: frozenset[str] = frozenset()
    """Keys of promptforge.yaml of which the same holds."""
    texts: Mapping[str, Texts] = field(default_factory=dict)
    """By agent its parts of the files, where they were asked for."""
    _lines: dict[str, list[str]] = field(default_factory=dict, compare=False, repr=False)

    def source_line(self, file: str, line: int) -> str | None:
        """The text of a line (from 1) of one of the project's files."""
        lines = self._lines.get(file)
        if lines is None:
            lines = self.tree.files.get(file, b"").decode("utf-8-sig", "replace").split("\n")
            self._lines[file] = lines
        return lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else None

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What stops a build from being written."""
        return errors(self.diagnostics)


def compile_project(
    tree: Tree,
    *,
    today: datetime.date,
    thorough: bool = False,
    only: Sequence[str] = (),
    parse: Parse = parse,
    texts: bool = False,
) -> Build:
    """Compile every agent, or those whose names match a pattern of `only`.

    `thorough` also looks for what a build need not know: unused allowances, near twins. With `texts` it also makes the
    agents' parts of the files, where nothing is wrong so far.
    """
    with without_collection():
        return _compile(tree, today, thorough, only, parse, texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What came of some of a project's agents."""

    entries: Mapping[str, Entry]
    readings: Mapping[str, Reading]
    diagnostics: tuple[Diagnostic, ...]
    """Those of the stages after linking, none silenced."""


def compile_part(
    project: Project,
    loaded: Loaded,
    *,
    root: Path,
    digests: Mapping[str, str],
    counters: Mapping[str, Counter] = MappingProxyType({}),
) -> Part:
    """Compile the agents of a project of which only a part is linked; `digests` are those of its files.

    `counters` are those of tiktoken's encodings that are loaded already.
    """
    compiler = Compiler(project, loaded, root, digests, counters)
    made = [compiler.make(agent) for agent in project.agents.values()]
    entries = {one.entry.name: one.entry for one in made}
    found = [*compiler.found, *(problem for one in made for problem in one.found), *compiler.drafter.rest()]
    readings = dict(_readings(project, compiler.drafter))
    return Part(entries=entries, readings=readings, diagnostics=tuple(found))


@contextmanager
def without_collection() -> Iterator[None]:
    """Without the cycle collector: a compile makes many values and no cycles; collecting them took a third of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _compile(tree: Tree, today: datetime.date, thorough: bool, only: Sequence[str], parse: Parse, texts: bool) -> Build:
    loaded, found = load(tree, parse=parse)
    project, problems = link(loaded)
    found += problems
    digests = {path: digest_of(content) for path, content in tree.files.items()}
    compiler = Compiler(project, loaded, tree.root, digests)
    agents = [a for a in project.agents.values() if not only or any(fnmatchcase(a.name, one) for one in only)]

    def meanwhile() -> tuple[list[Diagnostic], dict[str, FactRecord]]:
        return _judged(project, loaded, today, thorough), _records(project)

    made, (problems, facts) = compile_agents(compiler, agents, texts=texts and not errors(found), meanwhile=meanwhile)
    found += problems
    standing = settle(ordered(found), loaded, project.config, thorough=False) if errors(found) else ()
    wrong_files = {d.span.file for d in errors(standing)}
    entries = {
        one.entry.name: replace(one.entry, broken=True) if one.entry.file in wrong_files else one.entry for one in made
    }
    found += [*compiler.found, *(problem for one in made for problem in one.found)]
    found += compiler.drafter.rest() if not only else []
    settled = settle(ordered(found), loaded, project.config, thorough=thorough)
    artifact = _artifact(project, entries, compiler, facts)
    return Build(
        artifact=artifact,
        diagnostics=settled,
        project=project,
        documents=loaded.documents,
        tree=tree,
        tokenizer_files=tuple(path for one in compiler.tokenizers for path in one.files),
        readings=dict(_readings(project, compiler.drafter)),
        broken=loaded.broken,
        hidden_settings=loaded.hidden_settings,
        texts={one.entry.name: one.texts for one in made if one.texts},
    )


def _judged(project: Project, loaded: Loaded, today: datetime.date, thorough: bool) -> list[Diagnostic]:
    """What is wrong with facts and texts."""
    found = list(judge(project, loaded, today=today))
    if thorough:
        from promptforge.compiler.cleaned import cleaned_texts
        from promptforge.compiler.twins import near_twins

        found += near_twins(project, loaded)
        found += cleaned_texts(project, loaded)
        found += misunderstood(project.tables, loaded.documents)
    return found


def _records(project: Project) -> dict[str, FactRecord]:
    """The facts as the lock keeps them."""
    return {
        fact.id: FactRecord(fact.file, fact.line, fact.level, record_values(fact.values))
        for table in project.tables.values()
        for fact in table.facts
    }


def _artifact(
    project: Project, entries: Mapping[str, Entry], compiler: Compiler, facts: Mapping[str, FactRecord]
) -> Artifact:
    return Artifact(
        name=project.config.name,
        version=__version__,
        entries=entries,
        facts=facts,
        tables={name: table.digest for name, table in project.tables.items()},
        readers=tuple(_readers(project, entries.values(), compiler.drafter)),
        inputs=compiler.digests,
    )


_json = json.JSONEncoder(default=str).encode


def _readers(project: Project, entries: Iterable[Entry], drafter: Drafter) -> Iterable[Reader]:
    """The examples with what they rest on, as the prompts that hold them say."""
    facts: dict[str, set[str]] = {}
    for entry in entries:
        for segment in entry.enriched.segments:
            if segment.kind == "example":
                facts.setdefault(segment.facts[0].removeprefix("example:"), set()).update(segment.facts[1:])
    for example in project.examples:
        digest = digest_of(_json([example.user.source, example.assistant.source, example.tags, example.agents]))
        yield Reader(
            kind="example",
            id=example.id,
            span=example.span,
            facts=frozenset(facts.get(example.id, ())),
            digest=digest,
            broken=drafter.failed(example),
        )


def _readings(project: Project, drafter: Drafter) -> Iterator[tuple[str, Reading]]:
    for example in project.examples:
        if reading := drafter.reading(example.user, example.assistant):
            yield f"example:{example.id}", reading
    for name, text in project.templates.items():
        if reading := drafter.reading(text):
            yield f"template:{name}", reading
