"""Agents to entries of the artifact: choose, render and fit, one after another, or by two processes."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from promptforge import __version__
from promptforge.artifact import Entry, SectionRecord
from promptforge.compiler.choose import Chooser, Chosen, clearance_of
from promptforge.compiler.fit import Count, fit
from promptforge.compiler.load import Loaded
from promptforge.compiler.parallel import packed, shared, unpacked
from promptforge.compiler.render import Draft, Drafter
from promptforge.files import CONFIG, digest_of
from promptforge.lock import Quote, Texts, texts_of
from promptforge.model import Agent, Model, Project, Prompt
from promptforge.source import Diagnostic, Span, errors
from promptforge.tokens import Counter, Tokenizer, TokenizerError, count_chat, load_tokenizer

__all__ = ["Compiler", "Made", "compile_agents"]

_T = TypeVar("_T")
Text = Callable[[Entry], Texts]


class Made(NamedTuple):
    """What came of an agent."""

    entry: Entry
    found: list[Diagnostic]
    texts: Texts | None


def compile_agents(
    compiler: "Compiler", agents: Sequence[Agent], *, texts: bool, meanwhile: Callable[[], _T]
) -> tuple[list[Made], _T]:
    """The agents in order, with their parts of the files where `texts` are wanted; and what `meanwhile` gave.

    Where it pays, a second process takes part, from before `meanwhile` is called. The same comes of it: an agent with
    anything to say is compiled by this one. And a text that fails once stays failed for all further agents, so where
    one does, they are all compiled again, one after another.
    """
    text = _text(compiler.project) if texts else None
    for agent in agents:
        compiler.tokenizer(agent)  # before the fork, so that both processes share it
    made: dict[int, Made] = {}

    def work(numbers: Iterator[int]) -> Any:
        return _plain(compiler, agents, numbers, text), compiler.drafter.seen(), compiler.drafter.failing

    with shared(len(agents), work) as (numbers, result):
        met = meanwhile()
        made.update((number, compiler.make(agents[number], text)) for number in numbers)
        plain, seen, failing = result() or ({}, [], False)
    if len(made) < len(agents) and (failing or compiler.drafter.failing):
        made = {}
        compiler.start_again()
    else:
        compiler.drafter.learn(seen)
        for number, (inputs, variants, of_files) in plain.items():
            prompts = {name: unpacked(prompt) for name, prompt in variants.items()}
            entry = compiler.entry(agents[number], inputs=inputs, variants=prompts)
            made[number] = Made(entry, [], Texts._make(of_files) if of_files else None)
    return [made.get(number) or compiler.make(agent, text) for number, agent in enumerate(agents)], met


def _plain(compiler: "Compiler", agents: Sequence[Agent], numbers: Iterator[int], text: Text | None) -> dict[int, Any]:
    """Agents as plain data, for the other process; without those with anything to say."""
    plain = {}
    for number in numbers:
        entry, found, texts = compiler.make(agents[number], text)
        if not found and not entry.broken:
            variants = {name: packed(prompt) for name, prompt in entry.variants.items()}
            plain[number] = entry.inputs, variants, texts and tuple(texts)
    return plain


def _text(project: Project) -> Text:
    places = {fact.id: (fact.file, fact.line) for table in project.tables.values() for fact in table.facts}
    quote = Quote()
    return lambda entry: texts_of(entry, places.get, quote)


class Compiler:
    """What the agents of one project share while they are compiled."""

    def __init__(
        self,
        project: Project,
        loaded: Loaded,
        root: Path,
        digests: Mapping[str, str],
        counters: Mapping[str, Counter] = MappingProxyType({}),
    ) -> None:
        self.project, self.loaded, self.root, self.digests = project, loaded, root, digests
        self.found: list[Diagnostic] = []
        """What is wrong with tokenizers."""
        self.chooser = Chooser(project)
        self.start_again()
        self._tokenizers: dict[str, Tokenizer] = {}
        self._counters = counters
        self._shared = _shared_inputs(project)
        self._model_digests: dict[str, str] = {}

    def start_again(self) -> None:
        """Forget the texts that were rendered."""
        self.drafter = Drafter(self.project, self.loaded.documents)

    def make(self, agent: Agent, text: Text | None = None) -> Made:
        """One agent, through choose, render and fit, as `enriched` and as `base`; its part of the files by `text`."""
        count = self._count(self.tokenizer(agent))
        clearance = clearance_of(agent, self.project.config)
        chosen, found = self.chooser.choose(agent, clearance)
        draft, problems = self.drafter.draft(agent, chosen, clearance)
        found += problems
        enriched, problems = fit(agent, agent.sections, draft, count, filtered=[one.filtered for one in chosen])
        found += problems
        entry = self.entry(
            agent,
            inputs=self._inputs(agent, chosen),
            variants={"base": _base(agent, draft, count), "enriched": enriched},
            broken=draft.broken or self._unsure(agent) or bool(errors(found)),
        )
        return Made(entry, found, text(entry) if text else None)

    def entry(
        self, agent: Agent, *, inputs: Mapping[str, str], variants: Mapping[str, Prompt], broken: bool = False
    ) -> Entry:
        """An agent in the artifact, given what was made of it."""
        tokenizer = self.tokenizer(agent)
        return Entry(
            name=agent.name,
            role=agent.role,
            file=agent.file,
            model=agent.model.name if agent.model else None,
            tier=agent.model.tier if agent.model else None,
            clearance=clearance_of(agent, self.project.config),
            tokenizer=tokenizer.name,
            exact=tokenizer.exact,
            margin=tokenizer.margin,
            budget_tokens=agent.budget_tokens,
            inputs=inputs,
            sections=tuple(
                [SectionRecord(s.kind, s.name, s.label, s.file, s.line, s.priority, s.required) for s in agent.sections]
            ),
            variants=variants,
            broken=broken,
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

    def tokenizer(self, agent: Agent) -> Tokenizer:
        """What counts for an agent; loaded when it is first asked for."""
        model = agent.model
        spec = model.tokenizer if model else "estimate"
        if spec not in self._tokenizers:
            try:
                self._tokenizers[spec] = load_tokenizer(
                    spec, root=self.root, render_chat=_render_chat, counters=self._counters
                )
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
    from promptforge.sandbox import render_chat  # Jinja only for the tokenizers that have a chat template

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
