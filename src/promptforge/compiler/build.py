"""All stages in order: a project's files to an artifact. The only module that knows every stage.

It goes as far as it can: what is broken is said and left out, and the entries it concerns are marked, so that a
comparison can still name what a change breaks. Whoever writes an artifact refuses one with errors.
"""

import datetime
import gc
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from promptforge import __version__
from promptforge.artifact import Artifact, Entry, FactRecord, SectionRecord, record_values
from promptforge.compiler.allow import settle
from promptforge.compiler.choose import Chooser, Chosen, clearance_of
from promptforge.compiler.fit import Count, fit
from promptforge.compiler.judge import judge
from promptforge.compiler.link import link
from promptforge.compiler.load import Loaded, Parse, load
from promptforge.compiler.render import Draft, Drafter, Reading
from promptforge.document import Document
from promptforge.files import CONFIG, Tree, digest_of
from promptforge.model import Agent, Model, Project, Prompt, Reader
from promptforge.source import Diagnostic, Span, errors, ordered
from promptforge.tokens import Tokenizer, TokenizerError, count_chat, load_tokenizer
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
    """Files outside the project's own that the counts rest on."""
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
) -> Build:
    """Compile every agent, or those whose names match a pattern of `only`.

    `thorough` also looks for what a build need not know: unused allowances, near twins.
    """
    with without_collection():
        return _compile(tree, today, thorough, only, parse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What came of some of a project's agents."""

    entries: Mapping[str, Entry]
    readings: Mapping[str, Reading]
    diagnostics: tuple[Diagnostic, ...]
    """Those of the stages after linking, none silenced."""


def compile_part(project: Project, loaded: Loaded, *, root: Path, digests: Mapping[str, str]) -> Part:
    """Compile the agents of a project of which only a part is linked; `digests` are those of its files."""
    compiler = _Compiler(project, loaded, root, digests)
    entries = {agent.name: compiler.entry(agent, broken=False) for agent in project.agents.values()}
    found = [*compiler.found, *compiler.drafter.rest()]
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


def _compile(tree: Tree, today: datetime.date, thorough: bool, only: Sequence[str], parse: Parse) -> Build:
    loaded, found = load(tree, parse=parse)
    project, problems = link(loaded)
    found += problems
    found += judge(project, loaded, today=today)
    if thorough:
        from promptforge.compiler.twins import near_twins

        found += near_twins(project, loaded)
    digests = {path: digest_of(content) for path, content in tree.files.items()}
    compiler = _Compiler(project, loaded, tree.root, digests)
    standing = settle(ordered(found), loaded, project.config, thorough=False) if errors(found) else ()
    wrong_files = {d.span.file for d in errors(standing)}
    entries = {
        agent.name: compiler.entry(agent, broken=agent.file in wrong_files)
        for agent in project.agents.values()
        if not only or any(fnmatchcase(agent.name, pattern) for pattern in only)
    }
    found += compiler.found
    found += compiler.drafter.rest() if not only else []
    if CONFIG in loaded.broken:
        # Without its models no agent has a clearance: what follows from that is not the user's mistake.
        found = [d for d in found if d.code not in ("PF410", "PF501")]
    settled = settle(ordered(found), loaded, project.config, thorough=thorough)
    artifact = _artifact(project, entries, compiler)
    return Build(
        artifact=artifact,
        diagnostics=settled,
        project=project,
        documents=loaded.documents,
        tree=tree,
        tokenizer_files=tuple(path for one in compiler.tokenizers for path in one.files),
        readings=dict(_readings(project, compiler.drafter)),
    )


class _Compiler:
    """What the agents of one project share while they are compiled."""

    def __init__(self, project: Project, loaded: Loaded, root: Path, digests: Mapping[str, str]) -> None:
        self.project, self.loaded, self.root, self.digests = project, loaded, root, digests
        self.found: list[Diagnostic] = []
        self.chooser = Chooser(project)
        self.drafter = Drafter(project, loaded.documents)
        self._tokenizers: dict[str, Tokenizer] = {}
        self._shared = _shared_inputs(project)
        self._model_digests: dict[str, str] = {}

    def entry(self, agent: Agent, *, broken: bool) -> Entry:
        """One agent, through choose, render and fit, as `enriched` and as `base`."""
        clearance = clearance_of(agent, self.project.config)
        tokenizer = self._tokenizer(agent.model)
        count = self._count(tokenizer)
        before = len(self.found)
        chosen, problems = self.chooser.choose(agent, clearance)
        self.found += problems
        draft, problems = self.drafter.draft(agent, chosen, clearance)
        self.found += problems
        enriched, problems = fit(agent, agent.sections, draft, count, filtered=[one.filtered for one in chosen])
        self.found += problems
        return Entry(
            name=agent.name,
            role=agent.role,
            file=agent.file,
            model=agent.model.name if agent.model else None,
            tier=agent.model.tier if agent.model else None,
            clearance=clearance,
            tokenizer=tokenizer.name,
            exact=tokenizer.exact,
            margin=tokenizer.margin,
            budget_tokens=agent.budget_tokens,
            inputs=self._inputs(agent, chosen),
            sections=tuple(
                [SectionRecord(s.kind, s.name, s.label, s.file, s.line, s.priority, s.required) for s in agent.sections]
            ),
            variants={"base": _base(agent, draft, count), "enriched": enriched},
            broken=broken or draft.broken or self._unsure(agent) or bool(errors(self.found[before:])),
        )

    def _unsure(self, agent: Agent) -> bool:
        """Whether a file that could not be read may hold something of the agent's prompt."""
        no_examples = any(path.startswith("fewshot") for path in self.loaded.broken)
        return any(
            (s.kind == "fewshot" and no_examples) or (s.kind == "table" and self.project.tables[s.name].partial)
            for s in agent.sections
        )

    def _inputs(self, agent: Agent, chosen: Sequence[Chosen]) -> dict[str, str]:
        # Of what is written, not how: a comment is no change of an agent.
        inputs = {agent.file: digest_of(repr(self.loaded.documents[agent.file].data)), **self._shared}
        if not any(section.path for section in agent.sections):
            inputs["order of the tables"] = digest_of(json.dumps(list(self.project.tables)))
        if agent.model is not None:
            inputs[f"model {agent.model.name}"] = self._model_digest(agent.model.name)
        for one in chosen:
            if one.section.kind == "template":
                text = self.project.templates[one.section.name]
                inputs[text.file] = self.digests[text.file]
        return inputs

    def _model_digest(self, name: str) -> str:
        if name not in self._model_digests:
            self._model_digests[name] = _model_digest(self.project.config.models[name])
        return self._model_digests[name]

    @property
    def tokenizers(self) -> Collection[Tokenizer]:
        """Those that were used."""
        return self._tokenizers.values()

    def _count(self, tokenizer: Tokenizer) -> Count:
        runtime = self.project.config.runtime
        if not runtime:
            return tokenizer.chat
        return lambda messages: count_chat(tokenizer, messages, runtime)

    def _tokenizer(self, model: Model | None) -> Tokenizer:
        spec = model.tokenizer if model else "estimate"
        if spec not in self._tokenizers:
            try:
                self._tokenizers[spec] = load_tokenizer(spec, root=self.root, render_chat=_render_chat)
            except TokenizerError as problem:
                document = self.loaded.documents.get(CONFIG)
                place = Span(file=CONFIG)
                if document and model:
                    place = document.span(("models", model.name, "tokenizer"))
                code = "PF416" if problem.absent else "PF415"
                message = f"{problem.message}; counted by estimate" if problem.absent else problem.message
                self.found.append(Diagnostic(code=code, span=place, message=message, hint=problem.hint))
                self._tokenizers[spec] = load_tokenizer("estimate", root=self.root)
        return self._tokenizers[spec]


def _render_chat(template: str, messages: Sequence[Mapping[str, str]], variables: Mapping[str, object]) -> str:
    from promptforge.text import render_chat  # Jinja only for the tokenizers that have a chat template

    return render_chat(template, messages, variables)


def _base(agent: Agent, draft: Draft, count: Count) -> Prompt:
    """The persona alone."""
    sections = [(s, part) for s, part in zip(agent.sections, draft.parts, strict=True) if s.kind == "persona"]
    parts = Draft(parts=tuple(part for _, part in sections))
    prompt, _ = fit(agent, [s for s, _ in sections], parts, count)
    return prompt


def _shared_inputs(project: Project) -> dict[str, str]:
    """What of promptforge.yaml shapes every prompt."""
    config = project.config
    settings = {key: config.settings.get(key) for key in ("budget", "reserve", "table", "sections", "runtime")}
    shaping = [settings, dict(config.clearance), __version__]
    return {CONFIG: digest_of(json.dumps(shaping, default=str, sort_keys=True))}


def _model_digest(model: Model) -> str:
    return digest_of(json.dumps([model.name, model.tier, model.tokenizer, model.context]))


def _artifact(project: Project, entries: Mapping[str, Entry], compiler: _Compiler) -> Artifact:
    facts = {
        fact.id: FactRecord(fact.file, fact.line, fact.level, record_values(fact.values))
        for table in project.tables.values()
        for fact in table.facts
    }
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
